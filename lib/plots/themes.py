"""What makes a stored figure readable on light and dark pages: contrast, and the dark colors.

A stored figure has no background. Its letters and lines get the contrast that reading needs on
white, and a style sheet inside the file holds the same colors for a dark page. A browser applies it
when the image stands on a dark page, whatever the system prefers.
"""

import colorsys
import re

from matplotlib.colors import to_hex, to_rgb

__all__ = ["DARK_PAPER", "PAPER", "contrast", "readable", "text_on", "themed"]

PAPER = "#ffffff"
DARK_PAPER = "#14171b"
LETTERS, LINES = 4.5, 3.0
"""The least contrast of letters and of lines with the page."""

ON_COLOR = ("#ffffff", "#111111")
"""Letters on a colored cell, which both themes leave as they are."""

KEPT = (*ON_COLOR, "#dddddd", "#cccccc")
"""What stays as it is on white: letters on colors, white, the lines of grids."""

DARK_INK, DARK_GRID = "#e4e4e4", "#3a3a3a"


def _luminance(color: str) -> float:
    linear = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(color))
    return sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    """The ratio of contrast of two colors, as WCAG 2 defines it.

    Examples
    --------
    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def text_on(color: str) -> str:
    """White or black, whichever is read better on a color.

    Examples
    --------
    >>> text_on("#0072B2"), text_on("#E69F00")
    ('#ffffff', '#111111')
    """
    return max(ON_COLOR, key=lambda letters: contrast(letters, color))


def readable(color: str, paper: str, least: float) -> str:
    """The color, moved away from the paper until the contrast is large enough.

    Parameters
    ----------
    color, paper : color
    least : float

    Returns
    -------
    str
        As #rrggbb.

    Examples
    --------
    >>> readable("#0072B2", "#ffffff", 4.5)
    '#0072b2'
    >>> readable("#E69F00", "#ffffff", 4.5)
    '#9c6c00'
    """
    end = (0.0,) * 3 if _luminance(paper) > 0.2 else (1.0,) * 3
    for step in range(101):
        mixed = to_hex([(step * e + (100 - step) * v) / 100
                        for e, v in zip(end, to_rgb(color), strict=True)])
        if contrast(mixed, paper) >= least:
            break
    return mixed


def _dark_letters(color: str) -> str:
    return DARK_INK if color == "#333333" else readable(color, DARK_PAPER, LETTERS)


def _dark_line(color: str) -> str:
    kept = {PAPER: DARK_PAPER, "#333333": DARK_INK, "#dddddd": DARK_GRID, "#cccccc": DARK_GRID}
    return kept.get(color) or readable(color, DARK_PAPER, LINES)


def _dark_surface(color: str) -> str:
    """The color of a surface on a dark page: white is paper, pale is dim, the others stay."""
    if color in (PAPER, "#333333"):
        return DARK_PAPER if color == PAPER else DARK_INK
    hue, lightness, saturation = colorsys.rgb_to_hls(*to_rgb(color))
    if lightness > 0.8:
        return to_hex(colorsys.hls_to_rgb(hue, 1.08 - lightness, saturation))
    return readable(color, DARK_PAPER, LINES)


def themed(svg: str) -> str:
    """A figure that matplotlib wrote, made readable on light and dark pages.

    Parameters
    ----------
    svg : str
        With letters as paths.

    Returns
    -------
    str

    Examples
    --------
    >>> themed('<style type="text/css">*{}</style><g style="fill: #333333">').splitlines()[1]
    '@media (prefers-color-scheme: dark) {'
    """
    letters, line, surface = (r'(<g style="fill: )(#\w{6})', r"(stroke: )(#\w{6})",
                              r'(<(?:path|use)[^>]*?fill: )(#\w{6})')
    for pattern, least in ((letters, LETTERS), (line, LINES)):
        svg = re.sub(pattern, lambda m, least=least: m[1] + (
            m[2] if m[2] in KEPT else readable(m[2], PAPER, least)), svg)
    rules = [f"svg{{fill:{DARK_INK}}}"]  # what matplotlib leaves black it leaves out
    for pattern, selector, name, dark in ((letters, "g", "fill", _dark_letters),
                                          (line, "", "stroke", _dark_line),
                                          (surface, ":is(path,use)", "fill", _dark_surface)):
        for color in sorted({m[2] for m in re.finditer(pattern, svg, re.DOTALL)}):
            on_color = name == "fill" and selector == "g" and color in ON_COLOR
            if not on_color and dark(color) != color:
                rules.append(f'{selector}[style*="{name}: {color}"]'
                             f"{{{name}:{dark(color)} !important}}")
    sheet = "\n@media (prefers-color-scheme: dark) {\n" + "\n".join(rules) + "\n}\n"
    return svg.replace("</style>", sheet + "</style>", 1)
