"""Smallest cuts, routes, routed weights and designed widths."""

import itertools
import random
from math import prod

import pytest
import torch

from lib.exact.arithmetic import Modular
from lib.exact.ranks import exact_rank
from lib.grids.certify import certify, certify_weights
from lib.plots.style import figure
from lib.plots.widths import BOOK_FIGURES, draw_network, draw_routes, draw_spectra
from lib.trees import routing
from lib.trees.decompositions import coefficient_tensor
from lib.trees.designer import design_widths, with_widths
from lib.trees.routing import common_base, routed_weights, routes, smallest_cut
from lib.trees.tensors import matricize
from lib.trees.tree import ModeTree, Node


def leaf_paths(tree):
    return {child: (*path, t) for path, node in tree.inner_nodes()
            for t, child in enumerate(node.children) if isinstance(child, int)}


def way(tree, pair):
    """The nodes and leaves between two modes, found without lib: up, and down again."""
    places = leaf_paths(tree)
    first, second = (places[mode] for mode in pair)
    common = 0
    while first[common] == second[common]:
        common += 1
    return ({first[:k] for k in range(common, len(first) + 1)}
            | {second[:k] for k in range(common, len(second) + 1)})


def prices(tree):
    return ({path: node.width for path, node in tree.inner_nodes()}
            | {path: tree.dim for path in leaf_paths(tree).values()})


def separates(tree, rows, removed):
    columns = [mode for mode in range(tree.modes) if mode not in rows]
    return all(way(tree, pair) & set(removed) for pair in itertools.product(rows, columns))


def random_trees(count, seed, base=None):
    """Trees of several shapes and a proper set of row modes for each."""
    draw = random.Random(seed)
    for _ in range(count):
        width = (lambda: base ** draw.randint(0, 2)) if base else (lambda: draw.randint(1, 5))
        dim = base or draw.randint(1, 4)
        root = draw.choice([
            Node((Node((0, 1), width()), Node((2, 3), width())), width()),
            Node((Node((3, 0), width()), 1, Node((2, Node((4,), width())), width())), width()),
            Node((0, 1, 2, 3), width()),
            Node((Node((Node((0, 1), width()), 2), width()), 3), width()),
        ])
        tree = ModeTree(root, dim)
        rows = draw.sample(range(tree.modes), draw.randint(1, tree.modes - 1))
        yield tree, tuple(sorted(rows))


def test_smallest_cut_separates_and_no_set_is_cheaper():
    for tree, rows in random_trees(40, seed=0):
        cost = prices(tree)
        cut = smallest_cut(tree, rows)
        assert cut == {path: cost[path] for path in cut}
        assert separates(tree, rows, cut)
        cheapest = min(prod(cost[path] for path in chosen)
                       for size in range(len(cost) + 1)
                       for chosen in itertools.combinations(cost, size)
                       if separates(tree, rows, chosen))
        assert prod(cut.values()) == tree.mincut(rows) == cheapest


def test_of_two_cuts_of_one_price_the_smaller_set_is_given():
    tree = ModeTree.perfect(modes=8, pool=2, dim=4, widths=(4, 1, 1))
    assert set(smallest_cut(tree, "even-odd").values()) == {4}
    assert smallest_cut(tree, "left-right") == {(): 1}


@pytest.mark.parametrize("base", [2, 3, 6])
def test_routes_fit_and_are_as_many_as_the_cut_allows(base):
    for tree, rows in random_trees(30, seed=base, base=base):
        found, used = routes(tree, rows), {path: 0 for path in prices(tree)}
        for pair in found:
            assert pair[0] in rows and pair[1] not in rows
            for path in way(tree, pair):
                used[path] += 1
        p = common_base(tree)
        assert all(p ** used[path] <= width for path, width in prices(tree).items())
        assert p ** len(found) == tree.mincut(rows)


def test_every_node_is_looked_at_once(monkeypatch):
    """A node was looked at again for every state of its earlier siblings: of this train 2^19."""
    asked, exponent = [], routing._exponent
    monkeypatch.setattr(routing, "_exponent", lambda *a: asked.append(a) or exponent(*a))
    train = Node((18, 19), 2)
    for mode in reversed(range(18)):
        train = Node((mode, train), 2)
    assert len(routes(ModeTree(train, 2), "even-odd")) == 10
    assert len(asked) < 100


@pytest.mark.parametrize("base", [2, 3])
def test_routed_weights_reach_the_cut_and_so_do_random_ones(base):
    for seed, (tree, rows) in enumerate(random_trees(25, seed=10 + base, base=base)):
        weights = routed_weights(tree, rows)
        tree.check_weights(weights)
        assert {float(x) for w in weights.values() for x in w.flatten()} <= {0.0, 1.0}
        rank = certify_weights(tree, weights, rows).rank
        assert rank == tree.mincut(rows) == certify(tree, rows, seed=seed).rank


def test_sizes_that_are_no_powers_of_one_integer_are_refused():
    tree = ModeTree.perfect(modes=4, pool=2, dim=4, widths=(2, 6))
    for call in (common_base, lambda t: routes(t, "even-odd"),
                 lambda t: routed_weights(t, "even-odd")):
        with pytest.raises(ValueError, match=r"\[2, 4, 6\].* are not powers of one"):
            call(tree)
    with pytest.raises(ValueError, match="lie outside"):
        smallest_cut(tree, (7,))
    assert common_base(ModeTree.star(3, 1, 1)) == 2
    assert common_base(ModeTree.star(3, 6, 36)) == 6
    assert common_base(ModeTree.star(3, 1, 6)) == 6


def gap(last=3, root=2):
    left = Node((Node((0, 1), 3), Node((2, 3), 5)), 15)
    right = Node((Node((4, 5), 5), Node((6, 7), last)), 20)
    return ModeTree(Node((left, right), root), 3)


def test_the_gap_between_rank_and_cut_and_that_it_closes():
    rows = (0, 1, 4, 5)
    assert [certify(gap(), rows, seed=seed).rank for seed in range(3)] == [14] * 3
    assert gap().mincut(rows) == 15
    for closed in (gap(last=4), gap(root=3)):
        assert certify(closed, rows).rank == closed.mincut(rows) == 15


@pytest.mark.slow
def test_all_widths_of_eight_binary_positions():
    """12,700 ranks and cuts: all widths up to (5, 5, 4), all partitions, unshared and shared."""
    field, generator = Modular(), torch.Generator().manual_seed(0)
    partitions = [[i for i in range(8) if mask >> i & 1] for mask in range(1, 255, 2)]
    below, checks = {False: 0, True: 0}, 0
    for widths in itertools.product(range(1, 6), range(1, 6), range(1, 5)):
        tree = ModeTree.perfect(8, 2, 2, widths)
        cuts = [tree.mincut(rows) for rows in partitions]
        for shared in below:
            tensor = coefficient_tensor(tree, tree.random_weights(field, generator, shared), field)
            ranks = [exact_rank(matricize(tensor, rows)).rank for rows in partitions]
            assert all(rank <= cut for rank, cut in zip(ranks, cuts))
            below[shared] += sum(rank < cut for rank, cut in zip(ranks, cuts))
        checks += len(cuts)
    assert (checks, below) == (12700, {False: 0, True: 578})


def test_pencils_lose_a_direction_only_in_the_proved_case():
    field, generator = Modular(), torch.Generator().manual_seed(0)
    for a, c, b, d in ((3, 5, 5, 3), (3, 4, 4, 3), (2, 5, 5, 2), (3, 5, 5, 4)):
        left, right = field.random((2, a, c), generator), field.random((2, b, d), generator)
        both = sum(torch.kron(x, y) % field.prime for x, y in zip(left, right)) % field.prime
        cut = min(a * b, c * d, 2 * min(a, c) * min(b, d))
        assert exact_rank(both).rank == cut - ((a, c, b, d) == (3, 5, 5, 3))


@pytest.mark.parametrize(("by", "shared"), [("level", False), ("level", True), ("node", False)])
def test_designs_are_those_of_an_exhaustive_search(by, shared):
    shape, choices = ModeTree.perfect(4, 2, 3, (1, 1)), (1, 2, 3, 5)
    paths = [path for path, _ in shape.inner_nodes()]
    every = [with_widths(shape, dict(zip(paths, widths)))
             for widths in itertools.product(choices, repeat=len(paths))]
    if by == "level":
        every = [tree for tree in every if len({n.width for n in tree.root.children}) == 1]
    for partitions in (["even-odd"], ["left-right"], [(0, 3), "left-right"], [(0,)]):
        for budget in (40, 60, 75):
            best = max((min(tree.mincut(p) for p in partitions), -tree.parameter_count(shared))
                       for tree in every if tree.parameter_count(shared) <= budget)
            found = design_widths(shape, partitions, budget, choices, by, shared)
            assert (found.cut, -found.parameters) == best
            assert found.parameters == found.tree.parameter_count(shared) <= budget
            assert found.cut == min(found.tree.mincut(p) for p in partitions)
            exact = design_widths(shape, partitions, found.parameters, choices, by, shared)
            assert exact.tree == found.tree  # a budget may be used up


def test_the_search_drops_most_choices():
    shape = ModeTree.perfect(8, 2, 4, (1, 1, 1))
    found = design_widths(shape, ["left-right"], 150, by="node")
    assert (found.cut, found.parameters) == (4, 132)
    assert found.visited < 5**7 / 50


def test_partitions_may_be_iterators():
    shape = ModeTree.perfect(4, 2, 2, (1, 1))
    assert design_widths(shape, [iter((0, 2))], 60).cut == 4


@pytest.mark.parametrize(("change", "message"), [
    ({"partitions": []}, "partitions=.*at least one"),
    ({"candidates": ()}, "candidates"),
    ({"candidates": (0, 2)}, "candidates=0; need an integer >= 1"),
    ({"candidates": (True, 2)}, "candidates=True; need an integer >= 1"),
    ({"by": "layer"}, "'level', 'node'"),
    ({"budget": 10}, "11 parameters, more than budget=10"),
])
def test_designs_that_make_no_sense_are_refused(change, message):
    given = {"tree": ModeTree.perfect(4, 2, 2, (1, 1)), "partitions": ["even-odd"], "budget": 50}
    with pytest.raises((ValueError, TypeError), match=message):
        design_widths(**(given | change))


def test_with_widths_refuses_paths_that_lead_to_no_inner_node():
    tree = ModeTree.perfect(4, 2, 2, (1, 1))
    with pytest.raises(ValueError, match=r"no inner node at \[\(0, 1\)\]; those of .* are"):
        with_widths(tree, {(): 3, (0,): 2, (1,): 2, (0, 1): 5})


def test_with_widths_needs_a_width_for_every_node():
    with pytest.raises(KeyError, match=r"no width at \[\(0,\), \(1,\)\]; need one for every"):
        with_widths(ModeTree.perfect(4, 2, 2, (1, 1)), {(): 3})


def test_pictures_show_what_was_computed():
    tree = ModeTree.perfect(8, 2, 4, (2, 4, 4))
    with figure() as (_, axes):
        draw_network(axes, tree, "left-right", smallest_cut(tree, "left-right"), names=True)
        texts = [text.get_text() for text in axes.texts]
        assert texts.count("2") == 1 + 4 and texts.count("4") == 1 + 3  # a mode, and widths
    with figure() as (_, axes):
        assert draw_routes(axes, tree, (0, 1, 4, 5)) == 2
    with figure() as (_, axes):
        draw_spectra(axes, {"deep": torch.tensor([0.75, 0.25])})
        draw_spectra(axes, {"early": torch.ones(1)})  # a ring around the first dot, not below it
        assert list(axes.lines[0].get_ydata()) == [0.75, 0.25]
        assert [line.get_fillstyle() for line in axes.lines] == ["full", "none"]
    titles = [axes.get_title("left") for axes in BOOK_FIGURES["widths-pencil"]().axes]
    assert titles == ["cut 5·3 = 15", "blocks of rank 2 + 3 + 3 + 6 = 14"]
