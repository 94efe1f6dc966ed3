"""Product networks taken apart along a partition: what rows decide, what columns decide, the rest.

A cell of a product network is a product of affine maps of earlier cells. Once the positions are
split into row positions and column positions, the factors that see rows only make up a vector for
every row index, those that see columns only one for every column index, and only the factors of
cells that see both have to be evaluated for pairs. This module sorts the factors;
:mod:`lib.grids.blocks` evaluates the pairs.
"""

import math
from dataclasses import dataclass, field
from itertools import product

import torch

from ..networks.architecture import Architecture
from ..networks.weights import ConvWeights
from ..trees.tree import ModeTree, Node, Path, Weights

__all__ = ["Cell", "Factor", "Side", "conv_cell", "input_cells", "multiply", "tree_cell"]


@dataclass(frozen=True, eq=False)
class Side:
    """The modes on one side of a partition, and the templates that every index shows there.

    Parameters
    ----------
    modes : tuple of int
    indices : torch.Tensor of int64, shape (n, modes)
    templates : torch.Tensor, shape (templates, M)
        F, the representation values of every template.
    """

    modes: tuple[int, ...]
    indices: torch.Tensor
    templates: torch.Tensor

    def values(self, mode: int) -> torch.Tensor:
        """The representation values at a mode, for every index: (M, n)."""
        return self.templates[self.indices[:, self.modes.index(mode)]].T

    def labels(self, modes: frozenset[int]) -> torch.Tensor:
        """One number per index, the same for indices that agree on the given modes: (n,).

        Examples
        --------
        >>> side = Side((3, 5), torch.tensor([[0, 1], [1, 1], [0, 0]]), torch.eye(2))
        >>> side.labels(frozenset([5])).tolist()
        [1, 1, 0]
        """
        seen = self.indices[:, [i for i, mode in enumerate(self.modes) if mode in modes]]
        count = len(self.templates)
        if count ** seen.shape[1] < 2**62:
            places = [count**i for i in range(seen.shape[1])]
            return (seen * torch.tensor(places, device=seen.device)).sum(dim=1).long()
        return torch.unique(seen, dim=0, return_inverse=True)[1]


@dataclass(eq=False)
class Cell:
    """The channels of a cell for every pair (row index, column index), as a product.

    Parameters
    ----------
    row : torch.Tensor, shape (channels, n_rows), or None
        The product of everything that the rows decide alone; None where they decide nothing.
    column : torch.Tensor, shape (channels, n_columns), or None
    factors : list of Factor
        Affine maps of cells that see both sides.
    row_modes, column_modes : frozenset of int
        The modes that the cell sees on either side.
    """

    row: torch.Tensor | None = None
    column: torch.Tensor | None = None
    factors: list["Factor"] = field(default_factory=list)
    row_modes: frozenset[int] = frozenset()
    column_modes: frozenset[int] = frozenset()

    @property
    def is_mixed(self) -> bool:
        """Whether the cell sees both sides."""
        return bool(self.row_modes) and bool(self.column_modes)

    def scale(self, factor: torch.Tensor, side: str, arithmetic) -> None:
        """Multiply the ``"row"`` or the ``"column"`` part by a factor."""
        part = getattr(self, side)
        setattr(self, side, factor if part is None else arithmetic.multiply(part, factor))


@dataclass(frozen=True, eq=False)
class Factor:
    """One affine map ``matrix @ cell + bias``, of shapes (D, C) and (D,) or None."""

    matrix: torch.Tensor
    bias: torch.Tensor | None
    cell: Cell

    def apply(self, values: torch.Tensor, arithmetic) -> torch.Tensor:
        """The map on values of shape (C, n)."""
        mapped = arithmetic.matmul(self.matrix, values)  # (D, n)
        return mapped if self.bias is None else arithmetic.add(mapped, self.bias[:, None])


def input_cells(rows: Side, columns: Side) -> dict[int, Cell]:
    """The representation layer: the cell of every mode, on the side where the mode stands.

    Examples
    --------
    >>> templates = torch.eye(2)
    >>> rows = Side((0,), torch.zeros(5, 1, dtype=torch.int64), templates)
    >>> columns = Side((1,), torch.zeros(3, 1, dtype=torch.int64), templates)
    >>> cells = input_cells(rows, columns)
    >>> cells[0].row.shape, cells[1].column.shape
    (torch.Size([2, 5]), torch.Size([2, 3]))
    """
    cells = {m: Cell(row=rows.values(m), row_modes=frozenset([m])) for m in rows.modes}
    for m in columns.modes:
        cells[m] = Cell(column=columns.values(m), column_modes=frozenset([m]))
    return cells


def multiply(factors: list[Factor], arithmetic) -> Cell:
    """The product of affine maps of cells, sorted by what the cells see.

    Examples
    --------
    >>> from lib.exact.arithmetic import Real
    >>> left = Cell(row=torch.ones(1, 5), row_modes=frozenset([0]))
    >>> right = Cell(column=torch.ones(1, 3), column_modes=frozenset([1]))
    >>> double = torch.full((1, 1), 2.0)
    >>> result = multiply([Factor(double, None, cell) for cell in (left, left, right)], Real())
    >>> result.row[0, 0].item(), result.column[0, 0].item(), result.factors
    (4.0, 2.0, [])
    """
    total = Cell()
    for factor in factors:
        cell = factor.cell
        total.row_modes |= cell.row_modes
        total.column_modes |= cell.column_modes
        if cell.is_mixed:
            total.factors.append(factor)
        elif cell.row_modes:
            total.scale(factor.apply(cell.row, arithmetic), "row", arithmetic)
        else:
            total.scale(factor.apply(cell.column, arithmetic), "column", arithmetic)
    return total


def tree_cell(tree: ModeTree, weights: Weights, inputs: dict[int, Cell], arithmetic) -> Cell:
    """The output of a mode tree's product network, a cell of one channel.

    Parameters
    ----------
    tree : ModeTree
    weights : dict from path to torch.Tensor
    inputs : dict from mode to Cell
        As from :func:`input_cells`.
    arithmetic : Real or Modular
    """

    def below(child: Node | int, path: Path) -> Cell:
        if not isinstance(child, Node):
            return inputs[child]
        edges = [(*path, t) for t in range(len(child.children))]
        parts = [below(part, edge) for part, edge in zip(child.children, edges, strict=True)]
        factors = [Factor(weights[e], None, cell) for e, cell in zip(edges, parts, strict=True)]
        return multiply(factors, arithmetic)

    return multiply([Factor(weights[()][None], None, below(tree.root, ()))], arithmetic)


def conv_cell(
    architecture: Architecture,
    weights: ConvWeights,
    inputs: dict[int, Cell],
    arithmetic,
    output: int = 0,
) -> Cell:
    """One output of an architecture's product network, a cell of one channel.

    Parameters
    ----------
    architecture : Architecture
    weights : list of (weight, bias), one pair per layer
    inputs : dict from mode to Cell
        As from :func:`input_cells`; modes count the input cells row by row.
    arithmetic : Real or Modular
    output : int
        The entry of the flattened output (channel, then cells row by row).

    Raises
    ------
    ValueError
        If there is no such output.
    """
    sizes = architecture.output_sizes
    outputs = architecture.widths[-1] * math.prod(sizes[-1])
    if not 0 <= output < outputs:
        raise ValueError(f"conv_cell: output {output} of a network with {outputs} output(s)")
    channel, place = divmod(output, math.prod(sizes[-1]))
    known = {(0, at): inputs[mode] for mode, at in enumerate(product(*map(range, sizes[0])))}

    def cell(layer: int, at: tuple[int, ...]) -> Cell:
        if (layer, at) not in known:
            known[layer, at] = window(layer, at)
        return known[layer, at]

    def window(layer: int, at: tuple[int, ...]) -> Cell:
        weight, bias = weights[layer - 1]
        if weight.ndim > 2 + len(at):  # unshared: the kernel of this output cell
            weight, bias = weight[at], None if bias is None else bias[at]
        if layer == architecture.depth:
            weight = weight[channel : channel + 1]
            bias = None if bias is None else bias[channel : channel + 1]
        factors, padding = [], []
        for offset in product(*map(range, architecture.windows[layer - 1])):
            steps = zip(at, architecture.strides[layer - 1], offset, strict=True)
            seen = tuple(u * stride + o for u, stride, o in steps)
            constant = None if bias is None else bias[(..., *offset)]
            if all(a < n for a, n in zip(seen, sizes[layer - 1], strict=True)):
                factors.append(Factor(weight[(..., *offset)], constant, cell(layer - 1, seen)))
            else:  # the window sees padding: only the bias is left
                zero = torch.zeros_like(weight[(..., 0, *offset)])
                padding.append(zero if constant is None else constant)
        result = multiply(factors, arithmetic)
        if padding:
            constant = arithmetic.prod(torch.stack(padding), 0)[:, None]  # (D, 1)
            side = "row" if result.row_modes else "column"
            count = _count(inputs, side)
            result.scale(constant.expand(-1, count), side, arithmetic)
        return result

    return cell(architecture.depth, list(product(*map(range, sizes[-1])))[place])


def _count(inputs: dict[int, Cell], side: str) -> int:
    """How many indices there are on one side."""
    return next(part.shape[1] for c in inputs.values() if (part := getattr(c, side)) is not None)
