"""Stored work under odd circumstances: the caller's types and modes, links, clocks, locales."""

import dataclasses
import errno
import importlib.util
import io
import itertools
import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from lib import Architecture, Real, locks, overlap_construction, results
from lib.benchmarks import missing_data
from lib.experiments import __main__ as sweep_command
from lib.experiments import checkpoints, cifar, pooled, separation, sweep, training
from lib.experiments.augment import Stream, Strength
from lib.experiments.blobs import TASKS, blobs
from lib.experiments.images import dead_leaves, photograph_patches
from lib.experiments.jobs import failure, train_job
from lib.experiments.networks import Network, mixed_seed, plain_network
from lib.experiments.settings import Grid, Settings
from lib.planted import __main__ as planted_command
from lib.planted import dilated, widths
from lib.planted.widths import fit_rectifiers
from lib.plots import depth
from lib.results import Results, ResultsError, read

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = Settings(images=10, epochs=1, batch_size=5, evaluations=1)
LEAVES = dead_leaves(20, leaves=1)


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def trained():
    """Everything that a run draws or sums up, in plain numbers."""
    data = dead_leaves(10, leaves=3)
    records = [record for block in ("haar2", "depth2", "B1prod") for record in train_job(
        (Network(block, 3, "color", 0),), QUICK, data)]
    nets = pooled.PooledNetworks("max", "mirror", 2, (0,))
    return [data.fingerprint, pooled.fingerprint(blobs(2, "types", batch=2)),
            [(record["accuracy"], record["curve"]) for record in records],
            [part.tolist() for part in nets.parameters()],
            fit_rectifiers((2,), "near", starts=1, steps=1)]


def test_trainings_are_the_same_under_every_default_type(request):
    expected = trained()
    request.getfixturevalue("float64")
    assert trained() == expected


def test_trainings_are_the_same_in_every_mode():
    def found():
        job = (Network("haar2", 3, "color", 0), Network("haar2", 2, "color", 0))
        data = dead_leaves(10, leaves=3)
        return [(entry["accuracy"], entry["test_accuracy"], entry["curve"])
                for entry in train_job(job, QUICK, data, test=data)]

    expected = found()
    for mode in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16)):
        with mode:
            assert found() == expected


def test_ranks_of_trained_networks_are_the_same_in_every_mode():
    data, network = dead_leaves(10, leaves=3), Network("B2", 2, "none", 0)
    expected = separation.trained_usage(network, QUICK, data, 10)
    for mode in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16)):
        with mode:
            assert separation.trained_usage(network, QUICK, data, 10) == expected


@pytest.mark.parametrize("kind", pooled.KINDS)
def test_networks_on_blobs_are_the_same_in_every_mode(kind):
    """What one mode keeps for the next call must serve a training."""
    pooled.multisets.cache_clear()
    settings = pooled.PoolSettings(images=4, test_images=4, steps=10, batch_size=2, channels=2)

    def found():
        task = torch.ones(4, 32, 32).tril().bool() ^ torch.eye(32).bool(), torch.arange(4) % 2
        return pooled.train(kind, "square", settings, task, task, (0,))

    with torch.inference_mode():
        expected = found()
    for mode in (torch.enable_grad(), torch.no_grad(), torch.autocast("cpu", torch.bfloat16)):
        with mode:
            assert found() == expected


def test_seeds_of_numpy_and_torch_are_the_seeds_they_equal():
    assert mixed_seed("a", np.int64(1)) == mixed_seed("a", torch.tensor(1)) == mixed_seed("a", 1)
    assert mixed_seed(np.str_("a"), 1) == mixed_seed("a", 1)


def test_an_augmentation_from_an_array_of_numpy_shows_the_images_of_its_name():
    """Under the name of a network other images were seen: NumPy's texts print their type."""
    (given,) = np.array(["color"])
    streams = [Stream(dead_leaves(10), name, 0, 10) for name in ("color", given)]
    assert torch.equal(*(images for stream in streams for images, _ in stream.epoch(0)))
    assert dead_leaves(10, np.uint8(3), leaves=1).fingerprint == dead_leaves(
        10, 3, leaves=1).fingerprint


def test_equal_settings_are_written_in_one_way():
    for strength in (Strength(4, 0), Strength(4, -0.0), Strength(4, np.float32(0)),
                     Strength(4, 0.0, [0.7, 1.4])):
        assert Settings(strength=strength).identifier == Settings(
            strength=Strength(4, 0.0)).identifier
    few = pooled.PoolSettings(images=np.int64(10))
    assert few.identifier == pooled.PoolSettings(images=10).identifier
    assert Settings(learning_rate=np.float64("1e-3")).identifier == Settings().identifier
    several = {"images": 60, "epochs": 2, "batch_size": 20, "evaluations": 3}
    assert Settings(**{name: np.int64(n) for name, n in several.items()}) == Settings(**several)
    assert json.loads(json.dumps(Settings(epochs=np.int64(2)).as_dict()))["epochs"] == 2
    grid = Grid({"B1": 2 ** np.arange(1, 3)}, seeds=np.arange(2))
    assert grid == Grid({"B1": (2, 4)}, seeds=(0, 1))
    assert [type(network.channels) for network in grid.networks()] == [int] * 8


def test_a_checkpoint_of_another_torch_is_not_continued(tmp_path, monkeypatch):
    checkpoints.save(tmp_path / "a.pt", {"names": ["a"]})
    assert checkpoints.load(tmp_path / "a.pt", {"names": ["a"]}, "cpu")["names"] == ["a"]
    monkeypatch.setattr(torch, "__version__", "0.1")
    with pytest.warns(UserWarning, match="code: torch; the training starts anew"):
        assert checkpoints.load(tmp_path / "a.pt", {"names": ["a"]}, "cpu") is None


def test_a_job_that_is_continued_elsewhere_names_both_machines(tmp_path, monkeypatch):
    """Begun on a GPU and ended on a processor, it was a result of the processor alone."""
    job, settings = (Network("B2", 2, "none", 0),), dataclasses.replace(QUICK, epochs=3)
    for chip in ("One GPU", "One GPU", "A processor"):
        monkeypatch.setattr(training, "device_name", lambda device, chip=chip: chip)
        trainer = training.Trainer(job, settings, LEAVES)
        trainer._restore(tmp_path / "a.pt")
        trainer.run_epoch()
        checkpoints.save(tmp_path / "a.pt", trainer._state())
    [record] = train_job(job, settings, LEAVES, checkpoint=tmp_path / "a.pt")
    assert record["provenance"]["device"] == "One GPU to epoch 2, then A processor"
    [record] = train_job(job, settings, LEAVES)
    assert record["provenance"]["device"] == "A processor"


@pytest.fixture
def path(tmp_path):
    Results(tmp_path / "a.jsonl", {}).append({"name": "one"}, {"name": "two"})
    return tmp_path / "a.jsonl"


def names(path):
    return [record["name"] for record in read(path).records]


def test_empty_lines_of_an_editor_are_passed_over(path):
    good = path.read_bytes()
    for changed in (good + b"\n", good.replace(b"\n", b"\n \r\n\n"), good + b"\n \t"):
        path.write_bytes(changed)
        assert names(path) == ["one", "two"]
        assert Results(path, {}).append({"name": "three"}) == ["three"]
        assert path.read_bytes().startswith(changed) and names(path)[2:] == ["three"]
    path.write_bytes(b"\n" + good)
    with pytest.raises(ResultsError, match="line 1 is not JSON"):
        Results(path, {})


def test_a_forked_process_does_not_keep_a_lock(path):
    if not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    inside, outside = os.pipe()
    with locks.locked(path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that other threads run
            child = os.fork()
        if not child:
            os.close(outside)
            os.read(inside, 1)  # until the parent has seen that the lock is free
            os._exit(0)
    try:
        with locks.locked(path, seconds=0):
            pass
    finally:
        os.close(outside)
        os.waitpid(child, 0)
        os.close(inside)


def test_no_locks_on_any_system(path, monkeypatch):
    if locks.fcntl is None:
        pytest.skip("this system has no flock")
    monkeypatch.setattr(errno, "ENOTSUP", 45)  # as on macOS
    missing = importlib.util.module_from_spec(locks.__spec__)
    locks.__spec__.loader.exec_module(missing)

    def flock(*arguments):
        raise OSError(45, "Operation not supported")
    monkeypatch.setattr(missing.fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="no locks"):
        with missing.locked(path) as file:
            assert file.write(b"three") == 5


def test_a_tilde_is_the_home_folder_everywhere(path, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(path.parent))
    assert Results("~/a.jsonl", {}, make=False).path == path and names("~/a.jsonl")
    assert sweep.checkpoint_folder("~/b") == path.parent / "b.checkpoints"


@pytest.mark.parametrize("settings", [{"rate": float("nan")}, {"rate": np.float32(1)}, {"a": {1}}])
def test_settings_that_are_no_json_are_refused_before_a_file_is_made(tmp_path, settings):
    with pytest.raises(ResultsError, match="settings and about must be JSON values"):
        Results(tmp_path / "a.jsonl", settings)
    assert os.listdir(tmp_path) == []


def test_no_place_for_results_is_said_before_a_download(tmp_path, monkeypatch):
    Results(tmp_path / "a.jsonl", {})
    monkeypatch.setattr(sweep, "load_data", lambda *_: pytest.fail("loaded"))
    with pytest.raises(ResultsError, match="holds results of other settings"):
        sweep.open_results(QUICK, tmp_path / "a.jsonl", (None, None))


def test_a_cache_folder_that_is_no_whole_path_is_passed_over(monkeypatch):
    monkeypatch.delenv(cifar.CACHE_VARIABLE, raising=False)
    for folder in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", folder)
        assert cifar.cache_folder() == Path("~/.cache/overlaps").expanduser()


def test_no_home_is_said_with_what_to_do(monkeypatch):
    monkeypatch.delenv(cifar.CACHE_VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless(path):
        raise RuntimeError("Could not determine home directory.")
    monkeypatch.setattr(Path, "expanduser", homeless)
    with pytest.raises(cifar.DatasetError, match=r"directory. Choose .* \(variable OVERLAPS_DATA"):
        cifar.cache_folder()


def test_a_failure_is_one_line():
    error = RuntimeError("\nno memory\nframe #0: main\n")
    assert failure((Network("B1", 2, "color", 0),), error) == (
        "B1-C2-color-s0: RuntimeError: no memory")


def test_a_clock_that_jumps_divides_by_no_zero(monkeypatch):
    clock = itertools.count(0, 10**6)
    monkeypatch.setattr(sweep.time, "perf_counter", lambda: next(clock))
    assert sweep.seconds_per_image((Network("B1", 2, "color", 0),), QUICK) > 0


def test_the_planted_command_prints_any_path(tmp_path, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True)
    monkeypatch.setattr(widths, "trainings", lambda: {"a": lambda: [0.5]})
    monkeypatch.setattr(sys, "stdout", out)
    planted_command.main(["widths", "--output", str(tmp_path / "ä")])
    assert out.buffer.getvalue().startswith(b"1 trainings added to ")
    assert out.buffer.getvalue().rstrip().endswith(rb"\xe4")


def interrupted(*_, **options):
    raise KeyboardInterrupt


def lacking(*_, **options):
    raise cifar.DatasetError("from_folder: x\nlacks data")


@pytest.mark.parametrize("raised, code, said", [
    (interrupted, 130, "interrupted: what was finished is stored, the same command continues"),
    (lacking, "error: from_folder: x lacks data", "")])
def test_programs_end_in_one_line(monkeypatch, capsys, raised, code, said):
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(planted_command, "continue_runs", raised)
    monkeypatch.setattr(pooled, "run", raised)
    monkeypatch.setattr(separation, "load_data", raised)
    monkeypatch.setattr(missing_data, "cifar10", raised)
    monkeypatch.setattr(sys, "argv", ["x", "--output", "x"])
    for main, arguments in ((planted_command.main, [["widths"]]), (pooled.main, [[]]),
                            (separation.main, [["--cifar-10", "--output", "x"]]),
                            (missing_data.main, [])):
        with pytest.raises(SystemExit) as ended:
            main(*arguments)
        assert ended.value.code == code and capsys.readouterr().err.strip() == said


def test_the_program_of_the_pooling_geometries_takes_an_output(monkeypatch, capsys):
    given = []
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(pooled, "run", lambda **options: given.append(options["output"]))
    with pytest.raises(SystemExit) as ended:
        pooled.main(["--help"])
    assert ended.value.code == 0 and given == []
    assert "default notebooks/results/blobs.jsonl" in capsys.readouterr().out
    pooled.main(["--output", "mine"])
    pooled.main([])
    assert given == ["mine"] * 2 + [results.STORED / "blobs.jsonl"] * 2


def test_programs_without_options_add_nothing_to_what_is_stored(monkeypatch):
    """Else a reader who calls them as a page says changes the numbers of the page."""
    wanted = {}

    def ran(seeds, output, geometries=pooled.GEOMETRIES):
        wanted.setdefault(output.name, set()).update(
            f"{kind}-{geometry}-C16-{task}-s{seed}" for kind, geometry, task, seed in
            itertools.product(pooled.KINDS, geometries, TASKS, seeds))

    def measured(networks, settings_of, data, output):
        wanted[output.name] = {network.name for network in networks}

    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(pooled, "run", ran)
    monkeypatch.setattr(separation, "measure", measured)
    monkeypatch.setattr(separation, "load_data", lambda *_: None)
    pooled.main([])
    separation.main([])
    separation.main(["--cifar-10", "--data-folder", "x"])
    assert len(wanted) == 3
    for name, networks in wanted.items():
        stored = {record["name"] for record in results.read(results.STORED / name).records}
        assert networks == stored, name


def test_missing_data_are_not_fetched_for_a_file_that_does_not_take_them(monkeypatch, tmp_path):
    monkeypatch.setenv("OVERLAPS_DATA", str(tmp_path))
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(missing_data, "cifar10", lambda *_: pytest.fail("fetched"))
    monkeypatch.setattr(sys, "argv", ["x"])
    with pytest.raises(SystemExit, match="missing-data.jsonl holds results of images from a local"):
        missing_data.main()


def test_a_file_of_other_settings_is_named_before_a_download(monkeypatch, tmp_path):
    """It cost 170 MB to read that another output is needed."""
    output = tmp_path / "ranks.jsonl"  # of dead leaves, as the page has it
    Results(output, {"halves": 40}, {"data": {"fingerprint": "0", "official": True}})
    monkeypatch.setenv("OVERLAPS_DATA", str(tmp_path))
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(missing_data, "cifar10", lambda *_: pytest.fail("fetched"))
    monkeypatch.setattr(separation, "load_data", lambda *_: pytest.fail("fetched"))
    monkeypatch.setattr(sys, "argv", ["x", "--output", str(output)])
    for program in (missing_data.main, lambda: separation.main(["--cifar-10", *sys.argv[1:]])):
        with pytest.raises(SystemExit, match="ranks.jsonl holds results of other settings"):
            program()


def test_a_program_without_docstrings_explains_itself(monkeypatch, capsys):
    monkeypatch.setattr(missing_data, "__doc__", None)  # python -OO
    monkeypatch.setattr(sys, "argv", ["x", "--help"])
    with pytest.raises(SystemExit):
        missing_data.main()
    assert "--data-folder" in capsys.readouterr().out


class Gone(io.StringIO):
    """A terminal that was closed, or a disk that is full."""

    def write(self, text=""):
        raise OSError(errno.EPIPE, "Broken pipe")

    flush = write


@pytest.mark.parametrize("stream", [None, Gone()])
def test_a_sweep_outlives_the_terminal_that_shows_its_progress(tmp_path, monkeypatch, stream):
    def run_job(job, *options, report):
        report(1)
        return job, [{"name": network.name, "block": network.block, "channels": network.channels,
                      "augmentation": network.augmentation, "seed": network.seed,
                      "accuracy": 0.5} for network in job], []

    monkeypatch.setattr(sweep.work, "run_job", run_job)
    monkeypatch.setattr(sys, "stderr", stream)
    output = tmp_path / "a.jsonl"
    arguments = ["--kinds", "B1", "--images", "10", "--output", str(output)]
    assert sweep_command.main(arguments) == 0 and len(names(output)) == 2
    assert sweep_command.main([*arguments, "--epochs", "3"]) == 2  # which nobody hears


@pytest.mark.parametrize("module", [checkpoints, pooled])
def test_results_name_the_code_that_ran_whatever_its_files_hold_now(module, monkeypatch):
    """A version that is checked out while a sweep runs made nothing, and continues nothing."""
    spec = importlib.util.spec_from_file_location("lib.experiments.again", module.__file__)
    again = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, again)
    spec.loader.exec_module(again)
    monkeypatch.setattr(Path, "read_bytes", lambda path: b"newer")
    assert again.code_digest() == module.code_digest()


def test_what_is_drawn_is_on_the_cpu_whatever_default_device_is_set():
    """Torch draws nothing on a GPU with a generator of the CPU: a session that had set its default
    device there got that sentence from images, networks and trainings."""
    def found():
        images = dead_leaves(10, leaves=3)
        stream = Stream(images, "spatial", 0, 5)
        nets = pooled.PooledNetworks("max", "mirror", 2, (0,))
        net = Architecture((4,), 2, ((2, 1, 1), (4, 4, 1)))
        built = overlap_construction(net, torch.eye(2, device="cpu").double(), Real())
        shown = torch.zeros(1, 4, dtype=torch.int64, device="cpu")
        return [trained(), images.subset(10).fingerprint, photograph_patches(10).fingerprint,
                [batch.tolist() for batch, _ in stream.epoch(0)], plain_network(2, 2)(
                    next(stream.epoch(0))[0]).tolist(), nets(pooled.coded(
                        blobs(2, 0, batch=2).images, "mirror")[None]).tolist(),
                dilated.train(dilated.NETWORKS["mixture"], ((0, 1),), starts=1, steps=1, length=9),
                built.output(shown).tolist(), built.predicted_output(shown).tolist(),
                [part.tolist() for part in depth.weights_in_plane(
                    *torch.zeros(2, 3, device="cpu").double()).values()]]

    expected = found()
    with torch.device("meta"):                               # no number can be read there
        assert found() == expected
