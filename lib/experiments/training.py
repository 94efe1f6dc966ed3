"""Training of several networks at once, with checkpoints."""

import contextlib
import os
import time

import torch
import torch.nn.functional as F

from . import products
from .choose import measured_arrangement
from .ensembles import Ensemble, arrange
from .streams import Streams


class Diverged(ArithmeticError):
    """The loss of a network is not a number any more."""

    def __init__(self, networks, epoch):
        names = ", ".join(network.name for network in networks)
        super().__init__(f"the loss of {names} is not finite in epoch {epoch}")
        self.networks, self.epoch = networks, epoch


class Trainer:
    """Networks of one window, trained together.

    Parameters
    ----------
    networks : sequence of Network
        All with the same window; widths, augmentations and seeds may differ.
    settings : Settings
    data : ImageSet
    device : torch.device or str
    mechanism : str
        ``"by width"`` follows `ensembles.arrange`, ``"measured"`` times the possibilities first
        (choose.py); ``"auto"`` is the former on a CPU, the latter on a GPU.  ``"loop"`` trains each
        network for itself on the same batches; ``"block"``, ``"grouped"`` and ``"matmul"`` put all
        into one.
    compiled : bool
        Compile the ensembles with torch.compile (CUDA graphs on a GPU).

    Examples
    --------
    >>> from lib.experiments.convnets import Network
    >>> from lib.experiments.embedded import dead_leaves
    >>> from lib.experiments.settings import Settings
    >>> trainer = Trainer([Network(2, 4, "spatial", 0)], Settings(epochs=2), dead_leaves(50))
    >>> trainer.run()
    >>> len(trainer.curves[0]["loss"])
    2
    """

    def __init__(self, networks, settings, data, device="cpu", mechanism="auto", compiled=False):
        self.networks, self.settings = list(networks), settings
        self.device = torch.device(device)
        pairs = sorted({(network.augmentation, network.seed) for network in self.networks})
        self.streams = Streams(data, pairs, settings.batch_size, settings.strength, device)
        if mechanism == "auto":
            mechanism = "measured" if self.device.type == "cuda" else "by width"
        if mechanism == "by width":
            parts = arrange(self.networks, self.device.type, settings.batch_size)
        elif mechanism == "measured":
            parts = measured_arrangement(self.networks, settings, data, self.device)
        elif mechanism == "loop":
            parts = [([network], "block") for network in self.networks]
        else:
            parts = [(self.networks, mechanism)]
        self.pairs, self.compiled = pairs, compiled
        self.epoch, self.seconds = 0, 0.0
        self._build(parts)

    def _build(self, parts):
        """Ensembles, optimizer and empty curves for an arrangement (see `ensembles.arrange`)."""
        self.parts = parts
        self.ensembles, self.stream_of = [], []
        for members, kind in parts:
            places = [self.pairs.index((member.augmentation, member.seed)) for member in members]
            used = sorted(set(places))
            self.stream_of.append((used, [used.index(place) for place in places]))
            ensemble = Ensemble(members, self.stream_of[-1][1], kind, self.settings.model)
            self.ensembles.append(ensemble.to(self.device))
        self.forwards = [
            torch.compile(ensemble, mode="reduce-overhead") if self.compiled else ensemble
            for ensemble in self.ensembles
        ]
        parameters = [p for ensemble in self.ensembles for p in ensemble.parameters()]
        fused = self.device.type in ("cpu", "cuda")
        self.optimizer = torch.optim.Adam(parameters, lr=self.settings.learning_rate, fused=fused)
        self.order = [network for ensemble in self.ensembles for network in ensemble.networks]
        self.curves = [{"loss": [], "accuracy": []} for _ in self.order]

    def _autocast(self):
        if self.settings.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _scores(self, images, labels):
        """Scores (batch, networks, 10) and labels (batch, networks) of every ensemble."""
        for forward, (used, places) in zip(self.forwards, self.stream_of, strict=True):
            if len(self.pairs) > 1:
                colors = [3 * stream + color for stream in used for color in range(3)]
                picked = images[:, colors].contiguous(memory_format=torch.channels_last)
            else:
                picked = images
            with self._autocast():
                scores = forward(picked)
            yield scores.float(), labels[:, used][:, places]

    def step(self, images, labels):
        """One step of Adam on one batch; sums of loss and of correct answers per network."""
        self.optimizer.zero_grad(set_to_none=True)
        losses, corrects = [], []
        for ensemble, (scores, wanted) in zip(
            self.ensembles, self._scores(images, labels), strict=True
        ):
            loss = F.cross_entropy(scores.transpose(1, 2), wanted, reduction="none")
            loss.mean(0).sum().backward()
            ensemble.mask_gradients()
            if self.settings.model == "convac":
                products.clip_gradients(ensemble)
            losses.append(loss.detach().sum(0))
            corrects.append((scores.detach().argmax(-1) == wanted).sum(0))
        self.optimizer.step()
        return torch.cat(losses), torch.cat(corrects)

    def run_epoch(self):
        """Train one epoch and extend the learning curves.

        Raises
        ------
        Diverged
            If the loss of a network is not finite.
        """
        start = time.perf_counter()
        loss = torch.zeros(len(self.order), device=self.device)
        correct = torch.zeros(len(self.order), dtype=torch.int64, device=self.device)
        for images, labels in self.streams.epoch(self.epoch):
            batch_loss, batch_correct = self.step(images, labels)
            loss += batch_loss
            correct += batch_correct
        count = self.streams.count
        broken = [n for n, value in zip(self.order, loss.tolist(), strict=True)
                  if not torch.isfinite(torch.tensor(value))]
        if broken:
            raise Diverged(broken, self.epoch)
        for curve, one, right in zip(self.curves, loss.tolist(), correct.tolist(), strict=True):
            curve["loss"].append(round(one / count, 5))
            curve["accuracy"].append(round(right / count, 5))
        self.epoch += 1
        self.seconds += time.perf_counter() - start

    def evaluate(self):
        """Training accuracy of every network on freshly augmented images.

        Returns
        -------
        list of float
            In the order of `order`.
        """
        correct = torch.zeros(len(self.order), dtype=torch.int64, device=self.device)
        with torch.no_grad():
            for number in range(self.settings.evaluations):
                for images, labels in self.streams.epoch(number, "evaluate"):
                    correct += torch.cat([
                        (scores.argmax(-1) == wanted).sum(0)
                        for scores, wanted in self._scores(images, labels)
                    ])
        total = self.streams.count * self.settings.evaluations
        return [round(value / total, 6) for value in correct.tolist()]

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
        if checkpoint is not None and checkpoint.is_file():
            self._restore(checkpoint)
            if report and self.epoch:
                report(self.epoch)
        saved = time.perf_counter()
        while self.epoch < self.settings.epochs:
            self.run_epoch()
            if report:
                report(self.epoch)
            if checkpoint is not None and time.perf_counter() - saved >= every_seconds:
                self._save(checkpoint)
                saved = time.perf_counter()

    def _save(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        torch.save({
            "settings": self.settings.identifier,
            "parts": [([n.name for n in members], kind) for members, kind in self.parts],
            "epoch": self.epoch, "seconds": self.seconds, "curves": self.curves,
            "ensembles": [ensemble.state_dict() for ensemble in self.ensembles],
            "optimizer": self.optimizer.state_dict(),
        }, temporary)
        temporary.replace(path)

    def _restore(self, path):
        """Continue from a checkpoint; one of other settings or unreadable is ignored."""
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
        except Exception:  # damaged: torch raises many types
            return
        known = {network.name: network for network in self.networks}
        stored = {name for names, _ in state.get("parts", []) for name in names}
        if state["settings"] != self.settings.identifier or stored != set(known):
            return
        # a measured arrangement may come out differently this time: take the one of the checkpoint
        self._build([([known[name] for name in names], kind) for names, kind in state["parts"]])
        for ensemble, values in zip(self.ensembles, state["ensembles"], strict=True):
            ensemble.load_state_dict(values)
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.seconds = state["epoch"], state["seconds"]
        self.curves = state["curves"]
