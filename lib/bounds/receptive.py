"""Receptive-field algebra: total strides, total receptive fields, the fields within reach.

The functions take an `Architecture` first, which also offers them as its methods:
``total_stride(net, 2)`` is ``net.total_stride(2)``. Layer 0 is the representation layer. The
``axis`` is the last by default, the width, which is the one that the left-right partition cuts.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, prod

from ..checks import is_integer, real, shown
from . import shifts


def require_architecture(operation: str, net: object) -> None:
    """Raise a TypeError unless a network is an `Architecture`."""
    if not hasattr(net, "output_sizes"):
        raise TypeError(f"{operation}: {shown(net)} is not an Architecture")


def _check(net, layer, axis):
    require_architecture("receptive fields", net)
    if not is_integer(layer) or layer not in range(net.depth + 1):
        raise ValueError(f"layer {shown(layer)} of an architecture of {net.depth} layers: valid "
                         f"are 0 (the representation) to {net.depth}")
    if not is_integer(axis) or axis not in range(-net.ndim, net.ndim):
        raise ValueError(f"axis {shown(axis)} of an architecture with {net.ndim} axes: valid are "
                         f"{-net.ndim} to {net.ndim - 1}")


def total_stride(net, layer: int, axis: int = -1) -> int:
    """Input cells between neighboring cells of a layer, T_S(l) = S_1 ... S_l.

    Parameters
    ----------
    layer : int
        From 0 to the depth.
    axis : int

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> net = Architecture(8, 2, (Layer(2, 2, 4), Layer(3, 2, 2), Layer(2, 2, 1)))
    >>> [net.total_stride(l) for l in range(4)]
    [1, 2, 4, 8]
    """
    _check(net, layer, axis)
    return prod(stride[axis] for stride in net.strides[:layer])


def total_receptive_field(net, layer: int, axis: int = -1) -> int:
    """Extent in input cells of what one cell of a layer sees, T_R(l).

    Notes
    -----
    ``T_R(l) = 1 + sum over k <= l of (R_k - 1) T_S(k - 1)``: the first cell of the field, and
    how much further the last cell of every window reaches. It equals the paper's
    ``R_l T_S(l - 1) + sum over k < l of (R_k - S_k) T_S(k - 1)``. See
    book/receptive-field-algebra.md.

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> net = Architecture(8, 2, (Layer(2, 2, 4), Layer(3, 2, 2), Layer(2, 2, 1)))
    >>> [net.total_receptive_field(l) for l in range(4)]
    [1, 2, 6, 10]
    """
    units, highs = digits(net, layer, axis)
    return 1 + sum(unit * high for unit, high in zip(units, highs, strict=True))


def overlap_degree(net, layer: int, axis: int = -1) -> Fraction:
    """T_R(l) / T_S(l): 1 when neighboring fields touch, above 1 when they overlap.

    Returns
    -------
    fractions.Fraction

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> Architecture(8, 2, (Layer(3, 2, 4), Layer(2, 2, 1))).overlap_degree(1)
    Fraction(3, 2)
    """
    return Fraction(total_receptive_field(net, layer, axis), total_stride(net, layer, axis))


def digits(
    net, layer: int, axis: int = -1
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Units T_S(i - 1) and bounds R_i - 1 of the offsets inside windows 1..layer.

    A cell of the layer sees the pixels at distance ``sum of a_i T_S(i - 1)`` from its first
    pixel, where the offset inside window i is any ``0 <= a_i <= R_i - 1``.

    Returns
    -------
    units, highs : tuple of int

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> Architecture((9,), 2, (Layer(2, 4, 2), Layer(3, 1, 2))).digits(2)
    ((1, 4), (1, 2))
    """
    _check(net, layer, axis)
    units = [1]
    for stride in net.strides[:layer]:
        units.append(units[-1] * stride[axis])
    return tuple(units[:layer]), tuple(window[axis] - 1 for window in net.windows[:layer])


def alpha_minimal(
    net, layer: int, alpha: int | float | Fraction, t_min: str = "stride", axis: int = -1
) -> int | None:
    """Smallest T_R above ``alpha`` over networks whose first windows t are no larger.

    Parameters
    ----------
    layer : int
        Windows 1..layer are chosen, and T_R(layer) is measured.
    alpha : int, float or Fraction
        In input cells.
    t_min : {"stride", "one"}
        Range of t_i: from S_i to R_i as in the paper, or from 1 to R_i, which is all that the
        proof needs, never worse and sometimes better.
    axis : int

    Returns
    -------
    int or None
        T_R(l, alpha) in input cells; None if no choice of windows exceeds ``alpha``.

    Notes
    -----
    Definition 2 of [Sharir & Shashua, 2018], as we read it; book/receptive-field-algebra.md.
    Linear in the number of layers: lib/bounds/shifts.py has the greedy choice and its proof.

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> net = Architecture((10,), 2, (Layer(4, 4, 4), Layer(3, 1, 2), Layer(3, 3, 1)))
    >>> net.alpha_minimal(2, 5), net.alpha_minimal(2, 5, t_min="one")
    (8, 6)
    >>> net.alpha_minimal(1, 5) is None
    True
    """
    if t_min not in ("stride", "one"):
        raise ValueError(f"t_min={shown(t_min)}: valid are 'stride' (S_i <= t_i) and 'one' "
                         "(1 <= t_i)")
    alpha = real("alpha_minimal: alpha", alpha)
    units, highs = digits(net, layer, axis)
    lows = [stride[axis] - 1 if t_min == "stride" else 0 for stride in net.strides[:layer]]
    chosen = shifts.smallest_at_least(units, lows, highs, floor(alpha))
    return None if chosen is None else 1 + sum(u * a for u, a in zip(units, chosen, strict=True))


def reachable_shifts(net, layer: int, axis: int = -1) -> tuple[int, ...]:
    """Distances, at most size - 1, between the first pixel that a cell sees and the others.

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> net = Architecture((9,), 2, (Layer(2, 4, 2), Layer(2, 1, 2)))
    >>> net.reachable_shifts(2)
    (0, 1, 4, 5)
    """
    return shifts.reachable_sums(*digits(net, layer, axis), net.size[axis] - 1)
