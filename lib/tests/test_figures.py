"""Figures show what the code computes, and can be read on a phone."""

import colorsys
import json
import re
import shutil
import warnings
from itertools import product
from math import log, log10

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.colors import to_rgb

from lib import Architecture, ModeTree, Modular, coefficient_tensor, matching_number
from lib.constructions.overlaps import overlap_construction
from lib.course.finishing import finish_book
from lib.experiments.analysis import cells
from lib.experiments.images import dead_leaves
from lib.experiments.records import STORED as STORED_RUNS
from lib.experiments.records import read
from lib.plots import (
    audit,
    choices,
    crossing,
    depth,
    drawing,
    experiments,
    geometry,
    grids,
    log_space,
    matrices,
    moves,
    overlaps,
    rectifiers,
    style,
    windows,
)
from lib.plots.export import FOLDER
from lib.plots.stored import stored_table
from lib.trees.pooling import pooling_tree
from lib.trees.tensors import matricize

ROOT = FOLDER.parents[2]
STORED = sorted(FOLDER.glob("*.svg"))
ON_PHONES = [path for path in STORED if not path.with_name(f"{path.stem}-phone.svg").exists()]
PHONE = 350  # pixels that a page of 390 leaves for a figure


def test_letters_have_eleven_pixels_on_a_phone():
    for path in ON_PHONES:
        if path.stem != "cover":  # the explorer stands in its place; the picture is for print
            svg = path.read_text(encoding="utf-8")
            width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])  # in points
            scales = re.findall(r'<g style="fill: [^>]*scale\(([\d.]+) -', svg)
            size = 100 * min(map(float, scales), default=1)
            assert size * min(PHONE, width * 4 / 3) / width >= 10.9, path


@pytest.mark.parametrize("extent, window, stride, cut",
                         [(8, 2, 2, 4), (6, 2, 2, 3), (8, 3, 1, 4), (9, 4, 2, 5), (7, 5, 3, 2)])
def test_filled_windows_are_those_across_the_cut(extent, window, stride, cut):
    rest = -(-extent // stride)
    net = Architecture((extent,), 2, ((window, stride, 1), (rest, rest, 1)))
    seen = [range(v, min(v + window, extent)) for v in range(0, extent, stride)]
    expected = sum(any(x < cut for x in w) and any(x >= cut for x in w) for w in seen)
    with style.figure() as (_, axes):
        assert windows.draw_row_of_windows(axes, net, cut) == expected
    assert sum(patch.get_gid() == "crossing" for patch in axes.patches) == expected


def arcs(axes):
    return sum(patch.get_gid() == "crossing-arc" for patch in axes.patches)


def test_arcs_are_the_pairs():
    net = Architecture(6, 2, ((3, 1, 2), (6, 6, 1)))
    axes, bound = windows._area_law().axes[0], net.crossing_bound()
    assert arcs(axes) == bound.exponent == 12
    for patch in axes.patches:
        if patch.get_gid() == "crossing-arc":
            (first, _), (last, _) = patch._posA_posB
            assert first < 2.5 < last == first + bound.shift
    for axes, part in zip(windows._matched().axes, windows.MATCHED.values(), strict=True):
        assert arcs(axes) == matching_number(part, (4, 4))
        assert axes.get_title(loc="left").endswith(f"{arcs(axes)} pairs")


def test_the_partition_that_defeats_overlaps_has_the_fewest_pairs():
    part = windows.corner_blocks(10, 7, 7)
    assert len(part) == 50
    blue = [divmod(cell, 10) for cell in part if cell // 10 >= 3 and cell % 10 < 7]
    orange = [(i, j) for i in range(3) for j in range(7, 10)]
    assert not {10 * i + j for i, j in orange} & set(part)
    assert not any((i - k) * (j - m) >= 0 for i, j in blue for k, m in orange)
    assert matching_number(part, (10, 10)) == 100 - len(blue) - len(orange) == 42
    assert 42 == -int(-100 * (2**0.5 - 1) // 1)


def numbers(axes):
    return int(re.search(r"rank (\d+)", axes.get_xlabel())[1])


def test_ranks_below_the_matrices_are_theirs():
    for axes, matrix in zip(matrices._levels().axes, matrices.level_matrices(), strict=True):
        assert numbers(axes) == np.linalg.matrix_rank(matrix) == int(matrix.sum())
    assert numbers(matrices._shared_rows().axes[0]) == np.linalg.matrix_rank(
        matrices.shared_matrix()) == 3
    found = [numbers(axes) for axes in matrices._low_and_high().axes]
    trees = ModeTree.star(8, 2, 2), ModeTree.perfect(8, 2, 2, (2, 2, 2))
    assert found == [np.linalg.matrix_rank(matrices.integer_matrix(tree, "even-odd", seed))
                     for tree, seed in zip(trees, (1, 6))] == [2, 16]
    assert [numbers(axes) for axes in matrices._basis().axes] == [4, 3, 4, 3]


def test_entries_stand_where_their_digits_say():
    for axes, rows in zip(matrices._matricize().axes, ((0, 1), (0, 2))):
        cells = {}
        for text in axes.texts:
            x, y = text.get_position()
            cells.setdefault((round(y), round(x)), []).append(text.get_text())
        for (row, column), digits in cells.items():
            picked = "".join(digits[m] for m in rows), "".join(
                digits[m] for m in range(4) if m not in rows)
            assert (int(picked[0], 2), int(picked[1], 2)) == (row, column)


def test_replication_is_the_same_function():
    shallow, deep = ModeTree.star(4, 2, 3), ModeTree.perfect(4, 2, 2, (3, 3))
    weights = shallow.random_weights(Modular(), torch.Generator().manual_seed(0))
    copied = {(): weights[()], (0,): torch.eye(3).double(), (1,): torch.eye(3).double(),
              **{(i // 2, i % 2): weights[(i,)] for i in range(4)}}
    assert torch.equal(coefficient_tensor(shallow, weights, Modular()),
                       coefficient_tensor(deep, copied, Modular()))


@pytest.mark.parametrize("marked", [(), (1,), (4,), (1, 4), (0, 2, 7)])
def test_the_pixel_travels_as_the_lemma_says(marked):
    built = moves.two_hops()
    shown = torch.zeros(1, 8, dtype=torch.int64)
    shown[0, list(marked)] = 1
    signs = moves.traveling_signs(built, marked)
    assert signs[0] == [-1 if x in marked else 1 for x in range(8)]
    assert signs[2] == built.predicted_cells(shown)[0, 0].int().tolist()
    by_hand = [signs[0][v] * signs[0][v + 1] * signs[0][v + 2] * signs[0][v + 3] if v + 3 < 8 else 0
               for v in range(8)]
    assert signs[2] == by_hand


def test_each_channel_answers_to_a_word_of_its_own():
    found = moves.words(moves.CLOSED, 3)
    assert sorted(found) == sorted(product((0, 1), repeat=3))
    axes = moves._words().axes[0]
    rows = {}
    for text in axes.texts:
        if text.get_text() in "01":
            x, y = text.get_position()
            rows.setdefault(round(-y / 1.05), {})[round(x)] = int(text.get_text())
    assert tuple(rows[0].values()) == moves.CLOSED
    for channel, word in enumerate(found):
        assert tuple(rows[channel + 1][(channel + x) % 8] for x in range(3)) == word


@pytest.mark.parametrize("window, extent, cut", [(4, 8, 4), (3, 6, 3), (2, 5, 2)])
def test_elimination_halves_the_blocks(window, extent, cut):
    net = Architecture((extent,), 2, ((window, 1, 1), (extent, extent, 1)))
    built = overlap_construction(net, torch.eye(2).double(), moves.Real(), layer=1,
                                 shift=window - 1)
    stages = moves.elimination_stages(moves.free_matrix(built))
    size = len(stages[0])
    assert size == built.rank(cut).value == np.linalg.matrix_rank(stages[0])
    for step, stage in enumerate(stages):
        blocks = torch.arange(size) // (size >> step)
        assert not stage[blocks[:, None] != blocks].any()
        assert np.linalg.matrix_rank(stage) == size


def test_split_windows_are_counted():
    for rows, expected in (("left-right", 0), ([c for c in range(64) if c % 8 < 3], 4),
                           ([c for c in range(64) if c % 2 == 0], 16)):
        assert len(choices.split_windows(rows, 8)) == expected
    for axes, expected in zip(choices._favored().axes, (0, 4, 16), strict=True):
        assert int(axes.texts[-1].get_text().split()[0]) == expected
        assert sum(patch.get_gid() == "crossing" for patch in axes.patches) == expected


def test_pooling_decides():
    assert [rank for rank, _ in choices.pooling_ranks().values()] == [3, 16, 16, 2]


def test_digits_on_the_page_are_those_of_the_notebook():
    page = (ROOT / "book" / "audit-a-network.md").read_text(encoding="utf-8")
    alt = re.search(r"alt: Bars of decimal digits.*", page)[0].replace(",", "")
    notebook = json.loads((ROOT / "notebooks/14_audit_a_network.ipynb").read_text("utf-8"))
    glued = {output["metadata"]["scrapbook"]["name"]: output["data"]
             for cell in notebook["cells"] for output in cell.get("outputs", ())
             if "scrapbook" in output.get("metadata", {})}
    for name, key in (("MobileNet-v1", "mobilenet"), ("ResNet-50", "resnet"), ("VGG-16", "vgg"),
                      ("Inception-v3", "inception"), ("the dilated stack", "dilated")):
        base, exponent = map(int, re.search(r"(\d+)\^(\d+)", str(glued[f"14-{key}"])).groups())
        assert f"{name} {int(exponent * log10(base)) + 1}" in alt


def test_pages_offer_the_portrait_to_phones(tmp_path):
    for name in ("_static/scripts", "_static/figures", "_images"):
        (tmp_path / name).mkdir(parents=True)
    program = 'd("fab",p) d("far",p) d("fas",p)'
    (tmp_path / "_static/scripts/fontawesome.js").write_text(program, encoding="utf-8")
    for name in ("partitions", "area-law"):
        shutil.copy(FOLDER / f"{name}.svg", tmp_path / "_images")
    shutil.copy(FOLDER / "partitions-phone.svg", tmp_path / "_static/figures")
    page = "".join(f'<img alt="a" src="_images/{name}.svg" style="width: 100%;" />'
                   for name in ("partitions", "area-law"))
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    finish_book(tmp_path)
    done = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert done.count("<picture>") == 2 and done.count("area-law-phone") == 0
    for theme in ("", "-dark"):
        assert f'srcset="_images/partitions-phone{theme}.svg"><img' in done
        assert (tmp_path / f"_images/partitions-phone{theme}.svg").exists()
    finish_book(tmp_path)
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == done


def test_sums_of_tiny_numbers():
    terms, total = log_space.shifted_sum(log_space.SUMMANDS)
    exact = torch.logsumexp(torch.tensor(log_space.SUMMANDS).double() * log(2), 0) / log(2)
    assert total == pytest.approx(exact.item()) and terms == [1.0, 0.5, 0.0625]


def test_numbers_are_written_with_a_minus_sign_and_what_they_are():
    """0.9 and 2/3 were cut to 0."""
    assert drawing.number(-3.0) == "−3" and drawing.power(10) == "10"
    assert drawing.power(12_345) == "12345" and drawing.power(100_000) == "$10^{5}$"
    matrix = torch.tensor([[0.9, -0.5, 2, 1e6]]).double()
    with style.figure() as (_, axes):
        drawing.draw_heatmap(axes, matrix, texts=True)
        grids.draw_grid_matrix(axes, matrix.expand(4, 4), "left-right")
    texts = [text.get_text() for text in axes.texts]
    assert texts == 5 * ["0.9", "−0.5", "2", "1000000"]


@pytest.mark.parametrize("window, stride", [(3, 1), (4, 1), (8, 1), (7, 2), (3, 3)])
def test_no_window_lies_outside_the_picture(window, stride):
    rest = -(-9 // stride)
    with style.figure() as (_, axes):
        windows.draw_row_of_windows(axes, Architecture((9,), 2, ((window, stride, 1),
                                                                (rest, rest, 1))), 4)
    assert all(axes.get_ylim()[0] < patch.get_y() for patch in axes.patches)


def test_indices_of_two_digits_are_lowered_whole():
    with style.figure() as (_, axes):
        windows.draw_digits(axes, window=12, extent=24, cut=12)
    texts = {text.get_text() for text in axes.texts}
    assert {"$d_{23}$", "$M^{11}$"} <= texts and not any("_2" in text for text in texts)


def test_every_network_has_its_line():
    """The sixth was left out."""
    with style.figure() as (_, axes):
        audit.draw_field_growth(axes, {f"net {n}": [3, 5 + n] for n in range(7)}, 32)
    assert {text.get_text() for text in axes.texts} >= {f"net {n}" for n in range(7)}
    assert len(axes.lines) == 7 + 2
    with pytest.raises(ValueError, match="3 paths .a, b, c.; draws one or two"):
        audit.draw_paths(axes, dict.fromkeys("abc", [(3, 2, 1)]), 8, 2, "")


@pytest.mark.parametrize("size", [4, 5, 7])
def test_the_silence_of_the_theorem_is_shaded(size):
    """At odd sizes it is silent at every window."""
    networks = overlaps.window_sweep(size, 2, 2)
    with style.figure() as (_, axes):
        overlaps.draw_threshold(axes, networks, [net.exact_two_layer_rank() for net in networks])
    silent = [net.windows[0][0] for net in networks if net.overlap_bound().silent]
    (shade,) = [patch for patch in axes.patches if patch.get_alpha() == 0.1]
    assert shade.get_x() + shade.get_width() == max(silent) + 0.5


@pytest.mark.parametrize("channels, width", [(1, 1), (2, 1), (2, 2)])
def test_the_name_of_a_bound_of_one_does_not_cover_the_axis(channels, width):
    """Of one channel the overlap theorem gives a power of one, and the line lies at zero."""
    networks = overlaps.window_sweep(6, channels, width)
    with warnings.catch_warnings(), style.figure(6.4, 3.8) as (drawing, axes):
        warnings.simplefilter("error")
        overlaps.draw_threshold(axes, networks, [net.exact_two_layer_rank() for net in networks])
    drawing.canvas.draw()
    assert all(text.get_window_extent().y0 >= axes.get_window_extent().y0 for text in axes.texts)
    assert axes.get_ylim()[0] == 0 < axes.get_ylim()[1]
    assert len(axes.lines) == 2 and axes.lines[1].get_clip_on() == (width > 1)


def test_a_picture_without_private_pixels_is_drawn():
    with style.figure() as (_, axes):
        crossing.draw_private(axes, Architecture((8,), 2, ((2, 2, 5), (4, 4, 1))), 2, 4)
    assert len(axes.patches) == 8


def test_regions_scale():
    large = geometry.regions(8)
    assert geometry.regions(4)["inner square"] == (5, 6, 9, 10)
    assert geometry.regions(4)["diagonal quadrants"] == (0, 1, 4, 5, 10, 11, 14, 15)
    for name, rows in geometry.regions(4).items():
        if not name.startswith(("alternating", "checker", "nested", "left col")):
            twice = {8 * i + j for p in rows for i in (2 * (p // 4), 2 * (p // 4) + 1)
                     for j in (2 * (p % 4), 2 * (p % 4) + 1)}
            assert set(large[name]) == twice, name


def test_a_figure_that_fails_is_not_left_open():
    before = pyplot.get_fignums()
    with pytest.raises(ValueError), style.figure():
        raise ValueError
    assert pyplot.get_fignums() == before


def test_pictures_are_versions_of_the_images():
    shown = [picture.get_array() for axes in experiments.exemplars().axes
             for picture in axes.get_images()]
    assert len(shown) == 24
    image = dead_leaves(10).images[0].permute(1, 2, 0).numpy() / 255
    border = dead_leaves(10).images.float().mean((0, 2, 3)).numpy() / 255
    assert np.allclose(shown[0], image) and np.allclose(shown[12], image)
    for version in shown[1:4]:  # moved by at most four pixels, perhaps mirrored
        found = []
        for turned, i, j in product((image, image[:, ::-1]), range(9), range(9)):
            padded = np.pad(turned, ((4, 4), (4, 4), (0, 0)), constant_values=np.nan)
            part = padded[i:i + 32, j:j + 32]
            found.append(np.allclose(np.where(np.isnan(part), border, part), version, atol=3e-3))
        assert sum(found) == 1
    for version in shown[13:16]:  # every color is moved by one rule
        turns = [(colorsys.rgb_to_hsv(*version[i, j])[0] - colorsys.rgb_to_hsv(*image[i, j])[0]) % 1
                 for i, j in product(range(0, 32, 5), repeat=2)
                 if min(np.ptp(version[i, j]), np.ptp(image[i, j])) > 0.2]
        turns = [turn - (turn > 0.5) for turn in turns]
        assert len(turns) > 20 and max(turns) - min(turns) < 0.01 and max(map(abs, turns)) < 0.1
        assert not np.allclose(version, image, atol=0.05)


def canonical(image):
    """One form of an image (side, side, 3) for all exchanges of quarters, by sorting."""
    if len(image) == 1:
        return tuple(image[0, 0].tolist())
    half = len(image) // 2
    return tuple(sorted(canonical(part) for rows in (image[:half], image[half:])
                        for part in (rows[:, :half], rows[:, half:])))


def test_images_of_an_orbit_sort_to_the_same_form():
    grid = np.array([axes.get_images()[0].get_array() for axes in experiments.orbits().axes])
    for line in grid.reshape(2, 4, 32, 32, 3):
        first, coarse, fine, every = line
        assert len({canonical(image) for image in line}) == 1
        assert not any(np.array_equal(first, other) for other in line[1:])
        tiles = [{tile.tobytes() for rows in np.split(image, 4) for tile in np.split(rows, 4, 1)}
                 for image in (first, coarse)]
        assert tiles[0] == tiles[1]
        assert np.array_equal(*(image.reshape(8, 4, 8, 4, 3).sum((1, 3), dtype=int)
                                for image in (first, fine)))
        assert not np.array_equal(*(image.reshape(8, 4, 8, 4, 3).sum((1, 3), dtype=int)
                                    for image in (first, every)))


def test_sizes_and_ranks_of_depth_are_the_formulas():
    left, right = depth._sizes().axes
    shallow, deep = (list(zip(*line.get_data())) for line in left.get_lines()[:2])
    assert shallow == [(8 * 4 * z + z, z) for z in (1, 4, 16, 64, 256)]
    assert deep == [(8 * 4 * r + 4 * r * r + 2 * r * r + r, r**4) for r in (1, 2, 3, 4)]
    assert right.get_lines()[-1].get_data()[0] == [32]
    pair, four = (axes.get_images()[0].get_array() for axes in depth._point().axes)
    for shown, places in ((pair, {0, 1}), (four, {0, 1, 3, 4})):
        found = np.argwhere(shown[..., 0] < 1)
        assert {tuple(place) for place in found} == {(p, p) for p in places}


def test_ranks_below_the_regions_are_smallest_cuts():
    trees = [pooling_tree((4, 4), 2, (4, 4), name) for name in ("square", "mirror", "dilated")]
    axes = geometry._regions().axes
    assert len(axes) == 8
    for ax in axes:
        cells = ax.get_images()[0].get_array().reshape(16, 3)
        part = [k for k in range(16) if np.allclose(cells[k], to_rgb(style.COLORS["rows"]))]
        found = [int(text) for text in re.findall(r"\d+", ax.get_xlabel())]
        assert found == [tree.mincut(part) for tree in trees]


def test_ranks_on_templates_are_those_of_the_notebook():
    notebook = (ROOT / "notebooks/01_grid_tensors.ipynb").read_text("utf-8")
    shown = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in notebook.split("<tr>")]
    stored = {row[0]: [int(rank) for rank in row[1:]] for row in shown if len(row) == 12}
    axes = grids._templates().axes[0]
    lines, names = axes.get_lines(), [text.get_text() for text in axes.texts]
    assert sorted(names) == ["bias", "more overlap", "no biases", "overlap"]
    for line, name in zip(lines, names, strict=True):
        assert list(line.get_ydata()) == stored[name]
        assert list(line.get_xdata()) == list(range(2, 13))


def tiles_of(image, size):
    height, width = (length // size for length in image.shape[:2])
    return [image[size * i:size * (i + 1), size * j:size * (j + 1)].tobytes()
            for i in range(height) for j in range(width)]


def test_mosaics_are_made_of_their_templates():
    axes = grids._patch_templates().axes
    found = {ax.get_title(loc="center"): ax.get_images()[0].get_array() for ax in axes}
    patches = [np.asarray(found.pop(f"template {k}")).tobytes() for k in range(3)]
    assert len(set(patches)) == 3 and len(found) == 2
    for title, image in found.items():
        assert tiles_of(np.asarray(image), 16) == [patches[int(k)] for k in title.split(", ")]
    image, shuffled = (tiles_of(np.asarray(ax.get_images()[0].get_array()), 100)
                       for ax in grids._shuffled().axes)
    assert sorted(image) == sorted(shuffled) and image != shuffled


def test_draws_of_rectifiers_are_those_of_the_text():
    notebook = json.loads((ROOT / "notebooks/04_rectifier_networks.ipynb").read_text("utf-8"))
    glued = {output["metadata"]["scrapbook"]["name"]: " ".join(output["data"].values())
             for cell in notebook["cells"] for output in cell.get("outputs", ())
             if "scrapbook" in output.get("metadata", {})}
    axes = rectifiers._shares().axes[0]
    curves = [line for line in axes.get_lines() if len(line.get_xdata()) == 4]
    for line, sizes in zip(curves, ("4-2", "4-3", "8-2"), strict=True):
        for width, share in zip(*line.get_data()):
            assert glued[f"04-share-{sizes}-{width}"] == f"{round(100 * share)} of 100"
    bars = rectifiers._ranks().axes[0].containers
    maxima, products = ([round(bar.get_height()) for bar in group] for group in bars)
    assert sum(maxima) == sum(products) == products[16] == 100
    median = next(rank for rank in range(17) if sum(maxima[:rank + 1]) > 50)
    assert str(median) == glued["04-rectifier-median"]


def test_what_stands_for_the_curves_says_where_they_cross():
    """The text for who does not see the picture of the published networks."""
    found = cells(read(STORED_RUNS / "laptop.jsonl")[1])
    crossed = set()
    for kind, channels in product(("spatial", "color"), (2, 4, 8, 16, 32, 64)):
        means = [np.mean(found[kind, f"B{b}", channels]) for b in range(1, 6)]
        if means != sorted(means):
            crossed.add((kind, channels, tuple(sorted(range(1, 6), key=lambda b: means[b - 1]))))
    assert {key[:2] for key in crossed} == {("spatial", 2), ("color", 2), ("color", 32)}
    assert ("color", 32, (1, 2, 3, 5, 4)) in crossed
    page = (ROOT / "book" / "convnet-experiments.md").read_text(encoding="utf-8")
    assert "from four on, five lines" in page
    assert "but that B=4 lies above B=5 at 32 channels and color" in page


def test_what_stands_for_the_accuracies_says_the_numbers_of_the_notebook():
    """Marginals stood "near sixty" percent in the text, and at 53 in the picture."""
    notebook = json.loads((ROOT / "notebooks/05_log_space.ipynb").read_text("utf-8"))
    [stored] = (cell["metadata"]["mystnb"]["image"]["alt"] for cell in notebook["cells"]
                    if cell["metadata"].get("mystnb", {}).get("figure", {}).get("name")
                    == "fig-log-space-stored-live")
    networks = log_space.stored_records()[1]
    shares = [f"{log_space.stored_accuracies(networks, *place)[0]:.0f}" for place in
              (("mixture", "marginal", "pixels-0.0"), ("mixture", "marginal", "pixels-0.9"),
               ("convnet", "mean", "pixels-0.0"), ("convnet-masked", "masked", "pixels-0.0"))]
    assert re.findall("(?:at|to) (\\d\\d)", stored) == shares
    assert stored in (ROOT / "book" / "log-space.md").read_text(encoding="utf-8")


def test_only_one_table_is_meant():
    with pytest.raises(ValueError, match="0 tables of 04_rectifier_networks have a column 'no'"):
        stored_table("04_rectifier_networks", "no")


def test_the_curves_are_where_the_rank_falls():
    generator = torch.Generator().manual_seed(5)
    s, t = 3 * torch.rand((2, 20), generator=generator).double() - 1.5
    weights = depth.weights_in_plane(s, t)
    factors = torch.stack(depth.rank_factors(weights))
    assert factors.shape == (8, 20)
    for k in range(20):
        tensor = coefficient_tensor(depth.PLANE, {path: w[k] for path, w in weights.items()})
        matrix = matricize(tensor, "even-odd")
        det = torch.linalg.det(matrix).abs().item()
        product = (factors[:4, k].prod() ** 2 * factors[4:, k].prod()).abs().item()
        assert det == pytest.approx(product, rel=1e-6) and torch.linalg.matrix_rank(matrix) == 4
    curves = [path for group in depth._exceptions().axes[0].collections
              for path in group.get_paths() if len(path.vertices)]
    for path in curves:
        s, t = torch.tensor(path.vertices).double().unbind(1)
        factors = torch.stack(depth.rank_factors(depth.weights_in_plane(s, t)))
        assert factors.abs().min(0).values.max() < 5e-3
    assert len(curves) >= 6


def test_windows_that_a_network_lacks_are_not_drawn():
    """Three pixels apart in windows of two: the bars of another layer were drawn."""
    net = Architecture((8,), 3, ((2, 1, 2), (3, 1, 2), (8, 8, 1)))
    for given, message in (((1, 3, 4), "shift=3 at layer 1"), ((2, 3, 8), "cut=8; need")):
        with pytest.raises(ValueError, match=message), style.figure() as (_, axes):
            crossing.draw_elimination(axes, net, *given)
