"""The book's Sphinx extension: pages made from the sources, and details of the type.

Pages hold ``<!-- ledger -->``, ``<!-- map -->`` or ``<!-- api -->`` where these go; quizzes are put
before exercises. A value glued into a sentence would look like code, with a caret in its powers,
and the word that opens a proof like the rest of its text: both get a class here, which course.css
styles, and powers become formulas. Headings leave their anchor to a statement of the same name.
Built pages are finished by `lib.course.finishing`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from myst_nb.ext.glue.utils import PendingGlueReference
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_proof.directive import ProofDirective

from .claims import load_claims
from .finishing import finish_book, remove_gone
from .ledger import ledger_markdown, stored_checks
from .overview import map_markdown
from .quiz import with_quiz
from .reference import module_markdown, module_paths
from .statements import StatementIndex, note_titles

POWER = re.compile(r"(\d+(?:\.\d+)?\^-?\d+(?:\.\d+)?)")  # also 10^-6 and 10^2.5


class SeparateAnchors(SphinxTransform):
    """Leave an anchor to the statement if a heading of its page has the same one.

    All proofs of a page have the anchor ``proof``: a heading of that name would share it.
    """

    default_priority = 500  # before tables of contents are made from the anchors

    def apply(self, **_):
        labels = {"proof"} | {label for node in self.document.findall(nodes.Element)
                              if "realtype" in node for label in node["ids"]}
        for section in self.document.findall(nodes.section):
            section["ids"] = [f"section-{label}" if label in labels else label
                              for label in section["ids"]]


class MarkGluedText(SphinxPostTransform):
    """Put every glued value of a sentence into an inline node of class ``glued``."""

    default_priority = 4  # just before myst-nb puts the values in

    def run(self, **_):
        for reference in list(self.document.findall(PendingGlueReference)):
            if reference.inline:
                mark = nodes.inline(classes=["glued"])
                reference.replace_self(mark)
                mark += reference


class TypesetPowers(SphinxPostTransform):
    """Turn the powers of glued values into formulas."""

    default_priority = 6  # just after myst-nb put the values in

    def run(self, **_):
        for mark in list(self.document.findall(nodes.inline)):
            if "glued" in mark["classes"] and POWER.search(mark.astext()):
                mark[:] = list(with_formulas(mark.astext()))
                equations = self.env.get_domain("math").data["has_equations"]
                equations[self.env.docname] = True  # or the page would lack MathJax


def with_formulas(text: str) -> Iterator[nodes.Node]:
    """The pieces of a text, with its powers as formulas.

    Parameters
    ----------
    text : str

    Yields
    ------
    docutils.nodes.Text or docutils.nodes.math

    Examples
    --------
    >>> [str(node) for node in with_formulas("at least 64^32")]
    ['at least ', '<math>64^{32}</math>']
    """
    for number, piece in enumerate(POWER.split(text)):
        if number % 2:
            formula = re.sub(r"\^(.+)", r"^{\1}", piece)
            yield nodes.math(formula, formula)
        elif piece:
            yield nodes.Text(piece)


class MarkedProof(ProofDirective):
    """The proof directive of sphinx-proof, whose opening word is a node of its own."""

    def run(self):
        found = super().run()
        word = "Proof."
        for text in list(found[0].findall(nodes.Text))[:1]:
            if text.startswith(word):
                opening = nodes.inline(word, word, classes=["proof-word"])
                position = text.parent.index(text)
                text.parent[position:position + 1] = [opening, nodes.Text(text[len(word):])]
        return found


def insert_pages(app, docname: str, source: list[str]) -> None:
    """The place holders of a page that is being read, replaced."""
    makers = {
        "<!-- map -->": map_markdown,
        "<!-- ledger -->": lambda: ledger_markdown(load_claims(), stored_checks(),
                                                   app.env.found_docs),
        "<!-- api -->": lambda: "\n\n".join(filter(None, map(module_markdown, module_paths()))),
    }
    for place, make in makers.items():
        if place in source[0]:
            source[0] = source[0].replace(place, make())
    source[0] = with_quiz(docname, source[0])


def drop_thebe(app, page: str, template: str, context: dict, doctree) -> None:
    """Leave out what Jupyter Book loads on every page for kernels that this book never starts."""
    def wanted(file) -> bool:
        body = getattr(file, "attributes", {}).get("body", "")
        return "thebe" not in f"{getattr(file, 'filename', file)} {body}".lower()

    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context.get(kind, []) if wanted(file)]


def finish(app, exception: Exception | None) -> None:
    """Finish the pages that were written; a renamed one would be looked at under both names."""
    if exception is None and app.builder.format == "html":
        if app.builder.name == "html":  # other builders have other names for pages
            remove_gone(Path(app.outdir), app.env.found_docs)
        finish_book(Path(app.outdir))


def setup(app) -> dict:
    app.connect("source-read", insert_pages)
    app.connect("doctree-read", note_titles)
    app.connect("html-page-context", drop_thebe, priority=900)  # after all that add files
    app.connect("build-finished", finish)
    app.add_transform(SeparateAnchors)
    app.add_post_transform(MarkGluedText)
    app.add_post_transform(TypesetPowers)
    app.setup_extension("sphinx_proof")
    app.add_directive_to_domain("prf", "proof", MarkedProof, override=True)
    app.add_index_to_domain("prf", StatementIndex)
    return {"parallel_read_safe": True}
