"""A set of labelled 32 x 32 color images that knows where it comes from."""

import hashlib
from dataclasses import dataclass, field

import torch

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
        if not CLASSES <= count < len(self):
            raise ValueError(
                f"ImageSet.subset: count={count}, must lie between {CLASSES} and {len(self)}"
            )
        generator = generator_for("subset", seed)
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
        provenance = {**self.provenance, "subset": f"{count} images, equal classes, seed {seed}"}
        return ImageSet(self.images[rows], self.labels[rows], self.classes, provenance)
