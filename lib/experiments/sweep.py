"""Train a grid of networks, on one machine or many, interrupted and resumed at will.

    python -m lib.experiments.sweep --preset minute
    python -m lib.experiments.sweep --preset laptop --data-folder ~/cifar --workers 2
    python -m lib.experiments.sweep --kinds B1 conv2 --channels 8 16 --epochs 10 --output few.jsonl
    python -m lib.experiments.sweep --preset paper --scheduler tcp://host:8786
"""

import contextlib
import sys
from pathlib import Path

from tqdm import tqdm

from . import jobs as work
from .jobs import weight
from .records import ResultsFile


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
    data = work.load_data(settings.data, settings.images, *source)
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

    with contextlib.ExitStack() as stack:
        if scheduler is not None:
            try:
                from distributed import Client
            except ImportError as error:
                raise ImportError(
                    "in_parallel: a scheduler address needs the package 'distributed' "
                    "(pip install 'dask[distributed]')"
                ) from error
            stack.enter_context(Client(scheduler, set_as_default=True))
            stack.enter_context(joblib.parallel_config("dask"))
            parallel = joblib.Parallel(return_as="generator_unordered", pre_dispatch="all")
        else:
            parallel = joblib.Parallel(
                n_jobs=workers, return_as="generator_unordered", pre_dispatch="n_jobs",
                batch_size=1,
            )
        yield from parallel(joblib.delayed(work.run_job)(job, *options) for job in todo)


if __name__ == "__main__":
    from .command import main

    sys.exit(main())
