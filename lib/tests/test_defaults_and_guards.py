"""What a call leaves out, and what it should refuse: small things that other tests pass over."""

import ast
import importlib
import math
from functools import cache

import pytest
import torch

import lib
from lib import (
    Architecture,
    DilatedNetwork,
    ModeTree,
    SimplexConvAC,
    TreeCircuit,
    matching_construction,
    split_modes,
)
from lib.bounds.crossing import shift_digits
from lib.bounds.upper_bounds import linear_readout_upper_bound
from lib.course import ROOT
from lib.exact.arithmetic import Modular, Real
from lib.exact.device import generator
from lib.grids.blocks import matricization_block
from lib.grids.certify import certify, certify_weights
from lib.networks.families import block_network, proposition_2_bound
from lib.networks.log_space import mex
from lib.networks.modules import ConvAC, initial_weights
from lib.plots.rooms import statements
from lib.tests.draws import seeded
from lib.trees.designer import design_widths
from lib.trees.symmetry import invariant_dimension, side_orbits
from lib.trees.tensors import MOST_INDICES, activation_pooling
from lib.trees.tree import Node

# Windows and strides that differ along the two axes, of which the last is meant by default.
OBLONG = Architecture((12, 9), 2, (((2, 3), (2, 1), 3), ((3, 2), (1, 3), 2), ((6, 3), (6, 3), 1)))


STAR, DILATED = ModeTree.star(2, 2, 1), DilatedNetwork(((1, 2), (2, 1)), 2, 2)
ONES = {path: torch.ones(shape) for path, shape in STAR.weight_shapes().items()}


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


@cache
def number_defaults():
    """Where the library gives a parameter a number, or a name of one, unless told otherwise."""
    found = []
    for path in sorted((ROOT / "lib").rglob("*.py")):
        if "tests" in path.relative_to(ROOT).parts:
            continue
        for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                given = node.args.posonlyargs + node.args.args
                pairs = [*zip(given[::-1], node.args.defaults[::-1]),
                         *zip(node.args.kwonlyargs, node.args.kw_defaults)]
                found += [(argument.arg, ast.unparse(value), f"{path.name}:{node.name}")
                          for argument, value in pairs if value and (
                              isinstance(value, ast.Name | ast.UnaryOp) or isinstance(
                                  value, ast.Constant) and type(value.value) is int)]
    return found


@pytest.mark.parametrize("name, value, least", [("seed", "0", 5), ("axis", "-1", 10),
                                                ("prime", "DEFAULT_PRIME", 3), ("output", "0", 5)])
def test_a_parameter_has_the_same_default_everywhere(name, value, least):
    """A reader who has learned it once is not surprised; stored numbers depend on it."""
    found = [(default, where) for known, default, where in number_defaults() if known == name]
    assert len(found) >= least and [pair for pair in found if pair[0] != value] == []


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


@pytest.mark.parametrize("shared, wanted", [(False, 1), (True, 1 + 2 / 4)])
def test_the_second_moment_with_which_a_circuit_of_two_modes_begins(shared, wanted):
    tree, draw = ModeTree.star(modes=2, dim=4, width=3000), seeded()
    found = []
    for _ in range(4):
        weights = TreeCircuit(tree, shared=shared, generator=draw).weights
        x = torch.randn(2, 500, 4, generator=draw)
        found.append(((x[0] @ weights[(0,)].T * (x[1] @ weights[(1,)].T))**2).mean())
    assert torch.stack(found).mean().item() == pytest.approx(wanted, rel=0.1)


def test_the_seed_of_a_certificate_is_zero_unless_given():
    """A small prime and a lonely entry show which network and which rows were drawn."""
    star, corner = ModeTree.star(4, 2, 3), ModeTree.star(2, 4, 4)
    assert [certify(star, "even-odd", prime=3, **seed).rank
            for seed in ({}, {"seed": 0}, {"seed": 1})] == [2, 2, 1]
    weights = {(): torch.tensor([1, 0, 0, 0]), (0,): torch.eye(4), (1,): torch.eye(4)}
    assert [certify_weights(corner, weights, "even-odd", rows=2, columns=4, **seed).rank
            for seed in ({}, {"seed": 0}, {"seed": 1})] == [1, 1, 0]


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
    (lambda: OBLONG.crossing_bound("diagonal"), "valid are 'left-right' and 'top-bottom'$"),
    (lambda: Architecture((4,), 2, ((4, 4, 1),)).crossing_bound("top-bottom"),
     "valid are 'left-right'$"),
    (lambda: matching_construction(Architecture((4,), 2, ((3, 1, 20), (4, 4, 1))), (0, 1),
                                   torch.eye(2).double(), Modular(), shared=True),
     r"need 6 channels and a window of \(4,\); layer 1 has 20 channels and a window of \(3,\)"),
    (lambda: SimplexConvAC.from_weights(Architecture((2,), 2, ((2, 2, 1),)),
                                        [(torch.ones(1, 2, 2), None)]), "layer 1 has weights"),
    (lambda: ModeTree.star(3, 2, 1).permuted([0, 1, 3]), r"of 0\.\.2$"),
    (lambda: Architecture((2,), 2, ((2, 2, 3),)).check_weights(
        [(torch.ones(3, 2, 2), torch.ones(2, 2))]), r"\(3, 2, 2\) needs \(3, 2\) or None"),
    (lambda: matricization_block(
        ModeTree.star(2, 2, 1), ModeTree.star(2, 2, 1).random_weights(Modular(), seeded()),
        "left-right", torch.tensor([[-1]])), "row indices from -1 to -1; there are 2"),
    (lambda: matricization_block(
        ModeTree.star(2, 2, 1), ModeTree.star(2, 2, 1).random_weights(Modular(), seeded()),
        "left-right", representation=torch.ones(0, 2)), r"need \(templates, 2\)"),
    (lambda: STAR.check_weights({**ONES, (1,): torch.ones(2, 2)}), r"needs shape \(1, 2\)"),
    (lambda: STAR.check_weights({**ONES, (1,): torch.ones(1, 1)}), r"needs shape \(1, 2\)"),
    (lambda: STAR.check_weights({**ONES, (1,): torch.ones(1, 2, 1)}), r"needs shape \(1, 2\)"),
    *[(lambda shape=shape: DILATED.run(DILATED.random_weights(Real(), seeded()),
                                       torch.ones(shape).double()), "need .batch, more than 3 ins")
      for shape in ((1, 4, 2, 1), (4, 2), (1, 4, 3), (1, 3, 2), (1, 2, 2))],
    (lambda: split_modes([], -1), "grid -1"), (lambda: split_modes([], (0, -1)), r"\(0, -1\)"),
    (lambda: split_modes([], (1, 1, 1)), r"\(1, 1, 1\)"), (lambda: split_modes([], ()), "grid"),
    (lambda: split_modes([4], 4), "outside 0..3"), (lambda: split_modes([-1], 4), "outside 0..3"),
    (lambda: split_modes([2, 0, 2], 4), r"row modes \[2\] are named more"),
    (lambda: split_modes("checkerboard", 4), "needs a .height, width."),
    (lambda: split_modes("top-bottom", 4), "needs a .height, width."),
])
def test_nonsense_is_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_the_ends_of_ranges_are_taken():
    assert split_modes([], 0) == split_modes([], (0, 3)) == split_modes("even-odd", 0) == ((), ())
    assert split_modes([3, 0], 4) == ((0, 3), (1, 2)) and split_modes([], 1) == ((), (0,))
    assert DILATED.run([[torch.ones(2, *shape[1:]).double() for shape in DILATED.weight_shapes()]
                        for _ in (0, 1)], torch.ones(1, 4, 2).double()).shape == (1, 1)
    STAR.check_weights(ONES)


def test_two_layers_whose_windows_do_not_reach_beyond_have_a_formula():
    """The last window before the cut may end where the network ends, and no later."""
    net = Architecture((8,), 3, ((6, 2, 7), (4, 4, 1)))
    assert net.exact_two_layer_rank() == certify(net, "left-right", seed=0).rank == 64
    assert Architecture((8,), 3, ((7, 2, 7), (4, 4, 1))).exact_two_layer_rank() is None


def test_a_module_does_not_hide_the_name_that_it_is_called_by():
    """The first import of a module is set on its package, as here."""
    lib.photograph = importlib.import_module("lib.photograph")
    assert callable(lib.photograph)
    lib.checks = importlib.import_module("lib.checks")  # offers no name of its own
    assert lib.checks is importlib.import_module("lib.checks")


def test_an_exponent_has_no_slope_where_the_mean_is_infinite():
    beta = torch.tensor([0.0, 0.0], requires_grad=True)
    values = torch.tensor([[-math.inf, 1.0], [0.0, 2.0]])
    found = mex(values, beta)
    assert found.tolist() == [-math.inf, 1]
    found.sum().backward()
    assert beta.grad.tolist() == [0, 0.5]               # half the variance of 0 and 2


def test_bounds_carry_their_layer_and_their_shift():
    """Bounds compare by value, so that tests of equality do not see these."""
    for window, size, layer in ((3, 8, 3), (5, 32, 5), (2, 4, 3)):
        closed = proposition_2_bound(window, size, 3)
        assert (closed.base, closed.layer, closed.shift) == (3, layer, size // 2)
        net = block_network(window, size, 3, 8)
        quoted = next(bound for bound in net.overlap_bounds() if bound.layer == layer)
        assert (quoted.base, quoted.exponent, quoted.shift) == (3, closed.exponent, size // 2)
    net = Architecture((12,), 2, ((4, 2, 2), (2, 1, 2), (6, 6, 1)))
    for bound in net.crossing_bounds():
        reached = [shift for shift in net.reachable_shifts(bound.layer)
                   if sum(v < 6 <= v + shift < 12
                          for v in range(0, 12, net.total_stride(bound.layer))) == bound.exponent]
        assert bound.shift == min(reached) > 0


def test_there_are_no_two_layer_formulas_for_other_depths():
    for layers in (((4, 4, 1),), ((2, 1, 2), (2, 1, 2), (4, 4, 1))):
        assert Architecture((4,), 2, layers).exact_two_layer_rank() is None
    wide = Architecture((300,), 2, ((2, 1, 2), (300, 300, 1)))
    assert wide.exact_two_layer_rank(last_bias=False) == 2


def test_an_average_of_cells_with_one_side_each_has_rank_two():
    assert linear_readout_upper_bound(Architecture((6,), 3, ((1, 1, 4),))) == 2
    assert linear_readout_upper_bound(Architecture((6,), 3, ((3, 3, 4),))) == 2
    assert linear_readout_upper_bound(Architecture((6,), 3, ((3, 2, 4),))) == 2 + 3 - 1
    assert linear_readout_upper_bound(Architecture((6, 6), 3, ((2, 1, 4),))) == (
        2 + 5 * (3**2 - 1) + (3 - 1))                   # the last row of windows sees one row


def test_frozen_things_stay_as_they_are():
    """Specifications and results are values: nobody can change one that another holds."""
    loose = []
    for folder in ("exact", "bounds", "trees", "networks", "grids", "constructions"):
        for path in sorted((ROOT / "lib" / folder).glob("*.py")):
            for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
                for mark in getattr(node, "decorator_list", []):
                    if "dataclass" in ast.unparse(mark) and "frozen=True" not in ast.unparse(mark):
                        loose.append(node.name)
    assert loose == ["Cell"]                            # it remembers what it has computed


def test_arithmetics_work_where_they_are_told():
    assert Real().tensor([[1, 2]], device=torch.device("meta")).device.type == "meta"
    assert Real().random((2, 3), seeded(), torch.device("meta")).device.type == "meta"
    assert Real().tensor([[1, 2]]).device.type == "cpu"


def test_limits_are_where_the_comments_say():
    assert MOST_INDICES * 8 == 8 * 2**30                # 8 GB of integers


def test_of_equal_designs_the_first_found_stays_and_pruning_saves_work():
    shape = ModeTree.perfect(modes=4, pool=2, dim=2, widths=(1, 1))
    found = design_widths(shape, ["left-right"], 100, candidates=(1, 2, 3))
    assert found.cut == 3 and found.tree == ModeTree.perfect(4, 2, 2, (3, 3))
    fewer = design_widths(shape, ["even-odd"], 100, candidates=(1, 2))
    assert (fewer.cut, fewer.tree.parameter_count()) == (4, min(
        tree.parameter_count() for tree in (
            ModeTree.perfect(4, 2, 2, (a, b)) for a in (1, 2) for b in (1, 2))
        if tree.mincut("even-odd") == 4))
    assert fewer.parameters == fewer.tree.parameter_count() and fewer.visited == 1 + 2 + 4


@pytest.mark.parametrize("subject", [ModeTree.star(modes=4, dim=2, width=3),
                                     Architecture((4,), 2, ((2, 1, 2), (4, 4, 1)))])
def test_certify_draws_the_weights_of_its_seed_and_the_templates_after_them(subject):
    """Modulo 3 the rank depends on the draw."""
    field, ranks = Modular(3), set()
    for seed in range(12):
        for shared in (False, True):
            draw = generator(seed)
            weights = subject.random_weights(field, draw, shared=shared)
            templates = field.random((2, 2), draw)
            found = [certify(subject, "left-right", seed=seed, prime=3, shared=shared,
                             representation=which).rank for which in (None, "random")]
            assert found == [certify_weights(subject, weights, "left-right", prime=3,
                                             representation=which).rank
                             for which in (None, templates)]
            ranks |= set(found)
    assert len(ranks) > 1


def test_one_side_of_a_square_that_is_halved_is_half_of_its_parts():
    """With two parts each side is one part, with six it is three of them, in any order."""
    below = invariant_dimension(1, 3, 2)
    assert side_orbits(2, 3, 2) == below and side_orbits(1, 3, 6) == math.comb(3 + 2, 3)
