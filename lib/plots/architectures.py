"""Pictures of windows and receptive fields, drawn from an Architecture."""

from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from ..checks import integer
from ..networks.architecture import Architecture, Layer
from .drawing import image_size, require_cells, require_one_axis
from .style import COLORS, INK, figure, label_line

__all__ = [
    "draw_architecture",
    "draw_cones",
    "draw_projection",
    "draw_reachable_fields",
    "field_of_cell",
]

PAIR = (COLORS["rows"], COLORS["columns"])


def field_of_cell(net: Architecture, layer: int, cell: int, axis: int = -1) -> tuple[int, int]:
    """First pixel and one past the last pixel that a cell of a layer sees, inside the input.

    Parameters
    ----------
    net : Architecture
    layer, cell : int
        The cell's index along ``axis`` in the map of the layer.
    axis : int

    Examples
    --------
    >>> net = Architecture((8,), 2, (Layer(3, 2, 2), Layer(2, 2, 1)))
    >>> field_of_cell(net, 1, 1), field_of_cell(net, 1, 3)
    ((2, 5), (6, 8))
    """
    step, cells = net.total_stride(layer, axis), net.output_sizes[layer][axis]
    first = integer("field_of_cell: cell", cell, 0, cells - 1) * step
    room = net.size[axis] - first
    # not by T_R alone: where windows are smaller than strides the field has holes, at its end too
    return first, first + 1 + max((shift for shift in net.reachable_shifts(layer, axis)
                                   if shift < room), default=room - 1)


def _seen(net: Architecture, layer: int, cell: int, axis: int = -1) -> list[tuple[int, int]]:
    """The same without its holes: first pixel and one past the last of every run that is seen."""
    first, runs = cell * net.total_stride(layer, axis), []
    for pixel in (first + shift for shift in sorted(net.reachable_shifts(layer, axis))):
        if pixel >= net.size[axis]:
            break
        if runs and runs[-1][1] == pixel:
            runs[-1] = runs[-1][0], pixel + 1
        else:
            runs.append((pixel, pixel + 1))
    return runs


def draw_architecture(axes: Axes | None, net: Architecture, layer: int | None = None) -> Axes:
    """What two neighboring cells of a layer see: cones in one dimension, windows in two.

    Parameters
    ----------
    axes : matplotlib Axes, optional
        By default those of a new figure.
    net : Architecture
    layer : int, optional
        By default the last one with at least two cells along the last axis.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If the layer has no two neighboring cells.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     _ = draw_architecture(axes, Architecture((8,), 2, ((3, 1, 2), (2, 2, 2), (4, 4, 1))))
    """
    if axes is None:
        with figure(7, 4 if net.ndim == 2 else 0.6 * net.depth + 1.4) as (_, axes):
            return draw_architecture(axes, net, layer)
    widths = [sizes[-1] for sizes in net.output_sizes]
    if layer is None:
        layer = max((n for n, width in enumerate(widths) if n and width > 1), default=net.depth)
    if not 1 <= layer <= net.depth:
        raise ValueError(f"draw_architecture: there is no layer {layer} in {net}: its layers are 1 "
                         f"to {net.depth}")
    if widths[layer] < 2:
        raise ValueError(f"draw_architecture: layer {layer} of {net} has no two cells side by side")
    if net.ndim == 2:
        draw_projection(axes, net, layer)
    else:
        below = Architecture(net.size, net.channels, net.layers[:layer])
        draw_cones(axes, below, (0, 1))
    return axes


def draw_cones(axes: Axes, net: Architecture, cells: tuple[int, int], title: str = "") -> None:
    """Two neighboring cells of the last layer, and all that they see of the input.

    Where windows are smaller than strides the cone has holes: input cells that it passes over
    stay white.

    Parameters
    ----------
    axes : matplotlib Axes
    net : Architecture
        One-dimensional; its maps are drawn one above the other, the input at the bottom.
    cells : (int, int)
        Two cells of the top map.
    title : str

    Raises
    ------
    ValueError
        If there is no such cell.

    Examples
    --------
    >>> net = Architecture((8,), 2, (Layer(3, 1, 2), Layer(2, 2, 2)))
    >>> with figure() as (drawing, axes):
    ...     draw_cones(axes, net, (1, 2))
    """
    require_one_axis("draw_cones", net)
    require_cells("draw_cones", net, net.depth, *((cell,) for cell in cells))
    for layer in range(net.depth + 1):
        step = net.total_stride(layer)
        for cell in range(net.output_sizes[layer][0]):
            box = Rectangle((cell * step + 0.08, 1.6 * layer), 0.84, 0.84, facecolor="white",
                            edgecolor=INK, linewidth=0.8, zorder=2)
            axes.add_patch(box)
        name = "input" if layer == 0 else f"layer {layer}"
        axes.text(-0.4, 1.6 * layer + 0.42, name, ha="right", va="center", fontsize=10)
    for cell, color in zip(cells, PAIR, strict=True):
        top, step = 1.6 * net.depth, net.total_stride(net.depth)
        first, end = field_of_cell(net, net.depth, cell)
        cone = [(cell * step + 0.08, top), (cell * step + 0.92, top), (end, 0.84), (first, 0.84)]
        axes.add_patch(Polygon(cone, facecolor=color, alpha=0.18, edgecolor=color, zorder=1))
        axes.add_patch(Rectangle((cell * step + 0.08, top), 0.84, 0.84, facecolor=color, zorder=3))
        for start, stop in _seen(net, net.depth, cell):
            axes.add_patch(Rectangle((start, 0), stop - start, 0.84, facecolor=color, alpha=0.4,
                                     edgecolor=color, zorder=3))
    axes.set_xlim(-2.4, net.size[0] + 0.2)
    axes.set_ylim(-0.3, 1.6 * net.depth + 1.1)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(title)


def draw_projection(
    axes: Axes, net: Architecture, layer: int, cell: tuple[int, int] = (0, 0)
) -> None:
    """The windows of a cell of a layer and of its right neighbor, projected to the input.

    The frame is the extent of a field, filled are the pixels of it that the cell depends on.

    Parameters
    ----------
    axes : matplotlib Axes
    net : Architecture
        Two-dimensional.
    layer : int
    cell : (int, int)
        Row and column of the cell.  In the last column it has no neighbor.

    Raises
    ------
    ValueError
        If there is no such layer or cell.

    Examples
    --------
    >>> net = Architecture(8, 2, (Layer(3, 2, 2), Layer(2, 2, 1)))
    >>> with figure() as (drawing, axes):
    ...     draw_projection(axes, net, 1)
    """
    height, width = image_size("draw_projection", net.size)
    require_cells("draw_projection", net, layer, cell)
    for i in range(height + 1):
        axes.plot([0, width], [i, i], color="#CCCCCC", linewidth=0.5, zorder=0)
    for j in range(width + 1):
        axes.plot([j, j], [0, height], color="#CCCCCC", linewidth=0.5, zorder=0)
    cells = net.output_sizes[layer][1]
    neighbors = [(cell[0], column) for column in range(cell[1], min(cell[1] + 2, cells))]
    for (row, column), color, line in zip(neighbors, PAIR, ("-", "--"), strict=False):
        top, bottom = field_of_cell(net, layer, row, axis=0)
        left, right = field_of_cell(net, layer, column, axis=1)
        for (above, below), (start, stop) in product(_seen(net, layer, row, 0),
                                                     _seen(net, layer, column, 1)):
            axes.add_patch(Rectangle((start, above), stop - start, below - above,
                                     facecolor=color, alpha=0.3, zorder=1))
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False,
                                 edgecolor=color, linewidth=1.8, linestyle=line, zorder=2))
    pairs = ([along(layer, axis) for axis in (0, 1)]
             for along in (net.total_receptive_field, net.total_stride))
    field, stride = ("×".join(map(str, dict.fromkeys(pair))) for pair in pairs)
    axes.set_title(f"layer {layer}: $T_R$={field}, $T_S$={stride}", fontsize=10)
    axes.set_xlim(-0.3, width + 0.3)
    axes.set_ylim(height + 0.3, -0.3)
    axes.set_aspect("equal")
    axes.axis("off")


def draw_reachable_fields(axes: Axes, net: Architecture, layer: int, alpha: int) -> None:
    """Which total receptive fields a layer can be shrunk to, and the smallest one above alpha.

    Examples
    --------
    >>> net = Architecture((16,), 2, (Layer(3, 4, 2), Layer(3, 1, 2)))
    >>> with figure() as (drawing, axes):
    ...     draw_reachable_fields(axes, net, 2, alpha=8)
    """
    fields = [shift + 1 for shift in net.reachable_shifts(layer)]
    minimal = net.alpha_minimal(layer, alpha, t_min="one")
    for field in range(1, net.size[-1] + 1):
        reached = field in fields
        color = COLORS["exact"] if field == minimal else COLORS["rows"] if reached else "white"
        axes.add_patch(Rectangle((field - 0.42, 0), 0.84, 1, facecolor=color,
                                 edgecolor=INK, linewidth=0.6))
    axes.axvline(alpha + 0.5, color=COLORS["cut"], linewidth=1.5, linestyle="--")
    label_line(axes, alpha + 0.5, 1.35, f"α = {alpha}", COLORS["cut"])
    axes.set_xlim(0.3, net.size[-1] + 0.7)
    axes.set_ylim(-0.05, 1.6)
    axes.set_xticks(range(1, net.size[-1] + 1))
    axes.set_yticks([])
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"total receptive field of layer {layer}")


def _opening() -> Figure:
    apart = Architecture((12,), 2, (Layer(2, 2, 2), Layer(2, 2, 2)))
    sharing = Architecture((12,), 2, (Layer(3, 2, 2), Layer(3, 2, 2)))
    with figure(7, 4.2, rows=2) as (drawing, axes):
        draw_cones(axes[0], apart, (0, 1), "Windows 2, strides 2: no pixel is shared")
        draw_cones(axes[1], sharing, (0, 1), "Windows 3, strides 2: three are shared")
    return drawing


BOOK_FIGURES = {"receptive-fields": _opening}
