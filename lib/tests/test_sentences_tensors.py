"""What rectifiers, symmetries, tensors and trees refuse, and the whole sentence with which they do.

A sentence is compared whole: the number in it is often the only trace of what was compared with
what. Of a condition with several parts each part fails alone somewhere below.
"""

import math

import pytest
import torch

from lib import (
    ModeTree,
    Node,
    Real,
    activation_pooling,
    indices,
    matricize,
    maximum_as_products,
    single_channel,
    universal_weights,
)
from lib.tests.sentences import DEEP, ONE, STAR, draw, of, ones, refusal, without
from lib.trees import rectifiers, symmetry, tensors

REFUSALS = [
    # rectifiers.py
    (lambda: universal_weights(torch.tensor(3.0)),
     "ValueError: universal_weights: a tensor of shape (); need equal dimensions and at least "
     "two entries"),
    (lambda: universal_weights(ones(1)),
     "ValueError: universal_weights: a tensor of shape (1,); need equal dimensions and at least "
     "two entries"),
    (lambda: universal_weights(ones(1, 1, 1)),
     "ValueError: universal_weights: a tensor of shape (1, 1, 1); need equal dimensions and at "
     "least two entries"),
    (lambda: universal_weights(ones(2, 3)),
     "ValueError: universal_weights: a tensor of shape (2, 3); need equal dimensions and at "
     "least two entries"),
    (lambda: universal_weights(ones(0, 0)),
     "ValueError: universal_weights: a tensor of shape (0, 0); need equal dimensions and at "
     "least two entries"),
    (lambda: universal_weights(3),
     "TypeError: universal_weights: needs a tensor of real numbers, got int"),
    (lambda: universal_weights(ones(2).to(torch.complex64)),
     "TypeError: universal_weights: needs a tensor of real numbers, got torch.complex64"),
    (lambda: universal_weights(torch.tensor([1.0, math.nan])),
     "ValueError: universal_weights: an entry is NaN or infinite; need finite numbers"),
    (lambda: single_channel(torch.tensor(3.0)),
     "ValueError: single_channel: a tensor of shape (); need equal dimensions and at least one "
     "entry"),
    (lambda: single_channel(ones(2, 3)),
     "ValueError: single_channel: a tensor of shape (2, 3); need equal dimensions and at least "
     "one entry"),
    (lambda: single_channel(ones(0, 0)),
     "ValueError: single_channel: a tensor of shape (0, 0); need equal dimensions and at least "
     "one entry"),
    (lambda: single_channel("T"),
     "TypeError: single_channel: needs a tensor of real numbers, got str"),
    (lambda: single_channel(torch.tensor([1.0, math.inf])),
     "ValueError: single_channel: an entry is NaN or infinite; need finite numbers"),
    (lambda: maximum_as_products(STAR, of(STAR)),
     "ValueError: maximum_as_products: [0 1]:4 over dimension 3 is not a star of width 1"),
    (lambda: maximum_as_products(ModeTree(Node((0, Node((1,), 1)), 1), 2), {}),
     "ValueError: maximum_as_products: [0 [1]:1]:1 over dimension 2 is not a star of width 1"),
    (lambda: maximum_as_products(ModeTree.star(2, 2, 1), {}),
     "ValueError: check_weights: no weight at path (); need a matrix of shape (1,)"),
    (lambda: maximum_as_products(ModeTree.star(1, 2, 1), {(): ONE, (0,): torch.tensor([[1.0,
         math.inf]])}),
     "ValueError: maximum_as_products: an entry is NaN or infinite; need finite numbers"),
    (lambda: maximum_as_products(ModeTree.star(1, 2, 1), {(): ONE * math.nan, (0,): ones(1, 2)}),
     "ValueError: maximum_as_products: an entry is NaN or infinite; need finite numbers"),
    (lambda: maximum_as_products(ModeTree.star(1, 2, 1), {(): ONE.long(), (0,): ones(1, 2).long()}),
     "TypeError: maximum_as_products: weights of torch.int64; need one floating point type"),
    (lambda: rectifiers.maxima_rank_bound((0,), 2, 2, 0),
     "ValueError: maxima_rank_bound: channels=0; need an integer >= 1"),
    (lambda: rectifiers.maxima_rank_bound((0,), 2, 0),
     "ValueError: maxima_rank_bound: dim=0; need an integer >= 1"),
    (lambda: rectifiers.maxima_rank_bound((), 0, 2),
     "ValueError: maxima_rank_bound: modes=0; need an integer >= 1"),
    (lambda: rectifiers.largest_average_rank((0,), 4, 0),
     "ValueError: largest_average_rank: dim=0; need an integer >= 1"),
    (lambda: rectifiers.largest_average_rank((0,), 1, 2),
     "ValueError: largest_average_rank: modes=1; need an integer >= 2"),
    (lambda: rectifiers.largest_average_rank((0,), 6, 2),
     "ValueError: largest_average_rank: modes=6; need a power of two"),
    (lambda: rectifiers.keeps_order(DEEP, -1, 0),
     "ValueError: keeps_order: leaf=-1 and deeper=0; need leaf >= 0 and 0 <= deeper < 1"),
    (lambda: rectifiers.keeps_order(DEEP, "1/4", -1),
     "ValueError: keeps_order: leaf=1/4 and deeper=-1; need leaf >= 0 and 0 <= deeper < 1"),
    (lambda: rectifiers.keeps_order(DEEP, "1/4", 1),
     "ValueError: keeps_order: leaf=1/4 and deeper=1; need leaf >= 0 and 0 <= deeper < 1"),
    (lambda: rectifiers.keeps_order(DEEP, 0.25, 0),
     "TypeError: keeps_order: leaf=0.25; need a value of type Fraction or int or str"),
    (lambda: rectifiers.keeps_order(DEEP, "quarter", 0),
     "ValueError: keeps_order: leaf='quarter'; need a fraction as '1/4'"),
    (lambda: rectifiers.keeps_order(DEEP, 0, "1/0"),
     "ValueError: keeps_order: deeper='1/0'; need a fraction as '1/4'"),
    (lambda: rectifiers.keeps_order(ModeTree.star(3, 2, 1), 0, 0),
     "ValueError: keeps_order: [0 1 2]:1 over dimension 2 is not a perfect tree with pool size 2"),
    (lambda: rectifiers.pair_weights(ModeTree.star(3, 2, 1)),
     "ValueError: pair_weights: [0 1 2]:1 over dimension 2 is not a perfect tree with pool size "
     "2"),
    (lambda: rectifiers.pair_weights(ModeTree(Node((0, Node((1, 2), 1)), 1), 2)),
     "ValueError: pair_weights: [0 [1 2]:1]:1 over dimension 2 is not a perfect tree with pool "
     "size 2"),
    (lambda: rectifiers.ordered_weights(ModeTree(Node((Node((1, 2), 1), 0), 1), 2)),
     "ValueError: ordered_weights: [[1 2]:1 0]:1 over dimension 2 is not a perfect tree with "
     "pool size 2"),
    (lambda: rectifiers.ordered_weights(3),
     "TypeError: ordered_weights: tree=3; need a value of type ModeTree"),
    # symmetry.py
    (lambda: symmetry.symmetry_order(1, 1),
     "ValueError: symmetry_order: pool=1; need an integer >= 2"),
    (lambda: symmetry.symmetry_order(-1),
     "ValueError: symmetry_order: levels=-1; need an integer >= 0"),
    (lambda: symmetry.random_symmetry(1, draw(), 1),
     "ValueError: random_symmetry: pool=1; need an integer >= 2"),
    (lambda: symmetry.invariant_dimension(1, 2, 1),
     "ValueError: invariant_dimension: pool=1; need an integer >= 2"),
    (lambda: symmetry.invariant_dimension(1, 0),
     "ValueError: invariant_dimension: dim=0; need an integer >= 1"),
    (lambda: symmetry.side_orbits(0, 2), "ValueError: side_orbits: levels=0; need an integer >= 1"),
    (lambda: symmetry.side_orbits(1, 2, 3),
     "ValueError: side_orbits: pool=3; need an even number, two halves of it"),
    (lambda: symmetry.quadtree_places(-1),
     "ValueError: quadtree_places: levels=-1; need an integer >= 0"),
    (lambda: symmetry.moved(ones(4, 2), torch.arange(8)),
     "ValueError: moved: images of (4, 2) pixels and a symmetry of 8 places; need 2^n by 2^n "
     "and 4^n"),
    (lambda: symmetry.moved(ones(2, 4), torch.arange(16)),
     "ValueError: moved: images of (2, 4) pixels and a symmetry of 16 places; need 2^n by 2^n "
     "and 4^n"),
    (lambda: symmetry.moved(ones(4, 4), torch.arange(15)),
     "ValueError: moved: images of (4, 4) pixels and a symmetry of 15 places; need 2^n by 2^n "
     "and 4^n"),
    (lambda: symmetry.moved(ones(3, 3), torch.arange(4)),
     "ValueError: moved: images of (3, 3) pixels and a symmetry of 4 places; need 2^n by 2^n "
     "and 4^n"),
    (lambda: symmetry.moved(ones(3, 3), torch.arange(9)),
     "ValueError: moved: images of (3, 3) pixels and a symmetry of 9 places; need 2^n by 2^n "
     "and 4^n"),
    # tensors.py
    (lambda: matricize([1], [0]), "TypeError: matricize: needs a tensor, got list"),
    (lambda: matricize(ones(2, 2), [0], (2, 2)),
     "ValueError: matricize: a tensor of order 2 and shape (2, 2) does not have the 4 modes of "
     "the grid (2, 2)"),
    (lambda: matricize(ones(2, 3, 2, 2), [0], (2, 3)),
     "ValueError: matricize: a tensor of order 4 and shape (2, 3, 2, 2) does not have the 6 "
     "modes of the grid (2, 3)"),
    (lambda: matricize(ones(2, 3), [0], 3),
     "ValueError: matricize: a tensor of order 2 and shape (2, 3) does not have the 3 modes of "
     "the grid 3"),
    (lambda: matricize(ones(2, 3), [0], 1),
     "ValueError: matricize: a tensor of order 2 and shape (2, 3) does not have the 1 modes of "
     "the grid 1"),
    (lambda: indices(2.0, 1),
     "ValueError: indices: dim=2.0 and count=1; need integers dim >= 1 and count >= 0"),
    (lambda: indices(1, 2.0),
     "ValueError: indices: dim=1 and count=2.0; need integers dim >= 1 and count >= 0"),
    (lambda: indices(0, 1),
     "ValueError: indices: dim=0 and count=1; need integers dim >= 1 and count >= 0"),
    (lambda: indices(1, -1),
     "ValueError: indices: dim=1 and count=-1; need integers dim >= 1 and count >= 0"),
    (lambda: indices(2, 26),
     "ValueError: indices: 2^26 tuples; more than 1,073,741,824 numbers do not fit into memory, "
     "see sample_indices"),
    (lambda: tensors.sample_indices(2, 3, 9, draw()),
     "ValueError: sample_indices: 9 samples asked of 2 ** 3 = 8 tuples"),
    (lambda: tensors.sample_indices(2, 3, -1, draw()),
     "ValueError: sample_indices: -1 samples asked of 2 ** 3 = 8 tuples"),
    (lambda: tensors.sample_indices(0, 3, 1, draw()),
     "ValueError: sample_indices: dim=0; need an integer >= 1"),
    (lambda: tensors.sample_indices(2, -1, 1, draw()),
     "ValueError: sample_indices: count=-1; need an integer >= 0"),
    (lambda: tensors.khatri_rao([]), "ValueError: khatri_rao: no factors given"),
    (lambda: tensors.khatri_rao([1]), "TypeError: khatri_rao: needs tensors, got int"),
    (lambda: tensors.khatri_rao([ONE]),
     "ValueError: khatri_rao: factor of shape (1,); need matrices with the same number of "
     "columns"),
    (lambda: tensors.khatri_rao([ones(1, 2, 3)]),
     "ValueError: khatri_rao: factor of shape (1, 2, 3); need matrices with the same number of "
     "columns"),
    (lambda: tensors.khatri_rao([ones(2, 3), ones(2, 2)]),
     "ValueError: khatri_rao: factor of shape (2, 2); need matrices with the same number of "
     "columns"),
    (lambda: tensors.khatri_rao([torch.full((1, 1), 64).to(torch.int8), torch.full((1, 1),
         2).to(torch.int8)]),
     "OverflowError: khatri_rao: products up to 128 do not fit into torch.int8; convert to "
     "float64 or to residues"),
    (lambda: tensors.khatri_rao([torch.full((1, 1), 2).to(torch.int8), torch.full((1, 1),
         -64).to(torch.int8)]),
     "OverflowError: khatri_rao: products up to 128 do not fit into torch.int8; convert to "
     "float64 or to residues"),
    (lambda: tensors.generalized_product(torch.tensor([1, -64]).to(torch.int8),
         torch.tensor([2, 1]).to(torch.int8), torch.mul),
     "OverflowError: generalized_product: products up to 128 do not fit into torch.int8; "
     "convert to float64 or to residues"),
    (lambda: tensors.require_operator("f", 3),
     "TypeError: f: operator=3; need a function of two tensors, see activation_pooling, or None "
     "for the product"),
    (lambda: activation_pooling("relu", "mean"),
     "ValueError: activation_pooling: associative operator='relu/mean'; need one of "
     "'linear/product', 'linear/max', 'linear/sum', 'relu/product', 'relu/max', 'relu/sum'"),
    (lambda: activation_pooling("tanh", "max"),
     "ValueError: activation_pooling: associative operator='tanh/max'; need one of "
     "'linear/product', 'linear/max', 'linear/sum', 'relu/product', 'relu/max', 'relu/sum'"),
    # tree.py
    (lambda: Node([0, 1], 1), "TypeError: Node: children=[0, 1]; need a tuple of nodes and modes"),
    (lambda: Node((0, 1.0), 1),
     "TypeError: Node: children=(0, 1.0); need a tuple of nodes and modes"),
    (lambda: Node((0, True), 1),
     "TypeError: Node: children=(0, True); need a tuple of nodes and modes"),
    (lambda: ModeTree(0, 2), "ValueError: ModeTree: root 0 is not a Node"),
    (lambda: ModeTree(Node((0, 1), 1), 0), "ValueError: ModeTree: dim is 0; need an integer >= 1"),
    (lambda: ModeTree(Node((0, 1), 1), True),
     "ValueError: ModeTree: dim is True; need an integer >= 1"),
    (lambda: ModeTree(Node((0, 1), 1), 2.0),
     "ValueError: ModeTree: dim is 2.0; need an integer >= 1"),
    (lambda: ModeTree(Node((0, 1), 0), 2),
     "ValueError: ModeTree: width of the node at path () is 0; need an integer >= 1"),
    (lambda: ModeTree(Node((0, Node((1, 2), 1.5)), 2), 2),
     "ValueError: ModeTree: width of the node at path (1,) is 1.5; need an integer >= 1"),
    (lambda: ModeTree(Node((0, Node((), 1)), 2), 2),
     "ValueError: ModeTree: the node at path (1,) has no children"),
    (lambda: ModeTree(Node((0, 2), 1), 2),
     "ValueError: ModeTree: leaves (0, 2) are not the modes 0..1 once each"),
    (lambda: ModeTree(Node((0, 0), 1), 2),
     "ValueError: ModeTree: leaves (0, 0) are not the modes 0..1 once each"),
    (lambda: ModeTree(Node((-1, 0), 1), 2),
     "ValueError: ModeTree: leaves (-1, 0) are not the modes 0..1 once each"),
    (lambda: ModeTree.star(0, 2, 1), "ValueError: ModeTree: modes is 0; need an integer >= 1"),
    (lambda: ModeTree.star(True, 2, 1),
     "ValueError: ModeTree: modes is True; need an integer >= 1"),
    (lambda: ModeTree.perfect(4, 1, 2, (1, 1)),
     "ValueError: ModeTree.perfect: pool=1, modes=4; need 2 <= pool <= modes"),
    (lambda: ModeTree.perfect(2, 3, 2, (1,)),
     "ValueError: ModeTree.perfect: pool=3, modes=2; need 2 <= pool <= modes"),
    (lambda: ModeTree.perfect(6, 2, 2, (1, 1, 1)),
     "ValueError: ModeTree.perfect: 6 modes are not a power of pool=2"),
    (lambda: ModeTree.perfect(8, 2, 2, (1, 1)),
     "ValueError: ModeTree.perfect: 2 widths (1, 1) for 8 modes in pools of 2; need log_2 8"),
    (lambda: ModeTree.perfect(9, 3, 2, (1,)),
     "ValueError: ModeTree.perfect: 1 widths (1,) for 9 modes in pools of 3; need log_3 9"),
    (lambda: ModeTree.perfect(4, 2, 2, (1, 1, 1)),
     "ValueError: ModeTree.perfect: 3 widths (1, 1, 1) for 2 levels (4 modes in pools of 2)"),
    (lambda: ModeTree.perfect(9, 3, 2, (1, 1, 1)),
     "ValueError: ModeTree.perfect: 3 widths (1, 1, 1) for 2 levels (9 modes in pools of 3)"),
    (lambda: ModeTree.perfect(4, 2, 2, ((1, 1, 1), 1)),
     "ValueError: ModeTree.perfect: 3 widths (1, 1, 1) for the 2 nodes of level 1"),
    (lambda: ModeTree.perfect(4, 2, 2, (1, (1, 2))),
     "ValueError: ModeTree.perfect: 2 widths (1, 2) for the 1 nodes of level 2"),
    (lambda: ModeTree.perfect(4, 2, 2, 1),
     "TypeError: ModeTree.perfect: widths=1; need a value of type list or tuple"),
    (lambda: ModeTree.perfect(4, 2, 2, (1, 0)),
     "ValueError: ModeTree: width of the node at path () is 0; need an integer >= 1"),
    (lambda: DEEP.permuted([0, 1, 2]),
     "ValueError: ModeTree.permuted: [0, 1, 2] is not a permutation of 0..3"),
    (lambda: DEEP.permuted([0, 1, 2, 2]),
     "ValueError: ModeTree.permuted: [0, 1, 2, 2] is not a permutation of 0..3"),
    (lambda: DEEP.permuted([1, 2, 3, 4]),
     "ValueError: ModeTree.permuted: [1, 2, 3, 4] is not a permutation of 0..3"),
    (lambda: ModeTree.perfect(4, 2, 2, ((3, 2), 4)).weight_groups(True),
     "ValueError: weight_groups: cannot share the weights at paths (0,) and (1,): shapes (4, 3) "
     "and (4, 2) differ"),
    (lambda: ModeTree.perfect(8, 2, 2, (3, (2, 3), 4)).parameter_count(True),
     "ValueError: weight_groups: cannot share the weights at paths (0,) and (1,): shapes (4, 2) "
     "and (4, 3) differ"),
    (lambda: DEEP.random_weights(Real(), draw(), biases=True),
     "ValueError: random_weights: biases=True, but mode trees have no biases"),
    (lambda: DEEP.random_weights(Real(), draw(), biases=False),
     "ValueError: random_weights: biases=False, but mode trees have no biases"),
    (lambda: STAR.check_weights([]),
     "TypeError: check_weights: weights=[]; need a value of type Mapping"),
    (lambda: STAR.check_weights(without(of(STAR), (1,))),
     "ValueError: check_weights: no weight at path (1,); need a matrix of shape (4, 3)"),
    (lambda: STAR.check_weights({**of(STAR), (1,): 3.0}),
     "ValueError: check_weights: the weight at path (1,) is 3.0; the tree [0 1]:4 over "
     "dimension 3 needs shape (4, 3)"),
    (lambda: STAR.check_weights({**of(STAR), (): ones(4, 1)}),
     "ValueError: check_weights: the weight at path () is Tensor of torch.float32 and shape (4, "
     "1); the tree [0 1]:4 over dimension 3 needs shape (4,)"),
    (lambda: STAR.check_weights({**of(STAR), (2,): ONE, (3,): ONE}),
     "ValueError: check_weights: weights at paths [(2,), (3,)] do not belong to the tree [0 "
     "1]:4 over dimension 3"),
    (lambda: STAR.product_form({}),
     "ValueError: check_weights: no weight at path (); need a matrix of shape (4,)"),
    (lambda: STAR.output_cell(of(STAR), {}, len, 1),
     "ValueError: output_cell: output=1; need an integer from 0 to 0"),
    (lambda: STAR.output_cell(of(STAR), {}, len, -1),
     "ValueError: output_cell: output=-1; need an integer from 0 to 0"),
]


@pytest.mark.parametrize("call, sentence", REFUSALS, ids=map(str, range(len(REFUSALS))))
def test_the_whole_sentence(call, sentence):
    assert refusal(call) == sentence
