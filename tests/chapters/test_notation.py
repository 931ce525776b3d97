"""The notation page defines every symbol that the chapters' formulas use, and its links lead somewhere."""

import re

import pytest

from publishing import ROOT
from publishing.prose import formulas, pages, symbols, without_exercises

PAGE = "book/start/notation"
SHORT_LIVED = "## Letters of single chapters"
LINK = re.compile(r"\]\(([^)]+)\)")
BOOK = pages()
CHAPTERS = [name for name, text in BOOK.items() if name != PAGE and any(formulas(text))]


def rows(text: str) -> list[list[str]]:
    """Return the cells of each row of the tables that list symbols."""
    tables = re.findall(r"^\| symbol .*\n\| -.*\n((?:\|.*\n?)+)", text, re.M)
    return [row.split("|")[1:-1] for table in tables for row in table.splitlines()]


def defined(chapter: str, page: str) -> set[str]:
    """Return what the page defines for a chapter: the first symbol of each formula in a row's first cell."""
    everywhere, _, short_lived = page.partition(SHORT_LIVED)
    found = rows(everywhere)
    found += [row for row in rows(short_lived) if any(chapter in target for target in map(resolved, links(row[-1])))]
    return {symbols(formula)[0] for row in found for formula in formulas(row[0]) if symbols(formula)}


def undefined(chapter: str, page: str = BOOK[PAGE]) -> dict[str, str]:
    """Return each symbol of a chapter that the page lacks, with the first formula that uses it."""
    known, missing = defined(chapter, page), {}
    for formula in formulas(without_exercises(BOOK[chapter])):
        for symbol in symbols(formula):
            if symbol not in known:
                missing.setdefault(symbol, formula)
    return missing


def links(text: str) -> list[str]:
    """Return the targets of links within the book."""
    return [target for target in LINK.findall(text) if "://" not in target]


def resolved(target: str) -> str:
    """Return the name of the page that a link on the notation page leads to, with its anchor."""
    path, _, anchor = target.partition("#")
    page = (ROOT / PAGE).parent.joinpath(path).resolve().relative_to(ROOT).with_suffix("").as_posix() if path else PAGE
    return f"{page}#{anchor}" if anchor else page


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, made as on GitHub."""
    headings = re.findall(r"^#{1,3} (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_symbol_of_a_chapter_is_defined(chapter: str) -> None:
    missing = undefined(chapter)
    assert not missing, f"{chapter} uses what {PAGE}.md lacks: {missing}; add a row there"


def test_a_row_that_is_taken_away_is_missed() -> None:
    for row, chapter, symbol in [
        (r"| $B$ | batch", "book/diffusion/sgd", "B"),
        (r"| $\bar v_t$ |", "book/inertia/adai", r"\bar v"),
        (r"| $X_i$ |", "book/inertia/adai", "X"),
    ]:
        assert symbol in undefined(chapter, re.sub(rf"^{re.escape(row)}.*\n", "", BOOK[PAGE], flags=re.M))


def test_a_letter_of_one_chapter_is_unknown_in_others() -> None:
    assert "X" in defined("book/inertia/adai", BOOK[PAGE]) and "X" not in defined("book/diffusion/sgd", BOOK[PAGE])


def test_every_row_leads_to_where_its_symbol_is_introduced() -> None:
    bare = [row[0] for row in rows(BOOK[PAGE]) if not (links(row[-1]) or re.search(r"\{(eq|prf:ref)\}`", row[-1]))]
    assert not bare, f"rows without a link in their last cell: {bare}"


def test_every_link_leads_to_a_heading_a_page_or_a_numbered_item() -> None:
    known = set(BOOK) | {f"{name}#{anchor}" for name, text in BOOK.items() for anchor in anchors(text)}
    dead = [target for target in links(BOOK[PAGE]) if resolved(target) not in known]
    labels = set(re.findall(r"\((eq:\d+)\)|:label: *(\w+:\d+)|\\label\{(eq:\d+)\}", "\n".join(BOOK.values())))
    items = {name for found in labels for name in found if name}
    dead += [item for item in re.findall(r"\{(?:eq|prf:ref)\}`([^`]+)`", BOOK[PAGE]) if item not in items]
    assert not dead, f"{PAGE}.md links to what does not exist: {dead}"
