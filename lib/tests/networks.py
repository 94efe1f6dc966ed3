"""Networks that several tests share: worked examples with their numbers, and random ones."""

import numpy as np

from lib.networks.architecture import Architecture, Layer
from lib.networks.families import block_network
from lib.tests import brute_force


def line(size, channels, *layers):
    """A network on a sequence; layers are triples of window, stride and channels."""
    return Architecture((size,), channels, [Layer(*layer) for layer in layers])


def grid(size, channels, *layers):
    """A network on a square image; layers are triples of window, stride and channels."""
    return Architecture(size, channels, [Layer(*layer) for layer in layers])


# (network, T_R per layer, half-minimal field, Theorem 1, stronger form, generic rank if small)
NETWORKS = [
    (grid(2, 3, (2, 1, 3), (2, 2, 1)), (2,), (2,), "3^2", "3^2", 9),
    (grid(4, 2, (3, 1, 2), (4, 4, 1)), (3,), (3,), "2^8", "2^8", 256),
    (grid(4, 2, (2, 1, 4), (2, 1, 2), (4, 4, 1)), (2, 3), (None, 3), "2^8", "2^8", 256),
    (grid(4, 2, (3, 2, 2), (2, 2, 1)), (3,), (3,), "2^2", "2^2", 9),
    (grid(4, 2, (3, 3, 2), (2, 2, 1)), (3,), (3,), "2^2", "2^2", 6),
    (grid(4, 2, (2, 1, 2), (4, 4, 1)), (2,), (None,), None, "2^4", 16),
    (grid(6, 2, (4, 2, 2), (3, 3, 1)), (4,), (4,), "2^6", "2^6", None),
    (grid(6, 2, (5, 3, 2), (2, 2, 1)), (5,), (4,), "2^2", "2^2", None),
    (grid(8, 2, (2, 2, 4), (3, 2, 2), (2, 2, 1)), (2, 6), (None, 6), "2^2", "2^2", None),
    (grid(8, 2, (3, 2, 4), (3, 2, 2), (2, 2, 1)), (3, 7), (None, 5), "2^2", "2^4", None),
    (line(8, 2, (3, 1, 4), (3, 1, 2), (8, 8, 1)), (3, 5), (None, 5), "2^4", "2^4", 16),
    (line(8, 3, (3, 1, 6), (2, 1, 7), (3, 2, 5), (4, 4, 1)), (3, 4, 6), (None, None, 5),
     "3^2", "3^3", 81),
    (line(10, 2, (4, 4, 4), (3, 1, 2), (3, 3, 1)), (4, 12), (None, 8), "2^1", "2^2", 6),
    (block_network(3, 16, 2, 4, ndim=1), (3, 4, 8, 10, 18, 22, 38), (None, None, None, 9, 9, 9, 9),
     "2^2", "2^3", 256),
    (block_network(2, 4, 2, 4), (2, 3, 5), (None, 3, 3), "2^2", "2^4", 256),
    (block_network(2, 4, 2, 2), (2, 3, 5), (None, 3, 3), "1^2", "2^4", 105),
    (grid(3, 2, (2, 1, 2), (3, 3, 1)), (2,), (2,), None, "2^3", 8),
    (grid(5, 2, (3, 2, 2), (3, 3, 1)), (3,), (3,), None, "2^3", None),
    (line(7, 3, (4, 1, 3), (7, 7, 1)), (4,), (4,), None, "3^3", 27),
    (line(9, 2, (5, 2, 2), (5, 5, 1)), (5,), (5,), None, "2^2", 6),
]


def random_architecture(rng, size, largest=3):
    """Some layers, then usually one that closes the map; any window and stride may occur."""
    sizes, drawn = size, []
    for _ in range(rng.integers(1, largest + 1)):
        window = tuple(int(r) for r in rng.integers(1, max(sizes) + 2, len(size)))
        stride = tuple(int(s) for s in rng.integers(1, 4, len(size)))
        drawn.append(Layer(window, stride, int(rng.integers(1, 6))))
        sizes = tuple(-(-n // s) for n, s in zip(sizes, stride, strict=True))
    if rng.random() < 0.7:
        drawn.append(Layer(sizes, sizes, 1))
    return Architecture(size, int(rng.integers(2, 4)), drawn)


SIZES = [(n,) for n in range(2, 9)] + [(1, 4), (2, 2), (2, 3), (3, 2), (2, 4), (4, 2), (3, 3)]


def architectures(seed, count, most_entries=4096):
    rng = np.random.default_rng(seed)
    while count:
        net = random_architecture(rng, SIZES[rng.integers(len(SIZES))])
        if brute_force.entries(net) <= most_entries and set(net.output_sizes[-1]) == {1}:
            count -= 1
            yield net, rng


def partitions(net):
    """Names and axes of the cuts of a network."""
    named = [("left-right", net.ndim - 1)] + [("top-bottom", 0)] * (net.ndim == 2)
    return [(name, axis) for name, axis in named if net.size[axis] > 1]
