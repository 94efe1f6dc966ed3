"""A number handed from a notebook to the prose, under a name.

A page then quotes it with ``{glue:}`../notebooks/01_grid_tensors.ipynb::name` `` and shows what the
run computed, powers such as 64^32 typeset (lib/course/extension.py). The stored output is the one
that myst-nb's own ``glue`` leaves; writing it here keeps myst-nb out of the notebooks, so that they
run on Colab, where nothing is displayed.
"""

from ..bounds.bound import Bound
from ..checks import kind, native

PREFIX = "application/papermill.record/"  # a type that no front end displays


def glue(name: str, value: object) -> None:
    """A value stored under a name in the output of the cell that runs.

    Parameters
    ----------
    name : str
        Unique within the course; begin it with the notebook's number: ``"01-rank"``.
    value : int, bool, str or Bound
        Shown as ``str(value)``. Floats are refused: round them to the digits that hold on every
        machine and pass the text, for instance ``f"{x:.2f}"``.

    Raises
    ------
    TypeError
        If the value is of another type, or the name is no text.
    ValueError
        If the name is empty.

    Examples
    --------
    >>> glue("00-answer", 3.14159)
    Traceback (most recent call last):
    TypeError: glue('00-answer'): got a float; pass an int, a bool, a str or a Bound (format floats)
    """
    if not kind("glue: name", name, str).strip():
        raise ValueError(f"glue: name={name!r}; need a name such as '01-rank'")
    value = native(value)
    if not isinstance(value, (int, str, Bound)):
        raise TypeError(f"glue({name!r}): got a {type(value).__name__}; "
                        "pass an int, a bool, a str or a Bound (format floats)")
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return
    if get_ipython() is not None:
        record = {"scrapbook": {"name": name, "mime_prefix": PREFIX}}
        display({PREFIX + "text/plain": str(value)}, metadata=record, raw=True)
