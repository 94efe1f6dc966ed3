"""Mode trees: CP, hierarchical Tucker and every tree between, as tensors and as networks.

Open :mod:`lib.trees.tree` first: a `ModeTree` is the specification, the other files are its views.
"""
