"""The stronger form of Theorem 1: counting the pairs of cells that a cut separates.

Pick a layer K and a distance s that its windows can span, a reachable shift. The proof's network
multiplies, at every cell that layer K samples, what it sees at that cell and at distance s. Each
such pair with its two cells on different sides of the cut multiplies the rank by D, whether or
not the receptive field exceeds half of the input.
"""

from __future__ import annotations

from . import shifts
from .bound import Bound, best
from .overlap import (
    channel_base,
    cut_axis,
    cut_position,
    missing_hypotheses,
    sampled_rows,
)


def crossing_pairs(net, layer: int, shift: int, axis: int, cut: int) -> int:
    """Number of v >= 0 with ``v T_S < cut <= v T_S + shift <= W - 1`` along the cut axis.

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> net = Architecture((8,), 2, (Layer(4, 2, 2), Layer(4, 4, 1)))
    >>> [crossing_pairs(net, 1, shift, axis=0, cut=4) for shift in range(4)]
    [0, 0, 1, 1]
    """
    return separated_pairs(net.total_stride(layer, axis), net.size[axis], shift, cut)


def separated_pairs(step: int, extent: int, shift: int, cut: int) -> int:
    """Number of v >= 0 with ``v step < cut <= v step + shift <= extent - 1``.

    Examples
    --------
    >>> separated_pairs(step=1, extent=8, shift=3, cut=4)
    3
    """
    first = max(0, -(-(cut - shift) // step))
    last = min(cut - 1, extent - 1 - shift) // step
    return max(0, last - first + 1)


def _farthest_reaching(net, layer, reachable, axis, cut):
    """Most separated pairs over the given shifts, and the smallest shift that attains them."""
    step, extent = net.total_stride(layer, axis), net.size[axis]
    pairs, nearest = max((separated_pairs(step, extent, shift, cut), -shift) for shift in reachable)
    return pairs * sampled_rows(net, layer, axis), -nearest


def shift_digits(
    net, layer: int, shift: int, axis: int = -1
) -> tuple[int, tuple[int, ...]]:
    """Offsets inside windows 1..layer that add up to a shift, with the most channels.

    Parameters
    ----------
    net : Architecture
    layer : int
        K.
    shift : int
        In input cells, at least 1.
    axis : int

    Returns
    -------
    base : int
        D, how many templates can be told apart: the least of M, the widths outside the stretch
        of layers that shift, and half the widths inside it, where the cell and the shifted cell
        travel separately.
    digits : tuple of int
        Offset in each window.

    Raises
    ------
    ValueError
        If the windows cannot span the shift.

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> net = Architecture((8,), 2, (Layer(3, 1, 2), Layer(3, 1, 2), Layer(8, 8, 1)))
    >>> shift_digits(net, 2, 2), shift_digits(net, 2, 3)
    ((2, (2, 0)), (1, (1, 2)))
    """
    units, highs = net.digits(layer, axis)
    found = []
    for last in range(layer, 0, -1):
        for first in range(1, last + 1):
            inside = slice(first - 1, last)
            digits = shifts.digits_of(units[inside], highs[inside], shift)
            if digits is not None and shift > 0:
                padded = (0,) * (first - 1) + digits + (0,) * (layer - last)
                found.append((_stretch_base(net, layer, first, last), padded))
    if not found:
        raise ValueError(f"shift={shift} at layer {layer}: the windows span only "
                         f"{net.reachable_shifts(layer, axis)[1:]}")
    return max(found)


def _stretch_base(net, layer, first, last):
    """Channels left for a template if only layers first..last shift."""
    inside = [width // 2 for width in net.widths[first:last]]
    outside = [*net.widths[:first], *net.widths[last:layer + 1]]
    return max(1, min(outside + inside))


def _refined_bounds(net, axis, cut):
    """Every stretch of layers that shift, at the first admissible layer from its end on."""
    admissible = [layer for layer in range(1, net.depth) if not missing_hypotheses(net, layer)]
    for last in range(1, net.depth):
        layer = min((k for k in admissible if k >= last), default=None)
        if layer is None:
            return
        units, highs = net.digits(last, axis)
        for first in range(1, last + 1):
            inside = slice(first - 1, last)
            reachable = shifts.reachable_sums(units[inside], highs[inside], net.size[axis] - 1)
            exponent, shift = _farthest_reaching(net, layer, reachable, axis, cut)
            yield Bound(_stretch_base(net, layer, first, last), exponent, layer, shift)


def crossing_bounds(
    net, partition: str = "left-right", cut: int | None = None, halved: str = "before"
) -> tuple[Bound, ...]:
    """The stronger form at every layer that satisfies its hypotheses; see `crossing_bound`.

    Returns
    -------
    tuple of Bound
        By increasing layer, each with its best shift.
    """
    axis = cut_axis(net, partition)
    cut = cut_position(net, axis, cut)
    if halved not in ("before", "between"):
        raise ValueError(f"halved={halved!r}: valid are 'before' and 'between'")
    if halved == "between":
        found = {}
        for bound in _refined_bounds(net, axis, cut):
            found.setdefault(bound.layer, []).append(bound)
        return tuple(best(bounds) for bounds in found.values())
    bounds = []
    for layer in range(1, net.depth):
        if not missing_hypotheses(net, layer):
            reachable = net.reachable_shifts(layer, axis)
            exponent, shift = _farthest_reaching(net, layer, reachable, axis, cut)
            bounds.append(Bound(channel_base(net, layer), exponent, layer, shift))
    return tuple(bounds)


def crossing_bound(
    net, partition: str = "left-right", cut: int | None = None, halved: str = "before"
) -> Bound:
    """The stronger form of Theorem 1: a lower bound on the generic rank, at the best layer.

    Parameters
    ----------
    net : Architecture
    partition : {"left-right", "top-bottom"}
    cut : int, optional
        Columns (or rows) before the cut; half of them, rounded down, by default.
    halved : {"before", "between"}
        Which widths count half in D: all those before layer K as in Theorem 1, or only those
        from the first layer that shifts up to the last, which gives a base at least as large.

    Returns
    -------
    Bound
        ``D^(c ceil(H / T_S(K)))`` for the best layer K and reachable shift s, where c is the
        number of ``v >= 0`` with ``v T_S(K) < cut <= v T_S(K) + s <= W - 1``; ``.silent`` if no
        layer is admissible.

    Notes
    -----
    New here: any size and any cut, and no condition on T_R; the other hypotheses of Theorem 1
    stand. With ``s = T_R(K, W/2) - 1`` and ``cut = W/2`` it is Theorem 1. Stated in
    book/overlap-theorem.md, proved in book/proof-construction.md, weights in lib/constructions.

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> net = Architecture(4, 2, (Layer(2, 1, 2), Layer(4, 4, 1)))
    >>> net.crossing_bound()
    Bound(base=2, exponent=4, layer=1, shift=1)
    >>> from lib.networks.families import googlenet_stack
    >>> [str(googlenet_stack().crossing_bound(halved=h)) for h in ("before", "between")]
    ['32^280', '64^280']
    """
    return best(crossing_bounds(net, partition, cut, halved))
