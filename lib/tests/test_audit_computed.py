"""Scales, biases, masks and places that a network computes from the image itself."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import UnsupportedOperation, audit
from lib.audit.rules.registry import RULES
from lib.tests.audit_oracle import Run, compare_with_derivatives

MEAN, VAR = torch.zeros(4).double(), torch.ones(4).double()


def _last(x):
    return x.permute(0, 2, 3, 1)


def _filled(x):
    y = x.clone()
    y[:, :2].fill_(x[0, 0, 2, 3])
    return y


# every function takes a map and four numbers of its own, those of the cell (2, 3)
COMPUTED = {
    "bias of a convolution": lambda x, v: F.conv2d(x, torch.ones(4, 4, 3, 3).to(x), v),
    "bias of a grouped one": lambda x, v: F.conv2d(x, torch.ones(4, 1, 1, 3).to(x), v, groups=4),
    "bias of a transposed one": lambda x, v: F.conv_transpose2d(
        x, torch.ones(4, 4, 2, 2).to(x), v, stride=3),
    "only the bias": lambda x, v: F.conv2d(torch.ones(1, 4, 5, 5).to(x),
                                           torch.ones(4, 4, 3, 3).to(x), v),
    "only the bias of a dense layer": lambda x, v: F.linear(torch.ones(5, 4).to(x),
                                                            torch.ones(4, 4).to(x), v),
    "weights for a vector": lambda x, v: F.linear(v, x[0, :, :, 5].T),
    "weights for a fixed vector": lambda x, v: F.linear(torch.ones(4).to(x), x[0, :, 2:4, 5].T),
    "weights that are the tensor itself": lambda x, v: (lambda rows: F.linear(rows, rows))(x[0, 1]),
    "only the term added": lambda x, v: torch.addmm(v, torch.ones(5, 4).to(x),
                                                    torch.ones(4, 4).to(x)),
    "stored statistics, scale": lambda x, v: F.batch_norm(x, MEAN, VAR, v),
    "stored statistics, shift": lambda x, v: F.batch_norm(x, MEAN, VAR, None, v),
    "instances, stored statistics": lambda x, v: F.instance_norm(
        x, MEAN, VAR, v, use_input_stats=False),
    "scale of a layer norm": lambda x, v: F.layer_norm(_last(x), (4,), v),
    "shift of a layer norm": lambda x, v: F.layer_norm(_last(x), (4,), None, v),
    "only the scale": lambda x, v: F.layer_norm(torch.rand(5, 4).to(x), (4,), v),
    "scale of a root mean square": lambda x, v: F.rms_norm(_last(x), (4,), v),
    "scale of groups of a row": lambda x, v: F.group_norm(x[0, :, 2].T, 2, v),
    "filled": lambda x, v: x + torch.fill(x, v[0]),
    "half of it filled": lambda x, v: _filled(x),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_scales_and_biases_that_are_computed_are_seen(name):
    function = COMPUTED[name]
    compare_with_derivatives(Run(lambda x, first: function(first(x), first(x)[0, :, 2, 3]),
                                 nn.Conv2d(3, 4, 3, padding=1)), (16, 16), 25)


@pytest.mark.parametrize("function", [
    lambda x, v: F.conv2d(x, torch.ones(4, 4, 3, 3), v),
    lambda x, v: F.batch_norm(x, torch.zeros(4), torch.ones(4), v),
    lambda x, v: F.batch_norm(x, v, torch.ones(4)), lambda x, v: F.batch_norm(x, torch.zeros(4), v),
    lambda x, v: F.layer_norm(_last(x), (4,), v)])
def test_a_computed_scale_is_a_gate_that_can_be_ignored(function):
    """Its four numbers come from the whole map, so that nothing stays local unless told to."""
    net = Run(lambda x, first: function(first(x), first(x).mean((0, 2, 3))),
              nn.Conv2d(3, 4, 3, padding=1))
    assert all(axis.everything for axis in audit(net, 16).output)
    assert all(axis.size < 6 for axis in audit(net, 16, ignore=("gates",)).output)


@pytest.mark.parametrize(("queries", "keys"), [(9, 5), (5, 9), (5, 1), (1, 5)])
def test_causal_attention_with_as_many_queries_as_keys_or_not(queries, keys):
    """Query 0 sees key 0, and so on; those beyond the last key see all of them."""
    def attend(x):
        rows = x.mT[:, None]
        return F.scaled_dot_product_attention(rows[:, :, :queries], *[rows[:, :, :keys]] * 2,
                                              is_causal=True)
    found = audit(Run(attend), (9,))
    low, high = found.seen[found.trace.outputs[0]].full(0)[:, 0, 0, :, 0].tolist()
    assert low == [0] * queries and high == [-query for query in range(queries)]


def test_a_computed_mask_is_seen_by_its_queries():
    def attend(x, first):
        rows = first(x)[0, 0]
        ones = torch.ones(1, 8, 4)
        return F.scaled_dot_product_attention(ones, ones, ones, attn_mask=rows[None])

    found = audit(Run(attend, nn.Conv2d(3, 1, 3, padding=1)), 8)
    rows, columns = found.seen[found.trace.outputs[0]].edges
    assert rows[:, 0, :, 0].tolist() == [[0, 0, 1, 2, 3, 4, 5, 6], [-1, -2, -3, -4, -5, -6, -7, -7]]
    assert columns.flatten().tolist() == [0, -7]


@pytest.mark.parametrize("function", [
    lambda places: torch.ones(4, 5)[places], lambda places: torch.ones(3, 4)[:, places[0]],
    lambda places: torch.ones(2, 4, 4)[:, places[0], places[0]],
    lambda places: torch.take(torch.ones(9), places),
    lambda places: torch.ones(5, 6).index_select(1, places[0, 2])])
def test_a_table_read_at_computed_places_sees_what_names_the_place(function):
    net = Run(lambda x, first: function(first(x)[:, 0].gt(0).long()),
              nn.Conv2d(3, 4, 3, padding=1))
    found = audit(net, 8)
    fields = found.seen[found.trace.outputs[0]]
    assert {(hi - lo).item() for lo, hi in zip(
        fields.edges[1][0].flatten(), -fields.edges[1][1].flatten(), strict=True)} == {1, 2}


def test_an_argument_that_a_rule_leaves_aside_is_refused(monkeypatch):
    """A new rule that forgets an argument must not give a field that is too small."""
    monkeypatch.setitem(RULES, "native_layer_norm", lambda call, a, shapes: a["input"])
    net = Run(lambda x, first: F.layer_norm(_last(first(x)), (4,), first(x)[0, :, 2, 3]),
              nn.Conv2d(3, 4, 3))
    with pytest.raises(UnsupportedOperation, match="argument 'weight' depends on the input"):
        audit(net, 8)


def test_statistics_that_a_run_has_stored_do_not_matter_to_the_next():
    def twice(x, first):
        mean, var = torch.zeros(4), torch.ones(4)
        for _ in range(2):
            x = first(F.batch_norm(x, mean[:x.shape[1]], var[:x.shape[1]], training=True))
        return x

    def replaced(x, first):
        y = first(x)
        fixed = F.batch_norm(torch.rand(2, 3, 4, 4), y[0, :, 0, 0].clone(), None, training=True)
        return y + fixed.mean()

    assert [axis.size for axis in audit(Run(replaced, nn.Conv2d(3, 3, 3)), 16).output] == [3, 3]
    net = Run(twice, nn.Conv2d(3, 3, 3))
    assert all(axis.everything for axis in audit(net, 16).output)
    assert [axis.size for axis in audit(net, 16, ignore=("norms",)).output] == [5, 5]


@pytest.mark.parametrize("function", [
    lambda x: torch.take(torch.ones(9), x), lambda x: torch.ones(9, 8)[x[:, 0]].movedim(-1, 1),
    lambda x: torch.gather(torch.ones(1, 8, 8, 8), 1, x)])
def test_a_table_is_no_part_of_a_chain(function):
    """Its entries are numbers of their own, not units that have moved."""
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1),
                        Run(lambda x, layer: layer(function(x.gt(0).long())),
                            nn.Conv2d(8, 8, 3, padding=1)), nn.Flatten(), nn.Linear(8 * 64, 10))
    assert audit(net, 8).bounds().crossing is None


@pytest.mark.parametrize("function", [
    F.mse_loss, F.smooth_l1_loss, F.huber_loss, F.soft_margin_loss,
    lambda x, y, **how: F.binary_cross_entropy(x.sigmoid(), y.sigmoid(), **how),
    lambda x, y, **how: F.binary_cross_entropy_with_logits(x, y, x.abs(), **how)])
def test_a_network_may_return_its_loss_beside_a_map(function):
    """As networks do whose code book is trained along with them."""
    net = Run(lambda x, layer: (layer(x), function(layer(x), x), function(
        layer(x), x.flip(3), reduction="none")), nn.Conv2d(3, 3, 3, padding=1))
    found = audit(net, 8)
    boxes = [found.seen[value].full(1)[(slice(None), *[0] * len(value.shape))].tolist()
             for value in found.trace.outputs]
    assert boxes == [[0, -1], [0, -7], [0, -7]]
    assert found.seen[found.trace.outputs[2]].full(1)[:, 0, 0, 0, 3].tolist() == [2, -4]


def test_a_network_may_return_its_cross_entropy_beside_scores():
    labels = torch.zeros(1, 8, 8, dtype=torch.long)
    how = {"reduction": "none"}
    net = Run(lambda x, layer: (
        F.cross_entropy(layer(x), labels, **how), F.cross_entropy(layer(x), labels),
        F.cross_entropy(layer(x), x.flip(3).argmax(1), **how),
        F.cross_entropy(layer(x), labels, x[0, :, 0, 7].exp(), **how),
        F.cross_entropy(x[:, :, 0, 0], labels[:, 0, 0])), nn.Conv2d(3, 3, 3, padding=1))
    found = audit(net, 8)
    boxes = [found.seen[value].full(1)[(slice(None), *[0] * len(value.shape))].tolist()
             for value in found.trace.outputs]
    assert boxes == [[0, -1], [0, -7], [0, -7], [0, -7], [0, 0]]
    assert found.seen[found.trace.outputs[0]].full(1)[:, 0, 4, 4].tolist() == [3, -5]
    assert found.seen[found.trace.outputs[3]].full(0)[:, 0, 4, 4].tolist() == [0, -5]


def test_memory_may_take_the_size_of_a_map():
    """Old code makes room for a result before it computes it."""
    net = Run(lambda x, layer: x.new().resize_as_(x).copy_(layer(x)), nn.Conv2d(3, 3, 3, padding=1))
    assert [axis.size for axis in audit(net, 8).output] == [3, 3]
    normed = nn.Sequential(nn.Conv2d(3, 8, 3), nn.CrossMapLRN2d(5))
    assert [axis.size for axis in audit(normed, 8).output] == [3, 3]


def test_boundaries_that_are_computed_are_all_compared():
    net = Run(lambda x, layer: torch.bucketize(layer(x), F.softplus(x[0, 0, 0]).cumsum(0)),
              nn.Conv2d(3, 3, 3, padding=1))
    found = audit(net, 8)
    fields = found.seen[found.trace.outputs[0]]
    assert fields.full(1)[:, 0, 0, 7, 2].tolist() == [0, -7]
    assert fields.full(0)[:, 0, 0, 7, 2].tolist() == [0, -7]
    fixed = Run(lambda x, layer: torch.bucketize(layer(x), torch.tensor([0.0, 1.0])),
                nn.Conv2d(3, 3, 3, padding=1))
    assert [axis.size for axis in audit(fixed, 8).output] == [3, 3]


class Merged(nn.Module):
    """Computes the weights of one layer from those of others before it runs."""

    def __init__(self, wide, bias):
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(8, wide, 3, bias=False), nn.Conv2d(wide, 8, 1)
        self.layer, self.bias = nn.Conv2d(8, 8, 3, padding=1), bias

    def forward(self, x):
        wide, narrow = self.wide.weight.data, self.narrow.weight.data
        self.layer.weight.data = torch.einsum("ok,kiuv->oiuv", narrow[:, :, 0, 0], wide)
        if self.bias:
            self.layer.bias.data = wide.sum((1, 2, 3))[:8] + self.narrow.bias.data
        assert self.layer.weight.device == x.device  # new versions of PyTorch ask this
        return self.layer(x)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("wide", [8, 64])
def test_weights_may_be_computed_from_others_of_any_size(wide, bias):
    """Those of the larger ones have no numbers: one of weights and biases was on no device."""
    net = Merged(wide, bias)
    assert [axis.size for axis in audit(net, 16, channels=8).last_map] == [3, 3]
    stack = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), net, nn.ReLU(), nn.Conv2d(8, 8, 3))
    assert audit(stack, 16).last_map[0].size == 7
