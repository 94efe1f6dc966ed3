"""SimNets' operators, ConvACs in log-space, and exact marginals of missing pixels."""

import hashlib
import json
import math
import sys
from fractions import Fraction
from itertools import product

import mpmath
import pytest
import torch

from lib import Architecture, ConvAC, forward
from lib.benchmarks import missing_data as measured
from lib.course import ROOT
from lib.experiments.records import STORED
from lib.networks import log_space
from lib.networks.log_space import (
    LogConvAC,
    Mex,
    Similarity,
    SimplexConvAC,
    log_forward,
    mex,
    signed_log,
)
from lib.networks.missing_data import TensorialMixture, missing_pixels, missing_rectangles

DOUBLE = torch.float64
ARCHITECTURES = [
    Architecture(4, 2, ((3, 1, 3), (4, 4, 2))),
    Architecture(5, 3, ((3, 2, 3), (2, 1, 2), (3, 3, 1))),
    Architecture((6,), 2, ((2, 2, 3), (3, 1, 2), (3, 3, 2))),
]


def draw(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def weights_of(architecture, shared=True, biases=True, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [tuple(None if x is None else torch.randn(x.shape, generator=generator, dtype=DOUBLE)
                  for x in pair)
            for pair in ConvAC(architecture, shared, biases, generator=generator).weights]


@pytest.mark.parametrize("beta", [-30, -1, -1e-3, -1e-9, 0, 1e-12, 1e-5, 1e-4, 1e-3, 0.3, 2, 1e3])
def test_mex_and_its_derivatives_against_sixty_digits(beta):
    values = (3 * draw((4, 7))).requires_grad_()
    exponent = torch.tensor(float(beta), dtype=DOUBLE, requires_grad=True)
    found = mex(values, exponent)
    found.sum().backward()
    slope = mpmath.mpf(0)
    with mpmath.workdps(60):
        for row, value, shares in zip(values.tolist(), found.tolist(), values.grad.tolist()):
            row, b = [mpmath.mpf(x) for x in row], mpmath.mpf(beta)
            powers = [mpmath.e ** (b * x) for x in row]
            mean = sum(row) / len(row)
            exact = mpmath.log(sum(powers) / len(row)) / b if beta else mean
            assert abs(exact - value) < 1e-14 * max(1, abs(exact))
            expected = [p / sum(powers) for p in powers]
            assert all(abs(e - s) < 1e-14 for e, s in zip(expected, shares))
            inner = sum(p * x for p, x in zip(expected, row))
            slope += (inner - exact) / b if beta else sum((x - mean) ** 2 for x in row) / 14
    assert abs(exponent.grad.item() - slope) < 1e-11 * abs(slope)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("beta, expected", [
    (math.inf, [1e4, -math.inf, 1, 1e4]), (-math.inf, [-math.inf, -math.inf, 0, 1e4]),
    (1e30, [1e4, -math.inf, 1, 1e4]), (0, [-math.inf, -math.inf, 2 / 3, 1e4]),
])
def test_mex_of_extreme_values(dtype, beta, expected):
    values = torch.tensor([[1e4, -1e4, -math.inf], [-math.inf] * 3, [1, 1, 0], [1e4] * 3],
                          dtype=dtype, requires_grad=True)
    exponent = torch.tensor(float(beta), dtype=dtype, requires_grad=True)
    found = mex(values, exponent)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=dtype))
    found.nan_to_num(neginf=0).sum().backward()
    assert values.grad.isfinite().all() and exponent.grad.isfinite()
    if beta == math.inf:  # two equal maxima share the derivative
        assert values.grad[2].tolist() == [0.5, 0.5, 0]


@pytest.mark.parametrize("dtype, beta", [(torch.float16, -1e-5), (torch.float32, -1e-40)])
def test_mex_of_the_log_of_zero_with_an_exponent_just_below_zero(dtype, beta):
    values = torch.tensor([0.0, -math.inf, 3.0], dtype=dtype, requires_grad=True)
    exponent = torch.tensor(beta, dtype=dtype, requires_grad=True)
    found = mex(values, exponent)
    assert found.item() == -math.inf  # between the minimum for -inf and the mean for 0
    found.backward()
    assert values.grad.tolist() == [0, 1, 0] and exponent.grad.isfinite()


@pytest.mark.parametrize("dtype, many", [
    (torch.bfloat16, 1024), (torch.float16, 4096), (torch.float32, 10**6)])
@pytest.mark.parametrize("beta", [1, -1])
def test_mex_of_one_among_many_lacks_no_more_than_their_logarithm(dtype, many, beta):
    values = torch.full((many,), -60.0 * beta, dtype=dtype)
    values[0] = 0
    exponent = torch.tensor(float(beta), dtype=dtype, requires_grad=True)
    found, expected = mex(values, exponent), -math.log(many) / beta
    found.backward()
    tolerance = 4 * torch.finfo(dtype).eps * math.log(many)
    assert abs(found.item() - expected) < tolerance
    assert abs(exponent.grad.item() - math.log(many)) < tolerance


@pytest.mark.parametrize("dtype, far, beta", [
    (torch.float16, 600, 2e-5), (torch.float32, 6e20, 2e-25), (DOUBLE, 6e200, 1e-210)])
def test_mex_of_gaps_whose_squares_overflow(dtype, far, beta):
    values = torch.tensor([far] + [0.0] * 2999, dtype=dtype)
    exponent = torch.tensor(beta, dtype=dtype, requires_grad=True)
    found = mex(values[:3], exponent)
    assert abs(found.item() / (far / 3 * (1 + beta * far / 3)) - 1) < 4 * torch.finfo(dtype).eps
    mex(values, exponent).backward()
    expected = far / 2 * (far / 3000) * (1 - 1 / 3000)
    if expected < torch.finfo(dtype).max:
        assert abs(exponent.grad.item() / expected - 1) < 0.01


def test_mex_with_an_exponent_for_every_entry_along_another_axis():
    values, betas = draw((3, 5)), torch.tensor([-math.inf, -1, 0, 2, math.inf], dtype=DOUBLE)
    found = mex(values, betas, dim=0)
    assert [mex(values[:, i], b).item() for i, b in enumerate(betas)] == found.tolist()
    betas = torch.tensor([-1.0, 0.0, 2.0], dtype=DOUBLE, requires_grad=True)
    values.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, b: mex(x, b[:, None].expand(3, 1)[..., 0]),
                                    (values, betas))


@pytest.mark.parametrize("values, message", [
    (torch.zeros(2, 0), "at least one entry"), (torch.arange(3), "floating point"),
    (torch.tensor([math.inf]), "plus infinity"), (torch.tensor([math.nan]), "NaN"),
])
def test_mex_refuses(values, message):
    with pytest.raises(ValueError, match=message):
        mex(values, 1.0)


def test_a_mex_layer_adds_its_offsets():
    layer = Mex(3, 2, 0.5, generator=torch.Generator().manual_seed(0)).double()
    x = draw((5, 3))
    expected = torch.stack([((x + b).mul(0.5).exp().mean(-1)).log() / 0.5 for b in layer.offsets])
    torch.testing.assert_close(layer(x), expected.T)
    layer(x).sum().backward()
    assert layer.beta.grad is not None
    assert not Mex(3, 2, math.inf, generator=torch.Generator()).beta.requires_grad


def test_similarities_by_hand():
    generator = torch.Generator().manual_seed(0)
    x = draw((4, 3))
    for power in (1, 2, 3.5, None):
        layer = Similarity(3, 2, power, generator=generator).double()
        layer.log_weights.data = draw((2, 3), seed=1)
        for row, found in zip(x, layer(x)):
            for z, u, value in zip(layer.templates, layer.log_weights.exp(), found):
                phi = row * z if power is None else -(row - z).abs() ** power
                torch.testing.assert_close(value, (u * phi).sum())
    with pytest.raises(ValueError, match="at least 1"):
        Similarity(3, 2, 0.5, generator=generator)
    layer = Similarity(3, 1, 2, generator=generator).double()
    layer.log_weights.data = draw((1, 3), seed=1)
    normal = torch.distributions.Normal(layer.templates, (2 * layer.log_weights.exp()) ** -0.5)
    torch.testing.assert_close(layer(x) + layer.log_normalization(),
                               normal.log_prob(x).sum(1, keepdim=True))


def test_the_curvature_of_a_normal_density_at_its_mode():
    layer = Similarity(3, 2, generator=torch.Generator().manual_seed(0)).double()
    for mode, expected in zip(layer.templates.detach(), layer.log_weights.exp()):
        found = torch.autograd.functional.hessian(lambda x: layer(x).max(), mode)
        torch.testing.assert_close(found, torch.diag(-2 * expected))


def test_products_have_no_normalization():
    layer = Similarity(3, 2, power=None, generator=torch.Generator())
    with pytest.raises(ValueError, match="power None; need a power"):
        layer.log_normalization()


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_log_space_computes_the_circuit_and_its_gradients(architecture, shared, careful,
                                                          monkeypatch):
    if careful:
        monkeypatch.setattr(log_space, "_mix", log_space._SignedMix.apply)
    weights = weights_of(architecture, shared)
    weights[0][0].view(-1)[0] = 0
    direct = ConvAC.from_weights(architecture, weights)
    logarithmic = LogConvAC.from_weights(architecture, weights)
    x = draw((6, architecture.channels, *architecture.size), seed=1)
    x.view(-1)[:2] = 0
    y = direct(x)
    log, sign = logarithmic(*signed_log(x))
    torch.testing.assert_close(sign * log.exp(), y)
    y.abs().log().sum().backward()
    log.sum().backward()
    for expected, found in zip(direct.parameters(), logarithmic.parameters()):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-8, atol=1e-10)


def test_without_biases_padding_is_the_log_of_zero():
    architecture = ARCHITECTURES[0]
    weights = weights_of(architecture, biases=False)
    log, sign = log_forward(architecture, weights, torch.zeros(1, 2, 4, 4, dtype=DOUBLE))
    assert not sign.any() and (log == -math.inf).all()


def test_mixing_where_the_scaled_product_underflows():
    """The dominant input has weight 0; all others are e^-200 of it."""
    log = torch.tensor([[0.0], [-200.0], [-201.0]], requires_grad=True)
    weight = torch.tensor([[0.0, 1.0, 2.0]], requires_grad=True)
    found, sign = log_space._mix(log, torch.ones(3, 1), weight)
    assert found.item() == pytest.approx(-200 + math.log(1 + 2 / math.e)) and sign.item() == 1
    found.sum().backward()
    share = 1 / (1 + 2 / math.e)
    assert log.grad.flatten().tolist() == pytest.approx([0, share, 1 - share])
    assert weight.grad[0, 1:].tolist() == pytest.approx([share, (1 - share) / 2])
    assert weight.grad.isfinite().all() and weight.grad[0, 0] > 1e30  # truly e^200


def test_exact_zeros_have_zero_derivatives_and_never_nan():
    architecture = Architecture((2,), 2, ((1, 1, 2), (2, 2, 1)))
    weights = [(torch.tensor([[[1.0], [-1.0]], [[1.0], [1.0]]]), torch.zeros(2, 1)),
               (torch.ones(1, 2, 2), torch.zeros(1, 2))]
    net = LogConvAC.from_weights(architecture, weights)
    inputs = torch.zeros(1, 2, 2, requires_grad=True)
    log, sign = net(inputs)  # channel 0 cancels to 0 everywhere
    assert (log.item(), sign.item()) == (pytest.approx(2 * math.log(2)), 1)
    log.sum().backward()
    assert all(p.grad.isfinite().all() for p in [inputs, *net.parameters()])


def test_a_bias_of_zero_at_the_padding_has_a_finite_derivative():
    x = torch.tensor([0.0, -2.0], requires_grad=True)
    log, sign = signed_log(x)
    log.sum().backward()
    assert log.tolist() == [-math.inf, pytest.approx(math.log(2))] and sign.tolist() == [0, -1]
    assert x.grad.tolist() == [0, -0.5]
    net = LogConvAC.from_weights(Architecture((3,), 1, ((2, 1, 1),)),
                                 [(torch.ones(1, 1, 2), torch.tensor([[1.0, 0.0]]))])
    log, _ = net(torch.zeros(1, 1, 3))
    log[0, 0, :2].sum().backward()  # the third window is 0: it reaches into the padding
    assert log[0, 0, 2] == -math.inf
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_a_thousand_positions_against_fractions():
    architecture = Architecture((1024,), 2, ((2, 2, 2),) * 10 + ((1, 1, 1),))
    weights = [(w.double(), None) for w, _ in
               SimplexConvAC(architecture, generator=torch.Generator().manual_seed(3)).weights]
    generator = torch.Generator().manual_seed(4)
    x = torch.randint(1, 8, (1024, 2), generator=generator) / 64
    cells = [[Fraction(v.item()) for v in cell] for cell in x]
    for weight, _ in weights:
        kernel = [[[Fraction(v.item()) for v in row.T[o]] for o in range(weight.shape[2])]
                  for row in weight]
        size = weight.shape[2]
        cells = [[math.prod(sum(a * b for a, b in zip(offsets[o], cells[i + o]))
                            for o in range(size)) for offsets in kernel]
                 for i in range(0, len(cells), size)]
    value = cells[0][0]
    exact = mpmath.log(value.numerator) - mpmath.log(value.denominator)
    log, _ = log_forward(architecture, weights, x.T[None].double().log())
    assert abs(log.item() - exact) < 1e-11 * abs(exact)
    single = ConvAC.from_weights(architecture, [(w.float(), None) for w, _ in weights])
    assert single(x.T[None].float()).item() == 0
    log, _ = log_forward(architecture, [(w.float(), None) for w, _ in weights],
                         x.T[None].float().log())
    assert abs(log.item() - exact) < 1e-4 * abs(exact)


def test_simplex_weights_are_probabilities_and_refuse_others():
    architecture = Architecture(4, 3, ((2, 2, 4), (2, 2, 2)))
    for shared in (True, False):
        net = SimplexConvAC(architecture, shared, generator=torch.Generator().manual_seed(0))
        for weight, bias in net.weights:
            assert bias is None and (weight > 0).all()
            torch.testing.assert_close(weight.sum(-3), torch.ones(()).expand_as(weight.sum(-3)))
        again = SimplexConvAC.from_weights(architecture, net.weights)
        torch.testing.assert_close(again.weights[0][0], net.weights[0][0])
    with pytest.raises(ValueError, match="need probabilities"):
        SimplexConvAC.from_weights(architecture, weights_of(architecture, biases=False))
    with pytest.raises(ValueError, match="products into sums"):
        LogConvAC(architecture, pooling="max", generator=torch.Generator())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_probabilities_of_half_precision_are_probabilities(kind):
    architecture = Architecture(4, 3, ((2, 2, 40), (2, 2, 40)))
    net = SimplexConvAC(architecture, generator=torch.Generator().manual_seed(0)).to(kind)
    again = SimplexConvAC.from_weights(architecture, net.weights)
    torch.testing.assert_close(again.weights, net.weights, rtol=0.03, atol=0)
    with pytest.raises(ValueError, match="need probabilities"):
        SimplexConvAC.from_weights(architecture, [(w * 1.02, None) for w, _ in net.weights])


@pytest.mark.parametrize("kind, gap", [(torch.float32, -90), (torch.float64, -715)])
def test_a_weight_of_0_beside_a_tiny_sum_gets_the_derivative_of_the_direct_circuit(kind, gap):
    """One over the sum was cut at the largest number of the type: a tenth was left of 1."""
    def learned(run, weight, other, log):
        weight = weight.clone().requires_grad_()
        run(Architecture((1,), 2, ((1, 1, 2), (1, 1, 1))), weight, other, log).sum().backward()
        return weight.grad[..., 0]

    passed_on, both = torch.eye(2, dtype=kind)[..., None], torch.ones(1, 2, 1, dtype=kind)
    log = torch.tensor([[[gap], [0.0]]], dtype=kind)
    found, wanted, beyond = (learned(run, passed_on, both, x) for run, x in (
        (lambda net, w, v, x: log_forward(net, [(w, None), (v, None)], x)[0], log),
        (lambda net, w, v, x: forward(net, [(w, None), (v, None)], x.exp()).log(), log),
        (lambda net, w, v, x: log_forward(net, [(w, None), (v, None)], x)[0], 2 * log)))
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-30)
    assert beyond.tolist() == [[0, 0], [0, 1]]  # its share underflows


def test_second_derivatives_are_refused_where_they_would_be_wrong():
    """A Hessian of `mex` was 0 everywhere, what it is multiplied with stayed."""
    x = draw((2, 3)).requires_grad_()
    zeros = torch.full((1, 3, 2), -math.inf, dtype=DOUBLE)  # their sums are 0
    net = LogConvAC.from_weights(Architecture((2,), 3, ((2, 2, 2),)), [(draw((2, 3, 2)), None)])
    for output in (mex(x, 2.0), Mex(3, 2, 1.0, generator=torch.Generator().manual_seed(0)).double()(
            x), net(zeros)[0]):
        with pytest.raises(RuntimeError, match="second derivatives .create_graph=True. are not"):
            torch.autograd.grad(output.sum(), [x] if output.shape[0] == 2 else net.weight1,
                                create_graph=True)
    inner = draw((1, 3, 2), seed=1)
    assert torch.autograd.gradgradcheck(lambda y: net(y)[0], inner.requires_grad_())


@pytest.mark.parametrize("log, sign, message", [
    (torch.zeros(1, 2, 5), None, "the architecture needs"),
    (torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 4, 3), "input of shape"),
])
def test_log_forward_refuses(log, sign, message):
    architecture = ARCHITECTURES[0]
    with pytest.raises(ValueError, match=message):
        log_forward(architecture, weights_of(architecture), log, sign)


def test_components_are_densities_of_what_is_seen():
    generator = torch.Generator().manual_seed(0)
    images = draw((3, 2, 4, 4)) + 1
    architecture = Architecture(2, 3, ((2, 2, 2), (1, 1, 5)))
    model = TensorialMixture(architecture, images, generator=generator).double()
    patches = images.unflatten(3, (2, 2)).unflatten(2, (2, 2)).permute(1, 3, 5, 0, 2, 4).flatten(3)
    torch.testing.assert_close(model.log_precisions[0].exp() ** -1, patches.flatten(0, 2).var(1))
    assert all((patches.flatten(0, 2).T == mean).all(1).any() for mean in model.means)
    model.log_precisions.data = draw((3, 8), seed=2)
    seen = missing_pixels(3, (4, 4), 0.5, generator)
    found = model.components(images, seen)
    for n, d, u, v in product(range(3), range(3), range(2), range(2)):
        mean = model.means[d].reshape(2, 2, 2)
        scale = model.log_precisions[d].reshape(2, 2, 2).exp() ** -0.5
        box = (slice(2 * u, 2 * u + 2), slice(2 * v, 2 * v + 2))
        density = torch.distributions.Normal(mean, scale).log_prob(images[(n, slice(None), *box)])
        torch.testing.assert_close(found[n, d, u, v], (density * seen[(n, *box)]).sum())
    changed = torch.where(seen[:, None], images, math.nan)
    torch.testing.assert_close(model(changed, seen), model(images, seen))


def test_marginals_of_a_mixture_by_integration():
    """One gray pixel of a 2 × 2 image is integrated over a fine grid."""
    generator = torch.Generator().manual_seed(1)
    images = draw((20, 1, 2, 2))
    architecture = Architecture(2, 4, ((2, 2, 3), (1, 1, 2)))
    model = TensorialMixture(architecture, images, generator=generator).double()
    grid = torch.linspace(-12, 12, 4801, dtype=DOUBLE)
    filled = images[:1].repeat(len(grid), 1, 1, 1)
    filled[:, 0, 1, 0] = grid
    seen = torch.ones(1, 2, 2, dtype=torch.bool)
    seen[0, 1, 0] = False
    with torch.no_grad():
        integral = model(filled).exp().sum(0) * (grid[1] - grid[0])
        torch.testing.assert_close(model(images[:1], seen)[0].exp(), integral)


def test_a_mixture_has_the_type_of_its_images_and_keeps_its_digits_under_autocast():
    images, generator = draw((20, 1, 4, 4)) + 30, torch.Generator().manual_seed(1)
    architecture = Architecture(2, 4, ((2, 2, 3),))
    assert TensorialMixture(architecture, images, generator=generator)(images).dtype == DOUBLE
    model = TensorialMixture(architecture, images.float(), generator=generator)
    expected = model.components(images.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(model.components(images.float()), expected)
        scores = model(images.float())
    torch.testing.assert_close(scores, model(images.float()), rtol=0, atol=0.1)


def test_a_constant_color_of_255_leaves_densities_their_digits():
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(30, 4, 4, 4, generator=generator)
    images[:, 3] = 1  # the opacity of an RGBA file
    model = TensorialMixture(Architecture(2, 4, ((2, 2, 3),)), 255 * images, generator=generator)
    scores = model(255 * images).double()
    torch.testing.assert_close(scores, model.double()(255 * images.double()), rtol=1e-5, atol=0)


def test_densities_of_a_black_border_keep_their_digits():
    """As trained: the pixels of a component never change, so its precision grows without end."""
    generator = torch.Generator().manual_seed(2)
    images = 255 * torch.randint(2, (30, 1, 4, 4), generator=generator).float()
    model = TensorialMixture(Architecture(2, 4, ((2, 2, 3),)), images, generator=generator)
    with torch.no_grad():
        model.log_precisions.fill_(12)
    black = torch.zeros(1, 1, 4, 4)
    model.means.data[0] = 0
    found = model.components(black)
    assert found.dtype == torch.float32
    exact = model.double().components(black.double())
    torch.testing.assert_close(found[:, 0].double(), exact[:, 0], rtol=0, atol=1e-3)


@pytest.mark.parametrize("architecture, examples, message", [
    (Architecture(4, 2, ((3, 1, 2), (4, 4, 2))), torch.zeros(2, 1, 4, 4), "without overlap"),
    (Architecture(4, 2, ((2, 2, 2),)), torch.zeros(2, 1, 4, 4), "one output cell"),
    (Architecture(4, 2, ((4, 4, 2),)), torch.zeros(2, 1, 6, 6), "do not split"),
    (Architecture(6, 2, ((2, 2, 2), (2, 2, 2), (2, 2, 2))), torch.zeros(2, 1, 6, 6),
     "layer 2 does not split 3 cells into windows of 2 with stride 2"),
    (Architecture(4, 2, ((2, 3, 2), (2, 2, 2))), torch.zeros(2, 1, 4, 4), "layer 1 does not split"),
    (Architecture(6, 2, (((1, 2), 2, 2), (3, 3, 2))), torch.zeros(2, 1, 6, 6), "leave no cell out"),
    (Architecture(1, 2, ((1, 1, 2), (2, 2, 2))), torch.zeros(2, 1, 2, 2), "layer 2 does not split"),
])
def test_mixtures_refuse(architecture, examples, message):
    with pytest.raises(ValueError, match=message):
        TensorialMixture(architecture, examples, generator=torch.Generator())


def test_missing_squares_stay_inside_and_reach_every_place():
    generator = torch.Generator().manual_seed(0)
    seen = missing_rectangles(400, (6, 5), 1, 2, generator)
    assert (seen.sum((1, 2)) == 26).all() and not seen.all(0).any()
    assert missing_rectangles(3, (6, 5), 0, 2, generator).all()
    for call in (lambda: missing_rectangles(3, (6, 5), 1, 6, generator),
                 lambda: missing_pixels(3, (6, 5), 1.5, generator)):
        with pytest.raises(ValueError, match="missing_"):
            call()


def test_the_stored_comparison_is_whole():
    header, *networks = map(json.loads, (STORED / "missing-data.jsonl").read_text().splitlines())
    text = json.dumps(header["settings"], sort_keys=True)
    assert header["identifier"] == hashlib.sha256(text.encode()).hexdigest()[:12]
    assert header["settings"] == measured.SETTINGS
    sizes = "{images:,} images to train, {test_images:,} to test".format_map(header["settings"])
    for place in ("book/log-space.md", "notebooks/05_log_space.py"):
        assert sizes in (ROOT / place).read_text(encoding="utf-8"), place
    names = [f"{model}-s{seed}" for model in measured.MAIN + measured.VARIANTS for seed in range(5)]
    assert sorted(network["name"] for network in networks) == sorted(names)
    for network in networks:
        whole, *others = network["accuracy"].values()
        ways = {way: value for way, value in whole.items() if way != "missing"}
        assert len(set(ways.values())) == 1, "nothing is missing, so all ways are the same"
        assert all(0 <= value <= 1 for found in [whole, *others] for value in found.values())


def test_the_comparison_resumes_and_keeps_foreign_results(tmp_path, monkeypatch):
    def images(split, count, folder):
        generator = torch.Generator().manual_seed(len(split))
        return (torch.randn(40, 3, 16, 16, generator=generator),
                torch.arange(40) % 10, {"fingerprint": split})

    small = measured.SETTINGS | {"images": 40, "epochs": 1, "batch_size": 20, "components": 3,
                                 "widths": [3, 3, 3], "convnet_channels": 2,
                                 "pixels": [0.0, 0.5], "squares": [1]}
    monkeypatch.setattr(measured, "SETTINGS", small)
    monkeypatch.setattr(measured, "images_of", images)
    output = tmp_path / "found.jsonl"
    monkeypatch.setattr(sys, "argv", ["missing_data", "--output", str(output), "--seeds", "3"])
    measured.main()
    first = output.read_text()
    assert [json.loads(line).get("seed") for line in first.splitlines()] == [None] + 6 * [3]
    output.write_text(first[:-30])  # killed while the last line was written
    measured.main()
    again = [json.loads(line) for line in output.read_text().splitlines()]
    for old, new in zip(map(json.loads, first.splitlines()), again, strict=True):
        # the checksum is also of where and when
        assert {**old, "provenance": 0, "check": 0} == {**new, "provenance": 0, "check": 0}
    monkeypatch.setattr(measured, "SETTINGS", small | {"side": 5})
    with pytest.raises(SystemExit, match="other settings"):
        measured.main()
