"""The graph of a network's ConvAC surrogate: which tensors are layers, joins, or the same map.

The surrogate keeps windows, strides and channels and forgets activations. A tensor is then the
output of a layer, the same map as before, the same units in another order, a join of branches, or
something that no generalized convolution stands for. Chains run along `Node.edges`; which units
arrive where is followed exactly, unit by unit, by `carry` and `arrangement`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from math import prod

import torch
from torch._subclasses.fake_tensor import FakeTensor

from .collapse import as_one_layer, modules_of
from .fields import EMPTY, Field, map_places
from .nodes import Node, after_move, labels_of
from .rules.mixing import POOLING
from .rules.movement import MOVES, invoke
from .rules.registry import ELEMENTWISE, is_elementwise
from .trace import Value

POOLS = ("mixing", "channelwise")
SAME = ("clone", "detach", "alias", "contiguous", "_to_copy", "native_dropout", "lift_fresh",
        "as_strided")                               # its rule refuses all but a change of layout
NORMS = ("native_layer_norm", "_fused_rms_norm", "rms_norm", "native_group_norm",
         "native_batch_norm", "_softmax", "_log_softmax", "_safe_softmax")
POLYNOMIAL = ("add", "sub", "rsub", "mul", "div", "neg", "pow", "square", "addcmul")
PADS = ("pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
        "replication_pad1d", "replication_pad2d", "replication_pad3d")
FILLS = (*PADS, "im2col", "strided", "cat", "stack")
NOTES = {
    "group": "grouped and depthwise convolutions stay grouped: they pass channels on, and may "
             "multiply cells of one channel or of two channels in one group",
    "pool": "a pooling layer is a generalized convolution with weights of its own, which mixes "
            "channels, as in the paper (pools='channelwise' keeps them apart)",
    "apart": "a pooling layer is a generalized convolution with weights of its own, channel by "
             "channel",
    "fixed": "a convolution whose kernel is fixed counts as a pooling layer",
    "norm": "normalization is dropped",
    "add": "where an input is added to a branch, the branch carries a copy of the input to cancel "
           "it: half its channels, and its last layer looks at one cell only",
    "cat": "of parallel branches one is followed, the others are ignored by the next layer",
    "tied": "a layer whose weights are used more than once is not walked through",
    "valid": "padding is at the far end of every axis and keeps ceil(size / stride) cells",
}


def build_graph(audit: object, avoid: tuple = (), collapse: tuple = (),
                pools: str = "mixing") -> tuple[list[Node], list[str]]:
    """Nodes of an audit in the order of computation, the last one being the output.

    Parameters
    ----------
    audit : lib.audit.Audit
    avoid : sequence of str
        Regular expressions: modules whose name matches are not walked through.
    collapse : sequence of str
        Regular expressions: modules whose name matches become one layer with the window, stride
        and channels of the whole module.
    pools : {"mixing", "channelwise"}
        Whether the generalized convolution that stands for a pooling layer mixes channels.

    Returns
    -------
    nodes : list of Node
    notes : list of str
    """
    live, source = _ancestors(audit.trace.outputs[0]), audit.trace.sources[0]
    nodes = {source: Node("input", "source", [], source, source.shape[1], prod(audit.size),
                          audit.size, places=tuple(range(2, 2 + len(audit.size))),
                          steps=(1,) * len(audit.size))}
    notes, merged = set(), modules_of(audit, live, collapse, avoid)
    uses = Counter(name for call in audit.trace.calls if not live.isdisjoint(call.outputs)
                   for name in call.parameters)     # what leads to other outputs counts for them
    tied = {name for name, count in uses.items() if count > 1}
    for call in audit.trace.calls:
        for value in call.outputs:
            if value not in live:
                continue
            parents = [nodes[v] for v in call.inputs if v in nodes]
            name = audit.names.get(call, f"{call.scope}.{call.name}".strip("."))
            node = Node(name, "opaque", parents, value)
            if value in merged:
                node = as_one_layer(audit, *merged[value], value, nodes, live, pools)
            elif not any(re.search(pattern, name) for pattern in avoid
                         for name in call.scopes):
                _describe(node, call, audit, tied, pools, notes)
            if node.role == "layer":
                node.cells = prod(value.shape) // max(1, node.width)
                node.grid = node.grid or (parents[0].grid if node.cells > 1 else ())
            elif parents:
                node.cells, node.grid = max((parent.cells, parent.grid) for parent in parents)
                node.width = prod(value.shape) // node.cells
            node.steps = _total_strides(node, audit.size)
            nodes[value] = node
    order = list(nodes.values())
    for node in order:
        for parent in node.parents:
            parent.uses += 1
    for node in order:
        _connect(node, notes)
    return order, [NOTES[key] for key in NOTES if key in notes]


def _total_strides(node: Node, size: tuple) -> tuple | None:
    """Total strides of the surrogate's map, None if not known; joins of two sizes are opaque."""
    known = [parent.steps for parent in node.parents if parent.steps and not parent.cell]
    if node.role == "layer":
        before = node.parents[0].steps
        return tuple(size) if node.closing else before and tuple(
            a * b for a, b in zip(before, node.stride, strict=True))
    if node.role in ("add", "mul", "cat"):
        maps = {tuple(-(-n // s) for n, s in zip(size, steps, strict=True)) for steps in known}
        if len(maps) > 1:                           # real padding makes them fit, ours does not
            node.role = "opaque"
        return known[0] if len(set(known)) == 1 else None
    if node.role == "move" and not _keeps_cells(node) or node.role == "opaque" and any(
            parent.value.shape[2:] != node.value.shape[2:] for parent in node.parents):
        return None                                 # enlarged maps, say
    steps = [parent.steps for parent in node.parents]
    return steps[0] if steps and len(set(steps)) == 1 else None


def _keeps_cells(node: Node) -> bool:
    """Whether a move only rearranges units, or drops and repeats channels."""
    before, after = node.parents[0].value.shape, node.value.shape
    return prod(before) == prod(after) or len(before) == len(after) and (
        before[:1] + before[2:] == after[:1] + after[2:])


def _ancestors(value: Value) -> set[Value]:
    """All tensors that a tensor is computed from, itself included."""
    found, todo = set(), [value]
    while todo:
        value = todo.pop()
        if value not in found:
            found.add(value)
            todo.extend(value.call.inputs if value.call else ())
    return found


def _describe(node: Node, call: object, audit: object, tied: set, pools: str, notes: set) -> None:
    """Fill in what a call is in the surrogate; it stays opaque if it is nothing there."""
    info, name = audit.as_layers[call], call.name
    if info is not None and info.kind == "reduce" and name in POOLING:
        node.partial = _along_an_axis(call, audit.virtual.get(call.inputs[0]))
    source, result = (audit.virtual.get(v) for v in (call.inputs[0], node.value))
    if not isinstance(source, Field) or not isinstance(result, Field) or not node.parents:
        return
    if info is not None and info.kind in ("conv", "pool", "global pool", "dense"):
        if call.parameters & tied:
            notes.add("tied")
        elif len(node.parents) == 1:
            _layer(node, info, source, result, pools, bool(call.parameters), notes)
    elif name in NORMS or "batch_norm" in name:
        if name.endswith("softmax") and (info or call.arguments["dim"] % len(source.shape) != 1):
            return
        node.role = "pass"
        notes.add("norm")
    elif name in SAME:
        node.role = "pass"
    elif name in PADS:
        amounts = call.arguments.get("pad") or call.arguments["padding"]
        places = map_places(source, len(source.shape) - 2)
        beside = any(a != b for dim, (a, b) in enumerate(zip(source.shape, result.shape,
                                                             strict=True)) if dim not in places)
        node.role = "opaque" if min(amounts) < 0 else "move" if beside else "pass"
    elif name == "cat":
        node.role = "cat"
    elif name in MOVES or name in ("slice", "roll", "strided") or (
            name in ("mean", "sum", "amax") and prod(source.shape) == prod(result.shape)):
        plain = (info is None or info.kind == "shuffle") and not isinstance(
            call.arguments.get("self"), torch.Tensor)           # a table is read, nothing moves
        node.role = "move" if plain and len(node.parents) == 1 else "opaque"
    elif name in ELEMENTWISE or (call.function and torch.Tag.pointwise in call.function.tags):
        _elementwise(node, call)


def _along_an_axis(call: object, x: Field) -> bool:
    """Whether a mean runs along some axes of a map, so that a second one may make it global."""
    along = call.arguments.get("dim")
    along = along if isinstance(along, list) else [along]
    return len(call.outputs) == 1 and len(x.shape) == len(x.image) + 2 and None not in along and (
        min(d % len(x.shape) for d in along) > 1)


def _elementwise(node: Node, call: object) -> None:
    """An activation, however it is written, or a sum or product of two maps."""
    stems = {_stem(parent) for parent in node.parents}
    if len(stems) == 1:
        node.role = "pass" if _is_activation(node, stems.pop()) else "opaque"
    elif len(node.parents) == 2 and not any(
            isinstance(x, torch.Tensor) for x in call.arguments.values()):
        roles = {"add": "add", "sub": "add", "mul": "mul"}     # a quotient is no polynomial
        scaled = call.arguments.get("alpha", 1) != 0
        node.role = roles.get(call.name, "opaque") if scaled else "opaque"


def _pointwise(node: Node) -> bool:
    """Whether a tensor is an activation of the one before it, or the same as another type."""
    return node.role == "pass" and is_elementwise(node.value.call)


def _stem(node: Node) -> Node:
    """The tensor of which a tensor is an elementwise function."""
    way = [node]
    while way[-1].stem is None and _pointwise(way[-1]):
        way.append(way[-1].parents[0])
    found = way[-1].stem or way[-1]
    for step in way[:-1]:
        step.stem = found
    return found


def _is_activation(node: Node, stem: Node) -> bool:
    """Whether a function of one number may be dropped: it depends on it, and is no product.

    ``y - y`` and ``y * 0`` are constant, ``y * y`` is a product like those of the surrogate.
    """
    try:
        curves, polynomial = _curves(node, stem)
    except (RuntimeError, TypeError, NotImplementedError, LookupError, AttributeError):
        return False                                # numbers that are not known, or no function
    for curve in map(torch.Tensor.double, curves):
        if not curve.isfinite().sum() > 2 or curve[curve.isfinite()].unique().numel() < 2:
            return False
        if curve.numel() == 1 or (polynomial
                                  and curve.diff().diff().abs().max() > 1e-6 * curve.abs().max()):
            return False
    return True


def _curves(node: Node, stem: Node) -> tuple[list[torch.Tensor], bool]:
    """What becomes of some numbers on the way from one tensor to another, computed once.

    For the least and for the greatest entries of constants, and whether all is polynomial.
    """
    if node is stem:
        return [torch.linspace(-3.3, 3.7, 29, dtype=torch.float64)] * 2, True
    if node.curves is None:
        call, curves = node.value.call, []
        before = {parent.value: _curves(parent, stem) for parent in node.parents}
        for pick in (0, 1):
            result = invoke(call.function, {
                key: before[entry][0][pick] if isinstance(entry, Value) else
                _entry(entry, pick, bool(call.parameters)) if isinstance(entry, torch.Tensor) else
                entry for key, entry in call.arguments.items()})
            curve = result[0] if isinstance(result, (list, tuple)) else result
            curves.append(curve if curve.dtype == torch.bool else curve.double())   # or a mask
        node.curves = curves, call.name in (*POLYNOMIAL, *SAME) and all(
            plain for _, plain in before.values())
    return node.curves


def _entry(tensor: torch.Tensor, pick: int, generic: bool) -> torch.Tensor:
    """One number of a constant tensor: the least (0) or the greatest (1) in absolute value."""
    if generic:
        return torch.tensor(0.7, dtype=torch.float64)
    if isinstance(tensor, FakeTensor) or tensor.device.type == "meta":
        raise LookupError("numbers that are not known")
    flat = tensor.flatten()
    if flat.dtype == torch.bool:
        return [flat.all(), flat.any()][pick]
    found = flat[[flat.abs().argmin(), flat.abs().argmax()][pick]]
    return found.double() if found.is_floating_point() else found


def _layer(node: Node, info: object, source: Field, result: Field, pools: str, weighted: bool,
           notes: set) -> None:
    """A convolution, pooling or dense layer, if it runs along the axes of the image."""
    axes = len(source.image)
    ones = (1,) * axes
    node.dims, node.width, node.weighted = info.dims, info.channels, weighted
    if info.kind == "dense":
        node.closing, node.dense = prod(source.shape) == info.channels_in, True
        if weighted and (node.closing or (info.single and not info.mixes)):
            node.role, node.window, node.stride, node.dilation = "layer", ones, ones, ones
            beside = [n for d, n in enumerate(result.shape) if d not in (
                0, info.dims[1] % len(result.shape))]
            node.grid = ones if node.closing else tuple(beside) if len(beside) == axes else ()
        return
    pooled = info.kind != "conv"
    if info.kind == "global pool":
        if info.channels != prod(result.shape):
            return
        node.window = node.stride = node.dilation = node.grid = ones
        node.closing = True
    else:
        count, rank = len(info.window), len(source.shape)
        if count < axes or not all(info.stride):
            return
        node.places = map_places(source, count)
        node.window, node.stride, node.dilation = (
            tuple(t[place - rank + count] for place in node.places)
            for t in (info.window, info.stride, info.dilation))
        node.grid = tuple(result.shape[place] for place in node.places)
        cells = prod(result.shape[rank - count:])
        if cells != prod(node.grid):
            return
        before = [source.shape[place] for place in node.places]
        node.closing = cells == 1 < prod(before) and all(
            n == 1 or (d == 1 and r >= n)
            for r, d, n in zip(node.window, node.dilation, before, strict=True))
        sizes = zip(before, node.grid, node.stride, strict=True)
        if any(after != -(-n // step) for n, after, step in sizes):
            notes.add("valid")
    node.role = "layer"
    if pooled and set(node.window) == set(node.stride) == {1} and not node.closing:
        node.role = "pass" if source.shape == result.shape else "opaque"    # it pools channels
        return
    node.groups = max(1, info.groups)
    if pooled:
        node.weighted = False
        node.groups = info.channels if pools == "channelwise" else 1
        notes.add("pool" if pools == "mixing" else "apart")
    elif not weighted:
        notes.update(("fixed", "pool" if pools == "mixing" else "apart"))
        node.groups = 1 if pools == "mixing" else node.groups
    elif node.groups > 1:
        notes.add("group")
    node.per_group = info.channels_in // node.groups


def _connect(node: Node, notes: set) -> None:
    """Which parents a chain may come from, given what happens to the other ones."""
    if node.role in ("layer", "pass", "move"):
        node.edges = node.parents[:1]
        while node.closing and not node.dense and node.edges[0].partial and (
                node.edges[0].uses == 1):           # a global pooling, axis by axis
            node.dims = (_before(node.edges[0], node.dims[0]), node.dims[1])
            node.edges = node.edges[0].parents[:1]
        if node.role == "pass" and len(node.parents) > 1:
            stem = _stem(node)
            if stem is node:                        # a norm whose scale or shift is computed
                node.role, node.edges = "opaque", []
            else:
                node.edges = [stem]
    elif node.role == "cat":                        # of what may be empty, as [:0] is
        node.edges = [parent for parent in node.parents if 0 not in parent.value.shape]
        notes.add("cat")
    elif node.role in ("add", "mul"):
        for chosen, other in (node.parents, node.parents[::-1]):
            if chosen.value.shape != node.value.shape and not node.cell:
                continue                            # one cell repeated all over a map
            if _free(other) is not None:
                node.edges.append(chosen)
            elif node.role == "add" and _cancels(chosen, other):
                node.edges.append(chosen)
                notes.add("add")


def _before(node: Node, dim: int) -> int:
    """Where a dimension of a mean over other ones was before it."""
    rank = len(node.parents[0].value.shape)
    if rank > len(node.value.shape):
        along = node.value.call.arguments["dim"]
        for gone in sorted(d % rank for d in (along if isinstance(along, list) else [along])):
            dim += dim >= gone
    return dim


def _free(node: Node) -> Node | None:
    """The layer whose weights can silence a tensor without any other effect, or None.

    What fills in numbers of its own, such as padding, is not silenced with the layer.
    """
    while node.role in ("pass", "move") and node.uses == 1 and len(node.parents) == 1 and (
            node.value.call.name not in FILLS):
        node = node.parents[0]
    return node if node.role == "layer" and node.weighted and node.uses == 1 else None


def _cancels(branch: Node, shortcut: Node) -> bool:
    """Mark a branch that can undo the addition of its own input; say whether it can."""
    last = _free(branch)
    if last is None or last.closing or last.groups > 1 or set(last.stride) != {1} or (
            not _in_order(branch, last)):
        return False
    start = end = shortcut
    while start.uses == 1 and (start.role in ("pass", "move") or _subsamples(start)):
        if _subsamples(start):
            if not _in_order(end, start):
                return False
            end = start.parents[0]
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
    layers = [node for node in inner if node.role == "layer" and node is not last]
    if not layers or not branch.steps or branch.steps != shortcut.steps or (
            not _in_order(end, start)):
        return False
    for node in (*layers, last):
        if _reads(node, start) and (node.groups > 1 or not _reads_all(node, start)):
            return False
    for node in layers:
        node.copies *= 2
    last.linear = True
    return True


def _reads(node: Node, start: Node) -> bool:
    """Whether a layer reads a tensor with no other layer in between."""
    todo = list(node.parents)
    while todo:
        node = todo.pop()
        if node is start:
            return True
        if node.role != "layer":
            todo.extend(node.parents)
    return False


def _carried(at: Node, start: Node, value: object, step: Callable) -> object:
    """What a value at a tensor becomes on the first way to a node, layers closed; None if none."""
    if at is start:
        return value
    for parent in at.edges if at.role != "layer" else ():
        found = _carried(parent, start, value, step)
        if found is not None:
            return step(at, parent, found)
    return None


def _reads_all(node: Node, start: Node) -> bool:
    """Whether a layer that reads a tensor directly reads each of its units."""
    shape = start.value.shape

    def untouched(at: Node, _: Node, found: bool) -> bool:
        return found and (at.role in ("add", "mul")
                          or at.role == "pass" and at.value.shape == shape)

    if _carried(node.parents[0], start, True, untouched):   # labels would take a gigabyte
        return True

    def units(at: Node, parent: Node, found: Field) -> Field | None:
        return found if at.role in ("add", "mul") else after_move(at, parent, found)

    whole = labels_of(shape, [torch.arange(prod(shape)).view(shape)])
    found = _carried(node.parents[0], start, whole, units)
    if found is None:
        return False
    numbers = found.full(0)[0].unique()
    return int((numbers < EMPTY // 2).sum()) == prod(shape)


def _subsamples(node: Node) -> bool:
    """Whether a layer only picks cells: a pooling with a window of one cell."""
    return (node.role == "layer" and not node.weighted and not node.closing
            and set(node.window) == {1})


def _in_order(node: Node, start: Node) -> bool:
    """Whether what lies between two tensors leaves every unit in its place."""
    between, at = [], node
    while at is not start:
        between.append(at)
        at = at.parents[0]
    if all(step.role == "pass" and step.value.shape == start.value.shape for step in between):
        return True
    shape = start.value.shape
    units = labels_of(shape, [torch.arange(prod(shape)).view(shape)])
    for step in reversed(between):
        units = after_move(step, step.parents[0], units)
        if units is None:
            return False
    if prod(shape) != prod(node.value.shape):
        return False
    wanted = torch.arange(prod(shape)).view(node.value.shape)
    return prod(units.shape) == prod(shape) and bool(torch.equal(units.full(0)[0], wanted))
