"""Time and memory of an audit against what tracing a network's shapes costs at the least.

    python -m lib.benchmarks.audit                          # a minute or two
    python -m lib.benchmarks.audit --models resnet50 swin_t --repeats 5

The yardstick is torchinfo's summary, which runs the network once on numbers, where torchinfo is
installed, and always one run on shapes alone, without recording anything. Networks of torchvision
are added where it is installed. Every figure comes from a process of its own: seconds are processor
time on one thread, the smallest of several runs after one that loads the libraries; memory is the
peak during the first run, beyond what the process held with the network already built.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import platform
import time
from collections.abc import Callable

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ..audit import audit, models
from ..options import Parser, may_be_cut_short
from .memory import _memory
from .options import positive

SIZE = 224


def encoder() -> nn.Module:
    """Patches of 16 pixels and six layers of attention."""
    layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(192, 3, 768, batch_first=True), 6,
                                   enable_nested_tensor=False)
    return nn.Sequential(nn.Conv2d(3, 192, 16, 16), nn.Flatten(2), Transposed(), layers)


class Transposed(nn.Module):
    """Channels last, for a sequence."""

    def forward(self, x):
        return x.transpose(1, 2)


OWN = {
    "VGG-16": lambda: models.vgg(16), "ResNet-18": lambda: models.resnet(18),
    "ResNet-50": lambda: models.resnet(50), "GoogLeNet": models.googlenet,
    "Inception-v3": models.inception_v3, "MobileNet-v1": models.mobilenet_v1,
    "encoder": encoder,
}
FOREIGN = ("densenet121", "efficientnet_b0", "convnext_tiny", "swin_t", "vit_b_16", "swin3d_t")


def available() -> list[str]:
    """Names of the networks, those of torchvision only where it is installed."""
    found = importlib.util.find_spec("torchvision") is not None
    return [*OWN, *(FOREIGN if found else ())]


def built(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A network and the size of its input."""
    if name in OWN:
        return OWN[name]().eval(), (SIZE, SIZE)
    import torchvision
    model = torchvision.models.get_model(name, weights=None).eval()
    return model, (16, SIZE, SIZE) if "3d" in name else (SIZE, SIZE)


def work(task: str, model: nn.Module, size: tuple[int, ...]) -> Callable[[], object]:
    """What is timed: "audit" with its table and summary, "shapes", or "torchinfo"."""
    if task == "audit":
        return lambda: str(audit(model, size))
    if task == "fields":                            # without bounds
        return lambda: audit(model, size).last_map
    if task == "shapes":
        def run():
            with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
                return model(torch.empty(1, 3, *size))
        return run
    import torchinfo
    return lambda: torchinfo.summary(model, (1, 3, *size), verbose=0)


def measured(name: str, task: str, repeats: int) -> tuple[float, float]:
    """Seconds and megabytes of a task, in this process."""
    torch.set_num_threads(1)
    model, size = built(name)
    work("fields", nn.Conv2d(3, 4, 3), size[-2:])()  # load what every task needs
    function, before = work(task, model, size), _memory("cpu", "VmRSS")
    function()
    peak, best = _memory("cpu", "VmHWM"), float("inf")
    for _ in range(repeats):
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
    return best, max(0, peak - before) / 2**20


def apart(name: str, task: str, repeats: int) -> tuple[float, float]:
    """The same in a process of its own, whose peak of memory is that of this task alone."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(measured, (name, task, repeats))


def main() -> None:
    """Measure every network and print a Markdown table."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", action="extend", metavar="NAME",
                        help=f"of {', '.join(available())}")
    parser.add_argument("--repeats", type=positive, default=3)
    options = parser.parse_args()
    unknown = set(options.models or ()) - set(available())
    if unknown:
        parser.error(f"unknown networks {sorted(unknown)}")
    tasks = ["fields", "audit", "shapes"]
    if importlib.util.find_spec("torchinfo") is not None:
        tasks.append("torchinfo")
    load = f"; load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{time.strftime('%Y-%m-%d')}; {platform.processor() or platform.machine()}, "
          f"torch {torch.__version__}{load}\n")
    head = ["network", "fields, s", "with bounds and table, s", "shapes alone, s", "ratio",
            *["torchinfo, s", "ratio"] * (len(tasks) > 3), "memory, MB", "of shapes, MB"]
    print("| " + " | ".join(head) + " |\n| ---" + " | ---:" * (len(head) - 1) + " |")
    for name in options.models or available():
        found = {task: apart(name, task, options.repeats) for task in tasks}
        seconds = {task: value for task, (value, _) in found.items()}
        line = [name, f"{seconds['fields']:.2f}", f"{seconds['audit']:.2f}",
                f"{seconds['shapes']:.2f}", f"{seconds['audit'] / seconds['shapes']:.1f}"]
        if "torchinfo" in seconds:
            line += [f"{seconds['torchinfo']:.2f}",
                     f"{seconds['audit'] / seconds['torchinfo']:.1f}"]
        line += [f"{found['audit'][1]:.0f}", f"{found['shapes'][1]:.0f}"]
        print("| " + " | ".join(line) + " |", flush=True)


if __name__ == "__main__":
    with may_be_cut_short():
        main()
