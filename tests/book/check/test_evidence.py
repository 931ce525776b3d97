"""Checks by evidence: measurements must be sharp enough to tell, and records are judged by their intervals."""

import math

import numpy as np
import pytest
import sympy as sp

from adai.book import check
from adai.book.check import CheckFailed
from adai.book.mutants import mutants

D, t, x = sp.symbols("D t x", positive=True)
H = sp.Symbol("H", real=True, nonzero=True)
WIDTH = D / H * (1 - sp.exp(-2 * H * t))


def _measured(factor: float, noise: float = 0.004) -> dict:
    at = [{H: 0.7, D: 0.4, t: 0.5}, {H: -0.6, D: 1.7, t: 0.8}, {H: 1.6, D: 0.6, t: 2.0}]
    truth = np.array([float(WIDTH.subs(p)) for p in at])
    wobble = np.array([0.7, -1.1, 0.4])
    return {"at": at, "estimate": factor * truth + noise * wobble, "standard_error": [noise] * 3}


def test_measurement_detects_what_it_says_it_detects():
    found = check.measurement("eq:20", WIDTH, **_measured(1.0))
    smallest = float(found.evidence.split("error of ")[1].split("%")[0]) / 100
    assert 0 < smallest < 0.1
    for factor in (1 + 1.01 * smallest, 1 - 1.01 * smallest):
        with pytest.raises(CheckFailed, match="standard errors away"):
            check.measurement("eq:20", factor * WIDTH, **_measured(1.0))


def test_measurement_refuses_noise_that_hides_a_factor():
    with pytest.raises(CheckFailed, match="take more samples"):
        check.measurement("eq:20", WIDTH, **_measured(1.0, noise=0.2))


def test_a_measurement_needs_power_at_every_point():
    """One sharp point at x = 1 would let the claim x pass for data that are x squared."""
    blunt = {"at": [{x: 1.0}, {x: 2.0}, {x: 3.0}], "estimate": [1.0, 4.0, 9.0], "standard_error": [0.001, 1.0, 2.0]}
    with pytest.raises(CheckFailed, match="off by 533% at one of its points"):
        check.measurement("thm:3", x, **blunt)
    with pytest.raises(CheckFailed, match="0 at every point"):
        check.measurement("thm:3", x - 1, at=[{x: 1.0}], estimate=[0.0], standard_error=[0.001])


@pytest.mark.parametrize(
    ("values", "words"), [((1.0, 1.0), "D is 1 at every point"), ((0.5, 2.0), "D and t are equal")]
)
def test_a_setting_that_hides_a_symbol_is_refused(values, words):
    at = [{D: d, t: t_} for d, t_ in zip(values, (0.5, 2.0), strict=True)]
    exact = [float((D * t).subs(point)) for point in at]
    with pytest.raises(CheckFailed, match=words):
        check.measurement("eq:20", D * t, at=at, estimate=exact, standard_error=[0.001] * 2)


def test_a_symbol_may_be_held_if_it_is_said():
    at = {"at": [{D: 1.0, t: 0.5}, {D: 1.0, t: 2.0}], "estimate": [0.5, 2.0], "standard_error": [0.001] * 2}
    assert check.measurement("eq:20", D * t, **at, held=[D]).evidence.endswith("only at $D = 1$")


@pytest.mark.parametrize(("errors", "holds"), [(3.9, True), (4.1, False), (-4.1, False)])
def test_four_standard_errors_are_allowed_unless_said_otherwise(errors, holds):
    at = {"at": [{x: 2.0}, {x: 3.0}], "estimate": [4.0 + 0.01 * errors, 9.0], "standard_error": [0.01, 0.01]}
    if holds:
        assert check.measurement("thm:3", x**2, **at).verdict == "holds in the cases tried"
        return
    with pytest.raises(CheckFailed, match=r"4\.1 standard errors away from x\*\*2, 4\.0 are allowed"):
        check.measurement("thm:3", x**2, **at)
    assert check.measurement("thm:3", x**2, **at, within=5).verdict == "holds in the cases tried"


def test_each_point_needs_an_estimate_and_an_error():
    with pytest.raises(ValueError, match="2 points, 1 estimates, 2 errors: expected as many of each"):
        check.measurement("thm:3", x**2, at=[{x: 2.0}, {x: 3.0}], estimate=[4.0], standard_error=[0.01, 0.01])


def test_measurement_never_accepts_nan():
    bad = _measured(1.0)
    bad["estimate"][1] = math.nan
    with pytest.raises(CheckFailed, match="inf standard errors away"):
        check.measurement("eq:20", WIDTH, **bad)


def _extrapolated(law, places=(1.5, 2.0, 3.0)):
    values = [float(law.subs(x, place)) for place in places]
    return {"at": [{x: p} for p in places], "estimate": values, "standard_error": [v / 100 for v in values]}


def test_measurement_says_where_its_values_come_from():
    found = check.measurement("thm:3", x**2, **_extrapolated(x**2), how="extrapolated")
    assert found.evidence.startswith("3 extrapolated values, the worst 0.0 estimated errors away")


@pytest.mark.parametrize(
    ("law", "valueless"),
    [(1 / (x - 1), 1 / (x - 2)), (sp.sqrt(x - 1), sp.sqrt(1 - x))],
    ids=["divides by zero", "is not real"],
)
def test_a_claim_or_mutant_that_has_no_value_is_rejected(law, valueless):
    measured = _extrapolated(law, places=(2.0, 3.0, 5.0))
    assert valueless in mutants(law)
    found = check.measurement("thm:3", law, **measured)
    assert found.mutants["rejected"] == found.mutants["tried"] > 5
    with pytest.raises(CheckFailed, match="inf standard errors away"):
        check.measurement("thm:3", valueless, **measured)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.4, -0.1, "reproduced"), (0.1, 0.4, "not reproduced"), (-0.1, 0.2, "undecided")],
)
def test_record_is_judged_by_its_interval(low, high, verdict):
    found = check.record(
        "tab:1", "Adai minus SGD", estimate=(low + high) / 2, interval=(low, high), expected="negative",
        scale="laptop", data="digits",
    )  # fmt: skip
    assert found.verdict == verdict and "laptop" in found.evidence
    with pytest.raises(ValueError, match="outside"):
        check.record("tab:1", "", estimate=9, interval=(0, 1), expected="negative", scale="laptop", data="digits")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.1, 0.1, "reproduced"), (0.3, 0.4, "not reproduced"), (-0.4, -0.3, "not reproduced"), (0.1, 0.3, "undecided"),
     (-1.0, 1.0, "undecided")],
)  # fmt: skip
def test_record_of_likeness_needs_the_whole_interval_within_the_range(low, high, verdict):
    claim = {"estimate": (low + high) / 2, "interval": (low, high), "scale": "laptop", "data": "digits"}
    found = check.record("fig:10", "log ratio", expected=(-0.2, 0.2), **claim)
    assert found.verdict == verdict and "-0.2 to 0.2" in found.evidence
    with pytest.raises(ValueError, match="'zero'"):
        check.record("fig:10", "log ratio", expected="zero", **claim)
