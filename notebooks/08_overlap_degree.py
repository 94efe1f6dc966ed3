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
# predicted by arithmetic and then measured by changing one input cell at a time. Definitions and
# proofs are on [the page](../book/receptive-field-algebra.md). A line that begins with *claim holds*
# checks one of its statements; the [ledger](../book/ledger.md) lists them.

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course && cd course && "{sys.executable}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import torch

from lib import (Architecture, Modular, block_network, check_answer, checking,
                 correspondence, forward, glue, simulate, table)
from lib.plots.architectures import draw_reachable_fields, figure

field = Modular()  # exact arithmetic: a change is seen or it is not
generator = torch.Generator().manual_seed(8)

# %% [markdown]
# ## Specify and predict
#
# An `Architecture` has an input size $H$, $M$ representation channels and layers
# $(R, S, D)$: window, stride, channels. Everything below is integer arithmetic on these numbers.

# %%
net = Architecture(16, 2, ((3, 1, 3), (2, 2, 3), (3, 1, 3), (2, 2, 3)))
numbers = range(1, net.depth + 1)

table([(n, net.layers[n - 1].window, net.layers[n - 1].stride,
        net.total_receptive_field(n), net.total_stride(n),
        net.overlap_degree(n)) for n in numbers],
      ["layer", "window", "stride", "T_R", "T_S", "T_R / T_S"])

# %% [markdown]
# Project a cell of each layer, and its right neighbor, back to the input. The first layer sees a
# small square. Three layers later a cell sees ten columns, and shares six of them with its
# neighbor.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-projection", "caption": "What one cell of each layer sees (blue) and what its right neighbor sees (orange, dashed), on a 16×16 input. The squares grow, and so does what both see, from two columns to six."}, "image": {"alt": "Four grids of 16 by 16 cells, one per layer. The blue squares have sides 3, 4, 8 and 10, the orange squares are shifted right by 1, 2, 2 and 4 columns."}}
lines = -(-net.depth // 2)
with figure(6, 3.1 * lines, columns=2, rows=lines) as (drawing, axes):
    for number, ax in zip(numbers, axes.flat):
        net.draw(ax, layer=number)
    for ax in axes.flat[net.depth:]:
        ax.axis("off")

# %% [markdown]
# The same along one axis, as cones from two cells of the top layer down to the input.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-cones", "caption": "Two neighboring cells of layer 4 of a one-dimensional network with the same windows and strides."}, "image": {"alt": "Rows of cells for the input and four layers. Two cones start at neighboring cells of layer 4 and cover ten input cells each; six of these belong to both."}}
line = Architecture((16,), net.channels, net.layers)
with figure(7, 4.4) as (drawing, axes):
    line.draw(axes)

# %% [markdown]
# ## The network by hand
#
# A layer applies an affine map to every cell of a window and multiplies the results. Cells beyond
# the border are zeros, of which only the bias is left. Here this is written out, modulo the prime
# of `field`, and held against `forward`, which the rest of the notebook uses.


# %%
def layer_by_hand(x, weight, bias, stride):
    """From (channels, cells) to (new channels, new cells)."""
    cells, outputs = x.shape[1], []
    for start in range(0, cells, stride):
        value = torch.ones(len(weight)).double()
        for a in range(weight.shape[-1]):
            factor = bias[:, a]
            if start + a < cells:
                factor = factor + weight[..., a] @ x[:, start + a]
            value = value * (factor % field.prime) % field.prime
        outputs.append(value)
    return torch.stack(outputs, dim=1)


random = torch.Generator().manual_seed(0)
weights = line.random_weights(field, random)
image = field.random((2, 16), random)

x = image
for (weight, bias), layer in zip(weights, line.layers):
    x = layer_by_hand(x, weight, bias, layer.stride)
print("output:", tuple(x.shape), "| equal to forward:",
      torch.equal(x, forward(line, weights, image[None], field)[0]))

# %% [markdown]
# ## Measure
#
# Run the first $l$ layers with random weights, in exact arithmetic. Change one input cell and look
# whether cell $v$ of layer $l$ changes. Random weights make every dependence visible: an output is
# a polynomial in the input, and a random point is a zero of its difference only with tiny
# probability. A field that reaches beyond the end of the line is measured up to there.


# %%
def cells_that_notice(net, layer):
    """Row x, column v: does cell v notice a change at input cell x?"""
    lower = Architecture(net.size, net.channels, net.layers[:layer])
    weights = lower.random_weights(field, generator)
    (length,) = net.size
    cells = range(length)
    image = field.random((1, net.channels, length), generator)
    changed = image.repeat(length, 1, 1)  # image x differs at cell x only
    new_values = field.random((length, net.channels), generator)
    changed[cells, :, cells] = new_values
    before, after = (forward(lower, weights, x, field)
                     for x in (image, changed))
    return (before != after).any(dim=1)  # (input cells, cells of the layer)


layer = 3
measured = cells_that_notice(line, layer)
first, last = measured[:, 0].nonzero()[[0, -1]].flatten().tolist()
print(f"cell 0 of layer {layer} notices input cells", first, "to", last)
print("predicted T_R:", line.total_receptive_field(layer),
      "| measured:", last - first + 1)


# %% [markdown]
# The whole pattern can be predicted, not only its extent. A cell sees its first input cell, plus
# one offset inside the window of every layer up to its own, each in units of the total stride below
# that layer.


# %%
def predicted(net, layer):
    """The same matrix, from the offsets inside the windows."""
    offsets = {0}
    for unit, largest in zip(*net.digits(layer)):
        offsets = {offset + unit * a for offset in offsets
                   for a in range(largest + 1)}
    (length,), (cells,) = net.size, net.output_sizes[layer]
    seen = torch.zeros(length, cells, dtype=torch.bool)
    for cell in range(cells):
        for offset in offsets:
            place = cell * net.total_stride(layer) + offset
            if place < length:
                seen[place, cell] = True
    return seen


print("every entry as predicted:",
      torch.equal(measured, predicted(line, layer)))


# %% [markdown]
# One network is an anecdote. Draw networks with random depth, windows and strides, and compare
# every layer: the whole dependence pattern, the extent of the field of cell 0, and the distance
# from one cell's field to the next.


# %%
def draw(low, high):
    return int(torch.randint(low, high + 1, (), generator=generator))


def random_line():
    """Up to four layers, long enough for two whole fields."""
    depth = draw(1, 4)
    pairs = torch.randint(1, 5, (depth, 2), generator=generator).tolist()
    layers = [(window, stride, 2) for window, stride in pairs]
    shape = Architecture((1,), 2, layers)
    length = shape.total_receptive_field(depth) + shape.total_stride(depth)
    return Architecture((length,), 2, layers)


def compare(net, layer):
    """Are pattern, extent and distance as predicted?"""
    seen = cells_that_notice(net, layer)
    if seen.shape[1] < 2:
        raise ValueError(f"{net}: layer {layer} has one cell, and a distance "
                         "takes two; take a longer line")
    first, last = seen[:, 0].nonzero()[[0, -1]].flatten().tolist()
    next_first = int(seen[:, 1].nonzero()[0])
    extent = min(net.total_receptive_field(layer), *net.size)  # up to the end
    return (torch.equal(seen, predicted(net, layer)),
            last - first + 1 == extent,
            next_first - first == net.total_stride(layer))


networks, outcomes = 60, []
for _ in range(networks):
    other = random_line()
    outcomes += [compare(other, n) for n in range(1, other.depth + 1)]
table(zip(["pattern", "extent, T_R", "distance, T_S"],
          map(sum, zip(*outcomes)), 3 * [len(outcomes)]),
      ["compared", "as predicted", "of"])

# %% tags=["hide-input"]
with checking("total-receptive-field",
              detail=f"{networks} random networks, every layer") as check:
    for pattern, extent, distance in outcomes:
        check(pattern and extent and distance)

# %% tags=["remove-cell"]
glue("08-networks", networks)


# %% [markdown]
# The two forms of $T_R$ agree too. No network runs for this: it is one formula against another.


# %%
def second_form(net, layer):
    """The window of the layer, and what overlaps below, in input cells."""
    def unit(k):
        return net.total_stride(k - 1)

    own = net.layers[layer - 1].window * unit(layer)
    return own + sum((net.layers[k - 1].window - net.layers[k - 1].stride)
                     * unit(k) for k in range(1, layer))


candidates = [random_line() for _ in range(500)]
forms = [(other.total_receptive_field(n), second_form(other, n))
         for other in candidates for n in range(1, other.depth + 1)]
print(f"both forms of T_R agree in {sum(a == b for a, b in forms)} "
      f"of {len(forms)} layers")

# %% tags=["hide-input"]
with checking("total-receptive-field", evidence="closed form",
              detail="the two forms, {count} layers") as check:
    for first_form, second in forms:
        check(first_form == second, (first_form, second))

# %% [markdown]
# Without overlaps the fields tile the input: the field of a cell ends where that of the next begins.
# One overlapping layer is enough to end this, from that layer on. Measure both numbers, in networks
# without overlaps and in the same networks with one window made larger.


# %%
def measured_field(net, layer):
    """Extent of the field of cell 0, and the distance to that of cell 1."""
    seen = cells_that_notice(net, layer)
    first, last = seen[:, 0].nonzero()[[0, -1]].flatten().tolist()
    return last - first + 1, int(seen[:, 1].nonzero()[0]) - first


def with_length(layers):
    """A network on an input that holds two whole fields."""
    shape = Architecture((1,), 2, layers)
    depth = shape.depth
    length = shape.total_receptive_field(depth) + shape.total_stride(depth)
    return Architecture((length,), 2, layers)


tiles = []
for _ in range(30):
    strides = [draw(1, 3) for _ in range(draw(1, 4))]
    place, more = draw(0, len(strides) - 1), draw(1, 2)
    for wider in (None, place):
        layers = [(stride + more * (k == wider), stride, 2)
                  for k, stride in enumerate(strides)]
        other = with_length(layers)
        tiles += [(wider is not None and n > wider, *measured_field(other, n))
                  for n in range(1, other.depth + 1)]
table([(name, sum(o == kind for o, _, _ in tiles),
        sum(o == kind and extent == step for o, extent, step in tiles),
        sum(o == kind and extent > step for o, extent, step in tiles))
       for name, kind in (("no", False), ("yes", True))],
      ["an overlap up to this layer", "layers", "field = distance",
       "field > distance"])

# %% tags=["hide-input"]
with checking("fields-tile", detail="{count} layers measured, with and "
                                    "without one overlap") as check:
    for overlap, extent, distance in tiles:
        check(extent > distance if overlap else extent == distance,
              (overlap, extent, distance))

# %% [markdown]
# ## A larger window can do what a smaller one does
#
# The proposition says it with weights: outside the smaller window the weights are 0 and the bias
# is 1, and a layer that is to disappear copies its input. The large network has four layers, the
# small one keeps the second and the fourth, with smaller windows. Both run on the same images.

# %%
large = Architecture(4, 2, ((3, 1, 2), (3, 2, 3), (2, 1, 4), (4, 2, 1)))
small = Architecture(4, 2, ((2, 2, 3), (2, 2, 1)))
weights = small.random_weights(field, generator)
imitation = simulate(large, small, weights)
images = field.random((500, 2, 4, 4), generator)

same = torch.equal(forward(large, imitation, images, field),
                   forward(small, weights, images, field))
print("layers of the large network that play those of the small one:",
      correspondence(large, small))
print(f"equal on {len(images)} random images:", same)

# %% [markdown]
# The same for random networks. Draw a large one. Keep every layer whose stride is above 1, keep or
# remove the others (a layer is removed only if it has enough channels to pass on what it reads), and
# shrink every window that is kept to a random size. Every third small network is the one without
# overlaps, $R'=S$.


# %%
def random_pair(tiling):
    """A large network and a small one, both on 5×5 cells."""
    layers, kept, carried = [], [], 2
    for _ in range(draw(2, 4)):
        stride = draw(1, 2)
        window, channels = draw(stride, 4), draw(1, 4)
        layers.append((window, stride, channels))
        removable = stride == 1 and channels >= carried and not tiling
        if removable and draw(0, 1):
            continue
        window = stride if tiling else draw(1, window)
        kept.append((window, stride, channels))
        carried = channels
    return (Architecture(5, 2, stack) for stack in (layers, kept or layers))


count = 20  # images for every pair


def imitates(large, small):
    """Does the large network compute what the small one does?"""
    weights = small.random_weights(field, generator)
    images = field.random((count, 2, 5, 5), generator)
    expected = forward(small, weights, images, field)
    found = forward(large, simulate(large, small, weights), images, field)
    return torch.equal(found[:, :expected.shape[1]], expected)


pairs, removed, imitated = 60, 0, []
for number in range(pairs):
    large, small = random_pair(tiling=number % 3 == 0)
    imitated.append(imitates(large, small))
    removed += large.depth - small.depth
print(f"{sum(imitated)} of {pairs} small networks imitated")
print("layers removed in all:", removed)

# %% tags=["hide-input"]
with checking("shrinking-windows",
              detail=f"{pairs} random pairs, {count} images each") as check:
    check(same, "the pair of the example")
    for outcome in imitated:
        check(outcome)

# %% tags=["remove-cell"]
glue("08-imitations", pairs)

# %% [markdown]
# Without biases the imitation is impossible, and one number shows it: without biases every product
# that touches a zero pixel vanishes, so the large network is 0 on an image with a zero pixel that
# the small network does not even look at.

# %%
pair = Architecture((2,), 1, ((2, 2, 1),))
no_bias = pair.random_weights(field, generator, biases=False)
image = field.tensor([[[5, 0]]])  # one image, one channel, two cells
print("output without biases:", int(forward(pair, no_bias, image, field)))

# %% [markdown]
# ## The α-minimal receptive field
#
# Shrinking the windows of the first $l$ layers shrinks the field of layer $l$. Which sizes can be
# reached, and which is the smallest above $\alpha$? For windows $3, 3$ and strides $4, 1$:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-alpha-minimal", "caption": "Total receptive fields that layer 2 can be shrunk to (filled). The α-minimal one, in green, is the first beyond the dashed line."}, "image": {"alt": "A row of boxes numbered 1 to 16. Boxes 1 to 3, 5 to 7 and 9 to 11 are filled, the others empty. A dashed line at 8 marks alpha; box 9 is green."}}
two, least = Architecture((16,), 2, ((3, 4, 2), (3, 1, 2))), 8
with figure(7, 1.6) as (drawing, axes):
    draw_reachable_fields(axes, two, layer=2, alpha=least)

# %%
print("reachable fields:", [shift + 1 for shift in two.reachable_shifts(2)])
print(f"smallest above {least}:", two.alpha_minimal(2, least, t_min="one"))

# %% [markdown]
# The greedy rule finds it in one pass. Hold it against the enumeration of all windows, for the
# paper's range $S_k\le t_k\le R_k$ and for the larger range $1\le t_k\le R_k$.


# %%
def by_enumeration(net, alpha, t_min):
    """The smallest field above alpha, over all choices of windows."""
    fields = {1}
    for k, layer in enumerate(net.layers):
        smallest = layer.stride if t_min == "stride" else 1
        fields = {size + net.total_stride(k) * (t - 1) for size in fields
                  for t in range(smallest, layer.window + 1)}
    return min((size for size in fields if size > alpha), default=None)


trials = []
for _ in range(400):
    other = random_line()
    trials.append((other, draw(0, other.total_receptive_field(other.depth))))
greedy = [[other.alpha_minimal(other.depth, alpha, t_min)
           for t_min in ("stride", "one")] for other, alpha in trials]
both = [found for found in greedy if None not in found]
print("the larger range gives a smaller field in",
      sum(larger < paper for paper, larger in both), "of", len(both),
      "networks where both have one")

# %% tags=["hide-input"]
with checking("alpha-minimal-greedy",
              detail="{count} cases against all windows") as check:
    for (other, alpha), found in zip(trials, greedy):
        for t_min, smallest in zip(("stride", "one"), found):
            check(smallest == by_enumeration(other, alpha, t_min), other)

# %% tags=["remove-cell"]
glue("08-alpha-cases", check.count)

# %% [markdown]
# Fifty layers of $9\times9$ windows leave $9^{50}$ choices, far beyond enumeration. Greedy looks at
# each layer once.

# %%
R, L = 9, 50
tall = Architecture((10**6,), 2, [(R, 1 + (k % 5 == 4), 4) for k in range(L)])
print("choices of windows:", R**L)
print(f"T_R of layer {L}:", tall.total_receptive_field(L))
table([(alpha, tall.alpha_minimal(L, alpha, t_min="one"))
       for alpha in (1000, 12345, 30000)],
      ["α", "smallest field above α"])

# %% [markdown]
# Deep networks often alternate one $B\times B$ convolution with one $2\times2$ pooling. In these,
# for $B\ge2$, the first convolution whose field is above $H/2$ can always be shrunk to $H/2 + 1$.

# %%
rows = []
for window, size in [(2, 8), (3, 32), (5, 32), (5, 256), (7, 32)]:
    blocks = block_network(window, size, channels=4, width=8)
    fields = ((k, blocks.total_receptive_field(k))
              for k in range(1, blocks.depth, 2))  # the convolutions
    k, field_k = next((k, t_r) for k, t_r in fields if 2 * t_r > size)
    minimal = blocks.alpha_minimal(k, size // 2)
    assert minimal == size // 2 + 1
    rows.append((window, size, k, field_k, minimal))
table(rows, ["B", "H", "layer K", "T_R of layer K", "smallest above H/2"])

# %% [markdown]
# ## What to remember
#
# - Each layer adds its window, minus one, in units of the total stride below it.
# - Predicted and measured fields agree cell by cell, in exact arithmetic.
# - The smallest reachable field above a threshold is found greedily, whatever the depth.
#
# **Try it:** give `net` a layer with a window smaller than its stride and look which input cells
# become invisible; raise `networks`; replace `random_line` by your own list of layers.

# %% [markdown]
# ## Try it
#
# Write a few lines in place of `None` and run the cell. It says at once whether they are right; if
# not, it names the smallest input it knows on which they fail. All it needs is the set-up and the
# imports at the top. The first is for everyone, the last is hard; [the
# page](../book/receptive-field-algebra.md#exercises) has more.

# %% [markdown]
# ### A field from a list
#
# The total receptive field of the last layer, along one axis, without `lib`.


# %% tags=["exercise"]
def field_of(layers):
    """layers: as ((3, 1), (2, 2)), window and stride of each."""
    return None


check_answer("08-field", field_of)

# %% [markdown]
# ### A large window plays a small one
#
# A window of three pixels computes $\prod_i(w_ix_i+b_i)$. Give the weights and the biases with which
# it computes $2x_0+1$.

# %% tags=["exercise"]
weights_and_biases = None  # as ((1, 1, 1), (0, 0, 0))

check_answer("08-imitate", weights_and_biases)

# %% [markdown]
# ### How many layers?
#
# Convolutions with windows of 3 and stride 1, and after every second one a pooling with window 2 and
# stride 2, as in VGG. Which convolution, counted from 1, is the first whose units see at least so
# many pixels?


# %% tags=["exercise"]
def layers_needed(pixels):
    return None


check_answer("08-layers", layers_needed)

# %% [markdown]
# ### What nobody looks at
#
# Where a window is smaller than the stride, cells are skipped. How many cells of a line of length
# `size` does no unit of the last layer depend on? (A map has as many cells as the one below divided
# by the stride, rounded up.)


# %% tags=["exercise"]
def cells_unseen(size, layers):
    """layers: as ((2, 3), (1, 1)), window and stride of each."""
    return None


check_answer("08-unseen", cells_unseen)

# %% [markdown]
# ### When greedy fails
#
# You may take each unit as often as there are copies of it, up to a limit in all. Greedy takes the
# largest units first. Give units, copies and a limit for which greedy does not come as near to the
# limit as possible. (Why can this not happen to the strides of a network?)

# %% tags=["exercise"]
units_and_limit = None  # as ([(2, 3), (6, 1)], 10): three 2s and one 6

check_answer("08-greedy", units_and_limit)
