"""The set-up cell: silent at home, and on Colab it fetches the course and what is missing."""

import os
import shutil
import subprocess
import sys
import types

import pytest

from lib.course import ROOT, colab
from lib.course.colab import HEADING, main, missing_packages, setup_cell, stamp_setup
from lib.course.links import repository

LIKE_COLAB = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("git") is None,
    reason="Colab runs Linux and has git, the cell its shell")
PRETEND = "import sys, types; sys.modules['google.colab'] = types.ModuleType('google.colab')\n"
SHOW = "\nimport pathlib, lib\n\nprint(pathlib.Path(lib.__file__).resolve())"


def run_cell(code, folder):
    """Run code as a notebook's kernel would: a fresh process that knows nothing of the course."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True,
                          env=environment)


@pytest.mark.parametrize("folder", [ROOT, ROOT / "notebooks"])
def test_at_home_the_cell_is_silent_and_finds_lib(folder):
    done = run_cell(setup_cell() + SHOW, folder)
    assert (done.stdout.strip(), done.stderr) == (str(ROOT / "lib" / "__init__.py"), "")


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository to clone from, with what is needed of the course as it is now."""
    root = tmp_path_factory.mktemp("origin")
    for name in ("__init__.py", "bounds", "course"):
        source, target = ROOT / "lib" / name, root / "lib" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (root / "requirements.txt").write_text("PyYAML\n")  # is there, so that nothing is installed
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *command], check=True)
    return root


@LIKE_COLAB
def test_on_colab_the_course_is_cloned_once_and_used(origin, tmp_path):
    cell = PRETEND + setup_cell().replace(repository()[0], origin.as_uri()) + SHOW
    for _ in range(2):
        done = run_cell(cell, tmp_path)
        assert done.stdout.strip() == str(tmp_path / "course" / "lib" / "__init__.py"), done.stderr
        assert done.stderr == ""


def refused(cell, folder):
    """What is written above the one line with which the cell ends."""
    done = run_cell(PRETEND + cell + SHOW, folder)
    *above, last = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
    assert last == ("no course: why stands above; git has 300 seconds, a folder course of yours "
                    "must go")
    return "\n".join(above)


@LIKE_COLAB
def test_on_colab_a_failing_clone_says_why(tmp_path):
    nowhere = (tmp_path / "nowhere").as_uri()
    assert "fatal: " in refused(setup_cell().replace(repository()[0], nowhere), tmp_path)
    assert not (tmp_path / "course").exists()


@LIKE_COLAB
def test_on_colab_a_folder_of_that_name_is_left_alone_and_named(origin, tmp_path):
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "mine.txt").write_text("mine")
    cell = setup_cell().replace(repository()[0], origin.as_uri())
    assert "destination path 'course' already exists" in refused(cell, tmp_path)
    assert [path.name for path in (tmp_path / "course").iterdir()] == ["mine.txt"]


@LIKE_COLAB
def test_on_colab_a_missing_git_says_so(tmp_path):
    cell = setup_cell().replace("git clone", "no-git clone")
    assert "no-git" in refused(cell, tmp_path)


@LIKE_COLAB
def test_on_colab_a_clone_without_end_is_ended(tmp_path):
    cell = setup_cell().replace("timeout 300 git", "timeout 0.1 sleep 60; false #")
    refused(cell, tmp_path)
    assert "timeout 300 git clone -q --depth 1 " in setup_cell()


def test_the_cell_has_at_most_four_lines():
    assert len(setup_cell().splitlines()) <= 4


@pytest.fixture
def pip_calls(monkeypatch):
    """What pip is asked for, in place of an installation."""
    calls = []

    def record(command, **_):
        calls.append(command[5:])
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(colab.subprocess, "run", record)
    return calls


def test_only_what_is_missing_is_installed_and_never_torch(tmp_path, pip_calls, monkeypatch):
    listed = tmp_path / "requirements.txt"
    listed.write_text("# a comment\ntorch>=2\nnumpy\nPyYAML>=6,<7\nno-such-package-x>=1,<2\n\n")
    assert missing_packages(listed) == ["no-such-package-x>=1,<2"]
    main(listed)
    assert pip_calls == [["no-such-package-x>=1,<2"]]
    everything_gone = types.SimpleNamespace(util=types.SimpleNamespace(find_spec=lambda _: None))
    monkeypatch.setattr(colab, "importlib", everything_gone)
    assert missing_packages(listed) == ["PyYAML>=6,<7", "no-such-package-x>=1,<2"]


def test_nothing_is_installed_where_nothing_is_missing(pip_calls):
    main()
    assert pip_calls == []


def test_a_failing_installation_says_why(tmp_path, monkeypatch):
    failed = types.SimpleNamespace(returncode=1)
    monkeypatch.setattr(colab.subprocess, "run", lambda *_, **__: failed)
    listed = tmp_path / "requirements.txt"
    listed.write_text("no_such_package_x\n")
    with pytest.raises(SystemExit, match="could not install no_such_package_x"):
        main(listed)


def test_the_cell_is_written_where_its_tag_is(tmp_path):
    twin = tmp_path / "90_trial.py"
    twin.write_text(f"# %% [markdown]\n# # A\n\n{HEADING}pass\n\n# %%\n1 + 1\n")
    assert stamp_setup(twin)
    assert twin.read_text() == f"# %% [markdown]\n# # A\n\n{HEADING}{setup_cell()}\n\n# %%\n1 + 1\n"
    assert not stamp_setup(twin)
    twin.write_text("# %%\n1 + 1\n")
    assert not stamp_setup(twin)


def test_a_disk_that_fills_up_leaves_the_twin_whole(tmp_path, monkeypatch):
    def half(path, text, **options):
        with path.open("w") as file:
            file.write(text[:10])
        raise OSError("no space left")

    twin, text = tmp_path / "90_trial.py", f"{HEADING}pass\n\n# %%\n1 + 1\n"
    twin.write_text(text)
    monkeypatch.setattr(type(twin), "write_text", half)
    with pytest.raises(OSError, match="no space left"):
        stamp_setup(twin)
    assert twin.read_text() == text


def test_the_environment_is_activated_by_a_script_of_its_own_in_fish():
    """The usual one stops there with an error about ``case``, and ``python`` stays another."""
    for page in ("README.md", "book/how-to-read.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert "`source .venv/bin/activate`" in text
        assert "in fish `source .venv/bin/activate.fish`" in text, page
