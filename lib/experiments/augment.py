"""Augmentations in batches, and the stream of augmented batches that a network looks at.

Spatial: a random translation of at most a few pixels and a random horizontal flip.  Color, after
Dosovitskiy et al.: independent random shifts of hue, saturation and luminance, and random
multipliers of saturation and luminance.  Luminance is the value of the HSV color space, as in
Dosovitskiy et al.; the ranges, which the source leaves open, are arguments.

All draws come from a CPU generator, so every device sees the same augmented images.  A stream is
determined by the augmentation and the seed alone: networks of every kind and width with the same
seed see the same images in the same order, whether they train alone or together, on one machine or
on ten, from the start or from a checkpoint.
"""

from dataclasses import dataclass

import torch

from ..checks import choice, integer, real
from ..exact.device import made_on_the_cpu
from .kinds import SIZE
from .networks import generator_for


@dataclass(frozen=True)
class Strength:
    """Ranges of the augmentations.

    Parameters
    ----------
    translation : int
        Largest shift in pixels along each axis, both directions.
    color_shift : float
        Largest shift of hue (in turns), saturation and luminance (of a range of 1).
    color_factor : tuple of float
        Smallest and largest multiplier of saturation and luminance.

    Raises
    ------
    ValueError
        If a range is negative, not finite or empty, or a value no number.

    Examples
    --------
    >>> Strength().translation
    4
    """

    translation: int = 4
    color_shift: float = 0.1
    color_factor: tuple = (0.7, 1.4)

    def __post_init__(self):
        try:
            shift, low, high = (float(real("", value)) + 0.0  # one way to write every number
                                for value in (self.color_shift, *self.color_factor))
            move = integer("", self.translation, 0, SIZE - 1)
            valid = True
        except (TypeError, ValueError):
            valid = False
        if not (valid and 0 <= shift and 0 <= low <= high):
            raise ValueError(
                f"Strength: translation={self.translation}, color_shift={self.color_shift}, "
                f"color_factor={self.color_factor}; must have an integer translation from "
                f"0 to {SIZE - 1}, color_shift >= 0 and finite, 0 <= smallest <= largest factor"
            )
        object.__setattr__(self, "translation", move)
        object.__setattr__(self, "color_shift", shift)  # settings are compared as they are written
        object.__setattr__(self, "color_factor", (low, high))


def rgb_to_hsv(images):
    """Hue, saturation and value of images with entries in [0, 1].

    Parameters
    ----------
    images : torch.Tensor, shape (..., 3, height, width)

    Returns
    -------
    torch.Tensor, same shape; hue in turns, from 0 to 1 (where roundings lead to it).

    Examples
    --------
    >>> rgb_to_hsv(torch.tensor([0.0, 0.5, 0.5]).view(3, 1, 1)).flatten().tolist()
    [0.5, 1.0, 0.5]
    """
    red, green, blue = images.unbind(-3)
    value, largest = images.max(-3)
    spread = value - images.amin(-3)
    safe = torch.where(spread > 0, spread, torch.ones_like(spread))
    sixth = torch.where(
        largest == 0,
        (green - blue) / safe,
        torch.where(largest == 1, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    hue = torch.where(spread > 0, (sixth / 6).remainder(1), torch.zeros_like(sixth))
    saturation = spread / torch.where(value > 0, value, torch.ones_like(value))
    return torch.stack((hue, saturation, value), -3)


def hsv_to_rgb(images):
    """Inverse of `rgb_to_hsv`; any real hue is read modulo one turn.

    Examples
    --------
    >>> color = torch.tensor([0.2, 0.9, 0.4]).view(3, 1, 1)
    >>> torch.allclose(hsv_to_rgb(rgb_to_hsv(color)), color)
    True
    """
    hue, saturation, value = (channel.unsqueeze(-3) for channel in images.unbind(-3))
    offsets = torch.tensor([5 / 6, 3 / 6, 1 / 6], device=images.device, dtype=images.dtype)
    turn = hue + offsets.view(3, 1, 1)  # (..., 3, height, width)
    turn = (turn - turn.floor()) * 6
    weight = (2 - (turn - 2).abs()).clamp(0, 1)
    return value - value * saturation * weight


class Augmenter:
    """Random versions of a fixed set of images, normalized per color channel.

    From a channel that has the same value everywhere only the mean is taken off.

    Parameters
    ----------
    images : torch.Tensor, shape (n, 3, 32, 32), uint8
    kind : str
        ``"spatial"``, ``"color"`` or ``"none"``.
    strength : Strength
    device : torch.device or str

    Raises
    ------
    ValueError
        If the images have another shape or type, or the kind is unknown.

    Examples
    --------
    >>> images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    >>> augmenter = Augmenter(images, "spatial")
    >>> draws = augmenter.draw(torch.Generator().manual_seed(0))
    >>> augmenter.batch(torch.tensor([0, 3]), draws).shape
    torch.Size([2, 3, 32, 32])
    """

    @made_on_the_cpu
    def __init__(self, images, kind, strength=None, device="cpu"):
        strength = Strength() if strength is None else strength
        if not isinstance(strength, Strength):
            raise TypeError(f"Augmenter: strength={strength!r}, must be a Strength")
        if images.dtype != torch.uint8 or images.shape[1:] != (3, SIZE, SIZE) or not len(images):
            raise ValueError(
                f"Augmenter: images of shape {tuple(images.shape)} and type {images.dtype}, must "
                f"be (n, 3, {SIZE}, {SIZE}) with n >= 1 and torch.uint8"
            )
        if kind not in ("spatial", "color", "none"):
            raise ValueError(f"Augmenter: kind={kind!r}, must be 'spatial', 'color' or 'none'")
        self.kind, self.strength, self.count = kind, strength, len(images)
        self.device = torch.device(device)
        # .double() on chunks: exact enough and never eight times the data set in memory
        chunks = [chunk.double() / 255 for chunk in images.split(4096)]
        mean = sum(chunk.sum((0, 2, 3)) for chunk in chunks) / (self.count * SIZE**2)
        square = sum((chunk**2).sum((0, 2, 3)) for chunk in chunks) / (self.count * SIZE**2)
        variance = square - mean**2  # of a channel of one value roundings, nothing to divide by
        scale = torch.where(variance > 1e-12, variance, 1).sqrt()
        self.mean = mean.float().view(3, 1, 1).to(self.device)
        self.scale = scale.float().view(3, 1, 1).to(self.device)
        self._store(images)

    def _store(self, images):
        """Keep the images in the form in which a batch is one look-up."""
        if self.kind == "color":
            chunks = [rgb_to_hsv(chunk.float() / 255) for chunk in images.split(4096)]
            self.data = torch.cat(chunks).to(self.device)
            return
        images = images.to(self.device)
        if self.kind == "none":
            self.data = images
            return
        border = self.strength.translation
        fill = (self.mean * 255).round().to(torch.uint8)  # a border that is zero once normalized
        padded = fill.expand(self.count, 3, SIZE + 2 * border, SIZE + 2 * border).clone()
        padded[..., border:border + SIZE, border:border + SIZE] = images
        both = torch.stack((padded, padded.flip(-1)))  # (2, n, 3, 32 + 2t, 32 + 2t)
        self.data = both.unfold(3, SIZE, 1).unfold(4, SIZE, 1)  # a view: every translation

    @made_on_the_cpu
    def draw(self, generator):
        """Random parameters for every image, once (one epoch).

        Returns
        -------
        torch.Tensor
            Shape (n, 3): flip, row and column offset (spatial, int64); shape (n, 5): shifts of
            hue, saturation, value and factors of saturation, value (color); (n, 0) otherwise.
        """
        if self.kind == "spatial":
            places = 2 * self.strength.translation + 1
            flips = torch.randint(0, 2, (self.count, 1), generator=generator)
            moves = torch.randint(0, places, (self.count, 2), generator=generator)
            return torch.cat((flips, moves), 1).to(self.device)
        if self.kind == "color":
            unit = torch.rand((self.count, 5), generator=generator, dtype=torch.float32)
            shifts = (2 * unit[:, :3] - 1) * self.strength.color_shift
            low, high = self.strength.color_factor
            return torch.cat((shifts, low + (high - low) * unit[:, 3:]), 1).to(self.device)
        return torch.zeros((self.count, 0), device=self.device)

    def batch(self, indices, draws):
        """Augmented, normalized float32 images in channels-last memory order.

        Parameters
        ----------
        indices : torch.Tensor, shape (batch,), int64
            Which images.
        draws : torch.Tensor
            Parameters of all n images, from `draw`.

        Returns
        -------
        torch.Tensor, shape (batch, 3, 32, 32)
        """
        if self.kind == "color":
            images = self._recolored(indices, draws[indices])
        elif self.kind == "spatial":
            flip, row, column = draws[indices].unbind(1)
            images = self.data[flip, indices, :, row, column].float() / 255
        else:
            images = self.data[indices].float() / 255
        images = (images - self.mean) / self.scale
        return images.contiguous(memory_format=torch.channels_last)

    def _recolored(self, indices, draws):
        images = self.data[indices]
        draws = draws[:, :, None, None]  # (batch, 5, 1, 1)
        rest = images[:, 1:] * draws[:, 3:5] + draws[:, 1:3]
        return hsv_to_rgb(torch.cat((images[:, :1] + draws[:, :1], rest.clamp(0, 1)), 1))


class Stream:
    """Batches of augmented images.

    Parameters
    ----------
    data : ImageSet
    augmentation : str
    seed : int
    batch_size : int
    strength : Strength
    device : torch.device or str

    Examples
    --------
    >>> from lib.experiments.images import dead_leaves
    >>> stream = Stream(dead_leaves(20), "spatial", 0, 5)
    >>> [images.shape for images, labels in stream.epoch(0)][0]
    torch.Size([5, 3, 32, 32])
    """

    def __init__(self, data, augmentation, seed, batch_size, strength=None, device="cpu"):
        self.augmentation, self.seed = augmentation, integer("Stream: seed", seed)
        self.batch_size, self.count = integer("Stream: batch_size", batch_size, 1), len(data)
        self.device = torch.device(device)
        self.labels = data.labels.to(self.device)
        self.augmenter = Augmenter(data.images, augmentation, strength, device)

    def epoch(self, number, purpose="train"):
        """All batches of one epoch.

        Parameters
        ----------
        number : int
        purpose : str
            ``"train"`` or ``"evaluate"``: independent draws.

        Yields
        ------
        images : torch.Tensor, shape (batch, 3, 32, 32)
        labels : torch.Tensor, shape (batch,)
        """
        purpose = choice("epoch: purpose", purpose, ("train", "evaluate"))
        number = integer("epoch: number", number)
        generator = generator_for("stream", purpose, self.augmentation, self.seed, number)
        order = torch.randperm(self.count, generator=generator, device="cpu").to(self.device)
        draws = self.augmenter.draw(generator)
        for rows in order.split(self.batch_size):
            yield self.augmenter.batch(rows, draws), self.labels[rows]

    def plain(self, data):
        """All batches of other images, normalized like these but not augmented.

        Parameters
        ----------
        data : ImageSet

        Yields
        ------
        images, labels : torch.Tensor
            As `epoch`.
        """
        mean, scale = self.augmenter.mean, self.augmenter.scale
        for images, labels in zip(data.images.split(self.batch_size),
                                  data.labels.split(self.batch_size), strict=True):
            images = (images.to(self.device).float() / 255 - mean) / scale
            yield (images.contiguous(memory_format=torch.channels_last),
                   labels.to(self.device))
