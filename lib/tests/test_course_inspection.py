"""The inspection of built pages finds each kind of fault, and nothing on a page without faults."""

import random
import re

import pytest

from lib.course import ROOT
from lib.course.browser import BROWSER
from lib.course.inspection import MEASURES, inspect_pages, main, pages

HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<style>body { color: #222; background: #fff; margin: 8px; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #111; } }</style>"""
GOOD = HEAD + """<main><h1>A page</h1><p>Text, and a line of code:</p>
<pre tabindex="0" style="overflow-x: auto; mask-image: linear-gradient(#000, transparent)">
{line}</pre></main>""".replace("{line}", "x = 1  # " + "long " * 80)
FAULTS = {
    "overflow": '<div style="width: 1500px; height: 4px"></div>',
    "cut": '<pre tabindex="0" style="overflow-x: auto">' + "x" * 400 + "</pre>",
    "contrast": '<p style="color: #999">Pale.</p>',
    "type": "<p>At least 2^8, from -3 on.</p>",
    "focus": '<button type="button" style="outline: none">Copy</button>',
    "requests": '<img alt="" src="http://elsewhere.invalid/picture.png">',
    "console": "<script>console.warn('careful'); missing();</script>",
    "weight": '<script src="large.js"></script>',
}

needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs a browser without a screen")


def page_with(*faults):
    return GOOD.replace("</main>", "".join(FAULTS[fault] for fault in faults) + "</main>")


@pytest.mark.slow
@needs_browser
def test_each_fault_is_found_and_nothing_else(tmp_path):
    (tmp_path / "good.html").write_text(GOOD, encoding="utf-8")
    noise = random.Random(0).randbytes(1_600_000).hex()  # compresses to half, a byte for two digits
    (tmp_path / "large.js").write_text(f"/* {noise} */", encoding="utf-8")
    for fault in FAULTS:
        (tmp_path / f"{fault}.html").write_text(page_with(fault), encoding="utf-8")
    reports = {report.page.removesuffix(".html"): report for report in inspect_pages(tmp_path)}
    assert set(reports) == {"good", *FAULTS}
    assert reports["good"].count == 0, reports["good"].problems
    for fault in FAULTS:
        found = {measure for measure in MEASURES if reports[fault].problems[measure]}
        # A request that fails is also an error in the console.
        assert found - {"console"} == {fault} - {"console"}, (fault, reports[fault].problems)
        assert fault in found
    assert len(reports["console"].problems["console"]) == 2


@needs_browser
def test_what_is_cut_is_told_from_what_scrolls(tmp_path):
    styles = {"hides": "overflow-x: hidden", "scrolls": "overflow-x: auto",
              "beyond the page": "position: relative; left: 390px; white-space: normal"}
    for name, style in styles.items():
        line = f'<p style="white-space: nowrap; {style}">{"word " * 200}</p></main>'
        page = GOOD.replace("</main>", line)
        (tmp_path / f"{name}.html").write_text(page, encoding="utf-8")
    for report in inspect_pages(tmp_path):
        fault = report.page.removesuffix(".html")
        found = report.problems["cut"]
        assert found and all(fault in line for line in found), (fault, report.problems)


@needs_browser
def test_what_a_page_complains_of_when_it_gets_narrow_is_noted(tmp_path):
    script = "<script>addEventListener('resize', () => console.warn('narrow'))</script></main>"
    (tmp_path / "page.html").write_text(GOOD.replace("</main>", script), encoding="utf-8")
    (report,) = inspect_pages(tmp_path)
    assert report.problems["console"] == ["warning: narrow"] and report.count == 1


@pytest.mark.parametrize("options, said", [
    ([], "holds no pages; build the book first"), (["--axe", "none.js"], "none.js: there is no")])
def test_what_is_not_there_is_said_in_one_line(options, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["inspection", str(tmp_path), *options])
    with pytest.raises(SystemExit):
        main()
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_a_check_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no pages"):
        pages(tmp_path)
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a.html").write_text("<p>", encoding="utf-8")
    elsewhere = '<meta http-equiv="Refresh" content="0">'
    (tmp_path / "index.html").write_text(elsewhere, encoding="utf-8")
    with pytest.raises(ValueError, match="holds no pages"):
        pages(tmp_path)


def _opened(browser, folder, article):
    """What a page with the course's script has become in a browser."""
    assets = ROOT / "book" / "assets"
    page = folder / "page.html"
    page.write_text(f"""<!doctype html><html data-theme="light"><meta charset="utf-8">
        <main>{article}</main>
        <script src="{(assets / "mathjax" / "tex-svg-full.js").as_uri()}"></script>
        <script src="{(assets / "page.js").as_uri()}"></script></html>""", encoding="utf-8")
    browser.open(page.as_uri())
    return browser.run("document.documentElement.outerHTML")


def test_a_reader_view_keeps_formulas_and_shows_a_drawing_once(tmp_path, browser):
    """It leaves out names like a menu's, save those of content, and what is marked as hidden."""
    page = _opened(browser, tmp_path, """
        <p>A map of <span class="math">\\(R\\times R\\)</span> cells.</p>
        <img class="only-light" alt="day"><img class="only-dark" alt="night">""")
    [names] = re.findall('<mjx-container class="([^"]*)"', page)
    assert "menu" in names.lower() and "content" in names, names
    hidden = [image for image in re.findall("<img[^>]*>", page) if " hidden" in image]
    assert len(hidden) == 1 and "night" in hidden[0], hidden


def test_names_may_be_broken_where_their_words_end(tmp_path, browser):
    """On a phone they were broken within words; a number is one word."""
    code = '<code class="literal"><span class="pre">{}</span></code>'
    page = _opened(browser, tmp_path, code.format("lib.exact_rank") + code.format("0.56"))
    assert code.format("lib.<wbr>exact_<wbr>rank") + code.format("0.56") in page
