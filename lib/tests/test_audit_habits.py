"""What networks written elsewhere do: return odd things, fail, change settings, go very deep."""

import copy
import re
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass
from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import UnsupportedOperation, audit, chains, effective_field, graph, models, nodes
from lib.audit.fields import Field
from lib.audit.routes import Routes
from lib.tests.test_audit_operations import Run
from lib.tests.test_audit_surrogates import plain


@dataclass
class Answer:
    logits: object
    maps: object


class Odd(OrderedDict):
    """A dictionary of a class of its own, as libraries return it."""


Pair = namedtuple("Pair", "first second")


def in_a_circle(x):
    whole = [x]
    whole += [whole, (whole, x * 2)]
    return whole


@pytest.mark.parametrize("function, names", [
    (lambda x: Answer(x, {"low": [x, None]}), ["logits", "maps.low.0"]),
    (lambda x: Odd(a=x), ["a"]), (lambda x: Pair(x, deque([x])), ["first", "second.0"]),
    (lambda x: x.max(1), ["0", "1"]), (in_a_circle, ["0", "2.1"])])
def test_what_a_module_returns_is_looked_into(function, names):
    assert list(audit(Run(function), 6).outputs) == names


TWO_DEVICES = re.compile("(Expected all|Unhandled) .* two .*devices,? cpu(,| and) meta!?")
FAILS = "module '(the model itself)' fails on an input of shape (1, 3, 6, 6): "


@pytest.mark.parametrize("function, said", [
    (lambda x: x.missing, "AttributeError: 'Tensor' object has no attribute 'missing'"),
    (lambda x: {}["key"], "KeyError: 'key'"),
    (lambda x: x + "a", "unsupported operand type(s) for +: 'Tensor' and 'str'"),
    (lambda x: x + torch.ones(1, device="meta"), TWO_DEVICES),
    (lambda x: x.fake(), "AttributeError: 'Tensor' object has no attribute 'fake'")])
def test_errors_of_a_module_are_its_own(function, said):
    with pytest.raises(ValueError) as caught:
        audit(Run(function), 6, 3)
    assert not isinstance(caught.value, UnsupportedOperation)
    found = str(caught.value).removeprefix(FAILS)          # versions of torch differ on devices
    assert said.fullmatch(found) if isinstance(said, re.Pattern) else found == said


def test_a_quantized_layer_is_not_run_on_shapes():
    def packed(x):
        raise NotImplementedError("Could not run 'quantized::conv2d.new' with arguments from the "
                                  "'CPU' backend.")

    with pytest.raises(UnsupportedOperation, match="quantized::conv2d"):
        audit(Run(packed), 6)


def test_a_default_type_is_as_before():
    def doubles(x):
        torch.set_default_dtype(torch.double)
        return x * torch.ones(2).sum()

    audit(Run(doubles), 6)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float)
    assert before is torch.float


def deep(layers):
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), *layers, nn.Conv2d(4, 4, 3, padding=1))


def rises(x):
    for _ in range(9):
        x = x + x.sin()
    return x


@pytest.mark.parametrize("layers, count", [([nn.ReLU()] * 40, 40), ([Run(rises)], 18)])
def test_a_chain_of_activations_is_computed_once(layers, count, monkeypatch):
    calls, invoke = [], graph.invoke
    monkeypatch.setattr(graph, "invoke", lambda *a: calls.append(1) or invoke(*a))
    layers[0].first = nn.Identity()                 # of `Run`; a rectifier has none
    assert audit(deep(layers), 6).bounds().best is not None
    assert len(calls) == 2 * count


def test_chains_are_put_together_when_they_are_asked_for(monkeypatch):
    asked, shape = [], chains.layer_shape
    monkeypatch.setattr(chains, "layer_shape", lambda *a: asked.append(1) or shape(*a))
    best = audit(deep([nn.Conv2d(4, 4, 1) for _ in range(10)]), 6).bounds().best
    assert not asked and best.bound.layer == 12
    assert [step.name for step in best.chain] == [*map(str, range(12)), "(added output)"]
    assert len(asked) == 12


def test_a_large_image_is_not_labelled_pixel_by_pixel(monkeypatch):
    monkeypatch.setattr(nodes, "fresh", lambda last: pytest.fail("labels of all cells"))
    assert audit(deep([nn.MaxPool2d(2), nn.ReLU()]), 4096).bounds().best is not None


def test_a_residual_sum_on_a_large_image_is_not_labelled_unit_by_unit(monkeypatch):
    """A ResNet-50 took 14 seconds and 1.3 GB at 1024 x 1024, of which 0.8 s were needed."""
    monkeypatch.setattr(graph, "labels_of", lambda *a: pytest.fail("labels of all units"))
    branch = [nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1)]
    net = deep([models.Residual(nn.Sequential(*branch), nn.Identity())])
    found = audit(net, 4096).bounds()
    assert str(found.best) == "5^24576" and any("half its channels" in n for n in found.notes)


@pytest.mark.parametrize("square", [
    lambda y: y.clone() * y, lambda y: torch.addcmul(y, y, y), lambda y: y * y.contiguous()])
def test_a_product_with_itself_is_no_activation_however_it_is_written(square):
    net = deep([Run(square)])
    net[1].first = nn.Identity()
    assert audit(net, 6).bounds().best is None


class Twice(nn.Module):
    """A layer that is used twice, with another one in between."""

    def __init__(self, layer):
        super().__init__()
        self.twice, self.between, self.head = layer, nn.Conv2d(3, 3, 1), nn.Conv2d(3, 4, 6)

    def forward(self, x):
        return self.head(self.twice(self.between(self.twice(x))))


def test_weights_that_are_made_late_are_tied_like_others():
    for layer in (nn.Conv2d(3, 3, 3, padding=1), nn.LazyConv2d(3, 3, padding=1)):
        assert "leads past twice" in audit(Twice(layer), 6).bounds().reason
    late = audit(nn.Sequential(nn.LazyConv2d(4, 3, padding=1), nn.Flatten(), nn.LazyLinear(3)), 6)
    assert [layer.name for layer in late.layers] == ["0", "2"]
    assert late.bounds().best is not None and "fixed" not in " ".join(late.bounds().notes)


def test_parameters_on_the_same_numbers_are_tied():
    """Two parameters, one memory: whoever writes to one writes to the other."""
    def net():
        return nn.Sequential(*(nn.Conv1d(3, 3, 3, padding=1) for _ in range(2)), nn.Flatten(),
                             nn.Linear(24, 1))

    assert audit(net(), (8,)).bounds().best is not None
    same = net()
    same[1].weight = nn.Parameter(same[0].weight.data)
    assert same[1].weight is not same[0].weight
    assert "leads past 0" in audit(same, (8,)).bounds().reason


def test_results_are_written_where_the_caller_says():
    def forward(y):
        z = torch.empty(1, 4, 8, 8)
        torch.exp(y, out=z)
        return z

    assert [axis.size for axis in audit(Run(forward), 8).output] == [3, 3]


def test_grids_that_are_too_small_to_show_their_stride_have_none():
    """Three of five cells: the steps are 1 and 2, and ten sevenths is not seen."""
    small, large = (audit(nn.Upsample(scale_factor=0.7), n).output[0].stride for n in (5, 20))
    assert small is None and large == Fraction(10, 7)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_cells_are_those_that_pytorch_rounds_to(mode):
    for size, options in [*[(n, {"scale_factor": scale}) for n in (8, 9, 11)
                            for scale in (0.4, 1.1, 1.3, 2.1)],
                          (2, {"size": 41}), (5, {"size": 7})]:
        places = F.interpolate(torch.arange(size * 1.)[None, None], mode=mode, **options)
        found = audit(Run(lambda x, o=options: F.interpolate(x.mean(2), mode=mode, **o)),
                      (1, size), 3)
        seen = found.seen[found.trace.outputs[0]].full(1)[0, 0, 0] + 1     # a window of 3 around it
        assert (seen.clamp(min=1) == places[0, 0].long().clamp(min=1)).all(), (size, options)
        flat = F.interpolate(torch.arange(size * 1.).expand(1, 1, size, size), mode=mode, **options)
        found = audit(Run(lambda x, o=options: F.interpolate(x, mode=mode, **o)), size, 3)
        seen = found.seen[found.trace.outputs[0]].full(1)[0, 0, 0, 0] + 1
        assert (seen.clamp(min=1) == flat[0, 0, 0].long().clamp(min=1)).all(), (size, options)
    assert audit(nn.Upsample(scale_factor=0.4), 10, 3).output[0].stride == 2.5


def test_windows_and_channels_of_small_layers():
    small = audit(Run(lambda x: F.interpolate(x, size=2, mode="bilinear", antialias=True)), 4)
    assert small.layers[1].window == (4, 4)
    for dims, channels in ((1, 1), (2, 4), ((1, 2), 1)):
        assert audit(Run(lambda x, d=dims: x.amax(d)), 6).layers[1].channels == channels
    assert audit(Run(lambda x: x.flatten(1, 2).mean(1)), 6).layers[1].channels == 1


@pytest.mark.parametrize("dims, seen", [((1, 2), (6, 3)), ((1, 3), (3, 6))])
def test_a_mean_that_leaves_places_is_no_global_pooling(dims, seen):
    """Each of its numbers sees one column, or one row, of the map: one of them has no such rank."""
    for last in (nn.Identity(), nn.Linear(6, 3)):
        found = audit(Run(lambda x, m: m(x.mean(dims)), last), 6)
        assert found.layers[1].kind == "reduce" and found.bounds().best is None
        assert found.bounds("top-bottom").best is None
        assert tuple(axis.seen for axis in found.geometry(found.trace.calls[1].outputs[0])) == seen
    assert audit(Run(lambda x: x.mean((2, 3))), 6).bounds().best is not None


def test_a_batch_is_said_to_be_one():
    for shape, axes in (((3, 8, 7), "7"), ((2, 3, 8, 7), "8 x 7")):
        net = nn.Conv2d(3, 4, 3) if len(shape) > 3 else nn.Conv1d(8, 4, 3)
        assert audit(net, inputs=torch.rand(shape)).remarks == [
            f"input of shape {shape} is read as a batch of {shape[0]} with axes {axes}; strides "
            "and bounds need a batch of one"]
        assert audit(net, inputs=torch.rand(1, *shape[1:])).remarks == []


def test_complex_images():
    image = torch.zeros(1, 3, 6, 6, dtype=torch.complex64)
    for function in (lambda x: x.conj().real * 1, lambda x: torch.view_as_real(x)[..., 1] + 0,
                     lambda x: torch.view_as_complex(torch.view_as_real(x).flip(4)).abs()):
        net = Run(function)
        net.first = nn.Conv2d(3, 4, 3, padding=1, dtype=torch.complex64)
        for found in (audit(net, inputs=image), audit(net, 6)):
            assert found.size == (6, 6)
            assert [(axis.size, axis.stride) for axis in found.output] == [(3, 1), (3, 1)]


class Stream(nn.Module):
    """A causal network that keeps what it has seen in a buffer."""

    def __init__(self, write):
        super().__init__()
        self.register_buffer("seen", torch.ones(1, 3, 12))
        self.write, self.layer = write, nn.Conv1d(3, 3, 5)

    def forward(self, x):
        self.write(self.seen, x)
        return x + self.layer(self.seen)


@pytest.mark.parametrize("write", [
    lambda seen, x: seen[..., 4:].copy_(x), lambda seen, x: seen.narrow(2, 4, 8).mul_(x),
    lambda seen, x: seen.unbind(0)[0].__setitem__((slice(None), slice(4, None)), x[0])])
def test_a_buffer_that_is_written_to_in_part_is_read_with_what_was_written(write):
    found = audit(Stream(write), (8,))
    low, minus_high = found.fields(found.trace.outputs[0])[1].full(0)[:, 0, 0, 6].tolist()
    assert (low, -minus_high) == (2, 6) and found.output[0].size == 5


def test_of_two_branches_side_by_side_the_one_that_is_kept_is_followed():
    """The wider one comes first at the join, and a slice drops it."""
    both = plain(lambda x, a, b: torch.cat([a(x), b(x)], 1)[:, :4], nn.Conv2d(3, 4, 1),
                 nn.Conv2d(3, 4, 3, padding=1))
    found = audit(nn.Sequential(both, nn.Conv2d(4, 8, 3, padding=1)), 8).bounds()
    assert str(found.best) == "5^16" and found.best.path == "0.rest.0 - 1 - (added output)"


def test_bounds_do_not_depend_on_what_was_asked_before(monkeypatch):
    """Cuts and representations share what is known of the graph, found once for each reading."""
    made, build = [], chains.build_graph
    monkeypatch.setattr(chains, "build_graph", lambda *key: made.append(key) or build(*key))
    both = plain(lambda x, a, b: torch.cat([a(x), b(x)], 1), nn.Conv2d(3, 4, 1),
                 nn.Conv2d(3, 4, 3, padding=1))
    net = nn.Sequential(both, nn.Conv2d(8, 8, 3, 2, 1, groups=2), nn.Conv2d(8, 8, 3, padding=1))
    asked = [(cut, most) for cut in ("left-right", "top-bottom") for most in (None, 2, 3)]
    alone = [audit(net, (8, 12)).bounds(*key) for key in asked]
    for order in (1, -1):
        found, made[:] = audit(net, (8, 12)), []
        assert [found.bounds(*key) for key in asked[::order]] == alone[::order]
        assert [found.bounds(*key).notes for key in asked] == [each.notes for each in alone]
        assert made == [(found, (), (), "mixing")]
        assert copy.deepcopy(found).bounds("left-right", 2) == alone[1]
        found.bounds(avoid=("0.rest.1",)), found.bounds(pools="channelwise")
        assert len(made) == 3


def test_labels_beside_a_join_take_no_memory():
    """Half of the channels pass, as in a ShuffleNet: the other half repeats the cells."""
    half = plain(lambda x, a: torch.cat([a(x[:, ::2]), x[:, 1::2]], 1), nn.Conv2d(4, 4, 1))
    found = audit(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), half, half), 16)
    routes = Routes(graph.build_graph(found)[0], found.size, 1)
    assert [*routes.up_to_k(1, 1)]
    kept = [units for units in routes.layouts.kept.values() if isinstance(units, Field)]
    assert kept and max(edge.numel() for units in kept for edge in units.edges) <= 2 * 16 * 16


def test_what_an_operation_returns_beside_what_it_writes_to_depends_on_the_input():
    """As fake quantization does, which keeps a running range."""
    def both(x, function):
        return x + function(F.avg_pool2d(x, 5, 1, 2))

    noise = plain(lambda x: both(x, lambda y: torch.ops.aten.rrelu_with_noise(
        y, torch.zeros_like(y), 0.1, 0.3)))
    assert audit(noise, 8).output[0].size == 5
    fake = torch.ao.quantization.FusedMovingAvgObsFakeQuantize()
    with pytest.raises(UnsupportedOperation, match="_fused_moving_avg_obs_fq_helper in module"):
        audit(plain(lambda x, f: both(x, f), fake), 8)


@torch.library.custom_op("elsewhere::clone", mutates_args=())
def smooth(self: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(self, 3, 1, 1)


smooth.register_fake(torch.empty_like)


def test_operations_of_other_libraries_have_no_rules_though_their_names_are_known():
    with pytest.raises(UnsupportedOperation, match=r"operation elsewhere.clone in module 'head'"):
        audit(nn.Sequential(OrderedDict(head=Run(lambda x: smooth(x)))), 8)


class Regrouped(nn.Module):
    """Layers of one module put together anew, as in many networks built on a known one."""

    def __init__(self):
        super().__init__()
        self.base = nn.ModuleDict({"conv": nn.Conv2d(3, 8, 7, 2, 3), "pool": nn.MaxPool2d(3, 2, 1)})
        self.stem = nn.Sequential(self.base["conv"], nn.ReLU(), self.base["pool"])
        self.early = nn.Sequential(self.stem[0])
        self.head = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x):
        return self.head(self.stem(x))


def test_a_module_of_layers_that_have_their_names_elsewhere_is_what_it_runs():
    found = audit(Regrouped(), 32)
    assert found.box("stem", (4, 4)).pixels == ((11, 21), (11, 21))
    assert effective_field(Regrouped(), 32, "stem", (4, 4)).theoretical == ((11, 21), (11, 21))
    chain = found.bounds(collapse=("stem",)).best.chain
    assert [(step.name, step.window, step.stride) for step in chain[:2]] == [
        ("stem", (11, 11), (4, 4)), ("head", (3, 3), (1, 1))]
    assert found.bounds(avoid=("stem",)).best is None
    assert "past base.conv" in found.bounds(avoid=("stem",)).reason
    with pytest.raises(ValueError, match="'early' matches no module that computes anything"):
        found.bounds(collapse=("early",))


class Partly(nn.Module):
    """Half of the channels convolved, written into the map, or both halves into an empty one."""

    def __init__(self, empty):
        super().__init__()
        self.empty, self.conv = empty, nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        out = torch.empty_like(x) if self.empty else x.clone()
        out[:, :4] = self.conv(x[:, :4])
        if self.empty:
            out[:, 4:] = x[:, 4:]
        return out


@pytest.mark.parametrize("empty", [False, True])
def test_what_a_module_returns_is_what_it_has_written_by_then(empty):
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), Partly(empty), nn.Conv2d(8, 4, 1))
    found = audit(net, 16)
    assert [found.box("1", (c, 8, 8)).pixels for c in (0, 7)] == [((6, 10),) * 2, ((7, 9),) * 2]
    assert found.box("1", (8, 8)).pixels == ((6, 10), (6, 10))
    assert [(step.name, step.window) for step in found.bounds(collapse=("1",)).best.chain[:2]] == [
        ("0", (3, 3)), ("1", (3, 3))]
    assert audit(net, 16, upto="1").box("1", (8, 8)).pixels == ((6, 10), (6, 10))


def test_an_image_of_bytes_is_an_image():
    """As `torchvision.io.read_image` gives it, to a network that makes numbers of it itself."""
    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 5, stride=2, padding=2)

        def forward(self, x, mask=None):
            x = self.conv(x.float() / 255)
            return x if mask is None else x * mask

    photo = torch.zeros(1, 3, 32, 24, dtype=torch.uint8)
    found, same = audit(Reads(), inputs=photo), audit(Reads(), (32, 24))
    assert found.size == (32, 24) and found.layers == same.layers
    assert found.bounds().best.path == same.bounds().best.path
    mask = torch.ones(1, 1, 16, 12, dtype=torch.uint8)
    given = audit(Reads(), inputs={"x": photo.float(), "mask": mask})
    assert len(given.trace.sources) == 1


@pytest.mark.parametrize("norm", [
    nn.InstanceNorm2d(8), nn.GroupNorm(2, 8), nn.BatchNorm2d(8, track_running_stats=False)])
def test_a_norm_is_left_aside_where_branches_of_two_strides_met(norm):
    """As in a U-Net that enlarges its maps with corners on corners: stride 31/15 meets stride 1."""
    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.up = nn.Conv2d(3, 8, 2, stride=2), nn.Conv2d(11, 8, 3, padding=1)
            self.norm = norm

        def forward(self, x):
            small = self.norm(self.down(x))
            large = F.interpolate(small, x.shape[2:], mode="bilinear", align_corners=True)
            return self.norm(self.up(torch.cat([x, large], 1)))

    net = Decoder()
    found = audit(net, 32)
    assert all(axis.everything for axis in found.output)
    assert [x.name for x in found.local.layers if x.kind == "norm"] == ["norm", "norm #2"]
    net.norm = nn.Identity()
    assert found.local.output == audit(net, 32).output
    assert found.local.box("up").pixels == audit(net, 32).box("up").pixels
    cut = Run(lambda x, n: n(x.view(1, 4, 4, 8, 4, 8).permute(0, 2, 4, 1, 3, 5).flatten(0, 2)),
              nn.InstanceNorm2d(4))               # of windows, which is local
    assert audit(cut, 32).local.output[0].size == 10


def test_a_norm_of_four_neighbors_is_local_however_far_these_see():
    """As in Swin, where four cells are merged and their numbers normalized together."""
    def merge(x, norm):
        x = torch.cat([x[..., 2:], x[..., :2]], 3)
        parts = [x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]
        return norm(torch.cat(parts, 1).movedim(1, -1))

    net = Run(merge, nn.LayerNorm(16))
    net.first = nn.Conv2d(3, 4, 9, padding=4)
    found = audit(net, 10)
    assert "norm" not in [layer.kind for layer in found.layers]
    assert found.local.output == found.output and not found.output[0].everything


class Listener(nn.Module):
    """A recurrent layer, and what looks at all its places."""

    def __init__(self, after, **options):
        super().__init__()
        self.rnn, self.after = nn.GRU(3, 4, batch_first=True, **options), after

    def forward(self, x):
        return self.after(self.rnn(x.transpose(1, 2))[0])


@pytest.mark.parametrize("after", [
    lambda y: y * y.mean(1, keepdim=True).sigmoid(),
    lambda y: F.instance_norm(y.transpose(1, 2)),
    lambda y: F.group_norm(y.transpose(1, 2), 2),
    lambda y: F.batch_norm(y.transpose(1, 2), None, None, training=True),
    lambda y: (y @ y.mT).softmax(-1) @ y,
    lambda y: y.mT @ (y @ y.mT).softmax(-1).mT])
def test_gates_norms_and_attention_are_left_aside_behind_a_recurrent_layer(after):
    """Every place sees its past: boxes grow from the first pixel on and do not move."""
    found = audit(Listener(after), (30,))
    assert found.output[0].everything
    assert (found.local.output[0].seen, found.local.output[0].typical) == (30, 15)


def test_a_norm_of_channels_stays_behind_a_recurrent_layer_of_two_directions():
    """One half sees its past, the other its future; together they see everything."""
    found = audit(Listener(nn.LayerNorm(8), bidirectional=True), (30,))
    assert [layer.kind for layer in found.layers] == ["recurrent"]
    assert found.output[0].everything and found.local.output == found.output


@pytest.mark.parametrize("last", [
    nn.InstanceNorm2d(4), nn.GroupNorm(2, 4),
    lambda y: y * y.mean((2, 3), keepdim=True).sigmoid(),
    lambda y: y + (y.flatten(2) @ (y.flatten(2).mT @ y.flatten(2)).softmax(-1).mT).view_as(y)])
def test_pixels_that_no_low_unit_sees_stay_apart_in_the_local_field(last):
    """Where every unit sees nearly all, boxes only grow: 16 of 19 pixels reach the low map."""
    class Decoder(nn.Module):
        def __init__(self, last):
            super().__init__()
            self.first, self.low = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 7, padding=3)
            self.last = last

        def forward(self, x):
            x = self.first(x)
            low = F.interpolate(self.low(F.max_pool2d(x, 4)), x.shape[2:], mode="nearest-exact")
            return self.last(x + low)

    found = audit(Decoder(last), 19)
    assert all(axis.everything for axis in found.output)
    assert found.local.output == audit(Decoder(nn.Identity()), 19).output
    assert not any(axis.everything for axis in found.local.output)
