"""Grid tensors and certificates where other tests do not look: limits, defaults, devices, sizes."""

import dataclasses
import importlib
import inspect
import pkgutil
from itertools import product

import pytest
import torch

import lib
import lib.grids.certify
import lib.grids.grid
import lib.grids.pairs
from lib import Architecture, ModeTree
from lib.exact.arithmetic import Modular, Real
from lib.grids.blocks import matricization_block
from lib.grids.cells import Cell, Factor, Side, Splitter
from lib.grids.certify import certify, certify_weights, entry_degree
from lib.grids.grid import change_basis, grid_block, grid_tensor, place
from lib.grids.pairs import _tile_side, evaluate_pairs
from lib.grids.specification import Specification, require_specification
from lib.tests.draws import seeded
from lib.tests.networks import line

FIELD, REAL = Modular(), Real()
PAIR = line(2, 2, (2, 1, 2), (2, 2, 1))
CPU = torch.device("cpu")


# The interface

def test_both_kinds_have_what_the_interface_lists():
    """Attributes are attributes, and what may be left out in one call may be in the other."""
    names = [name for name in vars(Specification) if not name.startswith("_")]
    assert len(names) == 9
    for kind, name in product((ModeTree, Architecture), names):
        asked, found = vars(Specification)[name], inspect.getattr_static(kind, name, None)
        if isinstance(asked, property):
            assert not inspect.isfunction(found), (kind, name)     # a field or a property
            continue
        wanted = inspect.signature(asked).parameters
        given = inspect.signature(found).parameters
        assert list(given)[:len(wanted)] == list(wanted), (kind, name)
        for parameter in wanted.values():
            if parameter.default is not parameter.empty:
                assert given[parameter.name].default == parameter.default, (kind, name)
    require_specification(PAIR, "f")
    require_specification(ModeTree.star(2, 2, 1), "f")


def test_what_holds_tensors_is_compared_by_identity():
    """Tensors compare entry by entry: such an equality would have no truth, and no hash."""
    seen = 0
    for name in ("exact", "bounds", "trees", "networks", "grids", "constructions"):
        package = importlib.import_module(f"lib.{name}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for kind in vars(importlib.import_module(module.name)).values():
                if inspect.isclass(kind) and dataclasses.is_dataclass(kind) and (
                        kind.__module__ == module.name):
                    types = {str(field.type) for field in dataclasses.fields(kind)}
                    if any(part in text for text in types
                           for part in ("Tensor", "list", "Weights")):
                        assert kind.__eq__ is object.__eq__, kind
                        assert kind.__hash__ is object.__hash__, kind
                        seen += 1
    assert seen >= 8


# Templates

def test_templates_are_placed():
    shown = torch.arange(6.0).reshape(3, 2)
    assert place(shown, torch.tensor([[0, 2], [2, 1]])).tolist() == [
        [[0, 1], [4, 5]], [[4, 5], [2, 3]]]
    assert place(shown, torch.zeros(0, 4).long()).shape == (0, 4, 2)
    assert place(torch.zeros(0, 2), torch.zeros(5, 0).long()).shape == (5, 0, 2)


def test_grid_tensors_entry_by_entry(monkeypatch):
    """In batches, without a gradient, from 0 templates on."""
    shown, batches = torch.tensor([[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]], requires_grad=True), []

    def network(x):
        batches.append(len(x))
        return x[:, 0, 0] + 10 * x[:, 1, 1] + 100 * x[:, 2, 0]

    values = shown.tolist()
    expected = torch.tensor([[[a[0] + 10 * b[1] + 100 * c[0] for c in values] for b in values]
                             for a in values])
    whole = grid_tensor(network, shown, 3)
    assert torch.equal(whole, expected) and not whole.requires_grad and batches == [27]
    monkeypatch.setattr(lib.grids.grid, "BATCH", 10)
    batches.clear()
    assert torch.equal(grid_tensor(network, shown, 3), expected) and batches == [10, 10, 7]
    batches.clear()
    rows, columns = torch.tensor([[1, 2], [0, 0], [2, 1], [2, 2]]), torch.tensor([[2], [0], [1]])
    block = grid_block(network, shown, [2, 0], 3, rows, columns)
    assert torch.equal(block, torch.stack([torch.stack([expected[r[0], c[0], r[1]]
                                                        for c in columns]) for r in rows]))
    assert batches == [10, 2]
    assert torch.equal(grid_tensor(lambda x: x[:, 0, 0].double(), shown, 1),
                       shown[:, 0].double())
    with pytest.raises(ValueError, match="need numbers from 0 to -1"):      # of no templates
        grid_block(network, torch.zeros(0, 2), [0, 2], 3, rows, columns)
    empty = grid_block(network, shown, [0, 2], 3, rows[:0], columns)
    assert empty.shape == (0, 3) and grid_block(network, shown, [0, 2], 3, rows,
                                                columns[:0]).shape == (4, 0)


@pytest.mark.parametrize("arithmetic", [REAL, FIELD], ids=str)
def test_a_basis_with_more_or_fewer_templates(arithmetic):
    for modes, channels, templates in ((3, 2, 3), (2, 3, 1), (1, 4, 2), (3, 1, 2)):
        tensor = arithmetic.tensor(torch.randint(9, (channels,) * modes, generator=seeded()))
        matrix = arithmetic.tensor(torch.randint(9, (templates, channels), generator=seeded(1)))
        expected = tensor
        for mode in range(modes):
            expected = torch.tensordot(matrix, expected, ([1], [mode])).movedim(0, mode)
        assert torch.equal(change_basis(tensor, matrix, arithmetic), expected)


# Blocks

def test_labels_tell_sub_indices_apart():
    """Numbers to a base while an integer holds them, else by sorting."""
    for templates, modes in ((2, 61), (2, 62), (2, 63), (2, 70), (3, 5), (7, 23), (1, 9)):
        index = torch.randint(templates, (6, modes), generator=seeded(modes))
        index = torch.cat([index, index.flip(0), index.clone().fill_(templates - 1)])
        index[7, -1] = (index[7, -1] + 1) % templates
        side = Side(tuple(range(10, 10 + modes)), index, torch.ones(templates, 2))
        for seen in (range(10, 10 + modes), range(12, 12 + modes // 2), [10 + modes - 1], []):
            labels = side.labels(frozenset(seen))
            part = index[:, [mode - 10 for mode in seen]]
            same = (part[:, None] == part[None]).all(-1)
            assert labels.dtype == torch.int64
            assert torch.equal(labels[:, None] == labels[None], same)
    assert Side((3, 5), torch.tensor([[0, 1], [1, 0]]), torch.tensor([[2.0, 3.0, 4.0],
                [5.0, 6.0, 7.0]])).values(5).tolist() == [[5, 2], [6, 3], [7, 4]]


def test_padding_is_a_constant_of_the_side_that_is_there():
    """Factors without a cell are their bias, or 0."""
    index = torch.zeros(3, 1).long()
    splitter = Splitter(Side((0,), index, torch.eye(1).double()),
                        Side((1,), index[:2], torch.eye(1).double()), REAL)
    left, right = splitter.input_cells().values()
    two, bias = torch.full((1, 1), 2.0).double(), torch.tensor([5.0]).double()
    alone = splitter.multiply([(two, bias, None), (two, bias, None)])
    assert alone.row is None and alone.column.tolist() == [[25.0, 25.0]] and not alone.is_mixed
    zero = splitter.multiply([(two, None, None), (two, bias, left)])
    assert zero.row.tolist() == [[0.0] * 3] and zero.column is None and not zero.is_mixed
    both = splitter.multiply([(two, bias, left), (two, None, right), (two, bias, None)])
    assert both.row.tolist() == [[35.0] * 3] and both.column.tolist() == [[2.0] * 2]
    assert both.is_mixed and not both.factors
    assert (both.row_modes, both.column_modes) == ({0}, {1})
    above = splitter.multiply([(two, bias, both), (two, None, right)])
    assert above.row is None and len(above.factors) == 1 and above.column.tolist() == [[2.0] * 2]
    assert hash(above) != hash(both) and Cell() != Cell()
    assert Factor(two, bias, left) != Factor(two, bias, left)


@pytest.mark.parametrize("inner", [255, 256, 257, 258])
def test_sums_of_residues_near_what_float64_holds(inner):
    """Products of the largest residue and centered residue, odd, with a bias on top."""
    row, column = (FIELD.prime - 3) // 2, FIELD.prime - 2
    first = torch.tensor([row, column]).double().expand(inner, 1, 2)
    last = torch.full((1, inner, 1), FIELD.prime - 2).double()
    for bias in (None, torch.full((1, 1), FIELD.prime - 1).double()):
        net = Architecture((2,), 1, ((2, 2, inner), (1, 1, 1)))
        block = matricization_block(net, [(first, None), (last, bias)], "left-right",
                                    arithmetic=FIELD)
        total = inner * row * column * (FIELD.prime - 2) - (bias is not None)
        assert block.item() == total % FIELD.prime
        deep = Architecture((4,), 1, ((2, 1, inner), (2, 1, inner), (4, 4, 1)))
        weights = deep.random_weights(FIELD, seeded(inner))
        block = matricization_block(deep, weights, "left-right", arithmetic=FIELD)
        network = lib.grid_network(deep, weights, FIELD)
        assert block.item() == grid_tensor(network, torch.ones(1, 1).double(), 4).item()


def test_more_than_256_of_anything():
    """Up to 256 Python keeps one object for a number, so that `is` would do for `==`."""
    net = line(2, 300, (2, 2, 1))
    weights = [(torch.ones(1, 300, 2), None)]
    block = matricization_block(net, weights, [0], torch.tensor([[299], [0]]), torch.tensor([[7]]),
                                torch.arange(90_000.0).reshape(300, 300) % 2)
    assert block.tolist() == [[150.0**2], [150.0**2]]
    tree = ModeTree.star(600, 2, 1)
    ones = {path: torch.ones(shape) for path, shape in tree.weight_shapes().items()}
    zeros = torch.zeros(2, 300).long()
    assert matricization_block(tree, ones, "left-right", zeros, zeros[:1]).tolist() == [[1], [1]]
    assert grid_block(lambda x: x.sum((1, 2)), torch.ones(2, 1), "left-right", 600, zeros,
                      zeros[:1]).tolist() == [[600], [600]]


def test_weights_of_any_type_are_taken():
    weights = PAIR.random_weights(REAL, seeded())
    single = [(w.float(), b.float()) for w, b in weights]
    block = matricization_block(PAIR, single, "left-right")
    assert block.dtype == torch.float64
    assert torch.allclose(block, matricization_block(PAIR, weights, "left-right"), atol=1e-5)
    grown = [(w.clone().requires_grad_(), b) for w, b in weights]
    assert not matricization_block(PAIR, grown, "left-right").requires_grad
    shown = torch.tensor([[1.0, 2.0], [0.0, 3.0]])
    assert torch.equal(matricization_block(PAIR, weights, [0], representation=shown),
                       matricization_block(PAIR, weights, [0], representation=shown.double()))
    two = line(2, 2, (2, 2, 2))
    weights = two.random_weights(FIELD, seeded())
    blocks = [matricization_block(two, weights, [0], arithmetic=FIELD, output=o) for o in (0, 1)]
    assert not torch.equal(*blocks)
    assert torch.equal(matricization_block(two, weights, [0], arithmetic=FIELD), blocks[0])


def test_a_tile_keeps_within_its_memory(monkeypatch):
    """Eight bytes for every channel of the cells that are evaluated for pairs."""
    net = Architecture((8,), 2, ((3, 1, 3), (3, 1, 5), (8, 8, 1)))
    weights = net.random_weights(FIELD, seeded())
    index = torch.zeros(3, 4).long()
    splitter = Splitter(Side((0, 1, 2, 3), index, torch.eye(2).double()),
                        Side((4, 5, 6, 7), index, torch.eye(2).double()), FIELD)
    cell = net.output_cell(weights, splitter.input_cells(), splitter.multiply, 0)
    channels = 1 + 4 * 5            # the output, and four cells of layer 2 that see mixed cells
    for tile, memory, side in ((10**6, 8 * channels * 100, 10), (10**6, 8 * channels * 100 - 1, 9),
                               (50, 10**9, 7), (10**6, 1, 1), (49, 10**9, 7), (48, 10**9, 6)):
        monkeypatch.setattr(lib.grids.pairs, "TILE", {"cpu": tile, "cuda": 16})
        monkeypatch.setattr(lib.grids.pairs, "MEMORY", {"cpu": memory, "cuda": 10**9})
        assert _tile_side(cell, "cpu") == side and _tile_side(cell, "cuda") == 4
        assert _tile_side(Cell(), "cpu") == min(int(tile**0.5), max(1, int((memory / 8)**0.5)))
    found = evaluate_pairs(cell, splitter.rows, splitter.columns, FIELD)
    assert found.shape == (3, 3) and (found == found[0, 0]).all()


# Certificates

def test_large_matrices_are_sampled_at_the_limit(monkeypatch):
    assert (lib.grids.certify.LARGEST, lib.grids.certify.SAMPLE) == (2**26, 4096)
    net = line(4, 2, (3, 1, 2), (4, 4, 1))                      # 4 × 4
    monkeypatch.setattr(lib.grids.certify, "SAMPLE", 3)
    for largest, shape in ((16, (4, 4)), (17, (4, 4)), (15, (3, 3))):
        monkeypatch.setattr(lib.grids.certify, "LARGEST", largest)
        weights = net.random_weights(FIELD, seeded())
        for found in (certify(net, "left-right"), certify_weights(net, weights, "left-right")):
            assert found.shape == shape and found.sampled == (shape == (3, 3))
            assert found.whole == ((4, 4) if found.sampled else None)
    for rows, columns, shape in ((2, None, (2, 3)), (None, 4, (3, 4)), (9, 9, (4, 4)),
                                 (1, 1, (1, 1))):
        found = certify(net, "left-right", rows=rows, columns=columns)
        assert found.shape == shape and found.sampled == (shape != (4, 4))
    uneven = certify(net, [0], rows=5)
    assert uneven.shape == (2, 3) and uneven.whole == (2, 8)


def test_samples_are_those_of_the_seed():
    net = line(4, 2, (2, 1, 1), (4, 4, 1))
    weights = net.random_weights(Modular(3), seeded(3))
    ranks = {}
    for seed in range(8):
        found = [certify_weights(net, weights, "left-right", rows=2, columns=2, prime=3, **given)
                 for given in ({"seed": seed}, {"seed": seed})]
        assert found[0] == found[1] and found[0].prime == 3 and found[0].degree is None
        ranks[seed] = found[0].rank
    assert len(set(ranks.values())) > 1
    assert certify_weights(net, weights, "left-right", rows=2, columns=2, prime=3).rank == ranks[0]


def test_certificates_carry_the_degree_of_their_entries():
    """The second output of a padded network has fewer factors; drawn templates count."""
    net = line(3, 2, (2, 2, 2), (2, 1, 1))
    weights = net.random_weights(FIELD, seeded())
    degrees = {(o, which): entry_degree(net, weights, which, o)
               for o, which in product((0, 1), (False, True))}
    # a layer-1 cell: two factors of degree 1, and of degree 2 where templates are drawn
    assert degrees == {(0, False): 6, (0, True): 9, (1, False): 4, (1, True): 5}
    assert entry_degree(net, weights) == 6
    for (o, which), degree in degrees.items():
        for representation in ("random",) if which else (None, torch.eye(2)):
            found = certify(net, "left-right", output=o, representation=representation)
            assert found.degree == degree and found.shape == (2, 4)
    assert certify(net, "left-right").degree == 6


@pytest.mark.parametrize("device, entries, expected", [
    (None, 16, [None]), (None, 17, []), ("cpu", 17, ["cpu"])])
def test_large_blocks_move_to_a_gpu_unless_told_otherwise(monkeypatch, device, entries, expected):
    asked = []
    monkeypatch.setattr(lib.grids.certify, "WORTH_MOVING", entries)
    monkeypatch.setattr(lib.grids.certify, "exact_device",
                        lambda name: (asked.append(name), CPU)[1])
    net = line(4, 2, (3, 1, 2), (4, 4, 1))
    assert certify(net, "left-right", device=device).rank == 4 and asked == expected
    weights = net.random_weights(FIELD, seeded())
    assert certify_weights(net, weights, "left-right", device=device).rank == 4
    assert asked == 2 * expected
