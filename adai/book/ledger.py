"""The ledger: the verdicts of the chapters' stored checks on every numbered item of the paper.

It reads only the notebooks' outputs, which the tests re-run and compare, so every verdict comes from a run. It needs
only the standard library, since the site is rendered without SymPy.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adai import records
from adai.book.items import EXPERIMENTS, HOME, NOTEBOOK, part
from adai.book.paper import printed
from adai.book.verdicts import NOT_REPRODUCED, OPEN, REFUTED, SEVERITY, SLIP, worst

MIME = "application/vnd.adai.check+json"
_SHAKY = (*REFUTED, OPEN, NOT_REPRODUCED)
"""Verdicts of what fails as it is printed, or may."""


@dataclass
class Entry:
    """One item of the paper, and the outcome of its checks."""

    id: str
    part: str
    chapter: str
    notebook: str
    place: str = ""
    anchor: str = ""
    kind: list[str] = field(default_factory=list)
    verdict: str = "not yet checked"
    verdicts: list[str] = field(default_factory=list)
    statement: str = ""
    corrected: str = ""
    evidence: str = ""
    mutants_tried: int = 0
    mutants_rejected: int = 0
    equivalent: list[str] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)
    assumes: list[str] = field(default_factory=list)
    checked: bool = False


def notebooks(root: Path) -> list[Path]:
    """Return the paths of all notebooks of the book, sorted."""
    return sorted(p for p in (root / "book").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


def checks(notebook: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON record of each check that a notebook stores, in order."""
    for cell in json.loads(notebook.read_text())["cells"]:
        for output in cell.get("outputs", []):
            if MIME in output.get("data", {}):
                yield output["data"][MIME]


def entries(root: Path) -> list[Entry]:
    """Return one entry for each item of the paper, checked or not, in the paper's order."""
    found = {}
    for item, title in HOME.items():
        missing = "not run" if part(item) == EXPERIMENTS else "not yet checked"
        found[item] = Entry(
            item,
            part(item),
            title,
            NOTEBOOK[title],
            printed()[item].place,
            verdict=missing,
            statement=printed()[item].latex,
        )
    for notebook in notebooks(root):
        for check in checks(notebook):
            _add(found[check["id"]], check, str(notebook.relative_to(root).with_suffix("")))
    return list(found.values())


def _add(entry: Entry, check: dict[str, Any], notebook: str) -> None:
    """Add a check to its item's entry; the item's first check decides its notebook and anchor."""
    if not entry.checked:
        entry.notebook, entry.checked = notebook, True
        entry.anchor = f"equation-{entry.id.replace(':', '-')}" if entry.id.startswith("eq:") else entry.id
    entry.verdicts.append(check["verdict"])
    entry.verdict = worst(entry.verdicts)
    entry.kind += [check["kind"]] if check["kind"] not in entry.kind else []
    entry.statement = entry.statement or check["printed"]
    entry.corrected = entry.corrected or check["corrected"]
    entry.evidence = "; ".join(filter(None, [entry.evidence, check["evidence"]]))
    entry.mutants_tried += check["mutants"]["tried"]
    entry.mutants_rejected += check["mutants"]["rejected"]
    entry.equivalent += check["mutants"]["equivalent"]
    entry.uses += [i for i in check["uses"] if i not in entry.uses]
    entry.assumes += [i for i in check["assumes"] if i not in entry.assumes]


def inherited(entry: Entry, by_id: dict[str, Entry]) -> str:
    """Return the worst verdict of all that an item uses, directly or not; '' if it uses nothing."""
    below = {found for item in entry.uses for found in (by_id[item].verdict, inherited(by_id[item], by_id)) if found}
    return min(below, key=lambda found: SEVERITY.index(found if found in SEVERITY else OPEN), default="")


def state(entry: Entry, by_id: dict[str, Entry]) -> str:
    """Return 'planned' for what has no check, 'refuted', 'inherits' for what rests on such items, or 'founded'.

    What rests on a slip of the pen is founded: the paper itself goes on with the right form.
    """
    if not entry.checked:
        return "planned"
    if entry.verdict in _SHAKY:
        return "refuted"
    firm = {*SEVERITY, ""} - {*_SHAKY} | {SLIP}
    return "founded" if inherited(entry, by_id) in firm else "inherits"


def main(as_json: bool = False, only: str | None = None) -> int:
    """Print the ledger, and return the exit code.

    Args:
        as_json: print every item in full, as JSON; else a line for each, and the counts.
        only: the part to print, `theory` or `experiments`; by default both.

    Returns:
        1 if an item has no check, else 0.
    """
    listed = [e for e in entries(records.home()) if only in (None, e.part)]
    if as_json:
        print(json.dumps([asdict(e) for e in listed], indent=1, ensure_ascii=False))
    else:
        for e in listed:
            mutants = f"{e.mutants_rejected}/{e.mutants_tried}" if e.mutants_tried else ""
            print(f"{e.id:8} {e.verdict:16} {'+'.join(e.kind):30} {mutants:8} {e.notebook}.ipynb")
        print(f"{sum(e.checked for e in listed)} of {len(listed)} items have a check")
    return int(not all(e.checked for e in listed))
