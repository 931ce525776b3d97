"""Imports point downwards, and a part of the package loads no more than it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_imports_point_downwards_and_run_in_no_circle():
    """The contracts stand in pyproject.toml; ruff refuses an import by a string, behind which a circle could hide."""
    command = [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import adai", "torch numpy sympy matplotlib"),
        ("import adai.__main__", "torch numpy sympy matplotlib"),
        ("import adai.records", "torch numpy sympy matplotlib"),
        ("import adai.book.ledger", "torch numpy sympy matplotlib"),
        ("from adai.book.figures import INK", "torch numpy sympy matplotlib"),
        ("import adai.book.check", "torch numpy matplotlib"),
        ("import adai.theory.diffusion", "torch matplotlib"),
    ],
)
def test_what_an_import_loads(statement, unwanted):
    probe = f"{statement}; import sys; print([m for m in {unwanted.split()} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr
