"""The two arithmetics against Python's integers, at the edges of what float64 holds exactly."""

import numpy as np
import pytest
import torch

from lib.constructions.pieces import fit
from lib.exact.arithmetic import DEFAULT_PRIME, FEW, LARGEST_EXACT, Modular, Real
from lib.exact.device import generator
from lib.exact.residues import is_prime

PRIMES = [2, 3, 5, 7, 101, 65537, 4194301, DEFAULT_PRIME]


def integers(tensor):
    """Return the entries as Python ints, checking that each is one."""
    assert tensor.dtype == torch.float64
    assert all(value.is_integer() for value in tensor.reshape(-1).tolist())
    return np.array([int(v) for v in tensor.reshape(-1).tolist()], dtype=object).reshape(
        tuple(tensor.shape)
    )


def exact_product(a, b, prime):
    return np.matmul(integers(a), integers(b)) % prime


def edge_values(prime):
    """Return integers where a quotient by `prime` is most easily rounded to a wrong neighbor."""
    limit = LARGEST_EXACT - prime
    multiples = [0, 1, 2, prime, prime**2, limit // prime, limit // prime - 1, limit // (2 * prime)]
    near = [k * prime + offset for k in multiples for offset in (-2, -1, 0, 1, 2)]
    halves = [k * prime + prime // 2 + offset for k in multiples for offset in (-1, 0, 1, 2)]
    draws = np.random.default_rng(prime).integers(-limit, limit, 5000, endpoint=True).tolist()
    values = near + halves + draws + [limit, limit - 1]
    return [sign * v for v in values for sign in (1, -1) if abs(v) <= limit]


@pytest.mark.parametrize("prime", PRIMES)
@pytest.mark.parametrize("length", [FEW, 20000])   # few entries at a time go another way
def test_reduce_equals_python_remainder(prime, length):
    values = edge_values(prime)
    pieces = torch.tensor(values, dtype=torch.float64).split(length)
    assert len(pieces[0]) == FEW or len(pieces) == 1
    residues = torch.cat([Modular(prime).reduce(piece) for piece in pieces])
    assert [int(r) for r in residues.tolist()] == [v % prime for v in values]
    assert not torch.signbit(residues).any()  # no -0.0, which would print as one


@pytest.mark.parametrize("prime", PRIMES)
def test_center_is_congruent_and_small(prime):
    values = edge_values(prime)
    centered = Modular(prime).center(torch.tensor(values, dtype=torch.float64)).tolist()
    assert [int(c) % prime for c in centered] == [v % prime for v in values]
    assert max(abs(int(c)) for c in centered) <= prime // 2 + 2


def test_reduce_leaves_its_argument_alone():
    values = torch.tensor([-1.0, 9.0], dtype=torch.float64)
    Modular(7).reduce(values)
    assert values.tolist() == [-1, 9]


@pytest.mark.parametrize("prime", PRIMES)
@pytest.mark.parametrize("inner", [0, 1, 127, 128, 129, 300, 512, 513, 2000])
def test_matmul_is_exact_for_the_largest_entries(prime, inner):
    """Entries near p - 1, and near +-p/2 once centered; odd ones, so that no rounding hides."""
    field, draw = Modular(prime), np.random.default_rng(inner)
    for largest in (prime - 1, prime // 2, prime // 2 + 60):
        entries = (largest - draw.integers(0, min(prime, 50), (2, inner))) % prime
        a = field.tensor(entries)
        assert (integers(field.matmul(a, a.T)) == exact_product(a, a.T, prime)).all()


@pytest.mark.parametrize(
    "left, right",
    [
        ((3, 4, 5), (5, 2)),
        ((4, 5), (3, 5, 2)),
        ((2, 1, 3, 700), (4, 700, 2)),
        ((700,), (700,)),
        ((3, 1100), (1100,)),
        ((1100,), (2, 1100, 3)),
        ((0, 6), (6, 2)),
    ],
)
def test_matmul_broadcasts_as_torch_does(left, right):
    field = Modular()
    a, b = field.random(left, generator(0)), field.random(right, generator(1))
    expected = exact_product(a, b, field.prime)
    product = field.matmul(a, b)
    assert tuple(product.shape) == np.shape(expected)
    assert (integers(product) == expected).all()


def test_add_and_multiply_wrap_around():
    field = Modular()
    most = field.tensor([field.prime - 1])
    assert field.add(most, most).item() == field.prime - 2
    assert field.multiply(most, most).item() == 1
    assert field.add(field.tensor([[1], [2]]), field.tensor([3, 4])).tolist() == [[4, 5], [5, 6]]


@pytest.mark.parametrize("length", range(8))
def test_prod_along_each_dimension(length):
    field = Modular(101)
    x = field.random((3, length, 2), generator(length))
    expected = np.multiply.reduce(integers(x), axis=1) % 101
    for dim in (1, -2):
        assert (integers(field.prod(x, dim)) == expected).all()
    assert (Real().prod(x, 1) == torch.prod(x, 1)).all()


@pytest.mark.parametrize("prime", PRIMES)
def test_inverse_times_matrix_is_the_identity(prime):
    field = Modular(prime)
    lower = torch.tril(field.random((12, 12), generator(1)), -1) + torch.eye(12)
    matrix = field.matmul(lower, lower.T)[torch.randperm(12, generator=generator(2))]
    identity = torch.eye(12, dtype=torch.float64)
    assert torch.equal(field.matmul(field.inverse(matrix), matrix), identity)
    assert torch.equal(field.matmul(matrix, field.inverse(matrix)), identity)


def test_inverse_of_unusual_matrices():
    assert Modular(7).inverse(torch.empty(0, 0, dtype=torch.float64)).shape == (0, 0)
    exchange = torch.eye(3, dtype=torch.float64).flip(0)  # a zero where the first pivot stands
    assert torch.equal(Modular(7).inverse(exchange), exchange)
    for arithmetic in (Modular(7), Real()):
        with pytest.raises(ValueError, match="2 × 2 matrix is singular"):
            arithmetic.inverse(arithmetic.tensor([[1, 2], [2, 4]]))
        with pytest.raises(ValueError, match=r"square matrix, got shape \(2, 3\)"):
            arithmetic.inverse(torch.ones(2, 3, dtype=torch.float64))


def test_singular_matrices_that_elimination_leaves_a_pivot():
    """Whose third column is the sum of the first two: the last pivot is made of roundings."""
    field = Real()
    for size in (2, 3, 5, 8, 16):
        for seed in range(20):
            matrix = torch.randint(256, (size, size), generator=generator(seed)).double() / 10
            inverse = field.inverse(matrix)
            assert torch.allclose(matrix @ inverse, torch.eye(size).double(), atol=1e-8)
            matrix[:, -1] = 3 * matrix[:, 0] if size == 2 else matrix[:, 0] + matrix[:, 1]
            with pytest.raises(ValueError, match="singular, as far as float64 can tell"):
                field.inverse(matrix)
    for scale in (1e-200, 1e-6, 1e200):    # far from singular, in other units
        assert field.inverse(scale * torch.eye(2).double()).max() == 1 / scale
    units = torch.diag(torch.tensor([1.0, 1e-30, 1e30]).double())
    assert torch.equal(field.inverse(units), torch.diag(1 / units.diag()))
    assert field.inverse(torch.empty(0, 0, dtype=torch.float64)).shape == (0, 0)
    with pytest.raises(ValueError, match="3 × 3 matrix is singular"):
        fit(torch.arange(1, 10).view(3, 3).double(), torch.eye(3).double(), 0, field)


def test_singular_modulo_p_alone():
    matrix = [[7, 0], [0, 1]]
    assert Modular(5).inverse(Modular(5).tensor(matrix)).tolist() == [[3, 0], [0, 1]]
    with pytest.raises(ValueError, match="singular modulo 7"):
        Modular(7).inverse(Modular(7).tensor(matrix))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
def test_tensor_takes_every_integer_type(dtype):
    info = np.iinfo(dtype)
    values = np.array([info.min, info.min + 1, 0, 1, info.max - 1, info.max], dtype=dtype)
    for prime in (5, DEFAULT_PRIME):
        assert Modular(prime).tensor(values).tolist() == [int(v) % prime for v in values]


@pytest.mark.parametrize(
    "values",
    [
        np.array([2**64 - 1, 5], dtype=np.uint64),
        torch.tensor([2**64 - 1, 5], dtype=torch.uint64),
        [10**30, -(10**30)],
        [2**53 + 1, -(2**53) - 1],  # int64: exact, though no float64 holds them
        [True, False],
        torch.tensor([-1.0, 2.0**53 - 1], dtype=torch.float64),
        torch.tensor([-1.0, 2.0**24 - 1]),
        torch.tensor([-3, 3], dtype=torch.int32),
        np.array([1.0, -2.0], dtype=np.float32),
        np.array([[1, 2], [3, 4]])[::-1, ::-1],
        torch.arange(6).reshape(2, 3).T,
        torch.ones(2, requires_grad=True),
        7,
    ],
)
def test_tensor_reduces_any_integers(values):
    field = Modular()
    expected = np.array(values.tolist() if hasattr(values, "tolist") else values, dtype=object)
    result = field.tensor(values)
    assert tuple(result.shape) == expected.shape
    assert (integers(result) == np.vectorize(lambda v: int(v) % field.prime)(expected)).all()


@pytest.mark.parametrize("none", [[], torch.empty(0, 2), np.empty((0, 2), dtype=object)])
def test_tensor_of_no_integers(none):
    result = Modular().tensor(none)
    assert tuple(result.shape) == np.shape(none) and result.dtype == torch.float64


def test_tensor_has_no_negative_zero():
    assert not torch.signbit(Modular(7).tensor([-7.0, -0.0, 0.0, -14.0])).any()


def test_tensor_is_a_new_tensor():
    values = torch.ones(3, dtype=torch.float64)
    Modular(7).tensor(values).zero_()
    assert values.tolist() == [1, 1, 1]


@pytest.mark.parametrize("bad", [0.5, float("nan"), float("inf"), -float("inf"), 2.0**53, -1e300])
def test_tensor_rejects_what_is_no_exact_integer(bad):
    for values in ([1.0, bad], torch.tensor([[bad, 1.0]], dtype=torch.float64)):
        with pytest.raises(ValueError, match="not an exact integer"):
            Modular().tensor(values)


@pytest.mark.parametrize(
    "dtype, bits", [(torch.float32, 24), (torch.float16, 11), (torch.bfloat16, 8)]
)
def test_tensor_rejects_what_a_short_float_rounds(dtype, bits):
    largest = torch.tensor([2.0**bits - 1], dtype=dtype)
    assert Modular().tensor(largest).item() == (2**bits - 1) % DEFAULT_PRIME
    with pytest.raises(ValueError, match=f"whole numbers below {2**bits}"):
        Modular().tensor(largest + 1)


def test_tensor_finds_a_bad_entry_far_down():
    values = torch.zeros(1500, 1500, dtype=torch.float64)
    values[-1, -1] = 0.25
    with pytest.raises(ValueError, match=r"0\.25 is not an exact integer"):
        Modular().tensor(values)


@pytest.mark.parametrize("bad", [["a"], [1j], torch.tensor([1j]), [None], [[1], [2, 3]]])
def test_tensor_rejects_what_is_no_number(bad):
    with pytest.raises((TypeError, ValueError)):
        Modular().tensor(bad)


@pytest.mark.parametrize("bad", [-7, 0, 1, 4, 9, 8388607, 2895**2])
def test_modulus_must_be_prime(bad):
    with pytest.raises(ValueError, match="not a prime"):
        Modular(bad)


def test_modulus_must_be_a_small_int():
    for bad in (2**31 - 1, 8388617):  # both prime
        with pytest.raises(ValueError, match=r"below 2\*\*23"):
            Modular(bad)
    for bad in (7.0, True, "7", None):
        with pytest.raises(TypeError, match="must be an int"):
            Modular(bad)


def test_is_prime_against_a_sieve():
    sieve = np.ones(20000, dtype=bool)
    sieve[:2] = False
    for d in range(2, 142):
        sieve[d * d :: d] = False
    assert [is_prime(n) for n in range(20000)] == sieve.tolist()
    assert not any(is_prime(n) for n in range(DEFAULT_PRIME + 1, 2**23))


def test_random_is_reproducible_and_uniform():
    field = Modular(5)
    draws = field.random((50, 100), generator(3))
    assert torch.equal(draws, field.random((50, 100), generator(3)))
    counts = torch.bincount(draws.reshape(-1).to(torch.int64))
    assert len(counts) == 5 and counts.min() > 850 and counts.max() < 1150
    assert Real().random((2, 3), generator(0)).dtype == torch.float64


def test_both_arithmetics_agree_on_small_integers():
    def formula(arithmetic):
        a = arithmetic.tensor([[3, 1, 2], [0, 2, 1]])
        b = arithmetic.tensor([[1, 4], [2, 2], [5, 0]])
        c = arithmetic.add(arithmetic.matmul(a, b), arithmetic.tensor([[1, 0], [0, 1]]))
        return arithmetic.reduce(arithmetic.multiply(c, arithmetic.prod(c, 0)))

    assert torch.equal(formula(Real()), formula(Modular()))
