"""The course's address, and the links that open a notebook on Colab or Binder.

``_config.yml`` holds the address. ``python -m lib.course.links URL`` changes it there and in every
badge and set-up cell.
"""

import contextlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from . import ROOT

GITHUB = "https://github.com/"
# What GitHub allows, and the underscore of the account that stands for one not yet chosen.
ADDRESS = re.compile(GITHUB + r"([A-Za-z0-9][\w-]{0,38})/(?!\.\.?$)([\w.-]{1,100})(?<!\.git)",
                     re.ASCII)
SERVICES = {
    "Colab": re.compile(r"https://colab\.research\.google\.com/github/([^\s\"')<>]*)"),
    "Binder": re.compile(r"https://mybinder\.org/v2/gh/([^\s\"')<>]*)"),
}
STAMPED = ("README.md", "CONTRIBUTING.md", "CITATION.cff", "book/*.md", "notebooks/*.py",
           "notebooks/*.ipynb", "_config.yml")  # the last holds the address: see `stamp`


@cache
def repository(root: Path = ROOT) -> tuple[str, str]:
    """Address and branch that ``_config.yml`` states.

    Parameters
    ----------
    root : pathlib.Path
        The repository's root.

    Returns
    -------
    tuple of str
        The URL, the branch.

    Raises
    ------
    ValueError
        If the URL is not one of a GitHub repository, the only kind Colab opens.

    Examples
    --------
    >>> repository()[1]
    'main'
    """
    import yaml

    stated = yaml.safe_load((Path(root) / "_config.yml").read_text(encoding="utf-8"))["repository"]
    parts_of(stated["url"])
    return stated["url"], stated["branch"]


def parts_of(url: str) -> tuple[str, str]:
    """Account and name in the address of a GitHub repository.

    Parameters
    ----------
    url : str

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        If the address is of another form.

    Examples
    --------
    >>> parts_of("https://github.com/someone/course")
    ('someone', 'course')
    >>> parts_of("https://github.com/someone/course.git")
    Traceback (most recent call last):
    ValueError: repository address 'https://github.com/someone/course.git'; use the form https://github.com/ACCOUNT/NAME
    """
    found = ADDRESS.fullmatch(url)
    if not found:
        raise ValueError(f"repository address {url!r}; use the form {GITHUB}ACCOUNT/NAME")
    return found[1], found[2]


@cache
def committed(root: Path = ROOT) -> frozenset[str]:
    """Files a clone would have: those git tracks, or all where git is missing or tracks none.

    Parameters
    ----------
    root : pathlib.Path

    Returns
    -------
    frozenset of str
        Paths from the root, with forward slashes.
    """
    listing = ["git", "-C", str(root), "ls-files", "-z"]
    with contextlib.suppress(OSError):  # an archive was unpacked where no git is installed
        done = subprocess.run(listing, capture_output=True, text=True)
        if done.returncode == 0 and done.stdout:  # else the archive lies inside a repository
            return frozenset(done.stdout.split("\0")) - {""}
    return frozenset(p.relative_to(root).as_posix() for p in Path(root).rglob("*") if p.is_file())


def launch_links(text: str) -> list[tuple[str, str, str, str]]:
    """Every link of a text that opens something on Colab or Binder.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of tuple
        Service, "account/name", branch, path ("" where a link opens the whole repository).

    Examples
    --------
    >>> launch_links("https://colab.research.google.com/github/a/b/blob/main/notebooks/x.ipynb")
    [('Colab', 'a/b', 'main', 'notebooks/x.ipynb')]
    >>> launch_links("(https://mybinder.org/v2/gh/a/b/main?urlpath=lab/tree/notebooks/x.ipynb)")
    [('Binder', 'a/b', 'main', 'notebooks/x.ipynb')]
    """
    found = []
    for service, pattern in SERVICES.items():
        for match in pattern.finditer(text):
            where, _, query = unquote(match[1].replace("&amp;", "&")).partition("?")
            parts = [part for part in where.split("/") if part != "blob"]
            path = "/".join(parts[3:]) if service == "Colab" else opened_by(query)
            found.append((service, "/".join(parts[:2]), "".join(parts[2:3]), path))
    return found


def opened_by(query: str) -> str:
    """The file that a link to Binder opens, in each of the forms that Binder has for it.

    Examples
    --------
    >>> opened_by("urlpath=lab/tree/a.ipynb"), opened_by("labpath=b.ipynb"), opened_by("")
    ('a.ipynb', 'b.ipynb', '')
    """
    found = re.search(r"\b(?:labpath|filepath)=([^&#]+)|\b(?:tree|notebooks)/([^&#]+)", query)
    return (found[1] or found[2]) if found else ""


def badges(stem: str) -> str:
    """The line of links, in Markdown, that every notebook carries under its title.

    Parameters
    ----------
    stem : str
        The notebook's name without its ending.

    Returns
    -------
    str

    Examples
    --------
    >>> badges("01_grid_tensors").count("notebooks/01_grid_tensors.ipynb")
    2
    """
    url, branch = repository()
    slug, path = url.removeprefix(GITHUB), f"notebooks/{stem}.ipynb"
    return (f"[Run on Colab](https://colab.research.google.com/github/{slug}/blob/{branch}/{path})"
            f" · [Run on Binder](https://mybinder.org/v2/gh/{slug}/{branch}"
            f"?urlpath=lab/tree/{path})")


def launch_problems(text: str, root: Path = ROOT) -> list[str]:
    """Launch links that name another repository or branch, or a file that is not committed.

    Parameters
    ----------
    text : str
    root : pathlib.Path

    Returns
    -------
    list of str
    """
    url, branch = repository(root)
    slug = url.removeprefix(GITHUB)
    found = []
    for service, named, on, path in launch_links(text):
        if (named, on) != (slug, branch):
            found.append(f"{service} link to {named} at {on!r}; _config.yml has {slug} at {branch}")
        elif path and path not in committed(root):
            found.append(f"{service} link to {path}, which is not a committed file")
        elif service == "Colab" and not path.endswith(".ipynb"):
            found.append(f"Colab link to {path or 'no file'}; Colab opens notebooks only")
    return found


def stamped_files(root: Path = ROOT) -> list[Path]:
    """The files that state the repository's address; ``_config.yml``, which holds it, is last.

    Parameters
    ----------
    root : pathlib.Path

    Returns
    -------
    list of pathlib.Path
    """
    return [path for pattern in STAMPED for path in sorted(Path(root).glob(pattern))]


def write_whole(path: Path, text: str) -> None:
    """Write a text at once or not at all: a full disk leaves the old one."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def stamp(url: str, root: Path = ROOT) -> list[str]:
    """Files changed when the repository's address is replaced wherever it is stated.

    Each file is written at once or not at all, and the one that holds the address comes last: a run
    that was interrupted is finished by the next.

    Parameters
    ----------
    url : str
        ``https://github.com/ACCOUNT/NAME``.
    root : pathlib.Path

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If the address is of another form; no file is then changed.
    """
    new, old = parts_of(url), parts_of(repository(root)[0])
    changed = []
    for path in stamped_files(root):
        text = before = path.read_text(encoding="utf-8")
        for form in ("{}/{}", "{}.github.io/{}"):
            pattern = rf"(?<![\w.-]){re.escape(form.format(*old))}(?![\w-])"
            text = re.sub(pattern, form.format(*new), text)
        if text != before:
            write_whole(path, text)
            changed.append(path.relative_to(root).as_posix())
    repository.cache_clear()
    return changed


def main(arguments: list[str]) -> None:
    try:
        changed = stamp(arguments[0] if len(arguments) == 1 else "")
    except ValueError as error:
        sys.exit(f"make repository URL=...: {error}")
    print("\n".join(changed) or "nothing to change")


if __name__ == "__main__":
    main(sys.argv[1:])
