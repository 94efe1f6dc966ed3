"""What the course calls: tensors, circuits, exact ranks, and the bounds they are held against.

Two specifications carry everything. A `ModeTree` is a tree over tensor modes, an `Architecture` a
stack of generalized convolutions; networks, tensors, bounds and drawings are views of one of them.
The names below are the ones that the chapters use; each folder says what else it holds.

Examples
--------
>>> import lib
>>> lib.__version__
'1.0.0'
"""

import sys
from importlib import import_module
from types import ModuleType

__version__ = "1.0.0"

# Loaded on first use: `import lib` then costs nothing, and integer work never waits for torch.
_NAMES = {
    "exact.arithmetic": ("Modular", "Real"),
    "exact.ranks": ("entanglement_entropy", "exact_rank", "singular_values"),
    "bounds.bound": ("Bound",),
    "bounds.partitions": ("split_modes",),
    "bounds.overlap": ("quoted_overlap_bound",),
    "bounds.matching": ("matching_number",),
    "bounds.upper_bounds": ("linear_readout_upper_bound",),
    "trees.tree": ("ModeTree", "Node"),
    "trees.tensors": ("activation_pooling", "indices", "khatri_rao", "matricize"),
    "trees.decompositions": ("coefficient_tensor",),
    "trees.circuit": ("TreeCircuit", "evaluate"),
    "trees.constructions": ("even_odd_weights",),
    "trees.rectifiers": ("keeps_order", "largest_average_rank", "maxima_rank_bound",
                         "maximum_as_products", "ordered_weights", "pair_weights",
                         "single_channel", "universal_weights"),
    "trees.routing": ("routed_weights", "routes", "smallest_cut"),
    "trees.designer": ("design_widths",),
    "trees.pooling": ("pooling_order", "pooling_tree", "published_bounds", "split_windows_rank"),
    "trees.mixtures": ("DilatedNetwork", "dilated_tree", "gap_family", "hybrid_tree", "lags",
                       "mixture_levels"),
    "trees.hybrids": ("hybrid_in_mixture",),
    "networks.architecture": ("Architecture", "Layer"),
    "networks.families": ("block_network", "googlenet_stack", "proposition_2_bound",
                          "proposition_2_exponent", "stacked_blocks"),
    "networks.convolutional": ("forward", "generalized_conv", "grid_network"),
    "networks.modules": ("ConvAC",),
    "networks.log_space": ("LogConvAC", "Mex", "Similarity", "SimplexConvAC", "log_forward", "mex",
                           "signed_log"),
    "networks.missing_data": ("TensorialMixture", "missing_pixels", "missing_rectangles"),
    "grids.grid": ("change_basis", "grid_tensor", "place"),
    "photograph": ("photograph", "photograph_patches"),
    "grids.certify": ("certify", "certify_weights"),
    "constructions.pieces": ("fit",),
    "constructions.simulation": ("correspondence", "simulate"),
    "constructions.two_layers": ("root_prime", "two_layer_construction"),
    "constructions.rectifiers": ("certify_rectifier", "rectifier_construction"),
    "constructions.overlaps": ("overlap_construction",),
    "constructions.partitions": ("matching_construction",),
    "course.claims": ("checking", "verify"),
    "course.glue": ("glue",),
    "course.tables": ("table",),
    "exercises.check": ("check_answer",),
}
_HOMES = {name: f".{home}" for home, names in _NAMES.items() for name in names}
__all__ = ["__version__", *_HOMES]


class _Front(ModuleType):
    """This package, whose names stay theirs: importing `lib.photograph` hides no `photograph`."""

    def __setattr__(self, name, value):
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Front


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers "
                             f"{sorted(_HOMES)}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
