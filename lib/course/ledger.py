"""The ledger: every claim, where it is stated, and which stored run checked it.

``python -m lib.course.ledger`` prints what is missing and fails if anything is. The page
book/ledger.md is `ledger_markdown`.
"""

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from . import ROOT
from .claims import EVIDENCE, PREFIX, STATUS, load_claims, status_class
from .notebooks import notebooks, read_notebook
from .tables import typeset_prose

LINE = re.compile(rf"^{re.escape(PREFIX)}(\S+) \[([\w ]+)\] ?(.*)$", re.MULTILINE)
# Also in a list or a quotation, which are indented.
STATEMENT = re.compile(r"^[ >]*[`:~]{3,}\{prf:(\w+)\}[^\n]*\n((?:[ >]*:[^\n]*\n)*)", re.MULTILINE)
LITERAL = re.compile(r"^(`{3,})[\w-]+\n.*?^\1 *$", re.MULTILINE | re.DOTALL)  # ```python ... ```
LABEL = re.compile(r"^[ >]*:label: *(\S+) *$", re.MULTILINE)
CLASS = re.compile(r"^[ >]*:class: *(\S.*?) *$", re.MULTILINE)
MARKS = {status_class(status) for status in STATUS}
UNMARKED = status_class("as stated")  # what a statement without a class is
# Statements that assert something; definitions, examples and remarks need no check.
ASSERTING = ("theorem", "proposition", "lemma", "corollary", "claim")


@dataclass(frozen=True)
class Check:
    """One line that :func:`lib.course.claims.verify` printed in a stored run."""

    claim: str
    evidence: str
    detail: str
    notebook: str


def stored_checks(folder: Path = ROOT / "notebooks") -> list[Check]:
    """Checks found in the stored outputs of a folder's notebooks.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    list of Check
        In the order of the notebooks and their cells.
    """
    found = []
    for path in notebooks(folder):
        for cell in read_notebook(path).cells:
            for output in cell.get("outputs", []):
                for match in LINE.finditer(output.get("text", "")):
                    found.append(Check(*match.groups(), notebook=path.stem))
    return found


def statements(page: Path) -> list[tuple[str, str, str]]:
    """Labelled statements of a page.

    Parameters
    ----------
    page : pathlib.Path

    Returns
    -------
    list of tuple of str
        Kind (``"theorem"``), label ("" where a statement has none) and class: how its status
        is marked.

    Examples
    --------
    >>> statements(ROOT / "book" / "index.md")
    []
    """
    found = []
    text = LITERAL.sub("", page.read_text(encoding="utf-8"))
    for kind, options in STATEMENT.findall(text):
        label, classes = LABEL.search(options), CLASS.search(options)
        marks = classes[1].split() if classes else [UNMARKED]   # one of them may be of the looks
        mark = next((one for one in marks if one in MARKS), marks[0])
        found.append((kind, label[1] if label else "", mark))
    return found


def problems(root: Path = ROOT) -> list[str]:
    """Everything that keeps the ledger from being complete.

    Parameters
    ----------
    root : pathlib.Path
        The repository's root.

    Returns
    -------
    list of str
        One line per problem.
    """
    root = Path(root)
    claims = load_claims(root / "book" / "claims.yml")
    checks = stored_checks(root / "notebooks")
    checked = {check.claim for check in checks}
    found = [f"{claim}: no notebook checks it" for claim in claims if claim not in checked]
    for check in checks:
        if check.claim not in claims:
            found.append(f"{check.notebook}: checks {check.claim}, which is not in claims.yml")
        elif check.evidence not in EVIDENCE:
            found.append(f"{check.notebook}: unknown evidence {check.evidence} for {check.claim}")
    return found + page_problems(claims, root)


def page_problems(claims: dict[str, dict], root: Path) -> list[str]:
    """Claims that their page does not state, and statements that are no claim.

    Parameters
    ----------
    claims : dict of str to dict
    root : pathlib.Path

    Returns
    -------
    list of str
    """
    found = []
    stated = {path.relative_to(root).as_posix(): statements(path)
              for path in sorted((root / "book").glob("*.md"))}
    for claim in claims.values():
        if claim["page"] not in stated:
            found.append(f"{claim['id']}: there is no page {claim['page']}")
            continue
        marks = [mark for kind, label, mark in stated[claim["page"]]
                 if (kind, label) == (claim["kind"], claim["id"])]
        if not marks:
            found.append(f"{claim['id']}: {claim['page']} has no {claim['kind']} with this label")
        elif marks[0] != status_class(claim["status"]):
            found.append(f"{claim['id']}: {claim['status']} in claims.yml, "
                         f"but {claim['page']} marks it {marks[0]}")
    for page, labels in stated.items():
        for kind, label, _ in labels:
            if kind in ASSERTING and label not in claims:
                found.append(f"{page}: {kind} {label or 'without a label'} is not in claims.yml")
    return found


def ledger_markdown(claims: dict[str, dict], checks: list[Check], documents) -> str:
    """The ledger as Markdown: a summary, then one table for each page that states claims.

    Parameters
    ----------
    claims : dict of str to dict
    checks : list of Check
    documents : collection of str
        What the book contains, as ``"book/index"``. A claim whose page is not among them is
        listed without links; `make test` is what refuses it.

    Returns
    -------
    str
    """
    if not claims:
        return "No claim has been entered yet."
    numbers = Counter(claim["status"] for claim in claims.values())
    counts = [f"{numbers[status]} {status}" for status in STATUS if numbers[status]]
    lines = [f"{len(claims)} claims: {', '.join(counts)}. {len(checks)} stored checks.", ""]
    for page in dict.fromkeys(claim["page"] for claim in claims.values()):
        title, stated = heading(page, documents)
        rows = [ledger_row(claim, checks, claim["id"] in stated, documents)
                for claim in claims.values() if claim["page"] == page]
        lines += [f"## {title}", "", "| Claim | Source | Status | Evidence | Notebook |",
                  "|---|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def heading(page: str, documents) -> tuple[str, set[str]]:
    """The title of a page, as a link, and the labels of its statements.

    Parameters
    ----------
    page : str
        As in ``claims.yml``: ``"book/overlap-theorem.md"``.
    documents : collection of str

    Returns
    -------
    tuple
        The file's name and no labels if the book lacks the page.

    Examples
    --------
    >>> heading("book/ledger.md", {"book/ledger"}), heading("book/none.md", set())
    (('[Claims ledger](/book/ledger.md)', set()), ('book/none.md', set()))
    """
    if page.removesuffix(".md") not in documents or not (ROOT / page).is_file():
        return page, set()
    title = re.search(r"^# (.*?)\s*$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    labels = {label for _, label, _ in statements(ROOT / page)}
    return f"[{title[1] if title else page}](/{page})", labels


def ledger_row(claim: dict, checks: list[Check], linked: bool, documents) -> str:
    """One row of the ledger; ``linked`` says whether the statement is there to be linked to."""
    own = [check for check in checks if check.claim == claim["id"]]
    evidence = [f"**{check.evidence}** {check.detail}".strip() for check in own]
    notebooks = [(check.notebook, check.notebook.partition("_")[0]) for check in own]
    where = [f"[{number}](/notebooks/{name}.ipynb)" if f"notebooks/{name}" in documents else number
             for name, number in dict.fromkeys(notebooks)]
    cells = [
        f"{{prf:ref}}`{claim['id']}`: {claim['title']}" if linked else claim["title"],
        claim["source"],
        f"[{claim['status']}]{{.status .{status_class(claim['status'])}}}",
        "; ".join(dict.fromkeys(evidence)) or "none",
        ", ".join(where) or "nowhere",
    ]
    return "| " + " | ".join(typeset_prose(str(cell)).replace("|", r"\|") for cell in cells) + " |"


def main() -> None:
    try:
        found = problems()
    except ValueError as error:  # a list or a notebook that cannot be read
        sys.exit(f"the ledger cannot be checked: {error}")
    print("\n".join(found) or f"the ledger is complete: {len(load_claims())} claims")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
