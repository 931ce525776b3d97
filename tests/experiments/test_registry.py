"""The list of experiments: what is asked for by name is found or refused, and knows the records that are committed."""

from functools import partial

import pytest

from adai import records
from adai.experiments import images, registry
from adai.experiments.base import Inputs
from tests import committed


@pytest.mark.parametrize("name", registry.EXPERIMENTS)
def test_the_committed_records_are_known_and_clean(name):
    known = registry.known_specs(name)
    for path, record in records.read_all(name, committed.FOLDER):
        assert not isinstance(record, records.RecordError), record
        assert record.spec.hash in known, path
        assert record.environment["commit"] and not record.environment["dirty"]


def test_every_folder_of_records_is_an_experiments():
    assert {path.name for path in committed.FOLDER.iterdir() if path.is_dir()} <= registry.EXPERIMENTS.keys()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (partial(registry.find, "nix"), "no experiment is called 'nix'; there are digits"),
        (partial(registry.find_trained, "escape"), "escape trains nothing: `adai run escape`"),
        (partial(registry.find_measured, "digits"), "digits trains its runs: `adai sweep digits`"),
        (partial(registry.specs, "digits", "paper"), "digits has no runs at scale paper; it has smoke, laptop"),
        (partial(registry.measurements, "escape", "laptop"), "escape has no runs at scale laptop; it has smoke, paper"),
        (
            lambda: registry.find_run(registry.specs("digits", "laptop"), "digits/adai/99", "laptop"),
            "no run at scale laptop is called 'digits/adai/99', of 30; the nearest are digits/adai/9",
        ),
    ],
)
def test_what_is_not_there_is_refused_by_name(ask, message):
    with pytest.raises(records.RecordError, match=message):
        ask()


def test_an_unknown_experiment_has_no_known_specs():
    assert registry.known_specs("nix") == {}


@pytest.mark.parametrize("name", registry.EXPERIMENTS)
def test_scales_and_runs_share_no_spec(name):
    """A record is of one run at one scale, whatever other experiments take from it."""
    given = Inputs(committed.FOLDER, images.JPEG_COPY)
    tables = [registry.EXPERIMENTS[name].runs(scale, given) for scale in records.SCALES]
    hashes = [spec.hash for table in tables for spec in table.values()]
    assert len(set(hashes)) == len(hashes) > 0
