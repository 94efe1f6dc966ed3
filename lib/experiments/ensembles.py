"""Several networks of the same window trained as one: block-diagonal and grouped convolutions.

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

from . import products
from .convnets import BLOCKS, CLASSES, COLORS, initial_weights

VECTOR_CHANNELS = 16  # float32 values in one 512-bit vector; oneDNN pads channels to this number
SMALL_BATCH = 32
MECHANISMS = ("block", "grouped", "matmul")


class Ensemble(nn.Module):
    """Independent networks of one window, computed by one sequence of operations.

    Parameters
    ----------
    networks : sequence of Network
        All with the same window; for ``"grouped"`` and ``"matmul"`` also with the same channels.
    streams : sequence of int, optional
        For every network the number of the stream of images it looks at; all 0 by default.
    mechanism : str
        ``"block"``: ordinary convolutions with block-diagonal weights.  ``"grouped"``: grouped
        convolutions.  ``"matmul"``: batched matrix products over unfolded windows.
        One network alone is ``"block"`` with one block.
    model : str
        ``"convnet"``, or ``"convac"`` for the arithmetic circuit of products.py in the same shape.

    Raises
    ------
    ValueError
        If the networks do not fit together.

    Notes
    -----
    Input (batch, streams * 3, 32, 32), output (batch, networks, 10).  Weights off the diagonal are
    zero and stay zero because `mask_gradients` clears their gradient before every step.

    Examples
    --------
    >>> from lib.experiments.convnets import Network
    >>> pair = Ensemble([Network(3, 2, "none", 0), Network(3, 4, "none", 0)])
    >>> pair(torch.zeros(5, 3, 32, 32)).shape
    torch.Size([5, 2, 10])
    """

    def __init__(self, networks, streams=None, mechanism="block", model="convnet"):
        super().__init__()
        self.networks = list(networks)
        self.streams = list(streams) if streams is not None else [0] * len(self.networks)
        self.mechanism, self.model = mechanism, model
        self._check()
        self.window = self.networks[0].window
        widths = [network.channels for network in self.networks]
        self.starts = [sum(widths[:k]) for k in range(len(widths))]
        self.shared_input = set(self.streams) == {0}
        total = sum(widths)
        compact = mechanism != "block"
        inputs = COLORS * (max(self.streams) + 1)
        if compact and not self.shared_input:
            inputs = COLORS
        shapes = [(total, inputs if block == 0 else (widths[0] if compact else total),
                   self.window, self.window) for block in range(BLOCKS)]
        self.conv = nn.ParameterList(
            torch.zeros(shape).to(memory_format=torch.channels_last) for shape in shapes
        )
        self.bias = nn.ParameterList(torch.zeros(total) for _ in range(BLOCKS))
        self.head = nn.Parameter(torch.zeros(total, CLASSES * len(widths)))
        self.head_bias = nn.Parameter(torch.zeros(CLASSES * len(widths)))
        for k, network in enumerate(self.networks):
            weights = initial_weights(network.window, network.channels, network.seed)
            if model == "convac":
                weights = products.calmed(weights)
            self.load_network(k, weights)
        membership = torch.zeros(total, len(widths))
        for k, (start, width) in enumerate(zip(self.starts, widths, strict=True)):
            membership[start:start + width, k] = 1 / width
        self.register_buffer("membership", membership, persistent=False)
        self._make_masks()

    def _check(self):
        if not self.networks:
            raise ValueError("Ensemble: networks=[], must hold at least one network")
        if self.mechanism not in MECHANISMS:
            raise ValueError(
                f"Ensemble: mechanism={self.mechanism!r}, must be one of {MECHANISMS}"
            )
        windows = {network.window for network in self.networks}
        widths = {network.channels for network in self.networks}
        if len(windows) > 1:
            raise ValueError(f"Ensemble: windows {sorted(windows)} differ, must be one window")
        if self.mechanism != "block" and len(widths) > 1:
            raise ValueError(
                f"Ensemble: channels {sorted(widths)} differ, mechanism {self.mechanism!r} needs "
                "equal channels ('block' does not)"
            )
        if len(self.streams) != len(self.networks) or min(self.streams) < 0:
            raise ValueError(
                f"Ensemble: streams={self.streams}, must be one number >= 0 per network "
                f"({len(self.networks)} networks)"
            )

    def _slices(self, k, tensor_of=lambda parameter: parameter.data):
        """Where network k lives: parameter name -> view of the stored tensor."""
        rows = slice(self.starts[k], self.starts[k] + self.networks[k].channels)
        stream = self.streams[k] * COLORS
        views = {}
        for block in range(BLOCKS):
            columns = slice(stream, stream + COLORS) if block == 0 else rows
            if self.mechanism != "block":
                columns = slice(None)
            views[f"conv{block}"] = tensor_of(self.conv[block])[rows, columns]
            views[f"bias{block}"] = tensor_of(self.bias[block])[rows]
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

    def network(self, k):
        """The weights of network k, in the layout of `initial_weights`, on the CPU."""
        return {name: view.detach().cpu().clone() for name, view in self._slices(k).items()}

    def _make_masks(self):
        self._masks = []
        if len(self.networks) == 1:
            return
        masked = [self.head] + (list(self.conv) if self.mechanism == "block" else [])
        saved = [parameter.data for parameter in masked]
        for parameter in masked:
            parameter.data = torch.zeros_like(parameter.data)
        for k in range(len(self.networks)):
            for name, view in self._slices(k).items():
                if name == "head" or (name.startswith("conv") and self.mechanism == "block"):
                    view.fill_(1)
        for parameter, data in zip(masked, saved, strict=True):
            self._masks.append((parameter, parameter.data))
            parameter.data = data

    def mask_gradients(self):
        """Clear the gradient of every weight that would connect two networks."""
        for index, (parameter, mask) in enumerate(self._masks):
            if mask.device != parameter.device:
                mask = mask.to(parameter.device)
                self._masks[index] = (parameter, mask)
            parameter.grad.mul_(mask)

    def forward(self, images):
        """Scores (batch, networks, 10) of images (batch, streams * 3, 32, 32)."""
        hidden = images
        if self.mechanism != "block" and not self.shared_input:
            order = [3 * stream + color for stream in self.streams for color in range(COLORS)]
            hidden = images[:, order]  # every network gets its own copy of its stream
        layers = list(zip(self.conv, self.bias, strict=True))
        if self.model == "convac":
            features = products.circuit(hidden, layers, self._convolve, self.membership)
            scores = features @ self.head  # no bias: the features hold up to a positive factor
        else:
            for block, (weight, bias) in enumerate(layers):
                hidden = F.max_pool2d(self._convolve(hidden, weight, block), 2)
                hidden = F.relu(hidden + bias[:, None, None])
            scores = torch.addmm(self.head_bias, hidden.flatten(1), self.head)
        return scores.view(len(images), len(self.networks), CLASSES)

    def _convolve(self, hidden, weight, block):
        shared = self.mechanism == "block" or (block == 0 and self.shared_input)
        groups = 1 if shared else len(self.networks)
        convolution = unfolded_convolution if self.mechanism == "matmul" else same_convolution
        return convolution(hidden, weight, groups)


def same_convolution(images, weight, groups=1):
    """Stride-1 convolution with as many outputs as inputs; the extra row of an even window is
    padded at the bottom and right, as PyTorch's ``padding="same"`` does.

    Parameters
    ----------
    images : torch.Tensor, shape (batch, inputs, height, width)
    weight : torch.Tensor, shape (outputs, inputs / groups, B, B)
    groups : int

    Returns
    -------
    torch.Tensor, shape (batch, outputs, height, width)
    """
    window = weight.shape[-1]
    before, after = (window - 1) // 2, window // 2
    if before == after:
        return F.conv2d(images, weight, padding=before, groups=groups)
    return F.conv2d(F.pad(images, (before, after, before, after)), weight, groups=groups)


def unfolded_convolution(images, weight, groups=1):
    """`same_convolution` as one batched matrix product over unfolded windows.

    Examples
    --------
    >>> images, weight = torch.randn(2, 4, 6, 6), torch.randn(6, 2, 3, 3)
    >>> ours = unfolded_convolution(images, weight, groups=2)
    >>> torch.allclose(ours, same_convolution(images, weight, groups=2), atol=1e-5)
    True
    """
    batch, inputs, height, width = images.shape
    window = weight.shape[-1]
    before, after = (window - 1) // 2, window // 2
    padded = F.pad(images, (before, after, before, after))
    columns = padded.unfold(2, window, 1).unfold(3, window, 1)  # (batch, inputs, H, W, B, B)
    columns = columns.reshape(batch, groups, inputs // groups, height * width, window**2)
    columns = columns.permute(1, 2, 4, 0, 3).reshape(
        groups, inputs // groups * window**2, batch * height * width
    )
    product = torch.bmm(weight.reshape(groups, len(weight) // groups, -1), columns)
    return product.reshape(len(weight), batch, height, width).transpose(0, 1)


def arrange(networks, device_type="cpu", batch_size=128):
    """Split networks that share a stream into ensembles, by width.

    On a CPU, narrow networks are packed while their channels together fit one vector
    (lib/benchmarks/training.py measures why); the others run alone.  A step on a small batch costs
    mostly its calls, so that there a little more is packed.  On a GPU, networks of equal width are
    grouped.

    Parameters
    ----------
    networks : sequence of Network
        All with the same window.
    device_type : str
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    batch_size : int

    Returns
    -------
    list of (list of Network, str)
        The members of every ensemble and its mechanism.

    Examples
    --------
    >>> from lib.experiments.convnets import Network
    >>> parts = arrange([Network(3, c, "none", 0) for c in (2, 4, 8, 16, 32)])
    >>> [[network.channels for network in members] for members, _ in parts]
    [[2, 4, 8], [16], [32]]
    """
    parts = []
    ordered = sorted(networks, key=lambda network: network.channels)
    limit = VECTOR_CHANNELS if batch_size > SMALL_BATCH else VECTOR_CHANNELS * 3 // 2
    if device_type == "cpu":
        for network in ordered:
            packed = parts[-1][0] if parts else []
            together = sum(member.channels for member in packed) + network.channels
            if packed and together <= limit:
                packed.append(network)
            else:
                parts.append(([network], "block"))
        return parts
    for width in sorted({network.channels for network in ordered}):
        members = [network for network in ordered if network.channels == width]
        parts.append((members, "grouped" if len(members) > 1 else "block"))
    return parts
