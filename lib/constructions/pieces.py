"""Parts shared by the constructions: fitted first layers, idle channels, a product of all cells."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch

from ..checks import integer, kind, shown
from ..exact.arithmetic import Modular, Real
from ..exact.device import made_on_the_cpu
from ..grids.grid import place
from ..networks.architecture import Architecture
from ..networks.convolutional import forward

__all__ = ["Construction", "fit", "idle_layer", "multiply_cells", "multiply_tiles", "overhangs",
           "product_layers", "write"]


def fit(
    representation: torch.Tensor, targets: torch.Tensor, padding, arithmetic
) -> torch.Tensor:
    """The weights of the affine map that takes given values on the templates and at the padding.

    Parameters
    ----------
    representation : torch.Tensor, shape (M, M)
        F, nonsingular: row d holds the channels of template d.
    targets : torch.Tensor, shape (k, M)
        Values of k maps on the M templates.
    padding : number or torch.Tensor scalar
        The bias, which is also the value on zero padding.
    arithmetic : Real or Modular

    Returns
    -------
    torch.Tensor, shape (k, M), on the CPU
        ``W`` with ``<W[c], F[d]> + padding = targets[c, d]``, that is ``F^-1 (target - padding)``.

    Raises
    ------
    ValueError
        If F is not square or singular, or the targets do not fit it.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    "Fitting a factor" in book/proof-construction.md.

    Examples
    --------
    >>> from lib.exact.arithmetic import Real
    >>> fit(torch.tensor([[2.0, 0.0], [0.0, 4.0]]).double(), torch.eye(2).double(), 0, Real())
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]], dtype=torch.float64)
    """
    kind("fit: arithmetic", arithmetic, Real, Modular)
    kind("fit: targets", targets, torch.Tensor)
    padding = kind("fit: padding", padding, int, float, torch.Tensor)
    inverse, targets = arithmetic.inverse(representation).cpu(), targets.cpu()
    if targets.ndim != 2 or targets.shape[1] != len(inverse) or targets.dtype != inverse.dtype:
        raise ValueError(f"fit: targets={shown(targets)}; need {inverse.dtype} and shape "
                         f"(k, {len(inverse)})")
    return arithmetic.matmul(arithmetic.tensor(targets - padding), inverse.T)


def require_network(
    operation: str, net: Architecture, representation: torch.Tensor, arithmetic, scale=2
) -> int | torch.Tensor:
    """The scale, or an error unless a construction can begin: with a network, an M × M matrix.

    Examples
    --------
    >>> net = Architecture((2,), 2, ((2, 2, 1),))
    >>> require_network("f", net, torch.eye(3).double(), Real())
    Traceback (most recent call last):
    ...
    ValueError: f: representation=Tensor of torch.float64 and shape (3, 3); need shape (2, 2)
    """
    kind(f"{operation}: net", net, Architecture)
    kind(f"{operation}: arithmetic", arithmetic, Real, Modular)
    scale = kind(f"{operation}: scale", scale, int, torch.Tensor)
    kind(f"{operation}: representation", representation, torch.Tensor)
    if tuple(representation.shape) != (net.channels, net.channels):
        raise ValueError(f"{operation}: representation={shown(representation)}; need shape "
                         f"{net.channels, net.channels}")
    return scale if isinstance(arithmetic, Real) else scale % arithmetic.prime


def idle_layer(
    net: Architecture, layer: int, shared: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights 0 and biases 1: every channel of the layer (numbered from 1) is constantly 1."""
    weight, bias = net.weight_shapes(shared)[layer - 1]
    return torch.zeros(weight, dtype=torch.float64), torch.ones(bias, dtype=torch.float64)


def write(weight, bias, channels, offset: tuple[int, ...], matrix, constant) -> None:
    """Set the affine maps of some channels at one window offset (shared weights), in place."""
    weight[(channels, slice(None), *offset)] = matrix
    bias[(channels, *offset)] = constant


def overhangs(net: Architecture, layer: int, offset: tuple[int, ...]) -> bool:
    """Whether some but not every window of a layer is in the padding at this offset."""
    sizes = zip(net.output_sizes[layer - 1], net.output_sizes[layer], net.strides[layer - 1],
                offset, strict=True)
    return any((outputs - 1) * s + o >= n for n, outputs, s, o in sizes)


def product_layers(net: Architecture, after: int, channels: int, scale) -> list[tuple]:
    """The weights of the layers after ``after``: add up its first channels, multiply all its cells.

    Parameters
    ----------
    net : Architecture
        Every layer after ``after`` has a window no smaller than its stride, and the last has a
        single output cell.
    after : int
        The layer that is read.
    channels : int
        How many of its channels are added up.
    scale : int or torch.Tensor scalar
        Where a window reaches into padding, a factor x is replaced by ``scale x + 1``, so that
        padding contributes 1. The product asked for is the leading coefficient in ``scale``.

    Returns
    -------
    list of (weight, bias)
    """
    layers = []
    for layer in range(after + 1, net.depth + 1):
        weight, bias = idle_layer(net, layer)
        read = channels if layer == after + 1 else 1
        for offset in product(*map(range, net.strides[layer - 1])):
            padded = overhangs(net, layer, offset)
            weight[(0, slice(read), *offset)] = scale if padded else 1
            bias[(0, *offset)] = 1 if padded else 0
        layers.append((weight, bias))
    return layers


def multiply_tiles(
    net: Architecture, layer: int, cells: torch.Tensor, arithmetic, scale=None
) -> torch.Tensor:
    """Products of numbers over the stride-sized windows of one layer; padding counts as 1.

    Parameters
    ----------
    cells : torch.Tensor, shape (batch, *cells below the layer)
    scale : number or torch.Tensor scalar, optional
        If given, a cell x at an offset where some window reaches into padding enters as
        ``scale x + 1``, as in `product_layers`.

    Returns
    -------
    torch.Tensor, shape (batch, *cells of the layer)
    """
    stride = net.strides[layer - 1]
    result = torch.ones(len(cells), *net.output_sizes[layer], dtype=cells.dtype)
    for offset in product(*map(range, stride)):
        seen = cells[(slice(None), *(slice(o, None, s)
                                     for o, s in zip(offset, stride, strict=True)))]
        if scale is not None and overhangs(net, layer, offset):
            seen = arithmetic.reduce(arithmetic.multiply(seen, scale) + 1)
        within = (slice(None), *map(slice, seen.shape[1:]))
        result[within] = arithmetic.multiply(result[within], seen)
    return result


def multiply_cells(
    net: Architecture, after: int, cells: torch.Tensor, scale, arithmetic
) -> torch.Tensor:
    """What `product_layers` computes from the sums, written as products of numbers.

    Parameters
    ----------
    cells : torch.Tensor, shape (batch, *cells of layer ``after``)

    Returns
    -------
    torch.Tensor, shape (batch,)
    """
    for layer in range(after + 1, net.depth + 1):
        cells = multiply_tiles(net, layer, cells, arithmetic, scale)
    return cells.flatten(1)[:, 0]


def _on_the_cpu(templates):
    return templates.cpu() if isinstance(templates, torch.Tensor) else templates


@dataclass(frozen=True, eq=False)
class Construction:
    """A network with explicit weights, on the CPU.

    Attributes
    ----------
    architecture : Architecture
    weights : list of (weight, bias)
        In the format of :meth:`Architecture.random_weights`.
    representation : torch.Tensor, shape (M, M)
        F, the channels of the M templates.
    arithmetic : Real or Modular
    """

    architecture: Architecture
    weights: list
    representation: torch.Tensor
    arithmetic: object

    @made_on_the_cpu
    def output(self, templates: torch.Tensor, layer: int | None = None) -> torch.Tensor:
        """Run the network forward on templates.

        Parameters
        ----------
        templates : torch.Tensor of int64, shape (batch, N)
            Which template every cell of the input shows, row by row.
        layer : int, optional
            Stop after this layer; by default after the last.

        Returns
        -------
        torch.Tensor
            (batch,) the first output of the network, or (batch, D_l, *cells) of the layer.
        """
        net = self.architecture
        if layer is not None:
            layer = integer("output: layer", layer, 1, net.depth)
        x = place(self.representation, _on_the_cpu(templates))
        self._require(templates)
        x = x.movedim(-1, 1).unflatten(2, net.size)
        part = net if layer is None else Architecture(net.size, net.channels, net.layers[:layer])
        values = forward(part, self.weights[:part.depth], x, self.arithmetic)
        return values.flatten(1)[:, 0] if layer is None else values

    def _require(self, templates):
        """The templates, on the CPU like the weights, or an error if they do not fit."""
        net = self.architecture
        cells = torch.Size(net.size).numel()
        if kind("templates", templates, torch.Tensor).ndim != 2 or templates.shape[1] != cells:
            raise ValueError(f"templates of shape {tuple(templates.shape)}; need (batch, {cells}) "
                             f"for the cells of size {net.size}")
        return _on_the_cpu(templates)
