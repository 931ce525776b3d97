"""Specs of small runs, on made-up data where a set must be fetched, and runs that are told to stop."""

import contextlib
import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adai import training
from adai.data import imagenet, shards
from adai.data.cifar import LAYOUTS
from adai.experiments import registry
from adai.records import Record, Spec
from adai.training import Interrupted, train

SMOKE = registry.specs("digits", "smoke")


@pytest.fixture
def spec_of() -> Callable[..., Spec]:
    """Makes a spec of a smoke run on the digits: 128 of them, in four batches."""

    def make(optimizer: str, seed: int = 0, **changes: object) -> Spec:
        return dataclasses.replace(SMOKE[f"digits/{optimizer}/{seed}"], **changes)

    return make


@pytest.fixture
def cifar(tmp_path_factory, monkeypatch) -> Spec:
    """A spec on a few made-up images in CIFAR's layout, augmented: 120 of them, in four batches."""
    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("ADAI_DATA", str(folder))
    layout, rng = LAYOUTS["cifar10"], np.random.default_rng(0)
    (folder / layout.directory).mkdir()
    for file in (*layout.train, layout.test):
        batch = {b"data": rng.integers(0, 256, (30, 3072), dtype=np.uint8), b"labels": rng.integers(0, 10, 30).tolist()}
        (folder / layout.directory / file).write_bytes(pickle.dumps(batch, protocol=2))
    return Spec(
        experiment="table1",
        scale="smoke",
        dataset="cifar10",
        dataset_options={"label": "made up", "size": 16, "holdout": 30},
        model="resnet8",
        model_options={"width": 4},
        optimizer="adai",
        hyperparameters={"lr": 0.1},
        seed=0,
        epochs=3,
        batch_size=32,
        augment=True,
    )


@pytest.fixture
def photographs(tmp_path_factory, monkeypatch) -> Spec:
    """A spec on a few made-up photographs in ImageNet's layout, decoded into several shards."""
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    monkeypatch.setenv("ADAI_DATA", str(folder))
    monkeypatch.setattr(shards, "IMAGES", 16)
    for part, count in (("train", 12), ("val", 4)):
        for name in (f"n{number:02}" for number in range(6)):
            (folder / "imagenet" / part / name).mkdir(parents=True)
            for number in range(count):
                colours = rng.integers(0, 256, (10, 10, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
                Image.fromarray(colours).save(folder / "imagenet" / part / name / f"{number}.JPEG")
    imagenet.decode(classes=6, size=32)
    return Spec(
        experiment="imagenet",
        scale="smoke",
        dataset="imagenet",
        dataset_options={"classes": 6, "size": 32},
        model="resnet14",
        model_options={"width": 4, "classes": 6},
        optimizer="adai",
        hyperparameters={"lr": 0.1},
        seed=0,
        epochs=2,
        batch_size=16,
        augment=True,
        crop="resized",
        top5=True,
    )


class _StopAfter:
    """Stands in for the event that SIGTERM sets: it is set after this many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def is_set(self) -> bool:
        self.steps -= 1
        return self.steps < 0


@pytest.fixture
def stopped_and_resumed(tmp_path, monkeypatch) -> Callable[[Spec, int], Record]:
    """Trains a run that is told to stop after some steps, and returns the record of the run that goes on with it."""

    def train_twice(spec: Spec, steps: int) -> Record:
        checkpoint: Path = tmp_path / "checkpoint"
        with monkeypatch.context() as patched:
            patched.setattr(training, "stop_signal", lambda: contextlib.nullcontext(_StopAfter(steps)))
            with pytest.raises(Interrupted):
                train(spec, checkpoint=checkpoint)
        assert checkpoint.exists()
        record = train(spec, checkpoint=checkpoint)
        assert not checkpoint.exists()
        return record

    return train_twice
