"""Notebooks and their twins hold the same cells, and every code cell has a stored run.

``python -m lib.course.twins`` reports what disagrees and fails if anything does;
``python -m lib.course.twins --sync`` rewrites the notebooks' cells from the twins. The twin is
the source of truth; outputs stay where the cell's source stayed.
"""

import argparse
import sys
from itertools import zip_longest
from pathlib import Path

from .colab import stamp_setup
from .execution import finished, keep_outputs, write
from .files import NOTEBOOKS, cell_content, notebooks, read_notebook, read_twin, twins

ASPECTS = ("type", "source", "tags", "figure settings")


def problems(folder=NOTEBOOKS):
    """Everything that keeps the notebooks of a folder from being in step.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    list of str
        One line per problem; empty when all is well.
    """
    found = []
    stems = sorted({path.stem for path in (*notebooks(folder), *twins(folder))})
    for stem in stems:
        notebook, twin = Path(folder) / f"{stem}.ipynb", Path(folder) / f"{stem}.py"
        if not twin.exists():
            found.append(f"{stem}: the notebook has no twin {twin.name}")
        elif not notebook.exists():
            found.append(f"{stem}: never run; `make run NOTEBOOK={stem}` makes the notebook")
        else:
            stored = read_notebook(notebook).cells
            found += [f"{stem}: {line}" for line in differences(stored, read_twin(twin).cells)]
            found += [f"{stem}: {line}" for line in run_problems(stored)]
    return found


def differences(stored, twin):
    """Compare the cells of a notebook with those of its twin.

    Parameters
    ----------
    stored, twin : list of nbformat.NotebookNode

    Returns
    -------
    list of str
    """
    found = []
    for position, (ours, theirs) in enumerate(zip_longest(stored, twin)):
        if ours is None or theirs is None:
            found.append(f"the notebook has {len(stored)} cells, the twin {len(twin)}")
            break
        for aspect, a, b in zip(ASPECTS, cell_content(ours), cell_content(theirs), strict=True):
            if a != b:
                found.append(f"cell {position} differs from the twin in its {aspect}")
    return found


def run_problems(cells):
    """Code cells that never ran, ran out of order, or stored an error or a warning.

    Parameters
    ----------
    cells : list of nbformat.NotebookNode

    Returns
    -------
    list of str
    """
    found, expected = [], 0
    for position, cell in enumerate(cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        expected += 1
        tags = cell.metadata.get("tags", [])
        if cell.execution_count is None:
            found.append(f"cell {position} has no stored run")
        elif cell.execution_count != expected:
            found.append(f"cell {position} ran as number {cell.execution_count}, not {expected}")
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in tags:
                found.append(f"cell {position} stores an error: {output.ename}")
            if output.get("name") == "stderr" and "nbval-ignore-output" not in tags:
                found.append(f"cell {position} stores a warning or other standard error")
    return found


def sync(folder=NOTEBOOKS):
    """Make the cells of every notebook those of its twin.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    list of str
        The notebooks rewritten.
    """
    changed = []
    for twin in twins(folder):
        stamp_setup(twin)
        path = twin.with_suffix(".ipynb")
        cells = read_twin(twin).cells
        if path.exists() and not differences(read_notebook(path).cells, cells):
            continue
        notebook = finished(read_twin(twin))
        keep_outputs(notebook, path)
        write(notebook, path)
        changed.append(path.name)
    return changed


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m lib.course.twins", description=__doc__)
    parser.add_argument("--sync", action="store_true", help="rewrite the notebooks' cells")
    parser.add_argument("--folder", type=Path, default=NOTEBOOKS)
    options = parser.parse_args(arguments)
    if options.sync:
        for name in sync(options.folder):
            print(f"{name} rewritten from its twin; run it again before committing")
    found = problems(options.folder)
    print("\n".join(found) or "notebooks and twins are in step, every code cell has run")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
