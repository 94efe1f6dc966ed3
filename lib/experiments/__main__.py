"""Train a grid of networks from the command line.

    python -m lib.experiments --preset minute
    python -m lib.experiments --preset laptop --data-folder ~/cifar --workers 2
    python -m lib.experiments --kinds B1 conv2 --channels 8 16 --epochs 10 --output few.jsonl
    python -m lib.experiments --preset paper --scheduler tcp://host:8786
"""

import contextlib
import dataclasses
import math
import os
import re
import signal
import sys
import threading
from pathlib import Path

import torch

from .. import results
from ..checks import in_one_line
from ..exact.device import training_device
from ..options import Parser
from . import sweep
from .kinds import KINDS
from .records import ResultsFile, as_network, refuse_download
from .settings import DATA_SETS, PRESETS, Grid

MOST_WORKERS = 256


def parser():
    """The argument parser."""
    result = Parser(prog="python -m lib.experiments",
                    description="Train a grid of networks and store the results.")
    add = result.add_argument
    several = {"nargs": "+", "action": "extend"}  # given twice, the first would be dropped
    add("--preset", choices=PRESETS, default="minute", help="grid and settings to start from")
    add("--kinds", choices=KINDS, **several, metavar="KIND", help=", ".join(KINDS))
    add("--channels", type=int, **several, help="channel numbers C, for every kind")
    add("--augmentations", **several, choices=("spatial", "color", "none"))
    add("--seeds", type=int, **several)
    add("--data", choices=DATA_SETS)
    add("--images", type=int, help="training images (a fixed subset)")
    add("--epochs", type=int)
    add("--batch-size", type=int)
    add("--learning-rate", type=float)
    add("--translation", type=int, help="largest shift of the spatial augmentation, pixels")
    add("--color-shift", type=float, help="largest shift of the color augmentation")
    add("--output", help="results file; default notebooks/results/PRESET.jsonl")
    add("--data-folder", help="local CIFAR-10 folder in the binary layout; with --scheduler, "
        "the same path on every machine")
    add("--cache", help="cache folder for downloads; default $OVERLAPS_DATA or ~/.cache/overlaps")
    add("--device", help="cpu, cuda or mps; default: the best on this machine, also with "
        "--scheduler; kinds with products have no mps")
    add("--workers", type=int, help="processes on this machine; default 1")
    add("--threads", type=int, help="threads per worker; default: cores / workers, with "
        "--scheduler as its workers are set up")
    add("--scheduler", help="address of a Dask scheduler, e.g. tcp://host:8786")
    add("--dry-run", action="store_true", help="print the plan and its estimated cost")
    add("--quiet", action="store_true", help="no progress bar")
    return result


def configure(arguments):
    """Grid and settings of parsed arguments: the preset with the explicit values put in.

    Returns
    -------
    Grid, Settings

    Examples
    --------
    >>> grid, settings = configure(parser().parse_args(["--kinds", "B2", "--epochs", "3"]))
    >>> list(grid.channels), settings.epochs
    (['B2'], 3)
    """
    settings, grid = PRESETS[arguments.preset]
    changes = {
        name: getattr(arguments, name)
        for name in ("data", "images", "epochs", "batch_size", "learning_rate")
        if getattr(arguments, name) is not None
    }
    strength = {
        name: getattr(arguments, name) for name in ("translation", "color_shift")
        if getattr(arguments, name) is not None
    }
    changes["strength"] = dataclasses.replace(settings.strength, **strength)
    settings = dataclasses.replace(settings, **changes)
    kinds = arguments.kinds or list(grid.channels)
    every = tuple(sorted({c for widths in grid.channels.values() for c in widths}))
    channels = {
        kind: tuple(arguments.channels or grid.channels.get(kind, every)) for kind in kinds
    }
    return Grid(
        channels,
        tuple(arguments.augmentations or grid.augmentations),
        tuple(arguments.seeds if arguments.seeds is not None else grid.seeds),
    ), settings


def check(arguments, settings):
    """Refuse what cannot work before anything is written or trained.

    Raises
    ------
    ValueError
        If an argument has no effect, or a value that this machine cannot use.
    """
    cores = os.cpu_count() or 1
    if arguments.workers is not None and not 1 <= arguments.workers <= MOST_WORKERS:
        raise ValueError(f"--workers {arguments.workers}: must lie between 1 and {MOST_WORKERS}")
    most, why = (cores, ", the number of cores") if arguments.scheduler is None else (
        MOST_WORKERS, "")  # the machines of a scheduler have other cores
    if arguments.threads is not None and not 1 <= arguments.threads <= most:
        raise ValueError(f"--threads {arguments.threads}: must lie between 1 and {most}{why}")
    if settings.data != "cifar-10" and (arguments.data_folder or arguments.cache):
        raise ValueError(f"--data-folder, --cache: {settings.data} is made here, must be left out")
    if arguments.data_folder and arguments.cache:
        raise ValueError("--cache: nothing is fetched with --data-folder, must be left out")
    if arguments.scheduler is not None:
        if arguments.workers is not None:
            raise ValueError("--workers: the scheduler has workers of its own, must be left out")
        if not re.fullmatch(r"(tcp|tls|ucx|wss?)://[^/\s]+:\d+", arguments.scheduler):
            raise ValueError(f"--scheduler {arguments.scheduler!r}: must be an address such as "
                             "tcp://host:8786")
    # a scheduler's machines may have what this one lacks, but a dry run measures here
    if arguments.device and (arguments.scheduler is None or arguments.dry_run):
        try:
            torch.zeros(1, device=arguments.device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0] + (
                "; --dry-run measures on this machine, choose a device that it has" * bool(
                    arguments.scheduler))
            raise ValueError(f"--device {arguments.device}: {reason}") from error


def best_device(grid):
    """The best device of this machine for all networks of a grid: products need float64.

    Examples
    --------
    >>> best_device(Grid({"B1prod": (2,)})) in ("cuda", "cpu")
    True
    """
    best = training_device().type
    products = any(KINDS[block].product for block in grid.channels)
    return "cpu" if best == "mps" and products else best


def without_effect(arguments, grid, settings):
    """Options that are stored with the settings, but change no network of this grid.

    They are no error: of two runs into one file, which agree in all settings, one may need them.

    Examples
    --------
    >>> arguments = parser().parse_args(["--augmentations", "color", "--translation", "8"])
    >>> without_effect(arguments, *configure(arguments))
    ["--translation 8: changes 'spatial' alone, which is not among the augmentations here"]
    """
    notes = [f"--{name.replace('_', '-')} {getattr(arguments, name)}: changes {changed!r} alone, "
             "which is not among the augmentations here"
             for name, changed in (("translation", "spatial"), ("color_shift", "color"))
             if getattr(arguments, name) is not None and changed not in grid.augmentations]
    if settings.batch_size > (settings.images or math.inf):
        notes.append(f"--batch-size {settings.batch_size}: all {settings.images} images are one "
                     f"batch, as with --batch-size {settings.images}")
    return notes


def check_writable(output):
    """Raise `OSError` if a results file cannot be made or written; nothing is made."""
    path = Path(output).absolute()
    if output.startswith("~"):
        raise OSError(f"--output {output}: there is no such home folder")
    if output.endswith(("/", os.sep)):
        raise OSError(f"--output {output}: is a folder, must be the path of a file")
    if not path.exists():
        path = next(parent for parent in path.parents if parent.exists())
        if not path.is_dir():
            raise OSError(f"--output {output}: {path} is a file, must be a folder")
    if not os.access(path, os.W_OK):
        raise OSError(f"--output {output}: {path} cannot be written")


def plan(grid, settings, arguments, output, device, threads):
    """The text of a dry run, which refuses whatever the run would refuse."""
    source = arguments.data_folder, arguments.cache
    note = ""
    if sweep.must_download(settings, source):
        stored = ResultsFile(output, settings)  # what would be downloaded is not compared
        refuse_download(output)
        note = "\ndata will be downloaded first (170 MB)"
    else:
        stored = sweep.open_results(settings, output, source, make=False)
    with sweep.connected(arguments.scheduler):
        return sweep.describe(grid, settings, stored.names(), device, arguments.workers or 1,
                              threads or torch.get_num_threads()) + note


def stop(number, frame):
    """Treat a request to end (Ctrl-C, SIGTERM of a batch system) as Ctrl-C."""
    raise KeyboardInterrupt


def main(argv=None):
    """Run the command; returns the exit code (0 done, 1 failures, 2 cannot start, 130 Ctrl-C)."""
    arguments = parser().parse_args(argv)
    try:
        with stopped_by_signals():
            return execute(arguments)
    except KeyboardInterrupt:  # once more, while the first was answered
        return 130


@contextlib.contextmanager
def stopped_by_signals():
    """Treat requests to end as Ctrl-C for a while."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT: ignored in the background
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def execute(arguments):
    """Run the command with parsed arguments; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):  # any path can be printed
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")
    output = os.path.expanduser(
        arguments.output or f"notebooks/results/{arguments.preset}.jsonl")
    try:
        grid, settings = configure(arguments)
        check(arguments, settings)
        check_writable(output)
        for note in without_effect(arguments, grid, settings):
            say(f"note: {note}")
        device = arguments.device or best_device(grid)
        workers = arguments.workers or 1
        threads = arguments.threads or (  # the workers of a scheduler are set up elsewhere
            None if arguments.scheduler else max(1, torch.get_num_threads() // workers))
        if arguments.dry_run:
            print(plan(grid, settings, arguments, output, device, threads))
            return 0
        failures = sweep.run_sweep(
            grid, settings, output, (arguments.data_folder, arguments.cache), device,
            workers, arguments.scheduler, threads, not arguments.quiet,
        )
        for failure in failures:
            say(f"failed: {failure}")
        print(report(output), flush=True)
        return 1 if failures else 0
    except KeyboardInterrupt:
        with contextlib.suppress(results.ResultsError):
            say(f"\ninterrupted: {report(output)}; the same command continues")
        return 130
    except (RuntimeError, MemoryError, ValueError, ImportError, OSError) as error:
        say(f"error: {in_one_line(error)}")
        return 2


def say(text):
    """Print to standard error, which may be gone."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


def report(output):
    """A sentence on what a results file holds."""
    found = results.read(output, as_network)
    unchecked = f" ({found.unchecked} by an older version, without checksum)" * bool(
        found.unchecked)
    return f"{len(found.records)} networks are stored in {output}{unchecked}"


if __name__ == "__main__":
    code = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to interrupt
    sys.exit(code)
