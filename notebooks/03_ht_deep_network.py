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
# # The deep network, run
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/03_ht_deep_network.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/03_ht_deep_network.ipynb)
#
# A deep network that pools two neighbors at a time computes a hierarchical Tucker (HT) tensor. This
# notebook builds it, finds the exact rank of its even-odd matrix, and counts how many channels a
# shallow network needs for the same rank. The proofs are on
# [the page](../book/ht-deep-network.md).

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course && cd course && "{sys.executable}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import torch

from lib import (
    ModeTree, Modular, Real, TreeCircuit, certify, certify_weights,
    check_answer, checking, coefficient_tensor, even_odd_weights, exact_rank,
    glue, grid_tensor, matricize, table,
)
from lib.plots import depth, style

field = Modular()  # integers modulo a prime: no rounding anywhere
generator = torch.Generator().manual_seed(3)
scale = "small"  # "large" adds matrices of 6561 and 8100 rows, meant for a GPU

# %% [markdown]
# ## The equations are the network
#
# On level 0 every position $j$ has $r_0$ vectors. On level $l$ neighbors $2j$ and $2j+1$ are
# multiplied channel by channel, and the products are mixed:
#
# $$\phi^{l,j,\gamma}=\sum_{\alpha<r_{l-1}}a^{l,j,\gamma}_\alpha\;\phi^{l-1,2j,\alpha}\otimes\phi^{l-1,2j+1,\alpha}.$$
#
# First the equation, word for word. A place is written as the path to it from the root.


# %%
def phi(weights, level, path=()):
    """The tensors φ of all channels at one place; integers stay integers."""
    if level == 0:
        return list(weights[path])  # r_0 vectors
    left, right = (phi(weights, level - 1, (*path, t)) for t in (0, 1))
    products = [torch.tensordot(u, v, dims=0) for u, v in zip(left, right)]
    mixing = weights[path] if path else weights[path][None]  # rows are γ
    return [sum(a * product for a, product in zip(row, products))
            for row in mixing]


pair = {(): torch.tensor([1, 1]), (0,): torch.eye(2).long(),
        (1,): torch.eye(2).long()}
phi(pair, level=1)  # e_0 ⊗ e_0 + e_1 ⊗ e_1

# %% [markdown]
# The library describes the network by a tree. Take eight positions, $M=2$, and random small integers
# as weights.


# %%
def deep(dim, widths):
    """The network that pools two at a time, N = 2^L: M, (r_0, ..., r_{L-1})."""
    return ModeTree.perfect(2 ** len(widths), 2, dim, widths)


def small_integers(tree, low=-2, high=3):
    return {path: torch.randint(low, high, shape, generator=generator)
            for path, shape in tree.weight_shapes().items()}


example = deep(2, (2, 3, 2))
weights = small_integers(example)
[by_the_equation] = phi(weights, level=example.root.height)
print(example)
print("tensor of shape", tuple(by_the_equation.shape))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-ht-tree", "caption": "The mode tree of the network above. Every inner node shows its width: how many products of its children it holds. Even positions are blue, odd ones orange."}, "image": {"alt": "A perfect binary tree over the positions 0 to 7. The four lowest nodes have width 2, the two above them width 3, the root width 2."}}
with style.figure(6, 3) as (drawing, axes):
    example.draw(axes, partition="even-odd")

# %% [markdown]
# Now the same tensor in two other ways: by the library's recursion, and by running the network on
# all inputs that show a unit vector at every position.


# %%
def three_ways(tree):
    """A tensor by the equation, by the recursion, and by the network."""
    weights = small_integers(tree)
    [tensor] = phi(weights, level=tree.root.height)
    real = tree.map_weights(torch.Tensor.double, weights)
    network = TreeCircuit(tree, weights=real)
    outputs = grid_tensor(network, torch.eye(tree.dim).double(), tree.modes)
    return tensor.double(), coefficient_tensor(tree, real), outputs


trees = [deep(3, (2,)), deep(3, (3, 1)), deep(2, (1, 4)), deep(2, (2, 3, 2))]
tensors = [three_ways(tree) for tree in trees]
table([(tree, first.numel(), torch.equal(first, second),
        torch.equal(first, third))
       for tree, (first, second, third) in zip(trees, tensors)],
      ["network", "entries", "equation = recursion", "equation = network"])

# %% tags=["hide-input"]
entries = sum(first.numel() for first, _, _ in tensors)
with checking("ht-network-tensor", detail=f"{len(trees)} networks, {entries} "
              "entries, three computations") as check:
    for tree, (first, second, third) in zip(trees, tensors):
        check(torch.equal(first, second) and torch.equal(first, third), tree)

# %% [markdown]
# The number of positions must be a power of the pool size.

# %%
try:
    ModeTree.perfect(modes=6, pool=2, dim=2, widths=(2, 2))
except ValueError as error:
    print(error)

# %% [markdown]
# ## The explicit point
#
# Write $r=\min(r_0,M)$. At every position leaf channel $\alpha<r$ is the unit vector $e_\alpha$, the
# others are zero; above, one channel sums what arrives. Two neighbors then hold
# $\sum_\alpha e_\alpha\otimes e_\alpha$, a diagonal matrix with $r$ ones and otherwise zeros. The even-odd
# matrix is a Kronecker product of $N/2$ of these.

# %%
pairs = deep(3, (2, 1))
A = coefficient_tensor(pairs, even_odd_weights(pairs))
kronecker = matricize(A, "even-odd")
r = pairs.root.children[0].width
pair = torch.diag((torch.arange(pairs.dim) < r).double())

product = torch.equal(kronecker, torch.kron(pair, pair))
print("Kronecker product of two pairs:", product)
kronecker.int()

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-even-odd-point", "caption": "Left: two neighbors at the explicit point, M = 3 and r = 2. Right: the even-odd matrix of four positions, a Kronecker product of two such blocks. Colored cells are 1, white ones 0; the rank is the number of colored cells."}, "image": {"alt": "A 3 by 3 matrix with two colored cells on the diagonal, and a 9 by 9 matrix of 3 by 3 blocks with four colored cells on its diagonal, at places 0, 1, 3 and 4."}}
point_figure = depth.draw_point(pair, kronecker, step=pairs.dim)

# %% [markdown]
# The weights are the same at all nodes of a level, so the point is there for shared weights too. A
# `TreeCircuit` with `shared=True` would refuse others.

# %%


def whole_rank(certificate):
    """The rank of a whole matrix: of a block it is only a lower bound."""
    if certificate.sampled:
        raise ValueError(f"certified: {certificate}; take a smaller M or N "
                         "for the whole matrix")
    return certificate.rank


point_ranks = {}
for M, widths in ((3, (2, 1)), (4, (4, 2)), (3, (2, 3, 2)), (2, (2, 1, 1, 1))):
    tree = deep(M, widths)
    network = TreeCircuit(tree, shared=True, weights=even_odd_weights(tree))
    found = whole_rank(certify_weights(tree, network.weights, "even-odd"))
    point_ranks[tree] = found, min(widths[0], M), tree.modes // 2

table([(tree.modes, tree.dim, tree.root.height, found, f"{r}^{half}")
       for tree, (found, r, half) in point_ranks.items()],
      ["N", "M", "L", "rank", "r^{N/2}"])

# %% tags=["hide-input"]
with checking("ht-rank-bound",
              detail="explicit weights, shared over every level") as check:
    for tree, (found, r, half) in point_ranks.items():
        check(found == r**half, tree)

# %% [markdown]
# ## Random weights: 18 networks
#
# One random instance modulo a prime certifies that almost all real weights have at least its rank. The
# page proves that none have more. The table holds
# unshared weights, shared weights, the formula $\min(r_0,M)^{N/2}$, and the minimum cut of the tree.

# %%
networks = [  # M and the widths
    (3, (2,)), (2, (5,)),
    (2, (2, 2)), (3, (3, 1)), (3, (5, 2)), (4, (3, 2)), (5, (4, 9)),
    (2, (2, 1, 1)), (2, (3, 4, 2)), (3, (1, 3, 3)), (3, (2, 3, 2)),
    (3, (3, 2, 2)), (3, (5, 4, 3)), (4, (2, 1, 5)), (4, (4, 1, 1)),
    (2, (2, 1, 1, 1)), (2, (4, 2, 3, 2)), (2, (1, 4, 4, 4)),
]
ranks = {}
for M, widths in networks:
    tree = deep(M, widths)
    unshared, shared = (whole_rank(certify(tree, "even-odd", shared=s))
                        for s in (False, True))
    formula = min(widths[0], M) ** (tree.modes // 2)
    ranks[M, widths] = unshared, shared, formula, tree.mincut("even-odd")

table([(2 ** len(widths), M, widths, *row)
       for (M, widths), row in ranks.items()],
      ["N", "M", "widths", "unshared", "shared", "formula", "minimum cut"])

# %% tags=["hide-input"]
with checking("ht-exact-rank",
              detail="{count} networks, unshared and shared") as check:
    for network, row in ranks.items():
        check(len(set(row)) == 1, network)

with checking("ht-rank-bound", detail="{count} random instances") as check:
    for network, (unshared, shared, formula, _) in ranks.items():
        check(unshared == shared == formula, network)

# %% [markdown]
# The slides prove the theorem level by level: every channel of every place of level $l$ has rank
# $r^{2^l/2}$. A channel is the tensor of the smaller network below it, with its row of mixing weights as
# output weights. All channels of one random network:

# %%
M, widths = 3, (2, 3, 2)
tree, least = deep(M, widths), min(widths[0], M)
drawn = tree.random_weights(field, generator)
channel_ranks = {}
for path, node in tree.inner_nodes():
    below = deep(M, widths[:node.height])
    for row in drawn[path] if path else [drawn[()]]:
        inside = {part: row if part == () else drawn[path + part]
                  for part in below.weight_shapes()}
        found = certify_weights(below, inside, "even-odd").rank
        channel_ranks.setdefault(node.height, []).append(found)
table([(level, len(found), ", ".join(map(str, sorted(set(found)))),
        f"{least}^{2**level // 2}") for level, found in channel_ranks.items()],
      ["level", "channels", "ranks", "r^{2^l/2}"])

# %% tags=["hide-input"]
with checking("ht-rank-bound", detail="{count} channels of one network, "
              "level by level") as check:
    for level, found in channel_ranks.items():
        for rank in found:
            check(rank == least ** (2**level // 2), level)

# %% [markdown]
# Behind such proofs stands one recursion: the matrix of a channel is a combination of Kronecker products
# of the matrices below, for every partition. Written as a program, it never makes a tensor.


# %%
def matrix_by_recursion(tree, weights, rows):
    """Kronecker products all the way up; a leaf is a column or a row."""
    def channels(node, path):
        product = None
        for t, child in enumerate(node.children):
            mixed = weights[(*path, t)]
            if isinstance(child, int):
                parts = mixed[:, :, None] if child in rows else mixed[:, None]
            else:
                parts = torch.tensordot(mixed, channels(child, (*path, t)), 1)
            product = parts if product is None else [
                torch.kron(a, b) for a, b in zip(product, parts)]
        return torch.stack(list(product))

    return torch.tensordot(weights[()], channels(tree.root, ()), 1)


own = torch.Generator().manual_seed(30)
recursion = {}
for tree in (deep(2, (2, 3, 2)), deep(3, (3, 2)),
             ModeTree.perfect(16, 4, 2, (3, 2))):  # windows of 4
    drawn = {path: torch.randint(-2, 3, shape, generator=own).double()
             for path, shape in tree.weight_shapes().items()}
    A = coefficient_tensor(tree, drawn)
    for rows in (range(0, tree.modes, 2), range(tree.modes // 2), (1, 2)):
        recursion[tree, tuple(rows)] = torch.equal(
            matrix_by_recursion(tree, drawn, rows), matricize(A, rows))
table([(tree, rows, same) for (tree, rows), same in recursion.items()],
      ["network", "row modes", "recursion = matricization"])

# %% tags=["hide-input"]
with checking("matrix-recursion", detail="{count} partitions of "
              f"{len({tree for tree, _ in recursion})} networks, entry by entry"
              ) as check:
    for case, same in recursion.items():
        check(same, case)

# %% tags=["remove-cell"]
glue("03-networks", len(networks))
glue("03-rank-8-3", ranks[3, (3, 2, 2)][0])
glue("03-rank-16-2", ranks[2, (2, 1, 1, 1)][0])

# %% [markdown]
# The upper bound holds for *all* weights. Try to break it with 120 draws of small integers, widths
# drawn too. Only $r_0<M$ is drawn: otherwise the bound is the number of rows, and no rank could be
# above it.


# %%
def between(low, high):
    return int(torch.randint(low, high + 1, (), generator=generator))


draws = []
for _ in range(120):
    M = between(2, 4)
    tree = deep(M, (between(1, M - 1), between(1, 4), between(1, 4)))
    weights = small_integers(tree)
    rank = certify_weights(tree, weights, "even-odd").rank
    leaf_width = tree.root.children[0].children[0].width
    draws.append((rank, leaf_width**4))

table([("above the bound", sum(rank > bound for rank, bound in draws)),
       ("at the bound", sum(rank == bound for rank, bound in draws)),
       ("below the bound", sum(rank < bound for rank, bound in draws))],
      ["rank", "draws"])

# %% tags=["hide-input"]
with checking("ht-exact-rank", detail="upper bound, {count} networks of "
              "small integers") as check:
    for rank, bound in draws:
        check(rank <= bound, (rank, bound))

# %% [markdown]
# ## How many shallow channels?
#
# A shallow network with $Z$ channels has rank at most $Z$. Take the deep networks of $N=8$ positions
# with all widths $r$, and look for the first $Z$ with the same rank.

# %%
levels, dim = 3, 4
modes = 2**levels
deeps = {r: deep(dim, (r,) * levels) for r in (1, 2, 3, 4)}
deep_ranks = {r: certify(net, "even-odd").rank for r, net in deeps.items()}

sizes = {2**k for k in range(9)}  # and every rank, and one less
for rank in deep_ranks.values():
    sizes |= {rank, max(rank - 1, 1)}
stars = {Z: ModeTree.star(modes, dim, Z) for Z in sorted(sizes)}
star_ranks = {Z: certify(net, "even-odd").rank for Z, net in stars.items()}

table([(r, levels * r, deeps[r].parameter_count(), rank,
        rank, stars[rank].parameter_count())
       for r, rank in deep_ranks.items()],
      ["r", "deep: channels", "parameters", "rank",
       "shallow: channels", "parameters"])

# %% tags=["hide-input"]
with checking("shallow-channels-needed",
              detail=f"N = {modes}, M = {dim}: Z = rank reaches it, "
                     "Z = rank - 1 does not") as check:
    for r, rank in deep_ranks.items():
        check(star_ranks[rank] == rank, r)
        check(star_ranks.get(rank - 1, 0) == rank - 1, r)

# %% tags=["remove-cell"]
widest = max(deeps)
glue("03-deep-channels", levels * widest)
glue("03-deep-parameters", deeps[widest].parameter_count())
glue("03-shallow-channels", deep_ranks[widest])
glue("03-shallow-parameters", stars[deep_ranks[widest]].parameter_count())

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-rank-against-size", "caption": "Left: even-odd rank against the number of parameters, N = 8 and M = 4, every point certified. Right: hidden channels of deep networks with r = M = 4 and of the shallow networks with their rank; full markers are certified, open ones follow from the theorem. All scales are logarithmic."}, "image": {"alt": "Two charts. Left: the shallow curve rises in proportion to its parameters, the deep curve shoots from rank 1 at 39 parameters to 256 at 228. Right: against N from 2 to 32, the deep network has 4 to 20 channels, the shallow one from 4 to more than a billion."}}
shallow_points = [(stars[Z].parameter_count(), rank)
                  for Z, rank in star_ranks.items()]
deep_points = {r: (deeps[r].parameter_count(), rank)
               for r, rank in deep_ranks.items()}
size_figure = depth.draw_rank_against_size(shallow_points, deep_points, dim)

# %% [markdown]
# The right chart in numbers. Three ranks are certified here, the others follow from the theorem.

# %%
certified = {L: whole_rank(certify(deep(dim, (dim,) * L), "even-odd"))
             for L in (1, 2, 3)}
shallow_channels = {L: dim ** (2**L // 2) for L in range(1, 6)}
table([(2**L, dim * L, f"{channels:,}", certified.get(L))
       for L, channels in shallow_channels.items()],
      ["N", "deep channels", "shallow channels", "certified rank"])

# %% tags=["remove-cell"]
assert all(shallow_channels.get(L, rank) == rank
           for L, rank in certified.items())
glue("03-shallow-32", f"{dim**16:,}")
glue("03-deep-32", dim * 5)

# %% [markdown]
# ## Not by approximation either
#
# Matrices of rank at most $Z$ form a closed set, so a limit of shallow networks with $Z$ channels has
# rank at most $Z$ as well. The number of channels itself is *not* so well behaved:
# $t\,\big((e_0+\tfrac1te_1)^{\otimes3}-e_0^{\otimes3}\big)$ has two channels for every $t$, and tends to a
# tensor that needs three.
#
# Multiplied by $t^2$, it is $(te_0+e_1)^{\otimes3}-(te_0)^{\otimes3}$, and all numbers are integers.


# %%
def cube(v):
    return torch.einsum("i,j,k->ijk", v, v, v)


limit = torch.tensor([[[0, 1], [1, 0]], [[1, 0], [0, 0]]])
largest = {}  # times t^2
for t in (1, 10, 100, 1000):
    with_two = cube(torch.tensor([t, 1])) - cube(torch.tensor([t, 0]))
    largest[t] = int((with_two - t**2 * limit).abs().max())
table([(t, f"{difference}/{t**2:,}", f"1/{t}")
       for t, difference in largest.items()],
      ["t", "largest difference from the limit", "that is"])

# %% [markdown]
# Two channels would make the matrix $X_0^{-1}X_1$ of the slices $X_0,X_1$ diagonalizable. It is nilpotent
# and not zero. The even-odd rank is 2 all along: it never promised more.

# %%
X_0, X_1 = limit.double()
quotient = torch.linalg.inv(X_0) @ X_1
square = quotient @ quotient
limit_rank = exact_rank(limit.reshape(2, 4)).rank
table([("inverse of X_0, times X_1", quotient.int().tolist()),
       ("its square", square.int().tolist()),
       ("even-odd rank", limit_rank)], ["of the limit", "value"])

# %% tags=["hide-input"]
with checking("channels-not-closed", detail="distance 1/t with 2 channels; "
              "the limit needs 3, its matrices have rank 2") as check:
    for t, difference in largest.items():
        check(difference * t == t**2, t)  # difference / t^2 = 1/t
    check(limit_rank == 2, "rank")
    check(not square.any() and bool(quotient.any()), "nilpotent, not zero")

# %% [markdown]
# How far away is the deep tensor? At the explicit point the even-odd matrix has $r^{N/2}$ singular
# values 1, and the others are 0. A shallow network with $Z\le r^{N/2}$ channels misses at least the
# fraction $1-Z/r^{N/2}$ of its squared norm, and keeping $Z$ of its $r^{N/2}$ ones reaches this.


# %%
def keep(matrix, Z):
    """Z of the ones of a matrix: a sum of Z products of unit vectors."""
    kept = torch.zeros_like(matrix)
    rows, columns = matrix.nonzero()[:Z].T
    kept[rows, columns] = 1
    return kept


rows = []
for M, r, L in ((3, 2, 2), (2, 2, 3), (4, 3, 3)):
    tree = deep(M, (r,) * L)
    A = coefficient_tensor(tree, even_odd_weights(tree))
    matrix = matricize(A, "even-odd")
    ones = int(matrix.sum())
    kept = keep(matrix, ones // 2)
    missed = int(((matrix - kept) ** 2).sum())
    rows.append((tree, min(r, M), matrix, kept, ones, missed))
table([(tree.modes, tree.dim, r, ones, ones // 2, missed)
       for tree, r, _, _, ones, missed in rows],
      ["N", "M", "r", "ones", "channels", "missed"])

# %% [markdown]
# Could other channels do better? Take $Z$ products of integer vectors, drawn at random or close to the
# best ones, and give them the best possible output weights. What they then miss is a quotient of two
# determinants of inner products, so it is exact. The bound says: at least (number of ones) $-\,Z$.


# %%
def determinant(rows):
    """Of a matrix of inner products, in integers (Bareiss)."""
    rest, last = [list(map(int, row)) for row in rows], 1
    while len(rest) > 1 and rest[0][0]:
        (pivot, *top), *below = rest
        rest = [[(pivot * x - row[0] * y) // last
                 for x, y in zip(row[1:], top)] for row in below]
        last = pivot
    return rest[0][0]


def missed_by(terms, target):
    """Squared distance of a tensor from a span, as two integers."""
    vectors = torch.stack([*terms, target]).flatten(1).long()
    inner = vectors @ vectors.T
    return determinant(inner), determinant(inner[:-1, :-1])


def channel(center, spread):
    """One product of four integer vectors around given ones."""
    noise = torch.randint(-spread, spread + 1, center.shape,
                          generator=generator)
    return torch.einsum("a,b,c,d->abcd", *(center + noise))


competitors = []
most = ((0, 0), (0, 1), (1, 0), (1, 1))  # the four ones of the target
for M in (2, 3):
    tree = deep(M, (2, 1))
    target = coefficient_tensor(tree, even_odd_weights(tree)).long()
    units = torch.eye(M).long()
    for Z in (1, 2, 3):
        best = [units[[i, i, j, j]] for i, j in most[:Z]]
        for scale_of, spread in ((0, 2), (10, 1), (50, 1)):
            for _ in range(40):
                terms = [channel(scale_of * center, spread) for center in best]
                above, below = missed_by(terms, target)
                if below:  # else the channels are dependent
                    competitors.append((M, len(best), above, below))

shares = {}
for M, Z, above, below in competitors:
    shares.setdefault((M, Z), []).append(above / below)
table([(M, Z, len(found), 4 - Z, f"{min(found):.4f}")
       for (M, Z), found in shares.items()],
      ["M", "Z", "competitors", "missed at least", "least that one missed"])

# %% tags=["hide-input"]
with checking("approximation-error", detail=f"{len(competitors)} competitors "
              "never below the bound; attained in "
              f"{len(rows)} networks") as check:
    for tree, r, matrix, kept, ones, missed in rows:
        check(torch.equal(matrix.T @ matrix, matrix), tree)  # a projection
        check(int(matrix.trace()) == ones == r ** (tree.modes // 2), tree)
        check(exact_rank(kept).rank == ones // 2 == ones - missed, tree)
    for M, Z, above, below in competitors:
        check(above >= (4 - Z) * below, (M, Z))

# %% [markdown]
# At random weights the singular values are far from equal, and a few products of a row and a column
# come much closer than the rank suggests; whether so few shallow channels do is not known here. This
# is floating point, the mean of five draws.

# %%
M, r = 4, 4
tree = deep(M, (r, r, r))
ones = min(r, M) ** (tree.modes // 2)
errors = []
for seed in range(5):
    draw = torch.Generator().manual_seed(seed)
    A = coefficient_tensor(tree, tree.random_weights(Real(), draw))
    energy = torch.linalg.svdvals(matricize(A, "even-odd")) ** 2
    left = energy.flip(0).cumsum(0).flip(0)  # what Z = 0, 1, ... products miss
    errors.append(left / left[0])
average = torch.stack(errors).mean(0).tolist() + [0.0]

point = [max(1 - Z / ones, 0) for Z in range(len(average))]
table([(Z, f"{100 * average[Z]:.0f} %", f"{100 * point[Z]:.1f} %")
       for Z in (1, 4, 16)],
      ["Z", "random weights: error at least", "explicit point"])

# %% tags=["remove-cell"]
glue("03-error-random-16", f"{100 * average[16]:.0f} %")
glue("03-error-point-16", f"{100 * point[16]:.0f} %")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-captured", "caption": "Squared error that a shallow network with Z channels leaves at least, relative to the deep tensor's squared norm: N = 8, M = r = 4. The rank is 256 in both cases."}, "image": {"alt": "Two falling curves over Z from 0 to 256. At the explicit point the error falls along a straight line. At random weights it drops below 0.2 within a dozen channels and is close to zero from about 60 on."}}
curves = {"explicit point": point, "random weights": average}
shades = [style.COLORS["exact"], style.COLORS["neutral"]]
with style.figure(6, 3.2) as (drawing, axes):
    depth.draw_captured(axes, curves, shades)

# %% [markdown]
# ## Left against right
#
# On another partition such networks can be weak. With $\kappa_0=M$ and
# $\kappa_{l+1}=\min(r_l,\kappa_l^2)$, or $\min(r_l,\kappa_l(\kappa_l+1)/2)$ if weights are shared, the left-right rank is
# $\min(r_{L-1},\kappa_{L-1})$ for almost all weights.


# %%
def left_right(dim, widths, shared):
    kappa = dim
    for width in widths[:-1]:
        products = kappa * (kappa + 1) // 2 if shared else kappa**2
        kappa = min(width, products)
    return min(widths[-1], kappa)


print("unshared", left_right(2, (4, 16, 16), shared=False),
      "and shared", left_right(2, (4, 16, 16), shared=True))

# %%
half_networks = [  # M and the widths
    (3, (5,)), (2, (2, 3)), (2, (4, 4)), (3, (9, 9)), (3, (5, 8)),
    (2, (2, 2, 2)), (2, (3, 9, 9)), (2, (4, 7, 16)), (2, (4, 16, 16)),
    (3, (9, 81, 81)), (3, (4, 10, 12)), (2, (2, 2, 2, 2)),
    (2, (3, 5, 30, 30)), (2, (4, 4, 9, 20)),
]
halves = {}
for M, widths in half_networks:
    tree = deep(M, widths)
    found = [certify(tree, "left-right", shared=s).rank for s in (False, True)]
    formula = [left_right(M, widths, s) for s in (False, True)]
    halves[M, widths] = (found[0], formula[0], tree.mincut("left-right"),
                         found[1], formula[1])
table([(2 ** len(widths), M, widths, *row)
       for (M, widths), row in halves.items()],
      ["N", "M", "widths", "unshared", "formula", "minimum cut",
       "shared", "formula"])

# %% tags=["hide-input"]
with checking("ht-left-right-rank",
              detail="{count} networks, unshared and shared") as check:
    for network, (unshared, formula, cut, shared, formula_2) in halves.items():
        check(unshared == formula == cut and shared == formula_2, network)

# %% [markdown]
# One network, two partitions: 16 positions, all widths 2.

# %%
chain = deep(2, (2, 2, 2, 2))
chain_ranks = {partition: certify(chain, partition).rank
               for partition in ("even-odd", "left-right")}
table(chain_ranks.items(), ["partition", "rank"])

# %% tags=["remove-cell"]
glue("03-even-odd-16", chain_ranks["even-odd"])
glue("03-left-right-16", chain_ranks["left-right"])

# %% [markdown]
# ## Every tensor
#
# With widths $r_l=M^{2^{l+1}}$ below and $r_{L-1}=M^{N/2}$ on top, unshared weights reach every tensor.
# The weights: a node holds all products of unit vectors, one per channel, and the root writes the
# target row by row.


# %%
def universal_weights(tree, target):
    """Weights of a perfect binary tree whose tensor is the target."""
    half = matricize(target, "left-right")  # (M^(N/2), M^(N/2))
    weights = {(): torch.ones(len(half)).double()}
    for path, node in tree.inner_nodes():
        side = tree.dim ** (2 ** (node.height - 1))  # unit tensors of a child
        units = torch.eye(side).double()
        if path == ():
            weights[(0,)], weights[(1,)] = units, half
        else:  # channel (s, s') multiplies unit tensors number s and s'
            channel = torch.arange(side**2)
            weights[(*path, 0)] = units[channel // side]
            weights[(*path, 1)] = units[channel % side]
    return weights


def universal_widths(M, L):
    below = tuple(M ** (2**level) for level in range(1, L))
    return (*below, M ** (2 ** (L - 1)))


M, L = 2, 3
print(f"widths for M = {M} and N = {2**L}:", universal_widths(M, L))

# %%
universal = {}
for M, L in ((3, 1), (2, 2), (3, 2), (2, 3)):
    tree = deep(M, universal_widths(M, L))
    target = field.random((M,) * tree.modes, generator)
    built = universal_weights(tree, target)
    A = coefficient_tensor(tree, built, field)
    universal[M, L] = torch.equal(A, target)
table([(2**L, M, universal_widths(M, L), f"{M}^{2**L} = {M ** 2**L}", reached)
       for (M, L), reached in universal.items()],
      ["N", "M", "widths", "all entries", "target reached"])

# %% [markdown]
# No width can be smaller. The block of $2^{l+1}$ neighbors below one node, on top one half of the input,
# meets the rest only through the $r_l$ products of that node. So its rank is at most $r_l$, while almost
# every tensor has full rank.


# %%
def one_less(M, L):
    """Ranks of blocks of 2^(l+1) modes where level l has one channel less."""
    widths = universal_widths(M, L)
    for level, width in enumerate(widths):
        short = (*widths[:level], width - 1, *widths[level + 1:])
        modes = min(2 ** (level + 1), 2 ** (L - 1))  # on top: one half
        rank = certify(deep(M, short), tuple(range(modes))).rank
        yield 2**L, M, short, modes, rank, width


missing = [row for M, L in ((2, 2), (3, 2), (2, 3)) for row in one_less(M, L)]
table(missing, ["N", "M", "widths", "block of", "rank", "needed"])

# %% tags=["hide-input"]
with checking("ht-universality", detail=f"{len(universal)} random targets "
              "reached; one channel less on any level loses rank") as check:
    for sizes, reached in universal.items():
        check(reached, sizes)
    for *network, rank, needed in missing:
        check(rank == needed - 1, network)

# %% [markdown]
# ## Shared weights: siblings look alike
#
# If the weights of every level are shared, exchanging two siblings of the tree changes nothing. The last
# exchange below is none of siblings, and changes the tensor.

# %%
templates, channels = 2, 3
tree = deep(templates, (channels, 2))
drawn = tree.random_weights(field, generator, shared=True)
A = coefficient_tensor(tree, drawn, field)
exchanges = {"0 and 1": (1, 0, 2, 3), "2 and 3": (0, 1, 3, 2),
             "both pairs": (2, 3, 0, 1), "1 and 2": (0, 2, 1, 3)}
symmetric = {name: torch.equal(A, A.permute(order))
             for name, order in exchanges.items()}
table(symmetric.items(), ["exchange", "changes nothing"])

# %% [markdown]
# What shared weights reach, with enough channels, is exactly what exchanges of siblings leave alone: a
# space of dimension $\tau_L$, with $\tau_0=M$ and $\tau_{l+1}=\tau_l(\tau_l+1)/2$. Count the dimension
# spanned by random networks.


# %%
def tau(M, L):
    return tau(M, L - 1) * (tau(M, L - 1) + 1) // 2 if L else M


spans, count = {}, 40  # draws: no span is larger
for M, L in ((3, 1), (2, 2), (3, 2), (2, 3)):
    tree = deep(M, (4,) * L)
    some = [tree.random_weights(field, generator, shared=True)
            for _ in range(count)]
    sample = [coefficient_tensor(tree, w, field).flatten() for w in some]
    span = exact_rank(torch.stack(sample), field.prime).rank
    spans[2**L, M] = span, tau(M, L)
table([(N, M, span, expected, M**N)
       for (N, M), (span, expected) in spans.items()],
      ["N", "M", f"spanned by {count} draws", "τ_L", "of all"])

# %% tags=["hide-input"]
with checking("ht-sibling-symmetry",
              detail=f"{len(exchanges)} exchanges; spans of {len(spans)} "
                     "families") as check:
    *siblings, others = symmetric.values()
    check(all(siblings), "siblings")
    if min(channels, templates) > 1:  # else more exchanges change nothing
        check(not others, "1 and 2")
    for sizes, (span, expected) in spans.items():
        check(span == min(expected, count), sizes)

# %% tags=["remove-cell"]
for (N, M), (span, _) in spans.items():
    glue(f"03-shared-span-{N}-{M}", f"{span} of {M**N}")

# %% [markdown]
# Conversely, such a tensor is reached. Take $N=4$ and a target that all exchanges leave alone: a
# symmetric matrix $B$ over the symmetric 2×2 matrices. Completing squares gives
# $B=\sum_kc_kv_kv_k^\top$ for almost all targets: pivots are not zero. In integers, with
# $c_k=1/(d_{k-1}d_k)$ and the leading minors $d_k$.


# %%
def squares(B):
    """Minors d_0, d_1, ... and integer vectors v_k that complete squares."""
    rest, minors, vectors = B.clone(), [1], []
    for k in range(len(B)):
        minors.append(int(rest[k, k]))
        vectors.append(rest[k].clone())
        cross = rest[k, k] * rest - torch.outer(rest[k], rest[k])
        rest = cross // minors[k]  # always divisible
    return minors, torch.stack(vectors)


seeded = torch.Generator().manual_seed(1)
B = torch.zeros(3, 3).long()
while any(B[:k, :k].double().det().round() == 0 for k in (1, 2, 3)):
    draw = torch.randint(-9, 10, (3, 3), generator=seeded)
    B = draw + draw.T
minors, v = squares(B)
print("leading minors:", minors)
v

# %% [markdown]
# The network has the vectors $v_k$ as mixing weights of both nodes, and $c_k$ as output weights. Times
# the product of all minors, everything is an integer.

# %%
tree = deep(2, (3, 3))
leaf = torch.tensor([[1, 0], [0, 1], [1, 1]])  # squares span symmetric ones
unit = minors[1] * minors[2] * minors[3]
c = [unit // (minors[k] * minors[k + 1]) for k in range(3)]  # unit times c_k

shared = {(): torch.tensor(c)}
for path in tree.weight_shapes():
    if path:
        shared[path] = v if len(path) == 1 else leaf
[reached] = phi(shared, level=2)
target = torch.einsum("ij,ia,ib,jc,jd->abcd", B, leaf, leaf, leaf, leaf)
print("reached by shared weights:", torch.equal(reached, unit * target))

# %% tags=["hide-input"]
with checking("ht-sibling-symmetry",
              detail="a shared network for a target, N = 4, M = 2") as check:
    check(torch.equal(reached, unit * target), B)
    check(unit != 0, minors)

# %% [markdown]
# ## Degenerate points
#
# "Almost all" leaves out a thin set. Three of its points, for the network with generic rank 81:

# %%
M, widths = 3, (3, 2, 2)
sparse = deep(M, widths)
full = min(widths[0], M) ** (sparse.modes // 2)
generic = sparse.random_weights(field, generator)
points = {
    "random": generic,
    "equal leaf channels": {
        path: w[:1].expand_as(w) if len(path) == len(widths) else w
        for path, w in generic.items()},
    "all weights 1": sparse.map_weights(torch.ones_like, generic),
    "a level of zeros": {
        path: torch.zeros_like(w) if len(path) == 2 else w
        for path, w in generic.items()},
}
degenerate = {name: certify_weights(sparse, weights, "even-odd").rank
              for name, weights in points.items()}
table(degenerate.items(), ["weights", "even-odd rank"])

# %% tags=["hide-input"]
with checking("ht-degenerate-points", detail=f"generic rank {full}") as check:
    check(list(degenerate.values()) == [full, 1, 1, 0], degenerate)

# %% [markdown]
# Weights from a short list of integers meet the thin set all the time. The rank modulo $p$ is a lower
# bound over the rationals; the product of the ranks of the leaf matrices is an upper bound. Where
# they agree, the rank is exact.


# %%
def bounds(low, high, seed):
    """Lower and upper bound of the rank for weights from low..high - 1."""
    draw = torch.Generator().manual_seed(seed)
    drawn = {path: torch.randint(low, high, shape, generator=draw)
             for path, shape in sparse.weight_shapes().items()}
    sides = [1, 1]
    for path, leaf in drawn.items():
        if len(path) == sparse.root.height:
            sides[path[-1]] *= exact_rank(leaf).rank
    return certify_weights(sparse, drawn, "even-odd").rank, min(sides)


seeds = 60
lists = {(low, high): [bounds(low, high, seed) for seed in range(seeds)]
         for low, high in ((1, 3), (0, 4))}
settled = {values: [lower for lower, upper in pairs if lower == upper]
           for values, pairs in lists.items()}
table([(f"{low}..{high - 1}", rank, ranks.count(rank))
       for (low, high), ranks in settled.items()
       for rank in sorted(set(ranks))],
      ["weights", "exact rank", f"draws of {seeds}"])

# %% [markdown]
# Draws with a gap between the two bounds are left out above. Modulo $p$, all have a rank.

# %%
often = 18, 24, 81  # ranks
modular = {values: [lower for lower, _ in pairs]
           for values, pairs in lists.items()}
table([(f"{low}..{high - 1}", len(settled[low, high]), min(ranks), max(ranks),
        *(ranks.count(rank) for rank in often))
       for (low, high), ranks in modular.items()],
      ["weights", "settled exactly", "least mod p", "largest mod p",
       *(f"{rank} mod p" for rank in often)])

# %% tags=["remove-cell"]
for (low, _), exact in settled.items():
    glue(f"03-discrete-{low}", ", ".join(map(str, sorted(set(exact)))))
    glue(f"03-discrete-{low}-least", min(exact, default="none"))

# %% [markdown]
# ## The deep network contains the shallow one
#
# Give every layer of the deep network $Z$ channels and make all mixing above the first an identity:
# what remains is the shallow network. The number of layers multiplies the channels. The factor of the
# parameters grows with $Z$.


# %%
def deepen(weights, L):
    """The deep network that computes the same as a shallow one."""
    Z, M = weights[(0,)].shape
    tree = deep(M, (Z,) * L)
    deeper = {path: torch.eye(Z).double() for path in tree.weight_shapes()}
    deeper[()] = weights[()]
    for mode in range(2**L):  # the path of a leaf is its number in binary
        path = tuple(int(bit) for bit in f"{mode:0{L}b}")
        deeper[path] = weights[(mode,)]
    return tree, deeper


contained = []
for M, Z, L in ((2, 3, 2), (2, 5, 3), (3, 40, 3)):
    star = ModeTree.star(2**L, M, Z)
    weights = star.random_weights(field, generator)
    tree, deeper = deepen(weights, L)
    same = torch.equal(coefficient_tensor(tree, deeper, field),
                       coefficient_tensor(star, weights, field))
    contained.append((2**L, M, Z, Z * L, star.parameter_count(),
                      tree.parameter_count(), same))
table(contained, ["N", "M", "Z", "deep channels", "shallow parameters",
                  "deep parameters", "same tensor"])

# %% tags=["hide-input"]
with checking("deep-contains-shallow",
              detail="{count} shallow networks, entry by entry") as check:
    for *sizes, same in contained:
        check(same, sizes)

# %% tags=["remove-cell"]
*_, shallow_count, deep_count, _ = contained[-1]
glue("03-contain-shallow", f"{shallow_count:,}")
glue("03-contain-deep", f"{deep_count:,}")

# %% [markdown]
# Can a cleverer choice save parameters? Not below $2Z^2$, up to $Z=M^{N/2}$. Almost every such shallow
# network has rank $Z$ between one half of the positions and the other. A deep network whose last two
# widths are not both $Z$ or more stays below, however wide its other layers are: here the others have
# $2Z$ channels.

# %%
forced = []
for M, Z, L in ((3, 7, 2), (2, 5, 3), (2, 16, 3), (3, 40, 3)):
    half = tuple(range(2 ** (L - 1)))
    shallow = certify(ModeTree.star(2**L, M, Z), half).rank
    one_short = []
    for level in (L - 2, L - 1):
        widths = [2 * Z] * L
        widths[level] = Z - 1
        one_short.append(certify(deep(M, widths), half, shared=False).rank)
    smallest = deep(M, (*[1] * (L - 2), Z, Z))  # others cost least
    forced.append((2**L, M, Z, shallow, *one_short,
                   smallest.parameter_count(), 2 * Z**2))
table(forced, ["N", "M", "Z", "rank of the shallow one",
               "deep, Z - 1 on level L - 2", "on level L - 1",
               "parameters with Z on both", "2 Z^2"])

# %% tags=["hide-input"]
with checking("replication-cost", detail=f"{len(forced)} shallow networks, "
              f"{2 * len(forced)} deep ones that are one channel short"
              ) as check:
    for N, M, Z, shallow, low, top, parameters, needed in forced:
        check(shallow == Z, (N, M, Z))
        check(low < Z and top < Z, (N, M, Z))
        check(parameters > needed, (N, M, Z))

# %% [markdown]
# Together: efficiency of depth, complete and exponential in $N$.

# %%
width = 2
growing = {2**L: whole_rank(certify(deep(2, (width,) * L), "even-odd"))
           for L in (1, 2, 3, 4)}
table([(N, width, rank) for N, rank in growing.items()],
      ["N", "deep width", "shallow width at least"])

# %% tags=["hide-input"]
with checking("depth-efficiency",
              detail=f"N = {', '.join(map(str, growing))}, deep width {width}"
              ) as check:
    for N, rank in growing.items():
        check(rank == min(width, 2) ** (N // 2), N)
    for *sizes, same in contained:  # the other direction
        check(same, sizes)
    for r, rank in deep_ranks.items():  # and the first Z that will do
        check(star_ranks[rank] == rank, r)
        check(star_ranks.get(rank - 1, 0) == rank - 1, r)

# %% [markdown]
# ## How far do exact certificates reach?
#
# Whole matrices of a few thousand rows take seconds on a laptop. Beyond, a block of rows and columns
# still certifies a lower bound, and its certificate says "at least". `scale = "large"` takes a full
# matrix of 6561 rows (16 positions) and one of 8100 (4 positions with 90 channels); `certify` uses a
# CUDA device if there is one.

# %%
whole = [(2, (2, 2, 2, 2)), (36, (36, 1)), (6, (6, 2, 2))]
if scale == "large":
    whole += [(3, (3, 3, 3, 3)), (90, (90, 1))]

reach, most = [], 0
for M, widths in whole:
    r, half = min(widths[0], M), 2 ** len(widths) // 2
    side = M**half
    found = certify(deep(M, widths), "even-odd", rows=side, columns=side)
    most = max(most, side)
    reach.append((2 * half, M, found, f"{r}^{half}", found.rank == r**half))
table([row[:-1] for row in reach],
      ["N", "M", "certificate", "the theorem says"])

# %%
blocks = []
for M, L in ((2, 5), (3, 6)):
    found = certify(deep(M, (M,) * L), "even-odd", rows=1000, columns=1000)
    blocks.append((2**L, M, found, f"{M}^{2**L // 2}"))
table(blocks, ["N", "M", "certificate", "the theorem says"])

# %% tags=["hide-input"]
with checking("ht-rank-bound",
              detail=f"whole matrices to {most} rows, blocks "
              f"for N = {' and '.join(str(N) for N, *_ in blocks)}") as check:
    for N, M, found, _, right in reach:
        check(right and not found.sampled, (N, M))
    for N, M, found, _ in blocks:
        check(found.full, (N, M))

# %% tags=["remove-cell"]
glue("03-largest", most)

# %% [markdown]
# ## What to remember
#
# - The deep network is the HT decomposition; its even-odd rank is $\min(r_0,M)^{N/2}$ for almost all
#   weights, shared or not, and never more.
# - A shallow network needs as many channels as that rank, also in the limit.
# - The rank counts exact dimensions: at random weights a matrix of much smaller rank comes close.
#
# **Try this.** Change the pool size to 4 and look at the even-odd rank of 16 positions. Draw weights
# from $\{-1,1\}$ in the last experiment on short lists. Replace `"even-odd"` by `(0, 3, 4, 7)` and
# predict the rank with `tree.mincut`.

# %% [markdown]
# ## Try it
#
# Write a few lines in place of `None` and run the cell. It says at once whether they are right; if
# not, it names the smallest input it knows on which they fail. All it needs is the set-up and the
# imports at the top. The first is for everyone, the last is hard; [the
# page](../book/ht-deep-network.md#exercises) has more.

# %% [markdown]
# ### A partition of rank four
#
# Eight positions, $M=2$, all widths 2. Find four rows for which the rank is exactly 4.

# %% tags=["exercise"]
four_rows = None  # as (0, 1, 2, 3)

check_answer("03-rank-four", four_rows)

# %% [markdown]
# ### Count the parameters
#
# How many parameters has the deep network that pools two neighbors at a time, with weights of their
# own at all nodes and all widths $r$?


# %% tags=["exercise"]
def deep_parameters(N, M, r):
    """N is 2, 4, 8 or 16."""
    return None


check_answer("03-parameters", deep_parameters)

# %% [markdown]
# ### The cheapest 81
#
# Eight positions and $M=4$. Which widths $(r_0,r_1,r_2)$ give an even-odd rank of 81 with the fewest
# parameters?

# %% tags=["exercise"]
cheapest_widths = None  # as (4, 4, 4)

check_answer("03-cheapest", cheapest_widths)

# %% [markdown]
# ### Four at a time
#
# Windows of four in place of two. What is the even-odd rank for almost all weights, shared and not?
# (On 16 positions there is a second layer, of width 1.)


# %% tags=["exercise"]
def pool_four_rank(N, M, r0, shared):
    """N is 4 or 16."""
    return None


check_answer("03-pool-four", pool_four_rank)
