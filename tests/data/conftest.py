"""Small CIFAR sets in the published layout, for every test of the data."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from adai.data import cifar

PER_FILE = 20


@pytest.fixture
def write_sets():
    """Writes both sets into a folder, with pictures that follow from the seed."""

    def write(folder: Path, seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        for layout in cifar.LAYOUTS.values():
            (folder / layout.directory).mkdir(parents=True, exist_ok=True)
            for file in (*layout.train, layout.test):
                images = rng.integers(0, 256, (PER_FILE, 3072), dtype=np.uint8)
                labels = rng.integers(0, layout.classes, PER_FILE).tolist()
                content = pickle.dumps({b"data": images, layout.targets: labels}, protocol=2)
                (folder / layout.directory / file).write_bytes(content)
        return folder

    return write
