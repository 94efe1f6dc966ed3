"""Curves, ratios, ranks, normalizations and records against their definitions."""

import itertools
import math
import types

import pytest
import torch

from lib.experiments import analysis, pooled, products, records, separation
from lib.experiments.analysis import PUBLISHED_CUBE, STRIDED_CUBE
from lib.experiments.ensembles import Ensemble, convolution, padded
from lib.experiments.images import dead_leaves
from lib.experiments.kinds import KINDS
from lib.experiments.networks import Network, generator_for
from lib.experiments.settings import Grid, Settings
from lib.plots.experiments import draw_factors
from lib.results import ResultsError

pytestmark = pytest.mark.usefixtures("one_thread")


def entry(block, channels, accuracy, seed=0, augmentation="color", **more):
    return {"name": f"{block}-C{channels}-{augmentation}-s{seed}", "block": block,
            "channels": channels, "augmentation": augmentation, "seed": seed,
            "accuracy": accuracy, **more}


def test_cells_are_sorted_and_hold_their_seeds_in_order():
    given = [entry("B2", 8, 0.4, 1), entry("B2", 8, 0.3), entry("B1", 16, 0.2), entry("B1", 2, 0.0),
             entry("B1", 2, 0.9, augmentation="spatial"), entry("B2", 4, None)]
    found = analysis.cells(given)
    assert list(found.items()) == [
        (("color", "B1", 2), [0.0]), (("color", "B1", 16), [0.2]), (("color", "B2", 8), [0.3, 0.4]),
        (("spatial", "B1", 2), [0.9])]
    assert analysis.curve(found, "color", "B1") == [(2, 0.0, 0.0, 1), (16, 0.2, 0.0, 1)]
    assert analysis.curve(found, "spatial", "B1", "channels") == [(2, 0.9, 0.0, 1)]
    backwards = dict(reversed(found.items()))
    assert analysis.curve(backwards, "color", "B1", "operations") == [
        (KINDS["B1"].forward_operations(2), 0.0, 0.0, 1),
        (KINDS["B1"].forward_operations(16), 0.2, 0.0, 1)]
    assert analysis.curve(found, "color", "B2", "parameters")[0][0] == (
        KINDS["B2"].parameter_count(8))
    assert analysis.curve(found, "none", "B1") == []
    assert [analysis.size_of("B2", 3, axis) for axis in ("channels", "parameters", "operations")
            ] == [3, KINDS["B2"].parameter_count(3), KINDS["B2"].forward_operations(3)]
    with pytest.raises(ValueError, match="size_of: axis='params'; need one of 'channels', 'para"):
        analysis.curve(found, "color", "B2", "params")  # it gave operations


def test_ratios_compare_a_kind_with_its_base_along_an_axis():
    found = analysis.cells([entry("B1", 4, 0.1), entry("B1", 64, 0.5), entry("B3", 2, 0.1),
                            entry("B3", 8, 0.5), entry("B2", 3, 0.1), entry("B2", 27, 0.5)])
    assert analysis.ratio_at(found, "color", 0.3, "B3") == pytest.approx(16 / 4)
    assert analysis.ratio_at(found, "color", 0.3, "B3", "B2") == pytest.approx(9 / 4)
    assert analysis.ratio_at(found, "color", 0.1, "B3", axis="parameters") == pytest.approx(
        KINDS["B1"].parameter_count(4) / KINDS["B3"].parameter_count(2))
    assert analysis.ratio_at(found, "color", 0.5, "B3", axis="channels") == pytest.approx(64 / 8)
    few = analysis.cells([entry("B1", 4, 0.1), entry("B1", 64, 0.5)])
    assert analysis.ratio_at(few, "color", 0.3, "B3") is None
    assert analysis.ratio_at(few, "color", 0.3, "B1", "B3") is None


def test_a_curve_is_crossed_for_the_first_time_going_up():
    points = [(2, 0.1, 0, 1), (4, 0.3, 0, 1), (8, 0.3, 0, 1), (16, 0.2, 0, 1), (64, 0.4, 0, 1)]
    assert analysis.abscissa_at(points, 0.2) == pytest.approx(2 * 2**0.5)
    assert analysis.abscissa_at(points, 0.3) == pytest.approx(4)
    assert analysis.abscissa_at(points, 0.35) == pytest.approx(32 * 2**0.5)
    assert analysis.abscissa_at(points, 0.1) == pytest.approx(2)
    level = [(2, 0.2, 0, 1), (4, 0.2, 0, 1), (8, 0.4, 0, 1)]
    assert analysis.abscissa_at(level, 0.3) == pytest.approx(4 * 2**0.5)


def test_the_quantile_beyond_the_table():
    mean, half = analysis.interval([0.0, 1.0] * 8)
    assert (mean, half) == (0.5, pytest.approx(2.131 * (16 * 0.25 / 15) ** 0.5 / 4, rel=3e-4))


def test_a_sweep_without_all_kinds_is_named_where_its_factors_are_shown():
    table = analysis.contributions([entry("B1", 8, 0.2), entry("B2", 8, 0.5)], "color", 8)
    for show in (lambda: analysis.interval(analysis.averaged(table)["order"]),
                 lambda: draw_factors(None, table)):
        with pytest.raises(ValueError, match="no values; .* all eight kinds"):
            show()


@pytest.mark.parametrize("cube, field", [(PUBLISHED_CUBE, "accuracy"),
                                         (STRIDED_CUBE, "test_accuracy")])
def test_contributions_are_those_of_their_cube_column_and_width(cube, field):
    """Heights are powers of two, so that every sum of differences says what it was made of."""
    heights = {block: 2.0 ** place for place, block in enumerate(cube.values())}
    given = [entry(block, 8, 0.25 if field != "accuracy" else height, seed,
                   **({field: height} if field != "accuracy" else {}))
             for block, height in heights.items() for seed in (3, 1)]
    given += [entry(block, 4, 0.75, 1, test_accuracy=0.75) for block in heights]
    given += [entry("B1", 8, None, 7), entry("B1", 8, 0.1, 1, "spatial")]
    found = analysis.contributions(given, "color", 8, cube, field)
    for order, steps in found.items():
        name, height = [], heights["B1"]
        assert list(steps) == list(order)
        for factor in order:
            name.append(factor)
            block = cube[" ".join(f for f in ("overlap", "order", "mixing") if f in name)]
            assert steps[factor] == [heights[block] - height] * 2
            height = heights[block]
    if field == "accuracy":
        assert found == analysis.contributions(given, "color", 8)
    assert analysis.complete_widths(given, "color", cube) == [4, 8]
    other = STRIDED_CUBE if cube is PUBLISHED_CUBE else PUBLISHED_CUBE
    assert analysis.complete_widths(given, "color", other) == []
    if cube is PUBLISHED_CUBE:
        assert analysis.complete_widths(given, "color") == [4, 8]
    mean = analysis.averaged(found)
    assert list(mean) == ["mixing", "order", "overlap"]
    for factor, values in mean.items():
        assert values == pytest.approx([
            sum(steps[factor][seed] for steps in found.values()) / 6 for seed in (0, 1)])


def test_networks_without_a_record_are_listed_in_the_order_of_the_grid():
    grid = Grid({"B2": (4,), "B1": (4, 2)}, ("color", "none"), (1, 0))
    names = [f"{kind}-C{width}-{augmentation}-s{seed}" for seed in (1, 0)
             for kind, width in (("B1", 2), ("B2", 4), ("B1", 4))
             for augmentation in ("color", "none")]
    assert [network.name for network in grid.networks()] == names
    done = [entry("B2", 4, 0.5, 1), entry("B1", 2, 0.5)]
    assert [network.name for network in analysis.missing(done, grid)] == [
        name for name in names if name not in ("B2-C4-color-s1", "B1-C2-color-s0")]


# Ranks

def test_effective_ranks_and_interactions_of_many_matrices():
    matrices = torch.randn((2, 3, 5, 4), generator=generator_for("many"), dtype=torch.float64)
    matrices[1, 2] = 0
    effective, shares = separation.effective_rank(matrices), separation.interaction_share(matrices)
    assert effective.shape == shares.shape == (2, 3)
    for place in torch.cartesian_prod(torch.arange(2), torch.arange(3)).tolist():
        matrix = matrices[place[0], place[1]]
        if place == [1, 2]:
            assert effective[1, 2] == shares[1, 2] == 0
            continue
        parts = torch.linalg.svdvals(matrix) ** 2
        parts = [value / sum(parts.tolist()) for value in parts.tolist()]
        entropy = -sum(part * math.log(part) for part in parts)
        assert float(effective[place[0], place[1]]) == pytest.approx(math.exp(entropy))
        assert float(separation.effective_rank(matrix)) == pytest.approx(math.exp(entropy))
        rest = [matrix[i, j] - matrix[i].mean() - matrix[:, j].mean() + matrix.mean()
                for i in range(5) for j in range(4)]
        whole = ((matrix - matrix.mean()) ** 2).sum()
        wanted = float(sum(value**2 for value in rest) / whole)
        assert float(shares[place[0], place[1]]) == pytest.approx(wanted)
    assert float(separation.effective_rank(torch.zeros(3, 2))) == 0
    assert float(separation.effective_rank(1e-3 * torch.eye(2))) == pytest.approx(2)
    assert float(separation.interaction_share(1e-3 * torch.eye(2))) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(3, 7, 5), (3, 5, 7), (2, 4, 4)])
def test_decision_ranks_are_those_of_the_best_approximations(shape):
    matrices = torch.randn(shape, generator=generator_for("decide"), dtype=torch.float64)
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    kept = []
    for rank in range(1, min(shape[1:]) + 1):
        near = left[..., :rank] @ torch.diag_embed(values[:, :rank]) @ right[:, :rank]
        kept.append(float((near.argmax(0) == matrices.argmax(0)).double().mean()))
    assert kept[-1] == 1
    for share in (0.3, 0.5, 0.8, 0.95, 1, *kept):  # a share that is kept exactly is enough
        wanted = next(rank for rank, part in enumerate(kept, 1) if part >= share)
        assert separation.decision_rank(matrices, share) == wanted
    assert separation.decision_rank(matrices) == separation.decision_rank(matrices, 0.95)
    for share in (0, 1.5):
        with pytest.raises(ValueError) as refused:
            separation.decision_rank(matrices, share)
        assert str(refused.value) == (f"decision_rank: share={share}, must lie above 0 and at most "
                                      "at 1")


def test_a_usage_is_rounded_and_leaves_out_what_all_classes_share(monkeypatch):
    scores = torch.randn((10, 6, 4), generator=generator_for("usages"), dtype=torch.float64)
    scores[:, 3:] = scores[:, :3]  # rank at most 3
    common = torch.randn((6, 4), generator=generator_for("common"), dtype=torch.float64)
    asked = []
    monkeypatch.setattr(separation, "split_scores", lambda *given: asked.append(given) or (
        scores + common))
    found, own = separation.rank_usage("ensemble", "images"), scores - scores.mean(0)
    assert asked == [("ensemble", "images")]
    assert found == {
        "rank": 3, "effective": round(float(separation.effective_rank(own).mean()), 2),
        "interaction": round(float(separation.interaction_share(own).mean()), 3),
        "decision": separation.decision_rank(own)}
    scores = torch.diag_embed(torch.tensor([1, 1e-9, 1e-11, 0]).double()).repeat(10, 1, 1)
    scores *= torch.arange(10.0)[:, None, None] - 4.5
    common = torch.zeros(4, 4).double()
    assert separation.rank_usage(0, 0)["rank"] == 2  # above 1e-10 of the largest


def test_glued_scores_are_those_of_left_halves_by_row(monkeypatch):
    def plain(ensemble, glued):
        sizes.append(len(glued))
        left, right = glued[:, 0, 0, 15], glued[:, 0, 0, 16]
        return torch.stack([100 * left + right + number for number in range(10)], 1)

    sizes = []
    monkeypatch.setattr(separation, "exact_scores", plain)
    images = torch.arange(26.0)[:, None, None, None].expand(26, 3, 32, 32)
    one = types.SimpleNamespace(networks=["one"])
    found = separation.split_scores(one, images)
    assert sizes == [500, 176]
    row = torch.arange(26.0)
    for number in range(10):
        assert torch.equal(found[number], 100 * row[:, None] + row + number)
    found = separation.split_scores(one, images[:2], images[:3], batch=4)
    assert found.shape == (10, 2, 3) and sizes[2:] == [4, 2]
    for networks in ([], ["one", "two"]):
        with pytest.raises(ValueError) as refused:
            separation.split_scores(types.SimpleNamespace(networks=networks), images)
        assert str(refused.value) == f"split_scores: {len(networks)} networks, must be one"


def test_a_network_is_measured_before_and_after_it_is_trained(monkeypatch):
    """In double precision on images as they are; trained in the precision of its kind."""
    seen, network = [], Network("B2", 4, "color", 0)
    settings, data = Settings(images=60, epochs=1, batch_size=10, evaluations=1), dead_leaves(60)

    def size(ensemble):
        return float(ensemble.head.detach().double().square().sum())

    def usage(ensemble, images):
        seen.append((ensemble.head.dtype, images.dtype, len(images), size(ensemble)))
        return len(seen)

    monkeypatch.setattr(separation, "rank_usage", usage)
    found = separation.trained_usage(network, settings, data)
    trainer = separation.Trainer([network], settings, data)
    assert seen[0][:3] == seen[1][:3] == (torch.float64, torch.float64, 40)
    assert seen[0][3] == pytest.approx(size(trainer.ensembles[0]))
    trainer.run()
    assert seen[1][3] == pytest.approx(size(trainer.ensembles[0]), abs=1e-5)
    assert seen[0][3] != seen[1][3]
    assert found == {"name": "B2-C4-color-s0", "block": "B2", "channels": 4, "seed": 0,
                     "accuracy": trainer.evaluate()[0], "settings": settings.identifier,
                     "before": 1, "after": 2}
    separation.trained_usage(network, settings, data, 12)
    assert seen[2][2] == 12


# Products

def test_features_are_divided_by_their_size_network_by_network():
    membership = torch.tensor([[1 / 2, 0], [1 / 2, 0], [0, 1 / 3], [0, 1 / 3], [0, 1 / 3]]).double()
    features = torch.randn((4, 5), generator=generator_for("size"), dtype=torch.float64)
    features[1, :2] = 0
    features[2] *= 1e-9
    largest = products.by_network(features.abs(), membership)
    found = products.divided_by_size(features, membership)
    for n in range(4):
        for part in (slice(0, 2), slice(2, 5)):
            own = features[n, part]
            assert (largest[n, part] == own.abs().max()).all()
            size = own.square().mean().sqrt()
            wanted = own / size if size else own
            torch.testing.assert_close(found[n, part], wanted, rtol=1e-6, atol=1e-6)
    assert products.LARGEST_GRADIENT == 1


def test_an_ensemble_says_what_it_cannot_hold():
    for networks, message in (
            ([], "Ensemble: 0 networks of the kinds [], must be at least one network, all of one "
             "kind"),
            ([Network("B2", 1, "none", 0), Network("B1", 1, "none", 0)],
             "Ensemble: 2 networks of the kinds ['B1', 'B2'], must be at least one network, all of "
             "one kind")):
        with pytest.raises(ValueError) as refused:
            Ensemble(networks)
        assert str(refused.value) == message


@pytest.mark.parametrize("block", [name for name, kind in KINDS.items() if not kind.separate])
def test_linear_maps_read_images_that_are_not_square(block):
    """Zeros outside, the odd row and column at the bottom and right."""
    kind, images = KINDS[block], torch.randn((2, 3, 6, 8), generator=generator_for("wide")).double()
    weight = torch.randn((2, 3, kind.side, kind.side), generator=generator_for("w")).double()
    if kind.combine in ("haar", "depth"):
        weight = weight.expand(2, 3, kind.window, kind.window)
    found, extra = convolution(images, weight, kind), kind.window - kind.stride
    assert found.shape == (2, 2, 6 // kind.stride, 8 // kind.stride)
    wide = torch.zeros(2, 3, 6 + extra, 8 + extra).double()
    wide[..., extra // 2:extra // 2 + 6, extra // 2:extra // 2 + 8] = images
    assert torch.equal(padded(images, kind.window, kind.stride), wide)
    for row in range(found.shape[2]):
        for column in range(found.shape[3]):
            top, left = row * kind.stride, column * kind.stride
            seen = wide[..., top:top + kind.window, left:left + kind.window]
            if kind.combine == "same":
                seen = seen.mean((2, 3), keepdim=True)
            wanted = torch.einsum("nirc,oirc->no", seen, weight)
            torch.testing.assert_close(found[..., row, column], wanted)


# Records

def as_said(call):
    with pytest.raises(ValueError) as refused:
        call()
    return str(refused.value)


def test_what_a_record_of_a_network_may_be():
    good = entry("B1", 2, 0.5)
    old = {key: value for key, value in good.items() if key != "block"} | {"window": 3}
    assert records.as_network(dict(old))["block"] == "B3"
    assert records.as_network({**good, "window": 3})["block"] == "B1"
    assert records.as_network({**good, "kind": "network"})["kind"] == "network"
    for status, taken in (("diverged in epoch 1", True), ("finished", False), (None, False)):
        broken = {**good, "accuracy": None, "status": status}
        if taken:
            assert records.as_network(dict(broken)) == broken
        else:
            assert as_said(lambda broken=broken: records.as_network(broken)) == (
                "is not the record of a network: accuracy=None is impossible")
    for field, value in (("test_accuracy", 2), ("channels", True), ("seed", 1.5), ("curve", [1]),
                         ("curve", {"accuracy": [0.5, 1.5]}), ("curve", {"loss": [0.5, -1.5]}),
                         ("curve", {"loss": [math.nan]})):
        assert as_said(lambda field=field, value=value: records.as_network(
            {**good, field: value})) == (
            f"is not the record of a network: {field}={value} is impossible")
    assert as_said(lambda: records.as_network({**good, "kind": "header"})) == (
        "is not the record of a network")
    assert records.as_network({**good, "test_accuracy": None, "curve": {}}) is not None


def test_a_file_is_made_only_with_its_data_and_only_when_asked(tmp_path):
    path, settings = tmp_path / "a" / "b.jsonl", Settings()
    for data, make in ((None, True), ({"fingerprint": "0"}, False)):
        assert records.ResultsFile(path, settings, data, make).names() == set()
        assert not path.parent.exists()
    file = records.ResultsFile(path, settings, {"fingerprint": "0"})
    assert path.exists()
    one, two = entry("B1", 2, 0.5), entry("B1", 4, 0.5)
    assert file.append(one) == [one["name"]] and file.append(one, two) == [two["name"]]
    assert {"kind": "network", **two}.items() <= records.read(path)[1][1].items()
    with pytest.raises(ResultsError, match="fingerprint"):
        records.ResultsFile(path, settings, {"fingerprint": "1"})
    assert records.ResultsFile(path, settings).names() == {one["name"], two["name"]}


def test_networks_are_stored_only_with_the_fingerprint_of_their_images(tmp_path):
    """The provenance of a set of images has none: those of two sets would stand in one file."""
    path, settings = tmp_path / "a.jsonl", Settings()
    for data in (dead_leaves(20).provenance, {}, {"fingerprint": None}, "dead-leaves"):
        with pytest.raises(ResultsError, match="ResultsFile: data=.*fingerprint of the images"):
            records.ResultsFile(path, settings, data)
    for make in (False, True):  # also where the file is there, of these images or of others
        with pytest.raises(ResultsError, match="opened without data and is only looked at"):
            records.ResultsFile(path, settings).append(entry("B1", 2, 0.5))
        assert path.exists() == make
        records.ResultsFile(path, settings, {"fingerprint": "0"})


# Pooled networks

@pytest.mark.parametrize("side", [2, 8])
@pytest.mark.parametrize("geometry", ["square", "mirror"])
def test_orders_of_pixels_halve_rows_then_columns(side, geometry):
    grid = [[[side * row + column] for column in range(side)] for row in range(side)]
    while len(grid) > 1:
        half = len(grid) // 2
        pairs = [(2 * k, 2 * k + 1) if geometry == "square" else (k, 2 * half - 1 - k)
                 for k in range(half)]
        grid = [[one + two for one, two in zip(grid[a], grid[b], strict=True)] for a, b in pairs]
        grid = [[row[a] + row[b] for a, b in pairs] for row in grid]
    assert pooled.window_order(side, geometry).tolist() == grid[0][0]


def test_contents_are_numbered_in_lexicographic_order():
    for symbols in (1, 2, 3, 5):
        contents = {tuple(sorted(four)) for four in itertools.product(range(symbols), repeat=4)}
        assert [tuple(row) for row in pooled.multisets(symbols).tolist()] == sorted(contents)


def test_a_level_that_a_curve_starts_at_is_reached_there():
    for points in ([(4, 0.2)], [(4, 0.2), (8, 0.2), (16, 0.4)], [(4, 0.2), (8, 0.1), (16, 0.4)]):
        assert analysis.abscissa_at(points, 0.2) == 4
        assert analysis.abscissa_at(points, 0.19) is None
