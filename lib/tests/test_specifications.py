"""What mode trees and architectures have in common, and what a bound and a certificate say."""

import dataclasses
import json
import math

import pytest
import torch
from matplotlib.axes import Axes

from lib import Architecture, Bound, Layer, ModeTree, Modular, Real, certify
from lib.bounds.bound import best
from lib.grids.blocks import matricization_block
from lib.grids.specification import Specification
from lib.networks.modules import ConvAC
from lib.trees.circuit import TreeCircuit
from lib.trees.tree import Node

TREES = [
    ModeTree.star(modes=3, dim=2, width=5),
    ModeTree.perfect(modes=8, pool=2, dim=3, widths=(2, (4, 5), 3)),
    ModeTree.perfect(modes=9, pool=3, dim=2, widths=(2, 1)),
    ModeTree.perfect(modes=4, pool=2, dim=2, widths=(1, 3)).permuted([0, 3, 1, 2]),
    ModeTree(Node((0, Node((1, 2), 4)), 3), dim=2),
]
NETS = [
    Architecture(4, 2, ((3, 1, 2), (4, 4, 1))),
    Architecture((4, 6), 3, (Layer((1, 2), 1, 2), Layer((4, 6), (4, 6), 2))),
    Architecture(8, 2, ((3, 2, 4), (4, 4, 1)), ndim=1),
]
EVERY = pytest.mark.parametrize("subject", [*TREES, *NETS], ids=repr)


@EVERY
def test_a_specification_can_be_pasted_back(subject):
    assert eval(repr(subject)) == subject  # noqa: S307
    assert "\n" not in str(subject) and str(subject) != repr(subject)


@EVERY
def test_both_kinds_offer_the_same(subject):
    assert isinstance(subject, Specification)
    positions = math.prod(subject.grid)
    weights = subject.random_weights(Real(), torch.Generator().manual_seed(0))
    subject.check_weights(weights)
    sizes = []
    same = subject.map_weights(lambda weight: (sizes.append(weight.numel()), weight)[1], weights)
    subject.check_weights(same)
    assert sum(sizes) == subject.parameter_count(shared=isinstance(subject, Architecture))
    assert subject.product_form(weights)[0] is subject
    seen = subject.output_cell(weights, {mode: {mode} for mode in range(positions)},
                               lambda maps: set().union(*(cell or () for *_, cell in maps)))
    assert seen == set(range(positions)), "the output sees every position"
    with pytest.raises(ValueError, match="output_cell: output=9"):
        subject.output_cell(weights, dict.fromkeys(range(positions)), len, output=9)


@pytest.mark.parametrize("subject", [*TREES[:2], *NETS], ids=repr)
def test_both_kinds_draw_themselves(subject):
    assert isinstance(subject.draw(), Axes)


def test_a_tree_is_drawn_with_a_partition_by_name():
    colors = []
    for partition in ("even-odd", (0, 2)):
        axes = TREES[3].draw(partition=partition, title="halves")
        assert axes.get_title(loc="left") == "halves" or axes.get_title() == "halves"
        colors.append([text.get_bbox_patch().get_facecolor() for text in axes.texts])
    assert colors[0] == colors[1] and len(set(colors[0])) == 3


def test_a_layer_without_neighbors_is_not_drawn():
    with pytest.raises(ValueError, match="no two cells side by side"):
        NETS[0].draw(layer=2)
    for layer in (0, 9):
        with pytest.raises(ValueError, match=f"there is no layer {layer} in"):
            NETS[0].draw(layer=layer)


def test_modules_bring_their_own_weights():
    draw = torch.Generator().manual_seed(0)
    for module, specification in ((TreeCircuit(TREES[0], generator=draw), TREES[0]),
                                  (ConvAC(NETS[2], generator=draw), NETS[2])):
        block = matricization_block(module, None, [0])
        expected = matricization_block(specification, module.weights, [0])
        assert torch.equal(block, expected) and block.any()
        with pytest.raises(ValueError, match="its own weights"):
            matricization_block(module, module.weights, [0])
    with pytest.raises(ValueError, match="max pooling with activation relu does not split"):
        matricization_block(ConvAC(NETS[0], pooling="max", activation="relu", generator=draw),
                            None, "left-right")
    with pytest.raises(ValueError, match="does not split"):
        matricization_block(TreeCircuit(TREES[0], operator=torch.add, generator=draw), None, [0])
    with pytest.raises(TypeError, match="is not a ModeTree"):
        matricization_block(torch.nn.Linear(2, 2), None, [0])


def test_triples_are_layers():
    assert Architecture(4, 2, ((3, 1, 2), Layer(4, 4, 1))) == NETS[0]
    assert Architecture(4, 2, [[3, 1, 2], [4, 4, 1]]) == NETS[0]


@pytest.mark.parametrize("net", NETS, ids=repr)
def test_an_architecture_comes_back_from_json(net):
    stored = json.loads(json.dumps(dataclasses.asdict(net)))
    assert Architecture(**stored) == net
    with pytest.raises(TypeError, match="unexpected keyword argument 'padding'"):
        Architecture(4, 2, [{**stored["layers"][0], "padding": 1}])


def test_bounds_and_certificates_come_back_from_json():
    net = Architecture(9, 2, ((3, 2, 3), (5, 5, 1)))
    found = net.private_pixel_bound(), certify(net, "left-right", rows=3, columns=2)
    assert found[0].powers and found[1].sampled
    for result in (*found, certify(NETS[0], [0])):
        stored = type(result)(**json.loads(json.dumps(dataclasses.asdict(result))))
        assert (stored, hash(stored), repr(stored)) == (result, hash(result), repr(result))


def test_bounds_compare_by_value():
    large, equal, small = Bound(2, 120, layer=1), Bound(64, 20, layer=2), Bound(3, 2)
    assert large == equal == 2**120 and hash(large) == hash(equal) == hash(2**120)
    assert small < large and large > small and small <= 9 and small >= 9 and small != 8
    assert 8 < small < 10 and not small > 9 and not small < 9
    assert max([small, large, equal]) is large and best([equal, large]) is equal
    assert best([]).silent and best([]) == 1
    assert small != "3^2" and small != None  # noqa: E711
    with pytest.raises(TypeError):
        small < "3^2"  # noqa: B015


def test_a_sampled_certificate_shouts():
    wide = Architecture(6, 2, ((3, 1, 2), (6, 6, 1)))
    found = certify(wide, "left-right", rows=8, columns=8)
    assert found.rank == 8 and found.sampled and found.whole == (2**18, 2**18)
    assert str(found).startswith("AT LEAST 8: only a block of 8 × 8 entries was looked at")
    whole = certify(NETS[0], "left-right")
    assert not whole.sampled and str(whole) == "rank 256 of 256 × 256, full, mod 8388593"


def test_a_partition_may_be_an_iterator():
    assert certify(NETS[0], iter(range(8))).rank == certify(NETS[0], "top-bottom").rank


def test_a_tree_has_no_biases():
    with pytest.raises(ValueError, match="mode trees have no biases"):
        TREES[0].random_weights(Modular(), torch.Generator(), biases=True)
