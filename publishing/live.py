"""The files that run a chapter's cells in the reader's browser: Pyodide, SymPy, and this package.

python -m publishing.live   fetches Pyodide and SymPy into _build/live; each later build puts them into the site

None of them is committed, and the book builds without them. Downloads are pinned by hash: Pyodide's core comes from
npm, SymPy from the package index like any requirement. Neither has NumPy for Pyodide.
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
from pathlib import Path
from zipfile import ZipFile

from publishing import ROOT
from publishing.archives import write_zip

FETCHED = ROOT / "_build/live"
_SCRIPTS = ROOT / "book/_live"
CHAPTERS = (
    "book/diffusion/sgd",
    "book/diffusion/momentum",
    "book/diffusion/kramers",
    "book/diffusion/adam",
    "book/inertia/adai",
    "book/inertia/convergence",
)
"""The pages that can run in the browser: most of their cells and checks need only SymPy, as a test of each shows."""

_PYODIDE = "pyodide@314.0.6"
_PYODIDE_SHA512 = "BKDTJyIqFxC4BExLqeRS3f5xvXZIjOt8C3zGLN/Cc7tFxSwvKVhVkchQQ2AGLOtR4YrVOIFxbV8poyDOOmWwxQ=="
_PYODIDE_FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
WHEELS = """\
sympy==1.14.0 --hash=sha256:e091cc3e99d2141a0ba2847328f5479b05d94a6635cb96148ccb3f34671bd8f5
mpmath==1.3.0 --hash=sha256:a0b2b9fe80bbcd81a6647ff13108738cfb482d481d826cc0e02f5b35e5c88d2c
"""
"""SymPy as in requirements.txt, so that the browser shows what the chapters store."""
PINS = f"{_PYODIDE} --hash=sha512:{_PYODIDE_SHA512}\n{WHEELS}"


def fetch() -> None:
    """Download Pyodide and SymPy into `FETCHED`, all of it or nothing.

    Raises:
        FileNotFoundError: if there is no npm.
        ValueError: if npm sends another file than the pinned one.
        subprocess.CalledProcessError: if npm or pip cannot get what is pinned.
    """
    FETCHED.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FETCHED.parent) as partial:
        folder = Path(partial, "live")
        folder.mkdir()
        with tarfile.open(fileobj=io.BytesIO(_download_pyodide(Path(partial)))) as package:
            for name in (*_PYODIDE_FILES, "pyodide-lock.json"):
                file = package.extractfile(f"package/{name}")
                assert file, f"{name} is no file"
                (folder / name).write_bytes(file.read())
        lock = folder / "pyodide-lock.json"  # it names packages on another host, which no page may ask
        lock.write_text(json.dumps(json.loads(lock.read_text()) | {"packages": {}}))
        _download_sympy(Path(partial), folder / "sympy.zip")
        (folder / "pins.txt").write_text(PINS)
        shutil.rmtree(FETCHED, ignore_errors=True)
        folder.rename(FETCHED)


def _download_pyodide(folder: Path) -> bytes:
    """Return Pyodide's package, as npm packs it."""
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is missing, which fetches Pyodide (Debian: apt install npm)")
    subprocess.run([npm, "pack", "--silent", _PYODIDE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (package,) = folder.glob("*.tgz")
    return _require_hash(_PYODIDE, package.read_bytes(), _PYODIDE_SHA512)


def _require_hash(name: str, data: bytes, sha512: str) -> bytes:
    """Return the data if their SHA-512 is the pinned one.

    Raises:
        ValueError: if it is not.
    """
    found = base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != sha512:
        raise ValueError(f"{name}: its SHA-512 is {found}, expected {sha512}; nothing was kept")
    return data


def _download_sympy(folder: Path, archive: Path) -> None:
    """Write SymPy and mpmath into one archive, without their tests."""
    (folder / "wheels.txt").write_text(WHEELS)
    pip = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    subprocess.run([*pip, "--dest", folder, "-r", folder / "wheels.txt"], check=True)
    members = []
    for wheel in sorted(folder.glob("*.whl")):
        with ZipFile(wheel) as source:
            members += [(name, source.read(name)) for name in source.namelist() if "/tests/" not in name]
    write_zip(archive, members)


def is_fetched() -> bool:
    """Return whether `FETCHED` holds the pinned files, so that the site can have live cells."""
    pins = FETCHED / "pins.txt"
    return pins.is_file() and pins.read_text() == PINS


def assemble(target: Path) -> None:
    """Write all files that a page with live cells loads: what was fetched, our scripts, this package."""
    target.mkdir(parents=True, exist_ok=True)
    for file in (*FETCHED.iterdir(), *_SCRIPTS.iterdir()):
        (target / file.name).write_bytes(file.read_bytes())
    modules = {module.relative_to(ROOT).as_posix(): module for module in sorted((ROOT / "adai").rglob("*.py"))}
    modules["kernel.py"] = Path(__file__).with_name("kernel.py")
    write_zip(target / "adai.zip", [(name, module.read_bytes()) for name, module in modules.items()])


if __name__ == "__main__":
    if not is_fetched():
        print("Fetching Pyodide and SymPy …", flush=True)
        fetch()
