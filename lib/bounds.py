"""Lower and upper bounds on the rank of matricized grid tensors, as exact integers.

Every function takes an `Architecture` and looks at one axis: the left-right partition cuts the
width into the first ``cut`` columns and the rest, the top-bottom partition cuts the height.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10, prod

from . import shifts


@dataclass(frozen=True)
class Bound:
    """``base ** exponent``, with the layer and the shift that give it.

    Parameters
    ----------
    base, exponent : int
    layer : int or None
        The layer K of the theorem; None when no layer satisfies the hypotheses and all that is
        known is that the rank is at least 1.
    shift : int or None
        Distance in input cells between the two cells that are compared.

    Examples
    --------
    >>> bound = Bound(64, 20, layer=5)
    >>> str(bound), round(bound.log10, 2), bound.value == 2 ** 120
    ('64^20', 36.12, True)
    """

    base: int
    exponent: int
    layer: int | None = None
    shift: int | None = None

    @property
    def value(self):
        """The bound as a Python integer."""
        return self.base ** self.exponent

    @property
    def log10(self):
        """Decimal logarithm, without forming the integer; minus infinity for zero."""
        if self.exponent and self.base == 0:
            return float("-inf")
        return self.exponent * log10(self.base) if self.exponent else 0.0

    @property
    def silent(self):
        """Whether no layer satisfied the hypotheses."""
        return self.layer is None

    def __int__(self):
        return self.value

    def __str__(self):
        return f"{self.base}^{self.exponent}"


NOTHING = Bound(1, 0)


def cut_axis(net, partition):
    """Axis that a named partition cuts: the last for left-right, the first for top-bottom."""
    if partition == "left-right":
        return net.ndim - 1
    if partition == "top-bottom" and net.ndim == 2:
        return 0
    raise ValueError(f"partition {partition!r} of a network of size {net.size}: valid are "
                     + ("'left-right' and 'top-bottom'" if net.ndim == 2 else "'left-right'"))


def cut_position(net, axis, cut):
    """Validate the number of cells before the cut; None means half of the axis, rounded down."""
    extent = net.size[axis]
    position = extent // 2 if cut is None else cut
    if extent > 1 and position not in range(1, extent):
        raise ValueError(f"cut={cut!r} along an axis of {extent} cells: valid are 1 to "
                         f"{extent - 1} cells before the cut")
    return position
