"""Pictures of rectifier networks: what one channel looks like, and what random weights give."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ..checks import integers
from ..constructions.rectifiers import rectifier_construction
from ..exact.ranks import exact_rank
from ..trees.decompositions import coefficient_tensor
from ..trees.rectifiers import largest_average_rank, ordered_weights, pair_weights
from ..trees.tensors import activation_pooling, matricize
from ..trees.tree import ModeTree
from .drawing import on_paper
from .stored import stored_table
from .style import COLORS, INK, PALETTE, figure
from .trees import draw_tree

__all__ = ["draw_levels", "draw_rank_counts", "draw_shares"]


def draw_levels(axes: Axes, matrix: torch.Tensor, title: str = "") -> None:
    """A matrix of numbers as shades, one for each value, darker where it is larger.

    Parameters
    ----------
    axes : matplotlib Axes
    matrix : torch.Tensor, shape (m, n)
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_levels(axes, torch.eye(3), "identity")
    """
    values, shades = np.unique(on_paper(matrix), return_inverse=True)
    axes.imshow(shades.reshape(matrix.shape), cmap="Blues", vmin=-0.15 * len(values),
                interpolation="nearest")
    axes.set(xticks=[], yticks=[], title=title)
    axes.grid(False)
    axes.spines[:].set_visible(True)


def draw_rank_counts(axes: Axes, counts: Mapping[str, Mapping[int, int]]) -> None:
    """How often random draws gave each rank, as bars side by side.

    Parameters
    ----------
    axes : matplotlib Axes
    counts : dict from name to dict from rank to number of draws
        One to three names.

    Raises
    ------
    ValueError
        If there are more names, or none.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_rank_counts(axes, {"maxima": {1: 5, 2: 9}, "products": {4: 14}})
    """
    if not 1 <= len(counts) <= 3:
        raise ValueError(f"draw_rank_counts: {len(counts)} names ({', '.join(counts)}); draws one "
                         "to three")
    largest = max(max(ranks) for ranks in counts.values())
    highest = max(max(ranks.values()) for ranks in counts.values())
    width, colors = 0.8 / len(counts), (PALETTE["vermilion"], PALETTE["sky"], PALETTE["blue"])
    for number, (name, ranks) in enumerate(counts.items()):
        places = [rank + (number - (len(counts) - 1) / 2) * width for rank in range(largest + 1)]
        axes.bar(places, [ranks.get(rank, 0) for rank in range(largest + 1)], width,
                 color=colors[number])
        axes.text(-0.4, highest * (0.98 - 0.11 * number), name, color=colors[number],
                  fontweight="bold", va="top")
    axes.set_xticks(range(largest + 1))
    axes.set_xlabel("even-odd rank")
    axes.set_ylabel("draws")


def draw_shares(
    axes: Axes, shares: Mapping[str, Sequence[float]], widths: Sequence[int] | None = None
) -> None:
    """The share of draws that one channel computes, against the width of the deep network.

    Parameters
    ----------
    axes : matplotlib Axes
    shares : dict from name to sequence of float
        One entry for each width. Of more than four the fifth looks like the first.
    widths : sequence of int, optional
        1, 2, 3 and so on unless given.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_shares(axes, {"N = 4": [1.0, 0.2, 0.0]})
    """
    colors = [PALETTE[name] for name in ("vermilion", "blue", "green", "black")]
    every = (range(1, max(map(len, shares.values())) + 1) if widths is None else
             integers("draw_shares: widths", widths, 1))
    for (name, values), color, mark in zip(shares.items(), cycle(colors), cycle("osD^")):
        if widths is not None and len(values) != len(every):
            raise ValueError(f"draw_shares: {name} has {len(values)} shares for {len(every)} "
                             "widths; need one for each")
        points = sorted(zip(every, values, strict=False))
        axes.plot(*zip(*points, strict=True), mark + "-", color=color, clip_on=False)
        axes.plot([], [], mark, color=color, label=name)
    axes.legend(labelcolor="linecolor")
    axes.set_xticks(every)
    axes.set_ylim(0, 1)
    axes.set_xlabel("channels per level of the deep network")
    axes.set_ylabel("share of draws")


def _terms() -> Figure:
    """One channel with three kinds of pooling, and a deep network, as even-odd matrices."""
    star, deep = ModeTree.star(4, 3, 1), ModeTree.perfect(4, 2, 3, (3, 1))
    ordered = {(i,): 4.0 * torch.arange(3)[None] + i + 1 for i in range(4)}
    one = {(): torch.ones(1)} | ordered
    pictures = [("product", torch.mul, star, one)]
    pictures += [(name, activation_pooling("relu", pooling), star, one)
                 for name, pooling in (("sum", "sum"), ("maximum", "max"))]
    pictures += [("deep, maximum", activation_pooling("relu", "max"), deep, pair_weights(deep))]
    with figure(7.4, 2.5, columns=4) as (drawing, axes):
        for ax, (name, operator, tree, weights) in zip(axes, pictures, strict=True):
            weights = tree.map_weights(torch.Tensor.double, weights)
            matrix = matricize(coefficient_tensor(tree, weights, operator=operator), "even-odd")
            draw_levels(ax, matrix, name)
            ax.set_xlabel(f"rank {exact_rank(matrix).rank}")
    return drawing


def _stairs() -> Figure:
    """One channel with maxima as an even-odd matrix, as it comes and sorted."""
    star = ModeTree.star(4, 3, 1)
    weights = {(i,): 4.0 * torch.arange(3)[None] + i + 1 for i in range(4)} | {(): torch.ones(1)}
    tensor = coefficient_tensor(star, star.map_weights(torch.Tensor.double, weights),
                                operator=activation_pooling("relu", "max"))
    matrix = matricize(tensor, "even-odd")
    ordered = matrix[matrix.sum(1).argsort(stable=True)][:, matrix.sum(0).argsort(stable=True)]
    with figure(5, 2.5, columns=2) as (drawing, axes):
        draw_levels(axes[0], matrix, "as it comes")
        draw_levels(axes[1], ordered, "sorted")
    return drawing


def _averages() -> Figure:
    """Four partitions of one tree, with the largest rank that averages allow."""
    tree = ModeTree.perfect(8, 2, 2, (99, 99, 99))  # the width is replaced by a sign
    with figure(7, 4.2, columns=2, rows=2) as (drawing, axes):
        for ax, rows in zip(axes.flat, ((0, 1, 2, 3), (0, 1, 2, 4), (0, 1, 4, 5), (0, 2, 4, 6)),
                            strict=True):
            draw_tree(ax, tree, rows, f"largest rank {largest_average_rank(rows, 8, 2)}")
            for text in ax.texts:
                text.set_text(text.get_text().replace("99", "+"))
    return drawing


def _order() -> Figure:
    """The leaf values of the open set on a line, with the room that perturbations have."""
    tree, leeway = ModeTree.perfect(4, 2, 2, (2, 2)), 0.25
    weights = ordered_weights(tree)
    with figure(7, 1.7) as (drawing, axes):
        for mode, path in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            color = COLORS["rows"] if mode < 2 else COLORS["columns"]
            for template, value in enumerate(weights[path][0].tolist()):
                axes.plot([value - leeway, value + leeway], [0, 0], color=color, linewidth=9,
                          solid_capstyle="butt")
                axes.plot(value, 0, "o", color=INK, markersize=4)
                for height, number in ((0.95, mode), (0.5, template)):
                    axes.text(value, height, str(number), ha="center", va="center")
                axes.text(value, -0.5, f"{value:.0f}", ha="center", va="center",
                          fontweight="bold")
        for height, name in ((0.95, "position"), (0.5, "shows"), (-0.5, "value")):
            axes.text(0.55, height, name, ha="right", va="center", fontsize=10)
        axes.set(xlim=(-1, 8.5), ylim=(-0.75, 1.2))
        axes.axis("off")
    return drawing


def _numbers() -> Figure:
    """Two channels without overlap that number what they see, run on one image."""
    built, shown = rectifier_construction(2, 2), (1, 1, 0, 1)
    cells = torch.eye(2).double()[list(shown)]  # (4, 2)
    rows = [[str(template) for template in shown]]
    for weight, _ in built.weights:
        windows = cells.reshape(-1, 2, cells.shape[1])
        cells = torch.einsum("dco,uoc->uod", weight, windows).relu().amax(1)
        rows.append([", ".join(f"{x:.0f}" for x in cell) for cell in cells.tolist()])
    assert cells.item() == built.predicted_output(torch.tensor([shown])).item()
    with figure(7, 3.0) as (drawing, axes):
        for level, row in enumerate(rows):
            for place, text in enumerate(row):
                x = (place + 0.5) * 2**level
                side = COLORS["rows"] if x < 2 else COLORS["columns"]
                color = side if len(row) > 1 else INK
                for child in range(2) if level else ():
                    below = (2 * place + child + 0.5) * 2 ** (level - 1)
                    axes.plot([x, below], [level, level - 1], color=INK, linewidth=1.2, zorder=1)
                axes.add_patch(FancyBboxPatch((x - 0.33, level - 0.16), 0.66, 0.32, zorder=2,
                                              boxstyle="round,pad=0.03", facecolor="white",
                                              edgecolor=color, linewidth=1.8))
                axes.text(x, level, text, ha="center", va="center", zorder=3)
        for level, text in enumerate((
                "inputs: what\na position shows", "channels: first input,\n2 × second input",
                "larger of\nthe two sums")):
            axes.text(4.15, level, text, va="center", fontsize=10)
        axes.set(xlim=(0, 5.6), ylim=(-0.4, 2.4))
        axes.axis("off")
    return drawing


def _shares() -> Figure:
    """How often one channel was enough in the draws of the notebook."""
    curves: dict[str, list[float]] = {}
    rows = stored_table("04_rectifier_networks", "one channel enough")
    for n, m, _, count, _ in rows:
        hits, draws = map(int, count.split(" of "))
        curves.setdefault(f"N = {n}, M = {m}", []).append(hits / draws)
    with figure(4.2, 2.7) as (drawing, axes):
        draw_shares(axes, curves, list(dict.fromkeys(int(row[2]) for row in rows)))
    return drawing


def _ranks() -> Figure:
    """The ranks of the same draws, and of circuits, for N = 8 and M = 2."""
    counts = {}
    for name, *sizes, found in stored_table("04_rectifier_networks", "rank: draws"):
        if sizes == ["8", "2"]:
            pairs = (pair.split(": ") for pair in found.split(", "))
            counts[name] = {int(rank): int(draws) for rank, draws in pairs}
    with figure(4.2, 2.7) as (drawing, axes):
        draw_rank_counts(axes, counts)
        axes.set_xticks(range(0, 17, 2))
    return drawing


BOOK_FIGURES = {"rectifier-shares": _shares, "rectifier-ranks": _ranks,
                "rectifier-terms": _terms, "rectifier-order": _order,
                "rectifier-numbers": _numbers, "rectifier-stairs": _stairs,
                "rectifier-averages": _averages}
