"""Results as tables: HTML in a notebook and on its page, aligned columns on a terminal."""

import html
import math
import re
from collections.abc import Iterable, Sequence

from ..checks import kind, shown

# 64^32, 2^{n-1}, T_R, r_{0}; only a letter alone has an index, names like cp_rank stay as they are.
_RAISED = re.compile(r"\^(\{[^{}]*\}|-?\d+\.\d+|-?\w+)")
_LOWERED = re.compile(r"\b([^\W\d_])_(\{[^{}]*\}|\w\b)")
_POWER = re.compile(r"(?<=[\w)])\^(\([^()]*\)|-?\d+\.\d+|-?\w+)")   # in prose: M^(N-1)
_LITERAL = re.compile(r"(`[^`]*`|\$[^$]*\$)")
_NUMBER = re.compile(r"([-−]?[\d,.]+(\^-?[\d.]+)?( ?%)?|–)?")
_MINUS = re.compile(r"(?<![\w)])-(?=\d)|(?<=[\w) ])-(?=[^<>]*</su[bp]>)")


class Table:
    """Rows under headers, shown as HTML where that is possible; made by :func:`table`.

    Parameters
    ----------
    headers : list of str
    rows : list of list of str
        As many texts in each row as there are headers.
    """

    def __init__(self, headers: list[str], rows: list[list[str]]) -> None:
        self.headers, self.rows = headers, rows
        columns = zip(*rows) if rows else ([] for _ in headers)
        self._right = [all(_NUMBER.fullmatch(text) for text in column)
                       for column in columns]

    def __str__(self) -> str:
        """Columns of equal width, one line for each row."""
        lines = [self.headers, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join(
            "  ".join(text.rjust(width) if right else text.ljust(width)
                      for text, width, right in zip(line, widths, self._right)).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table as HTML; the class is one that Jupyter, Colab and the book all style."""
        sides = ["right" if right else "left" for right in self._right]
        lines = ['<table class="dataframe">', "<thead>", self._line("th", self.headers, sides),
                 "</thead>", "<tbody>", *(self._line("td", row, sides) for row in self.rows),
                 "</tbody>", "</table>"]
        return "\n".join(lines)

    @staticmethod
    def _line(tag: str, texts: list[str], sides: list[str]) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        return "<tr>" + "".join(f'<{tag}{scope} style="text-align: {side}">{typeset(text)}</{tag}>'
                                for text, side in zip(texts, sides)) + "</tr>"


def table(rows: Iterable[Sequence[object]], headers: Sequence[str]) -> Table:
    """A table of results, to stand as the last line of a cell.

    Parameters
    ----------
    rows : iterable of sequences
        The cells are shown as their text: integers, bounds, truth values (yes, no), None (a dash).
        Floats are refused: a table is compared on every machine, so round and format them.
    headers : sequence of str
        One for each column. Powers and indices are typeset: ``"T_R"``, ``"2^{n}"``.

    Returns
    -------
    Table
        HTML in notebooks, text elsewhere.

    Raises
    ------
    ValueError
        If a row does not have one cell for each header.
    TypeError
        If a cell is a float, also of NumPy or torch, or several truth values, or rows or headers
        are of another kind.

    Examples
    --------
    >>> table([("no overlap", 3, "2^1"), ("overlap", 256, "2^8")], ["network", "rank", "bound"])
    network     rank  bound
    no overlap     3    2^1
    overlap      256    2^8
    """
    kind("table: headers", headers, list, tuple)
    texts = []
    for number, row in enumerate(kind("table: rows", rows, Iterable)):
        if len(kind(f"table: row {number}", row, list, tuple)) != len(headers):
            raise ValueError(f"table: row {number} has {len(row)} cells for {len(headers)} headers")
        texts.append([_text(cell, number) for cell in row])
    return Table([str(header) for header in headers], texts)


def typeset(text: str) -> str:
    """Text as HTML, with powers raised, indices lowered and minus signs that are minus signs.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        HTML in which nothing of the text is taken for markup.

    Examples
    --------
    >>> typeset("T_R < 64^32"), typeset("cp_rank"), typeset("-3")
    ('T<sub>R</sub> &lt; 64<sup>32</sup>', 'cp_rank', '−3')
    """
    safe = html.escape(text, quote=False)
    while (raised := _RAISED.sub(lambda found: f"<sup>{found[1].strip('{}')}</sup>", safe)) != safe:
        safe = raised  # once more, for the powers in an exponent
    safe = _LOWERED.sub(lambda found: f"{found[1]}<sub>{found[2].strip('{}')}</sub>", safe)
    return _MINUS.sub("−", safe)


def typeset_prose(text: str) -> str:
    """Markdown with raised powers and real minus signs, outside of code and formulas.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> typeset_prose("at most M^(N-1), from -2 on; `a^b` and $2^n$ stay")
    'at most M<sup>N−1</sup>, from −2 on; `a^b` and $2^n$ stay'
    """
    pieces = _LITERAL.split(text)
    pieces[::2] = [
        _MINUS.sub("−", _POWER.sub(
            lambda found: f"<sup>{found[1].strip('()').replace('-', '−')}</sup>", piece))
        for piece in pieces[::2]]
    return "".join(pieces)


def _text(cell: object, row: int) -> str:
    if isinstance(cell, float) or "float" in str(getattr(cell, "dtype", "")):
        raise TypeError(f"table: row {row} holds the float {shown(cell)}; format it, f'{{x:.2f}}'")
    if cell is None:
        return "–"
    if getattr(cell, "shape", None) == () and hasattr(cell, "item"):
        cell = cell.item()              # a single number of NumPy or torch
    if str(getattr(cell, "dtype", "")) in ("bool", "torch.bool"):
        if math.prod(cell.shape) != 1:
            raise TypeError(f"table: row {row} holds a {shown(cell)}; pass one truth value, such "
                            "as bool(x.all())")
        cell = bool(cell)
    return {True: "yes", False: "no"}[cell] if isinstance(cell, bool) else str(cell)
