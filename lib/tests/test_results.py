"""Results files: versions, checksums, locks, foreign files, and the files of the course."""

import builtins
import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
import torch

from lib import locks, results
from lib.benchmarks.missing_data import as_classifier
from lib.experiments.records import as_network
from lib.locks import locked
from lib.planted.runs import continue_runs, read_runs
from lib.results import STORED, Results, ResultsError, identifier, read
from lib.tests.faults import Steps

SETTINGS = {"steps": 2, "rate": 0.5}
PARSERS = {"missing-data": as_classifier, "dilated": dict, "widths": dict, "ranks": dict,
           "ranks-cifar": dict}
FILES = sorted(STORED.rglob("*.jsonl"))


@pytest.fixture
def path(tmp_path):
    """A file with the records one and two."""
    made = tmp_path / "a.jsonl"
    assert Results(made, SETTINGS).append({"name": "one", "x": 1.5}, {"name": "two"}) == [
        "one", "two"]
    return made


@pytest.mark.parametrize("stored", FILES, ids=lambda path: path.stem)
def test_the_files_of_the_course_are_read_and_continued_byte_for_byte(stored, tmp_path):
    parse = PARSERS.get(stored.stem, as_network)
    found, copy = read(stored, parse), tmp_path / stored.name
    shutil.copy(stored, copy)
    about = {key: found.header[key] for key in ("data", "made_with") if key in found.header}
    results = Results(copy, found.header["settings"], about, parse)
    assert copy.read_bytes() == stored.read_bytes() and results.contents == found
    assert identifier(found.header["settings"]) == found.header["identifier"]
    new = {**found.records[0], "name": "new"}
    assert results.append(*found.records, new) == ["new"]
    assert copy.read_bytes().startswith(stored.read_bytes())
    assert results.contents.unchecked == found.unchecked  # the new line has a checksum


def test_every_changed_bit_is_noticed(path):
    good = path.read_bytes()
    before = read(path)
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
        try:
            found = read(path)
        except ResultsError:
            continue
        # only what lies between the values of a line, and the end of the last one, says nothing
        assert found == before or found.records == before.records[:1] and at == len(good) - 1


def test_line_ends_and_marks_of_editors_do_not_matter(path):
    before, good = read(path), path.read_bytes()
    for changed in (good.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + good, good[:-1],
                    good.replace(b": ", b":")):
        path.write_bytes(changed)
        assert read(path) == before
        assert Results(path, SETTINGS).append({"name": "three"}) == ["three"]
        assert [record["name"] for record in read(path).records] == ["one", "two", "three"]
        assert path.read_bytes().startswith(changed)


@pytest.mark.parametrize("tail", [b"\0" * 100, b'{"check": "12', b'{"name": "thr', b"\xff\xfe"])
def test_what_an_interrupted_write_left_is_cut_off(path, tail):
    good = path.read_bytes()
    path.write_bytes(good + tail)
    assert len(read(path).records) == 2
    Results(path, SETTINGS)
    assert path.read_bytes() == good + tail  # nothing to write: nothing is touched
    Results(path, SETTINGS).append({"name": "three"})
    assert path.read_bytes().startswith(good + b'{"check": "')
    assert len(read(path).records) == 3


def test_a_torn_line_that_is_cut_off_while_somebody_reads_is_no_damage(path, monkeypatch):
    """It was read up to the torn end, then another process went on, then the rest was read."""
    good = path.read_bytes()
    path.write_bytes(good + b'{"check": "12345678')
    before, original, readings = path.read_bytes(), type(path).read_bytes, []

    def read_bytes(self):
        readings.append(self)
        if len(readings) > 1:
            return original(self)
        Results(path, SETTINGS).append({"name": "three"})
        return before + original(self)[len(before):]
    with monkeypatch.context() as patch:
        patch.setattr(type(path), "read_bytes", read_bytes)
        assert len(read(path).records) == 3
    path.write_bytes(good.replace(b"one", b"two"))
    with pytest.raises(ResultsError, match="line 2 was changed or damaged"):
        read(path)


@pytest.mark.parametrize("version, message", [
    (1, None), (2, None), (3, "is a header of format 3, this version of the course knows formats "
                              "1 to 2"), (0, "format 0"), ("2", "no header"), (True, "no header")])
def test_versions(path, version, message):
    header, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(results._line({**read(path).header, "format": version}) + b"".join(rest))
    if message is None:
        assert len(read(path).records) == 2
        return
    with pytest.raises(ResultsError, match=message):
        Results(path, SETTINGS)


def test_a_checksum_cannot_be_left_out(path):
    lines = path.read_bytes().splitlines(keepends=True)
    for place in range(3):
        entry = json.loads(lines[place])
        del entry["check"]
        bare = [*lines[:place], json.dumps(entry).encode() + b"\n", *lines[place + 1:]]
        path.write_bytes(b"".join(bare))
        with pytest.raises(ResultsError, match=f"line {place + 1} has no checksum"):
            read(path)


def test_half_a_write_is_taken_back(path):
    good = path.read_bytes()
    with Steps(path.parent).counted() as steps:
        Results(path, SETTINGS).append({"name": "three"})
    assert steps.done[-2:] == ["write a.jsonl", "sync a.jsonl"]  # on the disk before it counts
    at = len(steps.done) - 2
    for fault in ("half", "no space"):
        path.write_bytes(good)
        with Steps(path.parent, at, fault).counted():
            with pytest.raises(ResultsError, match="could be written|No space"):
                Results(path, SETTINGS).append({"name": "three"})
        assert path.read_bytes() == good


def test_a_file_exchanged_for_one_of_other_settings_is_not_continued(path):
    file = Results(path, SETTINGS)
    path.unlink()
    Results(path, {"steps": 3})
    other = path.read_bytes()
    with pytest.raises(ResultsError, match="steps: 3 there, 2 here"):
        file.append({"name": "three"})
    assert path.read_bytes() == other


def test_whole_lines_of_another_program_are_no_damaged_ones(path):
    """The advice for a damaged line is to delete it."""
    good = path.read_bytes()

    def of_runs(entry):
        if "errors" not in entry:
            raise ValueError("is no run")
        return entry

    with pytest.raises(ResultsError, match="line 2 is no run; is it a file of this program?"):
        read(path, of_runs)
    old = path.with_name("old")
    old.write_bytes(re.sub(rb'"check": "\w+", |"format": 2, ', b"", good))
    with pytest.raises(ResultsError, match="line 2 is no run; is it a file of this program?"):
        read(old, of_runs)
    assert len(read(old).records) == 2
    for make in (True, False):
        for file in (path, old):
            with pytest.raises(ResultsError, match="other settings .*; choose another output"):
                Results(file, {"steps": 3}, parse=of_runs, make=make)
    with old.open("ab") as file:
        file.write(b'{"name": "three"}\n{"x": 1}\n')
    with pytest.raises(ResultsError, match="line 5 is no record; if this is the right file, del"):
        read(old)
    assert path.read_bytes() == good


def test_numbers_as_keys_are_read_back(tmp_path):
    """Sorted as numbers they stand otherwise than as texts, and the checksum was of the first."""
    path, settings = tmp_path / "a", {"steps": {16: 1, 2: 3}, "rate": (1, 2)}
    record = {"name": "one", "by width": {2: 0.5, 16: 0.7, "all": [{10: True, 9: None}]}}
    results = Results(path, settings)
    assert results.append(record) == ["one"] and results.append(record, {"name": "two"}) == ["two"]
    [stored, _] = results.contents.records
    assert stored["by width"] == {"2": 0.5, "16": 0.7, "all": [{"10": True, "9": None}]}
    again = read(path).header["settings"]  # read back they are the same settings
    assert identifier(again) == identifier(settings)
    assert Results(path, again).names() == {"one", "two"}
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for wrong in ({"name": "x", "a": {(1, 2): 3}}, {"name": "x", "a": {1, 2}},
                  {"name": "x", "a": {1: 2, "1": 3}},  # one of them would be lost
                  {"name": "x", "a": deep}):
        with pytest.raises(ResultsError, match="append: 'x' "):
            results.append(wrong)

    with pytest.raises(ResultsError, match=r"key twice, as a number and as a text: \['1', '1'\]"):
        Results(tmp_path / "b", {"a": {1: 2, "1": 3}})

    def of_integers(entry):
        if any(type(width) is not int for width in entry.get("widths", ())):
            raise ValueError("has widths that are no integers")
        return entry

    with pytest.raises(ResultsError, match="no integers"):  # as they would be read
        Results(tmp_path / "b", {}, parse=of_integers).append({"name": "x", "widths": {2: 0.5}})


def test_what_cannot_be_read_is_not_written(path):
    good = path.read_bytes()
    for wrong in ({"name": "x", "loss": float("nan")}, {"name": "x", "loss": [1e999]}, {"x": 1},
                  {"name": 3}):
        with pytest.raises(ResultsError, match="append: "):
            Results(path, SETTINGS).append({"name": "three"}, wrong)
        assert path.read_bytes() == good


@pytest.mark.parametrize("make", [
    pytest.param(lambda p: p.mkdir(), id="folder"),
    pytest.param(lambda p: os.mkfifo(p), id="pipe"),
    pytest.param(lambda p: p.symlink_to(p), id="loop"),
    pytest.param(lambda p: p.write_bytes(b"notes"), id="text"),
    pytest.param(lambda p: p.write_bytes(b'{"my": "data"}'), id="JSON without line end"),
    pytest.param(lambda p: p.write_bytes(b"[" * 100_000 + b"\n"), id="deep JSON"),
    pytest.param(lambda p: p.write_bytes(b"\x80PK\x03\x04\n"), id="binary"),
    pytest.param(lambda p: p.write_bytes("{}\n".encode("utf-16")), id="UTF-16"),
    pytest.param(lambda p: p.write_bytes(b'{"check": "of my own'), id="like a torn header"),
])
def test_what_is_no_results_file_is_left_alone(tmp_path, make):
    target = tmp_path / "target"
    if os.name == "nt" and make.__code__.co_names[-1] in ("mkfifo", "symlink_to"):
        pytest.skip("this system has none")
    make(target)
    before = target.lstat().st_mtime_ns, target.read_bytes() if target.is_file() else None
    with pytest.raises(ResultsError, match="target"):
        Results(target, SETTINGS)
    assert before == (target.lstat().st_mtime_ns,
                      target.read_bytes() if target.is_file() else None)
    assert os.listdir(tmp_path) == ["target"]


def test_a_link_to_a_results_file_is_followed(path, tmp_path):
    (tmp_path / "link").symlink_to(path)
    assert Results(tmp_path / "link", SETTINGS).append({"name": "three"}) == ["three"]
    assert (tmp_path / "link").is_symlink() and len(read(path).records) == 3


def test_a_file_that_may_not_be_written_is_read(path, monkeypatch):
    original = io.open

    def protected(file, mode="r", *more, **options):  # root may write what is read-only
        if mode.startswith("a"):
            raise PermissionError(errno.EACCES, "Permission denied", str(file))
        return original(file, mode, *more, **options)
    monkeypatch.setattr(builtins, "open", protected)
    assert Results(path, SETTINGS, make=False).names() == {"one", "two"}
    with pytest.raises(ResultsError, match="cannot write .*Permission denied"):
        Results(path, SETTINGS).append({"name": "three"})


def test_two_writers_at_once_wait_for_each_other(path):
    order = []
    with locked(path):
        writer = threading.Thread(target=lambda: order.append(
            Results(path, SETTINGS).append({"name": "three"})))
        writer.start()
        writer.join(0.2)
        assert order == []
        with pytest.raises(OSError, match="another process has been writing it for 0 seconds"):
            with locked(path, seconds=0):
                pass
    writer.join()
    assert order == [["three"]]


@pytest.mark.skipif(os.name == "nt", reason="the process is killed by a signal")
def test_the_lock_of_a_killed_process_does_not_block(path):
    program = ("import sys, time\nfrom lib.locks import locked\nwith locked(sys.argv[1]):\n"
               "    print('held', flush=True)\n    time.sleep(60)\n")
    holder = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(OSError, match="another process"):
        with locked(path, seconds=0):
            pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with locked(path, seconds=5):
        pass


def test_windows_locks_one_byte_beyond_the_end(path, monkeypatch):
    calls = []

    def locking(number, mode, count):
        calls.append((mode, count, os.lseek(number, 0, os.SEEK_CUR)))
        if len(calls) == 1:
            raise PermissionError(errno.EACCES, "held")
    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setattr(locks, "msvcrt", types.SimpleNamespace(
        locking=locking, LK_NBLCK="try", LK_UNLCK="free"), raising=False)
    assert Results(path, SETTINGS).append({"name": "three"}) == ["three"]
    far = locks._FAR
    assert calls[:3] == [("try", 1, far), ("try", 1, far), ("free", 1, far)] and far < 2**31
    assert len(read(path).records) == 3


def test_a_file_system_without_locks_is_used_with_a_warning(path, monkeypatch):
    def flock(*arguments):
        raise OSError(errno.ENOSYS, "Function not implemented")
    if locks.fcntl is None:
        pytest.skip("this system has no flock")
    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="no locks; write with one process at a time"):
        assert Results(path, SETTINGS).append({"name": "three"}) == ["three"]


def test_all_fingerprints_must_agree(tmp_path):
    about = {"data": {"train": {"fingerprint": "1"}, "test": {"fingerprint": "2"}}}
    Results(tmp_path / "a", SETTINGS, about)
    Results(tmp_path / "a", SETTINGS, {**about, "made_with": "another machine"})
    about["data"]["test"]["fingerprint"] = "3"
    with pytest.raises(ResultsError, match="data test fingerprint: '2' there, '3' here"):
        Results(tmp_path / "a", SETTINGS, about)


@pytest.mark.parametrize("about", [
    lambda one: {"sets": [{"fingerprint": "0"}, {"fingerprint": one}]},
    lambda one: {"sets": [[{"fingerprint": one}]]},
    lambda one: {"fingerprint": {"train": one}},
    lambda one: {"data": {"settings": {"fingerprint": one}}}])
def test_fingerprints_must_agree_in_lists_and_groups_too(tmp_path, about):
    Results(tmp_path / "a", SETTINGS, about("1"))
    Results(tmp_path / "a", SETTINGS, about("1"))
    with pytest.raises(ResultsError, match="holds results of other settings .*'1'.* there"):
        Results(tmp_path / "a", SETTINGS, about("2"))


@pytest.mark.parametrize("about", [
    {"kind": "of mine"}, {"format": "png"}, {"settings": {"rate": 1}}, {"identifier": "mine"},
    {1: "a", "1": "b"}])
def test_nothing_of_what_a_file_is_about_is_dropped(tmp_path, about):
    with pytest.raises(ResultsError, match="about without .*|has a key twice"):
        Results(tmp_path / "a", SETTINGS, about)
    assert not (tmp_path / "a").exists()


def test_runs_with_impossible_errors_are_refused(tmp_path):
    for errors in ([-0.5], [True], [], "no", [1e999], ["0.5"]):
        (tmp_path / "a").write_bytes(
            b'{"kind": "header", "settings": {}, "identifier": "0"}\n'
            + json.dumps({"name": "x", "errors": errors}).encode() + b"\n")
        with pytest.raises(ResultsError, match="line 2 (is no run|holds a number)"):
            read_runs(tmp_path / "a")


def test_an_interrupt_while_the_disk_is_busy_takes_nothing_back(tmp_path, monkeypatch):
    kept = Results(tmp_path / "a.jsonl", {"steps": 1})

    def interrupted(number):
        raise KeyboardInterrupt
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kept.append({"name": "one", "error": 0.5})
    monkeypatch.undo()
    assert kept.names() == {"one"} and kept.append({"name": "one", "error": 0.5}) == []


@pytest.mark.parametrize("settings, about, advice", [
    (SETTINGS, {"n": 1}, "is a second header, of the same settings; delete this line alone"),
    ({**SETTINGS, "steps": 3}, {}, "is the header of another file, whose settings or data differ"),
    (SETTINGS, {"fingerprint": "b"}, "is the header of another file")])
def test_files_put_one_behind_the_other_are_told_apart(path, tmp_path, settings, about, advice):
    """The advice to delete the header alone would mix results of several settings."""
    other = Results(tmp_path / "b.jsonl", settings, about)
    other.append({"name": "three"})
    path.write_bytes(path.read_bytes() + other.path.read_bytes())
    with pytest.raises(ResultsError, match=f"line 4 {advice}") as refused:
        read(path)
    assert "computed again" not in str(refused.value)


def test_errors_of_runs_may_be_numbers_of_numpy_or_torch(tmp_path):
    trained = {"a": lambda: list(np.array([0.25])), "b": lambda: list(torch.tensor([0.5]))}
    assert continue_runs(tmp_path / "a", SETTINGS, trained) == ["a", "b"]
    assert read_runs(tmp_path / "a")[1] == {"a": [0.25], "b": [0.5]}


def test_blocks_that_a_power_cut_left_empty_are_called_so(path):
    """JSON with zeros is taken for UTF-32, of which the message spoke."""
    Results(path, SETTINGS).append({"name": "long", "curve": [0.5] * 400})
    raw = bytearray(path.read_bytes())
    raw[-1800:-200] = bytes(1600)
    path.write_bytes(raw)
    with pytest.raises(ResultsError, match="line 4 holds zeros, as a power cut leaves them; if this"
                                           " is the right file, delete the line: its result is"):
        read(path)
    path.write_bytes(raw[:-200])  # the end of the file: cut off
    assert Results(path, SETTINGS).append({"name": "long"}) == ["long"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_files_that_a_shell_wrote_in_another_encoding_are_called_so(path, encoding):
    """Windows PowerShell joins files in UTF-16: the advice was to delete one line after another."""
    Results(path, SETTINGS).append({"name": "three"})
    path.write_bytes(f"\ufeff{path.read_text()}".encode(encoding))
    with pytest.raises(ResultsError, match="is written in UTF-16, as > of Windows") as refused:
        read(path)
    assert "delete" not in str(refused.value)


@pytest.mark.parametrize("trainings", [{0: lambda: [0.5]}, [("a", lambda: [0.5])], "a"])
def test_trainings_without_names_are_refused_before_the_first_of_them(tmp_path, trainings):
    """Seeds as keys: the first training was done, and its record refused."""
    with pytest.raises(TypeError, match="continue_runs: trainings=.*; need a dictionary from"):
        continue_runs(tmp_path / "a", SETTINGS, trainings)
    assert not (tmp_path / "a").exists()


def test_a_training_that_returns_one_number_is_named(tmp_path):
    with pytest.raises(TypeError, match="continue_runs: a returned 0.5; need the errors of its st"):
        continue_runs(tmp_path / "a", SETTINGS, {"a": lambda: 0.5})


def test_what_another_process_trained_meanwhile_is_not_trained_again(tmp_path):
    calls = []
    other = {"b": lambda: calls.append("other") or [0.5]}
    trainings = {"a": lambda: continue_runs(tmp_path / "a", SETTINGS, other) and [0.25],
                 "b": lambda: calls.append("own") or [0.5]}
    assert continue_runs(tmp_path / "a", SETTINGS, trainings) == ["a"] and calls == ["other"]


@pytest.mark.parametrize("settings, about", [
    (["steps", 2], None), ("steps=2", None), (None, None), (SETTINGS, {"check": 1}), (SETTINGS, 3)])
def test_a_header_that_could_not_be_read_is_not_written(tmp_path, settings, about):
    with pytest.raises(ResultsError, match="Results: .*; need dictionaries, about without check"):
        Results(tmp_path / "a", settings, about)
    assert not (tmp_path / "a").exists()


def test_records_of_one_call_that_differ_under_one_name_are_refused_not_dropped(path):
    before = path.read_bytes()
    with pytest.raises(ResultsError, match="append: 'net' is given twice, with different"):
        Results(path, SETTINGS).append({"name": "net", "x": 1}, {"name": "net", "x": 2})
    assert path.read_bytes() == before
    assert Results(path, SETTINGS).append(
        {"name": "net", "x": 1, "provenance": 1}, {"name": "net", "x": 1}) == ["net"]


def test_a_file_stays_where_it_is_when_a_caller_changes_the_folder(tmp_path, monkeypatch):
    """What came after the change went into another file."""
    monkeypatch.chdir(tmp_path)
    results = Results("a.jsonl", {})
    results.append({"name": "one"})
    monkeypatch.chdir(tmp_path.parent)
    assert results.names() == {"one"} and results.append({"name": "two"}) == ["two"]
    assert [record["name"] for record in read(tmp_path / "a.jsonl").records] == ["one", "two"]
