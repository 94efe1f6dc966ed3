"""Product networks taken apart along a partition: what rows decide, what columns decide, the rest.

A cell of a product network is a product of affine maps of earlier cells. Once the positions are
split into row positions and column positions, the factors that see rows only make up a vector for
every row index, those that see columns only one for every column index, and only the factors of
cells that see both have to be evaluated for pairs. This module sorts the factors;
:mod:`lib.grids.blocks` evaluates the pairs.
"""

from dataclasses import dataclass, field

import torch

__all__ = ["Cell", "Factor", "Side", "Splitter"]


@dataclass(frozen=True, eq=False)
class Side:
    """The modes on one side of a partition, and the templates that every index shows there.

    Parameters
    ----------
    modes : tuple of int
    indices : torch.Tensor of int64, shape (n, modes)
    representation : torch.Tensor, shape (templates, M)
        F, the representation values of every template.
    """

    modes: tuple[int, ...]
    indices: torch.Tensor
    representation: torch.Tensor

    def values(self, mode: int) -> torch.Tensor:
        """The representation values at a mode, for every index: (M, n)."""
        return self.representation[self.indices[:, self.modes.index(mode)]].T

    def labels(self, modes: frozenset[int]) -> torch.Tensor:
        """One number per index, the same for indices that agree on the given modes: (n,).

        Examples
        --------
        >>> side = Side((3, 5), torch.tensor([[0, 1], [1, 1], [0, 0]]), torch.eye(2))
        >>> side.labels(frozenset([5])).tolist()
        [1, 1, 0]
        """
        seen = self.indices[:, [i for i, mode in enumerate(self.modes) if mode in modes]]
        count = len(self.representation)
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
        part = getattr(self, side)  # centered, as long as it grows: `reduce` takes twice as long
        setattr(self, side, factor if part is None else arithmetic.center_(part * factor))


@dataclass(frozen=True, eq=False)
class Factor:
    """One affine map ``matrix @ cell + bias``, of shapes (D, C) and (D,) or None."""

    matrix: torch.Tensor
    bias: torch.Tensor | None
    cell: Cell

    def apply(self, values: torch.Tensor, arithmetic) -> torch.Tensor:
        """The map on values of shape (C, n)."""
        mapped = arithmetic.matmul(self.matrix, values)  # (D, n)
        return mapped if self.bias is None else arithmetic.center_(mapped + self.bias[:, None])


@dataclass(frozen=True, eq=False)
class Splitter:
    """Products of affine maps of cells, sorted by what the cells see.

    A specification computes its output from input cells and a product of affine maps
    (:meth:`ModeTree.output_cell`, :meth:`Architecture.output_cell`); this is the one and the other
    for a matricization.

    Parameters
    ----------
    rows, columns : Side
    arithmetic : Real or Modular

    Examples
    --------
    >>> from lib.exact.arithmetic import Real
    >>> templates, zeros = torch.eye(2).double(), torch.zeros(5, 1, dtype=torch.int64)
    >>> splitter = Splitter(Side((0,), zeros, templates), Side((1,), zeros[:3], templates), Real())
    >>> left, right = splitter.input_cells().values()
    >>> left.row.shape, right.column.shape
    (torch.Size([2, 5]), torch.Size([2, 3]))
    >>> double = torch.full((1, 2), 2.0, dtype=torch.float64)
    >>> result = splitter.multiply([(double, None, cell) for cell in (left, left, right)])
    >>> result.row[0, 0].item(), result.column[0, 0].item(), result.factors
    (4.0, 2.0, [])
    """

    rows: Side
    columns: Side
    arithmetic: object

    def input_cells(self) -> dict[int, Cell]:
        """The representation layer: the cell of every mode, on the side where it stands."""
        cells = {m: Cell(row=self.rows.values(m), row_modes=frozenset([m]))
                 for m in self.rows.modes}
        for m in self.columns.modes:
            cells[m] = Cell(column=self.columns.values(m), column_modes=frozenset([m]))
        return cells

    def multiply(self, maps: list[tuple]) -> Cell:
        """The product of affine maps (matrix, bias, cell); a cell of None is padding."""
        total, constant = Cell(), None
        for matrix, bias, cell in maps:
            factor = Factor(matrix, bias, cell)
            if cell is None:  # only the bias is left
                value = torch.zeros_like(matrix[:, 0]) if bias is None else bias
                constant = value if constant is None else self.arithmetic.multiply(constant, value)
                continue
            total.row_modes |= cell.row_modes
            total.column_modes |= cell.column_modes
            if cell.is_mixed:
                total.factors.append(factor)
            else:
                side = "row" if cell.row_modes else "column"
                values = factor.apply(getattr(cell, side), self.arithmetic)
                total.scale(values, side, self.arithmetic)
        if constant is not None:
            side, among = ("row", self.rows) if total.row_modes else ("column", self.columns)
            spread = constant[:, None].expand(-1, len(among.indices))
            total.scale(spread, side, self.arithmetic)
        return total
