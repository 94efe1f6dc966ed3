"""An audit as text and as dictionaries."""

from __future__ import annotations

CARRIES_OVER = """\
What carries over. Fields, strides, centers and joins above are those of the network itself. The
bounds are theorems about its ConvAC surrogate: the same windows, strides and channels along one
path, with products in place of activations and pooling, and biases in every layer. For almost
all its parameters, the matrix that the cut of the image makes of its grid tensor has at least
this rank. A network without overlaps whose fields respect the cut has at most the channels of
its last pooled layer plus one, so it would need that many channels. For rectifiers no such
theorem is known: there the bound says what this shape of network can do with products, nothing
about one set of trained weights."""


def one(values):
    """One number if all axes agree, otherwise the tuple."""
    values = tuple(values)
    return values[0] if values and len(set(values)) == 1 else values


def layer_dict(layer, found=None):
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
           "output": layer.shape[1:], "receptive_field": one(g.size for g in axes),
           "total_stride": one(_number(g.stride) for g in axes),
           "start": one(g.start for g in axes), "center": one(_number(g.center) for g in axes),
           "effective_padding": one(g.padding for g in axes),
           "overlap_degree": one(_number(g.overlap) for g in axes),
           "seen": one(g.seen for g in axes), "sees_everything": layer.everything}
    if found is not None:
        theorem = found.overlap_by_layer.get(layer.name)
        crossing = found.crossing_by_layer.get(layer.name)
        row |= {"alpha_minimal": theorem and theorem.bound.shift + 1,
                "theorem_1": theorem and str(theorem),
                "theorem_1_log10": theorem and round(theorem.bound.log10, 2),
                "crossing": crossing and str(crossing),
                "crossing_log10": crossing and round(crossing.bound.log10, 2)}
    return row


def _number(value):
    """An exact number as int where it is one, else as float."""
    if value is None or value.denominator != 1:
        return None if value is None else float(value)
    return int(value)


COLUMNS = (("layer", "layer"), ("kind", "kind"), ("R", "window"), ("S", "stride"),
           ("pad", "padding"), ("dil", "dilation"), ("D", "channels"), ("map", "output"),
           ("T_R", "receptive_field"), ("T_S", "total_stride"), ("start", "start"),
           ("center", "center"), ("T_R/T_S", "overlap_degree"), ("T_R(H/2)", "alpha_minimal"),
           ("Theorem 1", "theorem_1"), ("crossing", "crossing"))


def _cell(row, key):
    value = row.get(key)
    if key == "receptive_field" and row["sees_everything"] and row["total_stride"] is None:
        return "all"
    if key == "output":
        return "x".join(map(str, value[1:])) or "1"
    if value is None or value == ():
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return ",".join(_cell({"v": v}, "v") for v in value)
    return str(value)


def table(audit):
    """The audit as readable text.

    Parameters
    ----------
    audit : Audit

    Returns
    -------
    str
    """
    rows = audit.records()
    columns = [(head, key) for head, key in COLUMNS if not rows or key in rows[0]]
    cells = [[head for head, _ in columns]] + [[_cell(row, key) for _, key in columns]
                                               for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = ["  ".join(text.ljust(w) if i < 2 else text.rjust(w)
                       for i, (text, w) in enumerate(zip(line, widths, strict=True))).rstrip()
             for line in cells]
    lines.insert(1, "-" * len(lines[0]))
    title = f"{audit.name} on an input of {' x '.join(map(str, audit.size))}"
    return "\n".join([title, "=" * len(title), *lines, "", *summary(audit)])


def summary(audit):
    """What the table amounts to, line by line."""
    lines = []
    for axis, found in zip(audit.axes, audit.last_map, strict=True):
        lines.append(f"Last grid over the image, {axis}: field {found.size}, stride "
                     f"{found.stride}, effective padding {found.padding}, first center "
                     f"{_number(found.center)}, overlap degree {_number(found.overlap)}.")
    whole = all(g.everything for g in audit.output)
    lines.append(f"Output: units see {'the whole image' if whole else 'a part of the image'}.")
    wrong = [join for join in audit.joins if not join.aligned]
    lines.append(f"Joins of branches: {len(audit.joins)}, misaligned: {len(wrong)}.")
    lines += [f"  {join.name}: {'; '.join(join.problems)}" for join in wrong[:10]]
    if len(wrong) > 10:
        lines.append(f"  and {len(wrong) - 10} more")
    if len(audit.size) > 2:
        return [*lines, "The bounds are about inputs with one or two axes."]
    for partition in ("left-right", "top-bottom")[:len(audit.size)]:
        lines += _bounds_lines(audit.bounds(partition))
    notes = audit.bounds("left-right").notes
    return [*lines, *["In the surrogate: " + "; ".join(notes) + "."] * bool(notes), "",
            CARRIES_OVER]


def _bounds_lines(found):
    """The best bounds of one partition."""
    if found.reason:
        return [f"Bounds, {found.partition}: none; {found.reason}."]
    lines = []
    for title, best in (("Theorem 1", found.overlap), ("crossing bound", found.crossing)):
        if best is None:
            lines.append(f"Bound, {found.partition}, {title}: silent, no layer has T_R > H/2 "
                         "along a chain that it admits, or the size is odd.")
        else:
            lines.append(f"Bound, {found.partition}, {title}: rank at least {best} (log10 "
                         f"{best.bound.log10:.1f}), from {best.name}, comparing pixels "
                         f"{best.bound.shift} apart; needs M >= {best.bound.base}.")
    return lines
