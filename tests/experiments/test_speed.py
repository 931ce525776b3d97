"""Adai beside the optimizer that it is said to be as fast as: pairs by seed, and before the first drop alone."""

import math

import pytest

from adai.experiments import registry, speed
from adai.records import Record
from tests import made_up

LAPTOP = registry.specs("speed", "laptop")


def record(name: str, losses: list[float], error: float) -> Record:
    return made_up.record(LAPTOP[name], **{"train_loss": losses, "test_error": [error] * 29})


def after_the_drop(level: float, later: float) -> list[float]:
    return [level] * 12 + [later] * 17


RECORDS = [
    record("speed/adai/0", after_the_drop(2.0, 99.0), 20.0),
    record("speed/sgd/0", after_the_drop(1.0, 1e-9), 23.0),
    record("speed/adai/1", after_the_drop(0.5, 1.0), 20.0),
    record("speed/sgd/1", after_the_drop(1.0, 1.0), 21.0),
    record("speed/adai-half/0", after_the_drop(3.0, 1.0), 20.0),
    record("speed/adam/1", after_the_drop(1.0, 1.0), 30.0),
]


def test_half_the_rate_is_all_that_is_new():
    halves = {name: spec for name, spec in LAPTOP.items() if "/adai-half/" in name}
    assert len(halves) == 5 and {spec.hyperparameters["lr"] for spec in halves.values()} == {0.5}
    others = {spec.hash for name, spec in LAPTOP.items() if name not in halves}
    assert others < {spec.hash for spec in registry.specs("table1", "laptop").values()}


def test_pairs_are_of_one_seed_and_compared_before_the_first_drop():
    pairs = speed.pair(RECORDS, 1.0)
    assert [(a.spec.seed, b.spec.seed) for a, b in pairs] == [(0, 0), (1, 1)]
    assert speed.slowness(pairs).values == pytest.approx((math.log(2), math.log(0.5)))
    assert speed.gain(pairs).values == (-3.0, -1.0)


def test_without_a_shared_seed_there_is_no_pair():
    assert speed.pair(RECORDS, 0.5) == [] and speed.slowness([]) is None


def test_the_table_leaves_empty_what_has_not_been_run():
    rows = {line[0]: line for line in speed.table(RECORDS).cells()}
    assert rows["Adai at 1, SGD M"][1] == "2" and rows["Adai at 1, SGD M"][3] == "-2.00 [-14.71, +10.71]"
    assert rows["Adai at 0.5, Adam"][1:] == ["0", "", ""]


def test_figure_2_is_the_panel_of_densenet():
    paper = registry.specs("speed-densenet121", "paper")
    assert {spec.dataset for spec in paper.values()} == {"cifar100"}
