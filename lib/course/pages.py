"""The built pages: a local link leads to one place, nothing is loaded from another machine.

``python -m lib.course.pages _build/html`` reports what is wrong, and fails if anything is.
"""

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .links import launch_problems

# Attributes whose target the browser fetches by itself when it shows the page.
LOADED = {(tag, "src") for tag in ("script", "img", "iframe", "source", "video", "audio", "track",
                                   "embed")} | {("video", "poster"), ("object", "data")}
# What sphinx-proof and sphinx-exercise put on every statement: nothing may link there.
FIXED = {"proof", "proof-content", "exercise-content", "solution-content"}
LOADED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}
# What a style sheet fetches from another machine.
STYLED = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")


class Page(HTMLParser):
    """What a page links to, what it loads, and the anchors it offers."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links, self.loaded, self.anchors, self.no_alt = [], [], set(), []
        self.twice = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        given = {key: value for key, value in attributes if value}
        if "id" in given and given["id"] in self.anchors - FIXED:
            self.twice.add(given["id"])
        names = ("id", "name") if tag == "a" else ("id",)      # a field's name is no anchor
        self.anchors.update(given[key] for key in names if key in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and LOADED_LINKS & set(given.get("rel", "").split()):
            self.loaded.append(given.get("href", ""))
        if tag == "img" and "alt" not in given:
            self.no_alt.append(given.get("src", "")[-60:])
        self.loaded += [given[key] for name, key in LOADED if name == tag and key in given]
        self.loaded += STYLED.findall(given.get("style", ""))
        if tag in ("img", "source"):   # the portraits of drawings: "a.svg 1x, b.svg 2x"
            self.loaded += [one.split()[0] for one in given.get("srcset", "").split(",")
                            if one.strip()]

    def handle_data(self, text: str) -> None:
        if self.lasttag == "style":
            self.loaded += STYLED.findall(text)


@cache
def read_page(path: Path) -> Page:
    """A page, parsed once."""
    return Page(path.read_text(encoding="utf-8"))


def page_problems(folder: Path) -> list[str]:
    """Broken local links, anchors in two places, files loaded from elsewhere, dead launch links.

    Parameters
    ----------
    folder : pathlib.Path
        Usually ``_build/html``. A folder without pages is a problem.

    Returns
    -------
    list of str
    """
    paths = sorted(Path(folder).rglob("*.html"))
    found = [] if paths else [f"{folder} holds no pages; build the book first (make book)"]
    for path in paths:
        relative = path.relative_to(folder)
        if relative.parts[0] == "_static":
            continue
        page = read_page(path)
        lines = [f"loads {url}" for url in page.loaded if is_remote(url)]
        lines += launch_problems("\n".join(page.links))
        lines += [f"two places with the anchor {one}" for one in sorted(page.twice)]
        if relative.parts[0] in ("book", "notebooks"):
            lines += [f"no alternative text for the image {src}" for src in page.no_alt]
        lines += [f"broken link {link}" for link in {*page.links, *page.loaded}
                  if not is_remote(link) and not resolves(link, path, Path(folder))]
        found += [f"{relative}: {line}" for line in lines]
    for path in sorted(Path(folder).rglob("*.css")):
        found += [f"{path.relative_to(folder)}: loads {url}"
                  for url in STYLED.findall(path.read_text(encoding="utf-8"))]
    return found


def is_remote(link: str) -> bool:
    """Whether a link leaves the book.

    Parameters
    ----------
    link : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_remote("https://example.org/a"), is_remote("../book/index.html#top")
    (True, False)
    """
    parts = urlsplit(link)
    return bool(parts.netloc) or parts.scheme in ("mailto", "javascript", "data")


def resolves(link: str, page: Path, book: Path) -> bool:
    """Whether a local link leads to a file, and to an anchor of one place where it names one.

    A file beside the built book does not count: it is not published with it.

    Parameters
    ----------
    link : str
    page : pathlib.Path
        The page with the link.
    book : pathlib.Path
        The folder of the built book.

    Returns
    -------
    bool
    """
    parts = urlsplit(link)
    if parts.scheme == "file" or parts.path.startswith("/"):  # places of one machine
        return False
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
    if target.is_dir():
        target = target / "index.html"
    if not target.is_file() or not target.is_relative_to(book.resolve()):
        return False
    if not parts.fragment or target.suffix != ".html":
        return True
    return unquote(parts.fragment) in read_page(target).anchors - FIXED


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("say where the built pages are: python -m lib.course.pages _build/html")
    found = page_problems(Path(sys.argv[1]))
    print("\n".join(found), end="\n" if found else "")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
