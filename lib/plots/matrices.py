"""Pictures of tensors as matrices: which entry goes where, and what rank looks like."""

import numpy as np
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..bounds.partitions import split_modes
from ..checks import integer
from ..exact.arithmetic import Real
from ..exact.device import made_on_the_cpu
from ..exact.ranks import exact_rank
from ..grids.grid import change_basis
from ..trees.constructions import even_odd_weights
from ..trees.decompositions import coefficient_tensor
from ..trees.tensors import activation_pooling, generalized_product, khatri_rao, matricize
from ..trees.tree import ModeTree, Node
from .cp import three_terms
from .drawing import draw_arc, draw_cells, draw_heatmap, fit_axes, number, on_paper
from .style import COLORS, INK, figure, text_on
from .toolbox import draw_cut

__all__ = ["integer_matrix", "level_matrices", "rank_note", "shared_matrix"]

ALTERNATING = (0, 1, 4, 5, 8, 9, 12, 13)


def rank_note(matrix: torch.Tensor) -> str:
    """The exact rank of a matrix of integers, in words.

    Examples
    --------
    >>> rank_note(torch.ones(2, 2))
    'rank 1'
    """
    return f"rank {exact_rank(matrix.double()).rank}"


@made_on_the_cpu
def integer_matrix(tree: ModeTree, partition, seed: int) -> torch.Tensor:
    """The matricized tensor of a network whose weights are ±1 and ±2, drawn at random.

    Examples
    --------
    >>> integer_matrix(ModeTree.star(4, 2, 2), "even-odd", 0).shape
    torch.Size([4, 4])
    """
    draw = torch.Generator().manual_seed(integer("integer_matrix: seed", seed))
    weights = {path: torch.tensor([-2, -1, 1, 2])[torch.randint(4, shape, generator=draw)].double()
               for path, shape in tree.weight_shapes().items()}
    return matricize(coefficient_tensor(tree, weights), partition)


def level_matrices() -> list[torch.Tensor]:
    """The even–odd matrices of two, four and eight positions at the point of the proof.

    Examples
    --------
    >>> [matrix.shape[0] for matrix in level_matrices()]
    [2, 4, 16]
    """
    trees = [ModeTree.perfect(2**level, 2, 2, (2,) * level) for level in (1, 2, 3)]
    return [matricize(coefficient_tensor(tree, even_odd_weights(tree)), "even-odd")
            for tree in trees]


def shared_matrix() -> torch.Tensor:
    """A shallow network of four positions with shared weights, left half against right half.

    Examples
    --------
    >>> matrix = shared_matrix()
    >>> bool((matrix[1] == matrix[2]).all())
    True
    """
    tree, factor = ModeTree.star(4, 2, 3), torch.tensor([[1, 2], [1, -1], [2, 1]]).double()
    weights = {(): torch.tensor([1, 2, -1]).double(), **{(i,): factor for i in range(4)}}
    return matricize(coefficient_tensor(tree, weights), "left-right")


def _matricize() -> Figure:
    """The entries of a tensor of order 4 in two matricizations; digits in the colors of sides."""
    tensor = torch.arange(16).reshape(2, 2, 2, 2)
    with figure(7, 3.4, columns=2) as (drawing, axes):
        for ax, partition in zip(axes, ("left-right", "even-odd")):
            rows = split_modes(partition, 4)[0]
            matrix = matricize(tensor, partition)
            r, c = (matrix == 6).nonzero()[0].tolist()
            ax.add_patch(Rectangle((c - 0.5, r - 0.5), 1, 1, facecolor=COLORS["deep"]))
            ax.set(xlim=(-0.5, 3.5), ylim=(3.5, -0.5), xticks=[], yticks=[], aspect="equal")
            ax.spines[:].set_visible(True)
            ax.grid(False)
            ax.set_title(f"rows: modes {rows[0]} and {rows[1]}", loc="center", fontsize=11,
                         fontweight="normal")
            for (r, c), entry in np.ndenumerate(on_paper(matrix)):
                for mode, digit in enumerate(f"{entry:04b}"):
                    side = COLORS["rows" if mode in rows else "columns"]
                    ax.text(c + 0.17 * (mode - 1.5), r, digit, ha="center", va="center",
                            color="white" if entry == 6 else side, fontweight="bold")
    return drawing


def _circuit() -> Figure:
    """A circuit as layers: channels at every position, weights between them, products that join."""
    tree = ModeTree.perfect(4, 2, 3, (2, 2))
    low, top = tree.root.children[0].width, tree.root.width
    levels = [(4, tree.dim), (4, low), (2, low), (2, top), (1, top), (1, 1)]
    with figure(4.1, 4.2) as (drawing, axes):
        spots = []
        for level, (places, channels) in enumerate(levels):
            middle = [(place + 0.5) * 4 / places for place in range(places)]
            spots.append([[(m + 0.26 * (c - (channels - 1) / 2), 1.1 * level + 1)
                           for c in range(channels)] for m in middle])
        for level in range(1, len(levels)):
            for place, cell in enumerate(spots[level]):
                parts = spots[level - 1]
                below = parts[2 * place:2 * place + 2] if level in (2, 4) else [parts[place]]
                for c, top in enumerate(cell):
                    sources = [b[c] for b in below] if level in (2, 4) else below[0]
                    for source in sources:
                        axes.plot(*zip(source, top), zorder=1, linewidth=1.6 if level in (2, 4)
                                  else 0.8, color=COLORS["deep" if level in (2, 4) else "neutral"])
        for level, cells in enumerate(spots):
            for x, y in (spot for cell in cells for spot in cell):
                times = level in (2, 4)
                axes.plot(x, y, "o", markersize=11 if times else 8, zorder=2, markeredgecolor=INK,
                          markerfacecolor=COLORS["deep"] if times else "white")
                if times:
                    axes.text(x, y - 0.01, "×", ha="center", va="center", fontsize=10,
                              color=text_on(COLORS["deep"]), zorder=3)
        draw_cells(axes, [f"$x_{i}$" for i in range(4)], [COLORS["neutral"]] * 4,
                   places=[0.5, 1.5, 2.5, 3.5])
        names = ("inputs", "$M=3$ functions", "weights: mix", "product", "weights: mix",
                 "product", "output: add")
        fit_axes(axes, (-0.05, 5.75), (-0.55, 7), notes={
            (4.15, 1.1 * n - 0.1 if n else 0): name for n, name in enumerate(names)})
        axes.set_aspect("auto")
    return drawing


def _basis() -> Figure:
    """From coefficients to the grid: the same rank, since F is invertible."""
    tree, weights = three_terms()
    tensor, f = coefficient_tensor(tree, weights), torch.tensor([[1, 0], [1, 1]]).double()
    pair = torch.kron(f, f)
    grid = matricize(change_basis(tensor, f, Real()), "left-right")
    shown = (("$F\\otimes F$", pair), ("coefficients", matricize(tensor, "left-right")),
             ("$(F\\otimes F)^\\top$", pair.T), ("grid tensor", grid))
    with figure(7, 2.0, columns=4) as (drawing, axes):
        for ax, (title, matrix), sign in zip(axes, shown, "··= "):
            draw_heatmap(ax, matrix, title, rank_note(matrix), texts=True, fontsize=10)
            ax.text(4.0, 1.5, sign, fontsize=14, ha="center", va="center")
    return drawing


def _low_and_high() -> Figure:
    """Two networks of eight positions, even against odd."""
    networks = {"shallow, 2 channels": ModeTree.star(8, 2, 2),
                "deep, 2 channels": ModeTree.perfect(8, 2, 2, (2, 2, 2))}
    with figure(7, 3.6, columns=2) as (drawing, axes):
        for ax, (name, tree), seed in zip(axes, networks.items(), (1, 6)):
            matrix = integer_matrix(tree, "even-odd", seed)
            draw_heatmap(ax, matrix.sign() * matrix.abs().sqrt(), name, rank_note(matrix))
    return drawing


def _khatri_rao() -> Figure:
    """Columns multiply with columns: the factor of a shallow network for two positions."""
    tree, weights = three_terms()
    first, second = weights[(0,)].T, weights[(1,)].T  # (M, Z)
    product = khatri_rao([first, second])
    shown = (("$V_0$", first), ("$V_1$", second), ("Khatri–Rao: $U$", product))
    with figure(4.1, 2.6, columns=3) as (drawing, axes):
        for ax, (title, matrix) in zip(axes, shown):
            draw_heatmap(ax, matrix, title, texts=True)
            for column in range(1, matrix.shape[1]):
                ax.axvline(column - 0.5, color=INK, linewidth=1.2)
    return drawing


def _shared_rows() -> Figure:
    """Shared weights: the rows of 01 and 10 are equal, and so are the columns."""
    matrix = shared_matrix()
    with figure(3.6, 3.2) as (drawing, ax):
        draw_heatmap(ax, matrix, note=rank_note(matrix), texts=True)
        for ticks, color in ((ax.set_xticks, "columns"), (ax.set_yticks, "rows")):
            ticks(range(4), ("00", "01", "10", "11"), color=COLORS[color], fontweight="bold")
        ax.xaxis.tick_top()
        ax.tick_params(length=0)
        for bend, first, last in ((0.5, (-1.0, 1), (-1.0, 2)), (-0.5, (1, -1.0), (2, -1.0))):
            draw_arc(ax, first, last, bend=bend)
        ax.set(xlim=(-1.45, 3.55), ylim=(3.55, -1.45))
        ax.spines[:].set_visible(False)
    return drawing


def _levels() -> Figure:
    """Level by level the even–odd matrix is the Kronecker square of the one below."""
    with figure(7, 2.7, columns=3) as (drawing, axes):
        for level, (ax, matrix) in enumerate(zip(axes, level_matrices()), 1):
            side = int(matrix.shape[0] ** 0.5) if level > 1 else 1
            draw_heatmap(ax, matrix, f"level {level}: {2**level} positions", rank_note(matrix),
                         step=(side, side))
    return drawing


def _truncated() -> Figure:
    """Sixteen positions, pairs alternate: deep, and cut off after the first pooling."""
    deep = ModeTree.perfect(modes=16, pool=2, dim=2, widths=(2, 2, 2, 2))
    pairs = tuple(Node((2 * i, 2 * i + 1), 2) for i in range(8))
    short = ModeTree(Node(pairs, 2), 2)
    fours = {path: 2 for path, node in deep.inner_nodes() if len(path) == 2}
    with figure(4.1, 4.8, rows=2) as (drawing, axes):
        for ax, tree, cut, name in ((axes[0], deep, fours, "deep"),
                                    (axes[1], short, {(): 2}, "truncated")):
            draw_cut(ax, tree, ALTERNATING, cut, f"{name}: rank {tree.mincut(ALTERNATING)}")
            for text in ax.texts:
                text.set_fontsize(9.5)
                text.get_bbox_patch().set_boxstyle("square,pad=0.2")
    return drawing


def _best_approximation() -> Figure:
    """The explicit point is an identity; four channels keep four of its sixteen ones."""
    matrix = level_matrices()[-1]
    kept = matrix * (torch.arange(16) < 4)
    with figure(7, 2.8, columns=3) as (drawing, axes):
        for ax, shown, title in zip(axes, (matrix, kept, matrix - kept),
                                    ("deep network", "best of rank 4", "error")):
            draw_heatmap(ax, shown, title, f"squares add to {number(float((shown**2).sum()))}")
    return drawing


def _other_products() -> Figure:
    """The table of g(a, b) for a product, a maximum and a sum of rectified numbers."""
    numbers = torch.arange(-1, 4)
    kinds = (("$a\\,b$", "linear", "product"), ("$\\max(a,b,0)$", "relu", "max"),
             ("$[a]_++[b]_+$", "relu", "sum"))
    with figure(7, 2.7, columns=3) as (drawing, axes):
        for ax, (title, activation, pooling) in zip(axes, kinds):
            matrix = generalized_product(numbers, numbers, activation_pooling(activation, pooling))
            draw_heatmap(ax, matrix, title, rank_note(matrix), texts=True)
            for ticks, side in ((ax.set_xticks, "columns"), (ax.set_yticks, "rows")):
                ticks(range(5), map(number, numbers.tolist()), color=COLORS[side],
                      fontweight="bold", fontsize=10)
            ax.xaxis.tick_top()
            ax.tick_params(length=0)
    return drawing


def _replication() -> Figure:
    """A shallow network inside a deep one: identities carry its channels to the root."""
    shallow, deep = ModeTree.star(4, 2, 3), ModeTree.perfect(4, 2, 2, (3, 3))
    with figure(7, 2.6, columns=2) as (drawing, axes):
        draw_cut(axes[0], shallow, (), {}, "shallow, 3 channels")
        draw_cut(axes[1], deep, (), {}, "the same function, deep")
        for x, child in ((1.5, 0.5), (1.5, 2.5)):
            axes[1].text((x + child) / 2, 1.62, "$I$", fontsize=13, ha="center", va="center",
                         color=COLORS["cut"], bbox={"facecolor": "white", "edgecolor": "none",
                                                    "boxstyle": "circle,pad=0.1"})
        for ax in axes:
            for patch in filter(None, (text.get_bbox_patch() for text in ax.texts)):
                if to_hex(patch.get_facecolor()) == COLORS["columns"].lower():
                    patch.set_facecolor(COLORS["neutral"])
        axes[0].set_ylim(-0.2, 1.25)
    return drawing


BOOK_FIGURES = {
    "toolbox-matricize": _matricize, "convac-layers": _circuit, "grid-basis": _basis,
    "low-and-high-rank": _low_and_high, "khatri-rao": _khatri_rao, "shared-rows": _shared_rows,
    "even-odd-levels": _levels, "truncated": _truncated,
    "best-approximation": _best_approximation, "other-products": _other_products,
    "replication": _replication,
}
