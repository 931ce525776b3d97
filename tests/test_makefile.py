"""`make` on a machine that lacks something says what, in one line, and leaves nothing half made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def make(tmp_path):
    """Runs a target of our Makefile in a bare copy, with stand-ins for some programs."""
    (tmp_path / "adai").mkdir()
    (tmp_path / "book").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, tmp_path)

    def run(target: str, *variables: str, **programs: str) -> subprocess.CompletedProcess:
        for name, script in programs.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["make", "-s", target, *variables],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
        )

    return run


def python_failing(probe: str) -> str:
    """A Python that is like ours but for one question of the Makefile."""
    return f'case "$*" in *{probe}*) exit 1;; *) exec {sys.executable} "$@";; esac'


FULL = "echo Filesystem; echo /dev/full 9 9 1000 99% /"
MISSING = {
    "no python": (["PYTHON=none"], {}, "Python is missing: install Python 3.11"),
    "old python": (["PYTHON=old"], {"old": python_failing("version_info")}, "is too old: Python 3.11"),
    "no venv": (["PYTHON=bare"], {"bare": python_failing("ensurepip")}, "apt install python3-venv"),
    "no disk": ([], {"df": FULL}, "The disk is full: 0 GB free here, 1 GB are needed"),
}


@pytest.mark.parametrize("target", ["book", "test"])
@pytest.mark.parametrize(("variables", "programs", "said"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_said_in_one_line(make, target, variables, programs, said):
    run = make(target, *variables, **programs)
    lines = [line for line in (run.stdout + run.stderr).splitlines() if not line.startswith("make")]
    assert run.returncode != 0
    assert len(lines) == 1 and said in lines[0], lines


def test_an_oldest_python_that_uv_cannot_get_is_named_in_one_line(make, tmp_path):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for made in (".venv/.python", ".venv/.site", ".venv/.full"):
        (tmp_path / made).touch()
    run = make("test-oldest", **{".venv/bin/uv": "echo no interpreter >&2; exit 2"})
    lines = [line for line in (run.stdout + run.stderr).splitlines() if not line.startswith("make")]
    assert run.returncode != 0
    assert lines == ["Python 3.10 is missing, and could not be fetched: put it on the PATH"]


TOOLS = {"latexmk": ":", "xelatex": ":", "rsvg-convert": ":", "kpsewhich": ":", "fc-list": "echo DejaVu"}
UNFIT = {
    "no package": ({"kpsewhich": 'case "$1" in *.otf) exit 1;; esac'}, "texgyrepagella-regular.otf is missing"),
    "no font": ({"fc-list": ":"}, "the font DejaVu Sans Mono is missing"),
}


@pytest.mark.parametrize(("programs", "said"), UNFIT.values(), ids=UNFIT)
def test_without_tex_the_packages_to_install_are_named_before_anything_is_built(make, programs, said):
    run = make("pdf", **TOOLS | programs)
    assert run.returncode != 0
    assert said in run.stdout and "apt install latexmk texlive-xetex" in run.stdout
    assert "Installing" not in run.stdout


LOGS = {
    "": (0, "The PDF is built"),
    "Missing character: There is no X in font Y": (2, "There is no X in font Y"),
    "LaTeX Warning: Reference `x' on page 1 undefined": (2, "Reference `x'"),
}


@pytest.mark.parametrize(("log", "outcome"), LOGS.items(), ids=["well", "no glyph", "no reference"])
def test_the_pdf_appears_only_where_tex_set_everything(make, tmp_path, log, outcome):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / "_build/html").mkdir(parents=True)
    (tmp_path / "_build/latex").mkdir(parents=True)
    (tmp_path / "_build/latex/adai-book.log").write_text(log)
    (tmp_path / ".venv/bin/jupyter-book").write_text("#!/bin/sh\n")
    (tmp_path / ".venv/bin/jupyter-book").chmod(0o755)
    for made in (".venv/.python", ".venv/.site", "_build/html/.built"):
        (tmp_path / made).touch()
    run = make("pdf", **TOOLS | {"latexmk": "echo %PDF > adai-book.pdf"})
    status, said = outcome
    assert (run.returncode, said in run.stdout) == (status, True), run.stdout + run.stderr
    assert (tmp_path / "_build/html/downloads/adai-book.pdf").is_file() == (status == 0)


def test_the_lock_holds_what_both_builds_of_torch_satisfy():
    pins = (ROOT / "requirements.txt").read_text().split()
    assert all("==" in pin for pin in pins)
    assert not [pin for pin in pins if "+" in pin or pin.startswith(("nvidia", "triton", "cuda"))]
    assert {"torch", "jupyter-book", "nbval", "sympy", "matplotlib", "numpy"} <= {pin.split("==")[0] for pin in pins}
