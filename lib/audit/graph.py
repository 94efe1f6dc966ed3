"""The graph of a traced network, as chains of generalized convolutions could run through it."""

from __future__ import annotations

import re
from math import prod

from .nodes import NOTES, Node, make_node


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
            node = make_node(audit, call, value, parents, notes)
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
