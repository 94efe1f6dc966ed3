"""The ledger: every claim, where it is stated, and which stored run checked it.

``python -m lib.course.ledger`` prints what is missing and fails if anything is.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from .claims import EVIDENCE, PREFIX, load_claims
from .files import ROOT, notebooks, read_notebook

LINE = re.compile(rf"^{re.escape(PREFIX)}(\S+) \[(\w+)\] ?(.*)$", re.MULTILINE)
STATEMENT = re.compile(r"^[`:]{3,}\{prf:(\w+)\}[^\n]*\n((?::[^\n]*\n)*)", re.MULTILINE)
LITERAL = re.compile(r"^(`{3,})[\w-]+\n.*?^\1 *$", re.MULTILINE | re.DOTALL)  # ```python ... ```
LABEL = re.compile(r"^:label: *(\S+) *$", re.MULTILINE)
# Statements that assert something; definitions, examples and remarks need no check.
ASSERTING = ("theorem", "proposition", "lemma", "corollary", "claim")


@dataclass(frozen=True)
class Check:
    """One line that :func:`lib.course.claims.verify` printed in a stored run."""

    claim: str
    evidence: str
    detail: str
    notebook: str


def stored_checks(folder=ROOT / "notebooks"):
    """The checks found in the stored outputs of a folder's notebooks.

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


def statements(page):
    """The labelled statements of a page.

    Parameters
    ----------
    page : pathlib.Path

    Returns
    -------
    list of tuple of str
        Kind (``"theorem"``) and label, "" where a statement has none.

    Examples
    --------
    >>> sorted({kind for kind, _ in statements(ROOT / "book" / "index.md")})
    []
    """
    found = []
    text = LITERAL.sub("", page.read_text(encoding="utf-8"))
    for kind, options in STATEMENT.findall(text):
        label = LABEL.search(options)
        found.append((kind, label.group(1) if label else ""))
    return found


def problems(root=ROOT):
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


def page_problems(claims, root):
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
        elif (claim["kind"], claim["id"]) not in stated[claim["page"]]:
            found.append(f"{claim['id']}: {claim['page']} has no {claim['kind']} with this label")
    for page, labels in stated.items():
        for kind, label in labels:
            if kind in ASSERTING and label not in claims:
                found.append(f"{page}: {kind} {label or 'without a label'} is not in claims.yml")
    return found


def main():
    found = problems()
    print("\n".join(found) or f"the ledger is complete: {len(load_claims())} claims")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
