"""The ledger: every gap between claims, pages and stored runs is noticed."""

import json
import re

import pytest

from lib.course import claims
from lib.course import ledger as ledger_module
from lib.course.claims import EVIDENCE, STATUS, load_claims, status_class
from lib.course.ledger import Check, ledger_markdown, problems, stored_checks

CLAIM = """\
- id: cp-rank
  kind: theorem
  title: A rank | a bound
  source: Claim 2 of a paper
  status: new
  page: book/cp.md
"""
PAGE = """\
# CP

```{prf:theorem} A rank
:class: new
:label: cp-rank

Text.
```
"""


@pytest.fixture
def ledger(run_course):
    """A course whose one claim is stated on a page and checked by the notebook's stored run."""
    (run_course / "book" / "claims.yml").write_text(CLAIM, encoding="utf-8")
    (run_course / "book" / "cp.md").write_text(PAGE, encoding="utf-8")
    print_line(run_course, "claim holds: cp-rank [exact] 13 networks, M < 5\n")
    return run_course


def print_line(course, text):
    """Make a line the stored output of the notebook's first code cell."""
    path = course / "notebooks" / "90_trial.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
    path.write_text(json.dumps(notebook), encoding="utf-8")


def test_a_complete_ledger_has_no_problems(ledger):
    assert stored_checks(ledger / "notebooks") == [
        Check("cp-rank", "exact", "13 networks, M < 5", "90_trial")
    ]
    assert problems(ledger) == []


def test_a_claim_without_a_check(ledger):
    print_line(ledger, "claim fails: cp-rank\n")
    assert problems(ledger) == ["cp-rank: no notebook checks it"]


def test_a_check_without_a_claim(ledger):
    print_line(ledger, "claim holds: cp-rank [exact]\nclaim holds: ht-rank [exact] all\n")
    assert problems(ledger) == ["90_trial: checks ht-rank, which is not in claims.yml"]


def test_a_renamed_claim_is_missed_everywhere(ledger):
    path = ledger / "book" / "claims.yml"
    path.write_text(CLAIM.replace("cp-rank", "cp-ranks"))
    assert problems(ledger) == [
        "cp-ranks: no notebook checks it",
        "90_trial: checks cp-rank, which is not in claims.yml",
        "cp-ranks: book/cp.md has no theorem with this label",
        "book/cp.md: theorem cp-rank is not in claims.yml",
    ]


def test_unknown_evidence(ledger):
    print_line(ledger, "claim holds: cp-rank [guess] all\n")
    assert problems(ledger) == ["90_trial: unknown evidence guess for cp-rank"]


@pytest.mark.parametrize(
    "page, complaint",
    [
        (PAGE.replace(":label: cp-rank", ":label: other"), "has no theorem with this label"),
        (PAGE.replace(":label: cp-rank\n", ""), "theorem without a label is not in claims.yml"),
        (PAGE.replace("prf:theorem", "prf:lemma"), "has no theorem with this label"),
        (PAGE.replace("```{prf:theorem} A rank\n", "cp-rank is true\n"), "has no theorem"),
        (PAGE + "\n::::{prf:lemma}\n:label: more\n::::\n", "lemma more is not in claims.yml"),
    ],
)
def test_a_page_that_does_not_state_the_claim(ledger, page, complaint):
    (ledger / "book" / "cp.md").write_text(page)
    assert any(complaint in line for line in problems(ledger))


@pytest.mark.parametrize("status", [s for s in STATUS if s != "new"])
def test_a_page_that_marks_another_status(ledger, status):
    (ledger / "book" / "claims.yml").write_text(CLAIM.replace("status: new", f"status: {status}"))
    assert problems(ledger) == [f"cp-rank: {status} in claims.yml, but book/cp.md marks it new"]


@pytest.mark.parametrize("status", STATUS)
def test_every_status_can_be_marked(ledger, status):
    mark = "" if status == "as stated" else f":class: {status_class(status)}\n"
    (ledger / "book" / "claims.yml").write_text(CLAIM.replace("status: new", f"status: {status}"))
    (ledger / "book" / "cp.md").write_text(PAGE.replace(":class: new\n", mark))
    assert problems(ledger) == []


def test_a_mark_is_seen_beside_another_class(ledger):
    for classes in ("new dropdown", "dropdown new"):
        (ledger / "book" / "cp.md").write_text(PAGE.replace(":class: new", f":class: {classes}"))
        assert problems(ledger) == []
    (ledger / "book" / "cp.md").write_text(PAGE.replace(":class: new", ":class: newer"))
    assert problems(ledger) == ["cp-rank: new in claims.yml, but book/cp.md marks it newer"]


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_every_evidence_word_is_read_back(ledger, evidence, capsys):
    claims.verify("cp-rank-bound", True, evidence, "13 networks")
    line = capsys.readouterr().out.replace("cp-rank-bound", "cp-rank")
    print_line(ledger, line)
    assert stored_checks(ledger / "notebooks") == [
        Check("cp-rank", evidence, "13 networks", "90_trial")
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("mark", ["statement", "explicit", "corrected", "new"])
def test_marks_can_be_read(theme, mark):
    sheet = (ledger_module.ROOT / "book" / "assets" / "course.css").read_text(encoding="utf-8")
    values = re.search(rf'html\[data-theme="{theme}"\] {{(.*?)}}', sheet, re.DOTALL)[1]
    color = dict(re.findall(r"--([\w-]+): (#\w{6});", values))
    page = color.get("pst-color-background", "#ffffff")
    for ground in (page, color["course-tint"], color[f"course-{mark}-tint"]):
        assert contrast(color[f"course-{mark}"], ground) >= 4.5


def contrast(first, second):
    """The contrast ratio of two colors, as WCAG 2 defines it."""

    def luminance(color):
        parts = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return sum(x * y for x, y in zip(linear, (0.2126, 0.7152, 0.0722)))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_every_status_has_a_mark_of_its_own():
    sheet = (ledger_module.ROOT / "book" / "assets" / "course.css").read_text(encoding="utf-8")
    for status in STATUS:
        if status != "as stated":
            name = status_class(status)
            assert f"div.proof.admonition.{name} {{" in sheet and f".status.{name} {{" in sheet
            assert f'content: "{status}"' in sheet


def test_definitions_and_examples_need_no_check(ledger):
    page = PAGE + "\n```{prf:definition} Overlap\n:label: overlap\n```\n"
    (ledger / "book" / "cp.md").write_text(page)
    assert problems(ledger) == []


@pytest.mark.parametrize("before", ["", "  ", "> "])
@pytest.mark.parametrize("fence", ["```", "~~~", ":::"])
def test_a_statement_is_seen_wherever_it_stands(ledger, before, fence):
    """In a list and in a quotation too."""
    lines = [f"{fence}{{prf:lemma}} Another", ":label: another", "", "Text.", fence]
    page = PAGE + "\n- item\n\n" + "".join(f"{before}{line}\n" for line in lines)
    (ledger / "book" / "cp.md").write_text(page)
    assert problems(ledger) == ["book/cp.md: lemma another is not in claims.yml"]


@pytest.mark.parametrize("text, said", [("- id: [a\n", "claims.yml: while parsing"),
                                        ("- id: a\n", "has exactly the fields")])
def test_a_list_that_cannot_be_read_is_said_in_one_line(ledger, text, said, monkeypatch):
    (ledger / "book" / "claims.yml").write_text(text)
    monkeypatch.setattr(ledger_module, "problems", lambda: problems(ledger))
    with pytest.raises(SystemExit, match="the ledger cannot be checked: ") as stopped:
        ledger_module.main()
    assert said in stopped.value.code and "\n" not in stopped.value.code


def test_a_statement_shown_as_text_is_none(ledger):
    shown = "````md\n```{prf:theorem}\n:label: other\n```\n````\n\n```python\nx = 1\n```\n"
    (ledger / "book" / "cp.md").write_text(shown + PAGE + shown)
    assert problems(ledger) == []


def test_a_page_that_is_not_there(ledger):
    (ledger / "book" / "cp.md").unlink()
    assert problems(ledger) == ["cp-rank: there is no page book/cp.md"]


@pytest.fixture
def here(ledger, monkeypatch):
    """The ledger's page is made from the small course."""
    monkeypatch.setattr(ledger_module, "ROOT", ledger)
    return load_claims(ledger / "book" / "claims.yml"), stored_checks(ledger / "notebooks")


def test_the_table_links_claim_page_and_notebook(here):
    table = ledger_markdown(*here, {"book/cp", "notebooks/90_trial"})
    assert "1 claims: 1 new. 1 stored checks." in table
    row = next(line for line in table.splitlines() if "{prf:ref}`cp-rank`" in line)
    assert r"A rank \| a bound" in row and "**exact** 13 networks, M < 5" in row
    assert "[90](/notebooks/90_trial.ipynb)" in row and "## [CP](/book/cp.md)" in table


def test_the_table_links_nothing_that_the_book_lacks(here):
    claims, _ = here
    table = ledger_markdown(claims, [], {"book/index"})
    assert "prf:ref" not in table and "](/" not in table
    assert "| none | nowhere |" in table
