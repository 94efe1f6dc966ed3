"""Generalized convolutions in any arithmetic: one affine map per window offset, then pooling.

Inside this module the cells come first: values are laid out as ``(*cells, channels, batch)``, so
that one-dimensional and two-dimensional, shared and unshared layers are the same matrix products
``(D, C) @ (C, batch)``, broadcast over the cells.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod

import torch

from ..checks import choice, floats, integer, is_integer, kind, shown
from ..exact.arithmetic import Modular, chosen_arithmetic
from .architecture import Architecture, Weights

__all__ = ["POOLINGS", "forward", "generalized_conv", "grid_network", "offset_factors"]

POOLINGS = ("product", "max", "sum", "mean")
Activation = Callable[[torch.Tensor], torch.Tensor]


def offset_factors(
    cells: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    arithmetic,
) -> Iterator[tuple[tuple[int, ...], torch.Tensor]]:
    """What every output cell computes from the cell at one offset of its window, by offset.

    Parameters
    ----------
    cells : torch.Tensor, shape (*cells, C, batch)
    weight : torch.Tensor, shape (D, C, *window), or (*output cells, D, C, *window) if unshared
    bias : torch.Tensor, shape (D, *window) or (*output cells, D, *window), or None
    stride : sequence of int, one per axis
    arithmetic : Real or Modular

    Yields
    ------
    offset : tuple of int
    factor : torch.Tensor, shape (*output cells, D, batch)
        Where the window reaches into the padding the factor is the bias, 0 without biases.

    Notes
    -----
    One offset at a time: the memory is that of one output map, whatever the window.
    """
    axes = cells.ndim - 2
    lead = weight.ndim - 2 - axes  # 0, or the output cells of an unshared layer
    outputs = tuple(-(-n // s) for n, s in zip(cells.shape[:axes], stride, strict=True))
    if bias is not None:  # the bias is the weight of a channel that is always 1
        cells = torch.cat([cells, torch.ones_like(cells[..., :1, :])], dim=-2)
        weight = torch.cat([weight, bias.unsqueeze(lead + 1)], dim=lead + 1)
    for offset in product(*map(range, weight.shape[-axes:])):
        seen = cells[tuple(slice(o, None, s) for o, s in zip(offset, stride, strict=True))]
        within = tuple(slice(n) for n in seen.shape[:axes])
        matrix = weight[(..., *offset)]  # (D, C) or (*outputs, D, C)
        factor = arithmetic.matmul(matrix[within] if lead else matrix, seen)
        if seen.shape[:axes] != outputs:  # the other windows see padding at this offset
            padding = torch.zeros_like(matrix[..., -1]) if bias is None else matrix[..., -1]
            whole = padding[..., None].expand(*outputs, -1, cells.shape[-1])
            whole = whole + factor.new_zeros(())  # a copy, batched by vmap where the factor is
            whole[within] = factor
            factor = whole
        yield offset, factor  # (*outputs, D, batch)


def generalized_conv(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: int | Sequence[int],
    arithmetic=None,
    pooling: str = "product",
    activation: str | Activation | None = None,
) -> torch.Tensor:
    """One generalized convolution: an affine map per window offset, then pooling over offsets.

    Parameters
    ----------
    x : torch.Tensor, shape (batch, C, *cells)
        One or two axes of cells.
    weight : torch.Tensor, shape (D, C, *window), or (*output cells, D, C, *window)
        Shared by all windows, or one per output cell (unshared).
    bias : torch.Tensor, shape (D, *window) or (*output cells, D, *window), or None
        None stands for zero biases.
    stride : int or sequence of int
    arithmetic : Real or Modular, optional
        Real numbers unless given.
    pooling : {"product", "max", "sum", "mean"}
    activation : None, "relu" or callable
        Applied to every affine map, of shape (batch, D, *output cells), before pooling; None is
        the identity.

    Returns
    -------
    torch.Tensor, shape (batch, D, *output cells), output cells = ceil(cells / stride)

    Raises
    ------
    ValueError
        If shapes do not fit, or residues are asked to take a maximum or an activation.
    TypeError
        If an argument is of another kind, or the tensors are not of one floating point type.

    Notes
    -----
    ``out[c,u,v] = prod over i, j of (<W[c,i,j], x[:, uS+i, vS+j]> + b[c,i,j])`` for the product;
    windows are anchored at their top-left cell and padding is by zeros at the right and bottom.
    The GC layer of [Sharir & Shashua, 2018]; see book/receptive-field-algebra.md.

    Examples
    --------
    >>> x = torch.tensor([[[1.0, 2.0, 3.0]]])
    >>> weight, bias = torch.tensor([[[1.0, 10.0]]]), torch.tensor([[0.0, 5.0]])
    >>> generalized_conv(x, weight, bias, stride=1).tolist()
    [[[25.0, 70.0, 15.0]]]
    """
    arithmetic = chosen_arithmetic("generalized_conv", arithmetic)
    activate = checked_activation(activation, pooling, arithmetic)
    floats("generalized_conv: x, weight and bias", x, weight, *(() if bias is None else (bias,)))
    axes = x.ndim - 2
    stride = tuple(stride) if isinstance(stride, (list, tuple)) else (stride,) * axes
    _check_layer(x, weight, bias, stride)
    stride = tuple(map(int, stride))
    x, weight = arithmetic.taken(x), arithmetic.taken(weight)
    bias = None if bias is None else arithmetic.taken(bias)
    cells = x.movedim((0, 1), (-1, -2))  # (*cells, C, batch)
    pooled = _layer(cells, weight, bias, stride, arithmetic, pooling, activate)
    return pooled.movedim((-1, -2), (0, 1))


def _check_layer(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: tuple[int, ...]
) -> None:
    """Raise a ValueError unless input, weight, bias and stride are those of one layer."""
    axes = x.ndim - 2
    whole = all(is_integer(s) and s > 0 for s in stride)
    if axes not in (1, 2) or len(stride) != axes or not whole:
        raise ValueError(
            f"generalized_conv: input of shape {tuple(x.shape)} with stride {shown(stride)}; need "
            "(batch, channels, cells) or (batch, channels, height, width) and one positive "
            "stride per axis"
        )
    outputs = tuple(-(-n // int(s)) for n, s in zip(x.shape[2:], stride, strict=True))
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


def forward(
    architecture: Architecture,
    weights: Weights,
    x: torch.Tensor,
    arithmetic=None,
    pooling: str = "product",
    activation: str | Activation | None = None,
) -> torch.Tensor:
    """Run the network of an architecture forward.

    Parameters
    ----------
    architecture : Architecture
    weights : list of (weight, bias), one pair per layer
        As drawn by :meth:`Architecture.random_weights`.
    x : torch.Tensor, shape (batch, M, *cells)
        Representation values.
    arithmetic, pooling, activation
        As in :func:`generalized_conv`, the same for all layers.

    Returns
    -------
    torch.Tensor, shape (batch, D_L, *output cells)

    Raises
    ------
    ValueError
        If the weights or the input do not fit the architecture, or residues are asked to take a
        maximum or an activation.
    TypeError
        If an argument is of another kind, or the tensors are not of one floating point type.

    Examples
    --------
    >>> from lib import Real
    >>> net = Architecture(4, 2, ((3, 2, 2), (2, 2, 1)))
    >>> weights = net.random_weights(Real(), torch.Generator().manual_seed(0))
    >>> forward(net, weights, torch.ones(5, 2, 4, 4, dtype=torch.float64)).shape
    torch.Size([5, 1, 1, 1])
    """
    arithmetic = chosen_arithmetic("forward", arithmetic)
    activate = checked_activation(activation, pooling, arithmetic)
    require_input("forward", architecture, weights, x)
    weights = architecture.map_weights(arithmetic.taken, weights)
    cells = arithmetic.taken(x).movedim((0, 1), (-1, -2))  # (*cells, M, batch)
    for (weight, bias), stride in zip(weights, architecture.strides, strict=True):
        cells = _layer(cells, weight, bias, stride, arithmetic, pooling, activate)
    return cells.movedim((-1, -2), (0, 1))


def require_input(
    operation: str, architecture: Architecture, weights: Weights, *inputs: torch.Tensor
) -> None:
    """Raise an error unless inputs and weights are those of an architecture, and of one type.

    Raises
    ------
    ValueError
        If a shape does not fit.
    TypeError
        If something is of another kind.

    Examples
    --------
    >>> net = Architecture((2,), 1, ((2, 2, 1),))
    >>> require_input("f", net, [(torch.ones(1, 1, 2), None)], torch.ones(1, 2))
    Traceback (most recent call last):
    ...
    ValueError: f: input of shape (1, 2); the architecture needs (batch, 1, 2)
    """
    kind(f"{operation}: architecture", architecture, Architecture).check_weights(weights)
    needed = architecture.channels, *architecture.size
    for x in inputs:
        kind(f"{operation}: input", x, torch.Tensor)
        if x.ndim == 0 or tuple(x.shape[1:]) != needed:
            raise ValueError(f"{operation}: input of shape {tuple(x.shape)}; the architecture "
                             f"needs (batch, {', '.join(map(str, needed))})")
    parts = [part for pair in weights for part in pair if part is not None]
    floats(f"{operation}: input and weights", *inputs, *parts)


def grid_network(
    architecture: Architecture,
    weights: Weights,
    arithmetic=None,
    output: int = 0,
    pooling: str = "product",
    activation: str | Activation | None = None,
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The network as :mod:`lib.grids.grid` takes it: from (batch, N, M) to (batch,).

    Parameters
    ----------
    architecture, weights, arithmetic, pooling, activation
        As in :func:`forward`.
    output : int
        Which entry of the flattened output (channel, then cells row by row) is returned.

    Raises
    ------
    ValueError, TypeError
        As :func:`forward` does, or if there is no such output; only the inputs are left to the
        call.

    Examples
    --------
    >>> from lib import Real
    >>> net = Architecture(2, 3, ((2, 2, 1),))
    >>> weights = net.random_weights(Real(), torch.Generator().manual_seed(0))
    >>> grid_network(net, weights)(torch.ones(5, 4, 3, dtype=torch.float64)).shape
    torch.Size([5])
    """

    kind("grid_network: architecture", architecture, Architecture).check_weights(weights)
    floats("grid_network: weights", *(w for pair in weights for w in pair if w is not None))
    arithmetic = chosen_arithmetic("grid_network", arithmetic)
    checked_activation(activation, pooling, arithmetic)
    outputs = architecture.widths[-1] * prod(architecture.output_sizes[-1])
    output = integer("grid_network: output", output, 0, outputs - 1)

    def network(inputs: torch.Tensor) -> torch.Tensor:
        needed = prod(architecture.size), architecture.channels
        if tuple(inputs.shape[1:]) != needed:
            raise ValueError(f"grid_network: inputs of shape {tuple(inputs.shape)}; the "
                             f"architecture needs (batch, {needed[0]}, {needed[1]})")
        x = inputs.movedim(-1, 1).unflatten(2, architecture.size)  # (batch, M, *cells)
        scores = forward(architecture, weights, x, arithmetic, pooling, activation)
        return scores.flatten(1)[:, output]

    return network


def _layer(cells, weight, bias, stride, arithmetic, pooling, activate):
    """Pool the factors of all offsets; cells first."""
    combine = {
        "product": arithmetic.multiply,
        "max": torch.maximum,
        "sum": arithmetic.add,
        "mean": arithmetic.add,
    }[pooling]
    pooled, count = None, 0
    for _, factor in offset_factors(cells, weight, bias, stride, arithmetic):
        if activate is not None:  # a slope for each channel finds channels where torch has them
            factor = activate(factor.movedim((-1, -2), (0, 1))).movedim((0, 1), (-1, -2))
        pooled = factor if pooled is None else combine(pooled, factor)
        count += 1
    if pooling == "mean":
        pooled = arithmetic.multiply(pooled, arithmetic.reciprocal(count))
    return pooled


def checked_activation(activation, pooling, arithmetic) -> Activation | None:
    """Look the activation up, and refuse what residues cannot do."""
    choice("generalized_conv: pooling", pooling, POOLINGS)
    if activation is not None and not callable(activation) and (
            not isinstance(activation, str) or activation != "relu"):
        raise ValueError(f"generalized_conv: activation={shown(activation)}; give None, 'relu' or "
                         "a callable")
    if isinstance(arithmetic, Modular) and (pooling == "max" or activation is not None):
        raise ValueError(
            f"generalized_conv: residues have no order, so {pooling} pooling with activation "
            f"{activation!r} needs Real(); {arithmetic} takes product, sum or mean pooling and no "
            "activation"
        )
    return torch.relu if activation == "relu" else activation
