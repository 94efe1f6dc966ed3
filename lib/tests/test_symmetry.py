"""Networks of shared 1×1 maps do not see the symmetries of the quadtree; all others do."""

import itertools

import pytest
import torch

from lib import Architecture, ModeTree, Modular, certify_weights, evaluate, exact_rank
from lib.exact.device import generator
from lib.experiments.ensembles import Ensemble
from lib.experiments.kinds import KINDS
from lib.experiments.networks import Network
from lib.networks.convolutional import forward
from lib.trees.symmetry import (
    invariant_dimension,
    moved,
    quadtree_places,
    random_symmetry,
    side_orbits,
    symmetry_order,
)

pytestmark = pytest.mark.usefixtures("one_thread")
FIELD = Modular()


def canonical(content, pool):
    """The content of a tree with the children of every node sorted."""
    if len(content) == 1:
        return content[0]
    size = len(content) // pool
    return tuple(sorted((canonical(content[i:i + size], pool)
                         for i in range(0, len(content), size)), key=repr))


def closure(levels, pool):
    """All symmetries, from exchanges of two neighboring children at one node."""
    modes = pool**levels
    steps = []
    for level in range(levels):
        size = pool**level
        for start in range(0, modes, pool * size):
            for child in range(pool - 1):
                step = list(range(modes))
                a, b = start + child * size, start + (child + 1) * size
                step[a:a + size], step[b:b + size] = step[b:b + size], step[a:a + size]
                steps.append(step)
    found = {tuple(range(modes))}
    new = list(found)
    while new:
        new = [image for one in new for step in steps
               if (image := tuple(one[i] for i in step)) not in found and not found.add(image)]
    return found


@pytest.mark.parametrize("levels, pool", [
    (1, 4), (2, 2), pytest.param(3, 2, marks=pytest.mark.slow), (1, 3)])
def test_order_and_elements_of_the_group(levels, pool):
    group = closure(levels, pool)
    assert len(group) == symmetry_order(levels, pool)
    draw = generator(0)
    drawn = {tuple(random_symmetry(levels, draw, pool).tolist()) for _ in range(60 * len(group))}
    assert drawn == group  # every element comes, and nothing else


@pytest.mark.parametrize("levels, dim, pool", [(1, 3, 4), (2, 2, 2), (3, 2, 2), (2, 3, 2)])
def test_the_invariant_tensors_have_one_entry_per_orbit(levels, dim, pool):
    group = torch.tensor(sorted(closure(levels, pool)))
    contents = torch.tensor(list(itertools.product(range(dim), repeat=pool**levels)))
    weights = dim ** torch.arange(pool**levels)
    smallest = (contents[:, group] * weights).sum(-1).amin(1)  # the smallest of every orbit
    assert len(smallest.unique()) == invariant_dimension(levels, dim, pool)
    forms = {canonical(content, pool) for content in contents.tolist()}
    assert len(forms) == invariant_dimension(levels, dim, pool)
    halves = {tuple(sorted(content[:pool // 2])) for content in contents.tolist()}
    assert levels > 1 or len(halves) == side_orbits(levels, dim, pool)


def test_places_follow_the_blocks_of_an_image():
    places = quadtree_places(3)
    assert sorted(places.tolist()) == list(range(64))
    for size in (1, 2, 4):
        for block in places.split(size * size):
            rows, columns = block // 8, block % 8
            assert int(rows.max() - rows.min()) == int(columns.max() - columns.min()) == size - 1
    with pytest.raises(ValueError, match="64 places"):
        moved(torch.zeros(4, 4), torch.arange(64))


OPERATORS = {"product": None, "maximum": torch.maximum, "sum": torch.add}


@pytest.mark.parametrize("operator", OPERATORS)
def test_shared_trees_are_invariant_and_others_are_not(operator):
    tree, draw = ModeTree.perfect(64, 4, 3, (4, 5, 2)), generator(1)
    arithmetic = FIELD if operator == "product" else None
    for shared in (True, False):
        drawn = tree.random_weights(FIELD, draw, shared=shared)
        if arithmetic is None:  # small integers: float64 adds them up without an error
            drawn = tree.map_weights(lambda weight: weight % 7 - 3, drawn)
        inputs = torch.randint(0, 9, (5, 64, 3), generator=draw).double()
        found = evaluate(tree, drawn, inputs, arithmetic, OPERATORS[operator])
        for _ in range(4):
            symmetry = random_symmetry(3, draw)
            other = evaluate(tree, drawn, inputs[:, symmetry], arithmetic, OPERATORS[operator])
            assert torch.equal(found, other) == shared


def integer_network(block, channels, draw):
    """A network of the experiments with small integer weights, in float64."""
    ensemble = Ensemble([Network(block, channels, "none", 0)]).double()
    for parameter in ensemble.parameters():
        parameter.data = torch.randint(-2, 3, parameter.shape, generator=draw).double()
    return ensemble


@pytest.mark.parametrize("block", [b for b, kind in KINDS.items() if not kind.product])
def test_which_networks_of_the_experiments_are_invariant(block):
    """Exactly those without overlap and without order: everything is an exact dyadic number."""
    draw = generator(2)
    images = torch.randint(0, 256, (3, 3, 32, 32), generator=draw).double()
    kind, same = KINDS[block], []
    for _ in range(2):
        ensemble, symmetry = integer_network(block, 6, draw), random_symmetry(5, draw)
        with torch.no_grad():
            scores = ensemble(images)
            same.append(torch.equal(scores, ensemble(moved(images, symmetry))))
            assert len(scores.unique()) > 3  # not a network that sees nothing
    assert all(same) if not (kind.overlap or kind.order) else not any(same)


@pytest.mark.parametrize("alike", [True, False])
def test_a_weight_per_offset_breaks_the_symmetry(alike):
    """The theory's layer R=S=2, exactly; with equal weights at all offsets it is the 1×1 map."""
    net, draw = Architecture(4, 2, ((2, 2, 3), (2, 2, 1))), generator(3)
    weights = net.random_weights(FIELD, draw)
    if alike:
        weights = net.map_weights(lambda t: t[..., :1, :1].expand(t.shape).contiguous(), weights)
    images = FIELD.random((4, 2, 4, 4), draw)
    outputs = forward(net, weights, images, FIELD)
    others = forward(net, weights, moved(images, random_symmetry(2, draw)), FIELD)
    assert torch.equal(outputs, others) == alike


def spanned(width, count=90):
    """Dimension of the span of the tensors of shared trees with 16 modes, exactly."""
    tree, draw = ModeTree.perfect(16, 4, 2, (width, 1)), generator(4)
    blocks = list(itertools.combinations_with_replacement(range(2), 4))
    contents = [sum(four, ()) for four in itertools.combinations_with_replacement(blocks, 4)]
    inputs = torch.eye(2, dtype=torch.float64)[torch.tensor(contents)]  # one of every orbit
    rows = [evaluate(tree, tree.random_weights(FIELD, draw, shared=True), inputs, FIELD)
            for _ in range(count)]
    return exact_rank(torch.stack(rows)).rank


def test_shared_trees_span_the_invariant_tensors_once_they_are_wide_enough():
    # 1 channel: powers of one form of degree 16 in 2 variables, 17 coefficients. 2 channels: the
    # cubic that vanishes on sums of two fourth powers, times 5 linear forms, is missing.
    assert [spanned(width) for width in (1, 2, 3, 4)] == [17, 65, 70, 70]
    assert invariant_dimension(2, 2) == 70


def left_right(size, channels, window, alike, seed=0):
    net = Architecture(size, 2, ((window, 2, channels), (window, 2, channels), (1, 1, 1)))
    weights = net.random_weights(FIELD, generator(seed))
    if alike:
        weights = net.map_weights(lambda t: t[..., :1, :1].expand(t.shape).contiguous(), weights)
    return certify_weights(net, weights, "left-right").rank


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_ranks_see_overlap_and_not_order(channels):
    for alike in (True, False):
        assert left_right(4, channels, 2, alike) == channels + 1
        assert left_right(4, channels, 3, alike) > channels + 1


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_ranks_do_not_see_mixing_either(channels):
    """2×2 convolutions with stride 2 and squares: rank D + 2, with order and mixing."""
    draw = generator(5)
    values = torch.tensor(list(itertools.product(range(2), repeat=8))).double().view(256, 1, 4, 2)
    images = torch.cat((values[:, None].expand(-1, 256, -1, -1, -1),
                        values[None].expand(256, -1, -1, -1, -1)), -1).flatten(0, 1)
    for inputs in (1, channels):
        weight = FIELD.random((channels, inputs, 2, 2), draw)
        bias = FIELD.random((channels, 1, 1), draw)
        images = FIELD.reduce(FIELD.reduce(
            torch.nn.functional.conv2d(images, weight, stride=2) + bias).square())
    scores = FIELD.matmul(images.flatten(1), FIELD.random((channels, 1), draw))
    assert exact_rank(scores.view(256, 256)).rank == channels + 2


def test_the_rank_of_an_invariant_tensor_is_bounded_whatever_the_width():
    assert left_right(4, 20, 2, True) == side_orbits(2, 2) == 15
    assert left_right(4, 20, 2, False) == 21
