"""Dilated networks without pooling, and two of them that exchange channels.

A dilated network reads two instants at every layer, one dilation apart, and multiplies what two
matrices make of them. Where it reads no input along two paths, its output at one instant is the
product network of a mode tree, one tree for every order of the dilations. Two orders run side
by side and exchange half of their channels where their trees have nodes in common (Cohen, Tamari &
Shashua, 2018; book/connectivity.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..checks import drawing, flag, floats, integer, integers, kind
from ..exact.arithmetic import chosen_arithmetic
from .decompositions import MAX_ENTRIES
from .tree import ModeTree, Node, Path

__all__ = ["DilatedNetwork", "dilated_tree", "gap_family", "hybrid_tree", "lags", "mixture_levels"]

Layers = list[torch.Tensor]
"""The weights of one stream: for layer l a tensor (2, r_l, r_{l-1}), tap 0 reading the past."""


def lags(dilations: Sequence[int]) -> dict[int, int]:
    """How far back the output reads, and along how many paths: the subset sums.

    Parameters
    ----------
    dilations : sequence of int
        Layer after layer, the first layer first.

    Returns
    -------
    dict from int to int
        The lag s of every input x[t-s], in increasing order, and the number of sets of layers
        whose dilations add up to s.

    Raises
    ------
    ValueError
        If there is no dilation or one is not a positive integer.

    Examples
    --------
    >>> lags((2, 1)), lags((1, 1))
    ({0: 1, 1: 1, 2: 1, 3: 1}, {0: 1, 1: 2, 2: 1})
    """
    dilations = integers("lags: dilations", dilations, 1)
    if not dilations:
        raise ValueError("lags: no dilations; need at least one")
    paths = Counter({0: 1})
    for dilation in dilations:
        paths += Counter({lag + dilation: count for lag, count in paths.items()})
    return dict(sorted(paths.items()))


def dilated_tree(
    dilations: Sequence[int], dim: int, width: int, outputs: int = 1
) -> ModeTree:
    """The mode tree of a dilated network's output at one instant.

    Parameters
    ----------
    dilations : sequence of int
        Layer after layer; no two sets of them may have the same sum.
    dim : int
        M, the channels of the input.
    width : int
        r, the channels of every layer but the last.
    outputs : int
        The channels of the last layer, which an output vector adds up.

    Returns
    -------
    ModeTree
        Binary, over the inputs that are read, mode 0 the oldest one. Child 0 of every node is
        read through tap 0, from the past.

    Raises
    ------
    ValueError
        If an input is read along two paths.

    Notes
    -----
    Figure 8 of the survey (Cohen et al., 2017); book/connectivity.md, "The tree of a dilated
    network".

    Examples
    --------
    >>> print(dilated_tree((2, 1), dim=3, width=5))
    [[0 2]:5 [1 3]:5]:1 over dimension 3
    """
    dilations = integers("dilated_tree: dilations", dilations, 1)
    return _tree((dilations,), dim, {len(dilations): outputs}, width)


def mixture_levels(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """The levels on which the trees of two dilated networks have their nodes in common.

    Parameters
    ----------
    first, second : sequence of int
        Two orders of the same dilations.

    Returns
    -------
    tuple of int
        Every level below the root, layers counted from 1, up to which both have used the same
        set of dilations.

    Raises
    ------
    ValueError
        If the two are not orders of the same dilations.

    Examples
    --------
    >>> mixture_levels((1, 2, 4), (2, 1, 4)), mixture_levels((1, 2), (2, 1))
    ((2,), ())
    """
    first, second = (integers("mixture_levels: dilations", order, 1) for order in (first, second))
    if sorted(first) != sorted(second):
        raise ValueError(f"mixture_levels: {first} and {second} are not two orders of the same "
                         "dilations")
    return tuple(level for level in range(1, len(first))
                 if sorted(first[:level]) == sorted(second[:level]))


def hybrid_tree(
    first: Sequence[int], second: Sequence[int], dim: int, width: int, level: int,
    choice: Sequence[int], level_width: int | None = None,
) -> ModeTree:
    """A tree that follows ``first`` above a mixture level, and below it either of the two.

    Parameters
    ----------
    first, second : sequence of int
        Two orders of the same dilations.
    dim, width : int
        As in :func:`dilated_tree`; the last layer has one channel.
    level : int
        One of :func:`mixture_levels`.
    choice : sequence of 0 and 1
        For the nodes on the level in the order in which the tree meets them: 0 for ``first``
        below that node, 1 for ``second``.
    level_width : int, optional
        The width of the nodes on the level; by default half of ``width``, rounded down.

    Returns
    -------
    ModeTree

    Raises
    ------
    ValueError
        If the level is no mixture level, its nodes are left without a channel, or the choice does
        not fit.

    Examples
    --------
    >>> print(hybrid_tree((1, 2, 4), (2, 1, 4), dim=2, width=2, level=2, choice=(1, 0)))
    [[[0 2]:2 [1 3]:2]:1 [[4 5]:2 [6 7]:2]:1]:1 over dimension 2
    """
    first, second = (integers("hybrid_tree: dilations", order, 1) for order in (first, second))
    levels = mixture_levels(first, second)
    level = integer("hybrid_tree: level", level)
    if level not in levels:
        raise ValueError(f"hybrid_tree: level={level}; need one of the mixture levels {levels}")
    nodes, choice = 2 ** (len(first) - level), integers("hybrid_tree: choice", choice, 0)
    dim, width = integers("hybrid_tree: dim and width", (dim, width), 1)
    half = integer("hybrid_tree: level_width", width // 2 if level_width is None else level_width)
    if half < 1 or len(choice) != nodes or max(choice) > 1:
        raise ValueError(f"hybrid_tree: width {half} on level {level}, choice {choice}; need a "
                         f"width of at least 1 there and {nodes} numbers 0 or 1")
    return _tree((first, second), dim, {level: half, len(first): 1}, width, choice)


def _tree(orders, dim, widths, width, choice=()) -> ModeTree:
    """The binary tree; with choices, the nodes of the lowest level in ``widths`` take them."""
    paths = lags(orders[0])
    twice = [lag for lag, count in paths.items() if count > 1]
    if twice:
        raise ValueError(f"dilated_tree: dilations {orders[0]} read x[t-{twice[0]}] along "
                         f"{paths[twice[0]]} paths; no tree has one leaf for it")
    mode = {lag: len(paths) - 1 - place for place, lag in enumerate(paths)}
    choices, depth = iter(choice), len(orders[0])
    mixed_level = min(widths) if choice else 0

    def below(level: int, lag: int, order: tuple[int, ...]) -> Node | int:
        if level == 0:
            return mode[lag]
        if level == mixed_level:
            order = orders[next(choices)]
        past = below(level - 1, lag + order[level - 1], order)
        return Node((past, below(level - 1, lag, order)), widths.get(level, width))

    return ModeTree(below(depth, 0, orders[0]), dim)


@dataclass(frozen=True)
class DilatedNetwork:
    """One dilated network, or two side by side that may exchange channels.

    Parameters
    ----------
    orders : tuple of one or two tuples of int
        The dilations of every stream, layer after layer: orders of the same dilations.
    dim : int
        M, the channels of the input.
    width : int
        r, the channels of every layer but the last, which has one.
    exchange : tuple of int
        Mixture levels after which the streams exchange their channels from ⌈r/2⌉ on.

    Raises
    ------
    ValueError
        If there are not one or two orders of the same dilations, or an exchange is not on a
        mixture level of two streams at least 2 wide.

    Notes
    -----
    h^l[t]_γ = ⟨a^{l,γ,0}, h^{l-1}[t-δ_l]⟩ ⟨a^{l,γ,1}, h^{l-1}[t]⟩, and the outputs of the
    streams are added. The same weights serve all instants. The exchange is as we read it in Cohen,
    Tamari & Shashua (2018); book/connectivity.md.

    Examples
    --------
    >>> mixture = DilatedNetwork(((1, 2, 4), (2, 1, 4)), dim=4, width=4, exchange=(2,))
    >>> mixture.modes, mixture.parameter_count()
    (8, 144)
    """

    orders: tuple[tuple[int, ...], ...]
    dim: int
    width: int
    exchange: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        dim, width = integers("DilatedNetwork: dim and width", (self.dim, self.width), 1)
        exchange = integers("DilatedNetwork: exchange", self.exchange, 1)
        orders = tuple(integers("DilatedNetwork: orders", order, 1) for order in
                       kind("DilatedNetwork: orders", self.orders, tuple, list))
        for name, value in (("dim", dim), ("width", width), ("exchange", exchange),
                            ("orders", orders)):
            object.__setattr__(self, name, value)
        if len(self.orders) not in (1, 2):
            raise ValueError(f"DilatedNetwork: {len(self.orders)} orders; need one or two")
        lags(self.orders[0])
        levels = mixture_levels(self.orders[0], self.orders[-1]) if len(self.orders) == 2 else ()
        if not set(self.exchange) <= set(levels) or (self.exchange and self.width < 2):
            raise ValueError(f"DilatedNetwork: exchange {self.exchange} at width {self.width}; the "
                             f"mixture levels of {self.orders} are {levels}, and the width must "
                             "be at least 2")

    @property
    def modes(self) -> int:
        """N, the number of inputs that one output reads."""
        return len(lags(self.orders[0]))

    def weight_shapes(self) -> list[tuple[int, int, int]]:
        """The shape (2, channels, channels below) of every layer of one stream."""
        widths = [self.dim, *[self.width] * (len(self.orders[0]) - 1), 1]
        return [(2, above, below) for below, above in zip(widths, widths[1:])]

    def parameter_count(self) -> int:
        """The number of weights of all streams."""
        return len(self.orders) * sum(2 * a * b for _, a, b in self.weight_shapes())

    def random_weights(self, arithmetic, generator: torch.Generator) -> list[Layers]:
        """Independent random weights, for every stream a list of layers.

        Parameters
        ----------
        arithmetic : Real or Modular
        generator : torch.Generator

        Examples
        --------
        >>> from lib import Real
        >>> network = DilatedNetwork(((1, 2),), dim=3, width=2)
        >>> [[w.shape[1:] for w in stream]
        ...  for stream in network.random_weights(Real(), torch.Generator().manual_seed(0))]
        [[torch.Size([2, 3]), torch.Size([1, 2])]]
        """
        draw = drawing("random_weights", arithmetic, generator)
        return [[draw(shape) for shape in self.weight_shapes()] for _ in self.orders]

    def tree_weights(self, layers: Layers) -> dict[Path, torch.Tensor]:
        """The weights of one stream on the edges of its mode tree, the same for all instants.

        Parameters
        ----------
        layers : list of torch.Tensor
            Of one stream, as from :meth:`random_weights`.

        Returns
        -------
        dict from path to torch.Tensor
            As :func:`lib.trees.decompositions.coefficient_tensor` takes them.

        Raises
        ------
        ValueError, TypeError
            As :meth:`check_weights`, or if an input is read along two paths.
        """
        self.check_weights([layers] * len(self.orders))
        tree = dilated_tree(self.orders[0], self.dim, self.width)  # all orders share the shapes
        output = torch.ones_like(layers[-1][0, 0, :1])
        return {path: layers[-len(path)][path[-1]] if path else output
                for path in tree.weight_shapes()}

    def check_weights(self, weights: list[Layers], batched: bool = False) -> None:
        """Raise an error unless the weights are those of the network.

        Parameters
        ----------
        weights : list of lists of torch.Tensor
        batched : bool
            Whether dimensions in front are allowed, as :meth:`run` takes them.

        Raises
        ------
        ValueError
            If there are too many or too few, or a shape does not fit.
        TypeError
            If they are no lists of tensors, or not of one floating point type.

        Examples
        --------
        >>> DilatedNetwork(((1, 2),), dim=3, width=2).check_weights([[torch.ones(2, 2, 3)]])
        Traceback (most recent call last):
        ...
        ValueError: check_weights: shapes [[(2, 2, 3)]]; need [[(2, 2, 3), (2, 1, 2)]]
        """
        for stream in kind("check_weights: weights", weights, list, tuple):
            kind("check_weights: layers of a stream", stream, list, tuple)
        floats("check_weights: weights", *(layer for stream in weights for layer in stream))
        found = [[tuple(layer.shape) for layer in stream] for stream in weights]
        needed = [self.weight_shapes() for _ in self.orders]
        ends = slice(-3 if flag("check_weights: batched", batched) else None, None)
        if [[shape[ends] for shape in stream] for stream in found] != needed:
            raise ValueError(f"check_weights: shapes {found}; need {needed}")

    def run(self, weights: list[Layers], signal: torch.Tensor, arithmetic=None) -> torch.Tensor:
        """The outputs at all instants at which the whole past is there.

        Parameters
        ----------
        weights : list of lists of torch.Tensor
            As from :meth:`random_weights`; dimensions in front are broadcast with the batch.
        signal : torch.Tensor, shape (batch, time, M)
        arithmetic : Real or Modular, optional
            Real numbers unless given.

        Returns
        -------
        torch.Tensor, shape (batch, time - sum of the dilations)

        Raises
        ------
        ValueError
            If the signal has another number of channels or is too short, or weights do not fit.
        TypeError
            If an argument is of another kind, or not all tensors are of one floating point type.

        Examples
        --------
        >>> network = DilatedNetwork(((1,),), dim=1, width=1)
        >>> network.run([[torch.ones(2, 1, 1)]], torch.tensor([[[2.0], [3.0], [5.0]]]))
        tensor([[ 6., 15.]])
        """
        arithmetic = chosen_arithmetic("run", arithmetic)
        if kind("run: signal", signal, torch.Tensor).ndim != 3 or signal.shape[2] != self.dim or (
                signal.shape[1] <= sum(self.orders[0])):
            raise ValueError(f"run: signal of shape {tuple(signal.shape)}; need (batch, more than "
                             f"{sum(self.orders[0])} instants, {self.dim} channels)")
        self.check_weights(weights, batched=True)
        floats("run: signal and weights", signal, weights[0][0])

        weights = [list(map(arithmetic.taken, stream)) for stream in weights]
        streams = [arithmetic.taken(signal) for _ in self.orders]
        for number in range(len(self.orders[0])):
            for s, order in enumerate(self.orders):
                past, now = (arithmetic.matmul(streams[s], tap.mT)
                             for tap in weights[s][number].unbind(-3))
                past, now = past[..., : -order[number], :], now[..., order[number] :, :]
                streams[s] = arithmetic.multiply(past, now)
            streams = self._exchanged(streams, number + 1, dim=-1)
        return self._total(streams, arithmetic)[..., 0]

    def tensor(self, weights: list[Layers], arithmetic=None) -> torch.Tensor:
        """The grid tensor of one output by the mixed decomposition: no input is ever run.

        Parameters
        ----------
        weights, arithmetic
            As in :meth:`run`, without dimensions in front.

        Returns
        -------
        torch.Tensor, shape (M, ..., M), N times
            Mode 0 is the oldest input.

        Raises
        ------
        ValueError
            If an input is read along two paths, the tensor has more than ``MAX_ENTRIES``, or
            weights do not fit.
        TypeError
            As :meth:`run`.

        Notes
        -----
        φ^{l,γ} = (A^{l,0} φ^{l-1})_γ ⊗ (A^{l,1} φ^{l-1})_γ for every stream, one tensor on a level
        as the weights are shared over time; its modes are sorted by lag before an exchange.

        Examples
        --------
        >>> network = DilatedNetwork(((1,),), dim=2, width=1)
        >>> network.tensor([[torch.tensor([[[1.0, 2.0]], [[3.0, 5.0]]], dtype=torch.float64)]])
        tensor([[ 3.,  5.],
                [ 6., 10.]], dtype=torch.float64)
        """
        arithmetic = chosen_arithmetic("tensor", arithmetic)
        tree = dilated_tree(self.orders[0], self.dim, self.width)  # refuses colliding sums
        if self.dim**tree.modes > MAX_ENTRIES:
            raise ValueError(f"tensor: {self.dim} ** {tree.modes} entries, more than {MAX_ENTRIES}")
        self.check_weights(weights)
        weights = [list(map(arithmetic.taken, stream)) for stream in weights]
        like = {"dtype": weights[0][0].dtype, "device": weights[0][0].device}
        streams = [torch.eye(self.dim, **like) for _ in self.orders]
        found = [[0] for _ in self.orders]  # the lags of the modes, the oldest first
        for number in range(len(self.orders[0])):
            for s, order in enumerate(self.orders):
                past, now = (arithmetic.matmul(tap, streams[s].flatten(1))
                             for tap in weights[s][number])
                product = arithmetic.multiply(past[:, :, None], now[:, None, :])
                joined = [lag + order[number] for lag in found[s]] + found[s]
                axes = sorted(range(len(joined)), key=lambda axis: -joined[axis])
                product = product.reshape(-1, *[self.dim] * len(joined))
                streams[s] = product.permute(0, *[axis + 1 for axis in axes])
                found[s] = [joined[axis] for axis in axes]
            streams = self._exchanged(streams, number + 1, dim=0)
        return self._total(streams, arithmetic)[0].contiguous()

    def _exchanged(self, streams, level: int, dim: int) -> list[torch.Tensor]:
        if level not in self.exchange:
            return streams
        kept = (self.width + 1) // 2
        halves = [stream.split([kept, self.width - kept], dim)
                  for stream in torch.broadcast_tensors(*streams)]  # one alone may be batched
        return [torch.cat([halves[0][0], halves[1][1]], dim),
                torch.cat([halves[1][0], halves[0][1]], dim)]

    @staticmethod
    def _total(streams, arithmetic) -> torch.Tensor:
        return streams[0] if len(streams) == 1 else arithmetic.add(*streams)


def gap_family(depth: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Two orders of dilations, and a partition for which their mixture has the larger rank.

    Parameters
    ----------
    depth : int
        L, the number of layers; there are N = 2**L inputs.

    Returns
    -------
    first, second : tuple of int
        (1, 2, ..., N/2), and the same with all but the last reversed.
    rows : tuple of int
        The first quarter of the inputs and the even ones of the second half.

    Raises
    ------
    ValueError
        If there are fewer than three layers.

    Examples
    --------
    >>> gap_family(3)
    ((1, 2, 4), (2, 1, 4), (0, 1, 4, 6))
    """
    depth = integer("gap_family: depth", depth, 3)  # before, the two orders are the same
    first, half = tuple(2**place for place in range(depth)), 2 ** (depth - 1)
    rows = (*range(half // 2), *range(half, 2 * half, 2))
    return first, (*first[-2::-1], first[-1]), rows
