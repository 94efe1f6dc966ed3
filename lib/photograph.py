"""The photograph that Matplotlib ships: real image patches without a download."""

import torch

from .checks import integer, kind

__all__ = ["photograph", "photograph_patches"]


def photograph() -> torch.Tensor:
    """The portrait of Grace Hopper among Matplotlib's sample data.

    Returns
    -------
    torch.Tensor of uint8, shape (600, 512, 3)
        Height, width, and red, green, blue.

    Examples
    --------
    >>> photograph().shape
    torch.Size([600, 512, 3])
    """
    from matplotlib import cbook, image

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        return torch.from_numpy(image.imread(file, format="jpg").copy())


def photograph_patches(size: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """Patches cut at random from the photograph that Matplotlib ships (Grace Hopper, 1984).

    Parameters
    ----------
    size : int
        Height and width of a patch in pixels.
    count : int
    generator : torch.Generator

    Returns
    -------
    torch.Tensor of int64 in 0..255, shape (count, size * size * 3)

    Examples
    --------
    >>> photograph_patches(8, 3, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 192])
    """
    count = integer("photograph_patches: count", count, 0)
    kind("photograph_patches: generator", generator, torch.Generator)
    pixels = photograph()  # (600, 512, 3) uint8
    height, width = pixels.shape[:2]
    size = integer("photograph_patches: size", size, 1, min(height, width))
    tops, lefts = (torch.randint(side - size + 1, (count,), generator=generator,
                                 device=generator.device).tolist() for side in (height, width))
    patches = torch.empty(count, size, size, 3, dtype=torch.int64, device="cpu")
    for patch, top, left in zip(patches, tops, lefts):
        patch.copy_(pixels[top : top + size, left : left + size])
    return patches.flatten(1)
