"""MNIST in small, in the published layout: what is read, what is refused, what is fetched."""

import gzip
import hashlib

import numpy as np
import pytest

from adai.__main__ import main
from adai.data import DataError, load, mnist

IMAGES = {"train": 30, "t10k": 10}


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def files(monkeypatch):
    """The content of the four files, whose sums stand in for those of the published ones."""
    rng = np.random.default_rng(0)
    contents = {}
    for name, count in IMAGES.items():
        contents[f"{name}-images-idx3-ubyte"] = idx(rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        contents[f"{name}-labels-idx1-ubyte"] = idx(rng.integers(0, 10, count, dtype=np.uint8))
    sums = {n: tuple(hashlib.md5(x).hexdigest() for x in (c, gzip.compress(c, mtime=0))) for n, c in contents.items()}
    monkeypatch.setattr(mnist, "FILES", sums)
    return contents


@pytest.fixture
def folder(files, tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    for name, content in files.items():
        (tmp_path / "mnist" / name).write_bytes(content)
    monkeypatch.setenv("ADAI_DATA", str(tmp_path))
    return tmp_path / "mnist"


def test_every_image_is_read_once_with_its_label(folder, files):
    data = load("mnist", seed=0)
    assert data.train_inputs.shape == (30, 1, 28, 28) and data.test_inputs.shape == (10, 1, 28, 28)
    there = np.frombuffer(files["train-images-idx3-ubyte"][16:], np.uint8).reshape(30, -1)
    labels = np.frombuffer(files["train-labels-idx1-ubyte"][8:], np.uint8)
    read = zip(data.train_inputs.flatten(1).tolist(), data.train_targets.tolist(), strict=True)
    assert sorted(read) == sorted(zip(there.tolist(), labels.tolist(), strict=True))
    normal = data.normalised(data.train_inputs)
    assert abs(normal.mean()) < 1e-5 and normal.std() == pytest.approx(1, abs=1e-4)


def test_14_pixels_are_means_of_2_by_2(folder):
    full, half = (load("mnist", seed=0, size=size).test_inputs.double() for size in (28, 14))
    assert half[3, 0, 5, 9] == full[3, 0, 10:12, 18:20].mean().add(0.5).floor()
    with pytest.raises(ValueError, match="size is 7, but there are 28, 14"):
        load("mnist", seed=0, size=7)


@pytest.mark.parametrize("content", [None, b"", b"\x00\x00\x08\x01\x00\x00\x00\x02ab"])
def test_a_missing_or_other_file_is_named_with_what_mends_it(folder, content):
    path = folder / "t10k-labels-idx1-ubyte"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=f"{path}.*adai data mnist"):
        load("mnist", seed=0)


def test_the_command_fetches_what_is_missing(server, files, folder, monkeypatch, capsys):
    path = folder / "train-labels-idx1-ubyte"
    path.unlink()
    server.content = gzip.compress(files[path.name], mtime=0)
    monkeypatch.setattr(mnist, "HOME", server.url)
    assert main(["data", "mnist"]) == 0
    assert main(["data", "mnist"]) == 0
    assert len(server.asked) == 1 and str(folder) in capsys.readouterr().out
    assert path.read_bytes() == files[path.name] and len(list(folder.iterdir())) == 4


def test_the_published_set():
    try:
        data = load("mnist", seed=0)
    except DataError as missing:
        pytest.skip(str(missing))
    assert data.train_targets.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
