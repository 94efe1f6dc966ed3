"""A second, deliberately plain implementation: integers modulo a prime, cell by cell.

Shares no code with the package. Slow, and meant for networks whose whole grid tensor fits.
"""

from itertools import product
from math import prod

import numpy as np

PRIME = 2**31 - 1


def random_weights(net, rng, biases=True):
    """Uniform residues: one (weight, bias) per layer, bias zero in layers without one."""
    drawn = []
    flags = (biases,) * len(net.layers) if isinstance(biases, bool) else biases
    for before, (layer, flag) in enumerate(zip(net.layers, flags, strict=True)):
        shape = (layer.channels, net.widths[before], *net.windows[before])
        weight = rng.integers(0, PRIME, shape)
        bias = rng.integers(0, PRIME, (shape[0], *shape[2:])) * int(flag)
        drawn.append((weight, bias))
    return drawn


def affine(matrix, vector, cells, prime=PRIME):
    """Rows of ``cells`` (batch, C) through ``matrix`` (D, C) and ``vector`` (D,)."""
    total = np.broadcast_to(vector, (len(cells), len(vector)))
    for channel in range(matrix.shape[1]):
        total = (total + cells[:, channel, None] * matrix[None, :, channel]) % prime
    return total


def layer_output(cells, weight, bias, stride, prime=PRIME):
    """A dict of cells (position -> (batch, C)) through one layer; padding contributes the bias.

    A weight with the output position in front of its axes is unshared.
    """
    axes = len(stride)
    size = [1 + max(position[a] for position in cells) for a in range(axes)]
    shared = weight.ndim == 2 + axes
    batch = len(next(iter(cells.values())))
    out = {}
    for target in product(*(range(-(-n // s)) for n, s in zip(size, stride, strict=True))):
        kernel, constant = (weight, bias) if shared else (weight[target], bias[target])
        value = np.ones((batch, kernel.shape[0]), dtype=np.int64)
        for offset in product(*map(range, kernel.shape[2:])):
            source = tuple(t * s + o for t, s, o in zip(target, stride, offset, strict=True))
            matrix, vector = kernel[(..., *offset)], constant[(..., *offset)]
            factor = (affine(matrix, vector, cells[source], prime) if source in cells
                      else vector[None])
            value = value * factor % prime
        out[target] = value
    return out


def outputs(net, weights, templates, index, positions, prime=PRIME):
    """Network output when ``positions[n]`` sees template ``index[n]``, for a batch of indices."""
    cells = {p: templates[mode] for p, mode in zip(positions, index, strict=True)}
    for (weight, bias), stride in zip(weights, net.strides, strict=True):
        cells = layer_output(cells, weight, bias, stride, prime)
    return cells[(0,) * net.ndim][:, 0]


def split(net, axis, cut):
    """Positions before and after the cut."""
    cut = net.size[axis] // 2 if cut is None else cut
    positions = list(product(*map(range, net.size)))
    return [p for p in positions if p[axis] < cut], [p for p in positions if p[axis] >= cut]


def grid_matrix(net, weights, templates, axis=-1, cut=None, prime=PRIME):
    """The matricized grid tensor; rows are the cells before the cut along the axis."""
    before, after = split(net, axis, cut)
    modes, count = len(before) + len(after), len(templates)
    index = np.indices((count,) * modes).reshape(modes, -1)
    values = outputs(net, weights, templates, index, before + after, prime)
    return values.reshape(count ** len(before), -1)


def grid_sample(net, weights, templates, rng, shape, axis=-1, cut=None):
    """Random rows and columns of the matricized grid tensor: its rank is a lower bound."""
    before, after = split(net, axis, cut)
    left = rng.integers(0, len(templates), (len(before), shape[0]))
    right = rng.integers(0, len(templates), (len(after), shape[1]))
    index = np.concatenate([np.repeat(left, shape[1], 1), np.tile(right, shape[0])])
    return outputs(net, weights, templates, index, before + after).reshape(shape)


def free_block(net, weights, templates, pairs, base, background, prime=PRIME):
    """Outputs when only the paired cells vary, over their first ``base`` templates.

    One row for every content of the first cells of the pairs, one column for every content of
    the second cells; ``background`` says which template every other cell shows. Cells are
    numbered row by row.
    """
    positions = list(product(*map(range, net.size)))
    contents = np.array(list(product(range(base), repeat=2 * len(pairs))), dtype=np.int64).T
    index = np.tile(np.array(background)[:, None], contents.shape[1])
    index[[p for p, _ in pairs] + [q for _, q in pairs]] = contents
    values = outputs(net, weights, templates, index, positions, prime)
    return values.reshape(base ** len(pairs), -1)


def rank(matrix, prime=PRIME):
    """Rank modulo the prime by plain elimination."""
    matrix, found = matrix.copy() % prime, 0
    for column in range(matrix.shape[1]):
        pivots = np.flatnonzero(matrix[found:, column])
        if not len(pivots):
            continue
        pivot = found + pivots[0]
        matrix[[found, pivot]] = matrix[[pivot, found]]
        matrix[found] = matrix[found] * pow(int(matrix[found, column]), -1, prime) % prime
        below = matrix[found + 1:, column, None]
        matrix[found + 1:] = (matrix[found + 1:] - below * matrix[found]) % prime
        found += 1
        if found == len(matrix):
            break
    return found


def generic_rank(net, rng, axis=-1, cut=None, biases=True):
    """Rank of one random instance: the generic rank but for a chance of about 1e-6."""
    templates = rng.integers(0, PRIME, (net.channels, net.channels))
    weights = random_weights(net, rng, biases)
    return rank(grid_matrix(net, weights, templates, axis, cut))


def entries(net):
    """Entries of the grid tensor."""
    return net.channels ** prod(net.size)
