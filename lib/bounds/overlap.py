"""The published overlap theorem with its hypotheses, and what all bounds share.

Every function takes an `Architecture` and looks at one axis: the left-right partition cuts the
width into the first ``cut`` columns and the rest, the top-bottom partition cuts the height. The
biases of every layer are free parameters unless a function says otherwise.

Inputs that are not square. The proof compares each cell of the grid that layer K samples with
the cell ``shift`` further along the axis that is cut, and never moves along the other axis. The
receptive field, the shift and the parity of the size therefore belong to the cut axis, while the
other axis contributes the number of its sampled rows, ceil(H / T_S). Square inputs give back the
paper's formulas, one-dimensional inputs have a single row.
"""

from __future__ import annotations

from math import prod

from ..checks import integer, is_integer, shown
from .bound import Bound, best
from .receptive import require_architecture


def cut_axis(net, partition: str) -> int:
    """The axis that a named partition cuts: the last for left-right, the first for top-bottom."""
    require_architecture("overlap bounds", net)
    if isinstance(partition, str) and partition == "left-right":
        return net.ndim - 1
    if isinstance(partition, str) and partition == "top-bottom" and net.ndim == 2:
        return 0
    valid = "'left-right' and 'top-bottom'" if net.ndim == 2 else "'left-right'"
    raise ValueError(f"partition {shown(partition)} of a network of size {net.size}: valid are "
                     f"{valid}")


def cut_position(net, axis: int, cut: int | None = None) -> int:
    """The number of cells before the cut; None stands for half of the axis, rounded down."""
    extent = net.size[axis]
    position = extent // 2 if cut is None else cut
    if not is_integer(position) or position not in range(1, extent):
        if extent == 1:
            raise ValueError(f"an axis of one cell cannot be cut: the size is {net.size}")
        raise ValueError(f"cut={shown(position)} along an axis of {extent} cells: valid are 1 to "
                         f"{extent - 1} cells before the cut")
    return int(position)


def axis_and_cut(net, partition: str, cut: int | None = None) -> tuple[int, int]:
    """The axis that a named partition cuts, and the number of cells before the cut."""
    axis = cut_axis(net, partition)
    return axis, cut_position(net, axis, cut)


def admissible_layers(net) -> list[int]:
    """The layers K that satisfy the hypotheses of the overlap bounds, in order.

    Examples
    --------
    >>> from lib import Architecture
    >>> admissible_layers(Architecture((8,), 2, ((3, 1, 2), (1, 2, 2), (3, 1, 2), (4, 4, 1))))
    [2, 3]
    """
    require_architecture("admissible_layers", net)
    return [layer for layer in range(1, net.depth) if not missing_hypotheses(net, layer)]


def missing_hypotheses(net, layer: int) -> list[str]:
    """The hypotheses of the overlap bounds that fail at a layer K, in words.

    Parameters
    ----------
    net : Architecture
    layer : int
        K, from 1 to the depth.

    Returns
    -------
    list of str
        Empty if the layer is admissible.

    Notes
    -----
    A later layer must be there to add up the channels of layer K. From there on the proof takes
    products over windows of S cells, which must be no larger than the windows available, down to
    a single output cell. Each is needed: see the counterexamples in book/overlap-theorem.md.

    Examples
    --------
    >>> from lib import Architecture
    >>> net = Architecture(4, 2, ((3, 1, 2), (1, 4, 1)))
    >>> missing_hypotheses(net, 1)
    ['layer 2 has window (1, 1) smaller than its stride (4, 4)']
    """
    require_architecture("missing_hypotheses", net)
    missing = []
    if integer("missing_hypotheses: layer", layer, 1, net.depth) == net.depth:
        missing.append(f"layer {layer} is not followed by another layer")
    if set(net.output_sizes[-1]) != {1}:
        missing.append(f"the output has size {net.output_sizes[-1]}, not a single cell")
    for later in range(layer + 1, net.depth + 1):
        window, stride = net.windows[later - 1], net.strides[later - 1]
        if any(r < s for r, s in zip(window, stride, strict=True)):
            missing.append(f"layer {later} has window {window} smaller than its stride {stride}")
    return missing


def published_base(net, layer: int) -> int:
    """min{M, D_K, floor(min of D_l over l < K, halved)}, the base of Theorem 1; at least 1."""
    layer = integer("published_base: layer", layer, 1, net.depth)
    halves = [width // 2 for width in net.widths[1:layer]]
    return max(1, min(net.widths[0], net.widths[layer], *halves))


def sampled_rows(net, layer: int, axis: int) -> int:
    """The rows that a layer samples across the axis that is cut, ceil(H / T_S) of them."""
    sizes = net.output_sizes[integer("sampled_rows: layer", layer, 0, net.depth)]
    return prod(n for other, n in enumerate(sizes) if other != axis % net.ndim)


def _halving_bound(net, layer, axis, t_min="stride"):
    """The power of Theorem 1 at one layer, None if its field does not exceed half the size."""
    extent = net.size[axis]
    field = net.alpha_minimal(layer, extent // 2, t_min, axis)
    if field is None:
        return None
    columns = max(0, (extent - field) // net.total_stride(layer, axis) + 1)
    exponent = columns * sampled_rows(net, layer, axis)
    return Bound(published_base(net, layer), exponent, layer, field - 1)


def overlap_bounds(
    net, partition: str = "left-right", t_min: str = "stride"
) -> tuple[Bound, ...]:
    """Theorem 1 at every layer that satisfies its hypotheses; see `overlap_bound`.

    Returns
    -------
    tuple of Bound
        By increasing layer.
    """
    axis = cut_axis(net, partition)
    if net.size[axis] % 2:
        return ()
    found = (_halving_bound(net, layer, axis, t_min) for layer in admissible_layers(net))
    return tuple(bound for bound in found if bound is not None)


def overlap_bound(net, partition: str = "left-right", t_min: str = "stride") -> Bound:
    """Theorem 1 of Sharir & Shashua, hypotheses made explicit, at the best layer.

    Parameters
    ----------
    net : Architecture
    partition : {"left-right", "top-bottom"}
    t_min : {"stride", "one"}
        Windows allowed in the alpha-minimal field, see `Architecture.alpha_minimal`.

    Returns
    -------
    Bound
        ``D^E`` with ``E = floor((W - T_R(K, W/2)) / T_S(K) + 1) ceil(H / T_S(K))`` for a cut of
        the width W; ``.silent`` (value 1) if no layer satisfies the hypotheses, which are an
        even size along the cut, T_R(K) > W/2, and those of `missing_hypotheses`.

    Notes
    -----
    Theorem 1 of [Sharir & Shashua, 2018] with the hypotheses that its proof uses and
    ``D = min{M, D_K, floor(min of D_l over l < K, halved)}``; book/overlap-theorem.md. For
    almost all weights and biases, and every nonsingular matrix of representation functions. Never
    above `lib.bounds.crossing.crossing_bound`, of which it is a corollary.

    Examples
    --------
    >>> from lib import Architecture
    >>> net = Architecture(4, 2, ((3, 1, 2), (4, 4, 1)))
    >>> str(net.overlap_bound()), str(net.overlap_bound("top-bottom"))
    ('2^8', '2^8')
    >>> Architecture(4, 2, ((2, 1, 2), (4, 4, 1))).overlap_bound().silent
    True
    """
    return best(overlap_bounds(net, partition, t_min))


def quoted_overlap_bound(net, partition: str = "left-right") -> Bound:
    """The formula of Theorem 1 without its implicit hypotheses, for comparison: not a bound.

    Takes T_R(K, floor(H/2)), the obvious reading for odd sizes, wherever T_R(K) > H/2, and asks
    nothing of the layers after K. Where it exceeds the generic rank, the hypotheses of
    `overlap_bound` are what is missing. The paper assumes an even size.

    Notes
    -----
    "Hypotheses that cannot be dropped" in book/overlap-theorem.md.

    Examples
    --------
    >>> from lib import Architecture
    >>> net = Architecture(3, 2, ((2, 1, 2), (3, 3, 1)))
    >>> str(quoted_overlap_bound(net)), str(net.crossing_bound())    # the rank is 2^3
    ('2^6', '2^3')
    """
    axis = cut_axis(net, partition)
    layers = [layer for layer in range(1, net.depth + 1)
              if 2 * net.total_receptive_field(layer, axis) > net.size[axis]]
    found = (_halving_bound(net, layer, axis) for layer in layers)
    return best(bound for bound in found if bound is not None)
