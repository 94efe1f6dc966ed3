"""Pictures for the crossing bound: pixels multiplied on two paths, windows eliminated in turn.

And for the private-pixel bound: what each window has to itself.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from ..bounds.crossing import shift_digits
from ..bounds.private import connected_fields, private_columns
from ..checks import integer, integers
from ..networks.architecture import Architecture
from .drawing import require_cells, require_one_axis
from .style import COLORS, INK, figure, text_on

__all__ = ["draw_elimination", "draw_private", "draw_signs"]


def _cell(axes, x, y, color, text="", strong=True):
    """One cell at place x of a row at height y."""
    axes.add_patch(Rectangle((x - 0.42, y - 0.3), 0.84, 0.6, facecolor=color,
                             edgecolor=INK if strong else "none",
                             alpha=0.9 if strong else 0.25, linewidth=1))
    axes.text(x, y, text, ha="center", va="center", fontsize=10, fontweight="bold",
              color=text_on(color) if strong else INK)


def _finish(axes, width, bottom, top):
    axes.set_xlim(-0.8, width - 0.2)
    axes.set_ylim(bottom, top)
    axes.set_aspect("equal")
    axes.axis("off")


def draw_signs(axes: Axes, net: Architecture, layer: int, shift: int, location: int) -> None:
    """What one cell of a layer multiplies in the construction of the crossing bound.

    Parameters
    ----------
    axes : matplotlib Axes
    net : Architecture
        One-dimensional.
    layer, shift : int
        K, and the distance between the first and the last pixel.
    location : int
        Of the cell.

    Raises
    ------
    ValueError
        If the windows up to the layer do not span the shift, there is no such cell, or its last
        pixel lies outside of the image.

    Examples
    --------
    >>> net = Architecture((8,), 2, ((2, 1, 1), (3, 1, 1), (8, 8, 1)))
    >>> with figure() as (drawing, axes):
    ...     draw_signs(axes, net, layer=2, shift=3, location=1)
    """
    require_one_axis("draw_signs", net)
    layer, location = integers("draw_signs: layer and location", (layer, location), 0)
    shift = integer("draw_signs: shift", shift)
    digits = shift_digits(net, layer, shift)
    require_cells("draw_signs", net, layer, (location,))
    first = location * net.total_stride(layer)
    if first + shift >= net.size[0]:  # it would multiply padding
        raise ValueError(f"draw_signs: cell {location} of layer {layer} and shift={shift} join the "
                         f"pixels {first} and {first + shift}; the last pixel of the image is "
                         f"{net.size[0] - 1}, so take a cell before or a smaller shift")
    used = {layer: {location}}
    for above in range(layer, 0, -1):
        stride, hop = net.strides[above - 1][0], digits[above - 1]
        used[above - 1] = {v * stride + step for v in used[above] for step in {0, hop}}
        for v in used[above]:
            for step in {0, hop}:
                axes.add_patch(FancyArrowPatch(
                    ((v * stride + step) * net.total_stride(above - 1), 1.5 * (above - 1) + 0.32),
                    (v * net.total_stride(above), 1.5 * above - 0.34), arrowstyle="-|>",
                    mutation_scale=10, color=INK, linewidth=1.4))
    for below in range(layer + 1):
        for v in range(net.output_sizes[below][0]):
            color = COLORS["rows"] if below == 0 else COLORS["exact"]
            _cell(axes, v * net.total_stride(below), 1.5 * below, color, str(v), v in used[below])
        axes.text(-0.75, 1.5 * below, f"layer {below}" if below else "pixels", ha="right",
                  va="center", fontsize=10, color=INK)
    axes.add_patch(FancyArrowPatch((first, -0.34), (first + shift, -0.34), arrowstyle="-",
                                   connectionstyle="arc3,rad=0.25", linewidth=2,
                                   color=COLORS["cut"]))
    axes.text(first + shift / 2, -1.05, f"s = {shift}", ha="center", va="center", fontsize=11)
    _finish(axes, net.size[0], -1.4, 1.5 * layer + 0.5)
    axes.set_xlim(-2, net.size[0] - 0.4)


def draw_elimination(axes: Axes, net: Architecture, layer: int, shift: int, cut: int) -> None:
    """The windows over the cut with their free pixels, in the order of elimination.

    Parameters
    ----------
    axes : matplotlib Axes
    net : Architecture
        One-dimensional.
    layer, shift : int
        K, and the distance between the free pixels of a window.
    cut : int
        Pixels before the cut.

    Raises
    ------
    ValueError
        If the windows up to the layer do not span the shift, or no pixels lie on one side.

    Examples
    --------
    >>> net = Architecture((8,), 2, ((4, 1, 1), (8, 8, 1)))
    >>> with figure() as (drawing, axes):
    ...     draw_elimination(axes, net, layer=1, shift=3, cut=4)
    """
    require_one_axis("draw_elimination", net)
    shift = integer("draw_elimination: shift", shift)
    shift_digits(net, layer, shift)  # of others there would be windows that the network lacks
    extent, step = net.size[0], net.total_stride(layer)
    cut = integer("draw_elimination: cut", cut, 1, extent - 1)
    for x in range(extent):
        _cell(axes, x, 0, COLORS["rows" if x < cut else "columns"], str(x))
    crossing = [start for start in range(0, cut, step) if cut <= start + shift < extent]
    for order, start in enumerate(crossing):
        y = -1 - 0.8 * order
        axes.add_patch(Rectangle((start - 0.42, y - 0.3), shift + 0.84, 0.6, edgecolor=INK,
                                 facecolor=COLORS["exact"] if order == 0 else "none",
                                 alpha=0.3 if order == 0 else 1, linewidth=1.2))
        for x, side in ((start, "rows"), (start + shift, "columns")):
            axes.plot([x], [y], marker="o", markersize=9, color=COLORS[side])
        axes.text(extent - 0.2, y, f"{order + 1}. pixels {start} and {start + shift}", ha="left",
                  va="center", fontsize=10, color=INK)
    axes.plot([cut - 0.5] * 2, [0.6, -1.4 - 0.8 * (len(crossing) - 1)], color=INK,
              linestyle="--", linewidth=1.2)
    _finish(axes, extent, -1.6 - 0.8 * (len(crossing) - 1), 0.8)
    axes.set_xlim(-0.8, extent + 2.6)


def draw_private(axes: Axes, net: Architecture, field: int, cut: int) -> None:
    """The windows of layer 1 over the cut, and the columns that each has to itself.

    Parameters
    ----------
    axes : matplotlib Axes
    net : Architecture
        One-dimensional.
    field, cut : int
        Columns that a window sees, and columns before the cut.

    Raises
    ------
    ValueError
        If no window of layer 1 sees so many columns side by side, or none lie on one side.

    Examples
    --------
    >>> net = Architecture((8,), 2, ((4, 2, 5), (4, 4, 1)))
    >>> with figure() as (drawing, axes):
    ...     draw_private(axes, net, field=4, cut=4)
    """
    require_one_axis("draw_private", net)
    extent, step = net.size[0], net.total_stride(1)
    cut, fields = integer("draw_private: cut", cut, 1, extent - 1), connected_fields(net, 1)
    field = integer("draw_private: field", field)
    if field not in fields:  # windows that the network lacks
        raise ValueError(f"draw_private: field={field}; windows of layer 1 see one of {fields}")
    for x in range(extent):
        _cell(axes, x, 0, COLORS["rows" if x < cut else "columns"], str(x))
    over, y = [start for start in range(0, cut, step) if cut < start + field], -0.2
    for y, start in zip((-1.1 - 0.9 * n for n in range(len(over))), over, strict=True):
        before, after = private_columns(start, field, step, extent, cut)
        end = min(start + field, extent)  # the padding beyond the border has no columns
        axes.add_patch(Rectangle((start - 0.46, y - 0.34), end - start - 0.08, 0.68, edgecolor=INK,
                                 facecolor="none", linewidth=1.2))
        for x in (*range(start, start + before), *range(end - after, end)):
            _cell(axes, x, y, COLORS["rows" if x < cut else "columns"], str(x))
    axes.plot([cut - 0.5] * 2, [0.6, y - 0.6], color=INK, linestyle="--", linewidth=1.2)
    _finish(axes, extent, y - 0.7, 0.8)


def _private() -> Figure:
    net = Architecture((14,), 3, ((7, 2, 64), (7, 7, 1)))
    with figure(5.2, 1.8) as (drawing, axes):
        draw_private(axes, net, field=7, cut=8)
    return drawing


def _signs() -> Figure:
    net = Architecture((8,), 2, ((2, 1, 1), (3, 1, 1), (8, 8, 1)))
    with figure(7, 3.1) as (drawing, axes):
        draw_signs(axes, net, layer=2, shift=3, location=1)
    return drawing


def _elimination() -> Figure:
    net = Architecture((8,), 2, ((4, 1, 1), (8, 8, 1)))
    with figure(7, 2.9) as (drawing, axes):
        draw_elimination(axes, net, layer=1, shift=3, cut=4)
    return drawing


BOOK_FIGURES = {"signs": _signs, "elimination": _elimination, "private-pixels": _private}
