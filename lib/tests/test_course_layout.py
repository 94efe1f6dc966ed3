"""The layout of the library is the one that book/developer.md describes.

The order of the folders and the list of modules without torch are read from the page. Every import
counts, wherever it stands, except those of LAZY.
"""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from lib.course import ROOT
from lib.plots.rooms import statements

PAGE = (ROOT / "book" / "developer.md").read_text(encoding="utf-8")

# Imports inside a function or a condition that may point the wrong way, as (importing module,
# imported module or folder): a specification may draw itself with what `plots` loads on first use,
# and so may a command.
LAZY = {
    ("lib.trees.tree", "lib.plots"),
    ("lib.networks.architecture", "lib.plots"),
    ("lib.audit.__main__", "lib.plots"),            # the command draws what it is asked to
}
NO_TESTS = {"tests", "benchmarks"}


def module_paths():
    """The library's modules by name, without its tests."""
    found = {}
    for path in sorted((ROOT / "lib").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not NO_TESTS & set(parts):
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


MODULES = module_paths()


def absolute(level, module, package):
    """The full name of what an import in a package calls ``module`` after ``level`` dots."""
    base = package.split(".")[:package.count(".") + 2 - level] if level else []
    return ".".join([*base, *filter(None, [module])])


def imports(source, package):
    """What a module imports from `lib`: modules where it names them, otherwise their folder.

    Yields
    ------
    tuple
        The module, whether the import stands inside a function, the line.
    """
    tree, walk = ast.parse(source), ast.walk if "import_module" in source else statements
    inside = {node for function in walk(tree)
              if isinstance(function, (ast.FunctionDef, ast.If)) for node in walk(function)}
    for node in walk(tree):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            home = absolute(node.level, node.module, package)
            named = [f"{home}.{alias.name}" for alias in node.names]
            named = [full if full in MODULES else home for full in named]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            text = node.args[0].value if isinstance(node.args[0], ast.Constant) else ""
            path = text.lstrip(".")
            named = [absolute(len(text) - len(path), path, package)]
        else:
            continue
        for target in named:
            if target.split(".")[0] == "lib":
                yield target, node in inside, node.lineno


@cache
def arrows():
    """All imports inside the library: module, imported module, line; those of LAZY left out."""
    found = []
    for name, path in MODULES.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for target, lazy, line in imports(path.read_text(encoding="utf-8"), package):
            allowed = {(name, target), (name, ".".join(target.split(".")[:2]))} & LAZY
            if not (lazy and allowed):
                found.append((name, target, line))
    return found


def folder(module):
    """The folder of a module, "" for the front."""
    return (module.split(".") + [""])[1]


def rows():
    """The folders in the order of the page's table; those of one line share a row."""
    table = PAGE[PAGE.index("| Folder | Idea |"):].split("\n\n")[0].splitlines()[2:]
    return [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table]


def test_the_page_places_every_folder():
    here = {path.name for path in (ROOT / "lib").iterdir() if path.is_dir()} - NO_TESTS
    assert sorted(sum(rows(), [])) == sorted(here - {"__pycache__"})


def test_the_page_places_every_module_beside_the_folders():
    loose = {path.stem for path in (ROOT / "lib").glob("*.py")} - {"__init__"}
    assert all(f"`{name}`" in PAGE for name in loose)


def test_both_pages_on_licenses_name_what_has_its_own():
    """Fonts stood under CC BY in one of them."""
    own = {path.parent.name for path in (ROOT / "book" / "assets").rglob("LICENSE*")}
    assert own == {"fonts", "mathjax"}
    for page in ("LICENSE-TEXT", "book/cite.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert {name for name in own if f"book/assets/{name}" in text} == own


def test_a_folder_imports_only_from_the_rows_above_it():
    row = {name: number for number, names in enumerate(rows()) for name in names}
    wrong = [f"{name}:{line} imports {target}" for name, target, line in arrows()
             if folder(name) in row and folder(target) in row and folder(name) != folder(target)
             and row[folder(target)] >= row[folder(name)]]
    assert not wrong


def test_theory_and_experiments_do_not_import_each_other():
    shared = {"experiments", "exact"}
    theory = {name for names in rows() for name in names}
    theory -= {*shared, "plots", "course", "exercises"}  # these look at both
    wrong = [f"{name}:{line} imports {target}" for name, target, line in arrows()
             if {folder(name), folder(target)} & {"experiments"}
             and {folder(name), folder(target)} & theory]
    assert not wrong


def test_nothing_that_computes_imports_plots_or_course():
    seen = {"plots", "course"}
    wrong = [f"{name}:{line} imports {target}" for name, target, line in arrows()
             if folder(target) in seen and folder(name) not in seen]
    assert not wrong


def test_no_module_of_the_library_goes_through_the_front():
    assert [arrow for arrow in arrows() if arrow[1] == "lib"] == []


def test_there_is_no_circle_not_even_inside_a_folder():
    graph = {name: set() for name in MODULES}
    for name, target, _ in arrows():
        graph[name].add(target)
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        pytest.fail(" -> ".join(reversed(circle.args[1])))


def test_imports_inside_the_library_are_relative():
    """The wheel installs the package under another name."""
    absolute = [f"{name}: {line.strip()}" for name, path in MODULES.items()
                for line in path.read_text(encoding="utf-8").splitlines()
                if re.match(r"\s*(from|import) lib\b", line)]
    assert not [line for line in absolute if ">>>" not in line]


def test_public_functions_and_classes_say_what_they_are():
    """The reference showed rules of the audit as signatures alone."""
    silent = [f"{name}.{part.name}" for name, path in MODULES.items()
              if not name.startswith("lib.course")
              for part in ast.parse(path.read_text(encoding="utf-8")).body
              if isinstance(part, ast.FunctionDef | ast.ClassDef) and part.name[0] != "_"
              and part.name != "main" and not ast.get_docstring(part)]
    assert len(MODULES) > 100 and not silent


def test_modules_that_the_page_calls_free_of_torch_are():
    (listed,) = re.findall(r"neither torch nor numpy: (.*?)\.\n", PAGE, re.DOTALL)
    names = {f"lib.{name}" for name in re.findall(r"`([\w.]+)`", listed)}
    assert {"lib.bounds", "lib.networks.architecture", "lib.networks.families"} <= names
    free = [name for name in MODULES if any(name == one or name.startswith(f"{one}.")
                                            for one in names)]
    program = (f"import sys, {', '.join(['lib', *free])}\n"
               "print({'torch', 'numpy'} & set(sys.modules) or 'free')")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "free", done.stdout + done.stderr


@pytest.mark.parametrize("source, expected", [
    ("from ..exact import ranks", ("lib.exact.ranks", False)),
    ("from ..exact.ranks import exact_rank", ("lib.exact.ranks", False)),
    ("from . import cells", ("lib.grids.cells", False)),
    ("from .cells import Cell", ("lib.grids.cells", False)),
    ("from .. import Architecture", ("lib", False)),
    ("import lib.plots.style", ("lib.plots.style", False)),
    ("def f():\n    from ..plots.trees import draw", ("lib.plots.trees", True)),
    ("def f():\n    import_module('..plots.trees', __package__)", ("lib.plots.trees", True)),
])
def test_every_form_of_import_is_seen(source, expected):
    assert [found[:2] for found in imports(source, "lib.grids")] == [expected]
