"""Fixtures of several folders of tests."""

from pathlib import Path

import pytest

from adai import records


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return the empty records folder of a checkout, which is the working directory."""
    home = tmp_path / "book" / "records"
    home.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def known_commits(monkeypatch) -> None:
    """Take every commit for one that the checkout has."""
    monkeypatch.setattr(records.judge, "commit_exists", lambda commit: True)
