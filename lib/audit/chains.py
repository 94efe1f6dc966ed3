"""Bounds for a network through its ConvAC surrogate: a chain of generalized convolutions.

Any path through the graph of a network is a chain of layers, and the chain is a sub-network of
the ConvAC with the same graph: what the chain does not use can be set to zero, ignored by the
next layer, or cancelled. A bound on the generic rank of the chain therefore bounds the graph's,
because the rank of almost all parameters is at least that of any choice of them. The search below
looks for the path with the largest bound. It need not find the best one; whichever path it
returns, its bound holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod

from ..bounds.bound import Bound
from ..bounds.crossing import farthest_reaching
from ..networks.architecture import Architecture, Layer
from .fields import Field
from .graph import POOLS, build_graph
from .nodes import Layouts, Node, by_group, count


@dataclass(frozen=True)
class Step:
    """One layer of a chain; ``channels`` is what the chain may use of the network's layer."""

    name: str
    window: tuple
    stride: tuple
    dilation: tuple
    channels: int


@dataclass(frozen=True)
class LayerBound:
    """A bound, the layer K of the network that gives it, and the chain it is proved for.

    Parameters
    ----------
    bound : lib.bounds.bound.Bound
        Its ``layer`` counts the chain's layers from 1.
    name : str
        Layer K.
    chain : tuple of Step
        From the first layer to the output.
    size : tuple of int
    """

    bound: Bound
    name: str
    chain: tuple
    size: tuple

    def __str__(self) -> str:
        return str(self.bound)

    def architecture(self) -> Architecture:
        """The chain as an `Architecture`; a dilated layer becomes one of window 1."""
        layers = [Layer(tuple(r if d == 1 else 1 for r, d in zip(step.window, step.dilation,
                                                                 strict=True)),
                        step.stride, step.channels) for step in self.chain]
        return Architecture(self.size, max(step.channels for step in self.chain), layers)


@dataclass
class Surrogate:
    """What the theorems say about the ConvAC with the shape of a network.

    Attributes
    ----------
    overlap, crossing : LayerBound or None
        Theorem 1 and the crossing bound at their best layers; None if no layer is admissible.
    overlap_by_layer, crossing_by_layer : dict
        Name of layer K to its bound.
    notes : list of str
        What the surrogate changes.
    reason : str
        Why there is no bound, empty if there is one.
    """

    partition: str
    overlap_by_layer: dict = field(default_factory=dict)
    crossing_by_layer: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    reason: str = ""

    @property
    def overlap(self) -> LayerBound | None:
        return _largest(self.overlap_by_layer)

    @property
    def crossing(self) -> LayerBound | None:
        return _largest(self.crossing_by_layer)


def _largest(bounds: dict) -> LayerBound | None:
    return max(bounds.values(), key=lambda found: found.bound, default=None)


def find_bounds(audit: object, partition: str = "left-right", representation: int | None = None,
                avoid: tuple = (), collapse: tuple = (), pools: str = "mixing") -> Surrogate:
    """Theorem 1 and the crossing bound at every layer of a network's surrogate.

    Parameters
    ----------
    audit : lib.audit.Audit
    partition : {"left-right", "top-bottom"}
    representation : int, optional
        Representation channels per pixel, M; as many as needed by default.
    avoid, collapse : sequence of str
        Regular expressions on module names: modules that the path must not enter, and modules
        that are read as a single layer.
    pools : {"mixing", "channelwise"}
        Whether pooling layers of the surrogate mix channels.

    Returns
    -------
    Surrogate

    Raises
    ------
    ValueError
        For a partition that the input does not have, inputs of more than two axes, fewer than one
        representation channel, or pools of no known kind.
    """
    valid = ("left-right", "top-bottom")[:len(audit.size)]
    if partition not in valid or len(audit.size) > 2:
        raise ValueError(f"partition {partition!r} of an input of size {audit.size}: the theorems "
                         f"are about one or two axes, cut by {' or '.join(map(repr, valid))}")
    if representation is not None and (type(representation) is not int or representation < 1):
        raise ValueError(f"representation={representation!r}: a positive number of channels per "
                         "pixel, or None for as many as the bound can use")
    if pools not in POOLS:
        raise ValueError(f"pools={pools!r}: valid are {' and '.join(map(repr, POOLS))}")
    for name, patterns in (("avoid", avoid), ("collapse", collapse)):
        _check_patterns(audit, name, patterns)
    source = audit.trace.sources[0]
    if len(audit.trace.sources) > 1 or source.first != 2 or source.shape[0] != 1:
        return Surrogate(partition, reason="the theorems are about one input with channels, and "
                                           "one image at a time")
    axis = len(audit.size) - 1 if partition == "left-right" else 0
    nodes, notes = build_graph(audit, avoid, collapse, pools)
    result = Surrogate(partition, notes=notes)
    routes = _Routes(nodes, audit.size, axis)
    if not nodes[-1].cell:
        result.notes.append("a layer over the whole output map is added, so that the output is "
                            "one number")
    widths = {node.channels for node in nodes if node.role == "layer"} | routes.arriving()
    for bases, table, before, at, measure in (
            ({w + 1 for w in widths}, result.crossing_by_layer, lambda d: d - 1, lambda d: d - 1,
             _crossing),
            ({w // n for w in widths for n in (1, 2)}, result.overlap_by_layer, lambda d: 2 * d,
             lambda d: d, _overlap)):
        for base in sorted({min(d, representation or d) for d in bases} - {0, 1}):
            for route in routes.up_to_k(before(base), at(base)):
                _keep(table, route, routes.beyond(route.node, at(base)), audit.size,
                      measure(route, audit.size, axis, base))
    if not result.crossing_by_layer:
        result.reason = _obstacle(nodes, routes)
    return result


def _check_patterns(audit: object, name: str, patterns: tuple) -> None:
    """Refuse patterns that are no regular expressions, or match no module."""
    for pattern in patterns:
        try:
            found = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{name}={pattern!r} is no regular expression: {error}") from None
        if not any(found.search(call.scope) for call in audit.trace.calls):
            raise ValueError(f"{name}={pattern!r} matches no module that runs")


@dataclass
class Route:
    """The best way found from the input to a node."""

    reach: int                                      # T_R - 1 along the cut
    shifts: int                                     # bit s: a channel can compare cells s apart
    strides: tuple                                  # T_S per axis
    node: Node                                      # the last layer, at first the source
    before: Route | None = None
    units: Field | None = None                      # where the last layer's units are by now


class _Routes:
    """Ways through a graph: to the layer K of the theorems, and on to the output."""

    def __init__(self, nodes: list[Node], size: tuple, axis: int) -> None:
        self.nodes, self.size, self.axis = nodes, size, axis
        self.layouts = Layouts()
        self.children = {node: [] for node in nodes}
        for node in nodes:
            for parent in dict.fromkeys(node.edges):
                self.children[parent].append(node)
        self.open, self.hops = {}, {}
        for node in reversed(nodes):
            if node.role == "layer":
                self.open[node] = self._shortest(node)

    def up_to_k(self, before: int, at: int) -> Iterator[Route]:
        """Routes that end in a layer K with so many channels, and so many before it.

        The longest such routes are taken. Every channel compares cells of its own, so that grouped
        layers may be on the route, but for the first, which fits the templates.
        """
        best = {self.nodes[0]: Route(0, 1, (1,) * len(self.size), self.nodes[0])}
        for node in self.nodes[1:]:
            found = [route for parent in node.edges if parent in best
                     for route in self._arrive(best[parent], parent, node, before)]
            if not found:
                continue
            route = max(found, key=lambda r: (r.reach, -prod(r.strides)))
            if node.role == "layer":
                if node.channels >= at:
                    yield route
                if node.channels < before:
                    continue
            best[node] = route

    def arriving(self) -> set[int]:
        """How many channels arrive between any two layers."""
        return {count(arranged) // layer.copies for layer, hops in self.hops.items()
                for after, arranged in hops if after is not None}

    def reachable(self) -> set[Node]:
        """Tensors to which some chain leads, however few its channels."""
        routes = {self.nodes[0]: Route(0, 1, (1,) * len(self.size), self.nodes[0])}
        for node in self.nodes[1:]:
            for parent in node.edges:
                if parent in routes:
                    for route in self._arrive(routes[parent], parent, node, 1):
                        routes[node] = route
        return set(routes)

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
        if last.role == "source":                   # the first layer fits all templates
            enough = node.groups == 1 and count(arranged) == last.width
        else:
            enough = count(arranged) // last.copies >= needed and _passes(
                last, node, by_group(arranged, node.groups), needed)
        return [self._extended(route, node)] if enough else []

    def _extended(self, route: Route, node: Node) -> Route:
        """A route with one more layer."""
        window, stride, dilation = layer_shape(node, route.strides, self.size)
        extent, unit = self.size[self.axis], route.strides[self.axis] * dilation[self.axis]
        shifts, limit = route.shifts, (1 << extent) - 1
        for hop in range(1, min(window[self.axis], -(-extent // unit))):
            shifts |= (route.shifts << hop * unit) & limit
        strides = tuple(a * b for a, b in zip(route.strides, stride, strict=True))
        return Route(route.reach + (window[self.axis] - 1) * unit, shifts, strides, node, route)

    def beyond(self, node: Node, needed: int) -> tuple[Node, ...] | None:
        """Layers from K to the output whose windows are at least their strides, if there are.

        The first layer with a stride must come after, or be, one that adds up the channels of K:
        a grouped layer cannot.
        """
        ways = []
        for after, arranged in self._next(node):
            if after is None:                       # the output, with a layer added
                if not self.nodes[-1].cell and arranged // node.copies >= needed:
                    ways.append(())
            elif count(arranged) // node.copies >= needed and _ends_well(after):
                if after.groups == 1:
                    if self.open[after] is not None:
                        ways.append((after, *self.open[after]))
                elif set(after.stride) == {1} and not after.closing and (
                        _passes(node, after, by_group(arranged, after.groups), needed)):
                    onward = self.beyond(after, needed)
                    ways += [] if onward is None else [(after, *onward)]
        return min(ways, key=len, default=None)

    def _shortest(self, node: Node) -> tuple[Node, ...] | None:
        """Layers from one that has added up the channels of K to the output."""
        if not _ends_well(node):
            return None
        ways = []
        for after, arranged in self._next(node):
            if after is None:
                ways += [()] * (arranged // node.copies > 0)
            elif count(arranged) // node.copies > 0 and self.open[after] is not None:
                ways.append((after, *self.open[after]))
        return min(ways, key=len, default=None)

    def _next(self, layer: Node) -> list[tuple]:
        """Layers that read a layer's channels, and which of these; None stands for the output."""
        if layer in self.hops:
            return self.hops[layer]
        found, seen, todo = {}, {layer}, [(layer, None)]
        while todo:
            at, units = todo.pop(0)
            if at is self.nodes[-1]:
                found[None] = layer.width if units is None else int(units.edges[0][0].unique().lt(
                    2 ** 39).sum())
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


def _crossing(route: Route, size: tuple, axis: int, base: int) -> Bound:
    """The crossing bound with layer K at the end of a route."""
    reachable = [s for s in range(size[axis]) if route.shifts >> s & 1]
    pairs, shift = farthest_reaching(route.strides[axis], size[axis], reachable, size[axis] // 2)
    return Bound(base, pairs * _rows(route, size, axis), None, shift)


def _overlap(route: Route, size: tuple, axis: int, base: int) -> Bound:
    """Theorem 1 with layer K at the end of a route; 1 if no field exceeds half the size."""
    extent = size[axis]
    far = [s for s in range(-(-extent // 2), extent) if route.shifts >> s & 1]
    if extent % 2 or not far:
        return Bound(1, 0)
    columns = max(0, (extent - far[0] - 1) // route.strides[axis] + 1)
    return Bound(base, columns * _rows(route, size, axis), None, far[0])


def _rows(route: Route, size: tuple, axis: int) -> int:
    """Rows of cells that layer K samples across the axis that is cut."""
    return prod(-(-n // s) for i, (n, s) in enumerate(zip(size, route.strides, strict=True))
                if i != axis)


def _keep(table: dict, route: Route, onward: tuple | None, size: tuple, bound: Bound) -> None:
    """Enter a bound at its layer K, if it is the best so far and something can end the proof."""
    old = table.get(route.node.name)
    if bound.exponent and onward is not None and (old is None or bound > old.bound):
        chain, depth = _chain(route, onward, size)
        bound = Bound(bound.base, bound.exponent, depth, bound.shift)
        table[route.node.name] = LayerBound(bound, route.node.name, chain, size)


def _chain(route: Route, onward: tuple, size: tuple) -> tuple[tuple[Step, ...], int]:
    """The steps of a route and of what follows it; how many of them the route has."""
    before = []
    while route.before is not None:
        before.append(route.node)
        route = route.before
    nodes = before[::-1] + list(onward)
    steps, strides = [], (1,) * len(size)
    for node in nodes:
        window, stride, dilation = layer_shape(node, strides, size)
        steps.append(Step(node.name, window, stride, dilation, node.channels))
        strides = tuple(a * b for a, b in zip(strides, stride, strict=True))
    if not nodes[-1].cell:
        whole = tuple(-(-n // s) for n, s in zip(size, strides, strict=True))
        steps.append(Step("(added output)", whole, whole, (1,) * len(size), 1))
    return tuple(steps), len(before)


def _obstacle(nodes: list[Node], routes: _Routes) -> str:
    """The first operation that no chain can pass, for an explanation."""
    reached = routes.reachable()
    if any(node.role == "layer" and routes.open[node] is not None for node in reached):
        return ("no layer that could be layer K has a channel whose windows up to it reach across "
                "the cut")
    if nodes[-1] in reached:
        return ("every path to the output has a layer whose window is smaller than its stride, "
                "or ends where layer K would be")
    blocked = [n for n in nodes if n not in reached and any(p in reached for p in n.parents)]
    names = list(dict.fromkeys(node.name for node in blocked))[:3]
    return f"no chain of convolutions and poolings leads past {', '.join(names)}"
