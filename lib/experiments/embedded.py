"""Image sets that need no download: dead leaves, and patches of a photograph.

Both are memorization tasks: a few hundred exemplars with ten arbitrary classes, all of the same
kind, so that a network can only succeed by remembering them.  The classes carry no meaning, the
images have the statistics of natural ones.
"""

import torch

from ..photograph import photograph
from .imageset import ImageSet
from .kinds import CLASSES, SIZE
from .networks import generator_for


def dead_leaves(count=200, seed=0, leaves=120, smallest=2.0, largest=16.0):
    """Images of occluding disks with random places, radii and colors.

    The dead-leaves model of mathematical morphology: disks fall one on another until the plane is
    covered.  Radii follow the power law r^-3, which makes the image statistics nearly independent
    of scale, as in natural images.

    Parameters
    ----------
    count : int
        Number of images, at least 10.
    seed : int
    leaves : int
        Disks per image.
    smallest, largest : float
        Range of the radii in pixels.

    Returns
    -------
    ImageSet
        `count` images in ten classes of equal size (up to one image).

    Raises
    ------
    ValueError
        If a count or radius is out of range.

    Examples
    --------
    >>> dead_leaves(20).images.shape
    torch.Size([20, 3, 32, 32])
    """
    if count < CLASSES or leaves < 1 or not 0 < smallest < largest:
        raise ValueError(
            f"dead_leaves: count={count}, leaves={leaves}, radii {smallest} to {largest}; must "
            f"have count >= {CLASSES}, leaves >= 1, 0 < smallest < largest"
        )
    generator = generator_for("dead leaves", seed)
    shape = (count, leaves)
    uniform = torch.rand(shape, generator=generator)
    # inverse of the distribution function of the density proportional to r^-3
    radii = (smallest**-2 - uniform * (smallest**-2 - largest**-2)) ** -0.5
    rows = (torch.rand(shape, generator=generator) * 1.5 - 0.25) * SIZE
    columns = (torch.rand(shape, generator=generator) * 1.5 - 0.25) * SIZE
    colors = torch.rand((*shape, 3), generator=generator)
    images = torch.rand((count, 3, 1, 1), generator=generator).expand(count, 3, SIZE, SIZE)
    line = torch.arange(SIZE).float()
    for leaf in range(leaves):
        row = (line[:, None] - rows[:, leaf, None, None]) ** 2
        column = (line - columns[:, leaf, None, None]) ** 2
        inside = row + column <= radii[:, leaf, None, None] ** 2  # (count, H, W)
        images = torch.where(inside[:, None], colors[:, leaf, :, None, None], images)
    return _with_arbitrary_classes((images * 255).round().to(torch.uint8), {
        "name": "dead-leaves", "official": True,
        "origin": f"synthetic: {count} images of {leaves} disks, radii {smallest} to {largest}, "
                  f"seed {seed}",
    })


def photograph_patches(count=200, seed=0):
    """Random 32 x 32 patches of the photograph that Matplotlib ships as sample data.

    Parameters
    ----------
    count : int
        Number of patches, at least 10; overlapping places are possible, equal ones are not.
    seed : int

    Returns
    -------
    ImageSet

    Raises
    ------
    ValueError
        If count is out of range.

    Examples
    --------
    >>> photograph_patches(20).labels.bincount().tolist()
    [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    """
    pixels = photograph()  # (H, W, 3)
    height, width = (int(length) - SIZE + 1 for length in pixels.shape[:2])
    if not CLASSES <= count <= height * width:
        raise ValueError(
            f"photograph_patches: count={count}, must lie between {CLASSES} and {height * width}"
        )
    places = torch.randperm(height * width, generator=generator_for("photograph", seed))[:count]
    windows = pixels.unfold(0, SIZE, 1).unfold(1, SIZE, 1)  # (H', W', 3, 32, 32)
    images = windows[places // width, places % width].to(torch.uint8)
    return _with_arbitrary_classes(images, {
        "name": "photograph-patches", "official": True,
        "origin": f"{count} patches of Matplotlib's sample photograph, seed {seed}",
    })


def _with_arbitrary_classes(images, provenance):
    labels = torch.arange(len(images)) % CLASSES
    names = tuple(f"class {number}" for number in range(CLASSES))
    return ImageSet(images.contiguous(), labels, names, provenance)
