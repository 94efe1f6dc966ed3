"""The two arithmetics any circuit of this course can run in.

`Real` is ordinary floating point. `Modular(prime)` is the field GF(p), its residues 0..p-1 stored
exactly in float64 tensors, so that matrix products run on BLAS and on GPUs (neither has fast int64
products) and yet no digit is ever lost. Both offer the same methods: a network written against
them can be trained in one and certified in the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..checks import integer, is_integer, kind, shown
from .residues import is_prime, plain, residues

LARGEST_EXACT = 2**53  # float64 holds every integer up to here, and 2**53 + 1 no longer
FEW = 1024  # entries: up to here two operations cost less than six
DEFAULT_PRIME = 8388593  # the largest prime below 2**23


@dataclass(frozen=True)
class Real:
    """Real arithmetic in float64.

    Examples
    --------
    >>> Real().matmul(Real().tensor([[1.0, 2.0]]), Real().tensor([[3.0], [0.5]]))
    tensor([[4.]], dtype=torch.float64)
    """

    def tensor(self, values, device: torch.device | None = None) -> torch.Tensor:
        """Return `values` as a float64 tensor of the same shape."""
        return real_tensor("Real.tensor", values, device)

    def random(
        self, shape, generator: torch.Generator, device: torch.device | None = None
    ) -> torch.Tensor:
        """Independent standard normal entries, drawn from a CPU `generator`."""
        kind("Real.random: generator", generator, torch.Generator)
        return torch.randn(
            shape, generator=generator, dtype=torch.float64, device=generator.device).to(device)

    def taken(self, values: torch.Tensor) -> torch.Tensor:
        """What a caller gives, as it is; see `Modular.taken`."""
        return values

    def reduce(self, x: torch.Tensor) -> torch.Tensor:
        """`x`: real numbers need no reduction."""
        return x

    def add(self, a, b) -> torch.Tensor:
        """The sum a + b entry by entry, with broadcasting."""
        return a + b

    def multiply(self, a, b) -> torch.Tensor:
        """The product a * b entry by entry, with broadcasting."""
        return a * b

    def center_(self, x: torch.Tensor) -> torch.Tensor:
        """`x`, unchanged; see `Modular.center_`."""
        return x

    def reciprocal(self, number: float) -> float:
        """One over a number, as a Python float."""
        return 1 / number

    def matmul(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The matrix product, broadcast over leading dimensions as `torch.matmul` does."""
        return torch.matmul(a, b)

    def prod(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """The product of `x` along the dimension `dim`, which disappears."""
        return torch.prod(x, dim)

    def inverse(self, matrix: torch.Tensor) -> torch.Tensor:
        """The inverse of a square matrix; ValueError if it is singular, as far as float64 can tell.

        Of most singular matrices elimination leaves a pivot of roundings, and an inverse of which
        no digit means anything: the roundings of the entries, enlarged by it, are above 1.
        """
        _require_square(matrix, "Real.inverse")
        inverse, failed = torch.linalg.inv_ex(matrix)
        sizes = matrix.detach().abs(), inverse.detach().abs()
        enlarged = [float((a @ b).sum(1).max()) for a, b in (sizes, sizes[::-1]) if len(a)]
        if failed or enlarged and min(enlarged) >= 2.0**52:
            raise ValueError(f"Real.inverse: the {_size(matrix)} matrix is singular, as far as "
                             "float64 can tell; Modular.inverse is exact")
        return inverse


@dataclass(frozen=True)
class Modular:
    """Arithmetic in the field GF(p), on residues 0..p-1 held exactly in float64 tensors.

    Every method takes and returns residues, except `tensor`, which takes any integers, and
    `reduce`, which takes any exact float64 integers.

    Parameters
    ----------
    prime : int
        A prime below 2**23. Then 128 products of residues sum to less than 2**53, and 512 products
        of residues centered at zero do, so a matrix product needs few reductions.

    Raises
    ------
    TypeError
        If `prime` is not an int.
    ValueError
        If `prime` is not a prime below 2**23.

    Examples
    --------
    >>> field = Modular(7)
    >>> field.tensor([-1, 0, 9])
    tensor([6., 0., 2.], dtype=torch.float64)
    >>> field.inverse(field.tensor([[2, 0], [0, 3]]))
    tensor([[4., 0.],
            [0., 5.]], dtype=torch.float64)
    """

    prime: int = DEFAULT_PRIME

    def __post_init__(self):
        if not is_integer(self.prime):
            raise TypeError(f"Modular: prime must be an int, got {shown(self.prime)}")
        object.__setattr__(self, "prime", int(self.prime))
        if self.prime >= 2**23:
            raise ValueError(
                f"Modular: prime {self.prime} is too large for exact float64 products; it must be "
                f"below 2**23 = {2**23}, for example {DEFAULT_PRIME}"
            )
        if not is_prime(self.prime):
            raise ValueError(
                f"Modular: {self.prime} is not a prime, so it has no field of residues; use for "
                f"example {DEFAULT_PRIME}"
            )

    def tensor(self, values, device: torch.device | None = None) -> torch.Tensor:
        """The residues of integers.

        Parameters
        ----------
        values : tensor, array or nested list of any shape
            Integers of any sign: bools, ints of any size, or floats that are whole numbers below
            2**53 in absolute value (float32: 2**24), as larger ones may have been rounded already.
        device : torch.device, optional
            Where the result lives; by default where `values` lives (for MPS, the CPU).

        Returns
        -------
        torch.Tensor
            float64 residues 0..p-1, a new tensor of the same shape.

        Raises
        ------
        TypeError
            If the entries are not numbers, or are complex.
        ValueError
            If an entry is NaN, infinite, fractional, or a float too large to be exact.
        """
        return residues(values, self.prime, device)

    def random(
        self, shape, generator: torch.Generator, device: torch.device | None = None
    ) -> torch.Tensor:
        """Independent uniform residues, drawn from a CPU `generator`."""
        kind("Modular.random: generator", generator, torch.Generator)
        draws = torch.randint(
            0, self.prime, tuple(shape), generator=generator, device=generator.device)
        return draws.to(torch.float64).to(device)

    def taken(self, values: torch.Tensor) -> torch.Tensor:
        """What a caller gives, as residues: the other methods would compute with fractions too."""
        return self.tensor(values)

    def reduce(self, x: torch.Tensor) -> torch.Tensor:
        """The residues 0..p-1 of float64 integers with |x| <= 2**53 - p.

        Notes
        -----
        With u = 2**-53, the computed x * (1/p) differs from x/p by a relative error of at most
        2u + u**2, so by less than (2 + 2**-52) / p. The nearest integer q therefore leaves
        |x - q p| < p/2 + 2 + 2**-52, and |q p| <= 2**53, so that both q p and r = x - q p are
        integers that float64 holds exactly. For p >= 5, r lies strictly between -p and p, and
        floor(r * (1/p)) is -1 where r is negative and 0 elsewhere. (For p = 2, 3 the bound is too
        weak for x near 2**53; the exact `torch.remainder` serves there, slower for many entries
        and faster for few.)
        """
        _require_float64("Modular.reduce", x)
        if self.prime < 5 or x.numel() <= FEW:
            return torch.remainder(x, self.prime).add_(0.0)  # the sum turns -0.0 into 0.0
        residues = self.center(x)
        return residues.sub_(torch.mul(residues, 1.0 / self.prime).floor_(), alpha=self.prime)

    def center(self, x: torch.Tensor) -> torch.Tensor:
        """Integers congruent to `x`, of absolute value below p/2 + 3, faster than `reduce`.

        The proof is in the notes of `reduce`, with the same condition on `x`.
        """
        _require_float64("Modular.center", x)
        quotients = torch.mul(x, 1.0 / self.prime).round_()
        return torch.sub(x, quotients, alpha=self.prime, out=quotients)

    def center_(self, x: torch.Tensor) -> torch.Tensor:
        """`center`, in place; returns `x`."""
        quotients = torch.mul(x, 1.0 / self.prime).round_()
        return x.sub_(quotients, alpha=self.prime)

    def reciprocal(self, number: int) -> int:
        """One over an integer, as an int 0..p-1; ValueError if p divides it."""
        number = integer("Modular.reciprocal: number", number)
        if number % self.prime == 0:
            raise ValueError(f"Modular.reciprocal: {number} is 0 modulo {self.prime}")
        return pow(number, -1, self.prime)

    def add(self, a, b) -> torch.Tensor:
        """The sum a + b modulo p entry by entry, with broadcasting."""
        return self.reduce(a + b)

    def multiply(self, a, b) -> torch.Tensor:
        """The product a * b modulo p entry by entry, with broadcasting."""
        try:
            return self.reduce(a * b)
        except TypeError:
            raise TypeError(f"Modular.multiply: {shown(a)} and {shown(b)}; need float64 integers, "
                            "see Modular.tensor") from None

    def matmul(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The matrix product modulo p, broadcast as `torch.matmul` does.

        The inner dimension is cut into chunks whose sums of products stay below 2**53.
        """
        for factor in (a, b):
            _require_float64("Modular.matmul", factor)
        inner = a.shape[-1]
        chunk = (LARGEST_EXACT - 2 * self.prime) // (self.prime - 1) ** 2
        if inner <= chunk:
            return self.reduce(torch.matmul(a, b))
        half = self.prime // 2 + 2  # centered residues: chunks four times as long
        chunk = (LARGEST_EXACT - 2 * self.prime) // half**2
        a, b = self.center(a), self.center(b)
        axis = -2 if b.ndim > 1 else -1
        total = torch.matmul(a[..., :chunk], b.narrow(axis, 0, min(chunk, b.shape[axis])))
        for start in range(chunk, inner, chunk):
            length = min(chunk, inner - start)
            total = self.center(total).add_(
                torch.matmul(a.narrow(-1, start, length), b.narrow(axis, start, length))
            )
        return self.reduce(total)

    def prod(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """The product of `x` modulo p along `dim`, which disappears (empty: ones)."""
        x = x.movedim(dim, 0)
        if len(x) == 0:
            return x.new_ones(x.shape[1:])
        while len(x) > 1:  # multiply in pairs: one reduction per level
            half = len(x) // 2
            pairs = self.multiply(x[:half], x[half : 2 * half])
            x = torch.cat([pairs, x[2 * half :]])
        return x[0]

    def inverse(self, matrix: torch.Tensor) -> torch.Tensor:
        """The inverse modulo p of a square matrix of residues, by Gauss-Jordan elimination.

        Raises ValueError if the matrix is not square or is singular modulo p.
        """
        _require_square(matrix, "Modular.inverse")
        matrix, size = self.taken(matrix), len(matrix)
        work = torch.cat([matrix, torch.eye(size, dtype=matrix.dtype, device=matrix.device)], 1)
        for k in range(size):
            nonzero = work[k:, k].nonzero()
            if len(nonzero) == 0:
                raise ValueError(
                    f"Modular.inverse: the {_size(matrix)} matrix is singular modulo {self.prime}"
                )
            pivot = k + int(nonzero[0])
            work[[k, pivot]] = work[[pivot, k]]
            work[k] = self.multiply(work[k], pow(int(work[k, k]), -1, self.prime))
            column = work[:, k : k + 1].clone()
            column[k] = 0
            work = self.reduce(work - column * work[k])
        return work[:, size:].contiguous()


def chosen_arithmetic(operation: str, arithmetic: object = None) -> Real | Modular:
    """The arithmetic asked for, real numbers by default.

    Examples
    --------
    >>> chosen_arithmetic("f")
    Real()
    """
    return Real() if arithmetic is None else kind(f"{operation}: arithmetic", arithmetic, Real,
                                                  Modular)


def real_tensor(operation: str, values, device: torch.device | None = None) -> torch.Tensor:
    """Real numbers as a float64 tensor; TypeError, in the operation's name, for anything else.

    Examples
    --------
    >>> real_tensor("f", [0.1]).item() == 0.1                   # never by way of float32
    True
    """
    values = plain(operation, values)
    if device is None:  # not the default device, on which there may be no numbers
        device = values.device if isinstance(values, torch.Tensor) else "cpu"
    try:
        kind = torch.as_tensor(values, device=getattr(values, "device", "cpu")).dtype
    except (RuntimeError, TypeError, ValueError) as error:
        raise TypeError(f"{operation}: entries must be real numbers: {error}") from None
    if kind.is_complex:  # a conversion would drop the imaginary parts
        raise TypeError(f"{operation}: entries must be real, got {kind}")
    return torch.as_tensor(values, dtype=torch.float64, device=device)


def _require_float64(operation, x):
    if getattr(x, "dtype", None) != torch.float64:
        field, _, _ = operation.partition(".")
        raise TypeError(f"{operation}: needs a tensor of float64{' integers' * (field != 'Real')}, "
                        f"got {getattr(x, 'dtype', type(x).__name__)}; see {field}.tensor")


def _require_square(matrix, operation):
    _require_float64(operation, matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{operation}: needs a square matrix, got shape {tuple(matrix.shape)}")


def _size(matrix):
    return f"{matrix.shape[0]} × {matrix.shape[1]}"
