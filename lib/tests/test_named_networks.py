"""Named networks have the widths of their papers: counts of parameters known from elsewhere."""

import pytest
import torch

from lib.audit import models
from lib.networks.families import googlenet_stack

# Trainable numbers as the documentation of torchvision lists them (`num_params`); its Inception-v3
# has an auxiliary classifier of 3,326,696 more; MobileNet-v1 has the 4.2 million of its paper.
COUNTS = {
    "AlexNet": 61_100_840, "VGG-11": 132_863_336, "VGG-16": 138_357_544, "ResNet-18": 11_689_512,
    "ResNet-34": 21_797_672, "ResNet-50": 25_557_032, "ResNet-101": 44_549_160,
    "ResNet-152": 60_192_808, "Inception-v3": 27_161_264 - 3_326_696, "MobileNet-v1": 4_231_976,
}


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_parameters(name):
    with torch.device("meta"):
        assert parameters(models.FAMOUS[name]()) == COUNTS[name]


def test_googlenet_counts_as_the_one_that_took_three_for_five():
    """The same source has 3x3 windows where the paper has 5x5, and 6,624,904 parameters."""
    with torch.device("meta"):
        count = parameters(models.googlenet())
    wider = sum(25 * inner * outer - 9 * inner * outer
                for *_, inner, outer, _ in models.GOOGLENET.values())
    assert count - wider == 6_624_904


def test_the_chain_of_googlenet_has_the_whole_widths_of_its_modules():
    net = googlenet_stack()
    widths = {name: one + three + five + projected
              for name, (one, _, three, _, five, projected) in models.GOOGLENET.items()}
    layers = [(window, width) for (window, _), width in zip(net.windows, net.widths[1:])]
    assert [width for window, width in layers if window == 5] == list(widths.values())
    assert layers[:4] == [(3, 64), (1, 64), (3, 192), (3, 192)]         # the poolings keep theirs
    assert layers[-2:] == [(7, 1024), (1, 1000)]
    assert [width for window, width in layers[4:] if window == 3] == [480, 832]
    pixels = googlenet_stack("pixels", channels=7)
    assert pixels.widths[:2] == (7, 64) and pixels.windows[0] == (7, 7) and len(layers) == 17
