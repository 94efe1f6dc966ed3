"""Nothing at import needs POSIX, text files say how they are encoded, workflows are pinned."""

import ast
import os
import re
import subprocess
import sys

import pytest
import yaml

from lib.course import ROOT

FILES = sorted((ROOT / "lib").rglob("*.py"))
LIBRARY = [path for path in FILES if "tests" not in path.relative_to(ROOT).parts]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

# What Windows lacks of the standard library, by the lists of its documentation: "Availability".
MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline")
NAMES = {
    "os": ("fork", "forkpty", "getuid", "geteuid", "getgid", "getegid", "killpg", "setsid",
           "setpgid", "getpgid", "uname", "nice", "wait", "wait3", "wait4", "mkfifo", "statvfs",
           "sched_getaffinity", "sched_setaffinity", "getloadavg", "WNOHANG", "chown", "pread",
           "pwrite", "sysconf", "openpty", "fchmod", "O_NONBLOCK", "O_CLOEXEC"),
    "signal": ("SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGSTOP",
               "SIGCONT", "SIGQUIT", "SIGPIPE", "SIGXCPU", "alarm", "setitimer", "pthread_kill",
               "pause", "sigwait"),
}
# A finder in front of all others refuses the modules; the names are taken out of theirs once the
# libraries from outside, which have their own ways on Windows, are there.
PROGRAM = """
import importlib, importlib.abc, sys, types
import pytest, torch, scipy.stats, networkx, hypothesis, matplotlib.pyplot, requests, yaml
import jupyter_core.paths, psutil
import nbformat, multiprocessing.connection, subprocess, tempfile, socket, os, signal

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {modules}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

for name in {modules}:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Refuse())
sys.modules["msvcrt"] = types.ModuleType("msvcrt")     # what Windows has instead
for module, gone in {names}.items():
    for name in gone:
        vars(sys.modules[module]).pop(name, None)
for name in {wanted}:
    try:
        importlib.import_module(name)
    except pytest.skip.Exception:
        pass                                    # skips itself: a package is not installed
    except Exception as error:
        if not isinstance(error, ImportError) or error.name in (*{modules}, "os", "signal"):
            print(f"{{name}}: {{type(error).__name__}}")
print("imported", len({wanted}))
"""
NEEDY = {
    "needs_module": "import resource",
    "needs_function": "import os\n\nclass A:\n    run = os.fork",
    "needs_signal": "import signal\n\n@str\n@[signal.SIGINT, signal.SIGKILL].count\n"
                    "def f(): pass",
    "needs_default": "import os\n\ndef f(cores=os.sched_getaffinity): pass",
    "needs_name": "from signal import SIGALRM",
}
MODEST = """
import os, signal
try:
    import fcntl
except ImportError:
    fcntl = None
def f():
    import resource
    return os.fork
kill = getattr(signal, "SIGKILL", None) or (lambda: os.getuid())
"""


def at_import(node):
    """The parts of a module that run when it is imported, tried imports left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Try) and any(
                "ImportError" in ast.unparse(handler.type or child) for handler in child.handlers):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            now = [*getattr(child, "decorator_list", []), child.args]
            for part in now:
                yield part
                yield from at_import(part)
            continue
        yield child
        yield from at_import(child)


def needs_posix(source):
    """What a module needs of POSIX at import."""
    found = []
    for node in at_import(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in MODULES]
        elif isinstance(node, ast.ImportFrom):
            gone = NAMES.get(node.module, ())
            found += [node.module] * (node.module in MODULES) + [
                f"{node.module}.{alias.name}" for alias in node.names if alias.name in gone]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found += [ast.unparse(node)] * (node.attr in NAMES.get(node.value.id, ()))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_and_no_test_needs_posix_at_import(path):
    assert needs_posix(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", NEEDY)
def test_what_needs_posix_is_found(name):
    assert len(needs_posix(NEEDY[name])) == 1 and needs_posix(MODEST) == []


@pytest.mark.slow
def test_every_module_and_test_imports_without_posix(tmp_path):
    for name, source in {**NEEDY, "modest": MODEST}.items():
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    wanted = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
              for path in FILES]
    program = PROGRAM.format(modules=MODULES, names=NAMES, wanted=[*wanted, *NEEDY, "modest"])
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": path})
    *wrong, count = done.stdout.splitlines()
    assert count == f"imported {len(wanted) + len(NEEDY) + 1}", done.stderr
    assert [line.split(":")[0] for line in wrong] == list(NEEDY)


def unencoded(source):
    """Lines that open a text file and leave its encoding to the machine.

    With `errors=` a file may be anybody's, in any encoding.
    """
    lines = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(
            node.func, "id", "")
        method = isinstance(node.func, ast.Attribute)
        if name not in ("open", "read_text", "write_text") or (
                name == "open" and method and ast.unparse(node.func.value) in (
                    "os", "tarfile", "zipfile", "Image", "gzip", "webbrowser")):
            continue
        if {"encoding", "errors", "fileobj"} & {keyword.arg for keyword in node.keywords}:
            continue
        place = {"open": 0 if method else 1, "read_text": None, "write_text": None}[name]
        mode = next((keyword.value for keyword in node.keywords if keyword.arg == "mode"),
                    node.args[place] if place is not None and len(node.args) > place else None)
        if isinstance(mode, ast.Constant) and "b" in str(mode.value):
            continue
        if name == "open" and method and node.args and not (
                isinstance(mode, ast.Constant) and re.fullmatch("[rwxa+bt]+", str(mode.value))):
            continue                                    # opens something else than a file
        if name == "read_text" and node.args or name == "write_text" and len(node.args) > 1:
            continue                                    # the encoding, by position
        lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text_files_say_their_encoding(path):
    """Windows reads and writes text as cp1252 unless told otherwise."""
    assert unencoded(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("line, count", [
    ("open(path)", 1), ("open(path, 'w')", 1), ("open(path, 'rb')", 0), ("path.open()", 1),
    ("path.open('ab')", 0), ("path.read_text()", 1), ("path.read_text('utf-8')", 0),
    ("path.write_text(text)", 1), ("path.write_text(text, encoding='utf-8')", 0),
    ("browser.open(f'{site}/{name}')", 0), ("os.open(path, os.O_RDONLY)", 0),
    ("tarfile.open(path)", 0), ("open(path, mode='rb')", 0),
])
def test_the_search_for_encodings_finds_them(line, count):
    assert len(unencoded(line)) == count


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_pinned_and_limited(path):
    """Each action by its whole commit with the version beside it; a time-out, few permissions."""
    text = path.read_text(encoding="utf-8")
    pinned = re.compile(r"[\w/-]+@[0-9a-f]{40} +# v\d+\.\d+\.\d+|\./[\w./-]+")
    used = re.findall(r"uses: (.*)", text)
    assert used and [name for name in used if not pinned.fullmatch(name)] == []
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"} and "concurrency" in workflow
    for name, job in workflow["jobs"].items():
        assert "timeout-minutes" in job or "uses" in job, name
        if "permissions" in job:
            assert name == "deploy"
    checkouts = [step for job in workflow["jobs"].values() for step in job.get("steps", [])
                 if "checkout" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_nothing_is_published_that_fails_a_test():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "publish.yml")
                          .read_text(encoding="utf-8"))["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert jobs["build"]["needs"] == "test" and jobs["deploy"]["needs"] == "build"


def test_the_quick_tests_run_on_three_systems():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml")
                          .read_text(encoding="utf-8"))["jobs"]
    systems = {system.split("-")[0] for system in jobs["quick"]["strategy"]["matrix"]["system"]}
    assert systems == {"ubuntu", "windows", "macos"}
    assert jobs["all"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
