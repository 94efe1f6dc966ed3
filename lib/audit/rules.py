"""Which rule computes the receptive field of which operation."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .calls import UnsupportedOperation, Value
from .fields import Field, hull

RULES = {}


@dataclass(frozen=True)
class Unknown:
    """Stands for the field of a tensor that no rule describes, harmless while nobody uses it."""

    what: str


@dataclass
class LayerInfo:
    """What one operation is as a layer; tuples have one entry per spatial axis.

    ``kind`` is "conv", "transposed conv", "pool", "global pool", "dense", "attention", "norm",
    "resize", "shuffle" or "reduce". ``channels`` are the output's, ``groups`` 0 means that every
    channel stays by itself (a pooling layer). ``mixes`` says whether a dense layer sums over
    positions of the map.
    """

    kind: str
    window: tuple = ()
    stride: tuple = ()
    padding: tuple = ()
    dilation: tuple = ()
    groups: int = 1
    channels_in: int = 0
    channels: int = 0
    mixes: bool = False


def rule(*names):
    """Register the rule of some operations: a function of (call, arguments, output shapes)."""

    def register(function):
        for name in names:
            RULES[name] = function
        return function

    return register


def refuse(call, reason):
    raise UnsupportedOperation(f"{call.where}: {reason}")


def interpret(call, fields):
    """Fields of a call's outputs.

    Parameters
    ----------
    call : Call
    fields : dict
        Fields of the values computed so far; None for a value without pixels, an `Unknown` for
        one that no rule describes.

    Returns
    -------
    list of Field, None or Unknown
        One per output.
    """
    arguments = {key: _resolve(entry, fields) for key, entry in call.arguments.items()}
    shapes = [value.shape for value in call.outputs]
    unknown = next((f for f in flat(arguments) if isinstance(f, Unknown)), None)
    if unknown is not None:
        return [unknown for _ in shapes]
    tracked = [f for f in flat(arguments) if isinstance(f, Field)]
    function = RULES.get(call.name)
    if not tracked:
        result = None
    elif function is not None:
        result = function(call, arguments, shapes)
    elif torch.Tag.pointwise in call.function.tags:
        result = hull(tracked, shapes[0])
    else:
        refuse(call, "its receptive field is not known here; replace the operation by known ones, "
                     "or register a rule in lib/audit/rules.py")
    if isinstance(result, list):
        return result
    return [result if result is None or value.shape == tuple(result.shape) else
            Unknown(f"output {place} of {call.where}")
            for place, value in enumerate(call.outputs)]


def _resolve(entry, fields):
    """An argument with fields in place of values."""
    if isinstance(entry, list):
        return [_resolve(part, fields) for part in entry]
    return fields[entry] if isinstance(entry, Value) else entry


def flat(arguments):
    """All arguments, those in lists one by one."""
    for entry in arguments.values():
        yield from entry if isinstance(entry, list) else (entry,)
