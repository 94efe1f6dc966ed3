"""Options of programs: none of what a person wrote on a command line is dropped without a word."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["Once", "Parser", "discard_output", "may_be_cut_short"]


class Once(argparse.Action):
    """An option with one value: a second, different one is refused, and so is an empty text.

    By itself argparse takes the last of two values, and a variable of the shell that is not set
    arrives as an empty text, which reads as if the option had been left out.
    """

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: Any, option_string: str | None = None) -> None:
        if option_string is not None:               # else it is a positional argument
            if isinstance(values, str) and not values.strip():
                raise argparse.ArgumentError(self, "is empty, must be left out or have a value")
            before = parser.given.setdefault(self.dest, values)
            if before is not values and before != values:   # `nan` differs from itself
                raise argparse.ArgumentError(
                    self, f"given twice, as {before} and {values}, must be given once")
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """A parser whose options with one value are `Once`.

    Examples
    --------
    >>> parser = Parser()
    >>> _ = parser.add_argument("--epochs", type=int, default=3)
    >>> parser.parse_args(["--epochs", "5", "--epochs", "5"]).epochs
    5
    """

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        self.given: dict[str, object] = {}
        self.register("action", None, Once)
        self.register("action", "store", Once)

    def parse_known_args(self, *arguments: Any, **named: Any) -> Any:
        """Parse as argparse does, with nothing given yet."""
        self.given = {}
        return super().parse_known_args(*arguments, **named)


def discard_output() -> None:
    """Leave out what is still to be printed: Python flushes once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def may_be_cut_short() -> Iterator[None]:
    """Work whose output nobody may read to its end (``| head``): it ends quietly, with code 1.

    Examples
    --------
    >>> with may_be_cut_short():
    ...     print("read")
    read
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
        raise SystemExit(1) from None
