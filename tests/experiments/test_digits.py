"""The first experiment: its runs, its table and its figure."""

import dataclasses

import matplotlib.pyplot as plt
import pytest

from adai.experiments import digits, registry
from adai.experiments.comparison import Estimate
from adai.records import Record, RecordError
from tests import made_up


def a_record(optimizer: str, seed: int, errors: list[float], scale: str = "laptop") -> Record:
    spec = dataclasses.replace(registry.specs("digits", scale)[f"digits/{optimizer}/{seed}"], epochs=len(errors))
    return made_up.record(
        spec, label="digits", **{"train_loss": [error / 10 for error in errors], "test_error": errors}
    )


def test_runs_are_paired_over_ten_seeds():
    specs = registry.specs("digits", "laptop")
    assert len(specs) == len({spec.hash for spec in specs.values()}) == 30
    settings = {
        dataclasses.replace(spec, optimizer="sgd", hyperparameters={"lr": 1}, seed=0).hash for spec in specs.values()
    }
    assert len(settings) == 1, "optimizers differ in more than their hyperparameters"


def test_scales_share_no_spec():
    assert len(registry.known_specs("digits")) == 30 + len(registry.specs("digits", "smoke"))


def test_unknown_runs_are_refused():
    with pytest.raises(RecordError, match="no experiment is called 'nix'; there are digits"):
        registry.find("nix")
    with pytest.raises(RecordError, match="no run at scale laptop is called 'digits/adai/99'"):
        registry.one_of(registry.specs("digits", "laptop"), "digits/adai/99", "laptop")
    with pytest.raises(RecordError, match="no runs at scale paper; it has smoke, laptop"):
        registry.specs("digits", "paper")


def test_interval_is_students():
    # Two-sided 95 % quantiles of Student's t from any printed table: 2.776 for 4 degrees of freedom.
    low, high = Estimate((1.0, 2.0, 3.0, 4.0, 5.0)).interval
    half = 2.776 * 2.5**0.5 / 5**0.5
    assert (low, high) == pytest.approx((3 - half, 3 + half), rel=1e-3)
    assert Estimate((1.0,)).interval is None


def test_table_pairs_seeds_and_tells_last_from_best():
    records = [
        a_record("sgd", 0, [9.0, 3.0]),
        a_record("sgd", 1, [9.0, 5.0]),
        a_record("adai", 0, [1.5, 2.0]),
        a_record("adai", 1, [4.5, 4.0]),
        a_record("adai", 2, [9.0, 6.0]),
    ]
    table = digits.table(records)
    assert list(table.rows) == ["adai", "sgd", "adam"]
    assert table["adai"].last == Estimate((2.0, 4.0, 6.0))
    assert table["adai"].best.mean == pytest.approx((1.5 + 4.0 + 6.0) / 3)
    # Seed 2 has no partner. The other two differ by one each: a mean of -1 without any spread.
    assert table["adai"].difference == Estimate((-1.0, -1.0))
    assert table["sgd"].difference is None
    assert table["adam"].last is None
    assert "| Adam | 0 |  |  |  |  |" in table._repr_markdown_()
    assert "-1.00 [-1.00, -1.00]" in str(table)


def test_failed_run_moves_the_mean_and_not_the_median():
    table = digits.table(a_record("sgd", seed, [error]) for seed, error in enumerate([2.0, 3.0, 92.0]))
    assert "32.33 ± 51.68  3.00" in str(table)


def test_table_refuses_mixed_scales():
    with pytest.raises(RecordError, match="different scales"):
        digits.table([a_record("sgd", 0, [1.0]), a_record("adai", 0, [1.0], scale="smoke")])


def test_table_without_records_is_empty_and_says_so():
    assert "no data" in str(digits.table([]))


def test_figure_draws_the_median_of_each_optimizer_that_has_runs():
    records = [a_record("sgd", seed, errors) for seed, errors in enumerate([[9.0, 3.0], [7.0, 5.0], [8.0, 92.0]])]
    figure, axes = plt.subplots(1, 2)
    digits.figure([*records, a_record("adai", 0, [8.0, 2.0])], axes)
    lines = {line.get_label(): list(line.get_ydata()) for line in axes[1].lines}
    assert lines == {"SGD M": [8.0, 5.0], "Adai": [8.0, 2.0]}
    assert axes[0].lines[0].get_color() != axes[0].lines[1].get_color()
    plt.close(figure)
