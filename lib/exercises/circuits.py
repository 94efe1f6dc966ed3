"""Questions of notebooks 01 to 03: grid tensors, the shallow and the deep network."""

from itertools import combinations, product
from math import isfinite

import torch

from ..exact.arithmetic import Modular
from ..exact.ranks import exact_rank
from ..grids.certify import certify
from ..trees.decompositions import coefficient_tensor
from ..trees.tensors import indices, matricize
from ..trees.tree import ModeTree
from .core import (
    array,
    ask,
    compare,
    exercise,
    integer,
    integers,
    number,
    positions,
    refuse,
    rounded_rank,
    rounding,
    shown,
)


def _rank(matrix: torch.Tensor, prime: int | None = None) -> int:
    return exact_rank(matrix, prime).rank if prime else exact_rank(matrix).rank


def _minor(matrix: torch.Tensor) -> tuple[int, int, int, int]:
    """Rows and columns of the first 2×2 minor that is not zero; of the largest after roundings."""
    rows, columns = (list(combinations(range(side), 2)) for side in matrix.shape)
    sizes = {(i, j, k, m): abs(float(matrix[i, k] * matrix[j, m] - matrix[i, m] * matrix[j, k]))
             for i, j in rows for k, m in columns}
    return max(sizes, key=sizes.get if rounding(matrix) else lambda minor: sizes[minor] > 0)


@exercise("01-pairs", "the matrix is a Kronecker product with one factor for every pair; when is "
          "a factor more than a row or a column?")
def _pairs(answer):
    def cases():
        for pixels in (2, 4, 6):
            x = indices(2, pixels)
            grid = (1 + x[:, ::2] * x[:, 1::2]).prod(1).double().reshape((2,) * pixels)
            for size in range(1, pixels):
                for rows in combinations(range(pixels), size):
                    yield (rows, pixels), _rank(matricize(grid, rows))

    return compare(answer, cases(), "the rank of that matrix is {}")


@exercise("01-templates",
          "the functions 1, x and |x| are independent; on which templates could one "
          "not tell?")
def _templates(answer):
    if isinstance(answer, (set, frozenset)):  # in which order does not matter
        answer = list(answer)
    if not isinstance(answer, list) or len(answer) != 3:
        refuse(f"your answer is {shown(answer)}, and three pixel values are asked for")
    x = [number(value, "a pixel value") for value in answer]
    if not all(map(isfinite, x)):
        refuse(f"one of the pixel values {shown(x)} is not finite")
    if len(set(x)) < 3:
        refuse(f"two of the pixel values {shown(x)} are equal, and so are two rows of F")
    for sign, name in ((1, "x"), (-1, "-x")):
        if all(abs(value) == sign * value for value in x):
            refuse(f"on {shown(x)} the functions |x| and {name} agree: two columns of F are "
                   "equal, or one is minus the other")
    return f"F has rank 3 on {shown(x)}"


@exercise("01-two-ranks", "the network of this notebook does the reverse: it multiplies pairs that "
          "one partition cuts and the other does not")
def _two_ranks(answer):
    halves = list(product((0, 1), repeat=2))
    x = list(product((0, 1), repeat=4))
    values = [number(ask(answer, *image), f"h{image}") for image in x]
    grid = array([float(v) for v in values], (16,)).reshape((2,) * 4)
    beside, above = matricize(grid, (0, 2)), matricize(grid, (0, 1))
    if not bool(grid.any()):
        refuse("h is zero on all 16 images, and every rank is 0")
    if rounded_rank(beside) != 1:
        i, j, k, m = _minor(beside)
        refuse(f"left against right the rank is above 1: with {halves[i]} or {halves[j]} on the "
               f"left and {halves[k]} or {halves[m]} on the right, the four values of h have a "
               "determinant that is not 0")
    rank = rounded_rank(above)
    if rank != 4:
        same = next((f": with {halves[i]} or {halves[j]} on top, h is the same for every bottom"
                     for i, j in combinations(range(4), 2) if torch.equal(above[i], above[j])), "")
        refuse(f"left against right the rank is 1; top against bottom it is {rank}, not 4{same}")
    return "rank 1 between left and right, 4 between top and bottom"


@exercise("01-primes", "a diagonal matrix is enough: an entry vanishes modulo the primes that "
          "divide it")
def _primes(answer):
    matrix = array(answer, (3, 3), "your matrix")
    if not torch.equal(matrix, matrix.round()):
        refuse("the entries of your matrix are not all integers")
    for prime, wanted in ((11, 3), (5, 2), (7, 1)):
        rank = _rank(matrix, prime)
        if rank != wanted:
            refuse(f"modulo {prime} your matrix has rank {rank}, not {wanted}")
    return "three ranks modulo three primes; each is at most the rank over the rationals, 3"


@exercise("02-one-against-all", "a shallow network with shared weights does not change when modes "
          "are exchanged")
def _one_against_all(answer):
    table = array(answer, (2, 2, 2))
    for mode in range(3):
        rank = rounded_rank(matricize(table, (mode,)))
        if rank != 1:
            refuse(f"mode {mode} against the other two has rank {rank}; one channel has rank 1"
                   if rank else "the table is zero: a channel of weight 0 makes it, shared or not")
    flips, slack = (table.transpose(0, 1), table.transpose(1, 2)), rounding(table) * table.abs()
    if all(bool(((table - flip).abs() <= slack).all()) for flip in flips):
        refuse("the table is symmetric: no exchange of modes changes it, and shared channels "
               "reach every such table")
    return "one channel makes it, and no number of shared channels does"


@exercise("02-broken-rank", "min(Z, M^k) has a k in it; the function looks at one side only")
def _broken_rank(answer):
    if not isinstance(answer, list) or len(answer) != 4:
        refuse(f"your answer is {shown(answer)}, and M, Z, rows, N are asked for")
    M, Z, N = (integer(answer[i], name) for i, name in ((0, "M"), (1, "Z"), (3, "N")))
    for value, name, most in ((M, "M", 4), (Z, "Z", 99), (N, "N", 6)):
        if not 1 <= value <= most:
            refuse(f"{name} is {value}; take it from 1 to {most}")
    rows = positions(answer[2], N, what="rows")
    if not 0 < len(rows) < N:
        refuse(f"rows is {shown(list(rows))}: both sides need a position")
    said, rank = min(Z, M ** len(rows)), certify(ModeTree.star(N, M, Z), rows).rank
    if said == rank:
        refuse(f"there the function is right: it says {said}, and a random network has rank {rank}")
    return f"the function says {said}, and almost every network has rank {rank}"


@exercise("02-partly-shared", "on either side count the dimension that the channels can span: M^a "
          "for vectors of their own, symmetric tensors for shared ones")
def _partly_shared(answer):
    field, draw = Modular(), torch.Generator().manual_seed(2)

    def cases():
        sides = [(own, shared) for own in range(4) for shared in range(4) if 0 < own + shared < 4]
        pairs = sorted(product(sides, sides), key=lambda pair: (sum(map(sum, pair)), pair))
        # as many on both sides, too: else the other side hides what one side can span
        pairs += [((4 - shared, shared),) * 2 for shared in range(5)]
        for rows, columns in pairs:
            N = sum(rows) + sum(columns)
            kinds = [kind for side in (rows, columns) for kind in (0, 1) for _ in range(side[kind])]
            for M, Z in ((2, 1), (2, 9) if N < 8 else (2, 19), (3, 5), (3, 29), (4, 29)):
                if M**N > 729 and (M, rows, columns) != (4, (0, 3), (0, 3)):
                    continue
                star = ModeTree.star(N, M, Z)
                weights = star.random_weights(field, draw)
                common = field.random((Z, M), draw)
                weights |= {(i,): common for i, kind in enumerate(kinds) if kind}
                tensor = coefficient_tensor(star, weights, field)
                yield (M, Z, rows, columns), _rank(matricize(tensor, range(sum(rows))))

    return compare(answer, cases(), "a random network has rank {}")


@exercise("02-limit", "the derivative of v ⊗ v ⊗ v in the direction of y, at v = x, is the target; "
          "write it as a quotient of differences")
def _limit(answer):
    target = torch.zeros(2, 2, 2).double()
    target[0, 0, 1] = target[0, 1, 0] = target[1, 0, 0] = 1
    before = None
    for n in (1, 10, 100, 1000, 10**6):
        terms = ask(answer, n)
        if not isinstance(terms, list) or len(terms) != 2:
            refuse(f"for n = {n} you give {shown(terms)}; two channels are asked for, each as "
                   "(weight, vector)")
        total = torch.zeros(2, 2, 2).double()
        for term in terms:
            if not isinstance(term, list) or len(term) != 2:
                refuse(f"for n = {n} a channel is {shown(term)}; a pair (weight, vector) is "
                       "asked for")
            weight, v = array(term[0], (), "a weight"), array(term[1], (2,), "a vector")
            total += weight * v[:, None, None] * v[:, None] * v
        error = (total - target).abs()
        if error.max() > 3 / n:
            i = tuple(int(k) for k in (error == error.max()).nonzero()[0])
            refuse(f"for n = {n} entry {i} is {total[i]:.6g}, and {target[i]:g} up to 3/n is "
                   "asked for")
        if n > 1000 and terms == before:  # near enough to the target up to here
            refuse(f"for n = {n} and n = 1000 you give the same two channels {shown(terms)}: two "
                   "channels do not make the tensor itself, so that a larger n is not reached")
        before = terms
    return "two channels, as near as wanted to a tensor that needs three"


@exercise("03-rank-four", "price every cut: whole pairs cost nothing on the first level")
def _rank_four(answer):
    tree = ModeTree.perfect(8, 2, 2, (2, 2, 2))
    rows = positions(answer, 8, 4)
    rank = certify(tree, rows).rank
    if rank != 4:
        refuse(f"for the rows {shown(list(rows))} a random network has rank {rank}, not 4")
    return f"rank 4 for the rows {shown(list(rows))}, as large as its smallest cut"


@exercise("03-parameters", "vectors at the positions, a square matrix at every node between, a "
          "single row at the root")
def _parameters(answer):
    cases = (((N, M, r), ModeTree.perfect(N, 2, M, (r,) * (N.bit_length() - 1)).parameter_count())
             for N in (2, 4, 8, 16) for M in (1, 2, 3) for r in (1, 2, 3))
    return compare(answer, cases, "such a network has {} parameters")


@exercise("03-cheapest", "81 is a power of min(r_0, M), and nothing else enters")
def _cheapest(answer):
    widths = integers(answer, 3, "your list of widths", 1, 20)
    tree = ModeTree.perfect(8, 2, 4, widths)
    rank = certify(tree, "even-odd").rank
    if rank != 81:
        refuse(f"with widths {widths} the even-odd rank is {rank}, not 81")
    least = min((other.parameter_count(), w) for w in product(range(1, 5), repeat=3)
                if (other := ModeTree.perfect(8, 2, 4, w)).mincut("even-odd") == 81)[0]
    if tree.parameter_count() > least:
        refuse(f"rank 81, with {tree.parameter_count()} parameters; fewer are enough")
    return f"rank 81 with {least} parameters, and no widths need fewer"


@exercise("03-pool-four", "a window has two row positions and two column positions: how many "
          "products of two vectors are independent, if the vectors are shared and if not?")
def _pool_four(answer):
    def cases():
        for N, sizes in ((4, product((1, 2, 3), (1, 2, 3, 4, 5, 7, 10))),
                         (16, [(1, 2), (2, 2), (2, 3), (2, 4)])):
            for M, r in sizes:
                for shared in (False, True):
                    tree = ModeTree.perfect(N, 4, M, (r,) if N == 4 else (r, 1))
                    yield (N, M, r, shared), certify(tree, "even-odd", shared=shared).rank

    return compare(answer, cases(), "a random network has rank {}")
