"""Which distances a stack of windows can span: sums of bounded digits over a chain of units.

A distance is ``sum of a_i u_i`` with digits ``lows[i] <= a_i <= highs[i]``, and the units divide
each other in turn, ``u_1 | u_2 | ...``, because every total stride is a multiple of the one
before. Bounded coin problems are hard in general; along such a chain they are not, and the
greedy choice is optimal.

Why greedy: let the largest unit u admit at most ``a`` copies in a sum that must stay at or below
a limit, and suppose that an optimal sum uses fewer. If its other coins add up to at least u,
then, taken in decreasing order, their partial sums are multiples of the coin in hand and u is a
multiple of it too, so they hit u exactly and can be exchanged for one copy of u. If they add up
to less, replacing all of them by one copy of u gives a larger sum that is still allowed. So some
optimal sum takes all ``a`` copies, and the argument repeats on what is left.

Numbers that are no integers are a TypeError; negative digits, and units that are not such a chain,
a ValueError.
"""

from collections.abc import Sequence

from ..checks import integer, integers


def largest_at_most(
    units: Sequence[int], highs: Sequence[int], limit: int
) -> tuple[int, ...] | None:
    """Digits of the largest sum not above ``limit``, digits from 0 to ``highs``.

    Parameters
    ----------
    units : sequence of int
        Positive, each a divisor of the next.
    highs : sequence of int
        Largest value of each digit, nonnegative.
    limit : int

    Returns
    -------
    tuple of int or None
        One digit per unit; None if ``limit`` is negative.

    Examples
    --------
    >>> largest_at_most((1, 2, 4), (1, 3, 1), 9)
    (1, 2, 1)
    """
    units, highs = _chain("largest_at_most", units, highs)
    limit = integer("largest_at_most: limit", limit)
    if limit < 0:
        return None
    digits = []
    for unit, high in zip(reversed(units), reversed(highs), strict=True):
        digits.append(min(high, limit // unit))
        limit -= digits[-1] * unit
    return tuple(reversed(digits))


def smallest_at_least(
    units: Sequence[int], lows: Sequence[int], highs: Sequence[int], target: int
) -> tuple[int, ...] | None:
    """Digits of the smallest sum not below ``target``, digits from ``lows`` to ``highs``.

    The complement ``highs - digits`` of the answer is the largest sum not above what the full
    sum exceeds ``target`` by, which `largest_at_most` finds in one pass.

    Parameters
    ----------
    units, lows, highs : sequence of int
        Units (each a divisor of the next) and the range of each digit.
    target : int

    Returns
    -------
    tuple of int or None
        One digit per unit; None if some range is empty or no sum reaches ``target``.

    Examples
    --------
    >>> smallest_at_least((1, 2, 4), (0, 0, 0), (0, 3, 1), 5)
    (0, 3, 0)
    >>> smallest_at_least((1, 4), (3, 2), (3, 2), 12) is None
    True
    """
    units, lows, highs = _chain("smallest_at_least", units, lows, highs)
    target = integer("smallest_at_least: target", target)
    if any(low > high for low, high in zip(lows, highs, strict=True)):
        return None
    spans = [high - low for low, high in zip(lows, highs, strict=True)]
    total = sum(unit * high for unit, high in zip(units, highs, strict=True))
    spare = largest_at_most(units, spans, total - target)
    return None if spare is None else tuple(h - a for h, a in zip(highs, spare, strict=True))


def reachable_sums(units: Sequence[int], highs: Sequence[int], limit: int) -> tuple[int, ...]:
    """All sums from 0 to ``limit`` with digits from 0 to ``highs``, increasing.

    Bit s of a Python integer says whether s is reachable; a digit up to ``high`` is added by
    shifting and merging, a run of copies being doubled each time.

    Examples
    --------
    >>> reachable_sums((1, 4), (1, 2), 8)
    (0, 1, 4, 5, 8)
    """
    units, highs = _chain("reachable_sums", units, highs)
    limit = integer("reachable_sums: limit", limit, 0)
    mask, keep = 1, (1 << (limit + 1)) - 1
    for unit, high in zip(units, highs, strict=True):
        added = 0                                   # copies of `unit` that the mask covers so far
        while added < high and (added + 1) * unit <= limit:
            step = min(added + 1, high - added)
            mask |= (mask << (step * unit)) & keep
            added += step
    return tuple(s for s in range(limit + 1) if mask >> s & 1)


def digits_of(
    units: Sequence[int], highs: Sequence[int], shift: int
) -> tuple[int, ...] | None:
    """Digits from 0 to ``highs`` that sum to exactly ``shift``, or None if there are none.

    Examples
    --------
    >>> digits_of((1, 4), (1, 2), 5), digits_of((1, 4), (1, 2), 6)
    ((1, 1), None)
    """
    units, highs = _chain("digits_of", units, highs)
    shift = integer("digits_of: shift", shift)
    digits = largest_at_most(units, highs, shift)
    if digits is None or sum(u * a for u, a in zip(units, digits, strict=True)) != shift:
        return None
    return digits


def _chain(operation, units, *digits):
    """Units that divide each other in turn, and as many whole numbers in each of the others."""
    units = integers(f"{operation}: units", units, 1)
    digits = [integers(f"{operation}: digits", numbers, 0) for numbers in digits]
    if any(len(numbers) != len(units) for numbers in digits) or any(
            large % small for small, large in zip(units, units[1:])):
        raise ValueError(f"{operation}: units {units} with digits {digits}; need a range for every "
                         "unit, and every unit a divisor of the next")
    return units, *digits
