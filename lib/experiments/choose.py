"""Choose by measurement how networks of equal width are trained together.

On two CPU cores the fastest way is known by width (`ensembles.arrange`).  Other devices differ from
one another: grouped convolutions, batched matrix products and separate networks each win somewhere.
So a few steps of each are timed, and the fastest is taken.  The numbers do not depend on it, up to
rounding.
"""

import dataclasses
import time

import torch

CANDIDATES = ("loop", "grouped", "matmul", "block")
STEPS = 5


def seconds_per_step(networks, settings, data, device, mechanism):
    """Time of one training step, the best of a few.

    Parameters
    ----------
    networks : sequence of Network
    settings : Settings
    data : ImageSet
    device : torch.device
    mechanism : str

    Returns
    -------
    float
        Infinite if the mechanism does not fit into memory.
    """
    from .training import Trainer

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    try:
        trainer = Trainer(networks, settings, data, device, mechanism)
        images, labels = next(trainer.streams.epoch(0))
        times = []
        for _ in range(STEPS):
            wait()
            start = time.perf_counter()
            trainer.step(images, labels)
            wait()
            times.append(time.perf_counter() - start)
        return min(times)
    except (MemoryError, torch.cuda.OutOfMemoryError):
        return float("inf")


def measured_arrangement(networks, settings, data, device):
    """Split networks into ensembles of equal width, each in the way measured fastest.

    Parameters
    ----------
    networks : sequence of Network
        All with the same window.
    settings : Settings
    data : ImageSet
    device : torch.device or str

    Returns
    -------
    list of (list of Network, str)
        As `ensembles.arrange`; networks that are fastest alone come one by one.

    Examples
    --------
    >>> from lib.experiments.convnets import Network
    >>> from lib.experiments.embedded import dead_leaves
    >>> from lib.experiments.settings import Settings
    >>> pair = [Network(1, 2, "color", seed) for seed in (0, 1)]
    >>> parts = measured_arrangement(pair, Settings(), dead_leaves(10), "cpu")
    >>> sum(len(members) for members, _ in parts)
    2
    """
    device = torch.device(device)
    quick = dataclasses.replace(settings, epochs=1)
    sample = data if len(data) <= 4 * settings.batch_size else data.subset(
        max(10, settings.batch_size))
    parts = []
    for width in sorted({network.channels for network in networks}):
        members = [network for network in networks if network.channels == width]
        best = "loop"
        if len(members) > 1:
            best = min(CANDIDATES, key=lambda mechanism: seconds_per_step(
                members, quick, sample, device, mechanism))
        if best == "loop":
            parts += [([member], "block") for member in members]
        else:
            parts.append((members, best))
    return parts
