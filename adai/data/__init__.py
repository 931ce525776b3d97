"""Data sets, read into memory as tensors, or mapped where they are too large for it: one file a data set."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from adai.data import cifar, digits, imagenet, mnist, ptb, tiny_imagenet
from adai.data.base import Data, DataError, Inputs, folder

__all__ = ["DATASETS", "TEXTS", "Data", "DataError", "DataSet", "Inputs", "folder", "load", "prepare"]


class DataSet(NamedTuple):
    """A row of `DATASETS`: how a data set is read, and what kind of set it is.

    Args:
        load: read it; takes the data set's options, and a `seed` if `seeded`.
        prepare: put its files into `folder`, by a download or by decoding what is there, and return where they are;
            None for a set that a package brings.
        seeded: whether a seed decides which examples are for training; else the set's own split is taken.
        is_text: whether its examples are the tokens of a text, in its order.
    """

    load: Callable[..., Data]
    prepare: Callable[[], Path] | None
    seeded: bool = False
    is_text: bool = False


DATASETS = {
    "digits": DataSet(digits.load, None, seeded=True),
    "cifar10": DataSet(partial(cifar.load, "cifar10"), partial(cifar.fetch, "cifar10")),
    "cifar100": DataSet(partial(cifar.load, "cifar100"), partial(cifar.fetch, "cifar100")),
    "tiny_imagenet": DataSet(tiny_imagenet.load, tiny_imagenet.fetch),
    "imagenet": DataSet(imagenet.load, imagenet.decode),
    "mnist": DataSet(mnist.load, mnist.fetch),
    "ptb": DataSet(ptb.load, ptb.fetch, is_text=True),
}
"""The data sets by the names that specs, records and the command line use."""
TEXTS = tuple(name for name, dataset in DATASETS.items() if dataset.is_text)


def load(name: str, *, seed: int, **options: Any) -> Data:
    """Read a data set by name.

    Args:
        name: one of `DATASETS`.
        seed: decides the split where the data set has none of its own.
        options: passed to the data set's reader.

    Returns:
        The data set, split, on the CPU.

    Raises:
        ValueError: the reader refuses an option.
        DataError: there is no such data set, or its files are missing or damaged.
    """
    dataset = _find(name)
    if dataset.seeded:
        options["seed"] = seed
    return dataset.load(**options)


def prepare(name: str) -> Path:
    """Put a data set into the folder that ``ADAI_DATA`` names, unless it is there, and return where it is.

    Raises:
        DataError: there is no such data set, it has no files, or they cannot be had; the message says why.
    """
    dataset = _find(name)
    if dataset.prepare is None:
        raise DataError(f"{name} has no files to fetch: it comes with a package that 'adai[experiments]' installs")
    return dataset.prepare()


def _find(name: str) -> DataSet:
    if name not in DATASETS:
        raise DataError(f"no data set is called {name!r}; there are {', '.join(DATASETS)}")
    return DATASETS[name]
