"""The archives: whole, the same bytes each time, and enough to read and to run what is in them."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from publishing import ROOT, address, archives


def unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder / "adai-book"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a built site, with files that do not belong in its archive."""
    for name in ("index.html", "_static/book.css", ".built", "downloads/adai-book.pdf", "_static/live/pyodide.mjs"):
        (tmp_path / "html" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "html" / name).write_text(name)
    return tmp_path / "html"


def test_the_site_is_packed_without_downloads_hidden_files_and_what_runs_cells(site: Path, tmp_path: Path) -> None:
    archives.pack_site(site, tmp_path / "site.zip")
    folder = unpacked(tmp_path / "site.zip", tmp_path / "read")
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {"index.html", "_static/book.css"}
    assert (folder / "index.html").read_text() == "index.html"


def test_packed_twice_it_is_the_same(site: Path, tmp_path: Path) -> None:
    archives.pack_site(site, tmp_path / "first.zip")
    os.utime(site / "index.html", (1, 1))
    archives.pack_site(site, tmp_path / "second.zip")
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_a_site_that_was_not_built_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run `make book` first"):
        archives.pack_site(tmp_path, tmp_path / "site.zip")
    with pytest.raises(FileNotFoundError, match=r"no README\.md"):
        archives.pack_notebooks(tmp_path, tmp_path / "notebooks.zip")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the notebooks' archive, unpacked."""
    where = tmp_path_factory.mktemp("notebooks")
    archives.pack_notebooks(ROOT, where / "notebooks.zip")
    return unpacked(where / "notebooks.zip", where)


def test_the_whole_book_and_its_package_are_there(folder: Path) -> None:
    names = [path.relative_to(ROOT) for path in address.project_files(ROOT)]
    needed = [name for name in names if name.parts[0] in archives.RUNS_ON]
    assert needed and [name for name in needed if not (folder / name).is_file()] == []
    assert not list(folder.rglob("__pycache__"))


def test_a_chapter_runs_there_and_earns_the_same_checks(folder: Path) -> None:
    command = [sys.executable, "-m", "publishing.notebooks", "--checks", "book/start/primer.ipynb"]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
