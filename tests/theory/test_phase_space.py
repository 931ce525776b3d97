"""Exact moments in phase space: their differential equation, their limits, lost digits, and simulated steps."""

import mpmath
import numpy as np
import pytest
import sympy as sp

from adai.theory.phase_space import covariance, heavy_ball_covariance, propagator
from adai.theory.quadratic import linear_variance, sgd_variance

D, M, gamma, t = sp.symbols("D M gamma t", positive=True)
SPREAD = [[0.3, -0.1], [-0.1, 0.8]]


@pytest.mark.parametrize("H", [sp.Symbol("H", real=True, nonzero=True), sp.Integer(0)])
def test_the_closed_form_solves_the_moment_equations(H):
    A = sp.Matrix([[0, 1], [-H / M, -gamma]])
    start = sp.Matrix(2, 2, sp.symbols("a b b d"))
    S = covariance(H, D, M, gamma, t, start)
    rate = A * S + S * A.T + sp.diag(0, 2 * D / M**2)
    assert sp.simplify(S.subs(t, 0) - start) == sp.zeros(2, 2)
    assert sp.simplify(S.diff(t) - rate) == sp.zeros(2, 2)
    assert sp.simplify(propagator(H, M, gamma, t).diff(t) - A * propagator(H, M, gamma, t)) == sp.zeros(2, 2)


# Saddle, plain, minimum; overdamped, underdamped, nearly critical; short and long times.
@pytest.mark.parametrize("H", [-1.3, -1e-9, 1e-12, 0.2, 7.0, 0.25 * (1 + 1e-11)])
@pytest.mark.parametrize("damping", [1e-3, 1.0, 40.0])
@pytest.mark.parametrize("time", [1e-6, 0.7, 25.0])
def test_numbers_keep_their_digits_where_the_closed_form_cancels(H, damping, time):
    with mpmath.workdps(80):
        symbols = sp.Symbol("H"), D, M, gamma, t
        values = [mpmath.mpf(x) for x in (H, 0.4, 1.0, damping, time)]
        formula = sp.lambdify(symbols, covariance(*symbols, SPREAD), "mpmath")
        exact = np.array([float(mpmath.re(x)) for x in formula(*values)]).reshape(2, 2)
    found = covariance(H, 0.4, 1.0, damping, time, SPREAD)
    assert found.diagonal() == pytest.approx(exact.diagonal(), rel=1e-12)
    assert found == pytest.approx(exact, rel=1e-10, abs=1e-12 * np.sqrt(exact.diagonal().prod()))


def test_short_times_from_rest_are_cubic_and_keep_their_digits():
    assert covariance(-0.5, 0.3, 2.0, 1.5, 1e-7)[0, 0] == pytest.approx(2 * 0.3 / 4 * 1e-21 / 3, rel=1e-6)


def test_at_zero_curvature_numbers_symbols_and_limit_agree():
    times = np.array([[0.0, 0.5], [3.0, 80.0]])
    found = covariance(0, 0.4, 2.0, 1.5, times, SPREAD)
    assert found.shape == (2, 2, 2, 2)
    symbolic = covariance(sp.Integer(0), D, M, gamma, t, SPREAD).subs({D: 0.4, M: 2.0, gamma: 1.5})
    for index in np.ndindex(times.shape):
        expected = np.array(symbolic.subs(t, times[index]), dtype=float)
        assert found[index] == pytest.approx(expected, rel=1e-12)
    assert found == pytest.approx(covariance(1e-13, 0.4, 2.0, 1.5, times, SPREAD), rel=1e-9)


@pytest.mark.parametrize("H", [-0.8, 0.0, 0.6])
def test_strong_damping_is_the_overdamped_diffusion(H):
    mass, friction = 1e-7, 1.3
    found = covariance(H, 0.4, mass, friction / mass, 2.0)[0, 0]
    assert found == pytest.approx(linear_variance(H / friction, 0.4 / friction**2, 2.0), rel=1e-6)


def test_bad_numbers_are_named():
    with pytest.raises(ValueError, match="M = 0"):
        covariance(1.0, 1.0, 0, 1.0, 1.0)
    with pytest.raises(ValueError, match="negative time"):
        covariance(1.0, 1.0, 1.0, 1.0, np.array([1.0, -2.0]))
    with pytest.raises(ValueError, match="T = -1"):
        heavy_ball_covariance(1.0, 1.0, 0.1, 0.9, 1.0, -1)


def test_without_memory_the_heavy_ball_is_sgd():
    found = heavy_ball_covariance(-0.4, 0.7, 0.1, 0.0, 1.0, 12)[0, 0]
    assert found == pytest.approx(sgd_variance(-0.4, 0.7, 0.1, 12), rel=1e-12)


def test_heavy_ball_covariance_is_that_of_the_printed_steps():
    H, C, eta, beta1, beta3, T = -0.4, 0.7, 0.3, 0.8, 0.5, 15
    rng = np.random.default_rng(0)
    theta, m = np.linalg.cholesky(SPREAD) @ rng.standard_normal((2, 200_000))
    for _ in range(T):
        m = beta1 * m + beta3 * (H * theta + C**0.5 * rng.standard_normal(theta.shape))
        theta = theta - eta * m
    expected = heavy_ball_covariance(H, C, eta, beta1, beta3, T, SPREAD)
    assert np.cov([theta, m]) == pytest.approx(expected, rel=0.02)


def test_small_learning_rates_make_the_heavy_ball_the_langevin_equation():
    eta, beta1, beta3, C, H = 1e-3, 0.999, 0.002, 0.7, -0.4
    chain = heavy_ball_covariance(H, C, eta, beta1, beta3, 2000)[0, 0]
    assert chain == pytest.approx(covariance(H, eta * C / 2, eta / beta3, 0.001 / eta, 2.0)[0, 0], rel=5e-3)
