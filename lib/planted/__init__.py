"""Planted tasks: targets whose best possible error is known, and networks trained on them.

Open :mod:`lib.planted.widths` (early or deep layers) or :mod:`lib.planted.dilated` (mixtures).
`python -m lib.planted widths` and `python -m lib.planted dilated` train what the course stores.
"""

from . import dilated, runs, widths

__all__ = ["dilated", "runs", "widths"]
