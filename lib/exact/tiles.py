"""Large matrix products modulo a prime, a tile at a time, so that a tile is reduced in cache.

Residues are centered at zero (`Modular.center`), and the inner dimension is at most 512.

On a CPU the tiles are shared among Python threads that each compute with one torch thread. The
alternative, every product on all threads, makes them wait for each other after every tile, which
on a busy machine costs far more than the work itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

TILE = (512, 512)  # rows x columns on a CPU
TILE_ON_GPU = (4096, 1 << 20)  # on a GPU, the fewer kernels the better


@contextmanager
def workers(device: torch.device) -> Iterator[Callable]:
    """A function that works like `map` on all torch threads, one torch thread for each call.

    Examples
    --------
    >>> with workers(torch.device("cpu")) as run:
    ...     sum(run(abs, [1, -2]))
    3
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if device.type != "cpu" or threads == 1:
            yield map
        else:
            with ThreadPoolExecutor(threads) as pool:  # threads start when they are first needed
                yield lambda call, items: (pool.map if len(items) > 1 else map)(call, items)
    finally:
        torch.set_num_threads(threads)


def center(x: torch.Tensor, field, run: Callable = map) -> None:
    """Replace `x` by its centered residues, in place."""
    list(run(lambda tile: field.center_(x[tile]), tiling(x)))


def product(a: torch.Tensor, b: torch.Tensor, field, run: Callable = map) -> torch.Tensor:
    """The centered residues of a b, for a (s, k) and b (k, n)."""
    result = a.new_empty(len(a), b.shape[1])

    def fill(tile):
        torch.matmul(a[tile[0]], b[:, tile[1]], out=result[tile])
        field.center_(result[tile])

    list(run(fill, tiling(result)))
    return result


def subtract_product(
    target: torch.Tensor, a: torch.Tensor, b: torch.Tensor, field, run: Callable = map
) -> None:
    """Replace `target` (m, n) by the centered residues of target - a b."""

    def update(tile):
        target[tile].addmm_(a[tile[0]], b[:, tile[1]], alpha=-1)
        field.center_(target[tile])

    list(run(update, tiling(target)))


def tiling(matrix: torch.Tensor) -> list[tuple[slice, slice]]:
    """The tiles of a matrix as pairs of slices (rows, columns)."""
    height, width = TILE_ON_GPU if on_gpu(matrix) else TILE
    return [
        (slice(top, top + height), slice(left, left + width))
        for top in range(0, matrix.shape[0], height)
        for left in range(0, matrix.shape[1], width)
    ]


def on_gpu(matrix: torch.Tensor) -> bool:
    """Whether a tensor is on an accelerator."""
    return matrix.device.type != "cpu"
