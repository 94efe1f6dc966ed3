"""The private-pixel bound against exact ranks, and the networks of its proof."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from lib import Architecture
from lib.bounds import private as bounds
from lib.bounds.bound import Bound
from lib.bounds.private import (
    connected_fields,
    private_columns,
    private_pixel_bound,
    private_pixel_bounds,
    row_strips,
    window_factors,
)
from lib.tests import brute_force
from lib.tests.networks import architectures, grid, line, partitions

PRIME = brute_force.PRIME
SIZES = [(n,) for n in range(4, 13)] + [(2, 3), (3, 2), (2, 4), (4, 2), (3, 3), (2, 5), (5, 2),
                                        (2, 6), (3, 4), (4, 3)]


def strided_networks(seed, count, most_entries):
    """Networks with steps, wide layers and a cut; any window may occur."""
    rng = np.random.default_rng(seed)
    while count:
        size, channels = SIZES[rng.integers(len(SIZES))], int(rng.integers(2, 5))
        sizes, layers = size, []
        for _ in range(rng.integers(1, 4)):
            window = tuple(int(r) for r in rng.integers(1, 6, len(size)))
            stride = tuple(int(s) for s in rng.choice([1, 2, 2, 3], len(size)))
            layers.append((window, stride, int(rng.integers(1, 10))))
            sizes = tuple(-(-n // s) for n, s in zip(sizes, stride, strict=True))
        if set(sizes) != {1} or rng.random() < 0.3:
            layers.append((sizes, sizes, 1))
        net = Architecture(size, channels, layers)
        if brute_force.entries(net) <= most_entries:
            count -= 1
            yield net, rng


def check_private(seed, count, most_entries=4096):
    """No bound is above the rank; what was seen, by kind."""
    seen = Counter()
    for net, rng in strided_networks(seed, count, most_entries):
        for name, axis in partitions(net):
            cut = int(rng.integers(1, net.size[axis]))
            bounds = private_pixel_bounds(net, name, cut)
            bound = private_pixel_bound(net, name, cut)
            if bound == 1:
                continue
            rank = brute_force.generic_rank(net, rng, axis, cut)
            assert all(each <= rank for each in bounds), (net, name, cut, rank)
            kind = "deep" if bound.layer > 1 else "first"
            top = 1 + min(net.widths[1 : bound.layer + 1])
            limit = "channels" if top == bound.base else "pixels"
            seen[kind, net.ndim] += 1
            seen[kind, limit, "attained"] += bound == rank
            seen[kind, "above crossing"] += bound > net.crossing_bound(name, cut)
    assert all(seen[kind, limit, "attained"] > count // 50 for kind in ("first", "deep")
               for limit in ("channels", "pixels")), seen
    return seen


def test_no_network_is_below_its_private_pixels():
    seen = check_private(seed=0, count=250, most_entries=2048)
    assert all(seen[kind, dimensions] > 30 for kind in ("first", "deep") for dimensions in (1, 2))
    assert seen["first", "above crossing"] > 30 and seen["deep", "above crossing"] > 30


@pytest.mark.slow
def test_no_network_of_thousands_is_below_its_private_pixels():
    seen = check_private(seed=1, count=6000, most_entries=8192)
    assert seen["deep", "above crossing"] > 500


def test_private_pixels_contain_the_crossing_bound():
    """Where all windows up to K are at least their strides; elsewhere the other may be larger."""
    checked = 0
    for net, rng in architectures(seed=5, count=800, most_entries=10**6):
        for name, axis in partitions(net):
            cut = int(rng.integers(1, net.size[axis]))
            for crossing, private in zip(net.crossing_bounds(name, cut),
                                         private_pixel_bounds(net, name, cut), strict=True):
                before = zip(net.windows[: crossing.layer], net.strides[: crossing.layer],
                             strict=True)
                if all(r >= s for rs, ss in before for r, s in zip(rs, ss, strict=True)):
                    checked += crossing > 1
                    assert private >= crossing, (net, name, cut)
    assert checked > 150


@pytest.mark.parametrize("net, text, rank", [
    (grid(6, 2, (4, 2, 2), (3, 3, 1)), "3^6", None),
    (line(9, 2, (5, 2, 2), (5, 5, 1)), "3^1 2^1", 6),
    (line(8, 2, (4, 4, 9), (2, 1, 9), (2, 2, 1)), "10^1", 10),
    (line(8, 3, (2, 2, 7), (2, 1, 7), (4, 4, 1)), "8^1", 8),
    # the border cuts the second row of windows, which keeps one row of two columns
    (Architecture((3, 4), 2, (((3, 2), (2, 2), 6), ((1, 3), (1, 1), 5), ((2, 2), (2, 2), 1))),
     "6^1 4^1", 24)])
def test_worked_examples(net, text, rank):
    bound = private_pixel_bound(net)
    assert str(bound) == text
    assert rank is None or brute_force.generic_rank(net, np.random.default_rng(0)) == rank


def test_columns_against_listing_every_window():
    """Private means: seen by this window, on this side, and by no later or no earlier one."""
    for extent, step, field in product(range(2, 9), range(1, 5), range(1, 9)):
        seen = {start: set(range(start, min(start + field, extent)))
                for start in range(0, extent, step)}
        for cut, start in product(range(1, extent), seen):
            later = set().union(*(seen[s] for s in seen if s > start))
            earlier = set().union(*(seen[s] for s in seen if s < start))
            before = [c for c in seen[start] - later if c < cut]
            after = [c for c in seen[start] - earlier if c >= cut]
            counted = private_columns(start, field, step, extent, cut)
            if min(counted):
                # fields that end before the last window begins leave more to themselves
                assert counted[0] <= len(before) and counted[1] <= len(after)
            if start + step + field <= extent and start >= step and before and after:
                assert counted == (len(before), len(after))


def test_fields_without_holes_against_listing_every_pixel():
    for windows, strides in product(product((1, 2, 4), repeat=3), product((1, 2, 3), repeat=2)):
        layers = tuple(zip(windows, (*strides, 1), (1, 1, 1), strict=True))
        net = Architecture((9,), 2, layers)
        found = set()
        for smaller in product(*(range(1, r + 1) for r in windows)):
            pixels = {sum(a * net.total_stride(i) for i, a in enumerate(offsets))
                      for offsets in product(*map(range, smaller))}
            if len(pixels) == max(pixels) + 1:
                found.add(len(pixels))
        assert set(connected_fields(net, 3)) == found, (windows, strides)


def distinct_words(letters, length, size):
    """A closed sequence of this size whose words of a length all differ, depth first."""
    def extend(sequence, seen):
        word = tuple(sequence[-length:])
        if len(sequence) - length == size:
            return sequence[:size] if word == tuple(sequence[:length]) else None
        if word in seen:
            return None
        longer = (extend([*sequence, letter], seen | {word}) for letter in range(letters))
        return next(filter(None, longer), None)

    starts = product(range(letters), repeat=length)
    return next(filter(None, (extend(list(start), set()) for start in starts)), None)


@pytest.mark.parametrize("letters, length", [(2, 1), (2, 2), (2, 3), (2, 4), (3, 2), (4, 2)])
def test_closed_sequences_with_distinct_words_exist_at_every_size(letters, length):
    """What the proof takes from Lempel (1971)."""
    for size in range(1, letters**length + 1):
        found = distinct_words(letters, length, size)
        words = {tuple(found[(i + x) % size] for x in range(length)) for i in range(size)}
        assert len(words) == size


def windows_of(net, layer, extent, axis):
    """Windows no larger than the network's whose field has this extent and no holes."""
    highs = [window[axis] for window in net.windows[:layer]]
    for smaller in product(*(range(1, r + 1) for r in highs)):
        pixels = {sum(a * net.total_stride(i, axis) for i, a in enumerate(offsets))
                  for offsets in product(*map(range, smaller))}
        if len(pixels) == max(pixels) + 1 == extent:
            return smaller
    raise AssertionError(f"{net} has no connected field of {extent} at layer {layer}")


def proof_weights(net, layer, extents, axis, rows, rng):
    """The points in the proof: channels that read each other shifted, and multiply.

    ``rows`` is what the row of windows that they serve has inside the image.
    """
    used = min(net.widths[1 : layer + 1])
    windows = list(zip(*(windows_of(net, layer, extent, a) for a, extent in enumerate(extents)),
                       strict=True))
    # one channel further per pixel, down a column first and then along the cut axis
    pace = [rows if net.ndim == 2 and a == axis else 1 for a in range(net.ndim)]
    marks, weights = rng.integers(1, PRIME, (used, net.channels)), []
    for depth, after in enumerate(net.layers, 1):
        shape = (after.channels, net.widths[depth - 1], *net.windows[depth - 1])
        weight = np.zeros(shape, dtype=np.int64)
        bias = np.ones((shape[0], *shape[2:]), dtype=np.int64)
        inside = windows[depth - 1] if depth <= layer else net.strides[depth - 1]
        for offset in product(*map(range, inside)):
            at = (slice(used), *offset)
            moved = sum(o * net.total_stride(depth - 1, a) * p
                        for a, (o, p) in enumerate(zip(offset, pace, strict=True)))
            read = [(j + moved) % used for j in range(used)]
            if depth > layer + 1:
                weight[(0, 0, *offset)] = rng.integers(1, PRIME)
            elif depth == layer + 1:
                weight[(0, slice(used), *offset)] = rng.integers(0, PRIME, used)
            elif depth > 1:
                weight[(range(used), read, *offset)] = 1
                bias[at] = rng.integers(1, PRIME)           # what padding reads
            else:                                           # F = I; padding reads 1
                weight[(slice(used), slice(None), *offset)] = marks[read] - 1
        weights.append((weight, bias))
    return weights


@pytest.mark.slow
def test_the_networks_of_the_proof_have_the_rank():
    """Channels only multiply, shifted in a circle: no generic matrix between layers 1 and K + 1."""
    seen = Counter()
    for net, rng in strided_networks(seed=7, count=300, most_entries=1024):
        for name, axis in partitions(net):
            cut = int(rng.integers(1, net.size[axis]))
            layer = private_pixel_bound(net, name, cut).layer
            if layer is None:
                continue
            fields = connected_fields(net, layer, axis)
            field = int(rng.choice([f for f in fields if f <= net.size[axis]]))
            top = 1 + min(net.widths[1 : layer + 1])
            extents = [field] * net.ndim
            if net.ndim == 2:
                step = net.total_stride(layer, 1 - axis)
                extents[1 - axis] = max(rows for rows in connected_fields(net, layer, 1 - axis)
                                        if rows <= step)
            for strip in row_strips(net, layer, axis):
                powers = window_factors(net, layer, axis, cut, field, [strip], top)
                value = Bound.product(powers, layer)
                weights = proof_weights(net, layer, extents, axis, strip[0], rng)
                matrix = brute_force.grid_matrix(
                    net, weights, np.eye(net.channels, dtype=np.int64), axis, cut)
                assert brute_force.rank(matrix) >= value, (net, name, cut, field, strip)
                seen[layer > 1, net.ndim] += value > 1
                cut_off = net.ndim == 2 and strip[0] < extents[1 - axis]
                seen["cut off", layer > 1] += value > 1 and cut_off
    assert min(seen[deep, ndim] for deep in (False, True) for ndim in (1, 2)) > 15, seen
    assert seen["cut off", False] > 5 and seen["cut off", True] > 5


def test_a_bound_for_real_colors():
    """A 7 × 7 layer with stride 2 and 64 channels on RGB: four private pixels a side, 3^4 > 65."""
    net = Architecture(224, 3, ((7, 2, 64), (112, 112, 1)))
    bound = private_pixel_bound(net)
    assert bound.base == 65 and bound > net.crossing_bound() and bound.log10 > 100


def test_silent_without_an_admissible_layer():
    assert private_pixel_bound(line(4, 2, (4, 4, 2))) == 1
    with pytest.raises(ValueError, match="cut=0"):
        private_pixel_bound(line(4, 2, (2, 1, 2), (4, 4, 1)), cut=0)


def test_deep_networks_ask_for_a_field_once(monkeypatch):
    asked = Counter()

    def counted(net, layer, axis, cut, field, strips, top):
        asked[field] += 1
        return window_factors(net, layer, axis, cut, field, strips, top)

    monkeypatch.setattr(bounds, "window_factors", counted)
    net = Architecture((40,), 2, (*[(3, 1, 3)] * 60, (40, 40, 1)))
    assert private_pixel_bound(net) == 2**20
    assert set(asked) == set(range(1, 41)) and set(asked.values()) == {1}
