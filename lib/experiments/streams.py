"""The stream of augmented batches that a network looks at.

A stream is determined by the augmentation and the seed alone: networks of every kind and width
with the same seed see the same images in the same order, whether they train alone or together, on
one machine or on ten, from the start or from a checkpoint.
"""

import torch

from .augment import Augmenter
from .networks import generator_for


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
    >>> from lib.experiments.embedded import dead_leaves
    >>> stream = Stream(dead_leaves(20), "spatial", 0, 5)
    >>> [images.shape for images, labels in stream.epoch(0)][0]
    torch.Size([5, 3, 32, 32])
    """

    def __init__(self, data, augmentation, seed, batch_size, strength=None, device="cpu"):
        self.augmentation, self.seed = augmentation, seed
        self.batch_size, self.count = batch_size, len(data)
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
        generator = generator_for("stream", purpose, self.augmentation, self.seed, number)
        order = torch.randperm(self.count, generator=generator).to(self.device)
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
