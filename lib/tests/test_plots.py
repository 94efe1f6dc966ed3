"""Pictures that the book stores are those that the code draws."""

import xml.etree.ElementTree as ElementTree

import pytest
import torch
from matplotlib import pyplot

from lib import Architecture
from lib.plots import (
    connectivity,
    crossing,
    experiments,
    geometry,
    log_space,
    rectifiers,
    style,
    widths,
    windows,
)
from lib.plots.export import FOLDER, book_figures, export, main


def test_every_figure_of_the_prose_is_stored():
    stored = {path.stem for path in FOLDER.glob("*.svg")}
    assert set(book_figures()) == {name for name in stored if not name.endswith("-phone")}
    assert {name.removesuffix("-phone") for name in stored} == set(book_figures())
    for path in FOLDER.glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg"), path.name


def test_the_same_picture_gives_the_same_bytes(tmp_path):
    first, second = (export(["crossing-pairs"], tmp_path / name)[0] for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_arrows_of_the_rooms_have_one_order():
    """Sets have another order in every run."""
    axes = book_figures()["rooms"]().axes[0]
    names = {text.get_position(): text.get_text() for text in axes.texts}
    arrows = [tuple(names[end] for end in patch._posA_posB) for patch in axes.patches]
    assert arrows == sorted(arrows) and len(arrows) > 10


def test_a_picture_that_gets_no_portrait_is_closed_twice(tmp_path):
    """It is drawn a second time to see whether it turns."""
    before = pyplot.get_fignums()
    (path,) = export(["experiment-orbit"], tmp_path)
    assert path.name == "experiment-orbit.svg"
    assert pyplot.get_fignums() == before


def test_unknown_figures_are_named(monkeypatch):
    with pytest.raises(ValueError, match="no figures \\['nothing'\\]"):
        export(["nothing"])
    monkeypatch.setattr("sys.argv", ["export", "nothing"])
    with pytest.raises(SystemExit, match="no figures .'nothing'.; known: "):
        main()


def outside(axes):
    """Points with a marker that lie beyond the ends of the axes: they are not drawn."""
    (left, right), (low, high) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    return [(x, y) for line in axes.lines if line.get_marker() not in ("None", "")
            and line.get_transform() == axes.transData
            for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
            if not (left <= x <= right and low <= y <= high)]


@pytest.mark.parametrize("name", ["spectra", "experiment-controls", "mixture-trained",
                                  "blobs-trained"])
def test_every_stored_point_is_drawn(name):
    """B=1 with two channels was missing, and the line that is said to end where the rank does."""
    drawing = book_figures()[name]()
    assert [outside(axes) for axes in drawing.axes] == [[]] * len(drawing.axes)
    pyplot.close(drawing)


def test_points_of_other_runs_are_drawn_too():
    with style.figure(columns=3, sharey=True) as (_, axes):
        widths.draw_spectra(axes[0], {"early": torch.logspace(0, -25, 9), "deep": torch.ones(1)})
        widths.draw_spectra(axes[1], {"deep": torch.tensor([0.7, 0.3])})
    with style.figure(columns=2) as (_, more):
        connectivity.draw_errors(more[0], {"one": [1.4, 0.2]}, {})
        geometry.draw_accuracies(more[1], {"max": {"square": [0.41, 0.9], "mirror": [0.5]}})
    controls = experiments.draw_controls({("color", "B1", c): [0.2] for c in (1, 8192)})
    assert not any(outside(ax) for ax in (*axes, *more, *controls.axes))
    empty = experiments.draw_controls({("color", "conv4", 4): [0.5]})
    assert not any(outside(ax) for ax in empty.axes)


def test_no_line_of_many_is_left_out():
    """The seventh method, the fifth size, the fifth window and the third augmentation were."""
    with style.figure(columns=3) as (_, axes):
        log_space.draw_accuracies(axes[0], {str(n): ([0, 1], [n, n], None) for n in range(7)}, "")
        rectifiers.draw_shares(axes[1], {str(n): [n / 9, 0.5] for n in range(5)})
        geometry.draw_windows(axes[2], "square", 8, 1, range(5))
        assert [len(ax.get_legend().get_texts()) for ax in axes[:2]] == [7, 5]
        image = axes[2].images[0].get_array().reshape(-1, 3)
        assert sum(len(set(color)) > 1 for color in image.tolist()) + int(
            (image == 0).all(1).sum()) == 20
    for names in (("none",), ("spatial", "color", "none")):
        found = {(name, "B2", c): [0.4] for name in names for c in (4, 8)}
        titles = [ax.get_title(loc="left") or ax.get_title()
                  for ax in experiments.draw_four_panels(found, names).axes]
        assert titles == [f"{name} augmentation" for name in names for _ in range(2)]


def test_a_row_of_cells_is_not_taken_from_an_image():
    """The rows of an image were drawn where its columns were asked for."""
    net = Architecture((4, 8), 2, ((2, 1, 2), ((4, 8), (4, 8), 1)))
    with style.figure() as (_, axes):
        for call in (lambda: crossing.draw_signs(axes, net, 1, 1, 0),
                     lambda: crossing.draw_elimination(axes, net, 1, 1, 4),
                     lambda: crossing.draw_private(axes, net, 2, 4),
                     lambda: windows.draw_row_of_windows(axes, net, 2)):
            with pytest.raises(ValueError, match=r"size \(4, 8\) has 2 axes; draws one axis"):
                call()
