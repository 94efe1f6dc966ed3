"""The tensor of a mode tree: CP, hierarchical Tucker and everything between, in any arithmetic."""

import torch

from ..checks import counted, floats, kind
from ..exact.arithmetic import chosen_arithmetic
from .tensors import Operator, combining, require_operator
from .tree import ModeTree, Node, Path, Weights

__all__ = ["MAX_ENTRIES", "coefficient_tensor"]

MAX_ENTRIES = 2**27
"""The largest tensor built whole: 1 GiB of float64."""
PIECE = 2**23  # numbers of the channels of a root that are held at a time


def coefficient_tensor(
    tree: ModeTree,
    weights: Weights,
    arithmetic=None,
    operator: Operator | None = None,
) -> torch.Tensor:
    """The tensor that a mode tree and its weights decompose.

    Parameters
    ----------
    tree : ModeTree
    weights : dict from path to torch.Tensor
        Shapes as in :meth:`ModeTree.weight_shapes`, entries in ``arithmetic``.
    arithmetic : Real or Modular, optional
        Real numbers unless given.
    operator : callable, optional
        The activation-pooling operator g of the generalized tensor product, elementwise and
        broadcasting (:func:`lib.trees.tensors.activation_pooling`). By default the product.
        A node with one child has nothing to pool and passes its channels on. Over residues the
        operator must be a polynomial with integer coefficients, as products and sums are, and
        its values exact: of powers and fractions take residues, as ``arithmetic.multiply`` and
        ``arithmetic.reciprocal`` do.

    Returns
    -------
    torch.Tensor, shape (M, ..., M), N times
        Mode i of the result is mode i of the tree, wherever the tree keeps it.

    Raises
    ------
    ValueError
        If a weight is missing, superfluous or of the wrong shape, or if the tensor would have
        more than ``MAX_ENTRIES`` entries, or if residues are asked to take a maximum or a
        rectifier, or an operator makes of them what is no exact integer.
    TypeError
        If an argument is of another kind, or the weights are not of one floating point type.

    Notes
    -----
    The recursion of the HT decomposition,

        φ^{l,j,γ} = Σ_α a^{l,j,γ}_α  φ^{l-1,2j,α} ⊗ φ^{l-1,2j+1,α},

    for a tree of any shape; with one inner node it is the CP decomposition (Cohen, Sharir &
    Shashua, 2016; book/cp-shallow-network.md, book/ht-deep-network.md).

    Examples
    --------
    >>> tree = ModeTree.star(modes=2, dim=2, width=1)
    >>> weights = {(): torch.tensor([10.0]), (0,): torch.tensor([[1.0, 2.0]]),
    ...          (1,): torch.tensor([[3.0, 4.0]])}
    >>> coefficient_tensor(tree, weights).tolist()
    [[30.0, 40.0], [60.0, 80.0]]
    """
    kind("coefficient_tensor: tree", tree, ModeTree)
    arithmetic = chosen_arithmetic("coefficient_tensor", arithmetic)
    require_operator("coefficient_tensor", operator, arithmetic)
    combine = combining(operator, arithmetic)
    if tree.dim**tree.modes > MAX_ENTRIES:
        blocks = ("lib.grids.blocks" if operator is None else  # which are those of products
                  "grid_block in lib.grids.grid, of a TreeCircuit with this operator")
        raise ValueError(
            f"coefficient_tensor: {tree.dim} ** {tree.modes} = "
            f"{counted(tree.dim**tree.modes)} entries are "
            f"more than {MAX_ENTRIES}; use blocks of the matricization instead ({blocks})"
        )
    tree.check_weights(weights)
    floats("coefficient_tensor: weights", *weights.values())
    weights = tree.map_weights(arithmetic.taken, weights)

    def below(node: Node, path: Path) -> list[torch.Tensor | None]:
        """What stands below each child, (its width, M ** leaves); at a mode the identity: None."""
        return [joined(child, (*path, t), below(child, (*path, t)))
                if isinstance(child, Node) else None for t, child in enumerate(node.children)]

    def joined(
        node: Node, path: Path, tensors: list[torch.Tensor | None], part: slice = slice(None)
    ) -> torch.Tensor:
        """The tensors of all channels of a node, or of some, flattened: (width, M ** leaves)."""
        product = None
        for t, tensor in enumerate(tensors):
            mixed = weights[(*path, t)][part]
            if tensor is not None:
                mixed = arithmetic.matmul(mixed, tensor)
            if product is None:
                product = mixed
            else:  # the generalized tensor product, channel by channel
                product = combine(product[:, :, None], mixed[:, None, :]).flatten(1)
        return product

    total, tensors = None, below(tree.root, ())
    step = max(1, PIECE // tree.dim**tree.modes)  # of a wide root some channels at a time
    for start in range(0, tree.root.width, step):
        part = slice(start, start + step)
        added = arithmetic.matmul(weights[()][None, part], joined(tree.root, (), tensors, part))
        total = added if total is None else arithmetic.add(total, added)  # (1, M ** N)
    in_tree_order = total.reshape((tree.dim,) * tree.modes)
    position = {mode: axis for axis, mode in enumerate(tree.leaves)}
    return in_tree_order.permute([position[mode] for mode in range(tree.modes)]).contiguous()
