"""Labelled sets of 32 x 32 color images: what they are, and two that need no download.

Dead leaves and patches of a photograph are memorization tasks: a few hundred exemplars with ten
arbitrary classes, all of the same kind, so that a network can only succeed by remembering them.
The classes carry no meaning, the images have the statistics of natural ones.
"""

import hashlib
from dataclasses import dataclass, field

import torch

from ..checks import integer, kind, real
from ..exact.device import made_on_the_cpu
from ..photograph import photograph
from .kinds import CLASSES, SIZE
from .networks import generator_for


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images, labels and their provenance.

    Parameters
    ----------
    images : torch.Tensor, shape (n, 3, 32, 32), uint8
    labels : torch.Tensor, shape (n,), int64, entries 0 to 9
    classes : tuple of str
    provenance : dict
        At least ``name``, ``origin`` and ``official`` (whether these are the published files).

    Raises
    ------
    TypeError
        If images or labels are no tensors.
    ValueError
        If shapes, types or labels do not fit.

    Examples
    --------
    >>> images = torch.zeros(10, 3, 32, 32, dtype=torch.uint8)
    >>> len(ImageSet(images, torch.arange(10), tuple("abcdefghij"), {"name": "black"}))
    10
    """

    images: torch.Tensor
    labels: torch.Tensor
    classes: tuple
    provenance: dict = field(default_factory=dict)

    def __post_init__(self):
        for name in ("images", "labels"):  # Torchvision has an array and a list
            kind(f"ImageSet: {name}", getattr(self, name), torch.Tensor)
        if self.images.dtype != torch.uint8 or self.images.shape[1:] != (3, SIZE, SIZE):
            raise ValueError(
                f"ImageSet: images of shape {tuple(self.images.shape)} and type "
                f"{self.images.dtype}, must be (n, 3, {SIZE}, {SIZE}) and torch.uint8"
            )
        if self.labels.shape != (len(self.images),) or self.labels.dtype != torch.int64:
            raise ValueError(
                f"ImageSet: labels of shape {tuple(self.labels.shape)} and type "
                f"{self.labels.dtype}, must be ({len(self.images)},) and torch.int64"
            )
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < CLASSES:
            raise ValueError(
                f"ImageSet: labels from {int(self.labels.min())} to {int(self.labels.max())}, "
                f"must lie in 0..{CLASSES - 1}"
            )

    def __len__(self):
        return len(self.images)

    @property
    def fingerprint(self):
        """SHA-256 of the pixels and labels, shortened to 16 hexadecimal digits."""
        digest = hashlib.sha256(self.images.contiguous().numpy().tobytes())
        digest.update(self.labels.to(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]

    @made_on_the_cpu
    def subset(self, count, seed=0):
        """`count` images, the classes as equally frequent as possible, drawn with a seed.

        Parameters
        ----------
        count : int or None
            None (or the full size) returns the set itself.
        seed : int

        Returns
        -------
        ImageSet

        Raises
        ------
        ValueError
            If there are fewer images, or fewer of some class than its share.
        """
        if count is None or count == len(self):
            return self
        count = integer("ImageSet.subset: count", count)
        if not CLASSES <= count < len(self):
            raise ValueError(
                f"ImageSet.subset: count={count}, must lie between {CLASSES} and {len(self)}"
            )
        generator = generator_for("subset", integer("ImageSet.subset: seed", seed))
        chosen = []
        for label in range(CLASSES):
            members = torch.nonzero(self.labels == label).flatten()
            share = count // CLASSES + (label < count % CLASSES)
            if len(members) < share:
                raise ValueError(
                    f"ImageSet.subset: class {label} has {len(members)} images, {share} are needed"
                )
            chosen.append(members[torch.randperm(len(members), generator=generator)[:share]])
        rows = torch.cat(chosen).sort().values
        part = f"{count} images, equal classes, seed {seed}"
        if "subset" in self.provenance:  # which images there are follows from every draw
            part += f", of {self.provenance['subset']}"
        provenance = {**self.provenance, "subset": part}
        return ImageSet(self.images[rows], self.labels[rows], self.classes, provenance)


@made_on_the_cpu
def dead_leaves(count=200, seed=0, leaves=120, smallest=2.0, largest=16.0):
    """Images of occluding disks with random places, radii and colors.

    The dead-leaves model of mathematical morphology: disks fall one on another.  In the model they
    do so until the plane is covered; here a given number does, and of the default about one pixel
    in sixteen stays bare, in a color of its image.  Radii follow the power law r^-3, which makes
    the image statistics nearly independent of scale, as in natural images.

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
    count, leaves = integer("dead_leaves: count", count), integer("dead_leaves: leaves", leaves)
    # NumPy's integers know no negative powers
    smallest, largest = (real("dead_leaves: radius", radius) for radius in (smallest, largest))
    if count < CLASSES or leaves < 1 or not 0 < smallest < largest:
        raise ValueError(
            f"dead_leaves: count={count}, leaves={leaves}, radii {smallest} to {largest}; must "
            f"have count >= {CLASSES}, leaves >= 1, 0 < smallest < largest"
        )
    generator = generator_for("dead leaves", integer("dead_leaves: seed", seed))

    def uniform(*shape):  # of one type, whatever the caller's default is
        return torch.rand(shape, generator=generator, dtype=torch.float32)

    # inverse of the distribution function of the density proportional to r^-3
    radii = (smallest**-2 - uniform(count, leaves) * (smallest**-2 - largest**-2)) ** -0.5
    rows = (uniform(count, leaves) * 1.5 - 0.25) * SIZE
    columns = (uniform(count, leaves) * 1.5 - 0.25) * SIZE
    colors = uniform(count, leaves, 3)
    images = uniform(count, 3, 1, 1).expand(count, 3, SIZE, SIZE)
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


@made_on_the_cpu
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
    count = integer("photograph_patches: count", count)
    generator = generator_for("photograph", integer("photograph_patches: seed", seed))
    pixels = photograph()  # (H, W, 3)
    height, width = (int(length) - SIZE + 1 for length in pixels.shape[:2])
    if not CLASSES <= count <= height * width:
        raise ValueError(
            f"photograph_patches: count={count}, must lie between {CLASSES} and {height * width}"
        )
    places = torch.randperm(height * width, generator=generator)[:count]
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
