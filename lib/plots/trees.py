"""Pictures of mode trees, drawn from the tree itself."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from ..bounds.partitions import Partition, split_modes
from ..trees.tree import ModeTree, Node, Path
from .style import COLORS, INK, figure, text_on

__all__ = ["draw_tree"]


def require_cut(operation: str, tree: ModeTree, cut: Mapping[Path, int]) -> None:
    """Refuse a cut that names nodes, modes or widths of another tree.

    Examples
    --------
    >>> require_cut("draw_cut", ModeTree.perfect(4, 2, 2, (2, 3)), {(0,): 2, (1, 0): 2})
    """
    known = {path: tree.dim for path in tree.weight_shapes()}
    known |= {path: node.width for path, node in tree.inner_nodes()}
    wrong = {path: width for path, width in cut.items() if known.get(path) != width}
    if wrong:
        raise ValueError(f"{operation}: cut={wrong} is none of {tree}")


def draw_tree(
    axes: Axes | None, tree: ModeTree, partition: Partition = (), title: str = ""
) -> Axes:
    """A mode tree: modes at the bottom, every inner node with its width.

    Parameters
    ----------
    axes : matplotlib Axes, optional
        By default those of a new figure.
    tree : ModeTree
    partition : str or iterable of int
        Row modes, shown in the color of rows; the others take the color of columns.
    title : str

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> from lib.plots.style import figure
    >>> with figure() as (drawing, axes):
    ...     _ = draw_tree(axes, ModeTree.perfect(4, 2, 2, (2, 3)), "even-odd")
    """
    if axes is None:
        with figure(1.2 + 0.6 * tree.modes, 1.2 + 0.8 * tree.root.height) as (_, axes):
            return draw_tree(axes, tree, partition, title)
    rows, _ = split_modes(partition, tree.grid)
    position = {mode: place for place, mode in enumerate(tree.leaves)}

    def draw(child: Node | int) -> tuple[float, float]:
        if isinstance(child, int):
            x, y = position[child], 0.0
            color = COLORS["rows"] if child in rows else COLORS["columns"]
            marker = {"boxstyle": "square,pad=0.35", "facecolor": color, "edgecolor": "none"}
            axes.text(x, y, str(child), ha="center", va="center", color=text_on(color),
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
    return axes
