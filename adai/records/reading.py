"""Reading records: one file, all of an experiment, those of given specs; and which may stand in one table."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from adai.records.files import default_folder, path_of
from adai.records.measurement import Measurement, Result
from adai.records.record import Record
from adai.records.spec import Spec
from adai.records.values import RecordError

_Kind = TypeVar("_Kind", Record, Result)


def read(path: Path) -> Record | Result:
    """Return the content of one file: the record of a run or the result of a measurement.

    Raises:
        RecordError: the file is missing, holds neither, or its hash is not that of its spec.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"it holds {type(values).__name__}, expected a JSON object")
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read as a record: {error}") from None
    spec = values.get("spec")
    kind = Result if isinstance(spec, dict) and "settings" in spec else Record  # only measurements have settings
    try:
        return kind.from_dict(values)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from None


def read_record(path: Path) -> Record:
    """Return the record of a run; raise what `read` raises, also if the file holds a measurement's result."""
    return _of_kind(Record, read(path), path)


def read_all(experiment: str, folder: Path) -> list[tuple[Path, Record | Result | RecordError]]:
    """Return the path and content of every record file of an experiment, by name; of a bad file, its error."""
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


def load(
    experiment: str,
    *,
    scale: str | None = None,
    folder: Path | None = None,
    wanted: Callable[[Spec], bool] | None = None,
) -> list[Record]:
    """Return the records of an experiment at one scale, ordered by optimizer and seed.

    Args:
        experiment: its name.
        scale: which scale; it may be left out only if all records are of one scale.
        folder: the records folder; by default the book's.
        wanted: return whether the record of a spec is to be among them; by default every one is.

    Returns:
        The records; none if nothing has been run yet.

    Raises:
        RecordError: a file is not a record, or scales or data sets would be mixed.
    """
    found = []
    for path, record in read_all(experiment, default_folder() if folder is None else folder):
        if isinstance(record, RecordError):
            raise record
        found.append(_of_kind(Record, record, path))
    chosen = [r for r in found if scale in (None, r.spec.scale) and (wanted is None or wanted(r.spec))]
    return comparable(sorted(chosen, key=lambda record: (record.spec.optimizer, record.spec.seed)))


def existing_records(specs: Iterable[Spec], folder: Path | None = None) -> list[Record]:
    """Return the records of these specs that exist, in the specs' order.

    Raises:
        RecordError: a file is not a record, or scales or data sets would be mixed.
    """
    where = default_folder() if folder is None else folder
    paths = [path for spec in specs if (path := path_of(spec, where)).exists()]
    return comparable(read_record(path) for path in paths)


def existing_results(specs: Iterable[Measurement], folder: Path | None = None) -> dict[str, Result]:
    """Return the results of these measurements that exist, by the measurement's name.

    Raises:
        RecordError: a file is not the result of a measurement.
    """
    where = default_folder() if folder is None else folder
    paths = {spec.name: path for spec in specs if (path := path_of(spec, where)).exists()}
    return {name: _of_kind(Result, read(path), path) for name, path in paths.items()}


def comparable(records: Iterable[Record]) -> list[Record]:
    """Return the records as a list if they may stand in one table: one scale, one data set.

    Raises:
        RecordError: they are of several scales or data sets; the message names them.
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


def _of_kind(kind: type[_Kind], record: Record | Result, path: Path) -> _Kind:
    if not isinstance(record, kind):
        raise RecordError(f"{path} holds a {type(record).__name__.lower()}, expected a {kind.__name__.lower()}")
    return record
