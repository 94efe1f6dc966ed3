"""Curves, interpolation and what is missing."""

import json
import math
from statistics import fmean

import pytest
import torch

from lib.experiments.analysis import (
    PUBLISHED_CUBE,
    STRIDED_CUBE,
    abscissa_at,
    averaged,
    cells,
    complete_widths,
    contributions,
    curve,
    interval,
    missing,
    ratio_at,
)
from lib.experiments.kinds import KINDS
from lib.experiments.records import STORED, read
from lib.experiments.settings import PRESETS, Grid
from lib.results import read as read_results


def record(block, channels, accuracy, seed=0, augmentation="color"):
    return {"name": f"{block}-C{channels}-{augmentation}-s{seed}", "block": block,
            "channels": channels, "augmentation": augmentation, "seed": seed,
            "accuracy": accuracy}


def test_means_and_spreads_leave_diverged_networks_out():
    found = cells([record("B2", 4, 0.2), record("B2", 4, 0.4, 1), record("B2", 4, None, 2)])
    (place, mean, spread, seeds), = curve(found, "color", "B2")
    assert (place, seeds) == (4, 2)
    assert mean == pytest.approx(0.3) and spread == pytest.approx(0.02**0.5)


def test_two_results_of_one_network_are_refused_instead_of_averaged():
    """Records of two files, whose settings differ: they are not two seeds."""
    first = [record(block, 8, 0.5) for block in PUBLISHED_CUBE.values()]
    other = record("B2", 8, 0.7)
    wanted = r"two results of \('color', 'B2', 8, 0\), 0.5 and 0.7; need records of equal settings"
    for call in (cells, lambda records: contributions(records, "color", 8),
                 lambda records: complete_widths(iter(records), "color")):
        with pytest.raises(ValueError, match=wanted):
            call([*first, other])
    assert cells([*first, *first]) == cells(first)  # one file, read twice
    assert complete_widths(iter(first), "color") == [8]
    stored = read(STORED / "laptop.jsonl")[1] + read(STORED / "factors" / "120-epochs.jsonl")[1]
    with pytest.raises(ValueError, match="one call for each file"):
        cells(stored)


def test_interpolation_inverts_a_power_law_and_never_extrapolates():
    points = [(c, 0.1 * (1 + k), 0.0, 1) for k, c in enumerate((2, 4, 8, 16))]
    for level in (0.1, 0.15, 0.33, 0.4):
        assert abscissa_at(points, level) == pytest.approx(2 ** (10 * level))
    assert abscissa_at(points, 0.05) is None and abscissa_at(points, 0.41) is None
    assert abscissa_at([], 0.2) is None
    dip = [(2, 0.3, 0, 1), (4, 0.2, 0, 1), (8, 0.5, 0, 1)]
    assert 4 < abscissa_at(dip, 0.4) < 8


def test_ratio_needs_both_curves():
    found = cells([record("B1", 8, 0.1), record("B1", 64, 0.4),
                   record("B2", 2, 0.1), record("B2", 16, 0.4)])
    assert ratio_at(found, "color", 0.4, "B2") == pytest.approx(4)
    assert ratio_at(found, "color", 0.2, "B2") == pytest.approx(4)
    assert ratio_at(found, "color", 0.5, "B2") is None
    assert ratio_at(found, "color", 0.2, "B3") is None  # not trained yet
    for slip in ({"block": "B=2"}, {"block": "B2", "base": "b1"}):
        with pytest.raises(ValueError, match="curve: block='(B=2|b1)'; need one of 'B1', 'B2'"):
            ratio_at(found, "color", 0.2, **slip)  # as if it were not measured at this level


def test_the_two_tasks_on_blobs_are_told_apart():
    blobs = read(STORED / "blobs.jsonl")[1]
    with pytest.raises(ValueError, match="one call for each file and task$"):
        cells(blobs)  # of one file, which the advice took for two
    found = cells([entry for entry in blobs if entry["task"] == "symmetry"], "test_accuracy")
    assert {len(values) for values in found.values()} == {5}


def test_missing_names_what_was_not_run():
    grid = Grid({"B1": (2, 4)}, ("color",))
    assert [n.name for n in missing([record("B1", 2, 0.3)], grid)] == ["B1-C4-color-s0"]


WIDE = Grid({"B1": (128, 256, 512, 1024, 2048)}, seeds=(0, 1, 2))
LARGE = Grid({block: (4, 8, 16, 32, 64) for block in ("B1", "conv2", "B2")})


@pytest.mark.parametrize("name, preset, grid", [
    ("laptop", "laptop", PRESETS["laptop"][1]), ("laptop-again", "laptop", PRESETS["laptop"][1]),
    ("factorial", "factorial", PRESETS["factorial"][1]), ("b1-wide", "laptop", WIDE),
    ("paper", "paper", LARGE)])
def test_the_stored_results_are_whole_and_say_where_they_come_from(name, preset, grid):
    header, records = read(STORED / f"{name}.jsonl")
    settings = PRESETS[preset][0]
    assert header["settings"] == settings.as_dict()
    names = [entry["name"] for entry in records]
    assert len(set(names)) == len(names)
    assert set(names) <= {network.name for network in grid.networks()}
    assert isinstance(header["data"]["official"], bool) and len(header["data"]["sha256"]) == 5
    assert header["data"]["count"] == (settings.images or 50_000)
    same = read(STORED / "laptop.jsonl")[0]["data"]["fingerprint"]
    assert (header["data"]["fingerprint"] == same) == (settings.images == 2000)
    for entry in records:
        assert len(entry["curve"]["loss"]) == settings.epochs
        assert entry["provenance"]["torch"] and entry["provenance"]["device"]
        json.dumps(entry)


@pytest.mark.parametrize("cube", [PUBLISHED_CUBE, STRIDED_CUBE])
def test_kinds_stand_at_the_corner_of_their_factors(cube):
    for factors, block in cube.items():
        kind = KINDS[block]
        assert factors.split() == [name for name in ("overlap", "order", "mixing")
                                   if getattr(kind, name)]
    assert len(set(cube.values())) == 8


def test_contributions_add_up_to_the_gap_in_every_order_and_seed():
    entries = [record(block, 8, 0.1 * len(factors.split()) ** 2 + 0.01 * seed * len(factors), seed)
               for factors, block in PUBLISHED_CUBE.items() for seed in (0, 1, 2)]
    entries.append(record("B1", 8, 0.9, 3))  # a seed that the others lack
    table = contributions(entries, "color", 8)
    assert len(table) == 6
    for steps in table.values():
        for seed in (0, 1, 2):
            gap = 0.9 + 0.01 * seed * len("overlap order mixing")
            assert sum(values[seed] for values in steps.values()) == pytest.approx(gap)
            assert all(len(values) == 3 for values in steps.values())
    assert table["mixing", "order", "overlap"]["order"][0] == pytest.approx(0.3)
    means = averaged(table)
    for seed in (0, 1, 2):
        assert sum(values[seed] for values in means.values()) == pytest.approx(
            0.9 + 0.01 * seed * len("overlap order mixing"))
    assert complete_widths(entries, "color") == [8]
    assert complete_widths(entries[:-2], "color") == [8]  # two seeds are left
    assert complete_widths(entries[3:], "color") == complete_widths(entries, "spatial") == []


def test_intervals_cover_the_mean_as_often_as_they_say():
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn((2000, 3), generator=generator, dtype=torch.float64).tolist()
    covered = sum(abs(mean) <= half for mean, half in map(interval, draws))
    assert 0.935 < covered / 2000 < 0.965
    assert interval([0.3]) == (0.3, None)
    assert interval(iter([0.1, 0.2])) == interval([0.1, 0.2])
    for values, message in ((None, "interval: values=None; need a value of type Iterable"),
                            ([0.1, math.nan], "interval: value=nan; need a finite number"),
                            ([0.1, None], "interval: value=None; need a real number")):
        with pytest.raises((TypeError, ValueError), match=f"^{message}$"):
            interval(values)


def test_test_accuracy_is_a_column_of_its_own():
    entry = {**record("B1", 2, 0.5), "test_accuracy": 0.3}
    assert cells([entry, record("B1", 4, 0.5)], "test_accuracy") == {("color", "B1", 2): [0.3]}
    entries = [{**record(block, C, 0.5), "test_accuracy": None if C == 8 else 0.25}
               for C in (4, 8) for block in PUBLISHED_CUBE.values()]
    assert complete_widths(entries, "color") == [4, 8]
    assert complete_widths(entries, "color", field="test_accuracy") == [4]


def test_where_contributions_are_is_asked_of_the_same_cube():
    """`complete_widths` of the other cube names widths at which this one has nothing, too."""
    entries = [record(block, 8, 0.5) for block in PUBLISHED_CUBE.values()]
    nothing = averaged(contributions(entries, "color", 8, STRIDED_CUBE))["overlap"]
    with pytest.raises(ValueError, match="complete_widths with the same cube and field says"):
        interval(nothing)
    assert complete_widths(entries, "color") == [8]
    assert complete_widths(entries, "color", STRIDED_CUBE) == []


def test_names_that_no_record_has_are_refused():
    """A slip gave an empty figure without a word."""
    record = {"augmentation": "color", "block": "B2", "channels": 4, "accuracy": 0.5, "seed": 0}
    for call, named in ((lambda: cells([record], "test_acuracy"), "cells: field='test_acuracy'"),
                        (lambda: curve(cells([record]), "colour", "B2"), "augmentation='colour'"),
                        (lambda: ratio_at(cells([record]), "colour", 0.4, "B2"), "'colour'"),
                        (lambda: contributions([record], "colour", 4), "augmentation='colour'"),
                        (lambda: complete_widths([record], "colour"), "augmentation='colour'")):
        with pytest.raises(ValueError, match=named):
            call()


def test_what_read_returns_beside_the_records_is_no_record():
    whole, grid = read(STORED / "laptop.jsonl"), Grid({"B1": (2,)})
    for call in (cells, lambda found: contributions(found, "color", 4), lambda found: missing(
            found, grid), lambda found: complete_widths(found, "color")):
        with pytest.raises(TypeError, match=r"is no record of a network; need .*read\(path\)\[1\]"):
            call(whole)
    usage = read_results(STORED / "ranks.jsonl").records  # of a kind and a seed, but no such record
    for call in (cells, lambda found: contributions(found, "color", 8),
                 lambda found: complete_widths(found, "color")):
        with pytest.raises(TypeError, match=r"is no record of a network; need .*read\(path\)\[1\]"):
            call(usage)
    with pytest.raises(TypeError, match="missing: .* is no record of a network"):
        missing([{"seed": 0, "accuracy": 0.5}], grid)
    with pytest.raises(TypeError, match="curve: found=.*; need a value of type dict"):
        curve(whole[1], "color", "B1")


def test_a_level_that_a_mean_just_reaches_is_reached():
    """The mean of three accuracies may be 0.7999999999999999 where it is 0.8."""
    below = [0.84144, 0.81134, 0.74722]
    found = {("color", "B1", 4): [0.2, 0.3, 0.4], ("color", "B1", 16): below}
    assert fmean(below) < 0.8
    assert abscissa_at(curve(found, "color", "B1"), 0.8) == pytest.approx(16)
    for height in (math.nextafter(0.3, 1), 0.3, math.nextafter(0.3, 0)):
        assert abscissa_at([(2, height, 0, 1), (4, 0.9, 0, 1)], 0.3) == pytest.approx(2)
    assert abscissa_at(curve(found, "color", "B1"), 0.80001) is None
    assert abscissa_at([(2, 0.30001, 0, 1), (4, 0.9, 0, 1)], 0.3) is None


def test_what_the_varied_runs_change_is_what_the_chapter_says():
    """Two of the rows "with one choice changed" were trained with a second change."""
    usual = {"data": "dead-leaves", "images": 100, "epochs": 40, "batch_size": 10,
             "learning_rate": 0.001, "translation": 4, "color_shift": 0.1}
    changed = {}
    for path in (STORED / "variations").glob("*.jsonl"):
        settings = read(path)[0]["settings"]
        settings |= settings["strength"]
        changed[path.stem] = {key: settings[key] for key in usual if settings[key] != usual[key]}
    assert changed == {
        "batches-of-25": {"batch_size": 25, "epochs": 80},
        "color-shift-0.2": {"color_shift": 0.2, "translation": 2},
        "learning-rate-3e-3": {"learning_rate": 0.003}, "twice-the-images": {"images": 200},
        "translation-8": {"translation": 8}, "photograph-patches": {"data": "photograph-patches"}}
    page = (STORED.parents[1] / "book" / "convnet-experiments.md").read_text("utf-8")
    said = " ".join(page.split())
    assert "Two rows change a second thing: with batches of 25" in said
    assert "images 80 times instead of 40" in said and "translation is at most two pixels" in said
    twin = (STORED.parent / "13_convnet_experiments.py").read_text("utf-8")
    said = " ".join(twin.replace("\n#", "\n").split())
    assert PRESETS["minute"][0].epochs == 25 and "again, for 40 epochs instead of 25" in said
    assert "Two lines change a second thing: batches of 25 have 80 epochs" in said
    assert "moves images by at most two pixels instead of four" in said


def test_rates_and_versions_are_those_that_the_texts_name():
    """Circuits on dead leaves learned at half the rate, and one version of PyTorch ran on CPUs."""
    rates = {}
    for path in STORED.glob("ranks*.jsonl"):
        for block, settings in json.loads(path.open("rb").readline())["settings"].items():
            if block in KINDS:
                place = settings["data"], KINDS[block].product
                rates.setdefault(place, set()).add(settings["learning_rate"])
    assert rates == {("dead-leaves", True): {5e-4}, ("dead-leaves", False): {1e-3},
                     ("cifar-10", True): {1e-3}, ("cifar-10", False): {1e-3}}
    versions = {}
    for name in ("laptop", "laptop-again"):
        for entry in read(STORED / f"{name}.jsonl")[1]:
            found = entry["provenance"]
            versions.setdefault("NVIDIA" in found["device"], set()).add(found["torch"])
    assert versions == {False: {"2.13.0+cpu"}, True: {"2.11.0+cu130"}}
    texts = [STORED.parents[1] / "book" / "convnet-experiments.md",
             STORED.parent / "13b_what_changes_with_b.py"]
    page, twin = (" ".join(path.read_text("utf-8").replace("\n#", "\n").split()) for path in texts)
    assert "rate of 0.001, for arithmetic circuits on dead leaves of 0.0005" in page
    assert "On dead leaves circuits learn at a rate of 0.0005" in twin
    assert "Both CPUs ran PyTorch 2.13, the GPU 2.11." in twin
    assert "two versions on a CPU" not in twin
