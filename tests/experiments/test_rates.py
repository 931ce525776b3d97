"""The grid of rates and decays: chosen on held-out images alone, tables and figures from whatever has been run."""

import dataclasses
import math

import matplotlib.pyplot as plt
import pytest

from adai import experiments
from adai.experiments import images, rates, table1, tuned
from adai.optim import settings
from adai.records import Record, RecordError, Spec

LAPTOP = experiments.runs("rates", "laptop")


def record(name: str, test: float, held_out: float) -> Record:
    return finished(LAPTOP[name], test_error=[90.0, test], held_out_error=[90.0, held_out])


def finished(spec: Spec, **curves: list[float]) -> Record:
    return Record(
        spec=spec,
        environment={},
        data={"label": "CIFAR-10 (JPEG copy)", "checksum": "0" * 64},
        curves=curves,
        first_losses=[],
        images_per_second=1.0,
        seconds=1.0,
        peak_memory_mib=None,
    )


def test_no_other_experiment_uses_the_seed_or_trains_on_the_held_out_images():
    assert all(spec.seed == rates.SEED for spec in LAPTOP.values())
    others = [*table1.runs("laptop").values(), *experiments.runs("table2", "laptop").values()]
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


def test_a_rate_is_chosen_by_the_held_out_error_and_only_from_a_complete_row(monkeypatch):
    monkeypatch.setattr(rates, "WIDER", {})
    row = [
        record("rates/adam/0.1/1", test=30, held_out=31),
        record("rates/adam/1/1", test=20, held_out=33),
        record("rates/adam/10/1", test=40, held_out=32),
    ]
    assert rates.chosen(row) == {"adam": 0.1}
    assert rates.chosen(row[:2]) == {}
    diverged = record("rates/adam/0.1/1", test=90, held_out=math.nan)
    assert rates.chosen([*row[1:], diverged]) == {"adam": 10}
    monkeypatch.setattr(rates, "WIDER", {"adam": (100,)})
    assert rates.chosen(row) == {}


def test_the_table_marks_the_choice_and_leaves_empty_what_nobody_has_run():
    shown = str(rates.table([]))
    assert "SGD M" in shown and "*" not in shown.split("\n", 1)[1]
    rows = [record(f"rates/sgd/{factor:g}/1", test=20, held_out=30 + factor) for factor in rates.FACTORS]
    (line,) = (line for line in str(rates.table(rows)).splitlines() if line.startswith("SGD M"))
    assert line.split() == ["SGD", "M", "0.1", "30.10", "*", "31.00", "40.00"]


def test_the_figure_shows_test_errors_where_there_are_runs():
    _, axes = plt.subplots(1, 3)
    rates.figure([record("rates/adai/1/5", test=23.45, held_out=99)], axes)
    assert [[text.get_text() for text in axis.texts] for axis in axes] == [["23.4"], [], []]
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["0.1", "1", "10"]
    plt.close()


def test_the_papers_second_table_differs_from_the_first_in_weight_decay_alone():
    first, second = table1.runs("laptop"), experiments.runs("table2", "laptop")
    assert len(second) == 30
    for name, spec in second.items():
        twin = first[name.replace("table2", "table1")]
        assert spec.hyperparameters["weight_decay"] == pytest.approx(twin.hyperparameters["weight_decay"] / 5)
        as_first = {**spec.hyperparameters, "weight_decay": twin.hyperparameters["weight_decay"]}
        changed = {"experiment": "table1", "hyperparameters": as_first, "keep_weights": twin.keep_weights}
        assert dataclasses.replace(spec, **changed) == twin


def test_tuned_runs_are_table_1s_own_where_the_chosen_rate_is_the_papers():
    first = table1.runs("laptop")
    runs = tuned._runs("laptop", "tuned", {"adai": (1, 1), "adam": (0.1, 1)})
    assert [name.split("/")[1] for name in runs] == ["adai", "adam"] * 5
    for seed in range(5):
        assert runs[f"tuned/adai/{seed}"] == first[f"table1/adai/{seed}"]
        other = runs[f"tuned/adam/{seed}"]
        paper = first[f"table1/adam/{seed}"]
        assert other.hyperparameters == {**paper.hyperparameters, "lr": 1e-4}
        same = {"experiment": "table1", "hyperparameters": paper.hyperparameters, "keep_weights": paper.keep_weights}
        assert dataclasses.replace(other, **same) == paper


def test_the_fair_comparison_takes_each_optimizers_runs_at_the_rate_it_chose(monkeypatch):
    first, runs = table1.runs("laptop"), tuned._runs("laptop", "tuned", {"adam": (10, 1)})
    stale = tuned._runs("laptop", "tuned", {"adam": (0.1, 1)})["tuned/adam/0"]
    there = {
        "table1": [finished(first[f"table1/{optimizer}/0"]) for optimizer in ("adai", "sgd", "adam")],
        "tuned": [finished(runs["tuned/adam/1"]), finished(stale)],
    }
    monkeypatch.setattr(tuned.records, "load", lambda name, **_: there.get(name, []))
    monkeypatch.setattr(rates, "chosen", lambda _: {"adai": 1, "adam": 10})
    found = {(r.spec.experiment, r.spec.optimizer, r.spec.hyperparameters["lr"]) for r in tuned.kept("laptop")}
    assert found == {("table1", "adai", 1), ("tuned", "adam", 0.01)}


def test_a_cell_of_the_grid_is_chosen_by_the_held_out_error_once_all_nine_are_there():
    cells = [(factor, decay) for factor in rates.FACTORS for decay in rates.DECAYS]
    grid = [record(f"rates/sgd/{f:g}/{d:g}", test=20, held_out=30 + abs(f - 1) + abs(d - 5)) for f, d in cells]
    assert rates.chosen_cells(grid) == {"sgd": (1, 5)}
    assert rates.chosen_cells(grid[:-1]) == {}


def test_runs_at_a_chosen_cell_are_not_made_twice():
    first = table1.runs("laptop")
    rates_alone = tuned._runs("laptop", "tuned", {"adam": (10, 1)})
    runs = tuned._runs("laptop", "tuned-grid", {"adai": (1, 1), "sgd": (1, 5), "adam": (10, 1)})
    assert runs["tuned-grid/adai/0"] == first["table1/adai/0"]
    assert runs["tuned-grid/adam/0"] == rates_alone["tuned/adam/0"]
    sgd, paper = runs["tuned-grid/sgd/0"], first["table1/sgd/0"]
    assert sgd.experiment == "tuned-grid"
    assert sgd.hyperparameters == {**paper.hyperparameters, "weight_decay": pytest.approx(0.0025)}


def test_the_comparison_at_chosen_cells_leaves_out_runs_at_another_decay(monkeypatch):
    runs = tuned._runs("laptop", "tuned-grid", {"sgd": (1, 5)})
    there = {"table1": table1.runs("laptop")["table1/sgd/0"], "tuned-grid": runs["tuned-grid/sgd/1"]}
    there = {name: [finished(spec)] for name, spec in there.items()}
    monkeypatch.setattr(tuned.records, "load", lambda name, **_: there.get(name, []))
    monkeypatch.setattr(rates, "chosen_cells", lambda _: {"sgd": (1, 5)})
    assert [r.spec for r in tuned.kept("laptop", "tuned-grid")] == [runs["tuned-grid/sgd/1"]]


def test_before_any_rate_is_chosen_there_is_nothing_to_run(tmp_path, monkeypatch):
    (tmp_path / "book" / "records").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError, match="tuned has no runs at scale laptop yet"):
        experiments.runs("tuned", "laptop")
