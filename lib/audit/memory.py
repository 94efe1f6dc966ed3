"""Which tensors share memory, and what a tensor holds after a write through another one.

``y[:, 1:] = x`` writes to a view of y, and y itself is read later. Every tensor is remembered
together with the number of writes its memory had seen. If a later write overlaps it, its value is
put together again from the history of its memory, oldest first.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode

from .seal import storage_of

EARLIER = "upto= names the last module to look at, one before it"
"""What helps where an operation is not known."""


class UnsupportedOperation(NotImplementedError):
    """An operation whose receptive field this audit does not know: named, never guessed."""


class Memory:
    """Values of tensors by identity, kept true under writes.

    Parameters
    ----------
    read_again : function
        Called with the history (values and layouts) and the layout of a tensor that was written
        to; returns its new value.
    """

    def __init__(self, read_again: Callable) -> None:
        self.read_again = read_again
        self.values, self.seen_writes, self.history = {}, {}, {}
        self.alive = []

    def __contains__(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is remembered, or other ones that share its memory are.

        A buffer of the module may be read itself after a write to a part of it.
        """
        if id(tensor) not in self.values and any(
                value is not None for value, _ in self.history.get(self.storage(tensor), ())):
            self.alive.append(tensor)
            self.values[id(tensor)], self.seen_writes[id(tensor)] = None, 0
        return id(tensor) in self.values

    def remember(self, tensor: torch.Tensor, value: object) -> None:
        """Note the value of a new tensor, None if it does not depend on the input."""
        self.alive.append(tensor)                   # so that no identity is ever used twice
        past = self.history.setdefault(self.storage(tensor), [(value, _layout(tensor))])
        self.values[id(tensor)] = value
        self.seen_writes[id(tensor)] = len(past)

    def write(self, tensor: torch.Tensor, value: object) -> None:
        """Note that a tensor has been written to."""
        past = self.history.setdefault(self.storage(tensor), [(None, _layout(tensor))])
        past.append((value, _layout(tensor)))
        self.remember(tensor, value)

    def read(self, tensor: torch.Tensor) -> object:
        """The value of a remembered tensor as it is now."""
        past = self.history[self.storage(tensor)]
        layout = _layout(tensor)
        first, last = _span(layout)
        later = [_span(other) for _, other in past[self.seen_writes[id(tensor)]:]]
        if any(a <= last and first <= b for a, b in later):
            values = [value for value, _ in past]
            changed = any(value is not None for value in values)
            self.remember(tensor, self.read_again(values, tuple(other for _, other in past), layout)
                          if changed else None)
        return self.values[id(tensor)]

    def storage(self, tensor: torch.Tensor) -> int:
        try:
            return storage_of(tensor)
        except (NotImplementedError, RuntimeError):
            raise UnsupportedOperation(f"a {type(tensor).__name__} of layout {tensor.layout} has "
                                       "no memory that could be followed") from None


class NoNumbers(TorchFunctionMode):
    """Sees what passes a recorder by: numbers that are read, and memory that is exchanged.

    Parameters
    ----------
    recorder : _Recorder
    """

    def __init__(self, recorder: object) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in (torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.__array__) and (
                self.recorder.memory.values.get(id(args[0])) is not None):
            raise UnsupportedOperation(
                f"module {self.recorder.scope[0] or '(the model itself)'!r} computes with the "
                f"numbers in a tensor ({function.__name__}), not only with its shape")
        if function == torch.Tensor.data.__set__ and isinstance(args[1], FakeTensor) and (
                not isinstance(args[0], FakeTensor)):
            return self._set_without_numbers(*args)
        return function(*args, **(kwargs or {}))

    def _set_without_numbers(self, tensor: torch.Tensor, data: torch.Tensor) -> None:
        """``tensor.data = data``; with the memory of a fake it would be on no device."""
        value = self.recorder.look_up(data)
        tensor.data = torch.empty_strided(data.shape, data.stride(), dtype=data.dtype,
                                          device=data.device)
        self.recorder.unknown.add(storage_of(tensor))
        self.recorder.memory.remember(tensor, value)


def _layout(tensor: torch.Tensor) -> tuple:
    return tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset())


def _span(layout: tuple) -> tuple[int, int]:
    """First and last element of the memory that a tensor touches."""
    size, stride, offset = layout
    return offset, offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True) if n)
