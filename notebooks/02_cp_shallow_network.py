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
# # The shallow network, measured
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/02_cp_shallow_network.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/02_cp_shallow_network.ipynb)
#
# One hidden layer and global pooling: its tensor is a sum of rank-one terms. Here its ranks are
# predicted, then computed exactly, with and without shared weights; every tensor is rebuilt by enough
# channels; and a network with shared weights fails to notice that an image was shuffled. The proofs
# are on [the page](../book/cp-shallow-network.md).

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules:  # there, fetch the course and what it needs
    subprocess.run(f'(test -d course || git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course) && cd course && "{sys.executable}" -m lib.course.colab', shell=True, check=True)
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
from functools import reduce
from itertools import combinations, permutations
from math import comb

import torch

from lib import ModeTree, exact_rank
from lib.exact.arithmetic import Modular
from lib.trees.circuit import evaluate
from lib.course.claims import verify
from lib.course.glue import glue
from lib.trees.decompositions import coefficient_tensor
from lib.grids.grid import grid_tensor, photograph_patches, place
from lib.plots.cp import draw_growth, draw_ranks, three_terms
from lib.plots.grids import draw_mosaic
from lib.plots.style import COLORS, figure
from lib import indices, khatri_rao, matricize, split_modes

field = Modular()  # integers modulo a prime: no rounding anywhere
generator = torch.Generator().manual_seed(2)

# %% [markdown]
# ## One network, one sum
#
# A star joins all $N$ positions in one node. Its width $Z$ is the number of hidden channels. Channel
# $\gamma$ has a vector $v^{i,\gamma}\in\mathbb R^M$ at every position $i$, and an output weight $a_\gamma$;
# the tensor is $\mathcal A=\sum_\gamma a_\gamma\,v^{0,\gamma}\otimes\dots\otimes v^{N-1,\gamma}$.
#
# The tensor as a sum of outer products, by the recursion of the tree, and as the answers of the
# network on unit vectors (templates with $F$ the identity):

# %%
tree, weights = three_terms()
Z, N = tree.root.width, tree.modes


def outer(vectors):
    return reduce(lambda a, b: a[..., None] * b, vectors)


by_sum = sum(weights[()][z] * outer([weights[(i,)][z] for i in range(N)]) for z in range(Z))
by_tree = coefficient_tensor(tree, weights)
by_network = grid_tensor(lambda inputs: evaluate(tree, weights, inputs), torch.eye(2).double(), N)
print("three ways, one tensor:", torch.equal(by_sum, by_tree) and torch.equal(by_sum, by_network))
print("matrix for I = {0, 1}:", matricize(by_tree, (0, 1)).int().tolist())
print("rank:", exact_rank(matricize(by_tree, (0, 1))).rank, "with Z =", Z, "channels")

# %% [markdown]
# ## Claim 2: the rank is at most the number of channels
#
# Matricized, every term is a column times a row. So $[\![\mathcal A]\!]=U\,\mathrm{diag}(a)\,W^\top$, where the
# columns of $U$ and $W$ are the Kronecker products of the channel's vectors: Khatri–Rao products.


# %%
def khatri_rao_modular(matrices):
    """Khatri–Rao product modulo p: reduce after each factor."""
    return reduce(lambda a, b: field.reduce(khatri_rao([a, b])), matrices)


def factored(weights, rows, modes):
    """U diag(a) W^T for a star with these weights."""
    row_modes, column_modes = split_modes(rows, modes)
    U, W = (khatri_rao_modular([weights[(i,)].T for i in side]) for side in (row_modes, column_modes))
    return field.matmul(field.multiply(U, weights[()]), W.T)


def partitions(modes):
    """Every partition into two nonempty sides, once: mode 0 is a row mode."""
    others = range(1, modes)
    return [(0, *chosen) for size in range(modes - 1) for chosen in combinations(others, size)]


checked, holds = 0, True
for modes, dim, width in [(2, 5, 3), (3, 4, 5), (4, 3, 7), (5, 2, 3), (6, 2, 6)]:
    star = ModeTree.star(modes, dim, width)
    for shared in (False, True):
        drawn = star.random_weights(field, generator, shared)
        tensor = coefficient_tensor(star, drawn, field)
        for rows in partitions(modes):
            matrix = matricize(tensor, rows)
            holds &= torch.equal(matrix, factored(drawn, rows, modes))
            holds &= exact_rank(matrix).rank <= width
            checked += 1
verify("cp-rank-bound", holds, detail=f"{checked} matricizations, entry by entry and by rank")
glue("02-bound-checks", checked)


# %% [markdown]
# ## The exact rank
#
# Prediction, with $k=\min(|I|,|J|)$: the generic rank is $\min(Z,M^k)$ if every position has its own
# vectors, and $\min\big(Z,\binom{M+k-1}{k}\big)$ if all positions share them. One modular instance proves the
# lower bound, and the page proves the upper bound.


# %%
def predicted(dim, width, k, shared):
    return min(width, comb(dim + k - 1, k) if shared else dim**k)


def measured(modes, dim, width, rows, shared):
    star = ModeTree.star(modes, dim, width)
    drawn = star.random_weights(field, generator, shared)
    return exact_rank(factored(drawn, rows, modes)).rank


instances = [(4, 2, 3, (0, 1)), (4, 2, 4, (0, 1)), (4, 3, 9, (0, 1)), (6, 2, 8, (0, 1, 2)),
             (6, 3, 28, (0, 3, 5)), (8, 2, 17, (0, 2, 4, 6)), (5, 3, 8, (0, 4)), (5, 4, 20, (1, 2)),
             (7, 2, 9, (0, 2, 4)), (8, 3, 90, (0, 1, 2, 3)), (9, 2, 12, (0, 8)), (10, 2, 40, (0, 1, 2, 3, 4)),
             (6, 4, 70, (1, 3, 5))]
print(" N  M   Z  I                unshared  shared")
formula = True
for modes, dim, width, rows in instances:
    k = min(len(rows), modes - len(rows))
    found = [measured(modes, dim, width, rows, shared) for shared in (False, True)]
    formula &= found == [predicted(dim, width, k, shared) for shared in (False, True)]
    print(f"{modes:2} {dim:2} {width:3}  {str(set(rows)):16} {found[0]:8} {found[1]:7}")
verify("cp-generic-rank", formula, detail=f"{len(instances)} networks, unshared and shared")

# %% [markdown]
# Then all of $N=4$, $M=2,3,4$, $Z=1,\dots,17$ and every partition. Unshared, the rank also equals the
# minimum cut of the tree. Shared, it stays below the cut whenever the symmetric tensors are the
# bottleneck.

# %%
sweep, all_equal, cut_met, below_cut = 0, True, True, 0
for dim in (2, 3, 4):
    for width in range(1, 18):
        star = ModeTree.star(4, dim, width)
        tensors = [
            coefficient_tensor(star, star.random_weights(field, generator, shared), field)
            for shared in (False, True)
        ]
        for rows in partitions(4):
            k, cut = min(len(rows), 4 - len(rows)), star.mincut(rows)
            ranks = [exact_rank(matricize(tensor, rows)).rank for tensor in tensors]
            all_equal &= ranks == [predicted(dim, width, k, shared) for shared in (False, True)]
            cut_met &= ranks[0] == cut
            below_cut += ranks[1] < cut
            sweep += 1
print("unshared ranks equal to the minimum cut:", cut_met)
print("shared ranks below the minimum cut:", below_cut, "of", sweep)
verify("cp-generic-rank", all_equal, detail=f"{sweep} matricizations, unshared and shared")
glue("02-sweep", sweep)
glue("02-below-cut", below_cut)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-cp-ranks", "caption": "Exact rank of a shallow network on N = 8 positions with M = 3, left half against right half. Each channel adds one, up to all 81 dimensions if weights are unshared, and up to the 15 dimensions of symmetric tensors if they are shared."}, "image": {"alt": "Rank against the number of channels from 0 to 100. The unshared curve rises with slope 1 and turns flat at 81. The shared curve rises with it and turns flat at 15."}}
widths = sorted({1, 81, *range(5, 101, 5)})
curves = [[measured(8, 3, width, "left-right", shared) for width in widths] for shared in (False, True)]
assert curves == [[predicted(3, width, 4, shared) for width in widths] for shared in (False, True)]
with figure(6, 3.2) as (drawing, axes):
    draw_ranks(axes, widths, *curves)

# %% [markdown]
# ## Enough channels for any tensor
#
# Unshared, $Z=M^{N-1}$ channels make every tensor: one channel for each choice of
# $d_1,\dots,d_{N-1}$, whose vectors are the column $\mathcal A[:,d_1,\dots,d_{N-1}]$ and unit vectors. Take a
# random tensor, write the weights down, and compare all entries. Half of the modes (rounded down) against the
# others, a random tensor has full rank, so no fewer channels than that rank can make it.


# %%
def universal_weights(tensor):
    """A star of width M^(N-1) and weights that make this tensor."""
    modes, dim = tensor.ndim, tensor.shape[0]
    chosen = indices(dim, modes - 1)  # (Z, N - 1): the unit vectors of each channel
    units = torch.eye(dim, dtype=torch.float64)
    weights = {(): torch.ones(len(chosen)).double(), (0,): tensor.reshape(dim, -1).T}
    weights |= {(i + 1,): units[chosen[:, i]] for i in range(modes - 1)}
    return ModeTree.star(modes, dim, len(chosen)), weights


exact = True
for modes, dim in [(2, 3), (3, 2), (3, 4), (4, 2), (4, 3), (6, 2), (5, 3)]:
    target = field.random((dim,) * modes, generator)
    star, weights = universal_weights(target)
    exact &= torch.equal(coefficient_tensor(star, weights, field), target)
    least = exact_rank(matricize(target, range(modes // 2))).rank
    exact &= least == dim ** (modes // 2)
    print(f"N={modes} M={dim}: rebuilt with {star.root.width:3} channels (quoted {dim**modes:3});",
          f"no fewer than {least} can do")
verify("cp-universal", exact, detail="7 random tensors rebuilt with M^(N-1) channels; their ranks")

# %% [markdown]
# ## Shared weights are never enough
#
# Shared, every term is a power $v\otimes\dots\otimes v$. It does not change when modes are exchanged, and
# neither does a sum of such terms. So the network cannot notice when an image is shuffled. Here it looks
# at 4×4 tiles of a photograph, through the constant 1 and one rectified neuron.

# %%
photo = photograph_patches(400, 1, generator).reshape(4, 100, 4, 100, 3)
tiles = photo.permute(0, 2, 1, 3, 4).reshape(16, -1)  # (16, 100 * 100 * 3) integers
filters = torch.randint(-3, 4, (tiles.shape[1],), generator=generator)
neuron = ((tiles - 128) @ filters).clamp(min=0)
F = field.tensor(torch.stack([torch.ones_like(neuron), neuron], dim=1))  # (16, 2)
shuffled = [torch.randperm(16, generator=generator) for _ in range(20)]
images = place(F, torch.stack([torch.arange(16), *shuffled]))  # the picture, then 20 shuffles of it

star = ModeTree.star(modes=16, dim=2, width=5)
different = {}
for shared in (True, False):
    drawn = star.random_weights(field, generator, shared)
    outputs = evaluate(star, drawn, images, field)
    different[shared] = int((outputs[1:] != outputs[0]).sum())
    print(f"shared={shared!s:5}: output differs in {different[shared]} of {len(shuffled)} shuffles")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-shuffled", "caption": "Sixteen tiles and a shuffle of them. To a shallow network with shared weights these are the same image, whatever its width."}, "image": {"alt": "A portrait photograph cut into four by four tiles, and the same tiles in another order."}}
with figure(6, 3.2, columns=2) as (drawing, axes):
    for ax, order, title in zip(axes, (torch.arange(16), shuffled[0]), ("image", "shuffled")):
        draw_mosaic(ax, tiles, order.tolist(), (4, 4))
        ax.set_title(title, loc="center")

# %% [markdown]
# What can be represented is exactly the symmetric tensors. Their dimension is $\binom{M+N-1}{N}$, the number
# of multisets of $N$ indices. Compare it with the rank of more random powers than that, and with the number
# of orbits of index tuples under permutation, counted one by one.


# %%
def powers(dim, modes, count):
    """Columns: random vectors to the tensor power N."""
    vectors = field.random((dim, count), generator)
    return khatri_rao_modular([vectors] * modes)


print(" N  M  span of powers  of")
symmetric = True
for modes, dim in [(3, 2), (4, 2), (3, 3), (4, 3), (6, 2), (5, 3)]:
    dimension = comb(dim + modes - 1, modes)
    span = exact_rank(powers(dim, modes, dimension + 10)).rank
    orbits = len({tuple(sorted(index)) for index in indices(dim, modes).tolist()})
    symmetric &= span == dimension == orbits
    print(f"{modes:2} {dim:2} {span:15} {dim**modes:4}")
    glue(f"02-span-{modes}-{dim}", f"{span} of {dim**modes}")
verify("powers-span-symmetric", symmetric, detail="6 sizes, dimension counted two ways")

# %% [markdown]
# Conversely, every symmetric tensor is reached with that many channels. Make a random tensor symmetric,
# and solve for the output weights of random channels.

# %%
modes, dim = 4, 3
channels = comb(dim + modes - 1, modes)
target = field.random((dim,) * modes, generator)
orders = list(permutations(range(modes)))
target = field.reduce(sum(target.permute(order) for order in orders))
star = ModeTree.star(modes, dim, channels)
drawn = star.random_weights(field, generator, shared=True)

sorted_tuples = [n for n, index in enumerate(indices(dim, modes).tolist()) if index == sorted(index)]
columns = khatri_rao_modular([drawn[(i,)].T for i in range(modes)])  # (M ** N, Z)
system, wanted = columns[sorted_tuples], target.flatten()[sorted_tuples]
drawn[()] = field.matmul(field.inverse(system), wanted[:, None])[:, 0]
reached = torch.equal(coefficient_tensor(star, drawn, field), target)
print("a random symmetric tensor, from", channels, "shared channels:", reached)

# A tensor that is not symmetric lies outside the span of all powers.
lonely = outer([torch.eye(dim).double()[i % dim] for i in range(modes)]).flatten()
spanning = powers(dim, modes, channels + 10)
outside = exact_rank(torch.cat([spanning, lonely[:, None]], dim=1)).rank == channels + 1
verify("cp-shared-symmetric", symmetric and reached and outside and different == {True: 0, False: 20},
       detail="spans of 6 sizes, one symmetric tensor reached, 20 shuffles unnoticed")
glue("02-shuffles", len(shuffled))
glue("02-noticed", different[False])

# %% [markdown]
# ## What replication by a deep network costs
#
# A deep network with $Z$ channels on every level computes the same as the shallow one if all its matrices
# above the leaves are identities; [notebook 3](03_ht_deep_network.ipynb) writes them down. How much larger
# is it? A neuron is a channel at a place, before pooling. In neurons the deep network is less than twice as
# large. In parameters the ratio grows with $Z$: a matrix of $Z^2$ numbers joins two levels.


# %%
def neurons(tree):
    """Channels over all places, before pooling, the output included."""
    return sum(shape[0] for path, shape in tree.weight_shapes().items() if path) + 1


modes, dim = 16, 3
widths = [2, 4, 8, 16, 32, 64, 128]
sizes = []
print("  Z  neurons shallow, deep  parameters shallow, deep   shared: shallow, deep")
for width in widths:
    star = ModeTree.star(modes, dim, width)
    deep = ModeTree.perfect(modes, 2, dim, (width,) * 4)
    pair = (star, deep)
    row = [neurons(t) for t in pair] + [t.parameter_count(s) for s in (False, True) for t in pair]
    sizes.append(row)
    print(f"{width:3}  {row[0]:8} {row[1]:13} {row[2]:12} {row[3]:12} {row[4]:11} {row[5]:12}")

linear = all(deep < 2 * shallow for shallow, deep, *_ in sizes)
formulas = all(
    row[2] == modes * dim * Z + Z and row[3] == row[2] + (modes - 2) * Z**2
    and row[4] == dim * Z + Z and row[5] == row[4] + 3 * Z**2
    for Z, row in zip(widths, sizes)
)
print("neurons less than double:", linear, "| parameters as by formula:", formulas)
glue("02-neuron-ratio", f"{sizes[-1][1] / sizes[-1][0]:.1f}")
glue("02-parameter-ratio", f"{sizes[-1][3] / sizes[-1][2]:.0f}")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-linear-growth", "caption": "A deep network that contains the shallow one, N = 16 and M = 3, unshared. In neurons it is less than twice as large; in parameters the distance grows with the width. Both axes are logarithmic."}, "image": {"alt": "Four curves over the number of channels. Two neuron counts run parallel, close together. The two parameter counts start near each other; the deep one is steeper and ends far above."}}
columns = list(zip(*sizes))
with figure(6, 3.4) as (drawing, axes):
    draw_growth(axes, widths, {
        "deep, parameters": (columns[3], COLORS["deep"], "-"),
        "shallow, parameters": (columns[2], COLORS["shallow"], "-"),
        "deep, neurons": (columns[1], COLORS["deep"], "--"),
        "shallow, neurons": (columns[0], COLORS["shallow"], "--"),
    })
    axes.set_ylabel("size (log scale)")

# %% [markdown]
# ## What to remember
#
# - A shallow network with $Z$ channels has rank at most $Z$ for every partition, and its generic rank is
#   $\min(Z,M^k)$.
# - With shared weights the ceiling drops to $\binom{M+k-1}{k}$, and no width represents more than the
#   symmetric tensors.
# - $M^{N-1}$ unshared channels represent everything.
#
# **Try it:** add a line to `instances`; share the weights of some positions only, and find out which
# shuffles the network notices; count parameters for pooling windows of four instead of two.
