"""Data of the training curves that a reader scrubs: ``python -m lib.plots.curves`` writes it.

A browser cannot read the stored runs itself.  It gets, for every kind of network and augmentation,
the mean training accuracy over the seeds after every epoch.
"""

import json
from functools import reduce
from operator import add
from pathlib import Path

from ..experiments import records

__all__ = ["curves_data", "source", "write"]

FILE = Path(__file__).resolve().parents[2] / "book" / "assets" / "explore" / "curves-data.js"
SHOWN = ("B1", "B2", "B3", "B4", "B5", "conv2")


def curves_data() -> dict:
    """Mean accuracies in promille, per augmentation and kind, per channels, per epoch.

    Returns
    -------
    dict
        ``data["color"]["B2"]["16"]`` is a list with one integer per epoch.

    Examples
    --------
    >>> curves = curves_data()["color"]
    >>> curves["B3"]["32"][-1] > curves["B1"]["32"][-1]
    True
    """
    found = {}
    for file in ("laptop.jsonl", "b1-wide.jsonl", "factorial.jsonl"):
        for record in records.read(records.STORED / file)[1]:
            if record["block"] in SHOWN and record["status"] == "finished":
                key = record["augmentation"], record["block"], record["channels"]
                found.setdefault(key, []).append(record["curve"]["accuracy"])
    data = {}
    for (augmentation, block, channels), curves in sorted(found.items()):
        # one addition after the other: from Python 3.12 on `sum` rounds otherwise
        means = [round(1000 * reduce(add, values) / len(values))
                 for values in zip(*curves, strict=True)]
        data.setdefault(augmentation, {}).setdefault(block, {})[str(channels)] = means
    return data


def source() -> str:
    """The text of the file.

    Examples
    --------
    >>> source().startswith("window.trainingCurves = ")
    True
    """
    return f"window.trainingCurves = {json.dumps(curves_data(), separators=(',', ':'))};\n"


def write() -> None:
    """Store the data beside the picture that draws it."""
    FILE.write_text(source(), encoding="utf-8")


if __name__ == "__main__":
    write()
