"""The crossing bound: counting the pairs of cells that a cut separates.

Pick a layer K and a distance s that its windows can span, a reachable shift. In the network of
the proof a channel multiplies signs of all the cells it sees, among them the first cell of its
field and the one s further on, and no other window sees both. Every such pair with its two cells
on different sides of the cut multiplies the rank by D, whether or not the receptive field
exceeds half of the input.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..checks import integer, integers
from . import shifts
from .bound import Bound, best
from .overlap import admissible_layers, axis_and_cut, sampled_rows


def crossing_pairs(net, layer: int, shift: int, axis: int, cut: int) -> int:
    """The number of v >= 0 with ``v T_S < cut <= v T_S + shift <= W - 1`` along the cut axis.

    Examples
    --------
    >>> from lib import Architecture
    >>> net = Architecture((8,), 2, ((4, 2, 2), (4, 4, 1)))
    >>> [crossing_pairs(net, 1, shift, axis=0, cut=4) for shift in range(4)]
    [0, 0, 1, 1]
    """
    return separated_pairs(net.total_stride(layer, axis), net.size[axis], shift, cut)


def separated_pairs(step: int, extent: int, shift: int, cut: int) -> int:
    """The number of v >= 0 with ``v step < cut <= v step + shift <= extent - 1``.

    Examples
    --------
    >>> separated_pairs(step=1, extent=8, shift=3, cut=4)
    3
    """
    step = integer("separated_pairs: step", step, 1)
    extent, shift, cut = integers("separated_pairs: extent, shift, cut", (extent, shift, cut), 0)
    first = max(0, -(-(cut - shift) // step))
    last = min(cut - 1, extent - 1 - shift) // step
    return max(0, last - first + 1)


def farthest_reaching(
    step: int, extent: int, reachable: Iterable[int], cut: int
) -> tuple[int, int]:
    """The most pairs that any of the shifts separates, and the smallest shift that does.

    Examples
    --------
    >>> farthest_reaching(step=1, extent=8, reachable=(0, 2, 4, 5, 7), cut=4)
    (4, 4)
    """
    pairs, nearest = max(
        (separated_pairs(step, extent, shift, cut), -shift)
        for shift in integers("farthest_reaching: reachable", reachable, 0)
    )
    return pairs, -nearest


def template_base(net, layer: int) -> int:
    """D = min{M, D_1 + 1, ..., D_K + 1}: how many templates the channels of layers 1..K tell apart.

    One template may be the one that no channel marks, hence one more than channels.

    Examples
    --------
    >>> from lib import Architecture
    >>> template_base(Architecture((8,), 4, ((3, 1, 2), (3, 1, 5), (8, 8, 1))), 2)
    3
    """
    layer = integer("template_base: layer", layer, 1, net.depth)
    return min(net.widths[0], 1 + min(net.widths[1 : layer + 1]))


def shift_digits(net, layer: int, shift: int, axis: int = -1) -> tuple[int, ...]:
    """Offsets inside windows 1..layer that add up to a shift.

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
    tuple of int
        One offset per window, as few of them positive as the greedy choice finds.

    Raises
    ------
    ValueError
        If the windows cannot span the shift.

    Examples
    --------
    >>> from lib import Architecture
    >>> net = Architecture((8,), 2, ((3, 1, 2), (3, 1, 2), (8, 8, 1)))
    >>> shift_digits(net, 2, 2), shift_digits(net, 2, 3)
    ((0, 2), (1, 2))
    """
    shift = integer("shift_digits: shift", shift)
    digits = shifts.digits_of(*net.digits(layer, axis), shift)
    if digits is None or shift < 1:
        raise ValueError(f"shift={shift} at layer {layer}: the windows span only "
                         f"{net.reachable_shifts(layer, axis)[1:]}")
    return digits


def crossing_bounds(
    net, partition: str = "left-right", cut: int | None = None
) -> tuple[Bound, ...]:
    """The crossing bound at every layer that satisfies its hypotheses; see `crossing_bound`.

    Returns
    -------
    tuple of Bound
        By increasing layer, each with its best shift.
    """
    axis, cut = axis_and_cut(net, partition, cut)
    bounds = []
    for layer in admissible_layers(net):
        pairs, shift = farthest_reaching(net.total_stride(layer, axis), net.size[axis],
                                         net.reachable_shifts(layer, axis), cut)
        exponent = pairs * sampled_rows(net, layer, axis)
        bounds.append(Bound(template_base(net, layer), exponent, layer, shift))
    return tuple(bounds)


def crossing_bound(net, partition: str = "left-right", cut: int | None = None) -> Bound:
    """A lower bound on the generic rank from crossing pairs, at the best layer.

    Parameters
    ----------
    net : Architecture
        With biases in every layer.
    partition : {"left-right", "top-bottom"}
    cut : int, optional
        Columns (or rows) before the cut; half of them, rounded down, by default.

    Returns
    -------
    Bound
        ``D^(c ceil(H / T_S(K)))`` for the best layer K and reachable shift s, where c is the
        number of ``v >= 0`` with ``v T_S(K) < cut <= v T_S(K) + s <= W - 1`` and
        ``D = min{M, D_1 + 1, ..., D_K + 1}``; ``.silent`` if no layer is admissible.

    Raises
    ------
    ValueError
        If the partition is not one of the network's, or nothing lies on one side of the cut.

    Notes
    -----
    The theorem. Let K < L, let the output be a single cell, let ``R_l >= S_l`` for all l > K,
    and let every layer have biases. A shift is reachable if ``s = sum of a_i T_S(i - 1)`` over
    i <= K with ``0 <= a_i <= R_i - 1``. Then for every reachable s > 0, every cut, every
    nonsingular F and almost all parameters the rank is at least the number above. Shared or
    unshared weights; any size, no condition on T_R. New here, stated and proved in
    book/overlap-theorem.md and book/proof-construction.md, weights in
    :mod:`lib.constructions.overlaps`. With ``s = T_R(K, W/2) - 1`` and ``cut = W/2`` it gives
    the exponent of Theorem 1 of [Sharir & Shashua, 2018] with a base that is never smaller.

    Examples
    --------
    >>> from lib import Architecture
    >>> Architecture(4, 2, ((2, 1, 1), (4, 4, 1))).crossing_bound()
    Bound(base=2, exponent=4, layer=1, shift=1, powers=())
    >>> from lib.networks.families import googlenet_stack
    >>> str(googlenet_stack().crossing_bound())
    '64^280'
    """
    return best(crossing_bounds(net, partition, cut))
