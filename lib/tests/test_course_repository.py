"""The repository itself: notebooks in step, ledger complete, links alive, lists that agree."""

import ast
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from lib.course import ROOT, ledger
from lib.course.colab import HEADING, IMPORT_NAMES, setup_cell
from lib.course.links import badges, launch_problems, stamped_files
from lib.course.notebooks import cell_content, notebooks, problems, read_notebook, twins
from lib.plots.rooms import statements

LIBRARY = sorted(path for path in (ROOT / "lib").rglob("*.py")
                 if "tests" not in path.relative_to(ROOT).parts)
SPHINX_ONLY = re.compile(r"^[`:]{3,}\{|\{(?:cite|ref|numref|prf:ref|glue|doc|eq)(?::\w*)?\}`", re.M)


def test_notebooks_and_twins_are_in_step():
    assert problems() == []


def test_a_checkout_has_the_same_bytes_on_every_system():
    """Else a sweep begun on Windows would count as made by other code (`code_digest`)."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no repository")
    files = ["Makefile", "lib/experiments/pooled.py", "notebooks/01_grid_tensors.ipynb"]
    said = subprocess.run(["git", "-C", ROOT, "-c", "core.autocrlf=true", "check-attr", "eol", "--",
                           *files], check=True, capture_output=True, text=True).stdout
    assert said.splitlines() == [f"{name}: eol: lf" for name in files]


def test_the_ledger_is_complete():
    assert ledger.problems() == []


@pytest.mark.parametrize("path", stamped_files(), ids=lambda path: path.name)
def test_launch_links_lead_to_committed_notebooks(path):
    assert launch_problems(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_every_notebook_begins_alike(path):
    cells = read_notebook(path).cells
    title, line, rest = (cells[0].source + "\n\n").split("\n\n", 2)
    assert re.fullmatch("# .+", title)
    assert line == badges(path.stem)
    set_up = [cell_content(cell) for cell in cells if "setup" in cell.metadata.get("tags", [])]
    assert set_up == [("code", setup_cell(), ["setup", "remove-cell"], {})]
    assert HEADING in path.with_suffix(".py").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_notebooks_read_well_without_the_book(path):
    for cell in read_notebook(path).cells:
        if cell.cell_type == "markdown":
            assert not SPHINX_ONLY.search(cell.source), f"shown raw on Colab:\n{cell.source}"


@pytest.mark.parametrize("page", [page for page in sorted((ROOT / "book").glob("*.md"))
                                  if "Section of the notebook |" in page.read_text("utf-8")],
                         ids=lambda page: page.stem)
def test_sections_named_on_a_page_are_in_its_notebooks(page):
    text = page.read_text(encoding="utf-8")
    headings = {heading for name in set(re.findall(r"notebooks/(\w+)\.ipynb\)", text))
                for heading in re.findall(r"^# #+ (.+)$", (ROOT / "notebooks" / f"{name}.py")
                                          .read_text(encoding="utf-8"), re.MULTILINE)}
    named = [section for row in re.findall(r"^\| \{prf:ref\}.* \| (.+?) \|$", text, re.MULTILINE)
             for section in row.split("; ")]
    assert named and [section for section in named if section not in headings] == []


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_notebooks_look_as_the_developer_page_says(path):
    """Three imports, 80 columns, bookkeeping folded and apart."""
    cells = [cell for cell in read_notebook(path).cells if cell.cell_type == "code"
             and "setup" not in cell.metadata.get("tags", [])]
    found = [node for cell in cells for node in ast.walk(ast.parse(cell.source))
             if isinstance(node, (ast.Import, ast.ImportFrom))]
    # the audit is a package of its own, beside the front, its pictures and torch
    allowed = 4 if path.stem == "14_audit_a_network" else 3
    assert len(found) <= allowed, f"{len(found)} imports, at most {allowed}"
    wide = [line for cell in cells for line in cell.source.splitlines() if len(line) > 80]
    assert not wide
    for cell in cells:
        tags = set(cell.metadata.get("tags", []))
        if re.search(r"\bchecking\(", cell.source):
            assert "hide-input" in tags, cell.source
        if re.match(r"(#.*\n)*glue\(", cell.source):
            assert "remove-cell" in tags, cell.source
    assert not any(re.search(r"\bverify\(", cell.source) for cell in cells), "write `checking`"


def toc_files(node):
    """The files a table of contents lists, sections included."""
    files = [node["file"]] if "file" in node else [node["root"]] if "root" in node else []
    for key in ("parts", "chapters", "sections"):
        for child in node.get(key, []):
            files += toc_files(child)
    return files


def test_every_page_and_notebook_is_in_the_table_of_contents():
    listed = toc_files(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
    pages = [*(ROOT / "book").glob("*.md"), *notebooks()]
    there = {path.relative_to(ROOT).with_suffix("").as_posix() for path in pages}
    assert sorted(listed) == sorted(there)


def imports(path):
    """Top-level names of the modules that a Python file imports, wherever it does."""
    names = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def needed_by_readers():
    """The library without the authors' tools, and the notebooks' twins."""
    library = [p for p in LIBRARY if p.relative_to(ROOT).parts[1] not in ("benchmarks", "course")]
    return [*library, *twins()]


# Used when present, replaced or explained when absent; every such import is inside a function.
OPTIONAL = {"IPython", "dask", "distributed", "torchvision", "timm"}


def test_requirements_list_what_readers_need():
    listed = re.findall(r"^[\w-]+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    known = {IMPORT_NAMES.get(name, name) for name in listed} | {"lib"} | OPTIONAL
    for path in needed_by_readers():
        foreign = imports(path) - known - set(sys.stdlib_module_names)
        assert not foreign, f"{path.name} imports {foreign}, which requirements.txt lacks"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_stay_small(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 500


def test_the_developer_page_places_every_module():
    page = (ROOT / "book" / "developer.md").read_text(encoding="utf-8")
    modules = {path.relative_to(ROOT / "lib").parts[0].removesuffix(".py") for path in LIBRARY}
    unplaced = {name for name in modules - {"__init__", "benchmarks"} if f"`{name}`" not in page}
    assert not unplaced, f"add {unplaced} to the table of layers in book/developer.md"


def test_importing_lib_does_not_wait_for_torch():
    program = "import lib, lib.course.claims, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def readme_example():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    return program


def test_the_example_of_the_readme_runs_in_a_clone(capsys):
    exec(readme_example().replace("overlapping_convnets", "lib"), {"__name__": "__main__"})
    assert len(capsys.readouterr().out.splitlines()) >= 2


def test_lib_names_what_it_lacks():
    import lib

    with pytest.raises(AttributeError, match="'lib' has no attribute 'nothing'; it offers"):
        lib.nothing  # noqa: B018


def test_workflows_are_valid():
    files = sorted(str(path) for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema",
               "vendor.github-workflows", *files]
    pytest.importorskip("check_jsonschema")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which pip installed the course; the quick tests use a clone."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("installed")
    sources, target = copy_of_sources(folder / "source"), folder / "to"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
               "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([*install, "--target", str(target), str(sources)], check=True,
                   capture_output=True)
    return target


def run_installed(folder, *arguments):
    done = subprocess.run([sys.executable, *arguments], cwd=folder.parent, capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": str(folder)})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_installed_package_has_a_name_of_its_own(installed):
    packages = {path.name for path in installed.iterdir() if path.is_dir()}
    assert {name for name in packages if "." not in name} == {"bin", "overlapping_convnets"}
    assert not (installed / "overlapping_convnets" / "tests").exists()


@pytest.mark.slow
def test_the_example_of_the_readme_runs_where_it_is_installed(installed):
    assert len(run_installed(installed, "-c", readme_example()).splitlines()) >= 2


@pytest.mark.slow
def test_the_installed_audit_is_a_command(installed):
    script = next((installed / "bin").glob("overlap-audit*"))
    said = run_installed(installed, script, "overlapping_convnets.audit.models:dilated_stack",
                         "--size", "32", "--summary")
    assert "field 63, stride 1" in said


@pytest.mark.slow
def test_the_installed_package_knows_the_claims_and_the_stored_results(installed):
    program = ("from overlapping_convnets.course import claims\n"
               "print(claims.__file__, len(claims.load_claims()))")
    where, count = run_installed(installed, "-c", program).split()
    assert where == str(installed / "overlapping_convnets" / "course" / "claims.py")
    assert int(count) == len(ledger.load_claims())
    program = ("from overlapping_convnets.experiments.records import STORED\n"
               "print(*(path.relative_to(STORED) for path in sorted(STORED.rglob('*.jsonl'))))")
    stored = sorted((ROOT / "notebooks" / "results").rglob("*.jsonl"))
    there = run_installed(installed, "-c", program).split()
    assert there == [str(path.relative_to(ROOT / "notebooks" / "results")) for path in stored]


def copy_of_sources(target):
    """What pip needs of the repository, copied so that building leaves no traces in it."""
    ignore = shutil.ignore_patterns("__pycache__", "tests")
    for folder in ("lib", "notebooks/results"):
        shutil.copytree(ROOT / folder, target / folder, ignore=ignore)
    (target / "book").mkdir()
    for name in ("book/claims.yml", "pyproject.toml", "setup.py", "requirements.txt", "README.md"):
        shutil.copy(ROOT / name, target / name)
    return target
