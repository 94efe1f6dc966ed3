"""Even partitions of the 4×4 grid: the rank of one network against the matching number."""

from collections import Counter
from itertools import combinations

import pytest
import torch

from lib import Architecture, Layer, exact_rank
from lib.bounds.matching import matching_number
from lib.exact.arithmetic import Modular
from lib.grids.blocks import matricization_block
from lib.trees.tensors import matricize


@pytest.mark.parametrize("every", [100, pytest.param(1, marks=pytest.mark.slow)])
def test_the_rank_is_two_to_the_matching_number(every):
    """M = D = 2, unshared kernels, no bias in layer 2: 256 for all but 18 partitions, with 128."""
    net, field = Architecture(4, 2, (Layer(4, 1, 2), Layer(4, 4, 1))), Modular()
    generator = torch.Generator().manual_seed(0)
    weights = net.random_weights(field, generator, shared=False, biases=(True, False))
    top = matricization_block(net, weights, "top-bottom", arithmetic=field)  # rows: cells 0 to 7
    tensor = top.reshape((2,) * 16)
    ranks = Counter()
    partitions = [(0, *rest) for rest in combinations(range(1, 16), 7)]
    numbers = [matching_number(rows, (4, 4)) for rows in partitions]
    full = [rows for rows, number in zip(partitions, numbers) if number == 8][::every]
    for rows in full + [rows for rows, number in zip(partitions, numbers) if number < 8]:
        ranks[exact_rank(matricize(tensor, rows)).rank] += 1
    assert len(partitions) == 6435
    assert ranks == {256: len(full), 128: 18}
