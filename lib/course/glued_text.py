"""A Sphinx extension that marks numbers glued into a sentence, so that they look like text.

Without the mark they would look like code; course.css styles it.
"""

from docutils import nodes
from myst_nb.ext.glue.utils import PendingGlueReference
from sphinx.transforms.post_transforms import SphinxPostTransform


class MarkGluedText(SphinxPostTransform):
    """Put every glued value of a sentence into an inline node of class ``glued``."""

    default_priority = 4  # just before myst-nb puts the values in

    def run(self, **_):
        for reference in list(self.document.findall(PendingGlueReference)):
            if reference.inline:
                mark = nodes.inline(classes=["glued"])
                reference.replace_self(mark)
                mark += reference


def setup(app):
    app.add_post_transform(MarkGluedText)
    return {"parallel_read_safe": True}
