"""The site's extension: figures in the page, the paper's numbers, the ledger; then the site it built."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from adai.book.figures import GRID, INK
from adai.book.ledger import Entry
from publishing.assets import glyphs
from publishing.errata import Erratum
from publishing.figures import inline_svg
from publishing.graph import draw_graph, layers
from publishing.pages import counts, errata_source, ledger_source

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build/html"
DRAWING = f"""<?xml version="1.0" encoding="utf-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg" width="460pt" height="230pt"
     viewBox="0 0 460 230">
  <metadata>drawn today</metadata>
  <defs><style type="text/css">*{{stroke-linejoin: round}}</style><clipPath id="p1"><rect/></clipPath></defs>
  <g id="m1" clip-path="url(#p1)" style="fill: none; stroke: {INK.upper()}"/>
  <use xlink:href="#m1" style="stroke: {GRID}; fill: #2f7fc4"/>
  <image xlink:href="data:image/png;base64,iVBORw0KGgo="/>
</svg>"""


def entry(item: str, **found: object) -> Entry:
    found = {"checked": True, "anchor": item, "kind": ["identity"], "verdict": "holds", "statement": "a = b"} | found
    return Entry(id=item, part="theory", chapter="SGD as diffusion", notebook="book/diffusion/sgd", **found)


def unchecked(item: str, chapter: str = "Convergence") -> Entry:
    return Entry(id=item, part="theory", chapter=chapter, notebook="book/inertia/convergence")


def test_a_glyph_whose_name_holds_the_word_play_keeps_its_id() -> None:
    drawing = DRAWING.replace("m1", "DejaVuSansDisplay-11")
    assert {'id="f-DejaVuSansDisplay-11"', '"#f-DejaVuSansDisplay-11"'} <= set(
        re.findall(r'id="[^"]*11"|"#[^"]*11"', inline_svg(drawing, "f", "a drawing"))
    )


def test_rendering_needs_neither_torch_nor_sympy_nor_numpy_nor_matplotlib() -> None:
    program = "import sys, publishing.site; print(*{'torch', 'sympy', 'numpy', 'matplotlib'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


class TestInlineSvg:
    svg = inline_svg(DRAWING, "figure-1", "Width & time: a < b")

    def test_every_id_and_every_reference_to_one_is_prefixed(self) -> None:
        assert 'id="figure-1-p1"' in self.svg and 'id="figure-1-m1"' in self.svg
        assert "url(#figure-1-p1)" in self.svg and 'xlink:href="#figure-1-m1"' in self.svg
        assert not re.search(r'(#|id=")(p1|m1)', self.svg)

    def test_embedded_images_stay(self) -> None:
        assert 'href="data:image/png;base64,iVBORw0KGgo="' in self.svg

    def test_reserved_colours_follow_the_theme_and_others_stay(self) -> None:
        assert "stroke: var(--adai-ink)" in self.svg and "stroke: var(--adai-grid)" in self.svg
        assert INK not in self.svg.lower() and GRID not in self.svg.lower()
        assert "fill: #2f7fc4" in self.svg

    def test_alternative_text_is_the_title_that_labels_it(self) -> None:
        assert '<title id="figure-1-title">Width &amp; time: a &lt; b</title>' in self.svg
        assert 'role="img"' in self.svg and 'aria-labelledby="figure-1-title"' in self.svg

    def test_it_can_shrink_with_its_column(self) -> None:
        opening = self.svg[: self.svg.index(">")]
        assert 'viewBox="0 0 460 230"' in opening and "height=" not in opening

    def test_it_brings_no_style_sheet_which_would_rule_the_page(self) -> None:
        assert "<style" not in self.svg and "metadata" not in self.svg


class TestGlyphs:
    @pytest.mark.parametrize(
        "rules",
        [
            r'.fa-house:before,.fa-home:before{content:"\f015"}.fa-1:before{content:"\31 "}',
            r'.fa-house,.fa-home{--fa:"\f015"}.fa-egg{--fa:"\f7fb";--fa--fa:"\f7fb\f7fb"}',
        ],
        ids=["Font Awesome 6", "Font Awesome 7"],
    )
    def test_only_shown_icons_and_those_of_boxes_are_needed(self, rules: str) -> None:
        assert glyphs(rules + r'.note{--icon:"\f05a"}', '<i class="fa-solid fa-home">') == {0xF015, 0xF05A}

    def test_styles_that_name_no_icon_are_noticed(self) -> None:
        assert not glyphs(r'.fa-house{--unheard-of:"\f015"}', '<i class="fa-solid fa-house">')


class TestLedger:
    def test_counts_by_verdict_and_lists_what_is_missing_by_chapter(self) -> None:
        source = ledger_source(
            [entry("eq:2"), entry("thm:1", verdict="typo"), *map(unchecked, ("eq:74", "eq:75", "eq:76", "lem:1"))]
        )
        assert "**2 of 6 items are checked** (holds: 1, typo: 1)." in source
        assert "* - Convergence\n  - Equations 74–76; Lemma 1" in source

    def test_only_items_that_stand_somewhere_are_linked(self) -> None:
        source = ledger_source([entry("eq:2", uses=["eq:1", "thm:1"]), unchecked("eq:1"), entry("thm:1")])
        assert "Equation {eq}`eq:2`" in source and "{prf:ref}`thm:1`" in source
        assert "(1), {prf:ref}`thm:1`" in source and "`eq:1`" not in source

    def test_errata_hold_words_both_forms_and_the_evidence(self) -> None:
        check = {"id": "eq:19", "kind": "erratum", "verdict": "wrong", "printed": "a = 2b", "corrected": "a = b"}
        check["evidence"] = "found by symbols"
        found = Erratum("Equation (19)", "Twice too much.", "book/diffusion/sgd", 3, ["eq:19"], [check])
        source = errata_source([entry("eq:2"), entry("eq:19")], [found])
        for part in ("Equation {eq}`eq:19`, wrong", "$$a = 2b$$", "$$a = b$$", "Found by symbols.", "Twice too much."):
            assert part in source
        assert "{doc}`/book/diffusion/sgd`" in source and "eq:2`" not in source

    def test_counts_are_those_of_the_checked_items(self) -> None:
        tried = entry("eq:2", mutants_tried=9, mutants_rejected=8)
        found = counts([tried, entry("thm:1", verdict="wrong"), unchecked("eq:1")], [])
        assert (found["items"], found["checked"], found["holds"], found["wrong"], found["typo"]) == (3, 2, 1, 1, 0)
        assert (found["errata"], found["mutants tried"], found["mutants rejected"]) == (0, 9, 8)

    def test_an_item_stands_right_of_all_that_it_uses(self) -> None:
        assert layers({"eq:3": ["eq:1", "eq:2"], "eq:2": ["eq:1"]}) == {"eq:1": 0, "eq:2": 1, "eq:3": 2}

    def test_a_circular_argument_is_named(self) -> None:
        with pytest.raises(ValueError, match="eq:1 uses eq:2 uses eq:1"):
            layers({"eq:1": ["eq:2"], "eq:2": ["eq:1"]})

    def test_the_graph_tells_what_rests_only_on_checked_items(self) -> None:
        entries = [entry("eq:1"), entry("eq:2", uses=["eq:1"]), entry("eq:3", uses=["eq:9"]), unchecked("eq:9")]
        column = layers({e.id: e.uses for e in entries if e.checked})
        graph = draw_graph(entries, column, {"eq:1": "sgd.html#equation-eq-1"})
        found = re.findall(r'<g class="(\w+)"><title>(Equation \d)', graph)
        states = {item: state for state, item in found}
        assert states == {
            "Equation 1": "founded",
            "Equation 2": "founded",
            "Equation 3": "checked",
            "Equation 9": "planned",
        }
        assert '<a href="sgd.html#equation-eq-1">' in graph


# A build after a change ---------------------------------------------------------------------------

PAGES = {
    "welcome": "# Welcome\n",
    "one": "# One\n\n$$a = b$$ (eq:1)\n\n:::{prf:theorem}\n:label: thm:1\nTrue.\n:::\n",
    "two": "# Two\n\n{eq}`eq:1` of [](one.md) shows {prf:ref}`thm:1`.\n\n:::{exercise}\n:label: do\nDo it.\n:::\n",
    "three": "# Three\n\nNobody links to {ref}`do <do>`, or {numref}`do`.\n",
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A book of four pages with our settings, but for the API."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    sphinx = config["sphinx"]
    sphinx["extra_extensions"].remove("autoapi.extension")
    sphinx["local_extensions"] = {"publishing.site": str(ROOT)}
    sphinx["config"] = {key: value for key, value in sphinx["config"].items() if not key.startswith("auto")}
    toc = {
        "format": "jb-book",
        "root": "book/welcome",
        "chapters": [{"file": f"book/{n}"} for n in ("one", "two", "three")],
    }
    for name in ("_static", "_templates"):
        shutil.copytree(ROOT / "book" / name, tmp_path / "book" / name)
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(config))
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    (tmp_path / "book/references.bib").touch()
    for name, text in PAGES.items():
        (tmp_path / f"book/{name}.md").write_text(text)
    return tmp_path


def built(book: Path) -> dict[str, bytes]:
    """Every file of the site after one more build.

    Left out are marks by which browsers notice a changed style sheet, and words that the search finds nowhere any more.
    """
    program = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build", "-W", "-n", "--keep-going", str(book)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    files = {
        p.relative_to(book / "_build/html").as_posix(): p for p in (book / "_build/html").rglob("*") if p.is_file()
    }
    return {name: re.sub(rb'\?v=[0-9a-f]{8}|"\w+": \[\], ', b"", path.read_bytes()) for name, path in files.items()}


def change(book: Path, name: str, old: str, new: str) -> None:
    page = book / f"book/{name}.md"
    page.write_text(page.read_text().replace(old, new))


def test_a_build_of_what_changed_is_the_same_as_a_clean_one(small: Path) -> None:
    built(small)
    (small / "_build/html/book/gone.html").touch()  # left by a page that was taken out
    two = small / "_build/html/book/two.html"
    written = two.stat().st_mtime_ns
    change(small, "one", "True.", "True, and {eq}`eq:1` says why.")
    assert b"says why" in built(small)["book/one.html"] and two.stat().st_mtime_ns == written
    change(small, "one", "# One", "# Another one")
    change(small, "one", "$$a = b$$ (eq:1)", "")
    change(small, "three", "Nobody", "$$a = b$$ (eq:1)\n\nNobody")
    found = built(small)
    assert b"Another one" in found["book/two.html"] and b'three.html#equation-eq-1"' in found["book/two.html"]
    shutil.rmtree(small / "_build")
    clean = built(small)
    assert {name for name in found.keys() | clean.keys() if found.get(name) != clean.get(name)} == set()


# The built site ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Text of every built page by its name without suffix."""
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
    from adai.book.items import HOME

    assert re.search(rf"<strong>\d+ of {len(HOME)} items are checked</strong>", pages["book/reference/ledger"])


def test_the_site_holds_only_the_needed_part_of_mathjax(pages: dict[str, str]) -> None:
    mathjax = SITE / "_static/mathjax"
    assert (mathjax / "tex-chtml.js").is_file() and any((mathjax / "output/chtml/fonts/woff-v2").iterdir())
    assert sum(p.stat().st_size for p in mathjax.rglob("*") if p.is_file()) < 3e6
