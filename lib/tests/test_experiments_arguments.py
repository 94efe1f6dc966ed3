"""What is exchanged, of another kind or out of range is refused in one line that names it."""

import os

import numpy as np
import pytest
import torch

from lib.experiments import pooled, sweep
from lib.experiments.analysis import cells, contributions, missing
from lib.experiments.augment import Stream, Strength
from lib.experiments.ensembles import Ensemble
from lib.experiments.images import dead_leaves, photograph_patches
from lib.experiments.jobs import train_grid, train_job
from lib.experiments.networks import Network, initial_weights, mixed_seed, plain_network
from lib.experiments.records import ResultsFile
from lib.experiments.separation import split_scores
from lib.experiments.settings import PRESETS, Grid, Settings
from lib.planted import dilated
from lib.planted.runs import median_interval
from lib.planted.widths import fit_rectifiers, sign_products
from lib.results import Results, ResultsError

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = Settings(images=10, epochs=1, batch_size=5, evaluations=1)
LEAVES = dead_leaves(20, leaves=1)


@pytest.mark.parametrize("make, message", [
    (lambda: Settings(learning_rate="1e-3"), "learning_rate='1e-3', must be a float in"),
    (lambda: Settings(learning_rate=np.float32(1e-3)), "learning_rate=np.float32"),
    (lambda: Settings(strength={"translation": 4}), "strength={'translation': 4}, must be a Str"),
    (lambda: Strength(2.5), "translation=2.5"), (lambda: Strength(True), "translation=True"),
    (lambda: Strength(color_shift="0.1"), "color_shift=0.1, .* must have"),
    (lambda: Strength(color_factor=(1, 1, 1)), r"color_factor=\(1, 1, 1\); must have"),
    (lambda: Strength(color_factor=1), "color_factor=1; must have"),
    (lambda: pooled.PoolSettings(steps=2.5), "steps=2.5, must be an integer"),
    (lambda: pooled.PoolSettings(steps="9"), "steps='9', must be an integer"),
    (lambda: Grid({"B1": 2}), "channels of B1 2, must be at least one"),
    (lambda: Grid({"B1": (2,)}, "color"), "augmentations 'color', must be at least one"),
    (lambda: Grid({"B1": np.array([2.0, 4.0])}), "channels=np.float64.2.0., must be an int"),
    (lambda: Settings(epochs=np.float64(2)), "epochs=np.float64.2.0., must be an integer"),
    (lambda: Settings(images=True), "images=True, must be an integer"),
])
def test_settings_of_wrong_types_are_refused_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("call, message", [
    (lambda: sweep.run_sweep(QUICK, Grid({"B1": (2,)}), ""), "run_sweep: grid=Settings"),
    (lambda: train_grid(QUICK, Grid({"B1": (2,)})), "train_grid: grid=Settings"),
    (lambda: sweep.describe(*PRESETS["minute"]), "describe: grid=Settings"),
    (lambda: missing([], PRESETS["minute"]), "missing: grid=.*; need a value of type Grid"),
    (lambda: sweep.run_sweep(Grid({"B1": (2,)}), None, ""), "run_sweep: settings=None"),
    (lambda: sweep.run_sweep(Grid({"B1": (2,)}), QUICK, "", workers="2"), "workers='2'"),
    (lambda: Grid(["B1"]), "Grid: channels=..B1..; need a value of type dict"),
    (lambda: train_job(Network("B1", 2, "none", 0), QUICK, LEAVES), "Trainer: networks=Network"),
    (lambda: train_job((Network("B1", 2, "none", 0),), LEAVES, QUICK), "Trainer: data=Settings"),
    (lambda: train_job((Network("B1", 2, "none", 0),), QUICK, LEAVES.images), "Trainer: data=Ten"),
    (lambda: pooled.run(QUICK), "run: settings=Settings.*PoolSettings"),
    (lambda: cells((None, [])), "cells: None is no record of a network"),
    (lambda: plain_network("B3", 2), "plain_network: window='B3'; need an integer from 1 to 5"),
    (lambda: dead_leaves(20.5), "dead_leaves: count=20.5"),
    (lambda: dead_leaves(20, torch.Generator(), leaves=1), "seed=<torch._C.Generator"),
    (lambda: plain_network(3, 2, torch.Generator()), "seed=<torch._C.Generator"),
    (lambda: mixed_seed("a", None), "part of the seed=None"),
    (lambda: LEAVES.subset("12"), "ImageSet.subset: count='12'"),
    (lambda: median_interval(["1"] * 6), "median_interval: error='1'"),
    (lambda: dead_leaves(20, "0", leaves=1), "dead_leaves: seed='0'; need an integer"),
    (lambda: photograph_patches(10, "0"), "photograph_patches: seed='0'; need an integer"),
    (lambda: LEAVES.subset(10, "0"), "ImageSet.subset: seed='0'; need an integer"),
    (lambda: initial_weights("B1", 2, "0"), "initial_weights: seed='0'; need an integer"),
    (lambda: Stream(LEAVES, "color", "0", 5), "Stream: seed='0'; need an integer"),
    (lambda: Stream(LEAVES, "color", 0, 5, 0), "Augmenter: strength=0, must be a Strength"),
    (lambda: next(Stream(LEAVES, "color", 0, 5).epoch("0")), "epoch: number='0'"),
    (lambda: pooled.PooledNetworks("max", "square", 2, ("0",)), "PooledNetworks: seeds='0'"),
    (lambda: pooled.train("max", "square", pooled.PoolSettings(), (), (), "01"), "seeds='01'"),
    (lambda: contributions([], "color", "4"), "contributions: channels='4'; need an integer"),
    (lambda: dilated.train(dilated.NETWORKS["sum"], ((0, 1),), 1, "2"), "train: steps='2'"),
    (lambda: dilated.train(dilated.NETWORKS["sum"], ((0, 1),), 1, 1, length=9.0), "length=9.0"),
    (lambda: sign_products([[1, 1]], "near"), "sign_products: signs=..1, 1..; need a value of ty"),
    (lambda: split_scores(Ensemble([Network("B1prod", 1, "none", 0)]), LEAVES.images),
     "split_scores: images and others of torch.uint8"),
    (lambda: median_interval([1.0] * 6, "0.95"), "median_interval: level='0.95'")])
def test_what_is_exchanged_or_of_another_kind_is_named(call, message):
    """A generator in place of a seed gave other images on every run: its address was mixed in."""
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("call, message", [
    (lambda: median_interval([1.0] * 6 + [float("nan")]), "error=nan; need a finite number"),
    (lambda: median_interval([1.0] * 6, 95), "level=95; need a number from 0 to below 1"),
    (lambda: median_interval([1.0] * 6, -0.1), "level=-0.1; need a number from 0 to below 1"),
    (lambda: median_interval([1.0] * 6, -0.95), "level=-0.95; need a number from 0"),
    (lambda: next(Stream(LEAVES, "color", 0, 5).epoch(0, "test")), "epoch: purpose='test'"),
    (lambda: pooled.run(seeds=(0,), together=-1, output=""), "run: together=-1"),
    (lambda: sweep.run_sweep(Grid({"B1": (2,)}), QUICK, "", workers=-1), "run_sweep: workers=-1"),
    (lambda: dilated.train(dilated.NETWORKS["sum"], ((0, 1),), 0, 1), "train: starts=0"),
    (lambda: dilated.train(dilated.NETWORKS["sum"], ((0, 1),), 1, -1), "train: steps=-1"),
    (lambda: dilated.train(dilated.NETWORKS["sum"], ((0, 1),), 1, 1, length=7), "length=7; need"),
    (lambda: fit_rectifiers((2,), "near", 1, 1, batch=0), "fit_rectifiers: batch=0"),
    (lambda: sign_products(torch.ones(1, 3), "near"), "signs of shape .1, 3.; need .batch, N. wi"),
    (lambda: plain_network(7, 2), "window=7; need an integer from 1 to 5"),
    (lambda: initial_weights("B7", 2, 0), "initial_weights: block='B7'; need one of 'B1'"),
    (lambda: Results(os.devnull, {}, make=False), "not a regular file")])
def test_values_out_of_range_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("record, message", [
    ([{"name": "a"}], "is no record; need single dictionaries"), (None, "None is no record"),
    ({"name": "a", "x": float("nan")}, "'a' holds a number that is not finite")])
def test_what_is_no_record_is_named(tmp_path, record, message):
    with pytest.raises(ResultsError, match=message):
        Results(tmp_path / "a", {}).append(record)
    data = {"fingerprint": "0"}
    if not isinstance(record, dict):
        with pytest.raises(ResultsError, match=message):
            ResultsFile(tmp_path / "b", QUICK, data).append(record)
