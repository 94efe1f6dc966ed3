"""Every form in which an audit is printed, to the letter, for one network that has everything.

It has oblong windows, a gate, a join that padding misaligns, layers that add nothing, two outputs
(one with a name that Markdown must not read), and bounds of all kinds.
"""

import copy
import csv
import json
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import audit
from lib.audit.report import CARRIES_OVER, LEGEND, markdown, one, wrapped


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, (3, 5), (2, 1), (1, 2))
        self.left, self.right = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 3, 1, (0, 1))
        self.gate, self.pool, self.up = nn.Conv2d(8, 8, 1), nn.MaxPool2d(2), nn.Upsample(4)
        self.last = nn.Conv2d(8, 2, 3, padding=1)

    def forward(self, x):
        x = self.stem(x)
        x = self.left(x) + F.pad(self.right(x), (0, 0, 0, 2))
        x = self.pool(x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True))))
        y = self.last(self.up(x.amax((2, 3), keepdim=True)))
        return {"a|b": x, "y": y.mean((2, 3))}


FOUND = audit(Net(), (16, 12), 3)
TABLE = """\
layer    kind           R    S  D   map  T_R  T_S  center  crossing  overlap  pad  T_R/T_S  T_R(H/2)
----------------------------------------------------------------------------------------------------
stem     conv         3,5  2,1  8  8x12  3,5  2,1       0      9^32        -  1,2    1.5,5         -
left     conv           3    1  8  8x12    7  2,1       0         -        -    1    3.5,7         -
right    conv           3    1  8  6x12    7  2,1     2,0      9^48     4^48  0,1    3.5,7         7
mean     global pool    -    -  8   1x1  all    -       -         -        -    -        -         -
gate     conv           1    1  8   1x1  all    -       -         -        -    0        -         -
pool     pool           2    2  8   4x6  all    -       -      9^12     4^12    0        -         7
amax     global pool    -    -  8   1x1  all    -       -         -        -    -        -         -
up       resize         1    -  8   4x4  all    -       -         -        -    -        -         -
last     conv           3    1  2   4x4  all    -       -         -        -    1        -         -
mean #2  global pool    -    -  2     1  all    -       -         -        -    -        -         -
"""
SUMMARY = """\
Last grid over the image, height: field 9, stride 2, effective padding 3, first center 1, overlap
  degree 4.5.
Last grid over the image, width: field 7, stride 1, effective padding 3, first center 0, overlap
  degree 7.
The same without global gates, norms and attention, height: field 11, stride 4, effective padding 3,
  first center 2, overlap degree 2.75.
The same without global gates, norms and attention, width: field 8, stride 2, effective padding 3,
  first center 0.5, overlap degree 4.
Output 'a|b': units see the whole image.
Output 'y': units see the whole image.
From mean on, every unit sees the whole image.
Layers whose window adds nothing, since their input sees everything: 4 (pool, amax, last, mean #2).
Joins of branches: 1, misaligned: 1.
  add: height: centers 0.0, 2.0
Bound, left-right, overlap theorem: rank at least 4^48 (log10 28.9), from right, comparing pixels 6
  apart; needs M >= 4;
  along stem - right - pool - (added output).
Bound, left-right, crossing bound: rank at least 9^48 (log10 45.8), from right, comparing pixels 6
  apart; needs M >= 9;
  along stem - right - pool - (added output).
Bound, left-right, raw input (M = 3), private pixels: rank at least 9^48 (log10 45.8), from right,
  fields of 7 pixels;
  along stem - right - pool - (added output).
Bound, top-bottom, overlap theorem: rank at least 4^12 (log10 7.2), from pool, comparing pixels 8
  apart; needs M >= 4;
  along stem - right - pool - (added output).
Bound, top-bottom, crossing bound: rank at least 9^36 (log10 34.4), from right, comparing pixels 6
  apart; needs M >= 9;
  along stem - right - pool - (added output).
Bound, top-bottom, raw input (M = 3), private pixels: rank at least 9^24 3^12 (log10 28.6), from
  right, fields of 7 pixels;
  along stem - right - pool - (added output).
In the surrogate: a pooling layer is a generalized convolution with weights of its own, which mixes
  channels, as in the paper (pools='channelwise' keeps them apart); padding is at the far end of
  every axis and keeps ceil(size / stride) cells; a layer over the whole output map is added, so
  that the output is one number.
"""


def test_the_report():
    title = "Net on an input of 16 x 12"
    assert str(FOUND) == f"{title}\n{26 * '='}\n{TABLE}\n{LEGEND}\n\n{SUMMARY}\n{CARRIES_OVER}"


@pytest.mark.parametrize("width, left_out", [
    (100, "start"), (99, "start T_R(H/2)"), (90, "start T_R(H/2)"), (89, "start T_R(H/2) T_R/T_S"),
    (80, "start T_R(H/2) T_R/T_S pad"), (75, "start T_R(H/2) T_R/T_S pad center"),
    (67, "start T_R(H/2) T_R/T_S pad center overlap"),
    (20, "start T_R(H/2) T_R/T_S pad center overlap map D S R crossing")])
def test_what_is_left_out_of_a_narrow_table(width, left_out):
    """The widths of a line are 100, 90, 81, 76, 68 and 59 characters, column after column."""
    table = FOUND.table(width=width)
    every = "layer kind R S D map T_R T_S center crossing overlap pad start T_R/T_S T_R(H/2)"
    assert table.splitlines()[0].split() == [
        head for head in every.split() if head not in left_out.split()]


def test_long_names_are_shortened_in_their_middle():
    """Of a line of 80 characters 20 are for the name, never less than 12."""
    named = nn.Sequential()
    named.add_module("a_name_of_twenty_one_", nn.Conv2d(3, 2, 1))
    named.add_module("a_name_of_twenty____", nn.Conv2d(2, 2, 1))
    lines = audit(named, 8).table(width=80).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["a_name_of~wenty_one_",
                                                       "a_name_of_twenty____"]
    short = audit(named, 8).table(width=60).splitlines()
    assert [len(line.split()[0]) for line in short[2:]] == [12, 12]


def unwrapped(text):
    """Lines of the summary as one before they are broken."""
    lines = []
    for line in text.splitlines():
        goes_on = line.startswith("  ") and not line.startswith(("  along", "  add:"))
        lines = [*lines[:-1], f"{lines[-1]} {line.strip()}"] if goes_on else [*lines, line]
    return lines


def test_markdown():
    lines = markdown(FOUND).splitlines()
    assert lines[:3] == [
        "| layer | kind | R | S | D | map | T_R | T_S | center | crossing | overlap | pad | start "
        "| T_R/T_S | T_R(H/2) |", f"| --- | --- {13 * '| ---: '}|",
        "| stem | conv | 3,5 | 2,1 | 8 | 8x12 | 3,5 | 2,1 | 0 | 9^32 | - | 1,2 | -1,-2 | 1.5,5 "
        "| - |"]
    legend = ["", *LEGEND.splitlines(), ""]
    assert lines[12:12 + len(legend)] == legend and len(TABLE.splitlines()) == 12
    said = [f"  - {line.strip()}" if line[0] == " " else f"- {line}" for line in unwrapped(SUMMARY)]
    assert lines[12 + len(legend):] == [*said, "", CARRIES_OVER.replace("\n", " ")]
    piped = nn.Sequential()
    piped.add_module("a|b", nn.Conv2d(3, 2, 1))
    assert audit(piped, 8).table("markdown").splitlines()[2].startswith(r"| a\|b | conv |")


def test_the_legend_explains_every_column():
    """Those of wide tables were not explained, nor which halves the bounds are about."""
    text = LEGEND.replace("\n", " ")
    for head in TABLE.splitlines()[0].split()[2:] + ["typical", "dil", "start"]:
        assert head in text.replace(",", " ").replace(";", " ").split() or head == "T_R/T_S"
    assert "between left and right" in text


def test_a_pooling_whose_windows_differ_has_no_stride_in_the_table():
    """Three cells of eight: 0 stood there."""
    found = audit(nn.AdaptiveAvgPool2d((3, 4)), 8)
    assert found.table().splitlines()[2].split()[:4] == ["AdaptiveAvgPool2d", "pool", "4,2", "-,2"]


def test_html():
    text = FOUND.table("html")
    assert text == FOUND._repr_html_()
    assert text.startswith("<table><caption>Net on an input of 16 x 12</caption><thead><tr>"
                           "<th>layer</th><th>kind</th><th>R</th>")
    assert ("<tr><td>right</td><td>conv</td><td>3</td><td>1</td><td>8</td><td>6x12</td><td>7</td>"
            "<td>2,1</td><td>2,0</td><td>9<sup>48</sup></td><td>4<sup>48</sup></td><td>0,1</td>"
            "<td>\u22121,\u22123</td><td>3.5,7</td><td>7</td></tr>") in text
    assert text.count("<tr>") == text.count("</tr>") == 11
    assert f"</tbody></table><p>{LEGEND.replace(chr(10), ' ')}</p><p>Last grid" in text
    assert ("Output &#x27;y&#x27;: units see the whole image.<br>From mean on, every unit sees the "
            "whole image.<br>") in text
    assert text.endswith(f"<p>{CARRIES_OVER.replace(chr(10), ' ')}</p>") and text.count("<p>") == 3
    assert "9<sup>24</sup> 3<sup>12</sup> (log10 28.6), from right, fields of 7 pixels;<br>" in text


ROW = {"layer": "right", "kind": "conv", "window": 3, "stride": 1, "padding": (0, 1), "dilation": 1,
       "groups": 1, "channels_in": 8, "channels": 8, "output": (8, 6, 12), "map": (6, 12),
       "receptive_field": 7, "total_stride": (2, 1), "start": (-1, -3), "center": (2, 0),
       "effective_padding": (1, 3), "overlap_degree": (3.5, 7), "typical": 7, "seen": 7,
       "sees_everything": False, "adds_nothing": False, "alpha_minimal": 7,
       "overlap_theorem": "4^48",
       "overlap_theorem_log10": 28.9, "crossing": "9^48", "crossing_log10": 45.8,
       "private": "9^48", "private_log10": 45.8}


def test_records_and_csv():
    rows = FOUND.records()
    assert rows[2] == ROW and len(rows) == 10
    assert [row["crossing"] for row in FOUND.records("top-bottom")] == [
        "9^12", None, "9^36", None, None, "9^12", None, None, None, None]
    assert [row["adds_nothing"] for row in rows] == [i in (5, 6, 8, 9) for i in range(10)]
    lines = FOUND.table("csv").split("\n")
    assert lines[0] == ",".join(ROW) and len(lines) == 11
    assert lines[3] == ("right,conv,3,1,0x1,1,1,8,8,8x6x12,6x12,7,2x1,-1x-3,2x0,1x3,3.5x7,7,7,"
                        "False,False,7,4^48,28.9,9^48,45.8,9^48,45.8")
    assert [row["layer"] for row in csv.DictReader(lines)] == [row["layer"] for row in rows]
    assert audit(nn.ReLU(), 8).table("csv") == ",".join([
        "layer,kind,window,stride,dilation,channels,map,receptive_field,typical,total_stride",
        "center,crossing,overlap_theorem,padding,start,overlap_degree,alpha_minimal"])


def test_bounds_of_two_audits_compare_and_are_saved():
    again, longer = audit(Net(), (16, 12), 3).bounds(), FOUND.bounds(representation=2)
    assert again == FOUND.bounds() != longer
    assert hash(again.best) == hash(FOUND.bounds().best) and again.best != "9^48"
    same = FOUND.bounds().best.bound, FOUND.bounds().best.name
    assert (again.crossing.bound, again.crossing.name) == same and again.crossing != again.private
    stored = pickle.loads(pickle.dumps(FOUND.bounds()))
    assert stored == again and stored.best.path == again.best.path
    with pytest.raises(TypeError, match="cannot be saved or sent; save to_dict.., records"):
        pickle.dumps(FOUND)
    for twin in (copy.copy(FOUND), copy.deepcopy(FOUND)):
        assert twin is not FOUND and twin.to_dict() == FOUND.to_dict()
    assert copy.deepcopy(FOUND).layers is not FOUND.layers is copy.copy(FOUND).layers


def test_json():
    everything = FOUND.to_dict()
    assert everything["layers"] == json.loads(json.dumps(FOUND.records()))
    assert everything == json.loads(json.dumps(everything))
    changed = FOUND.to_dict()
    changed["bounds"]["left-right"]["notes"].clear()
    changed["remarks"].append("a remark of the caller's")
    assert FOUND.to_dict() == everything
    height = {"receptive_field": 9, "typical": 9, "total_stride": 2, "start": -3, "center": 1,
              "seen": 9, "sees_everything": False}
    whole = {"receptive_field": 12, "typical": 12, "total_stride": None, "start": 0, "center": None,
             "seen": 12, "sees_everything": True}
    chain = ["stem", "right", "pool", "(added output)"]
    bound = {"bound": "9^48", "log10": 45.8, "theorem": "crossing bound", "representation": 9,
             "layer": "right", "shift": 6, "chain": chain}
    notes = FOUND.bounds().notes
    assert len(notes) == 3
    expected = {
        "name": "Net", "size": [16, 12], "axes": ["height", "width"], "remarks": [], "ignore": [],
        "global_from": "mean",
        "joins": [{"name": "add", "operation": "add", "aligned": False, "compared": True,
                   "problems": ["height: centers 0.0, 2.0"]},
                  {"name": "mul", "operation": "mul", "aligned": True, "compared": False,
                   "problems": []}]}
    assert {key: everything[key] for key in expected} == expected
    assert everything["last_map"][0] == height and everything["outputs"]["y"][1] == whole
    assert list(everything["outputs"]) == ["a|b", "y"]
    assert everything["bounds"]["left-right"] == {
        "overlap_theorem": bound | {"bound": "4^48", "log10": 28.9, "theorem": "overlap theorem",
                                    "representation": 4},
        "crossing": bound, "private": bound | {"theorem": "private pixels"},
        "raw_input": bound | {"theorem": "private pixels", "representation": 3},
        "notes": notes, "reason": ""}
    assert list(everything["bounds"]) == ["left-right", "top-bottom"]
    assert list(audit(nn.Conv1d(1, 1, 1), (8,)).to_dict()["bounds"]) == ["left-right"]
    assert audit(nn.Conv3d(1, 1, 1), (4, 4, 4)).to_dict()["bounds"] == {}
    sorted_names = audit(nn.ReLU(), 4, ignore=("norms", "gates")).to_dict()
    assert sorted_names["ignore"] == ["gates", "norms"]
    assert sorted_names["remarks"] == ["input channels: 3, guessed"]


def test_lines_for_one_output_many_idle_layers_and_three_axes():
    net = nn.Sequential(nn.Conv2d(1, 4, 7, padding=3), nn.AdaptiveAvgPool2d(1), nn.Upsample(4),
                        *[nn.Conv2d(4, 4, 3, padding=1) for _ in range(4)])
    lines = audit(net, 4).summary.splitlines()
    assert lines[:1] == ["The input channels: 1, guessed from module '0'."]
    assert "Output: units see the whole image." in lines
    assert ("Layers whose window adds nothing, since their input sees everything: 5 (1, 3, 4, 5, "
            "...).") in lines
    volume = audit(nn.Conv3d(1, 1, (1, 3, 5)), (4, 6, 8), 1).summary.splitlines()
    assert volume[-3:] == ["Output: units see at most 1 x 3 x 5 pixels of the image.",
                           "Joins of branches: 0, misaligned: 0.",
                           "The bounds are about inputs with one or two axes."]
    gray = audit(nn.Conv2d(1, 4, 3, padding=1), 6, 1).summary.splitlines()
    assert ("Bound, left-right, raw input (M = 1): none; one channel shows one template."
            in gray)
    silent = ("Bound, left-right, overlap theorem: silent, no layer has T_R > H/2 and a base "
              "above 1 along a chain that it admits, or the size is odd.")
    assert silent in gray
    layers = nn.Conv2d(3, 2, 3, padding=1), nn.Conv2d(2, 8, 5, padding=2)
    narrow = audit(nn.Sequential(*layers), 8, 3)
    assert narrow.layers[1].geometry[0].size == 7 and silent in narrow.summary.splitlines()
    color = audit(nn.Conv2d(3, 4, 1), 6, 3).bounds()
    assert color.best is None


def test_a_bound_for_blocks_of_pixels():
    net = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 8, 3, padding=1))
    lines = audit(net, (8, 12), 3).summary.splitlines()
    assert [line for line in lines if line.startswith("Bound, left-right, crossing")] == [
        "Bound, left-right, crossing bound: rank at least 9^8 (log10 7.6), from 1, comparing "
        "pixels 4 apart; needs M >= 3; its cells are blocks of 2 x 2 pixels;"]


def test_lines_are_broken_between_words_only():
    long = 60 * "a" + "-" + 60 * "b"
    assert wrapped([long, "", "one two"], 20) == [long, "", "one two"]
    assert wrapped(["one two three four five"], 12) == ["one two", "  three four", "  five"]
    assert wrapped(["one\ntwo"]) == ["one", "two"]
    assert one([]) == () and one([2, 2]) == 2 and one([2, 3]) == (2, 3)


class Later(nn.Module):
    """A table of words that is not the first thing in the network."""

    def __init__(self):
        super().__init__()
        self.norm, self.table = nn.LayerNorm(4), nn.Embedding(9, 4)

    def forward(self, x):
        return self.norm(self.table(x))


class Labelled(nn.Module):
    """What is called with images and labels as one argument."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, batch):
        images, labels = batch
        return self.conv(images), labels


@pytest.mark.parametrize(("net", "size", "hint"), [
    (Later(), 8, "inputs= takes tensors of integers"),
    (nn.BatchNorm1d(3), 8, "size= gives 2 axes: give it one number for each axis of the data"),
    (nn.Conv2d(3, 4, 3), (8, 8, 8), "size= gives 3 axes: give it one number for each axis of the "
                                    "data"),
    (Labelled(), 8, "inputs= gives it what it is called with, if that is not one image")])
def test_what_may_help_where_a_network_is_given_another_kind_of_data(net, size, hint):
    with pytest.raises(ValueError, match="fails on an input of shape") as caught:
        audit(net, size)
    assert str(caught.value).endswith(f" ({hint})")
