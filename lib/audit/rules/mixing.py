"""Rules of operations in which units see whole dimensions: reductions, products, norms, attention.

Along such a dimension everything sees everything, so the field is the hull over it.
"""

from __future__ import annotations

from math import prod

import torch

from ..fields import Field, along, gather, hull, moves, moving_dims, reduce
from ..trace import Call
from .registry import DEPENDS, LayerInfo, Result, flat, refuse, rule, without_keys

POOLING = ("mean", "sum", "amax", "amin", "max", "min", "logsumexp", "nansum")
PRODUCTS = ("mm", "bmm", "addmm", "baddbmm", "matmul", "einsum", "cdist")
SOFTMAXES = ("_softmax", "_safe_softmax", "_log_softmax")
"""What scores of attention are computed with, and what makes weights of them."""


def _dims(value: object, count: int) -> list[int]:
    """Dimensions that an argument names, all of them by default."""
    if value is None or (isinstance(value, (list, tuple)) and not value):
        return list(range(count))
    return [d % count for d in (value if isinstance(value, (list, tuple)) else [value])]


def _spread(x: Field, dims: list[int]) -> Field:
    """Every unit depends on all units along some dimensions."""
    return reduce(x, dims, keepdim=True).replace(x.shape)


@rule("mean", "sum", "amax", "amin", "max", "min", "std", "var", "var_mean", "std_mean", "prod",
      "norm", "linalg_vector_norm", "logsumexp", "any", "all", "argmax", "argmin", "median",
      "nansum", "aminmax", "kthvalue", "mode", "nanmedian")
def reduction(call: Call, a: dict, shapes: list) -> Result:
    """One unit for all units along some dimensions: a pooling over all places, or a reduction."""
    x = a["self"]
    if not x.shape:                                 # one number, of which nothing is left to reduce
        return [x for _ in shapes]
    dims = _dims(a.get("dim"), len(x.shape))
    spatial = {s[0] for s in x.step if s is not None}
    kept = [d for d, n in enumerate(x.shape) if d not in dims and n > 1] or [1 % len(x.shape)]
    channels = x.shape[kept[0]] if kept[0] not in dims else 1
    keepdim = len(shapes[0]) == len(x.shape) and bool(a.get("keepdim", True))
    columns = kept[0] not in dims and _carries(x, kept)     # what is left are places, no channels
    if len(kept) == 1 and prod(x.shape) > channels and call.name in POOLING and not columns:
        place = kept[0] - (0 if keepdim else sum(d < kept[0] for d in dims))
        call.layer = LayerInfo("global pool", groups=0, channels_in=channels, channels=channels,
                               dims=(kept[0], min(place, max(0, len(shapes[0]) - 1))))
    elif any(x.shape[d] > 1 for d in spatial & set(dims)) or prod(x.shape) > prod(shapes[0]):
        beside = [d for d in kept if d not in dims and not _carries(x, [d])]
        channels = x.shape[beside[0]] if beside else 1
        call.layer = LayerInfo("reduce", groups=0, channels=channels,
                               channels_in=x.shape[1 % len(x.shape)])
    return [reduce(x, dims, keepdim) for _ in shapes]


@rule(*SOFTMAXES, "topk", "sort", "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp")
def along_one_dimension(call: Call, a: dict, shapes: list) -> Result:
    """A unit sees the others along one dimension: all of them, or those before it."""
    x = a["self"]
    if not x.shape:                                 # one number stands alone
        return [x for _ in shapes]
    if "cum" in call.name:
        return [_cumulative(x, a["dim"] % len(x.shape))] * len(shapes)
    field = _spread(x, [a["dim"] % len(x.shape)])
    return [field.replace(shape) for shape in shapes]


def _cumulative(x: Field, dim: int, backward: bool = False) -> Field:
    """Every unit depends on those before it along a dimension, or after it, and on itself."""
    edges, step, cut = [], [], x.cut
    for axis in x.axes:
        beside = (x.edges[axis].shape[dim + 1] == 1 if x.step[axis] is None
                  else x.step[axis][0] != dim)
        edge = x.edges[axis] if beside else x.clipped(axis)
        if edge.shape[dim + 1] > 1:
            turned = edge.flip(dim + 1) if backward else edge
            edge = turned.cummin(dim + 1).values
            edge = edge.flip(dim + 1) if backward else edge
        edges.append(edge)
        step.append(x.step[axis] if beside else None)
        cut = cut if beside else cut | {axis}
    return x.replace(edges=edges, step=step, cut=cut)


def _norm_layer(call: Call, x: Field, dims: list[int], channels: int, places: bool = True) -> bool:
    """Name a normalization that looks beyond its own position; whether that is to be ignored.

    ``places`` says whether dimensions hold places for sure: a single one may hold channels.
    """
    wide = any(step[0] in dims if step else _is_gone(edge, dims, places)
               for step, edge in zip(x.step, x.edges, strict=True))
    if wide:
        call.layer = LayerInfo("norm", groups=0, channels_in=channels, channels=channels)
    return wide and "norms" in x.ignore


def _is_gone(edge: torch.Tensor, dims: list[int], places: bool) -> bool:
    """Whether all places of a map without a grid lie along some dimensions: not so in windows.

    Along places boxes may grow from a border instead of moving. Those of channels may differ, too,
    as behind a recurrent layer of two directions.
    """
    varying = {d for d in range(edge.dim() - 1) if edge.shape[d + 1] > 1}
    if not varying & {*dims} or not places and (varying - {*dims} or not any(
            moves(edge, d) for d in dims)):
        return False
    merged = edge.amin([d + 1 for d in dims], keepdim=True)
    return not any(moves(merged, d) for d in varying)


@rule("native_layer_norm", "_fused_rms_norm", "rms_norm")
def layer_norm(call: Call, a: dict, shapes: list) -> Result:
    """Statistics over the last dimensions; a scale and a shift may be computed, too."""
    x, count = a["input"], len(shapes[0])
    dims = list(range(count - len(a["normalized_shape"]), count))
    if isinstance(x, Field) and not _norm_layer(call, x, dims, x.shape[-1], len(dims) > 1):
        x = _spread(x, dims)
    return _scaled(x, [a["weight"], a.get("bias")], shapes[0])


def _scaled(x: object, factors: list, shape: tuple, dim: int | None = None) -> Field | None:
    """A normalized map whose scale and shift may be computed from the input, too.

    They are vectors along a dimension, or lie along the last ones.
    """
    beside = [part if dim is None else along(part, dim, len(shape)) for part in factors
              if isinstance(part, Field)]
    parts = [x, *beside] if isinstance(x, Field) else beside
    return hull(parts, shape) if parts else None    # stored statistics that this run replaces


@rule("native_group_norm")
def group_norm(call: Call, a: dict, shapes: list) -> Result:
    """Statistics over all places and the channels of a group."""
    x, groups = a["input"], a["group"]
    dims, factors = list(range(2, len(shapes[0]))), [a["weight"], a["bias"]]
    if not isinstance(x, Field) or _norm_layer(call, x, dims, x.shape[1]):
        return _scaled(x, factors, shapes[0], 1)
    x, edges = reduce(x, dims, keepdim=True).replace(x.shape), []
    for edge in x.edges:
        if edge.shape[2] > 1:
            size = edge.shape[2] // groups
            edge = edge.unflatten(2, (groups, size)).amin(3).repeat_interleave(size, dim=2)
        edges.append(edge)
    return _scaled(x.replace(edges=edges), factors, shapes[0], 1)


@rule("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_functional",
      "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "miopen_batch_norm",
      "_batch_norm_with_update", "_batch_norm_no_update", "batch_norm_with_update")
def batch_norm(call: Call, a: dict, shapes: list) -> Result:
    """Stored statistics, or those of the batch and of all places in training."""
    x, factors = a["input"], [a["weight"], a["bias"]]
    stored = [a.get("running_mean"), a.get("running_var")]
    if not a.get("training", "with_update" in call.name):
        factors += stored
    elif isinstance(x, Field):
        dims = [d for d in range(len(x.shape)) if d != 1]
        x = x if _norm_layer(call, x, dims, x.shape[1]) else _spread(x, dims)
    return _scaled(x, factors, shapes[0], 1)


@rule("mm", "bmm", "mv", "dot", "addmm", "baddbmm", "addmv", "matmul", "linear")
def product(call: Call, a: dict, shapes: list) -> Result:
    """Entry (i, j) sees row i of one factor and column j of the other."""
    added, (left, right) = factors_of(call.name, a)
    if not isinstance(left, Field) and not isinstance(right, Field):
        return hull([added], shapes[0])             # only the term is computed from the input
    vector = call.name in ("mv", "dot", "addmv")
    parts, shape, spread = [], shapes[0], []
    for first, factor, dim in ((True, left, -1),    # they may be one and the same tensor
                               (False, right, -1 if vector or call.name == "linear" else -2)):
        if isinstance(factor, Field):
            dim = dim % len(factor.shape)
            spread.append(_carries(factor, [dim]))
            kept = reduce(factor, [dim], keepdim=not vector or first)
            if call.name == "linear" and not first:
                kept = _as_columns(kept)            # weights that are computed: a row is a channel
                kept = reduce(kept, [-2], keepdim=False) if len(shape) == 1 else kept
            if call.name == "dot" or (vector and first):
                kept = reduce(kept, [len(kept.shape) - 1], keepdim=False)
            parts.append(kept)
    both = len(parts) == 2
    weight = right if isinstance(left, Field) else left
    dim = -1 if isinstance(left, Field) or len(shape) < 2 else -2 + vector
    inner = -2 if weight is right and call.name != "linear" and len(weight.shape) > 1 else -1
    alone = call.name == "dot" or (vector and isinstance(left, Field))      # no axis for channels
    call.layer = LayerInfo("attention" if both else "dense", mixes=any(spread), single=not alone,
                           channels_in=0 if both else weight.shape[inner],
                           channels=1 if alone else shape[dim], dims=(dim, dim))
    parts = _own(call, parts, spread, None if call.keys is None else len(shape) - 1 - call.keys)
    if isinstance(added, Field):
        parts = without_keys(call, [*parts, added])
    return hull(parts, shape, gates=not both)


def _as_columns(x: Field) -> Field:
    """One column of rows as one row of columns."""
    rank = len(x.shape)
    return x.replace((*x.shape[:-2], 1, x.shape[-2]), [e.transpose(-1, -2) for e in x.edges],
                     [s and (s[0] + (s[0] == rank - 2), *s[1:]) for s in x.step])


def factors_of(name: str, a: dict) -> tuple:
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
def attention(call: Call, a: dict, shapes: list) -> Result:
    """Every query sees every key and value, or those before it.

    Masks are not looked into, but one that is computed from the input is seen, row by row.
    """
    shape, parts = shapes[0], []
    for name in ("query", "key", "value"):
        if isinstance(a[name], Field):
            seen = reduce(a[name], [-1], keepdim=True)
            if name != "query":
                whole = not a.get("is_causal")
                seen = reduce(seen, [-2], True) if whole else _until(seen, shape[-2])
            parts.append(seen)
    mask = a.get("attn_mask", a.get("attn_bias"))
    if isinstance(mask, Field):
        parts.append(reduce(mask, [-1], True))
    call.layer = LayerInfo("attention", channels_in=shape[-1], channels=shape[-1])
    return hull(parts[:1] if "attention" in parts[0].ignore else parts, shape, gates=False)


def _until(keys: Field, queries: int) -> Field:
    """What each of so many queries sees of the keys up to its own, of which there may be less."""
    dim, count = len(keys.shape) - 2, keys.shape[-2]
    seen = _cumulative(keys, dim)
    return seen if queries == count else gather(
        seen, dim, torch.arange(queries).clamp(max=count - 1)[:, None], None)


@rule("glu")
def gated(call: Call, a: dict, shapes: list) -> Result:
    """Every unit depends on the one at its place in either half."""
    x, dim = a["self"], a["dim"] % len(a["self"].shape)
    half = shapes[0][dim]
    index = torch.arange(half)
    return gather(x, dim, torch.stack([index, index + half], 1), None)


@rule("zero", "fill")
def erased(call: Call, a: dict, shapes: list) -> Result:
    """Only the shape is used, and what it is filled with."""
    value = a.get("value")
    return [hull([value], shape) if isinstance(value, Field) else None for shape in shapes]


@rule("mse_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss", "binary_cross_entropy",
      "binary_cross_entropy_with_logits")
def loss(call: Call, a: dict, shapes: list) -> Result:
    """Units are compared in their places, which may be summed up at once."""
    tensors = [entry for entry in a.values() if isinstance(entry, (Field, torch.Tensor))]
    shape = torch.broadcast_shapes(*(tuple(x.shape) for x in tensors))
    x = hull([x for x in tensors if isinstance(x, Field)], shape)
    if not a["reduction"]:
        return x
    call.layer = LayerInfo("reduce", groups=0, channels=1, channels_in=[*shape, 1, 1][1])
    return reduce(x, [*range(len(shape))], keepdim=False)


@rule("nll_loss_forward", "nll_loss2d_forward")
def class_loss(call: Call, a: dict, shapes: list) -> Result:
    """Every place depends on all its classes, on its label, and on the weights of the classes."""
    x, target, weight = a["self"], a["target"], a["weight"]
    dim = 0 if len(x.shape) == 1 else 1
    beside = [target] if isinstance(target, Field) else []
    if isinstance(weight, Field):
        beside.append(reduce(weight, [0], keepdim=False))
    parts = [reduce(x, [dim], keepdim=False)] if isinstance(x, Field) else []
    shape = tuple(n for d, n in enumerate(x.shape) if d != dim)
    found = [hull(some, shape) if some else None for some in (parts + beside, beside)]
    total = found[1] and reduce(found[1], [*range(len(shape))], keepdim=False)
    if not a["reduction"]:
        return [found[0], total]
    call.layer = LayerInfo("reduce", groups=0, channels=1, channels_in=x.shape[dim])
    return [reduce(found[0], [*range(len(shape))], keepdim=False), total]


@rule("bucketize")
def bucket(call: Call, a: dict, shapes: list) -> Result:
    """Every unit is compared with all boundaries, which may be computed, too."""
    x, limits = a["self"], a["boundaries"]
    parts = [x] if isinstance(x, Field) else []
    if isinstance(limits, Field):
        parts.append(reduce(limits, [0], keepdim=False))
    return hull(parts, shapes[0])


@rule("copy")
def overwritten(call: Call, a: dict, shapes: list) -> Result:
    """What is overwritten is forgotten; what overwrites it stays."""
    source = a["src"]
    return hull([source], shapes[0]) if isinstance(source, Field) else [None]


@rule("embedding")
def embedding(call: Call, a: dict, shapes: list) -> Result:
    """The row of a table that a number of the input names."""
    x = a["indices"]
    if not isinstance(x, Field) or isinstance(a["weight"], Field):
        refuse(call, "the table itself depends on the input")
    call.layer = LayerInfo("embedding", channels_in=1, channels=shapes[0][-1])
    return x.replace((*x.shape, 1), [edge.unsqueeze(-1) for edge in x.edges]).replace(shapes[0])


@rule("view_as_real", "view_as_complex")
def parts_of_numbers(call: Call, a: dict, shapes: list) -> Result:
    """A complex number and its two parts see the same."""
    x = a["self"]
    if call.name == "view_as_complex":
        return reduce(x, [-1], keepdim=False)
    return x.replace((*x.shape, 1), [edge.unsqueeze(-1) for edge in x.edges]).replace(shapes[0])


@rule("lstm", "gru", "rnn_tanh", "rnn_relu")
def recurrent(call: Call, a: dict, shapes: list) -> Result:
    """Every unit sees its past, or with both directions everything; the last state sees all."""
    x = a["input"]
    if not isinstance(x, Field):
        refuse(call, "a sequence of constants whose initial state depends on the input is not "
                     "followed here")
    time, shape = int(bool(a["batch_first"])), shapes[0]
    call.layer = LayerInfo("recurrent", groups=1, channels_in=x.shape[2], channels=shape[2])
    states = [reduce(part, [0, 1, 2], True) for part in flat(a) if isinstance(part, Field)
              and part is not x]
    if states and x.shape[1 - time] > 1:
        refuse(call, "initial states of a batch are not followed here")
    x, half = reduce(x, [2], True), shape[2] // 2
    whole = reduce(x, [time], True)
    last = hull([whole, *states], whole.shape)
    ahead = hull([_cumulative(x, time), *states], x.shape)
    if a["bidirectional"] and a["num_layers"] > 1:
        ahead = hull([last], x.shape)
    elif a["bidirectional"]:
        back = hull([_cumulative(x, time, backward=True), *states], x.shape)
        ahead = ahead.replace((*x.shape[:2], shape[2]), [
            torch.cat([part.expand(*part.shape[:3], half) for part in
                       torch.broadcast_tensors(*pair)], 3)
            for pair in zip(ahead.edges, back.edges, strict=True)])
    if time == 1:                                   # states come with the batch in the middle
        last = last.replace((1, last.shape[0], 1), [e.transpose(1, 2) for e in last.edges],
                            [None] * len(last.step))
    return [hull([ahead], shape), *[hull([last], state) for state in shapes[1:]]]


@rule("cdist")
def distances(call: Call, a: dict, shapes: list) -> Result:
    """Every pair of units."""
    parts = []
    for name, dim in (("x1", -1), ("x2", -2)):
        if isinstance(a[name], Field):
            x = reduce(a[name], [-1], True)
            parts.append(x if dim == -1 else _as_columns(x))
    call.layer = LayerInfo("attention", channels_in=shapes[0][-1], channels=shapes[0][-1])
    asks = None if call.keys is None else len(shapes[0]) - 1 - call.keys
    return hull(_own(call, parts, [False] * len(parts), asks), shapes[0], gates=False)


@rule("einsum")
def summed(call: Call, a: dict, shapes: list) -> Result:
    """Letters that are not in the result are summed over."""
    given, result = a["equation"].replace(" ", "").split("->")
    factors, parts, spread = [*zip(given.split(","), a["tensors"], strict=True)], [], []
    if any(len(set(letters)) < len(letters) for letters, _ in factors):
        refuse(call, "a letter twice in one factor: a diagonal is not followed here")
    call.layer = _summed_layer(factors, result)
    for letters, x in factors:
        if not isinstance(x, Field):
            continue
        inside = [d for d, letter in enumerate(letters) if letter not in result]
        spread.append(_carries(x, inside))
        x = reduce(x, inside, False)
        letters = [letter for letter in letters if letter in result]
        order = sorted(range(len(letters)), key=lambda d: result.index(letters[d]))
        shape = [1] * len(result)
        for d in order:
            shape[result.index(letters[d])] = x.shape[d]
        edges = []
        for edge in x.edges:
            edge = edge.permute(0, *[d + 1 for d in order])
            sizes = dict(zip([letters[d] for d in order], edge.shape[1:], strict=True))
            edges.append(edge.reshape(2, *[sizes.get(letter, 1) for letter in result]))
        step = [s and (result.index(letters[s[0]]), *s[1:]) for s in x.step]
        parts.append(x.replace(shape, edges, step))
    if call.layer is None:                          # nothing is summed: factors cell by cell
        return hull(parts, shapes[0])
    asks = [call.keys is not None and result[call.keys] not in letters
            for letters, x in factors if isinstance(x, Field)]
    return hull(_own(call, parts, spread, asks.index(True) if any(asks) else None), shapes[0],
                gates=False)


def _summed_layer(factors: list, result: str) -> LayerInfo | None:
    """The dense layer or attention that a sum over letters is."""
    tracked = [(letters, x) for letters, x in factors if isinstance(x, Field)]
    if len(tracked) > 1:
        summed = any(not {*letters} <= {*result} for letters, _ in tracked)
        return LayerInfo("attention") if summed else None
    (letters, x), sizes = tracked[0], {}
    for others, y in factors:
        if y is not x:
            sizes |= dict(zip(others, y.shape, strict=True))
    inside = [d for d, letter in enumerate(letters) if letter in sizes and letter not in result]
    outside = [n for letter, n in sizes.items() if letter in result and letter not in letters]
    if not inside:
        return None
    made = [d for d, letter in enumerate(result) if letter in sizes and letter not in letters]
    return LayerInfo("dense", channels_in=prod(x.shape[d] for d in inside), channels=prod(outside),
                     mixes=_carries(x, inside), dims=(inside[0], made[0] if made else 0),
                     single=len(inside) == 1 >= len(made))


def _carries(x: Field, dims: list[int]) -> bool:
    """Whether the grid of some axis runs along one of these dimensions."""
    return any(s[0] in dims if s else any(moves(edge, d) for d in dims)
               for s, edge in zip(x.step, x.edges, strict=True))


def _own(call: Call, parts: list[Field], spread: list[bool], asks: int | None) -> list[Field]:
    """The factors of an attention; only the asking unit's own, if attention is ignored.

    Of scores it is the one that ``asks``. Values that are summed over places are not, on whichever
    side the scores are, nor is a summary of the whole map beside factors that have places. Factors
    that meet place by place look around nowhere: two maps whose channels are compared, or a window
    and a kernel for each place, which no scores were made for.
    """
    if len(parts) == 1 or "attention" not in parts[0].ignore or (
            not (call.attends and any(spread)) and _in_one_place(parts)):
        return parts
    weighs = call.attends or asks is None           # scores themselves are summed over channels
    grown = not any(any(moving_dims(x)) for x in parts)     # from a border, instead of moving
    placed = [(-sum(map(bool, moving_dims(x))), -sum(edge.numel() > 2 for edge in x.edges),
               -grown * sum(edge.numel() for edge in x.edges)) for x in parts]
    return [parts[min(range(len(parts)), key=lambda i: (
        weighs and spread[i], i != asks, placed[i]))]]


def _in_one_place(parts: list[Field]) -> bool:
    """Whether the boxes of all factors vary along the same dimensions of the product."""
    varying = [[x.varying(axis) for axis in x.axes] for x in parts]
    return any(varying[0]) and all(dims == varying[0] for dims in varying)


@rule("nonzero", "masked_select")
def places_from_numbers(call: Call, a: dict, shapes: list) -> Result:
    """Which places are read hangs on the numbers of the input: refused."""
    refuse(call, f"which pixels it reads {DEPENDS}")
