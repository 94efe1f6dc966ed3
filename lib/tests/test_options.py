"""What programs do with the options of their command lines."""

import math
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from lib.options import Parser

ROOT = Path(__file__).parents[2]


def programs():
    """The modules that read options, by name."""
    found = []
    for path in sorted((ROOT / "lib").rglob("*.py")):
        if path.parent.name == "tests" or path == ROOT / "lib" / "options.py":
            continue
        text = path.read_text(encoding="utf-8")
        assert "ArgumentParser(" not in text, path
        if "options import Parser" in text:
            found.append(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return found


class Found(Exception):
    """The parser of a program, instead of its work."""


def parser_of(name, monkeypatch):
    def found(parser, *arguments, **named):
        raise Found(parser)

    with monkeypatch.context() as patch:
        patch.setattr(Parser, "parse_args", found)
        patch.setattr(Parser, "parse_intermixed_args", found)
        with pytest.raises(Found) as caught:
            import_module(name).main()
    return caught.value.args[0]


def test_every_program_is_asked():
    assert len(programs()) > 13 and "lib.experiments.__main__" in programs()


@pytest.mark.parametrize("name", programs())
def test_no_option_drops_a_value_without_a_word(name, monkeypatch, capsys):
    """A second value replaced the first, and an empty one counted as none."""
    parser = parser_of(name, monkeypatch)
    for action in parser._actions:
        if action.option_strings and action.nargs is None and type(action).__name__ == "Once":
            option, values = action.option_strings[0], ("3", "4")
            if action.choices:
                values = list(action.choices)[:2]
            given = [[option, values[0], option, values[1]]]
            if action.type is None and not action.choices:
                given.append([option, ""])
            if option == "--device" and action.type:
                given = []  # which others there are depends on the machine
            for words in given:
                with pytest.raises(SystemExit) as caught:
                    parser.parse_known_args(words)
                said = capsys.readouterr().err.splitlines()[-1]
                assert caught.value.code == 2 and option in said, words
                assert ("is empty" if words[1] == "" else f"as {values[0]}" if action.type in (
                    None, int, float) else "given twice") in said
        else:  # lists join; the others are switches
            assert type(action).__name__ != "_StoreAction", action


def test_the_same_value_twice_is_one():
    parser = Parser()
    parser.add_argument("--epochs", type=int)
    parser.add_argument("place", nargs="?")
    for _ in range(2):  # a parser remembers nothing of the line before
        found = parser.parse_args(["--epochs", "5", "here", "--epochs=5"])
        assert vars(found) == {"epochs": 5, "place": "here"}
    assert parser.parse_args(["--epochs", "6", ""]).epochs == 6


def test_a_number_that_is_none_is_given_once():
    parser = Parser()
    parser.add_argument("--rate", type=float)
    assert math.isnan(parser.parse_args(["--rate", "nan"]).rate)


def test_a_setting_that_changes_no_network_of_the_grid_is_named(tmp_path, capsys, monkeypatch):
    """The preset minute has 'color' alone: all its networks were trained without any shift."""
    command = import_module("lib.experiments.__main__")
    monkeypatch.setattr("lib.experiments.sweep.seconds_per_image", lambda *given: 1.0)
    plan = ["--dry-run", "--images", "10", "--output", str(tmp_path / "a.jsonl")]
    for more, noted in ((["--translation", "8"], "note: --translation 8: changes 'spatial' alone, "
                         "which is not among the augmentations here\n"),
                        (["--augmentations", "spatial", "--color-shift", "0.5"],
                         "note: --color-shift 0.5: changes 'color' alone, which is not among the "
                         "augmentations here\n"),
                        (["--batch-size", "64"], "note: --batch-size 64: all 10 images are one "
                         "batch, as with --batch-size 10\n"),
                        (["--augmentations", "spatial", "--translation", "8"], ""), ([], "")):
        assert command.main(plan + more) == 0
        assert capsys.readouterr().err == noted


@pytest.mark.parametrize("name, work", [
    ("lib.experiments.pooled", "run"), ("lib.benchmarks.missing_data", "measure_missing")])
def test_a_seed_of_two_lists_is_trained_once(name, work, monkeypatch, tmp_path):
    """What `--seeds 0 1 --seeds 1 2` names twice was trained twice, and stored once."""
    program, seen = import_module(name), []
    monkeypatch.setattr(program, work, lambda *given, **named: seen.append(
        named.get("seeds") or given[0].seeds))
    monkeypatch.setattr("sys.argv", [name, "--seeds", "0", "1", "--seeds", "1", "2", "--output",
                                     str(tmp_path / "a.jsonl")])
    try:
        program.main()
    except SystemExit:  # there is nothing to read, for nothing was stored
        assert name.endswith("pooled")
    assert seen and all(seeds == [0, 1, 2] for seeds in seen)


def test_commands_of_the_pages_can_be_pasted():
    """A comment behind a command is handed over as arguments by macOS's shell and by Windows'."""
    found = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "book").glob("*.md")]:
        for block in re.findall(r"^```(?:sh|bat)\n(.*?)^```", page.read_text(encoding="utf-8"),
                                re.DOTALL | re.MULTILINE):
            found += [(page.name, line) for line in block.splitlines()]
    assert len(found) > 15 and not [line for line in found if "#" in line[1] or "'" in line[1]]


def test_a_table_cut_short_is_no_error():
    """`| head` showed the traceback of a broken pipe."""
    with subprocess.Popen([sys.executable, "-m", "lib.benchmarks.mutants", "table"], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        run.stdout.close()  # before it is written
        assert run.stderr.read() == ""
    assert run.returncode == 1
