"""Indexes that readers can use: statements by their names, works by author and year."""

import re
import string
from collections import defaultdict

from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx.domains import Index, IndexEntry

__all__ = ["AuthorYearStyle", "StatementIndex", "note_titles", "plain_title", "short_authors"]


class StatementIndex(Index):
    """Every named statement under its first letter, with its kind and its chapter."""

    name = "statements"
    localname = "Statements by name"
    shortname = "statements"

    def generate(self, docnames=None):
        letters = defaultdict(list)
        env = self.domain.env
        for label, statement in getattr(env, "proof_list", {}).items():
            name, docname = statement.get("title"), statement["docname"]
            if name and (docnames is None or docname in docnames):
                chapter = env.titles[docname].astext()
                letters[name[0]].append(
                    IndexEntry(name, 0, docname, label, chapter, "", statement["realtype"]))
        return [(letter, sorted(entries, key=lambda entry: entry.name.lower()))
                for letter, entries in sorted(letters.items())], False


def note_titles(app, doctree) -> None:
    """Keep the names of a page's statements: the index is made when the pages are gone."""
    for node in doctree.findall(lambda node: "realtype" in getattr(node, "attributes", ())):
        entry = getattr(app.env, "proof_list", {}).get(node["label"])
        if entry is not None:
            entry["title"] = plain_title(node["title"])


def plain_title(text: str) -> str:
    """A statement's name without parentheses around it and without marks of formulas.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> plain_title(" (The rank of $M$ templates)"), plain_title("The crossing bound")
    ('The rank of M templates', 'The crossing bound')
    >>> plain_title("α-minimal total receptive field")
    'α-minimal total receptive field'
    """
    text = re.sub(r"\$([^$]*)\$", lambda found: re.sub(r"[\\{}]", "", found[1]), text.strip())
    text = text[1:-1] if text.startswith("(") and text.endswith(")") else text
    return (text[:1].upper() if text[:1].isascii() else text[:1]) + text[1:]  # alpha is no capital


def short_authors(names: list[str]) -> str:
    """Last names as a citation shows them; BibTeX writes "others" for those that it leaves out.

    Parameters
    ----------
    names : list of str

    Returns
    -------
    str

    Examples
    --------
    >>> short_authors(["Cohen"]), short_authors(["Cohen", "Shashua"])
    ('Cohen', 'Cohen and Shashua')
    >>> short_authors(["Levine", "Sharir", "Cohen", "Shashua"])
    'Levine et al.'
    """
    several = len(names) > 2 or names[1:] == ["others"]
    return names[0] + " et al." if several else " and ".join(names)


class _AuthorYear(BaseLabelStyle):
    """Labels as the sentences of the book cite: authors, year, and a letter where both agree."""

    def format_labels(self, sorted_entries):
        labels = []
        for entry in sorted_entries:
            people = entry.persons.get("author") or entry.persons.get("editor") or []
            names = [" ".join(map(str, person.rich_prelast_names + person.rich_last_names))
                     for person in people] or [entry.key]
            labels.append(f"{short_authors(names)}, {entry.fields.get('year', 'no year')}")
        for number, label in enumerate(labels):
            repeated = labels.count(label) > 1
            yield label + (string.ascii_lowercase[labels[:number].count(label)] if repeated else "")


class AuthorYearStyle(PlainStyle):
    """The plain style of BibTeX with labels of authors and year."""

    default_label_style = _AuthorYear


register_plugin("pybtex.style.formatting", "author-year", AuthorYearStyle)
