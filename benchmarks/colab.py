"""Open every chapter as a reader does on Colab: alone, in an empty folder, on Colab's own package versions.

    python -m benchmarks.colab [--python python3.12] [--out FILE.json] [CHAPTER.ipynb ...]

The versions of `colab.txt` are installed in a virtual environment. Each notebook is copied into an empty folder and
executed there; its set-up cell clones this checkout and installs the book from it, as on Colab. The script prints the
seconds of the set-up and of the rest, and each fault: a cell that raises, a check whose verdict is not the stored one,
or a package whose version the set-up changed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from adai.book import ledger
from adai.records import processor
from publishing import ROOT

_LISTED = Path(__file__).with_name("colab.txt")
_RUN = """
import json, sys, time
import nbclient, nbformat

notebook = nbformat.read(sys.argv[1], 4)
client = nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3")
seconds, began = [], time.perf_counter()
with client.setup_kernel():
    for number, cell in enumerate(notebook.cells):
        client.execute_cell(cell, number)
        if cell.cell_type == "code":
            seconds.append(time.perf_counter() - began)
            began = time.perf_counter()
mime = "application/vnd.adai.check+json"
checks = [o.data[mime] for c in notebook.cells for o in c.get("outputs", []) if mime in o.get("data", {})]
verdicts = [[check["id"], check["verdict"]] for check in checks]
print(json.dumps({"setup": seconds[0], "rest": sum(seconds[1:]), "verdicts": verdicts}))
"""


def _make_environment(python: str, folder: Path) -> Path:
    """Make a virtual environment with the listed versions, and return its Python.

    A local build, such as 2.0+cu121, is replaced by its plain version; each replacement is printed.
    """
    subprocess.run([python, "-m", "venv", folder], check=True)
    inside = folder / "bin/python"
    lines = [line for line in _LISTED.read_text().splitlines() if line and not line.startswith("#")]
    plain = [line.partition("+")[0] for line in lines]
    for line, version in zip(lines, plain, strict=True):
        if line != version:
            print(f"listed {line}, taken {version}", flush=True)
    subprocess.run([inside, "-m", "pip", "install", "-q", *plain], check=True)
    return inside


def _versions(python: Path) -> dict[str, str]:
    """Return the version of each installed package except the book's."""
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], check=True, capture_output=True, text=True)
    return {entry["name"]: entry["version"] for entry in json.loads(listed.stdout) if entry["name"] != "adai"}


def _open(chapter: Path, python: Path, before: dict[str, str]) -> dict[str, Any]:
    """Execute a chapter alone, then uninstall the book.

    Returns:
        The seconds of set-up and of the rest, and a list of faults.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(chapter, folder)
        (Path(folder) / "run.py").write_text(_RUN)
        environment = {**os.environ, "ADAI_SOURCE": str(ROOT), "PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
        environment.pop("ADAI_DATA", None)
        command = [python, "run.py", chapter.name]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        moved = {n: v for n, v in _versions(python).items() if before.get(n, v) != v}
        subprocess.run([python, "-m", "pip", "uninstall", "-qy", "adai"], check=True, capture_output=True)
    if done.returncode:
        return {"faults": [done.stderr.strip()[-2000:]]}
    found = json.loads(done.stdout.splitlines()[-1])
    stored = [[check["id"], check["verdict"]] for check in ledger.checks(chapter)]
    faults = [f"{name} became {version}, was {before[name]}" for name, version in moved.items()]
    if found.pop("verdicts") != stored:
        faults.append("the checks' verdicts differ from the stored ones")
    return found | {"faults": faults}


def main() -> int:
    """Run the command line, and return 1 if a chapter has a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", type=Path)
    parser.add_argument("--python", default="python3.12", help="default: %(default)s")
    parser.add_argument("--environment", type=Path, help="one that is there already, made by this script")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = options.environment
        python = made / "bin/python" if made else _make_environment(options.python, Path(folder) / "colab")
        before, found = _versions(python), {}
        for chapter in [c.resolve() for c in options.chapters] or ledger.notebooks(ROOT):
            name = chapter.relative_to(ROOT).as_posix()
            found[name] = _open(chapter, python, before)
            times = (
                "{setup:6.1f} s of set-up, {rest:6.1f} s".format_map(found[name]) if "rest" in found[name] else "failed"
            )
            print(f"{name:36} {times}", *found[name]["faults"], sep="\n    ", flush=True)
    if options.out:
        listed = [line.lstrip("# ") for line in _LISTED.read_text().splitlines() if line.startswith("#")]
        report = {"list": " ".join(listed), "taken": before, "processor": processor(), "chapters": found}
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if any(result["faults"] for result in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
