"""Operations that numbers decide, written with ones that need none.

``x[mask]`` picks as many units as the mask has ones. Where the mask is a constant, the recorder
performs an indexing at known places instead, and where a sequence of known length is packed, the
sequence itself. A map between zeros is a padded map. Each function takes the recorder and the
arguments and returns the result, or None where the operation is to be recorded as it is.
"""

from __future__ import annotations

import torch

from .failures import BATCH
from .memory import UnsupportedOperation

aten = torch.ops.aten


def _constant(recorder: object, tensor: object) -> bool:
    """Whether a tensor's numbers are known."""
    return (isinstance(tensor, torch.Tensor) and recorder.look_up(tensor) is None
            and recorder.numbers_known(tensor))


def _places(recorder: object, indices: list) -> list | None:
    """Indices with masks of known numbers as places; None if there is no such mask."""
    found, masks = [], 0
    for entry in indices:
        if isinstance(entry, torch.Tensor) and entry.dtype in (torch.bool, torch.uint8) and (
                _constant(recorder, entry)):
            found += entry.bool().nonzero(as_tuple=True)
            masks += 1
        else:
            found.append(entry)
    return found if masks else None


def indexed(recorder: object, function: object, args: tuple, kwargs: dict) -> object:
    """Masks among the indices become places."""
    places = _places(recorder, args[1])
    return None if places is None else function(args[0], places, *args[2:], **kwargs)


def _masked(recorder: object, x: torch.Tensor, mask: torch.Tensor) -> list | None:
    if not _constant(recorder, mask):
        return None
    shape = torch.broadcast_shapes(x.shape, mask.shape)
    return [*mask.expand(shape).nonzero(as_tuple=True)]


def selected(recorder: object, function: object, args: tuple, kwargs: dict) -> object:
    """``torch.masked_select`` with a known mask."""
    x, mask = args
    places = _masked(recorder, x, mask)
    return None if places is None else aten.index.Tensor(
        x.expand(torch.broadcast_shapes(x.shape, mask.shape)), places)


def scattered(recorder: object, function: object, args: tuple, kwargs: dict) -> object:
    """``torch.masked_scatter`` with a known mask takes entries of the source in their order."""
    x, mask, source = args
    places = _masked(recorder, x, mask)
    if places is None:
        return None
    put = aten.index_put_ if function.overloadpacket.__name__.endswith("_") else aten.index_put
    count = len(places[0]) if places else 1
    return put.default(x, places, source.reshape(-1)[:count])


def packed(recorder: object, function: object, args: tuple, kwargs: dict) -> object:
    """A sequence of known length is cut there; it is packed as itself."""
    x, lengths, batch_first = args
    if batch_first:
        x = x.transpose(0, 1)
    if not _constant(recorder, lengths) or x.shape[1] != 1:
        raise UnsupportedOperation(
            f"{recorder.place(function)}: a packed batch of several sequences is not followed, "
            "and lengths must not depend on the input; give one sequence")
    length = int(lengths[0])
    return x[:length, 0], torch.ones(length, dtype=torch.long)


def packed_recurrent(recorder: object, function: object, args: tuple, kwargs: dict) -> object:
    """A recurrent layer on one packed sequence."""
    if function._overloadname != "data":
        return None
    data, batch_sizes, state, *others = args
    if batch_sizes.numel() != data.shape[0]:
        raise UnsupportedOperation(f"{recorder.place(function)}: a packed batch of several "
                                   "sequences is not followed; give one sequence")
    plain = function.overloadpacket.input
    out, *states = plain(data.unsqueeze(1), state, *others, False)
    return (out.squeeze(1), *states)


def between_zeros(recorder: object, function: object, args: tuple, kwargs: dict) -> object:
    """A map with zeros put before or after it, as causal convolutions do, is padded."""
    tensors, dim = args[0], args[1] if len(args) > 1 else kwargs.get("dim", 0)
    places = [place for place, x in enumerate(tensors) if recorder.look_up(x) is not None]
    if function._overloadname != "default" or len(places) != 1 or len(tensors) == 1:
        return None
    x, others = tensors[places[0]], [y for y in tensors if y is not tensors[places[0]]]
    dim %= x.dim()
    if dim == 0 or not all(
            y.dim() == x.dim() and torch.promote_types(x.dtype, y.dtype) == x.dtype
            and _constant(recorder, y) and not recorder.origin([y]) and not y.any()
            for y in others):
        return None                                 # a parameter is zero only at the start
    before, after = (sum(y.shape[dim] for y in side)
                     for side in (tensors[:places[0]], tensors[places[0] + 1:]))
    return aten.constant_pad_nd.default(x, [0, 0] * (x.dim() - 1 - dim) + [before, after])


def sized(recorder: object, function: object, args: tuple, kwargs: dict) -> object:
    """A tensor takes the size of another one, whose numbers do not matter."""
    return args[0].resize_(args[1].shape)


def with_a_batch(recorder: object, function: object, args: tuple, kwargs: dict) -> None:
    """A convolution along one axis more than an image has takes its batch of one for channels."""
    x, value = args[0], recorder.look_up(args[0])
    if value is None or args[1].dim() != x.dim() + 1:
        return
    while value.call:
        value = value.call.inputs[0]
    if value.first == 2 and len(value.shape) == x.dim():
        raise ValueError(f"a convolution along {x.dim() - 1} axes {BATCH}; it needs (batch, "
                         "channels, axes...)")


REWRITES = {
    "cat": between_zeros, "conv1d": with_a_batch, "conv2d": with_a_batch, "conv3d": with_a_batch,
    "index": indexed, "_unsafe_index": indexed, "index_put": indexed, "index_put_": indexed,
    "_index_put_impl_": indexed, "masked_select": selected, "masked_scatter": scattered,
    "masked_scatter_": scattered, "_pack_padded_sequence": packed, "lstm": packed_recurrent,
    "gru": packed_recurrent, "rnn_tanh": packed_recurrent, "rnn_relu": packed_recurrent,
    "resize_as_": sized,
}
