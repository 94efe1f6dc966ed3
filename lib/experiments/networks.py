"""One network of the experiments: its name, its seeds and its starting point."""

import hashlib
from dataclasses import dataclass

import torch
from torch import nn

from ..checks import choice, integer, whole
from ..exact.device import made_on_the_cpu
from .kinds import BLOCKS, CLASSES, COLORS, KINDS

AUGMENTATIONS = ("spatial", "color")


@dataclass(frozen=True, order=True)
class Network:
    """One network of the grid: what distinguishes it from the others in the same figure.

    Parameters
    ----------
    block : str
        Name of its kind, a key of :data:`lib.experiments.kinds.KINDS`.
    channels : int
        Number C of channels of every block, at least 1.
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
    >>> Network("B3", channels=8, augmentation="color", seed=0).name
    'B3-C8-color-s0'
    """

    block: str
    channels: int
    augmentation: str
    seed: int

    def __post_init__(self):
        for name in ("channels", "seed"):  # NumPy's have no place in a file
            object.__setattr__(self, name, whole(getattr(self, name)))
        if self.block not in KINDS:
            raise ValueError(f"Network: block={self.block!r}, must be one of {', '.join(KINDS)}")
        if type(self.channels) is not int or self.channels < 1:
            raise ValueError(f"Network: channels={self.channels!r}, must be an int >= 1")
        if type(self.seed) is not int:
            raise ValueError(f"Network: seed={self.seed!r}, must be an int")
        if self.augmentation not in (*AUGMENTATIONS, "none"):
            raise ValueError(
                f"Network: augmentation={self.augmentation!r}, must be one of "
                f"{(*AUGMENTATIONS, 'none')}"
            )

    @property
    def name(self):
        return f"{self.block}-C{self.channels}-{self.augmentation}-s{self.seed}"

    @property
    def kind(self):
        """What its blocks compute."""
        return KINDS[self.block]


def mixed_seed(*parts):
    """A 63-bit seed that depends on every part (integers or strings) and on nothing else.

    Examples
    --------
    >>> mixed_seed("weights", 0) == mixed_seed("weights", 0) != mixed_seed("weights", 1)
    True
    """
    parts = tuple(str.__str__(part) if isinstance(part, str)  # NumPy's texts print their type
                  else integer("mixed_seed: part of the seed", part)
                  for part in parts)  # a generator is printed with its place in memory
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator_for(*parts):
    """A CPU generator seeded by `mixed_seed`."""
    return torch.Generator().manual_seed(mixed_seed(*parts))


@made_on_the_cpu
def initial_weights(block, channels, seed):
    """The starting point of a network, the same whatever trains it.

    Normal weights of the variance :meth:`lib.experiments.kinds.Kind.variance` (He's for sums),
    variance 1/C for the dense layer, zero biases.  Kinds with equally many weights start from the
    same numbers up to that scale, so that they can be compared seed by seed.  The source leaves
    the initialization open; this is the usual choice for ReLU networks.

    Parameters
    ----------
    block : str
        Name of a kind.
    channels, seed : int

    Returns
    -------
    dict of str to torch.Tensor
        For windows of side B ``"conv0"`` ... ``"conv4"`` of shape (C, inputs, B, B), or
        (C, inputs, 1, 1) where all offsets share a map, ``"bias0"`` ... of shape (C,), or
        (C, B, B) where every offset has a map of its own, ``"depth0"`` ... of shape (C, 1, B, B)
        where a depthwise sum follows, ``"head"`` of shape (C, 10) and ``"head_bias"`` of shape
        (10,), float32.

    Examples
    --------
    >>> [tuple(initial_weights(kind, 4, seed=0)["conv1"].shape) for kind in ("B3", "same3")]
    [(4, 4, 3, 3), (4, 4, 1, 1)]
    """
    kind = KINDS[choice("initial_weights: block", block, KINDS)]
    channels = integer("initial_weights: channels", channels, 1)
    seed = integer("initial_weights: seed", seed)  # a text would make other weights
    generator = generator_for("weights", kind.side, channels, seed)
    weights = {}
    inputs = COLORS

    def normal(*shape, source=generator):  # of one type, whatever the caller's default is
        return torch.randn(shape, generator=source, dtype=torch.float32)

    for number in range(BLOCKS):
        shape = (channels, inputs, kind.side, kind.side)
        scale = kind.variance(inputs) ** 0.5
        weights[f"conv{number}"] = normal(*shape) * scale
        weights[f"bias{number}"] = torch.zeros(kind.bias_shape(channels), dtype=torch.float32)
        inputs = channels
    if kind.combine == "depth":  # drawn apart: the 1 x 1 maps start where those of B1 do
        shape, apart = (channels, 1, kind.window, kind.window), generator_for(
            "depth", kind.window, channels, seed)
        for number in range(BLOCKS):
            weights[f"depth{number}"] = normal(*shape, source=apart) / kind.window
    weights["head"] = normal(channels, CLASSES) * channels**-0.5
    weights["head_bias"] = torch.zeros(CLASSES, dtype=torch.float32)
    return weights


@made_on_the_cpu
def plain_network(window, channels, seed=0):
    """A published network as one would write it first: the reference for numbers and for speed.

    Parameters
    ----------
    window, channels, seed : int
        The window B of its convolutions, from 1 to 5; the channels C; the seed.

    Returns
    -------
    torch.nn.Sequential
        Maps images (batch, 3, 32, 32) to scores (batch, 10).

    Examples
    --------
    >>> plain_network(3, 8)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    window = integer("plain_network: window", window, 1, 5)
    channels = integer("plain_network: channels", channels, 1)
    layers, inputs = [], COLORS
    for _ in range(BLOCKS):
        layers += [
            nn.Conv2d(inputs, channels, window, padding="same"),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        inputs = channels
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, CLASSES))
    weights = initial_weights(f"B{window}", channels, seed)
    with torch.no_grad():
        for block in range(BLOCKS):
            network[3 * block].weight.copy_(weights[f"conv{block}"])
            network[3 * block].bias.copy_(weights[f"bias{block}"])
        network[-1].weight.copy_(weights["head"].T)
        network[-1].bias.copy_(weights["head_bias"])
    return network
