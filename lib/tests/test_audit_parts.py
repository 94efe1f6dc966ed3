"""Small functions of the audit against their definitions, written out."""

import sys
from dataclasses import is_dataclass
from fractions import Fraction
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import (
    Geometry,
    LayerBound,
    audit,
    chains,
    describe,
    models,
    seal,
)
from lib.audit.chains import Step, _overlap, _rows, _shared_columns, _strips
from lib.audit.core import IGNORABLE
from lib.audit.fields import (
    EMPTY,
    Field,
    _continued,
    _moved,
    common_step,
    gather,
    map_places,
    reduce,
)
from lib.audit.geometry import _center, is_map
from lib.audit.nodes import by_group, count, in_groups
from lib.audit.routes import Route, _ends_well, _passes, _supply, _usable
from lib.bounds.bound import Bound
from lib.bounds.private import joined_fields, private_columns
from lib.tests.test_audit_operations import Run


def node(**named):
    """A layer of a graph, as far as routes look at it."""
    plain = {"groups": 1, "copies": 1, "width": 4, "per_group": 4, "channels": 4, "linear": False,
             "closing": False, "window": (3, 3), "stride": (1, 1), "dilation": (1, 1)}
    return SimpleNamespace(**(plain | named))


# Fields

def test_a_step_of_two_grids():
    assert common_step((2, 2, 3), (2, 4, 6)) == common_step((2, 4, 6), (2, 2, 3)) == (2, 4, 6)
    assert common_step((2, 2, 3), (2, 3, 4)) is None and common_step((2, 1, 1), (3, 1, 1)) is None
    assert common_step((2, 4, 2), (2, 6, 3)) == (2, 12, 6)
    assert common_step(None, (2, 1, 1)) is None and common_step((2, 1, 1), None) is None


def test_axes_of_the_image_among_the_last_dimensions():
    """A convolution over three dimensions of which the image has two."""
    for dims, found in (((2, 3), (2, 3)), ((2, 4), (2, 4)), ((1, 3), (3, 4)), ((3, 3), (3, 4))):
        field = SimpleNamespace(image=(8, 8), shape=(1, 8, 8, 3, 8), step=[(d, 1, 1) for d in dims])
        assert map_places(field, 3) == found
        assert map_places(field, 2) == (3, 4)


def test_a_step_after_a_move():
    assert _moved((2, 2, 3), (3, 4)) == (2, 3, 6)       # 3 outputs are 4 units, two periods
    assert _moved((2, 2, 3), (1, 3)) == (2, 2, 9)       # 2 outputs are 6 units, three periods
    assert _moved((2, 1, 1), (1, 2)) == (2, 1, 2)
    assert _moved((2, 1, 1), None) is None and _moved((2, 1, 1), (4, 0)) is None


@pytest.mark.parametrize("extent, period", [(5, 1), (5, 2), (6, 3), (4, 4)])
def test_a_periodic_map_goes_on_beyond_its_borders(extent, period):
    index = torch.arange(-9, 16)
    place, added = _continued(index, extent, period, 7)
    for i, at, more in zip(index.tolist(), place.tolist(), added.tolist(), strict=True):
        turns = (i - at) // period
        assert 0 <= at < extent and at + turns * period == i and more == 7 * turns
        assert turns == 0 or not 0 <= i < extent


def test_units_gathered_beyond_the_border_of_a_strided_map():
    """Cells of 4 pixels: windows of three cells begin one cell before the map."""
    for virtual in (True, False):
        field = Field.of_input((1, 1, 12, 5), virtual)
        cells = gather(field, 2, torch.arange(12).view(3, 4), (1, 4))
        assert cells.step == [(2, 1, 4), (3, 1, 1)] and cells.stride(0) == 4
        index = torch.arange(3)[:, None] + torch.arange(-1, 2)
        seen = gather(cells, 2, index, (1, 1)).full(0)[:, 0, 0, :, 0]
        expected = [(-4, 7), (0, 11), (4, 15)] if virtual else [(0, 7), (0, 11), (4, 11)]
        assert [(a, -b) for a, b in seen.T.tolist()] == expected


def test_no_unit_is_left_where_none_is_valid():
    field = Field.of_input((1, 1, 4, 3), False)
    index = torch.tensor([[0, 1], [2, 3]])
    valid = torch.tensor([[True, False], [False, False]])
    found = gather(field, 2, index, None, valid)
    for axis in (0, 1):                             # a unit that sees no row sees no column
        edges = found.full(axis)[:, 0, 0]
        assert (edges[0, 1] == EMPTY).all() and edges[0, 0, 0] == 0
    assert found.step[0] is None


@pytest.mark.parametrize("keepdim", [True, False])
def test_reductions(keepdim):
    field = Field.of_input((2, 3, 4, 5), True)
    found = reduce(field, [-1, 1], keepdim)
    assert tuple(found.shape) == ((2, 1, 4, 1) if keepdim else (2, 4))
    assert found.step == [(2 if keepdim else 1, 1, 1), None]
    assert found.full(0).flatten(1)[:, :4].tolist() == [[0, 1, 2, 3], [0, -1, -2, -3]]
    assert found.full(1)[0].unique().tolist() == [0] and found.full(1)[1].unique().tolist() == [-4]
    assert reduce(field, [], True).step == field.step


# Geometry

def test_a_geometry():
    whole = Geometry(6, Fraction(4), -2, Fraction(1, 2), 5, False, 6)
    assert (whole.padding, whole.overlap) == (2, Fraction(3, 2))
    assert Geometry(6, None, 0, None, 5, False, 6).overlap is None


def test_the_center_of_a_grid_is_the_median_over_its_periods():
    """Of six fields around 1, 3, 5, 7, 9 and (at the border) 8, the first is around 1."""
    middles = torch.tensor([1, 3, 5, 7, 9, 8])
    merged = torch.stack([middles - 1, -(middles + 1)])
    assert _center(merged, Fraction(2), 1) == 1
    assert _center(merged[:, :1], Fraction(2), 3) == 1
    pairs = torch.tensor([0, 1, 3, 4, 6, 7, 9])         # two units every three pixels, and one more
    assert _center(torch.stack([pairs, -pairs]), Fraction(3, 2), 2) == Fraction(-1, 4)


def test_what_is_a_map():
    found = audit(nn.Conv2d(3, 4, 1), 6)
    plain = found.virtual[found.trace.outputs[0]]
    assert is_map(plain) and not is_map(None) and not is_map("map")
    assert not is_map(plain.replace(step=[None, plain.step[1]]))
    assert not is_map(plain.replace(step=[plain.step[0]] * 2))
    assert not is_map(plain.replace((2, *plain.shape[1:])))         # a batch and channels


# Chains

def test_extents_without_holes():
    for units, highs, limit in (([1, 2], [2, 3], 9), ([1, 4], [2, 2], 20), ([2], [3], 9),
                                ([1, 3, 6], [2, 1, 2], 16), ([1, 1], [1, 1], 2)):
        found = set()
        for more in product(*[range(high + 1) for high in highs]):
            extent = 1
            for unit, times in zip(units, more, strict=True):
                extent = extent + unit * times if extent and (not times or extent >= unit) else 0
            if extent and extent <= limit:
                found.add(extent)
        assert [*joined_fields(units, highs, limit)] == sorted(found)


def test_strips_of_rows():
    assert _strips(7, 3, 3) == [(3, 2), (1, 1)]
    assert _strips(8, 3, 1) == [(1, 2), (1, 1)]
    assert _strips(6, 3, 2) == [(2, 2)]
    assert _strips(2, 3, 3) == [(2, 1)]


def test_windows_with_private_columns_on_both_sides():
    """Before the cut those that no later window sees, after it those that no earlier one does.

    Earlier ones include those that begin before the border.
    """
    for field, step, extent in product(range(1, 7), range(1, 6), range(2, 13)):
        found, cut = {}, extent // 2
        starts = range(-8 * step, extent, step)
        windows = [set(range(start, start + field)) for start in starts]
        for i, own in enumerate(windows):
            before = own.difference(*windows[i + 1:]) & set(range(cut))
            after = own.difference(*windows[:i]) & set(range(cut, extent))
            columns = min(len(before), len(after))
            if columns and starts[i] >= 0:
                found[columns] = found.get(columns, 0) + 1
        assert dict(_shared_columns(field, step, extent)) == found, (field, step, extent)


def test_the_windows_of_a_recording_are_not_counted_one_by_one(monkeypatch):
    """A second of sound took a minute: thousands of windows for each of thousands of fields."""
    asked = []
    monkeypatch.setattr(chains, "private_columns", lambda start, *rest:
                        asked.append(start) or private_columns(start, *rest))
    assert dict(_shared_columns(9007, 2, 16001)) == {2: 3498}
    assert len(asked) <= 3


def route(shifts, strides, size, block=(1, 1)):
    return Route(0, sum(1 << s for s in shifts), strides, None, block)


def test_the_overlap_theorem_at_a_layer():
    """Pixels 4 apart, of 8 columns: of 8, 4 and 2 positions those up to 3 have a partner."""
    for stride, columns in ((1, 4), (2, 2), (3, 2), (4, 1)):
        found = _overlap(route([0, 4], (1, stride), (6, 8)), (6, 8), 1, 5)
        assert (found.base, found.exponent, found.shift) == (5, columns * 6, 4)
    assert _overlap(route([0, 3], (1, 1), (6, 8)), (6, 8), 1, 5).exponent == 0      # too near
    assert _overlap(route([0, 5], (1, 1), (6, 9)), (6, 9), 1, 5).exponent == 0      # an odd size
    assert _overlap(route([0, 6, 7], (2, 2), (6, 8)), (6, 8), 1, 5).exponent == 1 * 3
    assert _rows(route([0], (4, 3), (6, 8)), (6, 8), 0) == 3
    assert _rows(route([0], (4, 3), (6, 8)), (6, 8), 1) == 2
    assert _rows(route([0], (3,), (8,)), (8,), 0) == 1


def test_templates_of_a_block():
    assert route([0], (2, 3), (6, 6), (2, 3)).templates(3, 9) == 1 + 6 * 2
    assert route([0], (1, 1), (6, 6)).templates(3, 9) == 3
    assert route([0], (1, 1), (6, 6)).templates(None, 9) == 9


@pytest.mark.parametrize("length, layer, words", [
    (1, 1, "a"), (2, 1, "a - b"), (3, 3, "a - b - c"), (6, 2, "a - b - c - (2 more) - f"),
    (6, 6, "a - b - (2 more) - e - f"), (8, 5, "a - b - (1 more) - d - e - f - (1 more) - h"),
    (9, 5, "a - b - (1 more) - d - e - f - (2 more) - i")])
def test_a_chain_in_words(length, layer, words):
    steps = tuple(Step("abcdefghi"[i], (3,), (1,), (1,), 4) for i in range(length))
    bound = LayerBound(Bound(3, 2, layer), "k", steps, (8,))
    assert bound.path == words and str(bound) == "3^2"


def test_the_architecture_of_a_chain():
    """A window with holes along one axis counts as one cell there."""
    steps = (Step("a", (3, 5), (1, 2), (1, 2), 4), Step("b", (2, 2), (2, 2), (1, 1), 7),
             Step("c", (4, 2), (4, 2), (1, 1), 1))
    net = LayerBound(Bound(3, 2, 1), "a", steps, (8, 8)).architecture()
    assert net.size == (8, 8) and net.windows == ((3, 1), (2, 2), (4, 2))
    assert net.strides == ((1, 2), (2, 2), (4, 2)) and net.widths == (7, 4, 7, 1)


# Routes

def test_channels_that_arrive():
    assert count(range(5)) == 5 and count([0, 0, 3, -1, -1]) == 2
    assert by_group([0, 1, 1, 2, -1, 3], 3) == [2, 1, 1] and by_group(range(4), 1) == [4]
    assert by_group([0, 1, 0, 1], 2) == [2, 0] and by_group([2, -1], 4) == [1, 0]
    assert in_groups([0, 1, 5, 5, -1, 3], node(groups=3, width=6)) == [2, 1, 1]
    assert in_groups(range(4), node(groups=2, width=4)) == [2, 2]


def test_channels_that_a_chain_may_use():
    one, two = node(), node(groups=2)
    assert _usable(one, [0, 1, 1], None) == 2 and _usable(one, [0], [1, 1]) == 1
    assert _usable(two, range(4), None) == 4 and _usable(two, [0, 1, 2], None) == 0
    assert _usable(two, [0, 1, 2], [1, 2]) == 2 and _usable(two, [0, 1, 2, 3], [2, 1]) == 3
    assert _supply(one, one, [3]) is None and _supply(two, two, [1, 1]) is None
    assert _supply(one, two, None) is None and _supply(one, two, [1, 3]) == [1, 2]


def test_channels_that_a_layer_hands_on():
    one, two = node(), node(groups=2, width=6, per_group=2)
    assert _passes(one, one, [0], 9)
    assert _passes(one, two, [2, 4], 5) and not _passes(one, two, [2, 4], 6)
    assert not _passes(one, node(groups=2, width=6, copies=2), [2, 4], 3)
    assert not _passes(node(copies=2), two, [2, 4], 3) and _passes(node(copies=2), two, [2, 4], 2)
    assert _passes(node(groups=2, width=4), two, [2, 2], 9)
    assert not _passes(node(groups=2, width=5), two, [2, 2], 1)
    assert not _passes(node(groups=2), node(groups=2, width=6, per_group=4), [2, 2], 1)
    assert _passes(node(groups=2), node(groups=2, width=6, per_group=3), [2, 2], 1)


def test_layers_that_may_come_after_k():
    for good, named in (
            (True, {}), (False, {"channels": 0}), (True, {"stride": (3, 3)}),
            (False, {"stride": (1, 4)}), (False, {"stride": (4, 1)}),
            (True, {"stride": (4, 4), "closing": True}), (True, {"dilation": (2, 2)}),
            (False, {"dilation": (2, 1), "stride": (2, 1)}),
            (True, {"dilation": (2, 1), "stride": (1, 2)}), (True, {"linear": True}),
            (False, {"linear": True, "stride": (1, 2)})):
        assert _ends_well(node(**named)) == good, named


# Records of a run

def test_large_tensors_are_computed_once_more(monkeypatch):
    """Rows of a map against its columns: boxes that differ everywhere, dropped and found again."""
    net = Run(lambda x: x.mT @ x + 1)
    plain = audit(net, 12)
    monkeypatch.setattr(describe, "LARGE", 10)
    small = audit(net, 12)
    value, = (call.outputs[0] for call in small.trace.calls if call.name == "matmul")
    same, = (call.outputs[0] for call in plain.trace.calls if call.name == "matmul")
    assert small.virtual[value].edges is None and small.seen[value].edges is None
    assert small.virtual[small.trace.outputs[0]].edges is not None
    assert plain.virtual[same].edges is not None
    assert small.geometry(value) == plain.geometry(same)


def test_phases_of_one_map_are_no_misaligned_join():
    """Every second cell beside its neighbor; two different maps are compared."""
    def halves(x):
        return torch.cat([x[..., ::2], x[..., 1::2]], 1)

    def shifted(x):
        return F.relu(x)[..., ::2] + x[..., 1::2]

    one, = audit(Run(halves), 8).joins
    assert (one.compared, one.aligned) == (False, True)
    two, = audit(Run(shifted), 8).joins
    assert (two.compared, two.problems) == (True, ("width: centers 0.0, 1.0",))
    beside, = audit(Run(lambda x: torch.cat([F.relu(x)[..., ::2], x[..., 1::2]], 1)), 8).joins
    assert (beside.compared, beside.problems) == (True, ("width: centers 0.0, 1.0",))
    alike, = audit(Run(lambda x: x[..., ::2] + x[..., 1::2]), 8).joins
    assert (alike.compared, alike.aligned) == (True, False)
    sheared = audit(Run(lambda x: x + F.pad(x, (0, 8)).unfold(3, 8, 1).diagonal(
        0, 2, 3).transpose(2, 3)), 8).joins         # row i from column i on, and not so
    assert [join.compared for join in sheared] == [False]


def test_layers_that_look_around():
    gate, body = nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 4, 1)
    assert audit(nn.Sequential(body, gate, nn.Conv2d(4, 4, 1)), 8).looks_around
    assert not audit(nn.Sequential(body, gate), 8).looks_around
    whole = audit(nn.Sequential(body, gate, nn.Conv2d(4, 4, 1)), 8, ignore=IGNORABLE)
    assert not whole.looks_around and whole.local is whole
    assert audit(nn.Sequential(body, nn.GroupNorm(2, 4)), 8).looks_around


def test_the_last_grid_has_a_name_where_no_module_made_it():
    net = Run(lambda x, conv: conv(x).relu(), nn.Conv2d(4, 4, 3, padding=1))
    assert str(audit(net, 8).box()).startswith("Unit (2, 4, 4) of Run sees rows ")


def test_names_of_layers_without_a_module_of_their_own():
    """Parameters name the module that they belong to, if it is one."""
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)

        def forward(self, x):
            x = F.conv2d(x, self.a.weight, self.a.bias)
            return F.avg_pool2d(F.conv2d(x, self.b.weight, self.a.bias), 2)

    assert [layer.name for layer in audit(Functional(), 9).layers] == [
        "a", "convolution", "avg_pool2d"]
    inner = audit(nn.Sequential(Functional()), 9)
    assert [layer.name for layer in inner.layers] == ["0.a", "0.convolution", "0.avg_pool2d"]
    assert audit(nn.Conv2d(3, 4, 3), 9).layers[0].name == "Conv2d"


def test_numbers_of_parameters_are_kept_up_to_4096():
    assert (seal.KNOWN_PARAMETER, seal.KNOWN_TENSOR) == (4096, 2 ** 24)

    class Asks(nn.Module):
        def __init__(self, entries):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(entries))

        def forward(self, x):
            return x[..., :int(self.weight[0])]

    assert audit(Asks(4096), 8).trace.outputs[0].shape == (1, 3, 8, 1)
    with pytest.raises(NotImplementedError, match="computes with the numbers"):
        audit(Asks(4097), 8)


# Famous networks

@pytest.mark.parametrize("window, stride", [(3, 1), (3, 2), (2, 2), (5, 3), (1, 2), (4, 1)])
def test_padding_at_the_end(window, stride):
    """As little as a window over every n-th cell needs, the larger half at the end."""
    layer = models.EndPadding(window, stride)
    for rows, columns in product((5, 6, 7, 8), (4, 9)):
        x = torch.ones(1, 1, rows, columns)
        padded = layer(x)[0, 0]
        for dim, n in enumerate((rows, columns)):
            total = padded.shape[dim] - n
            needed = ((n - 1) // stride) * stride + window - n
            assert total == max(0, needed)
            line = padded.amax(1 - dim)
            assert line[:total // 2].sum() == 0 and line[total // 2:total // 2 + n].all()


def test_modules_of_famous_networks_are_named_as_in_the_papers():
    with torch.device("meta"):
        names = {name: [n for n, _ in factory().named_children()] for name, factory in (
            ("alexnet", models.alexnet), ("vgg", lambda: models.vgg(11)))}
        parts = {name: [n for n, _ in factory().features.named_children()] for name, factory in (
            ("googlenet", models.googlenet), ("mobilenet", models.mobilenet_v1),
            ("stack", models.dilated_stack), ("resnet", lambda: models.resnet(18)))}
        stack = models.dilated_stack(3, 5)
    head = ["average", "flatten", "fc6", "relu6", "fc7", "relu7", "fc8"]
    assert names["alexnet"] == ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3",
                                "relu3", "conv4", "relu4", "conv5", "relu5", "pool5", *head]
    assert names["vgg"] == [*"conv1_1 relu1_1 pool1 conv2_1 relu2_1 pool2 conv3_1 relu3_1 conv3_2 "
                            "relu3_2 pool3 conv4_1 relu4_1 conv4_2 relu4_2 pool4 conv5_1 relu5_1 "
                            "conv5_2 relu5_2 pool5".split(), *head]
    assert parts["googlenet"] == (
        "conv1 pool1 conv2_reduce conv2 pool2 inception3a inception3b pool3 inception4a "
        "inception4b inception4c inception4d inception4e pool4 inception5a inception5b").split()
    assert parts["mobilenet"] == ["conv0", *[f"{kind}{i}" for i in range(1, 14)
                                             for kind in ("depthwise", "pointwise")]]
    assert parts["stack"] == [f"conv{i}" for i in range(5)]
    assert parts["resnet"] == ["conv1", "pool1", "stage1", "stage2", "stage3", "stage4"]
    convolutions = [m for m in stack.modules() if isinstance(m, nn.Conv2d)]
    assert [(m.in_channels, m.out_channels, m.dilation) for m in convolutions] == [
        (3, 5, (1, 1)), (5, 5, (2, 2)), (5, 5, (4, 4))]


def test_layers_that_follow_a_convolution():
    names = [[type(part).__name__ for part in models.conv(2, 3, 3, relu=relu)]
             for relu in (True, False)]
    assert names == [["Conv2d", "BatchNorm2d", "ReLU"], ["Conv2d", "BatchNorm2d"]]
    layer = models.conv(2, 4, (3, 5), dilation=2, groups=2).conv
    assert (layer.padding, layer.dilation, layer.groups, layer.bias) == ((2, 4), (2, 2), 2, None)
    assert models.conv(2, 4, 3, 2, 0).conv.padding == (0, 0)
    with torch.device("meta"):
        for build, rectifiers in ((models.inception_v3, 94), (models.mobilenet_v1, 27),
                                  (lambda: models.resnet(50), 33), (lambda: models.resnet(18), 9)):
            assert sum(isinstance(m, nn.ReLU) for m in build().modules()) == rectifiers


def test_what_a_reader_is_given_cannot_be_changed():
    classes = {thing for module in list(sys.modules) if module.startswith("lib.audit")
               for thing in vars(sys.modules[module]).values()
               if isinstance(thing, type) and is_dataclass(thing)}
    frozen = {thing.__name__ for thing in classes if thing.__dataclass_params__.frozen
              and thing.__module__.startswith("lib.audit")}
    assert frozen >= {"Box", "Geometry", "JoinRecord", "LayerBound", "LayerRecord", "Step",
                      "Unknown"}
