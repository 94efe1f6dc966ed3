"""Ranks of trained networks: the matrices against a direct evaluation, ranks without overlap."""

import pytest
import torch

from lib.experiments.ensembles import Ensemble
from lib.experiments.networks import Network, generator_for
from lib.experiments.separation import decision_rank, effective_rank, exact_scores, split_scores

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


@pytest.mark.parametrize("block", ["B2prod", "offset2prod", "offset3prod"])
def test_exact_scores_are_those_of_the_ensemble_up_to_a_positive_number_per_image(block):
    ensemble = Ensemble([Network(block, 3, "none", 0)])
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
