"""Weights that attain the exact rank of two layers, a stride-1 layer under a global product.

Every window reads the templates in its row as the digits of a number in base M, ``N = sum over
offsets o of M^o d_o``, and its channels are the powers ``omega^(j N)`` of a root of unity of
order M^R: channel j multiplies ``omega^(j M^o d)`` over the offsets. Digits that a window does
not reach would have the factor ``omega^(j M^R ...) = 1``, so a window that ends before the border
is as good as one that goes on. The matrix becomes a product of two Vandermonde matrices with
distinct nodes, which have the largest rank there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from math import gcd

import torch

from ..bounds.bound import Bound
from ..bounds.overlap import cut_axis
from ..checks import flag, integer, kind
from ..exact.arithmetic import Modular
from ..exact.device import made_on_the_cpu
from ..exact.residues import is_prime
from ..networks.architecture import Architecture
from .pieces import Construction, fit, idle_layer, require_network, write

__all__ = ["TwoLayerConstruction", "root_prime", "two_layer_construction"]


@dataclass(frozen=True, eq=False)
class TwoLayerConstruction(Construction):
    """See `two_layer_construction`.

    Attributes
    ----------
    axis : int
        The axis that the partition cuts.
    root : int
        omega, of order M to the number of cells that a window sees along the axis.
    coefficients : tuple of int
        What layer 2 gives to each power of omega^N, the constant first.
    exact : Bound
        The rank.
    """

    axis: int
    root: int
    coefficients: tuple[int, ...]
    exact: Bound

    @made_on_the_cpu
    def predicted_output(self, templates: torch.Tensor) -> torch.Tensor:
        """The product over all windows of ``sum over j of coefficient_j omega^(j N)``.

        Parameters
        ----------
        templates : torch.Tensor of int64, shape (batch, N)

        Returns
        -------
        torch.Tensor, shape (batch,)
        """
        templates = self._require(templates)
        net, prime = self.architecture, self.arithmetic.prime
        shown = templates.unflatten(1, net.size).movedim(1 + self.axis, -1)
        numbers, extent = torch.zeros_like(shown), shown.shape[-1]
        for offset in range(_reach(net, self.axis)):
            numbers[..., : extent - offset] += net.channels**offset * shown[..., offset:]
        # of the numbers that windows read: all M^R of them become too many for wide windows
        read, places = torch.unique(numbers, return_inverse=True)
        values = [sum(coefficient * pow(self.root, power * number, prime)
                      for power, coefficient in enumerate(self.coefficients)) % prime
                  for number in read.tolist()]
        factors = torch.tensor(values, dtype=torch.float64)[places]
        return self.arithmetic.prod(factors.flatten(1), 1)

    def rank(self) -> Bound:
        """The rank of the matricized grid tensor, exactly."""
        return self.exact


def root_prime(net: Architecture, partition: str = "left-right") -> int:
    """A prime p below 2^23 whose residues contain the root of unity that the weights need.

    Raises
    ------
    ValueError
        If there is none, or the partition is not one of the network's.
    TypeError
        If it is no Architecture.

    Examples
    --------
    >>> root_prime(Architecture((6,), 3, ((3, 1, 2), (6, 6, 1)))) % 27
    1
    """
    axis = cut_axis(net, partition)
    order = net.channels ** _reach(net, axis)
    for candidate in range((2**23 - 2) // order * order + 1, 1, -order):
        if is_prime(candidate):
            return candidate
    raise ValueError(f"no prime below 2**23 is 1 modulo {order}: use smaller windows or fewer "
                     "templates")


@made_on_the_cpu
def two_layer_construction(
    net: Architecture,
    representation: torch.Tensor,
    arithmetic: Modular,
    partition: str = "left-right",
    cut: int | None = None,
    last_bias: bool = True,
    scale: int = 3,
) -> TwoLayerConstruction:
    """Weights that attain the exact two-layer rank, for any cut.

    Parameters
    ----------
    net : Architecture
        As in `Architecture.exact_two_layer_rank`, with stride 1.
    representation : torch.Tensor, shape (M, M)
        F, any nonsingular matrix over the arithmetic.
    arithmetic : Modular
        With a prime that is 1 modulo M^R, for instance ``Modular(root_prime(net))``.
    partition : {"left-right", "top-bottom"}
    cut : int, optional
        Columns (or rows) before the cut; half of them, rounded down, by default.
    last_bias : bool
        Whether layer 2 has biases, which stand for one more channel.
    scale : int
        Channel j enters with ``scale^j``, so that no window sums to zero: any residue does but
        finitely many, which are refused.

    Returns
    -------
    TwoLayerConstruction

    Raises
    ------
    ValueError
        If the network is of another kind, the residues have no root of unity of order M^R, or a
        window sums to zero.

    Notes
    -----
    New here: the lower bound of "Two layers" in book/overlap-theorem.md.

    Examples
    --------
    >>> net = Architecture((6,), 3, ((5, 1, 1), (6, 6, 1)))
    >>> field = Modular(root_prime(net))
    >>> built = two_layer_construction(net, field.tensor(torch.eye(3)), field, cut=5)
    >>> str(built.rank())                               # 3 columns and 2^4: one pixel on the right
    '3^1'
    """
    require_network("two_layer_construction", net, representation, arithmetic)
    kind("two_layer_construction: arithmetic", arithmetic, Modular)
    scale = integer("two_layer_construction: scale", scale)
    flag("two_layer_construction: last_bias", last_bias)
    axis = cut_axis(net, partition)
    exact = net.exact_two_layer_rank(partition, cut, last_bias)
    if exact is None or set(net.strides[0]) != {1}:
        raise ValueError(f"{net}: needs a stride-1 layer and a second layer whose window and "
                         "stride cover the whole map, with biases if it reads padding")
    reach, constant = _reach(net, axis), int(bool(last_bias))
    root = _root_of_unity(net.channels**reach, net.channels, arithmetic)
    terms = min(net.channels, net.widths[1] + constant)
    coefficients = tuple(pow(scale, power, arithmetic.prime) for power in range(terms))
    if _vanishes(scale, terms, net.channels**reach, arithmetic.prime):
        raise ValueError(f"two_layer_construction: scale={scale} modulo {arithmetic.prime}; with "
                         "it a window sums to zero, take another scale or prime")

    first, last = idle_layer(net, 1), idle_layer(net, 2)
    inside = [slice(extent) for extent in net.size]            # a larger window reads padding
    last[1][(0, *inside)] = constant
    used = slice(terms - constant)
    for offset in range(reach):
        place = [0] * net.ndim
        place[axis] = offset
        targets = torch.tensor([
            [pow(root, power * net.channels**offset * template, arithmetic.prime)
             for template in range(net.channels)] for power in range(constant, terms)
        ], dtype=torch.float64).reshape(-1, net.channels)
        write(*first, used, place, fit(representation, targets, 1, arithmetic), 1)
    for channel, coefficient in enumerate(coefficients[constant:]):
        last[0][(0, channel, *inside)] = coefficient
    return TwoLayerConstruction(net, [first, last], representation.to("cpu", copy=True), arithmetic,
                                axis, root, coefficients, exact)


def _reach(net, axis):
    """How many cells of the map a window sees along an axis."""
    return min(net.windows[0][axis], net.size[axis])


def _vanishes(scale, terms, order, prime):
    """Whether ``1 + z + ... + z^(terms - 1)`` is 0 for some ``z = scale omega^N``, or scale is.

    Its zeros are the z other than 1 with ``z^terms = 1``. Some z has this power if that of the
    scale is one of omega^terms; then their number is the largest divisor of both terms and order.
    """
    common = gcd(terms, order)
    return scale % prime == 0 or pow(scale, terms * (order // common), prime) == 1 and (
        common > 1 or pow(scale, order, prime) != 1)


def _root_of_unity(order, base, arithmetic):
    """An element of exactly this order, a power of ``base``."""
    prime = arithmetic.prime
    if (prime - 1) % order:
        raise ValueError(f"two_layer_construction: {arithmetic} has no root of unity of order "
                         f"{order}; take Modular(root_prime(net, partition))")
    divisors = [q for q in range(2, base + 1) if base % q == 0]
    for number in count(2):
        root = pow(number, (prime - 1) // order, prime)
        if all(pow(root, order // q, prime) != 1 for q in divisors):
            return root
