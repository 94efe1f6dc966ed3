"""The picture of the library itself: its folders, and which imports which, read from the code."""

import ast
from functools import cache
from itertools import accumulate
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from .style import COLORS, INK, figure

__all__ = ["draw_rooms", "folder_imports"]

LIBRARY = Path(__file__).resolve().parents[1]
LEFT_OUT = {"tests", "benchmarks"}


@cache
def folder_imports() -> dict[str, frozenset[str]]:
    """For every folder of the library the other folders that its modules import.

    Returns
    -------
    dict from str to frozenset of str

    Examples
    --------
    >>> sorted(folder_imports()["trees"])
    ['bounds', 'exact']
    """
    rooms = {path.name for path in LIBRARY.iterdir() if (path / "__init__.py").is_file()}
    rooms -= LEFT_OUT
    found = {room: set() for room in rooms}
    for room in rooms:
        for path in (LIBRARY / room).rglob("*.py"):
            depth = len(path.relative_to(LIBRARY).parts)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.level == depth:
                    named = [node.module] if node.module else [name.name for name in node.names]
                    found[room] |= {name.split(".")[0] for name in named}
    return {room: frozenset(found[room] & rooms - {room}) for room in sorted(rooms)}


def draw_rooms(axes: Axes) -> None:
    """The folders on floors, with arrows down to what they import (implied ones left out).

    Parameters
    ----------
    axes : matplotlib Axes

    Examples
    --------
    >>> with figure() as (drawing, axes):
    ...     draw_rooms(axes)
    """
    below = folder_imports()

    @cache
    def floor(room: str) -> int:
        return 1 + max((floor(other) for other in below[room]), default=0)

    @cache
    def reach(room: str) -> frozenset[str]:
        return below[room].union(*(reach(other) for other in below[room]))

    # an arrow that two others imply is left out; a folder stands above the middle of its own
    direct = {room: below[room].difference(*(reach(other) for other in below[room]))
              for room in below}
    place: dict[str, tuple[float, float]] = {}
    for number in range(1, max(map(floor, below)) + 1):
        rooms = [room for room in below if floor(room) == number]
        rooms.sort(key=lambda room: sum(place[other][0] for other in direct[room])
                   / max(1, len(direct[room])))
        ends = [0, *accumulate(len(room) + 3 for room in rooms)]  # long names take more room
        place |= {room: ((left + right) / 2 / ends[-1], number)
                  for room, left, right in zip(rooms, ends, ends[1:])}
    for room, others in direct.items():
        for other in sorted(others):  # sets have another order in every run
            arrow = FancyArrowPatch(place[room], place[other], arrowstyle="-|>", shrinkA=16,
                                    shrinkB=16, mutation_scale=12, color=COLORS["neutral"])
            axes.add_patch(arrow)
    for room, (x, y) in place.items():
        box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": INK}
        axes.text(x, y, room, ha="center", va="center", bbox=box, zorder=3)
    axes.set_xlim(0, 1)
    axes.set_ylim(0.5, max(map(floor, below)) + 0.5)
    axes.axis("off")


def _rooms() -> Figure:
    with figure(7, 4.2) as (drawing, axes):
        draw_rooms(axes)
    return drawing


BOOK_FIGURES = {"rooms": _rooms}
