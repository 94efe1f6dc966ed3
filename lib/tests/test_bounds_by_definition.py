"""Bounds against the sentences that define them: loops over windows, pixels and shifts.

No rank is computed here: that no bound exceeds one is tested elsewhere, and would not notice a
bound that has become smaller.
"""

import importlib
import inspect
from collections import Counter
from itertools import product
from math import ceil, log10

import numpy as np
import pytest

from lib import Architecture
from lib.bounds import crossing, shifts
from lib.bounds.bound import Bound, best
from lib.bounds.overlap import (
    admissible_layers,
    axis_and_cut,
    cut_axis,
    cut_position,
    missing_hypotheses,
    published_base,
    quoted_overlap_bound,
    sampled_rows,
)
from lib.bounds.partitions import split_modes
from lib.bounds.private import (
    connected_fields,
    private_columns,
    private_pixel_bound,
    private_pixel_bounds,
    row_strips,
    window_factors,
)
from lib.bounds.upper_bounds import linear_readout_upper_bound, non_overlapping_upper_bound
from lib.tests.networks import grid, line


def drawn(seed, count, closed=0.8):
    """Networks whose two axes differ in size, windows and strides; some with one axis."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        size = tuple(int(n) for n in rng.integers(3, 15, 2 - (number % 4 == 0)))
        sizes, layers = size, []
        for _ in range(rng.integers(1, 4)):
            window = tuple(int(r) for r in rng.integers(1, 6, len(size)))
            stride = tuple(int(s) for s in rng.choice([1, 1, 2, 3], len(size)))
            layers.append((window, stride, int(rng.integers(1, 9))))
            sizes = tuple(-(-n // s) for n, s in zip(sizes, stride, strict=True))
        if rng.random() < closed:
            layers.append((sizes, sizes, int(rng.integers(1, 4))))
        yield Architecture(size, int(rng.integers(2, 6)), layers), rng


def cases(seed, count, **options):
    """A network, a partition by name, its axis, a cut."""
    for net, rng in drawn(seed, count, **options):
        for axis, name in ((-1, "left-right"), (0, "top-bottom"))[:len(net.size)]:
            if net.size[axis] > 1:
                yield net, name, axis % len(net.size), int(rng.integers(1, net.size[axis]))


def step_of(net, layer, axis):
    step = 1
    for stride in net.strides[:layer]:
        step *= stride[axis]
    return step


def offsets_of(net, layer, axis):
    """Distances from the first pixel of a cell's field to all that it sees."""
    seen = {0}
    for k in range(layer):
        seen = {s + a * step_of(net, k, axis) for s in seen for a in range(net.windows[k][axis])}
    return seen


def admissible(net):
    """Layers with another one after them, in a network of one output without unread cells."""
    if any(n > 1 for n in net.output_sizes[-1]):
        return []
    return [layer for layer in range(1, net.depth)
            if all(r >= s for k in range(layer, net.depth)
                   for r, s in zip(net.windows[k], net.strides[k], strict=True))]


def facts(bound):
    return bound.base, bound.exponent, bound.layer, bound.shift


def test_crossing_bounds_count_pairs():
    seen = 0
    for net, name, axis, cut in cases(0, 100):
        expected = []
        for layer in admissible(net):
            step, extent = step_of(net, layer, axis), net.size[axis]
            counts = {s: sum(v < cut <= v + s < extent for v in range(0, extent, step))
                      for s in offsets_of(net, layer, axis) if s < extent}
            most = max(counts.values())
            rows = 1 if len(net.size) == 1 else ceil(
                net.size[1 - axis] / step_of(net, layer, 1 - axis))
            assert rows == sampled_rows(net, layer, axis) == sampled_rows(
                net, layer, axis - len(net.size))
            for s, count in counts.items():
                assert crossing.crossing_pairs(net, layer, s, axis, cut) == count
            base = min([net.channels] + [width + 1 for width in net.widths[1:layer + 1]])
            expected.append((base, rows * most, layer, min(s for s in counts if counts[s] == most)))
        assert [facts(b) for b in net.crossing_bounds(name, cut)] == expected
        assert admissible_layers(net) == [layer for _, _, layer, _ in expected]
        largest = max((base**exponent for base, exponent, *_ in expected), default=1)
        found = net.crossing_bound(name, cut)
        assert found == largest and found.silent == (not expected)
        assert not expected or facts(found) == next(
            e for e in expected if e[0] ** e[1] == largest)
        seen += largest > 1
    assert seen > 60


def test_a_cut_left_out_is_in_the_middle():
    for net, name, axis, _ in cases(1, 40):
        half = net.size[axis] // 2
        assert axis_and_cut(net, name) == (axis, half) == (cut_axis(net, name),
                                                           cut_position(net, axis))
        for bounds in (crossing.crossing_bounds, private_pixel_bounds):
            assert list(map(repr, bounds(net, name))) == list(map(repr, bounds(net, name, half)))
        assert repr(private_pixel_bound(net, name)) == repr(private_pixel_bound(net, name, half))
        assert linear_readout_upper_bound(net, name) == linear_readout_upper_bound(net, name, half)
        assert str(net.exact_two_layer_rank(name)) == str(net.exact_two_layer_rank(name, half))
    wide = Architecture((6, 9), 2, ((2, 1, 3), ((6, 9), (6, 9), 1)))
    assert facts(wide.crossing_bound()) == facts(wide.crossing_bound("left-right", 4))
    assert wide.crossing_bound() != wide.crossing_bound("top-bottom")


def test_separated_pairs_by_counting():
    for step, extent, cut, shift in product((1, 2, 3), (1, 2, 5, 8), range(1, 9), range(11)):
        pairs = sum(v * step < cut <= v * step + shift <= extent - 1 for v in range(extent + 1))
        assert crossing.separated_pairs(step, extent, shift, cut) == pairs
    assert crossing.farthest_reaching(1, 8, (7, 3, 5, 4), 4) == (4, 4)
    assert crossing.farthest_reaching(2, 9, (3, 2, 0), 4) == (1, 2)


def test_the_published_bound_by_its_formula():
    seen = 0
    for net, name, axis, _ in cases(2, 100):
        extent = net.size[axis]
        for t_min in ("stride", "one"):
            expected = []
            for layer in range(1, net.depth + 1):
                lows = [s[axis] if t_min == "stride" else 1 for s in net.strides[:layer]]
                fields = [1 + sum((t - 1) * step_of(net, k, axis) for k, t in enumerate(ts))
                          for ts in product(*(range(low, r[axis] + 1)
                                              for low, r in zip(lows, net.windows)))]
                field = min((f for f in fields if f > extent // 2), default=None)
                assert net.alpha_minimal(layer, extent // 2, t_min, axis) == field
                if field is None:
                    continue
                columns = max(0, (extent - field) // step_of(net, layer, axis) + 1)
                halves = [width // 2 for width in net.widths[1:layer]]
                base = max(1, min([net.channels, net.widths[layer], *halves]))
                assert published_base(net, layer) == base
                expected.append((base, columns * sampled_rows(net, layer, axis), layer, field - 1))
            asked = [] if extent % 2 else [e for e in expected if e[2] in admissible(net)]
            assert [facts(b) for b in net.overlap_bounds(name, t_min)] == asked
            largest = max((base**exponent for base, exponent, *_ in asked), default=1)
            assert net.overlap_bound(name, t_min) == largest
            if t_min == "stride":
                assert net.overlap_bounds(name) == net.overlap_bounds(name, t_min)
                assert facts(net.overlap_bound(name)) == facts(net.overlap_bound(name, t_min))
                quoted = quoted_overlap_bound(net, name)
                assert quoted == max((b**e for b, e, *_ in expected), default=1)
                assert quoted.silent == (not expected)
                assert net.quoted_overlap_bound(name) == quoted
            seen += largest > 1
    assert seen > 20


def test_methods_of_a_network_have_the_defaults_of_the_functions():
    """The last axis, the cut in the middle, biases everywhere: said once, in two places."""
    seen = 0
    for module in ("receptive", "overlap", "crossing", "private", "upper_bounds"):
        for name, function in vars(importlib.import_module(f"lib.bounds.{module}")).items():
            method = getattr(Architecture, name, None)
            if inspect.isfunction(function) and inspect.isfunction(method):
                defaults = [[p.default for p in inspect.signature(f).parameters.values()]
                            for f in (function, method)]
                assert defaults[0] == defaults[1], name
                seen += 1
    assert seen >= 10
    net = grid(4, 2, (2, 2, 2), (2, 2, 5), (1, 1, 1))
    assert net.non_overlapping_upper_bound() == non_overlapping_upper_bound(net) == 6
    assert non_overlapping_upper_bound(net, last_bias=False) == 5
    assert line(8, 3, (3, 1, 2), (8, 8, 1)).exact_two_layer_rank() == 3**2


def test_private_columns_by_listing_them():
    for start, field, step, extent, cut in product(range(0, 7, 2), range(1, 9), range(1, 5),
                                                   (3, 5, 8), range(1, 8)):
        if cut >= extent:
            continue
        seen = range(start, start + field)
        before = [c for c in seen if c < cut and c < start + step]         # not of the next window
        after = [c for c in seen if cut <= c < extent and c >= start - step + field]
        assert private_columns(start, field, step, extent, cut) == (len(before), len(after))


def connected(net, layer, axis):
    """Extents of fields without holes, over all smaller windows."""
    found = set()
    for ts in product(*(range(1, r[axis] + 1) for r in net.windows[:layer])):
        seen = {0}
        for k, t in enumerate(ts):
            seen = {s + a * step_of(net, k, axis) for s in seen for a in range(t)}
        if len(seen) == max(seen) + 1:
            found.add(len(seen))
    return found


def private_factors(net, layer, axis, cut, field, top, strips):
    found = Counter()
    for rows, times in strips:
        for start in range(0, cut, step_of(net, layer, axis)):
            before, after = private_columns(start, field, step_of(net, layer, axis),
                                            net.size[axis], cut)
            found[min(top, net.channels ** (rows * min(before, after)))] += times
    return {base: times for base, times in found.items() if base > 1}


def test_private_pixels_by_listing_windows():
    seen = Counter()
    for net, name, axis, cut in cases(3, 100):
        found = private_pixel_bounds(net, name, cut)
        assert [b.layer for b in found] == admissible(net)
        for bound in found:
            layer, strips = bound.layer, [(1, 1)]
            fields = sorted(connected(net, layer, axis))
            assert list(connected_fields(net, layer, axis)) == fields
            if len(net.size) == 2:
                other, step = 1 - axis, step_of(net, layer, 1 - axis)
                tall = max(f for f in connected(net, layer, other) if f <= step)
                rows = Counter(min(tall, net.size[other] - start)
                               for start in range(0, net.size[other], step))
                strips = sorted(rows.items(), reverse=True)
                counted = Counter()
                for number, times in row_strips(net, layer, axis):
                    counted[number] += times
                assert counted == rows and row_strips(net, layer, axis - 2) == row_strips(
                    net, layer, axis)
            top = min(width + 1 for width in net.widths[1:layer + 1])
            values = []
            for field in fields:
                factors = private_factors(net, layer, axis, cut, field, top, strips)
                listed = window_factors(net, layer, axis, cut, field, row_strips(net, layer, axis),
                                        top)
                assert dict(listed) == factors and list(listed) == sorted(listed, reverse=True)
                value = 1
                for base, times in factors.items():
                    value *= base**times
                values.append((value, -field, listed))
            value, field, listed = max(values)
            assert (bound, bound.shift, bound.powers) == (value, -field - 1, listed or ((1, 0),))
            seen[len(listed)] += 1
        whole = private_pixel_bound(net, name, cut)
        assert whole == max([b.value for b in found], default=1)
        assert str(whole) == str(best(found)) and facts(whole) == facts(best(found))
    assert seen[0] and seen[1] and seen[2] > 5


def test_averages_by_listing_what_every_cell_sees():
    seen = 0
    for net, name, axis, cut in cases(4, 80, closed=0):
        pixels = []                                  # of every axis, for every last cell
        for other in range(len(net.size)):
            step, offsets = step_of(net, net.depth, other), offsets_of(net, net.depth, other)
            pixels.append([[s + o for o in offsets if s + o < net.size[other]]
                           for s in range(0, net.size[other], step)])
        total = 2
        for fields in product(*pixels):
            across = [1] if len(fields) == 1 else fields[1 - axis]
            before = sum(p < cut for p in fields[axis]) * len(across)
            after = len(fields[axis]) * len(across) - before
            if before and after:
                total += net.channels ** min(before, after) - 1
        assert linear_readout_upper_bound(net, name, cut) == total
        seen += total > 2
    assert seen > 40


def test_the_largest_rank_without_overlaps_by_listing_cells():
    """The first map of a single cell, unless a cell that it multiplies sees both sides."""
    seen = Counter()
    for net, name, axis, cut in cases(5, 250):
        single = [k for k in range(net.depth + 1) if set(net.output_sizes[k]) == {1}]
        expected = None
        if single:
            below = single[0] - 1
            fields = [[s + o for o in offsets_of(net, below, axis) if s + o < net.size[axis]]
                      for s in range(0, net.size[axis], step_of(net, below, axis))]
            if not any(min(f) < cut <= max(f) for f in fields):
                expected = 1 if single[0] == net.depth else net.widths[single[0]]
        for bias in (True, False):
            found = non_overlapping_upper_bound(net, name, cut, bias)
            if expected is None:
                assert found is None
                seen["none"] += 1
                continue
            inner = single[0] < net.depth
            assert found == expected + (bias and inner) and found.layer == single[0]
            seen[inner] += 1
    assert seen[True] > 3 and seen[False] > 20 and seen["none"] > 100
    deep = grid(6, 2, (3, 3, 2), (2, 2, 4), (1, 1, 3), (1, 1, 2))
    assert facts(deep.non_overlapping_upper_bound()) == (5, 1, 2, None)
    assert facts(grid(4, 2, (4, 4, 3)).non_overlapping_upper_bound()) == (1, 1, 1, None)


@pytest.mark.parametrize("cut, expected", [(2, (2, 2, 1, 2)), (4, (2, 3, 1, 3)), (5, (2, 3, 1, 3)),
                                           (7, (3, 1, 1, 1))])
def test_the_exact_rank_says_where_it_comes_from(cut, expected):
    """One column of windows less than the window reaches over a cut, or what there is of them."""
    assert facts(line(8, 3, (4, 1, 1), (8, 8, 1)).exact_two_layer_rank(cut=cut)) == expected
    tall = Architecture((3, 8), 3, (((2, 4), 1, 1), ((3, 8), (3, 8), 1)))
    assert facts(tall.exact_two_layer_rank(cut=cut)) == (
        expected[0], 3 * expected[1], *expected[2:])
    assert facts(tall.exact_two_layer_rank("top-bottom")) == (2, 8, 1, 1)
    strided = line(8, 3, (4, 2, 7), (4, 4, 1)).exact_two_layer_rank()
    assert facts(strided) == (8, 1, 1, 3) and strided.powers == ((8, 1),)
    apart = line(4, 3, (1, 1, 2), (4, 4, 1)).exact_two_layer_rank()
    assert facts(apart) == (3, 0, 1, 0)


def test_hypotheses_in_words():
    net = Architecture((6, 8), 2, (((2, 3), (2, 1), 2), ((1, 2), (1, 3), 3), ((2, 1), (3, 1), 2)))
    third = "layer 3 has window (2, 1) smaller than its stride (3, 1)"
    output = "the output has size (1, 3), not a single cell"
    assert missing_hypotheses(net, 1) == [
        output, "layer 2 has window (1, 2) smaller than its stride (1, 3)", third]
    assert missing_hypotheses(net, 2) == [output, third]
    assert missing_hypotheses(net, 3) == ["layer 3 is not followed by another layer", output]


def test_more_than_256_cells_and_layers():
    """Up to 256 Python keeps one object for a number, so that `is` would do for `==`."""
    deep = line(2, 2, *[(1, 1, 1)] * 299, (2, 2, 1))
    assert missing_hypotheses(deep, 300) == ["layer 300 is not followed by another layer"]
    assert deep.non_overlapping_upper_bound().layer == 300
    assert deep.non_overlapping_upper_bound() == 1 and deep.total_stride(300) == 2
    wide = line(600, 2, (3, 1, 500), (600, 600, 1))
    assert facts(wide.crossing_bound()) == (2, 2, 1, 2) and wide.overlap_bound().silent
    assert wide.exact_two_layer_rank() == 4 and linear_readout_upper_bound(
        line(600, 2, (600, 600, 1))) == 1 + 2**300
    assert split_modes(range(300), 600) == split_modes("left-right", 600)
    assert connected_fields(line(600, 2, (300, 300, 2), (2, 1, 2)), 2) == tuple(
        [*range(1, 301), 600])
    assert shifts.digits_of((1, 300), (299, 9), 2999) == (299, 9)
    assert shifts.digits_of((1, 300), (298, 9), 2999) is None
    assert Bound(300, 1) == int("300") and Bound(300, 1) == Bound(300, 1)


def test_chains_of_units_by_trying_all_digits():
    rng, refused = np.random.default_rng(6), 0
    for _ in range(120):
        units = [int(rng.integers(1, 3))]
        for _ in range(rng.integers(0, 3)):
            units.append(units[-1] * int(rng.integers(1, 4)))
        highs = [int(h) for h in rng.integers(0, 4, len(units))]
        lows = [int(h) for h in rng.integers(0, 3, len(units))]
        everything = {sum(u * a for u, a in zip(units, digits)): digits
                      for digits in product(*(range(h + 1) for h in highs))}
        inside = [sum(u * a for u, a in zip(units, digits)) for digits in product(
            *(range(low, h + 1) for low, h in zip(lows, highs)))]
        for limit in range(-1, 14):
            below = max((s for s in everything if s <= limit), default=None)
            found = shifts.largest_at_most(units, highs, limit)
            assert below is None if found is None else (
                sum(u * a for u, a in zip(units, found)) == below
                and all(0 <= a <= h for a, h in zip(found, highs)))
            above = min((s for s in inside if s >= limit), default=None)
            found = shifts.smallest_at_least(units, lows, highs, limit)
            refused += found is None
            assert above is None if found is None else (
                sum(u * a for u, a in zip(units, found)) == above
                and all(low <= a <= h for low, a, h in zip(lows, found, highs)))
            if limit >= 0:
                assert shifts.reachable_sums(units, highs, limit) == tuple(
                    sorted(s for s in everything if s <= limit))
            found = shifts.digits_of(units, highs, limit)
            assert (found is None) == (limit not in everything)
            assert found is None or sum(u * a for u, a in zip(units, found)) == limit
    assert refused > 100
    assert shifts.reachable_sums((1, 2), (1, 1), 0) == (0,)
    assert shifts.largest_at_most((), (), 0) == () and shifts.reachable_sums((), (), 2) == (0,)


def test_bounds_as_numbers():
    several = Bound.product([(3, 1), (65, 2)], layer=1, shift=4)
    assert facts(several) == (65, 2, 1, 4) and several.powers == ((65, 2), (3, 1))
    assert several.log10 == pytest.approx(log10(65**2 * 3)) and not several.silent
    assert int(several) == several.value == 65**2 * 3 and hash(several) == hash(12675)
    assert Bound(7, 3).log10 == pytest.approx(log10(343))
    nothing = Bound.product([])
    assert (str(nothing), nothing.value, nothing.powers) == ("1^0", 1, ((1, 0),))
    assert nothing.silent and facts(nothing)[2:] == (None, None)
    assert repr(best([])) == "Bound(base=1, exponent=0, layer=None, shift=None, powers=())"
    first, second = Bound(2, 2, layer=1), Bound(4, 1, layer=2)
    assert best([first, second]) is first and best([second, first]) is second
    assert Bound(0, 0).value == 1 and Bound(0, 2).value == 0       # both ends are taken
    assert Bound(5, 1) <= 5 and Bound(5, 1) >= Bound(5, 1) and not Bound(5, 1) < Bound(5, 1)


@pytest.mark.parametrize("name, is_row", [
    ("even-odd", lambda i, j, h, w: (i * w + j) % 2 == 0),
    ("left-right", lambda i, j, h, w: j < w // 2), ("top-bottom", lambda i, j, h, w: i < h // 2),
    ("checkerboard", lambda i, j, h, w: (i + j) % 2 == 0)])
def test_partitions_by_name(name, is_row):
    for height, width in product(range(6), range(6)):
        rows = tuple(i * width + j for i, j in product(range(height), range(width))
                     if is_row(i, j, height, width))
        columns = tuple(m for m in range(height * width) if m not in rows)
        assert split_modes(name, (height, width)) == (rows, columns)
        assert split_modes(np.array([name])[0], (height, width)) == (rows, columns)
        if name in ("even-odd", "left-right"):
            assert split_modes(name, width) == split_modes(name, (width,)) == split_modes(
                name, (1, width))
