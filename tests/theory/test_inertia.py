"""First order in the trembling of inertia: the formulas agree with one another, and with Adai where they should."""

import numpy as np
import pytest

from adai.theory import inertia


def test_of_one_weight_alone_nothing_trembles():
    own, pooled = inertia.shares([3.0])
    assert (own, pooled) == (0, 0)
    assert inertia.excess_diffusion(0.1, 0.01, 3, own, pooled) == inertia.stronger_force(0.1, 0.01, own) == 0
    assert inertia.excess_temperature(0.1, 0.01, 0.02, 3, own, pooled) == pytest.approx(0, abs=1e-14)


def test_equal_weights_share_the_trembling():
    own, pooled = inertia.shares([2.0] * 10, 4)
    assert own == pytest.approx(0.9) and pooled == pytest.approx(0.9)


@pytest.mark.parametrize("kappa", [1, 3, 6])
def test_in_a_slow_valley_the_temperature_is_diffusion_over_force(kappa):
    x, q, own, pooled = 0.05, 0.02, 0.8, 0.7
    found = inertia.excess_temperature(x, q, 1e-6, kappa, own, pooled)
    diffusion, force = inertia.excess_diffusion(x, q, kappa, own, pooled), inertia.stronger_force(x, q, own)
    assert found == pytest.approx(diffusion - force, rel=1e-3)


def test_the_temperature_is_that_of_a_simulated_valley():
    """With noise of two values, where Adai is colder than constant inertia under the same noise."""
    x, q, h, n = 0.1, 0.03, 0.05, 2000
    draw = np.random.default_rng(0)
    v, both, steady = np.ones(n), np.zeros((2, n)), np.zeros((2, n))
    squares, others = [], []
    for step in range(3000):
        noise = draw.choice([-1.0, 1.0], n)
        g = h * both[0] + noise
        v += q * (g**2 - v)
        for state, gradient, rate in ((both, g, x * v), (steady, h * steady[0] + noise, x)):
            state[1] += rate * (gradient - state[1])
            state[0] -= state[1]
        if step >= 500:
            squares.append(both[0] ** 2)
            others.append(steady[0] ** 2)
    change = (np.mean(squares, axis=0) - np.mean(others, axis=0)) / np.mean(others)
    error = change.std() / n**0.5
    expected = inertia.excess_temperature(x, q, h, 1)
    assert expected < -5 * error
    assert change.mean() == pytest.approx(expected, abs=4 * error + 0.05 * abs(expected))


def test_a_long_memory_of_v_leaves_the_slope_in_v_and_nothing_else():
    flat, x = inertia.escape_ratio((1, 30), (500, 15000), 2e-4, 0.1, 0.99999, 3)
    assert flat == pytest.approx(1, abs=0.01) and x == pytest.approx(0.2 / 31, rel=0.01)
    longer, x = inertia.escape_ratio((1, 30), (10, 300), 0.01, 0.1, 0.99999, 3)
    assert longer > 1.05 and x < 0.0055


@pytest.mark.parametrize("point", [(0.1, 0.01, 1.5), (0.03, 0.01, 3.0)])
def test_simulated_squares_diffuse_as_the_formula_says(point):
    found = inertia.simulated_excess(*point, steps=3000)
    assert found.mean() == pytest.approx(inertia.excess_diffusion(*point), abs=4 * found.std() / 20)
    assert found.mean() > 10 * found.std() / 20


def test_noise_of_two_values_lags_like_momentum_and_a_gaussian_catches_up():
    x, steps = 0.1, np.arange(1, 801)
    lag = -2 * (1 - x) / (x * (2 - x)) * (1 - (1 - x) ** steps)
    same = inertia.lead_over_sgd(lambda rng, n: rng.choice([-1.0, 1.0], n), 800, n=10)
    assert same == pytest.approx(lag)
    gaussian = inertia.lead_over_sgd(lambda rng, n: rng.normal(size=n), 800, n=2000)
    assert gaussian[-1] == pytest.approx(lag[-1] + 800 * inertia.excess_diffusion(x, 0.01, 3), rel=0.1)


def test_a_curved_saddle_is_left_sooner_only_below_the_limit():
    gentle, steep = (inertia.at_a_curved_saddle(*case, n=6000) for case in ((0.0005, 2000), (0.003, 400)))
    for ways, sign in ((gentle, 1), (steep, -1)):
        lead = ways[0] - ways[2]
        assert sign * lead.mean() > 4 * lead.std() / 6000**0.5
        assert (ways[1] - ways[2]).mean() < 0


def test_the_growing_mode_is_the_eigenvalue_of_the_equations_of_motion():
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    M, H = np.array([0.5, 8.0, 2.0, 1.0]), turn * [-1, 0.25, 3, 1] @ turn.T
    motion = np.block([[np.zeros((4, 4)), np.eye(4)], [-H / M[:, None], -np.diag(1 / M)]])
    assert inertia.growing_mode(M, H) == pytest.approx(np.linalg.eigvals(motion).real.max())
    with pytest.raises(ValueError, match="one below 0"):
        inertia.growing_mode(M, H @ H)
