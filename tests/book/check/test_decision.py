"""What decides a claim: symbols, values at random points, and a search for the largest ratio."""

import pytest
import sympy as sp

from adai.book.check.decision import difference, exceeds_nowhere, largest_ratio, vanishes, vanishing_order, violation
from adai.book.mutants import sample_points

x, y = sp.symbols("x y", positive=True)


def test_a_difference_is_told_with_a_point():
    assert difference(x * (x + 1), x**2 + x, {}, "eq:2") == ""
    # One part in a million differs as surely as any.
    assert "instead of" in difference(x, x * (1 + sp.Rational(1, 10**6)), {}, "eq:2")
    assert difference(x, 1 / sp.floor(x / 10), {}, "eq:2") == "the printed form divides by zero"


@pytest.mark.parametrize(
    "zero",
    [
        (x + 1) ** 2 - x**2 - 2 * x - 1,
        sp.Derivative(x * sp.Function("f")(x), x) - sp.Function("f")(x) - x * sp.Function("f")(x).diff(x),
        sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1,
    ],
    ids=["expanded", "differentiated", "simplified"],
)
def test_symbols_show_what_vanishes(zero):
    assert vanishes(zero) and vanishes(sp.Matrix([0, zero]))
    assert not vanishes(sp.Matrix([zero, x]))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_order_of_vanishing_is_the_lowest_power(order):
    assert vanishing_order(x**order * y + x ** (order + 1), x, {}, "eq:2") == pytest.approx(order, abs=1e-6)


def test_a_bound_is_broken_by_little_and_kept_by_equality():
    places = sample_points({x}, {}, "eq:79", 20)
    assert exceeds_nowhere(x, x, places, "eq:79") is True
    assert exceeds_nowhere(x + sp.Rational(1, 10**20), x, places, "eq:79") is False
    assert exceeds_nowhere(x, sp.sqrt(x - 3), places, "eq:79") is None


def test_the_search_tries_corners_and_refines_what_it_found():
    assert largest_ratio(x, sp.Integer(1), {x: (0, 2)}, "eq:79", tries=0) == (2.0, {"x": 2})
    peak = sp.exp(-100_000 * (x - sp.Rational(1, 3)) ** 2)  # a thousand random points come as near as 0.994
    highest, where = largest_ratio(peak, sp.Integer(1), {x: (0, 1)}, "eq:79", tries=1000)
    assert highest > 0.99999 and where["x"] == pytest.approx(1 / 3, abs=1e-4)


def test_the_search_leaves_out_points_without_a_value_and_keeps_integers_whole():
    assert largest_ratio(sp.sqrt(x - 1), sp.Integer(1), {x: (0, 2)}, "eq:79", tries=20)[0] == 1
    n = sp.Symbol("n", positive=True, integer=True)
    assert largest_ratio(1 / n, sp.Integer(1), {}, "eq:79", tries=0) == (1.0, {"n": 1})  # at a corner
    between = 1 / (1 + (n - sp.Rational(5, 2)) ** 2)
    assert largest_ratio(between, sp.Integer(1), {n: (1, 7)}, "eq:79", tries=50)[0] == 0.8


def test_a_violation_is_told_in_one_order_on_any_day():
    a, b, c = sp.symbols("a b c", positive=True)
    told = violation(a + b + c, sp.Integer(0), "<=", {}, "eq:79")
    assert told.index("$a =") < told.index("$b =") < told.index("$c =")
    assert violation(x, x + y, "<=", {}, "eq:79") == "" == violation(x, x, ">=", {}, "eq:79")
