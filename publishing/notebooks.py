"""Execute the chapters and store them so that a diff shows only what changed.

python -m publishing.notebooks                  re-runs chapters whose cells, modules or records changed
python -m publishing.notebooks --all [FILE …]   re-runs them whatever changed
python -m publishing.notebooks --checks         re-runs all, stores nothing, compares only the checks' records
python -m publishing.notebooks --normalise FILE …   runs nothing
"""

import argparse
import ast
import copy
import hashlib
import os
import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from adai.book import ledger
from adai.book.ledger import MIME
from publishing import ROOT, address

_SETUP = """\
#@title Set-up: run this first
try:
    from adai.book import start
except ModuleNotFoundError:  # opened on its own, as on Colab: fetch the book, keep the torch and NumPy that are there
    import os, subprocess, sys

    if not os.path.isdir("adai-book"):
        source = os.environ.get("ADAI_SOURCE", "{address}")
        subprocess.run(["git", "clone", "-q", "--depth=1", source, "adai-book"], check=True)
    subprocess.run([sys.executable, "adai-book/publishing/colab.py"], check=True)
    sys.path.insert(0, os.path.abspath("adai-book"))
    from adai.book import start
start.set_up()"""
_REGISTRY = ROOT / "adai/experiments/registry.py"
_NEVER_STORED = re.compile(r"0x[0-9a-f]{6,}|/tmp/|/home/|/root/|/Users/|/var/folders/|ipykernel_\d+|site-packages")


def setup_source() -> str:
    """Return the set-up cell that every chapter starts with, with the repository's address."""
    return _SETUP.format(address="https://github.com/{}/{}".format(*address.current(ROOT)))


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Remove from a notebook what changes from run to run (counts, times, machine names, random ids), and return it.

    Raises:
        ValueError: if an output is a PNG.
    """
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    ours = notebook.metadata.get("adai")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    if ours:
        notebook.metadata["adai"] = ours
    first = next((c for c in notebook.cells if c.cell_type == "code"), None)
    if first is not None and first.source.startswith("#@title Set-up"):
        first.source = setup_source()
        first.metadata = nbformat.from_dict({"tags": ["remove-cell"], "cellView": "form"})
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] += 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in ("tags", "mystnb", "adai", "cellView")}
        if cell.cell_type == "code":
            cell.execution_count = 1  # any number: without one nbval takes the cell as never run and compares nothing
            cell.outputs = [_normalise_output(output) for output in _join_streams(cell.outputs)]
    return notebook


def _join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return the outputs with neighbouring pieces of a stream joined: where a stream is cut depends on time."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if joined and output.output_type == "stream" and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _normalise_output(output: NotebookNode) -> NotebookNode:
    """Remove an output's count and metadata, and return it."""
    if "execution_count" in output:
        output.execution_count = 1
    if "metadata" in output:
        output.metadata = {}
    if "image/png" in output.get("data", {}):
        raise ValueError("a stored PNG: draw with the book's style, which gives SVG")
    return output


def digest_inputs(notebook: NotebookNode) -> str:
    """Return a hash of what a chapter's outputs depend on: its cells, imported modules, records, benchmarks."""
    code, modules = _code(notebook), _imported_files(notebook)
    text = code + "".join(module.read_text() for module in modules if module.parent.name == "experiments")
    named = set(re.findall(r'"([a-z0-9]+)"', text))
    records = (ROOT / "book/records").glob("*/*")
    files = sorted(modules) + sorted(record for record in records if record.parent.name.split("-")[0] in named)
    files += [ROOT / name for name in sorted(set(re.findall(r'"(benchmarks/\w+\.json)"', code)))]
    digest = hashlib.sha256(code.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _code(notebook: NotebookNode) -> str:
    """Return the text of all code cells."""
    return "\n".join(c.source for c in notebook.cells if c.cell_type == "code")


def _imported_files(notebook: NotebookNode) -> set[Path]:
    """Return the files of the package that a chapter's cells import, directly or through others.

    Not through the registry, which imports every experiment: a chapter imports those that it shows.
    """
    found: set[Path] = set()
    waiting = [re.sub(r"^\s*[%!].*$", "", _code(notebook), flags=re.M)]
    while waiting:
        for node in ast.walk(ast.parse(waiting.pop())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
            if names[:1] == ["adai"]:
                names.append("adai.optim")  # loaded lazily by the package
            for name in names:
                base = ROOT / name.replace(".", "/")
                for file in (base.with_suffix(".py"), base / "__init__.py"):
                    if name.split(".")[0] == "adai" and file.is_file() and file not in found and file != _REGISTRY:
                        found.add(file)
                        waiting.append(file.read_text())
    return found


def execute(path: Path) -> NotebookNode:
    """Run a notebook in a new kernel and return it, normalised; the file stays as it is.

    Raises:
        RuntimeError: naming file, cell and error, if a cell raises.
        ValueError: if an output holds an address, a path of this machine or a PNG.
    """
    notebook = normalise(nbformat.read(path, as_version=4))
    client = NotebookClient(
        notebook, timeout=900, startup_timeout=300, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    )
    try:
        client.execute()
    except CellExecutionError as error:
        cell = next(c for c in notebook.cells if any(o.output_type == "error" for o in c.get("outputs", [])))
        name = path.relative_to(ROOT)
        raise RuntimeError(f"{name}: a cell raises {error.ename}: {error.evalue}\n\n{cell.source}\n") from None
    normalise(notebook)
    for cell in notebook.cells:
        if stray := _NEVER_STORED.search("".join(_output_texts(cell))):
            raise ValueError(f"{path.relative_to(ROOT)}: output of {cell.source[:60]!r} holds {stray.group()!r}")
    notebook.metadata["adai"] = {"inputs": digest_inputs(notebook)}
    return notebook


def _output_texts(cell: NotebookNode) -> list[str]:
    """Return the plain text of each output of a cell."""
    return [o.get("text", "") + str(o.get("data", {}).get("text/plain", "")) for o in cell.get("outputs", [])]


def store(path: Path, notebook: NotebookNode) -> None:
    """Write a notebook, complete or not at all, and the pictures that its cells export."""
    for cell in notebook.cells:
        target = cell.metadata.get("adai", {}).get("export")
        for output in cell.get("outputs", []):
            if target and "image/svg+xml" in output.get("data", {}):
                (ROOT / target).parent.mkdir(parents=True, exist_ok=True)
                (ROOT / target).write_text(themed_svg(output.data["image/svg+xml"]))
    partial = path.with_suffix(".partial")
    nbformat.write(notebook, partial)
    os.replace(partial, path)


def themed_svg(svg: str) -> str:
    """Return a figure, for a file of its own, that follows the reader's light or dark scheme."""
    from adai.book.figures import DARK_GRID, DARK_INK, GRID, INK

    scheme = (
        f"<style>svg{{--ink:{INK};--grid:{GRID}}}"
        f"@media (prefers-color-scheme:dark){{svg{{--ink:{DARK_INK};--grid:{DARK_GRID}}}}}</style>"
    )
    themed = svg.replace(INK, "var(--ink)").replace(GRID, "var(--grid)")
    return re.sub(r"(<svg[^>]*>)", lambda m: m.group(1) + scheme, themed, count=1)


def main() -> int:
    """Run the command line, and return 1 if a chapter fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--checks", action="store_true")
    parser.add_argument("--normalise", action="store_true")
    options = parser.parse_args()
    paths = [p.resolve() for p in options.files] or ledger.notebooks(ROOT)
    if options.normalise:
        for path in paths:
            store(path, normalise(nbformat.read(path, as_version=4)))
        return 0
    os.environ["OMP_NUM_THREADS"] = "1"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return int(not all(pool.map(lambda p: _update(p, options), paths)))


def _update(path: Path, options: argparse.Namespace) -> bool:
    """Bring one chapter up to date, and return whether that worked; print why if not."""
    stored = nbformat.read(path, as_version=4)
    name = path.relative_to(ROOT)
    if not (options.all or options.checks) and stored.metadata.get("adai", {}).get("inputs") == digest_inputs(stored):
        if (tidy := normalise(copy.deepcopy(stored))) != stored:  # so a word of the text was changed
            store(path, tidy)
        return True
    try:
        fresh = execute(path)
    except (RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return False
    if options.checks:
        return same_checks(name, stored, fresh)
    store(path, fresh)
    print(f"{name}: executed")
    return True


def same_checks(name: Path, stored: NotebookNode, fresh: NotebookNode) -> bool:
    """Return whether two executions of a chapter earned the same records of checks; print each that differs."""
    earned = [
        [_without_dots(o.data[MIME]) for c in n.cells for o in c.get("outputs", []) if MIME in o.get("data", {})]
        for n in (stored, fresh)
    ]
    for old, new in zip(*earned, strict=False):
        if old != new:
            print(f"{name}: the check of {old['id']} now says {new}, stored is {old}", file=sys.stderr)
    if len(earned[0]) != len(earned[1]):
        print(f"{name}: {len(earned[1])} checks instead of {len(earned[0])}", file=sys.stderr)
    return earned[0] == earned[1]


def _without_dots(record: dict[str, Any]) -> dict[str, Any]:
    """Return a check's record without the dots between factors, which SymPy places differently by version."""
    return {key: value.replace(r"\cdot ", "") if isinstance(value, str) else value for key, value in record.items()}


if __name__ == "__main__":
    sys.exit(main())
