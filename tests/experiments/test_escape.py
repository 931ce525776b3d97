"""The escape experiments: settings, predictions and estimates."""

import math

import numpy as np
import pytest
import yaml

from adai import records
from adai.experiments import escape, escape_times
from adai.records import Measurement, Result


def test_figure_5_is_run_as_the_paper_describes_it():
    """Appendix E, as printed; and momentum in torch's convention."""
    cases = escape.runs("paper")["escape/figure5"].settings["cases"]
    rates = {case["optimizer"]: case["rule"]["lr"] for case in cases}
    assert rates == {"momentum": 0.0001, "adai": 0.001, "adam": 0.03}
    assert {case["particles"] for case in cases} == {100} and len(cases) == 27
    assert "weight" not in cases[0]["rule"] and cases[0]["rule"]["beta1"] == 0.9
    data = escape.training_data()
    assert data.shape == (50_000, 10) and abs(data.var() - 4) < 0.05


def test_every_optimizer_meets_the_same_noise_in_the_wells():
    """At one height the temperatures are equal, whatever the optimizer and its convention."""
    for case in escape.runs("paper")["escape/heights"].settings["cases"]:
        ((unit, T, _),) = escape_times.effective(case)
        assert math.isclose(unit, escape.ETA) and math.isclose(T, escape.BARRIER / case["height"])


def test_predictions_follow_the_laws_they_are_meant_to_tell_apart():
    """Sharpness and batch size: the exponent of SGD goes with 1/k and B, that of Adam with their roots."""
    parts = {name.split("/")[1]: m.settings["cases"] for name, m in escape.runs("paper").items()}
    heights = {}
    for case in parts["directions"]:
        follows = len(set(case["variance"])) > 1
        heights[case["optimizer"], follows] = [escape.BARRIER / T for _, T, _ in escape_times.effective(case)]
    for optimizer, expected in (("sgd", [8, 4, 2]), ("adai", [8, 4, 2]), ("adam", [8, 8 / 2**0.5, 4])):
        assert heights[optimizer, True] == pytest.approx(expected)
        assert heights[optimizer, False] == pytest.approx([8, 8, 8])
    for case in parts["batch"]:
        ((_, T, _),) = escape_times.effective(case)
        relative = case["batch"] / 4
        height = 4 * (relative**0.5 if case["optimizer"] == "adam" else relative)
        assert math.isclose(escape.BARRIER / T, height)


def test_inertia_of_adai_depends_on_the_share_of_the_noise():
    case = escape.well("adai", 5, 1, k=(1, 3), bound=(1,))
    assert [inertia for _, _, inertia in escape_times.effective(case)] == pytest.approx([0.95, 0.85])
    assert escape_times.expected(case)[1] == math.inf


def test_noise_that_vanishes_on_the_way_lets_nobody_out():
    assert escape_times.expected(escape.well("sgd", 2, 1, profile="curvature")) == [math.inf]
    (low,), (high,) = (escape_times.expected(escape.well("sgd", 2, 1, profile=p)) for p in ("constant", "stepped"))
    assert low < high < math.inf


def test_rate_of_escape_and_its_interval():
    """The published 95 % limits for 10 events: 4.795 to 18.39 (Garwood 1936, as for a Poisson mean, from time 10)."""
    estimate, low, high = escape_times.rate([1] * 10, 5)
    assert estimate == 1.0 and low == pytest.approx(0.4795, abs=1e-4) and high == pytest.approx(1.7085, abs=1e-4)
    # Cut off: those still inside have spent their time, too, and the upper limit is that of one event more.
    estimate, low, high = escape_times.rate([1] * 10 + [0] * 10, 4)
    assert estimate == 0.2 and high == pytest.approx(18.39 / 50, abs=1e-3)
    assert escape_times.rate([0] * 5, 100) == (0.0, 0.0, pytest.approx(3.689 / 500, abs=1e-5))


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        steps = np.ceil(rng.exponential(1000, 20)).astype(int)
        _, low, high = escape_times.rate([int(s) if s <= 1500 else 0 for s in steps], 1500)
        hits += low < 1e-3 < high
    assert hits / 2000 > 0.94


def test_cases_are_found_by_their_settings():
    spec = Measurement(experiment="escape", scale="paper", name="two", settings={"cases": [{"k": 1}, {"k": 2}]})
    found = escape_times.cases(Result(spec, {}, [[3, 5], [7, 9]], 1.0), k=2)
    assert [(case, steps.tolist()) for case, steps in found] == [({"k": 2}, [7, 9])]
    case = escape.well("sgd", 2, 1)
    exact = escape_times.expected(case)[0]
    assert escape_times.ratio(case, np.array([exact, 3 * exact])) == pytest.approx((2.0, 1.0))


def test_redrawn_means_spread_as_the_error_of_a_mean():
    steps = np.random.default_rng(1).exponential(100, (3, 400))
    means = escape_times.redrawn_means(steps, 2000)
    assert means.shape == (2001, 3) and np.array_equal(means[0], steps.mean(axis=1))
    assert means[1:].std(axis=0) == pytest.approx(steps.std(axis=1) / 20, rel=0.1)


def test_the_papers_numbers_of_appendix_e_are_on_record():
    paper = yaml.safe_load((records.home() / "book" / "records" / "paper.yml").read_text(encoding="utf-8"))
    printed = paper["settings"]["escape"]
    rates = {("sgd" if name == "momentum" else name): rule["lr"] for name, rule in escape.FIGURE5.items()}
    assert printed["lr"] == rates
    assert printed["samples"] == escape.SAMPLES and printed["repetitions"] == escape.REPEATS
