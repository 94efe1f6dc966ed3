"""Chromium without a window: typeset a page, print a page.

Any browser of that family will do (Chromium, Google Chrome, Microsoft Edge) from version 131 on,
the first that prints running heads. The environment's CHROME names one.
``python -m lib.course.chromium`` says which one is used, or fails in one line.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["BrowserError", "find_browser", "print_page", "rendered"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge",
         "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
         "/Applications/Chromium.app/Contents/MacOS/Chromium",
         "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-extensions",
         "--hide-scrollbars")
MISSING = ("needs Chromium, Google Chrome or Edge, version 131 or newer: install one (Debian, "
           "Ubuntu: apt-get install chromium), or name it: CHROME=/path/to/chrome")
SECONDS = 900  # formulas of the whole book: half a minute on a quiet core, far more on a busy one


class BrowserError(RuntimeError):
    """No browser, or one that did not do what it was asked."""


def find_browser() -> str:
    """The browser to use: CHROME if it is set, else the first one found.

    Returns
    -------
    str

    Raises
    ------
    BrowserError
        If there is none, in one line that says what to install.
    """
    named = os.environ.get("CHROME")
    for name in [named] if named else NAMES:
        if found := shutil.which(name):
            return found
    raise BrowserError((f"CHROME={named} is no program. This " if named else "This ") + MISSING)


def rendered(page: Path) -> str:
    """A page after its scripts have run, as HTML.

    Parameters
    ----------
    page : Path

    Returns
    -------
    str
    """
    # Virtual time stands still while scripts run: they end, however slow the machine is.
    done = _run("--virtual-time-budget=60000", "--dump-dom", page.resolve().as_uri())
    return done.stdout


def print_page(page: Path, pdf: Path) -> None:
    """Print a page into a PDF with an outline made from its headings.

    Parameters
    ----------
    page, pdf : Path

    Raises
    ------
    BrowserError
        If no PDF was written.
    """
    pdf.unlink(missing_ok=True)
    done = _run("--no-pdf-header-footer", "--generate-pdf-document-outline",
                "--virtual-time-budget=60000", f"--print-to-pdf={pdf.resolve()}",
                page.resolve().as_uri())
    if not pdf.is_file():
        raise BrowserError(f"the browser wrote no {pdf.name}: {done.stderr.strip()[-300:]}")


def _run(*arguments: str) -> subprocess.CompletedProcess:
    with tempfile.TemporaryDirectory() as profile:
        try:
            return subprocess.run(
                [find_browser(), *FLAGS, "--allow-file-access-from-files",
                 f"--user-data-dir={profile}", *arguments],
                capture_output=True, text=True, check=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise BrowserError(f"the browser did not end within {SECONDS} seconds") from None
        except subprocess.CalledProcessError as error:
            raise BrowserError(f"the browser failed: {error.stderr.strip()[-300:]}") from None


def main() -> None:
    try:
        print(f"Printing with {find_browser()}")
    except BrowserError as error:
        sys.exit(f"Printing: {error}")


if __name__ == "__main__":
    main()
