"""Exact arithmetic and exact rank: residues modulo a prime, held in float64 tensors.

Open :mod:`lib.exact.arithmetic` first (the two arithmetics), then :mod:`lib.exact.ranks`.
"""
