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
