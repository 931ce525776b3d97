"""What a measurement is that trains nothing, and what it leaves behind.

A `Measurement` says everything that decides its result, which is exact: whoever repeats a part of it gets the same
numbers. A `Result` is one JSON file beside the records of training, `book/records/<experiment>/<hash>.json`, and
`faults` finds out one that nobody can repeat.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adai.records import RecordError, default_folder, environment, path_of, processor, untraceable, whole


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
        """Twelve hexadecimal digits that name this measurement (SHA-256 of its canonical JSON)."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Result:
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

    def save(self, folder: Path) -> Path:
        """Write `<folder>/<experiment>/<hash>.json`, whole or not at all, and return its path."""
        path = path_of(self.spec, folder)
        lines = (f"{json.dumps(k)}: {json.dumps(v)}" for k, v in {"hash": self.spec.hash, **asdict(self)}.items())
        with whole(path) as file:
            file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())
        return path


def measure(spec: Measurement, work: Callable[[Measurement], Any], *, threads: int) -> Result:
    """Carry out a measurement by `work`, which returns what it found."""
    begin = time.perf_counter()
    where = environment(device=processor(), threads=threads)
    return Result(spec, where, work(spec), time.perf_counter() - begin)


def read(path: Path) -> Result:
    """Read one result.

    Raises:
        RecordError: the file is missing, is no result, or its settings are not those that its hash names.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        name = values.pop("hash")
        result = Result(**values | {"spec": Measurement(**values["spec"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordError(f"{path} cannot be read as the result of a measurement: {error}") from None
    if name != result.spec.hash:
        raise RecordError(f"{path}: hash mismatch: the settings inside have the hash {result.spec.hash}")
    return result


def read_all(experiment: str, folder: Path) -> list[tuple[Path, Result | RecordError]]:
    """Every result of an experiment, in the order of names, with the error where a file is none."""
    found: list[tuple[Path, Result | RecordError]] = []
    for path in sorted((Path(folder) / experiment).glob("*.json")):
        try:
            result = read(path)
            if path_of(result.spec, folder) != path:
                raise RecordError(f"{path}: the settings inside have the hash {result.spec.hash}: rename or remove it")
            found.append((path, result))
        except RecordError as error:
            found.append((path, error))
    return found


def of(specs: Iterable[Measurement], folder: Path | None = None) -> dict[str, Result]:
    """The results of these measurements that there are, by the measurement's name.

    Raises:
        RecordError: a file is no result.
    """
    home = default_folder() if folder is None else folder
    return {spec.name: read(path) for spec in specs if (path := path_of(spec, home)).exists()}


def faults(result: Result, *, known: Mapping[str, Measurement], repeat: Callable[[Result], Iterable[str]]) -> list[str]:
    """What speaks against a result: nothing, if anyone can repeat it.

    Args:
        result: the result to be judged.
        known: the experiment's measurements at all scales, by hash.
        repeat: repeats a part of a known measurement, and says what differs.

    Returns:
        One sentence for each fault.
    """
    found = untraceable(result.environment)
    if result.spec.scale == "smoke":
        found.append("a smoke run only proves that the code path works; it is no result")
    if result.spec.hash not in known:
        return [*found, f"unknown spec: {result.spec.experiment} has no measurement with these settings"]
    return [*found, *repeat(result)]
