"""Stored runs: results files in which every record is one training, with the errors of its starts.

They grow by one training at a time and can be continued.
"""

import math
import platform
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from pathlib import Path

import torch

from ..checks import integers, kind, real, shown
from ..results import STORED, Results, read

__all__ = ["continue_runs", "fisher_exact", "median_interval", "read_runs", "results_path"]


def results_path(experiment: str) -> Path:
    """Where the runs of an experiment are stored: in the course, or beside an installed package."""
    return STORED / f"{experiment}.jsonl"


def _as_run(entry: dict) -> dict:
    """The record of a run: a name and the errors of its starts, none of them negative."""
    errors = entry.get("errors")
    if (not isinstance(errors, list) or not errors
            or any(type(error) not in (int, float) or error < 0 for error in errors)):
        raise ValueError("is no run: it must have errors, numbers of at least 0")
    return entry


def read_runs(path: Path) -> tuple[dict | None, dict[str, list[float]]]:
    """Header and errors of the trainings in a file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    header : dict or None
        None if there is no whole line yet.
    errors : dict from str to list of float
        For every training the final error of each start; a torn last line is left out.

    Raises
    ------
    ValueError
        If a whole line is not what belongs there.
    """
    header, records, _ = read(path, _as_run)
    return header, {run["name"]: list(map(float, run["errors"])) for run in records}


def continue_runs(path: Path, settings: Mapping[str, object],
                  trainings: Mapping[str, Callable[[], list[float]]]) -> list[str]:
    """Do the trainings that a file does not hold yet, and store each as soon as it is done.

    Parameters
    ----------
    path : pathlib.Path
        May exist; then its settings must be these.
    settings : dict
        What all trainings share, as JSON values.
    trainings : dict from str to callable
        For every name a function without arguments that trains and returns the errors, which are
        stored with five decimals.

    Returns
    -------
    list of str
        The names of the trainings that were added now.

    Raises
    ------
    TypeError
        If the trainings have no names, which is said before the first of them, or one returns no
        errors.
    ValueError
        If the file holds runs of other settings, or was exchanged meanwhile.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "runs.jsonl"
    >>> continue_runs(path, {"steps": 1}, {"a": lambda: [0.5]})
    ['a']
    >>> continue_runs(path, {"steps": 1}, {"a": lambda: [0.5], "b": lambda: [0.25]})
    ['b']
    """
    if not isinstance(trainings, Mapping) or not all(isinstance(name, str) for name in trainings):
        raise TypeError(f"continue_runs: trainings={shown(trainings)}; need a dictionary from "
                        "names, texts, to functions")
    results = Results(path, settings, {"made_with": {
        "torch": torch.__version__.split("+")[0], "python": platform.python_version(),
        "device": "cpu"}}, _as_run)
    added = []
    for name in trainings:
        if name in results.names():  # another process may have been faster
            continue
        returned = trainings[name]()
        try:
            errors = [round(float(error), 5) for error in returned]
        except TypeError as error:
            raise TypeError(f"continue_runs: {name} returned {shown(returned)}; need the errors of "
                            "its starts, several numbers") from error
        added += results.append({"kind": "run", "name": name, "errors": errors})
    results.require(trainings)
    return added


def median_interval(errors: list[float], level: float = 0.95) -> tuple[float, float, float]:
    """The median of independent runs, with an interval that needs no assumption on their law.

    Parameters
    ----------
    errors : list of float
        At least six for the usual level.
    level : float
        The interval holds the true median at least this often.

    Returns
    -------
    median, low, high : float
        Low and high are two of the errors, as far inside as the level allows.

    Raises
    ------
    ValueError
        If the errors are too few for the level, from 0 to below 1, or one is not finite.

    Notes
    -----
    The k-th smallest of n values lies above the median with the probability that fewer than k of n
    fair coins show heads, so the interval from the k-th smallest to the k-th largest fails with
    twice that.

    Examples
    --------
    >>> median_interval([9.0, 3.0, 5.0, 1.0, 7.0, 2.0])
    (4.0, 1.0, 9.0)
    """
    if not 0 <= real("median_interval: level", level) < 1:
        raise ValueError(f"median_interval: level={level!r}; need a number from 0 to below 1")
    errors = kind("median_interval: errors", errors, Iterable)
    ordered = sorted(real("median_interval: error", error) for error in errors)
    n = len(ordered)

    # the k-th entry: how often fewer than k of n coins show heads, every binomial formed once
    fewer = accumulate(math.comb(n, heads) for heads in range((n + 1) // 2))
    k = sum(2 * ways / 2**n <= 1 - level for ways in fewer)
    if not k:
        raise ValueError(f"median_interval: {n} errors are too few for the level {level}")
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2, ordered[k - 1], ordered[n - k]


def fisher_exact(one: int, other: int, starts: int) -> float:
    """How likely two counts are at least as far apart if both networks succeed equally often.

    Parameters
    ----------
    one, other : int
        Successes of two networks.
    starts : int
        Of each network.

    Returns
    -------
    float
        The two-sided probability of Fisher's exact test: given the number of successes together,
        the share of the ways to distribute them that are no likelier than the one found.

    Raises
    ------
    ValueError
        If a count does not lie between 0 and the number of starts.

    Examples
    --------
    >>> fisher_exact(3, 0, starts=3), fisher_exact(2, 2, starts=3)
    (0.1, 1.0)
    """
    one, other, starts = integers("fisher_exact: counts and starts", (one, other, starts))
    if not (0 <= one <= starts and 0 <= other <= starts):
        raise ValueError(f"fisher_exact: counts {one} and {other}; need numbers from 0 to {starts}")
    total = one + other
    ways = [math.comb(starts, k) * math.comb(starts, total - k) for k in range(total + 1)]
    return sum(w for w in ways if w <= ways[one]) / sum(ways)
