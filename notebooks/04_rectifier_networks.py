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
# # Rectifier networks, run
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/04_rectifier_networks.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/04_rectifier_networks.ipynb)
#
# Replace the product by rectifiers and a maximum or an average. This notebook reads such networks as
# decompositions, finds what they can and cannot compute, and decides for random deep networks
# whether a single shallow channel computes the same. The proofs are on
# [the page](../book/rectifier-networks.md).

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course && cd course && "{sys.executable}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import torch

from lib import (
    Architecture, ModeTree, activation_pooling, certify, certify_rectifier,
    check_answer, checking, coefficient_tensor, exact_rank, glue, indices,
    keeps_order, largest_average_rank, linear_readout_upper_bound, matricize,
    maxima_rank_bound, maximum_as_products, ordered_weights, pair_weights,
    planted, rectifier_construction, single_channel, split_modes, table,
    universal_weights,
)
from lib.plots import rectifiers, style

generator = torch.Generator().manual_seed(4)
g_max = activation_pooling("relu", "max")  # max(a, b, 0)
g_sum = activation_pooling("relu", "sum")  # max(a, 0) + max(b, 0)

# %% [markdown]
# ## A rectifier network by hand
#
# At every position the input is a vector of $M$ numbers. Mix them linearly, rectify, pool over the
# positions below a node, and repeat. In plain PyTorch, for a tree of any shape:


# %%
def network(tree, weights, images, pool):
    """Mix, rectify, pool: images has shape (batch, N, M)."""
    def values(node, path):
        below = [images[:, child] if isinstance(child, int)
                 else values(child, (*path, t))
                 for t, child in enumerate(node.children)]
        mixed = [x @ weights[(*path, t)].T for t, x in enumerate(below)]
        return pool(torch.stack(mixed).relu())
    return values(tree.root, ()) @ weights[()]


pools = {"maximum": lambda x: x.amax(0), "sum": lambda x: x.sum(0),
         "mean": lambda x: x.mean(0)}


def draw(tree, size=9):
    """Random integer weights between -size and size."""
    return {path: torch.randint(-size, size + 1, shape,
                                generator=generator).double()
            for path, shape in tree.weight_shapes().items()}


def everything(tree):
    """All images made of unit vectors, one for each index tuple."""
    return torch.eye(tree.dim).double()[indices(tree.dim, tree.modes)]


small = ModeTree.star(modes=3, dim=2, width=2)
small_weights = draw(small)
outputs = network(small, small_weights, everything(small), pools["maximum"])
outputs.reshape(2, 2, 2)

# %% [markdown]
# The library computes the same numbers as a decomposition in which $g(a,b)=\max(a,b,0)$ takes the
# place of the product.

# %%
coefficient_tensor(small, small_weights, operator=g_max)

# %% [markdown]
# ## When a network is a decomposition
#
# A decomposition combines two tensors at a time with $g(a,b)=P\{\sigma(a),\sigma(b)\}$. A pooling window
# with more than two cells is the same only if pooling all at once is $g$ applied again and again.
# So it is for maximum and sum, but not for the mean.


# %%
def g_mean(a, b):
    return (a.relu() + b.relu()) / 2


operators = {"maximum": g_max, "sum": g_sum, "mean": g_mean}
trees = {
    "shallow": ModeTree.star(4, 2, 3),
    "shallow, wider": ModeTree.star(4, 3, 4),
    "deep": ModeTree.perfect(8, 2, 2, (3, 2, 2)),
    "deep, larger windows": ModeTree.perfect(16, 4, 2, (3, 2)),
}


def same(tree, pool, operator, factor=1):
    """Network and decomposition on all index tuples, for random weights."""
    weights = draw(tree)
    outputs = network(tree, weights, everything(tree), pools[pool])
    tensor = coefficient_tensor(tree, weights, operator=operator)
    if factor > 1:  # a fifth times 5 is rounded, and the sum is an integer
        outputs = (factor * outputs).round()
    return torch.equal(outputs, tensor.flatten())


agree = {(name, pool): same(tree, pool, operators[pool])
         for name, tree in trees.items() for pool in pools}
table([(name, *(agree[name, pool] for pool in pools)) for name in trees],
      ["network = decomposition", *pools])

# %% [markdown]
# With pairs, the mean is no problem: no window ever holds three cells. For larger windows use the
# sum and divide the next weights: a mean over $N$ positions is the sum divided by $N$.

# %%
four = trees["shallow"]
print(f"{four.modes} × mean = decomposition with sums:",
      same(four, "mean", g_sum, factor=four.modes))

# %% tags=["hide-input"]
with checking("generalized-equivalence",
              detail=f"{len(trees)} networks with {len(pools)} poolings"
              ) as check:
    for (name, pool), holds in agree.items():
        pairs = all(len(node.children) == 2
                    for _, node in trees[name].inner_nodes())
        check(holds == (pool != "mean" or pairs), (name, pool))
    check(same(four, "mean", g_sum, factor=four.modes), "mean as sum")

# %% [markdown]
# What fails is associativity. The test below looks for three numbers with
# $g(g(a,b),c)\ne g(a,g(b,c))$.

# %%
slope = 0.5
leaky = torch.nn.LeakyReLU(slope)
candidates = {
    "product": torch.mul,
    "ReLU, product": activation_pooling("relu", "product"),
    "ReLU, maximum": g_max,
    "ReLU, sum": g_sum,
    "ReLU, mean": g_mean,
    "linear, mean": lambda a, b: (a + b) / 2,
    "leaky ReLU, maximum": lambda a, b: torch.maximum(leaky(a), leaky(b)),
    "leaky ReLU, sum": lambda a, b: leaky(a) + leaky(b),
}
reach = 6
numbers = torch.arange(-reach, reach + 1).double()
triples = torch.cartesian_prod(*[numbers] * 3)
a, b, c = triples.T
broken = {name: triples[g(g(a, b), c) != g(a, g(b, c))]
          for name, g in candidates.items()}
table([(name, not len(found),
        found[0].int().tolist() if len(found) else None)
       for name, found in broken.items()],
      ["g", f"associative on −{reach}..{reach}", "first failure (a, b, c)"])

# %% tags=["hide-input"]
with checking("associative-operators",
              detail=f"{len(candidates)} operators, {len(triples)} triples"
              ) as check:
    for name, g in candidates.items():
        twice_is_once = slope <= 0 or slope == 1  # of the leaky ReLU
        associative = "mean" not in name and (
            "leaky" not in name or twice_is_once)
        check((len(broken[name]) == 0) == associative or reach < 2, name)
        check(bool((g(a, b) == g(b, a)).all()), f"{name} commutes")

# %% [markdown]
# ## With maxima: every tensor
#
# A channel with the vectors $\mathbf 1-e_{d_i}$ is 0 at the index tuple $d$ and 1 everywhere else. With one
# such channel for each of the $M^N$ index tuples, every tensor is reached. Targets are multiples of
# $M^N-1$ here, so that all weights are integers.

# %%
reached = []
for N, M in ((1, 3), (2, 2), (2, 3), (3, 2), (3, 3), (4, 2)):
    target = torch.randint(-9, 10, (M,) * N, generator=generator).double()
    target *= M**N - 1
    star, weights = universal_weights(target)
    outputs = network(star, weights, everything(star), pools["maximum"])
    reached.append((N, M, star.root.width,
                    torch.equal(outputs, target.flatten())))
    if N > 1 and N & (N - 1) == 0:  # a power of two, to be halved below
        example = star, weights, target
table(reached, ["N", "M", "channels", "target reached"])

# %% [markdown]
# A deep network repeats it: pooled values are not negative, so a rectifier after an identity matrix
# changes nothing.


# %%
def deepen(star, weights):
    """The deep network that computes what a shallow one does."""
    L, width = star.modes.bit_length() - 1, star.root.width
    deep = ModeTree.perfect(star.modes, 2, star.dim, (width,) * L)
    deeper = {path: torch.eye(width).double() for path in deep.weight_shapes()}
    deeper[()] = weights[()]
    for i in range(star.modes):
        deeper[tuple(int(bit) for bit in f"{i:0{L}b}")] = weights[(i,)]
    return deep, deeper


star, weights, target = example
deep, deeper = deepen(star, weights)
outputs = network(deep, deeper, everything(deep), pools["maximum"])
print("the same from a deep network:", torch.equal(outputs, target.flatten()))

# %% [markdown]
# The same step replicates any shallow rectifier network, with sums too.

# %%
own = torch.Generator().manual_seed(44)
replicated = {}
for N, M, Z in ((2, 3, 2), (4, 3, 5), (8, 2, 4)):
    shallow = ModeTree.star(N, M, Z)
    drawn = {path: torch.randint(-9, 10, shape, generator=own).double()
             for path, shape in shallow.weight_shapes().items()}
    for pool, g in (("maximum", g_max), ("sum", g_sum)):
        replicated[N, M, Z, pool] = torch.equal(
            coefficient_tensor(shallow, drawn, operator=g),
            coefficient_tensor(*deepen(shallow, drawn), operator=g))
table([(*case, equal) for case, equal in replicated.items()],
      ["N", "M", "Z", "pooling", "deep = shallow"])

# %% tags=["hide-input"]
with checking("deep-rectifier-contains-shallow",
              detail="{count} shallow networks, entry by entry") as check:
    for case, equal in replicated.items():
        check(equal, case)

# %% tags=["hide-input"]
with checking("rectifier-universal",
              detail="{count} networks, entry by entry") as check:
    for *sizes, hit in reached:
        check(hit, sizes)
    check(torch.equal(outputs, target.flatten()), "deep")

# %% [markdown]
# ## With averages: two product terms across the root
#
# A channel that adds up its positions is a function of the rows plus a function of the columns. So
# is every sum of channels. In a deep network the same holds at the root, for its two halves.
# Other partitions can have more: the largest rank is known for each of them.


# %%
def all_partitions(N):
    """The row modes of every split into two nonempty sides."""
    for bits in indices(2, N)[1:-1].tolist():
        yield [mode for mode, bit in enumerate(bits) if bit]


def best_rank(tree, partition, tensors):
    return max(exact_rank(matricize(A, partition)).rank for A in tensors)


attempts, averages = 3, []
for N, M, width in ((4, 2, 8), (4, 3, 12), (4, 4, 16), (8, 2, 24)):
    shallow = ModeTree.star(N, M, 6)
    deep = ModeTree.perfect(N, 2, M, (width,) * (N.bit_length() - 1))
    A, B = ([coefficient_tensor(t, draw(t, 3), operator=g_sum)
             for _ in range(attempts)] for t in (shallow, deep))
    for partition in all_partitions(N):
        averages.append((N, M, partition, best_rank(shallow, partition, A),
                         best_rank(deep, partition, B),
                         largest_average_rank(partition, N, M)))
chosen = [(4, 3, [0, 1]), (4, 3, [0, 2]), (4, 3, [0]), (4, 4, [0, 2]),
          (8, 2, [0, 1, 2, 3]), (8, 2, [0, 2, 4, 6]),
          (8, 2, [0, 1, 4, 5]), (8, 2, [0, 1, 2, 4])]
table([row for row in averages if row[:3] in chosen],
      ["N", "M", "row modes", "shallow", f"deep, best of {attempts}",
       "deep, largest"])

# %%
only_two = {(N, M): [rows for n, m, rows, _, _, most in averages
                     if (n, m) == (N, M) and most <= 2]
            for N, M in dict.fromkeys(row[:2] for row in averages)}
table([(N, M, len(found), ", ".join(map(str, found)) if M > 2 else "–")
       for (N, M), found in only_two.items()],
      ["N", "M", "partitions with rank ≤ 2", "row modes"])

# %% tags=["hide-input"]
with checking("average-pooling-not-universal",
              detail="{count} partitions") as check:
    for N, M, rows, shallow, deep, _ in averages:
        halves = rows in (list(range(N // 2)), list(range(N // 2, N)))
        check(shallow <= 2 and (deep <= 2 or not halves), (N, M, rows))
with checking("average-pooling-partitions",
              detail="{count} partitions") as check:
    for N, M, rows, _, deep, most in averages:
        check(deep == most, (N, M, rows))

# %% [markdown]
# ## Channels with maxima
#
# One channel with maximum pooling is the matrix $\max(u_I,w_J)$. The side with $k$ positions takes at
# most $(M-1)k+1$ different values. In the weights below, values of rows and columns alternate, and
# each channel orders positions and templates in its own way.


# %%
def alternating(partition, N, M, Z=1):
    """Z channels in each of which values of rows and columns alternate."""
    sides = split_modes(partition, N)
    k = min(map(len, sides))
    weights = {(i,): torch.zeros(Z, M).double() for i in range(N)}
    for z in range(Z):
        for extra, side in enumerate(sides, 1):
            for t, place in enumerate(shuffled(len(side))[:k].tolist()):
                value = 2 * (k * torch.arange(M) + t) + extra
                weights[(side[place],)][z] = value[shuffled(M)].double()
    weights[()] = torch.randint(1, 100, (Z,), generator=generator).double()
    return ModeTree.star(N, M, Z), weights


def shuffled(count):
    return torch.randperm(count, generator=generator)


def rank_of(tree, weights, operator, partition="even-odd"):
    A = coefficient_tensor(tree, weights, operator=operator)
    return exact_rank(matricize(A, partition)).rank


terms, attempts = [], 10
for N, M, rows in ((4, 2, [0, 2]), (4, 3, [0, 1]), (4, 4, [0, 3]),
                   (6, 2, [1, 3, 5]), (6, 3, [0, 1, 2]), (6, 3, [2, 4]),
                   (8, 2, [0, 2, 4, 6])):
    for Z in (1, 2, 3) if N < 8 else (1, 2):
        star = ModeTree.star(N, M, Z)
        random = max(rank_of(star, draw(star, 99), g_max, rows)
                     for _ in range(attempts))
        bound, built, tries = maxima_rank_bound(rows, N, M, Z), 0, 0
        while built < bound and tries < 400:
            found = rank_of(*alternating(rows, N, M, Z), g_max, rows)
            built, tries = max(built, found), tries + 1
        terms.append((N, M, rows, Z, random, built, tries, bound))
table(terms, ["N", "M", "row modes", "Z", f"random, best of {attempts}",
              "alternating, best", "tries", "bound"])

# %% tags=["hide-input"]
with checking("rectifier-term-rank", detail="{count} checks, "
              "reached and never exceeded") as check:
    for N, M, rows, Z, random, built, tries, bound in terms:
        check(built == bound >= random, (N, M, rows, Z))
        check(Z > 1 or tries == 1, "one channel: every choice")

# %% [markdown]
# ## A deep network out of reach
#
# Leaf channel $\alpha<r$ is $\mathbf 1-e_\alpha$, all other weights are 1. A pair then holds $r-[d=d'<r]$,
# and the maximum up the tree gives $r-\prod_j[d_{2j}=d_{2j+1}<r]$.

# %%
tree = ModeTree.perfect(4, 2, 2, (2, 1))
matricize(coefficient_tensor(tree, pair_weights(tree), operator=g_max),
          "even-odd").int()

# %% [markdown]
# Its even-odd rank is $r^{N/2}$, and one more if $r<M$. Shallow channels have rank at most
# $Z(M-1)N/2+1$, so for $r\ge2$ the number needed grows exponentially with $N$; and $r^{N/2}+1$ are
# enough, one for each way the pairs can agree and one constant.


# %%
def channels_for(rank, N, M):
    """The least Z whose bound is not below an even-odd rank."""
    Z = 1
    while maxima_rank_bound("even-odd", N, M, Z) < rank:
        Z += 1
    return Z


def as_shallow(N, M, r):
    """The same tensor from r^(N/2) + 1 shallow channels."""
    if r > M:
        raise ValueError(f"r={r} and M={M}: leaf channel r - 1 is 1 minus the "
                         "unit vector of that number; take r up to M")
    agree = indices(r, N // 2)  # what every pair shows
    count = len(agree)
    weights = {(i,): torch.cat([1 - torch.eye(M).double()[agree[:, i // 2]],
                                torch.ones(1, M).double()])
               for i in range(N)}
    weights[()] = torch.ones(count + 1).double()
    weights[()][-1] = r - count
    return ModeTree.star(N, M, count + 1), weights


exponential = []
for N, M, r in ((4, 3, 3), (4, 3, 2), (8, 2, 2), (8, 3, 2), (8, 3, 3),
                (16, 2, 2)):
    L = N.bit_length() - 1
    tree = ModeTree.perfect(N, 2, M, (r,) + (1,) * (L - 1))
    A = coefficient_tensor(tree, pair_weights(tree), operator=g_max)
    rank = exact_rank(matricize(A, "even-odd")).rank
    star, weights = as_shallow(N, M, r)
    enough = coefficient_tensor(star, weights, operator=g_max)
    needed = channels_for(rank, N, M)
    exponential.append((N, M, r, r + L - 1, rank, needed, star.root.width,
                        torch.equal(A, enough)))
table(exponential, ["N", "M", "r", "deep channels", "even-odd rank",
                    "shallow, at least", "shallow, enough", "same tensor"])

# %% tags=["hide-input"]
with checking("rectifier-depth-efficient",
              detail=f"{len(exponential)} deep networks") as check:
    for N, M, r, _, rank, needed, enough, equal in exponential:
        check(rank == r ** (N // 2) + (r < M), (N, M, r))
        check(equal and needed <= enough == r ** (N // 2) + 1, (N, M, r))

# %% tags=["remove-cell"]
glue("04-needed-16", exponential[-1][5])
glue("04-enough-16", exponential[-1][6])
glue("04-rank-16", exponential[-1][4])

# %% [markdown]
# ## An open set within reach
#
# Now weights at which depth buys nothing. Every leaf channel is $Nd+i+1$ at position $i$ and template
# $d$, every other weight is 1. All channels then agree which of two positions is larger, and a
# maximum of sums is the sum of maxima: the tensor is one shallow channel.
#
# Whether *any* single shallow channel computes a tensor can be decided. If
# $\mathcal A_d=\max_iv_i(d_i)$, the least entries $m_i(c)=\min_{d_i=c}\mathcal A_d$ can stand in for the $v_i$.

# %%
tree = ModeTree.perfect(4, 2, 2, (2, 2))
A = coefficient_tensor(tree, ordered_weights(tree), operator=g_max)
star, weights = single_channel(A)
table([(i, *weights[(i,)][0].int().tolist()) for i in range(tree.modes)],
      ["position", *(f"v({d})" for d in range(tree.dim))])

# %% [markdown]
# Move every leaf value by at most $\varepsilon$ and every weight between leaves and output by at most
# $\eta$. `keeps_order` says whether the proof covers such moves. Weights are integers after scaling
# by 1000, so that equality is equality.


# %%
def moved(tree, leaf, deeper):
    """Scaled weights: leaves moved by up to leaf, others by up to deeper."""
    weights = {}
    for path, center in ordered_weights(tree).items():
        size = leaf if len(path) == tree.root.height else deeper if path else 0
        step = round(1000 * size)
        weights[path] = 1000 * center + torch.randint(
            -step, step + 1, center.shape, generator=generator)
    return weights


def one_channel(tree, weights):
    A = coefficient_tensor(tree, weights, operator=g_max)
    return single_channel(A) is not None


open_set, moves = [], 30
for N, M in ((4, 2), (4, 3), (8, 2), (8, 3)):
    tree = ModeTree.perfect(N, 2, M, (2,) * (N.bit_length() - 1))
    center = rank_of(tree, ordered_weights(tree), g_max)
    for leaf, deeper in ((0.25, 0.005), (0.25, 0.1), (2, 0.5)):
        hits = sum(one_channel(tree, moved(tree, leaf, deeper))
                   for _ in range(moves))
        covered = keeps_order(tree, str(leaf), str(deeper))
        open_set.append((N, M, f"{leaf:g}", f"{deeper:g}", covered, hits,
                         center))
table(open_set, ["N", "M", "ε", "η", "covered",
                 f"one channel, of {moves}",
                 "even-odd rank of the center"])

# %% [markdown]
# The limit is sharp. Push the left half up and the right half down, but the other way round in the
# second channel at the top. For $\varepsilon=1/4$ the limit of the first two networks is $\eta=2/52$ and
# 2/84. There the two halves tie in the first channel; a little further the channels disagree about which
# half is larger, and no single channel is left.


# %%
def opposed(tree, leaf, deeper, scale):
    """The worst moves: leaf / scale at the leaves, deeper / scale above."""
    weights = {}
    for path, center in ordered_weights(tree).items():
        up = 1 if path[:1] == (0,) else -1
        size = leaf if len(path) == tree.root.height else deeper if path else 0
        weights[path] = scale * center + up * size
        if len(path) == 1:
            weights[path][1] = scale - up * size
    return weights


limit, quarter = [], 4
for N, M, scale, steps in ((4, 2, 52, (1, 2, 3)), (4, 3, 84, (1, 2, 3)),
                           (8, 2, 1000, (10, 11)), (8, 3, 1000, (6, 7))):
    tree = ModeTree.perfect(N, 2, M, (2,) * (N.bit_length() - 1))
    for deeper in steps:
        weights = opposed(tree, scale // quarter, deeper, scale)
        sizes = f"1/{quarter}", f"{deeper}/{scale}"
        limit.append((N, M, *sizes, keeps_order(tree, *sizes),
                      one_channel(tree, weights)))
table(limit, ["N", "M", "ε", "η", "covered", "one channel"])

# %% tags=["hide-input"]
with checking("rectifier-incomplete", detail="inside, on and outside "
              "the limit") as check:
    for N, M, leaf, deeper, covered, hits, center in open_set:
        check(not covered or hits == moves, (N, M, leaf, deeper))
        check(center == maxima_rank_bound("even-odd", N, M), (N, M))
    check(any(row[4] for row in open_set), "some sets are covered")
    beyond = []
    for N, M, _, eta, covered, hit in limit:
        one, other = map(int, eta.split("/"))  # the inequality of the root
        power, c = N.bit_length() - 2, N * M - N // 2
        low, high = quarter * c + 1, quarter * (c + 1) - 1
        inside = (other + one)**power * low <= (other - one)**power * high
        check(covered == inside and (hit or not inside), (N, M, eta))
        beyond += [] if inside else [hit]
    check(not beyond or not all(beyond), "sharp")

# %% [markdown]
# ## How often is one channel enough?
#
# Draw all weights of a deep network from $-100..100$. How often does one shallow channel compute the
# same tensor? The answer depends on the width.

# %%
draws, widths = 100, (1, 2, 3, 4)
cases = (4, 2), (4, 3), (8, 2)  # N and M
both = sorted({(4, 2), (8, 2), *cases})  # the text needs these two
shares, ranks, dead = {}, {}, {}
for N, M in both:
    for width in sorted({2, *widths}):  # 2 is for the ranks below
        tree = ModeTree.perfect(N, 2, M, (width,) * (N.bit_length() - 1))
        tensors = [coefficient_tensor(tree, draw(tree, 100), operator=g_max)
                   for _ in range(draws)]
        shares[N, M, width] = sum(single_channel(A) is not None
                                  for A in tensors)
        dead[N, M, width] = sum(not A.any() for A in tensors)
        if width == 2:
            ranks[N, M] = [exact_rank(matricize(A, "even-odd")).rank
                           for A in tensors]
table([(N, M, width, f"{count} of {draws}", dead[N, M, width])
       for (N, M, width), count in shares.items()],
      ["N", "M", "width", "one channel enough", "of these zero"])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-rectifier-shares", "caption": "The share of random deep rectifier networks that one shallow channel computes, decided exactly, 100 draws each. With three channels and more it is small."}, "image": {"alt": "Three falling curves over widths 1 to 4. All start at 1 for width 1 and are near 0 for width 4."}}
curves = {f"N = {N}, M = {M}": [shares[N, M, width] / draws for width in widths]
          for N, M in cases}
with style.figure(6, 3) as (drawing, axes):
    rectifiers.draw_shares(axes, curves, widths)

# %% [markdown]
# Ranks tell the same story. Two channels per level, once with maxima and once with products: the
# circuits, with weights drawn modulo a prime, all have the same rank; the rectifier networks spread
# over many. Ranks are computed modulo a prime; over the rationals they could only be larger.

# %%
circuits = {}
for N, M in both:
    tree = ModeTree.perfect(N, 2, M, (2,) * (N.bit_length() - 1))
    circuits[N, M] = [certify(tree, "even-odd", seed=seed).rank
                      for seed in range(draws)]
counted = {(name, *sizes): {rank: found.count(rank) for rank in set(found)}
           for name, group in (("maxima", ranks), ("products", circuits))
           for sizes, found in group.items()}
table([(name, N, M, ", ".join(f"{rank}: {count}" for rank, count
                              in sorted(found.items())))
       for (name, N, M), found in counted.items()],
      ["pooling", "N", "M", "rank: draws"])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-rectifier-ranks", "caption": "Even-odd ranks of 100 random deep networks with N = 8, M = 2 and two channels per level. All circuits have rank 16; the rectifier networks spread over smaller ranks."}, "image": {"alt": "Bars of the ranks with maxima, spread over small ranks with a peak at 3, and a single bar for products at rank 16."}}
with style.figure(6, 3) as (drawing, axes):
    rectifiers.draw_rank_counts(axes, {
        name: counted[name, 8, 2] for name in ("maxima", "products")})

# %% tags=["remove-cell"]
for (N, M, width), count in shares.items():
    glue(f"04-share-{N}-{M}-{width}", f"{count} of {draws}")
glue("04-draws", draws)
glue("04-circuit-rank", ", ".join(map(str, sorted(set(circuits[8, 2])))))
glue("04-rectifier-median", sorted(ranks[8, 2])[draws // 2])

# %% [markdown]
# ## Circuits against shallow rectifier networks
#
# A random deep circuit has even-odd rank $\min(r_0,M)^{N/2}$. A shallow rectifier network with the same
# tensor needs enough channels for that rank.

# %%
against = []
for N, M in ((4, 3), (8, 2), (8, 3), (8, 4), (16, 2)):
    L = N.bit_length() - 1
    found = certify(ModeTree.perfect(N, 2, M, (M,) * L), "even-odd")
    if found.sampled:  # a block shows a lower bound only
        raise ValueError(f"N={N}, M={M}: {found}; take a smaller matrix")
    rank = found.rank
    most = maxima_rank_bound("even-odd", N, M)
    against.append((N, M, M * L, rank, most, channels_for(rank, N, M)))
table(against, ["N", "M", "deep channels", "rank of the circuit",
                "one channel at most", "shallow rectifier channels"])

# %% tags=["hide-input"]
with checking("circuit-against-shallow-rectifiers",
              detail=f"{len(against)} circuits") as check:
    for N, M, _, rank, _, needed in against:
        check(rank == M ** (N // 2), (N, M))
        fewer = maxima_rank_bound("even-odd", N, M, needed - 1)
        check(needed == 1 or fewer < rank, (N, M))

# %% [markdown]
# The other way round, one channel with maxima is a sum of at most $(M-1)N+1$ product terms: the largest
# value, minus a step for each value that all modes stay below. So the open set above is in reach of
# small shallow circuits too.

# %%
products = []
for N, M in ((2, 3), (4, 2), (4, 3), (8, 2), (8, 3)):
    tree = ModeTree.perfect(N, 2, M, (2,) * (N.bit_length() - 1))
    A = coefficient_tensor(tree, ordered_weights(tree), operator=g_max)
    channels = [single_channel(A)]
    star = ModeTree.star(N, M, 1)
    channels += [(star, draw(star, 9)) for _ in range(20)]
    circuit = [maximum_as_products(*channel) for channel in channels]
    equal = [torch.equal(coefficient_tensor(*channel, operator=g_max),
                         coefficient_tensor(*terms))
             for channel, terms in zip(channels, circuit)]
    sizes = [terms.root.width for terms, _ in circuit]
    products.append((N, M, sizes[0], max(sizes), (M - 1) * N + 1,
                     f"{sum(equal)} of {len(equal)}"))
table(products, ["N", "M", "terms, open set", "terms, at most seen",
                 "(M-1)N + 1", "same tensor"])

# %% tags=["hide-input"]
with checking("maximum-as-products",
              detail=f"{len(products)} sizes, {len(channels)} channels each"
              ) as check:
    for N, M, center, seen, most, equal in products:
        check(center == most and seen <= most, (N, M))
        check(equal == f"{len(channels)} of {len(channels)}", (N, M))
with checking("one-channel-decided", detail="{count} tensors") as check:
    for _ in range(60):
        star = ModeTree.star(4, 3, 1)
        A = coefficient_tensor(star, draw(star, 9), operator=g_max)
        B = coefficient_tensor(*single_channel(A), operator=g_max)
        check(torch.equal(A, B), "recognized")
        spoiled = A.clone()
        spoiled[2, 2, 2, 2] += 10 * A.abs().max() + 1
        check(single_channel(spoiled) is None, "one entry too large")

# %% [markdown]
# ## No overlap, and yet full rank
#
# Two channels and no overlap, with rectifiers and maximum pooling, reach the largest left–right rank
# there is. Integer weights give integer outputs, so the rank modulo a prime is a lower bound, here
# the largest possible. As products, the same networks could not exceed the bound in the next column.

# %%
no_overlap = []
for levels, M in ((2, 2), (2, 3), (3, 2), (2, 8), (3, 3), (4, 2)):
    built = rectifier_construction(levels, M)
    net = built.architecture
    found = certify_rectifier(net, built.weights, "left-right")
    no_overlap.append((2**levels, M, found.rank, M ** 2 ** (levels - 1),
                       net.non_overlapping_upper_bound().value))
table(no_overlap, ["N", "M", "left-right rank", "largest possible",
                   "with products at most"])

# %% [markdown]
# Nearby weights have the same rank. Every weight and bias, zeros included, moves by up to four
# thousandths:

# %%
nearby, nudges = [], 10
for levels, M in ((2, 2), (2, 3), (3, 2)):
    built = rectifier_construction(levels, M)
    for _ in range(nudges):
        weights, grown = [], 1  # by how much the values below a layer grew
        for pair in built.weights:
            weight, bias = (1000 * part + torch.randint(
                -4, 5, part.shape, generator=generator) for part in pair)
            weights.append((weight, grown * bias))
            grown *= 1000
        found = certify_rectifier(built.architecture, weights, "left-right")
        nearby.append((2**levels, M, found.full))
table([(N, M, sum(full for n, m, full in nearby if (n, m) == (N, M)))
       for N, M in dict.fromkeys((n, m) for n, m, _ in nearby)],
      ["N", "M", f"full, of {nudges}"])

# %% tags=["hide-input"]
with checking("maximum-without-overlap",
              detail=f"{len(no_overlap)} networks, {len(nearby)} near them"
              ) as check:
    for N, M, rank, full, _ in no_overlap:
        check(rank == full, (N, M))
    for N, M, full in nearby:
        check(full, (N, M, "nearby"))

# %% [markdown]
# ## An average at the end
#
# If the last layer adds up cells, only cells that see both sides of the cut count. If none
# does, the rank is at most 2; a crossing cell that sees $a$ positions on one side and $b$ on
# the other adds at most $M^{\min(a,b)}-1$. Random integer networks, at least 20 each and more until
# the bound is reached:

# %%
kinds = [((2, 2, 6), (2, 2, 6), (2, 2, 1)), ((2, 1, 6), (8, 8, 1)),
         ((3, 1, 6), (8, 8, 1)), ((3, 2, 6), (4, 4, 1)),
         ((2, 2, 6), (3, 1, 6), (4, 4, 1))]
readout = []
for layers in kinds:
    net = Architecture((8,), 2, layers)
    cells = Architecture((8,), 2, layers[:-1])
    field, step = (f(cells.depth) for f in (cells.total_receptive_field,
                                            cells.total_stride))
    crossing = sum(u < 4 < u + field for u in range(0, 8, step))
    bound = linear_readout_upper_bound(cells)
    best, tries = 0, 0
    while tries < 20 or best < bound and tries < 2000:
        weights = [tuple(torch.randint(-3, 4, shape, generator=generator)
                         .double() for shape in pair)
                   for pair in net.weight_shapes()]
        rank = certify_rectifier(net, weights, "left-right", "sum").rank
        best, tries = max(best, rank), tries + 1
    readout.append((", ".join(f"{R}/{S}" for R, S, _ in layers[:-1]),
                    crossing, tries, best, bound))
table(readout, ["windows/strides before the sum", "cells that cross",
                "networks", "best rank", "bound"])

# %% tags=["hide-input"]
with checking("averages-across-cut",
              detail=f"{len(readout)} architectures") as check:
    for layers, crossing, _, best, bound in readout:
        check(best == bound, layers)
        check((bound == 2) == (crossing == 0), layers)

# %% [markdown]
# ## The comparison, cell by cell
#
# The slides compare the two families in a table of universality, depth efficiency and optimization
# methods. One mathematical cell has not been run above: a shallow circuit reaches every tensor. Here it
# reaches one.

# %%
wanted = torch.randint(-9, 10, (3,) * 4, generator=generator).double()
circuit = {(i,): torch.eye(3).double()[indices(3, 4)[:, i]] for i in range(4)}
circuit[()] = wanted.flatten()
hit = torch.equal(coefficient_tensor(ModeTree.star(4, 3, 81), circuit), wanted)
print("a shallow circuit reaches the target:", hit)

# %% [markdown]
# The third row of that table, optimization methods, reads "well studied and developed" against
# "addressed only recently". This describes the literature of 2016. What can be run is one trial: the
# same optimizer with the same settings on both. Each of five teachers with random weights
# makes a tensor, and a network of its own shape learns it from twelve random starts.

# %%
shape = ModeTree.perfect(4, 2, 3, (3, 3))
learned = {}
for name, g in (("maxima", g_max), ("products", None)):
    ends = []
    for seed in range(5):  # five teachers
        own = torch.Generator().manual_seed(seed)
        teacher = {path: torch.randn(size, generator=own).double()
                   for path, size in shape.weight_shapes().items()}
        goal = coefficient_tensor(shape, teacher, operator=g)
        ends += planted.widths.fit_circuit(
            shape, goal, starts=12, steps=120, rate=0.1, operator=g,
            seed=5 + seed)  # other starts each time, and none is a teacher
    learned[name] = f"{planted.runs.median_interval(ends)[0]:.1g}"
table(learned.items(), ["pooling", f"median error of {len(ends)} starts"])

# %%
N, M, _, _, rank, needed, *_ = exponential[-1]
modes, dim = 4, 3
halves = largest_average_rank("left-right", modes, dim)
everywhere = sum(rank == 4 for rank in circuits[4, 2])
table([
    ("universality", f"maxima: {sum(row[3] for row in reached)} of "
     f"{len(reached)} targets; averages: left-right rank {halves} of "
     f"{dim ** (modes // 2)}",
     f"{int(hit)} of 1 target"),
    ("depth efficiency: exists", f"a rank of {rank} needs at least {needed} "
     "channels",
     f"a rank of {against[-1][3]} needs at least {against[-1][3]} channels"),
    ("depth efficiency: complete", f"no, one channel is enough for "
     f"{shares[4, 2, 2]} of {draws} draws",
     f"yes, full rank in {everywhere} of {draws} draws"),
    ("optimization, one trial", *(f"median error {learned[name]}"
                                  for name in ("maxima", "products"))),
], ["", "rectifier networks", "arithmetic circuits"])

# %% tags=["hide-input"]
with checking("rectifier-incomplete", detail="random circuits and "
              "rectifiers") as check:
    check(everywhere == draws and shares[4, 2, 2] > 0, "N = 4, M = 2")
    check(hit, "shallow circuit")

# %% tags=["remove-cell"]
for name, median in learned.items():
    glue(f"04-learned-{name}", median)

# %% [markdown]
# ## What to remember
#
# - With an associative and commutative $g$ a network is a decomposition; maximum and sum qualify, the
#   mean only as a sum.
# - Maxima are universal and averages are not; depth with maxima is efficient for some weights and
#   buys nothing on an open set of others.
# - With maxima, two channels and no overlap already reach full rank: ranks cannot show what overlap
#   is good for there.
#
# **Try this.** Raise `widths` in the count of single channels. Replace $-100..100$ by positive
# weights: how often is one channel enough then? Move only the leaf values in the open set, up to one
# half.

# %% [markdown]
# ## Try it
#
# Write a few lines in place of `None` and run the cell. It says at once whether they are right; if
# not, it names the smallest input it knows on which they fail. All it needs is the set-up and the
# imports at the top. The first is for everyone, the last is hard; [the
# page](../book/rectifier-networks.md#exercises) has more.

# %% [markdown]
# ### Three different rows
#
# One channel on two positions with maximum pooling makes the matrix $\max(u_i,w_j)$. Give two vectors
# of three numbers for which it has rank 3.

# %% tags=["exercise"]
u_and_w = None  # as ((1, 1, 1), (2, 2, 2))

check_answer("04-maxima", u_and_w)

# %% [markdown]
# ### Numbers for windows
#
# A window of two pixels $d,e\in\{0,\dots,M-1\}$ adds up its two channels to a number, and the network
# takes the maximum of the numbers of both halves. Which number gives the matrix between the halves
# its full rank $M^2$?


# %% tags=["exercise"]
def window_number(d, e, M):
    return None


check_answer("04-numbers", window_number)

# %% [markdown]
# ### Sums across the cut
#
# A line of 8 pixels with $M$ templates, one layer with window $R$ and stride $S$, then the sum of all
# its cells. What is the bound on the rank between left and right? (Cells at the end hang over the
# border; what lies there is zero.)


# %% tags=["exercise"]
def average_bound(M, R, S):
    return None


check_answer("04-average", average_bound)

# %% [markdown]
# ### Is it a maximum?
#
# Decide whether a matrix of nonnegative integers is $\max(u_i,w_j)$ for some $u$ and $w$.


# %% tags=["exercise"]
def is_maximum(matrix):
    """matrix: a list of rows; return True or False."""
    return None


check_answer("04-one-channel", is_maximum)
