"""Pictures of grid tensors: templates, the images made of them, ranks of a network's answers."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..bounds.partitions import Partition, split_modes
from ..checks import integer, integers
from ..exact.arithmetic import Modular
from ..exact.ranks import exact_rank
from ..grids.grid import grid_block, grid_tensor
from ..networks.architecture import Architecture
from ..networks.convolutional import grid_network
from ..photograph import photograph_patches
from ..trees.circuit import evaluate
from ..trees.constructions import even_odd_weights
from ..trees.tensors import indices, matricize
from ..trees.tree import ModeTree
from .drawing import number, on_paper
from .style import COLORS, INK, figure, label_line

__all__ = [
    "BOOK_FIGURES",
    "draw_curves",
    "draw_grid_matrix",
    "draw_mosaic",
    "draw_patches",
    "draw_rank_counts",
    "draw_zero_set",
    "pairs_network",
]


def pairs_network() -> tuple[ModeTree, dict]:
    """The first network of the course: (1 + x0 x1)(1 + x2 x3) of a 2×2 image, with its weights.

    Examples
    --------
    >>> tree, weights = pairs_network()
    >>> image = torch.tensor([[[1.0, 2.0], [1.0, 3.0], [1.0, 4.0], [1.0, 5.0]]]).double()
    >>> evaluate(tree, weights, image)  # (1 + 2 * 3) * (1 + 4 * 5)
    tensor([147.], dtype=torch.float64)
    """
    tree = ModeTree.perfect(modes=4, pool=2, dim=2, widths=(2, 1))
    return tree, even_odd_weights(tree)


def draw_grid_matrix(axes: Axes, matrix: torch.Tensor, partition: Partition) -> None:
    """Draw a matricized grid tensor of 2×2 images with the templates 0 and 1, image by image.

    Parameters
    ----------
    axes : matplotlib Axes
    matrix : torch.Tensor, shape (4, 4)
        The network's outputs.
    partition : str or iterable of int
        The partition of the pixels 0, 1 (above) and 2, 3 (below), two of them row modes.

    Raises
    ------
    ValueError
        If the matrix has another shape.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_grid_matrix(axes, torch.ones(4, 4), "left-right")
    """
    if matrix.shape != (4, 4):  # of a larger one a corner would pass for the whole
        raise ValueError(f"draw_grid_matrix: a matrix of shape {tuple(matrix.shape)}; need (4, 4), "
                         "that of 2×2 images and two templates")
    row_modes, column_modes = split_modes(partition, (2, 2))
    shown = indices(2, 2).tolist()
    for r, row in enumerate(shown):
        _image(axes, 0.0, -1.25 * (r + 1), dict(zip(row_modes, row)), row_modes)
        for c, column in enumerate(shown):
            pixels = dict(zip(row_modes + column_modes, row + column))
            x, y = 1.25 * (c + 1), -1.25 * (r + 1)
            _image(axes, x, y, pixels, row_modes)
            axes.text(x + 0.34, y + 0.91, number(float(matrix[r, c].item())), ha="center",
                      va="center", fontsize=12, fontweight="bold")
    for c, column in enumerate(shown):
        _image(axes, 1.25 * (c + 1), 0.0, dict(zip(column_modes, column)), row_modes)
    axes.plot([1.02, 1.02], [0.7, -5.1], color=INK, linewidth=0.8)
    axes.plot([-0.1, 6.0], [-0.12, -0.12], color=INK, linewidth=0.8)
    axes.set_xlim(-0.15, 6.05)
    axes.set_ylim(-5.1, 0.85)
    axes.set_aspect("equal")
    axes.axis("off")


def _image(axes: Axes, x: float, y: float, pixels: Mapping[int, int], row_modes) -> None:
    """Draw the given pixels of a 2×2 image with its lower left corner at (x, y)."""
    side = 0.34
    for mode, value in pixels.items():
        color = COLORS["rows"] if mode in row_modes else COLORS["columns"]
        corner = (x + side * (mode % 2), y + side * (1 - mode // 2))
        axes.add_patch(Rectangle(corner, side, side, facecolor=color if value else "white",
                                 edgecolor=color, linewidth=1.4))


def draw_patches(axes: Sequence[Axes], patches: torch.Tensor) -> None:
    """Show image patches, one per axes.

    Parameters
    ----------
    axes : sequence of matplotlib Axes
    patches : torch.Tensor of integers in 0..255, shape (count, size * size * 3)

    Raises
    ------
    ValueError
        If there are more or fewer patches than axes, or one holds something else, such as colors
        from 0 to 1.

    Examples
    --------
    >>> with figure(columns=2) as (drawing, axes):
    ...     draw_patches(axes, torch.zeros(2, 48))
    """
    if len(axes) != len(patches):
        raise ValueError(f"draw_patches: {len(patches)} patches on {len(axes)} axes; need one for "
                         "each")
    for place, (ax, patch) in enumerate(zip(axes, patches, strict=True)):
        ax.imshow(on_paper(_pixels(patch)))
        ax.set_axis_off()
        ax.set_title(f"template {place}", fontsize=11, fontweight="normal", loc="center")


def draw_mosaic(
    axes: Axes, patches: torch.Tensor, templates: Sequence[int], shape: tuple[int, int]
) -> None:
    """Show the image in which position i holds template ``templates[i]``.

    Parameters
    ----------
    axes : matplotlib Axes
    patches : torch.Tensor of integers in 0..255, shape (count, size * size * 3)
    templates : sequence of int
        One per position, row by row.
    shape : (int, int)
        Rows and columns of positions.

    Raises
    ------
    ValueError
        If there are more or fewer templates, or one that is no patch, or a patch holds something
        else.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_mosaic(axes, torch.zeros(2, 48), [0, 1], (1, 2))
    """
    templates = integers("draw_mosaic: templates", templates, 0, len(patches) - 1)
    if len(templates) != shape[0] * shape[1]:
        raise ValueError(f"draw_mosaic: {len(templates)} templates for {shape[0]}×{shape[1]} "
                         "positions; need one for each")
    tiles = [_pixels(patches[t]) for t in templates]
    lines = [
        torch.cat(tiles[start : start + shape[1]], dim=1)
        for start in range(0, len(tiles), shape[1])
    ]
    axes.imshow(on_paper(torch.cat(lines, dim=0)))
    axes.set_axis_off()
    axes.set_title(", ".join(map(str, templates)), fontsize=11, fontweight="normal", loc="center")


def _pixels(patch: torch.Tensor) -> torch.Tensor:
    size = round((patch.numel() / 3) ** 0.5)
    shown = patch.to(torch.uint8)
    if not (shown == patch).all():  # colors from 0 to 1 would all be black
        wrong = patch[shown != patch][0].item()
        raise ValueError(f"draw_patches, draw_mosaic: a patch holds {wrong:.4g}; need integers "
                         "from 0 to 255")
    return shown.reshape(size, size, 3)


def draw_curves(
    axes: Axes, x: Sequence[int], curves: Mapping[str, tuple[Sequence[int], str]]
) -> None:
    """Draw integer curves over a common x axis, each with its name at its right end.

    Parameters
    ----------
    axes : matplotlib Axes
    x : sequence of int
    curves : dict from name to (values, color)

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_curves(axes, [1, 2], {"deep": ([1, 4], COLORS["deep"])})
    """
    gap = 0.07 * max(max(values) for values, _ in curves.values())
    free = -gap  # the height above which the next label does not touch the one below
    for name, (values, color) in sorted(curves.items(), key=lambda item: item[1][0][-1]):
        axes.plot(x, values, "o-", color=color, markersize=5)
        free = max(values[-1], free + gap)
        label_line(axes, x[-1], free, name, color)
    axes.set_xlim(x[0] - 0.3, x[-1] + 0.55 * (x[-1] - x[0]))
    axes.set_xticks(list(x))


def draw_rank_counts(axes: Axes, counts: Mapping[int, int], generic: int, title: str) -> None:
    """Draw how often every rank was found, the generic one in the color of exact values.

    Parameters
    ----------
    axes : matplotlib Axes
    counts : dict from rank to number of draws
    generic : int
    title : str

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_rank_counts(axes, {4: 10, 9: 2}, generic=9, title="weights 1, 2")
    """
    generic = integer("draw_rank_counts: generic", generic, 0)
    ranks = integers("draw_rank_counts: ranks", counts, 0)
    for rank, count in zip(ranks, counts.values(), strict=True):
        color = COLORS["exact"] if rank == generic else COLORS["neutral"]
        axes.bar(rank, count, width=1.6, color=color)
    axes.set_title(title)
    axes.set_xlim(-3, max(generic, *ranks, 0) + 4)  # ranks above it are drawn, too
    axes.set_xticks([0, generic // 3, 2 * generic // 3, generic])
    axes.set_xlabel("rank")


def draw_zero_set(axes: Axes, steps: torch.Tensor, values: torch.Tensor) -> None:
    """Draw where a polynomial of two parameters vanishes.

    Parameters
    ----------
    axes : matplotlib Axes
    steps : torch.Tensor, shape (n,)
        The values that either parameter takes.
    values : torch.Tensor, shape (n, n)
        The polynomial; the second parameter along the rows.

    Examples
    --------
    >>> steps = torch.linspace(-1, 1, 5)
    >>> with figure() as (drawing, axes):
    ...     draw_zero_set(axes, steps, steps[:, None] - steps**2)
    """
    places = on_paper(steps)
    axes.contour(places, places, on_paper(values), levels=[0.0], colors=[COLORS["cut"]],
                 linewidths=2)
    axes.set_aspect("equal")
    axes.grid(False)
    axes.set_xlabel("parameter $s$")
    axes.set_ylabel("parameter $t$")


def _grid_tensor_figure() -> Figure:
    tree, weights = pairs_network()
    representation = torch.tensor([[1.0, 0.0], [1.0, 1.0]]).double()  # (f_0, f_1) = (1, x)
    matrix = grid_block(lambda inputs: evaluate(tree, weights, inputs), representation,
                        "left-right", (2, 2), indices(2, 2), indices(2, 2))
    with figure(5.0, 4.8) as (drawing, axes):
        draw_grid_matrix(axes, matrix, "left-right")
    return drawing


def _templates() -> Figure:
    """Ranks of four networks on ever more random templates, modulo a prime."""
    field, generator = Modular(), torch.Generator().manual_seed(0)
    families = {"no biases": (((2, 2, 4), (2, 2, 4), (1, 1, 1)), False, "non-overlapping"),
                "bias": (((2, 2, 4), (2, 2, 4), (1, 1, 1)), (False, False, True), "exact"),
                "overlap": (((4, 1, 3), (4, 4, 1)), True, "overlapping"),
                "more overlap": (((3, 1, 3), (2, 1, 3), (4, 4, 1)), True, "bound")}
    numbers, curves = range(2, 13), {}
    for name, (layers, biases, color) in families.items():
        net = Architecture((4,), 2, layers)
        circuit = grid_network(net, net.random_weights(field, generator, biases=biases), field)
        ranks = [exact_rank(matricize(grid_tensor(circuit, field.random((n, 2), generator), 4),
                                      "left-right")).rank for n in numbers]
        curves[name] = ranks, COLORS[color]
    with figure(4.2, 3.0) as (drawing, axes):
        draw_curves(axes, numbers, curves)
        axes.set(ylim=(0, None), xlabel="templates", ylabel="left-right rank",
                 xticks=range(2, 13, 2))
    return drawing


def _patch_templates() -> Figure:
    """Three patches on which three rectified neurons are independent, and two images of them."""
    generator = torch.Generator().manual_seed(0)
    patches = photograph_patches(16, 40, generator)
    filters = torch.randint(-3, 4, (768, 3), generator=generator)
    values, kept = ((patches - 128) @ filters).clamp(min=0), []
    for row in range(len(values)):
        if exact_rank(values[[*kept, row]]).rank == len(kept) + 1:
            kept.append(row)
    with figure(4.2, 2.9, columns=6, rows=2) as (drawing, axes):
        lower = axes[0, 0].get_gridspec()
        below = [drawing.add_subplot(lower[1, half]) for half in (slice(0, 3), slice(3, 6))]
        for ax in axes.flat:
            ax.remove()
        above = [drawing.add_subplot(lower[0, 2 * k:2 * k + 2]) for k in range(3)]
        draw_patches(above, patches[kept])
        for ax, image in zip(below, ((0, 1, 2, 0, 1, 1, 0, 2), (2, 2, 2, 2, 0, 0, 0, 0))):
            draw_mosaic(ax, patches[kept], image, (2, 4))
    return drawing


def _shuffled() -> Figure:
    """Sixteen tiles of a photograph, and a shuffle of them."""
    generator = torch.Generator().manual_seed(2)
    photo = photograph_patches(400, 1, generator).reshape(4, 100, 4, 100, 3)
    tiles = photo.permute(0, 2, 1, 3, 4).reshape(16, -1)
    with figure(4.2, 2.3, columns=2, dpi=80) as (drawing, axes):  # a small file
        for ax, order, title in zip(axes, (range(16), torch.randperm(16, generator=generator)),
                                    ("image", "shuffled")):
            draw_mosaic(ax, tiles, [int(tile) for tile in order], (4, 4))
            ax.set_title(title, loc="center")
    return drawing


BOOK_FIGURES = {"grid-tensor": _grid_tensor_figure, "templates": _templates,
                "patch-templates": _patch_templates, "shuffled-tiles": _shuffled}
