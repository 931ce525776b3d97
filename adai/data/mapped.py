"""Images that stay in files on the host: a batch is read when it is asked for."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor


class MappedImages:
    """Square images in mapped arrays, indexed like one tensor of shape (images, 3, size, size).

    Args:
        arrays: each of shape (images, 3, side, side), uint8, all but the last of the same length.
        size: pixels a side of the central square that is read; by default the whole image.
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
        """Return copies of the images with these indices, in their order: shape (indices, 3, size, size), uint8."""
        batch = np.empty((len(indices), *self.shape[1:]), dtype=np.uint8)
        for row, index in enumerate(indices.tolist()):
            shard, place = divmod(index, len(self.arrays[0]))
            batch[row] = self.arrays[shard][place][self._central]
        return torch.from_numpy(batch)

    def split(self, count: int) -> Iterator[Tensor]:
        """Yield all images in their order, `count` at a time; the last part may be smaller."""
        return (self[indices] for indices in torch.split(torch.arange(len(self)), count))
