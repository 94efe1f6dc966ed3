"""Independent oracles for the audit: derivatives for its fields, exact ranks for its bounds.

For fields, a network is made linear with positive weights: rectifiers have nothing to cut off, and
pools average. The derivative of a unit with respect to a pixel is then positive exactly when some
path connects the two. For bounds, the layers of a network become random generalized convolutions
modulo a prime while its own ``forward`` is left as it is; the rank of that is exact.
"""

from contextlib import ExitStack, contextmanager
from unittest import mock

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib import generalized_conv
from lib.audit import audit
from lib.audit.fields import EMPTY
from lib.audit.models import EndPadding
from lib.exact.arithmetic import Modular
from lib.exact.ranks import exact_rank
from lib.grids.grid import grid_tensor
from lib.trees.tensors import matricize

FIELD = Modular()


@contextmanager
def averaging():
    """Max pooling, by module or by function, averages instead."""

    def average(ndim):
        pool = (F.avg_pool1d, F.avg_pool2d)[ndim - 1]

        def run(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
                return_indices=False):
            assert dilation == 1 and not return_indices
            return pool(x, kernel_size, stride, padding, ceil_mode)

        return run

    with ExitStack() as stack:
        for ndim in (1, 2):
            stack.enter_context(mock.patch.object(F, f"max_pool{ndim}d", average(ndim)))
        yield


def positive(model, generator):
    """Give every parameter positive values, of a size that neither grows nor vanishes."""
    model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            values = torch.rand(parameter.shape, generator=generator, dtype=torch.float64) + 0.5
            parameter.copy_(values / (parameter[0].numel() if parameter.dim() > 1 else 1))
    return model


def boxes(model, shape, units, generator):
    """First and last pixel, per axis, that units of the output depend on.

    Parameters
    ----------
    model : torch.nn.Module
    shape : tuple of int
        Shape of the input.
    units : function
        From the output's shape to the index tuples of the units to look at.
    generator : torch.Generator

    Returns
    -------
    dict
        Index to a list of (first, last) per axis, or to None if the unit sees no pixel.
    """
    image = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5
    image.requires_grad_()
    with averaging():
        output = positive(model, generator)(image)
    found = {}
    for index in units(tuple(output.shape)):
        gradient, = torch.autograd.grad(output[index], image, retain_graph=True, allow_unused=True)
        found[index] = ends(torch.zeros(shape[2:]) if gradient is None else
                            gradient[0].abs().amax(0))
    return found


def ends(support):
    """First and last pixel per axis at which a tensor is positive, or None if it is nowhere."""
    places = (support > 0).nonzero()
    return [(int(column.min()), int(column.max())) for column in places.T] if len(places) else None


class Branches(nn.Module):
    """Modules on the same input, cropped to a common size, then added or put side by side."""

    def __init__(self, how, *branches):
        super().__init__()
        self.how, self.branches = how, nn.ModuleList(branches)

    def forward(self, x):
        parts = [branch(x) for branch in self.branches]
        for axis in range(2, x.dim()):
            size = min(part.shape[axis] for part in parts)
            parts = [part.narrow(axis, 0, size) for part in parts]
        return torch.cat(parts, 1) if self.how == "cat" else parts[0] + parts[1]


class Every(nn.Module):
    """Every ``step``-th position of the last axis, from ``start`` on."""

    def __init__(self, start, step):
        super().__init__()
        self.start, self.step = start, step

    def forward(self, x):
        return x[..., self.start::self.step]


class Half(nn.Module):
    """The first or the second half of the channels."""

    def __init__(self, which):
        super().__init__()
        self.which = which

    def forward(self, x):
        return x.chunk(2, 1)[self.which]


class Shuffle(nn.Module):
    """The channel shuffle of ShuffleNet, written with views."""

    def forward(self, x):
        return x.view(x.shape[0], 2, -1, *x.shape[2:]).transpose(1, 2).flatten(1, 2)


REGULAR = ("conv", "conv", "depthwise", "grouped", "average", "max", "transposed", "nearest",
           "linear", "branch", "branch", "pixel shuffle", "pixel unshuffle", "every", "half",
           "pad", "norm", "shuffle")
SIZED = (*REGULAR, "adaptive", "nearest to size", "corners", "reflect")


def random_network(rng, channels, ndim, depth, kinds=SIZED):
    """A random stack of layers with branches inside, and its number of output channels."""
    layers = []
    for _ in range(depth):
        kind = rng.choice(kinds)
        if kind == "branch":
            how, parts, widths = rng.choice(["cat", "add"]), [], []
            for _ in range(2):
                part, width = random_network(rng, channels, ndim, rng.randint(0, depth - 1), kinds)
                if how == "add":
                    part, width = nn.Sequential(part, _of(nn, "Conv", ndim)(width, 3, 1)), 3
                parts.append(part)
                widths.append(width)
            layers.append(Branches(how, *parts))
            channels = sum(widths) if how == "cat" else 3
        else:
            made, channels = _layer(kind, rng, channels, ndim)
            layers += made
    return nn.Sequential(*layers), channels


def _of(module, name, ndim):
    return getattr(module, f"{name}{ndim}d")


def _layer(kind, rng, channels, ndim):
    """A random layer of a kind (none if the kind does not apply), and its output channels."""
    def draw(low, high):
        return tuple(rng.randint(low, high) for _ in range(ndim))

    window, stride, dilation, padding = draw(1, 4), draw(1, 3), draw(1, 2), draw(0, 2)
    small = tuple(min(p, w // 2) for p, w in zip(padding, window, strict=True))
    conv = _of(nn, "Conv", ndim)
    if kind == "conv":
        return [conv(channels, 4, window, stride, padding, dilation)], 4
    if kind == "depthwise":
        return [conv(channels, channels, window, stride, padding, dilation, channels)], channels
    if kind == "grouped" and channels % 2 == 0:
        return [conv(channels, 4, window, stride, padding, dilation, 2)], 4
    if kind in ("average", "max"):
        pool = _of(nn, "AvgPool" if kind == "average" else "MaxPool", ndim)
        return [pool(window, stride, small, ceil_mode=rng.random() < 0.3)], channels
    if kind == "transposed":
        cut = tuple(min(p, w - 1) for p, w in zip(padding, window, strict=True))
        extra = tuple(rng.randint(0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True))
        return [_of(nn, "ConvTranspose", ndim)(channels, 4, window, stride, cut, extra,
                                               dilation=dilation)], 4
    if kind == "nearest":
        return [nn.Upsample(scale_factor=rng.randint(2, 3))], channels
    if kind == "nearest to size":
        return [nn.Upsample(size=draw(3, 9))], channels
    if kind in ("linear", "corners"):
        return [nn.Upsample(scale_factor=2, mode=("linear", "bilinear")[ndim - 1],
                            align_corners=kind == "corners")], channels
    if kind == "pixel shuffle" and ndim == 2:
        return [conv(channels, 8, 1), nn.PixelShuffle(2)], 2
    if kind == "pixel unshuffle" and ndim == 2 and channels < 8:
        return [nn.PixelUnshuffle(2)], 4 * channels
    if kind == "every":
        return [Every(rng.randint(0, 1), rng.randint(1, 2))], channels
    if kind == "half" and channels % 2 == 0:
        return [Half(rng.randint(0, 1))], channels // 2
    if kind == "shuffle" and channels % 2 == 0:
        return [Shuffle()], channels
    if kind == "pad":
        amounts = tuple(rng.randint(-1, 2) for _ in range(2 * ndim))
        return [_of(nn, "ConstantPad", ndim)(amounts, 0.0)], channels
    if kind == "reflect":
        amounts = tuple(rng.randint(0, 1) for _ in range(2 * ndim))
        return [_of(nn, "ReflectionPad", ndim)(amounts)], channels
    if kind == "adaptive":
        return [_of(nn, "AdaptiveAvgPool", ndim)(draw(2, 6))], channels
    if kind == "norm":
        return [_of(nn, "BatchNorm", ndim)(channels), nn.ReLU(inplace=True)], channels
    return [], channels


class Run(nn.Module):
    """A function of a map and some modules."""

    def __init__(self, function, *modules, name=""):
        super().__init__()
        self.function, self.name, self.rest = function, name, nn.ModuleList(modules)
        self.modular = False

    def extra_repr(self):
        return self.name

    def forward(self, x):
        if self.modular:
            return FIELD.reduce(self.function(FIELD.reduce(x), *self.rest))
        return self.function(x, *self.rest)


class Head(nn.Linear):
    """A dense layer over the whole map."""

    def forward(self, x):
        return super().forward(x.flatten(1))[..., None]


class Product(nn.Module):
    """A generalized convolution modulo a prime with the shape of a layer, random weights."""

    def __init__(self, layer, generator, pools="mixing"):
        super().__init__()
        self.layer, self.generator, self.pools, self.weights = layer, generator, pools, None

    def draw(self, inputs, cells):
        layer, outputs, groups, dilation = self.layer, inputs, 1, 1
        if isinstance(layer, (nn.AdaptiveAvgPool1d, Head)):
            window, stride = cells, cells
            outputs = layer.out_features if isinstance(layer, Head) else inputs
        elif isinstance(layer, nn.Conv1d):
            (window,), (stride,), (dilation,) = layer.kernel_size, layer.stride, layer.dilation
            outputs, groups = layer.out_channels, layer.groups
            if window == cells and layer.padding == (0,):
                stride = cells
        else:
            window, stride = (n[0] if isinstance(n, tuple) else n
                              for n in (layer.kernel_size, layer.stride))
        if self.pools == "channelwise" and not isinstance(layer, (nn.Conv1d, Head)):
            groups = inputs
        weight = FIELD.random((outputs, inputs, window), self.generator)
        same = (torch.arange(outputs)[:, None] * groups // outputs
                == torch.arange(inputs) * groups // inputs)
        spread = torch.zeros(outputs, inputs, (window - 1) * dilation + 1, dtype=weight.dtype)
        bias = torch.ones(outputs, (window - 1) * dilation + 1, dtype=weight.dtype)
        spread[..., ::dilation] = weight * same[..., None]
        bias[..., ::dilation] = FIELD.random((outputs, window), self.generator)
        return spread, bias, stride

    def forward(self, x):
        x = FIELD.reduce(x)
        if isinstance(self.layer, nn.Linear) and not isinstance(self.layer, Head):
            if self.weights is None:
                shape = self.layer.weight.shape
                self.weights = [FIELD.random(n, self.generator) for n in (shape, shape[:1])]
            return FIELD.reduce(x @ self.weights[0].T + self.weights[1])
        if self.weights is None:
            self.weights = self.draw(*x.shape[1:])
        return generalized_conv(x, *self.weights, FIELD)


LAYERS = (nn.Conv1d, nn.Linear, nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d)
DROPPED = (nn.ReLU, nn.SiLU, nn.Sigmoid, nn.BatchNorm1d, nn.LayerNorm, EndPadding)


def replace_layers(module, generator, pools="mixing", done=None):
    """The ConvAC of the same graph, in place; a layer used twice stays one layer."""
    done = {} if done is None else done
    for name, child in module.named_children():
        if isinstance(child, LAYERS):
            done.setdefault(id(child), Product(child, generator, pools))
            setattr(module, name, done[id(child)])
        elif isinstance(child, DROPPED) or getattr(child, "name", "") == "activation":
            setattr(module, name, nn.Identity())
        else:
            if isinstance(child, Run):
                child.modular = True
            replace_layers(child, generator, pools, done)
    return module


def surrogate_rank(model, size, templates, generator, pools="mixing"):
    """Exact rank between the halves of the ConvAC that has a network's graph, at random weights."""
    representation = FIELD.random((templates, templates), generator)
    model = replace_layers(nn.Sequential(model), generator, pools)

    def network(inputs):
        return FIELD.reduce(model(inputs.movedim(-1, 1)))[:, 0, 0]

    return exact_rank(matricize(grid_tensor(network, representation, size), "left-right")).rank


def compare_with_derivatives(model, size, count):
    """Compare what random units of the last map see in an image with what their derivatives say."""
    found = audit(model, size)
    seen = found.seen[found.trace.outputs[0]]
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        shape = positive(model, generator)(torch.zeros(1, 3, *size, dtype=torch.float64)).shape
    assert seen.shape == tuple(shape)
    flat = torch.randint(shape.numel(), (count,), generator=generator).tolist()
    units = {tuple(int(i) for i in torch.unravel_index(torch.tensor(f), shape)) for f in flat}
    truth = boxes(model, (1, 3, *size), lambda _: units, generator)
    for index, expected in truth.items():
        for axis in range(2):
            low, minus_high = (int(e) for e in seen.full(axis)[(slice(None), *index)])
            mine = None if low > EMPTY // 2 else (low, -minus_high)
            assert mine == (expected and expected[axis]), (index, axis)
