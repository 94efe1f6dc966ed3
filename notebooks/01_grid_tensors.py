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
# # Grid tensors, computed
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/01_grid_tensors.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/01_grid_tensors.ipynb)
#
# A network is shown all images that a few templates can form, and its answers become a matrix
# whose rank counts the products that tie one part of the image to another. All ranks are computed in
# exact arithmetic. The definitions and proofs are on [the page](../book/grid-tensors.md).

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course && cd course && "{sys.executable}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import torch

from lib import (
    Architecture, ModeTree, Modular, Real, change_basis, check_answer,
    checking, coefficient_tensor, evaluate, exact_rank, glue, grid_network,
    grid_tensor, indices, matricize, photograph_patches, table,
)
from lib.plots import grids, style

field = Modular()  # integers modulo a prime: no rounding anywhere
generator = torch.Generator().manual_seed(1)

# %% [markdown]
# ## A network on a 2×2 image
#
# The pixels are $x_0, x_1$ above and $x_2, x_3$ below. The network multiplies within each row of
# the image, adds 1, and multiplies the two results: $h = (1 + x_0x_1)(1 + x_2x_3)$.
#
# It is a convolutional arithmetic circuit of two layers. Here it is in plain PyTorch.


# %%
def network(x):
    """h of a batch of images: (batch, 4 pixels) -> (batch,)."""
    f = torch.stack([x**0, x], dim=-1)  # representation: 1 and x
    pairs = f[:, 0::2] * f[:, 1::2]  # layer 1: a product within each row
    rows = pairs @ torch.tensor([1, 1])  # layer 2: a 1×1 convolution,
    return rows.prod(dim=1)  # and a product over the rows


images = indices(2, 4)  # all 16 images of pixels 0 and 1
print(network(images).tolist())

# %% [markdown]
# The library describes such a network by a tree: two pairs of pixels below, one node above, and at
# every node its width. The representation functions are $f_0(x)=1$ and $f_1(x)=x$, and the templates
# are the pixel values 0 and 1, so that $F_{d,c} = f_c(x^{(d)})$ is a 2×2 matrix. The outputs on all
# images that the templates form are the grid tensor.

# %%
tree, weights = grids.pairs_network()
F = torch.tensor([[1, 0], [1, 1]]).double()  # templates by functions

grid = grid_tensor(lambda f: evaluate(tree, weights, f), F, modes=4)
print(tree)
same = torch.equal(grid.flatten().long(), network(images))
print(f"the same {grid.numel()} outputs:", same)

# %% [markdown]
# Lay the 16 answers out as a matrix. Left half of the image against right half gives rank 4, upper
# half against lower half gives rank 1: this network ties left to right, and keeps top and bottom
# apart.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-two-partitions", "caption": "The same 16 outputs laid out along two partitions. Row pixels are blue, column pixels orange; the number above an image is the network's output. Left against right: rank 4. Top against bottom: rank 1."}, "image": {"alt": "Two 4 by 4 tables of small 2 by 2 images with an output above each. On the left the rows of numbers are 1 1 1 1, 1 2 1 2, 1 1 2 2, 1 2 2 4. On the right the first three rows are 1 1 1 2 and the last row is 2 2 2 4."}}
with style.figure(6.2, 3.3, columns=2) as (drawing, axes):
    for ax, partition in zip(axes, ("left-right", "top-bottom")):
        matrix = matricize(grid, partition, (2, 2))
        grids.draw_grid_matrix(ax, matrix, partition)
        ax.set_title(partition)

# %%
matrices = {partition: matricize(grid, partition, (2, 2))
            for partition in ("left-right", "top-bottom")}
table([(partition, matrix.int().tolist(), exact_rank(matrix).rank)
       for partition, matrix in matrices.items()],
      ["partition", "matrix, row by row", "rank"])

# %% [markdown]
# ## Two tensors, one change of basis
#
# The coefficient tensor $\mathcal A$ holds the coefficients of the products of representation
# functions. The grid tensor $\mathcal G$ holds outputs. Multiplying every mode of the first by $F$
# gives the second. Hold this against running the network, for several trees with random weights and
# templates.


# %%
def answers(tree, weights, F):
    """The grid tensor of a tree's network, exactly."""
    return grid_tensor(lambda f: evaluate(tree, weights, f, field),
                       F, tree.modes)


def rank(tensor, partition, shape=None):
    return exact_rank(matricize(tensor, partition, shape), field.prime).rank


trees = [
    ModeTree.perfect(4, 2, 2, (3, 2)),  # N, P, M and the widths
    ModeTree.perfect(4, 4, 3, (5,)),
    ModeTree.perfect(4, 2, 3, (2, 4)),
    ModeTree.perfect(8, 2, 2, (3, 2, 2)),
    ModeTree.perfect(8, 2, 3, (3, 2, 2)),
    ModeTree.perfect(9, 3, 2, (4, 3)),
]
table([(tree, tree.parameter_count()) for tree in trees],
      ["network", "weights"])

# %% [markdown]
# Ranks along three partitions: even modes against odd ones, left against right, and the modes 0, 1, 2
# against the others.

# %%
instances = []
for tree in trees:
    weights = tree.random_weights(field, generator)
    F = field.random((tree.dim, tree.dim), generator)
    A = coefficient_tensor(tree, weights, field)
    instances.append((tree, F, A, answers(tree, weights, F)))

partitions = ("even-odd", "left-right", (0, 1, 2))
ranks = [[[rank(tensor, partition) for partition in partitions]
          for tensor in (A, G)] for _, _, A, G in instances]
table([(tree, *pair) for tree, pair in zip(trees, ranks)],
      ["network", "ranks of the coefficients", "ranks of the answers"])

# %% tags=["hide-input"]
with checking("grid-change-of-basis",
              detail=f"{len(trees)} networks, every entry") as check:
    for (tree, F, A, G), (of_A, of_G) in zip(instances, ranks):
        check(torch.equal(G, change_basis(A, F, field)), tree)
        check(exact_rank(F, field.prime).full and of_A == of_G, tree)

# %% [markdown]
# ## Templates from a photograph
#
# The templates may be anything. Here they are 16×16 patches of a photograph, and the
# representation functions are three neurons: a rectifier after integer weights. All numbers are
# integers, so nothing is rounded. Patches are taken one after the other, and one is kept if it
# raises the rank of $F$.

# %%
patches = photograph_patches(16, 40, generator)  # (40, 768) integers in 0..255
filters = torch.randint(-3, 4, (768, 3), generator=generator)


def neurons(x):
    return ((x - 128) @ filters).clamp(min=0)  # exact integers


def greedy(values):
    """Rows of a table, kept one after the other if they raise the rank."""
    kept = []
    for row in range(len(values)):
        if exact_rank(values[[*kept, row]]).rank == len(kept) + 1:
            kept.append(row)
    return kept


chosen = greedy(neurons(patches))
templates = patches[chosen]
F = neurons(templates)
print("patches kept:", chosen, "| rank of F:", exact_rank(F).rank)
table([(d, *row) for d, row in enumerate(F.tolist())],
      ["template", *(f"f_{d}" for d in range(len(F)))])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-patch-templates", "caption": "The three templates, and two of the 6561 images that they form on 2×4 positions. A grid tensor holds the network's output on every one of these images."}, "image": {"alt": "Three patches of a portrait photograph, and two mosaics of eight patches each, arranged in two rows of four."}}
shape = (2, 4)
shown = [(0, 1, 2, 0, 1, 1, 0, 2), (2, 2, 2, 2, 0, 0, 0, 0)]
widths = (1, 1, 1, 2, 2)
with style.figure(7, 1.7, columns=5, width_ratios=widths) as (drawing, axes):
    grids.draw_patches(axes[:3], templates)
    for ax, image in zip(axes[3:], shown):
        grids.draw_mosaic(ax, templates, image, shape)

# %% [markdown]
# Run a deep network on all 6561 images and compare the rank of its answers with the rank of its
# coefficients, for four ways to cut the picture in two.

# %%
eight = ModeTree.perfect(modes=8, pool=2, dim=3, widths=(3, 2, 2))
drawn = eight.random_weights(field, generator)
A = coefficient_tensor(eight, drawn, field)
G = answers(eight, drawn, field.tensor(F))

cuts = ("left-right", "top-bottom", "checkerboard", (0, 1, 2))
cut_ranks = {cut: (rank(A, cut, shape), rank(G, cut, shape)) for cut in cuts}
table([(cut, *pair) for cut, pair in cut_ranks.items()],
      ["partition", "rank of the coefficients", "rank of the answers"])

# %% tags=["hide-input"]
with checking("grid-change-of-basis",
              detail=f"{G.numel()} images of patches") as check:
    for cut, (of_coefficients, of_answers) in cut_ranks.items():
        check(of_coefficients == of_answers, cut)

# %% tags=["remove-cell"]
glue("01-patch-images", G.numel())
glue("01-patch-rank", max(of_answers for _, of_answers in cut_ranks.values()))

# %% [markdown]
# Linearly dependent functions are a different matter. Let the third neuron be the sum of the first
# two, $f_2=f_0+f_1$. Then $F$ is singular for *every* choice of templates, as its rank on all 40
# patches shows.

# %%
independent = neurons(patches)  # (40 patches, 3 functions)
first_two = independent[:, :2]
third = first_two.sum(dim=1, keepdim=True)
dependent = torch.cat([first_two, third], dim=1)

value_ranks = {"independent": exact_rank(independent).rank,
               "dependent": exact_rank(dependent).rank}
table(value_ranks.items(),
      ["functions", f"rank of their values on {len(patches)} patches"])

# %% [markdown]
# Do independent functions always have such templates, and dependent ones never? Try functions whose
# independence is known before any value is: three combinations of the hinges $\max(0,x-k)$, $k=0,…,3$.
# The hinges are independent, because their kinks are at different places, so three combinations with
# coefficients $C$ are independent exactly if $C$ has rank 3. The table looks at all triples of ten inputs.

# %%
fresh = torch.Generator().manual_seed(101)
inputs = torch.arange(-4, 6)
hinges = (inputs[:, None] - torch.arange(4)).clamp(min=0)  # (inputs, hinges)


def small_integers(*shape):
    return torch.randint(-3, 4, shape, generator=fresh)


def nonsingular_triples(values):
    """How many triples of rows have a determinant that is not zero."""
    i, j, k = torch.combinations(torch.arange(len(values)), 3).T
    cross = torch.linalg.cross(values[j], values[k])
    return int(((values[i] * cross).sum(dim=1) != 0).sum())


trials = []
for limit in (1, 2, 3, 3):
    for _ in range(15):
        C = small_integers(3, limit) @ small_integers(limit, 4)
        values = hinges @ C.T  # (inputs, 3 functions)
        trials.append((exact_rank(C).rank, nonsingular_triples(values),
                       greedy(values)))
table([(dimension, sum(d == dimension for d, _, _ in trials),
        min(n for d, n, _ in trials if d == dimension),
        max(n for d, n, _ in trials if d == dimension))
       for dimension in (1, 2, 3)],
      ["dimension of the span", "triples of functions",
       "nonsingular choices: least",
       f"most, of {len(torch.combinations(inputs, 3))}"])

# %% tags=["hide-input"]
with checking("covering-templates",
              detail=f"{len(trials)} triples of functions, all choices of "
                     f"three inputs; {len(patches)} patches") as check:
    check(value_ranks["independent"] == len(chosen) == 3, "independent")
    check(value_ranks["dependent"] == 2, "dependent")
    for dimension, choices, kept in trials:
        check((choices > 0) == (dimension == 3), dimension)
        check(len(kept) == dimension, kept)

# %% [markdown]
# The rank of the answers falls below the rank of the coefficients. Written in $f_0$ and $f_1$ alone,
# which are independent, the same function has the rank of its answers.

# %%
singular = field.tensor(dependent[chosen])
answered = answers(eight, drawn, singular)

two = field.tensor([[1, 0, 1], [0, 1, 1]])  # f_0, f_1 by f_0, f_1, f_0 + f_1
over_two = change_basis(A, two, field)  # coefficients over f_0 and f_1 alone
same = torch.equal(change_basis(over_two, singular[:, :2], field), answered)

full, lost, separation = (rank(t, "even-odd") for t in (A, answered, over_two))
print("the same function:", same)
table([("coefficients over three functions", full), ("answers", lost),
       ("coefficients over two functions", separation)],
      ["tensor", "even-odd rank"])

# %% [markdown]
# ## The separation rank
#
# How many terms $g(x_I)\,g'(x_J)$ add up to the function? As many as the rank of the coefficient
# matrix, the page proves. The rank of the answers on *any* templates is a lower bound. Take more and
# more templates, up to twice as many as there are representation functions: the rank stays where it
# was.


# %%
def growing_templates(tree):
    """The rank of the coefficients, and of the answers on more templates."""
    weights = tree.random_weights(field, generator)
    A = coefficient_tensor(tree, weights, field)
    for partition in ("even-odd", "left-right", (0,)):
        found = []
        for templates in range(tree.dim, 2 * tree.dim + 1):
            F = field.random((templates, tree.dim), generator)
            found.append(rank(answers(tree, weights, F), partition))
        yield tree, partition, rank(A, partition), found


results = [row for tree in trees[:4] for row in growing_templates(tree)]
table(results, ["network", "partition", "rank of the coefficients",
                "ranks on M, M + 1, … templates"])

# %% [markdown]
# No fewer terms are possible. That as many are enough takes the terms themselves. Factor the coefficient
# matrix into $R$ columns $u_\nu$ times $R$ rows $w_\nu$; then
# $g_\nu(x_I)=\sum_{d_I}u_\nu(d_I)\prod_{i\in I}f_{d_i}(x_i)$ and $g'_\nu$ alike. Build the sum of the
# products and hold it against the network on inputs drawn afresh, with $R$ terms and with $R-1$.


# %%
def factor(matrix, R):
    """R columns and R rows; their product is the matrix if its rank is R."""
    mix = field.random((matrix.shape[1], R), fresh)
    probe = field.random((R, matrix.shape[0]), fresh)
    columns = field.matmul(matrix, mix)
    core = field.inverse(field.matmul(probe, columns))
    return columns, field.matmul(core, field.matmul(probe, matrix))


def products(f, modes):
    """All products of one value per mode: (batch, N, M) -> (batch, M^modes)."""
    result = torch.ones(len(f), 1).double()
    for mode in modes:
        result = field.reduce(result[:, :, None] * f[:, None, mode]).flatten(1)
    return result


def sum_of_terms(A, rows, R, f):
    columns = [mode for mode in range(A.ndim) if mode not in rows]
    u, w = factor(matricize(A, rows), R)
    g = field.matmul(products(f, rows), u)
    g_prime = field.matmul(products(f, columns), w.T)
    return field.reduce(field.reduce(g * g_prime).sum(dim=1))


terms = []
for tree in trees:
    weights = tree.random_weights(field, fresh)
    coefficients = coefficient_tensor(tree, weights, field)
    f = field.random((200, tree.modes, tree.dim), fresh)
    outputs = evaluate(tree, weights, f, field)
    for rows in (range(0, tree.modes, 2), range(tree.modes // 2)):
        R = rank(coefficients, tuple(rows))
        equal = [int((sum_of_terms(coefficients, rows, n, f) == outputs).sum())
                 for n in (R, R - 1) if n]
        terms.append((tree, tuple(rows), R, *equal))
table([(*row[:4], row[4] if len(row) > 4 else "") for row in terms],
      ["network", "row modes", "R", f"equal outputs of {len(f)} with R terms",
       "with R - 1"])

# %% tags=["hide-input"]
with checking("separation-rank", detail="{count} checks: ranks on M and more "
              "templates, sums of R products on fresh inputs") as check:
    for tree, partition, expected, found in results:
        for of_answers in found:
            check(of_answers == expected, (tree, partition))
    for tree, rows, _, with_R, *with_fewer in terms:
        check(with_R == len(f), (tree, rows))
        check(max(with_fewer, default=0) < 10, (tree, rows))

# %% [markdown]
# ## Where coefficients stop telling
#
# Now one-dimensional networks on four positions with $M=2$, left half against right half. With two
# templates the grid matrix has 4 rows, so no rank above 4 can show. What do more templates show?
# Layers are written (window, stride, channels).

# %%
tiled = Architecture((4,), 2, ((2, 2, 4), (2, 2, 4), (1, 1, 1)))
overlap = Architecture((4,), 2, ((4, 1, 3), (4, 4, 1)))
more = Architecture((4,), 2, ((3, 1, 3), (2, 1, 3), (4, 4, 1)))
families = {  # a network, and which of its layers have biases
    "no biases": (tiled, False),
    "bias": (tiled, (False, False, True)),
    "overlap": (overlap, True),
    "more overlap": (more, True),
}
table([(name, net) for name, (net, _) in families.items()],
      ["name", "network"])


# %%
numbers = range(2, 13)  # of templates


def ranks_with_templates(net, biases, constant=False):
    weights = net.random_weights(field, generator, biases=biases)
    circuit = grid_network(net, weights, field)
    ranks = []
    for number in numbers:
        F = field.random((number, 2), generator)
        if constant:
            F[:, 0] = 1  # f_0 is the constant 1
        ranks.append(rank(grid_tensor(circuit, F, 4), "left-right"))
    return ranks


growth = {name: ranks_with_templates(*family)
          for name, family in families.items()}
table([(name, *ranks) for name, ranks in growth.items()],
      ["templates", *numbers])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-templates", "caption": "Left-right rank against the number of templates, M = 2. Without biases and overlaps two templates show everything. With overlaps further templates show more rank: the function is more than its grid tensor on two."}, "image": {"alt": "Four curves over the number of templates from 2 to 12, all starting at 4. No biases stays at 4, bias goes to 5, overlap goes to 12 and stays, more overlap goes to 9, then in steps of 3 to 24, and stays."}}
shades = [style.COLORS["non-overlapping"], style.COLORS["exact"],
          style.COLORS["overlapping"], style.PALETTE["purple"],
          *style.PALETTE.values()]  # more, for networks of yours
curves = {name: (ranks, shade)
          for (name, ranks), shade in zip(growth.items(), shades)}
with style.figure(5.8, 3.3) as (drawing, axes):
    grids.draw_curves(axes, numbers, curves)
    axes.set_ylim(0, None)
    axes.set_xlabel("templates")
    axes.set_ylabel("left-right rank")

# %% [markdown]
# A bias in the last layer adds a constant function, which two representation functions need not
# contain. If one of them *is* the constant 1, two templates show everything again.

# %%
with_constant = ranks_with_templates(*families["bias"], constant=True)
table([("bias, and f_0 = 1", *with_constant)], ["templates", *numbers])

# %% tags=["hide-input"]
with checking("separation-rank-limits",
              detail="dependent functions, bias, two overlapping networks"
              ) as check:
    check(same and lost == separation < full, "dependent functions")
    check(set(growth["no biases"]) == set(with_constant) == {4}, "constant")
    check(max(growth["bias"]) == 5, "bias")
    check(max(growth["overlap"]) > 4, "overlap")
    check(max(growth["more overlap"]) > 4, "more overlap")

# %% [markdown]
# ## Terms from answers
#
# A network with overlaps has no coefficient matrix that could be factored. Its answers are enough.
# Choose $R$ left halves $a$ and $R$ right halves $b$ with a nonsingular table $h(a,b)$. If no table of
# answers has a rank above $R$, then $h(x_I,x_J)=h(x_I,b)\,h(a,b)^{-1}\,h(a,x_J)$ for all inputs: $R$
# products, each of a function of one half and a function of the other. Try it on halves that were never
# used, with the ranks found above and with one term less.


# %%
def answer_table(circuit, left, right):
    """Outputs for all pairs of a left half and a right half."""
    pairs = [half.expand(len(left), len(right), 2, 2)
             for half in (left[:, None], right[None])]
    inputs = torch.cat(pairs, dim=2).flatten(0, 1)
    return circuit(inputs).reshape(len(left), len(right))


unseen = 50  # on either side


def reproduced(circuit, R):
    """How many of unseen × unseen answers R terms give."""
    a, b = (field.random((R, 2, 2), fresh) for _ in "ab")
    x, y = (field.random((unseen, 2, 2), fresh) for _ in "xy")
    core = field.inverse(answer_table(circuit, a, b))
    left = field.matmul(answer_table(circuit, x, b), core)
    product = field.matmul(left, answer_table(circuit, a, y))
    return int((product == answer_table(circuit, x, y)).sum())


rebuilt = {}
for name, (net, biases) in families.items():
    before, R = growth[name][-2:]
    if before < R or R == 0:  # more templates may show more; no terms to drop
        print(f"{name}: left out, the rank", "still grows" if R else "is 0")
        continue
    weights = net.random_weights(field, fresh, biases=biases)
    circuit = grid_network(net, weights, field)
    rebuilt[name] = R, reproduced(circuit, R), reproduced(circuit, R - 1)
table([(name, *row) for name, row in rebuilt.items()],
      ["name", "R", f"of {unseen**2} unseen outputs: with R terms",
       "with R - 1"])

# %% tags=["hide-input"]
overlaps = sum(families[name][0].is_overlapping for name in rebuilt)
with checking("separation-rank-templates", detail=f"{len(rebuilt)} networks, "
              f"{overlaps} of them with overlaps: R terms give "
              f"{unseen**2} unseen outputs, R - 1 do not") as check:
    for name, (R, enough, too_few) in rebuilt.items():
        check(enough == unseen**2 and too_few < unseen**2 / 25, (name, R))

# %% tags=["remove-cell"]
glue("01-dependent", f"{lost} instead of {full}")
glue("01-overlap", max(growth["overlap"]))
glue("01-more-overlap", max(growth["more overlap"]))

# %% [markdown]
# ## Almost everywhere, from one instance
#
# Entries of the matrix are polynomials in the weights, and so are its minors. One random instance
# modulo a prime shows a minor that is not the zero polynomial, and a nonzero polynomial vanishes
# only on a thin set. The certificate says what one elimination proves.

# %%
deep = ModeTree.perfect(modes=8, pool=2, dim=3, widths=(3, 2, 2))
degree = len(deep.weight_shapes())  # an entry adds products of 15 weights


def even_odd(weights):
    A = coefficient_tensor(deep, weights, field)
    return exact_rank(matricize(A, "even-odd"), field.prime, degree=degree)


certificate = even_odd(deep.random_weights(field, generator))
print(certificate)
table([(sentence,) for sentence in certificate.statement[:-1].split(". ")],
      ["What it proves"])

# %% [markdown]
# Fresh instances should then show the same rank. Draw a hundred.

# %%
drawn_ranks = [even_odd(deep.random_weights(field, generator)).rank
               for _ in range(100)]
print(len(drawn_ranks), "fresh instances, ranks found:",
      sorted(set(drawn_ranks)))

# %% tags=["hide-input"]
with checking("generic-rank-certificate",
              detail=f"one instance proves {certificate.rank}; "
              f"{len(drawn_ranks)} more agree") as check:
    check(certificate.full, certificate)
    check(set(drawn_ranks) == {certificate.rank}, "fresh instances")

# %% tags=["remove-cell"]
glue("01-generic", certificate.rank)
glue("01-degree", degree)
glue("01-minor-degree", degree * certificate.rank)
glue("01-prime", field.prime)

# %% [markdown]
# How often does an instance modulo a small prime undersell? Count all of them: for a 2×2 matrix of
# weights, of degree 1 and rank 2, part 3 of the theorem says for at most $2/p$ of its $p^4$ values.

# %%
counts = {}
for p in (2, 3, 5, 7, 11, 13):
    a, b, c, d = indices(p, 4).T  # all matrices modulo p at once
    counts[p] = int(((a * d - b * c) % p == 0).sum())
table([(p, p**4, singular, 2 * p**3) for p, singular in counts.items()],
      ["p", "matrices", "singular ones", "at most 2 p^3"])

# %% tags=["hide-input"]
with checking("generic-rank-certificate",
              detail="part 3 by counting, 2x2 matrices, {count} primes"
              ) as check:
    for p, singular in counts.items():
        check(singular <= 2 * p**3, p)

# %% [markdown]
# The thin set can be seen in a small case. Take one node with four channels above four positions,
# $M=2$, and move its weights along two integer directions: $W(s,t)=W_0+sW_1+tW_2$. Its 4×4 matrix is
# singular on curves.

# %%
small = ModeTree.star(modes=4, dim=2, width=4)
W = [{path: torch.randint(-3, 4, shape, generator=generator).double()
      for path, shape in small.weight_shapes().items()} for _ in range(3)]


def plane(s, t, arithmetic):
    """The even-odd matrix at one point of the plane."""
    weights = {path: arithmetic.reduce(w + s * W[1][path] + t * W[2][path])
               for path, w in W[0].items()}
    return matricize(coefficient_tensor(small, weights, arithmetic), "even-odd")


points = [(s, t) for s in range(-10, 11) for t in range(-10, 11)]
singular = [p for p in points
            if not exact_rank(plane(*p, field), field.prime).full]
print(len(points), "integer points,", len(singular), "of them singular mod p")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-zero-set", "caption": "A plane through the weight space. Off the curves the rank is 4. The curves have no area, and they are closed: no point off them is a limit of points on them."}, "image": {"alt": "A square of parameters s and t between minus 2 and 2. Curves cross it; everything else is white."}}
steps = torch.linspace(-2, 2, 201)
s, t = torch.meshgrid(steps, steps, indexing="xy")
matrices = torch.vmap(lambda s, t: plane(s, t, Real()))(s.ravel(), t.ravel())
determinants = torch.linalg.det(matrices).reshape(s.shape)
with style.figure(4.4, 4.2) as (drawing, axes):
    grids.draw_zero_set(axes, steps, determinants)

# %% [markdown]
# ## Weights from a short list
#
# "Almost all" is about continuous weights. Draw integers from a short list instead, and the thin
# set is hit all the time. The rank modulo $p$ bounds the true rank from below. From above it is bounded
# by the leaf matrices: each mode of the tensor lies in the row space of its own 3×3 matrix, whose
# rank over the rationals is that modulo $p$, since its minors are far smaller than $p$.


# %%
def from_list(low, high):
    """Weights of the deep network drawn from low, ..., high - 1."""
    return {path: torch.randint(low, high, shape, generator=generator)
            for path, shape in deep.weight_shapes().items()}


def lower_bound(drawn):
    return even_odd(deep.map_weights(field.tensor, drawn)).rank


def upper_bound(drawn):
    sides = [1, 1]
    for path, weight in drawn.items():
        if len(path) == 3:  # a leaf: even modes bound rows, odd ones columns
            sides[path[-1]] *= exact_rank(weight).rank
    return min(sides)


bounds, full_rank = {}, certificate.rank
for values in ((1, 3), (0, 4)):
    draws = [from_list(*values) for _ in range(100)]
    bounds[values] = [(lower_bound(w), upper_bound(w)) for w in draws]
print("lower and upper bound, first draws:", bounds[1, 3][:6])

# %% [markdown]
# Where the two bounds agree, the rank is sure. The table counts, of 100 draws each, how many surely
# miss the rank 81, and how many have rank 24 or 18.


# %%
often = 24, 18  # ranks


def counted(low, high):
    pairs = bounds[low, high]
    below = sum(upper < full_rank for _, upper in pairs)
    found = [number for r in often for number in (
        sum(lower == r for lower, _ in pairs), pairs.count((r, r)))]
    return f"{low}..{high - 1}", below, *found


table([counted(*values) for values in bounds],
      ["weights", f"surely below {full_rank}",
       *(words for r in often for words in (f"{r} mod p", f"surely {r}"))])

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-discrete", "caption": "Ranks modulo p of 100 networks with weights from a short list. Continuous weights give 81 with probability 1."}, "image": {"alt": "Two bar charts of ranks between 0 and 81. For weights 1 and 2 most bars stand at 24, 36 and other small products. For weights 0 to 3 the bars spread from 0 to 81. In both only few draws reach 81."}}
with style.figure(6, 2.7, columns=2, sharey=True) as (drawing, axes):
    for ax, (values, pairs) in zip(axes, bounds.items()):
        title = "weights " + ", ".join(map(str, range(*values)))
        found = [lower for lower, _ in pairs]
        bars = {r: found.count(r) for r in set(found)}
        grids.draw_rank_counts(ax, bars, full_rank, title)
    axes[0].set_ylabel(f"networks of {len(draws)}")

# %% [markdown]
# A longer list helps, as the Schwartz–Zippel bound says: at most (degree of a minor) / (length of
# the list). The bound is pessimistic, and it is a proof.

# %%
reached, times = {}, 50
for length in (2, 4, 16, 256, 4096, field.prime):
    lower_bounds = [lower_bound(from_list(0, length)) for _ in range(times)]
    least = times * max(0.0, 1 - full_rank * degree / length)  # on average
    reached[length] = lower_bounds.count(full_rank), least
table([(length, found, f"{least:.2f}")
       for length, (found, least) in reached.items()],
      ["length of the list", f"full rank, of {times}",
       "Schwartz–Zippel: at least"])

# %% [markdown]
# On a smaller network all weights can be counted. For $N=2$, $M=2$ and width 2 the matrix is
# $U^\top\mathrm{diag}(a)\,V$, of generic rank 2 and entries of degree 3, with ten weights. Its determinant is
# $\det U\cdot a_0a_1\cdot\det V$, so the share of full rank can be counted factor by factor, and for short
# lists over all weights at once.


# %%
def full_by_factors(s):
    """Settings of ten weights from 0, ..., s - 1 with full rank, by factors."""
    product = torch.arange(s)[:, None] * torch.arange(s)
    ways = product.flatten().bincount()  # u_0 v_1 = u_1 v_0 = each value
    nonsingular = s**4 - int((ways**2).sum())
    return nonsingular**2 * (s - 1) ** 2


def full_by_enumeration(s):
    u, v, a = indices(s, 10).split((4, 4, 2), dim=1)
    det = [w[:, 0] * w[:, 3] - w[:, 1] * w[:, 2] for w in (u, v)]
    return int((det[0] * det[1] * a[:, 0] * a[:, 1] != 0).sum())


shares = {s: 1 - full_by_factors(s) / s**10 for s in (2, 3, 7, 8, 16, 64, 256)}
table([(s, f"{share:.4f}", f"{6 / s:.4f}" if s > 6 else "no bound")
       for s, share in shares.items()],
      ["length of the list", "share below rank 2", "at most 6/s"])

# %% tags=["hide-input"]
below = {values: sum(upper < full_rank for _, upper in pairs)
         for values, pairs in bounds.items()}
with checking("discrete-weights", detail=f"{sum(below.values())} of "
              f"{sum(map(len, bounds.values()))} draws below {full_rank}; "
              "all weights of a small network counted") as check:
    check(below[1, 3] > 0.9 * len(bounds[1, 3]),
          "nearly always for weights 1 and 2")
    for length, (found, least) in reached.items():
        if least:  # a bound of 0 could not fail
            check(found >= least, length)
    for s in (2, 3):
        check(full_by_enumeration(s) == full_by_factors(s), s)
    check(shares[2] > 0.9, "nearly always")
    for s, share in shares.items():
        if s > 6:
            check(share <= 6 / s, s)

# %% tags=["remove-cell"]
for (low, high), count in below.items():
    glue(f"01-below-{low}-{high - 1}", count)

# %% [markdown]
# ## What to remember
#
# - A grid tensor is a list of answers; on templates with nonsingular $F$ it is the coefficient tensor
#   in another basis, and all ranks agree.
# - The rank along a partition counts the terms needed to separate the two sides. Dependent
#   functions, biases and overlaps need a closer look.
# - One exact instance proves a lower bound for almost all weights; for weights from a short list it
#   proves nothing.
#
# **Try it:** change the seed of `generator`; give `families` a network of your own; take the patches
# from larger windows of the photograph, `photograph_patches(64, 40, generator)` with filters to fit.

# %% [markdown]
# ## Try it
#
# Write a few lines in place of `None` and run the cell. It says at once whether they are right; if
# not, it names the smallest input it knows on which they fail. All it needs is the set-up and the
# imports at the top. The first is for everyone, the last is hard; [the
# page](../book/grid-tensors.md#exercises) has more.

# %% [markdown]
# ### Pairs across a cut
#
# The network of the first section, on $N$ pixels: $h=\prod_j(1+x_{2j}x_{2j+1})$, with pixel values 0
# and 1. What is the rank between the pixels in `rows` and all others?


# %% tags=["exercise"]
def pairs_rank(rows, pixels):
    """rows: different pixels, as (0, 3); pixels: 2, 4 or 6."""
    return None


check_answer("01-pairs", pairs_rank)

# %% [markdown]
# ### Three templates
#
# Let $f_0(x)=1$, $f_1(x)=x$ and $f_2(x)=|x|$. Give three pixel values, the templates, for which $F$
# is nonsingular.

# %% tags=["exercise"]
three_templates = None  # as (3, 5, 8)

check_answer("01-templates", three_templates)

# %% [markdown]
# ### Two ranks at once
#
# Pixels $x_0,x_1$ stand above $x_2,x_3$ and are 0 or 1. Write a function whose grid matrix has rank 1
# between left and right and rank 4 between top and bottom.


# %% tags=["exercise"]
def upright(x0, x1, x2, x3):
    return None


check_answer("01-two-ranks", upright)

# %% [markdown]
# ### A rank for every prime
#
# Give a 3×3 matrix of integers that has rank 3 modulo 11, rank 2 modulo 5 and rank 1 modulo 7. What
# would a program find that certifies modulo one of them, and is it ever wrong?

# %% tags=["exercise"]
many_ranks = None  # as [[1, 2, 3], [4, 5, 6], [7, 8, 9]]

check_answer("01-primes", many_ranks)
