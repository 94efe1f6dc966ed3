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
# # The audit, run on well-known networks
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/14_audit_a_network.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/14_audit_a_network.ipynb)
#
# How far does a unit of your network see, do its branches agree, and what does the overlap theorem say
# about its shape? One call answers for a PyTorch module, or names the operation that it does not know,
# and leaves the module as it was. What it says of fields and of bounds is checked here a second way.
# Statements and proofs are on [the page](../book/audit-a-network.md).

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course && cd course && "{sys.executable}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import copy, itertools, torch

from lib import (Architecture, Modular, Real, certify, check_answer, checking,
                 exact_rank, forward, generalized_conv, glue, googlenet_stack,
                 grid_tensor, matricize, photograph_patches, table)
from lib.audit import (UnsupportedOperation, audit, effective_field, models)
from lib.plots.audit import (draw_bounds_by_layer, draw_field_growth,
                             draw_influence, draw_unit, figure, path_field)

nn, F = torch.nn, torch.nn.functional

# %% [markdown]
# ## The field of your network in three lines
#
# Your own module goes in the place of this one, a small residual network, written with functions as
# well as modules.

# %%
class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 5, 2, 2)
        self.skip = nn.Conv2d(16, 32, 1, 2)
        self.down = nn.Conv2d(16, 32, 3, 2, 1)
        self.conv, self.head = nn.Conv2d(32, 32, 3, 1, 1), nn.Linear(32, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2, 1)
        x = F.relu(self.conv(F.relu(self.down(x))) + self.skip(x))
        return self.head(x.mean((2, 3)))


found = audit(Small(), size=64)
print(found.last_map[0].size, "pixels, stride", found.last_map[0].stride)

# %% [markdown]
# The audit itself is a table of layers, with what they amount to below. `T_R` is the field of a unit
# in pixels, `T_S` the distance between the fields of neighbors.

# %%
found

# %% [markdown]
# The same as Markdown, CSV or a dictionary: `found.table("markdown")`, `found.table("csv")`,
# `found.to_dict()`.
#
# ## What one unit sees
#
# For one unit of a layer, the audit names the pixels. At the border a part of its field is padding.

# %%
corner, middle = found.box("conv", (0, 1)), found.box("conv", (4, 4))
print(corner)
print(middle)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-audit-boxes", "caption": "What two units of the same layer see of a 64×64 photograph. Dashed: the field beyond the border, which published tables count."}, "image": {"alt": "A portrait of Grace Hopper, twice, with a shaded square on each. On the left it is cut by the upper and the left border, and a dashed frame shows the part outside; on the right it lies inside the photograph."}}
image = photograph_patches(512, 1, torch.Generator().manual_seed(2))
image = image.view(512, 512, 3)[::8, ::8].byte()
with figure(7.2, 3.6, columns=2) as (drawing, axes):
    for ax, box in zip(axes, (corner, middle)):
        draw_unit(ax, box, found.size, image, title=f"unit {box.unit}")

# %% [markdown]
# ## From here on every unit sees the whole image
#
# A network made for large images may look far beyond a small one. The audit names the layer from
# which on every unit sees everything, and the layers whose windows then add no pixels. They still
# compute something; what they do not do is look farther.

# %%
with torch.device("meta"):  # only shapes matter here: no memory for weights
    resnet = models.resnet(18)
size_rows = []
for size in (32, 64, 224):
    seen = audit(resnet, size)
    size_rows.append((f"{size} × {size}", seen.global_from, len(seen.idle),
                      len(seen.layers)))
table(size_rows, ["image", "everything is seen from",
                  "layers that add nothing", "layers"])

# %% tags=["remove-cell"]
glue("14-small-from", size_rows[0][1].removeprefix("features."))
glue("14-small-idle", size_rows[0][2])

# %% [markdown]
# ## How much each pixel matters
#
# A field says which pixels *can* matter. The gradient of a unit says how much they do, here with the
# weights that a network begins with. Most of it is near the middle, so the *effective* field is
# smaller than the theoretical one.

# %%
torch.manual_seed(14)
deep = nn.Sequential(*itertools.chain(*(
    (nn.Conv2d(3 if i == 0 else 16, 16, 3, padding=1), nn.ReLU())
    for i in range(10))))
measured = effective_field(deep, size=41, samples=4, seed=14)
(top, bottom), _ = measured.theoretical
table([("can matter", bottom - top + 1),
       *((f"{100 * share:g} % of the gradient", measured.size(share)[0])
         for share in (0.95, 0.5))],
      ["pixels along an axis that", "count"])

# %% tags=["remove-cell"]
glue("14-effective-field", bottom - top + 1)
glue("14-effective-most", measured.size(0.95)[0])
glue("14-effective-half", measured.size(0.5)[0])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-audit-influence", "caption": "Gradients of one unit after ten 3×3 convolutions, dark where they are large. Framed: the theoretical field."}, "image": {"alt": "A frame of 21 by 21 pixels in a square of 41 by 41. Inside the frame a round gray spot, darkest in the middle and nearly white at the frame."}}
with figure(3.6, 3.4) as (drawing, axes):
    draw_influence(axes, measured)

# %% [markdown]
# ## Gates look at everything
#
# A squeeze-and-excitation multiplies each channel by one number, computed from the whole map. From
# there on every unit depends on every pixel. That is true, and rarely what one wants to know. So the
# audit also says what units see without global gates, norms and attention.

# %%
class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.conv(x.mean((2, 3), keepdim=True)))


gated = audit(nn.Sequential(
    nn.Conv2d(3, 8, 3, 2, 1), Gate(8), nn.Conv2d(8, 8, 3, 2, 1), Gate(8)), 64)
rows = [("as it is", gated.last_map[0].size, gated.output[0].everything),
        ("without gates", gated.local.last_map[0].size,
         gated.local.output[0].everything)]
table(rows, ["audit", "field of the last map", "output sees everything"])

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
    branch = nn.Sequential(
        nn.ConstantPad1d(padding, 0.0), nn.Conv1d(3, 3, 3, 2),
        nn.Conv1d(3, 3, 3, padding=1))
    return Residual(branch, nn.Conv1d(3, 3, 1, 2))


rows = []
for padding in ((1, 1), (0, 1)):
    paths = [(3, 2, padding[0]), (3, 1, 1)], [(1, 2, 0)]
    fields = [path_field(path, unit=0) for path in paths]
    hull = (min(a for a, _ in fields), max(b for _, b in fields))
    report = audit(halving_unit(padding), (14,), 3)
    seen = report.output[0]
    by_audit = (seen.start, seen.start + seen.size - 1)
    (join,) = report.joins
    rows.append((padding, *fields, hull, by_audit, join.aligned))
    assert hull == by_audit
table(rows, ["padding", "branch", "shortcut", "hull", "audit", "aligned"])

# %% [markdown]
# In the second case the branch looks one pixel to the right of the shortcut. The audit names the
# join and the two centers.

# %%
(late,) = audit(halving_unit((0, 1)), (14,), 3).joins
print(late.name, late.problems)

# %% [markdown]
# ## Derivatives as an independent witness
#
# Give a network equal positive weights and let its pools average. Then the derivative of a unit with
# respect to a pixel is positive if some path connects them, and zero if not. Backpropagation knows
# nothing of our arithmetic. The image is tall enough to hold the whole field.


# %%
def on_meta(factory, *options):
    """A network without memory for its weights: only shapes matter here."""
    with torch.device("meta"):
        return factory(*options)


def positive(model):
    """Equal positive weights and averaging pools, on real memory."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            average = nn.AvgPool2d(module.kernel_size, module.stride,
                                   module.padding, module.ceil_mode)
            path, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(path), leaf, average)
    model.to_empty(device="cpu").eval()
    for name, values in model.state_dict().items():
        equal = 1 / values[0].numel() if values.ndim > 1 else 1.0
        values.fill_(0.0 if "mean" in name else equal)
    return model.requires_grad_(False)


def rows_by_derivative(model, height, unit):
    """First and last image row that a unit of the output depends on."""
    image = torch.ones(1, 3, height, 32, requires_grad=True)
    output = positive(model)(image)
    chosen = output[0, :, unit, 0].sum()
    (gradient,) = torch.autograd.grad(chosen, image)
    rows = gradient[0].amax((0, 2)).nonzero().flatten()
    return int(rows[0]), int(rows[-1])


oracle_models = {
    "ResNet-18": (models.resnet, 18),
    "GoogLeNet": (models.googlenet,),
    "MobileNet-v1, end": (models.mobilenet_v1, "end"),
    "dilated stack": (models.dilated_stack, 5, 8),
}

oracle_rows = []
for name, options in oracle_models.items():
    trunk = on_meta(*options).features
    height = audit(trunk, 96).last_map[0].size + 96
    report = audit(trunk, (height, 32))
    axis = report.last_map[0]
    unit = report.trace.outputs[0].shape[2] // 2
    first = axis.start + unit * int(axis.stride)
    expected = (first, first + axis.size - 1)
    oracle_rows.append((name, axis.size, expected,
                        rows_by_derivative(trunk, height, unit)))
table(oracle_rows, ["network", "T_R", "rows by audit", "rows by derivative"])

# %% tags=["hide-input"]
with checking("audit-receptive-fields",
              detail="{count} networks, derivatives agree") as check:
    for name, _, expected, derived in oracle_rows:
        check(expected == derived, name)

# %% tags=["remove-cell"]
glue("14-oracle-networks", len(oracle_models))

# %% [markdown]
# ## The published table
#
# Araujo, Norris and Sim (2019) computed field, effective stride and effective padding for the TF-Slim
# versions of well-known networks. The numbers typed here are theirs; the audit has to find them.

# %%
published = {
    "AlexNet": ((models.alexnet, 0), (195, 32, 64)),
    "VGG-11": ((models.vgg, 11), (150, 32, 59)),
    "VGG-16": ((models.vgg, 16), (212, 32, 90)),
    "ResNet-50": ((models.resnet, 50, "last unit"), (483, 32, 239)),
    "ResNet-101": ((models.resnet, 101, "last unit"), (1027, 32, 511)),
    "ResNet-152": ((models.resnet, 152, "last unit"), (1507, 32, 751)),
    "Inception-v3": ((models.inception_v3,), (1311, 32, 618)),
    "MobileNet-v1": ((models.mobilenet_v1, "end"), (315, 32, 126)),
}


def numbers_of(report):
    """The last map; for AlexNet the last pooling, as in the table."""
    pooled = [r.geometry for r in report.layers if r.name == "pool5"]
    axis = (pooled or [report.last_map])[0][1]
    return axis.size, int(axis.stride), axis.padding


audits, published_rows = {}, []
for name, (options, numbers) in published.items():
    slim, ours = audit(on_meta(*options)), None
    if name not in ("ResNet-101", "ResNet-152"):  # deeper, of the same units
        audits[name] = audit(on_meta(models.FAMOUS[name]))
        ours = numbers_of(audits[name])
    if name == "ResNet-50":
        audits["ResNet-50, last unit"] = slim
    published_rows.append((name, numbers, numbers_of(slim), ours))
table(published_rows, ["network", "published", "audit", "PyTorch's form"])

# %% tags=["hide-input"]
with checking("audit-published-table",
              detail="{count} networks, all 3 columns") as check:
    for name, numbers, ours, _ in published_rows:
        check(numbers == ours, name)

# %% [markdown]
# Where the columns differ, the networks differ. AlexNet and MobileNet only place their padding
# elsewhere. A ResNet halves its map between two stages. PyTorch's form does it in the $3\times3$ of
# the first new unit, the paper's in the $1\times1$ before it, TF-Slim in the $3\times3$ of the last old
# unit. In the last two, one more $3\times3$ window comes after the halving and counts in doubled
# steps, at each of three places: $427 + 8 + 16 + 32 = 483$.

# %%
paper = audit(on_meta(models.resnet, 50, "first unit", "1x1"))
forms = {"3×3 of the first unit (PyTorch)": audits["ResNet-50"],
         "1×1 of the first unit (paper)": paper,
         "3×3 of the last unit (TF-Slim)": audits["ResNet-50, last unit"]}
assert 427 + 8 + 16 + 32 == paper.last_map[1].size
table([(where, form.last_map[1].size) for where, form in forms.items()],
      ["ResNet-50 halves in the", "T_R"])

# %% tags=["remove-cell"]
glue("14-resnet-first", audits["ResNet-50"].last_map[1].size)
glue("14-resnet-last", audits["ResNet-50, last unit"].last_map[1].size)

# %% [markdown]
# ## How fields grow

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-audit-growth", "caption": "The largest field of any unit up to each layer, 224×224 input. VGG-16 passes half of the image at layer 15, ResNet-50 at layer 31, the dilated stack never."}, "image": {"alt": "Five rising staircases. VGG-16 ends at 212 pixels after 19 layers, MobileNet-v1 at 315 after 27, ResNet-50 at 427 after 54, GoogLeNet at 715 after 70; a dilated stack of five layers ends at 63, below the line at half of the image, 112."}}
for name in ("ResNet-18", "ResNet-34", "GoogLeNet", "dilated stack"):
    audits[name] = audit(on_meta(models.FAMOUS[name]))
growth = {}
for name in ("VGG-16", "MobileNet-v1", "ResNet-50", "GoogLeNet",
             "dilated stack"):
    sizes = [axis.size for layer in audits[name].layers
             if (axis := layer.geometry[1]).stride]
    growth[name.split()[0]] = list(itertools.accumulate(sizes, max))
with figure(6.6, 4.2) as (drawing, axes):
    draw_field_growth(axes, growth, 224,
                      left=("VGG-16", "MobileNet-v1", "GoogLeNet"))

# %%
rows, half = [], 224 // 2  # of the image
for name, values in growth.items():
    first = next((k for k, size in enumerate(values, 1) if size > half), None)
    rows.append((name, len(values), values[-1], first))
table(rows, ["network", "layers", "largest T_R",
             f"first layer with T_R > {half}"])

# %% [markdown]
# ## The surrogate, executed
#
# The theorem speaks about products. So take the network's own `forward` and replace its layers: each
# convolution or pooling becomes a generalized convolution with product pooling, biases and the same
# window, stride, dilation and channels; activations disappear. Joins stay what they are.

# %%
field = Modular()
generator = torch.Generator().manual_seed(14)


class Product(nn.Module):
    """The generalized convolution that stands for a layer, random, exact."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.weights = layer, None

    def draw(self, inputs, cells):
        layer, width, groups, step = self.layer, inputs, 1, 1
        if isinstance(layer, nn.Conv1d):
            width, groups, step = layer.out_channels, layer.groups, \
                layer.dilation[0]
            window, stride = layer.kernel_size[0], layer.stride[0]
        elif isinstance(layer, nn.AdaptiveAvgPool1d):
            window = stride = cells  # global pooling: one window
        else:
            window, stride = layer.kernel_size, layer.stride
        spread = (window - 1) * step + 1
        weight = torch.zeros(width, inputs, spread, dtype=torch.float64)
        bias = torch.ones(width, spread, dtype=torch.float64)
        weight[..., ::step] = field.random((width, inputs, window), generator)
        bias[..., ::step] = field.random((width, window), generator)
        out, into = torch.arange(width)[:, None], torch.arange(inputs)
        weight *= (out * groups // width == into * groups // inputs)[..., None]
        return weight, bias, stride

    def forward(self, x):
        self.weights = self.weights or self.draw(*x.shape[1:])
        return generalized_conv(field.reduce(x), *self.weights, field)


def surrogate(model):
    """The same graph with products; a layer used twice stays one layer."""
    model = copy.deepcopy(model)
    layers = (nn.Conv1d, nn.MaxPool1d, nn.AdaptiveAvgPool1d)
    made = {id(m): Product(m) for m in model.modules() if isinstance(m, layers)}
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if id(child) in made:
                setattr(parent, name, made[id(child)])
            elif isinstance(child, nn.ReLU):
                setattr(parent, name, nn.Identity())
    return model


def certified_rank(model, size=8, templates=3):
    """Exact left–right rank of the surrogate at random weights and F."""
    circuit = surrogate(model)
    shown = field.random((templates, templates), generator)

    def network(inputs):
        return field.reduce(circuit(inputs.movedim(-1, 1)))[:, 0, 0]

    tensor = grid_tensor(network, shown, size)
    return exact_rank(matricize(tensor, "left-right"), field.prime).rank


# %% [markdown]
# Small networks with joins by sum, difference, product and concatenation, and with channels that are
# dropped, tied or cancelled, on eight pixels with three templates: $81\times81$ matrices. The audit
# reads the network, the certificate runs the surrogate.


# %%
class Written(nn.Module):
    """A network in a few words: a function of the input and of modules."""

    def __init__(self, function, *modules):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(modules)

    def forward(self, x):
        return self.function(x, *self.parts)


def conv(inputs, outputs, window, stride=1, dilation=1, groups=1):
    return nn.Conv1d(inputs, outputs, window, stride,
                     dilation * (window - 1) // 2, dilation, groups)


def closed(*layers, width):
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1),
                         nn.Conv1d(width, 1, 1))


def unit(inner, last=1, around=None):
    """A residual unit on 6 channels, perhaps with another inside."""
    branch = [conv(6, inner, 3), *([around] if around else []),
              conv(inner, 6, last)]
    return Residual(nn.Sequential(*branch), nn.Identity())


parallel = models.Parallel(
    conv(3, 2, 1), nn.Sequential(conv(3, 4, 1), conv(4, 3, 3)),
    nn.Sequential(conv(3, 2, 1), conv(2, 3, 5)))
inside = Residual(nn.Sequential(conv(8, 8, 3), conv(8, 8, 1)), nn.Identity())
two = models.Parallel(conv(3, 6, 3), conv(3, 6, 1))
small = {
    "no overlaps": closed(conv(3, 4, 2, 2), conv(4, 4, 2, 2), width=4),
    "one layer": closed(conv(3, 3, 3), width=3),
    "two layers": closed(conv(3, 6, 3), nn.ReLU(), conv(6, 3, 3), width=3),
    "dilated": closed(conv(3, 6, 3), conv(6, 3, 3, dilation=2), width=3),
    "pooled": closed(conv(3, 4, 3), nn.MaxPool1d(3, 2, 1), width=4),
    "depthwise": closed(conv(3, 3, 1), conv(3, 3, 3, groups=3),
                        conv(3, 3, 1), width=3),
    "residual": closed(conv(3, 6, 1), unit(8), width=6),
    "narrow residual": closed(conv(3, 6, 1), unit(2), width=6),
    "nested residuals": closed(conv(3, 6, 1), unit(8, around=inside), width=6),
    "projection": closed(conv(3, 4, 3), Residual(
        nn.Sequential(conv(4, 4, 3, 2), conv(4, 4, 3)), conv(4, 4, 1, 2)),
        width=4),
    "inception": closed(parallel, conv(8, 4, 1), width=4),
    "gate": closed(conv(3, 4, 3), Written(
        lambda x, c, p: x * c(p(x)), conv(4, 4, 1), nn.AdaptiveAvgPool1d(1)),
        width=4),
    "dropped branch": closed(two, Written(lambda x: x[:, 6:]), width=6),
    "dropped half": closed(two, Written(lambda x: x[:, ::2]), width=6),
    "one layer twice": closed(
        Written(lambda x, c: c(x) - c(x), conv(3, 3, 3)), width=3),
    "tied channels": closed(Written(lambda x: x[:, :1].expand(-1, 3, -1)),
                            conv(3, 4, 5), width=4),
    "nothing left": closed(conv(3, 3, 3), Written(lambda x: x - x), width=3),
}

graph_rows = []
for name, model in small.items():
    bounds = audit(model, (8,), 3).bounds(representation=3)
    best = bounds.best
    graph_rows.append((name, bounds.overlap and bounds.overlap.bound,
                       best and best.bound, best and best.name,
                       certified_rank(model)))
table(graph_rows, ["network", "overlap theorem", "best bound", "from layer",
                   "rank of the surrogate"])

# %% tags=["hide-input"]
with checking("audit-surrogate-bound",
              detail=f"{len(small)} graphs, exact ranks") as check:
    for name, theorem, crossing, _, rank in graph_rows:
        check(rank >= max(theorem or 1, crossing or 1), name)
    ranks = {name: rank for name, *_, rank in graph_rows}
    check(ranks["one layer twice"] == ranks["nothing left"] == 1)

# %% tags=["remove-cell"]
glue("14-surrogate-graphs", len(small))

# %% [markdown]
# The bounds are never above the rank and often far below. Where channels are dropped, tied or
# cancelled they shrink or are silent.
#
# A pooling becomes a layer that mixes channels, as in the paper. If pools keep channels apart, less is
# true.

# %%
for pools in ("mixing", "channelwise"):
    bounds = audit(small["one layer"], (8,), 3).bounds(
        representation=3, pools=pools)
    print(f"pools {pools}: crossing bound {bounds.crossing}")

# %% [markdown]
# ## Rectifiers: what does not carry over
#
# "Almost all weights" fails for rectifiers. If the first layer is inactive on all templates, the output
# is one constant, and it stays so for all weights nearby. With products, almost all weights have rank 9.

# %%
net = Architecture((8,), 3, ((3, 1, 3), (8, 8, 1)))
templates = torch.eye(3, dtype=torch.float64)
constant = []
for _ in range(50):
    first, *others = net.random_weights(Real(), generator)
    inactive = (first[0].clamp(-1, 1), -3 + first[1].clamp(-1, 1))

    def rectifier(inputs):  # every affine map of layer 1 is at most 1 - 2
        scores = forward(net, [inactive, *others], inputs.movedim(-1, 1),
                         pooling="max", activation="relu")
        return scores[:, 0, 0]

    outputs = grid_tensor(rectifier, templates, 8)
    constant.append(bool((outputs == outputs.flatten()[0]).all()))
print("constant outputs:", sum(constant), "of", len(constant))
print("with products:", certify(net, "left-right", seed=14))

# %% tags=["hide-input"]
with checking("audit-dead-region", detail=f"{len(constant)} random points of "
              "an open set, constant outputs") as check:
    check(all(constant))

# %% [markdown]
# ## Famous networks
#
# The table for an input of $224\times224$, with as many representation channels $M$ as each bound can
# use. Both bounds hold for almost all weights of the surrogate.


# %%
def short(name):
    name = name.removeprefix("features.").removesuffix(".conv")
    return name.replace("branch.", "")


order = [*models.FAMOUS]
order.insert(order.index("ResNet-50") + 1, "ResNet-50, last unit")
order = [name for name in order if name in audits]
best, rows = {}, []
for name in order:
    axis, best[name] = audits[name].last_map[1], audits[name].bounds()
    theorem, crossing = best[name].overlap, best[name].crossing
    rows.append((name, len(audits[name].layers), axis.size, axis.stride,
                 theorem and theorem.bound, theorem and short(theorem.name),
                 crossing.bound, short(crossing.name)))
table(rows, ["network", "layers", "T_R", "T_S", "overlap theorem", "at",
             "crossing bound", "at layer"])

# %% tags=["remove-cell"]
digits = len(str(best["ResNet-50"].crossing.bound.value))
glue("14-vgg", best["VGG-16"].crossing.bound)
glue("14-vgg-at", short(best["VGG-16"].crossing.name))
glue("14-resnet-at", short(best["ResNet-50"].crossing.name))
glue("14-inception-at", short(best["Inception-v3"].crossing.name))
glue("14-mobilenet-at", short(best["MobileNet-v1"].crossing.name))
glue("14-dilated-at", short(best["dilated stack"].crossing.name))
glue("14-vgg-theorem", best["VGG-16"].overlap.bound)
glue("14-resnet", best["ResNet-50"].crossing.bound)
glue("14-resnet-digits", digits)
glue("14-inception", best["Inception-v3"].crossing.bound)
glue("14-mobilenet", best["MobileNet-v1"].crossing.bound)
glue("14-mobilenet-theorem", str(best["MobileNet-v1"].overlap))
glue("14-dilated", best["dilated stack"].crossing.bound)
glue("14-dilated-field", audits["dilated stack"].last_map[1].size)

# %% [markdown]
# In most of these networks the very first window alone gives half of the digits or more. A first layer
# with window $R$, stride $S$ and $D_1$ channels, where $S$ divides $H/2$ and $R-1\le H/2$, has the bound
# $\min(M,D_1+1)^{\lfloor (R-1)/S\rfloor\cdot\lceil H/S\rceil}$.

# %%
groups, rows = {}, []
for name in order:
    first = audits[name].layers[0]
    shape = first.window[1], first.stride[1], first.channels
    groups.setdefault(shape, []).append(name)
for (window, stride, width), names in groups.items():
    formula = f"{width + 1}^{(window - 1) // stride * -(-224 // stride)}"
    firsts = {str(best[n].crossing_by_layer[audits[n].layers[0].name])
              for n in names}
    rows.append((window, stride, width, formula, *firsts, len(names)))
table(rows, ["R", "S", "D_1", "formula", "audit", "networks"])

# %% tags=["hide-input"]
with checking("audit-first-layer", evidence="closed form",
              detail=f"{len(order)} networks") as check:
    for *_, formula, by_audit, _ in rows:
        check(formula == by_audit, formula)

# %% [markdown]
# A picture of VGG-16: the second layer gives the largest bound, and the overlap theorem, which waits for
# $T_R>112$, speaks only from the last block on.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-audit-vgg", "caption": "VGG-16 at 224×224: logarithms of both bounds by the layer K that gives them. The exponents shrink with the total stride."}, "image": {"alt": "The crossing bound starts at about 800, peaks at about 1600 at conv1_2, falls with every pooling, rises with every convolution but the last two, which keep it, and ends below 2. The overlap theorem appears from conv5_1 on, at about 150."}}
vgg = best["VGG-16"]
names = [layer.name for layer in audits["VGG-16"].layers
         if layer.name in vgg.crossing_by_layer]
curves = {
    title: [found[n].bound.log10 if n in found else None for n in names]
    for title, found in (("crossing bound", vgg.crossing_by_layer),
                         ("overlap theorem", vgg.overlap_by_layer))}
with figure(6.6, 4.0) as (drawing, axes):
    draw_bounds_by_layer(axes, names, curves)

# %%
table([(n, vgg.crossing_by_layer[n].bound,
        vgg.overlap_by_layer[n].bound if n in vgg.overlap_by_layer else None)
       for n in names], ["layer K", "crossing bound", "overlap theorem"])

# %% [markdown]
# The base is at most $M$. Read the first convolution on raw RGB values, with no representation layer,
# and $M=3$. The crossing bound keeps its exponents and stops at the base 3. Private pixels do not: behind
# a stride of 2, a window has up to four pixels to itself on a side. They have $3^4=81$ contents, more than
# 64 channels tell apart.

# %%
M = 3  # raw colors
raw = {name: audits[name].bounds(representation=M)
       for name in ("VGG-16", "ResNet-50", "GoogLeNet")}
table([(name, *(one and one.bound for one in (found.overlap, found.crossing,
                                              found.private)),
        found.private and short(found.private.name))
       for name, found in raw.items()],
      [f"M = {M}", "overlap theorem", "crossing bound", "private pixels",
       "at layer"])

# %% tags=["remove-cell"]
if M == 3:  # the page is about colors
    glue("14-vgg-rgb", raw["VGG-16"].crossing.bound)
    glue("14-vgg-raw", raw["VGG-16"].best.bound)
    glue("14-vgg-raw-at", short(raw["VGG-16"].best.name))
    glue("14-resnet-raw", raw["ResNet-50"].best.bound)
    glue("14-googlenet-raw", str(raw["GoogLeNet"].best.bound))

# %% [markdown]
# ## GoogLeNet, branch by branch
#
# The quoted $32^{98}$ takes every inception module as one $5\times5$ layer of its whole width
# (`collapse`). The $5\times5$ branch of the real module passes through 16 channels. Following only
# these branches (`avoid` the others) leaves base 8. The $3\times3$ branches are wide enough, one module later.

# %%
others = r"inception\w+\.({}|1x1|pool)"
readings = {
    "one layer per module": {"collapse": (r"features\.inception\w+",)},
    "5×5 branches": {"avoid": (others.format("3x3"),)},
    "3×3 branches": {"avoid": (others.format("5x5"),)},
    "any path": {},
}
results = {}
for title, options in readings.items():
    reading = audits["GoogLeNet"].bounds(**options)
    results[title] = reading.overlap.bound, short(reading.overlap.name)
chain = googlenet_stack("pixels").overlap_bound()
table([*((title, *result) for title, result in results.items()),
       ("the chain of notebook 9", chain, None)],
      ["reading", "overlap theorem", "at"])

# %% tags=["hide-input"]
expected = {"one layer per module": (2 ** 490, "inception4a"),
            "5×5 branches": (8 ** 98, "inception4a.5x5.conv"),
            "3×3 branches": (32 ** 98, "inception4b.3x3.conv")}
with checking("audit-googlenet-branches", evidence="closed form",
              detail=f"{len(expected)} readings of GoogLeNet") as check:
    for title, result in expected.items():
        check(results[title] == result, title)
    check(results["one layer per module"][0] == chain)

# %% tags=["remove-cell"]
glue("14-google-chain", results["one layer per module"][0])
glue("14-google-five", results["5×5 branches"][0])
glue("14-google-three", results["3×3 branches"][0])

# %% [markdown]
# ## What is refused
#
# An operation that the audit does not know is refused by name. No field is guessed.


# %%
class Spectral(nn.Module):
    def forward(self, x):
        return torch.fft.rfft2(x).abs()


try:
    audit(nn.Sequential(nn.Conv2d(3, 8, 3), Spectral()), 32)
except UnsupportedOperation as error:
    print(str(error).partition(";")[0])

# %% [markdown]
# From a command line, in a clone of the course:
# `python -m lib.audit mynet.py:Net --args "10, width=64" --size 224`. Where the package is installed,
# the command is `overlap-audit`. `--format csv` or `json` writes the records,
# `--box layer3 --unit "7,7" --picture unit.png` the pixels of one unit, `--help` shows the rest.
#
# ## What to remember
#
# - Fields, strides and centers follow every path of the true graph, and derivatives confirm them.
# - The bounds are theorems about the surrogate with products; a chain through the graph proves them.
# - The first overlapping window already gives an exponential bound; behind large strides the bounds
#   are smaller.
#
# **Try it:** audit your own model; give `halving_unit` other paddings; widen the bottleneck of two
# channels in `parallel` until the overlap theorem says something, and make it so narrow that the
# crossing bound falls; audit `models.googlenet` at another size.

# %% [markdown]
# ## Try it
#
# Write a few lines in place of `None` and run the cell. It says at once whether they are right; if
# not, it names the smallest input it knows on which they fail. All it needs is the set-up and the
# imports at the top. The first is for everyone, the last is hard; [the
# page](../book/audit-a-network.md#exercises) has more.

# %% [markdown]
# ### The first stage of a ResNet
#
# A 7×7 convolution with stride 2, a 3×3 pooling with stride 2, then residual units of two 3×3
# convolutions with stride 1 each. How many pixels wide is the field after so many units?


# %% tags=["exercise"]
def stage_field(units):
    return None


check_answer("14-stage", stage_field)

# %% [markdown]
# ### Nine weights, 27 pixels
#
# Layers with stride 1 on a line, each given as (window, dilation). With at most nine weights in all
# windows together, let one unit see 27 neighboring pixels, and leave none out.

# %% tags=["exercise"]
nine_weights = None  # as [(5, 1), (4, 2)]

check_answer("14-no-holes", nine_weights)

# %% [markdown]
# ### SAME padding
#
# A branch with one $R\times R$ convolution of stride $S$ and a $1\times1$ shortcut of the same
# stride. SAME padding adds $\max(0,(\lceil n/S\rceil-1)S+R-n)$ cells in all to a map of $n$, half of
# them, rounded down, before it. Are the two branches aligned?


# %% tags=["exercise"]
def same_aligned(n, R, S):
    """Return True or False."""
    return None


check_answer("14-same", same_aligned)

# %% [markdown]
# ### A thin stem
#
# One 7×7 convolution of stride 2 with 64 channels on RGB images of 224×224, $M=64$, has the crossing
# bound $64^{336}$ and 9,408 weights. Replace it by three 3×3 convolutions with strides 2, 1, 1.
# Choose the channels of the first two, the third has 64, so that the bound is larger and there are
# fewer weights.

# %% tags=["exercise"]
stem_channels = None  # as (32, 32)

check_answer("14-stem", stem_channels)
