"""The explicit networks: exact ranks at small sizes, their closed forms at any size."""

from itertools import product

import numpy as np
import pytest
import torch

from lib import Architecture, Layer, overlap_construction, two_layer_construction
from lib.bounds.crossing import shift_digits
from lib.constructions.pieces import overhangs
from lib.exact.arithmetic import Modular, Real
from lib.networks.families import block_network
from lib.tests import brute_force
from lib.tests.networks import NETWORKS, architectures, grid, line, partitions

FIELD = Modular()


def random_templates(net, generator, field=FIELD):
    """A random F, nonsingular but for a chance of about one in the prime."""
    return field.random((net.channels, net.channels), generator)


def plain(weights):
    """Weights as integer arrays for the plain implementation."""
    return [tuple(part.numpy().astype(np.int64) for part in pair) for pair in weights]


def exact_rank(built, axis=-1, cut=None):
    """Rank of the whole matricization, network and elimination both by the plain implementation."""
    templates = built.representation.numpy().astype(np.int64)
    matrix = brute_force.grid_matrix(built.architecture, plain(built.weights), templates, axis,
                                     cut, FIELD.prime)
    return brute_force.rank(matrix, FIELD.prime)


def telling_templates(built, generator, count):
    """Random templates, half of them with equal templates along every chain of pairs."""
    net = built.architecture
    shown = torch.randint(net.channels, (count, *net.size), generator=generator)
    extent, step = net.size[built.axis], net.total_stride(built.layer, built.axis)
    for start in range(0, extent - built.shift, step):
        pixel = shown.narrow(1 + built.axis, start, 1)
        partner = shown.narrow(1 + built.axis, start + built.shift, 1)
        partner[: count // 2] = pixel[: count // 2]
    return shown.flatten(1)


def agrees(built, templates):
    """Network and closed form, at layer K cell by cell and at the output."""
    cells = built.output(templates, built.layer)[:, :built.base]
    output = built.output(templates)
    return (bool((cells == built.predicted_cells(templates)).all())
            and bool((output == built.predicted_output(templates)).all()), output)


def reads_padding(net, layer):
    """Whether a window after the layer reaches over the border of its map."""
    return any(overhangs(net, later, offset) for later in range(layer + 1, net.depth + 1)
               for offset in product(*map(range, net.strides[later - 1])))


SMALL = [(net, int(stronger.split("^")[0]) ** int(stronger.split("^")[1]))
         for net, _, _, _, stronger, rank in NETWORKS if rank is not None]


@pytest.mark.parametrize("net, rank", SMALL)
def test_explicit_weights_have_the_rank_of_the_bound(net, rank):
    generator = torch.Generator().manual_seed(0)
    for name, axis in partitions(net):
        best = net.crossing_bound(name)
        built = overlap_construction(net, random_templates(net, generator), FIELD, name,
                                     best.layer, best.shift, scale=1000)
        assert exact_rank(built, axis) == rank
        assert agrees(built, telling_templates(built, generator, 20))[0]


def test_explicit_weights_of_hundreds_of_networks():
    """Every admissible layer, random reachable shifts, cuts, F: exact unless padding is read."""
    generator, built_count, exact, stretched = torch.Generator().manual_seed(1), 0, 0, 0
    for net, rng in architectures(seed=8, count=400, most_entries=1024):
        for name, axis in partitions(net):
            for layer in range(1, net.depth):
                shifts = [s for s in net.reachable_shifts(layer, axis) if s]
                if net.missing_hypotheses(layer) or not shifts:
                    continue
                shift, cut = int(rng.choice(shifts)), int(rng.integers(1, net.size[axis]))
                scale = int(rng.integers(2, FIELD.prime))
                built = overlap_construction(net, random_templates(net, generator), FIELD, name,
                                             layer, shift, scale)
                padded = reads_padding(net, layer)
                rank = exact_rank(built, axis, cut)
                predicted = built.rank(cut).value
                assert rank >= predicted if padded else rank == predicted, (net, name, layer, shift)
                assert agrees(built, telling_templates(built, generator, 8))[0]
                built_count, exact = built_count + 1, exact + (predicted > 1 and not padded)
                stretched += built.base > max(1, min(
                    [net.channels, net.widths[layer], *(d // 2 for d in net.widths[1:layer])]))
    assert built_count > 200 and exact > 40 and stretched > 5


def test_padding_needs_the_correction():
    """With zero biases on the hops the tensor vanishes; with 1/D it has the predicted rank."""
    net = line(8, 2, (3, 1, 4), (3, 1, 2), (8, 8, 1))
    built = overlap_construction(net, FIELD.tensor([[1, 0], [0, 1]]), FIELD, layer=2, shift=4)
    assert exact_rank(built) == built.rank().value == 16
    weight, bias = built.weights[1]
    second = built.digits[1]
    bias[:2, second] = 0
    weight[:2, :, second] = torch.eye(2, 4).roll(2, 1)
    first_bias = built.weights[0][1]
    first_bias[2:4, built.digits[0]] = 0
    built.weights[0][0][2:4, :, built.digits[0]] = torch.eye(2).double()
    assert exact_rank(built) == 0


def corner_block(built, cut):
    """Output when the cells before the cut follow one word and the others follow a second.

    Every chain of paired cells that crosses the cut is one letter of both words.
    """
    net = built.architecture
    extent, step = net.size[built.axis], net.total_stride(built.layer, built.axis)
    lines = range(0, net.size[1 - built.axis], net.total_stride(built.layer, 1 - built.axis))
    linked = []
    for start in range(0, extent, step):
        if start < cut <= start + built.shift < extent:
            columns = [start, start + built.shift]
            while columns[0] >= built.shift and (columns[0] - built.shift) % step == 0:
                columns.insert(0, columns[0] - built.shift)
            while columns[-1] % step == 0 and columns[-1] + built.shift < extent:
                columns.append(columns[-1] + built.shift)
            linked.append(columns)
    letters = list(product(lines, linked))
    words = torch.cartesian_prod(*[torch.arange(built.base)] * len(letters))
    shown = torch.zeros(len(words), len(words), *net.size, dtype=torch.int64)
    shown = shown.movedim(2 + built.axis, -1)                   # the cut axis last
    for letter, (row, columns) in enumerate(letters):
        for column in columns:
            word = words[:, None, letter] if column < cut else words[None, :, letter]
            shown[:, :, row, column] = word
    shown = shown.movedim(-1, 2 + built.axis).flatten(2)
    output = torch.cat([built.output(row) for row in shown])
    return output.reshape(len(words), len(words))


@pytest.mark.parametrize("net, rank", [
    (grid(6, 2, (4, 2, 2), (3, 3, 1)), 64), (grid(6, 2, (5, 3, 2), (2, 2, 1)), 4),
    (grid(8, 2, (2, 2, 4), (3, 2, 2), (2, 2, 1)), 4),
    (grid(8, 2, (3, 2, 4), (3, 2, 2), (2, 2, 1)), 16),
    (grid(5, 2, (3, 2, 2), (3, 3, 1)), 8)])
def test_larger_networks_by_the_block_that_carries_the_rank(net, rank):
    generator = torch.Generator().manual_seed(2)
    for name, axis in partitions(net):
        best = net.crossing_bound(name)
        built = overlap_construction(net, random_templates(net, generator), FIELD, name,
                                     best.layer, best.shift)
        block = corner_block(built, net.size[axis] // 2)
        assert brute_force.rank(block.numpy().astype(np.int64), FIELD.prime) == rank == best.value
        assert bool((block == torch.diag(block.diagonal())).all())


def test_two_layer_weights_attain_the_exact_rank():
    generator = torch.Generator().manual_seed(3)
    for window, channels, width, cut, bias in product((2, 3, 5), (2, 3), (1, 2, 3), (1, 3),
                                                      (True, False)):
        net = line(6, channels, (window, 1, width), (6 + bias, 6, 1))
        built = two_layer_construction(net, random_templates(net, generator), FIELD, cut=cut,
                                       last_bias=bias)
        assert built.rank() == net.exact_two_layer_rank(cut=cut, last_bias=bias)
        assert exact_rank(built, cut=cut) == built.rank().value
        templates = torch.randint(channels, (50, 6), generator=generator)
        assert bool((built.output(templates) == built.predicted_output(templates)).all())
    net = Architecture((2, 4), 3, (Layer(3, 1, 2), Layer((2, 4), (2, 4), 1)))
    for name, axis in partitions(net):
        built = two_layer_construction(net, random_templates(net, generator), FIELD, name)
        assert exact_rank(built, axis) == net.exact_two_layer_rank(name).value


def test_real_arithmetic_agrees_with_the_closed_form():
    generator = torch.Generator().manual_seed(4)
    for net in (block_network(3, 8, channels=4, width=8),
                line(9, 3, (3, 2, 6), (2, 1, 6), (5, 5, 1))):
        representation = Real().random((net.channels, net.channels), generator)
        built = overlap_construction(net, representation, Real())
        templates = telling_templates(built, generator, 10)
        cells = built.output(templates, built.layer)[:, :built.base]
        assert torch.allclose(cells, built.predicted_cells(templates), atol=1e-9)
        assert torch.allclose(built.output(templates), built.predicted_output(templates), atol=1e-9)


def test_errors_say_what_is_missing():
    net, identity = line(4, 2, (3, 1, 2), (1, 4, 1)), torch.eye(2).double()
    with pytest.raises(ValueError, match="window \\(1,\\) smaller than its stride"):
        overlap_construction(net, identity, FIELD, layer=1)
    net = line(4, 2, (2, 1, 2), (4, 4, 1))
    with pytest.raises(ValueError, match="shift=3 at layer 1: the windows span only \\(1,\\)"):
        overlap_construction(net, identity, FIELD, layer=1, shift=3)
    with pytest.raises(ValueError, match="name the layer"):
        overlap_construction(net, identity, FIELD, shift=1)
    with pytest.raises(ValueError, match="singular"):
        overlap_construction(net, torch.ones(2, 2).double(), FIELD)
    built = overlap_construction(net, identity, FIELD)
    with pytest.raises(ValueError, match=r"need \(batch, 4\)"):
        built.predicted_output(torch.zeros(1, 5, dtype=torch.int64))
    with pytest.raises(ValueError, match="needs a stride-1 layer"):
        two_layer_construction(line(4, 2, (2, 2, 2), (2, 2, 1)), identity, FIELD)
    assert shift_digits(net, 1, 1) == (2, (1,))
