"""Train what is missing of a stored experiment.

    python -m lib.planted widths
    python -m lib.planted dilated --output mine.jsonl
"""

import argparse
from pathlib import Path

import torch

from ..options import Parser
from ..results import program
from . import dilated, widths
from .runs import continue_runs, results_path

EXPERIMENTS = {"widths": widths, "dilated": dilated}


def main(argv: list[str] | None = None) -> None:
    """Run the command; it may be stopped at any moment and called again."""
    parser = Parser(prog="python -m lib.planted", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--output", type=Path, help="file; default notebooks/results/NAME.jsonl")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    experiment = EXPERIMENTS[arguments.experiment]
    path = arguments.output or results_path(arguments.experiment)
    with program():
        done = continue_runs(path, experiment.SETTINGS, experiment.trainings())
        print(f"{len(done)} trainings added to {path}")


if __name__ == "__main__":
    main()
