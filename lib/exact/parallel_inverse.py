"""The inverse of a matrix modulo a prime without elimination: a few large products, for GPUs.

Elimination takes one step per column, and each step waits for the one before. On a GPU the steps of
a 512 x 512 block cost far more than their arithmetic. By the theorem of Cayley and Hamilton the
inverse is a polynomial in the matrix, whose coefficients follow from the traces of its powers by
Newton's identities. Powers come by doubling, so the number of steps grows like the logarithm of
the size; splitting exponents as i + s j keeps the arithmetic at about 2 sqrt(n) matrix products
(F. P. Preparata and D. V. Sarwate, "An improved parallel processor bound in fast matrix inversion",
Information Processing Letters 7, 1978).
"""

from __future__ import annotations

import math
from functools import cache

import torch


def parallel_inverse(matrix: torch.Tensor, field) -> torch.Tensor | None:
    """The inverse of a square matrix, or None if it is singular.

    Parameters
    ----------
    matrix : torch.Tensor, shape (n, n), float64
        Centered residues of `field`, with 1 <= n <= 512 and n below the prime.
    field : Modular

    Returns
    -------
    torch.Tensor or None
        Centered residues.

    Raises
    ------
    ValueError
        If n is not below the prime: Newton's identities divide by 1..n.

    Examples
    --------
    >>> from lib.exact.arithmetic import Modular
    >>> field = Modular(7)
    >>> parallel_inverse(field.tensor([[1, 2], [3, 5]]), field)
    tensor([[ 2.,  2.],
            [ 3., -1.]], dtype=torch.float64)
    """
    size = len(matrix)
    if size >= field.prime:
        raise ValueError(f"parallel_inverse: size {size} is not below the prime {field.prime}")
    stride = math.isqrt(size) + 1  # exponents i + stride * j reach beyond `size`
    small = _powers(matrix, stride, field)  # A**i, (s, n, n)
    leap = field.center(small[-1] @ matrix)
    large = _powers(leap, stride, field)  # A**(s j), (s, n, n)
    traces = field.center(small.transpose(0, 1) @ large.permute(2, 1, 0))  # (n, s, s): i, j
    traces = field.center(traces.sum(0)).T.reshape(-1)[1 : size + 1]  # of A**1, ..., A**n
    coefficients = _newton(traces, field)  # of x**(n-1), ..., 1 in the characteristic polynomial
    constant = int(coefficients[-1])
    if constant == 0:
        return None
    scale = _centered(-pow(constant, -1, field.prime), field.prime)
    weights = matrix.new_zeros(stride * stride)  # of A**0, A**1, ...
    weights[:size] = scale * torch.cat([matrix.new_ones(1), coefficients[:-1]]).flip(0)
    weights = field.center(weights).view(stride, stride)  # j, i
    inner = field.center(weights @ small.view(stride, -1))  # (s, n * n)
    return field.center(field.center(inner.view_as(small) @ large).sum(0))


def _powers(matrix, count, field):
    """The powers 0..count-1 of a matrix, doubling their number at each step."""
    powers = torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)[None]
    step = matrix
    while len(powers) < count:
        powers = torch.cat([powers, field.center(powers @ step)])
        step = field.center(step @ step)
    return powers[:count]


def _newton(traces, field):
    """Return c_1..c_n from k c_k = -(t_k + t_{k-1} c_1 + ... + t_1 c_{k-1})."""
    size = len(traces)
    index = torch.arange(size, device=traces.device)
    lag = index[:, None] - index  # (n, n)
    inverses = _inverses(size, field.prime).to(traces.device)
    # c = b + X c with X strictly lower triangular, so c = ... (1 + X**4) (1 + X**2) (1 + X) b.
    step = field.center(torch.where(lag > 0, traces[lag - 1], 0.0) * -inverses[:, None])
    result = field.center(traces * -inverses)
    for _ in range((size - 1).bit_length()):
        result = field.center(result + step @ result)
        step = field.center(step @ step)
    return result


@cache
def _inverses(count, prime):
    """The inverses of 1..count modulo a prime, centered."""
    inverses = [_centered(pow(k, -1, prime), prime) for k in range(1, count + 1)]
    return torch.tensor(inverses, dtype=torch.float64, device="cpu")


def _centered(integer, prime):
    return (integer + prime // 2) % prime - prime // 2
