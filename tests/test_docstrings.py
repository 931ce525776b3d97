"""A function's docstring opens with a verb that says what it does."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [path for folder in ("adai", "publishing", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
NO_VERB = re.compile(
    r"(A|An|The|This|That|These|Those|What|Whether|How|Where|When|Who|Which|Why|If|One|Each|Every|All|No|Of|As|In|On|For|"
    r"With|Its|Our|Their|\w+s|\w+ed|\w+ing)\b"
)
"""Articles, question words, pronouns, and the third person, which a plural noun looks like, too."""
VERBS = {"Pass", "Bring", "Process", "Compress"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_docstrings_open_with_a_verb(path):
    functions = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef))
    openings = {function.name: (ast.get_docstring(function) or "Do").split()[0] for function in functions}
    wrong = {name: word for name, word in openings.items() if NO_VERB.fullmatch(word) and word not in VERBS}
    assert not wrong, f"say what these do, as in 'Return …': {wrong}"
