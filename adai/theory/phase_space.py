"""Momentum near a critical point: exact second moments of position and velocity, in continuous time and step by step.

Equation (7) with the loss H theta^2 / 2 is linear in (theta, r), so its covariance is known for a curvature of either
sign or none, for any damping, and for any spread of the start.
"""

from typing import TYPE_CHECKING, Any

import sympy as sp

if TYPE_CHECKING:
    import numpy as np

SERIES = 24
"""Terms of the Taylor series in `covariance`; their ratio is at most 1 / n."""


def propagator(H: sp.Expr, M: sp.Expr, gamma: sp.Expr, t: sp.Expr) -> sp.Matrix:
    """Return exp(A t), A = [[0, 1], [-H / M, -gamma]], which takes (theta, r) from time 0 to t without noise.

    Args:
        H: second derivative of the loss, of either sign, or 0.
        M, gamma: mass and damping coefficient, with gamma^2 M != 4 H.
        t: time.
    """
    root = gamma if H == 0 else sp.sqrt(gamma**2 - 4 * H / M)
    slow, fast = (root - gamma) / 2, -(root + gamma) / 2
    late, early = sp.exp(slow * t), sp.exp(fast * t)
    response = (late - early) / root
    return sp.Matrix(
        [
            [(slow * early - fast * late) / root, response],
            [-H / M * response, (slow * late - fast * early) / root],
        ]
    )


def covariance(H: Any, D: Any, M: Any, gamma: Any, t: Any, start: Any = None) -> "sp.Matrix | np.ndarray":
    """Return the covariance of (theta, r) at time t under Equation (7) near a critical point.

    Args:
        H: second derivative of the loss, of either sign, or 0.
        D, M, gamma: diffusion coefficient, mass, damping coefficient: positive numbers, or SymPy expressions.
        t: time, not negative; a number, an array of any shape, or an expression.
        start: covariance of (theta, r) at time 0, of shape (2, 2); zeros if left out.

    Returns:
        A SymPy matrix if any argument is an expression, else an array of t's shape with (2, 2) appended, with all its
        digits, also where the closed form cancels: near H = 0, near critical damping, for short times.

    Raises:
        ValueError: if a number D, M or gamma is not positive, or t is negative.
    """
    if any(isinstance(v, sp.Basic) for v in (H, D, M, gamma, t)):
        return _closed_form(H, D, M, gamma, t, sp.zeros(2, 2) if start is None else sp.Matrix(start))
    import numpy as np

    for name, value in {"D": D, "M": M, "gamma": gamma}.items():
        if not value > 0:
            raise ValueError(f"{name} = {value}: expected a positive number")
    t = np.asarray(t, dtype=float)
    if not np.all(t >= 0):
        raise ValueError(f"t = {t}: expected no negative time")
    A, noise = np.array([[0, 1], [-H / M, -gamma]]), np.diag([0, 2 * D / M**2])
    # A Taylor series over a fraction of t in which little happens, then doubled: sums of covariances, no cancellation.
    scale = (gamma + (abs(H) / M) ** 0.5) * t.max(initial=0)
    doublings = max(0, int(np.ceil(np.log2(4 * scale)))) if scale else 0
    short = (t / 2**doublings)[..., None, None]
    flow, term, fed, share = np.eye(2) + 0 * short, np.eye(2) + 0 * short, 0 * short * noise, noise * short
    for n in range(1, SERIES):
        term, fed = term @ A * short / n, fed + share
        flow, share = flow + term, (A @ share + share @ A.T) * short / (n + 1)
    for _ in range(doublings):
        flow, fed = flow @ flow, fed + flow @ fed @ flow.swapaxes(-1, -2)
    if start is not None:
        fed = fed + flow @ np.asarray(start, dtype=float) @ flow.swapaxes(-1, -2)
    return fed


def _closed_form(H: Any, D: Any, M: Any, gamma: Any, t: Any, start: sp.Matrix) -> sp.Matrix:
    flow = propagator(H, M, gamma, t)
    if H == 0:
        lost = 1 - sp.exp(-gamma * t)
        mixed = D * lost**2 / (gamma * M) ** 2
        fed = sp.Matrix(
            [
                [D * (2 * t - lost * (2 + lost) / gamma) / (gamma * M) ** 2, mixed],
                [mixed, D * (1 - sp.exp(-2 * gamma * t)) / (gamma * M**2)],
            ]
        )
    else:
        balance = sp.diag(D / (gamma * M * H), D / (gamma * M**2))
        fed = balance - flow * balance * flow.T
    return flow * start * flow.T + fed


def heavy_ball_covariance(
    H: float, C: float, eta: float, beta1: float, beta3: float, T: int, start: Any = None
) -> "np.ndarray":
    """Return the covariance (2, 2) of (theta, m) after T steps of Equation (4) on the loss H theta^2 / 2.

    It is exact, by powers of a matrix.

    Args:
        H: second derivative of the loss, of either sign, or 0.
        C: variance of the gradient noise.
        eta: learning rate.
        beta1, beta3: what is kept of m, and the weight of the new gradient.
        T: number of steps, not negative.
        start: covariance before the first step, of shape (2, 2); zeros if left out, as optimizers start.

    Raises:
        ValueError: if C or T is negative.
    """
    import numpy as np

    if not (C >= 0 and T >= 0):
        raise ValueError(f"C = {C}, T = {T}: expected no negative value")
    step = np.array([[1 - eta * beta3 * H, -eta * beta1], [beta3 * H, beta1]])
    kick = beta3 * np.array([-eta, 1.0])
    # Row-major vec of step @ S @ step.T + C kick kick.T, made linear by a last coordinate that stays 1.
    advance = np.eye(5)
    advance[:4, :4], advance[:4, 4] = np.kron(step, step), C * np.outer(kick, kick).ravel()
    before = np.append(np.zeros(4) if start is None else np.asarray(start, dtype=float).ravel(), 1.0)
    after: np.ndarray = np.linalg.matrix_power(advance, T) @ before
    return after[:4].reshape(2, 2)
