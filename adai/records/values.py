"""Values that specs and records hold: what they may be, how they are spelled in JSON, and the hash that names them."""

import hashlib
import json
import math
from typing import Any


class RecordError(ValueError):
    """A spec or a record that cannot be used; the message says why and what to do."""


def require(condition: Any, name: str, value: Any, expected: str) -> None:
    """Raise `RecordError` unless the condition holds; the message names the value and what was expected."""
    if not condition:
        raise RecordError(f"{name} is {value!r}, expected {expected}")


def is_integer(value: Any) -> bool:
    """Return whether a value is an integer, which True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return whether a value is an integer or a finite float."""
    return is_integer(value) or (isinstance(value, float) and math.isfinite(value))


def entry(values: dict[str, Any], name: str, key: str) -> Any:
    """Return one entry of the object that a record has under a name; raise `RecordError` where it is not there."""
    entries = values[name]
    require(isinstance(entries, dict) and key in entries, name, entries, f"an object with {key!r}")
    return entries[key]


def short_hash(values: dict[str, Any]) -> str:
    """Return twelve hexadecimal digits that name these values (SHA-256 of their canonical JSON)."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def canonical(name: str, value: Any) -> Any:
    """Return a value in its one spelling: lr=1 and lr=1.0, a list and a tuple, are the same run.

    Raises:
        RecordError: it is none that JSON can hold.
    """
    if isinstance(value, dict):
        return {str(key): canonical(f"{name}[{key!r}]", entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return tuple(canonical(name, entry) for entry in value)
    valid = value is None or isinstance(value, bool | int | str) or is_number(value)
    require(valid, name, value, "finite numbers, texts, true, false, lists and dictionaries of these")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def nan_to_null(value: Any) -> Any:
    """Return a value as JSON can hold it: a run that diverged is a result too, and JSON has no NaN."""
    if isinstance(value, dict):
        return {key: nan_to_null(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_null(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
