"""A Sphinx extension for two details of the type: glued values and the word "Proof".

A value glued into a sentence would look like code, and the word that opens a proof like the rest
of its text. Both get a class here, which course.css styles.
"""

from docutils import nodes
from myst_nb.ext.glue.utils import PendingGlueReference
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_proof.directive import ProofDirective


class MarkGluedText(SphinxPostTransform):
    """Put every glued value of a sentence into an inline node of class ``glued``."""

    default_priority = 4  # just before myst-nb puts the values in

    def run(self, **_):
        for reference in list(self.document.findall(PendingGlueReference)):
            if reference.inline:
                mark = nodes.inline(classes=["glued"])
                reference.replace_self(mark)
                mark += reference


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


def setup(app):
    app.add_post_transform(MarkGluedText)
    app.setup_extension("sphinx_proof")
    app.add_directive_to_domain("prf", "proof", MarkedProof, override=True)
    return {"parallel_read_safe": True}
