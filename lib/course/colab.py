"""The set-up cell of every notebook, and what it does on Colab."""

import importlib.util
import re
import subprocess
import sys

from lib.course.files import ROOT
from lib.course.links import repository

# Identical in every notebook: `make sync` writes it into the cell tagged "setup".
TEMPLATE = '''\
# On Colab, fetch the course; anywhere, let Python find `lib`.
import pathlib
import subprocess
import sys

here, colab = pathlib.Path.cwd(), "google.colab" in sys.modules
if colab and not (here / "course").exists():
    address = "{address}"
    clone = ["git", "clone", "--quiet", "--depth=1", address, "course"]
    done = subprocess.run(clone, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"could not fetch {{address}}: {{done.stderr.strip()}}")
places = [here / "course"] if colab else [here, *here.parents]
sys.path.insert(0, str(next(place for place in places if (place / "lib" / "claims.py").exists())))
if colab:
    from lib.course.colab import install_missing

    install_missing()'''
HEADING = '# %% tags=["setup", "remove-cell"]\n'

# Colab's own torch and numpy fit its drivers: a second copy would break them.
NEVER = ("torch", "numpy")
IMPORT_NAMES = {"PyYAML": "yaml"}


def setup_cell():
    """The set-up cell, with the course's address in it.

    Returns
    -------
    str

    Examples
    --------
    >>> print(setup_cell().splitlines()[0])
    # On Colab, fetch the course; anywhere, let Python find `lib`.
    """
    return TEMPLATE.format(address=repository()[0])


def stamp_setup(twin):
    """Write the set-up cell into the cell of a twin that is tagged for it.

    Parameters
    ----------
    twin : pathlib.Path

    Returns
    -------
    bool
        Whether the twin changed.
    """
    text = twin.read_text(encoding="utf-8")
    before, heading, rest = text.partition(HEADING)
    if not heading:
        return False
    _, marker, after = rest.partition("\n# %%")
    stamped = before + heading + setup_cell() + "\n" + marker + after
    if stamped != text:
        twin.write_text(stamped, encoding="utf-8")
    return stamped != text


def missing_packages(requirements=ROOT / "requirements.txt"):
    """The lines of a requirements file whose package cannot be imported here.

    Parameters
    ----------
    requirements : pathlib.Path

    Returns
    -------
    list of str

    Examples
    --------
    >>> missing_packages()
    []
    """
    missing = []
    for line in requirements.read_text(encoding="utf-8").splitlines():
        package = re.match(r"[A-Za-z0-9_.-]*", line).group()
        module = IMPORT_NAMES.get(package, package)
        if package and package not in NEVER and importlib.util.find_spec(module) is None:
            missing.append(line.strip())
    return missing


def install_missing(requirements=ROOT / "requirements.txt"):
    """Install what the notebooks import and this machine lacks, never torch or numpy.

    Parameters
    ----------
    requirements : pathlib.Path

    Raises
    ------
    RuntimeError
        If pip fails; the message ends with pip's own.
    """
    missing = missing_packages(requirements)
    if not missing:
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", *missing]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"could not install {', '.join(missing)}: {done.stderr.strip()}")
