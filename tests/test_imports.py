"""Imports point downwards, and a part of the package loads no more than it needs."""

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
BY_A_STRING = {"__import__", "import_module", "resolve_name"}


def test_imports_point_downwards_and_run_in_no_circle():
    """The contracts stand in pyproject.toml."""
    command = [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_imports_a_folder_that_imports_it():
    """The contracts compare neighbours alone: they pass `from adai.data import DATASETS` in adai/data/base.py."""
    graph, circles = grimp.build_graph("adai", "publishing", cache_dir=None), []
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            if module.startswith(f"{imported}.") and (back := graph.find_shortest_chain(imported, module)):
                circles.append(" → ".join((module, *back)))
    assert not circles


@pytest.mark.parametrize("folder", ["adai", "publishing"])
def test_nothing_is_imported_by_a_string(folder):
    """A circle could hide behind it."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", None)
            if name in BY_A_STRING:
                found.add(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    assert not found


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
