"""What circuits, designs, mixtures and poolings refuse, and the whole sentence with which they do.

A sentence is compared whole: the number in it is often the only trace of what was compared with
what. Of a condition with several parts each part fails alone somewhere below.
"""

import math

import pytest
import torch

from lib import (
    DilatedNetwork,
    ModeTree,
    Node,
    TreeCircuit,
    coefficient_tensor,
    design_widths,
    dilated_tree,
    evaluate,
    even_odd_weights,
    gap_family,
    hybrid_in_mixture,
    hybrid_tree,
    lags,
    mixture_levels,
    pooling_order,
    split_windows_rank,
)
from lib.checks import choice, flag, floats, integer, integers, kind, pairs, real
from lib.exact.arithmetic import Modular
from lib.planted.runs import fisher_exact, median_interval
from lib.tests.sentences import DEEP, FOUR, ONE, STAR, TWO, draw, of, ones, refusal

REFUSALS = [
    # checks.py
    (lambda: integer("f: n", 2.0), "TypeError: f: n=2.0; need an integer"),
    (lambda: integer("f: n", 2.0, 1, 5), "TypeError: f: n=2.0; need an integer from 1 to 5"),
    (lambda: integer("f: n", True, 0), "TypeError: f: n=True; need an integer >= 0"),
    (lambda: integer("f: n", torch.tensor(True), 0),
     "TypeError: f: n=tensor(True); need an integer >= 0"),
    (lambda: integer("f: n", "2", 1), "TypeError: f: n='2'; need an integer >= 1"),
    (lambda: integer("f: n", 0, 1), "ValueError: f: n=0; need an integer >= 1"),
    (lambda: integer("f: n", 6, 1, 5), "ValueError: f: n=6; need an integer from 1 to 5"),
    (lambda: integer("f: n", 0, 1, 5), "ValueError: f: n=0; need an integer from 1 to 5"),
    (lambda: integer("f: n", torch.ones(2, 3).long()),
     "TypeError: f: n=Tensor of torch.int64 and shape (2, 3); need an integer"),
    (lambda: integers("f: n", "12"), "TypeError: f: n='12'; need several integers"),
    (lambda: integers("f: n", None), "TypeError: f: n=None; need several integers"),
    (lambda: integers("f: n", (2, 0), 1), "ValueError: f: n=0; need an integer >= 1"),
    (lambda: integers("f: n", (2, 0.5)), "TypeError: f: n=0.5; need an integer"),
    (lambda: real("f: x", True), "TypeError: f: x=True; need a real number"),
    (lambda: real("f: x", "1"), "TypeError: f: x='1'; need a real number"),
    (lambda: real("f: x", math.nan), "ValueError: f: x=nan; need a finite number"),
    (lambda: real("f: x", -math.inf), "ValueError: f: x=-inf; need a finite number"),
    (lambda: kind("f: x", [], str), "TypeError: f: x=[]; need a value of type str"),
    (lambda: kind("f: x", ones(2, 3), str, list),
     "TypeError: f: x=Tensor of torch.float32 and shape (2, 3); need a value of type str or list"),
    (lambda: kind("f: x", "ab " * 39 + "c", int),
     "TypeError: f: x='ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab "
     "ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab c'; need a value of type int"),
    (lambda: kind("f: x", "ab " * 39 + "cd", int),
     "TypeError: f: x='ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab "
     "ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab...; need a value of type int"),
    (lambda: kind("f: x", [" a  b\n"], int),
     "TypeError: f: x=[' a b\\n']; need a value of type int"),
    (lambda: choice("f: x", ["a"], ("a", "b")), "ValueError: f: x=['a']; need one of 'a', 'b'"),
    (lambda: choice("f: x", "c", ("a", "b")), "ValueError: f: x='c'; need one of 'a', 'b'"),
    (lambda: flag("f: x", 1), "TypeError: f: x=1; need True or False"),
    (lambda: floats("f: x", ONE, 1), "TypeError: f: x=1; need a value of type Tensor"),
    (lambda: floats("f: x", ONE.long()),
     "TypeError: f: x of torch.int64; need one floating point type"),
    (lambda: floats("f: x", ONE, ONE.double()),
     "TypeError: f: x of torch.float32 and torch.float64; need one floating point type"),
    (lambda: floats("f: x", ONE, ONE.long()),
     "TypeError: f: x of torch.float32 and torch.int64; need one floating point type"),
    (lambda: pairs("f: w", ONE),
     "TypeError: f: w=Tensor of torch.float32 and shape (1,); need a value of type list or tuple"),
    (lambda: pairs("f: w", [(ONE, None), ONE]),
     "TypeError: f: w of layer 2 are Tensor of torch.float32 and shape (1,); need (weight, "
     "bias), tensors or None for no bias"),
    (lambda: pairs("f: w", [(ONE, None, None)]),
     "TypeError: f: w of layer 1 are (tensor([1.]), None, None); need (weight, bias), tensors "
     "or None for no bias"),
    (lambda: pairs("f: w", [(1, None)]),
     "TypeError: f: w of layer 1 are (1, None); need (weight, bias), tensors or None for no bias"),
    (lambda: pairs("f: w", [(ONE, 1)]),
     "TypeError: f: w of layer 1 are (tensor([1.]), 1); need (weight, bias), tensors or None "
     "for no bias"),
    # circuit.py
    (lambda: evaluate(STAR, of(STAR), ones(2, 3)),
     "ValueError: evaluate: inputs of shape (2, 3); the tree [0 1]:4 over dimension 3 needs "
     "(batch, 2, 3)"),
    (lambda: evaluate(STAR, of(STAR), ones(1, 2, 3, 1)),
     "ValueError: evaluate: inputs of shape (1, 2, 3, 1); the tree [0 1]:4 over dimension 3 "
     "needs (batch, 2, 3)"),
    (lambda: evaluate(STAR, of(STAR), ones(1, 3, 3)),
     "ValueError: evaluate: inputs of shape (1, 3, 3); the tree [0 1]:4 over dimension 3 needs "
     "(batch, 2, 3)"),
    (lambda: evaluate(STAR, of(STAR), ones(1, 2, 2)),
     "ValueError: evaluate: inputs of shape (1, 2, 2); the tree [0 1]:4 over dimension 3 needs "
     "(batch, 2, 3)"),
    (lambda: evaluate(STAR, of(STAR), [1]),
     "TypeError: evaluate: inputs=[1]; need a value of type Tensor"),
    (lambda: evaluate(STAR, of(STAR), ones(1, 2, 3)),
     "TypeError: evaluate: inputs and weights of torch.float32 and torch.float64; need one "
     "floating point type"),
    (lambda: evaluate(STAR, {}, ones(1, 2, 3)),
     "ValueError: check_weights: no weight at path (); need a matrix of shape (4,)"),
    (lambda: evaluate("tree", {}, ones(1, 2, 3)),
     "TypeError: evaluate: tree='tree'; need a value of type ModeTree"),
    (lambda: evaluate(STAR, of(STAR), ones(1, 2, 3).double(), operator="max"),
     "TypeError: evaluate: operator='max'; need a function of two tensors, see "
     "activation_pooling, or None for the product"),
    (lambda: TreeCircuit(STAR),
     "ValueError: TreeCircuit: give initial weights or a generator to draw them"),
    (lambda: TreeCircuit(None, generator=draw()),
     "TypeError: TreeCircuit: tree=None; need a value of type ModeTree"),
    (lambda: TreeCircuit(STAR, 1, generator=draw()),
     "TypeError: TreeCircuit: shared=1; need True or False"),
    (lambda: TreeCircuit(STAR, operator=3, generator=draw()),
     "TypeError: TreeCircuit: operator=3; need a function of two tensors, see "
     "activation_pooling, or None for the product"),
    (lambda: TreeCircuit(STAR, generator=0),
     "TypeError: TreeCircuit: generator=0; need a value of type Generator"),
    (lambda: TreeCircuit(STAR, weights={}),
     "ValueError: check_weights: no weight at path (); need a matrix of shape (4,)"),
    (lambda: TreeCircuit(STAR, weights={path: w.long() for path, w in of(STAR).items()}),
     "TypeError: TreeCircuit: weights of torch.int64; need one floating point type"),
    (lambda: TreeCircuit(STAR, True, weights=of(STAR)),
     "ValueError: TreeCircuit: shared weights at paths (0,) and (1,) differ"),
    (lambda: TreeCircuit(STAR, generator=draw()).product_form(of(STAR)),
     "ValueError: product_form: a module has its own weights; give None"),
    (lambda: TreeCircuit(STAR, operator=max, generator=draw()).product_form(),
     "ValueError: product_form: operator <built-in function max> does not split over a "
     "partition; only products of affine maps do"),
    # constructions.py
    (lambda: even_odd_weights(ModeTree.star(3, 2, 2)),
     "ValueError: even_odd_weights: the node at path () of [0 1 2]:2 over dimension 2 does not "
     "join two modes or two inner nodes"),
    (lambda: even_odd_weights(ModeTree(Node((0, Node((1, 2), 1)), 1), 2)),
     "ValueError: even_odd_weights: the node at path () of [0 [1 2]:1]:1 over dimension 2 does "
     "not join two modes or two inner nodes"),
    (lambda: even_odd_weights(ModeTree(Node((Node((0,), 1), Node((1, 2), 1)), 1), 2)),
     "ValueError: even_odd_weights: the node at path (0,) of [[0]:1 [1 2]:1]:1 over dimension 2 "
     "does not join two modes or two inner nodes"),
    # decompositions.py
    (lambda: coefficient_tensor(ModeTree.star(27, 2, 1), {}),
     "ValueError: check_weights: no weight at path (); need a matrix of shape (1,)"),
    (lambda: coefficient_tensor(ModeTree.star(28, 2, 1), {}),
     "ValueError: coefficient_tensor: 2 ** 28 = 268435456 entries are more than 134217728; use "
     "blocks of the matricization instead (lib.grids.blocks)"),
    (lambda: coefficient_tensor(STAR, of(STAR), Modular),
     "TypeError: coefficient_tensor: arithmetic=<class 'lib.exact.arithmetic.Modular'>; need a "
     "value of type Real or Modular"),
    (lambda: coefficient_tensor(STAR, of(STAR), operator="max"),
     "TypeError: coefficient_tensor: operator='max'; need a function of two tensors, see "
     "activation_pooling, or None for the product"),
    (lambda: coefficient_tensor(STAR, {path: w.long() for path, w in of(STAR).items()}),
     "TypeError: coefficient_tensor: weights of torch.int64; need one floating point type"),
    # designer.py
    (lambda: design_widths(DEEP, [], 50),
     "ValueError: design_widths: partitions=[], candidates=(1, 2, 4, 8, 16); need at least one "
     "of each"),
    (lambda: design_widths(DEEP, "even-odd", 50),
     "TypeError: design_widths: partitions='even-odd'; need a value of type list or tuple"),
    (lambda: design_widths(DEEP, ["even-odd"], 50, ()),
     "ValueError: design_widths: partitions=['even-odd'], candidates=(); need at least one of "
     "each"),
    (lambda: design_widths(DEEP, ["even-odd"], 50, (0,)),
     "ValueError: design_widths: candidates=0; need an integer >= 1"),
    (lambda: design_widths(DEEP, ["even-odd"], 50, by="layer"),
     "ValueError: design_widths: by='layer'; need one of 'level', 'node'"),
    (lambda: design_widths(DEEP, ["even-odd"], 50, shared=0),
     "TypeError: design_widths: shared=0; need True or False"),
    (lambda: design_widths(DEEP, ["even-odd"], 50.0),
     "TypeError: design_widths: budget=50.0; need an integer"),
    (lambda: design_widths(DEEP, ["even-odd"], 14, (1, 2, 4, 8)),
     "ValueError: design_widths: with all widths 1 the tree has 15 parameters, more than "
     "budget=14"),
    (lambda: design_widths(DEEP, ["even-odd"], 4, (2, 1), shared=True),
     "ValueError: design_widths: with all widths 1 the tree has 5 parameters, more than budget=4"),
    # hybrids.py
    (lambda: hybrid_in_mixture(DilatedNetwork(((1, 2, 4),), 2, 2), [], (0, 1)),
     "ValueError: hybrid_in_mixture: DilatedNetwork(orders=((1, 2, 4),), dim=2, width=2, "
     "exchange=()) has not two streams and one exchange"),
    (lambda: hybrid_in_mixture(DilatedNetwork(((1, 2, 4), (2, 1, 4)), 2, 2), [], (0, 1)),
     "ValueError: hybrid_in_mixture: DilatedNetwork(orders=((1, 2, 4), (2, 1, 4)), dim=2, "
     "width=2, exchange=()) has not two streams and one exchange"),
    (lambda: hybrid_in_mixture(FOUR, [], (0, 1)),
     "ValueError: hybrid_in_mixture: DilatedNetwork(orders=((1, 2, 4, 8), (2, 1, 4, 8)), dim=2, "
     "width=2, exchange=(2, 3)) has not two streams and one exchange"),
    (lambda: hybrid_in_mixture(TWO, [], (0, 1)),
     "ValueError: check_weights: shapes []; need [[(2, 3, 2), (2, 3, 3), (2, 1, 3)], [(2, 3, "
     "2), (2, 3, 3), (2, 1, 3)]]"),
    (lambda: hybrid_in_mixture(TWO, of(TWO), (0,)),
     "ValueError: hybrid_in_mixture: taps=(0,); need two numbers 0 or 1"),
    (lambda: hybrid_in_mixture(TWO, of(TWO), (0, 1, 1)),
     "ValueError: hybrid_in_mixture: taps=(0, 1, 1); need two numbers 0 or 1"),
    (lambda: hybrid_in_mixture(TWO, of(TWO), (0, 2)),
     "ValueError: hybrid_in_mixture: taps=(0, 2); need two numbers 0 or 1"),
    (lambda: hybrid_in_mixture(TWO, of(TWO), (2, 0)),
     "ValueError: hybrid_in_mixture: taps=(2, 0); need two numbers 0 or 1"),
    (lambda: hybrid_in_mixture(TWO, of(TWO), (-1, 0)),
     "ValueError: hybrid_in_mixture: taps=-1; need an integer >= 0"),
    # mixtures.py
    (lambda: lags(()), "ValueError: lags: no dilations; need at least one"),
    (lambda: lags((1, 0)), "ValueError: lags: dilations=0; need an integer >= 1"),
    (lambda: dilated_tree((1, 2, 2), 2, 2),
     "ValueError: dilated_tree: dilations (1, 2, 2) read x[t-2] along 2 paths; no tree has one "
     "leaf for it"),
    (lambda: dilated_tree((2, 1, 1), 2, 2),
     "ValueError: dilated_tree: dilations (2, 1, 1) read x[t-1] along 2 paths; no tree has one "
     "leaf for it"),
    (lambda: dilated_tree((1, 1, 1, 1), 2, 2),
     "ValueError: dilated_tree: dilations (1, 1, 1, 1) read x[t-1] along 4 paths; no tree has "
     "one leaf for it"),
    (lambda: mixture_levels((1, 2), (1, 3)),
     "ValueError: mixture_levels: (1, 2) and (1, 3) are not two orders of the same dilations"),
    (lambda: mixture_levels((1, 3), (1, 2)),
     "ValueError: mixture_levels: (1, 3) and (1, 2) are not two orders of the same dilations"),
    (lambda: mixture_levels((0, 2), (2, 0)),
     "ValueError: mixture_levels: dilations=0; need an integer >= 1"),
    (lambda: hybrid_tree((1, 2, 4), (2, 1, 4), 2, 2, 1, (0, 0)),
     "ValueError: hybrid_tree: level=1; need one of the mixture levels (2,)"),
    (lambda: hybrid_tree((1, 2, 4), (2, 1, 4), 2, 2, 3, (0,)),
     "ValueError: hybrid_tree: level=3; need one of the mixture levels (2,)"),
    (lambda: hybrid_tree((1, 2, 4), (2, 1, 4), 2, 2, 2.0, (0, 0)),
     "TypeError: hybrid_tree: level=2.0; need an integer"),
    (lambda: hybrid_tree((1, 2, 4), (2, 1, 4), 2, 1, 2, (0, 0)),
     "ValueError: hybrid_tree: width 0 on level 2, choice (0, 0); need a width of at least 1 "
     "there and 2 numbers 0 or 1"),
    (lambda: hybrid_tree((1, 2, 4), (2, 1, 4), 2, 2, 2, (0, 0), 0),
     "ValueError: hybrid_tree: width 0 on level 2, choice (0, 0); need a width of at least 1 "
     "there and 2 numbers 0 or 1"),
    (lambda: hybrid_tree((1, 2, 4), (2, 1, 4), 2, 2, 2, (0,)),
     "ValueError: hybrid_tree: width 1 on level 2, choice (0,); need a width of at least 1 "
     "there and 2 numbers 0 or 1"),
    (lambda: hybrid_tree((1, 2, 4), (2, 1, 4), 2, 2, 2, (0, 0, 0)),
     "ValueError: hybrid_tree: width 1 on level 2, choice (0, 0, 0); need a width of at least 1 "
     "there and 2 numbers 0 or 1"),
    (lambda: hybrid_tree((1, 2, 4), (2, 1, 4), 2, 2, 2, (0, 2)),
     "ValueError: hybrid_tree: width 1 on level 2, choice (0, 2); need a width of at least 1 "
     "there and 2 numbers 0 or 1"),
    (lambda: hybrid_tree((1, 2, 4), (2, 1, 4), 2, 2, 2, (-1, 0)),
     "ValueError: hybrid_tree: choice=-1; need an integer >= 0"),
    (lambda: hybrid_tree((1, 2, 4), (2, 1, 4), 0, 2, 2, (0, 0)),
     "ValueError: hybrid_tree: dim and width=0; need an integer >= 1"),
    (lambda: hybrid_tree((1, 2, 4), (2, 1, 4), 2, 0, 2, (0, 0), 1),
     "ValueError: hybrid_tree: dim and width=0; need an integer >= 1"),
    (lambda: DilatedNetwork((), 2, 2), "ValueError: DilatedNetwork: 0 orders; need one or two"),
    (lambda: DilatedNetwork(((1, 2),) * 3, 2, 2),
     "ValueError: DilatedNetwork: 3 orders; need one or two"),
    (lambda: DilatedNetwork(3, 2, 2),
     "TypeError: DilatedNetwork: orders=3; need a value of type tuple or list"),
    (lambda: DilatedNetwork(((1, 2),), 0, 2),
     "ValueError: DilatedNetwork: dim and width=0; need an integer >= 1"),
    (lambda: DilatedNetwork(((1, 2),), 2, 0),
     "ValueError: DilatedNetwork: dim and width=0; need an integer >= 1"),
    (lambda: DilatedNetwork(((1, 2),), 2, 2, (0,)),
     "ValueError: DilatedNetwork: exchange=0; need an integer >= 1"),
    (lambda: DilatedNetwork(((1, 2),), 2, 2, (1,)),
     "ValueError: DilatedNetwork: exchange (1,) at width 2; the mixture levels of ((1, 2),) are "
     "(), and the width must be at least 2"),
    (lambda: DilatedNetwork(((1, 2, 4), (2, 1, 4)), 2, 2, (1, 2)),
     "ValueError: DilatedNetwork: exchange (1, 2) at width 2; the mixture levels of ((1, 2, 4), "
     "(2, 1, 4)) are (2,), and the width must be at least 2"),
    (lambda: DilatedNetwork(((1, 2, 4), (2, 1, 4)), 2, 1, (2,)),
     "ValueError: DilatedNetwork: exchange (2,) at width 1; the mixture levels of ((1, 2, 4), "
     "(2, 1, 4)) are (2,), and the width must be at least 2"),
    (lambda: DilatedNetwork(((1, 0),), 2, 2),
     "ValueError: DilatedNetwork: orders=0; need an integer >= 1"),
    (lambda: TWO.check_weights(3),
     "TypeError: check_weights: weights=3; need a value of type list or tuple"),
    (lambda: TWO.check_weights([[ones(2, 3, 2)], 3]),
     "TypeError: check_weights: layers of a stream=3; need a value of type list or tuple"),
    (lambda: TWO.check_weights([]),
     "ValueError: check_weights: shapes []; need [[(2, 3, 2), (2, 3, 3), (2, 1, 3)], [(2, 3, "
     "2), (2, 3, 3), (2, 1, 3)]]"),
    (lambda: TWO.check_weights([[ones(2, 3, 2), ones(2, 3, 3), ones(2, 1, 3)]]),
     "ValueError: check_weights: shapes [[(2, 3, 2), (2, 3, 3), (2, 1, 3)]]; need [[(2, 3, 2), "
     "(2, 3, 3), (2, 1, 3)], [(2, 3, 2), (2, 3, 3), (2, 1, 3)]]"),
    (lambda: TWO.check_weights([[w.long() for w in stream] for stream in of(TWO)]),
     "TypeError: check_weights: weights of torch.int64; need one floating point type"),
    (lambda: TWO.check_weights([[w.mT for w in stream] for stream in of(TWO)]),
     "ValueError: check_weights: shapes [[(2, 2, 3), (2, 3, 3), (2, 3, 1)], [(2, 2, 3), (2, 3, "
     "3), (2, 3, 1)]]; need [[(2, 3, 2), (2, 3, 3), (2, 1, 3)], [(2, 3, 2), (2, 3, 3), (2, 1, "
     "3)]]"),
    (lambda: TWO.run(of(TWO), ones(1, 8, 2)),
     "TypeError: run: signal and weights of torch.float32 and torch.float64; need one floating "
     "point type"),
    (lambda: TWO.run(of(TWO), ones(1, 7, 2).double()),
     "ValueError: run: signal of shape (1, 7, 2); need (batch, more than 7 instants, 2 channels)"),
    (lambda: TWO.run(of(TWO), ones(8, 2).double()),
     "ValueError: run: signal of shape (8, 2); need (batch, more than 7 instants, 2 channels)"),
    (lambda: TWO.run(of(TWO), ones(1, 8, 2, 1).double()),
     "ValueError: run: signal of shape (1, 8, 2, 1); need (batch, more than 7 instants, 2 "
     "channels)"),
    (lambda: TWO.run(of(TWO), ones(1, 8, 3).double()),
     "ValueError: run: signal of shape (1, 8, 3); need (batch, more than 7 instants, 2 channels)"),
    (lambda: TWO.run(of(TWO), "signal"),
     "TypeError: run: signal='signal'; need a value of type Tensor"),
    (lambda: TWO.run([], ones(1, 8, 2)),
     "ValueError: check_weights: shapes []; need [[(2, 3, 2), (2, 3, 3), (2, 1, 3)], [(2, 3, "
     "2), (2, 3, 3), (2, 1, 3)]]"),
    (lambda: TWO.tensor([[w.long() for w in stream] for stream in of(TWO)]),
     "TypeError: check_weights: weights of torch.int64; need one floating point type"),
    (lambda: TWO.tensor([]),
     "ValueError: check_weights: shapes []; need [[(2, 3, 2), (2, 3, 3), (2, 1, 3)], [(2, 3, "
     "2), (2, 3, 3), (2, 1, 3)]]"),
    (lambda: DilatedNetwork(((1, 2, 4, 8, 16),), 2, 2).tensor([]),
     "ValueError: tensor: 2 ** 32 entries, more than 134217728"),
    (lambda: DilatedNetwork(((1, 1),), 2, 2).tensor([]),
     "ValueError: dilated_tree: dilations (1, 1) read x[t-1] along 2 paths; no tree has one "
     "leaf for it"),
    (lambda: gap_family(2), "ValueError: gap_family: depth=2; need an integer >= 3"),
    # pooling.py
    (lambda: pooling_order(1, "square"),
     "ValueError: pooling_order: grid 1 is neither a power of two nor a square with such a "
     "side, at least 2"),
    (lambda: pooling_order(6, "square"),
     "ValueError: pooling_order: grid 6 is neither a power of two nor a square with such a "
     "side, at least 2"),
    (lambda: pooling_order((), "square"),
     "ValueError: pooling_order: grid () is neither a power of two nor a square with such a "
     "side, at least 2"),
    (lambda: pooling_order((4, 2), "square"),
     "ValueError: pooling_order: grid (4, 2) is neither a power of two nor a square with such a "
     "side, at least 2"),
    (lambda: pooling_order((2, 2, 2), "square"),
     "ValueError: pooling_order: grid (2, 2, 2) is neither a power of two nor a square with "
     "such a side, at least 2"),
    (lambda: pooling_order(4, "row"),
     "ValueError: pooling_order: geometry 'row' for 2 levels; need one of square, mirror, "
     "dilated, or one of them for every level"),
    (lambda: pooling_order(4, ("square",)),
     "ValueError: pooling_order: geometry ('square',) for 2 levels; need one of square, mirror, "
     "dilated, or one of them for every level"),
    (lambda: pooling_order(4, ("square", "row")),
     "ValueError: pooling_order: geometry ('square', 'row') for 2 levels; need one of square, "
     "mirror, dilated, or one of them for every level"),
    (lambda: pooling_order(4, 3),
     "ValueError: pooling_order: geometry 3 for 2 levels; need one of square, mirror, dilated, "
     "or one of them for every level"),
    (lambda: split_windows_rank(0, 2, (2,), 0, 1),
     "ValueError: split_windows_rank: pool=0; need an integer >= 1"),
    (lambda: split_windows_rank(2, 0, (2,), 0, 1),
     "ValueError: split_windows_rank: dim=0; need an integer >= 1"),
    (lambda: split_windows_rank(3, 2, (2, 2), -1, 1),
     "ValueError: split_windows_rank: level -1 of 2, 1 children of 3 in the rows; need 0 <= "
     "level < levels and 0 < rows < pool"),
    (lambda: split_windows_rank(3, 2, (2, 2), 2, 1),
     "ValueError: split_windows_rank: level 2 of 2, 1 children of 3 in the rows; need 0 <= "
     "level < levels and 0 < rows < pool"),
    (lambda: split_windows_rank(3, 2, (2, 2), 1, 0),
     "ValueError: split_windows_rank: level 1 of 2, 0 children of 3 in the rows; need 0 <= "
     "level < levels and 0 < rows < pool"),
    (lambda: split_windows_rank(3, 2, (2, 2), 1, 3),
     "ValueError: split_windows_rank: level 1 of 2, 3 children of 3 in the rows; need 0 <= "
     "level < levels and 0 < rows < pool"),
    (lambda: split_windows_rank(3, 2, (2, 0), 0, 1),
     "ValueError: split_windows_rank: widths=0; need an integer >= 1"),
    # planted/runs.py
    (lambda: median_interval([]),
     "ValueError: median_interval: 0 errors are too few for the level 0.95"),
    (lambda: median_interval([1.0] * 5),
     "ValueError: median_interval: 5 errors are too few for the level 0.95"),
    (lambda: median_interval([1.0] * 6, 0.97),
     "ValueError: median_interval: 6 errors are too few for the level 0.97"),
    (lambda: median_interval(None),
     "TypeError: median_interval: errors=None; need a value of type Iterable"),
    (lambda: fisher_exact(0, math.nan, 3),
     "TypeError: fisher_exact: counts and starts=nan; need an integer"),
    (lambda: fisher_exact(3, 0, None),
     "TypeError: fisher_exact: counts and starts=None; need an integer"),
    (lambda: fisher_exact(-1, 0, 3),
     "ValueError: fisher_exact: counts -1 and 0; need numbers from 0 to 3"),
    (lambda: fisher_exact(4, 0, 3),
     "ValueError: fisher_exact: counts 4 and 0; need numbers from 0 to 3"),
    (lambda: fisher_exact(0, -1, 3),
     "ValueError: fisher_exact: counts 0 and -1; need numbers from 0 to 3"),
    (lambda: fisher_exact(0, 4, 3),
     "ValueError: fisher_exact: counts 0 and 4; need numbers from 0 to 3"),
]


@pytest.mark.parametrize("call, sentence", REFUSALS, ids=map(str, range(len(REFUSALS))))
def test_the_whole_sentence(call, sentence):
    assert refusal(call) == sentence
