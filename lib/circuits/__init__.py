"""Networks: the same specification as a trainable torch module and as a function on residues.

:mod:`lib.circuits.tree` runs a mode tree, :mod:`lib.circuits.convolutional` an architecture of
generalized convolutions; :mod:`lib.circuits.networks` holds the torch modules of the latter.
"""

from importlib import import_module

_HOMES = {
    "ConvAC": "lib.circuits.networks",
    "GeneralizedConv": "lib.circuits.networks",
    "TreeCircuit": "lib.circuits.tree",
    "forward": "lib.circuits.convolutional",
    "generalized_conv": "lib.circuits.convolutional",
    "grid_network": "lib.circuits.convolutional",
    "random_weights": "lib.circuits.weights",
    "weight_shapes": "lib.circuits.weights",
}
__all__ = list(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'lib.circuits' has no attribute {name!r}; known: {__all__}")
    return getattr(import_module(_HOMES[name]), name)
