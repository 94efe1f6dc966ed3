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
# # ConvNet experiments
#
# [Run on Colab](https://colab.research.google.com/github/your_account/overlapping-convnets/blob/main/notebooks/13_convnet_experiments.ipynb) · [Run on Binder](https://mybinder.org/v2/gh/your_account/overlapping-convnets/main?urlpath=lab/tree/notebooks/13_convnet_experiments.ipynb)
#
# Does the theory of overlaps show in networks that people train? First a small version of the
# experiment runs live, with images made on the spot. Then the stored results of longer runs on
# CIFAR-10 images are drawn. The protocol is discussed on [the page](../book/convnet-experiments.md),
# and [the next notebook](13b_what_changes_with_b.ipynb) asks what it is that the window changes.

# %% tags=["setup", "remove-cell"]
import subprocess, sys
if "google.colab" in sys.modules:  # there, fetch the course and what it needs
    subprocess.run(f'(test -d course || git clone -q --depth 1 https://github.com/your_account/overlapping-convnets course) && cd course && "{sys.executable}" -m lib.course.colab', shell=True, check=True)
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them

# %%
import textwrap

import torch
import torch.nn.functional as F

from lib import glue, verify
from lib.experiments.analysis import abscissa_at, cells, curve, missing, ratio_at
from lib.experiments.augment import Augmenter, Stream
from lib.experiments.images import dead_leaves
from lib.experiments.jobs import train_grid
from lib.experiments.kinds import KINDS
from lib.experiments.networks import Network, generator_for, plain_network
from lib.experiments.records import STORED, read
from lib.experiments.settings import PRESETS, Grid, Settings
from lib.experiments.training import Trainer
from lib.plots.experiments import draw_accuracy, draw_four_panels, draw_missing
from lib.plots.style import figure

torch.set_num_threads(1)

# %% [markdown]
# ## The networks
#
# Five blocks of a $B\times B$ convolution with $C$ channels, ReLU and $2\times2$ max pooling, then
# a dense layer with ten scores. With $B=1$ nothing overlaps: no pixel belongs to two pooling
# windows. The number of parameters grows like $4B^2C^2$.

# %%
print("parameters   " + "".join(f"C={c:<8d}" for c in (8, 16, 32, 64)))
for window in (1, 2, 3, 4, 5):
    counts = [KINDS[f"B{window}"].parameter_count(c) for c in (8, 16, 32, 64)]
    assert counts[0] == sum(p.numel() for p in plain_network(window, 8).parameters())
    print(f"B={window}          " + "".join(f"{count:<10,d}" for count in counts))

# %% [markdown]
# ## A task that can only be memorized
#
# *Dead leaves*: disks of random sizes and colors fall on each other until the plane is covered.
# Such images share the statistics of photographs. The ten classes are arbitrary, so a network
# succeeds only by remembering every exemplar, in all its augmented versions: moved and flipped, or
# with shifted colors.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-experiment-images", "caption": "Exemplars made on the spot, and random versions of the first one under the two augmentations."}, "image": {"alt": "Three rows of eight small square images of overlapping colored disks. The first row shows eight different images. The second row shows the first image moved by a few pixels and sometimes mirrored. The third row shows it with other hues, saturations and brightnesses."}}
leaves = dead_leaves(100)


def versions(kind):
    augmenter = Augmenter(leaves.images, kind)
    row = [augmenter.batch(torch.tensor([0]), augmenter.draw(generator_for(kind, k)))[0]
           for k in range(8)]
    return [image * augmenter.scale + augmenter.mean for image in row]


rows = [leaves.images[:8] / 255, versions("spatial"), versions("color")]
with figure(7.0, 2.9, columns=8, rows=3) as (drawing, grid):
    for name, line, pictures in zip(("exemplars", "spatial", "color"), grid, rows):
        for axes, picture in zip(line, pictures):
            axes.imshow(picture.permute(1, 2, 0).clamp(0, 1).numpy())
            axes.set_xticks([])
            axes.set_yticks([])
        line[0].set_ylabel(name)

# %% [markdown]
# ## A training loop
#
# Training one network takes a dozen lines:


# %%
def train(network, settings, stream):
    """Mean loss of every epoch."""
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    losses = []
    for epoch in range(settings.epochs):
        total = 0.0
        for images, labels in stream.epoch(epoch):  # shuffled and augmented
            loss = F.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        losses.append(total / len(leaves))
    return losses


few = Settings(images=100, epochs=3, batch_size=10)
widths = (2, 4, 8)
stream = Stream(leaves, "color", seed=0, batch_size=10)
alone = [train(plain_network(3, c, seed=0), few, stream) for c in widths]
for c, losses in zip(widths, alone):
    print(f"B=3, C={c}: loss from {losses[0]:.2f} to {losses[-1]:.2f}")

# %% [markdown]
# A sweep has hundreds of such networks. The engine trains narrow ones together, as one network with
# block-diagonal weights. Their losses are those of the loop:

# %%
together = Trainer([Network("B3", c, "color", seed=0) for c in widths], few, leaves)
together.run()
for network, curves, losses in zip(together.order, together.curves, alone):
    distance = max(abs(a - b) for a, b in zip(curves["loss"], losses))
    print(network.name, "same losses:", distance < 1e-3)

# %% [markdown]
# ## Predict, then train
#
# The theory says that a network without overlaps needs far more channels for the same functions.
# So $B=2$ with 16 channels should do better than $B=1$ with 32, although it has fewer channels.
# The preset `minute` trains 18 networks: $B=1,2,3$, $C=8,16,32$, both augmentations.

# %%
settings, grid = PRESETS["minute"]
print(settings.images, "images,", settings.epochs, "epochs, batches of", settings.batch_size)
live = cells(train_grid(grid, settings))
print(len(live), "networks trained")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-experiment-minute", "caption": "Training accuracy on the augmented dead leaves after half a minute of training, one seed. The dashed line is chance."}, "image": {"alt": "Two panels of training accuracy against 8, 16 and 32 channels. With color augmentation the lines for B=2 and B=3 rise to above 0.9 and the line for B=1 stays below 0.4. With spatial augmentation all lines are lower, in the same order at 32 channels."}}
with figure(7.0, 3.3, columns=2) as (drawing, panels):
    for axes, augmentation in zip(panels, ("spatial", "color")):
        draw_accuracy(axes, live, augmentation, title=f"{augmentation} augmentation")


# %%
def accuracy(found, augmentation, window, channels):
    values = found[augmentation, f"B{window}", channels]
    return sum(values) / len(values)


MARGIN = 0.05  # far above the differences between processors
wider = accuracy(live, "color", 2, 16) > accuracy(live, "color", 1, 32) + MARGIN
ordered = all(accuracy(live, "color", window + 1, 16)
              > accuracy(live, "color", window, 16) + MARGIN for window in (1, 2))
spatially = accuracy(live, "spatial", 3, 32) > accuracy(live, "spatial", 1, 32) + MARGIN
assert wider and ordered and spatially
print("color: B=2 with 16 channels beats B=1 with 32:", wider)
print("color: at 16 channels B=3 beats B=2 beats B=1:", ordered)
print("spatial: at 32 channels B=3 beats B=1:", spatially)

# %% [markdown]
# With spatial augmentation, half a minute is too short for a network with 16 channels to show what
# it can do. That comparison needs the longer runs.
#
# ## The stored runs on CIFAR-10 images
#
# Their file says what they are. Read it before the figure.

# %%
header, records = read(STORED / "laptop.jsonl")
data, chosen = header["data"], header["settings"]
print("official files:", data["official"])
print("note:", textwrap.fill(data.get("note", ""), 76))
print("images:        ", data["subset"])
print("protocol:      ", chosen["epochs"], "epochs, batches of", chosen["batch_size"],
      "- Adam", chosen["learning_rate"])
print("processors:    ", sorted({record["provenance"]["device"] for record in records}))
print("diverged:      ", sum(record["status"] != "finished" for record in records))
_, full = PRESETS["laptop"]
found = cells(records)
absent = missing(records, full)
print("networks:      ", len(records), "of", len(full.networks()), "trained,",
      len(absent), "missing")
glue("13-stored", len(records))
glue("13-planned", len(full.networks()))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-experiment-seeds", "caption": "How many of the three seeds of each cell have been trained. What is missing is not drawn in the other figures."}, "image": {"alt": "Two tables with a row for each receptive field from 1 to 5 and a column for each channel number from 2 to 64. Every cell states how many seeds were trained."}}
with figure(7.0, 2.7, columns=2) as (drawing, panels):
    for axes, augmentation in zip(panels, ("spatial", "color")):
        draw_missing(axes, found, full, augmentation)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-experiment-cifar", "caption": "Training accuracy on 2,000 augmented CIFAR-10 images against channels (left) and parameters (right). Points are means over the seeds trained, bars one standard deviation. The dashed line is chance."}, "image": {"alt": "Four panels. Against channels, the lines for B=1 to B=5 lie above one another in this order, and the line for B=1 stays below 0.45 up to 64 channels while the others reach 0.6 and more. Against parameters, the lines for B=2 to B=5 nearly fall together, and the line for B=1 bends away below them."}}
panels = draw_four_panels(found)

# %%
print("mean training accuracy (seeds)")
for augmentation in ("spatial", "color"):
    print(f"{augmentation:9s}" + "".join(f"C={c:<11d}" for c in (2, 4, 8, 16, 32, 64)))
    for window in (1, 2, 3, 4, 5):
        points = curve(found, augmentation, f"B{window}")
        print(f"  B={window}    " + "".join(f"{p[1]:.3f} ({p[3]})    " for p in points))

# %% [markdown]
# ## Overlap against twice the channels

# %%
print("accuracy of B=2 with C channels minus accuracy of B=1 with 2C channels")
gain = {}
for augmentation in ("spatial", "color"):
    for c in (2, 4, 8, 16, 32):
        gain[augmentation, c] = (
            accuracy(found, augmentation, 2, c) - accuracy(found, augmentation, 1, 2 * c))
    print(f"  {augmentation:8s}" + "  ".join(f"C={c}: {gain[augmentation, c]:+.3f}"
                                            for c in (2, 4, 8, 16, 32)))
enough = all(gain[kind, c] > 0.02 for kind in ("spatial", "color") for c in (8, 16, 32))
verify("convnet-overlap-beats-channels", enough and wider, evidence="trained",
       detail="C = 8, 16, 32 on CIFAR-10 images; dead leaves")
glue("13-gain-spatial-32", f"{gain['spatial', 32]:.2f}")
glue("13-gain-color-32", f"{gain['color', 32]:.2f}")
glue("13-gain-spatial-4", f"{gain['spatial', 4]:.2f}")

# %% [markdown]
# With 2 or 4 channels the comparison fails or says nothing. Such narrow networks are limited by
# training: with two channels several of them never leave chance, because ReLU units that are never
# active get no gradient.
#
# ## How many times more channels?
#
# Read off, for one level of accuracy, how many channels each window needs; between measured points
# by interpolation, never beyond them. The best accuracy of $B=1$ sets the highest level.

# %%
def ratios(axis):
    table = {}
    for augmentation in ("spatial", "color"):
        best = max(point[1] for point in curve(found, augmentation, "B1"))
        levels = [0.25, 0.30, best - 0.005]
        for level in levels:
            table[augmentation, level] = {
                window: ratio_at(found, augmentation, level, f"B{window}", "B1", axis)
                for window in (2, 3, 4, 5)
            }
    return table


def show(table):
    for (augmentation, level), row in table.items():
        entries = "  ".join(f"B={window}: {value:5.1f}" for window, value in row.items())
        print(f"  {augmentation:8s} at accuracy {level:.3f}   {entries}")


print("channels of B=1 divided by channels of B")
by_channels = ratios("channels")
show(by_channels)
spatial, color = ([row for (kind, _), row in by_channels.items() if kind == name]
                  for name in ("spatial", "color"))
growing = all(lower[window] < upper[window]
              for rows in (spatial, color) for lower, upper in zip(rows, rows[1:])
              for window in (2, 3, 4, 5))
verify("convnet-channel-ratio", growing and min(spatial[-1].values()) > 3
       and min(color[-1].values()) > 4, evidence="trained",
       detail="B = 2 to 5, both augmentations")
glue("13-ratio-spatial", f"{spatial[-1][2]:.1f}")
glue("13-ratio-color", f"{color[-1][2]:.1f}")
glue("13-ratio-low-spatial", f"{spatial[0][2]:.1f}")
glue("13-ratio-low-color", f"{color[0][2]:.1f}")

# %% [markdown]
# ## The same per parameter
#
# A larger window has more parameters per channel. So the fair question is the second one: at equal
# accuracy, how many times more parameters does $B=1$ need? And do the overlapping windows differ
# among themselves?

# %%
print("parameters of B=1 divided by parameters of B")
by_parameters = ratios("parameters")
show(by_parameters)
high = [row for (_, level), row in by_parameters.items() if level > 0.3]
least = min(min(row.values()) for row in high)
verify("convnet-parameter-ratio", least > 2, evidence="trained",
       detail="at the best accuracy of B = 1, C up to 64")
low = by_parameters["spatial", 0.25]
print("spatial, accuracy 0.25: B=1 is ahead of some overlapping window:",
      min(low.values()) < 1)

print("\nparameters of B=2 divided by parameters of B, at equal accuracy")
among = {}
for augmentation, levels in (("spatial", (0.4, 0.5, 0.6)), ("color", (0.4, 0.5, 0.6))):
    for level in levels:
        among[augmentation, level] = {
            window: ratio_at(found, augmentation, level, f"B{window}", "B2", "parameters")
            for window in (3, 4, 5)
        }
show(among)
spread = [value for row in among.values() for value in row.values()]
verify("convnet-overlaps-alike", 0.5 < min(spread) and max(spread) < 2,
       evidence="trained", detail="B = 3, 4, 5 against B = 2")
glue("13-alike-low", f"{min(spread):.1f}")
glue("13-alike-high", f"{max(spread):.1f}")
glue("13-parameters-spatial", f"{high[0][2]:.1f}")
glue("13-parameters-color", f"{high[1][2]:.1f}")

# %% [markdown]
# ## Does more overlap keep paying?
#
# The step from no overlap to a little of it is compared with each further step, in channels at
# equal accuracy.

# %%
steps = {}
for augmentation in ("spatial", "color"):
    level = max(point[1] for point in curve(found, augmentation, "B1")) - 0.005
    needed = [abscissa_at(curve(found, augmentation, f"B{window}"), level)
              for window in (1, 2, 3, 4, 5)]
    steps[augmentation] = [wide / narrow for wide, narrow in zip(needed, needed[1:])]
    print(f"  {augmentation:8s}" + "  ".join(
        f"B={window} to {window + 1}: {step:.1f}" for window, step
        in enumerate(steps[augmentation], start=1)))
verify("convnet-diminishing-overlap",
       all(step[0] > 2 * max(step[1:]) for step in steps.values()),
       evidence="trained", detail="B = 1 to 2 against every later step")
glue("13-later-step", f"{max(max(step[1:]) for step in steps.values()):.1f}")

# %% [markdown]
# ## What was left open, varied
#
# The source does not state the batch size, the ranges of the augmentations or the initialization.
# Each line below is the small experiment again with one choice changed: at 32 channels, does
# accuracy rise from $B=1$ to $B=2$ to $B=3$, and does $B=2$ with 16 channels beat $B=1$ with 32?

# %%
files = sorted((STORED / "variations").glob("*.jsonl"))
print(f"{'':24s}{'order at C=32':26s}{'16 beat 32':20s}")
print(f"{'':24s}{'spatial':12s}{'color':14s}{'spatial':12s}{'color':12s}")
orders = []
for file in files:
    other = cells(read(file)[1])
    rising = [accuracy(other, kind, 1, 32) < accuracy(other, kind, 2, 32)
              < accuracy(other, kind, 3, 32) for kind in ("spatial", "color")]
    doubled = [accuracy(other, kind, 2, 16) > accuracy(other, kind, 1, 32)
               for kind in ("spatial", "color")]
    orders.append((rising, doubled))
    print(f"{file.stem:24s}{rising[0]!s:12s}{rising[1]!s:14s}{doubled[0]!s:12s}{doubled[1]!s:12s}")
beats_one = sum(all(rising) for rising, _ in orders)
print(f"\nthe whole order holds in {beats_one} of {len(files)} variations")

# %% [markdown]
# ## Arithmetic circuits
#
# The theorems are about products, not about ReLU. So the same networks are trained with product
# pooling. Products of a thousand factors overflow easily; here every image carries its own scale,
# which leaves the predicted class as it is (`lib/experiments/products.py`).

# %%
circuits = Settings(images=100, epochs=30, batch_size=10, learning_rate=5e-4)
widths = {f"B{window}prod": (8, 16) for window in (1, 2, 3)}
products = train_grid(Grid(widths, ("color",)), circuits)
print("networks trained:", len(products))
print("every loss finite:", all(record["status"] == "finished" for record in products))
trained = cells(products)
reached = {(block, c): values[0] for (_, block, c), values in trained.items()}
verify("convac-overlap-beats-channels",
       reached["B2prod", 8] > reached["B1prod", 16] + MARGIN
       and reached["B3prod", 16] > reached["B2prod", 16] + MARGIN,
       evidence="trained", detail="product pooling, dead leaves, color augmentation")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-experiment-circuits", "caption": "The same experiment with product pooling: convolutional arithmetic circuits on dead leaves, color augmentation, one seed."}, "image": {"alt": "Training accuracy against 8 and 16 channels for circuits with product pooling. The line for B=1 stays near 0.2, the lines for B=2 and B=3 rise, B=3 to above 0.8."}}
with figure(4.6, 3.3) as (drawing, axes):
    draw_accuracy(axes, trained, "color", title="product pooling")

# %% [markdown]
# ## What to remember
#
# - At equal channels, accuracy rises with the window; at equal accuracy, a network without overlaps
#   needs several times more channels, and the ratio grows with the level.
# - Counted in parameters, the overlapping windows are nearly alike and $B=1$ falls behind.
# - These are training results with one optimizer and a limited budget. From $B=1$ to $B=2$ more
#   changes than overlap: [the next notebook](13b_what_changes_with_b.ipynb) takes it apart.
#
# To try: `Settings(data="photograph-patches", images=100, epochs=40)` in the live run; other seeds
# with `Grid(..., seeds=(0, 1, 2))`; or your own CIFAR-10 runs with
# `python -m lib.experiments --preset laptop`, which continues where it was stopped.
