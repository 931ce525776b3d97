"""A sitting in a notebook: says what it would do, estimates, trains what is missing, and leaves records to send."""

import sys
import types
import zipfile

import pytest

from adai.records import RecordError
from adai.running import sitting


def test_without_a_scale_nothing_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("ADAI_SCALE", raising=False)
    assert sitting.sit("digits", tmp_path) is None
    assert "Nothing is trained" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_it_trains_what_is_missing_and_zips_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ADAI_SCALE", "smoke")
    archive = sitting.sit("digits", tmp_path)
    output = capsys.readouterr().out
    assert "6 runs on" in output and "minutes" in output and "[6/6]" in output
    with zipfile.ZipFile(archive) as zipped:
        assert len(zipped.namelist()) == 6 and all(name.startswith("digits/") for name in zipped.namelist())
    next((tmp_path / "digits").glob("*.json")).unlink()
    sitting.sit("digits", tmp_path)
    assert "1 runs on" in capsys.readouterr().out


def test_on_colab_it_keeps_its_folder_in_the_drive_and_hands_out_the_records(tmp_path, monkeypatch):
    mounted, downloaded = [], []
    colab = types.ModuleType("google.colab")
    colab.drive = types.SimpleNamespace(mount=mounted.append)
    colab.files = types.SimpleNamespace(download=downloaded.append)
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.setenv("ADAI_SCALE", "smoke")
    monkeypatch.setattr(sitting, "Path", lambda path: tmp_path / str(path).strip("/"))
    archive = sitting.sit("digits", "runs", drive=True)
    assert archive.parent == tmp_path / "content/drive/MyDrive/runs"
    assert mounted == ["/content/drive"] and downloaded == [str(archive)]


def test_elsewhere_there_is_no_drive(monkeypatch):
    monkeypatch.setenv("ADAI_SCALE", "smoke")
    with pytest.raises(RecordError, match="works on Colab"):
        sitting.sit("digits", drive=True)
