"""From a recorded run to the fields of all its tensors, and to records of layers and joins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from .fields import Field
from .geometry import is_map
from .report import join_record, layer_record
from .rules import Unknown, interpret
from .rules.gates import unrepeated
from .rules.scores import find_keys
from .trace import UnsupportedOperation, Value

LARGE = 2 ** 18                                     # boxes of larger tensors are not all kept


@contextmanager
def on_cpu() -> Iterator[None]:
    """Whatever the caller has switched on does not change what is computed here."""
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        if torch.empty(0).device.type != "cpu":     # PyTorch 2.6 does not tell that of a context
            stack.enter_context(torch.device("cpu"))
        yield


@on_cpu()
def described(found: object, keep: Value | None = None) -> object:
    """Compute the fields of all tensors, call by call, and describe layers and joins."""
    recorded, tables = found.trace, (found.virtual, found.seen)
    for source in recorded.sources:
        for fields, virtual in zip(tables, (True, False), strict=True):
            fields[source] = Field.of_input(source.shape, virtual, source.first, found.ignore)
    find_keys(recorded.calls)
    last_use, names = {}, Counter()
    for call in recorded.calls:
        last_use |= dict.fromkeys(call.inputs, call)
    kept = {*recorded.outputs, keep}
    for call in recorded.calls:
        call.layer = None                           # of another audit of the same run
        for fields in tables:
            fields.update(zip(call.outputs, interpret(call, unrepeated(call, fields)),
                              strict=True))
        found.infos[call] = call.layer
        _same_steps(found, call)
        _describe_call(found, call, names)
        for value in {*call.inputs, *call.outputs}:
            if last_use.get(value, call) is call and value not in kept:
                for fields in tables:
                    _forget(fields, value)
    for value in recorded.outputs:
        what = found.virtual[value]
        if isinstance(what, Unknown):
            raise UnsupportedOperation(f"the output uses {what.what}, whose receptive field is "
                                       "not known here")
        if what is None:
            raise UnsupportedOperation("the output does not depend on the input's numbers")
    return found


def _same_steps(found: object, call: object) -> None:
    """Let both tables know of the same grid, so that rules leave the same aside in both.

    Boxes that end at the border do not tell where a reshape has put the grid.
    """
    for value in call.outputs:
        virtual, seen = found.virtual[value], found.seen[value]
        if isinstance(virtual, Field) and isinstance(seen, Field) and seen.step != virtual.step:
            found.seen[value] = seen.replace(step=virtual.step)


def _forget(fields: dict, value: Value) -> None:
    """Drop the boxes of a large tensor that nothing reads any more."""
    what = fields.get(value)
    if isinstance(what, Field) and what.edges and not is_map(what) and (
            sum(edge.numel() for edge in what.edges) > LARGE):
        fields[value] = Field(what.shape, what.image, None, what.step, what.virtual, what.ignore)


def _describe_call(found: object, call: object, names: Counter) -> None:
    """The record of a layer or a join."""
    out = call.outputs[0] if call.outputs else None
    if not isinstance(found.virtual.get(out), Field):
        return
    sources = [v for v in call.inputs
               if isinstance(found.virtual.get(v), Field) and 0 not in v.shape]
    if call.layer is not None:
        name = (call.scope if call.leaf else _name(call)) or found.name
        names[name] += 1
        name = name if names[name] == 1 else f"{name} #{names[name]}"
        found.names[call] = name
        idle = all(bool((found.seen[v].clipped(axis)[0] == 0).all()
                        and (found.seen[v].edges[axis][1] == 1 - n).all())
                   for v in sources for axis, n in enumerate(found.size))
        looks = any(r > 1 for r in call.layer.window) or not call.layer.window
        found.layers.append(layer_record(name, call.layer, (found.virtual[out], found.seen[out]),
                                         found.geometry(out),
                                         idle and looks and call.layer.kind != "dense",
                                         found.trace.sources[0].shape[0]))
    elif len(sources) > 1:
        branches = [found.geometry(value) for value in sources]
        name = call.scope if call.leaf else _name(call)
        found.own_joins.append(join_record(name, call.name, branches, found.axes,
                                       all(is_map(found.virtual[v]) and not _repeated(v, out)
                                           for v in sources) and not _phases(call)
                                       and all(g.stride for branch in branches for g in branch)))


def _repeated(value: Value, out: Value) -> bool:
    """Whether one cell is repeated all over a map, as a gate is: it lies in no place of its own."""
    pairs = zip(reversed(value.shape[2:]), reversed(out.shape), strict=False)
    return any(n == 1 < m for n, m in pairs)


def _phases(call: object) -> bool:
    """Whether every n-th cell of one map is put beside its neighbors: they differ by design."""
    roots = set()
    for value in call.inputs:
        while value.call and value.call.name == "slice" and len(value.call.inputs) == 1:
            value = value.call.inputs[0]
        roots.add(value)
    return call.name in ("cat", "stack") and len(roots) == 1


def _name(call: object) -> str:
    """Name of an operation in a module, or of the module that its parameters belong to."""
    owners = {name.rpartition(".")[0] for name in call.parameters}
    owner = owners.pop() if len(owners) == 1 else call.scope
    if owner != call.scope and owner:
        return owner
    return ".".join(filter(None, (call.scope, call.name)))
