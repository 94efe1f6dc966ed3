"""Rectifier networks over a mode tree: explicit weights, and what one maximum can be.

The operator is ``activation_pooling("relu", "max")`` unless a function says otherwise: a channel of
the shallow network is then ``max(0, v_0(d_0), ..., v_{N-1}(d_{N-1}))``, for N >= 2: a single mode
is not pooled, and passed on as it is.
"""

import warnings
from bisect import bisect
from fractions import Fraction

import torch

from ..bounds.partitions import Partition, split_modes
from ..checks import floats, integer, kind, shown
from .tensors import indices
from .tree import ModeTree, Node, Path

__all__ = ["keeps_order", "largest_average_rank", "maxima_rank_bound", "maximum_as_products",
           "ordered_weights", "pair_weights", "single_channel", "universal_weights"]

Pair = tuple[ModeTree, dict[Path, torch.Tensor]]


def universal_weights(tensor: torch.Tensor) -> Pair:
    """A shallow network with maximum pooling that computes a given tensor.

    Parameters
    ----------
    tensor : torch.Tensor, shape (M, ..., M), N times
        At least two entries.

    Returns
    -------
    (ModeTree, dict from path to torch.Tensor)
        A star with ``M^N`` channels. Its output weights are fractions with denominator
        ``M^N - 1``.

    Raises
    ------
    ValueError
        If the tensor has one entry only, or its modes differ in dimension.

    Notes
    -----
    Channel d is 0 at the index tuple d and 1 at all others ("Universality with maxima" in
    book/rectifier-networks.md, after Cohen & Shashua, 2016).

    Examples
    --------
    >>> from lib.trees.decompositions import coefficient_tensor
    >>> from lib.trees.tensors import activation_pooling
    >>> target = torch.tensor([[3.0, 0.0], [0.0, 6.0]])
    >>> coefficient_tensor(*universal_weights(target),
    ...                    operator=activation_pooling("relu", "max")).tolist()
    [[3.0, 0.0], [0.0, 6.0]]
    """
    _require_finite("universal_weights", tensor)
    dims, count = set(tensor.shape), tensor.numel()
    if len(dims) != 1 or count < 2:
        raise ValueError(f"universal_weights: a tensor of shape {tuple(tensor.shape)}; need equal "
                         "dimensions and at least two entries")
    dim, values = dims.pop(), tensor.double().flatten()
    wanted, one = indices(dim, tensor.ndim), torch.eye(dim, device=tensor.device).double()
    wanted = wanted.to(tensor.device)  # (M^N, N)
    weights = {(i,): 1 - one[wanted[:, i]] for i in range(tensor.ndim)}
    weights[()] = values.sum() / (count - 1) - values
    return ModeTree.star(tensor.ndim, dim, count), weights


def pair_weights(tree: ModeTree) -> dict[Path, torch.Tensor]:
    """Weights at which a deep network with maximum pooling has an exponential even-odd rank.

    Parameters
    ----------
    tree : ModeTree
        A perfect tree with pool size 2. Where its modes are permuted, read one mode of every
        lowest node for the even modes.

    Returns
    -------
    dict from path to torch.Tensor
        Leaf channel α < r is ``1 - e_α`` with r = min(r_0, M); other leaf channels are 0; above
        the leaves one channel adds up what is below.

    Notes
    -----
    A lowest node holds ``r - [d = d' < r]`` and the tensor is r minus the product of these
    indicators: rank ``r^(N/2)`` if M >= 2, and one more if r < M. "A deep network out of reach" in
    book/rectifier-networks.md; existence is Claim 5 of Cohen et al., 2017.

    Examples
    --------
    >>> pair_weights(ModeTree.perfect(2, 2, 3, (2,)))[(0,)].tolist()
    [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]
    """
    _levels("pair_weights", tree)
    weights = {path: torch.zeros(shape).double() for path, shape in tree.weight_shapes().items()}
    used = min(tree.dim, min(node.width for _, node in tree.inner_nodes() if node.height == 1))
    for path, matrix in weights.items():
        if len(path) == tree.root.height:
            matrix[:used] = 1 - torch.eye(*matrix.shape).double()[:used]
        elif path:
            matrix[0] = 1  # channels that are not in use are 0
    weights[()][:] = 1
    return weights


def ordered_weights(tree: ModeTree) -> dict[Path, torch.Tensor]:
    """Weights around which a deep network with maximum pooling is a shallow one with one channel.

    Parameters
    ----------
    tree : ModeTree
        A perfect tree with pool size 2.

    Returns
    -------
    dict from path to torch.Tensor
        Every leaf channel is ``N d + i + 1`` at mode i and template d, every other weight is 1.

    Notes
    -----
    With one width on every level; otherwise values that meet may be equal, and one channel is
    enough at these weights but not around them.

    "An open set within reach" in book/rectifier-networks.md; Claim 6 of Cohen et al., 2017.

    Examples
    --------
    >>> ordered_weights(ModeTree.perfect(2, 2, 2, (1,)))[(1,)].tolist()
    [[2.0, 4.0]]
    """
    levels = _levels("ordered_weights", tree)
    weights = {path: torch.ones(shape).double() for path, shape in tree.weight_shapes().items()}
    for path, matrix in weights.items():
        if len(path) == levels:
            place = int("".join(map(str, path)), 2)
            matrix[:] = tree.modes * torch.arange(tree.dim) + tree.leaves[place] + 1
    return weights


def keeps_order(tree: ModeTree, leaf: Fraction | str, deeper: Fraction | str) -> bool:
    """Whether the proof allows perturbations of this size around `ordered_weights`.

    Parameters
    ----------
    tree : ModeTree
        A perfect tree with pool size 2 and one width on every level; its modes may be permuted.
    leaf, deeper : Fraction, int or str
        ε and η: every leaf weight moves by at most ε, every weight between the leaves and the
        output by at most η; the output weights stay positive.

    Returns
    -------
    bool
        Computed in fractions; the limit itself is allowed.

    Raises
    ------
    ValueError
        If the tree is another one, or a size is no fraction or out of range.
    TypeError
        If a size is a float, which is rarely the fraction meant, or the tree is no ModeTree.

    Examples
    --------
    >>> tree = ModeTree.perfect(4, 2, 2, (2, 2))
    >>> [keeps_order(tree, "1/4", text) for text in ("1/26", "1/25")]
    [True, False]
    """
    levels = _levels("keeps_order", tree)
    leaf, deeper = _fraction("leaf", leaf), _fraction("deeper", deeper)
    if not 0 <= leaf or not 0 <= deeper < 1:
        raise ValueError(f"keeps_order: leaf={leaf} and deeper={deeper}; need leaf >= 0 and "
                         "0 <= deeper < 1")
    if len({(node.height, node.width) for _, node in tree.inner_nodes()}) != levels:
        raise ValueError(f"keeps_order: {tree}; need one width on every level, as sums of other "
                         "widths change the order")
    growth = (1 + deeper) / (1 - deeper)
    return all(growth ** (level - 1) * (lower + leaf) <= lower + gap - leaf
               for (level, gap), lower in _closest_values(tree).items() if lower > 0)


def single_channel(tensor: torch.Tensor) -> Pair | None:
    """The shallow network with maximum pooling and one channel that computes a tensor, if any.

    Parameters
    ----------
    tensor : torch.Tensor, shape (M, ..., M)
        Of two modes or more, or of one without negative entries.

    Returns
    -------
    (ModeTree, dict from path to torch.Tensor) or None
        A star of width 1 with output weight 1 or -1; None if no weights exist.

    Notes
    -----
    If ``T(d) = max_i v_i(d_i)``, then the least value m_i(c) of T over all d with d_i = c is at
    least v_i(c), and T is at least every m_i(d_i): so T is the maximum of the m_i. Hence T is a
    single channel exactly if the m_i give T back ("One channel, decided" in
    book/rectifier-networks.md). Entries are compared as they are. Those of a network whose weights
    are no integers are rounded, equal ones not always alike: if nothing else is in the way, a
    warning says so. Integer weights leave nothing to round.

    Examples
    --------
    >>> tree, weights = single_channel(torch.tensor([[1.0, 4.0], [3.0, 4.0]]))
    >>> weights[(0,)].tolist(), weights[(1,)].tolist()
    ([[1.0, 3.0]], [[1.0, 4.0]])
    >>> single_channel(torch.eye(2)) is None
    True
    """
    _require_finite("single_channel", tensor)
    modes = tensor.ndim
    if len(set(tensor.shape)) != 1 or not tensor.numel():
        raise ValueError(f"single_channel: a tensor of shape {tuple(tensor.shape)}; need equal "
                         "dimensions and at least one entry")
    for sign in (1, -1):
        values = sign * tensor.double()  # of unsigned numbers the negatives would wrap around
        if bool((values < 0).any()):
            continue
        weights = {(): values.new_tensor([sign])}
        reached = torch.zeros_like(values)
        for i in range(modes):
            least = values.movedim(i, 0).flatten(1).amin(1) if modes > 1 else values
            weights[(i,)] = least[None].double()
            reached = torch.maximum(reached, least.reshape([-1] + [1] * (modes - 1 - i)))
        if torch.equal(reached, values):
            return ModeTree.star(modes, tensor.shape[0], 1), weights
        gap, largest = (values - reached).max().item(), values.max().item()
        if tensor.is_floating_point() and gap <= 16 * torch.finfo(tensor.dtype).eps * largest:
            warnings.warn(f"single_channel: None for a gap of {gap:.1g} beside entries up to "
                          f"{largest:.3g}, which roundings may leave; need exact entries, as of a "
                          "network with integer weights", stacklevel=2)
    return None


def maximum_as_products(tree: ModeTree, weights: dict[Path, torch.Tensor]) -> Pair:
    """A shallow network of products that computes what one channel with maximum pooling does.

    Parameters
    ----------
    tree : ModeTree
        A star of width 1.
    weights : dict from path to torch.Tensor

    Returns
    -------
    (ModeTree, dict from path to torch.Tensor)
        A star of width at most ``(M - 1) N + 1``, for product pooling; weights in float64.

    Raises
    ------
    ValueError
        If the tree is no such star, the weights do not fit it or one of them is not finite.
    TypeError
        If the tree is no ModeTree, or the weights are not of one floating point type.

    Notes
    -----
    With the values t_0 < t_1 < ... that the channel takes, the maximum is the largest of them
    minus the sum of the steps ``t_s - t_{s-1}`` at which all modes stay below t_s, and that
    indicator is a product ("A maximum as few products" in book/rectifier-networks.md).

    Examples
    --------
    >>> star = ModeTree.star(2, 2, 1)
    >>> weights = {(): torch.tensor([1.0]), (0,): torch.tensor([[1.0, 3.0]]),
    ...            (1,): torch.tensor([[2.0, 4.0]])}
    >>> products, _ = maximum_as_products(star, weights)
    >>> products.root.width
    3
    """
    kind("maximum_as_products: tree", tree, ModeTree)
    if tree.root.width != 1 or tree.root.height != 1:
        raise ValueError(f"maximum_as_products: {tree} is not a star of width 1")
    tree.check_weights(weights)
    floats("maximum_as_products: weights", *weights.values())
    for weight in weights.values():
        _require_finite("maximum_as_products", weight)
    weights = tree.map_weights(torch.Tensor.double, weights)
    leaves = [weights[(t,)][0] for t in range(tree.modes)]
    if tree.modes > 1:  # a single mode is not rectified
        leaves = [leaf.clamp_min(0) for leaf in leaves]
    lowest = torch.stack([leaf.min() for leaf in leaves]).max()
    steps = torch.unique(torch.cat(leaves).clamp_min(lowest))  # the values taken, increasing
    below = {(t,): torch.cat([torch.ones_like(leaf[None]), (leaf < steps[1:, None]).double()])
             for t, leaf in enumerate(leaves)}
    below[()] = weights[()] * torch.cat([steps[-1:], -steps.diff()])
    return ModeTree(Node(tree.root.children, len(steps)), tree.dim, tree.grid), below


def maxima_rank_bound(partition: Partition, modes: int, dim: int, channels: int = 1) -> int:
    """A bound on the rank of a shallow network with maximum pooling; with one channel, attained.

    Parameters
    ----------
    partition : str or iterable of int
    modes, dim, channels : int
        N, M and Z.

    Returns
    -------
    int
        The smaller of ``Z (M - 1) k + 1`` and ``M^k``, with k the size of the smaller side.

    Notes
    -----
    "Channels with maxima" in book/rectifier-networks.md.

    Examples
    --------
    >>> [maxima_rank_bound("even-odd", 16, 2, channels) for channels in (1, 31, 32)]
    [9, 249, 256]
    """
    modes, dim, channels = (integer(f"maxima_rank_bound: {name}", value, 1) for name, value in
                            (("modes", modes), ("dim", dim), ("channels", channels)))
    smaller = min(map(len, split_modes(partition, modes)))
    return min(channels * (dim - 1) * smaller + 1, dim**smaller)


def largest_average_rank(partition: Partition, modes: int, dim: int) -> int:
    """The largest rank of a deep network with ReLU and average pooling, of any width, unshared.

    Parameters
    ----------
    partition : str or iterable of int
    modes, dim : int
        N, a power of two, and M; two neighbors are pooled at a time.

    Returns
    -------
    int

    Notes
    -----
    "Which partitions averages can cross" in book/rectifier-networks.md.

    Examples
    --------
    >>> [largest_average_rank(name, 8, 2) for name in ("left-right", "even-odd")]
    [2, 7]
    """
    dim = integer("largest_average_rank: dim", dim, 1)
    modes = integer("largest_average_rank: modes", modes, 2)
    if modes & (modes - 1):
        raise ValueError(f"largest_average_rank: modes={modes}; need a power of two")
    sides = split_modes(partition, modes)
    (p, left_columns), (q, right_columns) = [
        [dim ** sum((mode < modes // 2) == first for mode in side) for first in (True, False)]
        for side in sides]
    # p and q count the row and column contents of the left half, the others those of the right
    return min(p + left_columns - 1, q + right_columns - 1,
               min(p, q) + min(left_columns, right_columns))


def _require_finite(what: str, tensor: torch.Tensor) -> None:
    if not isinstance(tensor, torch.Tensor) or tensor.is_complex():
        raise TypeError(f"{what}: needs a tensor of real numbers, got "
                        f"{getattr(tensor, 'dtype', type(tensor).__name__)}")
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{what}: an entry is NaN or infinite; need finite numbers")


def _closest_values(tree: ModeTree) -> dict[tuple[int, int], int]:
    """Values of `ordered_weights` that meet on a level, one a gap above the other: the largest."""
    modes, last = tree.modes, tree.modes * (tree.dim - 1) + 1  # last: of mode 0
    closest: dict[tuple[int, int], int] = {}
    for level in range(1, tree.root.height + 1):
        half = 2 ** (level - 1)  # the modes below either child
        for start in range(0, modes, half):
            sibling = start ^ half
            others = sorted(tree.leaves[sibling : sibling + half])
            for mode in tree.leaves[start : start + half]:
                lower, after = last + mode, bisect(others, mode)
                if after < half:
                    gap = others[after] - mode
                else:  # the next larger value is that of the first one, a template later
                    lower, gap = lower - modes, others[0] + modes - mode
                closest[level, gap] = max(lower, closest.get((level, gap), lower))
    return closest


def _fraction(name: str, value: object) -> Fraction:
    try:
        return Fraction(kind(f"keeps_order: {name}", value, Fraction, int, str))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"keeps_order: {name}={shown(value)}; need a fraction as '1/4'") from None


def _levels(what: str, tree: ModeTree) -> int:
    levels = kind(f"{what}: tree", tree, ModeTree).root.height
    if tree.modes != 2**levels or any(len(node.children) != 2 for _, node in tree.inner_nodes()):
        raise ValueError(f"{what}: {tree} is not a perfect tree with pool size 2")
    return levels
