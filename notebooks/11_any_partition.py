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
# One overlapping layer with windows as large as the image has a large rank for every partition of the
# pixels. How large is decided by a matching. Statements and proofs are on
# [the page](../book/any-partition.md). Each call of `verify` names one of them; the
# [ledger](../book/ledger.md) lists the names.

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules:  # there, fetch the course and what it needs
    subprocess.run(f'(test -d course || git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course) && cd course && "{sys.executable}" -m lib.course.colab', shell=True, check=True)
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import itertools
from collections import Counter

import torch

from lib import Architecture, Layer, ModeTree, certify
from lib.exact.arithmetic import Modular
from lib.grids.certify import certify_weights
from lib.course.claims import verify
from lib import matching_construction
from lib.course.glue import glue
from lib.bounds.matching import matching_number
from lib.plots.partitions import draw_partition
from lib.plots.style import figure
from lib import split_modes

field = Modular()
generator = torch.Generator().manual_seed(11)


def network(height, width, channels, layer_channels):
    """One layer with windows as large as the image, then a product over the whole map."""
    extent = (height, width)
    return Architecture(extent, channels, (Layer(extent, 1, layer_channels), Layer(extent, extent, 1)))


def even_partitions(cells):
    """One side of every split into equal halves; the side that holds cell 0 stands for both."""
    for rest in itertools.combinations(range(1, cells), cells // 2 - 1):
        yield (0, *rest)


# %% [markdown]
# ## Matching numbers
#
# Two pixels can be compared if one is to the right of the other, or below, or both. The matching number
# $\nu$ counts disjoint comparable pairs across a partition. Here it is for all even partitions of
# the $4\times4$ grid.

# %%
everything = list(even_partitions(16))
numbers = {rows: matching_number(rows, (4, 4)) for rows in everything}
print(len(everything), "partitions; matching numbers:", dict(sorted(Counter(numbers.values()).items())))
deficient = [rows for rows in everything if numbers[rows] < 8]
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
# $(\nu+H^2)^2\ge2H^4$. Checked for all partitions of the $2\times2$ and $4\times4$ grids, and for partitions of larger
# grids that put one side into a corner of the best share, $1/\sqrt2$ of rows and columns.


# %%
def above_bound(number, side):
    return (number + side**2) ** 2 >= 2 * side**4


holds = all(above_bound(matching_number(rows, (2, 2)), 2) for rows in even_partitions(4))
holds &= all(above_bound(number, 4) for number in numbers.values())
print(" H  best corner  nu  H²/2  smallest integer >= (√2-1)H²")
for side in (4, 6, 8, 10, 12):
    found = {}
    for k in range(1, side // 2):
        corner = [side * i + j for i in range(k, side) for j in range(side - k)]
        others = [cell for cell in range(side**2) if cell not in set(corner)]
        rows = (corner + others[::-1])[: side**2 // 2]
        found[matching_number(rows, (side, side))] = k
    number = min(found)
    lowest = next(n for n in range(side**2) if above_bound(n, side))
    print(f"{side:2}  k = {found[number]:7}  {number:2}  {side**2 // 2:4}  {lowest:8}")
    holds &= above_bound(number, side) and number < side**2 // 2
    for name in ("left-right", "top-bottom", "checkerboard"):
        holds &= matching_number(split_modes(name, (side, side))[0], (side, side)) == side**2 // 2
verify("matching-number-bound", holds, detail="all partitions up to 4×4, corners up to 12×12")

# %% [markdown]
# ## The counterexample
#
# $4\times4$ pixels, $M=D=2$, unshared kernels, and no bias in the second layer. Theorem 2 as
# quoted promises rank $2^8=256$ for every partition. When one side contains the first row and the last column,
# the rank is at most $D^{H-1}M^{H^2/2-H}=2^3\cdot2^4=128$ for all weights. Random weights:

# %%
net = network(4, 4, 2, 2)


def corner_like(rows):
    """Does one side contain the first row and last column, or the first column and last row?"""
    edges = {0, 1, 2, 3, 7, 11, 15}, {0, 4, 8, 12, 13, 14, 15}
    return any(edge <= set(rows) or not edge & set(rows) for edge in edges)


print(sum(map(corner_like, everything)), "corner partitions; all deficient ones among them:",
      all(map(corner_like, deficient)))
corner = next(rows for rows in deficient if corner_like(rows))
print("one side:", corner)
for shared in (False, True):
    rank = certify(net, corner, shared=shared, biases=(True, False), seed=1).rank
    print("shared kernels:" if shared else "unshared kernels:", "rank", rank)

# %% [markdown]
# With a bias in the second layer the two channels count as three, and the bound $3^3\cdot2^4$ is above
# 256. With three templates and three channels it is below again: $4^3\cdot3^4=5184$ of $3^8=6561$.
# The whole matrix, eliminated exactly:

# %%
certificate = certify(network(4, 4, 3, 3), corner, shared=False, seed=7)
print("rank", certificate.rank, "of", certificate.shape, "| bound:", (3 + 1) ** 3 * 3**4)
assert certificate.rank == (3 + 1) ** 3 * 3**4 and not certificate.sampled
glue("11-corner-rank", certificate.rank)

# %% [markdown]
# So the bound of the corner argument is the exact generic rank here. On the $3\times4$ grid the same effect shows in matrices small enough to scan all 462
# partitions for their matching number; we certify those below 6 and every twentieth of the others.

# %%
small = network(3, 4, 3, 3)
parts = list(even_partitions(12))
table = {}
for bias in (True, False):
    ranks = {
        rows: certify(small, rows, shared=False, biases=(True, bias), seed=2).rank
        for rows in parts
        if matching_number(rows, (3, 4)) < 6 or rows in parts[::20]
    }
    table[bias] = Counter(ranks.values())
    print("bias in layer 2:", bias, "| ranks:", dict(sorted(table[bias].items())))
    exponent = min(matching_number(rows, (3, 4)) for rows in ranks)
    print("   smallest matching number:", exponent, "| promised at least", 3**exponent)

# %%
bound_holds, rows = True, (0, 1, 2, 3, 7, 11)  # first row and last column of the 3×4 grid
print("M  D  bias  rank  bound (D+β)³·M²  full rank M⁶")
for (channels, width), bias in itertools.product([(2, 2), (2, 3), (3, 2), (3, 3)], (True, False)):
    candidate = network(3, 4, channels, width)
    rank = certify(candidate, rows, shared=False, biases=(True, bias), seed=3).rank
    ceiling = (width + bias) ** 3 * channels**2
    print(f"{channels}  {width}  {bias!s:5} {rank:4}  {ceiling:15}  {channels**6:12}")
    bound_holds &= rank <= ceiling
full = 2**8
corners = [rows for rows in deficient if corner_like(rows)]
for rows in corners:
    bound_holds &= certify(net, rows, shared=False, biases=(True, False), seed=4).rank <= 128 < full
verify("corner-partition", bound_holds, detail=f"{len(corners)} partitions of 4×4, 8 networks on 3×4")

# %% [markdown]
# More channels help. Ranks of the 18 deficient partitions of the $4\times4$ grid with two templates, and
# of the corner of the $3\times4$ grid with three:

# %%
print("4×4, M=2:  D  kernels   bias in layer 2  ranks")
for width, shared, bias in [(2, False, True), (2, True, True), (3, True, False), (4, False, False)]:
    candidate = network(4, 4, 2, width)
    ranks = {
        certify(candidate, rows, shared=shared, biases=(True, bias), seed=6).rank for rows in deficient
    }
    print(f"{width:12}  {'shared' if shared else 'unshared':8}  {bias!s:15}  {ranks}")

print("3×4, M=3:  D  kernels   bias in layer 2  rank, of 729")
for width in (4, 9, 36):
    candidate = network(3, 4, 3, width)
    rank = certify(candidate, (0, 1, 2, 3, 7, 11), biases=(True, False), seed=6).rank
    print(f"{width:12}  {'shared':8}  {'False':15}  {rank}")

# %% [markdown]
# ## The corrected bound
#
# For every partition the rank is at least $\min(M,D)^\nu$. Certify it for all deficient partitions and a
# sample of the others, with unshared kernels and, for comparison, shared ones with as few channels. On
# the $2\times2$ grid, where $\nu=2$, take all partitions and also $D<M$.

# %%
sample = deficient + everything[::120]
smallest, reached = full, True
for shared in (False, True):
    for rows in sample:
        rank = certify(net, rows, shared=shared, biases=(True, False), seed=5).rank
        reached &= rank >= 2 ** numbers[rows]
        smallest = min(smallest, rank)
print(len(sample), "partitions, unshared and shared: smallest rank", smallest)
glue("11-smallest-rank", smallest)

tiny = {}
for channels in (2, 3, 4):
    for width, shared in itertools.product((channels - 1, channels, 2 * channels), (False, True)):
        ranks = {certify(network(2, 2, channels, width), rows, shared=shared, seed=7).rank
                 for rows in even_partitions(4)}
        reached &= min(ranks) >= min(channels, width) ** 2
        tiny.setdefault(channels, set()).update(ranks)
print("2×2 grid, ranks found for M templates:", tiny)

# %% [markdown]
# The proof's weights: one pair per location. Shared kernels recognize their location by the padding that
# their window sees, at the price of more channels. Both reach $2^\nu$ exactly, and equal their closed form on every input.

# %%
wide = network(4, 4, 2, 2 * 8 + 8)  # M ν + H² - ν channels for ν = 8; ν = 7 needs one more
exact = True
for rows in (corner, *(split_modes(name, (4, 4))[0] for name in ("left-right", "checkerboard"))):
    for architecture, shared in ((net, False), (wide, True)):
        representation = field.random((2, 2), generator)
        built = matching_construction(architecture, rows, representation, field, shared=shared)
        images = torch.randint(2, (500, 16), generator=generator)
        agree = torch.equal(built.output(images), built.predicted_output(images))
        rank = certify_weights(architecture, built.weights, rows, representation=representation).rank
        exact &= agree and rank == built.rank().value == 2 ** matching_number(rows, (4, 4))
        print("shared  " if shared else "unshared", "rank", rank, "| closed form agrees:", agree)
verify("any-partition", reached and exact, detail=f"{len(sample)} partitions and 6 constructions")

# %% [markdown]
# ## Other pooling geometries
#
# A network without overlaps can pool in many ways. Each line below is a mode tree on the 16 pixels with widths
# $(4,16,16,8)$ or $(16,8)$; its min-cut bounds the rank of every partition from above. The smallest over all
# partitions is never more than the root's width.

# %%
rows_first = ModeTree.perfect(modes=16, pool=2, dim=2, widths=(4, 16, 16, 8))
quadrants = [4 * i + j for a in (0, 2) for b in (0, 2) for i in (a, a + 1) for j in (b, b + 1)]
mirrored = [x for i in range(8) for x in (i, 15 - i)]
shuffled = torch.randperm(16, generator=generator).tolist()
geometries = {
    "row by row": rows_first,
    "2×2 windows": ModeTree.perfect(modes=16, pool=4, dim=2, widths=(16, 8)).permuted(quadrants),
    "mirror pixels": rows_first.permuted(mirrored),
    "random": rows_first.permuted(shuffled),
}
print("pooling geometry  smallest  largest   of 256")
cheap = True
for name, tree in geometries.items():
    cuts = [tree.mincut(rows) for rows in everything]
    print(f"{name:16}  {min(cuts):8}  {max(cuts):7}")
    half = tree.leaves[:8]  # the modes below the first half of the root's children
    rank = certify(tree, half, shared=False, seed=6).rank
    cheap &= rank <= tree.mincut(half) <= tree.root.width and min(cuts) <= tree.root.width
verify("cheap-partition", cheap, detail="4 pooling geometries, all 6435 partitions")
print(f"one overlapping layer, two channels: smallest {smallest}")

# %% [markdown]
# ## What to remember
#
# - The rank is at least $\min(M,D)$ to the matching number, for all partitions at once.
# - The full rank fails where one side holds the first row and the last column.
# - Every pooling geometry has a partition of small rank, at most the width of its root.
#
# **Try it:** another grid in `network`; other widths in `geometries`; `shared=True` on the $3\times4$ grid.
