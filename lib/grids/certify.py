"""Certify the rank of a network's matricized grid tensor, from random or explicit weights.

One random instance modulo a prime proves a lower bound for almost all weights; see
:class:`lib.exact.ranks.Certificate` for what follows and what does not. The same call serves a
mode tree and an architecture, through what lib/grids/specification.py lists.
"""

import math
import warnings
from collections.abc import Sequence

import torch

from ..bounds.partitions import Partition, split_modes
from ..checks import counted, integer
from ..exact.arithmetic import DEFAULT_PRIME, Modular
from ..exact.device import WORTH_MOVING, exact_device, generator
from ..exact.ranks import Certificate, exact_rank
from ..trees.tensors import sample_indices
from .blocks import matricization_block
from .specification import Specification, require_specification

__all__ = ["LARGEST", "SAMPLE", "certify", "certify_weights", "entry_degree"]

LARGEST = 2**26  # entries of a matrix that is built whole: 0.5 GB, and elimination copies it
SAMPLE = 4096  # rows and columns drawn when the matrix is larger than that


def certify(
    subject: Specification,
    partition: Partition,
    *,
    shared: bool | None = None,
    biases: bool | Sequence[bool] | None = None,
    seed: int = 0,
    representation: str | torch.Tensor | None = None,
    rows: int | None = None,
    columns: int | None = None,
    prime: int = DEFAULT_PRIME,
    output: int = 0,
    device: str | torch.device | None = None,
) -> Certificate:
    """The exact rank of a random instance: a lower bound for almost all weights.

    Parameters
    ----------
    subject : ModeTree or Architecture
    partition : str or iterable of int
        The row modes or a name, as in :func:`lib.bounds.partitions.split_modes`.
    shared : bool, optional
        Whether weights are shared within a level or layer. By default they are in an architecture,
        as in the overlap theorem, and are not in a mode tree.
    biases : bool or sequence of bool, optional
        For architectures: biases in all layers (the default), or layer by layer.
    seed : int
    representation : None, "random" or torch.Tensor of integers, shape (templates, M)
        F, with F[d, c] = f_c(x^(d)): the identity, random residues (M templates), or given.
    rows, columns : int, optional
        Draw that many rows or columns at random instead of taking all; three copies of the block
        and 0.3 GB must fit in memory. By default all are taken if there are at most ``LARGEST``
        entries, else up to ``SAMPLE`` of either.
    prime : int
        A prime below 2**23.
    output : int
        For architectures, the entry of the flattened output (channel, then cells row by row).
    device : str or torch.device, optional
        By default a CUDA device if there is one and the matrix is large, else the CPU.

    Returns
    -------
    Certificate
        Of the whole matrix, or of a block if rows or columns were drawn: its line then begins with
        "AT LEAST", and the matrix may have more rank.

    Raises
    ------
    ValueError, TypeError
        If the arguments do not fit the subject.

    Notes
    -----
    The entries of the matrix are polynomials with integer coefficients in the weights. See
    book/grid-tensors.md for the certificate, book/overlap-theorem.md for the bounds.

    Examples
    --------
    >>> from lib import Architecture, ModeTree
    >>> print(certify(Architecture(4, 2, ((3, 1, 2), (4, 4, 1))), "left-right"))
    rank 256 of 256 × 256, full, mod 8388593
    >>> certify(ModeTree.star(modes=4, dim=3, width=9), "even-odd", shared=True).rank
    6
    """
    require_specification(subject, "certify")
    field, draw = Modular(prime), generator(seed)
    weights = subject.random_weights(field, draw, shared=shared, biases=biases)
    templates = _templates(representation, subject.channels, field, draw)
    degree = entry_degree(subject, weights, isinstance(representation, str), output)
    split = split_modes(partition, subject.grid)
    chosen, whole = _chosen(split, len(templates), rows, columns, draw)
    block = _block(subject, weights, split, chosen, templates, field, output, device)
    return exact_rank(block, prime, block.device, whole, degree)


def certify_weights(
    subject: Specification,
    weights,
    partition: Partition,
    *,
    representation: str | torch.Tensor | None = None,
    rows: int | None = None,
    columns: int | None = None,
    seed: int = 0,
    prime: int = DEFAULT_PRIME,
    output: int = 0,
    device: str | torch.device | None = None,
) -> Certificate:
    """The exact rank at given weights: one point, hence a lower bound for almost all weights.

    Parameters
    ----------
    subject : ModeTree or Architecture
    weights
        As from ``random_weights`` of the subject, with integer entries: residues modulo ``prime``
        or integers of any sign. (A fraction a/b is written as the residue of a times the inverse
        of b.)
    partition, representation, rows, columns, prime, output, device
        As in :func:`certify`.
    seed : int
        For a random representation and for sampled rows and columns.

    Returns
    -------
    Certificate

    Raises
    ------
    ValueError, TypeError
        If the weights do not fit the subject or are not integers.

    Examples
    --------
    >>> from lib import ModeTree
    >>> tree = ModeTree.star(modes=2, dim=2, width=2)
    >>> identity = torch.eye(2)
    >>> weights = {(): torch.tensor([1.0, -1.0]), (0,): identity, (1,): identity}
    >>> certify_weights(tree, weights, "even-odd").rank
    2
    """
    require_specification(subject, "certify_weights")
    field, draw = Modular(prime), generator(seed)
    subject.check_weights(weights)
    weights = subject.map_weights(field.tensor, weights)
    templates = _templates(representation, subject.channels, field, draw)
    split = split_modes(partition, subject.grid)
    chosen, whole = _chosen(split, len(templates), rows, columns, draw)
    block = _block(subject, weights, split, chosen, templates, field, output, device)
    return exact_rank(block, prime, block.device, whole)


def entry_degree(
    subject: Specification, weights, random_templates: bool = False, output: int = 0
) -> int:
    """Total degree of the matrix entries as polynomials in all random parameters.

    Parameters
    ----------
    subject : ModeTree or Architecture
    weights
        As from ``random_weights`` of the subject.
    random_templates : bool
        Whether the representation values count as parameters.
    output : int
        As in :func:`certify`.

    Notes
    -----
    An affine map has one degree more than what it maps (1 on padding), a product the sum of its
    factors' degrees. An upper bound where biases are missing.

    Examples
    --------
    >>> from lib import ModeTree
    >>> tree = ModeTree.star(modes=4, dim=2, width=3)
    >>> entry_degree(tree, tree.random_weights(Modular(), generator(0)))
    5
    """
    inputs = dict.fromkeys(range(math.prod(subject.grid)), int(random_templates))
    return subject.output_cell(
        weights, inputs, lambda maps: sum(1 + (degree or 0) for _, _, degree in maps), output
    )


def _templates(representation, channels: int, field: Modular, draw) -> torch.Tensor:
    """F as residues."""
    if representation is None:
        return field.tensor(torch.eye(channels, device="cpu"))
    if isinstance(representation, str):
        if representation != "random":
            raise ValueError(
                f"certify: representation {representation!r}; give None, 'random' or a matrix"
            )
        return field.random((channels, channels), draw)
    return field.tensor(representation)


def _chosen(split, templates: int, rows, columns, draw):
    """Row and column indices, None for all, and the shape of the matrix if some are left out."""
    available = tuple(templates ** len(modes) for modes in split)
    default = max(available) if math.prod(available) <= LARGEST else SAMPLE
    if rows is columns is None and default < max(available):  # a rank read off would look exact
        block = " × ".join(str(min(n, SAMPLE)) for n in available)
        warnings.warn(f"certify: the matrix has {' × '.join(map(counted, available))} entries; a "
                      f"random block of {block} is taken, whose rank is only a lower bound (rows "
                      "and columns choose the block)", stacklevel=3)
    counts = tuple(min(n, default if asked is None else integer("certify: rows, columns", asked))
                   for n, asked in zip(available, (rows, columns), strict=True))
    if min(counts) < 1:
        raise ValueError(f"certify: rows={rows}, columns={columns}; take at least one of each")
    chosen = [
        None if count == n else sample_indices(templates, len(modes), count, draw)
        for modes, count, n in zip(split, counts, available, strict=True)
    ]
    return chosen, None if counts == available else available


def _block(subject, weights, split, chosen, templates, field, output, device) -> torch.Tensor:
    """The matrix, on the device where it is eliminated."""
    entries = math.prod(len(templates) ** len(modes) if given is None else len(given)
                        for modes, given in zip(split, chosen, strict=True))
    if device is not None or entries >= WORTH_MOVING:
        target = exact_device(device)
        weights = subject.map_weights(lambda weight: weight.to(target), weights)
        templates = templates.to(target)
    return matricization_block(subject, weights, split[0], *chosen, templates, field, output)
