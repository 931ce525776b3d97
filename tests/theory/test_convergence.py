"""Weights, exact means and bounds against other ways to the same numbers: matrices, hand enumeration, brute force."""

import itertools

import numpy as np
import pytest
import sympy as sp

from adai.theory.convergence import (
    adaptive_rates,
    constant_inertia_bound,
    descend,
    expectation,
    fixed_inertia_bound,
    least_slope_bound,
    mean_push,
    momentum,
    total_weights,
    weights,
)

BETA = [0.3, 0.9, 0.0, 0.7, 0.99]


def test_the_buffer_solves_its_linear_equations():
    gradients = np.array([1.0, -2.0, 0.5, 3.0, -1.0])
    # m_t - beta_t m_{t-1} = (1 - beta_t) g_t, all steps at once
    system = np.eye(5) - np.diag(BETA[1:], -1)
    truth = np.linalg.solve(system, (1 - np.array(BETA)) * gradients)
    assert momentum(BETA, list(gradients)) == pytest.approx(truth)
    assert weights(BETA) @ gradients == pytest.approx(truth[-1])


def test_weights_take_symbols_and_lengths_must_agree():
    b = sp.symbols("b_0:3")
    assert sp.expand(sum(weights(b)) - (1 - b[0] * b[1] * b[2])) == 0
    with pytest.raises(ValueError, match="argument 2"):
        momentum([0.5, 0.5], [1.0])


def test_descend_is_the_heavy_ball():
    def slope(x):
        return np.sin(x)

    noise = [0.1, -0.3, 0.2, 0.4, -0.5]
    path, gradients = descend(slope, BETA, 0.2, 1.5, noise)
    before, now = 1.5, 1.5
    for t, xi in enumerate(noise):
        assert gradients[t] == pytest.approx(np.sin(now) + xi)
        before, now = now, now - 0.2 * (1 - BETA[t]) * (np.sin(now) + xi) + BETA[t] * (now - before)
        assert path[t + 1] == pytest.approx(now)


def test_expectation_counts_every_outcome():
    x, y, a = sp.symbols("x y a")
    third = sp.Rational(1, 3)
    law = {x: [(a, third), (-a / 2, 2 * third)], y: [(0, third), (3, 2 * third)]}
    assert expectation(x, law) == 0
    assert expectation(x**2 * y, law) == sp.expand(a**2 / 2 * 2)
    with pytest.raises(ValueError, match="of x: expected a sum of 1"):
        expectation(x, {x: [(1, third)]})


def test_total_weight_sums_the_weights_of_all_later_steps():
    rates = np.random.default_rng(0).uniform(0.1, 1, size=(7, 3))
    for chain in range(3):
        beta = list(1 - rates[:, chain])
        truth = [sum(weights(beta[: t + 1])[k] for t in range(k, 7)) for k in range(7)]
        assert total_weights(rates)[:, chain] == pytest.approx(truth)


@pytest.mark.parametrize("late", [False, True])
def test_adaptive_rates_are_adais(late):
    g = np.random.default_rng(1).normal(size=(6, 4))
    mean = (g**2).mean()
    for k, chain in itertools.product(range(6), range(4)):
        seen = g[: k + (not late), chain] ** 2
        v = 0.8 ** len(seen) * mean + 0.2 * sum(0.8 ** (len(seen) - 1 - i) * s for i, s in enumerate(seen))
        found = adaptive_rates(g, 0.5, beta0=0.3, beta2=0.8, eps=0.1, late=late)[k, chain]
        assert found == pytest.approx(min(1, max(0.1, 0.3 * v / 0.5)))
    with pytest.raises(ValueError, match="v_bar = 0"):
        adaptive_rates(g, 0)


def test_rates_are_those_of_the_package_where_the_other_weights_are_loud():
    torch = pytest.importorskip("torch")
    from adai import Adai

    draw = np.random.default_rng(4)
    quiet, steps = draw.choice([1.0, -2.0], size=(300, 1)), 300
    weight = torch.nn.Parameter(torch.zeros(1000, dtype=torch.float64))
    optimizer = Adai([weight], betas=(0.8, 0.9))
    for k in range(steps):
        signs = draw.choice([-3.0, 3.0], size=999)
        weight.grad = torch.from_numpy(np.concatenate([quiet[k], signs]))
        optimizer.step()
    found = 1 - next(optimizer.inertia())[1][0].item()
    assert found == pytest.approx(adaptive_rates(quiet, 9.0, beta0=0.8, beta2=0.9)[-1, 0], rel=2e-3)


def test_without_memory_the_push_is_the_third_moment_over_the_second():
    draw = np.random.default_rng(2)
    gradients = np.where(draw.random((2000, 300)) < 0.2, 4.0, -1.0)  # mean 0, E g^3 / E g^2 = 3
    rates = adaptive_rates(gradients, 20.0, beta0=1.0, beta2=0.0)
    found, error = mean_push(gradients, rates, mean=0.0, spare=200)
    assert error < 0.01 and abs(found - 3) < 4 * error
    late, error = mean_push(gradients, adaptive_rates(gradients, 20.0, 1.0, 0.0, late=True), mean=0.0, spare=200)
    assert late < -4 * error


def test_equal_weights_leave_the_mean_as_it_is():
    gradients = np.random.default_rng(5).normal(0.7, 1, size=(10, 6))
    assert mean_push(gradients, np.ones((10, 6)), mean=0.7, spare=2) == (0.7, 0)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_the_bounds_hold_and_are_not_idle(beta):
    eta, steps, draw = 0.05, 3000, np.random.default_rng(3)
    x, m, total = np.full(200, 2.0), 0.0, 0.0
    for _ in range(steps):
        slope = np.clip(x, -1, 1)
        total += (slope**2).mean() / steps
        m = beta * m + (1 - beta) * (slope + draw.choice([-1.0, 1.0], size=200))
        x = x - eta * m
    problem = {"steps": steps, "eta": eta, "excess": 1.5, "smoothness": 1.0, "square": 2.0}
    general = fixed_inertia_bound(**problem, beta_max=beta, corrected=False)
    constant = constant_inertia_bound(**problem, beta1=beta)
    assert total < min(general, constant)
    assert constant < (10 if beta < 0.9 else 20) * total


def test_the_bounds_are_those_computed_by_hand():
    problem = {"steps": 100, "eta": 0.1, "excess": 1.0, "smoothness": 2.0, "square": 3.0}
    assert fixed_inertia_bound(**problem, beta_max=0.0) == pytest.approx(0.1 + 0.3)
    assert fixed_inertia_bound(**problem, beta_max=0.5) == pytest.approx(0.1 + 0.3 + 0.6 * 2**0.5)
    assert fixed_inertia_bound(**problem, beta_max=0.5, corrected=False) == pytest.approx(0.43 + 0.6 * 2**0.5)
    assert least_slope_bound(**problem, beta_max=0.5) == pytest.approx(0.1 + 0.3 * 3)
    assert constant_inertia_bound(**problem, beta1=0.0) == pytest.approx(0.2 + 0.2 * 3)
    assert constant_inertia_bound(**problem, beta1=0.5) == pytest.approx(0.2 + (0.2 + 0.2**2) * 3)


def test_constant_inertia_costs_at_second_order():
    n = sp.Symbol("n", positive=True)
    with_, without = (constant_inertia_bound(n, 1 / sp.sqrt(n), 1, 2, 3, b) for b in (sp.Rational(9, 10), 0))
    assert sp.simplify((with_ - without) * n - 81 * 4 * 3) == 0


def exact_squares(draw, beta_max, coordinates):
    """Return the means of the squared slope over all paths of seven steps on L = sum of cos, and the bounds' arguments.

    The inertias are given, 0 in the first step, and the noise takes two values, alike in all coordinates.
    """
    steps, eta = 7, float(np.exp(draw.uniform(-3, 1)))
    beta = beta_max * draw.integers(0, 2, size=(steps, coordinates))
    beta[0] = 0
    p, size = draw.choice([0.5, 0.2, 0.05]), float(np.exp(draw.uniform(-2, 1)))
    coins = np.array(list(itertools.product([0, 1], repeat=steps)))
    chance, noise = np.where(coins, 1 - p, p).prod(axis=1), size * np.where(coins, -p, 1 - p)
    x, m, squares = np.tile(draw.uniform(0, 6, coordinates), (len(coins), 1)), 0.0, []
    excess = (np.cos(x[0]) + 1).sum()
    for t in range(steps):
        squares.append(chance @ (np.sin(x) ** 2).sum(axis=1))
        m = beta[t] * m + (1 - beta[t]) * (noise[:, [t]] - np.sin(x))
        x = x - eta * m
    square = coordinates * (1 + p * (1 - p) * size**2)
    return np.array(squares), {"steps": steps, "eta": eta, "excess": excess, "smoothness": 1.0, "square": square}


@pytest.mark.parametrize("beta_max", [0.1, 0.5, 0.9])
def test_no_sequence_of_inertias_breaks_the_bounds(beta_max):
    draw = np.random.default_rng(6)
    for _ in range(200):
        squares, problem = exact_squares(draw, beta_max, coordinates=2)
        assert squares.mean() <= fixed_inertia_bound(**problem, beta_max=beta_max)
        squares, problem = exact_squares(draw, beta_max, coordinates=1)
        assert squares.min() <= least_slope_bound(**problem, beta_max=beta_max)


def test_sgd_attains_the_bound_on_the_least_slope():
    variance = 1 / (2 * 0.01 - 0.01**2) * 0.01**2  # of SGD on a parabola of curvature 1, noise of variance 1
    bound = least_slope_bound(1, 0.01, excess=0.0, smoothness=1.0, square=1 + variance, beta_max=0.0)
    assert bound == pytest.approx(variance)
