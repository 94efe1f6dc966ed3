"""Weights that attain the exact rank of two layers, a stride-1 layer under a global product."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..bounds.bound import Bound
from ..bounds.overlap import cut_axis, cut_position
from ..networks.architecture import Architecture
from .pieces import Construction, fit, idle_layer, write


@dataclass(frozen=True, eq=False)
class TwoLayerConstruction(Construction):
    """See `two_layer_construction`.

    Attributes
    ----------
    axis, cut, shift : int
        The axis that the partition cuts, the cells before the cut, the distance in a pair.
    base : int
        min(M, D), the channels in use.
    constant : int
        The bias b of layer 2 at every cell: 1 if it has biases, else 0.
    """

    axis: int
    cut: int
    shift: int
    base: int
    constant: int

    def predicted_output(self, templates: torch.Tensor) -> torch.Tensor:
        """Product over the cells p of ``[d_p = d_q < base] + constant``, with q = p + shift.

        Where q lies beyond the border, the factor is ``[d_p < base] + constant``.

        Parameters
        ----------
        templates : torch.Tensor of int64, shape (batch, N)

        Returns
        -------
        torch.Tensor, shape (batch,)
        """
        self._require(templates)
        shown = templates.unflatten(1, self.architecture.size)
        paired = shown.shape[1 + self.axis] - self.shift
        first = shown.narrow(1 + self.axis, 0, paired)
        same = shown < self.base
        same.narrow(1 + self.axis, 0, paired).logical_and_(
            first == shown.narrow(1 + self.axis, self.shift, paired))
        return self.arithmetic.prod((same + float(self.constant)).flatten(1), 1)

    def rank(self) -> Bound:
        """``min(M, D + constant)`` to the number of pairs across the cut."""
        net = self.architecture
        pairs = self.shift * torch.Size(net.size).numel() // net.size[self.axis]
        return Bound(min(net.channels, net.widths[1] + self.constant), pairs, 1, self.shift)


def two_layer_construction(
    net: Architecture,
    representation: torch.Tensor,
    arithmetic,
    partition: str = "left-right",
    cut: int | None = None,
    last_bias: bool = True,
) -> TwoLayerConstruction:
    """Weights that attain the exact two-layer rank.

    Parameters
    ----------
    net : Architecture
        As in `Architecture.exact_two_layer_rank`.
    representation : torch.Tensor, shape (M, M)
        F, any nonsingular matrix over the arithmetic.
    arithmetic : Real or Modular
    partition : {"left-right", "top-bottom"}
    cut : int, optional
        Columns (or rows) before the cut; half of them, rounded down, by default.
    last_bias : bool
        Whether layer 2 has biases, which adds 1 to the rank of a pair when D_1 < M.

    Returns
    -------
    TwoLayerConstruction

    Raises
    ------
    ValueError
        If the network or the cut is of another kind, or no window reaches across.

    Notes
    -----
    New here: the lower bound of "Two layers" in book/overlap-theorem.md. Every window compares
    its first cell with the one ``shift`` further on. A comparison across the cut contributes the
    matrix ``I_D + 0`` (padded to M x M), plus the all-ones matrix if layer 2 has biases; for
    D < M this has rank D + 1.

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> from lib.exact.arithmetic import Real
    >>> net = Architecture((6,), 3, (Layer(3, 1, 2), Layer(6, 6, 1)))
    >>> built = two_layer_construction(net, torch.eye(3).double(), Real())
    >>> str(built.rank()), str(net.exact_two_layer_rank())
    ('3^2', '3^2')
    """
    exact = net.exact_two_layer_rank(partition, cut, last_bias)
    if exact is None or exact.exponent == 0:
        raise ValueError(f"{net} with cut={cut}: needs a stride-1 layer with a window above 1, a "
                         "second layer over the whole map, and a cut in the first half")
    axis, shift = cut_axis(net, partition), exact.shift
    cut = cut_position(net, axis, cut)
    base = min(net.channels, net.widths[1])
    constant = int(bool(last_bias))

    first, last = idle_layer(net, 1), idle_layer(net, 2)
    unit = torch.eye(base, net.channels).double()              # channel c on template d
    partner = [0] * net.ndim
    partner[axis] = shift
    for offset, padding in (([0] * net.ndim, 0), (partner, 1)):
        write(*first, slice(base), offset, fit(representation, unit, padding, arithmetic), padding)
    inside = [slice(extent) for extent in net.size]            # a larger window reads padding
    last[0][(0, slice(base), *inside)] = 1
    last[1][(0, *inside)] = constant
    return TwoLayerConstruction(net, [first, last], representation, arithmetic,
                                axis, cut, shift, base, constant)
