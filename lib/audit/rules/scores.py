"""Which operations make scores of attention, and along which dimension of theirs the keys run."""

from __future__ import annotations

from ..trace import Call, Value
from .mixing import PRODUCTS, SOFTMAXES, factors_of
from .movement import MOVES
from .registry import is_elementwise

SCORES = PRODUCTS + SOFTMAXES


def find_keys(calls: list[Call]) -> None:
    """Tell what makes scores of attention which dimension of theirs runs along the keys.

    A softmax or the product with the values sums over it. What lies between has it, too: masks,
    and parts of scores that are added.
    """
    for call in calls:
        product, starts = call.name in PRODUCTS, []
        if call.name in SOFTMAXES:
            starts = [(call.inputs[0], call.arguments["dim"] % max(1, len(call.inputs[0].shape)))]
        elif product and len(call.inputs) > 1:
            starts = _summed(call)
        for value, dim in starts:
            way = _way_to_scores(value, dim)
            if product and not any(made.name in SCORES and not made.attends for made, _ in way):
                continue                            # a sum over queries, say, of what has attended
            call.attends = product
            for made, keys in way:
                made.keys = keys


def _summed(call: Call) -> list[tuple[Value, int]]:
    """Factors of a product and the dimensions of theirs that it sums over."""
    if call.name == "einsum":
        given, result = call.arguments["equation"].replace(" ", "").split("->")
        return [(x, dim) for letters, x in zip(given.split(","), call.arguments["tensors"],
                                               strict=True)
                for dim, letter in enumerate(letters)
                if letter not in result and isinstance(x, Value)]
    if call.name == "cdist":
        return []
    _, (left, right) = factors_of(call.name, call.arguments)
    return [(x, (len(x.shape) - last) % len(x.shape)) for x, last in ((left, 1), (right, 2))
            if isinstance(x, Value)]


def _way_to_scores(value: Value, dim: int) -> list[tuple[Call, int]]:
    """The operations that scores come from, with the dimension that one of theirs has in each."""
    seen, todo, found = set(), [(value, dim)], []
    while todo:
        value, dim = todo.pop()
        made, rank = value.call, len(value.shape)
        if made is None or value in seen:
            continue
        seen.add(value)
        if made.name in SOFTMAXES or len(made.inputs) > 1 and (
                made.name in PRODUCTS or is_elementwise(made)):
            found.append((made, dim))
        if made.name == "permute":
            todo.append((made.inputs[0], made.arguments["dims"][dim] % rank))
        elif made.name in ("transpose", "t"):
            pair = [made.arguments.get(name, place) % rank
                    for place, name in enumerate(("dim0", "dim1"))]
            todo.append((made.inputs[0], pair[1 - pair.index(dim)] if dim in pair else dim))
        elif made.name in MOVES or is_elementwise(made) or (    # scaled, heads split off or merged
                made.name in SOFTMAXES and made.arguments["dim"] % rank == dim):
            todo += [(x, dim - rank + len(x.shape)) for x in made.inputs
                     if dim >= rank - 2 and x.shape[-2:] == value.shape[-2:]]
    return found
