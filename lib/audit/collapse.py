"""Whole modules read as single layers: one window, one stride and the channels of all of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import product
from math import prod

from .fields import Field
from .geometry import Geometry
from .nodes import Node
from .rules import interpret
from .rules.movement import MOVES
from .trace import Call, UnsupportedOperation, Value


def as_text(pattern: object) -> object:
    """A compiled pattern as the text that says the same; anything else as it is.

    Examples
    --------
    >>> as_text(re.compile("Layer1", re.IGNORECASE)), as_text("layer1")
    ('(?i:Layer1)', 'layer1')
    """
    if not isinstance(pattern, re.Pattern) or not isinstance(pattern.pattern, str):
        return pattern
    flags = "".join(letter for letter in "aimsx" if pattern.flags & re.RegexFlag[letter.upper()])
    return f"(?{flags}:{pattern.pattern}{chr(10) * ('x' in flags)})" if flags else pattern.pattern


def whole_name(pattern: str) -> str:
    """A pattern that matches a module's whole name at the beginning of the name of what is in it.

    Examples
    --------
    >>> [bool(re.match(whole_name("body.1"), name)) for name in ("body.1.conv", "body.10", "1")]
    [True, False, False]
    """
    return rf"(?:{pattern})(?=\.|$)"


def _inside(name: str) -> Callable[[str], re.Match | None]:
    """Says of the name of a module whether it is this module or lies in it."""
    return re.compile(whole_name(re.escape(name))).match


def _runs_in(name: str) -> Callable[[Call], bool]:
    """Says of a call whether it lies in this module, by its name or because the module runs."""
    inside = _inside(name)
    return lambda call: any(map(inside, call.scopes))


def modules_of(audit: object, live: set, collapse: tuple, avoid: tuple = ()) -> dict:
    """Output tensor of every module to be treated as one layer, with its name and input.

    What no chain may enter is none, nor as one layer.
    """
    found = {}
    for call in audit.trace.calls:
        for pattern, scope in product(collapse, call.scopes):
            match = re.match(whole_name(pattern), scope)
            if match and call.outputs and call.outputs[0] in live and not any(
                    re.search(other, match[0]) for other in avoid):
                first = found.get(match[0], (call.inputs[0],))[0]
                found[match[0]] = (first, call.outputs[0])
    runs = Counter(name for name, values in audit.trace.results if not live.isdisjoint(values))
    for name in found:
        if runs[name] > 1:                          # what lies between two runs is not its own
            raise ValueError(f"collapse: module {name!r} runs {runs[name]} times on the way to the "
                             "output; it cannot be read as one layer")
    for name, (_, output) in found.items():
        own = [values for ran, values in audit.trace.results if ran == name]
        twice = any(map(_inside(name), (ran for ran, n in runs.items() if n > 1)))
        if twice and own and not any(output in values for values in own):
            raise ValueError(f"collapse: module {name!r} holds a module that runs outside of it, "
                             "too; it cannot be read as one layer")
        if _is_read_inside(audit, name, output, live):
            raise ValueError(f"collapse: module {name!r} hands on more than its output, as maps "
                             "for later layers are; it cannot be read as one layer")
    return {output: (name, source) for name, (source, output) in found.items()}


def as_one_layer(audit: object, name: str, source: Value, value: Value, nodes: dict, live: set,
                 pools: str = "mixing") -> Node:
    """A whole module as one layer: how much field and stride it adds."""
    node = Node(name, "layer", [nodes[source]], value, prod(value.shape[1:2]))
    if pools == "channelwise" and _only_pools(audit, name, source, value):
        node.groups, node.per_group = node.width, 1
    node.weighted = _has_own_weights(audit, name, live)
    before, after = audit.geometry(source), audit.geometry(value)
    ones = node.window = node.stride = node.dilation = (1,) * len(before)
    laid_out = [_channels_and_places(audit.fields(v)[0]) for v in (source, value)]
    drops = _drops(audit, name, live)
    if prod(value.shape) == node.width and _covers(laid_out[0], source, before, after) and (
            not drops or _reads_all_units(audit, source, value, {})):
        node.closing = True                         # a head: one window over all that is left
        node.dense = node.groups == 1
        return node
    if None in laid_out:
        raise ValueError(f"collapse: module {name!r} leads from a grid over the image to none, or "
                         "begins without one; it cannot be read as one layer")
    strides = [b.stride / a.stride for a, b in zip(before, after, strict=True)]
    if any(stride < 1 or stride.denominator > 1 for stride in strides):
        raise ValueError(f"collapse: module {name!r} has the stride "
                         f"{', '.join(map(str, dict.fromkeys(strides)))}, and a layer's is a "
                         "positive integer; it cannot be read as one layer")
    if not _reads_one_map(audit, name, {*nodes, value}):
        raise ValueError(f"collapse: module {name!r} reads maps whose units see different pixels; "
                         "it cannot be read as one layer")
    steps = dict(zip(laid_out[0][1], map(int, strides), strict=True))
    if drops and not _reads_all_units(audit, source, value, steps):
        raise ValueError(f"collapse: module {name!r} leaves out a part of the map that it is "
                         "given; it cannot be read as one layer")
    node.window = tuple(map(_window, before, after))
    node.stride, node.dilation = tuple(map(int, strides)), ones
    (first, node.places), (last, grid) = laid_out
    node.dims, node.width = (first, last), value.shape[last]
    node.grid = tuple(value.shape[place] for place in grid)
    return node


def _only_pools(audit: object, name: str, source: Value, value: Value) -> bool:
    """Whether a module stands for a pooling, which may leave channels by themselves."""
    inside = _runs_in(name)
    kinds = {audit.as_layers[call].kind for call in audit.trace.calls
             if audit.as_layers[call] and inside(call)}
    return bool(kinds) and kinds <= {"pool", "global pool"} and (
        source.shape[1:2] == value.shape[1:2])


def _has_own_weights(audit: object, name: str, live: set) -> bool:
    """Whether a layer of a module has weights, and nothing else uses a parameter of the module."""
    inside = _runs_in(name)
    own, others, weighted = set(), set(), False
    for call in audit.trace.calls:
        if not live.isdisjoint(call.outputs):
            within = inside(call)
            (own if within else others).update(call.parameters)
            info = audit.as_layers[call]
            weighted |= within and bool(call.parameters) and info is not None and (
                info.kind in ("conv", "dense"))
    return weighted and own.isdisjoint(others)


def _is_read_inside(audit: object, name: str, output: Value, live: set) -> bool:
    """Whether what follows a module reads tensors within it: it would pass the one layer by."""
    inside = _runs_in(name)
    return any(value is not output and value.call and inside(value.call)
               for call in audit.trace.calls
               if not inside(call) and not live.isdisjoint(call.outputs)
               for value in call.inputs)


def _reads_one_map(audit: object, name: str, live: set) -> bool:
    """Whether all that a module reads has one field: else what it adds to one is not its own."""
    inside = _runs_in(name)
    read = {value for call in audit.trace.calls if inside(call)
            and not live.isdisjoint(call.outputs) for value in call.inputs
            if value in live and not (value.call and inside(value.call))}
    fields = {tuple((axis.size, axis.stride, axis.start) for axis in audit.geometry(value))
              for value in read if isinstance(audit.virtual.get(value), Field)}
    return len(fields) < 2


def _window(before: Geometry, after: Geometry) -> int:
    """Cells of a map along one axis that a unit behind it looks at."""
    return max(1, int((after.size - before.size) / before.stride) + 1)


def _covers(laid_out: tuple | None, source: Value, before: tuple, after: tuple) -> bool:
    """Whether one cell looks at the whole map, as far as can be known: a map may be cropped."""
    if laid_out is None or None in [axis.stride for axis in (*before, *after)]:
        return True
    cells = [source.shape[place] for place in laid_out[1]]
    return all(_window(a, b) >= n for a, b, n in zip(before, after, cells, strict=True))


def _drops(audit: object, name: str, live: set) -> bool:
    """Whether a module moves units and leaves some behind, as the last step of a sequence does."""
    inside = _runs_in(name)
    return any(call.name in (*MOVES, "slice", "pad", "constant_pad_nd") and inside(call)
               and sum(prod(v.shape) for v in live.intersection(call.outputs))
               < prod(call.inputs[0].shape)
               for call in audit.trace.calls if not live.isdisjoint(call.outputs))


def _reads_all_units(audit: object, source: Value, value: Value, steps: dict) -> bool:
    """Whether a tensor depends on another one up to its ends, along all of its dimensions.

    Along those with a stride, in ``steps``, less than one may be left at the end.
    """
    fields = {source: Field.of_input(source.shape, virtual=False, first=1)}
    for call in audit.trace.calls:
        if value not in fields and not fields.keys().isdisjoint(call.inputs):
            try:
                made = interpret(call, {v: fields.get(v) for v in call.inputs})
            except UnsupportedOperation:            # a sequence of constants, if this one is left
                return False
            fields |= zip(call.outputs, made, strict=True)
    read = fields.get(value)
    return isinstance(read, Field) and all(
        int(edge[0].min()) == 0 and n + int(edge[1].min()) <= steps.get(dim, 1)
        for dim, (edge, n) in enumerate(zip(read.edges, read.image, strict=True), 1))


def _channels_and_places(x: Field) -> tuple[int, tuple[int, ...]] | None:
    """The dimension of a map along which its channels lie, and those of the image's axes."""
    places = tuple(step[0] for step in x.step if step is not None)
    beside = set(range(1, len(x.shape))) - set(places)
    if len(set(places)) != len(x.image) or len(beside) != 1:
        return None
    return beside.pop(), places
