"""Values that benchmarks take on their command lines: others are refused in one line."""

import argparse

import torch

from ..exact.device import exact_device


def positive(text: str) -> int:
    """An integer of at least 1.

    Examples
    --------
    >>> positive("3")
    3
    """
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}: need an integer >= 1")
    return int(text)


def trainable(text: str) -> torch.device:
    """A device that networks can be trained on: one that is there, exact or not.

    Examples
    --------
    >>> trainable("cpu")
    device(type='cpu')
    """
    try:
        return torch.zeros(1, device=text).device
    except (RuntimeError, AssertionError) as error:  # no such word, no such chip, no such torch
        reason = str(error).splitlines()[0]
        raise argparse.ArgumentTypeError(f"{text!r}: {reason}") from None


def add_device(parser: argparse.ArgumentParser) -> None:
    """The option ``--device``: one that is there and computes exactly."""
    def there(text: str) -> torch.device:
        try:
            return exact_device(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    parser.add_argument("--device", type=there, default=exact_device(),
                        help="cpu or cuda; cuda by default where there is one")
