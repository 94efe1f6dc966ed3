"""Certify the rank of a network's matricized grid tensor, from random or explicit weights.

One random instance modulo a prime proves a lower bound for almost all weights; see
:class:`lib.exact.ranks.Certificate` for what follows and what does not. The same call serves a
mode tree and an architecture.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import product

import torch

from ..exact.arithmetic import DEFAULT_PRIME, Modular
from ..exact.device import exact_device, generator
from ..exact.ranks import Certificate, exact_rank
from ..networks.architecture import Architecture
from ..networks.weights import bias_flags, random_weights
from ..trees.tensors import indices, sample_indices
from ..trees.tensors import partition as split_modes
from ..trees.tree import ModeTree, Node
from .blocks import matricization_block, modes_of

__all__ = ["LARGEST", "SAMPLE", "certify", "certify_weights", "entry_degree"]

LARGEST = 2**26  # entries of a matrix that is built whole: 0.5 GB, and elimination copies it
SAMPLE = 4096  # rows and columns drawn when the matrix is larger than that
WORTH_MOVING = 2**18  # entries from which a GPU pays


def certify(
    subject: ModeTree | Architecture,
    partition: str | Iterable[int],
    *,
    shared: bool | None = None,
    biases: bool | Sequence[bool] = True,
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
        The row modes or a name, as in :func:`lib.trees.tensors.partition`.
    shared : bool, optional
        Whether weights are shared within a level or layer. By default they are in an architecture,
        as in the overlap theorem, and are not in a mode tree.
    biases : bool or sequence of bool
        For architectures: biases in all layers, or layer by layer.
    seed : int
    representation : None, "random" or torch.Tensor of integers, shape (templates, M)
        F, with F[d, c] = f_c(x^(d)): the identity, random residues (M templates), or given.
    rows, columns : int, optional
        Draw that many rows or columns at random instead of taking all; two copies of the block
        must fit in memory. By default all are taken if the matrix has at most ``LARGEST``
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
        With ``sampled=True`` if rows or columns were drawn: then the matrix may have more rank.

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
    >>> from lib.networks.architecture import Layer
    >>> certify(Architecture(4, 2, (Layer(3, 1, 2), Layer(4, 4, 1))), "left-right").rank
    256
    >>> certify(ModeTree.star(modes=4, dim=3, width=9), "even-odd", shared=True).rank
    6
    """
    field, draw = Modular(prime), generator(seed)
    if isinstance(subject, ModeTree):
        if biases is not True:
            raise ValueError("certify: mode trees have no biases; leave biases as it is")
        weights = subject.random_weights(field, draw, bool(shared))
    elif isinstance(subject, Architecture):
        flags = bias_flags(subject, biases)
        weights = random_weights(subject, field, draw, shared is None or shared, flags)
    else:
        raise TypeError(f"certify: {subject!r} is not a ModeTree or an Architecture")
    return _certify(subject, weights, partition, representation, rows, columns, field, draw,
                    output, entry_degree(subject, representation, output), device)


def certify_weights(
    subject: ModeTree | Architecture,
    weights,
    partition: str | Iterable[int],
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
    >>> tree = ModeTree.star(modes=2, dim=2, width=2)
    >>> identity = torch.eye(2)
    >>> weights = {(): torch.tensor([1.0, -1.0]), (0,): identity, (1,): identity}
    >>> certify_weights(tree, weights, "even-odd").rank
    2
    """
    field = Modular(prime)
    if isinstance(subject, ModeTree):
        weights = {path: field.tensor(w) for path, w in weights.items()}
    elif isinstance(subject, Architecture):
        weights = [(field.tensor(w), None if b is None else field.tensor(b)) for w, b in weights]
    else:
        raise TypeError(f"certify_weights: {subject!r} is not a ModeTree or an Architecture")
    return _certify(subject, weights, partition, representation, rows, columns, field,
                    generator(seed), output, None, device)


def _certify(
    subject, weights, partition, representation, rows, columns, field, draw, output, degree, device
) -> Certificate:
    """Build the matrix or a block of it, and eliminate."""
    templates = _templates(subject, representation, field, draw)
    split = split_modes(partition, modes_of(subject))
    available = [len(templates) ** len(modes) for modes in split]
    whole = math.prod(available) <= LARGEST
    counts = [
        min(n, (n if whole else SAMPLE) if asked is None else asked)
        for n, asked in zip(available, (rows, columns), strict=True)
    ]
    if min(counts) < 1:
        raise ValueError(f"certify: rows={rows}, columns={columns}; take at least one of each")
    chosen = [
        indices(len(templates), len(modes)) if count == n
        else sample_indices(len(templates), len(modes), count, draw)
        for modes, count, n in zip(split, counts, available, strict=True)
    ]
    if device is not None or math.prod(counts) >= WORTH_MOVING:
        target = exact_device(device)
        weights, templates = _move(weights, target), templates.to(target)
    block = matricization_block(subject, weights, split[0], *chosen, templates, field, output)
    return exact_rank(block, field.prime, block.device, counts != available, degree)


def _templates(subject, representation, field, draw) -> torch.Tensor:
    """F as residues."""
    channels = subject.dim if isinstance(subject, ModeTree) else subject.channels
    if representation is None:
        return field.tensor(torch.eye(channels))
    if isinstance(representation, str):
        if representation != "random":
            raise ValueError(
                f"certify: representation {representation!r}; give None, 'random' or a matrix"
            )
        return field.random((channels, channels), draw)
    return field.tensor(representation)


def _move(weights, device):
    if isinstance(weights, dict):
        return {path: w.to(device) for path, w in weights.items()}
    return [(w.to(device), None if b is None else b.to(device)) for w, b in weights]


def entry_degree(subject, representation=None, output: int = 0) -> int:
    """Total degree of the matrix entries as polynomials in all random parameters.

    Parameters
    ----------
    subject : ModeTree or Architecture
    representation : None, "random" or torch.Tensor
        Random representation values count as parameters.
    output : int
        As in :func:`certify`.

    Notes
    -----
    An affine map has one degree more than what it maps (1 on padding), a product the sum of its
    factors' degrees. An upper bound where biases are missing.

    Examples
    --------
    >>> from lib.networks.architecture import Layer
    >>> entry_degree(Architecture((4,), 2, (Layer(2, 2, 3), Layer(2, 2, 1))))
    6
    >>> entry_degree(ModeTree.star(modes=4, dim=2, width=3))
    5
    """
    start = int(isinstance(representation, str))
    if isinstance(subject, ModeTree):

        def below(child) -> int:
            return sum(1 + below(c) for c in child.children) if isinstance(child, Node) else start

        return 1 + below(subject.root)
    degrees = dict.fromkeys(product(*map(range, subject.size)), start)
    for window, stride, size in zip(
        subject.windows, subject.strides, subject.output_sizes[1:], strict=True
    ):
        degrees = {
            at: sum(
                1 + degrees.get(tuple(u * s + o for u, s, o in zip(at, stride, offset)), 0)
                for offset in product(*map(range, window))
            )
            for at in product(*map(range, size))
        }
    return list(degrees.values())[output % len(degrees)]
