"""Files that the site serves beside its pages: colours, MathJax, thinned icons, and scripts where a page needs them."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset

from adai.book import ledger
from adai.book.figures import DARK_GRID, DARK_INK, GRID, INK
from publishing import live
from publishing.figures import js_literal
from publishing.numbers import item_name

COLOURS = f"""\
html {{ --adai-ink: {INK}; --adai-grid: {GRID}; }}
html[data-theme="dark"] {{ --adai-ink: {DARK_INK}; --adai-grid: {DARK_GRID}; }}
"""
"""The style sheet that tells `book.css` the two reserved colours of figures."""
_MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")


def write_colours(app: Sphinx) -> None:
    """Write the style sheet of the figures' colours beside the pages."""
    if app.builder.format == "html":
        folder = Path(app.outdir, "_static")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "colours.css").write_text(COLOURS)


def copy_mathjax(app: Sphinx) -> None:
    """Put the part of MathJax that TeX needs (2 MB of 24) beside the pages, so that none asks another host."""
    if app.builder.format == "html":
        package = importlib.metadata.distribution("sphinx-mathjax-offline")
        for part in _MATHJAX_PARTS:
            source = Path(str(package.locate_file("sphinx-mathjax-offline/static/mathjax"))) / part
            target = Path(app.outdir, "_static/mathjax", part)
            copy_asset(source, target if source.is_dir() else target.parent)


_ICON = re.compile(r'((?:\.fa-[a-z0-9-]+(?::{1,2}before)?,?)+)\{(?:content|--fa):"\\([0-9a-f]+) ?"[^}]*\}')
"""A rule that gives icons their glyph, in Font Awesome's style sheets up to 6 (content) and from 7 on (--fa)."""


def needed_glyphs(styles: str, shown: str) -> set[int]:
    """Return the code points that a site needs of its icon fonts.

    Args:
        styles: the theme's style sheets.
        shown: the text of all files that can show an icon.

    Raises:
        ExtensionError: if the style sheets have no rule for an icon that `_ICON` matches.
    """
    names = set(re.findall(r"\bfa-[a-z0-9-]+", shown))
    rules = _ICON.findall(styles)
    if not rules:
        raise ExtensionError(
            "the theme's style sheets have no rule for an icon that _ICON in publishing/assets.py matches"
        )
    needed = {int(code, 16) for icons, code in rules if names & set(re.findall("fa-[a-z0-9-]+", icons))}
    rest = _ICON.sub("", styles)  # mostly the icons of boxes
    needed |= {int(code, 16) for code in re.findall(r"\\(f[0-9a-f]{3})", rest)}
    needed |= {ord(c) for c in rest if c >= "\ue000"}
    return needed


def thin_icons(app: Sphinx, exception: Exception | None) -> None:
    """Cut the theme's icon fonts down to the glyphs that the site shows: a hundredth of their bytes.

    Sphinx copies the complete fonts at each build, so all pages count, also those that this build did not write.
    """
    if exception or app.builder.format != "html":
        return
    from fontTools import subset

    site = Path(app.outdir)
    styles = "".join(path.read_text("utf-8") for path in site.glob("_static/styles/*.css"))
    shown = "".join(path.read_text("utf-8") for path in (*site.rglob("*.html"), *site.glob("_static/scripts/py*.js")))
    needed = needed_glyphs(styles, shown)
    for path in site.glob("_static/vendor/fontawesome/webfonts/*.woff2"):
        options = subset.Options(flavor="woff2")
        font = subset.load_font(path, options)
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=needed)
        subsetter.subset(font)
        subset.save_font(font, path, options)


def copy_live(app: Sphinx) -> None:
    """Put the files of live cells beside the pages, if `make live` has fetched them."""
    if app.builder.format == "html" and live.is_fetched():
        live.assemble(Path(app.outdir, "_static/live"))


def drop_thebe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Remove the scripts and styles of sphinx-thebe, which Jupyter Book loads though they are off."""
    for kind in ("script_files", "css_files"):
        files = context[kind]
        context[kind] = [f for f in files if "thebe" not in f"{f.filename} {f.attributes}".lower()]


def replace_deprecated_role(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Replace the deprecated role doc-biblioentry by listitem."""
    body = context.get("body", "")
    context["body"] = body.replace('role="doc-biblioentry"', 'role="listitem"')


def add_slider_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Load the script of sliders on pages that have a figure with sliders."""
    if 'class="adai-explorable"' in context.get("body", ""):
        app.add_js_file("explorable.js", loading_method="defer")


def add_search_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Let the search page find the paper's items by number, which Sphinx's index of words cannot."""
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
    app.add_js_file(None, body=f"window.adaiItems = {js_literal(items)};")
    app.add_js_file("find.js", loading_method="defer")


def add_live_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Load the script that offers to run a page's cells, on the chapters of `live.CHAPTERS`."""
    if page in live.CHAPTERS and live.is_fetched():
        size = sum(file.stat().st_size for file in Path(app.outdir, "_static/live").iterdir())
        app.add_js_file("live/live.js", 500, "defer", **{"data-bytes": str(size)})
