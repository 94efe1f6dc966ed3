"""Every kind against a plain module written here, alone and packed."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lib.experiments.analysis import curve
from lib.experiments.ensembles import Ensemble
from lib.experiments.images import dead_leaves
from lib.experiments.jobs import run_job, train_job
from lib.experiments.kinds import BLOCKS, KINDS, MOMENTS, Kind
from lib.experiments.networks import Network, generator_for, initial_weights
from lib.experiments.settings import Settings
from lib.plots.experiments import draw_accuracy, draw_controls, draw_usage
from lib.plots.style import figure

pytestmark = pytest.mark.usefixtures("one_thread")


def right_and_bottom(x, amount):
    return F.pad(x, (0, amount, 0, amount))


def windows(x, window, stride):
    """Pixels of every window: (batch, channels, rows, columns, window, window)."""
    return x.unfold(2, window, stride).unfold(3, window, stride)


def clipped(x, window, value):
    """Windows of side 2 or 3 at stride 2, `value` outside the image."""
    return windows(F.pad(x, (0, window - 2, 0, window - 2), value=value), window, 2)


# one function per kind: features of the next block from those of this one, weights and biases
def published(x, w, b):
    return F.max_pool2d(F.relu(F.conv2d(x, w, b, padding="same")), 2)


def published_mean(x, w, b):
    return F.avg_pool2d(F.relu(F.conv2d(x, w, b, padding="same")), 2)


def wide_max(x, w, b):
    return clipped(F.relu(F.conv2d(x, w, b)), 3, -1.0).amax((4, 5))


def wide_mean(x, w, b):
    values = F.relu(F.conv2d(x, w, b))
    total = clipped(values, 3, 0.0).sum((4, 5))
    return total / clipped(torch.ones_like(values), 3, 0.0).sum((4, 5))


def strided(x, w, b):
    window = w.shape[-1]
    x = F.pad(x, (1, 1, 1, 1)) if window == 4 else right_and_bottom(x, window - 2)
    return F.relu(F.conv2d(x, w, b, stride=2))


def order_free(window):
    def block(x, w, b):
        average = windows(right_and_bottom(x, window - 2), window, 2).mean((4, 5))
        return F.relu(F.conv2d(average, w, b))
    return block


def order_free_published(x, w, b):
    average = windows(right_and_bottom(x, 1), 2, 1).mean((4, 5))
    return F.max_pool2d(F.relu(F.conv2d(average, w, b)), 2)


def depthwise(x, w, b, kernel):
    x = right_and_bottom(F.conv2d(x, w), kernel.shape[-1] - 2)
    return F.relu(F.conv2d(x, kernel, b, stride=2, groups=len(kernel)))


def haar(x, w, b):
    """1 x 1 map, then sums and differences of two rows and two columns."""
    blocks = windows(F.conv2d(x, w), 2, 2)
    sums, differences = blocks.sum(-1), blocks[..., 0] - blocks[..., 1]
    patterns = [sums.sum(-1), differences.sum(-1), sums[..., 0] - sums[..., 1],
                differences[..., 0] - differences[..., 1]]
    chosen = [patterns[o % 4][:, o] / 2 + b[o] for o in range(len(b))]
    return F.relu(torch.stack(chosen, 1))


def own_maps(x, w, b, stride):
    """Affine map of every offset: (batch, outputs, rows, columns, window, window)."""
    window = w.shape[-1]
    seen = windows(right_and_bottom(x, window - stride), window, stride)
    return torch.einsum("nirsab,oiab->norsab", seen, w) + b[:, None, None]


def offset_max(x, w, b):
    return F.relu(own_maps(x, w, b, 2).amax((4, 5)))


def offset_published(x, w, b):
    return F.max_pool2d(F.relu(own_maps(x, w, b, 1).amax((4, 5))), 2)


def product_pooled(x, w, b):
    values = 1 + F.conv2d(x, w, b, padding="same")
    return windows(values, 2, 2).prod(-1).prod(-1) - 1


def offset_product(x, w, b):
    return (1 + own_maps(x, w, b, 2)).prod(-1).prod(-1) - 1


BLOCK = {
    **{f"B{window}": published for window in range(1, 6)},
    **{f"B{window}mean": published_mean for window in (1, 2, 3)},
    **{f"B{window}prod": product_pooled for window in (1, 2, 3)},
    "B1max3": wide_max, "B1mean3": wide_mean, "offset2": offset_max, "offset3": offset_max,
    "same2": order_free(2), "same3": order_free(3), "B2same": order_free_published,
    "conv2": strided, "conv3": strided, "conv4": strided, "B2offset": offset_published,
    "depth2": depthwise, "depth3": depthwise, "haar2": haar,
    "offset2prod": offset_product, "offset3prod": offset_product,
}


def parameters(values, number):
    """What `BLOCK` takes after the features."""
    return [values[f"{name}{number}"] for name in ("conv", "bias", "depth")
            if f"{name}{number}" in values]


class Plain(nn.Module):
    """One network, computed as its kind is described, in float64."""

    def __init__(self, network):
        super().__init__()
        self.block = BLOCK[network.block]
        self.circuit = network.block.endswith("prod")
        values = initial_weights(network.block, network.channels, network.seed)
        self.values = nn.ParameterDict({name: t.double() for name, t in values.items()})

    def forward(self, x):
        for number in range(BLOCKS):
            x = self.block(x, *parameters(self.values, number))
        x = x.flatten(1)
        if self.circuit:
            return x / x.square().mean(1, keepdim=True).sqrt() @ self.values["head"]
        return x @ self.values["head"] + self.values["head_bias"]


def loss_of(scores, labels):
    """Mean loss of every network, summed over the networks; scores (batch, networks, 10)."""
    wanted = labels[:, None].expand(scores.shape[:2])
    return F.cross_entropy(scores.transpose(1, 2), wanted, reduction="none").mean(0).sum()


@pytest.mark.parametrize("block", KINDS)
@pytest.mark.parametrize("widths", [(4,), (2, 5, 3)])
def test_scores_and_gradients_are_those_of_a_plain_module(block, widths):
    networks = [Network(block, width, "none", seed) for seed, width in enumerate(widths)]
    ensemble = Ensemble(networks).double()
    generator = generator_for("kinds", block)
    images = torch.randn((4, 3, 32, 32), generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 3, 9, 1])
    shifts = {}
    for place, network in enumerate(networks):  # biases that matter
        values = initial_weights(network.block, network.channels, network.seed)
        for name in values:
            if name.startswith("bias"):
                values[name] = torch.randn(values[name].shape, generator=generator) / 10
        shifts[network] = values
        ensemble.load_network(place, values)
    scores = ensemble(images)
    exact = 1e-5 if ensemble.kind.product else 1e-9  # 1 + u - 1 loses the digits of a small u
    loss_of(scores, labels).backward()
    ensemble.mask_gradients()
    for place, network in enumerate(networks):
        plain = Plain(network)
        for name, values in shifts[network].items():
            plain.values[name].data.copy_(values)
        wanted = plain(images)
        torch.testing.assert_close(scores[:, place], wanted, rtol=exact, atol=exact)
        F.cross_entropy(wanted, labels).backward()
        for name, gradient in ensemble.gradients(place).items():
            theirs = plain.values[name].grad
            theirs = torch.zeros_like(gradient) if theirs is None else theirs
            torch.testing.assert_close(gradient, theirs, rtol=exact, atol=exact)
    for weight in ensemble.conv[1:]:  # nothing connects two networks
        assert int((weight.grad != 0).sum()) <= sum(width**2 for width in widths) * (
            ensemble.kind.side**2)


@pytest.mark.parametrize("block", KINDS)
def test_counts(block):
    kind, network = KINDS[block], Network(block, 7, "none", 0)
    values = initial_weights(block, 7, 0)
    unused = len(values["head_bias"]) if kind.product else 0
    assert kind.parameter_count(7) == sum(t.numel() for t in values.values()) - unused
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        Ensemble([network])(torch.zeros(1, 3, 32, 32))
    assert kind.forward_operations(7) == pytest.approx(
        counter.get_total_flops(), rel=0.01 if kind.product else 0)


def test_factors_by_experiment():
    """Overlap, order and mixing of a kind are what its first block does to an image."""
    generator = generator_for("factors")
    values = torch.rand((1, 3, 32, 32), generator=generator, dtype=torch.float64) + 1
    for block, kind in KINDS.items():
        weights = {name: t.double() for name, t in initial_weights(block, 4, 0).items()}
        first = parameters(weights, 0)
        image = values.clone().requires_grad_()
        out = BLOCK[block](image, *(t.abs() for t in first))
        seen = torch.zeros(16, 16, 32, 32, dtype=torch.bool)
        for row in range(6, 9):
            for column in range(6, 9):
                gradient, = torch.autograd.grad(out[0, :, row, column].sum(), image,
                                                retain_graph=True)
                seen[row, column] = (gradient != 0).any(1)[0]
        # mixing: with positive weights, every pixel of the map's window has an influence
        if kind.mixing:
            assert int(seen[7, 7].sum()) >= kind.window**2
        if kind.order or kind.overlap:
            continue
        swapped = values[..., [w ^ 1 for w in range(32)]]  # exchange the columns of every block
        torch.testing.assert_close(BLOCK[block](swapped, *first), BLOCK[block](values, *first))
    table = {name: (kind.overlap, kind.order, kind.mixing) for name, kind in KINDS.items()}
    assert {table[name] for name in ("B1", "B1max3", "offset2", "offset3", "same2", "same3",
                                     "conv2", "conv3")} == set(
        (bool(n & 4), bool(n & 2), bool(n & 1)) for n in range(8))
    assert table["B2"] == table["conv3"] == table["depth3"] == (True, True, True)
    assert table["conv2"] == table["depth2"] == table["haar2"] == (False, True, True)
    assert table["B2same"] == (True, False, True) and table["B2offset"] == (True, True, False)


@pytest.mark.parametrize("block", ["haar2", "depth2", "depth3"])
def test_controls_at_the_parameters_of_b1_start_where_b1_starts(block):
    ours, theirs = initial_weights(block, 8, 3), initial_weights("B1", 8, 3)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    extra = KINDS[block].parameter_count(8) - KINDS["B1"].parameter_count(8)
    assert extra == (0 if block == "haar2" else BLOCKS * 8 * KINDS[block].window**2)
    assert KINDS[block].variance(5) == KINDS["B1"].variance(5)


def test_moments_are_those_of_the_largest_of_independent_normal_values():
    generator = generator_for("moments")
    for count, moment in MOMENTS.items():
        values = torch.randn((200_000, count), generator=generator, dtype=torch.float64)
        assert float(values.amax(1).clamp_min(0).square().mean()) == pytest.approx(moment, rel=0.02)


@pytest.mark.parametrize("values", [
    (3, 1, "summ"), (3, 1, "sum", "min"), (3, 3, "sum", "none"), (3, 1, "sum", "none"), (3, 2),
    (0,), (2.0,), (True,), (3, 1, "sum", "max", 4), (3, 2, "haar", "none"), (4, 2, "max", "none"),
    (2, 1, "product", "max"), (2, 1, "product", "product"), (2, 1, "max", "product"),
    (2, 1, "sum", "product", 3)], ids=str)
def test_kinds_that_would_compute_something_else_are_refused(values):
    """A name with a slip trained ordinary convolutions, windows of a pool were passed over."""
    with pytest.raises(ValueError, match=r"Kind\(name='own', window=.*: a window of at least 1"):
        Kind("own", *values)


def test_a_kind_of_ones_own_is_trained_like_the_others(monkeypatch):
    monkeypatch.setitem(KINDS, "own", Kind("own", 4, pool="mean", pool_window=3))
    found, images = Ensemble([Network("own", 2, "none", 0)]), torch.randn(2, 3, 32, 32)
    expected = images
    for w, b in zip(found.conv, found.bias, strict=True):
        expected = F.relu(F.conv2d(F.pad(expected, (1, 2, 1, 2)), w, b))
        total = clipped(expected, 3, 0.0).sum((4, 5))
        expected = total / clipped(torch.ones_like(expected), 3, 0.0).sum((4, 5))
    torch.testing.assert_close(found(images)[:, 0], expected.flatten(1) @ found.head)


def test_a_kind_that_this_process_does_not_know_is_said_in_words():
    """A file names kinds of somebody's own; so do the jobs that a worker of theirs is given."""
    network = Network("B2", 2, "color", 0)
    object.__setattr__(network, "block", "mine")  # as it is unpickled
    data = dead_leaves(10, leaves=1)
    job, records, [failure] = run_job((network,), Settings(images=10), (None, None))
    assert job == (network,) and not records
    said = "KINDS: no kind 'mine' in this process; need one of B1, B2, "
    assert said in failure and "at the top of the script, which workers run" in failure
    found = {("color", "mine", 2): [0.5], ("color", "mine", 4): [0.7]}
    usage = [{"block": "mine", "accuracy": 0.5, "after": {"effective": 1.5}}]
    with figure() as (_, axes):
        for draw in (lambda: draw_accuracy(axes, found, "color", dashed={}),
                     lambda: draw_usage(axes, usage), lambda: draw_controls(found, ("mine",)),
                     lambda: curve(found, "color", "mine", "parameters"),
                     lambda: train_job((network,), Settings(images=10), data)):
            with pytest.raises(KeyError, match=said):
                draw()
    assert [point[:2] for point in curve(found, "color", "mine")] == [(2, 0.5), (4, 0.7)]


@pytest.mark.parametrize("combine", ["sum", "depth", "same"])
def test_a_window_smaller_than_its_stride_skips_pixels(monkeypatch, combine):
    strides, plain = [], F.conv2d

    def conv2d(images, weight, bias=None, stride=1, padding=0):
        strides.append(stride)  # a backward pass at stride 2 ends the process, in torch
        return plain(images, weight, bias, stride, padding)

    monkeypatch.setitem(KINDS, "skip", Kind("skip", 1, 2, combine, "none"))
    ensemble = Ensemble([Network("skip", 5, "none", 0)])
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(F, "conv2d", conv2d)
    scores = ensemble(images)
    assert strides == [1] * BLOCKS
    pixels = images[..., :1, :1].expand_as(images)  # the only one that is read
    assert torch.allclose(ensemble(pixels), scores, atol=1e-6)
    assert not torch.allclose(ensemble(images.flip(-1)), scores, atol=1e-3)


def test_what_a_kind_may_be_is_said_in_full():
    with pytest.raises(ValueError, match="a pool of max, mean, product and window 2 or 3, or "):
        Kind("own", 0)
    with pytest.raises(ValueError, match="product with pool='none'"):  # of a mean nothing was said
        Kind("own", 2, combine="product", pool="mean")
    skipped = Kind("own", 1, 2, pool="none")        # every second pixel of every second row
    assert (skipped.field, skipped.overlap, skipped.order) == (1, False, False)
