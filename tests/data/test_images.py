"""What sets of images share: which images are used, at which size, and their mean and deviation."""

import itertools

import pytest
import torch

from adai.data.images import ChannelMoments, split

DRAW = torch.Generator().manual_seed(0)
IMAGES, TARGETS = torch.randint(256, (40, 3, 28, 28), generator=DRAW, dtype=torch.uint8), torch.arange(40)
TEST = torch.randint(256, (10, 3, 28, 28), generator=DRAW, dtype=torch.uint8), torch.arange(10)


def chosen(size: int = 28, limit: int | None = None, holdout: int = 0):
    return split((IMAGES, TARGETS), TEST, size=size, limit=limit, holdout=holdout, label="made up", checksum="sum")


def test_mean_and_deviation_are_those_of_the_images_that_train_alone():
    read = chosen(limit=5, holdout=10)
    pixels = read.train_inputs.double()
    assert torch.allclose(read.mean.double(), pixels.mean(dim=(0, 2, 3)), rtol=1e-6)
    assert torch.allclose(read.deviation.double(), pixels.std(dim=(0, 2, 3)), rtol=1e-6)
    assert not torch.allclose(read.mean, chosen().mean, rtol=1e-4)


def test_moments_do_not_depend_on_the_parts_that_they_are_of():
    whole = ChannelMoments.of(IMAGES)
    for count in (1, 7, 39):
        assert ChannelMoments.total(map(ChannelMoments.of, IMAGES.split(count))) == whole
    assert whole.pixels == 40 * 28 * 28 and whole.squares == IMAGES.long().square().sum(dim=(0, 2, 3)).tolist()


def test_a_deviation_is_that_of_a_sample():
    two = torch.tensor([1, 4], dtype=torch.uint8).view(2, 1, 1, 1)
    mean, deviation = ChannelMoments.of(two).mean_and_deviation()
    assert mean.tolist() == [2.5] and deviation.tolist() == pytest.approx([4.5**0.5])


def test_the_shuffle_never_changes():
    # Records name their data by the whole set's checksum, which does not tell one choice of images from another.
    assert chosen(limit=8).train_targets.tolist() == [5, 17, 37, 36, 23, 31, 33, 9]
    read = chosen(holdout=3)
    assert torch.equal(torch.cat([read.train_targets, read.held_out_targets]), chosen().train_targets)
    assert torch.equal(read.held_out_inputs, IMAGES[read.held_out_targets])
    assert torch.equal(read.train_inputs, IMAGES[read.train_targets])


def test_half_the_size_is_the_rounded_mean_of_each_2_by_2_pixels():
    read = chosen(size=14, holdout=5)
    for halved, images in (
        (read.train_inputs, IMAGES[read.train_targets]),
        (read.held_out_inputs, IMAGES[read.held_out_targets]),
        (read.test_inputs, TEST[0]),
    ):
        sums = sum(images[:, :, row::2, column::2].long() for row, column in itertools.product((0, 1), (0, 1)))
        assert torch.equal(halved.long(), (sums / 4 + 0.5).floor().long())
