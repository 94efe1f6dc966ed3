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
# # Receptive fields, measured
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/08_overlap_degree.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/08_overlap_degree.ipynb)
#
# A network is specified by its list of windows and strides. Here its receptive fields are first
# predicted by arithmetic and then measured by changing one input cell at a time. The definitions
# and proofs are on [the page](../book/receptive-field-algebra.md). Each call of `verify` names one of
# its statements; the [ledger](../book/ledger.md) lists the names.

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules:  # there, fetch the course and what it needs
    subprocess.run(f'(test -d course || git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course) && cd course && "{sys.executable}" -m lib.course.colab', shell=True, check=True)
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import itertools

import torch

from lib import Architecture, Layer
from lib.exact.arithmetic import Modular
from lib import forward
from lib.course.claims import verify
from lib import correspondence, simulate
from lib.course.glue import glue
from lib.networks.families import block_network
from lib.plots.architectures import draw_cones, draw_projection, draw_reachable_fields
from lib.plots.style import figure

field = Modular()  # exact arithmetic: a change is seen or it is not, nothing is rounded away
generator = torch.Generator().manual_seed(8)

# %% [markdown]
# ## Specify and predict
#
# An `Architecture` has an input size $H$, $M$ representation channels and layers
# $(R, S, D)$: window, stride, channels. Everything below is integer arithmetic on these numbers.

# %%
net = Architecture(16, 2, (Layer(3, 1, 3), Layer(2, 2, 3), Layer(3, 1, 3), Layer(2, 2, 3)))

print("layer  window  stride  T_R  T_S  T_R/T_S")
for number, layer in enumerate(net.layers, 1):
    t_r, t_s = net.total_receptive_field(number), net.total_stride(number)
    degree = net.overlap_degree(number)
    print(f"{number:5}  {layer.window:6}  {layer.stride:6}  {t_r:3}  {t_s:3}  {degree!s:>7}")

# %% [markdown]
# Project a cell of each layer, and its right neighbor, back to the input. The first layer sees a
# small square. Three layers later a cell sees ten columns, and shares six of them with its
# neighbor.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-projection", "caption": "What one cell of each layer sees (blue) and what its right neighbor sees (orange, dashed), on a 16×16 input. The squares grow and the share that both see grows with them."}, "image": {"alt": "Four grids of 16 by 16 cells, one per layer. The blue squares have sides 3, 4, 8 and 10, the orange squares are shifted right by 1, 2, 2 and 4 columns."}}
with figure(6, 6.2, columns=2, rows=2) as (drawing, axes):
    for number, ax in enumerate(axes.flat, 1):
        draw_projection(ax, net, number)

# %% [markdown]
# The same along one axis, as cones from two cells of the top layer down to the input.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-cones", "caption": "Two neighboring cells of layer 4 of a one-dimensional network with the same windows and strides."}, "image": {"alt": "Rows of cells for the input and four layers. Two cones start at neighboring cells of layer 4 and cover ten input cells each; six of these belong to both."}}
line = Architecture((16,), net.channels, net.layers)
with figure(7, 4.4) as (drawing, axes):
    draw_cones(axes, line, (0, 1))

# %% [markdown]
# ## Measure
#
# Run the first $l$ layers with random weights, in exact arithmetic. Change one input cell and look
# whether cell $v$ of layer $l$ changes. Random weights make every dependence visible: an output is
# a polynomial in the input, and a random point is a zero of its difference only with tiny
# probability.


# %%
def cells_that_notice(net, layer):
    """Row x, column v: does cell v of the layer notice a change at input cell x?"""
    lower = Architecture(net.size, net.channels, net.layers[:layer])
    weights = lower.random_weights(field, generator)
    (length,) = net.size
    image = field.random((1, net.channels, length), generator)
    changed = image.repeat(length, 1, 1)  # image x differs at cell x only
    changed[range(length), :, range(length)] = field.random((length, net.channels), generator)
    before, after = (forward(lower, weights, inputs, field) for inputs in (image, changed))
    return (before != after).any(dim=1)  # (input cells, cells of the layer)


def predicted(net, layer):
    """The same matrix from the offsets: a cell sees its start plus sums of digits times units."""
    seen = torch.zeros(net.size[0], net.output_sizes[layer][0], dtype=torch.bool)
    units, highs = net.digits(layer)
    for digits in itertools.product(*(range(high + 1) for high in highs)):
        offset = sum(u * a for u, a in zip(units, digits))
        for cell in range(seen.shape[1]):
            if cell * net.total_stride(layer) + offset < net.size[0]:
                seen[cell * net.total_stride(layer) + offset, cell] = True
    return seen


measured = cells_that_notice(line, 3)
first, last = measured[:, 0].nonzero()[[0, -1]].flatten().tolist()
print("cell 0 of layer 3 notices input cells", first, "to", last)
print("predicted T_R:", line.total_receptive_field(3), "| measured:", last - first + 1)


# %% [markdown]
# One network is an anecdote. Draw networks with random depth, windows and strides, and compare
# every layer: the whole dependence pattern, the extent of the field of cell 0, and the distance
# from one cell's field to the next.


# %%
def random_line():
    depth = int(torch.randint(1, 5, (), generator=generator))
    pairs = torch.randint(1, 5, (depth, 2), generator=generator).tolist()
    layers = tuple(Layer(window, stride, 2) for window, stride in pairs)
    extent = Architecture((1,), 2, layers)
    length = extent.total_receptive_field(depth) + extent.total_stride(depth)
    return Architecture((length,), 2, layers)  # long enough for two whole fields


networks, agree = 60, True
for _ in range(networks):
    random_net = random_line()
    for layer in range(1, random_net.depth + 1):
        seen = cells_that_notice(random_net, layer)
        agree &= bool((seen == predicted(random_net, layer)).all())
        start, next_start = (seen[:, v].nonzero()[0].item() for v in (0, 1))
        extent = seen[:, 0].nonzero()[-1].item() - start + 1
        agree &= extent == random_net.total_receptive_field(layer)
        agree &= next_start - start == random_net.total_stride(layer)
verify("total-receptive-field", agree, detail=f"{networks} random networks, every layer")
glue("08-networks", networks)

# %% [markdown]
# The two forms of $T_R$ agree too, and the field equals the stride exactly when no layer overlaps.


# %%
def second_form(net, layer):
    last = net.windows[layer - 1][0] * net.total_stride(layer - 1)
    return last + sum(
        (net.windows[k - 1][0] - net.strides[k - 1][0]) * net.total_stride(k - 1)
        for k in range(1, layer)
    )


forms_agree = tiles = True
for _ in range(500):
    candidate = random_line()
    layers = range(1, candidate.depth + 1)
    fields = [candidate.total_receptive_field(k) for k in layers]
    forms_agree &= fields == [second_form(candidate, k) for k in layers]
    if all(layer.window >= layer.stride for layer in candidate.layers):
        degrees = [candidate.overlap_degree(k) for k in layers]
        overlapping = (layer.window > layer.stride for layer in candidate.layers)
        overlaps = list(itertools.accumulate(overlapping))
        tiles &= all((d == 1) == (o == 0) and d >= 1 for d, o in zip(degrees, overlaps))
print("both forms of T_R agree on 500 networks:", forms_agree)
verify("fields-tile", tiles, detail="all networks with R >= S among 500 random ones")

# %% [markdown]
# ## A larger window can do what a smaller one does
#
# Proposition 1 says it with weights: outside the smaller window the weights are 0 and the bias
# is 1, and a layer that is to disappear copies its input. The large network has four layers, the
# small one keeps the second and the fourth, with smaller windows. Both run on the same images.

# %%
large = Architecture(4, 2, (Layer(3, 1, 2), Layer(3, 2, 3), Layer(2, 1, 4), Layer(4, 2, 1)))
small = Architecture(4, 2, (Layer(2, 2, 3), Layer(2, 2, 1)))

weights = small.random_weights(field, generator)
print("layers of the large network that play those of the small one:", correspondence(large, small))
imitation = simulate(large, small, weights)
images = field.random((500, 2, 4, 4), generator)
same = torch.equal(forward(large, imitation, images, field), forward(small, weights, images, field))
print("equal on 500 random images:", same)

# %% [markdown]
# The same for random networks. Draw a large one. Keep every layer whose stride is above 1, keep or
# remove the others (a layer is removed only if it is as wide as its input), and shrink every window
# that is kept to a random size. Every third small network is the one without overlaps, $R'=S$.


# %%
def draw(low, high):
    return int(torch.randint(low, high + 1, (), generator=generator))


def random_pair(tiling):
    layers, kept, width = [], [], 2  # width: what the small network carries at this depth
    for _ in range(draw(2, 4)):
        stride = draw(1, 2)
        layer = Layer(draw(stride, 4), stride, draw(1, 4))
        layers.append(layer)
        if stride == 1 and layer.channels >= width and not tiling and draw(0, 1):
            continue
        window = stride if tiling else draw(1, layer.window)
        kept.append(Layer(window, stride, layer.channels))
        width = layer.channels
    return (Architecture(5, 2, tuple(stack)) for stack in (layers, kept or layers))


pairs, removed = 60, 0
for number in range(pairs):
    large, small = random_pair(tiling=number % 3 == 0)
    weights = small.random_weights(field, generator)
    images = field.random((20, 2, 5, 5), generator)
    expected = forward(small, weights, images, field)
    found = forward(large, simulate(large, small, weights), images, field)
    same &= torch.equal(found[:, : expected.shape[1]], expected)
    removed += large.depth - small.depth
print("layers removed in all:", removed)
verify("shrinking-windows", same, detail=f"{pairs} random pairs of networks, 20 images each")
glue("08-imitations", pairs)

# %% [markdown]
# Without biases the imitation is impossible, and one number shows it: without biases every product
# that touches a zero pixel vanishes, so the large network is 0 on an image with a zero pixel that
# the small network does not even look at.

# %%
pair = Architecture((2,), 1, (Layer(2, 2, 1),))
no_bias = pair.random_weights(field, generator, biases=False)
image = field.tensor([[[5, 0]]])  # one image, one channel, two cells
print("output without biases:", int(forward(pair, no_bias, image, field)))

# %% [markdown]
# ## The α-minimal receptive field
#
# Shrinking the windows of the first $l$ layers shrinks the field of layer $l$. Which sizes can be
# reached, and which is the smallest above $\alpha$? For windows $3, 3$ and strides $4, 1$:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-alpha-minimal", "caption": "Total receptive fields that layer 2 can be shrunk to (filled). The α-minimal one, in green, is the first beyond the dashed line."}, "image": {"alt": "A row of boxes numbered 1 to 16. Boxes 1 to 3, 5 to 7 and 9 to 11 are filled, the others empty. A dashed line at 8 marks alpha; box 9 is green."}}
two = Architecture((16,), 2, (Layer(3, 4, 2), Layer(3, 1, 2)))
with figure(7, 1.6) as (drawing, axes):
    draw_reachable_fields(axes, two, layer=2, alpha=8)

# %%
print("reachable fields:", [shift + 1 for shift in two.reachable_shifts(2)])
print("smallest above 8:", two.alpha_minimal(2, alpha=8, t_min="one"))

# %% [markdown]
# The greedy rule finds it in one pass. Hold it against the enumeration of all windows, for the
# paper's range $S_k\le t_k\le R_k$ and for the larger range $1\le t_k\le R_k$.


# %%
def by_enumeration(net, layer, alpha, t_min):
    ranges = [
        range(stride if t_min == "stride" else 1, window + 1)
        for (window,), (stride,) in zip(net.windows[:layer], net.strides[:layer])
    ]
    units, _ = net.digits(layer)
    sizes = [1 + sum(u * (t - 1) for u, t in zip(units, ts)) for ts in itertools.product(*ranges)]
    return min((size for size in sizes if size > alpha), default=None)


cases, agree, better = 0, True, 0
for _ in range(400):
    candidate = random_line()
    alpha = int(torch.randint(0, 30, (), generator=generator))
    found = [candidate.alpha_minimal(candidate.depth, alpha, t) for t in ("stride", "one")]
    expected = [by_enumeration(candidate, candidate.depth, alpha, t) for t in ("stride", "one")]
    agree &= found == expected
    cases += 2
    better += found[0] is not None and found[1] < found[0]
verify("alpha-minimal-greedy", agree, detail=f"{cases} cases against all choices of windows")
glue("08-alpha-cases", cases)
print("the larger range gives a smaller field in", better, "of", cases // 2, "networks")

# %% [markdown]
# Fifty layers of $9\times9$ windows leave $9^{50}$ choices, far beyond enumeration. Greedy looks at
# each layer once.

# %%
tall = Architecture((10**6,), 2, tuple(Layer(9, 1 + (k % 5 == 4), 4) for k in range(50)))
print("choices of windows:", 9**50)
print("T_R of layer 50:", tall.total_receptive_field(50))
for alpha in (1000, 12345, 30000):
    print(f"smallest field above {alpha}:", tall.alpha_minimal(50, alpha, t_min="one"))

# %% [markdown]
# For the networks of the paper's Proposition 2 (blocks of one $B\times B$ convolution and one
# $2\times2$ pooling) the first convolution with a field above $H/2$ can always be shrunk to
# $H/2 + 1$.

# %%
print("  B    H  layer K  T_R(K)  smallest field above H/2")
for window, size in [(2, 8), (3, 32), (5, 32), (5, 256), (7, 32)]:
    blocks = block_network(window, size, channels=4, width=8)
    k = next(n for n in range(1, blocks.depth + 1) if 2 * blocks.total_receptive_field(n) > size)
    minimal = blocks.alpha_minimal(k, size // 2)
    print(f"{window:3}  {size:3}  {k:7}  {blocks.total_receptive_field(k):6}  {minimal:24}")
    assert minimal == size // 2 + 1

# %% [markdown]
# ## What to remember
#
# - Each layer adds its window, minus one, in units of the total stride below it.
# - Predicted and measured fields agree cell by cell, in exact arithmetic.
# - The smallest reachable field above a threshold is found greedily, whatever the depth.
#
# **Try it:** give `net` a layer with a window smaller than its stride and look which input cells
# become invisible; raise `networks`; replace `random_line` by your own list of layers.
