"""Many runs side by side: one that dies takes no other with it."""

import os
from pathlib import Path

import pytest

from adai import records
from adai.experiments import registry
from adai.records import RecordError, Spec
from adai.running.sweep import sweep

SPECS = registry.specs("digits", "smoke")
assert len(SPECS) == 6


def die_for_seed_1(spec: Spec, folder: Path, device: str) -> str:
    """Stands for a run: kills its process, or raises, at seed 1."""
    if spec.seed == 1 and spec.optimizer == "sgd":
        os._exit(9)
    if spec.seed == 1 and spec.optimizer == "adam":
        raise RecordError("no such thing")
    return f"{device} {os.getpid()}"


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_and_failing_runs_end_only_themselves(tmp_path, jobs):
    results = dict(sweep(SPECS, tmp_path, [f"gpu{job}" for job in range(jobs)], work=die_for_seed_1))
    assert results.keys() == SPECS.keys()
    failed = {name: type(result).__name__ for name, result in results.items() if isinstance(result, BaseException)}
    assert failed == {"digits/sgd/1": "BrokenProcessPool", "digits/adam/1": "RecordError"}
    # One process for many runs, since importing torch costs more than a small run; one more for the one killed.
    processes = {result.split()[1] for result in results.values() if isinstance(result, str)}
    assert len(processes) <= jobs + 1 and str(os.getpid()) not in processes
    # A device has one process at a time, also after one was killed.
    devices = {result.split()[0] for result in results.values() if isinstance(result, str)}
    assert devices <= {f"gpu{job}" for job in range(jobs)}


def test_runs_file_the_records_that_they_yield(tmp_path):
    two = dict(list(SPECS.items())[:2])
    results = dict(sweep(two, tmp_path, ["cpu"] * 2))
    filed = {record.spec.hash: record for record in records.load("digits", scale="smoke", folder=tmp_path)}
    assert filed == {two[name].hash: result for name, result in results.items()}


def test_nothing_to_do_is_done(tmp_path):
    assert list(sweep({}, tmp_path, ["cpu"])) == []
