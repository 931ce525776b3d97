"""Directives and roles that show what the chapters store: the ledger, the errata, measured times, counts."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from adai.book import ledger
from adai.book.items import NOTEBOOK
from adai.book.ledger import Entry
from adai.book.verdicts import NEEDS_CONDITION, SEVERITY, SLIP, WRONG
from publishing import times
from publishing.errata import Erratum, book_errata
from publishing.graph import LedgerGraph, assign_columns
from publishing.numbers import NAMES, item_in_text, item_reference
from publishing.refresh import depend_on_chapters

logger = logging.getLogger(__name__)


def _formula(latex: str) -> str:
    """Return LaTeX as a formula of MyST on one line, or nothing."""
    return f"${' '.join(latex.split())}$" if latex else ""


def _name_ranges(items: list[str]) -> str:
    """Return 'Equations 4–5; Theorem 2' for `['eq:4', 'eq:5', 'thm:2']`."""
    names = []
    for kind, group in groupby(items, key=lambda item: item.split(":")[0]):
        numbers = [int(item.split(":")[1]) for item in group]
        runs: list[list[int]] = []
        for n in numbers:
            if runs and n == runs[-1][-1] + 1:
                runs[-1].append(n)
            else:
                runs.append([n])
        spans = ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
        names.append(f"{NAMES[kind]}{'s' if len(numbers) > 1 else ''} {spans}")
    return "; ".join(names)


_CORRECTED = "{doc}`corrected </book/reference/errata>`"


def _list_table(rows: list[list[str]]) -> list[str]:
    """Return the lines of a MyST table whose first row is its head."""
    lines = [":::::{div} adai-wide", "::::{list-table}", ":header-rows: 1", ":class: adai-ledger", ""]
    for row in rows:
        lines += [f"{' ' if column else '*'} - {cell}" for column, cell in enumerate(row)]
    return [*lines, "::::", ":::::", ""]


def ledger_source(entries: list[Entry]) -> str:
    """Return MyST source of the ledger: a table for each verdict, then what is not yet checked, by chapter."""
    by_id = {entry.id: entry for entry in entries}
    checked = [entry for entry in entries if entry.checked]
    found = Counter(entry.verdict for entry in checked)
    by_verdict = {verdict: found[verdict] for verdict in reversed(SEVERITY) if found[verdict]}
    summary = ", ".join(f"{verdict}: {n}" for verdict, n in by_verdict.items())
    lines = [f"**{len(checked)} of {len(entries)} items are checked**{f' ({summary})' * bool(summary)}.", ""]
    for verdict, n in by_verdict.items():
        rows = [["Item", "Statement", "Shown by", "Mutants rejected", "Rests on"]]
        for entry in (e for e in checked if e.verdict == verdict):
            statement = _formula(entry.statement) + f"; {_CORRECTED}" * bool(entry.corrected)
            mutants = f"{entry.mutants_rejected} of {entry.mutants_tried}" if entry.mutants_tried else "–"
            mutants += f", {len(entry.equivalent)} set aside" * bool(entry.equivalent)
            uses = ", ".join(item_reference(by_id[item]) for item in entry.uses)
            if ledger.state(entry, by_id) == "inherits":
                uses += f"; inherits *{ledger.inherited(entry, by_id)}*"
            rows.append([item_in_text(entry), statement, ", ".join(entry.kind), mutants, uses])
        lines += [f":::{{rubric}} {verdict.capitalize()} ({n})", ":::", "", *_list_table(rows)]
    missing: dict[str, list[str]] = {}
    for entry in entries:
        if not entry.checked:
            missing.setdefault(entry.chapter, []).append(entry.id)
    if missing:
        rows = [[chapter, _name_ranges(missing[chapter])] for chapter in NOTEBOOK if chapter in missing]
        lines += [f":::{{rubric}} Not yet checked ({len(entries) - len(checked)})", ":::", ""]
        lines += _list_table([["Planned chapter", "Items"], *rows])
    return "\n".join(lines)


_RUBRICS = {WRONG: "Wrong", NEEDS_CONDITION: "True only under a condition", SLIP: "Slips of the pen"}


def errata_source(entries: list[Entry], found: list[Erratum]) -> str:
    """Return MyST source of the errata: each box's text, its place, and, folded, the forms that were compared."""
    by_id, lines = {entry.id: entry for entry in entries}, []
    for verdict, group in groupby(found, key=lambda erratum: erratum.verdict):
        lines += [f":::{{rubric}} {_RUBRICS[verdict]}", ":::", ""]
        for erratum in group:
            shown = {check["id"] for check in erratum.checks}
            where = ", ".join(item_reference(by_id[item]) for item in erratum.items if item in shown)
            lines += [f":::::{{admonition}} {erratum.title}", ":class: warning", "", erratum.text, ""]
            lines += [f"*Shown at:* {where}, in {{doc}}`/{erratum.notebook}`.", ""]
            lines += ["::::{admonition} What was compared", ":class: dropdown", ""]
            lines += [line for check in erratum.checks for line in _compared(check, by_id)]
            lines += ["::::", ":::::", ""]
    return "\n".join(lines) or "No erratum has been shown so far."


def _compared(check: dict[str, Any], by_id: dict[str, Entry]) -> list[str]:
    """Return the lines with a check's printed and corrected form, and the evidence against the first."""
    evidence = check["evidence"][:1].upper() + check["evidence"][1:]
    lines = [f"{item_in_text(by_id[check['id']])}, {check['verdict']}. Printed:", "", f"$${check['printed']}$$", ""]
    if check["corrected"]:
        lines += ["Corrected:", "", f"$${check['corrected']}$$", ""]
    return [*lines, f"{evidence}.", ""]


class LedgerDirective(SphinxDirective):
    """`:::{ledger}`: the graph of which item rests on which, then each item of the paper with its verdict."""

    def run(self) -> list[nodes.Node]:
        depend_on_chapters(self.env)
        entries = ledger.entries(Path(self.env.srcdir))
        try:
            graph = LedgerGraph(entries=entries, column=assign_columns({e.id: e.uses for e in entries if e.checked}))
        except ValueError as error:
            raise self.error(str(error)) from error
        for entry in entries:
            if entry.anchor:
                graph += nodes.inline("", "", *self.parse_text_to_nodes(item_reference(entry)), item=entry.id)
        return [graph, *self.parse_text_to_nodes(ledger_source(entries))]


class ErrataDirective(SphinxDirective):
    """`:::{errata}`: what the paper prints wrongly."""

    def run(self) -> list[nodes.Node]:
        depend_on_chapters(self.env)
        root = Path(self.env.srcdir)
        try:
            found = book_errata(root)
        except ValueError as error:
            raise self.error(str(error)) from error
        return self.parse_text_to_nodes(errata_source(ledger.entries(root), found))


class TimesDirective(SphinxDirective):
    """`:::{times} colab` or `:::{times} runs`: a table of measured times."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        depend_on_chapters(self.env)
        tables = {"colab": times.colab_table, "runs": times.runs_table}
        if self.arguments[0] not in tables:
            raise self.error(f"there are no times of {self.arguments[0]!r}, only of {', '.join(tables)}")
        return self.parse_text_to_nodes(tables[self.arguments[0]](Path(self.env.srcdir)))


def count_all(entries: list[Entry], found: list[Erratum]) -> dict[str, int]:
    """Return all numbers that pages may show: items, checked ones, those of each verdict, errata, mutants."""
    verdicts = Counter(entry.verdict for entry in entries if entry.checked)
    return {verdict: verdicts[verdict] for verdict in SEVERITY} | {
        "items": len(entries),
        "checked": sum(entry.checked for entry in entries),
        "errata": len(found),
        "mutants tried": sum(entry.mutants_tried for entry in entries),
        "mutants rejected": sum(entry.mutants_rejected for entry in entries),
    }


@cache
def _read_ledger(root: Path) -> tuple[dict[str, Entry], dict[str, int]]:
    """Return the ledger by item, and its counts; cached, since a build asks for each number."""
    entries = ledger.entries(root)
    return {entry.id: entry for entry in entries}, count_all(entries, book_errata(root))


class CountRole(SphinxRole):
    """`` {count}`wrong` ``: a number of `count_all`, which nobody types."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        depend_on_chapters(self.env)
        _, known = _read_ledger(Path(self.env.srcdir))
        if self.text not in known:
            return _warn_of_unknown(self, f"nothing counts {self.text!r}: expected one of {', '.join(known)}")
        return [nodes.Text(str(known[self.text]))], []


class VerdictRole(SphinxRole):
    """`` {verdict}`tab:1` ``: an item's verdict in the ledger."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        depend_on_chapters(self.env)
        by_id, _ = _read_ledger(Path(self.env.srcdir))
        if self.text not in by_id:
            return _warn_of_unknown(
                self, f"{self.text!r} is no item of the paper: expected one such as eq:9, thm:2 or tab:1"
            )
        return [nodes.emphasis(self.rawtext, by_id[self.text].verdict)], []


def _warn_of_unknown(role: SphinxRole, message: str) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Warn of a role's text, and return it marked as problematic."""
    logger.warning(message, location=role.get_location())
    return [nodes.problematic(role.rawtext, role.rawtext)], []
