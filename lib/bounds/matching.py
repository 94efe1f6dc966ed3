"""Matchings between the two sides of a partition, as the corrected Theorem 2 counts them.

A window anchored at a cell p reaches the cells q >= p, coordinate by coordinate, within its
extent. Two cells are comparable if the window anchored at one of them reaches the other: it
can multiply what it sees at both. The matching number of a partition (P, Q) is the largest
number of disjoint comparable pairs with one cell in P and one in Q. Integers only.
"""

from __future__ import annotations

from itertools import product

from ..checks import integers
from .partitions import Partition, split_modes

__all__ = ["matching_number", "maximum_matching"]


def maximum_matching(
    partition: Partition, size: tuple[int, ...], window: tuple[int, ...] | None = None
) -> tuple[tuple[int, int], ...]:
    """A largest set of disjoint comparable pairs across a partition.

    Parameters
    ----------
    partition : str or iterable of int
        Cells of one side, numbered row by row from 0, or a name; the others are the other side.
    size : tuple of int
        Cells per axis, (N,) or (H, W).
    window : tuple of int, optional
        Cells per axis of the window; by default the whole grid.

    Returns
    -------
    tuple of (int, int)
        Pairs (p, q) of cell numbers, p being the one whose window contains q.

    Notes
    -----
    Augmenting paths, from the cells of the first side; lib/tests compares the number with networkx.

    Examples
    --------
    >>> maximum_matching((0, 1), (2, 2))                        # top against bottom
    ((0, 2), (1, 3))
    >>> maximum_matching((1, 3), (2, 2), window=(1, 2))
    ((0, 1), (2, 3))
    """
    size = integers("maximum_matching: size", size, 0)
    window = size if window is None else integers("maximum_matching: window", window, 1)
    if len(window) != len(size):
        raise ValueError(f"maximum_matching: window {window} on a grid of size {size}; need one "
                         "extent per axis")
    chosen, others = split_modes(partition, size)
    number = {cell: place for place, cell in enumerate(product(*map(range, size)))}
    cells, side = list(number), frozenset(others)
    neighbors = {}
    for p in chosen:
        ahead = (range(c, min(c + r, n)) for c, r, n in zip(cells[p], window, size))
        behind = (range(max(0, c - r + 1), c + 1) for c, r in zip(cells[p], window))
        seen = {number[cell] for box in (ahead, behind) for cell in product(*box)}
        neighbors[p] = sorted(seen & side)
    partner, matched = {}, {}                  # other cell -> row cell, and the reverse
    closed = set()                             # others from which no path leads to a free cell
    for p in chosen:
        _augment(p, neighbors, partner, matched, closed)
    return tuple(sorted((min(pair), max(pair)) for pair in partner.items()))


def _augment(start, neighbors, partner, matched, closed):
    """Match one more cell along a shortest alternating path, if there is one.

    A search that fails has seen all cells that alternating paths reach from what it saw. No later
    path leaves them, so they stay closed: every edge is looked at in one failing search at most.
    """
    came_from, queue = {}, [start]
    for p in queue:                            # grows while it is read: breadth first
        for q in neighbors[p]:
            if q in came_from or q in closed:
                continue
            came_from[q] = p
            if q in partner:
                queue.append(partner[q])
                continue
            while q is not None:               # exchange partners all the way back to the start
                p = came_from[q]
                partner[q] = p
                matched[p], q = q, matched.get(p)
            return
    closed.update(came_from)


def matching_number(
    partition: Partition, size: tuple[int, ...], window: tuple[int, ...] | None = None
) -> int:
    """Size of a largest matching across a partition, nu(P, Q).

    Parameters
    ----------
    partition, size, window
        As in `maximum_matching`.

    Returns
    -------
    int

    Notes
    -----
    The exponent of the corrected Theorem 2, and its lower bound: book/any-partition.md.

    Examples
    --------
    >>> matching_number((4, 5, 6, 8, 9, 10, 12, 13), (4, 4))    # of 8 pairs
    7
    """
    return len(maximum_matching(partition, size, window))
