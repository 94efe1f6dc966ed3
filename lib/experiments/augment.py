"""Augmentations in batches, on the device that holds the images, seeded per epoch.

Spatial: a random translation of at most a few pixels and a random horizontal flip.  Color, after
Dosovitskiy et al.: independent random shifts of hue, saturation and luminance, and random
multipliers of saturation and luminance.  Luminance is the value of the HSV color space, as in
Dosovitskiy et al.; the ranges, which the source leaves open, are arguments.

All draws come from a CPU generator, so every device sees the same augmented images.
"""

from dataclasses import dataclass

import torch

from .kinds import SIZE


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

    Examples
    --------
    >>> Strength().translation
    4
    """

    translation: int = 4
    color_shift: float = 0.1
    color_factor: tuple = (0.7, 1.4)


def rgb_to_hsv(images):
    """Hue, saturation and value of images with entries in [0, 1].

    Parameters
    ----------
    images : torch.Tensor, shape (..., 3, height, width)

    Returns
    -------
    torch.Tensor, same shape; hue in [0, 1) turns.

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

    def __init__(self, images, kind, strength=None, device="cpu"):
        strength = strength or Strength()
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
        scale = (square - mean**2).clamp_min(1e-12).sqrt()
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
            unit = torch.rand((self.count, 5), generator=generator)
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


def reference_image(image, kind, draw, mean, scale, strength=None):
    """One augmented image computed the slow way, pixel by pixel: the reference for `Augmenter`.

    Parameters
    ----------
    image : torch.Tensor, shape (3, 32, 32), uint8
    kind : str
    draw : sequence
        One row of `Augmenter.draw`.
    mean, scale : torch.Tensor, three entries each
    strength : Strength

    Returns
    -------
    torch.Tensor, shape (3, 32, 32), normalized
    """
    import colorsys

    strength = strength or Strength()
    mean, scale = mean.flatten(), scale.flatten()
    result = torch.zeros(3, SIZE, SIZE)
    if kind == "spatial":
        flip, row, column = (int(value) for value in draw)
        fill = (mean * 255).round() / 255
    for i in range(SIZE):
        for j in range(SIZE):
            if kind == "spatial":
                y, x = i + row - strength.translation, j + column - strength.translation
                inside = 0 <= y < SIZE and 0 <= x < SIZE
                x = SIZE - 1 - x if flip else x
                pixel = image[:, y, x] / 255 if inside else fill
            elif kind == "color":
                hue, saturation, value = colorsys.rgb_to_hsv(*(image[:, i, j] / 255).tolist())
                saturation = min(max(saturation * float(draw[3]) + float(draw[1]), 0), 1)
                value = min(max(value * float(draw[4]) + float(draw[2]), 0), 1)
                hue = (hue + float(draw[0])) % 1
                pixel = torch.tensor(colorsys.hsv_to_rgb(hue, saturation, value))
            else:
                pixel = image[:, i, j] / 255
            result[:, i, j] = (pixel - mean) / scale
    return result


