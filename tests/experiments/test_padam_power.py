"""How much of a step adapts: each power chooses its rate on held-out images, results are paired by seed."""

import math
from itertools import pairwise

import matplotlib.pyplot as plt
import pytest

from adai.experiments import padam_power, rates, registry, table1
from adai.records import Record, Spec
from tests import made_up


def record(spec: Spec, test: float, held_out: float | None = None) -> Record:
    ends = {"train_loss": 0.01, "test_error": test} | ({} if held_out is None else {"held_out_error": held_out})
    return made_up.record(
        spec, label="CIFAR-10", **{name: [90.0] * (spec.epochs - 1) + [end] for name, end in ends.items()}
    )


def choose(folder, at: str, **errors: float) -> None:
    """Records of the runs that choose at one power, with these held-out errors."""
    for name, spec in registry.specs("power", "laptop").items():
        if name.startswith(f"power/choose/{at}/") and (rate := name.rsplit("/", 1)[1]) in errors:
            record(spec, test=50.0, held_out=errors[rate]).save(folder)


def test_a_power_has_results_once_its_rate_is_chosen_on_held_out_images(folder):
    first = registry.specs("power", "laptop")
    assert all(spec.seed == rates.SEED and spec.dataset_options["holdout"] == 5000 for spec in first.values())
    choose(folder, "0.25", **{"0.01": 31.0, "0.1": 30.0})
    assert list(registry.specs("power", "laptop")) == list(first)
    choose(folder, "0.25", **{"1": 29.0})  # at the edge: one more
    assert registry.specs("power", "laptop").keys() - first.keys() == {"power/choose/0.25/10"}
    choose(folder, "0.25", **{"10": math.nan})
    results = {name: spec for name, spec in registry.specs("power", "laptop").items() if "choose" not in name}
    assert list(results) == ["power/0.25/0", "power/0.25/1", "power/0.25/2"]
    assert {spec.hyperparameters["lr"] for spec in results.values()} == {1.0}


def test_a_result_is_padams_run_in_table_1_but_for_power_and_rate(folder):
    choose(folder, "0", **{"0.1": 31.0, "1": 30.0, "10": 40.0})
    padam, spec = table1.runs("laptop")["table1/padam/1"], registry.specs("power", "laptop")["power/0/1"]
    assert spec.hyperparameters == padam.hyperparameters | {"partial": 0.0, "lr": 1.0}
    assert (spec.seed, spec.epochs, spec.dataset_options) == (padam.seed, padam.epochs, padam.dataset_options)


def test_what_tuned_has_is_not_run_again(folder, monkeypatch):
    there = {f"tuned/{o}/{s}": table1.runs("laptop")[f"table1/{o}/{s}"] for o in ("padam", "adam") for s in range(5)}
    monkeypatch.setattr(padam_power.table1_tuned, "runs", lambda scale, given: there)
    others = {name: spec for name, spec in registry.specs("power", "laptop").items() if spec.experiment != "power"}
    assert others == {f"power/0.125/{seed}": there[f"tuned/padam/{seed}"] for seed in range(3)}


@pytest.fixture
def found(folder):
    """Results at 0 on three seeds, at 1/8 on two, at 1/2 on one; a run that chooses, which is not a result."""
    choose(folder, "0", **{"0.1": 31.0, "1": 30.0, "10": 40.0})
    runs, first = registry.specs("power", "laptop"), table1.runs("laptop")
    zero = [record(runs[f"power/0/{seed}"], error) for seed, error in enumerate((27.0, 28.0, 29.0))]
    padam = [record(first[f"table1/padam/{seed}"], error) for seed, error in ((1, 30.0), (0, 29.5))]
    return [*zero, *padam, record(first["table1/amsgrad/0"], 29.0), record(runs["power/choose/0/1"], 1.0, 30.0)]


def test_the_rise_is_taken_seed_by_seed(found):
    assert padam_power.rise(found, 0, 0.125).values == (2.5, 2.0)
    assert padam_power.rise(found, 0.25, 0.5) is None


def test_the_verdict_says_what_became_of_the_prediction(found):
    steps = [padam_power.verdict(found, *step) for step in pairwise(padam_power.POWERS)]
    assert "+2.25 points" in steps[0] and "undecided" in steps[0]  # two seeds: [-0.93, 5.43]
    assert all("not run yet" in step for step in steps[1:])
    runs = registry.specs("power", "laptop")
    near = [
        record(table1.runs("laptop")[f"table1/padam/{seed}"], error) for seed, error in enumerate((29.0, 30.0, 31.1))
    ]
    zero = [run for run in found if run.spec.hyperparameters.get("partial") == 0]
    assert padam_power.verdict([*zero, *near], 0, 0.125).endswith(": rises, as predicted")
    low = [record(runs[f"power/0/{seed}"], error) for seed, error in enumerate((33.0, 34.0, 35.0))]
    assert padam_power.verdict([*low, *near], 0, 0.125).endswith(": falls, not as predicted")


def test_the_table_has_every_power_and_leaves_empty_what_nobody_has_run(found):
    cells = padam_power.table(found).cells()[1:]
    assert [line[0] for line in cells] == ["0", "0.125", "0.25", "0.5"]
    assert cells[0] == ["0", "1", "3", "0.01", "28.00 ± 1.00", "27.00, 28.00, 29.00"]
    assert cells[1][-1] == "29.50, 30.00" and cells[2] == ["0.25", "", "0", "", "", ""]
    assert padam_power.table([]).cells()[1][2] == "0"


def test_the_figure_draws_each_seed_against_the_power(found):
    _, axes = plt.subplots(1, 2)
    padam_power.figure(found, axes)
    assert [line.get_xydata().tolist() for line in axes[1].lines] == [
        [[0.0, 27.0], [0.125, 29.5], [0.5, 29.0]],
        [[0.0, 28.0], [0.125, 30.0]],
        [[0.0, 29.0]],
    ]
    plt.close()
