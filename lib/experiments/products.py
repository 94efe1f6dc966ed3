"""Arithmetic circuits in the shape of the experiments' ConvNets: products in place of ReLU.

Products of a thousand factors overflow or vanish unless every factor stays near one.  So the
circuit is written in the deviations from one: with q the deviation of a feature, a block computes

    u = affine maps of q,        q' = (product of the 1 + u that belong to a window) - 1.

The factors of a window are the values of one convolution at four places (kinds with a product
pool) or the affine maps that every offset has for itself.  Shifting every feature by one changes
the biases, not the family of functions: with p = 1 + q, an affine map of q plus one is an affine
map of p.  So inside the image the former is a convolutional arithmetic circuit and the latter the
generalized convolution of the theory, both with biases, whose representation functions are the
three colors and the constant.  At the border, padding q with zeros pads the features with ones,
the neutral element of products, where the theory pads with zeros.

Training still meets images whose products leave the range of floating point.  Therefore every
image carries a scale c and the features are stored times c: with n factors, the block becomes
c q' = product of (c + c u) - c^n and c' = c^n, after which both are divided by the larger of c' and
the largest feature.  The ten scores come out multiplied by one positive number per image, which
dividing the last features by their root mean square removes.  So the predicted class is exactly
that of the arithmetic circuit.  Small factors of one window in a large image can still leave the
range of float32, so all this happens in float64.
"""

import functools

import torch

LARGEST_GRADIENT = 1.0


class Product(torch.autograd.Function):
    """Scaled deviation from one of the products of the factors c + c u.

    As one operation it reads and writes memory three times per factor where single ones do so a
    dozen times.  No gradient passes to the scale, which `circuit` keeps out of the graph.  Where
    the gradient is to be differentiated again, it is that of the single operations.
    """

    @staticmethod
    def forward(ctx, deviations, scale, views):
        factors = deviations + scale
        first, *parts = views(deviations)
        total, size = first.clone(), scale
        for part, factor in zip(parts, views(factors)[1:], strict=True):
            # (s + a)(c + b) - sc = a (c + b) + s b keeps small deviations exact
            total = (total * factor).addcmul_(size, part)
            size = size * scale
        ctx.save_for_backward(deviations, scale)
        ctx.views = views
        ctx.mark_non_differentiable(size)
        return total, size

    @staticmethod
    def backward(ctx, gradient, _):
        deviations, scale = ctx.saved_tensors
        factors = deviations + scale
        if torch.is_grad_enabled():
            plain = functools.reduce(torch.mul, ctx.views(factors))
            return *torch.autograd.grad(plain, deviations, gradient, create_graph=True), None, None
        result = torch.empty_like(factors)
        parts, wanted = ctx.views(factors), ctx.views(result)
        # the derivative by a factor is the product of those before and those after it
        wanted[0].copy_(gradient)
        for place in range(1, len(parts)):
            torch.mul(wanted[place - 1], parts[place - 1], out=wanted[place])
        after = parts[-1]
        for place in range(len(parts) - 2, -1, -1):
            wanted[place].mul_(after)
            after = after * parts[place] if place else after
        return result, None, None


def offset_product(deviations, scale):
    """The product over the first axis, as a scaled deviation from one.

    Parameters
    ----------
    deviations : torch.Tensor, shape (n, batch, channels, height, width)
        c u for the factors 1 + u.
    scale : torch.Tensor, shape (batch, channels, 1, 1)
        c

    Returns
    -------
    deviation : torch.Tensor, shape (batch, channels, height, width)
        The product of the n factors c + c u, minus c^n.
    scale : torch.Tensor
        c^n

    Examples
    --------
    >>> parts = torch.tensor([1.0, 0.0, 2.0, 0.5]).view(4, 1, 1, 1, 1)
    >>> [tensor.item() for tensor in offset_product(parts, torch.ones(1, 1, 1, 1))]
    [8.0, 1.0]
    """
    return Product.apply(deviations, scale, list)


def product_pool(deviations, scale):
    """The product over every 2 x 2 window, for images with even sides; see `offset_product`."""
    return Product.apply(deviations, scale, _windows)


def _windows(images):
    return [images[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]


def circuit(images, layers, block, membership):
    """Features of the arithmetic circuits of an ensemble, up to a positive number per image.

    Parameters
    ----------
    images : torch.Tensor, shape (batch, inputs, height, width)
    layers : sequence of (torch.Tensor, torch.Tensor)
        Weights and biases of every block.
    block : callable
        Called with features, scale, weights and biases; the scaled deviations of the products of
        one block and their scale.
    membership : torch.Tensor, shape (channels, networks)
        See `divided_by_size`.

    Returns
    -------
    torch.Tensor, shape (batch, channels)
        Root mean square 1 for every image and network.
    """
    hidden = images
    scale = images.new_ones((len(images), len(membership), 1, 1))
    for weight, bias in layers:
        hidden, scale = block(hidden, scale, weight, bias)
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
