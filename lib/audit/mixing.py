"""Rules of operations in which units see whole dimensions: reductions, products, norms, attention.

Along such a dimension everything sees everything, so the field is the hull over it.
"""

from __future__ import annotations

from math import prod

import torch

from .fields import Field, gather, hull, reduce
from .rules import LayerInfo, refuse, rule


def _dims(value, count):
    if value is None or (isinstance(value, (list, tuple)) and not value):
        return list(range(count))
    return [d % count for d in (value if isinstance(value, (list, tuple)) else [value])]


def _spread(x, dims):
    """Every unit depends on all units along some dimensions."""
    return reduce(x, dims, keepdim=True).replace(x.shape)


@rule("mean", "sum", "amax", "amin", "max", "min", "std", "var", "var_mean", "std_mean", "prod",
      "norm", "linalg_vector_norm", "logsumexp", "any", "all", "argmax", "argmin", "median",
      "nansum", "aminmax")
def reduction(call, a, shapes):
    x = a.get("self", a.get("input"))
    if isinstance(a.get("other"), Field):           # torch.max of two tensors is elementwise
        return hull([x, a["other"]], shapes[0])
    dims = _dims(a.get("dim"), len(x.shape))
    spatial = {s[0] for s in x.step if s is not None}
    kept = [n for d, n in enumerate(x.shape) if d not in dims and n > 1]
    channels = kept[0] if kept else 1
    if len(kept) <= 1 and prod(x.shape) > channels:
        call.layer = LayerInfo("global pool", groups=0, channels_in=channels, channels=channels)
    elif spatial & set(dims):
        call.layer = LayerInfo("reduce", groups=0, channels_in=x.shape[1], channels=channels)
    out = reduce(x, dims, keepdim=len(shapes[0]) == len(x.shape) and bool(a.get("keepdim", True)))
    return [out for _ in shapes]


@rule("_softmax", "_log_softmax", "_safe_softmax", "topk", "sort", "cumsum", "cumprod")
def along_one_dimension(call, a, shapes):
    x = a["self"]
    if call.name.startswith("cum"):
        return _cumulative(x, a["dim"] % len(x.shape))
    field = _spread(x, [a["dim"] % len(x.shape)])
    return [field.replace(shape) for shape in shapes]


def _cumulative(x, dim):
    """Every unit depends on those before it along a dimension, and on itself."""
    edges, step = [], []
    for axis in x.axes:
        edge = x.clipped(axis) if x.virtual else x.edges[axis]
        if edge.shape[dim + 1] > 1:
            edge = edge.cummin(dim + 1).values
        edges.append(edge)
        step.append(x.step[axis] if x.step[axis] and x.step[axis][0] != dim else None)
    return x.replace(edges=edges, step=step)


def _norm_layer(call, x, dims, channels):
    """Name a normalization that looks beyond its own position."""
    if {s[0] for s in x.step if s is not None} & set(dims):
        call.layer = LayerInfo("norm", groups=0, channels_in=channels, channels=channels)


@rule("native_layer_norm", "_fused_rms_norm", "rms_norm")
def layer_norm(call, a, shapes):
    x = a["input"]
    count = len(x.shape)
    dims = list(range(count - len(a["normalized_shape"]), count))
    _norm_layer(call, x, dims, x.shape[-1])
    return _spread(x, dims)


@rule("native_group_norm")
def group_norm(call, a, shapes):
    x, groups = a["input"], a["group"]
    dims = list(range(2, len(x.shape)))
    _norm_layer(call, x, dims, x.shape[1])
    x, edges = reduce(x, dims, keepdim=True).replace(x.shape), []
    for edge in x.edges:
        if edge.shape[2] > 1:
            size = edge.shape[2] // groups
            edge = edge.unflatten(2, (groups, size)).amin(3).repeat_interleave(size, dim=2)
        edges.append(edge)
    return x.replace(edges=edges)


@rule("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_functional",
      "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "miopen_batch_norm",
      "_batch_norm_with_update", "_batch_norm_no_update", "batch_norm_with_update")
def batch_norm(call, a, shapes):
    x = a["input"]
    if not a.get("training", "with_update" in call.name):
        return x
    dims = [d for d in range(len(x.shape)) if d != 1]
    _norm_layer(call, x, dims, x.shape[1])          # statistics of the map itself
    return _spread(x, dims)


@rule("mm", "bmm", "mv", "dot", "addmm", "baddbmm", "addmv", "matmul", "linear")
def product(call, a, shapes):
    added, (left, right) = _factors(call.name, a)
    vector = call.name in ("mv", "dot", "addmv")
    parts, shape = [], shapes[0]
    spread = False
    for factor, dim in ((left, -1), (right, -1 if vector or call.name == "linear" else -2)):
        if isinstance(factor, Field):
            dim = dim % len(factor.shape)
            spread |= any(s[0] == dim if s else edge.shape[dim + 1] > 1
                          for s, edge in zip(factor.step, factor.edges, strict=True))
            kept = reduce(factor, [dim], keepdim=not vector or factor is left)
            if call.name == "dot" or (vector and factor is left):
                kept = reduce(kept, [len(kept.shape) - 1], keepdim=False)
            parts.append(kept)
    both = len(parts) == 2
    weight = right if isinstance(left, Field) else left
    size = 0 if both else weight.shape[-2 if weight.dim() > 1 else -1]
    call.layer = LayerInfo("attention" if both else "dense", channels_in=size,
                           channels=shape[-1] if shape and isinstance(left, Field) else
                           shape[-2] if len(shape) > 1 else 1, mixes=spread)
    if isinstance(added, Field):
        parts.append(added)
    return hull(parts, shape)


def _factors(name, a):
    """The two factors of a product and the term added to it."""
    if name in ("addmm", "baddbmm", "addmv"):
        pair = {"addmm": ("mat1", "mat2"), "baddbmm": ("batch1", "batch2"),
                "addmv": ("mat", "vec")}[name]
        return a["self"], (a[pair[0]], a[pair[1]])
    if name == "linear":
        return a["bias"], (a["input"], a["weight"])
    second = {"mv": "vec", "dot": "tensor", "matmul": "other"}.get(name, "mat2")
    return None, (a["self"], a[second])


@rule("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention",
      "_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention",
      "_scaled_dot_product_fused_attention_overrideable", "_scaled_dot_product_attention_math",
      "_scaled_dot_product_attention_math_for_mps", "scaled_dot_product_attention")
def attention(call, a, shapes):
    """Every query sees every key and value, or those before it; masks are not looked into."""
    shape, parts = shapes[0], []
    for name in ("query", "key", "value"):
        if isinstance(a[name], Field):
            seen = reduce(a[name], [-1], keepdim=True)
            if name != "query":
                whole = not a.get("is_causal")
                seen = reduce(seen, [-2], True) if whole else _cumulative(seen, len(shape) - 2)
            parts.append(seen)
    call.layer = LayerInfo("attention", channels_in=shape[-1], channels=shape[-1])
    return hull(parts, shape)


@rule("glu")
def gated(call, a, shapes):
    """Every unit depends on the one at its place in either half."""
    x, dim = a["self"], a["dim"] % len(a["self"].shape)
    half = shapes[0][dim]
    index = torch.arange(half)
    return gather(x, dim, torch.stack([index, index + half], 1), None)


@rule("zero", "fill")
def erased(call, a, shapes):
    """Only the shape is used."""
    return [None for _ in shapes]


@rule("hardswish", "_to_copy", "lift_fresh", "native_dropout", "where", "masked_fill", "prelu",
      "_prelu_kernel", "clamp", "hardtanh", "leaky_relu", "log_sigmoid_forward", "softplus",
      "threshold", "glu_jvp", "addcmul", "addcdiv", "rrelu_with_noise", "huber_loss")
def elementwise(call, a, shapes):
    parts = [entry for entry in a.values() if isinstance(entry, Field)]
    return hull(parts, shapes[0])


@rule("copy")
def overwritten(call, a, shapes):
    source = a["src"]
    return hull([source], shapes[0]) if isinstance(source, Field) else [None]


@rule("embedding", "index_put", "grid_sampler_2d", "grid_sampler_3d", "nonzero", "masked_select")
def places_from_numbers(call, a, shapes):
    refuse(call, "which pixels it reads depends on numbers computed from the input")
