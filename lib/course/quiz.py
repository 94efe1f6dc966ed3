"""Short quizzes: questions with explained answers, checked on the page without kernel or network.

The questions of a chapter ``book/NAME.md`` are in ``book/quiz/NAME.yml``. The extension puts them
before the chapter's exercises, as plain HTML that works with a keyboard, without scripts (the
answers unfold) and on paper (they stand below the questions).
"""

import string
import zlib
from pathlib import Path

from . import ROOT
from .lists import load_list

__all__ = ["FOLDER", "load_quiz", "quiz_markdown", "with_quiz"]

FOLDER = ROOT / "book" / "quiz"
LETTERS = string.ascii_lowercase     # of the answers
FIELDS = {"ask": str, "right": str, "wrong": list, "because": str}
PROOFS = ("check", "claim")  # an expression that computes the answer, or the statement behind it
OPENING = """\
## A short quiz

Choose an answer; the page says at once whether it is right, and why.
"""


def load_quiz(path: Path) -> list[dict]:
    """The questions of a file, checked for their form.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    list of dict
        With the texts ``ask``, ``right``, ``because``, the list ``wrong``, and ``check`` (an
        expression with names of `lib`) or ``claim`` (an id of ``claims.yml``).

    Raises
    ------
    ValueError
        If the file is no list, a field is missing, there twice, unknown or of another type, or an
        answer stands twice.

    Examples
    --------
    >>> sorted(load_quiz(FOLDER / "grid-tensors.yml")[0])
    ['ask', 'because', 'check', 'right', 'wrong']
    """
    questions = load_list(path)
    if not isinstance(questions, list) or not questions:
        raise ValueError(f"{path.name}: needs a list of questions, each beginning with '- ask:'")
    for number, question in enumerate(questions, 1):
        where = f"{path.name}, question {number}"
        if not isinstance(question, dict):
            raise ValueError(f"{where}: needs the fields {', '.join(FIELDS)}, not {question!r}")
        for name, kind in FIELDS.items():
            if not isinstance(question.get(name), kind):
                raise ValueError(f"{where}: {name} must be a {kind.__name__}, "
                                 f"not {question.get(name)!r}")
        unknown = set(question) - set(FIELDS) - set(PROOFS)
        if unknown or sum(name in question for name in PROOFS) != 1:
            raise ValueError(f"{where}: needs either {' or '.join(PROOFS)}, and knows no "
                             f"{sorted(unknown) or 'other fields'}")
        texts = [*question["wrong"], *(question[name] for name in PROOFS if name in question)]
        for text in texts:              # YAML reads 7 and 1.50 as numbers, yes as a truth value
            if not isinstance(text, str):
                raise ValueError(f"{where}: {text!r} is no text; put it between quotation marks")
        answers = [question["right"].strip(), *map(str.strip, question["wrong"])]
        if not 3 <= len(answers) <= len(LETTERS) or len(set(answers)) < len(answers):
            raise ValueError(f"{where}: needs three or more different answers, "
                             f"at most {len(LETTERS)}")
    return questions


def _ordered(question: dict) -> tuple[list[str], int]:
    """The answers in an order that is always the same, and the place of the right one."""
    place = zlib.crc32(question["ask"].encode()) % (len(question["wrong"]) + 1)
    return [*question["wrong"][:place], question["right"], *question["wrong"][place:]], place


def quiz_markdown(questions: list[dict], name: str) -> str:
    """A quiz as the Markdown of its section.

    Parameters
    ----------
    questions : list of dict
        As :func:`load_quiz` returns them.
    name : str
        Of the chapter: what makes the marks of one quiz differ from those of others.

    Returns
    -------
    str

    Examples
    --------
    >>> question = {"ask": "How many?", "right": "2", "wrong": ["1", "3"], "because": "So it is."}
    >>> quiz_markdown([question], "a").splitlines()[-3]
    '1. **a.** So it is.'
    """
    parts, reasons = [OPENING], []
    for number, question in enumerate(questions, 1):
        answers, place = _ordered(question)
        parts += [
            f'<div class="quiz" role="radiogroup" aria-labelledby="quiz-{name}-{number}" '
            f'data-right="{place}">',
            f'<span id="quiz-{name}-{number}">**{number}.** {question["ask"].strip()}</span>',
            # off: an answer that Firefox keeps over a reload would stand there without its verdict
            *(f'<label><input type="radio" name="quiz-{name}-{number}" value="{index}" '
              f'autocomplete="off"> <span>{letter}. {answer}</span></label>'
              for index, (letter, answer) in enumerate(zip(LETTERS, answers))),
            '<div class="quiz-said" role="status"></div>',
            "</div>",
        ]
        reason = f"{number}. **{LETTERS[place]}.** {question['because'].strip()}"
        reasons.append(reason.replace("\n", "\n" + " " * (reason.index(".") + 2)))
    parts += ['<details class="quiz-answers">\n<summary>Answers to the quiz</summary>',
              "\n".join(reasons), "</details>"]
    return "\n\n".join(parts) + "\n"


def with_quiz(page: str, text: str, folder: Path = FOLDER) -> str:
    """A chapter's text with its quiz, if it has one, before its exercises.

    Parameters
    ----------
    page : str
        The page's name in the book, ``"book/grid-tensors"``.
    text : str
    folder : pathlib.Path

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is a quiz and no section of exercises.

    Examples
    --------
    >>> with_quiz("book/ledger", "# Ledger")
    '# Ledger'
    """
    path = folder / f"{page.removeprefix('book/')}.yml"
    if not page.startswith("book/") or not path.is_file():
        return text
    before, mark, after = text.partition("\n## Exercises\n")
    if not mark:
        raise ValueError(f"with_quiz: {page} has a quiz and no section Exercises to put it before")
    return f"{before}\n{quiz_markdown(load_quiz(path), path.stem)}{mark}{after}"
