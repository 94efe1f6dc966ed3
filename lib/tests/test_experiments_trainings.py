"""One step, one epoch, one run and its checkpoints, by hand."""

import contextlib
import copy
import hashlib
import math
import operator
import pickle
import threading
import types
import warnings
from pathlib import Path

import pytest
import torch

from lib.exact.device import usual_modes
from lib.experiments import checkpoints, jobs, pooled, products, sweep, training
from lib.experiments.ensembles import Ensemble
from lib.experiments.images import ImageSet, dead_leaves
from lib.experiments.networks import Network
from lib.experiments.settings import Grid, Settings

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = Settings(images=20, batch_size=10, epochs=2, evaluations=1)


def some(block, *widths, augmentation="none", seed=0):
    return tuple(Network(block, width, augmentation, seed) for width in widths)


def test_a_broken_loss_is_named():
    error = training.Diverged(some("B1", 2, 3), 7)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # a pool would wait for it
        assert str(again) == str(error) and again.networks == error.networks and again.epoch == 7
    assert str(error) == "the loss of B1-C2-none-s0, B1-C3-none-s0 is not finite in epoch 7"
    assert (error.epoch, error.networks) == (7, some("B1", 2, 3))
    with pytest.raises(ValueError) as refused:
        training.Trainer(some("B1", 2, seed=1) + some("B1", 2, augmentation="color"), QUICK,
                         dead_leaves(10, leaves=1))
    assert str(refused.value) == (
        "Trainer: augmentations and seeds [('color', 0), ('none', 1)], must be one pair, which "
        "determines the images")


def test_own_images_are_compared_with_what_is_needed_before_a_training(monkeypatch):
    """Torchvision's CIFAR10 has an array of images and a list of labels; hours of training ended
    with a raw error where the images of the test were a pair of tensors."""
    data = dead_leaves(10, leaves=1)
    for labels in (data.labels.tolist(), None):
        with pytest.raises(TypeError, match="ImageSet: labels=.*; need a value of type Tensor"):
            ImageSet(data.images, labels, data.classes)
    with pytest.raises(TypeError, match="ImageSet: images=ndarray of uint8 and shape"):
        ImageSet(data.images.numpy(), data.labels, data.classes)
    other = (data.images, data.labels)
    with pytest.raises(TypeError, match="Trainer.test: data=.*; need a value of type ImageSet"):
        training.Trainer(some("B1", 2), QUICK, data).test(other)
    monkeypatch.setattr(training.Trainer, "run", lambda *_: pytest.fail("is trained"))
    with pytest.raises(TypeError, match="train_job: test=.*; need a value of type ImageSet"):
        jobs.train_job(some("B1", 2), QUICK, data, test=other)


@pytest.mark.parametrize("threads", [0, -1, "2"])
def test_threads_are_refused_before_a_file_is_made(tmp_path, threads):
    """0 was every thread, -1 a raw error beside an empty results file."""
    with pytest.raises((TypeError, ValueError), match="run_sweep: threads=.*; need an integer"):
        sweep.run_sweep(Grid({"B1": (2,)}), QUICK, tmp_path / "a.jsonl", threads=threads)
    assert not list(tmp_path.iterdir())


class Scores:
    """In place of an ensemble: fixed scores for the first network, their negative for the other."""

    def __call__(self, images):
        scores = images[:, 0, 0, :10]
        return torch.stack((scores, -scores), 1)


@pytest.fixture
def scored():
    """A trainer whose ensemble is `Scores`, on images that say their scores."""
    data = dead_leaves(12, leaves=3)
    trainer = training.Trainer(some("B1", 2, 3), Settings(
        images=12, batch_size=5, epochs=3, evaluations=2), data)
    trainer.ensembles = [Scores()]
    return trainer, data


def test_accuracies_are_shares_of_right_answers(scored):
    trainer, data = scored
    for batches, found in ((trainer.stream.plain(data), trainer.test(data)),
                           ([*trainer.stream.epoch(0, "evaluate"),
                             *trainer.stream.epoch(1, "evaluate")], trainer.evaluate())):
        scores, labels = zip(*((images[:, 0, 0, :10], labels) for images, labels in batches))
        scores, labels = torch.cat(scores), torch.cat(labels)
        assert found == [round((best(1) == labels).double().mean().item(), 6)
                         for best in (scores.argmax, scores.argmin)]


def test_curves_are_means_over_images_to_five_digits(monkeypatch):
    data, clock = dead_leaves(12, leaves=3), iter((10.0, 12.5, 20.0, 20.25))
    trainer = training.Trainer(some("B1", 2, 3), Settings(images=12, batch_size=5, epochs=3), data)
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(clock))
    seen = []

    def step(images, labels):
        seen.append((images, labels))
        return (torch.tensor([1.0, 2.0]) * len(seen), torch.tensor([len(labels), 1]))

    trainer.step = step
    trainer.run_epoch()
    assert [len(labels) for _, labels in seen] == [5, 5, 2]
    for (images, labels), (ours, theirs) in zip(seen, trainer.stream.epoch(0), strict=True):
        assert torch.equal(images, ours) and torch.equal(labels, theirs)
    assert trainer.curves == [{"loss": [0.5], "accuracy": [1.0]},
                              {"loss": [1.0], "accuracy": [0.25]}]
    assert (trainer.epoch, trainer.seconds) == (1, 2.5)
    trainer.step = lambda images, labels: (torch.tensor([1.0, 1.0]), torch.tensor([1, 0]))
    trainer.run_epoch()
    assert trainer.curves[0] == {"loss": [0.5, 0.25], "accuracy": [1.0, 0.25]}
    assert (trainer.epoch, trainer.seconds) == (2, 2.75)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_an_epoch_that_diverges_names_the_networks_and_leaves_the_curves(wrong):
    trainer = training.Trainer(some("B1", 2, 3), QUICK, dead_leaves(20, leaves=1))
    trainer.epoch = 1
    trainer.step = lambda *_: (torch.tensor([1.0, wrong]), torch.tensor([1, 1]))
    with pytest.raises(training.Diverged) as broken:
        trainer.run_epoch()
    assert broken.value.networks == [some("B1", 3)[0]] and broken.value.epoch == 1
    assert trainer.curves == [{"loss": [], "accuracy": []}] * 2 and trainer.epoch == 1


@pytest.mark.parametrize("block", ["B1prod", "offset3prod"])
def test_products_are_refused_where_there_is_no_float64(block):
    with pytest.raises(ValueError, match="^Trainer: networks with products .* cpu or cuda$"):
        training.Trainer(some(block, 2), QUICK, dead_leaves(20, leaves=1), "mps")


def test_a_large_loss_is_finite_under_every_default_type():
    trainer = training.Trainer(some("B1", 2), QUICK, dead_leaves(20, leaves=1))
    trainer.step = lambda *_: (torch.tensor([1e5], dtype=torch.float32), torch.tensor([1]))
    torch.set_default_dtype(torch.float16)  # which ends at 65504
    try:
        trainer.run_epoch()
    finally:
        torch.set_default_dtype(torch.float32)
    assert trainer.epoch == 1


@pytest.mark.parametrize("block, products_clipped", [("B2", 0), ("B1prod", 1)])
def test_one_step_of_a_network_by_hand(monkeypatch, block, products_clipped):
    clipped, original = [], products.clip_gradients
    monkeypatch.setattr(products, "clip_gradients",
                        lambda one: clipped.append(one) or original(one))
    data = dead_leaves(20, leaves=5)
    trainer = training.Trainer(some(block, 4), Settings(images=20, learning_rate=0.25), data)
    ensemble = Ensemble(some(block, 4))
    images, labels = next(trainer.stream.epoch(0))
    scores = ensemble(images)[:, 0]
    loss = -scores.log_softmax(1)[range(10), labels]
    loss.mean().backward()
    if products_clipped:
        original(ensemble)
    found, right = trainer.step(images, labels)
    assert found.tolist() == pytest.approx([loss.sum().item()], rel=1e-5)
    assert right.tolist() == [int((scores.argmax(1) == labels).sum())]
    assert len(clipped) == products_clipped
    for old, new in zip(ensemble.parameters(), trainer.ensembles[0].parameters(), strict=True):
        if old.grad is not None:  # Adam hides a factor, clipping does not
            torch.testing.assert_close(new.grad, old.grad, rtol=1e-3, atol=1e-5)
            # the first step of Adam: the rate, against the sign
            moved = -0.25 * old.grad / (old.grad.abs() + 1e-8)
            clear = old.grad.abs() > 1e-5
            torch.testing.assert_close((new - old)[clear], moved[clear], rtol=1e-2, atol=1e-5)
    trainer.optimizer.zero_grad()
    assert trainer.optimizer.defaults["lr"] == 0.25
    assert trainer.optimizer.defaults["fused"]          # one call per step, not one per tensor


def test_a_run_saves_once_a_minute_and_reports_every_epoch(tmp_path, monkeypatch):
    saved, told, path = [], [], tmp_path / "state.pt"
    trainer = training.Trainer(some("B1", 2), Settings(images=10, epochs=7),
                               dead_leaves(10, leaves=1))
    clock = [0.0]

    def run_epoch():
        trainer.epoch += 1
        clock[0] += 30

    trainer.run_epoch = run_epoch
    monkeypatch.setattr(training.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(checkpoints, "load", lambda *given: None)
    monkeypatch.setattr(checkpoints, "save", lambda *given: saved.append(
        (given[0], given[1]["epoch"])))
    trainer.run(path, told.append)
    assert saved == [(path, 2), (path, 4), (path, 6)] and told == [1, 2, 3, 4, 5, 6, 7]
    trainer.epoch = 0
    trainer.run()  # without a checkpoint nothing is saved
    assert len(saved) == 3 and trainer.epoch == 7
    trainer.epoch = 5
    trainer.run(path, told.append, every_seconds=30.5)
    assert told[7:] == [5, 6, 7] and saved[3:] == [(path, 7)]


def test_the_state_of_a_training(tmp_path):
    trainer = training.Trainer(some("haar2", 2, 3), QUICK, dead_leaves(20, leaves=1))
    state = trainer._state()
    assert {key: state[key] for key in ("settings", "data", "names", "epoch", "seconds")} == {
        "settings": QUICK.identifier, "data": dead_leaves(20, leaves=1).fingerprint,
        "names": ["haar2-C2-none-s0", "haar2-C3-none-s0"], "epoch": 0, "seconds": 0.0}
    assert set(state["ensembles"][0]) == {  # no more than the weights
        *(f"{part}.{block}" for part in ("conv", "bias") for block in range(5)), "head",
        "head_bias"}
    trainer.epoch, trainer.seconds = 1, 4.5
    checkpoints.save(tmp_path / "a.pt", trainer._state())
    other = training.Trainer(some("haar2", 2, 3), QUICK, dead_leaves(20, leaves=1))
    with torch.no_grad():
        for parameter in other.ensembles[0].parameters():
            parameter += 1
    other._restore(tmp_path / "a.pt")
    assert (other.epoch, other.seconds) == (1, 4.5)
    for one, two in zip(trainer.ensembles[0].parameters(), other.ensembles[0].parameters()):
        assert torch.equal(one, two)


def test_the_digest_of_the_code_is_that_of_its_files():
    here = Path(checkpoints.__file__).parent
    names = [here / f"{name}.py" for name in (
        "augment", "cifar", "ensembles", "images", "kinds", "networks", "products", "training")]
    content = b"".join(path.read_bytes() for path in [*names, here.parent / "photograph.py"])
    assert checkpoints.code_digest() == hashlib.sha256(content).hexdigest()[:12]
    content = b"".join((here / name).read_bytes() for name in ("blobs.py", "pooled.py"))
    assert pooled.code_digest() == hashlib.sha256(content).hexdigest()[:12]


def test_warnings_of_checkpoints_point_to_whoever_trains(tmp_path):
    (tmp_path / "file").touch()
    trainer = training.Trainer(some("B1", 2), QUICK, dead_leaves(20, leaves=1))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        trainer.run(tmp_path / "file" / "a.pt", every_seconds=0)
        (tmp_path / "b.pt").write_bytes(b"x")
        trainer.run(tmp_path / "b.pt")
    assert [Path(one.filename).name for one in said] == [
        Path(__file__).name, Path(__file__).name, "training.py"]
    assert str(said[0].message).startswith(f"save: no checkpoint in {tmp_path / 'file'}: ")
    assert str(said[0].message).endswith("; the training goes on")
    assert str(said[2].message) == (
        f"load: {tmp_path / 'b.pt'} is damaged, or of another job or version of the code: "
        "ValueError: its checksum is wrong; the training starts anew")


def test_what_dead_processes_left_goes_even_where_no_checkpoint_is(tmp_path):
    path = tmp_path / "c" / "a.pt"
    checkpoints.remove(path)  # nothing is there
    path.parent.mkdir()
    path.with_name("a.pt.1.tmp").touch()
    checkpoints.remove(path)
    assert not path.parent.exists()
    path.parent.mkdir()
    for name in ("bad.pt", "a.pt.2.tmp"):
        path.with_name(name).write_bytes(b"x")
    checkpoints.save(path, {"names": ["a"]})
    checkpoints.save(path.with_name("b.pt"), {"names": ["a", "b"]})
    checkpoints.remove_stored(path.parent, {"a", "c"})
    assert sorted(file.name for file in path.parent.iterdir()) == ["b.pt", "bad.pt"]


def test_half_a_write_is_no_checkpoint(tmp_path, monkeypatch):
    @contextlib.contextmanager
    def locked(path):
        path.touch()
        yield types.SimpleNamespace(write=lambda part: len(part) - 1)

    monkeypatch.setattr(checkpoints, "locked", locked)
    with pytest.warns(UserWarning) as said:
        checkpoints.save(tmp_path / "a.pt", {})
    assert str(said[0].message) == (f"save: no checkpoint in {tmp_path}: not all of it could be "
                                    "written; the training goes on")
    assert list(tmp_path.iterdir()) == []


def test_trainings_multiply_whole_numbers_whatever_the_caller_has_cut_off(request, monkeypatch):
    """Processors that know bfloat16 would round the factors to eight binary digits."""
    seen = []
    request.addfinalizer(lambda: torch.set_float32_matmul_precision("highest"))
    monkeypatch.setattr(training.Trainer, "step", lambda trainer, images, labels: seen.append(
        torch.get_float32_matmul_precision()) or (torch.zeros(1), torch.zeros(1).long()))
    torch.set_float32_matmul_precision("medium")
    training.Trainer([Network("offset2", 2, "none", 0)], QUICK, dead_leaves(20, leaves=1)).run()
    assert set(seen) == {"highest"} and torch.get_float32_matmul_precision() == "medium"
    with pytest.raises(RuntimeError, match="mine"), usual_modes():
        raise RuntimeError("mine")
    assert torch.get_float32_matmul_precision() == "medium"


def test_the_end_of_another_thread_s_training_cuts_no_digits_off(request):
    """It put back what its caller had switched on, while this one went on."""
    request.addfinalizer(lambda: torch.set_float32_matmul_precision("highest"))
    torch.set_float32_matmul_precision("medium")
    first, second = usual_modes(), usual_modes()
    first.__enter__()
    begun, ended = threading.Event(), threading.Event()
    found = []

    def trains():
        with second:
            begun.set()
            ended.wait(30)
            found.append(torch.get_float32_matmul_precision())

    thread = threading.Thread(target=trains)
    thread.start()
    begun.wait(30)
    first.__exit__(None, None, None)
    ended.set()
    thread.join()
    assert found == ["highest"] and torch.get_float32_matmul_precision() == "medium"


@pytest.mark.parametrize("place", ["", "mkldnn", "mkldnn.conv", "mkldnn.matmul"])
def test_newer_switches_of_torch_cut_off_nothing_either(request, place):
    """They round convolutions too, and are as the caller has set them when all is done."""
    one = torch.backends if not place else operator.attrgetter(place)(torch.backends)
    if not hasattr(torch.backends.mkldnn, "conv"):
        pytest.skip("a version of torch without them")
    both = (torch.backends.mkldnn.conv, torch.backends.mkldnn.matmul)
    request.addfinalizer(lambda: setattr(one, "fp32_precision", "none"))
    one.fp32_precision = "bf16"
    before = [switch.fp32_precision for switch in both]
    with usual_modes():
        assert not {switch.fp32_precision for switch in both} - {"none", "ieee"}
    assert [switch.fp32_precision for switch in both] == before and "bf16" in before
    one.fp32_precision = "none"  # what was inherited still is
    assert "bf16" not in {switch.fp32_precision for switch in both}
