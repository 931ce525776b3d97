"""The chapters as files: what is stored, how it is normalised, and that they run where readers open them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbval.plugin import find_comment_markers, find_metadata_tags

from adai.book import ledger
from adai.book.figures import EXPLORABLE
from publishing import ROOT, address, notebooks

CHAPTERS = ledger.notebooks(ROOT)
LONGEST_CELL = 30


def chapters():
    return pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.relative_to(ROOT).as_posix())


def code(path: Path) -> list:
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


def test_there_are_chapters():
    assert len(CHAPTERS) >= 4


@chapters()
def test_a_chapter_starts_with_the_set_up_cell(path):
    first = code(path)[0]
    assert first.source == notebooks.setup_source(), f"{path}: the first code cell is not the set-up; make notebooks"
    assert "remove-cell" in first.metadata.tags


@chapters()
def test_a_chapter_is_stored_normalised_and_executed(path):
    stored = nbformat.read(path, as_version=4)
    assert nbformat.writes(notebooks.normalise(stored)) == nbformat.writes(nbformat.read(path, as_version=4))
    assert any(c.outputs for c in code(path)), f"{path} was never executed: make notebooks"


@chapters()
def test_cells_are_short(path):
    for cell in code(path)[1:]:
        assert len(cell.source.splitlines()) <= LONGEST_CELL, f"{path}: move this to the library:\n{cell.source}"


@chapters()
def test_figures_carry_alternative_text(path):
    for cell in code(path):
        if any("image/svg+xml" in o.get("data", {}) for o in cell.outputs):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) > 40, f"{path}: say what this figure shows, in mystnb: image: alt\n{cell.source}"


def prose(path: Path) -> str:
    return "\n\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")


@chapters()
def test_a_chapter_opens_with_what_it_teaches_and_what_it_takes(path):
    box = prose(path).split("\n:::")[1]
    for said in ("{admonition} In this chapter", "You will be able to", "It takes", "You need"):
        assert said in box, f"{path}: the opening box lacks {said!r}"


@chapters()
def test_a_chapter_asks_three_questions_and_hides_the_answers(path):
    after = prose(path).split("## Check yourself\n")
    assert len(after) == 2, f"{path}: a section *Check yourself* goes before the summary"
    section = re.split(r"^## ", after[1], maxsplit=1, flags=re.M)[0]
    hidden = re.findall(r"^:::\{admonition\} Answer to the (\w+) question\n:class: dropdown$", section, re.M)
    assert hidden == ["first", "second", "third"], f"{path}: three questions, each with a hidden answer"
    assert len(re.findall(r"^\*\*\w+ question\.\*\* .*\?$", section, re.M)) == 3, f"{path}: a question ends in ?"


@chapters()
def test_exercises_have_three_levels_and_hidden_solutions(path):
    text = prose(path)
    exercises = re.findall(r"^:+\{exercise\}.*\n:label: (\S+)\n\n(?:\*\((\w+)\)\* )?", text, re.M)
    solved = re.findall(r"^:+\{solution(?:-start)?\} (\S+)\n:class: dropdown$", text, re.M)
    assert {level for _, level in exercises} == {"easy", "medium", "hard"}, f"{path}: mark every exercise"
    assert sorted(solved) == sorted(label for label, _ in exercises), f"{path}: each exercise has a hidden solution"


# Outputs of other kinds are shown, and nbval would pass over them.
COMPARED = {"text/plain", "text/markdown", "text/latex", "image/svg+xml", ledger.MIME, EXPLORABLE}


@chapters()
def test_nothing_switches_the_comparison_of_an_output_off(path):
    """By nbval's own reading of tags and comments."""
    for cell in code(path):
        switches = [*find_metadata_tags(cell.metadata), *find_comment_markers(cell.source)]
        assert not switches, f"{path}: nbval is told {switches} by\n{cell.source}"


@chapters()
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


@pytest.fixture
def draft(tmp_path, monkeypatch):
    """A one-cell chapter in a checkout of its own."""
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    shutil.copy(ROOT / "_config.yml", tmp_path)

    def write(*cells: str) -> Path:
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        nbformat.write(made, tmp_path / "draft.ipynb")
        return tmp_path / "draft.ipynb"

    return write


def test_executing_twice_gives_the_same_bytes(draft):
    path = draft("print('a'); print('b')", "1 + 1", "1 + 1")
    notebooks.store(path, notebooks.execute(path))
    once = path.read_bytes()
    notebooks.store(path, notebooks.execute(path))
    assert path.read_bytes() == once
    ids = [c.id for c in nbformat.read(path, as_version=4).cells]
    assert len(set(ids)) == len(ids)


def test_a_raising_cell_is_named_and_the_file_stays(draft):
    path = draft("1 / 0")
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match=r"draft\.ipynb: .*ZeroDivisionError(.|\n)*1 / 0"):
        notebooks.execute(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("leaks", ["object()", "__import__('tempfile').gettempdir() + '/x'"])
def test_addresses_and_paths_are_not_stored(draft, leaks):
    with pytest.raises(ValueError, match="holds"):
        notebooks.execute(draft(leaks))


def test_a_chapter_is_re_run_when_a_cell_a_module_or_a_record_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    for file, text in {
        "adai/__init__.py": "",
        "adai/theory.py": "from adai import deep",
        "adai/deep.py": "x = 1",
        "adai/other.py": "",
        "adai/experiments/digits.py": 'NAME = "digits"',
        "book/records/digits/a.json": "1",
        "book/records/else/b.json": "1",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    source = "import adai.theory\nfrom adai.experiments import digits"
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])

    def digest() -> str:
        return notebooks.digest_inputs(made)

    seen = [digest()]
    for unrelated in ("adai/other.py", "book/records/else/b.json"):
        (tmp_path / unrelated).write_text("changed")
        assert digest() == seen[-1], unrelated
    for related in ("adai/deep.py", "adai/experiments/digits.py", "book/records/digits/a.json"):
        (tmp_path / related).write_text('y = "digits"')
        assert digest() not in seen, related
        seen.append(digest())
    made.cells[0].source += "\n1"
    assert digest() not in seen


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"printed": r"2 \cdot \left(a\right)"}, True),
        ({"printed": "3 (a)"}, False),
        ({"verdict": "wrong"}, False),
    ],
)
def test_other_versions_must_earn_the_same_but_may_write_a_dot(changed, same):
    record = {"id": "eq:1", "verdict": "holds", "printed": r"2 \left(a\right)", "mutants": {"tried": 3}}
    stored, fresh = (
        nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", {ledger.MIME: earned})])]
        )
        for earned in (record, record | changed)
    )
    assert notebooks.same_checks(Path("a.ipynb"), stored, fresh) is same


def checkout(to: Path) -> Path:
    """The working tree's files as a repository of its own."""
    for path in address.project_files(ROOT):
        (to / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to / path.relative_to(ROOT))
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *command], cwd=to, check=True)
    return to


RUN = """
import nbclient, nbformat
notebook = nbformat.read("digits.ipynb", 4)
nbclient.NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="here").execute()
nbformat.write(notebook, "ran.ipynb")
"""


@pytest.mark.skipif(shutil.which("git") is None, reason="the set-up cell clones the book, with git")
def test_a_chapter_runs_alone_in_an_empty_folder_as_on_colab(tmp_path):
    source = checkout(tmp_path / "published")
    # Colab has torch, numpy and the rest, but not adai: packages on the path, without their .pth files.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "colab"], check=True)
    (site,) = (tmp_path / "colab/lib").glob("python*/site-packages")
    ours = next(p for p in sys.path if p.endswith("site-packages"))
    (site / "preinstalled.pth").write_text(ours)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(ROOT / "book/start/digits.ipynb", alone)
    python = tmp_path / "colab/bin/python"
    environment = {**os.environ, "ADAI_SOURCE": str(source), "PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
    missing = subprocess.run([python, "-c", "import adai"], env=environment, cwd=alone, capture_output=True)
    assert missing.returncode, "the test's Colab already has adai"
    before = subprocess.run([python, "-m", "pip", "freeze"], env=environment, cwd=alone, capture_output=True, text=True)
    kernel = {**environment, "JUPYTER_PATH": str(_kernel(tmp_path, python))}
    run = subprocess.run([python, "-c", RUN], env=kernel, cwd=alone, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    after = subprocess.run([python, "-m", "pip", "freeze"], env=environment, cwd=alone, capture_output=True, text=True)
    kept = re.compile(r"^(torch|numpy|matplotlib)==.*$", re.M)
    assert kept.findall(before.stdout) and kept.findall(before.stdout) == kept.findall(after.stdout)
    assert list(site.glob("adai-*.dist-info")), "the set-up did not install the package"
    ran = [c.outputs for c in nbformat.read(alone / "ran.ipynb", as_version=4).cells if c.cell_type == "code"]
    assert "| Adai | 10 |" in str(ran), "the chapter did not find its records"


def _kernel(folder: Path, python: Path) -> Path:
    """A kernel called 'here' that runs another environment's Python."""
    spec = folder / "jupyter/kernels/here/kernel.json"
    spec.parent.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": command, "display_name": "here", "language": "python"}))
    return folder / "jupyter"
