"""The graph of the ledger: which of the paper's items rests on which."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from adai.book import ledger
from adai.book.ledger import Entry
from publishing.numbers import NAMES


class LedgerGraph(nodes.General, nodes.Element):
    """The graph's place on its page; its children are links to the items, which Sphinx resolves."""


class DrawLedgerGraph(SphinxPostTransform):
    """Draw the graph once its links are resolved; formats other than HTML go without it."""

    default_priority = 90

    def run(self, **kwargs: Any) -> None:
        for graph in list(self.document.findall(LedgerGraph)):
            links = {}
            for child in graph.children:
                for reference in child.findall(nodes.reference):
                    links[child["item"]] = reference.get("refuri") or f"#{reference['refid']}"
            svg = nodes.raw("", draw_graph(graph["entries"], graph["column"], links), format="html")
            graph.replace_self(svg if self.app.builder.format == "html" else [])


def assign_columns(uses: dict[str, list[str]]) -> dict[str, int]:
    """Return the column of each item: one right of the rightmost item that it uses.

    Raises:
        ValueError: if an item rests on itself.
    """
    column: dict[str, int] = {}

    def place(item: str, above: tuple[str, ...]) -> int:
        if item in above:
            raise ValueError(f"the ledger is circular: {' uses '.join((*above, item))}; derive one without the other")
        if item not in column:
            column[item] = 1 + max((place(used, (*above, item)) for used in uses.get(item, [])), default=-1)
        return column[item]

    for item in uses:
        place(item, ())
    return column


_LEGEND = {
    "founded": "not refuted, and rests on nothing that is",
    "inherits": "not refuted itself, but rests on what is",
    "refuted": "fails as printed, or is open",
    "planned": "not yet checked",
}
_BOX_WIDTH, _BOX_HEIGHT, _COLUMN, _ROW = 64, 24, 116, 34


def draw_graph(entries: list[Entry], column: dict[str, int], links: dict[str, str]) -> str:
    """Draw the checked items and those that they use, from left to right.

    Args:
        entries: the ledger.
        column: column of each item to draw, as `assign_columns` gives it.
        links: address of each item that has one; its box becomes a link.

    Returns:
        HTML: the legend, and the SVG in a box that scrolls; empty where nothing is checked.
    """
    if not column:
        return ""
    uses = {entry.id: entry.uses for entry in entries if entry.checked}
    items = [entry.id for entry in entries if entry.id in column]
    by_id = {entry.id: entry for entry in entries}
    state = {item: ledger.state(by_id[item], by_id) for item in items}
    filled: Counter[int] = Counter()
    place: dict[str, tuple[int, int]] = {}
    for item in items:
        place[item] = (1 + _COLUMN * column[item], 1 + _ROW * filled[column[item]])
        filled[column[item]] += 1
    width, height = 2 + _COLUMN * max(column.values()) + _BOX_WIDTH, _ROW * max(filled.values())
    arrows = [_arrow(place[used], place[item]) for item in uses for used in uses[item]]
    boxes = [_box(item, *place[item], state[item], links.get(item)) for item in items]
    legend = "".join(f'<li class="{name}">{text}</li>' for name, text in _LEGEND.items() if name in state.values())
    svg = (
        f'<svg role="group" aria-label="Which item rests on which" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{"".join(arrows + boxes)}</svg>'
    )
    return f'<div class="adai-graph"><ul>{legend}</ul><div>{svg}</div></div>'


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the path from the right of one box to the left of another."""
    x0, y0, x1, y1 = start[0] + _BOX_WIDTH, start[1] + _BOX_HEIGHT // 2, end[0], end[1] + _BOX_HEIGHT // 2
    bend = (_COLUMN - _BOX_WIDTH) // 2
    return f'<path d="M{x0} {y0}C{x0 + bend} {y0} {x1 - bend} {y1} {x1} {y1}"/>'


def _box(item: str, x: int, y: int, state: str, link: str | None) -> str:
    """Return an item's box, as a link where it has one."""
    kind, number = item.split(":")
    text = f"({number})" if kind == "eq" else f"{kind.title()} {number}"
    shape = (
        f'<g class="{state}"><title>{NAMES[kind]} {number}: {_LEGEND[state]}</title>'
        f'<rect x="{x}" y="{y}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="4"/>'
        f'<text x="{x + _BOX_WIDTH / 2}" y="{y + 17}">{text}</text></g>'
    )
    return f'<a href="{escape(link)}">{shape}</a>' if link else shape
