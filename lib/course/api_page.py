"""A Sphinx extension that writes the library's reference into book/api.md as the page is read.

The sources are parsed, not imported: the page needs neither torch nor a minute. It holds
``<!-- api -->`` where the reference goes.
"""

import ast
import inspect
import re

from .files import ROOT

PLACE = "<!-- api -->"
LEFT_OUT = {"tests", "benchmarks", "course"}


def module_paths(root=ROOT):
    """The modules of the library, in alphabetical order.

    Parameters
    ----------
    root : pathlib.Path

    Returns
    -------
    list of pathlib.Path

    Examples
    --------
    >>> ROOT / "lib" / "photograph.py" in module_paths()
    True
    """
    return [path for path in sorted((root / "lib").rglob("*.py"))
            if not LEFT_OUT & set(path.parts) and not path.name.startswith("__main__")]


def module_markdown(path, root=ROOT):
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
    parts = path.relative_to(root).with_suffix("").parts
    name = ".".join(part for part in parts if part != "__init__")
    about = ast.get_docstring(tree)
    if not about:
        return ""
    entries = [entry(node) for node in tree.body if is_public(node)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and is_public(node):
            entries += [entry(method, owner=node.name) for method in node.body
                        if is_public(method) and ast.get_docstring(method)]
    return "\n".join([f"## `{name}`", "", prose(about), "", *entries])


def is_public(node):
    """Whether a node of a module's syntax tree defines a public function or class."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return isinstance(node, kinds) and not node.name.startswith("_") and node.name != "main"


def entry(node, owner=""):
    """A folded block with a function's or a class's signature and docstring.

    Parameters
    ----------
    node : ast.FunctionDef or ast.ClassDef
    owner : str
        The class of a method.

    Returns
    -------
    str
        Markdown.
    """
    name = f"{owner}.{node.name}" if owner else node.name
    text = inspect.cleandoc(ast.get_docstring(node) or "")
    signature = name if isinstance(node, ast.ClassDef) else f"{name}({signature_of(node)})"
    title, body = f"`{name}` {plain(text.partition(chr(10))[0])}", fenced(f"{signature}\n\n{text}")
    return f"::::{{dropdown}} {title}\n{body}\n::::"


def signature_of(node):
    """The arguments of a function as they are written, without ``self`` and annotations."""
    plain = ast.parse(ast.unparse(node)).body[0].args
    for argument in (*plain.posonlyargs, *plain.args, *plain.kwonlyargs, plain.vararg, plain.kwarg):
        if argument is not None:
            argument.annotation = None
    return ast.unparse(plain).removeprefix("self, ").removeprefix("self")


def prose(about):
    """A module's docstring as Markdown, without its examples."""
    return plain(about.partition("\nExamples\n---")[0].strip())


def plain(text):
    """Text with code marks kept and every other mark of Markdown taken literally."""
    text = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text).replace("``", "`")
    pieces = text.split("`")
    outside = [re.sub(r"([][*_$<>{}|\\])", r"\\\1", piece) for piece in pieces[::2]]
    pieces[::2] = outside
    return "`".join(pieces)


def fenced(text):
    """A block of literal text."""
    return f"```text\n{text}\n```"


def insert_reference(app, docname, source):
    """Replace the place holder of the page that is being read."""
    if PLACE in source[0]:
        modules = [module_markdown(path) for path in module_paths()]
        source[0] = source[0].replace(PLACE, "\n\n".join(filter(None, modules)))


def setup(app):
    app.connect("source-read", insert_reference)
    return {"parallel_read_safe": True}
