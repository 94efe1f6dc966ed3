"""What an audit says: records of layers and joins, tables, and a summary in words."""

from __future__ import annotations

import csv
import html
import io
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from .fields import map_places
from .geometry import Geometry, batch_dim, channel_dim

CARRIES_OVER = """\
What carries over. Fields, strides, centers and joins above are those of the network itself. The
bounds are theorems about its ConvAC surrogate: the same windows, strides and channels along one
path, with products in place of activations and pooling, and biases in every layer. For almost
all its parameters, the matrix that the cut of the image makes of its grid tensor has at least
this rank. Without overlaps, and with fields that respect the cut, a ConvAC has at most the
channels of its last pooled layer plus one: to have it, too, it would need that many channels,
less one. For rectifiers no such theorem is known: there the bound says what this shape of network
can do with products, nothing about one set of trained weights."""

LEGEND = """\
R window, S stride, dil dilation, D channels, map size of the output; T_R pixels in the field of a
unit along each axis (all: every unit sees the whole image), typical the median over the units, T_S
pixels between neighboring units, center that of the first unit; crossing and overlap, the bounds of
the crossing bound and of the overlap theorem between left and right; pad padding of the layer,
start first pixel of the field of the first unit, T_R(H/2) the field beyond half the width that the
overlap theorem uses."""


@dataclass(frozen=True)
class LayerRecord:
    """One layer of the table.

    ``kind``, ``window`` to ``channels`` are those of `lib.audit.rules.LayerInfo`; ``shape`` is the
    output's, ``geometry`` holds one `Geometry` per axis of the image. ``idle`` says that every unit
    of its input sees the whole image already, so that its window adds nothing. ``map`` is the shape
    without batch and channels, None for attention, which has heads and keys beside them. ``batch``
    is the dimension of the batch, None where places of the map were moved into it.
    """

    name: str
    kind: str
    window: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    groups: int
    channels_in: int
    channels: int
    shape: tuple
    geometry: tuple
    idle: bool = False
    map: tuple | None = None
    batch: int | None = 0

    @property
    def everything(self) -> bool:
        """Whether every unit of this layer sees the whole image."""
        return all(g.everything for g in self.geometry)


def layer_record(name: str, info: object, fields: tuple, geometry: tuple, idle: bool = False,
                 images: int = 1) -> LayerRecord:
    """The record of a layer; axes that a one-dimensional layer adds for itself are left out.

    ``fields`` are those of its output, ``images`` is how many the network reads at once.
    """
    axes, shape = len(geometry), fields[0].shape
    batch = batch_dim(fields, images, info)
    added = max(0, len(info.window) - axes)
    if added and {*info.window[:added], *shape[2:2 + added]} == {1}:
        shape = shape[:2] + shape[2 + added:]
    along = [d - len(fields[0].shape)               # a recording may run down the map
             for d in map_places(fields[0], max(axes, len(info.window)))]
    window, stride, padding, dilation = (
        tuple(value[d] for d in along) if len(value) > axes else value
        for value in (info.window, info.stride, info.padding, info.dilation))
    return LayerRecord(name, info.kind, window, stride, padding, dilation, info.groups,
                       info.channels_in, info.channels, shape, geometry, idle,
                       _map(info, shape, batch, images), batch)


def _map(info: object, shape: tuple, batch: int | None, images: int) -> tuple | None:
    """The sizes of an output beside its batch and its channels, which may lie last."""
    if info.kind == "attention":
        return None
    channels = channel_dim(info, len(shape))
    if batch is None and channels and info.kind != "reduce" and images and shape[0] % images == 0:
        shape = (shape[0] // images, *shape[1:])    # tokens of all images in one row
    return tuple(n for d, n in enumerate(shape) if d not in (batch, channels))


@dataclass(frozen=True)
class JoinRecord:
    """Where branches meet: ``problems`` says what does not agree, and is empty if all does.

    ``compared`` says whether all branches are grids over the image; others cannot be compared.
    """

    name: str
    operation: str
    branches: tuple
    problems: tuple
    compared: bool

    @property
    def aligned(self) -> bool:
        return not self.problems


def join_record(name: str, operation: str, branches: list[tuple[Geometry, ...]],
                axes: Iterable[str], compared: bool) -> JoinRecord:
    """Compare the geometries of the branches that meet.

    Parameters
    ----------
    name, operation : str
    branches : list of tuple of Geometry
        One tuple (entry per axis) per branch.
    axes : sequence of str
        Names of the axes.
    compared : bool
        Whether they can be compared.

    Returns
    -------
    JoinRecord
    """
    problems = []
    for place, axis in enumerate(axes if compared else ()):
        parts = [branch[place] for branch in branches]
        strides, centers = sorted({p.stride for p in parts}), sorted({p.center for p in parts})
        if len(strides) > 1:
            problems.append(f"{axis}: strides {', '.join(map(str, strides))}")
        elif len(centers) > 1:
            problems.append(f"{axis}: centers {', '.join(str(float(c)) for c in centers)}")
    return JoinRecord(name, operation, tuple(branches), tuple(problems), compared)


def one(values: Iterable) -> object:
    """One number if all axes agree, otherwise the tuple."""
    values = tuple(values)
    return values[0] if values and len(set(values)) == 1 else values


def layer_dict(layer: LayerRecord, found: object = None) -> dict:
    """One layer as a flat dictionary.

    Parameters
    ----------
    layer : LayerRecord
    found : Surrogate, optional
        The bounds to add.

    Returns
    -------
    dict
    """
    axes = layer.geometry
    row = {"layer": layer.name, "kind": layer.kind, "window": one(layer.window),
           "stride": one(layer.stride), "padding": one(layer.padding),
           "dilation": one(layer.dilation), "groups": layer.groups,
           "channels_in": layer.channels_in, "channels": layer.channels,
           "output": tuple(n for d, n in enumerate(layer.shape) if d != layer.batch),
           "map": layer.map,
           "receptive_field": one(g.size for g in axes),
           "total_stride": one(_number(g.stride) for g in axes),
           "start": one(g.start for g in axes), "center": one(_number(g.center) for g in axes),
           "effective_padding": one(g.padding for g in axes),
           "overlap_degree": one(_number(g.overlap) for g in axes),
           "typical": one(g.typical for g in axes), "seen": one(g.seen for g in axes),
           "sees_everything": layer.everything, "adds_nothing": layer.idle}
    if found is not None:
        theorem = found.overlap_by_layer.get(layer.name)
        crossing = found.crossing_by_layer.get(layer.name)
        row |= {"alpha_minimal": theorem and theorem.bound.shift + 1,
                "overlap_theorem": theorem and str(theorem),
                "overlap_theorem_log10": theorem and round(theorem.bound.log10, 2),
                "crossing": crossing and str(crossing),
                "crossing_log10": crossing and round(crossing.bound.log10, 2)}
        private = found.private_by_layer.get(layer.name)
        row |= {"private": private and str(private),
                "private_log10": private and round(private.bound.log10, 2)}
    return row


def _number(value: Fraction | None) -> int | float | None:
    """An exact number as int where it is one, else as float."""
    if value is None or value.denominator != 1:
        return None if value is None else float(value)
    return int(value)


COLUMNS = (("layer", "layer"), ("kind", "kind"), ("R", "window"), ("S", "stride"),
           ("dil", "dilation"), ("D", "channels"), ("map", "map"), ("T_R", "receptive_field"),
           ("typical", "typical"), ("T_S", "total_stride"), ("center", "center"),
           ("crossing", "crossing"), ("overlap", "overlap_theorem"), ("pad", "padding"),
           ("start", "start"), ("T_R/T_S", "overlap_degree"), ("T_R(H/2)", "alpha_minimal"))
NEEDED = ("layer", "kind", "receptive_field", "total_stride")
OPTIONAL = ("start", "alpha_minimal", "overlap_degree", "padding", "center", "dilation",
            "overlap_theorem", "map", "channels", "stride", "window", "crossing", "typical")
"""Columns in the order in which they are left out where there is no room."""


def _text(key: str, row: dict) -> str:
    """One entry of a table for people."""
    value = row.get(key)
    if key == "receptive_field" and row["sees_everything"] and row["total_stride"] is None:
        return "all"
    if key == "stride" and value not in (None, ()):         # 0: adaptive, its steps differ
        value = tuple(n or None for n in value) if isinstance(value, tuple) else value or None
    if key == "map":
        return "-" if value is None else "x".join(map(str, value)) or "1"
    return _plain(value)


def _plain(value: object) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ",".join(map(_plain, value)) if isinstance(value, tuple) else str(value)


def _shortened(text: str, width: int) -> str:
    """The beginning and the end of a long name."""
    half = (width - 1) // 2
    return text if len(text) <= width else f"{text[:half]}~{text[half + 1 - width:]}"


def _columns(rows: list[dict]) -> list[tuple[str, str]]:
    """The columns in which there is something to read."""
    dull = {"typical": "receptive_field", "dilation": None}
    return [(head, key) for head, key in COLUMNS if not rows or key in rows[0] and not (
        key in dull and all(row[key] in (1, (), row.get(dull[key])) for row in rows))]


def formatted(audit: object, style: str = "text", width: int = 100) -> str:
    """The layers of an audit as a table.

    Parameters
    ----------
    audit : Audit
    style : {"text", "markdown", "csv", "html"}
    width : int
        Characters in a line of the text.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        For another style.
    """
    rows = audit.records()
    if style == "csv":
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(rows[0] if rows else [key for _, key in COLUMNS])
        writer.writerows([["x".join(map(str, v)) if isinstance(v, tuple) else v
                           for v in row.values()] for row in rows])
        return lines.getvalue().rstrip("\n")
    columns = _columns(rows)
    cells = [[head for head, _ in columns]] + [[_text(key, row) for _, key in columns]
                                               for row in rows]
    if style == "markdown":
        marks = ["---", "---"] + ["---:"] * (len(columns) - 2)
        lines = [[text.replace("|", "\\|") for text in line] for line in cells]
        return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], marks, *lines[1:]])
    if style == "html":
        head, *body = ["".join(f"<{tag}>{_marked_up(text)}</{tag}>" for text in line)
                       for tag, line in zip(["th"] + ["td"] * len(rows), cells, strict=True)]
        words = [LEGEND.replace("\n", " "), *_paragraphs(audit)]
        return (f"<table><caption>{html.escape(_title(audit))}</caption><thead><tr>{head}</tr>"
                "</thead><tbody>" + "".join(f"<tr>{line}</tr>" for line in body)
                + "</tbody></table>" + "".join(
                    f"<p>{_marked_up(part).replace(chr(10), '<br>')}</p>" for part in words))
    if style != "text":
        raise ValueError(f"style={style!r} of a table: valid are 'text', 'markdown', 'csv' and "
                         "'html'")
    widest = max(12, width - 60)
    cells = [[_shortened(line[0], widest), *line[1:]] for line in cells]
    widths = {key: max(len(line[i]) for line in cells) for i, (_, key) in enumerate(columns)}
    for key in OPTIONAL:
        if sum(widths.values()) + 2 * (len(widths) - 1) > width:
            widths.pop(key, None)
    shown = [i for i, (_, key) in enumerate(columns) if key in widths]
    lines = ["  ".join(line[i].ljust(widths[columns[i][1]]) if i < 2 else
                       line[i].rjust(widths[columns[i][1]]) for i in shown).rstrip()
             for line in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _marked_up(text: str) -> str:
    """Text for HTML, powers as powers and minus signs as minus signs."""
    text = re.sub(r"\b(\d+)\^(\d+)\b", r"\1<sup>\2</sup>", html.escape(text))
    return re.sub(r"(?<![\w-])-(?=\d)", "\u2212", text)


def _paragraphs(audit: object) -> list[str]:
    """The summary, lines in the first paragraph, running text in the others."""
    first, *others = "\n".join(summary(audit)).split("\n\n")
    return [first, *(part.replace("\n", " ") for part in others)]


def markdown(audit: object) -> str:
    """The table with its legend and the summary, as Markdown."""
    first, *others = _paragraphs(audit)
    lines = [line.strip() if line[0] != " " else f"  - {line.strip()}" for line in
             first.splitlines()]
    return "\n".join([formatted(audit, "markdown"), "", LEGEND, "",
                      *[line if line.startswith("  ") else f"- {line}" for line in lines],
                      *[f"\n{part}" for part in others]])


def _title(audit: object) -> str:
    return f"{audit.name} on an input of {' x '.join(map(str, audit.size))}"


def table(audit: object) -> str:
    """The audit as readable text.

    Parameters
    ----------
    audit : Audit

    Returns
    -------
    str
    """
    title = _title(audit)
    return "\n".join([title, "=" * len(title), formatted(audit), "", LEGEND, "",
                      *wrapped(summary(audit))])


def wrapped(lines: Iterable[str], width: int = 100) -> list[str]:
    """Lines of text broken where they are too long, what goes on set in by two characters."""
    return [part for line in lines for whole in line.split("\n")
            for part in textwrap.wrap(whole, width, subsequent_indent="  ",
                                      break_long_words=False, break_on_hyphens=False) or [""]]


def _geometry_lines(title: str, axes: Iterable[str], found: tuple[Geometry, ...]) -> list[str]:
    """One line if all axes agree, otherwise one for each."""
    lines = {}
    for axis, g in zip(axes, found, strict=True):
        size = f"{g.size}" if g.typical == g.size else f"up to {g.size}, typically {g.typical}"
        lines.setdefault(f"field {size}, stride {g.stride}, effective padding {g.padding}, first "
                         f"center {_plain(_number(g.center))}, overlap degree "
                         f"{_plain(_number(g.overlap))}", []).append(axis)
    return [f"{title}{'' if len(lines) == 1 else ', ' + ' and '.join(names)}: {text}."
            for text, names in lines.items()]


def summary(audit: object) -> list[str]:
    """What the table amounts to, line by line."""
    lines = [f"The {remark}." for remark in audit.remarks]
    lines += _geometry_lines("Last grid over the image", audit.axes, audit.last_map)
    if audit.looks_around:
        local = audit.local
        if local.last_map != audit.last_map:
            lines += _geometry_lines("The same without global gates, norms and attention",
                                     audit.axes, local.last_map)
    for name, axes in audit.outputs.items():
        lines.append(f"Output{'' if len(audit.outputs) == 1 else f' {name!r}'}: units see "
                     f"{_what_is_seen(axes)}.")
    if audit.global_from is not None:
        lines.append(f"From {audit.global_from} on, every unit sees the whole image.")
    if audit.idle:
        lines.append(f"Layers whose window adds nothing, since their input sees everything: "
                     f"{len(audit.idle)} ({', '.join(audit.idle[:4])}"
                     f"{', ...' if len(audit.idle) > 4 else ''}).")
    compared = [join for join in audit.joins if join.compared]
    wrong = [join for join in compared if not join.aligned]
    lines.append(f"Joins of branches: {len(compared)}, misaligned: {len(wrong)}.")
    lines += [f"  {join.name}: {'; '.join(join.problems)}" for join in wrong[:10]]
    if len(wrong) > 10:
        lines.append(f"  and {len(wrong) - 10} more")
    if len(audit.size) > 2:
        return [*lines, "The bounds are about inputs with one or two axes."]
    for partition in ("left-right", "top-bottom")[:len(audit.size)]:
        lines += _bounds_lines(audit, partition)
    notes = audit.bounds("left-right").notes
    return [*lines, *["In the surrogate: " + "; ".join(notes) + "."] * bool(notes), "",
            CARRIES_OVER]


def _what_is_seen(axes: tuple[Geometry, ...]) -> str:
    if all(g.everything for g in axes):
        return "the whole image"
    sizes = " x ".join(str(g.seen) for g in axes)
    return f"at most {sizes} pixels of the image"


def _bounds_lines(audit: object, partition: str) -> list[str]:
    """The best bounds of one partition, also for the input's own channels."""
    found, raw = audit.bounds(partition), raw_bounds(audit, partition)
    if found.reason:
        return [f"Bounds, {partition}: none; {found.reason}."]
    lines = []
    if found.overlap is None:
        lines.append(f"Bound, {partition}, overlap theorem: silent, no layer has T_R > H/2 and a "
                     "base above 1 along a chain that it admits, or the size is odd.")
    else:
        lines += _bound_line(f"Bound, {partition}", found.overlap)
    lines += _bound_line(f"Bound, {partition}", found.best)
    channels = audit.trace.sources[0].shape[1]
    if raw.best is not None:
        lines += _bound_line(f"Bound, {partition}, raw input (M = {channels})", raw.best)
    else:
        lines.append(f"Bound, {partition}, raw input (M = {channels}): none"
                     f"{'; one channel shows one template' * (channels == 1)}.")
    return lines


def _bound_line(title: str, found: object) -> list[str]:
    """One bound: its value and the theorem, then the layers that it is proved along."""
    bound = found.bound
    how = (f"fields of {bound.shift + 1} pixels" if found.theorem == "private pixels" else
           f"comparing pixels {bound.shift} apart")
    needs = "" if "M = " in title else f"; needs M >= {found.representation}"
    blocks = "" if set(found.block) == {1} else (
        f"; its cells are blocks of {' x '.join(map(str, found.block))} pixels")
    return [f"{title}, {found.theorem}: rank at least {found} (log10 {bound.log10:.1f}), from "
            f"{found.name}, {how}{needs}{blocks};", f"  along {found.path}."]


def raw_bounds(audit: object, partition: str) -> object:
    """The bounds for as many templates as the input has channels: no representation layer."""
    return audit.bounds(partition, representation=audit.trace.sources[0].shape[1])


def to_dict(audit: object) -> dict:
    """Everything in an audit, in lists, dictionaries, numbers and text.

    Parameters
    ----------
    audit : Audit

    Returns
    -------
    dict
    """
    def axis(g: Geometry) -> dict:
        return {"receptive_field": g.size, "typical": g.typical, "total_stride": _number(g.stride),
                "start": g.start, "center": _number(g.center), "seen": g.seen,
                "sees_everything": g.everything}

    def bound(found: object) -> dict | None:
        return found and {"bound": str(found), "log10": round(found.bound.log10, 2),
                          "theorem": found.theorem, "representation": found.representation,
                          "layer": found.name, "shift": found.bound.shift,
                          "chain": [step.name for step in found.chain]}

    names = ("left-right", "top-bottom")[:len(audit.size)] if len(audit.size) < 3 else ()
    return _listed({
        "name": audit.name, "size": audit.size, "axes": audit.axes, "remarks": audit.remarks,
        "ignore": sorted(audit.ignore), "layers": audit.records(),
        "last_map": [axis(g) for g in audit.last_map],
        "outputs": {name: [axis(g) for g in axes] for name, axes in audit.outputs.items()},
        "global_from": audit.global_from,
        "joins": [{"name": join.name, "operation": join.operation, "aligned": join.aligned,
                   "compared": join.compared, "problems": join.problems} for join in audit.joins],
        "bounds": {name: {"overlap_theorem": bound(audit.bounds(name).overlap),
                          "crossing": bound(audit.bounds(name).crossing),
                          "private": bound(audit.bounds(name).private),
                          "raw_input": bound(raw_bounds(audit, name).best),
                          "notes": audit.bounds(name).notes,
                          "reason": audit.bounds(name).reason} for name in names},
    })


def _listed(value: object) -> object:
    """A copy with lists for tuples: equal to what JSON gives back, and the caller's to change."""
    if isinstance(value, dict):
        return {key: _listed(inner) for key, inner in value.items()}
    return [_listed(inner) for inner in value] if isinstance(value, (list, tuple)) else value
