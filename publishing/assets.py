"""The site's own files: MathJax, thinned icons, scripts where a page needs them, and none of another host."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.fileutil import copy_asset

from adai.book import ledger
from publishing import live
from publishing.figures import literal
from publishing.numbers import item_name

logger = logging.getLogger(__name__)

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
            "the theme's style sheets have no rule for an icon that ICON in publishing/assets.py knows; mend it"
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
            "name": item_name(entry),
            "where": entry.chapter,
        }
        for entry in ledger.entries(Path(app.srcdir))
        if entry.checked
    }
    app.add_js_file(None, body=f"window.adaiItems = {literal(items)};")
    app.add_js_file("find.js", loading_method="defer")


def offer_live(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Load the script that offers to run a page's cells, on the chapters that need little but SymPy."""
    if page in live.CHAPTERS and live.is_fetched():
        size = sum(file.stat().st_size for file in Path(app.outdir, "_static/live").iterdir())
        app.add_js_file("live/live.js", loading_method="defer", **{"data-bytes": str(size)})
