"""Pictures of what choices cost: partitions, widths, pooling, windows of well-known networks."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..audit import audit, models
from ..bounds.partitions import split_modes
from ..checks import integer
from ..constructions.rectifiers import certify_rectifier, rectifier_construction
from ..exact.arithmetic import Real
from ..exact.ranks import singular_values
from ..experiments import records
from ..experiments.blobs import TASKS, blobs
from ..experiments.pooled import GEOMETRIES, KINDS
from ..grids.certify import certify
from ..networks.architecture import Architecture
from ..planted import dilated, runs
from ..trees.decompositions import coefficient_tensor
from ..trees.pooling import pooling_tree
from ..trees.routing import smallest_cut
from ..trees.tensors import matricize
from ..trees.tree import ModeTree
from .connectivity import draw_errors
from .drawing import draw_cells, draw_window, fit_axes
from .geometry import draw_accuracies, draw_blobs
from .style import COLORS, INK, figure, label_line
from .widths import draw_network, draw_spectra

__all__ = ["famous_bounds", "pooling_ranks", "split_windows"]


def pooling_ranks() -> dict[str, tuple[int, str]]:
    """Left–right ranks of networks on eight positions with two templates, at most 16, and colors.

    Examples
    --------
    >>> max(rank for rank, _ in pooling_ranks().values())
    16
    """
    apart = Architecture((8,), 2, ((2, 2, 2), (2, 2, 2), (2, 2, 2), (1, 1, 1)))
    overlapping = Architecture((8,), 2, ((5, 1, 1), (4, 4, 2), (2, 2, 1)))
    built = rectifier_construction(3, 2)
    cut = "left-right"
    maximum, mean = (certify_rectifier(built.architecture, built.weights, cut, pooling).rank
                     for pooling in ("max", "sum"))
    return {"products, side by side": (certify(apart, cut).rank, "non-overlapping"),
            "products, overlapping": (certify(overlapping, cut).rank, "overlapping"),
            "maxima, side by side": (maximum, "non-overlapping"),
            "averages, side by side": (mean, "non-overlapping")}


FAMOUS = ("MobileNet-v1", "ResNet-50", "Inception-v3", "VGG-16", "dilated stack")


def famous_bounds(names: Sequence[str] = FAMOUS) -> dict[str, int]:
    """Decimal digits of the crossing bounds of well-known networks on 224 × 224 pixels.

    Examples
    --------
    >>> famous_bounds(["MobileNet-v1"])
    {'MobileNet-v1': 511}
    """
    with torch.device("meta"):
        built = {name: models.FAMOUS[name]() for name in names}
    bounds = {name: audit(model).bounds().crossing.bound for name, model in built.items()}
    return {name: int(bound.log10) + 1 for name, bound in bounds.items()}


def split_windows(partition, side: int) -> list[tuple[int, int]]:
    """Corners of the 2×2 windows of a square image that have pixels on both sides.

    Examples
    --------
    >>> split_windows("left-right", 4)
    []
    """
    side = integer("split_windows: side", side, 0)
    rows = set(split_modes(partition, (side, side))[0])
    starts = range(0, side - 1, 2)  # of an odd side the last line is in no window
    corners = [(i, j) for i in starts for j in starts]
    return [(i, j) for i, j in corners
            if 0 < len(rows & {i * side + j, i * side + j + 1, (i + 1) * side + j,
                               (i + 1) * side + j + 1}) < 4]


def _favored() -> Figure:
    """Left against right, one column off, alternating columns: windows of 2×2 that are split."""
    side = 8
    shown = {"left against right": "left-right",
             "one column off": [c for c in range(64) if c % side < 3],
             "alternating": [c for c in range(64) if c % 2 == 0]}
    tree = pooling_tree((side, side), 2, (4, 4, 4), "square")
    with figure(7, 3.0, columns=3) as (drawing, axes):
        for ax, (name, partition) in zip(axes, shown.items(), strict=True):
            rows = split_modes(partition, (side, side))[0]
            for i in range(side):
                draw_cells(ax, [""] * side, [COLORS["rows" if side * i + j in rows else "columns"]
                                             for j in range(side)], -i)
            split = split_windows(rows, side)
            for i, j in split:
                draw_window(ax, (j - 0.5, -i - 1.5), (2, 2), crossing=True)
            exponent = tree.mincut(rows).bit_length() - 1
            fit_axes(ax, (-0.6, side - 0.4), (-side + 0.3, 0.7), name)
            rank = "4" if exponent == 2 else f"$2^{{{exponent}}}$"
            ax.text(3.5, -8.2, f"{len(split)} split, rank {rank}", ha="center", fontsize=12)
            ax.set_ylim(-8.5, 0.7)
    return drawing


def _blobs() -> Figure:
    images = blobs(200, seed="page")
    order = torch.argsort(images.closedness)
    other = torch.argsort(images.symmetry)
    chosen = [*order[-3:].tolist(), *order[:3].tolist(), *other[-3:].tolist(), *other[:3].tolist()]
    with figure(6.4, 2.7, columns=6, rows=2) as (drawing, axes):
        draw_blobs(axes.flat, images.images[chosen],
                   [f"closed {images.closedness[k]:.2f}" for k in chosen[:6]]
                   + [f"symm. {images.symmetry[k]:.2f}" for k in chosen[6:]])
    return drawing


def _trained_blobs() -> Figure:
    """Test accuracies of the stored run."""
    tested: dict[str, dict] = {task: {} for task in TASKS}
    for entry in records.read(records.STORED / "blobs.jsonl")[1]:
        row = tested[entry["task"]].setdefault(entry["pooling"], {g: [] for g in GEOMETRIES})
        row[entry["geometry"]].append(entry["test_accuracy"])
    with figure(7, 3.2, columns=2, sharey=True) as (drawing, axes):
        for ax, (task, found) in zip(axes, tested.items(), strict=True):
            draw_accuracies(ax, {kind: found[kind] for kind in KINDS}, task)
    return drawing


def _trained_mixture() -> Figure:
    """Errors of the stored runs on two tasks, and the floors below which no weights go."""
    found = runs.read_runs(runs.results_path("dilated"))[1]
    with figure(7, 2.8, columns=2) as (drawing, axes):
        for ax, task in zip(axes, ("hybrid's pairs", "first's pairs"), strict=True):
            draw_errors(ax, {name: found[f"{task}: {name}"] for name in dilated.NETWORKS},
                        {name: dilated.floor(network, dilated.TASKS[task])
                         for name, network in dilated.NETWORKS.items()}, task)
            ax.tick_params(labelsize=10)
            ax.set_ylabel("error")
    return drawing


def _ranges() -> Figure:
    """Alternating blocks of one, two and four positions: the smallest cut moves up the tree."""
    tree = ModeTree.perfect(8, 2, 4, (4, 3, 2))
    parts = {"blocks of 1": (0, 2, 4, 6), "blocks of 2": (0, 1, 4, 5), "blocks of 4": (0, 1, 2, 3)}
    with figure(7, 2.9, columns=3) as (drawing, axes):
        for ax, (name, rows) in zip(axes, parts.items(), strict=True):
            draw_network(ax, tree, rows, smallest_cut(tree, rows))
            ax.set_title(f"{name}: cut {tree.mincut(rows)}", fontsize=11)
    return drawing


def _spectra() -> Figure:
    """Squared singular values of two networks at random weights."""
    trees = {"early": ModeTree.perfect(8, 2, 4, (4, 1, 1)),
             "deep": ModeTree.perfect(8, 2, 4, (2, 4, 4))}
    with figure(7, 3.0, columns=2, sharey=True) as (drawing, axes):
        for ax, rows in zip(axes, ("even-odd", "left-right"), strict=True):
            spectra = {}
            for name, tree in trees.items():
                weights = tree.random_weights(Real(), torch.Generator().manual_seed(1))
                share = singular_values(matricize(coefficient_tensor(tree, weights), rows)) ** 2
                spectra[name] = (share / share.sum())[:tree.mincut(rows)]
            draw_spectra(ax, spectra)
            ax.set(title=rows, xlim=(0.8, 400))
    return drawing


def _famous() -> Figure:
    found = famous_bounds()
    with figure(4.2, 2.8) as (drawing, axes):
        axes.barh(list(found), list(found.values()), color=COLORS["overlapping"], height=0.6)
        for line, digits in enumerate(found.values()):
            axes.annotate(f"{digits:,}", (digits, line), xytext=(5, 0), va="center",
                          textcoords="offset points", fontsize=10)
        axes.set(xscale="log", xlim=(100, 1.5 * max(found.values())),
                 xlabel="decimal digits of the rank (log scale)")
        axes.grid(axis="y", visible=False)
    return drawing


def _pooling() -> Figure:
    found = pooling_ranks()
    with figure(4.2, 2.4) as (drawing, axes):
        for line, (rank, color) in enumerate(reversed(found.values())):
            axes.barh(line, rank, color=COLORS[color], height=0.6)
            axes.annotate(str(rank), (rank, line), xytext=(5, 0), va="center",
                          textcoords="offset points")
        axes.axvline(16, color=INK, linewidth=1.2, linestyle="--")
        label_line(axes, 16, 3.7, "largest there is", INK, xytext=(-5, 0), ha="right")
        axes.set_yticks(range(len(found)), list(found)[::-1])
        axes.set(xlim=(0, 18.5), ylim=(-0.5, 4.1), xlabel="rank between the halves, 8 pixels")
        axes.grid(axis="y", visible=False)
    return drawing


class _Branches(torch.nn.Module):
    """A stem, a branch of 5×5 beside one of 1×1, and one window over everything."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.wide = torch.nn.Conv2d(16, 8, 5, padding=2)
        self.narrow = torch.nn.Conv2d(16, 8, 1)
        self.mix = torch.nn.Conv2d(16, 16, 1)
        self.head = torch.nn.AdaptiveAvgPool2d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).relu()
        return self.head(self.mix(torch.cat([self.wide(x), self.narrow(x)], 1)).relu())


def _chain() -> Figure:
    """A small network with branches, and the chain of its bound."""
    with torch.device("meta"):
        found = audit(_Branches(), size=(32, 32)).bounds().crossing
    chain = [step.name for step in found.chain]
    spots = {"stem": (0, 0), "wide": (-1.1, 1.2), "narrow": (1.1, 1.2), "cat": (0, 2.4),
             "mix": (0, 3.4), "head": (0, 4.4)}
    texts = {"stem": "stem 3×3 / 2", "wide": "wide 5×5", "narrow": "narrow 1×1",
             "cat": "concatenate", "mix": "mix 1×1", "head": "global product"}
    edges = ("stem wide", "stem narrow", "wide cat", "narrow cat", "cat mix", "mix head")
    with figure(4.1, 3.4) as (drawing, axes):
        for edge in edges:
            low, high = edge.split()
            used = all(name in chain or name == "cat" for name in (low, high))
            (x, y), (u, v) = spots[low], spots[high]
            axes.plot([x, u], [y + 0.27, v - 0.27], color=COLORS["cut" if used else "neutral"],
                      linewidth=2.4 if used else 1.2, zorder=1)
        for name, (x, y) in spots.items():
            used = name in chain
            axes.add_patch(Rectangle((x - 1, y - 0.27), 2, 0.54, facecolor="white", zorder=2,
                                     edgecolor=COLORS["cut" if used else "neutral"],
                                     linewidth=2.4 if used else 1.2))
            axes.text(x, y, texts[name], ha="center", va="center", fontsize=10, zorder=3)
        axes.text(-1.2, 0, f"rank at\nleast ${found.bound.base}^{{{found.bound.exponent}}}$",
                  ha="right", va="center", fontsize=11)
        axes.set(xlim=(-2.6, 2.3), ylim=(-0.4, 4.8))
        axes.axis("off")
    return drawing


BOOK_FIGURES = {
    "favored-partitions": _favored, "blobs": _blobs, "blobs-trained": _trained_blobs,
    "mixture-trained": _trained_mixture, "alternating-blocks": _ranges, "spectra": _spectra,
    "famous-bounds": _famous, "pooling-decides": _pooling, "surrogate-chain": _chain,
}
