"""The photograph that Matplotlib ships: real image patches without a download."""

import torch

__all__ = ["photograph"]


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
