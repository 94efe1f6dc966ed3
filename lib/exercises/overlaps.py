"""Questions of notebooks 09 to 11: the overlap theorem, its proof, any partition."""

from fractions import Fraction
from itertools import combinations, product
from math import isfinite

import torch

from ..bounds.matching import matching_number, maximum_matching
from ..exact.arithmetic import Modular
from ..grids.blocks import matricization_block
from ..grids.certify import certify, certify_weights
from ..networks.architecture import Architecture
from ..trees.pooling import pooling_tree
from ..trees.tensors import indices
from .core import (
    array,
    ask,
    close,
    compare,
    exercise,
    integers,
    number,
    positions,
    rank_of,
    refuse,
    rounded_rank,
    rounding,
    said,
    shown,
    truth,
)


@exercise("09-crossing", "window v reads the columns from vS on: which v have one before the cut "
          "and one after it, and end inside the image?")
def _crossing(answer):
    def cases():
        for H in (2, 4, 6, 8, 10):
            for R, S in product(range(1, H + 1), (1, 2, 3, 4, 5, 7)):
                starts = range(0, H, S)
                yield (H, R, S), sum(v < H // 2 <= v + R - 1 < H for v in starts)

    return compare(answer, cases(), "the number of windows across the cut in the middle is {}")


@exercise("09-two-layers", "each crossing window is a sum of as many products as it has channels, "
          "and one more with a bias; when does a window stop crossing inside the image?")
def _two_layers(answer):
    def cases():
        for H, Ms, Ds in ((2, (2, 3, 5), (1, 2, 3, 4)), (4, (2, 3), (1, 2)), (4, (4,), (3,)),
                          (6, (2,), (1,))):
            for R, M, D, bias in product(range(1, H + 1), Ms, Ds, (False, True)):
                net = Architecture((H,), M, ((R, 1, D), (H, H, 1)))
                rank = certify(net, "left-right", biases=(True, bias)).rank
                yield (H, M, R, D, bias), rank

    return compare(answer, cases(), "a random network has rank {}")


@exercise("09-twelve",
          "a column more in the window multiplies the rank by the base; a channel more "
          "raises the base, up to M")
def _twelve(answer):
    R, D = integers(answer, 2, "your pair (R, D)", 1, 12)
    if R * D > 12:
        refuse(f"{R} times {D} is {R * D}, more than twelve")

    def bound(R, D):
        return Architecture((8,), 4, ((R, 1, D), (8, 8, 1))).crossing_bound().value

    best = max(bound(r, d) for r in range(1, 9) for d in range(1, 12 // r + 1))
    if bound(R, D) < best:
        refuse(f"a window of {R} with {D} channels has rank {bound(R, D)}; another choice has more")
    return f"rank {best}, and no product up to twelve has more"


def _same_halves(net: Architecture, weights) -> str:
    """Two left halves of a 4×4 image that get the same answers, if there are any."""
    left, field = [i for i in range(16) if i % 4 < 2], Modular()
    halves, weights = indices(2, 8), net.map_weights(field.tensor, weights)
    rows = matricization_block(net, weights, left, halves, halves, torch.eye(2).double(), field)
    first: dict[tuple, int] = {}
    for i, row in enumerate(rows.tolist()):
        j = first.setdefault(tuple(row), i)
        if j < i:
            one, other = (shown(halves[k].view(4, 2).tolist()) for k in (j, i))
            return f": the left halves {one} and {other} get the same answers with every right half"
    return ""


@exercise("09-one-channel",
          "let a window multiply two pixels that are two columns apart, by weights "
          "that tell the two templates apart, and let all other factors be 1")
def _one_channel(answer):
    if not isinstance(answer, list) or len(answer) != 2:
        refuse(f"your answer is {shown(answer)}, and weights and biases are asked for")
    weight = array(answer[0], (3, 3, 2), "the table of weights")
    bias = array(answer[1], (3, 3), "the table of biases")
    for table in (weight, bias):
        if not torch.equal(table, table.round()):
            refuse("the weights and biases have to be integers, so that the rank is exact")
    net = Architecture(4, 2, ((3, 1, 1), (4, 4, 1)))
    last = torch.full((1, 1, 4, 4), 2.0).double(), torch.ones(1, 4, 4).double()
    layer = weight.permute(2, 0, 1)[None], bias[None]
    rank = certify_weights(net, [layer, last], "left-right").rank
    if rank < 256:
        refuse(f"the rank is {rank}, and 256 is asked for{_same_halves(net, [layer, last])}")
    return "rank 256 with one channel; without overlaps, aligned with the cut, that takes 255"


@exercise("10-arcs",
          "the arc from v ends at v + s: which v lie before the cut, and of these, which "
          "arcs end after it, inside the image?")
def _arcs(answer):
    cases = (((H, h, s), sum(v < h <= v + s < H for v in range(H)))
             for H in range(2, 9) for h in range(1, H) for s in range(1, H))
    return compare(answer, cases, "the number of arcs across the cut is {}")


@exercise("10-travel", "the steps of later layers are longer; which layer has to be asked first?")
def _travel(answer):
    stacks = [((2, 1),), ((2, 1), (2, 1)), ((2, 2), (2, 1)), ((3, 2), (2, 2)), ((2, 2), (3, 2)),
              ((3, 3), (3, 2), (2, 1)), ((4, 2), (4, 2), (4, 2)), ((5, 1), (1, 3), (4, 1)),
              ((9, 2), (2, 1)), ((2, 1), (9, 3), (3, 2)), ((8, 3), (2, 2), (5, 1))]
    tried = 0
    for stack in stacks:
        net = Architecture((999,), 1, tuple((*layer, 1) for layer in stack))
        for s in net.reachable_shifts(net.depth):
            call = said(answer, (stack, s))
            value = ask(answer, stack, s)
            hops = integers(value, len(stack), call, 0)
            for k, (a, (R, _)) in enumerate(zip(hops, stack), 1):
                if a > R - 1:
                    refuse(f"{call} gives {hops}, but layer {k} has a window of {R}, without an "
                           f"offset {a}")
            total = sum(a * net.total_stride(k) for k, a in enumerate(hops))
            if total != s:
                refuse(f"{call} gives {hops}, which travels {total}, and {s} is asked for")
            tried += 1
    return f"{tried} shifts"


@exercise("10-factor",
          "the sum of signs is D - 1 on the diagonal; which values does it take beside "
          "it, and for which factor is none of them turned into 0?")
def _factor(answer):
    factor = number(answer)
    if isinstance(factor, float) and not isfinite(factor):
        refuse(f"your answer is {factor}, and a finite number is asked for")
    fraction = Fraction(factor)
    for D in (2, 3, 4, 5, 6):
        signs = 1 - 2 * torch.eye(D, dtype=torch.int64)[:, 1:]  # as in the construction
        sums = (signs @ signs.T).tolist()
        matrix = [[1 + fraction * entry for entry in row] for row in sums]
        for a, b in product(range(D), repeat=2):
            # -1/3 as a float, of 32 bits as well, is a third and not a number beside it
            if close(float(matrix[a][b]), 0) if isinstance(factor, float) else not matrix[a][b]:
                refuse(f"for D = {D} the templates {a} and {b} give 1 + ({shown(factor)}) · "
                       f"({sums[a][b]}) = 0")
        rank = rank_of(matrix)
        if rank < D:
            table = shown([[float(entry) for entry in row] for row in matrix])
            refuse(f"for D = {D} no factor is 0, but the matrix {table} has rank {rank}")
    return "no factor is 0 and no matrix singular for 2 to 6 templates"


@exercise("10-private", "with the constant, three products have to tell four contents apart; a "
          "product of signs is a product of functions of one pixel")
def _private(answer):
    if not isinstance(answer, list) or len(answer) != 3:
        refuse(f"your answer is {shown(answer)}, and three channels are asked for")
    contents = list(product((0, 1), repeat=2))
    columns, slack = [torch.ones(4).double()], 0.0
    for j, pair in enumerate(answer):
        first, second = array(pair, (2, 2), f"channel {j}")
        slack = max(slack, rounding(first), rounding(second))
        columns.append(torch.stack([first[a] * second[b] for a, b in contents]))
    table = torch.stack(columns, dim=1)
    for i, j in combinations(range(4), 2):
        if torch.equal(table[i], table[j]):
            refuse(f"all three channels have the same value on {contents[i]} and on {contents[j]}")
    if slack:  # of the table, in units of its own for every function: the matrix squares the small
        largest = table.abs().amax(0)
        table /= largest.where(largest > 0, 1)
    rank = rounded_rank(table, slack)
    if rank < 4:
        refuse(f"the constant and your three functions are {shown(table.T.tolist())} on the four "
               f"contents, of rank {rank}: so is the matrix")
    return "rank 4: three channels carry all contents of two pixels"


@exercise("11-comparable", "a window reaches down and to the right: write both pixels as row and "
          "column")
def _comparable(answer):
    def cases():
        for width in (2, 3, 4, 1, 5, 11):
            for a, b in combinations(range(min(3, width) * width), 2):
                for pair in ((a, b), (b, a)):  # b is in the row of a, or below
                    yield (*pair, width), a % width <= b % width

    return compare(answer, cases(), "it is {} that one sees the other", truth)


@exercise("11-cheap", "which eight positions stand below the first half of the root's children?")
def _cheap(answer):
    rows = positions(answer, 16, 8)
    tree = pooling_tree((4, 4), 2, (4, 3), "mirror")
    rank = certify(tree, rows).rank
    if rank > 3:
        refuse(f"the rank of {shown(list(rows))} against the others is {rank}, above 3")
    return f"rank {rank}, with four windows of four channels"


@exercise("11-defeat", "gather one side where its pixels see few of the other: to the lower left, "
          "without the first row and the last column")
def _defeat(answer):
    rows = positions(answer, 16, 8)
    most = matching_number(rows, (4, 4))
    if most == 8:
        pairs = [shown(pair) for pair in maximum_matching(rows, (4, 4))]
        refuse(f"all pixels can be paired: {', '.join(pairs)}")
    return f"at most {most} pairs: with two templates the bound of the theorem is 2^{most}"


@exercise("11-pairing",
          "a pair taken too early may block two others: let a pixel without a partner "
          "take one that is taken, if its owner finds another")
def _pairing(answer):
    grids = [(rows, 1, 4) for rows in combinations(range(4), 2)]
    grids += [(rows, 2, 2) for size in (1, 2, 3) for rows in combinations(range(4), size)]
    grids += [(rows, 2, 3) for rows in combinations(range(6), 3)]
    grids += [(rows, 3, 4) for rows in list(combinations(range(12), 6))[::20]]
    grids += [(rows, 4, 4) for rows in list(combinations(range(16), 8))[::400]]
    # where the pixel with the fewest partners first, or one exchange, is not enough
    grids += [((0, 4, 8, 9, 10, 12, 13, 14), 4, 4), ((0, 1, 2, 3, 6, 7, 11, 12), 4, 4),
              ((1, 2, 3, 5, 6, 7, 11, 15), 4, 4), ((0, 1, 2, 3, 5, 7, 9, 11), 4, 4),
              ((0, 1, 2, 3, 7, 9, 10, 11), 4, 4)]
    # where chains of two to four exchanges are not enough, in this order or the reverse
    grids += [((0, 1, 2, 5, 6, 7, 10, 11), 4, 4), ((2, 3, 5, 6, 7, 11, 14, 15), 4, 4),
              ((4, 5, 6, 8, 10, 11, 12, 13), 4, 4), ((1, 2, 3, 4, 6, 7, 11, 14), 4, 4),
              ((0, 4, 5, 7, 8, 9, 10, 12), 4, 4), ((0, 4, 5, 8, 9, 10, 12, 13), 4, 4)]
    grids += [(rows, 3, 4) for size in (3, 9) for rows in list(combinations(range(12), size))[::40]]
    for rows, height, width in grids:
        most = matching_number(rows, (height, width))
        others = tuple(i for i in range(height * width) if i not in rows)
        found = ask(answer, rows, others, width)
        call = said(answer, (rows, others, width))
        if not isinstance(found, list):
            refuse(f"{call} gives {shown(found)}, and a list of pairs is asked for")
        pairs = [integers(list(pair) if isinstance(pair, (set, frozenset)) else pair, 2,
                          f"a pair of {call}", 0) for pair in found]
        for a, b in pairs:
            (i, j), (k, m) = divmod(a, width), divmod(b, width)
            if not (a in rows and b in others or b in rows and a in others):
                refuse(f"{call} pairs {a} with {b}, which are not a pixel of rows and one of "
                       "others")
            if not (i <= k and j <= m or k <= i and m <= j):
                refuse(f"{call} pairs {a} with {b}, and neither sees the other")
        used = [pixel for pair in pairs for pixel in pair]
        if len(set(used)) < len(used):
            twice = next(pixel for pixel in used if used.count(pixel) > 1)
            refuse(f"{call} uses the pixel {twice} twice")
        if len(pairs) < most:
            refuse(f"{call} finds {len(pairs)} pairs, and there are {most}")
    return f"{len(grids)} partitions, up to 4 × 4"
