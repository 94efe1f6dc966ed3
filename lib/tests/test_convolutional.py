"""Generalized convolutions against a loop written from the formula, and against torch's own."""

from itertools import product

import pytest
import torch
from torch.nn import functional as F

from lib.exact.arithmetic import Modular, Real
from lib.networks.architecture import Architecture, Layer
from lib.networks.convolutional import forward, generalized_conv, grid_network
from lib.networks.modules import ConvAC
from lib.tests.draws import seeded


def loop(x, weight, bias, stride, pool, activation, unshared):
    """out[c, u, v] = P over i, j of activation(<W[c, i, j], x[:, uS+i, vS+j]> + b[c, i, j])."""
    batch, channels, *size = x.shape
    outputs = [-(-n // s) for n, s in zip(size, stride, strict=True)]
    window = weight.shape[-len(size):]
    result = torch.zeros(batch, bias.shape[-len(size) - 1], *outputs, dtype=x.dtype)
    for b, c, *cell in product(range(batch), range(result.shape[1]), *map(range, outputs)):
        values = []
        for offset in product(*map(range, window)):
            at = [u * s + o for u, s, o in zip(cell, stride, offset, strict=True)]
            inside = all(a < n for a, n in zip(at, size, strict=True))
            lead = tuple(cell) if unshared else ()
            total = bias[(*lead, c, *offset)]
            for d in range(channels if inside else 0):
                total = total + weight[(*lead, c, d, *offset)] * x[(b, d, *at)]
            values.append(activation(total))
        result[(b, c, *cell)] = pool(torch.stack(values))
    return result


CASES = [  # size, window, stride
    ((7,), (3,), (1,)),
    ((5,), (2,), (4,)),
    ((4, 5), (3, 2), (1, 2)),
    ((3, 3), (4, 4), (2, 2)),  # a window larger than the map
    ((4, 4), (1, 1), (3, 3)),  # a window smaller than the stride
]


@pytest.mark.parametrize("size, window, stride", CASES)
@pytest.mark.parametrize("unshared", [False, True])
@pytest.mark.parametrize("with_bias", [True, False])
def test_product_layer_equals_the_formula(size, window, stride, unshared, with_bias):
    outputs = tuple(-(-n // s) for n, s in zip(size, stride, strict=True))
    lead = outputs if unshared else ()
    for arithmetic in (Real(), Modular(101)):
        g = seeded()
        x = arithmetic.random((2, 3, *size), g)
        weight = arithmetic.random((*lead, 2, 3, *window), g)
        bias = arithmetic.random((*lead, 2, *window), g)
        bias = bias if with_bias else torch.zeros_like(bias)
        given = bias if with_bias else None
        found = generalized_conv(x, weight, given, stride, arithmetic)
        if isinstance(arithmetic, Real):
            expected = loop(x, weight, bias, stride, torch.prod, lambda v: v, unshared)
            torch.testing.assert_close(found, expected)
        else:  # integers of any size, reduced once at the end
            as_int = [t.to(torch.int64).numpy().astype(object) for t in (x, weight, bias)]
            expected = integer_loop(*as_int, stride, unshared, 101)
            assert found.tolist() == expected.tolist()


def integer_loop(x, weight, bias, stride, unshared, prime):
    """The same formula on Python integers."""
    import numpy as np

    size, window = x.shape[2:], weight.shape[-(x.ndim - 2):]
    outputs = [-(-n // s) for n, s in zip(size, stride, strict=True)]
    result = np.ones((x.shape[0], bias.shape[-len(size) - 1], *outputs), dtype=object)
    for b, c, *cell in np.ndindex(*result.shape):
        lead = tuple(cell) if unshared else ()
        for offset in product(*map(range, window)):
            at = [u * s + o for u, s, o in zip(cell, stride, offset, strict=True)]
            seen = x[(b, slice(None), *at)] if all(map(int.__lt__, at, size)) else [0] * x.shape[1]
            row = weight[(*lead, c, slice(None), *offset)]
            affine = sum(w * v for w, v in zip(row, seen, strict=True)) + bias[(*lead, c, *offset)]
            result[(b, c, *cell)] = result[(b, c, *cell)] * affine % prime
    return result


@pytest.mark.parametrize("pooling, pool", [
    ("max", torch.max), ("sum", torch.sum), ("mean", torch.mean), ("product", torch.prod),
])
@pytest.mark.parametrize("activation", [None, "relu", torch.tanh])
def test_every_pooling_and_activation_equals_the_formula(pooling, pool, activation):
    g = seeded(1)
    x, weight = Real().random((2, 3, 4, 5), g), Real().random((2, 3, 3, 2), g)
    bias = Real().random((2, 3, 2), g)
    found = generalized_conv(x, weight, bias, 2, pooling=pooling, activation=activation)
    function = {None: lambda v: v, "relu": torch.relu}.get(activation, activation)
    torch.testing.assert_close(found, loop(x, weight, bias, (2, 2), pool, function, False))


def test_mean_pooling_of_residues_divides_by_the_window():
    x = torch.tensor([[[1.0, 2.0, 3.0]]]).double()
    weight = torch.ones(1, 1, 3).double()
    assert generalized_conv(x, weight, None, 3, Modular(7), pooling="mean").item() == 2
    assert generalized_conv(x, weight, None, 3, Modular(7), pooling="sum").item() == 6


def test_single_offset_layer_is_torch_convolution():
    g = seeded(2)
    x, weight = Real().random((2, 3, 6, 7), g), Real().random((5, 3, 1, 1), g)
    bias = Real().random((5, 1, 1), g)
    found = generalized_conv(x, weight, bias, (2, 3))
    torch.testing.assert_close(found, F.conv2d(x, weight, bias.flatten(), stride=(2, 3)))


def test_sum_pooling_is_torch_convolution_padded_at_the_far_end():
    g = seeded(3)
    x, weight = Real().random((2, 3, 6, 7), g), Real().random((5, 3, 4, 2), g)
    padded = F.pad(x, (0, 1, 0, 3))
    torch.testing.assert_close(
        generalized_conv(x, weight, None, 1, pooling="sum"), F.conv2d(padded, weight)
    )


def test_an_activation_finds_batch_and_channels_where_torch_has_them():
    draw = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(shape, generator=draw) for shape in ((3, 2, 4, 4), (4, 2, 1, 1)))
    slopes = torch.nn.PReLU(4)
    slopes.weight.data = torch.tensor([0.0, 0.25, 0.5, 2.0])
    found = generalized_conv(x, weight, None, 1, pooling="sum", activation=slopes)
    expected = slopes(F.conv2d(x, weight))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "pooling, activation", [("max", "relu"), ("mean", None), ("product", None)]
)
def test_one_kernel_for_all_offsets_is_convolution_then_pooling(pooling, activation):
    g = seeded(4)
    x, kernel = Real().random((2, 3, 6, 6), g), Real().random((5, 3, 1, 1), g)
    bias = Real().random((5, 1, 1), g)
    found = generalized_conv(
        x, kernel.expand(5, 3, 2, 2), bias.expand(5, 2, 2), 2,
        pooling=pooling, activation=activation,
    )
    mapped = F.conv2d(x, kernel, bias.flatten())
    mapped = torch.relu(mapped) if activation else mapped
    corners = mapped.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)  # (batch, D, 3, 3, 4)
    expected = {
        "max": lambda: F.max_pool2d(mapped, 2),
        "mean": lambda: F.avg_pool2d(mapped, 2),
        "product": lambda: corners.prod(-1),
    }[pooling]()
    torch.testing.assert_close(found, expected)


def test_network_composes_layers_and_matches_its_module():
    net = Architecture((5, 4), 2, (Layer((3, 2), (2, 1), 3), Layer(2, 1, 2), Layer((3, 4), 4, 2)))
    weights = net.random_weights(Real(), seeded(), biases=(True, False, True))
    x = Real().random((3, 2, 5, 4), seeded(1))
    expected = x
    for (weight, bias), stride in zip(weights, net.strides, strict=True):
        expected = generalized_conv(expected, weight, bias, stride)
    torch.testing.assert_close(forward(net, weights, x), expected)
    torch.testing.assert_close(ConvAC.from_weights(net, weights)(x), expected)
    flat = x.flatten(2).transpose(1, 2)  # (batch, N, M)
    second = grid_network(net, weights, output=1)(flat)
    torch.testing.assert_close(second, expected.flatten(1)[:, 1])


def test_unshared_network_with_equal_kernels_is_the_shared_one():
    net = Architecture(5, 2, (Layer(3, 2, 3), Layer(3, 3, 2)))
    arithmetic = Modular()
    shared = net.random_weights(arithmetic, seeded())
    spread = [(w.expand(*cells, *w.shape), b.expand(*cells, *b.shape))
              for (w, b), cells in zip(shared, net.output_sizes[1:], strict=True)]
    x = arithmetic.random((4, 2, 5, 5), seeded(1))
    assert torch.equal(forward(net, shared, x, arithmetic), forward(net, spread, x, arithmetic))


def test_residues_of_integer_weights_agree_with_real_arithmetic():
    net = Architecture(4, 2, (Layer(3, 2, 2), Layer(2, 2, 1)))
    small = [(w % 3, b % 3) for w, b in net.random_weights(Modular(), seeded())]
    x = Modular(3).random((50, 2, 4, 4), seeded(1))
    field = Modular()
    # a first-layer output is a product of 9 factors of at most 2 * 2 * 2 + 2: exact in float64,
    # which the second layer's products would not be
    first, stride = small[0], net.strides[0]
    exact = generalized_conv(x, *first, stride)
    assert torch.equal(generalized_conv(x, *first, stride, field), exact % field.prime)


@pytest.mark.parametrize("pooling, activation, biases", [
    ("product", None, True), ("product", None, False), ("max", "relu", True), ("mean", "relu", True)
])
def test_training_lowers_the_loss(pooling, activation, biases):
    layers = (Layer(3, 2, 8), Layer(2, 2, 8), Layer(2, 2, 2))
    net = ConvAC(Architecture(8, 3, layers), pooling=pooling, activation=activation,
                 biases=biases, generator=seeded())
    label = torch.arange(64) % 2
    x = torch.rand(64, 3, 8, 8, generator=seeded(1)) + 0.5
    x[:, 0] += 0.5 * label[:, None, None]
    if not biases:  # padding would annihilate the product: windows that tile the map
        net = ConvAC(Architecture(8, 3, (Layer(2, 2, 8), Layer(2, 2, 8), Layer(2, 2, 2))),
                     biases=False, generator=seeded())
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        loss = F.cross_entropy(net(x).flatten(1), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("layers", [
    (Layer(9, 1, 32), Layer(2, 2, 32)), (Layer(3, 1, 32), Layer(3, 1, 32), Layer(3, 1, 32)),
])
def test_initial_scale_of_products_stays_near_one(layers):
    net = ConvAC(Architecture(16, 16, layers), generator=seeded())
    out = net(torch.randn(8, 16, 16, 16, generator=seeded(1)))
    assert 0.2 < out.abs().median() < 5
    assert out.abs().max() < 1e3


def test_gradients_are_those_of_finite_differences():
    net = Architecture((4,), 2, (Layer(3, 2, 2), Layer(2, 2, 1)))
    pairs = net.random_weights(Real(), seeded())
    flat = [t.requires_grad_() for pair in pairs for t in pair]
    x = Real().random((2, 2, 4), seeded(1))

    def network(*tensors):
        return forward(net, list(zip(tensors[::2], tensors[1::2], strict=True)), x)

    assert torch.autograd.gradcheck(network, flat)


def test_modules_are_plain_modules():
    architecture = Architecture(4, 3, (Layer(4, 4, 1),))
    one, two = (ConvAC(architecture, generator=seeded(s)) for s in (0, 1))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.weights[0][0], two.weights[0][0])


@pytest.mark.parametrize("changes, message", [
    ({"weight": torch.ones(2, 4, 2, 2)}, "takes 4 channels"),
    ({"weight": torch.ones(3, 3, 2, 3, 2, 2)}, "before it if unshared"),
    ({"bias": torch.ones(2)}, r"needs \(2, 2, 2\)"),
    ({"stride": (1,)}, "one positive stride per axis"),
    ({"pooling": "median"}, "need one of 'product', 'max'"),
    ({"activation": "tanh"}, "give None, 'relu' or a callable"),
    ({"activation": "gelu"}, "give None, 'relu' or a callable"),
    ({"arithmetic": Modular(), "pooling": "max"}, "residues have no order"),
])
def test_errors_name_what_is_wrong(changes, message):
    arguments = {"x": torch.ones(1, 3, 4, 4), "weight": torch.ones(2, 3, 2, 2),
                 "bias": torch.ones(2, 2, 2), "stride": 1} | changes
    with pytest.raises(ValueError, match=message):
        generalized_conv(**arguments)


def test_weights_that_do_not_fit_the_architecture_are_refused():
    net = Architecture(4, 2, (Layer(3, 2, 2), Layer(2, 2, 1)))
    weights = net.random_weights(Real(), seeded())
    with pytest.raises(ValueError, match="1 pairs"):
        forward(net, weights[:1], torch.ones(1, 2, 4, 4))
    with pytest.raises(ValueError, match="layer 2 has a weight"):
        forward(net, [weights[0], weights[0]], torch.ones(1, 2, 4, 4))
    with pytest.raises(ValueError, match="input of shape"):
        forward(net, weights, torch.ones(1, 2, 4, 5))
    with pytest.raises(ValueError, match="one per layer"):
        net.random_weights(Real(), seeded(), biases=(True,))


@pytest.mark.parametrize("shared, pooling, activation", [
    (True, "product", None), (False, "max", "relu")])
def test_gradients_of_every_example_by_vmap(shared, pooling, activation):
    """Windows at the border read padding, which no example brings along."""
    net = ConvAC(Architecture(5, 2, ((3, 2, 3), (2, 1, 2), (3, 3, 1))), shared, pooling=pooling,
                 activation=activation, generator=seeded()).double()
    x = torch.rand(3, 2, 5, 5, generator=seeded()).double()

    def score(parameters, example):
        return torch.func.functional_call(net, parameters, (example[None],)).sum()

    kept = {name: parameter.detach() for name, parameter in net.named_parameters()}
    found = torch.func.vmap(torch.func.grad(score), (None, 0))(kept, x)
    for place in range(len(x)):
        expected = torch.autograd.grad(net(x[place:place + 1]).sum(), list(net.parameters()))
        torch.testing.assert_close([part[place] for part in found.values()], list(expected))
