"""An erratum has words and a check; either without the other is refused."""

import json
from pathlib import Path

import pytest

from adai.book.ledger import MIME
from publishing import ROOT, errata


def box(title: str, text: str = "*Printed:* this.") -> dict:
    return {
        "cell_type": "markdown",
        "source": f"Before.\n\n:::{{admonition}} Erratum: {title}\n:class: warning\n\n{text}\n:::",
    }


def shown(item: str, verdict: str = "wrong", kind: str = "refuted") -> dict:
    record = {"id": item, "kind": kind, "verdict": verdict}
    return {"cell_type": "code", "source": "", "outputs": [{"data": {MIME: record}}]}


def chapter(folder: Path, *cells: dict, name: str = "sgd") -> Path:
    path = folder / "book/diffusion" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": cells}))
    return path


@pytest.mark.parametrize(
    ("title", "items"),
    [
        ("below Equation (5)", ["eq:5"]),
        ("Equations (9), (30), Theorem 2", ["thm:2", "eq:9", "eq:30"]),
        ("Lemma 4 and Equations (98) to (100)", ["lem:4", "eq:98", "eq:99", "eq:100"]),
        ("Algorithm 1", ["alg:1"]),
        ("Figure 5, the landscape", ["fig:5"]),
    ],
)
def test_a_title_names_its_items(title, items):
    assert errata.items_in_title(title) == items


def test_a_check_belongs_to_the_nearest_box_that_names_it(tmp_path):
    cells = [
        shown("eq:52"),
        box("Equation (52)"),
        shown("eq:20", kind="identity"),
        shown("eq:52", "slip"),
        box("(52), jump"),
    ]
    found = [[c["verdict"] for c in box.checks] for box in errata.chapter_errata(chapter(tmp_path, *cells), tmp_path)]
    assert found == [["wrong"], ["slip"]]


def test_a_check_without_words_and_words_without_a_check_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"sgd: no box .* names eq:19"):
        errata.chapter_errata(chapter(tmp_path, shown("eq:19"), box("Equation (20)")), tmp_path)
    with pytest.raises(ValueError, match=r"sgd: no check .* 'Erratum: Equation \(20\)'"):
        errata.chapter_errata(chapter(tmp_path, shown("eq:20", kind="identity"), box("Equation (20)")), tmp_path)


def test_the_heaviest_come_first(tmp_path):
    chapter(tmp_path, shown("eq:11", "slip"), box("Equation (11)"), shown("eq:9"), box("Equation (9)"))
    chapter(
        tmp_path,
        shown("thm:3", "needs a condition"),
        box("Theorem 3"),
        shown("thm:2"),
        box("Theorem 2"),
        name="momentum",
    )
    assert [e.title for e in errata.book_errata(tmp_path)] == [
        "Theorem 2",
        "Equation (9)",
        "Theorem 3",
        "Equation (11)",
    ]


def test_links_still_lead_there_from_another_page(tmp_path):
    text = "See [there](sgd.ipynb), [here](#eq), [out](https://a.org) and {eq}`eq:1`."
    (found,) = errata.chapter_errata(chapter(tmp_path, shown("eq:1"), box("Equation (1)", text)), tmp_path)
    there = "[there](/book/diffusion/sgd.ipynb), [here](/book/diffusion/sgd.ipynb#eq)"
    assert found.text == f"See {there}, [out](https://a.org) and {{eq}}`eq:1`."


def test_every_erratum_of_the_book_says_what_is_printed_what_holds_and_how_much_it_matters():
    for erratum in errata.book_errata(ROOT):
        assert "*Printed:*" in erratum.text, erratum.title
        assert "*How much it matters:*" in erratum.text or erratum.verdict == "slip", erratum.title
        assert "*Corrected:*" in erratum.text or "*What " in erratum.text, erratum.title
