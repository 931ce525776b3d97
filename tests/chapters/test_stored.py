"""What the chapters store: normalised, and nothing that nbval would not compare."""

import json
import subprocess
import sys

import nbformat
import yaml
from nbval.plugin import find_comment_markers, find_metadata_tags

from adai.book import ledger
from adai.book.figures import EXPLORABLE
from publishing import ROOT, notebooks
from tests.chapters.reading import CHAPTERS, code, each_chapter


def test_there_are_chapters():
    assert len(CHAPTERS) >= 4


@each_chapter
def test_a_chapter_is_stored_normalised_and_executed(path):
    stored = nbformat.read(path, as_version=4)
    assert nbformat.writes(notebooks.normalise(stored)) == nbformat.writes(nbformat.read(path, as_version=4))
    assert any(c.outputs for c in code(path)), f"{path} was never executed: make notebooks"


# Outputs of other kinds are shown, and nbval would pass over them.
COMPARED = {"text/plain", "text/markdown", "text/latex", "image/svg+xml", ledger.MIME, EXPLORABLE}


@each_chapter
def test_nothing_switches_the_comparison_of_an_output_off(path):
    """By nbval's own reading of tags and comments."""
    for cell in code(path):
        switches = [*find_metadata_tags(cell.metadata), *find_comment_markers(cell.source)]
        assert not switches, f"{path}: nbval is told {switches} by\n{cell.source}"


@each_chapter
def test_nothing_is_stored_that_nbval_would_pass_over(path):
    """Outputs of text cells, errors, pictures, what a carriage return hides, the order of two outputs."""
    nbformat.validate(json.loads(path.read_text()))  # so each thing stands where nbval and we look for it
    for cell in code(path):
        rich = [output for output in cell.outputs if "data" in output]
        shown = {kind for output in rich for kind in output.data}
        assert shown <= COMPARED and len(rich) <= 1, f"{path}: nothing compares all of {shown} of\n{cell.source}"
        for output in (output for output in cell.outputs if output not in rich):
            assert (output.output_type, output.get("name")) == ("stream", "stdout"), f"{path}:\n{cell.source}"
            assert not {"\r", "\b"} & set(output.text), f"{path}: a part of this is hidden:\n{output.text!r}"


def test_every_cell_of_every_chapter_is_run():
    command = [sys.executable, "-m", "pytest", "--nbval", "--collect-only", "-p", "no:cacheprovider", "book"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    wanted = {f"{p.relative_to(ROOT).as_posix()}::Cell {n}" for p in CHAPTERS for n in range(len(code(p)))}
    assert wanted == {line for line in run.stdout.splitlines() if "::" in line}
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    pages = [ROOT / f"{chapter['file']}.ipynb" for part in parts for chapter in part["chapters"]]
    assert {page for page in pages if page.is_file()} == set(CHAPTERS)


def test_exported_pictures_are_those_of_their_chapters():
    exported = [
        (ROOT / c.metadata["adai"]["export"], c)
        for p in CHAPTERS
        for c in code(p)
        if c.metadata.get("adai", {}).get("export")
    ]
    assert exported
    for target, cell in exported:
        (picture,) = (o.data["image/svg+xml"] for o in cell.outputs if "image/svg+xml" in o.get("data", {}))
        assert target.read_text() == notebooks.themed_svg(picture), f"{target} is stale: make notebooks"
