"""Planted tasks to the last number: floors, least errors, what trainings are given, the command."""

import itertools
import json
import math
import platform
import runpy
import sys
from functools import cache

import numpy as np
import pytest
import torch

from lib import DilatedNetwork, ModeTree, indices
from lib.course import ROOT
from lib.planted import __main__ as command
from lib.planted import dilated, runs, widths
from lib.results import ResultsError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def short(monkeypatch):
    """Both experiments with two trainings that take no time."""
    for module in (dilated, widths):
        monkeypatch.setattr(module, "trainings", lambda: {"a": lambda: [0.5], "b": lambda: [1]})


@pytest.mark.parametrize("name", ["widths", "dilated"])
def test_the_command_trains_what_is_missing(name, short, tmp_path, capsys, monkeypatch):
    path = tmp_path / "mine.jsonl"
    monkeypatch.chdir(tmp_path)
    for count in (2, 0):
        torch.set_num_threads(2)
        command.main([name, "--output", "./mine.jsonl"])    # a path is written without detours
        assert capsys.readouterr().out == f"{count} trainings added to mine.jsonl\n"
        assert torch.get_num_threads() == 1
    header, errors = runs.read_runs(path)
    module = {"widths": widths, "dilated": dilated}[name]
    assert header["settings"] == json.loads(json.dumps(module.SETTINGS))
    assert header["made_with"] == {"torch": torch.__version__.split("+")[0], "device": "cpu",
                                   "python": platform.python_version()}
    assert errors == {"a": [0.5], "b": [1.0]}


def test_the_command_writes_where_the_course_keeps_its_runs(short, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(runs, "STORED", tmp_path)
    monkeypatch.setattr("sys.argv", ["planted", "widths"])
    command.main()
    assert (tmp_path / "widths.jsonl").exists()
    assert capsys.readouterr().out == f"2 trainings added to {tmp_path / 'widths.jsonl'}\n"


def test_the_command_refuses(short, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "a").write_text("notes\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="^error: read: .* line 1 is not JSON") as stopped:
        command.main(["widths", "--output", str(tmp_path / "a")])
    assert isinstance(stopped.value.__cause__, ResultsError)
    for arguments in ([], ["depths"], ["widths", "--outputs"]):
        with pytest.raises(SystemExit) as stopped:
            command.main(arguments)
        assert stopped.value.code == 2
    with pytest.raises(SystemExit) as stopped:
        command.main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m lib.planted [-h] [--output OUTPUT] {widths,dilated}\n")
    # Python 3.13 takes the indentation of docstrings away
    assert "python -m lib.planted dilated --output mine.jsonl" in map(str.strip, text.split("\n"))
    assert "file; default notebooks/results/NAME.jsonl" in text


def test_the_module_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["planted", "--help"])
    monkeypatch.delitem(sys.modules, "lib.planted.__main__")
    with pytest.raises(SystemExit):
        runpy.run_module("lib.planted", run_name="__main__")
    assert capsys.readouterr().out.startswith("usage: python -m lib.planted ")


def test_every_task_pairs_all_places_and_every_network_has_its_size():
    for pairs in dilated.TASKS.values():
        assert sorted(itertools.chain(*pairs)) == list(range(8))
    assert {name: (net.orders, net.dim, net.width, net.exchange)
            for name, net in dilated.NETWORKS.items()} == {
        "first": (((1, 2, 4),), 3, 5, ()), "second": (((2, 1, 4),), 3, 5, ()),
        "sum": (((1, 2, 4), (2, 1, 4)), 3, 3, ()),
        "mixture": (((1, 2, 4), (2, 1, 4)), 3, 3, (2,))}


def test_floors_from_ranks_of_random_networks():
    """On these tasks a random network reaches the bound that the floor is made of."""
    for (task, pairs), width in itertools.product(dilated.TASKS.items(), (2, 11)):
        for orders in (((1, 2, 4),), ((2, 1, 4),), ((1, 2, 4), (2, 1, 4))):
            network = DilatedNetwork(orders, 3, width)
            trees = [dilated.dilated_tree(order, 3, width) for order in orders]
            rank = min(sum(tree.mincut([pair[s] for pair, s in zip(pairs, sides)])
                           for tree in trees) for sides in itertools.product((0, 1), repeat=4))
            if len(orders) == 2 and task == "hybrid's pairs":
                rank = min(rank, 81 - (9 - min(width, 9)) ** 2)
            assert dilated.floor(network, pairs) == max(0.0, 1 - rank / 81)
    same = tuple((i, j) for i, j in dilated.TASKS["hybrid's pairs"])    # another object
    assert round(81 * dilated.floor(dilated.NETWORKS["sum"], same)) == 36
    mixture = DilatedNetwork(((1, 2, 4), (2, 1, 4)), 3, 2, (2,))
    assert dilated.floor(mixture, dilated.TASKS["other pairs"]) == 0


@pytest.mark.parametrize("orders", [((1, 2, 4),) * 2, ((2, 1, 4),) * 2, ((4, 2, 1), (1, 2, 4))])
def test_no_floor_stands_above_what_random_streams_reach(orders):
    """Two streams of one order mix other pairs than the parents of the hybrid do."""
    network, pairs = DilatedNetwork(orders, 3, 3), dilated.TASKS["hybrid's pairs"]
    draw, words = torch.Generator().manual_seed(0), dilated.indices(3, 8)
    weights = [[torch.randn(2, *shape[1:], generator=draw, dtype=torch.float64)
                for shape in network.weight_shapes()] for _ in orders]
    tensor = network.run(weights, torch.eye(3).double()[words]).reshape((3,) * 8)
    ranks = []
    for sides in itertools.product((0, 1), repeat=4):
        rows = [pair[side] for pair, side in zip(pairs, sides)]
        matrix = tensor.permute(*rows, *sorted(set(range(8)) - set(rows))).reshape(81, 81)
        ranks.append(int(torch.linalg.matrix_rank(matrix, rtol=1e-10)))
    assert dilated.floor(network, pairs) <= 1 - min(ranks) / 81


@pytest.mark.parametrize("symbols, pairs", [(2, ((0, 2), (1, 3))), (2, ((0, 7),))])
def test_errors_of_any_task_are_a_part_of_it(symbols, pairs):
    """A network that computes nearly nothing leaves everything, whatever the mean square is."""
    network = DilatedNetwork(((1, 2, 4),), symbols, 1)
    errors = dilated.train(network, pairs, starts=2, steps=1, rate=1e-6)
    draw = torch.Generator().manual_seed(0)
    weights = [torch.randn(2, *shape, generator=draw, dtype=torch.float64) / shape[-1] ** 0.5
               for shape in network.weight_shapes()]
    words = torch.cartesian_prod(*[torch.arange(symbols)] * 8)
    wanted = 9.0 * torch.stack([words[:, i] == words[:, j] for i, j in pairs]).all(0)
    for start, error in enumerate(errors):
        found = network.run([[layer[start] for layer in weights]],
                            torch.eye(symbols).double()[words])[:, 0]
        assert error == pytest.approx(float((found - wanted).square().sum()
                                            / wanted.square().sum()), rel=1e-3)
        assert error >= dilated.floor(network, pairs) - 1e-9


def test_a_floor_belongs_to_the_task_and_not_to_how_its_pairs_are_written():
    """Of the hybrid's pairs in another order the sharper bound was forgotten: 27 in place of 36."""
    pairs = dilated.TASKS["hybrid's pairs"]
    expected = dilated.floor(dilated.NETWORKS["sum"], pairs)
    for same in (pairs[::-1], tuple((b, a) for a, b in pairs), [list(pair) for pair in pairs]):
        assert dilated.floor(dilated.NETWORKS["sum"], same) == expected
    assert round(81 * dilated.floor(dilated.NETWORKS["sum"], pairs[1:])) < 36


@pytest.mark.parametrize("pairs", [((0, 4), (3, 7)), ((0, 4), (1, 5), (3, 7)), ((2, 5),)])
def test_places_in_no_pair_may_lie_on_either_side(pairs):
    """Halves that no channel but the root's joins: the floor of two pairs was 0 in place of 8/9."""
    free = sorted(set(range(8)) - set(sum(pairs, ())))
    for name, size in (("first", 1), ("second", 1), ("sum", 2)):
        network, ranks = dilated.NETWORKS[name], []
        trees = [dilated.dilated_tree(order, 3, network.width) for order in network.orders]
        for sides in itertools.product((0, 1), repeat=len(pairs)):
            for count in range(len(free) + 1):
                for beside in itertools.combinations(free, count):
                    rows = [pair[side] for pair, side in zip(pairs, sides)] + [*beside]
                    ranks.append(sum(tree.mincut(rows) for tree in trees))
        assert dilated.floor(network, pairs) == 1 - min(ranks) / 3 ** len(pairs)
        if pairs[0] == (0, 4):
            assert min(ranks) == size


@pytest.mark.parametrize("dilations", [(1, 2, 4, 8), (1, 3, 9), (1, 2)])
def test_networks_that_read_other_windows_have_no_floor(dilations):
    network, pairs = DilatedNetwork((dilations,), 3, 2), dilated.TASKS["first's pairs"]
    for call in (dilated.floor, lambda *case: dilated.train(*case, starts=1, steps=1)):
        with pytest.raises(ValueError, match="reads the last 8"):
            call(network, pairs)


def test_trainings_of_dilated_networks_are_given_their_task(monkeypatch):
    monkeypatch.setattr(dilated, "train", lambda *case, **settings: (case, settings))
    made = {name: training() for name, training in dilated.trainings().items()}
    assert list(made) == [f"{task}: {name}" for task in dilated.TASKS for name in dilated.NETWORKS]
    for name, (case, settings) in made.items():
        task, network = name.split(": ")
        assert case == (dilated.NETWORKS[network], dilated.TASKS[task])
        assert settings == {"starts": 12, "steps": 1000, "rate": 0.02, "length": 519, "seed": 0}


def test_trainings_of_widths_are_given_their_task(monkeypatch):
    monkeypatch.setattr(widths, "designs", cache(widths.designs))   # they take a while
    monkeypatch.setattr(widths, "fit_circuit", lambda *case, **settings: (case, settings))
    monkeypatch.setattr(widths, "fit_rectifiers", lambda *case, **settings: (case, settings))
    made = {name: training() for name, training in widths.trainings().items()}
    assert list(made) == [f"circuits, {task}: {name}" for task in ("near", "middle", "far")
                          for name in ("early", "middle", "deep")] + [
        f"rectifiers, {task}: {name}" for task in ("near", "far") for name in ("early", "deep")]
    shown, designs = indices(4, 8)[:5000].tolist(), widths.designs(8, 4, 150)
    pairs = {"near": [(0, 1), (2, 3), (4, 5), (6, 7)], "middle": [(0, 2)], "far": [(0, 4)]}
    for name, (case, settings) in made.items():
        kind, task, network = name.replace(":", ",").split(", ")
        if kind == "circuits":
            assert case[0] == designs[network]
            modulo = 4 if task == "near" else 2
            wanted = [all((d[i] - d[j]) % modulo == 0 for i, j in pairs[task])
                      for d in shown]
            assert case[1].shape == (4,) * 8 and case[1].flatten()[:5000].tolist() == wanted
            assert settings == {"starts": 12, "steps": 150, "rate": 0.03, "seed": 0}
        else:
            assert case == ({"early": (16, 8, 4, 2), "deep": (2, 4, 8, 16)}[network], task)
            # a test between the two networks needs starts and inputs that they do not share
            assert settings == {"starts": 12, "steps": 1500, "rate": 0.005, "batch": 128,
                                "seed": {"early": 0, "deep": 1}[network]}


@pytest.mark.parametrize("widths_of, modes", [((2, 1), 4), ((1, 2), 4), ((3, 2, 1), 8),
                                              ((1, 2, 2), 8), ((1,), 2)])
def test_least_errors_from_singular_values(widths_of, modes):
    """Every alternation of blocks counts, also the coarsest."""
    tree, dim = ModeTree.perfect(modes, 2, 2, widths_of), 2
    for seed in range(3):
        target = torch.randn((dim,) * modes, dtype=torch.float64,
                             generator=torch.Generator().manual_seed(seed))
        errors, size = [], 1
        while size < modes:
            rows = [mode for mode in range(modes) if mode // size % 2 == 0]
            order = rows + [mode for mode in range(modes) if mode not in rows]
            matrix = target.permute(order).reshape(dim ** len(rows), -1).numpy()
            squares = np.linalg.svd(matrix, compute_uv=False) ** 2
            errors.append(squares[tree.mincut(rows):].sum() / squares.sum())
            size *= 2
        assert widths.least_error(tree, target) == pytest.approx(max(errors))


def test_designs_by_default_and_for_four_positions():
    assert widths.designs() == widths.designs(8, 4, 150, (1, 2, 4, 8, 16))
    assert widths.designs(4, 4, 1000) == widths.designs(4, 4, 1000, (1, 2, 4, 8, 16))
    assert list(widths.designs(4, 2, 40)) == ["early", "deep"]
    assert [widths.blocks(8, j) for j in range(3)] == [[0, 2, 4, 6], [0, 1, 4, 5], [0, 1, 2, 3]]
    assert widths.parameters((3, 2)) == (2 * 3 + 3) + (6 * 2 + 2) + (2 + 1)


@pytest.mark.parametrize("entry", [
    {}, {"errors": None}, {"errors": []}, {"errors": (1,)}, {"errors": [True]}, {"errors": ["1"]},
    {"errors": [0.5, -1e-9]}])
def test_what_is_no_run(entry):
    with pytest.raises(ValueError, match="^is no run: it must have errors, numbers of at least 0$"):
        runs._as_run(entry)
    fine = {"errors": [0, 0.5]}
    assert runs._as_run(fine) is fine


def test_intervals_are_as_narrow_as_the_level_allows():
    """A level may be reached exactly: six values fail with 2/64."""
    assert runs.median_interval([3.0, 1, 2, 6, 5, 4], 1 - 2 / 64) == (3.5, 1, 6)
    values = np.array([200, 100, 250, 199, 7, 2], dtype=np.uint8)
    assert runs.median_interval(iter(values)) == runs.median_interval(values) == (149.5, 2, 250)
    with pytest.raises(ValueError, match="^median_interval: 6 errors are too few"):
        runs.median_interval([3.0, 1, 2, 6, 5, 4], 1 - 1.9 / 64)
    for n, level in itertools.product((1, 2, 7, 11, 16), (0.0, 0.5, 0.95)):
        misses = [2 * sum(math.comb(n, j) for j in range(k)) / 2**n for k in range(1, n + 1)]
        inside = sum(miss <= 1 - level for miss in misses[:(n + 1) // 2])
        if inside:
            assert runs.median_interval(list(range(n)), level) == ((n - 1) / 2, inside - 1,
                                                                   n - inside)
    assert runs.median_interval(list(range(6))) == runs.median_interval(list(range(6)), 0.95)


def test_every_binomial_of_an_interval_is_formed_once(monkeypatch):
    asked, comb = [], math.comb
    monkeypatch.setattr(math, "comb", lambda *sizes: asked.append(sizes) or comb(*sizes))
    assert runs.median_interval(list(range(100))) == (49.5, 39, 60)
    assert len(asked) == 50


def test_fisher_at_the_ends():
    assert runs.fisher_exact(*np.array([200, 100, 200], dtype=np.uint8)) == runs.fisher_exact(
        200, 100, 200)
    assert runs.fisher_exact(0, 0, 0) == runs.fisher_exact(0, 0, 4) == 1
    assert runs.fisher_exact(4, 0, 4) == runs.fisher_exact(0, 4, 4) == 2 / math.comb(8, 4)
    assert runs.fisher_exact(4, 4, 4) == 1


def test_a_task_that_is_none_is_named_by_the_function_that_was_called():
    with pytest.raises(ValueError, match="fit_rectifiers: task='no'; need one of 'near', 'far'"):
        widths.fit_rectifiers((2,), "no", starts=1, steps=1)


@pytest.mark.parametrize("kind, size", [(torch.bool, 1), (torch.uint8, 200), (torch.int16, 200),
                                        (torch.float16, 300), (torch.float32, 1e25)])
def test_the_error_of_a_fit_does_not_depend_on_how_a_target_is_stored(kind, size):
    tree, pairs = ModeTree.perfect(4, 2, 2, (2, 2)), [(0, 1), (2, 3)]
    stored = (widths.matches(4, 2, pairs, symbols=2) * size).to(kind)
    assert widths.fit_circuit(tree, stored, 2, 3) == widths.fit_circuit(tree, stored.double(), 2, 3)


def test_the_chapter_says_how_long_the_stored_circuits_were_fitted():
    """They were "fitted in the same way" as the small ones, for more steps at a lower rate."""
    chosen = widths.SETTINGS["circuits"]
    page, twin = (" ".join((ROOT / name).read_text("utf-8").split()) for name in (
        "book/layer-widths.md", "notebooks/07_layer_widths.py"))
    assert chosen["starts"] == 12
    assert (f"from twelve starts of {chosen['steps']} steps of Adam at a rate of "
            f"{chosen['rate']}") in page
    assert "best of six starts of 100 steps at a rate of 0.1" in page
    assert "starts, steps, rate = {}, 6, 100, 0.1" in twin
