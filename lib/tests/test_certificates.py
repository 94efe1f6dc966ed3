"""Ranks of random instances against formulas with proofs, and against a second implementation."""

import math

import pytest
import torch

from lib.bounds.partitions import split_modes
from lib.exact.arithmetic import Modular, Real
from lib.exact.ranks import exact_rank
from lib.grids.certify import certify, certify_weights, entry_degree
from lib.grids.grid import grid_block
from lib.networks.convolutional import forward, grid_network
from lib.tests.networks import NETWORKS, grid, line
from lib.tests.rank_oracles import flint_rank
from lib.trees.decompositions import coefficient_tensor
from lib.trees.tensors import indices, matricize
from lib.trees.tree import ModeTree

OTHER_PRIME = 8388587


# Generic ranks for the left-right partition.
GENERIC = [(net, rank) for net, *_, rank in NETWORKS if rank is not None]
GENERIC.append((line(4, 2, (3, 1, 4), (1, 4, 1)), 2))


@pytest.mark.parametrize("net, rank", GENERIC, ids=lambda value: str(value)[:60])
def test_generic_ranks(net, rank):
    """No bound of the course is violated, and the rank does not depend on the point."""
    found = certify(net, "left-right")
    assert found.rank == rank and not found.sampled
    assert found.rank >= int(net.overlap_bound()) and found.rank >= int(net.crossing_bound())
    assert certify(net, "left-right", seed=1, representation="random").rank == rank
    assert certify(net, "left-right", shared=False).rank == rank


@pytest.mark.parametrize("net, rank", [case for case in GENERIC if math.prod(case[0].size) < 17],
                         ids=lambda value: str(value)[:60])
def test_generic_ranks_by_forward_passes_and_another_elimination(net, rank):
    """Another prime, no split evaluation, and FLINT's elimination."""
    field = Modular(OTHER_PRIME)
    weights = net.random_weights(field, torch.Generator().manual_seed(5))
    split = split_modes("left-right", net.grid)
    every = [indices(net.channels, len(modes)) for modes in split]
    network = grid_network(net, weights, field)
    block = grid_block(network, field.tensor(torch.eye(net.channels)), split[0],
                       math.prod(net.size), *every)
    assert flint_rank(block.numpy().astype("int64"), OTHER_PRIME) == rank


@pytest.mark.parametrize("last_bias", [True, False])
@pytest.mark.parametrize("channels", [2, 3])
def test_exact_two_layer_rank_of_sequences(channels, last_bias):
    for window in range(1, 9):
        for width in range(1, 5):
            net = line(8, channels, (window, 1, width), (8, 8, 1))
            predicted = net.exact_two_layer_rank(last_bias=last_bias)
            found = certify(net, "left-right", biases=(True, last_bias))
            assert found.rank == int(predicted), (window, width)


@pytest.mark.parametrize("window", range(1, 5))
def test_exact_two_layer_rank_of_grids(window):
    for width in (1, 2, 3):
        for last_bias in (True, False):
            net = grid(4, 2, (window, 1, width), (4, 4, 1))
            for name in ("left-right", "top-bottom"):
                predicted = net.exact_two_layer_rank(name, last_bias=last_bias)
                assert certify(net, name, biases=(True, last_bias)).rank == int(predicted)


@pytest.mark.parametrize("width", range(1, 7))
def test_aligned_networks_without_overlaps_stay_below_their_width(width):
    """Lemma 1 with its bias: D, and D + 1 if the last layer has a bias."""
    net = grid(4, 2, (2, 2, 4), (2, 2, width), (1, 1, 1))
    for name in ("left-right", "top-bottom"):
        for biases in (True, False, (True, True, False), (False, False, True)):
            last = biases if isinstance(biases, bool) else biases[-1]
            bound = net.non_overlapping_upper_bound(name, last_bias=last)
            assert certify(net, name, biases=biases).rank == int(bound) == width + last
    merged = grid(4, 2, (2, 2, width), (2, 2, 1))  # the last layer pools itself
    assert certify(merged, "left-right").rank == int(merged.non_overlapping_upper_bound()) == 1


@pytest.mark.parametrize("layers, with_bias, without", [
    ([(2, 2, 2), (3, 3, 2), (1, 1, 1)], 55, 16),  # the cut crosses the second pooling
    ([(3, 3, 2), (2, 2, 2), (1, 1, 1)], 3, 2),  # aligned
    ([(4, 4, 2), (2, 2, 2), (1, 1, 1)], 9, 0),  # windows overhang
    ([(2, 2, 2), (4, 4, 2), (1, 1, 1)], 55, 0),
])
def test_alignment_decides_without_overlaps(layers, with_bias, without):
    net = grid(6, 2, *layers)
    bound = net.non_overlapping_upper_bound()
    assert (bound is not None and int(bound) >= with_bias) == (layers[0] == (3, 3, 2))
    for biases, rank in ((True, with_bias), (False, without)):
        found = certify(net, "left-right", biases=biases, rows=300, columns=300)
        assert found.rank == rank and found.sampled


EDGE = grid(4, 2, (3, 1, 2), (4, 4, 1))


@pytest.mark.parametrize("biases, rank", [
    (True, 256), (False, 0), ((False, True), 81), ((True, False), 256),
])
def test_biases_carry_the_padded_windows(biases, rank):
    for name in ("left-right", "top-bottom"):
        assert certify(EDGE, name, biases=biases).rank == rank


@pytest.mark.parametrize("representation, rank", [
    (torch.tensor([[1, 2], [3, 6]]), 256),  # proportional: affinely independent with biases
    (torch.tensor([[1, 2], [1, 2]]), 1),  # one template twice
    ("random", 256),
])
def test_representations(representation, rank):
    assert certify(EDGE, "left-right", representation=representation).rank == rank


@pytest.mark.parametrize("window, rank", [(1, 3), (2, 81), (3, 256)])
def test_a_later_window_smaller_than_its_stride_loses_rank(window, rank):
    assert certify(grid(4, 2, (3, 1, 2), (window, 4, 1)), "left-right").rank == rank


def test_a_single_layer_has_rank_one_for_every_output():
    net = grid(4, 2, (4, 4, 2))
    assert [certify(net, "left-right", output=o).rank for o in (0, 1)] == [1, 1]


@pytest.mark.parametrize("shared, rank", [(None, 9), (False, 9), (True, 6)])
def test_trees(shared, rank):
    tree = ModeTree.star(modes=4, dim=3, width=9)
    assert certify(tree, "even-odd", shared=shared).rank == rank


def test_trees_by_their_tensor():
    tree = ModeTree.perfect(modes=8, pool=2, dim=3, widths=(2, 3, 2))
    field = Modular()
    weights = tree.random_weights(field, torch.Generator().manual_seed(0))
    for rows in ("even-odd", "left-right", [0, 1, 5]):
        whole = matricize(coefficient_tensor(tree, weights, field), rows)
        assert certify(tree, rows).rank == exact_rank(whole).rank == tree.mincut(rows)


def test_large_matrices_are_sampled():
    """2 ** 25 rows and columns: every rank of the block is one of the matrix."""
    tree = ModeTree.perfect(modes=64, pool=2, dim=2, widths=(2,) * 6)
    found = certify(tree, "even-odd", rows=50, columns=60)
    assert found.sampled and found.shape == (50, 60) and found.full
    few = certify(tree, [0, 1], columns=40)
    assert few.shape == (4, 40) and few.sampled and few.rank == tree.mincut([0, 1])
    assert certify(tree, "left-right", rows=50, columns=60).rank == tree.mincut("left-right")


def test_explicit_weights_are_integers_of_any_sign():
    net = line(2, 2, (2, 1, 2), (2, 2, 1))
    select = torch.zeros(2, 2, 2, dtype=torch.int64)  # channel c: [d = c] here and at the next
    select[0, 0], select[1, 1] = torch.tensor([1, 1]), torch.tensor([1, 1])
    bias = torch.zeros(2, 2, dtype=torch.int64)
    total = torch.tensor([[[1, 0], [-1, 0]]]), torch.tensor([[0, 1]])
    weights = [(select, bias), total]
    assert certify_weights(net, weights, "left-right").rank == 2
    x = torch.eye(2)[indices(2, 2)].mT  # (4, M, N)
    real = [(w.float(), b.float()) for w, b in weights]
    assert forward(net, real, x, Real()).flatten().tolist() == [1, 0, 0, -1]
    with pytest.raises(ValueError, match="not an exact integer"):
        certify_weights(net, [(select / 3, bias), total], "left-right")


def test_a_degenerate_point_has_less_than_the_generic_rank():
    tree = ModeTree.perfect(modes=8, pool=2, dim=3, widths=(3, 2, 2))
    ones = {path: torch.ones(shape) for path, shape in tree.weight_shapes().items()}
    assert certify_weights(tree, ones, "even-odd").rank == 1
    assert certify(tree, "even-odd").rank == 81


def degree_by_doubling(net, rows_of_degree):
    """The degree along a random line through the origin: by interpolation over GF(p)."""
    field, g = Modular(), torch.Generator().manual_seed(0)
    weights = net.random_weights(field, g)
    x = field.tensor(torch.eye(net.channels))[torch.zeros(1, math.prod(net.size)).long()]
    values = []
    for t in range(rows_of_degree + 2):
        scaled = [(field.multiply(w, t), field.multiply(b, t)) for w, b in weights]
        values.append(int(grid_network(net, scaled, field)(x)))
    differences = [values]
    while len(differences[-1]) > 1:
        last = differences[-1]
        differences.append([(b - a) % field.prime for a, b in zip(last, last[1:], strict=False)])
    return max((k for k, d in enumerate(differences) if any(d)), default=0)


@pytest.mark.parametrize("net", [
    line(4, 2, (2, 2, 3), (2, 2, 1)), line(5, 2, (3, 2, 2), (2, 1, 2), (3, 3, 1)),
    grid(2, 2, (2, 1, 2), (2, 2, 1)),
])
def test_degree_of_the_entries(net):
    weights = net.random_weights(Modular(), torch.Generator().manual_seed(0))
    predicted = entry_degree(net, weights)
    assert degree_by_doubling(net, predicted) == predicted
    assert entry_degree(net, weights, random_templates=True) > predicted
    found = certify(net, "left-right")
    assert found.degree == predicted


@pytest.mark.parametrize("arguments, error, message", [
    ({"subject": torch.nn.Linear(2, 2)}, TypeError, "is not a ModeTree or an Architecture"),
    ({"subject": ModeTree}, TypeError, "is not a ModeTree or an Architecture"),
    ({"representation": "identity"}, ValueError, "give None, 'random' or a matrix"),
    ({"representation": torch.ones(2, 3)}, ValueError, r"need \(templates, 2\)"),
    ({"biases": (True,)}, ValueError, "one per layer"),
    ({"rows": 0}, ValueError, "take at least one of each"),
    ({"prime": 8}, ValueError, "not a prime"),
    ({"subject": ModeTree.star(4, 2, 2), "biases": False}, ValueError, "have no biases"),
])
def test_errors_name_what_is_wrong(arguments, error, message):
    with pytest.raises(error, match=message):
        certify(**{"subject": EDGE, "partition": "left-right"} | arguments)
