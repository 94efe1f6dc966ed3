"""One operation written in several ways: what a network computes decides, not how it is written."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import audit
from lib.tests.test_audit_operations import Run
from lib.tests.test_audit_surrogates import plain

CHANNELS = 4
ORDER = [0, 2, 1, 3]                                 # of a channel shuffle in two groups


def into(blank, x, *place):
    """A tensor of zeros with a map written into it."""
    blank[(slice(None), slice(None), *place)] = x
    return blank


def framed(x):
    """Zeros for a map with one cell more on every side."""
    return x.new_zeros(*x.shape[:2], x.shape[2] + 2, x.shape[3] + 2)


def placed(x):
    """Rows and columns of a map inside its frame."""
    return torch.arange(1, x.shape[2] + 1)[:, None], torch.arange(1, x.shape[3] + 1)


def beside(x):
    """A map with zeros on every side, put beside it."""
    rows = torch.zeros(*x.shape[:2], 1, x.shape[3])
    columns = torch.zeros(*x.shape[:2], x.shape[2] + 2, 1)
    return torch.cat([columns, torch.cat([rows, x, rows], 2), columns], 3)


def windows(x):
    return F.pad(x, (1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 3, 1)


def shifted(x):
    """The nine cells of every 3x3 window, one map each."""
    wide = F.pad(x, (1, 1, 1, 1))
    return [wide[:, :, i:i + x.shape[2], j:j + x.shape[3]] for i in range(3) for j in range(3)]


def columns(x):
    """The nine cells of every window, as `unfold` lays them out."""
    return F.unfold(x, 3, padding=1).view(*x.shape[:2], 9, *x.shape[2:])


def gate(x, squeezed, inner, outer):
    return torch.sigmoid(outer(F.relu(inner(squeezed.reshape(1, CHANNELS, 1, 1)))))


def centered(x, dims):
    x = x - x.mean(dims, keepdim=True)
    return x / torch.sqrt(x.square().mean(dims, keepdim=True) + 1e-5)


def by_group(x):
    """Divided by the deviation of a group of channels, which is repeated in their shape."""
    groups = x.unflatten(1, (2, CHANNELS // 2))
    deviation = groups.var((2, 3, 4), keepdim=True).add(1e-5).sqrt()
    return x / deviation.expand(groups.shape).reshape(x.shape)


def scaled(x, dims):
    variance, mean = torch.var_mean(x, dims, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + 1e-5)


def quarters(x):
    return x.view(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2)


def corners(x):
    return [x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]


def enlarged(x):
    return x[:, :, :, None, :, None].expand(*x.shape[:3], 2, x.shape[3], 2).reshape(
        *x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])


def tokens(x):
    return x.flatten(2).transpose(1, 2)


def scores(x, m):
    return m(tokens(x)) @ m(tokens(x)).mT


def whole(x):
    return F.avg_pool2d(x, x.shape[2:])


SPELLINGS = {
    "padding": (lambda: [nn.Conv2d(4, 4, 3)], [
        lambda x, c: c(F.pad(x, (1, 1, 1, 1))),
        lambda x, c: F.conv2d(x, c.weight, c.bias, padding="same"),
        lambda x, c: c(F.pad(F.pad(x, (1, 1)), (0, 0, 1, 1))),
        lambda x, c: c(F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1)).permute(0, 3, 1, 2)),
        lambda x, c: c(beside(x)),
        lambda x, c: c(into(framed(x), x, slice(1, -1), slice(1, -1))),
        lambda x, c: c(into(framed(x), x, *placed(x))),
        lambda x, c: c(torch.slice_scatter(framed(x), torch.slice_scatter(
            framed(x)[:, :, 1:-1], x, 3, 1, -1), 2, 1, -1))]),
    "shift": (list, [
        lambda x: F.pad(x, (1, -1)), lambda x: F.pad(x, (1, 0))[..., :-1],
        lambda x: torch.cat([torch.zeros(*x.shape[:3], 1), x[..., :-1]], 3),
        lambda x: into(torch.zeros_like(x), x[..., :-1], slice(None), slice(1, None)),
        lambda x: torch.slice_scatter(torch.zeros_like(x), x[..., :-1], 3, 1)]),
    "convolution": (lambda: [nn.Conv2d(4, 4, 3, padding=1)], [
        lambda x, c: c(x), lambda x, c: c(x[0])[None],
        lambda x, c: (c.weight.flatten(1) @ F.unfold(x, 3, padding=1)).view(x.shape),
        lambda x, c: F.linear(F.unfold(x, 3, padding=1).transpose(1, 2), c.weight.flatten(
            1)).transpose(1, 2).reshape(x.shape),
        lambda x, c: torch.einsum("bchwij,dcij->bdhw", windows(x), c.weight),
        lambda x, c: sum(F.conv2d(part, c.weight[:, :, i // 3, i % 3, None, None])
                         for i, part in enumerate(shifted(x))),
        lambda x, c: F.conv3d(x[:, :, None], c.weight[:, :, None], padding=(0, 1, 1))[:, :, 0],
        lambda x, c: F.conv2d(x.mT, c.weight.mT, padding=1).mT,
        lambda x, c: F.conv_transpose2d(x, c.weight.transpose(0, 1), padding=1)]),
    "depthwise": (lambda: [nn.Conv2d(4, 4, 3, padding=1, groups=4)], [
        lambda x, c: c(x), lambda x, c: (columns(x) * c.weight.view(1, 4, 9, 1, 1)).sum(2),
        lambda x, c: torch.cat([F.conv2d(part, kernel[None], padding=1) for part, kernel in
                                zip(x.split(1, 1), c.weight, strict=True)], 1),
        lambda x, c: F.conv2d(x.reshape(-1, 1, *x.shape[2:]), c.weight[:1], padding=1).view(
            x.shape)]),
    "maximum": (list, [
        lambda x: F.max_pool2d(x, 3, 1, 1), lambda x: windows(x).amax((4, 5)),
        lambda x: windows(x).flatten(4).max(-1)[0], lambda x: columns(x).amax(2),
        lambda x: torch.stack(shifted(x)).amax(0)]),
    "mean": (list, [
        lambda x: F.avg_pool2d(x, 2), lambda x: quarters(x).mean((3, 5)),
        lambda x: x.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)),
        lambda x: sum(corners(x)) / 4, lambda x: F.lp_pool2d(x, 2, 2),
        lambda x: F.adaptive_avg_pool2d(x, (x.shape[2] // 2, x.shape[3] // 2)),
        lambda x: F.interpolate(x, scale_factor=0.5, mode="area")]),
    "subsampling": (list, [
        lambda x: x[..., ::2, ::2], lambda x: F.max_pool2d(x, 1, 2),
        lambda x: quarters(x)[:, :, :, 0, :, 0], lambda x: F.interpolate(x, scale_factor=0.5),
        lambda x: x[:, :, torch.arange(0, x.shape[2], 2)][..., torch.arange(0, x.shape[3], 2)],
        lambda x: F.pixel_unshuffle(x, 2)[:, ::4]]),
    "enlarging": (list, [
        lambda x: F.interpolate(x, scale_factor=2), enlarged,
        lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3),
        lambda x: F.pixel_shuffle(x.repeat_interleave(4, 1), 2),
        lambda x: torch.kron(x, torch.ones(1, 1, 2, 2))]),
    "space to depth": (lambda: [nn.Conv2d(16, 4, 1)], [
        lambda x, c: c(F.pixel_unshuffle(x, 2)), lambda x, c: c(torch.cat(corners(x), 1)),
        lambda x, c: c(torch.stack(corners(x), 2).flatten(1, 2)),
        lambda x, c: c(quarters(x).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)),
        lambda x, c: c(F.unfold(x, 2, stride=2).view(1, 16, x.shape[2] // 2, -1)),
        lambda x, c: F.conv2d(x, c.weight.view(4, 4, 2, 2), c.bias, 2)]),
    "shuffle": (list, [
        lambda x: F.channel_shuffle(x, 2), lambda x: x[:, ORDER],
        lambda x: x.unflatten(1, (2, 2)).transpose(1, 2).flatten(1, 2),
        lambda x: torch.cat([x[:, i:i + 1] for i in ORDER], 1),
        lambda x: torch.stack([x[:, i] for i in ORDER], 1),
        lambda x: x.transpose(0, 1)[ORDER].transpose(0, 1)]),
    "half of the channels": (lambda: [nn.Conv2d(2, 2, 3, padding=1)], [
        lambda x, c: torch.cat([c(x[:, :2]), x[:, 2:]], 1),
        lambda x, c: torch.cat([c(x.chunk(2, 1)[0]), x.chunk(2, 1)[1]], 1),
        lambda x, c: torch.stack([c(x[:, :2]), x[:, 2:]], 1).flatten(1, 2),
        lambda x, c: into(x.clone().transpose(0, 1).contiguous().transpose(0, 1), torch.cat(
            [c(x[:, :2]), x[:, 2:]], 1), slice(None)),
        lambda x, c: torch.slice_scatter(x, c(x[:, :2]), 1, 0, 2)]),
    "gate": (lambda: [nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)], [
        lambda x, *m: x * gate(x, x.mean((2, 3)), *m),
        lambda x, *m: x * gate(x, F.adaptive_avg_pool2d(x, 1), *m).expand_as(x),
        lambda x, *m: x * gate(x, whole(x), *m), lambda x, *m: x * gate(x, x.sum((2, 3)), *m),
        lambda x, *m: (x + 0).mul_(gate(x, x.flatten(2).mean(2), *m)),
        lambda x, *m: torch.einsum("bchw,bc->bchw", x, gate(x, x.mean(3).mean(2), *m).flatten(1))]),
    "norm of a cell": (list, [
        lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (4,)).permute(0, 3, 1, 2),
        lambda x: F.layer_norm(tokens(x), (4,)).transpose(1, 2).view(x.shape),
        lambda x: centered(x, 1), lambda x: scaled(x, 1)]),
    "norm of a map": (list, [
        lambda x: F.instance_norm(x), lambda x: F.group_norm(x, 4),
        lambda x: F.layer_norm(x, x.shape[2:]), lambda x: centered(x, (2, 3)),
        lambda x: scaled(x, (2, 3)), by_group]),
    "attention": (lambda: [nn.Linear(4, 4)], [
        lambda x, m: F.scaled_dot_product_attention(
            *[m(tokens(x))] * 3).transpose(1, 2).view(x.shape),
        lambda x, m: (scores(x, m).softmax(-1) @ m(tokens(x))).mT.reshape(x.shape),
        lambda x, m: (m(tokens(x)).mT @ scores(x, m).softmax(-1).mT).reshape(x.shape),
        lambda x, m: torch.einsum("bsc,bts->bct", m(tokens(x)), scores(x, m).softmax(-1)).reshape(
            x.shape),
        lambda x, m: (m(tokens(x)).mT @ scores(x, m).softmax(1)).reshape(x.shape),
        lambda x, m: (m(tokens(x)).mT @ scores(x, m).mT.softmax(-1).mT).reshape(x.shape),
        lambda x, m: torch.einsum("bsc,bst->bct", m(tokens(x)), torch.einsum(
            "bsc,btc->bst", m(tokens(x)), m(tokens(x))).softmax(-2)).reshape(x.shape)]),
    "attention by a summary": (lambda: [nn.Linear(4, 4)], [
        lambda x, m: ((m(tokens(x)).mT @ m(tokens(x))).softmax(-1) @ tokens(x).mT).reshape(x.shape),
        lambda x, m: (tokens(x) @ (m(tokens(x)).mT @ m(tokens(x)))).mT.reshape(x.shape),
        lambda x, m: torch.einsum("bcd,btd->bct", torch.einsum(
            "btc,btd->bcd", m(tokens(x)), m(tokens(x))), tokens(x)).reshape(x.shape)]),
    "residual": (lambda: [nn.Conv2d(4, 4, 3, padding=1)], [
        lambda x, c: x + c(x), lambda x, c: c(x).add_(x), lambda x, c: sum([x, c(x)]),
        lambda x, c: torch.stack([x, c(x)]).sum(0), lambda x, c: torch.lerp(x, c(x), 0.5) * 2]),
}
ACTIVATIONS = [
    F.relu, F.hardswish, F.gelu, lambda x: x.clamp(min=0), lambda x: F.threshold(x, 0.0, 0.0),
    lambda x: torch.where(x > 0, x, 0.0), lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
    lambda x: torch.maximum(x, torch.zeros_like(x)), lambda x: x * (x > 0).float(),
    lambda x: x.masked_fill(x < 0, 0.0), lambda x: F.prelu(x, torch.tensor([0.1])),
    lambda x: (x + x.abs()) / 2, lambda x: x * torch.sigmoid(x)]


def around(kind, operation, modules):
    """A network with an operation in it."""
    if kind == "behind a stride":
        return nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), plain(operation, *modules),
                             nn.Conv2d(4, 4, 3, padding=1))
    inner = nn.Sequential(plain(operation, *modules), nn.Conv2d(4, 4, 3, padding=1))
    if kind == "in a branch":
        return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), plain(
            lambda x, m: torch.cat([x, m(x)], 1) if m(x).shape == x.shape else m(x), inner))
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), plain(operation, *modules),
                         nn.Conv2d(4, 4, 1), *{
                             "twice": [plain(operation, *modules)],
                             "before a head": [nn.AdaptiveAvgPool2d(1), nn.Flatten()]}[kind])


def described(net, looks_around):
    found = audit(net, (16, 24))
    fields = [found.last_map, found.output]
    return fields + [found.local.last_map, found.local.output] * looks_around


@pytest.mark.parametrize("kind", ["behind a stride", *[
    pytest.param(kind, marks=pytest.mark.slow) for kind in (
        "in a branch", "twice", "before a head")]])
@pytest.mark.parametrize("name", SPELLINGS)
def test_units_see_the_same_however_an_operation_is_written(name, kind):
    make, spellings = SPELLINGS[name]
    around_it = name.split()[0] in ("gate", "norm", "attention")
    first, *others = [described(around(kind, spelling, make()), around_it)
                      for spelling in spellings]
    assert [place for place, other in enumerate(others, 1) if other != first] == []


@pytest.mark.parametrize("name, kind", [
    ("gate", "gates"), ("attention", "attention"), ("attention by a summary", "attention")])
def test_what_is_left_aside_is_that_alone(name, kind):
    make, spellings = SPELLINGS[name]
    for spelling in spellings:
        net = around("behind a stride", spelling, make())
        sizes = {left: audit(net, (16, 24), ignore=left).output[0].size
                 for left in ("gates", "norms", "attention")}
        assert sizes.pop(kind) == 8 and set(sizes.values()) == {16}


def test_attention_beside_the_map_itself_is_no_gate():
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, dropout=0.0)
    net = around("behind a stride", lambda x, m: m(tokens(x)).mT.reshape(x.shape), [layer])
    assert audit(net, (16, 24), ignore="gates").output[0].everything
    assert not audit(net, (16, 24), ignore="attention").output[0].everything


def test_a_gate_is_compared_with_no_map():
    """Global pooling by a window leaves one cell, which lies in no place of its own."""
    make, spellings = SPELLINGS["gate"]
    for spelling in spellings:
        found = audit(around("behind a stride", spelling, make()), (16, 24))
        assert not any(join.problems for join in found.joins)


def test_activations_are_dropped_however_they_are_written():
    nets = [around("behind a stride", function, []) for function in ACTIVATIONS]
    assert {str(audit(net, (16, 24)).bounds().best) for net in nets} == {"5^24"}


def test_a_norm_of_a_cell_is_dropped_from_the_bounds_whatever_its_kind():
    class Norm(nn.Module):
        def __init__(self, norm):
            super().__init__()
            self.norm = norm

        def forward(self, x):
            return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    for norm in (nn.LayerNorm(CHANNELS), nn.RMSNorm(CHANNELS)):
        found = audit(around("behind a stride", lambda x, m: m(x), [Norm(norm)]), (16, 24))
        assert [layer.kind for layer in found.layers] == ["conv", "conv"]
        assert str(found.bounds().best) == "5^24"
        assert "normalization is dropped" in found.bounds().notes


def test_root_mean_squares_of_a_whole_map_are_a_norm():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), plain(lambda x: F.rms_norm(x, x.shape[1:])))
    assert [layer.kind for layer in audit(net, 16).layers] == ["conv", "norm"]
    assert audit(net, 16).output[0].everything
    assert audit(net, 16, ignore="norms").output[0].size == 3


def test_what_is_repeated_in_another_shape_is_left_aside_only_where_it_is_a_gate():
    """Numbers that differ from place to place, or a map, stay what they are."""
    def rows(x):                                    # one number for each row of the map
        means = x.mean((1, 3)).view(1, x.shape[2], 1)
        return x * means.expand(1, x.shape[2], CHANNELS * x.shape[3]).reshape(
            1, x.shape[2], CHANNELS, x.shape[3]).transpose(1, 2)

    def turned(x):                                  # the same numbers in the order of the map
        means = x.mean(2).view(1, -1, 1)
        return x * means.expand(1, means.shape[1], x.shape[2]).reshape(x.shape)

    for operation in (rows, turned):
        net = around("behind a stride", operation, [])
        assert audit(net, (16, 24), ignore="gates").output == audit(net, (16, 24)).output


@pytest.mark.parametrize("attend", [
    lambda x, q, k: (tokens(x).mT @ (0.5 * (k @ q.mT)).softmax(1)).reshape(x.shape),
    lambda x, q, k: ((0.5 * (q @ k.mT)).softmax(2) @ tokens(x)).mT.reshape(x.shape)])
def test_local_attention_keeps_what_asks_on_either_side_of_scaled_scores(attend):
    """The keys see 9 pixels, of which the one in the answer's place says nothing."""
    net = Run(lambda x, near, far: attend(x, tokens(near(x)), tokens(far(x))),
              nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 7, padding=3))
    assert [g.size for g in audit(net, 16).local.output] == [5, 5]


def test_one_number_for_each_place_in_a_patch_is_a_gate():
    """As in MobileViT-v2: (batch, channels, places in a patch, patches), summed over patches."""
    class Patches(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.score = nn.Conv2d(3, 4, 5, padding=2), nn.Conv2d(4, 1, 1)

        def forward(self, x):
            x = self.conv(x).view(1, 4, 4, 2, 4, 2).permute(0, 1, 3, 5, 2, 4).reshape(1, 4, 4, 16)
            context = (x * self.score(x).softmax(3)).sum(3, keepdim=True).expand_as(x)
            x = x.relu() * context
            return x.view(1, 4, 2, 2, 4, 4).permute(0, 1, 4, 2, 5, 3).reshape(1, 4, 8, 8)

    found = audit(Patches(), 8)
    assert all(axis.everything for axis in found.output)
    assert [(axis.size, axis.stride) for axis in found.local.output] == [(5, 1)] * 2


@pytest.mark.parametrize("compare", [
    lambda a, b: (a * b).sum(1), lambda a, b: torch.einsum("bchw, bchw -> bhw", a, b),
    lambda a, b: (a.movedim(1, 3)[..., None, :] @ b.movedim(1, 3)[..., None])[..., 0, 0],
    lambda a, b: torch.einsum("bchw, bchw -> bhw", a, b.cumsum(3))])
def test_local_fields_keep_both_maps_that_are_compared_place_by_place(compare):
    """As in a similarity of two branches, or what a scan of a state space model reads out."""
    class Compared(nn.Module):
        def __init__(self):
            super().__init__()
            self.near, self.far = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 7, padding=3)

        def forward(self, x):
            return compare(self.near(x), self.far(x))[:, None]

    found = audit(Compared(), 16)
    assert found.local.output == found.output and found.output[0].size in (7, 16)
