"""Random crops and mirror images of whole batches: each one is a crop that could be, and a seed decides which."""

import math

import pytest
import torch
from torch.nn import functional as F

from adai.data.augment import PADDING, crop_and_flip, crop_and_resize, pad, random_boxes

IMAGES = torch.randint(256, (6, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def crops(batch: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return crop_and_flip(pad(IMAGES), batch, torch.Generator().manual_seed(seed))


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


# ── crops of any size and shape, resized ──


def shapes(boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    left, right, top, bottom = boxes.T
    width, height = (right - left).abs(), bottom - top
    return width * height, (width / height).log() / math.log(4 / 3), left > right


BOXES = random_boxes(40_000, torch.Generator().manual_seed(0))


def test_no_box_leaves_the_image():
    left, right, top, bottom = BOXES.T
    assert BOXES.min() >= 0 and BOXES.max() <= 1
    assert (top < bottom).all() and (left != right).all()


def test_boxes_have_the_papers_areas_and_aspects():
    area, aspect, mirrored = shapes(BOXES)
    assert 0.08 <= area.min() < 0.081 and 0.99 < area.max() <= 1
    assert -1 - 1e-9 <= aspect.min() < -0.99 and 0.99 < aspect.max() <= 1 + 1e-9
    assert abs(mirrored.double().mean() - 0.5) < 0.01
    # Below 3/4 of the image every aspect fits, so area and aspect are as drawn: even.
    small = area < 0.75
    for values, low, high in ((area[small], 0.08, 0.75), (aspect[small], -1, 1)):
        share = values.sub(low).div(high - low).mul(10).long().clamp(0, 9).bincount() / small.sum()
        assert (share - 0.1).abs().max() < 0.01
    # One draw in seven does not fit, all of them from the larger ones, and is drawn again.
    areas = torch.linspace(0.08, 1, 10_001, dtype=torch.float64)
    kept = (-areas.log() / math.log(4 / 3)).clamp(max=1)
    assert area.mean().item() == pytest.approx(((areas * kept).sum() / kept.sum()).item(), abs=0.005)


def test_boxes_lie_anywhere_alike():
    left, right, top, bottom = BOXES.T
    low, width = torch.minimum(left, right), (right - left).abs()
    for place in (low / (1 - width), top / (1 - (bottom - top))):
        share = place[width < 0.9].mul(10).long().clamp(0, 9).bincount() / (width < 0.9).sum()
        assert (share - 0.1).abs().max() < 0.01


def test_where_no_draw_fits_the_whole_image_is_taken(monkeypatch):
    monkeypatch.setattr("adai.data.augment.AREA", (1.5, 2.0))
    area, _, _ = shapes(random_boxes(10, torch.Generator().manual_seed(0)))
    assert (area == 1).all()


def test_a_seed_repeats_its_boxes():
    one, same, other = (random_boxes(50, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_the_whole_image_is_itself_and_its_mirror_image():
    whole = torch.tensor([[0.0, 1, 0, 1]]).double().expand(6, 4)
    assert torch.equal(crop_and_resize(IMAGES, whole, 8), IMAGES.float())
    assert torch.equal(crop_and_resize(IMAGES, whole[:, [1, 0, 2, 3]], 8), IMAGES.flip(3).float())


@pytest.mark.parametrize("size", [4, 8, 12])
def test_a_box_of_whole_pixels_is_that_part_resized(size):
    # Torch's own resizing of the part; away from the part's border, where that one has no neighbours and ours has.
    part = IMAGES[:, :, 1:7, 2:8].float()
    expected = F.interpolate(part, (size, size), mode="bilinear", align_corners=False)
    found = crop_and_resize(IMAGES, torch.tensor([[2, 8, 1, 7]]).double().expand(6, 4) / 8, size)
    inner = slice(size // 4, -(size // 4))
    assert torch.allclose(found[:, :, inner, inner], expected[:, :, inner, inner], atol=1e-3)


def test_each_image_has_a_box_of_its_own():
    boxes = random_boxes(6, torch.Generator().manual_seed(3))
    together = crop_and_resize(IMAGES, boxes, 5)
    for number in range(6):
        alone = crop_and_resize(IMAGES[number : number + 1], boxes[number : number + 1], 5)
        assert torch.equal(together[number : number + 1], alone)


def test_no_pixel_comes_from_outside():
    bright = torch.full((500, 1, 8, 8), 200, dtype=torch.uint8)
    crops = crop_and_resize(bright, random_boxes(500, torch.Generator().manual_seed(0)), 16)
    assert torch.allclose(crops, torch.tensor(200.0), rtol=1e-6)
