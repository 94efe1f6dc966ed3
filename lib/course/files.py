"""Where the course's notebooks are, and how they are read and written."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"


def notebooks(folder=NOTEBOOKS):
    """The committed notebooks, in the order of their numbers.

    Parameters
    ----------
    folder : pathlib.Path
        The folder to look in.

    Returns
    -------
    list of pathlib.Path

    Examples
    --------
    >>> all(path.suffix == ".ipynb" for path in notebooks())
    True
    """
    return sorted(Path(folder).glob("*.ipynb"))


def twins(folder=NOTEBOOKS):
    """The Python scripts that hold the same cells as the notebooks.

    Parameters
    ----------
    folder : pathlib.Path
        The folder to look in.

    Returns
    -------
    list of pathlib.Path

    Examples
    --------
    >>> all(path.suffix == ".py" for path in twins())
    True
    """
    return sorted(path for path in Path(folder).glob("*.py") if path.name[:1].isdigit())


def read_twin(path):
    """Read a py:percent script as a notebook without outputs.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    nbformat.NotebookNode
    """
    import jupytext

    return jupytext.reads(Path(path).read_text(encoding="utf-8"), fmt="py:percent")


def read_notebook(path):
    """Read a notebook with its outputs.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    nbformat.NotebookNode
    """
    import nbformat

    return nbformat.read(str(path), as_version=4)


def cell_content(cell):
    """What must agree between a notebook's cell and its twin's.

    Parameters
    ----------
    cell : nbformat.NotebookNode

    Returns
    -------
    tuple
        Type, source, tags, and the figure settings kept under ``mystnb``.
    """
    metadata = cell.metadata
    return cell.cell_type, cell.source, list(metadata.get("tags", [])), metadata.get("mystnb", {})
