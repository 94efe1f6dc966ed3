"""What a network, a tree or an image does not have is refused by every drawing, not drawn."""

import warnings

import numpy as np
import pytest
import torch
from matplotlib import pyplot

from lib import Architecture, ModeTree
from lib.audit import audit as audit_of
from lib.audit import effective_field
from lib.constructions.overlaps import overlap_construction
from lib.course import ROOT
from lib.exact.arithmetic import Real
from lib.exact.ranks import entanglement_entropy, singular_values
from lib.plots import (
    architectures,
    audit,
    choices,
    connectivity,
    cp,
    crossing,
    depth,
    geometry,
    grids,
    log_space,
    moves,
    overlaps,
    partitions,
    proof,
    rectifiers,
    style,
    toolbox,
    widths,
    windows,
)
from lib.trees.mixtures import DilatedNetwork
from lib.trees.rectifiers import single_channel
from lib.trees.routing import smallest_cut

ROW = Architecture((8,), 3, ((3, 1, 2), (3, 1, 2), (8, 8, 1)))
TREE, OTHER = ModeTree.perfect(4, 2, 2, (2, 3)), ModeTree.perfect(8, 2, 4, (2, 4, 4))
TILE, SEEN = torch.linspace(0, 1, 48).view(3, 4, 4), torch.eye(4) > 0
PATCHES = torch.arange(96).reshape(2, 48)


@pytest.mark.parametrize("draw, named", [
    (lambda axes: crossing.draw_signs(axes, ROW, 2, 4, 8), "draw_signs: cell 8 of layer 2"),
    (lambda axes: crossing.draw_signs(axes, ROW, 3, 4, 1), "draw_signs: cell 1 of layer 3"),
    (lambda axes: crossing.draw_signs(axes, ROW, 2, 4, 4), "pixels 4 and 8; the last pixel .* 7"),
    (lambda axes: moves.draw_travel(axes, moves.two_hops(), (1,), 8), "draw_travel: cell 8"),
    (lambda axes: moves.draw_travel(axes, moves.two_hops(), (-1,), 1), "marked=-1; need .* 0 to 7"),
    (lambda axes: moves.draw_travel(axes, moves.two_hops(), (8,), 1), "marked=8; need .* 0 to 7"),
    (lambda axes: crossing.draw_private(axes, ROW, 4, 4), r"field=4; .* one of \(1, 2, 3\)"),
    (lambda axes: crossing.draw_private(axes, ROW, 3, 8), "draw_private: cut=8; need .* 1 to 7"),
    (lambda axes: windows.draw_row_of_windows(axes, ROW, 8), "cut=8; need an integer from 1 to 7"),
    (lambda axes: windows.draw_digits(axes, 4, 8, 0), "cut=0; need an integer from 1 to 7"),
    (lambda axes: proof.draw_chains(axes, 8, 1, -3, 4), "draw_chains: shift=-3; need .* >= 1"),
    (lambda axes: proof.draw_chains(axes, 8, 0, 3, 4), "draw_chains: step=0; need .* >= 1"),
    (lambda axes: proof.draw_chains(axes, 8, 1, 3, 9), "draw_chains: cut=9; need .* from 1 to 7"),
    (lambda axes: architectures.field_of_cell(ROW, 1, 8), "field_of_cell: cell=8; need .* 0 to 7"),
    (lambda axes: geometry.draw_windows(axes, "square", 8, 1, [-1]), "windows=-1; need .* 0 to 15"),
    (lambda axes: geometry.draw_windows(axes, "square", 8, 4, [0]), "level=4; need .* 1 to 3"),
    (lambda axes: geometry.regions(2), "regions: side=2; need an integer >= 4"),
    (lambda axes: grids.draw_mosaic(axes, PATCHES, [-1, 0], (1, 2)), "templates=-1; need .* to 1"),
    (lambda axes: grids.draw_mosaic(axes, PATCHES, [2, 0], (1, 2)), "templates=2; need .* 0 to 1"),
    (lambda axes: log_space.draw_tile(axes, 255 * TILE, SEEN), "draw_tile: colors from 0 to 255"),
    (lambda axes: log_space.draw_tile(axes, TILE - 0.5, SEEN), "draw_tile: colors from -0.5 to"),
    (lambda axes: depth.draw_channels_needed(axes, [2, 6], 2, []), r"\(2, 6\); need powers of two"),
    (lambda axes: depth.draw_point(np.eye(3), np.eye(4), 3), r"\(3, 3\) and \(4, 4\); need \(M, M"),
    (lambda axes: toolbox.draw_cut(axes, TREE, "even-odd", smallest_cut(OTHER, "left-right")),
     "draw_cut: cut=.* is none of "),
    (lambda axes: widths.draw_network(axes, TREE, (), {(): 99}), "draw_network: cut={.*: 99} is"),
    (lambda axes: partitions.draw_partition(axes, "even-odd", 16), "draw_partition: size=16; need"),
    (lambda axes: partitions.draw_partition(axes, "even-odd", (8,)), "draws two axes"),
    (lambda axes: windows.draw_pairs(axes, "even-odd", (8,)), r"draw_pairs: size \(8,\) has 1"),
    (lambda axes: architectures.draw_projection(axes, ROW, 1), r"size \(8,\) has 1 axes; draws"),
    (lambda axes: audit.draw_unit(axes, audit_of(torch.nn.Conv1d(3, 4, 5), (32,)).box(None, (3,)),
                                  (32,)), r"draw_unit: size \(32,\) has 1 axes; draws two"),
    (lambda axes: audit.draw_influence(axes, effective_field(torch.nn.Conv1d(3, 1, 3), (16,))),
     r"draw_influence: size \(16,\) has 1 axes; draws two"),
    (lambda axes: rectifiers.draw_rank_counts(axes, {name: {1: 1} for name in "abcd"}),
     "draw_rank_counts: 4 names .*; draws one to three"),
    (lambda axes: rectifiers.draw_shares(axes, {"N = 4": [1, 0.5]}, (1, 2, 4)),
     "draw_shares: N = 4 has 2 shares for 3 widths"),
    (lambda axes: grids.draw_patches([axes], torch.zeros(2, 48)), "draw_patches: 2 .* on 1 axes"),
    (lambda axes: connectivity.draw_exchange(axes, DilatedNetwork(((1, 2, 4),), 2, 2, ())),
     "draw_exchange: 1 streams; draws two"),
    (lambda axes: connectivity.draw_errors(axes, {"one": [0.3, float("nan")]}, {}),
     "draw_errors: one has errors .*; need finite numbers"),
    (lambda axes: geometry.draw_related({"a": ((0, 1), (1, 2))}), "1 partitions with .2. ranks")])
def test_what_is_not_there_is_not_drawn(draw, named):
    """Cells, pixels, windows and nodes beside the picture, counted from its end or nowhere."""
    with style.figure() as (_, axes), pytest.raises((ValueError, TypeError), match=named):
        draw(axes)
    pyplot.close("all")


@pytest.mark.parametrize("draw, named", [
    (lambda axes: architectures.draw_cones(axes, Architecture((8,), 2, ((3, 1, 2), (8, 8, 1))),
                                           (0, 1)), "draw_cones: cell 1 of layer 2; .* size 1,"),
    (lambda axes: architectures.draw_cones(axes, Architecture((8,), 2, ((3, 2, 2),)), (-1, 0)),
     "draw_cones: cell -1 of layer 1; .* size 4,"),
    (lambda axes: architectures.draw_projection(axes, Architecture(8, 2, ((3, 2, 2),)), 1, (0, 4)),
     "draw_projection: cell 0, 4 of layer 1; .* size 4×4,")])
def test_cells_that_a_map_does_not_have_are_not_drawn(draw, named):
    """They stood beside the map, with a field outside of the input or none."""
    with style.figure() as (_, axes), pytest.raises(ValueError, match=named):
        draw(axes)


def test_own_partitions_stand_beside_those_of_the_course():
    """A ninth ended in an error of zip."""
    found = {name: (part, (1, 2, 3)) for name, part in geometry.regions().items()}
    for more, count in ({"mine": ((0, 5), (4, 5, 6))}, 9), ({}, 8):
        drawing = geometry.draw_related(found | more)
        assert len(drawing.axes) == count
    assert len(geometry.draw_related({"mine": ((0, 5), (4, 5, 6))}).axes) == 1
    pyplot.close("all")


def test_ranks_may_be_certified_and_above_the_generic_one():
    """Integers have no value; bars of ranks above the one that is called generic were cut off."""
    networks = overlaps.window_sweep(4, 2, 2)
    ranks = [net.exact_two_layer_rank() for net in networks]
    with style.figure(columns=3) as (_, axes):
        overlaps.draw_threshold(axes[0], networks, ranks)
        overlaps.draw_threshold(axes[1], networks, [rank.value for rank in ranks])
        grids.draw_rank_counts(axes[2], {4: 2, 30: 1}, 9, "")
    assert [*axes[0].lines[0].get_ydata()] == [*axes[1].lines[0].get_ydata()] == [0, 4, 8, 8]
    assert max(bar.get_x() + bar.get_width() for bar in axes[2].patches) < axes[2].get_xlim()[1]


def test_shares_stand_at_their_widths():
    """Those of widths 2 and 8 stood at 1 and 2, in the order of the list."""
    with style.figure(columns=2) as (_, axes):
        rectifiers.draw_shares(axes[0], {"N = 4": [0.1, 0.5]}, (8, 2))
        rectifiers.draw_shares(axes[1], {"N = 4": [0.5, 0.1]})
    assert axes[0].lines[0].get_xydata().tolist() == [[2, 0.5], [8, 0.1]]
    assert axes[0].get_xticks().tolist() == [8, 2]
    assert axes[1].lines[0].get_xydata().tolist() == [[1, 0.5], [2, 0.1]]


@pytest.mark.parametrize("take", [
    cp.draw_outer_product,
    lambda axes, matrix: grids.draw_grid_matrix(axes, matrix, "left-right"),
    lambda axes, matrix: toolbox.draw_table(axes, matrix, "table"),
    lambda axes, matrix: widths.draw_spectra(axes, {"deep": singular_values(matrix)}),
    lambda axes, matrix: entanglement_entropy(matrix), lambda axes, matrix: single_channel(matrix)])
def test_a_matrix_with_gradients_is_drawn_and_measured_without_a_warning(take):
    torch.set_warn_always(True)  # it would come once in a process
    try:
        with style.figure() as (_, axes), warnings.catch_warnings():
            warnings.simplefilter("error")
            take(axes, torch.eye(4, requires_grad=True))
    finally:
        torch.set_warn_always(False)


def test_values_and_images_with_gradients_are_drawn():
    image = torch.rand(8, 8, 3, requires_grad=True)
    box = audit_of(torch.nn.Conv2d(3, 4, 3), 8).box(None, (0, 0))
    with style.figure(columns=2) as (_, axes):
        proof.draw_kernel(axes[0], torch.eye(2, 3, requires_grad=True))
        audit.draw_unit(axes[1], box, (8, 8), image)
    assert [text.get_text() for text in axes[0].texts] == list("100010")
    assert np.allclose(axes[1].images[0].get_array(), image.detach())


@pytest.mark.parametrize("side", [np.int64(16), np.uint8(16), torch.tensor(16)])
def test_windows_are_drawn_for_every_integer_as_a_side(side):
    """The largest level was asked of the side itself, and sixteen times sixteen is no byte."""
    pictures = []
    for taken in (16, side):
        axes = pyplot.figure().subplots()
        geometry.draw_windows(axes, "mirror", taken, 2, (0, 5))
        pictures.append(axes.images[0].get_array().data)
        pyplot.close("all")
    assert np.array_equal(*pictures) and pictures[0].shape == (16, 16, 3)


LONG = Architecture((300,), 2, ((3, 1, 2), (300, 300, 1)))


@pytest.mark.slow
@pytest.mark.parametrize("draw", [
    lambda axes, n: geometry.draw_regions(axes, "left-right", n(16)),
    lambda axes, n: grids.draw_rank_counts(axes, {n(1): n(3), n(250): n(5)}, n(253), "t"),
    lambda axes, n: audit.draw_paths(axes, {"a": [(n(3), n(2), n(1))] * 2}, n(224), n(100), "t"),
    lambda axes, n: crossing.draw_elimination(axes, LONG, 1, n(2), n(200)),
    lambda axes, n: crossing.draw_private(axes, LONG, n(3), n(200)),
    lambda axes, n: crossing.draw_signs(axes, LONG, n(1), n(2), n(250)),
    lambda axes, n: windows.draw_row_of_windows(axes, LONG, n(200)),
], ids=["regions", "ranks", "paths", "elimination", "private", "signs", "row"])
@pytest.mark.parametrize("number", [np.uint8, lambda value: torch.tensor(value).byte()])
def test_numbers_of_one_byte_draw_the_same_picture(draw, number):
    """Sums and products of bytes overflowed: other limits, windows missing, raw errors."""
    pictures = []
    for taken in (int, number):
        axes = pyplot.figure().subplots()
        draw(axes, taken)
        pictures.append([
            [patch.get_path().vertices @ patch.get_patch_transform().get_matrix()[:2, :2].T
             + patch.get_patch_transform().get_matrix()[:2, 2] for patch in axes.patches],
            [patch.get_facecolor() for patch in axes.patches],
            [np.asarray(line.get_xydata(), dtype=float) for line in axes.lines],
            [[text.get_text(), *map(float, text.get_position())] for text in axes.texts],
            [image.get_array().data for image in axes.images], [*axes.get_xlim()]])
        pyplot.close("all")
    for plain, bytes_ in zip(*pictures, strict=True):
        assert len(plain) == len(bytes_)
        assert all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b
                   for a, b in zip(plain, bytes_))


@pytest.mark.parametrize("draw, found", [
    (lambda axes, rows: windows.draw_pairs(axes, rows, (2, 2)), 2),
    (lambda axes, rows: widths.draw_routes(axes, ModeTree.star(4, 2, 4), rows), 2)])
def test_row_modes_that_can_be_read_once_are_read_once(draw, found):
    """The matching and the routes were those of no rows at all: none."""
    with style.figure() as (_, axes):
        assert draw(axes, iter((0, 2))) == draw(axes, (0, 2)) == found


@pytest.mark.parametrize("seed", range(3))
def test_a_pixel_travels_through_rounded_numbers(seed):
    """With templates other than units a sign is 0.999..., which was cut off to the 0 of padding."""
    templates = torch.randn(2, 2, generator=torch.Generator("cpu").manual_seed(seed)).double()
    built = overlap_construction(moves.two_hops().architecture, templates, Real(), layer=2, shift=3)
    assert [moves.traveling_signs(net, (1, 4)) for net in (built, moves.two_hops())] == 2 * [
        [[1, -1, 1, 1, -1, 1, 1, 1], [-1, -1, 1, -1, -1, 1, 1, 0], [-1, 1, -1, -1, -1, 0, 0, 0]]]


def test_geometries_of_a_readers_own_have_rows_too():
    """They ended in a KeyError: the colors are those of the stored networks."""
    with style.figure() as (_, axes):
        geometry.draw_accuracies(axes, {"product": {"dilated": [0.7, 0.8], "square": [0.9]}})
    assert [(text.get_text(), text.get_color()) for text in axes.texts] == [
        ("dilated", style.INK), ("square", geometry.GEOMETRY_COLORS["square"])]


def test_windows_of_an_odd_side_do_not_reach_into_the_next_row():
    """The last pixel of a row stood beside the first one of the next: two windows were split."""
    assert choices.split_windows((0, 3, 6), 3) == [(0, 0)]
    assert choices.split_windows((2, 5, 8), 3) == choices.split_windows((0,), 1) == []


def test_both_charts_of_depth_are_of_the_same_templates():
    """With three templates in notebook 3 the right chart stood for four, its table for three."""
    drawing = depth.draw_rank_against_size([(10, 1), (20, 2)], {1: (10, 1), 2: (20, 16)}, 3)
    shallow, *_ = (line.get_ydata() for line in drawing.axes[1].lines if len(line.get_xdata()) > 1)
    assert list(shallow) == [3 ** (size // 2) for size in (2, 4, 8, 16, 32)]
    notebook = (ROOT / "notebooks" / "03_ht_deep_network.py").read_text(encoding="utf-8")
    assert "draw_rank_against_size(shallow_points, deep_points, dim)" in notebook
