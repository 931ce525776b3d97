"""What every chapter has: a set-up cell, short cells, described figures, an opening, questions, exercises."""

import re

from publishing import notebooks
from tests.chapters.reading import code, each_chapter, prose

LONGEST_CELL = 30


@each_chapter
def test_a_chapter_starts_with_the_set_up_cell(path):
    first = code(path)[0]
    assert first.source == notebooks.setup_source(), f"{path}: the first code cell is not the set-up; make notebooks"
    assert "remove-cell" in first.metadata.tags


@each_chapter
def test_cells_are_short(path):
    for cell in code(path)[1:]:
        assert len(cell.source.splitlines()) <= LONGEST_CELL, f"{path}: move this to the library:\n{cell.source}"


@each_chapter
def test_figures_carry_alternative_text(path):
    for cell in code(path):
        if any("image/svg+xml" in o.get("data", {}) for o in cell.outputs):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) > 40, f"{path}: say what this figure shows, in mystnb: image: alt\n{cell.source}"


@each_chapter
def test_a_chapter_opens_with_what_it_teaches_and_what_it_takes(path):
    box = prose(path).split("\n:::")[1]
    for said in ("{admonition} In this chapter", "You will be able to", "It takes", "You need"):
        assert said in box, f"{path}: the opening box lacks {said!r}"


@each_chapter
def test_a_chapter_asks_three_questions_and_hides_the_answers(path):
    after = prose(path).split("## Check yourself\n")
    assert len(after) == 2, f"{path}: a section *Check yourself* goes before the summary"
    section = re.split(r"^## ", after[1], maxsplit=1, flags=re.M)[0]
    hidden = re.findall(r"^:::\{admonition\} Answer to the (\w+) question\n:class: dropdown$", section, re.M)
    assert hidden == ["first", "second", "third"], f"{path}: three questions, each with a hidden answer"
    assert len(re.findall(r"^\*\*\w+ question\.\*\* .*\?$", section, re.M)) == 3, f"{path}: a question ends in ?"


@each_chapter
def test_exercises_have_three_levels_and_hidden_solutions(path):
    text = prose(path)
    exercises = re.findall(r"^:+\{exercise\}.*\n:label: (\S+)\n\n(?:\*\((\w+)\)\* )?", text, re.M)
    solved = re.findall(r"^:+\{solution(?:-start)?\} (\S+)\n:class: dropdown$", text, re.M)
    assert {level for _, level in exercises} == {"easy", "medium", "hard"}, f"{path}: mark every exercise"
    assert sorted(solved) == sorted(label for label, _ in exercises), f"{path}: each exercise has a hidden solution"
