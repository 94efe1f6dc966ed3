"""What an audit prints, and branches of its rules that few networks take."""

from itertools import combinations

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import UnsupportedOperation, audit, effective_field
from lib.audit.fields import EMPTY, Field
from lib.audit.geometry import Geometry, geometry
from lib.audit.report import join_record
from lib.tests.test_audit_operations import Run, squeeze_and_excite


def conv(inputs, window=3, stride=1, padding=1):
    return nn.Conv2d(inputs, 8, window, stride, padding)


def bounds(*modules, size=16, **options):
    return audit(nn.Sequential(*modules), size).bounds(**options)


def step(function, size=(12, 18)):
    """Where the grid of each axis runs in what a function makes of a map."""
    found = audit(Run(function), size)
    return tuple(found.virtual[found.trace.outputs[0]].step)


def pooled(x, rows=2):
    return F.avg_pool2d(x, (rows, 3))


@pytest.mark.parametrize("pair", [*combinations(range(4), 2), (-1, 1), (0, -2)])
def test_the_grid_goes_where_its_dimension_goes(pair):
    places = ["batch", "channels", "rows", "columns"]
    one, other = pair
    places[one], places[other] = places[other], places[one]
    expected = (places.index("rows"), 1, 2), (places.index("columns"), 1, 3)
    assert step(lambda x: pooled(x).transpose(*pair)) == expected


def test_the_grid_of_a_matrix_is_transposed():
    assert step(lambda x: pooled(x)[0, 0].t()) == ((1, 1, 2), (0, 1, 3))


@pytest.mark.parametrize("function, place", [
    (lambda x: x.unsqueeze(0), 3), (lambda x: x[:, 0], 1), (lambda x: x[0, 0], 0),
    (lambda x: x.squeeze(2), None), (lambda x: x[0, 0].flatten(), None),
])
def test_a_single_row_keeps_its_place_from_the_end(function, place):
    """Of a map of one row and six columns; where that place is taken, the grid is lost."""
    assert step(lambda x: function(pooled(x, 12)))[0] == (
        None if place is None else (place, 1, 12))


@pytest.mark.parametrize("function, expected", [
    (lambda x: F.pixel_shuffle(x, 2), ((2, 2, 2), (3, 2, 3))),
    (lambda x: torch.stack([x, x], 1), ((3, 1, 2), (4, 1, 3))),
    (lambda x: torch.stack([x, x], 3), ((2, 1, 2), (4, 1, 3))),
    (lambda x: torch.cat([x, x], 2), (None, (3, 1, 3))),
    (lambda x: x[:, :, ::2, 1:], ((2, 1, 4), (3, 1, 3))),
    (lambda x: x.permute(0, 3, 1, 2), ((3, 1, 2), (1, 1, 3))),
    (lambda x: x.permute(0, -2, -1, 1), ((1, 1, 2), (2, 1, 3))),
])
def test_where_the_grid_is_after_a_move(function, expected):
    """Dimension, period in cells and shift in pixels; two maps end to end are no grid."""
    assert step(lambda x: function(pooled(x))) == expected


def test_a_group_sees_what_any_of_its_channels_sees():
    """One channel of the image and three of ones: the first group of two sees it, not the other."""
    found = audit(Run(lambda x: F.group_norm(torch.cat(
        [x[:, :1], torch.ones_like(x[:, :3])], 1), 2)), 8)
    seen = found.seen[found.trace.outputs[0]]
    for axis in (0, 1):
        first = seen.full(axis)[0, 0, :, 0, 0]
        assert first[:2].tolist() == [0, 0] and (first[2:] > EMPTY // 2).all()


def test_a_single_cell_without_a_place_is_on_no_grid():
    assert step(lambda x: x[0, 0].flatten(), (1, 1)) == (None, (0, 1, 1))


class Product(nn.Module):
    """A function of an image and of one parameter."""

    def __init__(self, function, *shape):
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.ones(shape))

    def forward(self, x):
        return self.function(x, self.weight)


@pytest.mark.parametrize("function, shape, channels", [
    (lambda x, w: x.flatten(2).mT @ w, (3, 5), 5),
    (lambda x, w: w @ x.flatten(2), (5, 3), 5),
    (lambda x, w: F.linear(x.flatten(2).mT, w), (5, 3), 5),
    (lambda x, w: torch.addmm(w.new_ones(5), x[0].flatten(1).T, w), (3, 5), 5),
    (lambda x, w: torch.mm(w, x[0].flatten(1)), (5, 3), 5),
    (lambda x, w: w @ x[0, :, 3, 3], (5, 3), 5),
    (lambda x, w: torch.addmv(w.new_ones(5), w, x[0, :, 3, 3]), (5, 3), 5),
    (lambda x, w: x[0].flatten(1).T @ w, (3,), 1),
    (lambda x, w: w @ x[0].flatten(1), (3,), 1),
    (lambda x, w: torch.dot(x[0, :, 3, 3], w)[None], (3,), 1),
    (lambda x, w: torch.dot(w, x[0, :, 3, 3])[None], (3,), 1),
])
def test_channels_of_a_product_on_either_side(function, shape, channels):
    """Three channels of a map of 4 x 6 cells, multiplied with a matrix or a vector."""
    layer, = audit(Product(function, *shape), (4, 6)).layers
    assert (layer.kind, layer.channels_in, layer.channels) == ("dense", 3, channels)


def test_a_vector_over_channels_is_no_layer_of_the_surrogate_one_over_everything_is():
    """Where channels are summed up, cells are left without an axis for channels."""
    body = conv(3)
    apart = Product(lambda x, w: x[0].flatten(1).T @ w, 8)
    whole = Product(lambda x, w: x.flatten(1) @ w, 8 * 16 * 16)
    assert bounds(body, apart).reason.endswith("leads past 1")
    assert str(bounds(body, whole).best) == str(bounds(body).best) == "9^32"
    assert [part.name for part in bounds(body, whole).best.chain] == ["0", "1"]


def test_a_product_of_two_maps_is_an_attention():
    layer, = audit(Product(lambda x, w: x.flatten(2).mT @ x.flatten(2), 1), (4, 6)).layers
    assert (layer.kind, layer.channels_in, layer.channels) == ("attention", 0, 24)


def test_an_operation_without_a_result_is_refused_by_name():
    def function(x):
        torch._assert_async(x.sum() > 0)
        return x

    with pytest.raises(UnsupportedOperation, match="_assert_async.* turns a tensor into a number"):
        audit(Run(function), 8)


def test_branches_are_compared_if_both_are_grids():
    strided = [audit(nn.Conv2d(3, 1, 1, stride), 8).output for stride in (1, (1, 2))]
    one, other = (join_record("", "add", strided, ("height", "width"), compared)
                  for compared in (True, False))
    assert one.problems == ("width: strides 1, 2",) and not one.aligned
    assert other.problems == () and other.aligned
    gate, = audit(Run(squeeze_and_excite, nn.Conv2d(4, 4, 1)), 16).own_joins
    assert gate.aligned and not gate.compared


def test_axes_are_named_from_the_slowest_to_the_fastest():
    assert [audit(module(1, 1, 1), (2,) * n).axes for n, module in (
        (1, nn.Conv1d), (2, nn.Conv2d), (3, nn.Conv3d))] == [
            ("width",), ("height", "width"), ("depth", "height", "width")]


TEXT = """\
layer  kind    R    S  D   map  T_R  T_S  center  crossing  overlap  pad  start  T_R/T_S  T_R(H/2)
--------------------------------------------------------------------------------------------------
0      conv  3,5  2,1  8  8x12  3,5  2,1       0      9^32        -  1,2  -1,-2    1.5,5         -
1      pool    2    2  8   4x6  5,6  4,2   1,0.5       9^8        -    0  -1,-2   1.25,3         -
"""
GEOMETRY = """\
Last grid over the image, height: field 5, stride 4, effective padding 1, first center 1, overlap \
degree 1.25.
Last grid over the image, width: field 6, stride 2, effective padding 2, first center 0.5, overlap \
degree 3.
Output: units see at most 5 x 6 pixels of the image.
Joins of branches: 0, misaligned: 0."""
CROSSING = ("Bound, top-bottom, crossing bound: rank at least 9^12 (log10 11.5), from 0, comparing "
            "pixels 2 apart; needs M >= 9;\n  along 0 - 1 - (added output).")


def test_the_table_of_an_oblong_network_line_by_line():
    """Pooled windows of 3 x 5 at stride 2 x 1: fields of 3 + 2 by 5 + 1 pixels."""
    found = audit(nn.Sequential(nn.Conv2d(3, 8, (3, 5), (2, 1), (1, 2)), nn.MaxPool2d(2)), (16, 12))
    assert found.table() + "\n" == TEXT
    assert GEOMETRY in found.summary and CROSSING in found.summary


class Plus(nn.Module):
    """A layer whose first cells are cut off, added to its input, as in a causal network."""

    def __init__(self, layer, cut):
        super().__init__()
        self.layer, self.cut = layer, cut

    def forward(self, x):
        return x + self.layer(x)[..., self.cut:, self.cut:]


@pytest.mark.parametrize("modules, size, reason", [
    ([conv(3), nn.ConvTranspose2d(8, 8, 2, 2)], 16,
     "no chain of convolutions and poolings leads past 1"),
    ([conv(3), nn.AdaptiveAvgPool2d(5), conv(8)], 16,
     "no chain of convolutions and poolings leads past 1"),
    ([conv(3), nn.Flatten(2), nn.Conv1d(8, 4, 3)], 16,
     "no chain of convolutions and poolings leads past 2"),
    ([conv(3), nn.Flatten(2), nn.Conv1d(8, 1, 3)], 16,
     "no chain of convolutions and poolings leads past 2"),
    ([Run(lambda x: x + x.flip(3))], 16,
     "no chain of convolutions and poolings leads past 0.add, where no operand can be silenced or "
     "cancelled"),
    ([nn.PixelUnshuffle(2), conv(12)], 6,
     "the cut divides blocks of pixels that 1 reads as one cell"),
    ([conv(3, 1, 1, 0), conv(8, 1, 1, 0)], 16,
     "no layer that could be layer K has a channel whose windows up to it reach across the cut"),
    ([conv(3, 3, 4)], 16, "every path to the output has a layer whose window is smaller than its "
     "stride or whose cells are dropped, adds up no channels after layer K, or ends where it "
     "would be"),
    ([nn.Conv2d(1, 8, 1), Plus(nn.Conv2d(8, 8, 9, padding=8), 8)], 16,
     "every path to the output has a layer whose window is smaller than its stride or whose cells "
     "are dropped, adds up no channels after layer K, or ends where it would be"),
    ([Plus(nn.Conv2d(1, 1, 3, padding=1), 0)], 16,
     "with M = 1 every pixel shows the same template"),
])
def test_why_there_is_no_bound(modules, size, reason):
    found = audit(nn.Sequential(*modules), size)
    assert found.bounds().best is None and found.bounds().reason == reason
    assert f"Bounds, left-right: none; {reason}." in found.summary.splitlines()


END = "padding is at the far end of every axis and keeps ceil(size / stride) cells"
ADDED = "a layer over the whole output map is added, so that the output is one number"


@pytest.mark.parametrize("modules, size, notes", [
    ([conv(3)], 16, []), ([conv(3, 3, 1, 0)], 16, [END]), ([conv(3, 3, 2)], 15, []),
    ([conv(3, 2, 2, 0)], 15, [END]), ([conv(3, 2, 2, 0)], 16, []),
    ([conv(3), nn.BatchNorm2d(8), nn.ReLU()], 16, ["normalization is dropped"]),
])
def test_what_the_surrogate_changes(modules, size, notes):
    assert bounds(*modules, size=size).notes == [*notes, ADDED]


def test_a_pooling_of_single_cells_is_a_layer_if_it_leaves_some_out():
    """With stride 1 it does nothing."""
    chains = [[(part.name, part.stride) for part in bounds(
        conv(3), nn.MaxPool2d(1, stride), conv(8)).best.chain] for stride in (1, 2)]
    assert chains[0] == [("0", (1, 1)), ("2", (1, 1)), ("(added output)", (16, 16))]
    assert chains[1] == [("0", (1, 1)), ("1", (2, 2)), ("2", (1, 1)), ("(added output)", (8, 8))]


def test_an_odd_size_is_cut_before_its_middle():
    """Of 9 columns 4 are left of the cut, where a field of 4 ends; of 10 the second field has 1."""
    for size, crosses in ((9, False), (10, True)):
        found = bounds(conv(3, 4, 4, 0), conv(8), size=size).crossing_by_layer
        assert ("0" in found) == crosses and "1" in found


@pytest.mark.parametrize("channels, passes", [(1, False), (2, True), (3, True)])
def test_grouped_layers_hand_on_a_channel_each_if_they_have_as_many(channels, passes):
    """Two groups of two channels; a grouped layer after another cannot choose what arrives."""
    found = bounds(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1, groups=2),
                   nn.Conv2d(4, 2 * channels, 3, padding=1, groups=2), conv(2 * channels))
    assert ("2" in found.crossing_by_layer) == passes


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Conv2d(3, 3, 3, padding=1)
        self.rest = nn.Sequential(*[nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)])

    def forward(self, x):
        return self.rest(self.shared(self.shared(x)))


def test_a_module_is_asked_for_what_it_returns_last():
    found = audit(Twice(), 17)
    assert found.box("rest", (8, 8)).pixels == ((3, 13), (3, 13))
    shared = nn.Conv2d(3, 3, 3, padding=1)
    last = effective_field(nn.Sequential(shared, shared), 17)
    assert last.theoretical == ((6, 10), (6, 10)) and int((last.influence > 0).sum()) == 25


def test_a_gate_of_one_channel_lies_in_places_of_its_own():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.gate = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1)

        def forward(self, x):
            return self.first(x) * self.gate(self.first(x)).sigmoid()

    [join] = audit(Gated(), 12).joins
    assert join.compared and join.problems == ()


class Scaled(nn.Module):
    def forward(self, x):
        return x * torch.arange(1.0, 9.0).view(8, 1, 1)


def test_numbers_made_on_the_way_are_known_whatever_the_default_device_is():
    net = nn.Sequential(conv(3), Scaled(), conv(8))
    expected = str(audit(net, 16))
    assert "no chain" not in expected               # a factor that could be 0 would end one
    with torch.device("meta"):
        assert str(audit(net, 16)) == expected


def test_units_that_see_nothing_begin_at_the_first_pixel():
    seen = Field.of_input((1, 3, 8, 8), True, 2, ())
    nothing = seen.replace(seen.shape, [torch.full_like(edge, EMPTY) for edge in seen.edges],
                           [None, None])
    assert geometry(nothing, nothing, 0) == Geometry(0, None, 0, None, 0, False, 0)


def test_an_audit_shows_itself_in_one_line():
    found = audit(nn.Sequential(conv(3), conv(8)), 16)
    found.bounds()
    assert repr(found) == ("Audit(name='Sequential', size=(16, 16), ignore=frozenset())")


def test_a_map_that_is_no_grid_begins_where_its_first_unit_does():
    found = audit(Run(lambda x: x[:, :, torch.tensor([5, 0, 3, 9])]), 12)
    rows, columns = found.geometry(found.trace.outputs[0])
    assert (rows.stride, rows.start, columns.start) == (None, 4, -1)


def test_four_cells_show_no_stride_of_two():
    """A period is believed when it is seen to repeat: two steps at the least."""
    found = audit(Run(lambda x: x[..., :2].repeat_interleave(2, 3)), 12)
    assert list(found.virtual[found.trace.outputs[0]].step) == [(2, 1, 1), None]


def test_what_sums_along_a_repeated_gate_is_no_gate():
    class Gated(nn.Module):
        def __init__(self, function):
            super().__init__()
            self.first, self.function = nn.Conv2d(3, 4, 3, padding=1), function

        def forward(self, x):
            y = self.first(x)
            return y * self.function(y.mean((2, 3), keepdim=True).expand_as(y))

    def last_row(function):
        found = audit(Gated(function), 12, ignore=("gates",))
        seen, _ = found.fields(found.trace.outputs[0])
        return -seen.clipped(0)[1].amax().item()

    assert last_row(torch.sigmoid) == 1 and last_row(lambda gate: gate.cumsum(3)) == 11


@pytest.mark.parametrize("layer", [nn.MaxPool1d(2), nn.AvgPool1d(2), nn.AdaptiveMaxPool1d(8),
                                   nn.LPPool1d(2, 2)], ids=lambda layer: type(layer).__name__)
def test_a_pooling_along_one_axis_has_no_further_dimension(layer):
    """It adds one for itself, which was in the table, in places of units and in the way."""
    found = audit(nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), layer), (16,))
    assert (found.layers[-1].map, found.layers[-1].shape) == ((8,), (1, 3, 8))
    assert found.box("1", (2, 4)).pixels == found.box("1", 4).pixels == ((7, 10),)
    assert found.box("1").unit == (1, 4)
    net = nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), layer)
    assert effective_field(net, (16,), "1", 4, samples=1).theoretical == ((7, 10),)


@pytest.mark.parametrize("norm", [nn.GroupNorm(1, 4), nn.InstanceNorm2d(4)],
                         ids=lambda norm: type(norm).__name__)
def test_units_behind_a_norm_have_a_place(norm):
    """They see everything, but lie where they would without it."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), norm, nn.Conv2d(4, 2, 3))
    found = audit(net, (8, 12))
    for name, unit in (("1", (1, -1)), ("2", (1, 3))):
        assert found.box(name, unit).pixels == ((0, 7), (0, 11))
        assert effective_field(net, (8, 12), name, unit, samples=1).unit == unit
    assert found.box("0", (1, 3)).pixels == ((1, 3), (5, 7))
    assert effective_field(net, (8, 12), "2", samples=1).unit == (1, 2)


class Pair(nn.Module):
    """Two convolutions, of which both results are returned, the last one first."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        x = self.one(x)
        return self.two(x), x


class Again(nn.Module):
    """Layers without weights, used for every block."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv1d(3, 3, 3, padding=1), nn.Conv1d(3, 3, 3, padding=1)
        self.drop, self.pool = nn.Identity(), nn.MaxPool1d(2)

    def forward(self, x):
        return self.pool(self.drop(self.two(self.pool(self.drop(self.one(x))))))


def test_a_module_that_returns_several_is_asked_for_its_last_layer():
    assert audit(nn.Sequential(Pair()), 16).box("0", (8, 8)).pixels == ((6, 10), (6, 10))


def test_a_module_that_runs_twice_is_asked_for_its_last_run():
    found = audit(Again(), (16,))
    assert found.box("drop", 4).pixels == ((5, 12),)            # three cells of two, and one around
    assert found.box("pool #2").unit == (1, 2)


def test_a_single_cell_that_only_tokens_follow_is_the_last_map():
    net = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4), nn.Conv2d(8, 8, 2), nn.Flatten(2),
                        nn.Linear(1, 5))
    assert [axis.size for axis in audit(net, 9).last_map] == [9, 9]


def test_two_images_are_said_to_be_a_batch():
    remark, = audit(nn.ReLU(), inputs=torch.rand(2, 3, 8, 8)).remarks
    assert "a batch of 2 with axes 8 x 8" in remark


REDUCED = {
    "norm": lambda v: v / v.norm(dim=-1, keepdim=True),
    "normalize": lambda v: F.normalize(v, dim=-1),
    "standardized": lambda v: (v - v.mean()) / v.std(), "variance": lambda v: v.var(-1),
    "cosine": lambda v: F.cosine_similarity(v, torch.ones(4), dim=0),
    "place of the largest": lambda v: v.argmax(-1), "product": lambda v: v.prod(),
    "median": lambda v: v.median(), "any": lambda v: v.any(),
    "both ends": lambda v: v.aminmax().max,
    "one number": lambda v: v.mean().sum(),
}


@pytest.mark.parametrize("name", REDUCED)
def test_features_of_one_image_without_its_batch_may_be_reduced(name):
    """`squeeze` drops the batch of one: what is left has channels alone."""
    found = audit(Run(lambda x: REDUCED[name](x.mean((2, 3)).squeeze())), 12)
    assert all(axis.everything for axis in found.output) and str(found)
    assert {layer.channels_in for layer in found.layers if layer.kind == "reduce"} <= {4}
