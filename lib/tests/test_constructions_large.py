"""Real sizes: the constructed network run forward equals the proof's closed form, entry for entry.

No matrix of these sizes can exist. What is checked is every channel of every cell of layer K, and
the output, on random templates. The rank then follows from the closed form by elimination.
"""

import pytest
import torch

from lib import matching_construction, overlap_construction
from lib.exact.arithmetic import Modular, Real
from lib.networks.architecture import Architecture, Layer
from lib.networks.families import block_network, googlenet_stack
from lib.tests.test_constructions import FIELD, agrees, random_shown, random_templates

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("window, layer, partition, bound", [
    (3, 1, "left-right", "64^64"), (3, 5, "top-bottom", "64^32"),
    pytest.param(5, 1, "top-bottom", "64^128", marks=pytest.mark.slow),
    (5, 5, "left-right", "64^32")])
def test_block_networks_at_32_x_32_with_64_channels(window, layer, partition, bound):
    net, generator = block_network(window, 32, channels=64, width=63), torch.Generator()
    generator.manual_seed(window)
    built = overlap_construction(net, random_templates(net, generator), FIELD, partition, layer)
    assert str(built.rank()) == bound
    same, output = agrees(built, random_shown(built, generator, 4))
    assert same and bool((output != 0).all())


def test_block_network_in_floating_point():
    net, generator = block_network(3, 32, channels=64, width=63), torch.Generator().manual_seed(0)
    built = overlap_construction(net, Real().random((64, 64), generator), Real(), layer=5)
    templates = random_shown(built, generator, 4)
    cells = built.output(templates, built.layer)[:, :built.base - 1]
    assert torch.allclose(cells, built.predicted_cells(templates), rtol=0, atol=1e-9)
    output, predicted = built.output(templates), built.predicted_output(templates)
    assert bool((predicted != 0).all()) and torch.allclose(output, predicted, rtol=1e-9, atol=0)


@pytest.mark.slow
def test_googlenet_stack_up_to_an_inception_module():
    """Module 3b, whose shift of 40 is spread over four layers."""
    net, generator = googlenet_stack(), torch.Generator().manual_seed(6)
    built = overlap_construction(net, random_templates(net, generator), FIELD, layer=6, shift=40)
    assert str(built.rank()) == "64^280" and built.digits == (0, 0, 2, 2, 4, 4)
    templates = random_shown(built, generator, 2)
    cells = built.output(templates, built.layer)[:, :built.base - 1]
    assert bool((cells == built.predicted_cells(templates)).all()) and bool(cells.any())


@pytest.mark.slow
def test_googlenet_stack_to_its_output():
    net, generator = googlenet_stack(), torch.Generator().manual_seed(8)
    built = overlap_construction(net, random_templates(net, generator), FIELD, layer=8, shift=56)
    assert str(built.rank()) == "64^98" and built.digits == (0, 0, 0, 0, 0, 4, 2, 4)
    templates = random_shown(built, generator, 2)
    output = built.output(templates)
    assert bool((output == built.predicted_output(templates)).all()) and bool((output != 0).all())


@pytest.mark.slow
def test_sizes_that_no_layer_divides():
    """An odd, rectangular input whose later windows read padding: the nested product."""
    net = Architecture((27, 45), 16, (Layer((3, 5), (1, 2), 32), Layer(3, 2, 32), Layer(5, 3, 20),
                                      Layer((5, 4), (5, 4), 7), Layer(2, 2, 1)))
    generator = torch.Generator().manual_seed(1)
    for partition in ("left-right", "top-bottom"):
        for layer in (1, 2, 3):
            scale = int(torch.randint(2, FIELD.prime, (), generator=generator))
            built = overlap_construction(net, random_templates(net, generator), FIELD, partition,
                                         layer, scale=scale)
            same, output = agrees(built, random_shown(built, generator, 6))
            assert same and built.rank().value > 1 and bool(output.any())


def test_matching_network_on_a_larger_input():
    """Theorem 2, unshared, 10 x 10 cells, random halves and the lower left corner."""
    generator, field = torch.Generator().manual_seed(2), Modular()
    net = Architecture(10, 5, (Layer(10, 1, 5), Layer(10, 10, 1)))
    corner = sorted(range(100), key=lambda p: max(9 - p // 10, p % 10))[:50]
    for rows in (corner, torch.randperm(100, generator=generator)[:50].tolist()):
        built = matching_construction(net, rows, random_templates(net, generator), field)
        templates = torch.randint(5, (8, 100), generator=generator)
        for p, q in built.pairs:
            templates[:4, q] = templates[:4, p]
        output = built.output(templates)
        assert bool((output == built.predicted_output(templates)).all())
        assert output.tolist() == [1] * 4 + [0] * 4
