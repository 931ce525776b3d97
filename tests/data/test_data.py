"""The one table of data sets, what it says of each, and what a set that was read can do."""

import subprocess
import sys
from functools import partial

import pytest
import torch

from adai import data
from adai.__main__ import main
from adai.data import DATASETS, TEXTS, Data, DataError


def test_the_seed_decides_the_split_of_those_that_have_none(monkeypatch):
    taken: dict[str, dict[str, object]] = {}

    def note(name: str, **options: object) -> None:
        taken[name] = options

    for name, dataset in DATASETS.items():
        monkeypatch.setitem(DATASETS, name, dataset._replace(load=partial(note, name)))
        data.load(name, seed=7, limit=3)
    assert taken.pop("digits") == {"seed": 7, "limit": 3}
    assert list(taken) == [name for name in DATASETS if name != "digits"]
    assert all(options == {"limit": 3} for options in taken.values())


def test_penn_treebank_is_the_text():
    assert TEXTS == ("ptb",)


@pytest.mark.parametrize("name", DATASETS)
def test_the_command_prepares_every_set_that_has_files(name, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("ADAI_DATA", str(tmp_path))
    if DATASETS[name].prepare is None:
        assert main(["data", name]) == 2
        assert f"{name} has no files to fetch: it comes with a package" in capsys.readouterr().err
        return
    monkeypatch.setitem(DATASETS, name, DATASETS[name]._replace(prepare=lambda: tmp_path / "there"))
    assert main(["data", name]) == 0
    assert capsys.readouterr().out == f"{name} is in {tmp_path / 'there'}\n"


def test_an_unknown_name_lists_those_that_there_are(capsys):
    complaint = "no data set is called 'nix'; there are digits, cifar10, cifar100, tiny_imagenet, imagenet, mnist, ptb"
    with pytest.raises(DataError, match=complaint):
        data.load("nix", seed=0)
    assert main(["data", "nix"]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in DATASETS if name not in ("digits", "imagenet")])
def test_a_set_that_is_missing_is_named_with_the_command_that_fetches_it(name, monkeypatch, tmp_path):
    monkeypatch.setenv("ADAI_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"{tmp_path}.* python -m adai data {name} fetches it"):
        data.load(name, seed=0)


def test_the_table_loads_no_package_that_only_some_sets_need():
    probe = "import adai.data, sys; print([name for name in ('PIL', 'sklearn', 'safetensors') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr


def test_a_cache_folder_of_the_user_holds_data_unless_another_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("ADAI_DATA", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data.folder() == tmp_path / "named"
    monkeypatch.delenv("ADAI_DATA")
    assert data.folder() == tmp_path / "cache" / "adai"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data.folder() == tmp_path / ".cache" / "adai"


def test_all_tensors_move_and_nothing_else_changes():
    images, targets = torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 1])
    one = torch.ones(1)
    read = Data(images, targets, images, targets, "made up", "sum", one, one, images, targets)
    moved = read.to("meta")
    assert {value.device.type for value in moved if isinstance(value, torch.Tensor)} == {"meta"}
    assert (moved.label, moved.checksum) == ("made up", "sum")


def test_inputs_without_a_mean_are_normalised_already():
    inputs = torch.randn(2, 4)
    assert Data(inputs, inputs, inputs, inputs, "made up", "sum").normalised(inputs) is inputs
