"""What many figures are made of: heatmaps, rows of pixels, windows over a cut, arcs."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.patheffects import withStroke

from ..checks import integer, integers
from .style import COLORS, INK, text_on

__all__ = ["draw_arc", "draw_cells", "draw_heatmap", "draw_window", "fit_axes", "number",
           "on_paper", "power"]

_CASING = (withStroke(linewidth=4.5, foreground="white"),)  # lines stand out from colored cells


def on_paper(values) -> np.ndarray:
    """The numbers of a tensor of any device, with gradients or without, or of an array.

    Examples
    --------
    >>> on_paper(torch.ones(2, requires_grad=True)).tolist()
    [1.0, 1.0]
    """
    return np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values)


def require_one_axis(operation: str, net) -> None:
    """Raise a ValueError unless an architecture is one-dimensional: a row of cells is drawn.

    Examples
    --------
    >>> from lib import Architecture
    >>> require_one_axis("draw_signs", Architecture((8,), 2, ((8, 8, 1),)))
    """
    if net.ndim != 1:
        raise ValueError(f"{operation}: size {net.size} has {net.ndim} axes; draws one axis")


def image_size(operation: str, size: Sequence[int]) -> tuple[int, int]:
    """Height and width; raises an error for a size that has not two axes.

    Examples
    --------
    >>> image_size("draw_partition", (4, 6))
    (4, 6)
    """
    size = integers(f"{operation}: size", size, 1)
    if len(size) != 2:
        raise ValueError(f"{operation}: size {size} has {len(size)} axes; draws two axes")
    return size


def require_cells(operation: str, net, layer: int, *cells: tuple[int, ...]) -> None:
    """Refuse cells that a map does not have: they would be drawn all the same.

    Examples
    --------
    >>> from lib import Architecture
    >>> require_cells("draw_signs", Architecture((8,), 2, ((2, 2, 2), (4, 4, 1))), 1, (3,))
    """
    net.total_stride(layer)  # which says that there is no such layer
    size = net.output_sizes[layer]
    for cell in cells:
        if len(cell) != len(size) or not all(0 <= c < length for c, length in zip(cell, size)):
            raise ValueError(f"{operation}: cell {', '.join(map(str, cell))} of layer {layer}; its "
                             f"map has the size {'×'.join(map(str, size))}, cells count from 0")


def number(value: float) -> str:
    """A number as it is written in a figure, with a minus sign instead of a hyphen.

    Examples
    --------
    >>> number(-2.0), number(0.25), number(2 / 3)
    ('−2', '0.25', '0.667')
    """
    text = f"{int(value)}" if float(value).is_integer() else f"{value:.3g}"
    return text.replace("-", "−")


def power(value: int) -> str:
    """A number as formula, with powers of ten written short.

    Examples
    --------
    >>> power(256), power(10**12), power(10**12 + 1)
    ('256', '$10^{12}$', '1000000000001')
    """
    digits = str(integer("power: value", value))
    short = value >= 10_000 and digits.strip("0") == "1"
    return f"$10^{{{len(digits) - 1}}}$" if short else digits


def draw_heatmap(axes: Axes, matrix, title: str = "", note: str = "", step: Sequence[int] = (),
                 texts: Sequence[Sequence[str]] | bool = False, fontsize: float = 11) -> None:
    """A matrix as cells: blue where it is positive, orange where negative, white where zero.

    Parameters
    ----------
    axes : matplotlib Axes
    matrix : torch.Tensor or array, shape (m, n)
    title, note : str
        Written above and below.
    step : (int, int), optional
        Rows and columns of the blocks to set apart by lines.
    texts : bool or nested sequence of str
        What stands in the cells: True for the numbers. The cells are then paler.
    fontsize : float

    Raises
    ------
    ValueError
        If a number is not finite, which has no color.

    Examples
    --------
    >>> from lib.plots.style import figure
    >>> with figure() as (drawing, axes):
    ...     draw_heatmap(axes, np.eye(4), "identity", step=(2, 2), texts=True)
    """
    matrix = on_paper(matrix).astype(float)
    if not np.isfinite(matrix).all():
        bad = matrix[~np.isfinite(matrix)][0]
        raise ValueError(f"draw_heatmap: the matrix holds {bad}; need finite numbers")
    full = np.where((matrix > 0)[..., None], to_rgb(COLORS["rows"]), to_rgb(COLORS["columns"]))
    strength = (0.4 if texts else 0.95) * np.abs(matrix) / (np.abs(matrix).max(initial=0) or 1)
    axes.imshow(1 - strength[..., None] * (1 - full), interpolation="nearest")
    if texts is True:
        texts = [[number(value) for value in row] for row in matrix]
    for r, row in enumerate(texts or ()):
        for c, text in enumerate(row):
            axes.text(c, r, text, ha="center", va="center", fontsize=fontsize)
    for size, pace, draw in zip(matrix.shape, step, (axes.axhline, axes.axvline)):
        for line in range(pace, size, pace):
            draw(line - 0.5, color=INK, linewidth=1.2)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(True)
    axes.set_title(title, loc="center", fontweight="normal", fontsize=11)
    axes.set_xlabel(note, fontsize=11)


def draw_cells(axes: Axes, texts: Sequence[str], colors: Sequence[str], y: float = 0.0,
               faded: Sequence[bool] = (), places: Sequence[float] = ()) -> None:
    """A row of colored cells with texts; cell x has its middle at (x, y) and is 0.86 wide.

    Parameters
    ----------
    axes : matplotlib Axes
    texts, colors : sequence of str
    y : float
    faded : sequence of bool, optional
        Cells to draw as outlines only.
    places : sequence of float, optional
        Where the cells stand; 0, 1, 2, ... by default.

    Examples
    --------
    >>> from lib.plots.style import figure
    >>> with figure() as (drawing, axes):
    ...     draw_cells(axes, "01", [COLORS["rows"], COLORS["columns"]])
    """
    for n, (text, color) in enumerate(zip(texts, colors, strict=True)):
        x, pale = places[n] if places else n, bool(faded) and faded[n]
        axes.add_patch(Rectangle((x - 0.43, y - 0.43), 0.86, 0.86, linewidth=1, edgecolor=color,
                                 facecolor="none" if pale else color, zorder=2))
        axes.text(x, y, text, ha="center", va="center", fontsize=11, fontweight="bold", zorder=3,
                  color=INK if pale else text_on(color))


def draw_window(axes: Axes, corner: tuple[float, float], size: tuple[float, float],
                crossing: bool = False, strong: bool = True) -> None:
    """A window: an outlined rectangle, filled if it lies across the cut.

    Parameters
    ----------
    axes : matplotlib Axes
    corner : (float, float)
    size : (float, float)
        Width and height.
    crossing, strong : bool

    Examples
    --------
    >>> from lib.plots.style import figure
    >>> with figure() as (drawing, axes):
    ...     draw_window(axes, (0, 0), (2, 2), crossing=True)
    """
    color = COLORS["cut"] if crossing else INK
    axes.add_patch(Rectangle(corner, *size, facecolor="none", edgecolor=color, zorder=4,
                             linewidth=2 if crossing else 1.3 if strong else 0.8,
                             path_effects=_CASING if crossing else None))
    if crossing:
        axes.add_patch(Rectangle(corner, *size, facecolor=color, alpha=0.3, zorder=3, linewidth=0,
                                 gid="crossing"))


def draw_arc(axes: Axes, first: tuple[float, float], last: tuple[float, float],
             crossing: bool = True, bend: float = -0.4) -> None:
    """An arc that joins the two places of a pair, stronger if it crosses the cut.

    Examples
    --------
    >>> from lib.plots.style import figure
    >>> with figure() as (drawing, axes):
    ...     draw_arc(axes, (0, 0), (3, 0))
    """
    axes.add_patch(FancyArrowPatch(
        first, last, arrowstyle="-", connectionstyle=f"arc3,rad={bend}", shrinkA=0, shrinkB=0,
        linewidth=2.0 if crossing else 1.0, zorder=5, path_effects=_CASING,
        gid="crossing-arc" if crossing else None, color=COLORS["cut" if crossing else "neutral"]))


def fit_axes(axes: Axes, x: tuple[float, float], y: tuple[float, float], title: str = "",
             notes: Mapping[tuple[float, float], str] | None = None) -> None:
    """Equal scales, no frame, these limits, and texts at their places.

    Examples
    --------
    >>> from lib.plots.style import figure
    >>> with figure() as (drawing, axes):
    ...     fit_axes(axes, (0, 4), (0, 1), notes={(2, 0.5): "middle"})
    """
    axes.set(xlim=x, ylim=y, aspect="equal")
    axes.axis("off")
    axes.set_title(title, fontsize=11)
    for (left, low), text in (notes or {}).items():
        axes.text(left, low, text, va="center", fontsize=10)
