"""Notebooks and their twins: kept in step, run, and stored so that a second run changes nothing.

The twin, a py:percent script, is the source. ``python -m lib.course.notebooks`` reports where a
notebook is out of step; ``sync`` rewrites the cells of the notebooks, whose outputs stay where the
source stayed; ``run [STEM ...]`` runs the named twins, or all, and stores their outputs. A notebook
with cells that were written in it and not in its twin is kept beside the new one.
"""

import base64
import hashlib
import os
import struct
import sys
import time
from itertools import zip_longest
from pathlib import Path

from ..options import Parser
from . import ROOT
from .colab import stamp_setup

FOLDER = ROOT / "notebooks"
TIMEOUT = 300  # seconds a cell may take here; the budgets are much tighter (lib/course/budgets.py)
ASPECTS = ("type", "source", "tags", "figure settings")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    # with the last two a script saved from the notebook is a .py that keeps the prose
    "language_info": {"name": "python", "file_extension": ".py", "nbconvert_exporter": "python"},
}


def notebooks(folder: Path = FOLDER) -> list[Path]:
    """Stored notebooks of a folder, in the order of their numbers.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    list of pathlib.Path

    Examples
    --------
    >>> {path.suffix for path in notebooks()}, {path.suffix for path in twins()}
    ({'.ipynb'}, {'.py'})
    """
    return sorted(Path(folder).glob("*.ipynb"))


def twins(folder: Path = FOLDER) -> list[Path]:
    """Scripts that hold the same cells as the notebooks of a folder, as `notebooks` lists those."""
    return sorted(Path(folder).glob("[0-9]*.py"))


def read_twin(path: Path):
    """A py:percent script as an ``nbformat.NotebookNode`` without outputs."""
    import jupytext

    return jupytext.reads(Path(path).read_text(encoding="utf-8"), fmt="py:percent")


def read_notebook(path: Path):
    """A notebook with its outputs, as an ``nbformat.NotebookNode``.

    Raises
    ------
    ValueError
        If the file is damaged, as a merge that was not finished leaves it.
    """
    import nbformat

    try:
        return nbformat.read(str(path), as_version=4)
    except (ValueError, nbformat.ValidationError) as error:
        path = Path(path)
        raise ValueError(f"{path.name} is no notebook ({str(error).splitlines()[0]}); restore it, "
                         f"or make it from its twin: make run NOTEBOOK={path.stem}") from None


def cell_content(cell) -> tuple:
    """What must agree between a cell and its twin's: type, source, tags, figure settings."""
    metadata = cell.metadata
    return cell.cell_type, cell.source, list(metadata.get("tags", [])), metadata.get("mystnb", {})


def problems(folder: Path = FOLDER) -> list[str]:
    """Everything that keeps the notebooks of a folder from being in step.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    list of str
        One line per problem; empty when all is well. A folder without notebooks is a problem.
    """
    stems = sorted({path.stem for path in (*notebooks(folder), *twins(folder))})
    found = [] if stems else [f"{folder} holds neither notebooks nor twins"]
    for stem in stems:
        notebook, twin = Path(folder) / f"{stem}.ipynb", Path(folder) / f"{stem}.py"
        if not twin.exists():
            found.append(f"{stem}: the notebook has no twin {twin.name}")
        elif not notebook.exists():
            found.append(f"{stem}: never run; `make run NOTEBOOK={stem}` makes the notebook")
        else:
            stored = read_notebook(notebook)
            lines = differences(stored.cells, read_twin(twin).cells) + run_problems(stored.cells)
            if stored.metadata != METADATA:         # another kernel, or saved by an editor
                lines.append("kernel and language are not those of every notebook; `make sync` "
                             "restores them")
            found += [f"{stem}: {line}" for line in lines]
    return found


def differences(stored: list, twin: list) -> list[str]:
    """What the cells of a notebook and those of its twin do not share, one line per difference."""
    found = []
    for position, (ours, theirs) in enumerate(zip_longest(stored, twin)):
        if ours is None or theirs is None:
            return [*found, f"the notebook has {len(stored)} cells, the twin {len(twin)}"]
        found += [f"cell {position} differs from the twin in its {aspect}" for aspect, a, b
                  in zip(ASPECTS, cell_content(ours), cell_content(theirs), strict=True) if a != b]
    return found


def run_problems(cells: list) -> list[str]:
    """Code cells that never ran, ran out of order, or stored an error or a warning."""
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


def is_setup(cell: object) -> bool:
    """Whether a cell is the one that makes `lib` importable."""
    return "setup" in cell.metadata.get("tags", [])


def sync(folder: Path = FOLDER) -> list[str]:
    """Names of the notebooks whose cells had to be rewritten from their twins.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    list of str
        Outputs stay with every cell whose source stayed, and the set-up cell counts as run: it
        shows nothing, whatever its text.
    """
    changed = []
    for twin in twins(folder):
        stamp_setup(twin)
        path, notebook = twin.with_suffix(".ipynb"), read_twin(twin)
        found = read_notebook(path) if path.exists() else None
        stored = None if found is None else found.cells
        if found is None or found.metadata != METADATA or differences(stored, notebook.cells):
            finish(notebook)
            # By source, not by id: an editor gives cells ids of its own, and keeps them.
            outputs: dict[tuple[str, str], list] = {}
            for cell in stored or []:
                outputs.setdefault((cell.cell_type, cell.source), []).append(cell)
            before = next(filter(is_setup, stored or []), None)
            for cell in notebook.cells:
                same = outputs.get((cell.cell_type, cell.source))
                old = same.pop(0) if same else before if is_setup(cell) else None
                if old is not None and cell.cell_type == "code":
                    cell.outputs, cell.execution_count = old.outputs, old.execution_count
            write(notebook, path)
            changed.append(path.name)
    return changed


def execute(twin: Path) -> float:
    """Seconds that one run of a twin took; the notebook beside it is written at the end.

    Parameters
    ----------
    twin : pathlib.Path

    Returns
    -------
    float

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell raises and is not tagged ``raises-exception``. The notebook stays as it was.
    RuntimeError
        If a cell writes to standard error, warnings included.
    """
    from nbclient import NotebookClient

    twin = Path(twin)
    stamp_setup(twin)
    notebook = finish(read_twin(twin))
    started = time.perf_counter()
    NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(twin.parent)}},
    ).execute()
    notebook["metadata"] = METADATA  # the kernel has added its own version to it
    for position, cell in enumerate(notebook.cells):
        clean_outputs(cell, f"{twin.name}, cell {position}")
    write(notebook, twin.with_suffix(".ipynb"))
    return time.perf_counter() - started


def cell_digest(cell) -> str:
    """What the id of a cell begins with that was written from a twin: an edit leaves the old id."""
    return hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]


def finish(notebook):
    """The same notebook with the metadata and cell ids that every stored one has.

    The id of a cell follows from its source, so that running a notebook twice, on two machines,
    leaves the same file.
    """
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = cell_digest(cell)
        seen[digest] = seen.get(digest, 0) + 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        kept = {key: cell.metadata[key] for key in ("tags", "mystnb") if key in cell.metadata}
        cell["metadata"] = type(cell.metadata)(kept)
    notebook.update(metadata=METADATA, nbformat=4, nbformat_minor=5)
    return notebook


def clean_outputs(cell, place: str) -> None:
    """A cell's outputs reduced to what it computed; standard error is refused at its ``place``."""
    tolerated = "nbval-ignore-output" in cell.metadata.get("tags", [])
    for output in cell.get("outputs", []):
        if output.get("name") == "stderr" and not tolerated:
            raise RuntimeError(f"{place} writes to standard error:\n{output.text}")
        if output.output_type == "error":   # the way to it names the files of this machine
            output.traceback = [f"{output.ename}: {output.evalue}"]
        if "image/png" in output.get("data", {}):
            png = base64.b64decode(output.data["image/png"])
            output.data["image/png"] = base64.b64encode(without_text(png)).decode()


def without_text(png: bytes) -> bytes:
    """A PNG without its text chunks, where Matplotlib writes its version.

    Parameters
    ----------
    png : bytes

    Returns
    -------
    bytes

    Examples
    --------
    >>> chunk = struct.pack(">I", 3) + b"tEXt" + b"a\\0b" + b"crc4"
    >>> without_text(b"8 bytes." + chunk)
    b'8 bytes.'
    """
    kept, at = [png[:8]], 8
    while at < len(png):
        end = at + 12 + struct.unpack(">I", png[at:at + 4])[0]
        if png[at + 4:at + 8] not in (b"tEXt", b"zTXt", b"iTXt", b"tIME"):
            kept.append(png[at:end])
        at = end
    return b"".join(kept)


def keep_edits(path: Path, cells: list) -> Path | None:
    """A copy of a stored notebook whose edits would be lost with it.

    Parameters
    ----------
    path : pathlib.Path
        The notebook that is about to be replaced.
    cells : list
        The cells that replace its own.

    Returns
    -------
    pathlib.Path or None
        ``NAME.ipynb.edited``, with a number where that name is taken; None if all of its cells
        are among the new ones or were written from an earlier twin.
    """
    try:
        stored = read_notebook(path).cells
    except (FileNotFoundError, ValueError):
        return None                     # nothing there, or damaged: nothing that can be read
    new = {(cell.cell_type, cell.source) for cell in cells}
    if not any(cell.source.strip() and not is_setup(cell)
               and (cell.cell_type, cell.source) not in new
               and str(cell.get("id", "")).partition("-")[0] != cell_digest(cell)
               for cell in stored):
        return None
    names = (path.with_name(f"{path.name}.edited{end}") for end in ("", *range(2, 1000)))
    kept = next(name for name in names if not name.exists())
    kept.write_bytes(path.read_bytes())
    print(f"{path.name} had cells that are not in {path.stem}.py; it is kept as {kept.name}")
    return kept


def write(notebook, path: Path) -> None:
    """A notebook written at once or not at all; one that was edited is kept beside it."""
    import nbformat

    keep_edits(path, notebook.cells)
    partial = path.with_name(path.name + ".partial")
    nbformat.write(notebook, str(partial))
    partial.replace(path)


def run(stems: list[str], folder: Path = FOLDER) -> None:
    """A run of the named twins, or of all; ends the program at the first that fails."""
    from nbclient.exceptions import CellControlSignal

    known = {path.stem: path for path in twins(folder)}
    stems = [Path(stem).stem for stem in stems] or list(known)
    unknown = [stem for stem in stems if stem not in known]
    if unknown or not known:
        name = f"{unknown[0]}.py" if unknown else ""
        sys.exit(f"no twin {name} in {folder}; there are: {', '.join(known) or 'none'}")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    for stem in stems:
        print(f"{stem} ...", end=" ", flush=True)
        try:
            print(f"{execute(known[stem]):.1f} s", flush=True)
        except (CellControlSignal, RuntimeError) as error:
            sys.exit(f"failed; the stored notebook is as it was\n\n{error}")


def main(arguments: list[str] | None = None) -> None:
    parser = Parser(prog="python -m lib.course.notebooks", description=__doc__)
    parser.add_argument("action", nargs="?", choices=("check", "sync", "run"), default="check")
    parser.add_argument("stem", nargs="*", help="for run: notebooks/STEM.py; all when left out")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    if options.stem and options.action != "run":
        parser.error(f"{options.action} takes all notebooks; {options.stem[0]} is for run")
    if options.action == "run":
        return run(options.stem, options.folder)
    try:
        if options.action == "sync":
            for name in sync(options.folder):
                print(f"{name} rewritten from its twin; run it again before committing")
        found = problems(options.folder)
    except ValueError as error:
        sys.exit(str(error))
    print("\n".join(found) or "notebooks and twins are in step, every code cell has run")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
