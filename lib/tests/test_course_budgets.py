"""Budgets, and what the comparison of stored outputs notices: pytest runs on a small course."""

import os
import re
import subprocess
import sys
import types

import pytest

from lib.course import ROOT
from lib.course.budgets import Budgets, most_seconds, peak_memory, pytest_configure
from lib.course.notebooks import notebooks


def check(course, **environment):
    """Run pytest on the course's notebook with the project's own settings."""
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"),
               "--rootdir", str(ROOT), "-p", "lib.course.budgets", str(course / "notebooks"),
               "--nbval-sanitize-with", str(ROOT / "notebooks" / "sanitize.cfg")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT), **environment})
    return done.returncode, done.stdout + done.stderr


def test_one_changed_digit_in_a_stored_output_fails_and_notebooks_are_measured(run_course):
    folder = run_course / "notebooks"
    text = (folder / "90_trial.ipynb").read_text()
    (folder / "90_trial.ipynb").write_text(text.replace("total 7", "total 8"))
    code, report = check(run_course)
    assert code == 1 and "1 failed, 1 passed" in report, report
    assert "FAILED" in report and "90_trial.ipynb::Cell 0" in report, report
    assert "notebooks: at most 60 s and 1500 MB" in report, report
    assert re.search(r"^ +\d+\.\d s +\d+ MB  .*90_trial.ipynb$", report, re.MULTILINE), report
    assert "OVER BUDGET" not in report, report


@pytest.mark.slow
def test_notebooks_are_checked_from_their_own_folder_too():
    """There every script was run, minutes long, and every cell ended with a FileNotFoundError."""
    program = ("import pytest\nclass Look:\n    def pytest_unconfigure(self, config):\n"
               "        print('with', config.option.nbval_sanitize_with)\n"
               "pytest.main(['--co', '-qq', '-n', '0', '-W', 'ignore'], [Look()])")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "notebooks", text=True,
                          capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          timeout=100)
    listed, _, file = done.stdout.strip().partition("\nwith ")
    assert re.findall(r"notebooks/(.+): \d+", listed) == [
        path.name for path in notebooks()], done.stdout + done.stderr
    assert file == str(ROOT / "notebooks" / "sanitize.cfg")


def test_the_cells_of_a_notebook_stay_together_whatever_hands_out_the_tests(pytestconfig):
    """With `-n 2` alone every worker got some cells, which did not know the others' names."""
    settings = next(plugin for plugin in pytestconfig.pluginmanager.get_plugins()
                    if getattr(plugin, "__file__", None) == str(ROOT / "conftest.py"))
    for given, taken in (("load", "loadfile"), ("no", "no")):
        option = types.SimpleNamespace(nbval_sanitize_with=None, dist=given)
        settings.pytest_configure(types.SimpleNamespace(option=option, rootpath=ROOT))
        assert option.dist == taken
    settings.pytest_configure(types.SimpleNamespace(
        option=types.SimpleNamespace(nbval_sanitize_with=None), rootpath=ROOT))  # without xdist


@pytest.mark.slow
def test_a_notebook_over_its_time_fails(run_course):
    code, report = check(run_course, COURSE_TIME_SCALE="0.001")
    assert code == 1 and "OVER BUDGET" in report and "the limit is 0 s" in report, report


def reports(name, seconds, megabytes):
    return types.SimpleNamespace(nodeid=name, duration=seconds,
                                 user_properties=[("megabytes", megabytes)])


def test_seconds_add_up_and_memory_peaks(monkeypatch):
    monkeypatch.delenv("COURSE_TIME_SCALE", raising=False)
    budgets = Budgets()
    for seconds, megabytes in ((20, 300), (30, 1600), (11, 400)):
        budgets.add(reports("notebooks/01_a.ipynb::Cell 0", seconds, megabytes))
        budgets.add(reports("lib/tests/test_a.py::test", 1000, 9000))
    budgets.add(reports("notebooks/02_b.ipynb::Cell 0", 59, 1499))
    assert budgets.over() == [
        "notebooks/01_a.ipynb took 61 s, the limit is 60 s",
        "notebooks/01_a.ipynb used 1600 MB, the limit is 1500 MB",
    ]
    assert len(budgets.lines()) == 2


@pytest.mark.parametrize("scale, seconds", [("3", 180), ("0.5", 30), ("", 60)])
def test_the_scale_stretches_the_limit(scale, seconds, monkeypatch):
    monkeypatch.setenv("COURSE_TIME_SCALE", scale)
    assert most_seconds() == seconds and pytest_configure(None) is None


@pytest.mark.parametrize("scale", ["3x", "0", "-1", "nan", "inf"])
def test_a_scale_that_is_no_number_is_refused_before_the_tests(scale, monkeypatch):
    monkeypatch.setenv("COURSE_TIME_SCALE", scale)
    with pytest.raises(pytest.UsageError, match=f"COURSE_TIME_SCALE='{scale}'; need a positive"):
        pytest_configure(None)


def test_memory_is_the_peak_not_the_present_use():
    program = "a = bytearray(300_000_000); del a; print('ready', flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        if sys.platform in ("linux", "win32"):  # macOS keeps no peak
            assert peak_memory(child.pid) > 300
    finally:
        child.communicate(b"\n")
