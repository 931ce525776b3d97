"""Records as files: where the book is, where a record lies in it, and how a file is written whole."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Protocol

from adai.records.machine import CHECKOUT
from adai.records.values import RecordError, nan_to_null


class Named(Protocol):
    """What has a record of its own: a `Spec` or a `Measurement`."""

    @property
    def experiment(self) -> str:
        """The folder of its record."""
        ...

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits."""
        ...


class Filed:
    """What is left behind and can be filed: a `Record` or a `Result`, both dataclasses."""

    spec: Any
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def save(self, folder: Path) -> Path:
        """Write `<folder>/<experiment>/<hash>.json`, whole or not at all, and return its path."""
        path = path_of(self.spec, folder)
        values = {"hash": self.spec.hash, **nan_to_null(asdict(self))}
        # A line for each field: short files whose differences can still be read.
        lines = (f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in values.items())
        with atomic_write(path) as file:
            file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())
        return path


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that appears at its path whole, when the block ends, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def home() -> Path:
    """Return where the book is: the nearest folder from the working directory upwards, else the package's own checkout.

    Raises:
        RecordError: neither is a checkout of the book.
    """
    here = Path.cwd()
    for root in (here, *here.parents, CHECKOUT):
        if (root / "book" / "records").is_dir():
            return root
    raise RecordError(
        f"there is no book here: {here} and the folders above it have no book/records; change into a checkout of the "
        "book, or name a folder with --out where a command takes one"
    )


def default_folder() -> Path:
    """Return the folder of the book's own records.

    Raises:
        RecordError: there is no book here.
    """
    return home() / "book" / "records"


def path_of(spec: Named, folder: Path) -> Path:
    """Return where the record of this spec lies in a records folder."""
    return Path(folder) / spec.experiment / f"{spec.hash}.json"


def weights_path(spec: Named, folder: Path) -> Path:
    """Return where the last weights of this spec lie, if it keeps them: safetensors in fp16, small enough to commit."""
    return path_of(spec, folder).with_suffix(".safetensors")
