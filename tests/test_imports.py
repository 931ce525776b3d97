"""Imports point downwards, and a part of the package loads no more than it needs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ADAI = Path(__file__).parents[1] / "adai"
LAYERS = [
    ["__main__"],
    ["experiments"],
    ["training"],
    ["data", "models"],
    ["book"],
    ["measurements"],
    ["records"],
    ["theory"],
    ["optim"],
]
LEVEL = {name: i for i, names in enumerate(LAYERS) for name in names}
FILES = [p for p in ADAI.rglob("*.py") if p != ADAI / "__init__.py"]


def imported(path: Path) -> set[str]:
    """Top parts of our package that a file names in its imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{a.name}" for a in node.names]
        else:
            continue
        found |= {n.split(".")[1] for n in names if n.startswith("adai.")}
    return found & LEVEL.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ADAI).as_posix())
def test_imports_point_downwards(path):
    own = path.relative_to(ADAI).parts[0].removesuffix(".py")
    # The set-up, the checks and the site serve chapters; only chapters know experiments.
    for other in imported(path) - {own}:
        assert LEVEL[other] > LEVEL[own], f"{path.relative_to(ADAI)} imports adai.{other}, which lies above it"


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import adai", "torch numpy sympy matplotlib"),
        ("import adai.records", "torch numpy sympy matplotlib"),
        ("import adai.book.ledger", "torch numpy sympy matplotlib"),
        ("from adai.book.figures import INK", "torch numpy sympy matplotlib"),
        ("import adai.book.check", "torch numpy matplotlib"),
        ("import adai.theory.diffusion", "torch matplotlib"),
    ],
)
def test_what_an_import_loads(statement, unwanted):
    probe = f"{statement}; import sys; print([m for m in {unwanted.split()} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ADAI.parent)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr
