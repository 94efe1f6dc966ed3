"""The receptive-field algebra against sets of pixels and exhaustive search."""

import gc
import sys
from fractions import Fraction
from itertools import product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.bounds import shifts
from lib.networks.architecture import Architecture, Layer

small = st.integers(1, 4)
layers = st.lists(st.builds(Layer, small, small, small), min_size=1, max_size=4)
flat = st.builds(lambda n, stack: Architecture((n,), 2, stack), st.integers(1, 20), layers)
boxes = st.lists(st.builds(Layer, st.tuples(small, small), st.tuples(small, small), small),
                 min_size=1, max_size=3)
rectangles = st.builds(Architecture, st.tuples(st.integers(1, 9), st.integers(1, 9)),
                       st.just(2), boxes)


def pixels_seen(net, layer, axis):
    """Pixels that cell 0 sees on an endless grid, by projecting its windows back."""
    cells = {0}
    for k in reversed(range(layer)):
        window, stride = net.windows[k][axis], net.strides[k][axis]
        cells = {cell * stride + offset for cell in cells for offset in range(window)}
    return cells


@given(rectangles)
def test_fields_are_what_windows_project_back_to(net):
    for layer, axis in product(range(net.depth + 1), (0, 1)):
        seen = pixels_seen(net, layer, axis)
        assert net.total_receptive_field(layer, axis) == max(seen) + 1
        assert net.reachable_shifts(layer, axis) == tuple(
            sorted(s for s in seen if s < net.size[axis]))


@given(flat)
def test_both_forms_of_the_receptive_field_agree(net):
    windows, strides = [r for r, in net.windows], [s for s, in net.strides]
    for layer in range(1, net.depth + 1):
        paper = windows[layer - 1] * prod(strides[:layer - 1]) + sum(
            (windows[k] - strides[k]) * prod(strides[:k]) for k in range(layer - 1))
        assert net.total_receptive_field(layer) == paper
        assert net.overlap_degree(layer) == Fraction(paper, prod(strides[:layer]))


@settings(max_examples=60)
@given(flat, st.sampled_from(["stride", "one"]))
def test_alpha_minimal_against_all_choices_of_windows(net, t_min):
    for layer in range(net.depth + 1):
        lows = [s if t_min == "stride" else 1 for s, in net.strides[:layer]]
        highs = [r for r, in net.windows[:layer]]
        choices = [1 + sum((t - 1) * net.total_stride(i) for i, t in enumerate(ts))
                   for ts in product(*(range(a, b + 1) for a, b in zip(lows, highs, strict=True)))]
        for alpha in range(30):
            expected = min((field for field in choices if field > alpha), default=None)
            assert net.alpha_minimal(layer, alpha, t_min) == expected
            assert net.alpha_minimal(layer, alpha + 0.5, t_min) == expected
            exact = shifts.digits_of(*net.digits(layer), alpha)
            assert (exact is not None) == (alpha in pixels_seen(net, layer, 0))


@given(flat)
def test_alpha_minimal_lies_between_its_two_readings(net):
    for layer, alpha in product(range(1, net.depth + 1), range(20)):
        strict, relaxed = net.alpha_minimal(layer, alpha), net.alpha_minimal(layer, alpha, "one")
        assert (relaxed is None) == (net.total_receptive_field(layer) <= alpha)
        assert strict is None or alpha < relaxed <= strict <= net.total_receptive_field(layer)


def lines_run(function, *arguments):
    """The result of a call, and how many lines of Python it ran: work that no clock measures."""
    count, before, collecting = 0, sys.gettrace(), gc.isenabled()

    def trace(frame, event, _):
        nonlocal count
        count += event == "line"
        return trace

    gc.disable()  # what other tests left may be finalized in between, by lines that would count
    sys.settrace(trace)
    try:
        return function(*arguments), count
    finally:
        sys.settrace(before)
        if collecting:
            gc.enable()


@pytest.mark.parametrize("t_min", ["stride", "one"])
def test_the_work_grows_with_the_layers_not_with_their_windows(t_min):
    work = {}
    for depth, largest in product((25, 50), (200, 20_000)):
        stack = [Layer(largest + k, 1 + (k % 9 == 0), 8) for k in range(depth)]
        net = Architecture(10**6, 4, stack)
        field, work[depth, largest] = lines_run(net.alpha_minimal, depth, 10**4 + depth, t_min)
        assert t_min == "stride" or field == 10**4 + depth + 1
    assert work[50, 200] == work[50, 20_000] < 3 * work[25, 200] < 9000


@given(rectangles)
def test_output_sizes_and_strides(net):
    for layer, sizes in enumerate(net.output_sizes):
        for axis in (0, 1):
            assert sizes[axis] == -(-net.size[axis] // net.total_stride(layer, axis))
    assert net.is_overlapping == any(
        net.total_receptive_field(layer, a) - net.total_receptive_field(layer - 1, a)
        >= net.total_stride(layer, a) for layer in range(1, net.depth + 1) for a in (0, 1))


def test_sizes_are_stored_as_tuples():
    layer = Layer(3, 1, 2)
    assert Architecture(4, 2, [layer]) == Architecture((4, 4), 2, (layer,))
    assert Architecture(4, 2, [layer], ndim=1) == Architecture((4,), 2, (layer,))
    assert Architecture((4, 6), 2, [layer]).output_sizes == ((4, 6), (4, 6))
    assert len({Architecture(4, 2, [layer]), Architecture((4, 4), 2, [layer])}) == 1


@pytest.mark.parametrize("make, error, message", [
    (lambda: Layer(0, 1, 1), ValueError, "window must be a positive integer, got 0"),
    (lambda: Layer(2, -1, 1), ValueError, "stride must be a positive integer"),
    (lambda: Layer(2, 1.0, 1), TypeError, "stride must be an integer, got 1.0"),
    (lambda: Layer(True, 1, 1), ValueError, "window"),
    (lambda: Architecture(4, 2, ()), TypeError, "one Layer or more"),
    (lambda: Architecture(4, 2, ((3, 1),)), TypeError, r"got \(3, 1\)"),
    (lambda: Architecture(4, 2, ((3, 1, 0),)), ValueError, "channels must be a positive integer"),
    (lambda: Architecture(4, 2, ((1, 1, 1),)).total_stride(1.0), ValueError, "layer 1.0"),
    (lambda: Architecture(4, 2, ((1, 1, 1),)).total_stride(1, True), ValueError, "axis True"),
    (lambda: Architecture(4, 2, ((2, 1, 1), (4, 4, 1))).crossing_bound(cut=2.0), ValueError,
     "cut=2.0"),
    (lambda: Architecture((4, 4, 4), 2, (Layer(1, 1, 1),)), ValueError, "one or two axes"),
    (lambda: Architecture((4, 4), 2, (Layer(1, 1, 1),), ndim=1), ValueError, "one or two axes"),
    (lambda: Architecture((4,), 2, (Layer((1, 2), 1, 1),)), ValueError, "layer 1 has window"),
    (lambda: Architecture(4, 2, (Layer(1, 1, 1),)).total_stride(2), ValueError, "layer 2"),
    (lambda: Architecture(4, 2, (Layer(1, 1, 1),)).total_stride(1, 2), ValueError, "axis 2"),
    (lambda: Architecture(4, 2, (Layer(1, 1, 1),)).alpha_minimal(1, 2, "two"), ValueError,
     "t_min='two'"),
])
def test_errors_name_the_offending_value(make, error, message):
    with pytest.raises(error, match=message):
        make()
