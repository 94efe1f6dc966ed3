"""A Sphinx extension that writes the ledger into the page book/ledger.md as it is read.

The page holds ``<!-- ledger -->`` where the tables go.
"""

from .claims import STATUS, load_claims
from .files import ROOT
from .ledger import statements, stored_checks

PLACE = "<!-- ledger -->"


def ledger_markdown(claims, checks, documents):
    """The ledger as Markdown: a summary, then one table for each page that states claims.

    Parameters
    ----------
    claims : dict of str to dict
    checks : list of lib.course.ledger.Check
    documents : collection of str
        What the book contains, as ``"book/index"``. A claim whose page is not among them is
        listed without links; `make test` is what refuses it.

    Returns
    -------
    str
    """
    if not claims:
        return "No claim has been entered yet."
    counts = [f"{sum(c['status'] == status for c in claims.values())} {status}"
              for status in STATUS]
    lines = [f"{len(claims)} claims: {', '.join(counts)}. {len(checks)} stored checks.", ""]
    for page in dict.fromkeys(claim["page"] for claim in claims.values()):
        group = [claim for claim in claims.values() if claim["page"] == page]
        stated = stated_labels(page, documents)
        lines += [f"## {page_title(page, documents)}", "",
                  "| Claim | Source | Status | Evidence | Notebook |", "|---|---|---|---|---|"]
        lines += [ledger_row(claim, checks, claim["id"] in stated, documents) for claim in group]
        lines.append("")
    return "\n".join(lines)


def page_title(page, documents):
    """The title of a page as a link to it; its file name if the book lacks it.

    Parameters
    ----------
    page : str
        As in ``claims.yml``.
    documents : collection of str

    Returns
    -------
    str
        Markdown.

    Examples
    --------
    >>> page_title("book/ledger.md", {"book/ledger"}), page_title("book/none.md", set())
    ('[Claims ledger](/book/ledger.md)', 'book/none.md')
    """
    if page.removesuffix(".md") not in documents or not (ROOT / page).is_file():
        return page
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    title = next((line[2:].strip() for line in lines if line.startswith("# ")), page)
    return f"[{title}](/{page})"


def stated_labels(page, documents):
    """The labels of a page's statements, none if the page is not part of the book.

    Parameters
    ----------
    page : str
        As in ``claims.yml``: ``"book/overlap-theorem.md"``.
    documents : collection of str

    Returns
    -------
    set of str

    Examples
    --------
    >>> stated_labels("book/none.md", {"book/index"})
    set()
    """
    if page.removesuffix(".md") not in documents or not (ROOT / page).is_file():
        return set()
    return {label for _, label in statements(ROOT / page)}


def ledger_row(claim, checks, linked, documents):
    """One row of the ledger.

    Parameters
    ----------
    claim : dict
    checks : list of lib.course.ledger.Check
    linked : bool
        Whether the statement is there to be linked to.
    documents : collection of str

    Returns
    -------
    str
    """
    own = [check for check in checks if check.claim == claim["id"]]
    evidence = [f"**{check.evidence}** {check.detail}".strip() for check in own]
    notebooks = dict.fromkeys(f"notebooks/{check.notebook}" for check in own)
    numbers = {name: name.removeprefix("notebooks/").partition("_")[0] for name in notebooks}
    where = [f"[{number}](/{name}.ipynb)" if name in documents else number
             for name, number in numbers.items()]
    cells = [
        f"{{prf:ref}}`{claim['id']}`: {claim['title']}" if linked else claim["title"],
        claim["source"],
        f"[{claim['status']}]{{.status .{claim['status'].replace(' ', '-')}}}",
        "; ".join(dict.fromkeys(evidence)) or "none",
        ", ".join(where) or "nowhere",
    ]
    return "| " + " | ".join(str(cell).replace("|", r"\|") for cell in cells) + " |"


def insert_ledger(app, docname, source):
    """Replace the place holder of the page that is being read."""
    if PLACE in source[0]:
        table = ledger_markdown(load_claims(), stored_checks(), app.env.found_docs)
        source[0] = source[0].replace(PLACE, table)


def setup(app):
    app.connect("source-read", insert_ledger)
    return {"parallel_read_safe": True}
