"""What the course calls: tensors, circuits, exact ranks, and the bounds they are held against.

Two specifications carry everything. A :class:`~lib.trees.ModeTree` is a tree over tensor modes, an
:class:`~lib.overlap.Architecture` a stack of generalized convolutions; networks, tensors, bounds
and drawings are views of one of them. The names below are the ones every chapter leans on; the
rest is imported from its module, for instance ``from lib.tensors import matricize``.

Examples
--------
>>> import lib
>>> lib.__version__
'1.0.0'
"""

from importlib import import_module

__version__ = "1.0.0"

# Loaded on first use: `import lib` then costs nothing, and integer work never waits for torch.
_HOMES = {
    "Architecture": "lib.overlap",
    "Layer": "lib.overlap",
    "ModeTree": "lib.trees",
    "certify": "lib.certificates",
    "exact_rank": "lib.ranks",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'lib' has no attribute {name!r}; it offers {sorted(_HOMES)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
