"""Families of architectures that the theory speaks about, and Proposition 2 in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ..bounds.bound import Bound
from ..checks import integer, integers, is_integer, several, shown
from .architecture import Architecture, Layer


def _halvings(size, what):
    """log2 of a power of two, which is the number of blocks that reduce it to one cell."""
    if not is_integer(size) or size < 2 or int(size) & (int(size) - 1):
        raise ValueError(f"{what}: size must be a power of two, at least 2, "
                         f"got {shown(size)}")
    return int(size).bit_length() - 1


def stacked_blocks(
    convolutions: int,
    window: int,
    size: int,
    channels: int,
    width: int | Sequence[int],
    outputs: int = 1,
    ndim: int = 2,
) -> Architecture:
    """Blocks of some stride-1 convolutions and a 2 x 2 pooling, down to a single cell.

    Parameters
    ----------
    convolutions : int
        Stride-1 layers per block.
    window : int
        Their window C, in cells per axis.
    size : int
        Cells per axis H, a power of two.
    channels : int
        Representation channels M.
    width : int or sequence of int
        Channels of all layers of a block, one int per block or one for all blocks.
    outputs : int
        Channels of the last pooling.
    ndim : int
        1 or 2 axes.

    Returns
    -------
    Architecture

    Notes
    -----
    The shape of VGG. A pooling alone in its layer is a generalized convolution that mixes
    channels too.

    Examples
    --------
    >>> net = stacked_blocks(2, 3, size=8, channels=4, width=16)
    >>> [layer.window for layer in net.layers], net.output_sizes[-1], net.widths[-1]
    ([3, 3, 2, 3, 3, 2, 3, 3, 2], (1, 1), 1)
    """
    blocks = _halvings(size, "stacked_blocks")
    convolutions = integer("stacked_blocks: convolutions", convolutions, 0)
    widths = ((width,) * blocks if not several(width) else
              integers("stacked_blocks: width", width, 1))
    if len(widths) != blocks:
        raise ValueError(f"stacked_blocks: {len(widths)} widths {widths} for the {blocks} blocks "
                         f"that reduce size {size} to one cell")
    layers = []
    for block, channels_out in enumerate(widths, 1):
        layers += [Layer(window, 1, channels_out)] * convolutions
        layers.append(Layer(2, 2, outputs if block == blocks else channels_out))
    return Architecture(size, channels, tuple(layers), ndim)


def block_network(
    window: int,
    size: int,
    channels: int,
    width: int | Sequence[int],
    outputs: int = 1,
    ndim: int = 2,
) -> Architecture:
    """The network of Proposition 2: blocks of a B x B layer with stride 1 and a 2 x 2 pooling.

    Parameters
    ----------
    window : int
        B. With 1 the network has no overlaps.
    size, channels, width, outputs, ndim
        As in `stacked_blocks`.

    Examples
    --------
    >>> net = block_network(5, size=32, channels=64, width=128)
    >>> str(net.overlap_bound()), str(net.crossing_bound())
    ('64^32', '64^128')
    """
    return stacked_blocks(1, window, size, channels, width, outputs, ndim)


def proposition_2_layer(window: int, size: int) -> int:
    """The first B x B layer whose total receptive field exceeds half the size.

    Returns
    -------
    int
        Layer number K of `block_network`, always odd. Its block k = (K + 1) / 2 is the first
        with ``(2B - 1) 2^(k - 1) - B + 1 > H / 2``.

    Examples
    --------
    >>> proposition_2_layer(5, 32)
    5
    """
    blocks = _halvings(size, "proposition_2_layer")
    window, size = integer("proposition_2_layer: window", window), int(size)
    if window < 2:
        raise ValueError(f"proposition_2_layer: window B={window} has no overlaps; needs B >= 2")
    return next(2 * block - 1 for block in range(1, blocks + 1)  # the last one always sees enough
                if 2 * ((2 * window - 1) * 2 ** (block - 1) - window + 1) > size)


def proposition_2_bound(window: int, size: int, channels: int) -> Bound:
    """Proposition 2 in closed form: rank at least ``M^E`` with ``E = H^2 / (2 T_S^2)``.

    Parameters
    ----------
    window : int
        B >= 2.
    size : int
        H, a power of two.
    channels : int
        M; every width of the network is at least 2 M.

    Returns
    -------
    Bound
        At the layer of `proposition_2_layer`, whose H/2-minimal field is exactly H/2 + 1.

    Notes
    -----
    Proposition 2 of [Sharir & Shashua, 2018]; book/overlap-theorem.md.

    Examples
    --------
    >>> str(proposition_2_bound(5, 32, 64)), str(proposition_2_bound(5, 256, 64))
    ('64^32', '64^128')
    """
    layer = proposition_2_layer(window, size)
    if integer("proposition_2_bound: channels", channels) < 1:
        raise ValueError(f"proposition_2_bound: channels M={channels}; needs at least one")
    stride, size = 2 ** ((layer - 1) // 2), int(size)
    return Bound(channels, size**2 // (2 * stride**2), layer, size // 2)


def proposition_2_exponent(window: int, size: int) -> Fraction:
    """The least that Proposition 2 gives: ``E >= (2B - 1)^2 / 2 (1 + (2B - 2) / H)^(-2)``.

    Returns
    -------
    fractions.Fraction

    Examples
    --------
    >>> proposition_2_exponent(5, 32), float(proposition_2_exponent(5, 32))
    (Fraction(648, 25), 25.92)
    """
    window = integer("proposition_2_exponent: window", window, 1)
    size = integer("proposition_2_exponent: size", size, 1)
    return Fraction((2 * window - 1) ** 2 * size**2, 2 * (size + 2 * window - 2) ** 2)


def googlenet_stack(
    start: str = "conv1", window: int = 5, channels: int = 32
) -> Architecture:
    """GoogLeNet read as a chain: every inception module is one layer of its whole width.

    Parameters
    ----------
    start : {"conv1", "pixels"}
        Whether the representation layer is the first convolution (112 x 112 cells, 64 channels)
        or the image (224 x 224 cells).
    window : int
        Window of an inception layer: 5 as its widest branch, 3 as its 3 x 3 branch.
    channels : int
        Representation channels M when starting from pixels.

    Returns
    -------
    Architecture
        17 layers after the first convolution; padding is at the right and bottom.

    Notes
    -----
    The concatenated width flatters the module: its 5 x 5 branch passes through 16 to 48
    channels. Windows and widths from table 1 of [Szegedy et al., 2015]. See "GoogLeNet" in
    book/overlap-theorem.md.

    Examples
    --------
    >>> net = googlenet_stack()
    >>> net.overlap_bound()
    Bound(base=32, exponent=98, layer=8, shift=56, powers=())
    >>> str(googlenet_stack("pixels").overlap_bound())
    '32^98'
    """
    if start not in ("conv1", "pixels"):
        raise ValueError(f"googlenet_stack: start={shown(start)}; valid are 'conv1' and 'pixels'")

    def modules(*widths):
        return [Layer(window, 1, width) for width in widths]

    layers = [
        Layer(3, 2, 64), Layer(1, 1, 64), Layer(3, 1, 192), Layer(3, 2, 192),
        *modules(256, 480), Layer(3, 2, 480),                            # 3a, 3b
        *modules(512, 512, 512, 528, 832), Layer(3, 2, 832),             # 4a to 4e
        *modules(832, 1024), Layer(7, 7, 1024), Layer(1, 1, 1000),       # 5a, 5b
    ]
    if start == "conv1":
        return Architecture(112, 64, tuple(layers))
    return Architecture(224, channels, (Layer(7, 2, 64), *layers))
