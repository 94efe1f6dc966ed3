"""Questions of notebooks 07 and 08: smallest cuts, and receptive fields."""

from itertools import product

from ..grids.certify import certify
from ..networks.architecture import Architecture
from ..trees.tree import ModeTree, Node
from .core import apart, array, close, compare, exercise, integer, integers, refuse, shown


def _blocks(j: int) -> list[int]:
    """Rows of eight positions, in alternating blocks of 2^j."""
    return [i for i in range(8) if (i >> j) % 2 == 0]


@exercise("07-lean", "a cut along blocks of two can be paid at the pairs or just above them: how "
          "much of either price is never asked for?")
def _lean(answer):
    widths = integers(answer, 3, "your list of widths", 1, 20)

    def cuts(sizes):
        tree = ModeTree.perfect(8, 2, 3, sizes)
        return [tree.mincut(_blocks(j)) for j in range(3)], tree.parameter_count()

    (wanted, _), (found, size) = cuts((2, 5, 7)), cuts(widths)
    for j in range(3):
        if found[j] != wanted[j]:
            refuse(f"with widths {widths} the smallest cut along blocks of {2**j} is {found[j]}, "
                   f"and {wanted[j]} with (2, 5, 7)")
    least = min(count for sizes in product(range(1, 6), repeat=3)
                for sums, count in [cuts(sizes)] if sums == wanted)
    if size > least:
        refuse(f"the three cuts are those of (2, 5, 7), with {size} parameters; fewer are enough")
    return f"the cuts of (2, 5, 7), {wanted}, with {least} parameters"


CUT_TREE = ModeTree.perfect(8, 2, 3, ((2, 2, 3, 3), (2, 4), 3))
CUT_ROWS = (0, 1, 4, 6)


def _nodes() -> dict[tuple[int, ...], int]:
    """What may be cut: the positions below every node and leaf, with their prices."""
    prices = {(i,): CUT_TREE.dim for i in range(8)}
    for path, node in CUT_TREE.inner_nodes():
        below, size = 0, 8 >> len(path)
        for step in path:
            below = 2 * below + step
        prices[tuple(range(below * size, (below + 1) * size))] = node.width
    return prices


@exercise("07-cut",
          "0 and 1 are on one side, 2 and 3 on the other: one node is enough to keep them "
          "apart")
def _cut(answer):
    prices = _nodes()
    if not isinstance(answer, list) or not answer:
        refuse(f"your answer is {shown(answer)}, and a list of nodes is asked for")
    chosen = []
    for part in answer:
        part = list(part) if isinstance(part, (list, set, frozenset)) else [part]
        node = tuple(sorted(integer(i, "a position") for i in part))
        if node not in prices:
            refuse(f"{shown(part)} is no node: name one by the positions below it, as (3,), "
                   "(2, 3) or (0, 1, 2, 3)")
        chosen.append(node)
    for i, j in product(CUT_ROWS, [j for j in range(8) if j not in CUT_ROWS]):
        # the path between two leaves: the leaves, and all nodes with exactly one of them below,
        # up to the smallest node with both
        top = min((n for n in prices if i in n and j in n), key=len)
        path = [n for n in prices if (i in n or j in n) and len(n) <= len(top)]
        if not set(path) & set(chosen):
            inner = sorted((n for n in path if len(n) > 1), key=len)
            refuse(f"that is no cut: from row {i} to column {j} a path is left, through "
                   f"{', '.join(map(str, inner))}")
    price, least = 1, CUT_TREE.mincut(CUT_ROWS)
    for node in set(chosen):
        price *= prices[node]
    if price > least:
        refuse(f"a cut, at the price {price}; there is a cheaper one")
    return f"a cut at the price {price}, and none is cheaper"


@exercise("07-charged", "at a node that separates its two children the matrices share one channel: "
          "for which j does the power in the loop count it twice?")
def _charged(answer):
    if not isinstance(answer, list) or len(answer) != 3:
        refuse(f"your answer is {shown(answer)}, and M, widths and j are asked for")
    M, j = integer(answer[0], "M"), integer(answer[2], "j")
    widths = integers(answer[1], 3, "widths", 1, 16)
    if not 1 <= M <= 4 or not 0 <= j <= 2:
        refuse(f"M = {M} and j = {j}; take M from 1 to 4 and j from 0 to 2")
    paths = M ** 2**j
    for i in range(j):
        paths = min(paths, widths[i] ** 2 ** (j - i))
    price = min(paths, widths[j]) ** (4 // 2**j)
    rank = certify(ModeTree.perfect(8, 2, M, widths), _blocks(j)).rank
    if price == rank:
        refuse(f"there the function is right: it says {price}, and a random network has rank "
               f"{rank}")
    return f"the function says {price}, and almost every network has rank {rank}"


@exercise("07-gap", "the proof needs matrices with more columns than rows on one side and the "
          "reverse on the other; does it matter which side is which?")
def _gap(answer):
    a, b, c, d = integers(answer, 4, "your list of widths", 1, 6)
    left = Node((Node((0, 1), a), Node((2, 3), b)), a * b)
    right = Node((Node((4, 5), c), Node((6, 7), d)), c * d)
    tree, rows = ModeTree(Node((left, right), 2), 3), (0, 1, 4, 5)
    cut = tree.mincut(rows)
    rank = max(certify(tree, rows, seed=seed).rank for seed in range(3))
    if (a, b, c, d) == (3, 5, 5, 3):
        refuse("these are the widths of the notebook; another four are asked for")
    if rank == cut:
        refuse(f"with the widths {(a, b, c, d)} the rank is {rank}, and so is the cut")
    return f"the rank is {rank}, and the cut {cut}"


@exercise("08-field", "the window of a layer counts cells of the map below it: how far apart are "
          "their fields?")
def _field(answer):
    layers = [((1, 1),), ((3, 1),), ((2, 2),)]
    layers += sorted(product(product((1, 2, 3), (1, 2)), repeat=2), key=lambda two: sum(map(sum,
                                                                                          two)))
    layers += [((7, 2), (3, 2), (3, 1), (3, 1)), ((3, 1), (2, 2), (3, 1), (2, 2), (3, 1)),
               ((1, 2), (2, 3), (4, 1), (2, 2))]

    def cases():
        for stack in layers:
            net = Architecture((1,), 1, tuple((*layer, 1) for layer in stack))
            yield (stack,), net.total_receptive_field(net.depth)

    return compare(answer, cases(), "the field is {}")


@exercise("08-imitate", "a factor that must not matter is 1 on every input")
def _imitate(answer):
    weights, biases = array(answer, (2, 3), "your pair of weights and biases")
    for x in sorted(product(range(3), repeat=3), key=lambda x: (sum(x), x)):
        found = float(((weights * array(list(x), (3,)) + biases)).prod())
        if not close(found, 2 * x[0] + 1):
            its, right = apart(found, 2 * x[0] + 1)
            refuse(f"on the pixels {x} the layer gives {its}, and {right} is asked for")
    return "27 inputs, on which the larger window does what the smaller one does"


@exercise("08-layers", "a pooling layer widens the field as well, and doubles all later steps")
def _layers(answer):
    fields, stack = [], []
    for number in range(1, 17):
        stack.append((3, 1, 1))
        fields.append(Architecture((1,), 1, tuple(stack)).total_receptive_field(len(stack)))
        if number % 2 == 0:
            stack.append((2, 2, 1))
    cases = (((pixels,), 1 + sum(field < pixels for field in fields))
             for pixels in (*range(1, 40), 60, 100, 200, 500, 1000, 1500))
    return compare(answer, cases, "convolution {} is the first that sees so many")


@exercise("08-unseen", "walk down from the last map: which cells does every layer look at, and how "
          "many does it have?")
def _unseen(answer):
    layers = [((1, 1),), ((1, 2),), ((2, 3),), ((3, 2),), ((2, 2), (1, 2)), ((1, 2), (2, 2)),
              ((1, 2), (3, 1)), ((2, 1), (1, 3)), ((1, 3), (2, 2), (1, 2)), ((3, 5),), ((5, 7),),
              ((4, 4), (1, 3)), ((1, 5), (4, 4)), ((2, 3), (1, 1), (2, 2), (1, 2))]

    def cases():
        for size in (*range(1, 16), 24, 37):
            for stack in layers:
                lengths = [size]
                for _, stride in stack:
                    lengths.append(-(-lengths[-1] // stride))
                seen = set(range(lengths[-1]))
                for (window, stride), length in zip(stack[::-1], lengths[-2::-1]):
                    seen = {v * stride + a for v in seen for a in range(window)}
                    seen &= set(range(length))
                yield (size, stack), size - len(seen)

    return compare(answer, cases(), "{} of the input cells are never looked at")


@exercise("08-greedy", "a large unit that is taken may leave a rest that nothing fills")
def _greedy(answer):
    if not isinstance(answer, list) or len(answer) != 2 or not isinstance(answer[0], list):
        refuse(f"your answer is {shown(answer)}, and units and a limit are asked for")
    units = [integers(pair, 2, "a pair (unit, copies)", 1, 50) for pair in answer[0]]
    limit = integer(answer[1], "the limit")
    if not 1 <= len(units) <= 4 or not 0 < limit <= 200:
        refuse("take one to four units, and a limit from 1 to 200")
    greedy, reached = 0, {0}
    for unit, copies in sorted(units, reverse=True):
        greedy += unit * min(copies, (limit - greedy) // unit)
        reached = {total + unit * k for total in reached for k in range(copies + 1)}
    best = max(total for total in reached if total <= limit)
    if greedy == best:
        refuse(f"there greedy is right: it reaches {greedy}, and nothing up to {limit} is nearer")
    return f"greedy reaches {greedy}, and {best} is possible"
