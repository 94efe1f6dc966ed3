"""Built pages made lighter, accessible and fit for both themes, after the theme has written them.

The theme draws its twenty icons with a program of half a megabyte; here they become drawings in the
page. Its sidebar gets the names that a screen reader needs, and each of the book's drawings a copy
for the dark theme.
"""

import functools
import re
import shutil
from collections.abc import Callable, Collection
from html import escape
from pathlib import Path

from .figures import dark_drawing, light_drawing

__all__ = ["finish_book", "finish_page", "icons", "remove_gone"]

ICON = re.compile(r'<(?:i|span) class="([^"]*\bfa-[^"]*)"([^>]*)></(?:i|span)>')
ICON_PROGRAM = re.compile(r'\s*<script[^>]*\bfontawesome\.js[^>]*></script>')
FOLDED = re.compile(r'(<a class="[^"]*reference internal[^"]*" href="[^"]*">([^<]*)</a>'
                    r'<details[^>]*><summary)(?=><span)')
BRAND = re.compile(r'(?<!<nav aria-label="Home">)(<a class="navbar-brand logo".*?</a>)', re.DOTALL)
EMPTY_HEADER = re.compile(r"<th\b[^>]*>\s*(?:<p>\s*</p>)?\s*</th>")
# A name that differs from the words on a button hides these from a screen reader.
OTHER_NAME = re.compile(r'(<button class="[^"]*search-button-field[^>]*?) aria-label="[^"]*"'
                        r'|(<summary) aria-label="Toggle hidden content"(?=>)')
# A raised number alone is heard as further digits: 64 to the power 32 as 6432.
POWER = re.compile(r"(?<=[\w)])<sup>(?=[\w(−-])")
DRAWING = re.compile(r'<img (?![^>]*only-)([^>]*)src="([^"]*_images/)([\w-]+)\.svg"([^>]*)>')
STYLES = {"fab": "fab", "fa-brands": "fab", "far": "far", "fa-regular": "far"}  # others are solid


def icons(program: str) -> Callable[[str], tuple[int, int, str]]:
    """What draws an icon, taken from the theme's own program.

    Parameters
    ----------
    program : str
        The text of ``fontawesome.js``: sets of brands, of outlines, of solid icons, each closed by
        its name.

    Returns
    -------
    callable
        From the classes of an icon, ``"fa-solid fa-sun fa-lg"``, to its width, height and path.
        Raises ValueError for icons that the program lacks.

    Examples
    --------
    >>> find = icons('{sun:[5,6,[1],"f1","M0"]} d("fab",p) d("far",p) {sun:[7,8,[],"f1","M1"]}'
    ...              ' d("fas",p)')
    >>> find("fas fa-sun fa-lg")
    (7, 8, 'M1')
    """
    ends = [program.index(f'd("{name}",p)') for name in ("fab", "far", "fas")]
    parts = {"fab": program[:ends[0]], "far": program[ends[0]:ends[1]],
             "fas": program[ends[1]:ends[2]]}

    @functools.cache  # forty pages have the same twenty
    def find(classes: str) -> tuple[int, int, str]:
        names = classes.split()
        style = next((STYLES[name] for name in names if name in STYLES), "fas")
        for name in names:
            found = re.search(rf'[{{,]"?{re.escape(name.removeprefix("fa-"))}"?:'
                              r'\[(\d+),(\d+),\[[^\]]*\],"\w+","([^"]+)"\]', parts[style])
            if name.startswith("fa-") and found:
                return int(found[1]), int(found[2]), found[3]
        raise ValueError(f"icons: the theme has no icon for class={classes!r}")

    return find


def finish_page(html: str, icon: Callable[[str], tuple[int, int, str]],
                portraits: Collection[str] = ()) -> str:
    """A page as readers get it. Finishing it once more changes nothing.

    Parameters
    ----------
    html : str
    icon : callable
        As :func:`icons` makes it.
    portraits : collection of str
        Names of the drawings that have a variant for phones.

    Returns
    -------
    str

    Examples
    --------
    >>> finish_page('<i class="fa-list"></i>', lambda classes: (4, 5, "M0"))
    '<svg class="svg-inline--fa fa-list" viewBox="0 0 4 5" aria-hidden="true"><path d="M0"/></svg>'
    """
    def draw(found: re.Match) -> str:
        width, height, path = icon(found[1])
        names = " ".join(found[1].split())
        return (f'<svg class="svg-inline--fa {names}"{found[2]} viewBox="0 0 {width} {height}" '
                f'aria-hidden="true"><path d="{path}"/></svg>')

    def both_themes(found: re.Match) -> str:
        before, folder, name, after = found.groups()
        # The dark copy waits until it is shown; the light one does not, or paper would lack it.
        light, dark = (f'{before}src="{folder}{name}{ending}.svg"{after}>'
                       for ending in ("", "-dark"))
        both = (themed("only-light", light), themed("only-dark", f'loading="lazy" {dark}'))
        if name not in portraits:
            return "".join(both)
        return "".join(f'<picture><source media="screen and (max-width: 576px)" '
                       f'srcset="{folder}{name}-phone{ending}.svg">{image}</picture>'
                       for ending, image in zip(("", "-dark"), both, strict=True))

    def themed(theme: str, rest: str) -> str:
        own = re.search(r'\bclass="([^"]*)" ?', rest)     # a second one would not count
        classes = f"{theme} {own[1]}" if own else theme
        rest = rest[:own.start()] + rest[own.end():] if own else rest
        return f'<img class="{classes}" {rest}'

    html = ICON.sub(draw, ICON_PROGRAM.sub("", html))
    html = FOLDED.sub(lambda found: f'{found[1]} aria-label="{escape(found[2])}: notebooks"', html)
    html = OTHER_NAME.sub(lambda found: found[1] or found[2], html)
    html = BRAND.sub(r'<nav aria-label="Home">\1</nav>', html)
    # A header cell without words names nothing; a work in the bibliography is an item of a list.
    html = EMPTY_HEADER.sub("<td></td>", html)
    html = html.replace('role="doc-biblioentry"', 'role="listitem"')
    html = POWER.sub('<sup><span class="visually-hidden"> to the power </span>', html)
    # Without a stored choice the theme asks for one called nothing, and complains.
    html = html.replace('getItem("mode") || ""', 'getItem("mode") || "auto"')
    return DRAWING.sub(both_themes, html)


def remove_gone(folder: Path, names: Collection[str]) -> None:
    """Remove pages that an earlier build left and whose sources are gone.

    Parameters
    ----------
    folder : pathlib.Path
        Where the pages are; looked at are the folders in it that pages of this book are in.
    names : collection of str
        All pages of the book, as ``"book/grid-tensors"``.
    """
    for top in {name.split("/")[0] for name in names if "/" in name}:
        for path in (folder / top).rglob("*.html"):
            if path.relative_to(folder).with_suffix("").as_posix() not in names:
                path.unlink()


def finish_book(folder: Path) -> None:
    """Finish every page of a built book, and write its drawings for both themes.

    Parameters
    ----------
    folder : pathlib.Path
        Where the pages are, usually ``_build/html``.
    """
    icon = icons((folder / "_static/scripts/fontawesome.js").read_text(encoding="utf-8"))
    portraits = {path.stem.removesuffix("-phone"): path
                 for path in (folder / "_static" / "figures").glob("*-phone.svg")}
    for path in folder.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        if "_static" not in path.relative_to(folder).parts and (
                done := finish_page(html, icon, portraits)) != html:
            path.write_text(done, encoding="utf-8")
    for path in list((folder / "_images").glob("*.svg")):
        if path.stem in portraits:
            shutil.copy(portraits[path.stem], path.with_name(f"{path.stem}-phone.svg"))
    for path in (folder / "_images").glob("*.svg"):
        if not path.stem.endswith("-dark"):
            svg = path.read_text(encoding="utf-8")
            path.with_name(f"{path.stem}-dark.svg").write_text(dark_drawing(svg), encoding="utf-8")
            path.write_text(light_drawing(svg), encoding="utf-8")
