"""ImageNet (ILSVRC 2012; Russakovsky et al. 2015): 1,281,167 photographs of 1,000 classes, and 50,000 for validation.

The folder ``imagenet`` under ``ADAI_DATA`` holds ``train/<class>/*.JPEG`` and ``val/<class>/*.JPEG``, classes by their
WordNet names. The script ``extract_ILSVRC.sh`` of PyTorch's examples makes it from the two archives of image-net.org.
Kaggle's archive has all validation images in one folder; there, in the folder ``val``, this sorts them::

    tail -n +2 LOC_val_solution.csv | while IFS=', ' read image wnid _; do mkdir -p $wnid; mv $image.JPEG $wnid; done

**What is stored.** Images are decoded once (`decode`). Each is scaled so that its shorter side is an eighth longer than
the network's input (256 pixels for 224), and its central square is kept. That is the usual way to *test* (scale to 256,
central 224). For training it loses what lies outside of the central square: a random crop is one of the square, not of
the whole photograph. In return all images have one shape, so any of them is found in a mapped file without decoding,
and a crop is at most an eighth larger than the input, so it can be resized without a filter. At
224 pixels, the decoded set takes 262 GB of disk.
"""

import hashlib
import os
from functools import partial
from pathlib import Path

import numpy as np

from adai.data import shards
from adai.data.base import Data, DataError, folder
from adai.data.images import read_image
from adai.data.mapped import MappedImages

DIRECTORY = "imagenet"
CLASSES = 1000
PUBLISHED = {"train": 1_281_167, "val": 50_000}
"""Images of the whole set; its validation images are our test set."""
SIZE = 224
REMEDY = (
    f"set ADAI_DATA to the folder that holds {DIRECTORY}, with train/<class>/*.JPEG and val/<class>/*.JPEG, unpacked "
    "from the archives of https://image-net.org by extract_ILSVRC.sh of github.com/pytorch/examples"
)


def load(*, classes: int = CLASSES, size: int = SIZE) -> Data:
    """Map the decoded set, in the folder that ``ADAI_DATA`` names. The photographs themselves need not be there.

    Args:
        classes: use the first `classes` of them, in the order of their WordNet names.
        size: pixels a side of the network's input.

    Returns:
        Training images of shape (examples, 3, 8/7 size, 8/7 size), to be cropped and resized; test images of shape
        (examples, 3, size, size). Both stay in their files.

    Raises:
        DataError: it has not been decoded, not wholly, or from other files; or files or classes are missing.
        ValueError: an option is out of its range.
    """
    usual = (classes, size) == (CLASSES, SIZE)
    remedy = "adai data imagenet" if usual else f"imagenet.decode(classes={classes}, size={size})"
    parts = [
        shards.read(home, _key(_files(part, classes)) if _source(part).exists() else None, remedy)
        for part, home in _homes(classes, size).items()
    ]
    (train, train_targets, moments, _), (test, test_targets, _, _) = parts
    mean, deviation = moments.mean_and_deviation()
    return Data(
        train,
        train_targets,
        MappedImages(test.arrays, size),
        test_targets,
        label="ImageNet" if classes == CLASSES else f"files in ImageNet's layout, {classes} classes",
        checksum=hashlib.sha256("".join(checksum for *_, checksum in parts).encode()).hexdigest(),
        mean=mean,
        deviation=deviation,
    )


def decode(*, classes: int = CLASSES, size: int = SIZE) -> Path:
    """Decode all images, except those whose decoded form is there and undamaged, and return the decoded set's folder.

    Args:
        classes, size: as for `load`.

    Raises:
        DataError: a file, a class or an image is missing, or an image is broken.
        ValueError: an option is out of its range.
    """
    homes = _homes(classes, size)
    files = {part: _files(part, classes) for part in homes}
    if only := sorted(files["train"].keys() ^ files["val"].keys()):
        raise DataError(f"{only[0]} is a class in only one of {_source('train')} and {_source('val')}: {REMEDY}")
    for part, home in homes.items():
        shards.write(home, _key(files[part]), files[part], partial(_square, side=_side(size)))
    return home.parent


def _source(part: str) -> Path:
    return folder() / DIRECTORY / part


def _side(size: int) -> int:
    return size * 8 // 7


def _homes(classes: int, size: int) -> dict[str, Path]:
    if not (0 < classes <= CLASSES and size > 0):
        raise ValueError(f"classes is {classes} and size {size}, expected 1 to {CLASSES} classes and a positive size")
    home = folder() / DIRECTORY / f"decoded-{classes}-classes-{_side(size)}-pixels"
    return {part: home / part for part in PUBLISHED}


def _files(part: str, classes: int) -> dict[str, list[Path]]:
    """Return the images of each class, in the order of names."""
    home = _source(part)
    try:
        names = sorted(entry.name for entry in os.scandir(home) if entry.is_dir())
    except OSError as error:
        raise DataError(f"{home} cannot be read ({os.strerror(error.errno or 0)}): {REMEDY}") from None
    if len(names) < classes:
        raise DataError(f"{home} has folders of {len(names)} classes, {classes} are wanted: {REMEDY}")
    files = {name: sorted((home / name).glob("*.JPEG")) for name in names[:classes]}
    if empty := [name for name, found in files.items() if not found]:
        raise DataError(f"{home / empty[0]} has no images, expected files named *.JPEG: {REMEDY}")
    found = sum(map(len, files.values()))
    if classes == CLASSES and found != PUBLISHED[part]:
        raise DataError(
            f"{home} has {found:,} images, the published set has {PUBLISHED[part]:,}: an archive was cut off or not "
            f"wholly unpacked; {REMEDY}"
        )
    return files


def _key(files: dict[str, list[Path]]) -> str:
    names = "\n".join(f"{name}/{path.name}" for name, found in files.items() for path in found)
    return hashlib.sha256(names.encode()).hexdigest()


def _square(path: Path, side: int) -> np.ndarray:
    """Return the central square of an image, scaled: shape (3, side, side), uint8."""
    from PIL import Image, ImageOps

    image = ImageOps.fit(read_image(path), (side, side), Image.Resampling.BILINEAR)
    return np.asarray(image).transpose(2, 0, 1)
