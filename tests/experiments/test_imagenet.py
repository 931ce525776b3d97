"""Figure 3: the paper's recipe at every scale, and a table of both errors."""

import dataclasses
import os
from pathlib import Path

import pytest
import yaml

from adai import records
from adai.__main__ import main
from adai.experiments import imagenet, images, registry
from adai.records import Record
from tests import made_up

ROOT = Path(__file__).resolve().parents[2]
PRINTED = yaml.safe_load((ROOT / "book" / "records" / "paper.yml").read_text())["settings"]["imagenet"]


@pytest.mark.parametrize("scale", records.SCALES)
def test_three_optimizers_meet_at_the_papers_settings_and_differ_in_nothing_else(scale):
    runs = registry.specs("imagenet", scale)
    assert {spec.optimizer for spec in runs.values()} == {"adai", "sgd", "adam"}
    for spec in runs.values():
        assert spec.hyperparameters["lr"] == PRINTED["lr"][spec.optimizer]
        assert spec.hyperparameters["weight_decay"] == PRINTED["l2"]
        assert spec.lr_factor == 1 / PRINTED["lr_divided_by"]
        assert (spec.augment, spec.crop, spec.top5) == (True, "resized", True)
    neutral = {"optimizer": "sgd", "hyperparameters": {"lr": 1}, "seed": 0}
    assert len({dataclasses.replace(spec, **neutral).hash for spec in runs.values()}) == 1
    assert len({spec.hash for spec in runs.values()}) == len(runs)


def test_at_the_papers_scale_epochs_and_batches_are_the_papers():
    for spec in registry.specs("imagenet", "paper").values():
        assert [round(fraction * spec.epochs) for fraction in spec.milestones] == PRINTED["milestones"]
        assert (spec.batch_size, spec.model, spec.dataset) == (PRINTED["batch_size"], "resnet50", "imagenet")
        assert spec.dataset_options == spec.model_options == {}  # all classes at 224 pixels


def test_a_laptops_run_makes_five_thousand_steps_and_leaves_the_held_out_images_out():
    runs = registry.specs("imagenet", "laptop")
    assert {spec.seed for spec in runs.values()} == {0, 1, 2}
    spec = runs["imagenet/adai/0"]
    assert spec.dataset_options["limit"] == 25_000 - images.HELD_OUT
    assert spec.epochs * -(-spec.dataset_options["limit"] // spec.batch_size) >= 5000


def a_record(optimizer: str, seed: int, top1: list[float], top5: list[float]) -> Record:
    spec = registry.specs("imagenet", "laptop")[f"imagenet/{optimizer}/{seed}"]
    curves = {"train_loss": [2.0, 1.0], "test_error": top1, "test_top5_error": top5}
    found = made_up.record(spec, label="Tiny ImageNet, 50 classes", **curves)
    return dataclasses.replace(found, seconds=450.0)


RECORDS = [
    a_record("adai", 0, [50.0, 60.0], [20.0, 30.0]),
    a_record("adai", 1, [52.0, 58.0], [21.0, 28.0]),
    a_record("sgd", 0, [61.0, 63.0], [33.0, 31.0]),
    a_record("sgd", 1, [62.0, 62.0], [32.0, 30.0]),
]


def test_the_table_has_both_errors_of_the_last_and_of_the_best_epoch():
    heading, adai, sgd, adam = imagenet.table(RECORDS).cells()
    assert len({len(line) for line in (heading, adai, sgd, adam)}) == 1
    assert adai == ["Adai", "2", "59.00 ± 1.41", "(51.00)", "29.00 ± 1.41", "(20.50)", "1.000", "7.5"]
    assert sgd[2:4] == ["62.50 ± 0.71", "(61.50)"] and adam == ["Adam", "0", *[""] * 6]
    assert "Tiny ImageNet, 50 classes, scale laptop" in str(imagenet.table(RECORDS))


def test_without_records_every_cell_is_empty():
    assert imagenet.table([]).cells()[1:] == [[label, "0", *[""] * 6] for label in ("Adai", "SGD M", "Adam")]


def test_differences_are_paired_by_seed():
    assert imagenet.difference(RECORDS, "adai", "sgd").values == (-3.0, -4.0)
    assert imagenet.difference(RECORDS, "adai", "sgd", "top5").values == (-1.0, -2.0)
    assert imagenet.difference(RECORDS, "adai", "adam") is None


def test_the_committed_records_are_known_and_clean():
    for path, record in records.read_all("imagenet", ROOT / "book" / "records"):
        assert not isinstance(record, records.RecordError), record
        assert record.spec.hash in registry.known_specs("imagenet"), path
        assert record.environment["commit"] and not record.environment["dirty"]


@pytest.mark.skipif("ADAI_DATA" not in os.environ, reason="ADAI_DATA names no folder with Tiny ImageNet")
def test_it_trains(tmp_path):
    assert main(["run", "imagenet/adai/0", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    (record,) = records.load("imagenet", folder=tmp_path)
    assert {"test_error", "test_top5_error"} < record.curves.keys()
    one, five = (record.curves[imagenet.ERRORS[name]] for name in ("top1", "top5"))
    assert all(fewer <= more for fewer, more in zip(five, one, strict=True))
