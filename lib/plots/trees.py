"""Pictures of mode trees, drawn from the tree itself."""

from matplotlib.axes import Axes

from ..trees.tree import ModeTree, Node
from .style import COLORS, INK

__all__ = ["draw_tree"]


def draw_tree(axes: Axes, tree: ModeTree, rows: tuple[int, ...] = (), title: str = "") -> None:
    """Draw a mode tree: modes at the bottom, every inner node with its width.

    Parameters
    ----------
    axes : matplotlib Axes
    tree : ModeTree
    rows : tuple of int
        Modes shown in the color of rows; the others take the color of columns.
    title : str

    Examples
    --------
    >>> from lib.plots.style import figure
    >>> with figure() as (drawing, axes):
    ...     draw_tree(axes, ModeTree.perfect(4, 2, 2, (2, 3)), rows=(0, 2))
    """
    position = {mode: place for place, mode in enumerate(tree.leaves)}

    def draw(child: Node | int) -> tuple[float, float]:
        if isinstance(child, int):
            x, y = position[child], 0.0
            color = COLORS["rows"] if child in rows else COLORS["columns"]
            marker = {"boxstyle": "square,pad=0.35", "facecolor": color, "edgecolor": "none"}
            axes.text(x, y, str(child), ha="center", va="center", color="white",
                      fontweight="bold", bbox=marker, zorder=3)
            return x, y
        below = [draw(grandchild) for grandchild in child.children]
        x, y = sum(p[0] for p in below) / len(below), float(child.height)
        for x_child, y_child in below:
            axes.plot([x, x_child], [y, y_child], color=INK, linewidth=1.2, zorder=1)
        marker = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": INK}
        axes.text(x, y, str(child.width), ha="center", va="center", bbox=marker, zorder=3)
        return x, y

    draw(tree.root)
    axes.set_xlim(-0.7, tree.modes - 0.3)
    axes.set_ylim(-0.5, tree.root.height + 0.5)
    axes.axis("off")
    axes.set_title(title)
