"""Architectures of generalized convolutions and their receptive-field algebra.

Everything here is integer arithmetic from the standard library: no torch, no numpy. Layers are
numbered from 1 as in the paper, and layer 0 is the representation layer (the input of layer 1).
A window is anchored at its first (top-left) cell, padding is by zeros at the far end of every
axis, and a layer with stride S turns n cells into ceil(n / S).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from importlib import import_module
from itertools import cycle, product
from math import prod
from typing import TYPE_CHECKING, Any

from ..bounds import crossing, overlap, private, receptive, upper_bounds
from ..bounds.bound import Bound
from ..checks import drawing, flag, integer, is_integer, kind, native, pairs, shown

if TYPE_CHECKING:
    import torch

__all__ = ["Architecture", "Layer", "Weights"]

Weights = Sequence[tuple["torch.Tensor", "torch.Tensor | None"]]
"""One (weight, bias) per layer; a bias of None stands for zeros."""

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
"""Of a weight and its bias."""


def _positive(value, what):
    """Return ``value`` as a plain int, or say which quantity is not a positive integer."""
    if not isinstance(value, bool) and not is_integer(value):
        raise TypeError(f"{what} must be an integer, got {shown(value)}")
    if isinstance(value, bool) or value < 1:
        raise ValueError(f"{what} must be a positive integer, got {value!r}")
    return int(value)


def _per_axis(value, what):
    """Validate an int or a tuple of ints, keeping which of the two it was."""
    if (isinstance(value, (tuple, list)) or getattr(value, "ndim", 0) == 1) and len(value):
        return tuple(_positive(entry, f"every entry of {what}") for entry in value)
    return _positive(value, what)


@dataclass(frozen=True)
class Layer:
    """One generalized convolution: an affine map of every cell of a window, then a product.

    Parameters
    ----------
    window : int or tuple of int
        Cells per axis of the window, R in the paper; one int for the same on every axis.
    stride : int or tuple of int
        Cells per axis between neighboring windows, S in the paper.
    channels : int
        Output channels, D in the paper.

    Examples
    --------
    >>> Layer(3, 2, 8)
    Layer(window=3, stride=2, channels=8)
    >>> Layer(window=(1, 5), stride=1, channels=4).window
    (1, 5)
    """

    window: int | tuple[int, ...]
    stride: int | tuple[int, ...]
    channels: int

    def __post_init__(self):
        object.__setattr__(self, "window", _per_axis(self.window, "Layer window"))
        object.__setattr__(self, "stride", _per_axis(self.stride, "Layer stride"))
        object.__setattr__(self, "channels", _positive(self.channels, "Layer channels"))


def _layer(value):
    """A Layer, given as one or as (window, stride, channels)."""
    if isinstance(value, Layer):
        return value
    if isinstance(value, Mapping):  # of dataclasses.asdict, or read from JSON
        return Layer(**value)
    try:
        window, stride, channels = value
    except (TypeError, ValueError):
        raise TypeError(f"Architecture layers must be Layers or (window, stride, channels), got "
                        f"{shown(value)}") from None
    return Layer(window, stride, channels)


@dataclass(frozen=True)
class Architecture:
    """A stack of generalized convolutions over a grid of M-channel representations.

    Parameters
    ----------
    size : int or tuple of int
        Cells per axis of the representation layer. An int H means a square H x H grid, a pair
        means (height, width), a tuple of length one means a one-dimensional network. The stored
        value is always the tuple.
    channels : int
        Representation channels per cell, M in the paper.
    layers : sequence of Layer, of (window, stride, channels), or of dicts of these three
        From the first layer after the representation to the output.
    ndim : int, optional
        1 or 2. Only needed to read an int ``size`` as one-dimensional.

    Raises
    ------
    TypeError, ValueError
        If a size, window or stride is not a positive integer, or has the wrong number of axes.

    Notes
    -----
    The model of section 2 of [Sharir & Shashua, 2018]; see book/receptive-field-algebra.md. The
    methods of the last part are those of :class:`lib.trees.tree.ModeTree` too, so that whatever
    takes the one takes the other.

    Examples
    --------
    >>> net = Architecture(4, 2, ((3, 2, 2), (2, 2, 1)))
    >>> print(net)
    4×4 cells of 2 channels; window/stride:channels 3/2:2, 2/2:1
    >>> net
    Architecture((4, 4), 2, ((3, 2, 2), (2, 2, 1)))
    >>> net.size, net.output_sizes
    ((4, 4), ((4, 4), (2, 2), (1, 1)))
    >>> net.total_stride(1), net.total_receptive_field(1), net.total_receptive_field(2)
    (2, 3, 5)
    >>> Architecture(8, 2, ((3, 1, 4), (8, 8, 1)), ndim=1).size
    (8,)
    """

    size: int | tuple[int, ...]
    channels: int
    layers: tuple[Layer, ...]
    ndim: int | None = None

    def __post_init__(self):
        size = _per_axis(self.size, "Architecture size")
        asked = None if self.ndim is None else integer("Architecture ndim", self.ndim)
        ndim = len(size) if isinstance(size, tuple) else 2 if asked is None else asked
        if ndim not in (1, 2) or asked not in (None, ndim):
            raise ValueError(f"Architecture has one or two axes: size={self.size!r} with "
                             f"ndim={self.ndim!r} is neither (H, W), (N,) nor an int")
        layers = tuple(map(_layer, kind("Architecture layers", self.layers, Iterable)))
        if not layers:
            raise TypeError("Architecture layers must be one Layer or more, got none")
        object.__setattr__(self, "size", size if isinstance(size, tuple) else (size,) * ndim)
        object.__setattr__(self, "channels", _positive(self.channels, "Architecture channels"))
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "ndim", ndim)
        for number, layer in enumerate(layers, 1):
            for name in ("window", "stride"):
                value = getattr(layer, name)
                if isinstance(value, tuple) and len(value) != ndim:
                    raise ValueError(f"layer {number} has {name}={value}, but size={self.size} has "
                                     f"{ndim} axes: give an int or a tuple of length {ndim}")

    # Shapes -------------------------------------------------------------------------------

    def _expand(self, value):
        return value if isinstance(value, tuple) else (value,) * self.ndim

    @property
    def depth(self) -> int:
        """Number of layers after the representation layer, L in the paper."""
        return len(self.layers)

    @cached_property
    def windows(self) -> tuple[tuple[int, ...], ...]:
        """Window of every layer as one tuple per layer, one entry per axis."""
        return tuple(self._expand(layer.window) for layer in self.layers)

    @cached_property
    def strides(self) -> tuple[tuple[int, ...], ...]:
        """Stride of every layer as one tuple per layer, one entry per axis."""
        return tuple(self._expand(layer.stride) for layer in self.layers)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels from the representation to the output: (M, D_1, ..., D_L)."""
        return (self.channels, *(layer.channels for layer in self.layers))

    @cached_property
    def output_sizes(self) -> tuple[tuple[int, ...], ...]:
        """Cells per axis from the input to the output: entry l is the map of layer l."""
        sizes = [self.size]
        for stride in self.strides:
            sizes.append(tuple(-(-n // s) for n, s in zip(sizes[-1], stride, strict=True)))
        return tuple(sizes)

    @property
    def is_overlapping(self) -> bool:
        """Whether some layer has a window larger than its stride on some axis."""
        return any(r > s for window, stride in zip(self.windows, self.strides, strict=True)
                   for r, s in zip(window, stride, strict=True))

    # Receptive fields; lib/bounds/receptive.py says more about each -------------------------------

    def total_stride(self, layer: int, axis: int = -1) -> int:
        """T_S(l): input cells between neighboring cells of a layer."""
        return receptive.total_stride(self, layer, axis)

    def total_receptive_field(self, layer: int, axis: int = -1) -> int:
        """T_R(l): extent in input cells of what one cell of a layer sees along an axis."""
        return receptive.total_receptive_field(self, layer, axis)

    def overlap_degree(self, layer: int, axis: int = -1) -> Fraction:
        """T_R(l) / T_S(l): 1 when neighboring fields touch, above 1 when they overlap."""
        return receptive.overlap_degree(self, layer, axis)

    def digits(self, layer: int, axis: int = -1) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Units T_S(i - 1) and bounds R_i - 1 of the offsets inside windows 1..layer."""
        return receptive.digits(self, layer, axis)

    def alpha_minimal(
        self, layer: int, alpha: int | float | Fraction, t_min: str = "stride", axis: int = -1
    ) -> int | None:
        """The smallest T_R(l) above alpha over networks with windows no larger, or None."""
        return receptive.alpha_minimal(self, layer, alpha, t_min, axis)

    def reachable_shifts(self, layer: int, axis: int = -1) -> tuple[int, ...]:
        """Distances between the first pixel that a cell of a layer sees and the others."""
        return receptive.reachable_shifts(self, layer, axis)

    # Bounds; lib/bounds/overlap.py, crossing.py, private.py and upper_bounds.py say more ----------

    def missing_hypotheses(self, layer: int) -> list[str]:
        """The hypotheses of the overlap bounds that fail at a layer K, in words."""
        return overlap.missing_hypotheses(self, layer)

    def overlap_bound(self, partition: str = "left-right", t_min: str = "stride") -> Bound:
        """Theorem 1 of Sharir & Shashua, hypotheses made explicit, at the best layer."""
        return overlap.overlap_bound(self, partition, t_min)

    def overlap_bounds(
        self, partition: str = "left-right", t_min: str = "stride"
    ) -> tuple[Bound, ...]:
        """Theorem 1 of Sharir & Shashua at every layer that satisfies its hypotheses."""
        return overlap.overlap_bounds(self, partition, t_min)

    def quoted_overlap_bound(self, partition: str = "left-right") -> Bound:
        """The formula of Theorem 1 without its implicit hypotheses: not a bound."""
        return overlap.quoted_overlap_bound(self, partition)

    def crossing_bound(
        self, partition: str = "left-right", cut: int | None = None
    ) -> Bound:
        """The crossing bound at the best layer: a lower bound on the generic rank."""
        return crossing.crossing_bound(self, partition, cut)

    def crossing_bounds(
        self, partition: str = "left-right", cut: int | None = None
    ) -> tuple[Bound, ...]:
        """The crossing bound at every layer that satisfies its hypotheses."""
        return crossing.crossing_bounds(self, partition, cut)

    def private_pixel_bound(
        self, partition: str = "left-right", cut: int | None = None
    ) -> Bound:
        """The private-pixel bound at the best layer; with strides it can be the larger one."""
        return private.private_pixel_bound(self, partition, cut)

    def exact_two_layer_rank(
        self, partition: str = "left-right", cut: int | None = None, last_bias: bool = True
    ) -> Bound | None:
        """The generic rank of one layer under a global product, where it is known; else None."""
        return upper_bounds.exact_two_layer_rank(self, partition, cut, last_bias)

    def non_overlapping_upper_bound(
        self, partition: str = "left-right", cut: int | None = None, last_bias: bool = True
    ) -> Bound | None:
        """A rank that no weights exceed, if no field crosses the cut before the map is one cell."""
        return upper_bounds.non_overlapping_upper_bound(self, partition, cut, last_bias)

    # The interface shared with ModeTree -----------------------------------------------------------

    @property
    def grid(self) -> tuple[int, ...]:
        """The sizes of the grid of positions."""
        return self.size

    def weight_shapes(self, shared: bool = True) -> list[Shapes]:
        """The shapes (weight, bias) of every layer.

        Parameters
        ----------
        shared : bool
            One kernel for all windows of a layer, or one kernel for every output cell.

        Returns
        -------
        list of (weight shape, bias shape)
            (D, C, *window) and (D, *window); unshared, the output cells come first in both.

        Examples
        --------
        >>> net = Architecture(4, 3, ((2, 2, 5), (2, 2, 1)))
        >>> net.weight_shapes()
        [((5, 3, 2, 2), (5, 2, 2)), ((1, 5, 2, 2), (1, 2, 2))]
        >>> net.weight_shapes(shared=False)[0]
        ((2, 2, 5, 3, 2, 2), (2, 2, 5, 2, 2))
        """
        shapes = []
        for below, window in enumerate(self.windows):
            inputs, outputs = self.widths[below : below + 2]
            cells = () if flag("weight_shapes: shared", shared) else self.output_sizes[below + 1]
            shapes.append(((*cells, outputs, inputs, *window), (*cells, outputs, *window)))
        return shapes

    def bias_flags(self, biases: bool | Sequence[bool] | None) -> tuple[bool, ...]:
        """Whether each layer has biases, from one flag for all or a sequence; None is all.

        Examples
        --------
        >>> Architecture(4, 3, ((2, 2, 5), (2, 2, 1))).bias_flags(True)
        (True, True)
        """
        biases = True if biases is None else native(biases)
        flags = (biases,) * self.depth if isinstance(biases, bool) else biases
        if not isinstance(flags, (list, tuple)) or len(flags) != self.depth or not all(
                isinstance(native(flag), bool) for flag in flags):
            raise ValueError(
                f"biases={shown(biases)}: give one bool, or one per layer ({self.depth} layers)"
            )
        return tuple(map(native, flags))

    def random_weights(
        self,
        arithmetic,
        generator: torch.Generator,
        shared: bool | None = None,
        biases: bool | Sequence[bool] | None = None,
    ) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
        """Independent random weights and biases, layer by layer.

        Parameters
        ----------
        arithmetic : Real or Modular
            Where the entries are drawn: standard normal numbers, or residues mod p.
        generator : torch.Generator
        shared : bool, optional
            As in :meth:`weight_shapes`; by default they are.
        biases : bool or sequence of bool, optional
            For all layers or layer by layer; by default all have them.

        Examples
        --------
        >>> import torch
        >>> from lib import Modular
        >>> net = Architecture(4, 3, ((2, 2, 5), (2, 2, 1)))
        >>> drawn = net.random_weights(Modular(), torch.Generator().manual_seed(0),
        ...                            biases=(True, False))
        >>> [(tuple(weight.shape), bias is None) for weight, bias in drawn]
        [((5, 3, 2, 2), False), ((1, 5, 2, 2), True)]
        """
        draw = drawing("random_weights", arithmetic, generator)
        shapes = self.weight_shapes(shared is None or shared)
        return [(draw(weight), draw(bias) if biased else None)
                for (weight, bias), biased in zip(shapes, self.bias_flags(biases), strict=True)]

    def check_weights(self, weights: Weights) -> None:
        """Raise a ValueError unless the weights are those of the architecture.

        Every layer may be shared or unshared, with or without a bias, on its own.

        Examples
        --------
        >>> import torch
        >>> net = Architecture(4, 3, ((4, 4, 1),))
        >>> net.check_weights([(torch.ones(1, 2, 4, 4), None)])
        Traceback (most recent call last):
        ...
        ValueError: check_weights: layer 1 has a weight of shape (1, 2, 4, 4); need \
(1, 3, 4, 4), or (1, 1, 1, 3, 4, 4) if unshared
        """
        if len(pairs("check_weights: weights", weights)) != self.depth:
            raise ValueError(f"check_weights: {len(weights)} pairs (weight, bias) for "
                             f"{self.depth} layers")
        either = self.weight_shapes(), self.weight_shapes(shared=False)
        for layer, (weight, bias) in enumerate(weights, 1):
            shared, unshared = (shapes[layer - 1] for shapes in either)
            fitting = [s for s in (shared, unshared) if tuple(weight.shape) == s[0]]
            if not fitting:
                raise ValueError(
                    f"check_weights: layer {layer} has a weight of shape {tuple(weight.shape)}; "
                    f"need {shared[0]}, or {unshared[0]} if unshared")
            if bias is not None and tuple(bias.shape) != fitting[0][1]:
                raise ValueError(
                    f"check_weights: layer {layer} has a bias of shape {tuple(bias.shape)}; the "
                    f"weight {tuple(weight.shape)} needs {fitting[0][1]} or None")

    def map_weights(
        self, function: Callable[[torch.Tensor], torch.Tensor], weights: Weights
    ) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
        """The weights with a function applied to every tensor."""
        return [(function(w), None if b is None else function(b)) for w, b in weights]

    def product_form(self, weights: Weights) -> tuple[Architecture, Weights]:
        """The specification and the weights of this product network, checked: itself."""
        self.check_weights(weights)
        return self, weights

    def parameter_count(self, shared: bool = True, biases: bool | Sequence[bool] = True) -> int:
        """The number of weights and biases of the network.

        Examples
        --------
        >>> Architecture(4, 3, ((2, 2, 5), (2, 2, 1))).parameter_count()
        104
        """
        shapes = zip(self.weight_shapes(shared), self.bias_flags(biases), strict=True)
        return sum(prod(weight) + flag * prod(bias) for (weight, bias), flag in shapes)

    def output_cell(
        self,
        weights: Weights,
        inputs: Mapping[int, Any],
        multiply: Callable[[list[tuple]], Any],
        output: int = 0,
    ) -> Any:
        """One output of the network, computed from its inputs by products of affine maps.

        Parameters
        ----------
        weights : list of (weight, bias), one pair per layer
        inputs : mapping from mode to cell
            What stands at every input cell, in whatever form ``multiply`` takes it; modes count
            the cells row by row.
        multiply : callable
            From a list of (matrix, bias, cell) to the cell that is the product of the affine maps
            ``matrix @ cell + bias``. A bias of None stands for zeros, a cell of None for padding,
            which is zeros too.
        output : int
            The entry of the flattened output (channel, then cells row by row).

        Raises
        ------
        ValueError
            If there is no such output.
        """
        sizes = self.output_sizes
        output = integer("output_cell: output", output, 0, self.widths[-1] * prod(sizes[-1]) - 1)
        channel, place = divmod(output, prod(sizes[-1]))
        known = {(0, at): inputs[mode] for mode, at in enumerate(product(*map(range, sizes[0])))}
        kernels = {}

        def cell(layer: int, at: tuple[int, ...]) -> Any:
            if (layer, at) not in known:
                if any(a >= n for a, n in zip(at, sizes[layer], strict=True)):
                    return None
                known[layer, at] = multiply(window(layer, at))
            return known[layer, at]

        def kernel(layer: int, at: tuple[int, ...]) -> list[tuple]:
            """The matrix and the bias of every offset."""
            weight, bias = weights[layer - 1]
            own = at if weight.ndim > 2 + len(at) else ()  # unshared: the kernel of this cell
            if (layer, own) not in kernels:
                chosen = slice(channel, channel + 1) if layer == self.depth else slice(None)
                matrices = weight[(*own, chosen)].flatten(2).unbind(-1)
                biases = (None,) if bias is None else bias[(*own, chosen)].flatten(1).unbind(-1)
                kernels[layer, own] = list(zip(matrices, cycle(biases)))
            return kernels[layer, own]

        def window(layer: int, at: tuple[int, ...]) -> list[tuple]:
            axes = zip(at, self.strides[layer - 1], self.windows[layer - 1], strict=True)
            seen = product(*(range(u * step, u * step + length) for u, step, length in axes))
            return [(matrix, constant, cell(layer - 1, place))
                    for (matrix, constant), place in zip(kernel(layer, at), seen, strict=True)]

        found = cell(self.depth, list(product(*map(range, sizes[-1])))[place])
        known.clear()  # these functions know each other, so that it would outlive the call
        return found

    def draw(self, axes=None, **options):
        """A picture; see :func:`lib.plots.architectures.draw_architecture` for the options."""
        # loaded when first used: drawing depends on this module, never the other way round
        module = import_module("..plots.architectures", __package__)
        return module.draw_architecture(axes, self, **options)

    def __str__(self) -> str:
        def extent(value: int | tuple[int, ...]) -> str:
            return "×".join(map(str, value)) if isinstance(value, tuple) else str(value)

        layers = ", ".join(f"{extent(layer.window)}/{extent(layer.stride)}:{layer.channels}"
                           for layer in self.layers)
        return (f"{extent(self.size)} cells of {self.channels} channels; "
                f"window/stride:channels {layers}")

    def __repr__(self) -> str:
        layers = tuple((layer.window, layer.stride, layer.channels) for layer in self.layers)
        return f"Architecture({self.size}, {self.channels}, {layers})"
