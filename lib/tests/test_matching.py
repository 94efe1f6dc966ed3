"""Matchings against networkx, and the network of Theorem 2 on them."""

from collections import Counter
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
import torch

from lib import Architecture, Layer, matching_construction
from lib.bounds.matching import _augment, matching_number, maximum_matching
from lib.exact.arithmetic import Modular
from lib.grids.certify import certify
from lib.tests import brute_force

FIELD = Modular()
CORNER = (4, 5, 6, 8, 9, 10, 12, 13)               # inside the lower left 3 x 3 of a 4 x 4 grid


def random_half(rng, cells):
    return tuple(sorted(int(p) for p in rng.permutation(cells)[: cells // 2]))


def reaches(p, q, window):
    """Whether the window anchored at p contains q."""
    return all(a <= b < a + r for a, b, r in zip(p, q, window, strict=True))


def networkx_number(rows, size, window):
    cells = list(np.ndindex(*size))
    graph = nx.Graph()
    graph.add_nodes_from(range(len(cells)))
    for p, q in combinations(range(len(cells)), 2):
        if (p in rows) != (q in rows) and reaches(cells[p], cells[q], window):
            graph.add_edge(p, q)
    found = nx.bipartite.hopcroft_karp_matching(graph, top_nodes=[p for p in rows])
    return len(found) // 2


def test_matchings_are_valid_and_as_large_as_networkx_finds():
    rng = np.random.default_rng(0)
    for _ in range(300):
        size = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 3)))
        window = tuple(int(r) for r in rng.integers(1, 6, len(size)))
        cells = list(np.ndindex(*size))
        rows = tuple(int(p) for p in np.flatnonzero(rng.random(len(cells)) < 0.5))
        pairs = maximum_matching(rows, size, window)
        assert len({p for pair in pairs for p in pair}) == 2 * len(pairs)
        assert all(reaches(cells[p], cells[q], window) and (p in rows) != (q in rows)
                   for p, q in pairs)
        assert matching_number(rows, size, window) == networkx_number(set(rows), size, window)


def test_all_even_partitions_of_four_by_four():
    """6435 partitions: all 8 pairs but for 18 with 7."""
    numbers = Counter(matching_number((0, *rest), (4, 4)) for rest in combinations(range(1, 16), 7))
    assert numbers == {8: 6417, 7: 18}


@pytest.mark.parametrize("size", [4, 6, 8, 10, 12, 16])
def test_matching_number_is_at_least_its_lower_bound(size):
    """nu >= (sqrt 2 - 1) H^2, tried where it is tight: a block in the lower left corner."""
    rng, cells = np.random.default_rng(size), size**2
    corner = sorted(range(cells), key=lambda p: max(size - 1 - p // size, p % size))[: cells // 2]
    tried = [corner, *(random_half(rng, cells) for _ in range(10))]
    for rows in tried:
        number = matching_number(rows, (size, size))
        assert (number + cells) ** 2 >= 2 * cells**2             # in integers
    assert matching_number(corner, (size, size)) < cells // 2
    named = [range(cells // 2), [p for p in range(cells) if p % size < size // 2],
             [p for p in range(cells) if (p // size + p % size) % 2]]
    assert all(matching_number(rows, (size, size)) == cells // 2 for rows in named)


def network(size, channels, width, window=None):
    window = size if window is None else window
    return Architecture(size, channels, (Layer(window, 1, width), Layer(size, size, 1)))


def exact_rank(built, rows, sample=None):
    """Rank of the whole matricization by plain elimination.

    The network is run on all templates, or on a sample of them, half with every pair equal;
    the rest of the matrix is then the closed form.
    """
    net, count = built.architecture, torch.Size(built.architecture.size).numel()
    index = np.indices((net.channels,) * count).reshape(count, -1)
    order = [*rows, *(p for p in range(count) if p not in rows)]
    templates = torch.empty(index.shape[1], count, dtype=torch.int64)
    templates[:, order] = torch.from_numpy(index.T.copy())
    values = built.predicted_output(templates)
    if sample is not None:
        chosen = torch.arange(0, len(templates), len(templates) // sample)
        templates = templates[chosen].clone()
        for p, q in built.pairs:
            templates[::2, q] = templates[::2, p]
    run = torch.cat([built.output(part) for part in templates.split(4096)])
    assert bool((run == built.predicted_output(templates)).all()) and bool((run == 1).any())
    matrix = values.numpy().astype(np.int64).reshape(net.channels ** len(rows), -1)
    return brute_force.rank(matrix, FIELD.prime)


@pytest.mark.parametrize("size, channels, shared, count", [
    ((2, 2), 3, False, 3), ((2, 2), 3, True, 3), ((2, 3), 2, True, 6), ((2, 3), 2, False, 6),
    ((8,), 2, True, 4), ((8,), 2, False, 4)])
def test_rank_is_the_base_to_the_matching_number(size, channels, shared, count):
    rng, generator = np.random.default_rng(1), torch.Generator().manual_seed(1)
    cells = int(np.prod(size))
    for _ in range(count):
        rows = random_half(rng, cells)
        number = matching_number(rows, size)
        for width in [channels * cells] if shared else [channels - 1, channels, channels + 1]:
            representation = FIELD.random((channels, channels), generator)
            built = matching_construction(network(size, channels, width), rows, representation,
                                          FIELD, shared)
            assert exact_rank(built, rows) == min(width, channels) ** number
            assert built.rank().value == min(width, channels) ** number


@pytest.mark.parametrize("rows, rank", [(CORNER, 128), (tuple(range(8)), 256),
                                        ((0, 2, 5, 7, 8, 10, 13, 15), 256)])
@pytest.mark.parametrize("shared", [False, True])
def test_four_by_four(rows, rank, shared):
    generator = torch.Generator().manual_seed(2)
    width = 2 * 8 + 8 + 1 if shared else 2
    built = matching_construction(network((4, 4), 2, width), rows,
                                  FIELD.random((2, 2), generator), FIELD, shared)
    assert exact_rank(built, rows, sample=300) == rank == built.rank().value


def test_a_smaller_window_reaches_fewer_pairs():
    generator, rows = torch.Generator().manual_seed(3), (0, 1, 2, 3)
    for window, number in ((2, 1), (3, 2), (4, 3), (5, 4), (8, 4)):
        built = matching_construction(network((8,), 2, 2, window), rows,
                                      FIELD.random((2, 2), generator), FIELD)
        assert len(built.pairs) == number and exact_rank(built, rows) == 2**number


@pytest.mark.slow
def test_the_counterexample_in_exact_ranks():
    """Unshared, M = D = 2, no bias in layer 2: the corner partition has rank 128, not 256."""
    net, rng = network((4, 4), 2, 2), np.random.default_rng(4)
    shape, bias_shape = (4, 4, 2, 2, 4, 4), (4, 4, 2, 4, 4)
    weights = [(rng.integers(0, brute_force.PRIME, shape),
                rng.integers(0, brute_force.PRIME, bias_shape)),
               (rng.integers(0, brute_force.PRIME, (1, 2, 4, 4)), np.zeros((1, 4, 4), np.int64))]
    templates = rng.integers(0, brute_force.PRIME, (2, 2))
    positions, index = list(np.ndindex(4, 4)), np.indices((2,) * 16).reshape(16, -1)
    for rows, rank in ((CORNER, 128), (tuple(range(8)), 256)):
        order = [positions[p] for p in (*rows, *(p for p in range(16) if p not in rows))]
        values = brute_force.outputs(net, weights, templates, index, order)
        assert brute_force.rank(values.reshape(256, 256)) == rank


@pytest.mark.parametrize("channels, width, shared, bias, rank", [
    pytest.param(4, 4, False, True, 2000, marks=pytest.mark.slow),
    (3, 3, False, True, 576), (3, 3, False, False, 243), (3, 4, True, False, 576),
    (3, 9, True, False, 729), (3, 36, True, False, 729)])
def test_first_row_and_last_column_of_three_by_four(channels, width, shared, bias, rank):
    """The bound (D + bias)^3 M^2 of the corner, reached unless D channels are plenty."""
    found = certify(network((3, 4), channels, width), (0, 1, 2, 3, 7, 11), shared=shared,
                    biases=(True, bias), seed=2)
    assert found.rank == rank and not found.sampled
    assert rank <= (width + bias) ** 3 * channels**2


def test_errors_say_what_is_missing():
    identity = torch.eye(2).double()
    with pytest.raises(ValueError, match="shared weights need 12 channels"):
        matching_construction(network((8,), 2, 11), range(4), identity, FIELD, shared=True)
    with pytest.raises(ValueError, match="stride"):
        net = Architecture((4,), 2, (Layer(4, 2, 2), Layer(2, 2, 1)))
        matching_construction(net, (0, 1), identity, FIELD)
    with pytest.raises(ValueError, match="not followed"):
        matching_construction(Architecture((4,), 2, (Layer(4, 1, 2),)), (0, 1), identity, FIELD)
    with pytest.raises(ValueError, match=r"lie outside 0..15"):
        matching_number((3, 16), (4, 4))


def test_what_a_failed_search_has_seen_is_not_searched_again():
    class Read(dict):
        def __getitem__(self, p):
            reads[p] += 1
            return super().__getitem__(p)

    reads, partner, matched, closed = Counter(), {}, {}, set()
    neighbors = Read((p, [100, 101]) for p in range(20))
    for p in range(20):
        _augment(p, neighbors, partner, matched, closed)
    assert sorted(partner) == [100, 101] and sum(reads.values()) <= 20 + 4
