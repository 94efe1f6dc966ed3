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
# # All partitions at once
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/11_any_partition.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/11_any_partition.ipynb)
#
# One overlapping layer with windows as large as the image has a large rank for every even partition of
# the pixels. How large at least, a matching says. Statements and proofs are on
# [the page](../book/any-partition.md). A line that begins with *claim holds* checks one of them; the
# [ledger](../book/ledger.md) lists them.

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course && cd course && "{sys.executable}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import torch

from lib import (Architecture, ModeTree, Modular, certify, certify_weights,
                 check_answer, checking, forward, glue, indices,
                 matching_construction, matching_number, table)
from lib.plots.partitions import draw_partition, figure

field = Modular()
generator = torch.Generator().manual_seed(11)


def network(height, width, channels, layer_channels):
    """Windows as large as the image, then a product over the whole map."""
    extent = (height, width)
    return Architecture(extent, channels, ((extent, 1, layer_channels),
                                           (extent, extent, 1)))


print(network(4, 4, 2, 2))

# %% [markdown]
# ## Matching numbers
#
# Two pixels can be compared if they share a row or a column, or if one is to the lower right of the
# other. The matching number $\nu$ is the largest number of disjoint comparable pairs across a
# partition. Here it is for all even partitions of the $4\times4$ grid; one side, the one that holds
# cell 0, stands for both.


# %%
def even_partitions(cells):
    """The side of cell 0 of every split into equal halves."""
    sides = indices(2, cells).flip(0)  # one row of 0 and 1 per subset
    even = (sides.sum(1) == cells // 2) & (sides[:, 0] == 1)
    return [tuple(side.nonzero().flatten().tolist()) for side in sides[even]]


def tally(values):
    """How often each value occurs."""
    values = list(values)
    return [(value, values.count(value)) for value in sorted(set(values))]


everything = even_partitions(16)
numbers = {rows: matching_number(rows, (4, 4)) for rows in everything}
deficient = [rows for rows in everything if numbers[rows] < 8]
print(len(everything), "partitions")
table(tally(numbers.values()), ["matching number", "partitions"])

# %% tags=["remove-cell"]
glue("11-partitions", len(everything))
glue("11-deficient", len(deficient))

# %% [markdown]
# A few of the partitions in which no choice of comparable pairs uses every pixel:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-deficient", "caption": "Partitions of the 4×4 grid with matching number 7. Numbers mark pairs; the framed cells stay alone."}, "image": {"alt": "Four grids of 16 cells in two colors. In each, one color gathers towards the lower left and the other towards the upper right corner, and one framed cell of each color has no number."}}
with figure(7, 2.2, columns=4) as (drawing, axes):
    for ax, rows in zip(axes, deficient[::5]):
        draw_partition(ax, rows, (4, 4))

# %% [markdown]
# The bound $\nu\ge(\sqrt2-1)H^2$, in integers: $\nu + H^2\ge\sqrt2\,H^2$ means
# $(\nu+H^2)^2\ge2H^4$. Partitions that come near it put one side into a corner of the best share,
# $1/\sqrt2$ of rows and columns.


# %%
def above_bound(number, side):
    return (number + side**2) ** 2 >= 2 * side**4


def corner_partition(side, k):
    """A square corner without k rows and k columns, filled up to a half."""
    corner = [side * i + j for i in range(k, side) for j in range(side - k)]
    others = [cell for cell in range(side**2) if cell not in corner]
    return (corner + others[::-1])[:side**2 // 2]


by_side = []
for side in (4, 6, 8, 10, 12):
    tried = {k: matching_number(corner_partition(side, k), (side, side))
             for k in range(1, max(side // 2, 2))}
    number = min(tried.values())
    best = max(k for k in tried if tried[k] == number)
    lowest = next(n for n in range(side**2) if above_bound(n, side))
    by_side.append((side, best, number, side**2 // 2, lowest))
table(by_side, ["H", "best k", "ν", "half of the pixels",
                "smallest integer within the bound"])

# %% [markdown]
# The bound is checked for all partitions of the $2\times2$ and $4\times4$ grids and for the corners.
# The familiar partitions of larger grids pair every pixel.

# %% tags=["hide-input"]
with checking("matching-number-bound",
              detail=f"all up to 4×4, corners up to {max(by_side)[0]}×"
                     f"{max(by_side)[0]}") as check:
    for rows in even_partitions(4):
        check(above_bound(matching_number(rows, (2, 2)), 2), rows)
    for rows in everything:
        check(above_bound(numbers[rows], 4), rows)
    for side, _, number, half, _ in by_side:
        even = side % 2 == 0 and side >= 4
        check(above_bound(number, side) and (number < half or not even), side)
        for name in ("left-right", "top-bottom", "checkerboard"):
            check(matching_number(name, (side, side)) == half, name)

# %% [markdown]
# ## The network by hand
#
# Every location $(i, j)$ has weights of its own. Its window reaches from there to the lower right
# corner of the image; beyond the border only the biases are left. The second layer multiplies one
# linear map of every location, here without biases. In residues modulo the prime of `field`:

# %%
net = network(4, 4, 2, 2)
cells = indices(4, 2).tolist()  # the 16 pairs (row, column)


def by_hand(weights, x):
    """Outputs for images of shape (batch, channels, 4, 4)."""
    (weight, bias), (last, _) = weights
    output = torch.ones(len(x)).double()
    for i, j in cells:
        value = torch.ones(len(x), weight.shape[2]).double()
        for a, b in cells:
            factor = bias[i, j, :, a, b]
            if i + a < 4 and j + b < 4:
                seen = x[:, :, i + a, j + b]
                factor = factor + seen @ weight[i, j, :, :, a, b].T
            value = value * (factor % field.prime) % field.prime
        added = value @ last[0, 0, 0, :, i, j] % field.prime
        output = output * added % field.prime
    return output


random = torch.Generator().manual_seed(0)
weights = net.random_weights(field, random, shared=False,
                             biases=(True, False))
images = field.random((50, net.channels, 4, 4), random)
library = forward(net, weights, images, field).flatten()
print(f"equal to forward on {len(images)} images:",
      torch.equal(by_hand(weights, images), library))

# %% [markdown]
# ## The counterexample
#
# $4\times4$ pixels, $M=D=2$, unshared kernels, and no bias in the second layer. The paper's theorem, as
# we read it, promises rank $2^8=256$ for every even partition. When one side contains the first row and
# the last column, the rank is at most $D^{H-1}M^{H^2/2-H}=2^3\cdot2^4=128$ for all weights.


# %%
def corner_like(rows):
    """First row and last column, or first column and last row, on a side?"""
    edges = {0, 1, 2, 3, 7, 11, 15}, {0, 4, 8, 12, 13, 14, 15}
    return any(edge <= set(rows) or not edge & set(rows) for edge in edges)


print(sum(map(corner_like, everything)), "corner partitions")
print("all deficient ones among them:", all(map(corner_like, deficient)))
corner = next(rows for rows in deficient if corner_like(rows))
print("one side:", corner)

# %% [markdown]
# Random weights:

# %%
for shared in (False, True):
    certificate = certify(net, corner, shared=shared, biases=(True, False),
                          seed=1)
    print("shared kernels:  " if shared else "unshared kernels:", certificate)

# %% [markdown]
# With a bias in the second layer the two channels count as three, and the bound $3^3\cdot2^4$ is above
# 256. With three templates and three channels it is below again: $4^3\cdot3^4=5184$ of $3^8=6561$.
# On the $3\times4$ grid the same effect shows in smaller matrices, of 729 rows. We scan all 462
# partitions for their matching number and certify those below 6 and every sixtieth of all.

# %%
small = network(3, 4, 3, 3)
parts = even_partitions(small.size[0] * small.size[1])
twelve = {rows: matching_number(rows, small.size) for rows in parts}
chosen = [rows for rows in parts if twelve[rows] < 6 or rows in parts[::60]]
exponent = min(twelve[rows] for rows in chosen)
base = min(small.channels, small.layers[0].channels)
print("smallest matching number:", exponent, "| promised at least",
      base**exponent)

table([(bias, rank, count) for bias in (True, False)
       for rank, count in tally(
           certify(small, rows, shared=False, biases=(True, bias), seed=2).rank
           for rows in chosen)],
      ["bias in layer 2", "rank", "partitions"])

# %% [markdown]
# The corner of the $3\times4$ grid, for other numbers of templates and channels, with
# ($\beta=1$) and without ($\beta=0$) a bias in layer 2:

# %%
corner_12 = (0, 1, 2, 3, 7, 11)  # first row and last column
outcomes = []
for channels, width in [(2, 2), (2, 3), (3, 2), (3, 3)]:
    for bias in (True, False):
        rank = certify(network(3, 4, channels, width), corner_12,
                       shared=False, biases=(True, bias), seed=3).rank
        bound = (width + bias) ** 3 * channels**2
        outcomes.append((channels, width, bias, rank, bound, channels**6))
table(outcomes, ["M", "D", "bias in layer 2", "rank", "(D + β)^3 M^2",
                 "full rank M^6"])

# %% tags=["remove-cell"]
glue("11-corner-rank", outcomes[-2][3])

# %%
templates, layer_width = net.channels, net.layers[0].channels
most, full = layer_width**3 * templates**4, templates**8  # rows of the matrix
corners = [rows for rows in deficient if corner_like(rows)]
corner_ranks = [certify(net, rows, shared=False, biases=(True, False),
                        seed=4).rank for rows in corners]
print("corner partitions of 4×4:", len(corners), "| largest rank:",
      max(corner_ranks), "of", full)
elsewhere = certify(net, "left-right", shared=False, biases=(True, False),
                    seed=4).rank
print("the same network between left and right:", elsewhere)

# %% tags=["hide-input"]
telling = [row for row in outcomes if row[-2] < row[-1]]  # others cannot fail
low = corner_ranks if most < full else []
with checking("corner-partition",
              detail=f"{len(low)} partitions of 4×4, {len(telling)} "
                     "networks on 3×4 with a bound below full rank"
              ) as check:
    for _, _, _, rank, bound, _ in telling:
        check(rank <= bound, (rank, bound))
    for rank in low:
        check(rank <= most, rank)
    # full rank takes as many channels as templates
    check(elsewhere == min(templates, layer_width)**8, elsewhere)

# %% [markdown]
# More channels help, and so does a bias in layer 2. Ranks of every third of the 18 deficient partitions
# of the $4\times4$ grid with two templates:

# %%
rows, third = [], deficient[::3]
for width, shared, bias in [(2, False, True), (2, True, True),
                            (3, True, False), (4, False, False)]:
    wider = network(4, 4, 2, width)
    ranks = {certify(wider, side, shared=shared, biases=(True, bias),
                     seed=6).rank for side in third}
    rows.append((width, shared, bias,
                 ranks.pop() if len(ranks) == 1 else sorted(ranks)))
table(rows, ["D", "shared kernels", "bias in layer 2",
             f"rank, all {len(third)}"])

# %% [markdown]
# And of the corner of the $3\times4$ grid with three templates, shared kernels and no bias in layer
# 2. Full rank is 729.

# %%
M = 3
table([(width, certify(network(3, 4, M, width), corner_12,
                       biases=(True, False), seed=6).rank)
       for width in (4, 9, 36)], ["D", f"rank, of {M**6}"])

# %% [markdown]
# ## The corrected bound
#
# With unshared kernels the rank is at least $\min(M,D)^\nu$, for every even partition and almost all
# weights. Certify it for all deficient partitions and a sample of the others. Shared kernels with as few
# channels stand beside it for comparison; the theorem promises nothing for them.

# %%
sample = deficient + everything[::400]
ranks = {(shared, rows): certify(net, rows, shared=shared,
                                 biases=(True, False), seed=5).rank
         for shared in (False, True) for rows in sample}
smallest = min(ranks.values())
print(len(sample), "partitions, unshared and shared: smallest rank", smallest)

# %% tags=["remove-cell"]
glue("11-smallest-rank", smallest)

# %% [markdown]
# On the $2\times2$ grid, where $\nu=2$, take all partitions, and also $D<M$ and $D>M$. Thanks
# to the bias in layer 2 the rank is $M^2$ even where $D=M-1$.

# %%
tiny = {}
for channels in (2, 3, 4):
    for width in (channels - 1, channels, 2 * channels):
        tiny[channels, width] = [
            certify(network(2, 2, channels, width), rows, shared=shared,
                    seed=7).rank
            for shared in (False, True) for rows in even_partitions(4)]
table([(channels, width, min(channels, width) ** 2, min(found), max(found))
       for (channels, width), found in tiny.items()],
      ["M", "D", "promised", "smallest rank", "largest rank"])

# %% [markdown]
# The proof's weights: at most one pair for each location. Shared kernels recognize their location by
# the padding that their window sees, at the price of more channels. Both reach $2^\nu$ exactly, and
# equal their closed form on 500 random images.

# %%
wide = network(4, 4, 2, 2 * 8 + 8)  # M ν + H² - ν channels, ν = 8
built_ranks = []
for name, rows in [("corner", corner), ("left-right", "left-right"),
                   ("checkerboard", "checkerboard")]:
    for host, shared in ((net, False), (wide, True)):
        representation = field.random((2, 2), generator)
        built = matching_construction(host, rows, representation, field,
                                      shared=shared)
        images = torch.randint(2, (500, 16), generator=generator)
        agree = torch.equal(built.output(images),
                            built.predicted_output(images))
        rank = certify_weights(host, built.weights, rows,
                               representation=representation).rank
        built_ranks.append((name, shared, matching_number(rows, (4, 4)),
                            built.rank(), rank, agree))
table(built_ranks, ["partition", "shared kernels", "ν", "predicted",
                    "rank", "closed form agrees"])

# %% tags=["hide-input"]
with checking("any-partition", detail=f"{len(sample)} partitions and "
                                      f"{len(built_ranks)} constructions"
              ) as check:
    base = {shared: min(host.channels, host.layers[0].channels)
            for shared, host in ((False, net), (True, wide))}
    for (_, rows), rank in ranks.items():
        check(rank >= base[False] ** numbers[rows], rows)
    for (channels, width), found in tiny.items():
        check(min(found) >= min(channels, width) ** 2, (channels, width))
    for name, shared, number, predicted, rank, agree in built_ranks:
        check(agree and rank == predicted == base[shared]**number, name)

# %% [markdown]
# ## Other pooling geometries
#
# A network without overlaps can pool in many ways. Each line below is a mode tree on the 16 pixels with
# widths $(4,16,16,8)$ or $(16,8)$; its min-cut bounds the rank of every partition from above. The
# smallest over all even partitions is never more than the root's width.

# %%
by_row = ModeTree.perfect(modes=16, pool=2, dim=2, widths=(4, 16, 16, 8))
by_window = ModeTree.perfect(modes=16, pool=4, dim=2, widths=(16, 8))
quadrants = [4 * i + j for a in (0, 2) for b in (0, 2)
             for i in (a, a + 1) for j in (b, b + 1)]
mirrored = [x for i in range(8) for x in (i, 15 - i)]
shuffled = torch.randperm(16, generator=generator).tolist()
geometries = {
    "row by row": by_row,
    "2×2 windows": by_window.permuted(quadrants),
    "mirror pixels": by_row.permuted(mirrored),
    "random": by_row.permuted(shuffled),
}
cuts = {name: [tree.mincut(rows) for rows in everything]
        for name, tree in geometries.items()}
table([(name, min(values), max(values)) for name, values in cuts.items()],
      ["pooling geometry", "smallest min-cut", f"largest, of {by_row.dim**8}"])

# %% [markdown]
# The cheap partition is easy to name: one side holds the pixels below the first half of the root's
# children.

# %%
cheap = []
for name, tree in geometries.items():
    half = tree.leaves[:8]
    rank = certify(tree, half, shared=False, seed=6).rank
    cheap.append((name, rank, tree.mincut(half), tree.root.width))
D = net.layers[0].channels
table([*cheap, (f"one overlapping layer, D = {D}", smallest, None, None)],
      ["network", "rank", "min-cut", "width of the root"])

# %% tags=["hide-input"]
with checking("cheap-partition",
              detail=f"{len(cheap)} pooling geometries, "
                     f"all {len(everything)} partitions") as check:
    for name, rank, cut, width in cheap:
        check(rank <= cut <= width, name)
        check(min(cuts[name]) <= width, name)

# %% [markdown]
# The last line of the table is the smallest rank found above over 35 partitions, of a network with
# two channels.
#
# ## What to remember
#
# - With unshared kernels the rank is at least $\min(M,D)$ to the matching number, for all even
#   partitions at once.
# - The full rank can fail where one side holds the first row and the last column.
# - Every pooling geometry with an even number of equal blocks at the root has a partition of small
#   rank, at most the width of the root.
#
# **Try it:** another grid for `small`, as `network(2, 6, 3, 3)`; other widths in `geometries`; `shared=True`
# on the $3\times4$ grid.

# %% [markdown]
# ## Try it
#
# Write a few lines in place of `None` and run the cell. It says at once whether they are right; if
# not, it names the smallest input it knows on which they fail. All it needs is the set-up and the
# imports at the top. The first is for everyone, the last is hard; [the
# page](../book/any-partition.md#exercises) has more.

# %% [markdown]
# ### Who sees whom
#
# Pixels are numbered row by row. The window anchored at a pixel reaches down and to the right, to the
# corner. Does the window at one of the two reach the other?


# %% tags=["exercise"]
def comparable_pixels(a, b, width):
    """width: pixels in a row; return True or False."""
    return None


check_answer("11-comparable", comparable_pixels)

# %% [markdown]
# ### The cheap partition
#
# Mirror windows on a 4×4 image: $\{0,3,12,15\}$, $\{1,2,13,14\}$, $\{4,7,8,11\}$ and $\{5,6,9,10\}$,
# each with 4 channels; the root has width 3. Which eight pixels have a rank of at most 3 against the
# others?

# %% tags=["exercise"]
cheap_half = None  # eight pixels

check_answer("11-cheap", cheap_half)

# %% [markdown]
# ### Defeat the pairs
#
# Find eight pixels of the 4×4 grid that cannot all be paired with the other eight, if the pixels of a
# pair have to be comparable.

# %% tags=["exercise"]
defeating_half = None  # eight pixels

check_answer("11-defeat", defeating_half)

# %% [markdown]
# ### Pair them up
#
# As many disjoint comparable pairs as possible, one pixel from `rows` and one from `others` in each.


# %% tags=["exercise"]
def pair_up(rows, others, width):
    """A list of pairs, as [(0, 1), (4, 2)]."""
    return None


check_answer("11-pairing", pair_up)
