"""Adai with another memory: the same runs but for one number, compared at the same seed."""

import dataclasses

import pytest

from adai.experiments import adai_memory, registry
from adai.experiments.base import NOTHING
from adai.experiments.comparison import estimated
from adai.records import Record, Spec
from tests import made_up

RUNS = registry.specs("imagenet", "laptop")
CHANGED = registry.specs("memory-imagenet", "laptop")


def record(spec: Spec, error: float, quantity: str = "test_error") -> Record:
    return made_up.record(
        spec, label="Tiny ImageNet, 50 classes", **{"train_loss": [2.0, 1.0], quantity: [90.0, error]}
    )


RECORDS = [
    record(RUNS["imagenet/adai/0"], 70.0),
    record(RUNS["imagenet/sgd/0"], 60.0),
    record(RUNS["imagenet/adam/0"], 80.0),
    record(CHANGED["memory-imagenet/short/0"], 62.0),
    record(CHANGED["memory-imagenet/short/1"], 63.0),
]


@pytest.mark.parametrize("row", ["imagenet", "language"])
def test_one_number_is_changed(row):
    runs, changed = registry.specs(row, "smoke"), registry.specs(f"memory-{row}", "smoke")
    assert [name.split("/")[1] for name in changed] == ["short", "heavy"]
    twin = runs[f"{row}/adai/0"]
    for spec in changed.values():
        assert dataclasses.replace(spec, experiment=row, hyperparameters=twin.hyperparameters) == twin
        different = {name for name, value in spec.hyperparameters.items() if value != twin.hyperparameters[name]}
        assert different in ({"eps"}, {"betas"})


def test_runs_that_choose_a_rate_are_not_repeated():
    assert not any("choose" in name for name in adai_memory.runs("laptop", NOTHING, "language"))
    assert len(CHANGED) == 6


def test_the_share_is_taken_seed_by_seed():
    assert adai_memory.closed(RECORDS, "short").values == (pytest.approx(0.8),)
    assert adai_memory.closed(RECORDS[1:], "short") is None


def test_the_table_has_both_memories_and_leaves_empty_what_nobody_has_run():
    _, paper, short, heavy, sgd = adai_memory.table(RECORDS).cells()
    assert (paper[1], paper[3], sgd[3]) == ("1", "70.00", "60.00")
    assert heavy[1:] == ["0", "", "", ""]
    assert short == ["Adai, long memories cut to 100 steps", "2", "1.000", "62.50 ± 0.71", "62.0, 63.0"]
    assert [line[1] for line in adai_memory.table([]).cells()[1:]] == ["0"] * 4


def test_a_text_is_compared_by_its_perplexity():
    runs = registry.specs("language", "smoke")
    kept = [record(runs[f"language/{name}/0"], error, "test_perplexity") for name, error in (("adai", 30), ("sgd", 20))]
    short = record(registry.specs("memory-language", "smoke")["memory-language/short/0"], 25, "test_perplexity")
    assert adai_memory.closed([*kept, short], "short").values == (0.5,)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([0.8], "not run yet"),
        ([0.8, 0.81], "as predicted"),
        ([0.2, 0.21], "not as predicted"),
        ([0.2, 0.8], "undecided"),
    ],
)
def test_the_prediction_is_judged_by_the_interval(monkeypatch, shares, words):
    monkeypatch.setattr(adai_memory, "closed", lambda *_: estimated(shares))
    assert words in adai_memory.verdict([], "heavy")
