"""Random graphs of layers: as PyTorch modules in several coding styles, and as product networks.

A graph is a list of steps, each a tuple of an operation, the numbers of the values it reads, and
options. From the same list `Written` makes a module for the audit to read, and `surrogate` the
product network of the theorem, evaluated here modulo a prime without any code of the audit.
"""

import random
from contextlib import nullcontext
from math import prod
from unittest import mock

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib import exact_rank
from lib.audit import audit

PRIME = 8388593
SIZES = [((4,), 2), ((4,), 3), ((5,), 2), ((6,), 2), ((6,), 3), ((8,), 2), ((4,), 4), ((2, 4), 2),
         ((4, 2), 2), ((2, 2), 3), ((3, 4), 2), ((2, 5), 2)]
"""Sizes of the input with the number of templates: at most 6561 images."""


class Graph:
    """Steps under construction; every method adds one and returns the number of its value."""

    def __init__(self, size, templates):
        self.size, self.templates, self.steps = size, templates, []
        self.width, self.cells, self.stem = [templates], [size], [0]

    def add(self, op, *inputs, width=None, cells=None, **options):
        self.steps.append((op, inputs, options))
        self.width.append(self.width[inputs[0]] if width is None else width)
        self.cells.append(self.cells[inputs[0]] if cells is None else cells)
        self.stem.append(self.stem[inputs[0]] if op in ("relu", "swish", "shift", "rectified")
                         else len(self.steps))
        return len(self.steps)

    def conv(self, x, width, window=1, stride=1, dilation=1, groups=1, key=None, valid=False):
        """A convolution; its map has ceil(cells / stride) cells, fewer only where it is valid."""
        axes = len(self.size)
        window, stride, dilation = (n if isinstance(n, tuple) else (n,) * axes
                                    for n in (window, stride, dilation))
        reach = [d * (r - 1) if valid else 0 for r, d in zip(window, dilation, strict=True)]
        cells = tuple(-(-(n - a) // s) for n, a, s in zip(self.cells[x], reach, stride,
                                                         strict=True))
        return self.add("conv", x, width=width, cells=cells, window=window, stride=stride,
                        dilation=dilation, groups=groups, valid=valid, inputs=self.width[x],
                        key=len(self.steps) if key is None else key)

    def pool(self, x, window, stride):
        cells = tuple(-(-n // stride) for n in self.cells[x])
        return self.add("pool", x, cells=cells, window=window, stride=stride)

    def pick(self, x, channels):
        """Some channels, in some order, perhaps repeated."""
        return self.add("pick", x, width=len(channels), channels=tuple(channels))


class Drawn(Graph):
    """A random graph."""

    def __init__(self, rng):
        super().__init__(*rng.choice(SIZES))
        self.rng = rng
        at = 0
        if rng.random() < 0.15 and self.size[-1] % 4 == 0:
            cells = (*self.size[:-1], self.size[-1] // 2)
            at = self.add("blocks", 0, width=2 * self.templates, cells=cells)
        at = self.any_conv(at, rng.randint(1, 6))
        if rng.random() < 0.05:
            at = self.any_conv(self.pick(0, [0] * self.templates), rng.randint(1, 6))
        for _ in range(rng.randint(1, 4)):
            block, = rng.choices([*BLOCKS], BLOCKS.values())
            at = self.activation(getattr(self, block)(at))
        self.close(at)

    def any_conv(self, x, width, **options):
        rng, one = self.rng, random.Random(self.rng.random())
        window = tuple(one.choice([1, 2, 3, 3, 4, 5]) for _ in self.size)
        dilation = tuple(one.choice([1, 1, 1, 2]) for _ in self.size)
        options = {"window": window, "dilation": dilation} | options
        fits = all(d * (r - 1) < n for r, d, n in zip(window, dilation, self.cells[x],
                                                      strict=True))
        return self.conv(x, width, valid=fits and not options.get("key") and "stride" not in
                         options and rng.random() < 0.04, **options)

    def activation(self, x):
        kind = self.rng.choice(["", "", "relu", "swish", "norm", "shift"])
        return self.add(kind, x) if kind else x

    def plain(self, x):
        return self.any_conv(x, self.rng.randint(1, 8))

    def strided(self, x):
        return self.conv(x, self.rng.randint(1, 6), self.rng.choice([1, 2, 3, 4]), 2)

    def pooled(self, x):
        return self.pool(x, *self.rng.choice([(3, 1), (3, 2), (2, 2), (1, 2)]))

    def depthwise(self, x):
        times = self.rng.choice([1, 1, 2])
        x = self.any_conv(x, times * self.width[x], groups=self.width[x])
        return self.any_conv(x, self.rng.randint(1, 6)) if self.rng.random() < 0.7 else x

    def grouped(self, x):
        x = self.conv(x, self.rng.choice([2, 4, 6]))
        if self.rng.random() < 0.5:
            x = self.move(x)
        for _ in range(self.rng.randint(1, 2)):
            groups = self.rng.choice([g for g in (2, 3, 4) if self.width[x] % g == 0] or [1])
            x = self.any_conv(x, groups * self.rng.randint(1, 3), groups=groups)
            x = self.move(x) if self.rng.random() < 0.4 else x
        return x

    def branch(self, x, width, depth=None):
        """Some layers that keep the map's size, the last with a given number of channels."""
        for _ in range(self.rng.randint(0, 2) if depth is None else depth):
            x = getattr(self, self.rng.choice(["plain", "plain", "depthwise", "grouped", "drop",
                                               "tied_channels", "dense"]))(x)
        return self.any_conv(x, width, groups=self.rng.choice([1, 1, 1, 1, width if
                                                               self.width[x] % width == 0 else 1]))

    def residual(self, x):
        start = x
        how = self.rng.choice(["", "", "", "strided", "drop", "nested", "move", "pad"])
        if how in ("drop", "move"):
            x = getattr(self, how)(x)
        elif how == "strided":
            x = self.conv(x, self.rng.randint(1, 8), self.rng.choice([1, 2, 3]), 2)
        elif how == "nested":
            x = self.residual(self.plain(x))
        width = self.width[start] + (2 if how == "pad" else 0)
        y = self.branch(x, width)
        if how == "strided":
            start = self.pool(start, self.rng.choice([1, 1, 2]), 2)
        elif how == "pad":
            start = self.add("channel pad", start, width=width)
        pair = (y, start) if self.rng.random() < 0.5 else (start, y)
        if self.cells[y] != self.cells[start]:
            return y
        x = self.add(self.rng.choice(["add", "add", "add", "sub"]), *pair)
        return self.drop(x) if self.rng.random() < 0.2 else x

    def dense(self, x):
        for _ in range(self.rng.randint(1, 2)):
            y = self.any_conv(x, self.rng.randint(1, 4))
            x = self.cat(x, y) if self.cells[x] == self.cells[y] else y
        return x

    def cat(self, *parts):
        return self.add("cat", *parts, width=sum(self.width[p] for p in parts))

    def parallel(self, x):
        parts = [self.branch(x, self.rng.randint(1, 4)) for _ in range(self.rng.randint(2, 3))]
        parts = [p for p in parts if self.cells[p] == self.cells[parts[0]]]
        x = self.cat(*parts)
        return self.drop(x) if self.rng.random() < 0.5 else x

    def split(self, x):
        """Branches side by side, groups across them, and a part of the result."""
        y, z = (self.any_conv(x, self.rng.choice([2, 4])) for _ in range(2))
        if self.cells[y] != self.cells[z]:
            return y
        x = self.cat(y, z)
        groups = self.rng.choice([g for g in (2, 3, 4, 6) if self.width[x] % g == 0])
        x = self.any_conv(x, groups * self.rng.randint(1, 2), groups=groups)
        return self.drop(x) if self.rng.random() < 0.6 else x

    def drop(self, x):
        """A part of the channels: the first, the last, every other, or any."""
        width, rng = self.width[x], self.rng
        half = -(-width // 2)
        return self.pick(x, rng.choice([range(half), range(width - half, width),
                                        range(0, width, 2), range(width - 1, width),
                                        sorted(rng.sample(range(width), rng.randint(1, width)))]))

    def tied_channels(self, x):
        width, rng = self.width[x], self.rng
        return self.pick(x, rng.choice([
            [0] * 4, [*range(width)] * 2, [c for c in range(width) for _ in (0, 1)],
            [rng.randrange(width) for _ in range(rng.choice([4, 6]))]]))

    def move(self, x):
        width, rng = self.width[x], self.rng
        order = [*range(width)]
        return self.pick(x, rng.choice([order[::-1], order[1:] + order[:1],
                                        order[::2] + order[1::2], rng.sample(order, width)]))

    def cells_moved(self, x):
        x = self.add(self.rng.choice(["flip", "flip twice", "roll", "blank", "cumsum"]), x)
        return self.plain(x)

    def tied(self, x):
        """One module in two places."""
        y = self.conv(x, self.width[x], self.rng.choice([1, 3]))
        key = self.steps[-1][2] | {"inputs": 0, "valid": 0}
        shape = {k: key[k] for k in ("window", "stride", "dilation", "groups", "key")}
        other = self.conv(self.rng.choice([x, x, y, self.add("flip", x)]), self.width[x], **shape)
        return self.cat(y, other) if self.rng.random() < 0.4 else self.add(
            self.rng.choice(["sub", "add", "mul"]), y, other)

    def itself(self, x):
        how = self.rng.choice(["sub", "add", "mul", "zero", "with activation"])
        if how == "zero":
            return self.add("zero", x)
        return self.add("rectified" if how == "with activation" else how, x, x)

    def gate(self, x):
        y = self.conv(self.add("global", x, cells=(1,) * len(self.size)), self.rng.randint(1, 3))
        y = self.conv(y, self.rng.choice([1, self.width[x]]))
        return self.add("mul", x, y)

    def blanked_gate(self, x):
        """A factor that is zero in the first cells, or in the last channels."""
        y = self.any_conv(x, self.width[x])
        if self.cells[y] != self.cells[x]:
            return y
        return self.add("mul", x, self.add(self.rng.choice(["blank", "front", "flip"]), y))

    def two(self, x):
        width = self.rng.randint(1, 5)
        y, z = self.branch(x, width), self.branch(x, self.rng.choice([1, width, width]))
        if self.cells[y] != self.cells[z]:
            return y
        return self.add(self.rng.choice(["mul", "add", "sub"]), y, z)

    def earlier(self, x):
        """A join with any value before that has the same map."""
        same = [v for v in range(1, x) if self.cells[v] == self.cells[x]]
        if not same:
            return self.plain(x)
        y, how = self.rng.choice(same), self.rng.choice(["add", "mul", "cat", "cat", "layer"])
        if self.stem[x] == self.stem[y]:            # together a function of one number
            return self.add("rectified", x, x)
        if how == "layer":
            return self.add(self.rng.choice(["add", "mul"]), x, self.conv(y, self.width[x]))
        if how == "cat" or self.width[x] != self.width[y]:
            return self.cat(x, y)
        return self.add(how, x, y)

    def close(self, x):
        rng, one = self.rng, (1,) * len(self.size)
        how = rng.choice(["global", "global", "global", "dense", "kernel", "map", "crop", "wide"])
        if how == "global":
            x = self.add("global", x, cells=one)
            for _ in range(rng.randint(0, 1)):
                x = self.conv(x, rng.randint(1, 4))
            return self.conv(x, 1)
        if how == "dense":
            x = self.add("dense", x, width=rng.randint(1, 3), cells=one)
            return self.conv(x, 1)
        if how in ("kernel", "wide"):
            cells, dilation = self.cells[x], one
            if how == "wide" and all(n % 2 for n in cells):
                dilation = tuple(min(2, max(1, n - 1)) for n in cells)
            window = tuple((n - 1) // d + 1 for n, d in zip(cells, dilation, strict=True))
            return self.conv(x, 1, window, dilation=dilation, valid=True)
        if how == "crop" and self.cells[x][-1] > 1:
            return self.add("crop", x, cells=(*self.cells[x][:-1], 1))
        return x


BLOCKS = {"plain": 4, "strided": 3, "pooled": 3, "depthwise": 3, "grouped": 3, "residual": 6,
          "dense": 2, "parallel": 3, "split": 3, "drop": 2, "tied_channels": 3, "move": 1,
          "cells_moved": 1, "tied": 1, "itself": 1, "gate": 2, "blanked_gate": 1, "two": 2,
          "earlier": 3}
STYLES = {"conv": ("module", "function", "padded", "dense"), "pool": ("max", "average"),
          "global": ("module", "mean", "one by one", "amax", "average"),
          "add": ("sign", "in place"), "pick": ("index", "slices", "select"),
          "blocks": ("views", "slices"), "dense": ("module", "view")}


class Written(nn.Module):
    """A graph as a module, every step in a coding style of its own."""

    def __init__(self, graph, rng):
        super().__init__()
        self.steps, self.axes = graph.steps, len(graph.size)
        self.how = [rng.choice(STYLES.get(op, ("",))) for op, _, _ in graph.steps]
        made = {}
        for number, (op, (source, *_), options) in enumerate(graph.steps):
            if op == "conv" and options["key"] not in made:
                made[options["key"]] = getattr(nn, f"Conv{self.axes}d")(
                    options["inputs"], graph.width[number + 1], options["window"],
                    options["stride"], 0, options["dilation"], options["groups"])
            elif op == "dense":
                made[f"dense {number}"] = nn.Linear(
                    graph.width[source] * prod(graph.cells[source]), graph.width[number + 1])
            elif op == "norm":
                made[f"norm {number}"] = getattr(nn, f"BatchNorm{self.axes}d")(graph.width[source])
        self.made = nn.ModuleDict({str(key): module for key, module in made.items()})

    def forward(self, x):
        values = [x]
        for number, (op, inputs, options) in enumerate(self.steps):
            values.append(self.step(number, op, [values[i] for i in inputs], options))
        return values[-1]

    def step(self, number, op, parts, o):
        x, how, dims = parts[0], self.how[number], tuple(range(2, 2 + self.axes))
        if op == "conv":
            return self.convolved(x, self.made[str(o["key"])], how, o)
        if op == "pool":
            pool = getattr(F, f"{'max' if how == 'max' else 'avg'}_pool{self.axes}d")
            return pool(x, o["window"], o["stride"], o["window"] // 2 if o["window"] % 2 else 0,
                        ceil_mode=o["window"] % 2 == 0)
        if op == "global":
            return {"module": lambda: getattr(nn, f"AdaptiveAvgPool{self.axes}d")(1)(x),
                    "mean": lambda: x.mean(dims, keepdim=True),
                    "amax": lambda: x.amax(dims, keepdim=True),
                    "average": lambda: getattr(F, f"avg_pool{self.axes}d")(x, x.shape[2:]),
                    "one by one": lambda: self.one_by_one(x)}[how]()
        if op == "dense":
            flat = x.flatten(1) if how == "module" else x.reshape(x.shape[0], -1)
            return self.made[f"dense {number}"](flat)[(..., *[None] * self.axes)]
        if op == "blocks":
            return blocks(x) if how == "views" else torch.cat([x[..., ::2], x[..., 1::2]], 1)
        if op == "pick":
            return self.picked(x, o["channels"], how)
        if op == "norm":
            return self.made[f"norm {number}"](x)
        if op in ("add", "sub"):
            if op == "add" and how == "in place" and x.shape == parts[1].shape:
                return x.clone().add_(parts[1])
            return x + parts[1] if op == "add" else x - parts[1]
        return {"mul": lambda: x * parts[1], "cat": lambda: torch.cat(parts, 1),
                "relu": lambda: F.relu(x), "swish": lambda: x * x.sigmoid(),
                "shift": lambda: 2 * x - 1, "rectified": lambda: x - x.relu(),
                "zero": lambda: x * 0,
                "channel pad": lambda: F.pad(x, [0] * 2 * self.axes + [0, 2]),
                **moves(x)}[op]()

    def one_by_one(self, x):
        for dim in range(2, 2 + self.axes):
            x = x.mean(dim, keepdim=True)
        return x

    def convolved(self, x, conv, how, o):
        reach = [d * (r - 1) for r, d in zip(o["window"], o["dilation"], strict=True)]
        if how == "dense" and {*o["window"], *o["stride"], o["groups"]} == {1}:
            weight = conv.weight.flatten(1)
            return F.linear(x.movedim(1, -1), weight, conv.bias).movedim(-1, 1)
        if o["valid"] or not any(reach):
            return conv(x)
        if how == "padded" or any(n % 2 for n in reach):
            return conv(F.pad(x, [n for end in reach[::-1] for n in (0, end)]))
        run = F.conv1d if self.axes == 1 else F.conv2d
        return run(x, conv.weight, conv.bias, o["stride"], [n // 2 for n in reach], o["dilation"],
                   o["groups"])

    @staticmethod
    def picked(x, channels, how):
        steps = {b - a for a, b in zip(channels, channels[1:], strict=False)}
        if how == "index":
            return x[:, list(channels)]
        if how == "select" or len(steps) > 1 or min(steps, default=1) < 0:
            return x.index_select(1, torch.tensor(channels))
        if steps == {0}:
            start = x[:, channels[0]:channels[0] + 1]
            return start.expand(-1, len(channels), *x.shape[2:])
        step = min(steps, default=1)
        if step == 1 and channels[-1] == x.shape[1] - 1 and 2 * len(channels) == x.shape[1]:
            return x.chunk(2, 1)[1]
        return x[:, channels[0]:channels[-1] + 1:step]


def blocks(x):
    """Every two neighbors along the last axis as channels of one cell."""
    x = x.reshape(*x.shape[:-1], x.shape[-1] // 2, 2).movedim(-1, 1)
    return x.flatten(1, 2)


def moves(x):
    """What happens to the cells along the last axis."""
    half = x.shape[-1] // 2
    blank = torch.zeros_like(x[..., :half])
    return {"flip": lambda: x.flip(-1), "flip twice": lambda: x.flip(-1).flip(-1),
            "roll": lambda: x.roll(1, -1), "cumsum": lambda: x.cumsum(-1) % PRIME,
            "front": lambda: F.pad(x[..., half:], (half, 0)),
            "blank": lambda: torch.cat([blank, x[..., half:]], -1), "crop": lambda: x[..., -1:]}


class Products:
    """The product network of a graph modulo a prime, with random weights."""

    def __init__(self, graph, pools, seed):
        self.graph, self.pools, self.weights = graph, pools, {}
        self.generator = torch.Generator().manual_seed(seed)

    def layer(self, key, x, width, window, stride, dilation, groups):
        """Product pooling of one affine map per offset; padding at the end of every axis."""
        if key not in self.weights:
            inside = torch.arange(width)[:, None] * groups // width == (
                torch.arange(x.shape[1]) * groups // x.shape[1])
            drawn = torch.randint(PRIME, (*window, width, x.shape[1] + 1),
                                  generator=self.generator)
            drawn[..., :-1] *= inside
            self.weights[key] = drawn
        weights, cells = self.weights[key], x.shape[2:]
        outputs = [-(-n // s) for n, s in zip(cells, stride, strict=True)]
        ends = [max(0, (m - 1) * s + (r - 1) * d + 1 - n) for n, m, s, r, d in
                zip(cells, outputs, stride, window, dilation, strict=True)]
        x = F.pad(x, [n for end in ends[::-1] for n in (0, end)])
        result = torch.ones((x.shape[0], width, *outputs), dtype=torch.int64)
        for offset in torch.cartesian_prod(*map(torch.arange, window)).view(-1, len(window)):
            seen = x[(..., *[slice(a * d, a * d + (m - 1) * s + 1, s) for a, d, m, s in
                             zip(offset.tolist(), dilation, outputs, stride, strict=True)])]
            weight = weights[tuple(offset)]
            factor = (weight[:, :-1] @ seen.flatten(2)) + weight[:, -1:]
            result = result * (factor % PRIME).view(result.shape) % PRIME
        return result

    def closes(self, number):
        """Whether a window covers all that is left of the network's map: one window over it."""
        op, (source, *_), o = self.graph.steps[number]
        before, after = self.graph.cells[source], self.graph.cells[number + 1]
        if op == "global":
            return True
        if op not in ("conv", "pool") or {*after} != {1} or {*before} == {1}:
            return False
        window = o["window"] if op == "conv" else (o["window"],) * len(before)
        return all(n == 1 or r >= n and d == 1 for n, r, d in zip(
            before, window, o.get("dilation", (1,) * len(before)), strict=True))

    def __call__(self, x):
        values, one = [x], (1,) * len(self.graph.size)
        for number, (op, inputs, o) in enumerate(self.graph.steps):
            parts = [values[i] for i in inputs]
            x, width = parts[0], self.graph.width[number + 1]
            whole, groups = tuple(x.shape[2:]), x.shape[1] if self.pools == "channelwise" else 1
            if op == "dense" or self.closes(number):
                y = self.layer(o.get("key", number), x, width, whole, whole, one,
                               o.get("groups", 1) if op in ("conv", "dense") else groups)
            elif op == "conv":
                y = self.layer(o["key"], x, width, o["window"], o["stride"], o["dilation"],
                               o["groups"])
            elif op == "pool":
                y = self.layer(f"pool {number}", x, width, (o["window"],) * len(one),
                               (o["stride"],) * len(one), one, groups)
            else:
                y = {"mul": lambda: x * parts[1], "cat": lambda: torch.cat(parts, 1),
                     "add": lambda: x + parts[1], "sub": lambda: x - parts[1],
                     "pick": lambda: x[:, list(o["channels"])], "zero": lambda: x * 0,
                     "channel pad": lambda: F.pad(x, [0] * 2 * len(one) + [0, 2]),
                     "blocks": lambda: blocks(x),
                     **dict.fromkeys(("relu", "swish", "norm", "rectified"), lambda: x),
                     "shift": lambda: 2 * x - 1, **moves(x)}[op]() % PRIME
            values.append(y)
        x = values[-1]
        if prod(x.shape[2:]) > 1 or self.graph.steps[-1][0] == "crop":
            x = self.layer("added", x, 1, tuple(x.shape[2:]), tuple(x.shape[2:]), one, 1)
        return x.flatten(1)


def surrogate_rank(graph, partition, pools, seed):
    """Exact rank of the grid tensor's matricization at random weights; the best channel's."""
    size, templates = graph.size, graph.templates
    generator = torch.Generator().manual_seed(seed)
    features = torch.randint(PRIME, (templates, templates), generator=generator)
    images = torch.cartesian_prod(*[torch.arange(templates)] * prod(size)).view(-1, *size)
    outputs = Products(graph, pools, seed + 1)(features[images].movedim(-1, 1))
    axis = len(size) - 1 if partition == "left-right" else 0
    places = torch.arange(prod(size)).view(size)
    order = places.movedim(axis, 0).flatten().tolist()
    rows = templates ** (size[axis] // 2 * (prod(size) // size[axis]))
    return max(exact_rank(outputs[:, channel].view([templates] * prod(size)).permute(order)
                          .reshape(rows, -1), prime=PRIME).rank
               for channel in range(outputs.shape[1]))


class Numbers(nullcontext):
    """Runs the tiny network on numbers while it is read, several times faster than on shapes."""

    def __init__(self, **options):
        super().__init__()


def examine(seed):
    """One random graph: its best bound and its rank, or the reason for none and None."""
    rng = random.Random(seed)
    graph, pools = Drawn(rng), rng.choice(["mixing", "channelwise"])
    partition = rng.choice(["left-right", "top-bottom"][:len(graph.size)])
    with mock.patch("lib.audit.trace.FakeTensorMode", Numbers):
        found = audit(Written(graph, rng), graph.size, graph.templates).bounds(
            partition, representation=graph.templates, pools=pools)
    bounds = [b.bound for b in (found.crossing, found.private, found.overlap) if b is not None]
    if not bounds:
        return found.reason, None
    best, rank = max(bounds), 0
    for draw in range(4):                           # a random point may show less than almost all
        rank = max(rank, surrogate_rank(graph, partition, pools, 10 * seed + draw))
        if rank >= best:
            break
    return best, rank
