"""Sphinx extension of the book's site.

It inlines figures so that they follow the theme, gives sliders to those that have formulas, numbers equations and
statements as the paper does, renders the ledger and what is counted from it, and serves MathJax, and where it has been
fetched the Python that runs cells in the browser, from the site itself.
Like all that renders the book it needs no torch.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections import Counter
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.math import MathDomain
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.fileutil import copy_asset

from adai.book import ledger, live, times
from adai.book.animation import PLAY
from adai.book.errata import Erratum, errata
from adai.book.figures import EXPLORABLE, GRID, INK
from adai.book.items import NOTEBOOK
from adai.book.ledger import Entry

logger = logging.getLogger(__name__)

# Figures ------------------------------------------------------------------------------------------

THEMED = {INK: "var(--adai-ink)", GRID: "var(--adai-grid)"}
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def inline_svg(source: str, name: str, alt: str) -> str:
    """An SVG file's text as an element to put into a page.

    Style sheets inside it, which would rule the whole page, are dropped: book.css says the same as matplotlib's.

    Args:
        source: the SVG file's text.
        name: the element's id; all ids inside are prefixed with it, so that a page can hold many figures.
        alt: alternative text, which becomes the title that a screen reader reads.

    Returns:
        The `<svg>` element, as wide as drawn but never wider than its column, the reserved colours mapped to
        the theme's.

    Raises:
        xml.etree.ElementTree.ParseError: if the source is not well-formed.
    """
    root = ElementTree.fromstring(source)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        for key, value in element.items():
            element.set(key, _inline_attribute(key, value, name))
    title = ElementTree.Element(f"{{{SVG}}}title", id=f"{name}-title")
    title.text = alt
    root.insert(0, title)
    root.attrib.pop("height", None)  # it follows from the width and the viewBox
    # What an image holds is hidden from screen readers, which must find the link that starts an animation.
    role = "img" if root.find(f".//{{{SVG}}}animate") is None else "group"
    root.attrib.update({"id": name, "class": "adai-figure", "role": role, "aria-labelledby": f"{name}-title"})
    return ElementTree.tostring(root, encoding="unicode")


def _inline_attribute(key: str, value: str, name: str) -> str:
    if re.search(rf"\b{PLAY}\b", value) and key in ("id", "href", "begin"):  # where hyphens would be read as minus
        return value.replace(PLAY, f"{name}-{PLAY}".replace("-", "_"))
    if key == "id":
        return f"{name}-{value}"
    if key in ("href", f"{{{XLINK}}}href"):
        return re.sub(r"^#", f"#{name}-", value)
    value = re.sub(r"url\((['\"]?)#", rf"url(\1#{name}-", value)
    for colour, variable in THEMED.items():
        value = re.sub(re.escape(colour), variable, value, flags=re.IGNORECASE)
    return value


class InlineFigures(SphinxPostTransform):
    """Puts SVG images into the page itself, where the theme's colours reach them."""

    default_priority = 90
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        figures = [image for image in self.document.findall(nodes.image) if image["uri"].endswith(".svg")]
        for number, image in enumerate(figures, start=1):
            source = (Path(self.env.srcdir) / image["uri"]).read_text("utf-8")
            name = f"figure-{number}"
            svg = inline_svg(source, name, image.get("alt", ""))
            if spec := _explorable_of(image, Path(self.env.doc2path(self.env.docname))):
                svg = explorable(svg, name, spec)
            image.replace_self(nodes.raw("", svg, format="html"))


def explorable(svg: str, name: str, spec: dict[str, Any]) -> str:
    """A figure and, beside it, the functions that move its curves: plain ones, so that no text is evaluated as code.

    Args:
        svg: the figure, as `inline_svg` gives it.
        name: its id.
        spec: what `adai.book.explore` stored with it.
    """
    curves = [f"{{label: {_literal(c['label'])}, at: {c['javascript']}}}" for c in spec["curves"]]
    known = [f"{key}: {_literal(value)}" for key, value in ({"id": name} | spec).items() if key != "curves"]
    figure = f"{{{', '.join(known)}, curves: [{', '.join(curves)}]}}"
    script = f"(window.adaiExplorables ??= []).push({figure});"
    return f'<div class="adai-explorable" id="{name}-explorable">{svg}<script>{script}</script></div>'


def _literal(value: object) -> str:
    """A value as a JavaScript literal that cannot end the script element around it."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _explorable_of(image: nodes.image, document: Path) -> dict[str, Any] | None:
    """What the cell that drew an image stored for its sliders, if it did; the document tree drops that type."""
    if not (cell := _cell(image)):
        return None
    outputs = json.loads(document.read_text("utf-8"))["cells"][cell["cell_index"]]["outputs"]
    return next((o["data"][EXPLORABLE] for o in outputs if EXPLORABLE in o.get("data", {})), None)


def _cell(image: nodes.image) -> nodes.Element | None:
    """The notebook's cell that an image stands in."""
    cell = image.parent
    while cell and "cell_index" not in cell:
        cell = cell.parent
    return cell


def demand_alternative_text(app: Sphinx, doctree: nodes.document) -> None:
    """Warn of every image without a text that says what it shows."""
    for image in doctree.findall(nodes.image):
        alt = image.get("alt", "").strip()
        if alt in ("", image["uri"], Path(image["uri"]).name):
            cell = _cell(image)
            where = f"figure of cell {cell['cell_index'] + 1}" if cell else f"image {image['uri']}"
            hint = "in the cell's metadata, mystnb: image: alt" if cell else "between the brackets of ![…]"
            logger.warning("%s has no alternative text; say what it shows (%s)", where, hint, location=app.env.docname)


# The paper's numbers ------------------------------------------------------------------------------

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


# Pages that show something of others --------------------------------------------------------------


def summarize_chapters(app: Sphinx) -> None:
    """Keep in a file what pages are made of that gather from all chapters; it changes only when that does."""
    root, summary = Path(app.srcdir), Path(app.doctreedir, "chapters.txt")
    try:
        found: object = errata(root)
    except ValueError as error:
        found = error  # the page of the errata says it, with its line
    said = repr((ledger.entries(root), found, times.runs(root)))
    if not summary.exists() or summary.read_text("utf-8") != said:
        summary.write_text(said, "utf-8")


def note_chapters(env: BuildEnvironment) -> None:
    """Have the page that is being read anew when something changed that it gathers from all chapters."""
    env.note_dependency(str(Path(env.doctreedir, "chapters.txt")))


def shown_elsewhere(env: BuildEnvironment) -> dict[tuple[str, str], Any]:
    """Return what pages may show of each other: titles, anchors, labels, numbers, boxes, works, the package's names."""
    std, math, cite, py = (env.domaindata[domain] for domain in ("std", "math", "cite", "py"))
    boxes = getattr(env, "proof_list", {}) | getattr(env, "sphinx_exercise_registry", {})
    shown = {
        "title": {page: title.pformat() for page, title in env.titles.items()},
        "label": std["labels"],
        "place": std["anonlabels"],
        "equation": math["objects"],
        "box": {label: (box["docname"], box.get("countertype")) for label, box in boxes.items()},
        "work": {work.key: (work.citation_id, work.formatted_entry.label) for work in cite["citations"]},
        "name": py["objects"],
    }
    for page, kinds in env.toc_fignumbers.items():
        shown |= {f"{kind} of {page}": numbers for kind, numbers in kinds.items()}
    for page, known in env.metadata.items():
        shown[f"anchor of {page}"] = {slug: found[1:] for slug, found in known.get("myst_slugs", {}).items()}
    return {(kind, name): value for kind, known in shown.items() for name, value in known.items()}


def write_what_may_differ(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Have all pages written where something changed that they may show of each other, not only those that were read.

    What is new no page shows that was not read: a link to it would have been a warning, and the last build an error.
    """
    if app.builder.format != "html":  # the same environment serves LaTeX, which writes all pages anyway
        return []
    before, env.adai_shown = getattr(env, "adai_shown", {}), shown_elsewhere(env)
    if not before.items() <= env.adai_shown.items():
        return sorted(env.found_docs)
    indexed = env.domaindata["index"]["entries"]
    return [page for page in indexed if indexed[page]]  # else Sphinx loses them from what the search knows


# The ledger ---------------------------------------------------------------------------------------


def _name(entry: Entry) -> str:
    """An item's name in words: Equation (18), Theorem 3."""
    kind, number = entry.id.split(":")
    return f"{NAMES[kind]} ({number})" if kind == "eq" else f"{NAMES[kind]} {number}"


def _reference(entry: Entry) -> str:
    """MyST source that links to the place where an item is stated, or names it where there is none yet."""
    kind, number = entry.id.split(":")
    name = f"({number})" if kind == "eq" else _name(entry)
    if not entry.anchor:
        return name
    role = "eq" if kind == "eq" else "prf:ref" if kind in STATEMENTS else "ref"
    return f"{{{role}}}`{name} <{entry.id}>`" if role == "ref" else f"{{{role}}}`{entry.id}`"


def _item(entry: Entry) -> str:
    return f"Equation {_reference(entry)}" if entry.id.startswith("eq:") else _reference(entry)


def _formula(latex: str) -> str:
    return f"${' '.join(latex.split())}$" if latex else ""


def _ranges(items: list[str]) -> str:
    """`['eq:4', 'eq:5', 'thm:2']` as 'Equations 4-5; Theorem 2'."""
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


ERRATA = "{doc}`corrected </book/reference/errata>`"


def _table(rows: list[list[str]]) -> list[str]:
    """Lines of a MyST table whose first row is its head."""
    lines = [":::::{div} adai-wide", "::::{list-table}", ":header-rows: 1", ":class: adai-ledger", ""]
    for row in rows:
        lines += [f"{' ' if column else '*'} - {cell}" for column, cell in enumerate(row)]
    return [*lines, "::::", ":::::", ""]


def ledger_source(entries: list[Entry]) -> str:
    """MyST source of the ledger: a table for each verdict, then what is not yet checked, by chapter."""
    by_id = {entry.id: entry for entry in entries}
    checked = [entry for entry in entries if entry.checked]
    found = Counter(entry.verdict for entry in checked)
    counts = {verdict: found[verdict] for verdict in reversed(ledger.VERDICTS) if found[verdict]}
    tally = ", ".join(f"{verdict}: {n}" for verdict, n in counts.items())
    lines = [f"**{len(checked)} of {len(entries)} items are checked**{f' ({tally})' * bool(tally)}.", ""]
    for verdict, n in counts.items():
        rows = [["Item", "Statement", "Shown by", "Mutants rejected", "Rests on"]]
        for entry in (e for e in checked if e.verdict == verdict):
            statement = _formula(entry.statement) + f"; {ERRATA}" * bool(entry.corrected)
            mutants = f"{entry.mutants_rejected} of {entry.mutants_tried}" if entry.mutants_tried else "–"
            mutants += f", {len(entry.equivalent)} set aside" * bool(entry.equivalent)
            uses = ", ".join(_reference(by_id[item]) for item in entry.uses)
            rows.append([_item(entry), statement, ", ".join(entry.kind), mutants, uses])
        lines += [f":::{{rubric}} {verdict.capitalize()} ({n})", ":::", "", *_table(rows)]
    missing: dict[str, list[str]] = {}
    for entry in entries:
        if not entry.checked:
            missing.setdefault(entry.chapter, []).append(entry.id)
    if missing:
        rows = [[chapter, _ranges(missing[chapter])] for chapter in NOTEBOOK if chapter in missing]
        lines += [f":::{{rubric}} Not yet checked ({len(entries) - len(checked)})", ":::", ""]
        lines += _table([["Planned chapter", "Items"], *rows])
    return "\n".join(lines)


RUBRICS = {"wrong": "Wrong", "loose": "True only with more said", "typo": "Slips of the pen"}


def errata_source(entries: list[Entry], found: list[Erratum]) -> str:
    """MyST source of the errata: what each box says, where it is shown, and folded the forms that were compared."""
    by_id, lines = {entry.id: entry for entry in entries}, []
    for verdict, group in groupby(found, key=lambda erratum: erratum.verdict):
        lines += [f":::{{rubric}} {RUBRICS[verdict]}", ":::", ""]
        for erratum in group:
            shown = {check["id"] for check in erratum.checks}
            where = ", ".join(_reference(by_id[item]) for item in erratum.items if item in shown)
            lines += [f":::::{{admonition}} {erratum.title}", ":class: warning", "", erratum.text, ""]
            lines += [f"*Shown at:* {where}, in {{doc}}`/{erratum.notebook}`.", ""]
            lines += ["::::{admonition} What was compared", ":class: dropdown", ""]
            lines += [line for check in erratum.checks for line in _compared(check, by_id)]
            lines += ["::::", ":::::", ""]
    return "\n".join(lines) or "No erratum has been shown so far."


def _compared(check: dict[str, Any], by_id: dict[str, Entry]) -> list[str]:
    """Lines with a check's printed and corrected form, and what showed that the first fails."""
    evidence = check["evidence"][:1].upper() + check["evidence"][1:]
    forms = [f"$${form}$$" for form in (check["printed"], check["corrected"])]
    head = f"{_item(by_id[check['id']])}, {check['verdict']}. Printed:"
    return [head, "", forms[0], "", "Corrected:", "", forms[1], "", f"{evidence}.", ""]


class LedgerGraph(nodes.General, nodes.Element):
    """Which statement rests on which; its children are the links of its items, resolved like any other."""


class LedgerDirective(SphinxDirective):
    """`:::{ledger}`: the graph of what rests on what, then every item of the paper and how it fared."""

    def run(self) -> list[nodes.Node]:
        note_chapters(self.env)
        entries = ledger.entries(Path(self.env.srcdir))
        try:
            graph = LedgerGraph(entries=entries, column=layers({e.id: e.uses for e in entries if e.checked}))
        except ValueError as error:
            raise self.error(str(error)) from error
        for entry in entries:
            if entry.anchor:
                graph += nodes.inline("", "", *self.parse_text_to_nodes(_reference(entry)), item=entry.id)
        return [graph, *self.parse_text_to_nodes(ledger_source(entries))]


class ErrataDirective(SphinxDirective):
    """`:::{errata}`: only what the paper prints wrongly."""

    def run(self) -> list[nodes.Node]:
        note_chapters(self.env)
        root = Path(self.env.srcdir)
        try:
            found = errata(root)
        except ValueError as error:
            raise self.error(str(error)) from error
        return self.parse_text_to_nodes(errata_source(ledger.entries(root), found))


class TimesDirective(SphinxDirective):
    """`:::{times} colab` or `:::{times} runs`: a table of measured times."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        note_chapters(self.env)
        tables = {"colab": times.colab, "runs": times.runs}
        if self.arguments[0] not in tables:
            raise self.error(f"there are no times of {self.arguments[0]!r}, only of {', '.join(tables)}")
        return self.parse_text_to_nodes(tables[self.arguments[0]](Path(self.env.srcdir)))


def counts(entries: list[Entry], found: list[Erratum]) -> dict[str, int]:
    """What the pages may count: items, those checked, those of each verdict, errata, mutants tried and rejected."""
    verdicts = Counter(entry.verdict for entry in entries if entry.checked)
    return {verdict: verdicts[verdict] for verdict in ledger.VERDICTS} | {
        "items": len(entries),
        "checked": sum(entry.checked for entry in entries),
        "errata": len(found),
        "mutants tried": sum(entry.mutants_tried for entry in entries),
        "mutants rejected": sum(entry.mutants_rejected for entry in entries),
    }


@cache
def _read(root: Path) -> tuple[dict[str, Entry], dict[str, int]]:
    """The ledger by item, and its counts; read once a build, not once a number."""
    entries = ledger.entries(root)
    return {entry.id: entry for entry in entries}, counts(entries, errata(root))


class CountRole(SphinxRole):
    """`` {count}`wrong` ``: a number that the checks earned, as `counts` has it; nobody types it."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        note_chapters(self.env)
        _, known = _read(Path(self.env.srcdir))
        if self.text not in known:
            return _unknown(self, f"nothing counts {self.text!r}: expected one of {', '.join(known)}")
        return [nodes.Text(str(known[self.text]))], []


class VerdictRole(SphinxRole):
    """`` {verdict}`tab:1` ``: an item's verdict in the ledger, as it stands."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        note_chapters(self.env)
        by_id, _ = _read(Path(self.env.srcdir))
        if self.text not in by_id:
            return _unknown(self, f"{self.text!r} is no item of the paper: expected one such as eq:9, thm:2 or tab:1")
        return [nodes.emphasis(self.rawtext, by_id[self.text].verdict)], []


def _unknown(role: SphinxRole, message: str) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    logger.warning(message, location=role.get_location())
    return [nodes.problematic(role.rawtext, role.rawtext)], []


class DrawLedgerGraph(SphinxPostTransform):
    """Draws the graph once its links are resolved; formats other than HTML go without it."""

    default_priority = 90

    def run(self, **kwargs: Any) -> None:
        for graph in list(self.document.findall(LedgerGraph)):
            links = {}
            for child in graph.children:
                for reference in child.findall(nodes.reference):
                    links[child["item"]] = reference.get("refuri") or f"#{reference['refid']}"
            svg = nodes.raw("", draw_graph(graph["entries"], graph["column"], links), format="html")
            graph.replace_self(svg if self.app.builder.format == "html" else [])


def layers(uses: dict[str, list[str]]) -> dict[str, int]:
    """The column of each item: one right of the rightmost item that it uses.

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


LEGEND = {
    "founded": "rests only on checked items",
    "checked": "checked, rests on unchecked ones",
    "planned": "not yet checked",
}
BOX_WIDTH, BOX_HEIGHT, COLUMN, ROW = 64, 24, 116, 34


def draw_graph(entries: list[Entry], column: dict[str, int], links: dict[str, str]) -> str:
    """An SVG of the checked items and of those they use, from left to right.

    Args:
        entries: the ledger.
        column: column of each item to draw, as `layers` gives it.
        links: address of each item that has one; its box becomes a link.

    Returns:
        An SVG element with its legend in a box that scrolls; empty where nothing is checked.
    """
    if not column:
        return ""
    uses = {entry.id: entry.uses for entry in entries if entry.checked}
    items = [entry.id for entry in entries if entry.id in column]
    by_id = {entry.id: entry for entry in entries}
    founded = {item for item in items if ledger.rests_on_checked(by_id[item], by_id)}
    state = {i: "planned" if i not in uses else "founded" if i in founded else "checked" for i in items}
    filled: Counter[int] = Counter()
    place: dict[str, tuple[int, int]] = {}
    for item in items:
        place[item] = (1 + COLUMN * column[item], 1 + ROW * filled[column[item]])
        filled[column[item]] += 1
    width, height = 2 + COLUMN * max(column.values()) + BOX_WIDTH, ROW * max(filled.values())
    arrows = [_arrow(place[used], place[item]) for item in uses for used in uses[item]]
    boxes = [_box(item, *place[item], state[item], links.get(item)) for item in items]
    legend = "".join(f'<li class="{name}">{text}</li>' for name, text in LEGEND.items() if name in state.values())
    svg = (
        f'<svg role="group" aria-label="Which item rests on which" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{"".join(arrows + boxes)}</svg>'
    )
    return f'<div class="adai-graph"><ul>{legend}</ul><div>{svg}</div></div>'


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x0, y0, x1, y1 = start[0] + BOX_WIDTH, start[1] + BOX_HEIGHT // 2, end[0], end[1] + BOX_HEIGHT // 2
    bend = (COLUMN - BOX_WIDTH) // 2
    return f'<path d="M{x0} {y0}C{x0 + bend} {y0} {x1 - bend} {y1} {x1} {y1}"/>'


def _box(item: str, x: int, y: int, state: str, link: str | None) -> str:
    kind, number = item.split(":")
    text = f"({number})" if kind == "eq" else f"{kind.title()} {number}"
    shape = (
        f'<g class="{state}"><title>{NAMES[kind]} {number}: {LEGEND[state]}</title>'
        f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="4"/>'
        f'<text x="{x + BOX_WIDTH / 2}" y="{y + 17}">{text}</text></g>'
    )
    return f'<a href="{escape(link)}">{shape}</a>' if link else shape


def drop_stale(app: Sphinx, exception: Exception | None) -> None:
    """Delete the pages, and their sources, that an earlier build wrote of documents that are gone."""
    if exception or app.builder.format != "html":
        return
    env, site = app.env, Path(app.outdir)
    kept = {name for page in env.found_docs for name in (f"{page}.html", f"_sources/{env.doc2path(page, False)}")}
    for file in (*site.glob("book/**/*.html"), *site.glob("_sources/**/*.*")):
        if file.relative_to(site).as_posix() not in kept:
            file.unlink()


# The site's own files -----------------------------------------------------------------------------

MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")


def copy_mathjax(app: Sphinx) -> None:
    """Put the part of MathJax that TeX needs (2 MB of 24) beside the pages; none asks another host."""
    if app.builder.format == "html":
        package = importlib.metadata.distribution("sphinx-mathjax-offline")
        for part in MATHJAX_PARTS:
            source = Path(str(package.locate_file("sphinx-mathjax-offline/static/mathjax"))) / part
            target = Path(app.outdir, "_static/mathjax", part)
            copy_asset(source, target if source.is_dir() else target.parent)


ICON = re.compile(r'((?:\.fa-[a-z0-9-]+(?::{1,2}before)?,?)+)\{(?:content|--fa):"\\([0-9a-f]+) ?"[^}]*\}')
"""A rule that gives icons their glyph, in Font Awesome's style sheets up to 6 (content) and from 7 on (--fa)."""


def glyphs(styles: str, shown: str) -> set[int]:
    """Return the code points that a site needs of its icon fonts; none where its styles have no rule for an icon.

    Args:
        styles: the theme's style sheets.
        shown: the text of all that can show an icon.
    """
    names = set(re.findall(r"\bfa-[a-z0-9-]+", shown))
    rules = ICON.findall(styles)
    needed = {int(code, 16) for icons, code in rules if names & set(re.findall("fa-[a-z0-9-]+", icons))}
    rest = ICON.sub("", styles)  # of boxes, mostly
    needed |= {int(code, 16) for code in re.findall(r"\\(f[0-9a-f]{3})", rest)}
    needed |= {ord(c) for c in rest if c >= "\ue000"}
    return needed if rules else set()


def thin_icons(app: Sphinx, exception: Exception | None) -> None:
    """Leave in the theme's icon fonts what the site shows: a hundredth of what each visitor would load.

    Every build begins with whole fonts, so that a page that was not written again keeps its icons, too.
    """
    if exception or app.builder.format != "html":
        return
    from fontTools import subset

    site = Path(app.outdir)
    styles = "".join(path.read_text("utf-8") for path in site.glob("_static/styles/*.css"))
    shown = "".join(path.read_text("utf-8") for path in (*site.rglob("*.html"), *site.glob("_static/scripts/py*.js")))
    if not (needed := glyphs(styles, shown)):
        logger.warning(
            "the theme's style sheets have no rule for an icon that ICON in adai/book/site.py knows; mend it"
        )
        return
    for font in site.glob("_static/vendor/fontawesome/webfonts/*.woff2"):
        options = subset.Options(flavor="woff2")
        whole = subset.load_font(font, options)
        thinner = subset.Subsetter(options)
        thinner.populate(unicodes=needed)
        thinner.subset(whole)
        subset.save_font(whole, font, options)


def copy_live(app: Sphinx) -> None:
    """Put what runs cells in the browser beside the pages, where it has been fetched."""
    if app.builder.format == "html" and live.is_fetched():
        live.assemble(Path(app.outdir, "_static/live"))


def drop_thebe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Take away the live-code scripts, which Jupyter Book loads twice on each page even when they are off."""
    for kind in ("script_files", "css_files"):
        files = context[kind]
        context[kind] = [f for f in files if "thebe" not in f"{f.filename} {f.attributes}".lower()]


def name_roles(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Say what a list of works is in words that screen readers still know: its items, and nothing but items in it."""
    body = context.get("body", "")
    context["body"] = body.replace('role="doc-biblioentry"', 'role="listitem"')


def add_sliders(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Load the script that moves curves, on the pages that have some."""
    if 'class="adai-explorable"' in context.get("body", ""):
        app.add_js_file("explorable.js", loading_method="defer")


def add_finder(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Let the search page find the paper's items by their numbers, which the index of words does not know."""
    if page != "search":
        return
    items = {
        entry.id: {
            # A label of Sphinx's own, of a table or a figure, becomes an id without its colon.
            "url": f"{entry.notebook}.html#" + re.sub("(tab|fig):", r"\1-", entry.anchor),
            "name": _name(entry),
            "where": entry.chapter,
        }
        for entry in ledger.entries(Path(app.srcdir))
        if entry.checked
    }
    app.add_js_file(None, body=f"window.adaiItems = {_literal(items)};")
    app.add_js_file("find.js", loading_method="defer")


def offer_live(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Load the script that offers to run a page's cells, on the chapters that need little but SymPy."""
    if page in live.CHAPTERS and live.is_fetched():
        size = sum(file.stat().st_size for file in Path(app.outdir, "_static/live").iterdir())
        app.add_js_file("live/live.js", loading_method="defer", **{"data-bytes": str(size)})


def leave_out(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Keep what a module imports, its constants, and what has no docstring out of the API page."""
    return True if member.imported or member.type == "data" or not member.docstring else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect all of the above to Sphinx."""
    app.add_domain(PaperMathDomain, override=True)
    app.add_node(LedgerGraph)
    app.add_directive("ledger", LedgerDirective)
    app.add_directive("errata", ErrataDirective)
    app.add_directive("times", TimesDirective)
    app.add_role("count", CountRole())
    app.add_role("verdict", VerdictRole())
    app.add_post_transform(InlineFigures)
    app.add_post_transform(DrawLedgerGraph)
    app.connect("autodoc-skip-member", leave_out)
    app.connect("build-finished", drop_stale)
    app.connect("build-finished", thin_icons)
    app.connect("builder-inited", copy_mathjax)
    app.connect("builder-inited", copy_live)
    app.connect("builder-inited", summarize_chapters)
    app.connect("doctree-read", demand_alternative_text)
    app.connect("env-get-updated", number_statements_as_the_paper, priority=600)
    app.connect("env-get-updated", write_what_may_differ, priority=700)
    app.add_js_file("preview.js", loading_method="defer")
    app.connect("html-page-context", add_finder)
    app.connect("html-page-context", add_sliders)
    app.connect("html-page-context", offer_live)
    app.connect("html-page-context", name_roles)
    app.connect("html-page-context", drop_thebe, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
