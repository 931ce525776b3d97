"""Mutants of a formula, and equality by values at random points."""

import sympy as sp

from adai.book.mutants import equal_at_random_points, evaluator, mutants, sample_points

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


def test_mutants_of_a_power_raise_and_lower_its_exponent():
    assert {x ** (y + 1), x ** (y - 1)} <= set(mutants(x**y))
    assert {sp.exp(x + 1), sp.exp(x - 1)} <= set(mutants(sp.exp(x)))


def test_mutants_move_the_exponent_of_a_factor_that_stands_there_once():
    assert {x**2 * y, y, x * y**2, x} <= set(mutants(x * y))
    f = sp.Function("f")(x)
    assert {f**2 * y, y} <= set(mutants(f * y))


def test_mutants_swap_symbols_of_the_same_assumptions():
    real = sp.Symbol("r", real=True)
    assert y**2 / x in mutants(x**2 / y)
    assert real**2 / x not in mutants(x**2 / real)


def test_mutants_leave_names_of_variables_alone():
    f = sp.Function("f")(x)
    slope = sp.Derivative(f, x)
    assert {2 * slope, -slope, sp.Derivative(2 * f, x), sp.Derivative(-f, x)} <= set(mutants(slope))
    assert all(part.variables == (x,) for mutant in mutants(slope) for part in mutant.atoms(sp.Derivative))
    integral = sp.Integral(f, (x, 0, 1))
    assert {part.limits for mutant in mutants(integral) for part in mutant.atoms(sp.Integral)} == {integral.limits}


def test_mutants_without_a_value_are_left_out():
    found = mutants(x / sp.log(2))  # log(1) is 0
    assert x / sp.log(3) in found and not any(mutant.has(sp.zoo) for mutant in found)


def test_points_fit_the_symbols_assumptions_and_the_domain():
    below, any_sign, n = sp.Symbol("b", negative=True), sp.Symbol("a", real=True), sp.Symbol("n", integer=True)
    places = sample_points({x, below, any_sign, n}, {y: (3, 4)}, "seed", 50)
    assert all(at[x] > 0 > at[below] and at[n] == int(at[n]) for at in places)
    assert {at[any_sign] > 0 for at in places} == {True, False}
    count = sp.Symbol("B", integer=True, positive=True)
    assert {at[count] for at in sample_points({count}, {}, "seed", 50)} == set(range(1, 8))
    assert all(3 <= at[y] <= 4 for at in sample_points({y}, {y: (3, 4)}, "seed", 50))
    assert places == sample_points({x, below, any_sign, n}, {y: (3, 4)}, "seed", 50)


def test_expressions_are_equal_where_their_values_are():
    assert equal_at_random_points((y - x) ** 2, (x - y) ** 2, {}, "seed")
    assert not equal_at_random_points(x - y, y - x, {}, "seed")
    assert not equal_at_random_points(x, x * (1 + sp.Rational(1, 10**20)), {}, "seed")
    assert not equal_at_random_points(x, 1 / sp.floor(x / 10), {}, "seed"), "no value, no equality"
    # Equal on half of the real line: one point would not find out.
    real = sp.Symbol("r", real=True)
    assert not equal_at_random_points(sp.Abs(real), real, {}, "seed")


def test_a_compiled_side_is_reused_but_never_for_another_expression():
    plain, positive = sp.Symbol("x"), sp.Symbol("x", positive=True)
    first = evaluator(plain**2, "seed")
    assert evaluator(plain**2, "seed") is first
    assert evaluator(positive**2, "seed")({positive: 3}) == first({plain: 3}) == 9
    f = sp.Function("f")(plain)
    assert evaluator(f, "one")({plain: 1}) != evaluator(f, "two")({plain: 1})
