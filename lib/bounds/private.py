"""The private-pixel bound: windows with a stride have several pixels to themselves.

A window that lies over the cut multiplies the rank by as much as its channels can carry, if it
has enough *private* pixels on either side: pixels before the cut that no later window sees, and
pixels after the cut that no earlier window sees. With stride 1 that is one pixel on each side,
and M is all that it can add; with a total stride T up to T columns are private, and the limit is
the number of channels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..checks import integer, integers
from .bound import Bound, best
from .overlap import admissible_layers, axis_and_cut

__all__ = ["connected_fields", "joined_fields", "private_columns", "private_pixel_bound",
           "private_pixel_bounds", "row_strips", "window_factors"]


def connected_fields(
    net, layer: int, axis: int = -1, most: int | None = None
) -> tuple[int, ...]:
    """Extents without holes of what a cell of a layer sees, over windows no larger than R_l.

    Shrink the windows to ``1 <= t_l <= R_l``. The pixels that remain in view have no holes if
    every layer with ``t_l > 1`` joins fields at least as long as its steps.

    Parameters
    ----------
    net : Architecture
    layer, axis : int
    most : int, optional
        The longest of interest; by default all are listed, however large the windows are.

    Returns
    -------
    tuple of int
        In input cells, increasing.

    Examples
    --------
    >>> from lib import Architecture
    >>> net = Architecture((9,), 2, ((2, 2, 2), (3, 1, 2), (5, 5, 1)))
    >>> connected_fields(net, 2)                    # not 3: pixels 0 and 2 without pixel 1
    (1, 2, 4, 6)
    """
    return joined_fields(*net.digits(layer, axis), most)


def joined_fields(
    units: Sequence[int], highs: Sequence[int], most: int | None = None
) -> tuple[int, ...]:
    """Extents 1 + sum of unit * digit, digits up to ``highs``, each joining fields >= its unit.

    Parameters
    ----------
    units, highs : sequence of int
        Steps of the layers in input cells, from the first on, and their windows less one.
    most : int, optional
        The longest of interest.

    Examples
    --------
    >>> joined_fields([1, 2], [1, 2]), joined_fields([1, 2], [1, 2], most=4)
    ((1, 2, 4, 6), (1, 2, 4))
    """
    units = integers("joined_fields: units", units, 1)
    highs = integers("joined_fields: highs", highs, 0)
    most = None if most is None else integer("joined_fields: most", most, 1)
    fields = 2                                  # bit f of this integer: extent f is there
    for unit, high in zip(units, highs, strict=True):
        high = high if most is None else min(high, most // unit)
        long, count = fields >> unit << unit, 1             # all sums with digits below `count`
        while long and count <= high:
            step = min(count, high + 1 - count)
            long, count = long | long << unit * step, count + step
        fields |= long if most is None else long & (2 << most) - 1
    return tuple(place for place, bit in enumerate(reversed(f"{fields:b}")) if bit == "1")


def private_columns(
    start: int, field: int, step: int, extent: int, cut: int
) -> tuple[int, int]:
    """How many columns a window has to itself before the cut, and how many after it.

    Parameters
    ----------
    start, field : int
        The first column that the window sees, and how many it sees, perhaps beyond the border.
    step : int
        From one window to the next.
    extent, cut : int
        All columns, and those before the cut.

    Notes
    -----
    As the theorem counts: as if windows began before the first column too. The first one may have
    more columns after the cut to itself. Where its field ends inside the image, T of them are
    counted then, and before the cut it has at most T: the smaller of the two numbers is the same.

    Examples
    --------
    >>> [private_columns(start, 4, 2, 8, 4) for start in (0, 2, 4, 6)]
    [(2, 0), (2, 2), (0, 2), (0, 0)]
    """
    start, field, step, extent, cut = integers(
        "private_columns: start, field, step, extent and cut", (start, field, step, extent, cut), 0)
    before = min(start + step, start + field, cut) - start
    after = min(start + field, extent) - max(cut, start, start + field - step)
    return max(0, before), max(0, after)


def window_factors(
    net, layer: int, axis: int, cut: int, field: int, strips: list, top: int
) -> tuple[tuple[int, int], ...]:
    """The powers ``min(top, M^p, M^q)`` over all windows of a layer with a field of this extent.

    Parameters
    ----------
    net : Architecture
    layer, axis, cut, field : int
    strips : list
        From `row_strips`.
    top : int
        What the channels can carry.

    Returns
    -------
    tuple of (base, exponent)
        By decreasing base; bases above 1.

    Examples
    --------
    >>> from lib import Architecture
    >>> net = Architecture((8,), 2, ((4, 2, 5), (4, 4, 1)))
    >>> window_factors(net, 1, 0, 4, 4, [(1, 1)], top=6)
    ((4, 1),)
    """
    extent, step = net.size[axis], net.total_stride(layer, axis)
    cut, field, top = integers("window_factors: cut, field and top", (cut, field, top), 0)
    channels, found = net.channels, Counter()
    for rows, times in strips:
        for start in range(0, cut, step):
            private = rows * min(private_columns(start, field, step, extent, cut))
            # M^private exceeds any number of channels from a logarithm of pixels on
            found[min(top, channels ** min(private, top.bit_length()))] += times
    return tuple(sorted(((base, n) for base, n in found.items() if base > 1), reverse=True))


def row_strips(net, layer: int, axis: int) -> list[tuple[int, int]]:
    """The rows of pixels that each row of windows has to itself: (rows, how many such).

    Examples
    --------
    >>> from lib import Architecture
    >>> row_strips(Architecture((5, 6), 2, ((2, 2, 3), (3, 3, 1))), 1, axis=1)
    [(2, 2), (1, 1)]
    """
    if net.ndim == 1:
        return [(1, 1)]
    other = 1 - integer("row_strips: axis", axis, -2, 1) % 2
    extent, step = net.size[other], net.total_stride(layer, other)
    full, rest = divmod(extent, step)
    rows = max(connected_fields(net, layer, other, step))
    return [(number, times) for number, times in ((rows, full), (min(rows, rest), int(rest > 0)))
            if times]


def private_pixel_bounds(
    net, partition: str = "left-right", cut: int | None = None
) -> tuple[Bound, ...]:
    """The private-pixel bound at every layer that satisfies its hypotheses.

    Returns
    -------
    tuple of Bound
        By increasing layer, each with its best field; see `private_pixel_bound`.
    """
    axis, cut = axis_and_cut(net, partition, cut)
    bounds, known = [], {}                       # in deep networks many layers ask the same
    for layer in admissible_layers(net):
        limit = net.size[axis] + net.total_stride(layer, axis)    # from it on nothing is private
        fields = connected_fields(net, layer, axis, limit - 1)
        strips, top = row_strips(net, layer, axis), 1 + min(net.widths[1 : layer + 1])
        asked = net.total_stride(layer, axis), tuple(strips), top
        for field in fields:
            if (asked, field) not in known:
                powers = window_factors(net, layer, axis, cut, field, strips, top)
                known[asked, field] = Bound.product(powers).value, powers
        _, shift = max((known[asked, field][0], 1 - field) for field in fields)  # the shortest
        bounds.append(Bound.product(known[asked, 1 - shift][1], layer, -shift))
    return tuple(bounds)


def private_pixel_bound(
    net, partition: str = "left-right", cut: int | None = None
) -> Bound:
    """A lower bound on the generic rank from private pixels, at the best layer and field.

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
        The product over the windows of layer K of ``min{D_1 + 1, ..., D_K + 1, M^p, M^q}``, where
        p and q count the private pixels of the window before and after the cut.

    Raises
    ------
    ValueError
        If the partition is not one of the network's, or nothing lies on one side of the cut.

    Notes
    -----
    The theorem. Hypotheses as for the crossing bound: K < L, a single output cell,
    ``R_l >= S_l`` for all l > K, biases, F nonsingular; almost all parameters. Let
    ``T = T_S(K)``, and let F be the extent of a field without holes (`connected_fields`). The
    window at column ``v T`` has the private columns ``v T .. min(v T + T, v T + F, h) - 1``
    before the cut at h, and ``max(h, v T + F - T) .. min(v T + F, W) - 1`` after it. In two
    dimensions it has them in r rows, where r is at most the total stride and a field without
    holes of the other axis; only rows inside the image count. New here; proof in
    book/proof-construction.md.

    Where some window before K is smaller than its stride, the crossing bound may be larger.

    Examples
    --------
    >>> from lib import Architecture
    >>> net = Architecture(6, 2, ((4, 2, 2), (3, 3, 1)))
    >>> str(net.crossing_bound()), str(private_pixel_bound(net))     # the rank is 729 = 3^6
    ('2^6', '3^6')
    """
    return best(private_pixel_bounds(net, partition, cut))
