"""Closed forms against what they are closed forms of: integrals, recursions, fifty digits near the limits."""

import subprocess
import sys

import mpmath
import numpy as np
import pytest
import sympy as sp

from adai.theory import symbols as s
from adai.theory.quadratic import linear_covariance, linear_variance, sgd_covariance, sgd_mean, sgd_variance

NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)


def integrated(H, D, t):
    """Integral over [0, t] of exp(-H s) 2D exp(-H s) ds, by quadrature: Itô's isometry."""
    H, D = np.atleast_2d(H), np.atleast_2d(D)
    total = 0
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        decay = sp.Matrix(-H * (node + 1) * t / 2).exp()
        decay = np.array(decay.evalf(20), dtype=float)
        total = total + t / 2 * weight * decay @ (2 * D) @ decay.T
    return total


@pytest.mark.parametrize("H", [1.7, 1e-3, 0.0, -1e-3, -1.2])
def test_linear_variance_is_the_integral_of_what_noise_is_left(H):
    assert linear_variance(H, 0.6, 1.3) == pytest.approx(integrated(H, 0.6, 1.3).item(), rel=1e-13)


@pytest.mark.parametrize("H", [1e-20, 1e-12, -1e-9, 1e-4])
def test_linear_variance_keeps_its_digits_near_zero_curvature(H):
    with mpmath.workdps(60):
        truth = mpmath.mpf("0.5") / mpmath.mpf(H) * (1 - mpmath.exp(-4 * mpmath.mpf(H)))
        assert abs(linear_variance(H, 0.5, 2.0) / truth - 1) < 1e-15


def test_linear_variance_takes_arrays_and_symbols():
    found = linear_variance(np.array([-1.0, 0.0, 2.0]), 0.5, 1.5)
    assert found == pytest.approx([linear_variance(H, 0.5, 1.5) for H in (-1.0, 0.0, 2.0)])
    assert linear_variance(0.0, 0.5, np.array([1, 2])) == pytest.approx([1, 2])
    symbolic = linear_variance(s.H, s.D, s.t)
    assert float(symbolic.subs({s.H: -0.4, s.D: 0.3, s.t: 2})) == pytest.approx(linear_variance(-0.4, 0.3, 2))
    assert linear_variance(sp.Integer(0), s.D, s.t) == 2 * s.D * s.t == sp.limit(symbolic, s.H, 0)


@pytest.mark.parametrize("commute", [True, False])
def test_linear_covariance_is_the_integral_whether_or_not_matrices_commute(commute):
    H = np.array([[0.9, 0.5], [0.5, -0.6]])
    D = 0.2 * H @ H + 0.1 * np.eye(2) if commute else np.array([[0.3, -0.1], [-0.1, 0.8]])
    assert np.allclose(H @ D, D @ H) == commute
    assert linear_covariance(H, D, 1.4) == pytest.approx(integrated(H, D, 1.4), rel=1e-12)


def test_linear_covariance_where_two_eigenvalues_cancel():
    H, D = np.diag([1.5, -1.5]), np.array([[0.4, 0.3], [0.3, 0.5]])
    assert linear_covariance(H, D, 0.7)[0, 1] == pytest.approx(2 * 0.3 * 0.7)


@pytest.mark.parametrize("step", [0.3, 1.0, 1.7, 2.0, 2.3, 0.0, -0.2, 1e-13])
def test_sgd_closed_forms_are_the_recursions(step):
    eta, C, T = 0.1, 0.8, 12
    mean, variance = 0.4, 0.0
    for _ in range(T):
        mean, variance = (1 - step) * mean, (1 - step) ** 2 * variance + eta**2 * C
    assert sgd_mean(0.4, step / eta, eta, T) == pytest.approx(mean, rel=1e-13)
    assert sgd_variance(step / eta, C, eta, T) == pytest.approx(variance, rel=1e-13)


# Factors a_i a_j of either sign, 0 and 1; flat, unstable and nearly flat directions.
@pytest.mark.parametrize("steps", [(0.9, -0.5, 0.1), (1.7, 0.4, 1.0), (2.3, 0.0, 0.0), (1e-13, -1e-12, 1.0)])
def test_sgd_covariance_is_the_recursion_whether_or_not_matrices_commute(steps):
    eta, T = 0.1, 11
    turn, _ = np.linalg.qr(np.array([[1.0, 2, 0], [0, 1, 3], [2, 0, 1]]))
    H, C = turn @ np.diag(steps) @ turn.T / eta, np.array([[0.8, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.6]])
    covariance, step = np.zeros((3, 3)), np.eye(3) - eta * H
    for _ in range(T):
        covariance = step @ covariance @ step.T + eta**2 * C
    assert sgd_covariance(H, C, eta, T) == pytest.approx(covariance, rel=1e-11)
    assert sgd_covariance(np.diag(steps) / eta, np.eye(3), eta, T) == pytest.approx(
        np.diag(sgd_variance(np.array(steps) / eta, 1.0, eta, T)), rel=1e-12
    )


def test_sgd_variance_takes_symbols():
    symbolic = sgd_variance(s.H, s.C, s.eta, s.T)
    at = {s.H: -3.0, s.C: 0.5, s.eta: 0.2, s.T: 7}
    assert float(symbolic.subs(at)) == pytest.approx(sgd_variance(-3.0, 0.5, 0.2, 7))
    assert sgd_variance(sp.Integer(0), s.C, s.eta, s.T) == s.eta**2 * s.C * s.T


def test_negative_input_is_named():
    with pytest.raises(ValueError, match="D = -1"):
        linear_variance(1.0, -1, 1.0)
    with pytest.raises(ValueError, match="T = -3"):
        sgd_variance(1.0, 1.0, 0.1, -3)
    with pytest.raises(ValueError, match="T = -1"):
        sgd_covariance(np.eye(2), np.eye(2), 0.1, -1)
    with pytest.raises(ValueError, match="t = nan"):
        linear_covariance(np.eye(2), np.eye(2), float("nan"))


def test_symbols_need_sympy_alone():
    code = (
        "import sys; sys.modules.update(numpy=None, torch=None);"
        "from adai.theory import diffusion, langevin, quadratic, symbols as s;"
        "print(quadratic.linear_variance(s.H, s.D, s.t), quadratic.sgd_variance(s.H, s.C, s.eta, s.T),"
        "langevin.step(s.theta, lambda x: -s.H * x, lambda x: s.D, s.t, s.c))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
