"""From a spec to a record: it repeats, names what it was made of, and a stopped run goes on bit for bit."""

import dataclasses
import json
import os
import random
import signal
import time
import warnings
from importlib.metadata import version

import pytest
import safetensors.torch
import torch

from adai import records
from adai.records import RecordError, Spec
from adai.training import Run, first_steps, load_finished, make_run, train
from tests import forks

KILLS = int(os.environ.get("ADAI_KILLS", "3"))


@pytest.mark.parametrize("optimizer", ["adai", "sgd", "adam"])
def test_two_runs_of_one_spec_are_identical(spec_of, optimizer):
    torch.manual_seed(1)
    one = train(spec_of(optimizer))
    torch.manual_seed(2)
    other = train(spec_of(optimizer))
    assert one.curves == other.curves and one.first_losses == other.first_losses and one.data == other.data


def test_first_steps_repeat_the_beginning_of_the_run(spec_of):
    spec = spec_of("adai", epochs=10)
    record = train(spec)
    assert len(record.first_losses) == 20
    assert first_steps(spec) == (record.data, record.first_losses)
    assert first_steps(spec, 3)[1] == record.first_losses[:3]


def test_record_says_what_was_measured(spec_of):
    record = train(spec_of("adam"))
    assert record.data["label"] == "digits (scikit-learn)"
    assert {len(curve) for curve in record.curves.values()} == {record.spec.epochs}
    assert all(0 <= error <= 100 for curve in ("train_error", "test_error") for error in record.curves[curve])
    assert record.environment["threads"] == 1 and record.environment["torch"] == version("torch")
    assert record.environment["device"]


def test_a_record_names_the_commit_that_its_run_started_at(spec_of, monkeypatch):
    now, evaluate = ["a" * 40], Run.evaluate

    def commit_meanwhile(run: Run) -> None:
        now.append("b" * 40)
        evaluate(run)

    monkeypatch.setattr(records, "environment", lambda **_: {"commit": now[-1], "dirty": False})
    monkeypatch.setattr(Run, "evaluate", commit_meanwhile)
    assert train(spec_of("adai")).environment["commit"] == "a" * 40
    assert now[-1] == "b" * 40


def test_training_leaves_the_callers_random_numbers_alone(spec_of, tmp_path):
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    train(spec_of("sgd"))
    run = Run(spec_of("sgd"))
    run.save(tmp_path / "checkpoint")
    assert torch.equal(torch.rand(1), expected[:1])
    run.restore(tmp_path / "checkpoint")
    assert torch.equal(torch.rand(1), expected[1:])


def test_on_a_cpu_mixed_precision_is_fp32_and_the_record_says_so(cifar):
    mixed, full = train(dataclasses.replace(cifar, precision="mixed")), train(cifar)
    assert mixed.curves == full.curves
    assert mixed.environment["precision"] == full.environment["precision"] == "float32"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_a_run_starts_like_the_one_on_the_cpu(cifar):
    here, there = train(cifar), train(cifar, "cuda")
    assert there.first_losses[:3] == pytest.approx(here.first_losses[:3], rel=1e-3)
    mixed = train(dataclasses.replace(cifar, precision="mixed"), "cuda")
    assert mixed.environment["precision"] in ("bfloat16", "float16")
    assert mixed.first_losses[0] == pytest.approx(here.first_losses[0], rel=3e-2)


# ── stopping and going on ──


@pytest.mark.parametrize("optimizer", ["adai", "adam"])
@pytest.mark.parametrize("stop", [0, 1, 3, 4, 5, 11])  # an epoch has four steps
def test_a_stopped_run_goes_on_bit_for_bit(spec_of, optimizer, stop, stopped_and_resumed):
    spec = spec_of(optimizer, epochs=4)
    whole = train(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the schedule's own doubts
        resumed = stopped_and_resumed(spec, stop)
    assert resumed.curves == whole.curves and resumed.first_losses == whole.first_losses


def test_a_killed_run_goes_on_from_its_last_checkpoint(spec_of, tmp_path):
    spec = spec_of("adai", epochs=60 * KILLS)
    script = (
        "import sys, pathlib, time; from adai import training; from adai.records import Spec; import json;"
        "step = training.Run.step; training.Run.step = lambda *a: (time.sleep(0.002), step(*a))[1];"
        "training.CHECKPOINT_STEPS = 20;"
        "record = training.train(Spec.from_dict(json.loads(sys.argv[1])), checkpoint=pathlib.Path(sys.argv[2]));"
        "print(json.dumps([record.curves, record.first_losses]))"
    )
    checkpoint = tmp_path / "checkpoint"
    arguments, printed = (json.dumps(dataclasses.asdict(spec)), str(checkpoint)), tmp_path / "printed"
    pause = random.Random(0)
    for _ in range(KILLS):
        process = forks.start(script, *arguments, printed=printed)
        seen = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        # Not before it has got further, so that the test ends.
        while process.is_alive() and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == seen):
            time.sleep(0.01)
        time.sleep(pause.uniform(0, 0.3))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, printed.read_text()
    process = forks.start(script, *arguments, printed=printed)
    process.join()
    whole = train(spec)
    assert json.loads(printed.read_text()) == [whole.curves, whole.first_losses]
    assert all(path.suffix == ".part" or path == printed for path in tmp_path.iterdir())


def test_sigterm_saves_and_ends_the_run(spec_of, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    script = (
        "import os, signal, sys, pathlib, json; from adai import training; from adai.records import Spec;"
        "step = training.Run.step; count = [0]\n"
        "def counted(*a):\n"
        "    count[0] += 1\n"
        "    if count[0] == 6: os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return step(*a)\n"
        "training.Run.step = counted\n"
        "training.train(Spec.from_dict(json.loads(sys.argv[1])), checkpoint=pathlib.Path(sys.argv[2]))"
    )
    spec = spec_of("sgd", epochs=5)
    arguments = json.dumps(dataclasses.asdict(spec)), str(checkpoint)
    process = forks.start(script, *arguments, printed=tmp_path / "printed")
    process.join()
    assert process.exitcode == 128 + signal.SIGTERM, (tmp_path / "printed").read_text()
    run = Run(spec)
    run.restore(checkpoint)
    assert run.steps == 6 and len(run.curves["train_loss"]) == 1 and len(run.losses) == 2


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_named(spec_of, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    Run(spec_of("sgd")).save(checkpoint)
    with pytest.raises(RecordError, match="is of the spec"):
        train(spec_of("adam"), checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-50])
    with pytest.raises(RecordError, match="is damaged"):
        train(spec_of("sgd"), checkpoint=checkpoint)


# ── last weights ──


def last_weights(spec: Spec) -> dict[str, torch.Tensor]:
    run = make_run(spec)
    for _ in range(spec.epochs):
        list(run.epoch())
    return run.model.state_dict()


def test_kept_weights_are_the_last_ones_in_half_precision(spec_of, tmp_path):
    spec = spec_of("sgd", keep_weights=True)
    assert spec.hash != spec_of("sgd").hash
    weights = tmp_path / "weights.safetensors"
    train(spec, weights=weights)
    kept = safetensors.torch.load_file(weights)
    assert all(torch.equal(kept[name], value.half()) for name, value in last_weights(spec).items())


def test_a_finished_run_has_the_weights_that_it_kept_on_the_data_that_it_had(spec_of, tmp_path):
    spec = spec_of("sgd", keep_weights=True)
    record = train(spec, weights=records.weights_path(spec, tmp_path))
    path = record.save(tmp_path)
    found, expected = load_finished(spec, tmp_path).model.state_dict(), last_weights(spec)
    assert all(torch.equal(found[name], value.half().float()) for name, value in expected.items())
    path.write_text(path.read_text().replace(record.data["checksum"], "0" * 64))
    with pytest.raises(RecordError, match="was trained on data with the checksum 000"):
        load_finished(spec, tmp_path)


def test_a_finished_run_that_kept_no_weights_is_trained_anew(spec_of, tmp_path):
    spec = spec_of("adai")
    found, expected = load_finished(spec, tmp_path).model.state_dict(), last_weights(spec)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
