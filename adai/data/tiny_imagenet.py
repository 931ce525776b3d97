"""Tiny ImageNet (Stanford CS231n, 2015): 64 × 64 pixel images of 200 classes, 500 a class, in its published layout."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adai.data import download
from adai.data.base import Data, DataError, folder, how_to_fetch, read_file
from adai.data.images import read_image, split

DIRECTORY = "tiny-imagenet-200"
NAME = "Tiny ImageNet"
CLASSES, TRAIN_IMAGES, TEST_IMAGES = 200, 500, 50
"""Of the published set: classes, and images of each class for training and for validation, which is our test set."""
PIXELS = 64
ARCHIVE, ARCHIVE_MD5 = f"http://cs231n.stanford.edu/{DIRECTORY}.zip", "90528d7ca1a48142e341f4ef8d21d0de"
REMEDY = how_to_fetch("tiny_imagenet", DIRECTORY)


def load(*, classes: int = CLASSES, size: int = PIXELS, limit: int | None = None, holdout: int = 0) -> Data:
    """Read the set, from the folder that ``ADAI_DATA`` names. Its validation images are the test set.

    Args:
        classes: read the first `classes` of them, in the order of their WordNet names. The others need not be there.
        size: 64, or 32 or 16 for means of 2 × 2 or 4 × 4 pixels.
        limit, holdout: as for `adai.data.images.split`.

    Returns:
        Inputs of shape (examples, 3, size, size), uint8, and the classes in the order of their names.

    Raises:
        DataError: a file, a class or an image is missing, or an image is broken.
        ValueError: an option is out of its range.
    """
    if not 0 < classes <= CLASSES:
        raise ValueError(f"classes is {classes}, but there are 1 to {CLASSES}")
    home = folder() / DIRECTORY
    there = sorted(_lines(home / "wnids.txt"))
    if len(there) < classes:
        raise DataError(f"{home / 'wnids.txt'} names {len(there)} classes, {classes} are wanted: {REMEDY}")
    index = {name: number for number, name in enumerate(there[:classes])}
    train = [(path, number) for name, number in index.items() for path in _images(home / "train" / name / "images")]
    validation = (line.split("\t")[:2] for line in sorted(_lines(home / "val" / "val_annotations.txt")))
    test = [(home / "val" / "images" / name, index[wnid]) for name, wnid in validation if wnid in index]
    if len(test) != classes * TEST_IMAGES:
        raise DataError(
            f"{home / 'val' / 'val_annotations.txt'} has {len(test)} images of the {classes} classes, expected "
            f"{TEST_IMAGES} of each: {REMEDY}"
        )
    content = hashlib.sha256()
    parts = [_decoded(part, content) for part in (train, test)]
    label = NAME if classes == CLASSES else f"{NAME}, {classes} classes"
    return split(*parts, size=size, limit=limit, holdout=holdout, label=label, checksum=content.hexdigest())


def fetch() -> Path:
    """Download the set (248 MB) into the folder that ``ADAI_DATA`` names, unless it is there, and return where.

    Raises:
        DataError: the download failed; the same call goes on with it.
    """
    target = folder() / DIRECTORY
    return target if target.exists() else download.fetch_directory(ARCHIVE, ARCHIVE_MD5, target)


def _decoded(files: Sequence[tuple[Path, int]], content: "hashlib._Hash") -> tuple[Tensor, Tensor]:
    """Return the images of files, shape (files, 3, 64, 64), uint8, and their classes; add both to a checksum."""
    images = np.empty((len(files), 3, PIXELS, PIXELS), dtype=np.uint8)
    for row, (path, _) in enumerate(files):
        pixels = np.asarray(read_image(path))
        if pixels.shape != (PIXELS, PIXELS, 3):
            raise DataError(f"{path} has {pixels.shape[1]} × {pixels.shape[0]} pixels, expected {PIXELS} × {PIXELS}")
        images[row] = pixels.transpose(2, 0, 1)
    targets = np.array([target for _, target in files])
    content.update(images.data)
    content.update(targets.astype("<i8").data)
    return torch.from_numpy(images), torch.from_numpy(targets)


def _lines(path: Path) -> list[str]:
    return read_file(path, REMEDY).decode().splitlines()


def _images(directory: Path) -> list[Path]:
    found = sorted(directory.glob("*.JPEG"))
    if len(found) != TRAIN_IMAGES:
        raise DataError(f"{directory} has {len(found)} images, expected {TRAIN_IMAGES}: {REMEDY}")
    return found
