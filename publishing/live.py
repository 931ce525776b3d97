"""The files with which a chapter's cells run in the reader's browser: Pyodide, SymPy, and this package.

python -m publishing.live   fetches Pyodide and SymPy into _build/live; each later build puts them into the site

Nothing of them is committed, and the book builds without them. What is fetched is pinned by its hash: Pyodide's core
comes from npm, SymPy from the package index as any requirement does. NumPy for Pyodide is in neither.
"""

import base64
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from publishing import ROOT

FETCHED = ROOT / "_build/live"
SCRIPTS = ROOT / "book/_live"
CHAPTERS = (
    "book/diffusion/sgd",
    "book/diffusion/momentum",
    "book/diffusion/kramers",
    "book/diffusion/adam",
    "book/inertia/adai",
    "book/inertia/convergence",
)
"""The chapters most of whose cells and checks need SymPy alone; `tests/publishing/test_kernel.py` tries them."""

PYODIDE = "pyodide@314.0.6"
PYODIDE_SHA512 = "BKDTJyIqFxC4BExLqeRS3f5xvXZIjOt8C3zGLN/Cc7tFxSwvKVhVkchQQ2AGLOtR4YrVOIFxbV8poyDOOmWwxQ=="
PYODIDE_FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
WHEELS = """\
sympy==1.14.0 --hash=sha256:e091cc3e99d2141a0ba2847328f5479b05d94a6635cb96148ccb3f34671bd8f5
mpmath==1.3.0 --hash=sha256:a0b2b9fe80bbcd81a6647ff13108738cfb482d481d826cc0e02f5b35e5c88d2c
"""
"""SymPy as in requirements.txt, so that the browser shows what the chapters store."""
PINS = f"{PYODIDE} --hash=sha512:{PYODIDE_SHA512}\n{WHEELS}"


def fetch() -> None:
    """Puts Pyodide and SymPy into `FETCHED`, all of it or nothing.

    Raises:
        FileNotFoundError: if there is no npm.
        ValueError: if what npm sent is not what was pinned.
        subprocess.CalledProcessError: if npm or pip cannot get what is pinned.
    """
    FETCHED.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FETCHED.parent) as partial:
        folder = Path(partial, "live")
        folder.mkdir()
        with tarfile.open(fileobj=io.BytesIO(_pyodide(Path(partial)))) as package:
            for name in (*PYODIDE_FILES, "pyodide-lock.json"):
                (folder / name).write_bytes(package.extractfile(f"package/{name}").read())
        lock = folder / "pyodide-lock.json"  # names packages of a host that is never asked
        lock.write_text(json.dumps(json.loads(lock.read_text()) | {"packages": {}}))
        _sympy(Path(partial), folder / "sympy.zip")
        (folder / "pins.txt").write_text(PINS)
        shutil.rmtree(FETCHED, ignore_errors=True)
        folder.rename(FETCHED)


def _pyodide(folder: Path) -> bytes:
    """Pyodide's package, as npm packs it."""
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is missing, which fetches Pyodide (Debian: apt install npm)")
    subprocess.run([npm, "pack", "--silent", PYODIDE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (package,) = folder.glob("*.tgz")
    return pinned(PYODIDE, package.read_bytes(), PYODIDE_SHA512)


def pinned(name: str, data: bytes, sha512: str) -> bytes:
    """The data themselves.

    Raises:
        ValueError: if they are not what was pinned.
    """
    found = base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != sha512:
        raise ValueError(f"{name}: its SHA-512 is {found}, expected {sha512}; nothing was kept")
    return data


def _sympy(folder: Path, archive: Path) -> None:
    """SymPy and mpmath in one archive, without their tests."""
    (folder / "wheels.txt").write_text(WHEELS)
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", folder, "-r", folder / "wheels.txt"]
    subprocess.run([sys.executable, "-m", "pip", "download", "-qq", *options], check=True)
    members = []
    for wheel in sorted(folder.glob("*.whl")):
        with ZipFile(wheel) as source:
            members += [(name, source.read(name)) for name in source.namelist() if "/tests/" not in name]
    _archive(archive, members)


def _archive(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """An archive whose bytes depend on its members alone."""
    with ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(ZipInfo(name), data, ZIP_DEFLATED, compresslevel=9)


def is_fetched() -> bool:
    """Whether what is pinned lies in `FETCHED`, so that the site can have live cells."""
    pins = FETCHED / "pins.txt"
    return pins.is_file() and pins.read_text() == PINS


def assemble(target: Path) -> None:
    """Puts into the site all that a page with live cells asks for: what was fetched, our scripts, this package."""
    target.mkdir(parents=True, exist_ok=True)
    for file in (*FETCHED.iterdir(), *SCRIPTS.iterdir()):
        (target / file.name).write_bytes(file.read_bytes())
    modules = {module.relative_to(ROOT).as_posix(): module for module in sorted((ROOT / "adai").rglob("*.py"))}
    modules["kernel.py"] = Path(__file__).with_name("kernel.py")
    _archive(target / "adai.zip", [(name, module.read_bytes()) for name, module in modules.items()])


if __name__ == "__main__":
    if not is_fetched():
        print("Fetching Pyodide and SymPy …", flush=True)
        fetch()
