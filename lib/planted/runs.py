"""Stored runs: JSON lines that grow by one training at a time and can be continued.

The first line is a header: the settings, an identifier made from them, and what computed the rest.
Every other line is one training, with the final errors of all its starts.
"""

import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

__all__ = ["continue_runs", "fisher_exact", "median_interval", "read_runs", "results_path"]


def results_path(experiment: str) -> Path:
    """Where the runs of an experiment are stored: in the course, or beside an installed package."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / "notebooks" / "results"
    folder = beside if beside.is_dir() else package / "notebooks" / "results"
    return folder / f"{experiment}.jsonl"


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
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    header, errors = None, {}
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            entry = json.loads(line)
            if header is None:
                header = entry
                entry["identifier"], entry["settings"]  # what makes a line a header
            else:
                errors[entry["name"]] = [float(error) for error in entry["errors"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"read_runs: {path}, line {number} is no "
                             f"{'run' if errors or number > 1 else 'header'}: {error}") from error
    return header, errors


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
        For every name a function without arguments that trains and returns the errors.

    Returns
    -------
    list of str
        The names of the trainings that were done now.

    Raises
    ------
    ValueError
        If the file holds runs of other settings.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "runs.jsonl"
    >>> continue_runs(path, {"steps": 1}, {"a": lambda: [0.5]})
    ['a']
    >>> continue_runs(path, {"steps": 1}, {"a": lambda: [0.5], "b": lambda: [0.25]})
    ['b']
    """
    text = json.dumps(settings, sort_keys=True)
    header = {"kind": "header", "settings": json.loads(text),
              "identifier": hashlib.sha256(text.encode()).hexdigest()[:12],
              "made_with": {"torch": torch.__version__.split("+")[0],
                            "python": platform.python_version(), "device": "cpu"}}
    missing = [name for name in trainings if name not in _stored(path, header)]
    if read_runs(path)[0] is None:
        _append(path, header)
    for name in missing:
        errors = [round(error, 5) for error in trainings[name]()]
        if name not in _stored(path, header):  # another process may have used the time
            _append(path, {"kind": "run", "name": name, "errors": errors})
    return missing


def _stored(path: Path, header: Mapping[str, object]) -> dict[str, list[float]]:
    """The runs in a file; it must hold no header or one with the same settings."""
    there, runs = read_runs(path)
    if there is not None and there["identifier"] != header["identifier"]:
        raise ValueError(f"continue_runs: {path} holds runs with the settings {there['settings']}, "
                         f"not {header['settings']}; choose another file")
    return runs


def _append(path: Path, entry: Mapping[str, object]) -> None:
    """Cut off what an interrupted write left, then add one line and sync it to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(json.dumps(entry, sort_keys=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


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
        If the errors are too few for the level.

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
    n, ordered = len(errors), sorted(errors)

    def fails(k: int) -> float:
        return 2 * sum(math.comb(n, heads) for heads in range(k)) / 2**n

    if n < 1 or fails(1) > 1 - level:
        raise ValueError(f"median_interval: {n} errors are too few for the level {level}")
    k = max(k for k in range(1, n // 2 + 1) if fails(k) <= 1 - level)
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
    if not (0 <= one <= starts and 0 <= other <= starts):
        raise ValueError(f"fisher_exact: counts {one} and {other}; need numbers from 0 to {starts}")
    total = one + other
    ways = [math.comb(starts, k) * math.comb(starts, total - k) for k in range(total + 1)]
    return sum(w for w in ways if w <= ways[one]) / sum(ways)
