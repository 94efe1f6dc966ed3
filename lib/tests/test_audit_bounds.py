"""Bounds of surrogates: the theorems' own, exact ranks of random graphs, and the command line."""

import copy
import json
from collections import OrderedDict

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from lib import Architecture, Layer, generalized_conv
from lib.audit import audit, models
from lib.bounds.private import private_pixel_bounds
from lib.networks.families import googlenet_stack
from lib.tests.audit_oracle import FIELD, Run, surrogate_rank

SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True}


def on_meta(factory):
    with torch.device("meta"):
        return factory()


@settings(max_examples=40, **SETTINGS)
@given(data=st.data())
def test_a_plain_chain_has_the_bounds_of_its_architecture(data):
    size, layers, modules, width = data.draw(st.integers(4, 40)), [], [], 3
    for _ in range(data.draw(st.integers(1, 4))):
        window, stride = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 2))
        channels = data.draw(st.integers(2, 9))
        # The surrogate's own padding: at the end, as much as ceil(size / stride) cells need.
        modules += [models.EndPadding(window, stride), nn.Conv2d(width, channels, window, stride)]
        layers.append(Layer(window, stride, channels))
        width = channels
    found = audit(nn.Sequential(*modules), size, channels=3)
    last = Architecture(size, 10, layers).output_sizes[-1]
    net = Architecture(size, 10, (*layers, Layer(last, last, 1)))
    for partition in ("left-right", "top-bottom"):
        bounds = found.bounds(partition)
        for mine, theirs in ((bounds.overlap_by_layer, net.overlap_bounds(partition, "one")),
                             (bounds.crossing_by_layer, net.crossing_bounds(partition))):
            names = [record.name for record in found.layers]
            expected = {names[bound.layer - 1]: bound.value for bound in theirs
                        if bound.layer <= len(names) and bound.value > 1}
            if last != (1, 1):                      # the closing layer of `net` is then not ours
                assert {name: b.bound.value for name, b in mine.items()} == expected
            else:
                assert all(b.bound.value <= expected[name] for name, b in mine.items())
        color = Architecture(size, 3, (*layers, Layer(last, last, 1)))
        theirs = {names[b.layer - 1]: b for b in private_pixel_bounds(color, partition)
                  if b.layer <= len(layers) and color.total_stride(b.layer) > 1}
        mine = found.bounds(partition, representation=3).private_by_layer
        assert all(b.bound.value <= theirs[name].value for name, b in mine.items())
        if last != (1, 1):
            assert {name: str(b) for name, b in mine.items()} == {
                name: str(b) for name, b in theirs.items() if b.value > 1}


@pytest.mark.parametrize("name", [
    pytest.param(n, marks=pytest.mark.slow) if n in ("ResNet-34", "ResNet-50", "ResNet-101",
                                                     "ResNet-152", "GoogLeNet",
                                                     "Inception-v3") else n
    for n in models.FAMOUS if n not in ("MobileNet-v1", "dilated stack")])
def test_the_chain_behind_a_bound_is_an_architecture_with_that_bound(name):
    bounds = audit(on_meta(models.FAMOUS[name])).bounds()
    for best, same in ((bounds.overlap, lambda net: net.overlap_bounds(t_min="one")),
                       (bounds.crossing, lambda net: net.crossing_bounds())):
        net = best.architecture()
        assert best.bound.value in [b.value for b in same(net) if b.layer == best.bound.layer]
        assert best.chain[best.bound.layer - 1].name == best.name


def test_the_architecture_of_a_narrow_chain_has_that_bound_too():
    """Two channels tell three templates apart: more than any layer has channels."""
    found = audit(nn.Conv2d(1, 2, 4, 2, 1), 8, 1)
    for bound in (found.bounds().crossing, found.bounds(representation=2).crossing):
        assert str(bound.architecture().crossing_bound()) == str(bound)
    assert str(found.bounds().crossing) == "3^4"
    assert str(found.bounds(representation=2).crossing) == "2^4"


@pytest.mark.parametrize(("size", "partition", "found"), [
    ((7, 7), "left-right", "4^5 2^1"), ((10, 7), "left-right", "4^7 2^1"),
    ((7, 8), "top-bottom", "4^4"), ((7, 7), "top-bottom", "4^4")])
def test_rows_that_the_border_cuts_off_count_as_the_theorem_says(size, partition, found):
    """The last row of windows of a second layer has fewer rows to itself, all its columns."""
    net = nn.Sequential(nn.Conv2d(3, 3, 2, padding=1), nn.Conv2d(3, 5, 4, (3, 2), 2),
                        nn.Conv2d(5, 5, 3, padding=1))
    bound = audit(net, size).bounds(partition, representation=2).private_by_layer["1"]
    same = private_pixel_bounds(bound.architecture(), partition)
    assert str(bound) == found == str(same[1])


@pytest.mark.slow                   # notebook 14 has them too
def test_the_three_readings_of_googlenet():
    """One layer per module: 32^98. Its true 5x5 branches: 8^98. The 3x3 branches: 32^98 again."""
    found = audit(on_meta(models.googlenet))
    whole = found.bounds(collapse=(r"features\.inception..",))
    assert (str(whole.overlap), whole.overlap.name) == ("32^98", "features.inception4a")
    net, layer = whole.overlap.architecture(), whole.overlap.bound.layer
    assert (net.total_stride(layer), net.total_receptive_field(layer)) == (16, 171)
    assert net.alpha_minimal(layer, 112) == 113
    assert str(whole.crossing_by_layer["features.inception3b"]) == "65^308"
    assert str(googlenet_stack().overlap_bound()) == "32^98"

    five = found.bounds(avoid=(r"\.1x1", r"\.3x3", r"\.pool\."))
    assert (str(five.overlap), five.overlap.name) == ("8^98", "features.inception4a.5x5.conv.conv")
    three = found.bounds(avoid=(r"\.1x1", r"\.5x5", r"\.pool\."))
    assert (str(three.overlap), three.overlap.name) == ("32^98",
                                                       "features.inception4b.3x3.conv.conv")
    assert str(found.bounds().overlap) == "32^98"
    assert str(found.bounds().crossing_by_layer["features.conv2.conv"]) == "65^224"
    assert str(found.bounds().crossing) == "65^336"
    assert str(found.bounds(representation=3).crossing) == "3^336"


class Written(nn.Module):
    """A network on one axis with an output cell; ``function`` is its first part."""

    def __init__(self, function, width, *modules, pool=None):
        super().__init__()
        self.rest = Run(function, *modules)
        self.pool, self.head = pool or nn.AdaptiveAvgPool1d(1), nn.Conv1d(width, 1, 1)

    def forward(self, x):
        return self.head(self.pool(self.rest(x)))


def wide(inputs, outputs, window):
    return nn.Conv1d(inputs, outputs, window, padding=window // 2)


# Three templates on eight cells. What was once reported, and what the surrogate's rank is.
NOT_ABOVE = {
    "dropped by a slice": (Written(lambda x, a, b: torch.cat([a(x), b(x)], 1)[:, 6:], 6,
                                   wide(3, 6, 3), wide(3, 6, 1)), 7),
    "dropped by a chunk": (Written(lambda x, a, b: torch.cat([a(x), b(x)], 1).chunk(2, 1)[1], 6,
                                   wide(3, 6, 3), wide(3, 6, 1)), 7),
    "one module, subtracted": (Written(lambda x, c: c(x) - c(x), 3, wide(3, 3, 3)), 1),
    "subtracted from itself": (Written(lambda x, c: (lambda y: y - y)(c(x)), 3, wide(3, 3, 3)), 1),
    "times nothing": (Written(lambda x, c: c(x) * 0, 3, wide(3, 3, 3)), 1),
    "times zeros": (Written(lambda x, c: c(x) * torch.zeros(3, 1), 3, wide(3, 3, 3)), 1),
    "one channel for all": (Written(lambda x, c: c(x[:, :1].expand(-1, 3, -1)), 4,
                                    wide(3, 4, 5)), 54),
    "one channel, repeated": (Written(lambda x, c: c(x[:, :1].repeat(1, 3, 1)), 4,
                                      wide(3, 4, 5)), 54),
}


@pytest.mark.parametrize("pools", ["mixing", "channelwise"])
@pytest.mark.parametrize("name", NOT_ABOVE)
def test_what_is_dropped_tied_or_cancelled_is_not_counted(name, pools):
    model, rank = NOT_ABOVE[name]
    best = audit(model, (8,), 3).bounds(representation=3, pools=pools).crossing
    assert best is None or best.bound <= rank


def test_channels_that_remain_are_counted():
    """Of eight channels that arrive, half are dropped: the bound of a layer with four."""
    def net(function, left, width=4):
        return Written(lambda x, a, b: function(torch.cat([a(x), b(x)], 1)), left,
                       wide(3, width, 3), wide(3, 6, 1))

    kept = audit(net(lambda y: y[:, ::2], 7, 8), (8,), 3).bounds().crossing
    assert str(kept) == str(audit(net(lambda y: y, 10), (8,), 3).bounds().crossing) == "5^2"


def test_pools_that_keep_channels_apart_add_up_nothing():
    """Global pooling of single channels: the exact rank is at most 64, a mixing pool has 3^4."""
    net = Written(lambda x, c: c(x), 4, wide(3, 4, 5))
    mixing, apart = (audit(net, (8,), 3).bounds(representation=3, pools=p)
                     for p in ("mixing", "channelwise"))
    assert str(mixing.crossing) == "3^4" and str(apart.crossing) == "3^1"
    ranks = [surrogate_rank(copy.deepcopy(net), 8, 3, torch.Generator().manual_seed(1), p)
             for p in ("mixing", "channelwise")]
    assert ranks[0] == 81 and ranks[1] <= 64
    assert any("mixes channels" in note for note in mixing.notes)


class Stack(nn.Module):
    """Two convolutions and an activation in a given way of writing it down."""

    def __init__(self, how):
        super().__init__()
        self.how, self.act = how, nn.SiLU()
        self.a, self.b, self.head = (nn.Conv2d(i, o, k, padding=k // 2) for i, o, k in
                                     ((3, 8, 3), (8, 6, 3), (6, 5, 1)))
        self.dense = nn.Linear(8, 8)

    def forward(self, x):
        y, how = self.a(x), self.how
        if how == "module":
            y = self.act(y)
        elif how == "by hand":
            y = y * torch.sigmoid(y)
        elif how == "in place":
            y.mul_(y.sigmoid())
        elif how == "hard":
            y = y * torch.clamp(y + 3, 0, 6) / 6
        elif how == "scaled":
            y = nn.functional.silu(2 * y - 1)
        y = self.b(y)
        pooled = {"hard": lambda: y.mean((2, 3), keepdim=True),
                  "in place": lambda: nn.functional.avg_pool2d(y, 8),
                  "scaled": lambda: y.mean(3, keepdim=True).mean(2, keepdim=True)}
        y = pooled[how]() if how in ("hard", "in place") else y.mean((2, 3))[..., None, None]
        return self.head(y).mean((2, 3))


def test_the_same_network_in_another_coding_style_has_the_same_bound():
    found = {how: str(audit(Stack(how), 8).bounds().crossing)
             for how in ("module", "by hand", "in place", "hard", "scaled")}
    assert set(found.values()) == {"7^32"}, found


class Tokens(nn.Module):
    """A 1x1 layer on channels last, written in four ways."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.conv, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(6, 4, 3, padding=1)
        self.mix = nn.Conv2d(8, 6, 1) if how == "conv" else nn.Linear(8, 6)

    def forward(self, x):
        x = self.conv(x)
        if self.how == "conv":
            x = self.mix(x)
        elif self.how == "linear":
            x = self.mix(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        elif self.how == "einsum":
            x = torch.einsum("bchw,dc->bdhw", x, self.mix.weight)
        elif self.how == "tokens":
            n, c, h, w = x.shape
            x = self.mix(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(n, 6, h, w)
        elif self.how == "matmul":
            x = (self.mix.weight @ x.flatten(2)).unflatten(2, x.shape[2:])
        return self.last(x)


def test_a_dense_layer_on_channels_is_a_layer_of_window_one():
    found = {how: (str(audit(Tokens(how), 8).bounds().crossing),
                   [g.stride for g in audit(Tokens(how), 8).last_map])
             for how in ("conv", "linear", "einsum", "tokens", "matmul")}
    assert len({str(value) for value in found.values()}) == 1, found


def test_reasons_and_arguments_of_bounds():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1))
    found = audit(net, 8)
    for options, said in (({"representation": 0}, "representation=0"),
                          ({"pools": "max"}, "'mixing'"),
                          ({"avoid": ("(",)}, "no regular expression"),
                          ({"avoid": "0"}, "a sequence of"),
                          ({"collapse": ("body",)}, "no module")):
        with pytest.raises(ValueError, match=said):
            found.bounds(**options)


def test_a_shortcut_is_cancelled_by_a_copy_that_the_branch_carries():
    """x + f(x) = g(x) exactly, for a chain g and an f of the same windows, twice as wide inside."""
    generator = torch.Generator().manual_seed(3)
    width, cells = 3, 7
    x = FIELD.random((1, width, cells), generator)
    first = FIELD.random((width, width, 3), generator), FIELD.random((width, 3), generator)
    last = FIELD.random((width, width, 1), generator), FIELD.random((width, 1), generator)
    chain = generalized_conv(generalized_conv(x, *first, 1, FIELD), *last, 1, FIELD)
    eye = torch.eye(width, dtype=torch.float64)[..., None]
    copy_weight = torch.cat([eye, torch.zeros(width, width, 2, dtype=torch.float64)], 2)
    copy_bias = torch.tensor([[0.0, 1.0, 1.0]], dtype=torch.float64).expand(width, 3)
    inner = (torch.cat([first[0], copy_weight]), torch.cat([first[1], copy_bias]))
    outer = (torch.cat([last[0], FIELD.reduce(-eye)], 1), last[1])
    branch = generalized_conv(generalized_conv(x, *inner, 1, FIELD), *outer, 1, FIELD)
    assert torch.equal(FIELD.add(x, branch), chain)


def test_representation_and_reasons():
    transformer = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.Flatten(2),
                                nn.TransformerEncoderLayer(16, 2, 8, batch_first=True))
    none = audit(transformer, 16).bounds()
    assert none.crossing is None and "reach across the cut" in none.reason
    decoder = audit(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(8, 8, 2, 2)), 16).bounds()
    assert decoder.overlap is None and "leads past 1" in decoder.reason
    paper = audit(on_meta(lambda: models.resnet(50, at="1x1"))).bounds()
    assert (str(paper.crossing), paper.crossing.bound.layer) == ("65^28", 36)
    with pytest.raises(ValueError, match="'left-right'"):
        audit(nn.Conv1d(1, 2, 3), (9,)).bounds("top-bottom")


def test_records_are_flat_and_the_table_readable():
    found = audit(nn.Sequential(nn.Conv2d(3, 8, (3, 5), padding=(1, 2)), nn.MaxPool2d(2),
                                nn.Flatten(), nn.Linear(8 * 64, 2)), 16)
    rows = found.records()
    assert rows[0]["window"] == (3, 5) and rows[0]["receptive_field"] == (3, 5)
    assert rows[1]["total_stride"] == 2 and rows[1]["overlap_degree"] == (2, 3)
    assert json.loads(json.dumps(rows))[2]["sees_everything"]
    text = str(found)
    assert text.splitlines()[2].split()[:4] == ["layer", "kind", "R", "S"]
    assert "What carries over" in text and "crossing bound" in text


class Quotient(nn.Module):
    """One map divided by another: not a polynomial, so no chain may pass."""

    def __init__(self):
        super().__init__()
        self.above, self.below, self.after = (
            nn.Conv2d(inputs, 8, 3, padding=1) for inputs in (3, 3, 8))

    def forward(self, x):
        return self.after(self.above(x) / self.below(x).exp())


def test_a_quotient_stops_every_chain():
    found = audit(Quotient(), 16).bounds()
    assert found.crossing is None and "past div" in found.reason


def test_a_head_after_a_flatten_can_be_read_as_one_layer():
    """Behind a flatten there is no grid any more; the head is one window over what is left."""
    net = nn.Sequential(OrderedDict(
        body=nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2)), flatten=nn.Flatten(),
        head=nn.Sequential(nn.Linear(8 * 16, 12), nn.ReLU(), nn.Linear(12, 5))))
    whole, apart = (audit(net, 8).bounds(collapse=c).crossing for c in (("head",), ()))
    assert str(whole) == str(apart) == "9^16"
    assert [step.name for step in whole.chain] == ["body.0", "body.1", "head"]
    assert whole.chain[-1].window == (4, 4)


@pytest.mark.parametrize("layer", [
    nn.Conv2d(8, 6, (2, 1), 2), nn.Conv2d(8, 6, 1, 2), nn.Conv2d(8, 6, 2, 2)])
def test_a_module_that_leaves_one_cell_may_leave_pixels_out(layer):
    net = nn.Sequential(nn.Conv2d(3, 8, 2), nn.Sequential(layer), nn.Conv2d(6, 1, 1))
    for size in (3, 4):                             # maps of 2 and 3 cells; the third is not read
        found = audit(net, size)
        for cut in ("left-right", "top-bottom"):
            whole, apart = (found.bounds(cut, collapse=c).best for c in (("1",), ()))
            assert str(whole) == str(apart)


class Dense(nn.Module):
    """Every layer reads all maps before it; ``order`` says which it is given first."""

    def __init__(self, order=1):
        super().__init__()
        self.order, self.stem, self.first = order, nn.Conv2d(3, 4, 1), nn.Conv2d(4, 1, 3, padding=1)
        self.second = Joined(nn.Conv2d(5, 4, 3, padding=1))

    def forward(self, x):
        x = self.stem(x)
        return self.second(*[x, self.first(x)][::self.order])


class Joined(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, *maps):
        return self.layer(torch.cat(maps, 1))


@pytest.mark.parametrize("order", [1, -1])
def test_a_module_that_reads_two_maps_is_no_single_layer(order):
    """Its unit sees 5 pixels through a layer of one channel, not in a window of 5 of its own."""
    found = audit(Dense(order), (1, 8))
    with pytest.raises(ValueError, match="module 'second' reads maps whose units see different"):
        found.bounds(collapse=("second",))
    assert found.bounds(collapse=("first",)).best and found.bounds().best


def test_a_module_that_leaves_the_grid_cannot_be_collapsed():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1),
                        nn.Sequential(nn.Flatten(2), nn.Conv1d(8, 4, 3)))
    with pytest.raises(ValueError, match="module '1' leads from a grid"):
        audit(net, 8).bounds(collapse=("1",))


def test_one_channel_tells_two_templates_apart():
    narrow = nn.Sequential(nn.Conv2d(3, 1, 3, padding=1), nn.Conv2d(1, 8, 3, padding=1))
    assert str(audit(narrow, 16).bounds().crossing) == "2^64"
    found = audit(narrow, 16).bounds(representation=1)
    assert found.crossing is None and found.reason == (
        "with M = 1 every pixel shows the same template")


@pytest.mark.parametrize(("width", "passes"), [(1, False), (2, True)])
def test_a_branch_too_narrow_for_its_copies_is_not_walked_through(width, passes):
    """A branch that cancels its shortcut carries a copy of it: one channel is then too few."""

    class Narrow(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 8, 3, padding=1)
            self.branch = nn.Conv2d(8, 8, 3, padding=1)
            self.narrow, self.last = nn.Conv2d(8, width, 1), nn.Conv2d(width, 8, 1)
            self.after = nn.Conv2d(8, 8, 1)

        def forward(self, x):
            x = self.first(x)
            return self.after(x + self.last(self.narrow(self.branch(x))))

    found = audit(Narrow(), 8).bounds()
    assert ("branch" in found.crossing_by_layer) == passes
    assert "first" in found.crossing_by_layer


def conv3(inputs):
    return nn.Conv2d(inputs, 8, 3, padding=1)


class Pair(nn.Module):
    """The sum or product of two branches behind one layer, and a layer behind both."""

    def __init__(self, one, other, times=False):
        super().__init__()
        self.first, self.one, self.other, self.last = conv3(3), one, other, conv3(8)
        self.times = times

    def forward(self, x):
        x = self.first(x)
        one, other = self.one(x), self.other(x)
        return self.last(one * other if self.times else one + other)


@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("other", [nn.MaxPool2d(3, 1, 1), nn.Sequential(conv3(8), conv3(8))])
def test_a_module_with_weights_can_be_silenced_when_read_as_one_layer(other, times):
    """As can the only layer in it: no bound was left, and the reason blamed the join."""
    found = audit(Pair(nn.Sequential(conv3(8), nn.ReLU()), other, times), 16)
    assert found.bounds(collapse=("one",)).best.bound == found.bounds().best.bound


def test_the_last_layer_of_a_residual_branch_may_be_a_module():
    body = nn.Sequential(conv3(8), nn.ReLU(), nn.Sequential(conv3(8), nn.BatchNorm2d(8)))
    found = audit(Pair(body, nn.Identity()), 16)
    assert found.bounds(collapse=(r"one\.2",)).best.bound == found.bounds().best.bound


def test_a_pooling_or_shared_weights_are_not_silenced_as_one_layer():
    """Silent weights that something else uses would silence it, too."""
    found = audit(Pair(nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.ReLU()),
                       nn.Sequential(nn.MaxPool2d(3, 1, 1))), 16)
    assert found.bounds(collapse=("one",)).best is None
    net = Pair(nn.Sequential(conv3(8), nn.ReLU()), nn.MaxPool2d(3, 1, 1))
    net.last.weight = net.one[0].weight
    found = audit(net, 16).bounds(collapse=("one",))
    assert found.best is None and "where no operand can be silenced" in found.reason


def test_a_module_is_not_read_as_one_layer_with_what_runs_outside_of_it():
    """Its convolution is the next module's, too, and the one layer had the window of both."""
    shared, inner = conv3(8), conv3(8)
    found = audit(nn.Sequential(conv3(3), nn.Sequential(shared, nn.ReLU()),
                                nn.Sequential(shared, nn.ReLU()),
                                nn.Sequential(inner, nn.ReLU(), inner, nn.ReLU())), 16)
    with pytest.raises(ValueError, match="module '1' holds a module that runs outside of it, too"):
        found.bounds(collapse=("1",))
    assert found.bounds(collapse=("3",)).best is None      # what lies before is still tied
