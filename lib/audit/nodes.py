"""Nodes of the surrogate's graph, and where the units of one node are in another.

Which units of a layer arrive where is followed exactly, unit by unit: labels move through the
network as fields do, by the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import torch

from .fields import EMPTY, Field, hull
from .rules.registry import RULES
from .trace import Value


@dataclass(eq=False, repr=False)
class Node:
    """What one tensor becomes in the surrogate.

    ``role`` is "source", "layer", "pass" (an activation), "move", "cat", "add", "mul" or "opaque".
    The rest describes a layer, per axis of the image: ``width`` are its channels, ``cells`` those
    of its map, arranged as ``grid``, ``dims`` the dimensions of its input and output along which
    the channels lie, ``places`` those of its input along which its window moves. ``steps`` are the
    total strides of the surrogate's map, None if unknown. ``weighted`` says whether the network
    has weights there, which can be set to zero; ``groups`` of channels do not see each other, and
    ``per_group`` are the input channels of one. ``closing`` layers look at the whole map, a
    ``dense`` one reads its cells in any order;
    ``partial`` are means along a part of the axes.
    ``copies`` halves the channels once per surrounding branch whose input is added to its output;
    ``linear`` marks the last layer of such a branch. A tensor that is a function, number by number,
    of another one keeps that one as its ``stem``, and samples of the function as ``curves``.
    """

    name: str
    role: str
    parents: list
    value: Value
    width: int = 1
    cells: int = 1
    grid: tuple = ()
    window: tuple = ()
    stride: tuple = ()
    dilation: tuple = ()
    dims: tuple = (1, 1)
    places: tuple = ()
    steps: tuple | None = None
    weighted: bool = False
    groups: int = 1
    per_group: int = 0
    closing: bool = False
    dense: bool = False
    partial: bool = False
    copies: int = 1
    linear: bool = False
    uses: int = 0
    edges: list = field(default_factory=list)
    stem: Node | None = None
    curves: tuple | None = None

    @property
    def padded(self) -> bool:
        """Whether cells are added at the border, which the surrogate leaves out."""
        return "pad" in self.value.call.name

    @property
    def channels(self) -> int:
        """Channels left for the chain."""
        return self.width // self.copies

    @property
    def cell(self) -> bool:
        """Whether it is one cell of the map, all its units being channels."""
        return self.cells == 1


def labels_of(shape: tuple, labels: list[torch.Tensor]) -> Field:
    """Labels of units in the form in which rules move units: as boxes of one pixel."""
    edges = [torch.stack([label, -label]) for label in labels]
    return Field(tuple(shape), (EMPTY,) * len(edges), edges, [None] * len(edges), False)


def after_move(node: Node, parent: Node, units: Field) -> Field | None:
    """Where labelled units are after a move or a concatenation, None if that is not known."""
    if node.role == "pass":
        return units if node.padded else hull([units], node.value.shape)
    return _moved(node, {parent.value: units})


def _moved(node: Node, labels: dict) -> Field | None:
    """Labels of a tensor, from those of some tensors that it is put together from."""
    call = node.value.call
    if any(tuple(units.shape) != tuple(value.shape) for value, units in labels.items()):
        return None                                 # padding in between was dropped
    given = {value: labels[value] if value in labels else
             _beside(call, value.shape, next(iter(labels.values()))) for value in call.inputs}

    def put(entry: object) -> object:
        if isinstance(entry, list):
            return [put(part) for part in entry]
        return given[entry] if isinstance(entry, Value) else entry

    arguments = {key: put(entry) for key, entry in call.arguments.items()}
    result = RULES[call.name](call, arguments, [value.shape for value in call.outputs])
    return result[call.outputs.index(node.value)] if isinstance(result, list) else result


def _beside(call: object, shape: tuple, units: Field) -> object:
    """What stands for a tensor without labels: of no channel, in cells that take no memory.

    Beside labels that differ along other dimensions only, it repeats the numbers of their cells.
    """
    dim = call.arguments.get("dim", 0) % len(units.shape) if call.name == "cat" else 0
    if not dim or len(units.edges) != 2 or units.edges[1].shape[dim + 1] > 1:
        return torch.empty(()).expand(shape)
    nothing = torch.full((2, *[1] * len(shape)), EMPTY)
    return Field(tuple(shape), units.image, [nothing, units.edges[1]], [None, None], False)


def raw_labels(nodes: list[Node]) -> dict[Node, Field | None]:
    """Labels of tensors that are put together from the input: its channels and pixels.

    None stands for those of the input itself, which are many.
    """
    found = {nodes[0]: None}
    for node in nodes[1:]:
        known = {parent: found[parent] for parent in node.edges if parent in found}
        if not known or node.role == "layer":
            continue
        parent, units = next(iter(known.items()))
        if node.role in ("move", "cat"):
            units = _moved(node, {parent.value: fresh(nodes[0]) if labels is None else labels
                                  for parent, labels in known.items()})
            if units is None:
                continue
        elif not (node.value.shape == parent.value.shape or node.role == "pass" and node.padded):
            continue
        found[node] = units
    return found


def fresh(last: Node) -> Field:
    """Labels of a layer's own units: its channels, and the cells of its map."""
    shape = last.value.shape
    dim = last.dims[1] % len(shape) if shape else 0
    channels = torch.arange(shape[dim] if shape else 1).view(
        [-1 if d == dim else 1 for d in range(len(shape))])
    cells = [1 if d == dim else n for d, n in enumerate(shape)]
    return labels_of(shape, [channels, torch.arange(prod(cells)).view(cells)])


class Layouts:
    """Where the units of a layer are in later tensors; None means where the layer left them."""

    def __init__(self) -> None:
        self.kept, self.alive = {}, []

    def carry(self, node: Node, parent: Node, last: Node, units: Field | None) -> Field | None:
        """Labels at a node, coming from one of its parents; raises LookupError if unknown."""
        joined = node.role in ("pass", "add", "mul")
        if joined and (parent.value.shape == node.value.shape
                       or node.role == "pass" and node.padded):
            return units
        key = (node, parent, last, id(units))
        if key not in self.kept:
            labels = fresh(last) if units is None else units
            if joined:                              # repeated all over a larger map
                known = tuple(labels.shape) == tuple(parent.value.shape)
                moved = hull([labels], node.value.shape) if known else None
            else:
                moved = after_move(node, parent, labels)
            self.alive.append((units, moved))       # so that no identity is ever used twice
            self.kept[key] = moved
        if self.kept[key] is None:
            raise LookupError
        return self.kept[key]

    def arrangement(self, node: Node, last: Node,
                    units: Field | None) -> list[int] | range | None:
        """Channels of a layer in the order in which the next one reads them; None if it cannot.

        Channels of other origin are -1. A layer reads channels along one dimension, and cells
        in their own order along the others; one that closes the map may read all in any order.
        """
        shape, looks = last.value.shape, {*node.window, *node.stride} != {1}
        if units is None and (node.closing and node.dense or len(shape) > 1 and (
                node.dims[0] % len(shape) == last.dims[1] % len(shape)
                and (node.closing or not looks or node.places == last.places))):
            return range(last.width)
        key = (node, last, id(units))
        if key not in self.kept:
            self.alive.append(units)
            found = _arranged(node, last, fresh(last) if units is None else units)
            if found is not None:
                found = found.masked_fill(found > EMPTY // 2, -1).tolist()
            self.kept[key] = found
        return self.kept[key]


def complete(last: Node, units: Field) -> torch.Tensor:
    """The channels of a layer of which a tensor holds every cell."""
    channels, cells = (units.full(axis)[0].flatten() for axis in (0, 1))
    known, total = channels < EMPTY // 2, prod(last.value.shape) // max(1, last.width)
    pairs = (channels[known] * total + cells[known]).unique()
    found, times = (pairs // total).unique(return_counts=True)
    return found[times == total]


def _arranged(node: Node, last: Node, units: Field) -> torch.Tensor | None:
    channels, cells = (units.edges[axis][0] for axis in (0, 1))
    if node.closing and node.dense:
        known = channels[channels < EMPTY // 2].unique()
        found = complete(last, units)
        return found if len(found) == len(known) else None
    rank = len(units.shape)
    dim = node.dims[0] % rank
    others = [d for d in range(rank) if d != dim]
    if any(channels.shape[d] > 1 for d in others):
        return None
    known = channels < EMPTY // 2
    cells = cells.masked_fill(cells > EMPTY // 2, -1)
    cells = cells.amax(dim, keepdim=True) if cells.shape[dim] > 1 else cells
    sizes = [units.shape[d] for d in others]
    total = prod(last.value.shape) // max(1, last.width)
    if not known.any() or prod(sizes) != (total if node.closing else prod(last.grid)):
        return None
    if not node.closing and {*node.window, *node.stride} != {1} and (
            tuple(units.shape[d] for d in node.places) != tuple(last.grid)):
        return None
    order = torch.arange(prod(sizes)).view([1 if d == dim else units.shape[d]
                                            for d in range(rank)])
    same = cells.expand(order.shape)
    spread = units.edges[1][0]
    constant = spread.shape[dim] == 1 or bool(
        ((spread == same) | (spread > EMPTY // 2)).all())
    if node.closing:                                # every place has weights of its own
        same = same.flatten().sort().values.view(order.shape)
    if not constant or not torch.equal(same, order):
        return None
    return channels.expand([units.shape[d] if d == dim else 1 for d in range(rank)]).flatten()


def block_of(node: Node, source: Node, units: Field, size: tuple) -> tuple | None:
    """Sizes of the blocks of pixels that a layer reads as its cells, None if it does not.

    Cell u of its input must hold all channels of all pixels of block u, in any order, as after a
    space-to-depth.
    """
    shape, dim = units.shape, node.dims[0] % len(units.shape)
    beside = tuple(d for d in range(1, len(shape)) if d != dim)     # of a dense layer
    places = node.places or (beside if len(beside) == len(size) else ())
    grid = tuple(shape[place] for place in places)
    if node.closing or not grid or any(n % m for n, m in zip(size, grid, strict=True)):
        return None
    block = tuple(n // m for n, m in zip(size, grid, strict=True))
    order = (*[d for d in range(len(shape)) if d != dim and d not in places], *places, dim)
    channels, pixels = (units.full(axis)[0].permute(order).reshape(prod(grid), -1)
                        for axis in (0, 1))
    if shape[dim] * prod(grid) != prod(shape) or bool((channels > EMPTY // 2).any()):
        return None
    cells, left = torch.zeros_like(pixels), pixels
    for n, b, m in zip(reversed(size), reversed(block), reversed(range(len(size))), strict=True):
        cells += left % n // b * prod(grid[m + 1:])
        left = left.div(n, rounding_mode="floor")
    own = torch.arange(prod(grid))[:, None]
    found = (pixels * source.width + channels).unique()
    whole = len(found) == prod(size) * source.width
    return block if whole and bool((cells == own).all()) else None


def in_groups(arranged: list[int] | range, layer: Node) -> list[int]:
    """How many of a layer's channels arrive, for each of its groups."""
    found = [0] * layer.groups
    for channel in {*arranged} - {-1}:
        found[channel * layer.groups // layer.width] += 1
    return found


def count(arranged: list[int] | range) -> int:
    """Channels among those that arrive."""
    return len(arranged) if isinstance(arranged, range) else len({*arranged} - {-1})


def by_group(arranged: list[int] | range, groups: int) -> list[int]:
    """Channels that arrive in each group, and in none before it."""
    size, seen, found = max(1, len(arranged) // groups), {-1}, []
    for first in range(0, len(arranged), size):
        new = {*arranged[first:first + size]} - seen
        found.append(len(new))
        seen |= new
    return found
