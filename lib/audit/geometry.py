"""Where the units of a map look in the image: size, stride and center of their fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

import torch

from .fields import EMPTY, Field, moves

AS_SEQUENCE = ("embedding", "recurrent")            # kinds whose channels lie last


@dataclass(frozen=True)
class Geometry:
    """Where the units of a map look in the image, along one axis.

    Parameters
    ----------
    size : int
        Pixels in the field of a unit, T_R: as if the image had no border, or the part inside the
        image once some operation has looked at the whole map. The largest, where units differ.
    stride : Fraction or None
        Pixels between neighboring units, T_S; None if units no longer form a grid.
    start : int
        First pixel of the first unit's field; negative when it begins in the padding.
    center : Fraction or None
        Middle of the first unit's field, in pixels (pixel p covers p - 1/2 to p + 1/2), as it
        follows from the grid.
    seen : int
        Largest number of pixels that any unit sees inside the image.
    everything : bool
        Whether every unit sees the whole axis.
    typical : int
        Median of the units' sizes.
    """

    size: int
    stride: Fraction | None
    start: int
    center: Fraction | None
    seen: int
    everything: bool
    typical: int

    @property
    def padding(self) -> int:
        """Effective padding: pixels of the first field that lie before the image."""
        return -self.start

    @property
    def overlap(self) -> Fraction | None:
        """Overlap degree T_R / T_S, None without a grid."""
        return None if not self.stride else self.size / self.stride


@dataclass(frozen=True)
class Box:
    """The pixels that one unit sees; ``print`` says it in words.

    Parameters
    ----------
    layer : str
    unit : tuple of int
        Place of the unit in its map, beside the batch.
    pixels : tuple of (int, int), or None
        First and last pixel inside the image along each axis; None if it sees no pixel.
    beyond : tuple of (int, int), or None
        The same as if the image had no border.

    Examples
    --------
    >>> print(Box("conv", (0, 7), ((0, 1), (6, 8)), ((-1, 1), (6, 8))))
    Unit (0, 7) of conv sees rows 0 to 1 and columns 6 to 8.
    Without the border it would see rows -1 to 1 and columns 6 to 8.
    """

    layer: str
    unit: tuple
    pixels: tuple | None
    beyond: tuple | None

    def __str__(self) -> str:
        place = self.unit if len(self.unit) > 1 else self.unit[0] if self.unit else "()"
        lines = [f"Unit {place} of {self.layer} sees {_in_words(self.pixels)}."]
        if self.beyond != self.pixels:
            lines.append(f"Without the border it would see {_in_words(self.beyond)}.")
        return "\n".join(lines)


def _in_words(pixels: tuple | None) -> str:
    if pixels is None:
        return "no pixel of the image"
    names = {1: ("positions",), 2: ("rows", "columns"), 3: ("planes", "rows", "columns")}
    *parts, last = (f"{name} {a} to {b}" for name, (a, b) in
                    zip(names[len(pixels)], pixels, strict=True))
    return " and ".join(filter(None, [", ".join(parts), last]))


def geometry(virtual: Field, seen: Field, axis: int) -> Geometry:
    """Summarize the fields of one map along one axis.

    Parameters
    ----------
    virtual, seen : lib.audit.fields.Field
    axis : int

    Returns
    -------
    Geometry
    """
    step, last = virtual.step[axis], virtual.image[axis] - 1
    edge = virtual.edges[axis]
    widths = _widths(edge)
    # tokens lie along the grid of one axis, and the first of them is the first along the other
    along = {s[0] for s in virtual.step if s is not None and edge.shape[s[0] + 1] > 1}
    along = {step[0]} if step is not None else along
    others = [d + 1 for d in range(edge.dim() - 1) if along and d not in along]
    merged = edge.amin(others, keepdim=True) if others else edge
    first = merged[0][merged[0] < EMPTY // 2]
    start, center = int(first[0]) if len(first) else 0, None
    if step is not None and 0 not in virtual.shape:
        center = _center(merged.flatten(1), virtual.stride(axis), step[1])
    inside, border = _widths(seen.edges[axis]), seen.edges[axis]
    everything = bool((border[0] == 0).all() and (border[1] == -last).all())
    return Geometry(_most(widths), virtual.stride(axis), start, center, _most(inside), everything,
                    int(widths.median()) if len(widths) else 0)


def _widths(edge: torch.Tensor) -> torch.Tensor:
    """Pixels that units see, of those that see any."""
    widths = (1 - edge[1] - edge[0]).flatten()
    seeing = widths > 0
    return widths if bool(seeing.all()) else widths[seeing]     # choosing among millions is slow


def _most(widths: torch.Tensor) -> int:
    return int(widths.max()) if len(widths) else 0


def _center(merged: torch.Tensor, stride: Fraction, period: int) -> Fraction:
    """Middle of the first unit's field: the median over periods of the grid, borders aside."""
    places = torch.arange(merged.shape[1])
    doubled = (merged[0] - merged[1]) * stride.denominator - 2 * stride.numerator * places
    blocks = doubled[:len(doubled) // period * period] if len(doubled) >= period else doubled
    blocks = blocks.view(-1, min(period, len(doubled))).sum(1)
    return Fraction(int(blocks.median()), 2 * stride.denominator * min(period, len(doubled)))


def tensor_geometry(virtual: Field, seen: Field) -> tuple[Geometry, ...]:
    """Geometries of one tensor, one per axis of the image."""
    found = tuple(geometry(virtual, seen, axis) for axis in virtual.axes)
    dims = [step[0] for step in virtual.step if step is not None]
    if len(set(dims)) < len(dims) or _beside(virtual) > 1:
        return tuple(replace(g, stride=None, center=None) for g in found)   # windows out of a map
    return tuple(replace(g, stride=None, center=None) if _in_turns(virtual, axis) else g
                 for axis, g in enumerate(found))


def _in_turns(field: Field, axis: int) -> bool:
    """Whether along the grid of an axis another axis moves too, as in tokens row by row.

    Then the stride is none between neighbors, but a mean over whole rows of tokens.
    """
    step = field.step[axis]
    return step is not None and any(moves(edge, step[0]) for other, edge in enumerate(field.edges)
                                    if other != axis)


def _beside(field: Field) -> int:
    """Dimensions with more than one unit along which no grid runs."""
    dims = {step[0] for step in field.step if step is not None}
    return sum(n > 1 and d not in dims for d, n in enumerate(field.shape))


def channel_dim(info: object, rank: int) -> int:
    """The dimension of a layer's output along which its channels lie."""
    return (-1 if info.kind in AS_SEQUENCE else info.dims[1]) % max(1, rank)


def batch_dim(fields: Iterable[Field], images: int, info: object = None) -> int | None:
    """The dimension along which the images lie that a network reads at once.

    The first one of their number, or else of one, along which nothing moves: tokens and frames may
    come before it. None if there is none, as where places were moved into it.

    Parameters
    ----------
    fields : iterable of lib.audit.fields.Field
        Those of one tensor.
    images : int
    info : lib.audit.rules.LayerInfo, optional
        The layer that returns it, whose channels are no batch.

    Returns
    -------
    int or None

    Examples
    --------
    >>> frames = Field.of_input((8, 1, 3), virtual=True, first=0)
    >>> batch_dim([frames.replace(step=[(0, 1, 1), None, None])], 1)
    1
    """
    held = set()
    for field in fields:
        shape = field.shape
        held |= {step[0] for step in field.step if step is not None}
        held |= {d % len(shape) for d in field.varying()}
    if info is not None:                            # windows move behind batch and channels
        held |= {*range(1, len(shape))} if info.window else {channel_dim(info, len(shape))} - {0}
    return next((d for count in (images, 1) for d, n in enumerate(shape)
                 if n == count and d not in held), None)


def is_map(field: object) -> bool:
    """Whether a tensor is a grid over the image, with channels and nothing else beside it.

    Windows cut out of a map have further dimensions; a grid runs through none of them alone.
    """
    if not isinstance(field, Field) or not field.gridded:
        return False
    return len({step[0] for step in field.step}) == len(field.step) and _beside(field) <= 1
