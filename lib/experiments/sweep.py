"""Train a grid of networks, on one machine or many, interrupted and resumed at will."""

import contextlib
import dataclasses
import heapq
import os
import sys
import time
from concurrent.futures import CancelledError
from pathlib import Path

import torch
from tqdm import tqdm

from ..checks import integer, kind
from . import jobs as work
from .checkpoints import remove, remove_stored
from .cifar import cifar10, is_fetched, load_data, load_test_data
from .images import dead_leaves
from .jobs import weight
from .records import RecordsError, ResultsFile, refuse_download
from .settings import check_plan
from .training import Trainer
from .workers import run

MEASURED_CHANNELS = 256  # wider networks are estimated from the arithmetic of this width
SECONDS_PER_MEASUREMENT = 0.25
TRIES = 3  # of a job that fails
CONNECT_SECONDS = 10


def missing_jobs(grid, results):
    """Jobs for the networks of a grid that a results file does not hold yet."""
    stored = results.names() if results else set()
    rest = [network for network in grid.networks() if network.name not in stored]
    return work.make_jobs(rest, min(grid.seeds))


def must_download(settings, source):
    """Whether the images of a sweep would be fetched now."""
    folder, cache = source
    return settings.data == "cifar-10" and folder is None and not is_fetched(cache)


def open_results(settings, output, source, make=True, progress=True):
    """The results file of a sweep, after its data were loaded and compared with the file's."""
    there = ResultsFile(output, settings)  # what is no place for results is said before a download
    if must_download(settings, source):
        refuse_download(output)
        cifar10(cache=source[1], progress=progress)  # into the cache, where all others find it
    data = load_data(settings.data, settings.images, *source)
    test = load_test_data(settings.data, *source)  # what is damaged is said before the training
    named = "test_fingerprint" in ((there.contents.header or {}).get("data") or {})
    return ResultsFile(output, settings, {
        **data.provenance, "fingerprint": data.fingerprint, "count": len(data),
        **({"test_fingerprint": test and test.fingerprint} if test or named else {})}, make)


def checkpoint_folder(output):
    """Where the checkpoints of a sweep are kept."""
    return Path(f"{Path(os.path.expanduser(output)).absolute()}.checkpoints")


def run_sweep(grid, settings, output, source=(None, None), device="cpu", workers=1,
              scheduler=None, threads=None, progress=True):
    """Train every network of a grid that is not stored yet.

    A job that fails, or whose worker is killed, is tried again from its checkpoint after the
    others, `TRIES` times in all.

    Parameters
    ----------
    grid : Grid
    settings : Settings
    output : path-like
        Results file (JSON lines).
    source : tuple
        Local data folder and cache folder of CIFAR-10, either may be None:
        ``("~/cifar", None)``.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    workers : int
        Processes on this machine. Each imports the script that asks for several, whose call must
        therefore stand under ``if __name__ == "__main__":``.
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
    TypeError
        If the grid and the settings are exchanged, the source is no pair, or a number of workers
        or threads is none.
    ValueError
        If the number of workers or threads is less than one, or a folder is named for images that
        are made here.
    RecordsError
        If the results file belongs to other settings or cannot be written.
    OSError
        If the scheduler does not answer.
    KeyboardInterrupt
        After Ctrl-C; what was finished is stored, long jobs continue from their checkpoint.
    """
    check_plan("run_sweep", grid, settings)
    workers = integer("run_sweep: workers", workers, 1)  # -1 is every core elsewhere, not one
    if threads is not None:
        threads = integer("run_sweep: threads", threads, 1)
    if len(kind("run_sweep: source", source, tuple, list)) != 2:
        raise ValueError(f"run_sweep: source={source!r}; need a data folder and a cache folder, "
                         "None for either")
    source = tuple(map(_from_here, source))
    with connected(scheduler) as client:
        results = open_results(settings, output, source, progress=progress)
        checkpoints = checkpoint_folder(output)
        remove_stored(checkpoints, results.names())
        todo = missing_jobs(grid, results)
        options = (settings, source, device, str(checkpoints), threads,
                   tuple(map(results.header["data"].get, ("fingerprint", "test_fingerprint"))))
        bar_format = "{l_bar}{bar}| {elapsed} elapsed, {remaining} left{postfix}"
        with tqdm(total=sum(map(weight, todo)), bar_format=bar_format,
                  disable=not progress, file=_Screen()) as bar:
            before = 0
            for _ in range(TRIES):
                again, failures = [], []
                bar.update(before - bar.n)  # back from where a failed job had come
                if client:
                    finished = on_cluster(todo, options, client)
                elif workers > 1:
                    finished = in_parallel(todo, options, workers)
                else:
                    finished = one_by_one(todo, options, results, bar)
                with contextlib.closing(finished):  # workers end here, whatever happens
                    for job, records, failed in finished:
                        if failed:
                            again.append(job)
                            failures += failed
                        else:
                            results.append(*records)
                            remove(work.checkpoint_path(job, checkpoints))
                            before += weight(job)
                            bar.update(before - bar.n)
                        bar.set_postfix_str(f"{len(results.names())} networks stored")
                todo = again
                if not todo:
                    break
        remove_stored(checkpoints, results.names())  # of networks that other jobs have trained
    if not failures and missing_jobs(grid, results):
        raise RecordsError(f"run_sweep: {output} was exchanged while the sweep ran and lacks "
                           "networks; start again")
    return [f"{failure} ({TRIES} tries)" for failure in failures]


def _from_here(path):
    """A path for workers that were started in other folders; ``~`` is the home of each machine."""
    return path if path is None or os.fspath(path).startswith("~") else os.path.abspath(path)


class _Screen:
    """Standard error for a progress bar: that it is gone must not end an evening of computing."""

    def __getattr__(self, name):
        return getattr(sys.stderr, name)

    def write(self, text):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # full, closed, none at all
            sys.stderr.write(text)

    def flush(self):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()


def one_by_one(todo, options, results, bar):
    """Run jobs in this process; yields what `jobs.run_job` returns."""
    settings, before = options[0], bar.n
    for job in todo:
        if results.names().issuperset(network.name for network in job):
            before += weight(job)
            yield job, [], []  # another sweep was faster
            continue

        def report(epoch, job=job):
            bar.update(before + weight(job) * epoch / settings.epochs - bar.n)

        with _same_threads():
            done = work.run_job(job, *options, report=report)
        before += 0 if done[2] else weight(job)
        yield done


@contextlib.contextmanager
def _same_threads():
    """What was asked for in one call must not slow down the rest of a caller's session."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_parallel(todo, options, workers):
    """Run jobs in several processes; yields what `jobs.run_job` returns, as it comes."""
    with contextlib.closing(run(work.run_job, [(job, *options) for job in todo],
                                workers)) as running:
        for place, result, cause in running:
            yield result or (todo[place], [], [work.failure(todo[place], cause)])


@contextlib.contextmanager
def connected(scheduler):
    """A client of the Dask scheduler at an address; None without an address."""
    if scheduler is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError("run_sweep: a scheduler address needs the package 'distributed' "
                          "(pip install 'dask[distributed]')") from error
    with Client(scheduler, timeout=CONNECT_SECONDS) as client:
        yield client


def on_cluster(todo, options, client):
    """Run jobs on a Dask cluster; yields what `jobs.run_job` returns, as it comes."""
    from distributed import as_completed

    futures = {client.submit(work.run_job, job, *options, pure=False): job for job in todo}
    for future in as_completed(list(futures)):
        job = futures.pop(future)
        try:
            error = future.exception()  # a worker that died again and again
            done = (job, [], [work.failure(job, error)]) if error else future.result()
        except CancelledError as lost:
            raise OSError(f"run_sweep: the scheduler is lost: {lost}; what was finished is stored, "
                          "the same command continues") from lost
        yield done


def seconds_per_image(job, settings, device="cpu"):
    """Training time per image of a job, measured over a few steps.

    Jobs wider than `MEASURED_CHANNELS` are scaled from there with the number of operations.  On a
    CPU wide networks are measured on smaller batches, which take nearly as long for an image.

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
    size = min(settings.batch_size, settings.images or 50_000)
    if str(device).startswith("cpu"):  # on a GPU a small batch takes as long as a large one
        size = min(size, 1024 // job[-1].channels)
    size = max(10, size)
    quick = dataclasses.replace(settings, data="dead-leaves", images=size,
                                batch_size=min(size, settings.batch_size))
    data = dead_leaves(size, leaves=10)
    trainer = Trainer(job, quick, data, device)
    trainer.run_epoch()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS_PER_MEASUREMENT or not steps:
        trainer.run_epoch()
        steps += 1
    return (time.perf_counter() - start) / steps / len(data)


def _longest(hours, workers):
    """When the last worker is done, if each takes the next job as soon as it is free."""
    busy = [0.0] * min(workers, len(hours) or 1)
    for value in hours:
        heapq.heapreplace(busy, busy[0] + value)
    return max(busy)


def describe(grid, settings, stored=(), device="cpu", workers=1, threads=1):
    """The plan of a sweep as text: what is stored, what would run, how long it may take.

    Parameters
    ----------
    grid : Grid
    settings : Settings
    stored : iterable of str
        Names of the networks that need no training.
    device : str
    workers, threads : int

    Returns
    -------
    str
    """
    check_plan("describe", grid, settings)
    workers = integer("describe: workers", workers, 1)
    threads = integer("describe: threads", threads, 1)
    networks, stored = grid.networks(), {*stored}  # which may be read only once
    rest = [network for network in networks if network.name not in stored]
    jobs = work.make_jobs(rest, min(grid.seeds))  # in the order of the sweep
    count = settings.images or 50_000
    shapes = {(job[0].block, *(n.channels for n in job)): job for job in jobs}
    with _same_threads():
        torch.set_num_threads(threads)
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
        f"{threads} threads), {_longest(hours, workers):.2f} hours with {workers} workers",
    ]
    for block in grid.channels:
        chosen = [(job, value) for job, value in zip(jobs, hours, strict=True)
                  if job[0].block == block]
        widths = sorted({n.channels for job, _ in chosen for n in job})
        lines.append(f"  {block:12s} C={widths}  {sum(v for _, v in chosen):.2f} hours")
    if any(max(n.channels for n in job) > MEASURED_CHANNELS for job in jobs):
        lines.append(f"widths beyond {MEASURED_CHANNELS} are estimated from their arithmetic")
    return "\n".join(lines)
