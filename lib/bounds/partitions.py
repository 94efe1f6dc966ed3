"""Partitions of modes into rows and columns, by name or one by one: integers only, no torch."""

from collections.abc import Iterable
from math import prod

from ..checks import integers, is_integer, several, shown

__all__ = ["Grid", "Partition", "split_modes"]

Grid = int | tuple[int, ...]
"""The number of modes of a sequence, or the (height, width) of a grid numbered row by row."""

Partition = str | Iterable[int]
"""A name, or the row modes."""


def split_modes(
    partition: Partition, grid: Grid
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The row modes and the column modes of a partition.

    Parameters
    ----------
    partition : str or iterable of int
        The row modes, or a name: ``"even-odd"`` (even modes are rows), ``"left-right"``,
        ``"top-bottom"``, ``"checkerboard"``.
    grid : int or tuple of int
        The number of modes N of a sequence, or the (height, width) of a grid whose modes are
        numbered row by row.

    Returns
    -------
    row_modes, column_modes : tuple of int
        Both in increasing order; every mode stands in exactly one of them.

    Raises
    ------
    ValueError
        If a name does not fit the grid, or a mode is repeated or out of range.

    Notes
    -----
    The first half gets the smaller share when a side is odd: ``"left-right"`` on width 5 has
    columns 0, 1 on the left. The names ``"top-bottom"`` and ``"checkerboard"`` need a grid.

    Examples
    --------
    >>> split_modes("even-odd", 4)
    ((0, 2), (1, 3))
    >>> split_modes("left-right", (2, 4))
    ((0, 1, 4, 5), (2, 3, 6, 7))
    """
    sides = tuple(grid) if several(grid) else (grid,)
    if not 1 <= len(sides) <= 2 or any(not is_integer(s) or s < 0 for s in sides):
        raise ValueError(f"partition: grid {shown(grid)} is neither a length nor a (height, width)")
    sides = integers("partition: grid", sides, 0)
    count = prod(sides)
    named = isinstance(partition, str)  # NumPy's texts have dimensions, too, none
    if not named and (not hasattr(partition, "__iter__") or getattr(partition, "ndim", 1) != 1):
        raise TypeError(f"partition: {shown(partition)} is neither a name nor a list of row modes")
    chosen = _named(partition, sides) if named else [_mode(m) for m in partition]
    outside = [m for m in chosen if not 0 <= m < count]
    if outside:
        raise ValueError(
            f"partition: row modes {outside} lie outside 0..{count - 1} (grid {grid})"
        )
    rows = set(chosen)
    if len(rows) < len(chosen):
        repeated = sorted({m for m in chosen if chosen.count(m) > 1})
        raise ValueError(f"partition: row modes {repeated} are named more than once")
    return tuple(sorted(rows)), tuple(m for m in range(count) if m not in rows)


def _mode(value: object) -> int:
    if not is_integer(value):
        raise ValueError(f"partition: row mode {shown(value)} is not an integer")
    return value.__index__()


def _named(name: str, sides: tuple[int, ...]) -> list[int]:
    width = sides[-1]
    cell_is_row = {
        "even-odd": lambda i, j: (i * width + j) % 2 == 0,
        "left-right": lambda i, j: j < width // 2,
        "top-bottom": lambda i, j: i < sides[0] // 2,
        "checkerboard": lambda i, j: (i + j) % 2 == 0,
    }
    if name not in cell_is_row:
        raise ValueError(f"partition: unknown name {name!r}; known: {', '.join(cell_is_row)}")
    if name in ("top-bottom", "checkerboard") and len(sides) == 1:
        raise ValueError(f"partition: {name!r} needs a (height, width), got a sequence of {width}")
    height = sides[0] if len(sides) == 2 else 1
    belongs = cell_is_row[name]
    return [i * width + j for i in range(height) for j in range(width) if belongs(i, j)]
