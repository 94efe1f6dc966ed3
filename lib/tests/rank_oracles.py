"""Ranks computed in other ways: by the textbook over two fields, and by FLINT."""

from fractions import Fraction

import flint

from lib.exact.arithmetic import DEFAULT_PRIME


def textbook_rank(matrix, divide):
    """Return the rank by row echelon form; `divide` is division in some field."""
    rows, rank = [list(row) for row in matrix], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column] != 0), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, len(rows)):
            factor = divide(rows[i][column], rows[rank][column])
            rows[i] = [divide(a - factor * b, 1) for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


def rank_modulo(matrix, prime):
    return textbook_rank(matrix, lambda a, b: a * pow(b, -1, prime) % prime)


def rank_over_rationals(matrix):
    return textbook_rank([[Fraction(v) for v in row] for row in matrix], lambda a, b: a / b)


def flint_rank(matrix, prime=DEFAULT_PRIME):
    return flint.nmod_mat(*matrix.shape, matrix.ravel().tolist(), prime).rank()
