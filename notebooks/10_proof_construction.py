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
# is on [the page](../book/proof-construction.md). Each call of `verify` names one of its statements; the
# [ledger](../book/ledger.md) lists the names.

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules:  # there, fetch the course and what it needs
    subprocess.run(f'(test -d course || git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course) && cd course && "{sys.executable}" -m lib.course.colab', shell=True, check=True)
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import itertools

import torch

from lib import Architecture, Layer, certify
from lib.exact.arithmetic import Modular, Real
from lib.grids.certify import certify_weights
from lib import forward
from lib.course.claims import verify
from lib import overlap_construction
from lib.constructions.pieces import fit, overhangs
from lib.course.glue import glue
from lib.networks.families import block_network, googlenet_stack
from lib.plots.proof import draw_chains, draw_kernel, draw_matrix
from lib.plots.style import figure
from lib.exact.ranks import exact_rank
from lib.trees.tensors import indices, matricize

field = Modular()
generator = torch.Generator().manual_seed(10)


def layers(*triples):
    """Layers from (window R, stride S, channels D)."""
    return tuple(Layer(*triple) for triple in triples)


# %% [markdown]
# ## One window compares two pixels
#
# Four pixels in a row, three templates, a first layer with window 3 and three channels, and a second
# layer that multiplies everything. `overlap_construction` writes the weights of the proof for any
# nonsingular matrix $F$ of representation functions. Start with $F = I$ in ordinary numbers.

# %%
line = Architecture((4,), 3, layers((3, 1, 3), (4, 4, 1)))
identity = torch.eye(3, dtype=torch.float64)
built = overlap_construction(line, identity, Real())
print("layer K =", built.layer, "| shift s =", built.shift, "| D =", built.base)

# %% [markdown]
# What each factor of a window outputs on every template, and on padding. At offset 0 and at offset
# $s$ channel $c$ recognizes template $c$. On padding the second factor gives $z = 1/D$, so that
# windows at the border do not make the product vanish. Other offsets always give 1.


# %%
def responses(weight, bias, offset, representation):
    """Value of every channel on every template, and on padding in the last column."""
    seen = weight[..., offset] @ representation.T + bias[..., offset, None]  # (D, templates)
    return torch.cat([seen, bias[..., offset, None]], dim=1)


weight, bias = built.weights[0]
factors = [responses(weight, bias, offset, identity) for offset in range(3)]
print("offset 0 recognizes templates:", torch.equal(factors[0][:, :3], identity))
print("offset 1 is constantly 1:     ", bool((factors[1] == 1).all()))
print("offset 2 recognizes templates:", torch.equal(factors[2][:, :3], identity))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-kernel", "caption": "The three factors of a window of the constructed layer 1. The outer two compare, the middle one is ignored."}, "image": {"alt": "Three small tables, channels by templates. The tables for offsets 0 and 2 are identity matrices, with a last column for padding, 0 in the first and 0.333 in the other; the table for offset 1 is all ones."}}
with figure(7, 2.3, columns=3) as (drawing, axes):
    for offset, ax in enumerate(axes):
        draw_kernel(ax, factors[offset].numpy(), f"offset {offset}")

# %% [markdown]
# The output of the whole network is $[d_0=d_2]\,[d_1=d_3]\,z^2$: two comparisons across the cut and
# two windows at the border. As a matrix it is diagonal, and it is the Kronecker product of two
# mostly diagonal matrices, here of two identities.

# %%
outputs = built.output(indices(3, 4))
matrix = matricize(outputs.reshape(3, 3, 3, 3), "left-right")
kronecker = torch.kron(identity, identity)
print("zero exactly where the Kronecker product is:", bool(((matrix != 0) == (kronecker != 0)).all()))
print("rank:", exact_rank((matrix != 0).double()).rank)

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
print("shift  arcs over the cut  predicted rank  certified rank")
for shift in range(1, 8):
    net = Architecture((8,), 2, layers((8, 1, 2), (8, 8, 1)))
    built = overlap_construction(net, field.tensor(torch.eye(2)), field, layer=1, shift=shift)
    rank = certify_weights(net, built.weights, "left-right").rank
    predicted = built.rank()
    print(f"{shift:5}  {predicted.exponent:17}  {predicted!s:>14}  {rank:14}")
    assert rank == predicted.value

# %% [markdown]
# ## Any representation functions
#
# The representation matrix $F$ need not be the identity. Draw it at random, modulo a prime, together
# with the values $\tau$ on the templates and $b$ on padding: the fitted weights
# $W=F^{-1}(\tau-b\mathbf 1)$ give exactly these values. A window of two cells at the end of a row
# sees the template and then padding, so its first factor should be $\tau_d$ and its second $b$.

# %%
square = Architecture(4, 2, layers((3, 1, 2), (4, 4, 1)))
representation = field.random((2, 2), generator)
built = overlap_construction(square, representation, field)
certificate = certify_weights(square, built.weights, "left-right", representation=representation)
print("rank with a random F:", certificate.rank, "| bound:", square.overlap_bound())

fitted = True
for _ in range(100):
    matrix, values = field.random((3, 3), generator), field.random((4, 3), generator)
    padding = field.random((4, 1), generator)
    weight = fit(matrix, values, padding, field)  # (4 maps, 3 channels)
    cell = Architecture((1,), 3, layers((2, 1, 4)))  # one cell, a window of two
    images = matrix.unsqueeze(-1)  # (3 templates, 3 channels, 1 cell)
    both = torch.stack([weight, weight], dim=-1), padding.expand(4, 2)
    outputs = forward(cell, [both], images, field).squeeze(-1)
    fitted &= torch.equal(outputs, field.multiply(values, padding).T)
verify("fit-templates", fitted, detail="100 random representation matrices")

# %% [markdown]
# ## Several layers carry a pixel
#
# With windows of 3 a pixel four columns away takes two layers. Half of the channels keep the pixel
# in place, the other half carry its partner one step further per layer. Here is what the second
# half of the channels holds, layer by layer, against the lemma of the page: for this network, for one
# of four layers with strides, and for a two-dimensional one.

# %%
deep = Architecture((8,), 2, layers((3, 1, 4), (3, 1, 2), (8, 8, 1)))
representation = field.random((2, 2), generator)
built = overlap_construction(deep, representation, field, layer=2)
print("shift", built.shift, "= window offsets", built.digits, "| D =", built.base)

templates = torch.randint(2, (200, 8), generator=generator)


def travelling_half(built, templates, layer):
    """The lemma: the unit vector of the pixel that has come this far, z where it left the image."""
    net, base = built.architecture, built.base
    shown = templates.unflatten(1, net.size)
    steps = [slice(None, None, net.total_stride(layer))] * (net.ndim - 1)
    offset = sum(a * net.total_stride(i) for i, a in enumerate(built.digits[:layer]))
    z = field.inverse(field.tensor([[base]]))[0, 0]
    columns = []
    for v in range(net.output_sizes[layer][-1]):
        q = v * net.total_stride(layer) + offset
        seen = shown[(slice(None), *steps, min(q, net.size[-1] - 1))]  # (batch, rows)
        unit = torch.eye(base, dtype=torch.float64)[seen]
        columns.append(unit if q < net.size[-1] else torch.full_like(unit, float(z)))
    return torch.stack(columns, dim=-1)  # (batch, rows, D, columns)


travelling = [
    (deep, 2, 4),
    (Architecture((16,), 3, layers((3, 1, 6), (2, 2, 6), (3, 2, 6), (3, 1, 3), (4, 4, 1))), 4, 15),
    (Architecture(8, 2, layers((3, 1, 4), (3, 2, 4), (2, 1, 2), (4, 4, 1))), 3, 6),
]
as_stated, layers_seen = True, 0
for net, layer, shift in travelling:
    images = torch.randint(net.channels, (200, torch.Size(net.size).numel()), generator=generator)
    there = overlap_construction(
        net, field.random((net.channels,) * 2, generator), field, layer=layer, shift=shift
    )
    for below in range(1, layer):
        half = there.output(images, below)[:, there.base : 2 * there.base].movedim(1, -2)
        as_stated &= torch.equal(half, travelling_half(there, images, below))
        layers_seen += 1
    print("window offsets", there.digits, "| D =", there.base, "| as stated so far:", as_stated)
verify("travelling-half", as_stated, detail=f"{layers_seen} layers of 3 networks, 200 random images each")

# %% [markdown]
# At layer $K$ the halves meet and multiply. Every cell and channel equals the closed form, and so
# does the output of the network.

# %%
cells = built.output(templates, layer=built.layer)[:, : built.base]
same_cells = torch.equal(cells, built.predicted_cells(templates))
everything = indices(2, 8)
same_output = torch.equal(built.output(everything), built.predicted_output(everything))
rank = certify_weights(deep, built.weights, "left-right", representation=representation).rank
print("cells of layer K:", same_cells, "| all 256 outputs:", same_output, "| rank:", rank)
glue("10-rank-with-fix", rank)

# %% [markdown]
# The map $y\mapsto(I-z\mathbf 1\mathbf 1^\top)y+z\mathbf 1$ is what keeps padding harmless on the way.
# Replace it by a plain copy ($y\mapsto y$, bias 0) and the network is constantly zero.

# %%
broken = [(w.clone(), b.clone()) for w, b in built.weights]
base, offset = built.base, built.digits[1]
broken[1][0][:base, base : 2 * base, offset] = torch.eye(base, dtype=torch.float64)
broken[1][1][:base, offset] = 0
rank_without = certify_weights(deep, broken, "left-right", representation=representation).rank
print("rank with a plain copy:", rank_without)
glue("10-rank-without-fix", rank_without)

# %% [markdown]
# ## Every admissible network
#
# The same function builds the network for any architecture. Compare closed form and forward pass on
# random images, and the certified rank with the prediction, over the table of the previous notebook.
# The rank must reach the prediction, and equal it if no product after layer $K$ meets padding.

# %%
networks = [
    (2, 3, layers((2, 1, 3), (2, 2, 1))),
    (4, 2, layers((3, 1, 2), (4, 4, 1))),
    (4, 2, layers((2, 1, 4), (2, 1, 2), (4, 4, 1))),
    (4, 2, layers((3, 2, 2), (2, 2, 1))),
    (4, 2, layers((3, 3, 2), (2, 2, 1))),
    (4, 2, layers((2, 1, 2), (4, 4, 1))),
    (6, 2, layers((4, 2, 2), (3, 3, 1))),
    (3, 2, layers((2, 1, 2), (3, 3, 1))),
    (5, 2, layers((3, 2, 2), (3, 3, 1))),
    ((8,), 3, layers((3, 1, 6), (2, 1, 7), (3, 2, 5), (4, 4, 1))),
    ((10,), 2, layers((4, 4, 4), (3, 1, 2), (3, 3, 1))),
    ((7,), 3, layers((4, 1, 3), (7, 7, 1))),
    ((9,), 2, layers((5, 2, 2), (5, 5, 1))),
    ((16,), 2, block_network(3, 16, 2, 4, ndim=1).layers),
]

print("size    M  (R,S,D) of every layer             K  s  prediction  rank of the construction")
all_match = all_reach = all_equal = True
equalities = 0
for size, channels, stack in networks:
    net = Architecture(size, channels, stack)
    representation = field.random((channels, channels), generator)
    built = overlap_construction(net, representation, field)
    images = torch.randint(channels, (300, torch.Size(net.size).numel()), generator=generator)
    all_match &= torch.equal(built.output(images), built.predicted_output(images))
    certificate = certify_weights(
        net, built.weights, "left-right", representation=representation, rows=1024, columns=1024
    )
    predicted = built.rank()
    padded = any(
        overhangs(net, later, offset)
        for later in range(built.layer + 1, net.depth + 1)
        for offset in itertools.product(*map(range, net.strides[later - 1]))
    )
    exact = not padded and not certificate.sampled
    all_reach &= certificate.rank >= predicted.value
    all_equal &= certificate.rank == predicted.value or not exact
    equalities += exact
    text = " ".join(f"{x.window},{x.stride},{x.channels}" for x in stack)
    extent = "×".join(map(str, net.size))
    mark = "*" if certificate.sampled else " "
    print(
        f"{extent:6} {channels:2}  {text:34}  {built.layer:2} {built.shift:2}  {predicted!s:>10}"
        f"  {certificate.rank:6}{mark}"
    )
verify("proof-construction", all_match and all_reach and all_equal and equalities > 0,
       detail=f"{len(networks)} networks, random F; equality promised and found for {equalities}")

# %% [markdown]
# Not every layer has to halve its channels: only those from the first hop up to the last. Where the
# first layers are narrow this gives a larger base. Random networks, each with the refined bound, the
# rank of its construction, and the rank of random weights:

# %%
larger, reached, trials = 0, True, 0
while trials < 60:
    widths = torch.randint(1, 5, (3,), generator=generator).tolist()
    windows = torch.randint(1, 4, (3,), generator=generator).tolist()
    stack = [(window, 1, width) for window, width in zip(windows, widths)]
    net = Architecture((6,), 3, layers(*stack, (6, 6, 1)))
    refined = net.crossing_bound(halved="between")
    if refined.exponent == 0:
        continue  # no window is larger than 1: nothing to construct
    trials += 1
    larger += refined.value > net.crossing_bound().value
    built = overlap_construction(net, field.random((3, 3), generator), field)
    constructed = certify_weights(net, built.weights, "left-right",
                                  representation=built.representation).rank
    reached &= constructed >= refined.value == built.rank().value
    reached &= certify(net, "left-right", seed=trials).rank >= refined.value
print("refined bound larger in", larger, "of", trials, "networks")
verify("halved-between", reached and larger > 0, detail=f"{trials} random networks")

# %% [markdown]
# In the table above, a star marks a sampled block of a larger matrix. Where padded windows after layer $K$ change the
# output (the product of the proof is then its leading term only), the rank could be larger than
# predicted; in this table it is not.
#
# ## One point is enough
#
# Random parameters near the constructed point, or anywhere else, have at least its rank. Draw 60
# points: none is below.

# %%
constructed = certify_weights(square, overlap_construction(
    square, field.tensor(torch.eye(2)), field).weights, "left-right").rank
drawn = [certify(square, "left-right", seed=seed).rank for seed in range(60)]
print("constructed:", constructed, "| random points: smallest", min(drawn), "largest", max(drawn))
assert min(drawn) >= constructed

# %% [markdown]
# ## Real sizes
#
# A $32\times32$ input with 64 templates has $64^{1024}$ grid-tensor entries. Nobody will store
# its matrix. But the network runs, and the proof predicts every output. Two kinds of images: random ones, on
# which some comparison fails and the output is 0, and images on which all compared pixels agree.


# %%
def agreeing_images(net, built, count):
    """Images in which every row repeats its pixels with the period of the shift."""
    height, width = net.size
    pattern = torch.randint(built.base, (count, height, built.shift), generator=generator)
    repeats = -(-width // built.shift)
    return pattern.repeat(1, 1, repeats)[:, :, :width].reshape(count, -1)


def as_predicted(net, built, counts=(2, 2)):
    """Compare the outputs on random and on agreeing images; which of them are not 0?"""
    cells = torch.Size(net.size).numel()
    random = torch.randint(built.base, (counts[0], cells), generator=generator)
    images = torch.cat([random, agreeing_images(net, built, counts[1])])
    outputs = built.output(images)
    assert torch.equal(outputs, built.predicted_output(images))
    return (outputs != 0).tolist()


print("B  layer K  window offsets   D   rank of the construction  nonzero outputs")
for window in (3, 5):
    net = block_network(window, size=32, channels=64, width=128)
    representation = field.random((64, 64), generator)
    for layer in (1, net.overlap_bound().layer):
        built = overlap_construction(net, representation, field, layer=layer)
        nonzero = as_predicted(net, built)
        rank = f"{built.rank()} (10^{built.rank().log10:.0f})"
        print(f"{window}  {layer:7}  {built.digits!s:15}  {built.base}  {rank:24}  {nonzero}")
        if (window, layer) == (5, 1):
            glue("10-real-size-rank", built.rank())

# %% [markdown]
# The GoogLeNet-like stack up to module 4a, the layer of the quoted bound, followed by one product
# over its map: $112\times112$ cells, eight layers, up to 512 channels. Only layers between the first
# and the last hop carry two halves, and these are wide enough for $D=64$.

# %%
whole = googlenet_stack()
trunk = Architecture(whole.size, whole.channels, whole.layers[:8] + (Layer(14, 14, 1),))
built = overlap_construction(trunk, field.random((64, 64), generator), field, layer=8)
print("shift", built.shift, "= window offsets", built.digits)
print("nonzero outputs, all as predicted:", as_predicted(trunk, built, counts=(1, 1)))
print("rank of the construction:", built.rank())

# %% [markdown]
# ## What to remember
#
# - A comparison across the cut is an identity matrix; a product of comparisons is a Kronecker product.
# - Small windows carry a pixel, one offset per layer, at the price of half of the channels.
# - The closed form holds entry by entry, so the rank is known where no matrix can exist.
#
# **Try it:** change `shift` and `layer` in `overlap_construction`; give `deep` a third window; build the
# network for your own architecture and run it on images of your choice.
