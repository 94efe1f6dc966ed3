"""Claims: every statement of the course has an id, and a cell of a notebook that checks it.

``book/claims.yml`` lists the claims. The page that states a claim labels its theorem with the id,
and a notebook checks it inside ``with checking(id)``, or calls :func:`verify` with one outcome.
The ledger page of the book is made from the lines that both print, so a claim that nobody checks
cannot be listed as checked.
"""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

EVIDENCE = {
    "exact": "the objects themselves computed in integers or residues, nothing rounded",
    "closed form": "a formula held against another formula, no network computed",
    "numerical": "floating point, compared within a stated tolerance",
    "trained": "networks trained from random weights",
}
STATUS = {
    "as stated": "what the source says, its proof written out",
    "hypotheses made explicit": "true as the source means it; what it leaves unsaid is named",
    "corrected": "the source's words, read as we say, have a counterexample, which is run",
    "new": "not in the sources of the course; proved here, with the prior art we found",
}
FIELDS = ("id", "kind", "title", "source", "status", "page")

PREFIX = "claim holds: "  # lib/course/ledger.py recognises the printed lines by it


def claims_file() -> Path:
    """Place of the list of claims: in a checkout of the course, or inside the installed package.

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


def status_class(status: str) -> str:
    """The class that marks a status, on a page and in the ledger.

    Parameters
    ----------
    status : str
        A key of :data:`STATUS`.

    Returns
    -------
    str

    Examples
    --------
    >>> status_class("hypotheses made explicit")
    'hypotheses-made-explicit'
    """
    return status.replace(" ", "-")


def load_claims(path: str | Path | None = None) -> dict[str, dict]:
    """Claims of a list, by id, after a check of every entry; read again once the file has changed.

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
        If the file is no YAML, or an entry lacks a field, has one too many, one twice or one that
        is no text, repeats an id or has an unknown status.

    Examples
    --------
    >>> all(claim["status"] in STATUS for claim in load_claims().values())
    True
    """
    path = claims_file() if path is None else Path(path)
    state = path.stat()
    return _loaded(path, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=8)
def _loaded(path: Path, state: tuple[int, ...]) -> dict[str, dict]:
    """Kept while the file stays as it is: an author adds claims beside a notebook that runs."""
    from .lists import load_list

    claims = {}
    entries = load_list(path) or []
    for entry in entries if isinstance(entries, list) else [entries]:
        if not isinstance(entry, dict) or set(entry) != set(FIELDS):
            raise ValueError(f"{path.name}: an entry has exactly the fields {FIELDS}, got {entry}")
        for name in FIELDS:             # YAML reads 5, yes and nothing as other things than texts
            if not isinstance(entry[name], str) or not entry[name].strip():
                raise ValueError(f"{path.name}: {name} of {entry['id']} is {entry[name]!r}; "
                                 "write a text, in quotation marks")
        if entry["status"] not in STATUS:
            raise ValueError(f"{path.name}: status of {entry['id']} is {entry['status']!r}; "
                             f"use one of {tuple(STATUS)}")
        if entry["id"] in claims:
            raise ValueError(f"{path.name}: the id {entry['id']} is there twice")
        claims[entry["id"]] = entry
    return claims


class Checks:
    """Outcomes of the checks of one claim; made by :func:`checking`.

    Parameters
    ----------
    claim_id : str
        An id of ``book/claims.yml``, for instance ``"cp-rank-bound"``.
    evidence : {"exact", "closed form", "numerical", "trained"}
        What kind of computation is checked; see :data:`EVIDENCE`.
    detail : str
        What was checked, in a few words on one line. ``{count}`` stands for the number of checks.

    Raises
    ------
    KeyError
        If the id is unknown; the message names the nearest ones.
    ValueError
        If ``evidence`` is unknown or ``detail`` holds a line break.
    """

    def __init__(self, claim_id: str, evidence: str = "exact", detail: str = "") -> None:
        known = load_claims()
        if claim_id not in known:
            near = difflib.get_close_matches(str(claim_id), known, n=3, cutoff=0.4)
            hint = f"nearest: {', '.join(near)}" if near else "none is near"
            raise KeyError(f"no claim {claim_id!r} in {claims_file().name} ({hint})")
        if evidence not in EVIDENCE:
            raise ValueError(f"claim {claim_id}: evidence {evidence!r}; use one of "
                             f"{tuple(EVIDENCE)}")
        self.name = f"{claim_id} ({known[claim_id]['title']})"
        self.claim_id, self.evidence, self.detail, self.count = claim_id, evidence, detail, 0
        self.line()

    def __call__(self, condition: bool, about: object = "") -> None:
        """Count one check that holds; stop at one that does not.

        Parameters
        ----------
        condition : bool
            The outcome. Only a true or false value is taken: a tensor, a number or a list is
            refused, because its truth is rarely what was meant.
        about : object
            What was checked, for the message should it fail: a network, a text.

        Raises
        ------
        TypeError
            If ``condition`` is neither true nor false.
        AssertionError
            If ``condition`` is false.
        """
        if not _is_truth_value(condition):
            raise TypeError(
                f"claim {self.claim_id}: condition is a {type(condition).__name__}; pass True or "
                "False, for a tensor for instance `bool((a == b).all())`"
            )
        if not condition:
            raise AssertionError(f"claim fails: {self.name} {about}".rstrip())
        self.count += 1

    def line(self) -> str:
        """The line that the ledger reads."""
        detail = self.detail.replace("{count}", str(self.count))
        if "\n" in detail:
            raise ValueError(f"claim {self.claim_id}: detail must fit on one line, got {detail!r}")
        return f"{PREFIX}{self.claim_id} [{self.evidence}] {detail}".rstrip()


@contextmanager
def checking(claim_id: str, evidence: str = "exact", detail: str = "{count} checks",
             ) -> Iterator[Checks]:
    """A block of code that checks one claim, as often as it likes and at least once.

    Parameters
    ----------
    claim_id, evidence, detail
        As for :class:`Checks`. What is known only at the end may be set as ``check.detail``.

    Yields
    ------
    Checks
        Call it with every outcome: ``check(rank == predicted, net)``.

    Raises
    ------
    AssertionError
        If a check fails, at that check, or if the block ends without one.
    KeyError, TypeError, ValueError
        As for :class:`Checks`.

    Notes
    -----
    Prints one line at the end, which the ledger page collects from the stored output. A block
    that raises prints none.

    Examples
    --------
    >>> with checking("cp-rank-bound", detail="{count} networks") as check:
    ...     for rank, width in [(3, 4), (4, 4)]:
    ...         check(rank <= width, f"width {width}")
    claim holds: cp-rank-bound [exact] 2 networks
    """
    check = Checks(claim_id, evidence, detail)
    yield check
    if not check.count:
        raise AssertionError(f"claim fails: {check.name} nothing was checked")
    print(check.line())


def verify(claim_id: str, condition: bool, evidence: str = "exact", detail: str = "") -> None:
    """One outcome of one claim: a :func:`checking` block with a single check.

    Parameters
    ----------
    claim_id, evidence, detail
        As for :class:`Checks`.
    condition : bool
        The outcome of the check, true or false.

    Raises
    ------
    AssertionError
        If ``condition`` is false.
    KeyError, TypeError, ValueError
        As for :class:`Checks`.

    Examples
    --------
    >>> verify("cp-rank-bound", 3 <= 4, detail="one matrix")
    claim holds: cp-rank-bound [exact] one matrix
    """
    with checking(claim_id, evidence, detail) as check:
        check(condition, detail)


def _is_truth_value(value: object) -> bool:
    # numpy's and torch's own booleans are not `bool`; accept them when they hold a single value.
    if isinstance(value, bool):
        return True
    return str(getattr(value, "dtype", "")) in ("bool", "torch.bool") and value.shape == ()
