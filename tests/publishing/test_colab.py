"""A chapter that is opened on its own, as on Colab, fetches the book and keeps the packages that are there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from publishing import ROOT, address


def checkout(to: Path) -> Path:
    """Copy the working tree's files into a repository of their own, and return it."""
    for path in address.project_files(ROOT):
        (to / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to / path.relative_to(ROOT))
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *command], cwd=to, check=True)
    return to


RUN = """
import nbclient, nbformat
notebook = nbformat.read("digits.ipynb", 4)
nbclient.NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="here").execute()
nbformat.write(notebook, "ran.ipynb")
"""


@pytest.mark.skipif(shutil.which("git") is None, reason="the set-up cell clones the book, with git")
def test_a_chapter_runs_alone_in_an_empty_folder_as_on_colab(tmp_path):
    source = checkout(tmp_path / "published")
    # Colab has torch, numpy and the rest, but not adai: packages on the path, without their .pth files.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "colab"], check=True)
    (site,) = (tmp_path / "colab/lib").glob("python*/site-packages")
    ours = next(p for p in sys.path if p.endswith("site-packages"))
    (site / "preinstalled.pth").write_text(ours)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(ROOT / "book/start/digits.ipynb", alone)
    python = tmp_path / "colab/bin/python"
    environment = {**os.environ, "ADAI_SOURCE": str(source), "PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
    missing = subprocess.run([python, "-c", "import adai"], env=environment, cwd=alone, capture_output=True)
    assert missing.returncode, "the test's Colab already has adai"
    before = subprocess.run([python, "-m", "pip", "freeze"], env=environment, cwd=alone, capture_output=True, text=True)
    kernel = {**environment, "JUPYTER_PATH": str(_kernel(tmp_path, python))}
    run = subprocess.run([python, "-c", RUN], env=kernel, cwd=alone, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    after = subprocess.run([python, "-m", "pip", "freeze"], env=environment, cwd=alone, capture_output=True, text=True)
    kept = re.compile(r"^(torch|numpy|matplotlib)==.*$", re.M)
    assert kept.findall(before.stdout) and kept.findall(before.stdout) == kept.findall(after.stdout)
    assert list(site.glob("adai-*.dist-info")), "the set-up did not install the package"
    ran = [c.outputs for c in nbformat.read(alone / "ran.ipynb", as_version=4).cells if c.cell_type == "code"]
    assert "| Adai | 10 |" in str(ran), "the chapter did not find its records"


def _kernel(folder: Path, python: Path) -> Path:
    """Write a kernel called 'here' that runs another environment's Python, and return the folder that Jupyter needs."""
    spec = folder / "jupyter/kernels/here/kernel.json"
    spec.parent.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": command, "display_name": "here", "language": "python"}))
    return folder / "jupyter"
