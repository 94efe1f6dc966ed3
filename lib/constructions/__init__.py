"""The weights that the proofs write down, as weights of real networks.

Each constructor returns an object with the ``weights`` in the format of
:mod:`lib.circuits.weights`, the network's ``output`` on given templates, and the
``predicted_output`` that the proof claims, computed without any network.

:func:`overlap_construction` is for Theorem 1 and its stronger form, :func:`two_layer_construction`
for the exact two-layer theorem, :func:`matching_construction` for Theorem 2, and
:func:`simulate` for Proposition 1.
"""

from lib.constructions.overlaps import OverlapConstruction, overlap_construction
from lib.constructions.partitions import MatchingConstruction, matching_construction
from lib.constructions.simulation import correspondence, simulate
from lib.constructions.two_layers import TwoLayerConstruction, two_layer_construction

__all__ = [
    "MatchingConstruction",
    "OverlapConstruction",
    "TwoLayerConstruction",
    "correspondence",
    "matching_construction",
    "overlap_construction",
    "simulate",
    "two_layer_construction",
]
