"""Data sets, read into memory as tensors, or mapped where they are too large for it: one file a data set."""

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from torch import Tensor

from adai.records import RecordError

if TYPE_CHECKING:
    from adai.data.shards import Shards

TEXTS = ("ptb",)
"""Those whose examples are the tokens of a text, in its order."""
DATASETS = ("digits", "cifar10", "cifar100", "tiny_imagenet", "imagenet", "mnist", *TEXTS)
Inputs: TypeAlias = "Tensor | Shards"
"""Examples in memory, or in files on the host of which only batches are read."""


class DataError(RecordError):
    """Files of a data set that cannot be used; the message says which, why, and what to do."""


class Data(NamedTuple):
    """One data set, split.

    Args:
        train_inputs: first dimension the examples; images in uint8 have the shape (examples, channels, height, width).
            Those that are cropped and resized may be larger than the test images.
        train_targets: class indices, int64; of a text, the token after each of `train_inputs`.
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
        """The same with all tensors on a device; what is mapped stays where it is."""
        moved = {name: value.to(device) for name, value in self._asdict().items() if isinstance(value, Tensor)}
        return self._replace(**moved)

    def normalised(self, inputs: Tensor) -> Tensor:
        """A batch of this set's inputs as a model takes them: float32, uint8 images shifted and scaled by channel."""
        if self.mean is None or self.deviation is None:
            return inputs
        shape = (-1, 1, 1)
        return (inputs.float() - self.mean.view(shape)) / self.deviation.view(shape)


def folder() -> Path:
    """The folder that holds data sets: ``ADAI_DATA``, else a cache folder of this user."""
    if chosen := os.environ.get("ADAI_DATA"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adai"


def load(name: str, *, seed: int, **options: Any) -> Data:
    """Read a data set by name.

    Args:
        name: one of `DATASETS`.
        seed: decides the split where the data set has none of its own.
        options: passed to the data set's reader.

    Raises:
        ValueError: there is no such data set, or the reader refuses an option.
        DataError: its files are missing or damaged.
    """
    if name not in DATASETS:
        raise ValueError(f"no data set is called {name!r}; there are {', '.join(DATASETS)}")
    if name == "digits":
        return import_module(f"{__name__}.digits").load(seed=seed, **options)
    if name in ("tiny_imagenet", "imagenet", "mnist", *TEXTS):
        return import_module(f"{__name__}.{name}").load(**options)
    return import_module(f"{__name__}.cifar").load(name, **options)
