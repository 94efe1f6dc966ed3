"""The words of every picture have room, on wide screens and on phones."""

import contextlib
from itertools import combinations

import pytest
from matplotlib import pyplot
from matplotlib.text import Text

from lib.plots.export import book_figures, portrait


def words(picture):
    """What a picture writes, with the boxes in which it stands."""
    picture.canvas.draw()
    hidden = set()
    for axes in picture.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not (axes.axison and low - 1e-9 <= tick.get_loc() <= high + 1e-9):
                    hidden |= {tick.label1, tick.label2}
            hidden |= set() if axes.axison else {axis.label}
    for text in picture.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in hidden:
            yield text.get_text(), (text.get_bbox_patch() or text).get_window_extent()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(book_figures()))
@pytest.mark.parametrize("shape", [portrait, contextlib.nullcontext])
def test_no_word_of_a_picture_lies_on_another(shape, name):
    """Two pictures could not be read on phones, where the same words have half the room."""
    with shape():
        picture = book_figures()[name]()
    for (one, a), (other, b) in combinations(words(picture), 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert wide < 1.5 or high < 3, (one, other)  # boxes have some air
    pyplot.close(picture)
