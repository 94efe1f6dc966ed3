"""Random blobs with two labels, how closed and how symmetric they are, for two pooling geometries.

The benchmark of Cohen & Shashua (2017): black and white images of 32 x 32 pixels, each with one
blob; the 40 percent with the largest and the 40 percent with the smallest score are the two
classes. Written from their description and the constants that their scripts publish;
book/pooling-geometry.md lists what is chosen here. `pooled.py` has the networks.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..checks import integer
from ..exact.device import made_on_the_cpu
from .networks import generator_for

__all__ = ["Blobs", "TASKS", "blobs", "closedness", "symmetry"]

SIDE = 32
TASKS = ("closedness", "symmetry")
SHARE = 0.4  # of the images, in each of the two classes


@dataclass(frozen=True, eq=False)
class Blobs:
    """Images of blobs and their scores.

    Parameters
    ----------
    images : torch.Tensor, shape (n, 32, 32), bool
    closedness, symmetry : torch.Tensor, shape (n,), float64
        Between 0 and 1.

    Examples
    --------
    >>> found = blobs(10, seed=0)
    >>> images, labels = found.task("symmetry")
    >>> images.shape, labels.tolist().count(1)
    (torch.Size([8, 32, 32]), 4)
    """

    images: torch.Tensor
    closedness: torch.Tensor
    symmetry: torch.Tensor

    def task(self, name):
        """The images of a task and their labels: the largest scores are 1, the smallest 0.

        Parameters
        ----------
        name : str
            ``"closedness"`` or ``"symmetry"``.

        Returns
        -------
        images : torch.Tensor, shape (2 k, 32, 32), bool
            k = ⌊0.4 n⌋ of either class, in the order in which they were made; equal scores at a
            border are taken in that order too.
        labels : torch.Tensor, shape (2 k,), int64

        Raises
        ------
        ValueError
            If there is no such task.
        """
        if name not in TASKS:
            raise ValueError(f"Blobs.task: {name!r}, must be one of {TASKS}")
        order = getattr(self, name).argsort(stable=True)
        count = int(SHARE * len(order))
        labels = torch.full((len(order),), -1, device=order.device)
        labels[order[:count]] = 0
        labels[order[len(order) - count:]] = 1
        kept = labels >= 0
        return self.images[kept], labels[kept]


@made_on_the_cpu
def blobs(count, seed, batch=500):
    """Random blobs.

    An ellipse as wide as the image is bent by a sine, turned, shrunk to one quarter of the image
    or left as it is, and loses pixels at random, half of the time symmetrically.

    Parameters
    ----------
    count : int
        At least 1.
    seed : int or str
    batch : int
        Images made at once; another number makes other images.

    Returns
    -------
    Blobs

    Raises
    ------
    ValueError
        If the count or the batch is not positive.

    Examples
    --------
    >>> found = blobs(3, seed=0)
    >>> found.images.shape, bool((blobs(3, seed=0).images == found.images).all())
    (torch.Size([3, 32, 32]), True)
    """
    count, batch = integer("blobs: count", count, 1), integer("blobs: batch", batch, 1)
    generator = generator_for("blobs", seed)
    parts = []
    while sum(len(images) for images, *_ in parts) < count:
        images, corner, side = _drawn(batch, generator)
        some = images.any(2).any(1)  # an empty image is drawn again
        images, corner, side = images[some], corner[some], side[some]
        parts.append((images, closedness(images), symmetry(images, corner, side)))
    return Blobs(*(torch.cat(column)[:count] for column in zip(*parts, strict=True)))


def _drawn(count, generator):
    """Images, with the corner (row, column) and the side of the square that holds each blob."""
    def uniform(low, high, shape=()):
        return low + (high - low) * torch.rand((count, *shape), generator=generator,
                                               dtype=torch.float64)

    line = torch.arange(SIDE, dtype=torch.float64)
    # the warp moves every column by whole pixels, around the border
    wave = uniform(0, 4)[:, None] * (uniform(0, 3 * 2 * math.pi / SIDE)[:, None] * line).sin()
    height = (2 ** uniform(3.5, 5) / 2).floor()[:, None, None]  # half of the ellipse's
    row = (line[:, None] - wave.trunc()[:, None]) % SIDE  # (count, 32, 32)
    middle = (SIDE - 1) / 2
    ellipse = ((line - middle) / (SIDE // 2)) ** 2 + ((row - middle) / height) ** 2 < 1

    angle = uniform(0, math.pi)
    turn = torch.stack((torch.stack((angle.cos(), -angle.sin()), 1),
                        torch.stack((angle.sin(), angle.cos()), 1)), 1)
    turn = torch.cat((turn, torch.zeros(count, 2, 1, dtype=turn.dtype)), 2)
    grid = F.affine_grid(turn, (count, 1, SIDE, SIDE), align_corners=True)
    gray = F.grid_sample(ellipse.double()[:, None], grid, align_corners=True)
    small = F.interpolate(gray, SIDE // 2, mode="bilinear", align_corners=True)

    coin = torch.randint(2, (4, count), generator=generator)  # small, row, column, symmetric
    side = torch.where(coin[0] == 1, SIDE // 2, SIDE)
    corner = SIDE // 2 * coin[1:3].T * coin[0][:, None]
    mask = uniform(0, 1, (SIDE, SIDE)) < uniform(0.1, 0.33)[:, None, None]
    images = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
    for n, (size, (top, left)) in enumerate(zip(side.tolist(), corner.tolist(), strict=True)):
        dropped = mask[n, :size, :size]
        if coin[3, n]:
            half = dropped[:, :size // 2]
            dropped = torch.cat((half, half.flip(1)), 1)
        blob = (gray if size == SIDE else small)[n, 0] > 0.1
        images[n, top:top + size, left:left + size] = blob & ~dropped
    return images, corner, side


def closedness(images):
    """Pixels of a blob, divided by those of its morphological closing.

    Parameters
    ----------
    images : torch.Tensor, shape (n, height, width), bool
        With at least one pixel each.

    Returns
    -------
    torch.Tensor, shape (n,), float64

    Notes
    -----
    The closing is one dilation and one erosion with a pixel and its four neighbors, outside the
    image as inside.

    Examples
    --------
    >>> ring = torch.tensor([[[1, 1, 1], [1, 0, 1], [1, 1, 1]]]).bool()
    >>> closedness(ring).item() == 8 / 9
    True
    """
    height, width = images.shape[1:]
    plane = F.pad(images, (2, 2, 2, 2))
    grown = plane.clone()
    grown[:, 1:] |= plane[:, :-1]
    grown[:, :-1] |= plane[:, 1:]
    grown[:, :, 1:] |= plane[:, :, :-1]
    grown[:, :, :-1] |= plane[:, :, 1:]
    closed = grown.clone()
    closed[:, 1:] &= grown[:, :-1]
    closed[:, :-1] &= grown[:, 1:]
    closed[:, :, 1:] &= grown[:, :, :-1]
    closed[:, :, :-1] &= grown[:, :, 1:]
    closed = closed[:, 2:2 + height, 2:2 + width]
    return images.sum((1, 2)).double() / closed.sum((1, 2))


def symmetry(images, corner, side):
    """Share of a blob's pixels whose mirror image, left to right in its square, is in it too.

    Parameters
    ----------
    images : torch.Tensor, shape (n, height, width), bool
        With at least one pixel each, all inside the squares.
    corner : torch.Tensor, shape (n, 2), int64
        Row and column of the squares' top left pixels.
    side : torch.Tensor, shape (n,), int64

    Returns
    -------
    torch.Tensor, shape (n,), float64

    Examples
    --------
    >>> image = torch.tensor([[[1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]).bool()
    >>> found = symmetry(image, torch.tensor([[0, 0]]), torch.tensor([3]))
    >>> found.item() == 2 / 3
    True
    """
    column = torch.arange(images.shape[2], device=images.device)
    mirror = 2 * corner[:, 1:] + side[:, None] - 1 - column  # (n, width)
    inside = (mirror >= 0) & (mirror < images.shape[2])
    place = mirror.clamp(0, images.shape[2] - 1)[:, None].expand(images.shape)
    mirrored = images.gather(2, place) & inside[:, None]
    return (images & mirrored).sum((1, 2)).double() / images.sum((1, 2))
