"""A bound on a rank: an exact integer, written as a power, that says where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering
from math import log10

__all__ = ["Bound", "best"]


@total_ordering
@dataclass(frozen=True, eq=False)
class Bound:
    """An integer ``base ** exponent``, with the layer and the shift it comes from.

    Bounds compare with integers and with each other, by their value alone.

    Parameters
    ----------
    base, exponent : int
    layer : int or None
        The layer K of the theorem; None when no layer satisfies the hypotheses, and all that is
        known is that the generic rank is at least 1.
    shift : int or None
        Distance in input cells between the two cells that are compared.

    Examples
    --------
    >>> bound = Bound(64, 20, layer=5)
    >>> str(bound), round(bound.log10, 2), bound.value == 2 ** 120
    ('64^20', 36.12, True)
    >>> bound > 2 ** 119, bound == Bound(2, 120), max(Bound(2, 3), Bound(3, 2)) == 9
    (True, True, True)
    """

    base: int
    exponent: int
    layer: int | None = None
    shift: int | None = None

    @property
    def value(self) -> int:
        """The bound as a Python integer."""
        return self.base ** self.exponent

    @property
    def log10(self) -> float:
        """Decimal logarithm, without forming the integer."""
        return self.exponent * log10(self.base) if self.exponent else 0.0

    @property
    def silent(self) -> bool:
        """Whether no layer satisfied the hypotheses."""
        return self.layer is None

    def __int__(self) -> int:
        return self.value

    def __eq__(self, other: object) -> bool:
        return self.value == int(other) if isinstance(other, (int, Bound)) else NotImplemented

    def __lt__(self, other: int | Bound) -> bool:
        return self.value < int(other) if isinstance(other, (int, Bound)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        return f"{self.base}^{self.exponent}"


def best(candidates: Iterable[Bound]) -> Bound:
    """The largest of several bounds, the earliest among equals; silent if there are none.

    Examples
    --------
    >>> best([Bound(2, 3, layer=1), Bound(3, 2, layer=2)])
    Bound(base=3, exponent=2, layer=2, shift=None)
    """
    return max(candidates, default=Bound(1, 0))
