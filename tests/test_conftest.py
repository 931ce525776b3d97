"""A run of the tests in which a test dies, or hangs, ends soon, and names it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OTHERS = """
import time, pytest
@pytest.mark.parametrize("number", range(20))
def test_other(number):
    time.sleep({})
"""
AFTER = """
import os
class Late:
    def pytest_sessionfinish(self): os.abort()
def test_culprit(request): request.config.pluginmanager.register(Late())
"""
# The one dies when the other worker is about to end, where xdist once waited for ever; the other when it is busy.
CULPRITS = {
    "dies": ("import os, time\ndef test_culprit(): time.sleep(1); os.abort()", 0.05, "Fatal Python error: Aborted"),
    "hangs": ("import time\ndef test_culprit(): time.sleep(600)", 1, "in test_culprit"),
}


@pytest.mark.parametrize(("source", "pause", "said"), CULPRITS.values(), ids=CULPRITS)
def test_a_run_in_which_a_test_dies_or_hangs_ends_and_names_it(tmp_path, source, pause, said):
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "test_culprit.py").write_text(source)
    (tmp_path / "test_others.py").write_text(OTHERS.format(pause))
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", "-o", "faulthandler_timeout=4", "."]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=90)
    assert run.returncode == 1
    assert said in run.stderr + run.stdout
    assert "FAILED test_culprit.py::test_culprit" in run.stdout
    assert "1 failed" in run.stdout and "FAILED test_others" not in run.stdout


def test_a_run_in_which_a_worker_dies_after_its_last_test_is_red(tmp_path):
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_culprit.py").write_text(AFTER)
    command = [sys.executable, "-m", "pytest", "-n", "1", "."]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=90)
    assert "1 passed" in run.stdout and run.returncode == 1
