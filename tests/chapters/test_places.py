"""Files, folders, modules and names of the code that a document speaks of exist."""

import ast
import json
import re

import pytest

from adai.book import ledger
from publishing import ROOT

FOLDERS = "adai|benchmarks|book|publishing|tests"
PATH = re.compile(rf"(?<![\w./-])(?:{FOLDERS})/[^\s,;:'\"(){{}}]*")
NAME = re.compile(r"(?<![\w./-])(?:adai|benchmarks|publishing|tests)(?:\.\w+)+(?!/)")
ARCHITECTURE = ROOT / "book/reference/architecture.md"


def documents() -> dict[str, str]:
    """Return each document's text by its path, of a notebook that of its cells; the changelog has old names."""
    written = [path for path in [*ROOT.glob("*.md"), *ROOT.glob("book/**/*.md")] if path.name != "CHANGELOG.md"]
    found = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in written}
    for path in ledger.notebooks(ROOT):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        found[path.relative_to(ROOT).as_posix()] = "\n\n".join("".join(cell["source"]) for cell in cells)
    return found


DOCUMENTS = documents()


def missing(text: str) -> list[str]:
    """Return the paths and dotted names between backticks that lead nowhere; `<…>` stands for any name."""
    found = []
    for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", text):
        paths = (path for path in PATH.findall(code) if not re.search(r"[<…*]", path))
        found += [path for path in paths if not (ROOT / path).exists()]
        found += [name for name in NAME.findall(code) if not name.endswith(".py") and not leads_somewhere(name)]
    return found


def leads_somewhere(name: str) -> bool:
    """Return whether a dotted name is a module, or what one binds at its top level, possibly with attributes."""
    place, parts = ROOT, name.split(".")
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    module = place / "__init__.py"
    if parts and (place / f"{parts[0]}.py").exists():
        module = place / f"{parts.pop(0)}.py"
    return not parts or (module.exists() and parts[0] in top_level(ast.parse(module.read_text("utf-8"))))


def top_level(tree: ast.Module) -> set[str]:
    """Return what a module binds, and what its `__all__` lists."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            found |= set(ast.literal_eval(node.value)) if "__all__" in names and node.value else names
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_and_name_leads_somewhere(document: str) -> None:
    found = missing(DOCUMENTS[document])
    assert not found, f"{document} names what does not exist: {found}"


def test_what_does_not_exist_is_found() -> None:
    good = "`adai/optim/`, `book/<part>/x.ipynb`, `adai.records.Record`, `adai.book.check`, `adai.Adai`, `adai.py`"
    bad = ["adai/experiments/memory.py", "adai.measurements", "adai.records.whole", "publishing.site.nothing"]
    assert missing(good) == [] and missing("".join(f"`{name}`, " for name in bad)) == bad


def rows(heading: str) -> dict[str, str]:
    """Return the second cell by the first one, of the table of the architecture page with this heading."""
    table = ARCHITECTURE.read_text("utf-8").split(f"| {heading} | what it is for |\n")[1].split("\n\n")[0]
    return {cells[0].strip(): cells[1] for cells in (row.strip("|").split("|") for row in table.splitlines()[1:])}


@pytest.mark.parametrize("folder", ["adai/book", "publishing"])
def test_the_architecture_lists_each_file(folder: str) -> None:
    listed = {name for cell in rows(f"in `{folder}/`") for name in re.findall(r"`(.+?)`", cell)}
    there = {path.name for path in (ROOT / folder).glob("*.py") if path.name != "__init__.py"}
    assert listed == there | {f"{path.parent.name}/" for path in (ROOT / folder).glob("*/__init__.py")}


def test_the_architecture_names_files_where_they_are() -> None:
    for cell, text in rows("part").items():
        folders = [ROOT / name for name in re.findall(r"`(.+?)`", cell)]
        for file in re.findall(r"`(\w+\.py)`", text):
            assert any((folder / file).exists() for folder in folders), f"{cell} has no {file}"
