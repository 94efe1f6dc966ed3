"""Throughput of the training engine against a plain PyTorch loop, and of its parts.

    python -m lib.benchmarks.training                 # engine against plain loop, 2 minutes
    python -m lib.benchmarks.training --parts         # pooling, memory order, first layer, Adam

With one thread the clock is processor time, so a busy machine disturbs little; with more threads,
or on a GPU, it is wall time.  Every figure is the best of several repetitions.
"""

import time
import warnings

import torch
import torch.nn.functional as F

from lib.benchmarks.options import positive, trainable
from lib.experiments.ensembles import Ensemble
from lib.experiments.images import dead_leaves
from lib.experiments.kinds import KINDS
from lib.experiments.networks import Network, generator_for, plain_network
from lib.experiments.settings import Settings
from lib.experiments.training import Trainer
from lib.options import Parser, may_be_cut_short

BATCH = 128


class Clock:
    """Seconds per call of a step function, best of several repetitions."""

    def __init__(self, device="cpu", threads=1, seconds=0.25, repetitions=3):
        self.device, self.seconds, self.repetitions = torch.device(device), seconds, repetitions
        torch.set_num_threads(threads)
        own_time = self.device.type == "cpu" and threads == 1
        self.now = time.process_time if own_time else time.perf_counter

    def wait(self):
        if self.device.type != "cpu":  # its work is queued: steps alone would be counted as done
            getattr(torch, self.device.type).synchronize()

    def seconds_per_step(self, step):
        for _ in range(3):
            step()
        best = float("inf")
        for _ in range(self.repetitions):
            self.wait()
            count, start = 0, self.now()
            while count == 0 or self.now() - start < self.seconds:
                step()
                count += 1
                if count % 10 == 0:
                    self.wait()
            self.wait()
            best = min(best, (self.now() - start) / count)
        return best


def plain_step(window, channels, device):
    """One step of the loop one would write first: plain modules, plain Adam, one network."""
    network = plain_network(window, channels).to(device)
    optimizer = torch.optim.Adam(network.parameters())
    images = torch.randn((BATCH, 3, 32, 32), generator=generator_for("images")).to(device)
    labels = (torch.arange(BATCH) % 10).to(device)

    def step():
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return step


def engine_step(networks, device):
    """One step of the engine for several networks on one ready batch."""
    settings = Settings(images=BATCH, batch_size=BATCH)
    trainer = Trainer(networks, settings, dead_leaves(BATCH), device)
    images, labels = next(iter(trainer.stream.epoch(0)))
    return lambda: trainer.step(images, labels)


def peak_operations(clock):
    """Operations per second of a large matrix product: the mark that utilization refers to."""
    size = 1024 if clock.device.type == "cpu" else 8192
    left = torch.randn(size, size, device=clock.device)
    return 2 * size**3 / clock.seconds_per_step(lambda: left @ left)


def table(clock, windows, groups):
    """Engine against plain loop, by window and by group of widths that train together."""
    peak = peak_operations(clock)
    print(f"matrix product: {peak / 1e9:.0f} Gop/s")
    print("  B  C           plain img/s   engine img/s   ratio   plain use   engine use")
    for window in windows:
        for widths in groups:
            plain = sum(clock.seconds_per_step(plain_step(window, c, clock.device)) for c in widths)
            networks = [Network(f"B{window}", c, "spatial", 0) for c in widths]
            ours = clock.seconds_per_step(engine_step(networks, clock.device))
            operations = 3 * BATCH * sum(n.kind.forward_operations(n.channels) for n in networks)
            images = BATCH * len(widths)
            print(f"  {window}  {','.join(map(str, widths)):10s} {images / plain:12,.0f} "
                  f"{images / ours:14,.0f} {plain / ours:7.2f} {operations / plain / peak:10.1%} "
                  f"{operations / ours / peak:11.1%}", flush=True)


def kinds(clock, widths):
    """Milliseconds per step of every kind, alone."""
    print("  kind         " + "".join(f"{f'C={width}':>9s}" for width in widths))
    for block in KINDS:
        times = [clock.seconds_per_step(engine_step([Network(block, width, "spatial", 0)],
                                                    clock.device)) for width in widths]
        print(f"  {block:12s} " + "".join(f"{value * 1e3:9.1f}" for value in times), flush=True)


def parts(clock):
    """What the single decisions of the engine are worth, in microseconds per image."""
    images = torch.randn(BATCH, 16, 32, 32, device=clock.device, requires_grad=True)
    last = images.detach().to(memory_format=torch.channels_last).requires_grad_()
    bias = torch.zeros(16, 1, 1, device=clock.device, requires_grad=True)
    weight = torch.randn(16, 16, 3, 3, device=clock.device, requires_grad=True)
    first = torch.randn(16, 3, 3, 3, device=clock.device, requires_grad=True)
    colors = torch.randn(BATCH, 3, 32, 32, device=clock.device)
    cases = {
        "2x2 max pool": lambda: F.max_pool2d(images, 2),
        "2x2 max pool, channels last": lambda: F.max_pool2d(last, 2),
        "bias, ReLU, then pool (channels last)": lambda: F.max_pool2d(F.relu(last + bias), 2),
        "pool, then bias, ReLU (channels last)": lambda: F.relu(F.max_pool2d(last, 2) + bias),
        "3x3 convolution 16 to 16": lambda: F.conv2d(images, weight, padding=1),
        "3x3 convolution 16 to 16, channels last": lambda: F.conv2d(last, weight, padding=1),
        "3x3 convolution 3 to 16 (first layer)": lambda: F.conv2d(colors, first, padding=1),
    }
    for name, forward in cases.items():
        def step(forward=forward):
            forward().sum().backward()
        print(f"  {clock.seconds_per_step(step) / BATCH * 1e6:8.2f}  {name}")
    print("Adam, microseconds per step for three networks (C = 2, 4, 8; B = 3)")
    alone = [[Network("B3", c, "spatial", 0)] for c in (2, 4, 8)]
    for options in ({}, {"foreach": True}, {"fused": True}):
        parameters = [p for n in alone for p in Ensemble(n).to(clock.device).parameters()]
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        optimizer = torch.optim.Adam(parameters, **options)
        print(f"  {clock.seconds_per_step(optimizer.step) * 1e6:8.0f}  {options or 'default'}")


def main():
    """Parse the arguments and print the tables."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", type=trainable, default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--threads", type=positive, default=1)
    table_of = parser.add_mutually_exclusive_group()
    table_of.add_argument("--windows", type=int, nargs="+", action="extend",
                          choices=[1, 2, 3, 4, 5], help="default all")
    table_of.add_argument("--kinds", action="store_true", help="every kind of block, alone")
    table_of.add_argument("--parts", action="store_true", help="pooling, memory order, Adam")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="Using padding='same' with even kernel")
    clock = Clock(arguments.device, arguments.threads)
    print(f"torch {torch.__version__}, {arguments.device}, {arguments.threads} threads, "
          f"batches of {BATCH}")
    if arguments.kinds:
        kinds(clock, (8, 32))
    elif arguments.parts:
        parts(clock)
    else:
        table(clock, arguments.windows or (1, 2, 3, 4, 5), ((2, 4, 8), (16,), (32,), (64,)))


if __name__ == "__main__":
    with may_be_cut_short():
        main()
