"""Small things about networks that larger tests pass over: draws, ends of ranges, defaults.

Sizes differ along the axes, and some lie above 256, where equal numbers are different objects.
"""

import itertools
import math

import numpy as np
import pytest
import torch

from lib import (
    Architecture,
    ConvAC,
    Layer,
    LogConvAC,
    Mex,
    Modular,
    Real,
    Similarity,
    SimplexConvAC,
    TensorialMixture,
    forward,
    generalized_conv,
    grid_network,
    log_forward,
    mex,
    missing_pixels,
    missing_rectangles,
    signed_log,
    stacked_blocks,
)
from lib.networks import log_space
from lib.networks.families import block_network, proposition_2_exponent, proposition_2_layer
from lib.networks.modules import initial_weights
from lib.tests.draws import seeded

NET = Architecture((4, 7), 2, (((3, 2), (2, 3), 3), ((2, 4), (1, 2), 2)))
LINE = Architecture((7,), 3, ((2, 1, 4), (3, 2, 2)))


def normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def test_an_architecture_tells_of_its_layers():
    assert (NET.ndim, NET.depth, NET.grid, NET.widths) == (2, 2, (4, 7), (2, 3, 2))
    assert NET.windows == ((3, 2), (2, 4)) and NET.strides == ((2, 3), (1, 2))
    assert NET.output_sizes == ((4, 7), (2, 3), (2, 2))
    assert NET.weight_shapes() == [((3, 2, 3, 2), (3, 3, 2)), ((2, 3, 2, 4), (2, 2, 4))]
    assert NET.weight_shapes(False) == [((2, 3, 3, 2, 3, 2), (2, 3, 3, 3, 2)),
                                        ((2, 2, 2, 3, 2, 4), (2, 2, 2, 2, 4))]
    assert str(NET) == ("4×7 cells of 2 channels; window/stride:channels 3×2/2×3:3, 2×4/1×2:2")
    assert repr(NET) == "Architecture((4, 7), 2, (((3, 2), (2, 3), 3), ((2, 4), (1, 2), 2)))"
    assert str(LINE) == "7 cells of 3 channels; window/stride:channels 2/1:4, 3/2:2"
    assert [LINE.ndim, LINE.windows, Architecture(3, 1, ((1, 1, 1),)).size] == [
        1, ((2,), (3,)), (3, 3)]


@pytest.mark.parametrize("window, stride, overlapping", [
    (2, 2, False), (2, 3, False), (3, 2, True), ((2, 3), (2, 2), True), ((3, 2), (2, 2), True),
    ((1, 2), (2, 2), False)])
def test_overlap_is_a_window_beyond_its_stride(window, stride, overlapping):
    for layers in ([(window, stride, 1)], [(1, 1, 1), (window, stride, 1)],
                   [(window, stride, 1), (1, 1, 1)]):
        assert Architecture(6, 1, layers).is_overlapping == overlapping


def test_sizes_are_plain_integers():
    net = Architecture(np.int64(4), np.int32(2), [(np.int64(3), (np.int64(1), 2), np.int16(5))])
    layer = net.layers[0]
    numbers = *net.size, net.channels, layer.window, *layer.stride, layer.channels
    assert numbers == (4, 4, 2, 3, 1, 2, 5) and {type(number) for number in numbers} == {int}
    assert Layer(1, [1, 2], 1).stride == (1, 2)


def test_the_last_layer_has_a_bias_unless_said():
    net = Architecture((8,), 3, ((3, 1, 2), (8, 8, 1)))
    apart = Architecture(4, 2, ((2, 2, 2), (2, 2, 5), (1, 1, 1)))
    for method in (net.exact_two_layer_rank, apart.non_overlapping_upper_bound):
        assert method() == method(last_bias=True) != method(last_bias=False)


@pytest.mark.parametrize("shared, biases", [(None, None), (True, (True, False)), (False, False),
                                            (False, [False, True])])
def test_weights_of_an_architecture_are_drawn_layer_after_layer(shared, biases):
    draw, found = seeded(2), NET.random_weights(Real(), seeded(2), shared, biases)
    flags = (True, True) if biases is None else NET.bias_flags(biases)
    shapes = NET.weight_shapes(shared is not False)
    for (weight, bias), (first, second), flag in zip(found, shapes, flags, strict=True):
        assert torch.equal(weight, Real().random(first, draw))
        assert bias is None if not flag else torch.equal(bias, Real().random(second, draw))
    numbers = sum(w.numel() + (0 if b is None else b.numel()) for w, b in found)
    assert NET.parameter_count(shared is not False, flags) == numbers
    assert NET.parameter_count() == NET.parameter_count(True, True)
    counted = NET.map_weights(torch.numel, found)
    assert [b is None for _, b in counted] == [not flag for flag in flags]


@pytest.mark.parametrize("net", [NET, LINE], ids=str)
@pytest.mark.parametrize("shared", [True, False])
def test_every_output_by_products_of_affine_maps(net, shared):
    weights = net.random_weights(Real(), seeded(1), shared, (True, False))
    x = normal(1, net.channels, *net.size, seed=2)
    wanted = forward(net, weights, x).flatten()
    inputs = dict(enumerate(x[0].flatten(1).T))

    def multiply(maps):
        factors = [(0 if cell is None else matrix @ cell) + (0 if bias is None else bias)
                   + torch.zeros(len(matrix)).double() for matrix, bias, cell in maps]
        return torch.stack(factors).prod(0)

    for output, value in enumerate(wanted):
        found = net.output_cell(weights, inputs, multiply, output)
        assert found.shape == (1,) and torch.allclose(found, value)
        assert torch.equal(grid_network(net, weights, output=output)(x.flatten(2).mT),
                           value[None])
    assert torch.allclose(net.output_cell(weights, inputs, multiply), wanted[0])
    assert torch.equal(grid_network(net, weights)(x.flatten(2).mT), wanted[:1])
    for pooling, activation in (("max", "relu"), ("sum", torch.tanh), ("mean", None)):
        wanted = forward(net, weights, x, None, pooling, activation).flatten()
        assert torch.equal(grid_network(net, weights, None, 3, pooling, activation)(
            x.flatten(2).mT), wanted[3:4])


def test_many_channels_and_many_cells_fit():
    draw, field = seeded(), Modular(101)
    for net in (Architecture((2,), 300, ((1, 1, 280), (2, 2, 1))),
                Architecture((260,), 2, ((1, 1, 3), (260, 260, 1)))):
        weights = net.random_weights(field, draw, biases=True)
        assert net.product_form(weights) == (net, weights)
        x = field.random((1, net.channels, *net.size), draw)
        assert forward(net, weights, x, field).shape == (1, 1, 1)
        log = x.log()
        assert log_forward(net, weights, log, torch.ones_like(log))[0].shape == (1, 1, 1)
    deep = Architecture((1,), 1, ((1, 1, 1),) * 300)
    deep.check_weights(deep.random_weights(field, draw, biases=(False,) * 300))
    x = field.random((1, 300, 260), draw)
    unshared, bias = field.random((260, 2, 300, 1), draw), field.random((260, 2, 1), draw)
    assert generalized_conv(x, unshared, bias, 1, field).shape == (1, 2, 260)
    assert generalized_conv(x, unshared[0], None, [1], field).shape == (1, 2, 260)


def test_residues_take_what_needs_no_order():
    x, weight = torch.ones(1, 1, 2).double(), 3 * torch.ones(1, 1, 2).double()
    assert [generalized_conv(x, weight, None, 2, Modular(7), pooling).item()
            for pooling in ("product", "sum", "mean")] == [2, 6, 3]


@pytest.mark.parametrize("pooling, activation, window, growth", [
    ("sum", None, 2, 1), ("sum", "relu", 2, 1), ("mean", "relu", 2, 1), ("max", None, 1, 1),
    ("max", "relu", 1, 1), ("max", None, 2, 1.55), ("max", "relu", 2, 3.09)])
def test_second_moments_at_the_start(pooling, activation, window, growth):
    """Maxima of several numbers are larger than one: the docstring said that they are not."""
    net, draw = Architecture((512,), 64, (((window * window,), (window * window,), 64),)), seeded(1)
    layer = ConvAC(net, pooling=pooling, activation=activation, generator=draw)
    found = layer(torch.randn(64, 64, 512, generator=draw)).square().mean().item()
    assert found == pytest.approx(growth, rel=0.08)


@pytest.mark.parametrize("shapes, axes", [(((4, 3, 2, 5), (4, 2, 5)), 2),
                                          (((6, 4, 3, 5), (6, 4, 5)), 1)])
def test_initial_weights_number_by_number(shapes, axes):
    n = math.prod(shapes[0][-axes:])
    half = n / 2 + n * (n - 1) / (2 * math.pi)
    for pooling, activation, variance in (
            ("product", None, 1 / (3 * n)), ("product", "relu", 1 / (3 * n)),
            ("max", None, 1 / 3), ("max", "relu", 2 / 3), ("sum", None, 1 / (3 * n)),
            ("sum", "relu", 1 / (3 * half)), ("mean", None, n / 3),
            ("mean", "relu", n**2 / (3 * half)), ("mean", torch.relu, n / 3)):
        wanted = torch.randn(shapes[0], generator=seeded(3)) * variance**0.5
        weight, bias = initial_weights(shapes, axes, True, seeded(3), pooling, activation)
        assert torch.allclose(weight, wanted)
        assert torch.equal(bias, torch.full(shapes[1], float(pooling == "product")))
        weight, bias = initial_weights(shapes, axes, False, seeded(3), pooling, activation)
        assert torch.allclose(weight, wanted + (pooling == "product") / 3) and bias is None


def test_a_module_draws_layer_after_layer_and_keeps_copies():
    draw = seeded(4)
    wanted = [initial_weights(shapes, 2, flag, draw, "sum", "relu")
              for shapes, flag in zip(NET.weight_shapes(False), (False, True))]
    net = ConvAC(NET, False, (False, True), "sum", "relu", generator=seeded(4))
    assert list(net.state_dict()) == ["weight1", "weight2", "bias2"]
    assert net.weights[0][1] is None and torch.equal(net.weights[1][1], wanted[1][1])
    assert all(torch.equal(w, v) for (w, _), (v, _) in zip(net.weights, wanted))
    plain = ConvAC(NET, generator=seeded(4))
    assert plain.product_form() == (NET, plain.weights)
    explicit = ConvAC(NET, True, True, "product", None, generator=seeded(4))
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), explicit.parameters()))
    given = NET.random_weights(Real(), seeded(), biases=(True, False))
    copy = ConvAC.from_weights(NET, given)
    before = given[0][0].clone(), given[0][1].clone()
    for tensor in given[0]:
        tensor.zero_()
    assert torch.equal(copy.weights[0][0], before[0]) and torch.equal(copy.weights[0][1], before[1])
    assert copy.weights[1][1] is None and copy.pooling == "product" and copy.activation is None


def test_blocks_layer_by_layer():
    assert stacked_blocks(2, 3, 4, 5, (6, 7)) == Architecture(4, 5, (
        (3, 1, 6), (3, 1, 6), (2, 2, 6), (3, 1, 7), (3, 1, 7), (2, 2, 1)))
    assert stacked_blocks(0, 3, 4, 5, 6, 8, 1) == Architecture((4,), 5, ((2, 2, 6), (2, 2, 8)))
    assert block_network(3, 2, 5, 6, 8, 1) == Architecture((2,), 5, ((3, 1, 6), (2, 2, 8)))
    assert block_network(3, 2, 5, [6]) == Architecture(2, 5, ((3, 1, 6), (2, 2, 1)))
    assert proposition_2_layer(2, 2) == 1 and proposition_2_exponent(1, 1) == 0.5
    for window, size in ((2, 2), (2, 4), (3, 16), (9, 16)):
        net = block_network(window, size, 1, 1)
        seen = [layer for layer in range(1, net.depth + 1, 2)
                if 2 * net.total_receptive_field(layer) > size]
        assert proposition_2_layer(window, size) == seen[0]


def test_layers_of_simnets_begin_as_they_promise():
    draw = torch.randn(2, 3, generator=seeded(5))
    for beta, trained in ((2, True), (-0.5, True), (math.inf, False), (-math.inf, False)):
        layer = Mex(3, 2, beta, generator=seeded(5))
        assert torch.equal(layer.offsets, draw) and layer.beta.item() == beta
        assert layer.beta.requires_grad == trained and layer.offsets.requires_grad
    layer, x = Similarity(3, 2, generator=seeded(5)), normal(4, 3).float()
    assert torch.equal(layer.templates, draw) and torch.equal(layer.log_weights, torch.zeros(2, 3))
    assert layer.power == 2 and Similarity(3, 2, 1, generator=seeded()).power == 1
    assert torch.allclose(layer(x), -(x[:, None] - draw).square().sum(-1))


@pytest.mark.parametrize("power", [1, 1.5, 4])
def test_similarities_of_any_power_are_densities(power):
    layer = Similarity(1, 1, power, generator=seeded()).double()
    layer.log_weights.data.fill_(0.3)
    x = torch.linspace(-40, 40, 80_001, dtype=torch.float64)[:, None]
    density = (layer(x) + layer.log_normalization()).exp()
    assert density.sum().item() / 1000 == pytest.approx(1, abs=1e-5)


def test_exponents_are_taken_as_exactly_as_values():
    values = normal(3, 5)
    assert torch.equal(mex(values, 0.1), mex(values, torch.tensor(0.1).double().fill_(0.1)))
    assert torch.equal(mex(values, 2), mex(values, torch.tensor(2)))
    assert torch.equal(mex(values, 2.0), mex(values, 2.0, 1)) and mex(values, 1, 0).shape == (5,)
    assert mex(torch.tensor([-math.inf, -math.inf]), 1).item() == -math.inf
    several = mex(values, torch.tensor([-1.0, 0, 3]).double())
    assert torch.equal(several, torch.stack([mex(v, b) for v, b in zip(values, (-1, 0, 3))]))


def test_the_slope_at_small_exponents_of_values_one_from_their_mean():
    """Of 0 and 2 it is (b tanh b - log cosh b) / b², a half and no term of first order."""
    for beta in (1e-6, -1e-5):
        exponent = torch.tensor(beta, dtype=torch.float64, requires_grad=True)
        mex(torch.tensor([0.0, 2.0], dtype=torch.float64), exponent).backward()
        assert exponent.grad.item() == pytest.approx(0.5, abs=1e-10)


def test_signs_have_no_derivative_and_the_derivative_stays_finite():
    weight = torch.tensor([[0.0, 1.0]], requires_grad=True)
    log = torch.tensor([[0.0], [-200.0]], requires_grad=True)
    mixed, sign = log_space._mix(log, torch.ones(2, 1), weight)
    assert mixed.item() == -200 and sign.item() == 1 and not sign.requires_grad
    mixed.sum().backward()
    largest = torch.finfo(torch.float32).max
    assert weight.grad[0].tolist() == [pytest.approx(largest / math.e, rel=1e-4), 1]
    plain, sign = log_space._mix(torch.zeros(2, 1), torch.ones(2, 1), torch.tensor(
        [[2.0, -3.0]], requires_grad=True))
    assert (plain.item(), sign.item(), sign.requires_grad) == (0, -1, False)
    zero = torch.tensor([[1.0, -1.0]], requires_grad=True)
    log = torch.zeros(2, 1, requires_grad=True)
    found, sign = log_space._mix(log, torch.ones(2, 1), zero)
    found.sum().backward()
    assert (found.item(), sign.item()) == (-math.inf, 0)
    assert zero.grad.tolist() == [[0, 0]] and log.grad.tolist() == [[0], [0]]
    empty, sign = log_space._mix(torch.full((2, 1), -math.inf), torch.zeros(2, 1), torch.ones(1, 2))
    assert (empty.item(), sign.item()) == (-math.inf, 0)


def test_logarithms_of_networks_without_biases_at_the_padding():
    """The windows that end at a border are 0, the other ones are not; signs by default are 1."""
    net = Architecture((3, 5), 2, (((2, 3), (1, 2), 2),))
    for shared, biases in itertools.product((True, False), repeat=2):
        weights = net.random_weights(Real(), seeded(1), shared, biases)
        x = normal(2, 2, 3, 5, seed=3)
        log, sign = log_forward(net, weights, *signed_log(x))
        assert torch.allclose(sign * log.exp(), forward(net, weights, x), rtol=1e-9, atol=0)
        module = LogConvAC.from_weights(net, weights)
        found, expected = module(x.abs().log())[0], log_forward(net, weights, x.abs().log())[0]
        assert torch.allclose(found, expected, rtol=1e-12, atol=0)


def test_probabilities_begin_as_softmax_and_may_be_off_by_little():
    net = SimplexConvAC(NET, generator=seeded(6))
    draw = seeded(6)
    for (weight, bias), (shape, _) in zip(net.weights, NET.weight_shapes(), strict=True):
        assert torch.allclose(weight, torch.randn(shape, generator=draw).softmax(1))
        assert bias is None
    assert SimplexConvAC(NET, False, generator=seeded()).weights[0][0].shape == (2, 3, 3, 2, 3, 2)
    single = Architecture((1,), 2, ((1, 1, 1),))
    for first in (0.0, 0.5 + 0.9e-4, 0.5 - 0.9e-4):
        weight = torch.tensor([[[first], [0.5 if first else 1.0]]])
        found = SimplexConvAC.from_weights(single, [(weight, None)]).weights[0][0]
        assert torch.allclose(found, weight / weight.sum())
    for first in (0.5 + 1.1e-4, 0.5 - 1.1e-4):
        with pytest.raises(ValueError, match=r"weights from 0\.5 whose sums are off 1 by 0\.00011"):
            SimplexConvAC.from_weights(single, [(torch.tensor([[[first], [0.5]]]), None)])


def test_a_mixture_begins_from_patches_and_their_variance():
    images = normal(6, 2, 4, 9, seed=1).float()
    images[:, 1, ::2, ::3] = 7                              # an entry of a patch that never varies
    net = Architecture((2, 3), 5, (((2, 3), (2, 3), 4),))
    model, draw = TensorialMixture(net, images, generator=seeded(2)), seeded(2)
    assert model.patch == (2, 3)
    patches = torch.stack([image[:, 2 * i:2 * i + 2, 3 * j:3 * j + 3].flatten()
                           for image in images for i in range(2) for j in range(3)])
    assert torch.equal(model.means, patches[torch.randint(36, (5,), generator=draw)])
    wanted = -patches.var(0).clamp(min=1e-4).log()
    assert torch.allclose(model.log_precisions, wanted.repeat(5, 1))
    assert model.log_precisions[0, 6].item() == pytest.approx(math.log(1e4))
    circuit = SimplexConvAC(net, generator=draw)
    assert torch.equal(model.circuit.weights[0][0], circuit.weights[0][0])
    images, model = images.double(), model.double()
    seen = missing_pixels(6, (4, 9), 0.4, seeded(3))
    densities, scale = model.components(images, seen), (-model.log_precisions / 2).exp()
    for n, d, i, j in itertools.product((0, 5), range(5), range(2), range(3)):
        part = slice(2 * i, 2 * i + 2), slice(3 * j, 3 * j + 3)
        entries = images[(n, slice(None), *part)].flatten()
        there = seen[(n, *part)].flatten().repeat(2)
        one = torch.distributions.Normal(model.means[d], scale[d]).log_prob(entries)
        assert torch.allclose(densities[n, d, i, j], one[there].sum())
    whole = model.components(images)
    assert torch.equal(whole, model.components(images, torch.ones(6, 4, 9, dtype=torch.bool)))
    assert torch.equal(model(images, seen), model.circuit(densities)[0][:, :, 0, 0])


@pytest.mark.parametrize("count, size, number, side", [
    (3, (4, 6), 2, 2), (2, (5, 3), 3, 3), (4, (2, 7), 1, 1), (0, (2, 2), 1, 1), (2, (3, 3), 0, 2)])
def test_missing_squares_pixel_by_pixel(count, size, number, side):
    draw, wanted = seeded(8), torch.ones(count, *size, dtype=torch.bool)
    for _ in range(number):
        tops, lefts = (torch.randint(length - side + 1, (count, 1), generator=draw)
                       for length in size)
        for image, top, left in zip(wanted, tops, lefts):
            image[top:top + side, left:left + side] = False
    assert torch.equal(missing_rectangles(count, size, number, side, seeded(8)), wanted)


def test_missing_pixels_pixel_by_pixel():
    numbers = torch.rand(5, 3, 4, generator=seeded(8))
    for share in (0, 0.3, numbers[0, 0, 0].item(), 1, True * 1.0):
        assert torch.equal(missing_pixels(5, (3, 4), share, seeded(8)), numbers >= share)
    assert missing_pixels(5, (3, 4), 0, seeded()).all()
    assert not missing_pixels(5, (3, 4), 1, seeded()).any()
    assert missing_pixels(0, (1, 1), 0.5, seeded()).shape == (0, 1, 1)


def test_sums_of_half_precision_are_not_rounded_before_they_are_judged():
    """They are off 1 by less than half precision tells apart, and by that much once rounded."""
    weight = torch.tensor([0.5, 0.25, 0.250732]).half().view(1, 3, 1)
    net = SimplexConvAC.from_weights(Architecture((1,), 3, ((1, 1, 1),)), [(weight, None)])
    assert torch.allclose(net.weights[0][0].float(), weight.float(), atol=1e-3)


def test_patches_are_drawn_where_the_generator_is(monkeypatch):
    """Torch refuses to draw on a GPU, a session's default device, with a generator of the CPU."""
    drawn, randint = [], torch.randint
    monkeypatch.setattr(torch, "randint", lambda *given, **options: drawn.append(
        options.get("device")) or randint(*given, **options))
    TensorialMixture(Architecture((2, 2), 3, ((2, 2, 1),)), normal(4, 3, 4, 4, seed=0),
                     generator=seeded(1))
    assert drawn == [torch.device("cpu")]
