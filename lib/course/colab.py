"""The set-up cell of every notebook, and what it does on Colab."""

import importlib.util
import re
import subprocess
import sys

from .files import ROOT
from .links import repository

# Identical in every notebook: `make sync` writes it into the cell tagged "setup".
TEMPLATE = '''\
# Let Python find `lib`; on Colab, fetch the course first.
import pathlib
import subprocess
import sys

course = pathlib.Path.cwd()
if "google.colab" in sys.modules:
    course = course / "course"
    if not course.exists():
        clone = ["git", "clone", "--quiet", "--depth=1", "{address}"]
        done = subprocess.run([*clone, str(course)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"could not fetch the course: {{done.stderr.strip()}}")
sys.path[:0] = [str(course), str(course.parent)]

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
    # Let Python find `lib`; on Colab, fetch the course first.
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
    """On Colab, install what the notebooks import and the machine lacks, never torch or numpy.

    Parameters
    ----------
    requirements : pathlib.Path

    Raises
    ------
    RuntimeError
        If pip fails; the message ends with pip's own.
    """
    missing = missing_packages(requirements) if "google.colab" in sys.modules else []
    if not missing:
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", *missing]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"could not install {', '.join(missing)}: {done.stderr.strip()}")
