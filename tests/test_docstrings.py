"""A function's docstring opens with a verb that says what it does."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [path for folder in ("adai", "publishing", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
VERBS = """
Add Append Begin Bring Carry Change Check Choose Connect Count Cut Decode Delete Download Draw Execute Fit Format Give
Halve Have Install Join Judge Keep Let Load Make Map Measure Mend Pack Pass Print Put Raise Read Remove Repeat Replace
Reset Return Run Search Serve Simulate Take Train Turn Undo Unpack Update Wait Warn Write Yield
"""
"""No rule tells a verb from a noun: a verb that is new is added here."""
NOUN = re.compile(r"(?!Warn )\w+ of ")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_docstrings_open_with_a_verb(path):
    functions = (n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.FunctionDef))
    docstrings = [(function.name, ast.get_docstring(function) or "Return") for function in functions]
    verbs = VERBS.split()
    wrong = [name for name, text in docstrings if re.match(r"\w*", text)[0] not in verbs or NOUN.match(text)]
    assert not wrong, f"say what these do, as in 'Return …': {wrong}"
