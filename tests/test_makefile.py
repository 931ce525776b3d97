"""`make`: one line says what a machine lacks, two at once do not meet, and it does again only what changed."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

from publishing import ROOT
from publishing.make import progress

LOCKS = ("requirements.txt", "requirements-site.txt")


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a target of our Makefile in a bare copy, with stand-ins for some programs."""
    folder = tmp_path / "ein Büchlein"
    (folder / "publishing").mkdir(parents=True)
    for name in ("adai", "book"):
        (folder / name).mkdir()
    for name in ("Makefile", "publishing/make.py", "pyproject.toml", *LOCKS, "_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, folder / name)

    def run(target: str, *variables: str, **programs: str) -> subprocess.Popen:
        for name, script in programs.items():
            put(folder / name, script)
        path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(
            ["make", "-s", target, *variables],
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    run.folder = folder
    return run


@pytest.fixture
def make(start):
    """Return a function that runs such a target to its end."""

    def run(*arguments: str, **programs: str) -> subprocess.CompletedProcess:
        started = start(*arguments, **programs)
        said = started.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, started.returncode, *said)

    return run


def put(program: Path, script: str) -> None:
    """Write a stand-in and rename it into place: a running program cannot be overwritten."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.with_suffix(".new").write_text(f"#!/bin/sh\n{script}\n")
    program.with_suffix(".new").chmod(0o755)
    program.with_suffix(".new").rename(program)


@pytest.fixture
def book(start):
    """Return the bare copy as if everything were installed, with two pages and a builder that only notes its calls."""
    for made in (".venv/.python", ".venv/.site", ".venv/.full", "book/one.md", "book/two.md"):
        (start.folder / made).parent.mkdir(exist_ok=True)
        (start.folder / made).touch()
    put(start.folder / ".venv/bin/jupyter-book", 'mkdir -p _build/html; echo "$*" >> calls')
    return start.folder


def calls(book: Path) -> list[str]:
    """Return the arguments of each call of the bare copy's builder."""
    return (book / "calls").read_text().splitlines() if (book / "calls").exists() else []


def save(file: Path) -> None:
    """Date a file two seconds ahead, so that make sees the change even where it knows whole seconds only."""
    os.utime(file, (time.time() + 2, time.time() + 2))


def wait_until(happened) -> None:
    """Wait for something that another process does; fail after ten seconds."""
    for _ in range(1000):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen in ten seconds")


def python_failing(probe: str) -> str:
    """Return a stand-in for Python that fails one probe of the Makefile, and otherwise is ours."""
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


def test_an_oldest_python_that_uv_cannot_get_is_named_in_one_line(make, book):
    run = make("test-oldest", "PYTHON_OLDEST=3.0", **{".venv/bin/uv": "echo no interpreter >&2; exit 2"})
    lines = [line for line in (run.stdout + run.stderr).splitlines() if not line.startswith("make")]
    assert run.returncode != 0
    assert len(lines) == 1 and lines[0].startswith("Python 3.0 is missing, and could not be fetched: ")


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
def test_the_pdf_appears_only_where_tex_set_everything(make, book, log, outcome):
    (book / "_build/latex").mkdir(parents=True)
    (book / "_build/latex/adai-book.log").write_text(log)
    run = make("pdf", **TOOLS | {"latexmk": "echo %PDF > adai-book.pdf"})
    status, said = outcome
    assert (run.returncode, said in run.stdout) == (status, True), run.stdout + run.stderr
    assert (book / "_build/html/downloads/adai-book.pdf").is_file() == (status == 0)


def test_only_what_changed_is_built_again(make, book):
    first, again = make("book"), make("book")
    assert (first.returncode, again.returncode, len(calls(book))) == (0, 0, 1)
    save(book / "book/one.md")
    make("book")
    save(book / "_config.yml")
    make("book")
    assert ["--all" in call for call in calls(book)] == [True, False, True]


def test_what_is_saved_while_the_book_is_built_is_built_next_time(make, book):
    put(book / ".venv/bin/jupyter-book", "mkdir -p _build/html; sleep 1; touch book/one.md; echo $* >> calls")
    make("book")
    make("book")
    assert len(calls(book)) == 2


def test_after_a_build_that_failed_the_next_starts_afresh(make, book):
    make("book")
    builder = (book / ".venv/bin/jupyter-book").read_text()
    save(book / "book/one.md")
    put(book / ".venv/bin/jupyter-book", "echo WARNING: one.md is broken; exit 1")
    failed = make("book")
    assert failed.returncode and "one.md is broken" in failed.stdout and "The book is built" not in failed.stdout
    put(book / ".venv/bin/jupyter-book", builder)
    make("book")
    assert ["--all" in call for call in calls(book)] == [True, True]


def test_the_printed_address_opens_where_the_path_has_spaces(make, book):
    address = make("book").stdout.strip().removeprefix("The book is built: open file://")
    assert " " not in address and unquote(address) == str(book / "_build/html/index.html")


SLOW = "mkdir -p _build/html; echo $* >> calls; until [ -e go ]; do sleep 0.02; done"


def test_of_two_makes_the_second_says_that_it_waits_and_finds_nothing_left_to_do(start, book):
    put(book / ".venv/bin/jupyter-book", SLOW)
    first = start("book")
    wait_until(lambda: calls(book))
    second = start("book")
    assert "waiting" in second.stdout.readline()
    (book / "go").touch()
    assert (first.wait(60), second.wait(60)) == (0, 0)
    assert len(calls(book)) == 1


def test_a_make_that_is_killed_holds_up_no_other(start, make, book):
    put(book / ".venv/bin/jupyter-book", SLOW)
    first = start("book")
    wait_until(lambda: calls(book))
    os.killpg(first.pid, signal.SIGKILL)
    first.wait(60)
    (book / "go").touch()
    second = make("book")
    assert (second.returncode, "waiting" in second.stdout, len(calls(book))) == (0, False, 2)


def test_an_installation_waits_too_and_is_done_once(start, book):
    (book / ".venv/.full").unlink()
    put(book / ".venv/bin/python", f'case "$2" in install) {SLOW};; esac')
    first = start(".venv/.full")
    wait_until(lambda: calls(book))
    second = start(".venv/.full")
    while "waiting" not in second.stdout.readline():
        assert second.poll() is None
    (book / "go").touch()
    assert (first.wait(60), second.wait(60)) == (0, 0)
    assert len(calls(book)) == 2, "the requirements, and the package"


def test_an_installation_that_fails_shows_why_and_does_not_look_done(make, book, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (book / ".venv/.full").unlink()
    (book / "requirements.txt").write_text("no-such-package")
    put(book / ".venv/bin/python", f'exec {sys.executable} "$@"')
    run = make(".venv/.full")
    assert run.returncode and "ERROR: No matching distribution found for no-such-package" in run.stderr
    assert not (book / ".venv/.full").exists()


def test_what_the_oldest_versions_are_not_tested_with_exists():
    database = subprocess.run(["make", "-pRrqn", "book"], cwd=ROOT, capture_output=True, text=True).stdout
    left_out = re.search(r"^OF_THE_SITE := (.+)$", database, re.M)[1].split()
    assert [name for name in left_out if not (ROOT / "tests" / name).exists()] == []


def test_a_long_installation_says_how_far_it_is():
    output = "Collecting numpy==2.4 (from -r requirements.txt)\n  Downloading numpy-2.4-cp311.whl (16.3 MB)\n"
    assert progress(output, 0) == "  packages found: 1, now numpy==2.4 (16.3 MB)"
    assert progress(output + "Installing collected packages: six, numpy, torch\n", 2) == "  packages installed: 2 of 3"


def test_a_port_that_is_taken_is_named_and_nothing_is_served(make, book):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        put(book / ".venv/bin/python", f'exec {sys.executable} "$@"')
        run = make("serve", f"PORT={port}")
    assert run.returncode and f"Port {port} cannot be had" in run.stderr and "PORT=" in run.stderr
    assert "Serving" not in run.stdout and not calls(book)


def test_the_locks_agree_and_hold_what_both_builds_of_torch_satisfy():
    pins, hashed = (ROOT / LOCKS[0]).read_text().split(), (ROOT / LOCKS[1]).read_text()
    assert all("==" in pin for pin in pins)
    assert not [pin for pin in pins if "+" in pin or pin.startswith(("nvidia", "triton", "cuda"))]
    site = re.findall(r"^(\S+==\S+)(?: ; .*)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", hashed, re.M)
    here = {pin for pin, _ in site if not re.search(rf"^{re.escape(pin)} ;", hashed, re.M)}
    assert len(site) == hashed.count("==") - hashed.count(" == ") and here <= set(pins)
    assert {"torch", "jupyter-book", "nbval", "sympy", "matplotlib", "numpy"} <= {pin.split("==")[0] for pin in pins}
