"""The picture of the library itself: its folders, and which imports which, read from the code."""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate, combinations, permutations, product
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from .style import COLORS, INK, PHONE, figure

__all__ = ["draw_rooms", "folder_imports"]

LIBRARY = Path(__file__).resolve().parents[1]
LEFT_OUT = {"tests", "benchmarks"}


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """A syntax tree and all statements in it: a tenth of what `ast.walk` visits."""
    waiting = [tree]
    while waiting:
        statement = waiting.pop()
        yield statement
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(statement, part, ())


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
            for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.level == depth:
                    named = [node.module] if node.module else [name.name for name in node.names]
                    found[room] |= {name.split(".")[0] for name in named}
    return {room: frozenset(found[room] & rooms - {room}) for room in sorted(rooms)}


def _places(floors: Sequence[Sequence[str]]) -> dict[str, tuple[float, float]]:
    """Middles of the boxes; those of long names take more room."""
    place = {}
    for number, rooms in enumerate(floors, 1):
        ends = [0, *accumulate(len(room) + 3 for room in rooms)]
        place |= {room: ((left + right) / 2 / ends[-1], number)
                  for room, left, right in zip(rooms, ends, ends[1:])}
    return place


def _along(place: dict, room: str, other: str, height: float) -> float:
    """Where the straight arrow between two boxes is at a height."""
    (start, top), (end, bottom) = place[room], place[other]
    return start + (end - start) * (top - height) / (top - bottom)


def _behind(place: dict, room: str, other: str, width: float) -> int:
    """How many boxes stand in the way of a straight arrow, in a picture so many inches wide."""
    found = 0
    for name, (x, height) in place.items():
        if place[other][1] < height < place[room][1]:
            low, high = sorted(_along(place, room, other, height + side) for side in (-0.2, 0.2))
            half = 0.032 * (len(name) + 6) / width
            found += low < x + half and high > x - half
    return found


def _disorder(
    place: dict, arrows: Sequence[tuple[str, str]], width: float
) -> tuple[int, int, float]:
    """Boxes in the way, pairs of arrows that cross, and how far the arrows lean in all."""
    crossings = 0
    for first, second in combinations(arrows, 2):
        low = max(place[first[1]][1], place[second[1]][1])
        high = min(place[first[0]][1], place[second[0]][1])
        if low < high and len({*first, *second}) == 4:
            above, beneath = (_along(place, *first, height) - _along(place, *second, height)
                              for height in (high, low))
            crossings += above * beneath < 0
    return (sum(_behind(place, *arrow, width) for arrow in arrows), crossings,
            sum(abs(place[room][0] - place[other][0]) for room, other in arrows))


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

    # an arrow that two others imply is left out
    direct = {room: below[room].difference(*(reach(other) for other in below[room]))
              for room in below}
    arrows = [(room, other) for room in direct for other in sorted(direct[room])]
    floors = [[room for room in below if floor(room) == number]
              for number in range(1, max(map(floor, below)) + 1)]
    width = axes.figure.get_figwidth()
    orders = product(*(permutations(rooms) for rooms in floors))
    place = min(map(_places, orders), key=lambda place: _disorder(place, arrows, width))
    look = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": INK}
    boxes = {room: axes.text(x, y, room, ha="center", va="center", bbox=look).get_bbox_patch()
             for room, (x, y) in place.items()}
    for room, other in arrows:  # in front of the boxes, whose size is known once they are drawn
        bend = 0.25 if _behind(place, room, other, width) else 0
        axes.add_patch(FancyArrowPatch(
            place[room], place[other], arrowstyle="-|>", shrinkA=0, shrinkB=1, zorder=4,
            patchA=boxes[room], patchB=boxes[other], mutation_scale=12,
            connectionstyle=f"arc3,rad={bend}", color=COLORS["neutral"]))
    axes.set_xlim(0, 1)
    axes.set_ylim(0.5, max(map(floor, below)) + 0.5)
    axes.axis("off")


def _rooms() -> Figure:
    with figure(7, 4.2) as (drawing, axes):
        if drawing.get_figwidth() <= PHONE:
            drawing.set_figheight(3.6)  # arrows of narrow floors need more room between these
        draw_rooms(axes)
    return drawing


BOOK_FIGURES = {"rooms": _rooms}
