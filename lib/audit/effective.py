"""The effective receptive field: where a unit's gradient is, inside what it can see.

A theoretical field says which pixels can matter. How much each of them does is measured here, as
Luo et al. (2016) do: the gradient of one unit with respect to the pixels, over random images.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ..checks import integer, is_integer, real
from ..exact.device import usual_modes
from .core import Audit, audit
from .geometry import is_map
from .places import layout, named_value, unit_box, unit_index
from .seal import copied, generators_kept, unwrapped
from .trace import _tensors

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
            ends = torch.searchsorted(sums, sums + share * (1 - 1e-6))  # gradients are of 32 bits
            places = torch.arange(len(sums), device=sums.device)
            sizes.append(int((ends - places)[ends < len(sums)].min()))
        return tuple(sizes)

    @property
    def effective(self) -> tuple[int, ...]:
        """Pixels along each axis that hold 95.45 % of the influence, two standard deviations."""
        return self.size(TWO_SIGMA)


def effective_field(model: nn.Module, size: int | tuple = 224, layer: str | None = None,
                    unit: tuple | None = None, samples: int = 8, seed: int = 0,
                    channels: int | None = None, upto: str | None = None) -> EffectiveField:
    """Measure how much each pixel moves one unit, with the weights that the module has.

    Parameters
    ----------
    model : torch.nn.Module
        A copy of it runs, in evaluation mode; the module itself is not touched.
    size : int or tuple of int
        Size of the input.
    layer : str, optional
        Name of a layer or module; by default the last grid over the image that a module returns.
    unit : tuple of int, optional
        Its place in the map, as for `Audit.box`; the one in the middle by default.
    samples : int
        Random images, standard normal.
    seed : int
    channels : int, optional
        Input channels, guessed as by `audit`.
    upto : str, optional
        Name of the last module to look at, as for `audit`; what follows may then be anything that
        runs.

    Returns
    -------
    EffectiveField

    Raises
    ------
    ValueError
        As by `audit` and `Audit.box`; also if the layer is no module, or is not what its module
        returns, so that it cannot be caught, for a number of samples below 1, for weights on the
        meta device or not made yet, for a module of which PyTorch gives no gradients, and if no
        pixel moves the unit, as behind weights that are zero, or a gradient is not finite.
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
    report = _audited(model, size, channels, upto)
    model = getattr(model, "_orig_mod", model)      # a compiled module wraps the original
    weightless = "on the meta device" if any(x.is_meta for x in model.parameters()) else (
        "to be run once" if any(map(is_lazy, model.parameters())) else "")
    if weightless:
        raise ValueError(f"{type(model).__name__} is {weightless} and has no weights: nothing can "
                         "be measured")
    modules = {unwrapped(name) for name, _ in model.named_modules()}
    value, name, scope, turn, place = _returned(report, layer, modules)
    box, index = _unit(report, value, name, unit)
    caught = []

    def catch(module: nn.Module, args: tuple, result: object) -> None:
        here = len(caught) == turn                  # a copy: what follows may write to it
        caught.append([x for _, x in _tensors(result)][place][index].clone() if here else None)

    try:
        private = _copied(model)
        private.get_submodule(scope).register_forward_hook(catch, prepend=True)
        total = _influence(private, report, caught, turn, samples, seed)
    except RuntimeError as error:
        raise ValueError(f"{type(model).__name__} gives no gradients that could be measured: "
                         f"{str(error).strip().partition(chr(10))[0]}") from error
    if not 0 < float(total.sum()) < float("inf"):
        raise ValueError(f"unit {box.unit} of {name!r} has gradients that add up to "
                         f"{float(total.sum())}: there is no influence to share out")
    return EffectiveField(total / total.sum(), box.pixels, box.unit)


def _audited(model: nn.Module, size: int | tuple, channels: int | None, upto: str | None) -> Audit:
    """The audit on an image; where it fails, nothing is advised that is not to be had here."""
    try:
        return audit(model, size, channels, upto=upto)
    except ValueError as error:
        failure, advised, _ = str(error).partition(" (inputs= ")
        if not advised:
            raise
        raise ValueError(f"{failure} (an effective field is that of a network of one image; a "
                         "module around this one can give it anything else)") from error


def _returned(report: object, layer: str | None, modules: set) -> tuple:
    """The tensor to measure: value, name, module, in which of its calls, which of its results."""
    found, turns = {}, Counter()
    for scope, values in report.trace.results:
        if scope not in modules:                    # held by a function, say
            continue
        for place, value in enumerate(values):
            found.setdefault((value, scope), (turns[scope], place))
        turns[scope] += 1
    if layer is None:
        scopes = {value: scope for value, scope in reversed(found)}     # the innermost module
        value = next((v for call in reversed(report.trace.calls) for v in call.outputs
                      if v in scopes and is_map(report.virtual.get(v))), None)
        if value is None:
            raise ValueError("no module returns a grid over the image; name one of the modules")
        scope = scopes[value]
        name = report.names.get(value.call, scope or report.name)
        return value, name, scope, *found[value, scope]
    value, name = named_value(report, layer)
    scope = name.partition(" #")[0]
    if scope not in modules:
        raise ValueError(f"layer {name!r} is no module, and its output cannot be caught; name one "
                         "of the modules")
    if (value, scope) not in found:
        raise ValueError(f"layer {name!r} is not what module {scope!r} returns, and cannot be "
                         "caught; name a module that returns it")
    return value, name, scope, *found[value, scope]


def _unit(report: object, value: object, name: str, unit: object) -> tuple:
    """The box of a unit, by default the one in the middle, and its index with all channels."""
    dims = layout(report, value)[1]
    if unit is None and dims is not None:
        unit = tuple(value.shape[d] // 2 for d in dims)
    unit, index = unit_index(report, value, name, unit)
    return unit_box(report, value, name, unit), index


def _copied(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode; weights that are computed anew in every run come along."""
    with torch.inference_mode(False):               # whose tensors know no gradients
        return copied(model, lambda x: None if x.is_leaf else x.detach().clone()).eval()


def _influence(private: nn.Module, report: object, caught: list, turn: int, samples: int,
               seed: int) -> torch.Tensor:
    """Sum of absolute gradients over random images, per pixel."""
    anchor = next(private.parameters(), torch.zeros((), device="cpu"))
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(report.size, dtype=torch.float64, device="cpu")
    drawn = {"generator": generator, "dtype": torch.float32, "device": "cpu"}
    with usual_modes(anchor.device.type), generators_kept():
        # for a network that draws numbers; with the same seed its first noise would be the image
        torch.default_generator.manual_seed(seed ^ 1)
        for _ in range(samples):
            caught.clear()
            image = torch.randn(report.trace.sources[0].shape, **drawn)
            image = image.to(anchor).requires_grad_()
            private(image.clone())                  # whose first layer may write to it
            chosen = caught[turn]
            weights = torch.randn(chosen.shape, **drawn).to(chosen)
            gradient, = torch.autograd.grad((chosen * weights).sum(), image)
            total = total + gradient[0].abs().sum(0).double().cpu()
    return total
