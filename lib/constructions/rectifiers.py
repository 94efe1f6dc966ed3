"""What matrix ranks can see of rectifier networks: full rank without any overlap.

With ReLU and maximum pooling, two channels per layer suffice for the largest left-right rank
there is, although no two windows share a pixel. A maximum of a nonnegative number and 0 passes
the number on, so each layer can write down what its window shows as a number in base M; the last
layer takes the maximum of the numbers of the two halves, and the matrix ``max(i, j)`` is
invertible.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch

from ..bounds.partitions import Partition, split_modes
from ..checks import choice, counted, integer, kind
from ..exact.arithmetic import DEFAULT_PRIME, Modular, Real
from ..exact.ranks import Certificate, exact_rank
from ..grids.grid import Network, grid_block, place
from ..networks.architecture import Architecture, Weights
from ..networks.convolutional import grid_network

__all__ = ["RectifierConstruction", "certify_rectifier", "rectifier_construction",
           "rectifier_outputs"]

LARGEST = 2**26  # entries of a matrix
LARGEST_EXACT = 2**53


@dataclass(frozen=True, eq=False)
class RectifierConstruction:
    """A network with ReLU and maximum pooling; see `rectifier_construction`.

    Attributes
    ----------
    architecture : Architecture
    weights : list of (weight, bias)
        Integers, for templates shown as unit vectors.
    """

    architecture: Architecture
    weights: list

    def predicted_output(self, templates: torch.Tensor) -> torch.Tensor:
        """The larger of the numbers that the two halves show in base M.

        Parameters
        ----------
        templates : torch.Tensor of int64, shape (batch, N)

        Returns
        -------
        torch.Tensor of float64, shape (batch,)
        """
        kind("templates", templates, torch.Tensor)
        half = self.architecture.size[0] // 2
        digits = self.architecture.channels ** torch.arange(half, device=templates.device)
        halves = templates[:, :half], templates[:, half:]
        return torch.maximum(*((shown * digits).sum(1) for shown in halves)).double()


def rectifier_construction(levels: int, templates: int) -> RectifierConstruction:
    """Weights of a network without overlaps whose left-right matrix is ``max(i, j)``.

    Parameters
    ----------
    levels : int
        L: the network has ``2^L`` inputs and L layers of window 2 and stride 2, with two
        channels each and one at the end.
    templates : int
        M. The rank is full from 2 on; a single template gives the output 0.

    Returns
    -------
    RectifierConstruction

    Raises
    ------
    ValueError, TypeError
        If one of the two is no integer from 1 on, or the numbers that a half shows exceed 2^53.

    Notes
    -----
    "Maxima need no overlap" in book/rectifier-networks.md. That a rectifier network can
    have a matrix of full rank at constant width is known, with other architectures and
    partitions: [Khrulkov, Hrinchuk & Oseledets, 2019].

    Examples
    --------
    >>> built = rectifier_construction(levels=3, templates=2)
    >>> print(certify_rectifier(built.architecture, built.weights, "left-right"))
    rank 16 of 16 × 16, full, mod 8388593
    """
    levels = integer("rectifier_construction: levels", levels, 1)
    templates = integer("rectifier_construction: templates", templates, 1)
    if templates > 1 and (levels > 6 or templates ** 2 ** (levels - 1) > LARGEST_EXACT):
        raise ValueError(f"rectifier_construction: levels={levels}, templates={templates}; half of "
                         "the inputs shows numbers below templates^(2^(levels - 1)), and float64 "
                         "is exact below 2^53")
    widths = [2] * (levels - 1) + [1]
    net = Architecture((2**levels,), templates, tuple((2, 2, width) for width in widths))
    weights = []
    for layer, (weight, bias) in enumerate(net.weight_shapes(), 1):
        matrix, zero = torch.zeros(weight, dtype=torch.float64), torch.zeros(bias).double()
        if layer == 1:
            number = torch.arange(templates).double()          # template d reads as the number d
        else:
            number = torch.ones(2, dtype=torch.float64)        # the channels add up to a number
        if layer == levels:
            matrix[0, :, 0] = matrix[0, :, 1] = number
        else:
            matrix[0, :, 0] = number
            matrix[1, :, 1] = number * templates ** 2 ** (layer - 1)
        weights.append((matrix, zero))
    return RectifierConstruction(net, weights)


def rectifier_outputs(
    net: Architecture,
    weights: Weights,
    templates: torch.Tensor,
    pooling: str = "max",
    representation: torch.Tensor | None = None,
) -> torch.Tensor:
    """The exact outputs of a network with ReLU and integer weights.

    Parameters
    ----------
    net : Architecture
    weights : list of (weight, bias)
        Integers of any sign.
    templates : torch.Tensor of int64, shape (batch, N)
        Which template every cell of the input shows, row by row.
    pooling : {"max", "sum"}
    representation : torch.Tensor of integers, shape (templates, M), optional
        F; the identity by default.

    Returns
    -------
    torch.Tensor of float64, shape (batch,)
        Integers.

    Raises
    ------
    ValueError
        If a weight is no integer, or a number could exceed 2^53, or a shape does not fit.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> net = Architecture((2,), 2, ((2, 2, 1),))
    >>> weights = [(torch.tensor([[[3.0, -1.0], [0.0, 2.0]]]), None)]
    >>> rectifier_outputs(net, weights, torch.tensor([[0, 0], [1, 1]]))
    tensor([3., 2.], dtype=torch.float64)
    """
    network, shown = _exact_network(net, weights, pooling, representation)
    x, cells = place(shown, templates), prod(net.size)
    if templates.ndim != 2 or templates.shape[1] != cells:
        raise ValueError(f"rectifier_outputs: templates of shape {tuple(templates.shape)}; need "
                         f"(batch, {cells})")
    return network(x)


def _exact_network(net, weights, pooling, representation) -> tuple[Network, torch.Tensor]:
    """The network as a function of inputs (batch, N, M), and F, after all checks but of inputs."""
    kind("rectifier_outputs: net", net, Architecture).check_weights(weights)
    choice("rectifier_outputs: pooling", pooling, ("max", "sum"))
    where = weights[0][0].device
    shown = torch.eye(net.channels, device=where) if representation is None else representation
    shown = kind("rectifier_outputs: representation", shown, torch.Tensor).double()
    whole = bool((shown == shown.round()).all())
    if shown.ndim != 2 or shown.shape[1] != net.channels or not whole:
        raise ValueError(f"rectifier_outputs: representation of shape {tuple(shown.shape)}; need "
                         f"integers of shape (templates, {net.channels})")
    weights = net.map_weights(torch.Tensor.double, weights)   # sums of small integers wrap around
    largest = shown.abs().max()
    for layer, (weight, bias) in enumerate(weights, 1):
        for part in (weight, bias):
            if part is not None and not bool((part == part.round()).all()):
                raise ValueError(f"rectifier_outputs: layer {layer} has weights that are no "
                                 "integers")
        inputs = weight.abs().sum(-1 - net.ndim).max() * largest    # also where unshared
        largest = inputs if bias is None else inputs + bias.abs().max()
        if pooling == "sum":
            largest = largest * prod(net.windows[layer - 1])
        if largest >= LARGEST_EXACT:
            raise ValueError(f"rectifier_outputs: numbers after layer {layer} could reach "
                             f"{largest:.1e}; float64 is exact below 2**53")
    return grid_network(net, weights, Real(), 0, pooling, "relu"), shown


def certify_rectifier(
    net: Architecture,
    weights: Weights,
    partition: Partition,
    pooling: str = "max",
    representation: torch.Tensor | None = None,
    prime: int = DEFAULT_PRIME,
) -> Certificate:
    """The rank modulo a prime of the matricized grid tensor of a rectifier network.

    Outputs are integers, so the rank modulo p is at most the rank. Outputs are continuous in the
    weights, so a minor that is not zero stays so nearby: the bound holds on an open set of
    weights around these. Not for almost all weights, as for products: outputs are no polynomials.

    Parameters
    ----------
    net, weights, pooling, representation
        As in `rectifier_outputs`.
    partition : str or iterable of int
        The row modes or a name, as in :func:`lib.bounds.partitions.split_modes`.
    prime : int
        Below 2^23.

    Returns
    -------
    Certificate
        Of the whole matrix.

    Raises
    ------
    ValueError, TypeError
        As `rectifier_outputs`, or if the partition does not fit or the prime is none.

    Examples
    --------
    >>> net = Architecture((2,), 3, ((2, 2, 1),))
    >>> numbers = torch.tensor([[[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]])
    >>> print(certify_rectifier(net, [(numbers, None)], "left-right"))
    rank 3 of 3 × 3, full, mod 8388593
    """
    kind("certify_rectifier: net", net, Architecture).check_weights(weights)
    Modular(prime)                                 # refuses what is no prime before any work
    rows, columns = split_modes(partition, net.grid)
    count = net.channels if representation is None else len(kind(
        "certify_rectifier: representation", representation, torch.Tensor))
    entries = count ** (len(rows) + len(columns))
    if entries > LARGEST:
        raise ValueError(f"certify_rectifier: a matrix of {counted(entries)} entries; at most "
                         f"{LARGEST} are evaluated, take fewer cells or templates")
    network, shown = _exact_network(net, weights, pooling, representation)
    outputs = grid_block(network, shown, rows, net.grid)
    return exact_rank(outputs, prime)
