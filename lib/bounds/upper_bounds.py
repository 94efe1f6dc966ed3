"""Where more than a lower bound is known: two layers, networks without overlaps, averages."""

from __future__ import annotations

from ..checks import flag
from .bound import Bound
from .crossing import crossing_pairs
from .overlap import axis_and_cut, sampled_rows
from .private import row_strips, window_factors


def exact_two_layer_rank(
    net, partition: str = "left-right", cut: int | None = None, last_bias: bool = True
) -> Bound | None:
    """The generic rank, which is also the largest, of one layer under a global product.

    Parameters
    ----------
    net : Architecture
        Two layers, the second with one window over the whole map.
    partition : {"left-right", "top-bottom"}
    cut : int, optional
        Columns (or rows) before the cut; half of them, rounded down, by default.
    last_bias : bool
        Whether layer 2 has biases. Layer 1 has them.

    Returns
    -------
    Bound or None
        An equality here. If no window over the cut reaches beyond the border: the product over
        these windows of ``min(D_1 + [last_bias], M^p, M^q)`` with their private pixels p and q,
        as in :mod:`lib.bounds.private`. If layer 1 has stride 1: the smaller of
        ``min(M, D_1 + [last_bias])^(H min(R_1 - 1, cut))`` and ``M^(H min(R_1 - 1, W - cut))``.
        None if the network is of another kind.

    Raises
    ------
    ValueError
        If the partition is not one of the network's, or nothing lies on one side of the cut.

    Notes
    -----
    New here, "Two layers" and "Two layers with strides", with full proofs in
    book/overlap-theorem.md. Upper bounds: every window over the cut contributes a factor of rank
    at most ``D_1 + [last_bias]``, or is charged to the pixels that it touches on either side. The
    weights for strides of 1 are those of :mod:`lib.constructions.two_layers`.

    Examples
    --------
    >>> from lib import Architecture
    >>> net = Architecture((8,), 3, ((3, 1, 2), (8, 8, 1)))
    >>> str(net.exact_two_layer_rank()), str(net.exact_two_layer_rank(last_bias=False))
    ('3^2', '2^2')
    >>> net = Architecture((8,), 3, ((4, 1, 1), (8, 8, 1)))
    >>> [str(net.exact_two_layer_rank(cut=cut)) for cut in (4, 6, 7)]
    ['2^3', '2^3', '3^1']
    >>> str(Architecture((8,), 3, ((4, 2, 7), (4, 4, 1))).exact_two_layer_rank())
    '8^1'
    >>> Architecture((8,), 3, ((7, 2, 7), (4, 4, 1))).exact_two_layer_rank() is None
    True
    """
    axis, cut = axis_and_cut(net, partition, cut)
    last_bias = flag("exact_two_layer_rank: last_bias", last_bias)
    if net.depth != 2:
        return None
    cells = net.output_sizes[1]
    for window, stride, extent in zip(net.windows[1], net.strides[1], cells, strict=True):
        padded = window > extent        # a padded cell without bias multiplies everything by 0
        if stride < extent or window < extent or (padded and not last_bias):
            return None
    window, step, extent = net.windows[0][axis], net.strides[0][axis], net.size[axis]
    top = net.widths[1] + last_bias
    if set(net.strides[0]) == {1}:
        rows = sampled_rows(net, 1, axis)
        before, after = min(window - 1, cut), min(window - 1, extent - cut)
        return min(Bound(min(net.channels, top), rows * before, 1, before),
                   Bound(net.channels, rows * after, 1, after))
    over = [start for start in range(0, cut, step) if start + window > cut]
    if over and over[-1] + window > extent:
        return None
    strips = row_strips(net, 1, axis)
    return Bound.product(window_factors(net, 1, axis, cut, window, strips, top), 1, window - 1)


def non_overlapping_upper_bound(
    net, partition: str = "left-right", cut: int | None = None, last_bias: bool = True
) -> Bound | None:
    """A rank that no weights exceed, if no field crosses the cut before the map is a single cell.

    Parameters
    ----------
    net : Architecture
    partition : {"left-right", "top-bottom"}
    cut : int, optional
        Columns (or rows) before the cut; half of them, rounded down, by default.
    last_bias : bool
        Whether a layer after the last pooling has biases. They matter nowhere else.

    Returns
    -------
    Bound or None
        ``D + [last_bias]`` where D is the width of the first layer with a single output cell,
        and 1 if that is the last layer; ``layer`` is that layer. None if some cell entering it
        sees both sides of the cut, in which case the rank can be exponential even without
        overlaps, or if the output is not a single cell.

    Notes
    -----
    Lemma 1 and Corollary 1 of [Sharir & Shashua, 2018], with the alignment they need and with
    the bias counted; book/overlap-theorem.md. Every factor of a product over the last window
    depends on one side only, so each of its channels has rank 1, and what follows is an affine
    combination of these channels.

    Examples
    --------
    >>> from lib import Architecture
    >>> net = Architecture(4, 2, ((2, 2, 2), (2, 2, 5), (1, 1, 1)))
    >>> int(net.non_overlapping_upper_bound()), int(net.non_overlapping_upper_bound(cut=2,
    ...                                                                       last_bias=False))
    (6, 5)
    >>> net = Architecture(6, 2, ((2, 2, 2), (3, 3, 2), (1, 1, 1)))
    >>> net.non_overlapping_upper_bound() is None                # the rank is 55
    True
    """
    axis, cut = axis_and_cut(net, partition, cut)
    last_bias = flag("non_overlapping_upper_bound: last_bias", last_bias)
    single = [layer for layer, sizes in enumerate(net.output_sizes) if set(sizes) == {1}]
    if not single:
        return None
    entering, merging = single[0] - 1, single[0]
    if any(crossing_pairs(net, entering, shift, axis, cut)
           for shift in net.reachable_shifts(entering, axis)):
        return None
    if merging == net.depth:
        return Bound(1, 1, merging)
    return Bound(net.widths[merging] + last_bias, 1, merging)


def linear_readout_upper_bound(
    net, partition: str = "left-right", cut: int | None = None
) -> int:
    """A rank that no sum over the cells of the last map exceeds, whatever the layers are.

    Parameters
    ----------
    net : Architecture
        What comes before the sum. Only its windows and strides count: any activation, any pooling.
    partition : {"left-right", "top-bottom"}
    cut : int, optional
        Columns (or rows) before the cut; half of them, rounded down, by default.

    Returns
    -------
    int
        2, and for every cell that sees both sides of the cut
        ``M^min(pixels it sees on either side) - 1``.

    Notes
    -----
    Global average pooling with a linear output is such a sum. Cells that see one side only add up
    to a function of the rows plus a function of the columns. A cell that sees p pixels before the
    cut has at most ``M^p`` different rows, one of which the sum above absorbs. "Averages across a
    cut" in book/rectifier-networks.md.

    Examples
    --------
    >>> from lib import Architecture
    >>> linear_readout_upper_bound(Architecture((8,), 2, ((2, 2, 5), (2, 2, 5))))
    2
    >>> linear_readout_upper_bound(Architecture((8,), 2, ((3, 1, 5), (2, 2, 5))))
    5
    """
    axis, cut = axis_and_cut(net, partition, cut)
    extent, step = net.size[axis], net.total_stride(net.depth, axis)
    offsets = net.reachable_shifts(net.depth, axis)
    total = 2
    for rows in _rows_seen(net, axis):
        for start in range(0, extent, step):
            before = sum(start + offset < cut for offset in offsets)
            after = sum(cut <= start + offset < extent for offset in offsets)
            if before and after:
                total += net.channels ** (rows * min(before, after)) - 1
    return total


def _rows_seen(net, axis):
    """How many pixels of the other axis every row of last cells sees."""
    if net.ndim == 1:
        return [1]
    other = 1 - axis % 2
    extent, step = net.size[other], net.total_stride(net.depth, other)
    offsets = net.reachable_shifts(net.depth, other)
    return [sum(start + offset < extent for offset in offsets) for start in range(0, extent, step)]
