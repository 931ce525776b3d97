"""The one table of data sets, and what it says of each."""

import subprocess
import sys
from functools import partial

import pytest

from adai import data
from adai.__main__ import main
from adai.data import DATASETS, TEXTS, DataError


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
    with pytest.raises(DataError, match=f"{tmp_path}.* adai data {name} fetches it"):
        data.load(name, seed=0)


def test_the_table_loads_no_package_that_only_some_sets_need():
    probe = "import adai.data, sys; print([name for name in ('PIL', 'sklearn', 'safetensors') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr
