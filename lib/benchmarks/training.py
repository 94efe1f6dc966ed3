"""Throughput of the training engine against a plain PyTorch loop, and of its parts.

    python -m lib.benchmarks.training                 # the table of the closing note, 2 minutes
    python -m lib.benchmarks.training --mechanisms    # block, grouped, matmul, vmap against a loop
    python -m lib.benchmarks.training --parts         # pooling, memory order, first layer, Adam

With one thread the clock is processor time, so a busy machine disturbs little; with more threads,
or on a GPU, it is wall time.  Every figure is the best of several repetitions.
"""

import argparse
import time
import warnings

import torch
import torch.nn.functional as F

from ..experiments.convnets import Network, forward_operations, generator_for, plain_network
from ..experiments.embedded import dead_leaves
from ..experiments.ensembles import Ensemble
from ..experiments.settings import Settings
from ..experiments.training import Trainer

BATCH = 128


class Clock:
    """Images per second of a step function, best of several repetitions."""

    def __init__(self, device="cpu", threads=1, seconds=0.25, repetitions=3):
        self.device, self.seconds, self.repetitions = torch.device(device), seconds, repetitions
        torch.set_num_threads(threads)
        own_time = self.device.type == "cpu" and threads == 1
        self.now = time.process_time if own_time else time.perf_counter

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

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
                if self.device.type == "cuda" and count % 10 == 0:
                    self.wait()
            self.wait()
            best = min(best, (self.now() - start) / count)
        return best


def plain_step(window, channels, device, batch=BATCH):
    """One step of the loop one would write first: plain modules, plain Adam, one network."""
    network = plain_network(window, channels).to(device)
    optimizer = torch.optim.Adam(network.parameters())
    images = torch.randn((batch, 3, 32, 32), generator=generator_for("images")).to(device)
    labels = (torch.arange(batch) % 10).to(device)

    def step():
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return step


def engine_step(networks, device, mechanism="auto", batch=BATCH):
    """One step of the engine for several networks on one ready batch."""
    settings = Settings(images=batch, batch_size=batch)
    trainer = Trainer(networks, settings, dead_leaves(batch), device, mechanism)
    images, labels = next(iter(trainer.streams.epoch(0)))
    return lambda: trainer.step(images, labels)


def vmap_step(networks, device, batch=BATCH):
    """One step with torch.func.vmap over stacked parameters."""
    from torch.func import functional_call, stack_module_state, vmap

    modules = [plain_network(n.window, n.channels, n.seed).to(device) for n in networks]
    parameters, _ = stack_module_state(modules)
    optimizer = torch.optim.Adam(list(parameters.values()))
    images = torch.randn((batch, 3, 32, 32), generator=generator_for("images")).to(device)
    labels = (torch.arange(batch) % 10).to(device)

    def loss(values):
        return F.cross_entropy(functional_call(modules[0], values, (images,)), labels)

    def step():
        optimizer.zero_grad()
        vmap(loss)(parameters).sum().backward()
        optimizer.step()
    return step


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
            networks = [Network(window, c, "spatial", 0) for c in widths]
            ours = clock.seconds_per_step(engine_step(networks, clock.device))
            operations = 3 * BATCH * sum(forward_operations(window, c) for c in widths)
            images = BATCH * len(widths)
            print(f"  {window}  {','.join(map(str, widths)):10s} {images / plain:12,.0f} "
                  f"{images / ours:14,.0f} {plain / ours:7.2f} {operations / plain / peak:10.1%} "
                  f"{operations / ours / peak:11.1%}", flush=True)


def mechanisms(clock, windows, widths, count):
    """Images/s, summed over networks, of every way to train equal networks together."""
    names = ("loop", "block", "grouped", "matmul")
    print(f"{count} networks of equal width on the same batches, images/s of all together")
    print("  B   C      plain " + "".join(f"{name:>11s}" for name in (*names, "vmap")))
    for window in windows:
        for width in widths:
            networks = [Network(window, width, "spatial", 0)] * count
            plain = clock.seconds_per_step(plain_step(window, width, clock.device))
            rates = [BATCH / plain]
            rates += [count * BATCH / clock.seconds_per_step(
                engine_step(networks, clock.device, name)) for name in names]
            rates.append(count * BATCH / clock.seconds_per_step(vmap_step(networks, clock.device)))
            print(f"  {window} {width:3d} " + "".join(f"{rate:11,.0f}" for rate in rates),
                  flush=True)


def parts(clock):
    """What the single decisions of the engine are worth, in microseconds per image."""
    images = torch.randn(BATCH, 16, 32, 32, device=clock.device, requires_grad=True)
    last = images.detach().to(memory_format=torch.channels_last).requires_grad_()

    def by_view(x):
        return x.view(BATCH, 16, 16, 2, 16, 2).amax((3, 5))

    def by_maximum(x):
        x = torch.maximum(x[..., ::2, :], x[..., 1::2, :])
        return torch.maximum(x[..., ::2], x[..., 1::2])

    bias = torch.zeros(16, 1, 1, device=clock.device, requires_grad=True)
    weight = torch.randn(16, 16, 3, 3, device=clock.device, requires_grad=True)
    first = torch.randn(16, 3, 3, 3, device=clock.device, requires_grad=True)
    colors = torch.randn(BATCH, 3, 32, 32, device=clock.device)
    cases = {
        "2x2 max pool, max_pool2d": lambda: F.max_pool2d(images, 2),
        "2x2 max pool, max_pool2d, channels last": lambda: F.max_pool2d(last, 2),
        "2x2 max pool, amax of a reshaped view": lambda: by_view(images),
        "2x2 max pool, two torch.maximum": lambda: by_maximum(images),
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
    widths = [[Network(3, c, "spatial", 0)] for c in (2, 4, 8)]
    for kind in ({}, {"foreach": True}, {"fused": True}):
        parameters = [p for n in widths for p in Ensemble(n).to(clock.device).parameters()]
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        optimizer = torch.optim.Adam(parameters, **kind)
        print(f"  {clock.seconds_per_step(optimizer.step) * 1e6:8.0f}  {kind or 'default'}")


def main():
    """Parse the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--mechanisms", action="store_true")
    parser.add_argument("--parts", action="store_true")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="Using padding='same' with even kernel")
    clock = Clock(arguments.device, arguments.threads)
    print(f"torch {torch.__version__}, {arguments.device}, {arguments.threads} threads, "
          f"batches of {BATCH}")
    if arguments.mechanisms:
        mechanisms(clock, arguments.windows, (2, 4, 8, 16, 32), 3)
    elif arguments.parts:
        parts(clock)
    else:
        table(clock, arguments.windows, ((2, 4, 8), (16,), (32,), (64,)))


if __name__ == "__main__":
    main()
