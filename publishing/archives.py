"""The book to take along: the built site as a zip, and the notebooks with all that they run on.

python -m publishing.archives FOLDER   writes both into FOLDER, from the site in `_build/html`
"""

import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from adai.records import atomic_write
from publishing import ROOT

SITE, NOTEBOOKS = "adai-book-site.zip", "adai-book-notebooks.zip"
LEFT_OUT = ("downloads", "_static/live")
"""Of the site: where it offers the archives, which do not hold each other, and what runs cells, which a file cannot."""
RUNS_ON = [
    *("README.md", "LICENSE", "LICENSE-text.md", "_config.yml"),
    *("pyproject.toml", "requirements.txt", "requirements-site.txt"),
    *("adai", "publishing", "book", "benchmarks"),
]
"""What the notebooks need: the package with what installs it, the records, measured times."""


def pack_site(html: Path, target: Path) -> None:
    """Packs a built site for reading offline: unpack it and open `adai-book/index.html`.

    Raises:
        FileNotFoundError: if no site is built there.
    """
    if not (html / "index.html").is_file():
        raise FileNotFoundError(f"{html} holds no index.html: run `make book` first")
    left_out = [html / name for name in LEFT_OUT]
    _pack(target, html, (p for p in _files(html) if not any(folder in p.parents for folder in left_out)))


def pack_notebooks(root: Path, target: Path) -> None:
    """Packs all notebooks with what they run on; `pip install -e ".[book]"` in its folder installs that.

    Raises:
        FileNotFoundError: naming what the checkout lacks.
    """
    for name in RUNS_ON:
        if not (root / name).exists():
            raise FileNotFoundError(f"{root} has no {name}, which the notebooks need: is it the book's checkout?")
    _pack(target, root, (p for name in RUNS_ON for p in _files(root / name)))


def _files(path: Path) -> Iterable[Path]:
    """A file, or all files of a folder but hidden ones and caches."""
    if path.is_file():
        return [path]
    return (
        file
        for file in path.rglob("*")
        if file.is_file()
        and not any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(path).parts)
    )


def _pack(target: Path, root: Path, files: Iterable[Path]) -> None:
    """Writes a zip, whole or not at all, whose bytes depend on the files' contents alone."""
    with atomic_write(target) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(files):
            entry = zipfile.ZipInfo(f"adai-book/{file.relative_to(root).as_posix()}")
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


def main(folder: Path) -> None:
    """Writes both archives."""
    pack_site(ROOT / "_build/html", folder / SITE)
    pack_notebooks(ROOT, folder / NOTEBOOKS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
