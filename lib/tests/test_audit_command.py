"""The command line: what it prints, and one line for every misuse."""

import json
import subprocess
import sys

import pytest
from torch import nn

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


@pytest.mark.parametrize(("arguments", "said"), [
    (["lib.audit.models"], "package.module:factory"),
    (["nowhere.py:Net"], "there is no file 'nowhere.py'"),
    ([f"{HERE}:Fails"], "fails: RuntimeError: no weights here"),
    ([f"{HERE}:Needs"], "needs arguments (width): give them with --args"),
    (["lib.audit.models:dilated_stack", "--upto", "body"], "has no such module"),
    (["lib.audit.models:dilated_stack", "--ignore", "gate"], "valid are gates, norms, attention"),
    (["lib.audit.models:dilated_stack", "--size", "32", "--box", "x"], "layers are named"),
    (["lib.audit.models:dilated_stack", "--size", "32", "--unit", "3"], "go with --box"),
    (["lib.audit.models:dilated_stack", "--size", "32", "--box", "fc", "--unit", "a"], "as 7,7"),
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
    assert json.loads(capsys.readouterr().out)["layers"][4]["receptive_field"] == 63
    assert main(["lib.audit.models:dilated_stack", "--size", "32", "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("| layer | kind |")


def test_a_file_with_arguments(capsys):
    assert main([f"{HERE}:Needs", "--args", "8, window=5", "--size", "16"]) == 0
    assert "field 5, stride 1" in capsys.readouterr().out
    assert main([f"{HERE}:Needs", "--args", "width=8", "--size", "16", "--box", "conv", "--unit",
                 "0,7", "--effective"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Unit (0, 7) of conv sees pixels ((0, 1), (6, 8)), without border ((-1, 1), (6, 8)).",
        "95 % of its gradient is in 2 x 3 pixels."]


@pytest.mark.parametrize(("option", "value"), [
    ("--size", "0"), ("--size", "axb"), ("--channels", "-1"), ("--channels", "0"),
    ("--args", "width=os.sep"), ("--args", "1)"), ("--format", "latex")])
def test_options_are_checked_before_anything_runs(option, value, capsys):
    with pytest.raises(SystemExit) as caught:
        main([f"{HERE}:Fails", f"{option}={value}"])
    error = capsys.readouterr().err
    assert caught.value.code == 2 and option in error.splitlines()[-1] and "Traceback" not in error


def test_a_reader_that_stops_reading_is_no_error():
    command = [sys.executable, "-m", "lib.audit", "lib.audit.models:resnet", "--size", "64"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
