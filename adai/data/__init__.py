"""Data sets, read into memory as tensors: one file a data set."""

from importlib import import_module
from typing import Any, NamedTuple

from torch import Tensor

DATASETS = ("digits",)


class Data(NamedTuple):
    """One data set, split and in memory.

    Args:
        train_inputs: first dimension the examples.
        train_targets: class indices, int64.
        test_inputs: as `train_inputs`.
        test_targets: as `train_targets`.
        label: the data set's name as figures and records show it.
        checksum: SHA-256 of the whole data set before it is split.
    """

    train_inputs: Tensor
    train_targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor
    label: str
    checksum: str


def load(name: str, *, seed: int, **options: Any) -> Data:
    """Read a data set by name.

    Args:
        name: one of `DATASETS`.
        seed: decides the split where the data set has none of its own.
        options: passed to the data set's reader.

    Raises:
        ValueError: there is no such data set.
    """
    if name not in DATASETS:
        raise ValueError(f"no data set is called {name!r}; there are {', '.join(DATASETS)}")
    return import_module(f"{__name__}.{name}").load(seed=seed, **options)
