"""Public functions refuse what they cannot compute, by name, instead of computing something else.

Every argument of every call below is replaced by values of the wrong kind, one at a time. Every
public name stands in the table, or among the exceptions with a reason.
"""

import math

import pytest
import torch
from torch import nn

import lib
import lib.audit
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
from lib.bounds import crossing, overlap, receptive, shifts, upper_bounds
from lib.exact.arithmetic import Modular, Real
from lib.exact.ranks import numerical_rank
from lib.grids.blocks import matricization_block
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


DRAWN, FRESH = [], torch.Generator().manual_seed(0).get_state()


def draw():
    DRAWN.append(torch.Generator().manual_seed(0))
    return DRAWN[-1]


def comb(levels):
    """A tree as deep as can be."""
    node = Node((0, 1), 1)
    for mode in range(2, levels + 1):
        node = Node((node, mode), 1)
    return node


WEIGHTS = NET.random_weights(Real(), draw())
X = torch.ones(5, 2, 4, 4).double()
NO_INPUT = (*WRONG, X[0], X[:, :1], X.float(), X.long(), X.to(COMPLEX.dtype))
NO_WEIGHTS = (None, "ab", 5, WEIGHTS[:1], WEIGHTS[::-1], [w for w, _ in WEIGHTS],
              [(w, 0) for w, _ in WEIGHTS], [(w[None], b) for w, b in WEIGHTS],
              [(w.long(), None) for w, _ in WEIGHTS], [(w.float(), None) for w, _ in WEIGHTS])
NO_NET = (None, "net", TREE, torch.eye(2))
NO_TREE = (None, "tree", NET, torch.eye(2))
POOLINGS = ("median", None, ["max"], 1, torch.eye(2))
ACTIVATIONS = ("tanh", 1, ["relu"], torch.eye(2))
ARITHMETICS = ("real", 7, Modular)
OPERATORS = ("product", 3, torch.eye(2))
FLAGS = (1, 0.0, "no", torch.eye(2))
NO_GENERATOR = (None, 0, "seed")
EDGES = TREE.random_weights(Real(), draw())
NO_EDGES = (None, [], {}, {**EDGES, (): 1.0}, {**EDGES, "x": SQUARE}, {**EDGES, (0,): SQUARE[:1]},
            {p: w.long() for p, w in EDGES.items()}, {**EDGES, (0,): EDGES[(0,)].float()})
STAR = ModeTree.star(2, 2, 1)
CHANNEL = STAR.random_weights(Real(), draw())
PUT = torch.ones(3, 4, 2).double()
ORDERS = ((1, 2, 4), (2, 1, 4))
MIXTURE = DilatedNetwork(ORDERS, 2, 2, (2,))
STREAMS = MIXTURE.random_weights(Real(), draw())
NO_STREAMS = (None, [], STREAMS[:1], [STREAMS[0], STREAMS[0][:2]], [STREAMS[0], 1],
              [[w.float() for w in STREAMS[0]], STREAMS[1]],
              [[w.long() for w in stream] for stream in STREAMS])
NO_ORDER = ("abc", None, (1.0, 2, 4), (1, 2), (True, 2, 4), (1, 2, 3), (0, 2, 4), ())
GLOBAL = Architecture((4,), 2, ((2, 1, 2), (4, 4, 1)))
SMALL = [(torch.ones(shape), None) for shape, _ in GLOBAL.weight_shapes()]
F = FIELD.tensor(torch.eye(2))
NO_F = (None, "F", 0 * F, F.long(), F[:1], torch.eye(3).double())
ROWS = torch.tensor([[0, 1], [1, 1]])
LINEAR = nn.Conv2d(3, 2, 3)
IMAGES = torch.rand(9, 3, 8, 8)


def conv_ac(kind):
    """Rows of a network class: all arguments of a call, then of `from_weights`."""
    return [(kind, lambda a, g: getattr(lib, kind)(a, generator=g and g()), [NET, draw],
             [NO_NET, (None, lambda: 0, lambda: "seed")]),
            (kind, lambda s: getattr(lib, kind)(NET, shared=s, generator=draw()), [True],
             [(*FLAGS, None)])]


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
    *conv_ac("ConvAC"), *conv_ac("LogConvAC"), *conv_ac("SimplexConvAC"),
    ("ConvAC", lambda *a: lib.ConvAC(NET, True, *a, generator=draw()), [True, "max", "relu"],
     [("yes", 1.0, (True,), (1, 0)), POOLINGS, ACTIVATIONS]),
    ("ConvAC", lib.ConvAC.from_weights, [NET, WEIGHTS, "sum", None],
     [NO_NET, NO_WEIGHTS[:-1], POOLINGS, ACTIVATIONS]),
    ("ConvAC", lib.ConvAC(NET, generator=draw()), [X.float()], [(*WRONG, X, X[0])]),
    ("LogConvAC", lib.LogConvAC.from_weights, [NET, WEIGHTS, "product", None],
     [NO_NET, NO_WEIGHTS[:-1], (*POOLINGS, "max"), (*ACTIVATIONS, "relu")]),
    ("SimplexConvAC", lib.SimplexConvAC.from_weights,
     [NET, [(torch.ones(shape).double() / shape[1], None) for shape, _ in NET.weight_shapes()]],
     [NO_NET, (*NO_WEIGHTS, WEIGHTS, [(2 * abs(w), None) for w, _ in WEIGHTS])]),
    ("forward", lib.forward, [NET, WEIGHTS, X, None, "max", "relu"],
     [NO_NET, NO_WEIGHTS, NO_INPUT, (*ARITHMETICS, FIELD), POOLINGS, ACTIVATIONS]),
    ("log_forward", lib.log_forward, [NET, WEIGHTS, X, X],
     [NO_NET, NO_WEIGHTS, NO_INPUT, (*NO_INPUT[3:], X[:2], "x")]),
    ("grid_network", lambda *a: lib.grid_network(*a[:3], *a[3:]), [NET, WEIGHTS, None, 0, "max"],
     [NO_NET, NO_WEIGHTS[:-1], (*ARITHMETICS, FIELD), (*WHOLE, -1, 1), POOLINGS]),
    ("generalized_conv", lib.generalized_conv, [X, *WEIGHTS[0], 1, None, "max", None],
     [NO_INPUT, (*WRONG, WEIGHTS[1][0], WEIGHTS[0][0].float()),
      ("b", WEIGHTS[1][1], WEIGHTS[0][1].float()), (*WHOLE, *ZERO, None, (1, 1, 1), (1.0, 1)),
      ARITHMETICS, POOLINGS, ACTIVATIONS]),
    ("TensorialMixture", lambda a, x, g: lib.TensorialMixture(a, x, generator=g and g()),
     [Architecture(4, 6, ((2, 2, 5), (2, 2, 5))), IMAGES, draw],
     [(*NO_NET, NET, GLOBAL), (*WRONG, IMAGES[0], IMAGES[..., :7], IMAGES[:0], IMAGES.long()),
      (None, lambda: 0)]),
    ("missing_pixels", lambda s: missing_pixels(2, s, 0.5, draw()), [(3, 3)],
     [(*SIZES, 3, None, (3,), (3, 3, 3))]),
    ("missing_rectangles", lambda s: missing_rectangles(2, s, 1, 1, draw()), [(3, 3)],
     [(*SIZES, 3, None, (3,), (3, 3, 3))]),
    ("missing_pixels", lambda g: missing_pixels(2, (3, 3), 0.5, g and g()), [draw],
     [(None, lambda: 0)]),
    ("Mex", lambda g: Mex(3, 2, 1.0, generator=g and g()), [draw], [(None, lambda: 0)]),
    ("Similarity", lambda g: Similarity(3, 2, generator=g and g()), [draw], [(None, lambda: 0)]),
    ("photograph_patches", lambda *a: lib.photograph_patches(*a, draw()), [4, 2],
     [(*WHOLE, *ZERO, 513), (*WHOLE, *BELOW)]),
    ("photograph_patches", lambda g: lib.photograph_patches(4, 2, g and g()), [draw],
     [(None, lambda: 0)]),
    ("Node", Node, [(0, 1), 2], [("ab", None, 3, [0, 1], (0, 1.0), (True, 0), (0, "b"))]),
    ("TreeCircuit", lib.TreeCircuit, [TREE, False, None, EDGES],
     [NO_TREE, (*FLAGS, None), OPERATORS, (*NO_EDGES[1:], 5)]),
    ("TreeCircuit", lambda g: lib.TreeCircuit(TREE, generator=g and g()), [draw],
     [(None, lambda: 0)]),
    ("evaluate", lib.evaluate, [TREE, EDGES, PUT, None, torch.maximum],
     [NO_TREE, NO_EDGES, (*WRONG, PUT[0], PUT.float(), PUT.long()), ARITHMETICS, OPERATORS]),
    ("coefficient_tensor", lib.coefficient_tensor, [TREE, EDGES, None, torch.maximum],
     [(*NO_TREE, ModeTree.star(40, 2, 1)), NO_EDGES, ARITHMETICS, OPERATORS]),
    ("activation_pooling", lib.activation_pooling, ["relu", "max"],
     [(*ACTIVATIONS, None), ("mean", *POOLINGS)]),
    ("even_odd_weights", lib.even_odd_weights, [TREE], [(*NO_TREE, ModeTree.star(3, 2, 1))]),
    ("pair_weights", lib.pair_weights, [TREE], [(*NO_TREE, ModeTree.star(3, 2, 1))]),
    ("ordered_weights", lib.ordered_weights, [TREE], [(*NO_TREE, ModeTree.star(3, 2, 1))]),
    ("keeps_order", lib.keeps_order, [TREE, "1/4", "1/26"],
     [(*NO_TREE, ModeTree.star(3, 2, 1)), ("x", "-1", None, NAN, 0.25, "1/0"),
      ("x", "-1", "1", None, 0.25, "1/0")]),
    ("maximum_as_products", lib.maximum_as_products, [STAR, CHANNEL],
     [(*NO_TREE, TREE), (*NO_EDGES, {p: NAN * w for p, w in CHANNEL.items()})]),
    ("smallest_cut", lib.smallest_cut, [TREE, [0, 1]], [NO_TREE, MODES]),
    ("routes", lib.routes, [TREE, [0, 1]], [(*NO_TREE, ModeTree.star(2, 2, 3)), MODES]),
    ("routed_weights", lib.routed_weights, [TREE, [0, 1]],
     [(*NO_TREE, ModeTree.star(2, 2, 3)), MODES]),
    ("published_bounds", lib.published_bounds, [TREE, [0, 1]], [NO_TREE, MODES]),
    ("design_widths", lambda *a: design_widths(a[0], a[1], 40, *a[2:]),
     [TREE, [[0, 1]], (1, 2), "level", False],
     [NO_TREE, ([], None, "even-odd", [[9]], 3), ((), (0,), (1.0, 2), (True,), None, 2),
      ("tree", None, 1, ["level"]), FLAGS]),
    ("pooling_tree", lib.pooling_tree, [(4, 4), 2, (2, 2), "mirror"],
     [(*WHOLE, *ZERO, *SIZES, 6, (4, 2), ()), (*WHOLE, *ZERO), (*SIZES, (2,), None, 2),
      ("round", None, 1, ("square",), ["square", None], [["square"]] * 2)]),
    ("pooling_order", lambda name: pooling_order(4, name), ["square"],
     [("round", None, 1, ("square",), [["square"]] * 2)]),
    ("mixture_levels", lib.mixture_levels, [*ORDERS], [NO_ORDER, NO_ORDER]),
    ("hybrid_tree", lib.hybrid_tree, [*ORDERS, 2, 2, 2, (0, 1), 1],
     [NO_ORDER, NO_ORDER, (*WHOLE, *ZERO), (*WHOLE, *ZERO), (*WHOLE, *ZERO, 1, 3),
      ((0,), (0, 2), (0.0, 1), (True, 0), "01", None, 5), (*WHOLE, *ZERO)]),
    ("hybrid_in_mixture", lib.hybrid_in_mixture, [MIXTURE, STREAMS, (0, 1)],
     [(None, NET, DilatedNetwork(ORDERS[:1], 2, 2)), NO_STREAMS,
      ((0,), (0, 2), (0.0, 1), (True, 0), "01", None, 5)]),
    ("DilatedNetwork.run", MIXTURE.run, [STREAMS, torch.ones(1, 9, 2).double(), None],
     [NO_STREAMS, (*WRONG, torch.ones(1, 7, 2), torch.ones(1, 9, 2)), ARITHMETICS]),
    ("DilatedNetwork.tensor", MIXTURE.tensor, [STREAMS, None], [NO_STREAMS, ARITHMETICS]),
    ("DilatedNetwork", lambda e: DilatedNetwork(ORDERS, 2, 2, e), [(2,)],
     [((2.0,), (True,), (1,), (3,), "2", None, 2)]),
    ("quoted_overlap_bound", lib.quoted_overlap_bound, [NET, "left-right"],
     [NO_NET, (*NAMES, torch.eye(2))]),
    ("linear_readout_upper_bound", lib.linear_readout_upper_bound, [NET, "left-right", 2],
     [NO_NET, (*NAMES, torch.eye(2)), (*CUTS, torch.eye(2))]),
    ("certify", lambda *a: certify(*a[:1], "left-right", prime=a[1], output=a[2]), [GLOBAL, 101, 0],
     [(None, "net", torch.eye(2)), (*WHOLE, *ZERO, 4), (*WHOLE, -1, 1)]),
    ("certify_weights", lib.certify_weights,
     [GLOBAL, SMALL, "left-right"],
     [(None, "net", TREE), (*NO_WEIGHTS[:5], SMALL[:1], WEIGHTS, [(NAN * w, b) for w, b in SMALL]),
      ([0, 99], *MODES[1:])]),
    *[("matricization_block", matricization_block,
       [subject, weights, "left-right", ROWS, ROWS, SQUARE, None, 0],
       [(None, "net", type(subject), torch.eye(2)), wrong, MODES[:-2],
        ("ab", ROWS.double(), ROWS[0], ROWS + 2), (5, ROWS[:, :1], ROWS - 1),
        (*WRONG[:1], 2, VECTOR, torch.eye(3).double(), SQUARE[:0]), ARITHMETICS, (*WHOLE, 1, -1)])
      for subject, weights, wrong in ((TREE, EDGES, NO_EDGES[:-2]),
                                      (GLOBAL, SMALL, NO_WEIGHTS[:6]))],
    ("grid_tensor", lambda *a: grid_tensor(*a, 2), [lambda x: x.sum((1, 2)), SQUARE],
     [(None, 3), (*WRONG[:2], VECTOR, CUBE)]),
    ("fit", lib.fit, [F, F, 0, FIELD],
     [NO_F, (None, "F", F[0], torch.ones(2, 3).double(), F.float()), ("0", None),
      (None, "real", 7)]),
    ("correspondence", lib.correspondence, [NET, NET], [(*NO_NET, GLOBAL)] * 2),
    ("simulate", lib.simulate, [NET, NET, WEIGHTS],
     [(*NO_NET, GLOBAL), (*NO_NET, GLOBAL), NO_WEIGHTS[:7]]),
    ("root_prime", lib.root_prime, [GLOBAL, "left-right"], [NO_NET, NAMES]),
    ("two_layer_construction", lib.two_layer_construction,
     [GLOBAL, F, FIELD, "left-right", 2, True, 3],
     [(*NO_NET, NET), NO_F, (None, "real", 7, Modular(7), Real()), NAMES, (*WHOLE, *ZERO, 4), FLAGS,
      WHOLE]),
    ("overlap_construction", lib.overlap_construction, [NET, F, FIELD, "left-right", 1, 2, 2],
     [NO_NET, NO_F, (None, "real", 7), NAMES, (*WHOLE, *ZERO, 2), (*WHOLE, *ZERO, 9),
      (None, "2", NAN)]),
    ("matching_construction", lib.matching_construction, [NET, [0, 1], F, FIELD, False, 2],
     [NO_NET, ([0, 99], *MODES[1:]), NO_F, (None, "real", 7), (*FLAGS, None), (None, "2", NAN)]),
    ("rectifier_construction", lib.rectifier_construction, [2, 2], [(*WHOLE, *ZERO)] * 2),
    ("certify_rectifier", lib.certify_rectifier,
     [GLOBAL, SMALL, [0, 1], "max", torch.eye(2), 101],
     [NO_NET, (None, "ab", 5, [], [(w / 2, b) for w, b in SMALL], [(w * NAN, b) for w, b in SMALL]),
      MODES[:-2], ("mean", *POOLINGS), ("F", torch.eye(3), torch.eye(2) / 2, torch.eye(2) * NAN),
      (*WHOLE, *ZERO, 4)]),
    ("largest_at_most", shifts.largest_at_most, [(1, 2), (1, 3), 5],
     [((1.0, 2), (0, 2), (2, 3), (1,), None, 1), ((1.0, 3), (-1, 3), (1,), "13", None), WHOLE]),
    ("smallest_at_least", shifts.smallest_at_least, [(1, 2), (0, 0), (1, 3), 5],
     [((1.0, 2), (0, 2), (2, 3), (1,), None, 1), ((0.0, 0), (-1, 0), (0,), None),
      ((1.0, 3), (1,), "13", None), WHOLE]),
    ("reachable_sums", shifts.reachable_sums, [(1, 2), (1, 3), 5],
     [((1.0, 2), (0, 2), (2, 3), (1,), None), ((1.0, 3), (-1, 3), (1,), None), (*WHOLE, -1)]),
    ("digits_of", shifts.digits_of, [(1, 2), (1, 3), 5],
     [((1.0, 2), (0, 2), (2, 3), (1,), None), ((1.0, 3), (-1, 3), (1,), None), WHOLE]),
    *[("random_weights", subject.random_weights, [Real(), draw(), *more],
       [("real", 7, None, Real, draw()), NO_GENERATOR, *wrong])
      for subject, more, wrong in ((NET, [True, True], [FLAGS, (1, "no")]),
                                   (TREE, [False], [FLAGS]), (MIXTURE, [], []))],
    ("weight_shapes", NET.weight_shapes, [True], [(*FLAGS, None)]),
    ("weight_groups", TREE.weight_groups, [True], [(*FLAGS, None)]),
    *[("last_bias", lambda last, bound=bound: bound(GLOBAL, last_bias=last), [True],
       [(*FLAGS, None)])
      for bound in (upper_bounds.exact_two_layer_rank, upper_bounds.non_overlapping_upper_bound)],
    ("random_symmetry", symmetry.random_symmetry, [1, draw()], [(), NO_GENERATOR]),
    ("moved", symmetry.moved, [TENSOR[0, 0], torch.arange(4)],
     [(None, "ab", NET, TREE), (None, [0, 1, 2, 3], NET)]),
    ("sample_indices", tensors.sample_indices, [2, 3, 4, draw()], [(), (), (), NO_GENERATOR]),
    ("generalized_product", lambda *a: tensors.generalized_product(*a, torch.mul), [VECTOR, VECTOR],
     [(None, 2, NET, [1.0]), (None, 2, NET, [1.0])]),
    ("Bound.product", Bound.product, [[(2, 3)]], [(None, 5, [5], [Bound(2, 3)], [(2, 3, 4)])]),
    *[(f"receptive.{call.__name__}", call, [NET, 1], [(*NO_NET, lib.ConvAC(NET, generator=draw()))])
      for call in (receptive.total_stride, receptive.digits, receptive.reachable_shifts,
                   overlap.missing_hypotheses)],
    ("exact_rank", lambda where: exact_rank(M, device=where), ["cpu"],
     [("gpu", NET, -1, (3, 4), "mps", torch.eye(2))]),
    ("Modular", Modular, [101], [(torch.eye(2), [M, M], (M,))]),  # in one line
    ("split_modes", split_modes, [[0], 4], [([M], [[M]]), ()]),
    ("Node", Node, [(0, 1), 2], [([M, M], M)]),
    ("certify", lambda seed: certify(GLOBAL, "left-right", prime=101, seed=seed), [0], [(M, [M])]),
    ("glue", lib.glue, ["00-x", 1], [(None, 3, "", " "), (1.5, None, [1], torch.eye(2))]),
    ("table", lib.table, [[(1, "a")], ["x", "y"]],
     [(None, 5, [1], [(1,)], [(1, 2.5)], [(1, M)]), (None, 5, ["x"])]),
    ("check_answer", lib.check_answer, ["08-field", None], [("08-fields", None, 8, ["08"])]),
    ("audit.audit", lib.audit.audit, [LINEAR, 8, 3],
     [(None, "net", NET), (*WHOLE, *ZERO, (8, 8.0), (8,) * 4, ()), (*WHOLE, *ZERO, 4)]),
    ("audit.effective_field", lambda *a: lib.audit.effective_field(LINEAR, *a),
     [8, None, (1, 1), 1, 0, 3],
     [(*WHOLE, *ZERO), ("none", 3), ((9, 9), (1.0, 1), (1,), "ab"), (*WHOLE, *ZERO), WHOLE,
      (*WHOLE, *ZERO, 4)]),
    ("audit.EffectiveField.size", lib.audit.EffectiveField(torch.ones(3), ((0, 2),), (1,)).size,
     [0.5], [(*NUMBER, INF, 0, 1, -1, None)]),
    ("audit.Audit.box", lib.audit.audit(LINEAR, 8).box, [None, (1, 1)],
     [("none", 3), ((9, 9), (1.0, 1), (1,), "ab", 3)]),
]
# No line above, and why.
EXCEPTIONS = {
    "photograph": "takes no argument",
    "checking": "test_claims.py: its block has to run to the end",
    "verify": "test_claims.py: what is wrong is a claim that fails, an AssertionError",
}
RAW = ("unsupported operand", "not supported between", "invalid combination of arguments",
       "is not iterable", "has no len", "required positional", "object has no attribute",
       "not subscriptable", "unhashable", "not callable", "expected Tensor", "must be Tensor",
       "unpack", "cannot be interpreted", "must be a string", "must be str")


def test_every_public_name_is_tried_or_excepted():
    tried = {name for call in CALLS for name in (call[0].split(".")[0], call[1].__name__
             if hasattr(call[1], "__name__") else "")}
    names = {name for name in lib.__all__ if callable(getattr(lib, name))}
    assert names - tried == set(EXCEPTIONS)
    records = {"Audit", "Box", "EffectiveField", "Geometry", "JoinRecord", "LayerBound",
               "LayerRecord", "Surrogate", "UnsupportedOperation"}   # made by the audit, not called
    tried = {call[0].split(".")[1] for call in CALLS if call[0].startswith("audit.")}
    assert set(lib.audit.__all__) - tried - records == set()


@pytest.mark.parametrize("name, function, good, wrong", CALLS, ids=[call[0] for call in CALLS])
def test_each_wrong_argument_is_refused_in_words(name, function, good, wrong):
    function(*good)
    DRAWN.clear()
    for place_, values in enumerate(wrong):
        for value in values:
            arguments = [*good[:place_], value, *good[place_ + 1:]]
            with pytest.raises((ValueError, TypeError, OverflowError)) as refused:
                function(*arguments)
                pytest.fail(f"{name}: argument {place_} = {value!r} was taken")
            text = str(refused.value)
            assert "\n" not in text and not any(raw in text for raw in RAW), (
                f"{name}: argument {place_} = {value!r}: {text}")
            assert all(torch.equal(g.get_state(), FRESH) for g in DRAWN), (
                f"{name}: argument {place_} = {value!r}: refused after drawing random numbers")
            DRAWN.clear()
