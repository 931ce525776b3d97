"""The simulators against the exact solution of their own scheme, then their order; never against a diffusion."""

import itertools
import re
from collections import Counter

import numpy as np
import pytest
import sympy as sp

from adai.theory.langevin import euler_maruyama, mean_and_error, sgd, step

HESSIAN = np.array([[0.9, 0.4], [0.4, 0.3]])
ROOT = np.array([[0.7, -0.2], [-0.2, 0.4]])


def linear(theta):
    return -theta @ HESSIAN


def test_without_noise_the_chain_is_a_power():
    start = np.array([0.3, -1.2])
    found = euler_maruyama(start, lambda x: -1.6 * x, lambda x: 0.0, 0.25, [0, 1, 9], np.random.default_rng(0))
    assert found == pytest.approx(np.outer((1 - 0.4) ** np.array([0, 1, 9]), start), rel=1e-14)


def test_first_two_steps_by_hand():
    start, dt = np.array([[1.0, 2.0]]), 0.04
    found = euler_maruyama(start, linear, lambda x: ROOT, dt, [2], np.random.default_rng(7))[0]
    draws, by_hand = np.random.default_rng(7), start[0]
    for _ in range(2):
        by_hand = by_hand - HESSIAN @ by_hand * dt + ROOT @ draws.standard_normal((1, 2))[0] * 0.2
    assert found[0] == pytest.approx(by_hand, rel=1e-14)


def test_the_root_may_depend_on_the_state_of_each_chain():
    theta, dW = np.array([1.0, 2.0, 3.0]), np.array([0.5, -0.5, 1.0])
    assert step(theta, lambda x: 0 * x, lambda x: x**2, 0.1, dW) == pytest.approx(theta + theta**2 * dW)


def test_stationary_covariance_is_that_of_the_discrete_chain():
    """S = A S A + R R dt, solved exactly; steps so long that the diffusion's S would not pass."""
    dt, chains = 0.8, 20000
    A = np.eye(2) - dt * HESSIAN
    exact = np.linalg.solve(np.eye(4) - np.kron(A, A), (ROOT @ ROOT * dt).ravel()).reshape(2, 2)
    start = np.zeros((chains, 2))
    ends = euler_maruyama(start, linear, lambda x: ROOT, dt, [150], np.random.default_rng(1))[0]
    found, error = mean_and_error(ends[:, :, None] * ends[:, None, :])
    assert np.all(np.abs(found - exact) < 4.5 * error)
    assert np.all(error < 0.02 * np.diag(exact).mean())


def test_order_one_for_the_drift():
    """theta' = -theta^3 from 1 ends at 1 / sqrt(1 + 2t)."""
    errors = [
        euler_maruyama(np.ones(1), lambda x: -(x**3), lambda x: 0.0, 2 / n, [n], np.random.default_rng(0))[0, 0]
        - 5**-0.5
        for n in (100, 200, 400)
    ]
    orders = np.log2(np.abs(errors[:-1])) - np.log2(np.abs(errors[1:]))
    assert orders == pytest.approx([1, 1], abs=0.05)


@pytest.mark.parametrize(("multiplicative", "order"), [(True, 0.5), (False, 1.0)])
def test_strong_order(multiplicative, order):
    """Along the same Brownian paths: order 1/2, or 1 where the noise does not depend on the state."""
    fine, chains = 1024, 2000
    dW = np.random.default_rng(3).standard_normal((fine, chains)) / fine**0.5
    errors = []
    for n in (32, 64, 128):
        coarse = dW.reshape(n, -1, chains).sum(axis=1)
        theta = np.ones(chains)
        for increments in coarse:
            root = (lambda x: 0.8 * x) if multiplicative else (lambda x: 0.8)
            theta = step(theta, lambda x: 0.5 * x, root, 1 / n, increments)
        if multiplicative:
            exact = np.exp((0.5 - 0.32) + 0.8 * dW.sum(axis=0))
        else:
            exact = np.exp(0.5) + 0.8 * (np.exp(0.5 * (1 - (np.arange(fine) + 0.5) / fine)) @ dW)
        errors.append(np.abs(theta - exact).mean())
    assert np.log2(errors[0] / errors[2]) / 2 == pytest.approx(order, abs=0.15)


def test_sgd_on_one_sample_is_gradient_descent():
    found = sgd(
        np.array([2.0]), lambda w, x: 0.7 * (w - x.mean(1)), np.array([0.5]), 0.3, 4, [6], np.random.default_rng(0)
    )
    assert found[0, 0] == pytest.approx(0.5 + 1.5 * (1 - 0.21) ** 6, rel=1e-14)


def test_sgd_visits_each_end_as_often_as_its_minibatches_are_drawn():
    """Two samples, batches of one, three steps: eight sequences, each with probability 1/8."""
    data, chains = np.array([-1.0, 2.0]), 40000

    def gradient(w, x):
        return 0.9 * (w - x.mean(axis=1))

    ends = Counter()
    for sequence in itertools.product(data, repeat=3):
        w = 0.4
        for x in sequence:
            w = w - 0.5 * 0.9 * (w - x)
        ends[round(w, 10)] += 1 / 8
    found = sgd(np.full(chains, 0.4), gradient, data, 0.5, 1, [3], np.random.default_rng(5))[0]
    seen = Counter(np.round(found, 10))
    assert set(seen) == set(ends)
    for end, share in ends.items():
        assert abs(seen[end] / chains - share) < 4.5 * (share * (1 - share) / chains) ** 0.5


def test_sgd_covariance_of_minibatches_of_rows():
    """One step from the mean: eta^2 H cov(x) H / B, exactly up to sampling."""
    rng = np.random.default_rng(2)
    data = rng.standard_normal((50, 2)) @ np.array([[1.0, 0.4], [0.0, 0.6]])
    data -= data.mean(axis=0)
    moved = sgd(np.zeros((30000, 2)), lambda w, x: (w - x.mean(1)) @ HESSIAN, data, 0.2, 5, [1], rng)[0]
    exact = 0.04 * HESSIAN @ (data.T @ data / 50) @ HESSIAN / 5
    found, error = mean_and_error(moved[:, :, None] * moved[:, None, :])
    assert np.all(np.abs(found - exact) < 4.5 * error)


def test_mean_and_error_are_over_chains():
    mean, error = mean_and_error(np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert mean.tolist() == [2, 5] and error == pytest.approx([1, 0])  # of two draws: half their distance


def test_same_seed_same_chains():
    runs = [
        euler_maruyama(np.zeros(5), lambda x: -x, lambda x: 1.0, 0.1, [3, 8], np.random.default_rng(4)) for _ in "ab"
    ]
    assert np.array_equal(*runs) and runs[0].shape == (2, 5)


def test_symbols_pass_through_a_step():
    w, dt, dW, D = sp.symbols("w dt dW D")
    assert step(w, lambda x: -3 * x, lambda x: sp.sqrt(2 * D), dt, dW) == w - 3 * w * dt + sp.sqrt(2 * D) * dW


def test_bad_input_is_named():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"dt = -0\.1"):
        euler_maruyama(np.zeros(2), lambda x: x, lambda x: 1.0, -0.1, [1], rng)
    for record in ([3, 1], [2, 2], [-1, 3]):
        with pytest.raises(ValueError, match=f"record = {re.escape(str(record))}"):
            euler_maruyama(np.zeros(2), lambda x: x, lambda x: 1.0, 0.1, record, rng)
