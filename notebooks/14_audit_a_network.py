# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Audit a network
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/14_audit_a_network.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/14_audit_a_network.ipynb)
#
# How far does a unit of a real network see, do its branches agree, and what does the overlap theorem
# say about its shape? One call answers for any PyTorch module, and everything it says is checked here
# a second way. Statements and proofs are on [the page](../book/audit-a-network.md).

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules:  # there, fetch the course and what it needs
    subprocess.run(f'(test -d course || git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course) && cd course && "{sys.executable}" -m lib.course.colab', shell=True, check=True)
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import copy
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from lib import Architecture, Layer, certify
from lib.exact.arithmetic import Modular, Real
from lib.audit import UnsupportedOperation, audit, models
from lib.audit.__main__ import main
from lib import forward, generalized_conv
from lib.course.claims import verify
from lib.course.glue import glue
from lib.networks.families import googlenet_stack
from lib.grids.grid import grid_tensor
from lib.plots.audit import draw_bounds_by_layer, draw_field_growth, path_field
from lib.plots.style import figure
from lib.exact.ranks import exact_rank
from lib.trees.tensors import matricize

field = Modular()
generator = torch.Generator().manual_seed(14)


def on_meta(factory):
    """A network without memory for its weights: only the shapes matter here."""
    with torch.device("meta"):
        return factory()


# %% [markdown]
# ## A first audit
#
# Give `audit` a module and an input size. It runs the module once on shapes alone, and follows every
# operation.

# %%
plain = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
found = audit(plain, size=32)
print(found)

# %% [markdown]
# For a plain chain the fields are those of the
# [receptive-field algebra](../book/receptive-field-algebra.md).

# %%
chain = Architecture(32, 3, (Layer(3, 1, 32), Layer(2, 2, 32), Layer(3, 1, 64), Layer(2, 2, 64)))
by_formula = [(chain.total_receptive_field(k), chain.total_stride(k)) for k in range(1, 5)]
by_audit = [(layer.geometry[1].size, int(layer.geometry[1].stride)) for layer in found.layers[:4]]
print("formula (T_R, T_S):", by_formula)
print("audit:             ", by_audit)
assert by_formula == by_audit

# %% [markdown]
# ## Branches, path by path
#
# Where branches meet, a unit sees what it sees along any path. A residual unit that halves the map,
# padded on both sides and padded only at the end:


# %%
class Residual(nn.Module):
    def __init__(self, branch, shortcut):
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x):
        return self.branch(x) + self.shortcut(x)


def halving_unit(padding):
    before, after = padding
    branch = nn.Sequential(
        nn.ConstantPad1d((before, after), 0.0), nn.Conv1d(3, 3, 3, 2), nn.Conv1d(3, 3, 3, padding=1)
    )
    return Residual(branch, nn.Conv1d(3, 3, 1, 2))


print("padding  branch   shortcut  their hull  audit    joins agree")
for padding in ((1, 1), (0, 1)):
    paths = [(3, 2, padding[0]), (3, 1, 1)], [(1, 2, 0)]
    fields = [path_field(path, unit=0) for path in paths]
    hull = (min(a for a, _ in fields), max(b for _, b in fields))
    report = audit(halving_unit(padding), (14,), 3)
    seen = report.output[0]
    by_graph = (seen.start, seen.start + seen.size - 1)
    (join,) = report.joins
    print(f"{padding!s:7}  {fields[0]!s:7} {fields[1]!s:8}  {hull!s:10}  {by_graph!s:8} {join.aligned}")
    assert hull == by_graph

# %% [markdown]
# In the second case the branch looks one pixel to the right of the shortcut. The audit names the
# join and the two centers.

# %%
print(join.name, join.problems)
assert join.problems == ("width: centers 0.0, 1.0",)

# %% [markdown]
# ## Derivatives as an independent witness
#
# Give a network equal positive weights and let its pools average. Then the derivative of a unit with
# respect to a pixel is positive if some path connects them, and zero if not. Backpropagation knows
# nothing of our arithmetic. The image is tall enough to hold the whole field.


# %%
def positive(model):
    """The network with equal positive weights and averaging pools, on real memory."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            average = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
            path, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(path), leaf, average)
    model.to_empty(device="cpu").eval()
    for name, values in model.state_dict().items():
        values.fill_(1 / values[0].numel() if values.ndim > 1 else float("mean" not in name))
    return model.requires_grad_(False)


def rows_by_derivative(model, height, unit):
    """First and last image row that a unit of the output depends on."""
    image = torch.ones(1, 3, height, 32, requires_grad=True)
    output = positive(model)(image)
    (gradient,) = torch.autograd.grad(output[0, :, unit, 0].sum(), image)
    rows = gradient[0].amax((0, 2)).nonzero().flatten()
    return int(rows[0]), int(rows[-1])


oracle_models = {
    "ResNet-18": partial(models.resnet, 18),
    "ResNet-18, last unit": partial(models.resnet, 18, "last unit"),
    "GoogLeNet": models.googlenet,
    "MobileNet-v1": models.mobilenet_v1,
    "MobileNet-v1, end": partial(models.mobilenet_v1, "end"),
    "dilated stack": partial(models.dilated_stack, channels=8),
}

print("network               T_R  rows by audit  rows by derivative")
agree = True
for name, factory in oracle_models.items():
    trunk = on_meta(factory).features
    height = audit(trunk, 96).last_map[0].size + 96
    report = audit(trunk, (height, 32))
    axis = report.last_map[0]
    unit = report.trace.outputs[0].shape[2] // 2
    first = axis.start + unit * int(axis.stride)
    expected = (first, first + axis.size - 1)
    measured = rows_by_derivative(trunk, height, unit)
    agree &= measured == expected
    print(f"{name:20} {axis.size:4}  {expected!s:13}  {measured}")
verify("audit-receptive-fields", agree, detail=f"{len(oracle_models)} networks, derivatives agree")
glue("14-oracle-networks", len(oracle_models))

# %% [markdown]
# ## The published table
#
# Araujo, Norris and Sim (2019) computed field, effective stride and effective padding for the TF-Slim
# versions of well-known networks. The numbers typed here are theirs; the audit has to find them.

# %%
published = {
    "AlexNet": (partial(models.alexnet, first_padding=0), (195, 32, 64)),
    "VGG-11": (partial(models.vgg, 11), (150, 32, 59)),
    "VGG-16": (partial(models.vgg, 16), (212, 32, 90)),
    "ResNet-50": (partial(models.resnet, 50, "last unit"), (483, 32, 239)),
    "ResNet-101": (partial(models.resnet, 101, "last unit"), (1027, 32, 511)),
    "ResNet-152": (partial(models.resnet, 152, "last unit"), (1507, 32, 751)),
    "Inception-v3": (models.inception_v3, (1311, 32, 618)),
    "MobileNet-v1": (partial(models.mobilenet_v1, "end"), (315, 32, 126)),
}


def geometry(report):
    """Field, stride and padding of the last map, for AlexNet at its last pooling as in the table."""
    pooled = [layer.geometry for layer in report.layers if layer.name == "pool5"]
    axis = (pooled or [report.last_map])[0][1]
    return axis.size, int(axis.stride), axis.padding


audits = {}
same = True
print("network       published         audit             PyTorch's form")
for name, (factory, numbers) in published.items():
    slim = audit(on_meta(factory))
    if factory is models.FAMOUS[name]:
        audits[name] = slim
    else:
        audits[name] = audit(on_meta(models.FAMOUS[name]))
        audits[f"{name}, last unit"] = slim
    same &= geometry(slim) == numbers
    print(f"{name:12}  {numbers!s:16}  {geometry(slim)!s:16}  {geometry(audits[name])}")
verify("audit-published-table", same, detail=f"{len(published)} networks, all 3 columns")

# %% [markdown]
# Where the columns differ, the networks differ. AlexNet and MobileNet only place their padding
# elsewhere. A ResNet halves its map between two stages. PyTorch's form does it in the $3\times3$ of
# the first new unit, the paper's in the $1\times1$ before it, TF-Slim in the $3\times3$ of the last old
# unit. In the last two, one more $3\times3$ window comes after the halving and counts in doubled
# steps, at each of three places: $427 + 8 + 16 + 32 = 483$.

# %%
paper = audit(on_meta(partial(models.resnet, 50, at="1x1")))
print("ResNet-50, halves in the      T_R")
for where, report in {
    "3×3 of the first unit (PyTorch)": audits["ResNet-50"],
    "1×1 of the first unit (paper)": paper,
    "3×3 of the last unit (TF-Slim)": audits["ResNet-50, last unit"],
}.items():
    print(f"{where:32} {report.last_map[1].size}")
glue("14-resnet-first", audits["ResNet-50"].last_map[1].size)
glue("14-resnet-last", audits["ResNet-50, last unit"].last_map[1].size)
assert 427 + 8 + 16 + 32 == paper.last_map[1].size

# %% [markdown]
# ## How fields grow

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-audit-growth", "caption": "The largest field of any unit up to each layer, 224×224 input. VGG-16 passes half of the image at layer 15, ResNet-50 at layer 31, the dilated stack never."}, "image": {"alt": "Five rising staircases. VGG-16 ends at 212 pixels after 19 layers, MobileNet-v1 at 315 after 27, ResNet-50 at 427 after 54, GoogLeNet at 715 after 70; a dilated stack of five layers ends at 63, below the line at half of the image, 112."}}
for name in ("ResNet-18", "ResNet-34", "GoogLeNet", "dilated stack"):
    audits[name] = audit(on_meta(models.FAMOUS[name]))
growth = {}
for name in ("VGG-16", "MobileNet-v1", "ResNet-50", "GoogLeNet", "dilated stack"):
    sizes = [axis.size for layer in audits[name].layers
             if (axis := layer.geometry[1]).stride]
    growth[name.split()[0]] = [max(sizes[: k + 1]) for k in range(len(sizes))]
with figure(6.6, 4.2) as (drawing, axes):
    draw_field_growth(axes, growth, 224, left=("VGG-16", "MobileNet-v1", "GoogLeNet"))

# %%
print("network        layers  largest T_R  first layer with T_R > 112")
for name, values in growth.items():
    beyond = next((k for k, size in enumerate(values, 1) if size > 112), "none")
    print(f"{name:13}  {len(values):6}  {values[-1]:11}  {beyond}")
    assert values[-1] == audits["dilated stack" if name == "dilated" else name].last_map[1].size

# %% [markdown]
# ## The surrogate, executed
#
# The theorem speaks about products. So take the network's own `forward` and replace its layers: each
# convolution or pooling becomes a generalized convolution with product pooling, biases and the same
# window, stride, dilation and channels; activations disappear. Joins stay what they are.


# %%
class Product(nn.Module):
    """The generalized convolution that stands for one layer, random and exact."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.weights = layer, None

    def draw(self, inputs, cells):
        layer, conv = self.layer, isinstance(self.layer, nn.Conv1d)
        width, groups = (layer.out_channels, layer.groups) if conv else (inputs, 1)
        if isinstance(layer, nn.AdaptiveAvgPool1d):  # global pooling: one window over the map
            window, stride, step = cells, cells, 1
        else:
            numbers = (layer.kernel_size, layer.stride, layer.dilation)
            window, stride, step = (n[0] if isinstance(n, tuple) else n for n in numbers)
        weight = torch.zeros(width, inputs, (window - 1) * step + 1, dtype=torch.float64)
        bias = torch.ones(width, (window - 1) * step + 1, dtype=torch.float64)
        weight[..., ::step] = field.random((width, inputs, window), generator)
        bias[..., ::step] = field.random((width, window), generator)
        rows, columns = torch.arange(width)[:, None], torch.arange(inputs)
        weight *= (rows * groups // width == columns * groups // inputs)[..., None]
        return weight, bias, stride

    def forward(self, x):
        self.weights = self.weights or self.draw(*x.shape[1:])
        return generalized_conv(field.reduce(x), *self.weights, field)


def surrogate(model):
    """The same graph with products in place of convolutions, pools and activations."""
    model = copy.deepcopy(model)
    for name, module in list(model.named_modules()):
        path, _, leaf = name.rpartition(".")
        if isinstance(module, (nn.Conv1d, nn.MaxPool1d, nn.AdaptiveAvgPool1d)):
            setattr(model.get_submodule(path), leaf, Product(module))
        elif isinstance(module, nn.ReLU):
            setattr(model.get_submodule(path), leaf, nn.Identity())
    return model


def certified_rank(model, size=8, templates=3):
    """Exact left–right rank of the surrogate with random weights and a random F."""
    circuit = surrogate(model)
    representation = field.random((templates, templates), generator)

    def network(inputs):
        return field.reduce(circuit(inputs.movedim(-1, 1)))[:, 0, 0]

    return exact_rank(matricize(grid_tensor(network, representation, size), "left-right")).rank


# %% [markdown]
# Small networks with every kind of join, on eight pixels with three templates: $81\times81$ matrices.
# The audit reads the network, the certificate runs the surrogate.


# %%
def conv(inputs, outputs, window, stride=1, dilation=1, groups=1):
    return nn.Conv1d(inputs, outputs, window, stride, dilation * (window - 1) // 2, dilation, groups)


def closed(*layers, width):
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Conv1d(width, 1, 1))


parallel = models.Parallel(
    conv(3, 2, 1),
    nn.Sequential(conv(3, 4, 1), conv(4, 3, 3)),
    nn.Sequential(conv(3, 2, 1), conv(2, 3, 5)),
)
small = {
    "no overlaps": closed(conv(3, 4, 2, 2), conv(4, 4, 2, 2), width=4),
    "one layer": closed(conv(3, 3, 3), width=3),
    "two layers": closed(conv(3, 6, 3), nn.ReLU(), conv(6, 3, 3), width=3),
    "dilated": closed(conv(3, 6, 3), conv(6, 3, 3, dilation=2), width=3),
    "pooled": closed(conv(3, 4, 3), nn.MaxPool1d(3, 2, 1), width=4),
    "depthwise": closed(conv(3, 3, 1), conv(3, 3, 3, groups=3), conv(3, 3, 1), width=3),
    "residual": closed(
        conv(3, 6, 1), Residual(nn.Sequential(conv(6, 8, 3), conv(8, 6, 1)), nn.Identity()), width=6),
    "wide residual": closed(
        conv(3, 6, 1), Residual(nn.Sequential(conv(6, 12, 3), conv(12, 6, 3)), nn.Identity()),
        conv(6, 3, 3), width=3),
    "narrow residual": closed(
        conv(3, 6, 1), Residual(nn.Sequential(conv(6, 4, 3), conv(4, 6, 1)), nn.Identity()), width=6),
    "projection": closed(
        conv(3, 4, 3), Residual(nn.Sequential(conv(4, 4, 3, 2), conv(4, 4, 3)), conv(4, 4, 1, 2)),
        width=4),
    "inception": closed(parallel, conv(8, 4, 1), width=4),
}

print("network          Theorem 1  crossing bound  from layer   rank of the surrogate")
holds = True
for name, model in small.items():
    bounds = audit(model, (8,), 3).bounds(representation=3)
    theorem, crossing = bounds.overlap, bounds.crossing
    rank = certified_rank(model)
    holds &= rank >= max(theorem.bound.value if theorem else 1, crossing.bound.value)
    print(f"{name:15}  {str(theorem or '-'):>9}  {crossing!s:>14}  {crossing.name:11}  {rank:21}")
verify("audit-surrogate-bound", holds, detail=f"{len(small)} graphs, exact ranks")
glue("14-surrogate-graphs", len(small))

# %% [markdown]
# The bounds are never above the rank and often far below. They are reached where one wide layer does
# the comparing. A narrow layer limits what we can *prove*, not necessarily the rank: after two
# channels the bound is silent, and the matrix is full.

# %%
narrow = closed(conv(3, 2, 1), conv(2, 3, 5), width=3)
silent = audit(narrow, (8,), 3).bounds(representation=3)
narrow_rank = certified_rank(narrow)
print("bound through 2 channels:", silent.crossing, "| rank:", narrow_rank)
glue("14-narrow-rank", narrow_rank)

# %% [markdown]
# ## Rectifiers: what does not carry over
#
# "Almost all weights" fails for rectifiers. If the first layer is inactive on all templates, the output
# is one constant, and it stays so for all weights nearby. With products, almost all weights have rank 9.

# %%
net = Architecture((8,), 3, (Layer(3, 1, 3), Layer(8, 8, 1)))
templates = torch.eye(3, dtype=torch.float64)
dead = True
for _ in range(50):
    weights = net.random_weights(Real(), generator)
    small_weights = (weights[0][0].clamp(-1, 1), -3 + weights[0][1].clamp(-1, 1))
    weights = [small_weights, weights[1]]  # every affine map is at most 1 - 2 < 0

    def rectifier(inputs):
        scores = forward(net, weights, inputs.movedim(-1, 1), pooling="max", activation="relu")
        return scores[:, 0, 0]

    outputs = grid_tensor(rectifier, templates, 8)
    dead &= bool((outputs == outputs.flatten()[0]).all())
print("with products:", certify(net, "left-right", seed=14).rank)
verify("audit-dead-region", dead, detail="50 random points of an open set, constant outputs")

# %% [markdown]
# ## Famous networks
#
# The table for an input of $224\times224$, with as many representation channels $M$ as each bound can
# use. Both bounds hold for almost all weights of the surrogate.


# %%
def short(name):
    return name.removeprefix("features.").removesuffix(".conv").replace("branch.", "")


order = [*models.FAMOUS]
order[order.index("GoogLeNet"):order.index("GoogLeNet")] = [
    f"ResNet-{depth}, last unit" for depth in (50, 101, 152)]
print("network                layers   T_R  T_S  T_R/T_S  Theorem 1  at                crossing bound  at")
for name in order:
    report = audits[name]
    axis, bounds = report.last_map[1], report.bounds()
    theorem, crossing = bounds.overlap, bounds.crossing
    print(f"{name:21}  {len(report.layers):6}  {axis.size:4}  {axis.stride!s:>3}  "
          f"{float(axis.overlap):7.1f}  {theorem!s:>9}  {short(theorem.name):16}  "
          f"{crossing!s:>14}  {short(crossing.name)}")

best = {name: audits[name].bounds() for name in order}
glue("14-vgg", str(best["VGG-16"].crossing))
glue("14-vgg-theorem", str(best["VGG-16"].overlap))
glue("14-resnet", str(best["ResNet-50"].crossing))
glue("14-resnet-digits", len(str(best["ResNet-50"].crossing.bound.value)))
glue("14-resnet-152-theorem", str(best["ResNet-152"].overlap))
glue("14-inception", str(best["Inception-v3"].crossing))
glue("14-mobilenet", str(best["MobileNet-v1"].crossing))
glue("14-mobilenet-theorem", str(best["MobileNet-v1"].overlap))
glue("14-dilated", str(best["dilated stack"].crossing))
glue("14-dilated-field", audits["dilated stack"].last_map[1].size)

# %% [markdown]
# Most of this comes from the very first window. A first layer with window $R$, stride $S$ and $D_1$
# channels already gives $\min(M,D_1)^{\lfloor (R-1)/S\rfloor\cdot\lceil H/S\rceil}$.

# %%
print("first layer (R, S, D)  formula  audit    networks")
agree, groups = True, {}
for name in order:
    first = audits[name].layers[0]
    groups.setdefault((first.window[1], first.stride[1], first.channels), []).append(name)
for (window, stride, width), names in groups.items():
    formula = f"{width}^{(window - 1) // stride * -(-224 // stride)}"
    by_audit = {str(audits[n].bounds().crossing_by_layer[audits[n].layers[0].name]) for n in names}
    agree &= by_audit == {formula}
    print(f"{(window, stride, width)!s:21}  {formula:7}  {by_audit.pop():7}  {', '.join(names)}")
verify("audit-first-layer", agree, detail=f"{len(order)} networks")

# %% [markdown]
# A picture of VGG-16: the first layers give the largest bounds, and Theorem 1, which waits for
# $T_R>112$, speaks only in the last block.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-audit-vgg", "caption": "VGG-16 at 224×224: logarithms of both bounds by the layer K that gives them. The exponents shrink with the total stride."}, "image": {"alt": "The crossing bound starts at about 800, peaks at about 1350 at conv1_2, falls with every pooling and rises with every convolution, and ends below 2. Theorem 1 appears from conv5_1 on, at about 150."}}
vgg = audits["VGG-16"].bounds()
names = [layer.name for layer in audits["VGG-16"].layers if layer.name in vgg.crossing_by_layer]
curves = {
    title: [table[n].bound.log10 if n in table else None for n in names]
    for title, table in (("crossing bound", vgg.crossing_by_layer), ("Theorem 1", vgg.overlap_by_layer))
}
with figure(6.6, 4.0) as (drawing, axes):
    draw_bounds_by_layer(axes, names, curves)

# %%
print("crossing bound:", {n: str(vgg.crossing_by_layer[n]) for n in names})
print("Theorem 1:     ", {n: str(vgg.overlap_by_layer[n]) for n in names if n in vgg.overlap_by_layer})

# %% [markdown]
# The base is at most $M$. Read the first convolution on raw RGB values, with no representation layer,
# and $M=3$: the exponents stay, the base does not.

# %%
for name in ("VGG-16", "ResNet-50", "GoogLeNet"):
    bounds = audits[name].bounds(representation=3)
    print(f"{name:9}  M=3: Theorem 1 {bounds.overlap}, crossing bound {bounds.crossing}")
glue("14-vgg-rgb", str(audits["VGG-16"].bounds(representation=3).crossing))

# %% [markdown]
# ## GoogLeNet, branch by branch
#
# The quoted $32^{98}$ takes every inception module as one $5\times5$ layer of its whole width
# (`collapse`). The $5\times5$ branch of the real module passes through 16 channels. Following only
# these branches (`avoid` the others) leaves base 8. The $3\times3$ branches are wide enough, one module later.

# %%
google = audits["GoogLeNet"]
others = r"inception\w+\.({}|1x1|pool)"
readings = {
    "one layer per module": {"collapse": (r"features\.inception\w+",)},
    "5×5 branches": {"avoid": (others.format("3x3"),)},
    "3×3 branches": {"avoid": (others.format("5x5"),)},
    "any path": {},
}
print("reading               Theorem 1  at               crossing bound beyond conv1  at")
results = {}
for title, options in readings.items():
    bounds = google.bounds(**options)
    inner = {n: b for n, b in bounds.crossing_by_layer.items() if "inception" in n}
    best = max(inner.values(), key=lambda b: b.bound.log10)
    results[title] = str(bounds.overlap), short(bounds.overlap.name)
    print(f"{title:20}  {bounds.overlap!s:>9}  {results[title][1]:15}  {best!s:>27}  {short(best.name)}")
expected = {
    "one layer per module": ("32^98", "inception4a"),
    "5×5 branches": ("8^98", "inception4a.5x5.conv"),
    "3×3 branches": ("32^98", "inception4b.3x3.conv"),
}
glue("14-google-chain", results["one layer per module"][0])
glue("14-google-five", results["5×5 branches"][0])
glue("14-google-three", results["3×3 branches"][0])
print("the chain of notebook 9:", googlenet_stack("pixels").overlap_bound())
verify(
    "audit-googlenet-branches",
    all(results[k] == v for k, v in expected.items())
    and results["one layer per module"][0] == str(googlenet_stack("pixels").overlap_bound()),
    detail="three readings of GoogLeNet",
)

# %% [markdown]
# ## Your own network
#
# Functional calls are followed like modules. This network downsamples twice: once with padding at the
# end only, as TensorFlow does, and once with padding on both sides.


# %%
class TwoStages(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 5, padding=2)
        self.down1, self.skip1 = nn.Conv2d(16, 32, 3, 2), nn.Conv2d(16, 32, 1, 2)
        self.down2, self.skip2 = nn.Conv2d(32, 64, 3, 2, 1), nn.Conv2d(32, 64, 1, 2)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = F.relu(self.down1(F.pad(x, (0, 1, 0, 1))) + self.skip1(x))
        x = F.relu(self.down2(x) + self.skip2(x))
        x = torch.cat([x, F.max_pool2d(x, 3, 1, 1)], 1)[:, ::2]
        return self.head(x.mean((2, 3)))


mine = audit(TwoStages(), size=64)
for join in mine.joins:
    print(f"{join.name:8} {'aligned' if join.aligned else 'misaligned: ' + '; '.join(join.problems)}")
print("last map:", geometry(mine))
misaligned = [join.name for join in mine.joins if not join.aligned]
print("misaligned joins:", len(misaligned))

# %% [markdown]
# The first join is off by one pixel. The later ones are compared branch by branch, and agree. The records of all layers go straight into a table
# (`pandas.DataFrame(mine.records())`).

# %%
for row in mine.records()[:4]:
    print({key: row[key] for key in ("layer", "receptive_field", "total_stride", "start", "crossing")})

# %% [markdown]
# An operation that the audit does not know is refused by name. Nothing is guessed.


# %%
class Spectral(nn.Module):
    def forward(self, x):
        return torch.fft.rfft2(x).abs()


try:
    audit(nn.Sequential(nn.Conv2d(3, 8, 3), Spectral()), 32)
except UnsupportedOperation as error:
    print(error)
    refused = str(error)
assert "fft" in refused

# %% [markdown]
# The same from the command line: `python -m lib.audit lib.audit.models:alexnet --size 224` prints the
# table, `--json` the records. Here it is called in place.

# %%
main(["lib.audit.models:alexnet", "--size", "224"])

# %% [markdown]
# ## What to remember
#
# - Fields, strides and centers follow every path of the true graph, and derivatives confirm them.
# - The bounds are theorems about the surrogate with products; a chain through the graph proves them.
# - The first overlapping window already gives an exponential bound; behind large strides the bounds
#   are smaller.
#
# **Try it:** audit your own model; give `halving_unit` other paddings; widen the bottleneck in
# `parallel` and watch the bound; audit `models.googlenet` at another size.
