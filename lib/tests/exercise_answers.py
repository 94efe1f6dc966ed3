"""A right answer to every exercise, and the mistakes that readers make, with what they are told.

The right answers are closed forms or explicit weights; what they are held against computes.
"""

import math
from math import comb

ONES = [[1, 1, 1]] * 3
BLANK = [[0, 0]] * 3


def cut_pairs(rows, pixels):
    return sum((2 * j in rows) != (2 * j + 1 in rows) for j in range(pixels // 2))


def spanned(M, side):
    own, shared = side
    return M**own * comb(M + shared - 1, shared)


def added(M, R, S, smaller):
    return 2 + sum(M ** smaller(v) - 1 for v in range(0, 8, S) if v < 4 < v + R)


def is_maximum(matrix):
    u, w = [min(row) for row in matrix], [min(column) for column in zip(*matrix)]
    return matrix == [[max(a, b) for b in w] for a in u]


def log_mean(values):
    top = max(values)
    return top + math.log(sum(math.exp(x - top) for x in values) / len(values))


def stride_weights(n, R, S):
    starts = range(0, n - R + 1, S)
    return [sum(s <= i < s + R for s in starts) / len(starts) / R for i in range(n)]


def marginal(prior, tables, image, missing=lambda part: 1):
    return sum(p * math.prod(missing(part) if x is None else part[x]
                             for part, x in zip(table, image))
               for p, table in zip(prior, tables))


def signed_sum(first, second):
    (s, a), (t, b) = sorted((first, second), key=lambda pair: -pair[1])
    if not s or not t:
        return (s, a)
    rest = 1 + s * t * math.exp(b - a)
    return (s, a + math.log(rest)) if rest > 0 else (0, -math.inf)


def signed_sum_of_the_first(first, second):
    """Brings out the first logarithm, as if it were the larger one."""
    (s, a), (t, b) = first, second
    if not s or not t:
        return first if s else second
    rest = s + t * math.exp(b - a)
    return ((rest > 0) - (rest < 0), a + math.log(abs(rest))) if rest else (0, -math.inf)


def naive_sum(first, second):
    total = sum(sign * math.exp(value) for sign, value in (first, second))
    return ((total > 0) - (total < 0), math.log(abs(total)) if total else -math.inf)


def folded(N, level):
    """Position 0, then all that come to lie upon it."""
    line = [{i} for i in range(N)]
    for _ in range(level):
        line = [line[k] | line[-1 - k] for k in range(len(line) // 2)]
    return line[0]


def contents(colors, pool, levels):
    return comb(contents(colors, pool, levels - 1) + pool - 1, pool) if levels else colors


def field_of(layers):
    field = step = 1
    for window, stride in layers:
        field, step = field + (window - 1) * step, step * stride
    return field


def layers_needed(pixels):
    field, step, count = 1, 1, 0
    while count == 0 or field < pixels:
        if count and count % 2 == 0:
            field, step = field + step, 2 * step
        field, count = field + 2 * step, count + 1
    return count


def cells_unseen(size, layers):
    fields = [{i} for i in range(size)]
    for window, stride in layers:
        fields = [set().union(*fields[v:v + window]) for v in range(0, len(fields), stride)]
    return size - len(set().union(*fields))


def offsets(layers, s):
    """From the last layer down."""
    steps = [math.prod(stride for _, stride in layers[:k]) for k in range(len(layers))]
    found = []
    for (window, _), step in zip(layers[::-1], steps[::-1]):
        found.append(min(window - 1, s // step))
        s -= found[-1] * step
    return found[::-1]


def offsets_from_below(layers, s):
    found, step = [], 1
    for window, stride in layers:
        found.append(min(window - 1, s // step))
        s, step = s - found[-1] * step, step * stride
    return found


def comparable(a, b, width):
    (i, j), (k, m) = divmod(a, width), divmod(b, width)
    return (i - k) * (j - m) >= 0


def pair_up(rows, others, width, most=99):
    """With `most` as a limit on the exchanges in a chain it is wrong."""
    owner = {}

    def finds(a, tried, left=most):
        for b in others:
            if comparable(a, b, width) and b not in tried:
                tried.add(b)
                if b not in owner or left and finds(owner[b], tried, left - 1):
                    owner[b] = a
                    return True
        return False

    for a in rows:
        finds(a, set())
    return [(a, b) for b, a in owner.items()]


def pair_greedily(rows, others, width):
    free, pairs = list(others), []
    for a in rows:
        for b in free:
            if comparable(a, b, width):
                pairs.append((a, b))
                free.remove(b)
                break
    return pairs


def pair_fewest_first(rows, others, width):
    def partners(a, side):
        return sum(comparable(a, b, width) for b in side)

    ordered = sorted(rows, key=lambda a: partners(a, others))
    return pair_greedily(ordered, sorted(others, key=lambda b: partners(b, rows)), width)


def pair_with_one_exchange(rows, others, width):
    owner = {}
    for a in rows:
        seen = [b for b in others if comparable(a, b, width)]
        free = [b for b in seen if b not in owner]
        moves = [(b, c) for b in seen for c in others
                 if b in owner and c not in owner and comparable(owner[b], c, width)]
        if free:
            owner[free[0]] = a
        elif moves:
            (b, c), *_ = moves
            owner[c], owner[b] = owner[b], a
    return [(a, b) for b, a in owner.items()]


def instants(dilations):
    found = {0}
    for dilation in dilations:
        found |= {lag + dilation for lag in found}
    return len(found)


def common(first, second, same=lambda a, b: set(a) == set(b), last=0):
    return [k for k in range(1, len(first) + last) if same(first[:k], second[:k])]


def channels_at(points, accuracy, between=lambda c, d, t: c * (d / c) ** t):
    return next(between(c, d, (accuracy - x) / (y - x))
                for (c, x), (d, y) in zip(points, points[1:]) if x <= accuracy <= y)


def canonical(image, depth=9):
    if len(image) == 1 or depth == 0:
        return sorted(x for row in image for x in row)
    half = len(image) // 2
    return sorted(canonical([row[j:j + half] for row in image[i:i + half]], depth - 1)
                  for i in (0, half) for j in (0, half))


def flat(parts):
    return [x for part in parts for x in (flat(part) if isinstance(part, list) else [part])]


def by_corners(image, corner):
    """As `canonical`, with a number for every 2×2 block."""
    if len(image) == 2:
        return [corner([x for row in image for x in row])]
    half = len(image) // 2
    return sorted(by_corners([row[j:j + half] for row in image[i:i + half]], corner)
                  for i in (0, half) for j in (0, half))


def aligned(n, R, S):
    return max(0, (-(-n // S) - 1) * S + R - n) // 2 == (R - 1) / 2


# name: (right answers, [(wrong answer, what the message must contain)])
ANSWERS = {
    "01-pairs": ([lambda rows, N: 2 ** cut_pairs(rows, N)],
                 [(lambda rows, N: 2 ** len(rows), "((0, 1), 4) gives 4, but the rank"),
                  (lambda rows, N: 2 * cut_pairs(rows, N), "((0, 1), 4) gives 0"),
                  (lambda rows, N: 2 ** min(cut_pairs(rows, N), N - len(rows))
                   if 2 * len(rows) <= N else 2 ** (N - len(rows)),
                   "((0, 1, 2, 3), 6) gives 4, but the rank of that matrix is 1")]),
    "01-templates": ([(-1, 1, 2), (0, 1, -1), {-3, 2, 5}],
                     [((1, 2, 3), "on (1, 2, 3) the functions |x| and x agree"),
                      ((-1, -2, 0), "|x| and -x agree"), ((-1, 1, 1), "two rows of F")]),
    "01-two-ranks": ([lambda a, b, c, d: (1 + a * c) * (1 + b * d)],
                     [(lambda a, b, c, d: (1 + a * b) * (1 + c * d), "determinant that is not 0"),
                      (lambda a, b, c, d: (1 + a) * (1 + d), "on top, h is the same"),
                      (lambda a, b, c, d: 0, "every rank is 0")]),
    "01-primes": ([[[1, 0, 0], [0, 7, 0], [0, 0, 35]]],
                  [([[1, 0, 0], [0, 5, 0], [0, 0, 7]], "modulo 7 your matrix has rank 2, not 1"),
                   ([[1, 0, 0], [0, 1, 0], [0, 0, 0]], "modulo 11 your matrix has rank 2"),
                   ([[1, 0, 0], [0, 7, 0], [0, 0, 0.5]], "are not all integers")]),
    "02-one-against-all": ([[[[0, 1], [0, 0]], [[0, 0], [0, 0]]]],
                           [([[[1, 1], [1, 1]], [[1, 1], [1, 1]]], "the table is symmetric"),
                            ([[[1, 0], [0, 0]], [[0, 0], [0, 1]]], "has rank 2; one channel")]),
    "02-broken-rank": ([(2, 4, (0, 1), 3)],
                       [((2, 4, (0, 1), 4), "there the function is right: it says 4"),
                        ((2, 4, (0, 1), 2), "both sides need a position"),
                        ((2, 4, (), 2), "both sides need a position"),
                        ((5, 4, (0, 1), 3), "M is 5; take it from 1 to 4"),
                        ((2, 4, (0, 1), 7), "N is 7; take it from 1 to 6"),
                        ((2, 4, (0, 5), 4), "each must be from 0 to 3")]),
    "02-partly-shared": ([lambda M, Z, r, c: min(Z, spanned(M, r), spanned(M, c))],
                         [(lambda M, Z, r, c: min(Z, M ** sum(r), M ** sum(c)),
                           "(2, 9, (0, 2), (0, 2)) gives 4, but a random network has rank 3"),
                          (lambda M, Z, r, c: min(Z, *(M**own * (M * (M + 1) // 2 if shared == 2
                                                                 else M**shared)
                                                       for own, shared in (r, c))),
                           "(2, 9, (0, 3), (0, 3)) gives 8, but a random network has rank 4"),
                          (lambda M, Z, *sides: min(Z, *(M**own * (1 + shared * (M - 1))
                                                         for own, shared in sides)),
                           "(3, 29, (0, 2), (0, 2)) gives 5, but a random network has rank 6"),
                          (lambda M, Z, *sides: min(Z, *(
                              M ** min(own, 2) * comb(M + shared - 1, shared)
                              for own, shared in sides)), "(3, 29, (0, 3), (3, 0)) gives 9"),
                          (lambda M, Z, r, c: min(Z, 11, spanned(M, r), spanned(M, c)),
                           "gives 11, but a random network has rank")]),
    "02-limit": ([lambda n: [(n, (1, 1 / n)), (-n, (1, 0))]],
                 [(lambda n: [(1, (1, 1)), (-1, (1, 0))], "for n = 10 entry (0, 1, 1) is 1"),
                  (lambda n: [(1, (1, 1))], "two channels are asked for"),
                  (lambda n: [(1, 1, 1), (1, 0, 0)], "a pair (weight, vector) is asked for"),
                  (lambda n: [(10**4, (1, 1e-4)), (-10**4, (1, 0))],
                   "for n = 1000000 entry (0, 1, 1) is 0.0001"),
                  (lambda n: [(10**9, (1, 1e-9)), (-10**9, (1, 0))],
                   "you give the same two channels ((1000000000, (1, 1e-09))")]),
    "03-rank-four": ([(0, 1, 4, 5), {2, 3, 6, 7}],
                     [((0, 1, 2, 3), "has rank 2, not 4"), ((0, 1, 2, 4), "has rank 8, not 4"),
                      ((0, 1, 1, 4), "names a position twice")]),
    "03-parameters": ([lambda N, M, r: N * M * r + (N - 2) * r * r + r],
                      [(lambda N, M, r: N * M * r + (N - 1) * r * r,
                        "(2, 1, 2) gives 8, but such a network has 6")]),
    "03-cheapest": ([(3, 1, 1)], [((3, 3, 3), "with 153 parameters; fewer are enough"),
                                  ((81, 1, 1), "from 1 to 20"),
                                  ((9, 1, 1), "the even-odd rank is 256, not 81")]),
    "03-pool-four": ([lambda N, M, r, s: min(r, M * (M + 1) // 2 if s else M * M) ** (N // 4)],
                     [(lambda N, M, r, s: min(r, M) ** (N // 2),
                       "(4, 2, 2, False) gives 4, but a random network has rank 2"),
                      (lambda N, M, r, s: min(r, M * M) ** (N // 4),
                       "(4, 2, 4, True) gives 4, but a random network has rank 3"),
                      (lambda N, M, r, s: 81 if N > 4 else min(r, M * (M + 1) // 2 if s else M * M),
                       "(16, 1, 2, False) gives 81, but a random network has rank 1"),
                      (lambda N, M, r, s: min(r, M * (M + 1) // 2 if s or N > 4 else M * M) ** (
                          N // 4), "(16, 2, 4, False) gives 81, but")]),
    "04-maxima": ([((1, 3, 5), (2, 4, 6))],
                  [((1, 2, 3), "2 × 3 is asked for"),
                   (((1, 2, 3), (5, 6, 7)), "its rows 0 and 1 are equal"),
                   (((1, 2, 3), (0, 0, 0)), "((1, 1, 1), (2, 2, 2), (3, 3, 3)), of rank 1")]),
    "04-numbers": ([lambda d, e, M: d + M * e],
                   [(lambda d, e, M: d + e, "the windows (0, 1) and (1, 0) both get the number 1"),
                    (lambda d, e, M: -d - M * e, "has rank 3 of 4"),
                   (lambda d, e, M: d + 4 * e, "for M = 5 the windows (0, 1) and (4, 0)"),
                   (lambda d, e, M: d + 10 * e, "for M = 11 the windows (0, 1) and (10, 0)"),
                   (lambda d, e, M: d + 100 * e, "for M = 101 the windows (100, 0) and (0, 1)"),
                   (lambda d, e, M: d + e / 1000, "for M = 1001 the windows (0, 1000) and (1, 0)"),
                   (lambda d, e, M: d + M * e - (120 if M == 11 else 0), "largest number is 0")]),
    "04-average": ([lambda M, R, S: added(M, R, S, lambda v: min(4 - v, v + R - 4, 4)),
                    lambda M, R, S: min(  # no rank is above the number of rows
                        M ** 4, added(M, R, S, lambda v: min(4 - v, v + R - 4, 4)))],
                   [(lambda M, R, S: M ** 4, "(2, 1, 1) gives 16, but on a line of 8"),
                    (lambda M, R, S: added(M, R, S, lambda v: R // 2), "(2, 4, 1) gives 11"),
                    (lambda M, R, S: 2, "(2, 2, 1) gives 2, but on a line of 8 the bound is 3")]),
    "04-one-channel": ([is_maximum],
                       [(lambda A: len({x for row in A for x in row}) < len(A) + len(A[0]),
                         "(((0, 0), (0, 1))) gives True, but it is False"),
                        (lambda A: True, "gives True, but it is False"),
                        (lambda A: is_maximum([[min(x, 11) for x in row] for row in A]),
                         "gives True, but it is False"),
                        (lambda A: all(is_maximum([one, two]) for one, two in zip(A, A[1:])),
                         "gives True, but it is False"),
                        (lambda A: is_maximum(A) or len(A) > len(A[0]), "but it is False")]),
    "05-stable": ([log_mean],
                  [(lambda c: math.log(sum(map(math.exp, c)) / len(c)), "raises OverflowError"),
                   (lambda c: c[-1] + math.log(sum(math.exp(x - c[-1]) for x in c) / len(c)),
                    "((10000, -10000)) raises OverflowError"),
                   (lambda c: log_mean(c) + math.log(len(c)), "((0, 0)) gives 0.693147"),
                  (lambda c: (top := max(c[0], c[-1])) + math.log(
                      sum(math.exp(x - top) for x in c) / len(c)), "((0, 2000, 1000)) raises")]),
    "05-weights": ([stride_weights],
                   [(lambda n, R, S: [1 / n] * n, "gives number 0 the weight 0.5"),
                    (lambda n, R, S: [1 / n], "2 weights are asked for")]),
    "05-marginal": ([marginal],
                    [(lambda prior, tables, image: marginal(prior, tables, [x or 0 for x in image]),
                      "the image (None,) gets the probability 0.625"),
                     (lambda prior, tables, image: marginal(prior, tables, image,
                                                            lambda part: sum(part) / len(part)),
                      "the images that agree with it have 1 together")]),
    "05-signed": ([signed_sum],
                  [(naive_sum, "((1, 5000), (1, 5000)) raises OverflowError"),
                   (lambda a, b: (a[0], a[1] + b[1]), "gives (1, 0), but the sum has the sign 1"),
                  (signed_sum_of_the_first, "((1, -5000), (-1, 5000)) raises OverflowError"),
                  (lambda a, b: signed_sum(a, b) if signed_sum(a, b)[0] else (0, 0.0),
                   "gives (0, 0), but the sum has the sign 0 and the logarithm -inf"),
                  (lambda a, b: max(a, b, key=lambda pair: pair[1]) if abs(a[1] - b[1]) > 3
                   else signed_sum(a, b), "((1, 0), (1, -4)) gives (1, 0)"),
                  (lambda a, b: (0, -math.inf) if a[0] + b[0] == 0 and math.isclose(a[1], b[1])
                   else signed_sum(a, b), "gives (0, -inf), but the sum has the sign -1")]),
    "06-fold": ([folded, lambda N, level: list(folded(N, level))],
                [(lambda N, level: {*range(2 ** (level - 1)), *range(N - 2 ** (level - 1), N)},
                  "(8, 2) gives {0, 1, 6, 7}, but the window is {0, 3, 4, 7}")]),
    "06-palindrome": ([([[1, 0, 0], [0, 1, 0], [0, 0, 1]],) * 2],
                      [(([[1, 1, 1]], [[1, 1, 1]]),
                        "on the line (0, 1) the network gives 1, and 0 is"),
                       (([[0, 1, 2]], [[0, 1, 2]]),
                        "on the line (0, 0) the network gives 0, and 1 is"),
                       (([[1, 0, 0]], [[1, 0, 0]] * 2), "left has 1 channels and right has 2"),
                       (([[1, 1]], [[1, 1]]), "any × 3 is asked for")]),
    "06-both": ([(0, 1, 6, 7)], [((0, 1, 2, 3), "with mirror windows the rank"),
                                 ((0, 2, 4, 6), "with square windows the rank")]),
    "06-contents": ([contents],
                    [(lambda c, p, levels: c ** p**levels, "(2, 2, 1) gives 4"),
                     (lambda c, p, levels: comb(c + p**levels - 1, p**levels),
                      "(2, 2, 2) gives 5, but such a window has 6")]),
    "07-lean": ([(2, 4, 4)], [((2, 5, 7), "with 165 parameters; fewer are enough"),
                              ((2, 2, 4), "along blocks of 4 is 2, and 4 with (2, 5, 7)")]),
    "07-cut": ([[(0, 1, 2, 3), (4, 5), (6, 7)], [{0, 1}, (4, 5), {7, 6}]],
               [([(0, 1, 2, 3, 4, 5, 6, 7)], "from row 0 to column 2 a path is left, "
                 "through (0, 1), (2, 3), (0, 1, 2, 3)"),
                ([(0, 1, 2, 3), (4,)], "from row 6 to column 5 a path is left, "
                 "through (4, 5), (6, 7), (4, 5, 6, 7)"),
                ([0, 1, 4, 6], "at the price 81; there is a cheaper one"),
                ([(0, 2)], "is no node")]),
    "07-charged": ([(4, (2, 4, 4), 1), (2, (2, 2, 4), 2)],
                   [((4, (2, 2, 4), 0), "there the function is right: it says 16"),
                    ((5, (2, 2, 4), 0), "take M from 1 to 4"),
                    ((0, (2, 2, 4), 0), "take M from 1 to 4")]),
    "07-gap": ([(5, 3, 3, 5)], [((3, 5, 5, 3), "another four are asked for"),
                                ((4, 5, 5, 4), "the rank is 20, and so is the cut")]),
    "08-field": ([field_of],
                 [(lambda layers: 1 + sum(R - 1 for R, S in layers), "(((1, 2), (2, 1))) gives 2"),
                  (lambda layers: math.prod(R for R, S in layers), "but the field is")]),
    "08-imitate": ([((2, 0, 0), (1, 1, 1))],
                   [(((2, 0, 0), (1, 0, 0)), "on the pixels (0, 0, 0) the layer gives 0"),
                    (((2, 1, 0), (1, 1, 1)), "on the pixels (0, 1, 0) the layer gives 2")]),
    "08-layers": ([layers_needed],
                  [(lambda n: max(1, n // 2), "(8) gives 4, but convolution 3 is the first"),
                  (lambda n: min(layers_needed(n), 10), "gives 10, but convolution")]),
    "08-unseen": ([cells_unseen],
                  [(lambda n, layers: sum(n // S * max(0, S - R) for R, S in layers),
                    "gives 1, but 0 of the input cells"),
                   (lambda n, layers: cells_unseen(n, [(R, min(S, 3)) for R, S in layers]),
                    "(4, ((3, 5),)) gives 0, but 1"),
                   (lambda n, layers: cells_unseen(min(n, 12), layers),
                    "(13, ((5, 7),)) gives 2, but 3"),
                   (lambda n, layers: cells_unseen(n, layers[-3:]), "of the input cells")]),
    "08-greedy": ([([(3, 2), (4, 1)], 6)],
                  [(([(1, 3), (4, 1)], 6), "there greedy is right: it reaches 6"),
                   (([(2, 3), (6, 1)], 10), "there greedy is right: it reaches 10"),
                   (([(3, 1)] * 5, 6), "take one to four units"),
                   (([(3, 2), (4, 1)], 201), "a limit from 1 to 200")]),
    "09-crossing": ([lambda H, R, S: sum(v < H // 2 < v + R <= H for v in range(0, H, S))],
                    [(lambda H, R, S: R - 1, "but the number of windows across the cut"),
                     (lambda H, R, S: sum(v < H // 2 < v + R <= H for v in range(0, H, min(S, 3))),
                      "(8, 2, 4) gives 1")]),
    "09-two-layers": ([lambda H, M, R, D, b: min(M, D + b) ** min(R - 1, H // 2)],
                      [(lambda H, M, R, D, b: min(M, D) ** min(R - 1, H // 2),
                        "(2, 2, 2, 1, True) gives 1, but a random network has rank 2"),
                       (lambda H, M, R, D, b: min(M, D + b) ** (R - 1),
                        "(4, 2, 4, 1, True) gives 8, but a random network has rank 4"),
                       (lambda H, M, R, D, b: min(3, M, D + b) ** min(R - 1, H // 2),
                        "gives 3, but a random network has rank 4")]),
    "09-twelve": ([(5, 2), (6, 2)], [((4, 3), "4 with 3 channels has rank 64"),
                                     ((5, 3), "5 times 3 is 15, more than twelve")]),
    "09-one-channel": ([([[[1, -1], [0, 0], [1, -1]], BLANK, BLANK], [[0, 1, 0], *ONES[1:]])],
                       [(([[[1, -1], [1, -1], [0, 0]], BLANK, BLANK], [[0, 0, 1], *ONES[1:]]),
                         "the rank is 16, and 256 is asked for: the left halves"),
                        (([BLANK] * 3, ONES), "the rank is 1, and 256"),
                        (([BLANK] * 3, [[0.5] * 3] * 3), "have to be integers")]),
    "10-arcs": ([lambda H, h, s: min(s, h, H - h, H - s)],
                [(lambda H, h, s: min(s, h), "(3, 2, 2) gives 2")]),
    "10-travel": ([offsets], [(offsets_from_below, "which travels 1, and 2 is asked for"),
                              (lambda layers, s: [s] + [0] * (len(layers) - 1),
                               "without an offset 2"),
                              (lambda layers, s: offsets_from_below(layers, s)
                               if layers[0][0] > 4 else offsets(layers, s),
                               "which travels 4, and 5")]),
    "10-factor": ([2, 3], [(1, "for D = 2 the templates 0 and 1 give 1 + (1) · (-1) = 0"),
                           (0.5, "for D = 3 the templates 1 and 2 give"), (0, "has rank 1")]),
    "10-private": ([[((1, -1), (1, 1)), ((1, 1), (1, -1)), ((1, -1), (1, -1))]],
                   [([((0, 1), (1, 1)), ((1, 1), (0, 1)), ((1, 1), (1, 1))], "of rank 3"),
                    ([((1, -1), (1, -1))] * 3, "the same value on (0, 0) and on (1, 1)")]),
    "11-comparable": ([comparable],
                      [(lambda a, b, width: True, "(1, 2, 2) gives True, but it is False"),
                       (lambda a, b, width: a <= b and a % width <= b % width,
                        "(1, 0, 2) gives False, but it is True"),
                       (lambda a, b, width: comparable(a, b, width) and (a < b or (a + b) % 2 == 0),
                        "(1, 0, 2) gives False"),
                       (lambda a, b, width: comparable(a, b, min(width, 4)), "but it is")]),
    "11-cheap": ([(0, 3, 12, 15, 1, 2, 13, 14), {0, 3, 4, 7, 8, 11, 12, 15}],
                 [(range(8), "against the others is 256, above 3")]),
    "11-defeat": ([(4, 5, 6, 8, 9, 10, 12, 13)],
                  [(range(8, 16), "all pixels can be paired: (0, 8), (1, 9)"),
                   (range(7), "8 different positions are asked for")]),
    "11-pairing": ([pair_up, lambda *grid: [sorted(pair) for pair in pair_up(*grid)]],
                   [(pair_greedily, "finds 2 pairs, and there are 3"),
                    (pair_fewest_first, "finds 7 pairs, and there are 8"),
                   (pair_with_one_exchange, "pairs, and there are"),
                   (lambda *grid: pair_up(*grid, most=2), "finds 7 pairs, and there are 8"),
                   (lambda *grid: pair_up(*grid, most=3), "finds 7 pairs, and there are 8"),
                   (lambda *grid: pair_up(*grid, most=4), "finds 7 pairs, and there are 8"),
                   (lambda rows, others, width: pair_up(rows[:len(others)], others, width),
                    "pairs, and there are"),
                   (lambda rows, others, width: [*zip(rows, others)],
                     "and neither sees the other"),
                    (lambda rows, others, width: [others[:2]],
                     "which are not a pixel of rows and one of others"),
                    (lambda rows, others, width: [(rows[0], others[0])] * 2,
                     "uses the pixel 0 twice")]),
    "12-inputs": ([instants], [(lambda d: 2 ** len(d), "((1, 1)) gives 4"),
                               (lambda d: sum(d) + 1, "((2, 2)) gives 5")]),
    "12-common": ([common], [(lambda a, b: common(a, b, lambda x, y: x == y),
                              "((1, 2, 4), (2, 1, 4)) gives ()"),
                             (lambda a, b: common(a, b, last=1), "gives (1, 2), but the layers"),
                  (lambda a, b: common(a, b, lambda x, y: list(x) == sorted(y)),
                   "((4, 1, 2), (1, 4, 2)) gives (), but the layers in common are (2,)")]),
    "12-meet": ([lambda d, i, j: max(k for k, one in enumerate(d, 1) if (i ^ j) & one)],
                [(lambda d, i, j: (i ^ j).bit_length(), "((2, 1), 0, 1) gives 1")]),
    "12-mirror": ([(0, 2, 4, 5)], [((0, 1, 4, 6), "the hybrid has rank 1, not 16"),
                                   ((0, 1, 2, 3), "dilations 1, 2, 4 has rank 1, not 8")]),
    "13-curve": ([channels_at],
                 [(lambda points, level: channels_at(points, level,
                                                     lambda c, d, t: c + (d - c) * t),
                   "(((4, 0.25), (16, 0.75)), 0.5) gives 10")]),
    "13-same-size": ([lambda C, B: B * C], [(lambda C, B: B * B * C, "(1, 2) gives 4")]),
    "13-group": ([lambda pool, L: math.factorial(pool) ** sum(pool**k for k in range(L))],
                 [(lambda pool, L: math.factorial(pool) ** L, "gives 4, but the group has 8"),
                  (lambda pool, L: math.factorial(pool**L), "(2, 2) gives 24"),
                  (lambda pool, L: math.nextafter(pool, 9), "is 2.0000000000000004, and an")]),
    "13-canonical": ([canonical],
                     [(lambda image: image, "the images 00/01 and 00/10 get different results"),
                      (lambda image: sum(map(sum, image)), "and they are not in one orbit"),
                      (lambda image: canonical(image, 1), "get the same"),
                      (lambda image: by_corners(image, lambda x: sum(c * c for c in x)),
                       "the images 11/11 and 00/02 get the same"),
                      (lambda image: by_corners(image, lambda x: math.prod(c + 1 for c in x)),
                       "get the same, and they are not in one orbit"),
                      (lambda image: "".join(sorted(str(x) for row in image for x in row))
                       if len(image) == 2 else str(canonical(image)), "0 0/1 12 and 0 0/11 2 get"),
                      (lambda image: int("".join(f"{x:x}" for x in flat(canonical(image))), 16),
                       "the images 0 0/1 3 and 0 0/0 19 get the same"),
                      (lambda image: map(sorted, image), "asked again, <map object")]),
    "14-stage": ([lambda units: 11 + 16 * units],
                 [(lambda units: 11 + 4 * units, "(1) gives 15, but the field is 27"),
                  (lambda units: 11, "(1) gives 11")]),
    "14-no-holes": ([[(3, 1), (3, 3), (3, 9)]],
                    [([(3, 1), (3, 4), (2, 9)], "pixel 3 falls into a hole"),
                     ([(3, 1), (3, 2), (3, 4)], "sees 15 pixels without a hole"),
                     ([(9, 1), (3, 9)], "12 weights together, and nine are allowed")]),
    "14-same": ([aligned],
                [(lambda n, R, S: R % 2 == 1, "(9, 3, 3) gives True, but it is False"),
                 (lambda n, R, S: aligned(n, R, min(S, 3)), "(9, 3, 4) gives False"),
                 (lambda n, R, S: R < 6 and aligned(n, R, S), "(9, 7, 1) gives False")]),
    "14-stem": ([(12, 12)], [((11, 13), "the crossing bound is 12^560"),
                             ((32, 32), "have 28512 weights")]),
}
