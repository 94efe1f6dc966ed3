"""verify and checking: what they print, and everything they refuse."""

import numpy as np
import pytest
import torch

from lib import ModeTree, certify
from lib.course import ROOT, claims

ENTRY = """\
- id: {id}
  kind: theorem
  title: A theorem
  source: this course
  status: {status}
  page: book/index.md
"""


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """A list with the claims cp-rank and ht-rank in place of the course's own."""
    path = tmp_path / "claims.yml"
    path.write_text("".join(ENTRY.format(id=i, status="new") for i in ("cp-rank", "ht-rank")))
    monkeypatch.setattr(claims, "claims_file", lambda: path)
    return path


def test_a_claim_that_is_added_while_a_notebook_runs_is_known(listed, capsys):
    with pytest.raises(KeyError, match="no claim 'new-rank'"):
        claims.verify("new-rank", True)
    listed.write_text(listed.read_text() + ENTRY.format(id="new-rank", status="new"))
    claims.verify("new-rank", True)
    assert capsys.readouterr().out.startswith("claim holds: new-rank")


def test_a_true_claim_prints_one_line(listed, capsys):
    claims.verify("cp-rank", True, detail="13 networks")
    claims.verify("ht-rank", 2 < 3, evidence="closed form")
    assert capsys.readouterr().out == (
        "claim holds: cp-rank [exact] 13 networks\nclaim holds: ht-rank [closed form]\n"
    )


def test_a_block_of_checks_prints_one_line_at_its_end(listed, capsys):
    with claims.checking("cp-rank", detail="{count} networks of {count}") as check:
        for width in range(5):
            check(width < 5, width)
        assert capsys.readouterr().out == ""
    with claims.checking("ht-rank", evidence="numerical") as check:
        check(np.bool_(True))
    with claims.checking("ht-rank") as check:
        check(True)
        check.detail = "all of them"
    assert capsys.readouterr().out == (
        "claim holds: cp-rank [exact] 5 networks of 5\n"
        "claim holds: ht-rank [numerical] 1 checks\n"
        "claim holds: ht-rank [exact] all of them\n"
    )


def test_a_block_stops_at_the_check_that_fails(listed, capsys):
    reached = []
    with pytest.raises(AssertionError, match=r"claim fails: cp-rank \(A theorem\) width 2$"):
        with claims.checking("cp-rank") as check:
            for width in range(5):
                check(width < 2, f"width {width}")
                reached.append(width)
    assert reached == [0, 1] and capsys.readouterr().out == ""


def test_readers_are_told_what_a_check_of_other_numbers_means(listed):
    """The first page says to change a width, and a narrower one was told "claim fails"."""
    with pytest.raises(AssertionError) as stopped, claims.checking("cp-rank") as check:
        check(False)
    beginning = str(stopped.value).split(":")[0]
    assert f"`{beginning}`" in (ROOT / "book" / "how-to-read.md").read_text("utf-8")
    tree = ModeTree.perfect(modes=8, pool=2, dim=3, widths=(2, 2, 2))
    assert certify(tree, "even-odd").rank == 16  # the number on that page


def test_a_block_that_checks_nothing_or_raises_proves_nothing(listed, capsys):
    with pytest.raises(AssertionError, match="claim fails: cp-rank .* nothing was checked"):
        with claims.checking("cp-rank"):
            pass
    with pytest.raises(ZeroDivisionError):
        with claims.checking("cp-rank") as check:
            check(True)
            check(1 / 0 > 0)
    with pytest.raises(ValueError, match="one line"):
        with claims.checking("cp-rank") as check:
            check(True)
            check.detail = "two\nlines"
    assert capsys.readouterr().out == ""


def test_a_block_refuses_before_it_runs(listed):
    for arguments in ({"claim_id": "cp-rnk"}, {"evidence": "proof"}, {"detail": "two\nlines"}):
        with pytest.raises((KeyError, ValueError)):
            with claims.checking(**{"claim_id": "cp-rank", **arguments}):
                pytest.fail("the block ran")


@pytest.mark.parametrize("value", [True, np.bool_(True), np.array(True), torch.tensor(True)])
def test_booleans_of_every_library_are_taken(listed, value):
    claims.verify("cp-rank", value)


def test_a_false_claim_stops_and_names_itself(listed, capsys):
    for value in (False, np.bool_(False), torch.tensor(False)):
        with pytest.raises(AssertionError, match=r"claim fails: cp-rank \(A theorem\) 2 networks"):
            claims.verify("cp-rank", value, detail="2 networks")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "value", [1, 0, None, "yes", [True], torch.tensor([True]), torch.ones(1), np.ones(2) > 0]
)
def test_what_is_neither_true_nor_false_is_refused(listed, value):
    with pytest.raises(TypeError, match="pass True or False"):
        claims.verify("cp-rank", value)


def test_an_unknown_id_names_the_nearest(listed):
    with pytest.raises(KeyError, match="nearest: cp-rank"):
        claims.verify("cp-rnk", True)
    with pytest.raises(KeyError, match="none is near"):
        claims.verify("zzz", True)
    for wrong in (None, 3, ("cp-rank",)):               # no text: an unknown id all the same
        with pytest.raises(KeyError, match="no claim"):
            claims.verify(wrong, True)


def test_at_most_three_ids_are_called_near_the_nearest_first(listed):
    names = ["rank-abcd", "rank-abce", "rank-abxy", "rank-wxyz", "else"]
    listed.write_text("".join(ENTRY.format(id=i, status="new") for i in names))
    with pytest.raises(KeyError, match=r"nearest: rank-abcd, rank-abce, rank-abxy\)"):
        claims.verify("rank-abcd-", True)


def test_unknown_evidence_and_line_breaks_are_refused(listed):
    with pytest.raises(ValueError, match="evidence 'proof'.*exact"):
        claims.verify("cp-rank", True, evidence="proof")
    with pytest.raises(ValueError, match="one line"):
        claims.verify("cp-rank", True, detail="two\nlines")


@pytest.mark.parametrize(
    "text, message",
    [
        (ENTRY.format(id="a", status="proved"), "status of a is 'proved'"),
        (ENTRY.format(id="a", status="new") * 2, "the id a is there twice"),
        (ENTRY.format(id="a", status="new").replace("  source: this course\n", ""), "fields"),
        (ENTRY.format(id="a", status="new") + "  note: more\n", "fields"),
        ("- only text\n", "fields"), ("5\n", "fields"), ("only text\n", "got only text$"),
        (ENTRY.format(id="1", status="new"), "id of 1 is 1; write a text"),
        (ENTRY.format(id="a", status="[new]"), "status of a is .'new'.; write a text"),
        (ENTRY.format(id="a", status="new").replace("this course", ""), "source of a is None"),
        ("".join(ENTRY.format(id=name, status="new") for name in "ab").replace("\n-", "\n "),
         "line 7: id stands twice in one entry.*dash$"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path, text, message):
    path = tmp_path / "claims.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        claims.load_claims(path)


def test_without_a_list_the_error_says_where_it_was_sought(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "__file__", str(tmp_path / "lib" / "claims.py"))
    with pytest.raises(FileNotFoundError, match="claims.yml is neither at .* nor at .*clone"):
        claims.claims_file()
