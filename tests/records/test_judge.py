"""A record that nobody can repeat is found out."""

import dataclasses
import math
import re
from functools import partial

import pytest

from adai import records
from adai.records import Record
from tests.records.made import COMMIT, DATA, LOSSES, SPEC, a_record


@pytest.fixture(autouse=True)
def every_commit_is_known(monkeypatch):
    monkeypatch.setattr(records.judge, "commit_exists", lambda commit: True)


def faults(record: Record, *, known=(SPEC,), data=DATA, losses=LOSSES) -> str:
    known = {spec.hash: spec for spec in known}
    repeat = partial(records.loss_differences, rerun=lambda spec, steps: (data, losses[:steps]))
    return " / ".join(records.faults(record, known=known, repeat=repeat))


def test_true_record_has_no_fault():
    assert faults(a_record()) == ""


def test_rounding_of_another_processor_is_no_fault():
    assert faults(a_record(), losses=[loss * (1 + 2e-6) for loss in LOSSES]) == ""
    grown = [loss * (1 + records.tolerance(step) / 2) for step, loss in enumerate(LOSSES, start=1)]
    assert faults(a_record(), losses=grown) == ""


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_loss_that_rounding_cannot_explain_is_a_fault(step):
    losses = list(LOSSES)
    losses[step - 1] *= 1 + 2 * records.tolerance(step)
    assert f"its loss at step {step} is" in faults(a_record(), losses=losses)


@pytest.mark.parametrize(("precision", "judged"), [("bfloat16", 3), ("float16", 1)])
def test_a_run_in_16_bits_is_judged_by_its_first_steps_and_more_loosely(precision, judged):
    environment = a_record().environment | {"precision": precision}
    rounded = [loss * (1 + 5e-4) for loss in LOSSES]
    assert "its loss at step 1 is" in faults(a_record(first_losses=rounded))
    assert faults(a_record(first_losses=rounded, environment=environment)) == ""
    for step in range(1, len(LOSSES) + 1):
        typed = [loss * 1.5 if number == step else loss for number, loss in enumerate(LOSSES, start=1)]
        found = faults(a_record(first_losses=typed, environment=environment))
        assert (f"its loss at step {step} is" in found) == (step <= judged)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first_losses": [2.3, 2.201, 2.1]}, "loss at step 2 is 2.201, a rerun gives 2.2"),
        ({"first_losses": [2.3, math.nan, 2.1]}, "loss at step 2 is nan"),
        ({"first_losses": [2.3, 2.2]}, "2 first losses, a rerun has 3"),
        ({"data": DATA | {"checksum": "cd" * 32}}, "its data are"),
        ({"environment": {"commit": COMMIT, "dirty": True}}, "uncommitted changes"),
        ({"environment": {"commit": None, "dirty": True}}, "uncommitted changes"),
        ({"spec": dataclasses.replace(SPEC, hyperparameters={"lr": 0.3})}, "unknown spec"),
        ({"spec": dataclasses.replace(SPEC, scale="colab")}, "mixed scale: it is labelled colab, .* of laptop"),
    ],
)
def test_false_record_is_found_out(changes, message):
    assert re.search(message, faults(a_record(**changes)))


def test_smoke_run_is_no_result():
    spec = dataclasses.replace(SPEC, scale="smoke")
    assert "it is no result" in faults(a_record(spec), known=[spec])


def test_unknown_commit_is_found_out(monkeypatch):
    monkeypatch.setattr(records.judge, "commit_exists", lambda commit: False)
    assert "nobody knows its commit 0123456789ab" in faults(a_record())
