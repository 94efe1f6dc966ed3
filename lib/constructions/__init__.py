"""The weights that the proofs write down, as weights of real networks.

Each constructor returns an object with the ``weights`` and the ``predicted_output`` that the proof
claims, computed without any network; those of product networks have the network's ``output`` on
given templates too. :mod:`lib.constructions.simulation` gives weights alone. Open
:mod:`lib.constructions.two_layers` first; :mod:`lib.constructions.overlaps` is the overlap theorem.
"""
