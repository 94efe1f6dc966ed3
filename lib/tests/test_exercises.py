"""Exercises that answer: right answers pass, mistakes get a counterexample, stubs their hint."""

import ast
import re
from decimal import Decimal
from fractions import Fraction
from math import factorial

import numpy
import pytest
import torch

from lib import check_answer
from lib.course import ROOT
from lib.course.notebooks import read_notebook
from lib.exercises.check import PARTS, find, judged
from lib.exercises.core import EXERCISES, Exercise, exercise
from lib.tests.exercise_answers import ANSWERS
from lib.trees.symmetry import symmetry_order

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CALL = re.compile(r"\bcheck_answer\(\s*\"([\w-]+)\"")
FUNCTIONS = [name for name, (right, _) in ANSWERS.items() if callable(right[0])]
VALUES = [name for name in ANSWERS if name not in FUNCTIONS]
for part in PARTS.values():  # all of them, whatever a test asks for
    for begin in part:
        with pytest.raises(ValueError):
            find(begin)


def exercise_cells():
    """Notebook, name and cell of every exercise, in the notebooks' order."""
    return [(path, name, cell) for path in NOTEBOOKS for cell in read_notebook(path).cells
            if cell.cell_type == "code" for name in CALL.findall(cell.source)]


CELLS = exercise_cells()


@pytest.mark.parametrize("name, right", [
    pytest.param(name, answer, id=f"{name}-{n}")
    for name, (right, _) in ANSWERS.items() for n, answer in enumerate(right)])
def test_a_right_answer_is_accepted(name, right):
    assert judged(name, right)[0] == "right", judged(name, right)[1]


@pytest.mark.parametrize("name", ["04-one-channel", "05-stable", "10-private", "13-canonical"])
@pytest.mark.parametrize("session", ["device", "type"])
def test_a_right_answer_is_accepted_whatever_the_session_has_set(name, session):
    before = torch.get_default_dtype()
    try:
        if session == "type":
            torch.set_default_dtype(torch.float16)
        with torch.device("meta" if session == "device" else "cpu"):
            assert judged(name, ANSWERS[name][0][0])[0] == "right"
    finally:
        torch.set_default_dtype(before)


def test_a_readers_function_makes_its_tensors_where_the_reader_does():
    def contents(colors, pool, levels):
        made.append(torch.zeros(1).device.type)
        return ANSWERS["06-contents"][0][0](colors, pool, levels)

    made = []
    with torch.device("meta"):
        assert judged("06-contents", contents)[0] == "right"
    assert set(made) == {"meta"}


@pytest.mark.parametrize("name, wrong, message", [
    pytest.param(name, answer, message, id=f"{name}-{n}")
    for name, (_, wrong) in ANSWERS.items() for n, (answer, message) in enumerate(wrong)])
def test_a_mistake_is_refused_with_a_counterexample(name, wrong, message):
    verdict, text = judged(name, wrong)
    assert verdict == "not yet" and message in text, text


def test_every_exercise_has_answers_of_both_kinds_and_stands_in_its_notebook():
    assert set(ANSWERS) == set(EXERCISES)
    assert all(right and wrong for right, wrong in ANSWERS.values())
    assert sorted(name for _, name, _ in CELLS) == sorted(EXERCISES)
    assert all(path.stem.startswith(name[:2]) for path, name, _ in CELLS)
    assert all(cell.metadata.get("tags") == ["exercise"] for _, _, cell in CELLS)


def test_there_are_three_to_six_in_every_notebook():
    """Notebooks of one chapter share theirs."""
    counts = {path.stem[:2]: 0 for path in NOTEBOOKS}
    for path, _, _ in CELLS:
        counts[path.stem[:2]] += 1
    assert min(counts.values()) >= 3 and max(counts.values()) <= 6, counts
    assert sum(counts.values()) >= 45


@pytest.mark.parametrize("path, name, cell", [pytest.param(*row, id=row[1]) for row in CELLS])
def test_a_stub_shows_its_hint_and_that_is_what_is_stored(path, name, cell, capsys):
    exec(cell.source, {"check_answer": check_answer})
    said = capsys.readouterr().out
    assert said.startswith("not solved yet. Hint: ")
    assert "".join(output.text for output in cell.outputs) == said
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stubs_take_no_name_that_the_notebook_uses(path):
    cells = [cell.source for cell in read_notebook(path).cells if cell.cell_type == "code"]
    taken = {node.id for source in cells if not CALL.search(source)
             for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    for source in filter(CALL.search, cells):
        for node in ast.parse(source).body:
            own = ([node.name] if isinstance(node, ast.FunctionDef)
                   else [target.id for target in node.targets] if isinstance(node, ast.Assign)
                   else [])
            assert not taken & set(own), own


@pytest.mark.parametrize("name", ANSWERS)
def test_nothing_is_not_solved_yet(name):
    for stub in (None, ..., (None, None), lambda *arguments: None):
        verdict, text = judged(name, stub)
        expected = "not yet" if callable(stub) and name in VALUES else "not solved yet"
        assert verdict == expected and text


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_no_answer_is_refused_in_one_kind_line(name):
    strange = ["text", 3 + 4j, {}, {"a": 1}, [], [[]], object(), float("nan"), True, 10**9, -1,
               [[1, 2], [3]], ["a", "b", "c"], numpy.zeros((2, 2, 2, 2)), torch.zeros(0)]
    if name in FUNCTIONS:
        strange = [lambda *arguments, value=value: value for value in strange] + strange[:2]
    if name == "10-factor":
        strange.remove(10**9)  # which is right
    for answer in strange:
        verdict, text = judged(name, answer)
        assert verdict == "not yet" and "\n" not in text, (answer, text)
        assert "cannot be judged" not in text, (answer, text)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_error_in_the_readers_code_is_named(name):
    def broken(*arguments):
        return 1 // 0

    verdict, text = judged(name, broken)
    assert verdict == "not yet"
    assert re.search(r"broken\(.*\) raises ZeroDivisionError: ", text)
    assert "takes 0 positional arguments" in judged(name, lambda: 1)[1]


@pytest.mark.parametrize("wrap", [numpy.int64, torch.tensor, float, Fraction,
                                  lambda n: numpy.array(n), lambda n: torch.tensor(float(n))])
def test_numbers_may_come_from_anywhere(wrap):
    (right,), _ = ANSWERS["10-arcs"]
    assert judged("10-arcs", lambda *arguments: wrap(right(*arguments)))[0] == "right"
    assert "gives 99, but" in judged("10-arcs", lambda *arguments: wrap(99))[1]


@pytest.mark.parametrize("wrap", [numpy.array, torch.tensor, tuple])
def test_tables_may_come_from_anywhere(wrap):
    for name in ("01-templates", "01-primes", "02-one-against-all", "03-rank-four", "08-imitate"):
        assert judged(name, wrap(ANSWERS[name][0][0]))[0] == "right"
    assert "2 × 2" in judged("01-primes", wrap([[1, 2], [3, 4]]))[1]


def test_integers_may_be_those_of_sympy():
    """They were refused: "is 2, and an integer is asked for"."""
    sympy = pytest.importorskip("sympy")  # PyTorch brings it
    (right,), _ = ANSWERS["13-group"]
    for wrap in (sympy.Integer, lambda n: sympy.Rational(2 * n, 2)):
        assert judged("13-group", lambda *arguments: wrap(right(*arguments)))[0] == "right"
    assert "gives 3, but" in judged("13-group", lambda *arguments: sympy.Integer(3))[1]
    assert "an integer is asked" in judged("13-group", lambda *arguments: sympy.Rational(3, 2))[1]


def test_a_mixture_may_be_computed_with_tensors():
    """It was given in fractions, of which neither tensors nor logarithms of arrays are made."""
    def by_torch(prior, tables, image):
        parts = [torch.tensor([1.0 if x is None else table[i][x] for i, x in enumerate(image)])
                 for table in tables]
        return torch.tensor(prior) @ torch.stack([part.prod() for part in parts])

    def by_numpy(prior, tables, image):
        total = numpy.log(prior)
        for i, x in enumerate(image):
            total = total if x is None else total + numpy.log(tables)[:, i, x]
        return numpy.exp(total).sum()

    assert judged("05-marginal", by_torch)[0] == "right"
    assert judged("05-marginal", by_numpy)[0] == "right"


def test_a_function_that_answers_only_at_first_is_told_where_it_does_not():
    """A missing return got the hint of a stub, without the input."""
    def between_points(points, accuracy):
        for (c, x), (d, y) in zip(points, points[1:]):
            if x < accuracy < y:
                return c * (d / c) ** ((accuracy - x) / (y - x))

    assert judged("13-curve", between_points)[0] == "not solved yet"  # nothing at the first
    assert judged("10-arcs", lambda H, h, s: min(s, h, H - h, H - s) if H < 5 else None) == (
        "not yet", "your function(5, 1, 1) gives None: for other arguments it had an answer")
    assert "(2, 1, 2) gives ((), None)" in judged(
        "05-weights", lambda n, R, S: [[], None] if (n, S) == (2, 2) else [1 / n] * n)[1]


def test_the_judge_differentiates_whatever_the_reader_has_switched_off():
    (right,), _ = ANSWERS["14-same"]
    for off in (torch.no_grad, torch.inference_mode):
        with off():
            assert judged("14-same", right)[0] == "right"


def test_an_answer_that_cannot_be_read_is_no_traceback():
    for answer in ({torch.tensor([4, 5])}, torch.eye(2).to_sparse()):
        assert judged("07-cut", answer)[0] == "not yet"


def test_a_pair_of_pixels_may_be_a_set():
    right = ANSWERS["11-pairing"][0][0]
    assert judged("11-pairing", lambda *grid: [set(pair) for pair in right(*grid)])[0] == "right"
    assert "a pair of your function((0, 1), (2, 3), 4) is (0,), and 2" in judged(
        "11-pairing", lambda *grid: [{0}])[1]


def test_truth_values_may_come_from_anywhere():
    (right,), _ = ANSWERS["11-comparable"]
    for wrap in (numpy.bool_, torch.tensor, int):
        assert judged("11-comparable", lambda *arguments: wrap(right(*arguments)))[0] == "right"
    assert "True or False is asked for" in judged("11-comparable", lambda *arguments: 2)[1]


def test_the_call_prints_one_paragraph_of_78_columns(capsys):
    check_answer("09-one-channel", ANSWERS["09-one-channel"][1][0][0])
    said = capsys.readouterr().out
    assert said.startswith("not yet: the rank is 16") and said.count("\n") > 1
    assert max(map(len, said.splitlines())) <= 78
    check_answer("10-factor", 2)
    assert capsys.readouterr().out.startswith("right: no factor is 0")


def test_a_function_may_change_what_it_is_given():
    def destructive(prior, tables, image):
        right = ANSWERS["05-marginal"][0][0](prior, tables, image)
        prior.clear()
        tables[0].clear()
        return right

    assert judged("05-marginal", destructive)[0] == "right"


def test_what_no_reader_foresaw_is_no_traceback(monkeypatch):
    strange = Exercise("10-arcs", "", lambda answer: answer["x"])
    monkeypatch.setitem(EXERCISES, "10-arcs", strange)
    assert judged("10-arcs", 1)[1].startswith("this cannot be judged (TypeError: ")


def test_an_interrupt_is_not_swallowed():
    def slow(*arguments):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judged("10-arcs", slow)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="no exercise '10-arc'; 10-arcs, 10-factor"):
        check_answer("10-arc", None)
    with pytest.raises(ValueError, match="names begin with the number"):
        check_answer("arcs", None)


def test_a_name_is_used_once():
    with pytest.raises(ValueError, match="'10-arcs' is taken"):
        exercise("10-arcs", "")(print)


@pytest.mark.parametrize("pool, levels", [(2, 1), (2, 2), (3, 1), (2, 3)])
def test_the_order_of_the_group_counted_one_by_one(pool, levels):
    """All labelings of the leaves that generators lead to."""
    leaves = tuple(range(pool**levels))
    found, fresh = {leaves}, [leaves]
    while fresh:
        labels = fresh.pop()
        for level in range(levels):
            size = pool**level
            for start in range(0, len(leaves), pool * size):
                for k in range(pool - 1):  # exchange two neighboring children
                    a, b = start + k * size, start + (k + 1) * size
                    other = labels[:a] + labels[b:b + size] + labels[a:b] + labels[b + size:]
                    if other not in found:
                        found.add(other)
                        fresh.append(other)
    assert len(found) == symmetry_order(levels, pool)
    assert levels > 1 or len(found) == factorial(pool)


def test_tables_may_have_been_rounded():
    """A channel of numbers that are not integers is no exact product of its vectors."""
    a, b, c = torch.randn(3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float32)
    for kind in (torch.float32, torch.float64):
        a, b, c = (vector.to(kind) for vector in (a, b, c))
        table = torch.einsum("i,j,k->ijk", a, b, c)
        assert judged("02-one-against-all", table)[0] == "right"
        cube = torch.einsum("i,j,k->ijk", a, a, a)
        assert "is symmetric" in judged("02-one-against-all", cube)[1]
        assert "has rank 2" in judged("02-one-against-all", table + torch.einsum(
            "i,j,k->ijk", b, c, 1e-4 * b))[1]
        left, right = torch.stack([a, b]), torch.stack([b, c])
        assert judged("01-two-ranks", lambda w, x, y, z: left[w, y] * right[x, z])[0] == "right"
        assert "determinant" in judged("01-two-ranks", lambda w, x, y, z: left[w, y] * right[x, z]
                                       + 1e-4 * a[w] * b[z])[1]
    flat = [[[x * y * z for z in (0.1, 0.3)] for y in (0.1, 0.3)] for x in (0.1, 0.3)]
    assert flat[0][0][1] != flat[0][1][0] or flat[0][0][1] != flat[1][0][0]
    assert "is symmetric" in judged("02-one-against-all", flat)[1]
    tiny = [[[1.0, 1e-20], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
    assert judged("02-one-against-all", tiny)[0] == "right"


def test_functions_of_private_pixels_may_be_close_or_of_different_size():
    """The matrix squares the table: rank 4 was said to be 3."""
    near = [((1.001, 1), (1.001, 1)), ((1.001, 1), (1, 0.999)), ((0.999, 1.001), (1, 0.999))]
    assert judged("10-private", near)[0] == "right"
    for first, second in (((0.999, 1.001), (1, 0.999)), ((1, 1e4), (1, 1e4))):
        right = [(first, (1, 1)), ((1, 1), second), (first, second)]
        assert judged("10-private", right)[0] == "right"
        wrong = [(first, (1, 1)), ([3 * value for value in first], (1, 1)), ((1, 1), second)]
        assert "of rank 3" in judged("10-private", wrong)[1]
    assert "of rank 3" in judged("10-private", [((0, 0), (1, 1)), *right[:2]])[1]


def test_sets_may_be_of_scalars_of_arrays():
    """Sets of NumPy's integers were refused: "np.int64(0), and an integer is asked for"."""
    assert judged("03-rank-four", set(numpy.array([0, 1, 4, 5])))[0] == "right"
    assert judged("03-rank-four", frozenset(torch.tensor([0, 1, 4, 5])))[0] == "right"
    assert judged("07-cut", [(0, 1, 2, 3), set(numpy.array([4, 5])), {6, 7}])[0] == "right"
    fold, common = (ANSWERS[name][0][0] for name in ("06-fold", "12-common"))
    assert judged("06-fold", lambda N, k: set(numpy.array(list(fold(N, k)))))[0] == "right"
    assert judged("12-common", lambda a, b: set(numpy.array(common(a, b), int)))[0] == "right"


def test_private_pixels_with_integers_are_ranked_exactly():
    """Scaled by a power of two they looked like 32-bit floats; rank 4 was said to be 3."""
    for first in ((511, 512), (1023, 1024), (4095, 4096)):
        right = [(first, (1, 1)), ((1, 1), first), (first, first)]
        assert judged("10-private", right)[0] == "right"
        assert judged("10-private", [(first, (1, 1)), ((1, 1), first), ((3, 3), first)])[0] != (
            "right")
    tenths = torch.tensor([0.1, 0.3])  # 32-bit floats, whose products are none
    other = [(tenths, torch.ones(2)), (torch.tensor([0.7, 2.1]), torch.ones(2)), (tenths, tenths)]
    assert "of rank 3" in judged("10-private", other)[1]


def test_a_factor_is_judged_as_the_fraction_that_it_stands_for():
    """-1/3 in 32 bits passed; factors that float64 cannot add to 1 were said to be singular."""
    for factor in (-1 / 3, numpy.float32(-1 / 3), torch.tensor(-0.2), Fraction(-1, 5)):
        assert "= 0" in judged("10-factor", factor)[1]
    for factor in (0.1, -0.3333, 1e-17, 1e17, 10**400, Fraction(1, 10**30)):
        assert judged("10-factor", factor)[0] == "right"
    for factor, words in ((float("inf"), "a finite number"), (-0.0, "has rank 1")):
        assert words in judged("10-factor", factor)[1]


def test_tables_of_palindromes_may_be_an_inverse_of_32_bits():
    """A third of the random tables with their inverses was refused by roundings."""
    draw = torch.Generator().manual_seed(1)
    for channels in (3, 4, 5) * 20:
        left = torch.randn(channels, 3, generator=draw, dtype=torch.float32)
        right = torch.linalg.pinv(left).T
        assert judged("06-palindrome", (left, right))[0] == "right"
        assert judged("06-palindrome", (left, right + 1e-2))[0] == "not yet"
    assert judged("06-palindrome", ([[1e5, 0.5, 0]], [[1e5, 0, 0.5]]))[0] == "not yet"
    tenth = torch.eye(3) / 10               # four pixels multiply two entries, each rounded
    for error, verdict in ((7e-7, "right"), (7e-6, "not yet")):
        assert judged("06-palindrome", (tenth, torch.eye(3) * 10 * (1 + error)))[0] == verdict


def test_numbers_may_be_decimal():
    """The one way to hold exp(700000) in Python alone: its results were said to be no numbers."""
    def stable(values):
        total = sum(Decimal(x).exp() for x in values)
        return (total / len(values)).ln()

    assert judged("05-stable", stable)[0] == "right"
    (right,), _ = ANSWERS["10-arcs"]
    assert judged("10-arcs", lambda *arguments: Decimal(right(*arguments)))[0] == "right"
    for value in ("NaN", "Infinity", "1E+999999", "2.5"):
        assert "and an integer is asked for" in judged("10-arcs", lambda *_: Decimal(value))[1]
