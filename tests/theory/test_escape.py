"""The escape simulator moves particles as the real optimizers do, and anyone can repeat each of them."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import adai
from adai.theory.escape import Rule, StyblinskiTang, Wells, escape_steps
from adai.theory.kramers import passage_time, phase_space_time

RULES = {
    "sgd": Rule("momentum", 0.05),
    "momentum": Rule("momentum", 0.02, beta1=0.9, weight=0.1),
    "adam": Rule("adam", 0.03, beta1=0.9, beta2=0.99, eps=1e-8),
    "adai": Rule("adai", 0.05, beta1=0.1, beta2=0.9, eps=1e-3),
}
DATA = np.random.default_rng(0).normal(0, 2, (1000, 4))
LOSSES = {
    "styblinski": StyblinskiTang(DATA, k=3.0, batch=4),
    "constant": Wells((1.0, 2.0, 4.0), (4.0, 8.0, 16.0), bound=(1,)),
    "stepped": Wells((1.0, 2.0), (8.0, 8.0), "stepped"),
    "curvature": Wells((1.0, 2.0), (20.0, 20.0), "curvature", rim=0.0),
}


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("loss", LOSSES)
def test_both_engines_agree_to_the_step(loss, rule, each):
    how = {"particles": 12, "seed": 5, "max_steps": 300, "each": each}
    compiled = escape_steps(LOSSES[loss], RULES[rule], **how)
    assert np.array_equal(compiled, escape_steps(LOSSES[loss], RULES[rule], engine="torch", **how))
    if rule == "sgd":
        assert compiled.any(), "nobody left: the case shows nothing"


def test_a_particle_is_the_same_in_any_company():
    how = {"seed": 1, "max_steps": 2000}
    loss, rule = LOSSES["constant"], RULES["momentum"]
    together = escape_steps(loss, rule, 10, **how)
    assert np.array_equal(together[6:9], escape_steps(loss, rule, 3, first=6, **how))
    assert not np.array_equal(together, escape_steps(loss, rule, 10, seed=2, max_steps=2000))


def test_one_thread_or_two():
    code = (
        "from adai.theory.escape import *;"
        "print(escape_steps(Wells((1.,), (9.,)), Rule('momentum', .05), 40, seed=3, max_steps=10**6).sum())"
    )

    def run(threads: str) -> str:
        environment = os.environ | {"NUMBA_NUM_THREADS": threads}
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment).stdout

    assert run("1") == run("2") != ""


@pytest.mark.parametrize("name", RULES)
def test_the_step_is_the_optimizers_own(name):
    """Without noise a particle falls along a known slope; the real optimizer on that slope passes the rim with it."""
    rule, k = RULES[name], 2.0
    parameters = torch.nn.Parameter(torch.tensor([-1.0, -1.0], dtype=torch.float64) / k**0.5)
    optimizer = {
        "sgd": lambda: torch.optim.SGD([parameters], lr=rule.lr),
        "momentum": lambda: torch.optim.SGD([parameters], lr=rule.lr * 0.1, momentum=0.9),
        "adam": lambda: torch.optim.Adam([parameters], lr=rule.lr, betas=(0.9, 0.99), eps=1e-8),
        "adai": lambda: adai.Adai([parameters], lr=rule.lr, betas=(0.1, 0.9), eps=1e-3),
    }[name]()
    # From the bottom noise alone moves a particle, so the noise is what the optimizer is given, too.
    noise = Noise(seed=4, coordinates=2)
    variance = 200.0 if name == "adam" else 12.0
    for step in range(1, 4001):
        u = parameters.detach() * k**0.5
        toss = torch.tensor(noise.of_step(step))
        parameters.grad = k**0.5 * (u**3 - u) + variance**0.5 * toss
        optimizer.step()
        if (parameters.detach() * k**0.5 > 0.5).any():
            break
    loss = Wells((k, k), (variance, variance))
    left = escape_steps(loss, rule, 1, seed=4, max_steps=4000).max()
    assert left == step < 4000


class Noise:
    """SplitMix64's mixing function applied to a counter, written out in Python's integers."""

    def __init__(self, seed: int, coordinates: int) -> None:
        self.key, self.coordinates = self.mix(seed + self.GOLDEN), coordinates

    GOLDEN, WORD = 0x9E3779B97F4A7C15, 2**64

    def mix(self, z: int) -> int:
        z %= self.WORD
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % self.WORD
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % self.WORD
        return z ^ (z >> 31)

    @classmethod
    def first_toss(cls, seed: int, particle: int) -> float:
        """The first noise of one of several particles in one coordinate."""
        stream = cls(seed + cls.GOLDEN * particle, coordinates=1)
        return stream.of_step(1)[0]

    def of_step(self, step: int) -> list[float]:
        counters = range((step - 1) * self.coordinates, step * self.coordinates)
        return [(self.mix(self.key + self.GOLDEN * (c + 1)).bit_count() - 32) / 4 for c in counters]


def test_the_noise_is_nearly_gaussian_and_independent():
    """Published moments of 64 coins, and no correlation between neighbours in step, coordinate and particle."""
    streams = [Noise(seed=0, coordinates=1) for _ in range(4)]
    for number, stream in enumerate(streams):
        stream.key = stream.mix(Noise.GOLDEN * (number + 1))
    tosses = np.array([[stream.of_step(step)[0] for step in range(1, 20_001)] for stream in streams])
    flat, n = tosses.ravel(), tosses.size
    assert abs(flat.mean()) < 4 / n**0.5
    assert abs(flat.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((flat**4).mean() - (3 - 2 / 64)) < 4 * (96 / n) ** 0.5
    between = np.corrcoef(np.concatenate([tosses, np.roll(tosses, 1, axis=1)]))
    assert np.abs(between - np.eye(8)).max() < 4 / 20_000**0.5


@pytest.mark.parametrize("inertia", [0.0, 0.99])
def test_mean_times_are_those_of_the_exact_solution(inertia):
    height, eta, n = 2.0, 0.01, 2000
    T = 0.25 / height
    rule = Rule("momentum", eta, beta1=inertia, weight=1 - inertia)
    steps = escape_steps(Wells((1.0,), (2 * T / eta,)), rule, n, seed=0, max_steps=10**7)[:, 0]
    slope, M = lambda u: u**3 - u, eta / (1 - inertia)
    if inertia:
        exact = phase_space_time(slope, -1.0, 0.5, -2.5, T, M, 1 / M) / eta
    else:
        exact = passage_time(slope, -1.0, 0.5, -2.5, T) / eta
    # 4 standard errors, and the 2 % by which steps of 0.01 are no diffusion.
    assert abs(steps.mean() / exact - 1) < 4 * steps.std() / steps.mean() / n**0.5 + 0.02


def test_a_first_gradient_of_zero_poisons_nothing():
    """One in ten particles tosses 32 heads at its first step, at the bottom, where the slope is zero, too."""
    loss, rule = Wells((1.0,), (100.0,)), Rule("adai", 0.05, beta1=0.1, beta2=0.99, eps=1e-3)
    first = [Noise.first_toss(seed=0, particle=p) for p in range(40)]
    assert 0.0 in first
    for engine in ("numba", "torch"):
        assert escape_steps(loss, rule, 40, seed=0, max_steps=3000, engine=engine).all()


def test_sharpness_is_learning_rate_to_the_bit():
    """With k = 4 every number is multiplied by a power of two, so rounding cannot hide a difference."""
    how = {"particles": 8, "seed": 2, "max_steps": 5000}
    for rule, other in (
        (Rule("momentum", 1e-4, beta1=0.9), Rule("momentum", 4e-4, beta1=0.9)),
        (Rule("adai", 1e-3, beta1=0.1, beta2=0.99, eps=1e-3), Rule("adai", 4e-3, beta1=0.1, beta2=0.99, eps=1e-3)),
        (Rule("adam", 0.03, beta1=0.9, beta2=0.99), Rule("adam", 0.06, beta1=0.9, beta2=0.99)),
    ):
        sharp = escape_steps(StyblinskiTang(DATA, k=4.0), rule, **how)
        assert sharp.any() and np.array_equal(sharp, escape_steps(StyblinskiTang(DATA, k=1.0), other, **how))


def test_particles_climb_from_the_bottom_of_the_loss_to_its_top():
    bottom, top, _ = np.sort(np.roots([2, 0, -16, 2.5]))  # where (u^4 - 16 u^2 + 5 u) / 2 has no slope
    assert (bottom, top) == pytest.approx((StyblinskiTang.BOTTOM, StyblinskiTang.TOP), abs=1e-6)


def test_the_data_are_rescaled_with_the_loss_where_asked():
    how = {"rule": Rule("momentum", 1e-3), "particles": 8, "seed": 2, "max_steps": 500}
    scaled = escape_steps(StyblinskiTang(DATA, k=4.0, noise_scaled=True), **how)
    assert scaled.any() and np.array_equal(scaled, escape_steps(StyblinskiTang(2 * DATA, k=4.0), **how))
    assert not np.array_equal(scaled, escape_steps(StyblinskiTang(DATA, k=4.0), **how))


def test_a_bound_coordinate_has_no_exit():
    left = escape_steps(LOSSES["constant"], RULES["sgd"], 20, seed=0, max_steps=500, each=True)
    assert (left[:, [0, 2]] > 0).any() and not left[:, 1].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rule("lion", 0.1), "form = lion: expected one of momentum, adam, adai"),
        (lambda: Rule("adam", 0.0), "lr = 0.0: expected a positive number"),
        (lambda: Rule("adam", 0.1, beta1=1.0), r"beta1 = 1.0: expected a number in \[0, 1\)"),
        (lambda: StyblinskiTang(DATA, k=-1), "k = -1: expected a positive number"),
        (lambda: StyblinskiTang(DATA, batch=5), "batch = 5: expected a positive even number"),
        (lambda: StyblinskiTang(DATA[0]), r"data = \(4,\): expected an array of shape"),
        (lambda: Wells((1.0, 0.0), (1.0, 1.0)), "expected positive numbers"),
        (lambda: Wells((1.0,), (1.0, 1.0)), "expected 1 numbers, none negative"),
        (lambda: Wells((1.0,), (-1.0,)), "expected 1 numbers, none negative"),
        (lambda: Wells((1.0,), (1.0,), "white"), "profile = white: expected one of"),
        (lambda: Wells((1.0,), (1.0,), bound=(0,)), "expected some coordinates, not all"),
        (
            lambda: escape_steps(LOSSES["constant"], RULES["sgd"], 1, seed=0, max_steps=1, engine="jax"),
            "engine = jax: expected numba or torch",
        ),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_agrees_to_the_step():
    how = {"particles": 500, "seed": 5, "max_steps": 1000}
    for loss in LOSSES.values():
        for rule in RULES.values():
            here = escape_steps(loss, rule, **how)
            there = escape_steps(loss, rule, engine="torch", device="cuda", **how)
            # A GPU may contract a product and a sum into one rounding.
            assert math.isclose((here != there).mean(), 0, abs_tol=0.01)
