"""ConvNets trained on images: one network, many at once, and the sweeps of the figures.

Open :mod:`lib.experiments.kinds` first (what the networks compute), then
:mod:`lib.experiments.training`.  `python -m lib.experiments` trains a grid.
"""
