"""Pictures of partitions of a grid and of the pairs that a window can compare."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..bounds.matching import maximum_matching
from ..bounds.partitions import Partition, split_modes
from .drawing import image_size
from .style import COLORS, figure, text_on

__all__ = ["draw_partition"]


def draw_partition(
    axes: Axes, partition: Partition, size: tuple[int, int], title: str = ""
) -> None:
    """The cells of both sides; cells of a pair of a largest matching carry the same number.

    Parameters
    ----------
    axes : matplotlib Axes
    partition : str or iterable of int
        Cells on one side, numbered row by row, or a name.
    size : (int, int)
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_partition(axes, (0, 3), (2, 2))
    """
    height, width = size = image_size("draw_partition", size)
    rows, _ = split_modes(partition, size)
    number = {c: n for n, pair in enumerate(maximum_matching(rows, size), 1) for c in pair}
    for cell in range(height * width):
        i, j = divmod(cell, width)
        side = COLORS["rows" if cell in rows else "columns"]
        alone = cell not in number
        axes.add_patch(Rectangle((j + 0.04, i + 0.04), 0.92, 0.92, facecolor=side,
                                 edgecolor=COLORS["cut"], linewidth=3.5 if alone else 0))
        axes.text(j + 0.5, i + 0.5, "–" if alone else str(number[cell]), ha="center",
                  va="center", fontsize=12, color=text_on(side), fontweight="bold")
    axes.set_xlim(-0.08, width + 0.08)
    axes.set_ylim(height + 0.08, -0.08)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(title, fontsize=10)


BAD = (4, 5, 6, 8, 9, 10, 12, 13)


def _opening() -> Figure:
    with figure(7, 2.7, columns=3) as (drawing, axes):
        draw_partition(axes[0], "left-right", (4, 4), "left–right: 8 pairs")
        draw_partition(axes[1], "checkerboard", (4, 4), "checkerboard: 8 pairs")
        draw_partition(axes[2], BAD, (4, 4), "a corner: only 7 pairs")
    return drawing


BOOK_FIGURES = {"partitions": _opening}
