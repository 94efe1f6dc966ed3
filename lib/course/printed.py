"""The whole book as one PDF, after the pages have been built: ``python -m lib.course.printed``.

The built pages are joined into one, with answers at the back, notebooks as an appendix, and links
that stay inside; the browser typesets it, then prints it twice: the second time the contents know
their page numbers. ``python -m lib.course.printed slides`` prints the slides of the lecture.
"""

import datetime
import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from posixpath import dirname, join, normpath

import matplotlib
import pypdf
import yaml
from bs4 import BeautifulSoup, NavigableString, Tag
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from . import ROOT
from .chromium import BrowserError, print_page, rendered

__all__ = ["Chapter", "contents", "joined_book", "make_pdf", "outline", "print_slides"]

BUILT = ROOT / "_build" / "html"
PDF = ROOT / "_build" / "pdf" / "overlapping-convnets.pdf"
SLIDES = PDF.with_name("lecture.pdf")
LEFT_OUT = ("book/api", "book/developer")  # for the screen: searched, not read
FRONT, ANSWERS, PROGRAMS, REFERENCE = ("Before you start", "Answers to the exercises",
                                       "The notebooks", "Reference")
DROPPED = ("script, style, link, .headerlink, .toctree-wrapper, .explore-live, button, "
           ".sd-summary-state-marker, .copybtn, noscript, iframe, .only-dark, .svg-inline--fa, "
           ".quiz input, .quiz-said, .visually-hidden")
REPEATED = {"proof-content", "solution-content", "exercise-content"}  # ids that many elements have


class Chapter:
    """A page of the book on its way to print: its part, title, and the body that is printed."""

    def __init__(self, page: str, part: str, body: Tag) -> None:
        self.page, self.part, self.body = page, part, body
        self.name = page.rsplit("/", 1)[-1]
        title = body.find("h1")
        self.title = " ".join(title.get_text().split())
        title.decompose()


def contents() -> list[tuple[str, list[str]]]:
    """Parts of the printed book with their pages, in the order of print.

    Returns
    -------
    list of (str, list of str)

    Examples
    --------
    >>> [part for part, _ in contents()][-2:]
    ['The notebooks', 'Reference']
    """
    listed = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts, programs = [(FRONT, [listed["root"]])], []
    for part in listed["parts"]:
        pages = [chapter["file"] for chapter in part["chapters"]]
        for chapter in part["chapters"]:
            for section in chapter.get("sections", []):
                (programs if section["file"].startswith("notebooks/") else pages).append(
                    section["file"])
        kept = [page for page in pages if page not in LEFT_OUT]
        if part["caption"] == "Start":
            parts[0][1].extend(kept)
        else:
            parts.append((part["caption"], kept))
    reference = parts.pop()
    return [*parts, (PROGRAMS, programs), reference]


def read_chapter(page: str, part: str, built: Path) -> Chapter:
    """A built page, without what only a screen needs."""
    path = built / f"{page}.html"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; build the pages first: make book")
    article = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").find("article")
    for mark in article.select(DROPPED):
        mark.decompose()
    for place in article.select(".explore"):
        place["class"] = "explore-printed"
    for launch in article.find_all("p"):
        if launch.get_text().startswith("Run on Colab"):
            launch.decompose()
    if page.startswith("notebooks/"):
        for cell in article.select(".tag_hide-input .cell_input, details.hide"):
            cell.decompose()
    for folded in article.find_all("details"):
        folded["open"] = ""
    return Chapter(page, part, article)


def prefix_names(chapter: Chapter, pages: set[str], built: Path) -> None:
    """Give every anchor the name of its page, and send links to the printed pages."""
    for element in chapter.body.find_all(id=True):
        if element["id"] == "proof":
            element["class"] = [*element.get("class", []), "the-proof"]
        if element["id"] in REPEATED or element["id"] == "proof":
            del element["id"]
        else:
            element["id"] = f"{chapter.name}--{element['id']}"
    for image in chapter.body.find_all("img"):
        if not image["src"].startswith("data:"):
            place = normpath(join(dirname(chapter.page), image["src"]))
            image["src"] = (built / place).resolve().as_uri()
    for link in chapter.body.find_all("a", href=True):
        link["href"] = printed_link(link["href"], chapter.page, pages)
        if link["href"] is None:
            link.unwrap()


def printed_link(href: str, page: str, pages: set[str]) -> str | None:
    """Where a link of a built page leads in print; None if what it shows is not printed.

    Examples
    --------
    >>> printed_link("toolbox.html#cut-bound", "book/index", {"book/index", "book/toolbox"})
    '#toolbox--cut-bound'
    >>> printed_link("../_static/slides.html", "book/index", {"book/index"}) is None
    True
    """
    if re.match(r"[a-z]+:", href):
        return href
    target, _, anchor = href.partition("#")
    path = normpath(join(dirname(page), target)) if target else page + ".html"
    if path.removesuffix(".html") not in pages:
        return None
    name = path.removesuffix(".html").rsplit("/", 1)[-1]
    return f"#{name}--{anchor}" if anchor else f"#{name}"


def take_answers(soup: BeautifulSoup, chapter: Chapter) -> Tag | None:
    """Move the answers of a chapter into a section of their own, linked both ways."""
    section = soup.new_tag("section")
    for quiz in chapter.body.select("details.quiz-answers"):
        quiz.name, quiz.summary.name = "div", "p"
        section.append(quiz.extract())
    for number, answer in enumerate(chapter.body.select("div.solution")):
        exercise = answer.find_previous("div", class_="exercise")
        name = f"{chapter.name}--answer-{number}"
        title = exercise.find(class_="admonition-title").get_text()
        head = answer.find(class_="admonition-title")
        head.clear()
        head.append(soup.new_tag("a", href=f"#{exercise['id']}"))
        head.a.string = " ".join(title.split())
        answer["id"], answer["class"] = name, ["printed-answer"]
        onward = soup.new_tag("p", attrs={"class": "to-answer"})
        onward.append(soup.new_tag("a", href=f"#{name}"))
        onward.a.string = "Answer"
        exercise.append(onward)
        section.append(answer.extract())
    if not section.contents:
        return None
    heading = soup.new_tag("h3")
    heading.string = chapter.title
    section.insert(0, heading)
    return section


def lower_headings(chapter: Chapter) -> None:
    """Make room for the titles of parts and chapters: h2 becomes h3, and so on."""
    for level in (5, 4, 3, 2):
        for heading in chapter.body.find_all(f"h{level}"):
            heading.name = f"h{level + 1}"


def joined_book(built: Path = BUILT) -> BeautifulSoup:
    """The printed book as one page whose formulas are still text.

    Parameters
    ----------
    built : Path
        Where the pages of the book are.

    Returns
    -------
    bs4.BeautifulSoup

    Raises
    ------
    FileNotFoundError
        If a page has not been built.
    """
    listed = contents()
    pages = {page for _, names in listed for page in names}
    frame = TEMPLATE.format(built=built.resolve().as_uri(), **front_matter())
    soup = BeautifulSoup(frame, "html.parser")
    main, answers, rules = soup.find("main"), soup.new_tag("section"), []
    toc = soup.find(id="contents")

    def add_part(part: str) -> None:
        heading = soup.new_tag("h1", attrs={"class": "part"})
        heading.string = part
        main.append(heading)
        entry = soup.new_tag("p", attrs={"class": "toc-part"})
        entry.string = part
        toc.append(entry)

    def add_chapter(name: str, title: str, body: Tag) -> None:
        section = soup.new_tag("section", id=name, attrs={"class": "chapter"})
        section["style"] = f"page: c-{name}"
        heading = soup.new_tag("h2", attrs={"class": "chapter-title"})
        heading.string = title
        if main.contents and main.contents[-1].name == "h1":  # a part begins with this chapter
            section.append(main.contents[-1].extract())
        section.append(heading)
        section.append(body)
        main.append(section)
        quoted = title.replace("\\", "").replace('"', "'")
        rules.append(f'@page c-{name} {{ @top-right {{ content: "{quoted}" }} }}')
        line = soup.new_tag("p", attrs={"class": "toc-line"})
        link = soup.new_tag("a", href=f"#{name}")
        link.string = title
        line.extend([link, soup.new_tag("span", attrs={"class": "dots"}),
                     soup.new_tag("span", attrs={"class": "page"})])
        toc.append(line)

    for part, names in listed:
        if part == PROGRAMS:
            add_part(ANSWERS)
            add_chapter("answers", "Answers, chapter by chapter", answers)
        add_part(part)
        for page in names:
            chapter = read_chapter(page, part, built)
            prefix_names(chapter, pages, built)
            lower_headings(chapter)
            found = take_answers(soup, chapter)
            if found:
                answers.append(found)
            first = page == listed[0][1][0]  # its title is that of the book
            add_chapter(chapter.name, "Overview" if first else chapter.title, chapter.body)
    soup.find("style").append(NavigableString("\n".join(rules)))
    drop_dead_links(soup)
    return soup


def drop_dead_links(soup: BeautifulSoup) -> None:
    """Links to anchors that did not survive become text."""
    anchors = {element["id"] for element in soup.find_all(id=True)}
    for link in soup.find_all("a", href=re.compile("^#")):
        if link["href"][1:] not in anchors:
            link.unwrap()


def front_matter() -> dict[str, str]:
    """What the template asks for: title, authors, version, year, and paths of fonts and looks."""
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return {
        "title": escape(config["title"]), "author": escape(config["author"]),
        "version": str(about["version"]), "year": str(config["copyright"]),
        "today": datetime.date.today().strftime("%B %-d, %Y") if sys.platform != "win32"
        else datetime.date.today().isoformat(),
        "address": escape(config["repository"]["url"]),
        "fonts": Path(matplotlib.get_data_path(), "fonts", "ttf").as_uri(),
    }


TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="{built}/_static/pygments.css">
<link rel="stylesheet" href="{built}/_static/print/book.css">
<style>
@font-face {{ font-family: "Book Mono"; src: url("{fonts}/DejaVuSansMono.ttf"); }}
@font-face {{ font-family: "Book Mono"; src: url("{fonts}/DejaVuSansMono-Bold.ttf");
  font-weight: 700; }}
@font-face {{ font-family: "Book Symbols"; src: url("{fonts}/DejaVuSans.ttf"); }}
</style>
<script>window.MathJax = {{options: {{processHtmlClass: "math|output_area|tex2jax_process",
  ignoreHtmlClass: "printed", enableAssistiveMml: false, enableMenu: false}},
  svg: {{fontCache: "global"}},
  startup: {{pageReady: () => MathJax.startup.defaultPageReady().then(fitted)}}}};</script>
<script defer src="{built}/_static/print/fit.js"></script>
<script defer src="{built}/_static/mathjax/tex-svg-full.js"></script>
</head><body class="printed">
<header class="cover"><img src="{built}/_static/logo.svg" alt="">
<p class="cover-title">{title}</p>
<p class="cover-sub">An executable course: every theorem stated, proved, run and checked</p>
<img class="cover-figure" src="{built}/_static/figures/cover.svg" alt="">
<p class="cover-author">{author}</p><p>Version {version}, printed {today}</p></header>
<section class="imprint"><p>Text and figures © {year} {author}, under the license CC BY 4.0
(creativecommons.org/licenses/by/4.0). Code under the MIT license.</p>
<p>The course with its programs: <a href="{address}">{address}</a></p>
<p>This is the whole book with two exceptions: the reference of the library and the page for
developers are for the screen. Pictures that move stand still here; the cells of notebooks that keep
the books, and the code of figures, are left out, with what they print kept.</p></section>
<nav class="contents"><p class="contents-title">Contents</p><div id="contents"></div></nav>
<main></main></body></html>
"""


def outline(pdf: Path) -> list[tuple[str, int]]:
    """The outline of a PDF in its order: titles with the numbers of their pages.

    Parameters
    ----------
    pdf : Path

    Returns
    -------
    list of (str, int)
    """
    reader = pypdf.PdfReader(pdf)

    def flat(entries: list) -> Iterator[tuple[str, int]]:
        for entry in entries:
            if isinstance(entry, list):
                yield from flat(entry)
            else:
                yield entry.title, reader.get_destination_page_number(entry) + 1

    return list(flat(reader.outline))


def finish(pdf: Path, titles: list[str], author: str) -> None:
    """Give the entries of an outline their titles (browsers repeat some), and drop the tags.

    The browser tags every glyph of a formula, a hundred thousand of them: half of the file. Who
    reads by ear is better served by the pages, where a formula is spoken.

    Parameters
    ----------
    pdf : Path
    titles : list of str
        The headings of the printed page in their order, one for each entry.
    author : str
    """
    reader = pypdf.PdfReader(pdf)
    root, entries = reader.trailer["/Root"], []

    def walk(entry: DictionaryObject) -> None:
        while entry is not None:
            entries.append(entry)
            if "/First" in entry:
                walk(entry["/First"].get_object())
            entry = entry["/Next"].get_object() if "/Next" in entry else None

    walk(root["/Outlines"].get_object()["/First"].get_object())
    if len(entries) != len(titles):
        raise BrowserError(f"{len(entries)} entries in the outline for {len(titles)} headings")
    for entry, title in zip(entries, titles, strict=True):
        entry[NameObject("/Title")] = TextStringObject(title)
        entry.pop("/SE", None)
    for key in ("/StructTreeRoot", "/MarkInfo"):
        root.pop(key, None)
    for page in reader.pages:
        page.pop("/StructParents", None)
    writer = pypdf.PdfWriter(clone_from=reader)
    writer.add_metadata({"/Author": author, "/Creator": "lib.course.printed"})
    writer.write(pdf)


def heading_text(heading: Tag) -> str:
    """A heading in one line, formulas as they were typed."""
    words = [part.get("aria-label", "") if part.name == "mjx-container" else part
             for part in heading.descendants
             if isinstance(part, NavigableString) or part.name == "mjx-container"]
    return " ".join("".join(words).split())


def make_pdf(pdf: Path = PDF, built: Path = BUILT) -> int:
    """Typeset and print the book.

    Parameters
    ----------
    pdf : Path
    built : Path
        Where the pages of the book are.

    Returns
    -------
    int
        The number of its pages.

    Raises
    ------
    FileNotFoundError
        If the pages have not been built.
    BrowserError
        If there is no browser, formulas were not typeset, or something is wider than the page.
    """
    pdf.parent.mkdir(parents=True, exist_ok=True)
    source, page = pdf.with_name("source.html"), pdf.with_name("typeset.html")
    source.write_text(str(joined_book(built)), encoding="utf-8")
    book = BeautifulSoup(rendered(source), "html.parser")
    if book.html.get("data-typeset") != "done":
        raise BrowserError("the browser ended before the formulas were typeset")
    if book.html.get("data-wide"):
        raise BrowserError(f"wider than the page: {book.html['data-wide']}")
    for script in book.find_all("script"):
        script.decompose()
    headings = book.find_all(re.compile("^h[1-6]$"))
    titles, author = [heading_text(heading) for heading in headings], front_matter()["author"]

    def printed() -> list[int]:
        page.write_text(str(book), encoding="utf-8")
        print_page(page, pdf)
        finish(pdf, titles, author)
        return [number for _, number in outline(pdf)]

    numbers = printed()
    for heading, number in zip(headings, numbers, strict=True):
        if "chapter-title" in heading.get("class", []):
            line = book.select_one(f'.toc-line a[href="#{heading.parent["id"]}"]').parent
            line.select_one(".page").string = str(number)
    if printed() != numbers:
        raise BrowserError("pages moved when the contents got their numbers")
    return len(pypdf.PdfReader(pdf).pages)


def print_slides(pdf: Path = SLIDES, built: Path = BUILT) -> int:
    """Print the slides of the lecture, one on a page.

    Parameters
    ----------
    pdf, built : Path

    Returns
    -------
    int
        The number of pages.
    """
    lecture = built / "_static" / "slides" / "lecture.html"
    if not lecture.is_file():
        raise FileNotFoundError(f"{lecture} is missing; build the pages first: make book")
    pdf.parent.mkdir(parents=True, exist_ok=True)
    print_page(lecture, pdf)
    return len(pypdf.PdfReader(pdf).pages)


def main() -> None:
    slides = sys.argv[1:] == ["slides"]
    if sys.argv[1:] and not slides:
        sys.exit(f"lib.course.printed: {' '.join(sys.argv[1:])!r} is not known; "
                 "nothing prints the book, slides the slides")
    try:
        pages = print_slides() if slides else make_pdf()
    except (BrowserError, FileNotFoundError) as error:
        sys.exit(f"make {'slides' if slides else 'pdf'}: {error}")
    print(f"{'The slides' if slides else 'The book'}, {pages} pages: "
          f"{SLIDES if slides else PDF}")


if __name__ == "__main__":
    main()
