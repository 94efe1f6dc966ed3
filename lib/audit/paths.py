"""Paths through the graph of a network: to the layer K of the theorems, and on to the output."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod


@dataclass
class Path:
    """The best way found from the input to a node."""

    reach: int                                      # T_R - 1 along the cut
    carried: int                                    # bit s: two channels can hold cells s apart
    compared: int                                   # bit s: one channel can compare cells s apart
    strides: tuple                                  # T_S per axis
    before: Path | None = None
    node: object = None


def find_paths(nodes, size, axis, base):
    """Paths that end in a layer K wide enough for the base.

    Two halves of the channels carry the two cells to be compared, so all layers before K are
    twice as wide as the base, and the longest such path is taken. A grouped layer cannot always
    multiply different channels. It can always compare two cells of one channel within its own
    window, and then a single carrier is enough: the second kind of path.
    """
    for carriers in (2, 1):
        best = {}
        for node in nodes:
            if node.role == "source":
                best[node] = Path(0, 1, 0, (1,) * len(size))
            before = [best[parent] for parent in node.edges if parent in best]
            if not before:
                continue
            path = max(before, key=lambda p: (p.reach, -prod(p.strides)))
            if node.role == "layer":
                path = _extended(path, node, size, axis, base, carriers)
                if not _passes_on(path):
                    continue
                if node.channels >= base:
                    yield path
                if node.channels < base * carriers:
                    continue
            best[node] = path


def _extended(path, node, size, axis, base, carriers):
    """A path with one more layer."""
    window, stride, dilation = layer_shape(node, path.strides, size)
    unit = path.strides[axis] * dilation[axis]
    moved, limit = 0, (1 << size[axis]) - 1
    for copies in range(1, min(window[axis], -(-size[axis] // unit))):
        moved |= (path.carried << copies * unit) & limit
    strides = tuple(a * b for a, b in zip(path.strides, stride, strict=True))
    new = Path(path.reach + (window[axis] - 1) * unit, path.carried, path.compared, strides, path,
                node)
    if carriers == 2:
        new.carried |= moved
    if node.groups > 1 if carriers == 1 else _multiplies(node, path.node, base):
        new.compared |= moved
    return new


def _passes_on(path):
    """Whether a grouped layer can hand each channel to one of its own."""
    node, previous = path.node, path.before.node
    return node.groups == 1 or (previous is not None and (
        previous.groups == 1 or node.width // node.groups >= node.per_group))


def _multiplies(node, previous, base):
    """Whether a layer can multiply a channel by another one: both must be in one group."""
    return node.groups == 1 or (previous is not None and previous.groups == 1
                                and node.groups * (node.per_group // node.copies // 2) >= base)


def layer_shape(node, strides, size):
    """Window, stride and dilation of a layer at its place in a chain."""
    if node.closing:
        whole = tuple(-(-n // s) for n, s in zip(size, strides, strict=True))
        return whole, whole, (1,) * len(size)
    window = (1,) * len(size) if node.linear else node.window
    return window, node.stride, node.dilation


def find_endings(nodes):
    """For every node, the way on to the output in which windows are at least strides.

    The first layer with a stride must come after, or be, one that adds up the channels of K:
    a grouped layer cannot.
    """
    following = {nodes[-1]: ()}                     # whatever the channels mean
    unmixed = {} if nodes[-1].cell else {nodes[-1]: ()}     # while K's channels are apart
    for node in reversed(nodes):
        for ways, mixed in ((following, True), (unmixed, False)):
            onward = ways.get(node)
            if node.role == "layer":
                onward = _onward(node, following if mixed or node.groups == 1 else unmixed)
                if onward and not mixed and node.groups > 1 and set(node.stride) != {1}:
                    onward = None
            if onward is None:
                continue
            for parent in node.edges:
                if parent not in ways or len(onward) < len(ways[parent]):
                    ways[parent] = onward
    return unmixed


def _onward(node, ways):
    """A layer and what follows it, None if it cannot be part of the way on."""
    if node not in ways or node.channels < 1:       # copies for a residual sum may leave none
        return None
    window = (1,) * len(node.window) if node.linear else node.window
    small = any(r < s for r, s in zip(window, node.stride, strict=True))
    skips = any(d > 1 and s > 1 for d, s in zip(node.dilation, node.stride, strict=True))
    return None if not node.closing and (small or skips) else (node, *ways[node])
