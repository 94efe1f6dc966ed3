"""How many copies of a matrix an exact rank holds at its peak, the matrix itself counted.

    python -m lib.benchmarks.memory 8192

Run in a process of its own: the operating system records only the peak of a process's whole life.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from ..exact.arithmetic import Modular
from ..exact.device import exact_device, generator
from ..exact.ranks import exact_rank


def peak_copies(size, device="cpu"):
    """Return the peak memory of ranking a full size x size matrix, in copies of that matrix."""
    exact_rank(Modular().random((1500, 1500), generator(0)), device=device)  # load libraries
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


if __name__ == "__main__":
    where = exact_device().type
    for argument in sys.argv[1:]:
        print(f"n = {argument}: {peak_copies(int(argument), where):.2f} copies on {where}")
