"""What callers bring along: numbers of NumPy, arrays, other devices, fractions as residues."""

import ast
import copy
import json
import pickle
from dataclasses import asdict
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch

from lib import (
    Architecture,
    Bound,
    ConvAC,
    DilatedNetwork,
    Layer,
    Mex,
    ModeTree,
    Modular,
    Real,
    Similarity,
    TensorialMixture,
    TreeCircuit,
    activation_pooling,
    certify,
    certify_rectifier,
    change_basis,
    coefficient_tensor,
    design_widths,
    evaluate,
    exact_rank,
    fit,
    forward,
    gap_family,
    generalized_conv,
    grid_network,
    grid_tensor,
    hybrid_in_mixture,
    hybrid_tree,
    keeps_order,
    log_forward,
    matching_construction,
    matricize,
    mex,
    missing_pixels,
    missing_rectangles,
    overlap_construction,
    rectifier_construction,
    root_prime,
    single_channel,
    singular_values,
    split_modes,
    stacked_blocks,
    two_layer_construction,
)
from lib.checks import integers, native, real
from lib.course import ROOT
from lib.exact.ranks import Certificate, numerical_rank
from lib.experiments.ensembles import Ensemble
from lib.experiments.networks import Network
from lib.experiments.separation import split_scores
from lib.grids.blocks import matricization_block
from lib.networks.modules import initial_weights
from lib.planted.dilated import NETWORKS, floor, target, train
from lib.planted.widths import designs, fit_circuit, fit_rectifiers, matches, parameters
from lib.plots.architectures import field_of_cell
from lib.plots.choices import split_windows
from lib.plots.connectivity import draw_paths
from lib.plots.cover import cover_ranks
from lib.plots.cp import draw_growth
from lib.plots.depth import draw_channels_needed
from lib.plots.drawing import power
from lib.plots.geometry import nested_columns
from lib.plots.grids import draw_mosaic
from lib.plots.matrices import integer_matrix
from lib.plots.overlaps import draw_block_bounds
from lib.plots.rooms import statements
from lib.plots.style import figure
from lib.plots.toolbox import draw_residues
from lib.plots.windows import corner_blocks, draw_pairs
from lib.tests.draws import seeded
from lib.tests.test_surroundings import described
from lib.trees.pooling import pooling_tree
from lib.trees.symmetry import invariant_dimension, quadtree_places, random_symmetry
from lib.trees.tensors import OPERATORS, sample_indices

FIELD, HALVES = Modular(101), torch.eye(2).double() / 2
NET = Architecture((4,), 2, ((2, 1, 2), (4, 4, 1)))
TREE = ModeTree.perfect(4, 2, 2, (2, 2))
FIRST, SECOND = (1, 2, 4), (2, 1, 4)
TENSOR = torch.zeros(2, 2)
BUILT = overlap_construction(
    Architecture(4, 2, ((3, 1, 2), (4, 4, 1))), torch.eye(2).double(), Real(), layer=1)
STREAM, WIDE = NETWORKS["first"], Architecture(4, 2, ((2, 1, 2), (4, 4, 3)))


def real_weights(subject):
    return subject.random_weights(Real(), seeded())


@pytest.mark.parametrize("kind", [torch.tensor, np.array, iter],
                         ids=["tensor", "array", "iterator"])
def test_orders_of_dilations_are_read_once_and_as_integers(kind):
    expected = hybrid_tree(FIRST, SECOND, 2, 2, 2, (1, 0))
    assert hybrid_tree(kind(FIRST), kind(SECOND), 2, 2, np.array(2), kind((1, 0))) == expected


def test_single_numbers_of_numpy_are_numbers():
    for value in (np.int64(3), np.bool_(True), np.float32(0.5), np.array(3)):
        assert type(native(value)) in (int, bool, float)
    assert keeps_order(TREE, np.int64(0), 0)
    assert mex(torch.ones(2), np.float32(1)) == mex(torch.ones(2), np.int64(1)) == 1
    expected = ConvAC(NET, True, (True, False), generator=seeded()).state_dict()
    found = ConvAC(NET, np.True_, (np.True_, np.False_), generator=seeded()).state_dict()
    assert described(dict(found)) == described(dict(expected))
    assert Architecture(np.array([4, 4]), 2, [(torch.tensor([2, 2]), 1, 1)]) == Architecture(
        (4, 4), 2, (((2, 2), 1, 1),))
    assert matricize(TENSOR, [0], np.int64(2)).shape == (2, 2)
    half = missing_pixels(2, (3, 3), Fraction(1, 2), seeded())
    assert torch.equal(half, missing_pixels(2, (3, 3), 0.5, seeded()))
    assert numerical_rank(torch.eye(2), Fraction(1, 2)) == 2
    assert numerical_rank(np.eye(2, dtype=">f4")) == 2


@pytest.mark.parametrize("number", [np.uint8, np.int8, np.array, torch.tensor])
@pytest.mark.parametrize("function, value", [
    (gap_family, 9), (quadtree_places, 4), (lambda dim: invariant_dimension(1, dim), 127),
    (lambda side: split_modes("left-right", side), 8),
    (lambda side: pooling_tree(side, 2, (3, 3)), 4),
    (lambda width: stacked_blocks(1, 2, 4, 2, width), 100),
    (lambda n: grid_tensor(lambda x: x.sum((1, 2)), HALVES, n), 2),
    (lambda width: ModeTree.perfect(4, 2, 2, (width, 2)), 100), (lambda n: parameters((n, n)), 16),
    (lambda place: matches(3, 2, [(0, place)], 2), 2),
    (lambda place: floor(STREAM, [(0, place)]), 2),
    (lambda n: certify(WIDE, "left-right", output=n, seed=0), 2),
    (lambda axes: initial_weights(((2, 2, 2, 2), (2, 2, 2)), axes, True, seeded()), 2),
    (lambda n: missing_rectangles(1, (300, 300), 1, n, seeded()).sum(), 100)])
def test_numbers_of_one_byte_and_without_axes_are_numbers(function, value, number):
    assert repr(function(number(value))) == repr(function(value))


def test_an_output_of_one_byte_is_no_mask():
    inputs, weights = torch.ones(5, 16, 2).double(), real_weights(WIDE)
    found, right = (grid_network(WIDE, weights, output=output)(inputs)
                    for output in (torch.tensor(1, dtype=torch.uint8), 1))
    assert torch.equal(found, right)


def test_what_is_checked_is_what_is_used():
    """Of a number that is checked and then used as it came, bytes overflow."""
    dropped = []
    for path in sorted({*(ROOT / "lib").rglob("*.py")} - {*(ROOT / "lib/tests").glob("*.py")}):
        for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(
                    node.value.func, ast.Name) and node.value.func.id in (
                        "integer", "integers", "real"):
                dropped.append((path.name, ast.unparse(node.value)))
    assert dropped == [("checks.py", "integer('', value)"),
                       ("tree.py", "integer('output_cell: output', output, 0, 0)")]


def test_a_bound_is_made_of_plain_integers():
    bound = Bound.product([(np.int64(3), np.int8(2))], np.int64(1), np.uint8(4))
    assert json.loads(json.dumps(asdict(bound))) == asdict(bound) | {"powers": [[3, 2]]}
    assert repr(bound) == "Bound(base=3, exponent=2, layer=1, shift=4, powers=((3, 2),))"


def test_bounds_compare_with_short_floats_by_value(recwarn):
    """NumPy rounds an integer to the type of the other side: 3^16 is no number of float32."""
    near, huge = np.float32(43046720), Bound(2, 1000)
    assert Bound(3, 16) != near and Bound(3, 16) > near and not Bound(3, 16) <= near
    assert huge != np.float32("inf") and huge < np.float32("inf") and huge > np.float16(3)
    assert not recwarn.list


@pytest.mark.parametrize("number", [np.int64, np.uint8, np.array, torch.tensor])
@pytest.mark.parametrize("fit_it", [
    lambda batch: split_scores(Ensemble([Network("B1", 2, "none", 0)]),
                               torch.ones(2, 3, 32, 32), batch=batch),
    lambda seed: fit_circuit(TREE, torch.ones(2, 2, 2, 2), 1, 1, seed=seed),
    lambda seed: fit_rectifiers((4, 2), "near", 1, 1, seed=seed),
    lambda seed: train(STREAM, ((0, 2), (1, 3)), 1, 1, length=9, seed=seed),
    lambda seed: integer_matrix(TREE, "even-odd", seed)])
def test_seeds_and_batches_of_numpy_are_integers(fit_it, number):
    assert repr(fit_it(number(3))) == repr(fit_it(3))


def test_rates_and_powers_of_numpy_are_numbers():
    rate, exponent = np.float32(0.03125), np.float16(1.5)
    target = torch.ones(2, 2, 2, 2)
    assert fit_circuit(TREE, target, 1, 2, rate) == fit_circuit(TREE, target, 1, 2, 0.03125)
    assert fit_rectifiers((4, 2), "near", 1, 2, np.float16(rate)) == fit_rectifiers(
        (4, 2), "near", 1, 2, 0.03125)
    assert train(STREAM, ((0, 2),), 1, 2, rate) == train(STREAM, ((0, 2),), 1, 2, 0.03125)
    found, right = (Similarity(4, 3, given, generator=seeded()).log_normalization()
                    for given in (exponent, 1.5))
    assert torch.equal(found, right)


def test_widths_may_be_read_once():
    assert repr(designs(8, 4, 150, iter((1, 2, 4)))) == repr(designs(8, 4, 150, (1, 2, 4)))
    assert fit_rectifiers(iter((4, 2)), "near", 1, 1) == fit_rectifiers((4, 2), "near", 1, 1)
    assert ModeTree.perfect(4, 2, 2, (iter((2, 3)), 2)) == ModeTree.perfect(4, 2, 2, ((2, 3), 2))
    with pytest.raises(ValueError, match="fit_rectifiers: widths=0; need an integer >= 1"):
        fit_rectifiers((4, 0), "near", 1, 1)


def test_pairs_may_be_read_once():
    pairs = ((0, 2), (1, 3))
    assert torch.equal(matches(4, 2, iter(map(iter, pairs)), 2), matches(4, 2, pairs, 2))
    assert floor(STREAM, iter(pairs)) == floor(STREAM, np.array(pairs)) == floor(STREAM, pairs)
    symbols = torch.tensor([1, 0, 1, 0, 0, 0, 0, 0])
    assert target(symbols, iter(pairs)) == target(symbols, torch.tensor(pairs)) == 9


@pytest.mark.parametrize("call, message", [
    (lambda: split_modes(torch.tensor([0.0, 1.0]), 4), "row mode tensor.0.. is not an integer"),
    (lambda: initial_weights(((2, 2, 2), (2, 2)), 3, True, seeded()), "axes=3; need an integer"),
    (lambda: initial_weights(((2, 2, 2), (2, 2)), 1, True, seeded(), "median"),
     "pooling='median'; need one of 'product'"),
    (lambda: matches(3, 2, [(0, 1.0)], 2), "matches: pairs=1.0; need an integer"),
    (lambda: matches(3, 2, [(0, 1, 2)], 2), "matches: pairs=.*need at least one"),
    (lambda: floor(STREAM, [(0, 1, 2)]), "pairs=.*need at least one"),
    (lambda: BUILT.output(torch.zeros(1, 16, dtype=torch.int64), -1), "output: layer=-1; need an"),
    (lambda: BUILT.predicted_output([[0] * 16]), "templates=.*; need a value of type Tensor"),
    (lambda: rectifier_construction(2, 2).predicted_output([[0] * 4]), "need a value of type Ten"),
    (lambda: parameters((4, 0)), "parameters: widths=0; need an integer >= 1"),
    (lambda: Architecture(4, 2, 5), "Architecture layers=5; need a value of type Iterable"),
    (lambda: Architecture(4, 2, Layer(2, 1, 2)), "Architecture layers=Layer"),
    (lambda: Architecture(4, 2, ((2, 1, 2),), 1.0), "ndim=1.0; need an integer"),
    (lambda: Architecture(4, 2, ((2, 1, 2),), True), "Architecture ndim=True; need an integer"),
    (lambda: Architecture(torch.ones(2, 2), 2, ((2, 1, 2),)), "must be an integer, got Tensor"),
    (lambda: split_modes(torch.tensor(1), 4), "neither a name nor a list of row modes"),
    (lambda: split_modes(np.array([[0, 1]]), 4), "neither a name nor a list of row modes"),
    (lambda: integers("f: size", torch.tensor(2)), "f: size=tensor.2.; need several integers"),
    (lambda: matricize(TENSOR, [0], 2.0), "grid 2.0 is neither a length nor a .height, width."),
    (lambda: matricize(TENSOR, [0], "ab"), "grid 'ab' is neither a length nor a .height, width."),
    (lambda: split_modes([0], torch.ones(2, 2)), "grid Tensor of .* is neither"),
    (lambda: NET.total_stride(torch.ones(2, 2)), "layer Tensor of .* of an architecture"),
    (lambda: design_widths(TREE, [0, 1], 40), "partition: 0 is neither a name nor a list"),
    (lambda: change_basis(TENSOR, HALVES, Real()), "need one floating point type"),
    (lambda: mex(torch.ones(3), 1, dim=5), "dim=5; need an integer from -1 to 0"),
    (lambda: mex(torch.ones(3), 1, dim="a"), "mex: dim='a'; need an integer"),
    (lambda: mex(torch.ones(2, 3), torch.ones(3)), r"beta of shape \(3,\); .*\(2,\)"),
    (lambda: grid_tensor(lambda x: x[:, 0], torch.eye(2), 3), r"8 inputs; need .*\(8,\)"),
    (lambda: grid_tensor(lambda x: 5, torch.eye(2), 3), "the network made 5 of 8 inputs"),
    (lambda: certify_rectifier(Architecture((32,), 2, ((32, 32, 1),)),
                               [(torch.ones(1, 2, 32), None)], "even-odd"), "4294967296 entries"),
    (lambda: coefficient_tensor(ModeTree.star(20000, 2, 1), {}), "more than 10.6020 entries"),
    (lambda: forward(NET, real_weights(NET), torch.ones(1, 2, 4).double().to("meta")),
     "on cpu and meta; need one device"),
    (lambda: grid_tensor(grid_network(NET, real_weights(NET)), torch.eye(2).double(), 3),
     r"grid_network: inputs of shape \(8, 3, 2\); .* needs \(batch, 4, 2\)"),
])
def test_mistakes_are_named(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


IMAGES = torch.rand(3, 2, 4, 4, generator=seeded())
MIXTURE = TensorialMixture(Architecture(2, 2, ((2, 2, 2),)), IMAGES, generator=seeded())


@pytest.mark.parametrize("call, message", [
    (lambda: Mex(3, 2, 1.0, generator=seeded())(torch.ones(5, 1)), r"shape \(5, 1\); need .*3\)"),
    (lambda: Similarity(3, 2, generator=seeded())(torch.ones(5, 1)), r"shape \(5, 1\); need .*3\)"),
    (lambda: MIXTURE(IMAGES[:, :1]), r"shape \(3, 1, 4, 4\); need \(n, 2, 4, 4\)"),
    (lambda: MIXTURE(IMAGES[0]), r"shape \(2, 4, 4\); need \(n, 2, 4, 4\)"),
    (lambda: MIXTURE(IMAGES.double()), "need one floating point type"),
    (lambda: MIXTURE(IMAGES, IMAGES > 0), r"seen of shape .*; need \(3, 4, 4\)"),
    # a mask as image files have it: 255 counted every pixel 255 times
    (lambda: MIXTURE(IMAGES, (IMAGES[:, 0] > 0) * 255), "torch.int64; need torch.bool"),
    (lambda: log_forward(NET, real_weights(NET), *[-torch.ones(1, 2, 4).double() * 2] * 2),
     "signs other than -1, 0 and 1"),
    (lambda: TensorialMixture(
        Architecture((1, 1), 2, ((1, 1, 2),)), IMAGES[:1], generator=seeded()),
     "a single patch; need two or more")])
def test_inputs_of_layers_in_log_space_are_named(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_what_was_built_does_not_change_with_what_it_was_built_from():
    f, templates = FIELD.tensor([[1, 2], [3, 4]]), torch.tensor([[0, 1, 1, 0]])
    root = Modular(root_prime(NET))
    built = [overlap_construction(NET, f, FIELD), matching_construction(NET, [0, 1], f, FIELD),
             two_layer_construction(NET, f, root)]
    before = [construction.output(templates).item() for construction in built]
    f.zero_()
    assert [construction.output(templates).item() for construction in built] == before
    network = DilatedNetwork((FIRST, SECOND), 2, 2, (2,))
    weights = real_weights(network)
    for masked in sum(hybrid_in_mixture(network, weights, (0, 1))[0], []):
        masked.zero_()
    assert all(bool(layer.all()) for stream in weights for layer in stream)


def test_integers_of_any_size_and_sign_stand_side_by_side():
    rows = [[10**19, -1], [2**63, 3]]
    wanted = [[value % 101 for value in row] for row in rows]
    assert FIELD.tensor(rows).tolist() == wanted
    assert FIELD.tensor(np.array([[10**30, np.int64(2)]], dtype=object)).tolist() == [
        [10**30 % 101, 2]]
    with pytest.raises(ValueError, match="1e[+]19 is not an exact integer"):
        FIELD.tensor([[1e19, 1]])
    assert real("f", 10**400) == 10**400 and real("f", Fraction(10**400)) == 10**400


def test_a_bound_compares_with_every_real_number():
    assert 7.5 < Bound(2, 3) < 8.5 and Bound(2, 3) == 8.0 == Fraction(8) and Bound(2, 3) != 8.5
    assert Bound(2, 5000) > 1e300 and Bound(2, 3) < float("inf")
    assert Bound(0, 3).log10 == float("-inf") and Bound(0, 0).log10 == 0


def test_what_is_printed_has_an_end():
    found = Certificate(2, 101, (3, 3), (2**20000, 9), 10**400)
    assert "out of more than 10^6020 × 9; its" in str(found)
    assert found.failure_probability == 1


@pytest.mark.parametrize("name", OPERATORS, ids="-".join)
def test_circuits_are_saved_with_their_operator(name):
    circuit = TreeCircuit(TREE, operator=activation_pooling(*name), generator=seeded())
    x = torch.randn(5, 4, 2, generator=seeded())
    for again in (copy.deepcopy(circuit), pickle.loads(pickle.dumps(circuit))):
        assert torch.equal(again(x), circuit(x))


def test_unsigned_numbers_have_negatives():
    for kind in (torch.uint8, torch.int16):
        assert single_channel(torch.tensor([[255, 254], [254, 254]]).to(kind)) is None


def test_weights_of_a_module_are_certified():
    net = Architecture((2,), 2, ((2, 2, 1),))
    module = ConvAC.from_weights(net, [(torch.eye(2)[None].double(), None)], "max", "relu")
    assert certify_rectifier(net, module.weights, [0]).rank == 2


def test_sums_of_integer_weights_do_not_wrap_around():
    weight = torch.full((1, 2, 2), 2**62 + 1)
    with pytest.raises(ValueError, match="could reach 9.2e[+]18"):
        certify_rectifier(Architecture((2,), 2, ((2, 2, 1),)), [(weight, None)], [0])


@pytest.mark.parametrize("call", [
    lambda: forward(NET, real_weights(NET), torch.ones(1, 2, 4).double(), FIELD),
    lambda: generalized_conv(torch.ones(1, 2, 4).double() / 2, *NET.random_weights(
        FIELD, seeded())[0], 1, FIELD),
    lambda: coefficient_tensor(TREE, real_weights(TREE), FIELD),
    lambda: evaluate(TREE, real_weights(TREE), torch.ones(1, 4, 2).double(), FIELD),
    lambda: DilatedNetwork((FIRST,), 2, 2).tensor(real_weights(DilatedNetwork((FIRST,), 2, 2)),
                                                  FIELD),
    lambda: DilatedNetwork((FIRST,), 2, 2).run(real_weights(DilatedNetwork((FIRST,), 2, 2)),
                                               torch.ones(1, 8, 2).double(), FIELD),
    lambda: matricization_block(TREE, real_weights(TREE), [0], arithmetic=FIELD),
    lambda: matricization_block(TREE, TREE.random_weights(FIELD, seeded()), [0],
                                representation=HALVES, arithmetic=FIELD),
    lambda: change_basis(HALVES, HALVES * 2, FIELD),
    lambda: fit(HALVES, HALVES * 2, 0, FIELD),
    lambda: fit(HALVES * 2, HALVES, 0, FIELD),
    lambda: fit(HALVES * 2, HALVES * 2, 0.5, FIELD)])
def test_fractions_are_no_residues(call):
    with pytest.raises(ValueError, match="is not an exact integer"):
        call()


def test_integers_are_taken_modulo_the_prime():
    weights = NET.random_weights(FIELD, seeded())
    x = torch.ones(1, 2, 4).double()
    shifted = NET.map_weights(lambda w: w - 101 * 2**40, weights)
    assert torch.equal(forward(NET, shifted, x, FIELD), forward(NET, weights, x, FIELD))
    net = Architecture((5,), 2, ((2, 1, 2), (1, 1, 2), (2, 2, 2), (3, 3, 1)))
    built = overlap_construction(net, FIELD.tensor(torch.eye(2)), FIELD, layer=1, scale=2**60 + 1)
    templates = torch.tensor([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0]])
    assert torch.equal(built.output(templates), built.predicted_output(templates))
    assert built.scale == (2**60 + 1) % 101


ELSEWHERE = [
    lambda: certify(NET, "left-right"), lambda: certify(TREE, [0], representation="random"),
    lambda: certify(NET, "left-right", rows=3, columns=2),
    lambda: exact_rank(torch.arange(900.0, device="cpu").reshape(30, 30)),
    lambda: exact_rank(np.diag(np.arange(130))),
    lambda: singular_values([[1.0, 2.0]]), lambda: real_weights(NET),
    lambda: sample_indices(2, 20, 3, seeded()), lambda: sample_indices(2, 3, 3, seeded()),
    lambda: random_symmetry(2, seeded()), lambda: missing_pixels(2, (3, 3), 0.5, seeded()),
    lambda: missing_rectangles(2, (5, 5), 1, 2, seeded()),
    lambda: grid_tensor(lambda x: x.sum((1, 2)), TENSOR + 1, 2)]


@pytest.mark.parametrize("call", ELSEWHERE)
def test_numbers_do_not_depend_on_the_default_device(call):
    expected = described(call())
    with torch.device("meta"):
        assert described(call()) == expected


def test_modules_are_made_on_the_default_device():
    with torch.device("meta"):
        for module in (ConvAC(NET, generator=seeded()), TreeCircuit(TREE, generator=seeded())):
            assert all(weight.is_meta for weight in module.parameters())


@pytest.mark.parametrize("numbers", [partial(np.array, dtype=np.uint8), np.array, torch.tensor])
@pytest.mark.parametrize("draw, values", [
    (lambda axes, size: draw_pairs(axes, "left-right", size), [2, 4]),
    (draw_paths, [1, 2, 4]),
    (lambda axes, sizes: draw_channels_needed(axes, sizes, sizes[0], [2]), [2, 16, 32]),
    (lambda axes, widths: draw_growth(axes, widths, {"a": ([2, 8], "black", "-")}), [1, 2]),
    (lambda axes, sizes: draw_block_bounds(axes, sizes, {"a": [2, 4]}, {"a": "black"}), [4, 8]),
    (lambda axes, shown: draw_mosaic(axes, torch.zeros(2, 48), shown, (1, 2)), [0, 1])])
def test_drawings_of_arrays_are_those_of_lists(draw, values, numbers):
    pictures = []
    for given in (values, numbers(values)):
        with figure() as (drawing, axes):
            draw(axes, given)
            drawing.canvas.draw()
            pictures.append(bytes(drawing.canvas.buffer_rgba()))
    assert pictures[0] == pictures[1]


def test_helpers_of_drawings_take_numbers_of_every_type():
    assert power(torch.tensor(10**12)) == power(10**12)
    assert nested_columns(torch.tensor(8)) == nested_columns(8)
    assert split_windows([0, 255], np.uint8(32)) == split_windows([0, 255], 32)
    assert corner_blocks(*np.array([16, 3, 2], dtype=np.uint8)) == corner_blocks(16, 3, 2)
    assert field_of_cell(Architecture((200,), 2, ((99, 1, 2),)), 1, np.int8(100)) == (100, 199)
    assert designs(np.int64(4), 2) == designs(4, 2)
    assert torch.equal(matches(np.array(3), 2, [(0, 1)], 2), matches(3, 2, [(0, 1)], 2))
    with figure() as (_, axes):
        assert draw_residues(axes, np.uint8(7), (2, 3)) == 6
    assert cover_ranks(np.int64(4), 2, (2,)) == cover_ranks(4, 2, (2,))
