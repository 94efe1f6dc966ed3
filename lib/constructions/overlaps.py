"""The network of the crossing bound, weight by weight.

Layer 1 shows every template as D - 1 signs: channel j holds -1 on template j + 1 and +1 on the
others, so template 0 is all +1. Up to layer K a channel multiplies what it holds at the two
window offsets 0 and a_l, if a_l > 0: the sign of a cell of layer K is the product of the signs of
all pixels at the distances ``sum over a subset of the hops``, the first pixel of its field and
the one ``shift`` further on among them. Padding reads 0. Layer K + 1 turns every cell into
``1 + 2 (sum of its D - 1 channels)``, an odd integer and therefore never zero, and all layers
from there on multiply.

The weights are 0, 1, 2 and -1 (before they are fitted to F), and no limit is taken, except where
a window of layers K + 2, K + 3, ... reaches into padding: see `product_layers`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product

import torch

from ..bounds.bound import Bound
from ..bounds.crossing import crossing_pairs, shift_digits, template_base
from ..bounds.overlap import cut_axis, cut_position, missing_hypotheses, sampled_rows
from ..exact.arithmetic import Modular
from ..exact.device import made_on_the_cpu
from ..networks.architecture import Architecture
from .pieces import (
    Construction,
    fit,
    idle_layer,
    multiply_cells,
    multiply_tiles,
    product_layers,
    require_network,
    write,
)


@dataclass(frozen=True, eq=False)
class OverlapConstruction(Construction):
    """The network of the crossing bound; see `overlap_construction`.

    Attributes
    ----------
    layer : int
        K.
    axis, shift : int
        The axis that the partition cuts, and the distance between the cells of a pair.
    base : int
        D, the templates told apart by ``D - 1`` channels.
    digits : tuple of int
        The offset a_l in each window, 0 where the layer only copies.
    scale : number
        See `lib.constructions.pieces.product_layers`.
    """

    layer: int
    axis: int
    shift: int
    base: int
    digits: tuple[int, ...]
    scale: object

    def distances(self) -> Counter[int]:
        """The distances from the first pixel of a field to all pixels read, with multiplicities.

        Examples
        --------
        >>> from lib.exact.arithmetic import Modular
        >>> net = Architecture((8,), 2, ((3, 1, 1), (3, 1, 1), (8, 8, 1)))
        >>> built = overlap_construction(net, torch.eye(2).double(), Modular(), layer=2, shift=3)
        >>> sorted(built.distances().items())
        [(0, 1), (1, 1), (2, 1), (3, 1)]
        """
        units, _ = self.architecture.digits(self.layer, self.axis)
        found = Counter({0: 1})
        for unit, digit in zip(units, self.digits, strict=True):
            if digit:  # sums that are equal become one, or the time doubles with every hop
                found += Counter({far + unit * digit: times for far, times in found.items()})
        return found

    def predicted_cells(self, templates: torch.Tensor) -> torch.Tensor:
        """Channels j < D - 1 of layer K, from the templates alone: products of signs.

        Parameters
        ----------
        templates : torch.Tensor of int64, shape (batch, N)

        Returns
        -------
        torch.Tensor, shape (batch, D - 1, *cells of layer K)
            0 where the shifted pixel lies beyond the border.
        """
        return self.arithmetic.reduce(self._signs(templates))

    @made_on_the_cpu
    def _signs(self, templates):
        """The same as plain numbers 1, -1 and 0."""
        templates = self._require(templates)
        net, along = self.architecture, 2 + self.axis
        shown = templates.unflatten(1, net.size).unsqueeze(1)              # (batch, 1, *cells)
        marked = torch.arange(1, self.base).reshape(1, -1, *[1] * net.ndim)
        signs = 1 - 2 * (shown == marked).double()
        cells, extent = torch.ones_like(signs), net.size[self.axis]
        for distance, times in self.distances().items():
            seen = torch.zeros_like(signs)
            kept = max(0, extent - distance)
            seen.narrow(along, 0, kept).copy_(signs.narrow(along, extent - kept, kept))
            cells *= seen if times % 2 else seen.square()  # of 1, -1 and 0, however many times
        sampled = (slice(None), slice(None), *(slice(None, None, net.total_stride(self.layer, axis))
                                               for axis in range(net.ndim)))
        return cells[sampled]

    @made_on_the_cpu
    def predicted_output(self, templates: torch.Tensor) -> torch.Tensor:
        """The network's output by the closed form: an odd factor per sampled cell, multiplied.

        Returns
        -------
        torch.Tensor, shape (batch,)
        """
        net, above = self.architecture, self.layer + 1
        factors = self.arithmetic.reduce(1 + 2 * self._signs(templates).sum(1))
        cells = multiply_tiles(net, above, factors, self.arithmetic)
        return multiply_cells(net, above, cells, self.scale, self.arithmetic)

    def free_pixels(self, cut: int | None = None) -> list[tuple[int, int]]:
        """The pairs of modes across the cut whose contents give the rank, all others fixed.

        Parameters
        ----------
        cut : int, optional
            Cells before the cut along the axis; half of them by default.

        Returns
        -------
        list of (mode before the cut, mode after it)
            One pair for every sampled cell whose first pixel and shifted pixel are separated.
        """
        net = self.architecture
        cut = cut_position(net, self.axis, cut)
        modes = torch.arange(torch.Size(net.size).numel()).reshape(net.size).movedim(self.axis, -1)
        rows = modes if net.ndim == 1 else modes[:: net.total_stride(self.layer, 1 - self.axis)]
        starts = [start for start in range(0, cut, net.total_stride(self.layer, self.axis))
                  if cut <= start + self.shift < net.size[self.axis]]
        return [(int(row[start]), int(row[start + self.shift]))
                for row in rows.reshape(-1, net.size[self.axis]) for start in starts]

    def rank(self, cut: int | None = None) -> Bound:
        """A lower bound on the rank at these weights: D to the number of free pairs.

        Parameters
        ----------
        cut : int, optional
            Cells before the cut along the axis; half of them by default.

        Returns
        -------
        Bound
            The rank of the block in which only the free pixels vary, over their first D
            templates. Where a window of layers K + 2, ... reaches into padding this holds for
            all but finitely many scales.
        """
        net = self.architecture
        pairs = crossing_pairs(net, self.layer, self.shift, self.axis,
                               cut_position(net, self.axis, cut))
        exponent = pairs * sampled_rows(net, self.layer, self.axis)
        return Bound(self.base, exponent, self.layer, self.shift)


@made_on_the_cpu
def overlap_construction(
    net: Architecture,
    representation: torch.Tensor,
    arithmetic,
    partition: str = "left-right",
    layer: int | None = None,
    shift: int | None = None,
    scale=2,
) -> OverlapConstruction:
    """Weights under which the matricized grid tensor has the rank of the crossing bound.

    Parameters
    ----------
    net : Architecture
    representation : torch.Tensor, shape (M, M)
        F, any nonsingular matrix over the arithmetic.
    arithmetic : Real or Modular
        Modular with a prime of at least 2 D, which 2 M always is.
    partition : {"left-right", "top-bottom"}
    layer, shift : int, optional
        K and the distance between paired cells. By default those of the best bound,
        ``net.crossing_bound(partition)``; with only a layer, the best shift there.
    scale : int or torch.Tensor scalar
        Matters only where a window of layers K + 2, ... reaches into padding; see
        `lib.constructions.pieces.product_layers`.

    Returns
    -------
    OverlapConstruction

    Raises
    ------
    ValueError
        If the layer is not admissible, the shift cannot be spanned, F is singular, or the prime
        too small.

    Notes
    -----
    New here: the proof of the crossing bound, book/proof-construction.md. That several pixels
    travel in one channel, multiplied, is what makes halves of channels unnecessary.

    Examples
    --------
    >>> from lib.exact.arithmetic import Modular
    >>> net = Architecture(4, 2, ((2, 1, 1), (2, 1, 1), (4, 4, 1)))
    >>> field = Modular()
    >>> built = overlap_construction(net, field.tensor([[1, 2], [3, 4]]), field)
    >>> built.layer, built.shift, built.base, str(built.rank())
    (2, 2, 2, '2^8')
    >>> templates = torch.tensor([[0] * 16, [0, 1] * 8])
    >>> bool((built.output(templates) == built.predicted_output(templates)).all())
    True
    """
    scale = require_network("overlap_construction", net, representation, arithmetic, scale)
    axis = cut_axis(net, partition)
    layer, shift = _choose(net, partition, layer, shift)
    base, digits = template_base(net, layer), shift_digits(net, layer, shift, axis)
    layer, shift = int(layer), int(shift)                      # of whatever integer type
    if isinstance(arithmetic, Modular) and arithmetic.prime < 2 * base:
        raise ValueError(f"overlap_construction: {arithmetic} with D = {base} templates told "
                         f"apart; need a prime of at least {2 * base}, or an odd factor may be 0")
    used, weights = slice(base - 1), []
    for i in range(1, layer + 1):
        weight, bias = idle_layer(net, i)
        if i == 1:                                             # the signs of the templates
            signs = 1 - 2 * torch.eye(base, net.channels, dtype=torch.float64)[1:]
            matrix = fit(representation, signs, 0, arithmetic)
        else:                                                  # the channel itself
            matrix = torch.eye(base - 1, net.widths[i - 1], dtype=torch.float64)
        for place in {0, digits[i - 1]}:
            offset = [0] * net.ndim
            offset[axis] = place
            write(weight, bias, used, offset, matrix, 0)
        weights.append((weight, bias))
    weight, bias = idle_layer(net, layer + 1)
    for offset in product(*map(range, net.strides[layer])):
        weight[(0, used, *offset)] = 2
    weights += [(weight, bias), *product_layers(net, layer + 1, 1, scale)]
    return OverlapConstruction(net, weights, representation.to("cpu", copy=True), arithmetic,
                               layer, axis, shift, base, digits, scale)


def _choose(net, partition, layer, shift):
    """Fill in the best layer and shift."""
    if layer is None:
        if shift is not None:
            raise ValueError(f"shift={shift} without a layer: name the layer K as well")
        bound = net.crossing_bound(partition)
        if bound.silent or not bound.exponent:
            raise ValueError(f"{net} has no admissible layer whose cells see both sides of the "
                             f"{partition} cut; at layer 1: "
                             f"{net.missing_hypotheses(1) or 'no window does'}")
        return bound.layer, bound.shift
    missing = missing_hypotheses(net, layer)
    if missing:
        raise ValueError(f"layer {layer} is not admissible: {'; '.join(missing)}")
    if shift is None:
        shift = {b.layer: b.shift for b in net.crossing_bounds(partition)}[layer]
        if not shift:
            others = net.reachable_shifts(layer, cut_axis(net, partition))[1:]
            raise ValueError(f"layer {layer} has no cell that sees both sides of the {partition} "
                             "cut: " + (f"for another cut name the shift, one of {others}" if others
                                        else "up to it no window is larger than 1 along this axis"))
    return layer, shift
