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
# # Ranks with and without overlaps
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/09_overlap_theorem.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/09_overlap_theorem.ipynb)
#
# Every bound of the overlap theorem is an integer computed from a list of windows, strides and
# channels. Here the bounds are held against exact ranks of small networks with random weights.
# Statements and proofs are on [the page](../book/overlap-theorem.md). A line that begins with
# *claim holds* checks one of them; the [ledger](../book/ledger.md) lists them.

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course && cd course && "{sys.executable}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import torch

from lib import (Architecture, Modular, block_network, certify,
                 certify_weights, check_answer, checking, glue,
                 googlenet_stack, indices, proposition_2_bound,
                 proposition_2_exponent, root_prime, table,
                 two_layer_construction)
from lib.plots.overlaps import (COLORS, draw_block_bounds, draw_threshold,
                                figure, window_sweep)

# %% [markdown]
# `certify(net, partition)` draws weights modulo a prime, computes the matricized grid tensor
# exactly and finds its rank by elimination. One such rank is a proven lower bound for almost all real
# weights. The $4\times4$ example of the page, with two templates:

# %%
without = Architecture(4, 2, ((2, 2, 2), (2, 2, 2), (1, 1, 1)))
overlapping = Architecture(4, 2, ((3, 1, 2), (4, 4, 1)))

print("without overlaps:", certify(without, "left-right", seed=0))
print("with overlaps:   ", certify(overlapping, "left-right", seed=0))

# %% tags=["remove-cell"]
glue("09-motivation-rank", certify(overlapping, "left-right", seed=0).rank)

# %% [markdown]
# ## What `certify` does, by hand
#
# Everything rests on this call, so here it is once in a few lines of integers. First the network,
# modulo a prime. Every window applies an affine map to each of its cells and multiplies the
# results; cells beyond the border are zeros.

# %%
prime = 8388593


def layer_by_hand(x, weight, bias, stride):
    """From (batch, channels, H, H) to the next map, modulo the prime."""
    window, size = weight.shape[-1], x.shape[-1]
    x = torch.nn.functional.pad(x, (0, window - 1, 0, window - 1))
    product = torch.tensor(1)
    for i in range(window):
        for j in range(window):
            seen = x[..., i:i + size:stride, j:j + size:stride]
            factor = torch.einsum("dc,bcij->bdij", weight[..., i, j], seen)
            factor = factor + bias[:, i, j, None, None]
            product = product * (factor % prime) % prime
    return product


def draw_by_hand(net, seed):
    """Random residues: a weight and a bias for every layer."""
    generator = torch.Generator().manual_seed(seed)
    return [tuple(torch.randint(prime, shape, generator=generator)
                  for shape in shapes) for shapes in net.weight_shapes()]


print([tuple(w.shape) for w, b in draw_by_hand(overlapping, 0)])

# %% [markdown]
# Then the matrix. Its rows are the $2^8$ contents of the left half of the image, its columns those
# of the right half. Template $d$ shows the unit vector $e_d$ to the network.

# %%
halves = indices(2, 8).unflatten(1, (4, 2))  # 256 halves of 4×2 templates
left = halves.repeat_interleave(256, dim=0)
right = halves.repeat(256, 1, 1)
images = torch.cat([left, right], dim=2)  # all 65536 images, 4×4
pixels = torch.nn.functional.one_hot(images).movedim(-1, 1)


def matrix_by_hand(net, seed):
    x = pixels
    for (weight, bias), layer in zip(draw_by_hand(net, seed), net.layers):
        x = layer_by_hand(x, weight, bias, layer.stride)
    return x.reshape(256, 256)


matrix = matrix_by_hand(overlapping, seed=0)
print(matrix)

# %% [markdown]
# Last the rank, by the elimination of a first course in linear algebra. Division by the pivot is
# multiplication by its inverse modulo the prime, so nothing is ever rounded.


# %%
def rank_by_hand(matrix):
    """Gaussian elimination modulo the prime."""
    rows, rank = matrix.clone(), 0
    for column in range(rows.shape[1]):
        pivots = rows[rank:, column].nonzero()
        if len(pivots) == 0:
            continue
        pivot = rank + int(pivots[0])
        rows[[rank, pivot]] = rows[[pivot, rank]]
        inverse = pow(int(rows[rank, column]), -1, prime)
        rows[rank] = rows[rank] * inverse % prime
        below = rows[rank + 1:, column, None]
        rows[rank + 1:] = (rows[rank + 1:] - below * rows[rank]) % prime
        rank += 1
    return rank


ranks = [(name, rank_by_hand(matrix_by_hand(net, seed=0)),
          certify(net, "left-right", seed=0).rank)
         for name, net in [("without overlaps", without),
                           ("with overlaps", overlapping)]]
assert all(by_hand == certified for _, by_hand, certified in ranks)
table(ranks, ["network", "rank by hand", "certified rank"])

# %% [markdown]
# A minor that is not zero modulo the prime is not zero. So some minor of size 256 is a nonzero
# polynomial in the weights, and its zeros are a null set. For the other network 3 is a lower bound in
# the same sense; that it is never more is proved on [the
# page](../book/overlap-theorem.md#what-networks-without-overlaps-cannot-do).
#
# ## What networks without overlaps cannot do
#
# Two layers of $2\times2$ windows and a linear layer, with four channels in the first layer and $D$
# in the second. Up to $D=6$ the rank is $D$, plus one if the last layer has a bias. Earlier biases
# change nothing here.

# %%
by_width = {}
for width in range(1, 7):
    net = Architecture(4, 2, ((2, 2, 4), (2, 2, width), (1, 1, 1)))
    plain, biased = (certify(net, "left-right", seed=1,
                             biases=(True, True, last)).rank
                     for last in (False, True))
    by_width[width] = plain, biased, int(net.non_overlapping_upper_bound())
table([(width, *row) for width, row in by_width.items()],
      ["D", "rank, no bias at the end", "rank, bias at the end",
       "bound with bias"])

# %%
single = Architecture(4, 2, ((2, 2, 4), (2, 2, 1)))
single_rank = certify(single, "left-right", seed=1).rank
R = single.layers[-1].window
print(f"last layer a {R}×{R} window itself: rank", single_rank)

# %% tags=["hide-input"]
with checking("non-overlapping-rank",
              detail=f"{2 * len(by_width)} networks reach the bound") as check:
    for width, (plain, biased, bound) in by_width.items():
        check(plain == width, width)
        check(biased == width + 1 == bound, width)
    check(single_rank == single.non_overlapping_upper_bound(), single)

# %% [markdown]
# So to imitate the overlapping network above, with its two channels and its rank of 256, a network
# without overlaps, aligned with the cut, needs 255 channels.

# %%
target = certify(overlapping, "left-right", seed=0).rank
needed = {}
for width in (target - 2, target - 1):
    net = Architecture(4, 2, ((2, 2, 16), (2, 2, width), (1, 1, 1)))
    rank = certify(net, "left-right", seed=2).rank
    needed[width] = rank, int(net.non_overlapping_upper_bound())
table([(width, *row) for width, row in needed.items()],
      ["channels", "rank", "bound"])

# %% tags=["hide-input"]
with checking("imitation-cost",
              detail=f"rank {target} needs exactly {target - 1} channels"
              ) as check:
    for width, (rank, bound) in needed.items():
        check(bound < target if width < target - 1 else rank >= target,
              f"{width} channels")

# %% [markdown]
# The bound needs every field to stay on its side of the cut until the last pooling. Where a window
# crosses the cut before, a network without overlaps can have a much larger rank, and
# `non_overlapping_upper_bound` returns `None`. The matrices of these $6\times6$ networks are too
# large to store; the ranks are those of blocks of 400 rows and columns.

# %%
misaligned = [
    Architecture(6, 2, ((2, 2, 2), (3, 3, 2), (1, 1, 1))),
    Architecture(6, 2, ((3, 3, 2), (2, 2, 2), (1, 1, 1))),
    Architecture(6, 2, ((4, 4, 2), (2, 2, 2), (1, 1, 1))),
    Architecture(6, 2, ((2, 2, 2), (4, 4, 2), (1, 1, 1))),
]


def block_rank(net, biases):
    return certify(net, "left-right", seed=3, biases=biases,
                   rows=400, columns=400).rank


of_blocks = [(block_rank(net, True), block_rank(net, (True, True, False)))
             for net in misaligned]
table([(", ".join(str(layer.window) for layer in net.layers), *row,
        net.layers[1].channels + 1,
        net.non_overlapping_upper_bound() is not None)
       for net, row in zip(misaligned, of_blocks)],
      ["windows", "rank of a block", "without last bias", "D_2 + 1",
       "the bound applies"])

# %% tags=["hide-input"]
above = {net: rank > net.layers[1].channels + 1
         for net, (rank, _) in zip(misaligned, of_blocks)}
with checking("non-overlapping-misaligned",
              detail=f"{sum(above.values())} of {len(above)} sampled blocks "
              "exceed D + 1") as check:
    for net, larger in above.items():
        check(not larger or net.non_overlapping_upper_bound() is None, net)
    check(any(above.values()), "some rank is larger")

# %% tags=["remove-cell"]
glue("09-misaligned-rank", of_blocks[0][0])

# %% [markdown]
# ## Overlapping networks against the bounds
#
# Twenty-one networks. For each, the overlap theorem with its hypotheses (Sharir & Shashua, Theorem 1),
# the crossing bound and the private-pixel bound say which rank it has at least. Where the matrix is too
# large a block of it is certified, whose rank is only a lower bound. A network prints as its size, its
# channels and, layer by layer, window/stride:channels.

# %%
networks = [
    Architecture(2, 3, ((2, 1, 3), (2, 2, 1))),
    Architecture(4, 2, ((3, 1, 2), (4, 4, 1))),
    Architecture(4, 2, ((2, 1, 4), (2, 1, 2), (4, 4, 1))),
    Architecture(4, 2, ((3, 2, 2), (2, 2, 1))),
    Architecture(4, 2, ((3, 3, 2), (2, 2, 1))),
    Architecture(4, 2, ((2, 1, 2), (4, 4, 1))),
    Architecture(6, 2, ((4, 2, 2), (3, 3, 1))),
    Architecture(6, 2, ((5, 3, 2), (2, 2, 1))),
    Architecture(8, 2, ((2, 2, 4), (3, 2, 2), (2, 2, 1))),
    Architecture(8, 2, ((3, 2, 4), (3, 2, 2), (2, 2, 1))),
    Architecture(3, 2, ((2, 1, 2), (3, 3, 1))),
    Architecture(5, 2, ((3, 2, 2), (3, 3, 1))),
    Architecture((8,), 2, ((3, 1, 4), (3, 1, 2), (8, 8, 1))),
    Architecture((8,), 3, ((3, 1, 6), (2, 1, 7), (3, 2, 5), (4, 4, 1))),
    Architecture((10,), 2, ((4, 4, 4), (3, 1, 2), (3, 3, 1))),
    Architecture((7,), 3, ((4, 1, 3), (7, 7, 1))),
    Architecture((9,), 2, ((5, 2, 2), (5, 5, 1))),
    block_network(3, 16, 2, 4, ndim=1),
    block_network(2, 4, 2, 4),
    block_network(2, 4, 2, 2),
    Architecture(4, 2, ((2, 1, 1), (2, 1, 1), (4, 4, 1))),
]
print(networks[0])

# %% [markdown]
# What the overlap theorem looks at is the total receptive field of a layer, and the smallest field above
# $H/2$ that it can be shrunk to. Here are both for the first layers of each network; a dash stands
# where no field is above $H/2$.


# %%
def listed(values):
    return ", ".join("–" if x is None else str(x) for x in values)


rows = []
for net in networks:
    inner, half = range(1, min(net.depth, 4)), net.size[-1] // 2
    rows.append((net, listed(net.total_receptive_field(n) for n in inner),
                 listed(net.alpha_minimal(n, half) for n in inner)))
table(rows, ["network", "T_R", "smallest above H/2"])

# %%
def block_of(net, size=900):
    """What so many rows and columns of the matrix say, or all there are."""
    return certify(net, "left-right", seed=4, rows=size, columns=size)


found = {net: block_of(net) for net in networks}


def rank_text(certificate):
    return ("at least " if certificate.sampled else "") + str(certificate.rank)


def tells(certificate, bound):
    """Whether it could reach the bound: a block with fewer rows cannot."""
    return not certificate.sampled or min(certificate.shape) >= bound


rows = []
for net, certificate in found.items():
    theorem = net.overlap_bound()
    rows.append((net, None if theorem.silent else theorem,
                 net.crossing_bound(), net.private_pixel_bound(),
                 rank_text(certificate)))
table(rows, ["network", "overlap theorem", "crossing bound",
             "private pixels", "rank"])

# %% [markdown]
# The last network of the list has a single channel in both layers. The overlap theorem, with its base 1,
# says nothing; the crossing bound is the rank.

# %% tags=["remove-cell"]
six = Architecture(6, 2, ((4, 2, 2), (3, 3, 1)))
glue("09-six-bound", six.crossing_bound())
glue("09-six-rank", block_of(six, 900).rank)
single_channel = Architecture(4, 2, ((2, 1, 1), (2, 1, 1), (4, 4, 1)))
assert block_of(single_channel, 256).rank == single_channel.crossing_bound()
glue("09-single-bound", single_channel.crossing_bound())

# %% [markdown]
# In the $6\times6$ network with rank 729 six windows cross the cut. Each contributes a factor of rank
# at most $D+1=3$, and $3^6=729$. So the rank of the sampled block is the rank of the matrix, which the
# private-pixel bound predicts: at least two private pixels on either side have four contents or more.
# In the second $8\times8$ network the sample says less: a larger block has a larger rank.

# %%
wide = Architecture(8, 2, ((3, 2, 4), (3, 2, 2), (2, 2, 1)))
table([("×".join(map(str, certificate.shape)), certificate.rank)
       for certificate in (block_of(wide), block_of(wide, 1300))],
      ["block of the matrix", "its rank"])

# %% [markdown]
# ## Hypotheses that cannot be dropped
#
# Each network violates the formula of the overlap theorem, with one condition missing. The last column
# proves it: an upper bound on the rank that holds for all weights.

# %%
cases = [  # condition, network, biases, never more than
    ("odd size", Architecture(3, 2, ((2, 1, 2), (3, 3, 1))), True, 2**3),
    ("no layer after K", Architecture(4, 2, ((4, 4, 2),)), True, 1),
    ("window < stride later", Architecture(4, 2, ((3, 1, 2), (1, 4, 1))),
     True, 2 + 1),
    ("several output cells", Architecture(4, 2, ((3, 1, 2), (1, 1, 1))),
     True, 2 + 1),
    ("no biases", overlapping, False, 0),
]
outcomes = [(name, net.quoted_overlap_bound(),
             certify(net, "left-right", seed=5, biases=biases).rank, ceiling)
            for name, net, biases, ceiling in cases]
table(outcomes, ["condition dropped", "formula", "rank",
                 "never more than"])

# %% tags=["hide-input"]
with checking("hypotheses-needed", detail="{count} counterexamples") as check:
    for name, quoted, rank, ceiling in outcomes:
        check(rank <= ceiling < quoted, name)

# %% [markdown]
# Not every layer needs biases. In the $4\times4$ network, where layer 1 alone sees the padding, those
# of layer 1 are enough:

# %%
table([(first, second, certify(overlapping, "left-right", seed=6,
                               biases=(first, second)).rank)
       for first in (False, True) for second in (False, True)],
      ["biases in layer 1", "biases in layer 2", "rank"])

# %% [markdown]
# ## Random architectures
#
# Networks with random depth, windows, strides, channels and sizes, most in one dimension, some images.
# Before layer $K$ a window may be smaller than its stride. No bound may ever exceed the certified rank:
# the crossing bound and the private-pixel bound for a random position of the cut too, and for images
# between top and bottom as well.

# %%
generator = torch.Generator().manual_seed(9)


def draw(low, high):
    return int(torch.randint(low, high + 1, (), generator=generator))


def random_architecture(image):
    size = (draw(2, 3), draw(2, 4)) if image else (draw(3, 9),)
    templates = draw(2, 3) if torch.Size(size).numel() < 7 else 2
    cells, layers = size, []
    for _ in range(draw(1, 3)):
        window = tuple(draw(1, 5) for _ in size)
        stride = tuple(draw(1, 2) for _ in size)
        layers.append((window, stride, draw(1, 4)))
        cells = tuple(-(-n // s) for n, s in zip(cells, stride))
    return Architecture(size, templates, (*layers, (cells, cells, 1)))


trials, drawn = 300, []
for trial in range(trials):
    net = random_architecture(image=trial % 4 == 0)
    drawn.append((net, draw(1, net.size[-1] - 1)))  # a network and a cut
print(*(net for net, cut in drawn[:3]), sep="\n")

# %%
def columns(net, cut):
    """The modes in the first columns."""
    modes = torch.arange(torch.Size(net.size).numel()).reshape(net.size)
    return modes[..., :cut].flatten().tolist()


halves = [certify(net, "left-right", seed=seed).rank
          for seed, (net, cut) in enumerate(drawn)]
elsewhere = [certify(net, columns(net, cut), seed=seed).rank
             for seed, (net, cut) in enumerate(drawn)]
stacked = {net: certify(net, "top-bottom", seed=seed).rank
           for seed, (net, cut) in enumerate(drawn) if net.ndim == 2}

stronger = sum(net.crossing_bound() > net.overlap_bound(t_min="one")
               for net, _ in drawn)
telling = sum(net.crossing_bound(cut=cut) > 1 for net, cut in drawn)
table([("crossing bound above the overlap theorem", stronger),
       ("crossing bound above 1 for the random cut", telling)],
      ["what", f"of {trials} networks"])

# %% [markdown]
# The formula with $\lfloor H/2\rfloor$ in place of $H/2$, the obvious reading for odd $H$, must fail
# somewhere. We count the networks in one dimension where it exceeds the number of rows of the matrix, so
# that no weights at all can reach it.

# %%
odd = [net for net, _ in drawn if net.ndim == 1 and net.size[0] % 2]
violations = sum(net.quoted_overlap_bound()
                 > net.channels ** (net.size[0] // 2) for net in odd)
print(f"the formula exceeds the number of rows in {violations} of "
      f"{len(odd)}\nnetworks of odd width")

# %% tags=["hide-input"]
with checking("overlap-theorem", detail=f"{trials} random networks") as check:
    for (net, _), rank in zip(drawn, halves):
        check(rank >= net.overlap_bound(t_min="one"), net)
        check(net.crossing_bound() >= net.overlap_bound(t_min="one"), net)
    for net, rank in stacked.items():
        check(rank >= net.overlap_bound("top-bottom", t_min="one"), net)
    check(violations > 0 or len(odd) < 30, "the formula for odd sizes")

# %% tags=["hide-input"]
with checking("crossing-bound",
              detail=f"{len(networks)} networks, {trials} random ones, "
                     "any cut") as check:
    for net, certificate in found.items():
        check(certificate.rank >= net.crossing_bound()
              or not tells(certificate, net.crossing_bound()), net)
        check(net.crossing_bound() >= net.overlap_bound(), net)
    for (net, cut), rank, other in zip(drawn, halves, elsewhere):
        check(rank >= net.crossing_bound(), net)
        check(other >= net.crossing_bound(cut=cut), f"{net}, cut at {cut}")
    for net, rank in stacked.items():
        check(rank >= net.crossing_bound("top-bottom"), net)
    narrow = [net for net, _ in drawn if min(net.widths[1:-1]) < net.channels]
    check(len(narrow) < 50 or any(
        rank == net.crossing_bound() > 1 and
        net.crossing_bound().base == 1 + min(net.widths[1:-1])
        for (net, _), rank in zip(drawn, halves)),
          "a rank with the base one above the channels")

# %% [markdown]
# The area law is the crossing bound of one overlapping layer with stride 1: every row of the image
# contributes $\min(R-1, \lfloor H/2\rfloor)$ pairs across the cut.


# %%
def area_law(net):
    """min(M, D + 1) to the number of pairs across the cut."""
    window, width = net.windows[0][-1], net.size[-1]
    lines = net.size[0] if net.ndim == 2 else 1
    pairs = lines * min(window - 1, width // 2)
    return min(net.channels, net.layers[0].channels + 1) ** pairs


area_ranks = [(net, rank) for (net, _), rank in zip(drawn, halves)
              if set(net.strides[0]) == {1} and not net.missing_hypotheses(1)]
area_ranks += [(net, certificate.rank) for net, certificate in found.items()
               if net.ndim == 2 and set(net.strides[0]) == {1}
               and tells(certificate, area_law(net))]
reached = sum(rank == area_law(net) for net, rank in area_ranks)
print(f"the rank is the area law in {reached} of {len(area_ranks)} networks")

# %% tags=["hide-input"]
with checking("area-law",
              detail=f"{len(area_ranks)} networks that begin with stride 1, "
              "random or of the table") as check:
    for net, rank in area_ranks:
        check(rank >= area_law(net), net)

# %% tags=["remove-cell"]
glue("09-random-networks", trials)
glue("09-odd-violations", violations)

# %% [markdown]
# ## Private pixels
#
# With strides a window can have several pixels to itself on each side of the cut. Random networks
# with strides 2 and 3 and two to nine channels, each with a random cut, where the private-pixel bound
# is above 1:


# %%
def strided_architecture(image):
    size = (draw(2, 3), draw(3, 4)) if image else (draw(5, 10),)
    templates = 2 if torch.Size(size).numel() > 7 else draw(2, 3)
    cells, layers = size, []
    for _ in range(draw(1, 2)):
        window = tuple(draw(2, 5) for _ in size)
        stride = tuple(draw(2, 3) for _ in size)
        layers.append((window, stride, draw(2, 9)))
        cells = tuple(-(-n // s) for n, s in zip(cells, stride))
    return Architecture(size, templates, (*layers, (cells, cells, 1)))


strided = []
while len(strided) < 500:
    net = strided_architecture(image=len(strided) % 3 == 0)
    cut = draw(1, net.size[-1] - 1)
    if net.private_pixel_bound(cut=cut) > 1:
        rank = certify(net, columns(net, cut), seed=len(strided)).rank
        strided.append((net, cut, rank))
table([(net, cut, net.crossing_bound(cut=cut),
        net.private_pixel_bound(cut=cut), rank)
       for net, cut, rank in strided[:6]],
      ["network", "cut", "crossing bound", "private pixels", "rank"])

# %%
equal = sum(rank == net.private_pixel_bound(cut=cut)
            for net, cut, rank in strided)
larger = sum(net.private_pixel_bound(cut=cut) > net.crossing_bound(cut=cut)
             for net, cut, rank in strided)
table([("the rank is the private-pixel bound", equal),
       ("the private-pixel bound is above the crossing bound", larger)],
      ["what", f"of {len(strided)} networks"])

# %% tags=["hide-input"]
with checking("private-pixels",
              detail=f"{len(strided)} networks with strides, {trials} "
                     "others, any cut") as check:
    for net, cut, rank in strided:
        check(rank >= net.private_pixel_bound(cut=cut), net)
    for (net, cut), rank in zip(drawn, elsewhere):
        check(rank >= net.private_pixel_bound(cut=cut), net)
    for net, rank in stacked.items():
        check(rank >= net.private_pixel_bound("top-bottom"), net)
    check(equal > len(strided) / 2, "the bound is often the rank")
    check(larger > len(strided) / 5, "often above the crossing bound")

# %% [markdown]
# For raw color images this is what counts. Three channels per pixel tell three templates apart, so the
# crossing bound has the base 3. Four private pixels on a side have $3^4=81$ contents, and the base becomes
# the number of channels plus one.

# %%
window, stride, width = 7, 2, 64
cells = -(-224 // stride)
color = Architecture(224, 3, ((window, stride, width), (cells, cells, 1)))
table([("crossing bound", color.crossing_bound()),
       ("private pixels", color.private_pixel_bound())],
      [f"{window}×{window} windows, stride {stride}, {width} channels on RGB",
       "rank, at least"])

# %% tags=["remove-cell"]
glue("09-color-private", str(color.private_pixel_bound()))
glue("09-color-crossing", color.crossing_bound())
glue("09-private-trials", len(strided))
glue("09-private-equal", equal)

# %% [markdown]
# ## The exact rank of two layers
#
# A layer with stride 1 and biases under a global product, cut after $h$ of $H$ columns. For almost all
# weights the rank is the smaller of $\min(M, D+\beta)^{H\min(R-1,h)}$ and $M^{H\min(R-1,H-h)}$, with
# $\beta=1$ when layer 2 has biases. All windows, two numbers of templates, three widths and all cuts in
# one dimension; all windows, two widths and all cuts in two.

# %%
two_layers = [Architecture((6,), channels, ((window, 1, width), (6, 6, 1)))
              for channels in (2, 3) for window in range(1, 7)
              for width in (1, 2, 3)]
two_layers += [Architecture((3, 4), 2, ((window, 1, width), ((3, 4),) * 2
                                        + (1,)))
               for window in range(1, 5) for width in (1, 2)]
runs = [(net, cut, bias) for net in two_layers for bias in (False, True)
        for cut in range(1, net.size[-1])]
ranks = {run: certify(run[0], columns(*run[:2]), seed=7,
                      biases=(True, run[2])).rank for run in runs}
sample = [run for run in runs if run[0].size == (6,) and run[2]
          and run[0].channels == 3 and run[0].layers[0].channels == 1
          and run[0].layers[0].window == 5]
table([(run[1], run[0].exact_two_layer_rank(cut=run[1]), ranks[run])
       for run in sample], ["h", "formula", "certified rank"])

# %% [markdown]
# The table shows a network on 6 cells with three templates, one channel and windows of 5, for every cut. At
# $h=5$ only one pixel is left on the right. The weights that the proof writes down must reach the same
# ranks, in all networks and for all cuts. They need a root of unity, which residues modulo a suitable
# prime have.

# %%
constructed = {}
for net, cut, bias in runs:
    roots = Modular(root_prime(net))
    representation = roots.random((net.channels,) * 2, generator)
    built = two_layer_construction(net, representation, roots, cut=cut,
                                   last_bias=bias)
    constructed[net, cut, bias] = certify_weights(
        net, built.weights, columns(net, cut), prime=roots.prime,
        representation=representation).rank
agree = sum(rank == ranks[run] for run, rank in constructed.items())
beyond = sum(2 * run[1] > run[0].size[-1] for run in runs)
print(f"{agree} of {len(constructed)} constructions reach the rank,\n"
      f"{beyond} of them for cuts beyond the middle")

# %% tags=["hide-input"]
with checking("two-layer-rank",
              detail=f"{len(runs)} networks and cuts") as check:
    for net, cut, bias in runs:
        formula = net.exact_two_layer_rank(cut=cut, last_bias=bias)
        check(ranks[net, cut, bias] == formula, f"{net}, cut at {cut}")
        check(constructed[net, cut, bias] == formula, f"{net}, cut at {cut}")

# %% tags=["remove-cell"]
for run in sample[-1:]:
    glue("09-beyond-middle", ranks[run])

# %% [markdown]
# With strides the rank is the product of the private-pixel bound, with $D$ in place of $D+1$ if layer 2
# has no biases, as long as no window over the cut reaches beyond the border. Random windows, strides,
# widths, cuts, with and without biases in layer 2, kept where the formula is above 1. Where the theorem
# says nothing, `exact_two_layer_rank` returns `None`.

# %%
exact, silent = [], 0
while len(exact) < 250:
    size = (draw(2, 3), draw(3, 4)) if len(exact) % 3 == 0 else (draw(4, 9),)
    window = tuple(draw(2, 5) for _ in size)
    stride = tuple(draw(2, 3) for _ in size)
    cells = tuple(-(-n // s) for n, s in zip(size, stride))
    net = Architecture(size, 2, ((window, stride, draw(1, 9)),
                                 (cells, cells, 1)))
    cut, bias = draw(1, size[-1] - 1), draw(0, 1) == 1
    formula = net.exact_two_layer_rank(cut=cut, last_bias=bias)
    if formula is None:
        silent += 1
    elif formula > 1:
        rank = certify(net, columns(net, cut), seed=len(exact),
                       biases=(True, bias)).rank
        exact.append((net, cut, bias, formula, rank))
print("networks on which the theorem is silent:", silent)
table(exact[:5], ["network", "cut", "bias", "formula", "certified rank"])

# %% tags=["hide-input"]
with checking("two-layer-strides", detail="{count} networks") as check:
    for net, cut, bias, formula, rank in exact:
        check(rank == formula, f"{net}, cut at {cut}, bias {bias}")

# %% [markdown]
# The overlap theorem asks for a field larger than half the image. The rank does not wait for it.
# Below, exact ranks of $4\times4$ networks, each point certified.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-threshold-certified", "caption": "Certified ranks of one stride-1 layer under a global product, 4×4 input, two templates, two channels. The rank grows from the first overlap on; the overlap theorem begins at R=3."}, "image": {"alt": "A line through the points (1, 0), (2, 4), (3, 8) and (4, 8): the rank as a power of two against the window. Squares at windows 3 and 4 mark the overlap theorem; windows 1 and 2 are shaded as silent."}}
sweep = window_sweep(4, 2, 2)
formula = [net.exact_two_layer_rank() for net in sweep]
certified = [certify(net, "left-right", seed=8).rank for net in sweep]
with figure(6.4, 3.6) as (drawing, axes):
    draw_threshold(axes, sweep, formula)

# %%
assert certified == formula
theorems = [net.overlap_bound() for net in sweep]
table([(net.layers[0].window, rank, None if bound.silent else bound)
       for net, rank, bound in zip(sweep, certified, theorems)],
      ["window", "certified rank", "overlap theorem"])

# %% [markdown]
# ## Blocks of convolutions
#
# For blocks of one $B\times B$ convolution and one $2\times2$ pooling the overlap theorem has a closed
# form (Sharir & Shashua, Proposition 2). Here it is held against the theorem applied to the network itself, for
# every $B$ from 2 to 11 and every power of two up to 1024.


# %%
M = 64  # channels of the input


def blocks(window, size):
    return block_network(window, size, channels=M, width=2 * M)


def area_exponent(window, size):
    return size * min(window - 1, size // 2)


block_rows = []
for window, size in [(2, 8), (3, 32), (5, 16), (5, 32), (5, 256), (7, 32)]:
    net, bound = blocks(window, size), proposition_2_bound(window, size, M)
    step = net.total_stride(bound.layer - 1)
    smooth = float(proposition_2_exponent(window, size))
    minimal = net.alpha_minimal(bound.layer, size // 2)
    assert bound.shift + 1 == minimal == size // 2 + 1
    block_rows.append((window, size, step, bound.exponent, f"{smooth:.1f}",
                       area_exponent(window, size)))
table(block_rows, ["B", "H", "T_S", "exponent for blocks",
                   "closed form below it", "area law"])

# %% tags=["hide-input"]
with checking("blocks-bound", evidence="closed form",
              detail="{count} pairs (B, H)") as check:
    for window, size in [(b, 2**n) for b in range(2, 12)
                         for n in range(1, 11)]:
        bound = proposition_2_bound(window, size, M)
        same = [(b.base, b.exponent, b.layer, b.shift)
                == (bound.base, bound.exponent, bound.layer, bound.shift)
                for b in blocks(window, size).overlap_bounds()]
        smooth = proposition_2_exponent(window, size)
        check(any(same) and bound.exponent >= smooth, (window, size))

# %% tags=["remove-cell"]
for window, size, *_ in block_rows:
    bound = blocks(window, size).crossing_bound()
    assert bound.exponent >= area_exponent(window, size)
glue("09-blocks-theorem", proposition_2_bound(5, 32, M))
glue("09-blocks-area", blocks(5, 32).crossing_bound())

# %% [markdown]
# A talk on the paper gives the exponent $(2B-1)^2/4$. It holds exactly from $H\ge(2B-1)/\sqrt2$ on;
# below, it exceeds the largest exponent $H^2/2$ that any network can have.

# %%
talk = [(window, 2**n, (2 * window - 1) ** 2)  # four times the exponent
        for window in range(2, 12) for n in range(1, 11)]
B = 5
first = next(2**n for n in range(1, 99) if 2 * 4**n >= (2 * B - 1) ** 2)
print(f"B = {B}: rank {M} to the power {(2 * B - 1) ** 2 / 4} holds from "
      f"H = {first}")

# %% tags=["hide-input"]
with checking("slides-exponent", evidence="closed form",
              detail="{count} pairs (B, H)") as check:
    for window, size, four in talk:
        exponent = area_exponent(window, size)
        reaches = (4 * exponent >= four and
                   blocks(window, size).crossing_bound() >= M**exponent)
        possible = 2 * size**2 >= four  # 4 × the exponent of the row count
        check(reaches == possible, (window, size))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-block-bounds", "caption": "Exponents of M for blocks of 3×3 convolutions. The bound for blocks levels off; the area law, from the same network, grows with the image."}, "image": {"alt": "Both axes logarithmic. The area law rises as a straight line from 8 at H=4 to 512 at H=256; the bound for blocks is 8 up to H=16 and 32 from H=32 on; the gray line of the talk is constant at 6.25."}}
B, sizes = 3, [4, 8, 16, 32, 64, 128, 256]
exponents = {
    "area law": [blocks(B, h).crossing_bound().exponent for h in sizes],
    "blocks": [proposition_2_bound(B, h, M).exponent for h in sizes],
    "talk": [(2 * B - 1) ** 2 / 4] * len(sizes),
}
colors = {"area law": COLORS["exact"], "blocks": COLORS["bound"],
          "talk": COLORS["neutral"]}
with figure(6.6, 3.8) as (drawing, axes):
    draw_block_bounds(axes, sizes, exponents, colors)

# %%
table(zip(sizes, exponents["area law"], exponents["blocks"]),
      ["H", "area law", "bound for blocks"])

# %% [markdown]
# ## GoogLeNet
#
# Read as a chain, with every inception module one layer of its whole width, starting from the first
# convolution or from the pixels, with the windows of its $5\times5$ or of its $3\times3$ branches.

# %%
rows = []
for start in ("conv1", "pixels"):
    for window in (5, 3):
        net = googlenet_stack(start, window=window)
        bound = net.overlap_bound()
        k = bound.layer
        rows.append((start, window, k, net.total_stride(k),
                     net.total_receptive_field(k), bound,
                     net.crossing_bound()))
table(rows, ["start", "window", "layer K", "T_S", "T_R", "overlap theorem",
             "crossing bound"])

# %% tags=["hide-input"]
stack = googlenet_stack()
with checking("googlenet-bound", evidence="closed form",
              detail="32^98 at module 4a") as check:
    bound = stack.overlap_bound()
    check((bound.base, bound.exponent, bound.layer) == (32, 98, 8))
    check(stack.total_receptive_field(8) == 83)
    check(stack.alpha_minimal(8, 56) == 57)

# %% tags=["remove-cell"]
bottleneck = 16 // 2  # the 5×5 branch of module 4a has 16 channels inside
glue("09-googlenet-bottleneck", f"{bottleneck}^{bound.exponent}")
glue("09-googlenet-three", googlenet_stack(window=3).overlap_bound())
glue("09-googlenet-crossing", stack.crossing_bound())

# %% [markdown]
# ## What to remember
#
# - Without overlaps and aligned with the cut: rank at most $D+1$, and it is reached.
# - Windows across the cut multiply the rank, each by as much as its channels and its pixels allow.
# - One overlapping layer with stride 1 under a global product: $\min(M,D+1)^{H\min(R-1,H/2)}$ exactly,
#   from $R=2$ on.
#
# **Try it:** change the list of `networks`; raise `trials`; cut elsewhere with
# `net.crossing_bound(cut=1)` and the row modes as partition.

# %% [markdown]
# ## Try it
#
# Write a few lines in place of `None` and run the cell. It says at once whether they are right; if
# not, it names the smallest input it knows on which they fail. All it needs is the set-up and the
# imports at the top. The first is for everyone, the last is hard; [the
# page](../book/overlap-theorem.md#exercises) has more.

# %% [markdown]
# ### Windows that cross
#
# A row of $H$ pixels, windows of $R$ at every $S$-th pixel. How many windows have pixels on both
# sides of the middle and end inside the row?


# %% tags=["exercise"]
def crossing_windows(H, R, S):
    """H is even."""
    return None


check_answer("09-crossing", crossing_windows)

# %% [markdown]
# ### Two layers
#
# A row of $H$ pixels and $M$ templates; layer 1 has windows of $R$, stride 1, $D$ channels and
# biases, layer 2 multiplies over the whole row, with a bias or without. Predict the rank between left
# and right.


# %% tags=["exercise"]
def two_layer_rank(H, M, R, D, bias):
    """bias: True or False, for layer 2."""
    return None


check_answer("09-two-layers", two_layer_rank)

# %% [markdown]
# ### Twelve to spend
#
# $H=8$, $M=4$, stride 1, then a product over the row, with biases. You may choose the window and the
# channels of layer 1 with $R\cdot D\le12$. Find a choice with the largest rank.

# %% tags=["exercise"]
window_and_channels = None  # as (3, 4)

check_answer("09-twelve", window_and_channels)

# %% [markdown]
# ### One channel for 255
#
# A 4×4 image and two templates. Layer 1 has a 3×3 window, stride 1 and *one* channel, $y=\prod(w\cdot
# x+b)$ over the nine pixels of the window; the network then multiplies $1+2y$ over all 16 locations.
# Write down weights with which the rank between left and right is 256: without overlaps, aligned
# with the cut, that takes 255 channels. Beyond the right and the lower border a pixel is $(0,0)$;
# inside, template 0 is $(1,0)$ and template 1 is $(0,1)$.

# %% tags=["exercise"]
blank_row = [[0, 0], [0, 0], [0, 0]]  # (w_0, w_1) for each of three pixels
one_weight = [blank_row, blank_row, blank_row]
one_bias = None  # as [[1, 1, 1], [1, 1, 1], [1, 1, 1]]

check_answer("09-one-channel", (one_weight, one_bias))
