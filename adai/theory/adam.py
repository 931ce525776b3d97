"""Adam where its second moment v is known: exact spread at a critical point, and mean escape times in one dimension.

Time is counted in iterations throughout. A step moves theta by the rate eta / sqrt(v) times the averaged gradient.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def frozen_variance(H: Any, C: Any, eta: float, beta1: float, T: int, bias_correction: bool = True) -> "np.ndarray":
    """Return the mean square of theta after T steps of Algorithm 1 on the loss H theta^2 / 2, with v = C, epsilon = 0.

    Both theta and m start at 0. The second moments of (theta, m) are carried from step to step, exactly.

    Args:
        H: second derivative of the loss, of either sign, or 0; a number or an array.
        C: variance of the gradient noise, positive, of a shape that goes with H's.
        eta: Adam's learning rate, a length.
        beta1: momentum.
        T: number of steps, not negative.
        bias_correction: whether m is divided by 1 - beta1^t.

    Returns:
        The mean square, of the shape that H and C have together.

    Raises:
        ValueError: if a C is not positive, beta1 not in [0, 1), or T negative.
    """
    import numpy as np

    H, C = np.broadcast_arrays(np.asarray(H, dtype=float), np.asarray(C, dtype=float))
    if not (np.all(C > 0) and 0 <= beta1 < 1 and T >= 0):
        raise ValueError(f"C = {C}, beta1 = {beta1}, T = {T}: expected C > 0, 0 <= beta1 < 1, T >= 0")
    square, mixed, buffer = (np.zeros(H.shape) for _ in range(3))
    for t in range(1, T + 1):
        rate = eta / np.sqrt(C) / (1 - beta1**t if bias_correction else 1)
        fresh = (1 - beta1) * H
        mixed, buffer = (
            beta1 * mixed + fresh * square,
            beta1**2 * buffer + 2 * beta1 * fresh * mixed + fresh**2 * square + (1 - beta1) ** 2 * C,
        )
        square, mixed = square - 2 * rate * mixed + rate**2 * buffer, mixed - rate * buffer
    mean_square: np.ndarray = square[()]
    return mean_square


def escape_time(
    theta: "np.ndarray", slope: "np.ndarray", noise: "np.ndarray", rate: "np.ndarray", start: float
) -> float:
    """Return the mean number of iterations until theta first reaches the end of the grid, by quadrature.

    The dynamics is Itô's dtheta = -rate slope dn + rate sqrt(noise) dW, per iteration n, with a wall at theta[0]. The
    mean time T from x solves rate^2 noise / 2 T'' - rate slope T' = -1 with T' = 0 at the wall, T = 0 at the end.

    Args:
        theta: ascending grid, shape (points,), so fine that 2 slope / (rate noise) times its spacing changes little.
        slope: L' at each point, shape (points,), or one number.
        noise: variance C of the gradient noise, positive, likewise.
        rate: learning rate at each point, positive, likewise: eta for SGD, eta / sqrt(v) for Adam.
        start: where theta starts, on the grid.

    Returns:
        The number; infinity where it exceeds what a float can hold.

    Raises:
        ValueError: if theta does not ascend, start is outside it, or a noise or rate is not positive.
    """
    import numpy as np

    theta = np.asarray(theta, dtype=float)
    slope, noise, rate = (np.broadcast_to(np.asarray(x, dtype=float), theta.shape) for x in (slope, noise, rate))
    width = np.diff(theta)
    if not (np.all(width > 0) and theta[0] <= start <= theta[-1]):
        raise ValueError(f"start = {start}: expected an ascending grid that contains it")
    if not (np.all(noise > 0) and np.all(rate > 0)):
        raise ValueError("noise and rate must be positive everywhere")

    def accumulated(values: "np.ndarray") -> "np.ndarray":
        return np.concatenate([[0.0], np.cumsum(width * (values[1:] + values[:-1]) / 2)])

    barrier = accumulated(2 * slope / (rate * noise))
    low, high = barrier.min(), barrier.max()
    population = accumulated(np.exp(low - barrier) * 2 / (rate**2 * noise))
    passed = accumulated(np.exp(barrier - high) * population)
    with np.errstate(over="ignore"):
        return float((passed[-1] - np.interp(start, theta, passed)) * np.exp(high - low))
