"""Image sets made on the spot, and subsets of image sets."""

import numpy as np
import pytest
import torch

from lib.experiments.embedded import dead_leaves, photograph_patches
from lib.experiments.imageset import ImageSet


@pytest.mark.parametrize("make", [dead_leaves, photograph_patches])
def test_embedded_sets(make):
    data = make(50, seed=1)
    assert data.images.shape == (50, 3, 32, 32) and data.images.dtype == torch.uint8
    assert data.labels.bincount().tolist() == [5] * 10
    assert make(50, seed=1).fingerprint == data.fingerprint != make(50, seed=2).fingerprint
    assert len({image.numpy().tobytes() for image in data.images}) == 50
    assert float(data.images.float().std()) > 20
    with pytest.raises(ValueError, match="count=3"):
        make(3)


def test_patches_are_patches_of_the_photograph():
    from matplotlib import cbook, image
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        photograph = image.imread(file, format="jpg")
    patch = photograph_patches(10).images[0].permute(1, 2, 0).numpy()
    corner = np.argwhere((photograph[:-31, :-31] == patch[0, 0]).all(-1))
    assert any((photograph[y:y + 32, x:x + 32] == patch).all() for y, x in corner)


def test_dead_leaves_radii_follow_the_power_law():
    """Small disks cover little: neighboring pixels mostly agree, distant ones rarely do."""
    images = dead_leaves(100).images.float()
    near = (images[..., 1:] == images[..., :-1]).all(1).float().mean()
    far = (images[..., 16:] == images[..., :-16]).all(1).float().mean()
    assert near > 0.6 and far < 0.2


def test_subset_is_balanced_and_fixed():
    images = torch.arange(100)[:, None, None, None].expand(100, 3, 32, 32).to(torch.uint8)
    data = ImageSet(images, torch.arange(100) % 10, tuple("abcdefghij"), {"name": "test"})
    part = data.subset(33)
    assert part.labels.bincount().tolist() == [4, 4, 4] + [3] * 7
    assert torch.equal(part.images, data.subset(33).images)
    assert not torch.equal(part.images, data.subset(33, seed=1).images)
    assert "33 images" in part.provenance["subset"]
    with pytest.raises(ValueError, match="count=5"):
        data.subset(5)
    with pytest.raises(ValueError, match="labels from 0 to 10"):
        ImageSet(images[:2], torch.tensor([0, 10]), (), {})
