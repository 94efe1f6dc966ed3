"""Time and memory of every notebook, measured while the tests run its cells.

A pytest plugin, loaded by conftest.py. A notebook over its budget fails the run, and the closing
report lists them all. The limits are those of the smallest free notebook service.
"""

import os
from collections import defaultdict

import pytest

SECONDS = 60
MEGABYTES = 1500
SCALE = "COURSE_TIME_SCALE"  # set to 3 on a machine three times slower than a laptop


def most_seconds() -> float:
    """Seconds that a notebook may take here.

    Raises
    ------
    ValueError
        If the environment asks for a scale that is no positive number.

    Examples
    --------
    >>> most_seconds() > 0
    True
    """
    text = os.environ.get(SCALE) or "1"
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale < float("inf"):
        raise ValueError(f"{SCALE}={text!r}; need a positive number, such as 3")
    return SECONDS * scale


def peak_memory(pid: int) -> float:
    """Most memory a process has used so far, its children's present use included.

    Parameters
    ----------
    pid : int

    Returns
    -------
    float
        Megabytes.

    Examples
    --------
    >>> peak_memory(os.getpid()) > 1
    True
    """
    import psutil

    process = psutil.Process(pid)
    children = sum(child.memory_info().rss for child in process.children(recursive=True))
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            peak = next(int(line.split()[1]) * 1024 for line in status if "VmHWM" in line)
    except (OSError, StopIteration):
        memory = process.memory_info()
        peak = getattr(memory, "peak_wset", memory.rss)  # Windows keeps a peak, macOS the present
    return (peak + children) / 1e6


def kernel_pid(item) -> int | None:
    """Process id of the kernel that runs a notebook's cell, or None for other tests."""
    kernel = getattr(getattr(item, "parent", None), "kernel", None)
    provisioner = getattr(getattr(kernel, "km", None), "provisioner", None)
    return getattr(provisioner, "pid", None)


class Budgets:
    """What the cells of each notebook took, compared with the limits."""

    def __init__(self) -> None:
        self.seconds = defaultdict(float)
        self.megabytes = defaultdict(float)

    def add(self, report) -> None:
        """One phase of one test, counted if it ran a cell of a notebook."""
        notebook = report.nodeid.split("::")[0]
        if not notebook.endswith(".ipynb"):
            return
        self.seconds[notebook] += report.duration
        measured = dict(report.user_properties).get("megabytes", 0.0)
        self.megabytes[notebook] = max(self.megabytes[notebook], measured)

    def over(self) -> list[str]:
        """Notebooks beyond a limit, each with the reason."""
        limit = most_seconds()
        slow = [f"{name} took {took:.0f} s, the limit is {limit:.0f} s"
                for name, took in sorted(self.seconds.items()) if took > limit]
        large = [f"{name} used {used:.0f} MB, the limit is {MEGABYTES} MB"
                 for name, used in sorted(self.megabytes.items()) if used > MEGABYTES]
        return slow + large

    def lines(self) -> list[str]:
        """One line per notebook."""
        return [f"{self.seconds[name]:6.1f} s {self.megabytes[name]:7.0f} MB  {name}"
                for name in sorted(self.seconds)]


_budgets = Budgets()


def pytest_configure(config):
    try:
        most_seconds()      # before minutes of tests, not after them
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(tryfirst=True)  # before the last cell's teardown stops the kernel
def pytest_runtest_teardown(item):
    pid = kernel_pid(item)
    if pid is not None:
        item.user_properties.append(("megabytes", peak_memory(pid)))


def pytest_runtest_logreport(report):
    _budgets.add(report)


def pytest_sessionfinish(session):
    if _budgets.over() and not hasattr(session.config, "workerinput") and session.exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    if _budgets.lines():
        terminalreporter.section(f"notebooks: at most {most_seconds():.0f} s and {MEGABYTES} MB")
        for line in _budgets.lines():
            terminalreporter.write_line(line)
        for line in _budgets.over():
            terminalreporter.write_line(f"OVER BUDGET: {line}", red=True)
