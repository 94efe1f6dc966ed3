"""Questions of notebooks 12 to 14: dilated networks, experiments, audits."""

from itertools import combinations_with_replacement, permutations, product

import torch

from ..audit import models
from ..experiments.analysis import abscissa_at
from ..experiments.kinds import KINDS
from ..grids.certify import certify
from ..networks.architecture import Architecture
from ..trees.mixtures import dilated_tree, hybrid_tree, lags, mixture_levels
from ..trees.symmetry import moved, random_symmetry, symmetry_order
from .core import (
    ask,
    compare,
    exercise,
    integers,
    number,
    positions,
    refuse,
    said,
    shown,
    truth,
)


@exercise("12-inputs", "every layer looks back or does not, so the lags are sums of sets of "
          "dilations: when do two sets have the same sum?")
def _inputs(answer):
    stacks = [(1,), (1, 1), (1, 2), (2, 2), (1, 1, 1), (1, 2, 3), (1, 2, 4), (2, 3, 5), (4, 1, 2),
              (1, 2, 4, 8), (1, 2, 3, 4), (3, 3, 3, 3), (1, 2, 4, 8, 16), (1, 2, 4, 1, 2, 4)]
    return compare(answer, (((stack,), len(lags(stack))) for stack in stacks),
                   "the output reads {} different instants")


@exercise("12-meet", "write both instants in binary, and find the layers in which they differ")
def _meet(answer):
    def cases():
        for order in ((1,), (1, 2), (2, 1), *permutations((1, 2, 4)), (4, 1, 8, 2)):
            N, tree = 2 ** len(order), dilated_tree(order, 2, 2)
            below = [(node.height, {m for m in range(N) if _below(node, m)})
                     for _, node in tree.inner_nodes()]
            for i in range(N):
                for j in range(i + 1, N):
                    yield (order, i, j), min(height for height, modes in below
                                             if {i, j} <= modes)

    return compare(answer, cases(), "they meet in layer {}")


def _below(node, mode: int) -> bool:
    return any(child == mode if isinstance(child, int) else _below(child, mode)
               for child in node.children)


@exercise("12-common", "what stands below a node of layer l: an order, or a set?")
def _common(answer):
    def cases():
        firsts = [(1, 2), (2, 1), (1, 2, 4), (2, 4, 1), (4, 1, 2), (1, 2, 4, 8), (8, 2, 1, 4)]
        for first in firsts:
            for order in permutations(sorted(first)):
                yield (first, order), list(mixture_levels(first, order))

    def read(value, call):
        value = sorted(value) if isinstance(value, (set, frozenset)) else value
        if not isinstance(value, list):
            refuse(f"{call} gives {shown(value)}, and a list of layers is asked for")
        return sorted(integers(value, len(value), call, 0))

    return compare(answer, cases(), "the layers in common are {}", read)


@exercise("12-mirror", "in the half that follows the first network its tree must split all pairs, "
          "and in the other half the second")
def _mirror(answer):
    rows, first, second = positions(answer, 8, 4), (1, 2, 4), (2, 1, 4)
    trees = {"network with dilations 1, 2, 4": (dilated_tree(first, 2, 2), 8),
             "network with dilations 2, 1, 4": (dilated_tree(second, 2, 2), 8),
             "hybrid": (hybrid_tree(first, second, 2, 2, 2, (0, 1)), 16)}
    for name, (tree, wanted) in trees.items():
        rank = certify(tree, rows).rank
        if rank != wanted:
            refuse(f"for the rows {shown(list(rows))} the {name} has rank {rank}, not {wanted}")
    return "rank 8 for both networks, 16 for their hybrid"


@exercise("13-curve", "between two points accuracy grows in proportion to the logarithm of the "
          "channels")
def _curve(answer):
    curves = [([(4, 0.25), (16, 0.75)], (0.25, 0.75, 0.5)),
              ([(8, 0.36), (12, 0.44)], (0.40, 0.42)),
              ([(2, 0.1), (4, 0.2), (8, 0.4), (16, 0.5)], (0.15, 0.3, 0.45)),
              ([(2, 0.125), (4, 0.375), (64, 0.5)], (0.4375, 0.25))]
    tried = 0
    for points, levels in curves:
        for level in levels:
            call = said(answer, (points, level))
            found = number(ask(answer, points, level), call)
            expected = abscissa_at([(*point, 0, 1) for point in points], level)
            if abs(found - expected) > 1e-6 * expected:
                refuse(f"{call} gives {shown(float(found))}, but the curve is there at "
                       f"{shown(expected)} channels")
            tried += 1
    return f"{tried} levels on {len(curves)} curves"


@exercise("13-same-size",
          "the parameters are those of five convolutions and a dense layer; only four "
          "of the convolutions have weights that grow with the square of the channels")
def _same_size(answer):
    def cases():
        for C, B in product((1, 2, 3, 4, 8, 16, 32, 64), (1, 2, 3, 4, 5)):
            size, channels = KINDS[f"B{B}"].parameter_count(C), 1
            while KINDS["B1"].parameter_count(channels) < size:
                channels += 1
            yield (C, B), channels

    return compare(answer, cases(), "the fewest channels are {}")


@exercise("13-group", "how many inner nodes has the tree, and how many orders do the children of "
          "each have?")
def _group(answer):
    cases = (((pool, levels), symmetry_order(levels, pool))
             for levels in (1, 2, 3, 4) for pool in (2, 3, 4))
    return compare(answer, cases, "the group has {} elements")


def _sorted_tree(image: list) -> object:
    """The image as a tree of quarters, sorted at every node."""
    if len(image) == 1:
        return (image[0][0],)
    half = len(image) // 2
    return tuple(sorted(_sorted_tree([row[j:j + half] for row in image[i:i + half]])
                        for i in (0, half) for j in (0, half)))


@exercise("13-canonical", "inside a quarter nothing else counts than in the whole image: describe "
          "the quarters first, then forget their order")
def _canonical(answer):
    draw, images = torch.Generator().manual_seed(13), []
    images += [torch.tensor(x).view(2, 2) for x in product((0, 1), repeat=4)]
    # sums and products of larger numbers meet: 0, 0, 0, 2 and 1, 1, 1, 1 have equal squares
    images += [torch.tensor(x).view(2, 2) for x in sorted(
        combinations_with_replacement(range(6), 4), key=max) if max(x) > 1]
    # numbers written one after the other may read the same: 1, 12 and 11, 2
    images += [torch.tensor(x).view(2, 2) for x in ((0, 0, 1, 12), (0, 0, 11, 2), (0, 1, 0, 12),
                                                    (1, 0, 0, 2), (0, 10, 0, 2), (0, 0, 0, 12),
                                                    (0, 0, 0, 19), (0, 0, 1, 9), (0, 0, 1, 3),
                                                    (0, 0, 0, 16), (20, 20, 0, 0), (0, 20, 20, 20))]
    for levels, colors in ((2, 2), (2, 3), (2, 13), (3, 2)):
        for _ in range(12):
            image = torch.randint(colors, (2**levels, 2**levels), generator=draw)
            pixels = torch.randperm(4**levels, generator=draw)
            blocks = image.unfold(0, 2, 2).unfold(1, 2, 2)  # 2×2 blocks, then shuffled
            blocks = blocks.flatten(0, 1)[torch.randperm(4 ** (levels - 1), generator=draw)]
            side = 2 ** (levels - 1)
            shuffled = blocks.view(side, side, 2, 2).transpose(1, 2).reshape(image.shape)
            images += [image, moved(image, random_symmetry(levels, draw)), shuffled,
                       image.flatten()[pixels].view(image.shape)]
    results, first = [], images[0].tolist()
    one, two = (ask(answer, [list(row) for row in first]) for _ in range(2))
    if one != two:
        refuse(f"the image 00/00 gets {shown(one)} and, asked again, {shown(two)}: different "
               "results for one image; a list, a tuple, a text or a number can be compared")
    for image in (image.tolist() for image in images):
        true, said_to_be = _sorted_tree(image), ask(answer, [list(row) for row in image])
        for other, its_true, its_said in results:
            if len(other) == len(image) and (true == its_true) != (said_to_be == its_said):
                gap = " " if max(map(max, other + image)) > 9 else ""
                one, two = ("/".join(gap.join(map(str, row)) for row in x) for x in (other, image))
                wrong = ("the same, and they are not in one orbit" if true != its_true
                         else "different results, and they are in one orbit")
                refuse(f"the images {one} and {two} get {wrong}")
        results.append((image, true, said_to_be))
    return f"{len(images)} images in {len({true for _, true, _ in results})} orbits"


@exercise("14-stage", "a layer adds its window, minus one, in steps of what lies below it; the "
          "longest path through the units counts")
def _stage(answer):
    def cases():
        for units in range(12):  # all branches have one center: the longest path sees it all
            net = Architecture((1,), 1, ((7, 2, 1), (3, 2, 1)) + 2 * units * ((3, 1, 1),))
            yield (units,), net.total_receptive_field(net.depth)

    return compare(answer, cases(), "the field is {} pixels wide")


@exercise("14-no-holes", "every layer may take steps as long as what one unit below it sees")
def _no_holes(answer):
    if not isinstance(answer, list) or not answer:
        refuse(f"your answer is {shown(answer)}, and a list of layers is asked for")
    layers = [integers(layer, 2, "a layer (window, dilation)", 1, 99) for layer in answer]
    total = sum(window for window, _ in layers)
    if total > 9:
        refuse(f"your windows have {total} weights together, and nine are allowed")
    seen = {0}
    for window, dilation in layers:
        seen = {offset + dilation * k for offset in seen for k in range(window)}
    width = max(seen) + 1
    if len(seen) < width:
        hole = min(set(range(width)) - seen)
        refuse(f"a unit sees {len(seen)} of {width} pixels: pixel {hole} falls into a hole")
    if width != 27:
        refuse(f"a unit sees {width} pixels without a hole, and 27 are asked for")
    return "27 pixels with nine weights, none left out"


@exercise("14-same", "the branch is centered on the pixel (R - 1)/2 - left, where left is the "
          "padding before the map; the shortcut on pixel 0")
def _same(answer):
    def cases():
        for n, R, S in product((9, 10, 11, 12, 21, 23), (1, 2, 3, 4, 5, 7), (1, 2, 3, 4, 5)):
            unit = n // S // 2
            with torch.inference_mode(False), torch.enable_grad():  # whatever the reader set
                pixels = torch.ones(1, 1, n, n, requires_grad=True)
                padded = models.EndPadding(R, S)(pixels)
                output = torch.nn.functional.conv2d(padded, torch.ones(1, 1, R, R), stride=S)
                derivative, = torch.autograd.grad(output[0, 0, unit, unit], pixels)
            seen = derivative[0, 0].amax(0).nonzero().flatten()  # an inner unit: nothing cut off
            yield (n, R, S), float(seen[0] + seen[-1]) / 2 == unit * S

    return compare(answer, cases(), "it is {} that the branches are aligned", truth)


@exercise("14-stem", "all three layers add to the exponent; the base is the smallest number of "
          "channels on the way, plus one: how small may it be?")
def _stem(answer):
    first, second = integers(answer, 2, "your pair of channels", 1, 64)

    def bound(*layers):
        return Architecture(224, 64, (*layers, (112, 112, 1))).crossing_bound()

    size = 9 * (3 * first + first * second + second * 64)
    if size >= 49 * 3 * 64:
        refuse(f"the three layers have {size} weights, and the large one has {49 * 3 * 64}")
    found, goal = bound((3, 2, first), (3, 1, second), (3, 1, 64)), bound((7, 2, 64))
    if found <= goal:
        refuse(f"{size} weights, but the crossing bound is {found}, and {goal} for the large layer")
    return f"the crossing bound {found}, above {goal}, with {size} weights instead of {49 * 3 * 64}"
