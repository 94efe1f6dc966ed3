"""A job is a few networks that one worker trains together; this module forms and runs them."""

import datetime
import hashlib
import platform
from pathlib import Path

import torch

from ..checks import kind
from .checkpoints import code_digest
from .cifar import DatasetError, load_data, load_test_data
from .images import ImageSet
from .settings import check_plan
from .training import Diverged, Trainer

JOB_CHANNELS = 32  # of the narrow networks that one job trains together


def make_jobs(networks, first_seed=None):
    """Group the networks of a grid into jobs, in the order in which they will run.

    The networks of a job share the kind, the augmentation and the seed, hence every augmented
    batch.  The first seed comes first, so that one full figure is there early; then the other
    seeds, narrow networks before wide ones, so that every hour spent adds as many error bars as it
    can.

    Parameters
    ----------
    networks : iterable of Network
    first_seed : int, optional
        The seed that comes first; the smallest one by default.

    Returns
    -------
    list of tuple of Network

    Examples
    --------
    >>> from lib.experiments.networks import Network
    >>> jobs = make_jobs(Network("B2", c, "color", 0) for c in (2, 4, 8, 16, 32, 64))
    >>> [[network.channels for network in job] for job in jobs]
    [[2, 4, 8, 16], [32], [64]]
    """
    families = {}
    for network in networks:
        key = (network.block, network.augmentation, network.seed)
        families.setdefault(key, []).append(network)
    jobs = []
    for family in families.values():
        job = []
        for network in sorted(family, key=lambda network: network.channels):
            if job and sum(n.channels for n in job) + network.channels > JOB_CHANNELS:
                jobs.append(tuple(job))
                job = []
            job.append(network)
        jobs.append(tuple(job))
    if first_seed is None:
        first_seed = min((job[0].seed for job in jobs), default=0)
    return sorted(jobs, key=lambda job: (
        job[0].seed != first_seed, max(n.channels for n in job), job[0].seed, weight(job),
        job[0].block, job[0].augmentation,
    ))


def weight(job):
    """Rough cost of a job in forward operations per image.

    A network costs its arithmetic plus what every network costs, whatever its width (measured:
    about as much as three million operations); separate maps for every offset and products cost
    more, about three times each.
    """
    return sum(
        (n.kind.forward_operations(n.channels) + 3_000_000)
        * (3 if n.kind.separate else 1) * (3 if n.kind.product else 1) for n in job
    )


def job_name(job):
    """A short name, unique in its grid, usable as a file name."""
    names = ",".join(network.name for network in job)
    return f"{job[0].block}-{len(job)}-{hashlib.sha256(names.encode()).hexdigest()[:12]}"


def train_job(job, settings, data, device="cpu", checkpoint=None, report=None, test=None):
    """Train the networks of a job and describe the results.

    Parameters
    ----------
    job : tuple of Network
    settings : Settings
    data : ImageSet
        All of these are trained on, whatever the settings say of images.
    device : str
    checkpoint : pathlib.Path, optional
    report : callable, optional
    test : ImageSet, optional
        Images on which the finished networks are tested.

    Returns
    -------
    list of dict
        One record per network.

    Raises
    ------
    TypeError
        If the networks are no list, or the images no `ImageSet`; before anything is trained.

    Notes
    -----
    When a network diverges, a zero times its NaN would spoil its companions in the same
    convolution, so all networks of the job are then trained one by one, and only the broken one is
    recorded as diverged.
    """
    if test is not None:
        kind("train_job: test", test, ImageSet)  # said before hours of training
    trainer = Trainer(job, settings, data, device)
    try:
        trainer.run(checkpoint, report)
    except Diverged as broken:
        if len(job) > 1:
            return [record for network in job for record in train_job(
                (network,), settings, data, device, None, report, test)]
        return [_record(trainer, 0, f"diverged in epoch {broken.epoch}")]
    accuracies = trainer.evaluate()
    tested = trainer.test(test) if test else [None] * len(job)
    return [_record(trainer, place, "finished", *values)
            for place, values in enumerate(zip(accuracies, tested, strict=True))]


def train_grid(grid, settings, device="cpu"):
    """Train a small grid here and now, and keep the results in memory.

    Parameters
    ----------
    grid : Grid
    settings : Settings
    device : str

    Returns
    -------
    list of dict
        One record per network; `sweep.run_sweep` is the same for grids worth a file.
    """
    check_plan("train_grid", grid, settings)
    data, test = load_data(settings.data, settings.images), load_test_data(settings.data)
    return [record for job in make_jobs(grid.networks())
            for record in train_job(job, settings, data, device, test=test)]


def _record(trainer, place, status, accuracy=None, test_accuracy=None):
    network, curve = trainer.order[place], trainer.curves[place]
    images = trainer.stream.count * trainer.epoch * len(trainer.order)
    return {
        "name": network.name, "block": network.block, "window": network.kind.window,
        "channels": network.channels, "augmentation": network.augmentation, "seed": network.seed,
        "status": status, "accuracy": accuracy, "test_accuracy": test_accuracy, "curve": curve,
        "parameters": network.kind.parameter_count(network.channels),
        "forward_operations": network.kind.forward_operations(network.channels),
        "provenance": {
            "trained_with": sorted(other.name for other in trainer.order),
            "job_seconds": round(trainer.seconds, 2),
            "job_images_per_second": round(images / max(trainer.seconds, 1e-9)),
            "device": trainer.devices_in_words(), "threads": torch.get_num_threads(),
            "torch": torch.__version__, "python": platform.python_version(),
            "code": code_digest(),
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
    }


def checkpoint_path(job, checkpoints):
    """Where the state of an unfinished job is kept."""
    return Path(checkpoints) / f"{job_name(job)}.pt"


def run_job(job, settings, source, device="cpu", checkpoints=None, threads=None, fingerprints=(),
            report=None):
    """`train_job` in any process or on any machine: loads the data itself, returns failures.

    Parameters
    ----------
    job : tuple of Network
    settings : Settings
    source : tuple
        Folder and cache for `cifar.load_data`.
    device : str
    checkpoints : str, optional
        Folder for checkpoints.
    threads : int, optional
        Threads of PyTorch in this process.
    fingerprints : tuple of str
        Of the training and test images that the results file is about; others are a failure.
    report : callable, optional

    Returns
    -------
    job : tuple of Network
    records : list of dict
    failures : list of str
    """
    if threads:
        torch.set_num_threads(threads)
    checkpoint = checkpoint_path(job, checkpoints) if checkpoints else None
    try:
        data = load_data(settings.data, settings.images, *source)
        test = load_test_data(settings.data, *source)
        for images, wanted in zip((data, test), fingerprints, strict=False):
            found = images and wanted and images.fingerprint
            if found != wanted:  # another machine has other files
                raise DatasetError(f"run_job: the images on {platform.node()} are not those of the "
                                   f"results file: fingerprint {found}, must be {wanted}")
        return job, train_job(job, settings, data, device, checkpoint, report, test), []
    except Exception as error:  # reported by the sweep, which goes on with the other jobs
        return job, [], [failure(job, error)]


def failure(job, error):
    """A sentence on a job that failed, whose error is an exception or a text."""
    names = ", ".join(network.name for network in job)
    kind = f"{type(error).__name__}: " if isinstance(error, Exception) else ""
    lines = str(error).strip().splitlines() or [""]  # torch adds the calls of its own
    return f"{names}: {kind}{lines[0]}"
