"""Bounds against exact ranks of random instances, and against their own closed forms."""

from collections import Counter
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lib import Architecture, Layer
from lib.bounds import private
from lib.bounds.crossing import farthest_reaching, separated_pairs
from lib.bounds.overlap import published_base
from lib.tests import brute_force
from lib.tests.networks import NETWORKS, architectures, grid, line, partitions

small = st.integers(1, 3)
layers = st.lists(st.builds(Layer, small, small, small), min_size=1, max_size=3)
flat = st.builds(lambda n, m, stack: Architecture((n,), m, stack),
                 st.integers(2, 12), st.integers(1, 4), layers)


def check_bounds(seed, count):
    """Every bound against the exact rank of a random instance; what was seen, by kind."""
    seen = Counter()
    for net, rng in architectures(seed=seed, count=count):
        for name, axis in partitions(net):
            cut = int(rng.integers(1, net.size[axis]))
            half = brute_force.generic_rank(net, rng, axis)
            rank = brute_force.generic_rank(net, rng, axis, cut)
            crossing = net.crossing_bound(name, cut)
            for t_min in ("stride", "one"):
                assert net.overlap_bound(name, t_min) <= min(half, net.crossing_bound(name))
            assert all(b <= rank for b in net.crossing_bounds(name, cut)), (net, name, cut)
            seen["checked"] += 1
            halved = [published_base(net, bound.layer) ** bound.exponent
                      for bound in net.crossing_bounds(name, cut)]
            seen["above the published base"] += crossing > max(halved, default=1)
            if crossing > 1:                          # where one more would be too many
                binding = "M" if crossing.base == net.channels else "D + 1"
                seen["informative"] += 1
                seen["attained", binding, crossing.layer > 1] += crossing == rank
            equal = net.exact_two_layer_rank(name, cut)
            if equal is not None:
                seen["exact"] += 1
                assert equal == rank, (net, name, cut)
            largest = net.non_overlapping_upper_bound(name, cut)
            if largest is not None:
                seen["upper"] += 1
                assert rank <= largest, (net, name, cut)
            quoted = net.quoted_overlap_bound(name)
            if quoted > half and not net.missing_hypotheses(quoted.layer):
                seen["quoted fails", net.size[axis] % 2] += 1
    assert seen["quoted fails", 1] and not seen["quoted fails", 0]      # odd sizes, and only odd
    assert all(seen["attained", binding, deep] for binding in ("M", "D + 1")
               for deep in (False, True))
    return seen


def test_no_bound_is_violated_and_the_quoted_formula_is():
    seen = check_bounds(seed=0, count=250)
    assert seen["informative"] > 50 and seen["above the published base"] > 9
    assert seen["exact"] > 6 and seen["upper"] > 30


@pytest.mark.slow
def test_no_bound_is_violated_by_thousands_of_networks():
    seen = check_bounds(seed=1, count=12_000)
    assert seen["informative"] > 3000 and seen["above the published base"] > 500


@settings(max_examples=300, deadline=None)
@given(flat, st.data())
def test_crossing_count_against_listing_every_pair(net, data):
    """Both exponents from the definition: cells of layer K, pixels of the proof, one by one."""
    extent = net.size[0]
    cut = data.draw(st.integers(1, extent - 1))
    for bound in net.crossing_bounds(cut=cut):
        step = prod(s for s, in net.strides[:bound.layer])
        sums = {sum(t * net.total_stride(i) for i, t in enumerate(ts))
                for ts in product(*(range(r) for r, in net.windows[:bound.layer]))}
        firsts = [v * step for v in range(net.output_sizes[bound.layer][0])]
        counts = {s: sum(p < cut <= p + s < extent for p in firsts) for s in sums}
        assert bound.exponent == max(counts.values()) == counts[bound.shift]
        assert bound.base == min([net.channels, *(d + 1 for d in net.widths[1:bound.layer + 1])])


def test_one_channel_per_layer_is_enough():
    """No halves: single channels all the way to layer 2 reach the full rank of two templates."""
    net = grid(4, 2, (2, 1, 1), (2, 1, 1), (4, 4, 1))
    rank = brute_force.generic_rank(net, np.random.default_rng(0))
    assert net.crossing_bound() == rank == 2**8 and net.overlap_bound() == 1


@given(flat)
def test_theorem_1_is_the_crossing_count_at_its_own_shift(net):
    assume(net.size[0] % 2 == 0)
    for t_min in ("stride", "one"):
        for bound in net.overlap_bounds(t_min=t_min):
            step, half = net.total_stride(bound.layer), net.size[0] // 2
            pairs = [v for v in range(net.size[0])
                     if v * step < half <= v * step + bound.shift < net.size[0]]
            assert bound.exponent == len(pairs)
    assert net.overlap_bound().value <= net.overlap_bound(t_min="one").value
    assert net.overlap_bound(t_min="one").value <= net.crossing_bound().value


@pytest.mark.parametrize("net, fields, minimal, theorem, stronger, rank", NETWORKS)
def test_worked_examples(net, fields, minimal, theorem, stronger, rank):
    inner = range(1, net.depth)
    assert tuple(net.total_receptive_field(k) for k in inner) == fields
    assert tuple(net.alpha_minimal(k, net.size[-1] // 2) for k in inner) == minimal
    for name, _ in partitions(net):
        bound = net.overlap_bound(name)
        assert (None if bound.silent else str(bound)) == theorem
        assert str(net.crossing_bound(name)) == stronger


@pytest.mark.parametrize("net, rank", [
    pytest.param(net, rank, marks=[pytest.mark.slow] if rank > 100 else [])
    for net, *_, rank in NETWORKS if rank is not None])
def test_ranks_of_worked_examples(net, rank):
    for _, axis in partitions(net):
        assert brute_force.generic_rank(net, np.random.default_rng(0), axis) == rank


def test_quoted_formula_at_odd_sizes():
    """Four networks whose quoted exponent exceeds the rank: 2^6, 2^6, 3^4, 2^3."""
    quoted = [str(net.quoted_overlap_bound()) for net, *_ in NETWORKS if net.size[0] % 2]
    assert quoted == ["2^6", "2^6", "3^4", "2^3"]


@pytest.mark.parametrize("last, biases, rank", [
    ((4, 4, 1), False, 0), ((4, 4, 1), (False, True), 81), ((4, 4, 1), (True, False), 256),
    ((4, 4, 1), True, 256), ((1, 4, 1), True, 3), ((2, 4, 1), True, 81)])
def test_each_hypothesis_is_needed(last, biases, rank):
    """Without biases, or with a later window below its stride, 2^8 = 256 is out of reach."""
    net = grid(4, 2, (3, 1, 2), last)
    assert brute_force.generic_rank(net, np.random.default_rng(1), biases=biases) == rank
    assert net.overlap_bound().silent == (last[0] < last[1])


def test_the_layer_must_be_followed_by_another():
    net = line(4, 2, (4, 4, 2))
    assert net.missing_hypotheses(1) == ["layer 1 is not followed by another layer"]
    assert net.crossing_bound().silent and net.crossing_bound().value == 1
    assert brute_force.generic_rank(net, np.random.default_rng(1)) == 1


def test_the_output_must_be_a_single_cell():
    """The first of four outputs sees four pixels of the left half, and no more."""
    net = line(8, 2, (2, 1, 1), (2, 2, 1))
    assert net.missing_hypotheses(1) == ["the output has size (4,), not a single cell"]
    assert net.crossing_bound().silent
    assert brute_force.generic_rank(net, np.random.default_rng(1)) == 1


@pytest.mark.parametrize("templates, rank", [([[1, 2], [3, 6]], 256), ([[1, 2], [1, 2]], 1)])
def test_templates_need_only_be_affinely_independent(templates, rank):
    net, rng = grid(4, 2, (3, 1, 2), (4, 4, 1)), np.random.default_rng(2)
    weights = brute_force.random_weights(net, rng)
    assert brute_force.rank(brute_force.grid_matrix(net, weights, np.array(templates))) == rank


def test_exact_two_layer_rank_on_a_grid_of_cases():
    rng, beyond = np.random.default_rng(3), 0
    for window, channels, width, bias in product(range(1, 8), (2, 3), range(1, 4), (True, False)):
        net, cut = line(7, channels, (window, 1, width), (7, 7, 1)), int(rng.integers(1, 7))
        rank = brute_force.generic_rank(net, rng, cut=cut, biases=(True, bias))
        assert net.exact_two_layer_rank(cut=cut, last_bias=bias) == rank, (net, cut, bias)
        beyond += min(channels, width + bias) ** min(window - 1, cut) > rank
    assert beyond > 5                       # where the columns on the right run out first
    for window, bias in product(product((1, 2, 3), repeat=2), (True, False)):
        net = Architecture((2, 4), 3, (Layer(window, 1, 2), Layer((2, 4), (2, 4), 1)))
        for name, axis in partitions(net):
            rank = brute_force.generic_rank(net, rng, axis, biases=(True, bias))
            assert net.exact_two_layer_rank(name, last_bias=bias) == rank


@pytest.mark.parametrize("window, stride, bias, formula, rank", [
    (4, 4, False, 4, 4), (4, 4, True, 9, 9), (5, 4, True, 9, 9),
    (5, 4, False, None, 0),                 # a padded cell without bias multiplies by 0
    (1, 4, True, None, 3), (1, 4, False, None, 2), (1, 2, True, None, 3)])    # unread windows
def test_the_last_window_is_the_whole_map(window, stride, bias, formula, rank):
    net = line(4, 3, (3, 1, 2), (window, stride, 1))
    assert net.exact_two_layer_rank(last_bias=bias) == formula
    assert brute_force.generic_rank(net, np.random.default_rng(8), biases=(True, bias)) == rank


def check_two_layers(seed, count, most_entries):
    """The exact formula against the rank, any strides, cut and bias; how often it applies."""
    rng, seen = np.random.default_rng(seed), Counter()
    while seen["networks"] < count:
        size = tuple(int(n) for n in rng.integers(2, 5 if rng.integers(2) else 12,
                                                  rng.integers(1, 3)))
        channels = int(rng.integers(2, 5))
        window, stride = (tuple(int(n) for n in rng.integers(1, top, len(size))) for top in (7, 4))
        maps = tuple(-(-n // s) for n, s in zip(size, stride, strict=True))
        net = Architecture(size, channels, ((window, stride, int(rng.integers(1, 12))),
                                            (maps, maps, 1)))
        if brute_force.entries(net) > most_entries:
            continue
        seen["networks"] += 1
        for name, axis in partitions(net):
            cut, bias = int(rng.integers(1, size[axis])), bool(rng.integers(2))
            exact = net.exact_two_layer_rank(name, cut, bias)
            if exact is not None:
                rank = brute_force.generic_rank(net, rng, axis, cut, biases=(True, bias))
                assert exact == rank, (net, name, cut, bias)
                seen["strides", set(net.strides[0]) != {1}] += rank > 1
    return seen


def test_exact_two_layer_rank_with_and_without_strides():
    seen = check_two_layers(seed=6, count=300, most_entries=2048)
    assert seen["strides", True] > 60 and seen["strides", False] > 20


@pytest.mark.slow
def test_exact_two_layer_rank_of_thousands_of_networks():
    seen = check_two_layers(seed=7, count=4000, most_entries=8192)
    assert seen["strides", True] > 600 and seen["strides", False] > 600


def test_non_overlapping_rank_is_a_width_and_a_bias():
    rng = np.random.default_rng(4)
    for width, bias in product(range(1, 7), (True, False)):
        net = grid(4, 2, (2, 2, 2), (2, 2, width), (1, 1, 1))
        bound = net.non_overlapping_upper_bound(last_bias=bias)
        assert bound.value == width + bias
        assert brute_force.generic_rank(net, rng, biases=(True, True, bias)) == bound.value
    net = grid(4, 2, (2, 2, 2), (2, 2, 3))
    assert net.non_overlapping_upper_bound().value == 1 == brute_force.generic_rank(net, rng)


@pytest.mark.parametrize("specification, bias, rank, bound", [
    ([(2, 2, 2), (3, 3, 2), (1, 1, 1)], False, 16, None),
    ([(2, 2, 2), (3, 3, 2), (1, 1, 1)], True, 55, None),
    ([(3, 3, 2), (2, 2, 2), (1, 1, 1)], True, 3, 3),
    ([(4, 4, 2), (2, 2, 2), (1, 1, 1)], True, 9, None),
    ([(2, 2, 2), (4, 4, 2), (1, 1, 1)], True, 55, None)])
def test_misaligned_windows_escape_the_upper_bound(specification, bias, rank, bound):
    """The first rank is a sample's, hence a lower bound, in all but the aligned row."""
    net, rng = grid(6, 2, *specification), np.random.default_rng(5)
    weights = brute_force.random_weights(net, rng, biases=bias)
    templates = rng.integers(0, brute_force.PRIME, (2, 2))
    sample = brute_force.grid_sample(net, weights, templates, rng, (120, 120))
    assert brute_force.rank(sample) == rank
    value = net.non_overlapping_upper_bound(last_bias=bias)
    assert (None if value is None else value.value) == bound


def test_bytes_of_numpy_are_numbers_like_others():
    byte = np.uint8
    assert separated_pairs(*map(byte, (1, 8, 5, 4))) == separated_pairs(1, 8, 5, 4) == 3
    assert farthest_reaching(byte(1), byte(8), np.arange(8, dtype=byte), byte(4)) == (4, 4)
    assert private.private_columns(*map(byte, (6, 4, 2, 8, 4))) == (0, 0)
    units, highs = np.array([1, 16], dtype=byte), np.array([15, 20], dtype=byte)
    assert private.joined_fields(units, highs) == private.joined_fields((1, 16), (15, 20))
    net = line(8, 2, (4, 2, 5), (4, 4, 1))
    assert private.window_factors(net, byte(1), 0, byte(4), byte(4), [(1, 1)], byte(6)) == ((4, 1),)


def test_errors_name_the_partition_and_the_cut():
    net = line(4, 2, (2, 1, 2), (4, 4, 1))
    with pytest.raises(ValueError, match="partition 'top-bottom'"):
        net.overlap_bound("top-bottom")
    with pytest.raises(ValueError, match="cut=4 along an axis of 4 cells"):
        net.crossing_bound(cut=4)
