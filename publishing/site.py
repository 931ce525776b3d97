"""The Sphinx extension of the book's site, which connects the other files of this folder to Sphinx; needs no torch."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

from publishing import api, assets, figures, graph, numbers, pages, refresh


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the files of this folder to Sphinx."""
    app.add_domain(numbers.PaperMathDomain, override=True)
    app.add_node(graph.LedgerGraph)
    app.add_directive("ledger", pages.LedgerDirective)
    app.add_directive("errata", pages.ErrataDirective)
    app.add_directive("times", pages.TimesDirective)
    app.add_role("count", pages.CountRole())
    app.add_role("verdict", pages.VerdictRole())
    app.add_post_transform(figures.InlineFigures)
    app.add_post_transform(graph.DrawLedgerGraph)
    app.connect("autodoc-skip-member", api.skip_member)
    app.connect("missing-reference", api.resolve_reexport)
    app.connect("build-finished", refresh.delete_stale_pages)
    app.connect("build-finished", assets.thin_icons)
    app.connect("builder-inited", assets.write_colours)
    app.connect("builder-inited", assets.copy_mathjax)
    app.connect("builder-inited", assets.copy_live)
    app.connect("builder-inited", refresh.summarize_chapters)
    app.connect("doctree-read", figures.demand_alternative_text)
    app.connect("env-get-updated", numbers.number_statements, priority=600)
    app.connect("env-get-updated", refresh.rewrite_affected_pages, priority=700)
    app.add_css_file("colours.css")
    app.add_js_file("preview.js", loading_method="defer")
    app.connect("html-page-context", assets.add_search_script)
    app.connect("html-page-context", assets.add_slider_script)
    app.connect("html-page-context", assets.add_live_script)
    app.connect("html-page-context", assets.replace_deprecated_role)
    app.connect("html-page-context", assets.drop_thebe, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
