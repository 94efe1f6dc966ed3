"""A hybrid inside a mixture: weights at which two dilated networks compute one tree's function."""

import torch

from ..checks import integers, kind
from .mixtures import DilatedNetwork, Layers, hybrid_tree
from .tree import ModeTree, Path

__all__ = ["hybrid_in_mixture"]


def hybrid_in_mixture(
    network: DilatedNetwork, weights: list[Layers], taps: tuple[int, int]
) -> tuple[list[Layers], ModeTree, dict[Path, torch.Tensor]]:
    """Weights of a mixture at which it computes a hybrid, and the hybrid that it then is.

    Parameters
    ----------
    network : DilatedNetwork
        Two streams with one exchange.
    weights : list of lists of torch.Tensor
        Weights of the network, part of which is kept and the rest set to zero.
    taps : (int, int)
        Whose layers, 0 for the first stream's and 1 for the second's, stand below tap 0 and tap 1
        of the first layer after the exchange.

    Returns
    -------
    masked : list of lists of torch.Tensor
        Weights of the network.
    tree : ModeTree
        The hybrid, half as wide on the level of the exchange.
    tree_weights : dict from path to torch.Tensor
        Of the hybrid: the part of the weights that was kept.

    Raises
    ------
    ValueError
        If the network does not have two streams and one exchange, or weights or taps do not fit.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    The proof of "A mixture contains its hybrids", book/connectivity.md, with shared weights.

    Examples
    --------
    >>> from lib import Real
    >>> mixture = DilatedNetwork(((1, 2, 4), (2, 1, 4)), dim=2, width=2, exchange=(2,))
    >>> random = mixture.random_weights(Real(), torch.Generator().manual_seed(0))
    >>> print(hybrid_in_mixture(mixture, random, (1, 0))[1])
    [[[0 2]:2 [1 3]:2]:1 [[4 5]:2 [6 7]:2]:1]:1 over dimension 2
    """
    kind("hybrid_in_mixture: network", network, DilatedNetwork)
    if len(network.orders) != 2 or len(network.exchange) != 1:
        raise ValueError(f"hybrid_in_mixture: {network} has not two streams and one exchange")
    network.check_weights(weights)
    taps = integers("hybrid_in_mixture: taps", taps, 0)
    if len(taps) != 2 or max(taps) > 1:
        raise ValueError(f"hybrid_in_mixture: taps={taps}; need two numbers 0 or 1")
    [level], depth = network.exchange, len(network.orders[0])
    half, kept = network.width // 2, (network.width + 1) // 2
    parts = slice(0, half), slice(kept, kept + half)  # own channels, the other stream's
    masked = [[torch.zeros_like(layer) for layer in stream] for stream in weights]
    for s in (0, 1):  # below the exchange both streams, half of the channels on its level
        masked[s][: level - 1] = map(torch.clone, weights[s][: level - 1])
        masked[s][level - 1][:, parts[s]] = weights[s][level - 1][:, parts[s]]
    for t in (0, 1):  # above it the first stream only
        masked[0][level][t][:, parts[taps[t]]] = weights[0][level][t][:, parts[taps[t]]]
    masked[0][level + 1 :] = map(torch.clone, weights[0][level + 1 :])

    tree = hybrid_tree(*network.orders, network.dim, network.width, level,
                       tuple(taps) * 2 ** (depth - level - 1))
    found = {(): torch.ones_like(weights[0][-1][0, 0, :1])}
    for path in list(tree.weight_shapes())[1:]:
        layer, tap = depth - len(path), path[-1]  # the layer's place in the list
        stream = 0 if layer >= level else taps[path[depth - level - 1]]
        matrix = masked[stream][layer][tap]
        if layer == level:
            matrix = matrix[:, parts[taps[tap]]]
        found[path] = matrix[parts[stream]] if layer == level - 1 else matrix
    return masked, tree, found
