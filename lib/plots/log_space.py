"""Pictures of log-space and of missing data: MEX, windows, leaves set to one, accuracies."""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..checks import choice
from ..experiments.analysis import interval
from ..experiments.records import STORED
from ..networks.architecture import Architecture
from ..networks.convolutional import forward
from ..networks.log_space import log_forward, mex
from ..networks.missing_data import missing_pixels
from ..photograph import photograph_patches
from ..trees.tree import ModeTree, Node
from .drawing import on_paper
from .style import COLORS, INK, PALETTE, figure, label_line

__all__ = ["BOOK_FIGURES", "draw_accuracies", "draw_tile", "stored_accuracies", "stored_records"]

_LINES = ("blue", "vermilion", "orange", "green", "purple", "black")


def draw_accuracies(
    axes: Axes,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float] | None]],
    label: str,
    chance: float | None = None,
) -> None:
    """Percentages of right answers against what is missing, one line for each method.

    Parameters
    ----------
    axes : matplotlib Axes
    curves : dict from name to (places, values, half widths of intervals or None)
        Of more than six the seventh looks like the first. A half width may be None, too: that of
        a single value.
    label : str
        Of the horizontal axis.
    chance : float, optional
        A dotted line.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_accuracies(axes, {"marginal": ([0, 50], [60, 55], [1, 2])}, "missing", 10)
    """
    for (name, (places, values, widths)), color, mark in zip(
            curves.items(), cycle(_LINES), cycle("osD^vP")):
        widths = None if widths is None else [math.nan if w is None else w for w in widths]
        axes.errorbar(places, values, widths, marker=mark, color=PALETTE[color], label=name,
                      capsize=3, clip_on=False)
    if chance is not None:
        axes.axhline(chance, color=INK, linewidth=1, linestyle=":")
    axes.set_ylim(0)
    axes.set_xlabel(label)
    axes.set_ylabel("right, percent")
    narrow = axes.figure.bbox.width / axes.figure.dpi < 5  # no room for names at the side
    axes.legend(labelcolor="linecolor", fontsize=9, loc="lower left" if narrow else "upper left",
                bbox_to_anchor=(0, 1) if narrow else (1, 1))


def draw_tile(axes: Axes, image: torch.Tensor, seen: torch.Tensor) -> None:
    """An image whose missing pixels are hatched.

    Parameters
    ----------
    axes : matplotlib Axes
    image : torch.Tensor, shape (3, height, width)
        Colors in 0..1.
    seen : torch.Tensor of bool, shape (height, width)

    Raises
    ------
    ValueError
        If the shapes differ, or there are other colors.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_tile(axes, torch.rand(3, 4, 4), torch.eye(4) > 0)
    """
    if image.shape[1:] != seen.shape:  # it would be broadcast, but hatched where it is named
        raise ValueError(f"draw_tile: an image of shape {tuple(image.shape)} whose seen has shape "
                         f"{tuple(seen.shape)}; need (3, height, width) and (height, width)")
    low, high = float(image.min()), float(image.max())
    if low < -0.001 or high > 1.001:  # up to roundings; others would be black or white
        raise ValueError(f"draw_tile: colors from {low:.4g} to {high:.4g}; need numbers in 0..1")
    axes.imshow(on_paper(torch.where(seen, image, 0.85).clamp(0, 1).permute(1, 2, 0)))
    for row, column in (~seen).nonzero().tolist():
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, hatch="////",
                                 edgecolor=COLORS["neutral"], linewidth=0))
    axes.set(xticks=[], yticks=[])
    axes.grid(False)


def stored_records() -> tuple[dict, list[dict]]:
    """Header and networks of the stored comparison on missing pixels.

    Examples
    --------
    >>> stored_records()[0]["kind"]
    'header'
    """
    lines = (STORED / "missing-data.jsonl").read_text(encoding="utf-8").splitlines()
    header, *networks = map(json.loads, lines)
    return header, networks


def stored_accuracies(
    networks: Sequence[Mapping], model: str, way: str, missing: str
) -> tuple[float, float | None]:
    """Mean test accuracy over the seeds in percent, and half its 95 percent interval.

    Of a single seed there is no interval: None.

    Raises
    ------
    ValueError
        If there is no such model, way or share of missing pixels.

    Examples
    --------
    >>> mean, _ = stored_accuracies(stored_records()[1], "mixture", "marginal", "pixels-0.5")
    >>> 10 < mean < 100
    True
    """
    choice("stored_accuracies: model", model, sorted({network["model"] for network in networks}))
    found = [network["accuracy"] for network in networks if network["model"] == model]
    choice("stored_accuracies: missing", missing, found[0])
    ways = [name for name in found[0][missing] if name != "missing"]  # the share of the pixels
    choice(f"stored_accuracies: way of {model}", way, ways)
    values = [100 * accuracy[missing][way] for accuracy in found]
    return interval(values)


def _opening() -> Figure:
    """Left: products against sums of logarithms. Right: leaves of missing positions are ones."""
    sizes = [2**k for k in range(1, 11)]
    direct, logs = [], []
    for size in sizes:
        net = Architecture((size,), 1, ((2, 2, 1),) * int(math.log2(size)))
        weights = [(torch.ones(shape), None) for shape, _ in net.weight_shapes()]
        leaves = torch.full((1, 1, size), 1 / 8)
        direct.append(forward(net, weights, leaves).item())
        logs.append(log_forward(net, weights, leaves.log())[0].item() / math.log(10))
    with figure(7.4, 3.0, columns=2, width_ratios=(1, 1.15)) as (drawing, axes):
        kept = [(n, math.log10(value)) for n, value in zip(sizes, direct) if value > 0]
        axes[0].plot(sizes, logs, "o-", color=COLORS["exact"])
        axes[0].plot(*zip(*kept), "s", color=COLORS["cut"], markersize=9, fillstyle="none",
                     markeredgewidth=2)
        axes[0].axhline(-149 * math.log10(2), color=INK, linestyle=":", linewidth=1.2)
        axes[0].set_xscale("log", base=2)
        axes[0].set_xticks([2, 8, 32, 128, 512], ["2", "8", "32", "128", "512"])
        axes[0].set_yscale("symlog", linthresh=10)
        axes[0].set_ylim(-1500, 0)
        axes[0].set_yticks([0, -10, -100, -1000], ["0", "−10", "−100", "−1000"])
        axes[0].set_xlabel("positions (log scale)")
        axes[0].set_ylabel("log₁₀ of the output\n(log scale)")
        axes[0].text(2, -75, "smallest float32", fontsize=9, va="top")
        label_line(axes[0], 40, -16, "direct: 0 from\nhere on", COLORS["cut"], fontsize=9)
        label_line(axes[0], 60, -420, "log-space", COLORS["exact"], fontsize=9, ha="right")
        _leaves(axes[1], ModeTree.perfect(8, 2, 2, (3, 3, 3)), {1, 4, 5})
        axes[1].set_title("not seen: 1", loc="center", color=COLORS["cut"])
    return drawing


def _leaves(axes: Axes, tree: ModeTree, missing: set[int]) -> None:
    """A tree whose leaves carry what is seen, or a one."""
    def draw(child: Node | int) -> tuple[float, float]:
        if isinstance(child, int):
            gone, low = child in missing, -0.55 * (child % 2)  # side by side there is no room
            axes.text(child, low, "1" if gone else f"$f(x_{child})$", ha="center", va="center",
                      color="white" if not gone else COLORS["cut"], zorder=3, fontsize=10,
                      fontweight="bold",
                      bbox={"boxstyle": "square,pad=0.3", "linewidth": 1.5,
                            "facecolor": "white" if gone else COLORS["rows"],
                            "edgecolor": COLORS["cut"] if gone else "none"})
            return float(child), low
        below = [draw(part) for part in child.children]
        x, y = sum(p[0] for p in below) / len(below), float(child.height)
        for place in below:
            axes.plot([x, place[0]], [y, place[1]], color=INK, linewidth=1.2, zorder=1)
        axes.text(x, y, "×", ha="center", va="center", zorder=3, fontsize=13,
                  bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": INK})
        return x, y

    draw(tree.root)
    axes.set_xlim(-0.7, tree.modes - 0.3)
    axes.set_ylim(-0.9, tree.root.height + 0.4)
    axes.axis("off")


def _mex_curve() -> Figure:
    """MEX of three numbers against the exponent, with its bounds."""
    values = torch.tensor([0.0, 1.0, 5.0], dtype=torch.float64)
    betas = np.linspace(-6, 6, 241)
    found = [mex(values, beta).item() for beta in betas]
    with figure(7, 3.1) as (drawing, axes):
        right = betas[betas > 0.15]
        axes.fill_between(right, 5 - math.log(3) / right, 5, color=COLORS["bound"], alpha=0.18,
                          linewidth=0)
        left = betas[betas < -0.15]
        axes.fill_between(left, 0, -math.log(3) / left, color=COLORS["bound"], alpha=0.18,
                          linewidth=0)
        axes.plot(betas, found, color=COLORS["deep"])
        axes.plot(0, values.mean(), "o", color=COLORS["deep"])
        for value, name in ((5, "maximum"), (0, "minimum")):
            axes.axhline(value, color=INK, linewidth=1, linestyle=":")
            axes.text(-5.9 if value else 5.9, value + (-0.12 if value else 0.12), name,
                      va="top" if value else "bottom", ha="left" if value else "right")
        axes.annotate("mean", (0, 2), (0.35, 1.65))
        axes.set_ylim(-0.2, 5.2)
        axes.set_xlim(-6, 6)
        axes.set_xlabel("exponent β")
        axes.set_ylabel("MEX of 0, 1, 5")
    return drawing


def _windows() -> Figure:
    """Six numbers in groups, and the weight that each has in the MEX of the groups."""
    cases = {"equal groups": [(0, 1, 2), (3, 4, 5)], "unequal groups": [(0, 1), (2, 3, 4, 5)],
             "overlapping windows": [(0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5)]}
    with figure(7.4, 2.9, columns=3, sharey=True) as (drawing, axes):
        for ax, (name, groups) in zip(axes, cases.items(), strict=True):
            weights = [sum(1 / len(g) for g in groups if i in g) / len(groups) for i in range(6)]
            same = max(weights) - min(weights) < 1e-12
            ax.bar(range(6), weights, 0.7, color=COLORS["exact" if same else "cut"])
            ax.axhline(1 / 6, color=INK, linewidth=1, linestyle=":")
            for row, group in enumerate(groups):
                y = -0.03 - 0.035 * row
                ax.plot([group[0] - 0.35, group[-1] + 0.35], [y, y], color=COLORS["deep"],
                        linewidth=5, solid_capstyle="butt")
            ax.set_title(name, fontsize=11)
            ax.set_xticks(range(6), [f"$c_{i}$" for i in range(6)])
            ax.set_ylim(-0.17, 0.3)
            ax.set_yticks([0, 1 / 6, 1 / 4], ["0", "1/6", "1/4"])
            ax.grid(False)
        axes[0].set_ylabel("weight of each number")
    return drawing


def _overlap() -> Figure:
    """Three inputs below two windows: side by side, and sharing the middle one."""
    with figure(7.4, 2.4, columns=2) as (drawing, axes):
        for ax, windows, title in zip(axes, (((0, 1), (2, 3)), ((0, 1), (1, 2))),
                                      ("read once: a 1", "read twice: not a 1"), strict=True):
            inputs = max(map(max, windows)) + 1
            tops = [sum(window) / 2 for window in windows]
            for x in range(inputs):
                gone = x == 1
                ax.text(x, 0, f"$x_{x}$", ha="center", va="center", fontsize=12, zorder=3,
                        color=COLORS["cut"] if gone else "white",
                        bbox={"boxstyle": "square,pad=0.4", "linewidth": 1.5,
                              "facecolor": "white" if gone else COLORS["rows"],
                              "edgecolor": COLORS["cut"] if gone else "none"})
            for window, top in zip(windows, tops):
                for x in window:
                    color = COLORS["cut"] if x == 1 else INK
                    ax.plot([x, top], [0.25, 1], color=color, linewidth=1.4, zorder=1)
                ax.plot([top, sum(tops) / 2], [1, 1.8], color=INK, linewidth=1.2, zorder=1)
            for x, y in [*((top, 1) for top in tops), (sum(tops) / 2, 1.8)]:
                ax.text(x, y, "×", ha="center", va="center", zorder=3, fontsize=13,
                        bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white",
                              "edgecolor": INK})
            found = r"$\sum f(x_1)=1$" if inputs == 4 else r"$\sum f(x_1)^2\neq 1\cdot 1$"
            ax.text(inputs - 0.5, 1.75, found, color=COLORS["cut"], fontsize=12, ha="right")
            ax.set_title(title, fontsize=11)
            ax.set_xlim(-0.6, inputs - 0.4)
            ax.set_ylim(-0.4, 2.1)
            ax.axis("off")
    return drawing


def _tiles() -> Figure:
    """Tiles of the photograph with a growing share of pixels missing."""
    generator = torch.Generator().manual_seed(3)
    tiles = photograph_patches(8, 8, generator).reshape(8, 8, 8, 3).permute(0, 3, 1, 2) / 255
    with figure(7.4, 3.0, columns=8, rows=3) as (drawing, axes):
        for row, share in zip(axes, (0, 0.5, 0.9)):
            seen = missing_pixels(8, (8, 8), share, generator)
            for ax, tile, known in zip(row, tiles, seen):
                draw_tile(ax, tile, known)
            row[0].set_ylabel(f"{share:.0%}", rotation=0, ha="right", va="center")
    return drawing


def _stored() -> Figure:
    """The stored comparison: pixels missing one by one, and in squares."""
    _, networks = stored_records()
    methods = {"mixture, marginal": ("mixture", "marginal"),
               "mixture, zeros": ("mixture", "zero"), "mixture, means": ("mixture", "mean"),
               "ConvNet trained with holes": ("convnet-masked", "masked"),
               "ConvNet, means": ("convnet", "mean"), "logistic, means": ("logistic", "mean")}
    names = list(networks[0]["accuracy"])
    with figure(7.4, 5.4, rows=2) as (drawing, axes):
        for ax, kind, label in zip(axes, ("pixels", "squares"), (
                "missing pixels, percent", "missing squares of 7 × 7")):
            some = [name for name in names if name.startswith(kind)]
            places = [float(name.split("-")[1]) * (100 if kind == "pixels" else 1)
                      for name in some]
            curves = {}
            for method, (model, way) in methods.items():
                found = [stored_accuracies(networks, model, way, name) for name in some]
                curves[method] = (places, [m for m, _ in found], [w for _, w in found])
            draw_accuracies(ax, curves, label, 10)
        axes[1].set_xticks([1, 2, 3])
        axes[1].get_legend().remove()
    return drawing


SUMMANDS = (-160.0, -161.0, -164.0)
"""Logarithms, base 2, of three numbers too small for single precision."""


def shifted_sum(logs: tuple[float, ...]) -> tuple[list[float], float]:
    """The terms of a sum over the largest of them, and the logarithm of the sum, base 2.

    Examples
    --------
    >>> shifted_sum((-160.0, -160.0))
    ([1.0, 1.0], -159.0)
    """
    top = max(logs)
    terms = [2.0 ** (value - top) for value in logs]
    return terms, top + math.log2(sum(terms))


def _sum() -> Figure:
    """A sum in log-space: take the largest term out, add, put it back."""
    terms, total = shifted_sum(SUMMANDS)
    with figure(7, 2.9, columns=2) as (drawing, axes):
        axes[0].axhline(-149, color=INK, linestyle="--", linewidth=1.2)
        axes[0].text(-0.3, -148.6, "smallest float32", va="bottom", fontsize=10)
        axes[0].plot(range(3), SUMMANDS, "o", color=COLORS["deep"], markersize=9)
        axes[0].plot([3], [total], "o", color=COLORS["exact"], markersize=9)
        for place, value in enumerate((*SUMMANDS, total)):
            axes[0].annotate(f"{value:.4g}".replace("-", "−"), (place, value), xytext=(0, -17),
                             textcoords="offset points", ha="center", fontsize=10)
        axes[0].set(xlim=(-0.5, 3.5), ylim=(-168, -144), ylabel="logarithm, base 2")
        axes[0].set_xticks(range(4), ("$x$", "$y$", "$z$", "sum"))
        left = 0.0
        for name, term in zip("xyz", terms, strict=True):
            axes[1].barh(0, term, left=left, color=COLORS["deep"], edgecolor="white", height=0.5)
            axes[1].text(left + term / 2, 0.36, f"${name}$", ha="center", fontsize=12)
            left += term
        axes[1].set(xlim=(0, 1.8), ylim=(-0.6, 0.9), yticks=[], xlabel="multiples of $x$")
        axes[1].grid(False)
    return drawing


BOOK_FIGURES = {"log-space-sum": _sum, "log-space-opening": _opening, "log-space-mex": _mex_curve,
                "log-space-windows": _windows, "log-space-overlap": _overlap,
                "log-space-tiles": _tiles, "log-space-stored": _stored}
