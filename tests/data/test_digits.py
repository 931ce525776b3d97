"""scikit-learn's digits: split at random, each used once, and normalised by the training digits."""

import torch

from adai.data import digits


def test_split_uses_every_digit_once():
    read = digits.load(seed=5)
    everything = torch.cat([read.train_targets, read.test_targets])
    assert (len(read.train_targets), len(read.test_targets)) == (1344, 453)
    assert torch.equal(
        everything.bincount(),
        digits.load(seed=6).train_targets.bincount() + digits.load(seed=6).test_targets.bincount(),
    )
    assert read.train_inputs.mean().abs() < 1e-5 and (read.train_inputs.std() - 1).abs() < 1e-5


def test_checksum_is_that_of_the_whole_set():
    # A changed checksum means other digits: every record of the book would stop being comparable.
    expected = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    assert digits.load(seed=0).checksum == digits.load(seed=1, limit=10).checksum == expected
