"""Hand a number from a notebook to the prose, under a name.

A page then quotes it with ``{glue:}`../notebooks/01_grid_tensors.ipynb::name` `` and shows what the
run computed. The stored output is the one that myst-nb's own ``glue`` leaves; writing it here keeps
myst-nb out of the notebooks, so that they run on Colab, where nothing is displayed.
"""

import re

PREFIX = "application/papermill.record/"  # a type that no front end displays


def glue(name, value):
    """Store a value under a name in the output of the cell that runs.

    Parameters
    ----------
    name : str
        Unique within the course; begin it with the notebook's number: ``"01-rank"``.
    value : int, bool or str
        Shown as ``str(value)``. Floats are refused: round them to the digits that hold on every
        machine and pass the text, for instance ``f"{x:.2f}"``.

    Raises
    ------
    TypeError
        If the value is of another type.

    Examples
    --------
    >>> glue("00-answer", 3.14159)
    Traceback (most recent call last):
    TypeError: glue('00-answer'): got a float; pass an int, a bool or a str (format floats)
    """
    if not isinstance(value, (int, str)):
        raise TypeError(
            f"glue({name!r}): got a {type(value).__name__}; "
            "pass an int, a bool or a str (format floats)"
        )
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return
    if get_ipython() is not None:
        record = {"scrapbook": {"name": name, "mime_prefix": PREFIX}}
        display({PREFIX + "text/plain": str(value)}, metadata=record, raw=True)


def raised(bound):
    """A bound as a sentence writes it, with its exponent raised.

    Parameters
    ----------
    bound : object
        Anything whose text holds powers written with a caret, such as a `Bound`.

    Returns
    -------
    str

    Examples
    --------
    >>> raised("64^32")
    '64³²'
    """
    superscripts = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    return re.sub(r"\^(\d+)", lambda power: power[1].translate(superscripts), str(bound))
