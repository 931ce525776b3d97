"""ImageNet's layout, tried with small pictures: what is decoded, what stays on disk, and what is refused by name."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adai import data
from adai.__main__ import main
from adai.data import DataError, imagenet, shards

NAMES = ["n01", "n02", "n03"]
TRAIN, VAL = 5, 2
SIZE, SIDE = 28, 32


def save(path: Path, seed: int, width: int = 60, height: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    Image.fromarray(colours.repeat(4, 0).repeat(4, 1)).save(path, format="JPEG", quality=95)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Three classes of photographs wider or higher than a square, in shards of four."""
    monkeypatch.setenv("ADAI_DATA", str(tmp_path))
    monkeypatch.setattr(shards, "IMAGES", 4)
    home = tmp_path / "imagenet"
    for index, name in enumerate(NAMES):
        for number in range(TRAIN):
            save(
                home / "train" / name / f"{name}_{number}.JPEG", 10 * index + number, *((60, 40), (36, 52))[number % 2]
            )
        for number in range(VAL):
            save(home / "val" / name / f"val_{index}{number}.JPEG", 100 + 10 * index + number)
    return home


def decode(**options):
    return imagenet.decode(**{"classes": 3, "size": SIZE} | options)


def load(**options):
    return data.load("imagenet", seed=0, **{"classes": 3, "size": SIZE} | options)


def contents(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    }


def test_every_photograph_is_stored_as_its_central_square(home):
    decode()
    read = load()
    paths = [path for name in NAMES for path in sorted((home / "train" / name).iterdir())]
    everything = read.train_inputs[torch.arange(15)]
    assert read.train_inputs.shape == everything.shape == (15, 3, SIDE, SIDE)
    for image, path in zip(everything, paths, strict=True):
        whole = Image.open(path)
        edge = min(whole.size)
        left, top = (whole.width - edge) / 2, (whole.height - edge) / 2
        square = whole.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, left + edge, top + edge))
        assert np.array_equal(image.numpy().transpose(1, 2, 0), np.asarray(square))
    assert read.train_targets.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert read.test_targets.tolist() == [0, 0, 1, 1, 2, 2]
    assert read.label == "files in ImageNet's layout, 3 classes"


def test_test_images_are_the_central_part_of_what_is_stored(home):
    where = decode()
    read = load()
    stored = np.concatenate([np.load(path) for path in sorted((where / "val").glob("*.npy"))])
    assert read.test_inputs.shape == (6, 3, SIZE, SIZE)
    assert np.array_equal(torch.cat(list(read.test_inputs.split(4))).numpy(), stored[:, :, 2:-2, 2:-2])


def test_a_batch_is_read_in_its_order_and_across_shards(home):
    decode()
    images = load().train_inputs
    everything, batch = images[torch.arange(15)], torch.tensor([14, 0, 3, 4, 0])
    assert torch.equal(images[batch], everything[batch])


def test_mean_and_deviation_are_those_of_the_training_images(home):
    decode()
    read = load()
    pixels = read.train_inputs[torch.arange(15)].double()
    assert torch.allclose(read.mean.double(), pixels.mean(dim=(0, 2, 3)), rtol=1e-6)
    assert torch.allclose(read.deviation.double(), pixels.std(dim=(0, 2, 3)), rtol=1e-6)


def test_what_is_decoded_is_not_decoded_again_and_needs_no_photographs(home, monkeypatch):
    where = decode()
    before, checksum = contents(where), load().checksum
    with monkeypatch.context() as patched:
        patched.setattr(imagenet, "read_image", None)
        decode()
    shutil.rmtree(home / "train")
    shutil.rmtree(home / "val")
    assert load().checksum == checksum and contents(where) == before


def test_the_checksum_is_of_pixels_and_classes(home):
    decode()
    first = load().checksum
    save(home / "val" / "n02" / "val_10.JPEG", 7)
    shutil.rmtree(next(home.glob("decoded*")))
    decode()
    assert load().checksum != first


def test_the_whole_set_at_its_usual_size_is_decoded_by_a_command(home):
    with pytest.raises(DataError, match="holds no decoded images: adai data imagenet makes them"):
        for part in ("train", "val"):
            shutil.rmtree(home / part, ignore_errors=True)
        imagenet.load()


def test_fewer_classes_are_the_first(home):
    decode(classes=2)
    read = load(classes=2)
    assert len(read.train_targets) == 10 and read.label.endswith("2 classes")
    with pytest.raises(DataError, match=r"holds no decoded images: imagenet\.decode\(classes=1, size=28\) makes them"):
        load(classes=1)


def test_grey_and_cmyk_photographs_count_as_colour(home):
    Image.new("L", (40, 40), 77).save(home / "val" / "n01" / "val_00.JPEG")
    Image.new("CMYK", (40, 40), (0, 0, 0, 0)).save(home / "val" / "n01" / "val_01.JPEG")
    decode()
    grey, white = load().test_inputs[torch.tensor([0, 1])].int()
    assert (grey - 77).abs().max() <= 1 and (white - 255).abs().max() <= 1


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda home: shutil.rmtree(home), "imagenet/train cannot be read (No such file or directory): set ADAI_DATA"),
        (lambda home: shutil.rmtree(home / "train" / "n02"), "imagenet/train has folders of 2 classes, 3 are wanted"),
        (
            lambda home: (home / "val" / "n02").rename(home / "val" / "n04"),
            "n02 is a class in only one of ",
        ),
        (
            lambda home: [p.unlink() for p in (home / "train" / "n03").iterdir()],
            "train/n03 has no images, expected files named *.JPEG",
        ),
        (lambda home: (home / "train/n02/n02_1.JPEG").write_bytes(b"no"), "train/n02/n02_1.JPEG is no image that can"),
        (lambda home: os.truncate(home / "val/n03/val_20.JPEG", 300), "val/n03/val_20.JPEG is no image that can be"),
    ],
)
def test_what_is_missing_or_broken_is_named(home, spoil, complaint):
    spoil(home)
    with pytest.raises(DataError, match=re.escape(complaint)):
        decode()


def test_the_whole_set_must_have_the_published_number_of_images(home, monkeypatch):
    monkeypatch.setattr(imagenet, "CLASSES", 3)
    monkeypatch.setattr(imagenet, "PUBLISHED", {"train": 15, "val": 6})
    decode()
    assert load().label == "ImageNet"
    (home / "train" / "n01" / "n01_4.JPEG").unlink()
    with pytest.raises(DataError, match=r"train has 14 images, the published set has 15: an archive was cut off"):
        decode()


@pytest.mark.parametrize("options", [{"classes": 0}, {"classes": 1001}, {"size": 0}])
def test_options_out_of_range_are_refused(home, options):
    with pytest.raises(ValueError, match=r"expected 1 to 1000 classes and a positive size"):
        load(**options)


def test_a_shard_that_was_cut_off_is_named_and_made_anew(home):
    where = decode()
    before, shard = contents(where), where / "train" / "00001.npy"
    os.truncate(shard, shard.stat().st_size - 1)
    with pytest.raises(DataError, match=r"00001\.npy is damaged .*: imagenet\.decode\(.*\) makes it anew"):
        load()
    decode()
    assert contents(where) == before
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")  # whole, but another pixel
    decode()
    assert contents(where) == before
    shard.unlink()
    with pytest.raises(DataError, match=r"00001\.npy is damaged .*No such file"):
        load()


def test_shards_of_other_files_are_named(home):
    where = decode()
    save(home / "train" / "n01" / "n01_9.JPEG", 9)
    for step in (load, decode):
        with pytest.raises(DataError, match=rf"{where / 'train'} were made from other files .*: remove it"):
            step()


def test_a_damaged_list_of_shards_is_named(home):
    where = decode()
    (where / "val" / "shards.json").write_text("{}")
    with pytest.raises(DataError, match=r"val/shards\.json is no list of shards"):
        load()


def test_decoding_goes_on_after_a_broken_image(home):
    whole = contents(decode())
    where = next(home.glob("decoded*"))
    shutil.rmtree(where)
    path = home / "train" / "n03" / "n03_4.JPEG"
    content = path.read_bytes()
    path.write_bytes(b"no")
    with pytest.raises(DataError, match=r"n03_4\.JPEG"):
        decode()
    with pytest.raises(DataError, match=r"holds 3 of 4 shards: imagenet\.decode\(.*\) goes on where it stopped"):
        load()
    path.write_bytes(content)
    decode()
    assert contents(where) == whole


def test_after_a_kill_nothing_half_written_stays(home):
    whole = contents(decode())
    where = next(home.glob("decoded*"))
    shutil.rmtree(where)
    # A file that is never finished: the process is killed while it writes the third shard.
    script = (
        "import os, time; from adai.data import imagenet, shards; import numpy; shards.IMAGES = 4; count = [0]\n"
        "def slow(file, array):\n"
        "    count[0] += 1\n"
        "    file.write(b'half'); file.flush()\n"
        "    if count[0] == 3: print('now', flush=True); time.sleep(600)\n"
        "    file.seek(0); save(file, array)\n"
        "save, shards.np.save = numpy.save, slow\n"
        f"imagenet.decode(classes=3, size={SIZE})"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(json.loads((where / "train" / "shards.json").read_text())["shards"]) == 2
    with pytest.raises(DataError, match="holds 2 of 4 shards"):
        load()
    decode()
    assert contents(where) == whole


def test_the_command_line_decodes(home, monkeypatch, capsys):
    monkeypatch.setattr(imagenet, "CLASSES", 3)
    monkeypatch.setattr(imagenet, "PUBLISHED", {"train": 15, "val": 6})
    monkeypatch.setattr(imagenet.decode, "__kwdefaults__", {"classes": 3, "size": SIZE})
    assert main(["data", "imagenet"]) == 0
    assert "imagenet is in " in capsys.readouterr().out
    assert load().label == "ImageNet"


def test_kaggles_flat_folder_is_sorted_by_the_printed_command(tmp_path):
    command = imagenet.__doc__.split("::")[1].split("\n\n**What")[0].strip()
    lines = ["ImageId,PredictionString", "ILSVRC2012_val_1,n02 1 2 3 4 n02 5 6 7 8 ", "ILSVRC2012_val_2,n01 1 2 3 4 "]
    (tmp_path / "LOC_val_solution.csv").write_text("\n".join(lines) + "\n")
    for number in (1, 2):
        (tmp_path / f"ILSVRC2012_val_{number}.JPEG").touch()
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.JPEG"))
    assert found == ["n01/ILSVRC2012_val_2.JPEG", "n02/ILSVRC2012_val_1.JPEG"]


@pytest.mark.skipif("ADAI_DATA" not in os.environ, reason="ADAI_DATA names no folder with Tiny ImageNet")
def test_real_photographs_are_those_of_tiny_imagenet(tmp_path, monkeypatch):
    from adai.data import tiny_imagenet

    source = data.folder() / tiny_imagenet.DIRECTORY
    names = sorted((source / "wnids.txt").read_text().split())[:2]
    lines = (line.split("\t")[:2] for line in (source / "val" / "val_annotations.txt").read_text().splitlines())
    for name in names:
        (tmp_path / "imagenet" / "val" / name).mkdir(parents=True)
        (tmp_path / "imagenet" / "train").mkdir(exist_ok=True)
        (tmp_path / "imagenet" / "train" / name).symlink_to(source / "train" / name / "images")
    for file, name in lines:
        if name in names:
            (tmp_path / "imagenet" / "val" / name / file).symlink_to(source / "val" / "images" / file)
    expected = tiny_imagenet.load(classes=2)
    monkeypatch.setenv("ADAI_DATA", str(tmp_path))
    decode(classes=2, size=56)  # an eighth more is 64: stored as they are
    read = load(classes=2, size=56)
    assert torch.equal(read.mean, expected.mean) and torch.equal(read.deviation, expected.deviation)
    central = expected.test_inputs[:, :, 4:-4, 4:-4]
    found = {image.numpy().tobytes() for image in read.test_inputs[torch.arange(100)]}
    assert found == {image.contiguous().numpy().tobytes() for image in central}
