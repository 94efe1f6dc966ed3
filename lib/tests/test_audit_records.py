"""What the audit writes down about each kind of operation: the layer and the fields of its units.

A map of four channels, 12 rows and 18 columns, each unit of which sees 3 x 3 pixels, goes into one
operation. Fields, strides and first pixels follow from its window, wherever the image ends.
"""

from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import audit
from lib.audit.rules.registry import LayerInfo
from lib.tests.test_audit_operations import GRID, Run

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)
ROWS, COLUMNS = (12, None, 0, None), (18, None, 0, None)    # everything, on no grid
KEPT = (3, 1, -1, 0)                                # as before: the first unit is around pixel 0


def tokens(x):
    """The first row as a sequence of 18 places with four features."""
    return x[:, :, 0].mT


def written(x, row):
    """A copy whose first row is another one."""
    copy = x.clone()
    copy[:, :, 0] = row
    return copy


# What is done; the layer that it is; per axis T_R, T_S, first pixel and center of the first unit.
OPERATIONS = {
    "convolution": (
        Run(lambda x, m: m(x), nn.Conv2d(4, 6, (3, 5), (2, 1), (1, 2), (1, 2), groups=2)),
        LayerInfo("conv", (3, 5), (2, 1), (1, 2), (1, 2), 2, 4, 6),
        [(5, 2, -2, 0), (11, 1, -3, 2)]),
    "transposed convolution": (
        Run(lambda x, m: m(x), nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 0), groups=2)),
        LayerInfo("transposed conv", (3, 2), (2, 3), (1, 0), (1, 1), 2, 4, 6),
        [(4, HALF, -1, 0), (3, THIRD, -1, -3)]),
    "maximum": (
        Run(lambda x: F.max_pool2d(x, (2, 3), (1, 3), (1, 0), (2, 1))),
        LayerInfo("pool", (2, 3), (1, 3), (1, 0), (2, 1), 0, 4, 4),
        [(5, 1, -2, 0), (5, 3, -1, 1)]),
    "average, by its own window": (
        Run(lambda x: F.avg_pool2d(x, (2, 3))),
        LayerInfo("pool", (2, 3), (2, 3), (0, 0), (1, 1), 0, 4, 4),
        [(4, 2, -1, HALF), (5, 3, -1, 1)]),
    "average without a batch": (
        Run(lambda x: F.avg_pool2d(x[0], 2)),
        LayerInfo("pool", (2, 2), (2, 2), (0, 0), (1, 1), 0, 4, 4, dims=(0, 0)),
        [(4, 2, -1, HALF)] * 2),
    "maximum along a row": (
        Run(lambda x: F.max_pool1d(x[:, :, 0], 3, 2, 1, 2)),
        LayerInfo("pool", (1, 3), (1, 2), (0, 1), (1, 2), 0, 4, 4),
        [(3, None, -1, None), (7, 2, -2, 1)]),
    "five averages of twelve rows": (
        Run(lambda x: F.adaptive_avg_pool2d(x, (5, 6))),
        LayerInfo("pool", (4, 3), (0, 3), (0, 0), (1, 1), 0, 4, 4),
        [(6, Fraction(12, 5), -1, Fraction(7, 10)), (5, 3, -1, 1)]),
    "four maxima of twelve rows": (
        Run(lambda x: F.adaptive_max_pool2d(x, (4, 1))),
        LayerInfo("pool", (3, 18), (3, 18), (0, 0), (1, 1), 0, 4, 4),
        [(5, 3, -1, 1), COLUMNS]),
    "averages without a batch": (
        Run(lambda x: F.adaptive_avg_pool2d(x[0], (4, 6))),
        LayerInfo("pool", (3, 3), (3, 3), (0, 0), (1, 1), 0, 4, 4, dims=(0, 0)),
        [(5, 3, -1, 1)] * 2),
    "antialiased": (
        Run(lambda x: F.interpolate(x, (4, 27), mode="bilinear", antialias=True)),
        LayerInfo("resize", (5, 2), (), (), (1, 1), 0, 4, 4),
        [(7, 3, -2, 1), (4, Fraction(2, 3), -2, Fraction(-1, 6))]),
    "antialiased, cubic": (
        Run(lambda x: F.interpolate(x, (6, 27), mode="bicubic", antialias=True)),
        LayerInfo("resize", (8, 4), (), (), (1, 1), 0, 4, 4),
        [(10, 2, -4, HALF), (6, Fraction(2, 3), -3, Fraction(-1, 6))]),
    "nearest": (
        Run(lambda x: F.interpolate(x, (24, 6))),
        LayerInfo("resize", (1, 1), (), (), (1, 1), 0, 4, 4),
        [(3, HALF, -1, Fraction(-1, 4)), (3, 3, -1, 0)]),
    "nearest, exact": (
        Run(lambda x: F.interpolate(x, (24, 6), mode="nearest-exact")),
        LayerInfo("resize", (1, 1), (), (), (1, 1), 0, 4, 4),
        [(3, HALF, -1, Fraction(-1, 4)), (3, 3, 0, 1)]),
    "bilinear": (
        Run(lambda x: F.interpolate(x, (24, 6), mode="bilinear")),
        LayerInfo("resize", (2, 1), (), (), (1, 1), 0, 4, 4),
        [(4, HALF, -2, Fraction(-1, 4)), (3, 3, 0, 1)]),
    "bilinear, by factors": (
        Run(lambda x: F.interpolate(x, scale_factor=(2, 0.5), mode="bilinear")),
        LayerInfo("resize", (2, 2), (), (), (1, 1), 0, 4, 4),
        [(4, HALF, -2, Fraction(-1, 4)), (4, 2, -1, HALF)]),
    "bilinear between the corners": (
        Run(lambda x: F.interpolate(x, (23, 35), mode="bilinear", align_corners=True)),
        LayerInfo("resize", (2, 2), (), (), (1, 1), 0, 4, 4),
        [(4, HALF, -1, 0)] * 2),
    "cubic": (
        Run(lambda x: F.interpolate(x, (24, 6), mode="bicubic")),
        LayerInfo("resize", (4, 1), (), (), (1, 1), 0, 4, 4),
        [(6, HALF, -3, Fraction(-1, 4)), (3, 3, 0, 1)]),
    "linear along a row": (
        Run(lambda x: F.interpolate(x[:, :, 0], scale_factor=2, mode="linear")),
        LayerInfo("resize", (2,), (), (), (1,), 0, 4, 4),
        [(3, None, -1, None), (4, HALF, -2, Fraction(-1, 4))]),
    "constant grid": (
        Run(lambda x: F.grid_sample(x, GRID.to(x), align_corners=False)),
        LayerInfo("resize", (2, 2), (), (), (1, 1), 0, 4, 4),
        [(4, None, -1, None), (4, None, 1, None)]),
    "mean": (
        Run(lambda x: x.mean((2, 3))), LayerInfo("global pool", (), groups=0, channels_in=4,
                                                 channels=4), [ROWS, COLUMNS]),
    "mean, dimensions kept": (
        Run(lambda x: x.mean((2, 3), keepdim=True)),
        LayerInfo("global pool", groups=0, channels_in=4, channels=4), [ROWS, COLUMNS]),
    "mean of channels that come last": (
        Run(lambda x: x.permute(0, 2, 3, 1).mean((1, 2))),
        LayerInfo("global pool", groups=0, channels_in=4, channels=4, dims=(3, 1)),
        [ROWS, COLUMNS]),
    "the same, dimensions kept": (
        Run(lambda x: x.permute(0, 2, 3, 1).amax((-3, -2), keepdim=True)),
        LayerInfo("global pool", groups=0, channels_in=4, channels=4, dims=(3, 3)),
        [ROWS, COLUMNS]),
    "sum of everything": (
        Run(lambda x: x.sum()[None]),
        LayerInfo("global pool", groups=0, channels_in=1, channels=1, dims=(1, 0)),
        [ROWS, COLUMNS]),
    "mean of rows": (
        Run(lambda x: x.mean(2)), LayerInfo("reduce", groups=0, channels_in=4, channels=4),
        [ROWS, KEPT]),
    "variance": (
        Run(lambda x: x.var((2, 3))), LayerInfo("reduce", groups=0, channels_in=4, channels=4),
        [ROWS, COLUMNS]),
    "product of columns": (
        Run(lambda x: x.prod(3)), LayerInfo("reduce", groups=0, channels_in=4, channels=4),
        [KEPT, COLUMNS]),
    "dense layer on channels": (
        Run(lambda x, m: m(x.permute(0, 2, 3, 1)), nn.Linear(4, 6)),
        LayerInfo("dense", channels_in=4, channels=6, dims=(-1, -1)), [KEPT, KEPT]),
    "dense layer on everything": (
        Run(lambda x, m: m(x.flatten(1)), nn.Linear(4 * 12 * 18, 6)),
        LayerInfo("dense", channels_in=864, channels=6, dims=(-1, -1), mixes=True),
        [ROWS, COLUMNS]),
    "dense layer on columns": (
        Run(lambda x, m: m(x), nn.Linear(18, 6)),
        LayerInfo("dense", channels_in=18, channels=6, dims=(-1, -1), mixes=True),
        [(3, None, -1, None), COLUMNS]),
    "norm of columns": (
        Run(lambda x: F.layer_norm(x, x.shape[3:])),
        LayerInfo("norm", groups=0, channels_in=18, channels=18), [(3, None, -1, None), COLUMNS]),
    "norm of groups": (
        Run(lambda x: F.group_norm(x, 2)), LayerInfo("norm", groups=0, channels_in=4, channels=4),
        [ROWS, COLUMNS]),
    "norm of a batch": (
        Run(lambda x: F.batch_norm(x, None, None, training=True)),
        LayerInfo("norm", groups=0, channels_in=4, channels=4), [ROWS, COLUMNS]),
    "attention": (
        Run(lambda x: F.scaled_dot_product_attention(tokens(x), tokens(x), tokens(x))),
        LayerInfo("attention", channels_in=4, channels=4), [(3, None, -1, None), COLUMNS]),
    "scores": (
        Run(lambda x: x @ x.mT),
        LayerInfo("attention", channels=12, dims=(-1, -1), mixes=True),
        [(14, None, -1, None), COLUMNS]),
    "recurrent": (
        Run(lambda x, m: m(tokens(x))[0], nn.GRU(4, 6, batch_first=True)),
        LayerInfo("recurrent", channels_in=4, channels=6), [(3, None, -1, None), COLUMNS]),
    "recurrent, both directions": (
        Run(lambda x, m: m(tokens(x))[0], nn.LSTM(4, 6, batch_first=True, bidirectional=True)),
        LayerInfo("recurrent", channels_in=4, channels=12), [(3, None, -1, None), COLUMNS]),
    "distances": (
        Run(lambda x: torch.cdist(tokens(x)[:, :7], tokens(x))),
        LayerInfo("attention", channels_in=18, channels=18),
        [(3, None, -1, None), (20, None, -1, None)]),
    "sum over letters": (
        Run(lambda x: torch.einsum("bchw,dc->bdhw", x, x.new_ones(6, 4))),
        LayerInfo("dense", channels_in=4, channels=6), [KEPT, KEPT]),
    "sum to heads": (
        Run(lambda x: torch.einsum("bchw,cdew->bdeh", x, x.new_ones(4, 2, 3, 18))),
        LayerInfo("dense", channels_in=72, channels=6, mixes=True, single=False),
        [(3, None, -1, None), COLUMNS]),
    "sum over channels": (
        Run(lambda x: torch.einsum("bchw,c->bhw", x, x.new_ones(4))),
        LayerInfo("dense", channels_in=4, channels=1, dims=(1, 0)), [KEPT, KEPT]),
    "scores by letters": (
        Run(lambda x: torch.einsum("bchw,bcxw->bhx", x, x.flip(2))), LayerInfo("attention"),
        [(14, None, -1, None), COLUMNS]),
    "pixel shuffle": (
        Run(lambda x: F.pixel_shuffle(x, 2)),
        LayerInfo("shuffle", groups=0, channels_in=4, channels=1),
        [(3, HALF, -1, Fraction(-1, 4))] * 2),
    "space to depth": (
        Run(lambda x: F.pixel_unshuffle(x, 2)),
        LayerInfo("shuffle", groups=0, channels_in=4, channels=16), [(3, 2, -1, HALF)] * 2),
    "factor for each channel": (
        Run(lambda x: torch.einsum("bchw,c->bchw", x, x.new_ones(4))), None, [KEPT, KEPT]),
    "softmax along columns": (
        Run(lambda x: torch.softmax(x, 3)), None, [(3, None, -1, None), COLUMNS]),
    "running sum of channels": (Run(lambda x: x.cumsum(1)), None, [KEPT, KEPT]),
    "running sum of columns": (
        Run(lambda x: x.cumsum(-1)), None, [(3, None, -1, None), COLUMNS]),
    "running maxima of columns": (
        Run(lambda x: x.cummax(3)[0]), None, [(3, None, -1, None), COLUMNS]),
    "largest two of columns": (
        Run(lambda x: x.topk(2, 3)[0]), None, [(3, None, -1, None), COLUMNS]),
    "recurrent, added to what it reads": (
        Run(lambda x, m: tokens(x) + m(tokens(x))[0], nn.GRU(4, 4, batch_first=True)),
        LayerInfo("recurrent", channels_in=4, channels=4), [(3, None, -1, None), COLUMNS]),
    "two rates side by side": (
        Run(lambda x: torch.cat([x[..., :9], x[..., ::2]], 1)), None, [(3, None, -1, None)] * 2),
    "a row put at the end, added": (
        Run(lambda x: x + torch.cat([x[:, :, :11], x.mean(2, keepdim=True)], 2)),
        LayerInfo("reduce", groups=0, channels_in=4, channels=4),
        [ROWS, (3, None, -1, None)]),
    "a row put in place, added": (
        Run(lambda x: x + x.select_scatter(x.mean(2), 2, 0)),
        LayerInfo("reduce", groups=0, channels_in=4, channels=4),
        [ROWS, (3, None, -1, None)]),
    "a row written, added": (
        Run(lambda x: x + written(x, x.mean(2))),
        LayerInfo("reduce", groups=0, channels_in=4, channels=4),
        [ROWS, (3, None, -1, None)]),
    "halves of columns": (
        Run(lambda x: F.glu(x, 3)), None, [(3, None, -1, None), (12, None, -1, None)]),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_record_of_an_operation(name):
    model, layer, fields = OPERATIONS[name]
    found = audit(model, (12, 18))
    made = [call.layer for call in found.trace.calls if call.layer is not None][1:]
    assert made == ([] if layer is None else [layer])
    assert [(g.size, g.stride, g.start, g.center) for g in found.output] == fields


@pytest.mark.parametrize("function, module, channels, cells", [
    (lambda x, m: m(x.movedim(1, 3)), nn.Linear(4, 6), 6, (12, 18)),    # channels lie last
    (lambda x, m: m(tokens(x)), nn.Linear(4, 6), 6, (18,)),
    (lambda x, m: m.weight @ x.flatten(2), nn.Linear(4, 6), 6, (216,)),
    (lambda x, m: torch.einsum("bchw,dc->bhdw", x, m.weight), nn.Linear(4, 6), 6, (12, 18)),
    (lambda x, m: m(tokens(x))[0], nn.GRU(4, 6, batch_first=True), 6, (18,)),
    (lambda x, m: m(tokens(x).movedim(1, 0))[0], nn.GRU(4, 6), 6, (18,)),
    (lambda x, m: m(x), nn.Conv2d(4, 6, 3), 6, (10, 16)),
    (lambda x, m: m(x), nn.AdaptiveAvgPool2d(1), 4, (1, 1)),
    (lambda x: x.mean((2, 3)), None, 4, ()),
    (lambda x: F.scaled_dot_product_attention(x, x, x), None, 18, None)])
def test_the_map_of_a_layer_is_what_lies_beside_its_channels(function, module, channels, cells):
    """With channels last the column listed 18 x 6, one side of the map and the channels."""
    layer = audit(Run(function, *[module] * (module is not None)), (12, 18), 3).layers[-1]
    assert (layer.channels, layer.map) == (channels, cells)


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("first", [True, False])
def test_the_map_of_tokens_before_the_batch_or_in_one_row_with_it(images, first):
    """As in PyTorch's own attention: the column listed the batch, 1, for all the tokens."""
    block = nn.TransformerEncoderLayer(4, 2, 8, batch_first=first)
    order = (0, 2, 1) if first else (2, 0, 1)
    found = audit(Run(lambda x, m: m(x.flatten(2).permute(order)), block),
                  inputs=torch.zeros(images, 3, 3, 4))
    assert {layer.map for layer in found.layers if layer.kind == "dense"} == {(12,)}
    assert len([layer for layer in found.layers if layer.kind == "dense"]) == 4


@pytest.mark.parametrize("down", [True, False])
def test_the_window_of_a_recording_is_the_one_along_its_time(down):
    """Networks for EEG let time run down a map and electrodes across: R and S were the latter's."""

    class Recording(nn.Module):
        def __init__(self):
            super().__init__()
            order = (lambda pair: pair) if down else (lambda pair: pair[::-1])
            self.over = nn.Conv2d(1, 4, order((10, 22)), padding=order((3, 0)))
            self.pool = nn.MaxPool2d(order((3, 1)), order((2, 1)))
            self.next = nn.Conv2d(4, 5, order((5, 1)), dilation=order((4, 1)))

        def forward(self, x):
            x = x[:, None].transpose(2, 3) if down else x[:, None]
            return self.next(self.pool(self.over(x)))

    layers = audit(Recording(), (200,), channels=22).layers
    assert [(layer.window, layer.stride, layer.padding, layer.dilation) for layer in layers] == [
        ((10,), (1,), (3,), (1,)), ((3,), (2,), (0,), (1,)), ((5,), (1,), (0,), (4,))]
    assert [layer.geometry[0].size for layer in layers] == [10, 12, 44]
