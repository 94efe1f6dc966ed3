"""Write the figures of the prose pages as SVG files: ``python -m lib.plots.export [NAME ...]``.

A module of this package that has figures for the prose lists them in ``BOOK_FIGURES``, a
dictionary from file name to a function that draws the figure and returns it. A figure wider than a
phone is drawn twice: ``NAME-phone.svg`` has its panels below each other.
"""

import importlib
import pkgutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import matplotlib.pyplot

from .style import PHONE, portrait

__all__ = ["book_figures", "export"]

HERE = Path(__file__).resolve().parent
FOLDER = Path(__file__).resolve().parents[2] / "book" / "assets" / "figures"


def book_figures(names: Sequence[str] = ()) -> dict[str, Callable]:
    """Every figure of the prose pages by name, and whether these names are among them.

    Raises
    ------
    ValueError
        If one of the names is unknown, or two modules draw the same figure.

    Examples
    --------
    >>> all(callable(draw) for draw in book_figures().values())
    True
    """
    found: dict[str, Callable] = {}
    for module in pkgutil.iter_modules([str(HERE)]):
        if module.name != "export":
            loaded = importlib.import_module(f".{module.name}", __package__)
            drawn = getattr(loaded, "BOOK_FIGURES", {})
            repeated = set(drawn) & set(found)
            if repeated:
                raise ValueError(f"book_figures: {sorted(repeated)} are drawn by two modules")
            found.update(drawn)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise ValueError(f"export: no figures {unknown}; known: {', '.join(sorted(found))}")
    return found


def export(names: list[str] | None = None, folder: Path = FOLDER) -> list[Path]:
    """Draw figures and write them, the same bytes for the same picture but for roundings.

    A layout is solved in another order now and then, and a processor rounds in its own way: names
    of clips and sixth digits may differ.

    Parameters
    ----------
    names : list of str, optional
        All figures by default.
    folder : Path

    Returns
    -------
    list of Path

    Raises
    ------
    ValueError
        If a name is unknown.

    Examples
    --------
    >>> export([])
    []
    """
    figures = book_figures(names or ())
    names = sorted(figures) if names is None else names
    matplotlib.use("agg")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in names:
        drawing = figures[name]()
        variants, drawn = {name: drawing}, [drawing]
        (folder / f"{name}-phone.svg").unlink(missing_ok=True)
        if drawing.get_figwidth() > PHONE:
            with portrait():
                narrow = figures[name]()
            drawn.append(narrow)
            if narrow.get_figwidth() < drawing.get_figwidth():
                variants[f"{name}-phone"] = narrow
        for variant, picture in variants.items():
            path = folder / f"{variant}.svg"
            with matplotlib.rc_context({"svg.hashsalt": variant, "svg.fonttype": "path"}):
                picture.savefig(path, bbox_inches="tight", pad_inches=0.04,
                                metadata={"Date": None, "Creator": None})
            written.append(path)
        for picture in drawn:
            matplotlib.pyplot.close(picture)
    return written


def main() -> None:
    try:
        book_figures(sys.argv[1:])
    except ValueError as error:  # a name that was mistyped; an error of a drawing is shown whole
        sys.exit(str(error))
    for path in export(sys.argv[1:] or None):
        print(path)


if __name__ == "__main__":
    main()
