"""The built site's files, read without a browser."""

import re
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from adai.book.items import HOME
from publishing import ROOT
from tests.site.browser import PAGES, SITE, targets


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Return the text of every built page by its name without suffix."""
    built = {p.relative_to(SITE).with_suffix("").as_posix(): p for p in SITE.rglob("*.html")}
    assert built, f"{SITE} holds no page: run `make book` first"
    return {name: path.read_text("utf-8") for name, path in built.items() if not name.startswith("_static")}


def listed() -> set[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return {toc["root"]} | {chapter["file"] for part in toc["parts"] for chapter in part["chapters"]}


def test_the_site_has_the_pages_of_the_table_of_contents(pages: dict[str, str]) -> None:
    surplus, missing = set(pages) - listed() - {"index", "genindex", "search"}, listed() - set(pages)
    assert not missing, f"listed in _toc.yml but not built: {missing}"
    assert not surplus, f"not listed in _toc.yml: {surplus}; left by an earlier build? Run `make clean book`"


def test_every_figure_stands_in_its_page(pages: dict[str, str]) -> None:
    linked = {name: re.findall(r'<img[^>]*\.svg"', text.split("<article")[-1]) for name, text in pages.items()}
    assert not {name: images for name, images in linked.items() if images}
    assert any('class="adai-figure"' in text for text in pages.values())


def test_only_pages_with_sliders_load_their_script(pages: dict[str, str]) -> None:
    live = {name for name, text in pages.items() if 'class="adai-explorable"' in text}
    assert {"book/start/primer", "book/diffusion/sgd", "book/diffusion/momentum"} <= live
    assert {name for name, text in pages.items() if re.search(r"<script defer[^>]*explorable\.js", text)} == live
    assert (SITE / "_static/explorable.js").stat().st_size < 6000


def test_equations_and_statements_have_the_papers_numbers(pages: dict[str, str]) -> None:
    chapter = pages["book/diffusion/sgd"]
    assert re.search(r'id="equation-eq-18">\s*<span class="eqno">\(18\)', chapter)
    assert (
        re.search(r'href="#equation-eq-18">\(18\)</a>', chapter) or "equation-eq-18" in pages["book/reference/ledger"]
    )
    assert re.search(r'id="thm:1"(.|\n)*?Theorem 1', chapter)
    assert re.search(r'id="alg:2"(.|\n)*?Algorithm 2', pages["book/inertia/adai"])


def test_chapters_open_on_colab(pages: dict[str, str]) -> None:
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    base = repository["url"].replace("https://github.com", "https://colab.research.google.com/github")
    for chapter in (name for name in listed() if (ROOT / f"{name}.ipynb").exists()):
        assert f'"{base}/blob/{repository["branch"]}/{chapter}.ipynb"' in pages[chapter], chapter


def test_every_item_of_the_ledger_is_counted(pages: dict[str, str]) -> None:
    assert re.search(rf"<strong>\d+ of {len(HOME)} items are checked</strong>", pages["book/reference/ledger"])


def test_the_site_holds_only_the_needed_part_of_mathjax(pages: dict[str, str]) -> None:
    mathjax = SITE / "_static/mathjax"
    assert (mathjax / "tex-chtml.js").is_file() and any((mathjax / "output/chtml/fonts/woff-v2").iterdir())
    assert sum(p.stat().st_size for p in mathjax.rglob("*") if p.is_file()) < 3e6


def test_the_site_is_light() -> None:
    files = (path for path in SITE.rglob("*") if path.is_file() and "live" not in path.relative_to(SITE).parts)
    assert sum(path.stat().st_size for path in files) <= 40_000_000


@pytest.mark.parametrize("page", PAGES)
def test_internal_links_resolve(page: str) -> None:
    broken = []
    for link in re.findall(r'\b(?:href|src|url)="?([^">]+)"', (SITE / page).read_text("utf-8")):
        parts = urlsplit(link.replace("&amp;", "&"))
        if parts.scheme or parts.netloc:
            continue
        target = ((SITE / page).parent / unquote(parts.path)).resolve() if parts.path else SITE / page
        if not target.is_file():
            broken.append(f"{link}: no such file")
        elif parts.fragment and unquote(parts.fragment) not in targets(target):
            broken.append(f"{link}: no such place on that page")
    assert not broken, f"{page}:\n" + "\n".join(broken)
