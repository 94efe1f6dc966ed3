"""Planted tasks: targets against their definition, floors, stored runs that continue."""

import itertools
import json

import pytest
import torch

from lib import ModeTree, exact_rank, matricize, planted
from lib.planted import dilated, runs, widths
from lib.results import ResultsError

STORED = {"widths": widths, "dilated": dilated}


def test_target_of_a_dilated_network_is_a_scaled_permutation():
    windows = torch.tensor(list(itertools.product(range(3), repeat=8)))
    for pairs in dilated.TASKS.values():
        values = dilated.target(windows, pairs)[:, 0]
        by_hand = [9.0 * all(w[i] == w[j] for i, j in pairs) for w in windows.tolist()]
        assert values.tolist() == by_hand
        matrix = matricize(values.reshape((3,) * 8), [i for i, _ in pairs])
        assert torch.equal(matrix @ matrix.T, 81 * torch.eye(81).double())
        assert values.square().mean() == 1


@pytest.mark.parametrize("task, expected", [
    ("hybrid's pairs", [36, 36, 36, 0]), ("first's pairs", [0, 56, 0, 0]),
    ("second's pairs", [56, 0, 0, 0]),
])
def test_floors(task, expected):
    """81 minus the rank: 9 · 5 for half of the pairs, 5 · 5 for none of them."""
    found = [81 * dilated.floor(network, dilated.TASKS[task])
             for network in dilated.NETWORKS.values()]
    assert [round(part) for part in found] == expected


def test_floor_of_the_sum_is_no_larger_than_its_rank_allows():
    """A random sum reaches the rank that the floor is made of."""
    network = dilated.NETWORKS["sum"]
    weights = network.random_weights(dilated.Real(), torch.Generator().manual_seed(0))
    matrix = matricize(network.tensor(weights), [0, 1, 4, 6])
    assert torch.linalg.matrix_rank(matrix) == 45


def test_more_steps_find_the_hybrid_and_the_first_error_is_that_of_a_random_network():
    network, pairs = dilated.NETWORKS["mixture"], dilated.TASKS["hybrid's pairs"]
    short, again, long = (dilated.train(network, pairs, starts=4, steps=k) for k in (1, 1, 120))
    assert len(short) == len(long) == 4 and short == again  # seeded
    assert min(long) < 0.2 < 0.5 < min(short)


def test_matches_by_hand():
    found = widths.matches(4, 3, [(0, 2), (1, 3)], symbols=2)
    for d in itertools.product(range(3), repeat=4):
        assert found[d] == (d[0] % 2 == d[2] % 2 and d[1] % 2 == d[3] % 2)


def test_least_error_of_a_permutation():
    tree = widths.designs()["deep"]
    target = widths.matches(8, 4, *widths.RANGES["near"])
    assert exact_rank(matricize(target, "even-odd")).rank == 256
    assert abs(widths.least_error(tree, target) - (1 - 16 / 256)) < 1e-12
    single = ModeTree.star(1, 3, 1)  # of one position there is no partition: every vector fits
    assert widths.least_error(single, torch.tensor([1.0, 0.0, 2.0])) == 0


def test_rectifier_network_and_its_target_by_hand():
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=8)))
    near = [sum(x[i] * x[i + 1] for i in (0, 2, 4, 6)) / 2 for x in signs.tolist()]
    far = [sum(x[i] * x[i + 4] for i in range(4)) / 2 for x in signs.tolist()]
    assert widths.sign_products(signs, "near").tolist() == near
    assert widths.sign_products(signs, "far").tolist() == far
    assert widths.sign_products(signs, "far").var(correction=0) == 1


def test_early_widths_learn_neighbors_and_deep_ones_do_not():
    early, deep = (sorted(widths.fit_rectifiers(w, "near", 5, 300, 0.01, 64))
                   for w in ((8, 4, 2), (2, 4, 8)))
    assert early[2] < deep[2]


def test_a_file_that_was_exchanged_while_runs_were_added_is_named(tmp_path):
    """A file put back by an editor or by git lacked what was said to have been added."""
    path = tmp_path / "a.jsonl"

    def exchange():
        path.unlink()
        return [0.5]

    with pytest.raises(ResultsError, match=r"append: .*a\.jsonl was exchanged, lacks a; start"):
        runs.continue_runs(path, {"steps": 2}, {"a": lambda: [0.5], "b": exchange})
    assert runs.continue_runs(path, {"steps": 2}, {"a": lambda: [0.5], "b": exchange}) == ["a"]


def test_runs_continue_after_a_torn_line(tmp_path):
    path, calls = tmp_path / "runs.jsonl", []
    trainings = {name: lambda name=name: calls.append(name) or [0.123456, 1] for name in "abc"}
    with pytest.raises(ZeroDivisionError):
        runs.continue_runs(path, {"steps": 2}, {**trainings, "b": lambda: [1 / 0]})
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"kind": "run", "na')
    assert runs.read_runs(path)[1] == {"a": [0.12346, 1.0]}
    assert runs.continue_runs(path, {"steps": 2}, trainings) == ["b", "c"]
    assert calls == ["a", "b", "c"]
    assert list(runs.read_runs(path)[1]) == ["a", "b", "c"]
    assert runs.continue_runs(path, {"steps": 2}, trainings) == []


def test_runs_of_other_settings_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "runs.jsonl"
    runs.continue_runs(path, {"steps": 2}, {})
    with pytest.raises(ValueError, match="settings .steps: 2 there, 3 here."):
        runs.continue_runs(path, {"steps": 3}, {"a": lambda: [0.0]})
    for line in ("[]", '{"kind": "run"}', "text"):
        path.write_text(line + "\n", encoding="utf-8")
        with pytest.raises(ValueError, match="line 1 is "):
            runs.read_runs(path)


def test_settings_that_change_under_a_running_process_are_noticed(tmp_path):
    path = tmp_path / "runs.jsonl"

    def overwritten():
        path.unlink()
        runs.continue_runs(path, {"steps": 3}, {})
        return [0.0]

    with pytest.raises(ValueError, match="settings .steps: 3 there, 2 here."):
        runs.continue_runs(path, {"steps": 2}, {"a": overwritten})
    assert runs.read_runs(path)[1] == {}


def test_interval_holds_the_median_as_often_as_it_says():
    """All orders of 12 coins: how many values lie below the true median."""
    values = list(range(12))
    median, low, high = runs.median_interval(values)
    assert (median, low, high) == (5.5, 2, 9)
    misses = sum(1 for coins in itertools.product((0, 1), repeat=12)
                 if not low < sum(coins) <= high)
    assert misses / 2**12 <= 0.05 < sum(
        1 for coins in itertools.product((0, 1), repeat=12) if not low + 1 < sum(coins) <= high - 1
    ) / 2**12
    with pytest.raises(ValueError, match="5 errors are too few"):
        runs.median_interval([1.0] * 5)


def test_fisher_by_counting_every_assignment():
    for one, other in ((5, 1), (4, 4), (6, 0), (3, 5)):
        ways = [sum(chosen < 6 for chosen in way)
                for way in itertools.combinations(range(12), one + other)]
        share = [ways.count(way) for way in ways]
        expected = sum(s <= ways.count(one) for s in share) / len(ways)
        assert abs(runs.fisher_exact(one, other, starts=6) - expected) < 1e-12
    with pytest.raises(ValueError, match="need numbers from 0 to 6"):
        runs.fisher_exact(7, 0, starts=6)


@pytest.mark.parametrize("name", STORED)
def test_stored_runs_are_complete_and_made_with_these_settings(name):
    header, errors = runs.read_runs(runs.results_path(name))
    assert header["settings"] == json.loads(json.dumps(STORED[name].SETTINGS))
    assert set(errors) == set(STORED[name].trainings())
    assert all(len(found) >= 5 for found in errors.values())


@pytest.mark.slow
@pytest.mark.parametrize("name, training", [
    ("widths", "rectifiers, near: early"), ("dilated", "hybrid's pairs: first")])
def test_a_stored_run_comes_out_again(name, training):
    stored = runs.read_runs(runs.results_path(name))[1][training]
    again = planted.__dict__[name].trainings()[training]()
    low, high = runs.median_interval(stored)[1:]
    assert low <= runs.median_interval(again)[0] <= high


def test_trainings_are_the_same_in_every_mode():
    tree, network = ModeTree.perfect(4, 2, 2, (2, 2)), dilated.NETWORKS["first"]
    pairs = dilated.TASKS["first's pairs"]

    def found():
        goal = widths.matches(4, 2, [(0, 1), (2, 3)], 2)
        return widths.fit_circuit(tree, goal, 2, 3), widths.fit_rectifiers((4, 2), "near", 2, 3)

    expected = found()
    for mode in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16)):
        with mode:
            assert found() == expected
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        inside = dilated.train(network, pairs, 1, 1, length=20)
    assert inside == dilated.train(network, pairs, 1, 1, length=20)
    with torch.inference_mode():
        goal = widths.matches(4, 2, [(0, 1), (2, 3)], 2)
    assert widths.fit_circuit(tree, goal, 2, 3) == expected[0]
    with pytest.raises(TypeError, match="fit_circuit: target=ndarray of float64 and shape"):
        widths.fit_circuit(tree, goal.numpy(), 2, 3)
