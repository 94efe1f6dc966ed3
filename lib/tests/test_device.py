"""Devices and seeds."""

import pytest
import torch

from lib.exact.device import describe_device, exact_device, generator, training_device


def pretend(monkeypatch, cuda, mps):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    "cuda, mps, training, exact",
    [
        (True, True, "cuda", "cuda"),
        (True, False, "cuda", "cuda"),
        (False, True, "mps", "cpu"),
        (False, False, "cpu", "cpu"),
    ],
)
def test_order_of_devices(monkeypatch, cuda, mps, training, exact):
    pretend(monkeypatch, cuda, mps)
    assert training_device().type == training
    assert exact_device().type == exact


def test_exact_device_by_hand(monkeypatch):
    pretend(monkeypatch, cuda=False, mps=True)
    assert exact_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="no exact float64"):
        exact_device("mps")
    with pytest.raises(ValueError, match="no CUDA device"):
        exact_device("cuda:0")


def test_generators_repeat_and_differ():
    draws = [torch.rand(5, generator=generator(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_generator_leaves_the_global_one_alone():
    state = torch.get_rng_state()
    torch.rand(5, generator=generator(0))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("bad", [1.0, "1", None, True])
def test_seed_must_be_an_int(bad):
    with pytest.raises(TypeError, match="seed must be an int"):
        generator(bad)


@pytest.mark.parametrize("bad", [-1, 2**63])
def test_seed_must_be_in_range(bad):
    with pytest.raises(ValueError, match="between 0 and"):
        generator(bad)


def test_describe_device_is_one_line(monkeypatch):
    pretend(monkeypatch, cuda=False, mps=False)
    line = describe_device()
    assert "\n" not in line and "no GPU" in line and torch.__version__ in line
    pretend(monkeypatch, cuda=False, mps=True)
    assert "float32 only" in describe_device()
