"""Grid tensors: what any network computes on all combinations of a few template inputs.

Templates x^(0), ..., x^(M-1) are inputs for one position (image patches, say). The entry
(d_0, ..., d_{N-1}) of the grid tensor is the network's output when position i sees template d_i.
Everything here evaluates the network as a black box; :mod:`lib.grids.blocks` is faster where a
product network can be taken apart.
"""

from collections.abc import Callable, Iterable, Iterator

import torch

from ..bounds.partitions import Grid, Partition, split_modes
from ..checks import floats, integer, kind, shown
from ..trees.tensors import AllIndices, indices

__all__ = ["change_basis", "grid_block", "grid_tensor", "place"]

Network = Callable[[torch.Tensor], torch.Tensor]
BATCH = 2**14


def place(representation: torch.Tensor, templates: torch.Tensor) -> torch.Tensor:
    """The network inputs that show template ``templates[b, i]`` at position i.

    Parameters
    ----------
    representation : torch.Tensor, shape (templates, channels)
        F, with F[d, c] = f_c(x^(d)): the representation channels of every template.
    templates : torch.Tensor of int64, shape (batch, N)

    Returns
    -------
    torch.Tensor, shape (batch, N, channels)

    Examples
    --------
    >>> place(torch.eye(2), torch.tensor([[0, 1, 1]])).tolist()
    [[[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]]
    """
    for name, given in (("representation", representation), ("templates", templates)):
        if not isinstance(given, torch.Tensor):
            raise TypeError(f"place: {name} must be a tensor, got {type(given).__name__}")
    if templates.dtype != torch.int64:
        raise TypeError(f"place: templates of type {templates.dtype}; need int64")
    if representation.ndim != 2:
        raise ValueError(
            f"place: representation of shape {tuple(representation.shape)}; need "
            "(templates, channels)"
        )
    if templates.numel() and not 0 <= int(templates.min()) <= int(templates.max()) < len(
            representation):
        raise ValueError(f"place: templates from {int(templates.min())} to {int(templates.max())}; "
                         f"need numbers from 0 to {len(representation) - 1}")
    return representation[templates]


def grid_tensor(network: Network, representation: torch.Tensor, modes: int) -> torch.Tensor:
    """The whole grid tensor of a network.

    Parameters
    ----------
    network : callable
        From inputs (batch, N, channels) to outputs (batch,).
    representation : torch.Tensor, shape (templates, channels)
        F; its device and data type are those of the evaluation.
    modes : int
        N, the number of positions.

    Returns
    -------
    torch.Tensor, shape (templates, ..., templates), N times

    Examples
    --------
    >>> total = lambda inputs: inputs.sum(dim=(1, 2))
    >>> grid_tensor(total, torch.tensor([[1.0], [2.0]]), modes=2).tolist()
    [[2.0, 3.0], [3.0, 4.0]]
    """
    modes = integer("grid_tensor: modes", modes, 1)
    _matrix("grid_tensor", network, representation)
    count = representation.shape[0]
    values = _evaluate(network, representation, indices(count, modes).split(BATCH), count**modes)
    return values.reshape((count,) * modes)


def _matrix(operation, network, representation) -> None:
    if not callable(network):
        raise TypeError(f"{operation}: network={shown(network)}; need a function of inputs")
    if kind(f"{operation}: representation", representation, torch.Tensor).ndim != 2:
        raise ValueError(f"{operation}: representation of shape {tuple(representation.shape)}; "
                         "need (templates, channels)")


def grid_block(
    network: Network,
    representation: torch.Tensor,
    partition: Partition,
    grid: Grid,
    row_indices: torch.Tensor | None = None,
    column_indices: torch.Tensor | None = None,
) -> torch.Tensor:
    """A block of a matricized grid tensor, without building the tensor.

    Parameters
    ----------
    network, representation
        As in :func:`grid_tensor`.
    partition : str or iterable of int
    grid : int or (int, int)
        As in :func:`lib.bounds.partitions.split_modes`.
    row_indices : torch.Tensor of int64, shape (n_rows, number of row modes), optional
        The templates shown at the row modes; all of them by default, the last mode fastest. For
        a sample `sample_indices` in lib/trees/tensors.py.
    column_indices : torch.Tensor of int64, shape (n_columns, number of column modes), optional

    Returns
    -------
    torch.Tensor, shape (n_rows, n_columns)

    Examples
    --------
    >>> product = lambda inputs: inputs.prod(dim=1)[:, 0]
    >>> grid_block(product, torch.tensor([[1.0], [2.0]]), "left-right", 2,
    ...           torch.tensor([[0], [1]]), torch.tensor([[1]])).tolist()
    [[2.0], [4.0]]
    """
    _matrix("grid_block", network, representation)
    row_modes, column_modes = split_modes(partition, grid)
    sides = []
    for name, given, needed in (
        ("row", row_indices, row_modes),
        ("column", column_indices, column_modes),
    ):
        if given is None:
            sides.append(AllIndices(len(representation), len(needed)))
            continue
        kind(f"grid_block: {name} indices", given, torch.Tensor)
        if given.ndim != 2 or given.shape[1] != len(needed):
            raise ValueError(
                f"grid_block: {name} indices of shape {tuple(given.shape)}; need "
                f"(any, {len(needed)}) for the modes {needed}"
            )
        sides.append(given)
    rows, columns = sides
    n_rows, n_columns = len(rows), len(columns)
    where = next((side.device for side in sides if isinstance(side, torch.Tensor)), "cpu")

    def batches() -> Iterator[torch.Tensor]:
        """What the entries show, some at a time: that of all is many times the block."""
        for start in range(0, n_rows * n_columns, BATCH):
            stop = min(start + BATCH, n_rows * n_columns)
            numbers = torch.arange(start, stop, device=where)
            above, beside = rows[numbers // n_columns], columns[numbers % n_columns]
            templates = above.new_empty(len(numbers), len(row_modes) + len(column_modes))
            templates[:, list(row_modes)] = above
            templates[:, list(column_modes)] = beside
            yield templates

    values = _evaluate(network, representation, batches(), n_rows * n_columns)
    return values.reshape(n_rows, n_columns)


def _evaluate(
    network: Network, representation: torch.Tensor, batches: Iterable[torch.Tensor], count: int
) -> torch.Tensor:
    """The outputs for `count` inputs, which come in batches of the templates that they show."""
    if count == 0:
        return representation.new_empty(0)
    result, start = None, 0
    with torch.no_grad():
        for part in batches:
            values = network(place(representation, part.to(representation.device)))
            if not isinstance(values, torch.Tensor) or values.numel() != len(part):
                raise ValueError(f"grid tensor: the network made {shown(values)} of {len(part)} "
                                 f"inputs; need a tensor of shape ({len(part)},)")
            result = values.new_empty(count) if result is None else result
            result[start : start + len(part)] = values.reshape(-1)
            start += len(part)
    return result


def change_basis(tensor: torch.Tensor, matrix: torch.Tensor, arithmetic) -> torch.Tensor:
    """Multiply every mode of a tensor by the same matrix: (F ⊗ ... ⊗ F) applied to A.

    Parameters
    ----------
    tensor : torch.Tensor, shape (M, ..., M)
    matrix : torch.Tensor, shape (templates, M)
        With F it turns a coefficient tensor into the grid tensor.
    arithmetic : Real or Modular

    Returns
    -------
    torch.Tensor, shape (templates, ..., templates)

    Examples
    --------
    >>> from lib.exact.arithmetic import Real
    >>> change_basis(torch.eye(2).double(), torch.tensor([[1., 1.], [0., 1.]]).double(), Real())
    tensor([[2., 1.],
            [1., 1.]], dtype=torch.float64)
    """
    for name, given in (("tensor", tensor), ("matrix", matrix)):
        if not isinstance(given, torch.Tensor):
            raise TypeError(f"change_basis: {name} must be a tensor, got {type(given).__name__}")
    if matrix.ndim != 2 or set(tensor.shape) - {matrix.shape[1]}:
        raise ValueError(f"change_basis: a tensor of shape {tuple(tensor.shape)} and a matrix of "
                         f"shape {tuple(matrix.shape)}; need (M, ..., M) and (templates, M)")
    tensor, matrix = arithmetic.taken(tensor), arithmetic.taken(matrix)
    if tensor.dtype != matrix.dtype:
        floats("change_basis: tensor and matrix", tensor, matrix)
    for _ in range(tensor.ndim):  # multiply mode 0, then move it to the end: N turns restore order
        rest = tensor.shape[1:]
        flat = arithmetic.matmul(matrix, tensor.reshape(tensor.shape[0], -1))
        tensor = flat.reshape(matrix.shape[0], *rest).movedim(0, -1)
    return tensor
