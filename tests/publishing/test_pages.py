"""The ledger, the errata and the counts, as their pages say them."""

from publishing.errata import Erratum
from publishing.pages import count_all, errata_source, ledger_source
from tests.publishing.made import entry, unchecked


def test_counts_by_verdict_and_lists_what_is_missing_by_chapter() -> None:
    source = ledger_source(
        [entry("eq:2"), entry("thm:1", verdict="slip"), *map(unchecked, ("eq:74", "eq:75", "eq:76", "lem:1"))]
    )
    assert "**2 of 6 items are checked** (holds: 1, slip: 1)." in source
    assert "* - Convergence\n  - Equations 74–76; Lemma 1" in source


def test_only_items_that_stand_somewhere_are_linked() -> None:
    source = ledger_source([entry("eq:2", uses=["eq:1", "thm:1"]), unchecked("eq:1"), entry("thm:1")])
    assert "Equation {eq}`eq:2`" in source and "{prf:ref}`thm:1`" in source
    assert "(1), {prf:ref}`thm:1`" in source and "`eq:1`" not in source


def test_errata_hold_words_both_forms_and_the_evidence() -> None:
    check = {"id": "eq:19", "kind": "refuted", "verdict": "wrong", "printed": "a = 2b", "corrected": "a = b"}
    check["evidence"] = "found by symbols"
    found = Erratum("Equation (19)", "Twice too much.", "book/diffusion/sgd", 3, ["eq:19"], [check])
    source = errata_source([entry("eq:2"), entry("eq:19")], [found])
    for part in ("Equation {eq}`eq:19`, wrong", "$$a = 2b$$", "$$a = b$$", "Found by symbols.", "Twice too much."):
        assert part in source
    assert "{doc}`/book/diffusion/sgd`" in source and "eq:2`" not in source


def test_counts_are_those_of_the_checked_items() -> None:
    tried = entry("eq:2", mutants_tried=9, mutants_rejected=8)
    found = count_all([tried, entry("thm:1", verdict="wrong"), unchecked("eq:1")], [])
    assert (found["items"], found["checked"], found["holds"], found["wrong"], found["slip"]) == (3, 2, 1, 1, 0)
    assert (found["errata"], found["mutants tried"], found["mutants rejected"]) == (0, 9, 8)
