"""What networks of shared 1×1 maps cannot see: symmetries of a tree that treats children alike.

Exchanging the children of a node, with everything below them, at any node of a perfect tree: these
exchanges form a group. Where all children of a level share their weights and the pooling does not
depend on the order of what it pools, the network is invariant under all of it
(book/convnet-experiments.md). On an image of side 2^n with 2×2 pooling it is the quadtree's group.
"""

from math import comb, factorial

import torch

from ..checks import integer, kind

__all__ = ["invariant_dimension", "moved", "quadtree_places", "random_symmetry", "side_orbits",
           "symmetry_order"]


def symmetry_order(levels: int, pool: int = 4) -> int:
    """How many symmetries a perfect tree has: pool! at each of its inner nodes.

    Parameters
    ----------
    levels : int
        L; the tree has pool^L leaves. For an image, the number n of halvings.
    pool : int
        P, the number of children of every node.

    Returns
    -------
    int
        (P!)^((P^L - 1) / (P - 1))

    Examples
    --------
    >>> symmetry_order(1), symmetry_order(2, pool=2), symmetry_order(5) == 24**341
    (24, 8, True)
    """
    levels, pool = _sizes("symmetry_order", levels, pool)
    return factorial(pool) ** ((pool**levels - 1) // (pool - 1))


def random_symmetry(levels: int, generator: torch.Generator, pool: int = 4) -> torch.Tensor:
    """A uniformly random symmetry: an independent random order of the children at every node.

    Parameters
    ----------
    levels : int
    generator : torch.Generator
    pool : int

    Returns
    -------
    torch.Tensor, shape (pool^levels,), int64
        Entry i is the leaf that comes to place i, leaves numbered as the tree meets them.

    Examples
    --------
    >>> symmetry = random_symmetry(2, torch.Generator().manual_seed(0))
    >>> all(len(set((block // 4).tolist())) == 1 for block in symmetry.split(4))  # blocks stay
    True
    """
    levels, pool = _sizes("random_symmetry", levels, pool)
    kind("random_symmetry: generator", generator, torch.Generator)
    if levels == 0:
        return torch.zeros(1, dtype=torch.int64, device="cpu")
    order = torch.randperm(pool, generator=generator, device="cpu")
    size = pool ** (levels - 1)
    return torch.cat([child * size + random_symmetry(levels - 1, generator, pool)
                      for child in order.tolist()])


def quadtree_places(levels: int) -> torch.Tensor:
    """The pixels of an image of side 2^levels, row by row numbers, as the quadtree meets them.

    Examples
    --------
    >>> quadtree_places(2).view(4, 4).tolist()  # every line is one 2×2 block
    [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    """
    levels = integer("quadtree_places: levels", levels, 0)
    pixels = torch.arange(4**levels, device="cpu")
    pixels = pixels.view((2,) * (2 * levels))  # bits of the row, of the column
    bits = [bit for level in range(levels) for bit in (level, levels + level)]
    return pixels.permute(bits).flatten()


def moved(images: torch.Tensor, symmetry: torch.Tensor) -> torch.Tensor:
    """Images whose pixels were exchanged by a symmetry of the quadtree.

    Parameters
    ----------
    images : torch.Tensor, shape (..., 2^n, 2^n)
    symmetry : torch.Tensor, shape (4^n,)
        From `random_symmetry`.

    Returns
    -------
    torch.Tensor, same shape

    Raises
    ------
    ValueError
        If the images do not have that many pixels.

    Examples
    --------
    >>> image = torch.arange(16).view(4, 4)
    >>> bool((moved(image, torch.arange(16)) == image).all())
    True
    """
    kind("moved: images", images, torch.Tensor)
    kind("moved: symmetry", symmetry, torch.Tensor)
    side = images.shape[-1]
    levels = side.bit_length() - 1
    if images.shape[-2:] != (2**levels, 2**levels) or len(symmetry) != 4**levels:
        raise ValueError(f"moved: images of {tuple(images.shape[-2:])} pixels and a symmetry of "
                         f"{len(symmetry)} places; need 2^n by 2^n and 4^n")
    places = quadtree_places(levels)
    result = images.flatten(-2).clone()
    result[..., places] = images.flatten(-2)[..., places[symmetry]]
    return result.view(images.shape)


def invariant_dimension(levels: int, dim: int, pool: int = 4) -> int:
    """The dimension of the tensors that no symmetry changes.

    Parameters
    ----------
    levels : int
    dim : int
        M, the dimension of every mode.
    pool : int

    Returns
    -------
    int
        The number of different inputs up to symmetry, when every leaf holds one of M templates:
        a_0 = M, and a_l = binomial(a_{l-1} + P - 1, P) multisets of P blocks of the level below.

    Examples
    --------
    >>> [invariant_dimension(levels, 2) for levels in range(4)]
    [2, 5, 70, 1088430]
    """
    levels, pool = _sizes("invariant_dimension", levels, pool)
    dim = integer("invariant_dimension: dim", dim, 1)
    for _ in range(levels):
        dim = comb(dim + pool - 1, pool)
    return dim


def side_orbits(levels: int, dim: int, pool: int = 4) -> int:
    """How many contents of one half of the root's children differ for an invariant function.

    Rows of the matricization that belong to contents of one orbit are equal, so this bounds the
    rank of an invariant tensor between two halves of the root's children (left and right of an
    image), whatever the widths of the network.

    Examples
    --------
    >>> [side_orbits(levels, 2) for levels in (1, 2)], [2**2, 2**8]
    ([3, 15], [4, 256])
    """
    levels, pool = _sizes("side_orbits", levels, pool)
    levels = integer("side_orbits: levels", levels, 1)
    if pool % 2:
        raise ValueError(f"side_orbits: pool={pool}; need an even number, two halves of it")
    below = invariant_dimension(levels - 1, dim, pool)
    return comb(below + pool // 2 - 1, pool // 2)


def _sizes(what, levels, pool):
    return integer(f"{what}: levels", levels, 0), integer(f"{what}: pool", pool, 2)
