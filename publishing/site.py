"""The Sphinx extension of the book's site: connects the other files of this folder, a concern each, to Sphinx.

Like all that renders the book it needs no torch.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

from publishing import assets, figures, graph, numbers, pages, refresh


def leave_out(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Keep what a module imports, its constants, and what has no docstring out of the API page."""
    return True if member.imported or member.type == "data" or not member.docstring else None


def follow_the_face(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.Element
) -> nodes.Element | None:
    """Lead `adai.records.Spec`, which a package offers from one of its files, to where that file documents it."""
    package, _, name = node.get("reftarget", "").rpartition(".")
    documented = [known for known in env.domaindata["py"]["objects"] if known.startswith(f"{package}.")]
    found = [known for known in documented if package and known.split(".")[-1] == name]
    if node.get("refdomain") != "py" or len(found) != 1:
        return None
    page, anchor = env.domaindata["py"]["objects"][found[0]][:2]
    return make_refnode(app.builder, node["refdoc"], page, anchor, text, found[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect all of the above to Sphinx."""
    app.add_domain(numbers.PaperMathDomain, override=True)
    app.add_node(graph.LedgerGraph)
    app.add_directive("ledger", pages.LedgerDirective)
    app.add_directive("errata", pages.ErrataDirective)
    app.add_directive("times", pages.TimesDirective)
    app.add_role("count", pages.CountRole())
    app.add_role("verdict", pages.VerdictRole())
    app.add_post_transform(figures.InlineFigures)
    app.add_post_transform(graph.DrawLedgerGraph)
    app.connect("autodoc-skip-member", leave_out)
    app.connect("missing-reference", follow_the_face)
    app.connect("build-finished", refresh.drop_stale)
    app.connect("build-finished", assets.thin_icons)
    app.connect("builder-inited", assets.copy_mathjax)
    app.connect("builder-inited", assets.copy_live)
    app.connect("builder-inited", refresh.summarize_chapters)
    app.connect("doctree-read", figures.demand_alternative_text)
    app.connect("env-get-updated", numbers.number_statements_as_the_paper, priority=600)
    app.connect("env-get-updated", refresh.write_what_may_differ, priority=700)
    app.add_js_file("preview.js", loading_method="defer")
    app.connect("html-page-context", assets.add_finder)
    app.connect("html-page-context", assets.add_sliders)
    app.connect("html-page-context", assets.offer_live)
    app.connect("html-page-context", assets.name_roles)
    app.connect("html-page-context", assets.drop_thebe, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
