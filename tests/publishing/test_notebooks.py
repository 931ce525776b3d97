"""Executing chapters: what is stored is the same each time, and only what changed is run again."""

import argparse
import shutil
from pathlib import Path

import nbformat
import pytest

from adai.book import ledger
from publishing import ROOT, notebooks


@pytest.fixture
def draft(tmp_path, monkeypatch):
    """Return a function that writes a chapter of given cells in a checkout of its own."""
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


def test_a_changed_text_is_normalised_without_a_run(draft, monkeypatch):
    path = draft("1 + 1")
    notebooks.store(path, notebooks.execute(path))
    run = nbformat.read(path, as_version=4)
    run.cells.append(nbformat.v4.new_markdown_cell("A word"))
    nbformat.write(run, path)
    monkeypatch.setattr(notebooks, "execute", None)
    assert notebooks._update(path, argparse.Namespace(all=False, checks=False))
    stored = nbformat.read(path, as_version=4)
    assert stored == notebooks.normalise(run) and stored.cells[0].outputs


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
