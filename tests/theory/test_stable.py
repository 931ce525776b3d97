"""Densities are SciPy's, fits find the law that samples came from, and held-out draws decide for the true one."""

import numpy as np
import pytest
from scipy.stats import levy_stable

from adai.theory.stable import Gaussian, Stable, compare, excess_kurtosis, fit_gaussian, fit_stable

X = np.array([0.0, 0.1, 1.0, 3.0, 10.0, 39.0, 41.0, 200.0])


@pytest.mark.parametrize("alpha", [0.5, 0.73, 1.0, 1.31, 1.9])
def test_the_density_is_the_stable_laws(alpha):
    found = Stable(alpha, 2.0).log_density(2 * X)
    assert np.exp(found) == pytest.approx(levy_stable.pdf(X, alpha, 0) / 2, rel=0.01)


def test_alpha_2_is_the_gaussian_and_just_below_is_near_it():
    gaussian = Gaussian(2**0.5 * 3).log_density(X)
    assert Stable(2.0, 3.0).log_density(X) == pytest.approx(gaussian, abs=1e-12)
    assert Stable(1.9999, 3.0).log_density(X[:4]) == pytest.approx(gaussian[:4], abs=1e-3)


@pytest.mark.parametrize("alpha", [0.7, 1.2, 1.8])
def test_a_fit_finds_the_law(alpha):
    sample = 3 * levy_stable.rvs(alpha, 0, size=5000, random_state=1)
    found = fit_stable(sample)
    assert found.alpha == pytest.approx(alpha, abs=0.06) and found.scale == pytest.approx(3, rel=0.06)


def test_held_out_draws_decide_for_the_true_law():
    rng = np.random.default_rng(0)
    heavy = compare(levy_stable.rvs(1.5, 0, size=4000, random_state=1))
    assert heavy.advantage > 4 * heavy.error > 0
    light = compare(rng.uniform(-1, 1, 4000))
    assert light.alpha == 2 and light.advantage == pytest.approx(0, abs=1e-6)
    assert fit_gaussian(rng.normal(0, 5, 4000)).deviation == pytest.approx(5, rel=0.05)


def test_a_tail_that_was_chance_does_not_help_with_the_draws_left_out():
    chance = compare(np.random.default_rng(1).normal(size=60))
    # On the draws that it was fitted to no stable law is less likely than the Gaussian, which is one of them.
    assert chance.alpha < 1.9 and chance.advantage < -0.01


def test_what_is_mostly_zero_is_refused():
    with pytest.raises(ValueError, match="leave out what is always zero"):
        fit_stable(np.array([0.0, 0.0, 1.0]))


def test_excess_kurtosis_is_known_for_two_laws():
    coin = np.array([[-1.0, 1.0], [1.0, -1.0]])
    assert excess_kurtosis(coin, axis=1) == pytest.approx([-2, -2])
    assert excess_kurtosis(np.random.default_rng(0).laplace(size=400_000)) == pytest.approx(3, abs=0.2)
