"""What is computed from tensors on the CPU does not depend on the default device; types.

A session that has set it to a GPU is not at hand here. On the device "meta" no number can be read,
so that a new tensor on the default device is noticed, as it would be by torch on a GPU.
"""

import pytest
import torch

from lib import (
    Architecture,
    DilatedNetwork,
    ModeTree,
    Modular,
    Real,
    certify,
    certify_rectifier,
    certify_weights,
    change_basis,
    coefficient_tensor,
    entanglement_entropy,
    evaluate,
    exact_rank,
    fit,
    forward,
    grid_network,
    grid_tensor,
    indices,
    khatri_rao,
    log_forward,
    matching_construction,
    matricize,
    maximum_as_products,
    mex,
    missing_pixels,
    missing_rectangles,
    overlap_construction,
    photograph_patches,
    rectifier_construction,
    signed_log,
    simulate,
    single_channel,
    singular_values,
    two_layer_construction,
    universal_weights,
)
from lib.experiments.augment import hsv_to_rgb, rgb_to_hsv
from lib.experiments.blobs import Blobs, closedness, symmetry
from lib.experiments.ensembles import Ensemble
from lib.experiments.networks import Network, initial_weights
from lib.experiments.pooled import PooledNetworks, coded, window_order
from lib.experiments.separation import decision_rank, effective_rank, interaction_share
from lib.tests.draws import seeded
from lib.trees.symmetry import moved, random_symmetry
from lib.trees.tensors import sample_indices

TREE, NET = ModeTree.perfect(4, 2, 3, (2, 2)), Architecture((4, 4), 2, ((3, 1, 2), (4, 4, 1)))
DILATED = DilatedNetwork(((1, 2, 4), (2, 1, 4)), 2, 2)
LINE = Architecture((4,), 2, ((2, 1, 1), (4, 4, 1)))
BASE = torch.tensor([[1.0, 2.0], [3.0, 5.0]]).double()
IMAGES = torch.rand(5, 2, 4, 4, generator=seeded(1)).double()
TREE_WEIGHTS, WEIGHTS = (kind.random_weights(Real(), seeded(2)) for kind in (TREE, NET))
RESIDUES, SEQUENCE = NET.random_weights(Modular(), seeded(3)), IMAGES.reshape(2, 40, 2)
DILATED_WEIGHTS = DILATED.random_weights(Real(), seeded(4))
ONES = [(torch.ones(1, 2, 2).double(), None)]
ROWS = torch.tensor([[1.0, 4.0], [3.0, 4.0]])
CHANNEL = single_channel(ROWS)
BUILT = overlap_construction(LINE, BASE, Real())
SHOWN = indices(2, 4)
SPOTS = torch.rand(3, 32, 32, generator=seeded(5)) < 0.3
WINDOWS = coded(SPOTS, "mirror").expand(1, -1, -1)
POOLED = {kind: PooledNetworks(kind, "mirror", 2, (0,)) for kind in ("product", "max", "mean")}

CALLS = {
    "coefficient_tensor": lambda: coefficient_tensor(TREE, TREE_WEIGHTS),
    "evaluate": lambda: evaluate(TREE, TREE_WEIGHTS, IMAGES.reshape(-1)[:120].view(10, 4, 3)),
    "matricize": lambda: matricize(IMAGES[:2, :, :2, :2], "even-odd"),
    "khatri_rao": lambda: khatri_rao([BASE, BASE]),
    "forward": lambda: forward(NET, WEIGHTS, IMAGES),
    "log_forward": lambda: log_forward(NET, WEIGHTS, *signed_log(IMAGES)),
    "mex": lambda: mex(IMAGES, BASE[0, 1]),
    "grid_network": lambda: grid_network(NET, WEIGHTS)(IMAGES.flatten(2).mT),
    "grid_tensor": lambda: grid_tensor(lambda x: x.sum((1, 2)), BASE, 3),
    "change_basis": lambda: change_basis(IMAGES[:2, :, :2, :2], BASE, Real()),
    "certify": lambda: certify(NET, "left-right", seed=0, rows=30, columns=40).rank,
    "certify a tree": lambda: certify(TREE, "even-odd", seed=0).rank,
    "certify_weights": lambda: certify_weights(
        NET, RESIDUES, "left-right", representation=BASE, rows=20, columns=20).rank,
    "exact_rank": lambda: exact_rank(BASE).rank,
    "singular_values": lambda: singular_values(BASE),
    "entanglement_entropy": lambda: entanglement_entropy(BASE),
    "fit": lambda: fit(BASE, BASE, 0, Real()),
    "overlap_construction": lambda: overlap_construction(LINE, BASE, Real()).weights[0][0],
    "its outputs": lambda: BUILT.output(SHOWN) - BUILT.predicted_output(SHOWN),
    "matching_construction": lambda: matching_construction(
        Architecture((4,), 2, ((4, 1, 2), (4, 4, 1))), "left-right", BASE, Real()).weights[0][0],
    "two_layer_construction": lambda: two_layer_construction(
        LINE, BASE, Modular()).predicted_output(SHOWN),
    "outputs of rectifiers": lambda: RECTIFIERS.predicted_output(indices(3, 4)),
    "certify_rectifier": lambda: certify_rectifier(
        Architecture((2,), 2, ((2, 2, 1),)), ONES, [0]).rank,
    "universal_weights": lambda: [*universal_weights(IMAGES[:2, :, :2, 0])[1].values()],
    "single_channel": lambda: [*single_channel(ROWS)[1].values()],
    "maximum_as_products": lambda: [*maximum_as_products(*CHANNEL)[1].values()],
    "simulate": lambda: simulate(Architecture((4, 4), 2, ((3, 1, 2), (1, 1, 2), (4, 4, 1))), NET,
                                 WEIGHTS),
    "random weights": lambda: [TREE.random_weights(Modular(), seeded(0))[()],
                               NET.random_weights(Real(), seeded(0))[0][0]],
    "missing pixels": lambda: [missing_pixels(3, (4, 4), 0.5, seeded(0)),
                               missing_rectangles(3, (8, 8), 1, 3, seeded(0))],
    "photograph_patches": lambda: photograph_patches(4, 3, seeded(0)),
    "run a dilated network": lambda: DILATED.run(DILATED_WEIGHTS, SEQUENCE),
    "tensor of a dilated network": lambda: DILATED.tensor(DILATED_WEIGHTS),
    "colors of images": lambda: hsv_to_rgb(rgb_to_hsv(IMAGES[:, :1].expand(5, 3, 4, 4))),
    "symmetry of blobs": lambda: symmetry(
        SPOTS, torch.zeros(3, 2, dtype=torch.int64, device="cpu"), SPOTS.sum((1, 2)) * 0 + 32),
    "closedness of blobs": lambda: closedness(SPOTS),
    "labels of blobs": lambda: Blobs(SPOTS, *IMAGES[0, :, 0, :3]).task("symmetry"),
    "contents of windows": lambda: [coded(SPOTS, "square"), window_order(8, "random")],
    "networks on them": lambda: [net(WINDOWS) for net in POOLED.values()],
    "an ensemble": lambda: Ensemble([Network("B2", 2, "none", 0)])(
        torch.ones(1, 3, 32, 32, device="cpu")).detach(),
    "what ranks are used": lambda: [effective_rank(IMAGES), interaction_share(IMAGES),
                                    decision_rank(IMAGES[:, 0])],
    "index tuples": lambda: [sample_indices(2, 3, count, seeded(0)) for count in (0, 1, 5, 8)],
    "moved": lambda: moved(IMAGES, random_symmetry(2, seeded(0))),
}
RECTIFIERS = rectifier_construction(2, 3)


def numbers(value):
    """Tensors as lists: one without numbers raises."""
    if isinstance(value, (list, tuple)):
        return [numbers(part) for part in value]
    return value.tolist() if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("name", CALLS)
def test_numbers_are_where_the_arguments_are(name):
    expected = numbers(CALLS[name]())
    with torch.device("meta"):
        assert numbers(CALLS[name]()) == expected


@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16])
def test_networks_of_the_experiments_have_single_precision_under_every_default_type(default):
    def found():
        parts = [initial_weights(block, 3, 0) for block in ("B2", "offset2", "depth2")]
        ensemble = Ensemble([Network("haar2", width, "none", 0) for width in (2, 3)])
        pooled = PooledNetworks("mean", "square", 2, (0, 1))
        return [*(tensor for part in parts for tensor in part.values()), ensemble.membership,
                ensemble.patterns, *ensemble.parameters(), *pooled.parameters()]

    expected, before = found(), torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        again = found()
    finally:
        torch.set_default_dtype(before)
    assert {tensor.dtype for tensor in again} == {torch.float32}
    assert all(map(torch.equal, again, expected))
