"""The Python on the pages runs: examples, and the code in solutions of exercises.

An exercise that leaves a gap for the reader shows its code indented, which is not run."""

import re

import pytest

from lib.course import ROOT

PAGES = [page for page in sorted((ROOT / "book").glob("*.md")) if page.name != "developer.md"]
FENCE = re.compile(r"^(?:```|~~~)python\n(.*?)^(?:```|~~~)$", re.DOTALL | re.MULTILINE)


def blocks(page):
    """The Python blocks of a page, each with the number of its first line."""
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, found.start(1)) + 1, found[1])
            for found in FENCE.finditer(text)]


CASES = [pytest.param(page, line, code, id=f"{page.stem}:{line}",
                      marks=[pytest.mark.slow] if "train_grid(" in code else [])
         for page in PAGES for line, code in blocks(page)]


def test_there_is_code_to_run():
    assert CASES


@pytest.mark.parametrize("page, line, code", CASES)
def test_code_on_a_page_runs(page, line, code):
    exec(compile("\n" * (line - 1) + code, str(page), "exec"), {"__name__": "page"})
