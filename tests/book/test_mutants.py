"""Mutants of a formula, and equality by values at random points."""

import sympy as sp

from adai.book.mutants import equal_at_random_points, evaluator, mutants

x, y = sp.symbols("x y", positive=True)


def test_mutants_change_factors_signs_exponents_integers_and_terms():
    found = mutants(3 * x**2 + y)
    expected = [6 * x**2 + y, -3 * x**2 + y, 3 * x**3 + y, 3 * x + y, 4 * x**2 + y, 2 * x**2 + y, 3 * x**2, y]
    assert set(expected) <= set(found)
    assert len(found) == len(set(found)) and 3 * x**2 + y not in found


def test_mutants_of_a_fraction_change_numerator_denominator_and_sign():
    two_fifths = sp.Rational(2, 5)
    expected = [sp.Rational(3, 5), sp.Rational(1, 5), -two_fifths, sp.Rational(1, 3)]
    assert mutants(two_fifths) == expected
    assert {value * x for value in expected} <= set(mutants(two_fifths * x))


def test_expressions_are_equal_where_their_values_are():
    assert equal_at_random_points((y - x) ** 2, (x - y) ** 2, {}, "seed")
    assert not equal_at_random_points(x - y, y - x, {}, "seed")


def test_a_compiled_side_is_reused_but_never_for_another_expression():
    plain, positive = sp.Symbol("x"), sp.Symbol("x", positive=True)
    first = evaluator(plain**2, "seed")
    assert evaluator(plain**2, "seed") is first
    assert evaluator(positive**2, "seed")({positive: 3}) == first({plain: 3}) == 9
    f = sp.Function("f")(plain)
    assert evaluator(f, "one")({plain: 1}) != evaluator(f, "two")({plain: 1})
