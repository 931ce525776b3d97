"""The digits that come with scikit-learn: 1,797 real handwritten digits of 8 × 8 pixels, no download.

They are the test part of the UCI set *Optical Recognition of Handwritten Digits* (Alpaydin and Kaynak, 1998).
"""

import hashlib

import numpy as np
import torch

from adai.data.base import Data

TRAIN_SIZE = 1344
"""Training digits: 42 batches of 32. The other 453 digits are the test set."""


def load(*, seed: int, limit: int | None = None) -> Data:
    """Read the digits and split them at random.

    The split follows from the seed and is not stratified, so an interval over seeds also covers the luck of the
    split. Pixels are shifted and scaled by one mean and one deviation, both of the training digits alone.

    Args:
        seed: decides which digits are for training.
        limit: train on the first `limit` training digits only (smoke runs); all of them by default.

    Returns:
        Inputs of shape (examples, 64), float32, and targets of shape (examples,), int64.
    """
    from sklearn.datasets import load_digits

    images, targets = load_digits(return_X_y=True)
    # The pixels are the integers 0 to 16: one byte each is the same on every platform.
    content = images.astype(np.uint8).tobytes() + targets.astype(np.uint8).tobytes()
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(seed))
    train, test = order[:TRAIN_SIZE][:limit], order[TRAIN_SIZE:]
    inputs, targets = torch.from_numpy(images).float(), torch.from_numpy(targets).long()
    mean, deviation = inputs[train].mean(), inputs[train].std()
    inputs = (inputs - mean) / deviation
    return Data(
        inputs[train],
        targets[train],
        inputs[test],
        targets[test],
        label="digits (scikit-learn)",
        checksum=hashlib.sha256(content).hexdigest(),
    )
