"""The weights of an architecture as plain tensors: shapes, random draws, checks."""

from collections.abc import Sequence

import torch

from .architecture import Architecture

__all__ = [
    "ConvWeights",
    "bias_flags",
    "check_layer",
    "check_weights",
    "random_weights",
    "weight_shapes",
]

ConvWeights = Sequence[tuple[torch.Tensor, torch.Tensor | None]]
"""One (weight, bias) per layer; a bias of None stands for zeros."""

Shapes = tuple[tuple[int, ...], tuple[int, ...]]


def weight_shapes(architecture: Architecture, shared: bool = True) -> list[Shapes]:
    """The shapes (weight, bias) of every layer.

    Parameters
    ----------
    architecture : Architecture
    shared : bool
        One kernel for all windows of a layer, or one kernel for every output cell.

    Returns
    -------
    list of (weight shape, bias shape)
        (D, C, *window) and (D, *window); unshared, the output cells come first in both.

    Examples
    --------
    >>> from lib.networks.architecture import Layer
    >>> net = Architecture(4, 3, (Layer(2, 2, 5), Layer(2, 2, 1)))
    >>> weight_shapes(net)
    [((5, 3, 2, 2), (5, 2, 2)), ((1, 5, 2, 2), (1, 2, 2))]
    >>> weight_shapes(net, shared=False)[0]
    ((2, 2, 5, 3, 2, 2), (2, 2, 5, 2, 2))
    """
    shapes = []
    for below, window in enumerate(architecture.windows):
        inputs, outputs = architecture.widths[below : below + 2]
        cells = () if shared else architecture.output_sizes[below + 1]
        shapes.append(((*cells, outputs, inputs, *window), (*cells, outputs, *window)))
    return shapes


def bias_flags(architecture: Architecture, biases: bool | Sequence[bool]) -> tuple[bool, ...]:
    """One flag per layer, from one flag for all or a sequence.

    Examples
    --------
    >>> from lib.networks.architecture import Layer
    >>> bias_flags(Architecture(4, 3, (Layer(2, 2, 5), Layer(2, 2, 1))), True)
    (True, True)
    """
    flags = (biases,) * architecture.depth if isinstance(biases, bool) else tuple(biases)
    if len(flags) != architecture.depth or not all(isinstance(flag, bool) for flag in flags):
        raise ValueError(
            f"biases={biases!r}: give one bool, or one per layer ({architecture.depth} layers)"
        )
    return flags


def random_weights(
    architecture: Architecture,
    arithmetic,
    generator: torch.Generator,
    shared: bool = True,
    biases: bool | Sequence[bool] = True,
) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    """Independent random weights and biases, layer by layer.

    Parameters
    ----------
    architecture : Architecture
    arithmetic : Real or Modular
        Where the entries are drawn: standard normal numbers, or residues mod p.
    generator : torch.Generator
    shared : bool
        As in :func:`weight_shapes`.
    biases : bool or sequence of bool
        For all layers or layer by layer.

    Examples
    --------
    >>> from lib.exact.arithmetic import Modular
    >>> from lib.networks.architecture import Layer
    >>> net = Architecture(4, 3, (Layer(2, 2, 5), Layer(2, 2, 1)))
    >>> drawn = random_weights(net, Modular(), torch.Generator().manual_seed(0),
    ...                        biases=(True, False))
    >>> [(tuple(weight.shape), bias is None) for weight, bias in drawn]
    [((5, 3, 2, 2), False), ((1, 5, 2, 2), True)]
    """
    drawn = []
    shapes = weight_shapes(architecture, shared)
    flags = bias_flags(architecture, biases)
    for (weight, bias), flag in zip(shapes, flags, strict=True):
        matrix = arithmetic.random(weight, generator)
        drawn.append((matrix, arithmetic.random(bias, generator) if flag else None))
    return drawn


def check_weights(architecture: Architecture, weights: ConvWeights) -> None:
    """Raise a ValueError unless the weights are those of the architecture, shared or unshared.

    Every layer may be shared or unshared, with or without a bias, on its own.

    Examples
    --------
    >>> from lib.networks.architecture import Layer
    >>> net = Architecture(4, 3, (Layer(4, 4, 1),))
    >>> check_weights(net, [(torch.ones(1, 2, 4, 4), None)])
    Traceback (most recent call last):
    ...
    ValueError: check_weights: layer 1 has a weight of shape (1, 2, 4, 4); need (1, 3, 4, 4), or \
(1, 1, 1, 3, 4, 4) if unshared
    """
    if len(weights) != architecture.depth:
        raise ValueError(
            f"check_weights: {len(weights)} pairs (weight, bias) for {architecture.depth} layers"
        )
    either = weight_shapes(architecture), weight_shapes(architecture, shared=False)
    for layer, (weight, bias) in enumerate(weights, 1):
        shared, unshared = (shapes[layer - 1] for shapes in either)
        fitting = [s for s in (shared, unshared) if tuple(weight.shape) == s[0]]
        if not fitting:
            raise ValueError(
                f"check_weights: layer {layer} has a weight of shape {tuple(weight.shape)}; need "
                f"{shared[0]}, or {unshared[0]} if unshared"
            )
        if bias is not None and tuple(bias.shape) != fitting[0][1]:
            raise ValueError(
                f"check_weights: layer {layer} has a bias of shape {tuple(bias.shape)}; the weight "
                f"{tuple(weight.shape)} needs {fitting[0][1]} or None"
            )


def check_layer(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: tuple[int, ...]
) -> None:
    """Raise a ValueError unless input, weight, bias and stride are those of one layer.

    Examples
    --------
    >>> check_layer(torch.ones(5, 3, 4), torch.ones(2, 3, 2), torch.ones(2), (1,))
    Traceback (most recent call last):
    ...
    ValueError: generalized_conv: bias of shape (2,); weight (2, 3, 2) needs (2, 2) or None
    """
    axes = x.ndim - 2
    if axes not in (1, 2) or len(stride) != axes or any(s < 1 for s in stride):
        raise ValueError(
            f"generalized_conv: input of shape {tuple(x.shape)} with stride {stride}; need "
            "(batch, channels, cells) or (batch, channels, height, width) and one positive "
            "stride per axis"
        )
    outputs = tuple(-(-n // s) for n, s in zip(x.shape[2:], stride, strict=True))
    lead = tuple(weight.shape[: max(0, weight.ndim - 2 - axes)])
    if weight.ndim not in (2 + axes, 2 + 2 * axes) or lead not in ((), outputs):
        raise ValueError(
            f"generalized_conv: weight of shape {tuple(weight.shape)} for input "
            f"{tuple(x.shape)}; need (D, C, *window), or {outputs} before it if unshared"
        )
    if weight.shape[len(lead) + 1] != x.shape[1]:
        raise ValueError(
            f"generalized_conv: weight of shape {tuple(weight.shape)} takes "
            f"{weight.shape[len(lead) + 1]} channels, the input {tuple(x.shape)} has {x.shape[1]}"
        )
    needed = (*weight.shape[: len(lead) + 1], *weight.shape[-axes:])
    if bias is not None and tuple(bias.shape) != tuple(needed):
        raise ValueError(
            f"generalized_conv: bias of shape {tuple(bias.shape)}; weight "
            f"{tuple(weight.shape)} needs {tuple(needed)} or None"
        )
