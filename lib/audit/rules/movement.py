"""Rules of operations that only move units: they are performed on the boxes themselves."""

from __future__ import annotations

import torch

from ..fields import (
    EMPTY,
    Field,
    along,
    common_step,
    compress,
    cut_by,
    gather,
    hull,
    periodic,
    reduce,
)
from ..trace import Call
from .registry import DEPENDS, LayerInfo, Result, flat, known, refuse, rule

MOVES = ("view", "_unsafe_view", "reshape", "_reshape_alias", "view_copy", "permute", "transpose",
         "t", "expand", "unsqueeze", "squeeze", "select", "split", "split_with_sizes", "unbind",
         "unfold", "flip", "repeat", "diagonal", "index_select", "index", "chunk", "tile",
         "native_channel_shuffle", "channel_shuffle", "pixel_shuffle", "pixel_unshuffle", "im2col",
         "unsafe_split", "unsafe_chunk", "movedim", "swapaxes", "flatten", "unflatten", "detach",
         "alias", "clone", "contiguous", "rot90", "repeat_interleave", "T", "gather", "take")


@rule(*MOVES)
def move(call: Call, a: dict, shapes: list) -> Result:
    """Perform the operation on the boxes of every axis, and find out where the grid went."""
    fields = [entry for entry in flat(a) if isinstance(entry, Field)]
    if call.name == "gather" and isinstance(a["index"], Field):
        return _picked_anywhere(call, a, shapes[0])
    if isinstance(a.get("self"), torch.Tensor):
        return _looked_up(call, a, fields, shapes[0])
    if len(fields) != 1:
        refuse(call, f"which units it moves {DEPENDS}")
    if call.name == "view" and "dtype" in a:
        refuse(call, "the bits are read as another type")
    x = fields[0]
    if call.name in ("detach", "alias", "clone", "contiguous"):
        return x
    arguments = {key: known(call, entry) for key, entry in a.items()}
    name = next(key for key, entry in a.items() if entry is x)
    if call.name == "im2col":                       # padding continues the map, here too
        for dim, amount in zip((-2, -1), a["padding"], strict=True):
            dim %= len(x.shape)
            index = torch.arange(-amount, x.shape[dim] + amount)[:, None]
            x = gather(x, dim, index, (1, 1)) if amount else x
        arguments["padding"] = [0, 0]
    results = [_performed(call.function, arguments, name, x, axis) for axis in x.axes]
    moved = []
    for place, shape in enumerate(shapes):
        edges = [compress(result[place]) for result in results]
        step = [_new_step(call, a, x, axis, edges[axis], shape) for axis in x.axes]
        moved.append(_remembered(x, x.replace(shape, edges, step)))
    if call.name in ("pixel_shuffle", "pixel_unshuffle"):
        call.layer = LayerInfo("shuffle", groups=0, channels_in=x.shape[1], channels=shapes[0][1])
    return moved


def _picked_anywhere(call: Call, a: dict, shape: tuple) -> list:
    """Which unit along a dimension is read depends on the input: each may be."""
    x, index, dim = a["self"], a["index"], a["dim"] % len(shape)
    if not isinstance(x, Field):
        return [index]
    if any(n != m for d, (n, m) in enumerate(zip(x.shape, shape, strict=True)) if d != dim):
        refuse(call, f"which units it moves {DEPENDS}")
    return [hull([index, reduce(x, [dim], True)], shape, gates=False)]


def _looked_up(call: Call, a: dict, fields: list[Field], shape: tuple) -> list:
    """Entries of a constant table, as every place that is computed from the input names them."""
    if call.name == "index":
        used = [d for d, entry in enumerate(a["indices"]) if entry is not None]
        if used == [*range(used[0], used[-1] + 1)]:
            rest = [1] * (len(a["self"].shape) - 1 - used[-1])
            return [hull([x.replace((*x.shape, *rest), [e.reshape(*e.shape, *rest)
                                                        for e in x.edges]) for x in fields],
                         shape, gates=False)]
    elif call.name == "take":
        return [fields[0]]
    elif call.name == "index_select" and len(fields[0].shape) == 1:
        return [hull([along(fields[0], a["dim"], len(shape))], shape)]
    return refuse(call, f"which units it moves {DEPENDS}")


def invoke(function: object, arguments: dict) -> object:
    """An operation performed on arguments that are given by name."""
    specs = function._schema.arguments
    return function(*[arguments[spec.name] for spec in specs if not spec.kwarg_only],
                    **{spec.name: arguments[spec.name] for spec in specs if spec.kwarg_only})


def _performed(function: object, arguments: dict, name: str, x: Field, axis: int) -> list:
    """The outputs' edges along an axis, each (2, *shape)."""
    sides = []
    for side in x.full(axis):
        if function.overloadpacket.__name__ in ("view", "_unsafe_view", "_reshape_alias"):
            result = side.reshape(arguments["size"])
        elif function.overloadpacket.__name__ == "im2col":
            result = invoke(function, arguments | {name: side.double()}).round().long()
        else:
            result = invoke(function, arguments | {name: side})
        sides.append(list(result) if isinstance(result, (list, tuple)) else [result])
    return [torch.stack([_thin(side) for side in pair]) for pair in zip(*sides, strict=True)]


def _thin(edges: torch.Tensor) -> torch.Tensor:
    """Drop what `expand` has repeated, so that no copy is made of it."""
    for dim, stride in enumerate(edges.stride()):
        if stride == 0 and edges.shape[dim] > 1:
            edges = edges.narrow(dim, 0, 1)
    return edges


def _new_step(call: Call, a: dict, x: Field, axis: int, edges: torch.Tensor,
              shape: tuple) -> tuple | None:
    """Along which dimension the grid of an axis runs now, None if along none."""
    old, count = x.step[axis], len(x.shape)
    if 0 in shape:                                  # nothing left that could be a grid
        return None
    if old is None:                                 # lost by a reshape, perhaps found by this one
        return found_step(x, edges) or _given_back(x, axis, edges, shape)
    dim, period, shift = old
    if call.name == "permute":
        return ([d % count for d in a["dims"]].index(dim), period, shift)
    if call.name in ("transpose", "t"):
        pair = [a["dim0"] % count, a["dim1"] % count] if call.name == "transpose" else [0, 1]
        return (pair[1 - pair.index(dim)], period, shift) if dim in pair else old
    if call.name == "pixel_shuffle":
        return (dim, period * a["upscale_factor"], shift)
    if x.shape[dim] == 1:                           # nothing moves: the same place from the end
        place = dim - count + len(shape)
        return (place, period, shift) if 0 <= place < len(shape) and shape[place] == 1 else None
    fits = [d for d in range(len(shape)) if edges.shape[d + 1] == x.shape[dim]]
    place = _farthest(edges)
    if place in fits and periodic(edges, place, period, shift):
        return (place, period, shift)
    others = [d for d in fits if d != place and periodic(edges, d, period, shift)]
    if len(others) == 1 and x.shape[dim] > period:  # channels may differ by more than cells do
        return (others[0], period, shift)
    return found_step(x, edges)


def _remembered(x: Field, moved: Field) -> Field:
    """The moved tensor, which knows of grids that it has lost."""
    if not x.virtual or 0 in x.shape or not any(s and x.shape[s[0]] > 1 for s in x.step):
        return moved                                # a single cell is no grid to look for
    lost = {axis: (x.shape[s[0]], *s[1:], _ends(x.edges[axis]))
            for axis, s in enumerate(x.step) if s and moved.step[axis] is None}
    moved.lost = {**x.lost, **lost}
    return moved


def _ends(edges: torch.Tensor) -> list[int]:
    return edges.flatten(1).amin(1).tolist()


def _given_back(x: Field, axis: int, edges: torch.Tensor, shape: tuple) -> tuple | None:
    """The step of a grid that was lost, along a dimension of as many cells that move as they did.

    Two cells would fit many a step, but this one is known. A single one must see what it saw, or
    more than the image: else it may have been cut at the border.
    """
    if axis not in x.lost or not edges.numel():
        return None
    cells, period, shift, ends = x.lost[axis]
    if cells == 1:
        first, last = _ends(edges)
        known = [first, last] == ends or first < 0 or last < 1 - x.image[axis]
        found = [d for d, n in enumerate(shape) if d and n == 1] if known else []
    else:
        found = [d for d, n in enumerate(edges.shape[1:]) if n == cells > period
                 and periodic(edges, d, period, shift)]
    return (found[0], period, shift) if len(found) == 1 else None


def found_step(x: Field, edges: torch.Tensor) -> tuple | None:
    """The step of a map that is periodic along the dimension where it moves farthest."""
    place = _farthest(edges) if x.virtual and edges.numel() else None
    if place is None:
        return None
    size = edges.shape[place + 1]
    row = edges[0][tuple(slice(None) if d == place else 0 for d in range(edges.dim() - 1))].tolist()
    for period in range(1, min(64, size - 2, max(1, (size - 1) // 2)) + 1):
        shift = row[period] - row[0]                # one row first, which settles most of them
        if shift > 0 and all(b - a == shift for a, b in zip(row, row[period:], strict=False)) and (
                periodic(edges, place, period, shift)):
            return (place, period, shift)
    return None


def _farthest(edges: torch.Tensor) -> int | None:
    """The dimension along which the edges move farthest, None if they do not move."""
    moving = [d for d in range(edges.dim() - 1) if edges.shape[d + 1] > 1]
    if len(moving) < 2:
        return moving[0] if moving else None
    low, high = edges[0], -edges[1]
    ends, none = (2 * low, 2 * high, low + high), low > EMPTY // 2
    pairs = [(end, end) for end in ends]
    if bool(none.any()):                            # what sees no pixel does not move either
        pairs = [(end.masked_fill(none, -EMPTY), end.masked_fill(none, EMPTY)) for end in ends]
    return max(moving, key=lambda d: _moved_by(pairs, d))


def _moved_by(pairs: list, dim: int) -> int:
    """How far boxes move along a dimension, by twice their ends and by twice their middles.

    The ends of channels with fields of different sizes may lie farther apart than those of cells,
    but the one moves less than the other, or their middle stays.
    """
    found = None
    for upper, lower in pairs:
        if found != 0:
            moved = int((upper.amax(dim) - lower.amin(dim)).max())
            found = moved if found is None else min(found, moved)
    return found


@rule("strided")
def rewritten(call: Call, a: dict, shapes: list) -> Result:
    """A tensor put together from everything that was written to its memory, in order."""
    model = next(part for part in a["values"] if isinstance(part, Field))
    length = 1 + max(offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
                     for size, stride, offset in (*a["layouts"], a["layout"]))
    edges, step = [], []
    for axis in model.axes:
        memory = torch.full((2, length), EMPTY)
        for part, layout in zip(a["values"], a["layouts"], strict=True):
            source = part.full(axis) if isinstance(part, Field) else torch.tensor(EMPTY)
            _window(memory, layout).copy_(source)
        edges.append(compress(_window(memory, a["layout"])))
        step.append(found_step(model, edges[axis]))
    return _padded(model.replace(shapes[0], edges, step, cut_by(a["values"])), a["values"])


def _padded(x: Field, parts: list) -> Field:
    """What is put together from parts, as a padded map if it is one map between zeros."""
    steps = {tuple(s and (s[0] + len(x.shape) - len(part.shape), *s[1:]) for s in part.step)
             for part in parts if isinstance(part, Field)}      # dimensions are added in front
    whole = len(steps) == 1 and None in x.step and _without_blanks(x, *steps)
    return whole or x


def _without_blanks(x: Field, steps: tuple) -> Field | None:
    """A map between zeros that were there before, continued over them as padding is.

    None if along a line it is in two pieces, or less than half of it.
    """
    if not x.virtual or None in steps or any(d >= len(x.shape) for d, _, _ in steps):
        return None
    filled = []
    for axis, (dim, period, shift) in enumerate(steps):
        edge = x.full(axis)
        for other in [d for d, _, _ in steps if d != dim] + [dim]:
            known, size = edge[0].movedim(other, -1) < EMPTY // 2, x.shape[other]
            ends = known.int().diff(dim=-1).abs().sum(-1) + known[..., 0] + known[..., -1]
            count, unit = known.sum(-1), period if other == dim else 1
            if bool(((count > 0) & ((ends != 2) | (2 * count < size))).any()):
                return None
            moved = torch.arange(size) // period * torch.tensor([shift, -shift])[:, None]
            moved = moved.view(2, *[1] * (known.dim() - 1), size) * (other == dim)
            lines = (edge.movedim(other + 1, -1) - moved).masked_fill(~known, EMPTY)
            turns = -(-size // unit)
            least = torch.nn.functional.pad(lines, (0, turns * unit - size), value=EMPTY)
            least = least.unflatten(-1, (turns, unit)).amin(-2, keepdim=True)
            full = least.expand(*least.shape[:-2], turns, unit).flatten(-2)[..., :size]
            if bool(((lines != full) & known).any()) or bool(
                    ((full > EMPTY // 2) & (count > 0)[..., None]).any()):
                return None
            full = torch.where(full > EMPTY // 2, EMPTY, full + moved)
            edge = full.movedim(-1, other + 1)
        filled.append(edge)
    return x.replace(edges=filled, step=list(steps))


def _window(memory: torch.Tensor, layout: tuple) -> torch.Tensor:
    """A strided view of both sides of a memory."""
    size, stride, offset = layout
    return memory.as_strided((2, *size), (memory.shape[1], *stride), offset)


@rule("as_strided")
def restrided(call: Call, a: dict, shapes: list) -> Result:
    """Only a change of memory layout of the same units is followed."""
    x = a["self"]
    if shapes[0] == x.shape and sum(n > 1 for n in x.shape) <= 1:
        return x
    return refuse(call, "it addresses memory instead of units")


@rule("slice")
def cut(call: Call, a: dict, shapes: list) -> Result:
    """A part of one dimension, in steps."""
    x, dim = a["self"], a["dim"] % len(a["self"].shape)
    start = a["start"] or 0
    start = min(start + x.shape[dim] if start < 0 else start, x.shape[dim])
    index = torch.arange(shapes[0][dim])[:, None] * a["step"] + max(0, start)
    return gather(x, dim, index, (1, a["step"])) if shapes[0] != x.shape else x


@rule("roll")
def rolled(call: Call, a: dict, shapes: list) -> Field:
    """A cyclic shift: of a map that goes on beyond its borders, a shift."""
    x, count = a["self"], len(a["self"].shape)
    for shift, dim in zip(a["shifts"], a["dims"] or [None], strict=True):
        if dim is None:
            return move(call, a, shapes)[0]
        dim %= count
        place = torch.arange(x.shape[dim]) - shift
        continued = x.virtual and any(s is not None and s[0] == dim for s in x.step)
        x = gather(x, dim, (place if continued else place % x.shape[dim])[:, None], (1, 1))
    return x


@rule("cat", "stack")
def joined(call: Call, a: dict, shapes: list) -> Field:
    """Tensors side by side; those that depend on nothing contribute units that see nothing."""
    shape, dim = shapes[0], a["dim"] % len(shapes[0])
    parts = [part for part in a["tensors"] if 0 not in part.shape]
    tracked = [part for part in parts if isinstance(part, Field)]
    if call.name == "stack":
        tracked = [_stacked(part, dim) for part in tracked]
    model, edges, steps, cut = tracked[0], [], [], cut_by(tracked)
    for axis in model.axes:
        step = model.step[axis]
        for part in tracked[1:]:
            step = common_step(step, part.step[axis])
        ends = step if step is not None and step[0] == dim and len(tracked) > 1 else None
        plain = step is not None or axis not in cut or all(
            part.step[axis] is None or part.step[axis][0] == dim for part in tracked)
        steps.append(step)
        known = iter(tracked)
        blocks = []
        for part in parts:
            size = 1 if call.name == "stack" else part.shape[dim]
            if isinstance(part, Field):
                field = next(known)
                edge = field.edges[axis] if plain else field.clipped(axis)
            else:
                edge = torch.full((2, *[1] * len(shape)), EMPTY)
            blocks.append(edge.expand(*edge.shape[:dim + 1], size, *edge.shape[dim + 2:]))
        if all(block.stride(dim + 1) == 0 and torch.equal(
                block.narrow(dim + 1, 0, 1), blocks[0].narrow(dim + 1, 0, 1)) for block in blocks):
            edges.append(blocks[0].narrow(dim + 1, 0, 1))
            steps[-1] = None if ends else step      # alike, and need not be put side by side
            continue
        sizes = [max(block.shape[d] for block in blocks) for d in range(len(shape) + 1)]
        edges.append(torch.cat([block.expand(*[-1 if d == dim + 1 else n for d, n in
                                               enumerate(sizes)]) for block in blocks], dim + 1))
        if ends and not (shape[dim] > ends[1] and periodic(edges[-1], *ends)):
            steps[-1] = None                        # two maps end to end, not parts of one
    return model.replace(shape, edges, steps, cut)


def _stacked(part: Field, dim: int) -> Field:
    """A field with one more dimension."""
    return part.replace((*part.shape[:dim], 1, *part.shape[dim:]),
                        [edge.unsqueeze(dim + 1) for edge in part.edges],
                        [s and (s[0] + (s[0] >= dim), *s[1:]) for s in part.step])


@rule("index_add")
def added_at(call: Call, a: dict, shapes: list) -> Result:
    """Every unit sees itself and the units added in its place."""
    x, source, dim = a["self"], a["source"], a["dim"] % len(shapes[0])
    if isinstance(a["index"], Field):
        refuse(call, f"which units it writes to {DEPENDS}")
    places = known(call, a["index"])
    parts = [part for part in (x,) if isinstance(part, Field)]
    if isinstance(source, Field):
        rows = [(places == place).nonzero().flatten() for place in range(shapes[0][dim])]
        widest = max(1, *map(len, rows))
        index = torch.stack([torch.nn.functional.pad(row, (0, widest - len(row)), value=-1)
                             for row in rows])
        parts.append(gather(source, dim, index.clamp(min=0), None, index >= 0))
    return hull(parts, shapes[0])


@rule("scatter", "scatter_add", "scatter_reduce", "index_put", "_index_put_impl", "index_copy",
      "index_fill", "slice_scatter", "select_scatter", "diagonal_scatter")
def written_at(call: Call, a: dict, shapes: list) -> Field:
    """Units put in the place of others, or added to them, where the places are known."""
    if isinstance(a.get("index"), Field):
        return _written_anywhere(call, a, shapes[0])
    x, source = a["self"], a.get("src", a.get("source", a.get("values", a.get("value"))))
    indices = a.get("indices") or []
    if any(isinstance(entry, Field) for entry in indices):
        refuse(call, f"which units it writes to {DEPENDS}")
    model = x if isinstance(x, Field) else source
    place = torch.arange(x.numel() if isinstance(x, torch.Tensor) else _count(x.shape))
    place = _places(call, a, place.view(shapes[0]))
    adds = call.name in ("scatter_add", "scatter_reduce") or a.get("accumulate") or a.get("reduce")
    edges, step = [], []
    for axis in model.axes:
        memory = x.full(axis) if isinstance(x, Field) else torch.full((2, *shapes[0]), EMPTY)
        new = source.full(axis) if isinstance(source, Field) else torch.tensor(EMPTY)
        if new.dim() and call.name.startswith("scatter"):
            new = new[(slice(None), *map(slice, place.shape))]
        if new.dim():                               # dimensions are added in front, as always
            new = new.reshape(2, *[1] * (place.dim() + 1 - new.dim()), *new.shape[1:])
        new = new.expand(2, *place.shape).flatten(1)
        memory = memory.flatten(1).clone()
        for side, values in zip(memory, new, strict=True):
            if adds:
                side.scatter_reduce_(0, place.flatten(), values, "amin")
            else:
                side.scatter_(0, place.flatten(), values)
        edges.append(compress(memory.view(2, *shapes[0])))
        step.append(found_step(model, edges[-1]))
    return _padded(model.replace(shapes[0], edges, step, cut_by([x, source])), [x, source])


def _count(shape: tuple) -> int:
    return torch.Size(shape).numel()


def _places(call: Call, a: dict, place: torch.Tensor) -> torch.Tensor:
    """The units that are written to, of all units ``place``, in the order of the new ones."""
    dim = a.get("dim", 0)
    if call.name in ("index_put", "_index_put_impl"):
        return place[tuple(slice(None) if i is None else known(call, i) for i in a["indices"])]
    if call.name in ("index_copy", "index_fill"):
        return place.index_select(dim, known(call, a["index"]))
    if call.name == "select_scatter":
        return place.select(dim, a["index"])
    if call.name == "slice_scatter":
        return torch.ops.aten.slice(place, dim, a["start"], a["end"], a["step"])
    if call.name == "diagonal_scatter":
        return place.diagonal(a["offset"], a["dim1"], a["dim2"])
    index = known(call, a["index"])
    return place[tuple(slice(n) if d != dim % place.dim() else slice(None)
                       for d, n in enumerate(index.shape))].gather(dim, index)


def _written_anywhere(call: Call, a: dict, shape: tuple) -> Field:
    """Which unit along a dimension is written to depends on the input: each may be."""
    dim, index = a["dim"] % len(shape), a["index"]
    if len(index.shape) != len(shape) or any(
            n != m for d, (n, m) in enumerate(zip(index.shape, shape, strict=True)) if d != dim):
        refuse(call, f"which units it writes to {DEPENDS}")
    parts = [reduce(index, [dim], True)]
    source = a.get("src", a.get("source"))
    if isinstance(source, Field) and source.shape == index.shape:
        parts.append(reduce(source, [dim], True))
    elif isinstance(source, Field):
        refuse(call, f"which units it writes to {DEPENDS}")
    return hull([*[a["self"]] * isinstance(a["self"], Field), *parts], shape, gates=False)


@rule("tril", "triu")
def triangle(call: Call, a: dict, shapes: list) -> Field:
    """Units beyond a diagonal are zero and see nothing."""
    x = a["self"]
    kept = call.function(torch.ones(x.shape[-2:]), a["diagonal"]).bool()
    edges = [compress(x.full(axis).masked_fill(~kept, EMPTY)) for axis in x.axes]
    return x.replace(edges=edges, step=[found_step(x, edge) for edge in edges])


@rule("max_unpool3d", "masked_scatter")
def named_refusal(call: Call, a: dict, shapes: list) -> Result:
    """Which units are read hangs on the numbers of the input: refused."""
    refuse(call, f"which units it reads {DEPENDS}")
