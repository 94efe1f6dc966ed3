"""Checks of arguments: a refusal names the operation, the value and what would be valid."""

import math
import numbers
import operator

__all__ = ["integer", "integers", "real"]


def integer(what: str, value: object, least: int | None = None, most: int | None = None) -> int:
    """A whole number of any integer type; bools and floats are none.

    Parameters
    ----------
    what : str
        Operation and argument, for the message.
    value : object
    least, most : int, optional

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is out of range.

    Examples
    --------
    >>> integer("f: count", 3, least=1)
    3
    >>> integer("f: count", 2.0, least=1)
    Traceback (most recent call last):
    ...
    TypeError: f: count=2.0; need an integer >= 1
    """
    wanted = "an integer" + (f" >= {least}" if most is None and least is not None else
                             f" from {least} to {most}" if most is not None else "")
    try:
        if isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool"):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what}={value!r}; need {wanted}") from None
    if (least is not None and number < least) or (most is not None and number > most):
        raise ValueError(f"{what}={value!r}; need {wanted}")
    return number


def integers(what: str, values: object, least: int | None = None) -> tuple[int, ...]:
    """Whole numbers, one by one.

    Examples
    --------
    >>> integers("f: size", [2, 3], least=1)
    (2, 3)
    >>> integers("f: size", 2)
    Traceback (most recent call last):
    ...
    TypeError: f: size=2; need several integers
    """
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise TypeError(f"{what}={values!r}; need several integers")
    return tuple(integer(what, value, least) for value in values)


def real(what: str, value: object) -> float:
    """A finite real number as it is; bools, complex numbers, NaN and infinity are none.

    Examples
    --------
    >>> real("f: rate", 0.5)
    0.5
    >>> real("f: rate", 1j)
    Traceback (most recent call last):
    ...
    TypeError: f: rate=1j; need a real number
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{what}={value!r}; need a real number")
    if not math.isfinite(value):
        raise ValueError(f"{what}={value!r}; need a finite number")
    return value
