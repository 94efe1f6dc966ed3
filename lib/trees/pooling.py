"""Pooling geometries: which positions are multiplied on which level, and the ranks that follow.

A geometry is a perfect tree over the positions of a line or of a square image. Ranks depend on how
a partition splits its windows (Cohen & Shashua, 2017; book/pooling-geometry.md).
"""

from collections.abc import Sequence
from dataclasses import replace
from math import comb, prod

from ..bounds.partitions import Grid, Partition, split_modes
from ..checks import integer, integers, kind, native, several, shown
from .tree import ModeTree

__all__ = ["pooling_order", "pooling_tree", "published_bounds", "split_windows_rank"]

_PAIRS = {  # which two of n places in a row a window joins, for every window
    "square": lambda n: [(2 * k, 2 * k + 1) for k in range(n // 2)],
    "mirror": lambda n: [(k, n - 1 - k) for k in range(n // 2)],
    "dilated": lambda n: [(k, k + n // 2) for k in range(n // 2)],
}


def pooling_order(grid: Grid, geometry: str | Sequence[str]) -> tuple[int, ...]:
    """The positions in the order in which the tree of a geometry meets them.

    Parameters
    ----------
    grid : int or (int, int)
        The length of a line, whose windows hold two positions, or the sides of a square image,
        whose windows are two by two; powers of two.
    geometry : str or sequence of str
        For all levels, or level by level from the positions up: ``"square"`` joins neighbors 2k
        and 2k+1, ``"mirror"`` places k and n-1-k, ``"dilated"`` places k and k+n/2 of the n that
        are left in a row, and in a column.

    Returns
    -------
    tuple of int
        The first P (2 or 4) of them are a window of the first level, the first P^2 one of the
        second, and so on. Pixels are numbered row by row.

    Raises
    ------
    ValueError
        If the grid does not fit, or a geometry is unknown or given for another number of levels.

    Examples
    --------
    >>> pooling_order(8, "mirror")
    (0, 7, 3, 4, 1, 6, 2, 5)
    >>> pooling_order((4, 4), "square")[:8]
    (0, 1, 4, 5, 2, 3, 6, 7)
    """
    sides = integers("pooling_order: grid", grid if several(grid) else (grid,), 1)
    length = sides[0] if sides else 0
    levels = int(length).bit_length() - 1
    if len(sides) > 2 or len(set(sides)) != 1 or length != 2**levels or levels < 1:
        raise ValueError(f"pooling_order: grid {grid!r} is neither a power of two nor a square "
                         "with such a side, at least 2")
    by_level = isinstance(geometry, (list, tuple)) or getattr(geometry, "ndim", 0) == 1
    names = tuple(geometry) if by_level else (native(geometry),) * levels
    if len(names) != levels or not all(isinstance(name, str) and name in _PAIRS for name in names):
        raise ValueError(f"pooling_order: geometry {shown(geometry)} for {levels} levels; need one "
                         f"of {', '.join(_PAIRS)}, or one of them for every level")
    line = [(i,) for i in range(length)]  # the groups of places, in a row as in a column
    halves = []
    for name in names:
        pairs = _PAIRS[name](len(line))
        halves.append(pairs)
        line = [line[a] + line[b] for a, b in pairs]
    if len(sides) == 1:
        return line[0]
    # a window of the image is a window of rows times a window of columns, on every level
    plane = [[(i * length + j,) for j in range(length)] for i in range(length)]
    for pairs in halves:
        plane = [[plane[a][c] + plane[a][d] + plane[b][c] + plane[b][d] for c, d in pairs]
                 for a, b in pairs]
    return plane[0][0]


def pooling_tree(grid: Grid, dim: int, widths: Sequence[int],
                 geometry: str | Sequence[str] = "square") -> ModeTree:
    """The mode tree of a geometry.

    Parameters
    ----------
    grid : int or (int, int)
        As for :func:`pooling_order`.
    dim : int
        M.
    widths : sequence of int
        (r_0, ..., r_{L-1}).
    geometry : str or sequence of str

    Returns
    -------
    ModeTree
        On that grid, so that ``"left-right"`` is the left half of the image.

    Raises
    ------
    ValueError
        As :func:`pooling_order`, or if the widths do not fit.

    Examples
    --------
    >>> print(pooling_tree(4, 2, (3, 3), "mirror"))
    [[0 3]:3 [1 2]:3]:3 over dimension 2
    >>> pooling_tree((4, 4), 2, (4, 4), "mirror").mincut("left-right")
    256
    """
    grid = tuple(grid) if several(grid) else (grid,)
    order = pooling_order(grid, geometry)
    pool = 2 if len(grid) == 1 else 4
    return replace(ModeTree.perfect(len(order), pool, dim, widths).permuted(order), grid=grid)


def published_bounds(tree: ModeTree, partition: Partition) -> tuple[int, int, int]:
    """Bounds on the largest rank of a tree from counts of positions in its windows alone.

    Parameters
    ----------
    tree : ModeTree
    partition : str or iterable of int

    Returns
    -------
    lower, refined, upper : int
        The lower bound min(r_0, M) for every window that the partition splits; the same with
        min(r_0, M^m) for a window with m positions on its smaller side (unshared weights); the
        upper bound min(M^m, width times product over the children), from the positions up.

    Notes
    -----
    The first and the last are the theorem of Cohen & Shashua (2017) as the course reads it;
    book/pooling-geometry.md proves all three.

    Examples
    --------
    >>> published_bounds(ModeTree.perfect(16, 4, 2, (4, 3)), "even-odd")
    (16, 256, 256)
    """
    kind("published_bounds: tree", tree, ModeTree)
    rows = frozenset(split_modes(partition, tree.grid)[0])

    def below(child) -> tuple[int, int, int, int, int]:
        """Row and column positions, and the three bounds."""
        if isinstance(child, int):
            return (1, 0, 1, 1, 1) if child in rows else (0, 1, 1, 1, 1)
        found = [below(part) for part in child.children]
        left, right = (sum(part[side] for part in found) for side in (0, 1))
        lower, refined, upper = (prod(part[kind] for part in found) for kind in (2, 3, 4))
        small = tree.dim ** min(left, right)
        if all(isinstance(part, int) for part in child.children) and left and right:
            lower, refined = min(child.width, tree.dim), min(child.width, small)
        return left, right, lower, refined, min(small, child.width * upper)

    return below(tree.root)[2:]


def split_windows_rank(pool: int, dim: int, widths: Sequence[int], level: int, rows: int,
                       shared: bool = False) -> int:
    """The rank for almost all weights where all windows of a level are split into equal shares.

    Parameters
    ----------
    pool : int
        P.
    dim : int
        M.
    widths : sequence of int
        (r_0, ..., r_{L-1}).
    level : int
        j: the windows are the nodes of width r_j, whose children have each one color.
    rows : int
        a, the children of every window in the rows, or of every window in the columns; from 1 to
        P-1. (With a in the rows of some and in the columns of others the rank can be larger.)
    shared : bool
        Whether all nodes of a level, and all their children, share weights.

    Returns
    -------
    int
        min(r_j, k_j^m) for m = min(a, P-a), to the power of the number of windows, where k_0 = M
        and k_{l+1} = min(r_l, k_l^P); with shared weights (k+m-1 choose m) stands for k^m.

    Raises
    ------
    ValueError
        If there is no such level, or a window is not split.

    Examples
    --------
    >>> split_windows_rank(4, 2, (4, 3), 0, 2), split_windows_rank(4, 2, (4, 3), 0, 2, shared=True)
    (256, 81)
    """
    pool, dim = (integer(f"split_windows_rank: {name}", value, 1)
                 for name, value in (("pool", pool), ("dim", dim)))
    level, rows = (integer(f"split_windows_rank: {name}", value)
                   for name, value in (("level", level), ("rows", rows)))
    widths = integers("split_windows_rank: widths", widths, 1)
    if not 0 <= level < len(widths) or not 0 < rows < pool:
        raise ValueError(f"split_windows_rank: level {level} of {len(widths)}, {rows} children of "
                         f"{pool} in the rows; need 0 <= level < levels and 0 < rows < pool")
    space = dim
    for width in widths[:level]:
        space = min(width, _powers(space, pool, shared))
    rank = min(widths[level], _powers(space, min(rows, pool - rows), shared))
    return rank ** (pool ** (len(widths) - level - 1))


def _powers(space: int, count: int, shared: bool) -> int:
    """The dimension of all tensors, or of the symmetric ones, of that order over a space."""
    return comb(space + count - 1, count) if shared else space**count
