"""Pictures of what depth buys: ranks, channels and parameters of shallow and deep networks."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from ..checks import integer, integers
from ..exact.arithmetic import Real
from ..exact.device import made_on_the_cpu
from ..exact.ranks import singular_values
from ..grids.certify import certify
from ..trees.constructions import even_odd_weights
from ..trees.decompositions import coefficient_tensor
from ..trees.tensors import matricize
from ..trees.tree import ModeTree
from .drawing import on_paper
from .grids import draw_zero_set
from .style import COLORS, INK, PALETTE, figure, label_line
from .trees import draw_tree

__all__ = [
    "draw_blocks",
    "draw_captured",
    "draw_channels_needed",
    "draw_point",
    "draw_rank_against_parameters",
    "draw_rank_against_size",
]

Points = Sequence[tuple[int, int]]


def draw_blocks(axes: Axes, matrix, title: str = "", step: int = 0) -> None:
    """A matrix of zeros and other numbers as a grid of cells, dark where it is not zero.

    Parameters
    ----------
    axes : matplotlib Axes
    matrix : torch.Tensor or array, shape (m, n)
    title : str
    step : int, optional
        Draw a line after every ``step`` rows and columns, to show blocks.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_blocks(axes, np.eye(3), "identity")
    """
    nonzero = on_paper(matrix) != 0
    height, width = nonzero.shape
    shades = np.where(nonzero[..., None], _rgb(COLORS["deep"]), 1.0)
    axes.imshow(shades, interpolation="nearest")
    for position, draw in ((height, axes.axhline), (width, axes.axvline)):
        for line in range(1, position):
            draw(line - 0.5, color="#DDDDDD", linewidth=0.6)
        for line in range(step, position if step else 0, step or 1):
            draw(line - 0.5, color=INK, linewidth=1.0)
    axes.set(xticks=[], yticks=[], title=title)
    axes.grid(False)
    axes.spines[:].set_visible(True)


def draw_rank_against_parameters(axes: Axes, shallow: Points, deep: Mapping[int, tuple]) -> None:
    """Rank against the number of parameters, both on logarithmic scales.

    Parameters
    ----------
    axes : matplotlib Axes
    shallow : sequence of (parameters, rank)
        One point for each number of channels Z.
    deep : dict from width to (parameters, rank)

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_rank_against_parameters(axes, [(10, 1), (20, 2)], {1: (10, 1), 2: (20, 16)})
    """
    axes.plot(*zip(*shallow, strict=True), "o-", color=COLORS["shallow"], markersize=4)
    axes.plot(*zip(*deep.values(), strict=True), "o-", color=COLORS["deep"], zorder=3)
    for width, (parameters, rank) in deep.items():
        axes.annotate(f"$r={width}$", (parameters, rank), xytext=(8, -4), ha="left",
                      textcoords="offset points", color=COLORS["deep"], fontsize=10)
    middle = shallow[len(shallow) // 2]
    label_line(axes, *middle, "shallow", COLORS["shallow"], xytext=(8, -8))
    last = list(deep.values())[-1]
    label_line(axes, *last, "deep", COLORS["deep"], xytext=(-9, 0), ha="right")
    axes.set_xscale("log")
    axes.set_yscale("log", base=2)
    axes.set_xlabel("parameters (log scale)")
    axes.set_ylabel("even-odd rank (log scale)")


def draw_channels_needed(
    axes: Axes, sizes: Sequence[int], width: int, certified: Sequence[int]
) -> None:
    """Channels of a deep network, and of the shallow one that has its even-odd rank.

    Parameters
    ----------
    axes : matplotlib Axes
    sizes : sequence of int
        Numbers of positions N, powers of two from 2 on.
    width : int
        r, the width of every layer of the deep network, with r <= M.
    certified : sequence of int
        Those sizes at which the rank was certified: filled markers.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_channels_needed(axes, [2, 4, 8], 2, [2, 4])
    """
    sizes = integers("draw_channels_needed: sizes", sizes, 1)
    width = integer("draw_channels_needed: width", width, 1)
    if any(size < 2 or size & size - 1 for size in sizes):  # no network has a fraction of a layer
        raise ValueError(f"draw_channels_needed: sizes={sizes}; need powers of two from 2 on")
    deep = [width * (size.bit_length() - 1) for size in sizes]  # r channels in each of log2 N
    shallow = [width ** (size // 2) for size in sizes]
    for values, name in ((shallow, "shallow"), (deep, "deep")):
        color = COLORS[name]
        axes.plot(sizes, values, "-", color=color)
        for size, value in zip(sizes, values, strict=True):
            face = color if size in certified else "white"
            axes.plot(size, value, "o", color=color, markerfacecolor=face)
    label_line(axes, sizes[-1], shallow[-1], "shallow", COLORS["shallow"],
               xytext=(-10, 2), ha="right")
    label_line(axes, sizes[-1], deep[-1], "deep", COLORS["deep"], xytext=(-4, 12), ha="right")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xlabel("positions N (log scale)")
    axes.set_ylabel("hidden channels (log scale)")


def draw_point(pair, matrix, step: int) -> Figure:
    """The matrix of two neighbors at the explicit point beside the even-odd matrix of four.

    Parameters
    ----------
    pair, matrix : torch.Tensor or array
        Square matrices, the second with as many rows as the first has entries.
    step : int
        Size of a block of the second.

    Returns
    -------
    matplotlib Figure

    Examples
    --------
    >>> drawing = draw_point(np.eye(2), np.eye(4), step=2)
    """
    rows = len(pair)
    if tuple(pair.shape) != (rows, rows) or tuple(matrix.shape) != (rows**2, rows**2):
        raise ValueError(f"draw_point: matrices of shapes {tuple(pair.shape)} and "
                         f"{tuple(matrix.shape)}; need (M, M) and (M², M²)")
    with figure(6, 3, columns=2) as (drawing, axes):
        draw_blocks(axes[0], pair, "two positions")
        draw_blocks(axes[1], matrix, "four positions", step=step)
    return drawing


def draw_rank_against_size(shallow: Points, deep: Mapping[int, tuple], width: int = 4) -> Figure:
    """Rank against parameters beside channels against positions, the latter for M = r.

    Parameters
    ----------
    shallow, deep
        As :func:`draw_rank_against_parameters` takes them.
    width : int
        M and r at the right.

    Returns
    -------
    matplotlib Figure

    Examples
    --------
    >>> drawing = draw_rank_against_size([(10, 1), (20, 2)], {1: (10, 1), 2: (20, 16)})
    """
    with figure(7, 3.5, columns=2) as (drawing, axes):
        draw_rank_against_parameters(axes[0], shallow, deep)
        draw_channels_needed(axes[1], [2, 4, 8, 16, 32], width, [2, 4, 8])
    return drawing


def draw_captured(axes: Axes, curves: Mapping[str, Sequence[float]], colors: Sequence[str]) -> None:
    """The least relative error that matrices of rank Z leave, against Z.

    Parameters
    ----------
    axes : matplotlib Axes
    curves : dict from name to sequence of float
        Entry Z is the squared error left by the best matrix of rank Z, relative to the whole.
    colors : sequence of str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_captured(axes, {"flat": [1.0, 0.5, 0.0]}, ["black"])
    """
    for (name, errors), color in zip(curves.items(), colors, strict=True):
        axes.plot(range(len(errors)), errors, color=color)
        place = len(errors) // 3
        label_line(axes, place, errors[place], name, color, xytext=(6, 10))
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0, None)
    axes.set_xlabel("channels Z of the shallow network")
    axes.set_ylabel("squared error, at least")


def _rgb(color: str) -> np.ndarray:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def _two_networks() -> Figure:
    """Two channels a layer against sixteen channels, for the same even-odd rank."""
    even = (0, 2, 4, 6)
    deep = ModeTree.perfect(modes=8, pool=2, dim=2, widths=(2, 2, 2))
    shallow = ModeTree.star(modes=8, dim=2, width=deep.mincut("even-odd"))
    with figure(7, 2.8, columns=2) as (drawing, axes):
        draw_tree(axes[0], deep, even, f"2 channels per node: rank {deep.mincut('even-odd')}")
        draw_tree(axes[1], shallow, even, f"one node: {shallow.root.width} channels for rank "
                  f"{shallow.mincut('even-odd')}")
        axes[1].set_ylim(-0.17, 1.17)  # the same place in the picture for leaves and root
    return drawing


def _three_kinds() -> Figure:
    """Which weights of the deep network a small shallow one can replicate (a schematic)."""
    with figure(7, 2.7, columns=3) as (drawing, axes):
        titles = ("no efficiency", "incomplete", "complete")
        for ax, title in zip(axes, titles, strict=True):
            face = COLORS["shallow"] if title == titles[0] else "#CFE3F1"
            ax.add_patch(Rectangle((0, 0), 1, 1, facecolor=face, edgecolor=INK, linewidth=1.2))
            ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", title=title)
            ax.axis("off")
        axes[1].add_patch(Circle((0.36, 0.6), 0.24, facecolor=COLORS["shallow"]))
        across = np.linspace(0, 1, 200)
        axes[2].plot(across, 0.5 + 0.28 * np.sin(7 * across) - 0.2 * across,
                     color=COLORS["shallow"], linewidth=2.5)
        for ax, height in zip(axes[1:], (0.14, 0.9), strict=True):
            ax.text(0.6, height, "out of reach", ha="center", color=PALETTE["blue"])
        axes[0].text(0.5, 0.5, "within reach", ha="center", color=INK)
        axes[1].text(0.36, 0.6, "within\nreach", ha="center", va="center", color=INK)
    return drawing


def _captured() -> Figure:
    """The error that remains at the explicit point and at one draw of normal weights."""
    tree = ModeTree.perfect(8, 2, 4, (4, 4, 4))
    left = {}
    for name, weights in (("explicit point", even_odd_weights(tree)),
                          ("random weights", tree.random_weights(
                              Real(), torch.Generator().manual_seed(0)))):
        energy = singular_values(matricize(coefficient_tensor(tree, weights), "even-odd")) ** 2
        rest = energy.flip(0).cumsum(0).flip(0)
        left[name] = [*(rest / rest[0]).tolist(), 0.0]
    with figure(4.2, 2.8) as (drawing, axes):
        draw_captured(axes, left, [COLORS["exact"], COLORS["neutral"]])
    return drawing


def _point() -> Figure:
    """The explicit point for M = 3 and r = 2, one pair of positions and two."""
    pair, four = (ModeTree.perfect(n, 2, 3, (2, 1)[:n // 2]) for n in (2, 4))
    return draw_point(*(matricize(coefficient_tensor(tree, even_odd_weights(tree)), "even-odd")
                        for tree in (pair, four)), step=3)


def _sizes() -> Figure:
    """Certified ranks and parameters of networks with N = 8 and M = 4."""
    deep = {r: ModeTree.perfect(8, 2, 4, (r, r, r)) for r in (1, 2, 3, 4)}
    shallow = [ModeTree.star(8, 4, z) for z in (1, 4, 16, 64, 256)]
    return draw_rank_against_size(
        [(net.parameter_count(), certify(net, "even-odd").rank) for net in shallow],
        {r: (net.parameter_count(), certify(net, "even-odd").rank) for r, net in deep.items()})


PLANE = ModeTree.perfect(4, 2, 2, (2, 2))
"""The network of which a plane of weights is drawn: its even-odd rank is 4, the largest."""


@made_on_the_cpu
def weights_in_plane(s: torch.Tensor, t: torch.Tensor) -> dict[tuple, torch.Tensor]:
    """Weights of ``PLANE`` at the points (s, t) of a plane through three random ones.

    Parameters
    ----------
    s, t : torch.Tensor of float64, shape (...)

    Returns
    -------
    dict from path to torch.Tensor
        Each with the shape of s in front of that of the weight.

    Examples
    --------
    >>> weights_in_plane(*torch.zeros(2, 5).double())[()].shape
    torch.Size([5, 2])
    """
    generator = torch.Generator().manual_seed(0)
    s, t = s.cpu(), t.cpu()
    start, along, across = (PLANE.random_weights(Real(), generator) for _ in range(3))
    return {path: start[path] + s.reshape(*s.shape, *[1] * start[path].dim()) * along[path]
            + t.reshape(*t.shape, *[1] * start[path].dim()) * across[path] for path in start}


def rank_factors(weights: Mapping[tuple, torch.Tensor]) -> list[torch.Tensor]:
    """Polynomials in the weights of ``PLANE``: the rank is 4 where none of them is zero.

    Four are determinants of leaf matrices. The other four are the diagonal of what is left of the
    even-odd matrix when each leaf matrix is the identity.

    Parameters
    ----------
    weights : mapping from path to torch.Tensor
        As :func:`weights_in_plane` gives them.

    Returns
    -------
    list of 8 torch.Tensor

    Examples
    --------
    >>> len(rank_factors(weights_in_plane(*torch.zeros(2, 5).double())))
    8
    """
    leaves = [torch.linalg.det(weights[n, m]) for n in range(2) for m in range(2)]
    core = torch.einsum("...g,...ga,...gb->...ab", weights[()], weights[0,], weights[1,])
    return [*leaves, *core.flatten(-2).unbind(-1)]


def _exceptions() -> Figure:
    """Where in a plane of weights the even-odd rank of a network is smaller than 4."""
    steps = torch.linspace(-1.5, 1.5, 151).double()
    with figure(4.2, 3.6) as (drawing, axes):
        for values in rank_factors(weights_in_plane(*torch.meshgrid(steps, steps, indexing="xy"))):
            draw_zero_set(axes, steps, values)
    return drawing


BOOK_FIGURES = {"depth-captured": _captured, "depth-exceptions": _exceptions,
                "even-odd-point": _point, "rank-against-size": _sizes,
                "depth-rank": _two_networks, "depth-efficiency-kinds": _three_kinds}
