"""What an audit refuses: every guard, each of its conditions alone, with the whole message.

The nearest arguments that must be accepted stand beside those that must not.
"""

import pickle
import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import UnsupportedOperation, audit, effective_field, models
from lib.tests.test_audit_operations import GRID, REFUSED, Run, places

NET = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1))
FOUND = audit(NET, (8, 10))
SIZE = "one to three positive integers, or one integer for a square image"
CHANNELS = "a positive number of channels per pixel, or None for as many as the bound can use"
PATTERNS = "avoid and collapse: a sequence of regular expressions each, such as ('layer1',)"
INPUTS = ("one floating tensor of shape (batch, channels, axes...), with one to three axes, or one "
          "of integers of shape (batch, positions) is needed")
UNIT = ("of '0', whose map has the shape (8, 8, 10) after the batch: give 2 places along the axes "
        "of the image, or 3 in all, each within the map")
DEPENDS = ("depends on numbers computed from the input, so that no field is fixed; audit the part "
           "before it (upto= names its last module), or put an operation with fixed places here")
NUMBERS = "computes with the numbers in a tensor"
EARLIER = "upto= names the last module to look at, one before it"


@pytest.mark.parametrize("size", [0, -1, (), (8, 8, 8, 8), (8.0, 8), (8, True), "8", True, 8.0,
                                  (8, 0), (8, -1), {8}])
def test_sizes(size):
    with pytest.raises(ValueError) as caught:
        audit(NET, size)
    assert str(caught.value) == f"size {size!r} of the input: {SIZE}"


def test_sizes_that_are_accepted():
    for size, module in ((1, nn.Conv2d), ((1,), nn.Conv1d), ([1, 2], nn.Conv2d),
                         ((1, 2, 1), nn.Conv3d)):
        assert audit(module(3, 1, 1), size).size == ((1, 1) if size == 1 else tuple(size))


@pytest.mark.parametrize("channels", [0, -1, True, 1.0, "3"])
def test_channels(channels):
    with pytest.raises(ValueError) as caught:
        audit(NET, 8, channels)
    assert str(caught.value) == f"channels={channels!r} of the input: a positive integer"
    assert audit(nn.Conv2d(1, 1, 1), 8, 1).trace.sources[0].shape == (1, 1, 8, 8)


@pytest.mark.parametrize("options, said", [
    ({"partition": "up"}, "partition 'up' of an input of size (8, 10): the theorems are about one "
     "or two axes, cut by 'left-right' or 'top-bottom'"),
    ({"representation": 0}, f"representation=0: {CHANNELS}"),
    ({"representation": 1.0}, f"representation=1.0: {CHANNELS}"),
    ({"representation": True}, f"representation=True: {CHANNELS}"),
    ({"pools": "max"}, "pools='max': valid are 'mixing' and 'channelwise'"),
    ({"avoid": "0"}, PATTERNS), ({"collapse": "0"}, PATTERNS),
    ({"avoid": ("1", "(")}, "avoid='(' is no regular expression: missing ), unterminated "
     "subpattern at position 0"),
    ({"collapse": ("(",)}, "collapse='(' is no regular expression: missing ), unterminated "
     "subpattern at position 0"),
    ({"avoid": ("x",)}, "avoid='x' matches no module that computes anything"),
    ({"collapse": ("1", "x")}, "collapse='x' matches no module that computes anything"),
])
def test_bounds(options, said):
    with pytest.raises(ValueError) as caught:
        FOUND.bounds(**options)
    assert str(caught.value) == said


def test_bounds_are_about_one_image_with_one_or_two_axes():
    for module, size, partition, cuts in (
            (nn.Conv1d, (9,), "top-bottom", "'left-right'"),
            (nn.Conv3d, (9, 8, 7), "left-right", "'left-right' or 'top-bottom'")):
        with pytest.raises(ValueError) as caught:
            audit(module(1, 2, 3), size).bounds(partition)
        assert str(caught.value) == (f"partition {partition!r} of an input of size {size}: the "
                                     f"theorems are about one or two axes, cut by {cuts}")
    reason = "the theorems are about one input with channels, and one image at a time"
    words = nn.Sequential(nn.Embedding(9, 4), Run(lambda x: x.mT), nn.Conv1d(4, 4, 3))
    words[1].first = nn.Identity()
    two = Run(lambda x: x)
    two.forward = lambda a, b: NET(a) + NET(b)
    for found in (*(audit(NET, inputs=torch.rand(n, 3, 8, 8)) for n in (0, 2)),
                  audit(two, inputs=(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))),
                  audit(words, inputs=torch.zeros(1, 8, dtype=torch.long))):
        bounds = found.bounds()
        assert bounds.reason == reason and bounds.best is None and bounds.notes == []
        assert f"Bounds, left-right: none; {reason}." in found.summary.splitlines()


@pytest.mark.parametrize("unit", [(8, 0), (0, 10), (-9, 0), (0, -11), (1,), (1, 2, 3, 4), (0.5, 1),
                                  (8, 8, 10), ("a", 1), ()])
def test_units(unit):
    with pytest.raises(ValueError) as caught:
        FOUND.box("0", unit)
    assert str(caught.value) == f"unit {unit} {UNIT}"


def test_units_at_both_ends_of_a_map():
    for unit, rows, columns in (((7, 9), (6, 7), (8, 9)), ((-8, -10), (0, 1), (0, 1)),
                                ((7, 7, 9), (6, 7), (8, 9)), ((0, 0, 5), (0, 1), (4, 6))):
        assert FOUND.box("0", unit).pixels == (rows, columns)
    line = audit(nn.Conv1d(1, 1, 3), (9,))
    assert line.box(None, 2).pixels == line.box(None, (2,)).pixels == ((2, 4),)
    assert FOUND.box("0").unit == (4, 4, 5)         # the middle of channels, rows and columns


def test_a_module_that_computes_nothing_returns_what_it_was_given():
    """Dropout, and what a factory has put in the place of an option, run and have a name."""
    net = nn.Sequential(nn.Identity(), nn.Conv2d(3, 4, 3, padding=1), nn.Dropout(), nn.Conv2d(
        4, 4, 3, padding=1))
    found = audit(net, 8)
    assert found.box("2", (4, 4)).pixels == found.box("1", (4, 4)).pixels == ((3, 5), (3, 5))
    assert found.box("0", (4, 4)).pixels == ((4, 4), (4, 4))
    assert effective_field(net, 8, "2", (4, 4)).theoretical == ((3, 5), (3, 5))
    with pytest.raises(ValueError, match="no layer or module '4'; layers are named 1, 3"):
        found.box("4")


def test_names_of_layers():
    many = audit(nn.Sequential(*[nn.Conv2d(1, 1, 1) for _ in range(14)]), 4)
    for found, listed in ((FOUND, "0, 1"), (many, ", ".join(map(str, range(12))))):
        for name in ("x", ""):
            with pytest.raises(ValueError) as caught:
                found.box(name)
            assert str(caught.value) == (f"no layer or module {name!r}; layers are named "
                                         f"{listed}, ...")


@pytest.mark.parametrize("inputs, shapes", [
    (torch.rand(3, 3), [(3, 3)]), ((), []), ({"x": 2}, []), (torch.rand(1, 1, 2, 2, 2, 2),
                                                             [(1, 1, 2, 2, 2, 2)]),
    (torch.zeros(3, dtype=torch.long), [(3,)]),
    ((torch.zeros(1, 2, 2, 2, 2, dtype=torch.long), torch.rand(2)), [(1, 2, 2, 2, 2), (2,)])])
def test_inputs(inputs, shapes):
    with pytest.raises(ValueError) as caught:
        audit(NET, inputs=inputs)
    assert str(caught.value) == f"inputs with tensors of shapes {shapes}: {INPUTS}"


def test_inputs_that_are_accepted():
    volume = torch.rand(1, 3, 2, 4, 5)
    assert audit(nn.Conv3d(3, 1, 1), inputs=volume).size == (2, 4, 5)
    assert audit(nn.Conv3d(3, 1, 1), inputs=[volume]).size == (2, 4, 5)
    cells = nn.Sequential(nn.Embedding(9, 4))
    numbers = torch.zeros(2, 2, 3, 4, dtype=torch.long)
    assert audit(cells, inputs=numbers).size == (2, 3, 4)
    for both in ({"size": 8}, {"channels": 3}):
        with pytest.raises(ValueError) as caught:
            audit(NET, inputs=torch.rand(1, 3, 8, 8), **both)
        assert str(caught.value) == ("inputs and size or channels: inputs have a size of their own")


@pytest.mark.parametrize("options, error, said", [
    ({"samples": 0}, ValueError, "samples=0: a positive number of random images"),
    ({"samples": True}, ValueError, "samples=True: a positive number of random images"),
    ({"samples": 1.0}, ValueError, "samples=1.0: a positive number of random images"),
    ({"seed": 0.5}, TypeError, "effective_field: seed=0.5; need an integer"),
    ({"layer": "x"}, ValueError, "no layer or module 'x'; layers are named 0, 1, ..."),
])
def test_effective_fields(options, error, said):
    with pytest.raises(error) as caught:
        effective_field(NET, 8, **options)
    assert str(caught.value) == said


def test_effective_fields_need_weights_and_a_module():
    with torch.device("meta"):
        heavy = nn.Sequential(nn.Conv2d(3, 4, 3))
    net = Run(lambda x: F.max_pool2d(x, 2))
    for model, layer, said in (
            (heavy, None, "Sequential is on the meta device and has no weights: nothing can be "
             "measured"),
            (net, "max_pool2d_with_indices", "layer 'max_pool2d_with_indices' is no module, and "
             "its output cannot be caught; name one of the modules")):
        with pytest.raises(ValueError) as caught:
            effective_field(model, 8, layer)
        assert str(caught.value) == said


@pytest.mark.parametrize("share, error, said", [
    (0, ValueError, "share=0 of the influence: a number between 0 and 1"),
    (1, ValueError, "share=1 of the influence: a number between 0 and 1"),
    (1.5, ValueError, "share=1.5 of the influence: a number between 0 and 1"),
    ("a", TypeError, "share of the influence='a'; need a real number")])
def test_shares(share, error, said):
    with pytest.raises(error) as caught:
        effective_field(NET, 8, samples=1).size(share)
    assert str(caught.value) == said


@pytest.mark.parametrize("call, error, said", [
    (lambda: audit(nn.Linear, 8), TypeError, "audit expects a torch.nn.Module, got type"),
    (lambda: audit(NET, 8, ignore="gate"), ValueError,
     "ignore='gate': valid are gates, norms, attention"),
    (lambda: audit(NET, 8, upto="x"), ValueError,
     "upto='x': Sequential has no such module; it has 0, 1"),
    (lambda: audit(NET, 8, outputs=[]), ValueError, "outputs: name at least one"),
    (lambda: audit(NET, 8, outputs=1), ValueError, "outputs=1: there are 1, named output"),
    (lambda: audit(NET, 8, outputs=-2), ValueError, "outputs=-2: there are 1, named output"),
    (lambda: audit(NET, 8, outputs="x"), ValueError, "outputs='x': there are 1, named output"),
    (lambda: FOUND.table("latex"), ValueError,
     "style='latex' of a table: valid are 'text', 'markdown', 'csv' and 'html'"),
    (lambda: models.resnet(20), ValueError, "resnet(20, 'first unit', None): depth is one of [18, "
     "34, 50, 101, 152], stride 'first unit' or 'last unit', at '1x1' or '3x3'"),
    (lambda: models.mobilenet_v1("start"), ValueError,
     "padding='start' of MobileNet-v1: valid are 'both sides' and 'end'"),
])
def test_names_and_kinds(call, error, said):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == said


def fails(x):
    raise AssertionError


def invalid(x):
    raise ValueError("first\nsecond")


@pytest.mark.parametrize("channels, function, said", [
    (None, fails, "module '(the model itself)' fails on an input of shape (1, 3, 8, 8): "
     "AssertionError (size= says how large an input is, here 8 x 8)"),
    (3, invalid, "module '(the model itself)' fails on an input of shape (1, 3, 8, 8): first")])
def test_a_model_that_fails(channels, function, said):
    with pytest.raises(ValueError) as caught:
        audit(Run(function), 8, channels)
    assert str(caught.value) == said


@pytest.mark.parametrize("model, given, said", [
    (nn.Conv3d(1, 4, 3), {"size": 9}, "(1, 1, 9, 9): a convolution along 3 axes would take the "
     "batch for channels; it needs (batch, channels, axes...) (size= gives 2 axes: "),
    (nn.Conv2d(1, 4, 3), {"size": (9,)}, "(1, 1, 9): a convolution along 2 axes would take the "
     "batch for channels; it needs (batch, channels, axes...) (size= gives 1 axis: "),
    (nn.Conv3d(1, 4, 3), {"inputs": torch.rand(1, 9, 9, 9)}, "(1, 9, 9, 9): a convolution along 3 "
     "axes would take the batch for channels; it needs (batch, channels, axes...)"),
    (nn.Conv1d(1, 4, 3), {"size": 9}, "got input of size: [1, 1, 9, 9] (size= gives 2 axes: give "
     "it one number for each axis of the data)")])
def test_a_network_along_other_axes_than_its_image(model, given, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        audit(model, **given)


def test_one_image_of_a_batch_may_be_convolved_without_it():
    one_by_one = Run(lambda x, _, conv: torch.stack([conv(image) for image in x]),
                     nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 3))
    one_by_one.first = nn.Identity()
    assert audit(one_by_one, 9).output[0].size == 3


def test_a_model_that_fails_on_two_inputs():
    two = Run(invalid)
    two.forward = lambda a, b: invalid(a + b)
    with pytest.raises(ValueError) as caught:
        audit(two, inputs=(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)))
    assert str(caught.value) == ("module '(the model itself)' fails on inputs of shapes "
                                 "(1, 3, 4, 4), (1, 3, 4, 4): first")


def test_channels_are_guessed_from_the_first_layer_and_then_three():
    inner = nn.Sequential(nn.Conv2d(5, 2, 1))
    for model, remark in ((inner, "input channels: 5, guessed from module '0'"),
                          (nn.ReLU(), "input channels: 3, guessed"),
                          (inner[0],
                           "input channels: 5, guessed from module '(the model itself)'"),
                          (Run(lambda x, unused: x, nn.Conv2d(5, 2, 1)),
                           "input channels: 3, guessed from module 'first'"),
                          (nn.Sequential(Run(lambda x: x)),
                           "input channels: 3, guessed from module '0.first'")):
        assert audit(model, 4).remarks == [remark]
    late = Run(lambda x, unused, used: used(x), nn.Conv2d(5, 2, 1), nn.Conv2d(3, 4, 1))
    late.first = nn.Identity()                      # the first in name is not the first to run
    assert audit(late, 4).remarks == ["input channels: 3, guessed"]
    assert audit(inner, 4, 5).remarks == []


IN = "in module '(the model itself)': "
CONSTANTS = ("a sequence of constants whose initial state depends on the input is not followed "
             "here")
WORDS = {
    "grid_sampler_2d": f"operation aten.grid_sampler_2d {IN}which pixels it reads {DEPENDS}",
    "max_unpool2d": "operation aten.max_unpool2d in module 'rest.1': it undoes no pooling that "
                    "stands before it unchanged, so its places are not known; audit the part "
                    "before it (upto= names its last module)",
    "several sequences": f"operation aten._pack_padded_sequence.default {IN}a packed batch of "
                         "several sequences is not followed, and lengths must not depend on the "
                         "input; give one sequence",
    "grids of a batch": f"operation aten.grid_sampler_2d {IN}the grids of a batch differ, and one "
                        "for all is followed; give one image at a time, or audit the part before "
                        "it (upto= names its last module)",
    "index": f"operation aten.index {IN}which units it moves {DEPENDS}",
    "convolution": f"operation aten.convolution {IN}the kernel itself depends on the input",
    "does not depend": "Run returned Tensor with no tensor that depends on the input, also not in "
                       "tuples, lists, dictionaries or data classes",
    "numpy": f"module '(the model itself)' {NUMBERS} (numpy), not only with its shape",
    "_fft": f"operation aten._fft_c2c {IN}its receptive field is not known here; replace the "
            "operation by known ones, register a rule as in lib.audit.rules, or stop before it: "
            f"{EARLIER}",
    "bits are read as another type": f"operation aten.view {IN}the bits are read as another type",
    "addresses memory": f"operation aten.as_strided {IN}it addresses memory instead of units",
    "instead of units": f"operation aten.as_strided {IN}it addresses memory instead of units",
    "index_put": f"operation aten.index_put {IN}which units it writes to {DEPENDS}",
    "scatter": f"operation aten.scatter {IN}which units it writes to {DEPENDS}",
    "scatter_add": f"operation aten.scatter_add {IN}which units it writes to {DEPENDS}",
    "gather": f"operation aten.gather {IN}which units it moves {DEPENDS}",
    "masked_scatter": f"operation aten.masked_scatter {IN}which units it reads {DEPENDS}",
    "table itself depends": f"operation aten.embedding {IN}the table itself depends on the input",
    "states of a batch": "operation aten.gru in module 'rest.0': initial states of a batch are not "
                         "followed here",
    "letter twice": f"operation aten.einsum {IN}a letter twice in one factor: a diagonal is not "
                    "followed here",
    "output 1 of operation aten.native_group_norm":
        "the output uses output 1 of operation aten.native_group_norm in module '(the model "
        "itself)', whose receptive field is not known here",
    "numbers of a parameter": f"operation aten.grid_sampler_2d {IN}its numbers are computed from "
                              "parameters, and only shapes are run here",
    "layout torch.sparse": "a FakeTensor of layout torch.sparse_coo has no memory that could be "
                           "followed",
    "erased": "the output does not depend on the input's numbers",
}
MORE = {
    "a sequence of constants": (
        Run(lambda x, m: m(torch.ones(1, 5, 7), x.mean((2, 3))[None])[0],
            nn.GRU(7, 4, batch_first=True)),
        f"operation aten.gru in module 'rest.0': {CONSTANTS}"),
    "lengths that depend on the input": (
        Run(lambda x: torch._pack_padded_sequence(x[:, :, 0].mT, x[0, 0, 0, :1].long(), True)[0]),
        WORDS["several sequences"]),
    "places in a volume": (
        Run(lambda x, p, u: u(*p(x[:, :, None])), nn.MaxPool3d((1, 2, 2), return_indices=True),
            nn.MaxUnpool3d((1, 2, 2))),
        f"operation aten.max_unpool3d in module 'rest.1': which units it reads {DEPENDS}"),
    "a grid that is the only one to depend on the input": (
        Run(lambda x: F.grid_sample(torch.ones(1, 1, 4, 4), x.permute(0, 2, 3, 1)[..., :2],
                                    align_corners=False)), WORDS["grid_sampler_2d"]),
    "added at places of the input": (
        Run(lambda x: x.scatter_add(3, places(x)[:, :2], x)),
        f"operation aten.scatter_add {IN}which units it writes to {DEPENDS}"),
    "numbers as a list": (
        Run(lambda x: torch.tensor(x.new_ones(2).mul(x[0, 0, 0, :2]).tolist())), None),
}


@pytest.mark.parametrize("name", [*WORDS, *MORE])
def test_operations(name):
    model, said = MORE[name] if name in MORE else (REFUSED[name], WORDS[name])
    with pytest.raises(UnsupportedOperation) as caught:
        audit(model, 16)
    assert NUMBERS in str(caught.value) if said is None else str(caught.value) == said


def test_grids_of_a_batch_may_be_the_same():
    grids = torch.cat([GRID, GRID])
    net = Run(lambda x: F.grid_sample(torch.cat([x, x]), grids.to(x), align_corners=False))
    assert audit(net, 16).trace.outputs[0].shape == (2, 4, 6, 5)


class Flipped(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = (torch.nn.Conv2d(n, 4, 3, s, 1) for n, s in ((3, 2), (4, 1)))

    def forward(self, x):
        return self.b(torch.flip(self.a(x), (3,)))


def test_the_unit_of_a_flipped_map_is_asked_for_in_the_only_way_that_is_valid():
    found = audit(Flipped(), (16, 12))
    assert found.box("b", (0, 3, 2)).pixels == ((3, 9), (3, 9))
    with pytest.raises(ValueError, match="give 3 places in all, each within the map"):
        found.box("b", (3, 2))
    with pytest.raises(ValueError, match="give 2 places along the axes of the image, or 3 in all"):
        found.box("a", (99, 2))


def test_a_network_that_reads_words_is_told_how_to_get_them():
    words = nn.Sequential(nn.Embedding(9, 4), nn.Conv1d(4, 4, 3))
    with pytest.raises(ValueError, match=r"\(inputs= takes tensors of integers\)$"):
        audit(words, (20,))


class Chooses(nn.Module):
    """One of two layers, chosen by what the map holds."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3)

    def forward(self, x):
        return torch.cond(x.mean() > 0, lambda x: self.one(x), lambda x: self.other(x), (x,))


def attended(x):
    from torch.nn.attention.flex_attention import flex_attention

    return flex_attention(x, x, x)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("module, operation", [
    (Chooses(), "cond"), (Run(attended), "flex_attention")])
def test_operations_that_are_given_functions(module, operation):
    with pytest.raises(UnsupportedOperation) as caught:
        audit(nn.Sequential(nn.Identity(), module), 16, 3)
    assert str(caught.value) == (
        f"module '1' calls {operation}, which runs functions that are given to it, and these are "
        f"not followed; write what it does with plain operations, or stop before it: {EARLIER}")


def test_a_module_that_does_not_run_is_no_matter_of_channels():
    """Auxiliary heads run in training only; how many channels the input has changes nothing."""
    class Aided(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.aside = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 1)

        def forward(self, x):
            x = self.conv(x)
            return (x, self.aside(x)) if self.training else x

    for channels in (None, 4):
        with pytest.raises(ValueError) as caught:
            audit(Aided(), 8, channels, upto="aside")
        assert str(caught.value) == "upto='aside': this module does not run"


class Fed(nn.Module):
    """A convolution and a dense layer, called in a way of one's own."""

    def __init__(self, function):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 28 * 28, 10)
        self.function = function

    def forward(self, x, mask=None):
        return self.function(self, x, mask)


@pytest.mark.parametrize(("function", "hint"), [
    (lambda m, x, _: m.conv(x["image"]), "inputs= gives it what it is called with"),
    (lambda m, x, _: m.conv(x.image), "inputs= gives it what it is called with"),
    (lambda m, x, mask: m.conv(x) * mask, "inputs= gives it all of its arguments)"),
    (lambda m, x, _: m.fc(m.conv(x).flatten(1)), "size= says how large an input is, here 32 x 32)"),
    (lambda m, x, _: m.fc(x.flatten(1)), "its 3 channels were guessed; channels= says how many"),
    (lambda m, x, _: m.conv(m.conv(x)), ""), (lambda m, x, _: m.cnov(x), ""),
    (lambda m, x, _: m.conv(x.half()), "")])
def test_channels_are_spoken_of_only_where_they_may_be_the_cause(function, hint):
    with pytest.raises(ValueError, match="fails on an input of shape") as caught:
        audit(Fed(function), 32)
    said = str(caught.value)
    assert f"({hint}" in said if hint else not re.search(r"(size|inputs|channels)= ", said)


def test_a_failure_comes_back_from_another_process():
    with pytest.raises(ValueError, match="fails on an input of shape") as caught:
        audit(Fed(lambda m, x, _: m.fc(m.conv(x).flatten(1))), 32, 3)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.reached) == (
        type(caught.value), str(caught.value), True)


def test_a_tensor_in_place_of_a_size_is_told_where_it_belongs():
    """Other tools take an example of the input as their second argument."""
    with pytest.raises(ValueError) as caught:
        audit(nn.Conv2d(3, 4, 3), torch.rand(1, 3, 8, 8))
    assert str(caught.value) == "size= of a tensor of shape (1, 3, 8, 8): inputs= takes tensors"


@pytest.mark.parametrize(("shape", "remarks"), [
    ((1, 9, 8, 3), ["input of shape (1, 9, 8, 3) is read as 9 channels with axes 8 x 3; "
                    "channels come before the axes"]),
    ((1, 8, 3, 9, 9), ["input of shape (1, 8, 3, 9, 9) is read as 8 channels with axes 3 x 9 x 9; "
                       "channels come before the axes"]),
    ((1, 3, 8, 9, 9), []), ((1, 3, 3, 9, 9), []), ((1, 8, 3, 3, 9), []), ((1, 8, 5, 9, 9), []),
    ((1, 3, 8, 9), []), ((1, 8, 3, 3), []), ((1, 8, 8, 5), []), ((1, 3, 4, 3), [])])
def test_channels_that_may_come_later_are_remarked_on(shape, remarks):
    """Others take (batch, height, width, channels), or frames as (batch, time, channels, ...)."""
    assert audit(nn.ReLU(), inputs=torch.rand(shape)).remarks == remarks
