"""Rectifier networks: full rank without overlap, small rank with averages, both in integers."""

from itertools import product

import numpy as np
import pytest
import torch

import lib.grids.grid
from lib import Architecture
from lib.bounds.upper_bounds import linear_readout_upper_bound
from lib.constructions.rectifiers import (
    certify_rectifier,
    rectifier_construction,
    rectifier_outputs,
)
from lib.tests import brute_force
from lib.tests.networks import architectures, partitions
from lib.tests.sizes import Largest

SIZES = [(1, 5), (2, 2), (2, 3), (2, 4), (3, 2), (3, 3), (4, 2)]


def plain_matrix(net, weights, templates):
    """The left-right matrix of a ReLU network with maxima, in Python integers, window by window."""
    def value(shown):
        cells = [[int(entry) for entry in row] for row in np.eye(templates, dtype=int)[list(shown)]]
        for weight, bias in weights:
            weight, bias = weight.long().numpy(), bias.long().numpy()
            cells = [[max(max(0, sum(int(w) * x for w, x in zip(weight[c, :, o], cells[2 * u + o],
                                                                strict=True)) + int(bias[c, o]))
                          for o in (0, 1)) for c in range(len(weight))]
                     for u in range(len(cells) // 2)]
        return cells[0][0]

    half = net.size[0] // 2
    words = list(product(range(templates), repeat=half))
    return np.array([[value((*left, *right)) for right in words] for left in words])


@pytest.mark.parametrize("levels, templates", SIZES)
def test_two_channels_without_overlap_reach_the_full_rank(levels, templates):
    built = rectifier_construction(levels, templates)
    net, largest = built.architecture, templates ** 2 ** (levels - 1)
    assert max(net.widths[1:]) <= 2 and not net.is_overlapping
    shown = torch.randint(templates, (50, *net.size), generator=torch.Generator().manual_seed(0))
    outputs = rectifier_outputs(net, built.weights, shown)
    assert torch.equal(outputs, built.predicted_output(shown))
    assert certify_rectifier(net, built.weights, "left-right").rank == largest
    if largest <= 16:
        matrix = plain_matrix(net, built.weights, templates)
        assert brute_force.rank(matrix) == largest
        order = np.argsort(matrix[0], kind="stable")
        grid = matrix[np.ix_(np.argsort(matrix[:, 0], kind="stable"), order)]
        assert (grid == np.maximum.outer(np.arange(largest), np.arange(largest))).all()


@pytest.mark.parametrize("levels, templates", [(2, 2), (2, 3), (3, 2)])
def test_full_rank_on_an_open_set(levels, templates):
    """Weights in thousandths, biases too, each moved by up to four: the rank stays."""
    built, generator = rectifier_construction(levels, templates), torch.Generator().manual_seed(1)
    for _ in range(5):
        moved = [tuple(1000 * part + torch.randint(-4, 5, part.shape, generator=generator)
                       for part in pair) for pair in built.weights]
        moved = [(weight, 1000**layer * bias)   # layers below have made the values so much larger
                 for layer, (weight, bias) in enumerate(moved)]
        certificate = certify_rectifier(built.architecture, moved, "left-right")
        assert certificate.rank == templates ** 2 ** (levels - 1)


def test_as_products_the_same_networks_have_small_rank():
    """The separation is one of products: without overlap at most two channels and a bias."""
    for levels, templates in ((2, 3), (3, 2)):
        net = rectifier_construction(levels, templates).architecture
        assert net.non_overlapping_upper_bound() == 1
        assert brute_force.generic_rank(net, np.random.default_rng(0)) == 1


def integer_weights(net, generator):
    return [tuple(torch.randint(-3, 4, shape, generator=generator).double() for shape in pair)
            for pair in net.weight_shapes()]


def test_averages_stay_below_their_bound():
    """Random integer networks with ReLU and sums; without crossing cells at most 2."""
    generator, met, aligned = torch.Generator().manual_seed(2), 0, 0
    for net, rng in architectures(seed=3, count=400, most_entries=1024):
        if net.windows[-1] != net.strides[-1] or net.depth < 2:
            continue
        for name, axis in partitions(net):
            cut, cells = int(rng.integers(1, net.size[axis])), Architecture(
                net.size, net.channels, net.layers[:-1])
            bound = linear_readout_upper_bound(cells, name, cut)
            rank = certify_rectifier(net, integer_weights(net, generator), split(net, axis, cut),
                                     "sum").rank
            assert rank <= bound, (net, name, cut)
            met += rank == bound > 1
            aligned += bound == 2
    assert met > 10 and aligned > 10


@pytest.mark.parametrize("layers, bound", [
    (((2, 2, 1),), 2), (((2, 1, 1),), 3), (((3, 1, 1),), 4), (((3, 2, 1),), 3),
    (((2, 2, 1), (3, 1, 1)), 8)])
def test_sums_of_arbitrary_functions_of_cells_reach_the_bound(layers, bound):
    net, rng = Architecture((8,), 2, layers), np.random.default_rng(4)
    words = np.array(list(product(range(2), repeat=8)))
    outputs = np.zeros(len(words), dtype=np.int64)
    for start in range(0, 8, net.total_stride(net.depth)):
        seen = [start + o for o in net.reachable_shifts(net.depth) if start + o < 8]
        content = words[:, seen] @ 2 ** np.arange(len(seen))
        outputs += rng.integers(0, brute_force.PRIME, 2 ** len(seen))[content]
    assert linear_readout_upper_bound(net) == bound
    assert brute_force.rank(outputs.reshape(16, 16)) == bound


def split(net, axis, cut):
    """The modes before the cut."""
    positions = list(product(*map(range, net.size)))
    return [mode for mode, position in enumerate(positions) if position[axis] < cut]


def test_errors_say_what_is_not_exact():
    built = rectifier_construction(2, 2)
    halves = [(weight / 2, bias) for weight, bias in built.weights]
    with pytest.raises(ValueError, match="layer 1 has weights that are no integers"):
        certify_rectifier(built.architecture, halves, "left-right")
    large = [(weight * 2**30, bias) for weight, bias in built.weights]
    with pytest.raises(ValueError, match="numbers after layer 2 could reach"):
        certify_rectifier(built.architecture, large, "left-right")
    with pytest.raises(ValueError, match="levels=0"):
        rectifier_construction(0, 2)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_all_templates_of_a_representation_are_shown(count):
    net = Architecture((2,), 2, ((2, 2, 1),))
    weights = [(torch.tensor([[[1.0, 2.0], [3.0, 1.0]]]), None)]       # 1, 3 and 2, 1 at the places
    shown = [(1, 0), (0, 1), (1, 1), (2, 1)][:count]
    outputs = [[max(a + 3 * b, 2 * c + d, 0) for c, d in shown] for a, b in shown]
    found = certify_rectifier(net, weights, "left-right", representation=torch.tensor(shown))
    assert (found.shape, found.rank) == ((count, count), brute_force.rank(np.array(outputs)))


@pytest.mark.parametrize("partition", ["left-right", [0], [1, 2, 3]])
def test_no_more_than_the_matrix_is_held_at_once(monkeypatch, partition):
    monkeypatch.setattr(lib.grids.grid, "BATCH", 2**9)
    built = rectifier_construction(2, 16)
    with Largest() as largest:
        found = certify_rectifier(built.architecture, built.weights, partition)
    assert found.rank == min(found.shape)
    assert largest.bytes == 8 * 16**4
