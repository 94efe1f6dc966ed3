"""Receptive fields as exact integer intervals, one per unit of a tensor and axis of the input.

A unit of a tensor may depend on the input pixels ``lo..hi`` along every axis: the smallest box
that contains them. A `Field` stores these boxes for all units at once. Along axis a they are one
integer tensor ``edges[a]`` that holds (lo, -hi), so that the hull of several boxes is a minimum.
Dimensions along which the boxes do not vary keep size 1, so a map of 64 x 224 x 224 units costs
224 pairs per axis, while whatever a reshape may do to it can still be done, literally.

Two fields describe every tensor. The *seen* one knows that padding holds no pixel: it is exact at
the borders too. The *virtual* one continues the map beyond its borders, as if the image had no
end; its intervals can be larger than the image, and they are what published tables list. For
that purpose ``step[a] = (dim, period, shift)`` says that moving ``period`` units along dimension
``dim`` moves the interval by ``shift`` pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm

import torch

EMPTY = 2 ** 40                                     # lo and -hi of a unit that sees no pixel


@dataclass
class Field:
    """The boxes of all units of one tensor.

    Parameters
    ----------
    shape : tuple of int
        Shape of the tensor.
    image : tuple of int
        Pixels of the input along each axis.
    edges : list of torch.Tensor
        Per axis, int64 of shape (2, s_1, ..., s_n) with s_i equal to ``shape[i]`` or 1.
    step : list
        Per axis (dim, period, shift), or None where the map cannot be continued.
    virtual : bool
        Whether padding continues the map (True) or holds no pixel (False).
    ignore : frozenset of str
        What is taken not to look around, although it does: "gates", "norms", "attention".
    lost : dict
        Axis to (cells, period, shift, ends) of the grid that a reshape has taken from it, so that
        another one that gives it back is known even by two cells; ``ends`` are those of one cell.
    cut : frozenset of int
        Axes along which an operation that looks at the whole image has cut boxes at the border.
    """

    shape: tuple
    image: tuple
    edges: list
    step: list
    virtual: bool
    ignore: frozenset = frozenset()
    lost: dict = field(default_factory=dict)
    cut: frozenset = frozenset()

    @classmethod
    def of_input(cls, shape: tuple, virtual: bool, first: int = 2,
                 ignore: frozenset = frozenset()) -> Field:
        """Field of the network's input, whose axes begin at dimension ``first``."""
        edges, step = [], []
        for dim, extent in enumerate(shape[first:], first):
            view = [1] * len(shape)
            view[dim] = extent
            place = torch.arange(extent).view(view)
            edges.append(torch.stack([place, -place]))
            step.append((dim, 1, 1))
        return cls(tuple(shape), tuple(shape[first:]), edges, step, virtual, ignore)

    @property
    def axes(self) -> range:
        return range(len(self.image))

    def full(self, axis: int) -> torch.Tensor:
        """Edges along an axis with every dimension at its full size (a view, no copy)."""
        return self.edges[axis].expand(2, *self.shape)

    def replace(self, shape: tuple | None = None, edges: list | None = None,
                step: list | None = None, cut: frozenset | None = None) -> Field:
        """A field with some parts changed, stored as small as it can be."""
        edges = self.edges if edges is None else [compress(edge) for edge in edges]
        return Field(tuple(self.shape if shape is None else shape), self.image, edges,
                     list(self.step if step is None else step), self.virtual, self.ignore,
                     self.lost, self.cut if cut is None else cut)

    def clipped(self, axis: int) -> torch.Tensor:
        """Edges along an axis inside the image; a box outside of it becomes empty."""
        return clip(self.edges[axis], self.image[axis]) if self.virtual else self.edges[axis]

    def varying(self, *axes: int) -> set[int]:
        """Dimensions along which the boxes differ along some axes, or any; counted from the last.

        Examples
        --------
        >>> sorted(Field.of_input((1, 3, 8, 8), virtual=False).varying())
        [-2, -1]
        """
        return {d for axis in axes or self.axes for d in range(-len(self.shape), 0)
                if self.edges[axis].shape[d] > 1}

    @property
    def gridded(self) -> bool:
        """Whether the units form a grid along every axis of the input."""
        return bool(self.step) and None not in self.step

    def stride(self, axis: int) -> Fraction | None:
        """Pixels between neighboring units, None if the units of this axis have no grid."""
        return None if self.step[axis] is None else Fraction(self.step[axis][2], self.step[axis][1])


def clip(edges: torch.Tensor, extent: int) -> torch.Tensor:
    """Edges cut at the border of an image of some extent; a box outside of it becomes empty."""
    low, high = edges[0].clamp(min=0), -(edges[1].clamp(min=1 - extent))
    empty = low > high
    return torch.stack([low.masked_fill(empty, EMPTY), (-high).masked_fill(empty, EMPTY)])


def compress(edges: torch.Tensor) -> torch.Tensor:
    """Keep one entry of every dimension along which the edges are constant."""
    for dim in range(1, edges.dim()):
        if edges.shape[dim] > 1:
            first = edges.narrow(dim, 0, 1)
            if edges.stride(dim) == 0 or torch.equal(first.expand_as(edges), edges):
                edges = first
    return edges.contiguous()


def common_step(first: tuple | None, second: tuple | None) -> tuple | None:
    """One step that describes both, or None if the two grids differ."""
    if first is None or second is None or first[0] != second[0]:
        return None
    period = lcm(first[1], second[1])
    shift = first[2] * (period // first[1])
    return (first[0], period, shift) if shift == second[2] * (period // second[1]) else None


def periodic(edges: torch.Tensor, dim: int, period: int, shift: int) -> bool:
    """Whether boxes that are ``period`` units apart along a dimension differ by a shift."""
    size = edges.shape[dim + 1]
    if size <= period:                              # nothing to compare, but a flip turns it around
        return bool((edges[0].select(dim, size - 1) >= edges[0].select(dim, 0)).all())
    change = edges.narrow(dim + 1, period, size - period) - edges.narrow(dim + 1, 0, size - period)
    wanted = torch.tensor([shift, -shift]).view(2, *[1] * (edges.dim() - 1))
    return bool((change == wanted).all())


def hull(fields: list[Field], shape: tuple, gates: bool = True) -> Field:
    """Boxes of units that depend on one unit of every field, all broadcast to one shape.

    ``gates`` says whether an operand that is one number for a whole map may be a gate.
    """
    fields = [_aligned(field, shape) for field in (_without_gates(fields) if gates else fields)]
    first, edges, steps, cut = fields[0], [], [], cut_by(fields)
    if len(fields) == 1:
        return first
    for axis in first.axes:
        step = first.step[axis]
        for other in fields[1:]:
            step = common_step(step, other.step[axis])
        plain = step is not None or axis not in cut
        parts = [f.edges[axis] if plain else f.clipped(axis) for f in fields]
        merged = parts[0]
        for part in parts[1:]:
            merged = torch.minimum(merged, part)
        edges.append(merged)
        steps.append(step)
    return first.replace(shape, edges, steps, cut)


def cut_by(parts: list) -> frozenset:
    """Axes along which the boxes of some part, if it is a field, have been cut at the border."""
    return frozenset().union(*(part.cut for part in parts if isinstance(part, Field)))


def _without_gates(fields: list[Field]) -> list[Field]:
    """The operands without those that are one number for a whole map, if gates are ignored."""
    if "gates" not in fields[0].ignore or len(fields) == 1:
        return fields
    moving, varying = [], []                        # per axis the dimensions that places lie along
    for axis in fields[0].axes:
        step = {f.step[axis][0] - len(f.shape) for f in fields
                if f.step[axis] and f.shape[f.step[axis][0]] > 1}
        moving.append(step or {d - len(f.shape) for f in fields for d in moving_dims(f)[axis]})
        varying.append(step or {d for f in fields for d in f.varying(axis)})
    return [f for f in fields if _has_places(f, moving, varying)] or fields


def _has_places(field: Field, moving: list[set], varying: list[set]) -> bool:
    """Whether an operand differs from place to place: along all dimensions, or all of one axis.

    One number for each place in a patch is the same for all patches: its boxes do not move.
    """
    own = {d for dims in varying for d in dims if -d <= len(field.shape) and field.shape[d] > 1}
    if any(dims and dims <= own for dims in varying):
        return True
    if any(moving):
        own &= set().union(*moving)
        return own == set().union(*moving) or bool(own) and (
            any(field.step) or any(moving_dims(field)))
    return bool(own & field.varying())              # from one border or another


def _aligned(field: Field, shape: tuple) -> Field:
    """The field of a tensor broadcast to a shape; a repeated unit no longer moves."""
    shape, lead = tuple(shape), len(shape) - len(field.shape)
    edges = [e.reshape(2, *[1] * lead, *e.shape[1:]) for e in field.edges]
    step = [s and (s[0] + lead, *s[1:]) for s in field.step]
    repeated = {axis for axis, s in enumerate(step)
                if s and field.shape[s[0] - lead] != shape[s[0]]}
    for axis in repeated:
        step[axis] = None
        edges[axis] = field.clipped(axis).reshape(edges[axis].shape)
    return field.replace(shape, edges, step, field.cut | repeated)


def along(vector: Field, dim: int, rank: int) -> Field:
    """A tensor of one dimension, laid along a dimension of a larger one."""
    dim %= rank
    shape = [vector.shape[0] if d == dim else 1 for d in range(rank)]
    edges = [edge.reshape(2, *[edge.shape[1] if d == dim else 1 for d in range(rank)])
             for edge in vector.edges]
    return vector.replace(shape, edges, [s and (dim, *s[1:]) for s in vector.step])


def reduce(field: Field, dims: list[int], keepdim: bool) -> Field:
    """Boxes of units that depend on every unit along some dimensions."""
    dims = sorted({d % len(field.shape) for d in dims}) if field.shape else []
    edges, steps, cut = [], [], field.cut
    for axis in field.axes:
        step, edge = field.step[axis], field.edges[axis]
        if step[0] in dims if step else _wide(edge, dims, field.image[axis]):
            edge, step, cut = field.clipped(axis), None, cut | {axis}
        edge = edge.amin([d + 1 for d in dims], keepdim=True) if dims else edge
        if not keepdim:
            edge = edge.reshape(2, *[n for d, n in enumerate(edge.shape[1:]) if d not in dims])
            step = step and (step[0] - sum(d < step[0] for d in dims), *step[1:])
        edges.append(edge)
        steps.append(step)
    shape = [1 if d in dims else n for d, n in enumerate(field.shape) if keepdim or d not in dims]
    return field.replace(shape, edges, steps, cut)


def _wide(edge: torch.Tensor, dims: list[int], extent: int) -> bool:
    """Whether a hull over dimensions looks along the whole image, not only inside windows of it.

    Boxes as wide as the image that lie near to each other are a window, too.
    """
    if not any(moves(edge, d) for d in dims):
        return False
    merged = edge.amin([d + 1 for d in dims], keepdim=True)
    widths, sizes = 1 - merged[0] - merged[1], 1 - edge[0] - edge[1]
    way = int((widths - sizes).max())               # from the first box to the last
    return int(widths.max()) >= extent and 2 * way >= extent or not any(
        moves(merged, d) for d in range(edge.dim() - 1))


def moving_dims(field: Field) -> list[set[int]]:
    """For every axis of the image the dimensions along which boxes move."""
    return [{d for d in range(len(field.shape)) if moves(edge, d)} for edge in field.edges]


def moves(edge: torch.Tensor, dim: int) -> bool:
    """Whether boxes move along a dimension, both ends alike, rather than grow and shrink."""
    if edge.shape[dim + 1] == 1:
        return False
    low, high = edge[0], -edge[1]
    order = (low * 2 ** 20 - high).argsort(dim)     # by first pixel, the longest first
    return bool((high.gather(dim, order).diff(dim=dim) > 0).any())


def gather(field: Field, dim: int, index: torch.Tensor, moves: tuple[int, int] | None,
           valid: torch.Tensor | None = None) -> Field:
    """Boxes of units that each depend on some units along one dimension.

    Parameters
    ----------
    field : Field
    dim : int
    index : torch.Tensor
        int64 (outputs, window): the input units of every output unit, possibly outside the map.
    moves : (int, int)
        Moving that many output units moves the index by that many input units.
    valid : torch.Tensor, optional
        bool (outputs, window): which entries count.

    Returns
    -------
    Field
    """
    extent = field.shape[dim]
    valid = torch.ones_like(index, dtype=torch.bool) if valid is None else valid
    inside = valid & (index >= 0) & (index < extent)
    grids = [s for s in field.step if s is not None and s[0] == dim and s[1] <= extent]
    period = grids[0][1] if grids and field.virtual else None
    edges, steps = [], []
    for axis in field.axes:
        step, edge = field.step[axis], field.edges[axis]
        carried = step is not None and step[0] == dim
        periodic = carried and step[1] <= extent
        varies = edge.shape[dim + 1] > 1
        every = edge.expand(*edge.shape[:dim + 1], extent, *edge.shape[dim + 2:])
        if period and (periodic or varies):         # continue the map beyond its borders
            places = _continued(index, extent, period, step[2] if carried else 0)
            edge = _pick(every, dim, *places, valid)
        else:
            usable = valid if field.virtual and not varies else inside
            if varies or not bool(usable.any(1).all()):
                edge = _pick(every, dim, index.clamp(0, extent - 1), None, usable)
        edges.append(edge)
        if not carried:
            steps.append(step)
        else:
            steps.append(_moved(step, moves) if periodic or not field.virtual else None)
    shape = (*field.shape[:dim], index.shape[0], *field.shape[dim + 1:])
    return _agree_on_empty(field.replace(shape, edges, steps))


def _moved(step: tuple, moves: tuple[int, int] | None) -> tuple | None:
    """The step of units that are ``moves[0]`` apart where their inputs are ``moves[1]`` apart."""
    dim, period, shift = step
    if moves is None or not moves[1]:               # one cell, stretched: nothing moves
        return None
    times = period // gcd(period, moves[1])
    return (dim, moves[0] * times, shift * (times * moves[1] // period))


def _continued(index: torch.Tensor, extent: int, period: int,
               shift: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions inside the map that stand for the index, and the pixels to add."""
    below = torch.clamp(-index, min=0).add(period - 1).div(period, rounding_mode="floor")
    above = torch.clamp(index - extent + 1, min=0).add(period - 1)
    turns = above.div(period, rounding_mode="floor") - below
    return index - turns * period, turns * shift


def _pick(edges: torch.Tensor, dim: int, position: torch.Tensor, offset: torch.Tensor | None,
          valid: torch.Tensor) -> torch.Tensor:
    """Minimum over the window of the edges at some positions."""
    count, window = position.shape
    picked = edges.index_select(dim + 1, position.reshape(-1))
    if window == 1 and bool(valid.all()) and (offset is None or not bool(offset.any())):
        return picked                               # a cut, of what may be a large tensor
    picked = picked.unflatten(dim + 1, (count, window))
    tail = [1] * (edges.dim() - dim - 2)
    if offset is not None:
        signed = torch.stack([offset, -offset])     # lo moves up, -hi moves down
        picked = picked + signed.view(2, *[1] * dim, count, window, *tail)
    picked = picked.masked_fill(~valid.view(1, *[1] * dim, count, window, *tail), EMPTY)
    picked = torch.where(picked > EMPTY // 2, EMPTY, picked)
    return picked.amin(dim + 2)


def _agree_on_empty(field: Field) -> Field:
    """A unit that sees no pixel along one axis sees none at all."""
    if field.image[0] == EMPTY:                     # labels of units: their first axis says it
        return field
    empties = [edge[:1] > EMPTY // 2 for edge in field.edges]
    if not any(bool(empty.any()) for empty in empties):
        return field
    empty = empties[0]
    for other in empties[1:]:
        empty = empty | other
    return field.replace(edges=[torch.where(empty, EMPTY, edge) for edge in field.edges])


def map_places(x: Field, count: int) -> tuple[int, ...]:
    """Which of the last dimensions of a map the axes of the image run along."""
    axes, rank = len(x.image), len(x.shape)
    dims = tuple(step[0] for step in x.step if step is not None)
    if count > axes == len({*dims}) == len(dims) and min(dims) >= rank - count:
        return dims
    return tuple(range(rank - axes, rank))
