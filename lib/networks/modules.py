"""Trainable torch modules of generalized convolutions, and their initialization."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from ..checks import choice, flag, floats, integer, kind
from ..exact.arithmetic import Real
from .architecture import Architecture, Shapes, Weights
from .convolutional import POOLINGS, Activation, checked_activation, forward

__all__ = ["ConvAC", "initial_weights", "standard_normal"]


def standard_normal(shape: Sequence[int], generator: torch.Generator) -> torch.Tensor:
    """Standard normal numbers, drawn where the generator is, on the default device.

    Examples
    --------
    >>> standard_normal((2, 3), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3])
    """
    drawn = torch.randn(*shape, generator=generator, device=generator.device)
    return drawn.to(torch.empty(0).device)


def initial_weights(
    shapes: Shapes,
    axes: int,
    bias: bool,
    generator: torch.Generator,
    pooling: str = "product",
    activation: str | Activation | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Random weights of a layer: products start near 1, sums keep the scale of their inputs.

    Parameters
    ----------
    shapes : (weight shape, bias shape)
        As in :meth:`Architecture.weight_shapes`.
    axes : int
        1 or 2, the number of window axes.
    bias : bool
        Whether the layer has biases.
    generator : torch.Generator
    pooling, activation
        As in :func:`lib.networks.convolutional.generalized_conv`.

    Returns
    -------
    weight, bias : torch.Tensor of the default data type; the bias is None without biases

    Notes
    -----
    C channels, n offsets in the window. A product of n factors stays near 1 when every factor is 1
    plus noise of variance 1/n: the factor is ``1 + <w, x>`` with biases and ``mean(x) + <w, x>``
    without, w normal of variance 1/(C n). Other poolings start from zero biases and normal weights.
    Those of sums keep the second moment: variance 1/(C m), where m = n, or n/2 + n(n-1)/(2 pi) with
    a rectifier, is the second moment of the sum of n (rectified) standard normal numbers; n**2
    times that for means. Those of maxima keep it in windows of one cell: variance 2/C with a
    rectifier, 1/C without. Larger windows let it grow, in layers of 2 x 2 by 3.1 and by 1.6.
    The rectifier is known by its name, ``"relu"``; functions count as no activation here.

    Examples
    --------
    >>> weight, bias = initial_weights(((5, 3, 2, 2), (5, 2, 2)), axes=2, bias=True,
    ...                                generator=torch.Generator().manual_seed(0))
    >>> weight.shape, bool((bias == 1).all())
    (torch.Size([5, 3, 2, 2]), True)
    """
    axes = integer("initial_weights: axes", axes, 1, 2)
    choice("initial_weights: pooling", pooling, POOLINGS)
    weight_shape, bias_shape = shapes
    n, channels = math.prod(weight_shape[-axes:]), weight_shape[-axes - 1]
    rectified = activation == "relu"
    moment = n / 2 + n * (n - 1) / (2 * math.pi) if rectified else n
    variance = {
        "product": 1 / (channels * n),
        "max": (2 if rectified else 1) / channels,
        "sum": 1 / (channels * moment),
        "mean": n**2 / (channels * moment),
    }[pooling]
    weight = standard_normal(weight_shape, generator) * variance**0.5
    start = 1.0 if pooling == "product" else 0.0
    if not bias:
        return weight + start / channels, None
    return weight, torch.full(bias_shape, start)


class ConvAC(nn.Module):
    """The network of an architecture: with product pooling, a convolutional arithmetic circuit.

    Parameters
    ----------
    architecture : Architecture
    shared : bool
        One kernel for all windows of a layer, or one for every output cell.
    biases : bool or sequence of bool
        For all layers, or layer by layer.
    pooling : {"product", "max", "sum", "mean"}
    activation : None, "relu" or callable
        Applied to every affine map, of shape (batch, D, *output cells), before pooling.
        ``"relu"`` with ``"max"`` or ``"mean"`` is the convolutional rectifier network of the same
        shape.
    generator : torch.Generator
        Source of the weights of :func:`initial_weights`.

    Raises
    ------
    ValueError
        If a pooling, an activation or the number of flags is not one of these.
    TypeError
        If another argument is of another kind.

    Notes
    -----
    Input (batch, M, *cells): the values of the M representation functions at every cell. Output
    (batch, D_L, *output cells). Section 2 of [Sharir & Shashua, 2018], book/overlap-theorem.md.

    Examples
    --------
    >>> from lib.networks.architecture import Layer
    >>> architecture = Architecture(4, 2, (Layer(3, 2, 8), Layer(2, 2, 10)))
    >>> net = ConvAC(architecture, generator=torch.Generator().manual_seed(0))
    >>> net(torch.ones(5, 2, 4, 4)).shape
    torch.Size([5, 10, 1, 1])
    """

    def __init__(
        self,
        architecture: Architecture,
        shared: bool = True,
        biases: bool | Sequence[bool] = True,
        pooling: str = "product",
        activation: str | Activation | None = None,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        flags = kind("ConvAC: architecture", architecture, Architecture).bias_flags(biases)
        self._check(pooling, activation)
        kind("ConvAC: generator", generator, torch.Generator)
        all_shapes = architecture.weight_shapes(flag("ConvAC: shared", shared))
        drawn = [
            initial_weights(shapes, architecture.ndim, biased, generator, pooling, activation)
            for shapes, biased in zip(all_shapes, flags, strict=True)
        ]
        self._set(architecture, drawn, pooling, activation)

    @classmethod
    def from_weights(
        cls,
        architecture: Architecture,
        weights: Weights,
        pooling: str = "product",
        activation: str | Activation | None = None,
    ) -> "ConvAC":
        """A network with given weights, which are copied and keep their data type.

        Parameters
        ----------
        architecture : Architecture
        weights : list of (weight, bias), one pair per layer
            A bias of None stands for a layer without biases.
        pooling, activation
            As for the class.

        Raises
        ------
        ValueError
            If the weights do not fit the architecture, or as for the class.
        TypeError
            If the weights are not tensors of one floating point type, or as for the class.

        Examples
        --------
        >>> from lib.networks.architecture import Layer
        >>> architecture = Architecture((2,), 1, (Layer(2, 2, 1),))
        >>> net = ConvAC.from_weights(architecture, [(torch.ones(1, 1, 2), None)])
        >>> net(torch.tensor([[[3.0, 5.0]]])).item()
        15.0
        """
        kind("ConvAC: architecture", architecture, Architecture).check_weights(weights)
        floats("ConvAC: weights", *(part for pair in weights for part in pair if part is not None))
        cls._check(pooling, activation)
        network = cls.__new__(cls)
        nn.Module.__init__(network)
        copies = [(w.detach().clone(), None if b is None else b.detach().clone())
                  for w, b in weights]
        network._set(architecture, copies, pooling, activation)
        return network

    @staticmethod
    def _check(pooling, activation) -> None:
        checked_activation(activation, pooling, Real())

    def _set(self, architecture, weights, pooling, activation) -> None:
        self.architecture, self.pooling, self.activation = architecture, pooling, activation
        for layer, (weight, bias) in enumerate(weights, 1):
            self.register_parameter(f"weight{layer}", nn.Parameter(weight))
            self.register_parameter(f"bias{layer}", None if bias is None else nn.Parameter(bias))

    @property
    def weights(self) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
        """One (weight, bias) per layer, as every function of this course takes them."""
        layers = range(1, self.architecture.depth + 1)
        return [(getattr(self, f"weight{n}"), getattr(self, f"bias{n}")) for n in layers]

    def product_form(self, weights: None = None) -> tuple[Architecture, Weights]:
        """The architecture and the weights, for whatever takes a product network apart.

        Raises
        ------
        ValueError
            If the network pools otherwise than by products of affine maps, or weights are given
            beside the module's own.
        """
        if weights is not None:
            raise ValueError("product_form: a module has its own weights; give None")
        if self.pooling != "product" or self.activation is not None:
            raise ValueError(
                f"product_form: {self.pooling} pooling with activation {self.activation} does not "
                "split over a partition; only products of affine maps do"
            )
        return self.architecture, self.weights

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return forward(
            self.architecture, self.weights, x, pooling=self.pooling, activation=self.activation
        )
