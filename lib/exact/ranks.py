"""Exact ranks and what they prove; singular values, only for contrast and for entanglement."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..checks import counted, integers, is_integer, real, shown
from .arithmetic import DEFAULT_PRIME, Modular, real_tensor
from .device import WORTH_MOVING, exact_device
from .elimination import rank_in_place
from .residues import plain


@dataclass(frozen=True, repr=False)
class Certificate:
    """The rank of one matrix modulo a prime, and what follows from it.

    Parameters
    ----------
    rank : int
        The rank modulo `prime`.
    prime : int
    shape : tuple of int
        Shape of the matrix that was eliminated.
    whole : tuple of int, optional
        Where that matrix is a block (chosen rows and columns) of a larger one, the shape of the
        larger one: the rank of the whole is then at least `rank`.
    degree : int, optional
        Total degree of the entries as polynomials in the parameters drawn at random, if known.

    Notes
    -----
    A minor that is nonzero modulo p is nonzero: the rank modulo p is a lower bound on the rank of
    an integer matrix. If the entries are polynomials with integer coefficients in parameters that
    were drawn modulo p, the same minor is not the zero polynomial, so the bound holds for all real
    parameters outside a closed set of measure zero. Upper bounds never follow from one point.
    """

    rank: int
    prime: int
    shape: tuple[int, int]
    whole: tuple[int, int] | None = None
    degree: int | None = None

    def __post_init__(self):
        for name in ("shape", "whole"):  # JSON gives lists back
            if isinstance(value := getattr(self, name), list):
                object.__setattr__(self, name, tuple(value))

    @property
    def sampled(self) -> bool:
        """Whether the matrix is a block of a larger one."""
        return self.whole is not None

    @property
    def full(self) -> bool:
        """Whether the rank is the largest the shape allows, so that no other point has more."""
        return self.rank == min(self.shape)

    @property
    def failure_probability(self) -> float | None:
        """Bound on the probability that a random point shows less than the generic rank mod p.

        By the Schwartz-Zippel lemma it is (degree of a minor) / p, for parameters drawn uniformly
        and independently modulo p. It is 0 if the rank is full, None if the degree is not known.
        Of a block the generic rank of the block is meant: the whole matrix may have a larger one.
        """
        if self.full:
            return 0.0
        if self.degree is None:
            return None
        return min(self.prime, min(self.shape) * self.degree) / self.prime

    @property
    def statement(self) -> str:
        """What the certificate proves, in words."""
        height, width = self.shape
        what = "block of the matrix" if self.sampled else "matrix"
        lines = [
            f"The {height} × {width} {what} has rank {self.rank} modulo {self.prime}.",
            f"An integer matrix with these residues has rank ≥ {self.rank} over the rationals.",
            "If its entries are polynomials with integer coefficients, taken at parameters modulo "
            f"{self.prime}, the rank is ≥ {self.rank} for almost all real parameters.",
        ]
        if self.full:
            lines.append(f"No {height} × {width} matrix has more.")
            lines += ["The whole matrix may."] * self.sampled
        else:
            lines.append("That the rank is never larger does not follow: it needs a proof.")
        if self.failure_probability:
            lines.append(
                f"For uniformly drawn parameters, the generic rank {'of the block ' * self.sampled}"
                f"modulo {self.prime} is larger with probability at most "
                f"{self.failure_probability:.1e}."
            )
        if self.sampled and not self.full:
            lines.append("The whole matrix may have a larger rank.")
        return " ".join(lines)

    def __str__(self) -> str:
        height, width = self.shape
        found = f"{', full' if self.full else ''}, mod {self.prime}"
        if not self.sampled:
            return f"rank {self.rank} of {height} × {width}{found}"
        return (f"AT LEAST {self.rank}: only a block of {height} × {width} entries was looked at, "
                f"out of {' × '.join(map(counted, self.whole))}; its rank is {self.rank}{found}")

    def __repr__(self) -> str:
        return f"<Certificate: {self}>"


def exact_rank(
    matrix,
    prime: int = DEFAULT_PRIME,
    device: str | torch.device | None = None,
    whole: tuple[int, int] | None = None,
    degree: int | None = None,
) -> Certificate:
    """The exact rank of an integer matrix modulo a prime, as a certificate.

    Parameters
    ----------
    matrix : tensor, array or nested list, shape (m, n)
        Integers of any sign: ints, bools, or whole floats below 2**53 (float32: 2**24). It may be
        empty and is left unchanged; one float64 copy of it is made, and blocks of it.
    prime : int
        A prime below 2**23.
    device : torch.device or str, optional
        ``"cpu"`` or a CUDA device. By default the CUDA device the matrix is on, or any CUDA device
        if the matrix is large, or else the CPU.
    whole : tuple of int, optional
        Where `matrix` is a block of the matrix meant, the shape of that: recorded.
    degree : int, optional
        Total degree of the entries in the random parameters: recorded in the certificate.

    Returns
    -------
    Certificate

    Raises
    ------
    TypeError
        If the entries are not numbers or are complex, or `prime` is not an int.
    ValueError
        If the matrix is not two-dimensional, if an entry is NaN, infinite, fractional or a float
        too large to be exact, if `prime` is not a prime below 2**23, or the device has no float64.

    Notes
    -----
    Elimination by Schur complements, see `lib.exact.elimination`. Reducing elimination over a
    finite field to matrix products is the subject of C.-P. Jeannerod, C. Pernet, A. Storjohann,
    "Rank-profile revealing Gaussian elimination and the CUP matrix decomposition", Journal of
    Symbolic Computation 56, 2013. What one rank proves is explained in book/grid-tensors.md.

    Examples
    --------
    >>> certificate = exact_rank([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    >>> certificate.rank, certificate.shape, certificate.full
    (2, (3, 3), False)
    >>> print(certificate)
    rank 2 of 3 × 3, mod 8388593
    >>> print(exact_rank([[1, 2], [3, 4]], prime=101).statement)
    The 2 × 2 matrix has rank 2 modulo 101. An integer matrix with these residues has rank ≥ 2
    over the rationals. If its entries are polynomials with integer coefficients, taken at
    parameters modulo 101, the rank is ≥ 2 for almost all real parameters. No 2 × 2 matrix has
    more.
    """
    field = Modular(prime)
    if degree is not None and not is_integer(degree):
        raise TypeError(f"exact_rank: degree must be an int or None, got {shown(degree)}")
    degree = degree if degree is None else int(degree)
    if degree is not None and degree < 0:
        raise ValueError(f"exact_rank: degree must not be negative, got {degree}")
    residues = field.tensor(matrix, device=None if device is None else exact_device(device))
    if residues.ndim != 2:
        raise ValueError(
            f"exact_rank: needs a matrix of shape (m, n), got shape {tuple(residues.shape)}"
        )
    if device is None and residues.numel() >= WORTH_MOVING:
        residues = residues.to(exact_device())
    shape = tuple(residues.shape)
    if whole is not None:
        whole = integers("exact_rank: whole", whole, 0)
        if len(whole) != 2 or any(n < m for n, m in zip(whole, shape)):
            raise ValueError(f"exact_rank: whole={whole}; need the shape of a matrix that has a "
                             f"block of {shape[0]} × {shape[1]}")
    return Certificate(rank_in_place(residues, field), field.prime, shape, whole, degree)


def singular_values(matrix) -> torch.Tensor:
    """The singular values of a real matrix in float64, from the largest down.

    Examples
    --------
    >>> singular_values([[3.0, 0.0], [0.0, -4.0]])
    tensor([4., 3.], dtype=torch.float64)
    """
    matrix = real_tensor("singular_values", matrix)
    if matrix.ndim != 2:
        raise ValueError(
            f"singular_values: needs a matrix of shape (m, n), got shape {tuple(matrix.shape)}"
        )
    if not torch.isfinite(matrix).all():
        raise ValueError("singular_values: the matrix has an entry that is NaN or infinite")
    return torch.linalg.svdvals(matrix)


def entanglement_entropy(matrix, base: float = math.e) -> float:
    """The von Neumann entropy of the squared singular values, scaled to sum to 1.

    For the matricization of a tensor read as a quantum state, this is its entanglement between the
    row modes and the column modes. A matrix of rank r has at most log r; unlike the rank it moves
    continuously with the entries.

    Parameters
    ----------
    matrix : tensor, array or nested list, shape (m, n)
        Real and not zero.
    base : float
        Base of the logarithm, above 1: e (the default) measures in nats, 2 in bits.

    Returns
    -------
    float

    Notes
    -----
    As a measure of the dependence between two sets of inputs: [Levine et al., 2018].

    Examples
    --------
    >>> entanglement_entropy([[1, 0], [0, 1]], base=2)
    1.0
    """
    if not 1 < real("entanglement_entropy: base", base):
        raise ValueError(f"entanglement_entropy: base={base}; the base of a logarithm that "
                         "measures must be above 1")
    values = singular_values(matrix).detach()
    if not values.any():
        shape = tuple(torch.as_tensor(matrix).shape)
        raise ValueError(f"entanglement_entropy: the {shape} matrix is zero, it has no entropy")
    weights = (values / values[0]).square()  # dividing first: no overflow, no underflow
    weights = weights / weights.sum()
    return float(torch.special.entr(weights).sum() / math.log(base))


def numerical_rank(matrix, tolerance: float | None = None) -> int:
    """The number of singular values above a tolerance: a guess, unlike `exact_rank`.

    Parameters
    ----------
    matrix : tensor, array or nested list, shape (m, n)
    tolerance : float, optional
        By default the largest singular value times max(m, n) times the spacing of numbers at 1 in
        the type of the matrix, as NumPy has it: 2**-52, in single precision 2**-23.

    Returns
    -------
    int

    Examples
    --------
    >>> numerical_rank([[1.0, 0.0], [0.0, 1e-20]]), exact_rank([[10**15, 0], [0, 1]]).rank
    (1, 2)
    """
    if tolerance is not None and not 0 <= real("numerical_rank: tolerance", tolerance):
        raise ValueError(f"numerical_rank: tolerance={tolerance}; needs a number from 0 on")
    values = singular_values(matrix)
    if len(values) == 0:
        return 0
    if tolerance is None:
        held = torch.as_tensor(plain("numerical_rank", matrix))
        rounded = held.is_floating_point() and not isinstance(matrix, (list, tuple))
        spacing = torch.finfo(held.dtype if rounded else torch.float64).eps
        tolerance = values[0] * max(held.shape) * spacing
    return int((values > float(tolerance)).sum())
