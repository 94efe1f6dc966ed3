"""Stacks of generalized convolutions: the specification, its weights, its torch modules.

Open :mod:`lib.networks.architecture` first, then :mod:`lib.networks.convolutional`, which runs one.
"""
