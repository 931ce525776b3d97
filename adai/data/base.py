"""What a data set is once it is read, and where its files lie."""

import os
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

from adai.data.mapped import MappedImages
from adai.records import RecordError

Inputs: TypeAlias = Tensor | MappedImages
"""Examples in memory, or in files on the host of which only batches are read."""


class DataError(RecordError):
    """Files of a data set that cannot be used; the message says which, why, and what to do."""


class Data(NamedTuple):
    """One data set, split.

    Args:
        train_inputs: first dimension the examples; images in uint8 have the shape (examples, channels, height, width).
            Those that are cropped and resized may be larger than the test images.
        train_targets: class indices, int64, shape (examples,); of a text, the token after each of `train_inputs`.
        test_inputs: as `train_inputs`.
        test_targets: as `train_targets`.
        label: the data set's name as figures and records show it.
        checksum: SHA-256 of the whole data set before it is split.
        mean: of each channel of uint8 images, over the training set; None where inputs are normalised already.
        deviation: the standard deviation, likewise.
        held_out_inputs: training examples that take no part in training, to choose settings by; None without any.
        held_out_targets: as `train_targets`.
    """

    train_inputs: Inputs
    train_targets: Tensor
    test_inputs: Inputs
    test_targets: Tensor
    label: str
    checksum: str
    mean: Tensor | None = None
    deviation: Tensor | None = None
    held_out_inputs: Tensor | None = None
    held_out_targets: Tensor | None = None

    def to(self, device: str) -> "Data":
        """Return the same set with all tensors on a device; mapped images stay on the host."""
        moved: dict[str, Any] = {
            name: value.to(device) for name, value in self._asdict().items() if isinstance(value, Tensor)
        }
        return self._replace(**moved)

    def normalised(self, inputs: Tensor) -> Tensor:
        """Return a batch of inputs as a model takes them, of the same shape.

        uint8 images become float32, shifted by `mean` and divided by `deviation`; other inputs are returned as they
        are.
        """
        if self.mean is None or self.deviation is None:
            return inputs
        shape = (-1, 1, 1)
        return (inputs.float() - self.mean.view(shape)) / self.deviation.view(shape)


def folder() -> Path:
    """Return the folder that holds data sets: ``ADAI_DATA``, else a cache folder of this user."""
    if chosen := os.environ.get("ADAI_DATA"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adai"


def how_to_fetch(name: str, directory: str) -> str:
    """Return the end of an error message: how to get the files of a data set, which lie in this directory."""
    return f"adai data {name} fetches it, or set ADAI_DATA to the folder that holds {directory}"


def read_file(path: Path, remedy: str) -> bytes:
    """Return what a file holds.

    Raises:
        DataError: it cannot be read; the message ends with the remedy.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({os.strerror(error.errno or 0)}): {remedy}") from None
