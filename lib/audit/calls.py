"""The record of a run: the operations on tensors that depend on the input, in order."""

from __future__ import annotations

from dataclasses import dataclass, field


class UnsupportedOperation(NotImplementedError):
    """An operation whose receptive field this audit does not know: named, never guessed."""


@dataclass(eq=False)
class Value:
    """A tensor that depends on the input: its shape and the call that made it."""

    shape: tuple
    call: Call | None = None


@dataclass(eq=False)
class Call:
    """One primitive operation on tensors that depend on the input.

    ``arguments`` are bound by name, with a `Value` in place of every tensor that depends on the
    input; other tensors are parameters or constants.
    """

    name: str
    scope: str
    leaf: bool
    function: object
    arguments: dict
    inputs: list
    outputs: list = field(default_factory=list)
    layer: object = None

    @property
    def where(self):
        """The operation and the module that performs it, for messages."""
        return f"operation aten.{self.name} in module {self.scope or '(the model itself)'!r}"


@dataclass
class Trace:
    """What a run recorded: the input, the calls in order, the outputs."""

    source: Value
    calls: list
    outputs: list
