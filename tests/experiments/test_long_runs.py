"""The long runs: as long as they say, at a rate that never falls, and compared by when they get as low."""

import dataclasses
import math

import matplotlib.pyplot as plt
import pytest

from adai.experiments import images, long_runs, registry
from adai.records import Record
from tests import made_up

LAPTOP = registry.specs("long", "laptop")


def record(name: str, losses: list[float]) -> Record:
    return made_up.record(LAPTOP[name], **{"train_loss": losses, "test_error": [50.0] * len(losses)})


def test_five_times_as_long_at_a_fixed_rate():
    for spec in LAPTOP.values():
        assert spec.epochs == 5 * images.SIZES[images.FIRST_ROW]["laptop"]["epochs"]
        assert spec.milestones == ()


@pytest.mark.parametrize(("losses", "epoch"), [([3, 1, 0.5], "2"), ([3, 2.5], ""), ([1], "1")])
def test_the_table_says_when_a_run_gets_below_adams_lowest(losses, epoch):
    table = long_runs.table([record("long/adam/1", [3.0, 2.0, 2.1]), record("long/adai/1", losses)])
    rows = {line[0]: line for line in table.cells()}
    assert rows["Adai"][-1] == epoch and rows["Adam"][-1] == ""
    assert rows["Adam"][2:4] == ["2.1", "2"]
    assert rows["Adai, half the rate"][1:] == ["0", "", "", ""]


def test_at_the_papers_scale_it_is_the_papers_thousand_epochs_of_vgg16():
    assert {(spec.model, spec.epochs) for spec in registry.specs("long", "paper").values()} == {("vgg16", 1000)}


def test_losses_are_compared_early_overall_and_at_the_end():
    adam, adai = [1.0] * 145, [2.0] * 12 + [1.0] * 118 + [0.25] * 15
    found = long_runs.ratios([record("long/adam/1", adam), record("long/adai/0.5", adai)])
    early, whole, final = found[0.5]
    assert (early, final) == pytest.approx((math.log(2), math.log(0.25)))
    assert whole == pytest.approx((12 * math.log(2) + 15 * math.log(0.25)) / 145)
    assert long_runs.ratios([record("long/adai/0.5", adai)]) == {}


def test_the_figure_tells_the_runs_apart():
    _, axes = plt.subplots(1, 2)
    long_runs.figure([record(name, [1.0] * 145) for name in LAPTOP], axes)
    assert len({line.get_color() for line in axes[0].lines}) == len(LAPTOP) == len(long_runs.LABELS)
    plt.close()


def test_the_spread_is_of_repeated_runs_before_the_drop():
    runs = registry.specs("table1", "laptop")
    levels = {("adai", 0): 1.0, ("adai", 1): math.e, ("sgd", 0): 1.0}
    found = [
        dataclasses.replace(
            record("long/adam/1", []), spec=runs[f"table1/{optimizer}/{seed}"],
            curves={"train_loss": [level] * 12 + [1e-6 * level] * 17, "test_error": [50.0] * 29},
        )
        for (optimizer, seed), level in levels.items()
    ]  # fmt: skip
    assert long_runs.spread(found) == pytest.approx(math.sqrt(0.5))
    assert long_runs.spread(found[:1]) is None
