"""The course's address, and the links that open a notebook on Colab or Binder.

``_config.yml`` holds the address. ``python -m lib.course.links URL`` changes it there and in every
badge and set-up cell.
"""

import argparse
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from .files import ROOT

ADDRESS = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+)")
SERVICES = {
    "Colab": re.compile(r"https://colab\.research\.google\.com/github/([^\s\"')<>]*)"),
    "Binder": re.compile(r"https://mybinder\.org/v2/gh/([^\s\"')<>]*)"),
}
STAMPED = ("_config.yml", "README.md", "CONTRIBUTING.md", "CITATION.cff", "book/*.md",
           "notebooks/*.py", "notebooks/*.ipynb")


@cache
def repository(root=ROOT):
    """The address and the branch that ``_config.yml`` states.

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
    check_address(stated["url"])
    return stated["url"], stated["branch"]


def check_address(url):
    """Refuse what is not the address of a GitHub repository.

    Parameters
    ----------
    url : str

    Raises
    ------
    ValueError

    Examples
    --------
    >>> check_address("https://github.com/someone/course.git")
    Traceback (most recent call last):
    ValueError: repository address 'https://github.com/someone/course.git'; use the form https://github.com/ACCOUNT/NAME
    """
    if not ADDRESS.fullmatch(url) or url.endswith(".git"):
        raise ValueError(
            f"repository address {url!r}; use the form https://github.com/ACCOUNT/NAME"
        )


@cache
def committed(root=ROOT):
    """The files a clone would have: those git tracks, or all files where git is not there.

    Parameters
    ----------
    root : pathlib.Path

    Returns
    -------
    frozenset of str
        Paths from the root, with forward slashes.
    """
    listing = ["git", "-C", str(root), "ls-files", "-z"]
    done = subprocess.run(listing, capture_output=True, text=True)
    if done.returncode == 0:
        return frozenset(done.stdout.split("\0")) - {""}
    return frozenset(p.relative_to(root).as_posix() for p in Path(root).rglob("*") if p.is_file())


def launch_links(text):
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
            where, _, query = unquote(match.group(1).replace("&amp;", "&")).partition("?")
            parts = [part for part in where.split("/") if part != "blob"]
            path = "/".join(parts[3:]) if service == "Colab" else query.partition("tree/")[2]
            branch = parts[2] if len(parts) > 2 else ""
            found.append((service, "/".join(parts[:2]), branch, path))
    return found


def badges(stem):
    """The line that every notebook carries under its title.

    Parameters
    ----------
    stem : str
        The notebook's name without its ending.

    Returns
    -------
    str
        Markdown.

    Examples
    --------
    >>> badges("01_grid_tensors").count("notebooks/01_grid_tensors.ipynb")
    2
    """
    url, branch = repository()
    slug = url.removeprefix("https://github.com/")
    path = f"notebooks/{stem}.ipynb"
    colab = f"https://colab.research.google.com/github/{slug}/blob/{branch}/{path}"
    binder = f"https://mybinder.org/v2/gh/{slug}/{branch}?urlpath=lab/tree/{path}"
    return f"[Run on Colab]({colab}) · [Run on Binder]({binder})"


def launch_problems(text, root=ROOT):
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
    slug = url.removeprefix("https://github.com/")
    found = []
    for service, named, on, path in launch_links(text):
        if (named, on) != (slug, branch):
            found.append(f"{service} link to {named} at {on!r}; _config.yml has {slug} at {branch}")
        elif path and path not in committed(root):
            found.append(f"{service} link to {path}, which is not a committed file")
        elif service == "Colab" and not path.endswith(".ipynb"):
            found.append(f"Colab link to {path or 'no file'}; Colab opens notebooks only")
    return found


def stamped_files(root=ROOT):
    """The files that state the repository's address.

    Parameters
    ----------
    root : pathlib.Path

    Returns
    -------
    list of pathlib.Path
    """
    return sorted(path for pattern in STAMPED for path in Path(root).glob(pattern))


def stamp(url, root=ROOT):
    """Replace the repository's address in every file that states it.

    Parameters
    ----------
    url : str
        ``https://github.com/ACCOUNT/NAME``.
    root : pathlib.Path

    Returns
    -------
    list of str
        The files changed.
    """
    check_address(url)
    old = ADDRESS.fullmatch(repository(root)[0]).groups()
    new = ADDRESS.fullmatch(url).groups()
    changed = []
    for path in stamped_files(root):
        before = path.read_text(encoding="utf-8")
        after = before.replace("/".join(old), "/".join(new))
        after = after.replace(f"{old[0]}.github.io/{old[1]}", f"{new[0]}.github.io/{new[1]}")
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path.relative_to(root).as_posix())
    repository.cache_clear()
    return changed


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m lib.course.links", description=__doc__)
    parser.add_argument("url", help="the repository's new address")
    try:
        changed = stamp(parser.parse_args(arguments).url)
    except ValueError as error:
        sys.exit(f"make repository URL=...: {error}")
    print("\n".join(changed) or "nothing to change")


if __name__ == "__main__":
    main()
