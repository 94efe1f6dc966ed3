"""Jobs and sweeps with parts in place of the real ones: what is called with what."""

import contextlib
import io
import platform
import sys
import types
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
import torch

from lib.experiments import checkpoints, jobs, sweep, training
from lib.experiments.images import dead_leaves
from lib.experiments.networks import Network
from lib.experiments.records import RecordsError, ResultsFile, read
from lib.experiments.settings import Grid, Settings

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = Settings(images=20, batch_size=10, epochs=2, evaluations=1)


def some(block, *widths, augmentation="none", seed=0):
    return tuple(Network(block, width, augmentation, seed) for width in widths)


def test_jobs_are_sorted_by_what_they_add_to_the_figure():
    """First seed, then width, seed, cost, kind and augmentation, each where those before agree."""
    orders = [
        [("B2", 32, "none", 5), ("B1", 8, "none", 4), ("B1", 32, "none", 3)],  # seed, then width
        [("B2", 8, "none", 3), ("B1", 8, "none", 4)],
        [("same2", 8, "none", 3), ("B1", 8, "none", 3), ("offset2prod", 8, "none", 3)],
        [("B1", 8, "none", 3), ("B2same", 8, "none", 3)],
        [("B1", 8, "color", 3), ("B1", 8, "none", 3), ("B1", 8, "spatial", 3)],
    ]
    for order in orders:
        for given in (order, order[::-1]):
            found = jobs.make_jobs([Network(*one) for one in given], first_seed=5)
            assert [(n.block, n.channels, n.augmentation, n.seed) for (n,) in found] == order
    negative = some("B1", 2, seed=-1) + some("B1", 2, seed=0)
    assert [job[0].seed for job in jobs.make_jobs(negative)] == [-1, 0]
    assert [job[0].seed for job in jobs.make_jobs(negative, 0)] == [0, -1]
    equal = [n for n in some("conv3", 4) + some("depth3", 4)]  # equal costs: the kind decides
    assert [job[0].block for job in jobs.make_jobs(equal[::-1])] == ["conv3", "depth3"]


class Trained:
    """In place of a trainer: says what it was given, diverges with every network wider than 8."""

    made = []

    def __init__(self, *given):
        self.given, self.order = given, list(given[0])[::-1]
        self.curves = [{"loss": [n.channels]} for n in self.order]
        self.stream, self.epoch, self.seconds = types.SimpleNamespace(count=20), 3, 0.0
        self.devices_in_words = lambda: "one chip"
        Trained.made.append(self)

    def run(self, *given):
        self.ran = given
        broken = [network for network in self.order if network.channels > 8]
        if broken:
            raise training.Diverged(broken, 7)

    def evaluate(self):
        return [n.channels / 10 for n in self.order]

    def test(self, data):
        return [(data, n.channels) for n in self.order]


@pytest.fixture
def trained(monkeypatch):
    monkeypatch.setattr(jobs, "Trainer", Trained)
    monkeypatch.setattr(Trained, "made", [])
    return Trained.made


def test_a_job_is_trained_evaluated_tested_and_described(trained):
    job = some("B2", 2, 4, augmentation="color", seed=3)
    images = dead_leaves(10, leaves=1)
    found = jobs.train_job(job, "settings", "data", "device", "checkpoint", "report", images)
    (one,) = trained
    assert one.given == (job, "settings", "data", "device") and one.ran == ("checkpoint", "report")
    made = found[0].pop("provenance")
    assert found[0] == {
        "name": "B2-C4-color-s3", "block": "B2", "window": 2, "channels": 4,
        "augmentation": "color", "seed": 3, "status": "finished", "accuracy": 0.4,
        "test_accuracy": (images, 4), "curve": {"loss": [4]}, "parameters": 374,
        "forward_operations": job[1].kind.forward_operations(4)}
    assert [entry["name"] for entry in found] == ["B2-C4-color-s3", "B2-C2-color-s3"]
    assert made["trained_with"] == ["B2-C2-color-s3", "B2-C4-color-s3"]
    assert (made["job_seconds"], made["threads"]) == (0.0, torch.get_num_threads())
    assert made["job_images_per_second"] == round(20 * 3 * 2 / 1e-9)
    assert made["code"] == checkpoints.code_digest() and len(made["finished"]) == 25
    one.seconds, one.epoch = 1.2345, 1
    made = jobs._record(one, 0, "finished")["provenance"]
    assert (made["job_seconds"], made["job_images_per_second"]) == (1.23, 32)
    found = jobs.train_job(job, "settings", "data")
    assert trained[1].given[3] == "cpu" and trained[1].ran == (None, None)
    assert [entry["test_accuracy"] for entry in found] == [None, None]


def test_companions_of_a_broken_network_are_trained_again_alone(trained):
    job = some("B1", 2, 9)
    images = dead_leaves(10, leaves=1)
    found = jobs.train_job(job, "settings", "data", "device", "checkpoint", "report", images)
    assert [one.given for one in trained[1:]] == [
        ((network,), "settings", "data", "device") for network in job]
    assert [one.ran for one in trained] == [("checkpoint", "report")] + [(None, "report")] * 2
    assert [(e["status"], e["accuracy"], e["test_accuracy"]) for e in found] == [
        ("finished", 0.2, (images, 2)), ("diverged in epoch 7", None, None)]


def test_a_job_anywhere_loads_its_data_and_never_fails(monkeypatch):
    given, threads, job = [], [], some("B1", 2)
    monkeypatch.setattr(jobs.torch, "set_num_threads", threads.append)
    monkeypatch.setattr(jobs, "load_data", lambda *values: ("data", values))
    monkeypatch.setattr(jobs, "load_test_data", lambda *values: ("test", values))
    monkeypatch.setattr(jobs, "train_job", lambda *values: given.append(values) or ["entry"])
    found = jobs.run_job(job, QUICK, ("folder", "cache"), "device", "folder/of", 3, (), "report")
    data, test = (("data", ("dead-leaves", 20, "folder", "cache")),
                  ("test", ("dead-leaves", "folder", "cache")))
    path = Path("folder/of") / f"{jobs.job_name(job)}.pt"
    assert found == (job, ["entry"], []) and threads == [3]
    assert given == [(job, QUICK, data, "device", path, "report", test)]
    jobs.run_job(job, QUICK, ("folder", "cache"))
    assert given[1] == (job, QUICK, data, "cpu", None, None, test) and threads == [3]
    monkeypatch.setattr(jobs, "load_data", lambda *values: 1 / 0)
    assert jobs.run_job(job, QUICK, ()) == (
        job, [], ["B1-C2-none-s0: ZeroDivisionError: division by zero"])


def test_images_of_another_machine_are_no_results_of_the_file(monkeypatch):
    """A worker of a cluster has other files under the same path."""
    monkeypatch.setattr(jobs, "train_job", lambda *values: ["entry"])
    job, right = some("B1", 2), dead_leaves(20).fingerprint
    assert jobs.run_job(job, QUICK, (), fingerprints=(right, None)) == (job, ["entry"], [])
    monkeypatch.setattr(jobs, "load_test_data", lambda *values: dead_leaves(20))
    assert jobs.run_job(job, QUICK, (), fingerprints=(right, right)) == (job, ["entry"], [])
    for wanted in (("0" * 16, right), (right, "0" * 16)):
        _, found, (failure,) = jobs.run_job(job, QUICK, (), fingerprints=wanted)
        assert found == [] and failure == (
            f"B1-C2-none-s0: DatasetError: run_job: the images on {platform.node()} are not those "
            f"of the results file: fingerprint {right}, must be {'0' * 16}")


def test_a_small_grid_is_trained_job_by_job(monkeypatch):
    given = []
    monkeypatch.setattr(jobs, "load_data", lambda *values: values)
    monkeypatch.setattr(jobs, "load_test_data", lambda *values: ("test", *values))
    monkeypatch.setattr(jobs, "train_job", lambda *values, test: given.append(
        (*values, test)) or [values[0]])
    grid = Grid({"B1": (2, 64)}, ("none",))
    found = jobs.train_grid(grid, QUICK)
    assert found == [some("B1", 2), some("B1", 64)]
    assert given == [(job, QUICK, ("dead-leaves", 20), "cpu", ("test", "dead-leaves"))
                     for job in found]  # as a sweep does; accuracies on test images were None
    jobs.train_grid(grid, QUICK, "device")
    assert given[2][3] == "device"


# Sweeps

class Bar:
    """A progress bar that remembers where it was."""

    def __init__(self, **options):
        self.options, self.n, self.places, self.said = options, 0, [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self, step):
        self.n += step
        self.places.append(round(self.n / self.options["total"], 6))

    def set_postfix_str(self, text):
        self.said.append(text)


@pytest.fixture
def bars(monkeypatch):
    made = []

    def tqdm(**options):
        made.append(Bar(**options))
        return made[-1]

    monkeypatch.setattr(sweep, "tqdm", tqdm)
    return made


def entry(network):
    return {"name": network.name, "block": network.block, "channels": network.channels,
            "augmentation": network.augmentation, "seed": network.seed, "accuracy": 0.5}


def test_a_progress_bar_is_shown_at_once(monkeypatch):
    """What was written may wait until it is flushed: a screen may wait for the end of a line."""
    screen = io.TextIOWrapper(buffer := io.BytesIO(), write_through=False)
    monkeypatch.setattr(sweep.sys, "stderr", screen)
    sweep._Screen().write("half a line")
    assert buffer.getvalue() == b""
    sweep._Screen().flush()
    assert buffer.getvalue() == b"half a line"


def test_progress_is_the_share_of_the_arithmetic(tmp_path, monkeypatch, bars):
    """Epoch by epoch, for jobs of equal cost; a job that fails goes back to where it began."""
    calls = []

    def run_job(job, settings, source, device, folder, threads, fingerprints, report):
        calls.append((job[0].seed, settings, source, device, folder, threads, fingerprints))
        report(1)
        if job[0].seed == 1 and len(calls) < 6:
            return job, [], [f"{len(calls)}"]
        report(2)
        return job, [entry(network) for network in job], []

    monkeypatch.setattr(jobs, "run_job", run_job)
    grid, path = Grid({"B1": (64,)}, ("none",), (0, 1, 2)), tmp_path / "a.jsonl"
    assert sweep.run_sweep(grid, QUICK, path) == ["5 (3 tries)"]
    (bar,) = bars
    assert isinstance(bar.options.pop("file"), sweep._Screen)
    assert bar.options == {
        "total": 3 * jobs.weight(some("B1", 64)), "disable": False,
        "bar_format": "{l_bar}{bar}| {elapsed} elapsed, {remaining} left{postfix}"}
    assert bar.places == [round(place / 6, 6) for place in (0, 1, 2, 2, 3, 3, 4, 4, 4, 5, 4, 5)]
    assert bar.said == [f"{count} networks stored" for count in (1, 1, 2, 2, 2)]
    assert [call[0] for call in calls] == [0, 1, 2, 1, 1]
    folder, images = str(sweep.checkpoint_folder(path)), (dead_leaves(20).fingerprint, None)
    assert {call[1:] for call in calls} == {(QUICK, (None, None), "cpu", folder, None, images)}
    assert folder == f"{path}.checkpoints" and Path(folder).is_absolute()
    assert sweep.checkpoint_folder("b") == Path.cwd() / "b.checkpoints"
    images_of, source = jobs.load_data, (str(tmp_path / "x"), str(tmp_path / "y"))
    monkeypatch.setattr(sweep, "load_data", lambda name, count, *given: images_of(name, count))
    assert sweep.run_sweep(grid, QUICK, path, source, "device", threads=4, progress=False) == []
    assert bars[1].options["disable"] is True
    assert bars[1].options["total"] == jobs.weight(some("B1", 64))
    assert calls[5:] == [(1, QUICK, source, "device", folder, 4, images)]
    assert bars[1].places == [0, 0.5, 1, 1] and bars[1].n == bars[1].options["total"]


def test_what_others_store_meanwhile_counts_as_done(tmp_path, monkeypatch, bars):
    path, grid = tmp_path / "a.jsonl", Grid({"B1": (64,)}, ("none",), (0, 1, 2))

    def run_job(job, *_, report):
        if job[0].seed == 0:
            sweep.open_results(QUICK, path, (None, None)).append(entry(*some("B1", 64, seed=1)))
        report(1)
        return job, [entry(network) for network in job], []

    monkeypatch.setattr(jobs, "run_job", run_job)
    assert sweep.run_sweep(grid, QUICK, path) == []
    assert bars[0].places == [round(place / 6, 6) for place in (0, 1, 2, 4, 5, 6)]


@pytest.mark.parametrize("workers, client", [(1, None), (2, None), (1, "client"), (2, "client")])
def test_jobs_are_done_where_they_were_asked_for(tmp_path, monkeypatch, bars, workers, client):
    used, asked = [], []

    def way(name):
        def run(todo, options, *rest):
            used.append((name, options, rest))
            yield from [(job, [entry(network) for network in job], []) for job in todo]
        return run

    @contextlib.contextmanager
    def connected(address):
        asked.append(address)
        yield client

    for name in ("on_cluster", "in_parallel", "one_by_one"):
        monkeypatch.setattr(sweep, name, way(name))
    monkeypatch.setattr(sweep, "connected", connected)
    path = tmp_path / "a.jsonl"
    assert sweep.run_sweep(Grid({"B1": (2,)}), QUICK, path, device="device", workers=workers,
                           scheduler="address", threads=5, progress=False) == []
    (name, options, rest), = used
    assert asked == ["address"]
    assert name == ("on_cluster" if client else "in_parallel" if workers > 1 else "one_by_one")
    assert options == (QUICK, (None, None), "device", f"{path}.checkpoints", 5,
                       (dead_leaves(20).fingerprint, None))
    assert rest[0] == client if client else workers == 1 or rest == (2,)


def test_a_relative_folder_is_that_of_the_asker_wherever_workers_were_started(
        tmp_path, monkeypatch):
    used = []
    monkeypatch.setattr(sweep, "connected", lambda address: contextlib.nullcontext("client"))
    monkeypatch.setattr(sweep, "open_results", lambda settings, output, source, **_: ResultsFile(
        output, settings, {"fingerprint": "0"}))
    monkeypatch.setattr(sweep, "on_cluster", lambda todo, options, client: (
        used.append(options[1]) or (job, [entry(n) for n in job], []) for job in todo))
    monkeypatch.chdir(tmp_path)
    for number, source in enumerate([("cifar", None), (None, Path("a")), ("~/cifar", tmp_path)]):
        sweep.run_sweep(Grid({"B1": (2,)}, ("none",)), QUICK, f"{number}.jsonl", source,
                        scheduler="address", progress=False)
    assert used == [(str(tmp_path / "cifar"), None), (None, str(tmp_path / "a")),
                    ("~/cifar", str(tmp_path))]


def test_several_processes_get_one_call_per_job(monkeypatch):
    todo, given = [some("B1", 2), some("B1", 3)], []

    def run(*values):
        given.append(values)
        yield 1, ("job", ["entry"], []), None
        yield 0, None, "its worker died"

    monkeypatch.setattr(sweep, "run", run)
    assert list(sweep.in_parallel(todo, ("a", "b"), 2)) == [
        ("job", ["entry"], []), (todo[0], [], ["B1-C2-none-s0: its worker died"])]
    assert given == [(jobs.run_job, [(job, "a", "b") for job in todo], 2)]


def test_the_first_seed_of_a_grid_is_its_smallest():
    grid = Grid({"B1": (2, 64)}, ("none",), (4, 3))
    assert [(job[0].seed, job[0].channels) for job in sweep.missing_jobs(grid, None)] == [
        (3, 2), (3, 64), (4, 2), (4, 64)]
    stored = types.SimpleNamespace(names=lambda: {"B1-C2-none-s3", "B1-C64-none-s3"})
    grid = Grid({"B1": (2, 64)}, ("none",), (3, 4, 5))  # the first of all, though it is stored
    assert [(job[0].seed, job[0].channels) for job in sweep.missing_jobs(grid, stored)] == [
        (4, 2), (5, 2), (4, 64), (5, 64)]


def test_the_data_of_a_sweep_are_loaded_and_described(tmp_path, monkeypatch):
    loaded, data = [], dead_leaves(20)
    monkeypatch.setattr(sweep, "load_data", lambda *values: loaded.append(values) or data)
    monkeypatch.setattr(sweep, "load_test_data", lambda *values: loaded.append(values))
    path = tmp_path / "a" / "b.jsonl"
    looked = sweep.open_results(QUICK, path, ("x", "y"), make=False)
    assert not path.parent.exists() and looked.names() == set()
    sweep.open_results(QUICK, path, ("x", "y"))
    assert loaded == [("dead-leaves", 20, "x", "y"), ("dead-leaves", "x", "y")] * 2
    header, entries = read(path)
    assert entries == [] and header["settings"] == QUICK.as_dict()
    about = {**data.provenance, "fingerprint": data.fingerprint, "count": 20}
    assert header["data"] == about
    monkeypatch.setattr(sweep, "load_test_data", lambda *values: dead_leaves(10))
    sweep.open_results(QUICK, path, ("x", "y"))  # test images that were not there at first
    new = sweep.open_results(QUICK, tmp_path / "new.jsonl", ("x", "y"))
    assert new.header["data"] == {**about, "test_fingerprint": dead_leaves(10).fingerprint}
    for other, says in ((dead_leaves(10, seed=1), "'"), (None, "None")):  # or missing here
        monkeypatch.setattr(sweep, "load_test_data", lambda *values, other=other: other)
        with pytest.raises(RecordsError, match="other settings .data test_fingerprint: '"
                           f".* there, {says}"):
            sweep.open_results(QUICK, tmp_path / "new.jsonl", ("x", "y"))


@pytest.mark.parametrize("source", ["~/cifar", Path("cifar"), ("cifar",), None])
def test_a_source_that_is_no_pair_is_named(tmp_path, source):
    with pytest.raises((TypeError, ValueError), match="run_sweep: source="):
        sweep.run_sweep(Grid({"B1": (2,)}), QUICK, tmp_path / "a.jsonl", source)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_images_that_a_sweep_would_not_use_is_refused(tmp_path):
    """The settings of a Settings() are dead leaves: a folder beside them was left out."""
    with pytest.raises(ValueError, match="folder='~/cifar', cache=None; dead-leaves is made here"):
        sweep.run_sweep(Grid({"B1": (2,)}), QUICK, tmp_path / "a.jsonl", ("~/cifar", None))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_lost_its_networks_is_noticed(tmp_path, monkeypatch, bars):
    path = tmp_path / "a.jsonl"
    monkeypatch.setattr(jobs, "run_job", lambda job, *_, report: (job, [], []))
    with pytest.raises(ValueError) as refused:
        sweep.run_sweep(Grid({"B1": (2,)}), QUICK, path)
    assert str(refused.value) == (f"run_sweep: {path} was exchanged while the sweep ran and lacks "
                                  "networks; start again")


def test_a_lost_scheduler_is_one_sentence(monkeypatch):
    class Future:
        def exception(self):
            raise CancelledError("gone")

    client = types.SimpleNamespace(submit=lambda *_, **options: Future())
    monkeypatch.setitem(sys.modules, "distributed",
                        types.SimpleNamespace(as_completed=list))
    with pytest.raises(OSError) as refused:
        list(sweep.on_cluster([some("B1", 2)], (), client))
    assert str(refused.value) == ("run_sweep: the scheduler is lost: gone; what was finished is "
                                  "stored, the same command continues")


@pytest.mark.parametrize("width, batch, measured, steps, device", [
    (64, 500, 16, 1, "cpu"), (16, 500, 64, 1, "cpu"), (16, 25, 25, 1, "cpu"),
    (256, 500, 10, 1, "cpu"), (4, 128, 128, 1, "cpu"), (16, 1, 10, 10, "cpu"),
    (256, 4, 10, 3, "cpu"), (256, 500, 500, 1, "cuda:0"), (64, 1000, 700, 1, "mps")])
def test_a_measurement_uses_batches_of_dead_leaves(monkeypatch, width, batch, measured, steps,
                                                   device):
    """At least ten images, no larger batches than the training's, and small ones on a CPU alone.

    In the stored runs a step of a GPU took as long with 25 images as with 128.  Each epoch here
    takes two seconds.
    """
    made, clock = [], iter(range(0, 1000, 2))

    class Timed:
        def __init__(self, *given):
            self.given, self.epochs = given, 0
            made.append(self)

        def run_epoch(self):
            self.epochs += 1

    monkeypatch.setattr(sweep, "Trainer", Timed)
    monkeypatch.setattr(sweep, "SECONDS_PER_MEASUREMENT", 4)
    monkeypatch.setattr(sweep.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(sweep, "dead_leaves", lambda count, leaves: range(count * (leaves == 10)))
    job, settings = some("B2", 2, width), Settings("cifar-10", 700, 7, batch)
    found = sweep.seconds_per_image(job, settings, device)
    (one,) = made
    step = min(batch, measured)
    assert one.given == (job, Settings("dead-leaves", measured, 7, step), range(measured), device)
    assert -(-measured // step) == steps
    assert one.epochs == 1 + 1 and found == 6 / 1 / measured


def test_a_measurement_of_a_wide_network_is_that_of_a_narrow_one_on_the_same_device(monkeypatch):
    given = []

    class Timed:
        def __init__(self, job, settings, data, device):
            given.append((job, device))

        def run_epoch(self):
            pass

    monkeypatch.setattr(sweep, "Trainer", Timed)
    monkeypatch.setattr(sweep, "SECONDS_PER_MEASUREMENT", 1e-4)
    sweep.seconds_per_image(some("B1", 257), QUICK, "device")
    assert given == [(some("B1", 256), "device")]
    assert (sweep.MEASURED_CHANNELS, sweep.TRIES, sweep.CONNECT_SECONDS) == (256, 3, 10)


def test_a_plan_of_all_images_counts_them_and_sets_the_threads(monkeypatch):
    """At one microsecond per image: (300 + 1/3) passes over 50,000 images are 15.0 seconds."""
    threads, before = [], torch.get_num_threads()
    monkeypatch.setattr(sweep.torch, "set_num_threads", threads.append)
    monkeypatch.setattr(sweep, "seconds_per_image", lambda job, settings, device: 1e-6 * 3600)
    settings = Settings("cifar-10", None, 300, 128, evaluations=1)
    text = sweep.describe(Grid({"B1": (4, 64), "B2": (256,)}, ("color",)), settings)
    assert threads == [1, before]
    assert text.splitlines() == [
        "data        cifar-10, 50000 images, 300 epochs, batches of 128",
        "networks    3 in the grid, 0 stored, 3 to train in 3 jobs",
        f"arithmetic  {3 * 50_000 * (300 + 1 / 3) * _operations():.2e} operations",
        "estimate    45.05 hours of one worker on this machine (cpu, 1 threads), 45.05 hours with "
        "1 workers", "  B1           C=[4, 64]  30.03 hours",
        "  B2           C=[256]  15.02 hours"]
    text = sweep.describe(Grid({"B1": (4, 8)}, ("color",)), settings, {"B1-C4-color-s0"}, "meta",
                          4, 2)
    assert threads == [1, before, 2, before]
    assert "2 in the grid, 1 stored, 1 to train in 1 jobs" in text
    assert "(meta, 2 threads), 15.02 hours with 4 workers" in text  # a job is not shared


def _operations():
    return sum(network.kind.forward_operations(network.channels)
               for network in (*some("B1", 4, 64), *some("B2", 256)))


def test_a_sweep_leaves_the_threads_of_a_session_as_they_were(tmp_path):
    before = torch.get_num_threads()
    settings = Settings(images=10, epochs=1, evaluations=1)
    assert not sweep.run_sweep(Grid({"B1": (1,)}, ("none",)), settings, tmp_path / "a.jsonl",
                               threads=before + 1, progress=False)
    found = read(tmp_path / "a.jsonl")[1]
    assert found[0]["provenance"]["threads"] == before + 1 == torch.get_num_threads() + 1
