"""The fast ensembles against the plain network, alone against together, augmentation by pixel."""

import colorsys

import pytest
import torch
import torch.nn.functional as F

from lib.experiments.augment import Augmenter, reference_image, rgb_to_hsv
from lib.experiments.convnets import (
    Network,
    forward_operations,
    generator_for,
    parameter_count,
    plain_network,
)
from lib.experiments.embedded import dead_leaves
from lib.experiments.ensembles import Ensemble, arrange
from lib.experiments.settings import Settings
from lib.experiments.training import Trainer

# float32: the order of sums differs between one network and several; after the few steps below
# the largest difference seen was below 1e-6, and a wrong mask or stream shows at 1e-2
TOLERANCE = 2e-5


pytestmark = pytest.mark.usefixtures("one_thread")


def pixels(count=6, seed=0):
    return torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8,
                         generator=generator_for("test", seed))


def copy_of_plain(network):
    return plain_network(network.window, network.channels, network.seed)


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("mechanism", ["block", "grouped", "matmul"])
def test_scores_and_gradients_are_those_of_the_plain_network(window, mechanism):
    widths = (2, 5, 3) if mechanism == "block" else (3, 3, 3)
    networks = [Network(window, width, "none", seed) for seed, width in enumerate(widths)]
    ensemble = Ensemble(networks, mechanism=mechanism).double()
    images = torch.randn((4, 3, 32, 32), generator=generator_for("x"), dtype=torch.float64)
    labels = torch.tensor([0, 3, 9, 1])
    scores = ensemble(images)
    F.cross_entropy(scores.transpose(1, 2), labels[:, None].expand(-1, 3),
                    reduction="none").mean(0).sum().backward()
    ensemble._make_masks()  # double() replaced the tensors
    ensemble.mask_gradients()
    for place, network in enumerate(networks):
        plain = copy_of_plain(network).double()
        wanted = plain(images)
        torch.testing.assert_close(scores[:, place], wanted, rtol=1e-10, atol=1e-10)
        F.cross_entropy(wanted, labels).backward()
        gradients = Ensemble(networks, mechanism=mechanism).double()
        for mine, theirs in zip(gradients.parameters(), ensemble.parameters(), strict=True):
            mine.data = theirs.grad
        found = gradients.network(place)
        for block in range(5):
            torch.testing.assert_close(found[f"conv{block}"], plain[3 * block].weight.grad)
            torch.testing.assert_close(found[f"bias{block}"], plain[3 * block].bias.grad)
        torch.testing.assert_close(found["head"], plain[-1].weight.grad.T)


@pytest.mark.parametrize("mechanism", ["loop", "block", "auto", "measured"])
def test_together_and_alone_give_the_same_numbers(mechanism):
    data, settings = dead_leaves(40), Settings(images=40, batch_size=10, epochs=3)
    networks = [Network(2, 2, "color", 0), Network(2, 4, "color", 0), Network(2, 8, "spatial", 1)]
    together = Trainer(networks, settings, data, mechanism=mechanism)
    together.run()
    for place, network in enumerate(together.order):
        alone = Trainer([network], settings, data, mechanism="loop")
        alone.run()
        torch.testing.assert_close(
            torch.tensor(together.curves[place]["loss"]), torch.tensor(alone.curves[0]["loss"]),
            rtol=0, atol=TOLERANCE,
        )
        assert together.evaluate()[place] == pytest.approx(alone.evaluate()[0], abs=0.02)


@pytest.mark.parametrize("mechanism", ["grouped", "matmul"])
def test_equal_widths_of_several_streams_together(mechanism):
    data, settings = dead_leaves(20), Settings(images=20, batch_size=10, epochs=2)
    networks = [Network(3, 4, "color", 0), Network(3, 4, "spatial", 0), Network(3, 4, "color", 1)]
    together = Trainer(networks, settings, data, mechanism=mechanism)
    together.run()
    for place, network in enumerate(together.order):
        alone = Trainer([network], settings, data, mechanism="loop")
        alone.run()
        assert together.curves[place]["loss"] == pytest.approx(
            alone.curves[0]["loss"], abs=TOLERANCE)


def test_trainer_follows_a_hand_written_loop():
    data, settings = dead_leaves(20), Settings(images=20, batch_size=5, epochs=2)
    network = Network(3, 4, "spatial", 0)
    trainer = Trainer([network], settings, data)
    trainer.run()
    plain = copy_of_plain(network)
    optimizer = torch.optim.Adam(plain.parameters(), lr=settings.learning_rate, foreach=False)
    losses = []
    for epoch in range(settings.epochs):
        total = 0.0
        for images, labels in trainer.streams.epoch(epoch):
            loss = F.cross_entropy(plain(images.contiguous()), labels[:, 0])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        losses.append(total / len(data))
    assert trainer.curves[0]["loss"] == pytest.approx(losses, abs=TOLERANCE)


@pytest.mark.parametrize("kind", ["spatial", "color", "none"])
def test_augmentation_against_one_image_at_a_time(kind):
    images = pixels()
    augmenter = Augmenter(images, kind)
    draws = augmenter.draw(generator_for("draws"))
    batch = augmenter.batch(torch.tensor([5, 0, 2]), draws)
    for row, index in enumerate((5, 0, 2)):
        wanted = reference_image(images[index], kind, draws[index], augmenter.mean, augmenter.scale)
        torch.testing.assert_close(batch[row], wanted, rtol=0, atol=2e-5)


def test_color_conversion_against_colorsys_and_matplotlib():
    colors = pixels(1).float() / 255
    ours = rgb_to_hsv(colors)[0]
    pairs = colors[0].flatten(1).T.tolist()
    wanted = torch.tensor([colorsys.rgb_to_hsv(*pair) for pair in pairs]).T.reshape(3, 32, 32)
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-6)
    matplotlib_colors = pytest.importorskip("matplotlib.colors")
    other = matplotlib_colors.rgb_to_hsv(colors[0].permute(1, 2, 0).double().numpy())
    torch.testing.assert_close(ours.double(), torch.from_numpy(other).permute(2, 0, 1),
                               rtol=0, atol=1e-6)


def test_augmented_images_are_normalized_and_vary():
    data = dead_leaves(50)
    for kind in ("spatial", "color"):
        augmenter = Augmenter(data.images, kind)
        first, second = (
            augmenter.batch(torch.arange(50), augmenter.draw(generator_for(k))) for k in (0, 1)
        )
        assert (first != second).any(dim=(1, 2, 3)).sum() > 45
        assert abs(float(first.mean())) < 0.3 and 0.5 < float(first.std()) < 1.5


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("channels", [1, 7])
def test_counts(window, channels):
    network = plain_network(window, channels)
    assert parameter_count(window, channels) == sum(p.numel() for p in network.parameters())
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 32, 32))
    assert forward_operations(window, channels) == counter.get_total_flops()


def test_arrangement_by_width():
    networks = [Network(1, c, "none", 0) for c in (64, 2, 16, 4, 8)]
    shape = [[n.channels for n in members] for members, _ in arrange(networks)]
    assert shape == [[2, 4, 8], [16], [64]]
    small = arrange([Network(1, c, "none", 0) for c in (8, 16, 32)], batch_size=10)
    assert [[n.channels for n in members] for members, _ in small] == [[8, 16], [32]]
    on_gpu = arrange([Network(1, 8, "none", s) for s in range(3)], "cuda")
    assert [(len(members), kind) for members, kind in on_gpu] == [(3, "grouped")]


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="augmentation='colour'"):
        Network(1, 1, "colour", 0)
    with pytest.raises(ValueError, match="window=0"):
        Network(0, 1, "color", 0)
    with pytest.raises(ValueError, match=r"windows \[1, 2\] differ"):
        Ensemble([Network(1, 1, "none", 0), Network(2, 1, "none", 0)])
    with pytest.raises(ValueError, match=r"channels \[1, 2\] differ"):
        Ensemble([Network(1, 1, "none", 0), Network(1, 2, "none", 0)], mechanism="grouped")
    with pytest.raises(ValueError, match="epochs=0"):
        Settings(epochs=0)
    with pytest.raises(ValueError, match="uint8"):
        Augmenter(torch.zeros(2, 3, 32, 32), "none")


def test_product_network_is_an_arithmetic_circuit():
    """The scaled, shifted computation gives the scores of plain products, up to a factor."""
    network = Network(2, 3, "none", 0)
    ensemble = Ensemble([network, Network(2, 5, "none", 1)], model="convac").double()
    images = torch.randn((3, 3, 32, 32), generator=generator_for("x"), dtype=torch.float64)
    ours = ensemble(images)[:, 0]
    weights = ensemble.network(0)
    features = 1 + images
    for block in range(5):
        padded = F.pad(features, (0, 1, 0, 1), value=1.0)  # one is neutral for products
        kernel = weights[f"conv{block}"]
        shift = 1 + weights[f"bias{block}"] - kernel.sum((1, 2, 3))
        features = F.conv2d(padded, kernel, shift)
        features = features.unfold(2, 2, 2).unfold(3, 2, 2).prod(-1).prod(-1)
    plain = (features.flatten(1) - 1) @ weights["head"]
    ratio = ours / plain
    assert bool((ratio > 0).all())
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))


def test_product_networks_train_without_overflow_alone_as_together():
    settings = Settings(images=20, batch_size=10, epochs=4, model="convac")
    networks = [Network(3, 2, "color", 0), Network(3, 4, "color", 0)]
    together = Trainer(networks, settings, dead_leaves(20))
    together.run()
    for place, network in enumerate(together.order):
        alone = Trainer([network], settings, dead_leaves(20), mechanism="loop")
        alone.run()
        assert together.curves[place]["loss"] == pytest.approx(
            alone.curves[0]["loss"], abs=1e-3)  # products amplify the rounding of float32
    wild = Ensemble(networks, model="convac")
    with torch.no_grad():
        for parameter in wild.conv:
            parameter.mul_(1000)
    assert bool(torch.isfinite(wild(torch.randn(2, 3, 32, 32, generator=generator_for(1)))).all())
