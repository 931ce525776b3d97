"""A build of what changed gives the same site as a clean one, byte for byte."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from publishing import ROOT

PAGES = {
    "welcome": "# Welcome\n",
    "one": "# One\n\n$$a = b$$ (eq:1)\n\n:::{prf:theorem}\n:label: thm:1\nTrue.\n:::\n",
    "two": "# Two\n\n{eq}`eq:1` of [](one.md) shows {prf:ref}`thm:1`.\n\n:::{exercise}\n:label: do\nDo it.\n:::\n",
    "three": "# Three\n\nNobody links to {ref}`do <do>`, or {numref}`do`.\n",
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Write a book of four pages with our settings, but without the API page."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    sphinx = config["sphinx"]
    sphinx["extra_extensions"].remove("autoapi.extension")
    sphinx["local_extensions"] = {"publishing.site": str(ROOT)}
    sphinx["config"] = {key: value for key, value in sphinx["config"].items() if not key.startswith("auto")}
    toc = {
        "format": "jb-book",
        "root": "book/welcome",
        "chapters": [{"file": f"book/{n}"} for n in ("one", "two", "three")],
    }
    for name in ("_static", "_templates"):
        shutil.copytree(ROOT / "book" / name, tmp_path / "book" / name)
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(config))
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    (tmp_path / "book/references.bib").touch()
    for name, text in PAGES.items():
        (tmp_path / f"book/{name}.md").write_text(text)
    return tmp_path


def build(book: Path) -> dict[str, bytes]:
    """Build once more, and return every file of the site by its name.

    Removed are marks by which browsers notice a changed style sheet, and words that the search finds nowhere any more.
    """
    program = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build", "-W", "-n", "--keep-going", str(book)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    files = {
        p.relative_to(book / "_build/html").as_posix(): p for p in (book / "_build/html").rglob("*") if p.is_file()
    }
    return {name: re.sub(rb'\?v=[0-9a-f]{8}|"\w+": \[\], ', b"", path.read_bytes()) for name, path in files.items()}


def change(book: Path, name: str, old: str, new: str) -> None:
    """Replace a text on a page."""
    page = book / f"book/{name}.md"
    page.write_text(page.read_text().replace(old, new))


def test_a_build_of_what_changed_is_the_same_as_a_clean_one(small: Path) -> None:
    build(small)
    (small / "_build/html/book/gone.html").touch()  # left by a page that was taken out
    two = small / "_build/html/book/two.html"
    written = two.stat().st_mtime_ns
    change(small, "one", "True.", "True, and {eq}`eq:1` says why.")
    assert b"says why" in build(small)["book/one.html"] and two.stat().st_mtime_ns == written
    change(small, "one", "# One", "# Another one")
    change(small, "one", "$$a = b$$ (eq:1)", "")
    change(small, "three", "Nobody", "$$a = b$$ (eq:1)\n\nNobody")
    found = build(small)
    assert b"Another one" in found["book/two.html"] and b'three.html#equation-eq-1"' in found["book/two.html"]
    shutil.rmtree(small / "_build")
    clean = build(small)
    assert {name for name in found.keys() | clean.keys() if found.get(name) != clean.get(name)} == set()
