"""CIFAR in its published layout: what is read, what is refused, and which images train."""

import hashlib
import os
import pickle
import re

import numpy as np
import pytest
import torch

from adai import data
from adai.data import DataError, cifar

LABEL = "CIFAR-10 (made up)"
PER_FILE = 20  # as conftest.py writes


@pytest.fixture
def folder(tmp_path, monkeypatch, write_sets):
    """A small set in the published layout."""
    monkeypatch.setenv("ADAI_DATA", str(tmp_path))
    return write_sets(tmp_path)


def load(name="cifar10", **options):
    return data.load(name, seed=0, **{"label": LABEL} | options)


@pytest.mark.parametrize(("name", "train"), [("cifar10", 5 * PER_FILE), ("cifar100", PER_FILE)])
def test_every_image_is_read_once_with_its_label(folder, name, train):
    read = load(name)
    assert read.train_inputs.shape == (train, 3, 32, 32) and read.train_inputs.dtype == torch.uint8
    assert read.test_inputs.shape == (PER_FILE, 3, 32, 32)
    layout = cifar.LAYOUTS[name]
    expected = {}
    for file in layout.train:
        batch = pickle.loads((folder / layout.directory / file).read_bytes(), encoding="bytes")
        expected |= {image.tobytes(): label for image, label in zip(batch[b"data"], batch[layout.targets], strict=True)}
    found = {image.numpy().tobytes(): int(label) for image, label in zip(*read[:2], strict=True)}
    assert found == expected


def test_channels_are_normalised_by_the_training_images(folder):
    read = load()
    batch = read.normalised(read.train_inputs)
    assert batch.mean(dim=(0, 2, 3)).abs().max() < 1e-5
    assert (batch.std(dim=(0, 2, 3)) - 1).abs().max() < 1e-5


def test_16_pixels_are_means_of_2_by_2(folder):
    small, full = load(size=16), load()
    means = torch.nn.functional.avg_pool2d(full.train_inputs.double(), 2)
    assert (small.train_inputs.double() - means).abs().max() <= 0.5


def test_held_out_images_are_the_same_for_all_and_train_no_limited_run(folder):
    tuning, final = load(limit=60, holdout=30), load(limit=60)
    assert torch.equal(tuning.train_inputs, final.train_inputs)
    assert torch.equal(tuning.test_inputs, final.test_inputs) and final.held_out_inputs is None
    held_out = {image.numpy().tobytes() for image in tuning.held_out_inputs}
    assert len(held_out) == 30
    assert not held_out & {image.numpy().tobytes() for image in final.train_inputs}
    assert not held_out & {image.numpy().tobytes() for image in final.test_inputs}


@pytest.mark.parametrize("options", [{"limit": 71, "holdout": 30}, {"limit": 0}, {"limit": 101}, {"holdout": 100}])
def test_more_images_than_there_are_cannot_be_asked_for(folder, options):
    with pytest.raises(ValueError, match="limit"):
        load(**options)


def test_unpublished_files_need_a_label_and_carry_it(folder):
    assert load().label == LABEL
    with pytest.raises(DataError, match="not the published ones of CIFAR-10"):
        load(label=None)


def test_published_files_need_none(folder, monkeypatch):
    layout = cifar.LAYOUTS["cifar10"]
    paths = {file: folder / layout.directory / file for file in (*layout.train, layout.test)}
    sums = {file: hashlib.md5(path.read_bytes()).hexdigest() for file, path in paths.items()}
    monkeypatch.setitem(cifar.LAYOUTS, "cifar10", layout._replace(md5=sums))
    assert load(label=None).label == "CIFAR-10"
    with pytest.raises(ValueError, match="leave it out"):
        load(label="mine")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b"no pickle"),
        lambda path: path.write_bytes(pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 10]})),
        lambda path: path.write_bytes(pickle.dumps({b"data": np.zeros((2, 100), np.uint8), b"labels": [0, 1]})),
        lambda path: path.write_bytes(pickle.dumps([1, 2])),
    ],
    ids=["missing", "cut off", "foreign", "label out of range", "wrong size", "wrong object"],
)
def test_a_spoilt_file_is_named_with_what_mends_it(folder, spoil):
    path = folder / "cifar-10-batches-py" / "data_batch_3"
    spoil(path)
    with pytest.raises(DataError, match=re.escape(str(path)) + ".*ADAI_DATA"):
        load()


def test_a_pickle_cannot_run_code(folder, tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "attacked"),)

    path = folder / "cifar-10-batches-py" / "data_batch_1"
    path.write_bytes(pickle.dumps({b"data": Attack(), b"labels": [0]}))
    with pytest.raises(DataError, match=r"asks for posix\.mkdir"):
        load()
    assert not (tmp_path / "attacked").exists()


def test_a_checksum_tells_one_set_from_another(folder):
    before = load().checksum
    assert before == load(size=16, limit=10).checksum
    path = folder / "cifar-10-batches-py" / "test_batch"
    batch = pickle.loads(path.read_bytes(), encoding="bytes")
    batch[b"labels"][0] = (batch[b"labels"][0] + 1) % 10
    path.write_bytes(pickle.dumps(batch))
    assert load().checksum != before
