"""Pictures that the book stores are those that the code draws."""

import io
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot

from lib import Architecture, ModeTree
from lib.audit import effective_field
from lib.bounds.private import private_columns
from lib.constructions.overlaps import overlap_construction
from lib.exact.arithmetic import Real
from lib.experiments import analysis, kinds, settings
from lib.plots import (
    architectures,
    audit,
    connectivity,
    cover,
    cp,
    crossing,
    drawing,
    experiments,
    geometry,
    grids,
    log_space,
    moves,
    overlaps,
    proof,
    rectifiers,
    style,
    toolbox,
    trees,
    widths,
    windows,
)
from lib.plots.export import FOLDER, book_figures, export, main
from lib.trees import routing


def test_every_figure_of_the_prose_is_stored():
    stored = {path.stem for path in FOLDER.glob("*.svg")}
    assert set(book_figures()) == {name for name in stored if not name.endswith("-phone")}
    assert {name.removesuffix("-phone") for name in stored} == set(book_figures())
    for path in FOLDER.glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg"), path.name


def test_the_same_picture_gives_the_same_bytes(tmp_path):
    first, second = (export(["crossing-pairs"], tmp_path / name)[0] for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_a_picture_that_gets_no_portrait_is_closed_twice(tmp_path):
    """It is drawn a second time to see whether it turns."""
    before = pyplot.get_fignums()
    (path,) = export(["experiment-orbit"], tmp_path)
    assert path.name == "experiment-orbit.svg"
    assert pyplot.get_fignums() == before


def test_unknown_figures_are_named(monkeypatch):
    with pytest.raises(ValueError, match="no figures \\['nothing'\\]"):
        export(["nothing"])
    monkeypatch.setattr("sys.argv", ["export", "nothing"])
    with pytest.raises(SystemExit, match="no figures .'nothing'.; known: "):
        main()


def outside(axes):
    """Points with a marker that lie beyond the ends of the axes: they are not drawn."""
    (left, right), (low, high) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    return [(x, y) for line in axes.lines if line.get_marker() not in ("None", "")
            and line.get_transform() == axes.transData
            for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
            if not (left <= x <= right and low <= y <= high)]


@pytest.mark.parametrize("name", ["spectra", "experiment-controls", "mixture-trained",
                                  "blobs-trained"])
def test_every_stored_point_is_drawn(name):
    """B=1 with two channels was missing, and the line that is said to end where the rank does."""
    drawing = book_figures()[name]()
    assert [outside(axes) for axes in drawing.axes] == [[]] * len(drawing.axes)
    pyplot.close(drawing)


def test_points_of_other_runs_are_drawn_too():
    with style.figure(columns=3, sharey=True) as (_, axes):
        widths.draw_spectra(axes[0], {"early": torch.logspace(0, -25, 9), "deep": torch.ones(1)})
        widths.draw_spectra(axes[1], {"deep": torch.tensor([0.7, 0.3])})
    with style.figure(columns=2) as (_, more):
        connectivity.draw_errors(more[0], {"one": [1.4, 0.2]}, {})
        geometry.draw_accuracies(more[1], {"max": {"square": [0.41, 0.9], "mirror": [0.5]}})
    controls = experiments.draw_controls({("color", "B1", c): [0.2] for c in (1, 8192)})
    assert not any(outside(ax) for ax in (*axes, *more, *controls.axes))
    empty = experiments.draw_controls({("color", "conv4", 4): [0.5]})
    assert not any(outside(ax) for ax in empty.axes)


def test_two_networks_that_end_in_one_point_are_both_named():
    found = {("color", block, 4): [1.0] for block in experiments.CONTROLS}
    drawing = experiments.draw_controls(found)
    places = [(text.xy, text.xyann) for text in drawing.axes[-1].texts]
    assert len(places) == len(set(places)) == 4


def test_names_of_curves_lie_above_a_narrow_panel_and_beside_a_wide_one():
    with style.figure(9) as (drawing, _):
        drawing.clear()
        for panel in drawing.subfigures(1, 2, width_ratios=(1, 3)):
            log_space.draw_accuracies(panel.subplots(), {"one": ([0, 1], [3, 4], None)}, "")
        places = [axes.get_legend().get_bbox_to_anchor() for axes in drawing.axes]
        left, right = (axes.transAxes.inverted().transform(place.p0)
                       for axes, place in zip(drawing.axes, places))
    assert [*left] == pytest.approx([0, 1]) and [*right] == pytest.approx([1, 1])


def test_no_line_of_many_is_left_out():
    """The seventh method, the fifth size, the fifth window and the third augmentation were."""
    with style.figure(columns=3) as (_, axes):
        log_space.draw_accuracies(axes[0], {str(n): ([0, 1], [n, n], None) for n in range(7)}, "")
        rectifiers.draw_shares(axes[1], {str(n): [n / 9, 0.5] for n in range(5)})
        geometry.draw_windows(axes[2], "square", 8, 1, range(5))
        assert [len(ax.get_legend().get_texts()) for ax in axes[:2]] == [7, 5]
        image = axes[2].images[0].get_array().reshape(-1, 3)
        assert sum(len(set(color)) > 1 for color in image.tolist()) + int(
            (image == 0).all(1).sum()) == 20
    for names in (("none",), ("spatial", "color", "none")):
        found = {(name, "B2", c): [0.4] for name in names for c in (4, 8)}
        titles = [ax.get_title(loc="left") or ax.get_title()
                  for ax in experiments.draw_four_panels(found, names).axes]
        assert titles == [f"{name} augmentation" for name in names for _ in range(2)]
        again = experiments.draw_four_panels(found)  # a sweep without augmentation was not drawn
        assert [ax.get_title(loc="left") for ax in again.axes] == titles
        again = experiments.draw_controls({(name, "B2", 4): [0.4] for name in names}).axes[4:]
        assert [ax.get_title(loc="left") for ax in again] == [
            f"{name} augmentation" for name in ("color", "spatial", "none") if name in names]
    assert len(experiments.draw_four_panels({}).axes) == 4


@pytest.mark.parametrize("field, name", [("accuracy", "training accuracy"),
                                         ("test_accuracy", "test accuracy")])
def test_figures_say_which_accuracy_they_show(field, name):
    records = [{"block": block, "augmentation": "color", "channels": 4, "seed": 0,
                "accuracy": 0.5, "test_accuracy": 0.25}
               for block in analysis.PUBLISHED_CUBE.values()]
    found = analysis.cells(records, field)
    for draw in (experiments.draw_four_panels, experiments.draw_controls):
        assert {ax.get_ylabel() for ax in draw(found).axes} - {""} == {name}
        picked = draw({place: values for place, values in found.items() if place[1] != "B2"})
        assert {ax.get_ylabel() for ax in picked.axes} - {""} == {"accuracy"}  # of either field
    with style.figure() as (_, axes):
        experiments.draw_factors(
            axes, analysis.contributions(records, "color", 4, field=field))
    assert axes.get_xlabel() == f"{name} added"
    with style.figure(columns=3) as (_, panels):  # a part of them was called training accuracy
        for axes, *parts in zip(panels, (dict(found), found, {}),
                                (None, analysis.cells(records), found)):
            experiments.draw_accuracy(axes, parts[0], "color", dashed=parts[1])
    other = f"{name}, dotted: training accuracy" if field == "test_accuracy" else name
    assert [axes.get_ylabel() for axes in panels] == ["accuracy", other, name]


def test_kinds_with_larger_windows_than_those_of_the_course_are_drawn(monkeypatch):
    monkeypatch.setitem(kinds.KINDS, "B7", kinds.Kind("B7", 7))
    drawing = experiments.draw_four_panels({("color", "B7", 4): [0.5]})
    assert "B=7" in [text.get_text() for ax in drawing.axes for text in ax.texts]


def test_a_row_of_cells_is_not_taken_from_an_image():
    """The rows of an image were drawn where its columns were asked for."""
    net = Architecture((4, 8), 2, ((2, 1, 2), ((4, 8), (4, 8), 1)))
    with style.figure() as (_, axes):
        for call in (lambda: crossing.draw_signs(axes, net, 1, 1, 0),
                     lambda: crossing.draw_elimination(axes, net, 1, 1, 4),
                     lambda: crossing.draw_private(axes, net, 2, 4),
                     lambda: windows.draw_row_of_windows(axes, net, 2)):
            with pytest.raises(ValueError, match=r"size \(4, 8\) has 2 axes; draws one axis"):
                call()


def test_dotted_lines_of_kinds_that_have_no_other_are_drawn():
    """A kind that only ``dashed`` has was left out, and a single point was no line."""
    dashed = {("color", "B3", 4): [0.5], ("color", "B2", 4): [0.4], ("color", "B2", 8): [0.6]}
    with style.figure() as (_, axes):
        experiments.draw_accuracy(axes, {("color", "B2", 4): [0.4]}, "color", dashed=dashed)
    dotted = {tuple(line.get_xdata()): line for line in axes.lines if line.get_linestyle() == ":"}
    assert set(dotted) == {(4,), (4, 8)} and dotted[4,].get_marker() == "."
    assert [text.get_text() for text in axes.texts] == ["B=2", "B=3"] and not outside(axes)


def test_lines_of_one_color_are_all_named():
    """Against parameters the two ends alone had names, whatever the colors of the others."""
    for blocks, names in ((("B1", "B2", "B3"), 2), (("B2", "conv2", "offset2"), 3)):
        found = {("color", block, 4): [0.2 + 0.2 * n] for n, block in enumerate(blocks)}
        with style.figure() as (_, axes):
            experiments.draw_accuracy(axes, found, "color", "parameters")
        assert len(axes.texts) == names


def test_circuits_and_rectifiers_of_one_window_are_told_apart():
    """Both lines were orange and called B=2; and of a mistyped augmentation the panel was empty."""
    found = {("color", block, 4): [0.2 + 0.2 * n] for n, block in enumerate(("B2prod", "B2"))}
    for part, names in ((found, ["B2prod", "B=2"]), ({("color", "B2prod", 4): [0.3]}, ["B=2"])):
        panels = experiments.draw_four_panels(part).axes
        assert [[text.get_text() for text in ax.texts] for ax in panels] == [names] * 2
    with pytest.raises(ValueError, match="augmentation='colour'"):
        experiments.draw_four_panels(found, ("colour",))


def test_lines_of_a_preset_with_many_kinds_are_named_where_they_end():
    """Accuracies went up to 1.75, names stood far above their lines, and B1prod was called B=1."""
    blocks = list(settings.PRESETS["factorial"][1].channels)
    found = {("color", block, 64): [0.3 + n / 60] for n, block in enumerate(blocks)}
    for axes in experiments.draw_four_panels(found).axes:
        assert axes.get_ylim()[1] <= 1.05
        assert [text.get_text() for text in axes.texts] == blocks
        heights = [text.xy[1] for text in axes.texts]
        assert all(abs(height - 0.3 - n / 60) < 0.35 for n, height in enumerate(heights))
        assert min(b - a for a, b in zip(heights, heights[1:])) > 0.99 / len(blocks)
    circuits = {("color", f"B{window}prod", 8): [0.2] for window in (1, 2)}
    for axes in experiments.draw_four_panels(circuits).axes:
        assert [text.get_text() for text in axes.texts] == ["B=1", "B=2"]


@pytest.mark.parametrize("block, sign", [
    ("B1", "max"), ("B2", "max\nΣ"), ("conv2", "Σ"), ("offset2", "max"), ("B2offset", "max"),
    ("B1mean", "mean"), ("B5", "max\nΣ"), ("B3prod", "Π\nΣ"), ("offset3prod", "Π"),
])
def test_what_a_block_sees_is_drawn_whole_and_as_it_comes_together(block, sign):
    """Windows of B=4 and B=5 were cut off, products called sums and means maxima."""
    with style.figure() as (_, axes):
        experiments.draw_sight(axes, block)
    assert [text.get_text() for text in axes.texts] == [sign]
    right, low = (max(ends) for ends in zip(*(patch.get_corners()[2] for patch in axes.patches)))
    assert right <= axes.get_xlim()[1] and low <= axes.get_ylim()[0]


def test_controls_of_other_kinds_say_what_these_have():
    """Kinds with one of order and mixing were said to have neither."""
    blocks = ("offset2", "same3", "B5", "B1mean")
    drawing = experiments.draw_controls({("color", block, 4): [0.3] for block in blocks}, blocks)
    notes = [ax.texts[1].get_text().replace(",\n", ", ") for ax in drawing.axes[:4]]
    assert notes == ["no overlap, order, no mixing", "overlap, no order, mixing",
                     "overlap, order, mixing", "no overlap, no order, no mixing"]
    for ax in drawing.axes[:4]:
        assert ax.texts[1].get_position()[1] > ax.get_ylim()[0]  # below the pixels


def test_one_exemplar_has_an_orbit():
    assert len(experiments.draw_orbit([torch.zeros(1, 3, 32, 32)] * 4).axes) == 4


def test_a_zero_share_does_not_take_the_name_of_its_line_away():
    with style.figure() as (_, axes):
        widths.draw_spectra(axes, {"deep": torch.tensor([0.7, 0.3, 0.0]), "early": torch.zeros(2)})
    assert axes.texts[0].xy == (2, pytest.approx(0.3))


def test_zeros_of_a_matrix_are_white():
    """A matrix of zeros alone was drawn in the color of its negative entries."""
    for scale in (None, 0.0):
        with style.figure() as (_, axes):
            cp.draw_outer_product(axes, torch.zeros(2, 2), scale=scale)
        image = axes.images[0]
        assert min(image.cmap(image.norm(0.0))) > 0.99


def test_the_mean_of_one_seed_has_no_interval():
    with style.figure() as (_, axes):
        log_space.draw_accuracies(axes, {"one": ([0, 50], [60, 55], [None, 2.0])}, "missing")
    (ends,) = (part.get_segments() for part in axes.collections)
    assert [len(end) for end in ends] == [0, 2] and axes.lines[0].get_ydata().tolist() == [60, 55]


def test_every_geometry_is_named_where_it_comes_first():
    """Those that the first kind lacks had no name."""
    found = {"product": {"square": [0.9]}, "max": {"square": [0.8], "mirror": [0.7]}}
    with style.figure() as (_, axes):
        geometry.draw_accuracies(axes, found)
    assert [(text.get_text(), text.xy[1]) for text in axes.texts] == [
        ("square", 0), ("mirror", pytest.approx(2.8))]
    with style.figure() as (_, axes):  # a sweep that was stopped has geometries without networks
        geometry.draw_accuracies(axes, {"product": {"square": [0.9], "mirror": []}})
    assert axes.get_yticks().tolist() == [0] and not outside(axes)


def test_a_field_that_is_no_square_has_both_sides_in_the_title():
    """The rows were given the field and the stride of the columns."""
    wide = Architecture((8, 16), 2, (((3, 5), (1, 2), 2), (2, 2, 1)))
    with style.figure(columns=2) as (_, axes):
        architectures.draw_projection(axes[0], wide, 1)
        architectures.draw_projection(axes[1], Architecture(8, 2, ((3, 2, 2), (2, 2, 1))), 1)
    assert [ax.get_title(loc="left") for ax in axes] == [
        "layer 1: $T_R$=3×5, $T_S$=1×2", "layer 1: $T_R$=3, $T_S$=2"]


def test_a_marked_pixel_travels_over_strides():
    """The arc joined pixels 2 and 4, which cell 2 does not multiply: it sees 4, 5 and 6."""
    net = Architecture((12,), 2, ((3, 2, 1), (6, 6, 1)))
    built = overlap_construction(net, torch.eye(2).double(), Real(), layer=1, shift=2)
    with style.figure() as (_, axes):
        moves.draw_travel(axes, built, (4,), 2)
    (arc,) = (patch for patch in axes.patches if patch.get_gid() == "crossing-arc")
    assert [place for place, _ in arc._posA_posB] == [4, 6]
    assert axes.lines[-1].get_xdata().tolist() == [4]
    assert [text.get_position()[0] for text in axes.texts[13:19]] == [0, 2, 4, 6, 8, 10]
    assert not outside(axes)


def test_bounds_of_one_and_fields_beyond_the_image():
    """A logarithm 0 left the axis as it was; what units at the border see was cut off."""
    with style.figure(columns=3) as (_, axes):
        audit.draw_bounds_by_layer(axes[0], ["a", "b"], {"overlap theorem": [0.0, 5.0]})
        for ax, unit in zip(axes[1:], (0, 7), strict=True):
            audit.draw_paths(ax, {"branch": [(3, 2, 1), (3, 1, 1)]}, 14, unit, "")
    with style.figure() as (_, lines):
        overlaps.draw_block_bounds(lines, [4, 8, 16], {"a": [2, 4, 8], "b": [0, 0, 0],
                                   "c": [3, 5, 0]}, dict.fromkeys("abc", "black"))
    assert [(text.get_text(), text.xy) for text in lines.texts] == [("a", (16, 8)), ("c", (8, 5))]
    assert axes[0].get_ylim() == (2.5, 15) and axes[0].lines[0].get_xdata().tolist() == [1]
    for ax in axes[1:]:
        low, high = ax.get_xlim()
        assert all(low <= x <= high for line in ax.lines for x in line.get_xdata())


def test_fractions_keep_what_is_behind_the_point():
    matrix, column = torch.tensor([[0.5, 2.0], [-1.5, 0.0]]), torch.tensor([0.5, -1.0])
    with style.figure(columns=2) as (_, axes):
        toolbox.draw_table(axes[0], matrix)
        cp.draw_outer_product(axes[1], matrix, column, column)
    entries, sides = ["0.5", "2", "−1.5", "0"], ["0.5", "−1"]
    assert [text.get_text() for text in axes[0].texts] == entries
    assert [text.get_text() for text in axes[1].texts] == entries + 2 * sides


def test_the_cover_of_other_images():
    """Bars were longer than the axis, the title was that of 32 × 32, and windows were squares."""
    with style.figure(columns=2) as (_, axes):
        cover.draw_ranks(axes[0], cover.cover_ranks(8, 4, (3, 2)))
        cover.draw_windows(axes[1], Architecture((4, 6), 2, (((2, 3), (1, 2), 2),)), "")
    assert not axes[0].get_title() + axes[0].get_title(loc="left")
    assert max(bar.get_width() for bar in axes[0].patches) < axes[0].get_xlim()[1]
    found = {(box.get_x(), box.get_y(), box.get_width(), box.get_height())
             for box in axes[1].patches[24:]}
    assert found == {(x + 0.1, y + 0.1, 2.8, 1.8) for x in (0, 2) for y in range(3)}


@pytest.mark.parametrize("place, named", [
    (("Mixture", "marginal", ""), "stored_accuracies: model='Mixture'"),
    (("mixture", "marginal", "pixels-0.6"), "stored_accuracies: missing='pixels-0.6'; .*0.75"),
    (("logistic", "marginal", "pixels-0.5"), "way of logistic='marginal'; need .* 'mean', 'zero'"),
    (("logistic", "missing", "pixels-0.5"), "way of logistic='missing'")])
def test_accuracies_that_are_not_stored_are_named(place, named):
    """Ways of other models ended in a KeyError; the share of missing pixels is no accuracy."""
    with pytest.raises(ValueError, match=named):
        log_space.stored_accuracies(log_space.stored_records()[1], *place)


@pytest.mark.parametrize("draw", [
    lambda axes, t: cp.draw_outer_product(axes, t, t[0], t[:, 0]),
    lambda axes, t: grids.draw_patches([axes], t.expand(16, 3, 3).reshape(3, 48)[:1]),
    lambda axes, t: grids.draw_zero_set(axes, t[0] + torch.arange(3), t - 0.5),
    lambda axes, t: log_space.draw_tile(axes, t[None], t > 0),
    lambda axes, t: rectifiers.draw_levels(axes, t, "a"),
    lambda axes, t: toolbox.draw_table(axes, t, "a"),
    lambda axes, t: drawing.draw_heatmap(axes, t, "a"),
    lambda axes, t: widths.draw_spectra(axes, {"deep": t[0] + 0.5})])
def test_numbers_with_gradients_are_drawn_like_others(draw):
    """Trained weights and what is computed from them come so, and matplotlib refuses them."""
    def png(t):
        with style.figure() as (picture, axes):
            draw(axes, t)
        picture.savefig(stream := io.BytesIO(), format="png")
        return stream.getvalue()

    assert png(torch.eye(3).requires_grad_()) == png(torch.eye(3))


def shades(axes):
    """The colors of the last picture, one for each cell."""
    picture = axes.images[-1]
    return picture.cmap(picture.norm(picture.get_array()))[..., :3]


def test_entries_that_are_all_alike_have_the_color_they_have_beside_others():
    """A matrix without zeros had their color, a unit that all pixels move equally was white."""
    with style.figure(columns=3) as (_, axes):
        for ax, matrix in zip(axes, (np.eye(2), np.ones((2, 2)), np.zeros((2, 2)))):
            proof.draw_matrix(ax, matrix)
    mixed, ones, zeros = map(shades, axes)
    assert (ones == mixed[0, 0]).all() and (zeros == mixed[0, 1]).all()
    with style.figure() as (_, axes):
        audit.draw_influence(axes, effective_field(torch.nn.AvgPool2d(4), 4, channels=1))
    assert (shades(axes) < 0.1).all()


def test_heatmaps_show_signs_at_every_scale_and_refuse_what_has_no_color():
    """Numbers below 1e-12 were all white; one that is not finite took the colors of all."""
    matrix, cells = torch.tensor([[1.0, -1.0], [0.0, 0.5]]).double(), []
    for scale in (1, 1e-15, 1e-300, 1e300):
        with style.figure() as (_, axes):
            drawing.draw_heatmap(axes, matrix * scale)
        cells.append(np.asarray(axes.images[0].get_array()))
    assert all(np.allclose(cells[0], other) for other in cells[1:])
    with style.figure() as (_, axes):
        drawing.draw_heatmap(axes, torch.zeros(2, 2))
        for bad in ("nan", "-inf"):
            with pytest.raises(ValueError, match=f"draw_heatmap: the matrix holds {bad}; need"):
                drawing.draw_heatmap(axes, torch.tensor([[float(bad), 1.0]]))


def test_patches_with_colors_from_0_to_1_are_refused():
    """They were black."""
    patches = torch.arange(48.0).expand(2, 48)
    with style.figure() as (_, axes):
        grids.draw_patches([axes, axes], patches)
        for wrong in (patches / 255, patches - 1, patches + 255):
            with pytest.raises(ValueError, match="a patch holds .*; need integers from 0 to 255"):
                grids.draw_mosaic(axes, wrong, [0, 1], (1, 2))


def test_settings_of_a_reader_turn_no_picture_upside_down():
    theirs = {"image.origin": "lower", "image.aspect": "auto", "text.usetex": True}
    with matplotlib.rc_context(theirs):
        with style.figure() as (_, axes):
            drawing.draw_heatmap(axes, torch.eye(3))
            written = axes.text(0, 0, "50%")
        assert all(matplotlib.rcParams[name] == value for name, value in theirs.items())
    assert axes.images[0].origin == "upper" and axes.get_aspect() == 1.0
    assert axes.get_ylim() == (2.5, -0.5) and not written.get_usetex()


@pytest.mark.parametrize("theirs", [
    {"axes.prop_cycle": pyplot.cycler(color="krb") + pyplot.cycler(linestyle=["-", "--", ":"])},
    {"axes.prop_cycle": pyplot.cycler(marker="s^")},
    {"lines.linestyle": "--", "lines.marker": "x"}])
def test_styles_of_a_journal_break_no_line_of_a_picture(theirs):
    """Every other edge of a tree was dashed: journals tell lines apart by dashes, too."""
    def looks():
        with style.figure() as (_, axes):
            trees.draw_tree(axes, ModeTree.perfect(4, 2, 2, (2, 2)), "even-odd")
        return [(line.get_linestyle(), line.get_marker()) for line in axes.lines]

    expected = looks()
    with matplotlib.rc_context(theirs):
        assert looks() == expected


@pytest.mark.parametrize("draw, named", [
    (lambda axes: grids.draw_grid_matrix(axes, torch.eye(8), "left-right"),
     r"draw_grid_matrix: a matrix of shape \(8, 8\); need \(4, 4\)"),
    (lambda axes: grids.draw_mosaic(axes, torch.zeros(2, 48), [0, 1, 0], (1, 2)),
     "draw_mosaic: 3 templates for 1×2 positions"),
    (lambda axes: audit.draw_bounds_by_layer(axes, ["K"], {"a": [1.0], "b": [2.0], "c": [3.0]}),
     "draw_bounds_by_layer: 1 of a, 1 of b, 1 of c for 1 layers; draws one or two"),
    (lambda axes: audit.draw_bounds_by_layer(axes, ["K"], {"a": [1.0, 2.0]}), "2 of a for 1 lay"),
    (lambda axes: log_space.draw_tile(axes, torch.zeros(3, 4, 4), torch.zeros(1, 4) > 0),
     r"draw_tile: an image of shape \(3, 4, 4\) whose seen has shape \(1, 4\)")])
def test_nothing_that_is_given_is_left_out_of_a_picture(draw, named):
    """A corner passed for the whole matrix, a third bound was missing without a word."""
    with style.figure() as (_, axes), pytest.raises(ValueError, match=named):
        draw(axes)


def test_a_cut_through_modes_is_circled_too():
    """Where M is small, a smallest cut takes modes: without their circles it would be another."""
    tree, rows = ModeTree.perfect(4, 2, 2, (5, 9)), (0, 1, 2)
    cut = routing.smallest_cut(tree, rows)
    assert set(cut) == {(1, 1)}
    with style.figure() as (_, axes):
        toolbox.draw_cut(axes, tree, rows, {**cut, (0,): 5})
    rings = {(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines
             if line.get_markersize() == 27}
    assert rings == {(3, 0), (0.5, 1)}
    pyplot.close("all")


@pytest.mark.parametrize("size, window, stride, cut", [
    (8, 4, 2, 4), (7, 4, 2, 5), (4, 5, 1, 3), (9, 4, 3, 7), (5, 5, 2, 3)])
def test_windows_with_private_pixels_are_drawn_beyond_the_border_too(size, window, stride, cut):
    net = Architecture((size,), 2, ((window, stride, 5), (size, size, 1)))
    with style.figure() as (_, axes):
        crossing.draw_private(axes, net, window, cut)
    frames = [patch for patch in axes.patches if not patch.get_facecolor()[3]]
    starts = [start for start in range(0, cut, stride) if start + window > cut]
    assert [round(frame.get_x() + 0.46) for frame in frames] == starts
    ends = [round(frame.get_x() + frame.get_width() + 0.46) for frame in frames]
    assert ends == [min(start + window, size) for start in starts]
    drawn = [round(patch.get_x() + 0.42) for patch in axes.patches
             if patch not in frames and patch.get_y() < -0.5]
    assert max(drawn, default=0) < size
    assert len(drawn) == sum(sum(private_columns(start, window, stride, size, cut))
                             for start in starts)
