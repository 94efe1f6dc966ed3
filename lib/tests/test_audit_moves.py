"""Operations on maps that are not square: their fields inside the image and beyond its border.

Inside, what a unit sees is compared with derivatives. Beyond the border a map goes on as if the
image had no end: what its units see is compared with the same network on an image three times as
high and as wide, where no border is near.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import UnsupportedOperation, audit
from lib.tests.audit_oracle import compare_with_derivatives
from lib.tests.test_audit_operations import Run

ROWS, COLUMNS = 6, 9
put = torch.ops.aten.index_put
ODD = torch.arange(COLUMNS) % 2 == 1
LATER = torch.tensor([4, 2, 2])


def constant(*shape):
    return torch.ones(shape)


def sequence(x):
    """The first row as nine places with four features, one sequence."""
    return x[:, :, 0].mT


INSIDE = {
    "mask of bytes": lambda x: x[:, :, :, ODD.byte()],
    "mask and places": lambda x: x[:, :, torch.tensor([4, 2, 0, 5]), ODD],
    "mask of rows, set": lambda x: put(x, [None, None, torch.arange(6) > 3], x[:, :, :2] * 2),
    "mask in place": lambda x: x.clone().masked_scatter_(ODD, x.flip(3)),
    "a mask that is larger": lambda x: torch.masked_select(
        x[:, :1], constant(4, 6, 9).bool()).view(4, 6, 9),
    "a mask with columns alone": lambda x: torch.masked_select(x, ODD).view(4, 6, 4),
    "places from the end": lambda x: x[:, :, -2, -3:],
    "every third of a part": lambda x: x[:, :, -5:-1, 1:8:3],
    "beyond the end": lambda x: x[:, :, 4:99],
    "three beside each other, one constant": lambda x: torch.cat(
        [constant(1, 4, 6, 2).to(x), x, x.flip(2)], -1),
    "channels of constants": lambda x: torch.cat([x[:, :1], constant(1, 2, 6, 9).to(x),
                                                  x[:, 2:3].flip(3)], 1),
    "a stack from the end": lambda x: torch.stack([x, x.flip(2)], -1),
    "a stack in front": lambda x: torch.stack([x[0], x[0].flip(2)]),
    "diagonal": lambda x: x.diagonal(2, 2, 3),
    "diagonal of a square": lambda x: x[:, :, :, :6].diagonal(-1, -1, -2),
    "above a diagonal": lambda x: x.triu(2),
    "below one": lambda x: x.tril(-1),
    "repeated": lambda x: x.repeat(1, 2, 1, 2),
    "repeated one by one": lambda x: x.repeat_interleave(2, 3),
    "turned": lambda x: torch.rot90(x, 1, (2, 3)),
    "unfolded": lambda x: x.unfold(3, 4, 2),
    "image to columns": lambda x: F.unfold(x, (2, 3), dilation=(1, 2), padding=(1, 0),
                                           stride=(2, 1)),
    "added at rows": lambda x: x.index_add(-2, LATER, x[:, :, :3]),
    "a constant added at rows": lambda x: x.index_add(2, LATER, constant(1, 4, 3, 9).to(x)),
    "added to a constant": lambda x: constant(1, 4, 6, 9).to(x).index_add(2, LATER, x[:, :, :3]),
    "copied to columns": lambda x: x.index_copy(-1, LATER[:2], x[..., :2]),
    "filled rows": lambda x: x.index_fill(-2, LATER, 1.0),
    "rows in place of rows": lambda x: x.slice_scatter(x[:, :, :2].flip(3), -2, 1, 5, 2),
    "a column": lambda x: x.select_scatter(x[..., 0], -1, -2),
    "the diagonal": lambda x: x.diagonal_scatter(x[:, :, :, 0], 1, 2, 3),
    "scattered along rows": lambda x: x.scatter(-2, torch.tensor([[5, 0, 3]]).mT.expand(
        1, 2, 3, 4), x[:, 1:3, 2:5, 1:5]),
    "the sum of what is scattered": lambda x: x.scatter_reduce(
        3, (torch.arange(9) // 4).expand(1, 4, 6, 9), x, "sum"),
    "put at cells": lambda x: put(x, [None, None, LATER[:2], LATER[1:]], x[:, :, 0, :2]),
    "put twice": lambda x: put(x, [None, None, LATER], x[:, :, :3].flip(3), True),
    "gathered from the end": lambda x: x.gather(-1, torch.tensor([8, 0, 3]).expand(1, 4, 6, 3)),
    "taken": lambda x: x.take(torch.tensor([[0, 100], [57, 215]])),
    "rolled rows": lambda x: torch.roll(x, -2, -2),
    "rolled through everything": lambda x: torch.roll(x, 7),
    "gated rows": lambda x: F.glu(x, -2),
    "running sum of rows": lambda x: x.cumsum(-2),
    "running maxima of columns": lambda x: x.logcumsumexp(3),
    "norm of rows and columns": lambda x: torch.linalg.vector_norm(x, dim=(2, 3)),
    "mean of rows without the dimension": lambda x: x.mean(-2),
    "sum of channels and columns": lambda x: x.sum((1, 3)),
    "columns against rows": lambda x: x[:, :, :, :6] @ x,
    "rows of a matrix": lambda x: torch.baddbmm(x[0, :, :, :6], x[0], x[0].mT),
    "sum over two letters": lambda x: torch.einsum("bchw,hwd->bdc", x, constant(6, 9, 2).to(x)),
    "letters in another order": lambda x: torch.einsum("bchw,bchv->wbv", x[:, :1], x[:, 1:2]),
    "circular": lambda x: F.pad(x, (2, 1, 3, 0), mode="circular"),
    "reflected": lambda x: F.pad(x, (2, 3, 1, 4), mode="reflect"),
    "replicated": lambda x: F.pad(x, (2, 3, 1, 4), mode="replicate"),
    "cropped by padding": lambda x: F.pad(x, (-1, 2, 1, -2)),
    "channels padded": lambda x: F.pad(x, (0, 0, 0, 0, 1, 2)),
    "unshuffled": lambda x: F.pixel_unshuffle(x, 3),
    "shuffled channels": lambda x: F.channel_shuffle(torch.cat([x[:, :2], x[:, 2:].flip(3)], 1), 2),
}
LAYERS = {
    "a sequence that is packed, time first": (
        lambda x, m: m(nn.utils.rnn.pack_padded_sequence(
            sequence(x).transpose(0, 1), torch.tensor([7])))[0].data, nn.GRU(4, 3)),
    "last states of both directions": (
        lambda x, m: m(sequence(x))[1], nn.GRU(4, 3, batch_first=True, bidirectional=True)),
    "a plain recurrent layer of a batch": (
        lambda x, m: m(x[0].permute(1, 2, 0))[0], nn.RNN(4, 2, batch_first=True)),
    "its last state": (lambda x, m: m(x[0].permute(2, 1, 0))[1], nn.RNN(4, 2)),
    "a state of the image": (lambda x, m: m(sequence(x)[:, :4], x[:, :1, 5, :3])[0],
                             nn.GRU(4, 3, batch_first=True)),
    "transposed in groups": (lambda x, m: m(torch.cat([x[:, :2], x[:, 2:].flip(3)], 1)),
                             nn.ConvTranspose2d(4, 6, (2, 3), (2, 1), (0, 1), groups=2)),
    "a bilinear layer on columns": (lambda x, m: m(x).transpose(2, 3), nn.Linear(9, 2)),
}


@pytest.mark.parametrize("name", [*INSIDE, *LAYERS])
def test_units_see_what_their_derivatives_say(name):
    function, *modules = (INSIDE[name],) if name in INSIDE else LAYERS[name]
    compare_with_derivatives(Run(function, *modules), (ROWS, COLUMNS), 8)


BEYOND = {
    "convolution": (lambda x, m: m(x), nn.Conv2d(4, 2, (5, 3), (2, 3), (2, 0), (1, 2))),
    "in groups": (lambda x, m: m(x), nn.Conv2d(4, 4, 3, 1, 1, groups=2)),
    "transposed": (lambda x, m: m(x), nn.ConvTranspose2d(4, 2, (4, 3), (2, 3), (1, 0))),
    "pooling": (lambda x: F.max_pool2d(x, (3, 3), (2, 1), 1),),
    "average": (lambda x: F.avg_pool2d(x, (2, 3)),),
    "means of an equal part": (lambda x: F.adaptive_avg_pool2d(x, (x.shape[2] // 3,
                                                                  x.shape[3] * 2 // 3)),),
    "nearest": (lambda x: F.interpolate(x, (2 * x.shape[2], x.shape[3] // 3)),),
    "exact": (lambda x: F.interpolate(x, scale_factor=(0.5, 2.0), mode="nearest-exact"),),
    "bilinear": (lambda x: F.interpolate(x, scale_factor=(1.5, 2.0), mode="bilinear"),),
    "antialiased": (lambda x: F.interpolate(x, scale_factor=(0.5, 2.0), mode="bilinear",
                                            antialias=True),),
    "shuffled": (lambda x: F.pixel_shuffle(x, 2)[:, :1],),
    "unshuffled": (lambda x: F.pixel_unshuffle(x, 3),),
    "rolled": (lambda x: torch.roll(x, (1, -2), (2, 3)),),
    "padded and cropped": (lambda x: F.pad(x, (2, 0, 1, 3), mode="reflect")[:, :, 2:-2, 1:-1],),
    "columns and back": (lambda x: F.fold(F.unfold(x, 3, padding=1), x.shape[2:], 3, padding=1),),
    "every third": (lambda x: x[:, :, 1::3, 2::3],),
    "two maps": (lambda x, m: x + m(torch.cat([x, x], 1)), nn.Conv2d(8, 4, (3, 5), 1, (1, 2))),
    "down and up": (lambda x: F.interpolate(F.avg_pool2d(x, 3), scale_factor=3.0) + x,),
    "views of blocks": (lambda x: x.unflatten(3, (-1, 3)).unflatten(2, (-1, 3)).permute(
        0, 1, 3, 5, 2, 4).flatten(1, 3),),
    "running sum of channels": (lambda x: x.cumsum(1),),
    "causal, zeros before": (lambda x, m: m(torch.cat([x.new_zeros(*x.shape[:3], 4), x], -1)),
                             nn.Conv2d(4, 4, (1, 3), dilation=2)),
    "zeros on both sides": (lambda x, m: m(torch.cat([
        z := torch.zeros_like(x[:, :, :1]), x, z, torch.empty(1, 4, 0, x.shape[3])], 2)),
                            nn.Conv2d(4, 4, (3, 1))),
}


@pytest.mark.parametrize("name", BEYOND)
def test_beyond_the_border_units_see_what_others_see_far_from_it(name):
    function, *modules = BEYOND[name]
    model, size = Run(function, *modules), (12, 18)
    found, wide = (audit(model, tuple(n * times for n in size)) for times in (1, 3))
    virtual = found.virtual[found.trace.outputs[0]]
    assert tuple(virtual.shape) == tuple(model(torch.zeros(1, 3, *size)).shape)
    seen = wide.seen[wide.trace.outputs[0]]
    assert [found.output[axis].stride is not None for axis in (0, 1)] == [True, True]
    for axis, dim in ((0, 2), (1, 3)):
        units, stride = virtual.shape[dim], virtual.stride(axis)
        skipped = size[axis] / stride               # cells of the wide map before the same place
        assert skipped.denominator == 1
        other = seen.full(axis)[:, 0].amin((1, 3) if dim == 2 else (1, 2))
        mine = virtual.full(axis)[:, 0].amin((1, 3) if dim == 2 else (1, 2))
        shift = torch.tensor([[size[axis]], [-size[axis]]])
        first = int(skipped)
        assert torch.equal(mine, other[:, first:first + units] - shift), axis


def test_a_batch_that_is_packed_is_refused_in_the_layer_too():
    """Two sequences of two places each, packed by hand."""
    two = Run(lambda x, m: m(nn.utils.rnn.PackedSequence(
        x[0, :, 0].mT[:4], torch.tensor([2, 2])))[0].data, nn.GRU(4, 3))
    with pytest.raises(UnsupportedOperation) as caught:
        audit(two, (ROWS, COLUMNS))
    assert str(caught.value) == ("operation aten.gru.data in module 'rest.0': a packed batch of "
                                 "several sequences is not followed; give one sequence")
    one = Run(lambda x, m: m(nn.utils.rnn.PackedSequence(
        x[0, :, 0].mT[:4], torch.ones(4, dtype=torch.long)))[0].data, nn.GRU(4, 3))
    assert audit(one, (ROWS, COLUMNS)).trace.outputs[0].shape == (4, 3)


class Before(nn.Module):
    """Two places put before a sequence."""

    def __init__(self, places):
        super().__init__()
        self.places = places

    def forward(self, x):
        return torch.cat([self.places, x], 2)


def test_zeros_beside_a_map_pad_it_unless_they_are_learned():
    zeros, ones = torch.zeros(1, 3, 2), torch.ones(1, 3, 2)
    padded, causal, other, learned = (
        audit(nn.Sequential(before, nn.Conv1d(3, 4, 3)), (16,)) for before in (
            nn.ConstantPad1d((2, 0), 0.0), Before(zeros.half()), Before(ones),
            Before(nn.Parameter(zeros))))
    assert (causal.output[0].start, causal.output[0].center) == (-2, -1)
    assert causal.output == padded.output
    assert str(causal.bounds().best) == str(padded.bounds().best) == "5^2"
    assert {found.trace.calls[0].name for found in (other, learned)} == {"cat"}


class Canvas(nn.Module):
    """A map written into zeros."""

    def __init__(self, top, left):
        super().__init__()
        self.top, self.left = top, left

    def forward(self, x):
        canvas = x.new_zeros(*x.shape[:2], *(n + 3 for n in x.shape[2:]))
        canvas[:, :, self.top:self.top - 3, self.left:self.left - 3] = x
        return canvas


class Moved(nn.Module):
    """Some channels moved along a sequence, zeros behind them, as temporal shifts do."""

    def forward(self, x):
        y = torch.zeros_like(x)
        y[:, :2, 1:], y[:, 2:4, :-1], y[:, 4:] = x[:, :2, :-1], x[:, 2:4, 1:], x[:, 4:]
        return y


def test_zeros_that_a_map_is_written_into_pad_it():
    written, padded = (audit(nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), pad, nn.Conv2d(4, 4, 3, 2), nn.Upsample(scale_factor=2), pad,
        nn.Conv2d(4, 4, 3)), (12, 18)) for pad in (Canvas(1, 2), nn.ZeroPad2d((2, 1, 1, 2))))
    assert written.output == padded.output and None not in [g.stride for g in padded.output]
    found = audit(nn.Sequential(nn.Conv1d(3, 8, 3, padding=1), Moved(), nn.Conv1d(8, 8, 1), Moved(),
                                nn.Conv1d(8, 8, 3, 2, padding=1)), (32,))
    axis, = found.output
    assert (axis.size, axis.stride, axis.center) == (9, 2, 0)


@pytest.mark.parametrize("write", [
    lambda y, x: y[..., :6].copy_(x[..., :6]),                      # less than half is left
    lambda y, x: (y[..., :8].copy_(x[..., :8]), y[..., 10:].copy_(x[..., 10:])),    # two pieces
    lambda y, x: (y[..., :7].copy_(x[..., :7]), y[..., 7:].copy_(x[..., :7])),      # one twice
    lambda y, x: y[..., ::2].copy_(x[..., ::2])])
def test_zeros_elsewhere_are_no_padding(write):
    def blanked(x):
        y = torch.zeros_like(x)
        write(y, x)
        return y
    assert audit(Run(blanked), (8, 14)).output[1].stride is None


@pytest.mark.parametrize("turned", [lambda x: x.flip(2), lambda x: x.rot90(2, (2, 3))])
def test_a_flipped_map_has_no_stride_however_long_its_period(turned):
    """A map enlarged from 9 to 17 cells repeats itself after 17, so that nothing could differ."""
    net = Run(lambda x, a, b: b(turned(F.interpolate(a(x), size=x.shape[2:]))),
              nn.Conv2d(4, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1))
    down = audit(net, 17).output[0]
    assert (down.stride, down.center) == (None, None)
    assert down.size == down.seen                   # it was 43, more than the image has
    compare_with_derivatives(net, (17, 17), 8)


class Shuffled(nn.Module):
    """Channels with small and with large fields, shuffled."""

    def __init__(self, before, after):
        super().__init__()
        self.small, self.pad = nn.Conv1d(1, 2, 1), nn.ConstantPad1d((before, after), 0.0)
        self.large = nn.Conv1d(1, 2, before + after + 1)

    def forward(self, x):
        x = torch.cat([self.small(x), self.large(self.pad(x))], 1)
        return x.view(1, 2, 2, -1).transpose(1, 2).reshape(1, 4, -1)


@pytest.mark.parametrize("before, after", [(8, 8), (16, 0), (0, 16), (12, 9), (30, 11)])
@pytest.mark.parametrize("size", [4, 8, 64])
def test_channels_with_different_fields_are_no_grid_themselves(before, after, size):
    """Ends of fields lay farther apart across channels than along a small map: it lost its grid."""
    axis, = audit(Shuffled(before, after), (size,)).output
    assert (axis.size, axis.stride, axis.start) == (before + after + 1, 1, -before)


@pytest.mark.parametrize("image", [16, 32])
def test_windows_written_out_keep_the_grid_where_fields_are_larger_than_the_image(image):
    """As in a convolution of one's own: the grid was lost at the first such field."""
    class ByHand(nn.Conv2d):
        def forward(self, x):
            rows = x.shape[2] // self.stride[0]
            columns = F.unfold(x, 3, padding=1, stride=self.stride).transpose(1, 2)
            return F.linear(columns, self.weight.flatten(1), self.bias).mT.unflatten(2, (rows, -1))

    first, second = ([(axis.size, axis.stride, axis.start) for axis in audit(nn.Sequential(
        kind(3, 4, 3, 2, 1), *[kind(4, 4, 3, padding=1) for _ in range(image // 4 + 2)]),
        image).last_map] for kind in (nn.Conv2d, ByHand))
    assert first == second and first[0][0] > image


THERE_AND_BACK = {
    "rows of pixels": lambda x: x.flatten(2).view(x.shape),
    "tokens": lambda x: (2 * x.flatten(2).mT.contiguous()).mT.reshape(x.shape),
    "channels last": lambda x: x.permute(0, 2, 3, 1).flatten(1, 2).view(
        1, *x.shape[2:], -1).permute(0, 3, 1, 2),
    "one row": lambda x: x.flatten().view(x.shape),
    "channels and rows": lambda x: x.flatten(1, 2).unflatten(1, x.shape[1:3]),
    "columns": lambda x: F.unfold(x, 1).unflatten(2, x.shape[2:]),
    "a sum of tokens": lambda x: (x + x.flatten(2).view(x.shape)).flatten(2).view(x.shape),
}


@pytest.mark.parametrize("name", THERE_AND_BACK)
@pytest.mark.parametrize("size", [(16, 16), (16, 24), (64, 16), (32, 8), (8, 32), (24, 8)])
def test_a_map_of_few_cells_comes_back_from_a_reshape(name, size):
    """As transformers on small images do; with two cells or one along an axis it had no grid."""
    maps = nn.Sequential(*[nn.Conv2d(3, 4, 3, 2, 1)], *[nn.Conv2d(4, 4, 3, 2, 1)] * 2)
    move = Run(THERE_AND_BACK[name])
    move.first = nn.Identity()
    first, second = (audit(nn.Sequential(maps, *between, nn.Conv2d(4, 4, 3, padding=1)), size)
                     for between in ([], [move]))
    assert second.last_map == first.last_map and first.last_map[0].stride == 8


def test_a_mean_over_a_map_is_no_map_of_one_cell():
    """Not even a mean of a column, whose other axis has one cell anyway."""
    mean = Run(lambda x: x.flatten(2).mean(2).view(1, -1, 1, 1))
    mean.first = nn.Conv2d(3, 4, 8, 8)
    assert [axis.size for axis in audit(mean, (32, 8)).output] == [32, 8]
    assert audit(mean, (32, 8)).output[0].stride is None


class InParts(nn.Module):
    """A map whose columns go their own ways and come together again, or do not."""

    def __init__(self, order):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.order = order

    def forward(self, x):
        parts = self.first(x).chunk(4, 3)
        return self.last(torch.cat([parts[place].relu() for place in self.order], 3))


def test_parts_side_by_side_are_the_map_again():
    """The map was lost, and its last part stood for it: field 3, from pixel 23 on."""
    found = audit(InParts((0, 1, 2, 3)), 32).last_map
    assert [(axis.size, axis.stride, axis.start) for axis in found] == [(7, 2, -3)] * 2


@pytest.mark.parametrize("order", [(3, 0, 1, 2), (1, 0), (0, 2), (0, 0), (0, 1, 2, 0)])
def test_parts_in_another_order_are_no_map(order):
    found = audit(InParts(order), 32).output
    assert [axis.stride for axis in found] == [None, None]


class ClassToken(nn.Module):
    """Patches that overlap, a token beside them, and convolutions between layers on tokens."""

    def __init__(self):
        super().__init__()
        self.patches, self.mixed = nn.Conv2d(3, 8, 7, 4, 3), nn.Linear(8, 8)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.maps = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))

    def forward(self, x):
        x = self.patches(x)
        shape, x = x.shape, torch.cat([self.token, x.flatten(2).mT], 1)
        for layer in self.maps:
            token, cells = self.mixed(x).split([1, x.shape[1] - 1], 1)
            cells = layer(cells.mT.reshape(shape))
            x = torch.cat([token, cells.flatten(2).mT], 1)
        return cells


@pytest.mark.parametrize("size", [8, 16, 32, (8, 24)])
def test_tokens_keep_their_map_beside_a_class_token(size):
    """Fields were cut at the border of the image, along its rows alone, and the grid with them."""
    assert [(axis.size, axis.stride, axis.start) for axis in audit(ClassToken(), size).last_map
            ] == [(31, 4, -15)] * 2


class Encoded(ClassToken):
    """A convolution on the map, times the tokens, as a part of attention that knows of places."""

    def forward(self, x):
        x = self.patches(x)
        shape, x = x.shape, torch.cat([self.token, x.flatten(2).mT], 1)
        for layer in self.maps:
            asking, cells = self.mixed(x)[:, 1:], self.mixed(x)[:, 1:].mT.reshape(shape)
            x = x + F.pad(asking * layer(cells).flatten(2).mT, (0, 0, 1, 0))
        return x[:, 1:].mT.reshape(shape)


@pytest.mark.parametrize("size", [16, 32, (16, 24)])
def test_tokens_keep_their_map_where_they_meet_a_map(size):
    found = audit(Encoded(), size).output
    assert [(axis.size, axis.stride, axis.start) for axis in found] == [(31, 4, -15)] * 2
