"""Settings of every test run."""

import gc

import pytest

pytest_plugins = ["lib.course.budgets"]
collect_ignore_glob = ["notebooks/*.py"]  # the twins are compared with the notebooks, not imported


def pytest_configure(config):
    """Tests may be started in any folder, but nbval looks for its file in the present one."""
    given = config.option.nbval_sanitize_with
    config.option.nbval_sanitize_with = given and str(config.rootpath / given)
    if getattr(config.option, "dist", None) == "load":  # of `-n 2` alone: a kernel for some cells
        config.option.dist = "loadfile"


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is imported and collected stays: to look for garbage there takes a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def figures_go_nowhere():
    """Tests and examples draw without a window, and leave no figure open."""
    import matplotlib.pyplot

    if matplotlib.pyplot.get_backend() != "agg":
        matplotlib.pyplot.switch_backend("agg")
    yield
    matplotlib.pyplot.close("all")
