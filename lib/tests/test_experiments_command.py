"""The commands: every option, what is refused in which words, what a run is given and prints."""

import importlib
import io
import os
import runpy
import signal
import sys
import threading
import types
import warnings
from pathlib import Path

import pytest
import torch

from lib import results
from lib.benchmarks import missing_data
from lib.experiments import blobs, cifar, images, pooled, records, separation, sweep
from lib.experiments.augment import Strength
from lib.experiments.kinds import KINDS
from lib.experiments.settings import DATA_SETS, PRESETS, Grid, Settings

command = importlib.import_module("lib.experiments.__main__")


def parsed(*arguments):
    return command.parser().parse_args(list(arguments))


def test_the_options_of_the_command():
    """Type, number of values and choices of every option; those without help explain themselves."""
    parser = command.parser()
    found = {action.option_strings[0]: (action.type, action.nargs, action.default,
                                        tuple(action.choices or ()))
             for action in parser._actions[1:]}
    none = (None, None, None, ())
    integer, decimal = (int, None, None, ()), (float, None, None, ())
    flag = (None, 0, False, ())
    assert found == {
        "--preset": (None, None, "minute", ("minute", "laptop", "factorial", "paper")),
        "--kinds": (None, "+", None, tuple(KINDS)), "--channels": (int, "+", None, ()),
        "--augmentations": (None, "+", None, ("spatial", "color", "none")),
        "--seeds": (int, "+", None, ()), "--data": (None, None, None, DATA_SETS),
        "--images": integer, "--epochs": integer, "--batch-size": integer,
        "--learning-rate": decimal, "--translation": integer, "--color-shift": decimal,
        "--output": none, "--data-folder": none, "--cache": none, "--device": none,
        "--workers": integer, "--threads": integer, "--scheduler": none, "--dry-run": flag,
        "--quiet": flag}
    silent = {action.option_strings[0] for action in parser._actions if not action.help}
    assert silent == {"--augmentations", "--seeds", "--data", "--epochs", "--batch-size",
                      "--learning-rate"}
    assert parser.prog == "python -m lib.experiments"
    assert parser.description == "Train a grid of networks and store the results."
    assert "--kinds KIND [KIND ...]" in " ".join(parser.format_help().split())


def test_a_list_given_in_two_parts_is_one_list(monkeypatch, tmp_path):
    """argparse keeps the last part alone: networks that were asked for would not be trained."""
    grid, _ = command.configure(parsed(
        "--kinds", "B1", "--kinds", "B2", "--channels", "4", "--channels", "8", "16",
        "--augmentations", "none", "--augmentations", "color", "--seeds", "0", "--seeds", "1", "2"))
    assert grid == Grid({"B1": (4, 8, 16), "B2": (4, 8, 16)}, ("none", "color"), (0, 1, 2))
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(pooled, "run", lambda seeds, **_: asked.append(list(seeds)))
    monkeypatch.setattr(separation, "measure", lambda networks, *_: asked.append(
        sorted({network.seed for network in networks})))
    monkeypatch.setattr(missing_data, "measure_missing",
                        lambda arguments: asked.append(arguments.seeds))
    output = ["--output", str(tmp_path / "a.jsonl")]
    for seeds, wanted in ((["--seeds", "7", "--seeds", "8", "9"], [7, 8, 9]), ([], None)):
        pooled.main(seeds + output)
        separation.main(seeds + output)
        monkeypatch.setattr(sys, "argv", ["x", *seeds])
        missing_data.main()
        five, three = wanted or [0, 1, 2, 3, 4], wanted or [0, 1, 2]
        assert asked == [five, five, three, five]
        asked.clear()


def test_every_option_changes_what_it_names_and_nothing_else():
    grid, settings = command.configure(parsed())
    assert (settings, grid) == PRESETS["minute"]
    grid, settings = command.configure(parsed(
        "--data", "photograph-patches", "--images", "50", "--epochs", "7", "--batch-size", "9",
        "--learning-rate", "0.5", "--translation", "0", "--color-shift", "0",
        "--augmentations", "none", "color", "--seeds", "0", "4"))
    assert settings == Settings("photograph-patches", 50, 7, 9, 0.5, Strength(0, 0.0), 5)
    assert (grid.augmentations, grid.seeds) == (("none", "color"), (0, 4))
    assert grid.channels == PRESETS["minute"][1].channels
    # kinds of the preset keep their widths, others get all of them
    grid, _ = command.configure(parsed("--kinds", "B2", "conv2"))
    assert grid.channels == {"B2": (16,), "conv2": (16, 32)}
    grid, _ = command.configure(parsed("--channels", "5", "3"))
    assert grid.channels == {"B1": (5, 3), "B2": (5, 3), "B3": (5, 3)}
    for option in ("--images", "--epochs", "--batch-size", "--learning-rate"):
        with pytest.raises(ValueError, match=f"{option[2:].replace('-', '_')}=0"):
            command.configure(parsed(option, "0"))


ADDRESS = "must be an address such as tcp://host:8786"


@pytest.mark.parametrize("arguments, message", [
    (["--workers", "0"], "--workers 0: must lie between 1 and 256"),
    (["--workers", "257"], "--workers 257: must lie between 1 and 256"),
    (["--threads", "0"], "--threads 0: must lie between 1 and 4, the number of cores"),
    (["--threads", "5"], "--threads 5: must lie between 1 and 4, the number of cores"),
    (["--threads", "257", "--scheduler", "tcp://a:1"],
     "--threads 257: must lie between 1 and 256"),
    (["--data-folder", "x"],
     "--data-folder, --cache: dead-leaves is made here, must be left out"),
    (["--cache", "x"], "--data-folder, --cache: dead-leaves is made here, must be left out"),
    (["--data", "photograph-patches", "--cache", "x"],
     "--data-folder, --cache: photograph-patches is made here, must be left out"),
    (["--data", "cifar-10", "--cache", "x", "--data-folder", "y"],
     "--cache: nothing is fetched with --data-folder, must be left out"),
    (["--scheduler", "tcp://a:1", "--workers", "1"],
     "--workers: the scheduler has workers of its own, must be left out"),
    *((["--scheduler", address], f"--scheduler {address!r}: {ADDRESS}") for address in (
        "a:1", "http://a:1", "tcp://a", "tcp://:1", "tcp://a/b:1", "tcp://a b:1", "tcp://a:",
        "tcp://a:1/")),
])
def test_what_has_no_effect_or_cannot_work_is_refused(monkeypatch, arguments, message):
    monkeypatch.setattr(command.os, "cpu_count", lambda: 4)
    options = parsed(*arguments)
    with pytest.raises(ValueError) as refused:
        command.check(options, command.configure(options)[1])
    assert str(refused.value) == message


@pytest.mark.parametrize("arguments", [
    [], ["--workers", "1"], ["--workers", "256"], ["--threads", "1"], ["--threads", "4"],
    ["--output", "a"], ["--data", "cifar-10", "--cache", "x"],
    ["--data", "cifar-10", "--data-folder", "x"], ["--device", "cpu"],
    ["--scheduler", "tls://a.b:80", "--device", "no device here"],
    ["--scheduler", "tcp://a:1", "--threads", "64"],  # this machine has four cores
    *(["--scheduler", f"{kind}://a:1"] for kind in ("tcp", "tls", "ucx", "ws", "wss")),
])
def test_what_works_is_taken(monkeypatch, arguments):
    monkeypatch.setattr(command.os, "cpu_count", lambda: 4)
    options = parsed(*arguments)
    command.check(options, command.configure(options)[1])


def test_a_dry_run_for_a_scheduler_measures_here_and_says_so():
    asked = parsed("--scheduler", "tcp://a:1", "--device", "nothing", "--dry-run")
    with pytest.raises(ValueError, match="^--device nothing: .*; --dry-run measures on this mach"):
        command.check(asked, Settings())


def test_where_the_number_of_cores_is_unknown_one_is_assumed(monkeypatch):
    monkeypatch.setattr(command.os, "cpu_count", lambda: None)
    command.check(parsed("--threads", "1"), Settings())
    with pytest.raises(ValueError, match="--threads 2: must lie between 1 and 1, the number"):
        command.check(parsed("--threads", "2"), Settings())


@pytest.mark.parametrize("kind", [RuntimeError, AssertionError])
def test_a_device_that_is_not_there_is_refused_in_one_line(monkeypatch, kind):
    def zeros(count, device):
        assert (count, device) == (1, "thing")
        raise kind("no thing here\nlong story")

    monkeypatch.setattr(command.torch, "zeros", zeros)
    with pytest.raises(ValueError) as refused:
        command.check(parsed("--device", "thing"), Settings())
    assert str(refused.value) == "--device thing: no thing here"


def test_a_results_file_is_written_where_it_can_be(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for place in ("file", "new", "a/b/c", "~"):
        command.check_writable(str(tmp_path / place))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(OSError) as refused:
        command.check_writable(str(tmp_path / "file" / "a" / "b"))
    assert str(refused.value) == (f"--output {tmp_path}/file/a/b: {tmp_path}/file is a file, must "
                                  "be a folder")
    with pytest.raises(OSError) as refused:
        command.check_writable("~nobody/a")
    assert str(refused.value) == "--output ~nobody/a: there is no such home folder"
    asked = []
    monkeypatch.setattr(command.os, "access", lambda *given: asked.append(given))
    for place, looked_at in (("file", "file"), ("a/b", "")):
        with pytest.raises(OSError, match=f"{tmp_path / looked_at} cannot be written$"):
            command.check_writable(str(tmp_path / place))
    assert asked == [(tmp_path / "file", os.W_OK), (tmp_path, os.W_OK)]


@pytest.mark.parametrize("arguments, there, opened", [
    (["--preset", "minute"], False, ("dead-leaves", (None, None))),
    (["--preset", "laptop"], True, ("cifar-10", (None, None))),
    (["--preset", "laptop", "--data-folder", "x"], False, ("cifar-10", ("x", None))),
    (["--preset", "laptop", "--cache", "y", "--workers", "3", "--scheduler", "tcp://a:1"], False,
     None),
])
def test_a_plan_looks_at_what_is_there_and_makes_nothing(tmp_path, monkeypatch, arguments, there,
                                                         opened):
    given, seen = [], []

    def open_results(settings, output, source, make):
        given.append((settings.data, source))
        assert (output, make) == (str(tmp_path / "a"), False)
        return types.SimpleNamespace(names=lambda: {"one"})

    monkeypatch.setattr(sweep, "open_results", open_results)
    monkeypatch.setattr(sweep, "connected", lambda address: seen.append(address) or io.StringIO())
    monkeypatch.setattr(sweep, "is_fetched", lambda cache: seen.append(cache) or there)
    monkeypatch.setattr(sweep, "describe", lambda *values: f"plan {sorted(values[2])} {values[3:]}")
    options = parsed(*arguments)
    text = command.plan(*command.configure(options), options, str(tmp_path / "a"), "mps", 7)
    stored = ["one"] if opened else []
    assert text == f"plan {stored} {('mps', options.workers or 1, 7)}" + (
        "" if opened else "\ndata will be downloaded first (170 MB)")
    assert given == [opened] * bool(opened) and seen[-1] == options.scheduler
    assert seen[:-1] == [options.cache] * (options.preset == "laptop" and not options.data_folder)


def test_requests_to_end_are_heard_for_a_while():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with command.stopped_by_signals():
        for number in (signal.SIGTERM, signal.SIGINT):
            assert signal.getsignal(number) is command.stop
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    with pytest.raises(ZeroDivisionError):
        with command.stopped_by_signals():
            raise ZeroDivisionError
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_only_the_main_thread_can_listen_to_signals():
    heard = []

    def listen():
        with command.stopped_by_signals():
            heard.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert heard == [signal.getsignal(signal.SIGTERM)] and heard[0] is not command.stop


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """What a sweep is asked for; the command runs in an empty folder that is also the home."""
    given = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sweep, "run_sweep", lambda *values: given.append(values) or [])
    monkeypatch.setattr(command.torch, "get_num_threads", lambda: 7)
    monkeypatch.setattr(command, "training_device", lambda: torch.device("meta"))
    return given


@pytest.mark.parametrize("arguments, output, given", [
    ([], "notebooks/results/minute.jsonl", ((None, None), "meta", 1, None, 7, True)),
    (["--preset", "factorial", "--data-folder", "x", "--workers", "3", "--quiet"],
     "notebooks/results/factorial.jsonl", (("x", None), "meta", 3, None, 2, False)),
    (["--preset", "paper", "--cache", "y", "--output", "~/a", "--workers", "8"], "home/a",
     ((None, "y"), "meta", 8, None, 1, True)),
    (["--scheduler", "tcp://a:1", "--device", "cpu", "--threads", "1", "--output", "b"], "b",
     ((None, None), "cpu", 1, "tcp://a:1", 1, True)),
    (["--scheduler", "tcp://a:1"], "notebooks/results/minute.jsonl",  # not the seven from here
     ((None, None), "meta", 1, "tcp://a:1", None, True)),
])
def test_what_a_sweep_is_asked_for(asked, tmp_path, capsys, arguments, output, given):
    assert command.main(arguments) == 0
    (grid, settings, where, *rest), = asked
    assert tuple(rest) == given
    assert (grid, settings) == command.configure(parsed(*arguments))
    where = where.removeprefix(f"{tmp_path}/")
    assert where == output
    assert capsys.readouterr().out.endswith(f"{output}\n")


@pytest.mark.parametrize("kinds, device", [
    (["B1", "conv2"], "mps"), (["B1", "offset2prod"], "cpu"), (["B2prod"], "cpu")])
def test_products_have_a_device_that_knows_their_numbers(asked, monkeypatch, kinds, device):
    monkeypatch.setattr(command, "training_device", lambda: torch.device("mps"))
    assert command.main(["--kinds", *kinds, "--output", "a"]) == 0
    assert command.main(["--kinds", *kinds, "--output", "a", "--device", "cpu"]) == 0
    assert [given[4] for given in asked] == [device, "cpu"]


def test_a_dry_run_prints_the_plan_and_nothing_else(asked, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr(command, "plan", lambda *values: seen.append(values) or "the plan")
    assert command.main(["--dry-run", "--workers", "2"]) == 0 and asked == []
    assert capsys.readouterr() == ("the plan\n", "")
    assert seen[0][3:] == ("notebooks/results/minute.jsonl", "meta", 3)


@pytest.mark.parametrize("kind", [RuntimeError, MemoryError, ValueError, ImportError, OSError])
def test_what_cannot_start_is_one_line_and_exit_code_two(asked, capsys, monkeypatch, kind):
    def fail(*_):
        raise kind("no\n  reason  at all")

    monkeypatch.setattr(sweep, "run_sweep", fail)
    assert command.main([]) == 2
    assert capsys.readouterr() == ("", "error: no reason at all\n")


def test_an_error_without_a_text_says_what_it_is(asked, capsys, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(sweep, "run_sweep", fail)
    assert command.main([]) == 2
    assert capsys.readouterr() == ("", "error: MemoryError: not enough memory\n")
    with pytest.raises(SystemExit, match="^error: MemoryError: not enough memory$"):
        with results.program():
            fail()


def test_an_error_of_the_program_is_not_hidden(asked, monkeypatch):
    monkeypatch.setattr(sweep, "run_sweep", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command.main([])


def test_an_interruption_ends_with_130_whatever_the_file_holds(asked, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "run_sweep", interrupted)
    assert command.main(["--output", "a"]) == 130
    assert capsys.readouterr() == (
        "", "\ninterrupted: 0 networks are stored in a; the same command continues\n")
    Path("a").write_text("a letter\n")
    assert command.main(["--output", "a"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_report_counts_what_an_older_version_wrote(monkeypatch):
    for unchecked, note in ((0, ""), (2, " (2 by an older version, without checksum)")):
        found = results.Contents({}, [{}] * 3, unchecked)
        monkeypatch.setattr(command.results, "read", lambda *given, found=found: (
            found if given == ("x", records.as_network) else None))
        assert command.report("x") == f"3 networks are stored in x{note}"


def test_any_path_can_be_printed(asked, monkeypatch):
    out, err = (io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert command.main(["--output", "ä"]) == 0
    assert out.buffer.getvalue().decode() == "0 networks are stored in \\xe4\n"
    assert command.main(["--output", "~ä/b"]) == 2
    assert b"~\\xe4/b" in err.buffer.getvalue()
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(  # without a way to change it
        write=out.write, flush=out.flush))
    assert command.main(["--output", "c"]) == 0


def as_program(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the module has been imported before
        runpy.run_module(name, run_name="__main__")


class Everything:
    """Stored results that hold whatever is asked for, and remember it."""

    contents = types.SimpleNamespace(records=())

    def __init__(self):
        self.asked, self.made = [], []

    def __call__(self, *given):
        self.made.append(given)
        return self

    def __contains__(self, name):
        self.asked.append(name)
        return True

    def names(self):
        return self

    def require(self, names):
        self.required = set(names)


def test_the_program_ends_with_the_code_of_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["x", "--workers", "0"])
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as ended:
            as_program("lib.experiments")
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN  # nothing is left to interrupt
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 2 and "--workers 0" in capsys.readouterr().err


def test_the_program_of_the_pooling_geometries_trains_them_in_order(monkeypatch):
    """Two geometries of five seeds first, then all three, on one thread."""
    stored, threads, few = Everything(), [], blobs.blobs(10, 0, batch=10)
    made = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr(blobs, "blobs", lambda *given: made.append(given) or few)
    monkeypatch.setattr(records, "ResultsFile", stored)
    monkeypatch.setattr(sys, "argv", ["x"])
    as_program("lib.experiments.pooled")
    assert threads == [1]
    assert made == [(25_000, "train"), (5_000, "test")] * 2
    assert {given[0] for given in stored.made} == {results.STORED / "blobs.jsonl"}
    assert {given[1].as_dict()["steps"] for given in stored.made} == {2000}
    assert stored.asked == [
        f"{kind}-{geometry}-C16-{task}-s{seed}"
        for geometries in (("square", "mirror"), pooled.GEOMETRIES)
        for kind in ("product", "max", "mean")
        for task in ("closedness", "symmetry") for geometry in geometries
        for seed in range(5)]
    assert stored.required == set(stored.asked)


def test_the_program_of_the_ranks_measures_three_seeds(monkeypatch):
    stored, threads, data, made = Everything(), [], images.dead_leaves(10, leaves=1), []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr(results, "Results", stored)
    monkeypatch.setattr(images, "dead_leaves", lambda *given: made.append(given) or data)
    monkeypatch.setattr(sys, "argv", ["x"])
    as_program("lib.experiments.separation")
    assert threads == [1]
    assert stored.asked == [f"{block}-C8-color-s{seed}" for seed in (0, 1, 2)
                            for block in separation.COMPARED]
    assert stored.required == set(stored.asked)
    (output, settings, provenance), = stored.made
    assert output == results.STORED / "ranks.jsonl"
    assert settings == {"halves": 40, **{
        block: Settings(images=100, epochs=40, batch_size=10, learning_rate=(
            5e-4 if block.endswith("prod") else 1e-3)).as_dict()
        for block in separation.COMPARED}}
    assert made == [(100,)] and provenance == {"data": {
        **data.provenance, "fingerprint": data.fingerprint, "count": 10}}


def test_the_ranks_can_go_elsewhere_and_images_need_their_option(monkeypatch, capsys):
    given = []
    monkeypatch.setattr(separation, "measure", lambda *values: given.append(values))
    monkeypatch.setattr(separation, "load_data", lambda *values: values)
    separation.main(["--cifar-10", "--output", "a/b"])
    networks, settings_of, data, output = given[0]
    assert output == Path("a/b") and data == ("cifar-10", 2000, None)
    assert [network.seed for network in networks[::len(separation.COMPARED)]] == [0, 1]
    assert {network.channels for network in networks} == {16}
    separation.main(["--cifar-10", "--output", "a/b", "--seeds", "7", "2"])
    assert [n.seed for n in given[1][0][::len(separation.COMPARED)]] == [7, 2]
    assert settings_of("B1prod") == PRESETS["laptop"][0]
    with pytest.raises(SystemExit) as ended:
        separation.main(["--data-folder", "x"])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("usage: lib.experiments.separation [-h]")
    assert said.endswith("error: --data-folder belongs to --cifar-10\n")
    with pytest.raises(SystemExit):
        separation.main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for words in ("Measure what trained networks use of their rank", "--cifar-10 ",
                  "local CIFAR-10 folder in the binary layout",
                  "default notebooks/results/ranks[-cifar].jsonl"):
        assert words in said


def test_the_archive_is_looked_for_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "URL", "http://a/b/c.tar.gz")
    assert cifar.archive_path(tmp_path) == tmp_path / "c.tar.gz"
    monkeypatch.setenv(cifar.CACHE_VARIABLE, str(tmp_path / "d"))
    assert cifar.archive_path() == tmp_path / "d" / "c.tar.gz"


def test_a_folder_to_come_is_no_results_file(tmp_path, capsys):
    assert command.main(["--output", f"{tmp_path}/new/", "--device", "cpu"]) == 2
    assert "/new/: is a folder, must be the path of a file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
