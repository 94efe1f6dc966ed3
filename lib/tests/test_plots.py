"""Pictures that the book stores are those that the code draws."""

import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib import pyplot

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
