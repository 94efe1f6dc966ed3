"""The command line: what it prints, and one line for every misuse."""

import csv
import json
import os
import sys

import pytest
import torch
from torch import nn

from lib.audit import effective_field
from lib.audit.__main__ import main

HERE = __file__


class Fails(nn.Module):
    """A factory that raises."""

    def __init__(self):
        raise RuntimeError("no weights here\nand more about it")


class Needs(nn.Module):
    """A network with arguments."""

    def __init__(self, width, window=3):
        super().__init__()
        self.conv = nn.Conv2d(1, width, window, padding=window // 2)

    def forward(self, x):
        return self.conv(x)


class Talks(Needs):
    """A network that prints while it is made and while it runs."""

    def __init__(self):
        print("loading ...")
        super().__init__(4)

    def forward(self, x):
        print("running ...")
        return super().forward(x)


class Hides(Needs):
    """A network with settings where a module has its parameters."""

    def __init__(self):
        super().__init__(4)
        self.parameters = {"width": 4}


class Spectrum(nn.Module):
    def forward(self, x):
        return torch.fft.fft2(x).abs()


class Transformed(nn.Module):
    """Two convolutions, then an operation that is not known."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Needs(4), nn.Conv2d(4, 4, 3, padding=1))

    def forward(self, x):
        return torch.fft.fft2(self.body(x)).abs()


class Mixed(Needs):
    """Channels that look at rows beside channels that look at columns."""

    def __init__(self):
        super().__init__(8)
        self.rows, self.columns = nn.Conv2d(1, 4, (1, 5), padding=(0, 2)), nn.Conv2d(
            1, 4, (5, 1), padding=(2, 0))
        self.both = nn.ELU()
        nn.init.ones_(self.rows.weight)
        nn.init.ones_(self.columns.weight)

    def forward(self, x):
        return self.both(torch.cat([self.rows(x), self.columns(x)], 1))


class Captioned(Needs):
    """An image and words."""

    def __init__(self):
        super().__init__(4)
        self.words = nn.Embedding(9, 4)

    def forward(self, image, words):
        x = self.conv(image)
        return {"map": x, "score": x.mean((2, 3)) + self.words(words).mean(1)}


def normed():
    """A norm by the statistics of the map between two convolutions."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.InstanceNorm2d(4),
                         nn.Conv2d(4, 4, 3, padding=1))


def quits():
    raise SystemExit("usage: train.py DATA")


@pytest.mark.parametrize(("arguments", "said"), [
    (["lib.audit.models"], "package.module:factory"),
    (["nowhere.py:Net"], "there is no file 'nowhere.py'"),
    ([f"{HERE}:Fails"], "fails: RuntimeError: no weights here"),
    ([f"{HERE}:Needs"], "needs arguments (width): give them with --args"),
    ([f"{HERE}:Hides"], "attribute 'parameters' of Hides, of type dict, hides torch.nn.Module."),
    ([f"{HERE}:Hides", "--inputs", "1x1x8x8"], "attribute 'parameters' of Hides, of type dict"),
    (["lib.audit.models:dilated_stack", "--upto", "body"], "--upto 'body':"),
    (["lib.audit.models:dilated_stack", "--ignore", "gate"], "valid are gates, norms, attention"),
    (["lib.audit.models:dilated_stack", "--size", "32", "--box", "x"], "layers are named"),
    (["lib.audit.models:dilated_stack", "--size", "32", "--unit", "3"], "--unit goes with --box"),
    ([f"{HERE}:Fails", "--unit", "3", "--picture", "x.png"], "--unit and --picture go with --box"),
    ([f"{HERE}:Fails", "--image", "x.png"], "--image goes with --picture"),
    ([f"{HERE}:Fails", "--box", "a", "--format", "csv"], "no form as csv: text or json"),
    ([f"{HERE}:Fails", "--summary", "--json"], "--summary is text"),
    ([f"{HERE}:Fails", "--box", "a", "--inputs", "1x3", "--effective"], "measured on an image"),
    ([f"{HERE}:Fails", "--box", "a", "--outputs", "1", "--effective"], "leave --outputs out"),
    ([f"{HERE}:quits"], "fails: SystemExit: usage: train.py DATA"),
    ([f"{HERE}:Captioned", "--inputs", "1x1x8x8"], "missing 1 required positional argument"),
    ([f"{HERE}:Captioned", "--size", "8"], "'words' (--inputs gives it all of its arguments)"),
    ([f"{HERE}:Captioned", "--inputs", "1x1x8x8, 1x3:int", "--size", "8"], "inputs and size"),
    ([f"{HERE}:Captioned", "--inputs", "1x1x8x8, 1x3:int", "--outputs", "x"], "named map, score"),
    (["lib.audit.models:dilated_stack", "--size", "32", "--box", "fc", "--picture", "x.xyz"],
     "--picture 'x.xyz': ValueError: Format 'xyz' is not supported"),
    (["lib.audit.models:dilated_stack", "--size", "32", "--box", "fc", "--picture", "x.png",
      "--image", "nowhere.png"], "FileNotFoundError"),
    (["lib.audit.models:dilated_stack", "--size", "32", "--box", "fc", "--unit", "a"], "as 7,7"),
    (["lib.audit.modles:vgg"], "cannot import 'lib.audit.modles'"),
    (["lib.audit.models:vg"], "did you mean vgg"),
    (["lib.audit.models:RESNETS"], "neither a module nor a function"),
    (["lib.audit.models:conv"], "needs arguments (inputs, outputs, window)"),
    (["lib.audit.models:partial"], "type 'partial' takes" if sys.version_info < (3, 13)
     else "needs arguments (func)"),
    (["lib.audit.models:OrderedDict"], "not a torch.nn.Module"),
    (["lib.audit.models:inception_v3", "--size", "20"], "fails on an input of shape"),
])
def test_the_command_line_says_what_is_wrong(arguments, said, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err and not captured.out
    assert len(captured.err.splitlines()) == 1


def test_a_file_of_a_package_is_named_as_a_part_of_it(tmp_path, capsys):
    (tmp_path / "net.py").write_text("from .parts import Net\n")
    assert main([f"{tmp_path / 'net.py'}:Net"]) == 2
    assert "a part of a package: name it as package.module" in capsys.readouterr().err


def test_a_file_of_weights_is_no_program(tmp_path, capsys):
    weights = tmp_path / "weights.pt"
    torch.save(nn.Conv2d(3, 4, 3).state_dict(), weights)
    assert main([f"{weights}:Net"]) == 2
    assert "weights.pt' is no Python file: name one in which" in capsys.readouterr().err


SCRIPT = """import argparse
from torch import nn
parser = argparse.ArgumentParser()
parser.add_argument("{}")
parser.parse_args()
net = nn.Conv2d(3, 4, 3)
"""


def test_a_script_that_reads_options_gets_none_of_ours(tmp_path, capsys, monkeypatch):
    arguments = [f"{tmp_path / 'train.py'}:net", "--summary"]
    monkeypatch.setattr(sys, "argv", ["lib/audit/__main__.py", *arguments])
    (tmp_path / "train.py").write_text(SCRIPT.format("--rate"))
    assert main(arguments) == 0
    (tmp_path / "train.py").write_text(SCRIPT.format("data"))
    assert main(arguments) == 2
    assert capsys.readouterr().err.endswith("SystemExit: 2; it ends the program when it is "
                                            "imported\n")


def test_the_command_line(capsys):
    assert main(["lib.audit.models:dilated_stack", "--size", "32x48"]) == 0
    title = capsys.readouterr().out.splitlines()[0]
    assert title == "lib.audit.models:dilated_stack on an input of 32 x 48"
    assert main(["lib.audit.models:dilated_stack", "--size", "32", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["layers"][4]["receptive_field"] == 63
    assert main(["lib.audit.models:dilated_stack", "--size", "32", "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("| layer | kind |")


def test_a_file_with_arguments(capsys):
    assert main([f"{HERE}:Needs", "--args", "8, window=5", "--size", "16"]) == 0
    assert "field 5, stride 1" in capsys.readouterr().out
    assert main([f"{HERE}:Needs", "--args", "width=8", "--size", "16", "--box", "conv", "--unit",
                 "0,7", "--effective"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Unit (0, 7) of conv sees rows 0 to 1 and columns 6 to 8.",
        "Without the border it would see rows -1 to 1 and columns 6 to 8.",
        "95 % of its gradient is in 2 x 3 pixels."]


def test_the_gradient_is_that_of_the_unit_whose_pixels_are_named(capsys):
    said = {}
    for unit in ([], ["--unit", "1,8,8"], ["--unit", "8,8"]):
        assert main([f"{HERE}:Mixed", "--size", "16", "--box", "both", "--effective", *unit]) == 0
        said[tuple(unit)] = capsys.readouterr().out.splitlines()
    assert said[()] == ["Unit (4, 8, 8) of both sees rows 6 to 10 and columns 8 to 8.",
                        "95 % of its gradient is in 5 x 1 pixels."]
    assert said["--unit", "1,8,8"][1] == "95 % of its gradient is in 1 x 5 pixels."
    assert said["--unit", "8,8"][1] == "95 % of its gradient is in 5 x 5 pixels."


def test_the_gradient_is_measured_where_the_audit_ends(capsys):
    network = [f"{HERE}:Transformed", "--size", "16", "--unit", "8,8", "--effective", "--upto"]
    assert main([*network, "body", "--box", "body"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Unit (8, 8) of body sees rows 6 to 10 and columns 6 to 10.",
        "95 % of its gradient is in 5 x 5 pixels."]
    assert main([*network, "body.0", "--box", "body"]) == 2       # whose first layer alone is seen
    assert "'body' is not what module 'body' returns" in capsys.readouterr().err


def test_what_a_gradient_does_not_take_is_not_advised_and_ignored_norms_are_told(capsys):
    with pytest.raises(ValueError) as caught:
        effective_field(Captioned(), 8)
    said = str(caught.value)
    assert "inputs=" not in said and "a module around this one can give it anything else" in said
    captioned = [f"{HERE}:Captioned", "--inputs", "1x1x8x8, 1x3:int", "--box", "conv"]
    assert main([*captioned, "--effective"]) == 2
    assert "a module around the network can give it anything else" in capsys.readouterr().err
    normed = [f"{HERE}:normed", "--size", "16", "--box", "2", "--unit", "8,8", "--effective"]
    assert main(normed) == main([*normed, "--ignore", "norms"]) == 0
    seen, gradient, local, again = capsys.readouterr().out.splitlines()
    assert (seen, local) == ("Unit (8, 8) of 2 sees rows 0 to 15 and columns 0 to 15.",
                             "Unit (8, 8) of 2 sees rows 6 to 10 and columns 6 to 10.")
    assert again == gradient.replace("gradient is", "gradient, in which nothing is ignored, is")


def test_every_format_holds_the_layers_and_text_fits_a_terminal(capsys):
    said, stack = {}, ["lib.audit.models:dilated_stack", "--size", "64"]
    for style in ("text", "markdown", "csv", "html", "json"):
        assert main([*stack, "--format", style]) == 0
        said[style] = capsys.readouterr().out
    assert max(map(len, said["text"].splitlines())) <= 100
    records = json.loads(said["json"])["layers"]
    rows = list(csv.DictReader(said["csv"].splitlines()))
    assert [row["layer"] for row in rows] == [record["layer"] for record in records]
    assert [row["receptive_field"] for row in rows] == [
        str(record["receptive_field"]) for record in records]
    for style in ("text", "markdown", "html"):      # what the letters mean, and the headline
        assert "R window" in said[style] and "Last grid over the image: field 63" in said[style]
    assert main([*stack, "--summary"]) == 0
    short = capsys.readouterr().out
    assert "field 63" in short and "R window" not in short and max(
        map(len, short.splitlines())) <= 100


def test_a_unit_as_json_and_as_a_picture(tmp_path, capsys):
    below, picture = tmp_path / "below.png", tmp_path / "unit.png"
    from matplotlib.image import imread, imsave
    imsave(below, torch.zeros(20, 20, 3).numpy())
    arguments = [f"{HERE}:Needs", "--args", "8", "--size", "16", "--box", "conv", "--unit", "8,8"]
    assert main([*arguments, "--json", "--picture", str(picture), "--image", str(below)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "layer": "conv", "unit": [8, 8], "pixels": [[7, 9], [7, 9]], "beyond": [[7, 9], [7, 9]]}
    dark = imread(picture)[..., :3].mean(2) < 0.1   # the image below is black
    assert 0.3 < dark.mean() < 0.95


def test_a_photograph_below_stands_as_people_see_it(tmp_path):
    """A camera held upright stores the picture lying, and says so; gray is not made brighter."""
    from matplotlib.image import imread
    from PIL import Image

    arguments = [f"{HERE}:Needs", "--args", "8", "--size", "16", "--box", "conv", "--unit", "8,8"]
    turned = Image.Exif()
    turned[0x112] = 6                               # to be turned to the right
    lying, gray = Image.new("RGB", (40, 40)), Image.new("L", (40, 40), 100)
    lying.paste((255, 255, 255), (20, 0, 40, 40))   # white on the right: below, when turned
    gray.putpixel((0, 0), 160)
    found = {}
    for name, image, exif in (("lying.jpg", lying, turned), ("gray.png", gray, Image.Exif())):
        image.save(tmp_path / name, exif=exif)
        assert main([*arguments, "--picture", str(tmp_path / "unit.png"),
                     "--image", str(tmp_path / name)]) == 0
        found[name] = imread(tmp_path / "unit.png")[..., :3].mean(2)
    drawn = found["lying.jpg"]
    height, width = drawn.shape
    quarters = [drawn[y * height // 8, x * width // 8] for y in (2, 6) for x in (2, 6)]
    assert [round(float(q)) for q in quarters] == [0, 0, 1, 1]
    assert abs(float(found["gray.png"][height // 4, width // 4]) - 100 / 255) < 0.01


@pytest.mark.parametrize(("size", "height"), [("80x1000", 198), ("1000x80", 1320)])
def test_a_picture_of_a_long_input_has_room_for_its_title(size, height, tmp_path):
    from matplotlib.image import imread
    assert main([f"{HERE}:Needs", "--args", "8", "--size", size, "--box", "conv", "--picture",
                 str(tmp_path / "unit.png")]) == 0
    drawn = imread(tmp_path / "unit.png")[..., :3].mean(2)
    assert drawn.shape == (height, 660)
    assert drawn[[0, -1]].min() == drawn[:, [0, -1]].min() == 1     # nothing is cut off


def half():
    """A network in half precision with a number beside its image."""
    return Captioned().half()


def test_inputs_have_the_type_of_the_weights(capsys):
    assert main([f"{HERE}:half", "--inputs", "1x1x8x8, 1x3:int", "--outputs", "map"]) == 0
    assert "Output: units see at most 3 x 3 pixels" in capsys.readouterr().out


def test_several_inputs_and_one_output(capsys):
    assert main([f"{HERE}:Captioned", "--inputs", "1x1x8x8, 1x3:int", "--outputs", "map"]) == 0
    lines = capsys.readouterr().out
    assert "Output: units see at most 3 x 3 pixels of the image." in lines


def test_what_a_network_prints_is_not_in_the_result(capsys):
    assert main([f"{HERE}:Talks", "--size", "16", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["layers"] and "loading ..." in captured.err


def test_an_unknown_operation_has_an_exit_code_of_its_own(capsys):
    assert main([f"{HERE}:Spectrum", "--size", "16"]) == 3
    said = capsys.readouterr().err
    assert "aten._fft" in said and "register a rule as in lib.audit.rules" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(("called", "name"), [
    ("/usr/bin/overlap-audit", "overlap-audit"), ("overlap-audit.exe", "overlap-audit"),
    ("/somewhere/lib/audit/__main__.py", "python -m lib.audit")])
def test_the_command_calls_itself_what_it_was_called(called, name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [called])
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    said = capsys.readouterr().out
    assert caught.value.code == 0 and said.startswith(f"usage: {name} TARGET")
    assert sum(line.startswith(f"    {name} ") for line in said.splitlines()) == 3
    assert main(["lib.audit.models:vg"]) == 2
    assert capsys.readouterr().err.startswith(f"{name}: 'lib.audit.models' has no 'vg'")


@pytest.mark.parametrize(("option", "value"), [
    ("--size", "0"), ("--size", "axb"), ("--channels", "-1"), ("--channels", "0"),
    ("--args", "width=os.sep"), ("--args", "1)"), ("--format", "latex"), ("--inputs", "3x"),
    ("--inputs", "1x0x3"), ("--sise", "3")])
def test_options_are_checked_before_anything_runs(option, value, capsys):
    with pytest.raises(SystemExit) as caught:
        main([f"{HERE}:Fails", f"{option}={value}"])
    error = capsys.readouterr().err
    assert caught.value.code == 2 and option in error and len(error.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("form, minus, name", [
    ("html", b"&#8722;1.5", b"caf\xe9&#948;"), ("text", b"center -1.5", b"caf\xe9\\u03b4")])
def test_a_file_whose_encoding_lacks_letters_takes_the_report(form, minus, name, tmp_path,
                                                              monkeypatch):
    """Sent into a file on Windows, HTML ended at its first minus sign."""
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n\ndef net():\n    whole = nn.Sequential()\n"
        "    whole.add_module('caf\\xe9\\u03b4', nn.Conv2d(3, 4, 6, padding=4))\n"
        "    return whole\n", encoding="utf-8")
    with open(tmp_path / "out", "w", encoding="cp1252") as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert main([f"{tmp_path / 'mine.py'}:net", "--size", "16", "--format", form]) == 0
    said = (tmp_path / "out").read_bytes()
    assert minus in said and name in said


def test_a_reader_that_stops_reading_is_no_error(monkeypatch, capsys):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert main(["lib.audit.models:dilated_stack", "--size", "16"]) == 1
        print("what Python writes once more when it ends", flush=True)
    assert capsys.readouterr().err == ""


def test_names_given_in_two_parts_are_one_list(monkeypatch):
    """argparse keeps the last part alone: a gate would close a grid that was to stay open."""
    asked = []
    monkeypatch.setattr(sys.modules[main.__module__], "audit",
                        lambda *_, **named: asked.append(named) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main([f"{HERE}:Captioned", "--inputs", "1x1x8x8", "--inputs", "1x3:int", "--outputs", "map",
              "--outputs", "0,score", "--ignore", "gates", "--ignore", "norms, attention"])
    named, = asked
    assert [tuple(given.shape) for given in named["inputs"]] == [(1, 1, 8, 8), (1, 3)]
    assert named["outputs"] == ["map", 0, "score"]
    assert named["ignore"] == ("gates", "norms", "attention")
