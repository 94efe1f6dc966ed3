"""Train a grid of networks, on one machine or many, interrupted and resumed at will."""

import dataclasses
import time
from pathlib import Path

import torch
from tqdm import tqdm

from . import jobs as work
from .cifar import load_data
from .images import dead_leaves
from .jobs import weight
from .records import ResultsFile
from .training import Trainer

MEASURED_CHANNELS = 256  # wider networks are estimated from the arithmetic of this width
SECONDS_PER_MEASUREMENT = 0.25
RESTARTS = 5  # of the workers, when one is killed


def missing_jobs(grid, results):
    """Jobs for the networks of a grid that a results file does not hold yet."""
    stored = results.names() if results else set()
    rest = [network for network in grid.networks() if network.name not in stored]
    return work.make_jobs(rest, min(grid.seeds))


def run_sweep(grid, settings, output, source=(None, None), device="cpu", workers=1,
              scheduler=None, threads=None, progress=True):
    """Train every network of a grid that is not stored yet.

    Parameters
    ----------
    grid : Grid
    settings : Settings
    output : path-like
        Results file (JSON lines).
    source : tuple
        Local data folder and cache folder, either may be None.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler whose workers do the training instead.
    threads : int, optional
        Threads of PyTorch per worker.
    progress : bool

    Returns
    -------
    list of str
        Failures, one sentence each; the other networks are stored.

    Raises
    ------
    RecordsError
        If the results file belongs to other settings or cannot be written.
    KeyboardInterrupt
        After Ctrl-C; what was finished is stored, long jobs continue from their checkpoint.
    """
    data = load_data(settings.data, settings.images, *source)
    results = ResultsFile(
        output, settings, {**data.provenance, "fingerprint": data.fingerprint, "count": len(data)}
    )
    checkpoints = str(Path(output).with_suffix(".checkpoints").absolute())
    todo = missing_jobs(grid, results)
    failures = []
    total = sum(map(weight, todo))
    bar_format = "{l_bar}{bar}| {elapsed} elapsed, {remaining} left{postfix}"
    with tqdm(total=total, bar_format=bar_format, disable=not progress) as bar:
        bar.set_postfix_str(f"{len(results.names())} networks stored")

        def finish(job, records, failed):
            for record in records:
                results.append(record)
            failures.extend(failed)
            if not failed:
                work.remove_checkpoint(job, checkpoints)
            bar.set_postfix_str(f"{len(results.names())} networks stored")

        options = (settings, source, device, checkpoints, threads)
        if workers == 1 and scheduler is None:
            before = 0
            for job in todo:
                def report(epoch, before=before, job=job):
                    bar.update(before + weight(job) * epoch / settings.epochs - bar.n)

                finish(*work.run_job(job, *options, report=report))
                before += weight(job)
        else:
            for done in in_parallel(todo, options, workers, scheduler):
                finish(*done)
                bar.update(weight(done[0]))
    return failures


def in_parallel(todo, options, workers, scheduler=None):
    """Run jobs in several processes or on a Dask cluster; yields results as they come.

    Parameters
    ----------
    todo : list of tuple of Network
    options : tuple
        Further arguments of `jobs.run_job`.
    workers : int
    scheduler : str, optional

    Yields
    ------
    job, records, failures
        As returned by `jobs.run_job`.
    """
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool

    if scheduler is not None:
        try:
            from distributed import Client
        except ImportError as error:
            raise ImportError(
                "in_parallel: a scheduler address needs the package 'distributed' "
                "(pip install 'dask[distributed]')"
            ) from error
        with Client(scheduler, set_as_default=True), joblib.parallel_config("dask"):
            parallel = joblib.Parallel(return_as="generator_unordered", pre_dispatch="all")
            yield from parallel(joblib.delayed(work.run_job)(job, *options) for job in todo)
        return
    rest = list(todo)
    for attempt in range(RESTARTS + 1):
        parallel = joblib.Parallel(workers, return_as="generator_unordered",
                                   pre_dispatch="n_jobs", batch_size=1)
        try:
            calls = [joblib.delayed(work.run_job)(job, *options) for job in rest]
            for done in parallel(calls):
                rest.remove(done[0])
                yield done
            return
        except BrokenProcessPool:  # a worker was killed: what is left starts again
            if attempt == RESTARTS:
                raise


def seconds_per_image(job, settings, device="cpu"):
    """Training time per image of a job, measured over a few steps.

    Jobs wider than `MEASURED_CHANNELS` are scaled from there with the number of operations.

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
    if job[-1].channels > MEASURED_CHANNELS:
        narrow = (dataclasses.replace(job[-1], channels=MEASURED_CHANNELS),)
        return seconds_per_image(narrow, settings, device) * weight(job) / weight(narrow)
    quick = dataclasses.replace(settings, data="dead-leaves", batch_size=max(10, min(
        settings.batch_size, 1024 // job[-1].channels)))
    data = dead_leaves(quick.batch_size, leaves=10)
    trainer = Trainer(job, quick, data, device)
    trainer.run_epoch()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS_PER_MEASUREMENT:
        trainer.run_epoch()
        steps += 1
    return (time.perf_counter() - start) / steps / len(data)


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
    jobs = work.make_jobs(rest)
    count = settings.images or 50_000
    shapes = {(job[0].block, *(n.channels for n in job)): job for job in jobs}
    known = {shape: seconds_per_image(job, settings, device) for shape, job in shapes.items()}
    # the evaluation passes cost about a third of a training epoch each
    passes = settings.epochs + settings.evaluations / 3
    hours = [known[job[0].block, *(n.channels for n in job)] * count * passes / 3600
             for job in jobs]
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
    return "\n".join(lines)
