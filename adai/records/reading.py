"""Records read back: one file, all of an experiment, those of given specs, and which may stand in one table."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from adai.records.files import default_folder, path_of
from adai.records.measurement import Measurement, Result
from adai.records.record import Record
from adai.records.spec import Spec
from adai.records.values import RecordError

Kind = TypeVar("Kind", Record, Result)


def read(path: Path) -> Record | Result:
    """Read one file: the record of a run, or the result of a measurement, whose spec has a name and settings.

    Raises:
        RecordError: the file is missing, is neither, or its spec is not the one that its hash names.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"it holds {type(values).__name__}, expected a JSON object")
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read as a record: {error}") from None
    spec = values.get("spec")
    kind = Result if isinstance(spec, dict) and "settings" in spec else Record
    try:
        return kind.from_dict(values)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from None


def read_record(path: Path) -> Record:
    """Read the record of a run; raise what `read` raises, also where a measurement's result is there."""
    return _of_kind(Record, read(path), path)


def read_all(experiment: str, folder: Path) -> list[tuple[Path, Record | Result | RecordError]]:
    """Read every record file of an experiment, in the order of names, with the error where one is not a record."""
    found: list[tuple[Path, Record | Result | RecordError]] = []
    for path in sorted((Path(folder) / experiment).glob("*.json")):
        try:
            record = read(path)
            if path_of(record.spec, folder) != path:
                raise RecordError(f"{path}: the spec inside has the hash {record.spec.hash}: rename or remove it")
            found.append((path, record))
        except RecordError as error:
            found.append((path, error))
    return found


def load(experiment: str, *, scale: str | None = None, folder: Path | None = None) -> list[Record]:
    """Read the records of an experiment at one scale, ordered by optimizer and seed.

    Args:
        experiment: its name.
        scale: which scale; it may be left out only where all records are of one scale.
        folder: the records folder; by default the book's.

    Returns:
        The records, none where nobody has run anything yet.

    Raises:
        RecordError: a file is not a record, or scales or data sets would be mixed.
    """
    found = []
    for path, record in read_all(experiment, default_folder() if folder is None else folder):
        if isinstance(record, RecordError):
            raise record
        found.append(_of_kind(Record, record, path))
    chosen = [record for record in found if scale in (None, record.spec.scale)]
    return comparable(sorted(chosen, key=lambda record: (record.spec.optimizer, record.spec.seed)))


def existing_records(specs: Iterable[Spec], folder: Path | None = None) -> list[Record]:
    """Read the records of these specs that there are, in their order.

    Raises:
        RecordError: a file is not a record, or scales or data sets would be mixed.
    """
    where = default_folder() if folder is None else folder
    paths = [path for spec in specs if (path := path_of(spec, where)).exists()]
    return comparable(read_record(path) for path in paths)


def existing_results(specs: Iterable[Measurement], folder: Path | None = None) -> dict[str, Result]:
    """Read the results of these measurements that there are, by the measurement's name.

    Raises:
        RecordError: a file is no result.
    """
    where = default_folder() if folder is None else folder
    paths = {spec.name: path for spec in specs if (path := path_of(spec, where)).exists()}
    return {name: _of_kind(Result, read(path), path) for name, path in paths.items()}


def comparable(records: Iterable[Record]) -> list[Record]:
    """Return the records if they may stand in one table: one scale, one data set.

    Raises:
        RecordError: they are of several scales or data sets, which are named.
    """
    records = list(records)
    kinds = {
        "scales": {record.spec.scale for record in records},
        "data sets": {f"{record.data['label']} {record.data['checksum'][:12]}" for record in records},
    }
    for what, names in kinds.items():
        if len(names) > 1:
            raise RecordError(f"records of different {what} are not compared: {', '.join(sorted(names))}")
    return records


def _of_kind(kind: type[Kind], record: Record | Result, path: Path) -> Kind:
    if not isinstance(record, kind):
        raise RecordError(f"{path} holds a {type(record).__name__.lower()}, expected a {kind.__name__.lower()}")
    return record
