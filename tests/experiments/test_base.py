"""What runs depend on besides their scale comes from the folder and the files that were named."""

from dataclasses import replace
from pathlib import Path

import pytest

from adai.experiments import images, rates, registry, table1
from adai.experiments.base import Inputs
from adai.records import RecordError
from tests import made_up


def file(name: str, label: str | None, folder: Path) -> None:
    """File a record of a run of `table1` or `rates` on files with a label."""
    spec = {"table1": table1, "rates": rates}[name.split("/")[0]].runs("laptop", Inputs(label=label))[name]
    curves = dict.fromkeys(("train_loss", "test_error", "held_out_error"), [1.0] * spec.epochs)
    made_up.record(spec, label=label or "CIFAR-10", **curves).save(folder)


def test_records_on_other_files_do_not_count(folder):
    ours, published = Inputs(folder, label=images.JPEG_COPY), Inputs(folder)
    for label in (images.JPEG_COPY, None):
        file("table1/adai/0", label, folder)
        for factor in rates.FACTORS:
            file(f"rates/adai/{factor:g}/1", label, folder)
    file("table1/sgd/0", images.JPEG_COPY, folder)
    assert [len(given.records("table1", "laptop")) for given in (ours, published)] == [2, 1]
    assert [len(given.existing(table1.runs("laptop", given))) for given in (ours, published)] == [2, 1]
    # Both are known to the check of records, which goes on.
    assert len(registry.known_specs("rates", ours)) == len(registry.known_specs("rates", published)) > 0


def test_a_choice_is_made_on_the_same_files(folder):
    for name in ("rates/yogi/0.1/1", "rates/yogi/1/1", "rates/yogi/10/1"):
        file(name, images.JPEG_COPY, folder)
    with pytest.raises(RecordError, match=r"starts from records of rates, which .*: `adai sweep rates` first"):
        registry.specs("tuned", "laptop", Inputs(folder))


def test_inputs_at_a_folder_have_the_books_records_elsewhere(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("ADAI_LABEL", "a copy")
    assert Inputs.at(tmp_path) == Inputs(tmp_path, "a copy", elsewhere=folder)
    assert Inputs.at() == Inputs(folder, "a copy", elsewhere=folder)
    assert Inputs.at(label="another").label == "another"


def test_a_choice_of_another_scale_is_read_elsewhere_only_if_the_folder_has_none(folder, tmp_path):
    file("table1/adai/0", None, folder)
    given = Inputs(tmp_path / "empty", elsewhere=folder)
    assert given.records("table1", "laptop") == []
    assert len(given.records_of_another_scale("table1", "laptop")) == 1
    file("table1/sgd/0", None, tmp_path / "empty")
    assert [r.spec.optimizer for r in given.records_of_another_scale("table1", "laptop")] == ["sgd"]
    assert replace(given, elsewhere=None).records("rates", "laptop") == []
