"""Several networks of the same kind trained as one, by block-diagonal convolutions.

A processor's vector unit works on 16 channels at a time, so a network with 2 channels leaves most
of it idle.  Networks of widths 2, 4 and 8 that look at the same images fit together into one
convolution with 14 channels whose weights are block diagonal: the zeros off the diagonal cost
nothing that was not wasted before.  Wider networks gain nothing from company and run one by one.

The block itself is reordered.  Max pooling commutes with adding a bias and with ReLU (both are
monotone), so both are applied after pooling, to a quarter of the values, with the same result.
"""

import torch
import torch.nn.functional as F
from torch import nn

from ..exact.device import made_on_the_cpu
from . import products
from .kinds import BLOCKS, CLASSES, COLORS
from .networks import initial_weights

VECTOR_CHANNELS = 16  # float32 values in one 512-bit vector; oneDNN pads channels to this number
SMALL_BATCH = 32
# what a channel of the kinds "haar" sums up: everything, then differences of halves
HAAR = torch.tensor([[[1, 1], [1, 1]], [[1, -1], [1, -1]], [[1, 1], [-1, -1]],
                     [[1, -1], [-1, 1]]]) / 2


class Ensemble(nn.Module):
    """Independent networks of one kind, computed by one sequence of operations.

    Parameters
    ----------
    networks : sequence of Network
        All of the same kind.

    Raises
    ------
    ValueError
        If there is none, or their kinds differ.

    Notes
    -----
    Input (batch, 3, 32, 32), output (batch, networks, 10).  Weights off the diagonal are zero and
    stay zero because `mask_gradients` clears their gradient before every step.  Kinds with products
    compute in float64.

    Examples
    --------
    >>> from lib.experiments.networks import Network
    >>> pair = Ensemble([Network("B3", 2, "none", 0), Network("B3", 4, "none", 0)])
    >>> pair(torch.zeros(5, 3, 32, 32)).shape
    torch.Size([5, 2, 10])
    """

    @made_on_the_cpu
    def __init__(self, networks):
        super().__init__()
        self.networks = list(networks)
        names = sorted({network.block for network in self.networks})
        if len(names) != 1:
            raise ValueError(
                f"Ensemble: {len(self.networks)} networks of the kinds {names}, must be at least "
                "one network, all of one kind"
            )
        self.kind = self.networks[0].kind
        widths = [network.channels for network in self.networks]
        self.starts = [sum(widths[:k]) for k in range(len(widths))]
        total, side = sum(widths), self.kind.side
        self.conv = nn.ParameterList(
            torch.zeros(total, COLORS if block == 0 else total, side, side).to(
                memory_format=torch.channels_last)
            for block in range(BLOCKS)
        )
        self.bias = nn.ParameterList(
            torch.zeros(self.kind.bias_shape(total)) for _ in range(BLOCKS))
        window = self.kind.window
        self.depth = nn.ParameterList(
            torch.zeros(total, 1, window, window)
            for _ in range(BLOCKS if self.kind.combine == "depth" else 0))
        if self.kind.combine == "haar":
            places = torch.cat([torch.arange(width) % len(HAAR) for width in widths])
            self.register_buffer("patterns", HAAR[places][:, None], persistent=False)
        self.head = nn.Parameter(torch.zeros(total, CLASSES * len(widths)))
        self.head_bias = nn.Parameter(torch.zeros(CLASSES * len(widths)))
        membership = torch.zeros(total, len(widths), dtype=torch.float32)
        for k, (start, width) in enumerate(zip(self.starts, widths, strict=True)):
            membership[start:start + width, k] = 1 / width
        self.register_buffer("membership", membership, persistent=False)
        self.float()  # whatever the caller's default is
        for k, network in enumerate(self.networks):
            self.load_network(k, initial_weights(network.block, network.channels, network.seed))
        if self.kind.product:
            self.double()  # products of hundreds of factors need its range of exponents

    def _slices(self, k, tensor_of=lambda parameter: parameter.data):
        """Where network k lives: parameter name -> view of the stored tensor."""
        rows = slice(self.starts[k], self.starts[k] + self.networks[k].channels)
        views = {}
        for block in range(BLOCKS):
            columns = slice(None) if block == 0 else rows
            views[f"conv{block}"] = tensor_of(self.conv[block])[rows, columns]
            views[f"bias{block}"] = tensor_of(self.bias[block])[rows]
            if self.depth:
                views[f"depth{block}"] = tensor_of(self.depth[block])[rows]
        scores = slice(k * CLASSES, (k + 1) * CLASSES)
        views["head"] = tensor_of(self.head)[rows, scores]
        views["head_bias"] = tensor_of(self.head_bias)[scores]
        return views

    def gradients(self, k):
        """Views of the gradient of network k, by parameter name (zero where it is unused)."""
        return self._slices(k, lambda parameter: (
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad))

    def load_network(self, k, weights):
        """Put the weights of one network (layout of `initial_weights`) into place k."""
        for name, view in self._slices(k).items():
            view.copy_(weights[name])

    def mask_gradients(self):
        """Clear the gradient of every weight that would connect two networks."""
        if len(self.networks) == 1:
            return
        member = (self.membership > 0).to(self.head.dtype)
        together = (member @ member.T)[:, :, None, None]  # 1 where both channels have one network
        for weight in self.conv[1:]:
            weight.grad.mul_(together)
        self.head.grad.mul_(member.repeat_interleave(CLASSES, 1))

    def forward(self, images):
        """Scores (batch, networks, 10) of images (batch, 3, 32, 32)."""
        layers = list(zip(self._kernels(), self.bias, strict=True))
        if self.kind.product:
            images = images.to(self.head.dtype)
            features = products.circuit(images, layers, self._products, self.membership)
            scores = features @ self.head  # no bias: the features hold up to a positive factor
        else:
            hidden = images
            for weight, bias in layers:
                hidden = self._block(hidden, weight, bias)
            scores = torch.addmm(self.head_bias, hidden.flatten(1), self.head)
        return scores.view(len(images), len(self.networks), CLASSES)

    def _kernels(self):
        """The linear map of every block as one convolution."""
        if self.depth:
            return [weight * depth for weight, depth in zip(self.conv, self.depth, strict=True)]
        if self.kind.combine == "haar":
            return [weight * self.patterns for weight in self.conv]
        return self.conv

    def _block(self, hidden, weight, bias):
        kind = self.kind
        if kind.separate:
            largest = offset_maps(hidden, weight, bias, kind.stride).amax(0)
            hidden, bias = largest.permute(0, 3, 1, 2), None
        else:
            hidden = convolution(hidden, weight, kind)
        if kind.pool == "max":
            hidden = F.max_pool2d(hidden, kind.pool_window, 2, ceil_mode=True)
        hidden = F.relu(hidden if bias is None else hidden + bias[:, None, None])
        if kind.pool == "mean":
            hidden = F.avg_pool2d(hidden, kind.pool_window, 2, ceil_mode=True)
        return hidden

    def _products(self, hidden, scale, weight, bias):
        kind = self.kind
        if not kind.separate:
            deviations = convolution(hidden, weight, kind) + scale * bias[:, None, None]
            return products.product_pool(deviations, scale)
        maps = offset_maps(hidden, weight, bias, kind.stride, scale)
        return products.offset_product(maps.permute(0, 1, 4, 2, 3), scale)


def padded(images, window, stride):
    """Images with R - S rows and columns of zeros, the odd one at the bottom and right."""
    before, after = (window - stride) // 2, (window - stride + 1) // 2
    return F.pad(images, (before, after, before, after)) if after else images


def convolution(images, weight, kind):
    """The linear map of a kind, without bias; one value for every `kind.stride` pixels.

    Parameters
    ----------
    images : torch.Tensor, shape (batch, inputs, height, width)
    weight : torch.Tensor, shape (outputs, inputs, R, R)
        (outputs, inputs, 1, 1) where every offset has the same weight.
    kind : Kind

    Returns
    -------
    torch.Tensor, shape (batch, outputs, height / stride, width / stride)
    """
    extra = kind.window - kind.stride
    if extra < 0:  # at stride 2 PyTorch 2.13 and 2.14 write beyond their memory, backward
        return F.conv2d(images[..., ::kind.stride, ::kind.stride], weight)
    if kind.combine == "same":
        images = padded(images, kind.window, kind.stride)
        return F.conv2d(F.avg_pool2d(images, kind.window, kind.stride), weight)
    if extra % 2 == 0:
        return F.conv2d(images, weight, stride=kind.stride, padding=extra // 2)
    return F.conv2d(padded(images, kind.window, kind.stride), weight, stride=kind.stride)


def offset_maps(images, weight, bias, stride, scale=None):
    """The affine map of every offset of a window, offset by offset, row by row.

    Parameters
    ----------
    images : torch.Tensor, shape (batch, inputs, height, width)
    weight : torch.Tensor, shape (outputs, inputs, R, R)
    bias : torch.Tensor, shape (outputs, R, R)
    stride : int
    scale : torch.Tensor, shape (batch, outputs, 1, 1), optional
        Factor of the biases.

    Returns
    -------
    torch.Tensor, shape (R * R, batch, height / stride, width / stride, outputs)

    Examples
    --------
    >>> images, weight = torch.randn(1, 3, 4, 4), torch.randn(5, 3, 2, 2)
    >>> maps = offset_maps(images, weight, torch.zeros(5, 2, 2), 2)
    >>> whole = F.conv2d(images, weight, stride=2)
    >>> torch.allclose(maps.sum(0).permute(0, 3, 1, 2), whole, atol=1e-5)
    True
    """
    window = weight.shape[-1]
    batch, inputs, height, width = images.shape
    pixels = padded(images, window, stride).permute(0, 2, 3, 1)
    seen = torch.stack([
        pixels[:, row:row + height // stride * stride:stride,
               column:column + width // stride * stride:stride]
        for row in range(window) for column in range(window)
    ])  # (R * R, batch, height / stride, width / stride, inputs)
    kernels = weight.permute(2, 3, 1, 0).flatten(0, 1)  # (R * R, inputs, outputs)
    shift = bias.permute(1, 2, 0).flatten(0, 1)[:, None]  # (R * R, 1, outputs)
    if scale is None:
        maps = torch.baddbmm(shift, seen.flatten(1, 3), kernels).view(*seen.shape[:-1], -1)
    else:
        maps = (seen.flatten(1, 3) @ kernels).view(*seen.shape[:-1], -1)
        maps = maps + shift[:, :, None, None] * scale.permute(0, 2, 3, 1)
    return maps


def arrange(networks, batch_size=128):
    """Split networks that share their images into ensembles, by width.

    Narrow networks are packed while their channels together fit one vector
    (lib/benchmarks/training.py measures why); the others run alone.  A step on a small batch costs
    mostly its calls, so that there a little more is packed.

    Parameters
    ----------
    networks : sequence of Network
        All of the same kind.
    batch_size : int

    Returns
    -------
    list of list of Network
        The members of every ensemble.

    Examples
    --------
    >>> from lib.experiments.networks import Network
    >>> parts = arrange([Network("B3", c, "none", 0) for c in (2, 4, 8, 16, 32)])
    >>> [[network.channels for network in members] for members in parts]
    [[2, 4, 8], [16], [32]]
    """
    parts = []
    limit = VECTOR_CHANNELS if batch_size > SMALL_BATCH else VECTOR_CHANNELS * 3 // 2
    for network in sorted(networks, key=lambda network: network.channels):
        if parts and sum(member.channels for member in parts[-1]) + network.channels <= limit:
            parts[-1].append(network)
        else:
            parts.append([network])
    return parts
