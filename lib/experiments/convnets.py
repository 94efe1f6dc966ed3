"""The ConvNet of the experiments, its size and its initialization.

A network is five blocks of [B x B convolution with C channels, stride 1, same padding, ReLU,
2 x 2 max pooling] and a dense layer with ten outputs, on 32 x 32 color images: the architecture of
the experiments in [Sharir & Shashua, 2018] (book/convnet-experiments.md).  `plain_network` writes
it in the most direct way; `ensembles.py` computes the same function faster.
"""

import hashlib
from dataclasses import dataclass

import torch
from torch import nn

BLOCKS = 5
COLORS = 3
SIZE = 32
CLASSES = 10
AUGMENTATIONS = ("spatial", "color")


@dataclass(frozen=True, order=True)
class Network:
    """One network of the grid: what distinguishes it from the others in the same figure.

    Parameters
    ----------
    window : int
        Side B of the receptive field of every convolution, at least 1.
    channels : int
        Number C of channels of every convolution, at least 1.
    augmentation : str
        ``"spatial"``, ``"color"`` or ``"none"``.
    seed : int
        Seed of the initialization, of the order of the images and of their augmentation.

    Raises
    ------
    ValueError
        If a value lies outside these ranges.

    Examples
    --------
    >>> Network(window=3, channels=8, augmentation="color", seed=0).name
    'B3-C8-color-s0'
    """

    window: int
    channels: int
    augmentation: str
    seed: int

    def __post_init__(self):
        for field in ("window", "channels"):
            if not isinstance(getattr(self, field), int) or getattr(self, field) < 1:
                raise ValueError(f"Network: {field}={getattr(self, field)!r}, must be an int >= 1")
        if self.augmentation not in (*AUGMENTATIONS, "none"):
            raise ValueError(
                f"Network: augmentation={self.augmentation!r}, must be one of "
                f"{(*AUGMENTATIONS, 'none')}"
            )

    @property
    def name(self):
        return f"B{self.window}-C{self.channels}-{self.augmentation}-s{self.seed}"


def parameter_count(window, channels):
    """Number of parameters, biases included.

    Parameters
    ----------
    window, channels : int
        B and C.

    Returns
    -------
    int

    Examples
    --------
    >>> parameter_count(window=2, channels=4)
    374
    >>> sum(p.numel() for p in plain_network(2, 4).parameters())
    374
    """
    first = window**2 * COLORS * channels + channels
    others = (BLOCKS - 1) * (window**2 * channels**2 + channels)
    return first + others + CLASSES * channels + CLASSES


def forward_operations(window, channels):
    """Multiplications and additions of one forward pass of one image (convolutions and head).

    Parameters
    ----------
    window, channels : int
        B and C.

    Returns
    -------
    int
        Floating-point operations; a training step costs about three times as many.

    Examples
    --------
    >>> forward_operations(window=1, channels=1)
    6844
    """
    total = 2 * CLASSES * channels
    inputs = COLORS
    for block in range(BLOCKS):
        total += 2 * window**2 * inputs * channels * (SIZE >> block) ** 2
        inputs = channels
    return total


def mixed_seed(*parts):
    """A 63-bit seed that depends on every part (integers or strings) and on nothing else.

    Examples
    --------
    >>> mixed_seed("weights", 0) == mixed_seed("weights", 0) != mixed_seed("weights", 1)
    True
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator_for(*parts):
    """A CPU generator seeded by `mixed_seed`."""
    return torch.Generator().manual_seed(mixed_seed(*parts))


def initial_weights(window, channels, seed):
    """The starting point of a network, the same whatever trains it.

    He's normal initialization for the convolutions, variance 1/C for the dense layer, zero biases.
    The source leaves the initialization open; this is the usual choice for ReLU networks.

    Parameters
    ----------
    window, channels, seed : int

    Returns
    -------
    dict of str to torch.Tensor
        ``"conv0"`` ... ``"conv4"`` of shape (C, inputs, B, B), ``"bias0"`` ... of shape (C,),
        ``"head"`` of shape (C, 10) and ``"head_bias"`` of shape (10,), float32.

    Examples
    --------
    >>> tuple(initial_weights(3, 4, seed=0)["conv1"].shape)
    (4, 4, 3, 3)
    """
    generator = generator_for("weights", window, channels, seed)
    weights = {}
    inputs = COLORS
    for block in range(BLOCKS):
        scale = (2 / (inputs * window**2)) ** 0.5
        shape = (channels, inputs, window, window)
        weights[f"conv{block}"] = torch.randn(shape, generator=generator) * scale
        weights[f"bias{block}"] = torch.zeros(channels)
        inputs = channels
    weights["head"] = torch.randn((channels, CLASSES), generator=generator) * channels**-0.5
    weights["head_bias"] = torch.zeros(CLASSES)
    return weights


def plain_network(window, channels, seed=0):
    """The network as one would write it first: the reference for numbers and for speed.

    Parameters
    ----------
    window, channels, seed : int

    Returns
    -------
    torch.nn.Sequential
        Maps images (batch, 3, 32, 32) to scores (batch, 10).

    Examples
    --------
    >>> plain_network(3, 8)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    layers, inputs = [], COLORS
    for _ in range(BLOCKS):
        layers += [
            nn.Conv2d(inputs, channels, window, padding="same"),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        inputs = channels
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, CLASSES))
    weights = initial_weights(window, channels, seed)
    with torch.no_grad():
        for block in range(BLOCKS):
            network[3 * block].weight.copy_(weights[f"conv{block}"])
            network[3 * block].bias.copy_(weights[f"bias{block}"])
        network[-1].weight.copy_(weights["head"].T)
        network[-1].bias.copy_(weights["head_bias"])
    return network
