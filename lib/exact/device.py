"""Where the work runs: the best device for training, the exact one for certificates, and seeds."""

from __future__ import annotations

import functools
import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch

from ..checks import is_integer, shown

WORTH_MOVING = 1 << 18  # entries from which a matrix is sent to a GPU without being asked


def training_device() -> torch.device:
    """The device networks are trained on: CUDA, else Apple's MPS, else the CPU.

    Examples
    --------
    >>> training_device().type in ("cuda", "mps", "cpu")
    True
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@contextmanager
def usual_modes(device: str = "cpu") -> Iterator[None]:
    """Gradients are known, matrix products keep their digits, and new tensors are on the CPU.

    Whatever modes of torch the caller is in, and whatever default device is set.

    Examples
    --------
    >>> with torch.no_grad(), usual_modes():
    ...     torch.is_grad_enabled()
    True
    """
    with (torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, enabled=False),
          _new_tensors_on_the_cpu(), _WHOLE_FACTORS):
        yield


class _WholeFactors:
    """What switches of torch cut off the factors of float32, also on a CPU, while a block runs.

    The switches are those of all threads: only the last block that ends puts them back, or another
    thread's training would go on without the digits.
    """

    def __init__(self) -> None:
        self.alone, self.running, self.kept = threading.Lock(), 0, []

    def __enter__(self) -> None:
        with self.alone:
            self.running += 1
            try:
                before = torch.get_float32_matmul_precision()
            except RuntimeError:  # switches of newer versions, set apart, have no common name
                before = "highest"
            if before != "highest":
                torch.set_float32_matmul_precision("highest")
                self.kept.append((torch.set_float32_matmul_precision, before))
            for switch, value in _cut_apart():
                switch.fp32_precision = "ieee"
                self.kept.append((functools.partial(setattr, switch, "fp32_precision"), value))

    def __exit__(self, *error) -> None:
        with self.alone:
            self.running -= 1
            while not self.running and self.kept:
                put_back, value = self.kept.pop()
                put_back(value)


_WHOLE_FACTORS = _WholeFactors()


def _cut_apart() -> list[tuple]:
    """The newer switches that cut factors off, and their values, `none` where one is inherited."""
    found, cpu = [], getattr(torch.backends, "mkldnn", None)
    for above, switch in ((cpu, getattr(cpu, "conv", None)), (cpu, getattr(cpu, "matmul", None)),
                          (torch.backends, torch.backends.cuda.matmul)):
        value = getattr(switch, "fp32_precision", "none")  # 2.6 has none of them
        if value not in ("none", "ieee"):
            found.append((switch, "none" if value == above.fp32_precision else value))
    return found


def _new_tensors_on_the_cpu() -> AbstractContextManager:
    """What `torch.set_default_device` has set is put aside; where it is the CPU, nothing is done.

    Numbers are drawn on the CPU, so that every machine draws the same, and torch draws nothing on
    another device with a generator of the CPU.
    """
    usual = torch.get_default_device().type == "cpu"
    return nullcontext() if usual else torch.device("cpu")


def made_on_the_cpu(function: Callable) -> Callable:
    """A function whose new tensors are on the CPU, whatever default device is set.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     made_on_the_cpu(torch.zeros)(2)
    tensor([0., 0.])
    """
    @functools.wraps(function)
    def made(*args, **options):
        with _new_tensors_on_the_cpu():
            return function(*args, **options)
    return made


def same_in_every_mode(training: Callable) -> Callable:
    """A training on the CPU that computes the same whatever modes of torch the caller is in.

    Examples
    --------
    >>> with torch.no_grad():
    ...     same_in_every_mode(torch.is_grad_enabled)()
    True
    """
    @functools.wraps(training)
    def same(*args, **options):
        with usual_modes():
            return training(*args, **options)
    return same


def exact_device(name: str | torch.device | None = None) -> torch.device:
    """The device exact work runs on: CUDA, else the CPU.

    Residues live in float64 numbers, which Apple's MPS does not have.

    Parameters
    ----------
    name : str or torch.device, optional
        A device asked for by hand, for instance ``"cpu"`` or ``"cuda:1"``.

    Raises
    ------
    ValueError
        If the device asked for has no float64, is not there, or is none.

    Examples
    --------
    >>> exact_device("cpu")
    device(type='cpu')
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise ValueError(f"exact_device: {shown(name)} is no device of torch; use 'cpu' or 'cuda'"
                         ) from None
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"exact_device: {device} has no exact float64; use 'cpu' or 'cuda'")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"exact_device: {device} was asked for, but torch sees no CUDA device")
    return device


def generator(seed: int) -> torch.Generator:
    """A CPU random generator with its own seed, the only source of randomness in `lib`.

    It is a CPU generator even where the work runs on a GPU, so that every machine draws the same
    numbers.

    Parameters
    ----------
    seed : int
        Between 0 and 2**63 - 1. Torch reads the last 32 bits of it: seeds that differ by a multiple
        of 2**32 draw the same numbers.

    Examples
    --------
    >>> torch.randint(0, 10, (4,), generator=generator(0))
    tensor([4, 9, 3, 0])
    """
    if not is_integer(seed):
        raise TypeError(f"generator: seed must be an int, got {shown(seed)}")
    seed = int(seed)
    if not 0 <= seed < 2**63:
        raise ValueError(f"generator: seed must lie between 0 and 2**63 - 1, got {seed}")
    return torch.Generator().manual_seed(seed)


def describe_device() -> str:
    """One line that says what this machine computes with.

    It names the processor, torch's threads, the GPU if there is one, and the versions. The line
    differs from machine to machine: print it beside timings, not in an output that is compared.

    Examples
    --------
    >>> "torch" in describe_device()
    True
    """
    parts = [f"{_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} torch threads"]
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        parts.append(f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB")
    elif torch.backends.mps.is_available():
        parts.append("Apple GPU (float32 only)")
    else:
        parts.append("no GPU")
    parts.append(f"torch {torch.__version__}, Python {platform.python_version()}")
    return "; ".join(parts)


def device_name(device: str | torch.device = "cpu") -> str:
    """The name of the chip behind a device, as results record it.

    Parameters
    ----------
    device : str or torch.device
        The GPU's name for a CUDA device, the processor's for any other.

    Examples
    --------
    >>> bool(device_name("cpu"))
    True
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return _processor()


def _processor():
    """The processor's name; Linux alone keeps it in a file rather than in `platform`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
