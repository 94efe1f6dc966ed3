"""Which tensors share memory, and what a tensor holds after a write through another one.

``y[:, 1:] = x`` writes to a view of y, and y itself is read later. Every tensor is remembered
together with the number of writes its memory had seen. If a later write overlaps it, its value is
put together again from the history of its memory, oldest first.
"""

from __future__ import annotations

from .calls import Call, UnsupportedOperation, Value


class Memory:
    """Values of tensors by identity, kept true under writes.

    Parameters
    ----------
    calls : list of Call
        Where the reading of a rewritten tensor is recorded, as a call named "strided".
    """

    def __init__(self, calls):
        self.calls = calls
        self.values, self.seen_writes, self.history = {}, {}, {}
        self.alive = []

    def __contains__(self, tensor):
        return id(tensor) in self.values

    def remember(self, tensor, value):
        """Note the value of a new tensor, None if it does not depend on the input."""
        self.alive.append(tensor)                   # so that no identity is ever used twice
        past = self.history.setdefault(_storage(tensor), [(value, _layout(tensor))])
        self.values[id(tensor)] = value
        self.seen_writes[id(tensor)] = len(past)

    def write(self, tensor, value):
        """Note that a tensor has been written to."""
        past = self.history.setdefault(_storage(tensor), [(None, _layout(tensor))])
        past.append((value, _layout(tensor)))
        self.remember(tensor, value)

    def read(self, tensor, scope, leaf):
        """The value of a remembered tensor as it is now."""
        past = self.history[_storage(tensor)]
        size, stride, offset = layout = _layout(tensor)
        first, last = _span(layout)
        later = [_span(other) for _, other in past[self.seen_writes[id(tensor)]:]]
        if any(a <= last and first <= b for a, b in later):
            if any(value is not None for value, _ in past):
                values = list(dict.fromkeys(v for v, _ in past if v is not None))
                call = Call("strided", scope, leaf, None, {
                    "values": [value for value, _ in past],
                    "layouts": tuple(layout for _, layout in past),
                    "layout": (size, stride, offset)}, values)
                call.outputs.append(Value(size, call))
                self.calls.append(call)
                self.remember(tensor, call.outputs[0])
            else:
                self.remember(tensor, None)
        return self.values[id(tensor)]


def _storage(tensor):
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):
        raise UnsupportedOperation(f"a {type(tensor).__name__} of layout {tensor.layout} has no "
                                   "memory that could be followed") from None


def _layout(tensor):
    return tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset())


def _span(layout):
    """First and last element of the memory that a tensor touches."""
    size, stride, offset = layout
    return offset, offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True) if n)
