"""Exact rank against python-flint and against NumPy's numerical rank, on the same matrices.

    python -m lib.benchmarks.rank                      # the whole table: many minutes
    python -m lib.benchmarks.rank --sizes 1024 2048    # a quick look
    python -m lib.benchmarks.rank --sizes 16384 --kinds full --skip flint numpy
    python -m lib.benchmarks.rank --processor-time     # on a machine busy with other work

Every time is the smallest of several runs, because whatever else a machine does only adds to it.
FLINT is timed with one thread and with as many as torch uses, and its better time counts.
Processor time is what the program spent computing, on one thread, without its waits for a core.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..exact.arithmetic import DEFAULT_PRIME, Modular
from ..exact.device import describe_device
from ..exact.elimination import rank_in_place
from ..exact.ranks import exact_rank
from ..options import Parser, may_be_cut_short
from .options import add_device, positive

KINDS = {"full": None, "nearly full": -1, "half": 0.5}
PATIENCE = 20.0  # seconds after which a measurement is not repeated


def instance(size, kind, seed=0):
    """Return an integer matrix of known rank, and that rank.

    ``"full"``: uniform residues modulo the default prime (full rank but for bad luck, which the
    comparison would show). ``"nearly full"`` and ``"half"``: a product of two matrices with entries
    -4..4, of rank size - 1 and size / 2 over the rationals and modulo the prime alike.

    Examples
    --------
    >>> matrix, rank = instance(6, "half")
    >>> matrix.shape, rank, exact_rank(matrix).rank
    ((6, 6), 3, 3)
    """
    draw = np.random.default_rng(seed)
    if kind == "full":
        return draw.integers(0, DEFAULT_PRIME, (size, size)), size
    rank = size - 1 if kind == "nearly full" else size // 2
    left, right = draw.integers(-4, 5, (size, rank)), draw.integers(-4, 5, (rank, size))
    return (left.astype(float) @ right.astype(float)).astype(np.int64), rank


@dataclass(frozen=True)
class Stopwatch:
    """The smallest time of up to `repeats` calls, in seconds of some clock."""

    repeats: int = 3
    clock: Callable[[], float] = time.perf_counter

    def __call__(self, function, repeats=None):
        """Return the smallest time, and the last result of the function."""
        best, start = math.inf, self.clock()
        for _ in range(repeats or self.repeats):
            begin = self.clock()
            result = function()
            best = min(best, self.clock() - begin)
            if self.clock() - start > PATIENCE:
                break
        return best, result


def time_exact_rank(matrix, device, stopwatch):
    """Return (seconds with conversion, seconds of elimination alone, rank)."""
    total, certificate = stopwatch(lambda: exact_rank(matrix, device=device))
    field = Modular()
    residues = field.tensor(matrix, device=device)
    work = torch.empty_like(residues)

    def eliminate():
        return rank_in_place(work.copy_(residues), field)

    alone, rank = stopwatch(eliminate)
    if rank != certificate.rank:
        raise RuntimeError(f"two eliminations of one matrix disagree: {rank}, {certificate.rank}")
    return total, alone, rank


def time_matmul(size, device, stopwatch):
    """Return the seconds a float64 matrix product takes for the flops of elimination, 2/3 n**3."""
    matrix = torch.ones(size, size, dtype=torch.float64, device=device)
    seconds, _ = stopwatch(lambda: float((matrix @ matrix)[0, 0]), stopwatch.repeats + 1)  # warm-up
    return seconds / 3


def time_flint(matrix, stopwatch):
    """Return (seconds with conversion from NumPy, seconds of elimination alone, rank)."""
    import flint  # not needed to read the course, only to compare with

    def convert():
        return flint.nmod_mat(*matrix.shape, matrix.ravel().tolist(), DEFAULT_PRIME)

    conversion, converted = stopwatch(convert, 2)
    alone = math.inf
    for threads in sorted({1, torch.get_num_threads()}):
        flint.ctx.threads = threads
        seconds, rank = stopwatch(converted.rank)
        alone = min(alone, seconds)
    return conversion + alone, alone, rank


def time_numpy(matrix, stopwatch):
    """Return (seconds, numerical rank) of `numpy.linalg.matrix_rank`, run once."""
    values = matrix.astype(float)
    return stopwatch(lambda: int(np.linalg.matrix_rank(values)), 1)


def measure(size, kind, device, stopwatch, skip, numpy_limit):
    """Return one line of the table as strings."""
    matrix, expected = instance(size, kind)
    total, alone, rank = time_exact_rank(matrix, device, stopwatch)
    if rank != expected:
        raise RuntimeError(f"{kind} {size} x {size} matrix: rank {rank}, built with {expected}")
    line = [f"{size}", kind, f"{rank}", f"{total:.2f}", f"{alone:.2f}"]
    line.append(f"{alone / time_matmul(size, device, stopwatch):.1f}")
    if "flint" in skip:
        line += ["", "", "", ""]
    else:
        flint_total, flint_alone, flint_rank = time_flint(matrix, stopwatch)
        if flint_rank != rank:
            raise RuntimeError(f"{kind} {size} x {size}: rank {rank}, FLINT says {flint_rank}")
        line += [f"{flint_total:.2f}", f"{flint_alone:.2f}"]
        line += [f"{flint_total / total:.1f}", f"{flint_alone / alone:.1f}"]
    if "numpy" in skip or size > numpy_limit:
        return [*line, "", ""]
    seconds, guess = time_numpy(matrix, stopwatch)
    return [*line, f"{seconds:.2f}", f"{guess}"]


HEADER = [
    *("n", "kind", "rank", "ours, s", "elimination, s", "/ matmul"),
    *("FLINT, s", "its elimination, s", "FLINT / ours", "eliminations alone"),
    *("NumPy SVD, s", "its rank"),
]


def main():
    """Run the comparison and print it line by line."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=positive, nargs="+", action="extend",
                        help="rows, default 1024 2048 4096 8192")
    parser.add_argument("--kinds", nargs="+", action="extend", choices=list(KINDS))
    parser.add_argument("--repeats", type=positive, default=3)
    add_device(parser)
    parser.add_argument("--processor-time", action="store_true", help="one thread, its own time")
    parser.add_argument("--skip", nargs="+", action="extend", choices=["flint", "numpy"])
    parser.add_argument("--numpy-limit", type=int, default=4096, help="largest n for the slow SVD")
    arguments = parser.parse_args()
    clock = time.perf_counter
    if arguments.processor_time:
        clock = time.process_time
        torch.set_num_threads(1)
    stopwatch = Stopwatch(arguments.repeats, clock)
    load = f"; load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{describe_device()}; on {arguments.device}{load}")
    print(f"seconds of {clock.__name__}, smallest of {arguments.repeats} runs\n")
    print("| " + " | ".join(HEADER) + " |")
    print("|" + " ---: |" * len(HEADER))
    for size in arguments.sizes or (1024, 2048, 4096, 8192):
        for kind in arguments.kinds or KINDS:
            line = measure(size, kind, arguments.device, stopwatch, arguments.skip or (),
                           arguments.numpy_limit)
            print("| " + " | ".join(line) + " |", flush=True)


if __name__ == "__main__":
    with may_be_cut_short():
        main()
