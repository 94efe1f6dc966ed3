"""Receptive fields of random networks, held against derivatives."""

import random

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

from lib.audit import audit
from lib.audit.fields import EMPTY, Field, gather
from lib.tests.audit_oracle import REGULAR, boxes, random_network

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
