"""Architectures of generalized convolutions and their receptive-field algebra.

Everything here is integer arithmetic from the standard library: no torch, no numpy. Layers are
numbered from 1 as in the paper, and layer 0 is the representation layer (the input of layer 1).
A window is anchored at its first (top-left) cell, padding is by zeros at the far end of every
axis, and a layer with stride S turns n cells into ceil(n / S).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ..bounds import crossing, overlap, receptive, upper_bounds


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
    The views at the end of the class are documented in lib/bounds: receptive.py, overlap.py, crossing.py and
    upper_bounds.py.

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
    def depth(self):
        """Number of layers after the representation layer, L in the paper."""
        return len(self.layers)

    @cached_property
    def windows(self):
        """Window of every layer as one tuple per layer, one entry per axis."""
        return tuple(self._expand(layer.window) for layer in self.layers)

    @cached_property
    def strides(self):
        """Stride of every layer as one tuple per layer, one entry per axis."""
        return tuple(self._expand(layer.stride) for layer in self.layers)

    @property
    def widths(self):
        """Channels from the representation to the output: (M, D_1, ..., D_L)."""
        return (self.channels, *(layer.channels for layer in self.layers))

    @cached_property
    def output_sizes(self):
        """Cells per axis from the input to the output: entry l is the map of layer l."""
        sizes = [self.size]
        for stride in self.strides:
            sizes.append(tuple(-(-n // s) for n, s in zip(sizes[-1], stride, strict=True)))
        return tuple(sizes)

    @property
    def is_overlapping(self):
        """Whether some layer has a window larger than its stride on some axis."""
        return any(r > s for window, stride in zip(self.windows, self.strides, strict=True)
                   for r, s in zip(window, stride, strict=True))

    # Views: functions of an architecture, offered here as methods ---------------------------

    total_stride = receptive.total_stride
    total_receptive_field = receptive.total_receptive_field
    overlap_degree = receptive.overlap_degree
    digits = receptive.digits
    alpha_minimal = receptive.alpha_minimal
    reachable_shifts = receptive.reachable_shifts

    missing_hypotheses = overlap.missing_hypotheses
    overlap_bound = overlap.overlap_bound
    overlap_bounds = overlap.overlap_bounds
    quoted_overlap_bound = overlap.quoted_overlap_bound
    crossing_bound = crossing.crossing_bound
    crossing_bounds = crossing.crossing_bounds

    exact_two_layer_rank = upper_bounds.exact_two_layer_rank
    non_overlapping_upper_bound = upper_bounds.non_overlapping_upper_bound
