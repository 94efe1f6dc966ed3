"""The tree that readers cut: its smallest cut and its verdicts are those of the library."""

import math
import random
import re

import networkx
import pytest

from lib import ModeTree
from lib.trees.tree import Node


def tree_of(kind, modes, dim, widths):
    """The trees that the picture offers, in its order."""
    if kind == 0:
        return ModeTree.perfect(modes, 2, dim, widths)
    if kind == 1:
        return ModeTree.star(modes, dim, widths[0])
    if kind == 2:
        train = 0
        for mode in range(1, modes):
            train = Node((train, mode), widths[0])
        return ModeTree(train, dim)
    fours = [Node(tuple(range(i, i + 4)), widths[0]) for i in range(0, modes, 4)]
    return ModeTree(Node(tuple(fours), widths[1]), dim)


def parts_of(tree):
    """Leaves, then nodes from below, each with its size and the number of what it hangs from."""
    sizes, above = [tree.dim] * tree.modes, [None] * tree.modes

    def add(child):
        if isinstance(child, int):
            return child
        below = [add(grandchild) for grandchild in child.children]
        sizes.append(child.width)
        above.append(None)
        for part in below:
            above[part] = len(sizes) - 1
        return len(sizes) - 1

    add(tree.root)
    return sizes, above


def separates(above, cut, rows, modes):
    """Whether no path joins a row with a column once the parts of the cut are gone."""
    graph = networkx.Graph((part, up) for part, up in enumerate(above) if up is not None)
    graph.remove_nodes_from(cut)
    return not any(set(rows) & found and (set(range(modes)) - set(rows)) & found
                   for found in networkx.connected_components(graph))


@pytest.mark.slow
def test_a_tree_shows_its_smallest_cut_and_judges_the_reader_s(opened):
    rng, cases = random.Random(4), []
    for number in range(300):
        kind, modes, dim = number % 4, rng.choice([8, 16]), rng.randrange(1, 7)
        layers = (modes.bit_length() - 1, 1, 1, 2)[kind]
        widths = [rng.randrange(1, 10) for _ in range(layers)]
        rows = [mode for mode in range(modes) if rng.random() < 0.5]
        tree = tree_of(kind, modes, dim, widths)
        sizes, above = parts_of(tree)
        own = [part for part in range(len(sizes)) if rng.random() < rng.choice([0.1, 0.5, 0.8])]
        cases.append((tree, rows, own or [0], sizes, above, (kind, modes, dim, 1), widths))
    states = [".".join(map(str, [*start, sum(2**i for i in rows), sum(2**i for i in own), *widths]))
              for _, rows, own, _, _, start, widths in cases]
    texts = re.findall(r'aria-live="polite" data-cut="([\d.]*)">(.*?)</div>',
                       opened("tree", states))
    judged = {True: 0, False: 0}
    for (tree, rows, own, sizes, above, *_), (cut, text) in zip(cases, texts, strict=True):
        verdict, bound = re.findall(r"<p[^>]*>(.*?)</p>", text)[:2]
        parts = [int(part) for part in cut.split(".") if part]
        price = tree.mincut(rows)
        assert separates(above, parts, rows, tree.modes), (tree, rows, cut)
        assert math.prod(sizes[part] for part in parts) == price, (tree, rows, cut)
        assert bound.startswith("Rank at most ") and bound.split()[-1] == str(price), (tree, bound)
        good = separates(above, own, rows, tree.modes)
        judged[good] += 1
        assert good == verdict.startswith("Your cut separates"), (tree, rows, own, verdict)
        if good:
            mine = math.prod(sizes[part] for part in own)
            assert ("No cut is cheaper" in verdict) == (mine == price), (tree, rows, own, verdict)
        else:
            ends = [int(end) for end in re.findall(r"joins (\d+) and (\d+)", verdict)[0]]
            assert len(set(ends) & set(rows)) == 1, verdict
    assert min(judged.values()) > 60, judged


def test_the_price_of_a_cut_is_exact(opened):
    """Beyond 2^53 its last digits were those of a rounded number."""
    assert f" = {9**31}. There is" in opened("tree", [f"0.16.9.0.255.{2**31 - 1}.9.9.9.9"])


def test_what_the_page_says_of_the_trees():
    """The answers below the picture: 16 whatever is widened; the train is good at other cuts."""
    binary, train = (tree_of(kind, 8, 2, (2, 2, 2)) for kind in (0, 2))
    assert binary.mincut("even-odd") == train.mincut("even-odd") == 16
    for layer in range(3):
        wider = [9 if i == layer else 2 for i in range(3)]
        assert tree_of(0, 8, 2, wider).mincut("even-odd") == 16
        assert (tree_of(0, 8, 4, wider).mincut("even-odd") > 16) == (layer == 0)
    assert (train.mincut((0, 1, 2)), binary.mincut((0, 1, 2))) == (2, 4)
    assert (train.mincut((0, 1, 4, 5)), binary.mincut((0, 1, 4, 5))) == (8, 4)
