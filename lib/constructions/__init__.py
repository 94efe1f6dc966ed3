"""The weights that the proofs write down, as weights of real networks.

Each constructor returns an object with the ``weights``, the network's ``output`` on given
templates, and the ``predicted_output`` that the proof claims, computed without any network. Open
:mod:`lib.constructions.two_layers` first; :mod:`lib.constructions.overlaps` is the overlap theorem.
"""
