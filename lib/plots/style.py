"""One look for every figure: colors that keep their meaning, readable in light and dark."""

import contextlib
from collections.abc import Iterator

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["COLORS", "INK", "figure", "label_line", "PALETTE", "RECEPTIVE_FIELD_COLORS"]

PALETTE = {  # Okabe & Ito's colors, told apart with any kind of color vision
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
}
INK = "#333333"

COLORS = {
    "shallow": PALETTE["orange"],
    "deep": PALETTE["blue"],
    "overlapping": PALETTE["vermilion"],
    "non-overlapping": PALETTE["sky"],
    "bound": PALETTE["purple"],
    "exact": PALETTE["green"],
    "rows": PALETTE["blue"],
    "columns": PALETTE["orange"],
    "cut": PALETTE["vermilion"],
    "neutral": "#8A8A8A",
}
"""The color of an idea, the same through the whole book."""

RECEPTIVE_FIELD_COLORS = {
    1: PALETTE["sky"],
    2: PALETTE["orange"],
    3: PALETTE["green"],
    4: PALETTE["vermilion"],
    5: PALETTE["purple"],
}
"""The color of a network with B×B convolutions."""

_STYLE = {
    "figure.dpi": 110,
    "figure.max_open_warning": 0,
    "figure.facecolor": "white",  # a white card, so that dark pages show the same picture
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 2.0,
    "lines.markersize": 6,
    "legend.frameon": False,
    "mathtext.fontset": "cm",
}


@contextlib.contextmanager
def figure(
    width: float = 7.0, height: float = 4.0, columns: int = 1, rows: int = 1, **options
) -> Iterator[tuple[Figure, Axes]]:
    """A figure in the book's style, laid out and shown when the block ends.

    Parameters
    ----------
    width, height : float
        Size in inches; 7 fills the text column.
    columns, rows : int
        The grid of axes.
    **options
        Passed on to :func:`matplotlib.pyplot.subplots`.

    Yields
    ------
    (Figure, Axes)
        One Axes, or an array of them as :func:`matplotlib.pyplot.subplots` gives.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     _ = axes.plot([1, 2], color=COLORS["deep"])
    """
    with plt.rc_context(_STYLE):
        drawing, axes = plt.subplots(
            rows, columns, figsize=(width, height), layout="constrained", **options
        )
        yield drawing, axes
        if plt.get_backend().lower() != "agg":  # agg only writes files
            plt.show()


def label_line(axes: Axes, x: float, y: float, text: str, color: str, **options) -> None:
    """Write a line's name beside it in its color, in place of a legend.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     label_line(axes, 1.0, 2.0, "deep", COLORS["deep"])
    """
    settings = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"} | options
    axes.annotate(text, (x, y), color=color, fontweight="bold", **settings)
