"""Fixtures: draws that repeat, one thread, a small course in a temporary folder."""

import pytest

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
"""

CELLS = """
# %% [markdown]
# # A trial

# %%
total = 3 + 4
print("total", total)

# %% tags=["hide-input"] mystnb={"image": {"alt": "A line."}}
total * 2
"""


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Some files draw networks when they are imported, and PyTorch starts from a random seed."""
    if isinstance(collector, pytest.Module):
        repeat_draws()
    return (yield)


@pytest.fixture(autouse=True)
def the_same_draws():
    """Not for examples in docstrings: they are to hold for whoever types them, without a seed."""
    repeat_draws()


def repeat_draws():
    import torch  # not above: what hands out the tests reads this file too, and waits for it

    torch.default_generator.manual_seed(0)  # `torch.manual_seed` keeps a traceback of each call


@pytest.fixture
def one_thread():
    """Many small products: threads that wait for each other cost more than they give."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def course(tmp_path):
    """A root folder with one twin that has not been run and an empty list of claims."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book").mkdir()
    (tmp_path / "notebooks" / "90_trial.py").write_text(HEADER + CELLS, encoding="utf-8")
    (tmp_path / "book" / "claims.yml").write_text("# no claims yet\n", encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="session")
def finished_notebook(tmp_path_factory):
    """The text of the trial's notebook after one run; a kernel starts once per session."""
    from lib.course.notebooks import execute

    twin = tmp_path_factory.mktemp("run") / "90_trial.py"
    twin.write_text(HEADER + CELLS, encoding="utf-8")
    execute(twin)
    return twin.with_suffix(".ipynb").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def one_browser():
    """To start it takes longer than to open a page: the files that one process tests share it."""
    from lib.course.browser import BROWSER, Browser

    if BROWSER is None:
        pytest.skip("needs a browser without a screen")
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(one_browser):
    """A browser that has been told nothing yet, as wide as a laptop."""
    one_browser.look(1280)
    one_browser.call("Emulation.setEmulatedMedia", media="", features=[])
    return one_browser


@pytest.fixture
def run_course(course, finished_notebook):
    """The same root folder after its notebook was run."""
    (course / "notebooks" / "90_trial.ipynb").write_text(finished_notebook, encoding="utf-8")
    return course


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens a page with pictures of one name and returns it as HTML."""
    from lib.course import ROOT

    folder = ROOT / "book" / "assets" / "explore"

    def opened(name, states=("",), script=""):
        """The page after its scripts have run, also what they left in `over`, a promise."""
        scripts = "".join(f'<script src="{(folder / file).as_uri()}.js"></script>'
                          for file in ("theory", "explore", "curves-data", name))
        places = "".join(f'<div class="explore" data-explore="{name}" data-state="{state}"></div>'
                         for state in states)
        page = tmp_path / "page.html"
        page.write_text(f"<!doctype html><meta charset=utf-8><body>{places}{scripts}"
                        f"<script>{script}</script>", encoding="utf-8")
        browser.open(page.as_uri())
        return browser.run("(async () => { await window.over;"
                           " return document.documentElement.outerHTML; })()")
    return opened
