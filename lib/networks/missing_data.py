"""Classification with missing pixels: a generative ConvAC that integrates them out exactly.

`TensorialMixture` gives log P(what is seen | class) in one forward pass; `missing_pixels` and
`missing_rectangles` draw what is not seen.
"""

import contextlib
import math

import torch
from torch import nn

from ..checks import floats, integer, integers, kind, real
from .architecture import Architecture
from .log_space import SimplexConvAC

__all__ = ["TensorialMixture", "missing_pixels", "missing_rectangles"]


class TensorialMixture(nn.Module):
    """A tensorial mixture model of images: densities of patches below a ConvAC on the simplex.

    Parameters
    ----------
    architecture : Architecture
        Windows that split the cells below, without overlap, gap or padding; its channels are the
        components of the mixture, its output channels the classes.
    examples : torch.Tensor, shape (n, colors, height, width)
        Images whose patches the components start from; they fix colors and size.
    generator : torch.Generator
        Picks the patches and draws the logits.

    Raises
    ------
    ValueError
        If windows overlap, leave cells out, read padding or leave more than one output cell, or
        there are no images, or they do not split into the cells of the architecture.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    Component d is a normal distribution of patches with independent entries, the same at every
    place; its mean and the logarithm of its precision are parameters. A value that is not seen is
    left out of the product, which is what its integral leaves; a patch of which nothing is seen
    has the log-density 0. Sharir, Tamari, Cohen & Shashua (2017); book/log-space.md.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> images = torch.randn(50, 3, 8, 8, generator=generator)
    >>> architecture = Architecture(4, 6, ((2, 2, 5), (2, 2, 5), (1, 1, 10)))
    >>> model = TensorialMixture(architecture, images, generator=generator)
    >>> nothing = torch.zeros(50, 8, 8, dtype=torch.bool)
    >>> model(images).shape, bool(model(images, nothing).abs().max() < 1e-5)
    (torch.Size([50, 10]), True)
    """

    def __init__(
        self, architecture: Architecture, examples: torch.Tensor, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        kind("TensorialMixture: architecture", architecture, Architecture)
        kind("TensorialMixture: generator", generator, torch.Generator)
        floats("TensorialMixture: images", examples)
        if architecture.is_overlapping or architecture.output_sizes[-1] != (1, 1):
            raise ValueError(f"TensorialMixture: {architecture}; need windows without overlap and "
                             "one output cell, or the sum over a pixel is not a sum over leaves")
        _require_split(architecture)
        cells, sizes = architecture.size, tuple(examples.shape[2:])
        if len(cells) != 2 or len(sizes) != 2 or not examples.numel() or any(
                n % k for n, k in zip(sizes, cells)):
            raise ValueError(f"TensorialMixture: images of shape {tuple(examples.shape)} do not "
                             f"split into {cells} cells; need (n, colors, height, width)")
        self.patch, self.image = tuple(n // k for n, k in zip(sizes, cells)), examples.shape[1:]
        patches = self._patches(examples).flatten(1).T  # (all places, entries)
        if len(patches) < 2:
            raise ValueError("TensorialMixture: images with a single patch; need two or more for "
                             "a variance")
        chosen = torch.randint(len(patches), (architecture.channels,), generator=generator,
                               device=generator.device)
        self.means = nn.Parameter(patches[chosen].clone())
        start = -patches.var(0).clamp(min=1e-4).log()
        self.log_precisions = nn.Parameter(start.repeat(architecture.channels, 1))
        self.circuit = SimplexConvAC(architecture, generator=generator).to(examples)

    def _patches(self, images: torch.Tensor) -> torch.Tensor:
        """(n, colors, height, width) to (entries of a patch, n, *cells)."""
        (height, width), entries = self.patch, images.shape[1] * math.prod(self.patch)
        split = images.unflatten(3, (-1, width)).unflatten(2, (-1, height))
        return split.permute(1, 3, 5, 0, 2, 4).reshape(entries, len(images), *split.shape[2:5:2])

    def components(self, images: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
        """Log-densities of the components at every cell: (n, M, *cells).

        Parameters
        ----------
        images : torch.Tensor, shape (n, colors, height, width)
        seen : torch.Tensor of bool, shape (n, height, width), optional
            All pixels unless given; what stands in the others has no influence.

        Raises
        ------
        ValueError, TypeError
            If images or pixels have another shape, or the images another type than the means.
        """
        floats("TensorialMixture: images and means", images, self.means)
        wanted = len(images) if images.ndim else 0, *self.image
        if images.shape != wanted:
            raise ValueError(f"TensorialMixture: images of shape {tuple(images.shape)}; need "
                             f"(n, {', '.join(map(str, self.image))})")
        if seen is not None and kind("TensorialMixture: seen", seen, torch.Tensor).shape != (
                wanted[0], *wanted[2:]):
            raise ValueError(f"TensorialMixture: seen of shape {tuple(seen.shape)}; need "
                             f"{(wanted[0], *wanted[2:])}")
        if seen is not None and seen.dtype != torch.bool:  # 255 would count a pixel 255 times
            raise TypeError(f"TensorialMixture: seen of type {seen.dtype}; need torch.bool, such "
                            "as mask > 0")
        x = self._patches(images)
        known = torch.ones_like(images) if seen is None else seen[:, None].expand_as(images)
        known = self._patches(known.to(x.dtype))
        center = self.means.detach().mean(0)  # densities move with it, squares of 255 cancel badly
        x = torch.where(known > 0, x - center[:, None, None, None], 0)
        logs, mu, given = self.log_precisions, self.means - center, x.dtype
        if _cancel(x, logs):
            x, known, logs, mu = (part.double() for part in (x, known, logs, mu))
        tau = logs.exp()
        constant = tau * mu**2 - logs + math.log(2 * math.pi)
        linear = torch.cat([tau, -2 * tau * mu, constant], dim=1)  # (M, 3 entries)
        with _full_precision(x.device.type):  # squares cancel here, half precision leaves nothing
            sums = linear @ torch.cat([x**2, x, known]).flatten(1)
        return -sums.to(given).unflatten(1, x.shape[1:]).movedim(0, 1) / 2

    def forward(self, images: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
        """log P(seen pixels | class): (n, classes); arguments as `components`."""
        return self.circuit(self.components(images, seen))[0][:, :, 0, 0]


def _cancel(x: torch.Tensor, log_precisions: torch.Tensor) -> bool:
    """Whether squares over variances are so large that their roundings count in a log-density.

    So they are once a component has learned that a pixel, of a black border say, never changes.
    """
    if x.device.type == "mps" or not x.numel():  # which has no float64
        return False
    spread = x.detach().abs().amax(dim=(1, 2, 3)).double()
    largest = (2 * spread.log() + log_precisions.detach().double().amax(0)).max()
    return bool(largest > math.log(0.01 / torch.finfo(x.dtype).eps))


def _full_precision(device: str) -> contextlib.AbstractContextManager:
    """Where a caller's autocast does not reach."""
    if not torch.amp.is_autocast_available(device):
        return contextlib.nullcontext()
    return torch.autocast(device, enabled=False)


def _require_split(architecture: Architecture) -> None:
    """Refuse windows without overlap that leave cells out or read padding, the log of 0."""
    layers = zip(architecture.windows, architecture.strides, architecture.output_sizes,
                 architecture.output_sizes[1:], strict=False)
    for layer, axes in enumerate((zip(*sizes, strict=True) for sizes in layers), 1):
        for window, stride, cells, outputs in axes:
            if outputs * window != cells or (outputs - 1) * stride + window > cells:
                raise ValueError(f"TensorialMixture: {architecture}; layer {layer} does not split "
                                 f"{cells} cells into windows of {window} with stride {stride}; "
                                 "need windows that leave no cell out and read no padding, which "
                                 "is the log of 0")


def missing_pixels(
    count: int, size: tuple[int, int], share: float, generator: torch.Generator
) -> torch.Tensor:
    """Which pixels are seen when each is missing with a probability, independently.

    Returns
    -------
    torch.Tensor of bool, shape (count, *size)
        True where a pixel is seen.

    Examples
    --------
    >>> seen = missing_pixels(100, (10, 10), 0.25, torch.Generator().manual_seed(0))
    >>> 0.7 < seen.float().mean().item() < 0.8
    True
    """
    count = integer("missing_pixels: count", count, 0)
    size = _sides("missing_pixels", size)
    kind("missing_pixels: generator", generator, torch.Generator)
    if not 0 <= real("missing_pixels: share", share) <= 1:
        raise ValueError(f"missing_pixels: share={share!r}; need a probability")
    drawn = torch.rand(
        count, *size, generator=generator, dtype=torch.float32, device=generator.device)
    return drawn >= float(share)


def missing_rectangles(
    count: int, size: tuple[int, int], number: int, side: int, generator: torch.Generator
) -> torch.Tensor:
    """Which pixels are seen when squares at random places, inside the image, are missing.

    Returns
    -------
    torch.Tensor of bool, shape (count, *size)
        True where a pixel is seen. Squares may overlap.

    Examples
    --------
    >>> seen = missing_rectangles(100, (16, 16), 1, 4, torch.Generator().manual_seed(0))
    >>> bool((seen.sum((1, 2)) == 16 * 16 - 4 * 4).all())
    True
    """
    count, number, side = (
        integer(f"missing_rectangles: {name}", value, 0)
        for name, value in (("count", count), ("number", number), ("side", side)))
    size = _sides("missing_rectangles", size)
    kind("missing_rectangles: generator", generator, torch.Generator)
    if not 1 <= side <= min(size):
        raise ValueError(f"missing_rectangles: side={side!r}; need a side from 1 to {min(size)}")
    device = generator.device
    seen = torch.ones(count, *size, dtype=torch.bool, device=device)
    for _ in range(number):
        hit = []
        for length in size:
            first = torch.randint(
                length - side + 1, (count, 1), generator=generator, device=device)
            place = torch.arange(length, device=device)
            hit.append((place >= first) & (place < first + side))
        seen &= ~(hit[0][:, :, None] & hit[1][:, None, :])
    return seen


def _sides(operation, size):
    sides = integers(f"{operation}: size", size, 1)
    if len(sides) != 2:
        raise ValueError(f"{operation}: size={sides}; need (height, width)")
    return sides
