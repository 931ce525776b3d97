"""Numbers and names of the paper's items, as the paper has them."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.domains.math import MathDomain
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from adai.book.ledger import Entry

logger = logging.getLogger(__name__)

_STATEMENTS = {
    "thm": "theorem",
    "prop": "proposition",
    "lem": "lemma",
    "asm": "assumption",
    "alg": "algorithm",
}
NAMES = {"eq": "Equation", "tab": "Table", "fig": "Figure"} | {k: v.title() for k, v in _STATEMENTS.items()}


class PaperMathDomain(MathDomain):
    """Sphinx's domain of equations, where an equation labelled `eq:18` has the number 18 wherever it stands."""

    def note_equation(self, docname: str, labelid: str, location: Any = None) -> None:
        """Give an equation the number in its label, or warn if it has another kind of label."""
        super().note_equation(docname, labelid, location)
        if match := re.fullmatch(r"eq:(\d+)", labelid):
            self.equations[labelid] = (docname, int(match[1]))
        else:
            logger.warning(
                "equation label %r: only the paper's equations are numbered, by labels such as eq:18; "
                "leave others unlabelled (and their environments starred: align*)",
                labelid,
                location=location,
            )


def number_statements(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Give theorems, algorithms and the like, labelled as `thm:1`, the paper's numbers in place of Sphinx's."""
    for numbers in env.toc_fignumbers.values():
        for kind, figtype in _STATEMENTS.items():
            for label in numbers.get(figtype, {}):
                if match := re.fullmatch(rf"{kind}:(\d+)", label):
                    numbers[figtype][label] = (int(match[1]),)
    return []


def item_name(entry: Entry) -> str:
    """Return an item's name in words: Equation (18), Theorem 3."""
    kind, number = entry.id.split(":")
    return f"{NAMES[kind]} ({number})" if kind == "eq" else f"{NAMES[kind]} {number}"


def item_reference(entry: Entry) -> str:
    """Return MyST source that links to the place where an item is stated, or names the item if there is none."""
    kind, number = entry.id.split(":")
    name = f"({number})" if kind == "eq" else item_name(entry)
    if not entry.anchor:
        return name
    role = "eq" if kind == "eq" else "prf:ref" if kind in _STATEMENTS else "ref"
    return f"{{{role}}}`{name} <{entry.id}>`" if role == "ref" else f"{{{role}}}`{entry.id}`"


def item_in_text(entry: Entry) -> str:
    """Return MyST source that names an item in a sentence, with a link: Equation (18), Theorem 3."""
    return f"Equation {item_reference(entry)}" if entry.id.startswith("eq:") else item_reference(entry)
