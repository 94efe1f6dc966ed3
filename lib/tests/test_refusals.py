"""Public functions refuse what they cannot compute, by name, instead of computing something else.

Every argument of every call below is replaced by values of the wrong kind, one at a time.
"""

import math

import pytest
import torch

from lib import (
    Architecture,
    Bound,
    DilatedNetwork,
    Layer,
    Mex,
    ModeTree,
    Node,
    Similarity,
    certify,
    change_basis,
    design_widths,
    dilated_tree,
    entanglement_entropy,
    exact_rank,
    gap_family,
    googlenet_stack,
    grid_tensor,
    indices,
    khatri_rao,
    lags,
    largest_average_rank,
    matching_number,
    matricize,
    maxima_rank_bound,
    mex,
    missing_pixels,
    missing_rectangles,
    place,
    pooling_order,
    proposition_2_bound,
    proposition_2_exponent,
    signed_log,
    single_channel,
    singular_values,
    split_modes,
    split_windows_rank,
    stacked_blocks,
    universal_weights,
)
from lib.bounds import crossing
from lib.exact.arithmetic import Modular, Real
from lib.exact.ranks import numerical_rank
from lib.networks.families import block_network
from lib.trees import symmetry, tensors

NAN, INF = math.nan, math.inf
WHOLE = (True, 2.0, 2.5, NAN, INF, "2", 2 + 0j)   # no integers
BELOW = (-1, -10**30)
ZERO = (0, *BELOW)
NUMBER = (True, NAN, "2", 2 + 0j)                 # no real numbers
SIZES = ((2.0, 2), (-1, 2), (True, 2), "ab", (NAN, 1))
MODES = ([0, 9], [0, 0], [0.0, 1.0], [True], [-1], [NAN], "diagonal", None, 1)
NAMES = ("diagonal", None, 3)
CUTS = (*WHOLE, *ZERO, 9)
M = torch.arange(12.0).reshape(3, 4)
TEMPLATES = torch.zeros(5, 2, dtype=torch.int64)
COMPLEX, NOT_FINITE = M.to(torch.complex128), (torch.full((3, 4), NAN), torch.full((3, 4), INF))
WRONG = ("abc", None, COMPLEX)
EMPTY, VECTOR, CUBE = torch.zeros(0, 4), M[0], M[None]
BYTES = torch.full((3, 4), 100).to(torch.int8)
NET = Architecture(4, 2, ((3, 1, 2), (4, 4, 1)))
TREE = ModeTree.perfect(4, 2, 2, (2, 2))
TENSOR = torch.arange(16.0).reshape(2, 2, 2, 2)
SQUARE = torch.eye(2).double()
FIELD = Modular(101)


def draw():
    return torch.Generator().manual_seed(0)


def comb(levels):
    """A tree as deep as can be."""
    node = Node((0, 1), 1)
    for mode in range(2, levels + 1):
        node = Node((node, mode), 1)
    return node


# name, function, arguments that it takes, for each argument what it does not take
CALLS = [
    ("exact_rank", exact_rank, [M], [(*WRONG, *NOT_FINITE, M + 0.5, VECTOR, CUBE)]),
    ("Modular", lambda p: exact_rank([[1]], p), [101], [(*WHOLE, *ZERO, 4, 1, 2**23)]),
    ("singular_values", singular_values, [M], [(*WRONG, *NOT_FINITE, VECTOR, CUBE)]),
    ("entanglement_entropy", entanglement_entropy, [M, 2.0],
     [(*WRONG, *NOT_FINITE, 0 * M, EMPTY), (*NUMBER, INF, 1, 0.5, 0, -1, None)]),
    ("numerical_rank", numerical_rank, [M, 0.1],
     [(*WRONG, *NOT_FINITE, VECTOR), (*NUMBER, INF, -1.0)]),
    ("Modular.tensor", FIELD.tensor, [M], [(*WRONG, *NOT_FINITE, M + 0.5)]),
    ("Modular.inverse", FIELD.inverse, [SQUARE], [(*WRONG, M, M.double(), SQUARE.float())]),
    ("Modular.matmul", FIELD.matmul, [SQUARE, SQUARE], [(*WRONG, M, BYTES), (*WRONG, M)]),
    ("Modular.multiply", FIELD.multiply, [SQUARE, SQUARE],
     [(SQUARE.to(COMPLEX.dtype), "abc", None)] * 2),
    ("Modular.reduce", FIELD.reduce, [SQUARE], [(*WRONG, M, BYTES)]),
    ("Modular.reduce", Modular(3).reduce, [SQUARE], [(*WRONG, M, BYTES)]),
    ("Modular.reciprocal", FIELD.reciprocal, [3], [(*WHOLE, 0, 101, -202, None)]),
    ("Real.tensor", Real().tensor, [M], [WRONG]),
    ("Real.inverse", Real().inverse, [SQUARE], [("abc", None, M)]),
    ("indices", indices, [2, 3], [(*WHOLE, *ZERO, None), (*WHOLE, *BELOW, 400, None)]),
    ("sample_indices", lambda *a: tensors.sample_indices(*a, draw()), [2, 3, 4],
     [(*WHOLE, *ZERO), (*WHOLE, *BELOW), (*WHOLE, *BELOW, 9)]),
    ("khatri_rao", lambda m: khatri_rao([m, torch.ones(2, 4)]), [M],
     [("abc", None, VECTOR, CUBE, M[:, :3])]),
    ("khatri_rao", lambda m: khatri_rao([m, m, m]), [BYTES[:, :1] // 50],
     [(BYTES, torch.full((1, 1), 2**40), torch.full((1, 1), -128).to(torch.int8))]),
    ("generalized_product", lambda a: tensors.generalized_product(a, a, torch.mul), [VECTOR],
     [(BYTES, torch.tensor([2**32]), torch.tensor([-128]).to(torch.int8))]),
    ("matricize", matricize, [TENSOR, [0, 1]], [("abc", None, 5), MODES]),
    ("split_modes", split_modes, ["even-odd", 4], [MODES, (*WHOLE, *SIZES, *BELOW, (), (2, 2, 2))]),
    ("matching_number", matching_number, [(0, 1), (2, 2), (2, 2)],
     [MODES, (*SIZES, 2, None), (*SIZES, 2, (2,), (0, 1))]),
    ("Bound", Bound, [2, 3], [(*WHOLE, *BELOW, None)] * 2),
    ("Bound", lambda p: Bound.product([(5, 1), p]), [(2, 3)], [((2.0, 1), (2, -1), (2, True))]),
    ("total_stride", NET.total_stride, [1, 0], [(*WHOLE, -1, 3), (*WHOLE, 2, -3)]),
    ("total_receptive_field", NET.total_receptive_field, [1, 0],
     [(*WHOLE, -1, 3), (*WHOLE, 2, -3)]),
    ("alpha_minimal", NET.alpha_minimal, [1, 2], [(*WHOLE, -1, 3), (*NUMBER, INF)]),
    ("missing_hypotheses", NET.missing_hypotheses, [1], [(*WHOLE, *ZERO, 3)]),
    ("crossing_bound", NET.crossing_bound, ["left-right", 2], [NAMES, CUTS]),
    ("overlap_bound", NET.overlap_bound, ["left-right"], [NAMES]),
    ("private_pixel_bound", NET.private_pixel_bound, ["left-right", 2], [NAMES, CUTS]),
    ("exact_two_layer_rank", NET.exact_two_layer_rank, ["left-right", 2], [NAMES, CUTS]),
    ("shift_digits", lambda *a: crossing.shift_digits(NET, *a), [1, 1],
     [(*WHOLE, -1, 3), (*WHOLE, *ZERO, 9)]),
    ("Architecture", lambda *a: Architecture(*a, ((2, 1, 2), (4, 4, 1))), [4, 2],
     [(*WHOLE, *ZERO, *SIZES, (), None), (*WHOLE, *ZERO, None)]),
    ("Layer", Layer, [2, 1, 2], [(*WHOLE, *ZERO, *SIZES, (), None)] * 2 + [(*WHOLE, *ZERO, None)]),
    ("block_network", block_network, [3, 4, 2, 2],
     [(*WHOLE, *ZERO), (*WHOLE, *ZERO, 6), (*WHOLE, *ZERO), (*WHOLE, *ZERO, (2, 2, 2))]),
    ("stacked_blocks", lambda *a: stacked_blocks(*a, 4, 2, 2), [1, 3],
     [(*WHOLE, *BELOW), (*WHOLE, *ZERO)]),
    ("proposition_2_bound", proposition_2_bound, [3, 8, 2],
     [(*WHOLE, *ZERO, 1), (*WHOLE, *ZERO, 6), (*WHOLE, *ZERO)]),
    ("proposition_2_exponent", proposition_2_exponent, [3, 8], [(*WHOLE, *ZERO)] * 2),
    ("googlenet_stack", lambda *a: googlenet_stack("pixels", *a), [5, 32], [(*WHOLE, *ZERO)] * 2),
    ("ModeTree.star", ModeTree.star, [4, 2, 3], [(*WHOLE, *ZERO)] * 3),
    ("ModeTree.perfect", ModeTree.perfect, [4, 2, 2, (2, 2)],
     [(*WHOLE, *ZERO, 6), (*WHOLE, *ZERO, 3), (*WHOLE, *ZERO),
      ((2,), (2, 2.0), (2, 0), (2, True))]),
    ("ModeTree", lambda w, d: ModeTree(Node((0, 1), w), d), [2, 2], [(*WHOLE, *ZERO)] * 2),
    ("ModeTree", lambda c: ModeTree(Node(c, 2), 2), [(0, 1)], [((0, 0), (1, 2), (0.5, 1), ())]),
    ("ModeTree", lambda n: ModeTree(comb(n), 2), [200], [(300, 3000)]),
    ("permuted", TREE.permuted, [[1, 0, 2, 3]], [([0, 1], [0, 0, 1, 2], [0, 1, 2, 4], "abcd")]),
    ("mincut", TREE.mincut, [[0, 1]], [MODES]),
    ("pooling_order", lambda g: pooling_order(g, "square"), [(4, 4)],
     [(*WHOLE, *ZERO, *SIZES, 6, (4, 2), ())]),
    ("split_windows_rank", split_windows_rank, [4, 2, (2, 2), 1, 2],
     [(*WHOLE, *ZERO), (*WHOLE, *ZERO), SIZES, (*WHOLE, *BELOW, 2), (*WHOLE, *ZERO, 4)]),
    ("lags", lags, [(1, 2)], [(*SIZES, (), 2, None)]),
    ("dilated_tree", dilated_tree, [(1, 2), 2, 2],
     [(*SIZES, ()), (*WHOLE, *ZERO), (*WHOLE, *ZERO)]),
    ("gap_family", gap_family, [3], [(*WHOLE, *ZERO, 2, None)]),
    ("DilatedNetwork", lambda *a: DilatedNetwork(*a), [((1, 2),), 2, 2],
     [((), ((1,),) * 3, ((1, 2), (1, 3)), ((1.0,),)), (*WHOLE, *ZERO, None),
      (*WHOLE, *ZERO, None)]),
    ("largest_average_rank", largest_average_rank, [[0, 1], 4, 2],
     [MODES, (*WHOLE, *ZERO, 6), (*WHOLE, *ZERO)]),
    ("maxima_rank_bound", maxima_rank_bound, [[0, 1], 4, 2, 1], [MODES, *[(*WHOLE, *ZERO)] * 3]),
    ("symmetry_order", symmetry.symmetry_order, [2, 4], [(*WHOLE, *BELOW), (*WHOLE, *ZERO, 1)]),
    ("invariant_dimension", symmetry.invariant_dimension, [1, 2, 4],
     [(*WHOLE, *BELOW), (*WHOLE, *ZERO), (*WHOLE, *ZERO)]),
    ("side_orbits", symmetry.side_orbits, [1, 2, 4],
     [(*WHOLE, *ZERO), (*WHOLE, *ZERO), (*WHOLE, *ZERO, 3)]),
    ("random_symmetry", lambda n: symmetry.random_symmetry(n, draw()), [1], [(*WHOLE, *BELOW)]),
    ("quadtree_places", symmetry.quadtree_places, [1], [(*WHOLE, *BELOW)]),
    ("design_widths", lambda b: design_widths(TREE, [[0, 1]], b), [40], [(*WHOLE, *ZERO)]),
    ("missing_pixels", lambda *a: missing_pixels(a[0], (3, 3), a[1], draw()), [2, 0.5],
     [(*WHOLE, *BELOW), (*NUMBER, INF, -0.5, 1.5)]),
    ("missing_rectangles", lambda c, n, s: missing_rectangles(c, (5, 5), n, s, draw()), [2, 1, 2],
     [(*WHOLE, *BELOW), (*WHOLE, *BELOW), (*WHOLE, *ZERO, 6)]),
    ("mex", mex, [M, 2.0], [(*WRONG, *NOT_FINITE, BYTES, torch.zeros(2, 0)), (*NUMBER, None)]),
    ("signed_log", signed_log, [M], [WRONG]),
    ("place", place, [M, TEMPLATES],
     [("abc", None, VECTOR, EMPTY), (TEMPLATES.double(), TEMPLATES + 7, TEMPLATES - 1,
                                     TEMPLATES.bool(), "abc", None)]),
    ("change_basis", lambda t, m: change_basis(t, m, Real()), [TENSOR.double(), SQUARE],
     [("abc", None, M.double()), ("abc", None, M.double(), VECTOR)]),
    ("grid_tensor", lambda n: grid_tensor(lambda x: x.sum((1, 2)), SQUARE, n), [2],
     [(*WHOLE, *ZERO)]),
    ("certify", lambda p, s: certify(NET, p, seed=s, prime=101), ["left-right", 0],
     [([0, 99], *MODES[1:]), WHOLE]),
    ("certify", lambda r, c: certify(NET, "left-right", rows=r, columns=c, seed=0), [4, 4],
     [(*WHOLE, *ZERO)] * 2),
    ("exact_rank", lambda w: exact_rank(M, whole=w), [(3, 5)],
     [(*SIZES, (3,), (2, 9), (3, 3), 3)]),
    ("Mex", lambda *a: Mex(*a, generator=draw()), [3, 2, 1.0],
     [(*WHOLE, *ZERO), (*WHOLE, *ZERO), NUMBER]),
    ("Similarity", lambda *a: Similarity(*a, generator=draw()), [3, 2, 2],
     [(*WHOLE, *ZERO), (*WHOLE, *ZERO), (0.5, NAN, -1)]),
    ("universal_weights", universal_weights, [TENSOR], [(*WRONG, *NOT_FINITE, M, EMPTY)]),
    ("single_channel", single_channel, [TENSOR], [(*WRONG, *NOT_FINITE, M, EMPTY)]),
]
RAW = ("unsupported operand", "not supported between", "invalid combination of arguments",
       "is not iterable", "has no len", "required positional")


@pytest.mark.parametrize("name, function, good, wrong", CALLS, ids=[call[0] for call in CALLS])
def test_each_wrong_argument_is_refused_in_words(name, function, good, wrong):
    function(*good)
    for place_, values in enumerate(wrong):
        for value in values:
            arguments = [*good[:place_], value, *good[place_ + 1:]]
            with pytest.raises((ValueError, TypeError, OverflowError)) as refused:
                function(*arguments)
                pytest.fail(f"{name}: argument {place_} = {value!r} was taken")
            assert value is None or not any(raw in str(refused.value) for raw in RAW), (
                f"{name}: argument {place_} = {value!r}: {refused.value}")
