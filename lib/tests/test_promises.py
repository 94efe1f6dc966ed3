"""Docstrings taken at their word: what they promise for valid arguments, at the edges too."""

import math

import pytest
import torch
from matplotlib import pyplot
from matplotlib.colors import to_rgba

from lib import (
    Architecture,
    ModeTree,
    Modular,
    activation_pooling,
    coefficient_tensor,
    design_widths,
    evaluate,
    indices,
    khatri_rao,
    maximum_as_products,
    place,
    proposition_2_bound,
    proposition_2_exponent,
    rectifier_construction,
)
from lib.bounds.private import connected_fields
from lib.experiments import analysis
from lib.experiments.separation import effective_rank, interaction_share
from lib.planted import widths
from lib.plots.architectures import field_of_cell
from lib.plots.audit import draw_bounds_by_layer
from lib.plots.style import COLORS, figure
from lib.plots.widths import draw_network
from lib.plots.windows import draw_digits
from lib.tests.draws import seeded


@pytest.mark.parametrize("name", ["product", "sum"])
def test_operators_over_residues_are_computed_over_residues(name):
    """Four residues below 2^23 have a product that float64 does not hold."""
    tree, field = ModeTree.star(4, 2, 3), Modular()
    weights, operator = tree.random_weights(field, seeded()), activation_pooling("linear", name)
    tensor = coefficient_tensor(tree, weights, field, operator)
    found = evaluate(tree, weights, place(torch.eye(2).double(), indices(2, 4)), field, operator)
    for entry, value, shown in zip(tensor.flatten().tolist(), found.tolist(), indices(2, 4)):
        factors = [[int(weights[(t,)][z, d]) for t, d in enumerate(shown.tolist())]
                   for z in range(3)]
        channels = [math.prod(row) if name == "product" else sum(row) for row in factors]
        wanted = sum(int(a) * c for a, c in zip(weights[()], channels)) % field.prime
        assert entry == value == wanted


@pytest.mark.parametrize("operator, exactly", [
    (lambda a, b: a**2 * b**2, Modular().multiply),        # 2^92
    (lambda a, b: (a + b) / 2, lambda a, b: (a + b) * Modular().reciprocal(2)),
])
def test_operators_over_residues_whose_values_are_not_exact_are_refused(operator, exactly):
    tree, field = ModeTree.star(3, 2, 2), Modular()
    weights = tree.random_weights(field, seeded())
    shown = place(torch.eye(2).double(), indices(2, 3))
    for call in (lambda made: coefficient_tensor(tree, weights, field, made),
                 lambda made: evaluate(tree, weights, shown, field, made)):
        with pytest.raises(ValueError, match="operator .*no exact integer"):
            call(operator)
        values = call(exactly)
        assert bool((values == values.round()).all()) and 0 <= values.min() <= values.max()
        assert values.max() < field.prime


def test_residues_may_be_given_to_quadratic_operators():
    tree, field = ModeTree.star(3, 2, 2), Modular()
    weights = tree.random_weights(field, seeded())
    found = coefficient_tensor(tree, weights, field, lambda a, b: a * b + a - 3 * b)
    for entry, shown in zip(found.flatten().tolist(), indices(2, 3).tolist()):
        wanted = 0
        for z in range(2):
            a, b, c = (int(weights[(t,)][z, d]) for t, d in enumerate(shown))
            ab = (a * b + a - 3 * b) % field.prime
            wanted += int(weights[()][z]) * (ab * c + ab - 3 * c)
        assert entry == wanted % field.prime


@pytest.mark.parametrize("pair", [("linear", "max"), ("relu", "max"), ("relu", "product"),
                                  ("relu", "sum")])
def test_residues_have_no_order(pair):
    tree, field, operator = ModeTree.star(2, 2, 1), Modular(7), activation_pooling(*pair)
    weights = tree.random_weights(field, seeded())
    for call in (lambda: coefficient_tensor(tree, weights, field, operator),
                 lambda: evaluate(tree, weights, torch.eye(2)[None].double(), field, operator)):
        with pytest.raises(ValueError, match=f"operator {'/'.join(pair)} over Modular.*no order"):
            call()


def test_products_that_compute_a_maximum_pass_a_single_mode_on():
    """With one mode there is nothing to pool: negative values stay."""
    star, weights = ModeTree.star(1, 3, 1), {
        (): torch.tensor([-2.0]).double(), (0,): torch.tensor([[-3.0, 2.0, -5.0]]).double()}
    channel = coefficient_tensor(star, weights, operator=activation_pooling("relu", "max"))
    assert channel.tolist() == [6, -4, 10]
    assert coefficient_tensor(*maximum_as_products(star, weights)).tolist() == [6, -4, 10]


def test_products_that_compute_a_maximum_are_of_one_type():
    star = ModeTree.star(2, 2, 1)
    weights = {(): torch.tensor([0.3]), (0,): torch.tensor([[0.1, 0.7]]),
               (1,): torch.tensor([[0.2, -4.0]])}
    found = coefficient_tensor(*maximum_as_products(star, weights))
    maximum = coefficient_tensor(star, {path: w.double() for path, w in weights.items()},
                                 operator=activation_pooling("relu", "max"))
    assert torch.allclose(found, maximum, rtol=1e-15)


def test_products_of_truth_values_are_truth_values():
    one = torch.tensor([[True, False]])
    assert khatri_rao([one, ~one | one]).tolist() == [[True, False]]


def test_widths_that_cannot_be_shared_are_refused_at_once():
    tree = ModeTree.perfect(4, 2, 2, (1, 1))
    with pytest.raises(ValueError, match="shared=True and by='node'; nodes of one level"):
        design_widths(tree, ["even-odd"], 200, by="node", shared=True)
    assert design_widths(tree, ["even-odd"], 200, (3,), "node", True).tree.root.width == 3


@pytest.mark.parametrize("levels, templates", [(7, 2), (6, 4), (5, 10), (40, 2)])
def test_rectifier_constructions_show_numbers_that_float64_holds(levels, templates):
    with pytest.raises(ValueError, match="float64 is exact below"):
        rectifier_construction(levels, templates)
    built = rectifier_construction(6, 2)
    assert built.predicted_output(torch.ones(1, 64, dtype=torch.int64)).item() == 2**32 - 1


def test_the_closed_form_of_equal_blocks_can_be_attained():
    assert proposition_2_bound(5, 64, 4).exponent == proposition_2_exponent(5, 64) == 32


def test_deep_designs_are_for_places_half_the_input_apart():
    rows = list(range(8))                       # of 16 positions, against the other half
    found = widths.designs(16, 2, 200, (1, 2, 4))
    assert found["deep"].mincut(rows) == 4 > found["early"].mincut(rows)


@pytest.mark.parametrize("count, quantile", [(11, 2.22814), (16, 2.13145), (31, 2.04227),
                                             (1001, 1.96234)])
def test_intervals_beyond_the_table_use_the_quantile_of_student(count, quantile):
    values = [float(k % 2) for k in range(count)]
    mean = sum(values) / count
    spread = (sum((value - mean) ** 2 for value in values) / (count - 1) / count) ** 0.5
    assert analysis.interval(values)[1] / spread == pytest.approx(quantile, abs=2e-4)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_shares_of_ranks_do_not_depend_on_the_scale(scale):
    matrix = torch.randn(4, 3, generator=seeded()).double()
    for measure in (effective_rank, interaction_share):
        assert float(measure(scale * matrix)) == pytest.approx(float(measure(matrix)), rel=1e-12)


def test_the_field_of_a_cell_ends_at_a_pixel_that_it_sees():
    """Windows smaller than strides: the second window reads a cell that is not there."""
    net = Architecture((4,), 1, ((2, 4, 1), (5, 2, 4)))
    assert field_of_cell(net, 2, 0) == (0, 2) == field_of_cell(net, 1, 0)
    assert field_of_cell(Architecture((8,), 2, ((3, 2, 2), (2, 2, 1))), 2, 1) == (4, 8)


def test_a_picture_of_a_field_fills_the_cells_that_are_seen_and_no_others():
    """Cells in the holes of a field were colored as if they were seen."""
    layers = (1, 2, 2), (2, 2, 2), (3, 1, 2)
    for net in (Architecture((16,), 2, layers), Architecture(16, 2, layers)):
        seen = [shift for shift in net.reachable_shifts(3) if shift < 16]
        with figure() as (_, axes):
            net.draw(axes)
        alpha = 0.4 if net.ndim == 1 else 0.3
        filled = [{pixel for patch in axes.patches if patch.get_facecolor() == to_rgba(color, alpha)
                   for pixel in range(patch.get_x(), patch.get_x() + patch.get_width())}
                  for color in (COLORS["rows"], COLORS["columns"])]
        assert seen == [0, 2, 4, 6, 8, 10]
        assert filled == [set(seen), {pixel + 4 for pixel in seen}], filled
        pyplot.close(axes.figure)


def test_figures_of_the_smallest_cases():
    with figure() as (_, axes):
        draw_digits(axes, window=1, extent=4, cut=2)                # no window lies over the cut
        draw_network(axes, ModeTree.star(1, 2, 3), (0,), names=True)    # a root with one child
        draw_bounds_by_layer(axes, ["a"], {"overlap theorem": [None], "crossing": [None]})
    assert {"output weights", "weight matrix"} <= {text.get_text() for text in axes.texts}


def test_windows_far_beyond_the_image_cost_nothing():
    """Their fields were listed one by one: a gigabyte for a window of ten million."""
    huge, enough = (Architecture((8, 8), 3, ((window, 2, 5), (4, 4, 1))) for window in (10**12, 9))
    assert str(huge.private_pixel_bound()) == str(enough.private_pixel_bound())
    assert huge.crossing_bound() == enough.crossing_bound() > 1
    assert connected_fields(enough, 1, most=4) == (1, 2, 3, 4)
    assert connected_fields(enough, 1)[-1] == 9
