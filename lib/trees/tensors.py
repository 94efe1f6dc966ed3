"""Tensors: matricization, index tuples, Khatri–Rao and generalized tensor products.

A tensor of order N has N modes, numbered from 0. A *partition* splits the modes into rows and
columns; *matricization* lays the tensor out as a matrix along it. Everything here works on plain
torch tensors, whatever arithmetic their entries come from.
"""

import math
from collections.abc import Callable, Iterable

import torch

from ..bounds.partitions import Grid, Partition, split_modes
from ..checks import choice, integer, is_integer, kind, shown
from ..exact.arithmetic import LARGEST_EXACT, Modular

__all__ = [
    "OPERATORS",
    "activation_pooling",
    "generalized_product",
    "indices",
    "khatri_rao",
    "matricize",
    "sample_indices",
]

Operator = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


MOST_INDICES = 2**30      # 8 GB of integers


class AllIndices:
    """The rows of `indices`, made where they are asked for: all of them may dwarf a matrix.

    Examples
    --------
    >>> every = AllIndices(2, 3)
    >>> len(every), every[torch.tensor([0, 6])].tolist()
    (8, [[0, 0, 0], [1, 1, 0]])
    """

    def __init__(self, dim: int, count: int) -> None:
        self.dim, self.count = dim, count
        if dim**count > MOST_INDICES:
            raise ValueError(f"indices: {dim}^{count} tuples; more than {MOST_INDICES:,} do "
                             "not fit into memory, see sample_indices")

    def __len__(self) -> int:
        return self.dim**self.count

    def __getitem__(self, numbers: torch.Tensor) -> torch.Tensor:
        places = self.dim ** torch.arange(self.count - 1, -1, -1, device=numbers.device)
        return numbers[:, None] // places % self.dim  # (numbers, count)


def matricize(
    tensor: torch.Tensor, partition: Partition, grid: Grid | None = None
) -> torch.Tensor:
    """Lay a tensor out as the matrix [[A]] whose rows are indexed by the row modes.

    Parameters
    ----------
    tensor : torch.Tensor, shape (M_0, ..., M_{N-1})
    partition : str or iterable of int
        The row modes or a name, as in :func:`lib.bounds.partitions.split_modes`.
    grid : (int, int), optional
        The grid on which a named partition is read; by default the modes form a sequence.

    Returns
    -------
    torch.Tensor, shape (product of row dimensions, product of column dimensions)
        Within rows and within columns the last mode runs fastest.

    Raises
    ------
    ValueError
        If the partition does not fit the order of the tensor.

    Examples
    --------
    >>> matricize(torch.arange(8).reshape(2, 2, 2), [0, 2])
    tensor([[0, 2],
            [1, 3],
            [4, 6],
            [5, 7]])
    """
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"matricize: needs a tensor, got {type(tensor).__name__}")
    grid = tensor.ndim if grid is None else grid
    row_modes, column_modes = split_modes(partition, grid)
    count = len(row_modes) + len(column_modes)
    if count != tensor.ndim:
        raise ValueError(
            f"matricize: a tensor of order {tensor.ndim} and shape {tuple(tensor.shape)} "
            f"does not have the {count} modes of the grid {grid}"
        )
    height = math.prod(tensor.shape[m] for m in row_modes)
    width = math.prod(tensor.shape[m] for m in column_modes)
    return tensor.permute(row_modes + column_modes).reshape(height, width)


def indices(dim: int, count: int) -> torch.Tensor:
    """Every index tuple of ``count`` modes of dimension ``dim``, the last mode fastest.

    Returns
    -------
    torch.Tensor of int64, shape (dim ** count, count)

    Examples
    --------
    >>> indices(2, 2).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    whole = is_integer(dim) and is_integer(count)
    if not whole or dim < 1 or count < 0:
        raise ValueError(f"indices: dim={shown(dim)} and count={shown(count)}; need "
                         "integers dim >= 1 and count >= 0")
    dim, count = int(dim), int(count)
    if dim**count * count > MOST_INDICES:
        raise ValueError(f"indices: {dim}^{count} tuples; more than {MOST_INDICES:,} numbers do "
                         "not fit into memory, see sample_indices")
    return AllIndices(dim, count)[torch.arange(dim**count, device="cpu")]


def sample_indices(
    dim: int, count: int, samples: int, generator: torch.Generator
) -> torch.Tensor:
    """``samples`` different index tuples drawn at random, in increasing order.

    Returns
    -------
    torch.Tensor of int64, shape (samples, count)

    Raises
    ------
    ValueError
        If there are fewer than ``samples`` index tuples.

    Examples
    --------
    >>> sample_indices(2, 40, 3, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 40])
    """
    dim = integer("sample_indices: dim", dim, 1)
    count = integer("sample_indices: count", count, 0)
    available = dim**count
    samples = integer("sample_indices: samples", samples)
    if not 0 <= samples <= available:
        raise ValueError(
            f"sample_indices: {samples} samples asked of {dim} ** {count} = {available} tuples"
        )
    kind("sample_indices: generator", generator, torch.Generator)
    if available <= 4 * samples:
        order = torch.randperm(available, generator=generator, device="cpu")[:samples]
        return AllIndices(dim, count)[order.sort().values]
    found = torch.empty(0, count, dtype=torch.int64, device="cpu")
    while len(found) < samples:  # collisions are rare: at most a quarter of the tuples is taken
        fresh = torch.randint(dim, (samples, count), generator=generator, device="cpu")
        found = torch.unique(torch.cat([found, fresh]), dim=0)
    keep = torch.randperm(len(found), generator=generator, device="cpu")[:samples].sort().values
    return found[keep]


def khatri_rao(factors: Iterable[torch.Tensor]) -> torch.Tensor:
    """Column-wise Khatri–Rao product: column z is the Kronecker product of the columns z.

    Parameters
    ----------
    factors : iterable of torch.Tensor, shapes (M_i, Z)

    Returns
    -------
    torch.Tensor, shape (product of the M_i, Z)

    Notes
    -----
    Products in the type of the factors: for residues mod p, reduce after each factor instead.
    Integers that do not fit are refused.

    Examples
    --------
    >>> khatri_rao([torch.tensor([[1, 2]]), torch.tensor([[3, 4], [5, 6]])]).tolist()
    [[3, 8], [5, 12]]
    """
    result = None
    for factor in factors:
        if not isinstance(factor, torch.Tensor):
            raise TypeError(f"khatri_rao: needs tensors, got {type(factor).__name__}")
        if factor.ndim != 2 or (result is not None and factor.shape[1] != result.shape[1]):
            raise ValueError(
                f"khatri_rao: factor of shape {tuple(factor.shape)}; need matrices with the "
                "same number of columns"
            )
        if result is not None:
            _check_products("khatri_rao", result, factor)
        grown = factor if result is None else result[:, None] * factor[None]  # (m, M_i, Z)
        result = grown.flatten(0, -2)  # also of no columns
    if result is None:
        raise ValueError("khatri_rao: no factors given")
    return result


def activation_pooling(activation: str, pooling: str) -> Operator:
    """The operator g(a, b) = P{σ(a), σ(b)} of an activation σ and a pooling P.

    Parameters
    ----------
    activation : {"linear", "relu"}
    pooling : {"product", "max", "sum"}
        Average pooling is ``"sum"`` with the factor 1/P moved into the next weights: the mean of
        two values is not associative, their sum is.

    Raises
    ------
    ValueError
        If the pair is not one of :data:`OPERATORS`; ``"mean"`` in particular is refused.

    Notes
    -----
    Only associative and commutative operators let a network be read as a decomposition (Cohen &
    Shashua, Convolutional Rectifier Networks as Generalized Tensor Decompositions, 2016).

    Examples
    --------
    >>> g = activation_pooling("relu", "max")
    >>> g(torch.tensor(-2.0), torch.tensor(-3.0))
    tensor(0.)
    """
    name = f"{activation}/{pooling}"
    known = {f"{a}/{p}": operator for (a, p), operator in OPERATORS.items()}
    return known[choice("activation_pooling: associative operator", name, known)]


def _rectified_product(a, b):
    return a.clamp_min(0) * b.clamp_min(0)


def _rectified_max(a, b):
    return torch.maximum(a, b).clamp_min(0)


def _rectified_sum(a, b):
    return a.clamp_min(0) + b.clamp_min(0)


# No lambdas: a circuit is saved with its operator, and what is saved needs a name.
OPERATORS: dict[tuple[str, str], Operator] = {
    ("linear", "product"): torch.mul,
    ("linear", "max"): torch.maximum,
    ("linear", "sum"): torch.add,
    ("relu", "product"): _rectified_product,
    ("relu", "max"): _rectified_max,
    ("relu", "sum"): _rectified_sum,
}


_ORDERED = [operator for operator in OPERATORS.values() if operator not in (torch.mul, torch.add)]
_ORDERED += [torch.minimum, torch.max, torch.min, torch.fmax, torch.fmin]


def generalized_product(a: torch.Tensor, b: torch.Tensor, operator: Operator) -> torch.Tensor:
    """The generalized tensor product: entry (d, d') is ``operator(a[d], b[d'])``.

    Parameters
    ----------
    a : torch.Tensor, shape (M_1, ..., M_P)
    b : torch.Tensor, shape (N_1, ..., N_Q)
    operator : callable
        Elementwise, broadcasting: :data:`torch.mul` gives the tensor product.

    Returns
    -------
    torch.Tensor, shape (M_1, ..., M_P, N_1, ..., N_Q)

    Examples
    --------
    >>> generalized_product(torch.tensor([1, 2]), torch.tensor([10, 20]), torch.mul).tolist()
    [[10, 20], [20, 40]]
    """
    kind("generalized_product: a", a, torch.Tensor)
    kind("generalized_product: b", b, torch.Tensor)
    if operator is torch.mul:
        _check_products("generalized_product", a, b)
    return operator(a.reshape(*a.shape, *(1,) * b.ndim), b)


def require_operator(operation: str, operator: object, arithmetic: object = None) -> None:
    """Raise an error unless an operator of an arithmetic is given, or None.

    Raises
    ------
    TypeError
        If it is no function.
    ValueError
        If residues are asked to take a maximum or a rectifier: they have no order.

    Examples
    --------
    >>> require_operator("f", torch.mul)
    """
    if operator is not None and not callable(operator):
        raise TypeError(f"{operation}: operator={shown(operator)}; need a function of two tensors, "
                        "see activation_pooling, or None for the product")
    if isinstance(arithmetic, Modular) and operator in _ORDERED:
        name = next(("/".join(names) for names, known in OPERATORS.items() if known is operator),
                    operator.__name__)
        raise ValueError(f"{operation}: operator {name} over {arithmetic}; residues have no order, "
                         "need a polynomial such as linear/product, or Real()")


def combining(operator: Operator | None, arithmetic) -> Operator:
    """What a node makes of two channels: the operator, over residues with reduced results.

    Examples
    --------
    >>> combining(torch.mul, Modular(7))(*torch.tensor([3.0, 4.0]).double()).item()
    5.0
    """
    if operator is None:
        return arithmetic.multiply
    if not isinstance(arithmetic, Modular) or operator in (torch.mul, torch.add):
        return lambda a, b: arithmetic.reduce(operator(a, b))

    def exactly(a, b):
        values = operator(a, b)
        reduced = arithmetic.reduce(values)
        wrong = ~(values.abs() <= LARGEST_EXACT - arithmetic.prime) | (values != values.round())
        if wrong.any():  # digits are lost already, or there are halves
            raise ValueError(
                f"operator {shown(operator)} over {arithmetic}: it made "
                f"{values[wrong][0].item()}, which is no exact integer below 2**53; reduce in "
                "between, as Modular.multiply does, and write Modular.reciprocal(2) for 1/2")
        return reduced

    return exactly


def _check_products(operation, a, b):
    """Refuse products of integers that their type cannot hold: torch wraps them around."""
    kind = torch.result_type(a, b)
    whole = not (kind == torch.bool or kind.is_floating_point or kind.is_complex)
    if not whole or not (a.numel() and b.numel()):
        return
    largest = max(abs(int(x)) for x in (a.min(), a.max())) * max(
        abs(int(x)) for x in (b.min(), b.max()))
    if largest > torch.iinfo(kind).max:
        raise OverflowError(f"{operation}: products up to {largest} do not fit into {kind}; "
                            "convert to float64 or to residues")
