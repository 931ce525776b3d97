"""A check passes on what holds, fails on what does not, and refuses to run where it could not fail."""

import math

import numpy as np
import pytest
import sympy as sp

from adai.book import check
from adai.book.check import CheckFailed
from adai.book.mutants import equal_at_random_points as same, evaluator, mutants

D, t, x, y = sp.symbols("D t x y", positive=True)
H = sp.Symbol("H", real=True, nonzero=True)
WIDTH = D / H * (1 - sp.exp(-2 * H * t))


def test_identity_shows_both_sides_and_counts_mutants():
    found = check.identity("eq:20", sp.expand(WIDTH), WIDTH, name=r"\sigma^2", uses=["eq:19"])
    assert (found.verdict, found.uses) == ("holds", ["eq:19"])
    assert found.printed != found.derived
    assert found.mutants["tried"] == found.mutants["rejected"] > 10
    shown = found._repr_mimebundle_()
    assert shown["application/vnd.adai.check+json"]["id"] == "eq:20"
    assert found.printed in shown["text/markdown"] and found.derived in shown["text/markdown"]


@pytest.mark.parametrize("wrong", mutants(WIDTH), ids=str)
def test_every_mutant_of_a_claim_fails_with_a_point(wrong):
    with pytest.raises(CheckFailed, match=r"eq:20.*instead of.*\$H = "):
        check.identity("eq:20", sp.expand(WIDTH), wrong)


def test_mutants_change_factors_signs_exponents_integers_and_terms():
    found = mutants(3 * x**2 + y)
    expected = [6 * x**2 + y, -3 * x**2 + y, 3 * x**3 + y, 3 * x + y, 4 * x**2 + y, 2 * x**2 + y, 3 * x**2, y]
    assert set(expected) <= set(found)
    assert len(found) == len(set(found)) and 3 * x**2 + y not in found


def test_an_equivalent_mutant_is_listed_not_rejected():
    found = check.identity("eq:20", x**2 - 2 * x * y + y**2, (x - y) ** 2)
    assert found.mutants["equivalent"] == ["(-x + y)**2"]
    assert same((y - x) ** 2, (x - y) ** 2, {}, "seed") and not same(x - y, y - x, {}, "seed")


def test_identity_compares_matrices_entry_by_entry():
    turn = sp.Matrix([[sp.cos(x), -sp.sin(x)], [sp.sin(x), sp.cos(x)]])
    check.identity("eq:2", turn.inv().applyfunc(sp.simplify), turn.T)
    with pytest.raises(CheckFailed):
        check.identity("eq:2", turn.inv().applyfunc(sp.simplify), turn)


def test_identity_holds_for_unknown_functions():
    f, g = sp.Function("f"), sp.Function("g")
    product = sp.diff(f(x) * g(x), x)
    check.identity("eq:2", product, f(x).diff(x) * g(x) + f(x) * g(x).diff(x))
    with pytest.raises(CheckFailed):
        check.identity("eq:2", product, f(x).diff(x) * g(x))


def test_an_unknown_item_is_named():
    with pytest.raises(ValueError, match="'eq:124' is no item"):
        check.identity("eq:124", x, x)


def test_expansion_knows_its_order_and_its_error_term():
    exact, claim = 1 - sp.exp(-2 * x * y), 2 * x * y
    found = check.expansion("thm:1", exact, claim, small=x, order=2, error=x**2 * y**2)
    assert found.verdict == "leading order" and "first neglected" in found.evidence
    with pytest.raises(CheckFailed, match="below order 3"):
        check.expansion("thm:1", exact, claim, small=x, order=3)
    with pytest.raises(CheckFailed, match="no constant times"):
        check.expansion("thm:1", exact, claim, small=x, order=2, error=x**2 * y)
    with pytest.raises(CheckFailed, match="misses"):
        check.expansion("thm:1", exact, 3 * x * y, small=x, order=2)


def test_bound_is_proved_or_attacked_and_must_be_tight_enough():
    a, b = sp.symbols("a b", real=True)
    proved = check.bound("eq:89", a * b, (a**2 + b**2) / 2, gap=(a - b) ** 2 / 2)
    assert "proved" in proved.evidence and proved.mutants["rejected"] > 5
    searched = check.bound("eq:97", 1 - sp.exp(-x), x, domain={x: (0.01, 2)})
    assert "search" in searched.evidence
    with pytest.raises(CheckFailed, match="exceeds"):
        check.bound("eq:89", a * b, (a**2 + b**2) / 3)
    with pytest.raises(CheckFailed, match="must equal the difference"):
        check.bound("eq:89", a * b, (a**2 + b**2) / 2, gap=(a + b) ** 2 / 2)
    assert searched.verdict == "holds"
    assert check.bound("eq:97", 1 - sp.exp(-x), 1000 * x, domain={x: (0.01, 2)}).verdict == "loose"
    # Without its x the greater side is the lesser one, bit by bit or not: still true, and listed as such.
    assert "1 - y/7" in check.bound("eq:97", 1 - y / 7, 1 - y / 7 + x, gap=x).mutants["equivalent"]


def _measured(factor: float, noise: float = 0.004) -> dict:
    at = [{H: 0.7, D: 0.4, t: 0.5}, {H: -0.6, D: 1.7, t: 0.8}, {H: 1.6, D: 0.6, t: 2.0}]
    truth = np.array([float(WIDTH.subs(p)) for p in at])
    wobble = np.array([0.7, -1.1, 0.4])
    return {"at": at, "estimate": factor * truth + noise * wobble, "standard_error": [noise] * 3}


def test_measurement_detects_what_it_says_it_detects():
    found = check.measurement("eq:20", WIDTH, **_measured(1.0))
    smallest = float(found.evidence.split("error of ")[1].rstrip("%")) / 100
    assert 0 < smallest < 0.1
    for factor in (1 + 1.01 * smallest, 1 - 1.01 * smallest):
        with pytest.raises(CheckFailed, match="standard errors away"):
            check.measurement("eq:20", factor * WIDTH, **_measured(1.0))


def test_measurement_refuses_noise_that_hides_a_factor():
    with pytest.raises(CheckFailed, match="take more samples"):
        check.measurement("eq:20", WIDTH, **_measured(1.0, noise=0.2))


def test_measurement_never_accepts_nan():
    bad = _measured(1.0)
    bad["estimate"][1] = math.nan
    with pytest.raises(CheckFailed):
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


def test_a_mutant_that_is_not_real_is_no_bound():
    found = check.bound("eq:79", sp.Rational(1, 2), 1 / sp.sqrt(1 - x**2), domain={x: (0.1, 0.9)}, tries=400)
    assert found.mutants["tried"] == found.mutants["rejected"] + len(found.mutants["equivalent"])
    assert {"2/sqrt(1 - x**2)"} <= set(found.mutants["equivalent"])
    assert not {"1/sqrt(1 - 4*x**2)", "1/sqrt(-x**2 - 1)"} & set(found.mutants["equivalent"])


def test_erratum_needs_a_wrong_print_and_a_right_correction():
    derived = sp.exp(-(x**2) / (2 * y))
    right, wrong = derived, sp.exp(-(x**2) * y / 2)
    found = check.erratum("eq:11", derived, wrong, right, verdict="typo")
    assert found.verdict == "typo" and found.corrected != found.printed and "fails" in found.evidence
    with pytest.raises(CheckFailed, match="no erratum"):
        check.erratum("eq:11", derived, right, right, verdict="typo")
    with pytest.raises(CheckFailed):
        check.erratum("eq:11", derived, wrong, 2 * right, verdict="typo")
    with pytest.raises(ValueError, match="'holds'"):
        check.erratum("eq:11", derived, wrong, right, verdict="holds")


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


g, m, theta, k, lr, beta = sp.symbols("g m theta t eta beta")
AVERAGED = [(m, beta * m + (1 - beta) * g), (theta, theta - lr * m / (1 - beta**k))]


def _averaged(gradients: list, settings: dict) -> list:
    b, at, average = settings["beta"], np.zeros(len(gradients[0])), np.zeros(len(gradients[0]))
    for n, now in enumerate(np.array(gradients), 1):
        average = b * average + (1 - b) * now
        at = at - settings["eta"] * average / (1 - b**n)
    return list(at)


SETTING = {"start": {m: 0, theta: 0}, "settings": {lr: 0.3, beta: 0.8}, "gradient": g, "result": theta, "step": k}


def test_algorithm_runs_the_printed_lines_against_the_optimizer():
    found = check.algorithm("alg:1", AVERAGED, _averaged, **SETTING)
    assert found.mutants["tried"] == found.mutants["rejected"] + len(found.mutants["equivalent"]) > 15
    wrong = [AVERAGED[0], (theta, theta - lr * m / (1 + beta**k))]
    with pytest.raises(CheckFailed, match="the printed lines end at"):
        check.algorithm("alg:1", wrong, _averaged, **SETTING)


def test_mean_in_an_algorithm_is_over_all_elements():
    lines = [(theta, theta - lr * g / check.mean(g**2))]

    def normalised(gradients: list, settings: dict) -> list:
        return list(-settings["eta"] * sum(np.array(now) / np.mean(np.square(now)) for now in gradients))

    setting = {**SETTING, "start": {theta: 0}, "settings": {lr: 0.3}}
    assert check.algorithm("alg:1", lines, normalised, **setting).mutants["rejected"] > 3


def test_a_compiled_side_is_reused_but_never_for_another_expression():
    plain, positive = sp.Symbol("x"), sp.Symbol("x", positive=True)
    first = evaluator(plain**2, "seed")
    assert evaluator(plain**2, "seed") is first
    assert evaluator(positive**2, "seed")({positive: 3}) == first({plain: 3}) == 9
    f = sp.Function("f")(plain)
    assert evaluator(f, "one")({plain: 1}) != evaluator(f, "two")({plain: 1})
