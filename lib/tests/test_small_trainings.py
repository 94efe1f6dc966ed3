"""Trainings short enough to be followed, and limits: what longer tests pass over."""

import json
from math import prod
from types import SimpleNamespace

import pytest
import torch

from lib import (
    Architecture,
    ModeTree,
    coefficient_tensor,
    correspondence,
    dilated_tree,
    indices,
    overlap_construction,
)
from lib.course.notebooks import FOLDER, read_twin
from lib.exact.arithmetic import Modular, Real
from lib.experiments import checkpoints
from lib.experiments.ensembles import arrange
from lib.experiments.images import dead_leaves
from lib.experiments.networks import Network
from lib.experiments.records import ResultsFile
from lib.experiments.settings import Settings
from lib.experiments.training import Trainer
from lib.photograph import photograph, photograph_patches
from lib.planted.dilated import NETWORKS, TASKS, target, train
from lib.planted.widths import fit_circuit, fit_rectifiers
from lib.tests.draws import seeded
from lib.trees.tensors import activation_pooling
from lib.trees.tree import Node


def test_a_circuit_is_fitted_with_its_operator():
    """After one step the error is that of the drawn weights: here of out * (|a_i|+ + |b_j|+)."""
    star, target = ModeTree.star(2, 2, 1), torch.tensor([[1.0, 2.0], [3.0, 5.0]]).double()
    draw = seeded(4)
    weights = {path: torch.randn(3, *shape, generator=draw, dtype=torch.float64)
               / shape[-1] ** 0.5 for path, shape in star.weight_shapes().items()}
    first, second = (weights[path][:, 0].relu() for path in ((0,), (1,)))
    made = weights[()].reshape(3, 1, 1) * (first[:, :, None] + second[:, None, :])
    expected = (made - target).square().sum((1, 2)) / (1 + 4 + 9 + 25)
    for operator, equal in ((activation_pooling("relu", "sum"), True), (None, False)):
        found = fit_circuit(star, target, starts=3, steps=1, seed=4, operator=operator)
        assert (found == pytest.approx(expected.tolist())) == equal


def test_a_teacher_drawn_with_the_seed_of_the_starts_can_be_a_start():
    """Then the error is that of the scales alone, as the docstring warns."""
    tree = ModeTree.perfect(4, 2, 4, (4, 4))
    weights = tree.random_weights(Real(), seeded(0))
    target = coefficient_tensor(tree, weights)
    scales = prod(w.shape[-1] ** -0.5 for w in weights.values())
    assert fit_circuit(tree, target, 1, 1) == pytest.approx([(1 - scales) ** 2])
    assert fit_circuit(tree, target, 1, 1, seed=1)[0] > 1


def test_every_teacher_of_the_trial_meets_starts_of_its_own():
    """The median of sixty starts is one of twelve if each teacher meets the same twelve."""
    trial = next(cell.source for cell in read_twin(FOLDER / "04_rectifier_networks.py").cells
                 if "# five teachers" in cell.source)
    seeds = []
    runs = SimpleNamespace(median_interval=lambda ends: ends)
    fit = SimpleNamespace(fit_circuit=lambda *_, seed=0, **__: seeds.append(seed) or [0.0])
    exec(trial, {"ModeTree": ModeTree, "coefficient_tensor": coefficient_tensor, "torch": torch,
                 "g_max": None, "table": lambda *_: None,
                 "planted": SimpleNamespace(widths=fit, runs=runs)})
    assert len(set(seeds)) == 5 and not {*seeds} & {*range(5)}  # which are those of the teachers


def test_training_makes_the_error_of_rectifiers_smaller():
    before, after = (fit_rectifiers((8, 4), "near", 4, steps, 0.01) for steps in (1, 200))
    assert all(b < 0.6 * a for a, b in zip(before, after, strict=True))


def by_hand(weights, errors, rate, steps):
    """Adam on the sum of the errors, at a constant rate that then falls to zero."""
    means = [[torch.zeros_like(weight)] * 2 for weight in weights]
    for step in range(steps):
        slopes = torch.autograd.grad(errors().sum(), weights)
        with torch.no_grad():
            for weight, slope, mean in zip(weights, slopes, means, strict=True):
                mean[:] = [0.9 * mean[0] + 0.1 * slope, 0.999 * mean[1] + 0.001 * slope**2]
                first, second = (m / (1 - b ** (step + 1)) for m, b in zip(mean, (0.9, 0.999)))
                weight -= rate * min(1, 2 - 2 * step / steps) * first / (second.sqrt() + 1e-8)


@pytest.mark.parametrize("task", ["near", "far"])
def test_rectifiers_are_trained_by_adam_on_signs(task):
    """Start by start: windows of two, weights of variance 2 over their inputs, biases from 0.

    Each reads inputs of its own: what read the same ones has no interval that a coin would give.
    """
    draw, steps = seeded(5), 4
    shapes = [(2, 3), (6, 2), (2, 1)]
    weights = []
    for shape in shapes:
        weights += [torch.randn(2, *shape, generator=draw) * (2 / shape[0]) ** 0.5,
                    torch.zeros(2, 1, shape[1])]
    for weight in weights:
        weight.requires_grad_()

    def errors(count):
        drawn, found = torch.randint(0, 2, (2, count, 4), generator=draw) * 2.0 - 1, []
        pairs = ((0, 1), (2, 3)) if task == "near" else ((0, 2), (1, 3))
        for start, x in enumerate(drawn):
            wanted = sum(x[:, i] * x[:, j] for i, j in pairs) / 2**0.5
            (a, b), (c, d), (e, f) = ((w[start], v[start, 0])
                                      for w, v in zip(weights[::2], weights[1::2]))
            left, right = ((x[:, i:i + 2] @ a + b).relu() for i in (0, 2))
            found.append(((torch.cat([left, right], 1) @ c + d).relu() @ e + f)[:, 0] - wanted)
        return torch.stack(found).square().mean(1)

    by_hand(weights, lambda: errors(6), 0.01, steps)
    found = fit_rectifiers((3, 2), task, 2, steps, 0.01, 6, 5)
    assert found == pytest.approx(errors(8192).tolist(), rel=1e-4)
    assert fit_rectifiers((3, 2), task, 2, 1) == fit_rectifiers((3, 2), task, 2, 1, 0.005, 128, 0)


def test_circuits_are_trained_by_adam():
    tree, draw = ModeTree.perfect(4, 2, 2, (3, 1)), seeded(7)
    target = torch.arange(16.0).reshape(2, 2, 2, 2).double()
    weights = {path: (torch.randn(3, *shape, generator=draw, dtype=torch.float64)
                      / shape[-1] ** 0.5).requires_grad_()
               for path, shape in tree.weight_shapes().items()}

    def errors():
        made = [coefficient_tensor(tree, {p: w[start] for p, w in weights.items()})
                for start in range(3)]
        last.append(torch.stack([(x - target).square().sum() / 1240 for x in made]))
        return last[-1]

    last = []
    by_hand(list(weights.values()), errors, 0.02, 5)
    assert fit_circuit(tree, target, 3, 5, 0.02, 7) == pytest.approx(last[-1].tolist())
    assert fit_circuit(tree, target, 1, 2) == fit_circuit(tree, target, 1, 2, 0.03, 0, None)


@pytest.mark.parametrize("name", ["mixture", "sum", "first"])
def test_dilated_networks_are_trained_by_adam(name):
    network, pairs, draw = NETWORKS[name], TASKS["hybrid's pairs"], seeded(3)
    identity, windows = torch.eye(3).double(), indices(3, 8)
    weights = [[(torch.randn(2, *shape, generator=draw, dtype=torch.float64)
                 / shape[-1] ** 0.5).requires_grad_() for shape in network.weight_shapes()]
               for _ in network.orders]

    def errors(symbols):
        wrong = []
        for start in range(2):
            own = [[w[start] for w in stream] for stream in weights]
            shown = symbols[start] if symbols.shape[0] == 2 else symbols
            batch = shown if shown.ndim == 2 else shown[None]
            made = network.run(own, identity[batch])
            wrong.append((made - target(batch, pairs)).square().mean())
        return torch.stack(wrong)

    by_hand([w for stream in weights for w in stream],
            lambda: errors(torch.randint(3, (2, 30), generator=draw)), 0.05, 4)
    with torch.no_grad():
        wanted = errors(windows).tolist()
    assert train(network, pairs, 2, 4, 0.05, 30, 3) == pytest.approx(wanted)
    assert train(network, pairs, 1, 1) == train(network, pairs, 1, 1, 0.02, 519, 0)


def test_lags_with_common_binary_digits_are_added():
    """Dilations 1 and 3 read 0, 1, 3 and 4 steps back; 1 | 3 would be 3."""
    assert dilated_tree((1, 3), 2, 5) == ModeTree(Node((Node((0, 1), 5), Node((2, 3), 5)), 1), 2)
    assert dilated_tree((3, 1), 2, 5) == ModeTree(Node((Node((0, 2), 5), Node((1, 3), 5)), 1), 2)


def comb(levels):
    node = Node((0, 1), 1)
    for mode in range(2, levels + 1):
        node = Node((node, mode), 1)
    return ModeTree(node, 2)


def test_a_tree_has_at_most_256_levels():
    assert comb(256).modes == 257
    with pytest.raises(ValueError, match="the tree has more than 256 levels"):
        comb(257)


def test_patches_are_cut_where_the_generator_says():
    """Rows are drawn before columns, from all places where a patch fits."""
    pixels = photograph()
    for size in (6, 512):
        draw = seeded(3)
        tops, lefts = (torch.randint(n - size + 1, (2,), generator=draw) for n in (600, 512))
        found = photograph_patches(size, 2, seeded(3)).reshape(2, size, size, 3)
        for patch, top, left in zip(found, tops, lefts, strict=True):
            assert torch.equal(patch, pixels[top:top + size, left:left + size].long())


def test_a_trainer_packs_networks_by_width_and_batch():
    networks = [Network("B1", width, "none", 0) for width in (8, 16)]
    for batch_size, parts in ((10, [[8, 16]]), (100, [[8], [16]])):
        trainer = Trainer(networks, Settings(images=100, batch_size=batch_size), dead_leaves(100))
        made = [[n.channels for n in ensemble.networks] for ensemble in trainer.ensembles]
        assert made == parts == [[n.channels for n in part]
                                 for part in arrange(networks, batch_size)]


def test_a_checkpoint_makes_the_folders_that_it_needs(tmp_path):
    path = tmp_path / "one" / "two" / "state.pt"
    checkpoints.save(path, {"names": ["a"]})
    assert checkpoints.load(path, {"names": ["a"]}, "cpu")["names"] == ["a"]
    checkpoints.save(path, {"names": ["b"]})            # a folder that is there does no harm
    assert checkpoints.load(path, {}, "cpu")["names"] == ["b"]
    assert [file.name for file in path.parent.iterdir()] == ["state.pt"]


def test_a_new_file_of_results_says_its_format(tmp_path):
    ResultsFile(tmp_path / "a.jsonl", Settings(), {"fingerprint": "0"})
    header = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])
    assert (header["kind"], header["format"], header["data"]) == ("header", 2, {"fingerprint": "0"})


@pytest.mark.parametrize("smaller, place", [
    (((3, 2, 2), (2, 2, 1)), 1), (((2, 2, 2), (3, 2, 1)), 2), (((3, 2, 2), (3, 2, 1)), 1)])
def test_the_first_layer_that_cannot_be_played_is_named(smaller, place):
    with pytest.raises(ValueError, match=f"layer {place} cannot play layer {place}, "):
        correspondence(Architecture((4,), 2, ((2, 2, 2), (2, 2, 1))),
                       Architecture((4,), 2, smaller))


@pytest.mark.parametrize("layers, reason", [
    (((1, 1, 2), (4, 4, 1)), "at layer 1: no window does"),
    (((2, 2, 2), (2, 2, 1)), "at layer 1: no window does"),  # windows, but none across the cut
    (((4, 4, 1),), "no admissible layer .* at layer 1: .'layer 1 is not followed"),
])
def test_without_a_layer_k_nothing_is_constructed(layers, reason):
    with pytest.raises(ValueError, match=reason):
        overlap_construction(Architecture((4,), 2, layers), torch.eye(2).double(), Modular())
