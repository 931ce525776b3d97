"""Adai's inertia follows the noise, so it trembles: what that changes, to first order in the variance of g^2 / C.

And it belongs to coordinates: `growing_mode` is how a saddle is left where the Hessian is not diagonal in them.

Letters: x is the mean of 1 - beta_1 of a weight, q = 1 - beta_2, C the variance of its gradient noise, kappa its
kurtosis. The noise is symmetric and independent from step to step, and the clamp does not act. Time is in iterations.
First order is good while q kappa is small; the chapters on Adai and on escape times derive the formulas and try them.
"""

from collections.abc import Callable, Sequence
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


def simulated_excess(x: float, q: float, kappa: float, steps: int = 5000, n: int = 400) -> "np.ndarray":
    """Return D_Adai / D_SGD - 1 = E[W^2 g^2] / C - 1 for n weights, each over that many steps; v_bar does not move.

    Squares of gradients are kappa C with probability 1 / kappa and else 0. What part W of a gradient reaches the weight
    is found by going back from the last step; nothing is averaged over signs, since they drop out.
    """
    import numpy as np

    warm, draw = int(8 / q + 8 / x), np.random.default_rng(0)
    squares = kappa * (draw.random((steps + 2 * warm, n)) < 1 / kappa)
    v, rates = np.ones(n), np.empty(squares.shape)
    for t, square in enumerate(squares):
        v = v + q * (square - v)
        rates[t] = np.clip(x * v, 1e-3, 1)
    to_come, found = np.full(n, 1 / x), np.zeros(n)
    for t in reversed(range(warm, len(squares))):
        if t < warm + steps:
            found += ((rates[t] * to_come) ** 2 - 1) * squares[t] / steps
        to_come = 1 + (1 - rates[t]) * to_come
    return found


def lead_over_sgd(
    draw: Callable[["np.random.Generator", int], "np.ndarray"],
    steps: int,
    x: float = 0.1,
    q: float = 0.01,
    n: int = 3000,
) -> "np.ndarray":
    """Return Adai's mean square of the way less SGD's, over eta^2 C, at each step on a flat saddle met in mid-training.

    The mean over all signs of the noise is exact; that over the squares is one over n weights of equal C.

    Args:
        draw: n values of symmetric noise of variance 1, given a generator.
        steps: how many.
        x: beta_0.
        q: 1 - beta_2.
        n: weights.
    """
    import numpy as np

    rng, v, way, mixed, m2 = np.random.default_rng(3), np.ones(n), np.zeros(n), np.zeros(n), np.zeros(n)
    lead, warm = np.empty(steps), int(6 / q)
    for t in range(-warm, steps):
        square = draw(rng, n) ** 2
        v = v + q * (square - v)
        rate = np.clip(x * v / v.mean(), 1e-3, 1)
        m2 = (1 - rate) ** 2 * m2 + rate**2 * square
        if t >= 0:
            way = way - square + m2 - 2 * (1 - rate) * mixed
            mixed = (1 - rate) * mixed - m2
            lead[t] = way.mean()
    return lead


def at_a_curved_saddle(h: float, steps: int, x: float = 0.1, q: float = 0.03, n: int = 8000) -> "np.ndarray":
    """Return the squares of the ways of Adai, of constant inertia 1 - x, and of SGD, under the same uniform noise.

    They are over SGD's mean square, of shape (3, n). The saddle is met in mid-training at its critical point; v_bar
    does not move.

    Args:
        h: eta times the size of the negative curvature.
        steps, x, q, n: as for `lead_over_sgd`.
    """
    import numpy as np

    draw, v, way, m = np.random.default_rng(0), np.ones(n), np.zeros((3, n)), np.zeros((3, n))
    rates = np.array([[x], [x], [1.0]]).repeat(n, axis=1)
    for t in range(-int(5 / q), steps):
        g = draw.uniform(-(3**0.5), 3**0.5, n) - h * way * (t >= 0)
        v = v + q * (g[0] ** 2 - v)
        rates[0] = np.minimum(x * v, 1)
        m = m + rates * (g - m)
        way = way - m if t >= 0 else way
    squares: np.ndarray = way**2 / np.mean(way[2] ** 2)
    return squares


def growing_mode(M: "np.ndarray", H: "np.ndarray") -> float:
    """Return the lambda > 0 at which M lambda^2 + lambda + H is singular: theta leaves a saddle like exp(lambda t).

    Args:
        M: mass of each coordinate, positive, shape (n,); friction is 1.
        H: the Hessian at the saddle, symmetric, shape (n, n); one eigenvalue is negative.

    Raises:
        ValueError: if none or more than one is.
    """
    import numpy as np
    from scipy.optimize import brentq

    curvature = np.linalg.eigvalsh(H)
    if not curvature[0] < 0 < curvature[1]:
        raise ValueError(
            f"eigenvalues of H from {curvature[0]} and {curvature[1]}: expected one below 0, the next above"
        )

    def least(rate: float) -> float:
        return float(np.linalg.eigvalsh(np.diag(M * rate**2 + rate) + H)[0])

    return float(brentq(least, 0, -curvature[0]))


def _balance(move: "np.ndarray", source: "np.ndarray", keeps: float = 1.0) -> "np.ndarray":
    """Return the S that solves S = keeps move S move' + source."""
    import numpy as np

    n = len(move)
    solved: np.ndarray = np.linalg.solve(np.eye(n * n) - keeps * np.kron(move, move), source.ravel())
    return solved.reshape(n, n)


def _both(matrix: "np.ndarray") -> "np.ndarray":
    both: np.ndarray = matrix + matrix.T
    return both
