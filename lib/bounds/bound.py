"""A bound on a rank: an exact integer, written in powers, that says where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering
from math import inf, log10, prod
from numbers import Real

from ..checks import integer, kind, native, shown, whole

__all__ = ["Bound", "best"]


@total_ordering
@dataclass(frozen=True, eq=False)
class Bound:
    """A power, or a product of powers, with the layer and the shift it comes from.

    Bounds compare with real numbers and with each other, by their value alone.

    Parameters
    ----------
    base, exponent : int
        The power; of several, the one with the largest base.
    layer : int or None
        The layer K of the theorem; None when no layer satisfies the hypotheses, and all that is
        known is that the generic rank is at least 1.
    shift : int or None
        Distance in input cells between the two cells that are compared, or the extent of a field
        minus 1.
    powers : tuple of (base, exponent)
        All of them, by decreasing base, where there are several.

    Examples
    --------
    >>> bound = Bound(64, 20, layer=5)
    >>> str(bound), round(bound.log10, 2), bound.value == 2 ** 120
    ('64^20', 36.12, True)
    >>> bound > 2 ** 119, bound == Bound(2, 120), max(Bound(2, 3), Bound(3, 2)) == 9
    (True, True, True)
    >>> several = Bound.product([(3, 1), (65, 2)], layer=1)
    >>> str(several), several.value
    ('65^2 3^1', 12675)
    """

    base: int
    exponent: int
    layer: int | None = None
    shift: int | None = None
    powers: tuple[tuple[int, int], ...] = ()

    def __post_init__(self):
        powers = _plain(self._powers)  # a numpy integer would overflow without a word
        object.__setattr__(self, "base", powers[0][0])
        object.__setattr__(self, "exponent", powers[0][1])
        object.__setattr__(self, "powers", powers if self.powers else ())
        for name in ("layer", "shift"):
            object.__setattr__(self, name, whole(getattr(self, name)))

    @classmethod
    def product(cls, powers: Iterable[tuple[int, int]], layer: int | None = None,
                shift: int | None = None) -> Bound:
        """The product of these powers; without any, 1."""
        powers = tuple(sorted(_plain(powers), reverse=True)) or ((1, 0),)
        return cls(*powers[0], layer, shift, powers)

    @property
    def _powers(self):
        return self.powers or ((self.base, self.exponent),)

    @property
    def value(self) -> int:
        """The bound as a Python integer."""
        return prod(base**exponent for base, exponent in self._powers)

    @property
    def log10(self) -> float:
        """Decimal logarithm, without forming the integer; minus infinity for 0."""
        return sum(exponent * (log10(base) if base else -inf)
                   for base, exponent in self._powers if exponent)

    @property
    def silent(self) -> bool:
        """Whether no layer satisfied the hypotheses."""
        return self.layer is None

    def __int__(self) -> int:
        return self.value

    def __eq__(self, other: object) -> bool:
        other = other.value if isinstance(other, Bound) else native(other)
        return self.value == other if isinstance(other, Real) else NotImplemented

    def __lt__(self, other: Real | Bound) -> bool:
        other = other.value if isinstance(other, Bound) else native(other)
        return self.value < other if isinstance(other, Real) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        return " ".join(f"{base}^{exponent}" for base, exponent in self._powers)


def _plain(powers):
    powers = tuple(kind("Bound: powers", powers, Iterable))
    for pair in powers:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"Bound: power {shown(pair)}; need a pair (base, exponent)")
    return tuple((integer("Bound: base", base, 0), integer("Bound: exponent", exponent, 0))
                 for base, exponent in powers)


def best(candidates: Iterable[Bound]) -> Bound:
    """The largest of several bounds, the earliest among equals; silent if there are none.

    Examples
    --------
    >>> best([Bound(2, 3, layer=1), Bound(3, 2, layer=2)])
    Bound(base=3, exponent=2, layer=2, shift=None, powers=())
    """
    return max(candidates, default=Bound(1, 0))
