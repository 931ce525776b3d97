"""The errata: what the boxes *Erratum* of the chapters say, and the checks that showed it.

A box names its items in its title. Each check of the kind erratum belongs to the nearest box of its chapter that names
its item; a check without a box is a mistake, because a formula that fails says neither why nor how much it matters.
Standard library only, like the ledger.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from adai.book import ledger
from adai.book.items import HOME
from adai.book.ledger import MIME
from publishing import ROOT

BOX = re.compile(r"^(:{3,})\{admonition\} Erratum: (.+)\n:class: warning\n+((?:.*\n)*?)\1$", re.M)
ORDER, WEIGHTS = list(HOME), ("wrong", "loose", "typo")
KINDS = {
    "Theorem": "thm",
    "Proposition": "prop",
    "Lemma": "lem",
    "Algorithm": "alg",
    "Assumption": "asm",
    "Table": "tab",
    "Figure": "fig",
}


@dataclass
class Erratum:
    """One box, and the records of the checks that belong to it."""

    title: str
    text: str
    notebook: str
    cell: int
    items: list[str]
    checks: list[dict] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """The heaviest of its checks'."""
        return min((c["verdict"] for c in self.checks), key=WEIGHTS.index)

    @property
    def weight(self) -> tuple:
        """Sorts the heaviest first: by verdict, then what the paper states before the steps of its proofs."""
        statements = [item for item in self.items if not item.startswith("eq:")]
        return WEIGHTS.index(self.verdict), not statements, min(map(ORDER.index, statements or self.items))


def items_in_title(title: str) -> list[str]:
    """Items that a title names: 'Lemma 4 and Equations (98) to (100)' is lem:4, eq:98, eq:99 and eq:100."""
    found = [f"{KINDS[kind]}:{number}" for kind, number in re.findall(rf"({'|'.join(KINDS)}) (\d+)", title)]
    for first, last in re.findall(r"\((\d+)\)(?: to \((\d+)\))?", title):
        found += [f"eq:{n}" for n in range(int(first), int(last or first) + 1)]
    return found


def of_chapter(notebook: Path, root: Path = ROOT) -> list[Erratum]:
    """The errata of one chapter, in its order.

    Raises:
        ValueError: if a check has no box that names its item, or a box no check.
    """
    boxes, checks, name = [], [], str(notebook.relative_to(root).with_suffix(""))
    for i, cell in enumerate(json.loads(notebook.read_text("utf-8"))["cells"]):
        if cell["cell_type"] == "markdown":
            found = BOX.findall("".join(cell["source"]) + "\n")
            boxes += [Erratum(title, _movable(text, name), name, i, items_in_title(title)) for _, title, text in found]
        records = [o["data"][MIME] for o in cell.get("outputs", []) if MIME in o.get("data", {})]
        checks += [(i, record) for record in records if record["kind"] == "erratum"]
    for i, check in checks:
        fitting = [box for box in boxes if check["id"] in box.items]
        if not fitting:
            raise ValueError(f"{name}: no box 'Erratum: …' names {check['id']}, whose printed form fails there")
        min(fitting, key=lambda box: abs(box.cell - i)).checks.append(check)
    for box in boxes:
        if not box.checks:
            raise ValueError(f"{name}: no check of the kind erratum belongs to the box 'Erratum: {box.title}'")
    return boxes


def _movable(text: str, notebook: str) -> str:
    """The text with links to other pages made absolute, so that it may stand elsewhere."""
    folder = notebook.rpartition("/")[0]
    return re.sub(r"\]\((?![a-z]+:|[/#])", f"](/{folder}/", text).strip()


def errata(root: Path = ROOT) -> list[Erratum]:
    """All errata, the heaviest first."""
    return sorted((e for n in ledger.notebooks(root) for e in of_chapter(n, root)), key=lambda e: e.weight)
