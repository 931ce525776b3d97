"""The wheel holds what runs where it is installed, extras bring what their parts import, facts stand once."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import tomllib
import yaml

import adai
from adai.__main__ import EXTRAS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BRINGS = {
    "optim": None,
    "records": None,
    "theory": "theory",
    "data": "experiments",
    "models": "experiments",
    "training": "experiments",
    "experiments": "experiments",
    "running": "ray",
    "book": "book",
}
"""The extra that each part of the package needs beside torch."""
WITH_OTHERS = {"IPython": "ipykernel", "matplotlib_inline": "ipykernel", "cycler": "matplotlib", "mpmath": "sympy"}
"""What comes with a requirement that is named."""
DISTRIBUTION = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"} | WITH_OTHERS


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this tree, unpacked."""
    pytest.importorskip("flit_core", reason="flit_core builds the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    program = "import sys; from flit_core.buildapi import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", program, folder], cwd=ROOT, capture_output=True, text=True, check=True)
    with zipfile.ZipFile(folder / done.stdout.strip()) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def run(wheel, *arguments: str) -> subprocess.CompletedProcess:
    """Run Python where the wheel is installed, in a folder that holds nothing else."""
    elsewhere = wheel.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(wheel)}
    return subprocess.run([sys.executable, *arguments], cwd=elsewhere, env=environment, capture_output=True, text=True)


def test_it_holds_the_package_and_nothing_else(wheel):
    files = {path.relative_to(wheel) for path in wheel.rglob("*") if path.is_file()}
    package = {
        path.relative_to(ROOT) for path in (ROOT / "adai").rglob("*") if path.suffix in (".py", ".typed", ".cpp", ".md")
    }
    assert {file for file in files if not file.parts[0].endswith(".dist-info")} == package
    assert Path("adai/py.typed") in files


def test_its_metadata_say_licence_and_version(wheel):
    (metadata,) = wheel.glob("*.dist-info/METADATA")
    assert "License-Expression: MIT\n" in metadata.read_text() and "License-File: LICENSE\n" in metadata.read_text()
    assert f"\nVersion: {adai.__version__}\n" in metadata.read_text()


def test_the_version_stands_in_one_place_and_the_citation_has_it():
    assert "version" in PROJECT["dynamic"] and "version" not in PROJECT
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == adai.__version__
    assert f"\n## {adai.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_the_command_is_the_modules_main():
    command = EntryPoint("adai", PROJECT["scripts"]["adai"], "console_scripts").load()
    with pytest.raises(SystemExit, match="0"):
        command(["--help"])


@pytest.mark.parametrize(
    "arguments", [("ledger",), ("records", "check"), ("sweep", "digits"), ("run", "digits/adai/0"), ("run", "escape")]
)
def test_without_a_book_a_command_that_needs_it_says_so(wheel, arguments):
    done = run(wheel, "-m", "adai", *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(r"adai: error: there is no book here: .*\n", done.stderr)


def test_without_a_book_a_run_trains_into_a_folder_that_is_named(wheel):
    done = run(wheel, "-m", "adai", "run", "digits/adai/0", "--scale", "smoke", "--out", "runs")
    assert done.returncode == 0, done.stderr
    assert list((wheel.parent / "elsewhere/runs/digits").glob("*.json"))


def packages(extra: str | None) -> set[str]:
    """The distributions that an extra brings, with those of the extras that it names, and torch."""
    found, waiting = set(), list(PROJECT["dependencies"])
    waiting += PROJECT["optional-dependencies"][extra] if extra else []
    while waiting:
        requirement = waiting.pop()
        if own := re.fullmatch(r"adai\[(.+)\]", requirement):
            waiting += [one for name in own[1].split(",") for one in PROJECT["optional-dependencies"][name]]
        else:
            found.add(re.match(r"[\w-]+", requirement)[0])
    return found


def test_the_command_knows_what_each_extra_brings():
    extras = PROJECT["optional-dependencies"]
    named = {extra: {DISTRIBUTION.get(module, module) for module in modules} for extra, modules in EXTRAS.items()}
    brought = {extra: {re.match(r"[\w-]+", one)[0] for one in needed} - {"adai"} for extra, needed in extras.items()}
    assert named == brought


@pytest.mark.parametrize("part", BRINGS)
def test_an_extra_brings_what_its_part_imports(part):
    imported = set()
    for path in (ROOT / "adai" / part).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            imported |= {name.split(".")[0] for name in names}
    imported -= {"adai", "google", *sys.stdlib_module_names}  # google.colab is there or is not asked for
    assert {DISTRIBUTION.get(name, name) for name in imported} <= packages(BRINGS[part])


def test_every_part_has_its_extra():
    assert {path.name for path in (ROOT / "adai").iterdir() if (path / "__init__.py").exists()} == BRINGS.keys()


def test_make_builds_the_version_that_a_tag_names_and_no_other(tmp_path):
    """With stand-ins for what builds and looks at it; the release's notes are the changelog's."""
    for name in ("Makefile", "requirements.txt", "adai/__init__.py", "CHANGELOG.md", "publishing/make.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/.python").touch()
    for program in ("python", "uv"):
        (tmp_path / ".venv/bin" / program).write_text(f'#!/bin/sh\necho "{program} $*" >> calls\n')
        (tmp_path / ".venv/bin" / program).chmod(0o755)

    def make(tag: str) -> subprocess.CompletedProcess:
        return subprocess.run(["make", "-s", "wheel", f"TAG={tag}"], cwd=tmp_path, capture_output=True, text=True)

    wrong = make("v9.9")
    assert wrong.returncode != 0 and not (tmp_path / "calls").exists()
    assert wrong.stdout == f"The tag is v9.9, but adai.__version__ is {adai.__version__}\n"
    assert make(f"v{adai.__version__}").returncode == 0
    installed, built, looked_at = (tmp_path / "calls").read_text().splitlines()
    assert re.fullmatch(r"python publishing/make.py install uv==[\d.]+", installed) and built.startswith("uv build")
    assert re.search(r"twine==[\d.]+ check", looked_at)
    _, section = (ROOT / "CHANGELOG.md").read_text().split(f"\n## {adai.__version__}\n")
    assert (tmp_path / "_build/release-notes.md").read_text() == section.split("\n## ")[0]
