"""One call that says whether an answer is right, and if not, at which smallest input."""

import textwrap
from importlib import import_module

from ..checks import kind
from ..exact.device import made_on_the_cpu
from .core import EXERCISES, Asked, Exercise, Refusal, Unsolved, has_gap, plain

__all__ = ["check_answer", "find", "judged"]

PARTS = {  # where the questions of a notebook are judged
    "circuits": ("01", "02", "03"),
    "beyond": ("04", "05", "06"),
    "widths": ("07", "08"),
    "overlaps": ("09", "10", "11"),
    "practice": ("12", "13", "14"),
}


def find(name: str) -> Exercise:
    """The exercise of a name; only the questions of its part of the course are loaded.

    Raises
    ------
    ValueError
        If there is none.
    TypeError
        If the name is no text.

    Examples
    --------
    >>> find("08-field").name
    '08-field'
    """
    kind("check_answer: name", name, str)
    for part, numbers in PARTS.items():
        if name[:2] in numbers:
            import_module(f".{part}", __package__)
    if name not in EXERCISES:
        near = ", ".join(sorted(n for n in EXERCISES if n[:2] == name[:2]))
        raise ValueError(f"check_answer: no exercise {name!r}; "
                         f"{near or 'names begin with the number of a notebook, as 08-field'}")
    return EXERCISES[name]


def judged(name: str, answer: object) -> tuple[str, str]:
    """The verdict on an answer, ``"right"``, ``"not yet"`` or ``"not solved yet"``, and why.

    Parameters
    ----------
    name : str
    answer : object
        A value or a function, whatever the question asks for.

    Returns
    -------
    (str, str)

    Raises
    ------
    ValueError, TypeError
        If there is no exercise of that name; never because of the answer.

    Examples
    --------
    >>> judged("08-field", lambda layers: 1 + sum(R - 1 for R, S in layers))[0]
    'not yet'
    """
    question = find(name)
    try:
        value = Asked(answer) if callable(answer) else plain(answer)
        if has_gap(value):
            raise Unsolved
        return "right", made_on_the_cpu(question.judge)(value)
    except Unsolved:
        return "not solved yet", f"Hint: {question.hint}"
    except Refusal as refusal:
        return "not yet", str(refusal)
    except Exception as error:  # an answer of a form that no reader above foresaw
        return "not yet", f"this cannot be judged ({type(error).__name__}: {error})"


def check_answer(name: str, answer: object) -> None:
    """Print whether the answer to an exercise is right; if not, the smallest input that shows it.

    Parameters
    ----------
    name : str
        As in the notebook, for example ``"08-field"``.
    answer : object
        The value or the function that the question asks for. None, or a function that returns
        None at once, is a question not solved yet: the hint is shown.

    Raises
    ------
    ValueError, TypeError
        If there is no exercise of that name; never because of the answer.

    Examples
    --------
    >>> check_answer("08-field", lambda layers: 1 + sum(R - 1 for R, S in layers))
    not yet: your function(((1, 2), (2, 1))) gives 2, but the field is 3
    """
    verdict, text = judged(name, answer)
    mark = ". " if verdict == "not solved yet" else ": "
    print(textwrap.fill(verdict + mark + text, 78, subsequent_indent="    ",
                        break_long_words=False, break_on_hyphens=False))
