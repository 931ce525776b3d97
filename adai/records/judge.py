"""Judge a record: its commit and its spec must be known, and its data and its first losses must repeat.

Nothing else of a run is repeated, so a test error that was changed afterwards passes.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from adai.records.machine import commit_exists
from adai.records.measurement import Measurement, Result
from adai.records.record import FIRST_STEPS, Record
from adai.records.spec import SCALES, Spec

_Kind = TypeVar("_Kind", Record, Result)
_LARGEST_TOLERANCE = 0.1


def faults(
    record: _Kind, *, known: Mapping[str, Spec | Measurement], repeat: Callable[[_Kind], Iterable[str]]
) -> list[str]:
    """Return everything that is wrong with a record, one sentence for each fault.

    Args:
        record: the record to be judged, of a run or of a measurement.
        known: the specs of its experiment at all scales, by hash.
        repeat: takes the record, repeats a part of what made it, and returns a sentence for each difference; called
            only for a known spec.
    """
    found: list[str] = _untraceable(record.environment)
    if record.spec.scale == "smoke":
        found.append("a smoke run only proves that the code path works; it is no result")
    if record.spec.hash in known:
        return [*found, *repeat(record)]
    elsewhere = (scale for scale in SCALES if replace(record.spec, scale=scale).hash in known)
    if scale := next(elsewhere, None):
        return [*found, f"mixed scale: it is labelled {record.spec.scale}, its settings are those of {scale}"]
    return [*found, f"unknown spec: {record.spec.experiment} has no run with these settings"]


def loss_differences(record: Record, rerun: Callable[[Spec, int], tuple[dict[str, str], list[float]]]) -> Iterable[str]:
    """Repeat the first steps of a run, and yield a sentence for each way in which its record differs.

    Args:
        record: the record of the run.
        rerun: repeats that number of first steps of a spec, and returns its data's label and checksum, and the losses
            (`adai.training.first_steps`).

    Yields:
        Another data set, another number of losses, and the first step whose loss is off by more than `tolerance`.
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
    """Return the relative error that is allowed to the loss of a step when it is repeated in fp32.

    Other processors add floats in another order, and training amplifies what that changes. Without vector units,
    ResNet-10 at the paper's rates was off by 3e-7, 3e-4, 3e-3 and 3e-3 at steps 2 to 5, and by 3e-2 at step 18;
    on a GPU by 1e-7, 8e-5, 2e-3 and 3e-3 at steps 1 to 4. An invented loss misses the first few by far more.

    A run in 16 bits rounds more to begin with, and its records come from GPUs, which a check need not have. ResNet-18
    in bf16, ten optimizers at the paper's rates, was off by at most 2e-4 at step 1 and 7e-2 at steps 2 and 3, and by up
    to 0.6 later. In fp16 the scaler leaves out steps whose gradients overflow, so only the first loss is judged.

    Args:
        step: counted from 1.
        precision: of the record, as its environment names it.

    Returns:
        Infinity for a step that is not judged.
    """
    if precision == "float32":
        return min(_LARGEST_TOLERANCE, 10.0 ** (step - (6 if step <= 2 else 5)))
    if step == 1:
        return 1e-3
    return 0.2 if precision == "bfloat16" and step <= 3 else math.inf


def _untraceable(environment: Mapping[str, Any]) -> list[str]:
    """Return why the code behind a record cannot be found: one sentence, or none if it can."""
    commit = environment["commit"]
    if commit is None or environment["dirty"]:
        return ["it was made with uncommitted changes: commit first, then run again"]
    if not commit_exists(commit):
        return [f"nobody knows its commit {commit[:12]}: fetch it, or run again at a published commit"]
    return []
