"""Constructions where other tests do not look: their parts by definition, defaults, limits."""

import dataclasses
from collections import Counter
from itertools import combinations, product
from math import ceil, comb, isqrt, prod

import pytest
import torch

from lib import (
    Architecture,
    Modular,
    Real,
    certify_weights,
    correspondence,
    fit,
    forward,
    matching_construction,
    overlap_construction,
    simulate,
    two_layer_construction,
)
from lib.constructions.pieces import (
    idle_layer,
    multiply_cells,
    multiply_tiles,
    overhangs,
    product_layers,
    require_network,
    write,
)
from lib.constructions.rectifiers import (
    certify_rectifier,
    rectifier_construction,
    rectifier_outputs,
)
from lib.constructions.two_layers import root_prime
from lib.tests.draws import seeded
from lib.tests.networks import line

FIELD, REAL = Modular(), Real()
OBLONG = Architecture((5, 7), 3, (((2, 3), (1, 2), 4), ((2, 4), (2, 3), 3), ((3, 2), (3, 2), 2)))
F = FIELD.tensor([[1, 2, 0], [0, 1, 4], [2, 0, 3]])


def drawn(net, count, seed=0):
    return torch.randint(net.channels, (count, prod(net.size)), generator=seeded(seed))


# Pieces

def test_a_fitted_map_has_the_values_asked_for():
    targets = FIELD.random((5, 3), seeded())
    for padding in (0, 1, 7, torch.tensor(4.0).double()):
        weight = fit(F, targets, padding, FIELD)
        assert weight.shape == (5, 3)
        values = FIELD.add(FIELD.matmul(weight, F.T), padding)      # of map k on template d
        assert torch.equal(values, targets)
    half = fit(torch.diag(torch.tensor([2.0, 4.0])).double(), torch.tensor([[3.0, 5.0]]).double(),
               0.5, REAL)
    assert half.tolist() == [[1.25, 1.125]]
    wide = torch.eye(300).double()
    assert torch.equal(fit(wide, wide, 0, REAL), wide)
    require_network("f", Architecture((2,), 300, ((2, 2, 1),)), wide, REAL)
    require_network("f", line(2, 2, (2, 2, 1)), torch.eye(2), FIELD, torch.tensor(3))


def test_idle_layers_are_one_everywhere():
    for layer, shared in product((1, 2, 3), (True, False)):
        weight, bias = idle_layer(OBLONG, layer, shared)
        assert (weight.shape, bias.shape) == OBLONG.weight_shapes(shared)[layer - 1]
        assert not weight.any() and bool((bias == 1).all()) and weight.dtype == bias.dtype
    assert idle_layer(OBLONG, 2)[0].shape == (3, 4, 2, 4)
    weight, bias = idle_layer(OBLONG, 1)
    write(weight, bias, slice(1, 3), (1, 2), torch.ones(2, 3), 5)
    assert weight.sum() == 6 and bool((weight[1:3, :, 1, 2] == 1).all())
    assert bias.sum() == 4 * 6 - 2 + 10 and bool((bias[1:3, 1, 2] == 5).all())


def test_windows_that_reach_into_padding_by_listing_them():
    for sizes, strides in product(product((4, 5), (6, 7)), product((1, 2, 3), (2, 3))):
        net = Architecture(sizes, 2, ((strides, strides, 2),))
        maps = [ceil(n / s) for n, s in zip(sizes, strides, strict=True)]
        assert net.output_sizes[1] == tuple(maps)
        for offset in product(*map(range, strides)):
            beyond = [cell for cell in product(*map(range, maps)) if any(
                c * s + o >= n for c, s, o, n in zip(cell, strides, offset, sizes, strict=True))]
            assert overhangs(net, 1, offset) == bool(beyond)
    assert overhangs(OBLONG, 2, (1, 2)) and not overhangs(OBLONG, 2, (0, 0))


def plain_tiles(net, layer, cells, scale):
    """Products over windows as large as the stride, one cell after the other."""
    strides, below = net.strides[layer - 1], net.output_sizes[layer - 1]
    result = torch.ones(len(cells), *net.output_sizes[layer], dtype=torch.float64)
    for cell in product(*map(range, net.output_sizes[layer])):
        for offset in product(*map(range, strides)):
            place = [c * s + o for c, s, o in zip(cell, strides, offset, strict=True)]
            if all(p < n for p, n in zip(place, below, strict=True)):
                value = cells[(slice(None), *place)]
                if scale is not None and overhangs(net, layer, offset):
                    value = value * scale + 1
                result[(slice(None), *cell)] *= value
    return result


def test_products_over_tiles_and_the_layers_that_compute_them():
    """Sizes, windows and strides that differ along the axes; some windows overhang."""
    for after in (1, 2):
        cells = torch.randint(1, 4, (3, *OBLONG.output_sizes[after]), generator=seeded()).double()
        whole = cells
        for layer in range(after + 1, OBLONG.depth + 1):
            for scale in (None, 2, 3):
                found = multiply_tiles(OBLONG, layer, whole, REAL, scale)
                assert torch.equal(found, plain_tiles(OBLONG, layer, whole, scale))
            whole = plain_tiles(OBLONG, layer, whole, 3)
        assert torch.equal(multiply_cells(OBLONG, after, cells, 3, REAL), whole.flatten(1)[:, 0])
        layers = product_layers(OBLONG, after, 2, 3)
        assert len(layers) == OBLONG.depth - after
        shares = torch.stack([cells - 5, torch.full_like(cells, 5)], 1)    # two channels to add
        shares = torch.cat([shares, torch.full_like(shares, 99)], 1)[:, :OBLONG.widths[after]]
        part = Architecture(OBLONG.output_sizes[after], OBLONG.widths[after],
                            OBLONG.layers[after:])
        out = forward(part, layers, shares)
        assert torch.equal(out[:, 0].flatten(1)[:, 0], whole.flatten(1)[:, 0])
        assert bool((out[:, 1:] == 1).all())


# Overlaps

def test_the_network_of_the_crossing_bound_along_both_axes():
    for partition, axis in (("left-right", 1), ("top-bottom", 0)):
        built = overlap_construction(OBLONG, F, FIELD, partition)
        bound = OBLONG.crossing_bound(partition)
        assert (built.axis, built.layer, built.shift, built.scale) == (
            axis, bound.layer, bound.shift, 2)
        assert repr(built.rank()) == repr(bound) and bound > 1
        templates = drawn(OBLONG, 30)
        assert torch.equal(built.output(templates), built.predicted_output(templates))
        for layer in (1, 2):
            for shift in OBLONG.reachable_shifts(layer, axis)[1:]:
                other = overlap_construction(OBLONG, F, FIELD, partition, layer, shift, 5)
                assert torch.equal(other.output(templates), other.predicted_output(templates))
                cells = other.output(templates, layer)[:, :other.base - 1]
                assert torch.equal(cells, other.predicted_cells(templates))
                units = [prod(s[axis] for s in OBLONG.strides[:i]) for i in range(layer)]
                sums = [u * d for u, d in zip(units, other.digits, strict=True) if d]
                assert other.distances() == Counter(
                    sum(part) for n in range(len(sums) + 1) for part in combinations(sums, n))
                for cut in range(1, OBLONG.size[axis]):
                    pairs = other.free_pixels(cut)
                    assert pairs == listed_pairs(other, axis, cut)
                    assert len(pairs) == other.rank(cut).exponent
                    assert (other.rank(cut).layer, other.rank(cut).shift) == (layer, shift)
                half = OBLONG.size[axis] // 2
                assert other.free_pixels() == other.free_pixels(half)
                assert repr(other.rank()) == repr(other.rank(half))
            best = {b.layer: b.shift for b in OBLONG.crossing_bounds(partition)}[layer]
            assert overlap_construction(OBLONG, F, FIELD, partition, layer).shift == best


class Counted(int):
    """An integer that counts the sums and products it enters, and makes others that do."""

    operations = 0

    def _count(self, value):
        Counted.operations += 1
        return Counted(value)

    def __radd__(self, other):
        return self._count(other + int(self))

    def __mul__(self, other):
        return self._count(int(self) * other)

    __rmul__ = __mul__

    def __mod__(self, other):
        return Counted(int(self) % other)


def test_every_hop_is_counted_once(monkeypatch):
    """The pixels were listed once for every path: of these twelve layers along 2^12."""
    net = Architecture((16,), 2, (*[(2, 1, 1)] * 12, (16, 16, 1)))
    built = overlap_construction(net, torch.eye(2).double(), FIELD, layer=12, shift=12)
    monkeypatch.setattr(Counted, "operations", 0)
    hops = dataclasses.replace(built, digits=tuple(map(Counted, built.digits)))
    assert hops.distances() == {far: comb(12, far) for far in range(13)}
    assert Counted.operations < 200
    templates = drawn(net, 20)
    assert torch.equal(built.output(templates), built.predicted_output(templates))


def test_windows_are_evaluated_at_the_numbers_that_they_read(monkeypatch):
    """The factor was formed at all numbers below M^R: twice as many for every wider window."""
    net = Architecture((12,), 2, ((10, 1, 1), (12, 12, 1)))
    field = Modular(root_prime(net))
    built = two_layer_construction(net, torch.eye(2).double(), field)
    monkeypatch.setattr(Counted, "operations", 0)
    counted = dataclasses.replace(built, coefficients=tuple(map(Counted, built.coefficients)))
    templates = drawn(net, 3)
    assert torch.equal(built.output(templates), counted.predicted_output(templates))
    assert Counted.operations < 200
    assert built.predicted_output(templates[:0]).shape == (0,)


def listed_pairs(built, axis, cut):
    """First and shifted pixel of every sampled cell, row by row, where the cut separates them."""
    steps = [prod(s[a] for s in OBLONG.strides[:built.layer]) for a in (0, 1)]
    found = []
    for along in range(0, OBLONG.size[1 - axis], steps[1 - axis]):
        for start in range(0, cut, steps[axis]):
            if cut <= start + built.shift < OBLONG.size[axis]:
                cells = [(along, p) if axis else (p, along) for p in (start, start + built.shift)]
                found.append(tuple(i * OBLONG.size[1] + j for i, j in cells))
    return found


def test_the_scale_is_seen_in_padding_alone():
    net = line(5, 2, (2, 1, 2), (2, 2, 2), (3, 3, 1))           # 5, 5, 3, 1 cells: no padding
    other = line(5, 2, (2, 1, 2), (1, 1, 2), (3, 3, 2), (2, 2, 1))
    templates, eye = drawn(net, 20), torch.eye(2).double()
    for used, seen in ((net, False), (other, True)):
        outputs = [overlap_construction(used, eye, FIELD, layer=1, scale=scale).output(templates)
                   for scale in (2, 7, torch.tensor(7.0).double())]
        assert torch.equal(outputs[0], outputs[1]) == (not seen)
        assert torch.equal(outputs[1], outputs[2])
        default = overlap_construction(used, eye, FIELD, layer=1)
        assert default.scale == 2 and torch.equal(default.output(templates), outputs[0])


def test_more_than_256_cells():
    """Up to 256 Python keeps one object for a number, so that `is` would do for `==`."""
    net = line(300, 2, (2, 1, 2), (300, 300, 1))
    built = overlap_construction(net, torch.eye(2).double(), FIELD)
    templates = drawn(net, 3)
    assert torch.equal(built.output(templates), built.predicted_output(templates))
    assert built.free_pixels() == [(149, 150)] and str(built.rank()) == "2^1"
    assert str(two_layer_construction(net, torch.eye(2).double(), Modular(root_prime(net))).rank()
               ) == "2^1"
    wide = line(2, 300, (2, 2, 1))
    numbers = torch.zeros(1, 300, 2)
    numbers[0, 299] = 4
    shown = torch.tensor([[0, 299], [1, 2]])
    assert rectifier_outputs(wide, [(numbers, None)], shown).tolist() == [4, 0]
    large = rectifier_outputs(net, [(torch.ones(2, 2, 2), None), (torch.ones(1, 2, 300), None)],
                              templates)
    assert large.tolist() == [2, 2, 2]


# Matchings

def test_pairs_are_equal_templates_below_the_base():
    net = line(4, 3, (4, 1, 2), (4, 4, 1))                      # three templates, two channels
    built = matching_construction(net, (0, 1), F, FIELD)
    assert (built.base, built.shared, built.scale) == (2, False, 2)
    assert (str(built.rank()), built.rank().layer, built.rank().shift) == ("2^2", 1, None)
    templates = torch.cartesian_prod(*[torch.arange(3)] * 4)
    expected = [float(all(t[p] == t[q] < 2 for p, q in built.pairs)) for t in templates.tolist()]
    assert built.predicted_output(templates).tolist() == expected == built.output(
        templates).tolist()
    assert certify_weights(net, built.weights, (0, 1), representation=F).rank == 4
    # M channels per pair and one for every other location are enough, and no more are read
    exact = matching_construction(line(4, 3, (4, 1, 8), (4, 4, 1)), (0, 1), F, FIELD, True)
    more = matching_construction(line(4, 3, (5, 1, 9), (4, 4, 1)), (0, 1), F, FIELD, True, 7)
    assert (exact.base, exact.shared, exact.scale, more.scale) == (3, True, 2, 7)
    for shared in (exact, more):
        assert torch.equal(shared.output(templates), shared.predicted_output(templates))
        assert str(shared.rank()) == "3^2"


def test_a_matching_on_an_image_that_is_not_square():
    net = Architecture((2, 3), 2, (((2, 3), 1, 9), ((2, 3), (2, 3), 1)))
    eye = torch.eye(2).double()
    templates = torch.cartesian_prod(*[torch.arange(2)] * 6)
    for rows in ((0, 1, 2), (0, 3, 5), (1, 4), (2,)):
        for shared in (False, True):
            built = matching_construction(net, rows, eye, FIELD, shared)
            assert torch.equal(built.output(templates), built.predicted_output(templates))
            assert certify_weights(net, built.weights, rows).rank == 2 ** len(built.pairs)


# Two layers

@pytest.mark.parametrize("channels, window, cells", [(2, 1, 6), (3, 3, 6), (2, 5, 4), (7, 2, 3)])
def test_the_prime_of_a_root_is_the_largest(channels, window, cells):
    """With the order M to the window, or to the whole map if the window is larger."""
    order = channels ** min(window, cells)
    prime = next(p for p in range(2**23 - 1, 1, -1) if p % order == 1
                 and all(p % d for d in range(2, isqrt(p) + 1)))
    assert root_prime(line(cells, channels, (window, 1, 2), (cells, cells, 1))) == prime


def test_the_axis_of_a_root_is_the_one_that_is_cut():
    net = Architecture((3, 4), 2, (((2, 3), 1, 2), ((3, 4), (3, 4), 1)))
    assert root_prime(net) == root_prime(net, "left-right") == root_prime(
        Architecture((3, 4), 2, (((9, 3), 1, 2), ((3, 4), (3, 4), 1))))
    assert (root_prime(net) - 1) % 8 == 0 and (root_prime(net, "top-bottom") - 1) % 4 == 0
    assert root_prime(Architecture((1,), 8388592, ((1, 1, 1),))) == 8388593


def test_two_layers_by_their_sums_of_powers():
    net = Architecture((2, 3), 2, (((1, 2), 1, 3), ((2, 3), (2, 3), 1)))
    field, templates = Modular(13), torch.cartesian_prod(*[torch.arange(2)] * 6)
    for partition, axis, order in (("left-right", 1, 4), ("top-bottom", 0, 2)):
        for scale, bias in ((None, None), (6, True), (2, False)):
            options = {} if scale is None else {"scale": scale, "last_bias": bias}
            built = two_layer_construction(net, torch.eye(2).double(), field, partition, **options)
            powers = [pow(built.root, k, 13) for k in range(1, order + 1)]
            assert powers.index(1) == order - 1 and built.axis == axis
            assert built.coefficients == (1, scale or 3)        # min(M, channels + bias) = 2
            expected = []
            for shown in templates.tolist():
                value = 1
                for i, j in product(range(2), range(3)):
                    number, place = 0, [i, j]
                    for offset in range(built.architecture.windows[0][axis]):
                        place[axis] = (i, j)[axis] + offset
                        if place[axis] < net.size[axis]:
                            number += 2**offset * shown[3 * place[0] + place[1]]
                    value *= sum(c * pow(built.root, power * number, 13)
                                 for power, c in enumerate(built.coefficients))
                expected.append(value % 13)
            assert built.predicted_output(templates).tolist() == expected
            assert built.output(templates).tolist() == expected
            exact = net.exact_two_layer_rank(partition, None, bias is not False)
            assert repr(built.rank()) == repr(exact)


# Rectifiers

def test_maxima_of_numbers_in_a_base():
    for levels, templates in ((1, 5), (2, 3), (3, 2), (2, 1)):
        built = rectifier_construction(levels, templates)
        cells = 2**levels
        assert built.architecture.size == (cells,) and built.architecture.depth == levels
        assert built.architecture.widths[1:] == (2,) * (levels - 1) + (1,)
        assert set(built.architecture.windows) == set(built.architecture.strides) == {(2,)}
        shown = torch.cartesian_prod(*[torch.arange(templates)] * cells).reshape(-1, cells)
        half = cells // 2
        expected = [max(sum(t * templates**k for k, t in enumerate(part))
                        for part in (row[:half], row[half:])) for row in shown.tolist()]
        assert built.predicted_output(shown).tolist() == expected
        assert rectifier_outputs(built.architecture, built.weights, shown).tolist() == expected


def test_rectifiers_are_exact_up_to_their_limit():
    """2^53 - 1 may be reached, 2^53 may not; sums count every cell of a window."""
    net, shown = line(2, 2, (2, 2, 1)), torch.zeros(1, 2).long()
    for pooling, most in (("max", 2**53 - 1), ("sum", 2**52 - 1)):
        one, times = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]]).double(), 1 + (pooling == "sum")
        bias = torch.full((1, 2), 3).double()
        for pair in ((most * one, None), ((most - 3) * one, bias)):
            assert rectifier_outputs(net, [pair], shown, pooling).item() == times * most
        for pair in (((most + 1) * one, None), ((most - 2) * one, bias),
                     (-(most + 1) * one, None), ((most - 2) * one, -bias)):
            with pytest.raises(ValueError, match=r"layer 1 could reach 9\.0e\+15"):
                rectifier_outputs(net, [pair], shown, pooling)
    with pytest.raises(ValueError, match="layer 1 could reach 1.8e"):
        rectifier_outputs(net, [(torch.full((1, 2, 2), 2.0**52), None)], shown, "max",
                          torch.tensor([[2, 0], [0, 1]]))
    tall = Architecture((2, 3), 1, (((2, 3), (2, 3), 1),))
    weight = torch.full((1, 1, 2, 3), 2**53 // 6).double()
    assert rectifier_outputs(tall, [(weight, None)], torch.zeros(1, 6).long(),
                             "sum").item() == 6 * (2**53 // 6)
    with pytest.raises(ValueError, match="could reach"):
        rectifier_outputs(tall, [(weight + 1, None)], torch.zeros(1, 6).long(), "sum")


@pytest.mark.parametrize("shared", [True, False])
def test_rectifier_outputs_by_loops(shared):
    net = Architecture((3, 2), 2, (((2, 1), (1, 1), 2), ((3, 2), (3, 2), 2)))
    weights = [tuple(torch.randint(-3, 4, shape, generator=seeded(k)).float()
                     for k, shape in enumerate(shapes)) for shapes in net.weight_shapes(shared)]
    shown, templates = torch.tensor([[1, -2], [3, 1], [0, 5]]), torch.randint(
        3, (7, 6), generator=seeded(9))
    for pooling, pool in (("max", max), ("sum", sum)):
        expected = []
        for index in templates.tolist():
            cells = {(i, j): shown[index[2 * i + j]].tolist() for i in range(3) for j in range(2)}
            for (weight, bias), window, stride, maps in zip(
                    weights, net.windows, net.strides, net.output_sizes[1:], strict=True):
                after = {}
                for at in product(*map(range, maps)):
                    w, b = (weight, bias) if shared else (weight[at], bias[at])
                    after[at] = [pool(max(0, sum(
                        float(w[(d, c, *o)]) * cells.get((at[0] * stride[0] + o[0],
                                                          at[1] * stride[1] + o[1]), [0, 0])[c]
                        for c in range(2)) + float(b[(d, *o)]))
                        for o in product(*map(range, window))) for d in range(w.shape[0])]
                cells = after
            expected.append(cells[0, 0][0])
        assert rectifier_outputs(net, weights, templates, pooling, shown).tolist() == expected
        assert len(set(expected)) > 2


def test_rectifier_certificates_take_any_partition_and_prime():
    net = line(3, 2, (3, 3, 1))
    weights = [(torch.tensor([[[1.0, 2.0, 4.0], [3.0, 0.0, 7.0]]]), None)]
    for pooling, rows in product(("max", "sum"), ([0], [2, 0], "left-right", [])):
        found = certify_rectifier(net, weights, rows, pooling, prime=101)
        values = rectifier_outputs(net, weights, torch.cartesian_prod(*[torch.arange(2)] * 3),
                                   pooling).reshape(2, 2, 2)
        chosen = [0] if rows == "left-right" else sorted(rows)
        order = chosen + [k for k in range(3) if k not in chosen]
        matrix = values.permute(order).reshape(2 ** len(chosen), -1)
        assert found.rank == torch.linalg.matrix_rank(matrix).item()
        assert (found.shape, found.prime, found.sampled) == (tuple(matrix.shape), 101, False)
    shown = torch.tensor([[1, 0], [2, 0]])
    assert certify_rectifier(net, weights, [0], "sum", shown).shape == (2, 4)
    assert certify_rectifier(net, weights, [0]).rank == certify_rectifier(
        net, weights, [0], "max", torch.eye(2)).rank
    seven = [(torch.tensor([[[0.0, 0.0], [7.0, 7.0]]]), None)]
    pair = line(2, 2, (2, 2, 1))
    assert [certify_rectifier(pair, seven, [0], prime=p).rank for p in (7, 5)] == [0, 2]


# Simulations

def test_a_simulation_keeps_the_type_of_the_weights():
    """Also in layers that are left out, which pass on what they read."""
    larger = Architecture((4, 6), 2, (((3, 2), 1, 2), ((3, 3), (2, 3), 3), ((2, 1), 1, 4),
                                      ((4, 2), (2, 2), 1)))
    smaller = Architecture((4, 6), 2, (((2, 3), (2, 3), 3), ((2, 2), (2, 2), 1)))
    assert correspondence(larger, smaller) == (2, 4)
    weights = [(w.float(), b.float()) for w, b in smaller.random_weights(REAL, seeded())]
    x = torch.randn(5, 2, 4, 6, generator=seeded(1))
    found = simulate(larger, smaller, weights)
    assert {part.dtype for pair in found for part in pair} == {torch.float32}
    assert torch.allclose(forward(larger, found, x), forward(smaller, weights, x), atol=1e-4)
    bare = [(w, None) for w, _ in weights]
    assert torch.allclose(forward(larger, simulate(larger, smaller, bare), x),
                          forward(smaller, bare, x), atol=1e-4)


def test_which_layers_play_which():
    """The first layers that fit; what is left out must be wide enough for what passes."""
    net = line(8, 2, (2, 2, 3), (2, 1, 3), (2, 1, 2), (4, 4, 1))
    small = line(8, 2, (2, 2, 2), (4, 4, 1))
    assert correspondence(net, net) == (1, 2, 3, 4) and correspondence(net, small) == (1, 4)
    assert correspondence(net, line(8, 2, (2, 2, 3), (2, 1, 2), (4, 4, 1))) == (1, 2, 4)
    with pytest.raises(ValueError, match="no way to match"):
        correspondence(net, line(8, 2, (2, 2, 3), (4, 4, 1)))       # 3 channels through 2
    assert correspondence(line(4, 2, (1, 1, 2), (1, 1, 2)), line(4, 2, (1, 1, 2))) == (1,)


def test_a_matrix_that_fills_the_memory_is_not_evaluated():
    net = Architecture((8,), 10, ((8, 8, 1),))
    weights = [(torch.ones(1, 10, 8).double(), None)]
    with pytest.raises(ValueError, match="a matrix of 100000000 entries; at most 67108864 are"):
        certify_rectifier(net, weights, [0, 1, 2, 3])


def test_weights_that_belong_to_a_proof_are_not_exchanged():
    built = rectifier_construction(2, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        built.weights = []
