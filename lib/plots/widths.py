"""Pictures of layer widths: tensor networks and their cuts, routes, a pencil, spectra."""

from collections.abc import Mapping
from math import prod

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..bounds.partitions import Partition, split_modes
from ..exact.ranks import exact_rank
from ..trees.designer import design_widths
from ..trees.routing import routes, smallest_cut
from ..trees.tree import ModeTree, Node, Path
from .drawing import on_paper
from .style import COLORS, INK, PALETTE, figure, label_line, text_on
from .trees import draw_tree, require_cut

__all__ = ["BOOK_FIGURES", "draw_network", "draw_routes", "draw_spectra"]

_ROUTES = (PALETTE["vermilion"], PALETTE["green"], PALETTE["purple"], PALETTE["sky"])


def _places(tree: ModeTree) -> dict[Path, tuple[float, float]]:
    """Where every node and every mode stands, by path."""
    found: dict[Path, tuple[float, float]] = {}
    column = {mode: float(x) for x, mode in enumerate(tree.leaves)}

    def place(child: Node | int, path: Path) -> float:
        if isinstance(child, int):
            found[path] = (column[child], 0.0)
        else:
            below = [place(part, (*path, t)) for t, part in enumerate(child.children)]
            found[path] = (sum(below) / len(below), float(child.height))
        return found[path][0]

    place(tree.root, ())
    return found


def draw_network(axes: Axes, tree: ModeTree, partition: Partition = (),
                 cut: Mapping[Path, int] | None = None, names: bool = False) -> None:
    """The tensor network of a mode tree: squares are weights, dots shared channel indices.

    Parameters
    ----------
    axes : matplotlib Axes
    tree : ModeTree
    partition : str or iterable of int
        The row modes.
    cut : dict from path to width, optional
        What to mark as cut, as :func:`lib.trees.routing.smallest_cut` gives it.
    names : bool
        Write what squares and dots are beside the root.

    Raises
    ------
    ValueError
        If the cut is one of another tree.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     tree = ModeTree.perfect(4, 2, 2, (2, 3))
    ...     draw_network(axes, tree, "left-right", smallest_cut(tree, "left-right"))
    """
    cut = {} if cut is None else cut
    require_cut("draw_network", tree, cut)
    rows, places = split_modes(partition, tree.grid)[0], _places(tree)
    top = (places[()][0], places[()][1] + 0.8)
    square = {"marker": "s", "color": INK, "markersize": 6, "zorder": 3}
    for path, (x, y) in places.items():
        above = places[path[:-1]] if path else top
        middle = ((x + above[0]) / 2, (y + above[1]) / 2) if path else top
        axes.plot([x, above[0]], [y, above[1]], color=INK, linewidth=1.1, zorder=1)
        axes.plot(*[[c] for c in middle], **square)
    for path, node in tree.inner_nodes():
        x, y = places[path]
        color = COLORS["cut"] if path in cut else INK
        axes.plot([x], [y], "o", color=color, markersize=13 if path in cut else 6, zorder=3)
        side = -1 if path and x < places[path[:-1]][0] else 1  # away from the edge above
        axes.annotate(str(node.width), (x, y), xytext=(9 * side, 4), textcoords="offset points",
                      ha="left" if side > 0 else "right", color=color,
                      fontweight="bold" if path in cut else "normal")
    for place, mode in enumerate(tree.leaves):
        side = COLORS["rows" if mode in rows else "columns"]
        marker = {"boxstyle": "square,pad=0.25", "edgecolor": "none", "facecolor": side}
        axes.text(place, 0, str(mode), ha="center", va="center", color=text_on(side),
                  fontweight="bold", bbox=marker, zorder=4)
        if any(path in cut and places[path] == (place, 0.0) for path in cut):
            axes.plot([place], [0], "s", markersize=24, markerfacecolor="none",
                      markeredgecolor=COLORS["cut"], markeredgewidth=2.5, zorder=5)
    if names:
        below = places[(min(1, len(tree.root.children) - 1),)]
        notes = (("output weights", top), ("channel index, price: its width", places[()]),
                 ("weight matrix", tuple((a + b) / 2 for a, b in zip(places[()], below))))
        for text, (x, y) in notes:
            axes.annotate(text, (x, y), xytext=(26, 4), textcoords="offset points", fontsize=10)
    axes.set_xlim(-0.7, tree.modes - 0.3)
    axes.set_ylim(-0.5, tree.root.height + 1.1)
    axes.axis("off")


def draw_routes(axes: Axes, tree: ModeTree, partition: Partition) -> int:
    """A mode tree with its routes from rows to columns, one color each.

    Parameters
    ----------
    axes : matplotlib Axes
    tree : ModeTree
        With M and all widths powers of one integer.
    partition : str or iterable of int

    Returns
    -------
    int
        The number of routes.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_routes(axes, ModeTree.perfect(4, 2, 2, (2, 2)), "even-odd")
    2
    """
    rows, _ = split_modes(partition, tree.grid)  # once: an iterator is empty the second time
    draw_tree(axes, tree, rows)
    places = _places(tree)
    at = {tree.leaves[int(x)]: path for path, (x, y) in places.items() if y == 0}
    found = routes(tree, rows)
    for number, pair in enumerate(found):
        ways = [[at[mode][:k] for k in range(len(at[mode]), -1, -1)] for mode in pair]
        meeting = next(path for path in ways[0] if path in ways[1])
        way = [*ways[0][: ways[0].index(meeting) + 1],
               *reversed(ways[1][: ways[1].index(meeting)])]
        shift = 0.09 * (number % 4 - 1.5)
        x, y = (np.array([places[path][axis] for path in way]) for axis in (0, 1))
        axes.plot(x + shift, y, color=_ROUTES[number % 4], linewidth=3, alpha=0.85, zorder=2)
    return len(found)


def draw_spectra(axes: Axes, spectra: Mapping[str, torch.Tensor]) -> None:
    """Normalized squared singular values, largest first.

    Parameters
    ----------
    axes : matplotlib Axes
    spectra : dict from name to torch.Tensor
        ``"early"`` and ``"deep"`` have colors of their own. Zeros behind the last positive share
        have no place on a logarithmic axis.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_spectra(axes, {"deep": torch.tensor([0.7, 0.3])})
    """
    colors = {"early": PALETTE["vermilion"], "deep": COLORS["deep"]}
    for name, values in spectra.items():
        values = on_paper(values)
        color = colors.get(name, INK)
        last = max(1, sum(bool(share > 0) for share in values))
        if last == 1:  # a dot would lie under the first one of a line
            axes.plot(1, float(values[0]), "o", color=color, markersize=9, fillstyle="none",
                      clip_on=False)
        else:
            axes.plot(range(1, len(values) + 1), values, "o-", color=color, markersize=3)
        label_line(axes, last, float(values[last - 1]), name, color,
                   xytext=(-2, -12) if last > 1 else (9, 4))
    least = min((float(share) for values in spectra.values() for share in on_paper(values)
                 if share > 0), default=1)
    low = min(1e-13, least / 1e3)  # with room for a name, and for what a shared axis shows already
    if axes.get_yscale() == "log":
        low = min(low, axes.get_ylim()[0])
    axes.set(xscale="log", yscale="log", xlabel="number (log scale)", ylim=(low, 100))
    axes.set_ylabel("share (log scale)")


def _designs_figure() -> Figure:
    """Two designs for one budget: what a smallest cut costs along two partitions."""
    shape = ModeTree.perfect(8, 2, 4, (1, 1, 1))
    with figure(7.2, 5.4, columns=2, rows=2) as (drawing, axes):
        for line, (goal, name) in zip(axes, (("even-odd", "early"), ("left-right", "deep"))):
            design = design_widths(shape, [goal], 150)
            for ax, rows in zip(line, ("even-odd", "left-right")):
                draw_network(ax, design.tree, rows, smallest_cut(design.tree, rows))
                ax.set_title(f"{name} widths, {rows}: {design.tree.mincut(rows)}", fontsize=11)
    return drawing


def _network_figure() -> Figure:
    tree = ModeTree.perfect(4, 2, 3, (2, 5))
    with figure(7, 3.1, columns=2) as (drawing, axes):
        draw_tree(axes[0], tree, "even-odd", "mode tree")
        draw_network(axes[1], tree, "even-odd", names=True)
        axes[1].set_title("tensor network")
        axes[1].set_xlim(-0.7, 4.6)
    return drawing


def _routes_figure() -> Figure:
    tree = ModeTree.perfect(8, 2, 4, (2, 4, 4))
    with figure(7.2, 3, columns=2) as (drawing, axes):
        for ax, rows in zip(axes, ((0, 1, 4, 5), "left-right")):
            count = draw_routes(ax, tree, rows)
            name = rows if isinstance(rows, str) else "alternating pairs"
            ax.set_title(f"{name}: {count} routes, cut {tree.mincut(rows)}", fontsize=11)
    return drawing


def _staircase(size: int) -> torch.Tensor:
    """Kronecker's block L_size: the identity with a zero column behind, and in front."""
    wide = torch.eye(size + 1).double()
    return torch.stack([wide[:size], wide[1:]])


def _pencil_figure() -> Figure:
    """The tree of the gap, and its matrix in normal form: four blocks, two of them not square."""
    gap = ModeTree(Node((Node((Node((0, 1), 3), Node((2, 3), 5)), 15),
                         Node((Node((4, 5), 5), Node((6, 7), 3)), 15)), 2), dim=3)
    with figure(7.2, 3.4, columns=2, width_ratios=(1.3, 1)) as (drawing, axes):
        cut = smallest_cut(gap, (0, 1, 4, 5))
        draw_network(axes[0], gap, (0, 1, 4, 5), cut)
        factors = "·".join(map(str, cut.values()))
        axes[0].set_title(f"cut {factors} = {prod(cut.values())}", fontsize=11)
        corner, ranks = [0, 0], []
        for a in (1, 2):
            for b in (1, 2):
                block = torch.einsum("wac,wbd->abcd", _staircase(a), _staircase(b).mT)
                block = block.flatten(2).flatten(0, 1)
                tall, wide = block.shape
                ranks.append(exact_rank(block).rank)
                color = PALETTE["sky"] if tall == wide else COLORS["cut"]
                axes[1].add_patch(Rectangle((corner[1], corner[0]), wide, tall, facecolor=color,
                                            edgecolor=INK, alpha=0.75))
                axes[1].text(corner[1] + wide / 2, corner[0] + tall / 2, str(ranks[-1]),
                             ha="center", va="center", fontweight="bold")
                corner = [corner[0] + tall, corner[1] + wide]
        axes[1].set(xlim=(-0.2, 15.2), ylim=(15.2, -0.2), aspect="equal", xticks=[], yticks=[])
        axes[1].grid(False)
        axes[1].spines[:].set_visible(True)
        axes[1].set_title(f"blocks of rank {' + '.join(map(str, ranks))} = {sum(ranks)}",
                          fontsize=11)
    return drawing


BOOK_FIGURES = {
    "widths-designs": _designs_figure,
    "widths-network": _network_figure,
    "widths-routes": _routes_figure,
    "widths-pencil": _pencil_figure,
}
