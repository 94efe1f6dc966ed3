"""Checkpoints: continued only where job, data and code are the same, removed once not needed."""

import contextlib
import functools

import pytest

from lib import locks, results
from lib.experiments import checkpoints, jobs, sweep, training
from lib.experiments.images import dead_leaves
from lib.experiments.networks import Network
from lib.experiments.settings import Grid, Settings
from lib.tests.test_experiments_sweep import QUICK, quick_sweep

pytestmark = pytest.mark.usefixtures("one_thread")


def test_checkpoint_continues_to_the_same_numbers(tmp_path):
    data, networks = dead_leaves(20), (Network("B2", 4, "color", 0), Network("B2", 2, "color", 0))
    settings = Settings(images=20, batch_size=10, epochs=6, evaluations=1)
    through = training.Trainer(networks, settings, data)
    through.run()
    path = tmp_path / "folder" / "state.pt"

    def interrupt(epoch):
        if epoch == 4:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        training.Trainer(networks, settings, data).run(str(path), interrupt, every_seconds=0)
    epochs = []
    resumed = training.Trainer(networks, settings, data)
    resumed.run(str(path), epochs.append)  # a text is a path too
    assert epochs == [3, 4, 5, 6]
    assert resumed.curves == through.curves and resumed.evaluate() == through.evaluate()
    assert path.exists()
    other = training.Trainer(networks, settings, dead_leaves(20, seed=1))
    with pytest.warns(UserWarning, match="the training starts anew"):
        other.run(path, epochs.append)  # other data: not continued
    assert epochs[4:] == [1, 2, 3, 4, 5, 6]
    path.write_bytes(b"damaged")
    afresh = training.Trainer(networks, settings, data)
    with pytest.warns(UserWarning, match="its checksum is wrong; the training starts anew"):
        afresh.run(path)
    assert afresh.curves == through.curves


def test_a_checkpoint_stays_until_its_results_are_stored(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    grid = Grid({"B1": (2,)}, ("color",))
    kept = jobs.checkpoint_path(tuple(grid.networks()), sweep.checkpoint_folder(path))
    kept.parent.mkdir()
    kept.write_bytes(b"damaged")
    monkeypatch.setattr(training.Trainer, "evaluate", lambda self: 1 / 0)
    with pytest.warns(UserWarning, match="the training starts anew"):
        assert "ZeroDivisionError" in quick_sweep(path, grid)[0] and kept.exists()
        monkeypatch.undo()
        assert quick_sweep(path, grid) == [] and not kept.parent.exists()


def test_a_checkpoint_stays_when_results_cannot_be_stored(tmp_path, monkeypatch):
    path, grid = tmp_path / "a.jsonl", Grid({"B1": (2,)}, ("color",))
    monkeypatch.setattr(training.Trainer, "run", functools.partialmethod(
        training.Trainer.run, every_seconds=0))
    original = sweep.ResultsFile.append

    def append(self, *records):
        if records:
            raise results.ResultsError("the disk is full")
        return original(self)
    monkeypatch.setattr(sweep.ResultsFile, "append", append)
    with pytest.raises(results.ResultsError, match="full"):
        quick_sweep(path, grid)
    kept = jobs.checkpoint_path(tuple(grid.networks()), sweep.checkpoint_folder(path))
    assert kept.exists() and results.read(path).records == []


@pytest.fixture
def state(tmp_path):
    """A trainer after one epoch, and its checkpoint."""
    trainer = training.Trainer([Network("B1", 2, "color", 0)], QUICK, dead_leaves(20))
    trainer.run_epoch()
    path = tmp_path / "folder" / "a.pt"
    checkpoints.save(path, trainer._state())
    assert [file.name for file in path.parent.iterdir()] == ["a.pt"]
    return trainer, path


def test_a_damaged_checkpoint_is_never_continued(state):
    trainer, path = state
    good = path.read_bytes()
    assert checkpoints.load(path, trainer._identity(), "cpu")["epoch"] == 1
    for at in range(0, len(good), len(good) // 40):  # torch itself misses changed weights
        path.write_bytes(good[:at] + bytes([good[at] ^ 16]) + good[at + 1:])
        with pytest.warns(UserWarning, match="is damaged.*the training starts anew"):
            assert checkpoints.load(path, trainer._identity(), "cpu") is None


@pytest.mark.parametrize("key", ["settings", "data", "names", "code"])
def test_a_checkpoint_of_something_else_is_not_continued(state, key, monkeypatch):
    trainer, path = state
    expected = trainer._identity()
    if key == "code":
        monkeypatch.setattr(checkpoints, "code_digest", lambda: "another version")
    else:
        expected[key] = "other"
    with pytest.warns(UserWarning, match=f"version of the code: {key}; the training starts anew"):
        assert checkpoints.load(path, expected, "cpu") is None


def test_temporary_files_of_living_processes_are_left_alone(state):
    _, path = state
    dead, alive, foreign = (path.with_name(name) for name in (
        "a.pt.1.tmp", "a.pt.2.tmp", "notes.tmp"))
    for file in (dead, alive, foreign):
        file.write_bytes(b"half")
    with locks.locked(alive):
        checkpoints.remove(path)
        assert sorted(path.parent.iterdir()) == [alive, foreign]
    checkpoints.remove_stored(path.parent, set())
    assert list(path.parent.iterdir()) == [foreign] and foreign.read_bytes() == b"half"


def test_a_checkpoint_that_another_sweep_tidies_away_is_written_again(state, monkeypatch):
    """Between two steps of who writes it, a temporary file looks like that of a dead process."""
    trainer, path = state
    original, calls = checkpoints.os.replace, []

    def replace(*names):
        calls.append(names)
        if len(calls) == 1:  # after the lock was given back
            checkpoints.remove_stored(path.parent, {trainer.order[0].name})
            assert not path.parent.exists()
        return original(*names)
    monkeypatch.setattr(checkpoints.os, "replace", replace)
    trainer.run_epoch()
    checkpoints.save(path, trainer._state())
    assert checkpoints.load(path, trainer._identity(), "cpu")["epoch"] == 2 and len(calls) == 2
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("most, kept", [(1000, 2), (0, 1)])
def test_a_checkpoint_is_written_in_the_parts_that_a_system_takes(state, monkeypatch, most, kept):
    """Linux takes at most 2 GiB at once, which a wide network exceeds."""
    class Slow:
        def __init__(self, file):
            self.file, self.fileno = file, file.fileno

        def write(self, data):
            return self.file.write(data[:most])

    @contextlib.contextmanager
    def locked(*given):
        with locks.locked(*given) as file:
            yield Slow(file)
    trainer, path = state
    monkeypatch.setattr(checkpoints, "locked", locked)
    trainer.run_epoch()
    with (contextlib.nullcontext() if most else pytest.warns(UserWarning, match="not all of it")):
        checkpoints.save(path, trainer._state())
    assert checkpoints.load(path, trainer._identity(), "cpu")["epoch"] == kept


def test_checkpoints_of_stored_networks_are_removed_others_kept(state):
    trainer, path = state
    checkpoints.remove_stored(path.parent, {"another"})
    assert path.exists()
    checkpoints.remove_stored(path.parent, {trainer.order[0].name, "another"})
    assert not path.parent.exists()


def test_a_checkpoint_of_a_smaller_grid_goes_once_a_larger_one_is_stored(tmp_path):
    """Networks that a stopped sweep trained in other company left theirs beside a finished file."""
    path, part = tmp_path / "a.jsonl", (Network("B1", 4, "color", 0),)
    left = jobs.checkpoint_path(part, sweep.checkpoint_folder(path))
    checkpoints.save(left, training.Trainer(part, QUICK, dead_leaves(20))._state())
    assert quick_sweep(path, Grid({"B1": (2, 4)}, ("color",))) == []
    assert not left.parent.exists()


def test_training_goes_on_when_a_checkpoint_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    trainer = training.Trainer([Network("B1", 2, "color", 0)], QUICK, dead_leaves(20))
    with pytest.warns(UserWarning, match="no checkpoint in"):
        trainer.run(tmp_path / "file" / "state.pt", every_seconds=0)
    assert trainer.epoch == 2
