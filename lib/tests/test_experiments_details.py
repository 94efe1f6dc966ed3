"""What the longer tests of the experiments pass over: scales, limits, messages, rare branches."""

import concurrent.futures
import dataclasses
import importlib
import math
import sys
import types
from pathlib import Path

import pytest
import scipy.stats
import torch

from lib.experiments import cifar, jobs, pooled, separation, sweep
from lib.experiments.analysis import QUANTILES, interval
from lib.experiments.augment import Augmenter, Strength
from lib.experiments.blobs import blobs
from lib.experiments.ensembles import arrange
from lib.experiments.images import ImageSet, dead_leaves, photograph_patches
from lib.experiments.kinds import KINDS
from lib.experiments.networks import Network, generator_for, initial_weights
from lib.experiments.products import clip_gradients
from lib.experiments.records import as_network
from lib.experiments.settings import PRESETS, Grid, Settings, powers

command = importlib.import_module("lib.experiments.__main__")
IMAGES, LABELS = torch.zeros(20, 3, 32, 32, dtype=torch.uint8), torch.arange(20) % 10
SET = ImageSet(IMAGES, LABELS, tuple("abcdefghij"), {"name": "black"})
RECORD = {"name": "a", "block": "B1", "channels": 1, "augmentation": "none", "seed": -3,
          "accuracy": 0, "test_accuracy": 1, "curve": {"accuracy": [0, 1.0], "loss": [0, 7]}}


def without(**changes):
    return {**RECORD, **changes}


def a_set(images=IMAGES, labels=LABELS):
    return ImageSet(images, labels, (), {})


@pytest.mark.parametrize("make", [
    lambda: Settings(images=10, epochs=1, batch_size=1, evaluations=1, learning_rate=1e-9),
    lambda: Settings(images=100_000, learning_rate=0.999), lambda: Settings("cifar-10", None),
    lambda: Settings("photograph-patches", 10), lambda: Network("B1", 1, "none", -1),
    lambda: Strength(0, 0, (0, 0)), lambda: Strength(31, 5.0, (1, 1)),
    lambda: dead_leaves(10, leaves=1, smallest=0.1, largest=0.2), lambda: photograph_patches(10),
    lambda: SET.subset(10), lambda: a_set(IMAGES[:0], LABELS[:0]),
    lambda: a_set(IMAGES, LABELS * 0), lambda: a_set(IMAGES, LABELS * 0 + 9),
    lambda: pooled.PoolSettings(3, 3, 1, 1, 1), lambda: blobs(1, 0, batch=1),
    lambda: separation.decision_rank(torch.eye(3)[None], 1), lambda: Augmenter(IMAGES[:1], "none"),
    lambda: Grid({"B1": (1,)}, ("none",), (0,)), lambda: as_network(dict(RECORD)),
    lambda: as_network(without(accuracy=None, status="diverged in epoch 3")),
])
def test_the_ends_of_ranges_are_taken(make):
    make()


@pytest.mark.parametrize("make, message", [
    (lambda: Settings(images=9), "images=9"), (lambda: Settings(images=100_001), "100001"),
    (lambda: Settings(images=20.0), "images=20.0"), (lambda: Settings(images=None), "images=None"),
    (lambda: Settings(learning_rate=0), "learning_rate=0"),
    (lambda: Settings(learning_rate=1), "learning_rate=1"),
    (lambda: Settings(learning_rate=True), "learning_rate=True"),
    (lambda: Settings(epochs=2.0), "epochs=2.0"), (lambda: Settings(evaluations=0), "evaluations"),
    (lambda: Settings(batch_size=0), "batch_size=0"), (lambda: Settings(data="mnist"), "'mnist'"),
    (lambda: Network("B1", 1, "none", 0.0), "seed=0.0"),
    (lambda: Network("B1", 1, "none", True), "seed=True"),
    (lambda: Network("B1", 1.0, "none", 0), "channels=1.0"),
    (lambda: Strength(translation=32), "translation=32"),
    (lambda: Strength(color_shift=-0.1), "color_shift=-0.1"),
    (lambda: Strength(color_shift=math.inf), "color_shift=inf"),
    (lambda: Strength(color_factor=(-0.1, 1)), "color_factor"),
    (lambda: Strength(color_factor=(0, math.inf)), "color_factor"),
    (lambda: Augmenter(IMAGES, "hue"), "kind='hue'"),
    (lambda: Augmenter(IMAGES[:0], "none"), "with n >= 1"),
    (lambda: Augmenter(IMAGES[:, :2], "none"), r"\(20, 2, 32, 32\)"),
    (lambda: a_set(IMAGES.int()), "torch.int32, must be"),
    (lambda: a_set(IMAGES[..., :31]), r"\(20, 3, 32, 31\)"),
    (lambda: a_set(labels=LABELS[:19]), r"\(19,\) and type torch.int64, must be \(20,\)"),
    (lambda: a_set(labels=LABELS.int()), "torch.int32, must be"),
    (lambda: a_set(labels=LABELS - 1), "labels from -1 to 8"),
    (lambda: a_set(labels=LABELS + 1), "labels from 1 to 10"),
    (lambda: SET.subset(9), "count=9"), (lambda: SET.subset(21), "count=21"),
    (lambda: a_set(labels=LABELS.clamp(max=8)).subset(11), "class 9 has 0 images, 1 are needed"),
    (lambda: dead_leaves(9), "count=9"), (lambda: dead_leaves(leaves=0), "leaves=0"),
    (lambda: dead_leaves(smallest=0), "radii 0 to"),
    (lambda: dead_leaves(smallest=2.0, largest=2.0), "radii 2.0 to 2.0"),
    (lambda: photograph_patches(9), "count=9"), (lambda: photograph_patches(10**6), "and 273689"),
    (lambda: separation.decision_rank(torch.eye(3)[None], 0), "share=0"),
    (lambda: separation.decision_rank(torch.eye(3)[None], 1.01), "share=1.01"),
    (lambda: pooled.PoolSettings(images=0), "images=0"),
    (lambda: Grid({"B1": ()}), "channels of B1"), (lambda: Grid({}), "kinds"),
    (lambda: Grid({"B1": (1,)}, ()), "augmentations"),
    (lambda: Grid({"B1": (1,)}, ("none", "none")), "augmentations"),
    (lambda: Grid({"B1": (1,)}, seeds=()), "seeds"),
    (lambda: as_network(without(accuracy=1.5)), "accuracy=1.5"),
    (lambda: as_network(without(test_accuracy=-1)), "test_accuracy=-1"),
    (lambda: as_network(without(accuracy=None)), "accuracy=None"),
    (lambda: as_network(without(channels=0)), "channels=0"),
    (lambda: as_network(without(channels=1.0)), "channels=1.0"),
    (lambda: as_network(without(seed="0")), "seed=0"),
    (lambda: as_network(without(curve=[])), "curve="),
    (lambda: as_network(without(curve={"accuracy": [2]})), "curve="),
    (lambda: as_network(without(curve={"loss": [-1]})), "curve="),
    (lambda: as_network(without(kind="header")), "is not the record of a network$"),
    (lambda: as_network({"name": "a"}), "lacks accuracy, augmentation, block, channels, seed"),
])
def test_what_lies_beyond_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_set_is_its_own_subset_of_its_size():
    assert SET.subset(None) is SET.subset(20) is SET
    assert SET.subset(19).labels.bincount().tolist() == [2] * 9 + [1]


@pytest.mark.parametrize("block", KINDS)
def test_weights_begin_with_the_variance_of_their_kind(block):
    """He's for sums, less for maxima over more maps, a small part of it for products."""
    kind, channels = KINDS[block], 64
    found = initial_weights(block, channels, 0)
    summed = 64 * (kind.window**2 if kind.combine == "sum" or kind.separate else 1)
    part = {"B1prod": 0.01, "B2prod": 0.01, "B3prod": 0.01, "offset2prod": 4 * 0.04,
            "offset3prod": 9 * (0.4 / 3) ** 2, "B2offset": 4 / (2 * 1.543785),
            "offset2": 4 / (2 * 1.543785), "offset3": 9 / (2 * 2.562559)}.get(block, 1)
    for number in range(1, 5):
        assert found[f"conv{number}"].var().item() == pytest.approx(2 * part / summed, rel=0.12)
        assert not found[f"bias{number}"].any()
    ratio = found["conv0"].var().item() / found["conv1"].var().item()
    assert ratio == pytest.approx(64 / 3, rel=0.4)
    assert found["head"].var().item() == pytest.approx(1 / 64, rel=0.2)
    assert ("depth0" in found) == (kind.combine == "depth")
    if kind.combine == "depth":
        drawn = torch.cat([found[f"depth{number}"] for number in range(5)])
        assert drawn.var().item() == pytest.approx(1 / kind.window**2, rel=0.15)


@pytest.mark.parametrize("kind", pooled.KINDS)
def test_pooled_networks_begin_with_uniform_weights_of_their_seed(kind):
    """All of variance 1 / inputs for sums, logarithms between -1 and 1 for products."""
    net = pooled.PooledNetworks(kind, "square", 12, (5, 7))
    for place, seed in enumerate((5, 7)):
        draw = generator_for("pooled", kind, 12, seed)
        for layer, weight in enumerate(net.weights):
            inputs, outputs = (2, 12) if layer == 0 else (12, 2) if layer == 5 else (12, 12)
            unit = torch.rand(inputs, outputs, generator=draw)
            wanted = unit * 2 - 1 if kind == "product" else (unit - 0.5) * (12 / inputs) ** 0.5
            assert torch.allclose(weight[place], wanted, atol=1e-6)
    assert [tuple(bias.shape) for bias in net.biases] == ([] if kind == "product" else [
        (2, 1, 12)] * 5 + [(2, 1, 2)]) and not any(bias.any() for bias in net.biases)


@pytest.mark.parametrize("kind, rate, decays, shrink", [
    ("product", 3e-3, (0.9, 0.9), 0), ("max", 1e-3, (0.9, 0.999), 1e-4),
    ("mean", 1e-3, (0.9, 0.999), 1e-4)])
def test_training_on_blobs_is_adam_as_its_authors_wrote_it(monkeypatch, kind, rate, decays, shrink):
    """Ten steps by hand: the rate falls to a tenth after eight, biases learn twice as fast."""
    steps, seeds, data = 10, (2,), blobs(20, "by hand", batch=20).task("closedness")
    settings = pooled.PoolSettings(steps=steps, batch_size=50, channels=3)
    net, trained = (pooled.PooledNetworks(kind, "square", 3, seeds).double() for _ in range(2))
    monkeypatch.setattr(pooled, "PooledNetworks", lambda *_: trained)
    found, = pooled.train(kind, "square", settings, data, data, seeds)
    codes = pooled.coded(data[0], "square")
    weights = [(weight, rate, shrink) for weight in net.weights]
    weights += [(bias, 2 * rate, 0) for bias in net.biases]
    means = [[torch.zeros_like(weight), torch.zeros_like(weight)] for weight, _, _ in weights]
    losses, stream = [], pooled.batches(16, 16, seeds)
    for step in range(1, steps + 1):
        rows = next(stream)
        chosen = data[1][rows][0]
        loss = -net(codes[rows])[0].log_softmax(1)[range(16), chosen].mean()
        losses.append(loss.item())
        slopes = torch.autograd.grad(loss, [weight for weight, _, _ in weights])
        with torch.no_grad():
            for (weight, speed, less), slope, mean in zip(weights, slopes, means, strict=True):
                slope = slope + less * weight
                for place, value in enumerate((slope, slope**2)):
                    mean[place].mul_(decays[place]).add_((1 - decays[place]) * value)
                first, second = (part / (1 - decay**step)
                                 for part, decay in zip(mean, decays, strict=True))
                slower = 1 if step <= 8 else 0.1
                weight -= speed * slower * first / (second.sqrt() + 1e-16)
    assert found["curve"]["loss"] == pytest.approx(losses, abs=1e-5)
    for one, other in zip(net.parameters(), trained.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-9)
    right = (net(codes[None])[0].argmax(1) == data[1]).double().mean().item()
    assert found["accuracy"] == pytest.approx(right, abs=1e-6) and found["seed"] == 2


def test_gradients_beyond_length_one_are_cut_to_it_network_by_network():
    lengths = []
    for factor in (0.25, 1.0, 8.0):
        network = [types.SimpleNamespace(grad=None)] * 2
        parts = [{"a": torch.tensor([0.6 * factor]), "b": torch.tensor([[0.8 * factor]])},
                 {"a": torch.tensor([0.5])}]
        clip_gradients(types.SimpleNamespace(networks=network, gradients=parts.__getitem__))
        lengths.append((parts[0]["a"].item() ** 2 + parts[0]["b"].item() ** 2) ** 0.5)
        assert parts[1]["a"].item() == 0.5
    assert lengths == pytest.approx([0.25, 1, 1])


def test_quantiles_are_those_of_student():
    assert QUANTILES == {n: pytest.approx(scipy.stats.t.ppf(0.975, n - 1), abs=6e-4)
                         for n in range(2, 11)}
    for values in ([0.1, 0.4], list(range(10)), list(range(11))):
        mean, half = interval(values)
        spread = torch.tensor(values, dtype=torch.float64).std().item() / len(values) ** 0.5
        assert mean == pytest.approx(sum(values) / len(values))
        quantile = scipy.stats.t.ppf(0.975, len(values) - 1)
        assert half == pytest.approx(quantile * spread, rel=3e-4)


def test_presets_stay_what_the_book_says_of_them():
    assert powers(4, 4) == (4,) and powers(8, 4) == () and powers(3, 13) == (3, 6, 12)
    said = {name: dataclasses.astuple(settings)[:5] + (settings.evaluations,)
            for name, (settings, _) in PRESETS.items()}
    laptop = ("cifar-10", 2000, 30, 25, 1e-3, 3)
    assert said == {"minute": ("dead-leaves", 100, 25, 10, 1e-3, 5), "laptop": laptop,
                    "factorial": laptop, "paper": ("cifar-10", None, 300, 128, 1e-3, 1)}
    assert {settings.strength for settings, _ in PRESETS.values()} == {Strength(4, 0.1, (0.7, 1.4))}
    minute, laptop, factorial, paper = (grid for _, grid in PRESETS.values())
    assert minute.channels == {"B1": (16, 32), "B2": (16,), "B3": (16,)}
    assert (minute.augmentations, minute.seeds) == (("color",), (0,))
    assert {*laptop.channels.values()} == {(2, 4, 8, 16, 32, 64)}
    assert {*factorial.channels.values()} == {(4, 8, 16, 32, 64)}
    assert paper.channels["B1"] == (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
    assert {paper.channels[f"B{window}"] for window in (2, 3, 4, 5)} == {paper.channels["B1"][:7]}
    for grid in (laptop, factorial, paper):
        assert (grid.augmentations, grid.seeds) == (("spatial", "color"), (0, 1, 2))


def some(block, *widths, seed=0):
    return tuple(Network(block, width, "none", seed) for width in widths)


def test_jobs_and_ensembles_are_filled_to_their_limits():
    widths = [[n.channels for n in job] for job in jobs.make_jobs(some("B1", 8, 24, 7, 25, 33))]
    assert widths == [[7, 8], [24], [25], [33]]
    assert [[n.channels for n in job] for job in jobs.make_jobs(some("B1", 24, 8))] == [[8, 24]]
    assert [[n.channels for n in part] for part in arrange(some("B1", 4, 12), 33)] == [[4, 12]]
    assert [[n.channels for n in part] for part in arrange(some("B1", 5, 6, 7, 8), 33)] == [
        [5, 6], [7, 8]]                                 # the last one that was begun is filled
    for batch, together in ((32, True), (33, False)):
        assert (len(arrange(some("B1", 8, 16), batch)) == 1) == together
        assert len(arrange(some("B1", 9, 16), batch)) == 2
    first = [job[0].seed for job in jobs.make_jobs(some("B1", 2, seed=4) + some("B1", 2, seed=3))]
    assert first == [3, 4] and jobs.make_jobs([]) == []


def test_costs_of_jobs():
    plain, offset, product = (jobs.weight(some(block, 4)) for block in ("B2", "B2offset", "B2prod"))
    assert plain == KINDS["B2"].forward_operations(4) + 3_000_000
    assert offset == 3 * (KINDS["B2offset"].forward_operations(4) + 3_000_000)
    assert product == 3 * (KINDS["B2prod"].forward_operations(4) + 3_000_000)
    assert jobs.weight(some("offset2prod", 4)) == 9 * (
        KINDS["offset2prod"].forward_operations(4) + 3_000_000)
    assert jobs.weight(some("B2", 4, 4)) == 2 * plain


def test_names_of_jobs_and_of_their_failures():
    job = some("B2", 2, 4)
    assert jobs.job_name(job).startswith("B2-2-") and len(jobs.job_name(job)) == 17
    assert jobs.job_name(job) != jobs.job_name(job[::-1]) != jobs.job_name(job[:1])
    assert jobs.checkpoint_path(job, "x") == Path("x") / f"{jobs.job_name(job)}.pt"
    assert jobs.failure(job, OSError("no")) == "B2-C2-none-s0, B2-C4-none-s0: OSError: no"
    assert jobs.failure(job, "gone") == "B2-C2-none-s0, B2-C4-none-s0: gone"


def test_a_small_grid_here_and_now_and_what_a_record_says():
    settings = Settings(images=20, epochs=2, batch_size=10, evaluations=1)
    one, two = jobs.train_grid(Grid({"B3": (2,), "offset2": (3,)}, ("color",), (6,)), settings)
    assert (one["name"], two["name"]) == ("B3-C2-color-s6", "offset2-C3-color-s6")
    assert (one["window"], two["window"], two["block"], two["channels"]) == (3, 2, "offset2", 3)
    assert (two["augmentation"], two["seed"], two["status"]) == ("color", 6, "finished")
    assert two["test_accuracy"] is None and 0 <= two["accuracy"] <= 1
    assert [len(values) for values in two["curve"].values()] == [2, 2]
    assert two["parameters"] == KINDS["offset2"].parameter_count(3)
    assert two["forward_operations"] == KINDS["offset2"].forward_operations(3)
    made = two["provenance"]
    assert made["trained_with"] == ["offset2-C3-color-s6"] and made["threads"] >= 1
    assert made["torch"] == torch.__version__ and made["finished"].endswith("+00:00")
    trainer = jobs.Trainer(some("B1", 2, 3), settings, SET)
    trainer.epoch, trainer.seconds = 3, 2.0
    entry = jobs._record(trainer, 1, "finished", 0.5)
    assert entry["provenance"]["job_images_per_second"] == 20 * 3 * 2 / 2
    assert (entry["name"], entry["provenance"]["job_seconds"]) == ("B1-C3-none-s0", 2.0)


class FakeClient:
    """As much of a Dask client as a sweep uses; some workers die, or the scheduler does."""

    def __init__(self, fate):
        self.fate, self.calls = fate, []

    def submit(self, function, job, *options, pure):
        future = concurrent.futures.Future()
        self.calls.append((function, options, pure))
        if self.fate == "worker":
            future.set_exception(RuntimeError("died"))
        elif self.fate == "scheduler":
            future.exception = lambda: (_ for _ in ()).throw(
                concurrent.futures.CancelledError("gone"))
            future.set_result(None)
        else:
            future.set_result((job, ["record"], []))
        return future


@pytest.mark.parametrize("fate", ["well", "worker", "scheduler"])
def test_a_cluster_gives_results_failures_or_one_error(fate, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", types.SimpleNamespace(
        as_completed=concurrent.futures.as_completed))
    client, todo = FakeClient(fate), [some("B1", 2), some("B2", 2)]
    finished = sweep.on_cluster(todo, (1, 2), client)
    if fate == "scheduler":
        with pytest.raises(OSError, match="the scheduler is lost: gone; what was finished is sto"):
            list(finished)
        return
    found = sorted(finished, key=lambda done: done[0][0].block)
    assert [done[0] for done in found] == todo
    assert client.calls == [(jobs.run_job, (1, 2), False)] * 2
    assert [done[1:] for done in found] == [
        (["record"], []) if fate == "well" else ([], [f"{job[0].name}: RuntimeError: died"])
        for job in todo]


def test_a_scheduler_needs_its_package_and_gets_its_address(monkeypatch):
    with sweep.connected(None) as client:
        assert client is None
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match="needs the package 'distributed' .pip install"):
        with sweep.connected("tcp://host:1"):
            pass

    class Client:
        def __init__(self, *arguments, **options):
            self.given, self.ended = (arguments, options), False

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.ended = True

    monkeypatch.setitem(sys.modules, "distributed", types.SimpleNamespace(Client=Client))
    with sweep.connected("tcp://host:1") as client:
        assert client.given == (("tcp://host:1",), {"timeout": sweep.CONNECT_SECONDS})
        assert not client.ended
    assert client.ended


def test_a_plan_adds_up_what_was_measured(monkeypatch):
    """Of 0.18 seconds per image: a pass over 100 images is 18 seconds, 30 passes 0.15 hours."""
    asked, threads = [], torch.get_num_threads()

    def measured(job, settings, device):
        asked.append((job[0].block, [n.channels for n in job], device))
        return 0.18

    monkeypatch.setattr(sweep, "seconds_per_image", measured)
    settings = Settings(images=100, epochs=28, batch_size=10, evaluations=6)
    grid = Grid({"B1": (4, 512), "B2": (4,)}, ("color",), (0, 1))
    try:
        text = sweep.describe(grid, settings, {"B2-C4-color-s0"}, "cpu", 2, 1)
    finally:
        torch.set_num_threads(threads)
    operations = 3 * 100 * 30 * (2 * sum(KINDS["B1"].forward_operations(c) for c in (4, 512))
                                 + KINDS["B2"].forward_operations(4))
    assert text.splitlines() == [
        "data        dead-leaves, 100 images, 28 epochs, batches of 10",
        "networks    6 in the grid, 1 stored, 5 to train in 5 jobs",
        f"arithmetic  {operations:.2e} operations",
        "estimate    0.75 hours of one worker on this machine (cpu, 1 threads), 0.45 hours with 2 "
        "workers",  # three jobs for one of them
        "  B1           C=[4, 512]  0.60 hours", "  B2           C=[4]  0.15 hours",
        f"widths beyond {sweep.MEASURED_CHANNELS} are estimated from their arithmetic"]
    assert sorted(asked) == [("B1", [4], "cpu"), ("B1", [512], "cpu"), ("B2", [4], "cpu")]


@pytest.mark.parametrize("hours, workers, expected", [
    ([1, 1, 1, 9], 3, 10), ([9, 1, 1, 1], 3, 9), ([2, 3, 4], 2, 6), ([], 4, 0), ([5], 4, 5)])
def test_workers_take_the_next_job_as_soon_as_they_are_free(hours, workers, expected):
    """No worker helps another: many of them are no faster than the longest job."""
    assert sweep._longest(hours, workers) == expected


def test_wide_networks_are_estimated_from_narrower_ones(monkeypatch):
    class Trained:
        epochs = 0

        def __init__(self, job, settings, data, device):
            assert (job[0].channels, settings.data) == (sweep.MEASURED_CHANNELS, "dead-leaves")
            assert settings.batch_size == len(data) == max(
                10, min(25, 1024 // sweep.MEASURED_CHANNELS))

        def run_epoch(self):
            Trained.epochs += 1

    ticks = iter(range(0, 1000, 3))
    monkeypatch.setattr(sweep, "Trainer", Trained)
    monkeypatch.setattr(sweep, "SECONDS_PER_MEASUREMENT", 10)
    monkeypatch.setattr(sweep.time, "perf_counter", lambda: next(ticks))
    wide, narrow = some("B2", 4 * sweep.MEASURED_CHANNELS), some("B2", sweep.MEASURED_CHANNELS)
    found = sweep.seconds_per_image(wide, Settings(batch_size=25))
    # three epochs of 3 seconds each, looked at five times; the first epoch is not counted
    size = max(10, min(25, 1024 // sweep.MEASURED_CHANNELS))
    assert Trained.epochs == 4
    assert found == pytest.approx(15 / 3 / size * jobs.weight(wide) / jobs.weight(narrow))


@pytest.mark.parametrize("failures, code", [([], 0), (["a: no", "b: no"], 1)])
def test_the_command_reports_failures_and_what_is_stored(tmp_path, capsys, monkeypatch, failures,
                                                         code):
    given, path = [], tmp_path / "a.jsonl"
    monkeypatch.setattr(sweep, "run_sweep", lambda *values: given.extend(values) or failures)
    assert command.main(["--output", str(path), "--device", "cpu", "--workers", "2", "--threads",
                         "1", "--quiet"]) == code
    said = capsys.readouterr()
    assert said.err.splitlines() == [f"failed: {failure}" for failure in failures]
    assert said.out == f"0 networks are stored in {path}\n"
    assert given[2:] == [str(path), (None, None), "cpu", 2, None, 1, False]


def test_the_command_continues_after_an_interruption(tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "run_sweep", interrupted)
    assert command.main(["--output", str(tmp_path / "a.jsonl"), "--device", "cpu"]) == 130
    assert "\ninterrupted: 0 networks are stored in" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        command.stop(15, None)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(command.os, "access", lambda path, mode: False)
    with pytest.raises(OSError, match=f"--output {tmp_path}/a/b.jsonl: {tmp_path} cannot be writ"):
        command.check_writable(str(tmp_path / "a" / "b.jsonl"))


def test_a_plan_says_what_will_be_downloaded_first(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "describe", lambda *values: f"{len(values[2])} stored, {values[3:]}")
    options = command.parser().parse_args(["--preset", "laptop", "--cache", str(tmp_path)])
    text = command.plan(*command.configure(options), options, str(tmp_path / "a"), "cpu", 2)
    assert text == "0 stored, ('cpu', 1, 2)\ndata will be downloaded first (170 MB)"


def test_an_unreadable_folder_of_images_is_one_error(tmp_path, monkeypatch):
    for number in range(1, 6):
        (tmp_path / f"data_batch_{number}.bin").touch()

    def refused(path):
        raise PermissionError("no")

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(cifar.DatasetError, match=f"from_folder: cannot read {tmp_path}: no"):
        cifar.from_folder(tmp_path)


@pytest.mark.parametrize("arguments, data, channels, name, epochs", [
    (["--seeds", "4"], "dead-leaves", 8, "ranks.jsonl", 40),
    (["--cifar-10", "--data-folder", "x", "--seeds", "4"], "folder", 16, "ranks-cifar.jsonl", 30),
])
def test_ranks_are_measured_on_leaves_or_on_photographs(monkeypatch, arguments, data, channels,
                                                        name, epochs):
    given = []
    monkeypatch.setattr(separation, "measure", lambda *values: given.extend(values))
    monkeypatch.setattr(separation, "load_data", lambda *values: types.SimpleNamespace(
        provenance={"name": "folder"}, asked=values))
    separation.main(arguments)
    networks, settings_of, images, output = given
    assert [n.name for n in networks] == [f"{block}-C{channels}-color-s4"
                                          for block in separation.COMPARED]
    assert images.provenance["name"] == data and output == separation.STORED / name
    assert (settings_of("B1").epochs, settings_of("B1").learning_rate) == (epochs, 1e-3)
    assert data == "folder" or len(images) == 100 and settings_of("B1prod").learning_rate == 5e-4
    assert data != "folder" or images.asked == ("cifar-10", 2000, "x")


def test_a_plan_counts_stored_names_that_can_be_read_once(monkeypatch):
    monkeypatch.setattr(sweep, "seconds_per_image", lambda *given: 1.0)
    grid = Grid({"B1": (2, 4)}, ("color",))
    text = sweep.describe(grid, Settings(), (network.name for network in grid.networks()[::-1]))
    assert "2 in the grid, 2 stored, 0 to train in 0 jobs" in text
    for wrong in ({"workers": 0}, {"threads": 0}):  # said before hours are measured
        with pytest.raises(ValueError, match="describe: (workers|threads)=0; need an integer >= 1"):
            sweep.describe(grid, Settings(), **wrong)
