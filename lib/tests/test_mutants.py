"""Changes to the library that test its tests: where they are, what they do, how they count."""

import ast
import gc
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from lib.benchmarks import mutant_runs, mutants
from lib.course import ROOT

PAGE = ROOT / "book" / "mutants.md"
SOURCE = '''\
def f(x: int | None = 3, *, y=2):
    """A value."""
    if x is None:
        raise ValueError("x")
    g(x, key=1, other=2)
    x += 1
    return x
'''


def test_keywords_and_statements_are_dropped_one_at_a_time():
    found = {(name, line): text.splitlines()[line - 1].strip()
             for name, line, _, text in mutants.own_changes(SOURCE, ast.parse(SOURCE))}
    assert found == {("DropStatement", 4): "pass", ("DropStatement", 5): "pass",
                     ("DropStatement", 6): "pass", ("DropKeyword", 5): "g(x, key=1)"}
    texts = [text for name, *_, text in mutants.own_changes(SOURCE, ast.parse(SOURCE))
             if name == "DropKeyword"]
    assert len(texts) == 2 and "g(x, other=2)" in texts[0]
    for *_, text in mutants.own_changes(SOURCE, ast.parse(SOURCE)):
        ast.parse(text)


def test_changes_inside_annotations_are_left_out():
    (span,) = mutants.annotations(ast.parse(SOURCE))
    assert span == ((1, 9), (1, 19))


def test_a_line_belongs_to_the_innermost_statement():
    lines = mutants.statement_lines(ast.parse("if a:\n    b = (c,\n         d)\n"))
    assert lines == {1: (1, 1), 2: (2, 3), 3: (2, 3)}


def test_every_folder_that_computes_has_its_share():
    strata = mutants.settings()["strata"]
    assert sum(share for share, _ in strata.values()) == pytest.approx(1)
    folders = {path.name for path in (ROOT / "lib").iterdir() if path.is_dir()}
    drawn = {name for _, names in strata.values() for name in names}
    assert folders - drawn - {"__pycache__"} == {
        "plots", "course", "exercises", "tests", "benchmarks"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants need os.fork")
@pytest.mark.parametrize("work, answer", [
    (lambda: {"failed": None}, {"failed": None}), (lambda: 1 / 0, "crash"), (sys.exit, "crash"),
    (lambda: os.kill(os.getpid(), signal.SIGXCPU), "timeout")])
def test_a_child_that_breaks_is_no_mutant_that_runs_for_ever(tmp_path, work, answer):
    assert mutant_runs.in_child(tmp_path, work, 5) == answer


def test_changed_code_is_put_in_place_whatever_is_frozen(tmp_path):
    """Python hides frozen objects: without them nothing would be changed."""
    source = "def f():\n    return 1\n"
    namespace = {}
    exec(compile(source, tmp_path / "a.py", "exec"), namespace)
    gc.freeze()
    (function,) = mutant_runs.live_functions(tmp_path)["a.py"]
    changed = mutant_runs.changed_functions(source, source.replace("1", "2"), tmp_path / "a.py")
    mutant_runs.put_in_place(changed, [function])
    assert namespace["f"]() == 2
    with pytest.raises(LookupError, match="none of .* is in memory"):
        mutant_runs.put_in_place(changed, [])


ENTRIES = [{"name": name, "seed": 1, "stratum": "audit", "path": "lib/a.py", "line": 3,
            "outcome": outcome, "before": "a | b", "after": "a"}
           for name, outcome in [("1", "killed"), ("2", "timeout"), ("3", "invalid"),
                                 ("4", "survived"), ("5", "undecided"), ("6", "survived"),
                                 ("7", "undecided")]]
JUDGED = {"4": {"verdict": "equivalent", "why": "same"}, "5": {"verdict": "noticed", "why": "t"},
          "6": {"verdict": "closed", "why": "test_x"}}


def test_figures_of_a_sample():
    rows = mutants.table(ENTRIES, JUDGED)
    assert rows[2:] == ["| 1 | audit | 6 | 3 | 1 | 1 | 1 | 60.0 % |"]
    assert mutants.listed(ENTRIES, JUDGED, "equivalent")[2:] == [
        "| a.py:3 | `` a \\| b `` | `` a `` | same |"]


def test_two_mutants_of_one_name_have_no_verdict_in_common(tmp_path, capsys, monkeypatch):
    """Between two samples the library changes: a verdict on the first judged the second, too."""
    other = {**ENTRIES[3], "seed": 2, "before": "c + d", "after": "c - d"}
    results = tmp_path / "results.jsonl"
    results.write_text("".join(json.dumps(entry) + "\n" for entry in [*ENTRIES, other]))
    monkeypatch.setattr(mutants, "verdicts", lambda: JUDGED)
    with pytest.raises(SystemExit):
        mutants.main(["table", "--results", str(results)])
    assert "error: 4: samples left different mutants of this name" in capsys.readouterr().err
    apart = {**JUDGED, "2 4": {"verdict": "open", "why": "no test"}}
    monkeypatch.setattr(mutants, "verdicts", lambda: apart)
    mutants.main(["table", "--results", str(results)])
    shown = capsys.readouterr().out
    assert "| 2 | audit | 1 | 0 | 0 | 1 | 0 | 0.0 % |" in shown
    assert "`` c - d `` | no test |" in shown
    assert "| 1 | audit | 6 | 3 | 1 | 1 | 1 | 60.0 % |" in shown


def test_a_sample_is_not_drawn_from_two_libraries(tmp_path, monkeypatch):
    (tmp_path / "copied").write_text("0123456789abcdef")
    monkeypatch.setattr(mutant_runs, "copied", lambda folder: folder / "copy")
    results = tmp_path / "results.jsonl"
    for code in ({}, {"code": "0123456789ab"[::-1], "count": 10}, {"code": "0123456789ab"},
                 {"code": "0123456789ab", "count": 20}):
        results.write_text(json.dumps({**ENTRIES[0], **code}) + "\n")
        with pytest.raises(SystemExit, match="holds mutants of the seed 1 from another library"):
            mutant_runs.run(tmp_path, 1, 10, ["audit"], results)
    results.write_text(json.dumps({**ENTRIES[0], "code": "0123456789ab", "count": 10}) + "\n")
    with pytest.raises(FileNotFoundError, match="original"):  # that sample goes on
        mutant_runs.run(tmp_path, 1, 10, ["audit"], results)


def test_the_page_shows_the_stored_figures():
    entries, judged = mutants.read(mutants.RESULTS), mutants.verdicts()
    names = {name for entry in entries if entry["outcome"] not in ("killed", "timeout")
             for name in (entry["name"], f"{entry['seed']} {entry['name']}")}
    assert set(judged) <= names
    assert all(set(entry) == {"verdict", "why"} and entry["verdict"] in (
        "noticed", "equivalent", "closed", "open") for entry in judged.values())
    text = PAGE.read_text(encoding="utf-8")
    rows = [*mutants.table(entries, judged), *mutants.listed(entries, judged, "closed", "open"),
            *mutants.listed(entries, judged, "equivalent")]
    assert len(entries) >= 100 and [row for row in rows if row not in text] == []


@pytest.mark.skipif(shutil.which("git") is None, reason="git says what is copied")
def test_a_sample_goes_on_with_the_library_it_began_with(tmp_path):
    """The copy was kept for good: what was tried after a change was the library before it."""
    course, folder = tmp_path / "course", tmp_path / "folder"
    (course / "lib").mkdir(parents=True)
    (course / "lib" / "a.py").write_text("1")
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=course, check=True)
    for _ in range(2):
        assert (mutant_runs.copied(folder, course) / "lib" / "a.py").read_text() == "1"
    (course / "lib" / "a.py").write_text("2")
    with pytest.raises(SystemExit, match="has changed since it was copied"):
        mutant_runs.copied(folder, course)
    shutil.rmtree(folder)
    assert (mutant_runs.copied(folder, course) / "lib" / "a.py").read_text() == "2"
    (folder / "copied").unlink()  # as after a kill in the middle
    with pytest.raises(SystemExit, match="or the copy is not whole; remove that folder"):
        mutant_runs.copied(folder, course)


@pytest.mark.skipif(shutil.which("git") is None, reason="git says what is copied")
@pytest.mark.parametrize("inside", [True, False])
def test_an_unpacked_archive_is_told_how_git_learns_its_files(tmp_path, monkeypatch, inside):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    course = tmp_path / "thesis" / "course"
    (course / "lib").mkdir(parents=True)
    (course / "lib" / "a.py").write_text("1")
    if inside:
        subprocess.run(["git", "init", "-q"], cwd=course.parent, check=True)
    with pytest.raises(SystemExit, match="git lists what is copied") as refused:
        mutant_runs.copied(tmp_path / "folder", course)
    assert ("none is known" if inside else "not a git repository") in str(refused.value)
    subprocess.run(str(refused.value).split("to it: ")[1], shell=True, cwd=course, check=True)
    assert (mutant_runs.copied(tmp_path / "folder", course) / "lib" / "a.py").exists()


def test_where_git_is_missing_this_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="git.*not found"):
        mutant_runs.copied(tmp_path / "folder", tmp_path)


@pytest.mark.parametrize("command", ["left", "table"])
def test_a_results_file_that_is_not_there_is_named(tmp_path, capsys, command):
    with pytest.raises(SystemExit):
        mutants.main([command, "--results", str(tmp_path / "none")])
    assert f"--results {tmp_path / 'none'}: there is no such file" in capsys.readouterr().err
