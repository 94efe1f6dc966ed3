"""The command line to the letter: its help, its parsers, its refusals and what it hands on."""

import argparse
import json
import math
import sys
import types
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from lib.audit import Audit, UnsupportedOperation, audit, effective_field
from lib.audit import __main__ as command
from lib.audit.report import markdown

HERE, STACK, ME = __file__, "lib.audit.models:dilated_stack", "python -m lib.audit: "
HELP = '''\
usage: python -m lib.audit TARGET [options]

What the units of a PyTorch network see: receptive fields through every
branch, strides, alignment, and what follows for the ranks of its shape.

positional arguments:
  TARGET                package.module:name or file.py:name, of a module or of a class or function
                        that makes one

options:
  -h, --help            show this help message and exit
  --args A,B,NAME=C     what to call it with, as in a call
  --size SIZE           input size: 224 (the default, a square), 224x160, or 1000x for one axis
  --channels C          input channels, if not those of the first layer
  --inputs SHAPES       several inputs, or integers, instead of an image: "1x3x64x64, 1x20:int"
  --upto MODULE         stop at the output of this module
  --outputs NAMES       which outputs to report, by name or number
  --ignore WHAT         take these as local although they look at the whole map:
                        gates,norms,attention
  --format {text,markdown,csv,html,json}
                        text has lines of 100 characters; csv and json hold all numbers
  --json                --format json
  --summary             as text, without the table of layers
  --box LAYER           only the pixels that one unit of this layer sees
  --unit I,J            place of this unit, by default the middle
  --effective           with --box: also how many pixels hold 95 % of its gradient
  --picture FILE        with --box: draw it (.png, .svg or .pdf)
  --image FILE          with --picture: over this image

three examples:

  What do the units of each layer see? A table, and below it what it amounts to:
    python -m lib.audit torchvision.models:resnet50

  A class in a file of yours, with arguments, for gray images of 128 x 256 pixels, as CSV:
    python -m lib.audit mynet.py:Net --args "10, width=64" --channels 1 --size 128x256 --format csv

  The pixels that one unit of a layer sees, in words and drawn over a photograph:
    python -m lib.audit mynet.py:Net --box layer3 --unit "7,7" --picture unit.png --image cat.jpg

Nothing in the network is trained, and no weights are needed: what a unit can see follows from the
shapes alone. The file or package that TARGET names is imported, so it runs.

exit code: 0; 2 if an argument is wrong or the network fails on such an input; 3 if it uses an
operation that is not known here; 1 if nobody reads the output; 130 if interrupted.
'''


class Small(nn.Module):
    """A network with arguments, one of them by name only."""

    def __init__(self, width=4, *more, window=3, **others):
        super().__init__()
        warnings.warn("not now", stacklevel=2)
        self.conv = nn.Conv2d(2, width, window, padding=window // 2)
        self.second = nn.Conv2d(width, 3, 3, stride=2)

    def forward(self, x):
        return self.second(self.conv(x))


class Demanding(Small):
    """One without defaults, before and after the star."""

    def __init__(self, width, height, *more, window, depth=2, **others):
        super().__init__(width, window=window)


class Broken(nn.Module):
    def __init__(self):
        raise KeyError


MODEL, NUMBER = Small(), 3


@pytest.mark.parametrize("width", [100, 80])
def test_the_help(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "argv", ["/a/lib/audit/__main__.py"])
    with pytest.raises(SystemExit) as caught:
        command.main(["--help"])
    said = capsys.readouterr().out
    assert caught.value.code == 0
    assert (said == HELP) if width == 100 else (said.split() == HELP.split())


def test_the_command_without_a_name(monkeypatch):
    for called, name in (([], "python -m lib.audit"), (["x/overlap-audit.py"], "overlap-audit"),
                         (["overlap-audits"], "python -m lib.audit")):
        monkeypatch.setattr(sys, "argv", called)
        assert command.command() == name


@pytest.mark.parametrize("parse, good", [
    (command.parse_size, {"7": (7, 7), "1": (1, 1), "7x": (7,), "7X": (7,), "7X5": (7, 5),
                          "1x2x3": (1, 2, 3), "x7": (7, 7)}),
    (command.parse_channels, {"1": 1, "12": 12}),
    (command.parse_arguments, {"": ([], {}), "1, 'a'": ([1, "a"], {}), "a=-1": ([], {"a": -1}),
                               "[1], b=None": ([[1]], {"b": None})}),
])
def test_parsers_accept(parse, good):
    assert {text: parse(text) for text in good} == good


@pytest.mark.parametrize("parse, bad, said", [
    (command.parse_size, ("", "x", "0", "7x0", "-1", "a", "7xa", "1.5"),
     "{!r} is no size: write 224, 224x160, or 1000x for one axis"),
    (command.parse_channels, ("", "0", "-1", "a", "1.0"),
     "{!r} is no number of channels: write 1, 3, ..."),
    (command.parse_arguments, ("1)", "a", "f(1)", "a=b",
                               "a=1, a=2", "**{}", "**3", "x.y", ") + f("),
     '{!r} are no arguments: write numbers, strings, lists or name=value, as in "10, width=64"'),
    (command.parse_inputs, ("", "3x", "x3", "1x0", "0", "-1", "1x3:float", "01", "1x2 1x3"),
     '{!r} is no input: write shapes as in "1x3x64x64, 1x20:int"'),
])
def test_parsers_refuse(parse, bad, said):
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError) as caught:
            parse(text)
        assert str(caught.value) == said.format(text)


def test_shapes_of_inputs():
    found = command.parse_inputs(" 1 x 3x8x9, 2x5 :int,7")
    assert [(tuple(x.shape), x.dtype, bool(x.any())) for x in found] == [
        ((1, 3, 8, 9), torch.float32, False), ((2, 5), torch.int64, False),
        ((7,), torch.float32, False)]


@pytest.mark.parametrize("options, said", [
    (["--size=a"], "argument --size: 'a' is no size: write 224, 224x160, or 1000x for one axis"),
    (["--sise=3"], "unrecognized arguments: --sise=3"), (["--summ"], "unrecognized arguments: "
                                                         "--summ"),
    (["more"], "unrecognized arguments: more"),
    (["--format", "csv", "--json"], "argument --json: not allowed with argument --format"),
    (["--box", "conv", "--picture", ""], "argument --picture: is empty, must be left out or have "
                                         "a value"),
    (["--size", "9", "--size", "8"], "argument --size: given twice, as (9, 9) and (8, 8), must be "
                                     "given once")])
def test_one_line_for_a_wrong_option(options, said, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main([f"{HERE}:Small", *options])
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"{ME}{said} (python -m lib.audit --help lists the options)\n"


TARGET = "write package.module:factory or file.py:factory"


@pytest.mark.parametrize("options, said", [
    (["a"], f"'a': {TARGET}"), ([":a"], f"':a': {TARGET}"), (["a:"], f"'a:': {TARGET}"),
    (["nowhere.py:a"], "there is no file 'nowhere.py'"),
    (["lib.nowhere:a"], "cannot import 'lib.nowhere': No module named 'lib.nowhere'"),
    ([f"{HERE}:Broken"], f"{f'{HERE}:Broken'!r} fails: KeyError"),
    ([f"{HERE}:NUMBER"], f"{f'{HERE}:NUMBER'!r} is a int: neither a module nor a function that "
     "returns one"),
    (["lib.audit.models:OrderedDict"], "'lib.audit.models:OrderedDict' returned a OrderedDict, not "
     "a torch.nn.Module"),
    ([f"{HERE}:Demanding"], f"{f'{HERE}:Demanding'!r} needs arguments (width, height, window): "
     "give them with --args, or name a function that needs none"),
    ([f"{HERE}:MODEL", "--args", "width=5"], f"{f'{HERE}:MODEL'!r} is a module already: leave "
     "--args out, or name the class or function that makes it"),
    ([f"{HERE}:Demanding", "--args", "1, window=3"], f"{f'{HERE}:Demanding'!r} needs arguments "
     "(height): give them with --args, or name a function that needs none"),
    (["lib.audit.models:vg"], "'lib.audit.models' has no 'vg'; did you mean vgg?"),
    (["lib.audit.models:zzzzz"], "'lib.audit.models' has no 'zzzzz'"),
    (["lib.audit.models:nn.Linear.x"], "'lib.audit.models' has no 'nn.Linear.x'"),
    ([STACK, "--unit", "3"], "--unit goes with --box"),
    ([STACK, "--effective"], "--effective goes with --box"),
    ([STACK, "--picture", "x.png"], "--picture goes with --box"),
    ([STACK, "--unit", "3", "--effective"], "--unit and --effective go with --box"),
    ([STACK, "--box", "fc", "--image", "x.png"], "--image goes with --picture"),
    ([STACK, "--box", "fc", "--format", "markdown"], "--box has no form as markdown: text or json"),
    ([STACK, "--box", "fc", "--inputs", "1x3x8x8", "--effective"], "--effective is measured on an "
     "image: give --size instead of --inputs; a module around the network can give it anything "
     "else"),
    ([STACK, "--summary", "--format", "html"], "--summary is text"),
    ([STACK, "--summary", "--box", "fc"], "--summary is of a network, --box of a unit: leave one "
     "out"),
    ([f"{HERE}:Small", "--size", "8", "--box", "conv", "--unit", "1 2"], "--unit '1 2': write its "
     "place as 7,7"),
    ([f"{HERE}:Small", "--size", "8", "--box", "conv", "--unit", "a"], "--unit 'a': write its "
     "place as 7,7"),
    ([f"{HERE}:Small", "--size", "8", "--box", "conv", "--unit", ","], "--unit ',': write its "
     "place as 7,7"),
    ([f"{HERE}:Small", "--size", "8", "--box", "conv", "--unit", "1,-1"], "--unit '1,-1': write "
     "its place as 7,7"),
    ([f"{HERE}:Small", "--upto", "x"], "--upto 'x': Small has no such module; it has conv, second"),
    ([f"{HERE}:Small", "--ignore", "x"], "--ignore ('x',): valid are gates, norms, attention"),
    ([f"{HERE}:Small", "--size", "8", "--outputs", "1"], "--outputs 1: there are 1, named output"),
    ([f"{HERE}:Small", "--size", "8", "--outputs=-2"], "--outputs -2: there are 1, named output"),
    ([f"{HERE}:Small", "--size", "8", "--outputs=a"], "--outputs 'a': there are 1, named output"),
])
def test_one_line_for_what_cannot_be_done(options, said, capsys):
    assert command.main(options) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"{ME}{said}\n")


def test_names_that_are_near():
    near = types.ModuleType("near_names")
    for i in range(7):
        setattr(near, f"network{i}", None)
    sys.modules["near_names"] = near
    try:
        with pytest.raises(ValueError) as caught:
            command.load("near_names:network")
    finally:
        del sys.modules["near_names"]
    assert str(caught.value).count(" or ") == 4     # five names, of seven


def test_messages_speak_of_options():
    assert command._as_options("size=3 and x.size=3, resize=3, channels= says, upto='a'") == (
        "--size 3 and x.size=3, resize=3, --channels says, --upto 'a'")
    assert [command._one_line(error) for error in (
        ValueError("a\nb"), ValueError(""), ImportError(" a\nb"), ImportError(""))] == [
            "ValueError: a", "ValueError", "a", "ImportError"]


def test_a_target_is_a_module_or_makes_one():
    assert command.load(f"{HERE}:Small", [5], {"window": 5}).conv.weight.shape == (5, 2, 5, 5)
    assert isinstance(command.load("lib.audit.models:nn.Identity"), nn.Identity)
    assert isinstance(command.load(f"{HERE}:MODEL"), nn.Module)
    assert isinstance(command.load(f"{HERE}:Demanding", (4, 1), {"window": 3}), nn.Module)


def test_arguments_that_are_missing():
    def function(a, b, c=1, *, d, e=2):
        """Two by place, one by name."""

    for args, kwargs, missing in (
            ((), {}, ["a", "b", "d"]), ((1,), {}, ["b", "d"]), ((1, 2), {}, ["d"]),
            ((1, 2), {"d": 1}, []), ((), {"a": 1}, ["b", "d"])):
        assert command._missing(function, args, kwargs) == missing
    assert command._missing(dict, (), {}) == []     # a built-in function that tells no signature


def said(capsys, *options):
    assert command.main([f"{HERE}:Small", *options]) == 0
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out.endswith("\n")
    return captured.out[:-1]


def test_what_is_printed(capsys):
    found = audit(Small(), (8, 6))
    found.name = f"{HERE}:Small"
    size = ("--size", "8x6")
    assert said(capsys, *size) == str(found)
    assert said(capsys, *size, "--format", "markdown") == markdown(found)
    for style in ("csv", "html"):
        assert said(capsys, *size, "--format", style) == found.table(style)
    text = said(capsys, *size, "--json")
    assert text == json.dumps(found.to_dict(), indent=1)
    assert said(capsys, *size, "--summary").splitlines()[:2] == [
        found.name, "The input channels: 2, guessed from module 'conv'."]
    assert said(capsys, *size, "--upto", "conv", "--summary").count("field 3, stride 1") == 1
    assert said(capsys, "--channels", "2").splitlines()[0].endswith("input of 224 x 224")
    assert said(capsys, *size, "--outputs", "0", "--ignore", "gates, norms,") == str(found)
    assert said(capsys, "--inputs", "1x2x8x6", "--format", "csv") == found.table("csv")


def test_what_is_printed_of_a_unit(capsys):
    torch.manual_seed(0)
    box = audit(Small(), 8).box("second")
    assert said(capsys, "--size", "8", "--box", "second") == str(box)
    assert said(capsys, "--size", "8", "--box", "second", "--unit", "1, 2").startswith(
        "Unit (1, 2) of second sees rows 1 to 5 and columns 3 to 7.")
    far = ("--size", "32", "--box", "second", "--unit")
    assert said(capsys, *far, "12,3").startswith("Unit (12, 3) of second sees rows 23 to 27 and ")
    assert said(capsys, *far, "1,12,10").startswith("Unit (1, 12, 10) of second sees rows 23 to ")
    text = said(capsys, "--size", "8", "--box", "conv", "--unit", "0,7", "--json", "--effective",
                "--args", "2, window=1")
    assert json.loads(text) == {"layer": "conv", "unit": [0, 7], "pixels": [[0, 0], [7, 7]],
                                "beyond": [[0, 0], [7, 7]], "effective": [1, 1]}
    assert said(capsys, "--size", "8", "--box", "conv", "--effective", "--channels", "2",
                "--args", "2, window=1").splitlines()[1:] == [
                    "95 % of its gradient is in 1 x 1 pixels."]


def test_a_unit_is_measured_on_an_image_of_224_pixels_unless_said(monkeypatch):
    asked = []

    def measured(*arguments, **named):
        asked.append((arguments[1:], named))
        return effective_field(MODEL, 8, "conv", samples=1)

    monkeypatch.setattr(command, "effective_field", measured)
    options = command._parser().parse_args([f"{HERE}:MODEL", "--box", "conv", "--effective"])
    found = types.SimpleNamespace(box=lambda layer, unit: types.SimpleNamespace(
        unit=unit or (1, 5, 6)))
    command._box(MODEL, found, options)
    options.size, options.channels, options.unit, options.upto = (8, 8), 2, "3,4", "conv"
    command._box(MODEL, found, options)
    assert asked == [((224, "conv", (1, 5, 6)), {"channels": None, "upto": None}),
                     (((8, 8), "conv", (3, 4)), {"channels": 2, "upto": "conv"})]


def test_a_picture_has_the_shape_of_the_image(tmp_path, capsys):
    from matplotlib.image import imread
    said(capsys, "--size", "16x8", "--box", "conv", "--picture", str(tmp_path / "a.png"))
    rows, columns, _ = imread(tmp_path / "a.png").shape
    assert math.isclose(rows / columns, 2, rel_tol=0.1)


def test_how_it_ends_when_nobody_reads(monkeypatch):
    closed = []

    def broken(options):
        raise BrokenPipeError

    monkeypatch.setattr(command, "report", broken)
    monkeypatch.setattr("lib.options.os.dup2", lambda old, new: closed.append(new))
    monkeypatch.setattr(command.sys, "stdout", types.SimpleNamespace(fileno=lambda: 77))
    assert command.main([f"{HERE}:Small"]) == 1 and closed == [77]
    assert issubclass(UnsupportedOperation, NotImplementedError) and Audit is not None


@pytest.mark.parametrize("wrong", [
    {"avoid": None}, {"collapse": 0}, {"collapse": [0]}, {"representation": [4]},
    {"partition": ["left-right"]}])
def test_arguments_of_bounds_are_refused_in_one_line(wrong):
    found = audit(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 5)), 8)
    with pytest.raises(ValueError, match="^(avoid and collapse|represent|partition)") as caught:
        found.bounds(**wrong)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("number", [np.int64(0), torch.tensor(0), [np.int64(0)]])
def test_an_output_is_chosen_by_an_integer_of_any_type(number):
    assert str(audit(nn.Conv2d(3, 4, 3), 8, outputs=number)) == str(audit(nn.Conv2d(3, 4, 3), 8))
    with pytest.raises(ValueError, match="outputs=0.0: there are 1, named output"):
        audit(nn.Conv2d(3, 4, 3), 8, outputs=0.0)


def test_a_count_is_refused_also_after_it_was_given_as_an_integer():
    found = audit(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 5)), 8)
    found.bounds(representation=4)
    with pytest.raises(ValueError, match="representation=4.0"):
        found.bounds(representation=4.0)
