"""Pooling geometries: windows, bounds from counts, exact ranks, pictures."""

import itertools
import random
from math import comb

import numpy as np
import pytest
import torch

from lib.bounds.partitions import split_modes
from lib.exact.arithmetic import Real
from lib.experiments.pooled import window_order
from lib.grids.certify import certify, certify_weights
from lib.plots.geometry import (
    BOOK_FIGURES,
    draw_accuracies,
    draw_regions,
    draw_windows,
    nested_columns,
)
from lib.plots.style import figure
from lib.trees.designer import design_widths
from lib.trees.pooling import (
    pooling_order,
    pooling_tree,
    published_bounds,
    split_windows_rank,
)
from lib.trees.rectifiers import maximum_as_products
from lib.trees.routing import routed_weights
from lib.trees.tree import ModeTree, Node


def windows(order, size):
    """The windows of a level, as sets."""
    return {frozenset(order[i:i + size]) for i in range(0, len(order), size)}


def meets(geometry, k, n):
    """The place that place k of n is joined with, and where both stand afterwards."""
    return {"square": (k ^ 1, k // 2), "mirror": (n - 1 - k, min(k, n - 1 - k)),
            "dilated": ((k + n // 2) % n, k % (n // 2))}[geometry]


@pytest.mark.parametrize("names", ["square", "mirror", "dilated",
                                   ("mirror", "square", "dilated"),
                                   ("dilated", "mirror", "square")])
def test_positions_meet_where_their_geometry_says(names):
    by_level = (names,) * 3 if isinstance(names, str) else names
    line, plane = pooling_order(8, names), pooling_order((8, 8), names)
    assert sorted(line) == list(range(8)) and sorted(plane) == list(range(64))
    place = list(range(8))  # of every position, level after level
    for level, name in enumerate(by_level, 1):
        place = [meets(name, k, 2 ** (4 - level))[1] for k in place]
        expected = {frozenset(i for i in range(8) if place[i] == k) for k in set(place)}
        assert windows(line, 2**level) == expected
        assert windows(plane, 4**level) == {
            frozenset(8 * i + j for i in rows for j in columns)
            for rows in expected for columns in expected}


@pytest.mark.parametrize("geometry", ["square", "mirror"])
def test_the_trained_networks_have_the_windows_of_the_theory(geometry):
    theory, trained = pooling_order((32, 32), geometry), window_order(32, geometry).tolist()
    for level in range(1, 6):
        assert windows(theory, 4**level) == windows(trained, 4**level)


@pytest.mark.parametrize("grid, geometry, words", [
    (6, "square", "power of two"), (1, "square", "power of two"), ((4, 8), "square", "power of"),
    ((2, 2, 2), "mirror", "power of"), (8, "round", "one of square"),
    (8, ("square", "mirror"), "3 levels"), (8, ("square", "mirror", "oval"), "3 levels")])
def test_geometries_that_do_not_fit_are_refused(grid, geometry, words):
    with pytest.raises(ValueError, match=f"pooling_order: .*{words}"):
        pooling_order(grid, geometry)


def test_geometries_may_be_an_array_of_names():
    names = ["mirror", "square", "dilated"]
    assert pooling_order(8, np.array(names)) == pooling_order(8, names)
    assert pooling_order(8, np.array("mirror")) == pooling_order(8, "mirror")
    for wrong in (np.array([names] * 3), set(names)):  # a set has no order
        with pytest.raises(ValueError, match="pooling_order: geometry .* for 3 levels"):
            pooling_order(8, wrong)


def test_a_tree_has_the_windows_of_its_order():
    tree = pooling_tree((4, 4), 3, (5, 7), "mirror")
    assert tree.leaves == pooling_order((4, 4), "mirror")
    assert (tree.dim, tree.root.width, {c.width for c in tree.root.children}) == (3, 7, {5})


def recursion(N, P, M, widths, rows):
    """The bounds from counts in index intervals, as the slides number them."""
    def counts(level, k):
        block = range(k * P**level, (k + 1) * P**level)
        return len(rows & set(block)), len(set(block) - rows)

    upper = [1] * N
    for level, width in enumerate(widths, 1):
        products = [1] * (N // P**level)
        for k, value in enumerate(upper):
            products[k // P] *= value
        upper = [min(M ** min(counts(level, k)), width * value)
                 for k, value in enumerate(products)]
    lower = refined = 1
    for k in range(N // P):
        smaller = min(counts(1, k))
        lower *= min(widths[0], M) if smaller else 1
        refined *= min(widths[0], M**smaller)
    return lower, refined, upper[0]


@pytest.mark.parametrize("N, P", [(16, 4), (16, 2), (9, 3), (64, 4)])
def test_bounds_from_counts(N, P):
    draw, levels = random.Random(N + P), {16: {4: 2, 2: 4}, 9: {3: 2}, 64: {4: 3}}[N][P]
    for _ in range(20):
        M, widths = draw.randint(1, 4), tuple(draw.randint(1, 9) for _ in range(levels))
        tree = ModeTree.perfect(N, P, M, widths)
        rows = set(draw.sample(range(N), draw.randint(0, N)))
        found = published_bounds(tree, rows)
        assert found == recursion(N, P, M, widths, rows)
        assert found[0] <= found[1] <= tree.mincut(rows) <= found[2]


@pytest.mark.parametrize("P, levels", [(2, 3), (3, 2), (4, 2), (4, 3)])
def test_evenly_split_windows_have_the_rank_of_the_smallest_cut(P, levels):
    for j, a, M in itertools.product(range(levels), range(1, P), (2, 4)):
        for widths in itertools.product((1, 2, 8), repeat=levels):
            part = [i for i in range(P**levels) if i // P**j % P < a]
            cut = ModeTree.perfect(P**levels, P, M, widths).mincut(part)
            assert split_windows_rank(P, M, widths, j, a) == cut
            assert split_windows_rank(P, M, widths, j, a, shared=True) <= cut


def test_shared_windows_have_symmetric_spaces():
    assert split_windows_rank(4, 3, (99, 99), 0, 2, shared=True) == comb(4, 2) ** 4
    assert split_windows_rank(4, 2, (99, 99), 1, 2, shared=True) == comb(comb(5, 4) + 1, 2)
    assert split_windows_rank(4, 2, (99, 99), 1, 3, shared=True) == 5
    tree = ModeTree.perfect(16, 4, 2, (6, 20))
    for a in (1, 2, 3):
        part = [i for i in range(16) if i // 4 < a]
        assert certify(tree, part, shared=True, seed=0).rank == split_windows_rank(
            4, 2, (6, 20), 1, a, shared=True)


@pytest.mark.parametrize("level, rows", [(2, 1), (-1, 1), (0, 0), (0, 4)])
def test_windows_that_are_not_there_or_not_split_are_refused(level, rows):
    with pytest.raises(ValueError, match="split_windows_rank: level"):
        split_windows_rank(4, 2, (3, 3), level, rows)


@pytest.mark.parametrize("side", [2, 4, 8, 32])
def test_nested_columns_split_every_square_window(side):
    columns = {pixel % side for pixel in nested_columns(side)}
    assert len(nested_columns(side)) == side * side // 2
    assert all((2 * k in columns) != (2 * k + 1 in columns) for k in range(side // 2))


def test_pictures():
    for draw in BOOK_FIGURES.values():
        assert draw().axes
    with figure(columns=3) as (_, axes):
        draw_regions(axes[0], (0, 5), 4, "two pixels")
        cells = axes[0].images[0].get_array()
        assert len({tuple(cell) for cell in cells.reshape(-1, 3).tolist()}) == 2
        assert (cells[1, 1] == cells[0, 0]).all() and (cells[0, 1] != cells[0, 0]).any()
        draw_windows(axes[1], "mirror", 4, 1, (0,))
        cells = axes[1].images[0].get_array()
        assert (cells[0, 0] == cells[3, 3]).all() and (cells[0, 0] != cells[1, 1]).any()
        draw_accuracies(axes[2], {"max": {"square": [0.9, 0.7], "mirror": [0.6]}}, "task")
        assert [line.get_xdata()[0] for line in axes[2].lines] == [0.9, 0.8, 0.6, 0.6, 0.5]


def test_names_of_partitions_are_read_on_the_image_of_a_tree():
    """On the sequence of its pixels the first half is the upper one, and others have no names."""
    narrow = pooling_tree((4, 4), 2, (1, 1))
    for name in ("left-right", "top-bottom", "checkerboard", "even-odd"):
        rows = split_modes(name, (4, 4))[0]
        found = design_widths(narrow, [name], 120, by="node")
        assert found.cut == found.tree.mincut(rows) == certify(found.tree, name).rank
        tree = pooling_tree((4, 4), 2, (4, 4))
        weights = routed_weights(tree, name)
        assert (certify_weights(tree, weights, name).rank
                == certify_weights(tree, weights, rows).rank)
        assert published_bounds(tree, name) == published_bounds(tree, rows)
    image = ModeTree.star(6, 2, 4).root
    assert ModeTree(image, 2, (2, 3)) != ModeTree(image, 2) == ModeTree(image, 2, 6)
    assert eval(repr(tree), {"ModeTree": ModeTree, "Node": Node}) == tree
    assert tree.permuted(range(16)) == tree
    star = ModeTree(Node((3, 0, 1, 2), 1), 2, (2, 2))
    assert maximum_as_products(star, star.random_weights(
        Real(), torch.Generator().manual_seed(0)))[0].grid == (2, 2)
    for grid in ((2, 2), (), (1, 2, 3), (6, 0)):
        with pytest.raises(ValueError, match="ModeTree: grid"):
            ModeTree(image, 2, grid)
