"""From any integers to residues modulo a prime, with every input that is not exact refused."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from ..checks import integer, is_integer

PIECE = 1 << 20  # entries converted at a time: the temporaries stay small beside a large matrix


def residues(values, prime: int, device: torch.device | None = None) -> torch.Tensor:
    """The residues 0..prime-1 of integers as a new float64 tensor of the same shape.

    `lib.exact.arithmetic.Modular.tensor` describes what is accepted and what is raised.

    Examples
    --------
    >>> residues([[-1, 10**30]], 7)
    tensor([[6., 1.]], dtype=torch.float64)
    """
    prime = integer("residues: prime", prime, 2, 2**53)
    values = _as_tensor(values, prime)
    flat, device = values.detach().reshape(-1), device or values.device
    if len(flat) <= PIECE:
        return _piece(flat.to(device), prime).double().view(values.shape)
    result = torch.empty(values.shape, dtype=torch.float64, device=device)
    for source, target in zip(flat.split(PIECE), result.view(-1).split(PIECE), strict=True):
        target.copy_(_piece(source.to(device), prime))
    return result


def _as_tensor(values, prime):
    """The values as a real tensor on a device that has float64."""
    values = plain("Modular.tensor", values)
    if isinstance(values, torch.Tensor) and values.dtype == torch.uint64:
        values = values.cpu().numpy()  # int64 would not hold them
    if not isinstance(values, torch.Tensor):
        try:
            values = _as_array(values)
        except ValueError as error:  # rows of different lengths
            raise ValueError(f"Modular.tensor: {error}") from None
        if values.dtype == object and all(map(_is_whole, values.flat)):
            values = np.vectorize(lambda v: int(v) % prime, otypes=[np.int64])(values)
        elif values.dtype == np.uint64:
            values = (values % np.uint64(prime)).astype(np.int64)
        if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:  # long doubles
            raise TypeError(f"Modular.tensor: entries must be integers, got {values.dtype}")
        values = torch.from_numpy(np.require(values, requirements=["C", "W"]))
    if values.is_complex():
        raise TypeError(f"Modular.tensor: entries must be integers, got {values.dtype}")
    return values.cpu() if values.device.type == "mps" else values


def _as_array(values):
    """As NumPy has it, but integers stay integers: it makes floats of [10**19, -1]."""
    array = np.asarray(values)
    if array.dtype == np.float64 and array is not values and (abs(array) >= 2**53).any():
        exact = np.asarray(values, dtype=object)
        return exact if all(map(_is_whole, exact.flat)) else array
    return array


def _is_whole(value):
    return isinstance(value, bool) or is_integer(value)


def _piece(values, prime):
    if not values.is_floating_point():
        return values.to(torch.int64).remainder(prime)
    limit = int(2 / torch.finfo(values.dtype).eps)  # from here on integers are rounded
    given, values = values.dtype, values.to(torch.float64)  # floats of 8 bits know no comparison
    wrong = ~(values.abs() < limit) | (values != values.round())  # ~(<) catches NaN
    if wrong.any():
        raise ValueError(
            f"Modular.tensor: {values[wrong][0].item()} is not an exact integer; entries of type "
            f"{given} must be whole numbers below {limit} in absolute value"
        )
    exact = torch.remainder(values, prime)  # fmod rounds nothing
    return exact.add_(0.0)  # turns -0.0 into 0.0


def plain(operation: str, values: object) -> object:
    """Values whose numbers stand side by side in memory, or a TypeError that says what they are.

    Examples
    --------
    >>> plain("f", torch.ones(2).to_sparse())
    Traceback (most recent call last):
    ...
    TypeError: f: a torch.sparse_coo tensor; need a dense one with numbers
    >>> plain("f", np.ma.array([1, 2], mask=[False, True]))
    Traceback (most recent call last):
    ...
    TypeError: f: a masked array, and what is masked has no number; fill it first
    """
    if isinstance(values, torch.Tensor):
        what = "nested" if values.is_nested else "quantized" if values.is_quantized else (
            "meta" if values.is_meta else values.layout)
        if what is not torch.strided:
            raise TypeError(f"{operation}: a {what} tensor; need a dense one with numbers")
    elif isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{operation}: a masked array, and what is masked has no number; fill it "
                        "first")
    elif isinstance(values, np.ndarray) and not values.dtype.isnative:  # torch takes no others
        return values.astype(values.dtype.newbyteorder("="))
    return values


@lru_cache  # every certificate makes its field anew, of the same few primes
def is_prime(number: int) -> bool:
    """Whether an int is prime, by trial division (fast enough below 2**23).

    Examples
    --------
    >>> is_prime(8388593), is_prime(8388607)
    (True, False)
    """
    if number < 2 or (number % 2 == 0 and number > 2):
        return False
    return all(number % d for d in range(3, int(number**0.5) + 1, 2))
