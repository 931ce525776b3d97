"""What sets of images share: decoding, mean and deviation, which images train, which are held out, at which size."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from adai.data.base import Data, DataError

if TYPE_CHECKING:
    from PIL import Image

HOLDOUT_SEED = 20_220_717
"""Shuffles the training images once and for all: held-out images come from its end, a limited set from its start."""
SMALLEST = 14
"""Pixels a side: a half of MNIST's."""


def read_image(path: Path) -> "Image.Image":
    """Return the image in a file, in colour (RGB).

    Raises:
        DataError: the file is missing, cut off, or no image.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's decoders raise all three
        raise DataError(f"{path} is no image that can be read ({error}): unpack the set again") from None


class ChannelMoments(NamedTuple):
    """Sums over the pixels of each channel, in whole numbers, so that no order and no partition changes them.

    Args:
        pixels: how many each channel has.
        sums: of each channel's pixels.
        squares: of each channel's squared pixels.
    """

    pixels: int
    sums: list[int]
    squares: list[int]

    @classmethod
    def of(cls, images: Tensor) -> "ChannelMoments":
        """Return the moments of images of shape (examples, channels, height, width), uint8."""
        whole = images.long()
        sums, squares = (values.sum(dim=(0, 2, 3)).tolist() for values in (whole, whole.square()))
        return cls(images[:, 0].numel(), sums, squares)

    @classmethod
    def total(cls, parts: Iterable["ChannelMoments"]) -> "ChannelMoments":
        """Return the moments of all parts together."""
        pixels, sums, squares = zip(*parts, strict=True)
        return cls(sum(pixels), *([sum(channel) for channel in zip(*part, strict=True)] for part in (sums, squares)))

    def mean_and_deviation(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation (n - 1) of each channel: two tensors of shape (channels,), float32."""
        n = self.pixels
        variances = [
            (n * square - total**2) / (n * (n - 1)) for total, square in zip(self.sums, self.squares, strict=True)
        ]
        return torch.tensor([total / n for total in self.sums]), torch.tensor([v**0.5 for v in variances])


def split(
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    size: int,
    limit: int | None,
    holdout: int,
    label: str,
    checksum: str,
) -> Data:
    """Choose which training images are used, and at which size. They are shuffled once, by a seed that never changes.

    Args:
        train, test: images of shape (examples, channels, pixels, pixels), uint8, and their class indices.
        size: pixels a side, those of the files divided by 1, 2, 4, …: means of 2 × 2 pixels, repeated.
        limit: train on the first `limit` shuffled images only; by default on all that are not held out.
        holdout: keep the last `holdout` shuffled images out of training, to choose settings by. A limited set that
            leaves room for them never trains on these images either.
        label, checksum: as for `Data`.

    Returns:
        Inputs of shape (examples, channels, size, size), uint8, with mean and deviation of each channel over the
        training images.

    Raises:
        ValueError: there is no such size, or there are fewer images than limit and holdout ask for.
    """
    (images, targets), available = train, len(train[1]) - holdout
    count = available if limit is None else limit
    if not (holdout >= 0 and 0 < count <= available):
        raise ValueError(
            f"limit is {limit} and holdout {holdout}, but there are {len(targets)} training images for both together"
        )
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(HOLDOUT_SEED))
    chosen, held_out = order[:count], order[available:]
    pixels = _shrink(images[chosen], size)
    mean, deviation = ChannelMoments.total(map(ChannelMoments.of, torch.split(pixels, 1000))).mean_and_deviation()
    return Data(
        pixels,
        targets[chosen],
        _shrink(test[0], size),
        test[1],
        label=label,
        checksum=checksum,
        mean=mean,
        deviation=deviation,
        held_out_inputs=_shrink(images[held_out], size) if holdout else None,
        held_out_targets=targets[held_out] if holdout else None,
    )


def _shrink(images: Tensor, size: int) -> Tensor:
    """Halve images, by means of 2 × 2 pixels, until they have `size` pixels a side."""
    full = images.shape[-1]
    if size not in (sizes := [full >> halvings for halvings in range(8) if full >> halvings >= SMALLEST]):
        raise ValueError(f"size is {size}, but there are {', '.join(map(str, sizes))}")
    half = torch.tensor(2, dtype=torch.int16)
    while images.shape[-1] > size:
        # In whole numbers, rounded half up: the same on every machine.
        corners = (images[:, :, row::2, column::2].to(torch.int16) for row in (0, 1) for column in (0, 1))
        images = (sum(corners, start=half) // 4).to(torch.uint8)
    return images
