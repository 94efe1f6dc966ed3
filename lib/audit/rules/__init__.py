"""What each operation does to receptive fields: read registry.py first.

`interpret` applies the rule of a call. Rules are grouped by what units read: a window
(windows.py), one other unit (movement.py), whole dimensions (mixing.py). Which operations make
scores of attention is found beforehand (scores.py).
"""

from . import mixing, movement, windows  # noqa: F401  (they register their rules)
from .registry import LayerInfo, Unknown, interpret, rule

__all__ = ["LayerInfo", "Unknown", "interpret", "rule"]
