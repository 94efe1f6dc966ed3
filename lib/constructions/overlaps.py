"""The network of Theorem 1 and of its stronger form, weight by weight.

Every cell p that layer K samples ends up with the vector ``[d_p = c] y_c(d_q)``, c < D, where d is
the template shown, q = p + shift, and ``y(d_q)`` is the unit vector of d_q. If q lies in the
padding or d_q >= D, it is (1/D, ..., 1/D) instead, so that the sum over c never vanishes for
lack of a partner. The layers after K add up the D channels and multiply all cells.

On its way, the unit vector of q moves by one window offset per layer. What reads padding must
read (1/D, ..., 1/D) = z 1 there, so every hop applies ``x -> (I - z 1 1^T) x + z 1``. It fixes
unit vectors and z 1, whose entries add up to 1, and sends 0 to z 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..bounds.bound import Bound
from ..bounds.crossing import crossing_pairs, shift_digits
from ..bounds.overlap import cut_axis, cut_position, missing_hypotheses, sampled_rows
from ..networks.architecture import Architecture
from .pieces import (
    Construction,
    fit,
    idle_layer,
    multiply_cells,
    product_layers,
    write,
)


@dataclass(frozen=True, eq=False)
class OverlapConstruction(Construction):
    """The network of Theorem 1; see `overlap_construction`.

    Attributes
    ----------
    layer : int
        K.
    axis, shift : int
        The axis that the partition cuts, and the distance between the cells of a pair.
    base : int
        D.
    digits : tuple of int
        Offset in each window on the way of the shifted cell.
    scale : number
        See `lib.constructions.pieces.product_layers`.
    """

    layer: int
    axis: int
    shift: int
    base: int
    digits: tuple[int, ...]
    scale: object

    def predicted_cells(self, templates: torch.Tensor) -> torch.Tensor:
        """Channels c < D of layer K, from the templates alone.

        Parameters
        ----------
        templates : torch.Tensor of int64, shape (batch, N)

        Returns
        -------
        torch.Tensor, shape (batch, D, *cells of layer K)
        """
        self._require(templates)
        net, base = self.architecture, self.base
        z = self.arithmetic.reciprocal(base)
        shown = templates.unflatten(1, net.size)                       # (batch, *cells)
        partner = torch.full_like(shown, base)                         # base: nothing to match
        kept = shown.shape[1 + self.axis] - self.shift
        partner.narrow(1 + self.axis, 0, kept).copy_(
            shown.narrow(1 + self.axis, self.shift, kept))
        sampled = (slice(None), *(slice(None, None, net.total_stride(self.layer, axis))
                                  for axis in range(net.ndim)))
        shown, partner = shown[sampled].unsqueeze(1), partner[sampled].unsqueeze(1)
        channel = torch.arange(base).reshape(1, base, *[1] * net.ndim)
        matched = torch.where(partner < base, (partner == channel).double(), z)
        return matched * (shown == channel)

    def predicted_output(self, templates: torch.Tensor) -> torch.Tensor:
        """The network's output by the closed form: one factor per sampled cell.

        Returns
        -------
        torch.Tensor, shape (batch,)
        """
        factors = self.predicted_cells(templates).sum(dim=1)           # one term at most is not 0
        return multiply_cells(self.architecture, self.layer, factors, self.scale, self.arithmetic)

    def rank(self, cut: int | None = None) -> Bound:
        """Rank of the matricized grid tensor, a Kronecker product of D x D identities.

        Parameters
        ----------
        cut : int, optional
            Cells before the cut along the axis; half of them by default.

        Returns
        -------
        Bound
            An equality when no later window reaches into padding. Otherwise the rank is at
            least this for all but finitely many scales.
        """
        net = self.architecture
        pairs = crossing_pairs(net, self.layer, self.shift, self.axis,
                               cut_position(net, self.axis, cut))
        exponent = pairs * sampled_rows(net, self.layer, self.axis)
        return Bound(self.base, exponent, self.layer, self.shift)


def overlap_construction(
    net: Architecture,
    representation: torch.Tensor,
    arithmetic,
    partition: str = "left-right",
    layer: int | None = None,
    shift: int | None = None,
    scale=2,
) -> OverlapConstruction:
    """Weights under which the matricized grid tensor has the rank of Theorem 1.

    Parameters
    ----------
    net : Architecture
    representation : torch.Tensor, shape (M, M)
        F, any nonsingular matrix over the arithmetic.
    arithmetic : Real or Modular
    partition : {"left-right", "top-bottom"}
    layer, shift : int, optional
        K and the distance between paired cells. By default those of the best bound,
        ``net.crossing_bound(partition, halved="between")``; with only a layer, the best shift
        there.
    scale : int or torch.Tensor scalar
        Matters only where a window after K reaches into padding; see
        `lib.constructions.pieces.product_layers`.

    Returns
    -------
    OverlapConstruction

    Raises
    ------
    ValueError
        If the layer is not admissible, the shift cannot be spanned, or F is singular.

    Notes
    -----
    Claims 3 and 4 of [Sharir & Shashua, 2018], with padding handled, and extended to every
    reachable shift; book/proof-construction.md.

    Examples
    --------
    >>> from lib import Architecture, Layer
    >>> from lib.exact.arithmetic import Modular
    >>> net = Architecture(4, 2, (Layer(3, 1, 2), Layer(4, 4, 1)))
    >>> field = Modular()
    >>> built = overlap_construction(net, field.tensor([[1, 2], [3, 4]]), field)
    >>> built.layer, built.shift, str(built.rank())
    (1, 2, '2^8')
    >>> templates = torch.zeros(1, 16, dtype=torch.int64)
    >>> bool((built.output(templates) == built.predicted_output(templates)).all())
    True
    """
    axis = cut_axis(net, partition)
    layer, shift = _choose(net, partition, layer, shift)
    base, digits = shift_digits(net, layer, shift, axis)
    moving = [i for i, digit in enumerate(digits, 1) if digit]
    z = arithmetic.reciprocal(base)
    weights = []
    for i in range(1, layer + 1):
        weight, bias = idle_layer(net, i)
        stay, move = _cell_maps(net, representation, base, z, arithmetic, i, moving)
        offset = [0] * net.ndim
        offset[axis] = digits[i - 1]
        write(weight, bias, slice(0, base), [0] * net.ndim, *stay)
        if moving[0] <= i < moving[-1]:
            write(weight, bias, slice(base, 2 * base), offset, *move)
        elif i == moving[-1]:
            write(weight, bias, slice(0, base), offset, *move)
        weights.append((weight, bias))
    weights += product_layers(net, layer, base, scale)
    return OverlapConstruction(net, weights, representation, arithmetic,
                               layer, axis, shift, base, digits, scale)


def _choose(net, partition, layer, shift):
    """Fill in the best layer and shift."""
    if layer is None:
        if shift is not None:
            raise ValueError(f"shift={shift} without a layer: name the layer K as well")
        bound = net.crossing_bound(partition, halved="between")
        if bound.silent or not bound.exponent:
            raise ValueError(f"{net} has no admissible layer with a reachable shift; at layer 1: "
                             f"{net.missing_hypotheses(1) or 'no window is larger than 1'}")
        return bound.layer, bound.shift
    missing = missing_hypotheses(net, layer)
    if missing:
        raise ValueError(f"layer {layer} is not admissible: {'; '.join(missing)}")
    if shift is None:
        shift = {b.layer: b.shift for b in net.crossing_bounds(partition)}[layer]
    return layer, shift


def _cell_maps(net, representation, base, z, arithmetic, i, moving):
    """Affine maps of layer i for the cell (in place) and for the shifted cell: (D, C), bias."""
    identity = torch.eye(base, dtype=torch.float64)
    spread = arithmetic.reduce(identity - z)                           # I - z 1 1^T
    if i == 1:
        unit = torch.eye(base, net.channels, dtype=torch.float64)      # channel c on template d
        rest = (torch.arange(net.channels) >= base) * z                # z on templates d >= D
        stay = fit(representation, unit, 0, arithmetic)
        return (stay, 0), (fit(representation, unit + rest, z, arithmetic), z)
    inputs = net.widths[i - 1]
    stay, move = torch.zeros(2, base, inputs, dtype=torch.float64)
    stay[:, :base] = identity
    travelling = base if moving[0] < i <= moving[-1] else 0            # where the shifted cell is
    move[:, travelling:travelling + base] = spread
    return (stay, 0), (move, z)
