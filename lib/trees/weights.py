"""The weights of a mode tree: their shapes, which of them are shared, random draws.

The functions take a `ModeTree` first, which also offers them as its methods.  A weight is named by
its path from the root: ``()`` is the output vector, ``(1, 0)`` the matrix above child 0 of child 1.
"""

from collections.abc import Mapping

import torch

__all__ = ["Path", "Weights", "parameter_count", "random_weights", "weight_groups", "weight_shapes"]

Path = tuple[int, ...]
Weights = Mapping[Path, torch.Tensor]


def weight_shapes(tree) -> dict[Path, tuple[int, ...]]:
    """The shape of every weight: the output vector at ``()``, a matrix above every child.

    Returns
    -------
    dict from path to tuple of int
        (width of the root,) at ``()``, elsewhere (width of the node, channels of the child).

    Examples
    --------
    >>> from lib.trees.tree import ModeTree
    >>> ModeTree.perfect(4, 2, 3, (2, 5)).weight_shapes()[(1,)]
    (5, 2)
    """
    shapes: dict[Path, tuple[int, ...]] = {(): (tree.root.width,)}
    for path, node in tree.inner_nodes():
        for t, child in enumerate(node.children):
            inputs = tree.dim if isinstance(child, int) else child.width
            shapes[(*path, t)] = (node.width, inputs)
    return shapes


def weight_groups(tree, shared: bool) -> dict[Path, Path]:
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
    >>> from lib.trees.tree import ModeTree
    >>> ModeTree.star(modes=3, dim=2, width=4).weight_groups(shared=True)
    {(): (), (0,): (0,), (1,): (0,), (2,): (0,)}
    """
    shapes = weight_shapes(tree)
    if not shared:
        return {path: path for path in shapes}
    first: dict[tuple[int, bool], Path] = {}
    groups: dict[Path, Path] = {(): ()}
    for path, node in tree.inner_nodes():
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
    tree, arithmetic, generator: torch.Generator, shared: bool = False
) -> dict[Path, torch.Tensor]:
    """Independent random weights; with ``shared``, equal ones for all nodes of a level.

    Parameters
    ----------
    arithmetic : lib.exact.arithmetic.Real or lib.exact.arithmetic.Modular
        Where the entries are drawn: standard normal numbers, or residues mod p.
    generator : torch.Generator
    shared : bool

    Returns
    -------
    dict from path to torch.Tensor
        With the shapes of :func:`weight_shapes`.

    Raises
    ------
    ValueError
        As :func:`weight_groups`.

    Examples
    --------
    >>> from lib.exact.arithmetic import Modular
    >>> from lib.trees.tree import ModeTree
    >>> tree = ModeTree.star(modes=3, dim=2, width=4)
    >>> weights = tree.random_weights(Modular(), torch.Generator().manual_seed(0), shared=True)
    >>> weights[()].shape, bool((weights[(0,)] == weights[(2,)]).all())
    (torch.Size([4]), True)
    """
    shapes = weight_shapes(tree)
    drawn: dict[Path, torch.Tensor] = {}
    for path, owner in weight_groups(tree, shared).items():
        if owner == path:
            drawn[path] = arithmetic.random(shapes[path], generator)
        else:
            drawn[path] = drawn[owner]
    return drawn


def parameter_count(tree, shared: bool = False) -> int:
    """The number of weights of the network, the output vector included.

    Examples
    --------
    >>> from lib.trees.tree import ModeTree
    >>> ModeTree.star(modes=3, dim=2, width=4).parameter_count()
    28
    """
    shapes = weight_shapes(tree)
    owners = set(weight_groups(tree, shared).values())
    return sum(torch.Size(shapes[path]).numel() for path in owners)
