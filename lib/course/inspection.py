"""The built pages as a browser shows them: cut, pale, noisy, heavy or not accessible.

``python -m lib.course.inspection _build/html`` opens every page once in a headless Chromium, looks
at it at two widths in two themes, prints a table of what is wrong, and fails if anything is.
"""

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ..options import Parser
from .browser import Browser, served
from .overview import chapter_titles

__all__ = ["LEAST_CONTRAST", "LOOKS", "MOST_KILOBYTES", "PageReport", "inspect_pages", "pages",
           "search_misses"]

LOOKS = [(1400, False), (1400, True), (390, True), (390, False)]  # width in pixels, dark
LEAST_CONTRAST = 4.5
MOST_KILOBYTES = 1500          # what one page may transfer, compressed, when nothing is cached
MEASURES = ("overflow", "cut", "contrast", "type", "focus", "requests", "console", "axe", "weight")
PROGRAM = Path(__file__).with_suffix(".js")
# Accessibility: all rules of axe-core but the one on contrast, which PROGRAM measures in every look
# and for all sizes of text. Drawn formulas are hidden from assistive technology (a hidden MathML
# speaks for them) and make axe ten times slower.
AXE = """
document.querySelectorAll("mjx-container > svg").forEach(svg => svg.remove());
axe.run(document, {resultTypes: ["violations"], rules: {"color-contrast": {enabled: false}}})
  .then(found => found.violations.flatMap(({id, nodes}) =>
    nodes.map(node => id + ": " + node.target.join(" "))));
"""


@dataclass
class PageReport:
    """What is wrong with a page, by measure, and its weight in kilobytes (0 if not measured)."""

    page: str
    kilobytes: int = 0
    problems: dict[str, list[str]] = field(
        default_factory=lambda: {measure: [] for measure in MEASURES})

    def add(self, measure: str, line: str) -> None:
        """Note a problem once."""
        if line not in self.problems[measure]:
            self.problems[measure].append(line)

    @property
    def count(self) -> int:
        """How many problems there are."""
        return sum(map(len, self.problems.values()))


def pages(folder: Path) -> list[str]:
    """Addresses of a book's pages, relative to its folder.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    list of str
        Without the files that themes keep for themselves under ``_static``, and without pages that
        only lead elsewhere.

    Raises
    ------
    ValueError
        If there are none: a check of nothing would pass.
    """
    found = [path.relative_to(folder) for path in sorted(Path(folder).rglob("*.html"))]
    found = [path.as_posix() for path in found if path.parts[0] != "_static"
             and 'http-equiv="Refresh"' not in (folder / path).read_text(encoding="utf-8")]
    if not found:
        raise ValueError(f"{folder} holds no pages; build the book first (make book)")
    return found


def inspect_pages(folder: Path, names: list[str] | None = None,
                  axe: Path | None = None) -> Iterator[PageReport]:
    """Open pages one after the other and measure them.

    Parameters
    ----------
    folder : pathlib.Path
        A built book, usually ``_build/html``.
    names : list of str, optional
        Pages as :func:`pages` names them; all by default.
    axe : pathlib.Path, optional
        The program ``axe.min.js`` of axe-core; without it accessibility is not measured.

    Yields
    ------
    PageReport
    """
    rules = axe.read_text(encoding="utf-8") if axe else None
    measure = PROGRAM.read_text(encoding="utf-8")
    with served(folder) as site, Browser() as browser:
        for name in pages(folder) if names is None else names:
            # Nothing kept from the page before: the weight is that of a first visit.
            browser.call("Network.clearBrowserCache")
            yield _inspect(browser, site, name, measure, rules)


FOUND = """
new Promise(done => {
  const read = () => [...document.querySelectorAll("ul.search > li > a")].map(link => link.href);
  const begun = Date.now(), timer = setInterval(() => {
    const heading = document.querySelector("#search-results h2");
    if (/^Search Result/.test(heading ? heading.textContent : "") || Date.now() - begun > 9000) {
      clearInterval(timer);
      done(read());
    }
  }, 100);
});
"""


def search_misses(folder: Path, within: int = 3) -> list[str]:
    """Chapters that the book's own search does not show first when their title is asked for.

    Parameters
    ----------
    folder : pathlib.Path
        A built book.
    within : int
        Among how many results the chapter has to be.

    Returns
    -------
    list of str
        One line for each chapter that is missed.
    """
    missed = []
    with served(folder) as site, Browser() as browser:
        browser.look(1400)
        for page, title in chapter_titles().items():
            words = re.sub(r"^(a|the) ", "", title.lower())
            browser.open(f"{site}/search.html?q={quote(words)}")
            found = browser.run(FOUND)
            places = [i for i, link in enumerate(found, 1) if f"/{page}.html" in link]
            if not places or places[0] > within:
                missed.append(f"search for “{words}”: {page} is number {places[:1] or 'none'} "
                              f"of {len(found)}")
    return missed


def _inspect(browser: Browser, site: str, name: str, measure: str, rules: str | None) -> PageReport:
    report = PageReport(name)
    width, dark = LOOKS[0]
    browser.look(width, dark=dark)
    browser.open(f"{site}/{name}")
    loading = len(browser.events)
    report.kilobytes = _note_events(browser.events, site, report)
    if report.kilobytes > MOST_KILOBYTES:
        report.add("weight", f"{report.kilobytes} kB are more than {MOST_KILOBYTES}")
    browser.run(measure)
    for line in browser.run("inspectFocus()"):
        report.add("focus", line)
    for width, dark in LOOKS:
        browser.look(width, dark=dark)
        browser.settle()
        seen = browser.run(f"inspectPage({LEAST_CONTRAST})")
        where = f"{width} {'dark' if dark else 'light'}: "
        if seen["overflow"] > 0:
            report.add("overflow", f"{where}{seen['overflow']} px")
        for line in seen["cut"]:
            report.add("cut", where + line)
        for line in seen["raw"]:
            report.add("type", line)
        for line in seen["pale"]:
            report.add("contrast", where + line)
    _note_events(browser.events[loading:], site, report)    # what another width or theme led to
    if rules:
        browser.run(f"{rules};0")
        for width in (390, 1400):
            browser.look(width)
            for line in browser.run(AXE):
                report.add("axe", line)
    return report


def _note_events(events: list[tuple[str, dict]], site: str, report: PageReport) -> int:
    """Note what the browser reported; return how many kilobytes it loaded."""
    size = 0
    for kind, event in events:
        if kind == "Network.requestWillBeSent":
            address = event["request"]["url"]
            if not address.startswith((site, "data:", "blob:", "about:")):
                report.add("requests", address)
        elif kind == "Network.responseReceived" and event["response"]["status"] >= 400:
            report.add("requests", f"{event['response']['status']} {event['response']['url']}")
        elif kind == "Network.loadingFinished":
            size += event["encodedDataLength"]
        elif kind == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
            said = " ".join(str(part.get("value", part.get("description")))
                            for part in event["args"])
            report.add("console", f"{event['type']}: {said}")
        elif kind == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            report.add("console", details.get("exception", {}).get("description", details["text"]))
        elif kind == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
            report.add("console", event["entry"]["text"])
    return round(size / 1000)


def main() -> None:
    parser = Parser(description=__doc__.split("\n\n")[1])
    parser.add_argument("folder", type=Path, help="a built book, usually _build/html")
    parser.add_argument("pages", nargs="*", help="pages in it; all by default")
    parser.add_argument("--axe", type=Path, help="axe.min.js of axe-core")
    parser.add_argument("--lines", type=int, default=4, help="problems shown for each measure")
    given = parser.parse_intermixed_args()
    if given.axe and not given.axe.is_file():
        parser.error(f"--axe {given.axe}: there is no such file")
    try:
        names, begun = given.pages or pages(given.folder), time.monotonic()
    except ValueError as error:
        parser.error(str(error))
    print(f"{'page':40}" + "".join(f"{measure:>9}" for measure in MEASURES) + f"{'kB':>7}")
    reports = []
    for report in inspect_pages(given.folder, names, given.axe):
        counts = (f"{len(report.problems[measure]):>9}" for measure in MEASURES)
        print(f"{report.page:40}{''.join(counts)}{report.kilobytes:>7}", flush=True)
        reports.append(report)
    for report in reports:
        for measure, lines in report.problems.items():
            for line in lines[:given.lines]:
                print(f"{report.page} {measure}: {line}")
            if len(lines) > given.lines:
                print(f"{report.page} {measure}: and {len(lines) - given.lines} more")
    missed = [] if given.pages else search_misses(given.folder)
    print("\n".join(missed), end="\n" if missed else "")
    wrong = sum(report.count for report in reports) + len(missed)
    what = "measures" if given.axe else "measures, accessibility left out (--axe),"
    print(f"{len(reports)} pages, {what} at {len(LOOKS)} looks: {wrong} problems, "
          f"{time.monotonic() - begun:.0f} s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
