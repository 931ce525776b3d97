"""Every experiment of the list runs end to end at smoke scale, and none of them destroys memory."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adai.experiments.registry import EXPERIMENTS

CHECKED = {
    "LD_PRELOAD": "libc_malloc_debug.so.0",  # glibc's; elsewhere there is nothing to load, and nothing is checked
    "MALLOC_CHECK_": "3",
    # It was oneDNN's code for AVX2 that destroyed memory; a processor with AVX-512 would run other code.
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture(scope="module")
def walker(tmp_path_factory):
    """A process that makes one run after another."""
    command = [sys.executable, str(Path(__file__).with_name("walker.py"))]
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        command, cwd=tmp_path_factory.mktemp("walk"), env=os.environ | CHECKED | {"PYTHONPATH": paths},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield process
        process.stdin.close()


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_runs_from_its_name_to_its_record(walker, experiment):
    walker.stdin.write(f"{experiment}\n")
    walker.stdin.flush()
    answer = walker.stdout.readline()
    assert answer, "the walker itself has died"
    made = json.loads(answer)
    died = f"killed by {signal.Signals(-made['code']).name}" if made["code"] < 0 else f"exit code {made['code']}"
    assert made["code"] == 0, f"{experiment}: {died}\n{made['printed']}"
