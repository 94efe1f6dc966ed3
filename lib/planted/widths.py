"""Early or deep layers: networks of about equal size on tasks of short and of long range.

Circuits are fitted to tensors on eight positions, whose least error follows from a minimum cut.
Rectifier networks learn sums of products of signs, of neighbors or of places half the input apart;
no cut bounds them (book/layer-widths.md, "Trained").
"""

from collections.abc import Callable, Sequence

import torch

from ..checks import choice, integer, integers, kind, real
from ..exact.arithmetic import Real
from ..exact.device import same_in_every_mode
from ..exact.ranks import singular_values
from ..trees.decompositions import coefficient_tensor
from ..trees.designer import design_widths
from ..trees.tensors import Operator, indices, matricize
from ..trees.tree import ModeTree

__all__ = ["RANGES", "RECTIFIERS", "SETTINGS", "designs", "fit_circuit", "fit_rectifiers",
           "least_error", "matches", "sign_products", "trainings"]

RANGES = {"near": (((0, 1), (2, 3), (4, 5), (6, 7)), 4), "middle": (((0, 2),), 2),
          "far": (((0, 4),), 2)}
"""The tasks of the circuits: pairs of positions that must match, and modulo what. Two symbols pass
a node of width 2, so that no design is too narrow for a single position."""
RECTIFIERS = {"early": (16, 8, 4, 2), "deep": (2, 4, 8, 16)}
SETTINGS = {
    "circuits": {"starts": 12, "steps": 150, "rate": 0.03, "seed": 0},
    "rectifiers": {"starts": 12, "steps": 1500, "rate": 0.005, "batch": 128,
                   "seed": {"early": 0, "deep": 1}},
    "budget": 150, "positions": 8, "dim": 4, "signs": 16, "inputs": "others for every start",
    "widths": {name: list(widths) for name, widths in RECTIFIERS.items()},
}
"""Of the stored runs: steps of Adam at a rate that falls to zero over the second half. Circuits see
all inputs in each step, every start of a rectifier network 128 fresh ones. With one seed both
rectifier networks would read the same signs, and no test of their difference would hold."""


def blocks(positions: int, j: int) -> list[int]:
    """The row modes of alternating blocks of 2^j positions."""
    return [i for i in range(positions) if (i >> j) % 2 == 0]


def matches(positions: int, dim: int, pairs: Sequence[tuple[int, int]], symbols: int
            ) -> torch.Tensor:
    """1 where all pairs of positions show the same modulo a number of symbols, else 0.

    Parameters
    ----------
    positions, dim : int
    pairs : sequence of pairs of int
    symbols : int

    Returns
    -------
    torch.Tensor, shape (dim, ..., dim), one dimension for each position

    Examples
    --------
    >>> matches(2, 3, [(0, 1)], symbols=2)
    tensor([[1., 0., 1.],
            [0., 1., 0.],
            [1., 0., 1.]], dtype=torch.float64)
    """
    positions = integer("matches: positions", positions, 1)
    symbols = integer("matches: symbols", symbols, 1)
    pairs = [integers("matches: pairs", pair) for pair in pairs]
    places = [place for pair in pairs for place in pair]
    if {*map(len, pairs)} != {2} or not {*places} <= {*range(positions)}:
        raise ValueError(f"matches: pairs={pairs!r}; need at least one, of places from 0 to "
                         f"{positions - 1}")
    shown = indices(dim, positions) % symbols
    first, second = (list(side) for side in zip(*pairs))
    same = shown[:, first] == shown[:, second]
    return same.all(1).double().reshape((dim,) * positions)


def designs(positions: int = 8, dim: int = 4, budget: int = 150, candidates=(1, 2, 4, 8, 16)
            ) -> dict[str, ModeTree]:
    """For every range the circuit with the largest minimum cut that fits the budget.

    The ranges are neighbors (early), places half the input apart (deep), and for eight positions
    those between (middle).

    Examples
    --------
    >>> {name: tree.parameter_count() for name, tree in designs().items()}
    {'early': 147, 'middle': 85, 'deep': 132}
    """
    positions = integer("designs: positions", positions, 1)
    candidates = integers("designs: candidates", candidates, 1)  # read for every range
    levels = positions.bit_length() - 1
    places = {"early": 0, "middle": 1, "deep": 2} if levels == 3 else {
        "early": 0, "deep": levels - 1}
    shape = ModeTree.perfect(positions, 2, dim, (1,) * levels)
    return {name: design_widths(shape, [blocks(positions, j)], budget, candidates).tree
            for name, j in places.items()}


def least_error(tree: ModeTree, target: torch.Tensor) -> float:
    """An error that no weights undercut: the share of squared singular values beyond minimum cuts.

    Parameters
    ----------
    tree : ModeTree
        With N = 2^L positions. The partitions are its alternating blocks.
    target : torch.Tensor, shape (M, ..., M)

    Returns
    -------
    float
        The largest over the partitions, relative to the squared norm of the target; 0 for N = 1.

    Examples
    --------
    >>> tree, pairs = ModeTree.perfect(4, 2, 2, (1, 1)), [(0, 1), (2, 3)]
    >>> least_error(tree, matches(4, 2, pairs, symbols=2))
    0.75
    """
    _fits("least_error", tree, target)
    errors = []
    for j in range(tree.modes.bit_length() - 1):
        rows = blocks(tree.modes, j)
        squares = singular_values(matricize(target, rows)) ** 2
        errors.append(float(squares[tree.mincut(rows):].sum() / squares.sum()))
    return max(errors, default=0.0)


@same_in_every_mode
def fit_circuit(tree: ModeTree, target: torch.Tensor, starts: int, steps: int, rate: float = 0.03,
                seed: int = 0, operator: Operator | None = None) -> list[float]:
    """Fit a circuit with unshared weights to a tensor by Adam, from several random starts.

    Parameters
    ----------
    tree : ModeTree
    target : torch.Tensor, shape (M, ..., M)
    starts, steps : int
    rate : float
    seed : int
        Of the starts: the same ones in every call with as many. The weights of a teacher that were
        drawn with this seed can be those of a start, up to scales; take another.
    operator : callable, optional
        An activation-pooling operator in place of the product.

    Returns
    -------
    list of float
        For every start the squared error, relative to the squared norm of the target, as the last
        step finds it, before its own move: after one step that of the start, whatever the rate.

    Examples
    --------
    >>> tree, one = ModeTree.perfect(2, 2, 2, (1,)), torch.ones(2, 2).double()
    >>> [round(error, 3) for error in fit_circuit(tree, one, starts=2, steps=300)]
    [0.0, 0.0]
    """
    _fits("fit_circuit", tree, target)
    starts, steps = _counts("fit_circuit", starts, steps)
    # a copy: one made in inference mode knows no gradients; squares of bytes would wrap around
    target = target.to("cpu", torch.float64, copy=True)
    rate = real("fit_circuit: rate", rate)
    draw = torch.Generator().manual_seed(integer("fit_circuit: seed", seed))
    weights = {path: (Real().random((starts, *shape), draw) / shape[-1] ** 0.5).requires_grad_()
               for path, shape in tree.weight_shapes().items()}

    def error(weights: dict) -> torch.Tensor:
        missed = coefficient_tensor(tree, weights, operator=operator) - target
        return missed.square().sum() / target.square().sum()

    errors = _descend(list(weights.values()), rate, steps,
                      lambda step: torch.vmap(error)(weights))
    return errors.tolist()


def _fits(name: str, tree: ModeTree, target: torch.Tensor) -> None:
    """A target of another shape would be broadcast, and its error be that of another task."""
    if kind(f"{name}: target", target, torch.Tensor).shape != (tree.dim,) * tree.modes:
        raise ValueError(f"{name}: target of shape {tuple(target.shape)}; the tree {tree} needs "
                         f"{tree.modes} dimensions of {tree.dim}")


def _counts(name: str, starts: int, steps: int) -> tuple[int, int]:
    return integer(f"{name}: starts", starts, 1), integer(f"{name}: steps", steps, 1)


def sign_products(signs: torch.Tensor, task: str) -> torch.Tensor:
    """The sum of the products of neighbors, or of places half the input apart, with variance 1.

    Parameters
    ----------
    signs : torch.Tensor, shape (batch, N), N even
    task : {"near", "far"}

    Returns
    -------
    torch.Tensor, shape (batch,)

    Examples
    --------
    >>> signs = torch.tensor([[1.0, 1, -1, -1]])
    >>> [round(float(sign_products(signs, task)), 3) for task in ("near", "far")]
    [1.414, -1.414]
    """
    choice("sign_products: task", task, ("near", "far"))
    if kind("sign_products: signs", signs, torch.Tensor).ndim != 2 or signs.shape[1] % 2 or (
            not signs.shape[1]):  # of three places one would be counted twice
        raise ValueError(f"sign_products: signs of shape {tuple(signs.shape)}; need (batch, N) "
                         "with an even N")
    half = signs.shape[1] // 2
    one, other = {"near": (signs[:, 0::2], signs[:, 1::2]),
                  "far": (signs[:, :half], signs[:, half:])}[task]
    return (one * other).sum(1) / half**0.5


@same_in_every_mode
def fit_rectifiers(widths: Sequence[int], task: str, starts: int, steps: int, rate: float = 0.005,
                   batch: int = 128, seed: int = 0) -> list[float]:
    """Train a rectifier network on products of signs, from several random starts at once.

    Parameters
    ----------
    widths : sequence of int
        Channels of the layers; each has windows of 2 with stride 2, a bias and a rectifier. The
        input has 2^L signs for L layers; the output is linear.
    task : {"near", "far"}
    starts, steps : int
    rate : float
    batch : int
        Fresh inputs that every start reads in a step.
    seed : int

    Returns
    -------
    list of float
        For every start the mean squared error on 8192 fresh inputs; the target has variance 1.
        No input is shared between starts, so that they are independent.

    Examples
    --------
    >>> len(fit_rectifiers((4, 2), "near", starts=3, steps=1))
    3
    """
    widths = integers("fit_rectifiers: widths", widths, 1)
    choice("fit_rectifiers: task", task, ("near", "far"))
    starts, steps = _counts("fit_rectifiers", starts, steps)
    batch = integer("fit_rectifiers: batch", batch, 1)
    rate, signs = real("fit_rectifiers: rate", rate), 2 ** len(widths)
    draw = torch.Generator().manual_seed(integer("fit_rectifiers: seed", seed))
    weights, below = [], 1
    for width in (*widths, None):
        shape = (2 * below, width) if width else (below, 1)
        drawn = torch.randn(starts, *shape, generator=draw, dtype=torch.float32)
        weights += [drawn * (2 / shape[0]) ** 0.5, drawn.new_zeros(starts, 1, shape[1])]
        below = width
    for part in weights:
        part.requires_grad_()

    def error(count: int) -> torch.Tensor:
        x = 2 * torch.randint(0, 2, (starts, count, signs), generator=draw).float() - 1
        hidden = x.reshape(starts, -1, 1)  # (starts, inputs · places, 1)
        for matrix, bias in zip(weights[:-2:2], weights[1:-2:2]):
            hidden = torch.relu(hidden.reshape(starts, -1, matrix.shape[1]) @ matrix + bias)
        output = (hidden @ weights[-2] + weights[-1])[..., 0]
        wanted = sign_products(x.reshape(-1, signs), task).reshape(starts, count)
        return (output - wanted).square().mean(1)

    _descend(weights, rate, steps, lambda step: error(batch))
    with torch.no_grad():
        return error(8192).tolist()


def _descend(weights: list[torch.Tensor], rate: float, steps: int,
             errors: Callable[[int], torch.Tensor]) -> torch.Tensor:
    """Adam on the sum of the errors of all starts; returns the last errors."""
    adam = torch.optim.Adam(weights, lr=rate)
    for step in range(steps):  # a constant rate, then down to zero
        adam.param_groups[0]["lr"] = rate * min(1, 2 - 2 * step / steps)
        adam.zero_grad()
        found = errors(step)
        found.sum().backward()
        adam.step()
    return found.detach()


def parameters(widths: Sequence[int]) -> int:
    """Weights and biases of a rectifier network with the given widths.

    Examples
    --------
    >>> [parameters(widths) for widths in RECTIFIERS.values()]
    [401, 387]
    """
    widths = integers("parameters: widths", widths, 1)
    below = (1, *widths)
    return sum((2 * a + 1) * b for a, b in zip(below, widths)) + widths[-1] + 1


def trainings() -> dict[str, Callable[[], list[float]]]:
    """The trainings that the course stores, by name.

    Examples
    --------
    >>> list(trainings())[0], list(trainings())[-1]
    ('circuits, near: early', 'rectifiers, far: deep')
    """
    circuits, rectifiers = SETTINGS["circuits"], SETTINGS["rectifiers"]
    size = SETTINGS["positions"], SETTINGS["dim"]
    named = {}
    for task, pairs in RANGES.items():
        for name, tree in designs(*size, SETTINGS["budget"]).items():
            named[f"circuits, {task}: {name}"] = (
                lambda tree=tree, task=pairs: fit_circuit(tree, matches(*size, *task), **circuits))
    for task in ("near", "far"):
        for name, widths in RECTIFIERS.items():
            own = {**rectifiers, "seed": rectifiers["seed"][name]}
            named[f"rectifiers, {task}: {name}"] = (
                lambda widths=widths, task=task, own=own: fit_rectifiers(widths, task, **own))
    return named
