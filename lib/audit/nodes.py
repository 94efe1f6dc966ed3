"""What each tensor of a network becomes in its ConvAC surrogate.

The surrogate keeps windows, strides and channels and forgets the rest, so a tensor is the output
of a layer, the same map as before, a join of branches, or something that no generalized
convolution stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from .fields import Field
from .movement import MOVES

PADS = ("constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d",
        "replication_pad2d")
RESHAPES = ("view", "_unsafe_view", "reshape", "_reshape_alias", "view_copy", "permute",
            "transpose", "t", "unsqueeze", "squeeze", "clone", "detach", "alias", "contiguous")
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

    ``width`` are its channels, wherever reshapes have put them.
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


def make_node(audit, call, value, parents, notes):
    """The node of one tensor, its joins not yet examined."""
    info, name = call.layer, audit.names.get(call, f"{call.scope}.{call.name}".strip("."))
    source, result = (audit.virtual.get(v) for v in (call.inputs[0], value))
    node = Node(name, "opaque", parents, parents[0].width if parents else 1)
    if not isinstance(source, Field) or not isinstance(result, Field) or not parents:
        return node
    same = _same_grid(source, result, call.name in PADS)
    if info is None or info.kind in ("norm", "shuffle"):
        _forward(node, call, source, result, same, notes)
    elif info.kind in ("conv", "pool"):
        _windowed(node, info, source, result, notes)
    elif info.kind == "global pool" and node.width == prod(result.shape):
        node.role, node.closing = "layer", True
        notes.add("pool")
    elif info.kind == "dense" and len(parents) == 1:
        whole = prod(source.shape) == info.channels_in
        if whole or (info.channels_in == node.width and not info.mixes):
            ones = (1,) * len(audit.size)
            node.role, node.weighted, node.closing = "layer", True, whole
            node.window, node.stride, node.dilation, node.width = ones, ones, ones, info.channels
    return node


def _windowed(node, info, source, result, notes):
    """A convolution or pooling, if it slides over the map along the axes of the image."""
    axes = len(source.image)
    window, stride, dilation = (t[-axes:] for t in (info.window, info.stride, info.dilation))
    first = len(source.shape) - axes
    placed = all(s is None or s[0] == first + axis for axis, s in enumerate(source.step))
    if len(window) < axes or not all(stride) or not placed or info.channels_in != node.width:
        return
    groups = max(1, info.groups)
    node.role, node.width, node.weighted = "layer", info.channels, info.kind == "conv"
    node.window, node.stride, node.dilation = window, stride, dilation
    node.groups, node.per_group = groups, info.channels_in // groups
    node.closing = prod(result.shape[first:]) == 1 < prod(source.shape[first:])
    if info.kind == "pool" and set(window) == set(stride) == {1}:
        node.role = "pass"
    elif info.kind == "pool":
        notes.add("pool")
    if groups > 1:
        notes.add("group")
    sizes = zip(source.shape[first:], result.shape[first:], stride, strict=True)
    if any(after != -(-before // step) for before, after, step in sizes):
        notes.add("valid")


def _forward(node, call, source, result, same, notes):
    """An operation that is no layer: passing a map on, or joining several."""
    if call.layer is not None and call.layer.kind == "norm":
        node.role = "pass"
        notes.add("norm")
    elif call.name == "cat":
        node.role = "cat" if call.arguments["dim"] % len(result.shape) == 1 else "opaque"
        node.width = sum(parent.width for parent in node.parents)
    elif len(node.parents) > 1:
        roles = {"add": "add", "sub": "add", "mul": "mul"}     # a quotient is no polynomial
        node.role = roles.get(call.name, "opaque")
    elif call.name in RESHAPES or (same and call.name in PADS):
        node.role = "pass"
    elif same and call.name in (*MOVES, "slice"):   # some of the channels, or in another order
        node.role = "pass"
        node.width = node.width * prod(result.shape) // prod(source.shape)
    elif call.name not in (*MOVES, *PADS, "slice") and source.shape == result.shape:
        node.role = "pass"                          # an activation, say


def _same_grid(source, result, padded=False):
    """Whether two maps have the same units at the same places."""
    if None in source.step or None in result.step:
        return False
    return all(old[1:] == new[1:] and (padded or source.shape[old[0]] == result.shape[new[0]])
               for old, new in zip(source.step, result.step, strict=True))
