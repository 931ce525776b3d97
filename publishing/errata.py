"""The errata: the boxes *Erratum* of the chapters, each with the checks that showed it.

A box names its items in its title. Each check of the kind refuted belongs to the nearest box of its chapter that names
its item. A check without a box is an error: a formula that fails says neither why it fails nor how much that matters.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adai.book import ledger
from adai.book.items import HOME
from adai.book.ledger import MIME
from adai.book.verdicts import SEVERITY
from publishing import ROOT
from publishing.numbers import NAMES

_BOX = re.compile(r"^(:{3,})\{admonition\} Erratum: (.+)\n:class: warning\n+((?:.*\n)*?)\1$", re.M)
_ITEMS = list(HOME)
"""In the paper's order."""
_KINDS = {name: kind for kind, name in NAMES.items() if kind != "eq"}


@dataclass
class Erratum:
    """One box, and the records of the checks that belong to it."""

    title: str
    text: str
    notebook: str
    cell: int
    items: list[str]
    checks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Return the worst verdict of its checks."""
        return min((str(check["verdict"]) for check in self.checks), key=SEVERITY.index)

    @property
    def rank(self) -> tuple[int, bool, int]:
        """Return a key that sorts the worst verdicts first, then statements before equations, then as in the paper."""
        statements = [item for item in self.items if not item.startswith("eq:")]
        return SEVERITY.index(self.verdict), not statements, min(map(_ITEMS.index, statements or self.items))


def items_in_title(title: str) -> list[str]:
    """Return the items that a title names: lem:4, eq:98, eq:99 and eq:100 for 'Lemma 4 and Equations (98) to (100)'."""
    found = [f"{_KINDS[kind]}:{number}" for kind, number in re.findall(rf"({'|'.join(_KINDS)}) (\d+)", title)]
    for first, last in re.findall(r"\((\d+)\)(?: to \((\d+)\))?", title):
        found += [f"eq:{n}" for n in range(int(first), int(last or first) + 1)]
    return found


def chapter_errata(notebook: Path, root: Path = ROOT) -> list[Erratum]:
    """Return the errata of one chapter, in its order.

    Raises:
        ValueError: if a check has no box that names its item, or a box no check.
    """
    boxes: list[Erratum] = []
    checks: list[tuple[int, dict[str, Any]]] = []
    name = str(notebook.relative_to(root).with_suffix(""))
    for i, cell in enumerate(json.loads(notebook.read_text("utf-8"))["cells"]):
        if cell["cell_type"] == "markdown":
            found = _BOX.findall("".join(cell["source"]) + "\n")
            boxes += [
                Erratum(title, _with_absolute_links(text, name), name, i, items_in_title(title))
                for _, title, text in found
            ]
        records = [o["data"][MIME] for o in cell.get("outputs", []) if MIME in o.get("data", {})]
        checks += [(i, record) for record in records if record["kind"] == "refuted"]
    for i, check in checks:
        fitting = [box for box in boxes if check["id"] in box.items]
        if not fitting:
            raise ValueError(f"{name}: no box 'Erratum: …' names {check['id']}, whose printed form fails there")
        min(fitting, key=lambda box: abs(box.cell - i)).checks.append(check)
    for box in boxes:
        if not box.checks:
            raise ValueError(f"{name}: no check of the kind refuted belongs to the box 'Erratum: {box.title}'")
    return boxes


def _with_absolute_links(text: str, notebook: str) -> str:
    """Return a chapter's text with absolute links to other pages, so that they work on any page."""
    folder = notebook.rpartition("/")[0]
    text = text.replace("](#", f"](/{notebook}.ipynb#")
    return re.sub(r"\]\((?![a-z]+:|/)", f"](/{folder}/", text).strip()


def book_errata(root: Path = ROOT) -> list[Erratum]:
    """Return the errata of all chapters, the worst first."""
    return sorted((e for n in ledger.notebooks(root) for e in chapter_errata(n, root)), key=lambda e: e.rank)
