"""The sweep: resumed, killed, stopped, distributed, with broken networks and full memory."""

import contextlib
import errno
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from lib import results
from lib.experiments import __main__ as command
from lib.experiments import checkpoints, jobs, sweep, training
from lib.experiments.images import dead_leaves
from lib.experiments.kinds import KINDS
from lib.experiments.networks import Network
from lib.experiments.records import STORED, RecordsError, ResultsFile, read, refuse_download
from lib.experiments.settings import PRESETS, PUBLISHED, Grid, Settings

QUICK = Settings(images=20, batch_size=10, epochs=2, evaluations=1)
GRID = Grid({"B1": (2, 4), "offset2": (2,)}, seeds=(0, 1))


def quick_sweep(path, grid=GRID, settings=QUICK, **options):
    return sweep.run_sweep(grid, settings, path, progress=False, threads=1, **options)


pytestmark = pytest.mark.usefixtures("one_thread")


def record(name):
    return {"name": name, "block": "B1", "channels": 2, "augmentation": "color", "seed": 0,
            "accuracy": 0.5}


def stored(path):
    return [record["name"] for record in read(path)[1]]


def accuracies(path):
    return {record["name"]: record["accuracy"] for record in read(path)[1]}


def test_every_network_once_with_its_provenance(tmp_path):
    path = tmp_path / "results" / "a.jsonl"
    assert quick_sweep(path) == []
    assert sorted(stored(path)) == sorted(network.name for network in GRID.networks())
    header, entries = read(path)
    assert header["settings"]["epochs"] == 2 and header["data"]["name"] == "dead-leaves"
    for entry in entries:
        assert len(entry["curve"]["loss"]) == len(entry["curve"]["accuracy"]) == 2
        assert 0 <= entry["accuracy"] <= 1 and entry["status"] == "finished"
        assert {"torch", "device", "threads", "code", "finished"} <= set(entry["provenance"])
    before = path.read_bytes()
    quick_sweep(path)
    assert path.read_bytes() == before
    assert not sweep.checkpoint_folder(path).exists()


def test_several_processes_give_the_same_numbers(tmp_path):
    quick_sweep(tmp_path / "one.jsonl")
    quick_sweep(tmp_path / "two.jsonl", workers=2)
    one, two = accuracies(tmp_path / "one.jsonl"), accuracies(tmp_path / "two.jsonl")
    assert one.keys() == two.keys()
    assert all(abs(one[name] - two[name]) <= 0.1 for name in one)


def test_resume_trains_only_what_is_missing(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    quick_sweep(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:30])  # killed while writing the fourth
    seen = []
    original = jobs.train_job
    monkeypatch.setattr(jobs, "train_job", lambda job, *a: seen.extend(job) or original(job, *a))
    quick_sweep(path)
    assert len(seen) == 9 and len(stored(path)) == len(set(stored(path))) == 12


def test_other_settings_or_data_are_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    quick_sweep(path, Grid({"B1": (2,)}))
    with pytest.raises(RecordsError, match="epochs: 2 there, 3 here"):
        quick_sweep(path, settings=Settings(images=20, batch_size=10, epochs=3, evaluations=1))
    with pytest.raises(RecordsError, match="data fingerprint"):
        ResultsFile(path, QUICK, {"fingerprint": "other"})
    (tmp_path / "b.jsonl").write_text('{"kind": "something"}\n')
    with pytest.raises(RecordsError, match="is it a results file"):
        quick_sweep(tmp_path / "b.jsonl")


def test_the_stored_identifier_has_the_last_word(tmp_path):
    """A setting that this version does not know makes other results, too."""
    path = tmp_path / "a.jsonl"
    header = ResultsFile(path, QUICK, {"fingerprint": "0"}).header
    other = {**header["settings"], "model": "convac"}  # as version 1.0 wrote for circuits
    for changed, message in (({"settings": other}, "model: 'convac' there, None here"),
                             ({"identifier": "0" * 12}, "identifier: '000000000000' there"),
                             ({"format": 3}, "format 3, this version of the course knows"),
                             ({"format": "2"}, "line 1 is no header")):
        path.write_bytes(results._line({**header, **changed}))
        with pytest.raises(RecordsError, match=message):
            ResultsFile(path, QUICK, {"fingerprint": "0"})


@pytest.mark.parametrize("content", [b'{"my": "data"}', b'{"my": "data"}\n', b"notes"])
def test_foreign_files_are_left_alone(tmp_path, content):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordsError, match="is it a results file"):
        quick_sweep(path)
    assert path.read_bytes() == content


def test_a_torn_header_is_written_again(tmp_path):
    path = tmp_path / "a.jsonl"
    ResultsFile(path, QUICK, {"fingerprint": "0"})
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    ResultsFile(path, QUICK, {"fingerprint": "0"})
    assert path.read_bytes() == whole


def test_lines_that_are_no_records_are_refused_and_doubled_ones_counted_once(tmp_path):
    path = tmp_path / "a.jsonl"
    ResultsFile(path, QUICK, {"fingerprint": "0"}).append(record("one"))
    good = path.read_bytes()
    path.write_bytes(good + good.splitlines(keepends=True)[1])
    assert stored(path) == ["one"]
    other = results._line({"kind": "network", **record("one"), "accuracy": 0.25})
    path.write_bytes(good + other)
    with pytest.raises(RecordsError, match="line 3 and line 2 hold different results of one"):
        read(path)
    for wrong, message in (
            ([], "is not a JSON object"), ({"kind": "network", "name": "two"}, "it lacks accuracy"),
            ({**record("two"), "accuracy": 7}, "accuracy=7 is impossible"),
            ({**record("two"), "accuracy": float("nan")}, "number that is not finite"),
            ({**record("two"), "curve": {"loss": [-1]}}, "curve=.* is impossible"),
            ({**record("two"), "channels": 0}, "channels=0 is impossible"),
            (record("two"), "has no checksum")):
        line = json.dumps(wrong).encode() + b"\n"
        with contextlib.suppress(ValueError, AttributeError):
            line = results._line(wrong) if message != "has no checksum" else line
        path.write_bytes(good + line)
        with pytest.raises(RecordsError, match=f"line 3 .*{message}"):
            read(path)


def test_old_and_new_kinds_share_a_file(tmp_path, monkeypatch):
    """A file of version 1.0, which knew windows only, is read and continued."""
    header, old = read(STORED / "laptop.jsonl")
    lines = (STORED / "laptop.jsonl").read_bytes().splitlines(keepends=True)
    assert "block" not in json.loads(lines[1]) and old[0]["block"] == "B1"
    assert PRESETS["laptop"][0].identifier == PRESETS["factorial"][0].identifier
    assert header["identifier"] == PRESETS["factorial"][0].identifier
    path = tmp_path / "a.jsonl"
    quick_sweep(path, Grid({"B1": (2,)}, ("color",)))
    head, entry = map(json.loads, path.read_text().splitlines())
    for field in ("block", "test_accuracy", "check"):
        del entry[field]
    old = json.dumps({**head, "format": 1, "check": None}) + "\n" + json.dumps(entry) + "\n"
    path.write_text(old)
    quick_sweep(path, Grid({"B1": (2,), "conv2": (2,), "offset3prod": (2,)}, ("color",)))
    assert [(r["block"], r["window"]) for r in read(path)[1]] == [
        ("B1", 1), ("conv2", 2), ("offset3prod", 3)]
    assert path.read_text().startswith(old) and results.read(path).unchecked == 1
    assert stored(path)[0] == "B1-C2-color-s0"


def test_unwritable_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    code = command.main(["--output", str(tmp_path / "file" / "a.jsonl"), "--quiet"])
    assert code == 2 and "must be a folder" in capsys.readouterr().err


def test_full_disk_keeps_what_was_stored(tmp_path, monkeypatch):
    file = ResultsFile(tmp_path / "a.jsonl", QUICK, {"fingerprint": "0"})
    file.append(record("first"))
    before = file.path.read_bytes()

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(results.os, "fsync", full)
    with pytest.raises(RecordsError, match="No space left"):
        file.append(record("second"))
    monkeypatch.undo()
    assert file.path.read_bytes() == before
    file.append(record("third"))
    assert stored(file.path) == ["first", "third"]


def test_many_writers_lose_and_double_nothing(tmp_path):
    path = tmp_path / "a.jsonl"
    ResultsFile(path, QUICK, {"fingerprint": "0"})

    def write(start):
        file = ResultsFile(path, QUICK, {"fingerprint": "0"})
        for number in range(start, start + 12):
            file.append({**record(str(number)), "filler": "x" * 5000})
    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 6, 12, 18)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, stored(path))) == list(range(30))


def test_a_diverging_network_is_recorded_and_spares_the_others():
    settings = Settings(images=20, batch_size=10, epochs=2, evaluations=1)
    networks = (Network("B1", 2, "spatial", 0), Network("B1", 4, "spatial", 0))
    data, original = dead_leaves(20), training.Ensemble

    class Poisoned(original):
        def __init__(self, members):
            super().__init__(members)
            for place, member in enumerate(members):
                if member.channels == 2:
                    self._slices(place)["conv0"].fill_(float("nan"))

    training.Ensemble = Poisoned
    try:
        entries = jobs.train_job(networks, settings, data)
    finally:
        training.Ensemble = original
    good = jobs.train_job(networks[1:], settings, data)[0]
    by_name = {entry["name"]: entry for entry in entries}
    assert by_name[networks[0].name]["status"] == "diverged in epoch 0"
    assert by_name[networks[0].name]["accuracy"] is None
    assert by_name[networks[1].name]["curve"] == good["curve"]


def test_a_job_that_fails_is_reported_and_the_rest_goes_on(tmp_path, monkeypatch):
    original = training.Trainer.run

    def run(self, *arguments):
        if any(network.channels == 4 for network in self.order):
            raise MemoryError("too much")
        original(self, *arguments)
    monkeypatch.setattr(training.Trainer, "run", run)
    failures = quick_sweep(tmp_path / "a.jsonl", Grid({"B1": (4, 32)}, ("color",)))
    assert failures == ["B1-C4-color-s0: MemoryError: too much (3 tries)"]
    assert stored(tmp_path / "a.jsonl") == ["B1-C32-color-s0"]


def launch(path, *more):
    options = ["--kinds", "B2", "--channels", "4", "8", "32", "--augmentations", "color",
               "--seeds", "0", "1", "--epochs", "60", "--images", "50", "--device", "cpu",
               "--threads", "1", "--quiet", "--output", str(path), *more]
    return subprocess.Popen([sys.executable, "-m", "lib.experiments", *options],
                            stderr=subprocess.PIPE, text=True)


def wait_for_first_record(path, process, seconds=90):
    deadline = time.monotonic() + seconds
    while not read(path)[1]:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the signals are those of POSIX")
@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
def test_stopped_at_any_moment_and_started_again(tmp_path, how):
    for again in range(3):  # a busy machine may notice the first record after the last one
        path = tmp_path / f"{again}.jsonl"
        process = launch(path)
        wait_for_first_record(path, process)
        process.send_signal(getattr(signal, how))
        message = process.communicate(timeout=60)[1]
        done = stored(path)
        if len(done) < 6:
            break
    assert 0 < len(done) < 6
    if how == "SIGINT":
        assert process.returncode == 130 and "the same command continues" in message
    process = launch(path)
    assert process.communicate(timeout=120) and process.returncode == 0
    assert stored(path)[:len(done)] == done and len(set(stored(path))) == len(stored(path)) == 6


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the worker is killed by a signal")
def test_a_killed_dask_worker_loses_and_doubles_nothing(tmp_path):
    distributed = pytest.importorskip("distributed")
    path = tmp_path / "a.jsonl"
    settings = Settings(images=50, batch_size=10, epochs=30, evaluations=1)
    grid = Grid({"B2": (2, 32), "B3": (2, 32)}, ("color",), seeds=(0, 1))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50,
        local_directory=str(tmp_path),
    ) as cluster:
        victims = [worker.pid for worker in cluster.workers.values()]

        def kill():
            deadline = time.monotonic() + 60
            while not read(path)[1] and time.monotonic() < deadline:
                time.sleep(0.02)
            os.kill(victims[0], signal.SIGKILL)
        killer = threading.Thread(target=kill)
        killer.start()
        failures = quick_sweep(path, grid, settings, scheduler=cluster.scheduler_address)
        killer.join()
        assert victims[0] not in [worker.pid for worker in cluster.workers.values()]
    assert failures == []
    assert sorted(stored(path)) == sorted(network.name for network in grid.networks())


def test_dry_run_writes_nothing(tmp_path, capsys):
    path = tmp_path / "none" / "a.jsonl"
    code = command.main(["--dry-run", "--output", str(path), "--kinds", "B1", "--channels", "2",
                         "--augmentations", "spatial", "color", "--device", "cpu"])
    text = capsys.readouterr().out
    assert code == 0 and not path.parent.exists()
    assert "2 in the grid, 0 stored, 2 to train" in text and "hours" in text


def test_presets_hold_what_they_promise():
    assert set(PRESETS) == {"minute", "laptop", "factorial", "paper"}
    settings, grid = PRESETS["paper"]
    assert settings.epochs == 300 and settings.images is None and max(grid.channels["B1"]) == 2048
    settings, grid = PRESETS["laptop"]
    assert settings.data == "cifar-10" and list(grid.channels) == list(PUBLISHED)
    assert len(grid.networks()) == 180 and all(max(c) == 64 for c in grid.channels.values())
    assert not set(grid.channels) & set(PRESETS["factorial"][1].channels)
    assert {*grid.channels, *PRESETS["factorial"][1].channels} == set(KINDS)
    for settings, _ in PRESETS.values():
        assert json.loads(json.dumps(settings.as_dict())) == settings.as_dict()


def test_the_first_seed_comes_first_then_narrow_before_wide():
    grid = Grid({"B1": (2, 32, 64)}, ("color",), seeds=(5, 3, 4))
    order = [(job[0].seed, job[-1].channels)
             for job in jobs.make_jobs(grid.networks(), first_seed=5)]
    assert order == [(5, 2), (5, 32), (5, 64), (3, 2), (4, 2), (3, 32), (4, 32), (3, 64), (4, 64)]


def test_slow_kinds_come_last_among_equals():
    order = [job[0].block for job in jobs.make_jobs(
        Grid({"offset3": (64,), "B1": (64,), "same2": (64,)}, ("color",)).networks())]
    assert order == ["same2", "B1", "offset3"]


def test_a_failed_job_is_tried_again_from_its_checkpoint(tmp_path, monkeypatch):
    grid = Grid({"B1": (2, 32)}, ("color",))
    quick_sweep(tmp_path / "through.jsonl", grid)
    original, epochs = training.Trainer.run_epoch, []

    def run_epoch(self):
        epochs.append((self.order[0].channels, self.epoch))
        if self.order[0].channels == 2 and self.epoch == 1 and epochs.count((2, 1)) < 3:
            raise OSError("the disk is away")
        original(self)
    monkeypatch.setattr(training.Trainer, "run_epoch", run_epoch)
    monkeypatch.setattr(training.Trainer, "run", functools.partialmethod(
        training.Trainer.run, every_seconds=0))
    path = tmp_path / "a.jsonl"
    assert quick_sweep(path, grid) == []
    assert epochs == [(2, 0), (2, 1), (32, 0), (32, 1), (2, 1), (2, 1)]
    assert accuracies(path) == accuracies(tmp_path / "through.jsonl")
    assert not sweep.checkpoint_folder(path).exists()


def test_workers_end_when_their_results_cannot_be_stored(tmp_path, monkeypatch):
    ended = []

    def run(function, calls, workers):
        try:
            for place, call in enumerate(calls):
                yield place, function(*call), None
        finally:
            ended.append(place)
    original = ResultsFile.append

    def append(self, *records):
        if records:
            raise RecordsError("the disk is full")
        return original(self)
    monkeypatch.setattr(sweep, "run", run)
    monkeypatch.setattr(ResultsFile, "append", append)
    try:
        quick_sweep(tmp_path / "a.jsonl", GRID, workers=2)
    except RecordsError as error:
        assert ended == [0] and "full" in str(error)  # while the error is still looked at
    else:
        pytest.fail("the error was swallowed")


def test_what_another_sweep_stored_meanwhile_is_not_trained_again(tmp_path, monkeypatch):
    path, grid = tmp_path / "a.jsonl", Grid({"B1": (2,)}, ("color",), seeds=(0, 1, 2))
    original, trained = jobs.train_job, []

    def train_job(job, settings, data, *arguments):
        trained.append(job[0].seed)
        if job[0].seed == 0:
            other = tuple(network for network in grid.networks() if network.seed == 1)
            ResultsFile(path, QUICK, {"fingerprint": data.fingerprint}).append(
                *original(other, settings, data))
        return original(job, settings, data, *arguments)
    monkeypatch.setattr(jobs, "train_job", train_job)
    assert quick_sweep(path, grid) == [] and trained == [0, 2] and len(stored(path)) == 3


def test_a_results_file_that_is_exchanged_during_a_sweep_is_noticed(tmp_path, monkeypatch):
    path, original = tmp_path / "a.jsonl", jobs.train_job

    def train_job(job, *arguments):
        if job[0].seed == 1:
            path.rename(tmp_path / "moved.jsonl")
        return original(job, *arguments)
    monkeypatch.setattr(jobs, "train_job", train_job)
    with pytest.raises(RecordsError, match="was exchanged .* start again"):
        quick_sweep(path, Grid({"B1": (2,)}, ("color",), seeds=(0, 1)))


def test_a_job_that_kills_its_workers_is_given_up_and_the_rest_goes_on(tmp_path, monkeypatch):
    tries = []

    def run(function, calls, workers):  # as `workers.run`, whose own tests use processes
        for place, call in enumerate(calls):
            tries.append(call[0][0].seed)
            deadly = tries[-1] == 1 or tries == [0]
            yield (place, None, "its worker died") if deadly else (place, function(*call), None)
    monkeypatch.setattr(sweep, "run", run)
    path = tmp_path / "a.jsonl"
    failures = quick_sweep(path, Grid({"B1": (2,)}, ("color",), seeds=(0, 1, 2)), workers=2)
    assert tries == [0, 1, 2, 0, 1, 1]
    assert failures == ["B1-C2-color-s1: its worker died (3 tries)"]
    assert stored(path) == ["B1-C2-color-s2", "B1-C2-color-s0"]


@pytest.mark.parametrize("arguments, message", [
    (["--workers", "0"], "--workers 0: must lie between 1 and"),
    (["--threads", "100000"], "--threads 100000: must lie between 1 and"),
    (["--output", "~nobody-here/a.jsonl"], "there is no such home folder"),
    (["--output", "."], "it is not a regular file"),
    (["--data-folder", "x"], "must be left out"),
    (["--device", "nothing"], "--device nothing"),
    (["--translation", "-1"], "translation=-1"),
    (["--color-shift", "nan"], "color_shift=nan"),
    (["--learning-rate", "nan"], "learning_rate=nan"),
    (["--seeds", "1", "1"], "seeds (1, 1), must be at least one, all different"),
    (["--channels", "2", "2"], "channels of B1 (2, 2), must be"),
    (["--channels", "0"], "channels=0, must be"),
    (["--images", "5"], "images=5, must be an integer from 10"),
    (["--images", "1000000000000"], "must be an integer from 10"),
    (["--epochs", "0"], "epochs=0"),
    (["--data", "cifar-10", "--data-folder", "x", "--cache", "y"], "must be left out"),
    (["--data", "cifar-10", "--data-folder", "/nowhere"], "/nowhere lacks data_batch_1.bin"),
    (["--data", "cifar-10", "--data-folder", "~nobody-here"], "~nobody-here"),
    (["--scheduler", "tcp://127.0.0.1:9", "--workers", "2"], "workers of its own"),
    (["--scheduler", "nonsense"], "must be an address such as tcp://host:8786"),
])
def test_bad_arguments_are_refused_before_a_file_is_touched(tmp_path, capsys, arguments, message):
    path = tmp_path / "a.jsonl"
    for more in ([], ["--dry-run"]):
        output = [] if "--output" in arguments else ["--output", str(path)]
        assert command.main([*output, "--quiet", *arguments, *more]) == 2
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1 and not list(tmp_path.iterdir())


def test_a_dry_run_refuses_what_the_run_would_refuse(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    ResultsFile(path, QUICK, {"fingerprint": "0"})
    assert command.main(["--dry-run", "--output", str(path)]) == 2
    assert "holds results of other settings" in capsys.readouterr().err


def test_results_of_a_local_folder_are_named_before_a_download(tmp_path, monkeypatch, capsys):
    path, arguments = tmp_path / "a.jsonl", ["--preset", "laptop", "--cache", str(tmp_path)]
    ResultsFile(path, PRESETS["laptop"][0], {"fingerprint": "0", "official": False})
    monkeypatch.setattr(sweep, "load_data", lambda *_: pytest.fail("fetched"))
    before = path.read_bytes()
    for more in ([], ["--dry-run"]):
        assert command.main([*arguments, "--output", str(path), *more]) == 2
        assert "name the folder (--data-folder), or another results file (--output)" in (
            capsys.readouterr().err)
    assert path.read_bytes() == before
    with pytest.raises(RecordsError, match="a local folder, not of the published ones"):
        sweep.open_results(PRESETS["laptop"][0], STORED / "laptop.jsonl", (None, tmp_path))
    ResultsFile(tmp_path / "b", PRESETS["laptop"][0], {"fingerprint": "0", "official": True})
    assert refuse_download(tmp_path / "b") is refuse_download(tmp_path / "none") is None
    assert not sweep.must_download(PRESETS["laptop"][0], ("x", None))
    assert not sweep.must_download(QUICK, (None, tmp_path))


@pytest.mark.slow
def test_the_code_digest_covers_what_determines_the_numbers():
    """Every module that the trainer and the data need, and nothing is missing from the list."""
    code = ("import sys, lib.experiments.training, lib.experiments.cifar\n"
            "print(*(n.split('.')[-1] for n in sys.modules if n.startswith('lib.experiments.')))")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert set(found.split()) == {*checkpoints.NUMERICAL, "checkpoints"}
