"""Pictures of the tools: what rank counts, a Kronecker product, two cuts of a tree, a zero set."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..checks import integer
from ..exact.ranks import exact_rank
from ..trees.tree import ModeTree, Node
from .drawing import number, on_paper
from .style import COLORS, INK, PALETTE, figure
from .trees import draw_tree, require_cut

__all__ = ["BOOK_FIGURES", "draw_cut", "draw_residues", "draw_table", "draw_zero_curve"]

_BLUE = np.array([0x00, 0x72, 0xB2]) / 255  # the color of rows


def draw_table(axes: Axes, table: torch.Tensor, title: str = "", step: Sequence[int] = (),
               note: str = "") -> None:
    """A matrix of small integers, darker where the entry is larger.

    Parameters
    ----------
    axes : matplotlib Axes
    table : torch.Tensor, shape (m, n)
    title, note : str
        Written above and below.
    step : (int, int), optional
        Rows and columns of the blocks to set apart by lines.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_table(axes, torch.eye(4), "identity", step=(2, 2))
    """
    share = on_paper(table.abs()).astype(float) / max(table.abs().max().item(), 1.0)
    axes.imshow(1 - 0.45 * share[..., None] * (1 - _BLUE), interpolation="nearest")
    for r, row in enumerate(table.tolist()):
        for c, value in enumerate(row):
            axes.text(c, r, number(value), ha="center", va="center", fontsize=12,
                      color=INK)
    for size, pace, draw in zip(table.shape, step, (axes.axhline, axes.axvline)):
        for line in range(pace, size, pace):
            draw(line - 0.5, color=INK, linewidth=1.6)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(True)
    axes.set_title(title, loc="center", fontweight="normal")
    axes.set_xlabel(note, fontsize=12)


def draw_cut(axes: Axes, tree: ModeTree, partition, cut: Mapping[tuple[int, ...], int],
             title: str = "") -> None:
    """A mode tree with the nodes and modes of a cut circled.

    Parameters
    ----------
    axes : matplotlib Axes
    tree : ModeTree
    partition : str or iterable of int
        The row modes.
    cut : dict from path to width
        What is cut, as :func:`lib.trees.routing.smallest_cut` gives it.
    title : str

    Raises
    ------
    ValueError
        If the cut is one of another tree.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_cut(axes, ModeTree.perfect(4, 2, 2, (2, 3)), "left-right", {(): 3})
    """
    require_cut("draw_cut", tree, cut)
    draw_tree(axes, tree, partition, title)
    place = {mode: float(x) for x, mode in enumerate(tree.leaves)}

    def spot(child: Node | int, path: tuple[int, ...]) -> float:
        if isinstance(child, int):
            x, y = place[child], 0
        else:
            below = [spot(c, (*path, n)) for n, c in enumerate(child.children)]
            x, y = sum(below) / len(below), child.height
        if path in cut:
            axes.plot([x], [y], "o", markersize=27, markerfacecolor="none",
                      markeredgecolor=COLORS["cut"], markeredgewidth=2.5, zorder=4)
        return x

    spot(tree.root, ())


def draw_zero_curve(axes: Axes) -> None:
    """Where the product of two weights is 1, with one point off the curve and one on it.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_zero_curve(axes)
    """
    for sign in (1, -1):
        w = sign * np.geomspace(0.15, 7, 200)
        axes.plot(w, 1 / w, color=COLORS["cut"])
    axes.plot([2], [3], "o", color=COLORS["rows"])
    axes.plot([1], [1], "o", color=COLORS["cut"])
    axes.annotate("(2, 3): rank 2", (2, 3), xytext=(6, 6), textcoords="offset points",
                  color=COLORS["rows"], fontweight="bold")
    axes.annotate("(1, 1): rank 1", (1, 1), xytext=(-7, -15), textcoords="offset points",
                  color=COLORS["cut"], fontweight="bold", ha="right")
    axes.set(xlim=(-4.2, 6.2), ylim=(-4.2, 4.6), xlabel="$w_0$", ylabel="$w_1$", aspect="equal")
    axes.set_title("real weights", loc="center", fontweight="normal")


def draw_residues(axes: Axes, prime: int, point: tuple[int, int]) -> int:
    """The residues modulo a prime at which w0 w1 - 1 vanishes, and one at which it does not.

    Parameters
    ----------
    axes : matplotlib Axes
    prime : int
    point : (int, int)

    Returns
    -------
    int
        How many of the pairs of residues are zeros.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_residues(axes, 7, (2, 3))
    6
    """
    prime = integer("draw_residues: prime", prime, 2)
    zeros = [(a, b) for a in range(prime) for b in range(prime) if (a * b - 1) % prime == 0]
    grid = [(a, b) for a in range(prime) for b in range(prime)]
    axes.plot(*zip(*grid), "o", color=PALETTE["sky"], markersize=5)
    axes.plot(*zip(*zeros), "s", color=COLORS["cut"], markersize=10)
    axes.plot(*[[coordinate] for coordinate in point], "o", color=COLORS["rows"], markersize=12)
    axes.set(xticks=range(prime), yticks=range(prime), xlabel="$w_0$", ylabel="$w_1$",
             aspect="equal", xlim=(-0.6, prime - 0.4), ylim=(-0.6, prime - 0.4))
    axes.grid(False)
    axes.set_title(f"residues modulo {prime}", loc="center", fontweight="normal")
    return len(zeros)


def _ranks_figure() -> Figure:
    x = torch.arange(3)
    tables = {
        "$x_0\\,x_1$": x[:, None] * x,
        "$x_0+x_1$": x[:, None] + x,
        "$1+x_0\\,x_1$": 1 + x[:, None] * x,
        "$[x_0=x_1]$": torch.eye(3),
    }
    with figure(7, 2.4, columns=4) as (drawing, axes):
        for ax, (title, table) in zip(axes, tables.items()):
            draw_table(ax, table, title, note=f"rank {exact_rank(table.double()).rank}")
            ax.set_xticks(range(3), range(3), color=COLORS["columns"], fontweight="bold")
            ax.set_yticks(range(3), range(3), color=COLORS["rows"], fontweight="bold")
            ax.xaxis.tick_top()
            ax.tick_params(length=0)
    return drawing


def _kronecker_figure() -> Figure:
    a = torch.tensor([[1, 2], [0, 3]]).double()
    b = torch.tensor([[1, 0, 1], [0, 1, 1]]).double()
    product = torch.kron(a, b)
    with figure(7, 2.5, columns=3, width_ratios=(2, 3, 6)) as (drawing, axes):
        for ax, matrix, title in zip(axes, (a, b, product), ("$A$", "$B$", "$A\\otimes B$")):
            step = tuple(b.shape) if matrix is product else ()
            draw_table(ax, matrix, title, step, f"rank {exact_rank(matrix).rank}")
    return drawing


def _cut_figure() -> Figure:
    tree = ModeTree.perfect(modes=8, pool=2, dim=4, widths=(2, 3, 2))
    pairs = {path: node.width for path, node in tree.inner_nodes() if len(path) == 2}
    with figure(7, 3.1, columns=2) as (drawing, axes):
        for ax, rows, cut in zip(axes, ("even-odd", "left-right"), (pairs, {(): tree.root.width})):
            value = prod(cut.values())
            if value != tree.mincut(rows):
                raise AssertionError(f"the cut drawn for {rows} is not a smallest one")
            factors = "·".join(map(str, cut.values()))
            draw_cut(ax, tree, rows, cut,
                     f"{rows}: {factors} = {value}" if len(cut) > 1 else f"{rows}: {value}")
    return drawing


def _prime_figure() -> Figure:
    with figure(7, 3.4, columns=2) as (drawing, axes):
        draw_zero_curve(axes[0])
        draw_residues(axes[1], 7, (2, 3))
    return drawing


def _mixing_figure() -> Figure:
    widths = (4, 16, 16)
    tree = ModeTree.perfect(modes=8, pool=2, dim=2, widths=widths)
    unshared, shared = [tree.dim], [tree.dim]
    for width in widths[:-1]:
        unshared.append(min(width, unshared[-1] ** 2))
        shared.append(min(width, shared[-1] * (shared[-1] + 1) // 2))
    columns = (("unshared", unshared, COLORS["deep"]), ("shared", shared, PALETTE["vermilion"]))
    with figure(6.4, 3.2, columns=2, width_ratios=(3, 2)) as (drawing, axes):
        draw_tree(axes[0], tree, "left-right")
        for x, (name, dimensions, color) in enumerate(columns):
            axes[1].text(x, 3.55, name, color=color, ha="center", fontweight="bold")
            for level, dimension in enumerate(dimensions):
                axes[1].text(x, level, str(dimension), ha="center", va="center", fontsize=14,
                             color=color)
            rank = min(widths[-1], dimensions[-1])
            axes[1].text(x, 3, f"rank {rank}", ha="center", va="center", color=color)
        axes[1].text(-0.75, -0.45, "dimension of the mixing space", fontsize=10)
        axes[1].set(xlim=(-0.8, 1.8), ylim=axes[0].get_ylim())
        axes[1].axis("off")
    return drawing


BOOK_FIGURES = {
    "mixing-spaces": _mixing_figure,
    "toolbox-ranks": _ranks_figure,
    "toolbox-kronecker": _kronecker_figure,
    "toolbox-cut": _cut_figure,
    "toolbox-prime": _prime_figure,
}
