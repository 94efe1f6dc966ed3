"""Ranks of trained networks: the matrices against a direct evaluation, ranks without overlap."""

import dataclasses

import pytest
import torch

from lib import results
from lib.experiments import pooled, separation
from lib.experiments.ensembles import Ensemble
from lib.experiments.images import dead_leaves
from lib.experiments.kinds import KINDS, Kind
from lib.experiments.networks import Network, generator_for
from lib.experiments.records import STORED
from lib.experiments.separation import (
    CHANNELS,
    CIFAR_CHANNELS,
    COMPARED,
    decision_rank,
    effective_rank,
    exact_scores,
    interaction_share,
    main,
    measure,
    protocol,
    split_scores,
    trained_usage,
)
from lib.experiments.settings import PRESETS, Settings
from lib.experiments.training import Trainer
from lib.results import ResultsError

pytestmark = pytest.mark.usefixtures("one_thread")


def images(count, seed=0):
    return torch.randn((count, 3, 32, 32), generator=generator_for("halves", seed))


@pytest.mark.parametrize("block", ["B2", "offset3prod", "B2prod"])
def test_entries_are_scores_of_glued_images(block):
    ensemble = Ensemble([Network(block, 3, "none", 0)])
    left, right = images(3), images(4, 1)
    found = split_scores(ensemble, left, right, batch=5)
    assert found.shape == (10, 3, 4)
    glued = left[2:].clone()
    glued[..., 16:] = right[1, ..., 16:]
    torch.testing.assert_close(found[:, 2, 1], exact_scores(ensemble, glued)[0].detach(),
                               atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="2 networks"):
        split_scores(Ensemble([Network(block, 1, "none", s) for s in (0, 1)]), left)


@pytest.mark.parametrize("shape", [(3, 16, 16), (3, 32, 16), (1, 32, 32), (32, 32, 3)])
def test_images_that_the_networks_do_not_read_are_not_split(shape):
    """Of images of 16 pixels the left half was the whole, the right half empty: rank 1."""
    ensemble = Ensemble([Network("B2", 1, "none", 0)])
    for given in ([torch.zeros(2, *shape)], [torch.zeros(2, 3, 32, 32), torch.zeros(2, *shape)]):
        with pytest.raises(ValueError, match=r"split_scores: images of shape \(2, .* must be \(n,"):
            split_scores(ensemble, *given)


@pytest.mark.parametrize("block", ["B2prod", "offset2prod", "offset3prod"])
def test_exact_scores_are_those_of_the_ensemble_up_to_a_positive_number_per_image(block):
    ensemble = Ensemble([Network(block, 3, "none", 0)])
    ratio = ensemble(images(5))[:, 0] / exact_scores(ensemble, images(5))
    assert bool((ratio > 0).all())
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))


@pytest.mark.parametrize("values", [(1, 1, "depth"), (3, 1, "depth"), (2, 1, "haar")], ids=str)
def test_exact_scores_of_own_circuits_have_their_depthwise_sums(monkeypatch, values):
    """Left out, they changed the scores without a word, or the sizes of the maps."""
    monkeypatch.setitem(KINDS, "own", Kind("own", *values, "product"))
    ensemble = Ensemble([Network("own", 3, "none", 0)])
    ratio = ensemble(images(5))[:, 0] / exact_scores(ensemble, images(5))
    assert bool((ratio > 0).all())
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))


@pytest.mark.parametrize("block, overlap", [("B1prod", False), ("offset2prod", False),
                                            ("B2prod", True), ("offset3prod", True)])
def test_without_overlap_the_rank_is_at_most_the_channels_and_one(block, overlap):
    channels = 3
    ensemble = Ensemble([Network(block, channels, "none", 0)])
    values = torch.linalg.svdvals(split_scores(ensemble, images(12))[0])
    small = float(values[channels + 1] / values[0])
    assert small > 1e-9 if overlap else small < 1e-12


def test_measures_of_known_matrices():
    spread = torch.diag(torch.tensor([1.0, 1, 1, 0, 0]))
    assert float(effective_rank(spread)) == pytest.approx(3)
    assert float(effective_rank(torch.diag(torch.tensor([1.0, 1e-9])))) == pytest.approx(1)
    generator = generator_for("ranks")
    few = torch.randn((3, 8, 2), generator=generator) @ torch.randn((3, 2, 9), generator=generator)
    assert decision_rank(few, 1.0) <= 2 < decision_rank(
        torch.randn((3, 8, 9), generator=generator), 1.0)
    with pytest.raises(ValueError, match="share=0"):
        decision_rank(few, 0)


def test_an_additive_score_has_no_interaction_and_a_product_of_centered_ones_nothing_else():
    rows, columns = torch.randn((6, 1), generator=generator_for("a")), torch.randn(
        (1, 7), generator=generator_for("b"))
    rows, columns = rows - rows.mean(), columns - columns.mean()
    assert float(interaction_share(rows + columns)) == pytest.approx(0, abs=1e-12)
    assert float(interaction_share(5 + rows * columns)) == pytest.approx(1, abs=1e-5)
    size = float(rows.square().sum() * 7 + columns.square().sum() * 6)
    product = float((rows * columns).square().sum())
    assert float(interaction_share(rows + columns + rows * columns)) == pytest.approx(
        product / (size + product), abs=1e-5)


def test_usage_is_measured_on_exact_scores_and_training_goes_on_in_the_kind_s_own_precision():
    settings = Settings(images=20, epochs=1, batch_size=10, evaluations=1)
    for block, most in (("offset2prod", 4), ("conv2", 20)):
        found = trained_usage(Network(block, 3, "color", 0), settings, dead_leaves(20), 20)
        trainer = Trainer([Network(block, 3, "color", 0)], settings, dead_leaves(20))
        trainer.run()
        assert found["accuracy"] == trainer.evaluate()[0]
        for when in ("before", "after"):
            assert 1 <= found[when]["rank"] <= most
            assert 1 <= found[when]["effective"] <= most
            assert 0 <= found[when]["interaction"] <= 1
            assert found[when]["decision"] <= 20


@pytest.mark.parametrize("name", ["ranks", "ranks-cifar"])
def test_the_stored_ranks_are_those_of_the_protocol(name):
    header, found, unchecked = results.read(STORED / f"{name}.jsonl")
    channels = CHANNELS if name == "ranks" else CIFAR_CHANNELS
    assert {record["block"] for record in found} == set(COMPARED) and unchecked == 0
    for record in found:
        settings = protocol(record["block"]) if name == "ranks" else PRESETS["laptop"][0]
        assert header["settings"][record["block"]] == settings.as_dict()
        assert record["settings"] == settings.identifier and record["channels"] == channels
        if record["block"] in ("B1prod", "offset2prod"):
            assert record["before"]["rank"] == record["after"]["rank"] == channels + 1


def test_measuring_resumes_and_refuses_what_is_not_its_own(tmp_path):
    networks = [Network(block, 2, "color", 0) for block in ("B1", "conv2")]
    settings = Settings(images=20, epochs=1, batch_size=10, evaluations=1)
    output, data = tmp_path / "ranks.jsonl", dead_leaves(40)
    measure(networks[:1], lambda block: settings, data, output)
    first = output.read_text()
    output.write_text(first + '{"check": "0123')  # killed while writing
    measure(networks, lambda block: settings, data, output)
    assert output.read_text().startswith(first)
    assert [record["block"] for record in results.read(output).records] == ["B1", "conv2"]
    whole = output.read_text()
    longer = dataclasses.replace(settings, epochs=2)
    with pytest.raises(ResultsError, match="holds results of other settings"):
        measure(networks, lambda block: longer, data, output)
    with pytest.raises(ResultsError, match="fingerprint"):
        measure(networks, lambda block: settings, dead_leaves(50), output)
    assert output.read_text() == whole
    for text in ("a letter to somebody\n", '{"name": "B1-C2-color-s0"}\n'):
        output.write_text(text)
        with pytest.raises(ResultsError, match="results file"):
            measure(networks, lambda block: settings, data, output)
        assert output.read_text() == text


def test_a_file_that_lost_its_measurements_is_noticed(tmp_path, monkeypatch):
    output = tmp_path / "ranks.jsonl"

    def measured(network, *_):
        output.unlink()  # as a file put back by an editor or by git
        return {"name": network.name}

    monkeypatch.setattr(separation, "trained_usage", measured)
    with pytest.raises(ResultsError, match="exchanged, lacks B3-C1-color-s0; start again"):
        measure([Network("B3", 1, "color", seed) for seed in (0, 1)], lambda block: Settings(),
                dead_leaves(10), output)


def test_other_settings_of_a_kind_that_is_not_compared_are_refused(tmp_path):
    """The header has those of `COMPARED`: networks of two settings came to stand in one file."""
    short = Settings(images=20, epochs=1, batch_size=10, evaluations=1)
    longer, output = dataclasses.replace(short, epochs=2), tmp_path / "ranks.jsonl"
    networks = [Network("B3", 1, "color", seed) for seed in (0, 1)]
    measure(networks[:1], lambda block: short, dead_leaves(40), output)
    whole = output.read_text()
    with pytest.raises(ResultsError, match="holds B3-C1-color-s0 of other settings"):
        measure(networks[::-1], lambda block: longer if block == "B3" else short, dead_leaves(40),
                output)
    assert output.read_text() == whole


def test_other_settings_that_another_run_stores_meanwhile_are_refused(tmp_path, monkeypatch):
    short, longer = Settings(epochs=1), Settings(epochs=2)
    first, second = (Network("B3", 1, "color", seed) for seed in (0, 1))
    output, data = tmp_path / "ranks.jsonl", dead_leaves(10)

    def other(block):
        return longer if block == "B3" else short

    def measured(network, settings, *_):
        if settings == short:  # the other run is through with the second one while we train this
            measure([second], other, data, output)
        return {"name": network.name, "settings": settings.identifier}

    monkeypatch.setattr(separation, "trained_usage", measured)
    with pytest.raises(ResultsError, match="holds B3-C1-color-s1 of other settings"):
        measure([first, second], lambda block: short, data, output)


@pytest.mark.parametrize("data, settings_of, words", [
    (None, Settings(), "measure: settings_of=Settings.*; need a function from the name of"),
    (None, {"B1": Settings()}, "measure: settings_of={'B1': .*: lambda block: settings"),
    (dead_leaves(40), {"mine": Settings()}.get,
     "measure: settings_of..B1prod..=None; need a value of type Settings"),
    ((torch.zeros(10, 3, 32, 32), torch.arange(10)), Settings, "measure: data=.*ImageSet")])
def test_what_measuring_needs_is_said_before_a_file_is_made(tmp_path, data, settings_of, words):
    networks = [Network("B1", 2, "color", 0)]
    with pytest.raises(TypeError, match=words):
        measure(networks, settings_of, data or dead_leaves(10, leaves=1), tmp_path / "a.jsonl")
    assert not list(tmp_path.iterdir())


def test_a_folder_of_images_needs_the_option_for_them(capsys):
    with pytest.raises(SystemExit):
        main(["--data-folder", "somewhere"])
    assert "belongs to --cifar-10" in capsys.readouterr().err


def test_ranks_of_a_local_folder_are_named_before_a_download(monkeypatch, tmp_path):
    monkeypatch.setattr(separation, "load_data", lambda *_: pytest.fail("fetched"))
    monkeypatch.setenv("OVERLAPS_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="ranks-cifar.jsonl holds results of images from a local"):
        main(["--cifar-10"])


def test_a_program_with_nothing_to_do_says_so(capsys, monkeypatch):
    monkeypatch.setattr(pooled, "run", lambda **options: None)
    main([])
    pooled.main([])
    assert [line.split(" are ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "33 networks", "90 networks"]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_of_classes_that_tie_the_first_is_chosen(kind):
    """Of integer tables of rank r the approximation is the table: roundings chose among ties."""
    draw = torch.Generator().manual_seed(0)
    for rank, classes, side in ((1, 2, 4), (1, 3, 5), (2, 3, 8), (3, 10, 8)) * 10:
        tables = (torch.randint(0, 3, (classes, side, rank), generator=draw)
                  @ torch.randint(0, 3, (classes, rank, side), generator=draw)).to(kind)
        assert decision_rank(tables, share=1) <= rank
        shifted = tables / 10 + 0.3 - (tables / 10 + 0.3).mean(0)  # ties up to roundings
        assert decision_rank(shifted, share=1) <= classes * rank + 1
    for _ in range(60):  # processors leave up to 25 roundings of the largest number in some
        tables = (torch.randint(-2, 3, (10, 20, 2), generator=draw)
                  @ torch.randint(-2, 3, (10, 2, 24), generator=draw)).to(kind)
        assert decision_rank(tables, share=1) <= 2
    silent = torch.zeros(2, 2, 2, dtype=kind)  # where nothing is said, the first class wins
    silent[1] = torch.diag(torch.tensor([2.0, 1.0]))
    assert decision_rank(silent, share=1) == 2 and decision_rank(silent, share=0.75) == 1
    assert decision_rank(silent.flip(0), share=1) == 1
