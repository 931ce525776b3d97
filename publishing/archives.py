"""Two archives to download: the built site, and the notebooks with everything they run on.

python -m publishing.archives FOLDER   writes both into FOLDER, from the site in `_build/html`
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from adai.records import atomic_write
from publishing import ROOT

SITE, NOTEBOOKS = "adai-book-site.zip", "adai-book-notebooks.zip"
_LEFT_OUT = ("downloads", "_static/live")
"""Parts of the site that its archive lacks: the archives themselves, and live cells, which need a server."""
RUNS_ON = [
    *("README.md", "LICENSE", "LICENSE-text.md", "_config.yml"),
    *("pyproject.toml", "requirements.txt", "requirements-site.txt"),
    *("adai", "publishing", "book", "benchmarks"),
]
"""Files and folders that the notebooks need: the package, what installs it, the records, measured times."""


def pack_site(html: Path, target: Path) -> None:
    """Pack a built site for reading offline: unpack it and open `adai-book/index.html`.

    Raises:
        FileNotFoundError: if no site is built there.
    """
    if not (html / "index.html").is_file():
        raise FileNotFoundError(f"{html} holds no index.html: run `make book` first")
    left_out = {html / name for name in _LEFT_OUT}
    _pack(target, html, (file for file in _files(html) if left_out.isdisjoint(file.parents)))


def pack_notebooks(root: Path, target: Path) -> None:
    """Pack all notebooks with what they run on; `pip install -e ".[book]"` in its folder installs that.

    Raises:
        FileNotFoundError: naming what the checkout lacks.
    """
    for name in RUNS_ON:
        if not (root / name).exists():
            raise FileNotFoundError(f"{root} has no {name}, which the notebooks need: is it the book's checkout?")
    _pack(target, root, (file for name in RUNS_ON for file in _files(root / name)))


def _files(path: Path) -> Iterable[Path]:
    """Return a file itself, or all files of a folder except hidden ones and caches."""
    if path.is_file():
        return [path]
    return (
        file
        for file in path.rglob("*")
        if file.is_file()
        and not any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(path).parts)
    )


def _pack(target: Path, root: Path, files: Iterable[Path]) -> None:
    """Write files into a zip, under `adai-book/` with their paths below a folder."""
    write_zip(target, ((f"adai-book/{file.relative_to(root).as_posix()}", file.read_bytes()) for file in sorted(files)))


def write_zip(target: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a zip, complete or not at all, whose bytes depend on its members' names and contents only."""
    with atomic_write(target) as file, ZipFile(file, "w") as archive:
        for name, data in members:
            entry = ZipInfo(name)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, ZIP_DEFLATED, compresslevel=9)


def main(folder: Path) -> None:
    """Write both archives into a folder."""
    pack_site(ROOT / "_build/html", folder / SITE)
    pack_notebooks(ROOT, folder / NOTEBOOKS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
