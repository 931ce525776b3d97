"""The browser's Python runs what SymPy alone can run, and never goes on with what it could not compute."""

import json
import subprocess
import sys

import mpmath
import nbformat
import pytest

from adai.book.ledger import MIME
from publishing import ROOT, kernel, live


def run(*cells: str) -> list[kernel.Result]:
    names: dict = {}
    return [kernel.run(cell, names, f"Cell {n}") for n, cell in enumerate(cells, start=1)]


def text(result: kernel.Result) -> str:
    return "".join(output["text/plain"] for output in result.outputs)


def test_a_cell_shows_what_it_prints_and_its_last_value() -> None:
    cell = "import sympy as sp\nprint('half'); 7\nsp.Symbol('x') / 2"
    (result,) = run(cell)
    assert result.outputs == [
        {"text/plain": "half\n"},
        {"text/latex": r"$\displaystyle \frac{x}{2}$", "text/plain": "x/2"},
    ]
    assert run("x = 1")[0].outputs == [] and run("print(1)")[0].outputs == [{"text/plain": "1\n"}]


def test_a_check_brings_its_record_through_json() -> None:
    cell = "from adai.book import check\nimport sympy as sp\nx = sp.Symbol('x')\ncheck.identity('eq:18', x + x, 2 * x)"
    (output,) = json.loads(kernel.run_as_json(cell, {}, "Cell 1"))["outputs"]
    assert output[MIME]["verdict"] == "holds" and output["text/markdown"].startswith("$$")


def test_an_import_that_fails_stops_no_cell_that_does_not_use_it() -> None:
    first, second, third = run("import math, absent.part as np\nhalf = 1 / 2", "half", "np.zeros(3)")
    assert (first.needs, text(second), third.needs) == ("", "0.5", "absent")


@pytest.mark.parametrize("use", ["np", "np(1)", "1 + np", "-np", "np[0]", "f'{np:.3g}'", "np == 1", "[*np]"])
def test_no_use_of_what_is_absent_goes_through(use: str) -> None:
    first, second = run("import absent as np", use)
    assert (first.needs, second.needs, second.outputs, second.error) == ("", "absent", [], "")


def test_what_a_cell_could_not_compute_has_no_stale_value() -> None:
    cells = "a = b = 1", "import absent\na = 2\nb = absent.f(a)\na = 3", "b", "a", "c = 1\nc"
    _, second, third, fourth, fifth = run(*cells)
    assert (second.needs, third.needs, fourth.needs, text(fifth)) == ("absent", "absent", "absent", "1")


def test_locals_of_a_function_that_could_not_be_defined_do_not_hide_a_global() -> None:
    cells = "x = 5", "import absent\n@absent.compiled\ndef f():\n    x = 1\n    return [y for y in (x,)]", "x", "f()"
    assert [(text(r), r.needs) for r in run(*cells)[2:]] == [("5", ""), ("", "absent")]


@pytest.mark.parametrize(
    ("cell", "last"),
    [("1 / 0", "ZeroDivisionError: division by zero"), ("x =", "SyntaxError"), ("raise SystemExit", "SystemExit")],
)
def test_an_error_is_told_by_the_cells_own_lines(cell: str, last: str) -> None:
    (result,) = run(f"print('before')\n{cell}" if last[:2] != "Sy" else cell)
    assert last in result.error.splitlines()[-1] and 'File "Cell 1", line' in result.error
    assert "kernel.py" not in result.error and (cell in result.error)


def test_formulas_give_numbers_that_can_be_formatted() -> None:
    (result,) = run("import mpmath\nprint(f'{mpmath.mpf(1) / 3:.3g} {mpmath.mpf(2)}')")
    assert text(result) == "0.333 2.0\n"


@pytest.mark.parametrize("cell", ["1", "1 / 0", "raise SystemExit", "x =", "import absent\nabsent.f()"])
def test_outside_of_cells_numbers_are_formatted_as_ever(cell: str) -> None:
    before = mpmath.mpf.__format__
    run(f"import mpmath\n{cell}" if cell != "x =" else cell)
    assert mpmath.mpf.__format__ is before and "__format__" not in vars(mpmath.mpf)


ALONE = f"""
import json, sys
for package in "numpy scipy numba matplotlib matplotlib_inline torch sklearn IPython yaml tqdm".split():
    sys.modules[package] = None
from adai.book.check import evidence, formulas
from publishing import kernel
# nbval tries the mutants
evidence.try_mutants = formulas.try_mutants = lambda *_, **__: {{"tried": 0, "rejected": 0, "equivalent": []}}
names = {{}}
results = [kernel.run(cell, names, f"Cell {{n}}") for n, cell in enumerate(json.load(sys.stdin))]
records = [output.get("{MIME}", {{}}) for result in results for output in result.outputs]
print(json.dumps({{
    "errors": [result.error for result in results if result.error],
    "ran": sum(not result.needs for result in results),
    "records": [record for record in records if record],
}}))
"""


def verdicts(records: list[dict]) -> set[tuple[str, str, str]]:
    """Return each check's item, printed form and verdict, without the dots that SymPy places differently by version."""
    return {(record["id"], record["printed"].replace(r"\cdot ", ""), record["verdict"]) for record in records}


@pytest.mark.parametrize("chapter", live.CHAPTERS)
def test_most_of_a_chapter_runs_with_sympy_alone_and_earns_the_stored_verdicts(chapter: str) -> None:
    notebook = nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4)
    cells = [c for c in notebook.cells if c.cell_type == "code" and "remove-cell" not in c.metadata.get("tags", [])]
    stored = [o["data"][MIME] for c in cells for o in c.outputs if MIME in o.get("data", {})]
    command, program = [sys.executable, "-c", ALONE], json.dumps([c.source for c in cells])
    run = subprocess.run(command, input=program, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    assert not found["errors"], "\n".join(found["errors"])
    assert found["ran"] > len(cells) / 2 and len(found["records"]) > len(stored) / 2
    assert verdicts(found["records"]) <= verdicts(stored)
