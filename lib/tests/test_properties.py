"""Public functions against slow ones written from the definitions, on small random inputs."""

import itertools
import math
from fractions import Fraction

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lib import (
    Architecture,
    Bound,
    Layer,
    ModeTree,
    certify,
    change_basis,
    coefficient_tensor,
    exact_rank,
    forward,
    grid_tensor,
    indices,
    khatri_rao,
    lags,
    matching_number,
    matricize,
    mex,
    pooling_order,
    quoted_overlap_bound,
    split_modes,
)
from lib.bounds import crossing, shifts
from lib.exact.arithmetic import Modular, Real
from lib.exact.ranks import numerical_rank
from lib.trees import symmetry, tensors

few = settings(max_examples=40, deadline=None, derandomize=True, database=None)
fewer = settings(few, max_examples=15)
PRIMES = st.sampled_from([2, 3, 5, 101, 8388593])
SMALL = st.integers(-50, 50)


def matrices(values=SMALL, most=4):
    return st.tuples(st.integers(1, most), st.integers(1, most)).flatmap(
        lambda shape: st.lists(st.lists(values, min_size=shape[1], max_size=shape[1]),
                               min_size=shape[0], max_size=shape[0]))


def rational_rank(rows):
    """Gaussian elimination with fractions."""
    rows, rank = [[Fraction(x) for x in row] for row in rows], 0
    for column in range(len(rows[0])):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for r in range(rank + 1, len(rows)):
            factor = rows[r][column] / rows[rank][column]
            rows[r] = [a - factor * b for a, b in zip(rows[r], rows[rank])]
        rank += 1
    return rank


@few
@given(matrices(st.integers(-6, 6)))
def test_rank_is_the_rational_one_where_no_minor_reaches_the_prime(rows):
    assert max(abs(x) for row in rows for x in row) ** 4 * math.factorial(4) < 8388593
    rank = rational_rank(rows)
    assert exact_rank(rows).rank == exact_rank(torch.tensor(rows).T).rank == rank
    assert numerical_rank(rows, tolerance=1e-9) == rank


@few
@given(st.lists(st.floats(0.1, 1), min_size=2, max_size=4),
       st.lists(st.floats(0.1, 1), min_size=2, max_size=4))
def test_lists_of_floats_are_read_as_float64(column, row):
    """By way of float32 a matrix of rank one would have more."""
    matrix = [[a * b for b in row] for a in column]
    assert numerical_rank(matrix) == 1
    assert Real().tensor(matrix).tolist() == matrix


@few
@given(matrices(st.integers(-10**30, 10**30), 3), PRIMES)
def test_residues_of_integers_of_any_size(rows, prime):
    assert Modular(prime).tensor(rows).tolist() == [[x % prime for x in row] for row in rows]


@few
@given(st.data(), PRIMES)
def test_modular_arithmetic_is_that_of_integers(data, prime):
    field, residue = Modular(prime), st.integers(0, prime - 1)
    a = data.draw(matrices(residue, 3))
    b = data.draw(st.lists(st.lists(residue, min_size=2, max_size=2), min_size=len(a[0]),
                           max_size=len(a[0])))
    x, y = field.tensor(a), field.tensor(b)
    assert field.matmul(x, y).tolist() == [
        [sum(p * q for p, q in zip(row, column)) % prime for column in zip(*b)] for row in a]
    assert field.multiply(x, x).tolist() == [[v * v % prime for v in row] for row in a]
    assert field.add(x, x).tolist() == [[2 * v % prime for v in row] for row in a]
    assert field.prod(x, 1).tolist() == [math.prod(row) % prime for row in a]
    for number in {v for row in a for v in row if v}:
        assert field.reciprocal(number) * number % prime == 1
    if len(a) == len(a[0]) and exact_rank(a, prime).full:
        assert field.matmul(x, field.inverse(x)).tolist() == torch.eye(len(a)).tolist()


@few
@given(st.integers(1, 4), st.integers(0, 4), st.data())
def test_index_tuples_and_samples_of_them(dim, count, data):
    every = list(itertools.product(range(dim), repeat=count))
    assert indices(dim, count).tolist() == list(map(list, every))
    samples = data.draw(st.integers(0, len(every)))
    found = tensors.sample_indices(dim, count, samples, torch.Generator().manual_seed(0)).tolist()
    assert len(found) == samples and found == sorted(map(list, set(map(tuple, found))))
    assert set(map(tuple, found)) <= set(every)


@few
@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.data())
def test_matricization_puts_every_entry_in_its_place(shape, data):
    rows = data.draw(st.sets(st.integers(0, len(shape) - 1)))
    tensor = torch.arange(math.prod(shape)).reshape(shape)
    sides = split_modes(rows, len(shape))
    assert sides == (tuple(sorted(rows)), tuple(sorted(set(range(len(shape))) - rows)))
    matrix = matricize(tensor, rows)
    for entry in itertools.product(*map(range, shape)):
        place = [0, 0]
        for axis, side in enumerate(sides):
            for mode in side:
                place[axis] = place[axis] * shape[mode] + entry[mode]
        assert matrix[tuple(place)] == tensor[entry]


@few
@given(st.integers(1, 3), st.lists(st.integers(1, 3), min_size=1, max_size=3), st.randoms())
def test_khatri_rao_is_kronecker_by_columns(width, heights, random):
    factors = [torch.tensor([[random.randint(-9, 9) for _ in range(width)] for _ in range(height)])
               for height in heights]
    product = khatri_rao(factors)
    for column in range(width):
        expected = torch.ones(1, dtype=torch.int64)
        for factor in factors:
            expected = torch.kron(expected, factor[:, column].contiguous())
        assert product[:, column].tolist() == expected.tolist()


def largest_matching(pairs):
    """Over all sets of disjoint pairs."""
    if not pairs:
        return 0
    (p, q), *rest = pairs
    return max(largest_matching(rest),
               1 + largest_matching([pair for pair in rest if not {p, q} & set(pair)]))


@few
@given(st.sampled_from([(5,), (2, 3), (3, 2)]), st.data())
def test_matching_number_is_that_of_all_sets_of_pairs(size, data):
    cells = list(itertools.product(*map(range, size)))
    window = tuple(data.draw(st.integers(1, n)) for n in size)
    rows = data.draw(st.sets(st.integers(0, len(cells) - 1)))
    pairs = [(p, q) for p, q in itertools.permutations(range(len(cells)), 2)
             if (p in rows) != (q in rows)
             and all(0 <= b - a < r for a, b, r in zip(cells[p], cells[q], window))]
    assert matching_number(rows, size, window) == largest_matching(pairs)


@few
@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.data())
def test_greedy_digits_are_best_among_all(steps, data):
    units = [math.prod(steps[:i]) for i in range(1, len(steps) + 1)]
    highs = [data.draw(st.integers(0, 3)) for _ in units]
    lows = [data.draw(st.integers(0, high)) for high in highs]
    limit = data.draw(st.integers(-1, 20))
    sums = {sum(u * a for u, a in zip(units, digits))
            for digits in itertools.product(*(range(high + 1) for high in highs))}
    from_low = {sum(u * a for u, a in zip(units, digits)) for digits in itertools.product(
        *(range(low, high + 1) for low, high in zip(lows, highs)))}
    worth = lambda digits: digits and sum(u * a for u, a in zip(units, digits))  # noqa: E731
    assert worth(shifts.largest_at_most(units, highs, limit)) == max(
        (s for s in sums if s <= limit), default=None)
    assert worth(shifts.smallest_at_least(units, lows, highs, limit)) == min(
        (s for s in from_low if s >= limit), default=None)
    if limit >= 0:
        assert set(shifts.reachable_sums(units, highs, limit)) == {s for s in sums if s <= limit}
        assert worth(shifts.digits_of(units, highs, limit)) == (limit if limit in sums else None)


@st.composite
def networks(draw, most=6):
    """Small one-dimensional networks whose last window covers what is left."""
    size, layers = draw(st.integers(2, most)), []
    cells = size
    for _ in range(draw(st.integers(0, 2))):
        window, stride = draw(st.integers(1, 4)), draw(st.integers(1, 2))
        layers.append(Layer(window, stride, draw(st.integers(1, 3))))
        cells = -(-cells // stride)
    return Architecture((size,), draw(st.integers(1, 3)), (*layers, Layer(cells, cells, 1)))


def seen(net, layer, cell):
    """The pixels that a cell of a layer sees, also beyond the border, window by window."""
    if layer == 0:
        return {cell}
    (window,), (stride,) = net.windows[layer - 1], net.strides[layer - 1]
    return set().union(*(seen(net, layer - 1, cell * stride + offset) for offset in range(window)))


@few
@given(networks(8))
def test_receptive_fields_are_what_cells_see(net):
    for layer in range(net.depth + 1):
        pixels, others = seen(net, layer, 0), seen(net, layer, 1)
        assert net.total_receptive_field(layer) == max(pixels) + 1
        assert net.total_stride(layer) == min(others)
        assert net.overlap_degree(layer) == Fraction(max(pixels) + 1, min(others))
        assert set(net.reachable_shifts(layer)) == {p for p in pixels if p < net.size[0]}


@few
@given(networks(8), st.integers(0, 12), st.sampled_from(["stride", "one"]))
def test_alpha_minimal_over_all_smaller_windows(net, alpha, t_min):
    layer = net.depth - 1
    choices = [range(stride if t_min == "stride" else 1, window + 1)
               for (window,), (stride,) in zip(net.windows[:layer], net.strides[:layer])]
    fields = [1 + sum((t - 1) * net.total_stride(i) for i, t in enumerate(choice))
              for choice in itertools.product(*choices)]
    assert net.alpha_minimal(layer, alpha, t_min) == min(
        (field for field in fields if field > alpha), default=None)


@few
@given(networks(8), st.data())
def test_crossing_pairs_are_counted(net, data):
    cut = data.draw(st.integers(1, net.size[0] - 1))
    bounds = net.crossing_bounds(cut=cut)
    assert [bound.layer for bound in bounds] == [
        layer for layer in range(1, net.depth)
        if all(r >= s for (r,), (s,) in zip(net.windows[layer:], net.strides[layer:]))]
    for bound in bounds:
        step, base = net.total_stride(bound.layer), min(
            net.channels, *(1 + width for width in net.widths[1:bound.layer + 1]))
        pairs = max(sum(v * step < cut <= v * step + shift < net.size[0] for v in range(cut))
                    for shift in seen(net, bound.layer, 0))
        assert (bound.base, bound.exponent) == (base, pairs)
        assert crossing.crossing_pairs(net, bound.layer, bound.shift, 0, cut) == pairs


@fewer
@given(networks(4), st.data())
def test_the_network_and_its_rank_from_the_definition(net, data):
    """Products of affine maps, pixel by pixel in integers; the rank against every bound."""
    field = Modular(101)
    weights = net.random_weights(field, torch.Generator().manual_seed(data.draw(st.integers(0, 9))))
    inputs = indices(net.channels, net.size[0])[:5]
    identity = torch.eye(net.channels).long().tolist()
    found = forward(net, weights, torch.eye(net.channels).double()[inputs].movedim(1, 2), field)
    for row, templates in zip(found.flatten(1).tolist(), inputs.tolist()):
        cells = [identity[t] for t in templates]
        for (weight, bias), (stride,) in zip(weights, net.strides):
            above = []
            for target in range(-(-len(cells) // stride)):
                value = [1] * len(weight)
                for d, offset in itertools.product(range(len(weight)), range(weight.shape[2])):
                    source = target * stride + offset
                    total = int(bias[d, offset]) + sum(
                        int(w) * x for w, x in zip(weight[d, :, offset], cells[source])
                    ) if source < len(cells) else int(bias[d, offset])
                    value[d] = value[d] * total % 101
                above.append(value)
            cells = above
        assert row == cells[0]
    rank = certify(net, "left-right", seed=0).rank
    assert rank >= max(net.crossing_bound(), net.private_pixel_bound(),
                       quoted_overlap_bound(net) if net.channels == 1 else Bound(1, 0))
    for upper in (net.exact_two_layer_rank(), net.non_overlapping_upper_bound()):
        assert upper is None or rank <= upper


@fewer
@given(st.sampled_from([ModeTree.star(3, 2, 3), ModeTree.perfect(4, 2, 2, (2, 3)),
                        ModeTree.perfect(4, 2, 3, ((1, 2), 2)).permuted([0, 2, 1, 3])]), st.data())
def test_a_tree_is_a_sum_of_products_and_its_cut_bounds_the_rank(tree, data):
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 9)))
    weights = tree.random_weights(Real(), generator)

    def channels(child, path, entry):
        if isinstance(child, int):
            return [float(entry[child] == d) for d in range(tree.dim)]
        below = [channels(c, (*path, i), entry) for i, c in enumerate(child.children)]
        mixed = [weights[(*path, i)] @ torch.tensor(value, dtype=torch.float64)
                 for i, value in enumerate(below)]
        return torch.stack(mixed).prod(0).tolist()

    tensor = coefficient_tensor(tree, weights)
    for entry in itertools.product(range(tree.dim), repeat=tree.modes):
        root = torch.tensor(channels(tree.root, (), entry), dtype=torch.float64)
        expected = weights[()] @ root
        assert abs(tensor[entry] - expected) < 1e-9
    rows = data.draw(st.sets(st.integers(0, tree.modes - 1)))
    assert certify(tree, rows, shared=False, seed=0).rank <= tree.mincut(rows)


@few
@given(st.integers(1, 3), st.integers(1, 3), st.randoms())
def test_grid_tensors_and_changes_of_basis_entry_by_entry(modes, dim, random):
    matrix = torch.tensor([[random.randint(-3, 3) for _ in range(dim)] for _ in range(2)]).double()
    tensor = torch.tensor([random.randint(-3, 3) for _ in range(dim**modes)]).double()
    tensor = tensor.reshape((dim,) * modes)

    def network(inputs):  # (batch, modes, dim): the multilinear form of the tensor
        value = tensor.expand(len(inputs), *tensor.shape)
        for mode in range(modes):
            value = torch.einsum("bd...,bd->b...", value, inputs[:, mode])
        return value

    changed, found = change_basis(tensor, matrix, Real()), grid_tensor(network, matrix, modes)
    for entry in itertools.product(range(2), repeat=modes):
        expected = sum(tensor[d] * math.prod(matrix[t, c] for t, c in zip(entry, d))
                       for d in itertools.product(range(dim), repeat=modes))
        assert changed[entry] == found[entry] == expected


@few
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_lags_are_the_sums_of_all_sets_of_dilations(dilations):
    sums = [sum(chosen) for k in range(len(dilations) + 1)
            for chosen in itertools.combinations(dilations, k)]
    assert lags(dilations) == {lag: sums.count(lag) for lag in sorted(sums)}


@fewer
@given(st.sampled_from([(1, 2), (2, 2), (1, 3)]), st.integers(1, 3))
def test_orbits_are_counted_one_by_one(shape, dim):
    levels, pool = shape

    def canonical(content):
        if len(content) == 1:
            return content
        part = len(content) // pool
        return tuple(sorted(canonical(content[i:i + part])
                            for i in range(0, len(content), part)))
    contents = list(itertools.product(range(dim), repeat=pool**levels))
    assert symmetry.invariant_dimension(levels, dim, pool) == len(set(map(canonical, contents)))
    order = symmetry.symmetry_order(levels, pool)
    generator = torch.Generator().manual_seed(0)
    drawn = {tuple(symmetry.random_symmetry(levels, generator, pool).tolist()) for _ in range(60)}
    assert len(drawn) <= order and (order > 10 or len(drawn) == order)


@few
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=5), st.floats(-3, 3))
def test_mex_is_the_logarithm_of_a_mean(values, beta):
    assume(abs(beta) > 1e-3)
    mean = sum(math.exp(beta * value) for value in values) / len(values)
    found = float(mex(torch.tensor(values, dtype=torch.float64), beta))
    assert abs(found - math.log(mean) / beta) < 1e-6
    assert min(values) - 1e-9 <= found <= max(values) + 1e-9


@few
@given(st.sampled_from([2, 4, 8]), st.sampled_from(["square", "mirror", "dilated"]))
def test_pooling_orders_join_what_they_say(length, geometry):
    order = pooling_order(length, geometry)
    assert sorted(order) == list(range(length))
    joined = {"square": lambda a, b: b == a + 1, "mirror": lambda a, b: a + b == length - 1,
              "dilated": lambda a, b: b - a == length // 2}[geometry]
    assert all(joined(a, b) for a, b in zip(order[::2], order[1::2]))
