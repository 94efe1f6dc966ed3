"""Settings of every test run."""

import gc

import pytest

pytest_plugins = ["lib.course.budgets"]


def pytest_collection_finish():
    """What was imported and collected stays: the garbage collector need not look again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def figures_go_nowhere():
    """Tests and examples draw without a window, and leave no figure open."""
    import matplotlib.pyplot

    matplotlib.pyplot.switch_backend("agg")
    yield
    matplotlib.pyplot.close("all")
