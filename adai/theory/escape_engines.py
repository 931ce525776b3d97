"""The two engines that move the particles of `adai.theory.escape`: compiled by numba, and torch on any device.

They stand side by side because they must agree to the bit: both add, multiply, divide and take roots in the same
order, and nothing else. Random words are SplitMix64's mixing function, applied to a counter. The noise in a well is the
sum of a word's 64 bits, as coins, scaled to variance 1: within a thousandth of a Gaussian's distribution.
"""

from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""SplitMix64's increment and its two multipliers."""


class Motion(NamedTuple):
    """What the engines need of n coordinates' loss and of a rule; all in units of sqrt(k) theta, but for the gradient.

    Args:
        k, start, rim, strength: of each coordinate, shape (n,): sharpness, first place, where it has left (infinity if
            it cannot), and the noise's standard deviation at the bottom.
        data: samples, shape (samples, n), of the loss that has them.
        profile: how the noise changes on the way: 0 not at all, 1 in a step, 2 with the curvature.
        batch: samples a minibatch; 0 for a loss without data.
        form: 0 for momentum, 1 for Adam, 2 for Adai.
        lr, beta1, beta2, eps, weight: the rule's.
        each: whether a particle is followed until every coordinate that can leave has left.
        max_steps: where a particle is given up.
    """

    k: np.ndarray
    start: np.ndarray
    rim: np.ndarray
    strength: np.ndarray
    data: np.ndarray
    profile: int
    batch: int
    form: int
    lr: float
    beta1: float
    beta2: float
    eps: float
    weight: float
    each: bool
    max_steps: int


# ── compiled: one particle after the other, on all cores ──────────────────────────────────────────────────────────


@numba.njit(inline="always")
def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(FIRST)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(SECOND)
    return z ^ (z >> np.uint64(31))


@numba.njit(inline="always")
def _random(key: Any, counter: int) -> Any:
    """Return the word of 64 bits that a particle's key has for a counter."""
    return _mix(key + np.uint64(GOLDEN) * np.uint64(counter + 1))


@numba.njit(inline="always")
def _heads(x: Any) -> Any:
    """Return how many of the 64 bits are set."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@numba.njit(parallel=True, cache=True, error_model="numpy")
def with_numba(particles: int, first: int, seed: np.uint64, motion: Motion) -> np.ndarray:
    """Return the step after which each coordinate first was beyond its rim, 0 for never, shape (particles, n)."""
    k, start, rim, strength, data, profile, batch, form, lr, beta1, beta2, eps, weight, each, max_steps = motion
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
            beyond = False
            if form == 0:
                for j in range(n):
                    m[j] = beta1 * m[j] + weight * g[j]
                    u[j] -= root[j] * (lr * m[j])
                    beyond |= u[j] > rim[j]
            elif form == 1:
                for j in range(n):
                    m[j] = beta1 * m[j] + (1 - beta1) * g[j]
                    v[j] = beta2 * v[j] + (1 - beta2) * (g[j] * g[j])
                    u[j] -= root[j] * (lr * (m[j] / (1 - power1)) / (np.sqrt(v[j] / (1 - power2)) + eps))
                    beyond |= u[j] > rim[j]
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
def _data_gradient(
    u: np.ndarray, root: np.ndarray, data: np.ndarray, batch: int, key: Any, counter: int, g: np.ndarray
) -> int:
    """Write the gradient of a minibatch into g, shape (n,), and return the next counter."""
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
def _well_gradient(
    u: np.ndarray, root: np.ndarray, rim: np.ndarray, strength: np.ndarray, profile: int, key: Any, counter: int,
    g: np.ndarray,
) -> int:  # fmt: skip
    """Write the gradient of a well and its noise into g, shape (n,), and return the next counter."""
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


# ── torch: one step of all particles at a time ────────────────────────────────────────────────────────────────────


def with_torch(particles: int, first: int, seed: int, motion: Motion, device: str) -> np.ndarray:
    """Return what `with_numba` returns, computed on a device of torch's."""
    import torch

    batch, beta1, beta2, eps, lr = motion.batch, motion.beta1, motion.beta2, motion.eps, motion.lr
    k, start, rim, strength, data = (torch.from_numpy(a).to(device) for a in motion[:5])
    n, root, free = len(k), k.sqrt(), torch.isfinite(rim)
    number = first + torch.arange(particles, device=device)
    alive, keys = torch.arange(particles, device=device), _mix_torch(seed + _wrap(GOLDEN) * (number + 1))
    left = torch.zeros(particles, n, dtype=torch.int64, device=device)
    u = start.repeat(particles, 1)
    m, v, fresh = torch.zeros_like(u), torch.zeros_like(u), torch.ones_like(u)
    words = batch // 2 or n
    power1 = power2 = 1.0
    for step in range(1, motion.max_steps + 1):
        counter = (step - 1) * words + torch.arange(words, device=device)
        drawn = _mix_torch(keys[:, None] + _wrap(GOLDEN) * (counter + 1))
        if batch:
            g = _data_gradient_torch(u, root, data, batch, drawn)
        else:
            g = _well_gradient_torch(u, root, free, strength, motion.profile, drawn)
        power1, power2 = power1 * beta1, power2 * beta2
        if motion.form == 0:
            m = beta1 * m + motion.weight * g
            move = lr * m
        elif motion.form == 1:
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * (g * g)
            move = lr * (m / (1 - power1)) / ((v / (1 - power2)).sqrt() + eps)
        else:
            v = beta2 * v + (1 - beta2) * (g * g)
            mean = reduce(torch.add, v.unbind(1))[:, None] / n
            grain = torch.where(mean > 0, beta1 * (v / mean), 0.0).clamp(eps, 1.0)
            m, fresh = (1 - grain) * m + grain * g, fresh * (1 - grain)
            move = lr * (m / (1 - fresh))
        u = u - root * move
        here = left[alive]
        here[(u > rim) & (here == 0)] = step
        left[alive] = here
        gone = (here > 0).sum(1)
        stay = gone < (free.sum() if motion.each else 1)
        if not stay.all():
            alive, keys, u, m, v, fresh = (a[stay] for a in (alive, keys, u, m, v, fresh))
        if not len(alive):
            break
    steps: np.ndarray = left.cpu().numpy()
    return steps


def _data_gradient_torch(u: "Tensor", root: "Tensor", data: "Tensor", batch: int, drawn: "Tensor") -> "Tensor":
    """Return each particle's minibatch gradient, shape (particles, n), from random words (particles, batch / 2)."""
    import torch

    g = torch.zeros_like(u)
    for one, two in zip((drawn & 0xFFFFFFFF).unbind(1), _shift(drawn, 32).unbind(1), strict=True):
        x, y = (u - data[half * len(data) >> 32] for half in (one, two))
        g = g + ((2 * (x * x) - 16) * x + (2 * (y * y) - 16) * y)
    return root * (g / batch + 2.5)


def _well_gradient_torch(
    u: "Tensor", root: "Tensor", free: "Tensor", strength: "Tensor", profile: int, drawn: "Tensor"
) -> "Tensor":
    """Return each particle's noisy gradient, shape (particles, n), from random words of that shape."""
    import torch

    toss, bend = (_heads_torch(drawn).double() - 32) / 4, 3 * (u * u) - 1
    slope = torch.where(free, (u * u - 1) * u, 2 * (u + 1))
    if profile == 1:
        toss = torch.where(bend < 0, toss * 0.5**0.5, toss)
    elif profile == 2:
        toss = toss * (bend.abs() / 2).sqrt()
    return root * slope + strength * toss


def _wrap(word: int) -> int:
    """Return the signed integer with the same 64 bits; torch has no arithmetic for unsigned ones."""
    return word - (word >> 63 << 64)


def _shift(z: "Tensor", bits: int) -> "Tensor":
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _mix_torch(z: "Tensor") -> "Tensor":
    z = (z ^ _shift(z, 30)) * _wrap(FIRST)
    z = (z ^ _shift(z, 27)) * _wrap(SECOND)
    return z ^ _shift(z, 31)


def _heads_torch(x: "Tensor") -> "Tensor":
    x = x - (_shift(x, 1) & 0x5555555555555555)
    x = (x & 0x3333333333333333) + (_shift(x, 2) & 0x3333333333333333)
    x = (x + _shift(x, 4)) & 0x0F0F0F0F0F0F0F0F
    return _shift(x * 0x0101010101010101, 56)
