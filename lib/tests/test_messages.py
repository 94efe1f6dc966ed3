"""Every refusal of exact arithmetic and of bounds, word by word.

A message tells what would be valid: its numbers are held to as much as a result is. Where a
condition has several parts, each part alone is broken.
"""

import math

import numpy as np
import pytest
import torch

from lib import Architecture, Bound
from lib.bounds import crossing, private, shifts
from lib.bounds.matching import maximum_matching
from lib.bounds.overlap import (
    cut_axis,
    cut_position,
    missing_hypotheses,
    published_base,
    sampled_rows,
)
from lib.bounds.partitions import split_modes
from lib.bounds.receptive import digits, total_stride
from lib.exact.arithmetic import Modular, Real, chosen_arithmetic
from lib.exact.device import exact_device, generator
from lib.exact.parallel_inverse import parallel_inverse
from lib.exact.ranks import entanglement_entropy, exact_rank, numerical_rank, singular_values
from lib.exact.residues import residues
from lib.tests.networks import line
from lib.tests.sentences import refusal

F7 = Modular(7)
LINE = line(8, 2, (3, 1, 2), (2, 2, 2), (4, 4, 1))
OBLONG = Architecture((12, 9), 2, (((2, 3), (2, 1), 3), ((3, 2), (1, 3), 2), ((6, 3), (6, 3), 1)))


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64)


CALLS = [
    (lambda: Real().inverse(ones(2, 3)),
     "ValueError: Real.inverse: needs a square matrix, got shape (2, 3)"),
    (lambda: Real().inverse(ones(2, 2, 2)),
     "ValueError: Real.inverse: needs a square matrix, got shape (2, 2, 2)"),
    (lambda: Real().inverse(ones(2)),
     "ValueError: Real.inverse: needs a square matrix, got shape (2,)"),
    (lambda: Real().inverse(ones(2, 2)),
     "ValueError: Real.inverse: the 2 × 2 matrix is singular, as far as float64 can tell; "
     "Modular.inverse is exact"),
    (lambda: Real().inverse(torch.eye(2)),
     "TypeError: Real.inverse: needs a tensor of float64, got torch.float32; see Real.tensor"),
    (lambda: Real().inverse([[1.0]]),
     "TypeError: Real.inverse: needs a tensor of float64, got list; see Real.tensor"),
    (lambda: Real().tensor([1j]),
     "TypeError: Real.tensor: entries must be real, got torch.complex64"),
    (lambda: residues([[-1, 10]], 7.5),
     "TypeError: residues: prime=7.5; need an integer from 2 to 9007199254740992"),
    (lambda: residues([[-1, 10]], -7),
     "ValueError: residues: prime=-7; need an integer from 2 to 9007199254740992"),
    (lambda: crossing.separated_pairs(0, 8, 3, 4),
     "ValueError: separated_pairs: step=0; need an integer >= 1"),
    (lambda: crossing.separated_pairs(1, 8, 3, 4.0),
     "TypeError: separated_pairs: extent, shift, cut=4.0; need an integer >= 0"),
    (lambda: crossing.farthest_reaching(1, 8, (0, -1), 4),
     "ValueError: farthest_reaching: reachable=-1; need an integer >= 0"),
    (lambda: crossing.template_base(LINE, 0),
     "ValueError: template_base: layer=0; need an integer from 1 to 3"),
    (lambda: published_base(LINE, -1),
     "ValueError: published_base: layer=-1; need an integer from 1 to 3"),
    (lambda: sampled_rows(LINE, -1, 0),
     "ValueError: sampled_rows: layer=-1; need an integer from 0 to 3"),
    (lambda: private.joined_fields((1, 2), (-1, 2)),
     "ValueError: joined_fields: highs=-1; need an integer >= 0"),
    (lambda: private.joined_fields((0, 2), (1, 2), 3),
     "ValueError: joined_fields: units=0; need an integer >= 1"),
    (lambda: private.joined_fields((1, 2), (1, 2), 0),
     "ValueError: joined_fields: most=0; need an integer >= 1"),
    (lambda: private.private_columns(-1, 4, 2, 8, 4),
     "ValueError: private_columns: start, field, step, extent and cut=-1; need an integer >= 0"),
    (lambda: private.row_strips(OBLONG, 1, 5),
     "ValueError: row_strips: axis=5; need an integer from -2 to 1"),
    (lambda: Modular(True), "TypeError: Modular: prime must be an int, got True"),
    (lambda: Modular(7.0), "TypeError: Modular: prime must be an int, got 7.0"),
    (lambda: Modular(8388608),
     "ValueError: Modular: prime 8388608 is too large for exact float64 products; it must be "
     "below 2**23 = 8388608, for example 8388593"),
    (lambda: Modular(9),
     "ValueError: Modular: 9 is not a prime, so it has no field of residues; use for example "
     "8388593"),
    (lambda: Modular(1),
     "ValueError: Modular: 1 is not a prime, so it has no field of residues; use for example "
     "8388593"),
    (lambda: F7.tensor(["a"]), "TypeError: Modular.tensor: entries must be integers, got <U1"),
    (lambda: F7.tensor(torch.tensor([1j])),
     "TypeError: Modular.tensor: entries must be integers, got torch.complex64"),
    (lambda: F7.tensor([1j]),
     "TypeError: Modular.tensor: entries must be integers, got complex128"),
    (lambda: F7.tensor(np.array(["2020-01-01"], "datetime64[D]")),
     "TypeError: Modular.tensor: entries must be integers, got datetime64[D]"),
    (lambda: F7.tensor(torch.ones(2).to_sparse()),
     "TypeError: Modular.tensor: a torch.sparse_coo tensor; need a dense one with numbers"),
    (lambda: F7.tensor(torch.ones(2, device="meta")),
     "TypeError: Modular.tensor: a meta tensor; need a dense one with numbers"),
    (lambda: Real().tensor(torch.ones(2, device="meta")),
     "TypeError: Real.tensor: a meta tensor; need a dense one with numbers"),
    (lambda: Real().tensor(np.ma.array([1.0, 2.0], mask=[False, True])),
     "TypeError: Real.tensor: a masked array, and what is masked has no number; fill it first"),
    (lambda: F7.tensor([0.0, 0.5]),
     "ValueError: Modular.tensor: 0.5 is not an exact integer; entries of type torch.float64 "
     "must be whole numbers below 9007199254740992 in absolute value"),
    (lambda: F7.tensor(torch.tensor([1.0, 2.0**24])),
     "ValueError: Modular.tensor: 16777216.0 is not an exact integer; entries of type "
     "torch.float32 must be whole numbers below 16777216 in absolute value"),
    (lambda: F7.tensor([2.0**53]),
     "ValueError: Modular.tensor: 9007199254740992.0 is not an exact integer; entries of "
     "type torch.float64 must be whole numbers below 9007199254740992 in absolute value"),
    (lambda: F7.tensor(torch.tensor([2049.0]).half()),
     "ValueError: Modular.tensor: 2048.0 is not an exact integer; entries of type "
     "torch.float16 must be whole numbers below 2048 in absolute value"),
    (lambda: F7.reduce(torch.eye(2)),
     "TypeError: Modular.reduce: needs a tensor of float64 integers, got torch.float32; see "
     "Modular.tensor"),
    (lambda: F7.center(torch.eye(2)),
     "TypeError: Modular.center: needs a tensor of float64 integers, got torch.float32; see "
     "Modular.tensor"),
    (lambda: F7.matmul(torch.eye(2), ones(2, 2)),
     "TypeError: Modular.matmul: needs a tensor of float64 integers, got torch.float32; see "
     "Modular.tensor"),
    (lambda: F7.matmul(ones(2, 2), torch.eye(2)),
     "TypeError: Modular.matmul: needs a tensor of float64 integers, got torch.float32; see "
     "Modular.tensor"),
    (lambda: F7.matmul(ones(2, 2), 3),
     "TypeError: Modular.matmul: needs a tensor of float64 integers, got int; see Modular.tensor"),
    (lambda: F7.reciprocal(-14), "ValueError: Modular.reciprocal: -14 is 0 modulo 7"),
    (lambda: F7.reciprocal(2.0), "TypeError: Modular.reciprocal: number=2.0; need an integer"),
    (lambda: F7.multiply(torch.eye(2), 3),
     "TypeError: Modular.multiply: Tensor of torch.float32 and shape (2, 2) and 3; need "
     "float64 integers, see Modular.tensor"),
    (lambda: F7.multiply(2, 3),
     "TypeError: Modular.multiply: 2 and 3; need float64 integers, see Modular.tensor"),
    (lambda: F7.inverse(ones(2, 3)),
     "ValueError: Modular.inverse: needs a square matrix, got shape (2, 3)"),
    (lambda: F7.inverse(ones(2, 2, 2)),
     "ValueError: Modular.inverse: needs a square matrix, got shape (2, 2, 2)"),
    (lambda: F7.inverse(ones(3, 3)),
     "ValueError: Modular.inverse: the 3 × 3 matrix is singular modulo 7"),
    (lambda: F7.inverse(torch.eye(2)),
     "TypeError: Modular.inverse: needs a tensor of float64 integers, got torch.float32; see "
     "Modular.tensor"),
    (lambda: chosen_arithmetic("f", 7),
     "TypeError: f: arithmetic=7; need a value of type Real or Modular"),
    (lambda: exact_device("mps"),
     "ValueError: exact_device: mps has no exact float64; use 'cpu' or 'cuda'"),
    (lambda: generator(True), "TypeError: generator: seed must be an int, got True"),
    (lambda: generator(1.0), "TypeError: generator: seed must be an int, got 1.0"),
    (lambda: generator(-1), "ValueError: generator: seed must lie between 0 and 2**63 - 1, got -1"),
    (lambda: generator(2**63),
     "ValueError: generator: seed must lie between 0 and 2**63 - 1, got 9223372036854775808"),
    (lambda: parallel_inverse(torch.eye(7).double(), F7),
     "ValueError: parallel_inverse: size 7 is not below the prime 7"),
    (lambda: exact_rank([[1]], degree=True),
     "TypeError: exact_rank: degree must be an int or None, got True"),
    (lambda: exact_rank([[1]], degree=1.0),
     "TypeError: exact_rank: degree must be an int or None, got 1.0"),
    (lambda: exact_rank([[1]], degree=-1),
     "ValueError: exact_rank: degree must not be negative, got -1"),
    (lambda: exact_rank([1, 2]),
     "ValueError: exact_rank: needs a matrix of shape (m, n), got shape (2,)"),
    (lambda: exact_rank([[[1]]]),
     "ValueError: exact_rank: needs a matrix of shape (m, n), got shape (1, 1, 1)"),
    (lambda: exact_rank([[1, 2]], whole=(1,)),
     "ValueError: exact_rank: whole=(1,); need the shape of a matrix that has a block of 1 × 2"),
    (lambda: exact_rank([[1, 2]], whole=(1, 2, 3)),
     "ValueError: exact_rank: whole=(1, 2, 3); need the shape of a matrix that has a block "
     "of 1 × 2"),
    (lambda: exact_rank([[1, 2]], whole=(0, 2)),
     "ValueError: exact_rank: whole=(0, 2); need the shape of a matrix that has a block of 1 × 2"),
    (lambda: exact_rank([[1, 2]], whole=(1, 1)),
     "ValueError: exact_rank: whole=(1, 1); need the shape of a matrix that has a block of 1 × 2"),
    (lambda: exact_rank([[1, 2]], whole=(-1, 2)),
     "ValueError: exact_rank: whole=-1; need an integer >= 0"),
    (lambda: singular_values([1.0, 2.0]),
     "ValueError: singular_values: needs a matrix of shape (m, n), got shape (2,)"),
    (lambda: singular_values([[[1.0]]]),
     "ValueError: singular_values: needs a matrix of shape (m, n), got shape (1, 1, 1)"),
    (lambda: singular_values([[1.0, math.nan]]),
     "ValueError: singular_values: the matrix has an entry that is NaN or infinite"),
    (lambda: singular_values([[1.0, -math.inf]]),
     "ValueError: singular_values: the matrix has an entry that is NaN or infinite"),
    (lambda: entanglement_entropy([[1, 0]], base=1),
     "ValueError: entanglement_entropy: base=1; the base of a logarithm that measures must "
     "be above 1"),
    (lambda: entanglement_entropy([[1, 0]], base="2"),
     "TypeError: entanglement_entropy: base='2'; need a real number"),
    (lambda: entanglement_entropy([[0, 0]]),
     "ValueError: entanglement_entropy: the (1, 2) matrix is zero, it has no entropy"),
    (lambda: numerical_rank([[1, 0]], tolerance=-0.5),
     "ValueError: numerical_rank: tolerance=-0.5; needs a number from 0 on"),
    (lambda: numerical_rank([[1, 0]], tolerance=math.nan),
     "ValueError: numerical_rank: tolerance=nan; need a finite number"),
    (lambda: F7.tensor([None]), "TypeError: Modular.tensor: entries must be integers, got object"),
    (lambda: exact_rank([[1], [2]], whole=(2, 0)),
     "ValueError: exact_rank: whole=(2, 0); need the shape of a matrix that has a block of 2 × 1"),
    (lambda: exact_rank([[1, 2]], whole=3),
     "TypeError: exact_rank: whole=3; need several integers"),
    (lambda: Bound(-1, 0), "ValueError: Bound: base=-1; need an integer >= 0"),
    (lambda: Bound(0, -1), "ValueError: Bound: exponent=-1; need an integer >= 0"),
    (lambda: Bound.product([(3, 1), (2, -1)]),
     "ValueError: Bound: exponent=-1; need an integer >= 0"),
    (lambda: Bound(2.0, 1), "TypeError: Bound: base=2.0; need an integer >= 0"),
    (lambda: crossing.shift_digits(LINE, 1, 0),
     "ValueError: shift=0 at layer 1: the windows span only (1, 2)"),
    (lambda: crossing.shift_digits(LINE, 2, 4),
     "ValueError: shift=4 at layer 2: the windows span only (1, 2, 3)"),
    (lambda: crossing.shift_digits(LINE, 1, 1.0),
     "TypeError: shift_digits: shift=1.0; need an integer"),
    (lambda: maximum_matching([], (-1, 2)),
     "ValueError: maximum_matching: size=-1; need an integer >= 0"),
    (lambda: maximum_matching([], 4), "TypeError: maximum_matching: size=4; need several integers"),
    (lambda: maximum_matching([], (2, 2), (0, 2)),
     "ValueError: maximum_matching: window=0; need an integer >= 1"),
    (lambda: maximum_matching([], (2, 2), (2,)),
     "ValueError: maximum_matching: window (2,) on a grid of size (2, 2); need one extent "
     "per axis"),
    (lambda: maximum_matching([], (2,), (2, 2)),
     "ValueError: maximum_matching: window (2, 2) on a grid of size (2,); need one extent "
     "per axis"),
    (lambda: cut_axis(3, "left-right"), "TypeError: overlap bounds: 3 is not an Architecture"),
    (lambda: cut_axis(LINE, "top-bottom"),
     "ValueError: partition 'top-bottom' of a network of size (8,): valid are 'left-right'"),
    (lambda: cut_axis(OBLONG, "diagonal"),
     "ValueError: partition 'diagonal' of a network of size (12, 9): valid are 'left-right' "
     "and 'top-bottom'"),
    (lambda: cut_axis(OBLONG, "vertical"),      # behind both in the alphabet
     "ValueError: partition 'vertical' of a network of size (12, 9): valid are 'left-right' "
     "and 'top-bottom'"),
    (lambda: cut_axis(OBLONG, None),
     "ValueError: partition None of a network of size (12, 9): valid are 'left-right' and "
     "'top-bottom'"),
    (lambda: cut_position(OBLONG, 0, 0),
     "ValueError: cut=0 along an axis of 12 cells: valid are 1 to 11 cells before the cut"),
    (lambda: cut_position(OBLONG, 1, 9),
     "ValueError: cut=9 along an axis of 9 cells: valid are 1 to 8 cells before the cut"),
    (lambda: cut_position(OBLONG, 0, 12),
     "ValueError: cut=12 along an axis of 12 cells: valid are 1 to 11 cells before the cut"),
    (lambda: cut_position(OBLONG, 0, 2.0),
     "ValueError: cut=2.0 along an axis of 12 cells: valid are 1 to 11 cells before the cut"),
    (lambda: cut_position(OBLONG, 0, True),
     "ValueError: cut=True along an axis of 12 cells: valid are 1 to 11 cells before the cut"),
    (lambda: cut_position(line(1, 2, (1, 1, 1)), 0),
     "ValueError: an axis of one cell cannot be cut: the size is (1,)"),
    (lambda: missing_hypotheses(LINE, 0),
     "ValueError: missing_hypotheses: layer=0; need an integer from 1 to 3"),
    (lambda: missing_hypotheses(LINE, 4),
     "ValueError: missing_hypotheses: layer=4; need an integer from 1 to 3"),
    (lambda: split_modes([], ()),
     "ValueError: partition: grid () is neither a length nor a (height, width)"),
    (lambda: split_modes([], (1, 2, 3)),
     "ValueError: partition: grid (1, 2, 3) is neither a length nor a (height, width)"),
    (lambda: split_modes([], -1),
     "ValueError: partition: grid -1 is neither a length nor a (height, width)"),
    (lambda: split_modes([], True),
     "ValueError: partition: grid True is neither a length nor a (height, width)"),
    (lambda: split_modes([], (2, -1)),
     "ValueError: partition: grid (2, -1) is neither a length nor a (height, width)"),
    (lambda: split_modes([], (2, True)),
     "ValueError: partition: grid (2, True) is neither a length nor a (height, width)"),
    (lambda: split_modes([], 2.0),
     "ValueError: partition: grid 2.0 is neither a length nor a (height, width)"),
    (lambda: split_modes([], None),
     "ValueError: partition: grid None is neither a length nor a (height, width)"),
    (lambda: split_modes(3, 4),
     "TypeError: partition: 3 is neither a name nor a list of row modes"),
    (lambda: split_modes(None, 4),
     "TypeError: partition: None is neither a name nor a list of row modes"),
    (lambda: split_modes([1, 4], 4),
     "ValueError: partition: row modes [4] lie outside 0..3 (grid 4)"),
    (lambda: split_modes([-1, 0], (2, 3)),
     "ValueError: partition: row modes [-1] lie outside 0..5 (grid (2, 3))"),
    (lambda: split_modes([2, 0, 2, 1, 0], (2, 3)),
     "ValueError: partition: row modes [0, 2] are named more than once"),
    (lambda: split_modes([True], 4), "ValueError: partition: row mode True is not an integer"),
    (lambda: split_modes([1.0], 4), "ValueError: partition: row mode 1.0 is not an integer"),
    (lambda: split_modes("diagonal", (2, 3)),
     "ValueError: partition: unknown name 'diagonal'; known: even-odd, left-right, "
     "top-bottom, checkerboard"),
    (lambda: split_modes("top-bottom", 4),
     "ValueError: partition: 'top-bottom' needs a (height, width), got a sequence of 4"),
    (lambda: split_modes("checkerboard", (4,)),
     "ValueError: partition: 'checkerboard' needs a (height, width), got a sequence of 4"),
    (lambda: total_stride(OBLONG, 4),
     "ValueError: layer 4 of an architecture of 3 layers: valid are 0 (the representation) to 3"),
    (lambda: total_stride(OBLONG, -1),
     "ValueError: layer -1 of an architecture of 3 layers: valid are 0 (the representation) to 3"),
    (lambda: total_stride(OBLONG, True),
     "ValueError: layer True of an architecture of 3 layers: valid are 0 (the "
     "representation) to 3"),
    (lambda: total_stride(OBLONG, 1, 2),
     "ValueError: axis 2 of an architecture with 2 axes: valid are -2 to 1"),
    (lambda: total_stride(OBLONG, 1, -3),
     "ValueError: axis -3 of an architecture with 2 axes: valid are -2 to 1"),
    (lambda: total_stride(LINE, 1, 1),
     "ValueError: axis 1 of an architecture with 1 axes: valid are -1 to 0"),
    (lambda: total_stride(LINE, 1, True),
     "ValueError: axis True of an architecture with 1 axes: valid are -1 to 0"),
    (lambda: digits(OBLONG, 4),
     "ValueError: layer 4 of an architecture of 3 layers: valid are 0 (the representation) to 3"),
    (lambda: digits(OBLONG, 1, 2),
     "ValueError: axis 2 of an architecture with 2 axes: valid are -2 to 1"),
    (lambda: OBLONG.alpha_minimal(1, 2, "two"),
     "ValueError: t_min='two': valid are 'stride' (S_i <= t_i) and 'one' (1 <= t_i)"),
    (lambda: OBLONG.alpha_minimal(1, "2"),
     "TypeError: alpha_minimal: alpha='2'; need a real number"),
    (lambda: OBLONG.alpha_minimal(1, math.inf),
     "ValueError: alpha_minimal: alpha=inf; need a finite number"),
    (lambda: shifts.largest_at_most((1, 2), (1,), 3),
     "ValueError: largest_at_most: units (1, 2) with digits [(1,)]; need a range for every "
     "unit, and every unit a divisor of the next"),
    (lambda: shifts.largest_at_most((1, 2), (1, 1, 1), 3),
     "ValueError: largest_at_most: units (1, 2) with digits [(1, 1, 1)]; need a range for "
     "every unit, and every unit a divisor of the next"),
    (lambda: shifts.largest_at_most((2, 3), (1, 1), 3),
     "ValueError: largest_at_most: units (2, 3) with digits [(1, 1)]; need a range for every "
     "unit, and every unit a divisor of the next"),
    (lambda: shifts.largest_at_most((1, 2, 3), (1, 1, 1), 3),
     "ValueError: largest_at_most: units (1, 2, 3) with digits [(1, 1, 1)]; need a range for "
     "every unit, and every unit a divisor of the next"),
    (lambda: shifts.largest_at_most((0,), (1,), 3),
     "ValueError: largest_at_most: units=0; need an integer >= 1"),
    (lambda: shifts.largest_at_most((1,), (-1,), 3),
     "ValueError: largest_at_most: digits=-1; need an integer >= 0"),
    (lambda: shifts.largest_at_most((1,), (1,), 3.0),
     "TypeError: largest_at_most: limit=3.0; need an integer"),
    (lambda: shifts.smallest_at_least((1, 2), (1,), (1, 1), 3),
     "ValueError: smallest_at_least: units (1, 2) with digits [(1,), (1, 1)]; need a range "
     "for every unit, and every unit a divisor of the next"),
    (lambda: shifts.smallest_at_least((1, 2), (1, 1), (1,), 3),
     "ValueError: smallest_at_least: units (1, 2) with digits [(1, 1), (1,)]; need a range "
     "for every unit, and every unit a divisor of the next"),
    (lambda: shifts.smallest_at_least((1,), (0,), (1,), 3.0),
     "TypeError: smallest_at_least: target=3.0; need an integer"),
    (lambda: shifts.reachable_sums((2, 3), (1, 1), 3),
     "ValueError: reachable_sums: units (2, 3) with digits [(1, 1)]; need a range for every "
     "unit, and every unit a divisor of the next"),
    (lambda: shifts.reachable_sums((1,), (1,), -1),
     "ValueError: reachable_sums: limit=-1; need an integer >= 0"),
    (lambda: shifts.digits_of((2, 3), (1, 1), 3),
     "ValueError: digits_of: units (2, 3) with digits [(1, 1)]; need a range for every unit, "
     "and every unit a divisor of the next"),
    (lambda: shifts.digits_of((1,), (1,), 3.0), "TypeError: digits_of: shift=3.0; need an integer"),
    (lambda: split_modes("left-right", (2, 3, 4)),
     "ValueError: partition: grid (2, 3, 4) is neither a length nor a (height, width)"),
    (lambda: crossing.shift_digits(LINE, 3, -1),
     "ValueError: shift=-1 at layer 3: the windows span only (1, 2, 3, 4, 5, 6, 7)"),
]


@pytest.mark.parametrize("call, message", CALLS, ids=[message[:60] for _, message in CALLS])
def test_the_whole_message(call, message):
    assert refusal(call) == message
