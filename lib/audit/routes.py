"""Ways through the graph of a surrogate: to the layer K of the theorems, and on to the output.

The search looks for the path with the largest bound. It need not find the best one; whichever
path it returns, its bound holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from math import prod

from .fields import Field
from .nodes import Layouts, Node, block_of, by_group, complete, count, fresh, in_groups, raw_labels

WAYS = 4                                            # routes kept at a tensor that joins several


@dataclass
class Route:
    """The best way found from the input to a node; all strides in pixels.

    ``depth`` counts its layers. ``block`` are the pixels of one cell of the first layer's input,
    more than one after a space-to-depth.
    """

    reach: int                                      # T_R - 1 along the cut
    shifts: int                                     # bit s: a channel can compare pixels s apart
    strides: tuple                                  # T_S per axis
    node: Node                                      # the last layer, at first the source
    block: tuple
    before: Route | None = None
    units: Field | None = None                      # where the last layer's units are by now
    supply: list | None = None                      # channels that each of its groups can carry
    depth: int = 0

    def templates(self, representation: int | None, needed: int) -> int:
        """How many contents of a cell the first layer can tell apart, if that many are needed."""
        if representation is None:
            return needed
        return 1 + prod(self.block) * (representation - 1)

    def digits(self, size: tuple, axis: int) -> tuple[list[int], list[int]]:
        """Units and bounds of the offsets in the windows so far, in cells of the first input."""
        units, highs, route = [], [], self
        while route.before is not None:
            step = route.before.strides
            window, _, dilation = layer_shape(route.node, step, size)
            units.append(step[axis] // self.block[axis] * dilation[axis])
            highs.append(window[axis] - 1)
            route = route.before
        return units[::-1], highs[::-1]


class Routes:
    """Ways through a graph, for a cut across one axis."""

    def __init__(self, nodes: list[Node], size: tuple, axis: int) -> None:
        self.nodes, self.size, self.axis = nodes, size, axis
        self.layouts, self.raw = Layouts(), raw_labels(nodes)
        self.children = {node: [] for node in nodes}
        for node in nodes:
            for parent in dict.fromkeys(node.edges):
                self.children[parent].append(node)
        self.open, self.hops = {}, {}
        for node in reversed(nodes):
            if node.role == "layer":
                self.open[node] = self._shortest(node)
        self._find_blocks()

    def across(self, axis: int) -> Routes:
        """The ways for a cut across an axis; what is known of the graph is kept."""
        twin = copy(self)
        twin.axis, twin.hops = axis, dict(self.hops)
        twin._find_blocks()
        return twin

    def _find_blocks(self) -> None:
        """What the first layers of chains read as one cell; no block may lie across the cut."""
        self.blocks, self.divided = {}, None        # a layer whose blocks of pixels are cut apart
        for node in self.nodes:
            if node.role == "layer" and node.groups == 1 and node.edges and (
                    node.edges[0] in self.raw):
                self.blocks[node] = self._block(node)

    def _block(self, node: Node) -> tuple | None:
        """Pixels in a cell of what a layer reads of the input; None if it reads only a part."""
        source, units = self.nodes[0], self.raw[node.edges[0]]
        if node.closing and not self._pixelwise(node.edges[0]):
            return None
        arranged = self.layouts.arrangement(node, source, units)
        if arranged is not None and count(arranged) == source.width:
            return (1,) * len(self.size)
        block = block_of(node, source, fresh(source) if units is None else units, self.size)
        if block is not None and self.size[self.axis] // 2 % block[self.axis]:
            self.divided = node
            return None
        return block

    def _pixelwise(self, node: Node) -> bool:
        """Whether the input's pixels stay cells on the way to a tensor made of it."""
        shape = self.nodes[0].value.shape
        kept = len(node.value.shape) != len(shape) or node.value.shape[2:] == shape[2:]
        return kept and all(self._pixelwise(p) for p in node.edges if p in self.raw)

    @property
    def meets_input(self) -> bool:
        """Whether the input itself is added to features, or multiplied with them."""
        return any(node.role in ("add", "mul") and any(p in self.raw for p in node.parents)
                   for node in self.nodes)

    def start(self, block: tuple | None = None) -> Route:
        """The route of length 0."""
        block = block or (1,) * len(self.size)
        return Route(0, 1, block, self.nodes[0], block)

    def up_to_k(self, before: int, at: int, grouped: bool = True) -> Iterator[Route]:
        """Routes that end in a layer K with so many channels, and so many before it.

        The longest such routes are taken, at a join a few of them. With ``grouped`` every channel
        compares cells of its own, so that grouped layers may be on the route, but for the first,
        which fits the templates.
        """
        best = {}
        for node in self.nodes[1:]:
            if node.role == "layer" and node.groups > 1 and not grouped:
                continue
            found = [longer for parent in node.edges for route in best.get(parent, ())
                     for longer in self._arrive(route, parent, node, before)]
            if node in self.blocks and self.blocks[node]:
                found.append(self._extended(self.start(self.blocks[node]), node))
            if not found:
                continue
            found.sort(key=lambda r: (-r.reach, prod(r.strides)))
            if node.role == "layer":
                if node.channels >= at:
                    yield found[0]
                if node.channels < before:
                    continue
            best[node] = _kept(found)

    def arriving(self) -> set[int]:
        """How many channels arrive between any two layers."""
        return {count(arranged) // layer.copies for layer, hops in self.hops.items()
                for after, arranged in hops if after is not None}

    def reachable(self) -> set[Node]:
        """Tensors to which some chain leads, however few its channels."""
        routes = {}
        for node in self.nodes[1:]:
            found = [longer for parent in node.edges for route in routes.get(parent, ())
                     for longer in self._arrive(route, parent, node, 1)]
            if node in self.blocks and self.blocks[node]:
                found.append(self._extended(self.start(self.blocks[node]), node))
            if found:
                routes[node] = _kept(found)
        return {*routes, *self.raw}

    def _arrive(self, route: Route, parent: Node, node: Node, needed: int) -> list[Route]:
        """The route continued to a node, if enough channels arrive there."""
        last = route.node
        if node.role != "layer":
            try:
                units = self.layouts.carry(node, parent, last, route.units)
            except LookupError:
                return []
            return [replace(route, units=units)]
        arranged = self.layouts.arrangement(node, last, route.units)
        if arranged is None:
            return []
        groups = by_group(arranged, node.groups)
        enough = _usable(last, arranged, route.supply) // last.copies >= needed and _passes(
            last, node, groups, needed)
        return [self._extended(route, node, groups)] if enough else []

    def _extended(self, route: Route, node: Node, groups: list | None = None) -> Route:
        """A route with one more layer."""
        window, stride, dilation = layer_shape(node, route.strides, self.size)
        extent, unit = self.size[self.axis], route.strides[self.axis] * dilation[self.axis]
        shifts, limit = route.shifts, (1 << extent) - 1
        for hop in range(1, min(window[self.axis], -(-extent // unit))):
            shifts |= (route.shifts << hop * unit) & limit
        strides = tuple(a * b for a, b in zip(route.strides, stride, strict=True))
        return Route(route.reach + (window[self.axis] - 1) * unit, shifts, strides, node,
                     route.block, route, supply=_supply(route.node, node, groups),
                     depth=route.depth + 1)

    def beyond(self, node: Node, needed: int, supply: list | None) -> tuple[Node, ...] | None:
        """Layers from K to the output whose windows are at least their strides, if there are.

        The first layer with a stride must come after, or be, one that adds up the channels of K:
        a grouped layer cannot.
        """
        ways = []
        for after, arranged in self._next(node):
            if _usable(node, arranged, supply) // node.copies < needed:
                continue
            if after is None:                       # the output, with a layer added
                if not self.nodes[-1].cell:
                    ways.append(())
            elif _ends_well(after):
                groups = by_group(arranged, after.groups)
                if after.groups == 1:
                    if self.open[after] is not None:
                        ways.append((after, *self.open[after]))
                elif set(after.stride) == {1} and not after.closing and (
                        _passes(node, after, groups, needed)):
                    onward = self.beyond(after, needed, _supply(node, after, groups))
                    ways += [] if onward is None else [(after, *onward)]
        return min(ways, key=len, default=None)

    def _shortest(self, node: Node) -> tuple[Node, ...] | None:
        """Layers from one that has added up the channels of K to the output.

        Any one channel can carry the sum, so a grouped layer must get something in every group.
        """
        if not _ends_well(node):
            return None
        ways = []
        for after, arranged in self._next(node):
            left = count(arranged)
            if node.groups > 1 and node.copies > 1 and left < node.width:
                continue
            if left // node.copies < 1:
                continue
            if after is None:
                ways.append(())
            elif self.open[after] is not None:
                groups = by_group(arranged, after.groups)
                if after.groups == 1 or min(groups) > 0 and _passes(node, after, groups, 1):
                    ways.append((after, *self.open[after]))
        return min(ways, key=len, default=None)

    def _next(self, layer: Node) -> list[tuple]:
        """Layers that read a layer's channels, and which of these; None stands for the output."""
        if layer in self.hops:
            return self.hops[layer]
        found, seen, todo = {}, {layer}, [(layer, None)]
        while todo:
            at, units = todo.pop(0)
            if at is self.nodes[-1]:                # channels of which the output has every cell
                found[None] = range(layer.width) if units is None else (
                    complete(layer, units).tolist())
            for node in self.children[at]:
                if node.role == "layer":
                    arranged = self.layouts.arrangement(node, layer, units)
                    if arranged is not None and (node not in found
                                                 or count(arranged) > count(found[node])):
                        found[node] = arranged
                elif node not in seen:
                    try:
                        todo.append((node, self.layouts.carry(node, at, layer, units)))
                        seen.add(node)
                    except LookupError:
                        continue
        self.hops[layer] = list(found.items())
        return self.hops[layer]


def _kept(routes: list[Route]) -> list[Route]:
    """The first routes that end in different layers: a slice behind a join may drop one's channels.

    At a layer they all end in it, and one is left.
    """
    last = {}
    for route in routes:
        last.setdefault(route.node, route)
    return [*last.values()][:WAYS]


def _usable(last: Node, arranged: list[int] | range, supply: list | None) -> int:
    """How many channels of a chain can be among those of a layer that arrive."""
    if last.groups == 1:                            # each of its channels can hold any of them
        return count(arranged)
    if supply is None:
        return last.width if count(arranged) == last.width else 0
    return sum(map(min, supply, in_groups(arranged, last)))


def _supply(last: Node, node: Node, groups: list | None) -> list | None:
    """How many channels each group of a layer can carry, None if the layer before has chosen."""
    if node.groups == 1 or last.groups > 1 or groups is None:
        return None
    return [min(n, node.width // node.groups) for n in groups]


def _passes(last: Node, node: Node, groups: list[int], needed: int) -> bool:
    """Whether a layer can hand on so many channels, each to one of its own."""
    if node.groups == 1:
        return True
    outputs = node.width // node.groups
    if last.groups == 1:                            # it can send its channels to any group
        copies = max(last.copies, node.copies)
        return sum(min(n, outputs) for n in groups) // copies >= needed
    return outputs >= node.per_group and sum(groups) == last.width


def _ends_well(node: Node) -> bool:
    """Whether a layer can be K or come after it."""
    if node.channels < 1:                           # copies for a residual sum may leave none
        return False
    window = (1,) * len(node.window) if node.linear else node.window
    small = any(r < s for r, s in zip(window, node.stride, strict=True))
    skips = any(d > 1 and s > 1 for d, s in zip(node.dilation, node.stride, strict=True))
    return node.closing or not (small or skips)


def layer_shape(node: Node, strides: tuple, size: tuple) -> tuple[tuple, tuple, tuple]:
    """Window, stride and dilation of a layer at its place in a chain."""
    if node.closing:
        whole = tuple(-(-n // s) for n, s in zip(size, strides, strict=True))
        return whole, whole, (1,) * len(size)
    window = (1,) * len(size) if node.linear else node.window
    return window, node.stride, node.dilation
