"""The grid of rates and decays: chosen on held-out images alone, tables and figures from whatever has been run."""

import dataclasses
import math
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from adai.experiments import images, rates, registry, table1
from adai.experiments.base import Inputs
from adai.optim import settings
from adai.records import Record, RecordError, Spec
from tests import made_up

LAPTOP = rates.runs("laptop")


def record(name: str, test: float, held_out: float) -> Record:
    spec = LAPTOP[name]
    curves = {"test_error": test, "held_out_error": held_out}
    return made_up.record(spec, **{name: [90.0] * (spec.epochs - 1) + [last] for name, last in curves.items()})


def test_no_other_experiment_uses_the_seed_or_trains_on_the_held_out_images():
    assert all(spec.seed == rates.SEED for spec in LAPTOP.values())
    others = [*table1.runs("laptop").values(), *registry.specs("table2", "laptop").values()]
    assert all(spec.seed != rates.SEED for spec in others)
    for spec in (*LAPTOP.values(), *others):
        assert spec.dataset_options["limit"] + images.HELD_OUT <= 50_000


def test_names_say_the_multiples_of_the_papers_settings():
    for name, spec in LAPTOP.items():
        _, optimizer, factor, decay = name.split("/")
        paper = settings(optimizer, "cifar")
        assert spec.hyperparameters["lr"] == pytest.approx(paper["lr"].value * float(factor), rel=1e-11)
        assert spec.hyperparameters["weight_decay"] == pytest.approx(
            paper["weight_decay"].value * float(decay), rel=1e-11
        )
    assert len({spec.hash for spec in LAPTOP.values()}) == len(LAPTOP)


def test_a_rate_is_chosen_by_the_held_out_error_and_only_from_a_complete_row(folder):
    row = [
        record("rates/adam/0.1/1", test=30, held_out=33),
        record("rates/adam/1/1", test=20, held_out=31),
        record("rates/adam/10/1", test=10, held_out=32),
    ]
    assert rates.chosen_rates(row) == {"adam": (1, 1)}
    assert rates.chosen_rates(row[:2]) == {}
    at_another_decay = record("rates/adam/0.1/5", test=10, held_out=1)
    assert rates.chosen_rates([*row, at_another_decay]) == {"adam": (1, 1)}
    diverged = record("rates/adam/1/1", test=90, held_out=math.nan)
    at_the_edge = [row[0], diverged, row[2]]
    assert rates.chosen_rates(at_the_edge) == {}, "beyond 10 lies 100, which nobody has tried"
    for kept in at_the_edge:
        dataclasses.replace(kept, curves=kept.curves | {"train_loss": [0.0] * kept.spec.epochs}).save(folder)
    assert rates.runs("laptop", Inputs(folder)).keys() - LAPTOP.keys() == {"rates/adam/100/1"}


def test_the_table_marks_the_choice_and_leaves_empty_what_nobody_has_run():
    shown = str(rates.table([]))
    assert "SGD M" in shown and "*" not in shown.split("\n", 1)[1]
    rows = [
        record(f"rates/sgd/{factor:g}/1", test=20, held_out=held_out)
        for factor, held_out in zip(rates.FACTORS, (30.5, 30, 40), strict=True)
    ]
    (line,) = (line for line in str(rates.table(rows)).splitlines() if line.startswith("SGD M"))
    assert line.split() == ["SGD", "M", "0.1", "30.50", "30.00", "*", "40.00"]


def test_the_figure_shows_test_errors_where_there_are_runs():
    _, axes = plt.subplots(1, 3)
    rates.figure([record("rates/adai/1/5", test=23.45, held_out=99)], axes)
    assert [[text.get_text() for text in axis.texts] for axis in axes] == [["23.4"], [], []]
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["0.1", "1", "10"]
    plt.close()


def test_the_papers_second_table_differs_from_the_first_in_weight_decay_alone():
    first, second = table1.runs("laptop"), registry.specs("table2", "laptop")
    assert len(second) == 30
    for name, spec in second.items():
        twin = first[name.replace("table2", "table1")]
        assert spec.hyperparameters["weight_decay"] == pytest.approx(twin.hyperparameters["weight_decay"] / 5)
        as_first = {**spec.hyperparameters, "weight_decay": twin.hyperparameters["weight_decay"]}
        changed = {"experiment": "table1", "hyperparameters": as_first, "keep_weights": twin.keep_weights}
        assert dataclasses.replace(spec, **changed) == twin


def file(spec: Spec, folder: Path, held_out: float = 0.0) -> None:
    """File a record of a run that ended at this held-out error."""
    curves = {"train_loss": 0.0, "test_error": 0.0, "held_out_error": held_out}
    made_up.record(spec, **{name: [value] * spec.epochs for name, value in curves.items()}).save(folder)


def choose(folder: Path, optimizer: str, factor: float, decay: float = 1) -> None:
    """File records by which an optimizer chooses these multiples of the paper's rate and decay."""
    for name, spec in LAPTOP.items():
        _, which, f, d = name.split("/")
        if which == optimizer and (decay != 1 or d == "1"):
            file(spec, folder, abs(math.log(float(f) / factor)) + abs(math.log(float(d) / decay)))


def test_tuned_runs_are_table_1s_own_where_the_chosen_rate_is_the_papers(folder):
    choose(folder, "adai", 1)
    choose(folder, "yogi", 1.1)  # between two that were tried
    first, runs = table1.runs("laptop"), registry.specs("tuned", "laptop")
    assert [name.split("/")[1] for name in runs] == ["adai", "yogi"] * 5
    assert all(runs[f"tuned/{o}/{seed}"] == first[f"table1/{o}/{seed}"] for o in ("adai", "yogi") for seed in range(5))


def test_a_tuned_run_differs_from_table_1s_in_the_rate_that_was_chosen(folder):
    choose(folder, "adam", 0.1)
    assert registry.EXPERIMENTS["tuned"].runs("laptop", Inputs(folder)) == {}, "0.01 has to be tried first"
    file(rates.runs("laptop", Inputs(folder))["rates/adam/0.01/1"], folder, 99.0)
    for name, spec in registry.specs("tuned", "laptop").items():
        paper = table1.runs("laptop")[name.replace("tuned", "table1")]
        assert spec.hyperparameters == {**paper.hyperparameters, "lr": 1e-4}
        same = {"experiment": "table1", "hyperparameters": paper.hyperparameters, "keep_weights": paper.keep_weights}
        assert dataclasses.replace(spec, **same) == paper


def test_choices_are_read_from_the_folder_that_is_given_and_no_other(folder, tmp_path):
    choose(folder, "adai", 1)
    assert registry.specs("tuned", "laptop", Inputs(folder))
    with pytest.raises(RecordError, match=r"tuned has no runs at scale laptop. It starts from records of rates"):
        registry.specs("tuned", "laptop", Inputs(tmp_path / "elsewhere"))


def test_the_fair_comparison_takes_each_optimizers_runs_at_the_rate_it_chose(folder):
    choose(folder, "adai", 1)
    choose(folder, "sgd", 10)
    file(rates.runs("laptop", Inputs(folder))["rates/sgd/100/1"], folder, 99.0)
    tuned = registry.specs("tuned", "laptop")
    stale = dataclasses.replace(tuned["tuned/sgd/0"], hyperparameters=tuned["tuned/sgd/0"].hyperparameters | {"lr": 9})
    own = [table1.runs("laptop")[f"table1/{optimizer}/0"] for optimizer in ("adai", "sgd", "adam")]
    for spec in (*own, tuned["tuned/sgd/1"], stale):
        file(spec, folder)
    there = Inputs(folder).existing(tuned)
    found = {(r.spec.experiment, r.spec.optimizer, r.spec.hyperparameters["lr"]) for r in there}
    assert found == {("table1", "adai", 1), ("tuned", "sgd", 1)}


def test_a_cell_of_the_grid_is_chosen_by_the_held_out_error_once_all_nine_are_there():
    cells = [(factor, decay) for factor in rates.FACTORS for decay in rates.DECAYS]
    grid = [record(f"rates/sgd/{f:g}/{d:g}", test=20, held_out=30 + abs(f - 1) + abs(d - 5)) for f, d in cells]
    assert rates.chosen_cells(grid) == {"sgd": (1, 5)}
    assert rates.chosen_cells(grid[:-1]) == {}


def test_runs_at_a_chosen_cell_are_not_made_twice(folder):
    choose(folder, "adai", 1, decay=1.1)
    choose(folder, "sgd", 1, decay=5)
    choose(folder, "adam", 10, decay=1.1)
    file(rates.runs("laptop", Inputs(folder))["rates/adam/100/1"], folder, 99.0)
    runs, first = registry.specs("tuned-grid", "laptop"), table1.runs("laptop")
    assert runs["tuned-grid/adai/0"] == first["table1/adai/0"]
    assert runs["tuned-grid/adam/0"] == registry.specs("tuned", "laptop")["tuned/adam/0"]
    sgd, paper = runs["tuned-grid/sgd/0"], first["table1/sgd/0"]
    assert sgd.experiment == "tuned-grid"
    assert sgd.hyperparameters == {**paper.hyperparameters, "weight_decay": pytest.approx(0.0025)}
    for spec in (first["table1/sgd/0"], sgd):
        file(spec, folder)
    assert [r.spec for r in Inputs(folder).existing(runs)] == [sgd], "not the one at another decay"
