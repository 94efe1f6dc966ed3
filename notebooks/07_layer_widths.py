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
# # Layer widths, cut and run
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/07_layer_widths.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/07_layer_widths.ipynb)
#
# The rank between two groups of positions is bounded by the smallest cut of the
# network between them. This notebook finds smallest cuts, writes down weights that reach them,
# shows where they are out of reach, and designs widths for a budget. The proofs are on
# [the page](../book/layer-widths.md).

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course && cd course && "{sys.executable}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import torch

from lib import (
    ModeTree, Modular, Node, Real, certify, certify_weights, check_answer,
    checking, coefficient_tensor, design_widths, entanglement_entropy,
    exact_rank, glue, matricize, planted, routed_weights, routes,
    singular_values, smallest_cut, table,
)
from lib.plots import connectivity, style, widths as pictures

field = Modular()  # integers modulo a prime: no rounding anywhere
generator = torch.Generator().manual_seed(7)

# %% [markdown]
# ## The smallest cut
#
# Nodes and positions have prices: a node its width, a position $M$. A cut is a set of them that
# leaves no path from a row position to a column position; its price is the product of theirs.

# %%
tree = ModeTree.perfect(modes=8, pool=2, dim=4, widths=(2, 4, 4))
cuts = {}
for name, rows in {"even-odd": "even-odd", "pairs": (0, 1, 4, 5),
                   "left-right": "left-right"}.items():
    cut = smallest_cut(tree, rows)
    cuts[name] = (list(cut.values()), tree.mincut(rows),
                  certify(tree, rows).rank)
table([(name, *row) for name, row in cuts.items()],
      ["partition", "widths that are cut", "price", "rank"])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-widths-cuts", "caption": "A smallest cut for each partition, marked in red. Squares are weights, dots the channel indices that they share: one dot, one price, however many edges meet there."}, "image": {"alt": "The tensor network over eight positions three times. For even against odd the four lowest dots are marked, for alternating pairs two of these, for left against right the topmost dot alone."}}
with style.figure(7.6, 3.4, columns=3) as (_, axes):
    for ax, rows in zip(axes, ("even-odd", (0, 1, 4, 5), "left-right")):
        pictures.draw_network(ax, tree, rows, smallest_cut(tree, rows))
        ax.set_title(f"price {tree.mincut(rows)}")

# %% [markdown]
# ## Weights that reach it
#
# All sizes above are powers of 2. A node of width $2^c$ lets $c$ *routes* pass, one for each binary
# digit of its channel number. As many routes from rows to columns fit as the exponent of the smallest
# cut says, and weights of zeros and ones carry one digit along each of them.

# %%
reached = []
for rows in ("even-odd", (0, 1, 4, 5), "left-right", (0, 1, 2, 4)):
    pairs = routes(tree, rows)
    weights = routed_weights(tree, rows)
    rank = certify_weights(tree, weights, rows).rank
    reached.append((rows, pairs, f"2^{len(pairs)}", tree.mincut(rows), rank))
table(reached, ["rows", "routes", "2^{routes}", "price", "rank"])


# %% [markdown]
# The same for random trees of five shapes, with random powers of 2 or 3 as widths, node by node.

# %%
def draw(low, high):
    return int(torch.randint(low, high + 1, (), generator=generator))


def power(p, most=2):
    return p ** draw(0, most)


def random_tree(p, shape):
    w = [power(p) for _ in range(7)]
    if shape == 0:
        return ModeTree.perfect(8, 2, 2 if p == 2 else 3, (w[:4], w[4:6], w[6]))
    if shape == 1:
        return ModeTree.perfect(4, 2, p * p, (w[:2], w[2]))
    if shape == 2:
        return ModeTree.star(5, p, p * w[0])
    if shape == 3:  # a caterpillar
        return ModeTree(Node((Node((Node((0, 1), w[0]), 2), w[1]), 3), w[2]), p)
    inner = Node((Node((4, 2), w[0]), 5), w[1])
    return ModeTree(Node((Node((3, 0), w[2]), 1, inner), w[3]), p)


def random_rows(N):
    while True:
        rows = tuple(i for i in range(N) if draw(0, 1))
        if 0 < len(rows) < N:
            return rows


powers = []
for number in range(120):
    some = random_tree(2 + number % 2, number % 5)
    rows = random_rows(some.modes)
    built = certify_weights(some, routed_weights(some, rows), rows).rank
    powers.append((some, rows, some.mincut(rows), built,
                   certify(some, rows, seed=number).rank))
print(len(powers), "trees; cuts from", min(p[2] for p in powers), "to",
      max(p[2] for p in powers))

# %% tags=["hide-input"]
with checking("mincut-equality", detail="{count} partitions: routed and "
              "random weights both reach the cut") as check:
    for rows, pairs, _, price, rank in reached:
        check(rank == price == 2 ** len(pairs), rows)
    for some, rows, price, built, random in powers:
        check(built == random == price, (some, rows))

# %% [markdown]
# ## Rank against cut
#
# Now widths of any size. For each network one draw of weights, and the rank of its tensor for many
# partitions. No rank may exceed the cut; the last column counts the ranks below it.


# %%
def halves(N):
    """All partitions, each once: position 0 is a row."""
    return [tuple(i for i in range(N) if mask >> i & 1)
            for mask in range(1, 2**N - 1, 2)]


def compare(trees, shared=False, sample=None):
    """Checks made, ranks above the cut, ranks below it."""
    above, below, checks = 0, 0, 0
    for some in trees:
        weights = some.random_weights(field, generator, shared)
        A = coefficient_tensor(some, weights, field)
        parts = halves(some.modes) if sample is None else [
            random_rows(some.modes) for _ in range(sample)]
        for rows in parts:
            rank = exact_rank(matricize(A, rows), field.prime).rank
            cut = some.mincut(rows)
            above, below = above + (rank > cut), below + (rank < cut)
            checks += 1
    return checks, above, below


pool4 = [ModeTree.perfect(4, 2, M, (a, b)) for M in range(2, 6)
         for a in range(1, 6) for b in range(1, 6)]
stars = [ModeTree.star(4, M, Z) for M in range(2, 5) for Z in range(1, 18)]
pool8 = [ModeTree.perfect(8, 2, 2, r) for r in
         ((1, 4, 4), (2, 3, 4), (3, 5, 3), (4, 4, 2), (5, 5, 4))]
wide8 = [ModeTree.perfect(8, 2, draw(2, 4),
                          (draw(1, 8), draw(1, 8), draw(1, 8)))
         for _ in range(20)]
nodes = {p: [random_tree(p, 0) for _ in range(30)] for p in (2, 3)}


def largest(trees, width):
    """The largest M and the largest width of some trees, in words."""
    return (f"M ≤ {max(some.dim for some in trees)}, {width} ≤ "
            f"{max(node.width for t in trees for _, node in t.inner_nodes())}")


families = {
    f"4 positions, pairs, {largest(pool4, 'widths')}": compare(pool4),
    f"4 positions, shallow, {largest(stars, 'Z')}": compare(stars),
    f"8 positions, M = {pool8[0].dim}, {len(pool8)} choices of widths":
        compare(pool8),
    f"8 positions, {largest(wide8, 'widths')}": compare(wide8, sample=4),
    **{f"8 positions, powers of {p} node by node": compare(some, sample=5)
       for p, some in nodes.items()},
    "4 positions, pairs, shared weights": compare(pool4, shared=True),
    "4 positions, shallow, shared weights": compare(stars, shared=True),
    "8 positions, shared weights": compare(pool8, shared=True),
}
table([(name, *row) for name, row in families.items()],
      ["family", "ranks", "above the cut", "below the cut"])

# %% tags=["hide-input"]
with checking("mincut-equality", detail=f"{len(families)} families, none "
              f"above; powers of {' and '.join(map(str, nodes))} all equal"
              ) as check:
    for name, (_, above, below) in families.items():
        check(above == 0, name)
        if "powers" in name:
            check(below == 0, name)

# %% tags=["remove-cell"]
unshared = [row for name, row in families.items() if "shared" not in name]
glue("07-unshared-ranks", sum(row[0] for row in unshared))
glue("07-unshared-below", sum(row[2] for row in unshared))
for name, key in (("4 positions, pairs, shared weights", "pairs"),
                  ("4 positions, shallow, shared weights", "shallow")):
    glue(f"07-shared-{key}", f"{families[name][2]} of {families[name][0]}")

# %% [markdown]
# Shared weights can fall short of the cut, since the products of a level are symmetric. With pairs the
# smallest case has four positions, $M=2$ and widths $(4,4)$: left against right.

# %%
dim, wide = 2, (4, 4)
small = ModeTree.perfect(4, 2, dim, wide)
siblings = {shared: certify(small, "left-right", shared=shared).rank
            for shared in (False, True)}
table([("no", siblings[False], small.mincut("left-right")),
       ("yes", siblings[True], small.mincut("left-right"))],
      ["weights shared", "rank", "cut"])

# %% tags=["hide-input"]
lower = [row[2] > 0 for name, row in families.items() if "shared" in name]
cut = small.mincut("left-right")
with checking("mincut-shared", detail=f"rank {siblings[True]}, a cut of {cut}; "
              f"shared families below in {sum(lower)} of {len(lower)}"
              ) as check:
    check(siblings[False] == cut == min(*wide, dim * dim), siblings)
    check(siblings[True] == min(*wide, dim * (dim + 1) // 2), siblings)
    check(any(lower), "families")

# %% [markdown]
# ## Alternating blocks
#
# Rows and columns alternate in blocks of $2^j$ positions: $j=0$ is even-odd, $j=L-1$ is left–right.
# The rank is the power $N/2^{j+1}$ of $\min(r_j,\kappa_j)$, for widths of any size.


# %%
def blocks(N, j):
    return tuple(i for i in range(N) if (i >> j) % 2 == 0)


def kappa(M, r, j, shared=False):
    """Dimension of what a node can mix at level j."""
    k = M
    for width in r[:j]:
        k = min(width, k * (k + 1) // 2 if shared else k * k)
    return k


def closed_form(M, r, j):
    """min(r_j, r_(j-1), r_(j-2)^2, ..., r_0^(2^(j-1)), M^(2^j))."""
    terms = [r[j], M ** 2**j] + [r[i] ** 2 ** (j - 1 - i) for i in range(j)]
    return min(terms) ** (2 ** (len(r) - j - 1))


rows_of_blocks = []
for r in ((4, 2, 4, 3), (4, 8, 3, 9)):
    tree16 = ModeTree.perfect(16, 2, 2, r)
    for j in range(4):
        power_of = 16 // 2 ** (j + 1)
        found = [certify(tree16, blocks(16, j), shared=s).rank
                 for s in (False, True)]
        said = [min(r[j], kappa(2, r, j, s)) ** power_of
                for s in (False, True)]
        rows_of_blocks.append((r, 2**j, found, said,
                               tree16.mincut(blocks(16, j)),
                               closed_form(2, r, j)))
table([(r, size, *found, cut) for r, size, found, _, cut, _ in rows_of_blocks],
      ["widths", "blocks of", "rank", "rank, shared", "cut"])

# %%
tried = []
for _ in range(25):
    M, r = draw(2, 3), tuple(draw(1, 7) for _ in range(3))
    for j in range(3):
        for shared in (False, True):
            some = ModeTree.perfect(8, 2, M, r)
            rank = certify(some, blocks(8, j), shared=shared).rank
            tried.append((M, r, j, shared, rank, some.mincut(blocks(8, j))))
print(len(tried), "more ranks of 8 positions, widths from",
      min(min(r) for _, r, *_ in tried), "to",
      max(max(r) for _, r, *_ in tried))

# %% tags=["hide-input"]
count = 2 * len(rows_of_blocks) + len(tried)
with checking("blocks-exact-rank", detail=f"{count} ranks, 8 and 16 "
              "positions, shared and not") as check:
    for r, size, found, said, cut, closed in rows_of_blocks:
        check(found == said, (r, size))
        check(cut == closed == found[0], (r, size))
    for M, r, j, shared, rank, cut in tried:
        check(rank == min(r[j], kappa(M, r, j, shared)) ** (4 // 2**j),
              (M, r, j))
        check(shared or rank == cut == closed_form(M, r, j), (M, r, j))

# %% [markdown]
# Which layers count? Widen one layer at a time, and then the last two together, starting from
# $(2,2,2,2)$ with $M=4$, and watch the
# smallest cut along blocks of 1, 2, 4 and 8.

# %%
templates, base, wider = 4, (2, 2, 2, 2), 4
grown = {}
for changed in (None, 0, 1, 2, 3, (2, 3)):
    layers = () if changed is None else (changed,) if isinstance(
        changed, int) else changed
    r = tuple(wider if i in layers else base[i] for i in range(4))
    grown[r] = [ModeTree.perfect(16, 2, templates, r).mincut(blocks(16, j))
                for j in range(4)]
table([(r, *ranks) for r, ranks in grown.items()],
      ["widths", "blocks of 1", "of 2", "of 4", "of 8"])

# %% tags=["hide-input"]
with checking("early-and-deep-widths", detail="ranks under "
              f"{sum(j < 2 for _, _, j, *_ in tried)} draws of later widths; "
              f"the conditions for {len(tried) // 6} networks"
              ) as check:
    for r, cuts in grown.items():
        check(cuts == [closed_form(templates, r, j) for j in range(4)], r)
    for M, r, j, shared, rank, _ in tried:  # layers above j do not count
        other = r[: j + 1] + tuple(draw(1, 7) for _ in r[j + 1:])
        some = ModeTree.perfect(8, 2, M, other)
        check(certify(some, blocks(8, j), shared=shared).rank == rank,
              (M, r, other, j))
        if j == 2 and not shared:  # what a left-right rank of rho needs
            for rho in range(1, 10):
                enough = (r[2] >= rho and r[1] >= rho and r[0] ** 2 >= rho
                          and M**4 >= rho)
                check((rank >= rho) == enough, (M, r, rho))

# %% [markdown]
# ## Rank 14 against a cut of 15
#
# Sizes that are not powers of one integer can leave a gap, here 2, 3, 5 and 15.

# %%
gap = ModeTree(Node((
    Node((Node((0, 1), 3), Node((2, 3), 5)), 15),
    Node((Node((4, 5), 5), Node((6, 7), 3)), 15)), 2), dim=3)
crossed = (0, 1, 4, 5)
ranks = [certify(gap, crossed, seed=seed).rank for seed in range(5)]
print("cut:", gap.mincut(crossed), " widths cut:",
      list(smallest_cut(gap, crossed).values()))
print("ranks:", ranks)

# %% [markdown]
# For almost all weights the left block below the root offers every 3×5 matrix and the right block every
# 5×3 matrix. So the matricization is, up to injective maps on both sides,
# $K=L_0\otimes R_0+L_1\otimes R_1$. Here is one in small integers, and the two vectors of the proof: $q_0,q_1$ with $L_0q_0=0$,
# $L_1q_0+L_0q_1=0$, $L_1q_1=0$. Ten unknowns, nine equations.

# %%
K = torch.zeros(15, 15)
while exact_rank(K).rank < 14:  # few draws of integers as small fall short
    L = torch.randint(-2, 3, (2, 3, 5), generator=generator).double()
    R = torch.randint(-2, 3, (2, 5, 3), generator=generator).double()
    K = torch.kron(L[0], R[0]) + torch.kron(L[1], R[1])

zero = torch.zeros(3, 5).double()
equations = torch.cat([torch.cat([L[0], zero], 1),
                       torch.cat([L[1], L[0]], 1),
                       torch.cat([zero, L[1]], 1)])  # 9 × 10
q = torch.stack([  # Cramer's rule: signed minors solve them
    (-1) ** k * torch.linalg.det(equations[:, [c for c in range(10) if c != k]])
    for k in range(10)]).round()
U = q.reshape(2, 5).T.contiguous()  # columns q_0 and q_1
print("solved exactly:", bool((equations @ q == 0).all()))
table([("U", tuple(U.shape), exact_rank(U).rank),
       ("L_0 U and L_1 U", (3, 4),
        exact_rank(torch.cat([L[0] @ U, L[1] @ U], 1)).rank),
       ("K (U ⊗ I)", (15, 6),
        exact_rank(K @ torch.kron(U, torch.eye(3).double())).rank),
       ("K", (15, 15), exact_rank(K).rank)], ["matrix", "shape", "rank"])

# %% [markdown]
# Six independent columns are sent into a space of dimension five: one direction is lost, whatever the
# weights. In Kronecker's normal form the same loss is visible block by block. A generic 3×5 pencil is
# $\mathcal L_1\oplus\mathcal L_2$, with $\mathcal L_\varepsilon$ of size
# $\varepsilon\times(\varepsilon+1)$, and $K$ falls into four blocks.


# %%
def kronecker_block(size):
    """L_ε: the identity with a zero column behind, or in front."""
    wide = torch.eye(size + 1).double()
    return torch.stack([wide[:size], wide[1:]])


def joined(left, right):
    """The sum of the Kronecker products of left[w] and right[w] transposed."""
    blocks4 = torch.einsum("wac,wdb->abcd", left, right)
    return blocks4.flatten(2).flatten(0, 1)


parts = []
for a in (1, 2):
    for b in (1, 2):
        block = joined(kronecker_block(a), kronecker_block(b))
        parts.append((f"({a}, {b})", tuple(block.shape),
                      exact_rank(block).rank))
table([*parts, ("all", (sum(p[1][0] for p in parts),
                        sum(p[1][1] for p in parts)),
                sum(p[2] for p in parts))], ["blocks", "shape", "rank"])

# %% tags=["hide-input"]
with checking("mincut-counterexample",
              detail=f"{{count}} checks: {len(ranks)} draws of the network, "
              "the lost direction, the normal form") as check:
    check(gap.mincut(crossed) == 15, "cut")
    for rank in ranks:
        check(rank == 14, "rank")
    check(bool((equations @ q == 0).all()), "equations")
    check(exact_rank(U).rank == 2, "U")
    check(exact_rank(torch.cat([L[0] @ U, L[1] @ U], 1)).rank == 1, "line")
    check(exact_rank(K).rank == 14, "K")
    check(sum(p[2] for p in parts) == 14, "normal form")
    closed = ModeTree(Node(gap.root.children, 3), 3)  # one more channel
    check(certify(closed, crossed).rank == closed.mincut(crossed) == 15,
          closed)

# %% tags=["remove-cell"]
glue("07-gap-cut", gap.mincut(crossed))
glue("07-gap-rank", ranks[0])

# %% [markdown]
# How rare is that? All sums of $w=2,3,4$ Kronecker products of an $a\times c$ with a $b\times d$ matrix,
# all sizes up to 5, against the cut $\min(ab,\,cd,\,w\min(a,c)\min(b,d))$.

# %%
sizes = [(m, n) for m in range(1, 6) for n in range(1, 6)]
looked, fallen = 0, []
for w in (2, 3, 4):
    for a, c in sizes:
        for b, d in [s for s in sizes if s >= (a, c)]:
            left = field.random((w, a, c), generator)
            right = field.random((w, b, d), generator)
            total = sum(torch.kron(x, y) % field.prime
                        for x, y in zip(left, right)) % field.prime
            cut = min(a * b, c * d, w * min(a, c) * min(b, d))
            rank, looked = exact_rank(total, field.prime).rank, looked + 1
            if rank < cut:
                fallen.append((w, f"{a} × {c}", f"{b} × {d}", rank, cut))
print(looked, "sizes")
table(fallen, ["products", "left", "right", "rank", "cut"])

# %% tags=["remove-cell"]
glue("07-pencils", looked)
glue("07-pencils-below", len(fallen))

# %% [markdown]
# ## Spectra
#
# The rank says where the singular values end, not how large they are. Two networks with about the
# same number of parameters, real weights drawn once, normalized squared singular values.

# %%
early = ModeTree.perfect(8, 2, 4, (4, 1, 1))
deep = ModeTree.perfect(8, 2, 4, (2, 4, 4))
spectra, entropies = {}, []
for name, some in (("early", early), ("deep", deep)):
    real = some.random_weights(Real(), torch.Generator().manual_seed(1))
    A = coefficient_tensor(some, real)
    for rows in ("even-odd", "left-right"):
        matrix = matricize(A, rows)
        share = singular_values(matrix) ** 2
        spectra[name, rows] = (share / share.sum())[:some.mincut(rows)]
        entropy = abs(entanglement_entropy(matrix, base=2))
        entropies.append((name, rows, certify(some, rows).rank,
                          f"{entropy:.2f}",
                          (some.mincut(rows) - 1).bit_length()))
table(entropies, ["widths", "partition", "rank", "entropy in bits",
                  "at most"])

# %% tags=["remove-cell"]
glue("07-entropy-early", entropies[0][3])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-widths-spectra", "caption": "Normalized squared singular values, largest first, both axes logarithmic. A line ends where the rank ends."}, "image": {"alt": "Two panels, even-odd and left-right. Along even-odd the early network's line is long, the deep network's ends at 16. Along left-right the early network has a single value, the deep one four."}}
with style.figure(7, 3, columns=2, sharey=True) as (_, axes):
    for ax, rows in zip(axes, ("even-odd", "left-right")):
        pictures.draw_spectra(ax, {name: spectra[name, rows]
                                   for name in ("early", "deep")})
        ax.set_title(rows)

# %% [markdown]
# Do these numbers belong to the function or to its tensor? Take an input space of two points and two
# representation functions, $f_0=1$ and $f_1$ with the values $0$ and $t$. The values of the network on all
# inputs are a matrix whose singular values are those of the function itself. Their number does not
# depend on $t\ne0$, their sizes do.

# %%
pairs4 = ModeTree.perfect(4, 2, 2, (4, 3))
matrix = torch.zeros(4, 4)
while exact_rank(matrix).rank < 3:  # two draws in five fall short
    integers = {path: torch.randint(-3, 4, shape, generator=generator).double()
                for path, shape in pairs4.weight_shapes().items()}
    matrix = matricize(coefficient_tensor(pairs4, integers), "left-right")
bases = {"orthonormal": torch.eye(2), **{f"t = {t}": torch.tensor(
    [[1, 1], [0, t]]) for t in (1, 10)}}  # rows f_0, f_1, columns points
schmidt = []
for name, f in bases.items():
    both = torch.kron(f.T, f.T).double()  # two positions on either side
    values = both @ matrix @ both.T  # the network at all inputs
    gram = (f @ f.T).double()  # inner products of the functions
    root = torch.linalg.cholesky(torch.kron(gram, gram))
    same = torch.allclose(singular_values(values),
                          singular_values(root.T @ matrix @ root))
    schmidt.append((name, exact_rank(values).rank, same,
                    f"{abs(entanglement_entropy(values, base=2)):.2f}"))
table(schmidt, ["functions", "Schmidt number", "from A and G alone",
                "entropy in bits"])

# %% tags=["hide-input"]
with checking("schmidt-number",
              detail=f"{len(schmidt)} pairs of representation functions: "
              "one rank, different spectra") as check:
    rank = exact_rank(matrix).rank
    check(rank == pairs4.mincut("left-right") == 3, rank)
    for name, number, same, _ in schmidt:
        check(number == rank and same, name)
    check(len({entropy for *_, entropy in schmidt}) == len(schmidt),
          "entropies differ")

# %% [markdown]
# ## Widths by design
#
# A budget of parameters, the partitions that matter: which widths make the smallest cut largest? The
# search is exact. Eight positions, $M=4$, widths from 1, 2, 4, 8, 16.

# %%
shape = ModeTree.perfect(8, 2, 4, (1, 1, 1))
wanted = {"neighbors": ["even-odd"], "pairs": [blocks(8, 1)],
          "halves": ["left-right"],
          "all three": ["even-odd", blocks(8, 1), "left-right"]}
budgets, choices = (150, 300, 600), (1, 2, 4, 8, 16)
designs = {(name, budget): design_widths(shape, partitions, budget, choices)
           for name, partitions in wanted.items() for budget in budgets}


def widths_of(some):  # from the positions up; of a level all, if they differ
    levels = [[node.width for _, node in some.inner_nodes()
               if node.height == height] for height in (1, 2, 3)]
    return tuple(level[0] if len({*level}) == 1 else tuple(level)
                 for level in levels)


table([(name, budget, widths_of(found.tree), found.parameters, found.cut)
       for (name, budget), found in designs.items()],
      ["what matters", "budget", "widths", "parameters", "smallest cut"])

# %% [markdown]
# All three at once cost what the halves cost: along blocks of twice the size the cut is never larger.
#
# What a design for one partition leaves for the others, at a budget of 150, in exact ranks:

# %%
tight = min(budgets)
left_over = {name: [certify(designs[name, tight].tree, blocks(8, j)).rank
                    for j in range(3)]
             for name in ("neighbors", "pairs", "halves")}
table([(name, widths_of(designs[name, tight].tree), *row)
       for name, row in left_over.items()],
      ["designed for", "widths", "neighbors", "pairs", "halves"])

# %% tags=["hide-input"]
with checking("width-designer", detail="{count} designs: against all "
              f"{len(choices)**3} choices, and the exact rank") as check:
    every = [ModeTree.perfect(8, 2, shape.dim, (a, b, c))
             for a in choices for b in choices for c in choices]
    every = [(some.parameter_count(),
              [some.mincut(blocks(8, j)) for j in range(3)]) for some in every]
    index = {"neighbors": [0], "pairs": [1], "halves": [2],
             "all three": [0, 1, 2]}
    for (name, budget), found in designs.items():
        best = max((min(cuts[j] for j in index[name]), -count)
                   for count, cuts in every if count <= budget)
        exact = min(certify(found.tree, blocks(8, j)).rank for j in index[name])
        ours = found.cut, -found.parameters
        by_level = all(isinstance(w, int) for w in widths_of(found.tree))
        check((ours == best if by_level else ours >= best)
              and exact == found.cut, (name, budget))

# %% tags=["remove-cell"]
for name in ("neighbors", "halves"):
    found = designs[name, tight]
    glue(f"07-design-{name}", str(widths_of(found.tree)))
    glue(f"07-design-{name}-parameters", found.parameters)
    for j, label in ((0, "near"), (2, "far")):
        glue(f"07-design-{name}-{label}", left_over[name][j])

# %% [markdown]
# ## Trained
#
# Does it matter when networks learn? Four positions, $M=4$, two tasks in the same $4^4=256$ inputs:
# *near* asks whether positions 0 and 1 are equal and 2 and 3 are equal, *far* whether position 0
# equals position 2. Two designs for a budget of 76 parameters, each fitted to each task by Adam, the
# best of six starts. The least error that the ranks allow stands beside it.

# %%
lab = planted.widths
nets = lab.designs(4, 4, 76, candidates=(1, 2, 3, 4))
trained, starts, steps, rate = {}, 6, 100, 0.1
for task, pairs in (("near", [(0, 1), (2, 3)]), ("far", [(0, 2)])):
    target = lab.matches(4, 4, pairs, symbols=4)  # 1 if all match, else 0
    for name, some in nets.items():
        errors = lab.fit_circuit(some, target, starts, steps, rate)
        trained[task, name] = min(errors), lab.least_error(some, target)


def brief(tree):
    return repr(tree).split("widths=")[1][:-1]


table([(task, name, brief(nets[name]), nets[name].parameter_count(),
        f"{100 * error:.0f} %", f"{100 * least:.0f} %")
       for (task, name), (error, least) in trained.items()],
      ["task", "network", "widths", "parameters", "error", "at least"])

# %% [markdown]
# The same code at twice the size takes minutes, so its errors are stored: the three designs for 150
# parameters and eight positions, twelve starts each. `python -m lib.planted widths` computes them.
# *Near* asks whether all four pairs of neighbors match, *middle* whether positions 0 and 2 have the
# same parity, *far* whether 0 and 4 have.

# %%
header, runs = planted.runs.read_runs(planted.runs.results_path("widths"))
eight, known = lab.designs(), {}
for task, (pairs, symbols) in lab.RANGES.items():
    target = lab.matches(8, 4, pairs, symbols)
    for name, some in eight.items():
        errors = runs[f"circuits, {task}: {name}"]
        least = lab.least_error(some, target)
        known[task, name] = errors, least
table([(task, name, brief(eight[name]), eight[name].parameter_count(),
        f"{100 * least:.0f} %", f"{100 * min(errors):.0f} %",
        sum(error <= least + 0.02 for error in errors))
       for (task, name), (errors, least) in known.items()],
      ["task", "design", "widths", "parameters", "least error",
       f"best of {len(errors)}", "starts that reach it"])

# %% tags=["hide-input"]
fits = len(trained) + len(known)
every = starts * len(trained) + sum(len(errors) for errors, _ in known.values())
enough = starts >= 6 and steps >= 100 and rate == 0.1  # to come down
with checking("trained-widths", "trained", "{count} checks: "
              f"{len(nets) + len(eight)} networks, {fits} fits, {every} starts"
              + ("" if enough else "; live only that none is below the least "
                 "error: to reach it takes 6 starts of 100 steps at rate 0.1")
              ) as check:
    check(header["settings"] == lab.SETTINGS, "the stored settings are these")
    for case, (error, least) in trained.items():
        most = least + 0.02 if enough else float("inf")
        check(least - 1e-9 <= error <= most, case)
    for case, (errors, least) in known.items():
        check(len(errors) == lab.SETTINGS["circuits"]["starts"], case)
        check(min(errors) >= least - 1e-5, case)
        check(min(errors) <= least + 0.02, case)

# %% [markdown]
# ### Rectifier networks
#
# No cut bounds a network with rectifiers. Does it prefer the same widths? The input is a row of
# signs, and every layer has windows of 2 with stride 2, a bias and a rectifier. *Near* is the sum of
# the products of neighbors, *far* the sum of the products of places half the input apart, both with
# variance 1. One network has its channels early, the other the same numbers in reverse order.

# %%
tries, shapes = 5, {"early": (8, 4, 2), "deep": (2, 4, 8)}
updates, pace, batch = 350, 0.01, 64
live = {(task, name): sorted(lab.fit_rectifiers(widths, task, tries, updates,
                                                pace, batch))
        for task in ("near", "far") for name, widths in shapes.items()}
table([(task, name, *(f"{error:.1f}" for error in errors))
       for (task, name), errors in live.items()],
      [f"{2 ** len(shapes['early'])} signs", "network",
       *(f"start {k + 1}" for k in range(tries))])

# %% [markdown]
# Sixteen signs and longer training, stored. Every start reads inputs of its own, so the interval holds
# the median with at least 95 %, whatever the law of the errors: it goes from the third smallest to the
# third largest of twelve.

# %%
rectified = {(task, name): runs[f"rectifiers, {task}: {name}"]
             for task in ("near", "far") for name in lab.RECTIFIERS}
medians = {case: planted.runs.median_interval(errors)
           for case, errors in rectified.items()}
goal = 0.01
solved = {case: sum(error < goal for error in errors)
          for case, errors in rectified.items()}
table([(task, name, lab.RECTIFIERS[name],
        lab.parameters(lab.RECTIFIERS[name]), f"{median:.2f}",
        f"{low:.2f} to {high:.2f}", solved[task, name])
       for (task, name), (median, low, high) in medians.items()],
      ["16 signs", "network", "widths", "parameters", "median error",
       "95 % interval", f"starts below {goal}"])

# %% [markdown]
# *Far* is clear: every start of the deep network is better than every start of the early one. *Near* is
# solved where the error falls below 0.01, and the early network solves it more often. How likely
# is a difference at least as large if both solved it equally often? That is Fisher's exact test.

# %%
times = len(rectified["near", "early"])
by_chance = planted.runs.fisher_exact(
    solved["near", "early"], solved["near", "deep"], starts=times)
print(f"near: {by_chance:.3f}")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-widths-trained", "caption": "Errors of rectifier networks with 16 signs, one circle for each of twelve starts. Early widths learn products of neighbors more often, deep widths are always better at products across the middle."}, "image": {"alt": "Two panels with two networks each. Near: eleven circles of the early network at 0 and one at 1, three of the deep network at 0 and the others between 0.15 and 0.6. Far: the circles of the early network from 0.83 to 1, those of the deep network from 0.45 to 0.72."}}
with style.figure(6, 2.8, columns=2) as (_, axes):
    for ax, task in zip(axes, ("near", "far")):
        connectivity.draw_errors(ax, {name: rectified[task, name]
                                      for name in lab.RECTIFIERS}, {}, task)

# %% tags=["hide-input"]
enough = (tries >= 5 and updates >= 350 and (pace, batch) == (0.01, 64)
          and live.keys() >= rectified.keys())
with checking("rectifiers-prefer-widths", "trained", f"{times} starts each, "
              + ("and the medians of a live run" if enough else "not live: "
                 "that takes both tasks and networks, 5 starts of 350 steps "
                 "with 64 inputs, rate 0.01")) as check:
    check(max(rectified["far", "deep"]) < min(rectified["far", "early"]), "far")
    if 0.01 <= goal <= 0.2:  # any other draws another line
        check(solved["near", "early"] > solved["near", "deep"], "near")
        check(by_chance < 0.05, by_chance)
    middle = tries // 2
    if enough:
        check(live["near", "early"][middle] < live["near", "deep"][middle],
              "live, near")
        check(live["far", "deep"][middle] < live["far", "early"][middle],
              "live, far")

# %% tags=["remove-cell"]
for (task, name), (error, _) in trained.items():
    glue(f"07-trained-{task}-{name}", f"{100 * error:.0f} %")
for (task, name), (errors, least) in known.items():
    glue(f"07-stored-{task}-{name}", f"{100 * min(errors):.0f} %")
    glue(f"07-least-{task}-{name}", f"{100 * least:.0f} %")
stuck = sum(error > least + 0.02 for errors, least in known.values()
            for error in errors)
glue("07-rectified-chance", f"{by_chance:.3f}")
for name in lab.RECTIFIERS:
    glue(f"07-rectified-solved-{name}", f"{solved['near', name]} of {times}")
errors, least = known["far", "deep"]
glue("07-stored-stuck-far",
     f"{sum(e > least + 0.02 for e in errors)} of {len(errors)}")
glue("07-stored-stuck", f"{stuck} of {sum(len(e) for e, _ in known.values())}")
for (task, name), (median, low, high) in medians.items():
    glue(f"07-rectified-{task}-{name}",
         f"{median:.2f} ({low:.2f} to {high:.2f})")
for name, widths in lab.RECTIFIERS.items():
    glue(f"07-rectified-parameters-{name}", lab.parameters(widths))

# %% [markdown]
# ## What to remember
#
# - The rank between two groups of positions is at most the smallest cut, a shared index charged once.
# - Almost all weights reach it if all sizes are powers of one integer and weights are not shared. Other
#   sizes can miss it, and rarely do; shared weights miss it more often.
# - Short ranges are decided by early widths; long ranges need every layer up to the top.
#
# **Try this.** Give `design_widths` the argument `by="node"` and one partition that cuts only the
# left half. Look for another gap between rank and cut with $M=5$.

# %% [markdown]
# ## Try it
#
# Write a few lines in place of `None` and run the cell. It says at once whether they are right; if
# not, it names the smallest input it knows on which they fail. All it needs is the set-up and the
# imports at the top. The first is for everyone, the last is hard; [the
# page](../book/layer-widths.md#exercises) has more.

# %% [markdown]
# ### Lean widths
#
# Eight positions, $M=3$ and widths $(2,5,7)$. Find widths with the same smallest cuts along blocks of
# 1, 2 and 4, and with the fewest parameters.

# %% tags=["exercise"]
lean_widths = None  # as (2, 5, 7)

check_answer("07-lean", lean_widths)

# %% [markdown]
# ### A smallest cut
#
# $M=3$; the pairs $\{0,1\}$ and $\{2,3\}$ have width 2, the pairs $\{4,5\}$ and $\{6,7\}$ width 3,
# the node over 0–3 has width 2, the one over 4–7 width 4, the root 3. The rows are 0, 1, 4, 6. A node
# costs its width, a position 3. Give a smallest cut: a list of nodes, each named by the positions
# below it.

# %% tags=["exercise"]
my_cut = None  # as [(0, 1), (4, 5, 6, 7), (2,)]

check_answer("07-cut", my_cut)

# %% [markdown]
# ### Find the bug
#
# This function is meant to give the smallest cut of eight positions along alternating blocks of
# $2^j$. Give an input `(M, widths, j)` where the price it names is not the rank, with $M\le4$.


# %% tags=["exercise"]
def claimed_price(M, widths, j):
    paths = M ** 2**j
    for i in range(j):
        paths = min(paths, widths[i] ** 2 ** (j - i))
    return min(paths, widths[j]) ** (4 // 2**j)


wrong_price = None  # as (4, (2, 2, 2), 0)

check_answer("07-charged", wrong_price)

# %% [markdown]
# ### Another gap
#
# The pairs have widths $a,b,c,d$, the two nodes above them $ab$ and $cd$, the root 2, and $M=3$; the
# rows are 0, 1, 4, 5. With $(3,5,5,3)$ the rank is 14 and the cut 15. Find other widths, up to 6,
# with a rank below the cut.

# %% tags=["exercise"]
other_widths = None  # as (3, 5, 3, 5)

check_answer("07-gap", other_widths)
