"""The book's drawings in two themes: a copy for light pages, one for dark pages.

Drawings are SVG files that matplotlib wrote on white. Both copies lose the white card. A label in a
color too pale to be read is darkened in the light copy; the dark copy turns lightness around and
keeps hues, so that blue stays the left side of a cut. Pictures inside a drawing, photographs and
heat maps, stay as they are, with the labels on them.
"""

import re
from collections.abc import Callable

__all__ = ["DARK_PAGE", "contrast", "dark_drawing", "labels", "light_drawing"]

DARK_PAGE = "#14171b"                   # --pst-color-background of course.css
LABEL, LINE, FILL_LEAST = 4.5, 3.0, 3.6  # least contrast with the page
GRAY, PALE = 0.03, 0.1                  # chroma: less than it looks gray, looks like a tint
CARD = re.compile(r'(<g id="patch_1">\s*<path [^>]*style="fill: )#ffffff')
# A label is a group of glyphs, a shape a path or the use of one.
GLYPHS = re.compile(r'<g (?:style="fill: (#[0-9a-f]{6})" )?'
                    r'transform="translate\(([-\d.]+) ([-\d.]+)\)')
PICTURE = re.compile(r'transform="scale\(1 -1\) translate\(0 ([-\d.]+)\)" x="([-\d.]+)" '
                     r'y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"')
SHAPE_COLOR = re.compile(r"(<(?:path|use|line|rect)\b[^>]*>)")
FILL = re.compile(r"(fill: )(#[0-9a-f]{6})")
STROKE = re.compile(r"(stroke: )(#[0-9a-f]{6})")


def contrast(one: str, other: str) -> float:
    """Contrast of two colors, from 1 to 21, as the Web Content Accessibility Guidelines define it.

    Parameters
    ----------
    one, other : str
        As in ``"#0072b2"``.

    Returns
    -------
    float

    Examples
    --------
    >>> contrast("#ffffff", "#000000"), round(contrast("#e69f00", "#ffffff"), 1)
    (21.0, 2.3)
    """
    low, high = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (_linear(one),
                                                                           _linear(other)))
    return (high + 0.05) / (low + 0.05)


def light_drawing(svg: str) -> str:
    """A drawing for a white page: transparent, with labels that can be read.

    Examples
    --------
    >>> light_drawing('<g style="fill: #e69f00" transform="translate(1 2)">')
    '<g style="fill: #a96600" transform="translate(1 2)">'
    """
    return _relabeled(_bare(svg), _label_on_white)


def dark_drawing(svg: str) -> str:
    """A drawing for a dark page: transparent, light where it was dark.

    Examples
    --------
    >>> dark_drawing('<svg width="1"><path style="fill: #ffffff; stroke: #333333"/></svg>')
    '<svg fill="#f5f5f5" width="1"><path style="fill: #14171b; stroke: #c7c7c7"/></svg>'
    """
    svg = _relabeled(_bare(svg), _label_on_dark)
    svg = SHAPE_COLOR.sub(lambda found: _recolored(found[1], FILL, _fill_on_dark), svg)
    svg = SHAPE_COLOR.sub(lambda found: _recolored(found[1], STROKE, _line_on_dark), svg)
    # Black is what no color means; shapes inherit it from the root.
    return svg.replace("<svg ", f'<svg fill="{_label_on_dark("#000000")}" ', 1)


def labels(svg: str) -> list[tuple[str, bool]]:
    """Colors of a drawing's labels, and whether each stands on a picture inside the drawing.

    Examples
    --------
    >>> labels('<g transform="translate(1 2)">')
    [('#000000', False)]
    """
    pictures = [(x, -shift - y - height, x + width, -shift - y) for shift, x, y, width, height
                in (map(float, found) for found in PICTURE.findall(svg))]
    return [(color or "#000000", any(left <= float(x) <= right and top <= float(y) <= bottom
                                     for left, top, right, bottom in pictures))
            for color, x, y in GLYPHS.findall(svg)]


def _relabeled(svg: str, change: Callable[[str], str]) -> str:
    colors = iter([color if on_picture else change(color) for color, on_picture in labels(svg)])
    return GLYPHS.sub(lambda found: f'<g style="fill: {next(colors)}" '
                                    f'transform="translate({found[2]} {found[3]})', svg)


def _bare(svg: str) -> str:
    return CARD.sub(r"\1none", svg)


def _recolored(tag: str, place: re.Pattern, change: Callable[[str], str]) -> str:
    return place.sub(lambda found: found[1] + change(found[2]), tag)


def _label_on_white(color: str) -> str:
    lightness, a, b = _oklab(color)
    if lightness > 0.9 and _chroma(a, b) < PALE:  # on a colored ground, which is darker
        return color
    return _until(lightness, a, b, -0.005, lambda new: contrast(new, "#ffffff") >= LABEL)


def _label_on_dark(color: str) -> str:
    lightness, a, b = _oklab(color)
    if lightness > 0.9 and _chroma(a, b) < PALE:
        return DARK_PAGE
    return _until(_kept(lightness, a, b), a, b, 0.005,
                  lambda new: contrast(new, DARK_PAGE) >= LABEL)


def _line_on_dark(color: str) -> str:
    lightness, a, b = _oklab(color)
    if lightness > 0.8 and _chroma(a, b) < PALE:  # a grid, a quiet border, a white gap
        return _fill_on_dark(color)
    return _until(_kept(lightness, a, b), a, b, 0.005,
                  lambda new: contrast(new, DARK_PAGE) >= LINE)


def _fill_on_dark(color: str) -> str:
    """Turned around even where it is colorful: what is written on it is turned around too."""
    if color == "#ffffff":
        return DARK_PAGE
    lightness, a, b = _oklab(color)
    if _chroma(a, b) < PALE and (lightness > 0.85 or _chroma(a, b) < GRAY):
        return _hexadecimal(_turned(lightness), a, b)
    return _until(_turned(lightness), a, b, 0.005,
                  lambda new: contrast(new, DARK_PAGE) >= FILL_LEAST)


def _turned(lightness: float) -> float:
    """White becomes the dark page, black nearly white."""
    return 0.97 - 0.765 * lightness**1.5


def _kept(lightness: float, a: float, b: float) -> float:
    """A colorful line keeps its lightness, a gray one is turned around."""
    return _turned(lightness) if _chroma(a, b) < GRAY else lightness


def _chroma(a: float, b: float) -> float:
    return (a * a + b * b) ** 0.5


def _until(lightness: float, a: float, b: float, step: float, enough: Callable) -> str:
    """The color of the lightness nearest to a given one, in steps, that is enough."""
    while not enough(color := _hexadecimal(lightness, a, b)) and 0 < lightness < 1:
        lightness += step
    return color


def _linear(color: str) -> list[float]:
    channels = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def _oklab(color: str) -> tuple[float, float, float]:
    """Lightness and two coordinates of hue (B. Ottosson, "A perceptual color space", 2020)."""
    r, g, b = _linear(color)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
            1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
            0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short)


def _hexadecimal(lightness: float, a: float, b: float) -> str:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
              -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
              -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short)
    clipped = (min(max(c, 0), 1) for c in linear)
    encoded = (12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in clipped)
    return "#" + "".join(f"{round(255 * c):02x}" for c in encoded)
