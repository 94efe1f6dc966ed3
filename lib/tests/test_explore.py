"""The pictures that readers move: their numbers are those of the library."""

import json
import math
import random
import re
import shutil
import subprocess

import numpy
import pytest

from lib import Architecture, ModeTree
from lib.bounds.matching import matching_number
from lib.bounds.private import private_pixel_bound
from lib.course import ROOT
from lib.course.figures import DARK_PAGE, contrast
from lib.experiments import records
from lib.plots import curves

FOLDER = ROOT / "book" / "assets" / "explore"
PROGRAM = """
const fs = require("fs");
(0, eval)(fs.readFileSync(process.argv[1], "utf8"));
const theory = globalThis.overlapTheory;
const found = JSON.parse(fs.readFileSync(0, "utf8")).map(({net, cut}) => {
  const upper = theory.upperBound(net, cut);
  const two = net.layers.length === 2 ? theory.twoLayers(net, cut) : null;
  return {
    cells: theory.totals(net).cells, fields: theory.totals(net).fields,
    strides: theory.totals(net).strides,
    reachable: net.layers.map((_, i) => theory.reachable(net, i + 1)),
    holes: net.layers.map((_, i) => theory.hasHoles(net, i + 1)),
    crossing: String(theory.value(theory.crossingBound(net, cut).powers)),
    private: String(theory.value(theory.privateBound(net, cut).powers)),
    log10: theory.log10(theory.privateBound(net, cut).powers),
    upper: upper, two: two && {value: String(theory.value(two.powers)), exact: two.exact},
  };
});
console.log(JSON.stringify(found));
"""


def random_networks(count, seed=0):
    """Square networks, most of which end in a single cell, with a cut."""
    rng = random.Random(seed)
    for _ in range(count):
        size = rng.randrange(2, 13)
        layers, cells = [], size
        for _ in range(rng.randrange(0, 4)):
            stride = rng.choice([1, 1, 2, 2, 3])
            layers.append((rng.randrange(1, 6), stride, rng.randrange(1, 10)))
            cells = -(-cells // stride)
        last = (cells, cells, 1) if rng.random() < 0.9 else (rng.randrange(1, 4), 2, 1)
        yield Architecture(size, rng.randrange(1, 9), [*layers, last]), rng.randrange(1, size)


@pytest.mark.parametrize("total", [sum, math.fsum], ids=["before 3.12", "since 3.12"])
def test_the_curves_are_those_of_the_stored_runs(monkeypatch, total):
    """Under every version of Python: `sum` of floats rounds in two ways."""
    monkeypatch.setattr(curves, "sum", total, raising=False)
    assert curves.FILE.read_text(encoding="utf-8") == curves.source()


def test_an_accuracy_beside_the_curves_is_rounded_once(opened):
    """Promille shown with two digits: a mean of 0.1148 was 0.12."""
    runs = {}
    for file in ("laptop.jsonl", "b1-wide.jsonl", "factorial.jsonl"):
        for record in records.read(records.STORED / file)[1]:
            if record["augmentation"] == "color" and record["status"] == "finished":
                key = record["block"].replace("conv2", "2 × 2, stride 2"), str(record["channels"])
                runs.setdefault(key, []).append(record["curve"]["accuracy"])
    lists = re.findall("<ul.*?</ul>", opened("curves", [f"0.{epoch + 1}" for epoch in range(30)]))
    for epoch, text in enumerate(lists):
        for name, row in re.findall("<li>(.*?): (.*?)</li>", text):
            for said, channels in re.findall(r"(\S+) with (\d+)", row):
                values = [curve[epoch] for curve in runs[name.replace("B = ", "B"), channels]]
                assert abs(float(said) - sum(values) / len(values)) < 0.00051, (name, epoch)
    assert [text.count(" with ") for text in lists] == [12] * 30


def test_a_curve_s_label_stands_at_its_end(opened):
    """That of B = 1, far to the right, made room for five that end at 64 channels."""
    states = [f"{kind}.{epoch}" for kind in (0, 1) for epoch in range(1, 31)]
    for chart in opened("curves", states).split("<svg")[1:]:
        ends = {block: points.split()[-1].split(",") for points, block in re.findall(
            r'<polyline points="([^"]*)" class="explore-curve explore-(\w+)"', chart)}
        places = {}
        for x, y, block in re.findall(r'x="([\d.]+)" y="([\d.]+)" class="explore-note explore-label'
                                      r' explore-(\w+)"', chart):
            assert abs(float(x) - 8 - float(ends[block][0])) < 1e-6
            places.setdefault(x, []).append((float(y), float(ends[block][1]) + 4))
        assert sorted(map(len, places.values())) == [1, 5]
        for labels in places.values():
            heights = sorted(y for y, _ in labels)
            assert heights[-1] <= 260 and all(b - a > 13.9 for a, b in zip(heights, heights[1:]))
            assert len(labels) > 1 or abs(labels[0][0] - labels[0][1]) < 4


@pytest.mark.parametrize("theme, page", [("", "#ffffff"), ('html[data-theme="dark"] ', DARK_PAGE)])
def test_labels_of_curves_can_be_read(theme, page):
    """`make check-pages` does not look at the letters of a drawing."""
    looks = (FOLDER / "explore.css").read_text(encoding="utf-8")
    lines = re.findall(rf"(?:^|}} ){re.escape(theme)}\.explore-\w+ {{ --line: #(\w+);", looks, re.M)
    full = [line if len(line) == 6 else "".join(2 * digit for digit in line) for line in lines]
    assert len(full) == 6 and min(contrast(f"#{line}", page) for line in full) >= 4.5


def as_json(net, cut):
    layers = [{"window": r, "stride": s, "channels": d} for (r, _), (s, _), d
              in zip(net.windows, net.strides, net.widths[1:], strict=True)]
    return {"net": {"size": net.size[0], "channels": net.channels, "layers": layers}, "cut": cut}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_browser_computes_what_the_library_computes():
    cases = list(random_networks(600))
    done = subprocess.run(["node", "-e", PROGRAM, str(FOLDER / "theory.js")], text=True, check=True,
                          input=json.dumps([as_json(*case) for case in cases]), capture_output=True)
    exact = 0
    for (net, cut), shown in zip(cases, json.loads(done.stdout), strict=True):
        layers = range(net.depth + 1)
        assert shown["cells"] == [size for size, _ in net.output_sizes]
        assert shown["fields"] == [net.total_receptive_field(layer) for layer in layers]
        assert shown["strides"] == [net.total_stride(layer) for layer in layers]
        assert shown["reachable"] == [list(net.reachable_shifts(layer)) for layer in layers[1:]]
        for layer, holes in enumerate(shown["holes"], 1):  # a field is said to be seen, or spanned
            seen = set(net.reachable_shifts(layer))
            extent = min(net.size[0], net.total_receptive_field(layer))
            assert holes == bool(set(range(extent)) - seen), (net, layer)
        assert int(shown["crossing"]) == net.crossing_bound(cut=cut), (net, cut)
        private = private_pixel_bound(net, cut=cut)
        assert int(shown["private"]) == private and abs(shown["log10"] - private.log10) < 1e-9
        upper = net.non_overlapping_upper_bound(cut=cut)
        assert shown["upper"] == (upper and int(upper)), (net, cut)
        if net.depth == 2 and net.strides[1] == net.windows[1] and set(net.output_sizes[2]) == {1}:
            rank = net.exact_two_layer_rank(cut=cut)
            assert shown["two"]["exact"] == (rank is not None), (net, cut)
            lower = rank if rank is not None else max(net.crossing_bound(cut=cut), private)
            assert int(shown["two"]["value"]) == lower, (net, cut)
            exact += rank is not None
    assert exact > 40


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_channels_of_a_rank_are_one_less_and_more_than_the_power_shown():
    """Also for 9 channels, whose ranks are powers of ten."""
    cases = [(base, exponent) for base in range(2, 65) for exponent in range(1, 33)]
    program = """
        (0, eval)(require("fs").readFileSync(process.argv[1], "utf8"));
        console.log(JSON.stringify(JSON.parse(process.argv[2]).map(
          one => globalThis.overlapTheory.channelsWithout([one]))));"""
    done = subprocess.run(["node", "-e", program, str(FOLDER / "theory.js"), json.dumps(cases)],
                          text=True, check=True, capture_output=True)
    for (base, exponent), shown in zip(cases, json.loads(done.stdout), strict=True):
        needed = base**exponent - 1
        if needed < 10**6:
            assert shown == {"count": f"{needed:,}"}
        else:
            assert 10**shown["digits"] < needed < 10**(shown["digits"] + 1), (base, exponent)


def test_what_windows_side_by_side_cannot_do_is_said_of_those_beside_the_middle():
    """Three of 3 pixels do not overlap, and the one across the middle lifts the rank."""
    assert Architecture(8, 64, ((3, 3, 3), (3, 3, 1))).exact_two_layer_rank() == 4**3
    program = (FOLDER / "overlap.js").read_text(encoding="utf-8").split("function draw()")[1]
    compared = re.findall(r'"([^"]*(?:[Ss]ide by side|[Oo]verlap)[^"]*)"', program)
    assert len(compared) == 3 and all("none across" in text for text in compared), compared


RESULT = r'<p class="explore-result">(.*?)</p>'


@pytest.mark.parametrize("name", ["overlap", "network", "partition", "table", "curves", "tree"])
def test_the_address_changes_when_something_is_moved_and_not_before(name, opened):
    """A link to a section of the page keeps leading there."""
    shown = opened(name, script="""
        history.replaceState(null, "", "#section");
        addEventListener("DOMContentLoaded", () => {
          const before = location.hash, moved = document.querySelector("input, button");
          moved.dispatchEvent(new Event("input", {bubbles: true}));
          moved.click();
          document.title = before + " then " + location.hash.split("=")[0];
        });""")
    assert f"<title>#section then #{name}</title>" in shown, shown[:300]


def test_the_address_follows_a_long_move_without_more_changes_than_safari_allows(opened):
    """100 in 10 seconds; what would be one more throws there."""
    shown = opened("overlap", script="""
        const change = history.replaceState.bind(history);
        let changes = 0, stopped = 0;
        history.replaceState = (...state) => {
          if (++changes > 100) throw new DOMException("more than 100 times", "SecurityError");
          change(...state);
        };
        addEventListener("DOMContentLoaded", () => {
          const picture = document.querySelector(".explore-grid");
          for (let i = 0; i < 203; i++) {
            const event = new KeyboardEvent("keydown", {key: i < 200 ? "ArrowLeft" : "ArrowDown",
                                                        cancelable: true});
            picture.dispatchEvent(event);
            stopped += event.defaultPrevented;
          }
          over = new Promise(over => setTimeout(() => {
            document.title = `${stopped}: ${location.hash}`;
            over();
          }, 1000));
        });""")
    assert "<title>203: #overlap=3.1.3.5.0</title>" in shown, shown[:300]


@pytest.mark.parametrize("name, keys, spoken", [
    ("overlap", ["ArrowRight", "ArrowDown", "+"],
     "Rows 4 to 7, columns 4 to 7: across the middle."),
    ("partition", ["ArrowRight", "ArrowDown", " "], "Row 2, column 2: orange."),
    ("tree", ["ArrowRight", " "], "Position 1: blue."),
    ("tree", ["ArrowRight", "ArrowUp"], "Bead of position 1, width 2: not cut."),
    ("tree", ["ArrowUp", "ArrowUp", "ArrowUp", " "],
     "Node over positions 0 to 3, width 2: cut.")])
def test_who_listens_hears_where_the_keys_have_led(name, keys, spoken, opened):
    shown = opened(name, script=f"""
        addEventListener("DOMContentLoaded", () => {{
          const picture = document.querySelector(".explore-grid");
          for (const key of {json.dumps(keys)})
            picture.dispatchEvent(new KeyboardEvent("keydown", {{key}}));
        }});""")
    assert re.findall('aria-live="polite">([^<]+)<', shown) == [spoken]


@pytest.mark.parametrize("name", ["overlap", "partition", "tree"])
def test_keys_of_the_browser_stay_with_the_browser(name, opened):
    """Alt and the left arrow go back, Control and + make the page larger."""
    shown = opened(name, script="""
        addEventListener("DOMContentLoaded", () => {
          const picture = document.querySelector(".explore-grid");
          const stopped = options => !picture.dispatchEvent(
            new KeyboardEvent("keydown", {cancelable: true, ...options}));
          document.title = [{altKey: true, key: "ArrowLeft"}, {metaKey: true, key: "ArrowLeft"},
            {ctrlKey: true, key: "+"}, {ctrlKey: true, key: " "}].map(stopped)
            + location.hash + stopped({key: "ArrowLeft"});
        });""")
    assert "<title>false,false,false,falsetrue</title>" in shown, shown[:300]


@pytest.mark.parametrize("name", ["overlap", "partition", "tree"])
def test_a_menu_opened_on_a_picture_leaves_it(name, opened, browser):
    """No button was heard to be released: the window then followed the mouse."""
    opened(name)
    seen = "document.querySelector('.explore-grid').innerHTML"
    before = browser.run(seen)
    browser.run("document.querySelector('.explore-grid').scrollIntoView(false)")
    bottom = browser.run(
        "document.querySelector('.explore-grid').getBoundingClientRect().bottom")
    for kind, button, x in (("mousePressed", "right", 200), ("mouseMoved", "none", 900)):
        browser.call("Input.dispatchMouseEvent", type=kind, button=button, x=x, y=bottom - 80)
        browser.settle()
    assert browser.run(seen) == before


def test_who_listens_hears_a_power_as_a_power(opened):
    """64 to the power 64, where only the small letters set the exponent apart."""
    shown = opened("overlap", script="""
        addEventListener("DOMContentLoaded", () => {
          const channels = document.querySelector("#explore-overlap-channels");
          channels.value = 63;
          channels.dispatchEvent(new Event("input"));
          document.title = document.querySelector(".explore-facts").textContent;
        });""")
    assert "for almost all weights: 64 to the power 16" in shown, shown[:300]
    assert "more than 10 to the power 28 channels" in shown, shown[:300]


def test_an_address_pasted_into_an_open_page_is_drawn(opened):
    """Another section, or an address that is not ours, leaves what is drawn as it was."""
    shown = opened("overlap", script="""
        addEventListener("DOMContentLoaded", () => { over = (async () => {
          const seen = [], text = () => document.querySelector(".explore-live").textContent;
          for (const address of ["#overlap=2.2.3.0.0", "#section", "#100%", "#overlap=3.1.3.5.0"]) {
            const before = text(), turned = new Promise(go => addEventListener("hashchange", go));
            location.hash = address;
            await turned;
            seen.push(text() !== before, document.querySelectorAll(".explore-grid").length);
          }
          document.title = seen;
        })(); });""")
    assert "<title>true,1,false,1,false,1,true,1</title>" in shown, shown[:300]


@pytest.mark.parametrize("name, own, examples", [
    ("network", "8 2 3/1:2 8/8:1", ["blocks with 3 × 3 windows", "strides with overlap"]),
    ("table", "7", ["a sum: i + j", "only the left pixel"])])
def test_the_example_named_is_the_one_drawn(name, own, examples, opened):
    """A reloaded page, or one with a reader's own numbers, named another example beside it."""
    shown = opened(name, script=f"""
        addEventListener("DOMContentLoaded", () => {{
          const seen = [], see = () => seen.push(choice.value), tell = (one, event, value) => {{
            one.value = value;
            one.dispatchEvent(new Event(event));
            see();
          }};
          let choice = document.querySelector("select");
          see();
          tell(choice, "change", {json.dumps(examples[1])});
          over = new Promise(over => setTimeout(() => {{
            const place = document.querySelector(".explore");
            place.replaceChildren();
            document.dispatchEvent(new Event("DOMContentLoaded"));  // a reload
            choice = document.querySelector("select");
            see();
            tell(document.querySelector("textarea, input"), "input", {json.dumps(own)});
            document.title = JSON.stringify(seen);
            over();
          }}, 600));
        }}, {{once: true}});""")
    title = re.search("<title>(.*)</title>", shown)[1].replace("&quot;", '"')
    assert json.loads(title) == [examples[0], examples[1], examples[1], ""]


SAID = '<span class="visually-hidden"> to the power </span>'


def powers(text):
    """65<sup>2</sup> · 3 in typeset form as an integer."""
    total = 1
    text = text.replace(SAID, "")
    for base, exponent in re.findall(r"<span>(?: · )?(\d+)(?:<sup>(\d+)</sup>)?</span>", text):
        total *= int(base) ** int(exponent or 1)
    return total


@pytest.mark.slow
def test_the_moving_window_shows_the_rank(opened):
    states = [(window, stride, channels) for window in range(1, 9)
              for stride in range(1, window + 1) for channels in (1, 2, 3, 4, 7, 11, 20, 62, 63)]
    texts = re.findall(RESULT, opened("overlap", [f"{r}.{s}.{d}.0.0" for r, s, d in states]))
    exact = 0
    for (window, stride, channels), text in zip(states, texts, strict=True):
        cells = -(-8 // stride)
        net = Architecture(8, 64, ((window, stride, channels), (cells, cells, 1)))
        rank = net.exact_two_layer_rank()
        assert text.startswith("Rank between the halves, for almost all weights"
                               + (", at least: " if rank is None else ": ")), text
        lower = max(net.crossing_bound(), private_pixel_bound(net)) if rank is None else rank
        assert powers(text) == lower, (net, text)
        exact += rank is not None
    assert len(states) == 324 and exact > 200


@pytest.mark.slow
def test_a_typed_architecture_shows_its_bound(opened):
    nets = [net for net, _ in random_networks(300, seed=1)]
    states = []
    for net in nets:
        layers = [layer.values() for layer in as_json(net, 1)["net"]["layers"]]
        states.append(".".join(str(n) for n in [n for layer in layers for n in layer]
                               + [net.size[0], net.channels, 1]))
    texts = re.findall(RESULT, opened("network", states))
    for net, text in zip(nets, texts, strict=True):
        bound = max(net.crossing_bound(), private_pixel_bound(net))
        if bound.silent:
            assert text.startswith("No layer satisfies"), (net, text)
        else:
            assert powers(text) == bound, (net, text)


def test_a_cell_that_misses_the_right_half_is_not_filled(opened):
    """It looks at two pixels and beyond the border: its bar spans what it does not see."""
    shown = opened("network", ["2.6.3.2.1.2.6.4.2", "2.2.3.3.3.1.6.4.1", "3.1.3.6.6.1.6.4.1"])
    bars = [re.findall('class="explore-bar([^"]*)"', part) for part in shown.split("<svg")[1:]]
    assert [sum("crossing" in bar for bar in each) for each in bars] == [0, 1, 2]
    assert [len(each) for each in bars] == [1, 3, 6]


def pooling_trees():
    """The geometries of notebook 11 that the picture offers, in its order."""
    by_row = ModeTree.perfect(modes=16, pool=2, dim=2, widths=(4, 16, 16, 8))
    blocks = [4 * i + j for a in (0, 2) for b in (0, 2) for i in (a, a + 1) for j in (b, b + 1)]
    return (ModeTree.perfect(modes=16, pool=4, dim=2, widths=(16, 8)).permuted(blocks), by_row,
            by_row.permuted([x for i in range(8) for x in (i, 15 - i)]))


def test_a_painted_partition_shows_its_pairs_and_cuts(opened):
    rng = random.Random(2)
    partitions = [tuple(sorted(rng.sample(range(16), 8))) for _ in range(300)]
    states = [sum(2**mode for mode in rows) for rows in partitions]
    page = opened("partition", states)
    results = re.findall(RESULT, page)
    cuts = re.findall(r'<strong class="explore-cut-value">(\d+)</strong>', page)
    for i, rows in enumerate(partitions):
        assert powers(results[i]) == 2 ** matching_number(rows, (4, 4)), rows
        assert [int(cut) for cut in cuts[3 * i:3 * i + 3]] == [
            tree.mincut(rows) for tree in pooling_trees()], rows


def test_sentences_beside_the_pictures_name_what_they_need(opened):
    """A wider tree exceeds the cuts shown; special weights miss the bounds."""
    say = """addEventListener("DOMContentLoaded", () => {
        document.title = document.querySelector(".explore-facts").textContent; });"""
    shown = opened("partition", script=say)
    assert all(words in shown for words in (
        "almost all weights the rank is at least", "Without overlap and biases, for all weights",
        "blocks, widths 16, 8: ", "row, widths 4, 16, 16, 8: ", "pixels, widths 4, 16, 16, 8: "))
    assert "halves, for almost all weights: " in opened("overlap", script=say)


def test_a_filled_table_shows_its_rank(opened):
    rng = random.Random(3)
    tables = []
    for _ in range(300):
        rank = rng.randrange(4)
        left = [[rng.randrange(-4, 5) for _ in range(rank)] for _ in range(3)]
        right = [[rng.randrange(-4, 5) for _ in range(3)] for _ in range(rank)]
        tables.append([[sum(a * b[j] for a, b in zip(row, right)) for j in range(3)]
                       for row in left])
    results = re.findall(RESULT, opened("table", [
        ".".join(str(n) for row in table for n in row) for table in tables]))
    ranks = [numpy.linalg.matrix_rank(table) for table in tables]
    assert results == [f"Rank {rank}" for rank in ranks] and set(ranks) == {0, 1, 2, 3}


def test_no_rank_stands_beside_a_table_that_has_none(opened):
    """After 0.5 was typed, the rank of the table before stood there."""
    shown = opened("table", script="""
        addEventListener("DOMContentLoaded", () => {
          const [first, second] = document.querySelectorAll("input"), said = [];
          for (const [input, value] of [[first, "0.5"], [second, "4"], [first, ""], [first, "7"]]) {
            input.value = value;
            input.dispatchEvent(new Event("input"));
            said.push(document.querySelector(".explore-facts").textContent.slice(0, 6));
          }
          document.title = said;
        });""")
    assert "<title>Every ,Every ,Every ,Rank 3</title>" in shown, shown[:200]
