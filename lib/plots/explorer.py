"""Data of the receptive-field explorer: ``python -m lib.plots.explorer`` writes it.

The explorer in the book runs in a browser without Python.  It only draws: every number that it
shows is computed here from an Architecture and stored in ``book/assets/explorer-data.js``.
"""

import json
from pathlib import Path

from ..networks.architecture import Architecture, Layer
from ..networks.families import block_network

__all__ = ["explorer_data", "write"]

FILE = Path(__file__).resolve().parents[2] / "book" / "assets" / "explorer-data.js"

NETWORKS = {
    "No overlaps: 1×1 convolutions, 2×2 pooling": block_network(1, 16, 4, 8),
    "B = 2: 2×2 convolutions, 2×2 pooling": block_network(2, 16, 4, 8),
    "B = 3: 3×3 convolutions, 2×2 pooling": block_network(3, 16, 4, 8),
    "B = 5: 5×5 convolutions, 2×2 pooling": block_network(5, 16, 4, 8),
    "Two 3×3 convolutions per pooling": Architecture(
        16, 4, (Layer(3, 1, 8), Layer(3, 1, 8), Layer(2, 2, 8)) * 3 + (Layer(2, 2, 1),)
    ),
    "Strided 3×3 convolutions, no pooling": Architecture(
        16, 4, (Layer(3, 2, 8), Layer(3, 2, 8), Layer(3, 2, 8), Layer(2, 2, 1))
    ),
    "One 9×9 convolution, global pooling": Architecture(16, 4, (Layer(9, 1, 8), Layer(16, 16, 1))),
}


def explorer_data() -> list[dict]:
    """What the explorer shows: per network its layers, per layer its fields and bounds.

    Returns
    -------
    list of dict
        JSON-ready records; lengths in input cells.

    Examples
    --------
    >>> explorer_data()[0]["layers"][1]["field"]
    2
    """
    return [_network(name, net) for name, net in NETWORKS.items()]


def _network(name: str, net: Architecture) -> dict:
    half = net.size[1] // 2
    layers = []
    for layer in range(1, net.depth + 1):
        layers.append(
            {
                "window": net.windows[layer - 1][1],
                "stride": net.strides[layer - 1][1],
                "cells": net.output_sizes[layer][1],
                "field": net.total_receptive_field(layer),
                "step": net.total_stride(layer),
                "minimal": net.alpha_minimal(layer, half),
            }
        )
    bound = net.crossing_bound()
    return {
        "name": name,
        "size": net.size[1],
        "layers": layers,
        "bound": str(bound) if bound.exponent else "1",
        "boundLayer": bound.layer if bound.exponent else None,
    }


def source() -> str:
    """The text of ``explorer-data.js``.

    Examples
    --------
    >>> source().startswith("window.explorerData = ")
    True
    """
    return f"window.explorerData = {json.dumps(explorer_data(), ensure_ascii=False, indent=1)};\n"


def write(path: Path = FILE) -> Path:
    """Write the data file and return its path."""
    path.write_text(source(), encoding="utf-8")
    return path


if __name__ == "__main__":
    print(write())
