"""Weights of mode trees written down by hand, where a proof asks for one good point."""

import torch

from ..checks import kind
from .tree import ModeTree, Path

__all__ = ["even_odd_weights"]


def even_odd_weights(tree: ModeTree) -> dict[Path, torch.Tensor]:
    """The point at which a deep network reaches its largest even-odd rank.

    Parameters
    ----------
    tree : ModeTree
        A perfect tree with pool size 2. Write r for min(r_0, M) at every lowest node. Where the
        modes are permuted, read one mode of every lowest node for the even modes.

    Returns
    -------
    dict from path to torch.Tensor
        Equal for all nodes of one level when the widths are, so that shared weights reach the
        same rank.

    Raises
    ------
    ValueError
        If a lowest node does not join two modes or another node does not join two inner nodes.
    TypeError
        If it is no ModeTree.

    Notes
    -----
    Leaf channel α < r is the unit vector e_α, every other leaf channel is zero, and above the
    lowest nodes one channel is passed on with weight 1. A lowest node then holds the sum of
    e_α ⊗ e_α, whose matrix is the identity of size r, and the tensor is the product of these: its
    even-odd matrix is a Kronecker product of N/2 identities. This is the proof of the lower bound
    in Theorem 3 (Cohen, Sharir & Shashua, 2016; book/ht-deep-network.md).

    Examples
    --------
    >>> from lib.trees.decompositions import coefficient_tensor
    >>> from lib.trees.tensors import matricize
    >>> tree = ModeTree.perfect(modes=4, pool=2, dim=2, widths=(2, 1))
    >>> tensor = coefficient_tensor(tree, even_odd_weights(tree))
    >>> bool((matricize(tensor, "even-odd") == torch.eye(4)).all())
    True
    """
    kind("even_odd_weights: tree", tree, ModeTree)
    for path, node in tree.inner_nodes():
        modes = [isinstance(child, int) for child in node.children]
        if len(modes) != 2 or modes[0] != modes[1]:
            raise ValueError(
                f"even_odd_weights: the node at path {path} of {tree} does not join two modes or "
                "two inner nodes"
            )
    weights = {}
    for path, shape in tree.weight_shapes().items():
        weights[path] = torch.zeros(shape, dtype=torch.float64)
    weights[()][: _channels_in_use(tree.root)] = 1
    for path, node in tree.inner_nodes():
        for t, child in enumerate(node.children):
            matrix = weights[(*path, t)]
            if isinstance(child, int):
                matrix.fill_diagonal_(1)  # channel α is e_α for α < min(width, M), then zero
            else:  # channel 0 adds up the channels of the child that are in use
                matrix[0, : _channels_in_use(child)] = 1
    return weights


def _channels_in_use(node) -> int:
    return node.width if node.height == 1 else 1
