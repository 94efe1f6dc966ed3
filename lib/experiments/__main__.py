"""Train a grid of networks from the command line.

    python -m lib.experiments --preset minute
    python -m lib.experiments --preset laptop --data-folder ~/cifar --workers 2
    python -m lib.experiments --kinds B1 conv2 --channels 8 16 --epochs 10 --output few.jsonl
    python -m lib.experiments --preset paper --scheduler tcp://host:8786
"""

import argparse
import dataclasses
import os
import signal
import sys
import threading

import torch

from ..exact.device import training_device
from . import sweep
from .cifar import DatasetError
from .kinds import KINDS
from .records import RecordsError, ResultsFile, read
from .settings import DATA_SETS, PRESETS, Grid


def parser():
    """The argument parser."""
    result = argparse.ArgumentParser(prog="python -m lib.experiments",
                                     description="Train a grid of networks and store the results.")
    add = result.add_argument
    add("--preset", choices=PRESETS, default="minute", help="grid and settings to start from")
    add("--kinds", choices=KINDS, nargs="+", metavar="KIND", help=", ".join(KINDS))
    add("--channels", type=int, nargs="+", help="channel numbers C, for every kind")
    add("--augmentations", nargs="+", choices=("spatial", "color", "none"))
    add("--seeds", type=int, nargs="+")
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
    add("--device", help="cpu, cuda or mps; default: the best present")
    add("--workers", type=int, default=1, help="processes on this machine")
    add("--threads", type=int, help="threads per worker; default: cores / workers")
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
    if arguments.workers < 1:
        raise ValueError(f"--workers {arguments.workers}: must be at least 1")
    if arguments.threads is not None and not 1 <= arguments.threads <= cores:
        raise ValueError(f"--threads {arguments.threads}: must lie between 1 and {cores}, the "
                         "number of cores")
    if arguments.output is not None and not arguments.output.strip():
        raise ValueError("--output: is empty, must be the path of a file")
    if settings.data != "cifar-10" and (arguments.data_folder or arguments.cache):
        raise ValueError(f"--data-folder, --cache: {settings.data} is made here, must be left out")
    if arguments.device:
        try:
            torch.zeros(1, device=arguments.device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"--device {arguments.device}: {error}") from error


def stop(number, frame):
    """Treat a request to end (Ctrl-C, SIGTERM of a batch system) as Ctrl-C."""
    raise KeyboardInterrupt


def main(argv=None):
    """Run the command; returns the exit code (0 done, 1 failures, 2 cannot start, 130 Ctrl-C)."""
    arguments = parser().parse_args(argv)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)  # ignored by default when started in the background
    output = arguments.output or f"notebooks/results/{arguments.preset}.jsonl"
    try:
        grid, settings = configure(arguments)
        check(arguments, settings)
        device = arguments.device or training_device().type
        threads = arguments.threads or max(1, torch.get_num_threads() // arguments.workers)
        if arguments.dry_run:
            stored = ResultsFile(output, settings).names()
            print(sweep.describe(grid, settings, stored, device, arguments.workers, threads))
            return 0
        failures = sweep.run_sweep(
            grid, settings, output, (arguments.data_folder, arguments.cache), device,
            arguments.workers, arguments.scheduler, threads, not arguments.quiet,
        )
    except KeyboardInterrupt:
        count = len(read(output)[1])
        print(f"\ninterrupted: {count} networks are stored in {output}; the same command "
              "continues", file=sys.stderr)
        return 130
    except (DatasetError, RecordsError, ValueError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    print(f"{len(read(output)[1])} networks are stored in {output}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
