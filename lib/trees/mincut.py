"""Multiplicative minimum cuts of the tensor network behind a mode tree.

The tensor network of a mode tree has one vertex per weight matrix and one hyperedge per inner
node: the node's channel index, which all matrices around it share. Cutting a hyperedge of width w
costs a factor w, once, however many of its legs are cut; cutting a mode costs a factor M. Every
cut factors the matricization through a space of that dimension, so the cheapest one bounds the
rank for all weights (Levine, Yakira, Cohen & Shashua, 2018).
"""

from math import prod

from ..bounds.partitions import Partition, split_modes

__all__ = ["multiplicative_mincut"]


def multiplicative_mincut(tree, partition: Partition) -> int:
    """The smallest product of widths whose hyperedges separate the row from the column modes.

    Parameters
    ----------
    tree : lib.trees.tree.ModeTree
    partition : str or sequence of int
        A name, or the row modes; see `lib.bounds.partitions.split_modes`.

    Returns
    -------
    int
        An upper bound on the rank of the matricization, for all weights. It is the generic rank
        of unshared weights when M and all widths are powers of one integer.

    Notes
    -----
    Exact integers by dynamic programming: below every weight matrix, the cheapest cut that leaves
    the matrix on the row side, and the cheapest that leaves it on the column side.

    Examples
    --------
    >>> from lib.trees.tree import ModeTree
    >>> multiplicative_mincut(ModeTree.star(modes=4, dim=2, width=3), (0, 1))
    3
    """
    rows = frozenset(split_modes(partition, tree.grid)[0])  # of others no leaf would be one

    def sides(child) -> tuple[int, int]:
        """Cheapest cuts below the matrix above ``child``, with that matrix on either side."""
        if isinstance(child, int):
            return (1, tree.dim) if child in rows else (tree.dim, 1)
        below = [sides(c) for c in child.children]
        cut_here = child.width * prod(min(pair) for pair in below)
        return tuple(min(cut_here, prod(pair[s] for pair in below)) for s in (0, 1))

    return min(sides(tree.root))  # the output vector stands on whichever side is cheaper
