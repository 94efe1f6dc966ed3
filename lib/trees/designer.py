"""Widths by design: a budget, the partitions that matter, the largest smallest cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..bounds.partitions import Partition, split_modes
from ..checks import choice, flag, integer, integers, kind
from .tree import ModeTree, Node, Path

__all__ = ["Design", "design_widths", "with_widths"]


@dataclass(frozen=True)
class Design:
    """The outcome of :func:`design_widths`.

    Parameters
    ----------
    tree : ModeTree
        With the widths found.
    cut : int
        The smallest of its minimum cuts over the partitions asked for.
    parameters : int
        Its number of weights.
    visited : int
        How many partial choices of widths the search looked at.
    """

    tree: ModeTree
    cut: int
    parameters: int
    visited: int


def with_widths(tree: ModeTree, widths: Mapping[Path, int]) -> ModeTree:
    """The same tree with other widths.

    Parameters
    ----------
    tree : ModeTree
    widths : dict from path to int
        The new width of every inner node.

    Raises
    ------
    KeyError
        If an inner node has no width.
    ValueError
        If a path leads to no inner node.

    Examples
    --------
    >>> print(with_widths(ModeTree.perfect(4, 2, 2, (1, 1)), {(): 7, (0,): 3, (1,): 5}))
    [[0 1]:3 [2 3]:5]:7 over dimension 2
    """
    nodes = dict(tree.inner_nodes())
    if missing := [path for path in nodes if path not in widths]:
        raise KeyError(f"with_widths: no width at {missing}; need one for every inner node")
    if foreign := [path for path in widths if path not in nodes]:
        raise ValueError(f"with_widths: no inner node at {foreign}; those of {tree} are {[*nodes]}")

    def widened(child: Node | int, path: Path) -> Node | int:
        if isinstance(child, int):
            return child
        parts = tuple(widened(part, (*path, t)) for t, part in enumerate(child.children))
        return Node(parts, widths[path])

    return ModeTree(widened(tree.root, ()), tree.dim, tree.grid)


def design_widths(tree: ModeTree, partitions: Sequence[Partition], budget: int,
                  candidates: Sequence[int] = (1, 2, 4, 8, 16), by: str = "level",
                  shared: bool = False) -> Design:
    """The widths within a budget that maximize the smallest cut of the given partitions.

    Parameters
    ----------
    tree : ModeTree
        Its shape and M are kept, its widths are not.
    partitions : sequence of str or of iterables of int
        The partitions whose smallest minimum cut is to be as large as possible.
    budget : int
        The largest number of parameters allowed.
    candidates : sequence of int
        Widths to choose from. If they and M are powers of one integer, the cut is the generic
        rank of unshared weights; otherwise it is a bound.
    by : {"level", "node"}
        One width for all nodes of a level, or one for every node.
    shared : bool
        Whether weights are shared within a level, for the count of parameters.

    Returns
    -------
    Design
        Among the best the one with the fewest parameters.

    Raises
    ------
    ValueError
        If there is no partition, a candidate is below 1, ``by`` is unknown, not even the smallest
        candidates fit the budget, or weights are to be shared by nodes that may get different
        widths.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    Branch and bound, exact: neither the minimum cut nor the number of parameters falls when a
    width grows. A partial choice is dropped if it exceeds the budget with the smallest widths at
    the nodes still open, or cannot beat the best design with the largest ones. The time can still
    grow exponentially with the number of widths: node by node, eight positions take seconds and
    sixteen more than minutes; level by level, thirty-two take seconds and sixty-four a minute.

    Examples
    --------
    >>> shape = ModeTree.perfect(modes=8, pool=2, dim=4, widths=(1, 1, 1))
    >>> short, far = (design_widths(shape, [p], 150) for p in ("even-odd", "left-right"))
    >>> short.tree, short.cut
    (ModeTree.perfect(modes=8, pool=2, dim=4, widths=(4, 1, 1)), 256)
    >>> far.tree, far.cut
    (ModeTree.perfect(modes=8, pool=2, dim=4, widths=(2, 4, 4)), 4)
    """
    kind("design_widths: tree", tree, ModeTree)
    budget = integer("design_widths: budget", budget)
    sizes = sorted(set(integers("design_widths: candidates", candidates, 1)), reverse=True)
    if not sizes or not kind("design_widths: partitions", partitions, list, tuple):
        raise ValueError(f"design_widths: partitions={partitions}, candidates={candidates}; need "
                         "at least one of each")
    choice("design_widths: by", by, ("level", "node"))
    flag("design_widths: shared", shared)
    rows = [split_modes(partition, tree.grid)[0] for partition in partitions]
    groups: dict[object, list[Path]] = {}
    for path, node in tree.inner_nodes():
        groups.setdefault(node.height if by == "level" else path, []).append(path)
    members = list(groups.values())
    if shared and len(sizes) > 1:
        apart = {path: number for number, paths in enumerate(members, 1) for path in paths}
        try:
            with_widths(tree, apart).weight_groups(True)
        except ValueError:
            raise ValueError(f"design_widths: shared=True and by={by!r}; nodes of one level of "
                             f"{tree} may get different widths and cannot share weights then, "
                             "take by='level' on a perfect tree, or shared=False") from None
    best: list[tuple[int, int, ModeTree]] = []  # (cut, -parameters, tree), at most one
    visited = 0

    def filled(chosen: list[int], rest: int) -> ModeTree:
        widths = chosen + [rest] * (len(members) - len(chosen))
        return with_widths(tree, {p: w for ps, w in zip(members, widths) for p in ps})

    def search(chosen: list[int]) -> None:
        nonlocal visited
        visited += 1
        small, large = filled(chosen, sizes[-1]), filled(chosen, sizes[0])
        fewest = small.parameter_count(shared)
        if fewest > budget:
            return
        most = min(large.mincut(partition) for partition in rows)
        if best and (most, -fewest) <= best[0][:2]:
            return
        if len(chosen) == len(members):
            best[:] = [(most, -fewest, small)]
            return
        for size in sizes:
            search([*chosen, size])

    search([])
    if not best:
        raise ValueError(f"design_widths: with all widths {sizes[-1]} the tree has "
                         f"{filled([], sizes[-1]).parameter_count(shared)} parameters, more than "
                         f"budget={budget}")
    cut, parameters, found = best[0]
    return Design(found, cut, -parameters, visited)
