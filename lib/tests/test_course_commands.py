"""The Makefile, with programs that only say what they were asked for."""

import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

from lib.course import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("make") or os.name == "nt",
                                reason="make is not installed, or the shell is not sh")

ECHO = """\
#!/bin/sh
case "$1" in -c) exec {python} "$@";; esac
for word in "$@"; do printf '[%s]' "$word"; done
echo
"""


@pytest.fixture
def clone(tmp_path):
    """A folder with the Makefile and a finished environment whose Python repeats its arguments."""
    folder = tmp_path / "it's a clone"
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for name in ("Makefile", "requirements.txt", "requirements-book.txt", "requirements-test.txt"):
        shutil.copy(ROOT / name, folder)
    python = binaries / "python"
    python.write_text(ECHO.format(python=sys.executable))
    python.chmod(0o755)
    for stamp in (".created", ".torch", ".reader", ".author"):
        (folder / ".venv" / stamp).touch()
    return folder


def make(folder, *arguments, **variables):
    # the tests themselves are run by make, which tells its children so and makes them say more
    alone = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    alone |= variables
    return subprocess.run(["make", *arguments], cwd=folder, env=alone, capture_output=True,
                          text=True)


def test_tests_leave_the_slow_ones_out_and_slow_tests_run_them(clone):
    assert "[-m][not slow]" in make(clone, "test").stdout
    assert "[-m][slow][lib]" in make(clone, "test-slow").stdout


def test_an_address_is_passed_on_as_one_word(clone):
    for url in ("https://github.com/a/b", "x'; touch intruder; '", 'x"; touch intruder; "', ""):
        done = make(clone, "repository", f"URL={url}")
        assert f"[-m][lib.course.links][{url}]" in done.stdout, done.stderr
    assert not (clone / "intruder").exists()


def test_a_renamed_folder_still_builds(clone):
    """The scripts of an environment name its folder, so that only its Python is called."""
    (clone / "_build" / "html").mkdir(parents=True)
    moved = clone.rename(clone.with_name("renamed"))
    done = make(moved, "book")
    assert done.returncode == 0, done.stderr
    assert "[.venv/bin/jupyter-book][build]" in (moved / "_build" / "log").read_text()
    assert "[-m][ruff][check]" in make(moved, "lint").stdout


def test_a_python_that_is_too_old_builds_nothing(clone):
    shutil.rmtree(clone / ".venv")
    old = clone / "python3.8"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make(clone, "book", "PYTHON=./python3.8")
    assert done.returncode and "./python3.8 is no Python 3.11 or newer" in done.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize("name", ["python3", "python3.12"])
def test_the_package_that_a_python_lacks_is_its_own(clone, name):
    shutil.rmtree(clone / ".venv")
    (clone / name).write_text('#!/bin/sh\ntest "$2" != venv\n')
    (clone / name).chmod(0o755)
    failed = make(clone, "book", f"PYTHON=./{name}")
    assert failed.returncode and f"apt-get install {name}-venv" in failed.stderr


def test_another_python_makes_another_environment(clone):
    """What is advised after a failure: the environment of the Python that failed was kept."""
    shutil.rmtree(clone / ".venv")
    for name in ("bad", "good"):
        (clone / name).write_text(
            '#!/bin/sh\ncase "$2" in venv) mkdir -p .venv/bin; rm -f .venv/.*r; cp "$0" '
            f'.venv/bin/python; echo made by {name};; pip) test {name} = good || exit 1;; esac\n')
        (clone / name).chmod(0o755)
    failed = make(clone, "book", "PYTHON=./bad")
    assert failed.returncode and "make book PYTHON=python3.12" in failed.stderr
    done = make(clone, "book", "PYTHON=./good")
    assert done.returncode == 0 and "made by good" in done.stdout, done.stderr
    for again in ([], ["PYTHON=./good"]):
        assert "made by" not in make(clone, "book", *again).stdout


def test_a_busy_port_is_named(clone):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = make(clone, "serve", f"PORT={port}")
        advice = re.fullmatch(r"Port (\d+) cannot be used; .*: make (serve) (PORT=\d+)\n[^\n]*\n",
                              done.stderr)  # the second line is make's own
        assert done.returncode and advice[1] == str(port) and advice[3] != f"PORT={port}"
        assert "[-m][http.server]" in make(clone, *advice.groups()[1:]).stdout
    assert "http.server" not in done.stdout
    assert "[-m][http.server]" in make(clone, "serve", f"PORT={port}").stdout


def test_printing_looks_for_a_browser_before_it_builds_the_book(clone):
    for target, words in (("pdf", "[-m][lib.course.printed]"),
                          ("slides", "[-m][lib.course.printed][slides]")):
        lines = make(clone, target).stdout.splitlines()
        assert lines[0] == "[-m][lib.course.chromium]" and lines[-1] == words, lines
        assert "[-m][lib.course.pages][_build/html]" in lines


def test_goals_wait_for_each_other_whatever_make_is_told(clone):
    """Else two books are built into one folder, or one while pip changes its environment."""
    python = clone / ".venv" / "bin" / "python"
    python.write_text("#!/bin/sh\necho begin >>log\nsleep 0.02\necho end >>log\n")
    (clone / ".venv" / ".author").unlink()
    for goals in (("pdf", "slides"), ("book", "test")):
        done = make(clone, *goals, MAKEFLAGS="-j4")
        assert done.returncode == 0, done.stderr
    assert set((clone / "log").read_text().split("begin\nend\n")) == {""}


def test_packages_are_looked_for_and_put_in_the_environment_alone(clone):
    """Clusters set these: pip would skip what it finds elsewhere, or install it there."""
    stub = '#!/bin/sh\ncase "$2" in pip) env >seen;; esac\n'
    (clone / ".venv" / "bin" / "python").write_text(stub)
    (clone / ".venv" / ".author").unlink()
    elsewhere = {"PYTHONPATH": "/x", "PIP_TARGET": "/x", "PIP_PREFIX": "/x", "PIP_USER": "1"}
    assert make(clone, "lint", **elsewhere, PIP_INDEX_URL="mine").returncode == 0
    seen = {line.split("=")[0] for line in (clone / "seen").read_text().splitlines()}
    assert "PIP_INDEX_URL" in seen and not seen & elsewhere.keys()


def test_an_environment_that_is_removed_in_part_counts_as_none(clone):
    """Ctrl-C while the files go, one after the other."""
    (clone / "rm").write_text(f'#!/bin/sh\nexec {shutil.which("rm")} "$1" "$2"\n')
    (clone / "rm").chmod(0o755)
    make(clone, "clean", PATH=f"{clone}{os.pathsep}{os.environ['PATH']}")
    assert (clone / ".venv" / "bin").exists() and not (clone / ".venv" / ".created").exists()
