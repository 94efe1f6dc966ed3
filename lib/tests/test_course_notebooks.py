"""Twins and notebooks: every way of being out of step is noticed, and running settles it."""

import base64
import json
import re
import struct

import pytest

from lib.course import ROOT
from lib.course.notebooks import execute, main, problems, read_notebook, sync, without_text

STEM = "90_trial"


def edit(course, change):
    """Change the stored notebook of a course as JSON."""
    path = course / "notebooks" / f"{STEM}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change(notebook["cells"])
    path.write_text(json.dumps(notebook), encoding="utf-8")


def test_a_run_notebook_is_in_step(run_course):
    assert problems(run_course / "notebooks") == []


@pytest.mark.slow
def test_running_again_changes_nothing(run_course, finished_notebook):
    execute(run_course / "notebooks" / f"{STEM}.py")
    path = run_course / "notebooks" / f"{STEM}.ipynb"
    assert path.read_text(encoding="utf-8") == finished_notebook


@pytest.mark.parametrize(
    "change, complaint",
    [
        (lambda cells: cells[1].update(source="total = 3 + 5"), "cell 1 differs .* source"),
        (lambda cells: cells[0].update(source="# Another title"), "cell 0 differs .* source"),
        (lambda cells: cells[2]["metadata"].update(tags=[]), "cell 2 differs .* tags"),
        (lambda cells: cells[2]["metadata"].pop("mystnb"), "cell 2 differs .* figure settings"),
        (lambda cells: cells.pop(), "the notebook has 2 cells, the twin 3"),
        (lambda cells: cells[1].update(execution_count=None), "cell 1 has no stored run"),
        (lambda cells: cells[1].update(execution_count=7), "cell 1 ran as number 7, not 1"),
        (
            lambda cells: cells[1]["outputs"].append(
                {"output_type": "stream", "name": "stderr", "text": "UserWarning"}
            ),
            "cell 1 stores a warning",
        ),
        (
            lambda cells: cells[1]["outputs"].append(
                {"output_type": "error", "ename": "KeyError", "evalue": "", "traceback": []}
            ),
            "cell 1 stores an error: KeyError",
        ),
    ],
)
def test_what_is_out_of_step_is_named(run_course, change, complaint):
    edit(run_course, change)
    found = problems(run_course / "notebooks")
    assert any(re.search(complaint, line) for line in found), found


def test_a_missing_half_is_named(run_course):
    folder = run_course / "notebooks"
    (folder / "91_other.py").write_text((folder / f"{STEM}.py").read_text())
    (folder / f"{STEM}.py").unlink()
    assert problems(folder) == [
        "90_trial: the notebook has no twin 90_trial.py",
        "91_other: never run; `make run NOTEBOOK=91_other` makes the notebook",
    ]


def test_sync_takes_the_twin_and_keeps_outputs_of_cells_that_stayed(run_course):
    folder = run_course / "notebooks"
    twin = folder / f"{STEM}.py"
    twin.write_text(twin.read_text().replace("total * 2", "total * 3"))
    assert sync(folder) == [f"{STEM}.ipynb"]
    kept, changed = read_notebook(folder / f"{STEM}.ipynb").cells[1:]
    assert kept.outputs[0].text == "total 7\n"
    assert changed.source == "total * 3" and changed.outputs == []
    assert problems(folder) == ["90_trial: cell 2 has no stored run"]
    assert sync(folder) == []


def test_sync_keeps_outputs_whatever_ids_an_editor_gave(run_course):
    """Outputs were lost where the id of a cell was not that of its source."""
    path = run_course / "notebooks" / f"{STEM}.ipynb"
    twin = path.with_suffix(".py")
    twin.write_text(twin.read_text().replace("total * 2", "total * 3"))
    stored = json.loads(path.read_text())
    for number, cell in enumerate(stored["cells"]):
        cell["id"] = f"editor-{number}"
    path.write_text(json.dumps(stored))
    assert sync(path.parent) == [path.name]
    assert read_notebook(path).cells[1].outputs[0].text == "total 7\n"
    assert problems(path.parent) == ["90_trial: cell 2 has no stored run"]


def test_what_was_written_in_a_notebook_is_kept(run_course, capsys):
    """A reader's lines were lost, without a word, when the twin was run or copied over them."""
    path = run_course / "notebooks" / f"{STEM}.ipynb"
    twin = path.with_suffix(".py")
    for source, name in (("sum = 7 * 6", ".edited"), ("sum = 8 * 8", ".edited2")):
        edit(run_course, lambda cells, source=source: cells[1].update(source=source))
        assert sync(path.parent) == [path.name]
        assert source in path.with_name(path.name + name).read_text()
        assert (f"{path.name} had cells that are not in {twin.name}; it is kept as "
                f"{path.name}{name}\n") == capsys.readouterr().out
    before = sorted(path.parent.iterdir())
    for old, new in (("3 + 4", "1"), ("total * 2", "total * 3")):
        twin.write_text(twin.read_text().replace(old, new))
        assert sync(path.parent)            # what came from an earlier twin is in no danger
        edit(run_course, lambda cells: cells[1].update(id="editor"))    # nor what is in both
    assert sorted(path.parent.iterdir()) == before and not capsys.readouterr().out


def test_a_new_set_up_cell_asks_for_no_new_run(tmp_path):
    """It is silent: a new address does not ask for new runs of everything."""
    for name in ("08_overlap_degree.py", "08_overlap_degree.ipynb"):
        text = (ROOT / "notebooks" / name).read_text(encoding="utf-8")
        assert text.count("timeout 300 git") == 1
        (tmp_path / name).write_text(text.replace("timeout 300", "timeout 9"), encoding="utf-8")
    assert sync(tmp_path) == ["08_overlap_degree.ipynb"] and problems(tmp_path) == []
    for name in ("08_overlap_degree.py", "08_overlap_degree.ipynb"):
        assert (tmp_path / name).read_bytes() == (ROOT / "notebooks" / name).read_bytes()


def test_a_failing_cell_leaves_the_stored_notebook(run_course, finished_notebook):
    folder = run_course / "notebooks"
    (folder / f"{STEM}.py").write_text("# %%\n1 / 0\n")
    with pytest.raises(Exception, match="ZeroDivisionError"):
        execute(folder / f"{STEM}.py")
    assert (folder / f"{STEM}.ipynb").read_text(encoding="utf-8") == finished_notebook


def test_the_command_names_the_cell_that_fails(course):
    (course / "notebooks" / f"{STEM}.py").write_text("# %%\nfirst = 1 / 0\n")
    with pytest.raises(SystemExit, match="failed; the stored notebook is as it was(.|\n)*first ="):
        main(["run", "--folder", str(course / "notebooks")])


def test_a_cell_that_warns_is_refused(course):
    twin = course / "notebooks" / f"{STEM}.py"
    twin.write_text("# %%\nimport warnings\n\nwarnings.warn('careful')\n")
    with pytest.raises(RuntimeError, match=r"90_trial.py, cell 0 writes to standard error"):
        execute(twin)


def test_an_error_that_is_shown_on_purpose_names_no_file_of_this_machine(course):
    twin = course / "notebooks" / f"{STEM}.py"
    twin.write_text('# %% tags=["raises-exception"]\nimport json\n\njson.loads("")\n')
    execute(twin)
    (output,) = read_notebook(twin.with_suffix(".ipynb")).cells[0].outputs
    assert output.traceback == [f"JSONDecodeError: {output.evalue}"]


def test_stored_pictures_carry_no_software_version(course):
    twin = course / "notebooks" / f"{STEM}.py"
    twin.write_text("# %%\nimport matplotlib.pyplot as plt\n\nplt.plot([1, 2]);\n")
    execute(twin)
    output = read_notebook(twin.with_suffix(".ipynb")).cells[0].outputs[-1]
    assert b"Software" not in base64.b64decode(output.data["image/png"])


def test_only_text_chunks_are_dropped():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + b"crc."

    head, body = b"\x89PNG\r\n\x1a\n", chunk(b"IDAT", b"pixels") + chunk(b"IEND", b"")
    text = chunk(b"tEXt", b"Software\0Matplotlib") + chunk(b"tIME", b"1234567")
    assert without_text(head + text + body) == head + body


def test_an_unknown_name_lists_the_known(course):
    with pytest.raises(SystemExit, match="no twin 12_none.py .* there are: 90_trial"):
        main(["run", "12_none", "--folder", str(course / "notebooks")])


@pytest.mark.parametrize("arguments", [[], ["check"], ["sync"], ["run"]])
def test_a_folder_without_notebooks_is_refused(tmp_path, arguments, capsys):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SystemExit) as stopped:
            main([*arguments, "--folder", str(folder)])
        assert stopped.value.code not in (0, None)
        assert str(folder) in capsys.readouterr().out + str(stopped.value.code)


def test_the_command_reports_and_sync_rewrites(run_course, capsys):
    folder = run_course / "notebooks"
    for arguments, code, line in (([], 0, "are in step"), (["sync"], 0, "are in step")):
        with pytest.raises(SystemExit) as stopped:
            main([*arguments, "--folder", str(folder)])
        assert stopped.value.code == code and line in capsys.readouterr().out
    twin = folder / f"{STEM}.py"
    twin.write_text(twin.read_text().replace("total * 2", "total * 3"))
    with pytest.raises(SystemExit) as stopped:
        main(["--folder", str(folder)])
    assert stopped.value.code == 1 and "cell 2 differs" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["sync", "--folder", str(folder)])
    report = capsys.readouterr().out
    assert stopped.value.code == 1 and f"{STEM}.ipynb rewritten" in report
    assert "cell 2 has no stored run" in report and "differs" not in report


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\n", "", "{}"])
def test_a_damaged_notebook_is_named_in_one_line(run_course, text):
    folder = run_course / "notebooks"
    (folder / f"{STEM}.ipynb").write_text(text)
    for arguments in ([], ["sync"]):
        with pytest.raises(SystemExit, match=f"{STEM}.ipynb is no notebook .*: make run NOTEBOOK"):
            main([*arguments, "--folder", str(folder)])


def test_another_kernel_is_noticed_and_sync_restores_it(run_course, finished_notebook):
    path = run_course / "notebooks" / f"{STEM}.ipynb"
    for kernel in ({}, {"kernelspec": {"name": "other", "display_name": "Other"}}):
        path.write_text(json.dumps(json.loads(finished_notebook) | {"metadata": kernel}))
        assert problems(path.parent) == [f"{STEM}: kernel and language are not those of every "
                                         "notebook; `make sync` restores them"]
        assert sync(path.parent) == [path.name] and path.read_text() == finished_notebook
