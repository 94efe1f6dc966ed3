"""Stored work under odd circumstances: the caller's types and modes, links, clocks, locales."""

import numpy as np
import pytest
import torch

from lib.experiments import pooled
from lib.experiments.augment import Strength
from lib.experiments.images import dead_leaves
from lib.experiments.jobs import train_job
from lib.experiments.networks import Network, mixed_seed
from lib.experiments.settings import Grid, Settings
from lib.planted.widths import fit_rectifiers

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = Settings(images=10, epochs=1, batch_size=5, evaluations=1)


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def trained():
    """Everything that a run draws or sums up, in plain numbers."""
    data = dead_leaves(10, leaves=3)
    records = [record for block in ("B1", "haar2", "depth2", "B1prod") for record in train_job(
        (Network(block, 3, "color", 0),), QUICK, data)]
    nets = pooled.PooledNetworks("max", "mirror", 2, (0,))
    return [data.fingerprint, [(record["accuracy"], record["curve"]) for record in records],
            [part.tolist() for part in nets.parameters()],
            fit_rectifiers((2,), "near", starts=1, steps=1)]


def test_trainings_are_the_same_under_every_default_type(request):
    expected = trained()
    request.getfixturevalue("float64")
    assert trained() == expected


def test_seeds_of_numpy_and_torch_are_the_seeds_they_equal():
    assert mixed_seed("a", np.int64(1)) == mixed_seed("a", torch.tensor(1)) == mixed_seed("a", 1)
    assert dead_leaves(10, np.uint8(3), leaves=1).fingerprint == dead_leaves(
        10, 3, leaves=1).fingerprint


def test_equal_settings_are_written_in_one_way():
    for strength in (Strength(4, 0), Strength(4, -0.0), Strength(4, np.float32(0)),
                     Strength(4, 0.0, [0.7, 1.4])):
        assert Settings(strength=strength).identifier == Settings(
            strength=Strength(4, 0.0)).identifier
    few = pooled.PoolSettings(images=np.int64(10))
    assert few.identifier == pooled.PoolSettings(images=10).identifier
    assert Settings(learning_rate=np.float64("1e-3")).identifier == Settings().identifier


@pytest.mark.parametrize("make, message", [
    (lambda: Settings(learning_rate="1e-3"), "learning_rate='1e-3', must lie in"),
    (lambda: Settings(learning_rate=np.float32(1e-3)), "learning_rate=np.float32"),
    (lambda: Strength(2.5), "translation=2.5"), (lambda: Strength(True), "translation=True"),
    (lambda: Strength(color_shift="0.1"), "color_shift=0.1, .* must have"),
    (lambda: Strength(color_factor=(1, 1, 1)), r"color_factor=\(1, 1, 1\); must have"),
    (lambda: Strength(color_factor=1), "color_factor=1; must have"),
    (lambda: pooled.PoolSettings(steps=2.5), "steps=2.5, must be an integer"),
    (lambda: pooled.PoolSettings(steps="9"), "steps='9', must be an integer"),
    (lambda: Grid({"B1": 2}), "channels of B1 2, must be at least one"),
    (lambda: Grid({"B1": (2,)}, "color"), "augmentations 'color', must be at least one"),
    (lambda: Grid({"B1": np.array([2, 4])}), "channels=np.int64.2., must be an int"),
])
def test_settings_of_wrong_types_are_refused_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
