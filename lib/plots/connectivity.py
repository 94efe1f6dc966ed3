"""Pictures of dilated networks, of two that exchange channels, and of what that is worth."""

from collections.abc import Mapping, Sequence
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..bounds.partitions import Partition, split_modes
from ..checks import integers
from ..trees.mixtures import (
    DilatedNetwork,
    dilated_tree,
    gap_family,
    hybrid_tree,
    lags,
    mixture_levels,
)
from ..trees.tree import ModeTree, Node
from .style import COLORS, INK, PALETTE, figure, label_line, text_on

__all__ = ["draw_errors", "draw_exchange", "draw_in_time", "draw_paths"]


def draw_in_time(axes: Axes, tree: ModeTree, partition: Partition = (), title: str = "") -> None:
    """A mode tree with its modes in the order of time, every node above its newest mode.

    Parameters
    ----------
    axes : matplotlib Axes
    tree : ModeTree
    partition : str or iterable of int
        Row modes. A node takes the color of its modes if they are all on one side; one that
        joins both sides stays white, and if its children are pure it is ringed: a cut passes here.
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_in_time(axes, dilated_tree((2, 1), 2, 2), (0, 1))
    """
    rows, _ = split_modes(partition, tree.grid)
    side = {True: COLORS["rows"], False: COLORS["columns"]}

    def draw(child: Node | int) -> tuple[int, int, set[bool]]:
        if isinstance(child, int):
            marker = {"boxstyle": "square,pad=0.3", "facecolor": side[child in rows],
                      "edgecolor": "none"}
            axes.text(child, 0, str(child), ha="center", va="center", fontsize=9,
                      color=text_on(side[child in rows]), fontweight="bold", bbox=marker, zorder=3)
            return child, 0, {child in rows}
        below = [draw(grandchild) for grandchild in child.children]
        x, y = max(place for place, _, _ in below), child.height
        for place, height, _ in below:
            axes.plot([x, place], [y, height], color=INK, linewidth=1.1, zorder=1)
        seen = set.union(*(sides for _, _, sides in below))
        here = len(seen) == 2 and all(len(sides) == 1 for _, _, sides in below)
        face = side[seen.pop()] if len(seen) == 1 else "white"
        axes.plot(x, y, "o", markersize=11, markerfacecolor=face, zorder=3,
                  markeredgecolor=COLORS["cut"] if here else INK,
                  markeredgewidth=3 if here else 1.2)
        return x, y, {True, False} if face == "white" else {face == COLORS["rows"]}

    draw(tree.root)
    axes.set(xlim=(-0.6, tree.modes - 0.4), ylim=(-0.4, tree.root.height + 0.4))
    axes.set_title(title, fontsize=11)
    axes.axis("off")


def draw_paths(axes: Axes, dilations: Sequence[int], title: str = "") -> None:
    """What one output reads, layer by layer, and along how many paths.

    Parameters
    ----------
    axes : matplotlib Axes
    dilations : sequence of int
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_paths(axes, (1, 1))
    """
    dilations = integers("draw_paths: dilations", dilations, 0)
    depth, paths = len(dilations), lags(dilations)
    edges, reached = set(), {0}
    for level in range(depth, 0, -1):
        edges |= {(level, lag, lag + tap) for lag in reached for tap in (dilations[level - 1], 0)}
        reached |= {lag + dilations[level - 1] for lag in reached}
    for level, lag, below in edges:
        axes.plot([-lag, -below], [level, level - 1], color=INK, linewidth=1.1, zorder=1)
        axes.plot(-lag, level, "o", markersize=11, markerfacecolor="white", markeredgecolor=INK,
                  zorder=3)
    for lag, count in paths.items():
        face = COLORS["neutral" if count == 1 else "cut"]
        marker = {"boxstyle": "square,pad=0.3", "edgecolor": "none", "facecolor": face}
        axes.text(-lag, 0, str(count), ha="center", va="center", color=text_on(face), fontsize=9,
                  fontweight="bold", bbox=marker, zorder=3)
        axes.text(-lag, -0.45, f"t − {lag}" if lag else "t", ha="center", va="center", fontsize=9)
    axes.set(xlim=(-max(paths) - 0.5, 0.5), ylim=(-0.7, depth + 0.3))
    axes.set_title(title, fontsize=11)
    axes.axis("off")


def draw_exchange(axes: Axes, network: DilatedNetwork) -> None:
    """The layers of two streams from left to right, and the channels they exchange.

    Parameters
    ----------
    axes : matplotlib Axes
    network : DilatedNetwork
        With two streams.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_exchange(axes, DilatedNetwork(((1, 2, 4), (2, 1, 4)), 2, 2, (2,)))
    """
    if len(network.orders) != 2:
        raise ValueError(f"draw_exchange: {len(network.orders)} streams; draws two")
    colors, depth = (COLORS["deep"], COLORS["shallow"]), len(network.orders[0])
    height, step = 1.0, 2.6
    ends = [(s * 2.2, s * 2.2 + height) for s in (1, 0)]  # the first stream on top
    axes.text(-0.9, 1.6, "input", ha="center", va="center", fontsize=10)
    for s, order in enumerate(network.orders):
        low, high = ends[s]
        middle = (low + high) / 2
        axes.plot([-0.35, 0.5], [1.6, middle], color=INK, linewidth=1)
        for number, dilation in enumerate(order):
            x = 0.5 + number * step
            axes.add_patch(Rectangle((x, low), 1.3, height, facecolor="white", edgecolor=colors[s],
                                     linewidth=2))
            axes.text(x + 0.65, middle, f"dilation\n{dilation}", ha="center", va="center",
                      fontsize=9)
            if number + 1 == depth:
                axes.plot([x + 1.3, x + 1.9], [middle, 1.6], color=INK, linewidth=1)
                continue
            for half in (0, 1):  # own channels stay above, the others cross
                start = high - 0.25 - 0.5 * half
                crosses = half == 1 and number + 1 in network.exchange
                target = start if not crosses else ends[1 - s][1] - 0.25 - 0.5 * half
                axes.annotate("", (x + step, target), (x + 1.3, start), zorder=3 if crosses else 2,
                              arrowprops={"arrowstyle": "->", "color": colors[s],
                                          "linewidth": 2.4 if crosses else 1.4})
    axes.text(0.5 + (depth - 1) * step + 2.15, 1.6, "+", ha="center", va="center", fontsize=16)
    axes.set(xlim=(-1.4, depth * step + 0.5), ylim=(-0.2, 3.4))
    axes.axis("off")


def draw_errors(
    axes: Axes, errors: Mapping[str, Sequence[float]], floors: Mapping[str, float], title: str = ""
) -> None:
    """The errors of trained networks, one dot for every start, with the floors they cannot pass.

    Parameters
    ----------
    axes : matplotlib Axes
    errors : dict from name to sequence of float
        Relative errors: 0 is perfect.
    floors : dict from name to float
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_errors(axes, {"one": [0.6, 0.5]}, {"one": 0.44}, "task")
    """
    for name, found in errors.items():  # no axis has a place for others
        if not all(isfinite(error) for error in found):
            raise ValueError(f"draw_errors: {name} has errors {list(found)}; need finite numbers")
    for place, (name, found) in enumerate(errors.items()):
        if name in floors:
            axes.add_patch(Rectangle((place - 0.35, 0), 0.7, floors[name], color="#DDDDDD",
                                     zorder=1))
        axes.plot([place] * len(found), found, "o", color=COLORS["deep"], markersize=6,
                  markerfacecolor="none", markeredgewidth=1.6, zorder=3)
    axes.set_xticks(range(len(errors)), list(errors), fontsize=8)
    largest = max((error for found in errors.values() for error in found), default=1)
    axes.set(xlim=(-0.6, len(errors) - 0.4), ylim=(-0.03, max(1.05, 1.03 * largest)))
    axes.set_title(title, fontsize=10)


def _orders() -> Figure:
    """Two orders that give trees, and dilations whose sums collide."""
    with figure(7, 2.4, columns=3) as (drawing, axes):
        for ax, dilations in zip(axes, ((1, 2), (2, 1), (1, 1)), strict=True):
            draw_paths(ax, dilations, "dilations " + ", ".join(map(str, dilations)))
    return drawing


def _three_trees() -> Figure:
    """Two parents and their hybrid, with the minimum cuts of one partition."""
    first, second, rows = gap_family(3)
    trees = {"dilations 1, 2, 4": dilated_tree(first, 2, 2),
             "dilations 2, 1, 4": dilated_tree(second, 2, 2),
             "a hybrid": hybrid_tree(first, second, 2, 2, 2, (1, 0))}
    with figure(7, 2.9, columns=3) as (drawing, axes):
        for ax, (name, tree) in zip(axes, trees.items(), strict=True):
            draw_in_time(ax, tree, rows, f"{name}: rank {tree.mincut(rows)}")
    return drawing


def _exchange() -> Figure:
    first, second, _ = gap_family(3)
    network = DilatedNetwork((first, second), 2, 2, mixture_levels(first, second))
    with figure(7, 2.9) as (drawing, axes):
        draw_exchange(axes, network)
    return drawing


def _growth() -> Figure:
    """Width of one network against width of the mixture, from the cuts of the family."""
    with figure(7, 3.2, columns=2) as (drawing, axes):
        depths = (3, 4, 5)
        cuts = {}
        for depth in depths:
            first, second, rows = gap_family(depth)
            mixed = hybrid_tree(first, second, 2, 2, depth - 1, (1, 0)).mincut(rows)
            width = 2
            while dilated_tree(first, 2, width).mincut(rows) < mixed:
                width *= 2
            cuts[2**depth] = width
        axes[0].semilogy(list(cuts), list(cuts.values()), "o-", color=COLORS["deep"], base=2)
        axes[0].semilogy(list(cuts), [2] * len(cuts), "o-", color=COLORS["overlapping"], base=2)
        label_line(axes[0], 17, 2**5.6, "one network", COLORS["deep"], ha="right")
        label_line(axes[0], 18, 2**1.45, "mixture", COLORS["overlapping"])
        axes[0].set(xlabel="inputs N", ylabel="width for full rank", xticks=list(cuts),
                    ylim=(1.5, 2**9))
        axes[0].set_title("M = 2 (log scale)", fontsize=11)
        exponents = {}
        for depth in (3, 4, 5, 6, 7, 8):
            first, second, rows = gap_family(depth)
            hybrid = hybrid_tree(first, second, 2, 2, depth - 1, (1, 0))
            parent = dilated_tree(first, 2, 2)
            exponents[2**depth] = (hybrid.mincut(rows).bit_length() - 1) / (
                parent.mincut(rows).bit_length() - 1)
        axes[1].semilogx(list(exponents), list(exponents.values()), "o-", color=COLORS["deep"],
                         base=2)
        axes[1].axhline(2, color=PALETTE["black"], linewidth=1, linestyle="--")
        axes[1].set(xlabel="inputs N (log scale)", ylabel="exponent", ylim=(1, 2.1),
                    xticks=list(exponents), xticklabels=[str(n) for n in exponents])
        axes[1].minorticks_off()
        axes[1].set_title("M as large as the widths", fontsize=11)
        axes[1].text(9, 2.02, "quadratic", fontsize=10)
    return drawing


BOOK_FIGURES = {"connectivity-orders": _orders, "connectivity-hybrid": _three_trees,
                "connectivity-exchange": _exchange,
                "connectivity-growth": _growth}
