"""What a build writes anew: pages that gather from all chapters or show something of others, and what is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from adai.book import ledger
from publishing import times
from publishing.errata import errata


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


def drop_stale(app: Sphinx, exception: Exception | None) -> None:
    """Delete the pages, and their sources, that an earlier build wrote of documents that are gone."""
    if exception or app.builder.format != "html":
        return
    env, site = app.env, Path(app.outdir)
    kept = {name for page in env.found_docs for name in (f"{page}.html", f"_sources/{env.doc2path(page, False)}")}
    for file in (*site.glob("book/**/*.html"), *site.glob("_sources/**/*.*")):
        if file.relative_to(site).as_posix() not in kept:
            file.unlink()
