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
# whose rank says how strongly it ties one part of the image to another. Everything is computed in
# exact arithmetic. The definitions and proofs are on [the page](../book/grid-tensors.md).

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules:  # there, fetch the course and what it needs
    subprocess.run(f'(test -d course || git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course) && cd course && "{sys.executable}" -m lib.course.colab', shell=True, check=True)
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
from collections import Counter
from textwrap import fill

import torch

from lib import Architecture, Layer, ModeTree, exact_rank
from lib.exact.arithmetic import Modular, Real
from lib import grid_network
from lib.trees.circuit import evaluate
from lib.course.claims import verify
from lib.course.glue import glue
from lib.trees.decompositions import coefficient_tensor
from lib.grids.grid import change_basis, grid_tensor, photograph_patches
from lib.plots.grids import (
    draw_curves, draw_grid_matrix, draw_mosaic, draw_patches, draw_rank_counts, draw_zero_set,
    pairs_network,
)
from lib.plots.style import COLORS, PALETTE, figure
from lib.trees.tensors import indices, matricize

field = Modular()  # integers modulo a prime: no rounding anywhere
generator = torch.Generator().manual_seed(1)

# %% [markdown]
# ## A network on a 2×2 image
#
# The pixels are $x_0, x_1$ above and $x_2, x_3$ below. The network multiplies within each row of
# the image, adds 1, and multiplies the two results: $h = (1 + x_0x_1)(1 + x_2x_3)$. As a circuit it
# is a tree: two pairs of pixels below, one node above. The representation functions are
# $f_0(x)=1$ and $f_1(x)=x$, and the templates are the pixel values 0 and 1, so that
# $F_{d,c} = f_c(x^{(d)})$ is a 2×2 matrix.

# %%
tree, weights = pairs_network()
F = torch.tensor([[1, 0], [1, 1]]).double()  # templates (rows) by representation functions


def network(inputs):
    return evaluate(tree, weights, inputs)  # (batch, 4 pixels, 2 functions) -> (batch,)


grid = grid_tensor(network, F, modes=4)
print(tree)
print("outputs of all 16 images:", grid.flatten().int().tolist())

# %% [markdown]
# Lay the 16 answers out as a matrix. Left half of the image against right half gives rank 4, upper
# half against lower half gives rank 1: this network ties left to right, and keeps top and bottom
# apart.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-two-partitions", "caption": "The same 16 outputs laid out along two partitions. Row pixels are blue, column pixels orange; the number above an image is the network's output. Left against right: rank 4. Top against bottom: rank 1."}, "image": {"alt": "Two 4 by 4 tables of small 2 by 2 images with an output above each. On the left the rows of numbers are 1 1 1 1, 1 2 1 2, 1 1 2 2, 1 2 2 4. On the right the first three rows are 1 1 1 2 and the last row is 2 2 2 4."}}
with figure(6.2, 3.3, columns=2) as (drawing, axes):
    for ax, rows in zip(axes, ("left-right", "top-bottom")):
        draw_grid_matrix(ax, matricize(grid, rows, (2, 2)), rows)
        ax.set_title(rows)

# %%
for rows in ("left-right", "top-bottom"):
    matrix = matricize(grid, rows, (2, 2))
    print(f"{rows}: {matrix.int().tolist()} has rank {exact_rank(matrix).rank}")

# %% [markdown]
# ## Two tensors, one change of basis
#
# The coefficient tensor $\mathcal A$ holds the coefficients of the products of representation
# functions. The grid tensor holds outputs. Multiplying every mode of the first by $F$ gives the
# second. Hold this against running the network, for random trees, weights and templates.

# %%
shapes = [(4, 2, 2, (3, 2)), (4, 4, 3, (5,)), (4, 2, 3, (2, 4)), (8, 2, 2, (3, 2, 2)),
          (8, 2, 3, (3, 2, 2)), (9, 3, 2, (4, 3))]  # N, P, M, widths

equal = same_ranks = True
for modes, pool, dim, widths in shapes:
    deep = ModeTree.perfect(modes, pool, dim, widths)
    drawn = deep.random_weights(field, generator)
    F = field.random((dim, dim), generator)  # a random F: nonsingular, as its rank shows
    coefficients = coefficient_tensor(deep, drawn, field)
    grid = grid_tensor(lambda inputs: evaluate(deep, drawn, inputs, field), F, modes)
    equal &= torch.equal(grid, change_basis(coefficients, F, field))
    ranks = [[exact_rank(matricize(t, rows)).rank for t in (coefficients, grid)]
             for rows in ("even-odd", "left-right", (0, 1, 2))]
    same_ranks &= exact_rank(F).full and all(a == b for a, b in ranks)
    print(f"{str(deep):58} ranks {[a for a, _ in ranks]} | {[b for _, b in ranks]}")

verify("grid-change-of-basis", equal and same_ranks, detail=f"{len(shapes)} networks, every entry")

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
    return ((x - 128) @ filters).clamp(min=0)  # three rectified neurons, as exact integers


chosen = []
for number in range(len(patches)):
    candidate = [*chosen, number]
    if exact_rank(neurons(patches[candidate])).rank == len(candidate):
        chosen = candidate
templates = patches[chosen]
F = neurons(templates)
print("patches kept:", chosen)
print("F =", F.tolist())
print("rank of F:", exact_rank(F).rank)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-patch-templates", "caption": "The three templates, and two of the 6561 images that they form on 2×4 positions. A grid tensor holds the network's output on every one of these images."}, "image": {"alt": "Three patches of a portrait photograph, and two mosaics of eight patches each, arranged in two rows of four."}}
positions = (2, 4)
shown = [(0, 1, 2, 0, 1, 1, 0, 2), (2, 2, 2, 2, 0, 0, 0, 0)]
with figure(7, 1.7, columns=5, width_ratios=(1, 1, 1, 2, 2)) as (drawing, axes):
    draw_patches(axes[:3], templates)
    for ax, image in zip(axes[3:], shown):
        draw_mosaic(ax, templates, image, positions)

# %% [markdown]
# Run a deep network on all 6561 images and compare the rank of its answers with the rank of its
# coefficients, for four ways to cut the picture in two.

# %%
deep = ModeTree.perfect(modes=8, pool=2, dim=3, widths=(3, 2, 2))
drawn = deep.random_weights(field, generator)
coefficients = coefficient_tensor(deep, drawn, field)
grid = grid_tensor(lambda inputs: evaluate(deep, drawn, inputs, field), field.tensor(F), 8)

print("partition     coefficients  images")
pairs = []
for rows in ("left-right", "top-bottom", "checkerboard", (0, 1, 2)):
    pairs.append([exact_rank(matricize(t, rows, positions)).rank for t in (coefficients, grid)])
    print(f"{str(rows):13} {pairs[-1][0]:12} {pairs[-1][1]:7}")
verify("grid-change-of-basis", all(a == b for a, b in pairs), detail="6561 images of patches")
glue("01-patch-images", grid.numel())
glue("01-patch-rank", max(b for _, b in pairs))

# %% [markdown]
# Linearly dependent functions are a different matter. Let the third neuron be the sum of the first
# two, $f_2=f_0+f_1$. Then $F$ is singular for *every* choice of templates, as its rank on all 40
# patches shows. The rank of the answers falls below the rank of the coefficients. Written in $f_0$ and
# $f_1$ alone, which are independent, the same function has the rank of its answers.

# %%
values = neurons(patches)[:, :2]
dependent = torch.cat([values, values.sum(dim=1, keepdim=True)], dim=1)  # f_2 = f_0 + f_1
print("rank of all 40 values, independent:", exact_rank(neurons(patches)).rank)
print("rank of all 40 values, dependent:  ", exact_rank(dependent).rank)

found = exact_rank(neurons(patches)).rank == len(chosen) == 3 and exact_rank(dependent).rank == 2
verify("covering-templates", found, detail="3 of 40 patches, found greedily; none if f is dependent")

singular = field.tensor(dependent[chosen])
answers = grid_tensor(lambda inputs: evaluate(deep, drawn, inputs, field), singular, 8)
full, lost = (exact_rank(matricize(t, "even-odd")).rank for t in (coefficients, answers))
independent = field.tensor([[1, 0, 1], [0, 1, 1]])  # f_0, f_1, f_0 + f_1 in the basis f_0, f_1
reduced = change_basis(coefficients, independent, field)  # coefficients over f_0 and f_1 alone
separation = exact_rank(matricize(reduced, "even-odd")).rank
same = torch.equal(change_basis(reduced, singular[:, :2], field), answers)  # the same function
print("even-odd rank of the coefficients:", full, "| of the answers:", lost)
print("separation rank:", separation, "| the same answers:", same)

# %% [markdown]
# ## The separation rank
#
# How many terms $g(x_I)\,g'(x_J)$ add up to the function? Claim 7: as many as the rank of the
# coefficient matrix. The rank of the answers on *any* templates is a lower bound. Take more and more
# templates, up to twice as many as there are representation functions: the rank stays where it was.

# %%
count, agree = 0, True
for modes, pool, dim, widths in shapes[:4]:
    deep = ModeTree.perfect(modes, pool, dim, widths)
    drawn = deep.random_weights(field, generator)
    coefficients = coefficient_tensor(deep, drawn, field)
    for rows in ("even-odd", "left-right", (0,)):
        expected = exact_rank(matricize(coefficients, rows)).rank
        for templates in range(dim, 2 * dim + 1):
            F = field.random((templates, dim), generator)
            grid = grid_tensor(lambda inputs: evaluate(deep, drawn, inputs, field), F, modes)
            agree &= exact_rank(matricize(grid, rows)).rank == expected
            count += 1
verify("separation-rank", agree, detail=f"{count} grids with M to 2M templates")

# %% [markdown]
# An upper bound needs terms, and they can be read off the answers. Choose $R$ left halves $a$ and $R$
# right halves $b$ with a nonsingular table $h(a,b)$. If the separation rank is $R$, then
# $h(x_I,x_J)=h(x_I,b)\,h(a,b)^{-1}\,h(a,x_J)$ for all inputs: $R$ products, each of a function of one
# half and a function of the other. Try it on halves that were never used.

# %%
deep = ModeTree.perfect(modes=4, pool=2, dim=3, widths=(2, 2))
drawn = deep.random_weights(field, generator)
R = exact_rank(matricize(coefficient_tensor(deep, drawn, field), "even-odd")).rank


def table(left, right):
    """Outputs for all pairs of a left half (modes 0, 2) and a right half (modes 1, 3)."""
    images = torch.empty(len(left), len(right), 4, 3, dtype=torch.float64)
    images[:, :, 0::2], images[:, :, 1::2] = left[:, None], right[None]
    return evaluate(deep, drawn, images.flatten(0, 1), field).reshape(len(left), len(right))


a, b = (field.random((R, 2, 3), generator) for _ in "ab")
x, y = (field.random((50, 2, 3), generator) for _ in "xy")
product = field.matmul(field.matmul(table(x, b), field.inverse(table(a, b))), table(a, y))
verify("separation-rank-templates", torch.equal(product, table(x, y)),
       detail=f"{R} terms reproduce 2500 unseen outputs")

# %% [markdown]
# ## Where coefficients stop telling
#
# Now one-dimensional networks on four positions with $M=2$, left half against right half. With two
# templates the grid matrix has 4 rows, so no rank above 4 can show. What do more templates show?
# Layers are written (window, stride, channels).

# %%
tiled = (Layer(2, 2, 4), Layer(2, 2, 4), Layer(1, 1, 1))
families = {
    "no biases": (tiled, False),
    "bias": (tiled, (False, False, True)),
    "overlap": ((Layer(4, 1, 3), Layer(4, 4, 1)), True),
    "more overlap": ((Layer(3, 1, 3), Layer(2, 1, 3), Layer(4, 4, 1)), True),
}


def ranks_with_templates(layers, biases, numbers, constant=False):
    net = Architecture((4,), 2, layers)
    circuit = grid_network(net, net.random_weights(field, generator, biases=biases), field)
    ranks = []
    for number in numbers:
        F = field.random((number, 2), generator)
        if constant:
            F[:, 0] = 1  # f_0 is the constant 1
        ranks.append(exact_rank(matricize(grid_tensor(circuit, F, 4), "left-right")).rank)
    return ranks


numbers = range(2, 13)
table_of_ranks = {name: ranks_with_templates(*net, numbers) for name, net in families.items()}
print(f"{'templates':13}", *(f"{n:3}" for n in numbers))
for name, ranks in table_of_ranks.items():
    print(f"{name:13}", *(f"{r:3}" for r in ranks))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-templates", "caption": "Left-right rank against the number of templates, M = 2. Without biases and overlaps two templates show everything. With overlaps the rank keeps growing: the function is more than its grid tensor on two templates."}, "image": {"alt": "Four curves over the number of templates from 2 to 12, all starting at 4. No biases stays at 4, bias goes to 5, overlap goes to 12 and stays, more overlap grows in steps of 3 to 24 and stays."}}
shades = [COLORS["non-overlapping"], COLORS["exact"], COLORS["overlapping"], PALETTE["purple"]]
with figure(5.8, 3.3) as (drawing, axes):
    draw_curves(axes, numbers, {n: (r, s) for (n, r), s in zip(table_of_ranks.items(), shades)})
    axes.set_ylim(0, None)
    axes.set_xlabel("templates")
    axes.set_ylabel("left-right rank")

# %% [markdown]
# A bias in the last layer adds a constant function, which two representation functions need not
# contain. If one of them *is* the constant 1, the bias changes nothing.

# %%
with_constant = ranks_with_templates(tiled, (False, False, True), numbers, constant=True)
print("bias, and f_0 = 1:", with_constant)

plain, bias, overlap, more = table_of_ranks.values()
limits = (
    same and lost == separation < full  # dependent representation functions
    and set(plain) == set(with_constant) == {4}
    and max(bias) == 5 and max(overlap) > 4 and max(more) > 4
)
verify("separation-rank-limits", limits, detail="dependent functions, bias, two overlapping networks")
glue("01-dependent", f"{lost} instead of {full}")
glue("01-overlap", max(overlap))
glue("01-more-overlap", max(more))

# %% [markdown]
# ## Almost everywhere, from one instance
#
# Entries of the matrix are polynomials in the weights, and so are its minors. One random instance
# modulo a prime shows a minor that is not the zero polynomial, and a nonzero polynomial vanishes
# only on a thin set. The certificate says what one elimination proves.

# %%
deep = ModeTree.perfect(modes=8, pool=2, dim=3, widths=(3, 2, 2))
factors = len(deep.weight_shapes())  # every entry is a sum of products of this many weights


def even_odd_rank(weights):
    matrix = matricize(coefficient_tensor(deep, weights, field), "even-odd")
    return exact_rank(matrix, degree=factors)


certificate = even_odd_rank(deep.random_weights(field, generator))
print(fill(str(certificate), 60))

# %%
ranks = [even_odd_rank(deep.random_weights(field, generator)).rank for _ in range(100)]
print("100 fresh instances, ranks found:", sorted(set(ranks)))
verify("generic-rank-certificate", certificate.full and set(ranks) == {certificate.rank},
       detail=f"one instance proves {certificate.rank}; 100 more agree")
glue("01-generic", certificate.rank)
glue("01-degree", factors)
glue("01-minor-degree", factors * certificate.rank)
glue("01-prime", field.prime)

# %% [markdown]
# How often does an instance modulo a small prime undersell? Count all of them: for a 2×2 matrix of
# weights, of degree 1 and rank 2, part 3 of the theorem says for at most $2/p$ of its $p^4$ values.

# %%
rare = True
print(" p  singular matrices   bound 2 p^3")
for p in (2, 3, 5, 7, 11, 13):
    a, b, c, d = indices(p, 4).T
    deficient = int(((a * d - b * c) % p == 0).sum())
    rare &= deficient <= 2 * p**3
    print(f"{p:2} {deficient:8} of {p**4:5} {2 * p**3:10}")
verify("generic-rank-certificate", rare, detail="part 3 by counting, 2x2 matrices, six primes")

# %% [markdown]
# The thin set can be seen in a small case. Take one node with four channels above four positions,
# $M=2$, and move its weights along two integer directions: $W(s,t)=W_0+sW_1+tW_2$. Its 4×4 matrix is
# singular on curves.

# %%
small = ModeTree.star(modes=4, dim=2, width=4)
W = [{path: torch.randint(-3, 4, shape, generator=generator).double()
      for path, shape in small.weight_shapes().items()} for _ in range(3)]


def matrix(s, t, arithmetic):
    weights = {path: arithmetic.reduce(W[0][path] + s * W[1][path] + t * W[2][path]) for path in W[0]}
    return matricize(coefficient_tensor(small, weights, arithmetic), "even-odd")


points = [(s, t) for s in range(-10, 11) for t in range(-10, 11)]
singular = [point for point in points if not exact_rank(matrix(*point, field)).full]
print("integer points:", len(points), "| with a singular matrix modulo p:", len(singular))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-zero-set", "caption": "A plane through the weight space. Off the curves the rank is 4. The curves have no area, and they are closed: no point off them is a limit of points on them."}, "image": {"alt": "A square of parameters s and t between minus 2 and 2. A few curves cross it; everything else is white."}}
steps = torch.linspace(-2, 2, 201)
s, t = torch.meshgrid(steps, steps, indexing="xy")
matrices = torch.vmap(lambda s, t: matrix(s, t, Real()))(s.flatten(), t.flatten())
with figure(4.4, 4.2) as (drawing, axes):
    draw_zero_set(axes, steps, torch.linalg.det(matrices).reshape(s.shape))

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
    return even_odd_rank({path: field.tensor(w) for path, w in drawn.items()}).rank


def upper_bound(drawn):
    sides = [1, 1]
    for path, node in deep.inner_nodes():
        for t, child in enumerate(node.children):
            if isinstance(child, int):  # even modes bound the rows, odd modes the columns
                sides[child % 2] *= exact_rank(drawn[(*path, t)]).rank
    return min(sides)


draws = {}
for values in ((1, 3), (0, 4)):
    networks = [from_list(*values) for _ in range(100)]
    draws[values] = [(lower_bound(drawn), upper_bound(drawn)) for drawn in networks]
print("weights  surely below 81  rank 24 modulo p (surely 24)  rank 18 modulo p (surely 18)")
for (low, high), bounds in draws.items():
    below = sum(upper < 81 for _, upper in bounds)
    seen, sure = Counter(r for r, _ in bounds), Counter(r for r, upper in bounds if r == upper)
    print(f"{low}..{high - 1}     {below:11}/100 {seen[24]:19} {sure[24]:8} {seen[18]:19} {sure[18]:8}")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-discrete", "caption": "Ranks modulo p of 100 networks with weights from a short list. Continuous weights give 81 with probability 1."}, "image": {"alt": "Two bar charts of ranks between 0 and 81. For weights 1 and 2 most bars stand at 24, 36 and other small products. For weights 0 to 3 the bars spread from 0 to 81. In both only few draws reach 81."}}
with figure(6, 2.7, columns=2, sharey=True) as (drawing, axes):
    for ax, ((low, high), bounds) in zip(axes, draws.items()):
        title = "weights " + ", ".join(map(str, range(low, high)))
        draw_rank_counts(ax, Counter(r for r, _ in bounds), 81, title)
    axes[0].set_ylabel("networks of 100")

# %% [markdown]
# A longer list helps, as the Schwartz–Zippel bound says: at most (degree of a minor) / (length of
# the list). The bound is pessimistic, and it is a proof.

# %%
print("length of list  full rank  Schwartz-Zippel: at least")
bounded = True
for length in (2, 4, 16, 256, 4096, field.prime):
    found = sum(lower_bound(from_list(0, length)) == 81 for _ in range(50))
    least = max(0.0, 1 - 81 * factors / length)
    bounded &= found >= 50 * least
    print(f"{length:14}  {found:6}/50  {50 * least:9.2f}/50")

below = sum(upper < 81 for bounds in draws.values() for _, upper in bounds)
nearly_always = sum(upper < 81 for _, upper in draws[1, 3]) > 90  # of 100 draws from {1, 2}
verify("discrete-weights", nearly_always and bounded, detail=f"{below} of 200 draws below 81")
for (low, high), bounds in draws.items():
    glue(f"01-below-{low}-{high - 1}", sum(upper < 81 for _, upper in bounds))

# %% [markdown]
# ## What to remember
#
# - A grid tensor is a list of answers; with as many templates as representation functions it is the
#   coefficient tensor in another basis, and all ranks agree.
# - The rank along a partition counts the terms needed to separate the two sides. Dependent
#   functions, biases and overlaps need a closer look.
# - One exact instance proves a lower bound for almost all weights; for weights from a short list it
#   proves nothing.
#
# **Try it:** change the seed of `generator`; give `families` a network of your own; take the patches
# from larger windows of the photograph, `photograph_patches(64, 40, generator)` with filters to fit.
