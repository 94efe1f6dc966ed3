"""The effective receptive field: where a unit's gradient is, inside what it can see.

A theoretical field says which pixels can matter. How much each of them does is measured here, as
Luo et al. (2016) do: the gradient of one unit with respect to the pixels, over random images.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn

from ..checks import integer, is_integer, real
from .core import audit

TWO_SIGMA = 0.9545


@dataclass(eq=False)
class EffectiveField:
    """How much each pixel moves one unit.

    Parameters
    ----------
    influence : torch.Tensor
        Mean absolute gradient per pixel, shape of the image, with sum 1.
    theoretical : tuple of (int, int)
        First and last pixel that the unit can see, per axis.
    unit : tuple of int
        Its place in the map.
    """

    influence: torch.Tensor
    theoretical: tuple
    unit: tuple

    def size(self, share: float) -> tuple[int, ...]:
        """Pixels along each axis that hold a share of the influence, as few as possible.

        Raises
        ------
        ValueError
            If the share is not between 0 and 1.
        TypeError
            If it is no real number.
        """
        if not 0 < real("share of the influence", share) < 1:
            raise ValueError(f"share={share!r} of the influence: a number between 0 and 1")
        sizes = []
        for axis in range(self.influence.dim()):
            others = [d for d in range(self.influence.dim()) if d != axis]
            line = self.influence.sum(others) if others else self.influence
            sums = torch.cat([line.new_zeros(1), line.cumsum(0)])
            ends = torch.searchsorted(sums, sums + share * (1 - 1e-9))
            places = torch.arange(len(sums), device=sums.device)
            sizes.append(int((ends - places)[ends < len(sums)].min()))
        return tuple(sizes)

    @property
    def effective(self) -> tuple[int, ...]:
        """Pixels along each axis that hold 95.45 % of the influence, two standard deviations."""
        return self.size(TWO_SIGMA)


def effective_field(model: nn.Module, size: int | tuple = 224, layer: str | None = None,
                    unit: tuple | None = None, samples: int = 8, seed: int = 0,
                    channels: int | None = None) -> EffectiveField:
    """Measure how much each pixel moves one unit, with the weights that the module has.

    Parameters
    ----------
    model : torch.nn.Module
        A copy of it runs, in evaluation mode; the module itself is not touched.
    size : int or tuple of int
        Size of the input.
    layer : str, optional
        Name of a layer or module; the last grid over the image by default.
    unit : tuple of int, optional
        Its place in the map, one index per axis; the one in the middle by default.
    samples : int
        Random images, standard normal.
    seed : int
    channels : int, optional
        Input channels, guessed as by `audit`.

    Returns
    -------
    EffectiveField

    Raises
    ------
    ValueError
        As by `audit` and `Audit.box`; also if the layer is no module, so that its output cannot be
        caught, for a number of samples below 1, for weights on the meta device, and if no pixel
        moves the unit, as behind weights that are zero, or a gradient is not finite.
    TypeError
        If the seed is no integer, or the model no module.

    Notes
    -----
    Luo et al. (2016), "Understanding the effective receptive field in deep convolutional neural
    networks": gradients of random projections of the unit's channels.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1))
    >>> found = effective_field(net, 15, samples=2)
    >>> found.theoretical, found.influence.shape
    (((5, 9), (5, 9)), torch.Size([15, 15]))
    """
    if not is_integer(samples) or samples < 1:
        raise ValueError(f"samples={samples!r}: a positive number of random images")
    seed = integer("effective_field: seed", seed)
    report = audit(model, size, channels)
    if any(x.is_meta for x in model.parameters()):
        raise ValueError(f"{type(model).__name__} is on the meta device and has no weights: "
                         "nothing can be measured")
    value, name = report._value(layer)
    scope = value.call.scope if layer is None and value.call else name.partition(" #")[0]
    middle = tuple(n // 2 for n in value.shape[2:])
    unit = middle if unit is None else (unit,) if is_integer(unit) else tuple(unit)
    box = report.box(layer, unit)
    with torch.inference_mode(False):               # whose tensors know no gradients
        private, caught = copy.deepcopy(model).eval(), []
    modules = dict(private.named_modules())
    if scope not in modules:
        raise ValueError(f"layer {name!r} is no module, and its output cannot be caught; name one "
                         "of the modules")
    modules[scope].register_forward_hook(lambda module, args, out: caught.append(out))
    anchor = next(private.parameters(), torch.zeros((), device="cpu"))
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(report.size, dtype=torch.float64, device="cpu")
    drawn = {"generator": generator, "dtype": torch.float32, "device": "cpu"}
    with (torch.inference_mode(False), torch.enable_grad(),
          torch.autocast(anchor.device.type, enabled=False)):
        for _ in range(samples):
            caught.clear()
            image = torch.randn(report.trace.sources[0].shape, **drawn)
            image = image.to(anchor).requires_grad_()
            private(image)
            chosen = caught[-1][(0, slice(None), *unit)]
            weights = torch.randn(chosen.shape, **drawn).to(chosen)
            gradient, = torch.autograd.grad((chosen * weights).sum(), image)
            total = total + gradient[0].abs().sum(0).double().cpu()
    if not 0 < float(total.sum()) < float("inf"):
        raise ValueError(f"unit {box.unit} of {name!r} has gradients that add up to "
                         f"{float(total.sum())}: there is no influence to share out")
    return EffectiveField(total / total.sum(), box.pixels, box.unit)
