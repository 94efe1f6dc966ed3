"""Bounds for a network through its ConvAC surrogate: a chain of generalized convolutions.

Any path through the graph of a network is a chain of layers, and the chain is a sub-network of
the ConvAC with the same graph: what the chain does not use can be set to zero, ignored by the
next layer, or cancelled. A bound on the generic rank of the chain therefore bounds the graph's,
because the rank of almost all parameters is at least that of any choice of them. The search below
looks for the path with the largest bound. It need not find the best one; whichever path it
returns, its bound holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from ..bounds.bound import Bound
from ..bounds.crossing import separated_pairs
from ..networks.architecture import Architecture, Layer
from .graph import build_graph
from .paths import find_endings, find_paths, layer_shape


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
    bound : lib.bounds.overlap.Bound
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

    def __str__(self):
        return str(self.bound)

    def architecture(self):
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
    def overlap(self):
        return _largest(self.overlap_by_layer)

    @property
    def crossing(self):
        return _largest(self.crossing_by_layer)


def _largest(bounds):
    return max(bounds.values(), key=lambda found: found.bound.log10, default=None)


def find_bounds(audit, partition="left-right", representation=None, avoid=(), collapse=()):
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

    Returns
    -------
    Surrogate
    """
    valid = ("left-right", "top-bottom")[:len(audit.size)]
    if partition not in valid or len(audit.size) > 2:
        raise ValueError(f"partition {partition!r} of an input of size {audit.size}: the theorems "
                         f"are about one or two axes, cut by {' or '.join(map(repr, valid))}")
    axis = len(audit.size) - 1 if partition == "left-right" else 0
    nodes, notes = build_graph(audit, avoid, collapse)
    result = Surrogate(partition, notes=notes)
    endings = find_endings(nodes)
    if not nodes[-1].cell:
        result.notes.append("a layer over the whole output map is added, so that the output is "
                            "one number")
    widths = {w for n in nodes if n.role == "layer" for w in (n.channels, n.channels // 2)}
    for base in sorted({min(w, representation or w) for w in widths} - {0, 1}):
        for path in find_paths(nodes, audit.size, axis, base):
            _measure(path, endings, audit.size, axis, base, result)
    if not result.crossing_by_layer:
        result.reason = _obstacle(nodes, endings)
    return result


def _measure(path, endings, size, axis, base, result):
    """Both bounds with layer K at the end of a path, kept if they are the best so far."""
    node = path.node
    onward = endings.get(node)
    if onward is None:
        return                                      # nothing that follows K can end the proof
    output = onward[-1] if onward else node
    extent, step = size[axis], path.strides[axis]
    rows = prod(-(-n // s) for i, (n, s) in enumerate(zip(size, path.strides, strict=True))
                if i != axis)
    cut = extent // 2
    shifts = [s for s in range(extent) if path.compared >> s & 1]
    if not shifts:
        return
    far = [s for s in shifts if s >= cut]
    candidates = far[:1] + [s for s in shifts if s <= extent - cut][-1:]
    pairs, nearest = max((separated_pairs(step, extent, s, cut), -s) for s in candidates)
    _keep(result.crossing_by_layer, path, onward, size, base, pairs * rows, -nearest, output)
    if extent % 2 == 0 and far:
        columns = max(0, (extent - far[0] - 1) // step + 1)
        _keep(result.overlap_by_layer, path, onward, size, base, columns * rows, far[0],
              output)


def _keep(table, path, onward, size, base, exponent, shift, output):
    chain = None
    old = table.get(path.node.name)
    bound = Bound(base, exponent, None, shift)
    if exponent and (old is None or bound.log10 > old.bound.log10):
        chain, depth = _chain(path, onward, size, output.cell)
        bound = Bound(base, exponent, depth, shift)
        table[path.node.name] = LayerBound(bound, path.node.name, chain, size)


def _chain(path, onward, size, cell):
    """The steps of a path and of what follows it; how many of them the path has."""
    before = []
    while path.node is not None:
        before.append(path.node)
        path = path.before
    nodes = before[::-1] + list(onward)
    steps, strides = [], (1,) * len(size)
    for node in nodes:
        window, stride, dilation = layer_shape(node, strides, size)
        steps.append(Step(node.name, window, stride, dilation, node.channels))
        strides = tuple(a * b for a, b in zip(strides, stride, strict=True))
    if not cell:
        whole = tuple(-(-n // s) for n, s in zip(size, strides, strict=True))
        steps.append(Step("(added output)", whole, whole, (1,) * len(size), 1))
    return tuple(steps), len(before)


def _obstacle(nodes, endings):
    """The first operation that no chain can pass, for an explanation."""
    reached = {nodes[0]}
    for node in nodes[1:]:
        if any(parent in reached for parent in node.edges):
            reached.add(node)
    if any(node.role == "layer" and node in endings for node in reached):
        return ("every layer that could be layer K, or a layer before it, has too few channels "
                "(two, and four before it), or no window up to it is larger than one cell")
    if nodes[-1] in reached:
        return ("every path to the output has a layer whose window is smaller than its stride, "
                "or ends where layer K would be")
    blocked = [n for n in nodes if n not in reached and any(p in reached for p in n.parents)]
    names = list(dict.fromkeys(node.name for node in blocked))[:3]
    return f"no chain of convolutions and poolings leads past {', '.join(names)}"
