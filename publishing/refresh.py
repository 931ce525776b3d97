"""Incremental builds: rewrite pages that show something of other pages that changed, and delete stale ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from adai.book import ledger
from publishing import times
from publishing.errata import book_errata


def summarize_chapters(app: Sphinx) -> None:
    """Write what some pages gather from all chapters to a file, unless it says so already."""
    root, summary = Path(app.srcdir), Path(app.doctreedir, "chapters.txt")
    try:
        found: object = book_errata(root)
    except ValueError as error:
        found = error  # the page of the errata reports it, with its line
    content = repr((ledger.entries(root), found, times.runs_table(root)))
    if not summary.exists() or summary.read_text("utf-8") != content:
        summary.write_text(content, "utf-8")


def depend_on_chapters(env: BuildEnvironment) -> None:
    """Have Sphinx read the current page again when what it gathers from all chapters has changed."""
    env.note_dependency(str(Path(env.doctreedir, "chapters.txt")))


def _shown_elsewhere(env: BuildEnvironment) -> dict[tuple[str, str], Any]:
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


def rewrite_affected_pages(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Return the pages to write besides those that were read: all if what pages show of each other has changed.

    What is new concerns no other page yet: a link to it would have made the last build fail.
    """
    if app.builder.format != "html":  # the same environment serves LaTeX, which writes all pages anyway
        return []
    before, now = getattr(env, "adai_shown", {}), _shown_elsewhere(env)
    env.adai_shown = now  # type: ignore[attr-defined]  # Sphinx keeps what extensions put there
    if not before.items() <= now.items():
        return sorted(env.found_docs)
    indexed = env.domaindata["index"]["entries"]
    return [page for page in indexed if indexed[page]]  # Sphinx would drop their entries from the search


def delete_stale_pages(app: Sphinx, exception: Exception | None) -> None:
    """Delete pages, and their sources, that an earlier build wrote from documents that are gone."""
    if exception or app.builder.format != "html":
        return
    env, site = app.env, Path(app.outdir)
    kept = {name for page in env.found_docs for name in (f"{page}.html", f"_sources/{env.doc2path(page, False)}")}
    for file in (*site.glob("book/**/*.html"), *site.glob("_sources/**/*.*")):
        if file.relative_to(site).as_posix() not in kept:
            file.unlink()
