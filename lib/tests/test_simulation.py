"""Proposition 1 on random pairs of networks, in exact arithmetic."""

import numpy as np
import pytest
import torch

from lib import Architecture, Layer, correspondence, forward, simulate
from lib.exact.arithmetic import Modular
from lib.tests.networks import grid, line

FIELD = Modular()


def smaller_than(net, rng):
    """Delete stride-1 layers, shrink windows and widths; the widths stay below those deleted."""
    ceiling, layers = 10**9, []
    for number in reversed(range(net.depth)):                 # from the output to the input
        layer = net.layers[number]
        if set(net.strides[number]) == {1} and rng.random() < 0.5 and layers:
            ceiling = min(ceiling, layer.channels)            # a deleted layer limits what passes
            continue
        window = tuple(int(rng.integers(1, r + 1)) for r in net.windows[number])
        width = int(rng.integers(1, min(ceiling, layer.channels) + 1))
        layers.insert(0, Layer(window, net.strides[number], width))
        ceiling = 10**9
    return Architecture(net.size, net.channels, layers) if ceiling >= net.channels else None


def test_random_networks_simulate_smaller_ones():
    rng, generator, checked, deleted = np.random.default_rng(0), torch.Generator(), 0, 0
    generator.manual_seed(0)
    while checked < 120:
        size = tuple(int(n) for n in rng.integers(2, 7, rng.integers(1, 3)))
        layers = [Layer(tuple(int(r) for r in rng.integers(1, 5, len(size))),
                        int(rng.integers(1, 3)), int(rng.integers(1, 5)))
                  for _ in range(rng.integers(1, 5))]
        larger = Architecture(size, int(rng.integers(1, 4)), layers)
        smaller = smaller_than(larger, rng)
        if smaller is None:
            continue
        checked, deleted = checked + 1, deleted + larger.depth - smaller.depth
        shared = bool(rng.integers(2))
        weights = smaller.random_weights(FIELD, generator, shared, biases=bool(rng.integers(2)))
        x = FIELD.random((20, larger.channels, *size), generator)
        expected = forward(smaller, weights, x, FIELD)
        found = forward(larger, simulate(larger, smaller, weights), x, FIELD)
        assert bool((found[:, :smaller.widths[-1]] == expected).all()), (larger, smaller)
        assert bool((found[:, smaller.widths[-1]:] == 1).all())
    assert deleted > 20


def test_overlapping_networks_contain_the_non_overlapping_ones():
    larger = grid(8, 2, (3, 1, 2), (3, 2, 4), (5, 2, 4), (2, 2, 1))
    smaller = grid(8, 2, (2, 2, 4), (2, 2, 4), (2, 2, 1))
    assert not smaller.is_overlapping and correspondence(larger, smaller) == (2, 3, 4)
    generator = torch.Generator().manual_seed(1)
    weights = smaller.random_weights(FIELD, generator)
    x = FIELD.random((500, 2, 8, 8), generator)
    assert bool((forward(larger, simulate(larger, smaller, weights), x, FIELD)
                 == forward(smaller, weights, x, FIELD)).all())


@pytest.mark.parametrize("larger, smaller, message", [
    (line(4, 2, (2, 2, 4), (2, 2, 1)), line(4, 2, (3, 2, 4), (2, 2, 1)), "its window"),
    (line(4, 2, (2, 2, 3), (2, 2, 1)), line(4, 2, (2, 2, 4), (2, 2, 1)), "3 channels are fewer"),
    (line(4, 2, (2, 1, 4), (4, 4, 1)), line(4, 2, (2, 2, 4), (2, 2, 1)), "its stride"),
    (line(4, 2, (1, 1, 1), (2, 2, 4), (2, 2, 1)), line(4, 2, (2, 2, 4), (2, 2, 1)), "no way"),
    (line(4, 3, (2, 2, 4)), line(4, 2, (2, 2, 4)), "different inputs")])
def test_what_cannot_be_simulated_is_refused(larger, smaller, message):
    """The fourth pair: a deleted layer of one channel cannot hand two on."""
    with pytest.raises(ValueError, match=message):
        correspondence(larger, smaller)
