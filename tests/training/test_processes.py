"""Signals that stop a run, and the processes of torchrun, which make one run together."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from adai import records
from adai.training import train
from adai.training.processes import interrupted_by_sigterm, stop_signal


def test_sigterm_sets_the_event_and_has_its_old_meaning_again_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with stop_signal() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(timeout=10)
    assert signal.getsignal(signal.SIGTERM) is before


def test_sigterm_interrupts_as_ctrl_c_does():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interrupted_by_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(timeout=10)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_in_a_thread_leaves_signals_alone(spec_of):
    """Python lets only the main thread handle them; a notebook's server may train in another."""
    found = []
    thread = threading.Thread(target=lambda: found.append(train(spec_of("sgd"))))
    thread.start()
    thread.join()
    assert found[0].curves == train(spec_of("sgd")).curves


def test_two_processes_make_the_run_of_one(spec_of, tmp_path):
    # Batches of 32 and a last one of 20 digits, then of 21, which two processes share unevenly. The second run is told
    # to stop, in one of the processes alone, and both stop; then they go on with it.
    specs = [spec_of("adai", epochs=4, dataset_options={"limit": limit}) for limit in (116, 117)]
    (tmp_path / "run.py").write_text(
        """
import json, os, pathlib, signal, sys
from adai import training
from adai.records import Spec
from adai.training.processes import process_group

folder = pathlib.Path(sys.argv[2])
step, count = training.Run.step, 0

def stopping_step(run, batch):
    global count
    count += 1
    if run.rank == 1 and count == 22:
        os.kill(os.getpid(), signal.SIGTERM)
    return step(run, batch)

training.Run.step = stopping_step
with process_group("cpu") as (device, rank):
    for spec in map(Spec.from_dict, json.loads(sys.argv[1])):
        try:
            record = training.train(spec, device, checkpoint=folder / "checkpoint")
        except training.Interrupted:
            (folder / f"stopped-{rank}-{count}").touch()
            record = training.train(spec, device, checkpoint=folder / "checkpoint")
        if rank == 0:
            record.save(folder)
"""
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [str(tmp_path / "run.py"), json.dumps([dataclasses.asdict(spec) for spec in specs]), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert run.returncode == 0, run.stderr[-3000:]
    # Of 16 steps each, the sixth of the second run is the last before the signal counts.
    assert {path.name for path in tmp_path.glob("stopped*")} == {"stopped-0-22", "stopped-1-22"}
    for spec in specs:
        shared, alone = records.read(records.path_of(spec, tmp_path)), train(spec)
        assert shared.environment["processes"] == 2 and alone.environment["processes"] == 1
        assert shared.first_losses == pytest.approx(alone.first_losses, rel=1e-4)
        for quantity, curve in alone.curves.items():
            assert shared.curves[quantity] == pytest.approx(curve, rel=1e-3, abs=0.5), quantity
