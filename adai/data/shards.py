"""Decode images that are too many for memory into files of uint8 arrays, once, and map these files."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from adai.data.base import DataError
from adai.data.images import ChannelMoments
from adai.data.mapped import MappedImages
from adai.records import atomic_write

IMAGES = 8192
"""Images of one shard; the last may have fewer. Each mapped file stays open, and some systems allow a process 256."""
MANIFEST = "shards.json"


class _Manifest(TypedDict):
    """What the list of shards says: a key of the files, how many each class has, and sum and moments of each shard."""

    key: str
    classes: dict[str, int]
    shards: list[dict[str, Any]]


def write(home: Path, key: str, files: Mapping[str, Sequence[Path]], decode: Callable[[Path], np.ndarray]) -> None:
    """Decode images into shards. Shards that are there and undamaged are kept, so a stopped call goes on.

    A shard and the list of shards appear whole or not at all; unfinished files of a killed call are removed.

    Args:
        home: folder of the shards.
        key: checksum that tells this list of files from others.
        files: the files of each class, class by class.
        decode: returns the image of a file, shape (3, side, side), uint8; called by several threads.

    Raises:
        DataError: an image is broken, or the folder holds shards of other files.
    """
    manifest: _Manifest = {
        "key": key,
        "classes": {name: len(of_class) for name, of_class in files.items()},
        "shards": [],
    }
    if (home / MANIFEST).exists():
        manifest = _manifest(home)
        _require_same(home, manifest["key"], key)
    for leftover in home.glob(".*.part"):
        leftover.unlink()
    every = [file for of_class in files.values() for file in of_class]
    with ThreadPoolExecutor() as pool:
        starts = range(0, len(every), IMAGES)
        for number, start in enumerate(tqdm(starts, desc=home.name, unit="shard", leave=False, disable=None)):
            if number < len(manifest["shards"]) and _intact(home, number, manifest["shards"][number]["sha256"]):
                continue
            images = _decode_all(every[start : start + IMAGES], decode, pool)
            with atomic_write(_path(home, number)) as file:
                np.save(file, images)
            moments = ChannelMoments.of(torch.from_numpy(images))
            manifest["shards"][number : number + 1] = [{"sha256": _sha256(images), **moments._asdict()}]
            with atomic_write(home / MANIFEST) as file:
                file.write(json.dumps(manifest, indent=1).encode())


def read(home: Path, key: str | None, remedy: str) -> tuple[MappedImages, Tensor, ChannelMoments, str]:
    """Map the shards of a folder.

    Args:
        home: folder of the shards.
        key: of the files that they should be made of; None where these are not there any more.
        remedy: the command that makes the shards, for error messages.

    Returns:
        The images, of shape (images, 3, side, side); their classes, of shape (images,), int64; the moments of their
        channels; and a checksum of images and classes.

    Raises:
        DataError: shards are missing or cut off, or were made from other files.
    """
    if not (home / MANIFEST).exists():
        raise DataError(f"{home} holds no decoded images: {remedy} makes them")
    manifest = _manifest(home)
    if key is not None:
        _require_same(home, manifest["key"], key)
    counts = list(manifest["classes"].values())
    expected = -(-sum(counts) // IMAGES)
    if (found := len(manifest["shards"])) < expected:
        raise DataError(f"{home} holds {found} of {expected} shards: {remedy} goes on where it stopped")
    arrays = []
    for number in range(expected):
        images = min(IMAGES, sum(counts) - number * IMAGES)
        try:
            arrays.append(_mapped(home, number, images))
        except (OSError, ValueError) as error:
            raise DataError(f"{_path(home, number)} is damaged ({error}): {remedy} makes it anew") from None
    rows = ([shard[name] for name in ChannelMoments._fields] for shard in manifest["shards"])
    moments = ChannelMoments.total(ChannelMoments(*row) for row in rows)
    content = hashlib.sha256(json.dumps([counts, [shard["sha256"] for shard in manifest["shards"]]]).encode())
    targets = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return MappedImages(arrays), targets, moments, content.hexdigest()


def _decode_all(files: Sequence[Path], decode: Callable[[Path], np.ndarray], pool: ThreadPoolExecutor) -> np.ndarray:
    decoded = pool.map(decode, files)
    first = next(decoded)
    images = np.empty((len(files), *first.shape), dtype=np.uint8)
    for row, image in enumerate(chain([first], decoded)):
        images[row] = image
    return images


def _path(home: Path, number: int) -> Path:
    return home / f"{number:05}.npy"


def _manifest(home: Path) -> _Manifest:
    try:
        manifest = json.loads((home / MANIFEST).read_text())
        return {"key": manifest["key"], "classes": manifest["classes"], "shards": manifest["shards"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{home / MANIFEST} is no list of shards ({error}): remove {home}, and decode again") from None


def _require_same(home: Path, found: str, key: str) -> None:
    if found != key:
        raise DataError(
            f"the shards in {home} were made from other files than those that are there now: remove it, and decode "
            "again"
        )


def _mapped(home: Path, number: int, images: int | None = None) -> np.ndarray:
    array: np.ndarray = np.load(_path(home, number), mmap_mode="r", allow_pickle=False)
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
