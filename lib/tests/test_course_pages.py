"""What the book's extensions write into pages: the reference and the details of the type."""

import re
import types

import pytest
from docutils import nodes
from docutils.utils import new_document

from lib.course import ROOT
from lib.course.claims import load_claims
from lib.course.extension import SeparateAnchors, insert_pages, with_formulas
from lib.course.overview import chapters, map_markdown, reading_minutes
from lib.course.reference import module_markdown, module_paths, plain
from lib.course.statements import AuthorYearStyle

MODULE = '''
"""A module about [[A]] and ``x``.

More, see :func:`~lib.trees.star`.

Examples
--------
>>> 1
1
"""

def shown(a: int, *, b: str = "c") -> bool:
    """Does a thing with ``a``.

    Returns
    -------
    bool
    """

def _hidden():
    """Not shown."""

class Shape:
    """A shape."""

    def area(self, scale=1):
        """Its area."""

    def bare(self):
        pass

    @property
    def sides(self):
        """How many."""

    @functools.cached_property
    def corners(self):
        """Where."""

    @classmethod
    def square(cls, side=1):
        """Four sides."""

    @staticmethod
    def parse(self_made, cls_name=None):
        """From a text."""
'''


def test_the_reference_shows_what_is_public(tmp_path):
    path = tmp_path / "lib" / "shapes.py"
    path.parent.mkdir()
    path.write_text(MODULE)
    text = module_markdown(path, tmp_path)
    assert text.startswith(
        "## `lib.shapes`\n\nA module about \\[\\[A\\]\\] and `x`.\n\nMore, see `lib.trees.star`."
    )
    assert "`shown` Does a thing with `a`.\n```text\nshown(a, *, b='c')" in text
    assert "`Shape.area` Its area.\n```text\nShape.area(scale=1)" in text
    assert "```text\nShape.sides\n\nHow many." in text      # read, not called
    assert "```text\nShape.corners\n\nWhere." in text
    assert "```text\nShape.square(side=1)" in text
    assert "```text\nShape.parse(self_made, cls_name=None)" in text
    assert "hidden" not in text and "bare" not in text and ">>> 1" not in text


def test_the_reference_does_not_depend_on_where_the_clone_lies(tmp_path):
    path = tmp_path / "course" / "tests" / "lib" / "shapes.py"
    path.parent.mkdir(parents=True)
    path.write_text(MODULE)
    assert module_paths(tmp_path / "course" / "tests") == [path]


def test_the_reference_covers_the_library_and_not_its_tools():
    names = [path.name for path in module_paths()]
    assert "photograph.py" in names and "tree.py" in names
    assert not {"notebooks.py", "claims.py", "test_claims.py"} & set(names)


def test_only_place_holders_are_replaced():
    app = types.SimpleNamespace(env=types.SimpleNamespace(found_docs=set()))
    other, reference, ledger = ["# Other"], ["# R\n\n<!-- api -->\n"], ["# L\n\n<!-- ledger -->\n"]
    for page in (other, reference, ledger):
        insert_pages(app, "book/page", page)
    assert other == ["# Other"]
    assert reference[0].startswith("# R\n\n## `lib`") and "<!--" not in reference[0]
    assert ledger[0].startswith("# L\n\n") and "claims: " in ledger[0] and "<!--" not in ledger[0]


def test_marks_of_markdown_are_taken_literally_outside_code():
    assert plain("a_b [c](d) `e_f` <g> $h$ {i} j*k | l") == (
        r"a\_b \[c\](d) `e_f` \<g\> \$h\$ \{i\} j\*k \| l"
    )
    assert plain("a_0:\n\n    b_[c]\n\nThen d_1.") == "a\\_0:\n\n    b_[c]\n\nThen d\\_1."


@pytest.mark.parametrize("text, pieces", [
    ("64^32", ["<math>64^{32}</math>"]),
    ("2^8, not 2^16.", ["<math>2^{8}</math>", ", not ", "<math>2^{16}</math>", "."]),
    ("2.5^3 or 10^2.5.", ["<math>2.5^{3}</math>", " or ", "<math>10^{2.5}</math>", "."]),
    ("3·10^-6", ["3·", "<math>10^{-6}</math>"]), ("17 of 20", ["17 of 20"]), ("", [])])
def test_powers_in_glued_values_become_formulas(text, pieces):
    assert [str(node) for node in with_formulas(text)] == pieces


def test_a_heading_leaves_its_anchor_to_the_statement_of_the_same_name():
    statement = nodes.admonition(ids=["any-partition"])
    statement["realtype"] = "theorem"
    headings = [nodes.section(ids=["any-partition"]), nodes.section(ids=["remember"])]
    page = new_document("page")
    page += headings
    headings[0] += statement
    SeparateAnchors(page).apply()
    assert [heading["ids"] for heading in headings] == [["section-any-partition"], ["remember"]]
    assert statement["ids"] == ["any-partition"]


def test_a_heading_shares_no_anchor_with_all_proofs_of_a_page():
    """"Proof" in the table of contents led to the first proof, of another statement."""
    page = new_document("page")
    page += nodes.section(ids=["proof"])
    SeparateAnchors(page).apply()
    assert page[0]["ids"] == ["section-proof"]


def test_no_two_pages_have_the_same_title():
    """A search that finds two pages of one name, chapter and notebook, says too little."""
    titles = {}
    for path in [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.py")]:
        mark = r"^# # (.+)$" if path.suffix == ".py" else r"^# (.+)$"
        title = re.search(mark, path.read_text(encoding="utf-8"), re.MULTILINE)[1]
        titles.setdefault(title.casefold(), []).append(path.name)
    assert not {title: pages for title, pages in titles.items() if len(pages) > 1}


@pytest.mark.parametrize("formula", ["$$a=b$$", "$$\na=b\n$$ (eq-a)", "```{math}\na=b\n```"])
def test_words_between_formulas_take_time_to_read(formula):
    assert reading_minutes(f"{formula}\n\n{1300 * 'word '}\n\n{formula}\n") == 11


def test_the_map_names_every_chapter_and_every_theorem():
    text = map_markdown()
    for _, pages in chapters():
        for page in pages:
            assert text.count(f"](/{page}.md), ") == 1, page
    theorems = [name for name, claim in load_claims().items() if claim["kind"] == "theorem"]
    assert all(text.count(f"<{name}>`") == 1 for name in theorems) and len(theorems) > 20


def labels(text):
    from pybtex.database import parse_string

    entries = list(parse_string(text, "bibtex").entries.values())
    return list(AuthorYearStyle.default_label_style().format_labels(entries))


def test_works_are_named_as_their_authors_are():
    """Names in the spelling of BibTeX: accents, braces, particles, "and others"."""
    assert labels(r'''
        @misc{a, author = {Or{\'u}s, Rom{\'a}n}, year = 2014}
        @misc{b, author = {Hackbusch, W. and K{\"u}hn, S.}, year = 2009}
        @misc{c, author = {Levine, Yoav and others}, year = 2018}
        @misc{d, author = {van der Maaten, L.}, year = 2008}
        @misc{e, author = {{The PyTorch Team}}}''') == [
        "Orús, 2014", "Hackbusch and Kühn, 2009", "Levine et al., 2018", "van der Maaten, 2008",
        "The PyTorch Team, no year"]
    text = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    assert not [label for label in labels(text) if re.search(r"[\\{}]", label)]
    assert not re.findall(r"\\[a-zA-Z]{2,}", text), "commands are printed as they stand"


def test_works_of_the_same_year_have_letters():
    text = "".join(f"@misc{{a{i}, author = {{Cohen, N.}}, year = 2018}}" for i in range(9))
    assert labels(text) == [f"Cohen, 2018{letter}" for letter in "abcdefghi"]


def test_a_letter_of_four_chapters_stands_in_the_notation():
    """W and b of a layer were nowhere, and proofs put W=0 and b=1."""
    def letters(page):
        text = re.sub(r"(?s)~~~.*?~~~|```\{raw\}.*?```", "", page.read_text(encoding="utf-8"))
        formulas = " ".join(re.findall(r"(?s)\$\$(?:.+?)\$\$|\$(?:[^$]+?)\$", text))
        formulas = re.sub(r"\\(math(cal|bb|bf|rm|tt)|operatorname|text|label)\s*(\{[^}]*\}|\w)", "",
                          formulas)
        greek = r"\\(?:var)?(?:alpha|beta|gamma|[dD]elta|epsilon|eta|kappa|[lL]ambda|mu|nu|[pP]i"\
                r"|rho|[sS]igma|tau|[pP]hi|omega)\b"
        return set(re.findall(greek, formulas)) | set(
            re.findall("[A-Z]", re.sub(r"\\[a-zA-Z]+", " ", formulas)))

    pages = [page for page in (ROOT / "book").glob("*.md") if page.name != "notation.md"]
    used = [letter for page in pages for letter in letters(page)]
    missing = {letter for letter in used if used.count(letter) > 3}
    assert "M" in missing and r"\beta" in missing
    assert not missing - letters(ROOT / "book" / "notation.md")


def test_titles_that_docstrings_quote_stand_on_the_page_that_they_name():
    found, missing = 0, []
    for module in sorted(ROOT.glob("lib/**/*.py")):
        text = " ".join(module.read_text(encoding="utf-8").split())
        for match in re.finditer(r'(book/[\w-]+\.md)((?:, "[^"]+")*)', text):
            if "tests" not in module.parts and (ROOT / match[1]).is_file():
                written = " ".join((ROOT / match[1]).read_text(encoding="utf-8").split())
                before = re.split("[.;]", text[max(0, match.start() - 200):match.start()])[-1]
                titles = re.findall('"([A-Z][^"]+)"', before + match[2])
                found += len(titles)
                missing += [(module.stem, title) for title in titles if title not in written]
    assert found > 15 and not missing
