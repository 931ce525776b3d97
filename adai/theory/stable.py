"""Lévy's symmetric stable laws and Gaussians, compared by how likely they make samples of mean zero.

A symmetric stable law has the characteristic function exp(-abs(s t)^alpha), 0 < alpha <= 2. Alpha = 2 is the Gaussian
of variance 2 s²; below, the variance is infinite. Sums of independent draws keep alpha, their scale grows as
n^(1/alpha).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import minimize
from scipy.special import gamma

STEP = 0.02
ALPHAS = np.round(np.arange(0.5, 2.0001, STEP), 2)
"""The fits' grid; between its points the log-density is interpolated."""
FOURIER_STEP, FOURIER_POINTS = 0.02, 2**18
NEAR = 40.0
"""From here on (in scales) the density is its series in powers of 1/x."""
LOG_X = np.linspace(np.log(1e-4), np.log(1e9), 1200)


@dataclass(frozen=True)
class Stable:
    """A symmetric stable law by its index `alpha` and its `scale`."""

    alpha: float
    scale: float

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Return the log-density at each x, of x's shape.

        The density is within 1 %, in the far tail of an alpha above 1.98 within 10 %.
        """
        log_density: np.ndarray = _log_density(self.alpha, np.abs(x) / self.scale) - np.log(self.scale)
        return log_density


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian of mean zero by its standard deviation."""

    deviation: float

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Return the log-density at each x, of x's shape."""
        log_density: np.ndarray = -0.5 * (x / self.deviation) ** 2 - np.log(self.deviation) - 0.5 * np.log(2 * np.pi)
        return log_density


def fit_gaussian(x: np.ndarray) -> Gaussian:
    """Return the Gaussian of mean zero that makes the samples x most likely."""
    return Gaussian(float(np.sqrt(np.mean(np.square(x)))))


def fit_stable(x: np.ndarray) -> Stable:
    """Return the symmetric stable law, alpha from 0.5 to 2, that makes the samples x most likely.

    Raises:
        ValueError: if more than half of x is zero, which has no density.
    """
    typical = float(np.median(np.abs(x)))
    if typical == 0:
        raise ValueError("more than half of the samples are zero: leave out what is always zero before a fit")
    size = np.abs(x) / typical

    def cost(point: np.ndarray) -> float:
        alpha, log_scale = min(max(float(point[0]), ALPHAS[0]), 2.0), float(point[1])
        return log_scale - float(_log_density(alpha, size / np.exp(log_scale)).mean())

    start = [[1.5, 0.0], [1.9, 0.0], [1.5, 0.3]]
    found = minimize(cost, start[0], method="Nelder-Mead", options={"initial_simplex": start, "xatol": 1e-3})
    gaussian = np.array([2.0, np.log(np.sqrt(np.mean(size**2) / 2))])
    alpha, log_scale = min((found.x, gaussian), key=cost)
    return Stable(min(max(float(alpha), ALPHAS[0]), 2.0), float(np.exp(log_scale)) * typical)


@dataclass(frozen=True)
class LawComparison:
    """The stable law fitted to all of a sample, and the two laws' held-out likelihoods.

    Args:
        alpha: index of the stable law.
        advantage: log-likelihood of the stable law less that of the Gaussian, a mean over held-out draws, in nats.
        error: the standard error of that mean.
    """

    alpha: float
    advantage: float
    error: float


def compare(x: np.ndarray) -> LawComparison:
    """Fit both laws to every other draw, judge them by those left out, and the other way round.

    Args:
        x: independent draws of mean zero, shape (draws,).
    """
    gains = np.empty(len(x))
    for fitted, held_out in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
        stable, gaussian = fit_stable(x[fitted]), fit_gaussian(x[fitted])
        gains[held_out] = stable.log_density(x[held_out]) - gaussian.log_density(x[held_out])
    return LawComparison(fit_stable(x).alpha, float(gains.mean()), float(gains.std(ddof=1) / len(x) ** 0.5))


def excess_kurtosis(x: np.ndarray, axis: int = 0) -> np.ndarray:
    """Return the fourth moment about the mean over the squared second, less 3: zero for a Gaussian.

    Args:
        x: samples along one axis.
        axis: that axis; the result has the others.
    """
    away = x - x.mean(axis=axis, keepdims=True)
    kurtosis: np.ndarray = (away**4).mean(axis=axis) / (away**2).mean(axis=axis) ** 2 - 3
    return kurtosis


def _log_density(alpha: float, x: np.ndarray) -> np.ndarray:
    """Return the log-density of the law with scale 1 at x >= 0, interpolated in log x and in alpha."""
    below = min(int((alpha - ALPHAS[0]) / STEP), len(ALPHAS) - 2)
    share = (alpha - ALPHAS[below]) / STEP
    at = np.log(np.clip(x, 1e-4, 1e9))
    low = np.interp(at, LOG_X, _table(float(ALPHAS[below])))
    if below == len(ALPHAS) - 2:  # up to the Gaussian the tail's weight, not its power, goes to zero
        gaussian: np.ndarray = -np.square(x) / 4 - 0.5 * np.log(4 * np.pi)
        if alpha == 2:
            return gaussian
        mixed: np.ndarray = np.logaddexp(np.log(1 - share) + low, np.log(share + 1e-300) + gaussian)
        return mixed
    between: np.ndarray = (1 - share) * low + share * np.interp(at, LOG_X, _table(float(ALPHAS[below + 1])))
    return between


@cache
def _table(alpha: float) -> np.ndarray:
    """Return the log-density on `LOG_X`: a Fourier integral near zero, the series of Bergström (1952) further out."""
    x = np.exp(LOG_X)
    t = np.pi / (FOURIER_STEP * FOURIER_POINTS) * np.arange(FOURIER_POINTS)
    values = np.exp(-(t**alpha))
    values[0] = 0.5
    waves = np.fft.fft(values, 2 * FOURIER_POINTS).real[: int(2 * NEAR / FOURIER_STEP)] * (t[1] / np.pi)
    near = np.interp(x, FOURIER_STEP * np.arange(len(waves)), waves)
    order = np.arange(1, 12)
    sign = -((-1.0) ** order) * np.sin(np.pi * alpha * order / 2) / np.cumprod(order)
    with np.errstate(over="ignore"):
        far = (sign * gamma(alpha * order + 1) * x[:, None] ** (-alpha * order - 1)).sum(1) / np.pi
    log_density: np.ndarray = np.log(np.where(x < NEAR, near, far))
    return log_density
