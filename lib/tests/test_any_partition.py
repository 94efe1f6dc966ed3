"""Even partitions of the 4×4 grid: the rank of one network against the matching number."""

from collections import Counter
from itertools import combinations

import pytest
import torch

from lib import Architecture, Layer, certify, exact_rank
from lib.bounds.matching import matching_number
from lib.exact.arithmetic import Modular
from lib.grids.blocks import matricization_block
from lib.trees.tensors import matricize


@pytest.mark.parametrize("every", [400, pytest.param(1, marks=pytest.mark.slow)])
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


@pytest.mark.slow
def test_the_corner_argument_gives_the_rank_of_a_matrix_of_6561_rows():
    """M = D = 3 with a bias in layer 2: (D + 1)^3 M^4, below the full rank M^8."""
    net = Architecture(4, 3, (Layer(4, 1, 3), Layer(4, 4, 1)))
    corner = (4, 5, 6, 8, 9, 10, 12, 13)  # the other side holds first row and last column
    found = certify(net, corner, shared=False, seed=7)
    assert found.rank == 4**3 * 3**4 and not found.sampled
