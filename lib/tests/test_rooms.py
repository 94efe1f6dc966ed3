"""Tests of the picture of the library's folders."""

from contextlib import nullcontext

import pytest
from matplotlib.path import Path

from lib.plots.export import book_figures
from lib.plots.style import portrait


def test_arrows_of_the_rooms_have_one_order():
    """Sets have another order in every run."""
    axes = book_figures()["rooms"]().axes[0]
    names = {text.get_position(): text.get_text() for text in axes.texts}
    arrows = [tuple(names[end] for end in patch._posA_posB) for patch in axes.patches]
    assert arrows == sorted(arrows) and len(arrows) > 10


@pytest.mark.parametrize("look", [nullcontext, portrait])
def test_arrows_of_the_rooms_pass_no_third_room(look):
    """One that does seems to end there and to begin again."""
    with look():
        drawing = book_figures()["rooms"]()
    drawing.canvas.draw()
    (axes,) = drawing.axes
    for arrow in axes.patches:
        path = axes.transData.transform_path(arrow.get_path())
        line = Path(path.vertices[:3], path.codes[:3])  # without its head
        passed = {text.get_text() for text in axes.texts
                  if line.intersects_bbox(text.get_bbox_patch().get_window_extent(), filled=False)}
        assert len(passed) <= 2, passed
