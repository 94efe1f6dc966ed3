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
# channels. Here each is held against the exact rank of networks with random weights. Statements and
# proofs are on [the page](../book/overlap-theorem.md). Each call of `verify` names one of them; the
# [ledger](../book/ledger.md) lists the names.

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules:  # there, fetch the course and what it needs
    subprocess.run(f'(test -d course || git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course) && cd course && "{sys.executable}" -m lib.course.colab', shell=True, check=True)
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import itertools

import torch

from lib import Architecture, Layer, certify
from lib.exact.arithmetic import Modular
from lib.bounds.overlap import quoted_overlap_bound
from lib.grids.certify import certify_weights
from lib.course.claims import verify
from lib import two_layer_construction
from lib.course.glue import glue
from lib.networks.families import (
    block_network,
    googlenet_stack,
    proposition_2_bound,
    proposition_2_exponent,
)
from lib.plots.overlaps import draw_block_bounds, draw_threshold, window_sweep
from lib.plots.style import COLORS, figure


def layers(*triples):
    """Layers from (window R, stride S, channels D)."""
    return tuple(Layer(*triple) for triple in triples)


# %% [markdown]
# `certify(net, partition)` draws weights modulo a prime, computes the matricized grid tensor
# exactly and finds its rank by elimination. One such rank is a proven lower bound for almost all real
# weights. The $4\times4$ example of the page, with two templates:

# %%
without = Architecture(4, 2, layers((2, 2, 2), (2, 2, 2), (1, 1, 1)))
overlapping = Architecture(4, 2, layers((3, 1, 2), (4, 4, 1)))

for name, net in [("without overlaps", without), ("with overlaps", overlapping)]:
    certificate = certify(net, "left-right", seed=0)
    print(f"{name:17} rank {certificate.rank:3} of {certificate.shape[0]}")
glue("09-motivation-rank", certify(overlapping, "left-right", seed=0).rank)

# %% [markdown]
# ## What networks without overlaps cannot do
#
# Two layers of $2\times2$ windows and a linear layer: the rank is the number of channels $D$ before
# the last layer, plus one if the last layer has a bias. Earlier biases change nothing.

# %%
print(" D  no bias at the end  bias at the end  bound with bias")
exact = True
for width in range(1, 7):
    net = Architecture(4, 2, layers((2, 2, 4), (2, 2, width), (1, 1, 1)))
    plain, biased = (
        certify(net, "left-right", seed=1, biases=(True, True, last)).rank for last in (False, True)
    )
    bound = net.non_overlapping_upper_bound().value
    print(f"{width:2}  {plain:18}  {biased:15}  {bound:15}")
    exact &= (plain, biased) == (width, width + 1) == (width, bound)

single = Architecture(4, 2, layers((2, 2, 4), (2, 2, 1)))
print("last layer a 2×2 window itself: rank", certify(single, "left-right", seed=1).rank)
exact &= certify(single, "left-right", seed=1).rank == single.non_overlapping_upper_bound().value
verify("non-overlapping-rank", exact, detail="12 networks reach the bound, none exceeds it")

# %% [markdown]
# So to imitate the overlapping network above, with its two channels and its rank of 256, a network
# without overlaps needs 255 channels.

# %%
target = certify(overlapping, "left-right", seed=0).rank
found = {}
for width in (target - 2, target - 1):
    net = Architecture(4, 2, layers((2, 2, 16), (2, 2, width), (1, 1, 1)))
    found[width] = certify(net, "left-right", seed=2).rank
    print(f"{width} channels: rank {found[width]}, bound {net.non_overlapping_upper_bound().value}")
verify(
    "imitation-cost",
    found[target - 2] < target == found[target - 1],
    detail="rank 256 needs exactly 255 channels",
)

# %% [markdown]
# The bound needs every field to stay on its side of the cut until the last pooling. Where a window
# crosses the cut before, a network without overlaps can have a much larger rank, and
# `non_overlapping_upper_bound` returns `None`.

# %%
stacks = [
    layers((2, 2, 2), (3, 3, 2), (1, 1, 1)),
    layers((3, 3, 2), (2, 2, 2), (1, 1, 1)),
    layers((4, 4, 2), (2, 2, 2), (1, 1, 1)),
    layers((2, 2, 2), (4, 4, 2), (1, 1, 1)),
]
print("windows     rank with bias  without bias  D_2 + 1  Lemma 1")
ranks = {}
for stack in stacks:
    net = Architecture(6, 2, stack)
    biased, plain = (
        certify(net, "left-right", seed=3, biases=flags, rows=400, columns=400).rank
        for flags in (True, (True, True, False))
    )
    ranks[stack] = biased
    bound = net.non_overlapping_upper_bound()
    print(
        f"{[layer.window for layer in stack]}  {biased:13}  {plain:12}  {stack[1].channels + 1:7}  "
        f"{'applies' if bound else 'does not apply'}"
    )
verify(
    "non-overlapping-misaligned",
    [rank > 3 for rank in ranks.values()] == [True, False, True, True],
    detail="three of four networks of width 6 exceed D + 1, sampled blocks",
)
glue("09-misaligned-rank", ranks[stacks[0]])

# %% [markdown]
# ## Overlapping networks against the bounds
#
# For each network: its total receptive fields up to layer 3, with the smallest reachable field above
# $H/2$ in brackets, Theorem 1 (with all hypotheses), the crossing bound, and the certified rank. A star marks a sampled block of a larger matrix, whose rank is only a lower
# bound.

# %%
networks = [
    (2, 3, layers((2, 1, 3), (2, 2, 1))),
    (4, 2, layers((3, 1, 2), (4, 4, 1))),
    (4, 2, layers((2, 1, 4), (2, 1, 2), (4, 4, 1))),
    (4, 2, layers((3, 2, 2), (2, 2, 1))),
    (4, 2, layers((3, 3, 2), (2, 2, 1))),
    (4, 2, layers((2, 1, 2), (4, 4, 1))),
    (6, 2, layers((4, 2, 2), (3, 3, 1))),
    (6, 2, layers((5, 3, 2), (2, 2, 1))),
    (8, 2, layers((2, 2, 4), (3, 2, 2), (2, 2, 1))),
    (8, 2, layers((3, 2, 4), (3, 2, 2), (2, 2, 1))),
    (3, 2, layers((2, 1, 2), (3, 3, 1))),
    (5, 2, layers((3, 2, 2), (3, 3, 1))),
    ((8,), 2, layers((3, 1, 4), (3, 1, 2), (8, 8, 1))),
    ((8,), 3, layers((3, 1, 6), (2, 1, 7), (3, 2, 5), (4, 4, 1))),
    ((10,), 2, layers((4, 4, 4), (3, 1, 2), (3, 3, 1))),
    ((7,), 3, layers((4, 1, 3), (7, 7, 1))),
    ((9,), 2, layers((5, 2, 2), (5, 5, 1))),
    ((16,), 2, block_network(3, 16, 2, 4, ndim=1).layers),
    (4, 2, block_network(2, 4, 2, 4).layers),
    (4, 2, block_network(2, 4, 2, 2).layers),
]

print("size    M  (R,S,D) of every layer            T_R (α-minimal)  Thm 1  crossing   rank")
holds = beats = True
found = {}
for size, channels, stack in networks:
    net = Architecture(size, channels, stack)
    theorem, crossing = net.overlap_bound(), net.crossing_bound()
    certificate = certify(net, "left-right", seed=4, rows=900, columns=900)
    text = " ".join(f"{x.window},{x.stride},{x.channels}" for x in stack)
    if net.depth > 5:
        text = f"{text[:29]} ..."
    inner = range(1, min(net.depth, 4))
    fields = ",".join(str(net.total_receptive_field(n)) for n in inner)
    minimal = [net.alpha_minimal(n, net.size[-1] // 2) for n in inner]
    fields += f" ({','.join('-' if n is None else str(n) for n in minimal)})"
    found[size, stack] = theorem, certificate.rank
    mark = "*" if certificate.sampled else " "
    extent = "×".join(map(str, net.size))
    print(
        f"{extent:6} {channels:2}  {text:33}  {fields:15}  {'-' if theorem.silent else theorem!s:>5}"
        f"  {crossing!s:>8}  {certificate.rank:5}{mark}"
    )
    holds &= certificate.rank >= crossing.value
    beats &= crossing.value >= theorem.value
six = found[6, layers((4, 2, 2), (3, 3, 1))]
glue("09-six-bound", six[0])
glue("09-six-rank", six[1])

# %% [markdown]
# In the $6\times6$ network with rank 729 six windows cross the cut. Each contributes a factor of
# rank at most $D+1=3$, and $3^6=729$. So the rank of the sampled block is the rank of the matrix,
# more than eleven times the bound $2^6$. In the second $8\times8$ network the sample says less: a
# larger block has a larger rank.

# %%
wide = Architecture(8, 2, layers((3, 2, 4), (3, 2, 2), (2, 2, 1)))
print("block of 1300×1300: rank", certify(wide, "left-right", seed=4, rows=1300, columns=1300).rank)

# %% [markdown]
# ## Hypotheses that cannot be dropped
#
# Each network violates the formula as quoted, with one condition missing. The last column proves it:
# an upper bound on the rank that holds for all weights.

# %%
cases = [
    ("odd size", Architecture(3, 2, layers((2, 1, 2), (3, 3, 1))), True, 2**3),
    ("no layer after K", Architecture(4, 2, layers((4, 4, 2))), True, 1),
    ("window < stride later", Architecture(4, 2, layers((3, 1, 2), (1, 4, 1))), True, 2 + 1),
    ("no biases", Architecture(4, 2, layers((3, 1, 2), (4, 4, 1))), False, 0),
]
print("condition dropped      quoted formula  rank  never more than")
needed = True
for name, net, biases, ceiling in cases:
    quoted = quoted_overlap_bound(net)
    rank = certify(net, "left-right", seed=5, biases=biases).rank
    print(f"{name:21}  {quoted!s:>14}  {rank:4}  {ceiling:15}")
    needed &= rank <= ceiling < quoted.value
verify("hypotheses-needed", needed, detail="4 counterexamples")

# %% [markdown]
# Biases are needed in some layer that sees the padding, not in all. In the $4\times4$ network:

# %%
for flags in itertools.product((False, True), repeat=2):
    print("biases in layers 1, 2:", flags, "rank", certify(overlapping, "left-right", seed=6, biases=flags).rank)

# %% [markdown]
# ## Thousands of random architectures
#
# One-dimensional networks with random depth, windows, strides, channels and sizes. Before layer $K$ a
# window may be smaller than its stride. The crossing bound and Theorem 1 must never exceed the
# certified rank, the crossing bound for a random position of the cut too. The quoted formula, which
# takes $\lfloor H/2\rfloor$ for any $H$, must fail for some odd $H$: we count those where it exceeds the
# number of rows of the matrix, so that no weights at all can reach it.

# %%
generator = torch.Generator().manual_seed(9)


def draw(low, high):
    return int(torch.randint(low, high + 1, (), generator=generator))


def random_architecture():
    size, stack = draw(3, 9), []
    cells = size
    for _ in range(draw(1, 3)):
        stride = draw(1, 2)
        stack.append(Layer(draw(1, 5), stride, draw(1, 4)))
        cells = -(-cells // stride)
    stack.append(Layer(cells, cells, 1))
    return Architecture((size,), 2, tuple(stack))


trials, odd, violations, stronger, telling = 1200, 0, 0, 0, 0
theorem_holds = crossing_holds = area_holds = True
for trial in range(trials):
    net = random_architecture()
    rank = certify(net, "left-right", seed=trial).rank
    theorem, crossing = net.overlap_bound(t_min="one"), net.crossing_bound()
    theorem_holds &= rank >= theorem.value
    crossing_holds &= rank >= crossing.value
    stronger += crossing.value > theorem.value
    cut = draw(1, net.size[0] - 1)
    elsewhere = certify(net, range(cut), seed=trial).rank
    crossing_holds &= elsewhere >= net.crossing_bound(cut=cut).value
    telling += net.crossing_bound(cut=cut).value > 1
    first = net.layers[0]
    if first.stride == 1 and not net.missing_hypotheses(1):
        half = net.size[0] // 2
        area_holds &= rank >= min(2, first.channels) ** min(first.window - 1, half)
    if net.size[0] % 2:
        odd += 1
        violations += quoted_overlap_bound(net).value > 2 ** (net.size[0] // 2)
print(f"crossing bound above Theorem 1 in {stronger} of {trials} networks")
print(f"crossing bound above 1 for the random cut in {telling} of {trials} networks")
print(f"quoted formula exceeds the number of rows in {violations} of {odd} networks of odd width")
verify("overlap-theorem", theorem_holds and violations > 0, detail=f"{trials} random networks")
verify("crossing-bound", holds and beats and crossing_holds,
       detail=f"{len(networks)} networks and {trials} random ones, any cut; never below Theorem 1")
for (size, stack), (_, rank) in found.items():  # two-dimensional ones of the table: H times more
    if isinstance(size, int) and stack[0].stride == 1:
        area = size * min(stack[0].window - 1, size // 2)
        area_holds &= rank >= min(2, stack[0].channels) ** area
verify("area-law", area_holds, detail=f"{trials} random networks, and the table")
glue("09-random-networks", trials)
glue("09-odd-violations", violations)

# %% [markdown]
# ## The exact rank of two layers
#
# A layer with stride 1 under a global product: the rank is
# $\min(M, D+\beta)^{H\min(R-1,h)}$, with $\beta=1$ when layer 2 has biases. All windows, two numbers of
# templates, three widths and all cuts $h\le H/2$ in one dimension; all windows and three widths in
# two. The weights of the proof reach it as well.

# %%
runs, agree, field = 0, True, Modular()
grid = [((8,), m, r, d) for m in (2, 3) for r in range(1, 9) for d in (1, 2, 3)]
grid += [(4, 2, r, d) for r in range(1, 5) for d in (1, 2, 3)]
for size, channels, window, width in grid:
    extent = size[0] if isinstance(size, tuple) else size
    net = Architecture(size, channels, layers((window, 1, width), (extent, extent, 1)))
    for bias in (False, True):
        for cut in range(1, 5) if net.ndim == 1 else (2,):
            rows = range(cut) if net.ndim == 1 else "left-right"
            rank = certify(net, rows, seed=7, biases=(True, bias)).rank
            agree &= rank == net.exact_two_layer_rank(cut=cut, last_bias=bias).value
            runs += 1
            if window > 1:
                built = two_layer_construction(
                    net, field.random((channels, channels), generator), field, cut=cut, last_bias=bias
                )
                agree &= rank == certify_weights(
                    net, built.weights, rows, representation=built.representation
                ).rank
verify("two-layer-rank", agree, detail=f"{runs} networks and cuts: formula, random and proof's weights")

# %% [markdown]
# Theorem 1 asks for a field larger than half the image. The rank does not wait for it. Below, exact ranks of
# $4\times4$ networks, each point certified.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-threshold-certified", "caption": "Certified ranks of one stride-1 layer under a global product, 4×4 input, two templates, two channels. The rank grows from the first overlap on; Theorem 1 begins at R=3."}, "image": {"alt": "A line through the points (1, 0), (2, 4), (3, 8) and (4, 8): the rank as a power of two against the window. Squares at windows 3 and 4 mark Theorem 1; windows 1 and 2 are shaded as silent."}}
sweep = window_sweep(4, 2, 2)
formula = [net.exact_two_layer_rank() for net in sweep]
certified = [certify(net, "left-right", seed=8).rank for net in sweep]
with figure(6.4, 3.6) as (drawing, axes):
    draw_threshold(axes, sweep, formula)

# %%
print("window:        ", [net.layers[0].window for net in sweep])
print("certified rank:", certified)
print("Theorem 1:     ", [str(b) if not (b := net.overlap_bound()).silent else "-" for net in sweep])
assert certified == [bound.value for bound in formula]

# %% [markdown]
# ## Blocks of convolutions
#
# Proposition 2 in closed form, against Theorem 1 applied to the network itself, for every $B$ from 2 to 11
# and every power of two up to 1024.

# %%
pairs = [(b, 2**n) for b in range(2, 12) for n in range(1, 11)]
closed_form = exceeds = True
for window, size in pairs:
    net = block_network(window, size, channels=64, width=128)
    bound = proposition_2_bound(window, size, 64)
    closed_form &= bound in net.overlap_bounds()  # the same layer, base, exponent and shift
    exceeds &= bound.exponent >= proposition_2_exponent(window, size)
verify("blocks-bound", closed_form and exceeds, detail=f"{len(pairs)} pairs (B, H)")

# %%
print("  B    H  T_S  Prop. 2: E  closed form  area law")
for window, size in [(2, 8), (3, 32), (5, 16), (5, 32), (5, 256), (7, 32)]:
    net = block_network(window, size, channels=64, width=128)
    bound = proposition_2_bound(window, size, 64)
    step = net.total_stride(bound.layer - 1)
    lower = float(proposition_2_exponent(window, size))
    area = size * min(window - 1, size // 2)
    assert bound.shift + 1 == net.alpha_minimal(bound.layer, size // 2) == size // 2 + 1
    print(f"{window:3}  {size:3}  {step:3}  {bound.exponent:10}  {lower:11.1f}  {area:8}")
    assert net.crossing_bound().exponent >= area
glue("09-blocks-theorem", proposition_2_bound(5, 32, 64))
glue("09-blocks-area", block_network(5, 32, 64, 128).crossing_bound())

# %% [markdown]
# The exponent $(2B-1)^2/4$ of the talk holds exactly from $H\ge(2B-1)/\sqrt2$ on; below, it exceeds
# the largest exponent $H^2/2$ that any network can have.

# %%
decided = True
for window, size in pairs:
    net = block_network(window, size, channels=64, width=128)
    talk = (2 * window - 1) ** 2  # four times the exponent
    area_law = size * min(window - 1, size // 2)
    reaches = 4 * area_law >= talk and net.crossing_bound().value >= 64**area_law
    possible = 2 * size**2 >= talk  # four times the exponent of the number of rows
    decided &= reaches == possible
verify("slides-exponent", decided, detail=f"{len(pairs)} pairs (B, H)")
print("B=5: 64^20 holds from H =", min(h for b, h in pairs if b == 5 and 2 * h * h >= 81))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-block-bounds", "caption": "Exponents of M for blocks of 3×3 convolutions. Proposition 2 levels off; the area law, from the same network, grows with the image."}, "image": {"alt": "Both axes logarithmic. The area law rises as a straight line from 8 at H=4 to 512 at H=256; Proposition 2 is 8 up to H=16 and 32 from there on; the gray line of the talk is constant at 6.25."}}
sizes = [4, 8, 16, 32, 64, 128, 256]
exponents = {
    "area law": [block_network(3, h, 64, 128).crossing_bound().exponent for h in sizes],
    "Prop. 2": [proposition_2_bound(3, h, 64).exponent for h in sizes],
    "talk": [(2 * 3 - 1) ** 2 / 4] * len(sizes),
}
colors = {"area law": COLORS["exact"], "Prop. 2": COLORS["bound"], "talk": COLORS["neutral"]}
with figure(6.6, 3.8) as (drawing, axes):
    draw_block_bounds(axes, sizes, exponents, colors)

# %%
for name in ("area law", "Prop. 2"):
    print(f"{name:9}", dict(zip(sizes, exponents[name])))

# %% [markdown]
# ## GoogLeNet
#
# Read as a chain, with every inception module one layer of its whole width, starting from the first
# convolution or from the pixels, with the windows of its $5\times5$ or of its $3\times3$ branches.

# %%
print("start    window  layer K  T_S  T_R   Theorem 1  crossing bound")
for start, window in itertools.product(("conv1", "pixels"), (5, 3)):
    net = googlenet_stack(start, window=window)
    bound = net.overlap_bound()
    step, seen = net.total_stride(bound.layer), net.total_receptive_field(bound.layer)
    print(
        f"{start:7}  {window:6}  {bound.layer:7}  {step:3}  {seen:3}  {bound!s:>10}"
        f"  {net.crossing_bound()!s:>14}"
    )
stack = googlenet_stack()
verify(
    "googlenet-bound",
    stack.overlap_bound().layer == 8
    and (str(stack.overlap_bound()), stack.total_receptive_field(8), stack.alpha_minimal(8, 56))
    == ("32^98", 83, 57),
    detail="32^98 at module 4a",
)
bottleneck = 16 // 2  # the 5×5 branch of module 4a passes through 16 channels
glue("09-googlenet-bottleneck", f"{bottleneck}^{stack.overlap_bound().exponent}")
glue("09-googlenet-three", googlenet_stack(window=3).overlap_bound())

# %% [markdown]
# ## What to remember
#
# - Without overlaps and aligned with the cut: rank at most $D+1$, and it is reached.
# - One overlapping layer: rank $\min(M,D)^{H\min(R-1,H/2)}$, exactly, from $R=2$ on.
# - Theorem 1 holds with even $H$, biases, a layer after $K$, and windows no smaller than strides there.
#
# **Try it:** change the list of `networks`; raise `trials`; cut elsewhere with
# `net.crossing_bound(cut=1)` and the row modes as partition.
