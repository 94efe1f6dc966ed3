"""Proof steps that move something: a pixel that travels up, blocks that elimination leaves."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..checks import integers
from ..constructions.overlaps import OverlapConstruction, overlap_construction
from ..exact.arithmetic import Real
from ..networks.architecture import Architecture
from ..trees.tensors import indices
from .drawing import draw_arc, draw_cells, draw_heatmap, fit_axes, require_cells
from .style import COLORS, figure

__all__ = ["draw_travel", "elimination_stages", "free_matrix", "traveling_signs", "two_hops",
           "words"]


def two_hops() -> OverlapConstruction:
    """The network of the crossing bound on eight pixels: hops by 1 and by 2, shift 3.

    Examples
    --------
    >>> two_hops().shift
    3
    """
    net = Architecture((8,), 2, ((2, 1, 1), (3, 1, 1), (8, 8, 1)))
    return overlap_construction(net, torch.eye(2).double(), Real(), layer=2, shift=3)


def traveling_signs(built: OverlapConstruction, marked: tuple[int, ...]) -> list[list[int]]:
    """What the pixels and the cells of every layer up to K hold when some pixels show template 1.

    Parameters
    ----------
    built : OverlapConstruction
        One-dimensional, with two templates: the network is run.
    marked : tuple of int

    Returns
    -------
    list of list of int
        Signs of the pixels, then channel 0 of layers 1, ..., K; 0 where padding was read.

    Examples
    --------
    >>> traveling_signs(two_hops(), (4,))[1]
    [1, 1, 1, -1, -1, 1, 1, 0]
    """
    pixels = built.architecture.size[0]
    shown = torch.zeros(1, pixels, dtype=torch.int64)
    shown[0, list(integers("traveling_signs: marked", marked, 0, pixels - 1))] = 1
    rows = [(1 - 2 * shown[0]).tolist()]
    for layer in range(1, built.layer + 1):
        rows.append([round(x) for x in built.output(shown, layer)[0, 0].tolist()])
    return rows


def draw_travel(axes: Axes, built: OverlapConstruction, marked: tuple[int, ...], location: int,
                title: str = "") -> None:
    """Signs layer by layer: −1 is filled, and so a marked pixel is seen on its way.

    Parameters
    ----------
    axes : matplotlib Axes
    built : OverlapConstruction
    marked : tuple of int
    location : int
        The cell of layer K to frame.
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_travel(axes, two_hops(), (1,), 1)
    """
    texts, net = {1: "+", -1: "−", 0: "0"}, built.architecture
    require_cells("draw_travel", net, built.layer, (location,))
    for level, signs in enumerate(traveling_signs(built, marked)):
        step = net.total_stride(level)  # a cell stands above the first pixel that it sees
        draw_cells(axes, [texts[sign] for sign in signs], [COLORS["deep"]] * len(signs),
                   1.15 * level, [sign != -1 for sign in signs], range(0, step * len(signs), step))
        axes.text(-0.8, 1.15 * level, f"layer {level}" if level else "pixels", ha="right",
                  va="center", fontsize=10)
    first = location * step
    draw_arc(axes, (first, -0.5), (first + built.shift, -0.5), bend=0.25)
    axes.plot(first, 1.15 * level, "o", markersize=25, markerfacecolor="none", zorder=5,
              markeredgecolor=COLORS["cut"], markeredgewidth=2)
    fit_axes(axes, (-2.7, net.size[0] - 0.4), (-1.1, 1.15 * level + 0.65), title)


def free_matrix(built: OverlapConstruction) -> torch.Tensor:
    """The network's outputs where only the free pixels vary, the others showing template 0.

    Returns
    -------
    torch.Tensor, shape (2 ** c, 2 ** c)
        A row for every content of the free pixels before the cut, a column for those after it.

    Examples
    --------
    >>> net = Architecture((8,), 2, ((4, 1, 1), (8, 8, 1)))
    >>> built = overlap_construction(net, torch.eye(2).double(), Real(), layer=1, shift=3)
    >>> free_matrix(built).shape
    torch.Size([8, 8])
    """
    before, after = map(list, zip(*built.free_pixels(), strict=True))
    words = indices(2, len(before))
    shown = words.new_zeros(len(words), len(words), built.architecture.size[0])
    shown[:, :, before], shown[:, :, after] = words[:, None], words[None]
    return built.output(shown.flatten(0, 1)).reshape(len(words), len(words))


def elimination_stages(matrix: torch.Tensor) -> list[torch.Tensor]:
    """The matrix, and what is left of it after each index of the lemma is eliminated.

    Parameters
    ----------
    matrix : torch.Tensor, shape (2 ** c, 2 ** c)

    Returns
    -------
    list of c + 1 torch.Tensor
        The next one is block diagonal, with twice as many blocks of half the size.

    Examples
    --------
    >>> stages = elimination_stages(torch.tensor([[3.0, -1.0], [-1.0, 3.0]]).double())
    >>> stages[1].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    stages, size = [matrix], len(matrix)
    while size > 1:
        matrix, half = stages[-1].clone(), size // 2
        for start in range(0, len(matrix), size):
            inside = slice(start, start + size)
            block = matrix[inside, inside].reshape(2, half, 2, half)
            for rest in range(half):  # the matrix G_r, up to a factor of each of its columns
                block[:, rest] = torch.linalg.solve(
                    block[:, rest, :, 0], block[:, rest].flatten(1)).reshape(2, 2, half)
            matrix[inside, inside] = block.reshape(size, size)
        stages.append(torch.where(matrix.abs() < 1e-9, 0.0, matrix))
        size = half
    return stages


def words(letters: Sequence[int], length: int) -> list[tuple[int, ...]]:
    """The words that a closed sequence contains, one from every letter on.

    Examples
    --------
    >>> words((0, 0, 1, 1), 2)
    [(0, 0), (0, 1), (1, 1), (1, 0)]
    """
    return [tuple(letters[(start + x) % len(letters)] for x in range(length))
            for start in range(len(letters))]


CLOSED = (0, 0, 0, 1, 0, 1, 1, 1)
"""All words of three letters once."""


def _words() -> Figure:
    """A closed sequence: channel j answers to the word that begins at letter j."""
    with figure(4.1, 3.6) as (drawing, axes):
        size = len(CLOSED)
        fill = [COLORS["exact"], COLORS["bound"]]
        draw_cells(axes, [str(x) for x in CLOSED], [fill[x] for x in CLOSED])
        axes.text(-0.9, 0, "letters", ha="right", va="center", fontsize=10)
        for j, word in enumerate(words(CLOSED, 3)):
            places = [(j + x) % size for x in range(3)]
            draw_cells(axes, [str(x) for x in word], [fill[x] for x in word], -1.05 * (j + 1),
                       places=places)
            axes.text(-0.9, -1.05 * (j + 1), f"channel {j}", ha="right", va="center", fontsize=10)
        fit_axes(axes, (-3.5, size - 0.4), (-1.05 * size - 0.6, 0.6))
    return drawing


def _travel() -> Figure:
    built = two_hops()
    shown = (((1,), "pixel 1 is marked"), ((4,), "pixel 4 is marked"), ((1, 4), "both are marked"))
    with figure(4.1, 4.7, rows=3) as (drawing, axes):
        for ax, (marked, title) in zip(axes, shown, strict=True):
            draw_travel(ax, built, marked, 1, title)
    return drawing


def _elimination() -> Figure:
    net = Architecture((8,), 2, ((4, 1, 1), (8, 8, 1)))
    built = overlap_construction(net, torch.eye(2).double(), Real(), layer=1, shift=3)
    titles = ("all windows", "without pixel 1", "without 1 and 2", "without 1, 2 and 3")
    with figure(7, 2.0, columns=4) as (drawing, axes):
        for ax, stage, title in zip(axes, elimination_stages(free_matrix(built)), titles,
                                    strict=True):
            draw_heatmap(ax, stage.sign() * stage.abs().sqrt(), title)
            ax.set_title(title, fontsize=10, loc="center", fontweight="normal")
    return drawing


BOOK_FIGURES = {"closed-words": _words, "traveling-pixel": _travel,
                "elimination-blocks": _elimination}
