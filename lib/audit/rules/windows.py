"""Rules of operations that look through a window: convolution, pooling, resizing, padding."""

from __future__ import annotations

from fractions import Fraction
from math import floor, gcd

import torch

from ..fields import EMPTY, Field, along, gather, hull, reduce
from ..trace import Call, Value
from .movement import found_step
from .registry import DEPENDS, LayerInfo, Result, known, refuse, rule


def tuple_of(value: object, count: int) -> tuple[int, ...]:
    """PyTorch's habit of giving one number for all axes."""
    value = list(value) if isinstance(value, (list, tuple)) else [value]
    return tuple(value) if len(value) == count else tuple(value * count)


def _window(outputs: int, window: int, stride: int, padding: int, dilation: int) -> torch.Tensor:
    """Input positions of every output of a convolution: (outputs, window)."""
    return (torch.arange(outputs)[:, None] * stride - padding
            + torch.arange(window)[None, :] * dilation)


def _slide(x: Field, shape: tuple, window: tuple, stride: tuple, padding: tuple,
           dilation: tuple) -> Field:
    """Slide a window over the last dimensions, from x to a given output shape."""
    first = len(x.shape) - len(window)
    for place, (r, s, p, d) in enumerate(zip(window, stride, padding, dilation, strict=True)):
        dim = first + place
        if (r, s, p) != (1, 1, 0) or shape[dim] != x.shape[dim]:
            x = gather(x, dim, _window(shape[dim], r, s, p, d), (1, s))
    return x


def mix_channels(x: Field, groups: int, channels: int) -> Field:
    """Every output channel depends on all input channels of its group."""
    size = x.shape[1]
    shape = (x.shape[0], channels, *x.shape[2:])
    if groups == 1:
        mixed = reduce(x, [1], keepdim=True)
        return mixed.replace(shape)
    edges = []
    for edge in x.edges:
        if edge.shape[2] > 1:
            edge = edge.unflatten(2, (groups, size // groups)).amin(3)
            edge = edge.repeat_interleave(channels // groups, dim=2)
        edges.append(edge)
    return x.replace(shape, edges)


@rule("convolution", "_convolution")
def convolution(call: Call, a: dict, shapes: list) -> Result:
    """Windows over all channels of a group; transposed, every unit is written to a window."""
    x, weight = a["input"], a["weight"]
    if not isinstance(weight, torch.Tensor):
        refuse(call, "the kernel itself depends on the input")
    window, shape = tuple(weight.shape[2:]), shapes[0]
    axes = len(window)
    stride, padding, dilation = (tuple_of(a[k], axes) for k in ("stride", "padding", "dilation"))
    transposed = a["transposed"]
    added = [along(a["bias"], 1, len(shape))] if isinstance(a["bias"], Field) else []
    if not isinstance(x, Field):                    # only the bias is computed from the input
        return hull(added, shape)
    call.layer = LayerInfo("transposed conv" if transposed else "conv", window, stride, padding,
                           dilation, a["groups"], x.shape[1], shape[1])
    x = mix_channels(x, a["groups"], shape[1])
    if not transposed:
        return hull([_slide(x, shape, window, stride, padding, dilation), *added], shape)
    for axis in range(axes):
        dim, s = 2 + axis, stride[axis]
        reach = (torch.arange(shape[dim])[:, None] + padding[axis]
                 - torch.arange(window[axis])[None, :] * dilation[axis])
        x = gather(x, dim, reach.div(s, rounding_mode="floor"), (s, 1), reach % s == 0)
    return hull([x, *added], shape)


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool3d",
      "max_pool2d_with_indices", "max_pool3d_with_indices")
def pool(call: Call, a: dict, shapes: list) -> Result:
    """Windows over every channel by itself."""
    x, shape = a["self"], shapes[0]
    axes = int(call.name[call.name.index("pool") + 4])
    window = tuple_of(a["kernel_size"], axes)
    stride = tuple_of(a["stride"], axes) if a["stride"] else window
    padding, dilation = tuple_of(a["padding"], axes), tuple_of(a.get("dilation", 1), axes)
    channels = shape[-axes - 1]
    call.layer = LayerInfo("pool", window, stride, padding, dilation, 0, channels, channels,
                           dims=(len(shape) - axes - 1,) * 2)
    return _slide(x, shape, window, stride, padding, dilation)


@rule("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool1d", "adaptive_max_pool1d",
      "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_pool(call: Call, a: dict, shapes: list) -> Result:
    """Windows that share the map out evenly; a single one is a global pooling."""
    x, shape = a["self"], shapes[0]
    axes = int(call.name[call.name.index("pool") + 4])
    window, stride = [], []
    for dim in range(len(shape) - axes, len(shape)):
        n, m = x.shape[dim], shape[dim]
        places = [range(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
        index = _rows([[*place] for place in places])
        common = gcd(n, m)
        x = reduce(x, [dim], True) if m == 1 else gather(x, dim, index, (m // common, n // common))
        window.append(index.shape[1])
        stride.append(n // m if n % m == 0 else 0)
    whole = all(n == 1 for n in shape[-axes:])
    call.layer = LayerInfo("global pool" if whole else "pool", tuple(window), tuple(stride),
                           (0,) * axes, (1,) * axes, 0, shape[-axes - 1], shape[-axes - 1],
                           dims=(len(shape) - axes - 1,) * 2)
    return x


@rule("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "_upsample_lanczos2d_aa")
def antialias(call: Call, a: dict, shapes: list) -> Result:
    """Interpolation whose filter is as wide as the step that it takes."""
    x, shape = a["self"], shapes[0]
    reach = 1 if "bilinear" in call.name else 2 if "bicubic" in call.name else 3
    taps = []
    for dim, name in ((2, "scales_h"), (3, "scales_w")):
        ratio = _ratio(x.shape[dim], shape[dim], a[name], a["align_corners"])
        wide, rows = max(ratio, Fraction(1)), []
        for i in range(shape[dim]):
            middle = ratio * (2 * i + 1) / 2
            low, high = floor(middle - reach * wide + Fraction(1, 2)), floor(
                middle + reach * wide + Fraction(1, 2))
            far = [(Fraction(2 * p + 1, 2) - middle) / wide for p in range(low, high)]
            rows.append([p for p, t in zip(range(low, high), far, strict=True)
                         if abs(t) < reach and (t == 0 or t.denominator > 1)])
        taps.append(max(map(len, rows)))
        if not x.virtual:
            rows = [[p for p in row if 0 <= p < x.shape[dim]] for row in rows]
        x = gather(x, dim, _rows(rows), (ratio.denominator, ratio.numerator)
                   if ratio.denominator <= shape[dim] else None)
    call.layer = LayerInfo("resize", tuple(taps), (), (), (1, 1), 0, shape[1], shape[1])
    return x


def _rows(rows: list[list[int]]) -> torch.Tensor:
    """Lists of positions as one matrix; the last one of a short list is repeated."""
    widest = max(map(len, rows))
    return torch.tensor([row + row[-1:] * (widest - len(row)) for row in rows])


@rule("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
      "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "upsample_linear1d",
      "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d")
def upsample(call: Call, a: dict, shapes: list) -> Result:
    """Units between those of a smaller map: each sees the ones it is interpolated from."""
    x, shape = a["self"], shapes[0]
    axes = len(shape) - 2
    names = {1: ["scales"], 2: ["scales_h", "scales_w"], 3: ["scales_d", "scales_h", "scales_w"]}
    taps = []
    for axis, name in enumerate(names[axes]):
        dim = 2 + axis
        ratio = _ratio(x.shape[dim], shape[dim], a[name], a.get("align_corners", False))
        if call.name == "upsample_nearest2d" and shape[dim] in (x.shape[dim], 2 * x.shape[dim]):
            ratio = Fraction(x.shape[dim], shape[dim])      # PyTorch has kernels of its own for it
        index = _taps(call.name, x, dim, shape[dim], ratio, a)
        regular = ratio.denominator <= shape[dim]
        x = gather(x, dim, index, (ratio.denominator, ratio.numerator) if regular else None)
        taps.append(index.shape[1])
    call.layer = LayerInfo("resize", tuple(taps), (), (), (1,) * axes, 0, shape[1], shape[1])
    return x


def _ratio(size: int, outputs: int, scale: float | None, align: bool) -> Fraction:
    """Input units per output unit, exactly."""
    if align:
        return Fraction(size - 1, max(1, outputs - 1))
    if scale is None:
        return Fraction(size, outputs)
    exact = Fraction(1 / scale)                     # 0.4 is no binary number, 2 / 5 was meant
    near = exact.limit_denominator(2 ** 10)
    return near if abs(near - exact) < 1e-12 else exact


def _taps(name: str, x: Field, dim: int, outputs: int, ratio: Fraction, a: dict) -> torch.Tensor:
    """Positions that interpolation reads with a nonzero weight, clamped like the border is."""
    size, virtual = x.shape[dim], x.virtual
    if "nearest" in name:                           # in single precision, as PyTorch rounds
        half = ("exact" in name) / 2
        step = torch.tensor(float(ratio)).float().double()
        places = ((torch.arange(outputs).double() + half) * step - half).float() + half
        return places.floor().long().clamp(max=size - 1)[:, None]
    rows = []
    for i in range(outputs):
        source = ratio * i if a["align_corners"] else ratio * (2 * i + 1) / 2 - Fraction(1, 2)
        if "cubic" not in name and not virtual:
            source = max(source, Fraction(0))
        low = floor(source)
        if source == low:
            places = [low]
        else:
            places = [low - 1, low, low + 1, low + 2] if "cubic" in name else [low, low + 1]
        rows.append(places if virtual else [min(max(p, 0), size - 1) for p in places])
    return _rows(rows)


@rule("pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
      "replication_pad1d", "replication_pad2d", "replication_pad3d")
def pad(call: Call, a: dict, shapes: list) -> Result:
    """Padding continues the map, whatever it is filled with; at the border it may hold pixels."""
    x, shape = a["self"], shapes[0]
    amounts = a.get("pad", a.get("padding"))
    mode = a.get("mode") or call.name.partition("_")[0]
    for place in range(len(amounts) // 2):
        dim, before = len(shape) - 1 - place, amounts[2 * place]
        index = torch.arange(shape[dim]) - before
        continued = x.virtual and any(s is not None and s[0] == dim for s in x.step)
        if mode != "constant" and not continued:
            last = x.shape[dim] - 1
            if mode == "circular":
                index = index % (last + 1)
            elif "reflect" in mode:
                index = last - (last - index.abs()).abs()
            index = index.clamp(0, last)
        if before or shape[dim] != x.shape[dim]:
            x = gather(x, dim, index[:, None], (1, 1))
    return x


def _picked(x: Field, edges: list, index: torch.Tensor, valid: torch.Tensor,
            shape: tuple) -> Field:
    """Units that each see some of the units in the last dimension of ``edges``."""
    out, step = [], []
    for edge in edges:
        picked = edge[..., index.flatten()].unflatten(-1, index.shape)
        picked = picked.masked_fill(~valid, EMPTY).amin(-1)
        out.append(picked.reshape(2, *shape))
        step.append(found_step(x, out[-1]))
    return x.replace(shape, out, step)


@rule("col2im")
def fold(call: Call, a: dict, shapes: list) -> Result:
    """Every unit sees the columns that are added up in its place."""
    x, shape = a["self"], shapes[0]
    size, window, stride, padding, dilation = (tuple_of(a[k], 2) for k in (
        "output_size", "kernel_size", "stride", "padding", "dilation"))
    blocks = [(n + 2 * p - d * (r - 1) - 1) // s + 1 for n, r, s, p, d in
              zip(size, window, stride, padding, dilation, strict=True)]
    at, ok = [], []
    for n, r, s, p, d, count in zip(size, window, stride, padding, dilation, blocks, strict=True):
        first = torch.arange(n)[:, None] + p - torch.arange(r) * d
        at.append(first.div(s, rounding_mode="floor"))
        ok.append((first % s == 0) & (first >= 0) & (at[-1] < count))
    place = torch.arange(window[0])[:, None] * window[1] + torch.arange(window[1])
    block = at[0][:, None, :, None] * blocks[1] + at[1][None, :, None, :]
    valid = (ok[0][:, None, :, None] & ok[1][None, :, None, :]).flatten(2).flatten(0, 1)
    index = (place * (blocks[0] * blocks[1]) + block).flatten(2).flatten(0, 1)
    index = index.masked_fill(~valid, 0)
    channels = x.shape[-2] // (window[0] * window[1])
    edges = [x.full(axis).reshape(2, *x.shape[:-2], channels, -1) for axis in x.axes]
    return _picked(x, edges, index, valid, shape)


@rule("max_unpool2d")
def unpooled(call: Call, a: dict, shapes: list) -> Result:
    """A unit takes the maximum of a window that may have found it at this place, or is zero."""
    pooled = call.arguments["indices"]
    made = pooled.call if isinstance(pooled, Value) else None
    if made is None or made.name != "max_pool2d_with_indices" or (
            made.inputs[0].shape[-2:] != shapes[0][-2:]):
        refuse(call, "it undoes no pooling that stands before it unchanged, so its places are not "
                     "known; audit the part before it (upto= names its last module)")
    stride = made.arguments["stride"] or made.arguments["kernel_size"]
    numbers = [tuple_of(made.arguments["kernel_size"], 2), tuple_of(stride, 2),
               tuple_of(made.arguments["padding"], 2), tuple_of(made.arguments["dilation"], 2)]
    x = a["self"] if isinstance(a["self"], Field) else a["indices"]
    x = hull([x, a["indices"]], x.shape)
    for axis, (window, stride, padding, dilation) in enumerate(zip(*numbers, strict=True)):
        dim = len(x.shape) - 2 + axis
        reach = (torch.arange(shapes[0][dim])[:, None] + padding
                 - torch.arange(window)[None, :] * dilation)
        x = gather(x, dim, reach.div(stride, rounding_mode="floor"), (stride, 1),
                   reach % stride == 0)
    return x


@rule("grid_sampler_2d", "grid_sampler_3d")
def sampled(call: Call, a: dict, shapes: list) -> Result:
    """Interpolation at given places; they are numbers, so they must not depend on the input."""
    x, grid = a["input"], known(call, a["grid"])
    if isinstance(grid, Field) or not isinstance(x, Field):
        refuse(call, f"which pixels it reads {DEPENDS}")
    if not torch.equal(grid[:1].expand_as(grid), grid):
        refuse(call, "the grids of a batch differ, and one for all is followed; give one image at "
                     "a time, or audit the part before it (upto= names its last module)")
    taps = {0: (0, 1), 1: (0,), 2: (-1, 0, 1, 2)}[a["interpolation_mode"]]
    sizes, at, ok = x.shape[2:], [], []
    for place, n in zip(reversed(range(len(sizes))), sizes, strict=True):
        value = grid[0, ..., place].flatten().double()
        value = (value + 1) / 2 * (n - 1) if a["align_corners"] else ((value + 1) * n - 1) / 2
        near = (value - value.round()).abs() < 1e-5  # a cell, as far as single precision can tell
        low = torch.where(near, value.round(), value.round() if len(taps) == 1 else value.floor())
        index = low.long()[:, None] + torch.tensor(taps)
        weighs = ~near[:, None]
        used = weighs | (index == low.long()[:, None])
        if a["padding_mode"] == 2:
            index = _reflected(index, n, a["align_corners"])
        at.append(index.clamp(0, n - 1))
        ok.append(used & (((index >= 0) & (index < n)) | (a["padding_mode"] == 1)))
    index, valid = at[0], ok[0]
    for n, more, good in zip(sizes[1:], at[1:], ok[1:], strict=True):
        index = (index[:, :, None] * n + more[:, None, :]).flatten(1)
        valid = (valid[:, :, None] & good[:, None, :]).flatten(1)
    call.layer = LayerInfo("resize", (len(taps),) * len(sizes), (), (), (1,) * len(sizes), 0,
                           x.shape[1], x.shape[1])
    edges = [x.full(axis).flatten(3) for axis in x.axes]
    return _picked(x, edges, index, valid, shapes[0])


def _reflected(index: torch.Tensor, size: int, corners: bool) -> torch.Tensor:
    """Places beyond the border, mirrored at the outermost cells or at their outer edges."""
    last = max(1, 2 * (size - 1)) if corners else 2 * size
    index = index % last
    return torch.minimum(index, last - index if corners else last - 1 - index)
