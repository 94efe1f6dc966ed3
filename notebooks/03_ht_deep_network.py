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
if "google.colab" in sys.modules:  # there, fetch the course and what it needs
    subprocess.run(f'(test -d course || git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course) && cd course && "{sys.executable}" -m lib.course.colab', shell=True, check=True)
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
from collections import Counter
from fractions import Fraction
from operator import mul

import torch

from lib import ModeTree, certify, exact_rank
from lib.exact.arithmetic import Modular, Real
from lib.grids.certify import certify_weights
from lib.trees.circuit import TreeCircuit
from lib.course.claims import verify
from lib.course.glue import glue
from lib.trees.decompositions import coefficient_tensor
from lib.grids.grid import grid_tensor
from lib.plots.depth import (
    draw_blocks, draw_captured, draw_channels_needed, draw_rank_against_parameters,
)
from lib.plots.style import COLORS, figure
from lib.plots.trees import draw_tree
from lib.trees.tensors import indices, matricize
from lib.trees.constructions import even_odd_weights

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
# First the equation, word for word.


# %%
def phi(weights, level, path=()):
    """The tensors φ of all channels at one place of one level; integers stay integers."""
    if level == 0:
        return list(weights[path])  # r_0 vectors
    left, right = (phi(weights, level - 1, (*path, side)) for side in (0, 1))
    products = [torch.tensordot(u, v, dims=0) for u, v in zip(left, right)]
    mixing = weights[path] if path else weights[path][None]  # one row per channel γ
    return [sum(a * product for a, product in zip(row, products)) for row in mixing]


def small_integers(tree, low=-2, high=3):
    return {path: torch.randint(low, high, shape, generator=generator)
            for path, shape in tree.weight_shapes().items()}


tree = ModeTree.perfect(modes=8, pool=2, dim=2, widths=(2, 3, 2))  # N, P, M, (r_0, r_1, r_2)
weights = small_integers(tree)
[by_the_equation] = phi(weights, level=3)
print(tree)
print("tensor of shape", tuple(by_the_equation.shape), by_the_equation.dtype)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-ht-tree", "caption": "The mode tree of the network above. Every inner node shows its width: how many products of its children it holds. Even positions are blue, odd ones orange."}, "image": {"alt": "A perfect binary tree over the positions 0 to 7. The four lowest nodes have width 2, the two above them width 3, the root width 2."}}
with figure(6, 3) as (drawing, axes):
    draw_tree(axes, tree, "even-odd")

# %% [markdown]
# Now the same tensor in two other ways: by the library's recursion, and by running the network on
# all $2^8$ inputs that show a unit vector at every position.

# %%
agree, entries = True, 0
networks = [(2, 3, (2,)), (4, 3, (3, 1)), (4, 2, (1, 4)), (8, 2, (2, 3, 2))]
for modes, dim, widths in networks:
    tree = ModeTree.perfect(modes, 2, dim, widths)
    weights = small_integers(tree)
    [tensor] = phi(weights, level=len(widths))
    real = {path: w.double() for path, w in weights.items()}
    network = TreeCircuit(tree, weights=real)
    outputs = grid_tensor(network, torch.eye(dim).double(), modes)
    agree &= torch.equal(tensor.double(), coefficient_tensor(tree, real))
    agree &= torch.equal(tensor.double(), outputs)
    entries += tensor.numel()
verify("ht-network-tensor", agree, detail=f"4 networks, {entries} entries, three computations")

# %% [markdown]
# The number of positions must be a power of the pool size.

# %%
try:
    ModeTree.perfect(modes=6, pool=2, dim=2, widths=(2, 2))
except ValueError as error:
    print(error)

# %% [markdown]
# ## The explicit point of Theorem 3
#
# Write $r=\min(r_0,M)$. At every position leaf channel $\alpha<r$ is the unit vector $e_\alpha$, the
# others are zero; above, one channel sums what arrives. Two neighbors then hold
# $\sum_\alpha e_\alpha\otimes e_\alpha$, an identity matrix, and the even-odd matrix is a Kronecker
# product of identities.

# %%
tree = ModeTree.perfect(modes=4, pool=2, dim=3, widths=(2, 1))
point = even_odd_weights(tree)
matrix = matricize(coefficient_tensor(tree, point), "even-odd")
pair = torch.diag(torch.tensor([1, 1, 0])).double()
for row in matrix.int().tolist():
    print(*row)
print("Kronecker product of two pairs:", torch.equal(matrix, torch.kron(pair, pair)))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-even-odd-point", "caption": "Left: two neighbors at the explicit point, M = 3 and r = 2. Right: the even-odd matrix of four positions, a Kronecker product of two such blocks. Colored cells are 1, white ones 0; the rank is the number of colored cells."}, "image": {"alt": "A 3 by 3 matrix with two colored cells on the diagonal, and a 9 by 9 matrix of 3 by 3 blocks with four colored cells on its diagonal, at places 0, 1, 3 and 4."}}
with figure(6, 3, columns=2) as (drawing, axes):
    draw_blocks(axes[0], pair, "two positions")
    draw_blocks(axes[1], matrix, "four positions", step=3)

# %% [markdown]
# The weights are the same at all nodes of a level, so the point is there for shared weights too.

# %%
point_holds = True
networks = [(4, 3, (2, 1)), (4, 4, (4, 2)), (8, 3, (2, 3, 2)), (16, 2, (2, 1, 1, 1))]
for modes, dim, widths in networks:
    tree = ModeTree.perfect(modes, 2, dim, widths)
    point = even_odd_weights(tree)
    shared = TreeCircuit(tree, shared=True, weights=point)  # refuses unequal weights
    r = min(widths[0], dim)
    certificate = certify_weights(tree, shared.weights, "even-odd")
    point_holds &= certificate.rank == r ** (modes // 2)
    print(f"N={modes:2} M={dim} widths {str(widths):13} rank {certificate.rank:3}"
          f" = {r}^{modes // 2}")
verify("ht-rank-bound", point_holds, detail="explicit weights, shared over every level")

# %% [markdown]
# ## Random weights: 18 networks
#
# One random instance modulo a prime certifies its rank for almost all real weights. The table holds
# unshared weights, shared weights, the formula $\min(r_0,M)^{N/2}$, and the minimum cut of the tree.

# %%
networks = [
    (2, 3, (2,)), (2, 2, (5,)), (4, 2, (2, 2)), (4, 3, (3, 1)), (4, 3, (5, 2)),
    (4, 4, (3, 2)), (4, 5, (4, 9)), (8, 2, (2, 1, 1)), (8, 2, (3, 4, 2)), (8, 3, (1, 3, 3)),
    (8, 3, (2, 3, 2)), (8, 3, (3, 2, 2)), (8, 3, (5, 4, 3)), (8, 4, (2, 1, 5)), (8, 4, (4, 1, 1)),
    (16, 2, (2, 1, 1, 1)), (16, 2, (4, 2, 3, 2)), (16, 2, (1, 4, 4, 4)),
]
print(" N  M  widths        unshared  shared  formula  minimum cut")
equal = True
for modes, dim, widths in networks:
    tree = ModeTree.perfect(modes, 2, dim, widths)
    found = [certify(tree, "even-odd", shared=shared).rank for shared in (False, True)]
    formula = min(widths[0], dim) ** (modes // 2)
    found += [formula, tree.mincut("even-odd")]
    equal &= len(set(found)) == 1
    print(f"{modes:2} {dim:2}  {str(widths):13}", *(f"{value:8}" for value in found))
verify("ht-exact-rank", equal, detail=f"{len(networks)} networks, unshared and shared")
verify("ht-rank-bound", equal, detail=f"{len(networks)} random instances")
glue("03-networks", len(networks))
glue("03-rank-8-3", certify(ModeTree.perfect(8, 2, 3, (3, 2, 2)), "even-odd").rank)
glue("03-rank-16-2", certify(ModeTree.perfect(16, 2, 2, (2, 1, 1, 1)), "even-odd").rank)

# %% [markdown]
# The upper bound holds for *all* weights. Try to break it with 300 draws of small integers, widths
# drawn too.

# %%
exceeded, reached = 0, 0
for _ in range(300):
    dim, *widths = torch.randint(1, 5, (4,), generator=generator).tolist()
    tree = ModeTree.perfect(8, 2, dim, widths)
    weights = small_integers(tree)
    rank = certify_weights(tree, weights, "even-odd").rank
    bound = min(widths[0], dim) ** 4
    exceeded += rank > bound
    reached += rank == bound
print("above the bound:", exceeded, "| at the bound:", reached, "| below:", 300 - reached)
verify("ht-exact-rank", exceeded == 0, detail="upper bound, 300 networks of small integers")

# %% [markdown]
# ## How many shallow channels?
#
# A shallow network with $Z$ channels has rank at most $Z$. Take the deep networks of $N=8$ positions
# with all widths $r$, and look for the first $Z$ with the same rank.

# %%
modes, dim = 8, 4
deep = {r: ModeTree.perfect(modes, 2, dim, (r, r, r)) for r in (1, 2, 3, 4)}
deep_ranks = {r: certify(net, "even-odd").rank for r, net in deep.items()}
sizes = (1, 2, 4, 8, 15, 16, 32, 64, 80, 81, 128, 255, 256)
shallow = {Z: ModeTree.star(modes, dim, Z) for Z in sizes}
shallow_ranks = {Z: certify(net, "even-odd").rank for Z, net in shallow.items()}
print(" r  deep channels  deep parameters  rank   shallow channels  shallow parameters")
needed = True
for r, rank in deep_ranks.items():
    needed &= shallow_ranks[rank] == rank and shallow_ranks.get(rank - 1, 0) == rank - 1
    print(f"{r:2} {3 * r:14} {deep[r].parameter_count():16} {rank:5} {rank:18}"
          f" {ModeTree.star(modes, dim, rank).parameter_count():19}")
verify("shallow-channels-needed", needed,
       detail="N = 8, M = 4: Z = rank reaches it, Z = rank - 1 does not")
glue("03-deep-channels", 3 * 4)
glue("03-deep-parameters", deep[4].parameter_count())
glue("03-shallow-channels", deep_ranks[4])
glue("03-shallow-parameters", shallow[256].parameter_count())

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-rank-against-size", "caption": "Left: even-odd rank against the number of parameters, N = 8 and M = 4, every point certified. Right: hidden channels of deep networks with r = M = 4 and of the shallow networks with their rank; full markers are certified, open ones follow from the theorem. All scales are logarithmic."}, "image": {"alt": "Two charts. Left: the shallow curve rises in proportion to its parameters, the deep curve shoots from rank 1 to 256 with hardly more parameters. Right: against N from 2 to 32, the deep network has 4 to 20 channels, the shallow one from 4 to more than a billion."}}
with figure(7, 3.5, columns=2) as (drawing, axes):
    draw_rank_against_parameters(
        axes[0],
        [(shallow[Z].parameter_count(), rank) for Z, rank in shallow_ranks.items()],
        {r: (deep[r].parameter_count(), rank) for r, rank in deep_ranks.items()},
    )
    draw_channels_needed(axes[1], [2, 4, 8, 16, 32], 4, certified=[2, 4, 8])

# %%
trees = [ModeTree.perfect(2**L, 2, 4, (4,) * L) for L in (1, 2, 3)]
certified = [certify(tree, "even-odd").rank for tree in trees]
formula = [4 ** (2**L // 2) for L in (1, 2, 3, 4, 5)]
print("certified:", certified)
print("formula:  ", formula)
print("deep channels:", [4 * L for L in range(1, 6)])
assert certified == formula[:3]
glue("03-shallow-32", f"{formula[-1]:,}")
glue("03-deep-32", 4 * 5)

# %% [markdown]
# ## Not by approximation either
#
# Matrices of rank at most $Z$ form a closed set, so a limit of shallow networks with $Z$ channels has
# rank at most $Z$ as well. The number of channels itself is *not* so well behaved:
# $t\,\big((e_0+\tfrac1te_1)^{\otimes3}-e_0^{\otimes3}\big)$ has two channels for every $t$, and tends to a
# tensor that needs three.


# %%
def cube(v):
    return [v[i] * v[j] * v[k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]


limit = [int(i + j + k == 1) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
for t in (1, 10, 100, 1000):
    with_two = [t * (a - b) for a, b in zip(cube((1, Fraction(1, t))), cube((1, 0)))]
    print(f"t = {t:4}: largest difference {max(abs(a - b) for a, b in zip(with_two, limit))}")

# %% [markdown]
# Two channels would make the matrix $X_0^{-1}X_1$ of the slices $X_0,X_1$ diagonalizable. It is nilpotent
# and not zero. The even-odd rank is 2 all along: it never promised more.

# %%
slices = torch.tensor(limit).reshape(2, 2, 2).double()
quotient = torch.linalg.inv(slices[0]) @ slices[1]
rank = exact_rank(slices.reshape(2, 4)).rank
print("X_0^{-1} X_1 =", quotient.int().tolist())
print("its square   =", (quotient @ quotient).int().tolist())
difference = max(abs(a - b) for a, b in zip(with_two, limit))
verify("channels-not-closed",
       difference == Fraction(1, 1000) and rank == 2
       and bool((quotient @ quotient == 0).all()) and bool((quotient != 0).any()),
       detail="distance 1/t with 2 channels; the limit needs 3, its matrices have rank 2")

# %% [markdown]
# How far away is the deep tensor? At the explicit point the even-odd matrix has $r^{N/2}$ singular
# values 1 and no others. A shallow network with $Z$ channels misses at least the fraction
# $1-Z/r^{N/2}$ of its squared norm, and keeping $Z$ of its $r^{N/2}$ ones reaches this.

# %%
sharp = True
for modes, dim, r in [(4, 3, 2), (8, 2, 2), (8, 4, 3)]:
    tree = ModeTree.perfect(modes, 2, dim, (r,) * (modes.bit_length() - 1))
    matrix = matricize(coefficient_tensor(tree, even_odd_weights(tree)), "even-odd")
    ones = matrix.nonzero()
    flat = torch.equal(matrix.T @ matrix, matrix) and int(matrix.trace()) == r ** (modes // 2)
    half = len(ones) // 2
    kept = torch.zeros_like(matrix)
    kept[ones[:half, 0], ones[:half, 1]] = 1  # a sum of Z = half products of unit vectors
    missed = int(((matrix - kept) ** 2).sum())
    sharp &= flat and exact_rank(kept).rank == half and missed == len(ones) - half
    print(f"N={modes} M={dim} r={r}: {len(ones)} ones; {half} channels miss {missed} of them")
verify("approximation-error", sharp, detail="3 networks, the best Z-channel error attained")

# %% [markdown]
# At random weights the singular values are far from equal, and a rough approximation is much
# cheaper than the rank suggests. This is floating point, rounded to percent.

# %%
tree = ModeTree.perfect(8, 2, 4, (4, 4, 4))
errors = []
for seed in range(5):
    drawn = tree.random_weights(Real(), torch.Generator().manual_seed(seed))
    matrix = matricize(coefficient_tensor(tree, drawn), "even-odd")
    energy = torch.linalg.svdvals(matrix) ** 2
    left = torch.cat([energy.sum()[None], energy.sum() - energy.cumsum(0)]) / energy.sum()
    errors.append(left)
average = torch.stack(errors).mean(0)
at = {Z: f"{100 * float(average[Z]):.0f} %" for Z in (1, 4, 16)}
print("squared error left at random weights, at least, mean of 5:", at)
print("and at the explicit point:", {Z: f"{100 * (256 - Z) // 256} %" for Z in at})
glue("03-error-random-16", at[16])
glue("03-error-point-16", f"{100 * (256 - 16) // 256} %")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-captured", "caption": "Squared error that a shallow network with Z channels leaves at least, relative to the deep tensor's squared norm: N = 8, M = r = 4. The rank is 256 in both cases."}, "image": {"alt": "Two falling curves over Z from 0 to 256. At the explicit point the error falls along a straight line. At random weights it drops below 0.2 within a dozen channels and is close to zero from about 60 on."}}
with figure(6, 3.2) as (drawing, axes):
    point_errors = [1 - Z / 256 for Z in range(257)]
    curves = {"explicit point": point_errors, "random weights": average.tolist()}
    draw_captured(axes, curves, [COLORS["exact"], COLORS["neutral"]])

# %% [markdown]
# ## Left against right
#
# The same networks are weak on another partition. With $\kappa_0=M$ and
# $\kappa_{l+1}=\min(r_l,\kappa_l^2)$, or $\min(r_l,\kappa_l(\kappa_l+1)/2)$ if weights are shared, the left-right rank is
# $\min(r_{L-1},\kappa_{L-1})$.


# %%
def left_right(dim, widths, shared):
    span = dim
    for width in widths[:-1]:
        span = min(width, span * (span + 1) // 2 if shared else span**2)
    return min(widths[-1], span)


networks = [
    (2, 3, (5,)), (4, 2, (2, 3)), (4, 2, (4, 4)), (4, 3, (9, 9)), (4, 3, (5, 8)),
    (8, 2, (2, 2, 2)), (8, 2, (3, 9, 9)), (8, 2, (4, 7, 16)), (8, 2, (4, 16, 16)), (8, 3, (9, 81, 81)),
    (8, 3, (4, 10, 12)), (16, 2, (2, 2, 2, 2)), (16, 2, (3, 5, 30, 30)),
    (16, 2, (4, 4, 9, 20)),
]
print(" N  M  widths         unshared  formula  min cut   shared  formula")
equal = True
for modes, dim, widths in networks:
    tree = ModeTree.perfect(modes, 2, dim, widths)
    row = []
    for shared in (False, True):
        row.append(certify(tree, "left-right", shared=shared).rank)
        row.append(left_right(dim, widths, shared))
    row.insert(2, tree.mincut("left-right"))
    equal &= row[0] == row[1] == row[2] and row[3] == row[4]
    print(f"{modes:2} {dim:2}  {str(widths):14}", *(f"{value:8}" for value in row))
verify("ht-left-right-rank", equal, detail=f"{len(networks)} networks, unshared and shared")

chain = ModeTree.perfect(16, 2, 2, (2, 2, 2, 2))
glue("03-even-odd-16", certify(chain, "even-odd").rank)
glue("03-left-right-16", certify(chain, "left-right").rank)

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
    weights = {(): torch.ones(len(half), dtype=torch.float64)}
    for path, node in tree.inner_nodes():
        side = tree.dim ** (2 ** (node.height - 1))  # unit tensors of one child
        if path == ():
            weights[(0,)], weights[(1,)] = torch.eye(side).double(), half
        else:  # channel (s, s') holds the product of unit tensors number s and s'
            s = torch.arange(side**2)
            weights[(*path, 0)] = torch.eye(side).double()[s // side]
            weights[(*path, 1)] = torch.eye(side).double()[s % side]
    return weights


def universal_widths(modes, dim):
    levels = modes.bit_length() - 1
    return tuple(dim ** (2**level) for level in range(1, levels)) + (dim ** (modes // 2),)


universal = True
for modes, dim in [(2, 3), (4, 2), (4, 3), (8, 2)]:
    widths = universal_widths(modes, dim)
    tree = ModeTree.perfect(modes, 2, dim, widths)
    target = field.random((dim,) * modes, generator)
    built = universal_weights(tree, target)
    universal &= torch.equal(coefficient_tensor(tree, built, field), target)
    print(f"N={modes} M={dim}: widths {widths}, the quoted M^N is {dim**modes}")

# %% [markdown]
# No width can be smaller. A block of $2^{l+1}$ neighbors meets the rest of the input only through the
# $r_l$ products of one node, so its rank is at most $r_l$, while an arbitrary tensor has full rank.

# %%
necessary = True
for modes, dim in [(4, 2), (4, 3), (8, 2)]:
    widths = universal_widths(modes, dim)
    for level in range(len(widths) - 1):
        block = tuple(range(2 ** (level + 1)))
        short = list(widths)
        short[level] -= 1  # one channel less on this level
        rank = certify(ModeTree.perfect(modes, 2, dim, short), block).rank
        necessary &= rank == widths[level] - 1
        print(f"N={modes} M={dim}: widths {tuple(short)}, block {block}:"
              f" rank {rank} < {widths[level]}")
    top = (*widths[:-1], widths[-1] - 1)
    necessary &= certify(ModeTree.perfect(modes, 2, dim, top), "left-right").rank == top[-1]
verify("ht-universality", universal and necessary,
       detail="4 random targets reached; one channel less on any level loses rank")

# %% [markdown]
# ## Shared weights: siblings look alike
#
# If the weights of a level are shared, exchanging two siblings of the tree changes nothing. Other
# exchanges do.

# %%
tree = ModeTree.perfect(4, 2, 2, (3, 2))
drawn = tree.random_weights(field, generator, shared=True)
tensor = coefficient_tensor(tree, drawn, field)
exchanges = {"0 and 1": (1, 0, 2, 3), "2 and 3": (0, 1, 3, 2),
             "both pairs": (2, 3, 0, 1), "1 and 2": (0, 2, 1, 3)}
symmetric = {name: torch.equal(tensor, tensor.permute(order))
             for name, order in exchanges.items()}
print(symmetric)

# %% [markdown]
# What shared weights reach is exactly what these exchanges leave alone: a space of dimension
# $\tau_L$, with $\tau_0=M$ and $\tau_{l+1}=\tau_l(\tau_l+1)/2$. Count the dimension spanned by random networks.

# %%
spans = True
for modes, dim in [(2, 3), (4, 2), (4, 3), (8, 2)]:
    levels = modes.bit_length() - 1
    tree = ModeTree.perfect(modes, 2, dim, (4,) * levels)
    draws = [tree.random_weights(field, generator, shared=True) for _ in range(40)]
    sample = torch.stack([coefficient_tensor(tree, w, field).flatten() for w in draws])
    expected = dim
    for _ in range(levels):
        expected = expected * (expected + 1) // 2
    rank = exact_rank(sample).rank
    spans &= rank == expected
    print(f"N={modes} M={dim}: shared networks span {rank} of {dim**modes} dimensions")
    glue(f"03-shared-span-{modes}-{dim}", f"{rank} of {dim**modes}")
only_siblings = list(symmetric.values()) == [True, True, True, False]
verify("ht-sibling-symmetry", only_siblings and spans, detail="4 exchanges; spans of 4 families")


# %% [markdown]
# Conversely, such a tensor is reached. Take $N=4$ and a target that all exchanges leave alone: a
# symmetric matrix over the symmetric 2×2 matrices. Diagonalize it, exactly, by completing squares;
# pivots are not zero for almost all targets.


# %%
def squares(symmetric_matrix):
    """Rational numbers c_k and vectors v_k with matrix = sum of c_k v_k v_k^T."""
    rest, terms = [row[:] for row in symmetric_matrix], []
    for k in range(len(rest)):
        pivot = rest[k][k]
        terms.append((1 / pivot, rest[k][:]))
        rest = [[rest[i][j] - rest[i][k] * rest[k][j] / pivot for j in range(len(rest))]
                for i in range(len(rest))]
    return terms


basis = [(1, 0), (0, 1), (1, 1)]  # leaf vectors; their squares span the symmetric matrices
draw = torch.randint(-9, 10, (3, 3), generator=generator)
inner = [[Fraction(int(x)) for x in row] for row in (draw + draw.T)]
terms = squares(inner)
target, reached = {}, {}
for d in indices(2, 4).tolist():
    d = tuple(d)
    left = [v[d[0]] * v[d[1]] for v in basis]
    right = [v[d[2]] * v[d[3]] for v in basis]
    target[d] = sum(inner[i][j] * left[i] * right[j] for i in range(3) for j in range(3))
    reached[d] = sum(  # shared weights: the same mixing v for both nodes
        c * sum(map(mul, v, left)) * sum(map(mul, v, right)) for c, v in terms
    )
verify("ht-sibling-symmetry", target == reached, detail="a shared network for a target, N = 4, M = 2")

# %% [markdown]
# ## Degenerate points
#
# "Almost all" leaves out a thin set. Three of its points, for the network with generic rank 81:

# %%
tree = ModeTree.perfect(8, 2, 3, (3, 2, 2))
generic = tree.random_weights(field, generator)
equal_leaves = {path: w[:1].expand_as(w) if len(path) == 3 else w
                for path, w in generic.items()}
all_ones = {path: torch.ones_like(w) for path, w in generic.items()}
zero_level = {path: torch.zeros_like(w) if len(path) == 2 else w
              for path, w in generic.items()}
points = {"random": generic, "equal leaf channels": equal_leaves,
          "all weights 1": all_ones, "a level of zeros": zero_level}
ranks = {name: certify_weights(tree, w, "even-odd").rank for name, w in points.items()}
print(ranks)
verify("ht-degenerate-points", list(ranks.values()) == [81, 1, 1, 0], detail="generic rank 81")

# %% [markdown]
# Weights from a short list of integers meet the thin set all the time. The rank modulo $p$ is a lower
# bound over the rationals; the product of the ranks of the leaf matrices is an upper bound. Where
# they agree, the rank is exact.

# %%
for low, high in ((1, 3), (0, 4)):
    exact, modular = [], Counter()
    for seed in range(200):
        draw = torch.Generator().manual_seed(seed)
        drawn = {path: torch.randint(low, high, shape, generator=draw)
                 for path, shape in tree.weight_shapes().items()}
        lower = certify_weights(tree, drawn, "even-odd").rank
        leaves = [exact_rank(drawn[path]).rank for path in drawn if len(path) == 3]
        upper = min(torch.tensor(leaves[side::2]).prod().item() for side in (0, 1))
        exact += [lower] if lower == upper else []
        modular[lower] += 1
    counts = dict(sorted(Counter(exact).items()))
    print(f"weights {low}..{high - 1}, {len(exact)} of 200 seeds settled exactly: {counts}")
    print(f"    modulo p all ranks from {min(modular)} to {max(modular)}; 24: {modular[24]} times,"
          f" 18: {modular[18]} times, 81: {modular[81]} times")
    glue(f"03-discrete-{low}", ", ".join(str(rank) for rank in counts))
    glue(f"03-discrete-{low}-least", min(counts))

# %% [markdown]
# ## The deep network contains the shallow one
#
# Give every layer of the deep network $Z$ channels and make all mixing above the first an identity:
# what remains is the shallow network. The channels grow by the number of layers, the parameters by
# much more.


# %%
def deepen(weights, modes):
    """Weights of the deep network that computes the same as a shallow one."""
    Z, dim = weights[(0,)].shape
    levels = modes.bit_length() - 1
    tree = ModeTree.perfect(modes, 2, dim, (Z,) * levels)
    deeper = {path: torch.eye(Z).double() for path in tree.weight_shapes()}
    deeper[()] = weights[()]
    for mode in range(modes):  # the path of a leaf is its number in binary
        deeper[tuple(int(bit) for bit in f"{mode:0{levels}b}")] = weights[(mode,)]
    return tree, deeper


same = True
print("  N  M   Z  deep channels  shallow parameters  deep parameters")
for modes, dim, Z in [(4, 2, 3), (8, 2, 5), (8, 3, 40)]:
    shallow = ModeTree.star(modes, dim, Z)
    weights = shallow.random_weights(field, generator)
    tree, deeper = deepen(weights, modes)
    deep_tensor = coefficient_tensor(tree, deeper, field)
    same &= torch.equal(deep_tensor, coefficient_tensor(shallow, weights, field))
    counts = shallow.parameter_count(), tree.parameter_count()
    print(f"{modes:3} {dim:2} {Z:3} {Z * tree.root.height:14} {counts[0]:19} {counts[1]:16}")
verify("deep-contains-shallow", same, detail="3 shallow networks, entry by entry")
glue("03-contain-shallow", f"{counts[0]:,}")
glue("03-contain-deep", f"{counts[1]:,}")

# %% [markdown]
# Can a cleverer choice save parameters? Not below $2Z^2$: a random shallow network has rank
# $\min(Z,M^{|B|})$ between a block $B$ and the rest, and a deep network that follows it needs that many
# channels on the block's level.

# %%
forced = True
for modes, dim, Z in [(4, 3, 7), (8, 2, 5), (8, 2, 16), (8, 3, 40)]:
    shallow = ModeTree.star(modes, dim, Z)
    levels = modes.bit_length() - 1
    blocks = [tuple(range(2 ** min(level, levels - 1))) for level in range(1, levels + 1)]
    ranks = [certify(shallow, block).rank for block in blocks]
    forced &= ranks == [min(Z, dim ** len(block)) for block in blocks]
    print(f"N={modes} M={dim} Z={Z:2}: widths at least {str(ranks):12} root matrices at least"
          f" {2 * ranks[-1] * ranks[-2]:4}, shallow parameters {shallow.parameter_count():4}")
verify("replication-cost", forced, detail="4 shallow networks: block ranks force the widths")

# %% [markdown]
# Together: efficiency of depth, complete and exponential in $N$.

# %%
complete = True
for levels in (1, 2, 3, 4):
    modes, width = 2**levels, 2
    tree = ModeTree.perfect(modes, 2, 2, (width,) * levels)
    rank = certify(tree, "even-odd").rank
    complete &= rank == width ** (modes // 2)
    print(f"N={modes:2}: deep width {width}, shallow width at least {rank}")
verify("depth-efficiency", complete and same and needed, detail="N = 2, 4, 8, 16, deep width 2")

# %% [markdown]
# ## How far do exact certificates reach?
#
# Whole matrices of a few thousand rows take seconds on a laptop. Beyond, a block of rows and columns
# still certifies a lower bound. `scale = "large"` takes a full matrix of 6561 rows (16 positions) and
# one of 8100 (4 positions with 90 channels); `certify` uses a CUDA device if there is one.

# %%
whole = [(16, 2, (2, 2, 2, 2)), (4, 45, (45, 1)), (8, 6, (6, 2, 2))]
if scale == "large":
    whole += [(16, 3, (3, 3, 3, 3)), (4, 90, (90, 1))]
reach = []
for modes, dim, widths in whole:
    rows = dim ** (modes // 2)
    tree = ModeTree.perfect(modes, 2, dim, widths)
    certificate = certify(tree, "even-odd", rows=rows, columns=rows)
    reach.append(certificate.full and not certificate.sampled)
    print(f"N={modes:2} M={dim:3}: the whole matrix {certificate.shape}, rank {certificate.rank}")

for modes, dim in [(32, 2), (64, 3)]:
    tree = ModeTree.perfect(modes, 2, dim, (dim,) * (modes.bit_length() - 1))
    certificate = certify(tree, "even-odd", rows=1500, columns=1500)
    print(f"N={modes:2} M={dim:3}: a block {certificate.shape} of {dim}^{modes // 2} rows, "
          f"rank {certificate.rank}; the theorem says {dim}^{modes // 2}")
    reach.append(certificate.full and certificate.sampled)
verify("ht-rank-bound", all(reach), detail="whole matrices to 2025 rows, blocks for N = 32 and 64")
glue("03-largest", 45**2)

# %% [markdown]
# ## What to remember
#
# - The deep network is the HT decomposition; its even-odd rank is $\min(r_0,M)^{N/2}$ for almost all
#   weights, shared or not, and never more.
# - A shallow network needs as many channels as that rank, also in the limit.
# - The rank counts exact dimensions: at random weights a rough copy is much cheaper.
#
# **Try this.** Change the pool size to 4 and look at the even-odd rank of 16 positions. Draw weights from
# $\{-1,1\}$ in the last experiment on short lists. Replace `"even-odd"` by `(0, 3, 4, 7)` and predict the rank with
# `tree.mincut`.
