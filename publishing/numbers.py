"""The paper's numbers and names of its items: equations and statements are counted as the paper counts them."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.domains.math import MathDomain
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from adai.book.ledger import Entry

logger = logging.getLogger(__name__)

STATEMENTS = {
    "thm": "theorem",
    "prop": "proposition",
    "lem": "lemma",
    "asm": "assumption",
    "alg": "algorithm",
}
NAMES = {"eq": "Equation", "tab": "Table", "fig": "Figure"} | {k: v.title() for k, v in STATEMENTS.items()}


class PaperMathDomain(MathDomain):
    """Numbers an equation labelled `eq:18` 18, wherever it stands, as the paper does."""

    def note_equation(self, docname: str, labelid: str, location: Any = None) -> None:
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


def number_statements_as_the_paper(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Give theorems, algorithms … labelled as `thm:1` the paper's number, after Sphinx has counted them."""
    for numbers in env.toc_fignumbers.values():
        for kind, figtype in STATEMENTS.items():
            for label in numbers.get(figtype, {}):
                if match := re.fullmatch(rf"{kind}:(\d+)", label):
                    numbers[figtype][label] = (int(match[1]),)
    return []


def item_name(entry: Entry) -> str:
    """An item's name in words: Equation (18), Theorem 3."""
    kind, number = entry.id.split(":")
    return f"{NAMES[kind]} ({number})" if kind == "eq" else f"{NAMES[kind]} {number}"


def item_reference(entry: Entry) -> str:
    """MyST source that links to the place where an item is stated, or names it where there is none yet."""
    kind, number = entry.id.split(":")
    name = f"({number})" if kind == "eq" else item_name(entry)
    if not entry.anchor:
        return name
    role = "eq" if kind == "eq" else "prf:ref" if kind in STATEMENTS else "ref"
    return f"{{{role}}}`{name} <{entry.id}>`" if role == "ref" else f"{{{role}}}`{entry.id}`"


def item_in_text(entry: Entry) -> str:
    return f"Equation {item_reference(entry)}" if entry.id.startswith("eq:") else item_reference(entry)
