"""Small things about trees that larger tests pass over: orders of draws, ends of ranges, defaults.

Everything is compared whole with a slow or explicit computation, on trees without symmetry.
"""

import itertools
import math
from fractions import Fraction

import pytest
import torch

from lib import (
    DilatedNetwork,
    ModeTree,
    Modular,
    Node,
    Real,
    TreeCircuit,
    activation_pooling,
    coefficient_tensor,
    design_widths,
    dilated_tree,
    evaluate,
    even_odd_weights,
    exact_rank,
    gap_family,
    hybrid_in_mixture,
    hybrid_tree,
    indices,
    khatri_rao,
    lags,
    largest_average_rank,
    matricize,
    maxima_rank_bound,
    maximum_as_products,
    mixture_levels,
    pooling_order,
    pooling_tree,
    routed_weights,
    single_channel,
    split_windows_rank,
    universal_weights,
)
from lib.grids.grid import grid_block
from lib.tests.draws import seeded
from lib.trees import decompositions, mixtures, rectifiers, tensors
from lib.trees.symmetry import moved, quadtree_places, random_symmetry, side_orbits, symmetry_order

FIELD, LARGEST = Modular(), activation_pooling("relu", "max")
LOPSIDED = ModeTree(Node((Node((3, Node((0, 5), 4)), 2), 1, Node((Node((4, 2), 4), 6), 2)), 3), 2)
UNEVEN = ModeTree.perfect(8, 2, 3, ((2, 4, 5, 1), (3, 2), 4))


def test_a_tree_tells_of_its_nodes_level_after_level():
    assert [(path, node.width, node.height) for path, node in LOPSIDED.inner_nodes()] == [
        ((), 3, 3), ((0,), 2, 2), ((2,), 2, 2), ((0, 1), 4, 1), ((2, 0), 4, 1)]
    assert LOPSIDED.leaves == (3, 0, 5, 1, 4, 2, 6)
    assert (LOPSIDED.modes, LOPSIDED.grid, LOPSIDED.channels) == (7, (7,), 2)
    assert str(LOPSIDED) == "[[3 [0 5]:4]:2 1 [[4 2]:4 6]:2]:3 over dimension 2"
    assert LOPSIDED.weight_shapes() == {
        (): (3,), (0,): (3, 2), (1,): (3, 2), (2,): (3, 2), (0, 0): (2, 2), (0, 1): (2, 4),
        (2, 0): (2, 4), (2, 1): (2, 2), (0, 1, 0): (4, 2), (0, 1, 1): (4, 2), (2, 0, 0): (4, 2),
        (2, 0, 1): (4, 2)}


def test_weights_are_shared_between_edges_of_one_height_and_kind():
    """A mode and a node below nodes of one height have a weight each."""
    assert LOPSIDED.weight_groups(True) == {
        (): (), (0,): (0,), (1,): (1,), (2,): (0,), (0, 0): (0, 0), (0, 1): (0, 1),
        (2, 0): (0, 1), (2, 1): (0, 0), **dict.fromkeys(
            [(0, 1, 0), (0, 1, 1), (2, 0, 0), (2, 0, 1)], (0, 1, 0))}
    sizes = {path: math.prod(shape) for path, shape in LOPSIDED.weight_shapes().items()}
    assert LOPSIDED.parameter_count() == sum(sizes.values()) == 3 + 18 + 24 + 32
    assert LOPSIDED.parameter_count(True) == 3 + 6 + 6 + 4 + 8 + 8


@pytest.mark.parametrize("tree, text", [
    (LOPSIDED, "ModeTree(Node((Node((3, Node((0, 5), 4)), 2), 1, Node((Node((4, 2), 4), 6), 2)), "
               "3), dim=2)"),
    (UNEVEN, "ModeTree.perfect(modes=8, pool=2, dim=3, widths=((2, 4, 5, 1), (3, 2), 4))"),
    (ModeTree.perfect(4, 4, 3, (2,)), "ModeTree.star(modes=4, dim=3, width=2)"),
    (ModeTree.star(1, 2, 3), "ModeTree.star(modes=1, dim=2, width=3)"),
    (ModeTree.star(3, 2, 1).permuted([0, 2, 1]), "ModeTree(Node((0, 2, 1), 1), dim=2)"),
    (ModeTree(Node((Node((0, 1), 2), 2), 3), 4), "ModeTree(Node((Node((0, 1), 2), 2), 3), dim=4)"),
])
def test_how_trees_are_written(tree, text):
    assert repr(tree) == text and eval(text) == tree  # noqa: S307


@pytest.mark.parametrize("shared", [None, False, True])
def test_weights_of_a_tree_are_drawn_edge_after_edge(shared):
    draw, drawn = seeded(3), LOPSIDED.random_weights(Real(), seeded(3), shared)
    for path, owner in LOPSIDED.weight_groups(bool(shared)).items():
        if path == owner:
            assert torch.equal(drawn[path], Real().random(LOPSIDED.weight_shapes()[path], draw))
        assert torch.equal(drawn[path], drawn[owner])


@pytest.mark.parametrize("shared", [False, True])
def test_a_circuit_begins_with_drawn_weights_over_the_root_of_their_inputs(shared):
    net = TreeCircuit(LOPSIDED, shared, generator=seeded(5))
    drawn = LOPSIDED.random_weights(Real(), seeded(5), shared)
    for path, weight in net.weights.items():
        assert torch.equal(weight, (drawn[path] / math.sqrt(drawn[path].shape[-1])).float())
    owners = dict.fromkeys(LOPSIDED.weight_groups(shared).values())
    assert net.state_dict().keys() == {
        "_parameters_by_owner." + ("-".join(map(str, path)) or "output") for path in owners}
    assert sum(p.numel() for p in net.parameters()) == LOPSIDED.parameter_count(shared)
    assert net.product_form() == (LOPSIDED, net.weights)
    assert TreeCircuit(LOPSIDED, operator=torch.mul,
                       generator=seeded()).product_form()[0] is LOPSIDED


def test_a_circuit_keeps_copies_of_its_weights():
    weights = LOPSIDED.random_weights(Real(), seeded())
    net = TreeCircuit(LOPSIDED, weights=weights)
    for path, weight in weights.items():
        before = weight.clone()
        weight.zero_()
        assert torch.equal(net.weights[path], before) and net.weights[path].requires_grad


def test_one_output_by_products_of_affine_maps():
    weights = LOPSIDED.random_weights(Real(), seeded(1))
    inputs = torch.randn(7, 2, generator=seeded(2), dtype=torch.float64)

    def multiply(maps):
        assert all(bias is None for _, bias, _ in maps)
        return torch.stack([matrix @ cell for matrix, _, cell in maps]).prod(0)

    found = LOPSIDED.output_cell(weights, dict(enumerate(inputs)), multiply)
    assert torch.allclose(found, evaluate(LOPSIDED, weights, inputs[None]), rtol=1e-12)
    assert LOPSIDED.map_weights(torch.numel, weights) == {
        path: weight.numel() for path, weight in weights.items()}


def test_the_weights_of_the_largest_even_odd_rank_one_by_one():
    found, used = even_odd_weights(UNEVEN), {2: 2, 4: 4, 5: 5, 1: 1}
    for path, shape in UNEVEN.weight_shapes().items():
        wanted = torch.zeros(shape, dtype=torch.float64)
        if not path:
            wanted[0] = 1
        elif len(path) == 3:
            for row in range(min(shape)):
                wanted[row, row] = 1
        elif len(path) == 2:
            wanted[0, :used[shape[1]]] = 1
        else:
            wanted[0, 0] = 1
        assert torch.equal(found[path], wanted)


def test_the_largest_tensors_that_are_built(monkeypatch):
    assert decompositions.MAX_ENTRIES == 128 * 2**20
    network = DilatedNetwork(((1, 2),), 2, 2)
    weights = network.random_weights(Real(), seeded())
    monkeypatch.setattr(mixtures, "MAX_ENTRIES", 16)
    assert network.tensor(weights).numel() == 16
    monkeypatch.setattr(mixtures, "MAX_ENTRIES", 15)
    with pytest.raises(ValueError, match=r"^tensor: 2 \*\* 4 entries, more than 15$"):
        network.tensor(weights)


def test_widths_are_chosen_from_powers_of_two_up_to_sixteen():
    """A star of two modes has the width as cut and 41 weights for each."""
    shape = ModeTree.star(2, 20, 1)
    for width in range(1, 21):
        for budget in (41 * width, 41 * width + 40):
            found = design_widths(shape, [(0,)], budget)
            largest = max(w for w in (1, 2, 4, 8, 16) if w <= width)
            assert (found.cut, found.parameters, found.tree.root.width) == (
                largest, 41 * largest, largest)


@pytest.mark.parametrize("by, shared, budget", [("level", False, 60), ("level", True, 30),
                                                ("node", False, 45), ("node", False, 90)])
def test_the_search_looks_at_what_it_cannot_rule_out(by, shared, budget):
    shape, sizes, visited, best = ModeTree.perfect(4, 2, 3, (1, 1)), (4, 2, 1), [0], [(0, 0)]
    parts = 2 if by == "level" else 3

    def made(widths):                       # the root first, then its children
        if by == "level":
            return ModeTree.perfect(4, 2, 3, (widths[1], widths[0]))
        return ModeTree.perfect(4, 2, 3, (tuple(widths[1:]), widths[0]))

    def visit(chosen):
        visited[0] += 1
        small, large = (made(chosen + [rest] * (parts - len(chosen))) for rest in (1, 4))
        count, cut = small.parameter_count(shared), min(large.mincut((0, 2)), large.mincut((0, 1)))
        if count > budget or (cut, -count) <= best[0]:
            return
        if len(chosen) == parts:
            best[0] = cut, -count
            return
        for size in sizes:
            visit([*chosen, size])

    visit([])
    found = design_widths(shape, [(0, 2), (0, 1)], budget, (1, 2, 4, 4), by, shared)
    assert (found.cut, -found.parameters, found.visited) == (*best[0], visited[0])


def test_trees_of_dilated_networks_from_their_sums():
    assert str(dilated_tree((1, 2), 3, 5, outputs=7)) == "[[0 1]:5 [2 3]:5]:7 over dimension 3"
    assert str(dilated_tree((5,), 3, 5)) == "[0 1]:1 over dimension 3"
    assert list(lags((3, 1, 1)).items()) == [(0, 1), (1, 2), (2, 1), (3, 1), (4, 2), (5, 1)]
    assert [gap_family(depth) for depth in (3, 4)] == [
        ((1, 2, 4), (2, 1, 4), (0, 1, 4, 6)),
        ((1, 2, 4, 8), (4, 2, 1, 8), (0, 1, 2, 3, 8, 10, 12, 14))]
    assert mixture_levels((1, 2, 4, 8), (2, 1, 4, 8)) == (2, 3)
    assert mixture_levels((1, 1, 2, 2), (1, 2, 2, 1)) == (1,)   # as often, not only the same ones
    assert mixture_levels((1, 2), (1, 2)) == (1,) and mixture_levels((3,), (3,)) == ()
    assert hybrid_tree((1, 2, 4), (2, 1, 4), 2, 1, 2, (0, 1), level_width=1) == (
        hybrid_tree((1, 2, 4), (2, 1, 4), 2, 1, 2, (0, 1), 1))


@pytest.mark.parametrize("orders", [((1, 2),), ((1, 2, 4), (2, 1, 4))])
def test_weights_of_dilated_networks_are_drawn_stream_after_stream(orders):
    network, draw = DilatedNetwork(orders, 3, 1), seeded(2)
    depth = len(orders[0])
    shapes = [(2, 1, 3)] + [(2, 1, 1)] * (depth - 1)
    assert network.weight_shapes() == shapes
    wanted = [[Real().random(shape, draw) for shape in shapes] for _ in orders]
    found = network.random_weights(Real(), seeded(2))
    assert all(map(torch.equal, sum(found, []), sum(wanted, [])))
    assert network.parameter_count() == sum(w.numel() for w in sum(wanted, []))
    on_edges = network.tree_weights([w.float() for w in found[0]])
    assert torch.equal(on_edges.pop(()), torch.ones(1))
    assert on_edges.keys() | {()} == dilated_tree(orders[0], 3, 1).weight_shapes().keys()
    for path, weight in on_edges.items():
        assert torch.equal(weight, found[0][depth - len(path)][path[-1]].float())


def test_a_hybrid_of_four_layers_inside_its_mixture():
    """Two nodes of the first layer after the exchange take the same two taps."""
    network = DilatedNetwork(((1, 2, 4, 8), (2, 1, 4, 8)), 2, 2, (2,))
    random = network.random_weights(FIELD, seeded())
    masked, tree, weights = hybrid_in_mixture(network, random, (0, 1))
    tensor = network.tensor(masked, FIELD)
    assert bool(tensor.any())
    assert torch.equal(tensor, coefficient_tensor(tree, weights, FIELD))
    single = [[layer.float() for layer in stream] for stream in random]
    assert {w.dtype for w in hybrid_in_mixture(network, single, (0, 1))[2].values()} == {
        torch.float32}


def joined(n, geometry, level):
    """The windows of a level of a row of n places, in the order of the definition."""
    groups = [(place,) for place in range(n)]
    for step in range(level):
        m, half = len(groups), len(groups) // 2
        name = geometry if isinstance(geometry, str) else geometry[step]
        other = {"square": lambda k: (2 * k, 2 * k + 1), "mirror": lambda k: (k, m - 1 - k),
                 "dilated": lambda k: (k, k + half)}[name]
        groups = [groups[a] + groups[b] for a, b in map(other, range(half))]
    return groups


@pytest.mark.parametrize("geometry", ["square", "mirror", "dilated",
                                      ("mirror", "square", "dilated"),
                                      ["dilated", "mirror", "square"]])
def test_windows_of_lines_and_images(geometry):
    assert pooling_order(8, geometry) == pooling_order((8,), geometry) == joined(8, geometry, 3)[0]
    order = pooling_order((8, 8), geometry)
    for level in (1, 2, 3):
        windows = joined(8, geometry, level)
        wanted = {frozenset(8 * i + j for i in rows for j in columns)
                  for rows in windows for columns in windows}
        size = 4**level
        assert {frozenset(order[k:k + size]) for k in range(0, 64, size)} == wanted
    assert [place // 8 for place in order[:4]] == [order[0] // 8] * 2 + [order[2] // 8] * 2
    assert [place % 8 for place in order[:4]] == [order[0] % 8, order[1] % 8] * 2


def test_trees_of_geometries():
    assert pooling_tree((4,), 2, (3, 1)) == ModeTree.perfect(4, 2, 2, (3, 1))
    assert pooling_tree((2, 2), 3, (5,)) == ModeTree(ModeTree.star(4, 3, 5).root, 3, (2, 2))
    assert pooling_tree((4, 4), 2, (3, 1)).leaves == pooling_order((4, 4), "square")


@pytest.mark.parametrize("pool, dim, widths, shared", [
    (2, 3, (2, 5, 4), False), (2, 3, (5, 2, 4), True), (3, 2, (3, 70), False), (4, 2, (9, 4), True),
    (4, 1, (1, 1), False)])
def test_ranks_of_split_windows_from_the_spaces_below(pool, dim, widths, shared):
    def order(space, count):
        choose = itertools.combinations_with_replacement if shared else None
        return len(list(choose(range(space), count))) if shared else space**count

    for level, rows in itertools.product(range(len(widths)), range(1, pool)):
        space = dim
        for width in widths[:level]:
            space = min(width, order(space, pool))
        windows = pool ** (len(widths) - 1 - level)
        one = min(widths[level], order(space, min(rows, pool - rows)))
        assert split_windows_rank(pool, dim, widths, level, rows, shared) == one**windows
        if not shared:
            assert split_windows_rank(pool, dim, widths, level, rows) == one**windows


@pytest.mark.parametrize("shape", [(2,), (3,), (2, 2, 2), (3, 3)])
@pytest.mark.parametrize("kind", [torch.int64, torch.float32, torch.float64])
def test_any_tensor_from_maxima(shape, kind):
    target = torch.randint(-9, 9, shape, generator=seeded(len(shape))).to(kind)
    tree, weights = universal_weights(target)
    assert tree == ModeTree.star(len(shape), shape[0], target.numel())
    assert {weight.dtype for weight in weights.values()} == {torch.float64}
    assert torch.allclose(coefficient_tensor(tree, weights, operator=LARGEST), target.double())


def test_weights_of_pairs_and_of_an_order_one_by_one():
    tree = ModeTree.perfect(4, 2, 3, ((2, 4), 3)).permuted([2, 0, 3, 1])
    found, two = rectifiers.pair_weights(tree), [[0.0, 1, 1], [1, 0, 1]]
    assert found[(0, 1)].tolist() == two
    assert found[(1, 0)].tolist() == two + [[0.0] * 3] * 2
    assert found[(0,)].tolist() == [[1, 1], [0, 0], [0, 0]]
    assert found[(1,)].tolist() == [[1] * 4, [0] * 4, [0] * 4] and found[()].tolist() == [1] * 3
    found = rectifiers.ordered_weights(tree)
    for path, mode in zip(((0, 0), (0, 1), (1, 0), (1, 1)), (2, 0, 3, 1)):
        assert found.pop(path).tolist() == [[mode + 1, 4 + mode + 1, 8 + mode + 1]] * (
            4 if path[0] else 2)
    assert all((weight == 1).all() for weight in found.values()) and len(found) == 3
    assert {weight.dtype for weight in found.values()} == {torch.float64}
    wide = rectifiers.pair_weights(ModeTree.perfect(2, 2, 2, (3,)))
    assert wide[(0,)].tolist() == [[0, 1], [1, 0], [0, 0]]


def test_how_far_an_order_is_kept():
    """(51/50)² is the largest growth for three levels and 480/5101: 20 + ε to 21 - ε."""
    tree = ModeTree.perfect(8, 2, 3, (1, 1, 1))
    assert rectifiers.keeps_order(tree, "480/5101", "1/101")
    assert not rectifiers.keeps_order(tree, "481/5101", "1/101")
    assert not rectifiers.keeps_order(tree, "480/5101", "1/100")
    pair = ModeTree.perfect(2, 2, 3, (1,))
    for deeper in (0, "99/100", Fraction(1, 2)):
        assert rectifiers.keeps_order(pair, Fraction(1, 2), deeper)
        assert rectifiers.keeps_order(pair, 0, deeper)
        assert not rectifiers.keeps_order(pair, "51/100", deeper)


@pytest.mark.parametrize("modes, dim", [(1, 3), (2, 2), (2, 3), (3, 2), (3, 3)])
def test_one_channel_is_found_and_written_as_products(modes, dim):
    draw = seeded(modes + dim)
    for sign, most in itertools.product((1.0, -1.0), (2, 9)):
        star = ModeTree.star(modes, dim, 1)
        star = star.permuted(torch.randperm(modes, generator=draw).tolist())
        least = -2 if modes > 1 else 0                      # one mode alone is not rectified
        given = {path: torch.randint(least, most, shape, generator=draw).double()
                 for path, shape in star.weight_shapes().items()} | {
                     (): torch.tensor([sign]).double()}
        tensor = coefficient_tensor(star, given, operator=LARGEST)
        tree, weights = single_channel(tensor)
        assert tree == ModeTree.star(modes, dim, 1)
        if bool(tensor.any()):
            assert weights[()].tolist() == [sign]
        assert torch.equal(coefficient_tensor(tree, weights, operator=LARGEST), tensor)
        products, below = maximum_as_products(star, given)
        assert products.leaves == star.leaves and products.root.height == 1
        assert products.root.width == len(tensor.unique()) <= (dim - 1) * modes + 1
        assert torch.equal(coefficient_tensor(products, below), tensor)
        assert {weight.dtype for weight in below.values()} == {torch.float64}
    mixed = torch.zeros((dim,) * modes)
    mixed.view(-1)[:2] = torch.tensor([1.0, -1.0])
    assert single_channel(mixed) is None
    for sign in (1, -1):
        least = sign * torch.ones((dim,) * modes)
        least.view(-1)[0] = 0                               # the least value that a maximum takes
        found = single_channel(least)
        assert found[1][()].tolist() == [sign]
        assert torch.equal(coefficient_tensor(*found, operator=LARGEST), least.double())


def test_the_rank_of_maxima_and_of_averages():
    for rows, modes, dim in (((0,), 5, 3), ((0, 3), 5, 3), ((1, 2, 4), 5, 2), ((), 3, 2)):
        small = min(len(rows), modes - len(rows))
        assert maxima_rank_bound(rows, modes, dim) == maxima_rank_bound(rows, modes, dim, 1)
        for channels in (1, 2, 7):
            assert maxima_rank_bound(rows, modes, dim, channels) == min(
                channels * (dim - 1) * small + 1, dim**small)
    draw = seeded(7)
    for modes, dim in ((2, 3), (4, 2), (4, 3), (8, 2)):
        for _ in range(12):
            rows = [mode for mode in range(modes) if torch.rand((), generator=draw) < 0.5]
            half = [sum(mode < modes // 2 for mode in rows)]
            half.append(len(rows) - half[0])
            left, right = (FIELD.random((dim**r, dim ** (modes // 2 - r)), draw) for r in half)
            matrix = left[:, None, :, None] + right[None, :, None, :]   # a sum of two functions
            matrix = FIELD.reduce(matrix.reshape(dim ** len(rows), -1))
            assert largest_average_rank(rows, modes, dim) == exact_rank(matrix, FIELD.prime).rank


@pytest.mark.parametrize("levels, pool", [(0, 3), (1, 4), (2, 3), (3, 2)])
def test_a_symmetry_is_drawn_from_the_root_down(levels, pool):
    draw = seeded(9)

    def drawn(level):
        if level == 0:
            return [0]
        order = torch.randperm(pool, generator=draw).tolist()
        size = pool ** (level - 1)
        return [child * size + place for child in order for place in drawn(level - 1)]

    found = random_symmetry(levels, seeded(9), pool)
    assert found.tolist() == drawn(levels) and found.dtype == torch.int64
    if pool == 4:
        assert torch.equal(random_symmetry(levels, seeded(9)), found)


def test_images_are_moved_place_by_place():
    images, symmetry = torch.arange(96).view(2, 3, 4, 4), random_symmetry(2, seeded(1))
    places, found = quadtree_places(2).tolist(), moved(images, symmetry).flatten(2)
    for i, j in enumerate(symmetry.tolist()):
        assert torch.equal(found[..., places[i]], images.flatten(2)[..., places[j]])
    assert moved(torch.ones(1, 1), torch.zeros(1).long()).shape == (1, 1)
    assert quadtree_places(0).tolist() == [0] and symmetry_order(0) == 1
    assert [side_orbits(1, 2), side_orbits(1, 2, 4), side_orbits(1, 2, 2)] == [3, 3, 2]


def test_as_many_indices_as_fit(monkeypatch):
    monkeypatch.setattr(tensors, "MOST_INDICES", 24)
    assert len(indices(2, 3)) == 8                          # 24 numbers
    with pytest.raises(ValueError, match="more than 24 numbers"):
        indices(5, 2)
    assert indices(1, 5).tolist() == [[0] * 5] and indices(3, 0).shape == (1, 0)


@pytest.mark.parametrize("dim, count, samples", [
    (2, 3, 8), (2, 4, 4), (3, 2, 0), (5, 2, 7), (2, 6, 15), (3, 4, 20), (2, 40, 5), (3, 0, 1)])
def test_samples_are_all_there_is_or_drawn_until_they_are_enough(dim, count, samples):
    """Up to a quarter is drawn tuple by tuple, more by a permutation of all."""
    draw, found = seeded(4), tensors.sample_indices(dim, count, samples, seeded(4))
    if dim**count <= 4 * samples:
        chosen = sorted(torch.randperm(dim**count, generator=draw)[:samples].tolist())
        wanted = [list(itertools.product(range(dim), repeat=count))[place] for place in chosen]
    else:
        seen = set()
        while len(seen) < samples:
            fresh = torch.randint(dim, (samples, count), generator=draw).tolist()
            seen |= set(map(tuple, fresh))
        kept = torch.randperm(len(seen), generator=draw)[:samples].tolist() if samples else []
        wanted = [sorted(seen)[place] for place in sorted(kept)]
    assert list(map(tuple, found.tolist())) == wanted
    assert found.shape == (samples, count) and found.dtype == torch.int64


def test_products_that_just_fit_and_those_that_need_no_room():
    def byte(*values):
        return torch.tensor(values, dtype=torch.int8)[:, None]

    assert khatri_rao([byte(127, -127), byte(1, -1)]).flatten().tolist() == [127, -127, -127, 127]
    assert khatri_rao([byte(1), byte(-127)]).tolist() == [[-127]]
    empty = torch.zeros(0, 1, dtype=torch.int8)
    assert khatri_rao([empty, byte(100)]).shape == khatri_rao([byte(100), empty]).shape == (0, 1)
    large = torch.tensor([[1e300]], dtype=torch.float64)
    assert khatri_rao([large, large]).item() == math.inf
    assert khatri_rao([large.to(torch.complex128), byte(2)]).item() == 2e300
    assert tensors.generalized_product(byte(100), byte(100), torch.add).shape == (1, 1, 1, 1)
    assert matricize(torch.arange(6).view(2, 3), (1,), 2).tolist() == [[0, 3], [1, 4], [2, 5]]
    wide = torch.zeros(1, 400), torch.zeros(2, 400)         # numbers that are not interned
    assert khatri_rao(wide).shape == (2, 400)


def test_trees_of_more_than_256_modes():
    """Sizes beyond those of which Python keeps one object each."""
    levels = (1,) * 9
    tree = ModeTree.perfect(512, 2, 1, ((1,) * 256, *levels[1:]))
    assert tree == ModeTree.perfect(512, 2, 1, levels) and tree.permuted(range(512)) == tree
    assert ModeTree.perfect(1024, 2, 1, ((1,) * 512, *levels)).modes == 1024
    assert rectifiers.keeps_order(tree, 0, 0) and pooling_order(512, "square") == tuple(range(512))
    assert torch.equal(moved(torch.ones(32, 32), torch.arange(1024)), torch.ones(32, 32))
    doubled = tuple(2**place for place in range(11))
    wide = hybrid_tree(doubled, (2, 1, *doubled[2:]), 1, 2, 2, (1,) * 512)
    assert wide.modes == 2048 and wide.root.height == 11
    weights = routed_weights(ModeTree.star(300, 1, 1), (0,))
    assert len(weights) == 301 and {w.dtype for w in weights.values()} == {torch.float64}


def test_the_order_whose_lags_coincide_is_named():
    with pytest.raises(ValueError, match=r"dilations \(1, 2, 3\) read x\[t-3\] along 2 paths"):
        mixtures.hybrid_tree((1, 2, 3), (2, 1, 3), dim=2, width=2, level=2, choice=(1, 0))


def test_a_tensor_too_large_names_the_blocks_of_its_own_operator(monkeypatch):
    """Those of `lib.grids.blocks` are of products, whatever the operator was."""
    tree, operator = ModeTree.perfect(4, 2, 2, (2, 2)), activation_pooling("relu", "max")
    weights = tree.random_weights(Real(), seeded(0))
    whole = coefficient_tensor(tree, weights, operator=operator)
    monkeypatch.setattr(decompositions, "MAX_ENTRIES", 15)
    with pytest.raises(ValueError, match="grid_block in lib.grids.grid, of a TreeCircuit with thi"):
        coefficient_tensor(tree, weights, operator=operator)
    circuit = TreeCircuit(tree, operator=operator, weights=weights)
    block = grid_block(circuit, torch.eye(2).double(), "even-odd", 4)
    assert torch.equal(block, matricize(whole, "even-odd"))
