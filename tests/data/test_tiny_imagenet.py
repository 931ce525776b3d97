"""Tiny ImageNet in its published layout: what is read, and what is refused by name."""

import os
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from adai import data
from adai.data import DataError, tiny_imagenet

CLASSES = ["n01", "n02", "n03"]
PER_CLASS = 4


def save(path, seed, size=64):
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(colours.repeat(size // 4, 0).repeat(size // 4, 1)).save(path, quality=95)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A small set in the published layout, in which no two pictures are the same."""
    monkeypatch.setattr(tiny_imagenet, "TRAIN_IMAGES", PER_CLASS)
    monkeypatch.setattr(tiny_imagenet, "TEST_IMAGES", 2)
    monkeypatch.setenv("ADAI_DATA", str(tmp_path))
    home = tmp_path / "tiny-imagenet-200"
    for index, name in enumerate(CLASSES):
        for number in range(PER_CLASS):
            save(home / "train" / name / "images" / f"{name}_{number}.JPEG", seed=10 * index + number)
    lines = []
    for number in range(6):
        save(home / "val" / "images" / f"val_{number}.JPEG", seed=100 + number)
        lines.append(f"val_{number}.JPEG\t{CLASSES[number % 3]}\t0\t0\t9\t9\n")
    (home / "val" / "val_annotations.txt").write_text("".join(lines))
    (home / "wnids.txt").write_text("n03\nn01\nn02\n")
    return home


def load(**options):
    return data.load("tiny_imagenet", seed=0, **{"classes": 3} | options)


def test_every_image_is_read_with_its_label(folder):
    read = load()
    assert read.train_inputs.shape == (12, 3, 64, 64) and read.test_inputs.shape == (6, 3, 64, 64)
    assert read.test_targets.tolist() == [0, 1, 2, 0, 1, 2]
    expected = {}
    for target, name in enumerate(CLASSES):
        for path in (folder / "train" / name / "images").iterdir():
            expected[np.asarray(Image.open(path)).transpose(2, 0, 1).tobytes()] = target
    found = {image.numpy().tobytes(): int(t) for image, t in zip(read.train_inputs, read.train_targets, strict=True)}
    assert found == expected
    assert read.label == "Tiny ImageNet, 3 classes"


@pytest.mark.parametrize("size", [32, 16])
def test_smaller_images_are_means(folder, size):
    means = torch.nn.functional.avg_pool2d(load().test_inputs.double(), 64 // size)
    assert (load(size=size).test_inputs.double() - means).abs().max() <= 1


def test_grey_images_count_as_colour(folder):
    path = folder / "val" / "images" / "val_0.JPEG"
    Image.new("L", (64, 64), 77).save(path)
    assert (load().test_inputs[0] - 77).abs().max() <= 1


def test_the_first_classes_are_the_same_whether_or_not_the_others_are_there(folder):
    whole = load(classes=2)
    assert sorted(whole.train_targets.tolist()) == [0] * 4 + [1] * 4 and whole.test_targets.tolist() == [0, 1, 0, 1]
    shutil.rmtree(folder / "train" / "n03")
    (folder / "wnids.txt").write_text("n01\nn02\n")
    part = load(classes=2)
    assert part.checksum == whole.checksum and torch.equal(part.train_inputs, whole.train_inputs)
    with pytest.raises(DataError, match=r"names 2 classes, 3 are wanted"):
        load(classes=3)


@pytest.mark.parametrize("classes", [0, 201])
def test_classes_that_the_set_does_not_have_are_refused(folder, classes):
    with pytest.raises(ValueError, match=f"classes is {classes}"):
        load(classes=classes)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda home: shutil.rmtree(home), "wnids.txt cannot be read"),
        (lambda home: shutil.rmtree(home / "train" / "n01"), "train/n01/images has 0 images, expected 4"),
        (lambda home: (home / "val" / "images" / "val_3.JPEG").unlink(), "val_3.JPEG is no image that can be read"),
        (lambda home: (home / "train/n03/images/n03_1.JPEG").write_bytes(b"no"), "n03_1.JPEG is no image"),
        (lambda home: save(home / "train/n03/images/n03_1.JPEG", 0, size=32), "32 × 32 pixels, expected 64 × 64"),
        (lambda home: (home / "val/val_annotations.txt").write_text("val_0.JPEG\tn01\n"), "has 1 images of the 3"),
    ],
)
def test_what_is_missing_or_broken_is_named(folder, spoil, complaint):
    spoil(folder)
    with pytest.raises(DataError, match=re.escape(complaint)):
        load()


def test_an_image_that_is_cut_off_is_named(folder):
    path = folder / "train" / "n02" / "images" / "n02_0.JPEG"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"n02_0\.JPEG is no image that can be read"):
        load()


@pytest.mark.skipif("ADAI_DATA" not in os.environ, reason="ADAI_DATA names no folder with Tiny ImageNet")
def test_fifty_real_classes():
    read = load(classes=50, size=16, limit=20_000, holdout=5_000)
    assert read.label == "Tiny ImageNet, 50 classes"
    assert read.train_inputs.shape == (20_000, 3, 16, 16) and read.test_inputs.shape == (2500, 3, 16, 16)
    assert read.train_targets.unique().tolist() == list(range(50))
    assert read.test_targets.bincount().tolist() == [50] * 50
