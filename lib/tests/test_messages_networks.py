"""Every refusal of grid tensors, certificates and constructions, word by word.

A message tells what would be valid: its numbers are held to as much as a result is. Where a
condition has several parts, each part alone is broken.
"""

import pytest
import torch

from lib import Architecture, matching_construction, overlap_construction, two_layer_construction
from lib.constructions.pieces import fit, require_network
from lib.constructions.rectifiers import (
    certify_rectifier,
    rectifier_construction,
    rectifier_outputs,
)
from lib.constructions.simulation import correspondence
from lib.constructions.two_layers import root_prime
from lib.exact.arithmetic import Modular, Real
from lib.grids.blocks import matricization_block
from lib.grids.certify import certify, certify_weights
from lib.grids.grid import change_basis, grid_block, grid_tensor, place
from lib.tests.networks import line
from lib.tests.sentences import refusal

F101, EYE = Modular(101), torch.eye(2).double()
LINE = line(8, 2, (3, 1, 2), (2, 2, 2), (4, 4, 1))
PAIR, DEEP = line(2, 2, (2, 2, 1)), line(4, 2, (2, 2, 1), (2, 2, 1))
TWICE, SHORT = line(4, 2, (2, 2, 4), (2, 2, 1)), line(4, 2, (2, 1, 1), (4, 4, 1))
WIDE, UNSHARED = line(4, 2, (4, 1, 6), (4, 4, 1)), line(2, 2, (1, 1, 2), (2, 2, 1))
BUILT = overlap_construction(LINE, EYE, F101)
MATCHED = matching_construction(WIDE, (0, 1), EYE, F101)


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64)


def zeros(*shape):
    return torch.zeros(*shape, dtype=torch.int64)


SUMS, HALVES = [(ones(1, 2, 2), None)], [(ones(1, 2, 2) / 2, None)]
HALF_BIAS, HUGE = [(ones(1, 2, 2), ones(1, 2) / 2)], [(2.0**53 * ones(1, 2, 2), None)]
DEEP_SUMS = [(2.0**26 * ones(1, 2, 2), None), (2.0**27 * ones(1, 1, 2), None)]
# every cell has its own: two channels of 2 each are added up, times 2^51
UNSHARED_SUMS = [(ones(2, 2, 2, 1), None), (2.0**51 * ones(1, 1, 2, 2), None)]

CALLS = [
    (lambda: matricization_block(3, None, [0]),
     "TypeError: matricization_block: 3 is not a ModeTree, an Architecture or a module of one"),
    (lambda: matricization_block(Architecture, None, [0]),
     "TypeError: matricization_block: <class 'lib.networks.architecture.Architecture'> is "
     "not a ModeTree, an Architecture or a module of one"),
    (lambda: matricization_block(PAIR, SUMS, [0], arithmetic=7),
     "TypeError: matricization_block: arithmetic=7; need a value of type Real or Modular"),
    (lambda: matricization_block(PAIR, SUMS, [0], representation=3),
     "TypeError: matricization_block: representation=3; need a value of type Tensor"),
    (lambda: matricization_block(PAIR, SUMS, [0], representation=ones(2)),
     "ValueError: matricization_block: representation of shape (2,); need (templates, 2)"),
    (lambda: matricization_block(PAIR, SUMS, [0], representation=ones(2, 3)),
     "ValueError: matricization_block: representation of shape (2, 3); need (templates, 2)"),
    (lambda: matricization_block(PAIR, SUMS, [0], representation=ones(2, 1)),
     "ValueError: matricization_block: representation of shape (2, 1); need (templates, 2)"),
    (lambda: matricization_block(PAIR, SUMS, [0], representation=ones(0, 2)),
     "ValueError: matricization_block: representation of shape (0, 2); need (templates, 2)"),
    (lambda: matricization_block(PAIR, SUMS, [0], row_indices=3),
     "TypeError: matricization_block: row indices=3; need a value of type Tensor"),
    (lambda: matricization_block(PAIR, SUMS, [0], row_indices=zeros(3)),
     "ValueError: matricization_block: row indices of shape (3,) and type torch.int64; need "
     "int64 of shape (any, 1) for the modes (0,)"),
    (lambda: matricization_block(PAIR, SUMS, [0], row_indices=zeros(3, 2)),
     "ValueError: matricization_block: row indices of shape (3, 2) and type torch.int64; "
     "need int64 of shape (any, 1) for the modes (0,)"),
    (lambda: matricization_block(PAIR, SUMS, [0], row_indices=zeros(3, 0)),
     "ValueError: matricization_block: row indices of shape (3, 0) and type torch.int64; "
     "need int64 of shape (any, 1) for the modes (0,)"),
    (lambda: matricization_block(PAIR, SUMS, [0], row_indices=zeros(3, 1, 1)),
     "ValueError: matricization_block: row indices of shape (3, 1, 1) and type torch.int64; "
     "need int64 of shape (any, 1) for the modes (0,)"),
    (lambda: matricization_block(PAIR, SUMS, [0], column_indices=zeros(3)),
     "ValueError: matricization_block: column indices of shape (3,) and type torch.int64; "
     "need int64 of shape (any, 1) for the modes (1,)"),
    (lambda: matricization_block(PAIR, SUMS, [0], column_indices=ones(3, 1)),
     "ValueError: matricization_block: column indices of shape (3, 1) and type "
     "torch.float64; need int64 of shape (any, 1) for the modes (1,)"),
    (lambda: matricization_block(PAIR, SUMS, [0], column_indices=zeros(3, 1) + 2),
     "ValueError: matricization_block: column indices from 2 to 2; there are 2 templates"),
    (lambda: matricization_block(PAIR, SUMS, [0], row_indices=zeros(3, 1) - 1),
     "ValueError: matricization_block: row indices from -1 to -1; there are 2 templates"),
    (lambda: certify(3, "left-right"),
     "TypeError: certify: 3 is not a ModeTree or an Architecture"),
    (lambda: certify(PAIR, "left-right", representation="identity"),
     "ValueError: certify: representation 'identity'; give None, 'random' or a matrix"),
    (lambda: certify(PAIR, "left-right", rows=0),
     "ValueError: certify: rows=0, columns=None; take at least one of each"),
    (lambda: certify(PAIR, "left-right", columns=-1),
     "ValueError: certify: rows=None, columns=-1; take at least one of each"),
    (lambda: certify(PAIR, "left-right", rows=1.0),
     "TypeError: certify: rows, columns=1.0; need an integer"),
    (lambda: certify_weights("net", SUMS, "left-right"),
     "TypeError: certify_weights: 'net' is not a ModeTree or an Architecture"),
    (lambda: place(3, zeros(1, 2)), "TypeError: place: representation must be a tensor, got int"),
    (lambda: place(ones(2, 2), 3), "TypeError: place: templates must be a tensor, got int"),
    (lambda: place(ones(2, 2), ones(1, 2)),
     "TypeError: place: templates of type torch.float64; need int64"),
    (lambda: place(ones(2), zeros(1, 2)),
     "ValueError: place: representation of shape (2,); need (templates, channels)"),
    (lambda: place(ones(2, 2, 2), zeros(1, 2)),
     "ValueError: place: representation of shape (2, 2, 2); need (templates, channels)"),
    (lambda: place(ones(2, 2), zeros(1, 2) + 2),
     "ValueError: place: templates from 2 to 2; need numbers from 0 to 1"),
    (lambda: place(ones(2, 3), zeros(1, 2) - 1),
     "ValueError: place: templates from -1 to -1; need numbers from 0 to 1"),
    (lambda: grid_tensor(3, ones(2, 2), 2),
     "TypeError: grid_tensor: network=3; need a function of inputs"),
    (lambda: grid_tensor(len, 3, 2),
     "TypeError: grid_tensor: representation=3; need a value of type Tensor"),
    (lambda: grid_tensor(len, ones(2), 2),
     "ValueError: grid_tensor: representation of shape (2,); need (templates, channels)"),
    (lambda: grid_tensor(len, ones(2, 2, 2), 2),
     "ValueError: grid_tensor: representation of shape (2, 2, 2); need (templates, channels)"),
    (lambda: grid_tensor(len, ones(2, 2), 0),
     "ValueError: grid_tensor: modes=0; need an integer >= 1"),
    (lambda: grid_block(3, ones(2, 2), [0], 2, zeros(1, 1), zeros(1, 1)),
     "TypeError: grid_block: network=3; need a function of inputs"),
    (lambda: grid_block(len, ones(2), [0], 2, zeros(1, 1), zeros(1, 1)),
     "ValueError: grid_block: representation of shape (2,); need (templates, channels)"),
    (lambda: grid_block(len, ones(2, 2, 2), [0], 2, zeros(1, 1), zeros(1, 1)),
     "ValueError: grid_block: representation of shape (2, 2, 2); need (templates, channels)"),
    (lambda: grid_block(len, ones(2, 2), [0], 2, zeros(1, 1, 1), zeros(1, 1)),
     "ValueError: grid_block: row indices of shape (1, 1, 1); need (any, 1) for the modes (0,)"),
    (lambda: grid_block(len, ones(2, 2), [0], 2, zeros(1, 0), zeros(1, 1)),
     "ValueError: grid_block: row indices of shape (1, 0); need (any, 1) for the modes (0,)"),
    (lambda: grid_block(len, ones(2, 2), [0], 2, zeros(1), zeros(1, 1)),
     "ValueError: grid_block: row indices of shape (1,); need (any, 1) for the modes (0,)"),
    (lambda: grid_block(len, ones(2, 2), [0], 2, zeros(1, 1), zeros(1, 2)),
     "ValueError: grid_block: column indices of shape (1, 2); need (any, 1) for the modes (1,)"),
    (lambda: grid_block(len, ones(2, 2), [0], 2, 3, zeros(1, 1)),
     "TypeError: grid_block: row indices=3; need a value of type Tensor"),
    (lambda: change_basis(3, ones(2, 2), Real()),
     "TypeError: change_basis: tensor must be a tensor, got int"),
    (lambda: change_basis(ones(2, 2), 3, Real()),
     "TypeError: change_basis: matrix must be a tensor, got int"),
    (lambda: change_basis(ones(2, 2), ones(2), Real()),
     "ValueError: change_basis: a tensor of shape (2, 2) and a matrix of shape (2,); need "
     "(M, ..., M) and (templates, M)"),
    (lambda: change_basis(ones(2, 2), ones(2, 2, 2), Real()),
     "ValueError: change_basis: a tensor of shape (2, 2) and a matrix of shape (2, 2, 2); "
     "need (M, ..., M) and (templates, M)"),
    (lambda: change_basis(ones(2, 3), ones(4, 2), Real()),
     "ValueError: change_basis: a tensor of shape (2, 3) and a matrix of shape (4, 2); need "
     "(M, ..., M) and (templates, M)"),
    (lambda: change_basis(ones(3, 3), ones(3, 2), Real()),
     "ValueError: change_basis: a tensor of shape (3, 3) and a matrix of shape (3, 2); need "
     "(M, ..., M) and (templates, M)"),
    (lambda: grid_block(len, ones(2, 2), [0], 2, zeros(1, 1), zeros(1)),
     "ValueError: grid_block: column indices of shape (1,); need (any, 1) for the modes (1,)"),
    (lambda: matricization_block(PAIR, SUMS, [0], row_indices=zeros(3, 1).int()),
     "ValueError: matricization_block: row indices of shape (3, 1) and type torch.int32; "
     "need int64 of shape (any, 1) for the modes (0,)"),
    (lambda: matricization_block(PAIR, SUMS, [0], row_indices=torch.tensor([[0], [2]])),
     "ValueError: matricization_block: row indices from 0 to 2; there are 2 templates"),
    (lambda: matricization_block(PAIR, SUMS, [0], row_indices=torch.tensor([[-1], [1]])),
     "ValueError: matricization_block: row indices from -1 to 1; there are 2 templates"),
    (lambda: matricization_block(PAIR, SUMS, [0], representation=ones(2, 2, 2)),
     "ValueError: matricization_block: representation of shape (2, 2, 2); need (templates, 2)"),
    (lambda: place(ones(3, 2), torch.tensor([[0, 3]])),
     "ValueError: place: templates from 0 to 3; need numbers from 0 to 2"),
    (lambda: place(ones(3, 2), torch.tensor([[-1, 2]])),
     "ValueError: place: templates from -1 to 2; need numbers from 0 to 2"),
    (lambda: certify(PAIR, "left-right", rows=2, columns=0),
     "ValueError: certify: rows=2, columns=0; take at least one of each"),
    (lambda: certify_weights(PAIR, SUMS, "left-right", rows=0),
     "ValueError: certify: rows=0, columns=None; take at least one of each"),
    (lambda: fit(ones(2, 2), ones(1, 2), 0, None),
     "TypeError: fit: arithmetic=None; need a value of type Real or Modular"),
    (lambda: fit(EYE, 3, 0, Real()), "TypeError: fit: targets=3; need a value of type Tensor"),
    (lambda: fit(EYE, ones(1, 2), "0", Real()),
     "TypeError: fit: padding='0'; need a value of type int or float or Tensor"),
    (lambda: fit(EYE, ones(2), 0, Real()),
     "ValueError: fit: targets=Tensor of torch.float64 and shape (2,); need torch.float64 "
     "and shape (k, 2)"),
    (lambda: fit(EYE, ones(2, 2, 2), 0, Real()),
     "ValueError: fit: targets=Tensor of torch.float64 and shape (2, 2, 2); need "
     "torch.float64 and shape (k, 2)"),
    (lambda: fit(EYE, ones(2, 3), 0, Real()),
     "ValueError: fit: targets=Tensor of torch.float64 and shape (2, 3); need torch.float64 "
     "and shape (k, 2)"),
    (lambda: fit(EYE, ones(2, 1), 0, Real()),
     "ValueError: fit: targets=Tensor of torch.float64 and shape (2, 1); need torch.float64 "
     "and shape (k, 2)"),
    (lambda: fit(EYE, torch.ones(1, 2), 0, Real()),
     "ValueError: fit: targets=Tensor of torch.float32 and shape (1, 2); need torch.float64 "
     "and shape (k, 2)"),
    (lambda: require_network("f", 3, EYE, Real()),
     "TypeError: f: net=3; need a value of type Architecture"),
    (lambda: require_network("f", LINE, EYE, 3),
     "TypeError: f: arithmetic=3; need a value of type Real or Modular"),
    (lambda: require_network("f", LINE, EYE, Real(), "2"),
     "TypeError: f: scale='2'; need a value of type int or Tensor"),
    (lambda: require_network("f", LINE, 3, Real()),
     "TypeError: f: representation=3; need a value of type Tensor"),
    (lambda: require_network("f", LINE, ones(3, 3), Real()),
     "ValueError: f: representation=Tensor of torch.float64 and shape (3, 3); need shape (2, 2)"),
    (lambda: require_network("f", LINE, ones(2), Real()),
     "ValueError: f: representation=Tensor of torch.float64 and shape (2,); need shape (2, 2)"),
    (lambda: overlap_construction(LINE, EYE, F101, shift=1),
     "ValueError: shift=1 without a layer: name the layer K as well"),
    (lambda: overlap_construction(line(4, 2, (1, 1, 2), (4, 4, 1)), EYE, F101),
     "ValueError: 4 cells of 2 channels; window/stride:channels 1/1:2, 4/4:1 has no "
     "admissible layer whose cells see both sides of the left-right cut; at layer 1: no window "
     "does"),
    (lambda: overlap_construction(line(8, 2, (2, 2, 2), (2, 2, 2), (2, 2, 1)), EYE, F101, layer=2),
     "ValueError: layer 2 has no cell that sees both sides of the left-right cut: for another cut "
     "name the shift, one of (1, 2, 3)"),
    (lambda: overlap_construction(line(4, 2, (4, 4, 1)), EYE, F101),
     "ValueError: 4 cells of 2 channels; window/stride:channels 4/4:1 has no admissible "
     "layer whose cells see both sides of the left-right cut; at layer 1: ['layer 1 is not "
     "followed by another layer']"),
    (lambda: overlap_construction(line(8, 2, (3, 1, 2), (1, 2, 2), (2, 2, 1)), EYE, F101, layer=1),
     "ValueError: layer 1 is not admissible: the output has size (2,), not a single cell; "
     "layer 2 has window (1,) smaller than its stride (2,)"),
    (lambda: overlap_construction(LINE, EYE, F101, layer=3),
     "ValueError: layer 3 is not admissible: layer 3 is not followed by another layer"),
    (lambda: overlap_construction(LINE, EYE, F101, layer=1, shift=3),
     "ValueError: shift=3 at layer 1: the windows span only (1, 2)"),
    (lambda: BUILT.output(zeros(1, 7)),
     "ValueError: templates of shape (1, 7); need (batch, 8) for the cells of size (8,)"),
    (lambda: BUILT.output(zeros(1, 9)),
     "ValueError: templates of shape (1, 9); need (batch, 8) for the cells of size (8,)"),
    (lambda: BUILT.output(zeros(1, 8, 1)),
     "ValueError: templates of shape (1, 8, 1); need (batch, 8) for the cells of size (8,)"),
    (lambda: BUILT.predicted_output(zeros(1, 7)),
     "ValueError: templates of shape (1, 7); need (batch, 8) for the cells of size (8,)"),
    (lambda: BUILT.predicted_output(zeros(8)),
     "ValueError: templates of shape (8,); need (batch, 8) for the cells of size (8,)"),
    (lambda: matching_construction(line(4, 2, (4, 2, 2), (2, 2, 1)), (0, 1), EYE, F101),
     "ValueError: matching_construction: 4 cells of 2 channels; window/stride:channels "
     "4/2:2, 2/2:1 does not fit: its first layer has stride (2,), not 1"),
    (lambda: matching_construction(line(4, 2, (4, 1, 2)), (0, 1), EYE, F101),
     "ValueError: matching_construction: 4 cells of 2 channels; window/stride:channels 4/1:2 "
     "does not fit: layer 1 is not followed by another layer; the output has size (4,), not "
     "a single cell"),
    (lambda: matching_construction(line(4, 2, (4, 1, 5), (4, 4, 1)), (0, 1), EYE, F101, True),
     "ValueError: matching_construction: shared weights need 6 channels and a window of "
     "(4,); layer 1 has 5 channels and a window of (4,)"),
    (lambda: matching_construction(line(4, 2, (3, 1, 6), (4, 4, 1)), (0, 1), EYE, F101, True),
     "ValueError: matching_construction: shared weights need 6 channels and a window of "
     "(4,); layer 1 has 6 channels and a window of (3,)"),
    (lambda: matching_construction(WIDE, (0, 1), EYE, F101, 1),
     "TypeError: matching_construction: shared=1; need True or False"),
    (lambda: MATCHED.predicted_output(zeros(1, 3)),
     "ValueError: templates of shape (1, 3); need (batch, 4) for the cells of size (4,)"),
    (lambda: correspondence(3, LINE),
     "TypeError: correspondence: larger=3; need a value of type Architecture"),
    (lambda: correspondence(LINE, 3),
     "TypeError: correspondence: smaller=3; need a value of type Architecture"),
    (lambda: correspondence(LINE, line(9, 2, (2, 2, 2))),
     "ValueError: networks over different inputs: size (8,) with 2 channels, size (9,) with 2"),
    (lambda: correspondence(LINE, line(8, 3, (2, 2, 2))),
     "ValueError: networks over different inputs: size (8,) with 2 channels, size (8,) with 3"),
    (lambda: correspondence(TWICE, line(4, 2, (2, 2, 4), (3, 2, 1))),
     "ValueError: 4 cells of 2 channels; window/stride:channels 2/2:4, 2/2:1 cannot simulate "
     "4 cells of 2 channels; window/stride:channels 2/2:4, 3/2:1: layer 2 cannot play layer "
     "2, its window (2,) is smaller than (3,)"),
    (lambda: correspondence(TWICE, line(4, 2, (2, 2, 5), (2, 2, 1))),
     "ValueError: 4 cells of 2 channels; window/stride:channels 2/2:4, 2/2:1 cannot simulate "
     "4 cells of 2 channels; window/stride:channels 2/2:5, 2/2:1: layer 1 cannot play layer "
     "1, its 4 channels are fewer than 5"),
    (lambda: correspondence(TWICE, line(4, 2, (2, 2, 4), (2, 1, 1))),
     "ValueError: 4 cells of 2 channels; window/stride:channels 2/2:4, 2/2:1 cannot simulate "
     "4 cells of 2 channels; window/stride:channels 2/2:4, 2/1:1: layer 2 cannot play layer "
     "2, its stride is (2,), not (1,)"),
    (lambda: correspondence(TWICE, line(4, 2, (4, 4, 1))),
     "ValueError: 4 cells of 2 channels; window/stride:channels 2/2:4, 2/2:1 cannot simulate "
     "4 cells of 2 channels; window/stride:channels 4/4:1: no way to match the layers in "
     "order by stride, window and channels, leaving out only stride-1 layers as wide as what "
     "passes through them"),
    (lambda: root_prime(line(23, 2, (23, 1, 1), (23, 23, 1))),
     "ValueError: no prime below 2**23 is 1 modulo 8388608: use smaller windows or fewer "
     "templates"),
    (lambda: root_prime(LINE, "top-bottom"),
     "ValueError: partition 'top-bottom' of a network of size (8,): valid are 'left-right'"),
    (lambda: two_layer_construction(LINE, EYE, F101),
     "ValueError: 8 cells of 2 channels; window/stride:channels 3/1:2, 2/2:2, 4/4:1: needs a "
     "stride-1 layer and a second layer whose window and stride cover the whole map, with "
     "biases if it reads padding"),
    (lambda: two_layer_construction(line(4, 2, (2, 2, 1), (2, 2, 1)), EYE, F101),
     "ValueError: 4 cells of 2 channels; window/stride:channels 2/2:1, 2/2:1: needs a "
     "stride-1 layer and a second layer whose window and stride cover the whole map, with "
     "biases if it reads padding"),
    (lambda: two_layer_construction(line(4, 2, (3, 1, 1), (4, 4, 1)), EYE, F101),
     "ValueError: two_layer_construction: Modular(prime=101) has no root of unity of order "
     "8; take Modular(root_prime(net, partition))"),
    (lambda: two_layer_construction(SHORT, EYE, Real()),
     "TypeError: two_layer_construction: arithmetic=Real(); need a value of type Modular"),
    (lambda: two_layer_construction(line(4, 3, (1, 1, 1), (4, 4, 1)), ones(3, 3), Modular(2)),
     "ValueError: two_layer_construction: Modular(prime=2) has no root of unity of order 3; "
     "take Modular(root_prime(net, partition))"),
    (lambda: two_layer_construction(SHORT, EYE, F101, cut=4),
     "ValueError: cut=4 along an axis of 4 cells: valid are 1 to 3 cells before the cut"),
    (lambda: two_layer_construction(SHORT, EYE, F101, last_bias=1),
     "TypeError: two_layer_construction: last_bias=1; need True or False"),
    (lambda: two_layer_construction(SHORT, EYE, F101, scale=0.5),
     "TypeError: two_layer_construction: scale=0.5; need an integer"),
    (lambda: rectifier_construction(0, 2),
     "ValueError: rectifier_construction: levels=0; need an integer >= 1"),
    (lambda: rectifier_construction(2, 0),
     "ValueError: rectifier_construction: templates=0; need an integer >= 1"),
    (lambda: rectifier_construction(2.0, 2),
     "TypeError: rectifier_construction: levels=2.0; need an integer >= 1"),
    (lambda: rectifier_construction(2, 2.0),
     "TypeError: rectifier_construction: templates=2.0; need an integer >= 1"),
    (lambda: rectifier_outputs(3, SUMS, zeros(1, 2)),
     "TypeError: rectifier_outputs: net=3; need a value of type Architecture"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(1, 2), "mean"),
     "ValueError: rectifier_outputs: pooling='mean'; need one of 'max', 'sum'"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(1, 2), "max", 3),
     "TypeError: rectifier_outputs: representation=3; need a value of type Tensor"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(1, 2), "max", ones(2)),
     "ValueError: rectifier_outputs: representation of shape (2,); need integers of shape "
     "(templates, 2)"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(1, 2), "max", ones(2, 3)),
     "ValueError: rectifier_outputs: representation of shape (2, 3); need integers of shape "
     "(templates, 2)"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(1, 2), "max", ones(2, 1)),
     "ValueError: rectifier_outputs: representation of shape (2, 1); need integers of shape "
     "(templates, 2)"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(1, 2), "max", ones(2, 2, 2)),
     "ValueError: rectifier_outputs: representation of shape (2, 2, 2); need integers of "
     "shape (templates, 2)"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(1, 2), "max", ones(2, 2) / 2),
     "ValueError: rectifier_outputs: representation of shape (2, 2); need integers of shape "
     "(templates, 2)"),
    (lambda: rectifier_outputs(PAIR, HALVES, zeros(1, 2)),
     "ValueError: rectifier_outputs: layer 1 has weights that are no integers"),
    (lambda: rectifier_outputs(PAIR, HALF_BIAS, zeros(1, 2)),
     "ValueError: rectifier_outputs: layer 1 has weights that are no integers"),
    (lambda: rectifier_outputs(PAIR, HUGE, zeros(1, 2)),
     "ValueError: rectifier_outputs: numbers after layer 1 could reach 1.8e+16; float64 is "
     "exact below 2**53"),
    (lambda: rectifier_outputs(DEEP, DEEP_SUMS, zeros(1, 4)),
     "ValueError: rectifier_outputs: numbers after layer 2 could reach 1.8e+16; float64 is "
     "exact below 2**53"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(1, 2) + 2),
     "ValueError: place: templates from 2 to 2; need numbers from 0 to 1"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(1, 3)),
     "ValueError: rectifier_outputs: templates of shape (1, 3); need (batch, 2)"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(1, 1)),
     "ValueError: rectifier_outputs: templates of shape (1, 1); need (batch, 2)"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(1, 2, 1)),
     "ValueError: rectifier_outputs: templates of shape (1, 2, 1); need (batch, 2)"),
    (lambda: rectifier_outputs(PAIR, SUMS, zeros(2)),
     "ValueError: rectifier_outputs: templates of shape (2,); need (batch, 2)"),
    (lambda: rectifier_outputs(UNSHARED, UNSHARED_SUMS, zeros(1, 2)),
     "ValueError: rectifier_outputs: numbers after layer 2 could reach 9.0e+15; float64 is "
     "exact below 2**53"),
    (lambda: certify_rectifier(3, SUMS, [0]),
     "TypeError: certify_rectifier: net=3; need a value of type Architecture"),
]


@pytest.mark.parametrize("call, message", CALLS, ids=[message[:60] for _, message in CALLS])
def test_the_whole_message(call, message):
    assert refusal(call) == message
