"""Effective fields: what is measured, of which tensor, and with which draws."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import prune

from lib.audit import EffectiveField, audit, effective_field
from lib.tests.test_audit_operations import Run


def test_the_fewest_pixels_that_hold_a_share():
    generator = torch.Generator().manual_seed(1)
    for shape in ((9,), (6, 9), (3, 4, 5)):
        influence = torch.rand(shape, generator=generator, dtype=torch.float64)
        influence /= influence.sum()
        field = EffectiveField(influence, (), ())
        for share in (0.2, 0.5, 0.9545, 0.999):
            expected = []
            for axis, n in enumerate(shape):
                line = influence.movedim(axis, 0).reshape(n, -1).sum(1)
                expected.append(min(b - a for a in range(n) for b in range(a + 1, n + 1)
                                    if line[a:b].sum() >= share * (1 - 1e-9)))
            assert field.size(share) == tuple(expected)
        assert field.effective == field.size(0.9545)
    means = nn.Sequential(nn.AvgPool2d(5, 1), nn.AvgPool2d(5, 1))  # 1, 2, 3, 4, 5, 4, 3, 2, 1
    field = effective_field(means, 40, samples=3, channels=1)
    assert [field.size(n / 25)[0] for n in (5, 9, 13, 16, 19, 21, 23)] == [1, 2, 3, 4, 5, 6, 7]


def test_influence_is_the_mean_absolute_gradient():
    """Of one channel of weights 1 and -3 on two channels: every pixel counts with 4 parts."""
    net = nn.Sequential(nn.Conv2d(2, 1, (1, 3), padding=(0, 1), bias=False), nn.BatchNorm2d(1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 2, 0], [-3, 1, 1]])[None, :, None])
    net.train()
    found = effective_field(net, (4, 6), samples=3)
    assert found.unit == (2, 3) and found.theoretical == ((2, 2), (2, 4))
    expected = torch.zeros(4, 6, dtype=torch.float64)
    expected[2, 2:5] = torch.tensor([4, 3, 1]) / 8
    assert torch.allclose(found.influence, expected) and found.influence.dtype == torch.float64
    assert torch.allclose(effective_field(net, (4, 6), unit=(0, 0)).influence[0, :3],
                          torch.tensor([3 / 4, 1 / 4, 0], dtype=torch.float64))
    assert net.training


class Ends(nn.Module):
    """A convolution, used twice, and what becomes of its map in functions."""

    def __init__(self, function):
        super().__init__()
        self.conv, self.function = nn.Conv2d(3, 3, 3, padding=1), function

    def forward(self, x):
        return self.function(self.conv(self.conv(x)))


@pytest.mark.parametrize("function", [
    lambda x: F.adaptive_avg_pool2d(F.relu(x), 1).flatten(1), lambda x: {"a": [x.tanh()]},
    lambda x: x.mul_(2), lambda x: torch.roll(x, (3, 2), (2, 3)).permute(0, 3, 1, 2).flatten(2)])
def test_the_influence_is_that_on_the_tensor_whose_field_is_told(function):
    torch.manual_seed(0)
    net = Ends(function)
    for layer, reach in ((None, 2), ("conv", 1), ("conv #2", 2)):
        found = effective_field(net, 11, layer, samples=1)
        inside = tuple(slice(first, last + 1) for first, last in found.theoretical)
        if layer:
            assert found.unit == (5, 5) and found.theoretical == ((5 - reach, 5 + reach),) * 2
        assert abs(float(found.influence[inside].sum()) - 1) < 1e-12


def test_effective_fields_of_wrapped_modules():
    overwritten = Ends(lambda x: x.mul_(0))
    assert effective_field(overwritten, 9, "conv #2", samples=1).unit == (4, 4)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
    plain = effective_field(net, 8, samples=1).influence
    assert torch.equal(effective_field(torch.compile(net), 8, samples=1).influence, plain)
    inside = nn.Sequential(torch.compile(net[:2]), net[2])
    same = effective_field(inside, 8, "0.0", samples=1, upto="0.0").influence
    assert torch.equal(same, effective_field(net, 8, "0", samples=1).influence)
    named = nn.Sequential(OrderedDict(_orig_model=net[:2]))     # no compiled one
    same = effective_field(named, 8, "_orig_model.0", samples=1, upto="_orig_model.0").influence
    assert torch.equal(same, effective_field(net, 8, "0", samples=1).influence)
    prune.identity(net[0], "weight")       # a weight that is no parameter any more
    assert torch.equal(effective_field(net, 8, samples=1).influence, plain)
    with pytest.raises(ValueError, match="Sequential is to be run once and has no weights"):
        effective_field(nn.Sequential(nn.LazyConv2d(4, 3)), 8)
    with pytest.raises(ValueError, match="Ends gives no gradients that could be measured: "):
        effective_field(Ends(torch.no_grad()(torch.tanh)), 8)
    with pytest.raises(ValueError, match="'conv' is not what module 'conv' returns, and cannot"):
        net = Ends(lambda x: x)
        net.conv.forward = lambda x: F.conv2d(x, net.conv.weight, padding=1).repeat(1, 1, 2, 2)
        effective_field(net, 8, "conv")


def test_effective_fields_of_what_writes_to_its_input():
    conv = nn.Conv2d(3, 4, 3, padding=1)
    plain = effective_field(nn.Sequential(nn.ReLU(), conv), 9).influence
    assert torch.equal(plain, effective_field(nn.Sequential(nn.ReLU(True), conv), 9).influence)
    with pytest.raises(ValueError, match=r"unit \(4, 4\) of 'Run' has gradients that add up to 0"):
        effective_field(Run(torch.round), 9)


def test_noise_of_a_network_is_not_the_image():
    class Noise(nn.Module):
        def forward(self, x):
            return (x - torch.randn_like(x)).relu()  # without any slope where the two are equal

    net = nn.Sequential(Noise(), nn.Conv2d(3, 4, 3, padding=1))
    for seed in range(-4, 8):
        assert effective_field(net, 9, samples=1, seed=seed).influence.count_nonzero() > 5


def test_effective_fields_of_what_draws_numbers():
    """The same for one seed, and what the caller draws afterwards is what it would have been."""
    torch.manual_seed(3)
    net, before = Run(lambda x: x * torch.randn_like(x)), torch.get_rng_state()
    first, again, other = (effective_field(net, 9, seed=n).influence for n in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_effective_fields_are_drawn_with_a_seed():
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
    default = effective_field(net, 8).influence
    assert torch.equal(default, effective_field(net, 8, samples=8, seed=0).influence)
    for other in ({"seed": 1}, {"samples": 7}, {"samples": 9}):
        assert not torch.equal(default, effective_field(net, 8, **other).influence)
    assert torch.equal(default, effective_field(net, (8, 8), "2", (4, 4), channels=3).influence)
    line = nn.Sequential(nn.Conv1d(1, 2, 3, padding=1))
    assert effective_field(line, (9,), unit=2).theoretical == ((1, 3),)
    assert effective_field(nn.Conv2d(3, 1, 1), samples=1).influence.shape == (224, 224)


def test_an_effective_field_needs_a_module():
    net = Run(lambda x: F.max_pool2d(x, 2))
    name, = (layer.name for layer in audit(net, 8).layers if layer.name != "first")
    with pytest.raises(ValueError, match=f"layer {name!r} is no module, and its output cannot be"):
        effective_field(net, 8, name)
