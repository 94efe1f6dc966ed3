"""Bounds for a network through its ConvAC surrogate: a chain of generalized convolutions.

Any path through the graph of a network is a chain of layers, and the chain is a sub-network of
the ConvAC with the same graph: what the chain does not use can be set to zero, ignored by the
next layer, or cancelled. A bound on the generic rank of the chain therefore bounds the graph's,
because the rank of almost all parameters is at least that of any choice of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from math import log10, prod

from ..bounds.bound import Bound
from ..bounds.crossing import farthest_reaching
from ..bounds.private import joined_fields, private_columns
from ..checks import is_integer
from ..networks.architecture import Architecture, Layer
from .collapse import whole_name
from .graph import POOLS, build_graph
from .nodes import Node
from .routes import Route, Routes, layer_shape


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
    steps : tuple of Step, or function
        The chain, or what makes it when it is asked for: a deep network has as many as layers.
    size : tuple of int
        Cells of the map that the first layer reads: pixels, or blocks of pixels.
    theorem : {"overlap theorem", "crossing bound", "private pixels"}
    representation : int
        Channels per pixel, M, that the bound needs.
    block : tuple of int
        Pixels in a cell.
    """

    bound: Bound
    name: str
    steps: tuple | Callable = field(compare=False)      # a function is new in every audit
    size: tuple
    theorem: str = "crossing bound"
    representation: int = 0
    block: tuple = ()

    def __str__(self) -> str:
        return str(self.bound)

    def __eq__(self, other: object) -> bool:
        return self._known == other._known if isinstance(other, LayerBound) else NotImplemented

    def __getstate__(self) -> dict:
        return {**vars(self), "steps": self.chain}      # functions cannot be saved

    @property
    def _known(self) -> tuple:
        return (self.bound, self.name, self.size, self.theorem, self.representation, self.block,
                self.chain)

    @cached_property
    def chain(self) -> tuple[Step, ...]:
        """From the first layer to the output."""
        return self.steps() if callable(self.steps) else self.steps

    @property
    def path(self) -> str:
        """The chain in words: its first layers, layer K, and the last."""
        names = [step.name for step in self.chain]
        shown = sorted({0, 1, self.bound.layer - 2, self.bound.layer - 1, self.bound.layer,
                        len(names) - 1} & set(range(len(names))))
        parts = [names[0]]
        for before, at in zip(shown, shown[1:], strict=False):
            parts += [f"({at - before - 1} more)"] * (at > before + 1) + [names[at]]
        return " - ".join(parts)

    def architecture(self) -> Architecture:
        """The chain as an `Architecture` over the templates that the bound needs.

        A dilated layer becomes one of window 1. Without dilations the architecture has this bound.
        """
        layers = [Layer(tuple(r if d == 1 else 1 for r, d in zip(step.window, step.dilation,
                                                                 strict=True)),
                        step.stride, step.channels) for step in self.chain]
        shown = 1 + prod(self.block) * (self.representation - 1) if self.representation else max(
            step.channels for step in self.chain)
        return Architecture(self.size, shown, layers)


@dataclass
class Surrogate:
    """What the theorems say about the ConvAC with the shape of a network.

    Attributes
    ----------
    overlap, crossing, private : LayerBound or None
        The overlap theorem, the crossing bound and the bound from private pixels at their best
        layers; None if no layer is admissible.
    best : LayerBound or None
        The larger of the crossing bound and the one from private pixels.
    overlap_by_layer, crossing_by_layer, private_by_layer : dict
        Name of layer K to its bound.
    notes : list of str
        What the surrogate changes.
    reason : str
        Why there is no bound, empty if there is one.
    """

    partition: str
    overlap_by_layer: dict = field(default_factory=dict)
    crossing_by_layer: dict = field(default_factory=dict)
    private_by_layer: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    reason: str = ""

    @property
    def overlap(self) -> LayerBound | None:
        return _largest(self.overlap_by_layer)

    @property
    def crossing(self) -> LayerBound | None:
        return _largest(self.crossing_by_layer)

    @property
    def private(self) -> LayerBound | None:
        return _largest(self.private_by_layer)

    @property
    def best(self) -> LayerBound | None:
        both = [found for found in (self.crossing, self.private) if found is not None]
        return max(both, key=lambda found: found.bound, default=None)


def _largest(bounds: dict) -> LayerBound | None:
    return max(bounds.values(), key=lambda found: found.bound, default=None)


def find_bounds(audit: object, partition: str = "left-right", representation: int | None = None,
                avoid: tuple = (), collapse: tuple = (), pools: str = "mixing") -> Surrogate:
    """The overlap theorem, crossing bound and private pixels at every layer of the surrogate.

    Parameters
    ----------
    audit : lib.audit.Audit
    partition : {"left-right", "top-bottom"}
    representation : int, optional
        Representation channels per pixel, M; as many as needed by default.
    avoid, collapse : sequence of str
        Regular expressions: parts of the names of modules that the path must not enter, and whole
        names of modules that are read as a single layer.
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
    if representation is not None and (not is_integer(representation) or representation < 1):
        raise ValueError(f"representation={representation!r}: a positive number of channels per "
                         "pixel, or None for as many as the bound can use")
    if pools not in POOLS:
        raise ValueError(f"pools={pools!r}: valid are {' and '.join(map(repr, POOLS))}")
    for name, patterns in (("avoid", avoid), ("collapse", collapse)):
        _check_patterns(audit, name, patterns)
    representation = representation and int(representation)
    source = audit.trace.sources[0]
    if len(audit.trace.sources) > 1 or source.first != 2 or source.shape[0] != 1:
        return Surrogate(partition, reason="the theorems are about one input with channels, and "
                                           "one image at a time")
    axis = len(audit.size) - 1 if partition == "left-right" else 0
    key = (tuple(avoid), tuple(collapse), pools)
    if key not in audit.graphs:                     # the same for every cut and representation
        nodes, notes = build_graph(audit, *key)
        audit.graphs[key] = Routes(nodes, audit.size, axis), notes
    known, notes = audit.graphs[key]
    routes, nodes = known.across(axis), known.nodes
    result = Surrogate(partition, notes=list(notes))
    if routes.meets_input and (representation is None or representation > source.shape[1]):
        representation = source.shape[1]
        result.notes.append("the input is added to or multiplied with features, so M is the number "
                            f"of its channels, {representation}")
    if not nodes[-1].cell:
        result.notes.append("a layer over the whole output map is added, so that the output is "
                            "one number")
    widths = {node.channels for node in nodes if node.role == "layer"} | routes.arriving()
    most = max((prod(block) for block in routes.blocks.values() if block), default=1)
    cap = None if representation is None else 1 + most * (representation - 1)
    for theorem, table, bases, before, at, measure in (
            ("crossing bound", result.crossing_by_layer, {w + 1 for w in widths},
             lambda d: d - 1, lambda d: d - 1, _crossing),
            ("overlap theorem", result.overlap_by_layer, {w // n for w in widths for n in (1, 2)},
             lambda d: 2 * d, lambda d: d, _overlap)):
        for base in sorted({min(d, cap or d) for d in bases} - {0, 1}):
            for route in routes.up_to_k(before(base), at(base)):
                most = min(base, route.templates(representation, base))
                _keep(table, routes, route, at(base), measure(route, audit.size, axis, most),
                      theorem)
    for width in sorted(widths - {0}):
        for route in routes.up_to_k(width, width, grouped=False):
            if set(route.strides) != {1}:           # else it is the crossing bound
                bound = _private(route, audit.size, axis, 1 + width, route.templates(
                    representation, 1 + width))
                _keep(result.private_by_layer, routes, route, width, bound, "private pixels",
                      representation)
    if result.best is None:
        result.reason = _obstacle(nodes, routes, representation)
    return result


def _check_patterns(audit: object, name: str, patterns: tuple) -> None:
    """Refuse patterns that are no regular expressions, or match no module."""
    for pattern in patterns:
        try:
            found = re.compile(pattern)
            asked = re.compile(whole_name(pattern)).match if name == "collapse" else found.search
        except re.error as error:
            raise ValueError(f"{name}={pattern!r} is no regular expression: {error}") from None
        scopes = [name for call in audit.trace.calls for name in call.scopes]
        if not any(map(asked, scopes)):
            near = [re.match(rf".{{{at.end()}}}[^.]*", at.string)[0]
                    for at in map(found.search, scopes) if at]
            raise ValueError(f"{name}={pattern!r} matches no module that computes anything"
                             + "".join(f"; give its whole name, such as {n!r}" for n in near[:1]))


def _crossing(route: Route, size: tuple, axis: int, base: int) -> Bound:
    """The crossing bound with layer K at the end of a route."""
    reachable = [s for s in range(size[axis]) if route.shifts >> s & 1]
    pairs, shift = farthest_reaching(route.strides[axis], size[axis], reachable, size[axis] // 2)
    return Bound(base, pairs * _rows(route, size, axis), None, shift)


def _overlap(route: Route, size: tuple, axis: int, base: int) -> Bound:
    """The overlap theorem with K at the end of a route; 1 if no field exceeds half the size."""
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


@lru_cache(maxsize=2**15)
def _shared_columns(field: int, step: int, extent: int) -> tuple[tuple[int, int], ...]:
    """How many windows have so many private columns on both sides of the middle."""
    cut, found = extent // 2, Counter()
    first = max(0, (cut - field) // step + 1)       # these alone see both sides
    last = min(-(-cut // step), -(-(extent - field) // step) + 1) - 1
    inner = max(0, last - first - 1)                # all alike: a recording has thousands
    for window, times in ((first, 1), (first + 1, inner), (last, int(last > first))):
        if first <= window <= last:
            found[min(private_columns(window * step, field, step, extent, cut))] += times
    return tuple((columns, times) for columns, times in found.items() if columns > 0)


def _private(route: Route, size: tuple, axis: int, top: int, templates: int) -> Bound:
    """The bound from private pixels with layer K at the end of a route.

    ``top`` is what its channels carry; a cell of the first layer's input shows one of so many
    ``templates``.
    """
    sizes = [n // b for n, b in zip(size, route.block, strict=True)]
    steps = [s // b for s, b in zip(route.strides, route.block, strict=True)]
    extent, step = sizes[axis], steps[axis]
    limit = extent + step                           # beyond it nothing is private
    strips = [(1, 1)]
    if len(size) > 1:
        other = 1 - axis
        strips = _strips(sizes[other], steps[other],
                         joined_fields(*route.digits(size, other), steps[other])[-1])
    best, most = Bound(1, 0), 0.0
    for seen in joined_fields(*route.digits(size, axis), limit):
        found = Counter()
        for rows, times in strips:
            for private, windows in _shared_columns(seen, step, extent):
                pixels = min(rows * private, top.bit_length())
                found[min(top, templates ** pixels)] += windows * times
        powers = tuple(sorted(((base, n) for base, n in found.items() if base > 1), reverse=True))
        digits = sum(n * log10(base) for base, n in powers)
        if digits > most:                           # a `Bound` of every candidate would be slow
            best = Bound(*powers[0], None, (seen - 1) * route.block[axis], powers)
            most = digits
    return best


def _strips(extent: int, step: int, rows: int) -> list[tuple[int, int]]:
    """The rows that each row of windows has to itself, inside the map: (rows, how many such)."""
    full, rest = divmod(extent, step)
    return [way for way in ((rows, full), (min(rows, rest), int(rest > 0))) if way[1]]


def _keep(table: dict, routes: Routes, route: Route, needed: int, bound: Bound,
          theorem: str, representation: int | None = None) -> None:
    """Enter a bound at its layer K, if it is the best so far and something can end the proof."""
    old = table.get(route.node.name)
    if not bound.exponent or (old is not None and bound <= old.bound):
        return
    onward = routes.beyond(route.node, needed, route.supply)
    if onward is not None:
        block = prod(route.block)
        table[route.node.name] = LayerBound(
            replace(bound, layer=route.depth), route.node.name,
            partial(_chain, route, onward, routes.size),
            tuple(n // b for n, b in zip(routes.size, route.block, strict=True)), theorem,
            representation or 1 - (1 - bound.base) // block, route.block)


def _chain(route: Route, onward: tuple, size: tuple) -> tuple[Step, ...]:
    """The steps of a route and of what follows it."""
    before, strides = [], route.block
    while route.before is not None:
        before.append(route.node)
        route = route.before
    nodes = before[::-1] + list(onward)
    steps = []
    for node in nodes:
        window, stride, dilation = layer_shape(node, strides, size)
        steps.append(Step(node.name, window, stride, dilation, node.channels))
        strides = tuple(a * b for a, b in zip(strides, stride, strict=True))
    if not nodes[-1].cell:
        whole = tuple(-(-n // s) for n, s in zip(size, strides, strict=True))
        steps.append(Step("(added output)", whole, whole, (1,) * len(size), 1))
    return tuple(steps)


def _obstacle(nodes: list[Node], routes: Routes, representation: int | None) -> str:
    """Why there is no bound: what no layer does, or the first operations that no chain can pass."""
    if representation == 1:
        return "with M = 1 every pixel shows the same template"
    reached = routes.reachable()
    blocked = [n for n in nodes if n not in reached and any(p in reached for p in n.parents)]
    names = list(dict.fromkeys(node.name for node in blocked))[:3]
    joins = any(node.role in ("add", "mul") for node in blocked)
    past = (f"no chain of convolutions and poolings leads past {', '.join(names)}"
            f"{', where no operand can be silenced or cancelled' * joins}") if names else ""
    across = any(_crossing(route, routes.size, routes.axis, 2).exponent
                 for route in routes.up_to_k(1, 1))
    said = ""
    if not across and any(n.role == "layer" and routes.open[n] is not None for n in reached):
        said = ("no layer that could be layer K has a channel whose windows up to it reach across "
                "the cut")
    elif nodes[-1] in reached:
        said = ("every path to the output has a layer whose window is smaller than its stride or "
                "whose cells are dropped, adds up no channels after layer K, or ends where it "
                "would be")
    if said:
        return "; ".join(filter(None, [said, past]))
    if routes.divided is not None and not any(routes.blocks.values()):
        return f"the cut divides blocks of pixels that {routes.divided.name} reads as one cell"
    return past
