"""Settings of every test run."""

import pytest

pytest_plugins = ["lib.course.budgets"]


@pytest.fixture(autouse=True)
def figures_go_nowhere():
    """Tests and examples draw without a window, and leave no figure open."""
    import matplotlib.pyplot

    matplotlib.pyplot.switch_backend("agg")
    yield
    matplotlib.pyplot.close("all")
