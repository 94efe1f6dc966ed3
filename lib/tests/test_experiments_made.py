"""Images made here and downloaded ones, by definition: pixel by pixel, byte by byte, in words."""

import colorsys
import hashlib
import math

import numpy as np
import pytest
import scipy.ndimage
import torch

from lib.experiments import blobs as blob_module
from lib.experiments import cifar
from lib.experiments.augment import Augmenter, Stream, Strength, hsv_to_rgb, rgb_to_hsv
from lib.experiments.blobs import Blobs, _drawn, blobs, closedness, symmetry
from lib.experiments.images import ImageSet, dead_leaves, photograph_patches
from lib.experiments.kinds import KINDS
from lib.experiments.networks import Network, generator_for, initial_weights, mixed_seed
from lib.experiments.networks import plain_network as plain
from lib.experiments.pooled import PoolSettings
from lib.experiments.records import as_network
from lib.experiments.settings import Grid, Settings
from lib.photograph import photograph

pytestmark = pytest.mark.usefixtures("one_thread")


def numpy_blobs(count, generator):
    """`_drawn` in NumPy and SciPy, one image after the other; pixels too near the threshold too."""
    def uniform(low, high, *shape):
        return (low + (high - low) * torch.rand((count, *shape), generator=generator,
                                                dtype=torch.float64)).numpy()

    amplitude, frequency = uniform(0, 4), uniform(0, 6 * math.pi / 32)
    heights, angles = np.floor(2 ** uniform(3.5, 5) / 2), uniform(0, math.pi)
    small, low, right, mirrored = torch.randint(2, (4, count), generator=generator).numpy()
    noise, limit = uniform(0, 1, 32, 32), uniform(0.1, 0.33)
    made, near, y, x = [], [], *np.mgrid[:32, :32]
    for n in range(count):
        row = (y - np.trunc(amplitude[n] * np.sin(frequency[n] * x))) % 32
        shape = ((x - 15.5) / 16) ** 2 + ((row - 15.5) / heights[n]) ** 2 < 1
        turn = np.exp(1j * angles[n]) * (x - 15.5 + 1j * (y - 15.5))
        gray = scipy.ndimage.map_coordinates(
            shape.astype(float), [turn.imag + 15.5, turn.real + 15.5], order=1,
            mode="grid-constant")
        size = 32
        if small[n]:
            size = 16
            places = np.mgrid[:16, :16] * 31 / 15
            gray = scipy.ndimage.map_coordinates(gray, places, order=1, mode="nearest")
        lost = noise[n, :size, :size] < limit[n]
        if mirrored[n]:
            lost[:, size // 2:] = lost[:, :size // 2][:, ::-1]
        image, doubtful = np.zeros((2, 32, 32), bool)
        top, left = 16 * low[n] * small[n], 16 * right[n] * small[n]
        image[top:top + size, left:left + size] = (gray > 0.1) & ~lost
        doubtful[top:top + size, left:left + size] = abs(gray - 0.1) < 1e-9
        made.append(image)
        near.append(doubtful)
    return np.array(made), np.array(near)


def test_blobs_are_bent_turned_shrunk_and_lose_pixels_as_described():
    images, _, _ = _drawn(60, generator_for("numpy"))
    made, near = numpy_blobs(60, generator_for("numpy"))
    assert ((images.numpy() == made) | near).all() and near.sum() < 10


def test_blobs_come_in_batches_and_empty_images_are_drawn_again(monkeypatch):
    empty = iter([[0, 2], [0, 1, 2], [1], []])

    def drawn(count, generator):
        images, corner, side = _drawn(count, generator)
        images[next(empty)] = False
        return images, corner, side

    monkeypatch.setattr(blob_module, "_drawn", drawn)
    found, generator = blobs(5, "batches", batch=3), generator_for("blobs", "batches")
    draws = [_drawn(3, generator) for _ in range(4)]
    images, corner, side = (torch.cat(part)[[1, 6, 8, 9, 10]] for part in zip(*draws))
    assert torch.equal(found.images, images)
    assert torch.equal(found.closedness, closedness(images))
    assert torch.equal(found.symmetry, symmetry(images, corner, side))
    assert len(found.images) == len(found.symmetry) == 5 and next(empty, None) is None


def test_scores_of_images_that_are_not_square():
    image = torch.rand((6, 5, 9), generator=generator_for("wide")) < 0.6
    for one, score in zip(image.numpy(), closedness(image).tolist(), strict=True):
        closed = scipy.ndimage.binary_closing(np.pad(one, 2))[2:-2, 2:-2]
        assert score == one.sum() / closed.sum()
    corner, side = torch.tensor([[0, 0], [1, 2], [0, 5], [2, 6], [0, 1], [0, 8]]), torch.tensor(
        [9, 4, 4, 3, 5, 1])
    for n, ((top, left), size) in enumerate(zip(corner.tolist(), side.tolist(), strict=True)):
        image[n, :top] = image[n, top + size:] = False
        image[n, :, :left] = image[n, :, left + size:] = False
        image[n, top, left] = True
    for n, score in enumerate(symmetry(image, corner, side).tolist()):
        pixels = {(row, column) for row, column in image[n].nonzero().tolist()}
        both = [p for p in pixels if (p[0], 2 * corner[n, 1].item() + side[n].item() - 1 - p[1])
                in pixels]
        assert score == len(both) / len(pixels)


def test_a_task_of_few_images():
    scores = torch.tensor([0.5, 0.1, 0.9, 0.2])
    one = Blobs(torch.arange(4), scores, 1 - scores)
    assert [part.tolist() for part in one.task("closedness")] == [[1, 2], [0, 1]]
    assert [part.tolist() for part in one.task("symmetry")] == [[1, 2], [1, 0]]
    two = Blobs(torch.arange(2), scores[:2], scores[:2])
    assert [part.tolist() for part in two.task("symmetry")] == [[], []]


def test_dead_leaves_fall_one_on_another():
    """Radii of density r^-3: the distribution function at each is the number that was drawn."""
    count, leaves, small, large = 11, 3, 3.0, 20.0
    draw = generator_for("dead leaves", 5)
    shares, rows, columns = (torch.rand((count, leaves), generator=draw).double()
                             for _ in range(3))
    colors = torch.rand((count, leaves, 3), generator=draw).double()
    grounds = torch.rand((count, 3, 1, 1), generator=draw).double()
    wanted = torch.empty(count, 3, 32, 32, dtype=torch.float64)
    y, x = torch.meshgrid(*[torch.arange(32).double()] * 2, indexing="ij")
    for n in range(count):
        wanted[n] = grounds[n]
        for leaf in range(leaves):
            radius = (small**-2 - shares[n, leaf] * (small**-2 - large**-2)) ** -0.5
            middle = [(32 * (1.5 * part[n, leaf] - 0.25)) for part in (rows, columns)]
            inside = torch.hypot(y - middle[0], x - middle[1]) <= radius
            wanted[n][:, inside] = colors[n, leaf][:, None]
    data = dead_leaves(count, 5, leaves, small, large)
    assert torch.equal(data.images, (wanted * 255).round().to(torch.uint8))
    assert data.labels.tolist() == [*range(10), 0]
    assert data.classes == tuple(f"class {k}" for k in range(10))
    assert data.provenance == {
        "name": "dead-leaves", "official": True,
        "origin": "synthetic: 11 images of 3 disks, radii 3.0 to 20.0, seed 5"}
    usual = dead_leaves(10)
    assert usual.fingerprint == dead_leaves(10, 0, 120, 2.0, 16.0).fingerprint
    assert usual.provenance["origin"].endswith("10 images of 120 disks, radii 2.0 to 16.0, seed 0")
    assert len(dead_leaves(leaves=1)) == len(photograph_patches()) == 200
    for whole in (np.int64, np.uint8):  # whose negative powers are errors of NumPy
        assert dead_leaves(10, smallest=whole(2), largest=whole(16)).fingerprint == (
            usual.fingerprint)
    with pytest.raises(TypeError, match="dead_leaves: radius='16'; need a real number"):
        dead_leaves(10, largest="16")


def test_a_sixteenth_of_dead_leaves_stays_bare():
    """The docstring says so: 120 disks do not cover the plane."""
    count, leaves = 100, 120
    draw = generator_for("dead leaves", 0)
    torch.rand((count, 6 * leaves), generator=draw)  # radii, places, colors
    grounds = (torch.rand((count, 3, 1, 1), generator=draw) * 255).round()
    bare = (dead_leaves(count).images == grounds).all(1).double().mean()
    assert round(float(bare), 3) == 0.063


def test_patches_are_cut_at_the_places_of_a_random_order():
    pixels, data = photograph(), photograph_patches(12, seed=3)
    places = torch.randperm(569 * 481, generator=generator_for("photograph", 3))[:12].tolist()
    for image, place in zip(data.images, places, strict=True):
        top, left = divmod(place, 481)
        assert torch.equal(image, pixels[top:top + 32, left:left + 32].permute(2, 0, 1))
    assert data.labels.tolist() == [*range(10), 0, 1]
    assert data.provenance == {"name": "photograph-patches", "official": True, "origin":
                               "12 patches of Matplotlib's sample photograph, seed 3"}
    assert photograph_patches(10).fingerprint == photograph_patches(10, 0).fingerprint
    for count in (9, 569 * 481 + 1):
        with pytest.raises(ValueError) as refused:
            photograph_patches(count)
        assert str(refused.value) == (f"photograph_patches: count={count}, must lie between 10 and "
                                      f"{569 * 481}")


def numbered(count):
    """Images that are told apart by their first pixel."""
    images = torch.zeros(count, 3, 32, 32, dtype=torch.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = torch.arange(count), 1
    return ImageSet(images, torch.arange(count) * 7 % 10, ("a", "b"), {"name": "numbers"})


def test_a_subset_is_the_start_of_a_random_order_of_every_class():
    data, draw, rows = numbered(60), generator_for("subset", 4), []
    for label in range(10):
        members = [n for n in range(60) if 7 * n % 10 == label]
        order = torch.randperm(6, generator=draw).tolist()
        rows += [members[place] for place in order[:3 if label < 4 else 2]]
    found = data.subset(24, seed=4)
    assert found.images[:, 0, 0, 0].tolist() == sorted(rows)
    assert found.labels.tolist() == [7 * n % 10 for n in sorted(rows)]
    assert found.classes == ("a", "b")
    assert found.provenance == {"name": "numbers",
                                "subset": "24 images, equal classes, seed 4"}
    assert data.subset(24).fingerprint == data.subset(24, 0).fingerprint
    assert found.subset(12).provenance["subset"] == (  # not as if it were drawn of all
        "12 images, equal classes, seed 0, of 24 images, equal classes, seed 4")


def test_a_fingerprint_is_that_of_pixels_and_labels():
    data = numbered(20)
    content = data.images.numpy().tobytes() + bytes(data.labels.tolist())
    assert data.fingerprint == hashlib.sha256(content).hexdigest()[:16]
    turned = ImageSet(data.images.transpose(2, 3), data.labels, (), {})  # not contiguous
    assert turned.fingerprint != data.fingerprint
    assert ImageSet(data.images, data.labels, ()).provenance == {}


SHAPE = "of shape (20, 3, 32, 31) and type torch.uint8, must be (n, 3, 32, 32)"
WRONG = {
    "ImageSet: images " + SHAPE + " and torch.uint8":
        lambda d: ImageSet(d.images[..., :31], d.labels, ()),
    "ImageSet: labels of shape (19,) and type torch.int64, must be (20,) and torch.int64":
        lambda d: ImageSet(d.images, d.labels[:19], ()),
    "ImageSet: labels from 1 to 10, must lie in 0..9":
        lambda d: ImageSet(d.images, d.labels + 1, ()),
    "ImageSet.subset: count=21, must lie between 10 and 20": lambda d: d.subset(21),
    "ImageSet.subset: class 0 has 2 images, 3 are needed":
        lambda d: ImageSet(d.images.repeat(2, 1, 1, 1), torch.cat((d.labels, d.labels.clamp(1))),
                           ()).subset(30),
    "dead_leaves: count=9, leaves=120, radii 2.0 to 16.0; must have count >= 10, leaves >= 1, "
    "0 < smallest < largest": lambda d: dead_leaves(9),
    "Augmenter: images " + SHAPE + " with n >= 1 and torch.uint8":
        lambda d: Augmenter(d.images[..., :31], "none"),
    "Augmenter: kind='x', must be 'spatial', 'color' or 'none'":
        lambda d: Augmenter(d.images, "x"),
    "Strength: translation=32, color_shift=0.1, color_factor=(0.7, 1.4); must have an integer "
    "translation from 0 to 31, color_shift >= 0 and finite, 0 <= smallest <= largest factor":
        lambda d: Strength(32),
    "blobs: count=-1; need an integer >= 1": lambda d: blobs(-1, 0),
    "Blobs.task: 'size', must be one of ('closedness', 'symmetry')":
        lambda d: Blobs(d.images, d.labels, d.labels).task("size"),
    f"Network: block='B0', must be one of {', '.join(KINDS)}": lambda d: Network("B0", 1, "x", 0),
    "Network: channels=0, must be an int >= 1": lambda d: Network("B1", 0, "none", 0),
    "Network: seed='a', must be an int": lambda d: Network("B1", 1, "none", "a"),
    "Network: augmentation='x', must be one of ('spatial', 'color', 'none')":
        lambda d: Network("B1", 1, "x", 0),
    "Settings: data='x', must be one of ('dead-leaves', 'photograph-patches', 'cifar-10')":
        lambda d: Settings("x"),
    "Settings: batch_size=0, must be an integer >= 1": lambda d: Settings(batch_size=0),
    "Settings: learning_rate=1, must be a float in (0, 1)": lambda d: Settings(learning_rate=1),
    "Settings: images=9, must be an integer from 10 to 50000 for 'cifar-10'":
        lambda d: Settings("cifar-10", 9),
    "Settings: images=60000, must be an integer from 10 to 50000 for 'cifar-10'":
        lambda d: Settings("cifar-10", 60_000),
    "Settings: images=None, must be an integer from 10 to 100000 for 'dead-leaves'":
        lambda d: Settings(images=None),
    "Settings: strength=4, must be a Strength": lambda d: Settings(strength=4),
    "Grid: channels of B1 (2, 2), must be at least one, all different":
        lambda d: Grid({"B1": (2, 2)}),
    "Grid: kinds (), must be at least one, all different": lambda d: Grid({}),
    "PoolSettings: channels=0, must be an integer, at least 1": lambda d: PoolSettings(channels=0),
    "cifar10: split='x', must be 'train' or 'test'": lambda d: cifar.cifar10("x"),
    "from_folder: split='y', must be 'train' or 'test'": lambda d: cifar.from_folder(".", "y"),
    "is not the record of a network: it lacks accuracy, seed": lambda d: as_network(
        {"name": "a", "block": "B1", "channels": 1, "augmentation": "none"}),
    "is not the record of a network: accuracy=" + 40 * "7" + " is impossible":
        lambda d: as_network({**dict.fromkeys(("name", "block", "augmentation"), "a"),
                              "channels": 0, "seed": 0, "accuracy": int(50 * "7")}),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(message):
    with pytest.raises(ValueError) as refused:
        WRONG[message](numbered(20))
    assert str(refused.value) == message


@pytest.mark.parametrize("one, other", [
    (lambda: KINDS["B1"], lambda: KINDS["B2"]), (lambda: Strength(3), lambda: Strength(4)),
    (lambda: Settings(epochs=2), Settings), (lambda: PoolSettings(3), PoolSettings),
    (lambda: Network("B1", 2, "none", 0), lambda: Network("B1", 10, "none", 0)),
    (lambda: Grid({"B1": (1,)}), lambda: Grid({"B1": (2,)})),
])
def test_descriptions_are_equal_by_content_and_cannot_be_changed(one, other):
    assert one() == one() != other()
    with pytest.raises(AttributeError):
        setattr(one(), next(iter(vars(one()))), 1)
    if not isinstance(one(), Grid):  # which holds a dict
        assert len({one(), one(), other()}) == 2


def test_networks_are_ordered_by_kind_then_width():
    networks = [Network("B2", 1, "none", 0), Network("B1", 10, "none", 0),
                Network("B1", 2, "none", 1), Network("B1", 2, "color", 5)]
    assert sorted(networks) == networks[::-1]


def test_sets_of_images_are_compared_as_objects():
    for thing in (numbered(10), Blobs(*[torch.ones(3)] * 3)):
        assert thing == thing and {thing}
        with pytest.raises(AttributeError):
            thing.images = None


def test_seeds_are_the_first_63_bits_of_a_hash():
    digest = hashlib.sha256(b"('a', 1)").hexdigest()
    assert mixed_seed("a", 1) == int(digest[:16], 16) // 2
    generator = torch.Generator().manual_seed(mixed_seed("a", 1))
    assert torch.equal(torch.rand(3, generator=generator),
                       torch.rand(3, generator=generator_for("a", 1)))


def test_weights_are_drawn_block_by_block_then_the_dense_layer():
    kind = KINDS["depth3"]
    draw, apart = generator_for("weights", 1, 4, 2), generator_for("depth", 3, 4, 2)
    found = initial_weights("depth3", 4, 2)
    for block in range(5):
        inputs = 4 if block else 3
        drawn = torch.randn((4, inputs, 1, 1), generator=draw)
        torch.testing.assert_close(found[f"conv{block}"], drawn * math.sqrt(2 / inputs))
        torch.testing.assert_close(found[f"depth{block}"],
                                   torch.randn((4, 1, 3, 3), generator=apart) / 3)
        assert torch.equal(found[f"bias{block}"], torch.zeros(4))
    torch.testing.assert_close(found["head"], torch.randn((4, 10), generator=draw) / 2)
    assert torch.equal(found["head_bias"], torch.zeros(10)) and kind.variance(4) == 0.5
    assert torch.equal(plain(3, 2)[0].weight, plain(3, 2, 0)[0].weight)
    assert not torch.equal(plain(3, 2)[0].weight, plain(3, 2, 1)[0].weight)


COLORS = [(0, 0, 0), (1, 1, 1), (0.5, 0.5, 0.5), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0),
          (1, 0, 1), (0, 1, 1), (0.25, 0.5, 1), (0.9, 0.1, 0.3), (1, 0.5, 0.25), (0.3, 1, 0.3)]


def test_grays_and_corners_of_the_color_cube_are_those_of_colorsys_in_double_precision():
    colors = torch.tensor(COLORS, dtype=torch.float64).view(-1, 3, 1, 1)
    found = rgb_to_hsv(colors)
    wanted = torch.tensor([colorsys.rgb_to_hsv(*color) for color in COLORS], dtype=torch.float64)
    torch.testing.assert_close(found.flatten(1), wanted, rtol=0, atol=1e-15)
    assert hsv_to_rgb(found).dtype == torch.float64
    torch.testing.assert_close(hsv_to_rgb(found), colors, rtol=0, atol=1e-14)
    for turns in (-3, 2):  # hues of several turns
        found[:, 0] += turns
        torch.testing.assert_close(hsv_to_rgb(found), colors, rtol=0, atol=1e-14)
    wide = rgb_to_hsv(torch.rand((3, 2, 5), generator=generator_for("wide")))
    assert wide.shape == hsv_to_rgb(wide).shape == (3, 2, 5)


def test_images_are_normalized_channel_by_channel():
    images = torch.randint(0, 256, (7, 3, 32, 32), dtype=torch.uint8,
                           generator=generator_for("normal"))
    images[:, 1] //= 3
    images[:, 2] = 51
    augmenter = Augmenter(images, "none")
    plane = images.numpy() / 255
    assert augmenter.mean.flatten().tolist() == pytest.approx(plane.mean((0, 2, 3)), rel=1e-6)
    assert augmenter.scale.flatten().tolist() == pytest.approx(
        [*plane.std((0, 2, 3))[:2], 1], rel=1e-6)  # a constant channel stays as it is
    draws = augmenter.draw(generator_for("x"))
    assert draws.shape == (7, 0)
    batch = augmenter.batch(torch.tensor([3, 1]), draws)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert augmenter.strength == Strength() and augmenter.count == 7


@pytest.mark.parametrize("blue", [0, 51, 255])
def test_a_constant_channel_is_not_blown_up_by_what_colors_add_to_it(blue):
    """Microscopy has images without blue; recolored or tested they were a million times larger."""
    images = torch.randint(0, 256, (10, 3, 32, 32), dtype=torch.uint8,
                           generator=generator_for("no blue"))
    images[:, 2] = blue
    data = ImageSet(images, torch.arange(10), tuple("abcdefghij"))
    stream = Stream(data, "color", 0, 10)
    [(batch, _)] = stream.epoch(0)
    assert float(batch[:, 2].abs().max()) <= 1 and float(batch[:, :2].abs().max()) < 4
    [(batch, _)] = stream.plain(dead_leaves(10, leaves=1))  # with blue
    assert float(batch[:, 2].abs().max()) <= 1


@pytest.mark.parametrize("translation", [0, 3])
def test_random_moves_are_drawn_image_by_image(translation):
    images = numbered(5).images
    augmenter = Augmenter(images, "spatial", Strength(translation))
    draws, draw = augmenter.draw(generator_for("moves")), generator_for("moves")
    assert torch.equal(draws[:, :1], torch.randint(0, 2, (5, 1), generator=draw))
    assert torch.equal(draws[:, 1:], torch.randint(0, 2 * translation + 1, (5, 2), generator=draw))
    assert augmenter.data.shape == (2, 5, 3, *[2 * translation + 1] * 2, 32, 32)
    many = Augmenter(images.repeat(50, 1, 1, 1), "spatial", Strength(translation)).draw(draw)
    assert many.amax(0).tolist() == [1, 2 * translation, 2 * translation]
    assert many.amin(0).tolist() == [0, 0, 0]


def test_random_colors_are_drawn_in_their_ranges():
    augmenter = Augmenter(numbered(5).images, "color", Strength(4, 0.25, (0.5, 3.5)))
    unit = torch.rand((5, 5), generator=generator_for("colors"))
    torch.testing.assert_close(augmenter.draw(generator_for("colors")), torch.cat(
        (unit[:, :3] / 2 - 0.25, 0.5 + 3 * unit[:, 3:]), 1))


@pytest.mark.parametrize("augmentation", ["spatial", "color", "none"])
def test_a_stream_is_a_random_order_and_the_draws_after_it(augmentation):
    data, strength = dead_leaves(11, leaves=2), Strength(2, 0.2)
    stream = Stream(data, augmentation, 6, 4, strength)
    augmenter = Augmenter(data.images, augmentation, strength)
    assert (stream.count, stream.augmenter.strength) == (11, strength)
    for purpose in ("train", "evaluate"):
        draw = generator_for("stream", purpose, augmentation, 6, 3)
        order = torch.randperm(11, generator=draw)
        draws = augmenter.draw(draw)
        found = list(stream.epoch(3, purpose))
        assert [len(labels) for _, labels in found] == [4, 4, 3]
        assert torch.equal(torch.cat([images for images, _ in found]),
                           augmenter.batch(order, draws))
        assert torch.equal(torch.cat([labels for _, labels in found]), data.labels[order])
    usual = [labels for _, labels in stream.epoch(3)]
    assert torch.equal(torch.cat(usual), torch.cat([one for _, one in stream.epoch(3, "train")]))
    parts = list(stream.plain(data))
    assert [len(labels) for _, labels in parts] == [4, 4, 3]
    assert all(images.is_contiguous(memory_format=torch.channels_last) for images, _ in parts)
