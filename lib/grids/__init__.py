"""Grid tensors and certificates: what a network computes on templates, and its exact rank.

Open :mod:`lib.grids.certify` first; :mod:`lib.grids.grid` is the definition, entry by entry, and
:mod:`lib.grids.blocks` the fast way to the same numbers.
"""
