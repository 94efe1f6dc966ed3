"""Pictures that the book stores are those that the code draws."""

import xml.etree.ElementTree as ElementTree

import pytest

from lib.plots import explorer
from lib.plots.export import FOLDER, book_figures, export


def test_the_explorer_shows_the_numbers_of_the_library():
    assert explorer.FILE.read_text(encoding="utf-8") == explorer.source()


def test_the_explorers_numbers_by_hand():
    """B = 3 on 16 cells: T_R = 3, 4, 8, 10, ... and T_S = 1, 2, 2, 4, ...; 4^32 by the area law."""
    network = next(n for n in explorer.explorer_data() if n["name"].startswith("B = 3"))
    assert [layer["field"] for layer in network["layers"][:4]] == [3, 4, 8, 10]
    assert [layer["step"] for layer in network["layers"][:4]] == [1, 2, 2, 4]
    assert (network["bound"], network["boundLayer"]) == ("4^32", 1)


def test_every_figure_of_the_prose_is_stored():
    assert sorted(book_figures()) == sorted(path.stem for path in FOLDER.glob("*.svg"))
    for path in FOLDER.glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg"), path.name


def test_the_same_picture_gives_the_same_bytes(tmp_path):
    first, second = (export(["crossing-pairs"], tmp_path / name)[0] for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_unknown_figures_are_named():
    with pytest.raises(ValueError, match="no figures \\['nothing'\\]"):
        export(["nothing"])
