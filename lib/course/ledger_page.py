"""A Sphinx extension that writes the ledger into the page book/ledger.md as it is read.

The page holds ``<!-- ledger -->`` where the tables go.
"""

from itertools import groupby

from lib.claims import STATUS, load_claims
from lib.course.ledger import stored_checks

PLACE = "<!-- ledger -->"


def ledger_markdown(claims, checks):
    """The ledger as Markdown: a summary, then one table for each page that states claims.

    Parameters
    ----------
    claims : dict of str to dict
    checks : list of lib.course.ledger.Check

    Returns
    -------
    str
    """
    if not claims:
        return "No claim has been entered yet."
    counts = [f"{sum(c['status'] == status for c in claims.values())} {status}"
              for status in STATUS]
    lines = [f"{len(claims)} claims: {', '.join(counts)}. {len(checks)} stored checks.", ""]
    for page, group in groupby(claims.values(), key=lambda claim: claim["page"]):
        lines += [f"## [](/{page})", "",
                  "| Claim | Source | Status | Evidence | Checked in |", "|---|---|---|---|---|"]
        lines += [ledger_row(claim, [c for c in checks if c.claim == claim["id"]])
                  for claim in group]
        lines.append("")
    return "\n".join(lines)


def ledger_row(claim, checks):
    """One row of the ledger.

    Parameters
    ----------
    claim : dict
    checks : list of lib.course.ledger.Check
        Those of this claim.

    Returns
    -------
    str
    """
    evidence = [f"**{c.evidence}** {c.detail}".strip() for c in checks] or ["none"]
    where = list(dict.fromkeys(f"[](/notebooks/{c.notebook}.ipynb)" for c in checks)) or ["nowhere"]
    mark = claim["status"].replace(" ", "-")
    cells = [
        f"{{prf:ref}}`{claim['id']}`: {claim['title']}",
        claim["source"],
        f"[{claim['status']}]{{.status .{mark}}}",
        "; ".join(dict.fromkeys(evidence)),
        ", ".join(where),
    ]
    return "| " + " | ".join(str(cell).replace("|", r"\|") for cell in cells) + " |"


def insert_ledger(app, docname, source):
    """Replace the place holder of the page that is being read."""
    if PLACE in source[0]:
        table = ledger_markdown(load_claims(), stored_checks())
        source[0] = source[0].replace(PLACE, table)


def setup(app):
    app.connect("source-read", insert_ledger)
    return {"parallel_read_safe": True}
