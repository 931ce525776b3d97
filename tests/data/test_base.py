"""A data set that was read, and the folder of its files."""

import torch

from adai.data.base import Data, folder


def test_a_cache_folder_of_the_user_holds_data_unless_another_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("ADAI_DATA", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert folder() == tmp_path / "named"
    monkeypatch.delenv("ADAI_DATA")
    assert folder() == tmp_path / "cache" / "adai"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder() == tmp_path / ".cache" / "adai"


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
