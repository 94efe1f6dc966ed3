"""What exact ranks accept, refuse and prove; singular values and entanglement."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from lib.exact.arithmetic import DEFAULT_PRIME, Modular
from lib.exact.device import generator
from lib.exact.ranks import (
    Certificate,
    entanglement_entropy,
    exact_rank,
    numerical_rank,
    singular_values,
)
from lib.tests.rank_oracles import rank_over_rationals


@pytest.mark.parametrize(
    "shape", [(0, 0), (0, 5), (5, 0), (1, 1), (7, 1), (1, 7), (600, 3), (3, 600)]
)
def test_zero_and_constant_matrices(shape):
    assert exact_rank(np.zeros(shape)).rank == 0
    certificate = exact_rank(np.full(shape, -3))
    assert certificate.rank == min(1, *shape)
    assert certificate.shape == shape


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor, list])
def test_input_types_and_untouched_input(convert):
    for values in ([[1, -2], [-2, 4]], [[True, False], [True, True]], [[2.0, 1.0], [4.0, 2.0]]):
        matrix = convert(values)
        assert exact_rank(matrix).rank == rank_over_rationals(values)
        assert np.array_equal(np.asarray(matrix), np.asarray(values))


def test_rank_can_drop_modulo_a_prime_but_never_rise():
    assert exact_rank([[7, 0], [0, 1]], prime=7).rank == 1
    assert exact_rank([[7, 0], [0, 1]], prime=5).rank == 2


@pytest.mark.parametrize("values", [[1, 2, 3], 5, np.zeros((2, 2, 2))])
def test_only_matrices(values):
    with pytest.raises(ValueError, match=r"matrix of shape \(m, n\), got shape"):
        exact_rank(values)


@pytest.mark.parametrize("entry", [float("nan"), float("inf"), 0.5, 2.0**53])
def test_only_exact_integers(entry):
    with pytest.raises(ValueError, match="not an exact integer"):
        exact_rank([[1.0, entry]])


def test_other_arguments_that_make_no_sense():
    with pytest.raises(ValueError, match="not a prime"):
        exact_rank([[1]], prime=8388607)
    with pytest.raises(ValueError, match=r"below 2\*\*23"):
        exact_rank([[1]], prime=2**31 - 1)
    with pytest.raises(ValueError, match="no exact float64"):
        exact_rank([[1]], device="mps")
    with pytest.raises(ValueError, match="must not be negative"):
        exact_rank([[1]], degree=-1)
    with pytest.raises(TypeError, match="degree must be an int"):
        exact_rank([[1]], degree=2.0)


def test_statement_of_a_full_rank():
    certificate = exact_rank(np.eye(3, dtype=int), whole=(9, 27), degree=4)
    assert certificate == Certificate(3, DEFAULT_PRIME, (3, 3), (9, 27), 4)
    assert certificate.full and certificate.failure_probability == 0
    assert certificate.sampled and "3 × 3 block of the matrix has rank 3" in certificate.statement
    assert str(certificate) == ("AT LEAST 3: only a block of 3 × 3 entries was looked at, out of "
                                "9 × 27; its rank is 3, full, mod 8388593")
    assert repr(certificate) == f"<Certificate: {certificate}>"
    assert "The whole matrix may" in certificate.statement
    assert "probability" not in certificate.statement


def test_statement_of_a_deficient_rank():
    certificate = exact_rank([[1, 1], [1, 1]], prime=101, degree=3)
    assert not certificate.full and not certificate.sampled
    assert str(certificate) == "rank 1 of 2 × 2, mod 101"
    assert certificate.failure_probability == pytest.approx(6 / 101)
    assert "needs a proof" in certificate.statement
    assert "probability at most 5.9e-02" in certificate.statement
    assert exact_rank([[1, 1], [1, 1]]).failure_probability is None
    assert exact_rank(np.ones((50, 50)), prime=2, degree=9).failure_probability == 1.0


def test_failure_probability_bounds_the_observed_frequency():
    """det [[a, b], [c, d]] is zero for (p**2 + p - 1) / p**3 of all matrices, below 2/p."""
    field, draw = Modular(5), generator(0)
    observed = [exact_rank(field.random((2, 2), draw), prime=5).rank < 2 for _ in range(2000)]
    certificate = Certificate(rank=1, prime=5, shape=(2, 2), degree=1)
    assert abs(np.mean(observed) - 29 / 125) < 0.04
    assert np.mean(observed) < certificate.failure_probability == 0.4


@pytest.mark.slow
def test_memory_stays_below_three_copies():
    pytest.importorskip("resource")  # Windows does not report the peak
    command = [sys.executable, "-m", "lib.benchmarks.memory", "2000"]
    on_a_cpu = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}      # a GPU holds more at this size
    output = subprocess.run(command, capture_output=True, text=True, check=True,
                            env=on_a_cpu).stdout
    copies = float(output.split(": ")[1].split()[0])
    assert 1 < copies <= 3              # the matrix itself is one


def test_singular_values_and_numerical_rank_against_numpy():
    matrix = np.random.default_rng(0).normal(size=(6, 4)) @ np.diag([3.0, 1.0, 1e-3, 0.0])
    assert np.allclose(singular_values(matrix).numpy(), np.linalg.svd(matrix)[1])
    assert numerical_rank(matrix) == np.linalg.matrix_rank(matrix) == 3
    assert numerical_rank(matrix, tolerance=0.05) == 2
    assert numerical_rank(np.zeros((0, 3))) == numerical_rank(np.zeros((2, 2))) == 0


def test_numerical_rank_is_only_a_guess():
    """A Hilbert matrix, scaled to integers, is invertible; its SVD does not show it."""
    size, scale = 16, 1
    for d in range(1, 2 * size):
        scale = np.lcm.reduce([scale, d], dtype=object)
    hilbert = [[int(scale) // (i + j + 1) for j in range(size)] for i in range(size)]
    assert exact_rank(hilbert).rank == size
    assert numerical_rank(np.array(hilbert, dtype=float)) < size


def test_entanglement_entropy():
    assert entanglement_entropy(np.eye(8), base=2) == pytest.approx(3)
    assert entanglement_entropy(np.eye(8)) == pytest.approx(np.log(8))
    assert entanglement_entropy(np.ones((3, 5))) == pytest.approx(0, abs=1e-12)
    weights = np.array([0.9, 0.1])
    assert entanglement_entropy(np.diag(1e200 * weights**0.5)) == pytest.approx(
        -(weights * np.log(weights)).sum()
    )
    with pytest.raises(ValueError, match="is zero"):
        entanglement_entropy([[0.0, 0.0]])
    with pytest.raises(ValueError, match="above 1|a finite number"):
        entanglement_entropy(np.eye(2), base=1)
    for bad in ([[float("nan")]], [1.0, 2.0]):
        with pytest.raises(ValueError, match="singular_values"):
            entanglement_entropy(bad)


@pytest.mark.parametrize("measure", [numerical_rank, entanglement_entropy])
def test_complex_entries_are_refused_instead_of_halved(measure):
    with pytest.raises(TypeError, match="must be real, got torch.complex64"):
        measure(torch.tensor([[1j, 0], [0, 1]]))


@pytest.mark.parametrize("base", [0.5, 1, 0, -2, float("nan"), float("inf")])
def test_a_logarithm_measures_with_a_base_above_one(base):
    with pytest.raises(ValueError, match="above 1|a finite number"):
        entanglement_entropy(torch.eye(2), base=base)


@pytest.mark.parametrize("tolerance", [-1e-3, float("nan"), float("inf")])
def test_a_tolerance_is_a_number_from_zero_on(tolerance):
    with pytest.raises(ValueError, match="numerical_rank: tolerance="):
        numerical_rank(torch.eye(2), tolerance=tolerance)
