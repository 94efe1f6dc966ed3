"""Streams of augmented batches.

A stream is determined by the augmentation and the seed alone: networks of every window and width
with the same seed see the same images in the same order, whether they train alone or together, on
one machine or on ten, from the start or from a checkpoint.
"""

import torch

from .augment import Augmenter
from .convnets import generator_for


class Streams:
    """The batches of several (augmentation, seed) pairs, side by side.

    Parameters
    ----------
    data : ImageSet
    pairs : sequence of (str, int)
        Augmentation and seed of every stream.
    batch_size : int
    strength : Strength
    device : torch.device or str

    Examples
    --------
    >>> from lib.experiments.embedded import dead_leaves
    >>> streams = Streams(dead_leaves(20), [("spatial", 0), ("color", 0)], 5)
    >>> [images.shape for images, labels in streams.epoch(0)][0]
    torch.Size([5, 6, 32, 32])
    """

    def __init__(self, data, pairs, batch_size, strength=None, device="cpu"):
        self.pairs, self.batch_size, self.count = list(pairs), batch_size, len(data)
        self.device = torch.device(device)
        self.labels = data.labels.to(self.device)
        self.augmenters = {
            kind: Augmenter(data.images, kind, strength, device)
            for kind in sorted({kind for kind, _ in self.pairs})
        }

    def epoch(self, number, purpose="train"):
        """All batches of one epoch.

        Parameters
        ----------
        number : int
        purpose : str
            ``"train"`` or ``"evaluate"``: independent draws.

        Yields
        ------
        images : torch.Tensor, shape (batch, 3 * streams, 32, 32)
        labels : torch.Tensor, shape (batch, streams)
        """
        orders, draws = [], []
        for kind, seed in self.pairs:
            generator = generator_for("stream", purpose, kind, seed, number)
            orders.append(torch.randperm(self.count, generator=generator).to(self.device))
            draws.append(self.augmenters[kind].draw(generator))
        for start in range(0, self.count, self.batch_size):
            rows = [order[start:start + self.batch_size] for order in orders]
            images = [
                self.augmenters[kind].batch(row, draw)
                for (kind, _), row, draw in zip(self.pairs, rows, draws, strict=True)
            ]
            labels = torch.stack([self.labels[row] for row in rows], 1)
            yield images[0] if len(images) == 1 else torch.cat(images, 1), labels
