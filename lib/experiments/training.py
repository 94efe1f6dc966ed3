"""Training of several networks at once, with checkpoints."""

import functools
import math
import time

import torch
import torch.nn.functional as F

from ..checks import kind
from ..exact.device import device_name, usual_modes
from . import checkpoints, products
from .augment import Stream
from .ensembles import Ensemble, arrange
from .images import ImageSet


class Diverged(ArithmeticError):
    """The loss of a network is not a number any more."""

    def __init__(self, networks, epoch):
        super().__init__(networks, epoch)  # with what it is made anew in another process
        self.networks, self.epoch = networks, epoch

    def __str__(self):
        names = ", ".join(network.name for network in self.networks)
        return f"the loss of {names} is not finite in epoch {self.epoch}"


def _same_in_every_mode(method):
    """A method that computes the same whatever the caller has switched on."""
    @functools.wraps(method)
    def same(self, *given):
        with usual_modes(self.device.type):
            return method(self, *given)
    return same


class Trainer:
    """Networks that look at the same images, trained together.

    Parameters
    ----------
    networks : sequence of Network
        All of the same kind, with the same augmentation and seed; widths may differ.
    settings : Settings
        Its ``data`` and ``images`` say what a sweep loads, and change nothing here.
    data : ImageSet
        All of these images are trained on.
    device : torch.device or str

    Raises
    ------
    ValueError
        If augmentations or seeds differ, or products are to be trained on a device without float64.

    Examples
    --------
    >>> from lib.experiments.images import dead_leaves
    >>> from lib.experiments.networks import Network
    >>> from lib.experiments.settings import Settings
    >>> trainer = Trainer([Network("B2", 4, "spatial", 0)], Settings(epochs=2), dead_leaves(50))
    >>> trainer.run()
    >>> len(trainer.curves[0]["loss"])
    2
    """

    @torch.inference_mode(False)  # whose tensors know no gradients
    def __init__(self, networks, settings, data, device="cpu"):
        kind("Trainer: networks", networks, list, tuple)
        kind("Trainer: data", data, ImageSet)
        self.settings, self.device = settings, torch.device(device)
        self.fingerprint = data.fingerprint
        pairs = {(network.augmentation, network.seed) for network in networks}
        if len(pairs) != 1:
            raise ValueError(
                f"Trainer: augmentations and seeds {sorted(pairs)}, must be one pair, which "
                "determines the images"
            )
        if self.device.type == "mps" and any(network.kind.product for network in networks):
            raise ValueError("Trainer: networks with products compute in float64, which mps does "
                             "not have; need the device cpu or cuda")
        self.stream = Stream(data, *pairs.pop(), settings.batch_size, settings.strength, device)
        self.ensembles = [
            Ensemble(members).to(self.device) for members in arrange(networks, settings.batch_size)
        ]
        parameters = [p for ensemble in self.ensembles for p in ensemble.parameters()]
        fused = self.device.type in ("cpu", "cuda")
        self.optimizer = torch.optim.Adam(parameters, lr=settings.learning_rate, fused=fused)
        self.order = [network for ensemble in self.ensembles for network in ensemble.networks]
        self.curves = [{"loss": [], "accuracy": []} for _ in self.order]
        self.epoch, self.seconds = 0, 0.0
        self.devices = [[0, device_name(self.device)]]  # from which epoch on, which chip

    def step(self, images, labels):
        """One step of Adam on one batch; sums of loss and of correct answers per network."""
        self.optimizer.zero_grad(set_to_none=True)
        losses, corrects = [], []
        for ensemble in self.ensembles:
            scores = ensemble(images).float()
            wanted = labels[:, None].expand(scores.shape[:2])
            loss = F.cross_entropy(scores.transpose(1, 2), wanted, reduction="none")
            loss.mean(0).sum().backward()
            ensemble.mask_gradients()
            if ensemble.kind.product:
                products.clip_gradients(ensemble)
            losses.append(loss.detach().sum(0))
            corrects.append((scores.detach().argmax(-1) == wanted).sum(0))
        self.optimizer.step()
        return torch.cat(losses), torch.cat(corrects)

    @_same_in_every_mode
    def run_epoch(self):
        """Train one epoch and extend the learning curves.

        Raises
        ------
        Diverged
            If the loss of a network is not finite.
        """
        start = time.perf_counter()
        loss = torch.zeros(len(self.order), device=self.device, dtype=torch.float32)
        correct = torch.zeros(len(self.order), dtype=torch.int64, device=self.device)
        for images, labels in self.stream.epoch(self.epoch):
            batch_loss, batch_correct = self.step(images, labels)
            loss += batch_loss
            correct += batch_correct
        count = self.stream.count
        broken = [n for n, value in zip(self.order, loss.tolist(), strict=True)
                  if not math.isfinite(value)]
        if broken:
            raise Diverged(broken, self.epoch)
        for curve, one, right in zip(self.curves, loss.tolist(), correct.tolist(), strict=True):
            curve["loss"].append(round(one / count, 5))
            curve["accuracy"].append(round(right / count, 5))
        self.epoch += 1
        self.seconds += time.perf_counter() - start

    @_same_in_every_mode
    def _accuracies(self, batches):
        correct = torch.zeros(len(self.order), dtype=torch.int64, device=self.device)
        total = 0
        with torch.no_grad():
            for images, labels in batches:
                total += len(labels)
                correct += torch.cat([
                    (ensemble(images).argmax(-1) == labels[:, None]).sum(0)
                    for ensemble in self.ensembles
                ])
        return [round(value / total, 6) for value in correct.tolist()]

    def evaluate(self):
        """Training accuracy of every network on freshly augmented images.

        Returns
        -------
        list of float
            In the order of `order`.
        """
        return self._accuracies(
            batch for number in range(self.settings.evaluations)
            for batch in self.stream.epoch(number, "evaluate")
        )

    def test(self, data):
        """Accuracy of every network on other images, as they are.

        Parameters
        ----------
        data : ImageSet

        Returns
        -------
        list of float
            In the order of `order`.
        """
        return self._accuracies(self.stream.plain(kind("Trainer.test: data", data, ImageSet)))

    def run(self, checkpoint=None, report=None, every_seconds=60.0):
        """Train to the last epoch, from a checkpoint if there is one.

        Parameters
        ----------
        checkpoint : pathlib.Path, optional
            Where to keep the state of a long run; removed by the caller once results are stored.
        report : callable, optional
            Called after every epoch with the number of epochs done.
        every_seconds : float
            Time between checkpoints.

        Raises
        ------
        Diverged
        """
        if checkpoint is not None:
            self._restore(checkpoint)
            if report and self.epoch:
                report(self.epoch)
        saved = time.perf_counter()
        while self.epoch < self.settings.epochs:
            self.run_epoch()
            if report:
                report(self.epoch)
            if checkpoint is not None and time.perf_counter() - saved >= every_seconds:
                checkpoints.save(checkpoint, self._state())
                saved = time.perf_counter()

    def _identity(self):
        return {"settings": self.settings.identifier, "data": self.fingerprint,
                "names": [network.name for network in self.order]}

    def _state(self):
        return {
            **self._identity(),
            "epoch": self.epoch, "seconds": self.seconds, "curves": self.curves,
            "devices": self.devices,
            "ensembles": [ensemble.state_dict() for ensemble in self.ensembles],
            "optimizer": self.optimizer.state_dict(),
        }

    def _restore(self, path):
        """Continue from a checkpoint; one of something else or unreadable is ignored."""
        state = checkpoints.load(path, self._identity(), self.device)
        if state is None:
            return
        for ensemble, values in zip(self.ensembles, state["ensembles"], strict=True):
            ensemble.load_state_dict(values)
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.seconds = state["epoch"], state["seconds"]
        self.curves = state["curves"]
        (_, here), before = self.devices[0], state["devices"]
        self.devices = before + [[self.epoch, here]] * (before[-1][1] != here)

    def devices_in_words(self):
        """What trained: one chip, or which up to which epoch, if a job was continued elsewhere."""
        ends = [f" to epoch {epoch}, then " for epoch, _ in self.devices[1:]] + [""]
        return "".join(name + end for (_, name), end in zip(self.devices, ends, strict=True))
