"""Built pages are finished: icons, names for screen readers, drawings that fit both themes."""

import re
import types

import pytest

from lib.course import ROOT, extension
from lib.course.figures import DARK_PAGE, contrast, dark_drawing, labels, light_drawing
from lib.course.finishing import finish_book, finish_page, icons

PROGRAM = ('{github:[4,5,[],"f0","M1"]} d("fab",p) {sun:[4,5,[],"f1","M2"]} d("far",p) '
           '{sun:[4,5,[7],"f1","M3"],"chevron-down":[4,5,[],"f2","M4"]} d("fas",p)')
PAGE = """<script defer src="../_static/scripts/fontawesome.js?digest=1"></script>
<a class="navbar-brand logo" href="#">
  <p>Name</p>
</a>
<li><a class="reference internal" href="a.html">Grid tensors</a><details><summary><span><i
 ></i></span></summary></details></li>
<i class="theme-switch fa-solid fa-sun   fa-lg" data-mode="light"></i><i class="fab fa-github"></i>
<img alt="A tree." class="x" src="../_images/tree.svg" style="width: 50%;" />
<span class="fa-solid fa-sun"></span><img alt="A photo." src="../_images/photo.png" />
<button class="btn search-button-field" title="Search" aria-label="Search">Search Ctrl</button>
<summary aria-label="Toggle hidden content"><p>Show code</p></summary>
<tr><th class="head"><p></p></th><th>rank</th></tr><td>17<sup>64</sup></td>
<div role="doc-biblioentry"></div>
"""


def test_a_page_is_finished_once():
    done = finish_page(PAGE, icons(PROGRAM))
    assert finish_page(done, icons(PROGRAM)) == done
    assert "fontawesome" not in done and '<path d="M3"/>' in done and '<path d="M1"/>' in done
    assert 'class="svg-inline--fa theme-switch fa-solid fa-sun fa-lg" data-mode="light"' in done
    assert '<summary aria-label="Grid tensors: notebooks"><span>' in done
    assert '<nav aria-label="Home"><a class="navbar-brand' in done
    assert len(re.findall("tree(?:-dark)?\\.svg", done)) == 2 and done.count("photo.png") == 1
    assert done.count('alt="A tree."') == 2
    assert done.count('class="only-light x"') == done.count('class="only-dark x"') == 1
    assert not re.search('<img [^>]*class="[^>]*class="', done)     # the second would not count
    assert '<td>17<sup><span class="visually-hidden"> to the power </span>64</sup></td>' in done
    assert "<td></td><th>rank</th>" in done and '<div role="listitem">' in done
    assert '<button class="btn search-button-field" title="Search">' in done
    assert "<summary><p>Show code" in done
    assert not re.search('<(i|span) class="[^"]*fa-', done)


def test_an_unknown_icon_is_refused():
    with pytest.raises(ValueError, match="no icon for class='fas fa-moon'"):
        icons(PROGRAM)("fas fa-moon")


def test_a_book_gets_dark_drawings(tmp_path):
    for name in ("_static/scripts", "_images", "book"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "_static/scripts/fontawesome.js").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "book/a.html").write_text(PAGE, encoding="utf-8")
    drawing = (ROOT / "book/assets/figures/crossing-pairs.svg").read_text(encoding="utf-8")
    (tmp_path / "_images/tree.svg").write_text(drawing, encoding="utf-8")
    finish_book(tmp_path)
    first = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.*")
             if path.is_file()}
    assert tmp_path / "_images/tree-dark.svg" in first
    assert (tmp_path / "_images/tree.svg").read_text(encoding="utf-8") != drawing


def test_a_page_of_an_earlier_build_is_gone_with_its_source(tmp_path, monkeypatch):
    """After a chapter was renamed, `make book` ended with the links of the page it had been."""
    names = ("book/a", "book/old", "notebooks/01_a", "notebooks/02_old", "search", "_static/x/y")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.html").touch()
    monkeypatch.setattr(extension, "finish_book", lambda folder: None)
    for builder, error, gone in (("html", OSError(), False), ("dirhtml", None, False),
                                 ("html", None, True)):
        extension.finish(types.SimpleNamespace(
            outdir=tmp_path, builder=types.SimpleNamespace(format="html", name=builder),
            env=types.SimpleNamespace(found_docs={"book/a", "notebooks/01_a", "index"})), error)
        left = {path.relative_to(tmp_path).as_posix()[:-5] for path in tmp_path.rglob("*.html")}
        assert left == {name for name in names if not (gone and "old" in name)}


DRAWINGS = sorted((ROOT / "book" / "assets" / "figures").glob("*.svg"))


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_labels_can_be_read_in_both_themes(path):
    """Except labels on a ground of their own: white on light pages, dark on dark pages."""
    svg = path.read_text(encoding="utf-8")
    light, dark = light_drawing(svg), dark_drawing(svg)
    for text, page, own in ((light, "#ffffff", "#ffffff"), (dark, DARK_PAGE, DARK_PAGE)):
        pale = {color for color, on_picture in labels(text) if not on_picture
                and contrast(color, page) < 4.5 and contrast(color, own) > 1.3}
        assert not pale, pale
    assert ([label for label in labels(svg) if label[1]]
            == [label for label in labels(dark) if label[1]])
    assert re.search(r'<g id="patch_1">\s*<path [^>]*fill: none', light), "the card is still there"
    assert light_drawing(light) == light


def test_hues_survive_the_dark():
    blue, orange = "#0072b2", "#e69f00"
    for place in ('<g style="fill: {}" transform="translate(0 0)"/>', '<path style="fill: {}"/>',
                  '<path style="stroke: {}"/>'):
        for color, strong, weak in ((blue, slice(5, 7), slice(1, 3)),
                                    (orange, slice(1, 3), slice(5, 7))):
            shown = re.search("#[0-9a-f]{6}", dark_drawing("<a " + place.format(color)))[0]
            assert int(shown[strong], 16) > int(shown[weak], 16) + 80, (place, color, shown)
            assert contrast(shown, DARK_PAGE) >= 3
