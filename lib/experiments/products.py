"""ConvACs in the shape of the experiments' ConvNets: product pooling in place of ReLU and maximum.

Products of a thousand factors overflow or vanish unless every factor stays near one.  So the
circuit is written in the deviations from one: with q the deviation of a feature, a block computes

    u = convolution of q + bias,        q' = (product of the four 1 + u in a 2 x 2 window) - 1.

Shifting every feature by one changes the biases, not the family of functions: inside the image
this is a convolutional arithmetic circuit whose representation functions are the three colors and
the constant.  At its border, padding q with zeros pads the features with ones, the neutral element
of products.

Training still meets images whose products leave the range of floating point.  Therefore every
image carries a scale c and the features are stored times c: the block becomes
c q' = product of (c + c u) - c^4 and c' = c^4, after which both are divided by the larger of c' and
the largest feature.  The ten scores come out multiplied by one positive number per image, which
dividing the last features by their root mean square removes.  So the predicted class is exactly
that of the arithmetic circuit.
"""

import torch

INITIAL_SCALE = 0.1  # of He's initialization: deviations neither grow nor shrink over the blocks
LARGEST_GRADIENT = 1.0


def calmed(weights):
    """Initial weights whose products stay near one.

    Parameters
    ----------
    weights : dict
        In the layout of `convnets.initial_weights`.

    Returns
    -------
    dict
    """
    return {
        name: tensor * INITIAL_SCALE if name.startswith("conv") else tensor
        for name, tensor in weights.items()
    }


def product_pool(deviations, scale):
    """Scaled deviation from one of the products over 2 x 2 windows.

    Parameters
    ----------
    deviations : torch.Tensor, shape (batch, channels, height, width)
        c u, with both sides of the image even.
    scale : torch.Tensor, shape (batch, channels, 1, 1)
        c

    Returns
    -------
    torch.Tensor, shape (batch, channels, height / 2, width / 2)
        The product of the four c + c u, minus c^4.

    Examples
    --------
    >>> one = torch.ones(1, 1, 1, 1)
    >>> product_pool(torch.tensor([[[[1.0, 0.0], [2.0, 0.5]]]]), one).item()
    8.0
    """
    # (c + a)(c + b) - c^2 = c (a + b) + ab keeps small deviations exact
    upper, lower = deviations[..., ::2, :], deviations[..., 1::2, :]
    rows = scale * (upper + lower) + upper * lower
    left, right = rows[..., ::2], rows[..., 1::2]
    return scale.square() * (left + right) + left * right


def circuit(images, layers, convolve, membership):
    """Features of the arithmetic circuits of an ensemble, up to a positive number per image.

    Parameters
    ----------
    images : torch.Tensor, shape (batch, inputs, height, width)
    layers : sequence of (torch.Tensor, torch.Tensor)
        Weights and biases of every block.
    convolve : callable
        Convolution of features with weights, without bias; called with the block's number too.
    membership : torch.Tensor, shape (channels, networks)
        See `divided_by_size`.

    Returns
    -------
    torch.Tensor, shape (batch, channels)
        Root mean square 1 for every image and network.
    """
    hidden = images
    scale = images.new_ones((len(images), len(membership), 1, 1))
    for block, (weight, bias) in enumerate(layers):
        hidden = convolve(hidden, weight, block) + scale * bias[:, None, None]
        hidden, scale = product_pool(hidden, scale), scale.square().square()
        # the gradient does not pass through this division: the result does not depend on it
        largest = by_network(hidden.detach().abs().amax((2, 3)), membership)[:, :, None, None]
        largest = torch.maximum(largest, scale.detach()).clamp_min(1e-30)
        hidden, scale = hidden / largest, scale / largest
    return divided_by_size(hidden.flatten(1), membership)


def by_network(sizes, membership):
    """Per network the largest of its channels' sizes, shape (batch, channels)."""
    member = (membership > 0).to(sizes.dtype)
    return (sizes[:, :, None] * member).amax(1) @ member.T


def divided_by_size(features, membership):
    """Every image's features, divided by their root mean square, network by network.

    Parameters
    ----------
    features : torch.Tensor, shape (batch, channels)
    membership : torch.Tensor, shape (channels, networks)
        1 / (number of channels of the network) where the channel belongs to it, else 0.

    Returns
    -------
    torch.Tensor, same shape
    """
    member = (membership > 0).to(features.dtype)
    features = features / by_network(features.detach().abs(), membership).clamp_min(1e-12)
    squares = features.square() @ membership  # (batch, networks)
    return features * ((squares + 1e-12).rsqrt() @ member.T)


def clip_gradients(ensemble):
    """Scale the gradient of every network of an ensemble to norm `LARGEST_GRADIENT` at most.

    Network by network, so that a network trains alike alone and in company.

    Parameters
    ----------
    ensemble : Ensemble
        After the backward pass.
    """
    for place in range(len(ensemble.networks)):
        gradients = list(ensemble.gradients(place).values())
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        factor = (LARGEST_GRADIENT / norm.clamp_min(1e-12)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(factor)
