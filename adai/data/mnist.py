"""MNIST (LeCun, Cortes and Burges 1998): 70,000 grey images of handwritten digits, 28 × 28 pixels, as published."""

import gzip
import hashlib
from pathlib import Path

import torch
from torch import Tensor

from adai.data import download
from adai.data.base import Data, DataError, folder, how_to_fetch, read_file
from adai.data.images import split
from adai.records import atomic_write

DIRECTORY, PIXELS = "mnist", 28
HOME = "https://ossci-datasets.s3.amazonaws.com/mnist"
"""PyTorch's mirror, which torchvision reads, too."""
FILES = {
    "train-images-idx3-ubyte": ("6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    "train-labels-idx1-ubyte": ("a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"),
    "t10k-images-idx3-ubyte": ("2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"),
    "t10k-labels-idx1-ubyte": ("27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"),
}
"""MD5 sums of each file, and of the same compressed, as it is published (those that torchvision lists)."""
REMEDY = how_to_fetch("mnist", DIRECTORY)


def load(*, size: int = PIXELS, limit: int | None = None, holdout: int = 0) -> Data:
    """Read the set, from the folder that ``ADAI_DATA`` names.

    Args:
        size: 28, or 14 for the mean of each 2 × 2 pixels.
        limit, holdout: as for `adai.data.images.split`.

    Returns:
        Inputs of shape (examples, 1, size, size), uint8, with the mean and the deviation of all training pixels.

    Raises:
        DataError: a file is missing, damaged or not the published one.
        ValueError: an option is out of its range.
    """
    content = hashlib.sha256()
    parts = []
    for name in ("train", "t10k"):
        images, labels = (_read(f"{name}-{what}") for what in ("images-idx3-ubyte", "labels-idx1-ubyte"))
        content.update(images.numpy().tobytes() + labels.numpy().tobytes())
        parts.append((images.unsqueeze(1), labels.long()))
    return split(*parts, size=size, limit=limit, holdout=holdout, label="MNIST", checksum=content.hexdigest())


def fetch() -> Path:
    """Download the files that are missing into the folder that ``ADAI_DATA`` names; return where they are.

    Raises:
        DataError: a download failed, and the same call goes on with it; or another file lies where one belongs.
    """
    target = folder() / DIRECTORY
    for name, (_, packed_md5) in FILES.items():
        if not (target / name).exists():
            packed = download.fetch(f"{HOME}/{name}.gz", packed_md5, target / f"{name}.gz")
            with atomic_write(target / name) as file:
                file.write(gzip.decompress(packed.read_bytes()))
            packed.unlink()
        _read(name)
    return target


def _read(name: str) -> Tensor:
    """Return a file's array, uint8, of the shape that the file names.

    The IDX format: two zero bytes, the type 8 (bytes), the number of dimensions, the length of each, the array's bytes.
    """
    path = folder() / DIRECTORY / name
    content = read_file(path, REMEDY)
    if (found := hashlib.md5(content).hexdigest()) != FILES[name][0]:
        raise DataError(
            f"{path} is not the published file (MD5 sum {found}, expected {FILES[name][0]}): remove it, and {REMEDY}"
        )
    dimensions = content[3]
    start = 4 + 4 * dimensions
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    return torch.frombuffer(bytearray(content[start:]), dtype=torch.uint8).view(shape)
