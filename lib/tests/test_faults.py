"""A fault at every step of a sweep and of a download; the next run ends as if nothing had been."""

import contextlib
import dataclasses
import functools
import os
import shutil
import sys
import traceback
import warnings

import pytest
import torch

from lib import results
from lib.experiments import __main__ as command
from lib.experiments import cifar, training
from lib.experiments.cifar import DatasetError, cifar10
from lib.experiments.settings import PRESETS
from lib.tests.faults import FAULTS, Killed, Steps, left_over
from lib.tests.test_experiments_data import folder, official, small_files  # noqa: F401

pytestmark = [pytest.mark.usefixtures("one_thread"),
              pytest.mark.skipif(os.name == "nt", reason="the steps are those of POSIX")]
SMALL = ["--kinds", "B1", "--augmentations", "none"]
LARGE = ["--kinds", "B1", "offset2", "--augmentations", "none"]
SETTINGS = ["--channels", "2", "--epochs", "2", "--images", "10", "--threads", "1", "--device",
            "cpu", "--quiet"]


@pytest.fixture(scope="module", autouse=True)
def short_runs_with_many_checkpoints():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Trainer, "run", functools.partialmethod(
            training.Trainer.run, every_seconds=0))
        settings, grid = PRESETS["minute"]
        patch.setitem(PRESETS, "minute", (dataclasses.replace(settings, evaluations=1), grid))
        yield


def sweep(grid, place):
    """The exit code of the command on a small grid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return command.main([*grid, *SETTINGS, "--output", str(place / "a.jsonl")])


def measured(place):
    """What the records of a sweep say, apart from where and when; all of it with checksums."""
    found = results.read(place / "a.jsonl")
    assert found.unchecked == 0
    return {record["name"]: {**record, "provenance": None} for record in found.records}


def in_process(run, place, at, fault):
    """How a run ends in which one step goes wrong, and its steps."""
    with Steps(place, at, fault).counted() as steps:
        try:
            return {0: "done", 1: "failed", 2: "refused"}[run(place)], steps.done
        except Killed:
            return "killed", steps.done


def in_child(run, place, at, fault):
    """The same in a process of its own, which really ends there."""
    said = place.with_suffix(".txt")
    child = os.fork()
    if child == 0:
        try:
            with Steps(place, at, fault, end=functools.partial(os._exit, 9)).counted() as steps:
                run(place)
            said.write_text("\n".join(steps.done))
        except BaseException:
            said.write_text(traceback.format_exc())
        finally:
            os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended == 9, (at, "the child is over without this step", ended, said.read_text())
    return "killed", None


def survives(run, start, work, check, faults, capsys, disturb=in_process):
    """Let every step of a run go wrong, then run undisturbed; print and return what happened.

    Parameters
    ----------
    run : callable
        From a folder to an exit code.
    start : pathlib.Path
        The folder as a run finds it.
    work : pathlib.Path
        Where copies of it are made.
    check : callable
        Called with the folder after the undisturbed run.
    faults : callable
        From the number of a step to the faults to try.
    """
    shutil.copytree(start, work)
    with Steps(work).counted() as steps:
        assert run(work) == 0
    rows = []
    for at, step in enumerate(steps.done):
        for fault in faults(at):
            shutil.rmtree(work)
            shutil.copytree(start, work)
            how, done = disturb(run, work, at, fault)
            assert done is None or done[:at + 1] == steps.done[:at + 1], "always the same steps"
            lines = capsys.readouterr().err.splitlines()
            assert how != "refused" or len(lines) == 1 and lines[0].startswith("error: "), lines
            assert run(work) == 0, (step, fault, how, capsys.readouterr().err)
            check(work)
            rows.append((step, fault, how))
    counts = {row: rows.count(row) for row in rows}
    with capsys.disabled() if os.environ.get("FAULT_TABLE") else contextlib.nullcontext():
        print(f"\n{len(rows)} faults at {len(steps.done)} steps")
        for (step, fault, how), count in counts.items():
            print(f"{step:46s} {fault:14s} {how:8s} x {count}")
    return rows


def rotating(at):
    return [FAULTS[at % len(FAULTS)]]


def every(at):
    return FAULTS


def undisturbed(grid, place):
    """The records of a run that nothing disturbs, its steps, and an empty folder to start from."""
    for name in ("through", "empty"):
        (place / name).mkdir()
    with Steps(place / "through").counted() as steps:
        assert sweep(grid, place / "through") == 0
    assert left_over(place / "through", "a.jsonl") == []
    return measured(place / "through"), steps.done, place / "empty"


def half_done(steps, place):
    """A folder in which the large grid was killed while the last checkpoint was made."""
    place.mkdir()
    last = max(at for at, step in enumerate(steps) if step.startswith("replace"))
    assert in_process(functools.partial(sweep, LARGE), place, last, "killed")[0] == "killed"
    kept = left_over(place, "a.jsonl", "a.jsonl.checkpoints")
    assert [name.rpartition(".")[2] for name in kept] == ["pt", "tmp"]
    return place


def same(expected, place):
    assert measured(place) == expected and left_over(place, "a.jsonl") == []


def test_a_sweep_survives_a_fault_at_every_step(tmp_path, capsys):
    small, _, empty = undisturbed(SMALL, tmp_path)
    rows = survives(functools.partial(sweep, SMALL), empty, tmp_path / "work",
                    functools.partial(same, small), rotating, capsys)
    steps = {row[0].split()[0] for row in rows}
    assert {"open", "lock", "read", "write", "sync", "replace", "unlink", "mkdir", "rmdir"} <= steps
    assert {row[2] for row in rows} == {"done", "refused", "killed"}


@pytest.mark.slow
@pytest.mark.parametrize("start", ["empty", "half"])
def test_a_sweep_survives_every_fault_at_every_step(start, tmp_path, capsys):
    large, steps, empty = undisturbed(LARGE, tmp_path)
    begin = empty if start == "empty" else half_done(steps, tmp_path / "half")
    survives(functools.partial(sweep, LARGE), begin, tmp_path / "work",
             functools.partial(same, large), every, capsys)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="where there is a GPU, PyTorch refuses to "
                    "differentiate in a forked process whose parent has done so")
def test_a_sweep_survives_the_end_of_its_process_at_every_step(tmp_path, capsys):
    large, _, empty = undisturbed(LARGE, tmp_path)
    survives(functools.partial(sweep, LARGE), empty, tmp_path / "work",
             functools.partial(same, large), lambda at: ["killed"], capsys, in_child)


def download(cache):
    """The exit code of a program that downloads and says what went wrong."""
    try:
        cifar10(cache=cache, progress=False)
    except DatasetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


@pytest.mark.parametrize("faults", [
    rotating, pytest.param(every, marks=pytest.mark.slow)], ids=["one", "every"])
def test_a_download_survives_faults_at_every_step(
        faults, tmp_path, official, folder, capsys):  # noqa: F811
    expected = cifar.from_folder(folder).fingerprint

    def check(cache):
        requests = len(official.requests)
        assert cifar10(cache=cache, progress=False).fingerprint == expected
        assert len(official.requests) == requests, "what is there is not fetched again"
        assert left_over(cache, "cifar.tar.gz", "cifar.tar.gz.lock") == []

    (tmp_path / "start").mkdir()
    rows = survives(download, tmp_path / "start", tmp_path / "work", check, faults, capsys)
    assert {"open", "lock", "read", "write", "flush", "sync", "replace", "unlink"} <= {
        row[0].split()[0] for row in rows}
