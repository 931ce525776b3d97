"""Augmentation of whole batches at once, on the device that holds the images."""

import torch
from torch import Tensor

PADDING = 4
"""Pixels added on each side before a crop; the paper's (Appendix D.1)."""


def padded(images: Tensor) -> Tensor:
    """Images (examples, channels, height, width) with `PADDING` black pixels on each side."""
    return torch.nn.functional.pad(images, [PADDING] * 4)


def crop_and_flip(images: Tensor, chosen: Tensor, generator: torch.Generator) -> Tensor:
    """A batch of random crops of the images' size before padding, half of them mirrored left to right.

    The draws come from the CPU, so a seed means the same on every device.

    Args:
        images: all images, from `padded`.
        chosen: indices of the batch, on the CPU.
        generator: of the CPU.

    Returns:
        One crop for each index, of the images' type, on their device.
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
