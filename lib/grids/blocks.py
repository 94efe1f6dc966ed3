"""Blocks of matricizations of product networks, at the price of matrix products.

A forward pass per entry repeats the same work over and over: whatever sees row positions only is
the same along a whole row of the matrix. :mod:`lib.grids.cells` computes such parts once per row
index (or once per column index); what is left are the cells that see both sides, and
:mod:`lib.grids.pairs` evaluates those on tiles of pairs.
"""

from collections.abc import Iterable

import torch

from ..exact.arithmetic import Real
from ..networks.architecture import Architecture
from ..networks.modules import ConvAC
from ..networks.weights import check_weights as check_conv_weights
from ..trees.circuit import TreeCircuit
from ..trees.decompositions import check_weights as check_tree_weights
from ..trees.tensors import indices
from ..trees.tensors import partition as split_modes
from ..trees.tree import ModeTree
from .cells import Side, conv_cell, input_cells, tree_cell
from .pairs import evaluate_pairs

__all__ = ["matricization_block", "modes_of"]


def matricization_block(
    subject,
    weights,
    partition: str | Iterable[int],
    row_indices: torch.Tensor | None = None,
    column_indices: torch.Tensor | None = None,
    representation: torch.Tensor | None = None,
    arithmetic=None,
    output: int = 0,
) -> torch.Tensor:
    """A block of the matricized grid tensor of a product network.

    Parameters
    ----------
    subject : ModeTree or Architecture, or their modules TreeCircuit or ConvAC
    weights
        As from ``random_weights`` of the subject; None for a module, which has its own.
    partition : str or iterable of int
        The row modes or a name, as in :func:`lib.trees.tensors.partition`.
    row_indices : torch.Tensor of int64, shape (n_rows, number of row modes), optional
        The template shown at every row mode; all of them by default, the last mode fastest.
    column_indices : torch.Tensor of int64, shape (n_columns, number of column modes), optional
    representation : torch.Tensor, shape (templates, M), optional
        F, with F[d, c] = f_c(x^(d)), in ``arithmetic``; the identity by default, which gives the
        coefficient tensor of a mode tree.
    arithmetic : Real or Modular, optional
        Real numbers unless given. The work is done on the device of the weights.
    output : int
        For architectures, the entry of the flattened output (channel, then cells row by row).

    Returns
    -------
    torch.Tensor of float64, shape (n_rows, n_columns)

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit, or the network does not pool by products of affine maps: only those
        split. (:func:`lib.grids.grid.grid_block` evaluates any network, by forward passes.)

    Examples
    --------
    >>> from lib.networks.architecture import Layer
    >>> net = Architecture((2,), 2, (Layer(2, 2, 1),))
    >>> weights = [(torch.tensor([[[1.0, 0.0], [2.0, 3.0]]]), None)]
    >>> matricization_block(net, weights, "left-right")
    tensor([[0., 3.],
            [0., 6.]], dtype=torch.float64)
    """
    arithmetic = Real() if arithmetic is None else arithmetic
    subject, weights = _specification(subject, weights)
    first = weights[()] if isinstance(subject, ModeTree) else weights[0][0]
    templates = _representation(representation, subject, arithmetic).to(first.device)
    row_modes, column_modes = split_modes(partition, modes_of(subject))
    rows = _side("row", row_modes, row_indices, templates)
    columns = _side("column", column_modes, column_indices, templates)
    inputs = input_cells(rows, columns)
    if isinstance(subject, ModeTree):
        cell = tree_cell(subject, weights, inputs, arithmetic)
    else:
        cell = conv_cell(subject, weights, inputs, arithmetic, output)
    return evaluate_pairs(cell, rows, columns, arithmetic)


def modes_of(subject: ModeTree | Architecture) -> int | tuple[int, ...]:
    """What :func:`lib.trees.tensors.partition` needs: the number of modes, or (height, width).

    Examples
    --------
    >>> from lib.networks.architecture import Layer
    >>> modes_of(ModeTree.star(modes=3, dim=2, width=1))
    3
    >>> modes_of(Architecture((4, 5), 2, (Layer(2, 2, 1),)))
    (4, 5)
    """
    if isinstance(subject, ModeTree):
        return subject.modes
    return subject.size[0] if subject.ndim == 1 else subject.size


def _specification(subject, weights):
    """The ModeTree or Architecture and its weights in float64, checked."""
    if isinstance(subject, TreeCircuit | ConvAC):
        if weights is not None:
            raise ValueError("matricization_block: a module has its own weights; give None")
        _require_products(subject)
        weights = subject.weights
        subject = subject.tree if isinstance(subject, TreeCircuit) else subject.architecture
    if isinstance(subject, ModeTree):
        check_tree_weights(subject, weights)
        return subject, {path: w.detach().double() for path, w in weights.items()}
    if not isinstance(subject, Architecture):
        raise TypeError(
            f"matricization_block: {subject!r} is not a ModeTree, Architecture, TreeCircuit or "
            "ConvAC"
        )
    check_conv_weights(subject, weights)
    return subject, [
        (w.detach().double(), None if b is None else b.detach().double()) for w, b in weights
    ]


def _require_products(module: TreeCircuit | ConvAC) -> None:
    if isinstance(module, TreeCircuit):
        plain, found = module.operator in (None, torch.mul), f"operator {module.operator}"
    else:
        plain = module.pooling == "product" and module.activation is None
        found = f"{module.pooling} pooling with activation {module.activation}"
    if not plain:
        raise ValueError(
            f"matricization_block: {found} does not split over a partition; only products of "
            "affine maps do (lib.grids.grid.grid_block evaluates any network, entry by entry)"
        )


def _representation(given, subject, arithmetic) -> torch.Tensor:
    """F as a float64 matrix of M columns."""
    channels = subject.dim if isinstance(subject, ModeTree) else subject.channels
    if given is None:
        return arithmetic.tensor(torch.eye(channels))
    if given.ndim != 2 or given.shape[1] != channels or len(given) == 0:
        raise ValueError(
            f"matricization_block: representation of shape {tuple(given.shape)}; need "
            f"(templates, {channels})"
        )
    return given.detach().double()


def _side(name, modes, given, templates) -> Side:
    given = indices(len(templates), len(modes)) if given is None else given
    if given.ndim != 2 or given.shape[1] != len(modes) or given.dtype != torch.int64:
        raise ValueError(
            f"matricization_block: {name} indices of shape {tuple(given.shape)} and type "
            f"{given.dtype}; need int64 of shape (any, {len(modes)}) for the modes {modes}"
        )
    if given.numel() and not (0 <= given.min() and given.max() < len(templates)):
        raise ValueError(
            f"matricization_block: {name} indices from {given.min()} to {given.max()}; there are "
            f"{len(templates)} templates"
        )
    return Side(modes, given.to(templates.device), templates)
