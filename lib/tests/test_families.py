"""Proposition 2, VGG-like blocks and the GoogLeNet stack against the general bounds."""

from fractions import Fraction

import pytest

from lib import Architecture
from lib.networks.families import (
    block_network,
    googlenet_stack,
    proposition_2_bound,
    proposition_2_exponent,
    proposition_2_layer,
    stacked_blocks,
)

CASES = [(window, 2**power) for window in range(2, 12) for power in range(1, 11)]


def test_proposition_2_for_a_hundred_networks():
    for window, size in CASES:
        net = block_network(window, size, channels=16, width=32)
        layer = proposition_2_layer(window, size)
        assert net.alpha_minimal(layer, size // 2) == size // 2 + 1
        found = {bound.layer: bound for bound in net.overlap_bounds()}
        assert found[layer] == proposition_2_bound(window, size, 16)
        assert net.overlap_bound().value == found[layer].value
        assert min(found) >= layer - 1          # at most the pooling before it sees enough too
        assert found[layer].exponent >= proposition_2_exponent(window, size)


def test_receptive_fields_of_blocks_in_closed_form():
    for window, size in CASES[::7]:
        net = block_network(window, size, 2, 4)
        for block in range(1, net.depth // 2 + 1):
            convolution, pooling = 2 * block - 1, 2 * block
            fields = [net.total_receptive_field(k) for k in (convolution, pooling)]
            assert fields == [(2 * window - 1) * 2 ** (block - 1) - window + 1,
                              window * 2**block - window + 1]
            assert net.total_stride(convolution) == 2 ** (block - 1)
            assert net.total_stride(pooling) == 2**block


@pytest.mark.parametrize("window, size, stride, exponent, formula, area_law", [
    (2, 8, 2, 8, 2.88, 8), (3, 32, 4, 32, 9.88, 64), (5, 16, 2, 32, 18, 64),
    (5, 32, 4, 32, 25.92, 128), (5, 256, 16, 128, 38.1, 1024), (7, 32, 2, 128, 44.7, 192)])
def test_proposition_2_against_the_area_law(window, size, stride, exponent, formula, area_law):
    net = block_network(window, size, channels=8, width=16)
    assert net.total_stride(proposition_2_layer(window, size)) == stride
    assert proposition_2_bound(window, size, 8).exponent == exponent
    assert float(proposition_2_exponent(window, size)) == pytest.approx(formula, rel=0.003)
    assert net.crossing_bounds()[0].exponent == size * min(window - 1, size // 2) == area_law


def test_where_the_quarter_exponent_of_the_lecture_slides_follows():
    """(2B - 1)^2 / 4 is below Proposition 2's exponent exactly if H >= (2B - 2) / (sqrt 2 - 1)."""
    for window in range(2, 12):
        for size in range(2, 200):
            follows = proposition_2_exponent(window, size) >= Fraction((2 * window - 1) ** 2, 4)
            # H (sqrt 2 - 1) >= 2B - 2, squared to stay in integers
            assert follows == (2 * size**2 >= (size + 2 * window - 2) ** 2)
    assert 20 * (2**0.5 - 1) >= 8 > 19 * (2**0.5 - 1)                # B = 5 needs H >= 20
    assert (2 * 5 - 1) ** 2 // 4 == 20


def test_stacked_small_windows_act_as_one_larger():
    for convolutions, window, size in [(1, 3, 16), (2, 3, 16), (3, 3, 32), (2, 5, 32), (4, 2, 8)]:
        stacked = stacked_blocks(convolutions, window, size, channels=8, width=32)
        single = block_network(convolutions * (window - 1) + 1, size, 8, width=32)
        layers = stacked.depth // (convolutions + 1)
        for block in range(1, layers + 1):
            ends = block * (convolutions + 1), 2 * block
            for back in (0, 1):                        # the pooling, the last convolution
                pair = stacked, single
                fields = [net.total_receptive_field(k - back)
                          for net, k in zip(pair, ends, strict=True)]
                minimal = [net.alpha_minimal(k - back, size // 2)
                           for net, k in zip(pair, ends, strict=True)]
                assert fields[0] == fields[1] and minimal[0] == minimal[1]
        assert stacked.overlap_bound().value == single.overlap_bound().value


def test_without_overlaps_blocks_have_rank_one_or_a_width():
    assert not block_network(1, 8, 2, 4).is_overlapping
    assert int(block_network(1, 8, 2, 4).non_overlapping_upper_bound()) == 1
    assert block_network(2, 8, 2, 4).non_overlapping_upper_bound() is None


def test_googlenet():
    from_first, pixels = googlenet_stack(), googlenet_stack("pixels")
    layer = 8                                                       # module 4a
    assert from_first.total_stride(layer) == 8
    assert from_first.total_receptive_field(layer) == 83
    assert from_first.alpha_minimal(layer, 56) == 57
    assert pixels.total_stride(9) == 16 and pixels.total_receptive_field(9) == 171
    assert pixels.alpha_minimal(9, 112) == 113
    assert str(from_first.overlap_bound()) == str(pixels.overlap_bound()) == "32^98"
    stronger = {b.layer: str(b) for b in from_first.crossing_bounds()}
    assert (stronger[3], stronger[6], stronger[8]) == ("64^168", "64^280", "64^98")
    stronger = {b.layer: str(b) for b in pixels.crossing_bounds()}
    assert (stronger[1], stronger[4], stronger[7]) == ("32^336", "32^224", "32^308")   # M = 32
    narrow = googlenet_stack(window=3)
    assert narrow.overlap_bound().layer == 9                        # 4b: 3 x 3 branches suffice
    assert narrow.total_receptive_field(9) * 2 > 112 and str(narrow.overlap_bound()) == "32^98"
    assert pixels.output_sizes[-1] == (1, 1) and isinstance(pixels, Architecture)


def test_errors_name_the_size():
    for size in (12, 1, 0, 8.0):
        with pytest.raises(ValueError, match="power of two"):
            block_network(3, size, 2, 4)
    with pytest.raises(ValueError, match="2 widths"):
        block_network(3, 8, 2, (4, 4))
    with pytest.raises(ValueError, match="B=1 has no overlaps"):
        proposition_2_bound(1, 8, 2)
    with pytest.raises(ValueError, match="start='conv2'"):
        googlenet_stack("conv2")


def test_a_bound_needs_channels():
    with pytest.raises(ValueError, match="channels M=-2"):
        proposition_2_bound(3, 8, -2)
