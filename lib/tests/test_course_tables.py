"""Tables of results: what a notebook shows, what a terminal shows, and what is refused."""

import html.parser

import numpy as np
import pytest
import torch

from lib.bounds.bound import Bound
from lib.course.tables import table, typeset, typeset_prose

ROWS = [("none", 3, Bound(2, 1), True), ("<3×3>", 256, Bound(64, 32), np.bool_(False)),
        ("", -12, None, False)]
HEADERS = ["windows", "rank", "bound", "reached"]


class Cells(html.parser.HTMLParser):
    """The texts and the tags of a table, as a browser would find them."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag in ("th", "td"):
            self.texts.append("")

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data.replace("\n", "")


def test_the_text_has_aligned_columns():
    assert str(table(ROWS, HEADERS)).splitlines() == [
        "windows  rank  bound  reached",
        "none        3    2^1  yes",
        "<3×3>     256  64^32  no",
        "          -12      –  no",
    ]
    assert str(table([], HEADERS)) == "windows  rank  bound  reached"


def test_the_html_holds_the_same_cells_and_typesets_powers():
    found = Cells(table(ROWS, HEADERS)._repr_html_())
    assert found.texts == [*HEADERS, "none", "3", "21", "yes", "<3×3>", "256", "6432", "no",
                           "", "−12", "–", "no"]
    assert found.tags.count("sup") == 2 and found.tags.count("tr") == 4
    assert "64<sup>32</sup>" in table(ROWS, HEADERS)._repr_html_()
    assert "&lt;3×3&gt;" in table(ROWS, HEADERS)._repr_html_()


def test_a_single_number_of_torch_is_a_number():
    row = (torch.tensor(3), np.int64(-4), torch.tensor(True), np.bool_(False))
    shown = str(table([row], ["a", "b", "c", "d"])).splitlines()[1]
    assert shown.split() == ["3", "-4", "yes", "no"]


def test_it_is_the_same_every_time():
    first, second = table(ROWS, HEADERS), table(iter(ROWS), tuple(HEADERS))
    assert first._repr_html_() == second._repr_html_() and repr(first) == repr(second)


@pytest.mark.parametrize("text, shown", [
    ("2^{n-1}", "2<sup>n−1</sup>"), ("r_0 and T_{R,1}", "r<sub>0</sub> and T<sub>R,1</sub>"),
    ("x_train", "x_train"), ("3-4 and -5", "3-4 and −5"), ("a & b", "a &amp; b"),
    ("10^-3", "10<sup>−3</sup>"), ("2^3.5 of 10^-0.3.", "2<sup>3.5</sup> of 10<sup>−0.3</sup>.")])
def test_powers_indices_and_signs(text, shown):
    assert typeset(text) == shown


def test_powers_in_prose_keep_their_decimals():
    assert typeset_prose("2^3.5, at most 10^-0.3 of M^(N-1), or 2^3.") == (
        "2<sup>3.5</sup>, at most 10<sup>−0.3</sup> of M<sup>N−1</sup>, or 2<sup>3</sup>.")


def test_what_cannot_be_shown_alike_everywhere_is_refused():
    with pytest.raises(TypeError, match="row 1 holds the float 0.5; format it"):
        table([(1,), (0.5,)], ["a"])
    with pytest.raises(TypeError, match="row 0 holds a ndarray of bool and shape .2,.; pass one"):
        table([(np.array([True, False]),)], ["a"])
    with pytest.raises(ValueError, match="row 0 has 1 cells for 2 headers"):
        table([(1,)], ["a", "b"])
