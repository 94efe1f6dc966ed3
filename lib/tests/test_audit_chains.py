"""The bounds of some random graphs, layer by layer, as they are today.

That none of them exceeds the rank is the matter of test_audit_graphs; a search that misses a chain
would pass there. Here every bound that is found is written down: what changes it is to be
understood first.
"""

import random
from unittest import mock

import pytest

from lib.audit import audit
from lib.tests.random_graphs import Drawn, Numbers, Written

REASONS = {
    "no layer that could be layer K has a channel whose windows up to it reach across the cut":
        "no crossing",
    "every path to the output has a layer whose window is smaller than its stride or whose cells "
    "are dropped, adds up no channels after layer K, or ends where it would be": "no end",
}


def described(found):
    """Bounds at every layer in words: crossing, overlap and private; or why there are none."""
    if found.best is None:
        reason = found.reason.replace("no chain of convolutions and poolings leads ", "")
        for words, short in {**REASONS, "where no operand can be silenced or cancelled":
                             "no operand"}.items():
            reason = reason.replace(words, short)
        return reason
    return " / ".join(", ".join(f"{name} {bound}" for name, bound in table.items()) for table in (
        found.crossing_by_layer, found.overlap_by_layer, found.private_by_layer))


def all_bounds(seed):
    """With the input's channels for one cut and kind of pools and for the others; for free ones."""
    graph = Drawn(random.Random(seed))
    with mock.patch("lib.audit.trace.FakeTensorMode", Numbers):     # a third of the time
        found = audit(Written(graph, random.Random(0)), graph.size, graph.templates)
    cuts = ("left-right", "top-bottom")[:len(graph.size)]
    one, other = (found.bounds(cut, representation=graph.templates, pools=pools)
                  for cut, pools in ((cuts[0], "mixing"), (cuts[-1], "channelwise")))
    free = found.bounds()
    chain = free.best and " - ".join(
        f"{step.name} {max(step.window)}:{max(step.stride)}:{step.channels}"
        for step in free.best.chain)
    return [described(one), described(other), described(free), chain, len(free.notes)]


# Seed; then as `all_bounds` returns them.
BOUNDS = {
    60000: [
        "made.1 2^6, made.dense 5 2^1 /  / made.dense 5 2^1",
        "made.0 2^4, made.1 2^4, made.dense 5 2^1 /  / made.dense 5 2^1",
        "made.1 2^6, made.dense 5 2^1 /  / made.dense 5 2^1",
        "made.0 2:1:4 - made.1 4:1:6 - made.dense 5 4:4:3 - made.6 1:1:1",
        1,
    ],
    60002: [
        "made.1 3^2, made.dense 8 3^1 / made.1 2^2 / made.1 3^2, made.dense 8 3^1",
        "made.1 3^2, made.dense 8 3^1 / made.1 2^2 / made.1 3^2, made.dense 8 3^1",
        "made.1 3^2, made.dense 8 3^1 / made.1 2^2 / made.1 3^2, made.dense 8 3^1",
        "made.1 5:1:2 - made.dense 8 2:2:2 - made.9 1:1:1",
        4,
    ],
    60003: [
        "made.11 3^2, made.13 3^2, made.14 2^2, avg_pool2d 2^2 /  / made.11 3^2, made.13 "
        "3^2, made.14 2^2, avg_pool2d 2^2",
        "made.11 3^2, made.13 3^2, made.14 2^2, avg_pool2d 2^2 /  / made.11 3^2, made.13 "
        "3^2, made.14 2^2",
        "made.11 3^2, made.13 3^2, made.14 2^2, avg_pool2d 2^2 /  / made.11 3^2, made.13 "
        "3^2, made.14 2^2, avg_pool2d 2^2",
        "made.0 4:1:2 - made.1 5:1:3 - made.7 4:1:3 - made.8 1:1:2 - made.11 1:2:3 - "
        "made.13 5:1:2 - made.14 1:1:2 - made.18 3:3:1",
        4,
    ],
    60005: [
        "made.0 2^2, made.1 2^2, made.3 2^2, made.5 2^2, made.6 2^2, mean 2^1 /  / ",
        "made.0 2^2, made.1 2^2, made.3 2^2, made.5 2^2, mean 2^1 /  / ",
        "made.0 3^2, made.1 3^2, made.3 2^2, made.5 3^2, made.6 3^2, mean 3^1 /  / ",
        "made.0 3:1:2 - made.5 1:1:5 - made.6 1:1:4 - mean 5:5:4 - made.9 1:1:1",
        4,
    ],
    60007: [
        "made.0 2^4, made.1 2^4, made.2 2^4, mean #2 2^1, made.4 2^1 /  / ",
        "mean #2 2^1, made.4 2^1 /  / ",
        "made.0 3^4, made.1 3^4, made.2 3^4, mean #2 3^1, made.4 3^1 /  / ",
        "made.0 3:1:2 - made.1 1:1:4 - made.2 5:1:4 - mean #2 5:5:4 - made.4 1:1:4 - made.5"
        " 1:1:1",
        3,
    ],
    60008: [
        "made.0 2^2, made.1 2^2 /  / ",
        "made.0 2^2, made.1 2^2 /  / ",
        "made.0 2^2, made.1 2^2 /  / ",
        "made.0 2:1:1 - made.1 3:1:8 - made.3 4:4:1",
        1,
    ],
    60010: [
        "made.0 2^4, made.1 2^4, made.2 2^4, made.3 2^4, made.4 2^4, made.5 2^4, made.6 "
        "2^4, avg_pool2d 2^1 /  / avg_pool2d 2^1",
        "avg_pool2d 2^1 /  / ",
        "made.0 2^4, made.1 2^4, made.2 2^4, made.3 2^4, made.4 2^4, made.5 2^4, made.6 "
        "2^4, avg_pool2d 2^1 /  / avg_pool2d 2^1",
        "made.0 2:1:1 - made.1 4:1:6 - made.2 5:1:3 - avg_pool2d 4:4:7 - made.10 1:1:1",
        3,
    ],
    60012: [
        "made.1 3^3, made.2 3^3, made.3 3^3, amax 3^1 / made.1 3^3, made.2 2^3 / made.1 "
        "3^3, made.2 3^3",
        "made.1 3^2, amax 3^1 /  / made.1 3^2",
        "made.1 6^3, made.2 3^3, made.3 3^3, amax 3^1 / made.1 5^3, made.2 2^3 / made.1 "
        "6^3, made.2 3^3",
        "made.1 4:1:5 - made.2 1:1:2 - made.3 4:1:2 - amax 3:3:2 - made.6 1:1:1",
        4,
    ],
    60013: [
        "past mul, no operand",
        "past mul, no operand",
        "past mul, no operand",
        None,
        4,
    ],
    60015: [
        "made.0 3^2, made.1 3^2, made.3 3^2 / made.0 3^2, made.1 2^2, made.3 2^2 / ",
        "no crossing",
        "made.0 6^2, made.1 5^2, made.3 5^2 / made.0 5^2, made.1 2^2, made.3 2^2 / ",
        "made.0 2:1:5 - made.1 1:1:4 - made.3 3:1:8 - (added output) 2:2:1",
        3,
    ],
    60017: [
        "no crossing",
        "no crossing",
        "no crossing",
        None,
        1,
    ],
    60018: [
        "no end",
        "no end",
        "no end",
        None,
        3,
    ],
    60021: [
        "no end",
        "no end",
        "no end",
        None,
        4,
    ],
    60024: [
        "past made.3",
        "past made.3",
        "past made.3",
        None,
        4,
    ],
    60025: [
        "made.0 3^2, made.1 3^2, made.2 3^2, avg_pool2d 3^2, made.dense 5 2^1 / made.0 3^2,"
        " made.1 2^2 / ",
        "made.0 3^2, made.1 3^2, made.2 3^2, avg_pool2d 3^2, made.dense 5 2^1 / made.0 3^2,"
        " made.1 2^2 / ",
        "made.0 7^2, made.1 3^2, made.2 3^2, avg_pool2d 3^2, made.dense 5 2^1 / made.0 6^2,"
        " made.1 2^2 / ",
        "made.0 3:1:6 - made.1 1:1:6 - made.2 3:1:2 - avg_pool2d 3:1:2 - made.dense 5 4:4:1"
        " - made.6 1:1:1",
        2,
    ],
    60028: [
        "made.0 2^4, made.4 2^4, made.5 2^4 /  / ",
        "made.5 2^5 / made.5 2^5 / ",
        "made.0 6^4, made.4 6^4, made.5 6^4 /  / ",
        "made.0 4:1:5 - made.4 3:1:10 - made.5 3:1:5 - (added output) 5:5:1",
        4,
    ],
    60030: [
        "made.2 2^4, made.4 2^4 /  / ",
        "made.2 2^4 /  / ",
        "made.2 2^4, made.4 2^4 /  / ",
        "made.0 4:1:1 - made.2 3:1:2 - made.4 3:1:4 - (added output) 4:4:1",
        5,
    ],
    60031: [
        "past relu, sub, no operand",
        "past relu, sub, no operand",
        "past relu, sub, no operand",
        None,
        4,
    ],
    60034: [
        "made.1 2^4, avg_pool2d 2^1, made.10 2^1 /  / avg_pool2d 2^1, made.10 2^1",
        "avg_pool2d 2^1, made.10 2^1 /  / ",
        "made.1 2^4, avg_pool2d 2^1, made.10 2^1 /  / avg_pool2d 2^1, made.10 2^1",
        "made.0 3:1:6 - made.1 5:1:4 - avg_pool2d 4:4:4 - made.10 1:1:1 - made.11 1:1:1",
        3,
    ],
    60040: [
        "avg_pool2d #2 2^1, made.4 2^1, made.5 2^1, avg_pool2d #3 2^1 / avg_pool2d #2 2^1, "
        "made.4 2^1, made.5 2^1, avg_pool2d #3 2^1 / avg_pool2d #2 4^1, made.4 4^1, made.5 "
        "4^1, avg_pool2d #3 4^1",
        "avg_pool2d #2 2^1, made.4 2^1, made.5 2^1, avg_pool2d #3 2^1 / avg_pool2d #2 2^1, "
        "made.4 2^1, made.5 2^1, avg_pool2d #3 2^1 / ",
        "avg_pool2d #2 5^1, made.4 5^1, made.5 5^1, avg_pool2d #3 5^1 / avg_pool2d #2 2^1, "
        "made.4 2^1, made.5 2^1, avg_pool2d #3 2^1 / avg_pool2d #2 5^1, made.4 5^1, made.5 "
        "5^1, avg_pool2d #3 5^1",
        "made.0 3:1:4 - avg_pool2d 3:2:4 - avg_pool2d #2 1:2:4 - made.4 3:2:4 - made.5 "
        "1:1:4 - made.16 1:1:1",
        5,
    ],
    60041: [
        "made.0 2^2, made.dense 3 2^1 /  / made.dense 3 2^1",
        "made.0 2^2, made.dense 3 2^1 /  / made.dense 3 2^1",
        "made.0 2^2, made.dense 3 2^1 /  / made.dense 3 2^1",
        "made.0 3:1:1 - made.dense 3 6:6:1 - made.4 1:1:1",
        0,
    ],
    60044: [
        "made.0 3^2, made.1 3^3, made.4 3^3, made.7 3^3, made.8 3^3, made.9 3^3, made.dense"
        " 11 3^1 /  / ",
        "made.0 3^2, made.1 3^3, made.4 3^3, made.7 3^3, made.8 3^3, made.9 3^3, made.dense"
        " 11 3^1 /  / ",
        "made.0 3^2, made.1 3^3, made.4 3^3, made.7 3^3, made.8 3^3, made.9 3^3, made.dense"
        " 11 3^1 /  / ",
        "made.0 3:1:2 - made.1 4:1:3 - made.4 1:1:4 - made.7 1:1:2 - made.8 5:1:4 - made.9 "
        "3:1:4 - made.dense 11 6:6:2 - made.12 1:1:1",
        4,
    ],
    60048: [
        "made.0 2^4, made.1 2^4, made.3 2^4, made.6 2^4, made.8 2^4, made.10 2^4, made.12 2^4, "
        "max_pool2d_with_indices 2^1, made.dense 24 2^1 /  / max_pool2d_with_indices 5^1, "
        "made.dense 24 2^1",
        "made.0 2^5, made.1 2^5, made.3 2^5, made.6 2^5, made.8 2^5, "
        "max_pool2d_with_indices 2^3, made.dense 24 2^1 / made.0 2^5, made.1 2^5, made.3 "
        "2^5, made.6 2^5, made.8 2^5, max_pool2d_with_indices 2^3 / ",
        "made.0 5^4, made.1 5^4, made.3 4^4, made.6 4^4, made.8 5^4, made.10 5^4, made.12 5^4, "
        "max_pool2d_with_indices 5^1, made.dense 24 2^1 /  / max_pool2d_with_indices 5^1, "
        "made.dense 24 2^1",
        "made.0 3:1:4 - made.12 3:1:5 - max_pool2d_with_indices 2:2:5 - made.dense 24 3:3:1"
        " - made.25 1:1:1",
        3,
    ],
    60050: [
        "made.0 2^2, made.1 2^2, made.2 2^2, made.3 2^2, made.4 2^2, made.6 2^2, made.8 "
        "2^2, made.9 2^2, made.11 2^2, max_pool2d_with_indices 2^1, made.16 2^1, made.17 "
        "2^1, made.18 2^1, made.19 2^1, made.20 2^1, made.21 2^1, mean 2^1, made.24 2^1 /  "
        "/ max_pool2d_with_indices 2^1, made.16 2^1, made.17 2^1, made.18 2^1, made.19 2^1,"
        " made.20 2^1, made.21 2^1, mean 2^1, made.24 2^1",
        "mean 2^1, made.24 2^1 /  / ",
        "made.0 2^2, made.1 2^2, made.2 2^2, made.3 2^2, made.4 2^2, made.6 2^2, made.8 "
        "2^2, made.9 2^2, made.11 2^2, max_pool2d_with_indices 2^1, made.16 2^1, made.17 "
        "2^1, made.18 2^1, made.19 2^1, made.20 2^1, made.21 2^1, mean 2^1, made.24 2^1 /  "
        "/ max_pool2d_with_indices 2^1, made.16 2^1, made.17 2^1, made.18 2^1, made.19 2^1,"
        " made.20 2^1, made.21 2^1, mean 2^1, made.24 2^1",
        "made.0 5:1:1 - made.1 3:1:2 - made.2 2:1:1 - made.3 4:1:1 - "
        "max_pool2d_with_indices 2:2:2 - made.19 2:1:3 - mean 2:2:5 - made.24 1:1:3 - "
        "made.25 1:1:1",
        5,
    ],
}


@pytest.mark.parametrize("seed", BOUNDS)
def test_the_bounds_of_a_random_graph(seed, one_thread):
    assert all_bounds(seed) == BOUNDS[seed]
