"""Cuts and routes: what separates rows from columns in a mode tree, and weights that reach it.

A cut is a set of nodes and modes; its price is the product of their widths. Where M and all widths
are powers of one integer p, the smallest price is p to the number of routes from row modes to
column modes that fit into the tree, one digit of a channel number for each (book/layer-widths.md).
"""

from math import prod

import torch

from ..bounds.partitions import Partition, split_modes
from ..checks import kind
from .tree import ModeTree, Node, Path

__all__ = ["common_base", "routed_weights", "routes", "smallest_cut"]


def smallest_cut(tree: ModeTree, partition: Partition) -> dict[Path, int]:
    """The nodes and modes of one cut of the smallest price.

    Parameters
    ----------
    tree : ModeTree
    partition : str or iterable of int
        The row modes or a name, as in :func:`lib.bounds.partitions.split_modes`.

    Returns
    -------
    dict from path to int
        The width of every inner node that is cut, M for every mode. Their product is
        :meth:`lib.trees.tree.ModeTree.mincut`.

    Raises
    ------
    ValueError
        If the partition does not fit the tree.
    TypeError
        If the tree is no ModeTree.

    Examples
    --------
    >>> smallest_cut(ModeTree.perfect(modes=4, pool=2, dim=3, widths=(2, 5)), "even-odd")
    {(0,): 2, (1,): 2}
    """
    kind("smallest_cut: tree", tree, ModeTree)
    rows = set(split_modes(partition, tree.grid)[0])

    def sides(child: Node | int, path: Path) -> list[dict[Path, int]]:
        """Cheapest cuts below the matrix above a child, with that matrix on either side."""
        if isinstance(child, int):
            return [{}, {path: tree.dim}] if child in rows else [{path: tree.dim}, {}]
        below = [sides(part, (*path, t)) for t, part in enumerate(child.children)]
        here = {path: child.width}
        for pair in below:
            here |= min(pair, key=_price)
        kept = [{p: w for pair in below for p, w in pair[side].items()} for side in (0, 1)]
        return [min(here, cut, key=_price) for cut in kept]

    return min(sides(tree.root, ()), key=_price)


def common_base(tree: ModeTree) -> int:
    """The smallest integer p >= 2 of which M and all widths are powers.

    Raises
    ------
    ValueError
        If there is none.
    TypeError
        If it is no ModeTree.

    Examples
    --------
    >>> common_base(ModeTree.perfect(modes=4, pool=2, dim=4, widths=(16, 1)))
    2
    """
    kind("common_base: tree", tree, ModeTree)
    sizes = {tree.dim, *(node.width for _, node in tree.inner_nodes())}
    for base in range(2, min(sizes - {1}, default=2) + 1):
        if all(_exponent(size, base) is not None for size in sizes):
            return base
    raise ValueError(f"common_base: {sorted(sizes)}, the sizes of {tree}, are not powers of one "
                     "integer")


def routes(tree: ModeTree, partition: Partition) -> list[tuple[int, int]]:
    """As many pairs of a row mode and a column mode as the tree can route at once.

    Parameters
    ----------
    tree : ModeTree
        With M and all widths powers of p = :func:`common_base`: a node of width p^c lets c routes
        pass, each along the way through the tree from its row mode to its column mode.
    partition : str or iterable of int

    Returns
    -------
    list of (int, int)
        Pairs (row mode, column mode), possibly repeated.

    Raises
    ------
    ValueError
        As :func:`common_base`, or if the partition does not fit the tree.
    TypeError
        If the tree is no ModeTree.

    Notes
    -----
    Dynamic programming from the modes up: for every number of row or column strands that leave a
    node upwards, the most pairs joined below it.

    Examples
    --------
    >>> routes(ModeTree.perfect(modes=4, pool=2, dim=2, widths=(4, 2)), "even-odd")
    [(0, 1), (2, 3)]
    """
    kind("routes: tree", tree, ModeTree)
    base, rows = common_base(tree), set(split_modes(partition, tree.grid)[0])

    def strands(child: Node | int) -> dict[int, tuple[list, list]]:
        """For each surplus of row strands: the pairs joined below, and the strands left open."""
        if isinstance(child, int):
            sign = 1 if child in rows else -1
            return {sign * k: ([], [child] * k) for k in range(_exponent(tree.dim, base) + 1)}
        room = _exponent(child.width, base)
        states = {(0, 0): ([], [], [])}  # strands of rows and columns -> pairs, rows, columns
        for part in child.children:
            found, below = {}, strands(part)  # once, or the time doubles with every level
            for pairs, up, down in states.values():
                for surplus, (joined, left) in below.items():
                    state = (pairs + joined, up + left * (surplus > 0), down + left * (surplus < 0))
                    _keep_best(found, (len(state[1]), len(state[2])), state)
            states = {key: state for key, state in found.items() if max(key) <= room}
        best = {}
        for (r, c), (pairs, up, down) in states.items():
            joined = min(r, c)
            _keep_best(best, r - c, (pairs + list(zip(up, down)), up[joined:] or down[joined:]))
        return best

    return max((pairs for pairs, _ in strands(tree.root).values()), key=len)


def routed_weights(tree: ModeTree, partition: Partition) -> dict[Path, torch.Tensor]:
    """Weights of zeros and ones for which the rank is the price of the smallest cut.

    Parameters
    ----------
    tree : ModeTree
        With M and all widths powers of one integer p.
    partition : str or iterable of int

    Returns
    -------
    dict from path to torch.Tensor
        With the shapes of :meth:`lib.trees.tree.ModeTree.weight_shapes`.

    Raises
    ------
    ValueError, TypeError
        As :func:`routes`.

    Notes
    -----
    Every route is given one base-p digit of the channel number at each node that it passes, and
    the matrix between two such nodes compares these digits. The tensor then compares one digit of
    the row mode with one of the column mode for every route: up to a factor, its matricization is
    the identity of size p^routes, Kronecker all ones. For graphs of edges this is the argument of
    Cui et al. (2016); the proof for mode trees is in book/layer-widths.md.

    Examples
    --------
    >>> tree = ModeTree.perfect(modes=2, pool=2, dim=4, widths=(2,))
    >>> routed_weights(tree, (0,))[(0,)].tolist()
    [[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]]
    """
    base = common_base(kind("routed_weights: tree", tree, ModeTree))
    places = {child: (*path, t) for path, node in tree.inner_nodes()
              for t, child in enumerate(node.children) if isinstance(child, int)}
    slots: dict[Path, list[int]] = {path: [] for path in ((), *tree.weight_shapes())}
    for route, pair in enumerate(routes(tree, partition)):
        ways = [[places[mode][:k] for k in range(len(places[mode]) + 1)] for mode in pair]
        meeting = max(set(ways[0]) & set(ways[1]), key=len)
        for path in {p for way in ways for p in way if len(p) >= len(meeting)}:
            slots[path].append(route)
    weights = {}
    for path, shape in tree.weight_shapes().items():
        matrix = torch.ones(shape, dtype=torch.float64)
        for route in set(slots[path]) & set(slots[path[:-1]]) if path else ():
            above, below = (torch.arange(size) // base ** slots[at].index(route) % base
                            for size, at in zip(shape, (path[:-1], path)))
            matrix *= above[:, None] == below
        weights[path] = matrix
    return weights


def _price(cut: dict[Path, int]) -> tuple[int, int]:
    return prod(cut.values()), len(cut)  # of two cuts of one price the smaller set


def _keep_best(found: dict, key, state: tuple) -> None:
    """Keep, for every key, the state with the most pairs."""
    if key not in found or len(state[0]) > len(found[key][0]):
        found[key] = state


def _exponent(value: int, base: int) -> int | None:
    exponent = 0
    while value % base == 0:
        value, exponent = value // base, exponent + 1
    return exponent if value == 1 else None
