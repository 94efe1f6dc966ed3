"""Networks, trees and weights that the tests of whole messages share; what a refusal says."""

import pytest
import torch

from lib import Architecture, DilatedNetwork, ModeTree, Real

ONE = torch.ones(1)
STAR = ModeTree.star(2, 3, 4)
DEEP = ModeTree.perfect(4, 2, 3, (2, 5))
NET = Architecture((4, 6), 2, (((3, 2), (2, 3), 3), ((2, 2), (2, 2), 5)))
TWO = DilatedNetwork(((1, 2, 4), (2, 1, 4)), 2, 3, (2,))
FOUR = DilatedNetwork(((1, 2, 4, 8), (2, 1, 4, 8)), 2, 2, (2, 3))


def draw():
    return torch.Generator().manual_seed(0)


def ones(*shape):
    return torch.ones(shape)


def of(subject):
    return subject.random_weights(Real(), draw())


def without(weights, path):
    return {key: weight for key, weight in weights.items() if key != path}


def layers_of(*shapes):
    return [tuple(None if shape is None else ones(*shape) for shape in pair) for pair in shapes]


def refusal(call):
    """The type and the whole message of what a call raises."""
    with pytest.raises((ValueError, TypeError, OverflowError)) as refused:
        call()
    return f"{type(refused.value).__name__}: {refused.value}"
