"""Pictures of shallow networks: sums of rank-one matrices, ranks against width, sizes."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ..checks import integers
from ..grids.certify import certify
from ..trees.decompositions import coefficient_tensor
from ..trees.tensors import khatri_rao, matricize
from ..trees.tree import ModeTree
from .drawing import number, on_paper
from .style import COLORS, INK, PALETTE, figure, label_line

__all__ = ["BOOK_FIGURES", "draw_growth", "draw_outer_product", "draw_ranks", "three_terms"]

_SIGNED = LinearSegmentedColormap.from_list(
    "signed", [PALETTE["orange"], "#FFFFFF", PALETTE["blue"]]
)


def three_terms() -> tuple[ModeTree, dict]:
    """A small shallow network with integer weights: N = 4, M = 2, Z = 3.

    Examples
    --------
    >>> tree, weights = three_terms()
    >>> print(tree)
    [0 1 2 3]:3 over dimension 2
    """
    tree = ModeTree.star(modes=4, dim=2, width=3)
    leaves = {
        (0,): [[1, 0], [1, 1], [1, 2]],
        (1,): [[1, 1], [1, -1], [1, 0]],
        (2,): [[1, 1], [0, 1], [1, 2]],
        (3,): [[1, 0], [1, 1], [1, -1]],
    }
    weights = {path: torch.tensor(rows).double() for path, rows in leaves.items()}
    return tree, {(): torch.ones(3).double(), **weights}


def draw_outer_product(
    axes: Axes, matrix: torch.Tensor, left: torch.Tensor | None = None,
    top: torch.Tensor | None = None, scale: float | None = None,
) -> None:
    """Draw an integer matrix as colored cells, with the vectors whose product it is.

    Parameters
    ----------
    axes : matplotlib Axes
    matrix : torch.Tensor, shape (m, n)
    left : torch.Tensor, shape (m,), optional
        Written in the color of rows beside the matrix.
    top : torch.Tensor, shape (n,), optional
        Written in the color of columns above it.
    scale : float, optional
        The absolute value that gets the full color; the largest one unless given.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_outer_product(axes, torch.ones(2, 2), torch.ones(2), torch.ones(2))
    """
    scale = float(matrix.detach().abs().max() if scale is None else scale) or 1.0  # 0: all white
    axes.imshow(on_paper(matrix), cmap=_SIGNED, vmin=-1.6 * scale, vmax=1.6 * scale)
    for r, row in enumerate(matrix.tolist()):
        for c, value in enumerate(row):
            axes.text(c, r, number(value), ha="center", va="center", fontsize=10,
                      color=INK)
    margins = ((left, "rows", lambda n: (-1.0, n)), (top, "columns", lambda n: (n, -1.0)))
    for vector, name, place in margins:
        for n, value in enumerate([] if vector is None else vector.tolist()):
            x, y = place(n)
            axes.text(x, y, number(value), ha="center", va="center", fontsize=10,
                      color=COLORS[name], fontweight="bold")
    axes.set_xlim(-1.6, matrix.shape[1] - 0.3)
    axes.set_ylim(matrix.shape[0] - 0.4, -1.6)
    axes.axis("off")


def draw_ranks(
    axes: Axes, widths: Sequence[int], unshared: Sequence[int], shared: Sequence[int]
) -> None:
    """Draw the rank of shallow networks against their number of channels.

    Parameters
    ----------
    axes : matplotlib Axes
    widths : sequence of int
        Z.
    unshared, shared : sequence of int
        The ranks found for every width.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_ranks(axes, [1, 2, 3], [1, 2, 3], [1, 2, 2])
    """
    for name, ranks, color in (
        ("unshared", unshared, COLORS["shallow"]),
        ("shared", shared, PALETTE["purple"]),
    ):
        axes.plot(widths, ranks, color=color, linewidth=2.5)
        label_line(axes, widths[-1], ranks[-1], f"{name}: {ranks[-1]}", color)
    axes.set_xlim(0, widths[-1] * 1.32)
    axes.set_xticks(range(0, widths[-1] + 1, max(1, widths[-1] // 5)))
    axes.set_ylim(0, None)
    axes.set_xlabel("hidden channels $Z$")
    axes.set_ylabel("rank")


def draw_growth(
    axes: Axes, widths: Sequence[int], curves: Mapping[str, tuple[Sequence[int], str, str]]
) -> None:
    """Draw sizes against the number of channels, both axes logarithmic.

    Parameters
    ----------
    axes : matplotlib Axes
    widths : sequence of int
    curves : dict from name to (values, color, line style)

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_growth(axes, [1, 2], {"deep": ([2, 8], COLORS["deep"], "-")})
    """
    widths = integers("draw_growth: widths", widths, 1)
    for name, (values, color, line) in curves.items():
        axes.plot(widths, values, line, color=color)
        label_line(axes, widths[-1], values[-1], name, color, va="bottom" if line == "-" else "top")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(widths[0], widths[-1] * (widths[-1] / widths[0]) ** 0.75)
    axes.set_xticks(list(widths), [str(w) for w in widths])
    axes.set_xlabel("channels $Z$ (log scale)")


def _cp_terms_figure() -> Figure:
    tree, weights = three_terms()
    rows = (0, 1)
    total = matricize(coefficient_tensor(tree, weights), rows)
    left = khatri_rao([weights[(i,)].T for i in rows])  # (M ** |I|, Z)
    top = khatri_rao([weights[(j,)].T for j in (2, 3)])
    scale = float(total.abs().max())
    with figure(6, 1.75, columns=4) as (drawing, axes):
        draw_outer_product(axes[0], total, scale=scale)
        for z in range(tree.root.width):
            term = torch.outer(left[:, z], top[:, z])
            draw_outer_product(axes[z + 1], term, left[:, z], top[:, z], scale)
        for ax, sign in zip(axes, ("", "=", "+", "+")):
            ax.text(-2.3, 1.5, sign, ha="center", va="center", fontsize=16, color=INK,
                    clip_on=False)
    return drawing


def _ranks_figure() -> Figure:
    widths = range(1, 31)
    curves = [[certify(ModeTree.star(6, 3, z), "left-right", shared=shared).rank for z in widths]
              for shared in (False, True)]
    with figure(4.2, 2.8) as (drawing, axes):
        draw_ranks(axes, list(widths), *curves)
        axes.set_xlim(0, 45)
    return drawing


def _growth_figure() -> Figure:
    widths = (2, 8, 32, 128)
    trees = {"shallow": [ModeTree.star(16, 3, z) for z in widths],
             "deep": [ModeTree.perfect(16, 2, 3, (z,) * 4) for z in widths]}
    curves = {name: ([tree.parameter_count() for tree in row], COLORS[name], "-")
              for name, row in trees.items()}
    with figure(4.2, 2.8) as (drawing, axes):
        draw_growth(axes, widths, curves)
        axes.set_ylabel("parameters (log scale)")
    return drawing


BOOK_FIGURES = {"cp-terms": _cp_terms_figure, "cp-ranks": _ranks_figure,
                "cp-growth": _growth_figure}
