"""Random crops and mirror images of whole batches: each one is a crop that could be, and a seed decides which."""

import torch

from adai.data.augment import PADDING, crop_and_flip, padded

IMAGES = torch.randint(256, (6, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def crops(batch: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return crop_and_flip(padded(IMAGES), batch, torch.Generator().manual_seed(seed))


def every_crop(image: torch.Tensor) -> dict[bytes, tuple[int, int, bool]]:
    frame = torch.zeros(3, 16, 16, dtype=torch.uint8)
    frame[:, PADDING:-PADDING, PADDING:-PADDING] = image
    return {
        (cut.flip(2) if mirrored else cut).contiguous().numpy().tobytes(): (top, left, mirrored)
        for top in range(9)
        for left in range(9)
        for mirrored in (False, True)
        for cut in [frame[:, top : top + 8, left : left + 8]]
    }


def test_each_result_is_a_crop_of_its_own_image_and_all_crops_occur_alike():
    possible = every_crop(IMAGES[2])
    found = [possible[crop.contiguous().numpy().tobytes()] for crop in crops(torch.full((20_000,), 2))]
    top, left, mirrored = (torch.tensor(values, dtype=torch.float64) for values in zip(*found, strict=True))
    assert abs(mirrored.mean() - 0.5) < 0.02
    for offset in (top, left):
        assert all(abs((offset == value).double().mean() - 1 / 9) < 0.01 for value in range(9))
    assert abs(torch.corrcoef(torch.stack([top, left, mirrored])).triu(1)).max() < 0.03


def test_a_batch_keeps_its_order_and_type():
    batch = torch.tensor([5, 0, 5, 3])
    for index, crop in zip(batch, crops(batch), strict=True):
        assert crop.dtype == torch.uint8
        assert crop.contiguous().numpy().tobytes() in every_crop(IMAGES[index])


def test_a_seed_repeats_its_crops():
    batch = torch.arange(6).repeat(10)
    assert torch.equal(crops(batch, seed=1), crops(batch, seed=1))
    assert not torch.equal(crops(batch, seed=1), crops(batch, seed=2))
