"""The API page: what it shows of the package, and where references to the package lead."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode


def skip_member(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Return True for what the page leaves out: imports, constants, and what has no docstring."""
    return True if member.imported or member.type == "data" or not member.docstring else None


def resolve_reexport(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.Element
) -> nodes.Element | None:
    """Return a link from a name such as `adai.records.Spec`, which a package re-exports, to where it is documented."""
    package, _, name = node.get("reftarget", "").rpartition(".")
    documented = [known for known in env.domaindata["py"]["objects"] if known.startswith(f"{package}.")]
    found = [known for known in documented if package and known.split(".")[-1] == name]
    if node.get("refdomain") != "py" or len(found) != 1:
        return None
    page, anchor = env.domaindata["py"]["objects"][found[0]][:2]
    return make_refnode(app.builder, node["refdoc"], page, anchor, text, found[0])
