"""What exercises are made of: a question's name and hint, and how an answer is read and judged.

A judge is a function of the reader's answer, a value or a function. It returns what it has looked
at, or raises `Refusal` with the first, smallest thing that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from numbers import Integral, Rational

import torch

__all__ = ["EXERCISES", "Asked", "Exercise", "Refusal", "Unsolved", "apart", "array", "ask",
           "close", "compare", "exercise", "has_gap", "integer", "integers", "number", "plain",
           "positions", "rank_of", "refuse", "rounded_rank", "rounding", "said", "shown", "truth"]


class Unsolved(Exception):
    """The answer is still the stub."""


class Refusal(Exception):
    """The answer is wrong; the text says at which input."""


@dataclass(frozen=True)
class Exercise:
    """One question of a notebook.

    Parameters
    ----------
    name : str
        The notebook's number and a word: ``"09-crossing"``.
    hint : str
        Shown as long as nothing is answered.
    judge : callable
        From the answer to a text about what was looked at; raises `Refusal`.
    """

    name: str
    hint: str
    judge: Callable[[object], str]


EXERCISES: dict[str, Exercise] = {}


def exercise(name: str, hint: str) -> Callable:
    """A decorator that makes a judge the exercise of that name.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    def enter(judge):
        if name in EXERCISES:
            raise ValueError(f"exercise: the name {name!r} is taken; names are used once")
        EXERCISES[name] = Exercise(name, hint, judge)
        return judge

    return enter


def refuse(text: str) -> None:
    """Raise `Refusal`: the answer is wrong, for this reason."""
    raise Refusal(text)


def plain(value: object) -> object:
    """An answer in Python's own numbers and lists, wherever it was computed.

    Examples
    --------
    >>> plain((torch.tensor([1, 2]), torch.tensor(3.0)))
    [[1, 2], 3.0]
    >>> plain({torch.tensor(1)})
    {1}
    """
    if hasattr(value, "tolist"):  # numpy and torch, scalars as well
        value = value.tolist()
    if isinstance(value, Decimal):
        whole = value.adjusted() < 400 and value.is_finite() and value == value.to_integral_value()
        return int(value) if whole else float(value)
    if isinstance(value, (list, tuple, range)):
        return [plain(part) for part in value]
    if isinstance(value, (set, frozenset)):  # of an array: its own scalars; of tuples: hashable
        return {part.tolist() if hasattr(part, "tolist") else part for part in value}
    return value


def has_gap(value: object) -> bool:
    """Whether an answer, or a part of it, is still None or an ellipsis."""
    if isinstance(value, (list, tuple)):
        return any(map(has_gap, value))
    return value is None or value is ...


def shown(value: object) -> str:
    """A value in one short line, lists as tuples."""
    def tupled(part):
        if isinstance(part, float) and part.is_integer() and abs(part) < 1e9:
            return int(part)
        return tuple(map(tupled, part)) if isinstance(part, (list, tuple)) else part

    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(map(str, sorted(value))) + "}"
    text = repr(tupled(value))
    return text if len(text) <= 70 else text[:66] + " ..."


class Asked:
    """The reader's function, and whether it has answered: a stub never has.

    It makes its tensors where the reader does; a judge makes its own on the CPU.
    """

    def __init__(self, function: Callable):
        self.function, self.answered = function, False
        self.device = torch.get_default_device()
        self.__name__ = getattr(function, "__name__", "<")

    def __call__(self, *arguments):
        if self.device == torch.get_default_device():
            return self.function(*arguments)
        with self.device:
            return self.function(*arguments)

    def __repr__(self):
        return repr(self.function)


def close(found: float, expected: float, slack: float = 5e-7) -> bool:
    """Whether two numbers are equal up to what a few roundings to 32-bit floats leave.

    Nothing but infinity is close to infinity.
    """
    gap = abs(found - expected) if found != expected else 0.0
    return isfinite(gap) and gap <= slack * max(1.0, abs(expected))


def apart(found: float, expected: float) -> tuple[str, str]:
    """Two different numbers, with as many digits as it takes to see that they differ.

    Examples
    --------
    >>> apart(1 - 1e-8, 1.0)
    ('0.99999999', '1')
    """
    texts = (shown(float(found)), shown(float(expected)))
    for digits in range(7, 18):
        if texts[0] != texts[1]:
            break
        texts = (f"{found:.{digits}g}", f"{expected:.{digits}g}")
    return texts


def rank_of(matrix: torch.Tensor | Sequence[Sequence[float | int | Fraction]]) -> int:
    """The exact rank of a small table: a float is the fraction that it stands for.

    Examples
    --------
    >>> rank_of([[1, 1e9], [1e9, 1e18 + 128]])
    2
    """
    rest, rank = [[Fraction(x) for x in row] for row in plain(matrix)], 0
    while rest and rest[0]:
        pivot = next((row for row in rest if row[0]), None)
        if pivot is None:
            rest = [row[1:] for row in rest]
            continue
        rank += 1
        rest = [[x - row[0] / pivot[0] * y for x, y in zip(row[1:], pivot[1:])]
                for row in rest if row is not pivot]
    return rank


def rounding(table: torch.Tensor) -> float:
    """How far roundings may have moved the entries of a table, relative to the largest of them.

    Integers were not rounded. Numbers that fit into 32-bit floats were computed there.

    Examples
    --------
    >>> halves, thirds = torch.tensor([0.5, 2.5]).double(), torch.tensor([1.0, 2.0]).double() / 3
    >>> rounding(2 * halves), rounding(halves) == rounding(thirds.float().double()) > 1e-7
    (0.0, True)
    >>> rounding(thirds) < 1e-14
    True
    """
    if bool((table == table.round()).all()) and bool((table.abs() <= 2**24).all()):
        return 0.0
    kind = torch.float32 if torch.equal(table, table.float().double()) else torch.float64
    return 8 * torch.finfo(kind).eps


def rounded_rank(matrix: torch.Tensor, slack: float | None = None) -> int:
    """The rank of a small table in float64: exact for integers, else what roundings do not explain.

    These reach as far as `rounding` says of the table; ``slack`` is for one made from others.

    Examples
    --------
    >>> thirds = torch.tensor([1.0, 2.0, 4.0]) / 3
    >>> rounded_rank(torch.outer(thirds, thirds).double()), rounded_rank(torch.eye(3).double())
    (1, 3)
    """
    if slack is None:
        slack = rounding(matrix)
    return int(torch.linalg.matrix_rank(matrix, rtol=slack)) if slack else rank_of(matrix)


def said(answer: Callable, arguments: Sequence) -> str:
    """A call of the reader's function, as it would be typed."""
    name = getattr(answer, "__name__", "<")
    name = "your function" if name.startswith("<") else name
    return f"{name}({', '.join(map(shown, arguments))})"


def ask(answer: object, *arguments: object) -> object:
    """What the reader's function returns, as by `plain`.

    Raises
    ------
    Unsolved
        If it returns nothing, and never returned anything.
    Refusal
        If it is no function, or raises, or returns nothing here and something elsewhere.
    """
    if not callable(answer):
        refuse(f"your answer is {shown(answer)}, and a function is asked for: give its name, "
               "without brackets")
    try:
        value = plain(answer(*deepcopy(arguments)))  # whatever it does to them
    except Exception as error:
        message = " ".join(str(error).split())
        about = f"{type(error).__name__}: {message}" if message else type(error).__name__
        refuse(f"{said(answer, arguments)} raises {about}")
    if has_gap(value):
        if getattr(answer, "answered", False):
            refuse(f"{said(answer, arguments)} gives {shown(value)}: for other arguments it had an "
                   "answer")
        raise Unsolved
    if isinstance(answer, Asked):
        answer.answered = True
    return value


def number(value: object, what: str = "your answer") -> float | int | Fraction:
    """A real number; integers and fractions stay what they are.

    Raises
    ------
    Refusal
        For everything else, truth values and NaN included.
    """
    if isinstance(value, Rational) and not isinstance(value, bool):
        return int(value) if value.denominator == 1 else Fraction(value)
    if not isinstance(value, float) or value != value:
        refuse(f"{what} is {shown(value)}, and a number is asked for")
    return value


def integer(value: object, what: str = "your answer") -> int:
    """An integer; a float that is whole passes.

    Raises
    ------
    Refusal
        For everything else, truth values included.
    """
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, (float, Fraction)) and value == value // 1:
        return int(value)
    text = shown(value)
    if isinstance(value, float) and float(text).is_integer():  # as 2 for 2.0000000000000004
        text = repr(value)
    refuse(f"{what} is {text}, and an integer is asked for")


def truth(value: object, what: str = "your answer") -> bool:
    """True or False; 0 and 1 pass."""
    if value not in (True, False):
        refuse(f"{what} is {shown(value)}, and True or False is asked for")
    return bool(value)


def integers(value: object, count: int, what: str = "your answer", least: int = 1,
             most: int | None = None) -> tuple[int, ...]:
    """So many integers within limits.

    Raises
    ------
    Refusal
    """
    if not isinstance(value, list) or len(value) != count:
        refuse(f"{what} is {shown(value)}, and {count} integers are asked for")
    found = tuple(integer(part, f"an entry of {what}") for part in value)
    for part in found:
        if part < least or most is not None and part > most:
            limit = f"at least {least}" if most is None else f"from {least} to {most}"
            refuse(f"{what} contains {part}; each must be {limit}")
    return found


def positions(value: object, modes: int, count: int | None = None,
              what: str = "your answer") -> tuple[int, ...]:
    """Different positions below ``modes``, in increasing order.

    Raises
    ------
    Refusal
    """
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    if not isinstance(value, list) or count is not None and len(value) != count:
        many = "" if count is None else f"{count} different "
        refuse(f"{what} is {shown(value)}, and {many}positions are asked for")
    found = integers(value, len(value), what, 0, modes - 1)
    if len(set(found)) < len(found):
        refuse(f"{what} is {shown(value)}, which names a position twice")
    return tuple(sorted(found))


def array(value: object, shape: tuple[int | None, ...], what: str = "your table") -> torch.Tensor:
    """A table of numbers of a shape, as float64; a side of None may have any length.

    Raises
    ------
    Refusal
    """
    wanted = " × ".join("any" if side is None else str(side) for side in shape)
    try:
        found = torch.tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        refuse(f"{what} is {shown(value)}, and {wanted} numbers are asked for")
    fits = found.ndim == len(shape) and found.numel() and all(
        side in (None, there) for side, there in zip(shape, found.shape))
    if not fits:
        there = " × ".join(map(str, found.shape)) or "a single number"
        refuse(f"{what} is {there}, and {wanted} is asked for")
    if not bool(found.isfinite().all()):
        refuse(f"{what} contains a number that is not finite")
    return found


def compare(answer: object, cases: Iterable[tuple[Sequence, object]], sentence: str,
            read: Callable = integer) -> str:
    """Hold the reader's function against cases, the smallest first.

    Parameters
    ----------
    answer : callable
    cases : iterable of (arguments, expected)
    sentence : str
        What is true there, with braces for what is expected.
    read : callable
        How a result is read, as `integer`.

    Returns
    -------
    str
        How many cases there were.

    Raises
    ------
    Refusal
        At the first case that differs.

    Examples
    --------
    >>> compare(lambda n: n + n, [((2,), 4), ((0,), 0)], "the square is {}")
    '2 cases'
    """
    count = 0
    for arguments, expected in cases:
        call = f"{said(answer, arguments)}"
        got = read(ask(answer, *arguments), call)
        if got != expected:
            refuse(f"{call} gives {shown(got)}, but {sentence.format(shown(expected))}")
        count += 1
    return f"{count} cases"
