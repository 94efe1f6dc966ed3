"""The map of the course: every chapter with its reading time and its theorems by name."""

import re

import yaml

from . import ROOT
from .claims import load_claims

__all__ = ["chapter_titles", "chapters", "map_markdown", "reading_minutes"]

WORDS_A_MINUTE = 130      # a text with symbols is read about half as fast as a novel
FORMULA = re.compile(r"^\$\$.*?\$\$|^`{3}\{math\}.*?^`{3}", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^(`{3,}|~{3,})(?:python|\{raw\}|sh|yaml).*?^\1", re.MULTILINE | re.DOTALL)


def chapters() -> list[tuple[str, list[str]]]:
    """Parts of the table of contents with their pages that prove something, in their order.

    Returns
    -------
    list of (str, list of str)
        Caption, and pages such as ``"book/grid-tensors"``.

    Examples
    --------
    >>> chapters()[0][0], chapters()[0][1][0]
    ('Start', 'book/how-to-read')
    """
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [(part["caption"], [chapter["file"] for chapter in part["chapters"]])
            for part in contents["parts"] if part["caption"] != "Reference"]


def chapter_titles() -> dict[str, str]:
    """Titles of the pages of :func:`chapters`.

    Examples
    --------
    >>> chapter_titles()["book/overlap-theorem"]
    'The overlap theorem'
    """
    texts = {page: (ROOT / f"{page}.md").read_text(encoding="utf-8")
             for _, pages in chapters() for page in pages}
    return {page: re.search(r"^# (.+)$", text, re.MULTILINE)[1] for page, text in texts.items()}


def reading_minutes(text: str) -> int:
    """Minutes that a page takes to read: its words, and twenty seconds for a displayed formula.

    Programs and hidden pictures do not count.

    Examples
    --------
    >>> reading_minutes("word " * 1300)
    10
    """
    prose = FENCED.sub("", text)
    formulas = len(FORMULA.findall(prose))
    words = len(FORMULA.sub("", prose).split())
    return max(1, round(words / WORDS_A_MINUTE + formulas / 3))


def map_markdown() -> str:
    """The map on the course's front page: chapters with their minutes and theorems, by part.

    Examples
    --------
    >>> map_markdown().splitlines()[0]
    '**Start**'
    """
    proved = {}
    for name, claim in load_claims().items():
        if claim["kind"] == "theorem":
            proved.setdefault(claim["page"].removesuffix(".md"), []).append(
                f"{{prf:ref}}`{claim['title']} <{name}>`")
    lines = []
    for caption, pages in chapters():
        lines += [f"**{caption}**", ""]
        for page in pages:
            text = (ROOT / f"{page}.md").read_text(encoding="utf-8")
            title = re.search(r"^# (.+)$", text, re.MULTILINE)[1]
            theorems = "; ".join(proved.get(page, []))
            lines.append(f"- [{title}](/{page}.md), {reading_minutes(text)} min"
                         + (f": {theorems}" if theorems else ""))
        lines.append("")
    return "\n".join(lines)
