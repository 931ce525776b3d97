"""What a measurement is that trains nothing, and what it leaves behind.

Its result is exact: whoever repeats a part of it gets the same numbers.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from adai.records.files import Filed
from adai.records.machine import environment, processor
from adai.records.values import RecordError, short_hash


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Everything that decides the result.

    Args:
        experiment: the table of measurements it belongs to, also the folder of its result.
        scale: `smoke`, `laptop`, `colab` or `paper`.
        name: which of the experiment's measurements.
        settings: what its code needs, in JSON's types.
    """

    experiment: str
    scale: str
    name: str
    settings: dict[str, Any]

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name this measurement."""
        return short_hash(asdict(self))


@dataclass(frozen=True)
class Result(Filed):
    """What one measurement found.

    Args:
        spec: what was measured.
        environment: where: commit, versions, device, date.
        found: the numbers, in JSON's types.
        seconds: wall-clock time.
    """

    spec: Measurement
    environment: dict[str, Any]
    found: Any
    seconds: float

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Result":
        """Read a result back from JSON; raise `RecordError` where it is none, or its hash is another."""
        try:
            given = {name: value for name, value in values.items() if name != "hash"}
            result = cls(**given | {"spec": Measurement(**values["spec"])})
            claimed, own = values["hash"], result.spec.hash
        except (TypeError, KeyError) as error:
            raise RecordError(f"it cannot be read as the result of a measurement: {error}") from None
        if claimed != own:
            raise RecordError(f"hash mismatch: it claims {claimed!r}, its settings have {own}")
        return result


def measure(spec: Measurement, work: Callable[[Measurement], Any], *, threads: int) -> Result:
    """Carry out a measurement by `work`, which returns what it found."""
    begin = time.perf_counter()
    where = environment(device=processor(), threads=threads)
    return Result(spec, where, work(spec), time.perf_counter() - begin)
