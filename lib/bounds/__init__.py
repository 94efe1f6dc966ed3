"""Bounds on ranks, from window sizes, strides and channels: integers only, no torch.

Open :mod:`lib.bounds.receptive` first (what a stack of windows sees), then
:mod:`lib.bounds.overlap` and :mod:`lib.bounds.crossing`.
"""
