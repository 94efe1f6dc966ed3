"""The picture that opens the course: what it means for windows to overlap, and what it buys."""

from matplotlib.patches import FancyBboxPatch, Rectangle

from ..checks import integer
from ..networks.architecture import Architecture, Layer
from .style import COLORS, INK, figure

__all__ = ["cover", "cover_ranks"]

SIZE, CHANNELS = 32, 64


def cover_ranks(size=SIZE, channels=CHANNELS, windows=(2, 3, 4, 5)):
    """Ranks between the halves of an image: without overlap, and for one layer of each window.

    Parameters
    ----------
    size, channels : int
        Side of the image, a power of two, and channels of every layer.
    windows : sequence of int
        Windows of the stride-1 layer, in pixels.

    Returns
    -------
    list of (str, Bound)
        First an upper bound for 2 x 2 windows of stride 2 at any depth, then exact generic ranks.

    Notes
    -----
    Lemma 1 and the exact two-layer theorem of book/overlap-theorem.md.

    Examples
    --------
    >>> [(name, str(rank)) for name, rank in cover_ranks(4, 2, (2, 3))]
    [('no overlap', '3^1'), ('2×2', '2^4'), ('3×3', '2^8')]
    """
    levels = integer("cover_ranks: size", size, 1).bit_length() - 1
    tiles = Architecture(size, channels, (*[Layer(2, 2, channels)] * levels, Layer(1, 1, 1)))
    ranks = [("no overlap", tiles.non_overlapping_upper_bound())]
    for window in windows:
        net = Architecture(size, channels, (Layer(window, 1, channels), Layer(size, size, 1)))
        ranks.append((f"{window}×{window}", net.exact_two_layer_rank()))
    return ranks


def draw_windows(axes, net, title):
    """The windows of a first layer inside its input; those that cross the middle stand out.

    Windows that reach into the padding are left out.

    Parameters
    ----------
    axes : matplotlib Axes
    net : Architecture
        Two-dimensional.
    title : str
    """
    height, width = net.size
    window, stride = net.windows[0], net.strides[0]
    for row in range(height):
        for column in range(width):
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor="white", edgecolor="#CCCCCC"))
    inset = 0.10  # neighbors stay apart
    tall, wide = (side - 2 * inset for side in window)
    tiled = stride[0] >= window[0] and stride[1] >= window[1]
    for row in range(0, height - window[0] + 1, stride[0]):
        for column in range(0, width - window[1] + 1, stride[1]):
            look = _window_style(column < width / 2 < column + window[1], tiled)
            axes.add_patch(FancyBboxPatch((column + inset, row + inset), wide, tall, **look))
    middle = [width / 2] * 2
    axes.plot(middle, [-0.5, height + 0.5], color=INK, linestyle=(0, (3, 2)), linewidth=1.4,
              zorder=4)
    axes.set(xlim=(-0.2, width + 0.2), ylim=(height + 0.6, -0.6), aspect="equal")
    axes.set_title(title, loc="center")
    axes.axis("off")


def _window_style(crosses, tiled):
    color = COLORS["overlapping" if crosses else "non-overlapping"]
    fill = color + ("22" if crosses or tiled else "14")  # the last two digits are the opacity
    edge = color if crosses or tiled else "none"
    return {"boxstyle": "round,pad=0,rounding_size=0.2", "facecolor": fill, "edgecolor": edge,
            "linewidth": 2, "zorder": 3 if crosses else 2}


def draw_ranks(axes, ranks):
    """One bar per network, as long as its rank has digits.

    Parameters
    ----------
    axes : matplotlib Axes
    ranks : list of (str, Bound)
    """
    for position, (_, rank) in enumerate(ranks):
        color = COLORS["overlapping" if position else "non-overlapping"]
        axes.barh(position, max(rank.log10, 1.2), color=color, height=0.62)
        text = f"${rank.base}^{{{rank.exponent}}}$" if position else f"at most {rank.value}"
        axes.annotate(text, (max(rank.log10, 1.2), position), xytext=(6, 0), va="center",
                      textcoords="offset points", color=INK, fontsize=13)
    axes.set_yticks(range(len(ranks)), [name for name, _ in ranks])
    axes.set(ylim=(len(ranks) - 0.5, -0.5), xlim=(0, 1.18 * max(rank.log10 for _, rank in ranks)))
    axes.set_xlabel("decimal digits of the rank")
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0)


def cover():
    """Two small images with their windows, and the ranks that follow.

    Returns
    -------
    matplotlib Figure

    Examples
    --------
    >>> len(cover().axes)
    3
    """
    layers = {"Windows side by side": Layer(2, 2, 2),
              "Overlapping windows": Layer(2, 1, 2)}
    with figure(7, 5.4, turns=False) as (drawing, whole):
        whole.remove()
        grid = drawing.add_gridspec(2, 2, height_ratios=[1.15, 1])
        for column, (title, layer) in enumerate(layers.items()):
            axes = drawing.add_subplot(grid[0, column])
            draw_windows(axes, Architecture(4, 2, (layer,)), title)
        axes = drawing.add_subplot(grid[1, :])
        draw_ranks(axes, cover_ranks())
        axes.set_title(f"Rank between the halves of a {SIZE}×{SIZE} image, {CHANNELS} channels")
    return drawing


BOOK_FIGURES = {"cover": cover}
