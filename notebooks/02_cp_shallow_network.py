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
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course && cd course && "{sys.executable}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import torch

from lib import (
    ModeTree, Modular, check_answer, checking, coefficient_tensor, evaluate,
    exact_rank, glue, grid_tensor, indices, khatri_rao, matricize,
    photograph_patches, place, split_modes, table,
)
from lib.plots import cp, grids, style

field = Modular()  # integers modulo a prime: no rounding anywhere
generator = torch.Generator().manual_seed(2)

# %% [markdown]
# ## One network, one sum
#
# A star joins all $N$ positions in one node. Its width $Z$ is the number of hidden channels. Channel
# $\gamma$ has a vector $v^{i,\gamma}\in\mathbb R^M$ at every position $i$, and an output weight $a_\gamma$;
# the tensor is $\mathcal A=\sum_\gamma a_\gamma\,v^{0,\gamma}\otimes\dots\otimes v^{N-1,\gamma}$.
#
# By hand this is a loop over channels. The network below has $N=4$, $M=2$ and $Z=3$.

# %%
tree, parts = cp.three_terms()
a, v0, v1, v2, v3 = parts.values()  # output weights, vectors v[channel]

A = torch.zeros(2, 2, 2, 2).double()
for z in range(3):
    A += torch.einsum("i,j,k,l->ijkl", a[z] * v0[z], v1[z], v2[z], v3[z])
matricize(A, (0, 1)).int()

# %% [markdown]
# The library finds the same tensor in two other ways: by the recursion of the tree, and as the answers
# of the network on unit vectors (templates with $F$ the identity).

# %%
by_tree = coefficient_tensor(tree, parts)
by_network = grid_tensor(lambda f: evaluate(tree, parts, f),
                         torch.eye(2).double(), modes=4)
print("equal:", torch.equal(A, by_tree), torch.equal(A, by_network))
print(exact_rank(matricize(A, (0, 1))))

# %% [markdown]
# ## The rank is at most the number of channels
#
# Matricized, every term is a column times a row. So $[\![\mathcal A]\!]=U\,\mathrm{diag}(a)\,W^\top$, where the
# columns of $U$ and $W$ are the Kronecker products of the channel's vectors: Khatri–Rao products.


# %%
def khatri_rao_modular(matrices):
    """Khatri–Rao product modulo p: reduce after each factor."""
    product, *others = matrices
    for matrix in others:
        product = field.reduce(khatri_rao([product, matrix]))
    return product


def factored(weights, rows, modes):
    """U diag(a) W^T of a star with these weights."""
    U, W = (khatri_rao_modular([weights[(i,)].T for i in side])
            for side in split_modes(rows, modes))
    return field.matmul(field.multiply(U, weights[()]), W.T)


def partitions(modes):
    """Every partition once: mode 0 is a row mode, and not all others are."""
    return [(0, *(1 + others.nonzero()[:, 0]).tolist())
            for others in indices(2, modes - 1)[:-1]]


print(partitions(3))

# %%
sizes = ((2, 5, 3), (3, 4, 5), (4, 3, 7), (5, 2, 3), (6, 2, 6))  # N, M, Z
matrices = []
for modes, dim, width in sizes:
    star = ModeTree.star(modes, dim, width)
    for shared in (False, True):
        drawn = star.random_weights(field, generator, shared)
        tensor = coefficient_tensor(star, drawn, field)
        matrices += [(star, matricize(tensor, rows),
                      factored(drawn, rows, modes))
                     for rows in partitions(modes)]

by_star = {}
for star, matrix, _ in matrices:
    by_star.setdefault(star, []).append(exact_rank(matrix, field.prime).rank)
table([(star, star.root.width, max(found), len(found))
       for star, found in by_star.items()],
      ["network", "channels", "largest rank", "matricizations"])

# %% tags=["hide-input"]
with checking("cp-rank-bound", detail=f"{len(matrices)} matricizations, "
              "entry by entry and by rank") as check:
    for star, matrix, product in matrices:
        check(torch.equal(matrix, product), star)
        check(max(by_star[star]) <= star.root.width, star)

# %% tags=["remove-cell"]
glue("02-bound-checks", len(matrices))

# %% [markdown]
# ## The exact rank
#
# Prediction, with $k=\min(|I|,|J|)$: the generic rank is $\min(Z,M^k)$ if every position has its own
# vectors, and $\min\big(Z,\binom{M+k-1}{k}\big)$ if all positions share them. One modular instance proves the
# lower bound, and the page proves the upper bound.


# %%
def binomial(n, k):
    return binomial(n - 1, k - 1) * n // k if k else 1


def predicted(dim, width, k, shared):
    return min(width, binomial(dim + k - 1, k) if shared else dim**k)


def measured(modes, dim, width, rows, shared):
    star = ModeTree.star(modes, dim, width)
    drawn = star.random_weights(field, generator, shared)
    return exact_rank(factored(drawn, rows, modes), field.prime).rank


M, k, Z = 2, 3, 8
print(f"predicted for M = {M}, k = {k}, Z = {Z}:",
      predicted(M, Z, k, shared=False), predicted(M, Z, k, shared=True))

# %%
instances = [  # N, M, Z, I
    (4, 2, 3, (0, 1)), (4, 2, 4, (0, 1)), (4, 3, 9, (0, 1)),
    (6, 2, 8, (0, 1, 2)), (6, 3, 28, (0, 3, 5)), (8, 2, 17, (0, 2, 4, 6)),
    (5, 3, 8, (0, 4)), (5, 4, 20, (1, 2)), (7, 2, 9, (0, 2, 4)),
    (8, 3, 90, (0, 1, 2, 3)), (9, 2, 12, (0, 8)),
    (10, 2, 40, (0, 1, 2, 3, 4)), (6, 4, 70, (1, 3, 5)),
]
found = [[measured(*instance, shared) for shared in (False, True)]
         for instance in instances]
table([(*instance, *ranks) for instance, ranks in zip(instances, found)],
      ["N", "M", "Z", "I", "rank, unshared", "rank, shared"])

# %% tags=["hide-input"]
with checking("cp-generic-rank", detail=f"{len(instances)} networks, "
              "unshared and shared") as check:
    for (modes, dim, width, rows), ranks in zip(instances, found):
        k = min(len(rows), modes - len(rows))
        for shared, rank in zip((False, True), ranks):
            check(rank == predicted(dim, width, k, shared), (modes, dim, width))

# %% [markdown]
# Then all of $N=4$, $M=2,3,4$, $Z=1,\dots,17$ and every partition. Unshared, the rank also equals the
# minimum cut of the tree. Shared, it stays below the cut whenever the symmetric tensors are the
# bottleneck.

# %%
modes, sweep = 4, []
for dim in (2, 3, 4):
    for width in range(1, 18):
        star = ModeTree.star(modes, dim, width)
        drawn = [star.random_weights(field, generator, shared)
                 for shared in (False, True)]
        tensors = [coefficient_tensor(star, w, field) for w in drawn]
        for rows in partitions(modes):
            ranks = [exact_rank(matricize(t, rows), field.prime).rank
                     for t in tensors]
            sweep.append((star, rows, *ranks, star.mincut(rows)))

met = sum(unshared == cut for _, _, unshared, _, cut in sweep)
below = sum(shared < cut for _, _, _, shared, cut in sweep)
table([("unshared: equal to the cut", met), ("shared: below the cut", below),
       ("all", len(sweep))], ["ranks", "matricizations"])

# %% tags=["hide-input"]
with checking("cp-generic-rank", detail=f"{len(sweep)} matricizations, "
              "unshared and shared") as check:
    for star, rows, unshared, shared, cut in sweep:
        k, width = min(len(rows), star.modes - len(rows)), star.root.width
        check(unshared == cut == predicted(star.dim, width, k, False), star)
        check(shared == predicted(star.dim, width, k, True), star)

# %% tags=["remove-cell"]
glue("02-sweep", len(sweep))
glue("02-below-cut", below)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-cp-ranks", "caption": "Exact rank of a shallow network on N = 8 positions with M = 3, left half against right half. Each channel adds one, up to all 81 dimensions if weights are unshared, and up to the 15 dimensions of symmetric tensors if they are shared."}, "image": {"alt": "Rank against the number of channels from 0 to 100. The unshared curve rises with slope 1 and turns flat at 81. The shared curve rises with it and turns flat at 15."}}
modes, dim = 8, 3
widths = sorted({1, 81, *range(5, 101, 5)})
curves = [[measured(modes, dim, width, "left-right", shared)
           for width in widths] for shared in (False, True)]
assert curves == [[predicted(dim, width, modes // 2, shared)
                   for width in widths] for shared in (False, True)]
with style.figure(6, 3.2) as (drawing, axes):
    cp.draw_ranks(axes, widths, *curves)

# %% [markdown]
# ## Enough channels for any tensor
#
# Unshared, $Z=M^{N-1}$ channels make every tensor: one channel for each choice of
# $d_1,\dots,d_{N-1}$, whose vectors are the column $\mathcal A[:,d_1,\dots,d_{N-1}]$ and unit vectors. Take a
# random tensor, write the weights down, and compare all entries.


# %%
def universal_weights(tensor):
    """A star of width M^(N-1) and weights that make this tensor."""
    modes, dim = tensor.ndim, tensor.shape[0]
    units = torch.eye(dim).double()
    chosen = indices(dim, modes - 1)  # (Z, N - 1): d_1, ..., d_{N-1}
    weights = {(): torch.ones(len(chosen)).double(),
               (0,): tensor.reshape(dim, -1).T}
    for i in range(1, modes):
        weights[(i,)] = units[chosen[:, i - 1]]
    return ModeTree.star(modes, dim, len(chosen)), weights


star, weights = universal_weights(torch.tensor([[1, 2], [3, 4]]).double())
coefficient_tensor(star, weights)

# %% [markdown]
# Half of the modes (rounded down) against the others, a random tensor has full rank, so no fewer
# channels than that rank can make it.

# %%
targets = [field.random((dim,) * modes, generator) for modes, dim in
           ((2, 3), (3, 2), (3, 4), (4, 2), (4, 3), (6, 2), (5, 3))]
rebuilt = []
for target in targets:
    star, weights = universal_weights(target)
    exact = torch.equal(coefficient_tensor(star, weights, field), target)
    half = matricize(target, range(star.modes // 2))
    least = exact_rank(half, field.prime).rank
    rebuilt.append((star.modes, star.dim, star.root.width, exact, least))
table(rebuilt, ["N", "M", "channels", "rebuilt", "no fewer than"])

# %% tags=["hide-input"]
with checking("cp-universal",
              detail=f"{len(rebuilt)} random tensors rebuilt, every entry; "
              "their ranks") as check:
    for modes, dim, width, exact, least in rebuilt:
        check(exact and width == dim ** (modes - 1), (modes, dim))
        check(least == dim ** (modes // 2), (modes, dim))

# %% [markdown]
# ## Shared weights are never enough
#
# Shared, every term is a power $v\otimes\dots\otimes v$. It does not change when modes are exchanged, and
# neither does a sum of such terms. So the network cannot notice when an image is shuffled. Here it looks
# at 4×4 tiles of a photograph, through the constant 1 and one rectified neuron.

# %%
photo = photograph_patches(400, 1, generator).reshape(4, 100, 4, 100, 3)
tiles = photo.permute(0, 2, 1, 3, 4).reshape(16, -1)  # (16, 100 * 100 * 3)
filters = torch.randint(-3, 4, (tiles.shape[1],), generator=generator)
neuron = ((tiles - 128) @ filters).clamp(min=0)
F = field.tensor(torch.stack([torch.ones_like(neuron), neuron], dim=1))

shuffled = [torch.randperm(16, generator=generator) for _ in range(20)]
images = place(F, torch.stack([torch.arange(16), *shuffled]))
print("a picture and", len(shuffled), "shuffles of it, as input:",
      tuple(images.shape))

# %%
star = ModeTree.star(modes=16, dim=2, width=5)
different = {}
for shared in (True, False):
    drawn = star.random_weights(field, generator, shared)
    outputs = evaluate(star, drawn, images, field)
    different[shared] = int((outputs[1:] != outputs[0]).sum())
table(different.items(),
      ["shared weights", f"shuffles noticed, of {len(shuffled)}"])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-shuffled", "caption": "Sixteen tiles and a shuffle of them. To a shallow network with shared weights these are the same image, whatever its width."}, "image": {"alt": "A portrait photograph cut into four by four tiles, and the same tiles in another order."}}
orders = {"image": torch.arange(16), "shuffled": shuffled[0]}
with style.figure(6, 3.2, columns=2) as (drawing, axes):
    for ax, (title, order) in zip(axes, orders.items()):
        grids.draw_mosaic(ax, tiles, order.tolist(), (4, 4))
        ax.set_title(title, loc="center")

# %% [markdown]
# Over all widths, what can be represented is exactly the symmetric tensors. Their dimension is
# $\binom{M+N-1}{N}$, the number of multisets of $N$ indices. Compare it with the rank of more random
# powers than that, and with the number of orbits of index tuples under permutation, counted one by one.


# %%
def powers(dim, modes, count):
    """Columns: random vectors to the tensor power N."""
    vectors = field.random((dim, count), generator)
    return khatri_rao_modular([vectors] * modes)


spans = {}
for modes, dim in ((3, 2), (4, 2), (3, 3), (4, 3), (6, 2), (5, 3)):
    formula = binomial(dim + modes - 1, modes)
    span = exact_rank(powers(dim, modes, formula + 10), field.prime).rank
    orbits = {tuple(sorted(i)) for i in indices(dim, modes).tolist()}
    spans[modes, dim] = span, formula, len(orbits), dim**modes
table([(*sizes, *numbers) for sizes, numbers in spans.items()],
      ["N", "M", "span of powers", "formula", "orbits", "all tensors"])

# %% tags=["hide-input"]
with checking("powers-span-symmetric", detail=f"{len(spans)} sizes, "
              "dimension counted two ways") as check:
    for sizes, (span, formula, orbits, _) in spans.items():
        check(span == formula == orbits, sizes)

# %% tags=["remove-cell"]
for (modes, dim), (span, _, _, dimension) in spans.items():
    glue(f"02-span-{modes}-{dim}", f"{span} of {dimension}")

# %% [markdown]
# Conversely, every symmetric tensor is reached with that many channels. Make a random tensor symmetric,
# as the sum over all permutations of its modes.

# %%
modes, dim = 4, 3
channels = binomial(dim + modes - 1, modes)
target = field.random((dim,) * modes, generator)
for n in range(1, modes):  # permutations of n + 1 modes from those of n
    target = sum(target.transpose(i, n) for i in range(n + 1))
target = field.reduce(target)
print("symmetric:", all(torch.equal(target, other) for other in (
    target.movedim(0, -1), target.transpose(0, -1))))  # these two make all

# %% [markdown]
# Then draw as many channels, and solve for their output weights. Entries at sorted index tuples are
# enough: the others repeat them.

# %%
star = ModeTree.star(modes, dim, channels)
drawn = star.random_weights(field, generator, shared=True)
terms = khatri_rao_modular([drawn[(i,)].T for i in range(modes)])  # (M^N, Z)

distinct = [n for n, index in enumerate(indices(dim, modes).tolist())
            if index == sorted(index)]
inverse = field.inverse(terms[distinct])
wanted = target.flatten()[distinct]
drawn[()] = field.matmul(inverse, wanted[:, None])[:, 0]

reached = torch.equal(coefficient_tensor(star, drawn, field), target)
print("reached by", channels, "shared channels:", reached)

# %% [markdown]
# A tensor that is not symmetric lies outside the span of all powers: joined to them it adds a
# dimension. Take one product of unit vectors that are not all equal.

# %%
lonely = torch.zeros((dim,) * modes).double()
lonely[(1, *[0] * (modes - 1))] = 1
columns = [powers(dim, modes, channels + 10), lonely.reshape(-1, 1)]
joined = exact_rank(torch.cat(columns, dim=1), field.prime).rank
print("dimensions of the powers:", channels, "| with this tensor:", joined)

# %% tags=["hide-input"]
with checking("cp-shared-symmetric",
              detail=f"spans of {len(spans)} sizes, one symmetric tensor "
              f"reached, {len(shuffled)} shuffles unnoticed") as check:
    for sizes, (span, formula, _, _) in spans.items():
        check(span == formula, sizes)
    check(reached, "a symmetric tensor")
    check(joined == channels + 1, "a tensor that is not symmetric")
    check(different == {True: 0, False: len(shuffled)}, "shuffles")

# %% tags=["remove-cell"]
glue("02-shuffles", len(shuffled))
glue("02-noticed", different[False])

# %% [markdown]
# ## What replication by a deep network costs
#
# A deep network with $Z$ channels on every level computes the same as the shallow one if it has the same
# vectors and output weights and all matrices between them are identities;
# [notebook 3](03_ht_deep_network.ipynb) writes them down. How much larger is it?
#
# A neuron is a channel at a place, before pooling. In neurons the deep network is less than twice as
# large.


# %%
def neurons(tree):
    """Channels over all places, before pooling, the output included."""
    shapes = tree.weight_shapes()
    return sum(shape[0] for path, shape in shapes.items() if path) + 1


positions, M, pool, levels = 16, 3, 2, 4  # positions = pool^levels
pairs = {Z: (ModeTree.star(positions, M, Z),
             ModeTree.perfect(positions, pool, M, (Z,) * levels))
         for Z in (2, 4, 8, 16, 32, 64, 128)}
units = {Z: [neurons(tree) for tree in pair] for Z, pair in pairs.items()}
table([(Z, *both) for Z, both in units.items()],
      ["Z", "neurons, shallow", "neurons, deep"])

# %% [markdown]
# In parameters the ratio grows with $Z$: a matrix of $Z^2$ numbers joins two levels.

# %%
sizes = {Z: [tree.parameter_count(shared)
             for shared in (False, True) for tree in pair]
         for Z, pair in pairs.items()}
table([(Z, *counts) for Z, counts in sizes.items()],
      ["Z", "unshared: shallow", "deep", "shared: shallow", "deep"])

# %% tags=["hide-input"]
for Z, (shallow, deep, shallow_shared, deep_shared) in sizes.items():
    assert units[Z][1] < 2 * units[Z][0]
    assert shallow == positions * M * Z + Z
    assert deep == shallow + (positions - pool) // (pool - 1) * Z**2
    assert shallow_shared == M * Z + Z
    assert deep_shared == shallow_shared + (levels - 1) * Z**2
print("neurons less than double, parameters as by formula:", len(sizes), "rows")

# %% tags=["remove-cell"]
widest = max(units)
glue("02-neuron-ratio", f"{units[widest][1] / units[widest][0]:.1f}")
glue("02-parameter-ratio", f"{sizes[widest][1] / sizes[widest][0]:.0f}")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-linear-growth", "caption": "A deep network that contains the shallow one, N = 16 and M = 3, unshared. In neurons it is less than twice as large; in parameters the distance grows with the width. Both axes are logarithmic."}, "image": {"alt": "Four curves over the number of channels. Two neuron counts run parallel, close together. The two parameter counts start near each other; the deep one is steeper and ends far above."}}
colors = {"shallow": style.COLORS["shallow"], "deep": style.COLORS["deep"]}
curves = {}
kinds = (("parameters", "-", sizes), ("neurons", "--", units))
for what, line, counts in kinds:
    for column, name in ((1, "deep"), (0, "shallow")):
        values = [row[column] for row in counts.values()]
        curves[f"{name}, {what}"] = values, colors[name], line
with style.figure(6, 3.4) as (drawing, axes):
    cp.draw_growth(axes, list(sizes), curves)
    axes.set_ylabel("size (log scale)")

# %% [markdown]
# ## What to remember
#
# - A shallow network with $Z$ channels has rank at most $Z$ for every partition. With weights of their
#   own at all positions its generic rank is $\min(Z,M^k)$, with $k$ positions on the smaller side.
# - With shared weights the ceiling drops to $\binom{M+k-1}{k}$, and no width represents more than the
#   symmetric tensors.
# - $M^{N-1}$ unshared channels represent everything.
#
# **Try it:** add a line to `instances`; share the weights of some positions only, and find out which
# shuffles the network notices; count parameters for pooling windows of four instead of two.

# %% [markdown]
# ## Try it
#
# Write a few lines in place of `None` and run the cell. It says at once whether they are right; if
# not, it names the smallest input it knows on which they fail. All it needs is the set-up and the
# imports at the top. The first is for everyone, the last is hard; [the
# page](../book/cp-shallow-network.md#exercises) has more.

# %% [markdown]
# ### One channel against any number
#
# Give a 2×2×2 table that a shallow network makes with one channel, and that no shallow network with
# shared weights makes, however many channels it has.

# %% tags=["exercise"]
lonely_table = None  # as [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]

check_answer("02-one-against-all", lonely_table)

# %% [markdown]
# ### Find the bug
#
# This function is meant to give the generic rank of a shallow network with weights of their own. Give
# an input `(M, Z, rows, N)` where it is wrong, with $M\le4$ and $N\le6$.


# %% tags=["exercise"]
def claimed_rank(M, Z, rows, N):
    return min(Z, M ** len(rows))


wrong_input = None  # as (2, 3, (0, 1), 4)

check_answer("02-broken-rank", wrong_input)

# %% [markdown]
# ### A limit that rank does not see
#
# Let $x=(1,0)$ and $y=(0,1)$. The tensor $x\otimes x\otimes y+x\otimes y\otimes x+y\otimes x\otimes
# x$ needs three terms. Give two channels $(a,v)$ of a network with shared weights, depending on $n$,
# for which $\sum a\,v\otimes v\otimes v$ comes within $3/n$ of it, entry by entry.


# %% tags=["exercise"]
def two_channels(n):
    return None  # as [(1, (1, 2)), (-1, (3, 4))]


check_answer("02-limit", two_channels)

# %% [markdown]
# ### Shared in part
#
# Some positions have vectors of their own, the others all share one set of vectors. `rows` and
# `columns` count the two kinds on either side, as `(own, shared)`. What is the generic rank with $Z$
# channels?


# %% tags=["exercise"]
def partly_shared_rank(M, Z, rows, columns):
    """rows = (1, 2): one position with its own vectors, two that share."""
    return None


check_answer("02-partly-shared", partly_shared_rank)
