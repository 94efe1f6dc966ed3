"""Pictures for the proof construction: chains of pixels, kernels, matrices of ranks."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from ..checks import integer
from .drawing import on_paper
from .style import COLORS, INK, figure, text_on

__all__ = ["draw_chains", "draw_kernel", "draw_matrix"]


def draw_chains(axes: Axes, width: int, step: int, shift: int, cut: int, title: str = "") -> None:
    """One row of pixels, the pairs (v T, v T + s) as arcs, and the cut.

    Parameters
    ----------
    axes : matplotlib Axes
    width : int
        Pixels in the row.
    step : int
        T, the total stride: first pixels of pairs are its multiples.
    shift : int
        s, the distance inside a pair.
    cut : int
        Pixels left of the cut.
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_chains(axes, width=8, step=1, shift=3, cut=4)
    """
    width, step, shift = (integer(f"draw_chains: {name}", value, 1) for name, value in
                          (("width", width), ("step", step), ("shift", shift)))
    cut = integer("draw_chains: cut", cut, 1, width - 1)
    for x in range(width):
        color = COLORS["rows"] if x < cut else COLORS["columns"]
        axes.add_patch(Rectangle((x + 0.06, 0), 0.88, 0.88, facecolor=color))
        axes.text(x + 0.5, 0.44, str(x), ha="center", va="center", color=text_on(color),
                  fontweight="bold", fontsize=10)
    for x in range(0, width - shift, step):
        crosses = x < cut <= x + shift
        arc = FancyArrowPatch((x + 0.5, 0.92), (x + shift + 0.5, 0.92), arrowstyle="-|>",
                              connectionstyle=f"arc3,rad={-1.1 / max(2, shift):.2f}",
                              mutation_scale=9, linewidth=1.8 if crosses else 1.0,
                              color=COLORS["cut"] if crosses else COLORS["neutral"])
        axes.add_patch(arc)
    axes.plot([cut, cut], [-0.3, 1.2], color=INK, linestyle="--", linewidth=1.2)
    axes.set_xlim(-0.2, width + 0.2)
    axes.set_ylim(-0.4, 1.9)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(title, fontsize=11)


def draw_kernel(axes: Axes, values: np.ndarray, title: str = "", padding: bool = True) -> None:
    """What a factor of a product window outputs for every template, channel by channel.

    Parameters
    ----------
    axes : matplotlib Axes
    values : array, shape (channels, templates + 1)
        The last column is the value at a padded cell when ``padding`` is set.
    title : str
    padding : bool

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_kernel(axes, np.eye(2, 3))
    """
    values = on_paper(values)
    axes.imshow(values, cmap="Blues", vmin=-0.25, vmax=2.6, aspect="equal")
    for (i, j), value in np.ndenumerate(values):
        axes.text(j, i, f"{value:.3g}", ha="center", va="center", fontsize=9, color=INK)
    names = [str(d) for d in range(values.shape[1])]
    if padding:
        names[-1] = "pad"
    axes.set_xticks(range(values.shape[1]), names, fontsize=9)
    axes.set_yticks(range(values.shape[0]))
    axes.grid(False)
    axes.set_xlabel("template", fontsize=9)
    axes.set_ylabel("channel", fontsize=9)
    axes.set_title(title, fontsize=10)


def draw_matrix(axes: Axes, matrix: np.ndarray, title: str = "") -> None:
    """Where a matrix is not zero.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_matrix(axes, np.eye(4))
    """
    axes.imshow(on_paper(matrix) != 0, cmap=ListedColormap(["#F4F4F4", COLORS["rows"]]),
                interpolation="nearest", vmin=0, vmax=1)  # of one kind of entry alone, too
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.set_title(title, fontsize=10)


def _opening() -> Figure:
    with figure(7, 3.2, rows=2) as (drawing, axes):
        draw_chains(axes[0], 8, 1, 1, 4, "Shift 1: one pair crosses the cut")
        draw_chains(axes[1], 8, 1, 3, 4, "Shift 3: three pairs cross the cut")
    return drawing


def _count() -> Figure:
    with figure(5.2, 1.2) as (drawing, axes):
        draw_chains(axes, 12, 2, 5, 6)
    return drawing


BOOK_FIGURES = {"crossing-pairs": _opening, "crossing-count": _count}
