"""What sets of images share: decoding, mean and deviation, which images train, which are held out, at which size."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from adai.data import Data, DataError

HOLDOUT_SEED = 20_220_717
"""Shuffles the training images once and for all: held-out images come from its end, a limited set from its start."""
SMALLEST = 14
"""Pixels a side: a half of MNIST's."""


def decoded(path: Path) -> Image.Image:
    """The image in a file, in colour (RGB).

    Raises:
        DataError: the file is missing, cut off, or no image.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's decoders raise all three
        raise DataError(f"{path} is no image that can be read ({error}): unpack the set again") from None


class Moments(NamedTuple):
    """Sums in whole numbers, so that mean and deviation do not depend on the order or the size of the parts.

    Args:
        pixels: how many each channel has.
        sums: of each channel's pixels.
        squares: of each channel's squared pixels.
    """

    pixels: int
    sums: list[int]
    squares: list[int]

    @classmethod
    def of(cls, images: Tensor) -> "Moments":
        """Those of images of shape (examples, channels, height, width), uint8."""
        whole = images.long()
        sums, squares = (values.sum(dim=(0, 2, 3)).tolist() for values in (whole, whole.square()))
        return cls(images[:, 0].numel(), sums, squares)

    @classmethod
    def total(cls, parts: Iterable["Moments"]) -> "Moments":
        """Those of all parts together."""
        pixels, sums, squares = zip(*parts, strict=True)
        return cls(sum(pixels), *([sum(channel) for channel in zip(*part, strict=True)] for part in (sums, squares)))

    def mean_and_deviation(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel, float32."""
        n = self.pixels
        variances = [
            (n * square - total**2) / (n * (n - 1)) for total, square in zip(self.sums, self.squares, strict=True)
        ]
        return torch.tensor([total / n for total in self.sums]), torch.tensor([v**0.5 for v in variances])


@dataclass(frozen=True)
class Split:
    """Which of the training images are used, and at which size. They are shuffled once, by a seed of the set's own.

    Args:
        size: pixels a side, those of the files divided by 1, 2, 4, …: means of 2 × 2 pixels.
        limit: train on only so many images.
        holdout: keep the last so many training images out of training, to choose settings by. A limited set that
            leaves room for them never trains on these images either.
    """

    size: int
    limit: int | None = None
    holdout: int = 0

    def of(self, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], *, label: str, checksum: str) -> Data:
        """The data of a run.

        Args:
            train, test: images of shape (examples, channels, pixels, pixels), uint8, and their class indices.
            label, checksum: as for `Data`.

        Returns:
            Inputs of shape (examples, channels, size, size), uint8, with mean and deviation of each channel over
            the training images.

        Raises:
            ValueError: there is no such size, or there are not so many images.
        """
        (images, targets), available = train, len(train[1]) - self.holdout
        limit = available if self.limit is None else self.limit
        if not (self.holdout >= 0 and 0 < limit <= available):
            raise ValueError(
                f"limit is {self.limit} and holdout {self.holdout}, but there are {len(targets)} training images for "
                "both together"
            )
        order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(HOLDOUT_SEED))
        chosen, held_out = order[:limit], order[available:]
        pixels = self._resized(images[chosen])
        mean, deviation = Moments.total(map(Moments.of, pixels.split(1000))).mean_and_deviation()
        return Data(
            pixels,
            targets[chosen],
            self._resized(test[0]),
            test[1],
            label=label,
            checksum=checksum,
            mean=mean,
            deviation=deviation,
            held_out_inputs=self._resized(images[held_out]) if self.holdout else None,
            held_out_targets=targets[held_out] if self.holdout else None,
        )

    def _resized(self, images: Tensor) -> Tensor:
        full = images.shape[-1]
        if self.size not in (sizes := [full >> halvings for halvings in range(8) if full >> halvings >= SMALLEST]):
            raise ValueError(f"size is {self.size}, but there are {', '.join(map(str, sizes))}")
        while images.shape[-1] > self.size:
            # In whole numbers, rounded half up: the same on every machine.
            sums = sum(images[:, :, row::2, column::2].to(torch.int16) for row in (0, 1) for column in (0, 1))
            images = ((sums + 2) // 4).to(torch.uint8)
        return images
