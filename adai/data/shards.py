"""Images too many for memory: decoded once into files of uint8 arrays, which are mapped, so only batches are read."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from adai.data import DataError
from adai.data.images import Moments
from adai.records import atomic_write

IMAGES = 8192
"""Of one shard; the last has fewer. Each mapped file stays open, and some systems allow a process only 256 of them."""
MANIFEST = "shards.json"


class Shards:
    """Square images on this host, read when they are asked for.

    Args:
        arrays: each of shape (images, 3, side, side), uint8, all but the last with `IMAGES` of them.
        size: give only the central square of so many pixels a side.
    """

    device = torch.device("cpu")

    def __init__(self, arrays: Sequence[np.ndarray], size: int | None = None) -> None:
        side: int = arrays[0].shape[-1]
        size = side if size is None else size
        self.arrays, edge = arrays, (side - size) // 2
        self._central = (slice(None), slice(edge, edge + size), slice(edge, edge + size))
        self.shape = torch.Size([sum(map(len, arrays)), 3, size, size])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: Tensor) -> Tensor:
        """Copies of the images with these indices, in their order."""
        batch = np.empty((len(indices), *self.shape[1:]), dtype=np.uint8)
        for row, index in enumerate(indices.tolist()):
            shard, place = divmod(index, IMAGES)
            batch[row] = self.arrays[shard][place][self._central]
        return torch.from_numpy(batch)

    def split(self, count: int) -> Iterator[Tensor]:
        """All images in their order, so many at a time."""
        return (self[indices] for indices in torch.arange(len(self)).split(count))


def write(home: Path, key: str, files: Mapping[str, Sequence[Path]], decode: Callable[[Path], np.ndarray]) -> None:
    """Decode images into shards. What is there already and undamaged is kept, so a stopped call goes on.

    A shard and the list of shards appear whole or not at all; what a killed call had begun is removed.

    Args:
        home: folder of the shards.
        key: checksum that tells this list of files from others.
        files: the files of each class, class by class.
        decode: makes an array (3, side, side), uint8, of a file; called by several threads.

    Raises:
        DataError: an image is broken, or the folder holds shards of other files.
    """
    manifest = {"key": key, "classes": {name: len(of_class) for name, of_class in files.items()}, "shards": []}
    if (home / MANIFEST).exists():
        manifest = _manifest(home)
        _demand_same(home, manifest["key"], key)
    for leftover in home.glob(".*.part"):
        leftover.unlink()
    every = [file for of_class in files.values() for file in of_class]
    with ThreadPoolExecutor() as pool:
        starts = range(0, len(every), IMAGES)
        for number, start in enumerate(tqdm(starts, desc=home.name, unit="shard", leave=False, disable=None)):
            if number < len(manifest["shards"]) and _intact(home, number, manifest["shards"][number]["sha256"]):
                continue
            images = _decoded(every[start : start + IMAGES], decode, pool)
            with atomic_write(_path(home, number)) as file:
                np.save(file, images)
            moments = Moments.of(torch.from_numpy(images))
            manifest["shards"][number : number + 1] = [{"sha256": _sha256(images), **moments._asdict()}]
            with atomic_write(home / MANIFEST) as file:
                file.write(json.dumps(manifest, indent=1).encode())


def read(home: Path, key: str | None, mend: str) -> tuple[Shards, Tensor, Moments, str]:
    """Map the shards of a folder.

    Args:
        home: folder of the shards.
        key: of the files that they should be made of; None where these are not there any more.
        mend: the command that makes the shards.

    Returns:
        The images, their classes, the sums behind mean and deviation, and a checksum of images and classes.

    Raises:
        DataError: shards are missing or cut off, or were made from other files.
    """
    if not (home / MANIFEST).exists():
        raise DataError(f"{home} holds no decoded images: {mend} makes them")
    manifest = _manifest(home)
    if key is not None:
        _demand_same(home, manifest["key"], key)
    counts = list(manifest["classes"].values())
    expected = -(-sum(counts) // IMAGES)
    if len(manifest["shards"]) < expected:
        raise DataError(f"{home} holds {len(manifest['shards'])} of {expected} shards: {mend} goes on where it stopped")
    arrays = []
    for number in range(expected):
        images = min(IMAGES, sum(counts) - number * IMAGES)
        try:
            arrays.append(_mapped(home, number, images))
        except (OSError, ValueError) as error:
            raise DataError(f"{_path(home, number)} is damaged ({error}): {mend} makes it anew") from None
    moments = Moments.total(Moments(*(shard[name] for name in Moments._fields)) for shard in manifest["shards"])
    content = hashlib.sha256(json.dumps([counts, [shard["sha256"] for shard in manifest["shards"]]]).encode())
    targets = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Shards(arrays), targets, moments, content.hexdigest()


def _decoded(files: Sequence[Path], decode: Callable[[Path], np.ndarray], pool: ThreadPoolExecutor) -> np.ndarray:
    decoded = pool.map(decode, files)
    first = next(decoded)
    images = np.empty((len(files), *first.shape), dtype=np.uint8)
    for row, image in enumerate(chain([first], decoded)):
        images[row] = image
    return images


def _path(home: Path, number: int) -> Path:
    return home / f"{number:05}.npy"


def _manifest(home: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((home / MANIFEST).read_text())
        return {name: manifest[name] for name in ("key", "classes", "shards")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{home / MANIFEST} is no list of shards ({error}): remove {home}, and decode again") from None


def _demand_same(home: Path, found: str, key: str) -> None:
    if found != key:
        raise DataError(
            f"the shards in {home} were made from other files than those that are there now: remove it, and decode "
            "again"
        )


def _mapped(home: Path, number: int, images: int | None = None) -> np.ndarray:
    array = np.load(_path(home, number), mmap_mode="r", allow_pickle=False)
    if array.dtype != np.uint8 or array.ndim != 4 or images not in (None, len(array)):
        raise ValueError(f"shape {array.shape} and type {array.dtype}, expected {images} images in uint8")
    return array


def _intact(home: Path, number: int, sha256: str) -> bool:
    try:
        return _sha256(_mapped(home, number)) == sha256
    except (OSError, ValueError):
        return False


def _sha256(images: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
