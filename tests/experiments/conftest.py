"""What tests of experiments share."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty records folder, which the experiments look into."""
    home = tmp_path / "book" / "records"
    home.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return home
