"""Dilated networks and mixtures of two: trees, the mixed decomposition, hybrids, refusals."""

from itertools import permutations

import pytest
import torch

from lib import (
    DilatedNetwork,
    Modular,
    certify_weights,
    coefficient_tensor,
    dilated_tree,
    exact_rank,
    gap_family,
    grid_tensor,
    hybrid_in_mixture,
    hybrid_tree,
    lags,
    matricize,
    mixture_levels,
)

FIELD = Modular()
FIRST, SECOND, ROWS = gap_family(3)


def draw(network, seed=0):
    return network.random_weights(FIELD, torch.Generator().manual_seed(seed))


def two_starts(network):
    return [[torch.stack([layer] * 2) for layer in stream] for stream in draw(network)]


def by_running(network, weights):
    identity = FIELD.tensor(torch.eye(network.dim))
    return grid_tensor(lambda x: network.run(weights, x, FIELD)[:, 0], identity, network.modes)


def by_hand(network, weights, window):
    """The definition instant by instant, in Python integers."""
    memory = {(s, 0, t): [int(v) for v in vector] for s in range(len(network.orders))
              for t, vector in enumerate(window)}

    def channels(s, level, t):
        own = []
        for past, now in zip(*weights[s][level - 1].long().tolist(), strict=True):
            below = [exchanged(s, level - 1, t - network.orders[s][level - 1]),
                     exchanged(s, level - 1, t)]
            sums = [sum(a * b for a, b in zip(row, h, strict=True))
                    for row, h in zip((past, now), below, strict=True)]
            own.append(sums[0] * sums[1] % FIELD.prime)
        return own

    def exchanged(s, level, t):
        if level == 0:
            return memory[s, 0, t]
        own = channels(s, level, t)
        if level in network.exchange:
            kept = (network.width + 1) // 2
            own[kept:] = channels(1 - s, level, t)[kept:]
        return own

    last = len(network.orders[0])
    return sum(channels(s, last, len(window) - 1)[0]
               for s in range(len(network.orders))) % FIELD.prime


NETWORKS = [
    DilatedNetwork(((2, 1),), 3, 2),
    DilatedNetwork(((1, 2, 4), (2, 1, 4)), 2, 3, exchange=(2,)),
    DilatedNetwork(((1, 2, 4), (2, 1, 4)), 2, 3),
    DilatedNetwork(((1, 2, 4), (1, 4, 2)), 2, 4, exchange=(1,)),
    DilatedNetwork(((1, 3),), 2, 2),
]


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_definition_and_decomposition_agree(network):
    weights = draw(network)
    signal = FIELD.random((2, sum(network.orders[0]) + 3, network.dim),
                          torch.Generator().manual_seed(1))
    outputs = network.run(weights, signal, FIELD)
    assert outputs.shape == (2, 3)
    span = sum(network.orders[0]) + 1
    for t in range(3):
        assert outputs[1, t] == by_hand(network, weights, signal[1, t : t + span])
    if network.modes == span:  # every instant of the window is read
        assert torch.equal(network.tensor(weights, FIELD), by_running(network, weights))


def test_weights_with_dimensions_in_front_are_a_batch_of_networks():
    network = DilatedNetwork((FIRST, SECOND), dim=2, width=3, exchange=(2,))
    several = [draw(network, seed) for seed in range(3)]
    stacked = [[torch.stack(layers) for layers in zip(*streams)] for streams in zip(*several)]
    signals = FIELD.random((3, 11, 2), torch.Generator().manual_seed(7))
    single = torch.cat([network.run(weights, signal[None], FIELD)
                        for weights, signal in zip(several, signals)])
    assert torch.equal(network.run(stacked, signals, FIELD), single)


def test_one_stream_alone_may_be_a_batch():
    network = DilatedNetwork((FIRST, SECOND), dim=2, width=3, exchange=(2,))
    (first, second), (other, _) = draw(network, 0), draw(network, 1)
    signal = FIELD.random((1, 11, 2), torch.Generator().manual_seed(7))
    stacked = [[torch.stack(layers) for layers in zip(first, other)], second]
    single = torch.cat([network.run([stream, second], signal, FIELD) for stream in (first, other)])
    assert torch.equal(network.run(stacked, signal, FIELD), single)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_tensor_of_a_network_has_the_type_of_its_weights(dtype):
    network = DilatedNetwork((FIRST, SECOND), 2, width=2, exchange=(2,))
    weights = [[torch.randint(-2, 3, shape).to(dtype) for shape in network.weight_shapes()]
               for _ in network.orders]
    found = network.tensor(weights)
    assert found.dtype == dtype
    assert torch.equal(found, grid_tensor(
        lambda x: network.run(weights, x)[:, 0], torch.eye(2, dtype=dtype), network.modes))


def test_every_order_has_its_tree():
    trees = set()
    for order in permutations((1, 2, 4)):
        network = DilatedNetwork((order,), 2, 2)
        weights = draw(network)
        tree = dilated_tree(order, 2, 2)
        formula = coefficient_tensor(tree, network.tree_weights(weights[0]), FIELD)
        assert torch.equal(formula, network.tensor(weights, FIELD))
        trees.add(str(tree))
    assert len(trees) == 6


def test_paths_to_an_input_are_its_degree():
    network = DilatedNetwork(((1, 1, 2),), 2, 2)
    assert lags((1, 1, 2)) == {0: 1, 1: 2, 2: 2, 3: 2, 4: 1}
    weights, signal = draw(network), FIELD.random((1, 5, 2), torch.Generator().manual_seed(2))
    output = network.run(weights, signal, FIELD)
    for lag, paths in lags((1, 1, 2)).items():
        scaled = signal.clone()
        scaled[:, 4 - lag] = FIELD.reduce(3 * scaled[:, 4 - lag])
        assert torch.equal(network.run(weights, scaled, FIELD), FIELD.reduce(3**paths * output))
    with pytest.raises(ValueError, match=r"read x\[t-1\] along 2 paths"):
        network.tensor(weights, FIELD)


def test_mixture_levels_are_common_nodes():
    def clusters(order):
        tree = dilated_tree(order, 2, 1)
        found = []
        for path, node in tree.inner_nodes():
            if path:
                inside = [c for c in _leaves(node)]
                found.append((node.height, frozenset(inside)))
        return set(found)

    for order in permutations((1, 2, 4, 8)):
        common = clusters((1, 2, 4, 8)) & clusters(order)
        levels = mixture_levels((1, 2, 4, 8), order)
        assert {height for height, _ in common} == set(levels)
        assert len(common) == sum(2 ** (4 - level) for level in levels)


def _leaves(node):
    for child in node.children:
        yield from (_leaves(child) if hasattr(child, "children") else (child,))


@pytest.mark.parametrize("taps", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("second, level, width", [((2, 1, 4), 2, 3), ((1, 4, 2), 1, 4),
                                                  ((2, 1, 4), 2, 2)])
def test_mixture_at_masked_weights_is_the_hybrid(second, level, width, taps):
    network = DilatedNetwork((FIRST, second), 2, width, exchange=(level,))
    masked, tree, weights = hybrid_in_mixture(network, draw(network), taps)
    tensor = network.tensor(masked, FIELD)
    assert bool(tensor.any())
    assert torch.equal(tensor, coefficient_tensor(tree, weights, FIELD))


def test_hybrid_rank_is_reached_by_the_mixture():
    network = DilatedNetwork((FIRST, SECOND), 2, 4, exchange=(2,))
    for rows in (ROWS, (0, 2, 4, 6), (0, 1, 2, 3)):
        mixed = exact_rank(matricize(network.tensor(draw(network), FIELD), rows)).rank
        for taps in ((0, 0), (0, 1), (1, 0), (1, 1)):
            _, tree, weights = hybrid_in_mixture(network, draw(network), taps)
            assert certify_weights(tree, weights, rows).rank <= mixed
    lone, mixture = (DilatedNetwork(orders, 2, 2, exchange) for orders, exchange in
                     (((FIRST,), ()), ((FIRST, SECOND), (2,))))
    ranks = [exact_rank(matricize(n.tensor(draw(n), FIELD), ROWS)).rank for n in (lone, mixture)]
    assert ranks == [8, 16]


def test_gradients_reach_every_weight():
    network = DilatedNetwork((FIRST, SECOND), 3, 3, exchange=(2,))
    generator = torch.Generator().manual_seed(0)
    weights = [[torch.randn(shape, generator=generator, requires_grad=True)
                for shape in network.weight_shapes()] for _ in network.orders]
    network.run(weights, torch.randn(2, 12, 3, generator=generator)).sum().backward()
    assert all(bool(w.grad.any()) for stream in weights for w in stream)
    assert network.parameter_count() == sum(w.numel() for stream in weights for w in stream)


@pytest.mark.parametrize("call, message", [
    (lambda: lags(()), "at least one"),
    (lambda: lags((1, 0)), "integer >= 1"),
    (lambda: dilated_tree((1, 1), 2, 2), "along 2 paths"),
    (lambda: mixture_levels((1, 2), (1, 4)), "not two orders"),
    (lambda: hybrid_tree((1, 2), (2, 1), 2, 2, 1, (0, 0)), "one of the mixture levels"),
    (lambda: hybrid_tree(FIRST, SECOND, 2, 1, 2, (0, 0)), "at least 1"),
    (lambda: hybrid_tree(FIRST, SECOND, 2, 2, 2, (0, 2)), "2 numbers 0 or 1"),
    (lambda: DilatedNetwork((FIRST, SECOND), 2, 2, (1,)), r"mixture levels .* are \(2,\)"),
    (lambda: DilatedNetwork((FIRST,), 2, 2, (2,)), r"are \(\)"),
    (lambda: DilatedNetwork((), 2, 2), "one or two"),
    (lambda: gap_family(2), "an integer >= 3"),
    (lambda: DilatedNetwork((FIRST,), 2, 2).run([], torch.zeros(1, 7, 2)), "more than 7"),
    (lambda: hybrid_in_mixture(NETWORKS[0], draw(NETWORKS[0]), (0, 1)), "two streams"),
    (lambda: DilatedNetwork(((1, 2, 4, 8, 16),), 2, 2).tensor([]), "2 \\*\\* 32"),
    # two starts at once, which run takes: the first was read as tap 0, the second as tap 1
    (lambda: DilatedNetwork(((1,),), 2, 1).tensor([[torch.ones(2, 2, 1, 2)]]), "need"),
    (lambda: hybrid_in_mixture(NETWORKS[1], two_starts(NETWORKS[1]), (0, 1)), "need"),
    # weights of a wider network ended up on the edges of this tree
    (lambda: DilatedNetwork((FIRST,), 2, 2).tree_weights(draw(
        DilatedNetwork((FIRST,), 2, 3))[0]), r"need \[\[\(2, 2, 2\)"),
])
def test_errors_say_what_would_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()
