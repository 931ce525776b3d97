"""Adai's inertia follows the noise, so it trembles: what that changes, to first order in the variance of g^2 / C.

Letters: x is the mean of 1 - beta_1 of a weight, q = 1 - beta_2, C the variance of its gradient noise, kappa its
kurtosis. The noise is symmetric and independent from step to step, and the clamp does not act. Time is in iterations.
First order is good while q kappa is small; the chapters on Adai and on escape times derive the formulas and try them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adai.theory.kramers import phase_space_time

if TYPE_CHECKING:
    import numpy as np


def shares(C: Sequence[float], i: int = 0) -> tuple[float, float]:
    """Return the shares of its own trembling, and of all trembling, that reach weight i's quotient v_i / v_bar.

    With w_j the share of weight j in v_bar these are 1 - w_i, and (1 - w_i)^2 plus the sum of the other w_j^2. Both are
    1 for one weight of a large network, and 0 for a weight alone, whose inertia does not move.
    """
    total = sum(C)
    own = 1 - C[i] / total
    return own, own**2 + sum((c / total) ** 2 for j, c in enumerate(C) if j != i)


def excess_diffusion(x: float, q: float, kappa: float, own: float = 1.0, pooled: float = 1.0) -> float:
    """Return D_Adai / D_SGD - 1 where the loss is flat; `own` and `pooled` as from `shares`."""
    return 2 * (kappa - 1) * q**2 / (q + x - q * x) * (own + pooled / ((2 - q) * (2 - x)))


def stronger_force(x: float, q: float, own: float = 1.0) -> float:
    """Return by what share Adai follows a weak force more than SGD does: for a mean gradient mu, E[W g] / mu - 1."""
    return 2 * own * q**2 / (q + x - q * x)


def excess_temperature(x: float, q: float, h: float, kappa: float, own: float = 1.0, pooled: float = 1.0) -> float:
    """Return the variance at rest in a parabola, over that under the constant inertia 1 - x, less 1.

    The second moments of z = (theta / eta, m), and of z z' times the trembling of v / v_bar, are solved for.

    Args:
        x, q, kappa: as above.
        h: eta H, positive.
        own, pooled: as from `shares`.
    """
    import numpy as np

    move = np.array([[1 - x * h, x - 1], [x * h, 1 - x]])
    more = x * np.array([[-h, 1], [h, -1]])  # change of `move` for each unit of trembling
    kick = np.outer([-x, x], [-x, x])
    rest = _balance(move, kick)
    trembling, c = (kappa - 1) * pooled * q / (2 - q), kappa - 1
    seen = 2 * h * q * own  # v answers to the product of slope and noise
    felt, felt_more = (np.outer(a @ rest[:, 0], [-x, x]) for a in (move, more))
    shaken = trembling * (_both(more @ rest @ move.T) + 2 * kick) + c * q * own * kick + seen * _both(felt)
    shaken += h * seen * np.outer(move @ rest[:, 0], move @ rest[:, 0])
    with_v = _balance(move, shaken, 1 - q)
    source = (1 - q) * _both(more @ with_v @ move.T) + trembling * more @ rest @ more.T
    source += (2 * q * own * c + trembling) * kick + seen * _both(felt + felt_more)
    return float(_balance(move, source)[0, 0] / rest[0, 0])


def escape_ratio(
    k: Sequence[float], C: Sequence[float], eta: float, beta0: float, beta2: float, kappa: float
) -> tuple[float, float]:
    """Return Adai's mean time to leave a double well, over the exact one of constant inertia, and the new 1 - beta_1.

    Coordinate 0 is a double well of sharpness k[0], (u^2 - 1)^2 / 4 in u = sqrt(k[0]) theta, left at u = 1/2.
    The others are parabolas of curvature 2 k[j]. Constant inertia is what v = C gives. Three things are put right:
    the temperature, by `excess_temperature`; the force, by `stronger_force`; and v, to which the slope adds its part.

    Args:
        k: sharpness of each coordinate.
        C: variance of each coordinate's noise.
        eta, beta0, beta2: Adai's.
        kappa: kurtosis of the noise.
    """
    q, h = 1 - beta2, [2 * eta * each for each in k]
    naive = beta0 * C[0] * len(C) / sum(C)
    G = list(C)
    for _ in range(60):
        rates = [min(1.0, beta0 * g * len(G) / sum(G)) for g in G]
        slopes = [b * (a - 2) / (b * a + 2 * a - 4) for a, b in zip(rates, h, strict=True)]  # H^2 Var(theta) / C
        G = [c * (1 + s) for c, s in zip(C, slopes, strict=True)]
    x, (own, pooled) = rates[0], shares(G)
    hotter = 1 + excess_temperature(x, q, h[0], kappa, own, pooled)
    T, unit = eta * C[0] / 2, eta * k[0]

    def time(temperature: float, rate: float) -> float:
        M = unit / rate
        return phase_space_time(lambda u: u**3 - u, -1.0, 0.5, -2.5, temperature, M, 1 / M, (176, 44))

    return time(T * hotter, x) / time(T, naive) / (1 + stronger_force(x, q, own)), x


def _balance(move: "np.ndarray", source: "np.ndarray", keeps: float = 1.0) -> "np.ndarray":
    """Return the S that solves S = keeps move S move' + source."""
    import numpy as np

    n = len(move)
    solved: np.ndarray = np.linalg.solve(np.eye(n * n) - keeps * np.kron(move, move), source.ravel())
    return solved.reshape(n, n)


def _both(matrix: "np.ndarray") -> "np.ndarray":
    both: np.ndarray = matrix + matrix.T
    return both
