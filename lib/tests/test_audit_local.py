"""Fields without gates, norms and attention, against the same networks with these taken out."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import audit
from lib.tests.audit_oracle import Run


def seen(found):
    """Boxes of all units of the output, per axis."""
    field = found.fields(found.trace.outputs[0])[1]
    return [field.full(axis) for axis in field.axes]


class Words(nn.Module):
    """A window of three words, then attention under a mask of the words that are padding."""

    def __init__(self, mask):
        super().__init__()
        self.mask, self.table = mask, nn.Embedding(50, 8)
        self.conv = nn.Conv1d(8, 8, 3, padding=1)
        self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, words):
        x = self.conv(self.table(words).transpose(1, 2)).transpose(1, 2)
        q, k, v = self.q(x), self.k(x).transpose(1, 2), self.v(x)
        return x + self.mask(q, k, v, words != 0)


def times(q, k, v, real):
    weights = (q @ k).exp() * real[:, None]
    return weights / weights.sum(-1, keepdim=True) @ v


def by_rows(q, k, v, real):
    """Scores with queries as columns."""
    scores = (k.transpose(1, 2) @ q.transpose(1, 2)).masked_fill(~real[:, :, None], -1e9)
    return (v.transpose(1, 2) @ scores.softmax(1)).transpose(1, 2)


MASKS = {
    "filled": lambda q, k, v, real: (q @ k).masked_fill(~real[:, None], -1e9).softmax(-1) @ v,
    "of two": lambda q, k, v, real: torch.where(
        real[:, None] & real[:, :, None], q @ k, -1e9).softmax(-1) @ v,
    "added": lambda q, k, v, real: (q @ k + (1 - real[:, None].float()) * -1e9).softmax(-1) @ v,
    "in one step": lambda q, k, v, real: torch.baddbmm(
        real[:, None].float().log(), q, k).softmax(-1) @ v,
    "causal": lambda q, k, v, real: (q @ k).masked_fill(
        ~(real[:, None] & torch.ones(12, 12).tril().bool()), -1e9).softmax(-1) @ v,
    "weights": lambda q, k, v, real: (q @ k).softmax(-1) * real[:, None] @ v,
    "times": times, "by rows": by_rows,
    "function": lambda q, k, v, real: F.scaled_dot_product_attention(q, k.mT, v, real[:, None]),
}


@pytest.mark.parametrize("mask", MASKS)
def test_a_mask_of_keys_belongs_to_the_attention(mask):
    found = audit(Words(MASKS[mask]), inputs=torch.ones(1, 12, dtype=torch.long))
    plain = audit(Words(lambda q, k, v, real: q), inputs=torch.ones(1, 12, dtype=torch.long))
    assert found.output[0].everything and found.local.output == plain.output
    assert plain.output[0].size == 3


@pytest.mark.parametrize("weights", [True, False])
def test_padding_and_the_weights_of_multihead_attention(weights):
    attend = nn.MultiheadAttention(8, 2, batch_first=True)

    def run(q, k, v, real):
        return attend(q, k.transpose(1, 2), v, key_padding_mask=~real, need_weights=weights)[0]

    found = audit(Words(run), inputs=torch.ones(1, 12, dtype=torch.long))
    assert found.output[0].everything and found.local.output[0].size == 3


def distances(q, k):
    return 2 * q @ k.mT - q.square().sum(-1, keepdim=True) - k.square().sum(-1)[..., None, :]


SCORES = {
    "a part for each": lambda q, k: F.leaky_relu(
        q.sum(-1, keepdim=True) + k.sum(-1)[..., None, :]).softmax(-1),
    "distances": lambda q, k: distances(q, k).softmax(-1),
    "kernel": lambda q, k: distances(q, k).exp(),
    "keys first": lambda q, k: (-torch.cdist(k, q)).softmax(-2).mT,
    "keys first, no softmax": lambda q, k: (k @ q.mT).relu().square().mT,
    "to places": lambda q, k: (q @ k.mT + (k @ torch.ones(8, k.shape[1])).mT).softmax(-1),
}


@pytest.mark.parametrize("scores", SCORES)
def test_scores_that_are_sums_belong_to_the_attention(scores):
    class Net(nn.Module):
        def __init__(self, scores):
            super().__init__()
            self.scores, self.q, self.k = scores, nn.Linear(8, 8), nn.Linear(8, 8)
            self.conv = nn.Conv2d(3, 8, 3, 2, 1)

        def forward(self, x):
            x = self.conv(x)
            rows = x.flatten(2).mT
            return x + (self.scores(self.q(rows), self.k(rows)) @ rows).mT.view(x.shape)

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3, 2, 1)

        def forward(self, x):
            return self.conv(x)

    found, plain = audit(Net(SCORES[scores]), (16, 24)), audit(Own(), (16, 24))
    assert all(axis.everything for axis in found.output)
    assert found.local.output == plain.output and found.local.last_map == plain.last_map


def test_a_window_of_keys_in_each_place_stays():
    class Window(nn.Module):
        """Scores between a place and its neighbors, and a row of the map that is added."""

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x):
            x = self.conv(x)
            near = F.unfold(x, 3, padding=1).view(1, 4, 9, *x.shape[2:])
            weights = (x[:, :, None] * near).sum(1, keepdim=True).softmax(2)
            return (weights * near).sum(2)

    found = audit(Window(), 12)
    assert found.local.output == found.output and [a.size for a in found.output] == [3, 3]


class Strips(nn.Module):
    """One factor for each row and one for each column of a map, which are computed from it."""

    def __init__(self, spelling):
        super().__init__()
        self.spelling = spelling
        self.conv = nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3), nn.Conv2d(4, 4, 7, 2, 3))
        self.down, self.up = nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)

    def forward(self, x):
        x = self.conv(x)
        if self.spelling == "beside a summary":
            x = torch.cat([x[:, :2], x.mean((2, 3), keepdim=True).expand_as(x)[:, 2:]], 1)
        rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True)
        if self.spelling != "apart":                # through one layer, as in coordinate attention
            y = self.down(torch.cat([rows, columns.mT], 2))
            rows, columns = y.split([x.shape[2], x.shape[3]], 2)
            rows, columns = self.up(rows), self.up(columns.mT)
        return x * rows.sigmoid() * columns.sigmoid()


@pytest.mark.parametrize("spelling, size", [("apart", (80, 12)), ("apart", (12, 80)),
                                            ("beside a summary", (80, 80)), ("joint", (80, 80))])
def test_factors_of_rows_and_columns_are_no_gates(spelling, size):
    """Also where the fields are as wide as the image, or the factors see all of it."""
    found = audit(Strips(spelling), size)
    assert all(axis.everything for axis in found.output)
    assert found.local.output == found.output


class Rows(nn.Module):
    """A recurrent layer along the rows, then attention along them or along rows and columns."""

    def __init__(self, attend):
        super().__init__()
        self.attend, self.conv = attend, nn.Conv2d(3, 6, 3, 2, 1)
        self.past = nn.GRU(6, 6, batch_first=True)

    def forward(self, x):
        x = self.conv(x)
        b, c, h, w = x.shape
        x = self.past(x.permute(0, 2, 3, 1).reshape(-1, w, c))[0]
        if self.attend == "rows":
            x = x + (x.mT @ (x @ x.mT).softmax(-1).mT).mT
        x = x.view(b, h, w, c).permute(0, 3, 1, 2)
        if self.attend == "crossing":               # one softmax over a row and a column
            row, column = x.permute(0, 2, 1, 3).flatten(0, 1), x.permute(0, 3, 1, 2).flatten(0, 1)
            scores = torch.cat([(row.mT @ row).view(b, h, w, w), (
                column.mT @ column).view(b, w, h, h).transpose(1, 2)], 3).softmax(3)
            along = scores[..., :w].flatten(0, 1), scores[..., w:].transpose(1, 2).flatten(0, 1)
            x = x + (row @ along[0].mT).view(b, h, c, w).transpose(1, 2) + (
                column @ along[1].mT).view(b, w, c, h).permute(0, 2, 3, 1)
        return x


@pytest.mark.parametrize("attend", ["rows", "crossing"])
def test_attention_along_rows_behind_a_recurrent_layer_is_left_aside(attend):
    found, plain = audit(Rows(attend), (16, 24)), audit(Rows(None), (16, 24))
    assert found.local.output == plain.output and found.output != plain.output
    pairs = zip(seen(found.local), seen(plain), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


@pytest.mark.parametrize("flipped", [False, True])
def test_a_kernel_for_each_place_stays_beside_its_window(flipped):
    class Involution(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.kernel = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 9, 1)

        def forward(self, x):
            x = self.conv(x.flip(3) if flipped else x)
            window = F.unfold(x, 3, padding=1).view(1, 4, 9, *x.shape[2:])
            return torch.einsum("bkhw,bckhw->bchw", self.kernel(x), window)

    found = audit(Involution(), 16)
    assert found.local.output == found.output and [a.size for a in found.output] == [3, 3]


@pytest.mark.parametrize("pooled", [lambda x, a: torch.einsum("bnc,bn->bc", x, a),
                                    lambda x, a: (a[:, None] @ x)[:, 0]])
def test_a_sum_over_what_has_attended_does_not_turn_it_around(pooled):
    """The queries are summed over then, but keys stay keys."""

    class Net(nn.Module):
        def __init__(self, attends):
            super().__init__()
            self.attends, self.conv = attends, nn.Conv1d(3, 6, 3, padding=1)
            self.mix, self.few = nn.Linear(6, 1), nn.Linear(24, 4)

        def forward(self, x):
            x = self.conv(x).mT
            if self.attends:
                few = self.few(x.mT).mT
                x = x + (x @ few.mT).softmax(-1) @ few
            return (x + pooled(x, self.mix(x)[..., 0].softmax(1))[:, None]).mT

    found, plain = audit(Net(True), (24,)), audit(Net(False), (24,))
    assert found.local.output == plain.local.output and plain.local.output[0].size == 3


def test_bases_that_compare_channels_behind_a_shift():
    """Channels that look elsewhere are summed over in scores, but they are no places."""

    class Net(nn.Module):
        def __init__(self, attends):
            super().__init__()
            self.attends, self.conv = attends, nn.Conv2d(3, 4, 4, 4)
            self.bases = nn.Parameter(torch.ones(1, 4, 5))

        def forward(self, x):
            x = self.conv(x)
            x = torch.cat([x[:, :2].roll(1, 3), x[:, 2:].roll(-1, 2)], 1)
            if not self.attends:
                return x.mean(1, keepdim=True).expand_as(x)
            rows = x.flatten(2)
            bases = rows @ (rows.mT @ self.bases).softmax(2)
            return (bases @ (rows.mT @ bases).softmax(2).mT).view_as(x)

    found, plain = audit(Net(True), 24), audit(Net(False), 24)
    assert all(torch.equal(*pair) for pair in zip(seen(found.local), seen(plain), strict=True))


class Behind(nn.Module):
    """A gate for each channel behind rows read both ways, or for each of two windows of a past."""

    def __init__(self, past, gated):
        super().__init__()
        self.past, self.gated = past, gated
        self.read = nn.GRU(4, 2, bidirectional=True, batch_first=True)
        self.near, self.far = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, 1, 2, 2)

    def forward(self, x):
        x = self.near(x)
        if self.past == "rows":
            rows = x.permute(0, 2, 3, 1).flatten(0, 1)
            x = self.read(rows)[0].view(1, *x.shape[2:], 4).permute(0, 3, 1, 2)
        else:
            x = x.cumsum(3).cumsum(2)
        gate = x.mean((2, 3), keepdim=True).sigmoid() if self.gated else 1.
        if self.past == "rows":
            return x * gate
        weights = torch.stack([x, self.far(x)], 1)
        return (weights * (gate[:, None] if self.gated else 1.)).sum(1) if self.past == "sum" else (
            weights * torch.cat([gate, gate]).view(1, 2, 4, 1, 1) if self.gated else weights).sum(1)


@pytest.mark.parametrize("past", ["rows", "sum", "each"])
def test_gates_behind_what_reads_along_an_axis_are_left_aside(past):
    found, plain = audit(Behind(past, True), (12, 20)), audit(Behind(past, False), (12, 20))
    assert all(torch.equal(*pair) for pair in zip(seen(found.local), seen(plain), strict=True))
    assert found.output != plain.output


@pytest.mark.parametrize("queries, keys", [(2, 1), (1, 2)])
def test_queries_ask_whether_there_are_more_or_fewer_of_them(queries, keys):
    """Scores that get a part for rows and columns of keys before their softmax, as in MViT v2."""

    class Net(nn.Module):
        def __init__(self, attends):
            super().__init__()
            self.attends, self.conv = attends, nn.Conv2d(3, 4, 3, 2, 1)
            self.q, self.k = nn.Conv2d(4, 4, 1, queries), nn.Conv2d(4, 4, 3, keys, 1)

        def forward(self, x):
            x = self.conv(x)
            q, k = self.q(x), self.k(x)
            if not self.attends:
                return q
            cells, rows = k.shape[2:], q.flatten(2).mT
            scores = (rows @ k.flatten(2)).view(1, -1, *cells) + rows.mean(2)[..., None, None]
            return q + (scores.flatten(2).softmax(-1) @ k.flatten(2).mT).mT.view(q.shape)

    found, plain = audit(Net(True), (16, 24)), audit(Net(False), (16, 24))
    assert found.local.output == found.local.last_map == plain.output


class Gated(nn.Module):
    """Convolutions with a squeeze-and-excitation after each."""

    def __init__(self, norm=None, spread=None):
        super().__init__()
        self.spread = spread or (lambda gate, x: gate)
        self.convs = nn.ModuleList([nn.Conv2d(3 if i == 0 else 8, 8, 3, 2, 1) for i in range(3)])
        self.gates = nn.ModuleList([nn.Conv2d(8, 8, 1) for _ in range(3)])
        self.norm = norm or nn.Identity()

    def forward(self, x):
        for conv, gate in zip(self.convs, self.gates, strict=True):
            x = self.norm(conv(x))
            x = x * self.spread(torch.sigmoid(gate(F.adaptive_avg_pool2d(x, 1))), x)
        return x


@pytest.mark.parametrize("norm", [None, nn.GroupNorm(2, 8), nn.InstanceNorm2d(8)])
def test_gates_and_norms_can_be_left_aside(norm):
    found = audit(Gated(norm), 64)
    assert all(axis.everything for axis in found.output)
    assert [(axis.size, axis.stride) for axis in found.local.output] == [(15, 8)] * 2
    assert "without global gates, norms and attention: field 15, stride 8" in found.summary
    ignored = audit(Gated(norm), 64, ignore=("gates", "norms"))
    assert [(x.size, x.typical, x.stride) for x in ignored.last_map] == [(15, 15, 8)] * 2
    assert found.global_from is not None and found.joins
    assert all(join.aligned for join in found.joins)


@pytest.mark.parametrize("spread", [
    lambda gate, x: gate.expand_as(x).relu(), lambda gate, x: gate.repeat(1, 1, *x.shape[2:]),
    lambda gate, x: F.interpolate(gate, size=x.shape[2:], mode="bilinear"),
    lambda gate, x: gate.repeat_interleave(x.shape[2], 2).repeat_interleave(x.shape[3], 3),
    lambda gate, x: gate[:, :, [0] * x.shape[2]][..., [0] * x.shape[3]],
    lambda gate, x: gate * torch.ones_like(x),
    lambda gate, x: gate + gate.expand_as(x).flatten(2).view_as(x),
    lambda gate, x: torch.cat([part.expand_as(x[:, :4]) for part in gate.split(4, 1)], 1)])
def test_a_gate_may_be_repeated_all_over_the_map(spread):
    found = audit(Gated(spread=spread), 64)
    assert all(axis.everything for axis in found.output)
    assert [(axis.size, axis.stride) for axis in found.local.output] == [(15, 8)] * 2


@pytest.mark.parametrize("use", [
    lambda x, gate: torch.where(gate > 0, x, 0.0), lambda x, gate: x.masked_fill(gate > 0, 0.0),
    lambda x, gate: torch.addcmul(x, x, gate), lambda x, gate: torch.lerp(x, -x, gate)])
def test_a_repeated_gate_is_one_in_every_operation(use):
    gated = Run(lambda x: use(x, x.mean((2, 3), keepdim=True).expand_as(x)))
    assert [axis.size for axis in audit(gated, 16).local.output] == [1, 1]


@pytest.mark.parametrize("scores", [
    lambda x: x.flatten(2).softmax(2).view_as(x),
    lambda x: x.mean((2, 3), keepdim=True).expand_as(x) + x.flatten(2).softmax(2).view_as(x),
    lambda x: torch.stack([x.flatten(2).softmax(2).view_as(x)] * 2, 1).flatten(1, 2)[:, ::2],
    lambda x: x.flatten(2).softmax(2).view_as(x)[..., :4].repeat(1, 1, 1, 4)])
def test_numbers_of_single_places_are_no_gate(scores):
    local = audit(Run(lambda x: x * scores(x)), 16).local
    assert all(axis.everything for axis in local.output)


def test_one_number_for_every_row_is_no_gate():
    for spread in (lambda gate, x: gate, lambda gate, x: gate.expand_as(x)):
        rows = Run(lambda x, spread=spread: x * spread(x.mean(3, keepdim=True).sigmoid(), x))
        local = audit(rows, 16).local
        down, across = local.output
        assert down.size == 1 and across.everything
        assert local.virtual[local.trace.outputs[0]].step == [(2, 1, 1), None]


def test_what_is_to_be_ignored_has_a_name():
    for wrong in ("gate", ["norms", "gate"], 3):
        with pytest.raises(ValueError, match="valid are gates, norms, attention"):
            audit(Gated(), 32, ignore=wrong)


class Unit(nn.Module):
    """A branch that is off by one, and gates or norms around the sum."""

    def __init__(self, first, branch, last):
        super().__init__()
        self.first, self.branch, self.last = first, branch, last
        self.conv = nn.Sequential(nn.ZeroPad2d((0, 2, 0, 2)), nn.Conv2d(3, 3, 3))

    def forward(self, x):
        x = self.first(x)
        return self.last(x + self.branch(self.conv(x)))


@pytest.mark.parametrize("norm", [nn.Identity(), nn.GroupNorm(1, 3), nn.InstanceNorm2d(3)])
def test_a_norm_at_the_end_hides_no_misaligned_join(norm):
    join, = audit(Unit(nn.Identity(), norm, nn.Identity()), 8).joins
    assert join.compared and join.problems == ("height: centers 0.0, 1.0",
                                               "width: centers 0.0, 1.0")


def test_where_units_sit_whatever_part_is_ignored():
    gate = Run(lambda x, conv: x * conv(x.mean((2, 3), keepdim=True)).sigmoid(), nn.Conv2d(3, 3, 1))
    net = Unit(gate, nn.GroupNorm(1, 3), nn.Conv2d(3, 3, 1))
    for ignore in ((), "norms", "gates", ("gates", "norms"), ("gates", "norms", "attention")):
        found = audit(net, 8, ignore=ignore)
        assert [join.aligned for join in found.joins if join.compared] == [False], ignore
        assert found.box("conv.1", (3, 4)).unit == (3, 4)


def mixed(x, places, channels, head):
    x = x.flatten(2).transpose(1, 2)
    x = channels(x + places(x.transpose(1, 2)).transpose(1, 2))
    return head(x.mean(1))


@pytest.mark.parametrize("tail", [
    Run(mixed, nn.Linear(16, 16), nn.Linear(8, 8), nn.Linear(8, 2)),
    Run(lambda x, head: head(x.mean(1)), nn.Linear(16, 2)),
], ids=["places are mixed", "a mean of channels"])
def test_a_norm_does_not_change_what_later_layers_are_for_the_bounds(tail):
    """Behind it every unit sees everything, and places cannot be told from channels."""
    reasons = []
    for norm in (nn.Identity(), nn.GroupNorm(2, 8)):
        net = nn.Sequential(nn.Conv1d(3, 8, 1), norm, tail)
        found, asked = audit(net, (16,)), audit(net, (16,))
        assert asked.local.joins is not None        # it interprets the same run once more
        assert found.bounds().best is asked.bounds().best is None
        reasons += [found.bounds().reason, asked.bounds().reason]
    assert len({*reasons}) == 1


def test_compiled_patterns_say_what_their_text_says():
    net = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1)), nn.Flatten(),
                        nn.Linear(128, 4))
    found, long = audit(net, 4), "x" * 300
    assert str(found.bounds(collapse=(re.compile("0"),)).best) == "9^8"
    for name in ("0.0", "2"):
        reason = found.bounds(avoid=(re.compile(f"{long}|{name}"),)).reason
        assert reason.endswith(f"past {name}")
