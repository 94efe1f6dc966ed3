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
from .trace import UnsupportedOperation, Value


@dataclass(eq=False, repr=False)
class Node:
    """What one tensor becomes in the surrogate.

    ``role`` is "source", "layer", "pass" (an activation), "move", "cat", "add", "mul" or "opaque".
    The rest describes a layer, per axis of the image: ``width`` are its channels, ``cells`` those
    of its map, arranged as ``grid``, ``dims`` the dimensions of its input and output along which
    the channels lie. ``weighted`` says whether the network has weights there, which can be set to
    zero; ``groups`` of channels do not see each other, and ``per_group`` are the input channels
    of one. ``closing`` layers look at the whole map. ``copies`` halves the channels once per
    surrounding branch whose input is added to its output; ``linear`` marks the last layer of such
    a branch.
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
    weighted: bool = False
    groups: int = 1
    per_group: int = 0
    closing: bool = False
    copies: int = 1
    linear: bool = False
    uses: int = 0
    edges: list = field(default_factory=list)

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
    call = node.value.call
    if node.role == "pass":
        return units
    if tuple(units.shape) != tuple(parent.value.shape):
        return None                                 # padding in between was dropped
    blank = {}
    for value in call.inputs:
        blank[value] = units if value is parent.value else torch.empty(()).expand(value.shape)

    def put(entry: object) -> object:
        if isinstance(entry, list):
            return [put(part) for part in entry]
        return blank[entry] if isinstance(entry, Value) else entry

    arguments = {key: put(entry) for key, entry in call.arguments.items()}
    try:
        result = RULES[call.name](call, arguments, [value.shape for value in call.outputs])
    except UnsupportedOperation:
        return None
    return result[call.outputs.index(node.value)] if isinstance(result, list) else result


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
        if node.role == "pass" or (node.role in ("add", "mul")
                                   and parent.value.shape == node.value.shape):
            return units
        key = (node, parent, last, id(units))
        if key not in self.kept:
            labels = fresh(last) if units is None else units
            if node.role in ("add", "mul"):
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
        shape = last.value.shape
        if units is None and (node.closing or len(shape) > 1 and (
                node.dims[0] % len(shape) == last.dims[1] % len(shape))):
            return range(last.width)
        key = (node, last, id(units))
        if key not in self.kept:
            self.alive.append(units)
            found = _arranged(node, last, fresh(last) if units is None else units)
            if found is not None:
                found = found.masked_fill(found > EMPTY // 2, -1).tolist()
            self.kept[key] = found
        return self.kept[key]


def _arranged(node: Node, last: Node, units: Field) -> torch.Tensor | None:
    channels, cells = (units.edges[axis][0] for axis in (0, 1))
    if node.closing:
        channels, cells = (units.full(axis)[0].flatten() for axis in (0, 1))
        known, total = channels < EMPTY // 2, prod(last.value.shape) // max(1, last.width)
        found = channels[known].unique()
        pairs = (channels[known] * total + cells[known]).unique()
        return found if len(pairs) == len(found) * total else None
    rank = len(units.shape)
    dim = node.dims[0] % rank
    others = [d for d in range(rank) if d != dim]
    if any(channels.shape[d] > 1 for d in others):
        return None
    known = channels < EMPTY // 2
    cells = cells.masked_fill(cells > EMPTY // 2, -1)
    cells = cells.amax(dim, keepdim=True) if cells.shape[dim] > 1 else cells
    sizes = [units.shape[d] for d in others]
    wide = [n for n in sizes if n > 1]
    if not known.any() or prod(wide) != prod(last.grid) or (
            set(node.window) != {1} and wide != [n for n in last.grid if n > 1]):
        return None
    order = torch.arange(prod(sizes)).view([1 if d == dim else units.shape[d]
                                            for d in range(rank)])
    same = cells.expand(order.shape)
    spread = units.edges[1][0]
    constant = spread.shape[dim] == 1 or bool(
        ((spread == same) | (spread > EMPTY // 2)).all())
    if not constant or not torch.equal(same, order):
        return None
    return channels.expand([units.shape[d] if d == dim else 1 for d in range(rank)]).flatten()


def count(arranged: list[int] | range) -> int:
    """Channels among those that arrive."""
    return len(arranged) if isinstance(arranged, range) else len({*arranged} - {-1})


def by_group(arranged: list[int] | range, groups: int) -> list[int]:
    """Channels that arrive in each group."""
    size = max(1, len(arranged) // groups)
    return [count(arranged[i:i + size]) for i in range(0, len(arranged), size)]
