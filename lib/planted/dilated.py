"""Two dilated networks, their sum and their mixture on tasks whose best possible error is known.

The sequences are independent random symbols 0, 1, 2. At every instant the target is 9 where four
given pairs among the last eight symbols match, all at once, and 0 elsewhere. Which pairs they are
makes the task (book/connectivity.md, "A task with a floor").
"""

from collections.abc import Callable
from itertools import product

import torch

from ..checks import integer, integers, real
from ..exact.arithmetic import Real
from ..exact.device import same_in_every_mode
from ..trees.mixtures import DilatedNetwork, dilated_tree
from ..trees.tensors import indices

__all__ = ["NETWORKS", "SETTINGS", "TASKS", "floor", "target", "trainings"]

SYMBOLS, WINDOW = 3, 8
TASKS = {
    "hybrid's pairs": ((0, 2), (1, 3), (4, 5), (6, 7)),
    "first's pairs": ((0, 1), (2, 3), (4, 5), (6, 7)),
    "second's pairs": ((0, 2), (1, 3), (4, 6), (5, 7)),
    "other pairs": ((0, 5), (1, 3), (2, 7), (4, 6)),
}
_FIRST, _SECOND = (1, 2, 4), (2, 1, 4)
NETWORKS = {
    "first": DilatedNetwork((_FIRST,), SYMBOLS, width=5),
    "second": DilatedNetwork((_SECOND,), SYMBOLS, width=5),
    "sum": DilatedNetwork((_FIRST, _SECOND), SYMBOLS, width=3),
    "mixture": DilatedNetwork((_FIRST, _SECOND), SYMBOLS, width=3, exchange=(2,)),
}
SETTINGS = {"starts": 12, "steps": 1000, "rate": 0.02, "length": 519, "seed": 0}
"""Of the stored runs: steps of Adam, each on a fresh sequence, at a rate that falls to zero over
the second half."""

Pairs = tuple[tuple[int, int], ...]


def target(symbols: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """9 where all pairs of the last eight symbols match, else 0.

    Parameters
    ----------
    symbols : torch.Tensor, shape (..., time)
    pairs : tuple of pairs of int
        Places in the window, 0 the oldest.

    Returns
    -------
    torch.Tensor, shape (..., time - 7)

    Examples
    --------
    >>> target(torch.tensor([1, 1, 0, 0, 2, 2, 1, 1, 0]), ((0, 1), (2, 3), (4, 5), (6, 7)))
    tensor([9., 0.], dtype=torch.float64)
    """
    pairs = _checked(pairs)
    last = symbols.unfold(-1, WINDOW, 1)
    match = torch.stack([last[..., i] == last[..., j] for i, j in pairs])
    return 9 * match.all(0).double()


def _checked(pairs: Pairs, network: DilatedNetwork | None = None) -> Pairs:
    """Pairs that share a place make another spectrum, and the floor would be too high."""
    if network and (network.modes, sum(network.orders[0])) != (WINDOW, WINDOW - 1):
        raise ValueError(f"planted.dilated: {network} reads {network.modes} instants up to "
                         f"{sum(network.orders[0])} ago; need one that reads the last {WINDOW}")
    pairs = tuple(integers("planted.dilated: pairs", pair) for pair in pairs)
    places = [place for pair in pairs for place in pair]
    if ({*map(len, pairs)} != {2} or len(set(places)) < len(places)
            or not set(places) <= set(range(WINDOW))):
        raise ValueError(f"planted.dilated: pairs={pairs!r}; need at least one, of places from 0 "
                         f"to {WINDOW - 1}, all different")
    return pairs


def _same(pairs: Pairs, others: Pairs) -> bool:
    """Whether two lists make one task: pairs, and places of a pair, have no order."""
    return set(map(frozenset, pairs)) == set(map(frozenset, others))


def floor(network: DilatedNetwork, pairs: Pairs) -> float:
    """The part of the mean square that no weights of a network without exchange can explain.

    Parameters
    ----------
    network : DilatedNetwork
    pairs : tuple of pairs of int

    Returns
    -------
    float
        1 - R/81, with R the least bound on the rank over the partitions that split all pairs:
        minimum cuts, added up over the streams, and where the two streams are the parents of the
        hybrid whose pairs these are, the sharper n² - (n - κ)². It is 0 for mixtures, for which no
        bound is used. For M symbols and p pairs, M^p stands for 81.

    Raises
    ------
    ValueError
        If the network does not read the last eight symbols, or the pairs share a place.

    Examples
    --------
    >>> [round(81 * floor(NETWORKS[name], TASKS["hybrid's pairs"])) for name in NETWORKS]
    [36, 36, 36, 0]
    """
    pairs = _checked(pairs, network)
    if network.exchange:
        return 0.0
    trees = [dilated_tree(order, network.dim, network.width) for order in network.orders]
    # a place in no pair may lie on either side: a cut of fewer channels may have it with the rows
    paired = sum(pairs, ())
    sides = [*(((first,), (second,)) for first, second in pairs),
             *(((), (place,)) for place in range(WINDOW) if place not in paired)]
    splits = [sum(chosen, ()) for chosen in product(*sides)]
    ranks = [sum(tree.mincut(rows) for tree in trees) for rows in splits]
    if set(network.orders) == {_FIRST, _SECOND} and _same(pairs, TASKS["hybrid's pairs"]):
        n = network.dim ** 2
        ranks.append(n**2 - (n - min(network.width, n)) ** 2)
    return max(0.0, 1 - min(ranks) / network.dim ** len(pairs))


@same_in_every_mode
def train(network: DilatedNetwork, pairs: Pairs, starts: int, steps: int, rate: float = 0.02,
          length: int = 519, seed: int = 0) -> list[float]:
    """Train a network from several random starts at once.

    Parameters
    ----------
    network : DilatedNetwork
    pairs : tuple of pairs of int
    starts, steps : int
    rate : float
        Of Adam.
    length : int
        Of the fresh sequence that every start reads in a step, at least eight symbols.
    seed : int

    Returns
    -------
    list of float
        For every start the mean squared error on all windows of eight symbols, relative to the
        mean square of the target, which is 1 for four pairs of three symbols: the unexplained part.

    Raises
    ------
    TypeError, ValueError
        As `floor`, and if a number is none of its kind or too small.

    Examples
    --------
    >>> errors = train(NETWORKS["mixture"], TASKS["first's pairs"], starts=2, steps=1)
    >>> len(errors)
    2
    """
    pairs = _checked(pairs, network)
    starts, steps = integer("train: starts", starts, 1), integer("train: steps", steps, 1)
    length, rate = integer("train: length", length, WINDOW), real("train: rate", rate)
    draw = torch.Generator().manual_seed(integer("train: seed", seed))
    identity, windows = torch.eye(network.dim).double(), indices(network.dim, WINDOW)
    weights = [[Real().random((starts, *shape), draw) / shape[-1] ** 0.5
                for shape in network.weight_shapes()] for _ in network.orders]
    adam = torch.optim.Adam([w.requires_grad_() for stream in weights for w in stream], lr=rate)
    for step in range(steps):  # a constant rate, then down to zero
        adam.param_groups[0]["lr"] = rate * min(1, 2 - 2 * step / steps)
        symbols = torch.randint(network.dim, (starts, length), generator=draw)
        wrong = network.run(weights, identity[symbols]) - target(symbols, pairs)
        adam.zero_grad()
        wrong.square().mean(1).sum().backward()
        adam.step()
    with torch.no_grad():
        weights = [[w[:, None] for w in stream] for stream in weights]  # every start, all windows
        wanted = target(windows, pairs)
        wrong = network.run(weights, identity[windows]) - wanted
        return (wrong.square().mean((1, 2)) / wanted.square().mean()).tolist()


def trainings() -> dict[str, Callable[[], list[float]]]:
    """The trainings that the course stores, by name: every network on every task.

    Examples
    --------
    >>> list(trainings())[:2]
    ["hybrid's pairs: first", "hybrid's pairs: second"]
    """
    return {f"{task}: {name}": lambda case=(network, pairs): train(*case, **SETTINGS)
            for task, pairs in TASKS.items() for name, network in NETWORKS.items()}
