"""The Sphinx extension of the book's PDF.

Figures become PDF drawings, equations keep the paper's numbers and shrink to the page, nothing stays folded, and
answers move to the end of their chapter. The look is in `book/_latex/adaibook.sty`.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.latex.nodes import thebibliography
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.transforms.post_transforms.images import ImageConverter
from sphinx.writers.latex import LaTeXTranslator
from sphinx_exercise.nodes import (
    depart_exercise_enumerable_node,
    depart_solution_node,
    exercise_enumerable_node,
    solution_node,
    visit_exercise_enumerable_node,
    visit_solution_node,
)

from adai.book.figures import GRID, INK


def _use_plain_class(app: Sphinx, config: Config) -> None:
    """Undo Jupyter Book's own LaTeX class, which asks for a font of 1.4 GB and draws nothing of ours."""
    config.latex_theme = "manual"


def _number_through(app: Sphinx) -> None:
    """Count pictures through the whole book, as on the site; Jupyter Book would begin anew in each chapter."""
    app.config.numfig_secnum_depth = 0


_PRINTED = {INK: "#000000", "var(--ink)": "#000000", "var(--grid)": GRID}


class SvgToPdf(ImageConverter):
    """Converter of SVG figures by librsvg, with plain black ink."""

    conversion_rules = [("image/svg+xml", "application/pdf")]  # noqa: RUF012

    def is_available(self) -> bool:
        """Return True, or raise an ExtensionError that names the package to install."""
        if not shutil.which("rsvg-convert"):
            raise ExtensionError("rsvg-convert is missing, which converts figures (Debian: apt install librsvg2-bin)")
        return True

    def convert(self, source: str, target: str) -> bool:
        """Write a figure as PDF, and return True."""
        svg = Path(source).read_text("utf-8")
        for colour, printed in _PRINTED.items():
            svg = svg.replace(colour, printed)
        command = ["rsvg-convert", "--format=pdf", f"--output={target}"]
        subprocess.run(command, input=svg, text=True, check=True)
        return True


_LONG = 12
"""Rows above which a table may run over several pages."""
_LINE = 100
"""Letters that fit on a line of a table."""


class _ShareWidth(SphinxPostTransform):
    """Let long tables run over several pages, with columns as wide as their contents need."""

    default_priority = 390
    formats = ("latex",)

    def run(self, **kwargs: Any) -> None:
        for table in list(self.document.findall(nodes.table)):
            if _is_long(table):
                table["classes"].append("longtable")
                spec = column_spec([[cell.astext() for cell in row] for row in table.findall(nodes.row)])
                table.parent.insert(table.parent.index(table), addnodes.tabular_col_spec(spec=spec))


def _is_long(table: nodes.table) -> bool:
    """Return whether a table may run over several pages."""
    return sum(map(len, table.findall(nodes.tbody))) > _LONG or "adai-ledger" in table["classes"]


def column_spec(rows: list[list[str]]) -> str:
    """Return the widths of a table's columns in Sphinx's LaTeX.

    Each column gets the width of its longest word, up to a limit; columns with long cells share the rest of the line.
    """
    needs, wishes, limit = [], [], max(_LINE // (2 * len(rows[0])), 11)
    for column in zip(*rows, strict=True):
        word = max(len(word) for cell in column for word in cell.split() or [""])
        needs.append(min(word, limit) + 2)
        wishes.append(max(sum(map(len, column)) / len(rows) - needs[-1], 0))
    spare = max(_LINE - sum(needs), 0) / (sum(wishes) or 1)
    shares = [round(need + spare * wish) for need, wish in zip(needs, wishes, strict=True)]
    return "".join(rf">{{\raggedright\arraybackslash}}\X{{{share}}}{{{sum(shares)}}}" for share in shares)


class _Unfold(SphinxPostTransform):
    """Show what the site folds, and move answers to the end of their chapter."""

    default_priority = 390  # before Jupyter Book's own, which drops folded cells
    formats = ("latex",)

    def run(self, **kwargs: Any) -> None:
        for cell in list(self.document.findall(nodes.container)):
            cell["classes"] = [name for name in cell["classes"] if name not in ("tag_hide-cell", "tag_hide-input")]
            if "sd-card-title" in cell["classes"]:
                cell.replace_self(nodes.paragraph("", "", nodes.strong("", "", *cell.children)))
        for chapter in self.document.findall(addnodes.start_of_file):
            section = next(chapter.findall(nodes.section))
            # By this name sphinx-proof looks for a statement's chapter; a typographic apostrophe would hide it.
            section["names"].append(self.env.titles[chapter["docname"]].astext().lower())
            for box in list(chapter.findall(nodes.admonition)):
                if isinstance(box.parent, nodes.Admonition) or any(map(_is_long, box.findall(nodes.table))):
                    # A box in print holds no other and no table of several pages.
                    box.replace_self([nodes.paragraph("", "", nodes.strong("", "", *box[0].children)), *box[1:]])
            answers = [box for box in chapter.findall(nodes.Admonition) if _is_answer(box)]
            if answers:
                collected = nodes.section("", nodes.title("", "Answers"), ids=[f"{chapter['docname']}-answers"])
                for answer in answers:
                    answer.parent.remove(answer)
                    collected += answer
                section += collected


def _is_answer(box: nodes.Element) -> bool:
    """Return whether a box answers one of the chapter's questions; other folded boxes stay in place."""
    return "dropdown" in box["classes"] and box[0].astext().startswith(("Answer", "Solution"))


class _MoveBibliography(SphinxPostTransform):
    """Lead links to the list of works to the end, where Jupyter Book puts it; drop the chapter that this empties."""

    default_priority = 750  # after Jupyter Book's
    formats = ("latex",)

    def run(self, **kwargs: Any) -> None:
        for works in list(self.document.findall(thebibliography)):
            for chapter in list(self.document.findall(addnodes.start_of_file)):
                (section, *others) = chapter.findall(nodes.section)
                if not others and not section.astext().removeprefix(section[0].astext()).strip():
                    chapter.parent.remove(chapter)
                    label = rf"\clearpage\phantomsection\label{{\detokenize{{{chapter['docname']}::doc}}}}"
                    works.parent.insert(works.parent.index(works), nodes.raw("", label, format="latex"))


def _visit_math_block(self: LaTeXTranslator, node: nodes.math_block) -> None:
    """Write a displayed formula, with the paper's number; it shrinks where it is wider than its column."""
    if node.get("nowrap"):
        LaTeXTranslator.visit_math_block(self, node)
    formula = rf"\bookformula{{\begin{{aligned}}[c]{node.astext().strip()}\end{{aligned}}}}"
    if label := node.get("label"):
        label = rf"\label{{equation:{node['docname']}:{label}}}"
        self.body.append(
            rf"\begingroup\def\theequation{{{node['number']}}}\begin{{equation}}{label}"
            f"\n{formula}\n" + r"\end{equation}\endgroup"
        )
    else:
        self.body.append(f"\\begin{{equation*}}\n{formula}\n\\end{{equation*}}")
    raise nodes.SkipNode


def _visit_math(self: LaTeXTranslator, node: nodes.math) -> None:
    """Write a formula in the text; in a table's cell it may shrink a little."""
    cell = node.parent
    while cell and not isinstance(cell, nodes.entry):
        cell = cell.parent
    if not cell:
        LaTeXTranslator.visit_math(self, node)
    self.body.append(rf"\bookcell{{{node.astext()}}}")
    raise nodes.SkipNode


_BOXES = ("warning", "caution", "tip")


def _visit_admonition(self: LaTeXTranslator, node: nodes.admonition) -> None:
    """Begin a box, in the style of its class."""
    kind = next((name for name in _BOXES if name in node["classes"]), "note")
    self.body.append(f"\n\\begin{{sphinxadmonition}}{{{kind}}}")
    self.no_latex_floats += 1


def _visit_exercise(self: LaTeXTranslator, node: exercise_enumerable_node) -> None:
    """Begin an exercise, with a target for the links that its own label does not serve."""
    self.body.append(self.hypertarget(node["label"]))
    visit_exercise_enumerable_node(self, node)


def _visit_solution(self: LaTeXTranslator, node: solution_node) -> None:
    """Begin a solution, without a frame, since it stands among others."""
    visit_solution_node(self, node)
    self.body[-1] = self.body[-1].replace("{note}", "{answer}")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect this file to Sphinx."""
    app.connect("config-inited", _use_plain_class, priority=900)
    app.connect("builder-inited", _number_through, priority=900)
    app.add_post_transform(SvgToPdf)
    app.add_post_transform(_Unfold)
    app.add_post_transform(_ShareWidth)
    app.add_post_transform(_MoveBibliography)
    app.add_node(nodes.math, override=True, latex=(_visit_math, None))
    exercise = (_visit_exercise, depart_exercise_enumerable_node)
    app.add_node(exercise_enumerable_node, override=True, latex=exercise)
    app.add_node(solution_node, override=True, latex=(_visit_solution, depart_solution_node))
    app.add_node(nodes.math_block, override=True, latex=(_visit_math_block, None))
    app.add_node(nodes.admonition, override=True, latex=(_visit_admonition, LaTeXTranslator.depart_admonition))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
