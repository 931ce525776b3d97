"""How a true record is told from a false one: others must be able to find its code, its spec, and its first numbers."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from adai.records.machine import commit_exists
from adai.records.measurement import Measurement, Result
from adai.records.record import FIRST_STEPS, Record
from adai.records.spec import SCALES, Spec

LARGEST_TOLERANCE = 0.1


def faults(
    record: Record | Result, *, known: Mapping[str, Spec | Measurement], repeat: Callable[[Any], Iterable[str]]
) -> list[str]:
    """Return everything that is wrong with a record; nothing, if anyone can repeat it.

    Args:
        record: the record to be judged, of a run or of a measurement.
        known: the specs of its experiment at all scales, by hash.
        repeat: takes the record, repeats a part of what was run and says what differs; called only for a known spec.

    Returns:
        One sentence for each fault.
    """
    found = _untraceable(record.environment)
    if record.spec.scale == "smoke":
        found.append("a smoke run only proves that the code path works; it is no result")
    if record.spec.hash in known:
        return [*found, *repeat(record)]
    elsewhere = (scale for scale in SCALES if replace(record.spec, scale=scale).hash in known)
    if scale := next(elsewhere, None):
        return [*found, f"mixed scale: it is labelled {record.spec.scale}, its settings are those of {scale}"]
    return [*found, f"unknown spec: {record.spec.experiment} has no run with these settings"]


def loss_differences(record: Record, rerun: Callable[[Spec, int], tuple[dict[str, str], list[float]]]) -> Iterable[str]:
    """Repeat the first steps of a run, and say where its data or its losses differ from the record's.

    Args:
        record: the record of the run.
        rerun: repeats the given number of first steps of a spec and returns label and checksum of its data, and the
            losses (`adai.training.first_steps`); called for the steps that are judged.
    """
    precision = record.environment.get("precision", "float32")
    steps = sum(tolerance(step, precision) < math.inf for step in range(1, FIRST_STEPS + 1))
    judged = record.first_losses[:steps]
    data, losses = rerun(record.spec, steps)
    if record.data != data:
        yield f"its data are {record.data}, here they are {data}"
    if len(judged) != len(losses):
        yield f"it has {len(judged)} first losses, a rerun has {len(losses)}"
    for step, (recorded, repeated) in enumerate(zip(judged, losses, strict=False), start=1):
        both_nan = math.isnan(recorded) and math.isnan(repeated)
        if not both_nan and not math.isclose(recorded, repeated, rel_tol=tolerance(step, precision)):
            yield f"its loss at step {step} is {recorded!r}, a rerun gives {repeated!r}"
            break


def tolerance(step: int, precision: str = "float32") -> float:
    """Return how far the loss of a step may be off when it is repeated in fp32, as a relative error.

    Other processors add floats in another order, and training amplifies what that changes. With the vector units held
    down, ResNet-10 at the paper's rates was off by 3e-7, 3e-4, 3e-3 and 3e-3 at steps 2 to 5, and by 3e-2 at step 18;
    on a GPU by 1e-7, 8e-5, 2e-3 and 3e-3 at steps 1 to 4. A loss that was typed misses the first few by far more.

    A run in 16 bits rounds more to begin with, and its records come from GPUs, which a check need not have. ResNet-18
    in bf16, ten optimizers at the paper's rates, was off by at most 2e-4 at step 1 and 7e-2 at steps 2 and 3, and by up
    to 0.6 later. In fp16 the scaler leaves out steps whose gradients overflow, so there the first loss judges alone.

    Args:
        step: counted from 1.
        precision: of the record, as its environment names it.
    """
    if precision == "float32":
        return min(LARGEST_TOLERANCE, 10.0 ** (step - (6 if step <= 2 else 5)))
    if step == 1:
        return 1e-3
    return 0.2 if precision == "bfloat16" and step <= 3 else math.inf


def _untraceable(environment: Mapping[str, Any]) -> list[str]:
    """Return why the code behind a record cannot be found: one sentence, or none."""
    commit = environment["commit"]
    if commit is None or environment["dirty"]:
        return ["it was made with uncommitted changes: commit first, then run again"]
    if not commit_exists(commit):
        return [f"nobody knows its commit {commit[:12]}: fetch it, or run again at a published commit"]
    return []
