"""ConvNets trained on images: one network, many at once, and the sweeps of the figures.

Open :mod:`lib.experiments.convnets` first (the network), then :mod:`lib.experiments.training`.
"""
