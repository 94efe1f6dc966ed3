"""Receptive fields of random networks, held against derivatives."""

import random
from copy import deepcopy

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

from lib.audit import audit, effective_field
from lib.audit.fields import EMPTY, Field, gather
from lib.tests.audit_oracle import REGULAR, boxes, ends, positive, random_network
from lib.tests.draws import seeded

SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True}


def network(seed, size, kinds=None):
    """A random network that accepts an input of this size, and where its output lies."""
    rng = random.Random(seed)
    options = {} if kinds is None else {"kinds": kinds}
    model, _ = random_network(rng, 2, len(size), rng.randint(1, 6), **options)
    try:
        with torch.no_grad():
            shape = model.eval()(torch.zeros(1, 2, *size)).shape
    except RuntimeError:                            # a window larger than its map, an odd shuffle
        return rng, model, None
    return rng, model, shape if 0 < shape.numel() < 20000 else None


def box(field, index, axis):
    low, minus_high = (int(x) for x in field.full(axis)[(slice(None), *index)])
    return None if low > EMPTY // 2 else (low, -minus_high)


@settings(max_examples=40, **SETTINGS)
@given(seed=st.integers(0, 10**9), ndim=st.integers(1, 2), extent=st.integers(9, 26))
def test_every_unit_sees_exactly_what_it_depends_on(seed, ndim, extent):
    size = (extent, 35 - extent)[:ndim]
    rng, model, shape = network(seed, size)
    assume(shape is not None)
    found = audit(model, size, channels=2)
    seen = found.seen[found.trace.outputs[0]]
    assert seen.shape == tuple(shape)
    units = {(0, rng.randrange(shape[1]), *[rng.choice([0, n - 1, rng.randrange(n)])
                                            for n in shape[2:]]) for _ in range(12)}
    truth = boxes(model, (1, 2, *size), lambda _: units, torch.Generator().manual_seed(seed))
    for index, expected in truth.items():
        for axis in range(ndim):
            assert box(seen, index, axis) == (expected and expected[axis]), (index, axis, model)


@settings(max_examples=14, **SETTINGS)
@given(seed=st.integers(0, 10**9))
def test_fields_beyond_the_border_are_those_of_a_larger_image(seed):
    """The virtual field of a unit equals its field in an image that contains all of it."""
    small, large = (14,), (720,)
    rng, model, shape = network(seed, small, REGULAR)
    assume(shape is not None)
    found, wide = (audit(model, size, channels=2) for size in (small, large))
    virtual, beyond = (a.virtual[a.trace.outputs[0]] for a in (found, wide))
    assume(virtual.step[0] is not None and beyond.step[0] is not None)
    corner = beyond.full(0)[..., :shape[2]]
    assert torch.equal(virtual.full(0), corner), model
    middle = beyond.shape[2] // 2
    units = [(0, rng.randrange(shape[1]), middle + i) for i in (-1, 0, 2)]
    truth = boxes(model, (1, 2, *large), lambda _: units, torch.Generator().manual_seed(seed))
    for index, expected in truth.items():
        assert box(beyond, index, 0) == (expected and expected[0]), (index, model)


@pytest.mark.parametrize("virtual", [False, True])
def test_boxes_are_stored_once_where_they_do_not_vary(virtual):
    found = audit(nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.MaxPool2d(2)), 64)
    field = (found.virtual if virtual else found.seen)[found.trace.outputs[0]]
    assert [tuple(edge.shape) for edge in field.edges] == [(2, 1, 1, 32, 1), (2, 1, 1, 1, 32)]


def test_a_cut_compares_nothing(monkeypatch):
    """Maps of attention are large, and each comparison of their units copies them."""
    whole = Field.of_input((1, 3, 8, 6), virtual=True)
    monkeypatch.setattr(torch.Tensor, "amin", None)
    part = gather(whole, 2, torch.arange(2, 7)[:, None], (1, 1))
    assert part.shape == (1, 3, 5, 6) and part.step == whole.step
    assert torch.equal(part.full(0), whole.full(0)[:, :, :, 2:7])


class Tokens(nn.Module):
    """Patches of 4 pixels as tokens, a layer on tokens, and a convolution on the map again."""

    def __init__(self):
        super().__init__()
        self.patches, self.mixed = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 8)
        self.rows, self.map = nn.Conv1d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        x = self.patches(x)
        tokens = self.mixed(x.flatten(2).transpose(1, 2))
        return self.map(tokens.transpose(1, 2).reshape(x.shape)), self.rows(x.mean(3))


def geometry_of_tokens(cells):
    return {record.name: record.geometry for record in audit(Tokens(), 4 * cells, 3).layers}


def test_tokens_row_by_row_have_no_stride():
    """The mean over a row of tokens, 4 pixels in 3 tokens, lies between no two neighbors."""
    found = geometry_of_tokens(3)
    assert [(g.size, g.stride, g.center) for g in found["mixed"]] == [(4, None, None)] * 2
    assert [g.stride for g in found["patches"]] == [4, 4]
    assert [g.stride for g in found["rows"]] == [4, None]       # a pooled axis, no tokens


@pytest.mark.parametrize("cells", [2, 3])
def test_tokens_become_the_map_that_they_were(cells):
    """Maps of two cells lost their grid, and with it what published tables list."""
    assert [(g.size, g.stride, g.start) for g in geometry_of_tokens(cells)["map"]] == [
        (12, 4, -4)] * 2


class LaidOut(nn.Module):
    """A map, laid out in some way, and a layer that reads it so."""

    def __init__(self, conv, lay, layer):
        super().__init__()
        self.conv, self.lay, self.layer = conv, lay, layer

    def forward(self, x):
        return self.layer(self.lay(self.conv(x)))


def frames(x):
    return x.transpose(1, 2).flatten(0, 1)


LINE, MAP, CLIP = ((nn.Conv1d(3, 8, 3, padding=1), (20,)), (nn.Conv2d(3, 8, 4, 4), (16, 24)),
                   (nn.Conv3d(3, 8, (3, 3, 3), (2, 1, 1), 1), (8, 5, 6)))
# The map, how it is laid out, what reads it; dimensions of batch, channels and, if any, the grid.
LAYOUTS = {
    "batch first": (*LINE, lambda x: x.mT, nn.Linear(8, 6), 0, 2, (1,)),
    "time first": (*LINE, lambda x: x.permute(2, 0, 1), nn.Linear(8, 6), 1, 2, (0,)),
    "a recurrent layer": (*LINE, lambda x: x.permute(2, 0, 1), nn.LSTM(8, 5), 1, 2, None),
    "time in the batch": (*LINE, lambda x: x.mT.reshape(-1, 8), nn.Linear(8, 6), None, 1, (0,)),
    "time in the batch, one channel": (*LINE, lambda x: x.mT.reshape(-1, 8), nn.Linear(8, 1), None,
                                       1, (0,)),
    "windows in the batch": (*LINE, lambda x: x.mT.reshape(5, 4, 8), nn.Linear(8, 6), None, 2,
                             None),
    "channels last": (*MAP, lambda x: x.permute(0, 2, 3, 1), nn.Linear(8, 6), 0, 3, (1, 2)),
    "columns before rows": (*MAP, lambda x: x.transpose(2, 3), nn.Conv2d(8, 6, 3, padding=1), 0,
                            1, (3, 2)),
    "batch third": (*MAP, lambda x: x.permute(2, 3, 0, 1), nn.Linear(8, 6), 2, 3, (0, 1)),
    "batch last": (*MAP, lambda x: x.permute(2, 3, 1, 0), nn.Softplus(), 3, 2, (0, 1)),
    "tokens first": (*MAP, lambda x: x.flatten(2).permute(2, 0, 1), nn.Linear(8, 6), 1, 2, None),
    "tokens of two heads": (*MAP, lambda x: x.flatten(2).mT[:, None].repeat(1, 2, 1, 1),
                            nn.Linear(8, 6), 0, 3, None),
    "tokens in the batch": (*MAP, lambda x: x.permute(0, 2, 3, 1).reshape(-1, 8),
                            nn.Linear(8, 6), None, 1, None),
    "rows in the batch": (*MAP, lambda x: x.transpose(1, 2).flatten(0, 1),
                          nn.Conv1d(8, 6, 3, padding=1), None, 1, (0, 2)),
    "frames in the batch": (*CLIP, frames, nn.Conv2d(8, 6, 3, padding=1), None, 1, (0, 2, 3)),
}


def positively(model, size):
    """A copy of the model with weights that cancel nothing, and an image."""
    image = torch.rand(1, 3, *size, generator=seeded()).double()
    return positive(deepcopy(model), seeded()), image.requires_grad_()


def depends(unit, x):
    """First and last pixel along each axis that a unit depends on."""
    gradient, = torch.autograd.grad(unit, x, retain_graph=True)
    return tuple(ends(gradient[0].sum(0)))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_unit_is_found_wherever_the_batch_lies(name):
    """Dimension 0 was taken for the images, and what a unit of another place sees was told."""
    conv, size, lay, layer, batch, channels, grid = LAYOUTS[name]
    net, x = positively(LaidOut(conv, lay, layer), size)
    out = net(x)[0] if isinstance(layer, nn.LSTM) else net(x)
    found, beside = audit(net, size), [d for d in range(out.dim()) if d != batch]
    shape = tuple(out.shape[d] for d in beside)
    middle = tuple(n // 2 for n in shape)
    rng = random.Random(0)
    for unit in (middle, *(tuple(map(rng.randrange, shape)) for _ in range(8))):
        index = dict(zip(beside, unit, strict=True))
        all_channels = out[tuple(slice(None) if d == channels else index.get(d, 0)
                                 for d in range(out.dim()))]
        seen = depends(all_channels.sum(), x)
        assert found.box("layer", unit).pixels == seen, unit
        if grid:
            place = tuple(index[d] for d in grid)
            assert found.box("layer", place).pixels == seen, place
        else:
            place = unit
    assert found.box("layer").unit == middle
    measured = effective_field(net, size, "layer", place, samples=1)
    assert measured.theoretical == seen
    assert tuple(ends(measured.influence)) == seen
    for record in found.to_dict()["layers"][1:2]:
        assert record["output"] == [*shape]
        assert record["map"] == [n for d, n in zip(beside, shape, strict=True) if d != channels]


@pytest.mark.parametrize("first", [True, False])
def test_attention_of_pytorch_reads_tokens_first(first):
    """Whatever it is given: its projection lies so."""
    order = (0, 2, 1) if first else (2, 0, 1)
    net, x = positively(LaidOut(nn.Conv1d(3, 8, 4, 4), lambda x: x.permute(order),
                                nn.TransformerEncoderLayer(8, 2, 16, batch_first=first)), (80,))
    found, read = audit(net, (80,)), net.conv(x)
    for unit in (0, 5, 19):
        seen = depends(read[0, :, unit].sum(), x)
        assert found.box("layer.self_attn.linear", unit).pixels == seen
        assert found.box("layer.self_attn.linear", (unit, 23)).pixels == seen
    assert found.box("layer.self_attn.linear").unit == (10, 12)


def test_units_of_a_map_without_a_batch_are_counted_in_all_its_dimensions():
    conv, size, lay, layer, *_ = LAYOUTS["time in the batch"]
    with pytest.raises(ValueError, match=r"the shape \(20, 6\): give 1 places along the axes of "
                                         r"the image, or 2 in all, each within the map"):
        audit(LaidOut(conv, lay, layer), size).box("layer", (0, 0, 0))
    conv, size, lay, layer, *_ = LAYOUTS["tokens first"]
    with pytest.raises(ValueError, match=r"the shape \(24, 6\) beside the batch: give 2 places in"):
        audit(LaidOut(conv, lay, layer), size).box("layer", 24)


class Flattened(nn.Module):
    """Tokens of a map, made row by row or column by column, mixed unit by unit and put back."""

    def __init__(self, turned=False, first=False):
        super().__init__()
        self.stem = nn.Sequential(*[nn.Conv2d(c, 8, 5, padding=2) for c in (3, 8, 8)])
        self.mix, self.last = nn.Linear(8, 8), nn.Conv2d(8, 8, 3, padding=1)
        self.turned = turned
        self.first = nn.Parameter(torch.zeros(1, 1, 8)) if first else None

    def forward(self, x):
        x = self.stem(x)
        x = x.mT if self.turned else x
        tokens = x.flatten(2).mT
        if self.first is not None:
            tokens = torch.cat([self.first, tokens], 1)
        heads = tokens.reshape(1, -1, 2, 4).transpose(1, 2)
        tokens = self.mix(tokens + heads.transpose(1, 2).reshape(tokens.shape))
        return self.last(tokens[:, int(self.first is not None):].mT.reshape(x.shape)).mean((2, 3))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("size", [8, 32, (16, 8), (12, 20)])
def test_tokens_are_not_cut_at_the_border_along_one_axis(turned, first, size):
    found = {record.name: record for record in audit(Flattened(turned, first), size).layers}
    for name in ("stem.2", "mix"):
        assert [(g.size, g.start, g.typical) for g in found[name].geometry] == [(13, -6, 13)] * 2
    assert [(g.size, g.start) for g in found["last"].geometry] == [(15, -7)] * 2
    assert [g.start for g in found["mean"].geometry] == [0, 0]


class Windowed(nn.Module):
    """A map, attention in windows of it and one among all of its tokens; or all of it turned."""

    def __init__(self, kernel, window, turned):
        super().__init__()
        self.turned, self.window = turned, window[::-1] if turned else window
        kernel = kernel[::-1] if turned else kernel
        self.stem = nn.Conv2d(3, 8, kernel, padding=tuple(k // 2 for k in kernel))
        self.inside, self.all = (nn.MultiheadAttention(8, 2, batch_first=True) for _ in "12")

    def forward(self, x):
        x, (a, b) = self.stem(x), self.window
        (rows, columns), channels = x.shape[2:], x.shape[1]
        windows = x.view(channels, rows // a, a, columns // b, b).permute(1, 3, 2, 4, 0)
        windows = windows.reshape(-1, a * b, channels)
        windows = windows + self.inside(windows, windows, windows)[0]
        tokens = windows.view(rows // a, columns // b, a, b, channels).transpose(1, 2)
        tokens = tokens.reshape(1, rows * columns, channels)
        return tokens + self.all(tokens, tokens, tokens)[0]


@pytest.mark.parametrize("part", ["whole", "local"])
@pytest.mark.parametrize("kernel", [(5, 5), (9, 3)])
@pytest.mark.parametrize("size, window", [((8, 8), (4, 4)), ((8, 20), (4, 2)), ((12, 16), (2, 4))])
def test_a_turned_network_sees_turned_fields(part, kernel, size, window):
    found = [audit(Windowed(kernel, window, turned), size[::-1] if turned else size)
             for turned in (False, True)]
    straight, turned = (a if part == "whole" else a.local for a in found)
    for one, other in zip(straight.layers, turned.layers, strict=True):
        fields = [[(g.size, g.start, g.typical, g.stride, g.seen) for g in record.geometry]
                  for record in (one, other)]
        assert fields[0] == fields[1][::-1], one.name
