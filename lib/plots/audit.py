"""Pictures of audits: paths that meet, fields that grow with depth, bounds by layer."""

from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from ..checks import integer, integers
from .drawing import image_size, on_paper
from .style import COLORS, INK, RECEPTIVE_FIELD_COLORS, figure, label_line

__all__ = ["draw_bounds_by_layer", "draw_field_growth", "draw_influence", "draw_paths", "draw_unit",
           "figure", "path_field"]

WindowChain = list[tuple[int, int, int]]


def path_field(path: WindowChain, unit: int) -> tuple[int, int]:
    """First and last pixel that a unit sees along one path, as if the image had no border.

    Parameters
    ----------
    path : list of (window, stride, padding)
        From the image upwards, one axis; ``padding`` counts the cells before the map.
    unit : int

    Returns
    -------
    (int, int)

    Examples
    --------
    >>> path_field([(3, 2, 1), (3, 1, 1)], 3)
    (3, 9)
    """
    first = last = integer("path_field: unit", unit)
    chain = [integers("path_field: path", step) for step in path]
    for window, stride, padding in reversed(chain):
        first, last = first * stride - padding, last * stride - padding + window - 1
    return first, last


def draw_paths(axes: Axes, paths: dict[str, WindowChain], size: int, unit: int, title: str) -> None:
    """One unit where branches meet, and what it sees along each of them.

    Parameters
    ----------
    axes : matplotlib Axes
    paths : dict from name to list of (window, stride, padding)
        One or two, drawn in this order, the widest first.
    size : int
        Pixels of the image, one axis.
    unit : int
    title : str

    Raises
    ------
    ValueError
        If there are more than two paths, or none.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_paths(axes, {"branch": [(3, 2, 1)], "shortcut": [(1, 2, 0)]}, 8, 2, "aligned")
    """
    if not 1 <= len(paths) <= 2:
        raise ValueError(f"draw_paths: {len(paths)} paths ({', '.join(paths)}); draws one or two")
    fields = {name: path_field(path, unit) for name, path in paths.items()}
    colors, size = (COLORS["rows"], COLORS["columns"]), integer("draw_paths: size", size, 1)
    top = (min(a for a, _ in fields.values()) + max(b for _, b in fields.values()) + 1) / 2
    for pixel in range(size):
        axes.add_patch(Rectangle((pixel + 0.07, 0), 0.86, 0.86, facecolor="white", edgecolor=INK,
                                 linewidth=0.8, zorder=3))
    axes.add_patch(Rectangle((top - 0.5, 4.2), 1, 0.86, facecolor=INK, edgecolor=INK, zorder=4))
    for depth, ((name, (first, last)), color) in enumerate(zip(fields.items(), colors,
                                                               strict=False)):
        axes.add_patch(Polygon([(top - 0.3, 4.2), (first, 0.9), (last + 1, 0.9), (top + 0.3, 4.2)],
                               closed=True, facecolor=color, alpha=0.25 + 0.3 * depth,
                               edgecolor=color, zorder=1 + depth))
        for pixel in range(max(first, 0), min(last + 1, size)):
            axes.add_patch(Rectangle((pixel + 0.07, 0), 0.86, 0.86, zorder=4 + depth,
                                     facecolor=color, alpha=0.35 + 0.4 * depth, edgecolor="none"))
        low = -0.75 - 1.15 * depth
        axes.plot([first, last + 1], [low, low], color=color, linewidth=2.5,
                  solid_capstyle="butt")
        axes.plot([(first + last + 1) / 2], [low], "o", color=color, markersize=7)
        axes.text(last + 1.3, low, name, color=color, va="center", fontweight="bold")
    axes.set_title(title)
    axes.set_xlim(min(0, *(first for first, _ in fields.values())) - 0.2,
                  max(size + 2.2, *(last + 1.2 for _, last in fields.values())))
    axes.set_ylim(-2.6, 5.3)
    axes.set_aspect("equal")
    axes.axis("off")


def draw_field_growth(
    axes: Axes, fields: dict[str, list[int]], size: int, left: tuple[str, ...] = ()
) -> None:
    """Largest field reached up to every layer, against the layer's number.

    Parameters
    ----------
    axes : matplotlib Axes
    fields : dict from name to list of int
    size : int
        Pixels of the image, drawn as a line, and half of it.
    left : tuple of str
        Names to be written to the left of their line's end; of lines much shorter than the longest
        one they are written above it.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_field_growth(axes, {"plain": [3, 5, 10]}, 32)
    """
    palette = cycle(RECEPTIVE_FIELD_COLORS.values())
    longest = max(len(values) for values in fields.values())
    for (name, values), color in zip(fields.items(), palette, strict=False):
        axes.plot(range(1, len(values) + 1), values, color=color, drawstyle="steps-post")
        side = {"xytext": (-4, 8), "ha": "right"} if name in left else {"xytext": (6, -4)}
        if len(values) < longest / 10:              # no room beside a short line
            side = {"xytext": (-8, 9), "ha": "left"}
        label_line(axes, len(values), values[-1], name, color, **side)
    for height, text in ((size, "image"), (size / 2, "half of it")):
        axes.axhline(height, color=COLORS["neutral"], linestyle="--", linewidth=1.2, zorder=0)
        axes.text(longest * 1.12, height, text, color=COLORS["neutral"], va="bottom", ha="right")
    axes.set_xlim(0, longest * 1.13)
    axes.set_ylim(0, None)
    axes.set_xlabel("layer")
    axes.set_ylabel("$T_R$, pixels")


def draw_bounds_by_layer(axes: Axes, names: list[str], bounds: dict[str, list]) -> None:
    """Bounds as powers of ten, by the layer K that gives them.

    Parameters
    ----------
    axes : matplotlib Axes
    names : list of str
        The layers.
    bounds : dict from name to list of float or None
        Base-ten logarithms, one entry per layer, None where the bound is silent. At most two
        names; one that is silent everywhere is left out. So are bounds of 1, whose logarithm 0
        has no place on the axis.

    Raises
    ------
    ValueError
        If there are more bounds, or more or fewer entries than layers.

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_bounds_by_layer(axes, ["a", "b"], {"overlap theorem": [None, 5.0]})
    """
    if len(bounds) > 2 or any(len(values) != len(names) for values in bounds.values()):
        found = ", ".join(f"{len(values)} of {name}" for name, values in bounds.items())
        raise ValueError(f"draw_bounds_by_layer: {found} for {len(names)} layers; draws one or two "
                         "bounds, with an entry for every layer")
    colors, markers = (COLORS["exact"], COLORS["bound"]), ("o", "s")
    for (name, values), color, marker in zip(bounds.items(), colors, markers, strict=False):
        points = [(place, value) for place, value in enumerate(values) if value]
        if not points:
            continue
        axes.plot(*zip(*points, strict=True), marker + "-", color=color)
        peak = max(reversed(points), key=lambda point: point[1])
        label_line(axes, *peak, name, color, xytext=(10, 8))
    axes.set_yscale("log")
    found = [v for values in bounds.values() for v in values if v] or [1]
    axes.set_ylim(min(found) / 2, max(found) * 3)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=9)
    axes.set_xlabel("layer K")
    axes.set_ylabel(r"$\log_{10}$ of the bound (log scale)")


def draw_unit(axes: Axes, box, size: tuple[int, int], image=None, title: str = "") -> None:
    """The pixels that one unit sees, as a frame over the input image.

    Parameters
    ----------
    axes : matplotlib Axes
    box : lib.audit.Box
        What ``found.box(layer, unit)`` returns.
    size : (int, int)
        Height and width of the input.
    image : array, shape (height, width) or (height, width, 3), optional
        The image below; a blank one by default.
    title : str

    Examples
    --------
    >>> from torch import nn
    >>> from lib.audit import audit
    >>> net = nn.Conv2d(3, 4, 5, padding=2)
    >>> with figure() as (drawing, axes):
    ...     draw_unit(axes, audit(net, 32).box(None, (0, 20)), (32, 32))
    """
    height, width = image_size("draw_unit", size)
    axes.add_patch(Rectangle((-0.5, -0.5), width, height, facecolor="white", edgecolor=INK,
                             zorder=-1))            # below the image, which has zorder 0
    if image is not None:
        axes.imshow(on_paper(image), cmap="gray", extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    for pixels, line in ((box.beyond, "--"), (box.pixels, "-")):
        if pixels is None:
            continue
        (top, bottom), (left, right) = pixels
        axes.add_patch(Rectangle((left - 0.5, top - 0.5), right - left + 1, bottom - top + 1,
                                 fill=line == "-", facecolor=(*COLORS_RGB, 0.25), linestyle=line,
                                 edgecolor=COLORS["overlapping"], linewidth=2))
    axes.grid(False)
    (top, bottom), (left, right) = box.beyond or ((0, height), (0, width))
    axes.set_xlim(min(left, 0) - 2, max(right, width) + 2)
    axes.set_ylim(max(bottom, height) + 2, min(top, 0) - 2)
    axes.set_aspect("equal")
    axes.set_title(title)


def draw_influence(axes: Axes, found, title: str = "") -> None:
    """How much each pixel moves a unit, with the theoretical field as a frame.

    A pixel that does not move it is white, the one that moves it most is black.

    Parameters
    ----------
    axes : matplotlib Axes
    found : lib.audit.EffectiveField
        For a network on images.
    title : str

    Examples
    --------
    >>> from torch import nn
    >>> from lib.audit import effective_field
    >>> with figure() as (drawing, axes):
    ...     draw_influence(axes, effective_field(nn.AvgPool2d(4), 16, channels=1))
    """
    image_size("draw_influence", found.influence.shape)
    axes.imshow(on_paper(found.influence.sqrt()), cmap="Greys", vmin=0)  # white: none at all
    axes.grid(False)
    (top, bottom), (left, right) = found.theoretical
    axes.add_patch(Rectangle((left - 0.5, top - 0.5), right - left + 1, bottom - top + 1,
                             fill=False, edgecolor=COLORS["overlapping"], linewidth=2))
    axes.set_title(title)


COLORS_RGB = to_rgb(COLORS["overlapping"])


def _opening() -> Figure:
    shortcut = [(1, 2, 0)]
    with figure(5.4, 4.3, rows=2) as (drawing, axes):
        draw_paths(axes[0], {"branch": [(3, 2, 1), (3, 1, 1)], "shortcut": shortcut}, 14, 3,
                   "Padding on both sides")
        draw_paths(axes[1], {"branch": [(3, 2, 0), (3, 1, 1)], "shortcut": shortcut}, 14, 3,
                   "Padding at the end only")
    return drawing


def _units() -> Figure:
    """What units of ResNet-50 see of a photograph of 224 x 224 pixels."""
    import torch

    from ..audit import audit, models
    from ..photograph import photograph

    with torch.device("meta"):
        found = audit(models.resnet(50), 224)
    image = photograph()[20:468:4, 32:480:4]       # half as fine: a small file
    with figure(4.6, 2.6, columns=2) as (drawing, axes):
        for panel, stage, unit in ((axes[0], 2, (13, 14)), (axes[1], 3, (2, 4))):
            draw_unit(panel, found.box(f"features.stage{stage}", unit), found.size, image,
                      f"stage {stage}")
            panel.axis("off")
    return drawing


BOOK_FIGURES = {"residual-paths": _opening, "unit-fields": _units}
