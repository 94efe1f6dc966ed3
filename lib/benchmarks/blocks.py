"""Split evaluation of a block of a matricization against plain forward passes, residue by residue.

    python -m lib.benchmarks.blocks                    # the whole comparison, a few minutes
    python -m lib.benchmarks.blocks --plain-rows 256   # fewer rows by forward passes: seconds
    python -m lib.benchmarks.blocks --threads 2 --skip-scaling

Both sides run in the same process on the same weights and indices. With one thread on a CPU the
clock is processor time, so that a busy machine disturbs little; otherwise it is wall time.
"""

import time

import torch

from ..bounds.partitions import split_modes
from ..exact.arithmetic import Modular
from ..exact.device import describe_device, generator
from ..grids.blocks import matricization_block
from ..grids.grid import grid_block
from ..networks.architecture import Architecture, Layer
from ..networks.convolutional import grid_network
from ..options import Parser, may_be_cut_short
from ..trees.tensors import sample_indices
from .options import add_device, positive

FIELD = Modular()
SMALL = 2**14  # entries by forward passes in the scaling table


class Clock:
    """Seconds a function takes, and its result."""

    def __init__(self, device: torch.device, threads: int) -> None:
        torch.set_num_threads(threads)
        self.device = device
        own = device.type == "cpu" and threads == 1
        self.now, self.name = (
            (time.process_time, "processor time") if own else (time.perf_counter, "wall time")
        )

    def __call__(self, function):
        start = self.now()
        result = function()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return self.now() - start, result


class Instance:
    """Random weights of an architecture and random rows and columns of its left-right matrix."""

    def __init__(self, net: Architecture, size: int, device: torch.device, seed: int = 0) -> None:
        draw = generator(seed)
        self.net = net
        self.weights = [(w.to(device), b.to(device)) for w, b in net.random_weights(FIELD, draw)]
        self.representation = FIELD.random((net.channels, net.channels), draw, device)
        self.modes = split_modes("left-right", net.grid)
        self.indices = [sample_indices(net.channels, len(m), size, draw) for m in self.modes]

    def split(self) -> torch.Tensor:
        return matricization_block(self.net, self.weights, self.modes[0], *self.indices,
                                   self.representation, FIELD)

    def plain(self, rows: slice) -> torch.Tensor:
        network = grid_network(self.net, self.weights, FIELD)
        return grid_block(network, self.representation, self.modes[0], self.net.grid,
                          self.indices[0][rows], self.indices[1])


def compare(net: Architecture, size: int, clock: Clock, plain_rows: int) -> dict:
    """Time both sides; every entry that forward passes computed must agree."""
    instance = Instance(net, size, clock.device)
    Instance(net, 64, clock.device).split()  # load what is loaded once
    split_time, block = clock(instance.split)
    plain_time, step = 0.0, max(1, 2**16 // size)
    for top in range(0, plain_rows, step):
        part = slice(top, min(top + step, plain_rows))
        seconds, expected = clock(lambda part=part: instance.plain(part))
        plain_time += seconds
        if not torch.equal(block[part], expected):
            raise AssertionError(f"{net}: split and plain residues differ in rows {part}")
    plain_whole = plain_time * size / plain_rows
    return {"split": split_time, "plain": plain_time, "whole": plain_whole,
            "ratio": plain_whole / split_time, "entries": plain_rows * size}


def headline(clock: Clock, size: int, plain_rows: int) -> None:
    net = Architecture(6, 2, (Layer(4, 2, 2), Layer(3, 3, 1)))
    found = compare(net, size, clock, plain_rows)
    print(f"{size} x {size} block of {net}")
    print(f"  split evaluation {found['split']:.2f} s; forward passes {found['plain']:.2f} s for "
          f"{plain_rows} of {size} rows ({found['whole']:.1f} s for all)")
    print(f"  {found['ratio']:.0f} times faster; {found['entries']} residues compared, all equal")


def two_layers(size=6, window=4, stride=2, channels=2) -> Architecture:
    cells = -(-size // stride)
    return Architecture(size, 2, (Layer(window, stride, channels), Layer(cells, cells, 1)))


SCALING = [
    ("block", [(two_layers(), n) for n in (512, 1024, 2048, 4096, 8192)]),
    ("H", [(two_layers(h), 2048) for h in (4, 6, 8, 12, 16)]),
    ("R", [(two_layers(6, r, 1), 2048) for r in (1, 2, 3, 4, 5, 6)]),
    ("D", [(two_layers(channels=d), 2048) for d in (2, 4, 8, 16, 32, 64)]),
    ("depth", [
        (Architecture(8, 2, (Layer(3, 2, d), Layer(3, 2, d), Layer(2, 2, 1))), 2048)
        for d in (2, 4, 8)
    ]),
]


def scaling(clock: Clock) -> None:
    print("\n| grows | H | layers (R, S, D) | block | split, s | split, ns per entry "
          "| plain, ns per entry | ratio |\n|---|---|---|---|---|---|---|---|")
    for name, cases in SCALING:
        for net, size in cases:
            count = net.channels ** len(split_modes("left-right", net.grid)[0])
            size = min(size, count)
            found = compare(net, size, clock, max(1, min(size, SMALL // size)))
            layers = " ".join(f"({y.window},{y.stride},{y.channels})" for y in net.layers)
            print(f"| {name} | {net.size[0]} | {layers} | {size}² | {found['split']:.3f} "
                  f"| {found['split'] / size**2 * 1e9:.1f} | {found['whole'] / size**2 * 1e9:.0f} "
                  f"| {found['ratio']:.0f} |", flush=True)


def main() -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=positive, default=4096, help="rows and columns of the block")
    parser.add_argument("--plain-rows", type=positive,
                        help="rows by forward passes; all by default")
    parser.add_argument("--threads", type=positive, default=1)
    add_device(parser)
    parser.add_argument("--skip-scaling", action="store_true")
    arguments = parser.parse_args()
    if (arguments.plain_rows or 1) > arguments.size:
        parser.error(f"--plain-rows {arguments.plain_rows}: must lie between 1 and the "
                     f"{arguments.size} rows of the block")
    clock = Clock(arguments.device, arguments.threads)
    print(f"{describe_device()}; on {clock.device}, {clock.name}")
    headline(clock, arguments.size, arguments.plain_rows or arguments.size)
    if not arguments.skip_scaling:
        scaling(clock)


if __name__ == "__main__":
    with may_be_cut_short():
        main()
