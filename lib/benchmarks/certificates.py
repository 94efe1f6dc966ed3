"""How large a certificate gets in a minute: random instances of ever larger matrices.

    python -m lib.benchmarks.certificates --seconds 60 --threads 2

Every row is one call of ``certify``: random weights, a block of the matricization, its exact rank.
"""

import torch

from ..exact.device import describe_device
from ..grids.certify import certify
from ..networks.architecture import Architecture, Layer
from ..options import Parser, may_be_cut_short
from ..trees.tree import ModeTree
from .blocks import Clock, Instance, two_layers
from .options import add_device, positive

SUBJECTS = {
    "HT, N=32, widths 4": (ModeTree.perfect(32, 2, 2, (4,) * 5), "even-odd"),
    "H=6, (4,2,2) (3,3,1)": (two_layers(), "left-right"),
    "H=6, (4,1,2) (6,6,1)": (two_layers(stride=1), "left-right"),
    "H=8, (3,2,4) (3,2,2) (2,2,1)": (
        Architecture(8, 2, (Layer(3, 2, 4), Layer(3, 2, 2), Layer(2, 2, 1))), "left-right"
    ),
}


def main() -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="budget of one certificate")
    parser.add_argument("--threads", type=positive, default=torch.get_num_threads())
    parser.add_argument("--start", type=positive, default=2048)
    add_device(parser)
    arguments = parser.parse_args()
    clock = Clock(arguments.device, arguments.threads)
    print(f"{describe_device()}; on {clock.device}, {clock.name}")
    print("\n| network | partition | matrix | rank | block, s | whole certificate, s |\n"
          "|---|---|---|---|---|---|")
    for name, (subject, rows) in SUBJECTS.items():
        size, seconds = arguments.start, 0.0
        while 7 * seconds < arguments.seconds:  # twice the size takes up to eight times as long
            block = "-"
            if isinstance(subject, Architecture):
                block = f"{clock(Instance(subject, size, clock.device).split)[0]:.1f}"
            seconds, found = clock(lambda n=size, s=subject, r=rows: certify(
                s, r, rows=n, columns=n, device=clock.device))
            shape = " x ".join(map(str, found.shape))
            print(f"| {name} | {rows} | {shape} | {found.rank} | {block} | {seconds:.1f} |",
                  flush=True)
            size *= 2


if __name__ == "__main__":
    with may_be_cut_short():
        main()
