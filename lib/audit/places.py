"""Which tensor a name means, and which unit a place."""

from __future__ import annotations

from math import prod

from ..checks import is_integer
from .describe import on_cpu
from .fields import EMPTY, Field
from .geometry import Box, batch_dim
from .trace import Call, Value


def layout(audit: object, value: Value) -> tuple[int | None, list[int] | None]:
    """The dimension of the batch, and those along which the grid runs, one per axis of the image.

    None if there is no such. Where units sit does not depend on gates, norms and attention.
    """
    fields = audit.fields(value)
    batch = batch_dim(fields, audit.trace.sources[0].shape[0], audit.infos.get(value.call))
    dims = [step[0] for step in fields[0].step if step is not None]
    if len({*dims}) == len(audit.size) < len(value.shape) - (batch is not None):
        return batch, dims
    return (batch, None) if audit.local is audit else layout(audit.local, value)


def unit_index(audit: object, value: Value, name: str, unit: object) -> tuple[tuple, tuple]:
    """The place of a unit as given, or in the middle, and the index of what lies there."""
    batch, dims = layout(audit, value)
    beside = [d for d in range(len(value.shape)) if d != batch]     # whose places a unit is given
    shape = tuple(value.shape[d] for d in beside)
    if unit is None:
        unit = tuple(n // 2 for n in shape)
    unit = tuple(int(i) if is_integer(i) else i
                 for i in ((unit,) if is_integer(unit) else unit))
    if dims is not None and len(unit) == len(dims):
        given, limits = dims, [value.shape[dim] for dim in dims]
    else:
        given, limits = beside, shape
    if len(unit) != len(given) or not all(
            is_integer(i) and -n <= i < n for i, n in zip(unit, limits, strict=True)):
        along = f"{len(shape)} places in all"       # flipped, adaptive
        if dims is not None:
            along = f"{len(dims)} places along the axes of the image, or {len(shape)} in all"
        apart = "" if batch is None else " beside the batch" if batch else " after the batch"
        raise ValueError(f"unit {unit} of {name!r}, whose map has the shape {shape}{apart}: "
                         f"give {along}, each within the map")
    places = dict(zip(given, unit, strict=True)) | ({} if batch is None else {batch: 0})
    return unit, tuple(places.get(d, slice(None)) for d in range(len(value.shape)))


def unit_box(audit: object, value: Value, name: str, unit: object) -> Box:
    """The pixels that one unit of a recorded tensor sees."""
    unit, index = unit_index(audit, value, name, unit)
    ends = []
    for which in audit.fields(value):
        with on_cpu():
            edges = [which.full(axis)[(slice(None), *index)].reshape(2, -1).amin(1).tolist()
                     for axis in which.axes]
        ends.append(None if any(low > EMPTY // 2 for low, _ in edges) else
                    tuple((low, -high) for low, high in edges))
    return Box(name, unit, ends[1], ends[0])


def named_value(audit: object, layer: str | None) -> tuple[Value, str]:
    """The tensor that a layer or a module returns, by name."""
    if layer is None:
        call = audit.last_map_value.call
        return audit.last_map_value, audit.names.get(call, (call.scope or audit.name) if call
                                                     else "input")
    named = [_returned(audit, call, layer) for call, name in audit.names.items() if name == layer]
    inside = [call.outputs[0] for call in audit.trace.calls if call.outputs
              and isinstance(audit.virtual.get(call.outputs[0]), Field)
              and f"{call.scope}.".startswith(f"{layer}.")]
    returned = [value for scope, values in audit.trace.results if scope == layer
                for value in values if isinstance(audit.virtual.get(value), Field)]
    inside = named or [v for v in inside[-1:] if v in returned] or returned or inside
    if not inside or not layer:
        raise ValueError(f"no layer or module {layer!r}; layers are named "
                         f"{', '.join(list(audit.names.values())[:12])}, ...")
    return inside[-1], layer


def _returned(audit: object, call: Call, name: str) -> Value:
    """What a layer's module returns, if that is its output reshaped, as behind 1-D pooling."""
    value, turn = call.outputs[0], int(name.partition(" #")[2] or 1) - 1
    runs = [values for scope, values in audit.trace.results if scope == call.scope]
    if not call.leaf or not call.scope or any(value in values for values in runs):
        return value
    given = [v for values in runs[turn:turn + 1] for v in values]
    same = len(given) == 1 and isinstance(audit.virtual.get(given[0]), Field) and (
        prod(given[0].shape) == prod(value.shape)) and (
        audit.geometry(given[0]) == audit.geometry(value))
    return given[0] if same else value
