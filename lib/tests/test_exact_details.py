"""Exact arithmetic where other tests do not look: devices, threads, tiles, certificates' words."""

import math
import threading
from fractions import Fraction
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lib.exact import device, elimination, ranks, residues, tiles
from lib.exact.arithmetic import (
    DEFAULT_PRIME,
    LARGEST_EXACT,
    Modular,
    Real,
    chosen_arithmetic,
    real_tensor,
)
from lib.exact.device import generator
from lib.exact.parallel_inverse import parallel_inverse
from lib.exact.ranks import (
    Certificate,
    entanglement_entropy,
    exact_rank,
    numerical_rank,
    singular_values,
)

F7, FIELD = Modular(7), Modular()
META = torch.device("meta")


def test_what_float64_holds():
    assert LARGEST_EXACT == 2**53 and float(LARGEST_EXACT) + 1 == float(LARGEST_EXACT)
    assert FIELD.prime == DEFAULT_PRIME and chosen_arithmetic("f", FIELD) is FIELD
    assert Modular(8388593) == FIELD != F7 and Real() == Real() and hash(F7) == hash(Modular(7))


@pytest.mark.parametrize("values", [None, "abc", [[1], [1, 2]], ["a"], object()])
def test_what_are_no_real_numbers_is_refused_in_the_operations_name(values):
    with pytest.raises(TypeError, match="^f: entries must be real numbers: "):
        real_tensor("f", values)


def test_arithmetics_say_where_their_tensors_are(monkeypatch):
    monkeypatch.setattr(residues, "_piece", lambda values, prime: values)   # remainders: seconds
    assert F7.tensor([1, 2], META).device == F7.random((2,), generator(0), META).device == META
    assert F7.tensor([1]).device.type == "cpu" and F7.tensor([1]).dtype == torch.float64
    assert real_tensor("f", [1], META).device == META and real_tensor("f", [1]).is_floating_point()
    assert F7.random([3], generator(0)).dtype == torch.float64
    assert Real().random([3], generator(0)).tolist() == torch.randn(
        3, generator=generator(0), dtype=torch.float64).tolist()


def test_real_numbers_pass_through():
    real, x = Real(), torch.tensor([[3.0, -2.0], [0.5, 4.0]]).double()
    assert real.reduce(x) is x and real.center_(x) is x and real.reciprocal(-4) == -0.25
    assert torch.equal(real.add(x, 2), x + 2) and torch.equal(real.multiply(x, x), x**2)
    assert torch.equal(real.prod(x, 0), x[0] * x[1]) and torch.equal(real.matmul(x, x), x @ x)
    assert torch.allclose(real.inverse(x) @ x, torch.eye(2).double())


@pytest.mark.parametrize("shape, dim", [((0, 2), 0), ((3, 0, 2), 1), ((3, 2, 0), -1), ((2, 4), 1),
                                        ((4, 3, 2), 0), ((4, 3, 5), -2)])
def test_a_product_has_one_dimension_less(shape, dim):
    x = F7.random(shape, generator(1))
    found, expected = F7.prod(x, dim), torch.prod(x, dim) % 7
    assert found.shape == expected.shape and torch.equal(found, expected)


def test_reciprocals_modulo_a_prime():
    for number in (1, -1, 3, 20, np.int64(5)):
        assert F7.reciprocal(number) * int(number) % 7 == 1 and 0 < F7.reciprocal(number) < 7
    x = torch.tensor([5.0, -11.0, 7.0]).double()
    assert F7.center_(x) is x and x.tolist() == [-2, 3, 0]
    assert F7.center(torch.tensor([5.0]).double()).tolist() == [-2]


def test_primes_from_two_on():
    assert [n for n in range(-9, 30) if residues.is_prime(n)] == [2, 3, 5, 7, 11, 13, 17, 19, 23,
                                                                  29]
    assert not residues.is_prime(2047) and residues.is_prime(8388587)


def test_residues_a_piece_at_a_time(monkeypatch):
    monkeypatch.setattr(residues, "PIECE", 3)
    values = torch.arange(-5, 6)
    for given in (values, values.double(), values.int(), values.reshape(1, 11).T):
        assert torch.equal(F7.tensor(given).reshape(-1), (values % 7).double())


def test_pieces_are_where_the_numbers_are_under_another_default_device(monkeypatch):
    monkeypatch.setattr(residues, "PIECE", 4)
    numbers = torch.arange(-5, 5)
    with META:
        found = FIELD.tensor(numbers)
    assert found.device == numbers.device and torch.equal(found, numbers.double() % FIELD.prime)


# Devices

def test_the_line_about_a_machine(monkeypatch):
    gpu = SimpleNamespace(name="A GPU", total_memory=80 * 2**30 - 2**28)     # rounded
    monkeypatch.setattr(device, "_processor", lambda: "A processor")
    monkeypatch.setattr(device.os, "cpu_count", lambda: 12)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    monkeypatch.setattr(device.platform, "python_version", lambda: "3.99")
    monkeypatch.setattr(torch.cuda, "get_device_properties", {0: gpu}.get)
    for cuda, mps, words in ((True, True, "A GPU, 80 GiB"), (False, False, "no GPU"),
                             (False, True, "Apple GPU (float32 only)")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert device.describe_device() == (
            f"A processor, 12 cores, 5 torch threads; {words}; torch {torch.__version__}, "
            "Python 3.99")


def test_the_name_of_a_chip(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device}")
    assert device.device_name("cuda:1") == "GPU cuda:1"
    text = "processor : 0\nmodel name\t: Chip: 3 GHz \nmodel name\t: another\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert device.device_name() == device.device_name("cpu") == "Chip: 3 GHz"
    monkeypatch.setattr(device.platform, "machine", lambda: "arm")
    for name, found in (("M9", "M9"), ("", "arm")):
        monkeypatch.setattr(device.platform, "processor", lambda name=name: name)
        monkeypatch.setattr(Path, "read_text", lambda *_, **__: "flags : none\n")
        assert device.device_name() == found

        def missing(*_, **__):
            raise FileNotFoundError

        monkeypatch.setattr(Path, "read_text", missing)
        assert device.device_name() == found


def test_devices_asked_for_by_hand(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.exact_device("cuda:1") == torch.device("cuda:1")
    assert device.exact_device(torch.device("cpu")) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError) as refused:
        device.exact_device("cuda")
    assert str(refused.value) == ("exact_device: cuda was asked for, but torch sees no CUDA device")
    assert generator(0).initial_seed() == 0 and generator(2**63 - 1).initial_seed() == 2**63 - 1


def test_large_matrices_move_to_a_gpu_unless_told_otherwise(monkeypatch):
    asked = []
    monkeypatch.setattr(ranks, "WORTH_MOVING", 6)
    monkeypatch.setattr(ranks, "exact_device", lambda *a: (asked.append(a), torch.device("cpu"))[1])
    for shape, name, expected in (((2, 3), None, [()]), ((1, 5), None, []), ((5, 5), None, [()]),
                                  ((2, 3), "cpu", [("cpu",)]), ((1, 2), "cpu", [("cpu",)])):
        asked.clear()
        assert exact_rank(np.ones(shape), device=name).rank == 1 and asked == expected


# Threads and tiles

@pytest.mark.parametrize("name, threads, pool", [("cpu", 1, False), ("cpu", 2, True),
                                                 ("cpu", 3, True), ("cuda", 3, False)])
def test_workers_take_all_threads_of_a_cpu(monkeypatch, name, threads, pool):
    now, made, real = [threads], [], tiles.ThreadPoolExecutor
    monkeypatch.setattr(torch, "get_num_threads", lambda: now[-1])
    monkeypatch.setattr(torch, "set_num_threads", now.append)
    monkeypatch.setattr(tiles, "ThreadPoolExecutor", lambda n: (made.append(n), real(n))[1])
    with tiles.workers(torch.device(name)) as run:
        assert now[-1] == 1 and made == [threads] * pool and (run is map) == (not pool)
        here = threading.get_ident()
        assert list(run(lambda _: threading.get_ident() == here, [1])) == [True]
        assert list(run(lambda _: threading.get_ident() == here, [1, 2])) == [not pool] * 2
        assert list(run(abs, [-3, 2, -1])) == [3, 2, 1]
    assert now[-1] == threads
    with pytest.raises(KeyError), tiles.workers(torch.device(name)):
        raise KeyError
    assert now[-1] == threads


def test_tiles_cover_every_entry_once(monkeypatch):
    monkeypatch.setattr(tiles, "TILE", (3, 5))
    monkeypatch.setattr(tiles, "TILE_ON_GPU", (4, 2))
    for height, width in product((0, 1, 3, 4, 7), (0, 1, 5, 6, 11)):
        covered = torch.zeros(height, width)
        found = tiles.tiling(covered)
        for rows, columns in found:
            assert covered[rows, columns].numel() and not covered[rows, columns].any()
            covered[rows, columns] += 1
            assert covered[rows, columns].shape[0] <= 3 and covered[rows, columns].shape[1] <= 5
        assert covered.all() and len(found) == -(-height // 3) * -(-width // 5)
    assert tiles.tiling(torch.empty(5, 3, device="meta")) == [
        (slice(0, 4), slice(0, 2)), (slice(0, 4), slice(2, 4)),
        (slice(4, 8), slice(0, 2)), (slice(4, 8), slice(2, 4))]
    assert tiles.on_gpu(torch.empty(1, device="meta")) and not tiles.on_gpu(torch.empty(1))


def test_products_in_tiles(monkeypatch):
    monkeypatch.setattr(tiles, "TILE", (2, 3))
    a, b, c = (F7.center(F7.random(shape, generator(n)))
               for n, shape in enumerate(((5, 4), (4, 7), (5, 7))))
    assert torch.equal(tiles.product(a, b, F7), F7.center(a @ b))
    expected = F7.center(c - a @ b)
    tiles.subtract_product(c, a, b, F7)
    assert torch.equal(c, expected)
    x = torch.arange(-17.0, 18).double().reshape(5, 7)
    expected = F7.center(x)
    tiles.center(x, F7)
    assert torch.equal(x, expected)


def test_blocks_as_large_as_the_prime_are_not_inverted_by_traces():
    for size in (5, 6, 7, 8):
        rows, columns, inverse = elimination._block_without_waiting(
            F7.center(torch.eye(size).double().flip(0)), F7)
        assert sorted(rows.tolist()) == sorted(columns.tolist()) == list(range(size))
        assert inverse.abs().sum() == size
    calls = []

    def watched(matrix, field):
        calls.append(matrix.shape)
        return parallel_inverse(matrix, field)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elimination, "parallel_inverse", watched)
        for shape in ((6, 6), (7, 7), (5, 6), (6, 5)):
            elimination._block_without_waiting(torch.eye(*shape).double(), F7)
    assert calls == [(6, 6)]


def test_panels_of_any_width_give_one_rank(monkeypatch):
    monkeypatch.setattr(elimination, "ROW_BY_ROW", 0)
    left, right = F7.random((23, 6), generator(0)), F7.random((6, 31), generator(1))
    for panel in (1, 2, 5, 31, 512):
        assert elimination.rank_in_place(F7.matmul(left, right), F7, panel) == 6
    assert elimination.PANEL == 512             # more would not be exact, see test_elimination


# What certificates say

SENTENCES = [
    (Certificate(2, 101, (2, 3)),
     "The 2 × 3 matrix has rank 2 modulo 101. An integer matrix with these residues has rank ≥ 2 "
     "over the rationals. If its entries are polynomials with integer coefficients, taken at "
     "parameters modulo 101, the rank is ≥ 2 for almost all real parameters. No 2 × 3 matrix has "
     "more.",
     "rank 2 of 2 × 3, full, mod 101", 0.0),
    (Certificate(3, 101, (4, 3), (8, 9), 5),
     "The 4 × 3 block of the matrix has rank 3 modulo 101. An integer matrix with these residues "
     "has rank ≥ 3 over the rationals. If its entries are polynomials with integer coefficients, "
     "taken at parameters modulo 101, the rank is ≥ 3 for almost all real parameters. No 4 × 3 "
     "matrix has more. The whole matrix may.",
     "AT LEAST 3: only a block of 4 × 3 entries was looked at, out of 8 × 9; its rank is 3, full, "
     "mod 101", 0.0),
    (Certificate(1, 1009, (2, 5), (2, 6), 3),
     "The 2 × 5 block of the matrix has rank 1 modulo 1009. An integer matrix with these residues "
     "has rank ≥ 1 over the rationals. If its entries are polynomials with integer coefficients, "
     "taken at parameters modulo 1009, the rank is ≥ 1 for almost all real parameters. That the "
     "rank is never larger does not follow: it needs a proof. For uniformly drawn parameters, the "
     "generic rank of the block modulo 1009 is larger with probability at most 5.9e-03. The whole "
     "matrix may have a larger rank.",
     "AT LEAST 1: only a block of 2 × 5 entries was looked at, out of 2 × 6; its rank is 1, mod "
     "1009", 6 / 1009),
    (Certificate(0, 7, (2, 1), None, 0),
     "The 2 × 1 matrix has rank 0 modulo 7. An integer matrix with these residues has rank ≥ 0 "
     "over the rationals. If its entries are polynomials with integer coefficients, taken at "
     "parameters modulo 7, the rank is ≥ 0 for almost all real parameters. That the rank is never "
     "larger does not follow: it needs a proof.",
     "rank 0 of 2 × 1, mod 7", 0.0),
]


@pytest.mark.parametrize("found, statement, line, probability", SENTENCES)
def test_certificates_word_by_word(found, statement, line, probability):
    assert (found.statement, str(found), repr(found)) == (statement, line, f"<Certificate: {line}>")
    assert found.failure_probability == pytest.approx(probability)
    assert found.sampled == ("block" in line) and found.full == ("full" in line)


def test_the_chance_to_miss_a_rank():
    assert Certificate(1, 7, (2, 2)).failure_probability is None
    assert Certificate(1, 7, (2, 9), degree=3).failure_probability == float(Fraction(6, 7))
    assert Certificate(1, 7, (2, 9), degree=4).failure_probability == 1.0
    assert Certificate(2, 7, (9, 2), degree=4).failure_probability == 0.0
    unknown = Certificate(1, 7, (2, 2)).statement
    assert unknown.endswith("it needs a proof.")


def test_the_ends_of_what_a_rank_takes():
    found = exact_rank([[1, 2]], whole=[1, 2], degree=0)
    assert (found.whole, found.degree, found.prime) == ((1, 2), 0, DEFAULT_PRIME)
    assert exact_rank([[1, 2]], whole=(np.int64(3), 2)).whole == (3, 2)
    assert exact_rank([[2, 0]], prime=2).rank == 0


def test_more_than_256_rows():
    """Up to 256 Python keeps one object for a number, so that `is` would do for `==`."""
    large = torch.eye(300).double()
    assert torch.equal(Real().inverse(large), large)
    found = exact_rank(large, whole=(300, 301), degree=1)
    assert found.full and found.shape == (300, 300) and found.whole == (300, 301)
    assert Certificate(int("300"), 7, (301, int("300"))).full
    assert numerical_rank(large) == 300 and len(singular_values(torch.zeros(0, 300))) == 0


# Singular values

def test_a_tolerance_grows_with_the_longer_side():
    """NumPy's rule: the largest value times the longer side times 2^-52, and only what is above."""
    for shape in ((2, 6), (6, 2)):
        for factor, rank in ((5.5, 1), (6.5, 2)):
            matrix = np.zeros(shape)
            matrix[0, 0], matrix[1, 1] = 4.0, 4 * factor * 2.0**-52
            assert numerical_rank(matrix) == rank == np.linalg.matrix_rank(matrix)
    for tolerance, rank in ((0, 2), (0.5, 1), (0.4999, 2), (1, 0)):
        assert numerical_rank([[1.0, 0.0], [0.0, 0.5]], tolerance) == rank
    assert numerical_rank(torch.zeros(3, 0)) == numerical_rank(torch.zeros(0, 0), 1) == 0


def test_a_tolerance_is_that_of_the_type_of_the_matrix():
    """A product in single precision has rank 1 as NumPy has it; a list is in double precision."""
    generator = torch.Generator().manual_seed(0)
    for kind in (torch.float16, torch.float32, torch.float64):
        a, b = (torch.randn(n, generator=generator, dtype=torch.float32).to(kind) for n in (7, 9))
        outer = torch.outer(a, b)
        assert numerical_rank(outer) == numerical_rank(outer.numpy()) == 1
        assert numerical_rank(outer, 0) > 1 or kind is torch.float64
        for factor, rank in ((1.5, 1), (2.5, 2)):
            pair = torch.diag(torch.tensor([1, factor * torch.finfo(kind).eps], dtype=kind))
            assert numerical_rank(pair) == rank
            assert numerical_rank(pair.tolist()) == (rank if kind is torch.float64 else 2)


def test_entropies_of_known_spectra():
    matrix = [[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]]                 # squares 9 : 16 of 25
    nats = -(0.36 * math.log(0.36) + 0.64 * math.log(0.64))
    assert entanglement_entropy(matrix) == pytest.approx(nats)
    for base in (2, 1.5, 10):
        assert entanglement_entropy(matrix, base) == pytest.approx(nats / math.log(base))
    assert singular_values(matrix).tolist() == [4, 3]
    assert entanglement_entropy([[1e-300, 0], [0, 1e-300]], 2) == pytest.approx(1)


def test_ranks_do_not_depend_on_the_default_device():
    matrix = Modular().random((300, 260), generator(0))
    matrix[200:], inverse = matrix[:100], Modular().inverse(matrix[:200, :200].clone())
    with torch.device("meta"):                     # where no number can be read
        assert exact_rank(matrix).rank == 200 == exact_rank(matrix.tolist()).rank
        assert torch.equal(Modular().inverse(matrix[:200, :200].clone()), inverse)
        assert Real().tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
        square = matrix[:40, :40].clone()          # as on a GPU
        rows, columns, found = elimination._block_without_waiting(square, Modular())
        assert rows.tolist() == columns.tolist() == list(range(40))
        assert torch.equal(Modular().matmul(square, found), torch.eye(40, device="cpu").double())


@pytest.mark.parametrize("draw", [Real().random, Modular().random])
def test_numbers_are_drawn_with_a_generator(draw):
    with pytest.raises(TypeError, match="random: generator=5; need a value of type Generator"):
        draw((2, 2), 5)


@pytest.mark.parametrize("beside", [0.5, 3.0, float("nan")])
def test_a_float_beside_a_long_integer_is_refused_for_its_value(beside):
    """The list is one of floats then: what cannot be an exact residue is named, not its type."""
    with pytest.raises(ValueError, match=r"1e\+19 is not an exact integer"):
        F7.tensor([10**19, beside])
