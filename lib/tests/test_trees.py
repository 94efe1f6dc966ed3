"""Mode trees, their tensors, their circuits and their minimum cuts."""

import itertools

import networkx
import numpy as np
import pytest
import torch

from lib.bounds.partitions import split_modes
from lib.exact.arithmetic import Modular, Real
from lib.grids.grid import change_basis, grid_block, grid_tensor
from lib.photograph import photograph_patches
from lib.trees import decompositions
from lib.trees.circuit import TreeCircuit, evaluate
from lib.trees.constructions import even_odd_weights
from lib.trees.decompositions import coefficient_tensor
from lib.trees.mincut import multiplicative_mincut
from lib.trees.tensors import activation_pooling, indices, matricize
from lib.trees.tree import ModeTree, Node

TREES = [
    ModeTree.star(modes=4, dim=3, width=5),
    ModeTree.perfect(modes=8, pool=2, dim=2, widths=(4, 2, 3)),
    ModeTree.perfect(modes=4, pool=4, dim=3, widths=(2,)),
    ModeTree.perfect(modes=4, pool=2, dim=2, widths=((3, 2), 4)).permuted([2, 0, 3, 1]),
    ModeTree(Node((Node((3, 0), 2), 1, Node((Node((4, 2), 3),), 2)), 2), dim=2),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_tensor_and_circuit_agree_entry_by_entry(tree):
    for arithmetic in (Real(), Modular()):
        weights = tree.random_weights(arithmetic, generator())
        tensor = coefficient_tensor(tree, weights, arithmetic)
        identity = torch.eye(tree.dim, dtype=torch.float64)
        network = lambda x: evaluate(tree, weights, x, arithmetic)  # noqa: B023, E731
        grid = grid_tensor(network, identity, tree.modes)
        if isinstance(arithmetic, Modular):
            assert torch.equal(tensor, grid)
        else:
            torch.testing.assert_close(tensor, grid)


@pytest.mark.parametrize("name", [("relu", "max"), ("relu", "sum"), ("linear", "max")])
@pytest.mark.parametrize("tree", TREES, ids=str)
def test_generalized_tensor_and_circuit_agree(tree, name):
    operator = activation_pooling(*name)
    weights = {
        path: torch.randint(-4, 5, shape, generator=generator(1)).double()
        for path, shape in tree.weight_shapes().items()
    }  # small integers: float64 is exact
    tensor = coefficient_tensor(tree, weights, operator=operator)
    network = lambda x: evaluate(tree, weights, x, operator=operator)  # noqa: E731
    assert torch.equal(tensor, grid_tensor(network, torch.eye(tree.dim).double(), tree.modes))


def test_cp_tensor_is_the_sum_of_outer_products():
    tree = ModeTree.star(modes=3, dim=2, width=4)
    weights = tree.random_weights(Real(), generator())
    expected = np.einsum(
        "z,za,zb,zc->abc", weights[()], weights[(0,)], weights[(1,)], weights[(2,)]
    )
    np.testing.assert_allclose(coefficient_tensor(tree, weights), expected)


def test_ht_tensor_is_the_nested_sum():
    tree = ModeTree.perfect(modes=4, pool=2, dim=2, widths=(3, 4))
    w = tree.random_weights(Real(), generator())
    left = np.einsum("gx,xa,xb->gab", w[(0,)], w[(0, 0)], w[(0, 1)])
    right = np.einsum("gx,xa,xb->gab", w[(1,)], w[(1, 0)], w[(1, 1)])
    expected = np.einsum("g,gab,gcd->abcd", w[()], left, right)
    np.testing.assert_allclose(coefficient_tensor(tree, w), expected)


def test_permuting_leaves_permutes_modes():
    tree = ModeTree.perfect(modes=4, pool=2, dim=3, widths=(2, 2))
    order = [2, 0, 3, 1]
    weights = tree.random_weights(Modular(), generator())
    plain = coefficient_tensor(tree, weights, Modular())
    moved = coefficient_tensor(tree.permuted(order), weights, Modular())
    for index in itertools.product(range(3), repeat=4):
        assert moved[index] == plain[tuple(index[order[i]] for i in range(4))]


def test_shared_weights_give_sibling_symmetry_and_fewer_parameters():
    tree = ModeTree.perfect(modes=4, pool=2, dim=3, widths=(2, 2))
    tensor = coefficient_tensor(tree, tree.random_weights(Modular(), generator(), True), Modular())
    assert torch.equal(tensor, tensor.permute(1, 0, 2, 3))
    assert torch.equal(tensor, tensor.permute(2, 3, 0, 1))
    assert not torch.equal(tensor, tensor.permute(0, 2, 1, 3))
    assert tree.parameter_count(shared=True) == 2 + 2 * 2 + 2 * 3
    assert tree.parameter_count() == 2 + 2 * 2 * 2 + 4 * 2 * 3


def test_sharing_unequal_widths_is_refused():
    uneven = ModeTree.perfect(modes=4, pool=2, dim=2, widths=((3, 2), 4))
    with pytest.raises(ValueError, match="cannot share the weights at paths"):
        uneven.random_weights(Real(), generator(), shared=True)


@pytest.mark.parametrize("operator", [torch.maximum, torch.max, torch.minimum, torch.fmin])
def test_no_maximum_of_residues_whatever_it_is_called(operator):
    tree = ModeTree.star(2, 2, 1)
    weights = tree.random_weights(Modular(7), torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="over Modular.prime=7.; residues have no order"):
        coefficient_tensor(tree, weights, Modular(7), operator)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ModeTree.perfect(6, 2, 2, (1, 1, 1)), "not a power of pool=2"),
        (lambda: ModeTree.perfect(8, 2, 2, (1, 1)), "2 widths"),
        (lambda: ModeTree.perfect(4, 2, 2, (1, 1, 1)), "for 2 levels"),
        (lambda: ModeTree.perfect(4, 2, 2, ((1, 1, 1), 1)), "3 widths .* for the 2 nodes"),
        (lambda: ModeTree.perfect(4, 1, 2, (1,)), "2 <= pool"),
        (lambda: ModeTree.star(3, 0, 1), "dim is 0"),
        (lambda: ModeTree.star(3, 2, 0), "width of the node .* is 0"),
        (lambda: ModeTree.star(3, 2, 1.5), "is 1.5; need an integer"),
        (lambda: ModeTree(Node((0, 2), 1), 2), "not the modes 0..1"),
        (lambda: ModeTree(Node((), 1), 2), "no children"),
        (lambda: ModeTree(0, 2), "not a Node"),
        (lambda: ModeTree.star(3, 2, 1).permuted([0, 0, 1]), "not a permutation"),
    ],
)
def test_trees_that_do_not_exist_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_wrong_weights_and_inputs_are_named():
    tree = ModeTree.star(2, 3, 4)
    weights = tree.random_weights(Real(), generator())
    with pytest.raises(ValueError, match=r"path \(1,\) is .* shape \(3, 4\); .* shape \(4, 3\)"):
        tree.check_weights(weights | {(1,): weights[(1,)].T})
    with pytest.raises(ValueError, match="do not belong"):
        tree.check_weights(weights | {(2,): weights[(1,)]})
    with pytest.raises(ValueError, match=r"needs \(batch, 2, 3\)"):
        evaluate(tree, weights, torch.zeros(5, 3, 3))
    with pytest.raises(ValueError, match="more than"):
        coefficient_tensor(ModeTree.star(40, 2, 1), {})


@pytest.mark.parametrize("shared", [False, True])
def test_a_tree_circuit_learns(shared):
    tree = ModeTree.perfect(modes=4, pool=2, dim=2, widths=(4, 4))
    net = TreeCircuit(tree, shared=shared, generator=generator()).double()
    inputs = torch.randn(64, 4, 2, generator=generator(1), dtype=torch.float64)
    with torch.no_grad():
        target = TreeCircuit(tree, shared=shared, generator=generator(2)).double()(inputs)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    losses = []
    for _ in range(150):
        loss = (net(inputs) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_tree_circuit_refuses_weights_that_are_not_shared():
    tree = ModeTree.star(2, 2, 2)
    weights = tree.random_weights(Real(), generator())
    with pytest.raises(ValueError, match="differ"):
        TreeCircuit(tree, shared=True, weights=weights)
    with pytest.raises(ValueError, match="generator"):
        TreeCircuit(tree)


def brute_force_cut(tree, rows):
    """Try both sides for every weight matrix and charge every hyperedge that is cut."""
    shapes = tree.weight_shapes()
    paths = list(shapes)
    best = None
    for sides in itertools.product((0, 1), repeat=len(paths)):
        side = dict(zip(paths, sides))
        cost = 1
        for path, node in tree.inner_nodes():
            around = {side[path]} | {side[(*path, t)] for t in range(len(node.children))}
            cost *= node.width if len(around) == 2 else 1
            for t, child in enumerate(node.children):
                if isinstance(child, int) and side[(*path, t)] != (child in rows):
                    cost *= tree.dim
        best = cost if best is None else min(best, cost)
    return best


@pytest.mark.parametrize("tree", TREES[:1] + TREES[2:], ids=str)
def test_mincut_against_all_assignments(tree):
    for size in range(tree.modes + 1):
        for rows in itertools.combinations(range(tree.modes), size):
            assert tree.mincut(rows) == brute_force_cut(tree, set(rows))


def test_mincut_against_max_flow():
    """log2 of the cut is a maximum flow when all widths are powers of two."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        widths = tuple(tuple(2 ** rng.integers(0, 4, n)) for n in (4, 2, 1))
        widths = tuple(tuple(int(w) for w in level) for level in widths)
        tree = ModeTree.perfect(8, 2, 4, widths)
        rows, columns = split_modes(rng.permutation(8)[: rng.integers(0, 9)].tolist(), 8)
        graph = networkx.DiGraph()
        graph.add_nodes_from(("source", "sink"))

        def hyperedge(name, members, width):
            graph.add_edge((name, "in"), (name, "out"), capacity=int(np.log2(width)))
            for member in members:
                graph.add_edge(member, (name, "in"))
                graph.add_edge((name, "out"), member)

        for path, node in tree.inner_nodes():
            edges = [(*path, t) for t in range(len(node.children))]
            hyperedge(("node", path), [path, *edges], node.width)
            for edge, child in zip(edges, node.children):
                if isinstance(child, int):
                    terminal = "source" if child in rows else "sink"
                    hyperedge(("mode", child), [edge, terminal], tree.dim)
        flow = networkx.maximum_flow_value(graph, "source", "sink")
        assert multiplicative_mincut(tree, rows) == 2**flow


def test_a_minimum_cut_takes_every_form_of_a_partition_and_refuses_what_is_none():
    tree = ModeTree.perfect(8, 2, 4, (3, 2, 2))
    for evens in ("even-odd", (0, 2, 4, 6), torch.arange(0, 8, 2),
                  [torch.tensor(m) for m in (0, 2, 4, 6)]):
        assert multiplicative_mincut(tree, evens) == tree.mincut(evens) == 81
    for wrong in ((0, 9), (-1, 1), (0, 0), "even", 5, (0.0, 2.0)):
        with pytest.raises((TypeError, ValueError), match="partition: "):
            multiplicative_mincut(tree, wrong)


def test_grid_tensor_is_the_coefficient_tensor_in_another_basis():
    tree = TREES[0]
    arithmetic = Modular()
    weights = tree.random_weights(arithmetic, generator())
    representation = arithmetic.random((5, tree.dim), generator(1))  # 5 templates, 3 channels
    network = lambda x: evaluate(tree, weights, x, arithmetic)  # noqa: E731
    grid = grid_tensor(network, representation, tree.modes)
    coefficients = coefficient_tensor(tree, weights, arithmetic)
    assert torch.equal(grid, change_basis(coefficients, representation, arithmetic))
    row_indices = torch.tensor([[4, 0], [2, 3], [1, 1]])
    block = grid_block(network, representation, (1, 3), 4, row_indices, indices(5, 2))
    whole = matricize(grid, (1, 3))
    assert torch.equal(block, whole[row_indices @ torch.tensor([5, 1])])


def test_grid_block_names_wrong_indices():
    with pytest.raises(ValueError, match=r"row indices of shape \(1, 3\); need \(any, 2\)"):
        grid_block(lambda x: x[:, 0, 0], torch.eye(2), (0, 1), 4,
                   torch.zeros(1, 3).long(), torch.zeros(1, 2).long())


def test_photograph_patches_are_seeded_and_differ():
    one, again = (photograph_patches(6, 5, generator(3)) for _ in range(2))
    assert torch.equal(one, again) and one.shape == (5, 108)
    assert len(torch.unique(one, dim=0)) == 5
    with pytest.raises(ValueError, match="from 1 to 512"):
        photograph_patches(513, 1, generator())


@pytest.mark.parametrize("widths", [(2, 1, 1), (5, 4, 3), (2, 3, 2), (1, 2, 2)])
@pytest.mark.parametrize("order", [range(8), [3, 1, 0, 2, 7, 6, 5, 4]])
def test_even_odd_weights_reach_the_largest_rank(widths, order):
    tree = ModeTree.perfect(modes=8, pool=2, dim=3, widths=widths).permuted(list(order))
    tensor = coefficient_tensor(tree, even_odd_weights(tree))
    rows = [tree.leaves[i] for i in range(0, 8, 2)]  # one mode of every lowest node
    assert np.linalg.matrix_rank(matricize(tensor, rows).numpy()) == min(widths[0], 3) ** 4


def test_even_odd_weights_need_pairs():
    with pytest.raises(ValueError, match="does not join two modes"):
        even_odd_weights(ModeTree.star(4, 2, 2))


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_a_wide_root_is_multiplied_some_channels_at_a_time(tree, monkeypatch):
    wide = ModeTree(Node(tree.root.children, 13), tree.dim)
    for arithmetic in (Real(), Modular()):
        weights = wide.random_weights(arithmetic, generator())
        whole = coefficient_tensor(wide, weights, arithmetic)
        largest = []

        def product(a, b):
            largest.append(torch.broadcast_shapes(a.shape, b.shape).numel())  # noqa: B023
            return a * b

        with monkeypatch.context() as small:
            small.setattr(decompositions, "PIECE", 2 * whole.numel())
            parts = coefficient_tensor(wide, weights, arithmetic, operator=product)
        assert torch.allclose(parts, whole, rtol=1e-12, atol=1e-12)
        assert max(largest) == 2 * whole.numel()
