"""What a call leaves out, and what it should refuse: small things that other tests pass over."""

import math

import pytest
import torch

from lib import Architecture, ModeTree, TreeCircuit
from lib.bounds.crossing import shift_digits
from lib.exact.arithmetic import Modular
from lib.grids.blocks import matricization_block
from lib.networks.modules import ConvAC, initial_weights
from lib.trees.tensors import activation_pooling
from lib.trees.tree import Node

# Windows and strides that differ along the two axes, of which the last is meant by default.
OBLONG = Architecture((12, 9), 2, (((2, 3), (2, 1), 3), ((3, 2), (1, 3), 2), ((6, 3), (6, 3), 1)))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name, arguments", [
    ("total_stride", (2,)), ("total_receptive_field", (2,)), ("overlap_degree", (2,)),
    ("digits", (2,)), ("alpha_minimal", (2, 3)), ("reachable_shifts", (2,)),
])
def test_the_axis_is_the_last_unless_said(name, arguments):
    method = getattr(OBLONG, name)
    assert method(*arguments) == method(*arguments, axis=1) == method(*arguments, axis=-1)
    assert method(*arguments) != method(*arguments, axis=0) == method(*arguments, axis=-2)


def test_the_digits_of_a_shift_are_those_of_the_last_axis_unless_said():
    assert shift_digits(OBLONG, 2, 2) == shift_digits(OBLONG, 2, 2, axis=1) == (1, 1)
    assert shift_digits(OBLONG, 2, 2, axis=0) == (0, 1)


@pytest.mark.parametrize("pooling, activation, variance", [
    ("product", None, 1 / (50 * 6)), ("max", None, 1 / 50), ("max", "relu", 2 / 50),
    ("sum", None, 1 / (50 * 6)), ("mean", None, 6 / 50),
    ("sum", "relu", 1 / (50 * (3 + 15 / math.pi))),
    ("mean", "relu", 36 / (50 * (3 + 15 / math.pi))),
])
def test_initial_weights_have_the_variance_that_they_promise(pooling, activation, variance):
    shapes = (40, 50, 2, 3), (40, 2, 3)
    for bias in (True, False):
        weight, start = initial_weights(shapes, 2, bias, seeded(), pooling, activation)
        assert weight.var().item() == pytest.approx(variance, rel=0.05)     # 12,000 draws: 1.3 %
        begin = 1.0 if pooling == "product" else 0.0
        error = (variance / weight.numel()) ** 0.5
        assert weight.mean().item() == pytest.approx(0 if bias else begin / 50, abs=4 * error)
        assert start is None if not bias else torch.equal(start, torch.full(shapes[1], begin))


def test_the_second_moment_stays_with_sums_and_rectifiers():
    """What the variances are for: 0.5 m and 1 m of normal inputs come out as one."""
    draw, x = seeded(), torch.randn(400, 30, 12, generator=seeded(1))
    for pooling, activation in (("sum", None), ("sum", "relu"), ("mean", "relu"), ("mean", None)):
        net = Architecture((12,), 30, ((4, 4, 200),))
        out = ConvAC(net, biases=False, pooling=pooling, activation=activation, generator=draw)(x)
        assert (out**2).mean().item() == pytest.approx(1, rel=0.15)


def test_a_circuit_of_a_tree_begins_with_unit_variance_and_keeps_its_operator():
    tree = ModeTree.perfect(modes=4, pool=2, dim=60, widths=(50, 40))
    net = TreeCircuit(tree, generator=seeded())
    for path, weight in net.weights.items():
        assert weight.var().item() == pytest.approx(1 / weight.shape[-1], rel=0.4 if not path
                                                    else 0.1)
    small = ModeTree.star(modes=3, dim=2, width=1)
    ones = {path: torch.ones(shape) for path, shape in small.weight_shapes().items()}
    inputs = torch.tensor([[[1.0, 2.0], [2.0, 3.0], [-9.0, 1.0]]])
    assert TreeCircuit(small, weights=ones)(inputs).item() == 3 * 5 * -8
    summed = TreeCircuit(small, operator=activation_pooling("relu", "sum"), weights=ones)
    assert summed(inputs).item() == 3 + 5


@pytest.mark.parametrize("rows, columns", [(1, 1), (0, 1), (1, 0), (0, 0), (3, 0)])
def test_blocks_of_one_entry_and_of_none(rows, columns):
    """Every entry is computed, none is what the memory held before."""
    field = Modular()
    for subject in (Architecture((4,), 2, ((3, 1, 2), (4, 4, 1))),
                    ModeTree.perfect(modes=4, pool=2, dim=2, widths=(3, 2))):
        weights = subject.random_weights(field, seeded())
        whole = matricization_block(subject, weights, "left-right", arithmetic=field)
        chosen = torch.tensor([[0, 1], [1, 1], [1, 0]])
        block = matricization_block(subject, weights, "left-right", chosen[:rows],
                                    chosen[:columns], arithmetic=field)
        assert torch.equal(block, whole[[1, 3, 2][:rows]][:, [1, 3, 2][:columns]])


@pytest.mark.parametrize("make, message", [
    (lambda: ModeTree(Node((0, 1), True), 2), "width of the node at path"),
    (lambda: ModeTree(Node((0, 1), 1), True), "dim is True"),
    (lambda: Architecture(4, True, ((1, 1, 1),)), "channels"),
    (lambda: Architecture(4, 0, ((1, 1, 1),)), "channels"),
    (lambda: OBLONG.total_stride(True), "layer True"),
    (lambda: OBLONG.total_stride(1, -3), "axis -3"),
    (lambda: OBLONG.total_stride(-1), "layer -1"),
    (lambda: shift_digits(OBLONG, 2, 0), "shift=0"),
    (lambda: OBLONG.crossing_bound(cut=0), "cut=0"),
    (lambda: OBLONG.crossing_bound(cut=9), "cut=9"),
    (lambda: matricization_block(
        ModeTree.star(2, 2, 1), ModeTree.star(2, 2, 1).random_weights(Modular(), seeded()),
        "left-right", torch.tensor([[-1]])), "row indices from -1 to -1; there are 2"),
    (lambda: matricization_block(
        ModeTree.star(2, 2, 1), ModeTree.star(2, 2, 1).random_weights(Modular(), seeded()),
        "left-right", representation=torch.ones(0, 2)), r"need \(templates, 2\)"),
])
def test_nonsense_is_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
