"""Pictures of windows: what one reads, which ones lie across a cut, and the pairs they compare."""

from itertools import product

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..bounds.matching import maximum_matching
from ..bounds.partitions import split_modes
from ..checks import integer, integers
from ..constructions.simulation import simulate
from ..exact.arithmetic import Real
from ..networks.architecture import Architecture
from ..networks.families import block_network
from .architectures import draw_reachable_fields
from .drawing import draw_arc, draw_cells, draw_window, fit_axes, image_size, require_one_axis
from .partitions import BAD
from .style import COLORS, INK, RECEPTIVE_FIELD_COLORS, figure, label_line

__all__ = ["crossing_windows", "draw_digits", "draw_row_of_windows", "draw_pairs"]


def crossing_windows(net: Architecture, cut: int) -> list[tuple[int, int]]:
    """First and last cell of the windows of layer 1 that see both sides, of one axis.

    Examples
    --------
    >>> crossing_windows(Architecture((8,), 2, ((3, 1, 1), (8, 8, 1))), 4)
    [(2, 4), (3, 5)]
    """
    require_one_axis("crossing_windows", net)
    cut = integer("crossing_windows: cut", cut, 1, net.size[0] - 1)
    starts = range(0, net.size[0], net.strides[0][0])
    windows = [(v, min(v + net.windows[0][0], net.size[0]) - 1) for v in starts]
    return [(first, last) for first, last in windows if first < cut <= last]


def draw_row_of_windows(axes: Axes, net: Architecture, cut: int, title: str = "") -> int:
    """A row of pixels and the windows of layer 1 below it, filled where they lie across the cut.

    Parameters
    ----------
    axes : matplotlib Axes
    net : Architecture
        One-dimensional.
    cut : int
        Pixels before the cut.
    title : str

    Returns
    -------
    int
        The number of windows across the cut.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_row_of_windows(axes, Architecture((8,), 2, ((3, 1, 1), (8, 8, 1))), cut=4)
    2
    """
    extent, crossing = net.size[0], crossing_windows(net, cut)
    cut = integer("draw_row_of_windows: cut", cut)
    draw_cells(axes, [str(x) for x in range(extent)],
               [COLORS["rows" if x < cut else "columns"] for x in range(extent)])
    depth = 0
    for number, start in enumerate(range(0, extent, net.strides[0][0])):
        last = min(start + net.windows[0][0], extent) - 1
        depth = -0.95 - 0.55 * (number % -(-net.windows[0][0] // net.strides[0][0]))
        draw_window(axes, (start - 0.4, depth), (last - start + 0.8, 0.38),
                    crossing=(start, last) in crossing)
    overlap = net.windows[0][0] > net.strides[0][0]
    low = min(-2.3, -1.2 - 0.55 * ((net.windows[0][0] - 1) // net.strides[0][0]))
    axes.plot([cut - 0.5] * 2, [0.7, low if overlap else -1.2],
              color=INK, linestyle="--", linewidth=1.2, zorder=6)
    fit_axes(axes, (-0.6, extent - 0.4), (low, 0.8), title)
    return len(crossing)


def draw_pairs(axes: Axes, partition, size: tuple[int, int], title: str = "",
               arcs: bool = True) -> int:
    """A largest matching of comparable pixels as arcs; pixels without partner as outlines.

    Parameters
    ----------
    axes : matplotlib Axes
    partition : str or iterable of int
    size : (int, int)
    title : str
    arcs : bool
        Draw the pairs.

    Returns
    -------
    int
        The number of pairs.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_pairs(axes, "left-right", (2, 2))
    2
    """
    size = image_size("draw_pairs", size)
    rows, _ = split_modes(partition, size)  # once: an iterator is empty the second time
    pairs = maximum_matching(rows, size)
    matched = {cell for pair in pairs for cell in pair}
    for i in range(size[0]):
        cells = range(i * size[1], (i + 1) * size[1])
        colors = [COLORS["rows" if c in rows else "columns"] for c in cells]
        draw_cells(axes, [""] * size[1], colors, -i, [c not in matched for c in cells])
    for pair in pairs if arcs else ():
        (i, j), (k, m) = (divmod(cell, size[1]) for cell in pair)
        draw_arc(axes, (j, -i), (m, -k), bend=-0.25)
        axes.plot([j, m], [-i, -k], "o", color=COLORS["cut"], markersize=3, zorder=6)
    fit_axes(axes, (-0.6, size[1] - 0.4), (-size[0] + 0.4, 0.6), title)
    return len(pairs)


def draw_digits(axes: Axes, window: int, extent: int, cut: int) -> None:
    """Windows over a cut that read their pixels as the digits of a number in base M.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_digits(axes, window=4, extent=8, cut=4)
    """
    net = Architecture((extent,), 2, ((window, 1, 1), (extent, extent, 1)))
    colors = [COLORS["rows" if x < cut else "columns"] for x in range(extent)]
    draw_cells(axes, [f"$d_{{{x}}}$" for x in range(extent)], colors)
    windows = crossing_windows(net, cut)[::-1]
    for line, (first, last) in enumerate(windows, 1):
        texts = ["1", "$M$", *(f"$M^{{{o}}}$" for o in range(2, window))][:last - first + 1]
        draw_window(axes, (first - 0.47, -1.2 * line - 0.45), (last - first + 0.94, 0.9), True)
        for o, text in enumerate(texts):
            axes.text(first + o, -1.2 * line, text, ha="center", va="center", fontsize=11, zorder=5)
    end = -1.2 * len(windows) - 0.7
    axes.plot([cut - 0.5] * 2, [0.7, end], color=INK, linestyle="--", zorder=6, linewidth=1.2)
    fit_axes(axes, (-0.6, extent - 0.4), (end - 0.1, 0.8))


def _convolution() -> Figure:
    """A 3×3 window with stride 2 on 7×7 cells: one inside, one that reaches into the padding."""
    net = Architecture(7, 1, ((3, 2, 1), (4, 4, 1)))
    (size, _), (window, _), (stride, _) = net.size, net.windows[0], net.strides[0]
    shown = ((0, 1, COLORS["deep"]), (3, 3, COLORS["cut"]))
    with figure(4.1, 2.7) as (drawing, axes):
        for u, v in product(range(size), repeat=2):
            draw_window(axes, (v, -u), (0.9, 0.9), strong=False)
        for u, v in product(range(net.output_sizes[1][0]), repeat=2):
            draw_window(axes, (10 + v, -u - 1.5), (0.9, 0.9), strong=False)
        for u, v, color in shown:
            for i, j in product(range(window), repeat=2):
                row, column = u * stride + i, v * stride + j
                padded = max(row, column) >= size
                axes.add_patch(_filled((column, -row), color, 0.15 if padded else 0.55))
                axes.text(column + 0.45, -row + 0.43, "0" if padded else "", ha="center",
                          va="center", fontsize=9)
            axes.add_patch(_filled((10 + v, -u - 1.5), color, 0.9))
            axes.annotate("", (10 + v, -u - 1.05), (v * stride + window, -u * stride - 0.5),
                          arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 1.4})
        fit_axes(axes, (-0.1, 14.2), (-8.1, 2.2),
                 notes={(0, 1.5): "cells of the layer below", (9.3, 1.5): "the layer"})
    return drawing


def _filled(corner: tuple[float, float], color: str, alpha: float) -> Rectangle:
    return Rectangle(corner, 0.9, 0.9, facecolor=color, alpha=alpha, linewidth=0, zorder=3)


def _imitation() -> Figure:
    """What a window of 4 multiplies when it imitates one of 2: read off the weights."""
    large, small = (Architecture((4,), 2, ((window, 2, 2), (2, 2, 1))) for window in (4, 2))
    weights = small.random_weights(Real(), torch.Generator().manual_seed(0))
    weight, bias = simulate(large, small, weights)[0]
    with figure(4.1, 1.5) as (drawing, axes):
        for y, count, name in ((0, 2, "window 2"), (-1.3, 4, "window 4")):
            for o in range(count):
                idle = count == 4 and not weight[..., o].any() and bool((bias[..., o] == 1).all())
                text = "1" if idle else f"$w_{o}$"
                draw_cells(axes, [text], [COLORS["deep"]], y, [idle], [1.3 * o])
                if o:
                    axes.text(1.3 * o - 0.65, y, "·", ha="center", va="center", fontsize=16)
            axes.text(-0.9, y, name, ha="right", va="center", fontsize=11)
        fit_axes(axes, (-3.4, 4.6), (-1.9, 0.6))
    return drawing


def _alpha_minimal() -> Figure:
    net = Architecture((16,), 2, ((3, 4, 2), (3, 1, 2)))
    with figure(4.2, 1.5) as (drawing, axes):
        draw_reachable_fields(axes, net, layer=2, alpha=8)
        axes.tick_params(labelsize=9.8)
    return drawing


def _over_the_cut() -> Figure:
    """Side by side and aligned, side by side and not aligned, overlapping."""
    shown = ((8, 2, 2, 4, "windows 2, stride 2"), (6, 2, 2, 3, "windows 2, stride 2, 6 pixels"),
             (8, 3, 1, 4, "windows 3, stride 1"))
    with figure(4.1, 4.6, rows=3) as (drawing, axes):
        for ax, (extent, window, stride, cut, name) in zip(axes, shown, strict=True):
            rest = extent // stride
            net = Architecture((extent,), 2, ((window, stride, 2), (rest, rest, 1)))
            count = draw_row_of_windows(ax, net, cut)
            ax.set_title(f"{name}: {('none', 'one', 'two')[count]} across", fontsize=11)
    return drawing


def _area_law() -> Figure:
    """Windows of 3 with stride 1: in each row two pairs lie across the cut."""
    net = Architecture(6, 2, ((3, 1, 2), (6, 6, 1)))
    bound = net.crossing_bound()
    with figure(4.1, 3.4) as (drawing, axes):
        colors = [COLORS["rows"]] * 3 + [COLORS["columns"]] * 3
        for i in range(6):
            draw_cells(axes, [""] * 6, colors, -i)
            for start in range(3):
                if start < 3 <= start + bound.shift < 6:
                    draw_arc(axes, (start, -i), (start + bound.shift, -i), bend=-0.35)
        axes.plot([2.5, 2.5], [0.8, -5.8], color=INK, linestyle="--", linewidth=1.2, zorder=6)
        fit_axes(axes, (-0.6, 9.6), (-5.7, 0.9), notes={
            (6.0, -1.5): f"shift {bound.shift}:\n{bound.exponent // 6} pairs a row",
            (6.0, -3.2): f"6 rows: rank\nat least ${bound.base}^{{{bound.exponent}}}$"})
    return drawing


def _digits() -> Figure:
    with figure(4.1, 2.4) as (drawing, axes):
        draw_digits(axes, window=4, extent=8, cut=4)
    return drawing


def _block_exponents() -> Figure:
    """Exponents of three bounds for blocks of B×B convolutions on 32×32 pixels."""
    with figure(4.1, 3.2) as (drawing, axes):
        nets = {b: block_network(b, 32, channels=64, width=128) for b in range(2, 6)}
        curves = (("crossing bound", [net.crossing_bound().exponent for net in nets.values()],
                   COLORS["exact"]),
                  ("overlap theorem", [net.overlap_bound().exponent for net in nets.values()],
                   COLORS["bound"]),
                  ("$(2B-1)^2/4$", [(2 * b - 1) ** 2 / 4 for b in nets], COLORS["neutral"]))
        for name, values, color in curves:
            axes.plot(list(nets), values, "-", color=color)
            for b, value in zip(nets, values, strict=True):
                axes.plot(b, value, "o", color=RECEPTIVE_FIELD_COLORS[b], markersize=8, zorder=3)
            label_line(axes, 5, values[-1], name, color)
        axes.set(xticks=list(nets), xlim=(1.8, 7.3), ylim=(0, 136), xlabel="B",
                 ylabel="exponent of M")
    return drawing


MATCHED = {"opposite quarters": (0, 1, 4, 5, 10, 11, 14, 15),
           "an edge": (0, 1, 2, 3, 4, 5, 8, 12)}


def _matched() -> Figure:
    with figure(5.4, 3.0, columns=2) as (drawing, axes):
        for ax, (name, part) in zip(axes, MATCHED.items(), strict=True):
            count = draw_pairs(ax, part, (4, 4))
            ax.set_title(f"{name}: {count} pairs", fontsize=11)
    return drawing


def corner_blocks(side: int, rows: int, columns: int) -> tuple[int, ...]:
    """An even partition that pairs badly: a block at the bottom left, filled up on its own side.

    Parameters
    ----------
    side : int
        Even; of the image.
    rows, columns : int
        Of the block, which leaves the block at the top right to the other side.

    Examples
    --------
    >>> len(corner_blocks(4, 3, 2))
    8
    """
    side, rows, columns = integers("corner_blocks: side, rows, columns", (side, rows, columns), 0)
    block = [i * side + j for i in range(side - rows, side) for j in range(columns)]
    other = {i * side + j for i in range(side - rows) for j in range(columns, side)}
    rest = [c for c in range(side * side) if c not in other and c not in block]
    return tuple(sorted((block + rest)[:side * side // 2]))


def _defeated() -> Figure:
    """Ten by ten pixels: the block at the bottom left sees nothing of that at the top right."""
    part = corner_blocks(10, 7, 7)
    with figure(4.1, 4.2) as (drawing, axes):
        count = draw_pairs(axes, part, (10, 10), arcs=False)
        draw_window(axes, (-0.5, -9.5), (7, 7))
        draw_window(axes, (6.5, -2.5), (3, 3))
        axes.set_title(f"{count} pairs of at most 50", fontsize=11)
    return drawing


def _first_row() -> Figure:
    """The corner partition: only windows of the first row see the first row."""
    both = sum(any(cell % 4 >= start for cell in BAD) for start in range(4))
    with figure(4.1, 3.1) as (drawing, axes):
        for i in range(4):
            draw_cells(axes, [""] * 4, [COLORS["rows" if 4 * i + j in BAD else "columns"]
                                        for j in range(4)], -i)
        for corner, reach in (((0, 1), 3), ((0, 3), 1)):
            draw_window(axes, (corner[1] - 0.5 + 0.04 * corner[1], -3.55), (reach - 0.1, 4.1),
                        crossing=corner[1] < 3)
        fit_axes(axes, (-0.6, 8.6), (-3.7, 0.8), notes={
            (3.9, 0): "the first row:\nonly 4 windows see it",
            (3.9, -1.6): f"{both} of them see\nboth sides",
            (3.9, -2.9): "the last one sees\norange only"})
    return drawing


BOOK_FIGURES = {
    "generalized-convolution": _convolution, "imitation": _imitation,
    "alpha-minimal": _alpha_minimal, "windows-over-cut": _over_the_cut, "area-law": _area_law,
    "digits": _digits, "block-exponents": _block_exponents, "matched-pairs": _matched,
    "defeated-overlap": _defeated, "first-row": _first_row,
}
