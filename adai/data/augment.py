"""Read the inputs of training steps, cropped and mirrored at random, a whole batch at once, on any device."""

import math

import torch
from torch import Tensor

from adai.data.base import Data, DataError

AREA = 0.08, 1.0
"""Smallest and largest area of a resized crop, as a share of its image's; the paper's (Appendix D.1)."""
ASPECT = 3 / 4, 4 / 3
"""Smallest and largest width over height of a resized crop; the paper's."""
TRIES = 10
"""Draws of a box before the whole image is taken; one draw in seven does not fit."""
PADDING = 4
"""Pixels added on each side before a crop; the paper's (Appendix D.1)."""


class TrainingInputs:
    """A training set's inputs, read batch by batch, as they are or cropped at random.

    Args:
        data: the set, moved to the device that trains, or mapped with its targets there.
        crop: ``"padded"``, ``"resized"`` to the size of the test images, or None for inputs as they are.

    Raises:
        DataError: a mapped set is to be padded.
    """

    def __init__(self, data: Data, crop: str | None) -> None:
        self.crop, self.size = crop, data.test_inputs.shape[-1]
        self.inputs, self.device = data.train_inputs, data.train_targets.device
        if crop == "padded":
            if not isinstance(data.train_inputs, Tensor):
                raise DataError(f"{data.label} is not in memory, where crop='padded' needs it: take crop='resized'")
            self.padded = pad(data.train_inputs)

    def __call__(self, chosen: Tensor, share: slice, generator: torch.Generator) -> Tensor:
        """Read one process's share of a batch; the rest of a mapped set's batch is not read.

        Args:
            chosen: indices of the whole batch, shape (batch,), on the CPU.
            share: the part of `chosen` that is read.
            generator: of the CPU; draws for the whole batch, so that a run does not depend on how many processes share
                it.

        Returns:
            The inputs, first dimension the share's examples, on the device that trains.
        """
        if self.crop == "padded":
            return crop_and_flip(self.padded, chosen, generator)[share]
        inputs = self.inputs[chosen[share].to(self.inputs.device)].to(self.device)
        if self.crop is None:
            return inputs
        return crop_and_resize(inputs, random_boxes(len(chosen), generator)[share], self.size)


def pad(images: Tensor) -> Tensor:
    """Return images of shape (examples, channels, height, width) with `PADDING` black pixels on each side."""
    return torch.nn.functional.pad(images, [PADDING] * 4)


def crop_and_flip(images: Tensor, chosen: Tensor, generator: torch.Generator) -> Tensor:
    """Return random crops of the images' size before padding, half of them mirrored left to right.

    The draws come from the CPU, so a seed means the same on every device.

    Args:
        images: all images, from `pad`.
        chosen: indices of the batch, shape (batch,), on the CPU.
        generator: of the CPU.

    Returns:
        One crop for each index, shape (batch, channels, height, width), of the images' type, on their device.
    """
    count, size = len(chosen), images.shape[-1] - 2 * PADDING
    top, left = (torch.randint(2 * PADDING + 1, (count, 1), generator=generator) for _ in range(2))
    mirrored = torch.rand(count, 1, generator=generator) < 0.5
    pixels = torch.arange(size)
    rows = top + pixels
    columns = left + torch.where(mirrored, pixels.flip(0), pixels)
    index = [
        chosen[:, None, None, None],
        torch.arange(images.shape[1])[:, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]
    return images[tuple(part.to(images.device) for part in index)]


def random_boxes(count: int, generator: torch.Generator) -> Tensor:
    """Draw boxes inside a square image, of random area, aspect and place, half of them mirrored.

    The area is uniform, the aspect uniform on a logarithmic scale, as in torchvision. A box that is wider or higher
    than the image is drawn again.

    Args:
        count: how many.
        generator: of the CPU.

    Returns:
        Shape (count, 4): left, right, top and bottom edge, as fractions of the image's side. Where left is greater than
        right, the crop is a mirror image.
    """
    area, aspect, x, y = torch.rand(4, count, TRIES, dtype=torch.float64, generator=generator)
    area = AREA[0] + (AREA[1] - AREA[0]) * area
    aspect = torch.exp(math.log(ASPECT[0]) + math.log(ASPECT[1] / ASPECT[0]) * aspect)
    width, height = (area * aspect).sqrt(), (area / aspect).sqrt()
    fits = (width <= 1) & (height <= 1)
    width, height = (torch.where(fits.any(dim=1, keepdim=True), side, 1.0) for side in (width, height))
    left, top = x * (1 - width), y * (1 - height)
    # argmax finds the first that fits.
    first = fits.byte().argmax(dim=1, keepdim=True)
    left, right, top, bottom = (edge.gather(1, first)[:, 0] for edge in (left, left + width, top, top + height))
    mirrored = torch.rand(count, generator=generator) < 0.5
    left, right = torch.where(mirrored, right, left), torch.where(mirrored, left, right)
    return torch.stack([left, right, top, bottom], dim=1)


def crop_and_resize(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Return the part of each image that lies in its box, resized by bilinear interpolation.

    Args:
        images: shape (examples, channels, side, side).
        boxes: one for each image, shape (examples, 4), from `random_boxes`.
        size: pixels a side of the result.

    Returns:
        Shape (examples, channels, size, size), float32, on the device of the images.
    """
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    left, right, top, bottom = boxes.T[:, :, None]
    columns, rows = left + (right - left) * centres, top + (bottom - top) * centres
    at = torch.stack([columns[:, None].expand(-1, size, -1), rows[:, :, None].expand(-1, -1, size)], dim=-1)
    grid = (2 * at - 1).to(images.device, torch.float32)
    # Half a pixel at the image's border has no neighbour: there the last pixel is repeated.
    return torch.nn.functional.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)
