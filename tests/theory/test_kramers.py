"""Escape times against closed forms, limits, each other, and simulated particles."""

import numpy as np
import pytest
import sympy as sp

from adai.theory import langevin
from adai.theory.kramers import (
    growth_rate,
    kramers_time,
    passage_time,
    phase_space_time,
    relaxation_rates,
    weak_damping_time,
)

A, B, C, WALL = -1.0, 0.0, 1.0, -1.9
H_A, H_B, BARRIER = 2.0, -1.0, 0.25


def slope(theta):
    return theta**3 - theta


def flat(theta):
    return 0 * theta


def falling(theta):
    """Noise that is less at the rim than at the bottom."""
    return 0.06 - 0.03 * np.tanh((theta + 0.5) / 0.2)


def strong(theta):
    """Twice that: particles, which have to be waited for, leave ten times as soon."""
    return 2 * falling(theta)


def test_the_growth_rate_is_the_eigenvalue_of_the_flow_at_a_saddle():
    H, M, gamma = -1.3, 0.7, 0.4
    assert growth_rate(H, M, gamma) == pytest.approx(max(np.linalg.eigvals([[0, 1], [-H / M, -gamma]])), rel=1e-12)
    h, mass, damping = sp.symbols("h M gamma", positive=True)
    found = growth_rate(-h, mass, damping)
    assert sp.simplify(mass * found**2 + damping * mass * found - h) == 0


@pytest.mark.parametrize("friction", [1.0, 0.1])
def test_on_flat_ground_the_time_is_elementary(friction):
    exact = friction**2 * ((C - WALL) ** 2 - (A - WALL) ** 2) / (2 * 0.3)
    assert passage_time(flat, A, C, WALL, 0.3, friction) == pytest.approx(exact, rel=1e-12)


def test_on_a_ramp_the_time_is_elementary():
    k, D, c = 1.7, 0.4, 2.0
    exact = D / k**2 * (np.exp(k * c / D) - 1) - c / k  # from the wall itself
    found = passage_time(lambda x: k + 0 * x, 1e-9, c, 0.0, D)
    assert found == pytest.approx(exact, rel=1e-8)


def test_noise_that_jumps_counts_where_it_is():
    def noise(x):
        return np.where(x < 0, 0.2, 0.5)

    waited = 1.0 / 0.2  # integral of 1 / D from the wall at -1 to 0
    exact = 0.5**2 / (2 * 0.2) + 0.5 * 0.5 / 0.2 + waited * 1.0 + 1.0 / (2 * 0.5)
    assert passage_time(flat, -0.5, 1.0, -1.0, noise, kinks=[0.0]) == pytest.approx(exact, rel=1e-12)


def test_kramers_formula_is_the_limit_of_low_noise_with_and_without_mass():
    errors = []
    for units in (20, 40):
        T = BARRIER / units
        overdamped = kramers_time(H_A, H_B, BARRIER, T, 1e-9, 1e9)
        errors.append(passage_time(slope, A, C, WALL, T) / overdamped - 1)
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05) and abs(errors[1]) < 0.03
    ratios = []
    for units in (8, 16):
        D, M, gamma = BARRIER / units * 0.2, 0.1, 2.0
        ratios.append(phase_space_time(slope, A, C, WALL, D, M, gamma) / kramers_time(H_A, H_B, BARRIER, D, M, gamma))
    assert 2 * ratios[1] - ratios[0] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("noise", [0.05, falling])
def test_strong_damping_is_the_particle_without_mass(noise):
    M, gamma = 1 / 400, 400.0
    expected = passage_time(slope, A, C, WALL, noise)
    assert phase_space_time(slope, A, C, WALL, noise, M, gamma) == pytest.approx(expected, rel=0.006)


def test_weak_damping_is_diffusion_of_energy():
    dampings, T = np.array([1e-3, 4e-3, 1.6e-2]), 0.05
    solved = [phase_space_time(slope, A, C, WALL, T * g, 1.0, g, (240, 120)) for g in dampings]
    limit = [weak_damping_time(slope, A, B, -1.6, T * g, 1.0, g) for g in dampings]
    excess = np.array(solved) / limit - 1
    assert np.all(excess > 0) and excess[0] < 0.12
    # The layer around the rim's energy has a width that goes with the square root of the damping.
    assert excess[1:] / excess[:-1] == pytest.approx(2, rel=0.25)


def test_a_harmonic_valley_has_a_known_action():
    # Action 2 pi E: the time is an exponential integral, summed here as a series.
    T, gamma, rim = 0.3, 0.01, 2.0
    terms = np.arange(1, 80)
    factorial = np.cumprod(terms.astype(float))
    series = np.sum((rim / T) ** terms / (terms * factorial))
    found = weak_damping_time(lambda x: x, 0.0, 2.0, -2.0, T * gamma, 1.0, gamma)
    assert found == pytest.approx(series / gamma, rel=1e-4)


@pytest.mark.parametrize("noise", [0.16, strong])
@pytest.mark.parametrize(("M", "gamma"), [(1.0, 0.5), (0.2, 5.0)])
def test_simulated_particles_take_as_long(noise, M, gamma):
    rng, chains, dt = np.random.default_rng(4), 2000, 0.01
    strength = (lambda x: noise * gamma * M * np.ones_like(x)) if noise == 0.16 else noise
    theta, r, total = np.full(chains, A), np.zeros(chains), 0.0
    while len(theta):
        total += len(theta) * dt
        theta = theta + r * dt / 2
        kick = np.sqrt(2 * strength(theta) * dt) / M * rng.standard_normal(len(theta))
        r = (r - slope(theta) / M * dt + kick) / (1 + gamma * dt / 2) - r * gamma * dt / 2 / (1 + gamma * dt / 2)
        theta = theta + r * dt / 2
        theta, r = theta[theta < C], r[theta < C]
    expected = phase_space_time(slope, A, C, WALL, strength, M, gamma)
    assert total / chains == pytest.approx(expected, rel=4 / chains**0.5)


def test_the_clock_may_stop_at_the_top():
    T = BARRIER / 12
    halves = passage_time(slope, A, B, WALL, T) / passage_time(slope, A, C, WALL, T)
    assert halves == pytest.approx(0.5, abs=0.02)


def test_the_grid_leaves_the_equilibrium_alone():
    # A high barrier would multiply an error of the equilibrium by exp(16).
    T = BARRIER / 16
    coarse, fine = (phase_space_time(slope, A, C, WALL, T, 1.0, 1.0, cells) for cells in ((120, 30), (240, 60)))
    assert coarse == pytest.approx(fine, rel=0.01)


def test_what_two_grids_leave_of_the_error_is_small():
    # An edge that is treated to first order alone would leave four parts in ten thousand.
    coarse, fine = (phase_space_time(slope, A, C, WALL, 0.02, 0.1, 2.0, cells) for cells in ((120, 40), (240, 80)))
    assert coarse == pytest.approx(fine, rel=1e-4)


def test_decay_rates_of_flat_ground_and_of_a_valley():
    length = C - WALL
    expected = 0.3 * ((np.arange(3) + 0.5) * np.pi / length) ** 2
    assert relaxation_rates(flat, C, WALL, 0.3, count=3) == pytest.approx(expected, rel=1e-5)
    slowest, second = relaxation_rates(slope, C, WALL, BARRIER / 100, friction=0.1)
    assert slowest * passage_time(slope, A, C, WALL, BARRIER / 100, 0.1) == pytest.approx(1, abs=1e-3)
    assert second == pytest.approx(1 / 0.1, rel=0.15)  # relaxation at the rim, |H_b| over friction


def test_noise_that_depends_on_position_is_itos():
    rng, chains, dt = np.random.default_rng(7), 2000, 2e-3
    theta, total = np.full(chains, A), 0.0
    while len(theta):
        total += len(theta) * dt
        dW = dt**0.5 * rng.standard_normal(len(theta))
        theta = langevin.step(theta, lambda x: -slope(x), lambda x: np.sqrt(2 * strong(x)), dt, dW)
        theta = theta[theta < C]
    # Stratonovich's noise would take half as long again.
    assert total / chains == pytest.approx(passage_time(slope, A, C, WALL, strong), rel=4 / chains**0.5)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="order from left to right"):
        passage_time(slope, A, WALL, C, 0.1)
    with pytest.raises(ValueError, match="needs noise on the whole way"):
        passage_time(slope, A, C, WALL, lambda x: np.abs(x) - 0.5)
    with pytest.raises(ValueError, match="expected positive numbers"):
        phase_space_time(slope, A, C, WALL, 0.1, 1.0, 0.0)
    with pytest.raises(ValueError, match="too few"):
        phase_space_time(slope, A, C, WALL, 1e-5, 1.0, 1e-3, (20, 6))
