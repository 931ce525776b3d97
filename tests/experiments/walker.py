"""Runs experiments at smoke scale on made-up data, each in a process of its own: a name comes in, a JSON line goes out.

Torch is imported once. Each run is a fork, so that one that dies, or that destroys its memory, harms no other.
"""

import fnmatch
import json
import os
import pickle
import sys
import traceback
from hashlib import md5
from pathlib import Path

import numpy as np
from PIL import Image

from adai import records
from adai.__main__ import main
from adai.data import cifar, ptb, tiny_imagenet
from adai.experiments import registry
from adai.experiments.base import Inputs
from adai.records import Measurement, Spec
from adai.running.sweep import stages

BEFORE = {"sharpness": "digits/adai/0", "tuned": "rates/adai/*/1", "tuned-grid": "rates/adai/*"}
"""Runs whose records others start from, as a pattern of their names; each may ask for more of them."""
RECORDS = Path("elsewhere")
"""Not the book's, so that what `--out` does not reach has nothing to start from."""
TRAIN_IMAGES, TEST_IMAGES = 16, 2


def write_data(home: Path) -> None:
    """Write small sets in the published layouts, and take their sizes and sums for the published ones."""
    rng = np.random.default_rng(0)
    layout = cifar.LAYOUTS["cifar10"]
    (home / layout.directory).mkdir()
    for file in (*layout.train, layout.test):
        count = 1200 if file in layout.train else 100
        images, labels = rng.integers(0, 256, (count, 3072), dtype=np.uint8), rng.integers(0, 10, count).tolist()
        (home / layout.directory / file).write_bytes(pickle.dumps({b"data": images, b"labels": labels}, protocol=2))

    tiny_imagenet.TRAIN_IMAGES, tiny_imagenet.TEST_IMAGES = TRAIN_IMAGES, TEST_IMAGES
    tiny, names = home / tiny_imagenet.DIRECTORY, [f"n{number:03}" for number in range(50)]
    (tiny / "val/images").mkdir(parents=True)
    (tiny / "wnids.txt").write_text("\n".join(names))
    annotations = []
    for name in names:
        (tiny / "train" / name / "images").mkdir(parents=True)
        for number in range(TRAIN_IMAGES + TEST_IMAGES):
            trained = number < TRAIN_IMAGES
            file = f"{name}_{number}.JPEG"
            pixels = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
            pixels.save(tiny / (f"train/{name}/images" if trained else "val/images") / file)
            annotations += [] if trained else [f"{file}\t{name}\t0\t0\t1\t1"]
    (tiny / "val/val_annotations.txt").write_text("\n".join(annotations))

    (home / ptb.DIRECTORY).mkdir()
    for part, count in (("train", 1500), ("valid", 100), ("test", 100)):
        text = " ".join(f"w{number % 20}" for number in rng.integers(0, 20, count)).encode() + b"\n"
        (home / ptb.DIRECTORY / f"ptb.{part}.txt").write_bytes(text)
        ptb.MD5[part] = md5(text).hexdigest()


def walk(experiment: str) -> None:
    """Make the first run of an experiment, and file its record in `RECORDS`."""
    if pattern := BEFORE.get(experiment):
        first = pattern.split("/")[0]
        for missing in stages(lambda: registry.specs(first, "smoke", Inputs.at(RECORDS)), RECORDS):
            for name in fnmatch.filter(missing, pattern):
                make(name, missing[name])
    runs = registry.EXPERIMENTS[experiment].runs("smoke", Inputs.at(RECORDS))
    make(*next(iter(runs.items())))


def make(name: str, spec: Spec | Measurement) -> None:
    """Make one run as the command line does, and demand its record."""
    if status := main(["run", name, "--scale", "smoke", "--out", str(RECORDS)]):
        sys.exit(status)
    if not records.path_of(spec, RECORDS).is_file():
        sys.exit(f"{name} left no record")


def in_a_fork(experiment: str, log: Path) -> int:
    """Return the exit code of a process that walks, or minus the signal that killed it; its output goes to the log."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        with log.open("w") as file:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
            walk(experiment)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    home = Path.cwd()
    (home / "data").mkdir()
    (home / "book/records").mkdir(parents=True)
    os.environ |= {"ADAI_DATA": str(home / "data"), "ADAI_LABEL": "made up"}
    write_data(home / "data")
    from adai import training  # noqa: F401  # with torch, for all forks

    for line in sys.stdin:
        log = home / f"{line.strip()}.log"
        code = in_a_fork(line.strip(), log)
        print(json.dumps({"code": code, "printed": log.read_text()[-3000:]}), flush=True)
