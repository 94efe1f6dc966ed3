"""The course's address and the links that launch notebooks."""

import shutil
import subprocess

import pytest

from lib.course import links, notebooks, pages, printed
from lib.course.links import badges, launch_problems, parts_of, repository, stamp
from lib.course.pages import is_remote, page_problems

OLD, NEW = "https://github.com/your_account/course", "https://github.com/someone/new-name"
COLAB = "https://colab.research.google.com/github/{}/blob/main/notebooks/90_trial.ipynb"
BINDER = "https://mybinder.org/v2/gh/{}/main?urlpath=lab/tree/notebooks/90_trial.ipynb"


@pytest.fixture
def published(run_course):
    """A course whose files state its address."""
    (run_course / "_config.yml").write_text(f"repository:\n  url: {OLD}\n  branch: main\n")
    slug = OLD.removeprefix("https://github.com/")
    (run_course / "README.md").write_text(
        f"[Colab]({COLAB.format(slug)}) [Binder]({BINDER.format(slug)}) {OLD}.git\n"
        "https://your_account.github.io/course/ and another/course\n"
    )
    return run_course


def test_links_to_a_committed_notebook_pass(published):
    assert launch_problems((published / "README.md").read_text(), published) == []


@pytest.mark.parametrize(
    "link, complaint",
    [
        (COLAB.format("someone/else"), "Colab link to someone/else"),
        (COLAB.format("your_account/course").replace("main", "master"), "at 'master'"),
        (COLAB.format("your_account/course").replace("90", "91"), "not a committed file"),
        (BINDER.format("your_account/course").replace("90", "91"), "not a committed file"),
        (COLAB.format("your_account/course").replace("ipynb", "py"), "Colab opens notebooks only"),
        *((BINDER.format("your_account/course").partition("?")[0] + form, "not a committed file")
          for form in ("?labpath=notebooks%2F91_trial.ipynb", "?filepath=notebooks/91_trial.ipynb",
                       "?urlpath=notebooks/notebooks/91_trial.ipynb")),
    ],
)
def test_dead_links_are_named(published, link, complaint):
    (line,) = launch_problems(f"text [here]({link}) text", published)
    assert complaint in line


@pytest.mark.parametrize("git", [False, True])
def test_of_an_unpacked_archive_all_files_count(published, monkeypatch, git):
    """Without git the book was built and then failed with a traceback, and inside a repository that
    tracks other files with a line for every launch link."""
    if git:
        if shutil.which("git") is None:
            pytest.skip("no git")
        subprocess.run(["git", "init", "-q", published], check=True)
    else:
        monkeypatch.setenv("PATH", str(published))
    assert launch_problems((published / "README.md").read_text(), published) == []


def test_a_link_to_the_whole_repository_on_binder_passes(published):
    assert launch_problems("https://mybinder.org/v2/gh/your_account/course/main", published) == []


def test_stamping_reaches_every_file_and_only_the_address(published):
    twin = published / "notebooks" / "90_trial.py"
    twin.write_text(twin.read_text() + f"\n# {OLD}\n")
    assert stamp(NEW, published) == ["README.md", "notebooks/90_trial.py", "_config.yml"]
    assert repository(published) == (NEW, "main")
    readme = (published / "README.md").read_text()
    assert launch_problems(readme, published) == []
    assert f"{NEW}.git" in readme and "someone.github.io/new-name/ and another/course" in readme
    assert stamp(NEW, published) == []


def test_an_interrupted_run_is_finished_by_the_next(published, monkeypatch):
    twin = published / "notebooks" / "90_trial.py"
    twin.write_text(twin.read_text() + f"\n# {OLD}\n")
    replace, calls = links.Path.replace, []

    def interrupted(path, target):
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(links.Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            stamp(NEW, published)
    assert NEW in (published / "README.md").read_text() and OLD in twin.read_text()
    assert stamp(NEW, published) == ["notebooks/90_trial.py", "_config.yml"]
    assert OLD not in twin.read_text() and repository(published) == (NEW, "main")


def test_stamping_leaves_longer_names_alone(published):
    readme = published / "README.md"
    readme.write_text(f"{OLD} {OLD}-2 {OLD}s x{OLD.removeprefix('https://github.com/')}")
    stamp(NEW, published)
    assert readme.read_text() == f"{NEW} {OLD}-2 {OLD}s xyour_account/course"


@pytest.mark.parametrize(
    "url", ["", "someone/course", "https://example.org/a/b", NEW + ".git", NEW + "/",
            "https://github.com/a", "https://github.com/a/..", "https://github.com/-a/b",
            "https://github.com/a.b/c", "https://github.com/é/b", NEW + "\n", NEW + "';", f" {NEW}",
            "http://github.com/a/b", "https://github.com/a/b?c", "https://github.com/" + "a/" * 3]
)
def test_other_addresses_are_refused(url):
    with pytest.raises(ValueError, match="https://github.com/ACCOUNT/NAME"):
        parts_of(url)


def test_badges_launch_the_notebook_they_stand_in():
    assert badges("01_x").count("notebooks/01_x.ipynb") == 2


PAGE = """<html><head><link rel="stylesheet" href="_static/a.css"></head><body id="top">
<a href="book/two.html#part">two</a> <a href="#top">up</a> <a href="https://example.org">out</a>
<img src="_static/a.css" alt="a picture"></body></html>"""


@pytest.fixture
def built(tmp_path):
    """A built book of two pages."""
    tmp_path = tmp_path / "html"
    (tmp_path / "book").mkdir(parents=True)
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a.css").write_text("")
    (tmp_path / "book" / "two.html").write_text('<p id="part">two</p>')
    (tmp_path / "index.html").write_text(PAGE)
    return tmp_path


def test_a_whole_book_has_no_problems(built):
    assert page_problems(built) == []


@pytest.mark.parametrize(
    "before, after, complaint",
    [
        ("two.html#part", "three.html", "broken link book/three.html"),
        ("two.html#part", "two.html#nowhere", "broken link book/two.html#nowhere"),
        ("#top", "#bottom", "broken link #bottom"),
        ('<a href="#top">', '<input name="q"><a href="#q">', "broken link #q"),
        ('src="_static/a.css"', 'src="missing.png"', "broken link missing.png"),
        ('src="_static/a.css"', 'src="https://example.org/a.png"', "loads https://example.org/a.png"),
        ('href="_static/a.css"', 'href="//example.org/a.css"', "loads //example.org/a.css"),
        ("<img", '<source srcset="a-phone.svg"><img', "broken link a-phone.svg"),
        ("<img", '<img srcset="_static/a.css, //a.org/b.svg 2x"', "loads //a.org/b.svg"),
        ("<img", '<object data="//example.org/a.svg"></object><img', "loads //example.org/a.svg"),
        ('rel="stylesheet" href="', 'rel="icon" href="//example.org/', "loads //example.org/"),
        ("book/two.html#part", __file__, "broken link"),
        ("book/two.html#part", f"file://{__file__}", "broken link file:"),
        ("https://example.org", COLAB.format("nobody/none"), "Colab link to nobody/none"),
        ("<img", '<p id="top"></p><i id="proof"></i><i id="proof"></i><img', "anchor top"),
        ("<img", '<i id="proof"></i><a href="#proof"></a><i id="proof"></i><img', "link #proof"),
        ("book/two.html#part", "../beside.md", "broken link ../beside.md"),
        ("<img", "<style>@import '//example.org/a.css';</style><img", "loads //example.org/a.css"),
        ("<img", '<p style="background: url(//example.org/a)"></p><img', "loads //example.org/a"),
    ],
)
def test_what_is_wrong_with_a_page_is_named(built, before, after, complaint):
    (built / "index.html").write_text(PAGE.replace(before, after))
    (built.parent / "beside.md").touch()    # in the clone, and not in what is published
    (line,) = page_problems(built)
    assert line.startswith("index.html: ") and complaint in line


@pytest.mark.parametrize("text", ['@import "https://example.org/b.css";',
                                  "p { background: url('//example.org/b.png') }"])
def test_what_a_style_sheet_loads_from_elsewhere_is_named(built, text):
    (built / "_static" / "a.css").write_text(f"{text} i {{ background: url(b.png) }}")
    (line,) = page_problems(built)
    assert line.replace("\\", "/").startswith("_static/a.css: loads ") and "example.org/b" in line


def test_a_picture_without_alternative_text_is_named(built):
    (built / "book" / "two.html").write_text('<p id="part"><img src="../_static/a.css"></p>')
    (line,) = page_problems(built)
    assert "no alternative text" in line


def test_a_folder_without_pages_is_a_problem(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        (line,) = page_problems(folder)
        assert "holds no pages" in line


@pytest.mark.parametrize("module, words, said", [
    (pages, [], "python -m lib.course.pages _build/html"),
    (pages, ["a", "b"], "python -m lib.course.pages _build/html"),
    (printed, ["slide"], "'slide' is not known"),
    (notebooks, ["sync", "01_x"], "sync takes all notebooks; 01_x is for run")])
def test_words_that_a_command_does_not_know(module, words, said, monkeypatch, capsys):
    """The whole book was printed, all notebooks were rewritten."""
    monkeypatch.setattr("sys.argv", [module.__name__, *words])
    with pytest.raises(SystemExit) as stopped:
        module.main()
    assert stopped.value.code and said in str(stopped.value.code) + capsys.readouterr().err


def test_addresses_outside_the_book():
    remote = ["https://example.org", "//example.org/a.js", "mailto:a@example.org", "data:,a"]
    assert [is_remote(link) for link in [*remote, "a.html", "#a", "../a?b=c"]] == [True] * 4 + [
        False
    ] * 3
