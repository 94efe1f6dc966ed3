"""Split evaluation against forward passes and against coefficient tensors, to the last residue."""

import gc
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lib.benchmarks.blocks
import lib.grids.pairs
from lib.bounds.partitions import split_modes
from lib.exact.arithmetic import Modular, Real
from lib.grids import blocks
from lib.grids.blocks import matricization_block
from lib.grids.grid import change_basis, grid_block
from lib.networks.architecture import Architecture, Layer
from lib.networks.convolutional import grid_network
from lib.networks.modules import ConvAC
from lib.tests.draws import seeded
from lib.tests.sizes import Largest
from lib.trees.circuit import TreeCircuit
from lib.trees.decompositions import coefficient_tensor
from lib.trees.tensors import activation_pooling, matricize, sample_indices
from lib.trees.tree import ModeTree, Node

FIELD = Modular()


def check_architecture(net, rows, arithmetic=FIELD, samples=40, seed=0, output=0, **choices):
    """Split evaluation of a random block equals forward passes, with a random representation."""
    g = seeded(seed)
    weights = net.random_weights(arithmetic, g, **choices)
    representation = arithmetic.random((3, net.channels), g)
    modes = split_modes(rows, net.grid)
    sampled = [sample_indices(3, len(m), min(samples, 3 ** len(m)), g) for m in modes]
    split = matricization_block(net, weights, rows, *sampled, representation, arithmetic, output)
    plain = grid_block(grid_network(net, weights, arithmetic, output), representation, rows,
                       net.grid, *sampled)
    if isinstance(arithmetic, Modular):
        assert torch.equal(split, plain)
    else:
        torch.testing.assert_close(split, plain)


@st.composite
def architectures(draw):
    ndim = draw(st.sampled_from([1, 2]))
    size = tuple(draw(st.integers(1, 9 if ndim == 1 else 4)) for _ in range(ndim))
    side = st.integers(1, 4)
    layers = tuple(
        Layer(tuple(draw(side) for _ in range(ndim)), tuple(draw(side) for _ in range(ndim)),
              draw(st.integers(1, 3)))
        for _ in range(draw(st.integers(1, 3)))
    )
    return Architecture(size, draw(st.integers(1, 3)), layers)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(net=architectures(), data=st.data())
def test_any_architecture_and_any_partition(net, data):
    total = torch.Size(net.size).numel()
    rows = data.draw(st.sets(st.integers(0, total - 1)))
    biases = tuple(data.draw(st.booleans()) for _ in net.layers)
    outputs = net.widths[-1] * torch.Size(net.output_sizes[-1]).numel()
    check_architecture(net, rows, samples=9, shared=data.draw(st.booleans()), biases=biases,
                       output=data.draw(st.integers(0, outputs - 1)))


@pytest.mark.parametrize("rows", ["left-right", "top-bottom", "checkerboard", [0, 3, 7, 30]])
def test_the_architecture_of_the_benchmark(rows):
    check_architecture(Architecture(6, 2, (Layer(4, 2, 2), Layer(3, 3, 1))), rows, samples=60)


def test_three_overlapping_layers_in_both_arithmetics():
    net = Architecture(5, 2, (Layer(3, 1, 3), Layer(2, 2, 3), Layer(3, 3, 1)))
    for arithmetic in (FIELD, Real()):
        check_architecture(net, "left-right", arithmetic)


@pytest.mark.parametrize("name, value", [("MERGED", 1), ("MERGED", 200), ("TILE", {"cpu": 7})])
def test_merging_and_tiling_change_nothing(monkeypatch, name, value):
    net = Architecture(5, 2, (Layer(3, 2, 3), Layer(2, 1, 2), Layer(3, 3, 1)))
    weights = net.random_weights(FIELD, seeded())
    sampled = [sample_indices(2, n, 33, seeded(1)) for n in (10, 15)]
    before = matricization_block(net, weights, "left-right", *sampled, arithmetic=FIELD)
    monkeypatch.setattr(lib.grids.pairs, name, value)
    after = matricization_block(net, weights, "left-right", *sampled, arithmetic=FIELD)
    assert torch.equal(before, after)


def test_sums_longer_than_float64_holds_at_once():
    """301 products of odd numbers near 2**45 / 2: their odd sum is above 2**53, not a float64."""
    row, column, n = (FIELD.prime - 3) // 2, FIELD.prime - 2, 301
    first = torch.tensor([row, column]).double().expand(n, 1, 2)
    net = Architecture((2,), 1, (Layer(2, 2, n), Layer(1, 1, 1)))
    weights = [(first, None), (torch.ones(1, n, 1).double(), None)]
    block = matricization_block(net, weights, "left-right", arithmetic=FIELD)
    assert block.item() == n * row * column % FIELD.prime


def test_many_channels():
    check_architecture(Architecture((4,), 2, (Layer(2, 1, 300), Layer(2, 1, 300), Layer(4, 4, 1))),
                       "left-right", samples=9)


def test_indices_of_more_modes_than_an_integer_holds():
    net = Architecture(12, 2, (Layer(2, 2, 2), Layer(6, 6, 1)))  # 3 ** 72 row indices
    check_architecture(net, "left-right", samples=20)


TREES = [
    ModeTree.star(modes=5, dim=2, width=3),
    ModeTree.perfect(modes=8, pool=2, dim=2, widths=(3, 2, 4)),
    ModeTree.perfect(modes=4, pool=2, dim=3, widths=((2, 5), 3)).permuted([2, 0, 3, 1]),
    ModeTree(Node((Node((4, 0), 2), 2, Node((Node((1,), 3), 3), 1)), 2), 3),
    ModeTree.star(modes=1, dim=4, width=3),
]


@pytest.mark.parametrize("tree", TREES, ids=str)
@pytest.mark.parametrize("arithmetic", [FIELD, Real()], ids=str)
def test_trees_equal_their_coefficient_tensors(tree, arithmetic):
    weights = tree.random_weights(arithmetic, seeded())
    representation = arithmetic.random((2, tree.dim), seeded(1))
    tensor = coefficient_tensor(tree, weights, arithmetic)
    grid = change_basis(tensor, representation, arithmetic)
    for rows in ("even-odd", "left-right", [], range(tree.modes)):
        expected = matricize(tensor, rows)
        found = matricization_block(tree, weights, rows, arithmetic=arithmetic)
        shown = matricization_block(tree, weights, rows, None, None, representation, arithmetic)
        if arithmetic == FIELD:
            assert torch.equal(found, expected) and torch.equal(shown, matricize(grid, rows))
        else:
            torch.testing.assert_close(found, expected)
            torch.testing.assert_close(shown, matricize(grid, rows))


def test_sampled_block_of_a_tree_is_a_block():
    tree = ModeTree.perfect(modes=8, pool=2, dim=2, widths=(3, 2, 4))
    weights = tree.random_weights(FIELD, seeded(), shared=True)
    whole = matricize(coefficient_tensor(tree, weights, FIELD), "even-odd")
    rows, columns = torch.tensor([[0, 1, 1, 0], [1, 1, 1, 1]]), torch.tensor([[0, 0, 1, 1]])
    block = matricization_block(tree, weights, "even-odd", rows, columns, arithmetic=FIELD)
    assert torch.equal(block, whole[[6, 15]][:, [3]])


def test_modules_bring_their_own_weights():
    tree = TREES[1]
    module = TreeCircuit(tree, generator=seeded())
    expected = matricization_block(tree, module.weights, "even-odd")
    assert torch.equal(matricization_block(module, None, "even-odd"), expected)
    net = Architecture(4, 2, (Layer(3, 2, 2), Layer(2, 2, 1)))
    module = ConvAC(net, generator=seeded())
    expected = matricization_block(net, module.weights, "left-right")
    assert torch.equal(matricization_block(module, None, "left-right"), expected)


@pytest.mark.parametrize("module", [
    ConvAC(Architecture(4, 2, (Layer(4, 4, 1),)), pooling="max", generator=seeded()),
    ConvAC(Architecture(4, 2, (Layer(4, 4, 1),)), activation="relu", generator=seeded()),
    TreeCircuit(TREES[0], operator=activation_pooling("relu", "max"), generator=seeded()),
])
def test_other_poolings_are_refused(module):
    with pytest.raises(ValueError, match="does not split over a partition"):
        matricization_block(module, None, "left-right")


@pytest.mark.parametrize("changes, message", [
    ({"row_indices": torch.zeros(3, 5).long()}, r"row indices of shape \(3, 5\)"),
    ({"column_indices": torch.zeros(3, 8)}, "need int64"),
    ({"column_indices": torch.full((3, 8), 2)}, "there are 2 templates"),
    ({"representation": torch.ones(2, 3)}, r"need \(templates, 2\)"),
    ({"weights": []}, "0 pairs"),
    ({"output": 1}, "need an integer from 0 to 0"),
    ({"output": -1}, "need an integer from 0 to 0"),
])
def test_errors_name_what_is_wrong(changes, message):
    net = Architecture(4, 2, (Layer(4, 4, 1),))
    arguments = {"subject": net, "weights": net.random_weights(FIELD, seeded()),
                 "partition": "left-right", "arithmetic": FIELD} | changes
    with pytest.raises(ValueError, match=message):
        matricization_block(**arguments)
    with pytest.raises(TypeError, match="is not a ModeTree"):
        matricization_block(torch.nn.Linear(2, 2), [], "left-right")


def test_the_comparison_has_no_more_rows_than_the_block(monkeypatch, capsys):
    """It divided the time of all rows by a number of rows that were not there."""
    monkeypatch.setattr("sys.argv", ["blocks", "--size", "256", "--plain-rows", "300"])
    with pytest.raises(SystemExit):
        lib.benchmarks.blocks.main()
    assert "must lie between 1 and the 256 rows" in capsys.readouterr().err


@pytest.mark.parametrize("partition", [[4], [0, 1, 2, 3, 5, 6, 7, 8], [0, 1, 2, 3]])
@pytest.mark.parametrize("subject", [
    Architecture(3, 3, ((2, 1, 2), (3, 3, 1))), ModeTree.star(9, 3, 2)])
def test_a_long_side_is_taken_apart(monkeypatch, subject, partition):
    weights = subject.random_weights(FIELD, seeded())
    expected = matricization_block(subject, weights, partition, arithmetic=FIELD)
    rows = torch.randint(3, (300, len(partition)), generator=seeded())
    chosen = matricization_block(subject, weights, partition, rows, arithmetic=FIELD)
    monkeypatch.setattr(blocks, "NUMBERS", 1)
    monkeypatch.setattr(blocks, "FEWEST", 500)
    monkeypatch.setattr(lib.grids.pairs, "TILE", {"cpu": 2**13})
    with Largest() as largest:
        found = matricization_block(subject, weights, partition, arithmetic=FIELD)
    assert torch.equal(found, expected) and largest.bytes == found.nbytes
    assert torch.equal(matricization_block(subject, weights, partition, rows, arithmetic=FIELD),
                       chosen)


def test_no_cell_outlives_its_block():
    """Functions that know each other would hold all of them until the garbage is collected."""
    gc.collect()
    gc.disable()
    try:
        for subject in (Architecture(3, 3, ((2, 1, 2), (3, 3, 1))), ModeTree.star(9, 3, 2)):
            weights = subject.random_weights(FIELD, seeded())
            made = []
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(blocks, "evaluate_pairs", lambda *given: made.extend(
                    map(weakref.ref, (given[0], given[0].factors[0].cell))))
                matricization_block(subject, weights, [4], arithmetic=FIELD)
            assert made and not any(cell() for cell in made)
    finally:
        gc.enable()
