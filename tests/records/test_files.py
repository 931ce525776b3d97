"""Records appear whole, come back as they were, and are refused by field where they are none."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from adai import records
from adai.records import RecordError
from tests.records.made import DATA, SPEC, a_record


def test_record_comes_back_as_it_was_saved(tmp_path):
    record = a_record()
    path = record.save(tmp_path)
    assert path == tmp_path / "digits" / f"{SPEC.hash}.json"
    assert records.read(path) == record
    assert records.load("digits", folder=tmp_path) == [record]


def test_a_record_from_before_texts_were_counted_in_tokens_is_read(tmp_path):
    path = a_record(examples_per_second=700.0).save(tmp_path)
    path.write_text(path.read_text().replace("examples_per_second", "images_per_second"))
    assert records.read_record(path).examples_per_second == 700


def test_diverged_run_is_recorded_in_valid_json(tmp_path):
    curves = {"train_loss": [1.0, math.nan], "test_error": [50.0, 90.0]}
    path = a_record(curves=curves, first_losses=[2.3, math.inf]).save(tmp_path)
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    record = records.read(path)
    assert math.isnan(record.curves["train_loss"][1]) and math.isnan(record.first_losses[1])


@pytest.mark.parametrize("before", [True, False])
def test_interrupted_write_leaves_what_was_there(tmp_path, monkeypatch, before):
    if before:
        a_record().save(tmp_path)

    def disk_full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(records.files.os, "replace", disk_full)
    with pytest.raises(OSError, match="no space"):
        a_record(seconds=99.0).save(tmp_path)
    assert [path.name for path in (tmp_path / "digits").iterdir()] == [f"{SPEC.hash}.json"] * before
    assert all(record.seconds == 1.5 for record in records.load("digits", folder=tmp_path))


def test_records_folder_is_the_nearest_above_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "book" / "records").mkdir(parents=True)
    (tmp_path / "book" / "part").mkdir()
    monkeypatch.chdir(tmp_path / "book" / "part")
    assert records.default_folder() == tmp_path / "book" / "records"


def test_missing_records_folder_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(records.files, "CHECKOUT", tmp_path)
    with pytest.raises(RecordError, match="change into a checkout of the book, or name a folder with --out"):
        records.default_folder()


def edit(path: Path, change) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["spec"].update(seed=7), "hash mismatch"),
        (lambda v: v["spec"].update(colour="red"), "fields that no spec has: colour"),
        (lambda v: v["spec"].pop("seed"), "the spec lacks seed"),
        (lambda v: v.pop("first_losses"), "missing or foreign: first_losses"),
        (lambda v: v.update(first_losses=[]), "first_losses is '0 values'"),
        (lambda v: v["curves"].update(test_error=[1.0]), "curves.test_error is '1 values', expected 2"),
        (lambda v: v["curves"].update(test_error="low"), "curves.test_error is 'low'"),
        (lambda v: v["curves"].pop("test_error"), "test_error"),
        (lambda v: v["environment"].update(commit="HEAD"), "environment.commit is 'HEAD'"),
        (lambda v: v["environment"].pop("dirty"), "dirty"),
        (lambda v: v["data"].update(label=""), "data.label"),
        (lambda v: v.update(seconds=-1), "seconds is -1"),
    ],
)
def test_file_that_is_no_record_is_refused_by_field(tmp_path, change, message):
    path = a_record().save(tmp_path)
    edit(path, change)
    with pytest.raises(RecordError, match=message) as error:
        records.load("digits", folder=tmp_path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"hash": 1}'])
def test_broken_file_is_refused_by_path(tmp_path, content):
    path = tmp_path / "record.json"
    path.write_text(content)
    with pytest.raises(RecordError, match=r"record\.json"):
        records.read(path)


def test_record_under_another_name_is_refused(tmp_path):
    path = a_record().save(tmp_path)
    path.rename(path.with_name("000000000000.json"))
    with pytest.raises(RecordError, match=f"has the hash {SPEC.hash}"):
        records.load("digits", folder=tmp_path)


def test_scales_are_never_mixed(tmp_path):
    a_record().save(tmp_path)
    colab = a_record(dataclasses.replace(SPEC, scale="colab"))
    colab.save(tmp_path)
    with pytest.raises(RecordError, match="different scales are not compared: colab, laptop"):
        records.load("digits", folder=tmp_path)
    assert records.load("digits", scale="colab", folder=tmp_path) == [colab]


def test_data_sets_are_never_mixed(tmp_path):
    a_record().save(tmp_path)
    a_record(dataclasses.replace(SPEC, seed=1), data=DATA | {"label": "digits (a copy)"}).save(tmp_path)
    with pytest.raises(RecordError, match="different data sets are not compared"):
        records.load("digits", scale="laptop", folder=tmp_path)
