"""The set-up cell of every notebook, and what it does on Colab.

At home the cell makes `lib` importable. On Colab it clones the course and runs this module, which
installs what the machine lacks; the message of whatever fails stands above the line with which the
cell ends.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from . import ROOT
from .links import repository, write_whole

# Identical in every notebook: `make sync` writes it into the cell tagged "setup".
TEMPLATE = '''\
import subprocess, sys
if "google.colab" in sys.modules and subprocess.run(f'test -d course/lib || timeout 300 \
git clone -q --depth 1 {address} course && cd course && \
"{{sys.executable}}" -m lib.course.colab', shell=True).returncode:
    sys.exit("no course: why stands above; git has 300 seconds, a folder course of yours must go")
sys.path[:0] = ["course", ".", ".."]  # `lib` is in one of them'''
HEADING = '# %% tags=["setup", "remove-cell"]\n'

# Colab's own torch and numpy fit its drivers: a second copy would break them.
NEVER = ("torch", "numpy")
IMPORT_NAMES = {"PyYAML": "yaml", "pillow": "PIL"}


def setup_cell() -> str:
    """The set-up cell, with the course's address in it.

    Returns
    -------
    str

    Examples
    --------
    >>> print(setup_cell().splitlines()[0])
    import subprocess, sys
    """
    return TEMPLATE.format(address=repository()[0])


def stamp_setup(twin: Path) -> bool:
    """The set-up cell written into the cell of a twin that is tagged for it.

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
        write_whole(twin, stamped)
    return stamped != text


def missing_packages(requirements: Path = ROOT / "requirements.txt") -> list[str]:
    """Lines of a requirements file whose package cannot be imported here, without torch and numpy.

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


def main(requirements: Path = ROOT / "requirements.txt") -> None:
    """Installation of what is missing, with pip's own message should it fail."""
    missing = missing_packages(requirements)
    if missing:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", *missing]
        if subprocess.run(pip).returncode:
            sys.exit(f"could not install {', '.join(missing)}; the message of pip is above")


if __name__ == "__main__":
    main()
