"""Curves, interpolation and what is missing."""

import json

import pytest

from lib.experiments.analysis import abscissa_at, cells, curve, missing, ratio_at
from lib.experiments.records import STORED, read
from lib.experiments.settings import PRESETS, Grid


def record(block, channels, accuracy, seed=0, augmentation="color"):
    return {"name": f"{block}-C{channels}-{augmentation}-s{seed}", "block": block,
            "channels": channels, "augmentation": augmentation, "seed": seed,
            "accuracy": accuracy}


def test_means_and_spreads_leave_diverged_networks_out():
    found = cells([record("B2", 4, 0.2), record("B2", 4, 0.4, 1), record("B2", 4, None, 2)])
    (place, mean, spread, seeds), = curve(found, "color", "B2")
    assert (place, seeds) == (4, 2)
    assert mean == pytest.approx(0.3) and spread == pytest.approx(0.02**0.5)


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


def test_missing_names_what_was_not_run():
    grid = Grid({"B1": (2, 4)}, ("color",))
    assert [n.name for n in missing([record("B1", 2, 0.3)], grid)] == ["B1-C4-color-s0"]


def test_the_stored_results_are_whole_and_say_where_they_come_from():
    header, records = read(STORED / "laptop.jsonl")
    settings, grid = PRESETS["laptop"]
    assert header["settings"] == settings.as_dict()
    names = [entry["name"] for entry in records]
    assert len(set(names)) == len(names)
    assert set(names) <= {network.name for network in grid.networks()}
    assert isinstance(header["data"]["official"], bool) and len(header["data"]["sha256"]) == 5
    for entry in records:
        assert len(entry["curve"]["loss"]) == settings.epochs
        assert entry["provenance"]["torch"] and entry["provenance"]["device"]
        json.dumps(entry)
