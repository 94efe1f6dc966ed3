"""Bounds of surrogates: the theorems' own, exact ranks of random graphs, and the command line."""

import json
import random
from collections import OrderedDict

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

from lib import Architecture, Layer, generalized_conv
from lib.audit import audit, models
from lib.audit.__main__ import main
from lib.exact.arithmetic import Modular
from lib.exact.ranks import exact_rank
from lib.grids.grid import grid_tensor
from lib.networks.families import googlenet_stack
from lib.tests.audit_oracle import Branches
from lib.trees.tensors import matricize

FIELD = Modular()
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
    last = Architecture(size, 9, layers).output_sizes[-1]
    net = Architecture(size, 9, (*layers, Layer(last, last, 1)))
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


@pytest.mark.parametrize("name", [n for n in models.FAMOUS if n not in ("MobileNet-v1",
                                                                        "dilated stack")])
def test_the_chain_behind_a_bound_is_an_architecture_with_that_bound(name):
    bounds = audit(on_meta(models.FAMOUS[name])).bounds()
    for best, same in ((bounds.overlap, lambda net: net.overlap_bounds(t_min="one")),
                       (bounds.crossing, lambda net: net.crossing_bounds())):
        net = best.architecture()
        assert best.bound.value in [b.value for b in same(net) if b.layer == best.bound.layer]
        assert best.chain[best.bound.layer - 1].name == best.name


def test_the_three_readings_of_googlenet():
    """One layer per module: 32^98. Its true 5x5 branches: 8^98. The 3x3 branches: 32^98 again."""
    found = audit(on_meta(models.googlenet))
    whole = found.bounds(collapse=(r"features\.inception..",))
    assert (str(whole.overlap), whole.overlap.name) == ("32^98", "features.inception4a")
    net, layer = whole.overlap.architecture(), whole.overlap.bound.layer
    assert (net.total_stride(layer), net.total_receptive_field(layer)) == (16, 171)
    assert net.alpha_minimal(layer, 112) == 113
    assert str(whole.crossing_by_layer["features.inception3b"]) == "32^308"
    assert str(googlenet_stack().overlap_bound()) == "32^98"

    five = found.bounds(avoid=(r"\.1x1", r"\.3x3", r"\.pool\."))
    assert (str(five.overlap), five.overlap.name) == ("8^98", "features.inception4a.5x5.conv.conv")
    three = found.bounds(avoid=(r"\.1x1", r"\.5x5", r"\.pool\."))
    assert (str(three.overlap), three.overlap.name) == ("32^98",
                                                       "features.inception4b.3x3.conv.conv")
    assert str(found.bounds().overlap) == "32^98"
    assert str(found.bounds().crossing_by_layer["features.conv2.conv"]) == "32^224"
    assert str(found.bounds().crossing) == "64^336"
    assert str(found.bounds(representation=3).crossing) == "3^336"


class Product(nn.Module):
    """A generalized convolution modulo a prime with the shape of a layer, random weights."""

    def __init__(self, layer, generator):
        super().__init__()
        self.layer, self.generator, self.weights = layer, generator, None

    def draw(self, inputs, cells):
        layer, outputs, groups = self.layer, inputs, 1
        if isinstance(layer, nn.AdaptiveAvgPool1d):
            window, stride, dilation = cells, cells, 1
        elif isinstance(layer, nn.Conv1d):
            (window,), (stride,), (dilation,) = layer.kernel_size, layer.stride, layer.dilation
            outputs, groups = layer.out_channels, layer.groups
        else:
            window, stride, dilation = layer.kernel_size, layer.stride, 1
        weight = FIELD.random((outputs, inputs, window), self.generator)
        same = (torch.arange(outputs)[:, None] * groups // outputs
                == torch.arange(inputs) * groups // inputs)
        spread = torch.zeros(outputs, inputs, (window - 1) * dilation + 1, dtype=weight.dtype)
        bias = torch.ones(outputs, (window - 1) * dilation + 1, dtype=weight.dtype)
        spread[..., ::dilation] = weight * same[..., None]
        bias[..., ::dilation] = FIELD.random((outputs, window), self.generator)
        return spread, bias, stride

    def forward(self, x):
        if self.weights is None:
            self.weights = self.draw(*x.shape[1:])
        return generalized_conv(FIELD.reduce(x), *self.weights, FIELD)


def replace_layers(module, generator):
    """The ConvAC of the same graph, in place."""
    for name, child in module.named_children():
        if isinstance(child, (nn.Conv1d, nn.MaxPool1d, nn.AdaptiveAvgPool1d)):
            setattr(module, name, Product(child, generator))
        elif isinstance(child, nn.ReLU):
            setattr(module, name, nn.Identity())
        else:
            replace_layers(child, generator)


def random_graph(rng):
    """A small one-dimensional network with branches, shortcuts, groups and dilations."""
    def conv(inputs, outputs, window=None, stride=1, groups=1):
        window = window or rng.randint(1, 3)
        dilation = rng.randint(1, 2) if stride == 1 else 1
        return nn.Conv1d(inputs, outputs, window, stride, dilation * (window - 1) // 2, dilation,
                         groups)

    width = rng.randint(2, 8)
    layers = [nn.Conv1d(2, width, 1), nn.ReLU()]
    for _ in range(rng.randint(1, 3)):
        kind = rng.choice(["conv", "pool", "depthwise", "skip", "cat", "strided"])
        wide = rng.randint(2, 8)
        if kind == "conv":
            layers.append(conv(width, wide))
            width = wide
        elif kind == "strided":
            layers.append(nn.Conv1d(width, wide, rng.randint(1, 3), 2, 1))
            width = wide
        elif kind == "pool":
            layers.append(nn.MaxPool1d(3, rng.randint(1, 2), 1))
        elif kind == "depthwise":
            layers += [conv(width, width, groups=width), conv(width, width, 1)]
        elif kind == "skip":
            branch = nn.Sequential(conv(width, wide, 3), nn.Conv1d(wide, width, 1))
            layers.append(Branches("add", branch, nn.Identity()))
        else:
            layers.append(Branches("cat", conv(width, wide), nn.Sequential(
                conv(width, 2, 1), conv(2, 3, 3))))
            width = wide + 3
    closing = [nn.AdaptiveAvgPool1d(1), nn.Conv1d(width, 1, 1)]
    return nn.Sequential(*layers, *closing)


@settings(max_examples=60, **SETTINGS)
@given(seed=st.integers(0, 10**9))
def test_no_bound_exceeds_the_exact_rank_of_the_graph(seed):
    """Two templates on eight pixels: matrices of 16 x 16, at random weights of the true graph."""
    rng, size = random.Random(seed), 8
    model = random_graph(rng)
    bounds = audit(model, (size,), 2).bounds(representation=2)
    assume(bounds.crossing is not None)
    generator = torch.Generator().manual_seed(seed)
    replace_layers(model, generator)
    representation = FIELD.random((2, 2), generator)

    def network(inputs):
        return FIELD.reduce(model(inputs.movedim(-1, 1)))[:, 0, 0]

    rank = exact_rank(matricize(grid_tensor(network, representation, size), "left-right")).rank
    best = max([bounds.crossing, *filter(None, [bounds.overlap])], key=lambda b: b.bound.value)
    assert rank >= best.bound.value, (best, model)


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
    assert none.crossing is None and "no window up to it reaches across the cut" in none.reason
    decoder = audit(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(8, 8, 2, 2)), 16).bounds()
    assert decoder.overlap is None and "leads past 1" in decoder.reason
    paper = audit(on_meta(lambda: models.resnet(50, at="1x1"))).bounds()
    assert (str(paper.crossing), paper.crossing.bound.layer) == ("32^28", 36)
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


@pytest.mark.parametrize(("arguments", "said"), [
    (["lib.audit.models"], "package.module:factory"),
    (["lib.audit.modles:vgg"], "cannot import 'lib.audit.modles'"),
    (["lib.audit.models:vg"], "did you mean vgg"),
    (["lib.audit.models:RESNETS"], "neither a module nor a function"),
    (["lib.audit.models:conv"], "needs arguments (inputs, outputs, window)"),
    (["lib.audit.models:partial"], "type 'partial' takes"),
    (["lib.audit.models:OrderedDict"], "not a torch.nn.Module"),
    (["lib.audit.models:inception_v3", "--size", "20"], "fails on an input of shape"),
])
def test_the_command_line_says_what_is_wrong(arguments, said, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err and not captured.out
    assert len(captured.err.splitlines()) == 1


def test_the_command_line(capsys):
    assert main(["lib.audit.models:dilated_stack", "--size", "32x48"]) == 0
    title = capsys.readouterr().out.splitlines()[0]
    assert title == "lib.audit.models:dilated_stack on an input of 32 x 48"
    assert main(["lib.audit.models:dilated_stack", "--size", "32", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[4]["receptive_field"] == 63
    with pytest.raises(SystemExit):
        main(["lib.audit.models:vgg", "--size", "0"])


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
    assert str(whole) == str(apart) == "8^16"
    assert [step.name for step in whole.chain] == ["body.0", "body.1", "head"]
    assert whole.chain[-1].window == (4, 4)


def test_a_module_that_leaves_the_grid_cannot_be_collapsed():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1),
                        nn.Sequential(nn.Flatten(2), nn.Conv1d(8, 4, 3)))
    with pytest.raises(ValueError, match="module '1' leads from a grid"):
        audit(net, 8).bounds(collapse=("1",))


def test_too_few_channels_are_named_as_the_reason():
    narrow = nn.Sequential(nn.Conv2d(3, 1, 3, padding=1), nn.Conv2d(1, 8, 3, padding=1))
    found = audit(narrow, 16).bounds()
    assert found.crossing is None and "too few channels" in found.reason


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
