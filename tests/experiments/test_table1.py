"""Table 1: the paper's settings, one for all but the optimizer, and records that hold."""

import dataclasses
import os
from functools import partial
from pathlib import Path

import pytest
import yaml

from adai import records
from adai.__main__ import main
from adai.experiments import images, registry
from adai.experiments.base import Inputs

ROOT = Path(__file__).resolve().parents[2]
LAPTOP = registry.specs("table1", "laptop")


def test_ten_optimizers_meet_over_five_seeds_and_differ_in_nothing_else():
    assert len(LAPTOP) == len({spec.hash for spec in LAPTOP.values()}) == 50
    same = {
        dataclasses.replace(spec, optimizer="sgd", hyperparameters={"lr": 1}, seed=0, keep_weights=False).hash
        for spec in LAPTOP.values()
    }
    assert len(same) == 1


def test_every_run_is_at_the_papers_settings():
    printed = yaml.safe_load((ROOT / "book" / "records" / "paper.yml").read_text())["settings"]["cifar"]
    for spec in LAPTOP.values():
        assert spec.hyperparameters["lr"] == printed["lr"][spec.optimizer]
        decay = printed["decoupled_weight_decay"].get(spec.optimizer, printed["l2"])
        assert spec.hyperparameters["weight_decay"] == decay
        assert spec.batch_size == printed["batch_size"]


def test_a_run_makes_more_steps_than_adais_longest_memory_ten_times_over():
    spec = LAPTOP["table1/adai/0"]
    steps = spec.epochs * -(-spec.dataset_options["limit"] // spec.batch_size)
    assert steps >= 10 / spec.hyperparameters["eps"]


def test_the_held_out_images_are_left_out():
    assert all(spec.dataset_options["limit"] == 50_000 - images.HELD_OUT for spec in LAPTOP.values())


def test_the_committed_records_are_known_and_clean():
    for path, record in records.read_all("table1", ROOT / "book" / "records"):
        assert not isinstance(record, records.RecordError), record
        assert record.spec.hash in registry.known_specs("table1"), path
        assert record.environment["commit"] and not record.environment["dirty"]
        # At other scales they are too large for the repository.
        kept = record.spec.keep_weights and record.spec.scale == "laptop"
        assert records.weights_path(record.spec, ROOT / "book" / "records").exists() == kept


def test_without_the_data_set_records_are_not_checked_and_not_blamed(tmp_path, monkeypatch, capsys):
    book = tmp_path / "book" / "records"
    (book / "table1").mkdir(parents=True)
    path, _ = records.read_all("table1", ROOT / "book" / "records")[0]
    (book / "table1" / path.name).write_text(path.read_text())
    monkeypatch.setenv("ADAI_DATA", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)
    assert main(["records", "check", "table1"]) == 0
    output = capsys.readouterr().out
    assert "not checked" in output and "0 records checked, 0 bad, 1 not checked" in output


@pytest.mark.skipif("ADAI_DATA" not in os.environ, reason="ADAI_DATA names no folder with CIFAR-10")
@pytest.mark.parametrize("optimizer", ["adai", "sgd", "adam"])
def test_a_record_can_be_repeated(optimizer):
    from adai.training import first_steps

    repeat = partial(records.loss_differences, rerun=first_steps)
    record = next(r for r in records.load("table1", folder=ROOT / "book" / "records") if r.spec.optimizer == optimizer)
    assert records.faults(record, known=registry.known_specs("table1"), repeat=repeat) == []


def test_our_records_are_of_a_copy_and_a_reader_may_take_the_published_files(monkeypatch):
    published = LAPTOP["table1/sgd/0"]
    assert "label" not in published.dataset_options
    monkeypatch.setenv("ADAI_LABEL", images.JPEG_COPY)
    copy = registry.specs("table1", "laptop", Inputs.at(ROOT / "book/records"))["table1/sgd/0"]
    assert copy.dataset_options == published.dataset_options | {"label": images.JPEG_COPY}
    assert {copy.hash, published.hash} <= registry.known_specs("table1").keys()
    recorded = {r.spec.hash for r in records.load("table1", scale="laptop", folder=ROOT / "book" / "records")}
    assert copy.hash in recorded


@pytest.mark.parametrize(
    ("row", "dataset", "milestones"),
    [
        ("table1", "cifar10", (0.4, 0.8)),
        ("table1-vgg16", "cifar10", (0.4, 0.8)),
        ("table1-resnet34", "cifar100", (0.5, 0.75)),
        ("table1-densenet121", "cifar100", (0.5, 0.75)),
        ("table1-googlenet", "cifar100", (0.5, 0.75)),
    ],
)
def test_every_row_of_the_paper_has_its_runs(row, dataset, milestones):
    printed = yaml.safe_load((ROOT / "book" / "records" / "paper.yml").read_text())
    runs = registry.specs(row, "paper")
    assert len(runs) == 30
    for spec in runs.values():
        assert (spec.dataset, spec.milestones, spec.epochs, spec.augment) == (dataset, milestones, 200, True)
        first, second = (round(fraction * spec.epochs) for fraction in spec.milestones)
        name = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}[dataset]
        assert [first, second] == printed["settings"]["cifar"]["milestones"][name]
    assert len(registry.specs(row, "smoke")) == 10


@pytest.mark.skipif("ADAI_DATA" not in os.environ, reason="ADAI_DATA names no folder with CIFAR-10")
@pytest.mark.parametrize("row", [name for name in registry.EXPERIMENTS if name.startswith("table1-")])
def test_every_row_trains(row, tmp_path, monkeypatch):
    monkeypatch.setenv("ADAI_LABEL", images.JPEG_COPY)
    assert main(["run", f"{row}/adai/0", "--scale", "smoke", "--out", str(tmp_path)]) == 0
