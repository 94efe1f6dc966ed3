"""One look for every figure: colors that keep their meaning, readable in light and dark."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

__all__ = ["COLORS", "INK", "figure", "label_line", "PALETTE", "PHONE", "portrait",
           "RECEPTIVE_FIELD_COLORS", "text_on"]

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

PHONE = 4.2
"""Inches: the width of a figure that keeps its letters legible on a phone."""

_portrait: ContextVar[bool] = ContextVar("portrait", default=False)

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
    # what settings of a reader would turn upside down, stretch, break or not typeset
    "lines.linestyle": "-",
    "lines.marker": "None",
    "image.origin": "upper",
    "image.aspect": "equal",
    "text.usetex": False,
}


def text_on(color: str) -> str:
    """White or black, whichever is read better on a color.

    Examples
    --------
    >>> text_on(COLORS["rows"]), text_on(COLORS["columns"])
    ('white', '#111111')
    """
    red, green, blue = to_rgb(color)
    return "white" if 0.21 * red**2.2 + 0.72 * green**2.2 + 0.07 * blue**2.2 < 0.18 else "#111111"


@contextlib.contextmanager
def portrait() -> Iterator[None]:
    """Figures drawn inside the block fit a phone: panels stand below each other.

    Examples
    --------
    >>> with portrait(), figure(7, 2, columns=3) as (drawing, axes):
    ...     bool(drawing.get_figwidth() <= PHONE), axes[0].get_gridspec().nrows
    (True, 3)
    """
    token = _portrait.set(True)
    try:
        yield
    finally:
        _portrait.reset(token)


def _upright(width: float, height: float, columns: int, rows: int):
    """Size and grid of the phone's figure: the transpose, or one column where that is too dense."""
    panel_width, panel_height = width / columns, height / rows
    across = rows if columns > 1 else 1
    if across > 1 and PHONE / across < 0.7 * panel_width:
        across = 1
    narrow = min(PHONE - 0.4, max(3.4, across * panel_width))
    shrunk = min(1.0, narrow / (across * panel_width))
    down = rows * columns // across
    return narrow, down * max(panel_height * shrunk, min(panel_height, 2.6)), across, down


def _colors_alone():
    """The caller's cycle of colors without its dashes and markers, which mean something here."""
    colors = plt.rcParams["axes.prop_cycle"].by_key().get("color") or [*PALETTE.values()]
    return plt.cycler(color=colors)


@contextlib.contextmanager
def figure(
    width: float = 7.0, height: float = 4.0, columns: int = 1, rows: int = 1, turns: bool = True,
    **options,
) -> Iterator[tuple[Figure, Axes]]:
    """A figure in the book's style, laid out and shown when the block ends.

    Parameters
    ----------
    width, height : float
        Size in inches; 7 fills the text column.
    columns, rows : int
        The grid of axes.
    turns : bool
        Whether :func:`portrait` may change the grid; never with ``gridspec_kw``.
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
    upright = turns and "gridspec_kw" not in options and _portrait.get() and width > PHONE
    if upright:
        shape = (rows, columns)
        width, height, columns, rows = _upright(width, height, columns, rows)
        swapped = {"width_ratios": "height_ratios", "height_ratios": "width_ratios"}
        if (rows, columns) == shape[::-1]:
            options = {swapped.get(name, name): value for name, value in options.items()}
        elif (rows, columns) != shape:
            options = {name: value for name, value in options.items() if name not in swapped}
    with plt.rc_context(_STYLE | {"axes.prop_cycle": _colors_alone()}
                        | ({"axes.titlesize": 10.5} if upright else {})):
        drawing, axes = plt.subplots(
            rows, columns, figsize=(width, height), layout="constrained", **options
        )
        if upright and min(shape) > 1:
            axes = axes.T if columns > 1 else axes.reshape(shape)
        try:
            yield drawing, axes
        except BaseException:
            plt.close(drawing)  # or a notebook would show what was begun
            raise
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
