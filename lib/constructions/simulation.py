"""Proposition 1: a network with larger windows and more layers computes what the smaller does."""

from __future__ import annotations

import torch

from ..checks import kind
from ..exact.device import made_on_the_cpu
from ..networks.architecture import Architecture
from .pieces import idle_layer

__all__ = ["correspondence", "simulate"]


def _refusal(larger, i, smaller, j):
    """Why layer i of the larger network cannot play layer j of the smaller, or None."""
    window, stride, width = larger.windows[i - 1], larger.strides[i - 1], larger.widths[i]
    if stride != smaller.strides[j - 1]:
        return f"its stride is {stride}, not {smaller.strides[j - 1]}"
    if any(r < t for r, t in zip(window, smaller.windows[j - 1], strict=True)):
        return f"its window {window} is smaller than {smaller.windows[j - 1]}"
    if width < smaller.widths[j]:
        return f"its {width} channels are fewer than {smaller.widths[j]}"
    return None


def _can_pass(larger, i, channels):
    """Whether layer i of the larger network can hand ``channels`` channels on unchanged."""
    return set(larger.strides[i - 1]) == {1} and larger.widths[i] >= channels


def correspondence(larger: Architecture, smaller: Architecture) -> tuple[int, ...]:
    """Which layer of the larger network plays each layer of the smaller.

    Parameters
    ----------
    larger, smaller : Architecture
        Of the same size and representation channels.

    Returns
    -------
    tuple of int
        Layer numbers of ``larger``, increasing, one per layer of ``smaller``. The layers left
        out have stride 1 and pass their input on.

    Raises
    ------
    ValueError
        If no choice works: a smaller network arises by shrinking windows and channels and by
        deleting stride-1 layers that are at least as wide as what passes through them.

    Notes
    -----
    Proposition 1 of [Sharir & Shashua, 2018], with the width that a deleted layer needs;
    book/receptive-field-algebra.md. A dynamic program over pairs of layers.

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> larger = Architecture(4, 2, [Layer(3, 1, 2), Layer(3, 2, 3), Layer(2, 1, 4),
    ...                              Layer(4, 2, 1)])
    >>> smaller = Architecture(4, 2, [Layer(2, 2, 3), Layer(2, 2, 1)])
    >>> correspondence(larger, smaller)
    (2, 4)
    """
    for name, net in (("larger", larger), ("smaller", smaller)):
        kind(f"correspondence: {name}", net, Architecture)
    if (larger.size, larger.channels) != (smaller.size, smaller.channels):
        raise ValueError(f"networks over different inputs: size {larger.size} with "
                         f"{larger.channels} channels, size {smaller.size} with "
                         f"{smaller.channels}")
    # plans[j]: layers that play 1..j, when the layers of `larger` seen so far are used up
    plans = {0: ()}
    for i in range(1, larger.depth + 1):
        longer = {j: plan for j, plan in plans.items()
                  if _can_pass(larger, i, smaller.widths[j])}
        for j, plan in plans.items():
            if j < smaller.depth and _refusal(larger, i, smaller, j + 1) is None:
                longer.setdefault(j + 1, (*plan, i))
        plans = longer
    if smaller.depth in plans:
        return plans[smaller.depth]
    raise ValueError(f"{larger} cannot simulate {smaller}: " + _explain(larger, smaller))


def _explain(larger, smaller):
    if larger.depth == smaller.depth:
        for i in range(1, larger.depth + 1):
            reason = _refusal(larger, i, smaller, i)
            if reason:
                return f"layer {i} cannot play layer {i}, {reason}"
    return ("no way to match the layers in order by stride, window and channels, leaving out "
            "only stride-1 layers as wide as what passes through them")


@made_on_the_cpu
def simulate(larger: Architecture, smaller: Architecture, weights) -> list[tuple]:
    """Weights of the larger network under which it computes what the smaller does.

    Parameters
    ----------
    larger, smaller : Architecture
        As in `correspondence`.
    weights : list of (weight, bias)
        Of the smaller network, shared or unshared. The arithmetic does not matter.

    Returns
    -------
    list of (weight, bias)
        Of the larger network. Its first D_L output channels are those of the smaller network,
        any further ones are constantly 1.

    Raises
    ------
    ValueError, TypeError
        As :func:`correspondence`, or if the weights do not fit the smaller network.

    Notes
    -----
    The proof of Proposition 1 in book/receptive-field-algebra.md. Offsets outside a smaller
    window get weight 0 and bias 1, a factor 1. A deleted layer reads
    its channel c at offset 0 and multiplies by such factors. Biases are needed for both.

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> from lib.exact.arithmetic import Real
    >>> from lib import forward
    >>> larger = Architecture(4, 2, [Layer(3, 1, 2), Layer(3, 2, 3), Layer(2, 1, 4),
    ...                              Layer(4, 2, 1)])
    >>> smaller = Architecture(4, 2, [Layer(2, 2, 3), Layer(2, 2, 1)])
    >>> generator = torch.Generator().manual_seed(0)
    >>> weights = smaller.random_weights(Real(), generator)
    >>> x = torch.randn(5, 2, 4, 4, generator=generator).double()
    >>> simulated = forward(larger, simulate(larger, smaller, weights), x)
    >>> bool(torch.allclose(simulated, forward(smaller, weights, x)))
    True
    """
    played = correspondence(larger, smaller)
    smaller.check_weights(weights)
    result, carried = [], larger.channels
    for i in range(1, larger.depth + 1):
        if i in played:
            j = played.index(i)
            result.append(_enlarged(larger, i, *weights[j]))
            carried = smaller.widths[j + 1]
        else:
            result.append(_identity(larger, i, carried, weights[0][0]))
    return result


def _enlarged(larger, i, weight, bias):
    """A layer inside one with larger windows and more channels."""
    axes = larger.ndim
    unshared = weight.ndim > 2 + axes
    inner = (..., *map(slice, weight.shape[-axes - 2:]))
    big_weight, big_bias = idle_layer(larger, i, shared=not unshared)
    big_weight, big_bias = big_weight.to(weight), big_bias.to(weight)
    big_weight[inner] = weight
    outputs, window = weight.shape[-axes - 2], weight.shape[-axes:]
    big_bias[(..., slice(outputs), *map(slice, window))] = 0 if bias is None else bias
    return big_weight, big_bias


def _identity(larger, i, carried, like):
    """A stride-1 layer that hands its first channels on, of the type and device of others."""
    weight, bias = idle_layer(larger, i)
    first = (slice(carried), *[0] * larger.ndim)
    weight[(slice(carried), slice(carried), *[0] * larger.ndim)] = torch.eye(carried).double()
    bias[first] = 0
    return weight.to(like), bias.to(like)
