"""Training experiments: many small ConvNets on CIFAR-10 or on images made on the spot."""
