"""Random blobs, their labels, and the networks whose windows are squares or mirror images."""

import hashlib
import itertools
import json
import math

import numpy as np
import pytest
import scipy.ndimage
import torch

from lib.experiments import pooled
from lib.experiments.blobs import TASKS, Blobs, _drawn, blobs, symmetry
from lib.experiments.networks import generator_for
from lib.experiments.pooled import (
    GEOMETRIES,
    KINDS,
    PooledNetworks,
    PoolSettings,
    batches,
    coded,
    fingerprint,
    multisets,
    run,
    train,
    window_order,
)
from lib.experiments.records import STORED, RecordsError, read
from lib.experiments.settings import powers

SOME = blobs(200, seed="tests")
TINY = PoolSettings(images=20, test_images=10, steps=3, batch_size=4, channels=2)


def test_scores_are_those_of_their_definitions():
    for image, score in zip(SOME.images.numpy(), SOME.closedness.tolist(), strict=True):
        closed = scipy.ndimage.binary_closing(np.pad(image, 1))[1:-1, 1:-1]
        assert score == image.sum() / closed.sum() and 0 < score <= 1
    images, corner, side = _drawn(60, generator_for("tests"))
    some = images.any(2).any(1)
    found = symmetry(images[some], corner[some], side[some]).tolist()
    for image, (top, left), size, score in zip(
            images[some].numpy(), corner[some].tolist(), side[some].tolist(), found, strict=True):
        square = image[top:top + size, left:left + size]
        assert image.sum() == square.sum()  # the blob lies in its square
        assert score == (square & np.fliplr(square)).sum() / square.sum()


def test_blobs_are_made_as_described():
    images, corner, side = _drawn(2000, generator_for("many"))
    assert 0.46 < (side == 16).double().mean() < 0.54
    assert corner[side == 32].abs().sum() == 0
    assert {tuple(c) for c in corner[side == 16].tolist()} == {(0, 0), (0, 16), (16, 0), (16, 16)}
    area = images.sum((1, 2)) / side.square()  # height 11 to 32, up to a third lost
    assert 0.1 < area.min() and area.max() < 0.8
    exact = torch.tensor([1.0 == s for s in symmetry(images, corner, side).tolist()])
    assert exact.double().mean() < 0.05  # turned and bent blobs are not symmetric by themselves
    again = blobs(200, seed="tests", batch=500)
    assert all(bool((getattr(again, name) == getattr(SOME, name)).all())
               for name in ("images", "closedness", "symmetry"))
    assert bool((blobs(200, seed="others").images != SOME.images).any())


def test_a_task_keeps_both_ends_of_a_score():
    for task in TASKS:
        images, labels = SOME.task(task)
        scores = getattr(SOME, task)
        low, high = scores.sort().values[79], scores.sort().values[120]
        place = {image.numpy().tobytes(): score.item()
                 for image, score in zip(SOME.images, scores, strict=True)}
        found = torch.tensor([place[image.numpy().tobytes()] for image in images],
                             dtype=torch.float64)
        assert labels.bincount().tolist() == [80, 80]
        assert found[labels == 0].max() <= low and found[labels == 1].min() >= high
    tie = Blobs(SOME.images[:5], torch.ones(5), torch.arange(5.0))
    assert tie.task("closedness")[1].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("call, words", [
    (lambda: blobs(0, 0), "count=0; need an integer >= 1"),
    (lambda: SOME.task("size"), "'size', must be one of"),
    (lambda: window_order(4, "round"), "'round'"),
    (lambda: coded(torch.ones(2, 28, 28, dtype=torch.bool), "mirror"), "side=28, must be a power"),
    (lambda: window_order(0, "square"), "side=0; need an integer >= 1"),
    (lambda: powers(0, 8), "powers: first=0; need an integer >= 1"),
    (lambda: coded(SOME.images[:, :16], "square"), r"shape \(200, 16, 32\) and type torch.bool;"),
    (lambda: coded(SOME.images.float(), "square"), "and type torch.float32; need squares"),
    (lambda: coded(SOME.images[:, :2, :2], "square"), r"shape \(200, 2, 2\).*side of at least 4"),
    (lambda: PoolSettings(steps=0), "steps=0"),
    (lambda: PoolSettings(images=2), "images=2, must be an integer, at least 3"),
    (lambda: PoolSettings(test_images=2), "test_images=2, must be an integer, at least 3"),
    (lambda: blobs(5, 0, batch=0), "batch=0; need an integer >= 1"),
    (lambda: PooledNetworks("sum", "square", 2, (0,)), "kind='sum'"),
    (lambda: PooledNetworks("max", "round", 2, (0,)), "geometry='round'"),
    # images of 16 x 16 pixels were pooled with one another, four into one answer
    (lambda: PooledNetworks("max", "square", 2, (0,))(torch.zeros(1, 8, 16).long()), "16 places")])
def test_bad_arguments_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def plainly(net, images, geometry, place):
    """Scores of one network, pixel by pixel."""
    order = window_order(32, geometry)
    x = torch.stack((~images, images), -1).double().flatten(1, 2)[:, order]
    product = net.kind == "product"
    for layer, weight in enumerate(net.weights):
        x = x @ (weight[place].softmax(0) if product else weight[place])
        x = x if product else x + net.biases[layer][place]
        if layer < 5:  # twice a probability, so that 1024 of them stay in the range of floats
            x = (2 * x if product else x.relu()).unflatten(1, (-1, 4))
            x = x.prod(2) if product else x.amax(2) if net.kind == "max" else x.mean(2)
    return x[:, 0].log() - 1364 * np.log(2) if product else x[:, 0]


@pytest.mark.parametrize("kind, geometry", list(itertools.product(KINDS, GEOMETRIES)))
def test_networks_on_contents_are_the_networks_on_pixels(kind, geometry):
    net = PooledNetworks(kind, geometry, 6, seeds=(3, 4)).double()
    for bias in net.biases:
        torch.nn.init.normal_(bias, generator=generator_for("biases"))
    codes = coded(SOME.images[:20], geometry)
    found = net(codes.expand(2, -1, -1))
    for place in (0, 1):
        assert torch.allclose(found[place], plainly(net, SOME.images[:20], geometry, place),
                              atol=1e-9, rtol=0)


def test_contents_count_white_pixels_window_by_window():
    image = torch.zeros(1, 8, 8, dtype=torch.bool)
    image[0, :2, :2] = True
    image[0, 4, 4] = True
    number = {tuple(row): place for place, row in enumerate(multisets(5).tolist())}
    assert coded(image, "square").tolist() == [[number[0, 0, 0, 4], 0, 0, number[0, 0, 0, 1]]]
    # folded once, (4, 4) lies on (3, 3); folded again, on the window of (0, 0)
    assert sorted(coded(image, "mirror")[0].tolist()) == sorted(
        [number[0, 0, 1, 1], *[number[0, 0, 0, 1]] * 3])


def test_every_seed_has_its_own_order_whatever_the_company():
    together, alone = batches(10, 4, (0, 1)), batches(10, 4, (1,))
    for _ in range(7):
        assert next(together)[1].tolist() == next(alone)[0].tolist()
    first = [next(batches(10, 4, (0,))) for _ in range(2)]
    assert first[0].tolist() == first[1].tolist()
    epoch = batches(10, 5, (0,))
    assert sorted(next(epoch)[0].tolist() + next(epoch)[0].tolist()) == list(range(10))


def test_training_is_the_same_alone_and_in_company():
    data = SOME.task("symmetry")
    settings = PoolSettings(steps=10, batch_size=8, channels=3)
    pair = train("mean", "square", settings, data, data, (0, 1))
    alone = train("mean", "square", settings, data, data, (1,))
    assert [entry["seed"] for entry in pair] == [0, 1]
    assert pair[1]["curve"]["loss"] == pytest.approx(alone[0]["curve"]["loss"], abs=1e-4)
    assert len(pair[0]["curve"]["loss"]) == 10 and pair[0]["accuracy"] == pair[0]["test_accuracy"]


def test_a_run_can_be_stopped_and_called_again(tmp_path):
    path = tmp_path / "blobs.jsonl"
    run(TINY, seeds=(0, 1), geometries=("square",), output=path, together=1)
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + 2 * len(KINDS) * len(TASKS)
    run(TINY, seeds=(0, 1), geometries=("square",), output=path)
    assert path.read_bytes() == b"".join(lines)  # nothing left to do
    path.write_bytes(b"".join(lines[:4]) + lines[4][:20])  # killed while writing
    run(TINY, seeds=(0, 1), geometries=("square",), output=path)
    values = [{entry["name"]: entry["accuracy"] for entry in map(json.loads, text[1:])}
              for text in (lines, path.read_bytes().splitlines())]
    assert values[0] == values[1]
    with pytest.raises(RecordsError, match="steps"):
        run(PoolSettings(20, 10, 4, 4, 2), seeds=(0,), output=path)


def test_the_stored_results_are_whole():
    header, entries = read(STORED / "blobs.jsonl")
    settings = PoolSettings()
    assert (header["identifier"], header["settings"]) == (settings.identifier, settings.as_dict())
    names = [entry["name"] for entry in entries]
    assert len(set(names)) == len(names)
    for entry in entries:
        assert entry["block"] == f"{entry['pooling']}-{entry['geometry']}"
        assert entry["pooling"] in KINDS and entry["task"] in TASKS
        assert len(entry["curve"]["loss"]) == 10 and entry["provenance"]["torch"]
    done = {(entry["pooling"], entry["task"], entry["geometry"], entry["seed"])
            for entry in entries}
    assert set(itertools.product(KINDS, TASKS, GEOMETRIES, range(5))) <= done
    assert len({entry["provenance"]["code"] for entry in entries}) == 1


@pytest.mark.slow
def test_the_stored_results_come_from_these_images_and_these_networks():
    header, entries = read(STORED / "blobs.jsonl")
    data, test = blobs(25_000, "train"), blobs(5_000, "test")
    assert header["data"]["fingerprint"] == fingerprint(data)
    assert header["data"]["test_fingerprint"] == fingerprint(test)
    stored = {entry["name"]: entry["test_accuracy"] for entry in entries}
    for geometry in ("square", "mirror"):
        found = train("mean", geometry, PoolSettings(), data.task("closedness"),
                      test.task("closedness"), range(5))
        for entry in found:
            name = f"mean-{geometry}-C16-closedness-s{entry['seed']}"
            assert entry["test_accuracy"] == pytest.approx(stored[name], abs=0.03)


def test_blob_settings_by_default():
    assert pooled.PoolSettings() == pooled.PoolSettings(25_000, 5_000, 2_000, 64, 16)
    assert pooled.PoolSettings().as_dict()["kinds"] == {
        "product": [3e-3, [0.9, 0.9], 0.0], "max": [1e-3, [0.9, 0.999], 1e-4],
        "mean": [1e-3, [0.9, 0.999], 1e-4]}


def test_a_curve_has_ten_points_whatever_the_number_of_steps(monkeypatch):
    """Losses of constant networks that are told apart by their step: means over each tenth."""
    steps, labels = 23, torch.tensor([0, 0, 0])

    class Constant(torch.nn.Module):
        def __init__(self, *given):
            super().__init__()
            self.given, self.step = given, 0
            self.weights, self.biases = [torch.nn.Parameter(torch.zeros(1))], []

        def forward(self, codes):
            self.step += 1
            scores = torch.zeros(2, codes.shape[-2], 2)
            scores[0, :, 1] += min(self.step, steps)
            scores[1, :, 1] += 2 * min(self.step, steps)
            return scores + 0 * self.weights[0]

    monkeypatch.setattr(pooled, "PooledNetworks", Constant)
    monkeypatch.setattr(pooled, "coded", lambda images, geometry: torch.zeros(3, 64).long())
    images = torch.zeros(3, 32, 32, dtype=torch.bool)
    found = pooled.train("mean", "square", pooled.PoolSettings(steps=steps), (images, labels),
                         (images, 1 - labels), (5, 6))
    parts = [[] for _ in range(10)]
    for step in range(1, steps + 1):
        parts[(step - 1) * 10 // steps].append(step)
    for entry, factor in zip(found, (1, 2), strict=True):
        assert entry["curve"]["loss"] == pytest.approx([
            sum(math.log(1 + math.exp(factor * step)) for step in part) / len(part)
            for part in parts], abs=6e-6)
        assert all(round(value, 5) == value for value in entry["curve"]["loss"])
        assert (entry["accuracy"], entry["test_accuracy"]) == (0.0, 1.0)
    assert [entry["seed"] for entry in found] == [5, 6]


IMAGES, LABELS = SOME.task("symmetry")


@pytest.mark.parametrize("task, words", [
    (SOME, "of type Blobs; need two tensors, images and labels, as Blobs.task returns them"),
    ((IMAGES.numpy(), LABELS.numpy()), "of type ndarray, ndarray; need two tensors"),
    ((IMAGES, LABELS.tolist()), "of type Tensor, list; need two tensors"),
    ((IMAGES, LABELS, LABELS), "of type Tensor, Tensor, Tensor; need two tensors"),
    ((IMAGES[:0], LABELS[:0]), "images of {} of shape (0, 32, 32) and type torch.bool; need (n, "
     "32, 32) of torch.bool, n >= 1"),
    ((IMAGES[:, :16, :16], LABELS), "images of {} of shape (160, 16, 16) and type torch.bool"),
    ((IMAGES.byte(), LABELS), "images of {} of shape (160, 32, 32) and type torch.uint8"),
    ((IMAGES, 2 * LABELS - 1), "labels of {} of shape (160,) and type torch.int64 with -1, 1; need "
     "(160,) of torch.int64, each 0 or 1"),
    ((IMAGES, torch.arange(160) % 10), "and type torch.int64 with 0, 1, 2; need"),
    ((IMAGES, LABELS.double()), "and type torch.float64 with 0.0, 1.0; need"),
    ((IMAGES, LABELS[:, None]), "labels of {} of shape (160, 1) and type torch.int64 with 0, 1;"),
    ((IMAGES, LABELS[1:]), "labels of {} of shape (159,) and type torch.int64 with 0, 1; need")])
def test_images_of_ones_own_are_looked_at_before_the_training(monkeypatch, task, words):
    monkeypatch.setattr(pooled, "PooledNetworks", None)  # nothing is trained
    settings, right = pooled.PoolSettings(steps=1), (IMAGES, LABELS)
    for name, tasks in (("data", (task, right)), ("test", (right, task))):
        with pytest.raises((TypeError, ValueError)) as refused:
            pooled.train("max", "square", settings, *tasks, (0,))
        said = str(refused.value)
        assert said.startswith("train: ") and name in said and words.format(name) in said


def test_right_answers_are_counted_in_parts():
    codes, labels = torch.arange(7)[:, None], torch.tensor([0, 1, 0, 1, 1, 1, 0])
    sizes = []

    def nets(part):
        sizes.append(part.shape)
        scores = torch.zeros(*part.shape[:2], 2)
        scores[0, :, 1] = 1
        scores[1, :, 0] = 1
        return scores

    assert pooled.accuracies(nets, codes, labels, 2, 3) == [4 / 7, 3 / 7]  # in all digits
    assert sizes == [(2, 3, 1), (2, 3, 1), (2, 1, 1)]
    pooled.accuracies(nets, codes.repeat(143, 1), labels.repeat(143), 2)
    assert sizes[3:] == [(2, 1000, 1), (2, 1, 1)]


def test_orders_of_images_are_drawn_anew_when_too_few_are_left():
    draw, stream = generator_for("order", 3), pooled.batches(7, 3, (2, 3))
    for _ in range(3):
        order = torch.randperm(7, generator=draw)
        assert [next(stream)[1].tolist() for _ in (0, 1)] == [order[:3].tolist(),
                                                              order[3:6].tolist()]


def test_a_random_order_is_that_of_its_side():
    assert torch.equal(pooled.window_order(4, "random"), torch.randperm(
        16, generator=generator_for("window order", 4)))
    for call, message in (
            (lambda: pooled.window_order(4, "x"), "window_order: geometry='x', must be one of "
             "('square', 'mirror', 'random')"),
            (lambda: pooled.PooledNetworks("x", "square", 2, (0,)), "PooledNetworks: kind='x', "
             "geometry='square'; must be one of ('product', 'max', 'mean') and one of ('square', "
             "'mirror', 'random')"),
            (lambda: pooled.PooledNetworks("max", "square", 2, (0,))(torch.zeros(1, 8, 16).long()),
             "PooledNetworks: codes of 16 places; need 64, those of images of 32 x 32 pixels")):
        with pytest.raises(ValueError) as refused:
            call()
        assert str(refused.value) == message


def test_what_a_run_on_blobs_stores(tmp_path, monkeypatch):
    """Seeds in groups; what is stored is left out; every record says what it is."""
    trained, clock = [], iter(range(0, 1000, 3))

    def train(kind, geometry, settings, data, test, seeds):
        trained.append((kind, geometry, len(data[0]), len(test[0]), list(seeds)))
        return [{"seed": seed, "accuracy": 0.5, "test_accuracy": 0.25, "curve": {"loss": [1.0]}}
                for seed in seeds]

    monkeypatch.setattr(pooled, "train", train)
    monkeypatch.setattr(pooled.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(pooled, "blobs", lambda count, seed: blobs(count, seed, batch=count))
    path, settings = tmp_path / "a.jsonl", pooled.PoolSettings(20, 10, 3, 4, 2)
    pooled.run(settings, (4,), ("mirror",), path)
    header, entries = read(path)
    assert trained == [(kind, "mirror", 16, 8, [4]) for kind in ("product", "max", "mean")
                       for _ in range(2)]
    data = blobs(20, "train", batch=20)
    content = b"".join(part.numpy().tobytes() for part in (data.images, data.closedness,
                                                           data.symmetry))
    assert header["settings"] == settings.as_dict()
    assert header["data"] == {
        "name": "blobs", "official": False, "count": 20,
        "origin": "made by lib/experiments/blobs.py from the published description",
        "fingerprint": hashlib.sha256(content).hexdigest()[:16],
        "test_fingerprint": pooled.fingerprint(blobs(10, "test", batch=10))}
    entry = {key: value for key, value in entries[1].items() if key not in ("check", "kind")}
    made = entry.pop("provenance")
    name = "product-mirror-C2-symmetry-s4"
    assert entry == {
        "name": name, "block": "product-mirror", "pooling": "product", "geometry": "mirror",
        "task": "symmetry", "augmentation": "none", "channels": 2, "status": "finished",
        "seed": 4, "accuracy": 0.5, "test_accuracy": 0.25, "curve": {"loss": [1.0]}}
    assert (made["trained_with"], made["job_seconds"]) == ([name], 3)
    assert (made["threads"], made["code"]) == (torch.get_num_threads(), pooled.code_digest())
    assert made["torch"] == torch.__version__ and made["finished"].endswith("+00:00")
    assert len(made["finished"]) == 25 and made["python"] and made["device"]
    trained.clear()
    pooled.run(settings, range(3, 10), ("mirror",), path, together=3)
    assert [part[-1] for part in trained] == [[3, 5]] * 6 + [[6, 7, 8]] * 6 + [[9]] * 6
    trained.clear()
    pooled.run(settings, output=path)
    assert [part[1] for part in trained[:4]] == ["square", "mirror", "random", "square"]
    assert [part[-1] for part in trained[:2]] == [[0, 1, 2, 3, 4], [0, 1, 2]]
    assert sorted({seed for part in trained for seed in part[-1]}) == list(range(5))
    monkeypatch.setattr(pooled, "train", lambda *given: [path.unlink(), *train(*given)][1:])
    with pytest.raises(ValueError, match="exchanged, lacks max-mirror-C2-closedness-s20; start"):
        pooled.run(settings, (20,), ("mirror",), path)


def test_geometries_that_can_be_read_once_are_there_for_every_group_of_seeds(tmp_path):
    path = tmp_path / "blobs.jsonl"
    run(TINY, (0, 1), (name for name in ("square",)), path, together=1)
    stored = {entry["seed"] for entry in read(path)[1]}
    assert stored == {0, 1}
    with pytest.raises(ValueError, match="run: geometries='squares'; need one of 'square', 'mir"):
        run(TINY, (0,), ("squares",), tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()
