"""What the benchmarks take on their command lines."""

import ast
from importlib import import_module
from pathlib import Path

import pytest


@pytest.mark.parametrize("command, said", [
    ("rank --repeats 0", "argument --repeats: '0': need an integer >= 1"),
    ("rank --sizes 64 0", "argument --sizes: '0': need an integer >= 1"),
    ("rank --device gpu", "'gpu' is no device of torch; use 'cpu' or 'cuda'"),
    ("blocks --plain-rows 0", "argument --plain-rows: '0': need an integer >= 1"),
    ("blocks --plain-rows -5", "argument --plain-rows: '-5': need an integer >= 1"),
    ("blocks --threads 0", "argument --threads: '0': need an integer >= 1"),
    ("certificates --start 0", "argument --start: '0': need an integer >= 1"),
    ("training --windows 6", "argument --windows: invalid choice: 6"),
    ("training --device gpu", "argument --device: 'gpu': Expected one of cpu, cuda"),
    ("training --kinds --parts", "argument --parts: not allowed with argument --kinds"),
    ("audit --repeats 0", "argument --repeats: '0': need an integer >= 1"),
    ("memory", "required: sizes"),
    ("memory 512", "size 512: need 2000 or more"),
    ("mutants left mine.jsonl", "left reads a file, named by --results: all else is for run"),
    ("mutants table --seed 2", "table reads a file, named by --results: all else is for run"),
    ("mutants run --strata nothing", "argument --strata: invalid choice: 'nothing'"),
])
def test_what_cannot_be_measured_is_refused_in_one_line(command, said, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", command.split())
    with pytest.raises(SystemExit):
        import_module(f"lib.benchmarks.{command.split()[0]}").main()
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_step_on_a_chip_ends_when_the_chip_has_done_it(device, monkeypatch):
    """On Apple's chips only the queueing of the work was measured."""
    training, waited = import_module("lib.benchmarks.training"), []
    monkeypatch.setattr(training.torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(getattr(training.torch, device), "synchronize", lambda: waited.append(1))
    training.Clock(device, seconds=0.0, repetitions=2).seconds_per_step(lambda: None)
    assert len(waited) == 4  # before and after each repetition


def test_the_peak_of_one_size_is_not_that_of_another(monkeypatch, capsys):
    """After 2048 rows, 512 seemed to hold 38 copies: every size gets a process of its own."""
    memory = import_module("lib.benchmarks.memory")
    started = []

    class Pool:
        def __init__(self, count):
            started.append(count)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def apply(self, function, arguments):
            assert function is memory.peak_copies
            return float(arguments[0])

    context = type("Context", (), {"Pool": Pool})
    monkeypatch.setattr(memory.multiprocessing, "get_context", lambda _: context)
    monkeypatch.setattr("sys.argv", ["memory", "4096", "2000"])
    memory.main()
    assert started == [1, 1]
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "n = 4096", "n = 2000"]


def test_no_option_forgets_the_first_part_of_a_list():
    """argparse keeps the last of two lists alone, unless it is told to join them."""
    found = []
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for call in ast.walk(ast.parse(text)) if "nargs" in text else ():
            first = call.args[0] if isinstance(call, ast.Call) and call.args else None
            if isinstance(first, ast.Constant) and str(first.value).startswith("--"):
                named = {word.arg: ast.unparse(word.value) for word in call.keywords}
                if named.get("nargs") in ("'+'", "'*'"):
                    found.append((path.name, first.value, named.get("action"), "default" in named))
    assert len(found) > 6
    assert all(facts[2:] == ("'extend'", False) for facts in found), found
