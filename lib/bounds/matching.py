"""Matchings between the two sides of a partition, as the corrected Theorem 2 counts them.

A window anchored at a cell p reaches the cells q >= p, coordinate by coordinate, within its
extent. Two cells are comparable if the window anchored at one of them reaches the other: it
can multiply what it sees at both. The matching number of a partition (P, Q) is the largest
number of disjoint comparable pairs with one cell in P and one in Q. Integers only.
"""

from __future__ import annotations

import numpy as np

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
    size = tuple(size)
    window = size if window is None else tuple(window)
    if len(window) != len(size):
        raise ValueError(f"maximum_matching: window {window} on a grid of size {size}; need one "
                         "extent per axis")
    chosen, others = split_modes(partition, size)
    cells = np.indices(size).reshape(len(size), -1)[:, :, None]         # (axes, cells, 1)
    ahead = cells[:, others, 0][:, None] - cells[:, chosen]             # (axes, chosen, others)
    extent = np.array(window)[:, None, None]
    comparable = (((0 <= ahead) & (ahead < extent)).all(0)
                  | ((0 <= -ahead) & (-ahead < extent)).all(0))
    neighbors = {p: np.array(others)[row].tolist() for p, row in zip(chosen, comparable)}
    partner, matched = {}, {}                  # other cell -> row cell, and the reverse
    for p in chosen:
        _augment(p, neighbors, partner, matched)
    return tuple(sorted((min(pair), max(pair)) for pair in partner.items()))


def _augment(start, neighbors, partner, matched):
    """Match one more cell along a shortest alternating path, if there is one."""
    came_from, queue = {}, [start]
    for p in queue:                            # grows while it is read: breadth first
        for q in neighbors[p]:
            if q in came_from:
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
