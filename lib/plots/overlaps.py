"""Pictures of ranks and bounds of overlapping architectures."""

from math import log2

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..bounds.bound import Bound
from ..checks import integers, is_integer
from ..networks.architecture import Architecture, Layer
from .style import COLORS, figure, label_line

__all__ = ["draw_block_bounds", "draw_threshold", "window_sweep"]


def window_sweep(size: int, channels: int, width: int) -> list[Architecture]:
    """One stride-1 layer of every window size, under a layer that multiplies the whole map.

    Examples
    --------
    >>> [net.layers[0].window for net in window_sweep(4, 2, 2)]
    [1, 2, 3, 4]
    """
    return [
        Architecture(size, channels, (Layer(window, 1, width), Layer(size, size, 1)))
        for window in range(1, size + 1)
    ]


def draw_threshold(
    axes: Axes, networks: list[Architecture], ranks: list[Bound] | list[int]
) -> None:
    """Exact ranks against window size, beside what the overlap theorem says.

    Parameters
    ----------
    axes : matplotlib Axes
    networks : list of Architecture
        As :func:`window_sweep` gives them.
    ranks : list of Bound or int
        The exact generic rank of each.

    Examples
    --------
    >>> networks = window_sweep(4, 2, 2)
    >>> ranks = [net.exact_two_layer_rank() for net in networks]
    >>> with figure() as (drawing, axes):
    ...     draw_threshold(axes, networks, ranks)
    """
    windows = [net.layers[0].window for net in networks]
    heights = [log2(rank if is_integer(rank) else rank.value) for rank in ranks]
    top = max(*heights, 1)  # of one channel everywhere all are zero
    axes.plot(windows, heights, "o-", color=COLORS["exact"], zorder=3)
    known = [(w, b.exponent * log2(b.base)) for w, net in zip(windows, networks, strict=True)
             if not (b := net.overlap_bound()).silent]
    if known:
        low = known[-1][1] < 0.2 * top  # a power of one: below it stands the axis
        axes.plot(*zip(*known, strict=True), "s", color=COLORS["bound"], markersize=13,
                  fillstyle="none", markeredgewidth=2, zorder=4, clip_on=not low)
        label_line(axes, known[-1][0], known[-1][1], "overlap theorem", COLORS["bound"],
                   xytext=(8, 18 if low else -20), ha="right")
    silent = set(windows) - {w for w, _ in known}
    if silent:
        axes.axvspan(windows[0] - 0.4, max(silent) + 0.5, color=COLORS["bound"], alpha=0.1,
                     zorder=0)
        axes.text(windows[0] - 0.3, top * 0.97, "the overlap\ntheorem says\nnothing here",
                  color=COLORS["bound"], va="top")
    middle = len(windows) // 2 - 1
    label_line(axes, windows[middle], heights[middle], "exact rank", COLORS["exact"],
               xytext=(10, -6 if heights[middle] else 12))
    axes.set_xticks(windows)
    axes.set_xlim(windows[0] - 0.4, windows[-1] + 0.4)
    axes.set_ylim(0, top * 1.08)
    axes.set_xlabel(f"window R of the first layer (input width H = {networks[0].size[0]})")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("rank, as a power of 2")


def draw_block_bounds(
    axes: Axes, sizes: list[int], exponents: dict[str, list[float]], colors: dict[str, str]
) -> None:
    """Exponents of several bounds for block networks, against the input size.

    Parameters
    ----------
    axes : matplotlib Axes
    sizes : list of int
        H, on a logarithmic axis.
    exponents : dict from name to list of float
        The exponent of M, one entry per size, on a logarithmic axis, which has no place for the
        zeros of silent bounds.
    colors : dict from name to color

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_block_bounds(axes, [4, 8], {"area law": [2, 4]}, {"area law": COLORS["exact"]})
    """
    sizes = integers("draw_block_bounds: sizes", sizes, 1)
    for name, values in exponents.items():
        axes.plot(sizes, values, "o-", color=colors[name])
        shown = [point for point in zip(sizes, values, strict=True) if point[1] > 0]
        if shown:
            label_line(axes, *shown[-1], name, colors[name])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xlim(sizes[0] * 0.9, sizes[-1] * 4.5)
    axes.set_xlabel("input width H (log scale)")
    axes.set_ylabel("exponent of M (log scale)")


def _opening() -> Figure:
    networks = window_sweep(size=6, channels=2, width=2)
    with figure(6.4, 3.8) as (drawing, axes):
        draw_threshold(axes, networks, [net.exact_two_layer_rank() for net in networks])
        axes.set_title("Rank of one overlapping layer, 6×6 input")
    return drawing


BOOK_FIGURES = {"overlap-threshold": _opening}
