"""How many copies of a matrix an exact rank holds at its peak, the matrix itself counted.

    python -m lib.benchmarks.memory 8192

Every size is measured in a process of its own: the operating system records only the peak of a
process's whole life. So what the libraries take when they are loaded hides smaller matrices.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import torch

from ..exact.arithmetic import Modular
from ..exact.device import exact_device, generator
from ..exact.ranks import exact_rank
from ..options import Parser, may_be_cut_short
from .options import positive

LOADED = 1500   # rows of the matrix that loads the libraries
LEAST = 2000


def peak_copies(size, device="cpu"):
    """Return the peak memory of ranking a full size x size matrix, in copies of that matrix."""
    exact_rank(Modular().random((LOADED, LOADED), generator(0)), device=device)
    before = _memory(device, "VmRSS")
    matrix = Modular().random((size, size), generator(0)).to(device)
    exact_rank(matrix, device=device)
    return (_memory(device, "VmHWM") - before) / (8 * size**2)


def _memory(device, entry):
    """Return the bytes this process, or its GPU, uses now (VmRSS) or used at its peak (VmHWM)."""
    if device == "cuda":
        peak = entry == "VmHWM"
        return torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():  # Linux: `resource` would count the parent process in
        (line,) = [line for line in status.read_text(encoding="utf-8").splitlines()
                   if line.startswith(entry)]
        return int(line.split()[1]) * 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: the peak, in bytes


def main():
    """Measure every size that is asked for."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", type=positive, nargs="+", help=f"rows, from {LEAST} on")
    sizes = parser.parse_args().sizes
    if min(sizes) < LEAST:
        parser.error(f"size {min(sizes)}: need {LEAST} or more, for a peak above that of loading "
                     "the libraries")
    where = exact_device().type
    for size in sizes:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(f"n = {size}: {pool.apply(peak_copies, (size, where)):.2f} copies on {where}",
                  flush=True)


if __name__ == "__main__":
    with may_be_cut_short():
        main()
