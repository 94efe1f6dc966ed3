"""The library's reference, as the page book/api.md shows it.

The sources are parsed, not imported: the page needs neither torch nor a minute.
"""

import ast
import inspect
import re
from pathlib import Path

from . import ROOT
from .tables import typeset_prose

LEFT_OUT = {"tests", "benchmarks", "course", "exercises"}
PROPERTIES = {"property", "cached_property"}    # read without parentheses


def module_paths(root: Path = ROOT) -> list[Path]:
    """Modules of the library that the reference covers, in alphabetical order.

    Parameters
    ----------
    root : pathlib.Path

    Returns
    -------
    list of pathlib.Path

    Examples
    --------
    >>> ROOT / "lib" / "trees" / "tree.py" in module_paths()
    True
    """
    return [path for path in sorted((root / "lib").rglob("*.py"))
            if not LEFT_OUT & set(path.relative_to(root).parts) and path.name != "__main__.py"]


def module_markdown(path: Path, root: Path = ROOT) -> str:
    """The reference of one module: what it is for, then its public functions and classes.

    Parameters
    ----------
    path : pathlib.Path
    root : pathlib.Path

    Returns
    -------
    str
        "" for a module without a docstring.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    about = ast.get_docstring(tree)
    if not about:
        return ""
    parts = path.relative_to(root).with_suffix("").parts
    name = ".".join(part for part in parts if part != "__init__")
    public = [node for node in tree.body if is_public(node)]
    entries = [entry(node) for node in public]
    for owner in public:
        if isinstance(owner, ast.ClassDef):
            entries += [entry(method, owner.name) for method in owner.body
                        if is_public(method) and ast.get_docstring(method)]
    text = plain(about.partition("\nExamples\n---")[0].strip())
    return "\n".join([f"## `{name}`", "", text, "", *entries])


def is_public(node: ast.AST) -> bool:
    """Whether a node of a module's syntax tree defines a public function or class."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return isinstance(node, kinds) and not node.name.startswith("_") and node.name != "main"


def entry(node: ast.FunctionDef | ast.ClassDef, owner: str = "") -> str:
    """A folded block, in Markdown, with a signature and a docstring.

    Parameters
    ----------
    node : ast.FunctionDef or ast.ClassDef
    owner : str
        The class of a method.

    Returns
    -------
    str
    """
    name = f"{owner}.{node.name}" if owner else node.name
    text = inspect.cleandoc(ast.get_docstring(node) or "")
    called = isinstance(node, ast.FunctionDef) and not marks(node) & PROPERTIES
    signature = f"{name}({arguments(node)})" if called else name
    title = f"`{name}` {plain(text.partition(chr(10))[0])}"
    return f"::::{{dropdown}} {title}\n```text\n{signature}\n\n{text}\n```\n::::"


def arguments(node: ast.FunctionDef) -> str:
    """The arguments of a call as they are written: no ``self``, no class, no annotations."""
    copy = ast.parse(ast.unparse(node)).body[0].args
    for argument in ast.walk(copy):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    bound = "cls" if "classmethod" in marks(node) else "self"
    if copy.args and copy.args[0].arg == bound:
        del copy.args[0]
    return ast.unparse(copy)


def marks(node: ast.FunctionDef) -> set[str]:
    """What a function is decorated with, by the last names: ``"property"``, ``"classmethod"``."""
    return {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}


def plain(text: str) -> str:
    """Text with code marks kept and every other mark of Markdown taken literally.

    Four spaces after an empty line begin a block of code, in which a backslash would be seen.
    """
    paragraphs = text.split("\n\n")
    return "\n\n".join(part if part.startswith("    ") else prose(part) for part in paragraphs)


def prose(text: str) -> str:
    """``plain`` for text without blocks of code."""
    pieces = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text).replace("``", "`").split("`")
    pieces[::2] = [typeset_prose(re.sub(r"([][*_$<>{}|\\])", r"\\\1", piece))
                   for piece in pieces[::2]]
    return "`".join(pieces)
