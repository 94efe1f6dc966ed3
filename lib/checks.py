"""Checks of arguments: a refusal names the operation, the value and what would be valid."""

import math
import numbers
import operator
from collections.abc import Callable, Iterable

__all__ = ["choice", "counted", "drawing", "flag", "floats", "in_one_line", "integer", "integers",
           "is_integer", "kind", "native", "pairs", "real", "several", "shown", "whole"]


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
        if type(value) is not int and (          # the quick way: bounds ask of many numbers
                isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what}={shown(value)}; need {wanted}") from None
    if (least is not None and number < least) or (most is not None and number > most):
        raise ValueError(f"{what}={value!r}; need {wanted}")
    return number


def is_integer(value: object) -> bool:
    """Whether `integer` takes a value, whatever its size.

    Examples
    --------
    >>> import numpy as np
    >>> is_integer(np.int64(3)), is_integer(3.0), is_integer(True)
    (True, False, False)
    """
    try:
        integer("", value)
    except TypeError:
        return False
    return True


def whole(value: object) -> object:
    """An integer of any type as Python's, which can be written into files; the rest as it is.

    Examples
    --------
    >>> import numpy as np
    >>> whole(np.int64(3)), whole(3.0)
    (3, 3.0)
    """
    return int(value) if is_integer(value) else value


def several(value: object) -> bool:
    """Whether there is something to go through: a tensor without axes has `__iter__`, but no items.

    Examples
    --------
    >>> import numpy as np
    >>> several((4, 4)), several(4), several(np.array(4))
    (True, False, False)
    """
    return hasattr(value, "__iter__") and getattr(value, "ndim", 1) > 0


def integers(what: str, values: object, least: int | None = None,
             most: int | None = None) -> tuple[int, ...]:
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
    if isinstance(values, str) or not several(values):
        raise TypeError(f"{what}={shown(values)}; need several integers")
    return tuple(integer(what, value, least, most) for value in values)


def real(what: str, value: object) -> float:
    """A finite real number, one of NumPy as Python's; bools, complex, NaN and infinity are none.

    Examples
    --------
    >>> real("f: rate", 0.5)
    0.5
    >>> real("f: rate", 1j)
    Traceback (most recent call last):
    ...
    TypeError: f: rate=1j; need a real number
    """
    value = native(value)  # bytes of NumPy overflow when they are added
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{what}={shown(value)}; need a real number")
    if not isinstance(value, numbers.Rational) and not math.isfinite(value):
        raise ValueError(f"{what}={value!r}; need a finite number")
    return value


def native(value: object) -> object:
    """A single number or truth value of NumPy as Python's; anything else as it is.

    Examples
    --------
    >>> import numpy as np
    >>> native(np.int64(3)), native(np.bool_(True)), native([3])
    (3, True, [3])
    """
    single = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    return value.item() if single else value


def counted(number: int) -> str:
    """A count for a message: Python prints no integer of more than 4300 digits.

    Examples
    --------
    >>> counted(2**28), counted(2**20000)
    ('268435456', 'more than 10^6020')
    """
    return str(number) if number < 10**300 else f"more than 10^{math.floor(math.log10(number))}"


def in_one_line(error: BaseException) -> str:
    """What an error says, in one line; what it is, where it says nothing.

    Examples
    --------
    >>> in_one_line(ValueError("no\\n  reason")), in_one_line(MemoryError())
    ('no reason', 'MemoryError: not enough memory')
    """
    silent = type(error).__name__ + ": not enough memory" * isinstance(error, MemoryError)
    return " ".join(str(error).split()) or silent


def shown(value: object) -> str:
    """A value for a message of one line: of a tensor or an array only what it is.

    Examples
    --------
    >>> import torch
    >>> shown(2.0), shown(torch.ones(3, 4))
    ('2.0', 'Tensor of torch.float32 and shape (3, 4)')
    """
    if getattr(value, "shape", ()) and hasattr(value, "dtype"):
        return f"{type(value).__name__} of {value.dtype} and shape {tuple(value.shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 120 else f"{text[:117]}..."


def kind(what: str, value: object, *types: type):
    """A value of one of some classes, as it is; numbers of NumPy count as Python's.

    Examples
    --------
    >>> import numpy as np
    >>> kind("f: scale", np.int64(2), int)
    2
    >>> kind("f: text", "abc", str)
    'abc'
    >>> kind("f: text", 5, str, list)
    Traceback (most recent call last):
    ...
    TypeError: f: text=5; need a value of type str or list
    """
    value = native(value)
    if not isinstance(value, types):
        names = " or ".join(wanted.__name__ for wanted in types)
        raise TypeError(f"{what}={shown(value)}; need a value of type {names}")
    return value


def choice(what: str, value: object, known: Iterable[str]) -> str:
    """One of some words.

    Examples
    --------
    >>> choice("f: pooling", "median", ("max", "sum"))
    Traceback (most recent call last):
    ...
    ValueError: f: pooling='median'; need one of 'max', 'sum'
    """
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{what}={shown(value)}; need one of {', '.join(map(repr, known))}")
    return value


def flag(what: str, value: object) -> bool:
    """True or False: a number or a text is rarely what was meant.

    Examples
    --------
    >>> flag("f: shared", "no")
    Traceback (most recent call last):
    ...
    TypeError: f: shared='no'; need True or False
    """
    if not isinstance(native(value), bool):
        raise TypeError(f"{what}={shown(value)}; need True or False")
    return native(value)


def floats(what: str, *values: object) -> None:
    """Raise a TypeError unless all are tensors of one floating point type, on one device.

    Torch multiplies integers without a word when they overflow, and stops in the middle of the work
    when two types differ.

    Examples
    --------
    >>> import torch
    >>> floats("f: x and weights", torch.ones(2), torch.ones(2).double())
    Traceback (most recent call last):
    ...
    TypeError: f: x and weights of torch.float32 and torch.float64; need one floating point type
    """
    from torch import Tensor

    for value in values:
        kind(what, value, Tensor)
    types = sorted({str(value.dtype) for value in values})
    if len(types) > 1 or not all(value.is_floating_point() for value in values):
        raise TypeError(f"{what} of {' and '.join(types)}; need one floating point type")
    devices = sorted({str(value.device) for value in values})
    if len(devices) > 1:
        raise TypeError(f"{what} on {' and '.join(devices)}; need one device")


def pairs(what: str, weights: object) -> list[tuple]:
    """The pairs (weight, bias) of an architecture's layers: tensors, None for no bias.

    Examples
    --------
    >>> pairs("f: weights", [(1, None)])
    Traceback (most recent call last):
    ...
    TypeError: f: weights of layer 1 are (1, None); need (weight, bias), tensors or None for no bias
    """
    from torch import Tensor

    for layer, pair in enumerate(kind(what, weights, list, tuple), 1):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not (
                isinstance(pair[0], Tensor) and isinstance(pair[1], (Tensor, type(None)))):
            raise TypeError(f"{what} of layer {layer} are {shown(pair)}; need (weight, bias), "
                            "tensors or None for no bias")
    return list(weights)


def drawing(operation: str, arithmetic: object, generator: object) -> Callable:
    """A function that draws a tensor of a shape; a seed or a class in place of either is refused.

    Examples
    --------
    >>> drawing("f", 7, None)
    Traceback (most recent call last):
    ...
    TypeError: f: arithmetic=7; need Real() or Modular(prime)
    """
    from torch import Generator

    if isinstance(arithmetic, type) or not hasattr(arithmetic, "taken"):
        raise TypeError(f"{operation}: arithmetic={shown(arithmetic)}; need Real() or "
                        "Modular(prime)")
    kind(f"{operation}: generator", generator, Generator)
    return lambda shape: arithmetic.random(shape, generator)
