"""What architectures and networks refuse, and the whole sentence with which they do.

A sentence is compared whole: the number in it is often the only trace of what was compared with
what. Of a condition with several parts each part fails alone somewhere below.
"""

import math

import pytest
import torch

from lib import (
    Architecture,
    ConvAC,
    Layer,
    LogConvAC,
    Mex,
    Similarity,
    SimplexConvAC,
    TensorialMixture,
    forward,
    generalized_conv,
    googlenet_stack,
    grid_network,
    log_forward,
    mex,
    missing_pixels,
    missing_rectangles,
    proposition_2_bound,
    proposition_2_exponent,
    signed_log,
    stacked_blocks,
)
from lib.exact.arithmetic import Modular
from lib.networks.convolutional import require_input
from lib.networks.families import proposition_2_layer
from lib.tests.sentences import NET, ONE, STAR, draw, layers_of, of, ones, refusal

REFUSALS = [
    # architecture.py
    (lambda: Layer(0, 1, 1), "ValueError: Layer window must be a positive integer, got 0"),
    (lambda: Layer(1, "1", 1), "TypeError: Layer stride must be an integer, got '1'"),
    (lambda: Layer(1, 1, True), "ValueError: Layer channels must be a positive integer, got True"),
    (lambda: Layer((1, 0), 1, 1),
     "ValueError: every entry of Layer window must be a positive integer, got 0"),
    (lambda: Layer((), 1, 1), "TypeError: Layer window must be an integer, got ()"),
    (lambda: Layer(1, (1, 1.5), 1),
     "TypeError: every entry of Layer stride must be an integer, got 1.5"),
    (lambda: Layer(1, 1, 0), "ValueError: Layer channels must be a positive integer, got 0"),
    (lambda: Architecture(0, 2, ((1, 1, 1),)),
     "ValueError: Architecture size must be a positive integer, got 0"),
    (lambda: Architecture((4, 0), 2, ((1, 1, 1),)),
     "ValueError: every entry of Architecture size must be a positive integer, got 0"),
    (lambda: Architecture(4, 0, ((1, 1, 1),)),
     "ValueError: Architecture channels must be a positive integer, got 0"),
    (lambda: Architecture(4, 2, ((1, 1, 1),), 3),
     "ValueError: Architecture has one or two axes: size=4 with ndim=3 is neither (H, W), (N,) "
     "nor an int"),
    (lambda: Architecture(4, 2, ((1, 1, 1),), 0),
     "ValueError: Architecture has one or two axes: size=4 with ndim=0 is neither (H, W), (N,) "
     "nor an int"),
    (lambda: Architecture((4, 4, 4), 2, ((1, 1, 1),)),
     "ValueError: Architecture has one or two axes: size=(4, 4, 4) with ndim=None is neither "
     "(H, W), (N,) nor an int"),
    (lambda: Architecture((4, 4), 2, ((1, 1, 1),), 1),
     "ValueError: Architecture has one or two axes: size=(4, 4) with ndim=1 is neither (H, W), "
     "(N,) nor an int"),
    (lambda: Architecture((4,), 2, ((1, 1, 1),), 2),
     "ValueError: Architecture has one or two axes: size=(4,) with ndim=2 is neither (H, W), "
     "(N,) nor an int"),
    (lambda: Architecture(4, 2, ()),
     "TypeError: Architecture layers must be one Layer or more, got none"),
    (lambda: Architecture(4, 2, ((1, 1),)),
     "TypeError: Architecture layers must be Layers or (window, stride, channels), got (1, 1)"),
    (lambda: Architecture(4, 2, (3,)),
     "TypeError: Architecture layers must be Layers or (window, stride, channels), got 3"),
    (lambda: Architecture((4,), 2, ((1, 1, 1), ((2, 2), 1, 1))),
     "ValueError: layer 2 has window=(2, 2), but size=(4,) has 1 axes: give an int or a tuple "
     "of length 1"),
    (lambda: Architecture((4, 4), 2, ((1, (1,), 1),)),
     "ValueError: layer 1 has stride=(1,), but size=(4, 4) has 2 axes: give an int or a tuple "
     "of length 2"),
    (lambda: NET.bias_flags((True,)),
     "ValueError: biases=(True,): give one bool, or one per layer (2 layers)"),
    (lambda: NET.bias_flags((True, 1)),
     "ValueError: biases=(True, 1): give one bool, or one per layer (2 layers)"),
    (lambda: NET.bias_flags(1), "ValueError: biases=1: give one bool, or one per layer (2 layers)"),
    (lambda: NET.check_weights(5),
     "TypeError: check_weights: weights=5; need a value of type list or tuple"),
    (lambda: NET.check_weights(of(NET)[:1]),
     "ValueError: check_weights: 1 pairs (weight, bias) for 2 layers"),
    (lambda: NET.check_weights(layers_of(((3, 2, 3, 2), None), ((5, 3, 2, 3), None))),
     "ValueError: check_weights: layer 2 has a weight of shape (5, 3, 2, 3); need (5, 3, 2, 2), "
     "or (1, 1, 5, 3, 2, 2) if unshared"),
    (lambda: NET.check_weights(layers_of(((3, 2, 2, 3), None), ((5, 3, 2, 2), None))),
     "ValueError: check_weights: layer 1 has a weight of shape (3, 2, 2, 3); need (3, 2, 3, 2), "
     "or (2, 2, 3, 2, 3, 2) if unshared"),
    (lambda: NET.check_weights(layers_of(((3, 2, 3, 2), (3, 2, 3)), ((5, 3, 2, 2), None))),
     "ValueError: check_weights: layer 1 has a bias of shape (3, 2, 3); the weight (3, 2, 3, 2) "
     "needs (3, 3, 2) or None"),
    (lambda: NET.check_weights(layers_of(((3, 2, 3, 2), (2, 2, 3, 3, 2)), ((5, 3, 2, 2), None))),
     "ValueError: check_weights: layer 1 has a bias of shape (2, 2, 3, 3, 2); the weight (3, 2, "
     "3, 2) needs (3, 3, 2) or None"),
    (lambda: NET.check_weights(layers_of(((2, 2, 3, 2, 3, 2), (3, 3, 2)), ((5, 3, 2, 2), None))),
     "ValueError: check_weights: layer 1 has a bias of shape (3, 3, 2); the weight (2, 2, 3, 2, "
     "3, 2) needs (2, 2, 3, 3, 2) or None"),
    (lambda: NET.product_form([]),
     "ValueError: check_weights: 0 pairs (weight, bias) for 2 layers"),
    (lambda: NET.output_cell(of(NET), {}, len, 5),
     "ValueError: output_cell: output=5; need an integer from 0 to 4"),
    (lambda: NET.output_cell(of(NET), {}, len, -1),
     "ValueError: output_cell: output=-1; need an integer from 0 to 4"),
    # convolutional.py
    (lambda: generalized_conv(ones(2, 3), ones(2, 3, 1), None, 1),
     "ValueError: generalized_conv: input of shape (2, 3) with stride (); need (batch, "
     "channels, cells) or (batch, channels, height, width) and one positive stride per axis"),
    (lambda: generalized_conv(ones(2, 3, 4, 4, 4), ones(2, 3, 1, 1, 1), None, 1),
     "ValueError: generalized_conv: input of shape (2, 3, 4, 4, 4) with stride (1, 1, 1); need "
     "(batch, channels, cells) or (batch, channels, height, width) and one positive stride per "
     "axis"),
    (lambda: generalized_conv(ones(2, 3, 4, 4), ones(2, 3, 1, 1), None, (1,)),
     "ValueError: generalized_conv: input of shape (2, 3, 4, 4) with stride (1,); need (batch, "
     "channels, cells) or (batch, channels, height, width) and one positive stride per axis"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(2, 3, 1), None, (1, 1)),
     "ValueError: generalized_conv: input of shape (2, 3, 4) with stride (1, 1); need (batch, "
     "channels, cells) or (batch, channels, height, width) and one positive stride per axis"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(2, 3, 1), None, 0),
     "ValueError: generalized_conv: input of shape (2, 3, 4) with stride (0,); need (batch, "
     "channels, cells) or (batch, channels, height, width) and one positive stride per axis"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(2, 3, 1), None, True),
     "ValueError: generalized_conv: input of shape (2, 3, 4) with stride (True,); need (batch, "
     "channels, cells) or (batch, channels, height, width) and one positive stride per axis"),
    (lambda: generalized_conv(ones(2, 3, 4, 4), ones(2, 3, 1, 1), None, (1, 1.0)),
     "ValueError: generalized_conv: input of shape (2, 3, 4, 4) with stride (1, 1.0); need "
     "(batch, channels, cells) or (batch, channels, height, width) and one positive stride per "
     "axis"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(3, 1), None, 1),
     "ValueError: generalized_conv: weight of shape (3, 1) for input (2, 3, 4); need (D, C, "
     "*window), or (4,) before it if unshared"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(1, 2, 3, 1, 1), None, 1),
     "ValueError: generalized_conv: weight of shape (1, 2, 3, 1, 1) for input (2, 3, 4); need "
     "(D, C, *window), or (4,) before it if unshared"),
    (lambda: generalized_conv(ones(2, 3, 5), ones(2, 2, 3, 1), None, 2),
     "ValueError: generalized_conv: weight of shape (2, 2, 3, 1) for input (2, 3, 5); need (D, "
     "C, *window), or (3,) before it if unshared"),
    (lambda: generalized_conv(ones(2, 3, 5, 4), ones(2, 3, 2, 3, 1, 1), None, 2),
     "ValueError: generalized_conv: weight of shape (2, 3, 2, 3, 1, 1) for input (2, 3, 5, 4); "
     "need (D, C, *window), or (3, 2) before it if unshared"),
    (lambda: generalized_conv(ones(2, 3, 5, 4), ones(3, 2, 3, 1, 1), None, 2),
     "ValueError: generalized_conv: weight of shape (3, 2, 3, 1, 1) for input (2, 3, 5, 4); "
     "need (D, C, *window), or (3, 2) before it if unshared"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(2, 4, 1), None, 1),
     "ValueError: generalized_conv: weight of shape (2, 4, 1) takes 4 channels, the input (2, "
     "3, 4) has 3"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(2, 2, 4, 1), None, 2),
     "ValueError: generalized_conv: weight of shape (2, 2, 4, 1) takes 4 channels, the input "
     "(2, 3, 4) has 3"),
    (lambda: generalized_conv(ones(2, 3, 4, 5), ones(2, 3, 2, 1), ones(2, 1, 2), 1),
     "ValueError: generalized_conv: bias of shape (2, 1, 2); weight (2, 3, 2, 1) needs (2, 2, "
     "1) or None"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(2, 2, 3, 2), ones(2, 2), 2),
     "ValueError: generalized_conv: bias of shape (2, 2); weight (2, 2, 3, 2) needs (2, 2, 2) "
     "or None"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(2, 3, 1).double(), None, 1),
     "TypeError: generalized_conv: x, weight and bias of torch.float32 and torch.float64; need "
     "one floating point type"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(2, 3, 1), ones(2, 1).double(), 1),
     "TypeError: generalized_conv: x, weight and bias of torch.float32 and torch.float64; need "
     "one floating point type"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(2, 3, 1), None, 1, pooling="median"),
     "ValueError: generalized_conv: pooling='median'; need one of 'product', 'max', 'sum', "
     "'mean'"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(2, 3, 1), None, 1, activation="tanh"),
     "ValueError: generalized_conv: activation='tanh'; give None, 'relu' or a callable"),
    (lambda: generalized_conv(ones(2, 3, 4), ones(2, 3, 1), None, 1, activation=0),
     "ValueError: generalized_conv: activation=0; give None, 'relu' or a callable"),
    (lambda: generalized_conv(ones(2, 3, 4).double(), ones(2, 3, 1).double(), None, 1,
         Modular(7), "max"),
     "ValueError: generalized_conv: residues have no order, so max pooling with activation None "
     "needs Real(); Modular(prime=7) takes product, sum or mean pooling and no activation"),
    (lambda: generalized_conv(ones(2, 3, 4).double(), ones(2, 3, 1).double(), None, 1,
         Modular(7), "sum", "relu"),
     "ValueError: generalized_conv: residues have no order, so sum pooling with activation "
     "'relu' needs Real(); Modular(prime=7) takes product, sum or mean pooling and no activation"),
    (lambda: forward(STAR, [], ONE),
     "TypeError: forward: architecture=ModeTree.star(modes=2, dim=3, width=4); need a value of "
     "type Architecture"),
    (lambda: forward(NET, of(NET), ones(1, 2, 6, 4).double()),
     "ValueError: forward: input of shape (1, 2, 6, 4); the architecture needs (batch, 2, 4, 6)"),
    (lambda: forward(NET, of(NET), ones(1, 2, 4, 6)),
     "TypeError: forward: input and weights of torch.float32 and torch.float64; need one "
     "floating point type"),
    (lambda: forward(NET, of(NET), torch.tensor(1.0).double()),
     "ValueError: forward: input of shape (); the architecture needs (batch, 2, 4, 6)"),
    (lambda: require_input("f", Architecture((2,), 1, ((2, 2, 1),)), layers_of(((1, 1, 2),
         None)), "x"),
     "TypeError: f: input='x'; need a value of type Tensor"),
    (lambda: grid_network(NET, of(NET), output=5),
     "ValueError: grid_network: output=5; need an integer from 0 to 4"),
    (lambda: grid_network(NET, of(NET), output=-1),
     "ValueError: grid_network: output=-1; need an integer from 0 to 4"),
    (lambda: grid_network(Architecture((5,), 2, ((1, 2, 3),)), layers_of(((3, 2, 1), None)),
         output=9),
     "ValueError: grid_network: output=9; need an integer from 0 to 8"),
    (lambda: grid_network(NET, [(w.long(), None) for w, _ in of(NET)]),
     "TypeError: grid_network: weights of torch.int64; need one floating point type"),
    # families.py
    (lambda: stacked_blocks(1, 3, 6, 2, 2),
     "ValueError: stacked_blocks: size must be a power of two, at least 2, got 6"),
    (lambda: stacked_blocks(1, 3, 1, 2, 2),
     "ValueError: stacked_blocks: size must be a power of two, at least 2, got 1"),
    (lambda: stacked_blocks(1, 3, 0, 2, 2),
     "ValueError: stacked_blocks: size must be a power of two, at least 2, got 0"),
    (lambda: stacked_blocks(1, 3, True, 2, 2),
     "ValueError: stacked_blocks: size must be a power of two, at least 2, got True"),
    (lambda: stacked_blocks(1, 3, 8.0, 2, 2),
     "ValueError: stacked_blocks: size must be a power of two, at least 2, got 8.0"),
    (lambda: stacked_blocks(-1, 3, 8, 2, 2),
     "ValueError: stacked_blocks: convolutions=-1; need an integer >= 0"),
    (lambda: stacked_blocks(1, 3, 8, 2, (2, 2)),
     "ValueError: stacked_blocks: 2 widths (2, 2) for the 3 blocks that reduce size 8 to one "
     "cell"),
    (lambda: stacked_blocks(1, 3, 8, 2, (2, 2, 0)),
     "ValueError: stacked_blocks: width=0; need an integer >= 1"),
    (lambda: proposition_2_layer(1, 8),
     "ValueError: proposition_2_layer: window B=1 has no overlaps; needs B >= 2"),
    (lambda: proposition_2_layer(3, 12),
     "ValueError: proposition_2_layer: size must be a power of two, at least 2, got 12"),
    (lambda: proposition_2_bound(2, 8, 0),
     "ValueError: proposition_2_bound: channels M=0; needs at least one"),
    (lambda: proposition_2_exponent(0, 8),
     "ValueError: proposition_2_exponent: window=0; need an integer >= 1"),
    (lambda: proposition_2_exponent(1, 0),
     "ValueError: proposition_2_exponent: size=0; need an integer >= 1"),
    (lambda: googlenet_stack("image"),
     "ValueError: googlenet_stack: start='image'; valid are 'conv1' and 'pixels'"),
    # log_space.py
    (lambda: mex([1.0], 1.0), "TypeError: mex: needs a tensor, got list"),
    (lambda: mex(torch.arange(3), 1.0),
     "ValueError: mex: values of type torch.int64 and shape (3,); need floating point and at "
     "least one entry along axis -1"),
    (lambda: mex(torch.tensor(1.0), 1.0),
     "ValueError: mex: values of type torch.float32 and shape (); need floating point and at "
     "least one entry along axis -1"),
    (lambda: mex(ones(0, 2), 1.0, 0),
     "ValueError: mex: values of type torch.float32 and shape (0, 2); need floating point and "
     "at least one entry along axis 0"),
    (lambda: mex(ones(2, 0), 1.0),
     "ValueError: mex: values of type torch.float32 and shape (2, 0); need floating point and "
     "at least one entry along axis -1"),
    (lambda: mex(torch.tensor([math.nan]), 1.0),
     "ValueError: mex: a value is NaN or plus infinity; need numbers below infinity"),
    (lambda: mex(torch.tensor([math.inf]), 1.0),
     "ValueError: mex: a value is NaN or plus infinity; need numbers below infinity"),
    (lambda: mex(ONE, True), "TypeError: mex: beta=True; need a real number or a tensor of them"),
    (lambda: mex(ONE, "1"), "TypeError: mex: beta='1'; need a real number or a tensor of them"),
    (lambda: mex(ONE, torch.tensor(1j)),
     "ValueError: mex: beta=1j; need real numbers, infinite ones included"),
    (lambda: mex(ONE, torch.tensor(True)),
     "ValueError: mex: beta=True; need real numbers, infinite ones included"),
    (lambda: mex(ONE, torch.tensor([math.nan])),
     "ValueError: mex: beta=[nan]; need real numbers, infinite ones included"),
    (lambda: Mex(0, 2, 1.0, generator=draw()),
     "ValueError: Mex: inputs and outputs=0; need an integer >= 1"),
    (lambda: Mex(2, 0, 1.0, generator=draw()),
     "ValueError: Mex: inputs and outputs=0; need an integer >= 1"),
    (lambda: Mex(2, 2, True, generator=draw()),
     "ValueError: Mex: beta=True; need a real number, infinite ones included"),
    (lambda: Mex(2, 2, math.nan, generator=draw()),
     "ValueError: Mex: beta=nan; need a real number, infinite ones included"),
    (lambda: Mex(2, 2, "1", generator=draw()),
     "TypeError: Mex: beta='1'; need a value of type int or float"),
    (lambda: Mex(2, 2, 1.0, generator=0),
     "TypeError: Mex: generator=0; need a value of type Generator"),
    (lambda: Similarity(0, 2, generator=draw()),
     "ValueError: Similarity: inputs and templates=0; need an integer >= 1"),
    (lambda: Similarity(2, 0, generator=draw()),
     "ValueError: Similarity: inputs and templates=0; need an integer >= 1"),
    (lambda: Similarity(2, 2, 0.5, generator=draw()),
     "ValueError: Similarity: power 0.5; need at least 1, or None for products"),
    (lambda: Similarity(2, 2, math.inf, generator=draw()),
     "ValueError: Similarity: power=inf; need a finite number"),
    (lambda: Similarity(2, 2, generator=0),
     "TypeError: Similarity: generator=0; need a value of type Generator"),
    (lambda: signed_log([1]), "TypeError: signed_log: needs a tensor of real numbers, got list"),
    (lambda: signed_log(torch.tensor([1j])),
     "TypeError: signed_log: needs a tensor of real numbers, got torch.complex64"),
    (lambda: log_forward(NET, of(NET), ones(1, 2, 4, 6).double(), ones(2, 2, 4, 6).double()),
     "ValueError: log_forward: signs of shape (2, 2, 4, 6) for logarithms of shape (1, 2, 4, "
     "6); need the same"),
    (lambda: log_forward(NET, of(NET), ones(1, 2, 4, 5).double()),
     "ValueError: log_forward: input of shape (1, 2, 4, 5); the architecture needs (batch, 2, "
     "4, 6)"),
    (lambda: log_forward(NET, of(NET), ones(1, 2, 4, 6).double(), ones(1, 2, 4, 6)),
     "TypeError: log_forward: input and weights of torch.float32 and torch.float64; need one "
     "floating point type"),
    (lambda: LogConvAC(NET, pooling="max", generator=draw()),
     "ValueError: LogConvAC: 'max' pooling with activation None; logarithms turn products into "
     "sums, only those"),
    (lambda: LogConvAC(NET, pooling=["product"], generator=draw()),
     "ValueError: LogConvAC: ['product'] pooling with activation None; logarithms turn products "
     "into sums, only those"),
    (lambda: LogConvAC(NET, activation="relu", generator=draw()),
     "ValueError: LogConvAC: 'product' pooling with activation 'relu'; logarithms turn products "
     "into sums, only those"),
    (lambda: SimplexConvAC(STAR, generator=draw()),
     "TypeError: SimplexConvAC: architecture=ModeTree.star(modes=2, dim=3, width=4); need a "
     "value of type Architecture"),
    (lambda: SimplexConvAC(NET, 1, generator=draw()),
     "TypeError: SimplexConvAC: shared=1; need True or False"),
    (lambda: SimplexConvAC(NET, generator=0),
     "TypeError: SimplexConvAC: generator=0; need a value of type Generator"),
    (lambda: SimplexConvAC.from_weights(Architecture((4,), 2, ((1, 1, 2), (1, 1, 1))),
         layers_of(((2, 2, 1), None), ((1, 2, 1), None))),
     "ValueError: SimplexConvAC: layer 1 has weights from 1 whose sums are off 1 by 1, bias "
     "False; need probabilities and no bias"),
    (lambda: SimplexConvAC.from_weights(Architecture((4,), 2, ((1, 1, 1),)), [(ones(1, 2,
         1) / 2, ones(1, 1))]),
     "ValueError: SimplexConvAC: layer 1 has weights from 0.5 whose sums are off 1 by 0, bias "
     "True; need probabilities and no bias"),
    (lambda: SimplexConvAC.from_weights(Architecture((4,), 2, ((1, 1, 1),)),
         [(torch.tensor([[[-0.5], [1.5]]]), None)]),
     "ValueError: SimplexConvAC: layer 1 has weights from -0.5 whose sums are off 1 by 0, bias "
     "False; need probabilities and no bias"),
    (lambda: SimplexConvAC.from_weights(Architecture((4,), 2, ((1, 1, 1),)),
         [(torch.tensor([[[0.5], [0.25]]]), None)]),
     "ValueError: SimplexConvAC: layer 1 has weights from 0.25 whose sums are off 1 by 0.25, "
     "bias False; need probabilities and no bias"),
    (lambda: SimplexConvAC.from_weights(Architecture((4,), 2, ((1, 1, 1),)),
         [(torch.tensor([[[0.5], [math.nan]]]), None)]),
     "ValueError: SimplexConvAC: layer 1 has weights from nan whose sums are off 1 by nan, bias "
     "False; need probabilities and no bias"),
    # missing_data.py
    (lambda: TensorialMixture(Architecture(4, 2, ((3, 2, 2), (2, 2, 2))), ones(2, 1, 4, 4),
         generator=draw()),
     "ValueError: TensorialMixture: 4×4 cells of 2 channels; window/stride:channels 3/2:2, "
     "2/2:2; need windows without overlap and one output cell, or the sum over a pixel is not a "
     "sum over leaves"),
    (lambda: TensorialMixture(Architecture((2, 4), 2, ((2, 2, 2),)), ones(2, 1, 4, 4),
         generator=draw()),
     "ValueError: TensorialMixture: 2×4 cells of 2 channels; window/stride:channels 2/2:2; need "
     "windows without overlap and one output cell, or the sum over a pixel is not a sum over "
     "leaves"),
    (lambda: TensorialMixture(Architecture((4,), 2, ((4, 4, 2),)), ones(2, 1, 4), generator=draw()),
     "ValueError: TensorialMixture: 4 cells of 2 channels; window/stride:channels 4/4:2; need "
     "windows without overlap and one output cell, or the sum over a pixel is not a sum over "
     "leaves"),
    (lambda: TensorialMixture(Architecture(4, 2, ((4, 4, 2),)), ones(2, 1, 4), generator=draw()),
     "ValueError: TensorialMixture: images of shape (2, 1, 4) do not split into (4, 4) cells; "
     "need (n, colors, height, width)"),
    (lambda: TensorialMixture(Architecture(4, 2, ((4, 4, 2),)), ones(2, 1, 4, 4, 4),
         generator=draw()),
     "ValueError: TensorialMixture: images of shape (2, 1, 4, 4, 4) do not split into (4, 4) "
     "cells; need (n, colors, height, width)"),
    (lambda: TensorialMixture(Architecture(4, 2, ((4, 4, 2),)), ones(0, 1, 4, 4), generator=draw()),
     "ValueError: TensorialMixture: images of shape (0, 1, 4, 4) do not split into (4, 4) "
     "cells; need (n, colors, height, width)"),
    (lambda: TensorialMixture(Architecture(4, 2, ((4, 4, 2),)), ones(2, 1, 4, 6), generator=draw()),
     "ValueError: TensorialMixture: images of shape (2, 1, 4, 6) do not split into (4, 4) "
     "cells; need (n, colors, height, width)"),
    (lambda: TensorialMixture(Architecture(4, 2, ((4, 4, 2),)), ones(2, 1, 6, 4), generator=draw()),
     "ValueError: TensorialMixture: images of shape (2, 1, 6, 4) do not split into (4, 4) "
     "cells; need (n, colors, height, width)"),
    (lambda: TensorialMixture(Architecture(4, 2, ((4, 4, 2),)), ones(2, 1, 4, 4).long(),
         generator=draw()),
     "TypeError: TensorialMixture: images of torch.int64; need one floating point type"),
    (lambda: TensorialMixture(STAR, ones(2, 1, 4, 4), generator=draw()),
     "TypeError: TensorialMixture: architecture=ModeTree.star(modes=2, dim=3, width=4); need a "
     "value of type Architecture"),
    (lambda: TensorialMixture(Architecture(4, 2, ((4, 4, 2),)), ones(2, 1, 4, 4), generator=0),
     "TypeError: TensorialMixture: generator=0; need a value of type Generator"),
    (lambda: missing_pixels(-1, (2, 2), 0.5, draw()),
     "ValueError: missing_pixels: count=-1; need an integer >= 0"),
    (lambda: missing_pixels(1, (2,), 0.5, draw()),
     "ValueError: missing_pixels: size=(2,); need (height, width)"),
    (lambda: missing_pixels(1, (2, 0), 0.5, draw()),
     "ValueError: missing_pixels: size=0; need an integer >= 1"),
    (lambda: missing_pixels(1, (2, 2, 2), 0.5, draw()),
     "ValueError: missing_pixels: size=(2, 2, 2); need (height, width)"),
    (lambda: missing_pixels(1, (2, 2), -0.1, draw()),
     "ValueError: missing_pixels: share=-0.1; need a probability"),
    (lambda: missing_pixels(1, (2, 2), 1.5, draw()),
     "ValueError: missing_pixels: share=1.5; need a probability"),
    (lambda: missing_pixels(1, (2, 2), math.nan, draw()),
     "ValueError: missing_pixels: share=nan; need a finite number"),
    (lambda: missing_pixels(1, (2, 2), 0.5, 0),
     "TypeError: missing_pixels: generator=0; need a value of type Generator"),
    (lambda: missing_rectangles(-1, (2, 3), 1, 1, draw()),
     "ValueError: missing_rectangles: count=-1; need an integer >= 0"),
    (lambda: missing_rectangles(1, (2, 3), -1, 1, draw()),
     "ValueError: missing_rectangles: number=-1; need an integer >= 0"),
    (lambda: missing_rectangles(1, (2, 3), 1, -1, draw()),
     "ValueError: missing_rectangles: side=-1; need an integer >= 0"),
    (lambda: missing_rectangles(1, (2, 3), 1, 0, draw()),
     "ValueError: missing_rectangles: side=0; need a side from 1 to 2"),
    (lambda: missing_rectangles(1, (2, 3), 1, 3, draw()),
     "ValueError: missing_rectangles: side=3; need a side from 1 to 2"),
    (lambda: missing_rectangles(1, (3, 2), 1, 3, draw()),
     "ValueError: missing_rectangles: side=3; need a side from 1 to 2"),
    (lambda: missing_rectangles(1, (2, 3), 0, 1, 0),
     "TypeError: missing_rectangles: generator=0; need a value of type Generator"),
    (lambda: missing_rectangles(1, 3, 0, 1, draw()),
     "TypeError: missing_rectangles: size=3; need several integers"),
    # modules.py
    (lambda: ConvAC(STAR, generator=draw()),
     "TypeError: ConvAC: architecture=ModeTree.star(modes=2, dim=3, width=4); need a value of "
     "type Architecture"),
    (lambda: ConvAC(NET, 1, generator=draw()), "TypeError: ConvAC: shared=1; need True or False"),
    (lambda: ConvAC(NET, biases=(True,), generator=draw()),
     "ValueError: biases=(True,): give one bool, or one per layer (2 layers)"),
    (lambda: ConvAC(NET, generator=0),
     "TypeError: ConvAC: generator=0; need a value of type Generator"),
    (lambda: ConvAC(NET, generator=draw()).product_form(of(NET)),
     "ValueError: product_form: a module has its own weights; give None"),
    (lambda: ConvAC(NET, pooling="max", generator=draw()).product_form(),
     "ValueError: product_form: max pooling with activation None does not split over a "
     "partition; only products of affine maps do"),
    (lambda: ConvAC(NET, activation="relu", generator=draw()).product_form(),
     "ValueError: product_form: product pooling with activation relu does not split over a "
     "partition; only products of affine maps do"),
    (lambda: ConvAC.from_weights(NET, [(w.long(), None) for w, _ in of(NET)]),
     "TypeError: ConvAC: weights of torch.int64; need one floating point type"),
    (lambda: ConvAC.from_weights(NET, of(NET), "median"),
     "ValueError: generalized_conv: pooling='median'; need one of 'product', 'max', 'sum', "
     "'mean'"),
    (lambda: ConvAC.from_weights(NET, []),
     "ValueError: check_weights: 0 pairs (weight, bias) for 2 layers"),
    (lambda: ConvAC.from_weights(STAR, []),
     "TypeError: ConvAC: architecture=ModeTree.star(modes=2, dim=3, width=4); need a value of "
     "type Architecture"),
]


@pytest.mark.parametrize("call, sentence", REFUSALS, ids=map(str, range(len(REFUSALS))))
def test_the_whole_sentence(call, sentence):
    assert refusal(call) == sentence
