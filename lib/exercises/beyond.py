"""Questions of notebooks 04 to 06: rectifiers, log-space and missing data, pooling geometry."""

import math
from fractions import Fraction
from itertools import combinations, product
from numbers import Rational

import torch

from ..bounds.upper_bounds import linear_readout_upper_bound
from ..grids.certify import certify
from ..networks.architecture import Architecture
from ..networks.log_space import mex
from ..trees.pooling import pooling_order, pooling_tree
from .core import (
    apart,
    array,
    ask,
    close,
    compare,
    exercise,
    integer,
    number,
    positions,
    rank_of,
    refuse,
    rounding,
    said,
    shown,
    truth,
)


@exercise("04-maxima", "in which columns does row i show its own u_i, and in which not?")
def _maxima(answer):
    u, w = array(answer, (2, 3), "your pair of vectors")
    matrix = torch.maximum(u[:, None], w)
    text = shown(matrix.tolist())
    for i, j in combinations(range(3), 2):
        if torch.equal(matrix[i], matrix[j]):
            refuse(f"the matrix of maxima is {text}: its rows {i} and {j} are equal")
    rank = rank_of(matrix)
    if rank < 3:
        refuse(f"the matrix of maxima is {text}, of rank {rank}")
    return f"the matrix of maxima {text} has rank 3"


@exercise("04-average",
          "start with 2, and let every cell that sees both sides add what the smaller "
          "of the two sides can tell apart, minus one")
def _average(answer):
    sizes = [(M, R, S) for R in range(1, 9) for S in range(1, 9) for M in (2, 3, 4)]
    for M, R, S in sizes:
        call = said(answer, (M, R, S))
        found = integer(ask(answer, M, R, S), call)
        bound = linear_readout_upper_bound(Architecture((8,), M, ((R, S, 9),)))
        if found not in (bound, min(bound, M**4)):  # the matrix has M^4 rows
            refuse(f"{call} gives {shown(found)}, but on a line of 8 the bound is {bound}")
    return f"{len(sizes)} cases"


@exercise("04-numbers", "the maximum of two numbers tells nothing of the smaller one: different "
          "windows need different numbers")
def _numbers(answer):
    for M in (2, 3, 4, 5, 11):  # 5 and 11 for d + 4e and d + 10e
        windows = list(product(range(M), repeat=2))
        value = [number(ask(answer, d, e, M), said(answer, (d, e, M))) for d, e in windows]
        for i, j in combinations(range(M * M), 2):
            if value[i] == value[j]:
                refuse(f"for M = {M} the windows {windows[i]} and {windows[j]} both get the number "
                       f"{shown(value[i])}: two rows of the matrix are equal")
        if M > 4:  # the determinant is the largest number times a product of gaps
            if max(value) == 0:
                refuse(f"for M = {M} the largest number is 0: the matrix of maxima is singular")
            continue
        rank = rank_of([[max(v, w) for w in value] for v in value])
        if rank < M * M:
            refuse(f"for M = {M} the numbers are {shown(value)}, and the matrix of their maxima "
                   f"has rank {rank} of {M * M}")
    for swap in (False, True):  # a factor that does not grow with M is too small for some M
        def at(one, other, M):
            window = (other, one) if swap else (one, other)
            return window, number(ask(answer, *window, M), said(answer, (*window, M)))

        factors = []
        for M in (5, 11):
            zero, small, large = (at(*window, M)[1] for window in ((0, 0), (1, 0), (0, 1)))
            far, near = large - zero, small - zero
            if isinstance(far, Rational) and isinstance(near, Rational):    # of any size
                factors.append(Fraction(far) / near)
            else:
                factors.append(far / near if math.isfinite(far) else 0)
        factor = round(factors[0])
        if factor > 10 and factor == round(factors[1]):
            (window, one), (other, two) = at(factor, 0, factor + 1), at(0, 1, factor + 1)
            if one == two:
                refuse(f"for M = {factor + 1} the windows {window} and {other} both get the number "
                       f"{shown(one)}: two rows of the matrix are equal")
    return "rank 4 of 4, 9 of 9 and 16 of 16, without overlap"


def _is_maximum(matrix) -> bool:
    """Whether a matrix is max(u_i, w_j), in plain Python."""
    u, w = [min(row) for row in matrix], [min(column) for column in zip(*matrix)]
    return all(entry == max(a, b) for a, row in zip(u, matrix) for b, entry in zip(w, row))


@exercise("04-one-channel", "how large can u_i be, if no entry of row i may be below it?")
def _one_channel(answer):
    draw = torch.Generator().manual_seed(4)

    def cases():
        small = sorted(product(range(3), repeat=4), key=lambda entries: (max(entries), entries))
        flat = [(2, 2, entries) for entries in small]
        flat += [(*shape, entries) for shape in ((2, 3), (3, 2))
                 for entries in product(range(2), repeat=6)]
        # larger numbers in small tables only: whoever tries all vectors has to come to an end
        flat += [(1, 1, (2,)), (1, 3, (2, 0, 1)), (3, 1, (2, 0, 1)), (2, 1, (70, 3)),
                 (2, 2, (3, 9, 12, 12)), (2, 2, (3, 9, 12, 11))]
        for trial in range(100):
            rows, columns = ((3, 3), (4, 4), (3, 4), (4, 3), (2, 2))[trial % 5]
            entries = torch.randint(9 if rows == 2 else 4, (rows, columns), generator=draw)
            if trial % 3:  # two thirds are maxima, half of those with one entry spoiled
                entries = torch.maximum(entries[:, :1], entries[:1])
                i, j = (int(torch.randint(side, (), generator=draw)) for side in (rows, columns))
                entries[i, j] += trial % 3 - 1
            flat.append((rows, columns, entries.flatten().tolist()))
        for rows, columns, entries in flat:
            matrix = [list(entries[i * columns:(i + 1) * columns]) for i in range(rows)]
            yield (matrix,), _is_maximum(matrix)

    return compare(answer, cases(), "it is {} that two such vectors exist", truth)


@exercise("05-stable", "take the largest number out of the sum before exponentiating")
def _stable(answer):
    lists = ([0.0], [0.0, 0.0], [1.0, 3.0], [-2.0, 0.0, 5.0], [100.0, 101.0], [800.0, 801.0],
             [-800.0, -801.0], [-1e4, 1e4], [1e4, -1e4], [7e5, 7e5 + 1, 7e5],
             [0.0, 2e3, 1e3], [0.0, 0.0, 0.0, 5e3], [-3e3, 0.0, -3e3, -3e3, -3e3])
    for values in lists:
        call = said(answer, (values,))
        found = number(ask(answer, list(values)), call)
        expected = mex(torch.tensor(values, dtype=torch.float64), 1.0).item()
        if not close(found, expected):
            its, right = apart(found, expected)
            refuse(f"{call} gives {its}, but the logarithm of the mean of the exponentials is "
                   f"{right}")
    return f"{len(lists)} lists of numbers up to 700000 in size"


@exercise("05-weights",
          "list the windows, give every window the same share, and every number in it "
          "the same part of that share")
def _weights(answer):
    tried = 0
    for n, R, S in product(range(1, 9), range(1, 7), range(1, 6)):
        if R > n:
            continue
        starts, call = range(0, n - R + 1, S), said(answer, (n, R, S))
        found = ask(answer, n, R, S)
        expected = [Fraction(sum(s <= i < s + R for s in starts), R * len(starts))
                    for i in range(n)]
        if not isinstance(found, list) or len(found) != n:
            refuse(f"{call} gives {shown(found)}, and {n} weights are asked for")
        for i, (one, other) in enumerate(zip(found, expected)):
            if not close(float(number(one, f"weight {i} of {call}")), float(other)):
                refuse(f"{call} gives number {i} the weight {shown(one)}, but the mean of the "
                       f"window means gives it {other}")
        tried += 1
    return f"{tried} covers of 1 to 8 numbers"


@exercise("05-marginal", "a pixel that is missing contributes what its distribution adds up to")
def _marginal(answer):
    draw = torch.Generator().manual_seed(5)

    def distribution(size):
        counts = torch.randint(1, 6, (size,), generator=draw).tolist()
        return [Fraction(count, sum(counts)) for count in counts]

    tried = 0
    for pixels, components, values in ((1, 1, 2), (2, 1, 2), (2, 2, 2), (3, 2, 3)):
        prior = distribution(components)
        tables = [[distribution(values) for _ in range(pixels)] for _ in range(components)]
        given = ([float(p) for p in prior],  # no tensor is made of fractions
                 [[[float(p) for p in part] for part in table] for table in tables])
        whole = {image: sum(p * math.prod(table[i][x] for i, x in enumerate(image))
                            for p, table in zip(prior, tables))
                 for image in product(range(values), repeat=pixels)}
        for image in sorted(product((*range(values), None), repeat=pixels),
                            key=lambda image: image.count(None)):
            expected = sum(p for x, p in whole.items()
                           if all(a in (None, b) for a, b in zip(image, x)))
            found = number(ask(answer, *given, image), "the probability")
            if not close(float(found), float(expected)):
                refuse(f"with components = {components} and pixels = {pixels}, the image {image} "
                       f"gets the probability {shown(float(found))}, but the images that agree "
                       f"with it have {shown(float(expected))} together")
            tried += 1
    return f"{tried} images, each against the sum over all completions"


@exercise("05-signed", "bring out the larger logarithm; equal signs add, opposite signs subtract, "
          "and 0 has the logarithm minus infinity")
def _signed(answer):
    inf, log = math.inf, math.log
    cases = [  # two numbers as (sign, logarithm of the absolute value), and their sum
        ((1, 0.0), (1, 0.0), (1, log(2))), ((1, log(3)), (-1, 0.0), (1, log(2))),
        ((1, 0.0), (-1, log(3)), (-1, log(2))), ((-1, 0.0), (-1, log(4)), (-1, log(5))),
        ((1, 0.0), (-1, 0.0), (0, -inf)), ((0, -inf), (1, 2.0), (1, 2.0)),
        ((-1, 3.0), (0, -inf), (-1, 3.0)), ((0, -inf), (0, -inf), (0, -inf)),
        ((1, 5000.0), (1, 5000.0), (1, 5000 + log(2))),
        ((-1, -9000.0), (1, log(3) - 9000), (1, log(2) - 9000)),
        ((1, 5000.0), (-1, -5000.0), (1, 5000.0)),
        ((1, -5000.0), (-1, 5000.0), (-1, 5000.0)),
        ((-1, 5000.0), (1, 5000.0), (0, -inf)), ((0, -inf), (-1, -7e3), (-1, -7e3)),
        # a summand that is small, not nothing; numbers that are near, not equal
        ((1, 0.0), (1, -4.0), (1, math.log1p(math.exp(-4)))),
        ((-1, 0.0), (1, -12.0), (-1, math.log1p(-math.exp(-12)))),
        ((1, 0.0), (-1, -2.0**-12), (1, log(-math.expm1(-2.0**-12)))),
        ((1, 5000 - 2.0**-20), (-1, 5000.0), (-1, 5000 + log(-math.expm1(-2.0**-20))))]
    for first, second, expected in cases:
        call = said(answer, (first, second))
        found = ask(answer, first, second)
        if not isinstance(found, list) or len(found) != 2:
            refuse(f"{call} gives {shown(found)}, and a sign and a logarithm are asked for")
        sign = integer(found[0], "the sign")
        value = number(found[1], "the logarithm")
        if sign != expected[0] or not close(value, expected[1]):
            refuse(f"{call} gives ({sign}, {shown(value)}), but the sum has the sign "
                   f"{expected[0]} and the logarithm {shown(expected[1])}")
    return f"{len(cases)} sums, zeros and numbers beyond all floats among them"


@exercise("06-fold", "fold the line in the middle, and the folded line again: which positions come "
          "to lie upon position 0?")
def _fold(answer):
    def cases():
        for levels in (1, 2, 3, 4):
            for level in range(1, levels + 1):
                met = pooling_order(2**levels, "mirror")[:2**level]
                yield (2**levels, level), frozenset(met)

    def read(value, call):
        return frozenset(positions(value, 10**6, what=call))

    return compare(answer, cases(), "the window is {}", read)


@exercise("06-palindrome", "what a pair may show: one channel for every color that both may have")
def _palindrome(answer):
    if not isinstance(answer, list) or len(answer) != 2:
        refuse(f"your answer is {shown(answer)}, and two tables are asked for, left and right")
    left, right = (array(table, (None, 3), f"the table {name}")
                   for table, name in zip(answer, ("left", "right")))
    if len(left) != len(right):
        refuse(f"left has {len(left)} channels and right has {len(right)}")
    pair = left.T @ right
    # an inverse is rounded where it was computed, by as much as the norms of both let it
    added = float(torch.linalg.matrix_norm(left, 2) * torch.linalg.matrix_norm(right, 2))
    slack = max(5e-7, rounding(torch.cat((left, right))) * added)
    for length in (2, 4):
        for line in product(range(3), repeat=length):
            h = math.prod(pair[line[i], line[-1 - i]].item() for i in range(length // 2))
            if not close(h, line == line[::-1], min(slack * length / 2, 1e-3)):
                its, right = apart(h, line == line[::-1])
                refuse(f"on the line {line} the network gives {its}, and {right} is asked for")
    return f"90 lines with {len(left)} channels"


@exercise("06-both", "square windows are {0, 1}, {2, 3}, ..., mirror windows {0, 7}, {3, 4}, ...: "
          "which windows of either tree should your partition split?")
def _both(answer):
    rows = positions(answer, 8, 4)
    for name in ("square", "mirror"):
        rank = certify(pooling_tree(8, 2, (2, 2, 2), name), rows).rank
        if rank > 4:
            refuse(f"with {name} windows the rank of {shown(list(rows))} against the others is "
                   f"{rank}, not 4")
    return "rank 4 in both geometries"


@exercise("06-contents", "a product over a window does not see the order of what it multiplies: "
          "count multisets, level by level")
def _contents(answer):
    def seen(colors, pool, levels):
        """The contents themselves, sorted on every level."""
        if not levels:
            return list(range(colors))
        below = seen(colors, pool, levels - 1)
        return sorted({tuple(sorted(part)) for part in product(below, repeat=pool)})

    sizes = [(c, p, 1) for c in (1, 2, 3, 4) for p in (2, 3, 4)]
    sizes += [(c, 2, levels) for levels in (2, 3) for c in (1, 2)] + [(3, 2, 2), (2, 3, 2),
                                                                     (2, 4, 2)]
    return compare(answer, ((size, len(seen(*size))) for size in sizes),
                   "such a window has {} contents that a network can tell apart")
