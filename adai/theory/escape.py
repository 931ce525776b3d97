"""How many steps real optimizers need to leave a valley: thousands of particles, each with random numbers of its own.

A particle's noise follows from the seed, its number and the step alone, by a counter-based generator, so neither
threads nor company change what it does. There are two engines: compiled (numba, all cores) and torch (any device). Both
add, multiply, divide and take roots in the same order, and nothing else, so they agree to the bit, on every machine.

Coordinates do not see each other in these losses, except through Adai's mean. In units of `sqrt(k) theta` every
coordinate has the same shape; `k` is its sharpness.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numba
import numpy as np

COINS = 64
"""Tosses that make one noise: their sum, scaled to variance 1, is within a thousandth of a Gaussian's distribution."""
PROFILES = ("constant", "stepped", "curvature")
FORMS = ("momentum", "adam", "adai")


@dataclass(frozen=True)
class Rule:
    """An optimizer's update.

    Args:
        form: `momentum` (m = beta1 m + weight g; SGD has beta1 = 0), `adam`, or `adai` (beta1 is then beta_0).
        lr: learning rate.
        beta1, beta2, eps: the optimizer's.
        weight: beta_3 of Equation (4), of momentum only: 1 for the sum, 1 - beta1 for the average.

    Raises:
        ValueError: a value is out of its range.
    """

    form: Literal["momentum", "adam", "adai"]
    lr: float
    beta1: float = 0.0
    beta2: float = 0.0
    eps: float = 0.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        _demand(self.form in FORMS, "form", self.form, f"one of {', '.join(FORMS)}")
        _demand(self.lr > 0, "lr", self.lr, "a positive number")
        for name in ("beta1", "beta2"):
            _demand(0 <= getattr(self, name) < 1, name, getattr(self, name), "a number in [0, 1)")


@dataclass(frozen=True)
class StyblinskiTang:
    """The loss of the paper's Figure 5: f(sqrt(k) theta - x), averaged over minibatches of data (Appendix E).

    Args:
        data: one sample x a row, shape (samples, n).
        k: sharpness.
        batch: samples a minibatch, drawn with replacement; an even number.
        noise_scaled: read the rescaling as f(sqrt(k) (theta - x)) instead, data and all.

    Raises:
        ValueError: a value is out of its range.
    """

    data: np.ndarray
    k: float = 1.0
    batch: int = 10
    noise_scaled: bool = False

    BOTTOM, TOP = -2.903534, 0.156731

    def __post_init__(self) -> None:
        _demand(self.k > 0, "k", self.k, "a positive number")
        _demand(self.batch > 0 and self.batch % 2 == 0, "batch", self.batch, "a positive even number")
        _demand(np.ndim(self.data) == 2, "data", np.shape(self.data), "an array of shape (samples, n)")

    def arrays(self) -> dict[str, np.ndarray]:
        """What the engines need: everything in units of sqrt(k) theta, but for the gradient."""
        n = self.data.shape[1]
        return {
            "k": np.full(n, float(self.k)),
            "start": np.full(n, self.BOTTOM),
            "rim": np.full(n, self.TOP),
            "strength": np.zeros(n),
            "data": np.ascontiguousarray(self.data * (self.k**0.5 if self.noise_scaled else 1.0), dtype=float),
        }


@dataclass(frozen=True)
class Wells:
    """A double well in each coordinate, f(u) = (u^2 - 1)^2 / 4 with u = sqrt(k) theta, under noise of known strength.

    From -1 a particle climbs 1/4 to the top at 0. Curvatures are 2k at the bottom and -k at the top.

    Args:
        k: sharpness of each coordinate.
        variance: of the gradient's noise at the bottom, for each coordinate; k times it enters u.
        profile: how the noise changes on the way: `constant`; `stepped`, half the variance beyond the point of
            inflection; `curvature`, in proportion to the size of the second derivative, zero at that point.
        bound: coordinates that have no exit: a parabola u^2 - 1 of the same curvature 2k around -1.
        rim: where the clock stops, in u; 0 is the top.

    Raises:
        ValueError: a value is out of its range.
    """

    k: tuple[float, ...]
    variance: tuple[float, ...]
    profile: Literal["constant", "stepped", "curvature"] = "constant"
    bound: tuple[int, ...] = field(default=())
    rim: float = 0.5

    def __post_init__(self) -> None:
        _demand(min(self.k, default=0) > 0, "k", self.k, "positive numbers")
        same = len(self.variance) == len(self.k) and min(self.variance) >= 0
        _demand(same, "variance", self.variance, f"{len(self.k)} numbers, none negative")
        _demand(self.profile in PROFILES, "profile", self.profile, f"one of {', '.join(PROFILES)}")
        _demand(set(self.bound) < set(range(len(self.k))), "bound", self.bound, "some coordinates, not all")

    def arrays(self) -> dict[str, np.ndarray]:
        """What the engines need."""
        rim = np.full(len(self.k), float(self.rim))
        rim[list(self.bound)] = np.inf
        return {
            "k": np.array(self.k, dtype=float),
            "start": np.full(len(self.k), -1.0),
            "rim": rim,
            "strength": np.sqrt(np.array(self.variance, dtype=float)),
            "data": np.empty((0, 0)),
        }


def escape_steps(
    loss: StyblinskiTang | Wells,
    rule: Rule,
    particles: int,
    *,
    seed: int,
    max_steps: int,
    each: bool = False,
    first: int = 0,
    engine: Literal["numba", "torch"] = "numba",
    device: str = "cpu",
) -> np.ndarray:
    """The step after which each coordinate of each particle was beyond its rim for the first time.

    Args:
        loss: where the particles are.
        rule: how they move.
        particles: how many.
        seed: with the particle's number, all of its noise.
        max_steps: where a particle that is still inside is given up.
        each: follow a particle until every coordinate that has an exit has left, not only the first.
        first: number of the first particle: particles 5, 6, … of one call are 0, 1, … of one that starts there.
        engine: `numba`, compiled at first use, on all cores; or `torch`.
        device: of the torch engine.

    Returns:
        Integers of shape (particles, n); 0 where the coordinate had not left when its particle was given up or done.

    Raises:
        ValueError: for an engine that there is not.
    """
    _demand(engine in ("numba", "torch"), "engine", engine, "numba or torch")
    arrays, shape = loss.arrays(), getattr(loss, "profile", "constant")
    numbers = (
        *(arrays[name] for name in ("k", "start", "rim", "strength", "data")),
        PROFILES.index(shape),
        getattr(loss, "batch", 0),
        FORMS.index(rule.form),
        *(float(getattr(rule, name)) for name in ("lr", "beta1", "beta2", "eps", "weight")),
        each,
        max_steps,
    )
    if engine == "torch":
        return _with_torch(particles, first, seed, device, *numbers)
    return _compiled(particles, first, np.uint64(seed), *numbers)


# ── random numbers: the mixing function of SplitMix64, applied to a counter ───────────────────────────────────────

GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


@numba.njit(inline="always")
def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(FIRST)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(SECOND)
    return z ^ (z >> np.uint64(31))


@numba.njit(inline="always")
def _random(key: Any, counter: Any) -> Any:
    return _mix(key + np.uint64(GOLDEN) * np.uint64(counter + 1))


@numba.njit(inline="always")
def _heads(x: Any) -> Any:
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


# ── the compiled engine ───────────────────────────────────────────────────────────────────────────────────────────


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _compiled(
    particles, first, seed, k, start, rim, strength, data, profile, batch, form, lr, beta1, beta2, eps, weight, each,
    max_steps,
):  # fmt: skip
    n, root = len(k), np.sqrt(k)
    exits = np.isfinite(rim).sum()
    left = np.zeros((particles, n), np.int64)
    for p in numba.prange(particles):
        key = _mix(seed + np.uint64(GOLDEN) * np.uint64(first + p + 1))
        u, g, m, v, fresh = start.copy(), np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n)
        power1 = power2 = 1.0
        counter, gone = 0, 0
        for step in range(1, max_steps + 1):
            if batch:
                counter = _data_gradient(u, root, data, batch, key, counter, g)
            else:
                counter = _well_gradient(u, root, rim, strength, profile, key, counter, g)
            power1, power2 = power1 * beta1, power2 * beta2
            if form == 0:
                for j in range(n):
                    m[j] = beta1 * m[j] + weight * g[j]
                    u[j] -= root[j] * (lr * m[j])
            elif form == 1:
                for j in range(n):
                    m[j] = beta1 * m[j] + (1 - beta1) * g[j]
                    v[j] = beta2 * v[j] + (1 - beta2) * (g[j] * g[j])
                    u[j] -= root[j] * (lr * (m[j] / (1 - power1)) / (np.sqrt(v[j] / (1 - power2)) + eps))
            else:
                total = 0.0
                for j in range(n):
                    v[j] = beta2 * v[j] + (1 - beta2) * (g[j] * g[j])
                    total += v[j]
                for j in range(n):
                    # 1 - beta_1; its least where all gradients were zero so far, as in `adai.optim.Adai`.
                    grain = max(min(beta1 * (v[j] / (total / n)), 1.0), eps) if total > 0 else eps
                    m[j] = (1 - grain) * m[j] + grain * g[j]
                    fresh[j] *= 1 - grain
                    u[j] -= root[j] * (lr * (m[j] / (1 - fresh[j])))
            beyond = False
            for j in range(n):
                beyond |= u[j] > rim[j]
            if not beyond:
                continue
            for j in range(n):
                if u[j] > rim[j] and left[p, j] == 0:
                    left[p, j] = step
                    gone += 1
            if gone == exits or (gone and not each):
                break
    return left


@numba.njit(inline="always")
def _data_gradient(u, root, data, batch, key, counter, g):
    n, samples, low = len(u), np.uint64(len(data)), np.uint64(0xFFFFFFFF)
    g[:] = 0.0
    for _ in range(batch // 2):
        drawn = _random(key, counter)
        counter += 1
        one, two = ((drawn & low) * samples) >> np.uint64(32), ((drawn >> np.uint64(32)) * samples) >> np.uint64(32)
        for j in range(n):  # two rows in one pass: a vector loop over so few coordinates is mostly overhead
            x, y = u[j] - data[one, j], u[j] - data[two, j]
            g[j] += (2 * (x * x) - 16) * x + (2 * (y * y) - 16) * y
    for j in range(n):
        g[j] = root[j] * (g[j] / batch + 2.5)
    return counter


@numba.njit(inline="always")
def _well_gradient(u, root, rim, strength, profile, key, counter, g):
    for j in range(len(u)):
        toss = (np.float64(_heads(_random(key, counter))) - 32) / 4
        counter += 1
        bend = 3 * (u[j] * u[j]) - 1
        slope = (u[j] * u[j] - 1) * u[j] if np.isfinite(rim[j]) else 2 * (u[j] + 1)
        if profile == 1 and bend < 0:
            toss *= np.sqrt(0.5)
        elif profile == 2:
            toss *= np.sqrt(abs(bend) / 2)
        g[j] = root[j] * slope + strength[j] * toss
    return counter


# ── the torch engine: one step of all particles at a time ─────────────────────────────────────────────────────────


def _with_torch(
    particles, first, seed, device, k, start, rim, strength, data, profile, batch, form, lr, beta1, beta2, eps, weight,
    each, max_steps,
):  # fmt: skip
    import torch

    k, start, rim, strength, data = (torch.from_numpy(a).to(device) for a in (k, start, rim, strength, data))
    n, root, free = len(k), k.sqrt(), torch.isfinite(rim)
    number = first + torch.arange(particles, device=device)
    alive, keys = torch.arange(particles, device=device), _mix_torch(seed + _wrap(GOLDEN) * (number + 1))
    left = torch.zeros(particles, n, dtype=torch.int64, device=device)
    u = start.repeat(particles, 1)
    m, v, fresh = torch.zeros_like(u), torch.zeros_like(u), torch.ones_like(u)
    words = batch // 2 or n
    power1 = power2 = 1.0
    for step in range(1, max_steps + 1):
        counter = (step - 1) * words + torch.arange(words, device=device)
        drawn = _mix_torch(keys[:, None] + _wrap(GOLDEN) * (counter + 1))
        if batch:
            g = torch.zeros_like(u)
            for one, two in zip((drawn & 0xFFFFFFFF).unbind(1), _shift(drawn, 32).unbind(1), strict=True):
                x, y = (u - data[half * len(data) >> 32] for half in (one, two))
                g = g + ((2 * (x * x) - 16) * x + (2 * (y * y) - 16) * y)
            g = root * (g / batch + 2.5)
        else:
            toss, bend = (_heads_torch(drawn).double() - 32) / 4, 3 * (u * u) - 1
            slope = torch.where(free, (u * u - 1) * u, 2 * (u + 1))
            if profile == 1:
                toss = torch.where(bend < 0, toss * 0.5**0.5, toss)
            elif profile == 2:
                toss = toss * (bend.abs() / 2).sqrt()
            g = root * slope + strength * toss
        power1, power2 = power1 * beta1, power2 * beta2
        if form == 0:
            m = beta1 * m + weight * g
            move = lr * m
        elif form == 1:
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * (g * g)
            move = lr * (m / (1 - power1)) / ((v / (1 - power2)).sqrt() + eps)
        else:
            v = beta2 * v + (1 - beta2) * (g * g)
            mean = sum(v.unbind(1))[:, None] / n
            grain = torch.where(mean > 0, beta1 * (v / mean), 0.0).clamp(eps, 1.0)
            m, fresh = (1 - grain) * m + grain * g, fresh * (1 - grain)
            move = lr * (m / (1 - fresh))
        u = u - root * move
        here = left[alive]
        here[(u > rim) & (here == 0)] = step
        left[alive] = here
        gone = (here > 0).sum(1)
        stay = gone < (free.sum() if each else 1)
        if not stay.all():
            alive, keys, u, m, v, fresh = (a[stay] for a in (alive, keys, u, m, v, fresh))
        if not len(alive):
            break
    return left.cpu().numpy()


def _wrap(word: int) -> int:
    """The signed integer with the same 64 bits; torch has no arithmetic for unsigned ones."""
    return word - (word >> 63 << 64)


def _shift(z: Any, bits: int) -> Any:
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _mix_torch(z: Any) -> Any:
    z = (z ^ _shift(z, 30)) * _wrap(FIRST)
    z = (z ^ _shift(z, 27)) * _wrap(SECOND)
    return z ^ _shift(z, 31)


def _heads_torch(x: Any) -> Any:
    x = x - (_shift(x, 1) & 0x5555555555555555)
    x = (x & 0x3333333333333333) + (_shift(x, 2) & 0x3333333333333333)
    x = (x + _shift(x, 4)) & 0x0F0F0F0F0F0F0F0F
    return _shift(x * 0x0101010101010101, 56)


def _demand(condition: Any, name: str, value: Any, expected: str) -> None:
    if not condition:
        raise ValueError(f"{name} = {value}: expected {expected}")
