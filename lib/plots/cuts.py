"""Pictures of smallest cuts: what the same partition costs trees of different shapes."""

from math import prod

from matplotlib.figure import Figure

from ..trees.tree import ModeTree, Node
from .style import figure
from .toolbox import draw_cut

__all__ = ["BOOK_FIGURES"]


def _train(modes: int, dim: int, width: int) -> ModeTree:
    root: Node | int = 0
    for mode in range(1, modes):
        root = Node((root, mode), width)
    return ModeTree(root, dim)


def _shapes_figure() -> Figure:
    """Binary tree and train, each for the partitions that tell them apart."""
    binary, train = ModeTree.perfect(8, 2, 2, (2, 2, 2)), _train(8, 2, 2)
    pairs = [path for path, _ in binary.inner_nodes() if len(path) == 2]
    nodes = [path for path, _ in train.inner_nodes()]  # the root joins position 7
    third = (0, 1, 2)
    panels = (
        (binary, "even-odd", pairs, "even and odd"),
        (train, "even-odd", nodes[::2], "even and odd"),
        (binary, third, [(0, 0), (0, 1)], "after the third"),
        (train, third, nodes[4:5], "after the third"),
    )
    with figure(7.4, 6.4, columns=2, rows=2) as (drawing, axes):
        for ax, panel in zip(axes.flat, panels, strict=True):
            tree, rows, paths, name = panel
            widths = dict(tree.inner_nodes())
            cut = {path: widths[path].width for path in paths}
            if prod(cut.values()) != tree.mincut(rows):
                raise AssertionError(f"the cut drawn for {name} is not a smallest one")
            factors = "·".join(map(str, cut.values()))
            total = f" = {prod(cut.values())}" if len(cut) > 1 else ""
            draw_cut(ax, tree, rows, cut, f"{name}: {factors}{total}")
    return drawing


BOOK_FIGURES = {"widths-cuts": _shapes_figure}
