"""Circuits in log-space: SimNets' operators, and ConvACs that neither underflow nor overflow.

`mex` is the log-mean-exp of SimNets for any exponent, infinite ones included; `Mex` and
`Similarity` are the two layers of a SimNet. `log_forward` runs the network of an architecture on
numbers stored as (log|x|, sign x); `LogConvAC` and `SimplexConvAC` train it.
"""

import math
from itertools import product

import torch
from torch import nn

from ..checks import flag, integer, integers, kind, native, real, shown
from .architecture import Architecture, Weights
from .convolutional import require_input
from .modules import ConvAC, standard_normal

__all__ = ["LogConvAC", "Mex", "Similarity", "SimplexConvAC", "log_forward", "mex", "signed_log"]


def _require_first(operation):
    """Refuse a derivative that is to be differentiated: what was saved would count as constant."""
    if torch.is_grad_enabled():  # by create_graph=True
        raise RuntimeError(f"{operation}: second derivatives (create_graph=True) are not known here"
                           + ", where a sum underflows or is 0" * (operation == "log_forward"))


class _Mex(torch.autograd.Function):
    """MEX over the last axis, with a gradient that neither cancels nor overflows."""

    @staticmethod
    def forward(ctx, values, beta):
        pivot = torch.where(beta[..., 0] < 0, values.amin(-1), values.amax(-1))[..., None]
        gaps = torch.where(values == pivot, 0, values - pivot)  # one sign, so no exponential > 1
        powers = torch.where(gaps == 0, 0, beta * gaps)  # also for infinite beta
        powers = torch.where(beta == 0, 0, powers)
        below = torch.expm1(powers).mean(-1, keepdim=True)
        log_mean = torch.where(  # of one among many, 1 plus a number near -1 has lost its digits
            below < -0.5, powers.exp().mean(-1, keepdim=True).log(), below.log1p())
        shares = powers.softmax(-1)
        # near beta = 0 the quotients lose all digits: cumulants of the gaps instead
        first = gaps.mean(-1, keepdim=True)
        centered = torch.where(gaps.isinf(), 0, gaps - first)
        scaled, widest = beta * centered, gaps.abs().amax(-1, keepdim=True)
        unit = torch.where((widest > 0) & ~widest.isinf(), widest, 1)
        # in this unit: squares of the gaps themselves overflow, in half precision from 256 on
        second, third, fourth = ((scaled**k * (centered / unit)**2).mean(-1, keepdim=True)
                                 for k in range(3))
        small, step = (beta * widest).abs(), beta * unit
        epsilon = torch.finfo(values.dtype).eps
        mean = torch.where(small < epsilon**0.5, first + step * second / 2 * unit, log_mean / beta)
        mean = torch.where(beta == 0, first, mean)
        spread = torch.where(shares > 0, shares * gaps, 0).sum(-1, keepdim=True)
        series = second / 2 + third / 3 + (fourth - 3 * (step * second) * (step * second)) / 8
        series = series * unit * unit
        slope = torch.where((small < epsilon**0.25) | (beta == 0), series, (spread - mean) / beta)
        ctx.save_for_backward(shares, torch.where(mean.isinf(), 0, slope))  # no slope at a jump
        # below 0 the log of zero is the result, also where the mean overflows, in half precision
        return torch.where(pivot.isinf(), pivot, pivot + mean)[..., 0]

    @staticmethod
    def backward(ctx, gradient):
        _require_first("mex")
        shares, slope = ctx.saved_tensors
        gradient = gradient[..., None]
        return gradient * shares, gradient * slope


def mex(values: torch.Tensor, beta: float | torch.Tensor, dim: int = -1) -> torch.Tensor:
    """The MEX of SimNets: log-mean-exp with an exponent, between minimum and maximum.

    Parameters
    ----------
    values : torch.Tensor
        Floating point; entries below plus infinity, minus infinity stands for the log of 0.
    beta : float or torch.Tensor
        Any number and both infinities, or one for each entry of the result (broadcast).
    dim : int
        The axis that disappears.

    Returns
    -------
    torch.Tensor
        ``log(mean(exp(beta * values))) / beta``; the mean for 0, the maximum for plus infinity and
        the minimum for minus infinity.

    Raises
    ------
    ValueError
        If there is nothing to take the mean of, or a value is NaN or plus infinity.

    Notes
    -----
    First derivatives by values and exponent, and no second ones; they are the limits where beta is
    0 or infinite, and equal entries that are all the maximum share the derivative. Cohen, Sharir &
    Shashua, Deep SimNets (2016); book/log-space.md.

    Examples
    --------
    >>> values = torch.tensor([0.0, 1.0, 5.0])
    >>> [round(mex(values, beta).item(), 3) for beta in (-math.inf, -1, 0, 1, math.inf)]
    [0.0, 0.78, 2.0, 3.926, 5.0]
    """
    if not isinstance(values, torch.Tensor):
        raise TypeError(f"mex: needs a tensor, got {type(values).__name__}")
    last = max(values.ndim - 1, 0)
    dim = integer("mex: dim", dim, -last - 1, last)
    if not values.is_floating_point() or values.ndim == 0 or values.shape[dim] == 0:
        raise ValueError(f"mex: values of type {values.dtype} and shape {tuple(values.shape)}; "
                         f"need floating point and at least one entry along axis {dim}")
    if bool((values.isnan() | (values == math.inf)).any()):
        raise ValueError("mex: a value is NaN or plus infinity; need numbers below infinity")
    values, beta = values.movedim(dim, -1), native(beta)
    if not isinstance(beta, torch.Tensor):
        if isinstance(beta, bool) or not isinstance(beta, (int, float)):
            raise TypeError(f"mex: beta={shown(beta)}; need a real number or a tensor of them")
        beta = torch.tensor(beta, dtype=values.dtype, device=values.device)
    if beta.is_complex() or beta.dtype == torch.bool or bool(beta.isnan().any()):
        raise ValueError(f"mex: beta={beta.tolist()}; need real numbers, infinite ones included")
    beta, shape = beta.to(values), values.shape[:-1]
    sides = zip(reversed(beta.shape), reversed(shape))
    if beta.ndim > len(shape) or any(side not in (1, needed) for side, needed in sides):
        raise ValueError(f"mex: beta of shape {tuple(beta.shape)}; the result has shape "
                         f"{tuple(shape)}, need a number or a shape that broadcasts to it")
    return _Mex.apply(values, beta.expand(shape)[..., None])


class Mex(nn.Module):
    """A MEX layer: outputs ``mex(x + offsets[k], beta)`` over the last axis.

    Parameters
    ----------
    inputs, outputs : int
    beta : float
        Trained with the offsets if it is finite.
    generator : torch.Generator
        Source of the offsets: standard normal.

    Raises
    ------
    ValueError, TypeError
        If an argument is of another kind, a size below 1 or the exponent NaN.

    Examples
    --------
    >>> layer = Mex(3, 2, beta=1.0, generator=torch.Generator().manual_seed(0))
    >>> layer(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(self, inputs: int, outputs: int, beta: float, *, generator: torch.Generator):
        super().__init__()
        inputs, outputs = integers("Mex: inputs and outputs", (inputs, outputs), 1)
        kind("Mex: generator", generator, torch.Generator)
        beta = kind("Mex: beta", beta, int, float)
        if isinstance(beta, bool) or math.isnan(beta):
            raise ValueError(f"Mex: beta={beta}; need a real number, infinite ones included")
        self.offsets = nn.Parameter(standard_normal((outputs, inputs), generator))
        self.beta = nn.Parameter(torch.tensor(float(beta)), requires_grad=math.isfinite(beta))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., inputs) to (..., outputs)."""
        return mex(_last_axis("Mex", x, self.offsets) + self.offsets, self.beta)


class Similarity(nn.Module):
    """A similarity layer: ``sum(u * phi(x, z))`` between the last axis of x and templates z.

    Parameters
    ----------
    inputs, templates : int
    power : float or None
        phi is ``-|x - z| ** power``, at least 1; with None it is the product ``x * z``.
    generator : torch.Generator
        Source of the templates: standard normal.

    Raises
    ------
    ValueError
        If the power is below 1, where the derivative at a template is infinite, or infinite.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    The weights u stay positive: their logarithms are the parameters, 0 at the start. With power 2
    and the constants of `log_normalization` the outputs are log-densities of normal distributions.
    Cohen, Sharir & Shashua, Deep SimNets (2016); book/log-space.md.

    Examples
    --------
    >>> layer = Similarity(4, 3, power=2, generator=torch.Generator().manual_seed(0))
    >>> layer(layer.templates).argmax(1)  # every template is most similar to itself
    tensor([0, 1, 2])
    """

    def __init__(
        self, inputs: int, templates: int, power: float | None = 2, *, generator: torch.Generator
    ):
        super().__init__()
        inputs, templates = integers(
            "Similarity: inputs and templates", (inputs, templates), 1)
        kind("Similarity: generator", generator, torch.Generator)
        power = None if power is None else real("Similarity: power", power)
        if power is not None and power < 1:
            raise ValueError(f"Similarity: power {power!r}; need at least 1, or None for products")
        self.power = power
        self.templates = nn.Parameter(standard_normal((templates, inputs), generator))
        self.log_weights = nn.Parameter(torch.zeros(templates, inputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., inputs) to (..., templates)."""
        x = _last_axis("Similarity", x, self.templates)
        if self.power is None:
            return (self.log_weights.exp() * x * self.templates).sum(-1)
        gaps = x - self.templates  # the second derivative of |x|^2 would be lost at 0
        sizes = gaps.square() if self.power == 2 else gaps.abs().pow(self.power)
        return -(self.log_weights.exp() * sizes).sum(-1)

    def log_normalization(self) -> torch.Tensor:
        """What makes the exponential of every output a density: (templates,), for a power.

        Raises
        ------
        ValueError
            If the outputs are products: the integrals of their exponentials are infinite.

        Examples
        --------
        >>> layer = Similarity(1, 1, generator=torch.Generator().manual_seed(0))
        >>> x = torch.linspace(-9, 9, 1801)[:, None]
        >>> density = (layer(x) + layer.log_normalization()).exp()
        >>> round(density.sum().item() / 100, 4)
        1.0
        """
        if self.power is None:
            raise ValueError("Similarity.log_normalization: power None; need a power, exponentials "
                             "of products have no finite integral")
        side = math.lgamma(1 + 1 / self.power) + math.log(2)  # the integral of exp(-|x|^p)
        return (self.log_weights / self.power - side).sum(-1)


def _last_axis(layer, x, weights):
    """The input beside the outputs; one of a single number would be spread over all inputs."""
    if kind(f"{layer}: input", x, torch.Tensor).ndim == 0 or x.shape[-1] != weights.shape[-1]:
        raise ValueError(f"{layer}: input of shape {tuple(x.shape)}; need "
                         f"(..., {weights.shape[-1]})")
    return x[..., None, :]


class _SignedMix(torch.autograd.Function):
    """(log, sign) of ``weight @ x`` for x of (log, sign), term by term: nothing underflows."""

    @staticmethod
    def forward(ctx, log, sign, weight):
        terms = weight.abs().log()[..., None] + log.unsqueeze(-3)  # (*cells, D, C, batch)
        top = terms.amax(-2, keepdim=True)
        top = torch.where(top.isinf(), 0, top)
        parts = (terms - top).exp() * weight.sign()[..., None] * sign.unsqueeze(-3)
        total = parts.sum(-2, keepdim=True)
        mixed = top + total.abs().log()
        per_unit = log.unsqueeze(-3) - top - total.abs().log()  # of the derivative by a weight
        # its square root: what arrives from above may be as small as this is large
        root = (per_unit / 2).clamp(max=math.log(torch.finfo(log.dtype).max) - 1).exp()
        root = root * sign.unsqueeze(-3) * total.sign()
        dead = total == 0  # the log of 0 has no derivative: these get 0
        ctx.save_for_backward(torch.where(dead, 0, parts / total), torch.where(dead, 0, root))
        ctx.shapes = log.shape, weight.shape
        ctx.mark_non_differentiable(signs := total.sign()[..., 0, :])
        return mixed[..., 0, :], signs

    @staticmethod
    def backward(ctx, gradient, _):
        _require_first("log_forward")
        shares, root = ctx.saved_tensors
        gradient = gradient.unsqueeze(-2)  # (*cells, D, 1, batch)
        largest = torch.finfo(gradient.dtype).max / math.e
        by_weight = (gradient * root.abs() * root).clamp(-largest, largest)
        to_log, to_weight = (gradient * shares).sum(-3), by_weight.sum(-1)
        return (to_log.sum_to_size(ctx.shapes[0]), None, to_weight.sum_to_size(ctx.shapes[1]))


def _mix(log, sign, weight):
    """(log, sign) of ``weight @ x``: by a scaled matrix product where that is safe."""
    top = log.amax(-2, keepdim=True).detach()
    top = torch.where(top.isinf(), 0, top)
    total = weight @ (sign * (log - top).exp())
    floor = torch.finfo(total.dtype).tiny / torch.finfo(total.dtype).eps
    if bool((total.detach().abs() < floor).any()):  # an underflow, or a true zero
        return _SignedMix.apply(log, sign, weight)
    return top + total.abs().log(), total.sign().detach()


def signed_log(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The pair (log|x|, sign x); 0 becomes (minus infinity, 0).

    Examples
    --------
    >>> signed_log(torch.tensor([-1.0, 0.0, 1.0]))
    (tensor([0., -inf, 0.]), tensor([-1.,  0.,  1.]))
    """
    if not isinstance(x, torch.Tensor) or x.is_complex():
        raise TypeError("signed_log: needs a tensor of real numbers, got "
                        f"{getattr(x, 'dtype', type(x).__name__)}")
    zero = x == 0  # its log has no derivative: 0 is passed on
    return torch.where(zero, -math.inf, torch.where(zero, 1, x).abs().log()), x.sign()


def log_forward(
    architecture: Architecture,
    weights: Weights,
    log: torch.Tensor,
    sign: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run the product network of an architecture on numbers kept as (log|x|, sign x).

    Parameters
    ----------
    architecture : Architecture
    weights : list of (weight, bias), one pair per layer
        Ordinary real numbers, as :func:`lib.networks.convolutional.forward` takes them.
    log : torch.Tensor, shape (batch, M, *cells)
        Logarithms of the absolute representation values; minus infinity for 0.
    sign : torch.Tensor of the same shape, optional
        -1, 0 or 1; all positive unless given.

    Returns
    -------
    log, sign : torch.Tensor, shape (batch, D_L, *output cells)

    Raises
    ------
    ValueError
        If the weights or the input do not fit the architecture, or a sign is none.
    TypeError
        If an argument is of another kind, or the tensors are not of one floating point type.

    Notes
    -----
    A product is a sum of logarithms, a sum of products a logarithm of a sum of exponentials whose
    largest term is taken out first. Padding is the log of 0. The derivative of log|y| is 1/y: where
    y is exactly 0 there is none, and 0 is returned in its place; so it is where y is so far below
    what it is added to that its share underflows, e^-103 in single precision. There are no second
    derivatives where a sum underflows or is 0. book/log-space.md.

    Examples
    --------
    >>> net = Architecture((512,), 1, ((512, 512, 1),))
    >>> weights = [(torch.full((1, 1, 512), -0.5), None)]
    >>> log, sign = log_forward(net, weights, torch.zeros(1, 1, 512))
    >>> round(log.item() / math.log(0.5), 1), sign.item()  # 0.5 ** 512 is 0 in float32
    (512.0, 1.0)
    """
    require_input("log_forward", architecture, weights, log, *(() if sign is None else (sign,)))
    sign = torch.ones_like(log) if sign is None else sign
    if sign.shape != log.shape:
        raise ValueError(f"log_forward: signs of shape {tuple(sign.shape)} for logarithms of shape "
                         f"{tuple(log.shape)}; need the same")
    if bool((sign != sign.sign()).any()):  # the numbers themselves would enter as factors
        raise ValueError("log_forward: signs other than -1, 0 and 1; need what signed_log gives")
    cells, signs = (x.movedim((0, 1), (-1, -2)) for x in (log, sign))  # (*cells, C, batch)
    for (weight, bias), stride in zip(weights, architecture.strides, strict=True):
        cells, signs = _log_layer(cells, signs, weight, bias, stride)
    return cells.movedim((-1, -2), (0, 1)), signs.movedim((-1, -2), (0, 1))


def _log_layer(cells, signs, weight, bias, stride):
    """One generalized convolution with product pooling, cells first."""
    axes = cells.ndim - 2
    lead = weight.ndim - 2 - axes  # 0, or the output cells of an unshared layer
    if bias is not None:  # the bias is the weight of a channel that is always 1
        cells = torch.cat([cells, torch.zeros_like(cells[..., :1, :])], dim=-2)
        signs = torch.cat([signs, torch.ones_like(signs[..., :1, :])], dim=-2)
        weight = torch.cat([weight, bias.unsqueeze(lead + 1)], dim=lead + 1)
    outputs = tuple(-(-n // s) for n, s in zip(cells.shape[:axes], stride, strict=True))
    log, sign = 0, 1
    for offset in product(*map(range, weight.shape[-axes:])):
        seen = tuple(slice(o, None, s) for o, s in zip(offset, stride, strict=True))
        matrix, within = weight[(..., *offset)], tuple(map(slice, cells[seen].shape[:axes]))
        factor, side = _mix(cells[seen], signs[seen], matrix[within] if lead else matrix)
        if factor.shape[:axes] != outputs:  # the other windows see padding at this offset
            there = torch.zeros_like(matrix[..., -1]) if bias is None else matrix[..., -1]
            shape = (*outputs, *factor.shape[-2:])
            whole, sides = (x[..., None].expand(shape).clone() for x in signed_log(there))
            whole[within], sides[within] = factor, side
            factor, side = whole, sides
        log, sign = log + factor, sign * side
    return log, sign


class LogConvAC(ConvAC):
    """A convolutional arithmetic circuit that computes with (log|x|, sign x).

    Parameters
    ----------
    As :class:`lib.networks.modules.ConvAC`, whose weights it has; only products are pooled.

    Raises
    ------
    ValueError, TypeError
        As :class:`lib.networks.modules.ConvAC`, and for any other pooling or an activation.

    Notes
    -----
    Input (batch, M, *cells): logarithms of the absolute representation values, and their signs
    unless all are positive. Output: the same two of shape (batch, D_L, *output cells).

    Examples
    --------
    >>> net = LogConvAC(Architecture(4, 2, ((3, 2, 8), (2, 2, 10))),
    ...                 generator=torch.Generator().manual_seed(0))
    >>> log, sign = net(torch.zeros(5, 2, 4, 4))
    >>> log.shape
    torch.Size([5, 10, 1, 1])
    """

    @staticmethod
    def _check(pooling, activation) -> None:
        if not isinstance(pooling, str) or pooling != "product" or activation is not None:
            raise ValueError(f"LogConvAC: {shown(pooling)} pooling with activation "
                             f"{shown(activation)}; logarithms turn products into sums, only those")

    def forward(
        self, log: torch.Tensor, sign: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return log_forward(self.architecture, self.weights, log, sign)


class SimplexConvAC(LogConvAC):
    """A ConvAC without biases whose weight vectors are probabilities, in log-space.

    Parameters
    ----------
    architecture : Architecture
    shared : bool
        One kernel for all windows of a layer, or one for every output cell.
    generator : torch.Generator
        Source of the logits: standard normal.

    Raises
    ------
    TypeError
        If an argument is of another kind.
    ValueError
        By `from_weights`, if the weights are no probabilities.

    Notes
    -----
    The parameters are logits; `weights` are their softmax over the channels of the layer below.
    `from_weights` takes the probabilities. On log-densities the outputs are log-densities as long
    as windows neither overlap nor read padding, the log of 0 (book/log-space.md).

    Examples
    --------
    >>> net = SimplexConvAC(Architecture(4, 2, ((2, 2, 8), (2, 2, 10))),
    ...                     generator=torch.Generator().manual_seed(0))
    >>> log, _ = net(torch.zeros(5, 2, 4, 4))  # all ones in, all ones out
    >>> bool(log.abs().max() < 1e-5)
    True
    """

    def __init__(
        self, architecture: Architecture, shared: bool = True, *, generator: torch.Generator
    ) -> None:
        nn.Module.__init__(self)
        kind("SimplexConvAC: architecture", architecture, Architecture)
        kind("SimplexConvAC: generator", generator, torch.Generator)
        flag("SimplexConvAC: shared", shared)
        drawn = [(standard_normal(shape, generator).softmax(-architecture.ndim - 1), None)
                 for shape, _ in architecture.weight_shapes(shared)]
        self._set(architecture, drawn, "product", None)

    def _set(self, architecture, weights, pooling, activation) -> None:
        axis = -architecture.ndim - 1
        for layer, (weight, bias) in enumerate(weights, 1):
            wide = torch.promote_types(weight.dtype, torch.float32)
            off = (weight.sum(axis, dtype=wide) - 1).abs().max().item()
            allowed = max(1e-4, torch.finfo(weight.dtype).eps)  # half precision rounds more
            if bias is not None or weight.min() < 0 or not off < allowed:
                raise ValueError(f"SimplexConvAC: layer {layer} has weights from "
                                 f"{weight.min().item():.3g} whose sums are off 1 by {off:.3g}, "
                                 f"bias {bias is not None}; need probabilities and no bias")
        logits = [(weight.log(), None) for weight, _ in weights]
        super()._set(architecture, logits, pooling, activation)

    @property
    def weights(self) -> list[tuple[torch.Tensor, None]]:
        """One (weight, None) per layer: probabilities."""
        axis = -self.architecture.ndim - 1
        return [(logits.softmax(axis), None) for logits, _ in super().weights]
