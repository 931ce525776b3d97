"""What a run of training leaves behind: a `Record`."""

import math
import re
from dataclasses import dataclass, fields
from typing import Any

from adai.records.files import Filed
from adai.records.spec import Spec
from adai.records.values import RecordError, entry, is_number, require

FIRST_STEPS = 20
"""How many step losses a record keeps in full precision, to be repeated by a check."""
TEST_CURVES = {"test_error": "test error {:.2f} %", "test_perplexity": "test perplexity {:.1f}"}
"""What a run may be judged by, and how one value is shown; a record has one of them."""


@dataclass(frozen=True)
class Record(Filed):
    """What one run left behind.

    Args:
        spec: what was run.
        environment: where: commit, versions, device, date (see `environment`).
        data: `label` and `checksum` of the data set.
        curves: one list per quantity with one value per epoch, such as `train_loss` and `test_error` (percent).
        first_losses: the losses of the first `FIRST_STEPS` steps, in full precision.
        examples_per_second: training throughput, without evaluation; an example of a text is a token.
        seconds: wall-clock time of the whole run.
        peak_memory_mib: the largest memory of the process so far; None where the system does not tell.
    """

    spec: Spec
    environment: dict[str, Any]
    data: dict[str, str]
    curves: dict[str, list[float]]
    first_losses: list[float]
    examples_per_second: float
    seconds: float
    peak_memory_mib: float | None

    def result(self) -> str:
        """Return what the run came to, in words: the last epoch's error or perplexity on the test set."""
        name = next(name for name in TEST_CURVES if name in self.curves)
        return TEST_CURVES[name].format(self.curves[name][-1])

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Record":
        """Read a record back from JSON; raise `RecordError` where it is none, or its hash is not that of its spec."""
        if "images_per_second" in values:  # what records before December 2026 call it
            values = {"examples_per_second" if k == "images_per_second" else k: v for k, v in values.items()}
        names = {record_field.name for record_field in fields(cls)} | {"hash"}
        if values.keys() != names:
            wrong = ", ".join(sorted(values.keys() ^ names))
            raise RecordError(f"these fields are missing or foreign: {wrong}")
        spec = Spec.from_dict(values["spec"])
        if values["hash"] != spec.hash:
            raise RecordError(
                f"hash mismatch: it claims {values['hash']!r}, its spec has {spec.hash}: the spec was changed since"
            )
        _require_provenance(values)
        first_losses = _losses("first_losses", values["first_losses"])
        count = len(first_losses)
        require(1 <= count <= FIRST_STEPS, "first_losses", f"{count} values", f"1 to {FIRST_STEPS}")
        for name in ("examples_per_second", "seconds"):
            require(is_number(values[name]) and values[name] > 0, name, values[name], "a positive number")
        memory = values["peak_memory_mib"]
        require(memory is None or is_number(memory), "peak_memory_mib", memory, "a number or null")
        read = {"spec": spec, "curves": _curves(values, spec.epochs), "first_losses": first_losses}
        return cls(**{name: value for name, value in values.items() if name != "hash"} | read)


def _require_provenance(values: dict[str, Any]) -> None:
    commit, dirty = (entry(values, "environment", key) for key in ("commit", "dirty"))
    is_commit = isinstance(commit, str) and re.fullmatch(r"[0-9a-f]{40}", commit)
    require(commit is None or is_commit, "environment.commit", commit, "40 hexadecimal digits or null")
    require(isinstance(dirty, bool), "environment.dirty", dirty, "true or false")
    for key in ("label", "checksum"):
        value = entry(values, "data", key)
        require(isinstance(value, str) and value, f"data.{key}", value, "a text")


def _curves(values: dict[str, Any], epochs: int) -> dict[str, list[float]]:
    entry(values, "curves", "train_loss")
    measured = " or ".join(map(repr, TEST_CURVES))
    require(TEST_CURVES.keys() & values["curves"].keys(), "curves", values["curves"], f"an object with {measured}")
    curves = {name: _losses(f"curves.{name}", curve) for name, curve in values["curves"].items()}
    for name, curve in curves.items():
        require(len(curve) == epochs, f"curves.{name}", f"{len(curve)} values", f"{epochs}")
    return curves


def _losses(name: str, values: Any) -> list[float]:
    valid = isinstance(values, list) and all(value is None or is_number(value) for value in values)
    require(valid, name, values, "a list of numbers")
    return [math.nan if value is None else value for value in values]
