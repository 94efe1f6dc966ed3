"""The graph of a traced network as a chain of generalized convolutions could run through it.

A ConvAC surrogate keeps the windows, strides and channels of a network and forgets the rest.
This module says what each tensor of the network becomes there: the output of a layer, the same
map as before, a join of branches, or something that no generalized convolution stands for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import prod

from .fields import Field

PADS = ("constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d",
        "replication_pad2d")
NOTES = {
    "group": "grouped and depthwise convolutions stay grouped: they pass channels on, and may "
             "multiply cells of one channel or of two channels in one group",
    "pool": "a pooling layer is a generalized convolution with weights of its own, as in the paper",
    "norm": "normalization over the map is dropped",
    "add": "where an input is added to a branch, the branch carries a copy of the input to cancel "
           "it: half its channels, and its last layer looks at one cell only",
    "cat": "of parallel branches one is followed, the others are ignored by the next layer",
    "valid": "padding is at the far end of every axis and keeps ceil(size / stride) cells",
}


@dataclass(eq=False)
class Node:
    """What one tensor becomes in the surrogate.

    ``role`` is "source", "layer", "pass", "cat", "add", "mul" or "opaque"; the rest describes a
    layer, per axis of the image. ``weighted`` says whether the network has weights there, which
    can be set to zero; ``groups`` of channels do not see each other, and ``per_group`` are the
    input channels of one. ``closing`` layers look at the whole map. ``copies`` halves the channels
    once per surrounding branch whose input is added to its output; ``linear`` marks the last
    layer of such a branch.
    """

    name: str
    role: str
    parents: list
    width: int
    window: tuple = ()
    stride: tuple = ()
    dilation: tuple = ()
    weighted: bool = False
    groups: int = 1
    per_group: int = 0
    closing: bool = False
    copies: int = 1
    linear: bool = False
    uses: int = 0
    cell: bool = False
    edges: list = field(default_factory=list)

    @property
    def channels(self):
        """Channels left for the chain."""
        return self.width // self.copies


def build_graph(audit, avoid=(), collapse=()):
    """Nodes of an audit in the order of computation, the last one being the output.

    Parameters
    ----------
    audit : lib.audit.Audit
    avoid : sequence of str
        Regular expressions: modules whose name matches are not walked through.
    collapse : sequence of str
        Regular expressions: modules whose name matches become one layer with the window, stride
        and channels of the whole module.

    Returns
    -------
    nodes : list of Node
    notes : list of str
    """
    live = _ancestors(audit.trace.outputs[0])
    nodes = {audit.trace.source: Node("input", "source", [], audit.trace.source.shape[1])}
    notes, merged = set(), _modules(audit, live, collapse)
    for call in audit.trace.calls:
        for value in call.outputs:
            if value not in live:
                continue
            parents = [nodes[v] for v in call.inputs if v in nodes]
            node = _node(audit, call, value, parents, notes)
            if value in merged:
                node = _merged(audit, call.scope, merged[value], value, nodes)
            elif any(re.search(pattern, call.scope) for pattern in avoid):
                node.role = "opaque"
            node.cell = prod(value.shape) == node.width
            nodes[value] = node
    order = list(nodes.values())
    for node in order:
        for parent in node.parents:
            parent.uses += 1
    for node in order:
        _connect(node, order, notes)
    return order, [NOTES[key] for key in NOTES if key in notes]


def _ancestors(value):
    """All tensors that a tensor is computed from, itself included."""
    found, todo = set(), [value]
    while todo:
        value = todo.pop()
        if value not in found:
            found.add(value)
            todo.extend(value.call.inputs if value.call else ())
    return found


def _node(audit, call, value, parents, notes):
    """The node of one tensor, its joins not yet examined."""
    info, axes = call.layer, len(audit.size)
    width = value.shape[1] if len(value.shape) > 1 else prod(value.shape)
    name = audit.names.get(call, f"{call.scope}.{call.name}".strip("."))
    node = Node(name, "opaque", parents, width)
    source = audit.virtual.get(call.inputs[0])
    result = audit.virtual.get(value)
    if not isinstance(source, Field) or not isinstance(result, Field):
        return node
    single = prod(value.shape) == width
    same = _same_grid(source, result, call.name in PADS)
    kind = info.kind if info else None
    if kind in ("conv", "pool"):
        window, stride, dilation = (t[-axes:] for t in (info.window, info.stride, info.dilation))
        if len(window) == axes and all(stride):
            shrinks = single and prod(source.shape[2:]) > 1
            node = Node(name, "layer", parents, width, window, stride, dilation, kind == "conv",
                        max(1, info.groups), info.channels_in // max(1, info.groups), shrinks)
            if set(window) == set(stride) == {1} and kind == "pool":
                node.role = "pass"
            elif kind == "pool":
                notes.add("pool")
            if info.groups > 1:
                notes.add("group")
            if any(n != -(-m // s) for n, m, s in zip(value.shape[-axes:], source.shape[-axes:],
                                                      stride, strict=True)):
                notes.add("valid")
    elif kind == "global pool" and single:
        node = Node(name, "layer", parents, width, closing=True)
        notes.add("pool")
    elif kind == "dense" and len(parents) == 1:
        whole = prod(source.shape) == info.channels_in
        if whole or (same and None not in result.step):
            node = Node(name, "layer", parents, info.channels, (1,) * axes, (1,) * axes,
                        (1,) * axes, True, closing=whole)
    elif kind == "norm":
        node.role = "pass"
        notes.add("norm")
    elif kind is None and call.name == "cat":
        node.role = "cat" if call.arguments["dim"] % len(value.shape) == 1 else "opaque"
    elif kind is None and len(parents) == 1:
        node.role = "pass" if same or prod(value.shape) == value.shape[-1] else "opaque"
    elif kind is None and call.name in ("add", "sub", "mul", "div"):
        node.role = {"sub": "add", "div": "mul"}.get(call.name, call.name)
    return node


def _same_grid(source, result, padded=False):
    """Whether two maps have the same units at the same places."""
    if None in source.step or None in result.step:
        return source.shape == result.shape
    return all(old[1:] == new[1:] and (padded or source.shape[old[0]] == result.shape[new[0]])
               for old, new in zip(source.step, result.step, strict=True))


def _modules(audit, live, collapse):
    """Output tensor of every module to be treated as one layer, with its input tensor."""
    found = {}
    for call in audit.trace.calls:
        for pattern in collapse:
            match = re.match(rf"(?:{pattern})(?=\.|$)", call.scope)
            if match and call.outputs and call.outputs[0] in live:
                first = found.get(match[0], (call.inputs[0],))[0]
                found[match[0]] = (first, call.outputs[0])
    return {output: (name, source) for name, (source, output) in found.items()}


def _merged(audit, scope, merged, value, nodes):
    """A whole module as one layer: how much field and stride it adds."""
    name, source = merged
    before, after = audit.geometry(source), audit.geometry(value)
    window = tuple(int((b.size - a.size) / a.stride) + 1
                   for a, b in zip(before, after, strict=True))
    stride = tuple(int(b.stride / a.stride) for a, b in zip(before, after, strict=True))
    return Node(name, "layer", [nodes[source]], value.shape[1], window, stride, (1,) * len(stride),
                True)


def _connect(node, order, notes):
    """Which parents a chain may come from, given what happens to the other ones."""
    if node.role in ("layer", "pass"):
        node.edges = node.parents[:1]
    elif node.role == "cat":
        node.edges = list(node.parents)
        notes.add("cat")
    elif node.role in ("add", "mul") and len(node.parents) == 2:
        for chosen, other in (node.parents, node.parents[::-1]):
            if chosen.cell and not node.cell:
                continue                            # one cell repeated all over a map
            if _free(other) is not None:
                node.edges.append(chosen)
            elif node.role == "add" and _cancels(chosen, other, order):
                node.edges.append(chosen)
                notes.add("add")


def _free(node):
    """The layer whose weights can silence a tensor without any other effect, or None."""
    while node.role == "pass" and node.uses == 1:
        node = node.parents[0]
    return node if node.role == "layer" and node.weighted and node.uses == 1 else None


def _cancels(branch, shortcut, order):
    """Mark a branch that can undo the addition of its own input; say whether it can."""
    start = shortcut
    while start.uses == 1 and (start.role == "pass" or _subsamples(start)):
        start = start.parents[0]
    inner, todo = set(), [branch]
    while todo:
        node = todo.pop()
        if node in inner or node is start:
            continue
        if node.role == "source":
            return False
        inner.add(node)
        todo.extend(node.parents)
    last = _free(branch)
    layers = [node for node in inner if node.role == "layer" and node is not last]
    if last is None or last.closing or last.groups > 1 or not layers or set(last.stride) != {1}:
        return False
    for node in layers:
        node.copies *= 2
    last.linear = True
    return True


def _subsamples(node):
    """Whether a layer only picks cells: a pooling with a window of one cell."""
    return (node.role == "layer" and not node.weighted and not node.closing
            and set(node.window) == {1})
