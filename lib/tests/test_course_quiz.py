"""The quizzes: every number in them is computed, every statement is a claim of the book."""

import builtins
import re
from importlib import import_module

import pytest
import torch
import yaml

import lib
from lib.course import ROOT
from lib.course.browser import served
from lib.course.claims import load_claims
from lib.course.quiz import FOLDER, load_quiz, quiz_markdown, with_quiz

QUESTIONS = [(path.stem, number, question) for path in sorted(FOLDER.glob("*.yml"))
             for number, question in enumerate(load_quiz(path), 1)]
NAMES = {**vars(builtins), "torch": torch, "import_module": import_module}


def numbers(text):
    """The numbers in an answer, powers as their values."""
    return {int(base) ** int(exponent or 1)
            for base, exponent in re.findall(r"(\d+)(?:\^\{?(\d+)\}?)?", text)}


def test_every_chapter_with_a_notebook_has_three_to_five_questions():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pages = {chapter["file"].removeprefix("book/") for part in contents["parts"]
             for chapter in part["chapters"]
             if any(section["file"].startswith("notebooks/")
                    for section in chapter.get("sections", []))}
    counts = {path.stem: len(load_quiz(path)) for path in FOLDER.glob("*.yml")}
    assert len(pages) >= 14 and set(counts) == pages
    assert all(3 <= count <= 5 for count in counts.values()), counts


class Names(dict):
    """What a check may name: the names of lib, loaded when they are asked for."""

    def __missing__(self, name):
        return getattr(lib, name)


@pytest.mark.parametrize("page, number, question", [
    entry for entry in QUESTIONS if "check" in entry[2]], ids=lambda value: str(value)[:20])
def test_a_number_is_what_the_library_computes(page, number, question):
    computed = eval(question["check"], Names(NAMES))
    assert numbers(question["right"]) == {int(computed)}, (page, number, computed)
    for answer in question["wrong"]:
        assert int(computed) not in numbers(answer), (page, number, answer)


def test_what_is_no_number_is_a_claim():
    claims = load_claims()
    unknown = [(page, number) for page, number, question in QUESTIONS
               if "claim" in question and question["claim"] not in claims]
    assert not unknown


def test_the_right_answer_is_not_always_at_the_same_place():
    text = "".join(quiz_markdown(load_quiz(path), path.stem) for path in FOLDER.glob("*.yml"))
    places = re.findall(r'data-right="(\d)"', text)
    assert len(places) == len(QUESTIONS) and min(places.count(place) for place in "012") > 8


def test_the_reason_names_the_letter_that_is_right():
    question = {"ask": "How many?", "right": "two", "wrong": ["one", "three"], "because": "So."}
    text = quiz_markdown([question], "page")
    letter = re.search(r"<span>(\w)\. two</span>", text)[1]
    assert f"1. **{letter}.** So." in text
    place = re.search(r'data-right="(\d)"', text)[1]
    assert "abc"[int(place)] == letter


@pytest.mark.parametrize("change, said", [
    ({"right": None}, "right must be a str"), ({"wrong": ["1"]}, "three or more different"),
    ({"wrong": ["2", "3"]}, "three or more different"), ({"claim": "x"}, "either check or claim"),
    ({"because": 3}, "because must be a str"), ({"hint": "x"}, "knows no"),
    ({"wrong": [1, 3]}, "1 is no text; put it between quotation marks"),
    ({"wrong": ["1", True]}, "True is no text"), ({"check": 2}, "2 is no text"),
    ({"wrong": ["1", "2 "]}, "three or more different"),
    ({"wrong": [str(n) for n in range(10, 40)]}, "at most 26")])
def test_a_malformed_question_is_refused(tmp_path, change, said):
    import yaml

    question = {"ask": "?", "right": "2", "wrong": ["1", "3"], "because": "So.", "check": "2"}
    path = tmp_path / "page.yml"
    path.write_text(yaml.safe_dump([question | change]), encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        load_quiz(path)


def test_a_question_that_begins_without_its_dash_is_not_lost(tmp_path):
    import yaml

    question = {"ask": "?", "right": "2", "wrong": ["1", "3"], "because": "So.", "check": "2"}
    text = yaml.safe_dump([question, question | {"ask": "and?"}])
    path = tmp_path / "page.yml"
    path.write_text(text[:2] + text[2:].replace("\n- ", "\n  "), encoding="utf-8")
    with pytest.raises(ValueError, match=r"^page\.yml: line \d+: ask stands twice in one entry"):
        load_quiz(path)


@pytest.mark.parametrize("text", ["", "ask: a", "- a", "5", "- ask: 'a"])
def test_a_file_that_holds_no_questions_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "page.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"^page\.yml[,:] [^\n]*$"):
        load_quiz(path)


@pytest.mark.parametrize("count", [2, 6, 9])
def test_no_answer_is_lost(count):
    for ask in "abcdefgh":              # the place of the right answer follows from the question
        wrong = [f"wrong {number}" for number in range(count)]
        question = {"ask": ask, "right": "right", "wrong": wrong, "because": "So."}
        text = quiz_markdown([question], "page")
        shown = re.findall(r"<span>(\w)\. (.+)</span>", text)
        assert sorted(answer for _, answer in shown) == ["right", *wrong]
        assert dict(map(reversed, shown))["right"] == re.search(r"^1\. \*\*(\w)", text, re.M)[1]


def test_a_quiz_goes_before_the_exercises(tmp_path):
    (tmp_path / "page.yml").write_text((FOLDER / "grid-tensors.yml").read_text(), encoding="utf-8")
    text = with_quiz("book/page", "# A\n\n## Exercises\n\nNone.\n", tmp_path)
    assert text.index("## A short quiz") < text.index("## Exercises") and text.endswith("None.\n")
    with pytest.raises(ValueError, match="no section Exercises"):
        with_quiz("book/page", "# A\n", tmp_path)


def test_the_page_says_whether_an_answer_is_right(tmp_path, browser):
    from markdown_it import MarkdownIt

    question = {"ask": "How many?", "right": "two", "wrong": ["one", "three"], "because": "So."}
    several = "Two reasons:\n\n- it is so;\n- it was so."
    text = quiz_markdown([question | {"because": several},
                          question | {"ask": "And?", "because": "Other."}], "page")
    html = MarkdownIt("commonmark", {"html": True}).render(text)
    script = (ROOT / "book" / "assets" / "quiz.js").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(f"<!doctype html><main>{html}</main><script>{script}"
                                        "</script>", encoding="utf-8")
    fields = re.findall("<input[^>]*>", html)  # what is kept over a reload has no verdict
    assert len(fields) == 6 and all(' autocomplete="off"' in field for field in fields)
    choose = """(words => {
      const quiz = document.querySelectorAll(".quiz")[1];
      const label = [...quiz.querySelectorAll("label")].find(
        one => one.textContent.includes(words));
      label.querySelector("input").click();
      return [quiz.querySelector(".quiz-said").textContent.trim(), label.className,
              document.querySelectorAll("label.right, label.wrong").length];
    })"""
    with served(tmp_path) as site:
        browser.open(f"{site}/page.html")
        said, mark, marked = browser.run(f"{choose}('three')")
        assert said.startswith("Not this one") and (mark, marked) == ("wrong", 1)
        said, mark, marked = browser.run(f"{choose}('two')")
        assert said.startswith("Right. ") and said.endswith("Other.") and "so" not in said
        assert (mark, marked) == ("right", 1)
