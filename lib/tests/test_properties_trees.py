"""Trees, cuts and bounds against slow functions written from the definitions, on small inputs."""

import itertools
import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import (
    Architecture,
    Layer,
    ModeTree,
    Node,
    certify,
    coefficient_tensor,
    design_widths,
    dilated_tree,
    exact_rank,
    forward,
    hybrid_tree,
    linear_readout_upper_bound,
    log_forward,
    matricize,
    mixture_levels,
    published_bounds,
    routed_weights,
    routes,
    smallest_cut,
)
from lib.trees.routing import common_base

MIXED = [pair for pair in itertools.product(itertools.permutations((1, 2, 4)), repeat=2)
         if mixture_levels(*pair)]
few = settings(max_examples=30, deadline=None, derandomize=True, database=None)


SMALL = st.integers(1, 4)


@st.composite
def trees(draw, widths=SMALL, most=5):
    """Trees of at most five modes, with nodes of two or three children."""
    count = draw(st.integers(2, most))
    parts = draw(st.permutations(range(count)))
    while len(parts) > 1:
        size = draw(st.integers(2, min(3, len(parts))))
        joined, parts = parts[:size], parts[size:]
        parts.insert(draw(st.integers(0, len(parts))), Node(tuple(joined), draw(widths)))
    return ModeTree(parts[0], draw(widths))


def crossings(tree, rows):
    """For every way to give the matrices of a tree to the two sides, what lies across.

    A weight matrix stands above every child and the output vector above the root; a node joins the
    matrices around it, a mode the matrix above it and its own side.
    """
    nodes = dict(tree.inner_nodes())
    edges = {path: (node.width, [path, *((*path, t) for t in range(len(node.children)))])
             for path, node in nodes.items()}
    modes = {(*path, t): child for path, node in nodes.items()
             for t, child in enumerate(node.children) if isinstance(child, int)}
    edges |= {path: (tree.dim, [path, ("mode", mode)]) for path, mode in modes.items()}
    matrices = list(dict.fromkeys([(), *tree.weight_shapes()]))
    for chosen in itertools.product((True, False), repeat=len(matrices)):
        side = dict(zip(matrices, chosen, strict=True))
        side |= {("mode", mode): mode in rows for mode in modes.values()}
        yield {path: width for path, (width, ends) in edges.items()
               if len({side[end] for end in ends}) == 2}


@few
@given(trees(), st.data())
def test_the_smallest_cut_is_the_smallest_of_all(tree, data):
    rows = data.draw(st.sets(st.integers(0, tree.modes - 1)))
    every = list(crossings(tree, rows))
    cut = smallest_cut(tree, rows)
    best = min(math.prod(found.values()) for found in every)
    assert math.prod(cut.values()) == tree.mincut(rows) == best
    assert any(found.items() <= cut.items() for found in every)     # it separates
    assert len(cut) <= min(len(found) for found in every if math.prod(found.values()) == best)


@few
@given(st.sampled_from([2, 3]).flatmap(lambda base: trees(st.sampled_from([1, base, base**2]))),
       st.data())
def test_as_many_routes_as_digits_of_the_cut_and_weights_that_follow_them(tree, data):
    rows = data.draw(st.sets(st.integers(0, tree.modes - 1)))
    base, found = common_base(tree), routes(tree, rows)
    assert base ** len(found) == tree.mincut(rows)
    assert all(row in rows and column not in rows for row, column in found)
    for mode in range(tree.modes):
        assert base ** sum(mode in pair for pair in found) <= tree.dim
    weights = routed_weights(tree, rows)
    assert {path: tuple(w.shape) for path, w in weights.items()} == tree.weight_shapes()
    tensor = coefficient_tensor(tree, weights)
    assert exact_rank(matricize(tensor, rows)).rank == tree.mincut(rows)


def test_the_smallest_base():
    assert common_base(ModeTree.star(2, 1, 1)) == 2
    assert common_base(ModeTree.star(2, 27, 9)) == 3 and common_base(ModeTree.star(2, 4, 16)) == 2
    assert common_base(ModeTree.star(2, 36, 6)) == 6


@few
@given(st.sampled_from([(4, 2), (4, 4), (8, 2)]), st.integers(1, 3), st.data())
def test_published_bounds_from_lists_of_windows(shape, dim, data):
    modes, pool = shape
    widths = tuple(data.draw(st.integers(1, 4)) for _ in range(round(math.log(modes, pool))))
    rows = data.draw(st.sets(st.integers(0, modes - 1)))
    tree = ModeTree.perfect(modes, pool, dim, widths)
    sides = [sum(mode in rows for mode in range(first, first + pool))
             for first in range(0, modes, pool)]
    split = [min(count, pool - count) for count in sides if 0 < count < pool]
    lower, refined, upper = published_bounds(tree, rows)
    assert lower == min(widths[0], dim) ** len(split)
    assert refined == math.prod(min(widths[0], dim**small) for small in split)
    expected = {(i,): 1 for i in range(modes)}          # window by window, level by level
    for width in widths:
        parts, above = list(expected), {}
        for first in range(0, len(parts), pool):
            window = parts[first:first + pool]
            inside = sum(window, ())
            count = sum(mode in rows for mode in inside)
            above[inside] = min(dim ** min(count, len(inside) - count),
                                width * math.prod(expected[part] for part in window))
        expected = above
    assert upper == expected[tuple(range(modes))]
    assert tree.mincut(rows) <= upper
    assert refined <= certify(tree, rows, shared=False, seed=0).rank


@few
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 3)), min_size=1,
                max_size=3), st.booleans(), st.integers(0, 99))
def test_logarithms_of_a_network_are_those_of_its_values(layers, shared, seed):
    net = Architecture((4, 5), 2, [Layer(*layer) for layer in layers])
    draw = torch.Generator().manual_seed(seed)
    weights = []
    for number, (weight, bias) in enumerate(net.weight_shapes(shared)):
        entries = [torch.randn(shape, generator=draw, dtype=torch.float64)
                   for shape in (weight, bias)]
        weights.append((entries[0], None if number % 2 else entries[1]))
    x = torch.randn(3, 2, 4, 5, generator=draw, dtype=torch.float64)
    x[0, :, 0, 0] = 0
    wanted = forward(net, weights, x)
    log, sign = log_forward(net, weights, x.abs().log(), x.sign())
    assert torch.allclose(sign * log.exp(), wanted, rtol=1e-8, atol=1e-12)
    assert torch.equal(sign, wanted.sign()) or (wanted.abs() < 1e-12).any()
    positive = log_forward(net, weights, x.abs().log())[0]
    assert torch.equal(positive, log_forward(net, weights, x.abs().log(), torch.ones_like(x))[0])


@few
@given(st.sampled_from(MIXED), st.data())
def test_hybrids_follow_one_order_above_and_either_below(orders, data):
    first, second = orders
    level = data.draw(st.sampled_from(mixture_levels(first, second)))
    width, narrow = data.draw(st.integers(2, 3)), data.draw(st.sampled_from([None, 1, 5]))
    choice = [data.draw(st.integers(0, 1)) for _ in range(2 ** (3 - level))]
    tree = hybrid_tree(first, second, 2, width, level, choice, narrow)
    left = iter(choice)

    def inside(node, height, order):
        """The modes of a node; the children of one at height h are a dilation of h apart."""
        if isinstance(node, int):
            return {node}
        if height == level:
            order = (first, second)[next(left)]
        assert node.width == (1 if height == 3 else (narrow or width // 2) if height == level
                              else width)
        past, present = (inside(child, height - 1, order) for child in node.children)
        assert past == {mode - order[height - 1] for mode in present}
        return past | present

    assert inside(tree.root, 3, first) == set(range(8)) and next(left, None) is None
    plain = hybrid_tree(first, second, 2, width, level, [0] * len(choice), width)
    assert level == 3 or plain == dilated_tree(first, 2, width)


@few
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=2),
       st.sampled_from([(5,), (6,), (4, 3)]), st.sampled_from(["left-right", "top-bottom"]),
       st.data())
def test_a_sum_over_cells_is_bounded_cell_by_cell(layers, size, partition, data):
    partition = partition if len(size) == 2 else "left-right"
    net = Architecture(size, 2, [Layer(window, stride, 2) for window, stride in layers])
    axis = 0 if partition == "top-bottom" else len(size) - 1
    cut = data.draw(st.integers(1, size[axis] - 1))

    def seen(cell, layer):
        if layer == 0:
            return {cell}
        window, stride = layers[layer - 1]
        return set().union(*(seen(tuple(c * stride + o for c, o in zip(cell, at)), layer - 1)
                             for at in itertools.product(range(window), repeat=len(size))))

    total = 2
    for cell in itertools.product(*map(range, net.output_sizes[-1])):
        pixels = [p for p in seen(cell, len(layers)) if all(i < n for i, n in zip(p, size))]
        before = sum(pixel[axis] < cut for pixel in pixels)
        small = min(before, len(pixels) - before)
        total += 2**small - 1
    assert linear_readout_upper_bound(net, partition, cut) == total


@few
@given(trees(st.integers(1, 2), 4), st.integers(0, 60), st.data())
def test_designs_are_the_best_of_all(tree, more, data):
    rows = [data.draw(st.sets(st.integers(0, tree.modes - 1))) for _ in range(2)]
    sizes = (1, 2, 3)
    paths = [path for path, _ in tree.inner_nodes()]

    def widened(node, path, widths):
        return Node(tuple(child if isinstance(child, int) else
                          widened(child, (*path, t), widths)
                          for t, child in enumerate(node.children)), widths[path])

    designs = []
    for widths in itertools.product(sizes, repeat=len(paths)):
        wide = ModeTree(widened(tree.root, (), dict(zip(paths, widths, strict=True))), tree.dim)
        designs.append((min(map(wide.mincut, rows)), -wide.parameter_count(False)))
    budget = min(-count for _, count in designs) + more
    found = design_widths(tree, rows, budget, sizes, "node")
    assert (found.cut, -found.parameters) == max(d for d in designs if -d[1] <= budget)
    assert found.parameters == found.tree.parameter_count(False)
