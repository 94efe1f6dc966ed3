"""Training accuracy against channels and parameters, for every kind of network."""

import matplotlib.ticker
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..experiments.analysis import FACTORS, cells, contributions, curve, interval, quantity, size_of
from ..experiments.augment import Stream
from ..experiments.images import ImageSet, dead_leaves, photograph_patches
from ..experiments.kinds import BLOCKS, KINDS
from ..experiments.records import STORED, read
from ..trees.symmetry import moved, random_symmetry
from .drawing import on_paper
from .style import COLORS, INK, PHONE, RECEPTIVE_FIELD_COLORS, figure, label_line

__all__ = ["draw_accuracy", "draw_controls", "draw_factors", "draw_four_panels", "draw_orbit",
           "draw_sight", "draw_usage", "draw_versions", "orbit", "seen"]

CONTROLS = ("B1", "B1max3", "conv2", "B2")
# what a factor was switched on after: nothing, one other, both others
MARKERS = {"": "o", "overlap": "s", "order": "^", "mixing": "v", "both": "D"}
NAMES = {"B1": "B=1", "B1max3": "3×3 pool", "conv2": "stride 2", "B2": "B=2"}
SIGNS = {"sum": "Σ", "product": "Π"}
AXIS_NAMES = {"channels": "channels C", "parameters": "parameters"}


def color_of(block: str) -> str:
    """The color of a kind: that of the window of its linear map; dark beyond five.

    Examples
    --------
    >>> color_of("B2") == color_of("B2prod") != color_of("B3")
    True
    """
    return RECEPTIVE_FIELD_COLORS.get(KINDS[block].window, INK)


def label_of(block: str, others: list | tuple = ()) -> str:
    """What a line is called: "B=2" for the kind B2, and for B2prod where all others are products.

    Examples
    --------
    >>> label_of("B2"), label_of("B2prod"), label_of("B2prod", ["B1mean"]), label_of("conv2")
    ('B=2', 'B=2', 'B2prod', 'conv2')
    """
    plain = block.removesuffix("prod")
    named = plain != block and not all(KINDS[other].product for other in others)
    return f"B={plain[1:]}" if plain[1:].isdigit() and plain[0] == "B" and not named else block


def draw_accuracy(axes: Axes, found: dict, augmentation: str, axis: str = "channels",
                  title: str = "", dashed: dict | None = None) -> None:
    """One panel: accuracy against the size of the network, one line per kind.

    Parameters
    ----------
    axes : matplotlib Axes
    found : dict
        From :func:`lib.experiments.analysis.cells`; lines are drawn between measured points only.
    augmentation : str
    axis : {"channels", "parameters"}
        Against parameters, of more than two lines of different colors the ends alone are named.
    title : str
    dashed : dict, optional
        Drawn as dotted lines as well, in the same colors.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_accuracy(axes, {("color", "B2", 4): [0.4], ("color", "B2", 8): [0.6]}, "color")
    """
    ends, height, parts = [], 0.0, (found, dashed or {})
    curve({}, augmentation, "B1")  # of an augmentation that is none the panel would be empty
    drawn = sorted({key[1] for part in parts for key in part if key[0] == augmentation})
    for block in drawn:
        color = color_of(block)  # first: a kind that is not there is said in its own words
        points, other = (curve(part, augmentation, block, axis) for part in parts)
        if points:
            axes.errorbar(*zip(*(p[:3] for p in points), strict=True), color=color, marker="o",
                          markersize=4, capsize=2, linewidth=1.8)
        if other:  # a single point is no line
            axes.plot([p[0] for p in other], [p[1] for p in other], ".:", color=color)
        ends.append([*(points or other)[-1][1::-1], label_of(block, drawn), color])
    ends.sort()
    if axis == "parameters" and 2 < len(ends) == len({color for *_, color in ends}):
        ends = [ends[0], ends[-1]]  # most lines fall on each other, and colors tell the others
    gap = 0.075 if len(ends) < 12 else 1 / len(ends)  # labels keep their distance; of many lines
    for above, (mean, place, text, color) in zip(range(len(ends))[::-1], ends):  # they are small
        height = min(max(height + gap, mean), 9 if len(ends) < 12 else 1 - gap * above)
        label_line(axes, place, height, text, color, fontsize=10 * gap / 0.075)
    axes.axhline(0.1, color=COLORS["neutral"], linewidth=0.8, linestyle="--")
    axes.set_xscale("log", base=2 if axis == "channels" else 10)
    if axis == "channels":
        axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%d"))
    axes.set_xlim(right=axes.get_xlim()[1] * (1.5 if axis == "channels" else 3))
    axes.set(ylim=(0, max(1.0, height + 0.05)), xlabel=f"{AXIS_NAMES[axis]} (log scale)",
             ylabel=quantity(*parts), title=title)


def draw_four_panels(found: dict, augmentations: tuple = ()) -> Figure:
    """The four panels of the figure: every augmentation against channels and parameters.

    Parameters
    ----------
    found : dict
        From :func:`lib.experiments.analysis.cells`.
    augmentations : tuple of str
        By default those of the networks found.

    Returns
    -------
    matplotlib Figure

    Examples
    --------
    >>> points = {(kind, "B2", c): [0.4, 0.5] for kind in ("spatial", "color") for c in (4, 8)}
    >>> drawing = draw_four_panels(points)
    """
    trained = {augmentation for augmentation, *_ in found} or {"spatial", "color"}
    augmentations = augmentations or sorted(trained, key=("spatial", "color", "none").index)
    with figure(7.0, 3.2 * len(augmentations), 2, len(augmentations)) as (drawing, grid):
        for row, augmentation in zip(grid.reshape(-1, 2), augmentations, strict=True):
            for axes, axis in zip(row, AXIS_NAMES):
                draw_accuracy(axes, found, augmentation, axis, f"{augmentation} augmentation")
    return drawing


def seen(data: ImageSet, augmentation: str, epochs: int) -> torch.Tensor:
    """What networks see of a set of images in the first epochs of a training with seed 0.

    Parameters
    ----------
    data : ImageSet
    augmentation : {"spatial", "color", "none"}
    epochs : int

    Returns
    -------
    torch.Tensor, shape (epochs, n, 3, 32, 32)
        In the order of the set, with entries in [0, 1].

    Examples
    --------
    >>> data = dead_leaves(10)
    >>> bool((seen(data, "none", 2) - data.images / 255).abs().max() < 1e-5)
    True
    """
    stream = Stream(data, augmentation, seed=0, batch_size=len(data))
    stream.labels = torch.arange(len(data), device="cpu")  # a batch says which it shows
    versions = []
    for [(pictures, places)] in map(stream.epoch, range(epochs)):
        pictures = pictures * stream.augmenter.scale + stream.augmenter.mean
        versions.append(pictures[places.argsort()].clamp(0, 1))
    return torch.stack(versions)


def draw_versions(axes: Axes, rows: torch.Tensor, title: str = "") -> None:
    """Lines of an image and its versions in the epochs of a training.

    Parameters
    ----------
    axes : matplotlib Axes
    rows : torch.Tensor, shape (lines, pictures, 3, 32, 32)
        Entries in [0, 1].
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_versions(axes, torch.zeros(2, 3, 3, 32, 32), "black")
    """
    for r, line in enumerate(rows):
        for c, picture in enumerate(line):
            x = 1.08 * c + 0.2 * (c > 0)
            axes.imshow(on_paper(picture.permute(1, 2, 0)), interpolation="none",
                        extent=(x, x + 1, -1.08 * r - 1, -1.08 * r))
    low = -1.08 * len(rows)
    for c in range(rows.shape[1]):
        axes.text(1.08 * c + 0.2 * (c > 0) + 0.5, low, f"epoch {c}" if c else "image", va="top",
                  ha="center", fontsize=10)
    axes.set(xlim=(-0.02, 1.08 * rows.shape[1] + 0.4), ylim=(low - 0.3, 0.02), aspect="equal")
    axes.axis("off")
    axes.set_title(title, fontsize=11)


def orbit(pictures: torch.Tensor, generator: torch.Generator) -> list[torch.Tensor]:
    """Images of 32×32 pixels and three others that shared 1×1 windows cannot tell from them.

    Parameters
    ----------
    pictures : torch.Tensor, shape (..., 32, 32)
    generator : torch.Generator

    Returns
    -------
    list of torch.Tensor
        The images; with quarters and their quarters exchanged; changed inside the blocks of 4×4
        pixels only; with everything exchanged.

    Examples
    --------
    >>> pictures = torch.arange(1024).view(32, 32)
    >>> [len(image.unique()) for image in orbit(pictures, torch.Generator().manual_seed(0))]
    [1024, 1024, 1024, 1024]
    """
    coarse = random_symmetry(2, generator)[:, None] * 64 + torch.arange(64, device="cpu")
    fine = torch.cat([16 * block + random_symmetry(2, generator) for block in range(64)])
    every = random_symmetry(5, generator)
    return [pictures, *(moved(pictures, turn) for turn in (coarse.flatten(), fine, every))]


def draw_orbit(members: list[torch.Tensor]) -> Figure:
    """The images of :func:`orbit` in columns, a line for each exemplar.

    Parameters
    ----------
    members : list of torch.Tensor, each of shape (lines, 3, 32, 32)

    Returns
    -------
    matplotlib Figure

    Examples
    --------
    >>> drawing = draw_orbit([torch.zeros(2, 3, 32, 32)] * 4)
    """
    with figure(6.0, 3.1, columns=len(members), rows=len(members[0]), turns=False,
                squeeze=False) as (drawing, grid):
        for column, pictures in zip(grid.T, members, strict=True):
            for axes, picture in zip(column, pictures, strict=True):
                axes.imshow(on_paper(picture.permute(1, 2, 0)), interpolation="none")
                axes.axis("off")
    return drawing


def draw_sight(axes: Axes, block: str) -> None:
    """What two neighboring values of a block see of the map below, and how.

    Overlap: the two windows share pixels.  Order: every pixel of a window has a tint of its own.
    The sign in the window says how its pixels come together.

    Parameters
    ----------
    axes : matplotlib Axes
    block : str
        Name of a kind.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_sight(axes, "conv2")
    """
    kind, color, side = KINDS[block], color_of(block), KINDS[block].field
    rows, columns = max(4, side), max(6, side + 2)
    for row in range(rows):
        for column in range(columns):
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor="white", edgecolor="#CCCCCC",
                                     linewidth=0.7))
    for row in range(side):
        for column in range(side):
            tint = 0.2 + 0.55 * (row * side + column) / side**2 if kind.order else 0.4
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=color, alpha=tint,
                                     edgecolor="none"))
    for start, line in ((0, "-"), (2, "--")):
        axes.add_patch(Rectangle((start, 0), side, side, fill=False, edgecolor=INK, linestyle=line,
                                 linewidth=1.8, zorder=3))
    ways = kind.pool, "sum" if kind.mixing else kind.combine if kind.separate else "none"
    sign = "\n".join(dict.fromkeys(SIGNS.get(way, way) for way in ways if way != "none"))
    axes.text(1, side / 2, sign, ha="center", va="center")
    axes.set(xlim=(-0.1, columns + 0.1), ylim=(rows + 0.1, -0.1), aspect="equal")
    axes.axis("off")


def draw_controls(found: dict, blocks: tuple = CONTROLS) -> Figure:
    """Networks that differ in one thing at a time: what they see, and what they reach.

    Parameters
    ----------
    found : dict
        From :func:`lib.experiments.analysis.cells`; what is not there is not drawn.
    blocks : tuple of str
        Four kinds.  Lines of overlapping ones are solid, the others dashed.

    Returns
    -------
    matplotlib Figure

    Examples
    --------
    >>> drawing = draw_controls({("color", "B1", c): [0.2, 0.3] for c in (4, 8)})
    """
    trained = sorted({key[0] for key in found}, key=("color", "spatial", "none").index) or ["color"]
    with figure(4.8, round(2.8 + 2.3 * len(trained), 1), len(blocks), 1 + len(trained),
                squeeze=False,  # of one kind, too
                gridspec_kw={"height_ratios": [1] + [2.3] * len(trained)}) as (drawing, grid):
        for axes, block in zip(grid[0], blocks):
            draw_sight(axes, block)
            kind = KINDS[block]
            has = [f"{'' if getattr(kind, factor) else 'no '}{factor}" for factor in FACTORS]
            axes.set_title(NAMES.get(block, block), fontsize=11, color=INK)
            axes.text(0, max(4, kind.field) + 0.4, ",\n".join(has), va="top")
        sizes = [size_of(kind, c, "parameters") for _, kind, c in found if kind in blocks] or [90]
        for row, augmentation in enumerate(trained, start=1):
            for axes in grid[row]:
                axes.remove()
            axes = drawing.add_subplot(axes.get_gridspec()[row, :])
            lines = {block: curve(found, augmentation, block, "parameters") for block in blocks}
            for block, points in lines.items():
                if points:
                    dash = "-" if KINDS[block].overlap else (0, (4, 2))
                    axes.errorbar([p[0] for p in points], [p[1] for p in points],
                                  [p[2] for p in points], color=color_of(block), linestyle=dash,
                                  marker="o", markersize=4, capsize=2, linewidth=1.8,
                                  markerfacecolor=color_of(block) if dash == "-" else "white")
                    place, height, *_ = points[-1]
                    below = block == "B1max3" or any(  # the lower of two that end together, or one
                        (other[-1][1], name != "B1max3", name) > (height, True, block)
                        for name, other in lines.items() if other and other[-1][0] == place)
                    label_line(axes, place, height, NAMES.get(block, block), INK,
                               xytext=(5, -9 if below else 5))
            axes.axhline(0.1, color=COLORS["neutral"], linewidth=0.8, linestyle="--")
            axes.set(xscale="log", xlim=(0.7 * min(sizes), 5.4 * max(sizes)), ylim=(0, 1.0),
                     ylabel=quantity(found))
            axes.set_title(f"{augmentation} augmentation", fontsize=11)
        axes.set_xlabel("parameters (log scale)")
    return drawing


def draw_factors(axes: Axes, table: dict, title: str = "") -> None:
    """What each factor adds, by what was switched on before it: four points per factor.

    A circle: the factor alone.  A square, a triangle, a triangle on its tip: after overlap, order,
    mixing.  A diamond: after both others.

    Parameters
    ----------
    axes : matplotlib Axes
    table : dict
        From :func:`lib.experiments.analysis.contributions`.
    title : str

    Examples
    --------
    >>> steps = {"overlap": [0.0], "order": [0.1], "mixing": [0.3]}
    >>> with figure() as (drawing, axes):
    ...     draw_factors(axes, {tuple(steps): steps})
    """
    for row, factor in enumerate(FACTORS):
        points = {}
        for order, steps in table.items():
            before = frozenset(order[:order.index(factor)])
            points[before] = interval(steps[factor])[0]
        for before, value in points.items():
            marker = MARKERS[" ".join(before) if len(before) < 2 else "both"]
            color = COLORS["exact"] if before else INK
            axes.plot(value, row, marker, color=color, markersize=8, markeredgewidth=1.6,
                      markerfacecolor=color if before else "white")
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(3), FACTORS)
    axes.set_ylim(2.6, -0.6)
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(f"{quantity(table)} added")


def draw_usage(axes: Axes, found: list, when: str = "after") -> None:
    """Training accuracy against what networks use of their rank, one point per network.

    Parameters
    ----------
    axes : matplotlib Axes
    found : list of dict
        From :func:`lib.experiments.separation.trained_usage`.
    when : {"before", "after"}
        The effective rank before or after training.

    Examples
    --------
    >>> record = {"block": "B2prod", "accuracy": 0.5, "after": {"effective": 1.5}}
    >>> with figure() as (drawing, axes):
    ...     draw_usage(axes, [record])
    """
    ends = {}
    for record in found:
        block, place = record["block"], record[when]["effective"]
        overlap = KINDS[block].overlap
        axes.plot(place, record["accuracy"], "o", color=color_of(block), markersize=7,
                  markerfacecolor=color_of(block) if overlap else "white", markeredgewidth=1.8)
        ends[block] = max(ends.get(block, (0, 0)), (place, record["accuracy"]))
    for block, (place, height) in ends.items():
        label_line(axes, place, height, block, INK, fontsize=9)
    axes.set(ylim=(0, 1.05), xlabel="effective rank", ylabel="training accuracy")


def architecture() -> Figure:
    """The network of the experiments: five halvings of the image, each at one channel number.

    Examples
    --------
    >>> drawing = architecture()
    """
    with figure(7.0, 2.6) as (drawing, axes):
        x, narrow = 0.0, drawing.get_figwidth() <= PHONE
        for block in range(BLOCKS + 1):
            side = 32 >> block
            size = 0.45 + 1.6 * (side / 32) ** 0.5
            name = "image" if block == 0 else f"block {block}"
            for layer in range(3, -1, -1):
                axes.add_patch(Rectangle((x + 0.09 * layer, 0.09 * layer - size / 2), size, size,
                                         facecolor="white", edgecolor=INK, linewidth=0.9))
            if block < BLOCKS:
                dot = size * 0.22
                axes.add_patch(Rectangle((x + size * 0.2, -dot / 2), dot, dot,
                                         facecolor=RECEPTIVE_FIELD_COLORS[3], edgecolor="none"))
            below = -1.32 - 1.1 * (narrow and block % 2)  # by turns: there is no room side by side
            axes.text(x + size / 2 + 0.1, below, f"{name}\n{side}×{side}", ha="center", va="top",
                      fontsize=9)
            x += size + 0.62
        axes.text(x - 0.1, 0, "10 scores", va="center", fontsize=10)
        axes.set(xlim=(-0.2, x + 1.4), ylim=(-3.4 if narrow else -2.1, 1.5), aspect="equal")
        axes.axis("off")
    return drawing


def stored_panels() -> Figure:
    """The four panels of the stored CIFAR-10 runs, for the chapter.

    Examples
    --------
    >>> drawing = stored_panels()
    """
    return draw_four_panels(cells(read(STORED / "laptop.jsonl")[1]))


def stored_records() -> list[dict]:
    """All stored CIFAR-10 runs of one protocol: published kinds, wide B=1, all other kinds.

    Examples
    --------
    >>> {"B1", "conv2"} <= {record["block"] for record in stored_records()}
    True
    """
    return [record for name in ("laptop", "b1-wide", "factorial")
            for record in read(STORED / f"{name}.jsonl")[1]]


def stored_controls() -> Figure:
    """The stored runs of the four networks that take the comparison apart, for the chapter.

    Examples
    --------
    >>> drawing = stored_controls()
    """
    return draw_controls(cells(stored_records()))


def exemplars() -> Figure:
    """Three images and what the two augmentations make of them in three epochs.

    Examples
    --------
    >>> drawing = exemplars()
    """
    sets = ((dead_leaves(10), (0, 1)), (photograph_patches(10), (1,)))
    with figure(7.0, 2.8, columns=2) as (drawing, axes):
        for ax, augmentation in zip(axes, ("spatial", "color")):
            lines = [torch.cat((data.images[None] / 255, seen(data, augmentation, 3)))[:, place]
                     for data, places in sets for place in places]
            draw_versions(ax, torch.stack(lines), augmentation)
    return drawing


def orbits() -> Figure:
    """Two images and three of each orbit, those of the notebook.

    Examples
    --------
    >>> drawing = orbits()
    """
    return draw_orbit(orbit(dead_leaves(10).images[:2], torch.Generator().manual_seed(0)))


def stored_factors() -> Figure:
    """What each factor adds from B=1 to B=2, in the stored runs, for the chapter.

    Examples
    --------
    >>> drawing = stored_factors()
    """
    with figure(7.0, 3.0, columns=2) as (drawing, panels):
        records = stored_records()
        for axes, kind in zip(panels, ("color", "spatial")):
            draw_factors(axes, contributions(records, kind, 32), f"{kind} augmentation, C=32")
    return drawing


BOOK_FIGURES = {"experiment-network": architecture, "experiment-orbit": orbits,
                "experiment-accuracy": stored_panels, "experiment-controls": stored_controls,
                "experiment-versions": exemplars, "experiment-factors": stored_factors}
