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
# # The proof's network, weight by weight
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/10_proof_construction.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/10_proof_construction.ipynb)
#
# The overlap theorem is proved by one network with hand-written weights. Here it is built, layer by
# layer, looked at, and certified; then it is run at sizes where no matrix could be stored. The proof
# is on [the page](../book/proof-construction.md). A line that begins with *claim holds* checks one of
# its statements; the [ledger](../book/ledger.md) lists them.

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules:  # there, fetch the course and what it needs
    subprocess.run(f'(test -d course || git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course) && cd course && "{sys.executable}" -m lib.course.colab', shell=True, check=True)
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import torch

from lib import (Architecture, Modular, Real, block_network, certify,
                 certify_weights, checking, exact_rank, forward, glue,
                 googlenet_stack, indices, matricize, overlap_construction,
                 table)
from lib.plots.proof import draw_chains, draw_kernel, draw_matrix, figure

field = Modular()
generator = torch.Generator().manual_seed(10)

# %% [markdown]
# ## One window compares two pixels
#
# Four pixels in a row, three templates, a first layer with window 3 and three channels, and a second
# layer that multiplies everything. `overlap_construction` writes the weights of the proof for any
# nonsingular matrix $F$ of representation functions. Start with $F = I$ in ordinary numbers.

# %%
line = Architecture((4,), 3, ((3, 1, 3), (4, 4, 1)))
identity = torch.eye(3, dtype=torch.float64)
built = overlap_construction(line, identity, Real())
print("layer K =", built.layer, "| shift s =", built.shift,
      "| D =", built.base)

# %% [markdown]
# What each factor of a window outputs on every template, and on padding. At offset 0 and at offset
# $s$ channel $c$ recognizes template $c$. On padding the second factor gives $z = 1/D$, so that
# windows at the border do not make the product vanish. Other offsets always give 1.


# %%
def responses(weight, bias, offset):
    """Channels by templates; the last column is the padding."""
    seen = weight[..., offset] @ identity.T + bias[:, offset, None]
    return torch.cat([seen, bias[:, offset, None]], dim=1)


weight, bias = built.weights[0]
factors = [responses(weight, bias, offset) for offset in range(3)]
for offset in (0, 2):
    recognized = torch.equal(factors[offset][:, :3], identity)
    print(f"offset {offset} recognizes templates:", recognized)
print("offset 1 is constantly 1:     ", bool((factors[1] == 1).all()))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-kernel", "caption": "The three factors of a window of the constructed layer 1. The outer two compare, the middle one is ignored."}, "image": {"alt": "Three small tables, channels by templates. The tables for offsets 0 and 2 are identity matrices, with a last column for padding, 0 in the first and 0.333 in the other; the table for offset 1 is all ones."}}
with figure(7, 2.3, columns=3) as (drawing, axes):
    for offset, ax in enumerate(axes):
        draw_kernel(ax, factors[offset].numpy(), f"offset {offset}")

# %% [markdown]
# Run the network by hand on all 81 images of three templates. Every window multiplies its three
# factors, and the second layer multiplies the sums of the channels.

# %%
templates = indices(3, 4)
pixels = identity[templates]  # (81, 4 pixels, 3 channels)
padded = torch.cat([pixels, torch.zeros(81, 2, 3).double()], dim=1)
last_weight, last_bias = built.weights[1]

by_hand = torch.ones(81).double()
for v in range(4):
    window = [padded[:, v + a] @ weight[..., a].T + bias[:, a]
              for a in range(3)]
    cell = window[0] * window[1] * window[2]  # (81, channels)
    by_hand *= cell @ last_weight[0, :, v] + last_bias[0, v]

outputs = built.output(templates)
print("by hand and by the library:", torch.allclose(by_hand, outputs))

# %% [markdown]
# The output of the whole network is $[d_0=d_2]\,[d_1=d_3]\,z^2$: two comparisons across the cut and
# two windows at the border.

# %%
d = templates.T
compared = (d[0] == d[2]) & (d[1] == d[3])
print("as the formula says:", torch.allclose(outputs, compared.double() / 9))

# %% [markdown]
# As a matrix it is diagonal, and it is the Kronecker product of two mostly diagonal matrices, here
# of two identities.

# %%
matrix = matricize(outputs.reshape(3, 3, 3, 3), "left-right")
kronecker = torch.kron(identity, identity)
print("zero exactly where the Kronecker product is:",
      torch.equal(matrix != 0, kronecker != 0))
print(exact_rank(matrix != 0))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-kronecker", "caption": "One comparison is a 3×3 identity. Two comparisons on different pixels multiply to the 9×9 identity."}, "image": {"alt": "Two matrices whose nonzero entries are filled: a 3 by 3 diagonal on the left and a 9 by 9 diagonal on the right."}}
with figure(5, 2.5, columns=2) as (drawing, axes):
    draw_matrix(axes[0], identity.numpy(), "one comparison")
    draw_matrix(axes[1], matrix.numpy(), "the network")

# %% [markdown]
# ## Chains
#
# In a longer row the compared pairs share pixels and form chains. Every chain steps over the cut at
# most once. With shift 3 in a row of eight, three chains cross.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-chains", "caption": "Pairs at distance 3 in a row of eight pixels. The three thick arcs cross the cut; each belongs to a different chain."}, "image": {"alt": "Eight numbered pixels with arcs from 0 to 3, 1 to 4, 2 to 5, 3 to 6 and 4 to 7. The arcs starting at 1, 2 and 3 cross the dashed cut between pixels 3 and 4."}}
with figure(7, 1.7) as (drawing, axes):
    draw_chains(axes, width=8, step=1, shift=3, cut=4)

# %%
eight = Architecture((8,), 2, ((8, 1, 2), (8, 8, 1)))
units = field.tensor(torch.eye(2))  # F = I, two templates
rows = []
for shift in range(1, 8):
    built = overlap_construction(eight, units, field, layer=1, shift=shift)
    rank = certify_weights(eight, built.weights, "left-right").rank
    assert rank == built.rank()
    rows.append((shift, built.rank().exponent, built.rank(), rank))
table(rows, ["shift", "arcs over the cut", "predicted rank",
             "certified rank"])

# %% [markdown]
# ## Any representation functions
#
# The representation matrix $F$ need not be the identity. Draw it at random, modulo a prime:

# %%
square = Architecture(4, 2, ((3, 1, 2), (4, 4, 1)))
representation = field.random((2, 2), generator)
built = overlap_construction(square, representation, field)
print(certify_weights(square, built.weights, "left-right",
                      representation=representation))
print("bound:", square.overlap_bound().value)

# %% [markdown]
# The values $\tau$ on the templates and $b$ on padding may be random too: the fitted weights
# $W=F^{-1}(\tau-b\mathbf 1)$ give exactly these values. A window of two cells at the end of a row
# sees the template and then padding, so its first factor should be $\tau_d$ and its second $b$.

# %%
from lib.constructions.pieces import fit

cell = Architecture((1,), 3, ((2, 1, 4),))  # one cell, a window of two
fitted = []
for _ in range(100):
    matrix = field.random((3, 3), generator)  # F: 3 templates, 3 channels
    values = field.random((4, 3), generator)  # τ of 4 maps
    padding = field.random((4, 1), generator)  # b of 4 maps
    weight = fit(matrix, values, padding, field)
    both = torch.stack([weight, weight], dim=-1), padding.expand(4, 2)
    outputs = forward(cell, [both], matrix.unsqueeze(-1), field)[..., 0]
    expected = field.multiply(values, padding).T
    fitted.append(torch.equal(outputs, expected))
print(f"fitted exactly: {sum(fitted)} of {len(fitted)}")

# %% tags=["hide-input"]
with checking("fit-templates",
              detail="{count} random representation matrices") as check:
    for outcome in fitted:
        check(outcome)

# %% [markdown]
# ## Several layers carry a pixel
#
# With windows of 3 a pixel four columns away takes two layers. Half of the channels keep the pixel
# in place, the other half carry its partner one step further per layer.

# %%
deep = Architecture((8,), 2, ((3, 1, 4), (3, 1, 2), (8, 8, 1)))
representation = field.random((2, 2), generator)
built = overlap_construction(deep, representation, field, layer=2)
templates = torch.randint(2, (200, 8), generator=generator)
print("shift", built.shift, "= window offsets", built.digits,
      "| D =", built.base)

# %% [markdown]
# Here is what the second half of the channels holds, layer by layer, against the lemma of the page:
# the unit vector of the pixel that has come this far, and $z$ where it has left the image.


# %%
def travelling_half(built, templates, layer):
    """The lemma: (batch, rows, D, columns) after a layer below K."""
    net, base = built.architecture, built.base
    unit, step = torch.eye(base).double(), net.total_stride(layer)
    come = sum(a * net.total_stride(i)
               for i, a in enumerate(built.digits[:layer]))
    shown = templates.unflatten(1, net.size)
    if net.ndim == 2:
        shown = shown[:, ::step]  # the rows that the layer samples
    left_image = torch.full((*shown.shape[:-1], base),
                            float(field.reciprocal(base))).double()
    columns = []
    for v in range(net.output_sizes[layer][-1]):
        pixel = v * step + come
        inside = pixel < net.size[-1]
        columns.append(unit[shown[..., pixel]] if inside else left_image)
    return torch.stack(columns, dim=-1)


def held(built, images, layer):
    """What the network has in the second half of the channels."""
    cells = built.output(images, layer)
    return cells[:, built.base:2 * built.base].movedim(1, -2)


print("layer 1 as stated:", torch.equal(held(built, templates, 1),
                                        travelling_half(built, templates, 1)))

# %% [markdown]
# The same for three networks: this one, one of four layers with strides, and a two-dimensional one.

# %%
travelling = [  # network, layer K, shift
    (deep, 2, 4),
    (Architecture((16,), 3, ((3, 1, 6), (2, 2, 6), (3, 2, 6), (3, 1, 3),
                             (4, 4, 1))), 4, 15),
    (Architecture(8, 2, ((3, 1, 4), (3, 2, 4), (2, 1, 2), (4, 4, 1))), 3, 6),
]


def random_images(templates, net, count):
    """Templates row by row, (count, cells)."""
    return torch.randint(templates, (count, *net.size),
                         generator=generator).flatten(1)


rows, stated = [], []
for net, layer, shift in travelling:
    images = random_images(net.channels, net, 200)
    representation_here = field.random((net.channels,) * 2, generator)
    there = overlap_construction(net, representation_here, field,
                                 layer=layer, shift=shift)
    found = [torch.equal(held(there, images, below),
                         travelling_half(there, images, below))
             for below in range(1, layer)]
    stated += found
    rows.append((net, there.digits, there.base, all(found)))
table(rows, ["network", "window offsets", "D", "as stated"])

# %% tags=["hide-input"]
with checking("travelling-half",
              detail=f"{len(stated)} layers of {len(travelling)} networks, "
                     "200 images each") as check:
    for outcome in stated:
        check(outcome)

# %% [markdown]
# At layer $K$ the halves meet and multiply. Every cell and channel equals the closed form, and so
# does the output of the network.

# %%
cells = built.output(templates, layer=built.layer)[:, :built.base]
images = indices(2, 8)
rank = certify_weights(deep, built.weights, "left-right",
                       representation=representation).rank
print("cells of layer K:",
      torch.equal(cells, built.predicted_cells(templates)))
print("all 256 outputs: ",
      torch.equal(built.output(images), built.predicted_output(images)))
print("rank:", rank)

# %% tags=["remove-cell"]
glue("10-rank-with-fix", rank)

# %% [markdown]
# The map $y\mapsto(I-z\mathbf 1\mathbf 1^\top)y+z\mathbf 1$ is what keeps padding harmless on the way.
# Replace it by a plain copy ($y\mapsto y$, bias 0) and the network is constantly zero.

# %%
broken = [(weight.clone(), bias.clone()) for weight, bias in built.weights]
base, offset = built.base, built.digits[1]
broken[1][0][:base, base:2 * base, offset] = torch.eye(base).double()
broken[1][1][:base, offset] = 0
rank_without = certify_weights(deep, broken, "left-right",
                               representation=representation).rank
print("rank with a plain copy:", rank_without)

# %% tags=["remove-cell"]
glue("10-rank-without-fix", rank_without)

# %% [markdown]
# ## Every admissible network
#
# The same function builds the network for any architecture. Compare closed form and forward pass on
# random images, and the certified rank with the prediction. The rank must reach the prediction, and
# equal it if no product after layer $K$ meets padding.

# %%
networks = [
    Architecture(2, 3, ((2, 1, 3), (2, 2, 1))),
    Architecture(4, 2, ((3, 1, 2), (4, 4, 1))),
    Architecture(4, 2, ((2, 1, 4), (2, 1, 2), (4, 4, 1))),
    Architecture(4, 2, ((3, 2, 2), (2, 2, 1))),
    Architecture(4, 2, ((3, 3, 2), (2, 2, 1))),
    Architecture(4, 2, ((2, 1, 2), (4, 4, 1))),
    Architecture(6, 2, ((4, 2, 2), (3, 3, 1))),
    Architecture(3, 2, ((2, 1, 2), (3, 3, 1))),
    Architecture(5, 2, ((3, 2, 2), (3, 3, 1))),
    Architecture((8,), 3, ((3, 1, 6), (2, 1, 7), (3, 2, 5), (4, 4, 1))),
    Architecture((10,), 2, ((4, 4, 4), (3, 1, 2), (3, 3, 1))),
    Architecture((7,), 3, ((4, 1, 3), (7, 7, 1))),
    Architecture((9,), 2, ((5, 2, 2), (5, 5, 1))),
    block_network(3, 16, 2, 4, ndim=1),
]
print(len(networks), "networks, the last of depth", networks[-1].depth)


# %%
def meets_padding(built):
    """Does a product after layer K, over windows of S cells, meet padding?"""
    net = built.architecture
    return any(cells % stride for later in range(built.layer, net.depth)
               for cells, stride in zip(net.output_sizes[later],
                                        net.strides[later]))


def matches(built):
    """Does the closed form give every output on random images?"""
    net = built.architecture
    images = random_images(net.channels, net, 300)
    return torch.equal(built.output(images), built.predicted_output(images))


results = []
for net in networks:
    representation = field.random((net.channels,) * 2, generator)
    built = overlap_construction(net, representation, field)
    closed_form = matches(built)
    certificate = certify_weights(net, built.weights, "left-right",
                                  representation=representation,
                                  rows=1024, columns=1024)
    results.append((built, closed_form, certificate))
print(f"closed form right in {sum(right for _, right, _ in results)} of "
      f"{len(results)} networks")
print("padding after layer K in",
      sum(meets_padding(built) for built, _, _ in results))

# %% [markdown]
# No product after layer $K$ meets padding in these networks, so equality is promised wherever the
# whole matrix was looked at. With padding the product of the proof is only the leading term of the
# output, and the rank could be larger than predicted.

# %%
table([(built.architecture, built.layer, built.shift, built.rank(),
        ("at least " if found.sampled else "") + str(found.rank))
       for built, _, found in results],
      ["network", "K", "s", "prediction", "rank"])

# %% tags=["hide-input"]
promised = [not meets_padding(built) and not found.sampled
            for built, _, found in results]
with checking("proof-construction",
              detail=f"{len(networks)} networks, equality promised "
                     f"in {sum(promised)}") as check:
    check(any(promised), "no equality promised")
    for (built, closed_form, found), equal in zip(results, promised):
        net = built.architecture
        check(closed_form, net)
        check(found.rank >= built.rank(), net)
        check(not equal or found.rank == built.rank(), net)

# %% [markdown]
# Not every layer has to halve its channels: only those from the first hop up to the last. Where the
# first layers are narrow this gives a larger base. Random networks, each with the refined bound, the
# rank of its construction, and the rank of random weights:

# %%
refined = []
while len(refined) < 60:
    widths = torch.randint(1, 5, (3,), generator=generator).tolist()
    windows = torch.randint(1, 4, (3,), generator=generator).tolist()
    layers = [(window, 1, width) for window, width in zip(windows, widths)]
    net = Architecture((6,), 3, (*layers, (6, 6, 1)))
    bound = net.crossing_bound(halved="between")
    if bound.exponent == 0:
        continue  # no window is larger than 1: nothing to construct
    representation = field.random((3, 3), generator)
    built = overlap_construction(net, representation, field)
    constructed = certify_weights(net, built.weights, "left-right",
                                  representation=representation).rank
    drawn = certify(net, "left-right", seed=len(refined) + 1).rank
    refined.append((net, bound, built.rank(), constructed, drawn))
larger = [row for row in refined if row[1] > row[0].crossing_bound()]
print("refined bound larger in", len(larger), "of", len(refined), "networks")

# %%
table([(net, net.crossing_bound(), bound, constructed, drawn)
       for net, bound, _, constructed, drawn in larger[:4]],
      ["network", "crossing bound", "refined", "constructed", "random"])

# %% tags=["hide-input"]
with checking("halved-between",
              detail=f"{len(refined)} random networks") as check:
    check(len(larger) > 0, "never larger")
    for net, bound, predicted, constructed, drawn in refined:
        check(constructed >= bound == predicted, net)
        check(drawn >= bound, net)

# %% [markdown]
# ## One point is enough
#
# Random parameters near the constructed point, or anywhere else, have at least its rank, except on a
# null set. Draw 60 points: none is below.

# %%
weights = overlap_construction(square, units, field).weights
constructed = certify_weights(square, weights, "left-right").rank
drawn = [certify(square, "left-right", seed=seed).rank for seed in range(60)]
assert min(drawn) >= constructed
table([("constructed", constructed), ("smallest of 60 random", min(drawn)),
       ("largest of 60 random", max(drawn))], ["point", "rank"])

# %% [markdown]
# ## Real sizes
#
# A $32\times32$ input with 64 templates has $64^{1024}$ grid-tensor entries. Nobody will store
# its matrix. But the network runs, and the proof predicts every output. Two kinds of images: random ones, on
# which some comparison fails and the output is 0, and images on which all compared pixels agree.


# %%
def agreeing_images(built, count):
    """Every row repeats its pixels with the period of the shift."""
    height, width = built.architecture.size
    pattern = torch.randint(built.base, (count, height, built.shift),
                            generator=generator)
    copies = pattern.repeat(1, 1, -(-width // built.shift))
    return copies[:, :, :width].flatten(1)


def nonzero_outputs(built, random, agreeing):
    """Which outputs are not 0? All must be as predicted."""
    images = torch.cat([random_images(built.base, built.architecture, random),
                        agreeing_images(built, agreeing)])
    outputs = built.output(images)
    assert torch.equal(outputs, built.predicted_output(images))
    nonzero = (outputs != 0).tolist()
    return sum(nonzero[:random]), sum(nonzero[random:])


rows, ranks = [], {}
for window in (3, 5):
    net = block_network(window, size=32, channels=64, width=128)
    representation = field.random((64, 64), generator)
    for layer in (1, net.overlap_bound().layer):
        built = overlap_construction(net, representation, field, layer=layer)
        rank = ranks[window, layer] = built.rank()
        rows.append((window, layer, built.digits, built.base, rank,
                     f"10^{rank.log10:.0f}", *nonzero_outputs(built, 2, 2)))
table(rows, ["B", "layer K", "window offsets", "D", "rank", "about",
             "not 0: random, of 2", "agreeing, of 2"])

# %% tags=["remove-cell"]
glue("10-real-size-rank", ranks[5, 1])

# %% [markdown]
# The GoogLeNet-like stack up to module 4a, the layer of the quoted bound, followed by one product
# over its map: $112\times112$ cells, eight layers, up to 512 channels. Only layers between the first
# and the last hop carry two halves, and these are wide enough for $D=64$.

# %%
whole = googlenet_stack()
trunk = Architecture(whole.size, whole.channels,
                     (*whole.layers[:8], (14, 14, 1)))
representation = field.random((64, 64), generator)
built = overlap_construction(trunk, representation, field, layer=8)
table([(built.shift, built.digits, built.rank(),
        *nonzero_outputs(built, 1, 1))],
      ["shift", "window offsets", "rank", "not 0: random, of 1",
       "agreeing, of 1"])

# %% [markdown]
# ## What to remember
#
# - A comparison across the cut is an identity matrix; a product of comparisons is a Kronecker product.
# - Small windows carry a pixel, one offset per layer, at the price of half of the channels.
# - The closed form holds entry by entry, so the rank is known where no matrix can exist.
#
# **Try it:** change `shift` and `layer` in `overlap_construction`; give `deep` a third window; build the
# network for your own architecture and run it on images of your choice.
