"""Blocks of matricizations of product networks, at the price of matrix products.

A forward pass per entry repeats the same work over and over: whatever sees row positions only is
the same along a whole row of the matrix. :mod:`lib.grids.cells` computes such parts once per row
index (or once per column index); what is left are the cells that see both sides, and
:mod:`lib.grids.pairs` evaluates those on tiles of pairs.
"""

from collections.abc import Iterator

import torch

from ..bounds.partitions import Partition, split_modes
from ..checks import kind, shown
from ..exact.arithmetic import chosen_arithmetic
from ..trees.tensors import AllIndices
from .cells import Side, Splitter
from .pairs import evaluate_pairs

__all__ = ["matricization_block"]

NUMBERS = 2**22  # representation values of the indices of a side whose cells are held at a time
FEWEST = 2**14  # indices of a side that are held at a time all the same


def matricization_block(
    subject,
    weights,
    partition: Partition,
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
        The row modes or a name, as in :func:`lib.bounds.partitions.split_modes`.
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
    >>> from lib import Architecture
    >>> net = Architecture((2,), 2, ((2, 2, 1),))
    >>> weights = [(torch.tensor([[[1.0, 0.0], [2.0, 3.0]]]), None)]
    >>> matricization_block(net, weights, "left-right")
    tensor([[0., 3.],
            [0., 6.]], dtype=torch.float64)
    """
    if isinstance(subject, type) or not hasattr(subject, "product_form"):
        raise TypeError(f"matricization_block: {shown(subject)} is not a ModeTree, an Architecture "
                        "or a module of one")
    arithmetic = chosen_arithmetic("matricization_block", arithmetic)
    specification, weights = subject.product_form(weights)
    devices = []

    def settled(weight: torch.Tensor) -> torch.Tensor:
        devices.append(weight.device)
        return arithmetic.taken(weight.detach().double())

    weights = specification.map_weights(settled, weights)
    templates = _representation(representation, specification.channels, arithmetic).to(devices[0])
    row_modes, column_modes = split_modes(partition, specification.grid)
    above = _indices("row", row_modes, row_indices, len(templates))
    beside = _indices("column", column_modes, column_indices, len(templates))
    block = templates.new_empty(len(above), len(beside))
    for top, rows in _sides(row_modes, above, templates):
        for left, columns in _sides(column_modes, beside, templates):
            splitter = Splitter(rows, columns, arithmetic)
            inputs = splitter.input_cells()
            cell = specification.output_cell(weights, inputs, splitter.multiply, output)
            inputs.clear()  # functions that call themselves may hold them until some other time
            evaluate_pairs(cell, rows, columns, arithmetic, block[top, left])
    return block


def _representation(given, channels: int, arithmetic) -> torch.Tensor:
    """F as a float64 matrix of M columns."""
    if given is None:
        return arithmetic.tensor(torch.eye(channels, device="cpu"))
    kind("matricization_block: representation", given, torch.Tensor)
    if given.ndim != 2 or given.shape[1] != channels or len(given) == 0:
        raise ValueError(
            f"matricization_block: representation of shape {tuple(given.shape)}; need "
            f"(templates, {channels})"
        )
    return arithmetic.taken(given.detach().double())


def _indices(name: str, modes: tuple[int, ...], given, count: int) -> AllIndices | torch.Tensor:
    """The indices of a side, checked."""
    if given is None:
        return AllIndices(count, len(modes))
    kind(f"matricization_block: {name} indices", given, torch.Tensor)
    if given.ndim != 2 or given.shape[1] != len(modes) or given.dtype != torch.int64:
        raise ValueError(
            f"matricization_block: {name} indices of shape {tuple(given.shape)} and type "
            f"{given.dtype}; need int64 of shape (any, {len(modes)}) for the modes {modes}"
        )
    if given.numel() and not (0 <= given.min() and given.max() < count):
        raise ValueError(
            f"matricization_block: {name} indices from {given.min()} to {given.max()}; there are "
            f"{count} templates"
        )
    return given


def _sides(
    modes: tuple[int, ...], every: AllIndices | torch.Tensor, representation: torch.Tensor
) -> Iterator[tuple[slice, Side]]:
    """A side in parts: of a long one the cells of all indices are many times the block."""
    step = max(FEWEST, NUMBERS // max(1, representation.shape[1] * len(modes)))
    where = every.device if isinstance(every, torch.Tensor) else "cpu"
    for start in range(0, len(every), step):
        numbers = torch.arange(start, min(start + step, len(every)), device=where)
        part = every[numbers].to(representation.device)
        yield slice(start, start + step), Side(modes, part, representation)
