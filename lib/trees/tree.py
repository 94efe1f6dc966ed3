"""Mode trees: the one specification behind every non-overlapping network and its decomposition.

A mode tree has the modes of a tensor as leaves and a width at every inner node. An inner node of
width w multiplies its children w times, once per channel; the edge above each child carries the
matrix that mixes the child's channels before the product. A star is the CP decomposition, a
perfect tree the hierarchical Tucker (HT) decomposition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING, Any

from ..bounds.partitions import Partition
from ..checks import drawing, flag, integer, integers, is_integer, kind, several, shown
from .mincut import multiplicative_mincut

if TYPE_CHECKING:
    import torch

__all__ = ["ModeTree", "Node", "Path", "Weights"]

Path = tuple[int, ...]
"""Which child to take at every node from the root down; ``()`` is the root itself."""

Weights = Mapping[Path, "torch.Tensor"]
"""The output vector at ``()``, and at ``(1, 0)`` the matrix above child 0 of child 1."""

MOST_LEVELS = 256


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

    children: tuple[Node | int, ...]
    width: int

    def __post_init__(self) -> None:
        if not isinstance(self.children, tuple) or not all(
                isinstance(child, Node) or is_integer(child) for child in self.children):
            raise TypeError(f"Node: children={shown(self.children)}; need a tuple of nodes and "
                            "modes")
        object.__setattr__(self, "children", tuple(
            child if isinstance(child, Node) else int(child) for child in self.children))
        if is_integer(self.width):  # plain, so that no product of widths overflows
            object.__setattr__(self, "width", int(self.width))

    def __repr__(self) -> str:
        return f"Node({self.children!r}, {self.width})"

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
    grid : tuple of int, optional
        (N,), or the (height, width) of an image whose pixels are the modes, row by row: names of
        partitions are read on it.

    Raises
    ------
    ValueError
        If the leaves are not the modes 0..N-1 once each, a width or ``dim`` is not positive, or
        the grid has not N positions.

    Notes
    -----
    The tensor of a tree is computed by :func:`lib.trees.decompositions.coefficient_tensor`, its
    network by :class:`lib.trees.circuit.TreeCircuit`. The methods from ``channels`` on are those of
    :class:`lib.networks.architecture.Architecture` too, so that whatever takes the one takes the
    other. See book/notation.md for the letters.

    Examples
    --------
    >>> tree = ModeTree.perfect(modes=4, pool=2, dim=3, widths=(2, 5))
    >>> print(tree)
    [[0 1]:2 [2 3]:2]:5 over dimension 3
    >>> tree
    ModeTree.perfect(modes=4, pool=2, dim=3, widths=(2, 5))
    >>> tree.mincut("even-odd"), tree.mincut("left-right")
    (4, 2)
    """

    root: Node
    dim: int
    grid: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.root, Node):
            raise ValueError(f"ModeTree: root {self.root!r} is not a Node")
        _positive("dim", self.dim)
        object.__setattr__(self, "dim", int(self.dim))
        level, depth = [self.root], 0
        while level := [c for node in level for c in node.children if isinstance(c, Node)]:
            depth += 1
            if depth >= MOST_LEVELS:  # the functions on trees call themselves once a level
                raise ValueError(f"ModeTree: the tree has more than {MOST_LEVELS} levels")
        for path, node in self.inner_nodes():
            if not node.children:
                raise ValueError(f"ModeTree: the node at path {path} has no children")
            _positive(f"width of the node at path {path}", node.width)
        if sorted(self.leaves) != list(range(self.modes)):
            raise ValueError(f"ModeTree: leaves {self.leaves} are not the modes "
                             f"0..{self.modes - 1} once each")
        grid = self.modes if self.grid is None else self.grid
        grid = integers("ModeTree: grid", grid if several(grid) else (grid,), 1)
        if not 1 <= len(grid) <= 2 or prod(grid) != self.modes:
            raise ValueError(f"ModeTree: grid {grid} for {self.modes} modes; need as many "
                             "positions, on one axis or two")
        object.__setattr__(self, "grid", grid)

    @classmethod
    def star(cls, modes: int, dim: int, width: int) -> ModeTree:
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
    ) -> ModeTree:
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
        pool = integer("ModeTree.perfect: pool", pool)
        if pool < 2 or integer("ModeTree.perfect: modes", modes) < pool:
            raise ValueError(f"ModeTree.perfect: pool={pool}, modes={modes}; need 2 <= pool "
                             "<= modes")
        kind("ModeTree.perfect: widths", widths, list, tuple)
        level: list[Node | int] = list(range(modes))
        depth = 0
        while len(level) > 1:
            if len(level) % pool:
                raise ValueError(f"ModeTree.perfect: {modes} modes are not a power of pool={pool}")
            if depth >= len(widths):
                raise ValueError(f"ModeTree.perfect: {len(widths)} widths {tuple(widths)} for "
                                 f"{modes} modes in pools of {pool}; need log_{pool} {modes}")
            groups = [tuple(level[i : i + pool]) for i in range(0, len(level), pool)]
            level_widths = _spread(widths[depth], len(groups), depth)
            level = [Node(group, width) for group, width in zip(groups, level_widths, strict=True)]
            depth += 1
        if depth != len(widths):
            raise ValueError(f"ModeTree.perfect: {len(widths)} widths {tuple(widths)} for {depth} "
                             f"levels ({modes} modes in pools of {pool})")
        return cls(level[0], dim)

    def permuted(self, order: Sequence[int]) -> ModeTree:
        """The same tree with mode ``order[i]`` where mode i stood: another pooling geometry.

        Examples
        --------
        >>> print(ModeTree.perfect(4, 2, 2, (1, 1)).permuted([0, 3, 1, 2]))
        [[0 3]:1 [1 2]:1]:1 over dimension 2
        """
        if sorted(order := integers("ModeTree.permuted: order", order)) != [*range(self.modes)]:
            raise ValueError(
                f"ModeTree.permuted: {list(order)} is not a permutation of 0..{self.modes - 1}"
            )

        def relabel(child: Node | int) -> Node | int:
            if isinstance(child, Node):
                return Node(tuple(relabel(c) for c in child.children), child.width)
            return order[child]

        return ModeTree(relabel(self.root), self.dim, self.grid)

    @cached_property
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
        """Every inner node with its path from the root, the root first, level after level."""
        found: list[tuple[Path, Node]] = [((), self.root)]
        for path, node in found:  # grows while it is read
            yield path, node
            found += [((*path, t), child) for t, child in enumerate(node.children)
                      if isinstance(child, Node)]

    def mincut(self, partition: Partition) -> int:
        """The multiplicative minimum cut between row and column modes (lib/trees/mincut.py).

        Examples
        --------
        >>> ModeTree.perfect(modes=4, pool=2, dim=3, widths=(2, 5)).mincut("even-odd")
        4
        """
        return multiplicative_mincut(self, partition)

    # The interface shared with Architecture ------------------------------------------------------

    @property
    def channels(self) -> int:
        """M, the number of representation channels."""
        return self.dim

    def weight_shapes(self) -> dict[Path, tuple[int, ...]]:
        """The shape of every weight: the output vector at ``()``, a matrix above every child.

        Returns
        -------
        dict from path to tuple of int
            (width of the root,) at ``()``, elsewhere (width of the node, channels of the child).

        Examples
        --------
        >>> ModeTree.perfect(4, 2, 3, (2, 5)).weight_shapes()[(1,)]
        (5, 2)
        """
        shapes: dict[Path, tuple[int, ...]] = {(): (self.root.width,)}
        for path, node in self.inner_nodes():
            for t, child in enumerate(node.children):
                inputs = self.dim if isinstance(child, int) else child.width
                shapes[(*path, t)] = (node.width, inputs)
        return shapes

    def weight_groups(self, shared: bool) -> dict[Path, Path]:
        """Which weight each weight equals: itself, or with ``shared`` the first of its level.

        Returns
        -------
        dict from path to path

        Raises
        ------
        ValueError
            If weights are to be shared between nodes of one level that differ in width.

        Examples
        --------
        >>> ModeTree.star(modes=3, dim=2, width=4).weight_groups(shared=True)
        {(): (), (0,): (0,), (1,): (0,), (2,): (0,)}
        """
        shapes = self.weight_shapes()
        if not flag("weight_groups: shared", shared):
            return {path: path for path in shapes}
        first: dict[tuple[int, bool], Path] = {}
        groups: dict[Path, Path] = {(): ()}
        for path, node in self.inner_nodes():
            for t, child in enumerate(node.children):
                edge = (*path, t)
                owner = first.setdefault((node.height, isinstance(child, int)), edge)
                if shapes[owner] != shapes[edge]:
                    raise ValueError(
                        f"weight_groups: cannot share the weights at paths {owner} and {edge}: "
                        f"shapes {shapes[owner]} and {shapes[edge]} differ"
                    )
                groups[edge] = owner
        return groups

    def random_weights(
        self,
        arithmetic,
        generator: torch.Generator,
        shared: bool | None = None,
        biases: None = None,
    ) -> dict[Path, torch.Tensor]:
        """Independent random weights; with ``shared``, equal ones for all nodes of a level.

        Parameters
        ----------
        arithmetic : Real or Modular
            Where the entries are drawn: standard normal numbers, or residues mod p.
        generator : torch.Generator
        shared : bool, optional
            By default they are not.
        biases : None
            A mode tree has none.

        Returns
        -------
        dict from path to torch.Tensor
            With the shapes of :meth:`weight_shapes`.

        Raises
        ------
        ValueError
            As :meth:`weight_groups`, or if biases are asked for.

        Examples
        --------
        >>> import torch
        >>> from lib import Modular
        >>> tree = ModeTree.star(modes=3, dim=2, width=4)
        >>> weights = tree.random_weights(Modular(), torch.Generator().manual_seed(0), shared=True)
        >>> weights[()].shape, bool((weights[(0,)] == weights[(2,)]).all())
        (torch.Size([4]), True)
        """
        if biases is not None:
            raise ValueError(f"random_weights: biases={shown(biases)}, but mode trees "
                             "have no biases")
        draw, shapes = drawing("random_weights", arithmetic, generator), self.weight_shapes()
        drawn: dict[Path, torch.Tensor] = {}
        for path, owner in self.weight_groups(shared is not None and shared).items():
            drawn[path] = draw(shapes[path]) if owner == path else drawn[owner]
        return drawn

    def check_weights(self, weights: Weights) -> None:
        """Raise a ValueError unless the weights are exactly those that the tree needs.

        Examples
        --------
        >>> import torch
        >>> ModeTree.star(2, 2, 1).check_weights({(): torch.ones(1)})
        Traceback (most recent call last):
        ...
        ValueError: check_weights: no weight at path (0,); need a matrix of shape (1, 2)
        """
        shapes, weights = self.weight_shapes(), kind("check_weights: weights", weights, Mapping)
        for path, shape in shapes.items():
            if path not in weights:
                raise ValueError(
                    f"check_weights: no weight at path {path}; need a matrix of shape {shape}"
                )
            found = getattr(weights[path], "shape", None)
            if found is None or tuple(found) != shape:
                raise ValueError(f"check_weights: the weight at path {path} is "
                                 f"{shown(weights[path])}; the tree {self} needs shape {shape}")
        extra = [path for path in weights if path not in shapes]
        if extra:
            raise ValueError(
                f"check_weights: weights at paths {extra} do not belong to the tree {self}"
            )

    def map_weights(
        self, function: Callable[[torch.Tensor], torch.Tensor], weights: Weights
    ) -> dict[Path, torch.Tensor]:
        """The weights with a function applied to every tensor."""
        return {path: function(weight) for path, weight in weights.items()}

    def product_form(self, weights: Weights) -> tuple[ModeTree, Weights]:
        """The specification and the weights of this product network, checked: itself."""
        self.check_weights(weights)
        return self, weights

    def parameter_count(self, shared: bool = False) -> int:
        """The number of weights of the network, the output vector included.

        Examples
        --------
        >>> ModeTree.star(modes=3, dim=2, width=4).parameter_count()
        28
        """
        shapes = self.weight_shapes()
        return sum(prod(shapes[path]) for path in set(self.weight_groups(shared).values()))

    def output_cell(
        self,
        weights: Weights,
        inputs: Mapping[int, Any],
        multiply: Callable[[list[tuple]], Any],
        output: int = 0,
    ) -> Any:
        """The output of the network, computed from its inputs by products of affine maps.

        Parameters
        ----------
        weights : dict from path to torch.Tensor
        inputs : mapping from mode to cell
            What stands at every mode, in whatever form ``multiply`` takes it.
        multiply : callable
            From a list of (matrix, bias, cell), here without biases, to the cell that is the
            product of the affine maps ``matrix @ cell + bias``.
        output : int
            0: there is one output.

        Raises
        ------
        ValueError
            If there is no such output.
        """
        integer("output_cell: output", output, 0, 0)  # a tree has one

        def below(child: Node | int, path: Path) -> Any:
            if not isinstance(child, Node):
                return inputs[child]
            edges = [((*path, t), part) for t, part in enumerate(child.children)]
            return multiply([(weights[edge], None, below(part, edge)) for edge, part in edges])

        return multiply([(weights[()][None], None, below(self.root, ()))])

    def draw(self, axes=None, **options):
        """A picture of the tree; see :func:`lib.plots.trees.draw_tree` for the options."""
        # loaded when first used: drawing depends on this module, never the other way round
        return import_module("..plots.trees", __package__).draw_tree(axes, self, **options)

    def __str__(self) -> str:
        def text(child: Node | int) -> str:
            if isinstance(child, Node):
                return f"[{' '.join(text(c) for c in child.children)}]:{child.width}"
            return str(child)

        return f"{text(self.root)} over dimension {self.dim}"

    def __repr__(self) -> str:
        children, modes = self.root.children, tuple(range(self.modes))
        if len(self.grid) > 1:
            return f"ModeTree({self.root!r}, dim={self.dim}, grid={self.grid})"
        if children == modes:
            return f"ModeTree.star(modes={len(modes)}, dim={self.dim}, width={self.root.width})"
        by_level: dict[int, list[int]] = {}
        for _, node in self.inner_nodes():
            by_level.setdefault(node.height, []).append(node.width)
        widths = tuple(level[0] if len(set(level)) == 1 else tuple(level)
                       for _, level in sorted(by_level.items()))
        try:
            perfect = ModeTree.perfect(len(modes), len(children), self.dim, widths)
        except ValueError:
            perfect = None
        if perfect == self:
            return (f"ModeTree.perfect(modes={len(modes)}, pool={len(children)}, dim={self.dim}, "
                    f"widths={widths})")
        return f"ModeTree({self.root!r}, dim={self.dim})"


def _positive(what: str, value: object) -> None:
    if not is_integer(value) or value < 1:
        raise ValueError(f"ModeTree: {what} is {shown(value)}; need an integer >= 1")


def _spread(width: int | Sequence[int], count: int, level: int) -> Sequence[int]:
    if not several(width):
        return [width] * count
    width = tuple(width)
    if len(width) != count:
        raise ValueError(f"ModeTree.perfect: {len(width)} widths {width} for the {count} nodes of "
                         f"level {level + 1}")
    return width
