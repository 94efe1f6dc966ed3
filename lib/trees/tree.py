"""Mode trees: the one specification behind every non-overlapping network and its decomposition.

A mode tree has the modes of a tensor as leaves and a width at every inner node.  An inner node of
width w multiplies its children w times, once per channel; the edge above each child carries the
matrix that mixes the child's channels before the product.  A star is the CP decomposition, a
perfect tree the hierarchical Tucker (HT) decomposition.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import weights as tree_weights
from .mincut import multiplicative_mincut
from .tensors import partition
from .weights import Path, Weights

__all__ = ["ModeTree", "Node", "Path", "Weights"]


@dataclass(frozen=True)
class Node:
    """An inner node: its children (inner nodes, or modes as integers) and its width.

    Parameters
    ----------
    children : tuple of (Node or int)
    width : int
        The number of channels that are multiplied at this node.

    Examples
    --------
    >>> Node(children=(0, 1), width=3).height
    1
    """

    children: tuple["Node | int", ...]
    width: int

    @property
    def height(self) -> int:
        """The longest way down to a mode; 1 for a node whose children are all modes."""
        return 1 + max(c.height if isinstance(c, Node) else 0 for c in self.children)


@dataclass(frozen=True)
class ModeTree:
    """A tree over the modes 0..N-1, each of dimension ``dim``.

    Parameters
    ----------
    root : Node
    dim : int
        M, the dimension of every mode (the number of representation channels).

    Raises
    ------
    ValueError
        If the leaves are not the modes 0..N-1 once each, or a width or ``dim`` is not positive.

    Notes
    -----
    The tensor of a tree is computed by :func:`lib.trees.decompositions.coefficient_tensor`,
    its network by :class:`lib.trees.circuit.TreeCircuit`.  See book/notation.md for the letters.

    Examples
    --------
    >>> tree = ModeTree.perfect(modes=4, pool=2, dim=3, widths=(2, 5))
    >>> print(tree)
    [[0 1]:2 [2 3]:2]:5 over dimension 3
    >>> tree.mincut("even-odd"), tree.mincut("left-right")
    (4, 2)
    """

    root: Node
    dim: int

    def __post_init__(self) -> None:
        if not isinstance(self.root, Node):
            raise ValueError(f"ModeTree: root {self.root!r} is not a Node")
        _positive("dim", self.dim)
        for path, node in self.inner_nodes():
            if not node.children:
                raise ValueError(f"ModeTree: the node at path {path} has no children")
            _positive(f"width of the node at path {path}", node.width)
        if sorted(self.leaves) != list(range(self.modes)):
            raise ValueError(
                f"ModeTree: leaves {self.leaves} are not the modes 0..{self.modes - 1} once each"
            )

    @classmethod
    def star(cls, modes: int, dim: int, width: int) -> "ModeTree":
        """The tree of the CP decomposition: all modes below one node.

        Parameters
        ----------
        modes, dim, width : int
            N, M and Z (the number of rank-one terms).

        Examples
        --------
        >>> print(ModeTree.star(modes=3, dim=2, width=5))
        [0 1 2]:5 over dimension 2
        """
        _positive("modes", modes)
        return cls(Node(tuple(range(modes)), width), dim)

    @classmethod
    def perfect(
        cls, modes: int, pool: int, dim: int, widths: Sequence[int | Sequence[int]]
    ) -> "ModeTree":
        """The tree of the HT decomposition: neighbors are joined ``pool`` at a time.

        Parameters
        ----------
        modes : int
            N, a power of ``pool``.
        pool : int
            P, the number of children of every node.
        dim : int
            M.
        widths : sequence of int or of sequences of int
            (r_0, ..., r_{L-1}), L = log_P N: entry l is the width of the nodes whose children
            stand on level l, or the widths of those nodes one by one.

        Raises
        ------
        ValueError
            If N is not a power of P, or the widths do not fit the levels.

        Examples
        --------
        >>> print(ModeTree.perfect(modes=4, pool=2, dim=2, widths=((3, 5), 7)))
        [[0 1]:3 [2 3]:5]:7 over dimension 2
        """
        if pool < 2 or modes < pool:
            raise ValueError(
                f"ModeTree.perfect: pool={pool}, modes={modes}; need 2 <= pool <= modes"
            )
        level: list[Node | int] = list(range(modes))
        depth = 0
        while len(level) > 1:
            if len(level) % pool:
                raise ValueError(f"ModeTree.perfect: {modes} modes are not a power of pool={pool}")
            if depth >= len(widths):
                raise ValueError(
                    f"ModeTree.perfect: {len(widths)} widths {tuple(widths)} for {modes} modes in "
                    f"pools of {pool}; need log_{pool} {modes}"
                )
            groups = [tuple(level[i : i + pool]) for i in range(0, len(level), pool)]
            level_widths = _spread(widths[depth], len(groups), depth)
            level = [Node(group, width) for group, width in zip(groups, level_widths, strict=True)]
            depth += 1
        if depth != len(widths):
            raise ValueError(
                f"ModeTree.perfect: {len(widths)} widths {tuple(widths)} for {depth} levels "
                f"({modes} modes in pools of {pool})"
            )
        return cls(level[0], dim)

    def permuted(self, order: Sequence[int]) -> "ModeTree":
        """The same tree with mode ``order[i]`` where mode i stood: another pooling geometry.

        Examples
        --------
        >>> print(ModeTree.perfect(4, 2, 2, (1, 1)).permuted([0, 3, 1, 2]))
        [[0 3]:1 [1 2]:1]:1 over dimension 2
        """
        if sorted(order) != list(range(self.modes)):
            raise ValueError(
                f"ModeTree.permuted: {list(order)} is not a permutation of 0..{self.modes - 1}"
            )

        def relabel(child: Node | int) -> Node | int:
            if isinstance(child, Node):
                return Node(tuple(relabel(c) for c in child.children), child.width)
            return order[child]

        return ModeTree(relabel(self.root), self.dim)

    @property
    def leaves(self) -> tuple[int, ...]:
        """The modes in the order in which the tree meets them, left to right."""

        def below(child: Node | int) -> Iterator[int]:
            if isinstance(child, Node):
                for grandchild in child.children:
                    yield from below(grandchild)
            else:
                yield child

        return tuple(below(self.root))

    @property
    def modes(self) -> int:
        """N, the number of modes."""
        return len(self.leaves)

    def inner_nodes(self) -> Iterator[tuple[Path, Node]]:
        """Every inner node with its path from the root, the root first."""
        waiting: list[tuple[Path, Node]] = [((), self.root)]
        while waiting:
            path, node = waiting.pop(0)
            yield path, node
            for t, child in enumerate(node.children):
                if isinstance(child, Node):
                    waiting.append(((*path, t), child))

    # Views: functions of a tree, offered here as methods; lib/trees/weights.py documents them.

    weight_shapes = tree_weights.weight_shapes
    weight_groups = tree_weights.weight_groups
    random_weights = tree_weights.random_weights
    parameter_count = tree_weights.parameter_count

    def mincut(self, rows) -> int:
        """The multiplicative minimum cut between row and column modes."""
        row_modes, _ = partition(rows, self.modes)
        return multiplicative_mincut(self, row_modes)

    def __str__(self) -> str:
        def text(child: Node | int) -> str:
            if isinstance(child, Node):
                return f"[{' '.join(text(c) for c in child.children)}]:{child.width}"
            return str(child)

        return f"{text(self.root)} over dimension {self.dim}"


def _positive(what: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"ModeTree: {what} is {value!r}; need an integer >= 1")


def _spread(width: int | Sequence[int], count: int, level: int) -> Sequence[int]:
    if isinstance(width, int):
        return [width] * count
    if len(width) != count:
        raise ValueError(
            f"ModeTree.perfect: {len(width)} widths {tuple(width)} for the {count} nodes of "
            f"level {level + 1}"
        )
    return width
