"""Elimination against the textbook, the rationals and FLINT, wherever the pivots are."""

import numpy as np
import pytest
import torch

from lib.exact import elimination, tiles
from lib.exact.arithmetic import DEFAULT_PRIME, LARGEST_EXACT, Modular
from lib.exact.device import generator
from lib.exact.elimination import nonsingular_block, rank_in_place
from lib.exact.parallel_inverse import parallel_inverse
from lib.exact.ranks import exact_rank
from lib.tests.rank_oracles import flint_rank, rank_modulo, rank_over_rationals
from lib.tests.sizes import Largest


def random_matrix(draw, prime):
    """Return a random integer matrix of a random shape, rank and pattern of zeros."""
    height, width = draw.integers(0, 25, 2)
    rank = draw.integers(0, max(1, min(height, width)) + 1)
    low_rank = draw.integers(0, prime, (height, rank)) @ draw.integers(0, prime, (rank, width))
    sparse = draw.integers(0, prime, (height, width))
    sparse *= draw.random((height, width)) < draw.choice([0.02, 0.1, 0.4])
    repeated = sparse[draw.integers(0, height, height)] if height else sparse
    return [low_rank % prime, sparse, repeated][draw.integers(3)]


@pytest.mark.parametrize("prime", [2, 3, 5, 101, DEFAULT_PRIME])
@pytest.mark.parametrize("small, panel, tile, row_by_row", [
    (32, 512, (1024, 512), 128), (32, 512, (1024, 512), 0), (1, 3, (4, 5), 0), (4, 7, (1, 30), 0),
])
def test_random_matrices_against_the_textbook(monkeypatch, prime, small, panel, tile, row_by_row):
    monkeypatch.setattr(elimination, "SMALL", small)  # small blocks: every branch is taken
    monkeypatch.setattr(elimination, "ROW_BY_ROW", row_by_row)  # 0: no matrix is small
    monkeypatch.setattr(tiles, "TILE", tile)
    field, draw = Modular(prime), np.random.default_rng(prime + small)
    for _ in range(30):
        matrix = random_matrix(draw, prime)
        expected = rank_modulo(matrix.tolist(), prime)
        assert rank_in_place(field.tensor(matrix), field, panel) == expected
        assert exact_rank(matrix.T, prime).rank == expected


@pytest.mark.parametrize("prime", [2, 5, DEFAULT_PRIME])
def test_nonsingular_block_is_largest_and_inverted(monkeypatch, prime):
    monkeypatch.setattr(elimination, "SMALL", 3)
    field, draw = Modular(prime), np.random.default_rng(prime)
    for _ in range(60):
        matrix = field.tensor(random_matrix(draw, prime))
        rows, columns, inverse = nonsingular_block(field.center(matrix), field)
        assert len(rows) == len(columns) == rank_modulo(matrix.to(int).tolist(), prime)
        assert len(set(rows.tolist())) == len(set(columns.tolist())) == len(rows)
        block = matrix[rows][:, columns]
        assert torch.equal(
            field.matmul(block, field.reduce(inverse)), torch.eye(len(rows), dtype=torch.float64)
        )


def test_small_integer_matrices_against_the_rationals():
    draw = np.random.default_rng(0)
    for _ in range(100):
        height, width = draw.integers(1, 9, 2)
        matrix = draw.integers(-3, 4, (height, 2)) @ draw.integers(-3, 4, (2, width))
        if draw.random() < 0.5:
            matrix = draw.integers(-1, 2, (height, width))
        assert exact_rank(matrix).rank == rank_over_rationals(matrix.tolist())


def structured(name, size):
    """Return a matrix whose pivots are not where elimination first looks, and its rank."""
    draw = np.random.default_rng(size)
    full = draw.integers(0, DEFAULT_PRIME, (size, size))
    third = size // 3
    if name == "zero columns first":
        full[:, : size - third] = 0
        return full, third
    if name == "zero rows first":
        full[: size - third] = 0
        return full, third
    if name == "permutation":
        return np.eye(size, dtype=int)[draw.permutation(size)], size
    if name == "anti-triangular":
        return np.fliplr(np.tril(full - 1, -1)) + np.fliplr(np.eye(size, dtype=int)), size
    if name == "repeated rows":
        return full[draw.integers(0, third, size)], None
    if name == "one dense row, one dense column":
        arrow = np.zeros((size, size), dtype=int)
        arrow[third], arrow[:, third] = 1, 1
        return arrow, 2
    if name == "Kronecker product":
        factor = draw.integers(-4, 5, (size // 8, third // 8)) @ draw.integers(
            -4, 5, (third // 8, size // 8)
        )
        return np.kron(factor, np.array([[1, 1], [1, 1]])), third // 8
    return np.kron(np.eye(size // 5, dtype=int), np.ones((5, 5), dtype=int)), size // 5


@pytest.mark.parametrize(
    "name",
    [
        "zero columns first",
        "zero rows first",
        "permutation",
        "anti-triangular",
        "repeated rows",
        "one dense row, one dense column",
        "Kronecker product",
        "blocks of ones",
    ],
)
@pytest.mark.parametrize("size", [120, pytest.param(1100, marks=pytest.mark.slow)])
def test_structured_matrices(name, size):
    matrix, rank = structured(name, size)
    rank = flint_rank(matrix) if rank is None else rank
    assert exact_rank(matrix).rank == rank
    assert exact_rank(np.ascontiguousarray(matrix.T)).rank == rank


@pytest.mark.parametrize(
    "shape, rank", [((1200, 700), 700), ((300, 2000), 300),
                    pytest.param((1500, 1300), 650, marks=pytest.mark.slow)]
)
def test_large_matrices_against_flint(shape, rank):
    field = Modular()
    matrix = field.matmul(
        field.random((shape[0], rank), generator(1)), field.random((rank, shape[1]), generator(2))
    )
    assert exact_rank(matrix).rank == rank == flint_rank(matrix.to(torch.int64).numpy())


def test_worst_case_entries_stay_exact():
    """Entries +-(p-1)/2 with every sum of 512 products near 2**53."""
    size = 1200
    half = DEFAULT_PRIME // 2
    signs = np.sign(np.random.default_rng(0).integers(0, 2, (size, 30)) - 0.5).astype(int)
    matrix = half * np.repeat(signs, size // 30, axis=1)
    assert exact_rank(matrix).rank == flint_rank(matrix % DEFAULT_PRIME) == 30
    bound = DEFAULT_PRIME // 2 + 2
    assert elimination.PANEL * bound**2 + bound <= LARGEST_EXACT - DEFAULT_PRIME


def test_largest_matrix_row_by_row_stays_exact():
    """As many products as can pile up, all of the largest size."""
    size, half = elimination.ROW_BY_ROW, DEFAULT_PRIME // 2
    signs = np.random.default_rng(1).choice([-1, 1], (size, size))
    assert exact_rank(half * signs).rank == flint_rank(half * signs % DEFAULT_PRIME)
    assert size <= elimination.PANEL  # whose bound is above


@pytest.mark.parametrize("prime", [7, 101, DEFAULT_PRIME])
def test_parallel_inverse_against_elimination(prime):
    field, draw = Modular(prime), generator(prime)
    for size in (1, 2, 3, 4, 5, 6, 31, 32, 90)[: 6 if prime == 7 else None]:
        matrix = field.random((size, size), draw)
        rank = exact_rank(matrix, prime).rank
        inverse = parallel_inverse(field.center(matrix), field)
        assert (inverse is None) == (rank < size)
        if inverse is not None:
            assert torch.equal(field.reduce(inverse), field.inverse(matrix))
        if size > 1:
            matrix[0] = matrix[-1]
            assert parallel_inverse(field.center(matrix), field) is None


def test_parallel_inverse_divides_by_the_size():
    with pytest.raises(ValueError, match="size 7 is not below the prime 7"):
        parallel_inverse(torch.eye(7, dtype=torch.float64), Modular(7))


def test_elimination_as_on_a_gpu(monkeypatch):
    """The path of a GPU, taken on the CPU: blocks inverted at once, or sent to the CPU."""
    field = Modular()
    for shape in ((90, 90), (90, 50), (60, 90)):
        matrix = field.center(field.random(shape, generator(1)))
        matrix[:, 0] = matrix[:, 1]
        rows, columns, inverse = elimination._block_without_waiting(matrix, field)
        assert len(rows) == min(shape[0], shape[1] - 1)
    monkeypatch.setattr(elimination, "PANEL", 64)
    monkeypatch.setattr(elimination, "on_gpu", lambda matrix: matrix.shape == (64, 64))
    left, right = field.random((500, 192), generator(2)), field.random((192, 500), generator(3))
    assert rank_in_place(field.matmul(left, right), field, panel=64) == 192  # three blocks


@pytest.mark.parametrize("rank", [200, 300])
def test_a_wide_matrix_is_not_copied(monkeypatch, rank):
    monkeypatch.setattr(elimination, "BESIDE", 64)
    field = Modular()
    matrix = field.matmul(field.random((300, rank), generator(1)),
                          field.random((rank, 4096), generator(2)))
    with Largest() as largest:
        assert elimination.rank_in_place(matrix, field) == rank
    assert largest.bytes <= matrix.nbytes // 8                  # a panel
