"""What can be carried away: the printed book, the slides, the page for teachers, the citation."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pypdf
import pytest
import torch
import yaml
from bs4 import BeautifulSoup

from lib import (
    Architecture,
    Layer,
    ModeTree,
    Modular,
    certify,
    exact_rank,
    grid_network,
    grid_tensor,
    matricize,
)
from lib.course import ROOT, chromium, printed
from lib.course.browser import BROWSER, served
from lib.course.chromium import BrowserError, find_browser, print_page, rendered
from lib.course.overview import reading_minutes
from lib.course.pages import is_remote
from lib.trees.symmetry import symmetry_order

ASSETS = ROOT / "book" / "assets"
SLIDES = BeautifulSoup((ASSETS / "slides" / "lecture.html").read_text(encoding="utf-8"),
                       "html.parser")
LABEL = re.compile(r"^(?::label: |\()([\w-]+)(?:\)=)?$", re.MULTILINE)

needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs a browser without a screen")

PAGE = """<article><section id="{name}"><h1>{title}<a class="headerlink" href="#x">#</a></h1>
<div class="proof theorem admonition" id="{name}-theorem"><section id="proof-content">A</section>
</div><div class="proof admonition" id="proof"><p>B</p></div>
<p><a id="out" href="https://example.org/">out</a> <a id="on" href="{other}.html#{other}-theorem">on
</a> <a id="api" href="api.html">api</a> <a id="gone" href="{other}.html#nowhere">gone</a></p>
<div class="exercise admonition" id="ex-{name}"><p class="admonition-title">Exercise 1</p></div>
<div class="solution admonition" id="s"><p class="admonition-title">Solution</p><p>4<sup><i
class="visually-hidden"> to the power </i>2</sup></p></div>
<div class="quiz"><label><input type="radio"><span>a. 1</span></label></div>
<details class="quiz-answers"><summary>Answers to the quiz</summary><p>24</p></details>
<img class="only-dark" src="a-dark.svg" alt="">
<div class="explore"><img src="../_static/figures/cover.svg" alt=""></div><h2>Section</h2>
<script>1</script></section></article>"""


@pytest.fixture
def small_book(tmp_path, monkeypatch):
    """Two built pages, which a table of contents lists."""
    (tmp_path / "book").mkdir()
    for name, other in (("one", "two"), ("two", "one")):
        text = PAGE.format(name=name, other=other, title=name.title())
        (tmp_path / "book" / f"{name}.html").write_text(text)
    monkeypatch.setattr(printed, "contents", lambda: [
        ("Start", ["book/one"]), (printed.PROGRAMS, []), ("Reference", ["book/two"])])
    return tmp_path


def test_pages_are_joined_with_links_that_stay_inside(small_book):
    book = printed.joined_book(small_book)
    assert [part.get_text() for part in book.select("h1.part")] == [
        "Start", printed.ANSWERS, printed.PROGRAMS, "Reference"]
    assert [title.get_text() for title in book.select("h2")][::2] == ["Overview", "Two"]
    assert book.find(id="one--on")["href"] == "#two--two-theorem"
    assert book.find(id="one--out")["href"] == "https://example.org/"
    assert book.find(id="one--api") is None and book.find(id="one--gone") is None
    identifiers = [element["id"] for element in book.find_all(id=True)]
    assert len(identifiers) == len(set(identifiers))
    assert len(book.select(".the-proof")) == 2 and not book.select("main script, .headerlink")
    assert "to the power" not in book.get_text()
    assert book.find("img", src=re.compile("^file:.*/_static/figures/cover.svg$"))


def test_answers_stand_at_the_back_linked_both_ways(small_book):
    book = printed.joined_book(small_book)
    assert [title.get_text() for title in book.select("#answers h3")] == ["One", "Two"]
    answer = book.select_one("#answers .printed-answer")
    assert answer.a["href"] == "#one--ex-one" and "42" in answer.get_text()
    assert book.find(id="one--ex-one").a["href"] == f"#{answer['id']}"
    text = book.find(id="one").get_text()
    assert "42" not in text and "24" not in text and "a. 1" in text and not book.find("input")
    assert "Answers to the quiz" in book.find(id="answers").get_text()
    assert not book.select(".only-dark")


def test_every_page_is_printed_or_left_out_on_purpose():
    listed = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = set(re.findall(r"file': '([^']+)", str(listed))) | {listed["root"]}
    pages = [page for _, names in printed.contents() for page in names]
    assert len(pages) == len(set(pages)) and set(pages) | set(printed.LEFT_OUT) == files
    assert printed.contents()[-1][0] == "Reference"


def test_what_is_missing_is_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("CHROME", "/nowhere/chrome")
    with pytest.raises(BrowserError, match="CHROME=/nowhere/chrome is no program.*apt-get install"):
        find_browser()
    done = subprocess.run([sys.executable, "-m", "lib.course.chromium"], cwd=ROOT, text=True,
                          capture_output=True)
    assert done.returncode and done.stderr.count("\n") == 1, done.stderr
    with pytest.raises(FileNotFoundError, match="make book"):
        printed.joined_book(tmp_path)


@pytest.mark.parametrize("name", ["Google Chrome", "Chromium", "Microsoft Edge"])
def test_each_browser_that_the_message_names_is_found_on_a_mac(name, monkeypatch):
    """Edge alone was asked for though it was there."""
    monkeypatch.delenv("CHROME", raising=False)
    there = f"/Applications/{name}.app/Contents/MacOS/{name}"
    monkeypatch.setattr(chromium.shutil, "which", lambda one: one if one == there else None)
    assert find_browser() == there


# The slides --------------------------------------------------------------------------------------


def test_the_slides_fill_a_lecture_and_load_nothing_from_elsewhere():
    slides = SLIDES.select("section.slide")
    assert 20 <= len(slides) <= 25
    guess = next(n for n, slide in enumerate(slides, 1) if "question" in slide["class"])
    said = (ROOT / "book" / "teach.md").read_text(encoding="utf-8")
    assert f"{len(slides)} slides" in said and f"Slide {guess} asks the room" in said
    assert sum(int(slide["data-minutes"]) for slide in slides) == 45
    assert all(len(slide.select_one(".notes").get_text()) > 40 for slide in slides)
    loaded = [tag.get("src") or tag.get("href") for tag in SLIDES.select("script[src], link, img")]
    assert loaded and not any(is_remote(link) for link in loaded)
    for link in loaded:
        assert (ASSETS / "slides" / link).resolve().is_file(), link
    assert all(image.get("alt") for image in SLIDES.select("img"))
    assert "<" not in "".join(re.findall(r"\\\[.*?\\\]|\\\(.*?\\\)", str(SLIDES)))


def test_every_claim_on_a_slide_leads_to_its_theorem():
    for slide in SLIDES.select("section.slide"):
        links = slide.select(".claim a")
        assert links or {"title", "question"} & set(slide["class"]), slide.h2
        for link in links:
            page, anchor = re.fullmatch(r"\.\./\.\./book/([\w-]+)\.html#([\w-]+)",
                                        link["href"]).groups()
            text = (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")
            headings = {re.sub(r"[^\w]+", "-", title.lower())
                        for title in re.findall("^#+ (.+)$", text, re.MULTILINE)}
            assert anchor in {*LABEL.findall(text), *headings}, link["href"]


def test_numbers_on_the_slides_are_those_of_the_library():
    text = " ".join(SLIDES.get_text().split())
    assert f"at least {4**16:,} channels" in text
    tree = ModeTree.perfect(modes=32, pool=2, dim=4, widths=(4,) * 5)
    assert tree.mincut("even-odd") == 4**16 and sum((4,) * 5) == 20 and "20 channels in all" in text
    single = Architecture(4, 2, ((2, 1, 1), (2, 1, 1), (4, 4, 1)))
    aligned = Architecture(4, 2, ((2, 2, 255), (2, 2, 255), (1, 1, 1)))
    assert single.crossing_bound() == 256 == aligned.non_overlapping_upper_bound()
    assert "at least 255 channels" in text and "one channel per layer" in text
    assert symmetry_order(5) == 24**341 and r"\(24^{341}\)" in text


def test_statements_on_the_slides_have_the_hypotheses_they_need():
    """What a lecturer reads aloud is true without the page: what each statement needs is there."""
    said = {slide.h2.get_text(): " ".join(slide.get_text().split())
            for slide in SLIDES.select("section.slide") if slide.h2}
    # one layer under a global product has rank 1: neither bound may take the last layer for K
    single = certify(Architecture(4, 2, ((4, 4, 1),)), "left-right", seed=0)
    assert single.rank == 1 and r"\(K\lt L\)" in said["The crossing bound"]
    assert all(words in said["The published theorem"] for words in (
        r"\(K\lt L\)", r"\(D=\min\{M,D_K,\lfloor\tfrac12\min_{l\lt K}D_l\rfloor\}\)"))
    assert all(words in said["An area law"] for words in ("almost all", r"\(R_l\ge S_l\)"))
    # without biases the windows at the border multiply zeros, and every bound fails
    net = Architecture(4, 2, ((3, 1, 2), (4, 4, 1)))
    assert net.crossing_bound() == 256 and certify(net, "left-right", biases=False).rank == 0
    assert all("biases in every layer" in said[title] for title in (
        "The crossing bound", "An area law", "The published theorem"))
    # with two templates its base is that of the crossing bound
    assert str(net.overlap_bound()) == "2^8" and "a base that is never larger" in said[
        "The published theorem"]
    assert "almost all weights" in said["What a shallow network must pay"]
    assert "almost all parameters" in said["Remember"]
    assert all(words in said["Not only halves?"]
               for words in (r"\(\beta=1\) with biases", "one global product"))
    # a last map of several cells has small rank whatever the first layer is
    many = Architecture(4, 2, (Layer(4, 1, 2), Layer(1, 1, 1)))
    assert certify(many, "checkerboard", shared=False).rank <= 3
    assert all(words in said["What is true of all partitions"]
               for words in (r"\(R_l\ge S_l\)", "one cell", "stride 1"))
    assert r"\(N=2^L\)" in said["With maxima, ranks decide nothing"]
    assert all(words in said["What is true of all partitions"]
               for words in ("as large as the image", r"for \(D\ge M\) the full rank"))
    # two templates do not tell all of an overlapping network: three show a larger rank
    net = Architecture((4,), 2, ((4, 1, 3), (4, 4, 1)))
    field, draw = Modular(), torch.Generator().manual_seed(0)
    weights = net.random_weights(field, draw)
    ranks = [exact_rank(matricize(grid_tensor(
        grid_network(net, weights, field), field.random((templates, 2), draw), 4), "left-right"),
        field.prime).rank for templates in (2, 3)]
    assert ranks == [4, 9] and "overlapping ones" in said["Write the answers into a table"]


@pytest.mark.slow
@needs_browser
def test_the_slides_are_one_page_each(tmp_path):
    pdf = tmp_path / "slides.pdf"
    print_page(ASSETS / "slides" / "lecture.html", pdf)
    pages = pypdf.PdfReader(pdf).pages
    assert len(pages) == len(SLIDES.select("section.slide"))
    assert all(abs(page.mediabox.width / page.mediabox.height - 16 / 9) < 0.01 for page in pages)


WIDER = """<script>addEventListener("load", () => MathJax.startup.promise.then(() => {
  for (const formula of document.querySelectorAll(".text mjx-container")) {
    const space = formula.closest(".statement, .text").getBoundingClientRect();
    if (formula.querySelector("svg").getBoundingClientRect().right > space.right + 1)
      formula.closest(".slide").classList.add("wider");
  }
  document.body.classList.add("measured");
}))</script></body>"""


@pytest.mark.slow
@needs_browser
def test_no_formula_on_a_slide_is_wider_than_its_column(tmp_path):
    page = tmp_path / "lecture.html"
    source = (ASSETS / "slides" / "lecture.html").read_text(encoding="utf-8")
    base = f'<head><base href="{(ASSETS / "slides").as_uri()}/">'
    page.write_text(source.replace("<head>", base).replace("</body>", WIDER), encoding="utf-8")
    shown = BeautifulSoup(rendered(page), "html.parser")
    assert "measured" in shown.body["class"]
    assert [slide.h2.get_text() for slide in shown.select(".slide.wider")] == []


# Teaching, citing --------------------------------------------------------------------------------


def test_no_week_asks_for_two_hours_of_reading():
    text = (ROOT / "book" / "teach.md").read_text(encoding="utf-8")
    weeks = re.findall(r"^\| \d .*$", text, re.MULTILINE)
    assert len(weeks) == 6
    for week in weeks:
        pages = re.findall(r"\]\(([\w-]+\.md)\)", week)
        minutes = sum(reading_minutes((ROOT / "book" / page).read_text(encoding="utf-8"))
                      for page in pages)
        assert 20 < minutes < 120, (week, minutes)


def test_the_citation_is_valid_and_the_page_says_the_same():
    path = ROOT / "CITATION.cff"
    subprocess.run([sys.executable, "-m", "check_jsonschema", "--builtin-schema",
                    "vendor.citation-file-format", str(path)], check=True, capture_output=True)
    stated = yaml.safe_load(path.read_text(encoding="utf-8"))
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    entry = re.search(r"@misc\{.*?^\}", (ROOT / "book" / "cite.md").read_text(encoding="utf-8"),
                      re.DOTALL | re.MULTILINE)[0]
    plain = " ".join(re.sub(r"[{}]", "", entry).split())
    author = stated["authors"][0]["name"]
    assert author == config["author"] and author in plain
    assert stated["title"] in plain and f"Version {stated['version']}" in plain
    address = config["repository"]["url"]
    assert stated["repository-code"] == address and address in plain
    assert f"{stated['date-released'].year}" in plain


# The whole book, printed -------------------------------------------------------------------------


@pytest.mark.slow
@needs_browser
def test_the_book_is_printed_whole(tmp_path):
    build = [sys.executable, Path(sys.executable).with_name("jupyter-book"), "build", ".", "--all"]
    subprocess.run([*build, "--quiet", "--path-output", tmp_path], cwd=ROOT, check=True,
                   capture_output=True)
    pdf = tmp_path / "book.pdf"
    assert printed.make_pdf(pdf, tmp_path / "_build" / "html") > 300
    check_print(pdf)


def check_print(pdf):
    """Every chapter in the outline and in the contents, words within the margins, fonts inside."""
    outline = printed.outline(pdf)
    titles = [title.replace("’", "'") for title, _ in outline]
    for page in (page for _, names in printed.contents() for page in names):
        book = page.startswith("book/")
        source = (ROOT / f"{page}.{'md' if book else 'py'}").read_text(encoding="utf-8")
        title = re.search("^# (.+)$" if book else "^# # (.+)$", source, re.MULTILINE)[1]
        assert title.replace("$", "") in titles or page == "book/index", title
    assert not [word for word in words(pdf) if not 70 < word[1] <= word[2] < 525.5]  # 25 mm
    reader = pypdf.PdfReader(pdf)
    for number, sheet in enumerate(reader.pages, 1):
        for font in sheet["/Resources"].get("/Font", {}).values():
            assert embedded(font.get_object()), (number, font)
    listed = reader.pages[2].extract_text() + reader.pages[3].extract_text()
    for title in ("A toolbox", "The overlap theorem", "Ranks with and without overlaps"):
        page = next(number for name, number in outline if name == title)  # answers repeat titles
        assert re.search(rf"{title}\s*{page}\b", listed), listed


def words(pdf):
    """Words of a PDF with page, left and right end; without poppler only where they begin."""
    if shutil.which("pdftotext"):
        shown = subprocess.run(["pdftotext", "-bbox", str(pdf), "-"], check=True, text=True,
                               capture_output=True).stdout
        for number, page in enumerate(shown.split("<page ")[1:], 1):
            place = r'xMin="([-\d.]+)".*xMax="([-\d.]+)".*>(.*)</word>'
            for left, right, word in re.findall(place, page):
                yield number, float(left), float(right), word
        return
    found = []
    for number, sheet in list(enumerate(pypdf.PdfReader(pdf).pages, 1))[::20]:  # slow
        def keep(text, matrix, place, *_, number=number):
            x = place[4] * matrix[0] + place[5] * matrix[2] + matrix[4]
            found.extend([(number, x, x, text)] if text.strip() else [])
        sheet.extract_text(visitor_text=keep)
    yield from found


def embedded(font):
    """Whether a PDF carries the shapes of a font."""
    if font["/Subtype"] == "/Type3":
        return True
    if "/DescendantFonts" in font:
        font = font["/DescendantFonts"][0].get_object()
    described = font.get("/FontDescriptor", {})
    return any(f"/FontFile{kind}" in described.get_object() for kind in ("", "2", "3"))


WIDE = "".join(f"<td>column{number} of ten</td>" for number in range(10))
SCROLLING = f"""<!doctype html><style>.theme {{ overflow-x: auto; }}
td {{ white-space: nowrap; }}</style>
<style>{(ASSETS / "course.css").read_text(encoding="utf-8")}</style><div class="bd-article">
<table class="dataframe" data-scroll="start"><tr>{WIDE}</table>
<div class="pst-scrollable-table-container theme"><table class="table"><tr>{WIDE}</table></div>
<div class="output theme"><table><tr>{WIDE}</table></div></div>"""
CUT = """[...document.querySelectorAll(".bd-article *")].filter(box =>
getComputedStyle(box).overflowX !== "visible" && box.scrollWidth > box.clientWidth + 1).length"""


def test_a_page_printed_from_the_browser_keeps_all_columns(tmp_path, browser):
    (tmp_path / "page.html").write_text(SCROLLING, encoding="utf-8")
    with served(tmp_path) as site:
        browser.look(500)
        browser.open(f"{site}/page.html")
        assert browser.run(CUT) == 3                    # they scroll, which paper cannot
        browser.call("Emulation.setEmulatedMedia", media="print")
        browser.settle()
        assert browser.run(CUT) == 0


def test_a_page_in_the_dark_theme_is_printed_for_white_paper(tmp_path, browser):
    script = (ASSETS / "page.js").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(
        '<!doctype html><html data-theme="dark"><main><article class="bd-article"><p>Text'
        f"</article></main><script>{script}</script>", encoding="utf-8")
    with served(tmp_path) as site:
        browser.open(f"{site}/page.html")
        browser.run("addEventListener('beforeprint', () => {"
                    " window.printed = document.documentElement.dataset.theme; })")
        browser.call("Page.printToPDF")
        assert browser.run("[printed, document.documentElement.dataset.theme]") == ["light", "dark"]


def test_a_number_in_the_address_opens_its_slide(browser):
    with served(ASSETS / "slides") as site:
        browser.open(f"{site}/lecture.html#4")
        shown = "document.querySelector('.bar output').textContent"
        assert browser.run(shown) == "4 of 23"
        browser.run("location.hash = '#16'")
        browser.settle()
        assert browser.run(shown) == "16 of 23"


def test_a_phone_that_is_turned_keeps_its_slide(browser):
    """Turned to its long side it showed an empty page, and back again it hid all slides but one."""
    shown = """[...document.querySelectorAll(".slide")].flatMap((slide, i) =>
      getComputedStyle(slide).visibility === "visible" && slide.ariaHidden !== "true"
        ? [i + 1] : [])"""
    near = "Math.abs(document.querySelectorAll('.slide')[6].getBoundingClientRect().top) < 5"
    every = list(range(1, 24))
    with served(ASSETS / "slides") as site:
        browser.look(390, 844)
        browser.open(f"{site}/lecture.html")
        assert browser.run(shown) == every
        browser.look(844, 390)
        browser.settle()
        assert browser.run(shown) == [1]
        browser.look(390, 844)
        browser.settle()
        assert browser.run(shown) == every
        browser.run("document.querySelectorAll('.slide')[6].scrollIntoView()")
        browser.settle()
        browser.look(844, 390)
        browser.settle()
        assert browser.run(shown) == [7]
        browser.look(390, 844)
        browser.settle()
        assert browser.run(shown) == every and browser.run(near)


def test_keys_scroll_where_slides_stand_below_each_other(browser):
    """In a window enlarged to 200 percent space, Home and End did nothing."""
    pressed = """["PageDown", " ", "End", "Home", "ArrowRight", "n"].map(key => !document.body
      .dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true})))"""
    with served(ASSETS / "slides") as site:
        for width, taken in ((640, [False] * 5 + [True]), (1280, [True] * 6)):
            browser.look(width)
            browser.open(f"{site}/lecture.html")
            assert browser.run(pressed) == taken


def test_a_swipe_turns_the_slides(browser):
    """The browser took it for a way to scroll, or to go back, and the slide stayed."""
    def swipe(*path):
        browser.call("Input.dispatchTouchEvent", type="touchStart",
                     touchPoints=[{"x": path[0], "y": 400}])
        for x in path[1:]:
            browser.call("Input.dispatchTouchEvent", type="touchMove",
                         touchPoints=[{"x": x, "y": 400}])
        browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        browser.settle()
        return browser.run("document.querySelector('.bar output').textContent")

    with served(ASSETS / "slides") as site:
        browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
        try:
            browser.open(f"{site}/lecture.html")
            assert swipe(800, 760, 650, 500, 200) == "2 of 23"
            assert swipe(200, 240, 350, 500, 800) == "1 of 23"
        finally:
            browser.call("Emulation.setTouchEmulationEnabled", enabled=False)
