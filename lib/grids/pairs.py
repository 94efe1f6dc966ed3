"""Evaluate a cell that sees rows and columns on all pairs of a row index and a column index.

An affine map of a cell with a row part and a column part is, for all pairs at once, one matrix
product for each output channel d,

    sum over c of W[d, c] row[c, r] column[c, s] + b[d].

Products of such sums are again such sums, with the Khatri-Rao products of their parts: several
factors merge into one matrix product as long as its inner dimension stays small. And a cell is
evaluated only for the different sub-indices that it sees.
"""

import math

import torch

from .cells import Cell, Factor, Side

__all__ = ["evaluate_pairs"]

SIDES = ("row", "column")
MERGED = 32  # factors are merged up to this inner dimension
LARGEST_SUM = 256  # products of a residue and a centered residue whose sum float64 holds
TILE = {"cpu": 2**16, "cuda": 2**24}  # pairs evaluated at a time: on a CPU they stay in cache
MEMORY = {"cpu": 2**28, "cuda": 2**33}  # bytes for the values of a tile in deep networks


def evaluate_pairs(
    cell: Cell, rows: Side, columns: Side, arithmetic, out: torch.Tensor | None = None
) -> torch.Tensor:
    """The values of a cell of one channel on all pairs.

    Parameters
    ----------
    cell : Cell
    rows, columns : Side
    arithmetic : Real or Modular
    out : torch.Tensor, shape (rows, columns), optional
        Where the values are written.

    Returns
    -------
    torch.Tensor, shape (rows, columns)

    Notes
    -----
    For n row and n column indices, a cell of C channels costs one product of an (n, C + 1) and a
    (C + 1, n) matrix for each of the D channels above it while it is a row part times a column
    part, and a (D, C) @ (C, n n) product once it has factors of its own.

    Examples
    --------
    >>> from lib.exact.arithmetic import Real
    >>> templates = torch.tensor([[1.0], [2.0]])
    >>> index = torch.tensor([[0], [1]])
    >>> cell = Cell(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), [],
    ...             frozenset([0]), frozenset([1]))
    >>> evaluate_pairs(cell, Side((0,), index, templates), Side((1,), index, templates), Real())
    tensor([[3., 4.],
            [6., 8.]])
    """
    labels = _Labels(rows), _Labels(columns)
    heights, widths = len(rows.indices), len(columns.indices)
    step = _tile_side(cell, rows.indices.device.type)
    down, across = (max(step, step**2 // max(1, other)) for other in (widths, heights))
    result = rows.representation.new_empty(heights, widths) if out is None else out
    for top in range(0, heights, down):
        for left in range(0, widths, across):
            part = slice(top, top + down), slice(left, left + across)
            result[part] = arithmetic.reduce(_Tile(labels, part, arithmetic).whole(cell))
    return result


def _tile_side(cell: Cell, device: str) -> int:
    """How many rows and columns to evaluate at a time."""
    found, waiting = {cell}, [cell]
    while waiting:
        fresh = {f.cell for f in waiting.pop().factors if f.cell.factors} - found
        found |= fresh
        waiting.extend(fresh)
    channels = sum(f.matrix.shape[0] for c in found for f in c.factors[:1])
    kind = "cpu" if device == "cpu" else "cuda"
    pairs = min(TILE[kind], MEMORY[kind] // (8 * max(channels, 1)))
    return max(1, math.isqrt(pairs))


class _Labels:
    """For one side, numbers that tell apart the sub-indices of any set of modes."""

    def __init__(self, side: Side) -> None:
        self.side, self.known = side, {}

    def distinct(self, modes: frozenset[int], part: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """One place for each different sub-index in a part, and every place's sub-index."""
        if modes not in self.known:
            self.known[modes] = self.side.labels(modes)
        values, inverse = torch.unique(self.known[modes][part], return_inverse=True)
        places = torch.arange(len(inverse), device=inverse.device)
        first = torch.empty_like(values).scatter_(0, inverse, places)
        return first, inverse


class _Tile:
    """One tile of pairs, and the cells evaluated on it."""

    def __init__(self, labels, part, arithmetic) -> None:
        self.labels = dict(zip(SIDES, labels, strict=True))
        self.part = dict(zip(SIDES, part, strict=True))
        self.arithmetic = arithmetic
        self.tables, self.known = {}, {}

    def whole(self, cell: Cell) -> torch.Tensor:
        """The first channel of a cell on all pairs of the tile, (rows, columns)."""
        return _take(self.table(cell), *(self.distinct(cell, side)[1] for side in SIDES))[0]

    def distinct(self, cell: Cell, side: str) -> tuple[torch.Tensor, torch.Tensor]:
        """As :meth:`_Labels.distinct`, for what a cell sees on one side."""
        modes = cell.row_modes if side == "row" else cell.column_modes
        if (side, modes) not in self.known:
            self.known[side, modes] = self.labels[side].distinct(modes, self.part[side])
        return self.known[side, modes]

    def table(self, cell: Cell) -> torch.Tensor:
        """A cell on the different sub-indices that it sees, (channels, rows, columns)."""
        if cell not in self.tables:
            value = None
            for left, right in self.merged(cell):
                value = self.times(value, self.matmul(left.mT, right))
            for factor in cell.factors:
                if factor.cell.factors:
                    value = self.times(value, self.mapped(factor, cell))
            self.tables[cell] = value
        return self.tables[cell]

    def merged(self, cell: Cell) -> list[list[torch.Tensor]]:
        """What stands in matrix products: pairs of shapes (D, K, rows) and (D or 1, K, columns)."""
        pairs = [] if cell.row is None and cell.column is None else [self.pure(cell)]
        pairs += [self.outer(f, cell) for f in cell.factors if not f.cell.factors]
        merged = []
        for pair in pairs:
            if merged and merged[-1][0].shape[1] * pair[0].shape[1] <= MERGED:
                pair = [self.khatri_rao(a, b) for a, b in zip(merged.pop(), pair, strict=True)]
            merged.append(pair)
        return merged

    def at(self, cell: Cell, side: str, seen_by: Cell) -> torch.Tensor:
        """A cell's pure part at the sub-indices of one that sees it, (channels, n); else ones."""
        places = self.distinct(seen_by, side)[0]
        part = cell.row if side == "row" else cell.column
        if part is None:
            return torch.ones(1, len(places), dtype=torch.float64, device=places.device)
        return part[:, self.part[side]][:, places]

    def pure(self, cell: Cell) -> list[torch.Tensor]:
        """The row part and the column part as a sum of one product for each channel."""
        return [self.at(cell, side, cell)[:, None] for side in SIDES]

    def outer(self, factor: Factor, cell: Cell) -> list[torch.Tensor]:
        """An affine map of a cell without factors: the bias is the weight of a constant 1."""
        row, column = (self.at(factor.cell, side, cell) for side in SIDES)
        left = self.arithmetic.center_(factor.matrix[:, :, None] * row)  # (D, C, rows)
        right = column[None]  # (1, C, columns)
        if factor.bias is None:
            return [left, right]
        bias = factor.bias[:, None, None].expand(-1, 1, left.shape[2])
        return [torch.cat([left, bias], 1), torch.cat([right, torch.ones_like(right[:, :1])], 1)]

    def mapped(self, factor: Factor, cell: Cell) -> torch.Tensor:
        """An affine map of a cell with factors of its own, (D, rows, columns) of ``cell``."""
        below = self.table(factor.cell)
        values = self.matmul(factor.matrix, below.flatten(1), factor.bias)
        values = values.unflatten(1, below.shape[1:])
        places = [self.distinct(factor.cell, side)[1][self.distinct(cell, side)[0]]
                  for side in SIDES]
        return _take(values, *places)

    def matmul(self, a: torch.Tensor, b: torch.Tensor, bias=None) -> torch.Tensor:
        """A matrix product, centered; residues on the left, centered residues on the right."""
        long = a.shape[-1] > LARGEST_SUM
        value = self.arithmetic.matmul(a, b) if long else torch.matmul(a, b)
        if bias is not None:
            value += bias[:, None]
        return self.arithmetic.center_(value)

    def khatri_rao(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Products of every pair of rows, column by column."""
        return self.arithmetic.center_((a[:, :, None] * b[:, None]).flatten(1, 2))

    def times(self, value: torch.Tensor | None, other: torch.Tensor) -> torch.Tensor:
        """Multiply in place."""
        return other if value is None else self.arithmetic.center_(value.mul_(other))


def _take(table: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """``table[:, rows][:, :, columns]``, without a copy where nothing moves."""
    for dim, places in ((2, columns), (1, rows)):
        still = torch.arange(table.shape[dim], device=places.device)
        if len(places) != len(still) or not torch.equal(places, still):
            table = table.index_select(dim, places)
    return table
