"""Gates that were repeated all over a map before they met it."""

from __future__ import annotations

from math import prod

import torch

from ..fields import EMPTY, Field
from ..trace import Call, UnsupportedOperation, Value
from .movement import MOVES
from .registry import interpret, is_elementwise

MOST_CALLS = 100                                    # between a gate and the place where it is used


def unrepeated(call: Call, fields: dict) -> dict:
    """The fields for a call, in which a repeated gate stands once, if gates are to be ignored.

    Gates are recognized by being one number for a map, and ``x * gate.expand_as(x)`` is common.
    """
    maps = {value: fields[value] for value in call.inputs if isinstance(fields[value], Field)}
    if len(maps) < 2 or not is_elementwise(call) or not all(
            "gates" in x.ignore for x in maps.values()):
        return fields
    varying = set().union(*(x.varying() for x in maps.values()))
    found = {}
    for value, x in maps.items():
        rank = len(x.shape)
        dims = {d for d in varying - x.varying() if -d <= rank and x.shape[d] > 1}
        labels = _origins(value, fields) if dims else None
        if labels is not None:
            dims -= labels.varying()
            small = [1 if d - rank in dims else n for d, n in enumerate(x.shape)]
            found[value] = x.replace(small, step=[
                s if s and small[s[0]] == x.shape[s[0]] else None for s in x.step])
    return {**fields, **found} if found else fields


def _origins(value: Value, fields: dict) -> Field | None:
    """Which numbers every unit of a tensor was copied from, by the same rules; None if from many.

    The labels have one axis for every tensor that was computed and not only moved about.
    """
    calls, roots, todo = {}, [], [value]
    while todo:
        at = todo.pop()
        made = at.call
        if made in calls or at in roots:
            continue
        if made is None or not (made.name in (*MOVES, "cat", "stack") or is_elementwise(made)
                                or made.name.startswith("upsample")):
            roots.append(at)
            continue
        calls[made] = [v for v in made.inputs if isinstance(fields.get(v), Field)]
        todo += calls[made]
        if len(calls) > MOST_CALLS:
            return None
    if value in roots or all(prod(root.shape) >= prod(value.shape) for root in roots):
        return None                                 # nothing was repeated
    labels = {root: _own_labels(root.shape, place, len(roots)) for place, root in enumerate(roots)}
    while value not in labels:
        made = next(made for made, inputs in calls.items() if made.outputs[0] not in labels
                    and all(v in labels for v in inputs))
        layer = made.layer
        try:
            results = interpret(made, {v: labels.get(v) for v in made.inputs})
        except UnsupportedOperation:
            return None
        made.layer = layer
        if not all(isinstance(result, Field) for result in results):
            return None
        labels |= zip(made.outputs, results, strict=True)
    return labels[value]


def _own_labels(shape: tuple, place: int, count: int) -> Field:
    """The units of one of several tensors, each by its number."""
    edges = [torch.full((2, *[1] * len(shape)), EMPTY) for _ in range(count)]
    units = torch.arange(prod(shape)).view(shape)
    edges[place] = torch.stack([units, -units])
    return Field(tuple(shape), (EMPTY,) * count, edges, [None] * count, False)
