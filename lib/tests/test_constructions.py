"""The explicit networks: exact ranks at small sizes, their closed forms at any size."""

from itertools import product

import numpy as np
import pytest
import torch

from lib import Architecture, overlap_construction, two_layer_construction
from lib.bounds.crossing import shift_digits
from lib.constructions.pieces import overhangs
from lib.constructions.two_layers import _vanishes, root_prime
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
                                     cut, built.arithmetic.prime)
    return brute_force.rank(matrix, built.arithmetic.prime)


def free_rank(built, rng, cut=None):
    """Rank when only the free pixels vary and all others show random templates."""
    net, templates = built.architecture, built.representation.numpy().astype(np.int64)
    background = rng.integers(0, net.channels, np.prod(net.size))
    block = brute_force.free_block(net, plain(built.weights), templates, built.free_pixels(cut),
                                   built.base, background, FIELD.prime)
    return brute_force.rank(block, FIELD.prime)


def random_shown(built, generator, count):
    """Random templates for every pixel."""
    net = built.architecture
    return torch.randint(net.channels, (count, torch.Size(net.size).numel()), generator=generator)


def agrees(built, templates):
    """Network and closed form, at layer K cell by cell and at the output."""
    cells = built.output(templates, built.layer)[:, :built.base - 1]
    output = built.output(templates)
    return (bool((cells == built.predicted_cells(templates)).all())
            and bool((output == built.predicted_output(templates)).all()), output)


def reads_padding(net, layer):
    """Whether a window after layer K + 1 reaches over the border of its map."""
    return any(overhangs(net, later, offset) for later in range(layer + 2, net.depth + 1)
               for offset in product(*map(range, net.strides[later - 1])))


SMALL = [(net, stronger) for net, *_, stronger, rank in NETWORKS if rank is not None]


@pytest.mark.parametrize("net, stronger", SMALL)
def test_explicit_weights_have_the_rank_of_the_bound(net, stronger):
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    for name, axis in partitions(net):
        built = overlap_construction(net, random_templates(net, generator), FIELD, name)
        assert str(built.rank()) == stronger
        assert built.rank() == free_rank(built, rng)
        assert brute_force.entries(net) > 10**4 or exact_rank(built, axis) >= built.rank()
        assert agrees(built, random_shown(built, generator, 20))[0]


def explicit_cases(seed, count, most_entries):
    """Random networks, every admissible layer, a random reachable shift, cut, scale and F."""
    generator = torch.Generator().manual_seed(seed)
    for net, rng in architectures(seed=seed, count=count, most_entries=most_entries):
        for name, axis in partitions(net):
            for layer in range(1, net.depth):
                shifts = [s for s in net.reachable_shifts(layer, axis) if s]
                if net.missing_hypotheses(layer) or not shifts:
                    continue
                shift, cut = int(rng.choice(shifts)), int(rng.integers(1, net.size[axis]))
                scale = int(rng.integers(2, FIELD.prime))
                built = overlap_construction(net, random_templates(net, generator), FIELD, name,
                                             layer, shift, scale)
                yield built, cut, rng, generator


def check_explicit(built, cut, rng, generator):
    """The block of free pixels has exactly the rank; how the whole matrix compares."""
    net, predicted = built.architecture, built.rank(cut).value
    assert len(built.free_pixels(cut)) == built.rank(cut).exponent
    assert free_rank(built, rng, cut) == predicted, (net, built.layer, built.shift, cut)
    assert agrees(built, random_shown(built, generator, 8))[0]
    rank, hops = exact_rank(built, built.axis, cut), sum(digit > 0 for digit in built.digits)
    assert rank >= predicted
    if hops == 1 and not reads_padding(net, built.layer):
        assert rank == predicted, (net, built.layer, built.shift, cut)
    return predicted > 1, hops


def test_explicit_weights_of_hundreds_of_networks():
    telling = [check_explicit(*case) for case in explicit_cases(8, 70, 729)]
    assert len(telling) > 50 and sum(more for more, _ in telling) > 10
    assert sum(more for more, hops in telling if hops > 1) > 2


@pytest.mark.slow
def test_explicit_weights_of_thousands_of_networks():
    telling = [check_explicit(*case) for case in explicit_cases(9, 4000, 4096)]
    assert len(telling) > 4000 and sum(more for more, hops in telling if hops > 1) > 200


def test_every_part_of_the_construction_is_needed():
    """Two hops, two channels, three templates: 3^4, and what is left if a part is spoiled."""
    net = line(8, 3, (3, 1, 2), (3, 1, 2), (8, 8, 1))
    generator, rng = torch.Generator().manual_seed(5), np.random.default_rng(5)
    built = overlap_construction(net, random_templates(net, generator), FIELD, layer=2, shift=4)
    assert built.digits == (2, 2) and free_rank(built, rng) == built.rank() == 3**4
    weight, bias = built.weights[2]
    for spoiled, value, rank in ((bias, 0, 0), (weight, 0, 1)):  # padding kills; no signs
        kept = spoiled.clone()
        spoiled[:] = value
        assert free_rank(built, rng) == rank
        spoiled[:] = kept
    weight, bias = built.weights[1]                                 # layer 2 no longer hops
    weight[:, :, 2], bias[:, 2] = 0, 1
    assert free_rank(built, rng) < 3**4


@pytest.mark.parametrize("net, rank", [
    (grid(6, 2, (4, 2, 2), (3, 3, 1)), 64), (grid(6, 3, (5, 3, 2), (2, 2, 1)), 9),
    (grid(8, 5, (2, 2, 4), (3, 2, 4), (2, 2, 1)), 25),
    (grid(8, 2, (3, 2, 4), (3, 2, 2), (2, 2, 1)), 16),
    (grid(5, 3, (3, 2, 2), (3, 3, 1)), 27)])
def test_larger_networks_by_the_block_that_carries_the_rank(net, rank):
    generator, rng = torch.Generator().manual_seed(2), np.random.default_rng(2)
    for name, _ in partitions(net):
        built = overlap_construction(net, random_templates(net, generator), FIELD, name)
        assert free_rank(built, rng) == rank == net.crossing_bound(name)


def attains(net, generator, partition="left-right", cut=None, last_bias=True):
    """Whether the explicit weights have the exact rank and the output that the proof predicts."""
    field = Modular(root_prime(net, partition))
    built = two_layer_construction(net, random_templates(net, generator, field), field, partition,
                                   cut, last_bias)
    templates = random_shown(built, generator, 40)
    axis = net.ndim - 1 if partition == "left-right" else 0
    return (exact_rank(built, axis, cut) == built.rank()
            == net.exact_two_layer_rank(partition, cut, last_bias)
            and bool((built.output(templates) == built.predicted_output(templates)).all()))


def test_two_layer_weights_attain_the_exact_rank():
    """Every window and cut, the ones beyond the middle too, where columns run out first."""
    generator, beyond = torch.Generator().manual_seed(3), 0
    for window, cut, width, bias in product((1, 2, 3, 5), (1, 3, 4, 5), (1, 2, 3), (True, False)):
        net = line(6, 3, (window, 1, width), (6 + bias, 6, 1))
        assert attains(net, generator, cut=cut, last_bias=bias), (net, cut, bias)
        beyond += net.exact_two_layer_rank(cut=cut, last_bias=bias) < min(3, width + bias) ** min(
            window - 1, cut)
    assert beyond > 3
    for channels, cut in product((4, 6), (1, 2)):             # roots of unity of composite order
        assert attains(line(3, channels, (2, 1, 3), (3, 3, 1)), generator, cut=cut)
        root = two_layer_construction(line(3, channels, (2, 1, 3), (3, 3, 1)),
                                      torch.eye(channels).double(), Modular(2593)).root
        powers = {pow(root, n, 2593) for n in range(channels**2)}
        assert len(powers) == channels**2
    net = Architecture((2, 4), 2, ((3, 1, 2), ((2, 4), (2, 4), 1)))
    for partition, cut in (("left-right", 1), ("left-right", 3), ("top-bottom", 1)):
        assert attains(net, generator, partition, cut)


def test_real_arithmetic_agrees_with_the_closed_form():
    generator = torch.Generator().manual_seed(4)
    for net in (block_network(3, 8, channels=4, width=8),
                line(9, 3, (3, 2, 6), (2, 1, 6), (5, 5, 1))):
        representation = Real().random((net.channels, net.channels), generator)
        built = overlap_construction(net, representation, Real())
        templates = random_shown(built, generator, 10)
        cells = built.output(templates, built.layer)[:, :built.base - 1]
        assert torch.allclose(cells, built.predicted_cells(templates), atol=1e-9)
        assert torch.allclose(built.output(templates), built.predicted_output(templates), rtol=1e-9)


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
    with pytest.raises(ValueError, match="no root of unity of order 32"):
        two_layer_construction(line(6, 2, (5, 1, 2), (6, 6, 1)), identity, FIELD)
    assert shift_digits(net, 1, 1) == (1,)
    with pytest.raises(ValueError, match="D = 2 .* need a prime of at least 4"):  # 1 + 2 is 0
        overlap_construction(net, identity, Modular(3))


def test_two_layer_weights_are_given_only_where_they_attain_the_rank():
    """Scale 3 and the prime 193: the rank was 1 where 2 was promised."""
    net = line(4, 2, (4, 1, 1), (4, 4, 1))
    with pytest.raises(ValueError, match="scale=3 modulo 193; with it a window sums to zero"):
        two_layer_construction(net, torch.eye(2).double(), Modular(193), cut=1)
    for scale in range(1, 17):                  # of order 16 are all residues modulo 17 but 0
        factors = [sum(pow(scale * pow(3, n, 17), j, 17) for j in range(2)) % 17 for n in range(16)]
        assert 0 in factors and _vanishes(scale, 2, 16, 17)
    for order, prime, root in ((8, 41, 3**5), (9, 73, 5**8), (4, 13, 8)):
        powers = {pow(root, n, prime) for n in range(order)}
        assert len(powers) == order
        for terms, scale in product((1, 2, 3, 4), range(prime)):
            factors = [sum(pow(scale * z, j, prime) for j in range(terms)) % prime for z in powers]
            assert _vanishes(scale, terms, order, prime) == (0 in factors or scale == 0)
