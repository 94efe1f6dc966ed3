"""Tables that a stored notebook shows, for figures of pages that cite their numbers."""

import html
import json
import re
from pathlib import Path

__all__ = ["stored_table"]

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


def stored_table(notebook: str, heading: str) -> list[list[str]]:
    """The rows of the table with a heading among the outputs of a notebook, as texts.

    Parameters
    ----------
    notebook : str
        Name of the file without its ending.
    heading : str
        Words at the top of one column, which no other table of the notebook has.

    Returns
    -------
    list of list of str

    Raises
    ------
    ValueError
        If there is no such table, or more than one.

    Examples
    --------
    >>> len(stored_table("04_rectifier_networks", "one channel enough"))
    12
    """
    cells = json.loads((FOLDER / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    shown = ["".join(output["data"]["text/html"]) for cell in cells
             for output in cell.get("outputs", ()) if "text/html" in output.get("data", {})]
    tables = [text for text in shown if re.search(f">{re.escape(heading)}</th>", text)]
    if len(tables) != 1:
        raise ValueError(f"stored_table: {len(tables)} tables of {notebook} have a column "
                         f"{heading!r}, must be 1")
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in tables[0].split("<tr>")]
    return [[html.unescape(text) for text in row] for row in rows if row]
