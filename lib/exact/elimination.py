"""Exact elimination modulo a prime, built from float64 matrix products.

Everything rests on one identity. Let B be a nonsingular s x s block of A, on rows I and columns J.
Then rank A = s + rank S, where S = A[I', J'] - A[I', J] B^-1 A[I, J'] is the Schur complement on
the remaining rows I' and columns J' (Guttman's rank additivity). If B is a largest nonsingular
block of some columns of A, then S vanishes in what is left of those columns. So `rank_in_place`
strips A of one column panel after the other, and `nonsingular_block` finds a largest block by
halving until 32 x 32 entries are left, which are eliminated one by one. Nothing is assumed about
where the nonzero entries are, and almost all work is matrix products.

Residues are centered at zero (`Modular.center`) and never normalized to 0..p-1: a centered residue
is zero exactly when its class is, which is all that elimination asks, and 512 products of centered
residues of 23 bits sum to less than 2**53.
"""

from __future__ import annotations

import numpy as np
import torch

from .parallel_inverse import parallel_inverse
from .tiles import center, on_gpu, product, subtract_product, workers

PANEL = 512  # columns stripped at a time, at most 512 to keep the products exact
BESIDE = 2**15  # columns beside a panel from which it is subtracted at a time
SMALL = 32  # blocks of at most this height and width are eliminated entry by entry
ROW_BY_ROW = 128  # so are whole matrices up to this size on the CPU: there no product pays


def rank_in_place(matrix: torch.Tensor, field, panel: int = PANEL) -> int:
    """The rank of a matrix of residues, which is overwritten.

    Parameters
    ----------
    matrix : torch.Tensor, shape (m, n), float64
        Residues of `field`, row by row in memory, on the CPU or a GPU.
    field : Modular
    panel : int
        Columns eliminated at a time, at most 512.

    Returns
    -------
    int

    Examples
    --------
    >>> from lib.exact.arithmetic import Modular
    >>> field = Modular(7)
    >>> rank_in_place(field.tensor([[1, 2], [4, 1]]), field)
    1
    """
    if not on_gpu(matrix) and max(matrix.shape) <= ROW_BY_ROW:
        return _small_rank(matrix.numpy(), field.prime)
    with workers(matrix.device) as run:
        center(matrix, field, run)
        rank, rest = 0, matrix
        while rest.numel():
            left, right = rest[:, :panel], rest[:, panel:]
            pivots, columns, inverse = nonsingular_block(left, field)
            size = len(pivots)
            rank += size
            if 0 < size < len(rest):  # else nothing changes, or nothing is left
                _move_pivots_out(left, pivots)
                below = left[size:, columns]
                for part in right.split(BESIDE, dim=1):
                    top = product(inverse, part[pivots], field, run)  # (s, n')
                    _move_pivots_out(part, pivots)
                    subtract_product(part[size:], below, top, field, run)
            rest = right[size:]
        return rank


def _small_rank(work, prime):
    """Eliminate with one row after the other.

    Entries may pile up ROW_BY_ROW products before they are reduced: a row and a column are reduced
    when they are used.
    """
    rank, work = 0, _center_array(work, prime)
    while len(work):
        row, work = _center_array(work[0], prime), work[1:]
        (candidates,) = row.nonzero()
        if len(candidates):
            j, rank = candidates[0], rank + 1
            pivot = pow(int(row[j]), -1, prime)
            pivot -= prime * (2 * pivot > prime)
            column = _center_array(_center_array(work[:, j], prime) * pivot, prime)
            work -= np.outer(column, row)
    return rank


def nonsingular_block(
    matrix: torch.Tensor, field
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A largest nonsingular block of a matrix, and its inverse.

    Parameters
    ----------
    matrix : torch.Tensor, shape (m, n), float64
        Centered residues of `field`, with min(m, n) <= 512; left unchanged.
    field : Modular

    Returns
    -------
    rows, columns : torch.Tensor, shape (rank,), int64
        Where the block lies, in no particular order.
    inverse : torch.Tensor, shape (rank, rank)
        The inverse of ``matrix[rows][:, columns]``, in centered residues.

    Examples
    --------
    >>> from lib.exact.arithmetic import Modular
    >>> field = Modular(7)
    >>> nonsingular_block(field.tensor([[0, 0, 0], [0, 0, 2]]), field)
    (tensor([1]), tensor([2]), tensor([[-3.]], dtype=torch.float64))
    """
    height, width = matrix.shape
    if not matrix.any():
        return _empty_block(matrix)
    if on_gpu(matrix) and max(height, width) <= PANEL:
        return _block_without_waiting(matrix, field)
    if max(height, width) <= SMALL:
        return _small_block(matrix, field)
    if height > width:
        columns, rows, inverse = nonsingular_block(matrix.T, field)
        return rows, columns, inverse.T
    # Half of a square; else a power of two of squares, so that full rank shows in the first one.
    first = height * 2 ** ((width - 1) // height).bit_length() // 2
    return _extend_block(nonsingular_block(matrix[:, :first], field), matrix, first, field)


def _block_without_waiting(matrix, field):
    """Find a largest block of a small matrix on a GPU, where every single step is slow."""
    height, width = matrix.shape
    if height == width < field.prime:
        inverse = parallel_inverse(matrix, field)
        if inverse is not None:
            all_rows = torch.arange(height, device=matrix.device)
            return all_rows, all_rows, inverse
    block = nonsingular_block(matrix.cpu(), field)
    return tuple(part.to(matrix.device) for part in block)


def _extend_block(block, matrix, width, field):
    """Extend a largest block of the first `width` columns to one of the whole matrix."""
    rows, columns, inverse = block
    if len(rows) == len(matrix):
        return block
    others = _complement(rows, len(matrix))
    below, right = matrix[others], matrix[:, width:]
    beside = product(inverse, right[rows], field)  # B^-1 A[I, J'], (s, n')
    schur = below[:, width:]
    subtract_product(schur, below[:, columns], beside, field)
    more_rows, more_columns, corner = nonsingular_block(schur, field)
    if len(more_rows) == 0:
        return block
    # The inverse of [[B, C], [D, E]] from B^-1 and that of the Schur complement E - D B^-1 C.
    beside = product(beside[:, more_columns], corner, field)
    below = product(below[more_rows][:, columns], inverse, field)
    inverse = torch.cat(
        [
            torch.cat([field.center(inverse + beside @ below), -beside], 1),
            torch.cat([-product(corner, below, field), corner], 1),
        ]
    )
    return torch.cat([rows, others[more_rows]]), torch.cat([columns, more_columns + width]), inverse


def _small_block(matrix, field):
    """Exchange one row with one column at a time, until the block's inverse stands in its place.

    Read the matrix as y = A x. An exchange at (i, j) solves equation i for x_j and substitutes it
    into the others: y_i becomes an argument and x_j a value. At the end the exchanged x are given
    by the exchanged y: by the inverse of the block. (Entries may pile up 32 products before they
    are reduced: a row and a column are reduced when they are used.)
    """
    work = matrix.numpy().copy()
    prime = field.prime
    rows, columns, free = [], [], np.ones(work.shape[1])
    for i in range(len(work)):
        row = _center_array(work[i], prime)
        (candidates,) = np.nonzero(row * free)
        if len(candidates) == 0:
            continue
        j = candidates[0]
        pivot = _center_array(float(pow(int(row[j]), -1, prime)), prime)
        column = _center_array(_center_array(work[:, j], prime) * pivot, prime)
        work -= np.outer(column, row)
        work[i] = _center_array(row * -pivot, prime)
        work[:, j] = column
        work[i, j] = pivot
        rows.append(i)
        columns.append(j)
        free[j] = 0
    inverse = _center_array(work[np.ix_(rows, columns)], prime)
    rows, columns = (torch.tensor(places, device="cpu") for places in (rows, columns))
    return rows, columns, torch.from_numpy(inverse)


def _center_array(x, prime):
    return x - np.rint(x * (1.0 / prime)) * prime


def _empty_block(matrix):
    nothing = torch.empty(0, dtype=torch.int64, device=matrix.device)
    return nothing, nothing, matrix.new_empty(0, 0)


def _complement(rows, count):
    keep = torch.ones(count, dtype=torch.bool, device=rows.device)
    keep[rows] = False
    return keep.nonzero()[:, 0]


def _move_pivots_out(rest, pivots):
    """Overwrite pivot rows so that the other rows are those from ``len(pivots)`` on."""
    size = len(pivots)
    above = _complement(pivots[pivots < size], size)
    rest[pivots[pivots >= size]] = rest[above]
