"""Which rule computes the receptive field of which operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch._subclasses.fake_tensor import FakeTensor

from ..fields import Field, hull
from ..memory import EARLIER
from ..trace import Call, UnsupportedOperation, Value

RULES = {}
ELEMENTWISE = ("hardswish", "where", "masked_fill", "prelu", "_prelu_kernel", "clamp", "hardtanh",
               "leaky_relu", "log_sigmoid_forward", "softplus", "threshold", "addcmul", "addcdiv",
               "rrelu_with_noise", "glu_jvp", "bucketize", "complex", "polar", "_to_copy",
               "lift_fresh", "native_dropout", "_conj", "_neg_view")


OVERWRITES = ("copy", "zero", "fill")


Result = Field | None | list
"""What a rule returns: the field of the output, or a list with one entry per output."""


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
    positions of the map, ``single`` whether over one dimension. ``dims`` are the dimensions of
    input and output along which the channels lie.
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
    dims: tuple = (1, 1)
    single: bool = True


def rule(*names: str) -> Callable:
    """Register the rule of some operations: a function of (call, arguments, output shapes)."""

    def register(function: Callable) -> Callable:
        for name in names:
            RULES[name] = function
        return function

    return register


def refuse(call: Call, reason: str) -> NoReturn:
    """Raise the error of an operation that no rule can describe."""
    raise UnsupportedOperation(f"{call.where}: {reason}")


DEPENDS = ("depends on numbers computed from the input, so that no field is fixed; audit the part "
           "before it (upto= names its last module), or put an operation with fixed places here")


def known(call: Call, entry: object) -> object:
    """An argument whose numbers are needed, if they are known without running the model."""
    if isinstance(entry, list):
        return [known(call, part) for part in entry]
    if isinstance(entry, FakeTensor):
        refuse(call, "its numbers are computed from parameters, and only shapes are run here")
    return entry


class _Arguments(dict):
    """Arguments that remember which of them a rule has looked at."""

    def __init__(self, entries: dict) -> None:
        super().__init__(entries)
        self.read = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name, default=None):
        self.read.add(name)
        return super().get(name, default)

    def values(self):
        self.read.update(self)
        return super().values()

    def items(self):
        self.read.update(self)
        return super().items()

    def overlooked(self, name: str) -> list[str]:
        """Tensors that depend on the input and that the rule of an operation has left aside."""
        lost = ("self",) if name in OVERWRITES else ()
        return [key for key, entry in super().items() if key not in self.read and key not in lost
                and any(isinstance(part, Field) for part in flat({key: entry}))]


def interpret(call: Call, fields: dict) -> list:
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
    arguments = _Arguments({key: _resolve(entry, fields)
                            for key, entry in call.arguments.items()})
    shapes = [value.shape for value in call.outputs]
    unknown = next((f for f in flat(arguments) if isinstance(f, Unknown)), None)
    if unknown is not None:
        return [unknown for _ in shapes]
    tracked = [f for f in flat(arguments) if isinstance(f, Field)]
    arguments.read.clear()
    function = RULES.get(call.name)
    if not tracked:
        result = None
    elif function is not None:
        try:
            result = function(call, arguments, shapes)
        except UnsupportedOperation:
            raise
        except Exception as error:
            if lacks_memory(error):
                raise MemoryError(f"{call.where}: too little memory for the fields of its "
                                  f"{' x '.join(map(str, shapes[0]))} units; a smaller image "
                                  "(size=) takes less") from error
            raise UnsupportedOperation(
                f"{call.where}: its rule does not cover these arguments, a defect of the audit "
                f"({type(error).__name__}: {error}); {EARLIER}") from error
        if arguments.overlooked(call.name):         # a field must never be too small
            refuse(call, f"its argument {arguments.overlooked(call.name)[0]!r} depends on the "
                         "input, which is not followed here; replace the operation by known ones, "
                         f"or stop before it: {EARLIER}")
    elif is_elementwise(call):
        parts = [fields[value] for value in call.inputs if isinstance(fields[value], Field)]
        result = hull(without_keys(call, parts), shapes[0])
    else:
        refuse(call, "its receptive field is not known here; replace the operation by known ones, "
                     f"register a rule as in {__package__}, or stop before it: {EARLIER}")
    if isinstance(result, list):
        return result
    return [result if result is None or value.shape == tuple(result.shape) else
            Unknown(f"output {place} of {call.where}")
            for place, value in enumerate(call.outputs)]


def lacks_memory(error: Exception) -> bool:
    """Whether an error says that there was too little memory: PyTorch has no class for it on CPUs.

    Examples
    --------
    >>> lacks_memory(MemoryError()), lacks_memory(RuntimeError("shapes differ"))
    (True, False)
    """
    text = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or isinstance(
        error, RuntimeError) and any(sign in text for sign in (
            "can't allocate memory", "not enough memory", "out of memory"))


def is_elementwise(call: Call) -> bool:
    """Whether every unit of the result is computed from the units in its own place."""
    return call.name in ELEMENTWISE or (
        call.function is not None and torch.Tag.pointwise in call.function.tags)


def without_keys(call: Call, parts: list[Field]) -> list[Field]:
    """What meets in scores of attention, without what only belongs to keys if that is ignored.

    Scores may be sums of a part for each query and one for each key, or be masked by a row of keys.
    """
    if call.keys is None or "attention" not in parts[0].ignore:
        return parts
    varying = [x.varying() for x in parts]
    keys = call.keys - len(call.outputs[0].shape)
    asking = [dims for dims in varying if dims and keys not in dims]
    return [x for x, dims in zip(parts, varying, strict=True)
            if keys not in dims or not any(own - dims for own in asking)]


def _resolve(entry, fields):
    """An argument with fields in place of values."""
    if isinstance(entry, list):
        return [_resolve(part, fields) for part in entry]
    return fields[entry] if isinstance(entry, Value) else entry


def flat(arguments: dict) -> Iterator:
    """All arguments, those in lists one by one."""
    for entry in arguments.values():
        yield from entry if isinstance(entry, list) else (entry,)
