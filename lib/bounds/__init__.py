"""Bounds on ranks, from window sizes, strides and channels: integers only, no torch.

Open :mod:`lib.bounds.receptive` first (what a stack of windows sees), then
:mod:`lib.bounds.crossing` (the main bound) and :mod:`lib.bounds.private` (more where there are
strides); :mod:`lib.bounds.overlap` has the published theorem and what all of them share.
"""
