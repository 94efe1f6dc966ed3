"""Records of an audit: one per layer, one per join of branches."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .fields import EMPTY


@dataclass(frozen=True)
class Geometry:
    """Where the units of a map look in the image, along one axis.

    Parameters
    ----------
    size : int
        Pixels in the field of a unit, T_R: as if the image had no border, or the part inside the
        image once some operation has looked at the whole map.
    stride : Fraction or None
        Pixels between neighboring units, T_S; None if units no longer form a grid.
    start : int
        First pixel of the first unit's field; negative when it begins in the padding.
    center : Fraction or None
        Middle of the first unit's field, in pixels (pixel p covers p - 1/2 to p + 1/2).
    seen : int
        Largest number of pixels that any unit sees inside the image.
    everything : bool
        Whether every unit sees the whole axis.
    """

    size: int
    stride: Fraction | None
    start: int
    center: Fraction | None
    seen: int
    everything: bool

    @property
    def padding(self):
        """Effective padding: pixels of the first field that lie before the image."""
        return -self.start

    @property
    def overlap(self):
        """Overlap degree T_R / T_S, None without a grid."""
        return None if not self.stride else self.size / self.stride


def geometry(virtual, seen, axis):
    """Summarize the fields of one map along one axis.

    Parameters
    ----------
    virtual, seen : lib.audit.fields.Field
    axis : int

    Returns
    -------
    Geometry
    """
    low, high, step = _per_unit(virtual, axis)
    widths = high - low + 1
    stride = virtual.stride(axis)
    center = None
    if step is not None:
        period = min(step[1], len(low))
        middles = [Fraction(int(low[i] + high[i]), 2) - stride * i for i in range(period)]
        center = sum(middles) / period
    inside_low, inside_high, _ = _per_unit(seen, axis)
    inside = (inside_high - inside_low + 1).clamp(min=0)
    last = virtual.image[axis] - 1
    edge = seen.edges[axis]
    everything = bool((edge[0] == 0).all() and (edge[1] == -last).all())
    known = low <= high
    return Geometry(int(widths[known].max()) if known.any() else 0, stride,
                    int(low[known][0]) if known.any() else 0, center, int(inside.max()), everything)


def _per_unit(field, axis):
    """First and last pixel by position along the grid, the hull over everything else."""
    edge, step = field.edges[axis], field.step[axis]
    if step is None:
        edge = field.clipped(axis) if field.virtual else edge
        low, high = edge[0].flatten(), -edge[1].flatten()
        if (low > EMPTY // 2).any() and not (low > EMPTY // 2).all():
            low, high = low[low < EMPTY // 2], high[low < EMPTY // 2]
        return low, high, None
    dim = step[0] + 1
    others = [d for d in range(1, edge.dim()) if d != dim]
    merged = edge.amin(others) if others else edge
    return merged[0], -merged[1], step


@dataclass(frozen=True)
class LayerRecord:
    """One layer of the table.

    ``kind``, ``window`` to ``channels`` are those of `lib.audit.rules.LayerInfo`; ``shape`` is the
    output's, ``geometry`` holds one `Geometry` per axis of the image.
    """

    name: str
    kind: str
    window: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    groups: int
    channels_in: int
    channels: int
    shape: tuple
    geometry: tuple

    @property
    def everything(self):
        """Whether every unit of this layer sees the whole image."""
        return all(g.everything for g in self.geometry)


def layer_record(name, info, shape, geometry):
    """The record of a layer; axes that a one-dimensional layer adds for itself are left out."""
    axes = len(geometry)
    window, stride, padding, dilation = (
        value[len(value) - axes:] if len(value) > axes else value
        for value in (info.window, info.stride, info.padding, info.dilation))
    return LayerRecord(name, info.kind, window, stride, padding, dilation, info.groups,
                       info.channels_in, info.channels, shape, geometry)


@dataclass(frozen=True)
class JoinRecord:
    """Where branches meet: ``problems`` says what does not agree, and is empty if all does."""

    name: str
    operation: str
    branches: tuple
    problems: tuple

    @property
    def aligned(self):
        return not self.problems


def join_record(name, operation, branches, axes):
    """Compare the geometries of the branches that meet.

    Parameters
    ----------
    branches : list of tuple of Geometry
        One tuple (entry per axis) per branch.
    axes : sequence of str
        Names of the axes.

    Returns
    -------
    JoinRecord
    """
    problems = []
    for place, axis in enumerate(axes):
        parts = [branch[place] for branch in branches]
        gridded = [p for p in parts if p.stride is not None]
        strides = sorted({p.stride for p in gridded})
        centers = sorted({p.center for p in gridded})
        if len(strides) > 1:
            problems.append(f"{axis}: strides {', '.join(map(str, strides))}")
        elif len(centers) > 1:
            problems.append(f"{axis}: centers {', '.join(str(float(c)) for c in centers)}")
        if gridded and any(p.stride is None and not p.everything for p in parts):
            problems.append(f"{axis}: a branch is not a grid over the image")
    return JoinRecord(name, operation, tuple(branches), tuple(problems))


def tensor_geometry(virtual, seen):
    """Geometries of one tensor, one per axis of the image."""
    return tuple(geometry(virtual, seen, axis) for axis in virtual.axes)
