"""Partitions, matricization and generalized products: values, edge cases, messages."""

import itertools

import numpy as np
import pytest
import torch

from lib.trees.tensors import (
    OPERATORS,
    activation_pooling,
    generalized_product,
    indices,
    khatri_rao,
    matricize,
    sample_indices,
    split_modes,
)


def test_named_partitions_on_a_grid():
    assert split_modes("left-right", (2, 4)) == ((0, 1, 4, 5), (2, 3, 6, 7))
    assert split_modes("top-bottom", (4, 2)) == ((0, 1, 2, 3), (4, 5, 6, 7))
    assert split_modes("checkerboard", (2, 2)) == ((0, 3), (1, 2))
    assert split_modes("left-right", 5) == ((0, 1), (2, 3, 4))
    assert split_modes([], 3) == ((), (0, 1, 2))


@pytest.mark.parametrize(
    ("rows", "shape", "message"),
    [
        ([0, 0], 4, "more than once"),
        ([4], 4, "outside 0..3"),
        ([-1], 4, "outside"),
        (["0"], 4, "not an integer"),
        ([True], 4, "not an integer"),
        ("diagonal", 4, "unknown name 'diagonal'; known: even-odd"),
        ("top-bottom", 4, "needs a"),
        ([0], (2, 2, 2), "neither a length"),
    ],
)
def test_wrong_partitions_are_named(rows, shape, message):
    with pytest.raises(ValueError, match=message):
        split_modes(rows, shape)


def test_matricize_against_a_loop():
    rng = np.random.default_rng(0)
    array = rng.integers(0, 100, (2, 3, 4, 5))
    for size in range(5):
        for rows in itertools.combinations(range(4), size):
            columns = [m for m in range(4) if m not in rows]
            matrix = matricize(torch.as_tensor(array), rows)
            for entry in itertools.product(*map(range, array.shape)):
                i = j = 0
                for m in rows:
                    i = i * array.shape[m] + entry[m]
                for m in columns:
                    j = j * array.shape[m] + entry[m]
                assert matrix[i, j] == array[entry]


def test_matricize_rejects_a_grid_that_does_not_fit():
    with pytest.raises(ValueError, match="does not have the 6 modes"):
        matricize(torch.zeros(2, 2), "left-right", grid=(2, 3))


def test_indices_are_lexicographic_and_samples_distinct():
    assert indices(3, 2).tolist() == [list(t) for t in itertools.product(range(3), repeat=2)]
    assert indices(2, 0).shape == (1, 0)
    for samples in (0, 1, 7, 8):
        drawn = sample_indices(2, 3, samples, torch.Generator().manual_seed(1))
        assert len({tuple(row) for row in drawn.tolist()}) == samples == len(drawn)
    many = sample_indices(2, 30, 1000, torch.Generator().manual_seed(1))
    assert len(torch.unique(many, dim=0)) == 1000
    with pytest.raises(ValueError, match="9 samples asked of 2 \\*\\* 3 = 8"):
        sample_indices(2, 3, 9, torch.Generator())


def test_khatri_rao_columns_are_kronecker_products():
    rng = np.random.default_rng(0)
    factors = [rng.integers(-5, 5, (m, 4)) for m in (2, 3, 2)]
    product = khatri_rao([torch.as_tensor(f) for f in factors]).numpy()
    for z in range(4):
        column = np.kron(np.kron(factors[0][:, z], factors[1][:, z]), factors[2][:, z])
        assert (product[:, z] == column).all()
    with pytest.raises(ValueError, match="same number of columns"):
        khatri_rao([torch.zeros(2, 3), torch.zeros(2, 2)])
    with pytest.raises(ValueError, match="no factors"):
        khatri_rao([])
    assert khatri_rao([torch.zeros(2, 0), torch.zeros(3, 0)]).shape == (6, 0)


def test_generalized_product_is_the_outer_product_for_multiplication():
    a, b = torch.arange(6).reshape(2, 3), torch.arange(1, 5)
    expected = np.multiply.outer(a.numpy(), b.numpy())
    assert (generalized_product(a, b, torch.mul).numpy() == expected).all()


@pytest.mark.parametrize("name", list(OPERATORS))
def test_operators_are_associative_and_commutative(name):
    operator = activation_pooling(*name)
    a, b, c = torch.randint(-9, 9, (3, 500), generator=torch.Generator().manual_seed(0))
    assert torch.equal(operator(a, b), operator(b, a))
    assert torch.equal(operator(operator(a, b), c), operator(a, operator(b, c)))


def test_the_mean_is_refused_because_it_is_not_associative():
    mean = lambda a, b: (a + b) / 2  # noqa: E731
    assert mean(mean(0, 0), 1) != mean(0, mean(0, 1))
    with pytest.raises(ValueError, match="associative operator='relu/mean'"):
        activation_pooling("relu", "mean")


def test_products_that_their_type_cannot_hold_are_refused():
    small = torch.full((2, 2), 100, dtype=torch.int8)
    with pytest.raises(OverflowError, match="khatri_rao: products up to 10000 do not fit .*int8"):
        khatri_rao([small, small])
    with pytest.raises(OverflowError, match="generalized_product: products up to"):
        generalized_product(torch.tensor([2**40]), torch.tensor([-(2**40)]), torch.mul)
    assert khatri_rao([small.long()] * 3).unique().tolist() == [10**6]


@pytest.mark.parametrize("dim, count, words", [
    (2.5, 3, "need integers"), (2, -1, "count >= 0"), (0, 2, "dim >= 1"),
    (2, 40, "fit into memory")])
def test_index_tuples_that_cannot_be_listed(dim, count, words):
    with pytest.raises(ValueError, match=words):
        indices(dim, count)


def test_only_tensors_are_matricized():
    with pytest.raises(TypeError, match="needs a tensor, got int"):
        matricize(5, [0])
