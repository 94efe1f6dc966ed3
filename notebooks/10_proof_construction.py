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
# The crossing bound is proved by one network with hand-written weights. Here it is built, layer by
# layer, looked at, and certified; then it is run at sizes where no matrix could be stored. The proof
# is on [the page](../book/proof-construction.md). A line that begins with *claim holds* checks one of
# its statements; the [ledger](../book/ledger.md) lists them.

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course && cd course && "{sys.executable}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import torch

from lib import (Architecture, Modular, Real, block_network, certify,
                 certify_weights, check_answer, checking, exact_rank, fit,
                 forward, glue, googlenet_stack, indices, overlap_construction,
                 table)
from lib.plots.crossing import draw_elimination, draw_signs, figure

field = Modular()
generator = torch.Generator().manual_seed(10)

# %% [markdown]
# ## Signs and the constant
#
# $D-1$ channels tell $D$ templates apart: channel $j$ holds $-1$ on template $j+1$ and $+1$ on the
# others. With a first column of ones, which is the bias, this is a square matrix $X$.


# %%
def signs(templates):
    """Row d: the constant and the D − 1 signs of template d."""
    marks = 1 - 2 * torch.eye(templates)[:, 1:]
    return torch.cat([torch.ones(templates, 1), marks], dim=1).double()


print(signs(4))

# %% [markdown]
# What a window at the cut computes, with one free pixel on each side, is the matrix
# $G=1+2\sum_j\gamma_j\,\sigma_j(a)\,\sigma_j(b)$. The page says that $\det X=(-2)^{D-1}$ and that
# $G$ is invertible for all nonzero $\gamma$.

# %%
outcomes, tries = [], 20
for templates in range(2, 9):
    x = signs(templates)
    determinant = round(float(torch.linalg.det(x)))
    full = 0
    for _ in range(tries):
        gamma = 1 + torch.randint(field.prime - 1, (templates - 1,),
                                  generator=generator).double()
        scaled = torch.cat([torch.ones(1).double(), 2 * gamma])
        half = field.reduce(field.reduce(x) * field.reduce(scaled))
        g = field.matmul(half, field.reduce(x).T)
        full += exact_rank(g, field.prime).rank == templates
    outcomes.append((templates, determinant, (-2) ** (templates - 1), full))
table(outcomes, ["D", "det X", "formula", f"G invertible, of {tries}"])

# %% tags=["hide-input"]
with checking("signs-invertible", detail="{count} sizes") as check:
    for templates, determinant, formula, full in outcomes:
        check(determinant == formula and full == tries, templates)

# %% [markdown]
# ## One window
#
# Four pixels in a row, two templates, a first layer with window 3 and a single channel, and a second
# layer that multiplies everything. `overlap_construction` writes the weights of the proof for any
# nonsingular matrix $F$ of representation functions. Start with $F=I$ in ordinary numbers.

# %%
line = Architecture((4,), 2, ((3, 1, 1), (4, 4, 1)))
identity = torch.eye(2, dtype=torch.float64)
on_four = overlap_construction(line, identity, Real())
print("layer K =", on_four.layer, "| shift s =", on_four.shift,
      "| D =", on_four.base)

# %% [markdown]
# The factors of a window on both templates, and on padding. At offsets 0 and $s$ it reads the sign,
# the offset between them is always 1.

# %%
weight, bias = on_four.weights[0]
rows = [(offset, *(int(weight[0, d, offset] + bias[0, offset])
                   for d in (0, 1)), int(bias[0, offset]))
        for offset in range(weight.shape[2])]
table(rows, ["offset", "template 0", "template 1", "padding"])

# %% [markdown]
# Run the network by hand on all 16 images, in plain integers. Every window multiplies the signs of
# pixels $v$ and $v+2$, with 0 beyond the border, and the second layer multiplies
# $1+2\times$ that.

# %%
images = indices(2, 4)
sign = 1 - 2 * images  # +1 and −1
padded = torch.cat([sign, torch.zeros(16, 2, dtype=torch.int64)], dim=1)

by_hand = torch.ones(16, dtype=torch.int64)
for v in range(4):
    by_hand *= 1 + 2 * padded[:, v] * padded[:, v + 2]

print("by hand and by the library:",
      torch.equal(by_hand.double(), on_four.output(images)))
print(by_hand.reshape(4, 4))

# %% [markdown]
# The matrix is the Kronecker product of two copies of a $2\times2$ matrix, here because no two windows
# depend on the same pixel. Its rank is 4, with one channel.

# %%
pair = torch.tensor([[3, -1], [-1, 3]])
print("Kronecker product:",
      torch.equal(by_hand.reshape(4, 4), torch.kron(pair, pair)))
print(exact_rank(by_hand.reshape(4, 4), field.prime))

# %% [markdown]
# ## Elimination
#
# In a longer row windows share pixels. Here two hops, by 1 and by 2, make windows of four pixels. Three of
# them lie across the cut, and their free pixels can be removed one window at a time.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-elimination", "caption": "The three windows over the cut and their free pixels, in the order of elimination."}, "image": {"alt": "A row of eight pixels with a cut in the middle and three bars below it for the windows at columns 1, 2 and 3, each four pixels long, their first and last pixels marked."}}
eight = Architecture((8,), 3, ((2, 1, 2), (3, 1, 2), (8, 8, 1)))
with figure(7, 2.9) as (drawing, axes):
    draw_elimination(axes, eight, layer=2, shift=3, cut=4)

# %% [markdown]
# Here is the first step by hand, with three templates. All pixels but the free ones show template 0.
# The matrix has rows $(a_1,a_2,a_3)$ and columns $(b_1,b_2,b_3)$. The windows that see pixel 1, the
# first to go, are those at 0 and 1. Their product is the matrix $G_r(a_1,b_1)$, for each
# $r=(a_2,a_3)$.

# %%
units = field.tensor(torch.eye(3))  # F = I, three templates
on_eight = overlap_construction(eight, units, field, layer=2, shift=3)
free = on_eight.free_pixels()
print("free pixels, left and right:", free)


def block(built, background=0):
    """Outputs when only the free pixels vary, rows by columns."""
    pairs, base = built.free_pixels(), built.base
    contents = indices(base, 2 * len(pairs))
    images = torch.full((len(contents), built.architecture.size[0]),
                        background)
    images[:, [p for p, q in pairs]] = contents[:, :len(pairs)]
    images[:, [q for p, q in pairs]] = contents[:, len(pairs):]
    return built.output(images).reshape(base ** len(pairs), -1)


corner = block(on_eight)
print(exact_rank(corner, field.prime))

# %% [markdown]
# $G_r^{-1}$, applied to $a_1$ for each $r$, leaves a block diagonal matrix: zero unless the new row
# index equals $b_1$. Three blocks remain, one for each $b_1$, and the next step treats each of them.

# %%
images = indices(3, 4)  # a_1, a_2, a_3, b_1
shown = torch.zeros(len(images), 8, dtype=torch.int64)
shown[:, [1, 2, 3, 4]] = images
cells = on_eight.predicted_cells(shown)  # signs, (batch, channels, locations)
factors = field.reduce(1 + 2 * cells.sum(1))
window_pair = field.multiply(factors[:, 0], factors[:, 1])
g = window_pair.reshape(3, 9, 3).movedim(0, 1)  # (r, a_1, b_1)

entries = corner.reshape(3, 9, 3, 9)  # a_1, r, b_1, q
rows = torch.stack([
    field.matmul(field.inverse(g[r]), entries[:, r].flatten(1))
    for r in range(9)], dim=1).reshape(3, 9, 3, 9)  # b', r, b_1, q
diagonal = torch.eye(3).reshape(3, 1, 3, 1).bool()
print("zero off the diagonal blocks:",
      not bool((rows * ~diagonal).any()))
block_ranks = [exact_rank(rows[b, :, b], field.prime).rank for b in range(3)]
print("ranks of the blocks:", block_ranks, "| sum:", sum(block_ranks))

# %% [markdown]
# The same on random networks with two to four layers: the block in which only the free pixels vary is
# invertible, whatever the other pixels show.

# %%
blocks = []
while len(blocks) < 60:
    widths = torch.randint(1, 4, (3,), generator=generator).tolist()
    windows = torch.randint(1, 4, (3,), generator=generator).tolist()
    depth = int(torch.randint(1, 4, (), generator=generator))
    layers = list(zip(windows, (1, 1, 1), widths))[:depth]
    net = Architecture((7,), 3, (*layers, (7, 7, 1)))
    if net.crossing_bound().exponent == 0:
        continue
    representation = field.random((3, 3), generator)
    there = overlap_construction(net, representation, field)
    matrix = block(there, background=len(blocks) % 3)
    rank = exact_rank(matrix, field.prime).rank
    blocks.append((net, there.digits, there.rank(), rank))
table(blocks[:5], ["network", "window offsets", "D to the pairs",
                   "rank of the block"])

# %% tags=["hide-input"]
with checking("elimination",
              detail=f"{len(blocks)} networks, and by hand") as check:
    check(block_ranks == [9, 9, 9] and sum(block_ranks) == 27, "by hand")
    for net, _, predicted, rank in blocks:
        check(rank == predicted, net)

# %% [markdown]
# ## Any representation functions
#
# The representation matrix $F$ need not be the identity. Draw it at random, modulo a prime:

# %%
square = Architecture(4, 2, ((3, 1, 1), (4, 4, 1)))
representation = field.random((2, 2), generator)
built = overlap_construction(square, representation, field)
print(certify_weights(square, built.weights, "left-right",
                      representation=representation))
print("bound:", square.crossing_bound().value)

# %% [markdown]
# The values $\tau$ on the templates and $b$ on padding may be random too: the fitted weights
# $W=F^{-1}(\tau-b\mathbf 1)$ give exactly these values. A window of two cells at the end of a row
# sees the template and then padding, so its first factor should be $\tau_d$ and its second $b$.

# %%
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
# ## Several layers carry many pixels
#
# With windows of 3 a pixel four columns away takes two hops. Every channel multiplies what it holds at
# two places, so a cell of layer 2 holds a product of four signs. With two equal hops the pixel in the
# middle is read twice, and its sign drops out.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-signs", "caption": "The cell at location 1 of layer 2 multiplies the signs of pixels 1, 3, 3 and 5: pixel 3 is read twice, and its sign drops out."}, "image": {"alt": "Three rows of eight cells. Location 1 of layer 2 reads locations 1 and 3 of layer 1, which read pixels 1, 3 and 3, 5. Pixels 1 and 5 are joined by an arc marked s = 4."}}
deep = Architecture((8,), 3, ((3, 1, 2), (3, 1, 2), (8, 8, 1)))
with figure(7, 3.1) as (drawing, axes):
    draw_signs(axes, deep, layer=2, shift=4, location=1)

# %%
chosen = field.random((3, 3), generator)
on_deep = overlap_construction(deep, chosen, field, layer=2)
print("shift", on_deep.shift, "= window offsets", on_deep.digits,
      "| D =", on_deep.base)
print("distances and how often:", dict(on_deep.distances()))

# %%
images = indices(3, 8)
rank = certify_weights(deep, on_deep.weights, "left-right",
                       representation=chosen).rank
print(f"all {len(images)} outputs as predicted:",
      torch.equal(on_deep.output(images), on_deep.predicted_output(images)))
print("bound:", on_deep.rank().value, "| rank at these weights:", rank)

# %% [markdown]
# The constant of layer $K+1$ keeps windows that meet padding harmless. Without it the network is
# constantly zero.

# %%
broken = [(weight.clone(), bias.clone()) for weight, bias in on_deep.weights]
broken[on_deep.layer][1][:] = 0  # of layer K + 1
rank_without = certify_weights(deep, broken, "left-right",
                               representation=chosen).rank
print("rank without the constant:", rank_without)

# %% tags=["remove-cell"]
glue("10-rank-without-constant", rank_without)

# %% [markdown]
# ## Every admissible network
#
# The same function builds the network for any architecture with a single output cell in which the
# windows after layer $K$ are no smaller than their strides. Compare closed form and forward pass on
# random images, cell by cell and at the output, and the certified rank with the bound, which it must
# reach.

# %%
networks = [
    Architecture(2, 3, ((2, 1, 2), (2, 2, 1))),
    Architecture(4, 2, ((3, 1, 1), (4, 4, 1))),
    Architecture(4, 2, ((2, 1, 1), (2, 1, 1), (4, 4, 1))),
    Architecture(4, 2, ((3, 2, 2), (2, 2, 1))),
    Architecture(4, 2, ((3, 3, 2), (2, 2, 1))),
    Architecture(6, 2, ((4, 2, 2), (3, 3, 1))),
    Architecture(3, 2, ((2, 1, 2), (3, 3, 1))),
    Architecture(5, 2, ((3, 2, 2), (3, 3, 1))),
    Architecture((8,), 3, ((3, 1, 2), (2, 1, 3), (3, 2, 2), (4, 4, 1))),
    Architecture((10,), 2, ((4, 4, 4), (3, 1, 2), (3, 3, 1))),
    Architecture((7,), 3, ((4, 1, 2), (7, 7, 1))),
    Architecture((9,), 2, ((5, 2, 2), (2, 2, 2), (2, 2, 1), (2, 2, 1))),
    block_network(3, 16, 2, 4, ndim=1),
]
print(len(networks), "networks, the last of depth", networks[-1].depth)


# %%
def random_images(templates, net, count):
    """Templates row by row, (count, cells)."""
    return torch.randint(templates, (count, *net.size),
                         generator=generator).flatten(1)


def matches(built, count=300):
    """Does the closed form give every cell of layer K and every output?"""
    net = built.architecture
    images = random_images(net.channels, net, count)
    cells = built.output(images, built.layer)[:, :built.base - 1]
    return (torch.equal(cells, built.predicted_cells(images)) and
            torch.equal(built.output(images), built.predicted_output(images)))


results = []
for net in networks:
    representation = field.random((net.channels,) * 2, generator)
    built = overlap_construction(net, representation, field, scale=1000)
    closed_form = matches(built)
    certificate = certify_weights(net, built.weights, "left-right",
                                  representation=representation,
                                  rows=1024, columns=1024)
    results.append((built, closed_form, certificate))
table([(built.architecture, built.layer, built.shift, built.rank(),
        ("at least " if found.sampled else "") + str(found.rank))
       for built, _, found in results],
      ["network", "K", "s", "bound", "rank at the weights"])

# %% tags=["hide-input"]
with checking("proof-construction", detail="{count} networks") as check:
    for built, closed_form, found in results:
        enough = not found.sampled or min(found.shape) >= built.rank()
        check(closed_form and (found.rank >= built.rank() or not enough),
              built.architecture)

# %% [markdown]
# ## One point is enough
#
# Random parameters near the constructed point, or anywhere else, have at least the rank of the bound,
# except on a null set. Draw some points: none is below.

# %%
drawn = [certify(square, "left-right", seed=seed).rank for seed in range(30)]
assert min(drawn) >= square.crossing_bound()
table([("bound", square.crossing_bound().value),
       (f"smallest of {len(drawn)} random", min(drawn)),
       (f"largest of {len(drawn)} random", max(drawn))], ["point", "rank"])

# %% [markdown]
# ## Real sizes
#
# A $32\times32$ input with 64 templates has $64^{1024}$ grid-tensor entries. Nobody will store
# its matrix. But the network runs, and the proof predicts every output, none of which is 0. The layers have
# 63 channels: one less than templates.

# %%
rows, ranks = [], {}
for window in (3, 5):
    net = block_network(window, size=32, channels=64, width=63)
    representation = field.random((net.channels,) * 2, generator)
    for layer in (1, 5):
        built = overlap_construction(net, representation, field, layer=layer)
        rank = ranks[window, layer] = built.rank()
        rows.append((window, layer, built.digits, built.base, rank,
                     f"10^{rank.log10:.0f}", matches(built, 2)))
table(rows, ["B", "layer K", "window offsets", "D", "rank, at least",
             "about", "as predicted"])

# %% tags=["remove-cell"]
assert all(row[-1] for row in rows)
glue("10-real-size-rank", ranks[5, 1])

# %% [markdown]
# The GoogLeNet-like stack up to module 4a, the layer of the published bound, followed by one product
# over its map: $112\times112$ cells, eight layers, up to 512 channels. The published base is 32, half
# of the narrowest layer; here it is 64. (With an earlier layer as $K$ the crossing bound of this chain
# is larger still, $64^{280}$.) One random image runs through it.

# %%
whole = googlenet_stack()
trunk = Architecture(whole.size, whole.channels,
                     (*whole.layers[:8], (14, 14, 1)))
representation = field.random((64, 64), generator)
built = overlap_construction(trunk, representation, field, layer=8)
table([(built.shift, built.digits, trunk.overlap_bounds()[-1],
        built.rank(), matches(built, 1))],
      ["shift", "window offsets", "published", "crossing bound, same K",
       "as predicted"])

# %% [markdown]
# ## What to remember
#
# - A channel that multiplies carries many pixels; the constant beside $D-1$ channels makes $D$.
# - Windows over the cut are eliminated one by one.
# - The closed form holds entry by entry, so a least rank is known where no matrix can exist.
#
# **Try it:** change the `layer` of the construction for `deep`, and add `shift=3` or another distance; give
# `deep` a third window; build the network for your own architecture and run it on images of your choice.

# %% [markdown]
# ## Try it
#
# Write a few lines in place of `None` and run the cell. It says at once whether they are right; if
# not, it names the smallest input it knows on which they fail. All it needs is the set-up and the
# imports at the top. The first is for everyone, the last is hard; [the
# page](../book/proof-construction.md#exercises) has more.

# %% [markdown]
# ### Count the arcs
#
# A row of $H$ pixels is cut before pixel $h$; an arc leads from every pixel $v$ to $v+s$, if that
# exists. How many arcs cross the cut?


# %% tags=["exercise"]
def count_arcs(H, h, s):
    return None


check_answer("10-arcs", count_arcs)

# %% [markdown]
# ### Travel by offsets
#
# Layer $l$ can carry a pixel over $a_l$ cells of the map below it, $0\le a_l\le R_l-1$, and neighbors
# there are the total stride of that map apart. Find offsets that add up to a shift $s$; only shifts
# that have some are asked for.


# %% tags=["exercise"]
def offsets(layers, s):
    """layers: as ((3, 2), (2, 1)), window and stride; one offset for each."""
    return None


check_answer("10-travel", offsets)

# %% [markdown]
# ### The factor in front of the sum
#
# The construction forms $1+\lambda\sum_j\sigma_j(a)\sigma_j(b)$ with $D-1$ signs, $\sigma_j(d)=-1$ if
# $d=j+1$ and $1$ otherwise, for templates $a,b<D$. Find a $\lambda$ with which no factor is 0 and the
# matrix is invertible, for $D=2,\dots,6$.

# %% tags=["exercise"]
sign_factor = None  # as 1

check_answer("10-factor", sign_factor)

# %% [markdown]
# ### Two private pixels
#
# A window has two private pixels on each side of the cut, with two templates each: four contents on a
# side. Give three channels, each a product of a function of the first and a function of the second
# pixel, so that the matrix $1+\sum_jf_j(a)f_j(b)$, with the contents $a$ before and $b$ after the cut,
# has rank 4.

# %% tags=["exercise"]
three_products = None  # as [((1, 2), (1, 1)), ...]: values at templates 0, 1

check_answer("10-private", three_products)
