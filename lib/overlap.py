"""Architectures of generalized convolutions and their receptive-field algebra.

Everything here is integer arithmetic from the standard library: no torch, no numpy. Layers are
numbered from 1 as in the paper, and layer 0 is the representation layer (the input of layer 1).
A window is anchored at its first (top-left) cell, padding is by zeros at the far end of every
axis, and a layer with stride S turns n cells into ceil(n / S).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

from . import bounds, shifts


def _positive(value, what):
    """Return ``value`` as a plain int, or say which quantity is not a positive integer."""
    try:
        number = value.__index__()
    except AttributeError:
        raise TypeError(f"{what} must be an integer, got {value!r}") from None
    if isinstance(value, bool) or number < 1:
        raise ValueError(f"{what} must be a positive integer, got {value!r}")
    return int(number)


def _per_axis(value, what):
    """Validate an int or a tuple of ints, keeping which of the two it was."""
    if isinstance(value, (tuple, list)):
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
    layers : sequence of Layer
        From the first layer after the representation to the output.
    ndim : int, optional
        1 or 2. Only needed to read an int ``size`` as one-dimensional.

    Raises
    ------
    TypeError, ValueError
        If a size, window or stride is not a positive integer, or has the wrong number of axes.

    Notes
    -----
    The model of section 2 of [Sharir & Shashua, 2018]; see book/receptive-field-algebra.md.
    Methods with an ``axis`` argument look by default at the last axis, the width, which is the
    one that the left-right partition cuts.

    Examples
    --------
    >>> net = Architecture(4, 2, (Layer(3, 2, 2), Layer(2, 2, 1)))
    >>> net.size, net.output_sizes
    ((4, 4), ((4, 4), (2, 2), (1, 1)))
    >>> net.total_stride(1), net.total_receptive_field(1), net.total_receptive_field(2)
    (2, 3, 5)
    >>> Architecture(8, 2, (Layer(3, 1, 4), Layer(8, 8, 1)), ndim=1).size
    (8,)
    """

    size: int | tuple[int, ...]
    channels: int
    layers: tuple[Layer, ...]
    ndim: int | None = None

    def __post_init__(self):
        size = _per_axis(self.size, "Architecture size")
        ndim = len(size) if isinstance(size, tuple) else 2 if self.ndim is None else self.ndim
        if ndim not in (1, 2) or self.ndim not in (None, ndim):
            raise ValueError(f"Architecture has one or two axes: size={self.size!r} with "
                             f"ndim={self.ndim!r} is neither (H, W), (N,) nor an int")
        layers = tuple(self.layers)
        if not layers or not all(isinstance(layer, Layer) for layer in layers):
            raise TypeError(f"Architecture layers must be one Layer or more, got {self.layers!r}")
        object.__setattr__(self, "size", size if isinstance(size, tuple) else (size,) * ndim)
        object.__setattr__(self, "channels", _positive(self.channels, "Architecture channels"))
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "ndim", ndim)
        for l, layer in enumerate(layers, 1):
            for name in ("window", "stride"):
                value = getattr(layer, name)
                if isinstance(value, tuple) and len(value) != ndim:
                    raise ValueError(f"layer {l} has {name}={value}, but size={self.size} has "
                                     f"{ndim} axes: give an int or a tuple of length {ndim}")

    # Shapes -------------------------------------------------------------------------------

    def _expand(self, value):
        return value if isinstance(value, tuple) else (value,) * self.ndim

    @property
    def depth(self):
        """Number of layers after the representation layer, L in the paper."""
        return len(self.layers)

    @property
    def windows(self):
        """Window of every layer as one tuple per layer, one entry per axis."""
        return tuple(self._expand(layer.window) for layer in self.layers)

    @property
    def strides(self):
        """Stride of every layer as one tuple per layer, one entry per axis."""
        return tuple(self._expand(layer.stride) for layer in self.layers)

    @property
    def widths(self):
        """Channels from the representation to the output: (M, D_1, ..., D_L)."""
        return (self.channels, *(layer.channels for layer in self.layers))

    @property
    def output_sizes(self):
        """Cells per axis from the input to the output: entry l is the map of layer l."""
        sizes = [self.size]
        for stride in self.strides:
            sizes.append(tuple(-(-n // s) for n, s in zip(sizes[-1], stride)))
        return tuple(sizes)

    # Receptive-field algebra ----------------------------------------------------------------

    def _axis(self, axis):
        if axis not in range(-self.ndim, self.ndim):
            raise ValueError(f"axis {axis} of an architecture with {self.ndim} axes: "
                             f"valid are {list(range(-self.ndim, self.ndim))}")
        return axis

    def _layer_range(self, layer):
        if isinstance(layer, bool) or layer not in range(self.depth + 1):
            raise ValueError(f"layer {layer!r} of an architecture of {self.depth} layers: valid "
                             f"are 0 (the representation) to {self.depth}")
        return layer

    def total_stride(self, layer, axis=-1):
        """Input cells between neighboring cells of a layer, T_S(l) = S_1 ... S_l.

        Examples
        --------
        >>> net = Architecture(8, 2, (Layer(2, 2, 4), Layer(3, 2, 2), Layer(2, 2, 1)))
        >>> [net.total_stride(l) for l in range(4)]
        [1, 2, 4, 8]
        """
        axis, product = self._axis(axis), 1
        for stride in self.strides[: self._layer_range(layer)]:
            product *= stride[axis]
        return product

    def total_receptive_field(self, layer, axis=-1):
        """Extent in input cells of what one cell of a layer sees, T_R(l).

        ``T_R(l) = 1 + sum over k <= l of (R_k - 1) T_S(k - 1)``: the first cell of the window,
        and how much further the last cell of every window reaches.

        Examples
        --------
        >>> net = Architecture(8, 2, (Layer(2, 2, 4), Layer(3, 2, 2), Layer(2, 2, 1)))
        >>> [net.total_receptive_field(l) for l in range(4)]
        [1, 2, 6, 10]
        """
        axis, extent = self._axis(axis), 1
        for k in range(1, self._layer_range(layer) + 1):
            extent += (self.windows[k - 1][axis] - 1) * self.total_stride(k - 1, axis)
        return extent

    def overlap_degree(self, layer, axis=-1):
        """T_R(l) / T_S(l) as a fraction: 1 without overlaps, above 1 where fields overlap.

        Examples
        --------
        >>> Architecture(8, 2, (Layer(3, 2, 4), Layer(2, 2, 1))).overlap_degree(1)
        Fraction(3, 2)
        """
        return Fraction(self.total_receptive_field(layer, axis), self.total_stride(layer, axis))

    @property
    def is_overlapping(self):
        """Whether some layer has a window larger than its stride on some axis."""
        return any(r > s for window, stride in zip(self.windows, self.strides)
                   for r, s in zip(window, stride))

    def digits(self, layer, axis=-1):
        """Units T_S(i - 1) and bounds R_i - 1 of the offsets inside windows 1..layer.

        A cell of the layer sees the pixels at distance ``sum of a_i T_S(i - 1)`` from its
        first pixel, where the offset inside window i is any ``0 <= a_i <= R_i - 1``.
        """
        axis = self._axis(axis)
        units = tuple(self.total_stride(i, axis) for i in range(self._layer_range(layer)))
        return units, tuple(window[axis] - 1 for window in self.windows[:layer])

    def alpha_minimal(self, layer, alpha, t_min="stride", axis=-1):
        """Smallest T_R(t) above ``alpha`` over windows t no larger than the layers' windows.

        Parameters
        ----------
        layer : int
            Layers 1..layer are shrunk.
        alpha : int, float or Fraction
            In input cells.
        t_min : {"stride", "one"}
            Range of t_i: from S_i to R_i as in the paper, or from 1 to R_i, which is enough for
            the proof, never worse and sometimes better.
        axis : int

        Returns
        -------
        int or None
            T_R(l, alpha) in input cells; None if no choice of windows exceeds ``alpha``.

        Notes
        -----
        Linear in the number of layers: see lib/shifts.py for the greedy choice and its proof.

        Examples
        --------
        >>> net = Architecture((10,), 2, (Layer(4, 4, 4), Layer(3, 1, 2), Layer(3, 3, 1)))
        >>> net.alpha_minimal(2, 5), net.alpha_minimal(2, 5, t_min="one")
        (8, 6)
        >>> net.alpha_minimal(1, 5) is None
        True
        """
        if t_min not in ("stride", "one"):
            raise ValueError(f"t_min={t_min!r}: valid are 'stride' (S_i <= t_i) and 'one'")
        units, highs = self.digits(layer, axis)
        lows = [stride[axis] - 1 if t_min == "stride" else 0 for stride in self.strides[:layer]]
        digits = shifts.smallest_at_least(units, lows, highs, floor(alpha))
        return None if digits is None else 1 + sum(u * a for u, a in zip(units, digits))

    def reachable_shifts(self, layer, axis=-1):
        """Distances, at most size - 1, between the first pixel of a cell's field and the others.

        Examples
        --------
        >>> Architecture((9,), 2, (Layer(2, 4, 2), Layer(2, 1, 2))).reachable_shifts(2)
        (0, 1, 4, 5)
        """
        return shifts.reachable_sums(*self.digits(layer, axis), self.size[axis] - 1)
