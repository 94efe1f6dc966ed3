"""What a sweep will cost, from a short measurement on this machine."""

import dataclasses
import time

import torch

from .embedded import dead_leaves
from .ensembles import arrange
from .jobs import make_jobs, weight
from .networks import Network
from .training import Trainer

MEASURED_CHANNELS = 256  # wider networks are estimated from the arithmetic of this width
WIDE, WIDE_BATCH = 64, 16  # wider networks than this are measured on smaller batches
SECONDS_PER_MEASUREMENT = 0.25


def seconds_per_image(job, settings, device="cpu"):
    """Training time per image of a job, measured over a few steps.

    Parameters
    ----------
    job : tuple of Network
    settings : Settings
    device : str

    Returns
    -------
    float
        Seconds, for all networks of the job together.
    """
    batch = max(10, settings.batch_size)
    if max(network.channels for network in job) > WIDE:
        batch = min(batch, WIDE_BATCH)
    quick = dataclasses.replace(
        settings, data="dead-leaves", images=batch, batch_size=batch, epochs=1)
    trainer = Trainer(job, quick, dead_leaves(batch, leaves=10), device)
    trainer.run_epoch()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS_PER_MEASUREMENT:
        trainer.run_epoch()
        steps += 1
    return (time.perf_counter() - start) / steps / trainer.stream.count


def estimate(jobs, settings, device="cpu"):
    """Estimated seconds per image of every job.

    Jobs whose networks have at most `MEASURED_CHANNELS` channels are measured, one of each shape;
    the time of wider ones is scaled from there with the number of operations.

    Returns
    -------
    list of float
    """
    known = {}

    def measured(block, widths):
        key = (block, widths)
        if key not in known:
            networks = tuple(Network(block, width, "spatial", 0) for width in widths)
            known[key] = seconds_per_image(networks, settings, device)
        return known[key]

    times = []
    for job in jobs:
        widths = tuple(sorted(network.channels for network in job))
        if max(widths) <= MEASURED_CHANNELS:
            times.append(measured(job[0].block, widths))
        else:
            base = measured(job[0].block, (MEASURED_CHANNELS,))
            unit = weight((Network(job[0].block, MEASURED_CHANNELS, "spatial", 0),))
            times.append(base * weight(job) / unit)
    return times


def describe(grid, settings, stored=(), device="cpu", workers=1, threads=1):
    """The plan of a sweep as text: what is stored, what would run, how long it may take.

    Parameters
    ----------
    grid : Grid
    settings : Settings
    stored : set of str
        Names of the networks that need no training.
    device : str
    workers, threads : int

    Returns
    -------
    str
    """
    torch.set_num_threads(threads)
    networks = grid.networks()
    rest = [network for network in networks if network.name not in stored]
    jobs = make_jobs(rest)
    count = settings.images or 50_000
    per_image = estimate(jobs, settings, device)
    # the evaluation passes cost about a third of a training epoch each
    passes = settings.epochs + settings.evaluations / 3
    hours = [value * count * passes / 3600 for value in per_image]
    operations = 3 * count * passes * sum(
        n.kind.forward_operations(n.channels) for n in rest)
    lines = [
        f"data        {settings.data}, {count} images, {settings.epochs} epochs, "
        f"batches of {settings.batch_size}",
        f"networks    {len(networks)} in the grid, {len(networks) - len(rest)} stored, "
        f"{len(rest)} to train in {len(jobs)} jobs",
        f"arithmetic  {operations:.2e} operations",
        f"estimate    {sum(hours):.2f} hours of one worker on this machine ({device}, "
        f"{threads} threads), {sum(hours) / workers:.2f} hours with {workers} workers",
    ]
    for block in grid.channels:
        chosen = [(job, value) for job, value in zip(jobs, hours, strict=True)
                  if job[0].block == block]
        widths = sorted({n.channels for job, _ in chosen for n in job})
        lines.append(f"  {block:12s} C={widths}  {sum(v for _, v in chosen):.2f} hours")
    if any(max(n.channels for n in job) > MEASURED_CHANNELS for job in jobs):
        lines.append(f"widths beyond {MEASURED_CHANNELS} are estimated from their arithmetic")
    example = arrange(jobs[0], settings.batch_size) if jobs else []
    lines.append("first job   " + "; ".join(
        ", ".join(n.name for n in members) for members in example))
    return "\n".join(lines)
