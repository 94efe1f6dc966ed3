"""Run a twin's cells and store the notebook with its outputs; a second run changes nothing.

``python -m lib.course.execution [STEM ...]`` runs the named notebooks (all of them without a
name). The twin is the source: the notebook's cells are made from it.
"""

import argparse
import base64
import hashlib
import os
import struct
import sys
import time
from pathlib import Path

from .colab import stamp_setup
from .files import NOTEBOOKS, read_notebook, read_twin, twins

TIMEOUT = 300  # seconds a cell may take here; the budgets are much tighter (lib/course/budgets.py)
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(twin):
    """Run one twin from its first cell to its last and write the notebook beside it.

    Parameters
    ----------
    twin : pathlib.Path
        A py:percent script.

    Returns
    -------
    float
        Seconds taken.

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
    notebook = finished(read_twin(twin))
    started = time.perf_counter()
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(twin.parent)}},
    )
    client.execute()
    notebook["metadata"] = METADATA  # the kernel has added its own version to it
    for position, cell in enumerate(notebook.cells):
        clean_outputs(cell, f"{twin.name}, cell {position}")
    write(notebook, twin.with_suffix(".ipynb"))
    return time.perf_counter() - started


def finished(notebook):
    """Give a notebook read from a twin the metadata and cell ids that every stored one has.

    The id of a cell follows from its source, so that running a notebook twice, on two machines,
    leaves the same file.

    Parameters
    ----------
    notebook : nbformat.NotebookNode

    Returns
    -------
    nbformat.NotebookNode
        The same object.
    """
    seen = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        kept = {key: cell.metadata[key] for key in ("tags", "mystnb") if key in cell.metadata}
        cell["metadata"] = type(cell.metadata)(kept)
    notebook["metadata"] = METADATA
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    return notebook


def clean_outputs(cell, place):
    """Keep in a code cell's outputs only what the cell computed.

    Parameters
    ----------
    cell : nbformat.NotebookNode
    place : str
        Names the cell in the error message.

    Raises
    ------
    RuntimeError
        If the cell wrote to standard error.
    """
    tolerated = "nbval-ignore-output" in cell.metadata.get("tags", [])
    for output in cell.get("outputs", []):
        if output.get("name") == "stderr" and not tolerated:
            raise RuntimeError(f"{place} writes to standard error:\n{output.text}")
        if "image/png" in output.get("data", {}):
            png = base64.b64decode(output.data["image/png"])
            output.data["image/png"] = base64.b64encode(without_text(png)).decode()


def without_text(png):
    """Drop a PNG's text chunks, where Matplotlib writes its version.

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


def write(notebook, path):
    """Write a notebook at once or not at all.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    path : pathlib.Path
    """
    import nbformat

    partial = path.with_name(path.name + ".partial")
    nbformat.write(notebook, str(partial))
    partial.replace(path)


def keep_outputs(notebook, path):
    """Carry the outputs of cells whose source did not change over from the stored notebook.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        As :func:`finished` returns it, without outputs.
    path : pathlib.Path
        The stored notebook; it need not exist.
    """
    stored = read_notebook(path).cells if path.exists() else []
    outputs = {(cell.id, cell.source): cell for cell in stored if cell.cell_type == "code"}
    for cell in notebook.cells:
        old = outputs.get((cell.id, cell.source))
        if old is not None:
            cell.outputs, cell.execution_count = old.outputs, old.execution_count


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m lib.course.execution", description=__doc__)
    parser.add_argument("stem", nargs="*", help="notebooks/STEM.py; all of them when left out")
    parser.add_argument("--folder", type=Path, default=NOTEBOOKS, help="where the twins are")
    options = parser.parse_args(arguments)
    from nbclient.exceptions import CellControlSignal

    known = {path.stem: path for path in twins(options.folder)}
    stems = [Path(stem).stem for stem in options.stem] or list(known)
    unknown = [stem for stem in stems if stem not in known]
    if unknown:
        sys.exit(f"no twin {unknown[0]}.py in {options.folder}; there are: {', '.join(known)}")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    for stem in stems:
        print(f"{stem} ...", end=" ", flush=True)
        try:
            print(f"{execute(known[stem]):.1f} s", flush=True)
        except (CellControlSignal, RuntimeError) as error:
            sys.exit(f"failed; the stored notebook is as it was\n\n{error}")


if __name__ == "__main__":
    main()
