"""Rectifier networks over trees, against networks in plain loops and searches over all weights."""

import itertools
import warnings
from fractions import Fraction

import pytest
import torch

from lib.exact.ranks import exact_rank
from lib.trees.decompositions import coefficient_tensor
from lib.trees.rectifiers import (
    keeps_order,
    largest_average_rank,
    maxima_rank_bound,
    maximum_as_products,
    ordered_weights,
    pair_weights,
    single_channel,
    universal_weights,
)
from lib.trees.tensors import activation_pooling, matricize
from lib.trees.tree import ModeTree

MAXIMUM, SUM = (activation_pooling("relu", pooling) for pooling in ("max", "sum"))
CASES = [(2, 2), (3, 2), (3, 3), (4, 2)]


def plain(tree, weights, pool):
    """The grid tensor by loops over Python integers: mix, rectify, pool."""
    def values(node, path, index):
        channels = []
        for t, child in enumerate(node.children):
            matrix = weights[(*path, t)].tolist()
            if isinstance(child, int):
                channels.append([row[index[child]] for row in matrix])
            else:
                below = values(child, (*path, t), index)
                channels.append([sum(w * x for w, x in zip(row, below, strict=True))
                                 for row in matrix])
        return [pool([max(0, x) for x in cell]) for cell in zip(*channels, strict=True)]

    shape = (tree.dim,) * tree.modes
    entries = [sum(a * x for a, x in zip(weights[()].tolist(), values(tree.root, (), index),
                                         strict=True))
               for index in itertools.product(range(tree.dim), repeat=tree.modes)]
    return torch.tensor(entries).double().reshape(shape)


def drawn(tree, generator, size=9):
    return {path: torch.randint(-size, size + 1, shape, generator=generator).double()
            for path, shape in tree.weight_shapes().items()}


def rank(tensor, partition="even-odd"):
    return exact_rank(matricize(tensor, partition)).rank


def test_decompositions_are_networks_written_as_loops():
    generator = torch.Generator().manual_seed(0)
    for tree in (ModeTree.star(4, 2, 3), ModeTree.perfect(4, 2, 3, (3, 2)),
                 ModeTree.perfect(8, 2, 2, (2, 3, 2)).permuted([3, 1, 0, 2, 7, 4, 5, 6])):
        weights = drawn(tree, generator)
        for operator, pool in ((MAXIMUM, max), (SUM, sum)):
            tensor = coefficient_tensor(tree, weights, operator=operator)
            assert torch.equal(tensor, plain(tree, weights, pool))


@pytest.mark.parametrize("modes, dim", CASES)
def test_every_tensor_is_a_sum_of_maxima(modes, dim):
    generator = torch.Generator().manual_seed(1)
    target = (dim**modes - 1) * torch.randint(-9, 10, (dim,) * modes, generator=generator).double()
    tree, weights = universal_weights(target)
    assert tree.root.width == dim**modes
    assert torch.equal(plain(tree, weights, max), target)


@pytest.mark.parametrize("modes, dim, width", [(4, 3, 3), (4, 3, 2), (4, 2, 4), (8, 2, 2)])
def test_the_deep_network_out_of_reach(modes, dim, width):
    tree = ModeTree.perfect(modes, 2, dim, (width,) + (1,) * (modes.bit_length() - 2))
    tensor, r = plain(tree, pair_weights(tree), max), min(width, dim)
    for index in itertools.product(range(dim), repeat=modes):
        pairs = zip(index[::2], index[1::2], strict=True)
        assert tensor[index] == r - all(d == e < r for d, e in pairs)
    assert rank(tensor) == r ** (modes // 2) + (r < dim)


def test_a_single_channel_is_recognized_exactly():
    """All tensors of two modes with small entries, against all channels with small weights."""
    star = ModeTree.star(2, 2, 1)
    reached = set()
    for a, b, c, d in itertools.product(range(3), repeat=4):
        weights = {(): torch.ones(1).double(), (0,): torch.tensor([[a, b]]).double(),
                   (1,): torch.tensor([[c, d]]).double()}
        reached.add(tuple(coefficient_tensor(star, weights, operator=MAXIMUM).flatten().tolist()))
    for entries in itertools.product(range(3), repeat=4):
        for sign in (1, -1):
            tensor = sign * torch.tensor(entries).double().reshape(2, 2)
            found = single_channel(tensor)
            assert (found is not None) == (tuple(map(float, entries)) in reached)
            if found is not None:
                assert torch.equal(coefficient_tensor(*found, operator=MAXIMUM), tensor)
    assert single_channel(torch.tensor([[1.0, -1.0], [0.0, 0.0]])) is None
    assert torch.equal(coefficient_tensor(*single_channel(torch.tensor([2.0, 3.0])),
                                          operator=MAXIMUM), torch.tensor([2.0, 3.0]).double())


@pytest.mark.parametrize("modes, dim", [(4, 2), (4, 3), (8, 2)])
def test_inside_the_limit_one_channel_is_enough(modes, dim):
    generator, scale = torch.Generator().manual_seed(2), 1000
    tree = ModeTree.perfect(modes, 2, dim, (2,) * (modes.bit_length() - 1))
    center = ordered_weights(tree)
    assert rank(coefficient_tensor(tree, center, operator=MAXIMUM)) == maxima_rank_bound(
        "even-odd", modes, dim)
    leaf = Fraction(1, 4)
    deeper = max(Fraction(k, scale) for k in range(60)
                 if keeps_order(tree, leaf, Fraction(k, scale)))
    assert 0 < deeper and not keeps_order(tree, leaf, deeper + Fraction(1, scale))
    for _ in range(20):  # corners of the box: every move is as large as allowed
        moved = {}
        for path, weight in center.items():
            size = leaf if len(path) == tree.root.height else deeper if path else 0
            signs = 2 * torch.randint(0, 2, weight.shape, generator=generator) - 1
            moved[path] = scale * weight + signs * int(size * scale)
        assert single_channel(coefficient_tensor(tree, moved, operator=MAXIMUM)) is not None


def test_a_channel_that_only_roundings_hide_is_no_silent_none():
    """Inside the limit one channel is enough, but sums of real weights are rounded unlike."""
    tree, generator = ModeTree.perfect(8, 2, 2, (4, 4, 4)), torch.Generator().manual_seed(0)
    assert keeps_order(tree, "1/5", "1/100")
    for _ in range(10):                     # which of them are hidden depends on the processor
        weights = {path: weight + (0.2 if len(path) == 3 else 0.01) * (
                       2 * torch.rand(weight.shape, generator=generator).double() - 1)
                   for path, weight in ordered_weights(tree).items()}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = single_channel(coefficient_tensor(tree, weights, operator=MAXIMUM))
        said = [str(warning.message) for warning in caught]
        assert (found is None) == any("roundings may leave; need exact" in one for one in said)
    for above, hint in ((4 + 2**-50, True), (4 + 2**-40, False)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert single_channel(torch.tensor([[1, above], [3, 4]], dtype=float)) is None
        assert bool(caught) == hint
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert single_channel(torch.eye(2)) is None
        assert single_channel(torch.tensor([[2**40, 2**40 - 1], [2**40 - 1, 2**40 - 1]])) is None


@pytest.mark.parametrize("order, inside, outside", [
    ((0, 2, 1, 3), "1/30", "1/26"),         # 7 + ε and 8 - ε meet at the root
    ((1, 0, 3, 2), "1/26", "1/25"),         # 6 + ε and 7 - ε, as without the exchange
])
def test_how_far_permuted_modes_may_move(order, inside, outside):
    tree = ModeTree.perfect(4, 2, 2, (2, 2)).permuted(order)
    assert keeps_order(tree, "1/4", inside) and not keeps_order(tree, "1/4", outside)
    generator, kept = torch.Generator().manual_seed(5), {inside: [], outside: []}
    for deeper, scale in ((inside, 3000), (outside, 2600)):
        for _ in range(60):
            moved = {}
            for path, weight in ordered_weights(tree).items():
                size = Fraction("1/4") if len(path) == 2 else Fraction(deeper) if path else 0
                signs = 2 * torch.randint(0, 2, weight.shape, generator=generator) - 1
                moved[path] = scale * weight + signs * int(size * scale)
            tensor = coefficient_tensor(tree, moved, operator=MAXIMUM)
            kept[deeper].append(single_channel(tensor) is not None)
    assert all(kept[inside])
    assert order[0] or not all(kept[outside])


def test_an_order_needs_one_width_on_every_level():
    """2 · 6 = 1 · 12 meet at the root: the smallest move needs a second channel."""
    tree = ModeTree.perfect(4, 2, 3, ((2, 1), 2))
    with pytest.raises(ValueError, match="one width on every level"):
        keeps_order(tree, 0, "1/1000")


def test_a_maximum_is_few_products():
    generator = torch.Generator().manual_seed(3)
    for modes, dim in CASES:
        star = ModeTree.star(modes, dim, 1)
        for _ in range(20):
            weights = drawn(star, generator, 4)
            products, terms = maximum_as_products(star, weights)
            assert products.root.width <= (dim - 1) * modes + 1
            assert torch.equal(coefficient_tensor(products, terms), plain(star, weights, max))
    order = star.permuted([2, 0, 3, 1])
    assert torch.equal(coefficient_tensor(*maximum_as_products(order, weights)),
                       plain(order, weights, max))


def test_few_channels_and_averages_stay_below_their_bounds():
    generator, met = torch.Generator().manual_seed(4), 0
    deep = ModeTree.perfect(4, 2, 3, (8, 8))
    for _ in range(10):
        few = [plain(star, drawn(star, generator), max)
               for star in (ModeTree.star(4, 3, channels) for channels in (1, 2))]
        average = coefficient_tensor(deep, drawn(deep, generator, 3), operator=SUM)
        for size in (1, 2, 3):
            for rows in itertools.combinations(range(4), size):
                for channels, tensor in enumerate(few, 1):
                    assert rank(tensor, rows) <= maxima_rank_bound(rows, 4, 3, channels)
                largest = largest_average_rank(rows, 4, 3)
                found = rank(average, rows)
                assert found <= largest
                met += found == largest
    assert met > 100


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        universal_weights(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="at least two entries"):
        universal_weights(torch.zeros(1, 1))
    for build in (pair_weights, ordered_weights):
        with pytest.raises(ValueError, match="not a perfect tree with pool size 2"):
            build(ModeTree.star(4, 2, 2))
    with pytest.raises(ValueError, match="deeper=1"):
        keeps_order(ModeTree.perfect(2, 2, 2, (1,)), 0, 1)
    with pytest.raises(ValueError, match="not a star of width 1"):
        maximum_as_products(ModeTree.star(2, 2, 2), {})
