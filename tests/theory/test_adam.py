"""Adam with a known second moment: against a sum over noises, the matrix of one step, PyTorch's lines, closed forms."""

import numpy as np
import pytest

from adai.theory.adam import escape_time, frozen_variance
from adai.theory.phase_space import heavy_ball_covariance


def test_on_a_plain_the_spread_is_a_sum_over_noises():
    beta1, T = 0.8, 23
    carried = [sum((1 - beta1) * beta1 ** (t - j) / (1 - beta1**t) for t in range(j, T + 1)) for j in range(1, T + 1)]
    expected = 0.3**2 * sum(c**2 for c in carried)
    assert frozen_variance(0.0, 5.0, 0.3, beta1, T) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("T", [0, 1, 2, 40])
def test_without_bias_correction_it_is_momentum_at_the_frozen_rate(T):
    H, C = np.array([-0.4, 0.0, 0.7]), np.array([2.0, 0.5, 9.0])
    expected = [heavy_ball_covariance(h, c, 0.1 / c**0.5, 0.9, 0.1, T)[0, 0] for h, c in zip(H, C, strict=True)]
    assert frozen_variance(H, C, 0.1, 0.9, T, bias_correction=False) == pytest.approx(expected, rel=1e-10)


def test_with_bias_correction_on_a_slope_it_is_the_response_to_each_noise():
    H, C, eta, beta1, T = -0.3, 4.0, 0.2, 0.7, 15
    total = 0.0
    for when in range(1, T + 1):  # the chain is linear: one unit noise at a time
        theta = m = 0.0
        for t in range(1, T + 1):
            m = beta1 * m + (1 - beta1) * (H * theta + C**0.5 * (t == when))
            theta -= eta / C**0.5 * m / (1 - beta1**t)
        total += theta**2
    assert frozen_variance(H, C, eta, beta1, T) == pytest.approx(total, rel=1e-12)


def test_a_bad_noise_momentum_or_number_of_steps_is_refused():
    for bad in ({"C": 0.0}, {"C": np.array([1.0, -1.0])}, {"beta1": 1.0}, {"T": -1}):
        with pytest.raises(ValueError, match="expected C > 0"):
            frozen_variance(**{"H": 0.0, "C": 1.0, "eta": 0.1, "beta1": 0.9, "T": 3, **bad})


def test_without_slope_the_time_is_the_random_walks():
    place = np.linspace(-1.0, 2.0, 3001)
    # From x, with a wall at -1 and an end at 2: (3^2 - (x + 1)^2) / (2 D), D = rate^2 noise / 2.
    found = escape_time(place, 0.0, 3.0, 0.1, 0.5)
    assert found == pytest.approx((9 - 1.5**2) / (0.1**2 * 3.0), rel=1e-6)


@pytest.mark.parametrize("height", [0.3, 5.0, 60.0, 900.0])
def test_up_a_ramp_the_time_is_the_closed_form(height):
    f, noise, rate = 0.7, 1.3, 0.2
    drift, D = rate * f, rate**2 * noise / 2
    c = height * D / drift
    if height > 700:  # e^height is no float any more
        assert escape_time(np.linspace(0, c, 1001), f, noise, rate, 0.0) == np.inf
        return
    expected = D / drift**2 * np.expm1(height) - c / drift
    assert escape_time(np.linspace(0, c, 40_001), f, noise, rate, 0.0) == pytest.approx(expected, rel=1e-3)


def test_noise_that_grows_uphill_is_read_in_itos_sense():
    # Drift -3 D (1 + y), diffusion D (1 + y)^2; solved by the integrating factor (1 + y)^3.
    D, c = 0.05, 1.5
    y = np.linspace(0, c, 20_001)
    rate = 0.1
    found = escape_time(y, 3 * D * (1 + y) / rate, 2 * D * (1 + y) ** 2 / rate**2, rate, 0.0)
    expected = (c**4 + 4 * c**3 + 6 * c**2 + 4 * c - 4 * np.log(1 + c)) / (16 * D)
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_rate_that_changes_with_place_agrees_with_simulated_steps():
    rng, chains = np.random.default_rng(3), 4000
    small, end = 0.01, 1.0
    theta, taken, alive = np.zeros(chains), np.zeros(chains), np.ones(chains, dtype=bool)
    while alive.any():
        step = small / np.sqrt(1 + theta**2) * (theta + 8.0 * rng.standard_normal(chains))
        theta = np.where(alive, np.abs(theta - step), theta)  # mirrored at 0, as the wall does
        taken += alive
        alive &= theta < end
    # A walk in steps is seen at the end late, by 0.583 of a step's length.
    late = end + 0.583 * small * 8.0 / 2**0.5
    place = np.linspace(0, late, 4001)
    found = escape_time(place, place, 64.0, small / np.sqrt(1 + place**2), 0.0)
    assert found == pytest.approx(taken.mean(), rel=4 * taken.std() / chains**0.5 / taken.mean() + 0.01)


def test_a_bad_grid_start_or_rate_is_refused():
    place = np.linspace(0, 1, 5)
    with pytest.raises(ValueError, match="ascending"):
        escape_time(place[::-1], 0.0, 1.0, 1.0, 0.5)
    with pytest.raises(ValueError, match=r"start = 2\.0"):
        escape_time(place, 0.0, 1.0, 1.0, 2.0)
    for noise, rate in ((0.0, 1.0), (1.0, -1.0)):
        with pytest.raises(ValueError, match="positive"):
            escape_time(place, 0.0, noise, rate, 0.5)
