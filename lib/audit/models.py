"""Famous networks from tables, in plain torch: shapes only, no trained weights.

Channels, windows, strides and padding are those of the papers, in the form in which PyTorch users
know them; where published receptive fields were computed for another form, a parameter chooses
it. A model costs no memory when it is built under ``with torch.device("meta"):``.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

__all__ = ["FAMOUS", "EndPadding", "Parallel", "Residual", "alexnet", "conv", "dilated_stack",
           "googlenet", "inception_v3", "mobilenet_v1", "resnet", "vgg"]


class EndPadding(nn.Module):
    """Pad as TensorFlow's SAME does: just enough, half of it rounded down before the map."""

    def __init__(self, window: int, stride: int) -> None:
        super().__init__()
        self.window, self.stride = window, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        amounts = []
        for size in reversed(x.shape[2:]):
            total = max(0, (-(-size // self.stride) - 1) * self.stride + self.window - size)
            amounts += [total // 2, total - total // 2]
        return F.pad(x, amounts)


class Parallel(nn.Sequential):
    """Branches on the same input, their outputs side by side."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self], 1)


class Residual(nn.Module):
    """A branch added to a shortcut."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.branch(x) + self.shortcut(x))


def conv(inputs: int, outputs: int, window: int | tuple, stride: int = 1,
         padding: int | tuple | None = None, groups: int = 1, dilation: int = 1,
         relu: bool = True) -> nn.Sequential:
    """Convolution, batch normalization, rectifier; padding keeps the size by default."""
    if padding is None:
        padding = tuple(d * (w - 1) // 2 for w, d in zip(_pair(window), _pair(dilation),
                                                         strict=True))
    layers = [("conv", nn.Conv2d(inputs, outputs, window, stride, padding, dilation, groups,
                                 bias=False)), ("norm", nn.BatchNorm2d(outputs))]
    return nn.Sequential(OrderedDict(layers + [("relu", nn.ReLU(inplace=True))] * relu))


def _pair(value: int | tuple) -> tuple:
    return value if isinstance(value, tuple) else (value, value)


def _classifier(features: nn.Module, channels: int, classes: int = 1000) -> nn.Sequential:
    """Features, global average, linear layer."""
    return nn.Sequential(OrderedDict(features=features, pool=nn.AdaptiveAvgPool2d(1),
                                     flatten=nn.Flatten(), fc=nn.Linear(channels, classes)))


def _dense_head(channels: int, size: int) -> OrderedDict:
    """The three dense layers of AlexNet and VGG."""
    return OrderedDict(average=nn.AdaptiveAvgPool2d(size), flatten=nn.Flatten(),
                       fc6=nn.Linear(channels * size ** 2, 4096), relu6=nn.ReLU(),
                       fc7=nn.Linear(4096, 4096), relu7=nn.ReLU(), fc8=nn.Linear(4096, 1000))


def alexnet(first_padding: int = 2) -> nn.Sequential:
    """AlexNet in its single-column form; ``first_padding=0`` for the published table."""
    channels = [3, 64, 192, 384, 256, 256]
    windows, strides, paddings = (11, 5, 3, 3, 3), (4, 1, 1, 1, 1), (first_padding, 2, 1, 1, 1)
    layers = OrderedDict()
    for i in range(5):
        layers[f"conv{i + 1}"] = nn.Conv2d(channels[i], channels[i + 1], windows[i], strides[i],
                                           paddings[i])
        layers[f"relu{i + 1}"] = nn.ReLU(inplace=True)
        if i in (0, 1, 4):
            layers[f"pool{i + 1}"] = nn.MaxPool2d(3, 2)
    return nn.Sequential(layers | _dense_head(256, 6 if first_padding else 5))


def vgg(depth: int = 16) -> nn.Sequential:
    """VGG with 11, 13, 16 or 19 weight layers."""
    counts = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
    layers, channels = OrderedDict(), 3
    for block, (count, width) in enumerate(zip(counts[depth], (64, 128, 256, 512, 512),
                                               strict=True), 1):
        for i in range(1, count + 1):
            layers[f"conv{block}_{i}"] = nn.Conv2d(channels, width, 3, padding=1)
            layers[f"relu{block}_{i}"], channels = nn.ReLU(inplace=True), width
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    return nn.Sequential(layers | _dense_head(512, 7))


RESNETS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3),
           152: (3, 8, 36, 3)}


def resnet(depth: int = 50, stride: str = "first unit", at: str | None = None) -> nn.Sequential:
    """ResNet with 18, 34, 50, 101 or 152 weight layers.

    Parameters
    ----------
    depth : int
    stride : {"first unit", "last unit"}
        Which unit of a stage halves the map. TF-Slim, whose receptive fields are published, takes
        the last unit of every stage but the final one, and pads its first pooling at the end.
    at : {"1x1", "3x3"}, optional
        Which convolution of a bottleneck halves: the paper's code takes the first 1x1, PyTorch
        users the 3x3 (the default).
    """
    if depth not in RESNETS or stride not in ("first unit", "last unit") or (
            at not in ("1x1", "3x3", None)):
        raise ValueError(f"resnet({depth}, {stride!r}, {at!r}): depth is one of {sorted(RESNETS)}, "
                         "stride 'first unit' or 'last unit', at '1x1' or '3x3'")
    counts, wide = RESNETS[depth], depth >= 50
    late = stride == "last unit"
    pool = nn.MaxPool2d(3, 2, ceil_mode=True) if late else nn.MaxPool2d(3, 2, 1)
    stages, channels = OrderedDict(conv1=conv(3, 64, 7, 2), pool1=pool), 64
    for stage, count in enumerate(counts):
        width, units = 64 * 2 ** stage, []
        for unit in range(count):
            halves = (unit == count - 1 and stage < 3) if late else (unit == 0 and stage > 0)
            step, outputs = 1 + halves, width * (4 if wide else 1)
            if wide:
                first, second = (step, 1) if at == "1x1" else (1, step)
                branch = [conv(channels, width, 1, first), conv(width, width, 3, second),
                          conv(width, outputs, 1, relu=False)]
            else:
                branch = [conv(channels, width, 3, step), conv(width, outputs, 3, relu=False)]
            if channels != outputs:
                shortcut = conv(channels, outputs, 1, step, relu=False)
            elif step == 2:
                shortcut = nn.MaxPool2d(1, 2)
            else:
                shortcut = nn.Identity()
            units.append(Residual(nn.Sequential(*branch), shortcut))
            channels = outputs
        stages[f"stage{stage + 1}"] = nn.Sequential(*units)
    return _classifier(nn.Sequential(stages), channels)


# Channels of 1x1; 3x3 reduction and 3x3; 5x5 reduction and 5x5; projection after pooling.
GOOGLENET = {"3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
             "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64),
             "4c": (128, 128, 256, 24, 64, 64), "4d": (112, 144, 288, 32, 64, 64),
             "4e": (256, 160, 320, 32, 128, 128), "5a": (256, 160, 320, 32, 128, 128),
             "5b": (384, 192, 384, 48, 128, 128)}


def googlenet() -> nn.Sequential:
    """GoogLeNet with its true 5x5 branches (some libraries replaced them by 3x3)."""
    def pool() -> nn.MaxPool2d:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    layers = OrderedDict(conv1=conv(3, 64, 7, 2), pool1=pool(), conv2_reduce=conv(64, 64, 1),
                         conv2=conv(64, 192, 3), pool2=pool())
    channels = 192
    for name, (one, three_in, three, five_in, five, projected) in GOOGLENET.items():
        if name in ("4a", "5a"):
            layers[f"pool{int(name[0]) - 1}"] = pool()
        layers[f"inception{name}"] = Parallel(OrderedDict([
            ("1x1", conv(channels, one, 1)),
            ("3x3", nn.Sequential(OrderedDict(reduce=conv(channels, three_in, 1),
                                              conv=conv(three_in, three, 3)))),
            ("5x5", nn.Sequential(OrderedDict(reduce=conv(channels, five_in, 1),
                                              conv=conv(five_in, five, 5)))),
            ("pool", nn.Sequential(OrderedDict(pool=nn.MaxPool2d(3, 1, 1),
                                               conv=conv(channels, projected, 1))))]))
        channels = one + three + five + projected
    return _classifier(nn.Sequential(layers), channels)


def _stack(channels: int, *table: tuple) -> nn.Sequential:
    """Convolutions in a row: (outputs, window) with the size kept, or (outputs, window, 2)."""
    layers = []
    for outputs, window, *stride in table:
        layers.append(conv(channels, outputs, window, *(stride and (stride[0], 0))))
        channels = outputs
    return nn.Sequential(*layers)


def inception_v3() -> nn.Sequential:
    """Inception-v3, without the auxiliary classifier of its training."""
    def pooled(channels: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.AvgPool2d(3, 1, 1), conv(channels, outputs, 1))

    def split(channels: int, *before: tuple) -> nn.Sequential:
        ends = Parallel(conv(384, 384, (1, 3)), conv(384, 384, (3, 1)))
        return nn.Sequential(_stack(channels, *before), ends)

    layers = OrderedDict()
    layers["1a"], layers["2a"] = conv(3, 32, 3, 2, 0), conv(32, 32, 3, 1, 0)
    layers["2b"], layers["3a"] = conv(32, 64, 3), nn.MaxPool2d(3, 2)
    layers["3b"], layers["4a"], layers["5a"] = conv(64, 80, 1), conv(80, 192, 3, 1, 0), \
        nn.MaxPool2d(3, 2)
    for name, c, p in (("5b", 192, 32), ("5c", 256, 64), ("5d", 288, 64)):
        layers[name] = Parallel(_stack(c, (64, 1)), _stack(c, (48, 1), (64, 5)),
                                _stack(c, (64, 1), (96, 3), (96, 3)), pooled(c, p))
    layers["6a"] = Parallel(_stack(288, (384, 3, 2)), _stack(288, (64, 1), (96, 3), (96, 3, 2)),
                            nn.MaxPool2d(3, 2))
    for name, w in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        layers[name] = Parallel(
            _stack(768, (192, 1)), _stack(768, (w, 1), (w, (1, 7)), (192, (7, 1))),
            _stack(768, (w, 1), (w, (7, 1)), (w, (1, 7)), (w, (7, 1)), (192, (1, 7))),
            pooled(768, 192))
    layers["7a"] = Parallel(_stack(768, (192, 1), (320, 3, 2)),
                            _stack(768, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)),
                            nn.MaxPool2d(3, 2))
    for name, c in (("7b", 1280), ("7c", 2048)):
        layers[name] = Parallel(_stack(c, (320, 1)), split(c, (384, 1)),
                                split(c, (448, 1), (384, 3)), pooled(c, 192))
    return _classifier(nn.Sequential(layers), 2048)


def mobilenet_v1(padding: str = "both sides") -> nn.Sequential:
    """MobileNet-v1; ``padding="end"`` pads as TensorFlow does, as in the published table."""
    if padding not in ("both sides", "end"):
        raise ValueError(f"padding={padding!r} of MobileNet-v1: valid are 'both sides' and 'end'")

    def step(inputs: int, outputs: int, window: int, stride: int, groups: int = 1) -> nn.Module:
        if padding == "both sides":
            return conv(inputs, outputs, window, stride, groups=groups)
        return nn.Sequential(OrderedDict(pad=EndPadding(window, stride), conv=conv(
            inputs, outputs, window, stride, 0, groups)))

    table = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5,
             (1024, 2), (1024, 1)]
    layers, channels = OrderedDict(conv0=step(3, 32, 3, 2)), 32
    for i, (outputs, stride) in enumerate(table, 1):
        layers[f"depthwise{i}"] = step(channels, channels, 3, stride, channels)
        layers[f"pointwise{i}"], channels = conv(channels, outputs, 1), outputs
    return _classifier(nn.Sequential(layers), channels)


def dilated_stack(levels: int = 5, channels: int = 64) -> nn.Sequential:
    """3x3 convolutions with dilations 1, 2, 4, ...: fields 3, 7, 15, ..., the stride stays 1."""
    layers = OrderedDict(conv0=conv(3, channels, 3))
    for level in range(1, levels):
        layers[f"conv{level}"] = conv(channels, channels, 3, dilation=2 ** level)
    return _classifier(nn.Sequential(layers), channels)


FAMOUS = {"AlexNet": alexnet, "VGG-11": partial(vgg, 11), "VGG-16": partial(vgg, 16),
          **{f"ResNet-{d}": partial(resnet, d) for d in RESNETS},
          "GoogLeNet": googlenet, "Inception-v3": inception_v3, "MobileNet-v1": mobilenet_v1,
          "dilated stack": dilated_stack}
"""Name to a factory without required arguments."""
