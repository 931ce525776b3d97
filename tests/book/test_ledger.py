"""The ledger says what the chapters' stored checks earned, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from adai.book import ledger, verdicts
from adai.book.items import HOME, require_item

ROOT = Path(__file__).parents[2]
CHECKED_ONCE = ROOT / "tests/book/checked.txt"
"""Every item that ever had a check: what was once checked may not be lost."""


def earned(item: str, **changes) -> dict:
    record = {"id": item, "kind": "identity", "verdict": "holds", "printed": "a = b", "derived": "a = b",
              "evidence": "by symbols", "uses": [], "assumes": [], "corrected": "",
              "mutants": {"tried": 3, "rejected": 3, "equivalent": []}}  # fmt: skip
    return {**record, **changes}


@pytest.fixture
def book(tmp_path):
    """A book with one chapter whose cells stored the given records."""

    def write(*records: dict, name: str = "chapter"):
        cells = [
            nbformat.v4.new_code_cell("check", outputs=[nbformat.v4.new_output("execute_result", {ledger.MIME: r})])
            for r in records
        ]
        (tmp_path / "book").mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"book/{name}.ipynb")
        return {e.id: e for e in ledger.entries(tmp_path)}

    return write


def test_the_paper_has_these_items():
    kinds = [item.split(":")[0] for item in HOME]
    counts = {kind: kinds.count(kind) for kind in kinds}
    assert counts == {"eq": 123, "thm": 4, "prop": 4, "lem": 4, "asm": 3, "alg": 3, "tab": 2, "fig": 13}
    with pytest.raises(ValueError, match="'tab:3' is no item"):
        require_item("tab:3")


def test_an_item_without_a_check_says_so(book):
    entries = book()
    assert entries["eq:20"].verdict == "not yet checked" and not entries["eq:20"].checked
    assert entries["tab:1"].verdict == "not run"


def test_an_item_stands_there_as_the_paper_prints_it(book):
    entries = book(earned("eq:19"), earned("thm:1"))
    assert entries["eq:19"].statement == r"\frac{\partial \sigma^2}{\partial t} = 2D - 2H\sigma^2"
    assert entries["eq:19"].place == "Appendix A.1"
    assert entries["thm:1"].statement == "a = b"  # what its first check compared


def test_the_worst_verdict_of_several_checks_counts(book):
    entry = book(
        earned("eq:11"),
        earned("eq:11", kind="refuted", verdict="slip", corrected="a = c"),
        earned("eq:12", uses=["eq:11"]),
    )["eq:11"]
    assert (entry.verdict, entry.kind, entry.corrected) == ("slip", ["identity", "refuted"], "a = c")
    assert entry.mutants_tried == 6 and entry.anchor == "equation-eq-11"


def test_cases_that_were_tried_take_nothing_from_a_proof(book):
    tried = earned("eq:20", kind="measurement", verdict="holds in the cases tried")
    assert book(earned("eq:20"), tried)["eq:20"].verdict == "holds"
    assert book(tried)["eq:20"].verdict == "holds in the cases tried"


def test_an_item_inherits_what_it_rests_on_all_the_way_down(book):
    entries = book(
        earned("eq:44", kind="refuted", verdict="wrong"),
        earned("eq:46", uses=["eq:44"]),
        earned("eq:47", uses=["eq:46"]),
        earned("eq:19", uses=["eq:3"]),
        earned("eq:3", verdict="leading order"),
        earned("eq:20", uses=["eq:2"]),
        earned("eq:12", uses=["eq:11"]),
        earned("eq:11", kind="refuted", verdict="slip"),
    )
    assert ledger.inherited(entries["eq:47"], entries) == "wrong"
    expected = {"eq:44": "refuted", "eq:47": "inherits", "eq:19": "founded", "eq:20": "inherits", "eq:2": "planned"}
    expected |= {"eq:11": "refuted", "eq:12": "founded"}  # the paper goes on with what is right
    assert {item: ledger.state(entries[item], entries) for item in expected} == expected


def test_one_order_of_severity_is_for_all():
    of_theory = ["wrong", "needs a condition", "slip", "open", "holds in the cases tried", "leading order", "holds"]
    assert [verdict for verdict in verdicts.SEVERITY if verdict in of_theory] == of_theory


def test_the_command_fails_while_an_item_has_no_check():
    run = subprocess.run(
        [sys.executable, "-m", "adai", "ledger", "--json", "--part", "theory"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    listed = json.loads(run.stdout)
    assert {"id", "statement", "chapter", "anchor", "kind", "verdict", "uses", "mutants_tried"} <= listed[0].keys()
    assert all(e["part"] == "theory" for e in listed)
    assert run.returncode == int(not all(e["checked"] for e in listed))


def test_the_command_says_where_an_item_is_checked(capsys):
    ledger.main(only="theory")
    *lines, _ = capsys.readouterr().out.splitlines()
    assert all((ROOT / line.split()[-1]).is_file() for line in lines)
    assert next(line for line in lines if line.startswith("eq:19 ")).endswith(" book/diffusion/sgd.ipynb")


def test_no_item_that_was_once_checked_is_lost():
    checked = {e.id for e in ledger.entries(ROOT) if e.checked}
    once = set(CHECKED_ONCE.read_text().split())
    assert once - checked == set(), f"these had a check and have none now: {sorted(once - checked)}"
    assert checked - once == set(), (
        f"add these to {CHECKED_ONCE.name}, so that they are never lost: {sorted(checked - once)}"
    )


def test_every_stored_check_rejected_all_mutants_that_differ():
    for notebook in ledger.notebooks(ROOT):
        for check in ledger.checks(notebook):
            tally = check["mutants"]
            assert tally["rejected"] + len(tally["equivalent"]) == tally["tried"], (notebook, check["id"])
            without = check["kind"] == "record" or (check["kind"] == "refuted" and not check["corrected"])
            if not without:  # a refutation without a corrected form has its witness
                assert tally["rejected"], f"{notebook}: the check of {check['id']} rejected no mutant"
