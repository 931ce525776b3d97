"""The book in print: what the LaTeX builder writes of a small book in our settings, and that TeX can set it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
import yaml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace, patch_docutils

from adai.book.figures import GRID, INK
from publishing import ROOT, pdf

THEIRS = ["myst_nb", "sphinx_proof", "sphinx_exercise", "sphinx_jupyterbook_latex", "sphinx.ext.autodoc"]
THEIRS += ["sphinxcontrib.bibtex"]
OURS = ["publishing.site", "publishing.pdf"]
SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" width="90pt" height="45pt" viewBox="0 0 90 45">
<path d="M0 0L90 45" style="stroke: {INK}"/><path d="M0 45L90 0" style="stroke: {GRID}"/></svg>"""
WELCOME = """
# A small book

```{toctree}
:caption: I Part
:maxdepth: 1
chapter
works
```

A paper {cite}`x2022` of the [works](works.md).
"""
WORKS = "# Works\n\n```{bibliography}\n```\n"
BIB = "@article{x2022, author = {X, Y}, title = {Z}, journal = {J}, year = {2022}}"
QUESTIONS = r"""
## The equation

$$[t] = a + b$$ (eq:18)

From {eq}`eq:18` and {prf:ref}`thm:1`, for θ₀ and m⁻²:

:::{prf:theorem} A claim
:label: thm:1

It holds.
:::

::::{admonition} Erratum: Equation (18)
:class: warning

It is wrong.

:::{admonition} What was compared
:class: dropdown

Two sides.
:::
::::

See {ref}`ex-1`.

:::{exercise} Easy
:label: ex-1

How many?
:::

:::{solution} ex-1
:class: dropdown

Three.
:::

:::{admonition} Answer to the question
:class: dropdown

Seven.
:::

## Where next

Onwards.

"""
LONG = "| symbol | meaning |\n| --- | --- |\n" + "".join(f"| $x_{{{i}}}$ | {'many words ' * 9}|\n" for i in range(40))


def chapter() -> nbformat.NotebookNode:
    figure = nbformat.v4.new_code_cell("draw()", metadata={"mystnb": {"image": {"alt": "two lines that cross"}}})
    figure.outputs = [nbformat.v4.new_output("display_data", {"image/svg+xml": SVG, "text/plain": "<Figure>"})]
    folded = nbformat.v4.new_code_cell("folded_on_the_site = 1", metadata={"tags": ["hide-cell"]})
    markdown = nbformat.v4.new_markdown_cell
    cells = [markdown("# Somebody's chapter"), figure, markdown(QUESTIONS), folded, markdown(LONG)]
    return nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the LaTeX source of a small book."""
    if not shutil.which("rsvg-convert"):
        pytest.skip("figures need rsvg-convert (Debian: apt install librsvg2-bin)")
    root = tmp_path_factory.mktemp("book")
    (root / "index.md").write_text(WELCOME)
    (root / "works.md").write_text(WORKS)
    (root / "works.bib").write_text(BIB)
    nbformat.write(chapter(), root / "chapter.ipynb")
    ours = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]
    settings = {name: value for name, value in ours.items() if re.match("latex|nb_|(math_)?numfig|jblatex", name)}
    settings |= {
        "extensions": [*THEIRS, *OURS],
        "myst_enable_extensions": ["amsmath", "colon_fence", "dollarmath"],
        "myst_dmath_double_inline": True,
        "nb_execution_mode": "off",
        "bibtex_bibfiles": ["works.bib"],
        "latex_documents": [("index", "book.tex", "A small book", "Somebody", "manual")],
        "latex_additional_files": [str(ROOT / name) for name in ours["latex_additional_files"]],
    }
    warnings = (root / "warnings").open("w+")
    with patch_docutils(), docutils_namespace():
        app = Sphinx(root, None, root / "latex", root / "doctrees", "latex", settings, None, warnings)
        app.build()
    warnings.seek(0)
    assert warnings.read() == ""
    return root / "latex"


@pytest.fixture(scope="module")
def tex(printed: Path) -> str:
    return (printed / "book.tex").read_text("utf-8")


def test_every_figure_is_a_drawing_in_black_ink(printed: Path, tex: str) -> None:
    (name,) = re.findall(r"\\sphinxincludegraphics(?:\[.*?\])?\{\{([^}]+)\}\.pdf\}", tex)
    drawing = (printed / f"{name}.pdf").read_bytes()
    assert drawing.startswith(b"%PDF") and "<Figure>" not in tex


def test_the_list_of_works_stands_once_and_at_the_end(tex: str) -> None:
    assert r"\chapter{Works}" not in tex
    assert tex.index("works::doc}}") < tex.index(r"\begin{sphinxthebibliography}") > tex.index(r"\section{Answers}")


def test_the_ink_is_black_and_the_grid_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: given.append(options["input"]))
    themed = tmp_path / "themed.svg"
    for svg in (SVG, SVG.replace(INK, "var(--ink)").replace(GRID, "var(--grid)")):
        themed.write_text(svg)
        assert pdf.SvgToPdf.convert(None, themed, tmp_path / "f.pdf")
        assert INK not in given[-1] and "var(" not in given[-1]
        assert "#000000" in given[-1] and GRID in given[-1]


def test_equations_keep_the_number_of_the_paper(tex: str) -> None:
    (number,) = re.findall(r"\\def\\theequation\{(\d+)\}\\begin\{equation\}\\label\{equation:chapter:eq:18\}", tex)
    assert number == "18" and r"\eqref{equation:chapter:eq:18}" in tex
    assert r"\label{chapter:thm:1}" in tex and "{Theorem 1 (A claim)" in tex


def test_a_formula_that_begins_with_a_bracket_keeps_it(tex: str) -> None:
    assert r"\begin{aligned}[c][t] = a + b\end{aligned}" in tex


def test_answers_stand_at_the_end_of_their_chapter(tex: str) -> None:
    order = ["How many?", "Onwards.", r"\section{Answers}", "Three.", "Seven."]
    places = [tex.index(text) for text in order]
    assert places == sorted(places)


def test_what_the_site_folds_is_printed(tex: str) -> None:
    assert "folded\\PYGZus{}on\\PYGZus{}the\\PYGZus{}site" in tex


def test_boxes_do_not_nest(tex: str) -> None:
    depth = 0
    for begin in re.findall(r"\\(begin|end)\{sphinxadmonition\}", tex):
        depth += 1 if begin == "begin" else -1
        assert depth in (0, 1)
    assert "What was compared" in tex


def test_long_tables_run_over_the_page_in_columns_that_wrap(tex: str) -> None:
    (columns,) = re.findall(r"\\begin\{longtable\}\{(.*)\}$", tex, re.M)
    assert columns.count(r"\X") == 2


def test_a_column_is_as_wide_as_its_words_and_the_rest_goes_to_sentences() -> None:
    spec = pdf.column_spec([["item", "statement"], ["Equation", "a word " * 30], ["Theorem", "a word " * 30]])
    item, statement = (int(share) for share in re.findall(r"\\X\{(\d+)\}", spec))
    assert len("Equation") < item < 15 and statement > 80


def test_without_the_converter_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ExtensionError, match="apt install librsvg2-bin"):
        pdf.SvgToPdf.is_available(None)


@pytest.mark.skipif(not (shutil.which("latexmk") and shutil.which("xelatex")), reason="TeX is not installed")
def test_tex_sets_it_with_every_glyph_and_every_reference(printed: Path) -> None:
    command = ["latexmk", "-xelatex", "-silent", "-interaction=nonstopmode", "-halt-on-error", "book.tex"]
    wide = os.environ | {"max_print_line": "1000"}  # else TeX breaks the lines of its log
    done = subprocess.run(command, cwd=printed, env=wide, capture_output=True, text=True)
    log = (printed / "book.log").read_text("utf-8", "replace")
    assert done.returncode == 0, log[-3000:]
    assert (printed / "book.pdf").read_bytes().startswith(b"%PDF")
    assert not re.findall("Missing character.*|LaTeX Warning: .*undefined.*", log)
