"""Pictures of pooling geometries: windows, regions and their ranks, blobs, accuracies."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from ..bounds.partitions import Partition, split_modes
from ..checks import integer, integers
from ..grids.certify import certify
from ..trees.pooling import pooling_order, pooling_tree
from .drawing import on_paper
from .style import COLORS, INK, PALETTE, figure
from .trees import draw_tree

__all__ = ["BOOK_FIGURES", "GEOMETRY_COLORS", "draw_accuracies", "draw_blobs", "draw_regions",
           "draw_related", "draw_windows", "nested_columns", "regions"]

GEOMETRY_COLORS = {"square": PALETTE["blue"], "mirror": PALETTE["vermilion"],
                   "random": COLORS["neutral"]}
_WINDOWS = (PALETTE["green"], PALETTE["purple"], PALETTE["sky"], PALETTE["black"])


def nested_columns(side: int) -> list[int]:
    """The pixels of the columns on the first side of the mirror geometry's root.

    Parameters
    ----------
    side : int
        A power of two.

    Returns
    -------
    list of int
        Pixels of a square image, numbered row by row.

    Examples
    --------
    >>> nested_columns(8)[:4]
    [0, 3, 4, 7]
    """
    side = integer("nested_columns: side", side)
    columns = set(pooling_order(side, "mirror")[:side // 2])
    return [pixel for pixel in range(side * side) if pixel % side in columns]


def _show(axes: Axes, cells: np.ndarray, title: str) -> None:
    """Colored cells with white lines between them."""
    height, width = cells.shape[:2]
    axes.imshow(cells, extent=(0, width, height, 0), interpolation="nearest")
    for k in range(height + 1):
        axes.axhline(k, color="white", linewidth=0.8)
    for k in range(width + 1):
        axes.axvline(k, color="white", linewidth=0.8)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10, loc="center", fontweight="normal")
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw_regions(axes: Axes, partition: Partition, side: int, title: str = "") -> None:
    """The pixels of a square image in the colors of the two sides of a partition.

    Parameters
    ----------
    axes : matplotlib Axes
    partition : str or iterable of int
        Row pixels, numbered row by row, or a name.
    side : int
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_regions(axes, "left-right", 4)
    """
    side = integer("draw_regions: side", side, 1)
    rows, _ = split_modes(partition, (side, side))
    cells = np.tile(to_rgb(COLORS["columns"]), (side * side, 1))
    cells[list(rows)] = to_rgb(COLORS["rows"])
    _show(axes, cells.reshape(side, side, 3), title)


def regions(side: int = 4) -> dict[str, tuple[int, ...]]:
    """Eight partitions of a small square image by name: the pixels of one region.

    Parameters
    ----------
    side : int
        A power of two, at least 4.

    Examples
    --------
    >>> regions()["left column"]
    (0, 4, 8, 12)
    """
    side = integer("regions: side", side, 4)

    def inner(line: int) -> bool:
        return side // 4 <= line < side - side // 4

    parts = {"left-right": "left-right", "top-bottom": "top-bottom",
             "alternating columns": "even-odd", "checkerboard": "checkerboard",
             "nested columns": nested_columns(side),
             "inner square": [p for p in range(side**2) if inner(p // side) and inner(p % side)],
             "left column": range(0, side**2, side),
             "diagonal quadrants": [p for p in range(side**2)
                                    if (p // side < side // 2) == (p % side < side // 2)]}
    return {name: tuple(split_modes(part, (side, side))[0]) for name, part in parts.items()}


def draw_related(found: Mapping[str, tuple[Partition, Sequence[int]]],
                 geometries: Iterable[str | Sequence[str]] = ("square", "mirror", "dilated"),
                 ) -> Figure:
    """Partitions of 4×4 pixels with their ranks under some geometries, four in a row.

    Parameters
    ----------
    found : mapping from name to (partition, ranks)
        The ranks under the geometries, in their order.
    geometries : iterable of str or sequences of str, optional
        Their first letters stand before the ranks.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        If there is no partition, or one has not one rank under every geometry.

    Examples
    --------
    >>> drawing = draw_related({name: (part, (1, 2, 3)) for name, part in regions().items()})
    """
    names = [[name] if isinstance(name, str) else list(name) for name in geometries]
    counts = {len(ranks) for _, ranks in found.values()}
    if counts != {len(names)}:
        windows = ", ".join("-".join(name) for name in names)
        raise ValueError(f"draw_related: {len(found)} partitions with {sorted(counts)} ranks; need "
                         f"one for each of {windows}")
    letters = ["".join(part[0] for part in name) for name in names]
    lines = -(-len(found) // 4)
    with figure(7, 2.1 * lines, columns=4, rows=lines) as (drawing, axes):
        for ax in axes.flat[len(found):]:
            ax.remove()
        for ax, (name, (part, ranks)) in zip(axes.flat, found.items(), strict=False):
            draw_regions(ax, part, 4, name)
            ax.set_xlabel("   ".join(f"{letter} {rank}" for letter, rank
                                     in zip(letters, ranks, strict=True)), fontsize=10)
    return drawing


def draw_windows(axes: Axes, geometry: str | Sequence[str], side: int, level: int,
                 windows: Iterable[int], title: str = "") -> None:
    """Some windows of one level on the image, each in a color of its own.

    Parameters
    ----------
    axes : matplotlib Axes
    geometry : str or sequence of str
    side : int
    level : int
        1 for the windows that pixels meet in; the last one is a single window.
    windows : iterable of int
        Numbered as the tree meets them; of more than four the fifth looks like the first.
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_windows(axes, "mirror", 8, 1, (0, 5))
    """
    side = integer("draw_windows: side", side, 1)
    order = np.array(pooling_order((side, side), geometry))
    level = integer("draw_windows: level", level, 1, side.bit_length() - 1)
    order = order.reshape(-1, 4**level)
    cells = np.tile(to_rgb("#DDDDDD"), (side * side, 1))
    windows = integers("draw_windows: windows", windows, 0, len(order) - 1)
    for window, color in zip(windows, cycle(_WINDOWS)):
        cells[order[window]] = to_rgb(color)
    _show(axes, cells.reshape(side, side, 3), title)


def draw_blobs(axes: Sequence[Axes], images: Sequence, titles: Sequence[str]) -> None:
    """Black and white images in a row, each with a line of text.

    Examples
    --------
    >>> with figure(columns=2) as (drawing, axes):
    ...     draw_blobs(axes, [np.eye(4), np.ones((4, 4))], ["a", "b"])
    """
    for ax, image, title in zip(axes, images, titles, strict=True):
        ax.imshow(on_paper(image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        ax.set_title(title, fontsize=9, loc="center", fontweight="normal")


def draw_accuracies(axes: Axes, found: Mapping[str, Mapping[str, Sequence[float]]],
                    title: str = "") -> None:
    """Accuracies of networks, a row of dots for every kind and geometry.

    Parameters
    ----------
    axes : matplotlib Axes
    found : mapping from kind to mapping from geometry to sequence of float
        One accuracy per seed; a geometry without any has no row, one that is none of
        ``GEOMETRY_COLORS`` is dark.
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_accuracies(axes, {"product": {"square": [0.9, 0.8], "mirror": [0.6]}})
    """
    place, ticks, named = 0.0, [], set()
    for kind, row in found.items():
        row = {geometry: values for geometry, values in row.items() if len(values)}
        ticks.append((place + (len(row) - 1) / 2, kind))
        for geometry, values in row.items():
            color = GEOMETRY_COLORS.get(geometry, INK)
            axes.plot(values, [place] * len(values), "o", color=color, alpha=0.6)
            mean = sum(values) / len(values)
            axes.plot([mean, mean], [place - 0.35, place + 0.35], color=color, linewidth=3)
            if geometry not in named:
                named.add(geometry)
                left = mean > 0.75
                axes.annotate(geometry, (min(values) if left else max(values), place),
                              xytext=(-7 if left else 7, 0), textcoords="offset points",
                              ha="right" if left else "left", va="center", color=color,
                              fontweight="bold", fontsize=10)
            place += 1
        place += 0.8
    axes.set_yticks([y for y, _ in ticks], [kind for _, kind in ticks])
    axes.axvline(0.5, color=INK, linewidth=1, linestyle=":")
    least = min((value for row in found.values() for values in row.values() for value in values),
                default=0.5)
    axes.set(xlim=(min(0.48, least - 0.02), 1.0), ylim=(place - 1.2, -0.7), xlabel="test accuracy")
    axes.set_title(title)
    axes.grid(axis="y", visible=False)


def _opening() -> Figure:
    parts = {"left against right": "left-right", "nested columns": nested_columns(8),
             "alternating columns": [i for i in range(64) if i % 2 == 0]}
    with figure(7, 4.0, columns=4, rows=2) as (drawing, axes):
        for row, geometry in zip(axes, ("square", "mirror"), strict=True):
            draw_windows(row[0], geometry, 8, 1, (0, 5, 10, 15), f"{geometry} windows")
            tree = pooling_tree((8, 8), 2, (4, 4, 4), geometry)
            for ax, (name, part) in zip(row[1:], parts.items(), strict=True):
                rows = split_modes(part, (8, 8))[0]
                power = tree.mincut(rows).bit_length() - 1
                draw_regions(ax, part, 8, name)
                text = "$4$" if power == 2 else f"$4^{{{power // 2}}}$"
                ax.set_xlabel(f"rank {text}", fontsize=12, color=INK)
    return drawing


def _trees() -> Figure:
    with figure(7, 4.6, columns=2, rows=2) as (drawing, axes):
        for row, part, name in ((axes[0], range(4), "left against right"),
                                (axes[1], (0, 3, 4, 7), "nested")):
            for ax, geometry in zip(row, ("square", "mirror"), strict=True):
                tree = pooling_tree(8, 2, (2, 2, 2), geometry)
                draw_tree(ax, tree, part)
                ax.set_title(f"{geometry}, {name}: rank {tree.mincut(part)}", fontsize=10)
    return drawing


def _levels() -> Figure:
    with figure(7, 4.9, columns=3, rows=2) as (drawing, axes):
        for row, geometry in zip(axes, ("square", "mirror"), strict=True):
            for level, ax in enumerate(row, 1):
                chosen = [[0, 21, 42, 63], [0, 5, 10, 15], [0, 1, 2, 3]][level - 1]
                draw_windows(ax, geometry, 16, level, chosen, f"{geometry}, level {level}")
    return drawing


def _regions() -> Figure:
    """Exact ranks of the eight partitions, M = 2 and widths (4, 4)."""
    trees = [pooling_tree((4, 4), 2, (4, 4), name) for name in ("square", "mirror", "dilated")]
    return draw_related({name: (part, [certify(tree, part, seed=0).rank for tree in trees])
                         for name, part in regions().items()})


BOOK_FIGURES = {"pooling-geometries": _opening, "pooling-regions": _regions,
                "pooling-trees": _trees, "pooling-levels": _levels}
