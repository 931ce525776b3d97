"""What the browser's Python is made of: pinned, whole or not there, and the same SymPy as everywhere."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from publishing import ROOT, live


def test_the_browsers_sympy_is_the_locks() -> None:
    lock = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = [line.split()[0] for line in live.WHEELS.splitlines()]
    assert set(pinned) <= set(lock), f"{pinned}: the lock has others; give live.WHEELS its versions, and their hashes"


def test_what_is_not_as_pinned_is_refused_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(live, "FETCHED", tmp_path / "_build/live")

    def pack(command: list[str], cwd: Path, **named: object) -> None:
        (cwd / "pyodide.tgz").write_bytes(b"something else")

    monkeypatch.setattr(live.shutil, "which", lambda program: program)
    monkeypatch.setattr(live.subprocess, "run", pack)
    with pytest.raises(ValueError, match=r"pyodide@[\d.]+: its SHA-512 is .*, expected .*; nothing was kept"):
        live.fetch()
    assert not any((tmp_path / "_build").iterdir()) and not live.is_fetched()


def test_what_was_fetched_for_other_pins_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(live, "FETCHED", tmp_path)
    (tmp_path / "pins.txt").write_text(live.PINS)
    assert live.is_fetched()
    monkeypatch.setattr(live, "PINS", live.PINS.replace("sympy==1", "sympy==2"))
    assert not live.is_fetched()


def test_the_site_gets_what_was_fetched_our_scripts_and_this_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(live, "FETCHED", tmp_path / "live")
    live.FETCHED.mkdir()
    (live.FETCHED / "pyodide.mjs").write_text("fetched")
    for target in (tmp_path / "a", tmp_path / "b"):
        live.assemble(target)
    names = {file.name for file in (tmp_path / "a").iterdir()}
    assert names == {"pyodide.mjs", "live.js", "worker.mjs", "adai.zip"}
    with ZipFile(tmp_path / "a/adai.zip") as package:
        assert {"adai/__init__.py", "kernel.py", "adai/theory/symbols.py"} <= set(package.namelist())
    assert (tmp_path / "a/adai.zip").read_bytes() == (tmp_path / "b/adai.zip").read_bytes()


def test_every_chapter_that_is_offered_live_is_one() -> None:
    assert [chapter for chapter in live.CHAPTERS if not (ROOT / f"{chapter}.ipynb").is_file()] == []
