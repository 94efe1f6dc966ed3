"""Claims: every statement of the course has an id, and a cell of a notebook that checks it.

``book/claims.yml`` lists the claims. The page that states a claim labels its theorem with the id,
and a notebook calls :func:`verify` with the same id. The ledger page of the book is made from the
lines that :func:`verify` prints, so a claim that nobody checks cannot be listed as checked.
"""

import difflib
from functools import cache
from pathlib import Path

EVIDENCE = {
    "exact": "integer or modular arithmetic, nothing rounded",
    "numerical": "floating point, compared within a stated tolerance",
    "trained": "networks trained from random weights",
}
STATUS = ("as stated", "corrected", "new")
FIELDS = ("id", "kind", "title", "source", "status", "page")

PREFIX = "claim holds: "  # lib/course/ledger.py recognises the printed lines by it


def claims_file():
    """Where the list of claims is: in a checkout of the course, or inside the installed package.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    FileNotFoundError
        If neither place has the file.

    Examples
    --------
    >>> claims_file().name
    'claims.yml'
    """
    package = Path(__file__).resolve().parents[1]
    places = [package.parent / "book" / "claims.yml", package / "book" / "claims.yml"]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(
        f"claims.yml is neither at {places[0]} nor at {places[1]}; "
        "work in a clone of the course, or install it with `pip install .` from one"
    )


@cache
def load_claims(path=None):
    """Read and check the list of claims.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        A file in the format of ``book/claims.yml``, which is the default.

    Returns
    -------
    dict of str to dict
        The claims by id, in the order of the file.

    Raises
    ------
    ValueError
        If an entry lacks a field, has one too many, repeats an id or has an unknown status.

    Examples
    --------
    >>> all(claim["status"] in STATUS for claim in load_claims().values())
    True
    """
    import yaml

    path = claims_file() if path is None else Path(path)
    claims = {}
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
        if not isinstance(entry, dict) or set(entry) != set(FIELDS):
            raise ValueError(f"{path.name}: an entry has exactly the fields {FIELDS}, got {entry}")
        if entry["status"] not in STATUS:
            raise ValueError(f"{path.name}: status of {entry['id']} is {entry['status']!r}; "
                             f"use one of {STATUS}")
        if entry["id"] in claims:
            raise ValueError(f"{path.name}: the id {entry['id']} is there twice")
        claims[entry["id"]] = entry
    return claims


def verify(claim_id, condition, evidence="exact", detail=""):
    """State that a claim was just checked; stop if the check failed.

    Parameters
    ----------
    claim_id : str
        An id of ``book/claims.yml``, for instance ``"cp-rank-bound"``.
    condition : bool
        The outcome of the check. Only a true or false value is taken: a tensor, a number or a
        list is refused, because its truth is rarely what was meant.
    evidence : {"exact", "numerical", "trained"}
        What kind of computation produced ``condition``; see :data:`EVIDENCE`.
    detail : str
        What was checked, in a few words on one line: ``"14 architectures"``.

    Raises
    ------
    KeyError
        If the id is unknown; the message names the nearest ones.
    TypeError
        If ``condition`` is neither true nor false.
    ValueError
        If ``evidence`` is unknown or ``detail`` holds a line break.
    AssertionError
        If ``condition`` is false.

    Notes
    -----
    Prints one line, which the ledger page collects from the notebook's stored output.

    Examples
    --------
    >>> verify("cp-rank-bound", 3 <= 4, detail="one matrix")  # doctest: +SKIP
    claim holds: cp-rank-bound [exact] one matrix
    """
    known = load_claims()
    if claim_id not in known:
        near = difflib.get_close_matches(str(claim_id), known, n=3, cutoff=0.4)
        hint = f"nearest: {', '.join(near)}" if near else "none is near"
        raise KeyError(f"verify: no claim {claim_id!r} in {claims_file().name} ({hint})")
    if evidence not in EVIDENCE:
        raise ValueError(f"verify({claim_id}): evidence {evidence!r}; use one of {tuple(EVIDENCE)}")
    if "\n" in detail:
        raise ValueError(f"verify({claim_id}): detail must fit on one line, got {detail!r}")
    if not _is_truth_value(condition):
        raise TypeError(
            f"verify({claim_id}): condition is a {type(condition).__name__}; pass True or False, "
            "for a tensor for instance `bool((a == b).all())`"
        )
    if not condition:
        title = known[claim_id]["title"]
        raise AssertionError(f"claim fails: {claim_id} ({title}) {detail}".rstrip())
    print(f"{PREFIX}{claim_id} [{evidence}] {detail}".rstrip())


def _is_truth_value(value):
    # numpy's and torch's own booleans are not `bool`; accept them when they hold a single value.
    if isinstance(value, bool):
        return True
    return str(getattr(value, "dtype", "")) in ("bool", "torch.bool") and value.shape == ()
