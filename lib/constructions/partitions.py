"""The network of Theorem 2 as corrected: one pair of cells per location, for any partition.

For every pair (p, q) of a matching, the first layer's window at location p multiplies
``[d_p = c]`` and ``[d_q = c]``; locations that start no pair output the constant 1. Unshared
weights do so directly. Shared weights give every location its own channels, which detect their
location by its padding and vanish at every other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch

from ..bounds.bound import Bound
from ..bounds.matching import maximum_matching
from ..bounds.overlap import missing_hypotheses
from ..bounds.partitions import Partition
from ..checks import flag
from ..exact.device import made_on_the_cpu
from ..networks.architecture import Architecture
from .pieces import (
    Construction,
    fit,
    idle_layer,
    multiply_cells,
    product_layers,
    require_network,
)

__all__ = ["MatchingConstruction", "matching_construction"]


@dataclass(frozen=True, eq=False)
class MatchingConstruction(Construction):
    """See `matching_construction`.

    Attributes
    ----------
    pairs : tuple of (int, int)
        The matching, as cell numbers; the first layer pairs them at the location of the first.
    base : int
        D, the templates told apart.
    shared : bool
    scale : number
        See `lib.constructions.pieces.product_layers`.
    """

    pairs: tuple[tuple[int, int], ...]
    base: int
    shared: bool
    scale: object

    @made_on_the_cpu
    def predicted_output(self, templates: torch.Tensor) -> torch.Tensor:
        """Product over the pairs of ``[d_p = d_q < D]``.

        Parameters
        ----------
        templates : torch.Tensor of int64, shape (batch, N)

        Returns
        -------
        torch.Tensor, shape (batch,)
        """
        templates = self._require(templates)
        factors = torch.ones(templates.shape, dtype=torch.float64)
        for p, q in self.pairs:
            same = (templates[:, p] == templates[:, q]) & (templates[:, p] < self.base)
            factors[:, p] = same.double()
        cells = factors.unflatten(1, self.architecture.size)
        return multiply_cells(self.architecture, 1, cells, self.scale, self.arithmetic)

    def rank(self) -> Bound:
        """``D ** number of pairs``, if no window after the first reaches into padding.

        Returns
        -------
        Bound
        """
        return Bound(self.base, len(self.pairs), 1)


@made_on_the_cpu
def matching_construction(
    net: Architecture,
    partition: Partition,
    representation: torch.Tensor,
    arithmetic,
    shared: bool = False,
    scale=2,
) -> MatchingConstruction:
    """Weights under which the matricization by any given partition has rank D to the matching.

    Parameters
    ----------
    net : Architecture
        First layer of stride 1. With a window as large as the input, Theorem 2; a smaller one
        reaches fewer pairs.
    partition : str or iterable of int
        Cells on one side, numbered row by row, or a name.
    representation : torch.Tensor, shape (M, M)
        F, any nonsingular matrix over the arithmetic.
    arithmetic : Real or Modular
    shared : bool
        Whether the first layer's kernel is the same at every location. It then needs D channels
        per pair and one for every other location, and a window as large as the input.
    scale : int or torch.Tensor scalar
        See `lib.constructions.pieces.product_layers`.

    Returns
    -------
    MatchingConstruction

    Raises
    ------
    ValueError
        If the network is not of this kind or too narrow.

    Notes
    -----
    Theorem 2 of [Sharir & Shashua, 2018] as corrected, book/any-partition.md: rank at least
    ``min(M, D_1) ** nu`` where nu is `lib.bounds.matching.matching_number`.

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> from lib.exact.arithmetic import Modular
    >>> net = Architecture(2, 2, (Layer(2, 1, 2), Layer(2, 2, 1)))
    >>> field = Modular()
    >>> built = matching_construction(net, (0, 3), field.tensor([[1, 2], [3, 4]]), field)
    >>> built.pairs, str(built.rank()), tuple(built.weights[0][0].shape)
    (((0, 1), (2, 3)), '2^2', (2, 2, 2, 2, 2, 2))
    """
    scale = require_network("matching_construction", net, representation, arithmetic, scale)
    flag("matching_construction: shared", shared)
    missing = missing_hypotheses(net, 1)
    if missing or set(net.strides[0]) != {1}:
        reason = "; ".join(missing) or f"its first layer has stride {net.strides[0]}, not 1"
        raise ValueError(f"matching_construction: {net} does not fit: {reason}")
    pairs = maximum_matching(partition, net.size, net.windows[0])
    cells = list(product(*map(range, net.size)))
    if shared:
        base = net.channels
        needed = base * len(pairs) + len(cells) - len(pairs)
        if net.widths[1] < needed or any(r < n for r, n in zip(net.windows[0], net.size,
                                                               strict=True)):
            raise ValueError(f"matching_construction: shared weights need {needed} channels and a "
                             f"window of {net.size}; layer 1 has {net.widths[1]} channels and a "
                             f"window of {net.windows[0]}")
        first, read = _shared_layer(net, pairs, cells, representation, arithmetic), needed
    else:
        base = read = min(net.channels, net.widths[1])
        first = _unshared_layer(net, pairs, cells, base, representation, arithmetic)
    weights = [first, *product_layers(net, 1, read, scale)]
    return MatchingConstruction(net, weights, representation.to("cpu", copy=True), arithmetic,
                                pairs, base, shared, scale)


def _unshared_layer(net, pairs, cells, base, representation, arithmetic):
    weight, bias = idle_layer(net, 1, shared=False)
    unit = fit(representation, torch.eye(base, net.channels).double(), 0, arithmetic)
    origin = (0,) * net.ndim
    partner = dict(pairs)
    for number, cell in enumerate(cells):
        if number not in partner:                            # channel 0 is 1, the others are 0
            bias[(*cell, slice(1, None), *origin)] = 0
            continue
        for offset in (origin, _difference(cells[partner[number]], cell)):
            weight[(*cell, slice(base), slice(None), *offset)] = unit
            bias[(*cell, slice(base), *offset)] = 0
    return weight, bias


def _shared_layer(net, pairs, cells, representation, arithmetic):
    """Channels of a location: a product that is 0 wherever the padding looks different."""
    weight, bias = idle_layer(net, 1)
    units = fit(representation, torch.eye(net.channels).double(), 0, arithmetic)
    inside = fit(representation, torch.ones(1, net.channels).double(), 0, arithmetic)
    padded = fit(representation, torch.zeros(1, net.channels).double(), 1, arithmetic)
    partner, start = dict(pairs), 0
    for number, cell in enumerate(cells):
        width = net.channels if number in partner else 1
        own = slice(start, start + width)
        factors = _location_factors(net.size, cell, inside, padded)
        if number in partner:                                # a partner in the last corner also
            factors[(0,) * net.ndim] = (units, 0)            # detects: it is 0 in the padding
            factors[_difference(cells[partner[number]], cell)] = (units, 0)
        for offset, (matrix, constant) in factors.items():
            weight[(own, slice(None), *offset)] = matrix
            bias[(own, *offset)] = constant
        start += width
    return weight, bias


def _location_factors(size, cell, inside, padded):
    """Offset -> affine map, of product 1 at the location ``cell`` and 0 at every other."""
    last = tuple(n - 1 - u for n, u in zip(size, cell, strict=True))
    factors = {last: (inside, 0)}                            # 1 in bounds, 0 in the padding
    for axis, u in enumerate(cell):
        if u:                                                # 0 in bounds, 1 in the padding
            offset = tuple(size[axis] - u if a == axis else 0 for a in range(len(size)))
            factors[offset] = (padded, 1)
    return factors


def _difference(q, p):
    return tuple(b - a for a, b in zip(p, q, strict=True))
