"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 60,000 colour images of 32 × 32 pixels, in the published layout."""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from adai.data import download
from adai.data.base import Data, DataError, folder, how_to_fetch, read_file
from adai.data.images import split


class Layout(NamedTuple):
    """What one of the two sets is called, how its files are laid out, and the MD5 sums of what is published.

    Args:
        label: the set's name as figures and records show it.
        directory: of the files, in `folder`.
        train: files of training images.
        test: file of test images.
        targets: key of the class indices in each file.
        classes: how many there are.
        md5: of each file.
        archive: name of the published archive.
        archive_md5: its sum.
    """

    label: str
    directory: str
    train: tuple[str, ...]
    test: str
    targets: bytes
    classes: int
    md5: dict[str, str]
    archive: str
    archive_md5: str


HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
# The sums are those that torchvision.datasets.CIFAR10 and CIFAR100 list for its files.
LAYOUTS = {
    "cifar10": Layout(
        "CIFAR-10",
        "cifar-10-batches-py",
        tuple(f"data_batch_{number}" for number in range(1, 6)),
        "test_batch",
        b"labels",
        10,
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
        },
        "cifar-10-python.tar.gz",
        "c58f30108f718f92721af3d95e74349a",
    ),
    "cifar100": Layout(
        "CIFAR-100",
        "cifar-100-python",
        ("train",),
        "test",
        b"fine_labels",
        100,
        {"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        "cifar-100-python.tar.gz",
        "eb9058c3a382ffc7106e4002c42a8d85",
    ),
}


def load(name: str, *, label: str | None = None, size: int = 32, limit: int | None = None, holdout: int = 0) -> Data:
    """Read one of the two sets, from the folder that ``ADAI_DATA`` names.

    Args:
        name: ``"cifar10"`` or ``"cifar100"``.
        label: a name for files in this layout that are not the published ones, such as a copy with other
            compression. It stands in every record and figure made from them. Published files need none.
        size: 32, or 16 for the mean of each 2 × 2 pixels.
        limit, holdout: as for `adai.data.images.split`.

    Returns:
        Inputs of shape (examples, 3, size, size), uint8, with the mean and the deviation of each channel over the
        training images.

    Raises:
        DataError: a file is missing, cut off, not in this layout, or not the published one and there is no label.
        ValueError: an option is out of its range.
    """
    layout = LAYOUTS[name]
    directory = folder() / layout.directory
    content, published = hashlib.sha256(), True
    parts = []
    for file in (*layout.train, layout.test):
        images, targets, md5 = _read(directory / file, layout, name)
        published = published and md5 == layout.md5[file]
        content.update(images.numpy().tobytes() + targets.numpy().tobytes())
        parts.append((images, targets))
    if not published and label is None:
        raise DataError(
            f"the files in {directory} are not the published ones of {layout.label} (other MD5 sums): unpack "
            f"those of {HOME} there, or give these files a label of their own"
        )
    if published and label is not None:
        raise ValueError(f"label is {label!r}, but these are the published files of {layout.label}: leave it out")
    images, targets = (torch.cat(tensors) for tensors in zip(*parts[:-1], strict=True))
    return split(
        (images, targets),
        parts[-1],
        size=size,
        limit=limit,
        holdout=holdout,
        label=label or layout.label,
        checksum=content.hexdigest(),
    )


def fetch(name: str) -> Path:
    """Download a set into the folder that ``ADAI_DATA`` names, unless it is there, and return where it is.

    Raises:
        DataError: the download failed, and the same call goes on with it; or other files of this layout are there.
    """
    layout = LAYOUTS[name]
    target = folder() / layout.directory
    if target.exists():
        for file in (*layout.train, layout.test):
            if _read(target / file, layout, name)[2] != layout.md5[file]:
                raise DataError(f"{target / file} is not the published one: move {target} away, and call this again")
        return target
    url = f"{HOME.rsplit('/', 1)[0]}/{layout.archive}"
    return download.fetch_directory(url, layout.archive_md5, target)


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that rebuilds NumPy arrays and nothing else: a pickle can otherwise run any code."""

    ALLOWED = frozenset(
        {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy._core.numeric", "_frombuffer"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def _read(path: Path, layout: Layout, name: str) -> tuple[Tensor, Tensor, str]:
    """Return a file's images, shape (images, 3, 32, 32), uint8, their class indices, and the file's MD5 sum."""
    remedy = how_to_fetch(name, layout.directory)
    content = read_file(path, remedy)
    try:
        batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
        images, targets = torch.from_numpy(batch[b"data"]), torch.tensor(batch[layout.targets])
        if images.dtype != torch.uint8 or images.shape != (len(targets), 3 * 32 * 32):
            raise ValueError(f"images of shape {tuple(images.shape)} and type {images.dtype}, {len(targets)} labels")
        if not (targets.dtype == torch.int64 and targets.min() >= 0 and targets.max() < layout.classes):
            raise ValueError(f"labels that are not 0 to {layout.classes - 1}")
    except Exception as error:  # what a damaged pickle raises is not documented
        raise DataError(f"{path} is damaged or no batch of {layout.label} ({error}): remove it, and {remedy}") from None
    return images.view(-1, 3, 32, 32), targets, hashlib.md5(content).hexdigest()
