"""Executes the chapters and stores them so that a diff shows only what changed.

python -m publishing.notebooks                  re-runs chapters whose cells, modules or records changed
python -m publishing.notebooks --all [FILE …]   re-runs them whatever changed
python -m publishing.notebooks --checks         re-runs all, stores nothing, compares only the checks' records
python -m publishing.notebooks --normalise FILE …   runs nothing
"""

import argparse
import ast
import hashlib
import os
import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from adai.book import ledger
from adai.book.ledger import MIME
from publishing import ROOT

SETUP = """\
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
REGISTRY = ROOT / "adai/experiments/registry.py"
NEVER_STORED = re.compile(r"0x[0-9a-f]{6,}|/tmp/|/home/|/root/|/Users/|/var/folders/|ipykernel_\d+|site-packages")


def setup_source() -> str:
    """The set-up cell that every chapter starts with; the book's address comes from `_config.yml`."""
    address = re.search(r"^\s*url:\s*(\S+)", (ROOT / "_config.yml").read_text(), re.M)
    return SETUP.format(address=address.group(1))


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without what changes from run to run: counts, times, machine names, random ids."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    inputs = notebook.metadata.get("adai")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    if inputs:
        notebook.metadata["adai"] = inputs
    first = next((c for c in notebook.cells if c.cell_type == "code"), None)
    if first is not None and first.source.startswith("#@title Set-up"):
        first.source = setup_source()
        first.metadata = nbformat.from_dict({"tags": ["remove-cell"], "cellView": "form"})
    seen = Counter()
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] += 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in ("tags", "mystnb", "adai", "cellView")}
        if cell.cell_type == "code":
            cell.execution_count = 1  # any number: without one nbval takes the cell as never run and compares nothing
            cell.outputs = [_normalised(output) for output in _joined(cell.outputs)]
    return notebook


def _joined(outputs: list) -> list:
    """Neighbouring pieces of one stream as one output: where a stream is cut depends on time."""
    joined = []
    for output in outputs:
        if joined and output.output_type == "stream" and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _normalised(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    if "execution_count" in output:
        output.execution_count = 1
    if "metadata" in output:
        output.metadata = {}
    if "image/png" in output.get("data", {}):
        raise ValueError("a stored PNG: draw with the book's style, which gives SVG")
    return output


def inputs(path: Path, notebook: nbformat.NotebookNode) -> str:
    """Digest of all that a chapter's outputs depend on: its cells, our modules and files that it reaches, records."""
    code, modules = _code(notebook), _reached(notebook)
    said = code + "".join(module.read_text() for module in modules if module.parent.name == "experiments")
    named = set(re.findall(r'"([a-z0-9]+)"', said))
    records = (ROOT / "book/records").glob("*/*")
    files = sorted(modules) + sorted(record for record in records if record.parent.name.split("-")[0] in named)
    files += [ROOT / name for name in sorted(set(re.findall(r'"(benchmarks/\w+\.json)"', code)))]
    digest = hashlib.sha256(code.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _code(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(c.source for c in notebook.cells if c.cell_type == "code")


def _reached(notebook: nbformat.NotebookNode) -> set[Path]:
    """Return the files of the package that a chapter's cells import, directly or through others.

    Not through the registry, which imports every experiment: a chapter imports those that it shows.
    """
    found, waiting = set(), [re.sub(r"^\s*[%!].*$", "", _code(notebook), flags=re.M)]
    while waiting:
        for node in ast.walk(ast.parse(waiting.pop())):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
            if names[:1] == ["adai"]:
                names.append("adai.optim")  # loaded lazily by the package
            for name in names:
                base = ROOT / name.replace(".", "/")
                for file in (base.with_suffix(".py"), base / "__init__.py"):
                    if name.split(".")[0] == "adai" and file.is_file() and file not in found and file != REGISTRY:
                        found.add(file)
                        waiting.append(file.read_text())
    return found


def execute(path: Path) -> nbformat.NotebookNode:
    """The notebook, run from top to bottom in a new kernel, normalised; the file is not touched.

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
        if stray := NEVER_STORED.search("".join(_texts(cell))):
            raise ValueError(f"{path.relative_to(ROOT)}: output of {cell.source[:60]!r} holds {stray.group()!r}")
    notebook.metadata["adai"] = {"inputs": inputs(path, notebook)}
    return notebook


def _texts(cell: nbformat.NotebookNode) -> list[str]:
    return [o.get("text", "") + str(o.get("data", {}).get("text/plain", "")) for o in cell.get("outputs", [])]


def store(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Writes the notebook whole or not at all, and the pictures that its cells export."""
    for cell in notebook.cells:
        target = cell.metadata.get("adai", {}).get("export")
        for output in cell.get("outputs", []):
            if target and "image/svg+xml" in output.get("data", {}):
                (ROOT / target).parent.mkdir(parents=True, exist_ok=True)
                (ROOT / target).write_text(exported(output.data["image/svg+xml"]))
    partial = path.with_suffix(".partial")
    nbformat.write(notebook, partial)
    os.replace(partial, path)


def exported(svg: str) -> str:
    """A figure as a file of its own that follows the reader's light or dark scheme."""
    from adai.book.figures import DARK_GRID, DARK_INK, GRID, INK

    scheme = (
        f"<style>svg{{--ink:{INK};--grid:{GRID}}}"
        f"@media (prefers-color-scheme:dark){{svg{{--ink:{DARK_INK};--grid:{DARK_GRID}}}}}</style>"
    )
    themed = svg.replace(INK, "var(--ink)").replace(GRID, "var(--grid)")
    return re.sub(r"(<svg[^>]*>)", lambda m: m.group(1) + scheme, themed, count=1)


def main() -> int:
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
        return int(not all(pool.map(lambda p: _refresh(p, options), paths)))


def _refresh(path: Path, options: argparse.Namespace) -> bool:
    """Brings one chapter up to date; False, with the reason printed, if it could not."""
    stored = nbformat.read(path, as_version=4)
    name = path.relative_to(ROOT)
    if not (options.all or options.checks) and stored.metadata.get("adai", {}).get("inputs") == inputs(path, stored):
        return True
    try:
        fresh = execute(path)
    except (RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return False
    if options.checks:
        return _same_checks(name, stored, fresh)
    store(path, fresh)
    print(f"{name}: executed")
    return True


def _same_checks(name: Path, stored: nbformat.NotebookNode, fresh: nbformat.NotebookNode) -> bool:
    """Whether two executions of a chapter earned the same records."""
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


def _without_dots(record: dict) -> dict:
    """Return a check's record without the dots between factors: where SymPy writes them changes by version."""
    return {key: value.replace(r"\cdot ", "") if isinstance(value, str) else value for key, value in record.items()}


if __name__ == "__main__":
    sys.exit(main())
